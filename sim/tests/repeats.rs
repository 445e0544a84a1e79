//! A till that sends a sale again to a node that has lost it: the sale is written twice and counts once, by the same entry at
//! every replica, whatever came first.

#![allow(clippy::unwrap_used, clippy::disallowed_macros, reason = "a test says its seed and stops where it fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use stockroom_core::books::account::Standing;
use stockroom_core::books::sales;
use stockroom_core::ingest::RunIn;
use stockroom_core::input::sales::VoidRequest;
use stockroom_core::input::{Command, Refusal};
use stockroom_core::journal::{Journal, entry_at};
use stockroom_core::storage::{Direction, Table};
use stockroom_core::view::View;
use stockroom_crdt::count::{CountClose, CountLine};
use stockroom_crdt::entry::Fact;
use stockroom_crdt::ids::{Actor, Code, Digest, Sku, StoreId, TillId};
use stockroom_crdt::money::Unit;
use stockroom_crdt::sale::ReceiptNumber;
use stockroom_crdt::scope::Scope;
use stockroom_sim::disk::Disk;
use stockroom_sim::oracle::{Figures, books, figures, gaps};
use stockroom_sim::puppet::{Scroll, sale};
use stockroom_sim::world::World;

const HUB: u32 = 1;
const STORE: u32 = 2;

#[test]
fn a_sale_that_a_restored_node_wrote_anew_counts_once_when_the_lost_one_comes_back() {
    let mut world = restored_and_asked_again(1);
    world.connect(STORE, HUB);
    let agreed =
        |world: &World| figures_at(world, STORE) == figures_at(world, HUB) && entries(world, STORE).len() == 14;
    assert!(world.run_until(60_000, agreed));
    for id in [STORE, HUB] {
        let (stock, days) = figures_at(&world, id);
        assert_eq!(stock["TEA/each"], (-12, 11, false), "ten sales of one, and another of two under a used number");
        assert_eq!(days.iter().map(|day| (day.receipts, day.total)).collect::<Vec<_>>(), [(11, 1_200)]);
        assert_eq!(gaps(&books(&*world.snapshot(id), StoreId(1))), [], "every entry keeps its receipt");
        rebuild(&mut world, id);
        assert_eq!(figures_at(&world, id), (stock, days), "the books are what the logs say");
        assert_eq!(entries(&world, id).len(), 14);
    }
}

#[test]
fn a_repeated_sale_is_shown_as_one() {
    let mut world = restored_and_asked_again(2);
    world.connect(STORE, HUB);
    world.run_ms(30_000);
    let snapshot = world.snapshot(STORE);
    let view = View::new(&*snapshot);
    let lines = view.history(StoreId(1), &tea(), Unit::Each).unwrap();
    let repeated: Vec<_> = lines.iter().filter(|line| line.standing == Standing::Repeated).collect();
    assert_eq!(repeated.len(), 3);
    for line in repeated {
        assert_eq!(line.position.actor.epoch.0, 2, "the entry of the oldest epoch counts");
        let other = view.repeats(StoreId(1), line.place).unwrap().unwrap();
        assert_eq!(view.repeats(StoreId(1), other).unwrap(), None);
    }
    let held = view.sale_by_till(StoreId(1), TillId(1), 9).unwrap().unwrap();
    assert_eq!(view.repeats(StoreId(1), held).unwrap(), None, "a till that asks again gets the receipt that counts");
}

#[test]
fn a_sale_with_two_receipts_is_voided_once() {
    let mut world = restored_and_asked_again(3);
    world.connect(STORE, HUB);
    world.run_ms(30_000);
    let receipt = |series, sequence| ReceiptNumber { till: TillId(1), series, sequence };
    assert_eq!(void(&mut world, 100, receipt(2, 1)), Ok(()));
    let again = void(&mut world, 101, receipt(1, 8));
    assert!(matches!(again, Err(Refusal::State(_))), "the same sale under its other receipt: {again:?}");
    assert_eq!(figures_at(&world, STORE).0["TEA/each"].0, -11);
}

