//! Orders: units are somewhere, what happened stays, goods and money move once, and in the end nobody waits.
//!
//! What each node makes of an order is looked at with each commit that says something of it. What people did and were told is held
//! against it: goods that left a store, money that was paid back.

mod ends;

use std::collections::{BTreeMap, BTreeSet};

use stockroom_core::overlay::scan_prefix;
use stockroom_core::storage::{Snapshot, Table};
use stockroom_core::view::View;
use stockroom_crdt::entry::Fact;
use stockroom_crdt::ids::{NodeId, StoreId};
use stockroom_crdt::order::OrderId;
use stockroom_crdt::order::intent::{OrderStep, Saying};
use stockroom_crdt::order::offer::Offer;
use stockroom_crdt::order::resolve::{Known, Outcome, resolve};
use stockroom_crdt::stock::promise::Claim;

pub use ends::{Ends, Once};

use super::fleet::{identity, mix, snapshot};
use super::rights::Tally;
use super::watch::{Flow, Watch};
use super::{Check, Findings, Scene};
use crate::observe::{Act, Observation, OrderAct, RowChange, Seen};

/// Orders that a commit says something of, by the rows it changed.
fn orders_of(rows: &[RowChange]) -> BTreeSet<OrderId> {
    let rows = rows.iter().filter(|row| row.table == Table::OrderEvents && row.new.is_some());
    rows.filter_map(|row| order_of(row.key.get(4..16)?)).collect()
}

fn order_of(bytes: &[u8]) -> Option<OrderId> {
    let home = NodeId(u32::from_be_bytes(bytes.get(..4)?.try_into().ok()?));
    Some(OrderId { home, number: u64::from_be_bytes(bytes.get(4..12)?.try_into().ok()?) })
}

/// A number that stands for all entries that a node has about an order.
fn sum_of(snapshot: &dyn Snapshot, order: OrderId) -> u64 {
    let id = [order.home.0.to_be_bytes().as_slice(), &order.number.to_be_bytes()].concat();
    let stores = scan_prefix(snapshot, Table::OrderStores, &id, usize::MAX).unwrap_or_default();
    let mut sum = 0_u64;
    for (key, _) in stores {
        let of_store = [&key[key.len().saturating_sub(4)..], &id].concat();
        for (key, value) in scan_prefix(snapshot, Table::OrderEvents, &of_store, usize::MAX).unwrap_or_default() {
            sum = sum.wrapping_add(mix(&[key, value].concat()));
        }
    }
    sum
}

/// Units are somewhere, and what happened is not undone.
pub struct Conserved {
    watch: Watch,
    /// Units that the customer has, by node, order and line.
    handed: BTreeMap<(u32, OrderId), Vec<i64>>,
    /// What a node made of the same entries: a sum over its words, and who said so first.
    words: BTreeMap<(OrderId, u64), (u64, u32)>,
}

impl Conserved {
    /// With what all checks share.
    pub fn new(watch: Watch) -> Self {
        Self { watch, handed: BTreeMap::new(), words: BTreeMap::new() }
    }

    fn look(&mut self, node: u32, order: OrderId, snapshot: &dyn Snapshot, scene: &Scene<'_>, findings: &mut Findings) {
        let Ok(Some(outcome)) = View::new(snapshot).outcome(order) else { return };
        for (at, line) in outcome.lines.iter().enumerate() {
            let parts = [line.open, line.handed, line.cancelled, line.failed];
            if parts.iter().sum::<i64>() != line.ordered || parts.iter().any(|units| *units < 0) {
                let message = format!("order {order}, line {at} at node {node}: {line:?} do not add up");
                findings.report(self, scene, node, message);
            }
            if line.unplaced > line.open {
                let message =
                    format!("order {order}, line {at} at node {node}: more is to be placed than is open: {line:?}");
                findings.report(self, scene, node, message);
            }
        }
        let handed: Vec<i64> = outcome.lines.iter().map(|line| line.handed + line.over).collect();
        let before = self.handed.insert((node, order), handed.clone());
        // A courier who said that a parcel is with the customer is believed, whatever is said later.
        if let Some(before) = before
            && before.iter().zip(&handed).any(|(before, now)| now < before)
        {
            let message = format!("order {order} at node {node}: the customer had {before:?} and has {handed:?}");
            findings.report(self, scene, node, message);
        }
        let told: String = outcome.reasons.iter().map(|reason| format!("{}\n", reason.why)).collect();
        let words =
            mix(format!("{:?} {told}", (&outcome.state, &outcome.lines, &outcome.due, &outcome.losers)).as_bytes());
        let first = *self.words.entry((order, sum_of(snapshot, order))).or_insert((words, node));
        if first.0 != words {
            let message =
                format!("nodes {} and {node} have the same entries about order {order} and tell it otherwise", first.1);
            findings.report(self, scene, node, message);
        }
    }
}

