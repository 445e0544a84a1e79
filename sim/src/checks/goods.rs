//! The books against the truth: what is on the shelf and in the drawer.
//!
//! Expected figures are made from what people were told, in the order of the logs: a count covers what its entry says that it
//! covers. Then they are compared with the shelf, where nothing was lost, late or under way while somebody counted.

use std::collections::{BTreeMap, BTreeSet};

use stockroom_core::storage::Snapshot;
use stockroom_core::view::View;
use stockroom_crdt::chain::LogId;
use stockroom_crdt::entry::{Entry, Fact};
use stockroom_crdt::ids::{Digest, StoreId};
use stockroom_crdt::money::Unit;
use stockroom_crdt::stock::promise::Step;
use stockroom_crdt::stock::{Counted, Effect, Position, effects, rank};
use stockroom_crdt::transfer::part;

use super::converge::stock_logs;
use super::fleet::{entries, is_healthy, nodes_by_store, snapshot, top_hub};
use super::watch::Watch;
use super::{Check, Findings, Scene};
use crate::observe::{Act, Deed, Observation, OrderAct, Seen};
use crate::truth::StoreTruth;

/// Goods and money are where the books say.
pub struct Goods {
    watch: Watch,
    /// Products whose deeds were answered by a later try: their goods left later than their entries say.
    late: BTreeSet<(u32, u16)>,
}

impl Goods {
    /// With what all checks share.
    pub fn new(watch: Watch) -> Self {
        Self { watch, late: BTreeSet::new() }
    }

    /// True when a store counts and its node, whose disk was set back, lacks what was moved before: when that comes back it counts as
    /// moved after the count, and the store is asked to count again.
    fn counts_without(&self, node: u32, (store, product): (u32, u16), scene: &Scene<'_>) -> bool {
        let boxes = nodes_by_store(scene.world).remove(&store).unwrap_or_default();
        if !boxes.into_iter().any(|node| self.watch.last().may_fork(scene, node)) {
            return false;
        }
        let (Some(snapshot), Some(truth)) = (snapshot(scene, node), scene.truth.stores.get(&store)) else {
            return false;
        };
        let mut ledger = Ledger::default();
        ledger.fill(&*snapshot, (store, truth), scene);
        ledger.doubtful.contains(&product)
    }

    fn check_store(&self, store: u32, at: (u32, &dyn Snapshot), scene: &Scene<'_>, findings: &mut Findings) {
        let (hub, snapshot) = at;
        let none = StoreTruth::default();
        let truth = scene.truth.stores.get(&store).unwrap_or(&none);
        let mut ledger = Ledger::default();
        ledger.fill(snapshot, (store, truth), scene);
        let view = View::new(snapshot);
        let takings: i64 = view.days(StoreId(store)).unwrap_or_default().iter().map(|day| day.total).sum();
        if takings != ledger.takings {
            let message = format!(
                "hub {hub} says that store {store} took {takings}, and {} was acknowledged ({} in the drawer)",
                ledger.takings, truth.takings
            );
            findings.report(self, scene, hub, message);
        }
        let (mut books, mut quarantine) = (BTreeMap::new(), BTreeMap::new());
        for (sku, unit, account) in view.accounts(StoreId(store), None, usize::MAX).unwrap_or_default() {
            if let (Some(product), Unit::Each) = (product_of(sku.as_str()), unit) {
                books.insert(product, account.on_hand.quantity);
                quarantine.insert(product, account.aside.quarantined);
            }
        }
        let products: BTreeSet<u16> = books
            .keys()
            .chain(ledger.moves.keys())
            .chain(ledger.aside.keys())
            .chain(truth.shelf.keys())
            .chain(truth.unseen.keys())
            .copied()
            .collect();
        for product in products {
            let book = books.get(&product).copied().unwrap_or(0);
            let expected = ledger.on_hand(product);
            let shelf = truth.shelf.get(&product).copied().unwrap_or(0);
            let unseen = truth.unseen.get(&product).copied().unwrap_or(0);
            let (held, aside) = (quarantine.get(&product), ledger.aside.get(&product));
            let (held, aside) = (held.copied().unwrap_or(0), aside.copied().unwrap_or(0));
            if held != aside {
                let message = format!(
                    "store {store}, P{product:05}: the book at hub {hub} has {held} in quarantine, the logs add up to {aside}"
                );
                findings.report(self, scene, hub, message);
            }
            let plain = !ledger.doubtful.contains(&product) && !self.late.contains(&(store, product));
            if book != expected {
                let message = format!(
                    "store {store}, P{product:05}: the book at hub {hub} says {book}, acknowledged deeds add up to {expected} (shelf {shelf}, unseen {unseen})"
                );
                findings.report(self, scene, hub, message);
            } else if plain && book != shelf + unseen {
                let message = format!(
                    "store {store}, P{product:05}: the book at hub {hub} says {book}, the shelf has {shelf} and {unseen} vanished unseen"
                );
                findings.report(self, scene, hub, message);
            }
        }
    }
}

