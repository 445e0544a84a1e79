//! Orders that a handheld takes along to where the node cannot be reached, and two people at one order.

#![allow(clippy::unwrap_used, clippy::disallowed_macros, reason = "a test says its seed and stops where it fails")]

use stockroom_core::input::Refusal;
use stockroom_core::input::orders::{FulfilRequest, Proof};
use stockroom_core::orders::desk::TAKEN_ALONG_MS;
use stockroom_crdt::ids::Code;
use stockroom_crdt::money::Unit;
use stockroom_crdt::order::OrderId;
use stockroom_crdt::order::intent::Saying;
use stockroom_crdt::order::resolve::{OrderState, State};
use stockroom_crdt::order::step::Step;
use stockroom_crdt::stock::policy::{Allocation, PolicyRule, Target};
use stockroom_sim::counter::{found, pickup, step};
use stockroom_sim::world::World;

const HUB: u32 = 1;
const FIRST: u32 = 2;

#[test]
fn what_a_handheld_took_along_is_handed_over_there_and_a_cancel_waits_for_it() {
    let (mut world, order, code) = ready(1);
    world.fulfil(FIRST, 1, along(order, "handheld-a")).unwrap();
    let elsewhere = world.hand_over(FIRST, (order, &code)).unwrap_err();
    assert!(matches!(&elsewhere, Refusal::State(text) if text.starts_with("taken along by anna")), "{elsewhere}");
    let other = FulfilRequest { holder: word("handheld-b"), ..handed(order, &code) };
    world.fulfil(FIRST, 2, other).unwrap_err();
    world.fulfil(FIRST, 2, along(order, "handheld-b")).unwrap_err();
    for ends in [Step::Uncollected, Step::Decline, Step::ConfirmCancel, Step::BringBack] {
        world.fulfil(FIRST, 3, step(order, ends)).unwrap_err();
    }
    world.say_order(HUB, 1, (order, Saying::AskCancel, "changed her mind")).unwrap();
    world.run_ms(10_000);
    assert_eq!(world.part(FIRST, (order, 1)).unwrap().state, State::Ready, "it may be in the customer's hands by now");
    let holder = FulfilRequest { holder: word("handheld-a"), ..handed(order, &code) };
    world.fulfil(FIRST, 4, holder).unwrap();
    world.run_ms(10_000);
    let outcome = world.outcome(HUB, order).unwrap();
    assert_eq!((outcome.state, outcome.due.len()), (OrderState::Completed, 0), "the cancel came too late: {outcome:?}");
    assert!(world.reached().contains_key("somebody else asked for goods that a handheld had taken along"));
}

#[test]
fn what_was_taken_along_and_not_brought_back_is_everybodys_again_when_its_time_is_over() {
    let (mut world, order, _) = ready(2);
    world.fulfil(FIRST, 1, along(order, "handheld-a")).unwrap();
    world.say_order(HUB, 1, (order, Saying::AskCancel, "changed her mind")).unwrap();
    world.run_ms(TAKEN_ALONG_MS - 60_000);
    assert_eq!(world.part(FIRST, (order, 1)).unwrap().state, State::Ready);
    world.run_ms(120_000);
    world.run_ms(10_000);
    let ended = world.part(FIRST, (order, 1)).unwrap().state;
    assert!(matches!(ended, State::Cancelled | State::StoodDown), "nobody waits for the handheld any more: {ended:?}");
    let outcome = world.outcome(HUB, order).unwrap();
    assert_eq!(outcome.state, OrderState::Cancelled, "the cancel was only put off: {outcome:?}");
}

