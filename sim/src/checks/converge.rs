//! Nodes with the same entries show the same state, and in the end all of them have the same entries.
//!
//! State is a sum of hashes over normalised rows, kept from commit to commit: what was is taken off, what is is added. So two
//! nodes can be compared at every commit, at the cost of the rows that it changed.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Bound;

use stockroom_core::books::cells;
use stockroom_core::journal::{Journal, Log, LogNumber};
use stockroom_core::overlay::scan_prefix;
use stockroom_core::storage::{Direction, Snapshot, Table};
use stockroom_crdt::chain::LogId;
use stockroom_crdt::ids::{Digest, StoreId};
use stockroom_crdt::scope::Scope;

use super::fleet::{hubs, identity, is_above, is_healthy, logs_of, mix, nodes_by_store, snapshot, top_hub};
use super::normal::{Domain, Kind, part};
use super::watch::{Flow, Sight, Watch};
use super::{Check, Findings, Scene};
use crate::observe::{Observation, RowChange, Seen};
use crate::union::Holding;

/// Sums over one domain of one node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// Rows of the books.
    books: u64,
    /// Scans of open counts.
    scans: u64,
    /// Fences, for `control`.
    fences: u64,
    /// Heads of all histories.
    heads: u64,
    /// How many histories there are.
    histories: u64,
}

/// What is compared: heads, fences.
type Under = (u64, u64);

/// States of one domain by what they are compared under, and the node that showed each first.
#[derive(Default)]
struct Known {
    states: BTreeMap<Under, (Sums, u32)>,
    order: VecDeque<Under>,
}

/// Equal heads give equal state.
pub struct EqualState {
    watch: Watch,
    sums: BTreeMap<(u32, Domain), Sums>,
    /// Nodes of which nobody can tell what they hold.
    lost: BTreeSet<u32>,
    known: BTreeMap<Domain, Known>,
}

impl EqualState {
    /// With what all checks share.
    pub fn new(watch: Watch) -> Self {
        Self { watch, sums: BTreeMap::new(), lost: BTreeSet::new(), known: BTreeMap::new() }
    }

    fn apply(&mut self, node: u32, rows: &[RowChange], holding: &Holding) -> BTreeSet<Domain> {
        let mut touched = BTreeSet::new();
        for row in rows {
            for (value, sign) in [(&row.old, u64::MAX), (&row.new, 1)] {
                let Some(value) = value else { continue };
                if let Some(domain) = self.add(node, (row.table, &row.key, value), sign, holding) {
                    touched.insert(domain);
                }
            }
        }
        touched
    }

    /// Adds a row to its sum, `sign` times. Gives the domain if it is one that can be compared now.
    fn add(
        &mut self,
        node: u32,
        (table, key, value): (Table, &[u8], &[u8]),
        sign: u64,
        holding: &Holding,
    ) -> Option<Domain> {
        if table == Table::Logs {
            let log = Log::from_row(value).ok()?;
            let domain = domain_of(&log.id.scope)?;
            let words = [log.id.to_bytes().as_slice(), &log.head.seq.to_be_bytes(), &log.head.hash.0].concat();
            let sums = self.sums.entry((node, domain.clone())).or_default();
            sums.heads = sums.heads.wrapping_add(mix(&words).wrapping_mul(sign));
            sums.histories = sums.histories.wrapping_add(sign);
            return Some(domain);
        }
        let (domain, kind, words) = part(table, key, value, holding)?;
        let sums = self.sums.entry((node, domain.clone())).or_default();
        let sum = match kind {
            Kind::Books => &mut sums.books,
            Kind::Scans => &mut sums.scans,
            Kind::Fences => &mut sums.fences,
        };
        *sum = sum.wrapping_add(mix(&words).wrapping_mul(sign));
        Some(domain)
    }

    fn anew(&mut self, node: u32, snapshot: &dyn Snapshot, holding: &Holding) {
        self.forget(node);
        for table in TABLES {
            let all = (Bound::Unbounded, Bound::Unbounded);
            for (key, value) in snapshot.scan(table, all, Direction::Forward, usize::MAX).unwrap_or_default() {
                self.add(node, (table, &key, &value), 1, holding);
            }
        }
    }

