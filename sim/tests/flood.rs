//! Too much, too early, too large, or broken: what a hostile peer can pile up in a live core is bounded, and nothing that it sends
//! makes the core fall over or forget who it is.

#![allow(clippy::unwrap_used, clippy::disallowed_macros, reason = "a test says its seed and stops where it fails")]

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use stockroom_core::input::LinkId;
use stockroom_core::limits::{LINKS_MAX, PARKED_MS_MAX, PARKED_RUNS_MAX, PARKED_RUNS_OF_ONE_MAX};
use stockroom_core::sync::frames::{Frame, HeadIn, Hello, Locate, Parcel, Pulse, Want};
use stockroom_crdt::chain::LogId;
use stockroom_crdt::codec::put_varint;
use stockroom_crdt::ids::{Actor, NodeId, StoreId};
use stockroom_crdt::money::Unit;
use stockroom_crdt::scope::Scope;
use stockroom_sim::oracle::books;
use stockroom_sim::puppet::sale;
use stockroom_sim::world::{Sent, World};

const HUB: u32 = 1;
const STORE: u32 = 2;
const MALLORY: u32 = 3;

#[test]
fn runs_that_come_in_the_wrong_order_wait_for_what_they_build_on() {
    let mut world = market(1);
    let log = (1..=60).fold(world.scroll(MALLORY, 2, stock(2)), |log, n| log.with(sale(1, n, "TEA", 1)));
    let link = world.greeted(HUB, MALLORY, &[]);
    for first in (1..20).rev().map(|n| 1 + 3 * n) {
        world.tell(HUB, link, vec![log.sealed(first, first + 2)]);
    }
    assert_eq!(parked(&world), 19);
    assert_eq!(books(&*world.snapshot(HUB), StoreId(2)).sales.len(), 0);
    world.tell(HUB, link, vec![log.sealed(1, 3)]);
    assert_eq!(parked(&world), 0);
    assert_eq!(
        books(&*world.snapshot(HUB), StoreId(2)).sales.len(),
        59,
        "what waited is taken when the beginning comes"
    );
    world.tell(HUB, link, vec![log.sealed(58, 61)]);
    assert_eq!(books(&*world.snapshot(HUB), StoreId(2)).sales.len(), 60);
    assert_eq!(world.closed, []);
}

#[test]
fn what_waits_for_its_beginning_is_bounded() {
    let mut world = market(2);
    let log = (1..=2_000).fold(world.scroll(MALLORY, 2, stock(2)), |log, n| log.with(sale(1, n, "TEA", 1)));
    let mut link = world.greeted(HUB, MALLORY, &[]);
    let mut closed = 0;
    for seq in 3..=1_500 {
        let mark = world.closed.len();
        world.tell(HUB, link, vec![log.sealed(seq, seq)]);
        assert!(parked(&world) <= PARKED_RUNS_OF_ONE_MAX);
        if world.closed_since(mark).is_some() {
            closed += 1;
            link = world.greeted(HUB, MALLORY, &[]);
        }
    }
    assert!(closed > 0, "a peer that piles up is cut");
    world.tell(HUB, link, vec![log.sealed(1, 2)]);
    assert_eq!(parked(&world), 0, "and what was kept is still good");
    let unsealed = world.scroll(MALLORY, 3, stock(2)).with(sale(1, 9_000, "TEA", 1));
    let mark = world.closed.len();
    world.tell(HUB, link, vec![unsealed.unsealed(2, 2)]);
    assert!(world.closed_since(mark).is_some(), "nobody could vouch later for what nobody signed");
}

#[test]
fn what_waits_is_not_acknowledged_and_comes_again() {
    let mut world = market(3);
    let log = world.scroll(MALLORY, 2, stock(2)).with(sale(1, 1, "TEA", 1)).with(sale(1, 2, "TEA", 1));
    world.recording = true;
    let link = world.greeted(HUB, MALLORY, &[]);
    world.tell(HUB, link, vec![log.sealed(2, 3)]);
    world.tell(HUB, link, vec![world.scroll(MALLORY, 3, stock(2)).all()]);
    world.run_ms(5_000);
    let is_ack = |sent: &Sent| matches!(Frame::decode(&sent.bytes), Ok(Frame::Ack(_)));
    assert!(!world.sent_on(link).any(is_ack), "nor is what came behind it");
    world.crash(HUB);
    world.start(HUB);
    assert_eq!(parked(&world), 0);
    let link = world.greeted(HUB, MALLORY, &[]);
    world.tell(HUB, link, vec![log.all()]);
    world.run_ms(5_000);
    assert!(world.sent_on(link).any(is_ack));
    assert_eq!(books(&*world.snapshot(HUB), StoreId(2)).sales.len(), 2);
}

