//! Who may write what where: every writer in every area with every kind of fact, through a real core. What is allowed has an effect;
//! what is denied in a log that its author may have is kept and passed on without one; a log that it may not have is refused.

#![allow(clippy::unwrap_used, clippy::disallowed_macros, reason = "a test says its seed and stops where it fails")]

mod authority {
    pub mod facts;
}

use stockroom_core::authority::{Area, Writer, area, may_open, may_write};
use stockroom_core::input::{Event, LinkId};
use stockroom_core::journal::Place;
use stockroom_core::sync::frames::{CellsFrame, Frame};
use stockroom_crdt::batch::Item;
use stockroom_crdt::clock::Hlc;
use stockroom_crdt::entry::{Entry, Fact, Opaque, kind};
use stockroom_crdt::ids::{Actor, Code, StoreId};
use stockroom_crdt::money::Unit;
use stockroom_crdt::scope::Scope;
use stockroom_sim::oracle::rows;
use stockroom_sim::puppet::sale;
use stockroom_sim::world::World;

use authority::facts::{facts, fitted, store_record};

const HUB: u32 = 1;
const STORE: u32 = 2;
const MALLORY: u32 = 3;
const THIRD: u32 = 4;

const WRITERS: [Writer; 3] = [Writer::Hub, Writer::OwnStore, Writer::OtherStore];

/// The table once more, in other words: written by hand from the design, not from the code.
fn design(writer: Writer, area: Area) -> &'static [u16] {
    match (writer, area) {
        (Writer::Hub, Area::Control) => &[1, 2, 10, 11, 12, 13, 14, 67, 68, 69, 81, 83, 84, 110, 120, 121],
        (Writer::Hub, Area::Catalog) => &[1, 20, 21, 23, 80, 112],
        (Writer::Hub, Area::Prices) => &[1, 22, 82],
        (Writer::Hub, Area::StoreRights) => &[1, 40, 41, 42, 43, 44, 46, 47],
        (Writer::OwnStore, Area::StoreRights) => &[1, 2, 40, 41, 42, 43, 44, 45, 46, 48, 66],
        (Writer::OtherStore, Area::StoreRights) => &[1, 40, 41, 42, 43, 44, 46],
        (Writer::OwnStore, Area::StoreStock) => {
            &[1, 30, 31, 32, 33, 34, 35, 36, 49, 50, 51, 52, 53, 54, 70, 85, 86, 87, 88, 89, 90, 91, 92]
        }
        (Writer::Hub, Area::StoreMembers) => &[1, 100, 101, 102, 103, 104, 105, 111, 113, 115, 120],
        (Writer::OwnStore, Area::StoreMembers) => &[1, 100, 101, 102, 103, 104, 105, 111, 113, 114, 115, 116, 120, 121],
        (Writer::Hub, Area::Orders) => &[1, 60, 63, 64, 65, 120, 121],
        (Writer::Hub, Area::StoreOrders) => &[1, 61, 62, 63, 70, 71, 120],
        (Writer::OwnStore, Area::StoreOrders) => &[1, 60, 61, 62, 63, 64, 65, 71, 120, 121],
        _ => &[],
    }
}

#[test]
fn the_table_says_what_the_design_says_in_every_cell() {
    for writer in WRITERS {
        for scope in scopes(1) {
            for kind in (0..300).chain([u16::MAX]) {
                let allowed = design(writer, area(&scope)).contains(&kind);
                assert_eq!(may_write(writer, area(&scope), kind), allowed, "{writer:?} {scope:?} {kind}");
            }
            assert_eq!(may_open(writer, area(&scope)), !design(writer, area(&scope)).is_empty());
        }
    }
}

