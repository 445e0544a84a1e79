//! Clocks that are wrong: by years, backwards, at 1970, across a change of daylight saving. Nothing that counts depends on them, and
//! a business day ends when the shop's day ends.

#![allow(clippy::unwrap_used, clippy::disallowed_macros, reason = "a test says its seed and stops where it fails")]

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use stockroom_core::books::days::Day;
use stockroom_core::input::goods::{Doubtful, Uncounted};
use stockroom_core::input::{Command, Event, Input, RetryKey};
use stockroom_core::journal::{LogNumber, entries};
use stockroom_core::view::View;
use stockroom_crdt::clock::Hlc;
use stockroom_crdt::control::EpochReason;
use stockroom_crdt::count::CountScan;
use stockroom_crdt::ids::{Code, Digest, Sku, StoreId};
use stockroom_crdt::money::Unit;
use stockroom_sim::disk::Disk;
use stockroom_sim::oracle::{books, gaps};
use stockroom_sim::world::World;

const HUB: u32 = 1;
const STORE: u32 = 2;

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
const YEAR_MS: i64 = 365 * DAY_MS;

#[test]
fn a_clock_that_is_years_off_loses_nothing_and_pulls_nobody_along() {
    for (seed, error_ms) in [(1, 14 * YEAR_MS), (2, -14 * YEAR_MS), (3, -60 * YEAR_MS)] {
        for wrong in [HUB, STORE] {
            let mut world = market(seed);
            world.nodes.get_mut(&wrong).unwrap().clock_error_ms = error_ms;
            world.connect(STORE, HUB);
            for n in 1..=10 {
                world.sell(STORE, 1, n, &[("TEA", 1)]).unwrap();
                world.put_products(&[(&format!("P{n}"), Unit::Each)]);
                world.run_ms(1_000);
            }
            agree(&mut world, 10);
            let right = if wrong == HUB { STORE } else { HUB };
            let newest = newest(&world, right).ms();
            assert!(newest < world.now_ms + 600_000, "node {right} was pulled along to {newest}");
            assert_eq!(world.status(right).counters.times_suspect > 0, error_ms > 0);
            world.nodes.get_mut(&wrong).unwrap().clock_error_ms = 0;
            world.sell(STORE, 1, 11, &[("TEA", 1)]).unwrap();
            world.run_ms(5_000);
            agree(&mut world, 11);
            let name = |world: &World| {
                let snapshot = world.snapshot(STORE);
                View::new(&*snapshot).product(&Sku::parse("NEWEST").unwrap()).unwrap().map(|product| product.name)
            };
            world.put_products(&[("NEWEST", Unit::Each)]);
            assert!(world.run_until(20_000, |w| name(w).is_some()), "what comes after the correction is not older");
        }
    }
}

#[test]
fn a_nodes_timestamps_only_grow_whatever_its_clock_does_across_crashes() {
    for seed in 10..40 {
        let mut world = market(seed);
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut last = newest(&world, STORE);
        for n in 1..=60 {
            match rng.next_u32() % 8 {
                0 => {
                    let error = [0, 30 * YEAR_MS, -30 * YEAR_MS, -HOUR_MS, -i64::MAX / 2, 1];
                    world.nodes.get_mut(&STORE).unwrap().clock_error_ms = error[rng.next_u32() as usize % error.len()];
                }
                1 => {
                    world.crash(STORE);
                    world.start(STORE);
                    let now = newest(&world, STORE);
                    assert!(now > last, "seed {seed}: the start itself is an entry");
                    last = now;
                }
                2 => world.run_ms(u64::from(rng.next_u32() % 100_000)),
                3 => {
                    world.connect(STORE, HUB);
                    world.run_ms(500);
                }
                4 if n % 10 == 0 => drop(world.command(STORE, Command::NewEpoch(EpochReason::Manual)).unwrap()),
                _ => {}
            }
            last = last.max(newest(&world, STORE));
            world.sell(STORE, 1, n, &[("TEA", 1)]).unwrap();
            let now = newest(&world, STORE);
            assert!(now > last, "seed {seed}: {now:?} after {last:?}");
            last = now;
        }
        world.nodes.get_mut(&STORE).unwrap().clock_error_ms = 0;
        agree(&mut world, 60);
    }
}

