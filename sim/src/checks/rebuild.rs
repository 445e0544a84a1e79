//! The books are what the logs say: thrown away and made again, in another order too, they are the same.

use std::collections::{BTreeMap, VecDeque};

use stockroom_core::authority::{area, may_say, may_write, writer};
use stockroom_core::books::{self, Context};
use stockroom_core::journal::{Journal, Log, LogNumber, Place};
use stockroom_core::overlay::Overlay;
use stockroom_core::storage::memory::MemoryStore;
use stockroom_core::storage::{Snapshot, Store};
use stockroom_core::tuning::Tuning;
use stockroom_crdt::batch::Item;
use stockroom_crdt::capability::Role;
use stockroom_crdt::ids::StoreId;
use stockroom_crdt::scope::Scope;

use super::converge::{held, stock_logs};
use super::fleet::{entries, is_healthy, logs_of, nodes_by_store, snapshot};
use super::normal::{Kind, store_rows};
use super::watch::Watch;
use super::{Check, Findings, Scene};
use crate::observe::{Observation, Seen};
use crate::union::Holding;

/// What a store's books come to.
type Rows = BTreeMap<(Kind, Vec<u8>), u64>;

/// Entries of one history that were not applied yet, with their sequence numbers.
type Queue = VecDeque<(u64, Item)>;

/// Entries in another order give the same books.
pub struct AnyOrder {
    watch: Watch,
    commits: u64,
}

impl AnyOrder {
    /// With what all checks share.
    pub fn new(watch: Watch) -> Self {
        Self { watch, commits: 0 }
    }

    /// Compares one store's books at one node with books made from its logs, the newest log first.
    fn check(&self, node: u32, store: u32, scene: &Scene<'_>, findings: &mut Findings) -> usize {
        let Some(snapshot) = snapshot(scene, node).filter(|_| is_plain(node, store, &self.watch, scene)) else {
            return 0;
        };
        let (made, count, histories) = make(scene, &*snapshot, store);
        let live = comparable(store_rows(&*snapshot, store, &held(&*snapshot)), histories);
        if let Some(difference) = difference(&live, &comparable(made, histories)) {
            let message = format!(
                "node {node}: the books of store {store} made from {histories} histories in another order differ: {difference}"
            );
            findings.report(self, scene, node, message);
        }
        count
    }
}

impl Check for AnyOrder {
    fn name(&self) -> &'static str {
        "I17 any order"
    }

    fn meaning(&self) -> &'static str {
        "a store's books made from its logs in another order and in one batch are the books that are there"
    }

    fn observe(&mut self, seen: &Observation, scene: &Scene<'_>, findings: &mut Findings) {
        drop(self.watch.see(seen, scene));
        if !matches!(seen.what, Seen::Committed(_)) || scene.world.nodes.len() > SMALL_WORLD {
            return;
        }
        self.commits += 1;
        if self.commits.is_multiple_of(SAMPLE_COMMITS) {
            let stores: Vec<_> = nodes_by_store(scene.world).into_keys().collect();
            let turn = (self.commits / SAMPLE_COMMITS) as usize;
            if let Some(&store) = stores.get(turn % stores.len().max(1)) {
                self.check(seen.node, store, scene, findings);
            }
        }
    }

    fn end(&mut self, scene: &Scene<'_>, findings: &mut Findings) {
        for_each_sampled(scene, |node, store| self.check(node, store, scene, findings));
    }
}

/// A node that throws its books away makes the same ones.
pub struct Rebuilt {
    watch: Watch,
}

impl Rebuilt {
    /// With what all checks share.
    pub fn new(watch: Watch) -> Self {
        Self { watch }
    }

    fn check(&self, node: u32, store: u32, scene: &Scene<'_>, findings: &mut Findings) -> usize {
        let Some(snapshot) = snapshot(scene, node).filter(|_| is_plain(node, store, &self.watch, scene)) else {
            return 0;
        };
        let count: u64 = books_logs(&*snapshot, store).iter().map(|(_, log)| log.head.seq).sum();
        let fault = match rebuilt(scene, node, store) {
            Ok((live, made)) => difference(&live, &made),
            Err(error) => Some(error),
        };
        if let Some(fault) = fault {
            let message = format!("node {node}: the rebuilt books of store {store} differ: {fault}");
            findings.report(self, scene, node, message);
        }
        count as usize
    }
}