#[test]
fn every_cell_holds_in_logs_that_a_real_core_takes_in() {
    println!("seeds 1..");
    let (mut effects, mut denied, mut refused) = (0, 0, 0);
    for (seed, writer) in (1..).zip(WRITERS) {
        let mut world = chain(seed);
        // Who brings the log to whom: its author over its own link, or, for a third store, the neighbour.
        let (target, via, author, store) = match writer {
            Writer::Hub => (STORE, HUB, HUB, 1),
            Writer::OwnStore => (HUB, MALLORY, MALLORY, 2),
            Writer::OtherStore => (STORE, MALLORY, THIRD, 2),
        };
        if via == HUB {
            world.crash(HUB);
        }
        let mut epoch = 10;
        for scope in scopes(store) {
            for number in 0..kind::ALL.len() {
                epoch += 1;
                let fact = fitted(facts(&world, Actor::new(author, epoch), store).swap_remove(number), &scope);
                let (kind, what) = (fact.kind(), format!("{writer:?} in {scope:?} writes {}", fact.kind()));
                let log = world.scroll(author, epoch, scope.clone()).with(fact);
                let (before, told, mark) = (rows(&*world.snapshot(target)), world.events.len(), world.closed.len());
                let link = world.greeted(target, via, &[]);
                world.tell(target, link, vec![log.all()]);
                let told = &world.events[told..];
                // What follows from it is written by the core itself, and may be of the same kind.
                let item = |place: &Place| stockroom_core::journal::entry_at(&*world.snapshot(target), *place).unwrap();
                let ours = |place: &Place| item(place).is_some_and(|item| item.bytes == log.items[1].bytes);
                let effect = told
                    .iter()
                    .any(|(_, _, e)| matches!(e, Event::Entry { kind: k, place, .. } if *k == kind && ours(place)));
                // Orders as their hub keeps them are between hubs only.
                let between_hubs = matches!(scope, Scope::Orders(_));
                let opened = may_open(writer, area(&scope)) && !scope.is_shared() && !between_hubs;
                if !opened {
                    assert!(world.closed_since(mark).is_some(), "{what}: the log is not refused");
                    assert_eq!(rows(&*world.snapshot(target)), before, "{what}: something was kept");
                    refused += 1;
                } else {
                    assert_eq!(world.closed_since(mark), None, "{what}");
                    assert!(holds(&world, target, &log.items[1]), "{what}: not kept");
                    let allowed = design(writer, area(&scope)).contains(&kind);
                    assert_eq!(effect, allowed && kind != kind::EPOCH_OPEN, "{what}");
                    (effects, denied) = (effects + u64::from(allowed), denied + u64::from(!allowed));
                }
                world.hang_up(link);
            }
        }
    }
    println!("{effects} with effect, {denied} kept without, {refused} refused");
    assert_eq!((effects, denied, refused), (16 + 8 + 11 + 7 + 7 + 10 + 23 + 11 + 14, 9 * 73 - 107, 18 * 73));
}

#[test]
fn every_cell_holds_in_values_that_the_hub_hands_down() {
    for (scope, allowed) in [(Scope::Catalog, &[20, 21, 23, 80, 112][..]), (prices(), &[22, 82])] {
        let mut world = chain(7);
        world.crash(HUB);
        for fact in facts(&world, Actor::new(HUB, 1), 1) {
            let (kind, mark, link) = (fact.kind(), world.closed.len(), world.greeted(STORE, HUB, &[]));
            let before = rows(&*world.snapshot(STORE));
            hand_down(&mut world, link, &scope, fact);
            assert_eq!(world.closed_since(mark).is_none(), allowed.contains(&kind), "{scope:?} {kind}");
            assert_eq!(rows(&*world.snapshot(STORE)) != before, allowed.contains(&kind), "{scope:?} {kind}");
            world.hang_up(link);
        }
    }
}

#[test]
fn facts_that_carry_signatures_are_believed_only_if_those_hold() {
    let mut world = chain(8);
    world.crash(HUB);
    let of_hub = Actor::new(HUB, 20);
    let (mut nodes, mut forks) = (facts(&world, of_hub, 1), facts(&world, of_hub, 1));
    let Fact::Node(node) = &mut nodes[2] else { panic!("the third is a node") };
    node.capability.log_key[0] ^= 1;
    let Fact::Fork(fork) = &mut forks[5] else { panic!("the sixth is a fork") };
    fork.right = fork.left.clone();
    for (epoch, fact) in (20..).zip([nodes.swap_remove(2), forks.swap_remove(5)]) {
        let (kind, told) = (fact.kind(), world.events.len());
        let link = world.greeted(STORE, HUB, &[]);
        let log = world.scroll(HUB, epoch, Scope::Control).with(fact);
        world.tell(STORE, link, vec![log.all()]);
        assert!(holds(&world, STORE, &log.items[1]));
        let effect = |e: &Event| matches!(e, Event::Entry { kind: k, .. } if *k == kind);
        assert!(!world.events[told..].iter().any(|(_, _, event)| effect(event)), "kind {kind}");
    }
}