#[test]
fn a_node_that_boots_in_1970_sells_and_closes_no_day_by_mistake() {
    let mut world = market(50);
    world.sell(STORE, 1, 1, &[("TEA", 1)]).unwrap();
    world.crash(STORE);
    world.nodes.get_mut(&STORE).unwrap().clock_error_ms = -(world.now_ms as i64);
    world.start(STORE);
    for n in 2..=5 {
        world.sell(STORE, 1, n, &[("TEA", 1)]).unwrap();
        world.run_ms(2 * HOUR_MS as u64);
    }
    assert_eq!(days(&world).len(), 1, "a clock before the node's own enrolment is known to be wrong");
    world.nodes.get_mut(&STORE).unwrap().clock_error_ms = 0;
    world.run_ms(DAY_MS as u64);
    world.sell(STORE, 1, 6, &[("TEA", 1)]).unwrap();
    let days = days(&world);
    assert_eq!(days.iter().map(|day| day.receipts).collect::<Vec<_>>(), [5, 1]);
    assert!(days[1].date > days[0].date && days[0].closed_ms > 0);
    agree(&mut world, 6);
}

#[test]
fn a_day_that_was_opened_in_the_far_future_does_not_last_until_then() {
    // The rollover compared dates only: a day dated 2040 by a wrong clock stayed open, through all nights, until somebody
    // closed it by hand.
    let mut world = market(51);
    world.nodes.get_mut(&STORE).unwrap().clock_error_ms = 14 * YEAR_MS;
    world.sell(STORE, 1, 1, &[("TEA", 1)]).unwrap();
    world.nodes.get_mut(&STORE).unwrap().clock_error_ms = 0;
    world.run_ms(2 * HOUR_MS as u64);
    world.sell(STORE, 1, 2, &[("TEA", 1)]).unwrap();
    let days = days(&world);
    assert_eq!(days.len(), 2);
    assert_eq!(u64::from(days[1].date), world.now_ms / DAY_MS as u64);
    agree(&mut world, 2);
}

#[test]
fn a_clock_that_is_set_back_by_an_hour_does_not_split_the_day() {
    let mut world = market(52);
    to_hour(&mut world, 4, 10);
    world.sell(STORE, 1, 1, &[("TEA", 1)]).unwrap();
    world.nodes.get_mut(&STORE).unwrap().clock_error_ms = -HOUR_MS;
    world.run_ms(60_000);
    world.sell(STORE, 1, 2, &[("TEA", 1)]).unwrap();
    world.run_ms(2 * HOUR_MS as u64);
    world.sell(STORE, 1, 3, &[("TEA", 1)]).unwrap();
    assert_eq!(days(&world).iter().map(|day| day.receipts).collect::<Vec<_>>(), [3]);
}

#[test]
fn the_day_rolls_over_at_the_stores_hour_while_tills_sell() {
    let mut world = market(53);
    to_hour(&mut world, 3, 55);
    for n in 1..=20 {
        world.sell(STORE, 1, n, &[("TEA", 1)]).unwrap();
        world.sell(STORE, 2, n, &[("TEA", 1)]).unwrap();
        world.run_ms(30_000);
    }
    let all = days(&world);
    assert_eq!(all.iter().map(|day| day.receipts).collect::<Vec<_>>(), [20, 20]);
    assert_eq!(all.iter().map(|day| day.late).sum::<u64>(), 0);
    assert!(all[0].closed_ms > 0 && all[1].closed_ms == 0);
    assert_eq!(gaps(&books(&*world.snapshot(STORE), StoreId(1))), []);
    world.run_ms(DAY_MS as u64);
    let all = days(&world);
    assert!(all.len() == 2 && all[1].closed_ms > 0, "it closes without a sale as well, and opens with the next one");
    agree(&mut world, 40);
}