impl Check for Conserved {
    fn name(&self) -> &'static str {
        "O1 units of an order"
    }

    fn meaning(&self) -> &'static str {
        "at every replica that has the order: ordered = open + handed + cancelled + failed, what the customer has stays, and the same entries are told in the same words"
    }

    fn observe(&mut self, seen: &Observation, scene: &Scene<'_>, findings: &mut Findings) {
        let watch = self.watch.clone();
        let sight = watch.see(seen, scene);
        if matches!(sight.flow, Flow::Anew(_) | Flow::Lost) {
            self.handed.retain(|(node, _), _| *node != seen.node);
        }
        let Seen::Committed(rows) = &seen.what else { return };
        let orders = orders_of(rows);
        if orders.is_empty() || sight.fences.keys().any(|(at, _)| *at == seen.node) {
            return;
        }
        drop(sight);
        let Some(snapshot) = snapshot(scene, seen.node) else { return };
        for order in orders {
            self.look(seen.node, order, &*snapshot, scene, findings);
        }
    }
}

/// The home decides within its rights, and leaves to stores what is theirs to decide.
pub struct Decides {
    watch: Watch,
    tally: Tally,
    /// When offers were made, on the true clock, with the time that the store has.
    offered: BTreeMap<(OrderId, u16, StoreId), (u64, u64)>,
    /// When nodes started last.
    started: BTreeMap<u32, u64>,
}

impl Decides {
    /// With what all checks share.
    pub fn new((watch, tally): (Watch, Tally)) -> Self {
        Self { watch, tally, offered: BTreeMap::new(), started: BTreeMap::new() }
    }

    fn offer_fault(&self, store: StoreId, offer: &Offer) -> Option<String> {
        let ledger = self.tally.last();
        if ledger.is_forked(store) {
            return None;
        }
        offer.lines.iter().find_map(|line| {
            let promise = ledger.promises.get(&offer.promise(store, line.line));
            let stands = promise.is_some_and(|promise| {
                promise.claim == Claim::Hard && promise.quantity >= line.quantity.unsigned_abs()
            });
            (!stands).then(|| {
                format!(
                    "order {} was offered to store {} without a promise behind line {}",
                    offer.order, store.0, line.line
                )
            })
        })
    }

    /// The home cancels alone what a store has taken, as far as it knows.
    fn cancel_fault(&self, said: &OrderStep, known: &Known, outcome: &Outcome) -> Option<String> {
        for (at, line) in outcome.lines.iter().enumerate() {
            let number = at as u16;
            let alone = said.units(number, line.ordered).unwrap_or(0);
            // What is handed over, confirmed or in the hands of a store is not the home's to cancel.
            let taken: i64 = outcome
                .fulfillments
                .iter()
                .filter_map(|part| {
                    let line = part.line(number)?;
                    let open = if part.state.is_taken() && !outcome.losers.contains(&(part.generation, part.store)) {
                        line.open()
                    } else {
                        0
                    };
                    Some(open + line.handed.min(line.offered.quantity) + line.cancelled)
                })
                .sum();
            if alone > 0 && alone + taken > line.ordered && known.order.is_some() {
                return Some(format!(
                    "the home of order {} cancels {alone} of line {at} alone, of {} ordered, and stores have {taken}",
                    said.order, line.ordered
                ));
            }
        }
        None
    }