impl Check for Goods {
    fn name(&self) -> &'static str {
        "I3 books and goods"
    }

    fn meaning(&self) -> &'static str {
        "in the end the top hub's stock and takings are what was acknowledged, which is what is on the shelf but for unseen losses"
    }

    fn observe(&mut self, seen: &Observation, scene: &Scene<'_>, _findings: &mut Findings) {
        drop(self.watch.see(seen, scene));
        let Seen::Acknowledged(deed) = &seen.what else { return };
        if deed.replayed || seen.at_ms > deed.asked_ms + LATE_MS {
            self.late.extend(products_of(deed).into_iter().map(|product| (deed.store, product)));
        }
        if let Act::Count { product, .. } = deed.what
            && self.counts_without(seen.node, (deed.store, product), scene)
        {
            self.late.insert((deed.store, product));
        }
    }

    fn end(&mut self, scene: &Scene<'_>, findings: &mut Findings) {
        let Some(hub) = top_hub(scene.world).filter(|&hub| is_healthy(scene, hub)) else { return };
        let Some(snapshot) = snapshot(scene, hub) else { return };
        let fenced: BTreeSet<u32> = self.watch.last().fences.keys().map(|(_, fenced)| *fenced).collect();
        for (store, nodes) in nodes_by_store(scene.world) {
            if !nodes.iter().any(|node| fenced.contains(node) || scene.written_off.contains(node)) {
                self.check_store(store, (hub, &*snapshot), scene, findings);
            }
        }
    }
}

/// Products by number, with units that came to the shelf.
type Moved = Vec<(u16, i64)>;

/// What a store's deeds add up to.
#[derive(Default)]
struct Ledger {
    takings: i64,
    moves: BTreeMap<u16, Vec<(Position, i64)>>,
    counts: BTreeMap<u16, Vec<(Position, Counted)>>,
    /// Parts of transfers by what they say: every entry that holds one, and what it moved, once.
    parts: BTreeMap<Digest, (Vec<Position>, Moved)>,
    /// Units in quarantine.
    aside: BTreeMap<u16, i64>,
    /// Products with something lost, unanswered or doubled: the shelf may differ.
    doubtful: BTreeSet<u16>,
}

impl Ledger {
    fn fill(&mut self, snapshot: &dyn Snapshot, (store, truth): (u32, &StoreTruth), scene: &Scene<'_>) {
        // Histories of a log that part have entries of one number.
        let by_entry: BTreeMap<(&LogId, u64, Digest), usize> = truth
            .deeds
            .iter()
            .enumerate()
            .filter_map(|(number, deed)| deed.entry.as_ref().map(|(id, seq, hash)| ((id, *seq, *hash), number)))
            .collect();
        // A deed's own entry stands for it; a sale that was made anew stands for one whose entry is lost.
        let (mut found, mut issued) = (BTreeSet::new(), BTreeSet::new());
        let mut anew: BTreeMap<usize, (Position, Entry)> = BTreeMap::new();
        for (number, log) in stock_logs(snapshot, store) {
            entries(snapshot, number, |seq, item| {
                let position = Position { actor: log.id.actor, seq };
                if let Some(deed) = by_entry.get(&(&log.id, seq, item.digest())) {
                    found.insert(*deed);
                    self.deed(&truth.deeds[*deed], position, Some(&item.entry));
                    return;
                }
                // Its answer is that of the step that says so in the store's rights.
                if let Fact::GoodsIssue(issue) = &item.entry.fact
                    && truth.issued.contains_key(&issue.promise)
                    && issued.insert(issue.promise)
                {
                    self.entry(position, &item.entry);
                    return;
                }
                let known = match &item.entry.fact {
                    Fact::Sale(sale) => truth.sales.get(&(sale.receipt.till.0, sale.till_seq)),
                    _ => None,
                };
                match known {
                    Some(deed) => drop(anew.insert(*deed, (position, item.entry.clone()))),
                    None => self.unanswered(position, &item.entry),
                }
            });
        }
        let gone = truth.issued.iter().filter(|(id, _)| !issued.contains(*id));
        self.doubtful.extend(gone.map(|(_, (product, _))| *product));
        for (number, deed) in truth.deeds.iter().enumerate().filter(|(number, _)| !found.contains(number)) {
            match anew.get(&number) {
                Some((position, entry)) => self.deed(deed, *position, Some(entry)),
                None if scene.truth.declared_lost.contains(&(store, number)) => {}
                None => {
                    let place = deed.entry.as_ref().map(|(id, seq, _)| Position { actor: id.actor, seq: *seq });
                    if let Some(place) = place {
                        self.deed(deed, place, None);
                    }
                }
            }
            self.doubtful.extend(products_of(deed));
        }
    }