#[test]
fn a_day_that_was_open_when_the_plug_was_pulled_is_closed_in_the_morning_by_nobody() {
    let mut world = market(56);
    to_hour(&mut world, 18, 0);
    world.sell(STORE, 1, 1, &[("TEA", 1)]).unwrap();
    world.crash(STORE);
    world.run_ms(14 * HOUR_MS as u64);
    world.start(STORE);
    world.run_ms(1_000);
    let all = days(&world);
    assert!(all.len() == 1 && all[0].closed_ms > 0, "the old day is closed at the start");
    world.sell(STORE, 1, 2, &[("TEA", 1)]).unwrap();
    let all = days(&world);
    assert_eq!(all.iter().map(|day| (day.receipts, day.late)).collect::<Vec<_>>(), [(1, 0), (1, 0)]);
    assert_eq!(all[1].date, all[0].date + 1);
    let snapshot = world.snapshot(STORE);
    let written = (0..64).map(LogNumber).flat_map(|log| entries(&*snapshot, log, 1, u64::MAX).unwrap_or_default());
    let closers: Vec<_> = written
        .filter_map(|(_, item)| match item.entry.fact {
            stockroom_crdt::entry::Fact::DayClose(close) => Some((close.number, close.staff)),
            _ => None,
        })
        .collect();
    assert_eq!(closers, [(1, Code::default())], "the record says that nobody did it");
    agree(&mut world, 2);
}

#[test]
fn a_sale_that_comes_after_its_day_posts_to_the_open_day_and_says_so() {
    let mut world = market(54);
    world.sell(STORE, 1, 1, &[("TEA", 1)]).unwrap();
    let rung = world.now_ms + 1_000;
    world.run_ms(5_000);
    let key = |text: &str| RetryKey { key: Digest::of(&[text.as_bytes()]), body: Digest([0; 32]) };
    world.command(STORE, Command::DayClose(key("close"), Code::default())).unwrap();
    world.run_ms(60_000);
    world.sell_at(STORE, (9, 1, Some(rung)), &[("TEA", 2)]).unwrap();
    world.sell(STORE, 1, 2, &[("TEA", 1)]).unwrap();
    let all = days(&world);
    assert_eq!(
        all.iter().map(|day| (day.receipts, day.late, day.total)).collect::<Vec<_>>(),
        [(1, 0, 100), (2, 1, 300)]
    );
    let ahead = world.now_ms + 25 * HOUR_MS as u64;
    assert!(world.sell_at(STORE, (9, 2, Some(ahead)), &[("TEA", 2)]).is_err(), "a day ahead is a till's mistake");
    agree(&mut world, 3);
}

#[test]
fn a_change_of_daylight_saving_makes_no_day_and_takes_none() {
    for (before_s, after_s) in [(3_600, 7_200), (7_200, 3_600)] {
        let mut world = market(55);
        world.input(STORE, Input::Zone { offset_s: before_s });
        to_hour(&mut world, 12, 0);
        for n in 1..=96 {
            world.sell(STORE, 1, n, &[("TEA", 1)]).unwrap();
            world.run_ms(HOUR_MS as u64 / 2);
            if n == 26 {
                world.input(STORE, Input::Zone { offset_s: after_s });
            }
        }
        let all = days(&world);
        assert_eq!(all.len(), 3, "{before_s} to {after_s}: {:?}", all.iter().map(|d| d.date).collect::<Vec<_>>());
        assert!(all.windows(2).all(|pair| pair[1].date == pair[0].date + 1));
        let receipts: Vec<_> = all.iter().map(|day| day.receipts).collect();
        assert!(receipts[1].abs_diff(48) <= 2, "a day of 23, 24 or 25 hours: {receipts:?}");
    }
}