#[test]
fn what_waits_for_ever_is_dropped() {
    let mut world = market(4);
    let log = world.scroll(MALLORY, 2, stock(2)).with(sale(1, 1, "TEA", 1)).with(sale(1, 2, "TEA", 1));
    let link = world.greeted(HUB, MALLORY, &[]);
    world.tell(HUB, link, vec![log.sealed(2, 3)]);
    world.run_ms(PARKED_MS_MAX / 2);
    assert_eq!(parked(&world), 1);
    world.run_ms(PARKED_MS_MAX / 2);
    assert_eq!(parked(&world), 0);
    world.tell(HUB, link, vec![log.all()]);
    assert_eq!(books(&*world.snapshot(HUB), StoreId(2)).sales.len(), 2, "it is taken when it comes whole");
}

#[test]
fn whoever_piles_up_takes_no_room_from_others() {
    println!("seed 5");
    let stores = 1 + (PARKED_RUNS_MAX / PARKED_RUNS_OF_ONE_MAX) as u32;
    let mut world = World::with_stores(5, stores);
    for store in 1..=stores {
        // All but the last use up what they are given; together that is everything.
        let entries = if store < stores { PARKED_RUNS_OF_ONE_MAX as u64 + 2 } else { 100 };
        world.crash(store + 1);
        let blank = world.scroll(store + 1, 2, stock(store));
        let log = (2..=entries).fold(blank, |log, n| log.with(sale(1, n, "TEA", 1)));
        let link = world.greeted(HUB, store + 1, &[]);
        for seq in 3..=entries {
            world.tell(HUB, link, vec![log.sealed(seq, seq)]);
            assert!(parked(&world) <= PARKED_RUNS_MAX);
        }
        assert_eq!(world.closed, [], "everybody has a share");
        if store == stores {
            world.tell(HUB, link, vec![log.sealed(1, 2)]);
            let held = books(&*world.snapshot(HUB), StoreId(store)).sales.len() as u64;
            assert_eq!(held, entries - 1, "the last one to come had all of it");
        }
    }
    assert_eq!(parked(&world), PARKED_RUNS_MAX - 98, "the oldest of the others went");
}

#[test]
fn a_number_that_claims_too_much_is_refused_before_it_is_believed() {
    let mut world = market(3);
    let huge = [65_535, 8_193, u64::from(u32::MAX), u64::MAX];
    for (kind, prefix) in [(1_u8, 0), (2, 0), (3, 4), (4, 4), (5, 0), (8, 3), (9, 0), (10, 1)] {
        for count in huge {
            let mut bytes = vec![kind];
            bytes.extend(std::iter::repeat_n(0, prefix));
            put_varint(&mut bytes, count);
            bytes.extend([1; 64]);
            let (mark, link) = (world.closed.len(), world.greeted(HUB, MALLORY, &[]));
            world.inject(HUB, link, bytes);
            assert!(world.closed_since(mark).is_some(), "frame {kind} with a count of {count}");
        }
    }
    let (mark, link) = (world.closed.len(), world.greeted(HUB, MALLORY, &[]));
    world.inject(HUB, link, vec![0; 300 * 1024]);
    assert!(world.closed_since(mark).is_some());
    agree(&mut world);
}

#[test]
fn numbers_at_the_edge_of_their_range_do_no_harm() {
    let mut world = market(4);
    let hello = world.hello(MALLORY, &[stock(2), Scope::Control]);
    let edges = [u64::MAX, u64::MAX - 1, 1 << 63, (1 << 63) - 1, 0];
    for target in [HUB, STORE] {
        world.recording = true;
        let link = world.greeted(target, MALLORY, &[Scope::Control]);
        world.recording = false;
        let said = world.sent_on(link).find_map(|sent| match Frame::decode(&sent.bytes) {
            Ok(Frame::Hello(hello)) => Some(hello.feed_epoch),
            _ => None,
        });
        let feed_epoch = said.unwrap();
        for edge in edges {
            let want = |scope| Want { scope, cursor: (feed_epoch, edge), known: vec![(Actor::new(1, 1), edge)] };
            let wants = vec![want(Scope::Control), want(stock(1)), want(stock(2))];
            let frames = [
                Frame::Hello(Hello { wall_ms: edge, wants: wants.clone(), ..hello.clone() }),
                Frame::Want(wants),
                Frame::Pulse(Pulse { wall_ms: edge, ends: vec![(stock(2), edge)] }),
                Frame::Ack(vec![(Scope::Control, edge), (stock(1), edge)]),
                Frame::Located(LogId { actor: Actor::new(target, 1), scope: Scope::Control }, edge, None),
                Frame::Locate(Locate {
                    log: LogId { actor: Actor::new(MALLORY, 1), scope: stock(2) },
                    main: vec![(edge, [0; 8])],
                    others: vec![(edge, [0; 8])],
                }),
            ];
            for frame in frames {
                let link = match frame {
                    Frame::Hello(_) => world.puppet(target, MALLORY, 1 << 20),
                    _ => world.greeted(target, MALLORY, &[Scope::Control]),
                };
                world.say(target, link, &frame);
                world.run_ms(200);
                world.hang_up(link);
            }
        }
    }
    agree(&mut world);
}