    /// What a person was told: the truth says how much, the entry says what a count covers.
    fn deed(&mut self, deed: &Deed, position: Position, entry: Option<&Entry>) {
        match &deed.what {
            Act::Sale { lines, total, .. } => {
                self.takings += total;
                for (product, quantity) in lines {
                    self.moves.entry(*product).or_default().push((position, -quantity));
                }
            }
            Act::Receipt { product, quantity } => {
                self.moves.entry(*product).or_default().push((position, *quantity));
            }
            Act::Count { product, quantity } => {
                for (sku, _, effect) in entry.map(effects).unwrap_or_default() {
                    if let (Some(counted_product), Effect::Count(counted)) = (product_of(sku.as_str()), effect)
                        && counted_product == *product
                    {
                        let counted = Counted { quantity: *quantity, ..counted };
                        self.counts.entry(*product).or_default().push((position, counted));
                    }
                }
            }
            Act::Moved { lines } => match entry.and_then(|entry| part(&entry.fact)) {
                Some((_, _, content)) => self.part(content, position, lines.clone()),
                None => {
                    for (product, quantity) in lines {
                        self.moves.entry(*product).or_default().push((position, *quantity));
                    }
                }
            },
            Act::Promise { .. } | Act::Said { .. } | Act::Order { .. } | Act::Other(_) => {
                return entry.into_iter().for_each(|entry| self.entry(position, entry));
            }
        }
        entry.into_iter().for_each(|entry| self.set_aside(entry));
    }

    /// A part of a transfer that several entries hold counts once; a count that includes any of them includes it.
    fn part(&mut self, content: Digest, position: Position, moved: Moved) {
        let (positions, held) = self.parts.entry(content).or_default();
        positions.push(position);
        *held = moved;
    }

    fn set_aside(&mut self, entry: &Entry) {
        for (sku, _, effect) in effects(entry) {
            if let (Some(product), Effect::Aside(aside)) = (product_of(sku.as_str()), effect) {
                *self.aside.entry(product).or_default() += aside.quarantined;
            }
        }
    }

    /// What the node wrote and nobody was told: the till gave up.
    fn unanswered(&mut self, position: Position, entry: &Entry) {
        if let Fact::Sale(sale) = &entry.fact {
            self.takings += sale.total();
        }
        let products = effects(entry).into_iter().filter_map(|(sku, _, _)| product_of(sku.as_str()));
        self.doubtful.extend(products);
        self.entry(position, entry);
    }

    fn entry(&mut self, position: Position, entry: &Entry) {
        self.set_aside(entry);
        if let Some((_, _, content)) = part(&entry.fact) {
            let moved = effects(entry).into_iter().filter_map(|(sku, _, effect)| match effect {
                Effect::Move(movement) => Some((product_of(sku.as_str())?, movement.delta)),
                Effect::Count(_) | Effect::Aside(_) => None,
            });
            return self.part(content, position, moved.collect());
        }
        for (sku, _, effect) in effects(entry) {
            let Some(product) = product_of(sku.as_str()) else { continue };
            match effect {
                Effect::Move(movement) => self.moves.entry(product).or_default().push((position, movement.delta)),
                Effect::Count(counted) => self.counts.entry(product).or_default().push((position, counted)),
                Effect::Aside(_) => {}
            }
        }
    }

    fn on_hand(&self, product: u16) -> i64 {
        let counts = self.counts.get(&product).into_iter().flatten();
        let base = counts.max_by_key(|(at, counted)| rank(*at, counted));
        let moves = self.moves.get(&product).into_iter().flatten();
        let covers = |position: &Position| base.is_some_and(|(at, counted)| counted.covers(*at, *position));
        let after = moves.filter(|(position, _)| !covers(position)).map(|(_, delta)| delta);
        let parts = self.parts.values().filter(|(positions, _)| !positions.iter().any(covers));
        let carried = parts.flat_map(|(_, moved)| moved).filter(|(moved, _)| *moved == product).map(|(_, delta)| delta);
        base.map_or(0, |(_, counted)| counted.quantity) + after.chain(carried).sum::<i64>()
    }
}

fn products_of(deed: &Deed) -> Vec<u16> {
    match &deed.what {
        Act::Sale { lines, .. } => lines.iter().map(|(product, _)| *product).collect(),
        Act::Moved { lines } => lines.iter().map(|(product, _)| *product).collect(),
        Act::Receipt { product, .. } | Act::Count { product, .. } => vec![*product],
        // What is handed over changes the book when its answer comes; the rest moves nothing.
        Act::Said { product, step: Step::Fulfil, .. } => vec![*product],
        Act::Order { said: OrderAct::Given { goods, .. } | OrderAct::Back { goods }, .. } => {
            goods.iter().map(|(_, product, _)| *product).collect()
        }
        Act::Promise { .. } | Act::Said { .. } | Act::Order { .. } | Act::Other(_) => Vec::new(),
    }
}

/// Products are called `P00001`, `P00002`, ...
fn product_of(sku: &str) -> Option<u16> {
    sku.strip_prefix('P').filter(|digits| digits.len() == 5).and_then(|digits| digits.parse().ok())
}

/// A deed that takes longer than this may have been written long before its answer.
const LATE_MS: u64 = 0;
