//! A cancel, a handover and another route for one order, in every order in which they can meet, on the real cores: whatever came
//! first where, all replicas tell the same in the end, goods left a store once, and money came back for what the customer does not have.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_macros,
    reason = "a test says what it counted and stops where it fails"
)]

use std::collections::{BTreeMap, BTreeSet};

use stockroom_core::input::orders::{FulfilRequest, PlaceRequest, Proof};
use stockroom_crdt::ids::{Sku, StoreId};
use stockroom_crdt::money::Unit;
use stockroom_crdt::order::OrderId;
use stockroom_crdt::order::intent::Saying;
use stockroom_crdt::order::redress::Rule;
use stockroom_crdt::order::resolve::State;
use stockroom_crdt::order::step::Step;
use stockroom_crdt::stock::policy::{Allocation, PolicyRule, Target};
use stockroom_crdt::stock::rights::Account;
use stockroom_sim::counter::{delivery, pickup, step};
use stockroom_sim::world::World;

const HUB: u32 = 1;
const FIRST: u32 = 2;
const SECOND: u32 = 3;

/// What can happen, in any order. Nobody reaches anybody but in `Hear`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Deed {
    /// The customer cancels at the hub.
    Cancel,
    /// Time passes: a store that did not answer is passed over.
    Silence,
    /// The hub and a store's node hear everything that the other has.
    Hear(u32),
    /// A store gets it ready, and it leaves: to the customer for the code, or with a rider.
    Give(u32),
    /// The customer shows a pass at the first store.
    Show,
}

#[test]
fn a_delivery_that_is_cancelled_routed_again_and_sent_out_in_any_order_ends_alike_everywhere() {
    let deeds = [
        Deed::Cancel,
        Deed::Silence,
        Deed::Hear(FIRST),
        Deed::Hear(FIRST),
        Deed::Hear(SECOND),
        Deed::Give(FIRST),
        Deed::Give(SECOND),
    ];
    let ends = search(&deeds, false);
    println!("{} interleavings, {} different ends: {ends:?}", ends.values().sum::<u64>(), ends.len());
    assert_eq!(ends.values().sum::<u64>(), 2_520, "7! orders of 7 deeds, two of which are the same");
    assert!(ends.len() > 2, "they do not all end in the same way");
}

#[test]
fn a_pickup_that_is_cancelled_and_collected_by_code_and_by_pass_in_any_order_ends_alike_everywhere() {
    let deeds = [Deed::Cancel, Deed::Hear(FIRST), Deed::Hear(FIRST), Deed::Give(FIRST), Deed::Show, Deed::Silence];
    let ends = search(&deeds, true);
    println!("{} interleavings, {} different ends: {ends:?}", ends.values().sum::<u64>(), ends.len());
    assert_eq!(ends.values().sum::<u64>(), 360, "6! orders of 6 deeds, two of which are the same");
    assert!(ends.len() > 1, "they do not all end in the same way");
}

/// Plays every order of these deeds; how often each end was reached.
fn search(deeds: &[Deed], is_pickup: bool) -> BTreeMap<String, u64> {
    let mut ends = BTreeMap::new();
    let mut orders = BTreeSet::new();
    permute(&mut deeds.to_vec(), 0, &mut orders);
    for order in orders {
        *ends.entry(play(&order, is_pickup)).or_default() += 1;
    }
    ends
}

fn permute(deeds: &mut Vec<Deed>, from: usize, out: &mut BTreeSet<Vec<Deed>>) {
    if from == deeds.len() {
        out.insert(deeds.clone());
    }
    for at in from..deeds.len() {
        deeds.swap(from, at);
        permute(deeds, from + 1, out);
        deeds.swap(from, at);
    }
}

fn play(deeds: &[Deed], is_pickup: bool) -> String {
    let mut world = market();
    let wanted = [("A", 2)];
    let (order, code) = if is_pickup {
        world.place(HUB, pickup("1", &wanted, &[1])).unwrap()
    } else {
        world.place(HUB, PlaceRequest { stores: vec![StoreId(1)], ..delivery("1", &wanted) }).unwrap()
    };
    let pass = is_pickup.then(|| world.pass(HUB, order).unwrap());
    let mut given: BTreeMap<u32, i64> = BTreeMap::new();
    for deed in deeds {
        match deed {
            Deed::Cancel => {
                let _ = world.say_order(HUB, 1, (order, Saying::AskCancel, ""));
            }
            Deed::Silence => world.run_ms(16 * 60_000),
            Deed::Hear(store) => {
                world.connect(*store, HUB);
                world.run_ms(4_000);
                world.cut(*store, HUB);
            }
            Deed::Give(store) => give(&mut world, *store, (order, &code, is_pickup), &mut given),
            Deed::Show => {
                let proof = Proof::Pass(pass.clone().unwrap());
                if world.fulfil(FIRST, 7, FulfilRequest { proof, ..step(order, Step::HandOver) }).is_ok() {
                    *given.entry(FIRST).or_default() += 2;
                }
            }
        }
    }
    // Everybody meets again and finishes: what is on its way arrives, what nobody wants goes back, who can still serve it does.
    for store in [FIRST, SECOND] {
        world.connect(store, HUB);
    }
    world.run_ms(6_000);
    for _ in 0..3 {
        for store in [FIRST, SECOND] {
            let Some(part) = world.part(store, (order, store - 1)) else { continue };
            if part.state.is_open() && part.state < State::Out {
                give(&mut world, store, (order, &code, is_pickup), &mut given);
            } else if part.to_put_back {
                world.fulfil(store, 9, step(order, Step::PutBack)).unwrap();
            }
            world.run_ms(2_000);
            if world.part(HUB, (order, store - 1)).is_some_and(|part| part.state == State::Out) {
                let delivered = FulfilRequest { store: Some(StoreId(store - 1)), ..step(order, Step::Deliver) };
                world.fulfil(HUB, 3, delivered).unwrap();
            }
            world.run_ms(2_000);
        }
    }
    check(&world, order, (&given, deeds))
}