#[test]
fn a_count_is_newer_than_another_by_its_log_and_not_by_its_clock() {
    // A count by a clock that was years ahead won against every later count once the node was restored, because its own floor
    // of time was lost with the disk.
    let mut world = market(56);
    world.connect(STORE, HUB);
    world.nodes.get_mut(&STORE).unwrap().clock_error_ms = 14 * YEAR_MS;
    count(&mut world, 1, 500);
    world.run_ms(3_000);
    world.crash(STORE);
    let node = world.nodes.get_mut(&STORE).unwrap();
    (node.disk, node.clock_error_ms) = (Disk::default(), 0);
    world.start(STORE);
    world.connect(STORE, HUB);
    world.run_ms(10_000);
    count(&mut world, 2, 7);
    world.run_ms(10_000);
    for id in [STORE, HUB] {
        assert_eq!(books(&*world.snapshot(id), StoreId(1)).stock["TEA/each"].0, 7, "node {id}");
    }
}

fn count(world: &mut World, session: u64, quantity: i64) {
    let retry =
        |n: u64| RetryKey { key: Digest::of(&[&session.to_be_bytes(), &n.to_be_bytes()]), body: Digest([0; 32]) };
    let (zone, staff, sku) = (Code::default(), Code::default(), Sku::parse("TEA").unwrap());
    let scan = CountScan { session, zone, sku, unit: Unit::Each, quantity, settles: false, staff: staff.clone() };
    world.command(STORE, Command::CountScan(retry(1), scan)).unwrap();
    world
        .command(
            STORE,
            Command::CountClose {
                retry: retry(2),
                session,
                staff,
                doubtful: Doubtful::Accept,
                uncounted: Uncounted::Keep,
            },
        )
        .unwrap();
}

/// Lets time pass until it is this hour (UTC).
fn to_hour(world: &mut World, hour: u64, minute: u64) {
    let (day, wanted) = (DAY_MS as u64, (hour * 60 + minute) * 60_000);
    let left = (wanted + day - world.now_ms % day) % day;
    world.run_ms(left);
}

fn days(world: &World) -> Vec<Day> {
    books(&*world.snapshot(STORE), StoreId(1)).days
}

/// The newest time in the node's own logs.
fn newest(world: &World, id: u32) -> Hlc {
    let snapshot = world.snapshot(id);
    let mut newest = Hlc::default();
    for log in (1..=60).map(LogNumber) {
        let held = entries(&*snapshot, log, 1, u64::MAX).unwrap();
        let own = held.first().is_some_and(|(_, first)| match &first.entry.fact {
            stockroom_crdt::entry::Fact::EpochOpen(open) => open.chain.last().is_some_and(|last| last.node.0 == id),
            _ => false,
        });
        if own {
            assert!(held.windows(2).all(|pair| pair[0].1.entry.hlc < pair[1].1.entry.hlc), "a log's times grow");
            newest = held.iter().map(|(_, item)| item.entry.hlc).fold(newest, Hlc::max);
        }
    }
    newest
}

/// The hub holds what the store holds: so many receipts, without a gap.
fn agree(world: &mut World, sold: usize) {
    world.connect(STORE, HUB);
    let same = |w: &World| books(&*w.snapshot(STORE), StoreId(1)) == books(&*w.snapshot(HUB), StoreId(1));
    assert!(world.run_until(30_000, same));
    let books = books(&*world.snapshot(HUB), StoreId(1));
    assert_eq!((books.sales.len(), gaps(&books).len()), (sold, 0));
    let alarms =
        world.events.iter().filter(|(_, _, event)| matches!(event, Event::Alarm(text) if text.contains("history")));
    assert_eq!(alarms.count(), 0, "no clock makes a fork");
}

/// A hub and a store that have met. Not connected.
fn market(seed: u64) -> World {
    println!("seed {seed}");
    let mut world = World::with_stores(seed, 1);
    world.put_products(&[("TEA", Unit::Each)]);
    world.connect(STORE, HUB);
    world.run_ms(3_000);
    world.cut(STORE, HUB);
    world
}
