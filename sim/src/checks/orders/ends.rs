//! What must be in the end: goods left the books once, money came back for what was not had, and nobody waits any more.

use std::collections::{BTreeMap, BTreeSet};

use stockroom_core::books::rights as book;
use stockroom_core::view::View;
use stockroom_crdt::entry::Fact;
use stockroom_crdt::ids::StoreId;
use stockroom_crdt::order::OrderId;
use stockroom_crdt::order::redress::Rule;
use stockroom_crdt::order::resolve::Outcome;
use stockroom_crdt::scope::Scope;
use stockroom_crdt::stock::promise::PromiseId;

use crate::checks::converge::stock_logs;
use crate::checks::fleet::{entries, is_healthy, logs_of, nodes_by_store, snapshot, top_hub};
use crate::checks::watch::Watch;
use crate::checks::{Check, Findings, Scene};
use crate::observe::{Act, Observation, OrderAct, Seen};

/// Goods and money move once.
pub struct Once {
    watch: Watch,
    /// What was paid back, by order and compensation.
    paid: BTreeMap<(OrderId, [u8; 16]), i64>,
    /// What customers paid.
    captured: BTreeMap<OrderId, i64>,
}

impl Once {
    /// With what all checks share.
    pub fn new(watch: Watch) -> Self {
        Self { watch, paid: BTreeMap::new(), captured: BTreeMap::new() }
    }

    /// Goods that left the books of a store for orders, against those that left the store.
    fn goods(&self, store: u32, hub: u32, scene: &Scene<'_>) -> Vec<String> {
        let Some(snapshot) = snapshot(scene, hub) else { return Vec::new() };
        let none = Default::default();
        let issued = scene.truth.stores.get(&store).map_or(&none, |truth| &truth.issued);
        let mut left: BTreeMap<PromiseId, i64> = BTreeMap::new();
        for (number, _) in stock_logs(&*snapshot, store) {
            entries(&*snapshot, number, |_, item| {
                if let Fact::GoodsIssue(issue) = &item.entry.fact {
                    *left.entry(issue.promise).or_default() += issue.quantity;
                }
            });
        }
        let promises: BTreeSet<&PromiseId> = left.keys().chain(issued.keys()).collect();
        let of_order = |id: &&PromiseId| {
            let record = book::record(&*snapshot, StoreId(store), **id).ok().flatten();
            record.is_some_and(|record| {
                record.promise.is_some_and(|promise| OrderId::parse(promise.reference.as_str()).is_some())
            })
        };
        let mut faults = Vec::new();
        for id in promises.into_iter().filter(of_order) {
            let (book, truth) = (left.get(id).copied().unwrap_or(0), issued.get(id).map_or(0, |(_, units)| *units));
            if book != truth {
                faults.push(format!(
                    "store {store}: {book} units left the book for promise {id}, and {truth} left the store"
                ));
            }
        }
        faults
    }

    /// Compensations that stand in the log of a home, each once.
    fn redressed(&self, home: u32, scene: &Scene<'_>) -> Vec<String> {
        let Some(snapshot) = snapshot(scene, home) else { return Vec::new() };
        let mut times: BTreeMap<[u8; 16], u64> = BTreeMap::new();
        let scopes = [Scope::Orders(home)].into_iter();
        let own = crate::checks::fleet::store_of(scene.world, home).map(|store| Scope::StoreOrders(StoreId(store)));
        for scope in scopes.chain(own) {
            for (number, _) in logs_of(&*snapshot, &scope) {
                entries(&*snapshot, number, |_, item| {
                    if let Fact::Redress(redress) = &item.entry.fact
                        && redress.done
                    {
                        *times.entry(redress.id).or_default() += 1;
                    }
                });
            }
        }
        let twice = times.into_iter().filter(|(_, times)| *times > 1);
        twice.map(|(id, times)| format!("compensation {id:02x?} stands {times} times in the log of its home")).collect()
    }
}

impl Check for Once {
    fn name(&self) -> &'static str {
        "O4 goods and money move once"
    }

    fn meaning(&self) -> &'static str {
        "for each promise of an order as many units leave the book as leave the store; each compensation is given once, together never more than was paid"
    }

    fn observe(&mut self, seen: &Observation, scene: &Scene<'_>, findings: &mut Findings) {
        drop(self.watch.see(seen, scene));
        let Seen::Acknowledged(deed) = &seen.what else { return };
        match &deed.what {
            Act::Order { order, said: OrderAct::Placed { paid } } => drop(self.captured.insert(*order, *paid)),
            Act::Order { order, said: OrderAct::Paid { id, amount } } => {
                if self.paid.insert((*order, *id), *amount).is_some() && !deed.replayed {
                    let message = format!("a compensation of order {order} was given twice: {amount}");
                    findings.report(self, scene, seen.node, message);
                }
                let sum: i64 = self.paid.iter().filter(|((of, _), _)| of == order).map(|(_, amount)| amount).sum();
                let captured = self.captured.get(order).copied().unwrap_or(i64::MAX);
                if sum > captured {
                    let message = format!("{sum} of the {captured} that were paid for order {order} were paid back");
                    findings.report(self, scene, seen.node, message);
                }
            }
            _ => {}
        }
    }

    fn end(&mut self, scene: &Scene<'_>, findings: &mut Findings) {
        let Some(hub) = top_hub(scene.world).filter(|&hub| is_healthy(scene, hub)) else { return };
        let mut faults = Vec::new();
        for (store, nodes) in nodes_by_store(scene.world) {
            // What a disk forgot was given away all the same.
            let plain = |node: &u32| !self.watch.last().marks(*node).set_back && !scene.written_off.contains(node);
            if nodes.iter().all(plain) {
                faults.extend(self.goods(store, hub, scene));
            }
        }
        let homes: Vec<u32> = scene.world.nodes.keys().copied().filter(|node| is_healthy(scene, *node)).collect();
        faults.extend(homes.into_iter().flat_map(|home| self.redressed(home, scene)));
        for fault in faults {
            findings.report(self, scene, hub, fault);
        }
    }
}