/// The store gets it ready and gives it away, if it knows of it and may.
fn give(
    world: &mut World,
    store: u32,
    (order, code, is_pickup): (OrderId, &str, bool),
    given: &mut BTreeMap<u32, i64>,
) {
    for doing in [Step::Accept, Step::Pick, Step::Ready] {
        let _ = world.fulfil(store, 0, step(order, doing));
    }
    let leaves = if is_pickup {
        FulfilRequest { proof: Proof::Code(code.to_owned()), ..step(order, Step::HandOver) }
    } else {
        step(order, Step::Dispatch)
    };
    if world.fulfil(store, world.clock(store).mono_ms, leaves).is_ok() {
        *given.entry(store).or_default() += 2;
    }
}

/// What must hold in the end, however it came about; gives the end in words.
fn check(world: &World, order: OrderId, (given, deeds): (&BTreeMap<u32, i64>, &[Deed])) -> String {
    let outcome = world.outcome(HUB, order).unwrap();
    let line = &outcome.lines[0];
    assert_eq!(line.ordered, line.open + line.handed + line.cancelled + line.failed, "{deeds:?} {outcome:?}");
    assert!(!outcome.state.is_open() && outcome.stable, "{deeds:?} {outcome:#?}");
    // Every replica tells the same of each part.
    for part in &outcome.fulfillments {
        let own = world.part(part.store.0 + 1, (order, part.store.0));
        let newest = outcome.fulfillments.iter().rfind(|other| other.store == part.store);
        assert_eq!(own.as_ref(), newest, "{deeds:?}");
    }
    let units: i64 = given.values().sum();
    assert_eq!(units, line.handed + line.over, "what left the stores is what the customer has: {deeds:?} {outcome:#?}");
    for store in [FIRST, SECOND] {
        let account = Account { store: StoreId(store - 1), sku: Sku::parse("A").unwrap(), unit: Unit::Each };
        for node in [HUB, store] {
            let on_hand = stockroom_core::rights::home::on_hand(&*world.snapshot(node), &account).unwrap();
            assert_eq!(on_hand, 10 - given.get(&store).unwrap_or(&0), "goods leave the book once: {deeds:?}");
        }
        let open = stockroom_core::books::rights::open(&*world.snapshot(store), &account).unwrap();
        assert!(open.is_empty(), "nothing is kept for anybody: {deeds:?} {open:?}");
    }
    let refund: i64 = outcome.due.iter().filter(|due| due.rule.is_refund()).map(|due| due.amount).sum();
    assert_eq!(refund, 100 * (line.cancelled + line.failed), "{deeds:?} {outcome:#?}");
    let owned_up = outcome.due.iter().any(|due| due.rule == Rule::HandedTwice);
    assert_eq!(owned_up, line.over > 0, "{deeds:?} {outcome:#?}");
    let parts: Vec<_> =
        outcome.fulfillments.iter().map(|part| format!("store {} {}", part.store.0, part.state.as_str())).collect();
    format!("{}: {}", outcome.state.as_str(), parts.join(", "))
}

/// A hub and two stores that reach nobody, with ten of A each, all rights at the hub.
fn market() -> World {
    let mut world = World::new(1);
    world.put_products(&[("A", Unit::Each)]);
    world.enrol_in_group(1, "");
    world.enrol_in_group(2, "");
    world.put_rule(PolicyRule::of(Target::All, Allocation::HubOnly));
    for node in [FIRST, SECOND] {
        world.connect(node, HUB);
    }
    world.run_ms(2_000);
    for node in [FIRST, SECOND] {
        world.receive(node, "A", 10);
    }
    world.run_ms(4_000);
    for node in [FIRST, SECOND] {
        world.cut(node, HUB);
    }
    world
}