#[test]
fn an_unknown_kind_is_kept_and_passed_on_byte_for_byte_and_a_critical_one_raises_the_alarm() {
    for critical in [false, true] {
        let mut world = chain(9);
        world.crash(HUB);
        world.connect(STORE, MALLORY);
        world.run_ms(1_000);
        let told = world.events.len();
        let link = world.greeted(STORE, HUB, &[]);
        let opaque = Fact::Opaque(Opaque { kind: 9_999, critical, body: b"from the future".to_vec() });
        let denied = sale(1, 1, "TEA", 1);
        let log = world.scroll(HUB, 9, Scope::Control).with(opaque).with(denied).with(store_record());
        world.tell(STORE, link, vec![log.all()]);
        world.run_ms(5_000);
        for id in [STORE, MALLORY] {
            for item in &log.items {
                assert!(holds(&world, id, item), "node {id} passes on what it cannot use");
            }
            let events = || world.events[told..].iter().filter(|(_, node, _)| *node == id).map(|(_, _, event)| event);
            let kinds: Vec<_> =
                events().filter_map(|e| if let Event::Entry { kind, .. } = e { Some(*kind) } else { None }).collect();
            assert_eq!(kinds, [kind::STORE], "node {id}: only what is allowed had an effect");
            let alarmed =
                events().any(|event| matches!(event, Event::Alarm(text) if text.contains("unknown kind 9999")));
            assert_eq!(alarmed, critical, "node {id}");
        }
        world.crash(MALLORY);
        world.start(MALLORY);
        assert!(log.items.iter().all(|item| holds(&world, MALLORY, item)));
    }
}

/// The entry stands in some log of the node, byte for byte.
fn holds(world: &World, id: u32, item: &Item) -> bool {
    let snapshot = world.snapshot(id);
    let logs = 1..=2_000;
    logs.into_iter().map(stockroom_core::journal::LogNumber).any(|log| {
        (1..=4).any(|seq| {
            let held = stockroom_core::journal::entry_at(&*snapshot, Place { log, seq }).unwrap();
            held.is_some_and(|held| held.bytes == item.bytes)
        })
    })
}

fn hand_down(world: &mut World, link: LinkId, scope: &Scope, fact: Fact) {
    let items = vec![Item::new(Entry { hlc: Hlc::new(1, 0), fact })];
    let stamps = vec![(Actor::new(HUB, 1), 5_000)];
    let mut frame = CellsFrame { scope: scope.clone(), feed_epoch: 1, to: 1, stamps, items, signature: [0; 64] };
    frame.signature = world.nodes[&HUB].keys.signer().sign(&frame.message(world.tenant()));
    world.say(STORE, link, &Frame::Cells(frame));
}

/// One scope of every area.
fn scopes(store: u32) -> [Scope; 9] {
    let s = StoreId(store);
    [
        Scope::Control,
        Scope::StoreRights(s),
        Scope::StoreOrders(s),
        Scope::StoreStock(s),
        Scope::StoreHistory(s),
        Scope::StoreMembers(s),
        prices(),
        Scope::Catalog,
        Scope::Orders(1),
    ]
}

fn prices() -> Scope {
    Scope::Prices(Code::parse("default").unwrap())
}

/// A hub and three stores of one group that have met; only the hub and the first store's node run.
fn chain(seed: u64) -> World {
    let mut world = World::with_stores(seed, 3);
    world.put_products(&[("MILK", Unit::Each)]);
    for id in [STORE, MALLORY, THIRD] {
        world.connect(id, HUB);
    }
    world.run_ms(3_000);
    for id in [STORE, MALLORY, THIRD] {
        world.cut(id, HUB);
    }
    world
}
