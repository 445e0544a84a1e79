//! `orders`: adding up a million orders on one core, and what one order's whole life costs on a link and on a disk.
//!
//! The lives are real: a hub and a store in virtual time place, pick and hand over orders of five lines. Their entries are taken from the
//! store's own disk and from the hub's, log by log, and encoded again as runs of 256, as nodes do that exchange many at once: the
//! figure is per order and per replica that gets all of it. Seals are left out, they cost 130 bytes a batch. Promises and goods that
//! leave the book belong to the same order and are shown apart.

use std::collections::BTreeMap;

use stockroom_core::journal::{Log, LogNumber, run_from_row};
use stockroom_core::storage::{Direction, Snapshot, Table};
use stockroom_core::view::View;
use stockroom_crdt::batch::{Item, encode_run};
use stockroom_crdt::entry::{Entry, Fact};
use stockroom_crdt::limits::RUN_ENTRIES_MAX;
use stockroom_crdt::money::Unit;
use stockroom_crdt::order::OrderId;
use stockroom_crdt::order::resolve::{Known, OrderState, resolve};
use stockroom_crdt::stock::policy::{Allocation, PolicyRule, Target};
use stockroom_sim::counter::pickup;
use stockroom_sim::world::World;

use super::{Benchmark, Effort, Report, fastest, time};

/// See the module.
pub const BENCHMARK: Benchmark = Benchmark {
    name: "orders",
    about: "resolve of a million orders; bytes of one order's life on a link and on a disk",
    run,
};

fn run(effort: Effort) -> Report {
    let mut report = Report::new(BENCHMARK.name);
    let (world, orders) = lives(effort.pick(400, 20));
    report.note(format!(
        "{} pickup orders of {LINES} lines: placed, accepted, picked, ready, handed over for the code",
        orders.len()
    ));
    report.note("runs of 256 entries, without seals; per order and replica that gets all of it");
    resolving(&mut report, &world, &orders, effort);
    sizes(&mut report, &world, orders.len());
    kept(&mut report, &world, orders.len());
    report
}

/// A hub and a store that did so many orders.
fn lives(count: usize) -> (World, Vec<OrderId>) {
    let mut world = World::new(1);
    let products: Vec<String> =
        (0..PRODUCTS).map(|n| format!("{:013}", 4_006_381_000_000_u64 + n as u64 * 7)).collect();
    let named: Vec<_> = products.iter().map(|sku| (sku.as_str(), Unit::Each)).collect();
    world.put_products(&named);
    world.enrol(1);
    world.put_rule(PolicyRule::of(Target::All, Allocation::HubOnly));
    world.connect(STORE, HUB);
    world.run_ms(3_000);
    for sku in &products {
        world.receive(STORE, sku, 10_000);
    }
    world.run_ms(5_000);
    let mut orders = Vec::new();
    for n in 0..count {
        let lines: Vec<_> = (0..LINES)
            .map(|line| (products[(n * 3 + line * 7) % PRODUCTS].as_str(), 1 + (n + line) as i64 % 2))
            .collect();
        let placed = world.place(HUB, pickup(&format!("WEB-{n:07}"), &lines, &[1]));
        let (order, code) = placed.expect("goods are there for everybody");
        world.run_ms(5_000);
        world.make_ready(STORE, order).expect("the store has the offer");
        world.run_ms(40_000);
        world.hand_over(STORE, (order, &code)).expect("the code is right");
        world.run_ms(15_000);
        orders.push(order);
    }
    (world, orders)
}

fn resolving(report: &mut Report, world: &World, orders: &[OrderId], effort: Effort) {
    let snapshot = world.snapshot(HUB);
    let view = View::new(&*snapshot);
    let known: Vec<Known> = orders.iter().map(|order| view.order(*order).expect("memory can be read")).collect();
    let done = known.iter().filter_map(resolve).filter(|outcome| outcome.state == OrderState::Completed).count();
    assert_eq!(done, orders.len(), "every order has its whole life behind it");
    let times = effort.pick(1_000_000, 10_000) / known.len();
    let took = fastest(effort.pick(3, 1), || {
        time(|| {
            (0..times).map(|_| known.iter().filter_map(resolve).map(|outcome| outcome.charge).sum::<i64>()).sum::<i64>()
        })
        .0
    });
    let case = format!("{} times {} lives of {LINES} lines, one core", times, known.len());
    let per_order = took.as_secs_f64() / (times * known.len()) as f64;
    report.add("resolve", &case, "ns/order", per_order * 1e9);
    report.add_at_most("resolve", &case, "s for a million orders", per_order * 1e6, 10.0);
}

/// Which entries belong together.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Order,
    Promise,
    Goods,
    Else,
}