#[test]
fn a_till_that_asks_again_is_answered_with_its_own_sale_though_an_older_epoch_has_another_of_that_number() {
    let mut world = restored_and_asked_again(4);
    let answered = world.sell(STORE, 1, 7, &[("TEA", 2)]).unwrap();
    world.connect(STORE, HUB);
    assert!(world.run_until(60_000, |world| entries(world, STORE).len() == 14));
    assert_eq!(world.sell(STORE, 1, 7, &[("TEA", 2)]).unwrap(), answered);
    let snapshot = world.snapshot(STORE);
    let first = View::new(&*snapshot).sale_by_till(StoreId(1), TillId(1), 7).unwrap().unwrap();
    let Fact::Sale(first) = entry_at(&*snapshot, first).unwrap().unwrap().entry.fact else { panic!("a sale is there") };
    assert_eq!(first.receipt.series, 1, "whoever asks for the number alone gets the oldest, at every replica");
}

#[test]
fn every_order_of_arrival_and_every_count_gives_the_same_books() {
    for seed in 0..60 {
        println!("seed {seed}");
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let template = World::with_stores(seed, 1);
        let (logs, sold) = day_of_restores(&template, &mut rng);
        let mut outcomes: Vec<(Figures, Listed)> = Vec::new();
        for _ in 0..4 {
            let mut world = World::with_stores(seed, 1);
            let link = world.greeted(HUB, STORE, &[]);
            for run in shuffled(&logs, &mut rng) {
                let mark = world.closed.len();
                world.tell(HUB, link, vec![run]);
                assert_eq!(world.closed_since(mark), None);
            }
            let figures = figures_at(&world, HUB);
            assert_eq!(figures.1.iter().map(|day| day.receipts).sum::<u64>(), sold, "each sale once");
            rebuild(&mut world, HUB);
            assert_eq!(figures_at(&world, HUB), figures, "rebuilt");
            outcomes.push((figures, listed(&world, HUB)));
        }
        outcomes.iter().for_each(|outcome| assert_eq!(outcome, &outcomes[0]));
    }
}

/// Logs of three epochs of one store, the second with two histories, that hold some sales several times, some under one receipt
/// number; and how many different sales they hold. Counts include whatever they like.
fn day_of_restores(world: &World, rng: &mut ChaCha8Rng) -> (Vec<Scroll>, u64) {
    let mut sold = BTreeSet::new();
    let mut logs = Vec::new();
    for (index, epoch) in [1, 2, 2, 3].into_iter().enumerate() {
        let mut log = world.scroll(STORE, epoch, stock());
        for step in 0..8 {
            let n = 1 + u64::from(rng.next_u32() % 6);
            log = log.with(match rng.next_u32() % 6 {
                0 => count(rng),
                draw => {
                    let quantity = if draw == 1 { 2 } else { 1 };
                    sold.insert((n, quantity));
                    match draw {
                        2 => sale(1, n, "TEA", quantity),
                        _ => written(rng, (n, quantity), (epoch, 10 * index as u64 + step)),
                    }
                }
            });
        }
        logs.push(log);
    }
    (logs, sold.len() as u64)
}

/// A sale as one try of a till left it: number, day and time are the node's.
fn written(rng: &mut ChaCha8Rng, (n, quantity): (u64, i64), (series, sequence): (u16, u64)) -> Fact {
    let Fact::Sale(mut sale) = sale(1, n, "TEA", quantity) else { panic!("a sale is a sale") };
    sale.receipt = ReceiptNumber { till: TillId(1), series, sequence };
    sale.day = 1 + rng.next_u32() % 3;
    sale.late = rng.next_u32().is_multiple_of(2);
    sale.rung_ms += u64::from(rng.next_u32() % 100);
    Fact::Sale(sale)
}

/// A count that includes its own log and others up to anywhere.
fn count(rng: &mut ChaCha8Rng) -> Fact {
    let mut below = |bound: u32| u64::from(rng.next_u32() % bound);
    let line = CountLine {
        sku: tea(),
        unit: Unit::Each,
        quantity: below(50) as i64,
        cut: below(6),
        scanned_ms: 1_767_600_001_000 + below(100),
        ambiguous: below(4) == 0,
    };
    let others = (1..=3).map(|epoch| (Actor::new(STORE, epoch), below(10))).collect();
    Fact::CountClose(CountClose { session: below(1_000), staff: Code::default(), others, lines: vec![line] })
}