    fn forget(&mut self, node: u32) {
        let own = (node, Domain::Control)..(node + 1, Domain::Control);
        let keys: Vec<_> = self.sums.range(own).map(|(key, _)| key.clone()).collect();
        self.sums.retain(|key, _| !keys.contains(key));
    }

    fn sums(&self, node: u32, domain: &Domain) -> Sums {
        self.sums.get(&(node, domain.clone())).copied().unwrap_or_default()
    }

    /// What must be alike, and under what. Open scans only while there is one history: later ones replace earlier ones.
    fn state(&self, node: u32, domain: &Domain) -> (Under, Sums) {
        let sums = self.sums(node, domain);
        let fences = self.sums(node, &Domain::Control).fences;
        let scans = if sums.histories > 1 { 0 } else { sums.scans };
        ((sums.heads, fences), Sums { scans, ..sums })
    }

    fn compare(&mut self, node: u32, domain: &Domain, scene: &Scene<'_>, findings: &mut Findings) {
        if !self.is_comparable(node, scene) {
            return;
        }
        let (under, state) = self.state(node, domain);
        let known = self.known.entry(domain.clone()).or_default();
        match known.states.get(&under) {
            None => {
                known.states.insert(under, (state, node));
                known.order.push_back(under);
                if known.order.len() > STATES_MAX
                    && let Some(oldest) = known.order.pop_front()
                {
                    known.states.remove(&oldest);
                }
            }
            Some((other, _)) if *other == state => {}
            Some((other, first)) => {
                let message = format!(
                    "nodes {first} and {node} have the same {} histories of {domain:?} and not the same state: {} differ",
                    state.histories,
                    state.difference(other)
                );
                findings.report(self, scene, node, message);
            }
        }
    }

    /// A node that others do not believe any more goes on with its own books, and one that keeps an entry without effect
    /// because it crashes has its own state, too.
    fn is_comparable(&self, node: u32, scene: &Scene<'_>) -> bool {
        let sight = self.watch.last();
        let identity = identity(node);
        !self.lost.contains(&node)
            && !scene.written_off.contains(&identity)
            && !sight.fences.keys().any(|(_, fenced)| *fenced == identity)
            && scene.world.nodes.get(&node).is_none_or(|node| node.quarantine.is_none())
    }
}

impl Sums {
    fn difference(&self, other: &Self) -> String {
        let parts = [("books", self.books != other.books), ("scans", self.scans != other.scans)];
        let differ: Vec<_> = parts.into_iter().filter(|(_, differ)| *differ).map(|(name, _)| name).collect();
        if differ.is_empty() { "fences".to_owned() } else { differ.join(" and ") }
    }
}