#[test]
fn a_manager_takes_back_what_a_handheld_took_along() {
    let (mut world, order, code) = ready(3);
    world.fulfil(FIRST, 1, along(order, "handheld-a")).unwrap();
    let nobody = Proof::Manager(Code::default());
    world.fulfil(FIRST, 2, FulfilRequest { proof: nobody, ..step(order, Step::BringBack) }).unwrap_err();
    let manager = Proof::Manager(word("ben"));
    world.fulfil(FIRST, 3, FulfilRequest { proof: manager, ..step(order, Step::BringBack) }).unwrap();
    world.hand_over(FIRST, (order, &code)).unwrap();
    let late = FulfilRequest { holder: word("handheld-a"), ..handed(order, &code) };
    let late = world.fulfil(FIRST, 4, late).unwrap_err();
    assert!(matches!(&late, Refusal::State(text) if text.contains("handed over already")), "{late}");
}

#[test]
fn only_what_is_ready_is_taken_along_and_only_with_something_to_show_for_it() {
    let mut world = market(4);
    let (order, _) = world.place(HUB, pickup("1", &[("A", 1)], &[1])).unwrap();
    world.run_ms(3_000);
    world.fulfil(FIRST, 1, along(order, "handheld-a")).unwrap_err();
    world.make_ready(FIRST, order).unwrap();
    let without = world.fulfil(FIRST, 2, step(order, Step::TakeAlong)).unwrap_err();
    assert!(matches!(&without, Refusal::Invalid { field, .. } if field == "holder"), "{without}");
    world.fulfil(FIRST, 3, along(order, "handheld-a")).unwrap();
    world.fulfil(FIRST, 4, along(order, "handheld-a")).unwrap();
}

#[test]
fn the_second_of_two_pickers_is_told_of_the_first() {
    let mut world = market(5);
    let (order, _) = world.place(HUB, pickup("1", &[("A", 3), ("B", 1)], &[1])).unwrap();
    world.run_ms(3_000);
    let anew = |staff: &str, quantity: i64, reason: &str| FulfilRequest {
        staff: word(staff),
        lines: vec![found(0, quantity, reason)],
        anew: true,
        ..step(order, Step::Pick)
    };
    world.fulfil(FIRST, 1, anew("anna", 2, "too-few")).unwrap();
    let second = world.fulfil(FIRST, 2, anew("ben", 3, "")).unwrap_err();
    assert!(matches!(&second, Refusal::State(text) if text.contains("anna has looked for line 1 already")), "{second}");
    assert_eq!(world.part(FIRST, (order, 1)).unwrap().lines[0].picked, Some(2));
    let corrected = FulfilRequest { anew: false, ..anew("ben", 3, "") };
    world.fulfil(FIRST, 3, corrected).unwrap();
    assert_eq!(world.part(FIRST, (order, 1)).unwrap().lines[0].picked, Some(3), "who knows of it may correct it");
}

fn along(order: OrderId, holder: &str) -> FulfilRequest {
    FulfilRequest { note: word(holder), holder: word(holder), ..step(order, Step::TakeAlong) }
}

fn handed(order: OrderId, code: &str) -> FulfilRequest {
    FulfilRequest { proof: Proof::Code(code.into()), ..step(order, Step::HandOver) }
}

/// An order that lies ready.
fn ready(seed: u64) -> (World, OrderId, String) {
    let mut world = market(seed);
    let (order, code) = world.place(HUB, pickup("1", &[("A", 2)], &[1])).unwrap();
    world.run_ms(3_000);
    world.make_ready(FIRST, order).unwrap();
    (world, order, code)
}

fn market(seed: u64) -> World {
    println!("seed {seed}");
    let mut world = World::new(seed);
    world.put_products(&[("A", Unit::Each), ("B", Unit::Each)]);
    world.enrol_in_group(1, "red");
    world.put_rule(PolicyRule::of(Target::All, Allocation::HubOnly));
    world.connect(FIRST, HUB);
    world.run_ms(5_000);
    world.receive(FIRST, "A", 10);
    world.receive(FIRST, "B", 10);
    world.run_ms(5_000);
    world
}

fn word(text: &str) -> Code {
    Code::parse(text).unwrap()
}