#[test]
fn nobody_but_the_hub_above_talks_a_node_out_of_its_epoch() {
    // A neighbour that only claimed to hold more of our log made us open an epoch at every handshake; with the last epoch
    // number it stopped the node for good.
    let mut world = market(5);
    for target in [HUB, STORE] {
        let own = if target == HUB { Scope::Control } else { stock(1) };
        let claims = [(1, 1_000_000), (2, 1), (60_000, 1), (u16::MAX, 1), (1, 1)];
        for (epoch, seq) in claims {
            let log = LogId { actor: Actor::new(target, epoch), scope: own.clone() };
            let link = world.puppet(target, MALLORY, 1 << 20);
            let hello = world.hello(MALLORY, std::slice::from_ref(&own));
            world.say(target, link, &Frame::Hello(hello));
            world.say(target, link, &Frame::Held(vec![HeadIn { log, seq, hash: [7; 8] }]));
            world.run_ms(500);
            assert_eq!(world.status(target).epoch.0, 1, "node {target} believed ({epoch}, {seq})");
            assert!(!world.status(target).rights_locked);
            world.hang_up(link);
        }
    }
    agree(&mut world);
}

#[test]
fn a_peer_that_asks_without_end_is_cut() {
    let mut world = market(6);
    let (mut link, mark) = (world.greeted(HUB, MALLORY, &[]), world.closed.len());
    for n in 0..64_u32 {
        let scope = |m: u32| Scope::Orders(n * 1_000 + m);
        let wants = (0..1_000).map(|m| Want { scope: scope(m), cursor: (0, 0), known: Vec::new() });
        world.say(HUB, link, &Frame::Want(wants.collect()));
    }
    assert!(world.closed_since(mark).is_some(), "subscriptions are counted over a link's whole life");
    let mark = world.closed.len();
    link = world.greeted(HUB, MALLORY, &[]);
    for n in 0..64_u16 {
        let known = (0..4_000_u32).map(|m| (Actor::new(m, n), 1)).collect();
        world.say(HUB, link, &Frame::Want(vec![Want { scope: Scope::Orders(n.into()), cursor: (0, 0), known }]));
    }
    assert!(world.closed_since(mark).is_some(), "and so are the heads that they name");
    let mark = world.closed.len();
    link = world.puppet(HUB, MALLORY, 0);
    let hello = world.hello(MALLORY, &[]);
    world.say(HUB, link, &Frame::Hello(hello));
    let log = LogId { actor: Actor::new(MALLORY, 1), scope: stock(2) };
    for _ in 0..10_000 {
        world.say(HUB, link, &Frame::Locate(Locate { log: log.clone(), main: vec![(1, [0; 8])], others: Vec::new() }));
    }
    assert!(world.closed_since(mark).is_some(), "questions of a peer that does not listen pile up");
    agree(&mut world);
}

#[test]
fn a_carrier_keeps_a_bounded_number_of_parcels() {
    let mut world = market(7);
    let link = world.greeted(STORE, MALLORY, &[]);
    let parcel = |to: u32, from: u32, number: u64| {
        let (to, from, sealed) = (NodeId(to), NodeId(from), vec![9; 100_000]);
        Frame::Parcel(Parcel { to, from, number, sealed, signature: [0; 64] })
    };
    for n in 0..2_000_u32 {
        world.say(STORE, link, &parcel(100_000 + n, 200_000 + n, 1));
        world.say(STORE, link, &parcel(HUB, 300_000 + n, 1));
    }
    assert!(world.status(STORE).parcels_carried <= 128, "{}", world.status(STORE).parcels_carried);
    agree(&mut world);
}

#[test]
fn more_links_than_a_core_keeps_are_closed() {
    let mut world = market(8);
    for _ in 0..LINKS_MAX + 50 {
        world.puppet(HUB, MALLORY, 0);
    }
    assert!(world.closed.len() >= 50);
    assert!(world.status(HUB).peers.len() <= LINKS_MAX);
}

