//! Who gets to see what: a peer's bytes never hold what it may not read, and a parcel is read by its addressee only.

#![allow(clippy::unwrap_used, clippy::disallowed_macros, reason = "a test says its seed and stops where it fails")]

use stockroom_core::input::{Answer, Command, Event, Refusal, RetryKey};
use stockroom_core::storage::{Direction, TABLES};
use stockroom_core::sync::frames::{Entries, Frame, Parcel};
use stockroom_crdt::ids::{Code, Digest, NodeId, Sku, StoreId};
use stockroom_crdt::money::Unit;
use stockroom_crdt::receiving::Adjustment;
use stockroom_crdt::scope::Scope;
use stockroom_sim::oracle::{books, rows};
use stockroom_sim::puppet::sale;
use stockroom_sim::world::World;

const HUB: u32 = 1;
const RED: u32 = 2;
const BLUE: u32 = 3;
const RED_TOO: u32 = 4;

/// Stands in an entry of the red store and nowhere else.
const SENTINEL: &str = "sentinel-4f1d";

#[test]
fn a_peer_gets_only_what_lies_between_the_two() {
    let everything = |store: u32| {
        let s = StoreId(store);
        [Scope::StoreStock(s), Scope::StoreRights(s), Scope::StoreOrders(s), Scope::StoreHistory(s)]
    };
    for (target, who, sees) in
        [(HUB, RED, true), (HUB, BLUE, false), (HUB, RED_TOO, false), (RED, BLUE, false), (RED, RED_TOO, true)]
    {
        let mut world = market(1);
        world.recording = true;
        let wants =
            [&everything(1)[..], &[Scope::StoreMembers(StoreId(2)), Scope::Orders(1), Scope::StoreMembers(StoreId(3))]]
                .concat();
        world.crash(who);
        let link = world.greeted(target, who, &wants);
        world.say(target, link, &Frame::Want(world.hello(who, &wants).wants));
        world.run_ms(20_000);
        let bytes: Vec<u8> = world.sent_on(link).flat_map(|sent| sent.bytes.clone()).collect();
        assert!(!bytes.is_empty());
        assert_eq!(contains(&bytes, SENTINEL), sees, "node {who} at node {target}");
        let rights = world.sent_on(link).any(|sent| match Frame::decode(&sent.bytes).unwrap() {
            Frame::Entries(entries) => entries.scope == Scope::StoreRights(StoreId(1)),
            _ => false,
        });
        assert_eq!(
            rights,
            who != BLUE,
            "a store's rights are between it, its hub and its group: node {who} at node {target}"
        );
    }
}

#[test]
fn stores_of_one_group_read_each_others_stock_and_nobody_elses() {
    let mut world = market(2);
    world.connect(RED_TOO, RED);
    world.run_ms(3_000);
    assert!(on_disk(&world, RED_TOO), "stores of one group read each other's stock");
    assert!(!on_disk(&world, BLUE));
}

#[test]
fn a_carrier_reads_nothing() {
    let (mut world, parcels) = carried(3);
    assert!(world.run_until(60_000, |w| books(&*w.snapshot(HUB), StoreId(1)) == books(&*w.snapshot(RED), StoreId(1))));
    assert!(on_disk(&world, HUB));
    assert!(!on_disk(&world, BLUE), "the carrier's disk");
    let told: Vec<u8> = world.sent.iter().filter(|s| s.to == BLUE).flat_map(|s| s.bytes.clone()).collect();
    assert!(!contains(&told, SENTINEL), "what the carrier was told");
    assert!(!parcels.is_empty());
}

#[test]
fn a_parcel_that_is_not_its_senders_is_refused() {
    let (mut world, parcels) = carried(4);
    let real = parcels[0].clone();
    let blue_keys = world.nodes[&BLUE].keys.clone();
    let mut forged = Parcel { from: NodeId(RED), number: 99, ..real.clone() };
    forged.signature = blue_keys.signer().sign(&forged.message(world.tenant()));
    let mut tampered = real.clone();
    let middle = tampered.sealed.len() / 2;
    tampered.sealed[middle] ^= 1;
    let renumbered = Parcel { number: real.number + 1, ..real.clone() };
    let readdressed = Parcel { to: NodeId(RED_TOO), ..real.clone() };
    for (what, parcel) in
        [("forged", &forged), ("tampered", &tampered), ("renumbered", &renumbered), ("readdressed", &readdressed)]
    {
        for target in [HUB, RED_TOO] {
            let (before, mark) = (rows(&*world.snapshot(target)), world.closed.len());
            let link = world.greeted(target, BLUE, &[]);
            world.say(target, link, &Frame::Parcel(parcel.clone()));
            assert!(world.closed_since(mark).is_some(), "{what} at {target}");
            assert_eq!(rows(&*world.snapshot(target)), before, "{what} at {target}");
        }
    }
}