/// Bytes of entries on a link, log by log.
fn sizes(report: &mut Report, world: &World, orders: usize) {
    let mut by_log: BTreeMap<(Kind, String), Vec<Item>> = BTreeMap::new();
    for (log, items) in logs(&*world.snapshot(HUB)) {
        for item in items {
            let kind = kind_of(&item.entry);
            by_log.entry((kind, format!("{} by {}", log.id.scope, log.id.actor))).or_default().push(item);
        }
    }
    let mut sums: BTreeMap<Kind, (usize, usize)> = BTreeMap::new();
    for ((kind, name), items) in &by_log {
        let bytes: usize = items.chunks(RUN_ENTRIES_MAX).map(|run| encode_run(run, u16::MAX).len()).sum();
        let sum = sums.entry(*kind).or_default();
        *sum = (sum.0 + bytes, sum.1 + items.len());
        if *kind != Kind::Else {
            report.add(name, words(*kind), "bytes/order on a link", bytes as f64 / orders as f64);
            report.add(name, words(*kind), "entries/order", items.len() as f64 / orders as f64);
        }
    }
    let per_order = |kind: Kind| sums.get(&kind).map_or(0.0, |(bytes, _)| *bytes as f64 / orders as f64);
    report.add_at_most("one order's life", "the order itself", "bytes/order on a link", per_order(Kind::Order), 250.0);
    report.add("one order's life", "its promises", "bytes/order on a link", per_order(Kind::Promise));
    report.add("one order's life", "goods leaving the book", "bytes/order on a link", per_order(Kind::Goods));
    let all = per_order(Kind::Order) + per_order(Kind::Promise) + per_order(Kind::Goods);
    report.add("one order's life", "everything", "bytes/order on a link", all);
}

/// Bytes of rows at the store.
fn kept(report: &mut Report, world: &World, orders: usize) {
    for (name, node) in [("hub", HUB), ("store", STORE)] {
        let snapshot = world.snapshot(node);
        let logs: usize = logs(&*snapshot)
            .into_iter()
            .map(|(_, items)| {
                let of_orders: Vec<_> = items.into_iter().filter(|item| kind_of(&item.entry) == Kind::Order).collect();
                of_orders.chunks(RUN_ENTRIES_MAX).map(|run| encode_run(run, u16::MAX).len()).sum::<usize>()
            })
            .sum();
        report.add_at_most(
            name,
            "entries of an order in full runs",
            "bytes/order kept",
            logs as f64 / orders as f64,
            110.0,
        );
        for table in [Table::OrderEvents, Table::OrderStores, Table::OpenOrders, Table::Promises] {
            let bytes: usize = rows(&*snapshot, table).iter().map(|(key, value)| key.len() + value.len()).sum();
            report.add(name, &format!("table {table:?}"), "bytes/order kept", bytes as f64 / orders as f64);
        }
    }
}

fn kind_of(entry: &Entry) -> Kind {
    match &entry.fact {
        Fact::Order(_) | Fact::Offer(_) | Fact::FulfillmentStep(_) | Fact::OrderStep(_) | Fact::Payment(_) => {
            Kind::Order
        }
        Fact::Promise(_) | Fact::PromiseStep(_) => Kind::Promise,
        Fact::Rights(fact) if fact.by.node.0 == HUB => Kind::Promise,
        Fact::GoodsIssue(_) => Kind::Goods,
        _ => Kind::Else,
    }
}

fn words(kind: Kind) -> &'static str {
    match kind {
        Kind::Order => "the order itself",
        Kind::Promise => "its promises",
        Kind::Goods => "goods leaving the book",
        Kind::Else => "the rest",
    }
}

/// All entries on a disk, by log.
fn logs(snapshot: &dyn Snapshot) -> Vec<(Log, Vec<Item>)> {
    let mut items: BTreeMap<LogNumber, Vec<Item>> = BTreeMap::new();
    for (key, value) in rows(snapshot, Table::Runs) {
        let (log, _, _, of_run) = run_from_row(&key, &value).expect("a node writes rows that can be read");
        items.entry(log).or_default().extend(of_run);
    }
    let read = |(key, value): (Vec<u8>, Vec<u8>)| {
        let number = LogNumber(u32::from_be_bytes(key.try_into().expect("a log's key is its number")));
        let log = Log::from_row(&value).expect("a node writes rows that can be read");
        Some((log, items.remove(&number)?))
    };
    rows(snapshot, Table::Logs).into_iter().filter_map(read).collect()
}

fn rows(snapshot: &dyn Snapshot, table: Table) -> Vec<(Vec<u8>, Vec<u8>)> {
    let all = (std::ops::Bound::Unbounded, std::ops::Bound::Unbounded);
    snapshot.scan(table, all, Direction::Forward, usize::MAX).expect("memory can be read")
}

const HUB: u32 = 1;
const STORE: u32 = 2;
const LINES: usize = 5;
const PRODUCTS: usize = 200;

#[cfg(test)]
mod tests {
    use super::{Effort, run};

    #[test]
    fn every_part_of_an_order_has_a_figure() {
        let report = run(Effort::Quick);
        let text = format!("{report:?}");
        assert!(text.contains("the order itself") && text.contains("s for a million orders"), "{text}");
    }
}