impl Check for Rebuilt {
    fn name(&self) -> &'static str {
        "I18 rebuild equals live"
    }

    fn meaning(&self) -> &'static str {
        "a node started on a copy of the disk that throws a store's books away and rebuilds them has the same books"
    }

    fn observe(&mut self, seen: &Observation, scene: &Scene<'_>, _findings: &mut Findings) {
        drop(self.watch.see(seen, scene));
    }

    fn end(&mut self, scene: &Scene<'_>, findings: &mut Findings) {
        for_each_sampled(scene, |node, store| self.check(node, store, scene, findings));
    }
}

/// Calls `check` for stores at their own nodes and at the hubs above them, until enough entries were read.
fn for_each_sampled(scene: &Scene<'_>, mut check: impl FnMut(u32, u32) -> usize) {
    let mut left = ENTRIES_AT_END;
    for (store, nodes) in nodes_by_store(scene.world) {
        let above = nodes.iter().flat_map(|node| &scene.world.nodes[node].chain).map(|link| link.node.0);
        let mut at: Vec<u32> = above.collect();
        at.sort_unstable();
        at.dedup();
        for node in at.into_iter().filter(|&node| is_healthy(scene, node)) {
            left = left.saturating_sub(check(node, store).max(1));
            if left == 0 {
                return;
            }
        }
    }
}

/// Neither fences nor quarantined entries decide what counts there.
fn is_plain(node: u32, store: u32, watch: &Watch, scene: &Scene<'_>) -> bool {
    let sight = watch.last();
    let of_store = |fenced: u32| super::fleet::store_of(scene.world, fenced) == Some(store);
    !sight.fences.keys().any(|&(at, fenced)| at == node && of_store(fenced))
        && scene.world.nodes.get(&node).is_some_and(|node| node.quarantine.is_none())
}

/// Makes a store's books from its logs: newest log first, ten entries of each in turn.
fn make(scene: &Scene<'_>, snapshot: &dyn Snapshot, store: u32) -> (Rows, usize, usize) {
    let memory = MemoryStore::default();
    let empty = memory.reader().snapshot().expect("memory can be read");
    let mut journal = Journal::load(scene.world.tenant(), &*empty, Tuning::default().run_bytes_goal)
        .expect("an empty database can be read");
    let mut overlay = Overlay::new(empty);
    let mut holding = Holding::default();
    let mut rest: Vec<(LogNumber, Log, Queue)> = Vec::new();
    let mut count = 0;
    for (number, log) in books_logs(snapshot, store).into_iter().rev() {
        let mut items = VecDeque::new();
        entries(snapshot, number, |seq, item| items.push_back((seq, item.clone())));
        count += items.len();
        // Branches are opened as logs of their own that begin where they part: nothing here reads what is before.
        let parent = log.parent.map(|place| (Place { log: LogNumber(0), seq: place.seq }, log.head.hash));
        let opened = journal.open(log.id.clone(), log.key, log.author_store, parent);
        let held = crate::union::HeldLog { id: log.id.clone(), head: log.head, sealed_seq: 0, parent: None };
        holding.logs.insert(opened, held);
        rest.push((opened, log, items));
    }
    let histories = rest.iter().filter(|(_, log, _)| matches!(log.id.scope, Scope::StoreStock(_))).count();
    while rest.iter().any(|(_, _, items)| !items.is_empty()) {
        for (number, log, items) in &mut rest {
            for (seq, item) in items.drain(..items.len().min(ENTRIES_IN_TURN)) {
                journal.append(&mut overlay, *number, std::slice::from_ref(&item));
                apply(&mut overlay, log, Place { log: *number, seq }, &item);
            }
        }
    }
    let mut store_of_rows = memory;
    store_of_rows.commit(&overlay.release()).expect("memory can be written");
    let made = store_of_rows.reader().snapshot().expect("memory can be read");
    (store_rows(&*made, store, &holding), count, histories)
}