#[test]
fn a_parcel_signed_by_its_sender_opens_for_its_addressee_only() {
    let (mut world, parcels) = carried(5);
    let keys = world.nodes[&RED].keys.clone();
    let altered = |change: &dyn Fn(&mut Parcel), tenant| {
        let mut parcel = parcels[0].clone();
        change(&mut parcel);
        parcel.signature = keys.signer().sign(&parcel.message(tenant));
        parcel
    };
    let tenant = world.tenant();
    let wrong = [
        (HUB, altered(&|p| p.sealed[40] ^= 1, tenant)),
        (HUB, altered(&|p| p.number += 1, tenant)),
        (HUB, altered(&|p| p.sealed.truncate(31), tenant)),
        (RED_TOO, altered(&|p| p.to = NodeId(RED_TOO), tenant)),
    ];
    for (target, parcel) in wrong {
        let (before, mark) = (rows(&*world.snapshot(target)), world.closed.len());
        let link = world.greeted(target, BLUE, &[]);
        world.say(target, link, &Frame::Parcel(parcel));
        assert_eq!(world.closed_since(mark), None, "its carrier could not know");
        assert_eq!(rows(&*world.snapshot(target)), before);
        world.hang_up(link);
    }
}

#[test]
fn a_replayed_parcel_changes_nothing() {
    let (mut world, parcels) = carried(6);
    assert!(world.run_until(60_000, |w| books(&*w.snapshot(HUB), StoreId(1)) == books(&*w.snapshot(RED), StoreId(1))));
    world.run_ms(10_000);
    let before = rows(&*world.snapshot(HUB));
    let link = world.greeted(HUB, BLUE, &[]);
    for parcel in parcels.iter().chain(&parcels) {
        world.say(HUB, link, &Frame::Parcel(parcel.clone()));
    }
    assert_eq!(rows(&*world.snapshot(HUB)), before);
    assert!(world.status(HUB).peers.len() <= 3, "answers leave nothing behind");
}

#[test]
fn a_chain_of_carriers_passes_on_what_it_can_and_breaks_no_link() {
    // The hub's answer to a carrier's own parcel once made the carrier put the parcels that it carried into its next one:
    // a parcel in a parcel, too large for the next carrier, which cut the link.
    let mut world = market(7);
    world.cut(RED, HUB);
    world.connect(RED, BLUE);
    world.connect(BLUE, RED_TOO);
    world.connect(RED_TOO, HUB);
    world.run_ms(2_000);
    for n in 1..=400 {
        mark_goods(&mut world, RED, n).unwrap();
        mark_goods(&mut world, BLUE, n).unwrap();
    }
    world.run_ms(120_000);
    assert!(world.closed.is_empty(), "{:?}", world.closed);
    let useless = |event: &Event| matches!(event, Event::Alarm(text) if text.contains("cannot be used"));
    assert!(!world.events.iter().any(|(_, _, event)| useless(event)), "no parcel stands in another");
    assert!(books(&*world.snapshot(HUB), StoreId(2)) == books(&*world.snapshot(BLUE), StoreId(2)));
}

#[test]
fn a_parcel_in_a_parcel_is_not_opened() {
    // Each was opened inside the opening of the one around it: a few hundred of them were the end of the stack.
    let mut world = market(8);
    world.crash(RED);
    let log = world.scroll(RED, 5, Scope::StoreStock(StoreId(1))).with(sale(1, 1, "TEA", 1));
    let entries =
        Entries { scope: log.id.scope.clone(), feed_epoch: 1, after: 0, to: 1, complete: true, runs: vec![log.all()] };
    let mut frames = vec![Frame::Hello(world.hello(RED, &[])), Frame::Entries(entries)];
    for number in 1..=400 {
        frames = vec![Frame::Parcel(world.parcel(RED, HUB, number, &frames))];
    }
    let (before, mark, link) = (rows(&*world.snapshot(HUB)), world.closed.len(), world.greeted(HUB, BLUE, &[]));
    world.say(HUB, link, &frames[0]);
    assert_eq!(world.closed_since(mark), None, "its carrier could not know");
    assert_eq!(rows(&*world.snapshot(HUB)), before);
}