    fn silence_fault(&self, node: u32, said: &OrderStep, store: StoreId, now_ms: u64) -> Option<String> {
        let (offered_ms, within_ms) = self.offered.get(&(said.order, said.generation, store))?;
        let since_ms = (*offered_ms).max(self.started.get(&node).copied().unwrap_or(0));
        // A monotonic clock may be a little fast.
        let least_ms = within_ms - within_ms / 1_000;
        (now_ms < since_ms + least_ms).then(|| {
            format!(
                "store {} has {within_ms} ms to answer order {}, and was passed over after {} ms",
                store.0,
                said.order,
                now_ms - since_ms
            )
        })
    }
}

impl Check for Decides {
    fn name(&self) -> &'static str {
        "O2 the home decides what is its own"
    }

    fn meaning(&self) -> &'static str {
        "an offer has a hard promise behind each line, the home alone cancels nothing that a store has taken, and no store is passed over before its time, whatever the clock on the wall shows"
    }

    fn observe(&mut self, seen: &Observation, scene: &Scene<'_>, findings: &mut Findings) {
        let (watch, tally) = (self.watch.clone(), self.tally.clone());
        let sight = watch.see(seen, scene);
        drop(tally.see(seen, &sight, scene));
        if matches!(seen.what, Seen::Started { .. }) {
            self.started.insert(seen.node, seen.at_ms);
        }
        if !matches!(seen.what, Seen::Committed(_)) || seen.node != identity(seen.node) {
            return;
        }
        let Some(holding) = scene.union.nodes.get(&seen.node) else { return };
        let mut faults = Vec::new();
        for run in &sight.runs {
            let Some(log) = holding.logs.get(&run.log).filter(|log| log.id.actor.node.0 == seen.node) else { continue };
            let store = log.id.scope.store();
            for item in &run.items {
                match (&item.entry.fact, store) {
                    (Fact::Offer(offer), Some(store)) => {
                        let key = (offer.order, offer.generation, store);
                        self.offered.insert(key, (seen.at_ms, offer.accept_within_ms));
                        faults.extend(self.offer_fault(store, offer));
                    }
                    (Fact::OrderStep(said), Some(store))
                        if said.saying == Saying::Withdraw && said.note.as_str() == "silent" =>
                    {
                        faults.extend(self.silence_fault(seen.node, said, store, seen.at_ms));
                    }
                    (Fact::OrderStep(said), _) if said.saying == Saying::Cancel && said.generation == 0 => {
                        let known = snapshot(scene, seen.node).map(|snapshot| View::new(&*snapshot).order(said.order));
                        if let Some(Ok(known)) = known
                            && let Some(outcome) = resolve(&known)
                        {
                            faults.extend(self.cancel_fault(said, &known, &outcome));
                        }
                    }
                    _ => {}
                }
            }
        }
        drop(sight);
        for fault in faults {
            findings.report(self, scene, seen.node, fault);
        }
    }
}

/// Nobody gets goods twice, or for nothing.
pub struct Counter {
    watch: Watch,
    /// How often goods left the store for a fulfillment.
    given: BTreeMap<(OrderId, u16, u32), u64>,
}

impl Counter {
    /// With what all checks share.
    pub fn new(watch: Watch) -> Self {
        Self { watch, given: BTreeMap::new() }
    }
}

impl Check for Counter {
    fn name(&self) -> &'static str {
        "O3 handed over once"
    }

    fn meaning(&self) -> &'static str {
        "no fulfillment is handed over a second time, and none for a wrong code, an expired pass or one for another store"
    }

    fn observe(&mut self, seen: &Observation, scene: &Scene<'_>, findings: &mut Findings) {
        drop(self.watch.see(seen, scene));
        let Seen::Acknowledged(deed) = &seen.what else { return };
        let Act::Order { order, said: OrderAct::Given { generation, unsound, hand, .. } } = &deed.what else { return };
        if let Some(why) = unsound {
            let message = format!("order {order} was handed over at store {} for {why}", deed.store);
            findings.report(self, scene, seen.node, message);
        }
        let times = self.given.entry((*order, *generation, deed.store)).or_default();
        *times += 1;
        if *times > 1 {
            let where_to = if *hand { "handed over" } else { "sent out" };
            let message = format!("order {order} was {where_to} {times} times at store {}", deed.store);
            findings.report(self, scene, seen.node, message);
        }
    }
}