impl Check for EqualState {
    fn name(&self) -> &'static str {
        "I14 equal heads, equal state"
    }

    fn meaning(&self) -> &'static str {
        "two nodes that hold the same histories of a scope, under the same fences, show the same books"
    }

    fn observe(&mut self, seen: &Observation, scene: &Scene<'_>, findings: &mut Findings) {
        let flow = self.watch.see(seen, scene).flow.clone();
        let none = Holding::default();
        let holding = scene.union.nodes.get(&seen.node).unwrap_or(&none);
        match (flow, &seen.what) {
            (Flow::Still, _) => {}
            (Flow::Lost, _) => drop(self.lost.insert(seen.node)),
            (Flow::Anew(snapshot), _) => {
                self.lost.remove(&seen.node);
                self.anew(seen.node, &*snapshot, &held(&*snapshot));
            }
            (Flow::Apply, Seen::Committed(rows)) => {
                for domain in self.apply(seen.node, rows, holding) {
                    if !matches!(domain, Domain::Shared(_)) {
                        self.compare(seen.node, &domain, scene, findings);
                    }
                }
            }
            (Flow::Apply, _) => {}
        }
    }

    fn end(&mut self, scene: &Scene<'_>, findings: &mut Findings) {
        // What was summed from commits must be what lies on the disk: a bound on rows keeps large worlds quick.
        let mut rows_left = ROWS_AT_END;
        let nodes: Vec<_> = scene.world.nodes.keys().copied().filter(|&node| is_healthy(scene, node)).collect();
        for &node in &nodes {
            let Some(snapshot) = snapshot(scene, node) else { continue };
            let mut fresh = Self::new(self.watch.clone());
            let all = (Bound::Unbounded, Bound::Unbounded);
            let count = TABLES.iter().map(|&table| snapshot.scan(table, all, Direction::Forward, rows_left + 1));
            let count: usize = count.map(|rows| rows.map_or(0, |rows| rows.len())).sum();
            if count > rows_left || self.lost.contains(&node) {
                continue;
            }
            rows_left -= count;
            fresh.anew(node, &*snapshot, &held(&*snapshot));
            let own = (node, Domain::Control)..(node + 1, Domain::Control);
            for ((_, domain), sums) in fresh.sums.range(own.clone()) {
                let told = self.sums(node, domain);
                if told != *sums {
                    let message = format!("node {node}'s disk holds another {domain:?} than its commits told");
                    findings.report(self, scene, node, message);
                }
            }
        }
        let Some(hub) = top_hub(scene.world).filter(|&hub| is_healthy(scene, hub)) else { return };
        // Decisions flow down only: what a hub forgot with its disk stays with those below until head office says it again.
        if self.watch.last().marks(hub).set_back {
            return;
        }
        for &node in nodes.iter().filter(|&&node| node != hub && !self.lost.contains(&node)) {
            let sight = self.watch.last();
            let mut differing = Vec::new();
            for scope in shared_scopes(&sight, scene, node) {
                let domain = Domain::Shared(scope.clone());
                if self.sums(node, &domain).books != self.sums(hub, &domain).books {
                    differing.push(scope);
                }
            }
            drop(sight);
            for scope in differing {
                let cell = first_cell(scene, (node, hub), &scope).unwrap_or_default();
                let message = format!("node {node} and hub {hub} show different {scope} in the end{cell}");
                findings.report(self, scene, node, message);
            }
        }
    }
}

/// Cells of a scope by entity and writer, with the number of the entry that is held.
fn cells_of(scene: &Scene<'_>, node: u32, scope: &Scope) -> Option<BTreeMap<Vec<u8>, u64>> {
    let snapshot = snapshot(scene, node)?;
    let number = cells::scope_number(&*snapshot, scope).ok()??;
    let rows = scan_prefix(&*snapshot, Table::Cells, &number.to_be_bytes(), usize::MAX).ok()?;
    let read = |(key, value): (Vec<u8>, Vec<u8>)| Some((key[4..].to_vec(), cells::decode(&value).ok()?.stamp.seq));
    Some(rows.into_iter().filter_map(read).collect())
}

/// The first cell in which two nodes differ, in words.
fn first_cell(scene: &Scene<'_>, (node, hub): (u32, u32), scope: &Scope) -> Option<String> {
    let (here, there) = (cells_of(scene, node, scope)?, cells_of(scene, hub, scope)?);
    let key = here.keys().chain(there.keys()).find(|key| here.get(*key) != there.get(*key))?;
    let writer = cells::writer_of(key).ok()?;
    Some(format!(": of a cell by {writer} one has entry {:?}, the other {:?}", here.get(key), there.get(key)))
}

/// Products, and prices of the node's own book, as far as one book was ever named for it.
fn shared_scopes(sight: &Sight, scene: &Scene<'_>, node: u32) -> Vec<Scope> {
    let mut out = vec![Scope::Catalog];
    let records = super::fleet::store_of(scene.world, node).and_then(|store| sight.records.get(&store));
    if let Some(record) = records.and_then(|records| records.last()) {
        out.push(Scope::Prices(record.book.clone()));
    }
    out
}

/// The logs that decide the books.
fn domain_of(scope: &Scope) -> Option<Domain> {
    match scope {
        Scope::Control => Some(Domain::Control),
        Scope::StoreStock(store) => Some(Domain::Store(store.0)),
        Scope::StoreRights(store) => Some(Domain::Rights(store.0)),
        Scope::StoreOrders(store) => Some(Domain::Orders(store.0)),
        Scope::Orders(home) => Some(Domain::Home(*home)),
        Scope::StoreHistory(_) | Scope::StoreMembers(_) | Scope::Prices(_) | Scope::Catalog => None,
    }
}

