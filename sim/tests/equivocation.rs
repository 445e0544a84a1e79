//! A node that signs two histories of one log: facts of both stay, every order of arrival gives the same books, and the proof
//! reaches everybody.

#![allow(clippy::unwrap_used, clippy::disallowed_macros, reason = "a test says its seed and stops where it fails")]

use stockroom_core::ingest::RunIn;
use stockroom_core::input::Event;
use stockroom_crdt::count::{CountClose, CountLine};
use stockroom_crdt::entry::{Fact, kind};
use stockroom_crdt::ids::{Code, Sku, StoreId};
use stockroom_crdt::money::Unit;
use stockroom_crdt::scope::Scope;
use stockroom_sim::oracle::{StoreBooks, books};
use stockroom_sim::puppet::{Scroll, sale};
use stockroom_sim::world::World;

const HUB: u32 = 1;
const OTHER: u32 = 2;
const MALLORY: u32 = 3;

/// Two histories that share three entries. Both give out the same receipt numbers; the left one counts at the position where the
/// right one sells the same goods.
fn histories(world: &World) -> (Scroll, Scroll) {
    let common = world.scroll(MALLORY, 2, stock()).with(sale(1, 1, "TEA", 1)).with(sale(1, 2, "MILK", 1));
    let left = common.clone().with(sale(1, 3, "TEA", 2)).with(count("TEA", 40)).with(sale(1, 4, "TEA", 1));
    let right = common.with(sale(1, 3, "MILK", 4)).with(sale(1, 4, "TEA", 8)).with(sale(2, 1, "TEA", 16));
    (left, right)
}

#[test]
fn both_histories_count_whatever_comes_first() {
    let pieces = |world: &World| {
        let (left, right) = histories(world);
        let runs: Vec<RunIn> = vec![left.sealed(1, 3), left.sealed(4, 6), right.sealed(4, 5), right.sealed(6, 6)];
        runs
    };
    let mut outcomes: Vec<(Vec<usize>, StoreBooks)> = Vec::new();
    for order in permutations(&[0, 1, 2, 3]) {
        let mut world = market(1);
        let mut link = world.greeted(HUB, MALLORY, &[]);
        let runs = pieces(&world);
        // A piece of a history that the hub does not know yet costs the link; it comes again on the next one.
        for piece in order.iter().copied().chain(0..runs.len()) {
            let mark = world.closed.len();
            world.tell(HUB, link, vec![runs[piece].clone()]);
            if world.closed_since(mark).is_some() {
                link = world.greeted(HUB, MALLORY, &[]);
            }
        }
        outcomes.push((order, books(&*world.snapshot(HUB), StoreId(2))));
    }
    let (_, first) = &outcomes[0];
    assert_eq!(first.stock["MILK/each"].0, -5, "one sold before the fork, four in the right history");
    for (order, outcome) in &outcomes {
        assert_eq!(outcome.stock, first.stock, "{order:?}");
        assert_eq!(outcome.days, first.days, "{order:?}");
        assert_eq!(outcome.sales, first.sales, "{order:?}");
    }
}

#[test]
fn a_replay_across_a_fork_counts_nothing_twice() {
    let mut world = market(2);
    let link = world.greeted(HUB, MALLORY, &[]);
    let (left, right) = histories(&world);
    world.tell(HUB, link, vec![left.all()]);
    world.tell(HUB, link, vec![right.sealed(4, 6)]);
    let before = books(&*world.snapshot(HUB), StoreId(2));
    for run in [right.all(), right.sealed(3, 6), left.all(), right.sealed(2, 5), left.sealed(2, 6), right.sealed(1, 4)]
    {
        world.tell(HUB, link, vec![run]);
        assert_eq!(books(&*world.snapshot(HUB), StoreId(2)), before);
    }
    assert_eq!(world.status(HUB).counters.forks, 1);
}

#[test]
fn no_receipt_of_either_history_is_lost() {
    let mut world = market(3);
    let link = world.greeted(HUB, MALLORY, &[]);
    let (left, right) = histories(&world);
    world.tell(HUB, link, vec![left.all(), right.all()]);
    let view = world.snapshot(HUB);
    let places = stockroom_core::view::View::new(&*view).receipts(StoreId(2)).unwrap();
    assert_eq!(places.len(), 7, "two before the fork, two and three after it, though numbers were given out twice");
    let day = &books(&*view, StoreId(2)).days[0];
    assert_eq!((day.receipts, day.total), (7, 3_300));
}

#[test]
fn the_proof_reaches_everybody() {
    let mut world = market(4);
    let (left, right) = histories(&world);
    world.connect(OTHER, HUB);
    let at_hub = world.greeted(HUB, MALLORY, &[]);
    let at_other = world.greeted(OTHER, MALLORY, &[]);
    world.tell(OTHER, at_other, vec![left.all()]);
    world.tell(HUB, at_hub, vec![right.all()]);
    world.run_ms(2_000);
    assert!(proofs(&world).is_empty(), "each of them knows one history");
    world.tell(HUB, at_hub, vec![left.all()]);
    world.run_ms(2_000);
    assert_eq!(proofs(&world), [HUB, OTHER]);
    assert!(
        world
            .events
            .iter()
            .any(|(_, node, e)| *node == HUB && matches!(e, Event::Alarm(text) if text.contains("two histories")))
    );
    world.tell(OTHER, at_other, vec![right.all()]);
    assert_eq!(books(&*world.snapshot(OTHER), StoreId(2)), books(&*world.snapshot(HUB), StoreId(2)));
    world.crash(HUB);
    world.start(HUB);
    assert_eq!(books(&*world.snapshot(HUB), StoreId(2)), books(&*world.snapshot(OTHER), StoreId(2)));
}

fn proofs(world: &World) -> Vec<u32> {
    let told = |event: &Event| matches!(event, Event::Entry { kind: kind::FORK, .. });
    let mut nodes: Vec<_> = world.events.iter().filter(|(_, _, event)| told(event)).map(|(_, node, _)| *node).collect();
    nodes.sort_unstable();
    nodes
}

fn count(sku: &str, quantity: i64) -> Fact {
    let line = CountLine {
        sku: Sku::parse(sku).unwrap(),
        unit: Unit::Each,
        quantity,
        cut: 3,
        scanned_ms: 1_767_600_001_000,
        ambiguous: false,
    };
    Fact::CountClose(CountClose { session: 1, staff: Code::default(), others: Vec::new(), lines: vec![line] })
}

fn permutations(items: &[usize]) -> Vec<Vec<usize>> {
    if items.len() < 2 {
        return vec![items.to_vec()];
    }
    let mut out = Vec::new();
    for &first in items {
        let rest: Vec<_> = items.iter().copied().filter(|&item| item != first).collect();
        out.extend(permutations(&rest).into_iter().map(|rest| [vec![first], rest].concat()));
    }
    out
}

fn stock() -> Scope {
    Scope::StoreStock(StoreId(2))
}

fn market(seed: u64) -> World {
    println!("seed {seed}");
    let mut world = World::with_stores(seed, 2);
    world.put_products(&[("TEA", Unit::Each), ("MILK", Unit::Each)]);
    for (a, b) in [(2, 1), (3, 1), (2, 3)] {
        world.connect(a, b);
    }
    world.run_ms(3_000);
    for (a, b) in [(2, 1), (3, 1), (2, 3)] {
        world.cut(a, b);
    }
    world.crash(MALLORY);
    world.closed.clear();
    world
}