/// The entries of all logs one by one: each log in its order, the logs in any.
fn shuffled(logs: &[Scroll], rng: &mut ChaCha8Rng) -> Vec<RunIn> {
    let mut next = vec![1; logs.len()];
    let mut runs = Vec::new();
    while let Some(open) = (0..logs.len()).rfind(|&log| next[log] <= logs[log].items.len() as u64) {
        let log = (rng.next_u32() as usize) % (open + 1);
        if next[log] <= logs[log].items.len() as u64 {
            runs.push(logs[log].sealed(next[log], next[log]));
            next[log] += 1;
        }
    }
    runs
}

/// Ten sales at a store, of which a restore loses the last five; then its till sends three of them again, and rings up another
/// one under a number that it had used.
fn restored_and_asked_again(seed: u64) -> World {
    println!("seed {seed}");
    let mut world = World::with_stores(seed, 1);
    world.put_products(&[("TEA", Unit::Each)]);
    world.connect(STORE, HUB);
    (1..=5).for_each(|n| sell(&mut world, n, 1));
    world.run_ms(5_000);
    let disk: Disk = world.nodes[&STORE].disk.image();
    (6..=10).for_each(|n| sell(&mut world, n, 1));
    world.run_ms(5_000);
    world.cut(STORE, HUB);
    world.crash(STORE);
    world.nodes.get_mut(&STORE).unwrap().disk = disk;
    world.start(STORE);
    assert_eq!(world.status(STORE).epoch.0, 2);
    (8..=10).for_each(|n| sell(&mut world, n, 1));
    sell(&mut world, 7, 2);
    assert_eq!(entries(&world, STORE).len(), 9, "the node does not know that it had them");
    world
}

fn sell(world: &mut World, n: u64, quantity: i64) {
    world.sell(STORE, 1, n, &[("TEA", quantity)]).unwrap();
}

fn void(world: &mut World, till_seq: u64, receipt: ReceiptNumber) -> Result<(), Refusal> {
    let request = VoidRequest {
        till: TillId(1),
        till_seq,
        body: Digest::of(&[&till_seq.to_be_bytes()]),
        receipt,
        cashier: Code::default(),
        approver: Code::parse("boss").unwrap(),
    };
    world.command(STORE, Command::Void(request)).map(drop)
}

fn rebuild(world: &mut World, id: u32) {
    let now_ms = world.now_ms;
    let node = world.nodes.get_mut(&id).unwrap();
    let now = node.now(now_ms);
    let core = node.core.as_mut().unwrap();
    core.rebuild(StoreId(1)).unwrap();
    core.commit(now).unwrap();
}

fn figures_at(world: &World, id: u32) -> Figures {
    figures(&*world.snapshot(id), StoreId(1))
}

/// Every row of sales and receipts, with which entries it names.
fn listed(world: &World, id: u32) -> Listed {
    let snapshot = world.snapshot(id);
    let all =
        |table| snapshot.scan(table, (Bound::Unbounded, Bound::Unbounded), Direction::Forward, usize::MAX).unwrap();
    let digest = |place| entry_at(&*snapshot, place).unwrap().unwrap().digest();
    let sales = all(Table::Sales).into_iter().map(|(key, value)| {
        let writings = sales::decode_writings(&value).unwrap();
        assert!(writings.iter().all(|writing| digest(writing.place) == writing.digest));
        (key, writings.into_iter().map(|writing| (writing.position.actor, writing.digest)).collect())
    });
    let logs = Journal::load(world.tenant(), &*snapshot, 1).unwrap();
    let receipts = all(Table::Receipts).into_iter().map(|(key, value)| {
        let place = sales::decode(&value).unwrap();
        (key, vec![(logs.log(place.log).unwrap().id.actor, digest(place))])
    });
    [sales.collect(), receipts.collect()]
}

fn entries(world: &World, id: u32) -> Vec<ReceiptNumber> {
    books(&*world.snapshot(id), StoreId(1)).sales.into_keys().collect()
}

fn stock() -> Scope {
    Scope::StoreStock(StoreId(1))
}

fn tea() -> Sku {
    Sku::parse("TEA").unwrap()
}

type Listed = [BTreeMap<Vec<u8>, Vec<(Actor, Digest)>>; 2];