/// Local numbers as a disk has them.
pub fn held(snapshot: &dyn Snapshot) -> Holding {
    let mut holding = Holding::default();
    for (number, log) in super::fleet::logs(snapshot) {
        let sealed_seq = log.sealed_seq();
        let parent = log.parent.map(|place| (place.log, place.seq));
        let held = crate::union::HeldLog { id: log.id, head: log.head, sealed_seq, parent };
        holding.logs.insert(number, held);
    }
    let all = (Bound::Unbounded, Bound::Unbounded);
    for (key, value) in snapshot.scan(Table::Scopes, all, Direction::Forward, usize::MAX).unwrap_or_default() {
        let number = cells::scope_row_number(&value);
        if let (Ok(scope), Ok(number)) = (Scope::from_bytes(&key), number) {
            holding.scopes.insert(number, scope);
        }
    }
    holding
}

/// After the faults, everybody has what is meant for it.
pub struct Together {
    watch: Watch,
}

impl Together {
    /// With what all checks share.
    pub fn new(watch: Watch) -> Self {
        Self { watch }
    }

    /// Nodes that must hold a store's goods: its own, the hubs above it, and neighbours of its group on a link.
    fn holders(&self, scene: &Scene<'_>, own: u32, store: u32) -> Vec<u32> {
        let sight = self.watch.last();
        let above = hubs(scene.world).filter(|&hub| is_above(scene.world, hub, own));
        let mut out: Vec<_> = above.filter(|&hub| is_healthy(scene, hub)).collect();
        let linked = sight.links.range((own, 0)..(own + 1, 0)).map(|&(_, peer)| peer);
        for peer in linked.filter(|&peer| sight.links.contains(&(peer, own)) && is_healthy(scene, peer)) {
            let other = super::fleet::store_of(scene.world, peer);
            if other.is_some_and(|other| other != store && shares(&sight, store, other)) {
                out.push(peer);
            }
        }
        out
    }
}

/// Both stores are in one group, by the last that was said of them.
fn shares(sight: &Sight, one: u32, other: u32) -> bool {
    let group = |store| sight.records.get(&store).and_then(|records| records.last()).map(|record| record.group.clone());
    group(one).is_some_and(|group| !group.is_empty() && Some(&group) == group_of(sight, other).as_ref())
}

fn group_of(sight: &Sight, store: u32) -> Option<stockroom_crdt::ids::Code> {
    sight.records.get(&store).and_then(|records| records.last()).map(|record| record.group.clone())
}

impl Check for Together {
    fn name(&self) -> &'static str {
        "I30 the healthy core comes together"
    }

    fn meaning(&self) -> &'static str {
        "after the faults, a store's node, the hubs above it and linked neighbours of its group have the same histories; everybody has control of the hubs above"
    }

    fn observe(&mut self, seen: &Observation, scene: &Scene<'_>, _findings: &mut Findings) {
        drop(self.watch.see(seen, scene));
    }

    fn end(&mut self, scene: &Scene<'_>, findings: &mut Findings) {
        for &node in scene.world.nodes.keys() {
            let must_run = node == identity(node) && !scene.written_off.contains(&node);
            if must_run && !scene.world.is_up(node) {
                findings.report(self, scene, node, format!("node {node} does not run in the end"));
            }
        }
        let fenced: BTreeSet<u32> = self.watch.last().fences.keys().map(|(_, fenced)| *fenced).collect();
        let heads: BTreeMap<u32, Heads> = scene
            .world
            .nodes
            .keys()
            .filter(|&&node| is_healthy(scene, node) && !fenced.contains(&node))
            .filter_map(|&node| Some((node, all_heads(&*snapshot(scene, node)?))))
            .collect();
        let none = BTreeMap::new();
        let of = |node: u32, scope: &Scope| heads.get(&node).and_then(|heads| heads.get(scope)).unwrap_or(&none);
        let mut apart = Vec::new();
        for (store, nodes) in nodes_by_store(scene.world) {
            for &own in nodes.iter().filter(|node| heads.contains_key(node)) {
                for holder in self.holders(scene, own, store) {
                    let scopes = [Scope::StoreStock(StoreId(store)), Scope::StoreRights(StoreId(store))];
                    apart.extend(scopes.iter().filter_map(|scope| differ((own, holder), scope, &of)));
                    if is_above(scene.world, holder, own) {
                        let orders = Scope::StoreOrders(StoreId(store));
                        apart.extend(differ((own, holder), &orders, &of));
                    }
                }
            }
        }
        // Control flows down: everybody has what the hubs above it wrote there.
        for &node in heads.keys() {
            let above = hubs(scene.world).filter(|&hub| is_above(scene.world, hub, node));
            for hub in above.filter(|hub| heads.contains_key(hub)) {
                let written = of(hub, &Scope::Control).iter().filter(|((id, _), _)| id.actor.node.0 == hub);
                let held = of(node, &Scope::Control);
                let lacks = written.into_iter().find(|((id, hash), seq)| {
                    !held.contains_key(&(id.clone(), *hash)) && !goes_on_from(scene, node, id, (**seq, *hash))
                });
                apart.extend(lacks.map(|((id, _), seq)| {
                    let message =
                        format!("node {node} lacks control by {} as hub {hub} has it up to entry {seq}", id.actor);
                    (node, message)
                }));
            }
        }
        for (node, message) in apart {
            findings.report(self, scene, node, message);
        }
    }
}