/// The histories that a store's books are made from: of its goods, of rights to them, of orders.
fn books_logs(snapshot: &dyn Snapshot, store: u32) -> Vec<(LogNumber, Log)> {
    let mut logs = stock_logs(snapshot, store);
    logs.extend(logs_of(snapshot, &Scope::StoreRights(StoreId(store))));
    logs.extend(logs_of(snapshot, &Scope::StoreOrders(StoreId(store))));
    logs
}

fn apply(overlay: &mut Overlay, log: &Log, place: Place, item: &Item) {
    let role = if log.author_store == 0 { Role::Hub } else { Role::Store };
    let scope: &Scope = &log.id.scope;
    let fact = &item.entry.fact;
    let author = writer(role, StoreId(log.author_store), scope);
    let says = may_say(author, log.id.actor, fact);
    if fact.belongs_in(scope) && may_write(author, area(scope), fact.kind()) && says {
        let context = Context { place, actor: log.id.actor, scope, inline_max: Tuning::default().account_inline_max };
        books::apply(overlay, &context, item).expect("entries that were applied once can be applied");
    }
}

/// The books of a store at a node on a copy of the disk, before and after it rebuilt them. What follows from a start (rights
/// that are moved) is written before either.
fn rebuilt(scene: &Scene<'_>, node: u32, store: u32) -> Result<(Rows, Rows), String> {
    let original = &scene.world.nodes[&node];
    let mut twin = original.twin();
    twin.disk = original.disk.image();
    twin.token = original.token.clone();
    twin.clock_error_ms = original.clock_error_ms;
    twin.start(scene.now_ms, [7; 32]).map_err(|error| error.to_string())?;
    let now = twin.now(scene.now_ms);
    let core = twin.core.as_mut().expect("it was just started");
    let rows = |core: &stockroom_core::core::Core| {
        let snapshot = core.reader().snapshot().map_err(|error| error.to_string())?;
        Ok::<_, String>(store_rows(&*snapshot, store, &held(&*snapshot)))
    };
    core.commit(now).map_err(|error| error.to_string())?;
    let before = rows(core)?;
    let done = core.rebuild(StoreId(store)).and_then(|()| core.commit(now));
    done.map_err(|error| error.to_string())?;
    Ok((before, rows(core)?))
}

/// Scans of open counts replace each other in the order of arrival, so they are left out where there are several histories.
fn comparable(rows: Rows, histories: usize) -> Rows {
    rows.into_iter().filter(|((kind, _), _)| histories == 1 || *kind == Kind::Books).collect()
}

/// The first row in which two books differ.
fn difference(live: &Rows, made: &Rows) -> Option<String> {
    let words = |(kind, words): &(Kind, Vec<u8>)| {
        let text: String = words.iter().skip(4).map(|&byte| printable(byte)).collect();
        format!("{kind:?} row of table {:?}: {text}", words.last())
    };
    let missing = live.iter().find(|(key, times)| made.get(*key) != Some(times));
    let surplus = made.iter().find(|(key, times)| live.get(*key) != Some(times));
    match (missing, surplus) {
        (None, None) => None,
        (Some((key, _)), _) => Some(format!("only the live books have {}", words(key))),
        (None, Some((key, _))) => Some(format!("the live books lack {}", words(key))),
    }
}

fn printable(byte: u8) -> char {
    if byte.is_ascii_graphic() { char::from(byte) } else { '.' }
}

/// Worlds of up to so many nodes are looked at on the way.
const SMALL_WORLD: usize = 24;

/// How many commits pass between two looks.
const SAMPLE_COMMITS: u64 = 5_000;

/// Entries that are read in the end, over all nodes.
const ENTRIES_AT_END: usize = 60_000;

/// Entries of one log before it is another's turn.
const ENTRIES_IN_TURN: usize = 10;