#[test]
fn a_bad_answer_to_a_parcel_costs_that_answer_only() {
    // The courier's link was gone after it, while the timer still woke it: the next wake was a panic.
    let mut world = market(9);
    world.crash(BLUE);
    world.recording = true;
    let link = world.greeted(RED, BLUE, &[]);
    mark_goods(&mut world, RED, 1).unwrap();
    let parcels = |world: &World| {
        let of = |sent: &&stockroom_sim::world::Sent| matches!(Frame::decode(&sent.bytes), Ok(Frame::Parcel(_)));
        world.sent_on(link).filter(of).count()
    };
    assert!(world.run_until(20_000, |w| parcels(w) == 1));
    let nonsense = Frame::Located(world.scroll(RED, 77, Scope::Control).id, 1, None);
    let answer = world.parcel(HUB, RED, 1, &[nonsense]);
    world.say(RED, link, &Frame::Parcel(answer));
    world.run_ms(30_000);
    assert!(parcels(&world) > 1, "it goes on asking");
    assert_eq!(world.closed, []);
}

/// A red store without a link to the hub, whose parcels the blue one carried. Gives the parcels that it sent.
fn carried(seed: u64) -> (World, Vec<Parcel>) {
    let mut world = market(seed);
    world.recording = true;
    world.connect(RED, BLUE);
    world.connect(BLUE, HUB);
    for n in 100..120 {
        mark_goods(&mut world, RED, n).unwrap();
    }
    world.run_ms(12_000);
    let parcels = world.sent.iter().filter(|s| s.from == RED && s.to == BLUE);
    let parcels: Vec<_> = parcels
        .filter_map(|sent| match Frame::decode(&sent.bytes) {
            Ok(Frame::Parcel(parcel)) => Some(parcel),
            _ => None,
        })
        .collect();
    assert!(!parcels.is_empty());
    world.closed.clear();
    (world, parcels)
}

/// An entry with the sentinel in it.
fn mark_goods(world: &mut World, id: u32, n: u64) -> Result<Answer, Refusal> {
    let key = Digest::of(&[&id.to_be_bytes(), &n.to_be_bytes()]);
    let reason = Code::parse(&format!("{SENTINEL}-{n}")).unwrap();
    let sku = Sku::parse("TEA").unwrap();
    let adjustment =
        Adjustment { sku, unit: Unit::Each, delta: 1, reason, lot: Code::default(), staff: Code::default() };
    world.command(id, Command::Adjust(RetryKey { key, body: key }, adjustment))
}

fn on_disk(world: &World, id: u32) -> bool {
    let all = (std::ops::Bound::Unbounded, std::ops::Bound::Unbounded);
    let snapshot = world.snapshot(id);
    TABLES.into_iter().any(|table| {
        let rows = snapshot.scan(table, all, Direction::Forward, usize::MAX).unwrap();
        rows.iter().any(|(key, value)| contains(key, SENTINEL) || contains(value, SENTINEL))
    })
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

/// A red store with the sentinel in its books, known to the hub; a blue store; another red store. Nobody is connected.
fn market(seed: u64) -> World {
    println!("seed {seed}");
    let mut world = World::new(seed);
    for (store, group) in [(1, "red"), (2, "blue"), (3, "red")] {
        world.enrol_in_group(store, group);
    }
    world.put_products(&[("TEA", Unit::Each)]);
    for id in [RED, BLUE, RED_TOO] {
        world.connect(id, HUB);
    }
    world.run_ms(3_000);
    mark_goods(&mut world, RED, 0).unwrap();
    world.run_ms(3_000);
    for id in [RED, BLUE, RED_TOO] {
        world.cut(id, HUB);
    }
    world.closed.clear();
    world
}