/// Heads of every history, by scope: the hash is part of the key, so that histories of a fork stand side by side.
type Heads = BTreeMap<Scope, BTreeMap<(LogId, Digest), u64>>;

fn all_heads(snapshot: &dyn Snapshot) -> Heads {
    let mut out = Heads::new();
    for (_, log) in super::fleet::logs(snapshot) {
        out.entry(log.id.scope.clone()).or_default().insert((log.id, log.head.hash), log.head.seq);
    }
    out
}

/// True when one of a node's histories of a log has this content at this place: it may go on from there, by what a second process wrote.
fn goes_on_from(scene: &Scene<'_>, node: u32, id: &LogId, (seq, hash): (u64, Digest)) -> bool {
    let Some(snapshot) = snapshot(scene, node) else { return false };
    let Ok(journal) = Journal::load(scene.world.tenant(), &*snapshot, usize::MAX) else { return false };
    let histories = journal.logs().filter(|(_, log)| log.id == *id && log.head.seq >= seq);
    let mut hashes = histories.map(|(number, _)| journal.hash_at(&*snapshot, number, seq));
    hashes.any(|held| held.is_ok_and(|held| held == Some(hash)))
}

fn differ<'a>(
    (one, other): (u32, u32),
    scope: &Scope,
    of: &impl Fn(u32, &Scope) -> &'a BTreeMap<(LogId, Digest), u64>,
) -> Option<(u32, String)> {
    let (left, right) = (of(one, scope), of(other, scope));
    if left == right {
        return None;
    }
    let lacks = |(at, from): (u32, u32), here: &BTreeMap<(LogId, Digest), u64>, there: &BTreeMap<_, u64>| {
        let ((id, _), seq) = there.iter().find(|(key, _)| !here.contains_key(*key))?;
        let held: Vec<_> = here.iter().filter(|((held, _), _)| held == id).map(|(_, seq)| seq).collect();
        Some(format!("node {from} has {scope} by {} up to entry {seq}, node {at} up to {held:?}", id.actor))
    };
    let message = lacks((other, one), right, left).or_else(|| lacks((one, other), left, right));
    message.map(|message| (one, message))
}

/// The histories of a store's goods on a disk.
pub fn stock_logs(snapshot: &dyn Snapshot, store: u32) -> Vec<(LogNumber, Log)> {
    logs_of(snapshot, &Scope::StoreStock(StoreId(store)))
}

/// Tables that sums are made of.
const TABLES: [Table; 17] = [
    Table::Logs,
    Table::Cells,
    Table::Accounts,
    Table::Sales,
    Table::Receipts,
    Table::Days,
    Table::Scans,
    Table::Transfers,
    Table::Barcodes,
    Table::Rights,
    Table::Promises,
    Table::OpenPromises,
    Table::Owed,
    Table::OrderEvents,
    Table::Baskets,
    Table::Shifts,
    Table::Programs,
];

/// States per domain that are kept for comparison. Whoever is further behind is compared in the end.
const STATES_MAX: usize = 1_024;

/// Rows that are read again in the end, over all nodes.
const ROWS_AT_END: usize = 300_000;