/// In the end everybody has what was promised, or was compensated.
pub struct Ends {
    watch: Watch,
    orders: BTreeMap<OrderId, i64>,
    paid: BTreeMap<OrderId, i64>,
}

impl Ends {
    /// With what all checks share.
    pub fn new(watch: Watch) -> Self {
        Self { watch, orders: BTreeMap::new(), paid: BTreeMap::new() }
    }

    fn fault(&self, order: OrderId, (paid, outcome): (i64, &Outcome), scene: &Scene<'_>) -> Option<String> {
        if outcome.state.is_open() || !outcome.stable {
            let parts: Vec<_> = outcome
                .fulfillments
                .iter()
                .map(|part| format!("{} at store {}", part.state.as_str(), part.store.0))
                .collect();
            return Some(format!(
                "order {order} is {}{} in the end: {}; {:?}",
                outcome.state.as_str(),
                if outcome.stable { "" } else { ", not for sure" },
                parts.join(", "),
                outcome.lines
            ));
        }
        if let Some(due) = outcome.due.iter().find(|due| due.rule.is_refund() && !due.done && due.amount > 0) {
            return Some(format!("order {order} is over, and {} for {} are still due", due.amount, due.rule.as_str()));
        }
        let price = |line: usize| self.price(order, line, scene);
        let missed: i64 =
            outcome.lines.iter().enumerate().map(|(at, line)| (line.cancelled + line.failed) * price(at)).sum();
        let lost = |rule: Rule| outcome.due.iter().filter(move |due| due.rule == rule);
        let borne: i64 = lost(Rule::RefundedAndHanded).map(|due| due.amount).sum();
        let given = self.paid.get(&order).copied().unwrap_or(0);
        if given - borne != missed.min(paid) {
            return Some(format!(
                "order {order}: {given} were paid back and {borne} of it are a loss, for goods worth {missed} that the customer does not have: {:?} {:?}",
                outcome.lines, outcome.due
            ));
        }
        let over = outcome.lines.iter().any(|line| line.over > 0);
        let owned_up = lost(Rule::HandedTwice).next().is_some();
        (over && !owned_up).then(|| format!("order {order} was handed over twice, and nobody bears it"))
    }

    fn price(&self, order: OrderId, line: usize, scene: &Scene<'_>) -> i64 {
        let known = snapshot(scene, order.home.0).and_then(|snapshot| View::new(&*snapshot).order(order).ok());
        let header = known.and_then(|known| known.order);
        header.and_then(|order| order.lines.get(line).map(|line| line.unit_price)).unwrap_or(0)
    }

    /// Promises of orders that are still open although nobody gets anything for them.
    fn held(&self, store: u32, node: u32, scene: &Scene<'_>) -> Vec<String> {
        let Some(snapshot) = snapshot(scene, node) else { return Vec::new() };
        let mut faults = Vec::new();
        for account in book::accounts(&*snapshot, StoreId(store)).unwrap_or_default() {
            for (promise, record) in book::open(&*snapshot, &account).unwrap_or_default() {
                let order = OrderId::parse(promise.reference.as_str()).filter(|order| self.orders.contains_key(order));
                if let Some(order) = order {
                    faults.push(format!(
                        "promise {} of {} at store {store} is {} in the end, for order {order}",
                        promise.id,
                        account.sku,
                        record.state().as_str()
                    ));
                }
            }
        }
        faults
    }
}

impl Check for Ends {
    fn name(&self) -> &'static str {
        "O5 kept or compensated"
    }

    fn meaning(&self) -> &'static str {
        "when everybody had time to finish, each order is over everywhere, money came back for exactly what the customer does not have, and no goods are kept for anybody"
    }

    fn observe(&mut self, seen: &Observation, scene: &Scene<'_>, _findings: &mut Findings) {
        drop(self.watch.see(seen, scene));
        let Seen::Acknowledged(deed) = &seen.what else { return };
        match &deed.what {
            Act::Order { order, said: OrderAct::Placed { paid } } => drop(self.orders.insert(*order, *paid)),
            Act::Order { order, said: OrderAct::Paid { amount, .. } } if !deed.replayed => {
                *self.paid.entry(*order).or_default() += amount;
            }
            _ => {}
        }
    }

    fn end(&mut self, scene: &Scene<'_>, findings: &mut Findings) {
        let mut faults = Vec::new();
        for (order, paid) in &self.orders {
            let home = order.home.0;
            if !is_healthy(scene, home) || self.watch.last().marks(home).set_back {
                continue;
            }
            let outcome = snapshot(scene, home).and_then(|snapshot| View::new(&*snapshot).outcome(*order).ok()?);
            match outcome {
                Some(outcome) => faults.extend(self.fault(*order, (*paid, &outcome), scene).map(|fault| (home, fault))),
                None => faults.push((home, format!("order {order} was placed, and its home does not know it"))),
            }
        }
        if !self.orders.is_empty() {
            for (store, nodes) in nodes_by_store(scene.world) {
                for node in nodes.into_iter().filter(|node| is_healthy(scene, *node)) {
                    faults.extend(self.held(store, node, scene).into_iter().map(|fault| (node, fault)));
                }
            }
        }
        for (node, fault) in faults {
            findings.report(self, scene, node, fault);
        }
    }
}