#[test]
fn thirty_thousand_broken_frames_leave_a_core_as_it_was() {
    let seed = 9;
    let mut world = market(seed);
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let frames = recorded(&mut world);
    assert!(frames.len() > 60, "{}", frames.len());
    let before = [HUB, STORE].map(|id| books(&*world.snapshot(id), StoreId(1)));
    let (mut cut, mut links) = (0, [None::<LinkId>; 2]);
    for n in 0..30_000 {
        let (slot, target) = [(0, HUB), (1, STORE)][n % 2];
        let bytes = broken(&mut rng, &frames);
        let mark = world.closed.len();
        let link = *links[slot].get_or_insert_with(|| world.greeted(target, MALLORY, &[Scope::Control, stock(1)]));
        world.inject(target, link, bytes);
        if world.closed.len() > mark {
            (links[slot], cut) = (None, cut + 1);
        }
        if n % 500 == 0 {
            world.run_ms(100);
        }
    }
    println!("{cut} links were closed");
    assert!(cut > 1_000);
    for id in [HUB, STORE] {
        assert_eq!(world.status(id).epoch.0, 1);
        assert!(world.status(id).parcels_carried <= 128);
    }
    assert_eq!(before, [HUB, STORE].map(|id| books(&*world.snapshot(id), StoreId(1))), "another store's books");
    world.run_ms(2_000);
    agree(&mut world);
}

/// A real frame with bits turned, bytes cut, added or exchanged with another frame's.
fn broken(rng: &mut ChaCha8Rng, frames: &[Vec<u8>]) -> Vec<u8> {
    let mut below = |bound: usize| rng.next_u32() as usize % bound.max(1);
    let mut bytes = frames[below(frames.len())].clone();
    for _ in 0..=below(3) {
        let at = below(bytes.len());
        match below(8) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, [0, 1, 0x7f, 0x80, 0xff][below(5)]),
            2 => drop(bytes.splice(at..at, [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1])),
            3 => {
                let other = &frames[below(frames.len())];
                let from = below(other.len());
                bytes.truncate(at);
                bytes.extend(&other[from..]);
            }
            4 if !bytes.is_empty() => drop(bytes.remove(at)),
            _ if !bytes.is_empty() => bytes[at] ^= 1 << below(8),
            _ => {}
        }
    }
    bytes
}

/// Frames of every kind, as real nodes sent them: handshakes, feeds, cells, parcels, pulses.
fn recorded(world: &mut World) -> Vec<Vec<u8>> {
    world.recording = true;
    world.start(MALLORY);
    world.connect(MALLORY, HUB);
    world.connect(MALLORY, STORE);
    for n in 50..60 {
        world.sell(MALLORY, 1, n, &[("TEA", 2)]).unwrap();
        world.put_products(&[(&format!("P{n}"), Unit::Each)]);
        world.run_ms(900);
    }
    world.cut(MALLORY, HUB);
    world.run_ms(4_000);
    world.sell(MALLORY, 1, 99, &[("TEA", 2)]).unwrap();
    world.run_ms(20_000);
    world.recording = false;
    world.crash(MALLORY);
    world.run_ms(3_000);
    let frames: Vec<_> = std::mem::take(&mut world.sent).into_iter().map(|sent| sent.bytes).collect();
    let kinds: std::collections::BTreeSet<_> = frames.iter().map(|bytes| bytes[0]).collect();
    assert!([0, 1, 3, 4, 5, 8, 9, 10].iter().all(|kind| kinds.contains(kind)), "{kinds:?}");
    world.closed.clear();
    frames
}

fn parked(world: &World) -> usize {
    world.status(HUB).parked
}

/// After all that, the honest two still work together.
fn agree(world: &mut World) {
    world.sell(STORE, 1, 77_777, &[("TEA", 1)]).unwrap();
    let same = |w: &World| books(&*w.snapshot(HUB), StoreId(1)) == books(&*w.snapshot(STORE), StoreId(1));
    assert!(world.run_until(20_000, same), "the honest nodes no longer agree");
}

fn stock(store: u32) -> Scope {
    Scope::StoreStock(StoreId(store))
}

fn market(seed: u64) -> World {
    println!("seed {seed}");
    let mut world = World::with_stores(seed, 2);
    world.put_products(&[("TEA", Unit::Each)]);
    for (a, b) in [(2, 1), (3, 1), (2, 3)] {
        world.connect(a, b);
    }
    world.run_ms(3_000);
    world.sell(STORE, 1, 1, &[("TEA", 5)]).unwrap();
    world.run_ms(3_000);
    world.crash(MALLORY);
    world.run_ms(1_000);
    world.closed.clear();
    world
}
