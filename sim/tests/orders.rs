//! Orders in a small world: routing, picking, handing over, cancels that meet handovers, passes at stores that know nothing.

#![allow(clippy::unwrap_used, clippy::disallowed_macros, reason = "a test says its seed and stops where it fails")]

use stockroom_core::books::rights as book;
use stockroom_core::input::orders::{FulfilRequest, Proof, RedressRequest, SayRequest};
use stockroom_core::input::{Answer, Command, Refusal, RetryKey};
use stockroom_crdt::ids::{Code, Digest, Sku, StoreId};
use stockroom_crdt::money::Unit;
use stockroom_crdt::order::LineUnits;
use stockroom_crdt::order::OrderId;
use stockroom_crdt::order::intent::Saying;
use stockroom_crdt::order::redress::Rule;
use stockroom_crdt::order::resolve::{OrderState, State, Why};
use stockroom_crdt::order::step::Step;
use stockroom_crdt::stock::policy::{Allocation, PolicyRule, Target};
use stockroom_crdt::stock::rights::{Account, Class};
use stockroom_sim::counter::{delivery, found, pickup, step};
use stockroom_sim::world::World;

const HUB: u32 = 1;
const FIRST: u32 = 2;
const SECOND: u32 = 3;

#[test]
fn an_order_is_picked_and_handed_over_once_and_its_goods_leave_the_book_once() {
    let mut world = market(1);
    let (order, code) = world.place(HUB, pickup("1", &[("A", 3), ("B", 2)], &[1])).unwrap();
    assert_eq!(world.place(HUB, pickup("1", &[("A", 3), ("B", 2)], &[1])).unwrap(), (order, code.clone()), "a retry");
    world.run_ms(3_000);
    assert_eq!(world.part(FIRST, (order, 1)).unwrap().state, State::Offered);
    world.make_ready(FIRST, order).unwrap();
    assert_eq!(on_hand(&world, FIRST, "A"), 10, "what lies in the bay is still the store's");
    assert!(matches!(world.hand_over(FIRST, (order, "000000")), Ok(Answer::CodeWrong { left: 4 })));
    world.run_ms(1_000);
    world.hand_over(FIRST, (order, &code)).unwrap();
    world.run_ms(1_000);
    let again = world.hand_over(FIRST, (order, &code)).unwrap_err();
    assert!(matches!(&again, Refusal::State(text) if text.contains("handed over already")), "{again}");
    world.run_ms(3_000);
    let outcome = world.outcome(HUB, order).unwrap();
    assert_eq!((outcome.state, outcome.stable, outcome.charge), (OrderState::Completed, true, 500), "{outcome:?}");
    assert!(outcome.due.is_empty(), "{:?}", outcome.due);
    for node in [HUB, FIRST] {
        assert_eq!((on_hand(&world, node, "A"), on_hand(&world, node, "B")), (7, 8));
        assert_eq!(owed_of(&world, node, "A"), 7);
    }
}

#[test]
fn a_cancel_that_comes_after_the_handover_changes_nothing_and_says_why() {
    let mut world = market(2);
    let (order, code) = world.place(HUB, pickup("1", &[("A", 1)], &[1])).unwrap();
    world.run_ms(3_000);
    world.make_ready(FIRST, order).unwrap();
    world.run_ms(3_000);
    world.cut(FIRST, HUB);
    world.say_order(HUB, 1, (order, Saying::AskCancel, "changed her mind")).unwrap();
    world.hand_over(FIRST, (order, &code)).unwrap();
    world.run_ms(60_000);
    let before = world.outcome(HUB, order).unwrap();
    assert_eq!(before.state, OrderState::Open(State::Ready), "the store decides, and was not heard");
    assert!(before.due.is_empty(), "nothing is paid back before the store confirms: {:?}", before.due);
    world.connect(FIRST, HUB);
    world.run_ms(20_000);
    let outcome = world.outcome(HUB, order).unwrap();
    assert_eq!((outcome.state, outcome.due.len()), (OrderState::Completed, 0), "{outcome:?}");
    assert!(
        outcome.reasons.iter().any(|reason| matches!(reason.why, Why::HandedBeforeCancel(..))),
        "{:?}",
        outcome.reasons
    );
}

#[test]
fn a_cancel_that_reaches_the_store_first_is_confirmed_paid_back_and_the_goods_are_put_back() {
    let mut world = market(3);
    let (order, code) = world.place(HUB, pickup("1", &[("A", 2)], &[1])).unwrap();
    world.run_ms(3_000);
    world.make_ready(FIRST, order).unwrap();
    world.run_ms(3_000);
    world.say_order(HUB, 1, (order, Saying::AskCancel, "")).unwrap();
    world.run_ms(3_000);
    let part = world.part(FIRST, (order, 1)).unwrap();
    assert_eq!((part.state, part.to_put_back), (State::Cancelled, true));
    let refused = world.hand_over(FIRST, (order, &code)).unwrap_err();
    assert!(matches!(&refused, Refusal::State(text) if text.contains("cancelled")), "{refused}");
    world.fulfil(FIRST, 1, step(order, Step::PutBack)).unwrap();
    world.run_ms(3_000);
    let outcome = world.outcome(HUB, order).unwrap();
    assert_eq!((outcome.state, outcome.stable), (OrderState::Cancelled, true));
    let due: Vec<_> = outcome.due.iter().map(|due| (due.rule, due.amount)).collect();
    assert_eq!(due, [(Rule::Cancelled, 200)]);
    assert_eq!((on_hand(&world, HUB, "A"), owed_of(&world, HUB, "A")), (10, 10), "they can be promised again");
}

#[test]
fn a_store_that_never_heard_of_the_order_hands_it_over_for_a_pass_and_only_once() {
    let mut world = market(4);
    world.cut(FIRST, HUB);
    world.cut(FIRST, SECOND);
    let (order, _) = world.place(HUB, pickup("1", &[("A", 2)], &[1])).unwrap();
    let pass = world.pass(HUB, order).unwrap();
    world.run_ms(60_000);
    assert!(world.part(FIRST, (order, 1)).is_none());
    // While the pass is out its home does not cancel alone.
    world.say_order(HUB, 1, (order, Saying::AskCancel, "on the way home")).unwrap();
    assert!(world.outcome(HUB, order).unwrap().due.is_empty());
    let with_pass = || FulfilRequest { proof: Proof::Pass(pass.clone()), ..step(order, Step::HandOver) };
    let elsewhere = world.fulfil(SECOND, 1, with_pass()).unwrap_err();
    assert!(matches!(&elsewhere, Refusal::State(text) if text.contains("store 1")), "{elsewhere}");
    world.fulfil(FIRST, 1, with_pass()).unwrap();
    let again = world.fulfil(FIRST, 2, with_pass()).unwrap_err();
    assert!(matches!(&again, Refusal::State(text) if text.contains("handed over already")), "{again}");
    assert_eq!(on_hand(&world, FIRST, "A"), 8);
    world.connect(FIRST, HUB);
    world.run_ms(20_000);
    let outcome = world.outcome(HUB, order).unwrap();
    assert_eq!((outcome.state, outcome.due.len()), (OrderState::Completed, 0), "{outcome:?}");
    for node in [HUB, FIRST] {
        assert_eq!(
            (on_hand(&world, node, "A"), owed_of(&world, node, "A")),
            (8, 8),
            "the promise is closed, no right was spent twice"
        );
    }
    let mut broken = pass.clone();
    *broken.last_mut().unwrap() ^= 1;
    let forged = world.fulfil(FIRST, 3, FulfilRequest { proof: Proof::Pass(broken), ..step(order, Step::HandOver) });
    assert!(matches!(&forged, Err(Refusal::State(text)) if text.contains("not genuine")), "{forged:?}");
}

#[test]
fn an_expired_pass_is_refused() {
    let mut world = market(5);
    world.cut(FIRST, HUB);
    let (order, _) = world.place(HUB, pickup("1", &[("A", 1)], &[1])).unwrap();
    let pass = world.pass(HUB, order).unwrap();
    world.run_ms(33 * 60_000);
    let shown = FulfilRequest { proof: Proof::Pass(pass), ..step(order, Step::HandOver) };
    let refused = world.fulfil(FIRST, 1, shown).unwrap_err();
    assert!(matches!(&refused, Refusal::State(text) if text.contains("ran out")), "{refused}");
    assert_eq!(on_hand(&world, FIRST, "A"), 10);
}

#[test]
fn five_wrong_codes_need_a_manager() {
    let mut world = market(6);
    let (order, code) = world.place(HUB, pickup("1", &[("A", 1)], &[1])).unwrap();
    world.run_ms(3_000);
    world.make_ready(FIRST, order).unwrap();
    for left in (0..5).rev() {
        world.run_ms(1_000);
        assert_eq!(world.hand_over(FIRST, (order, "nothing")), Ok(Answer::CodeWrong { left }));
    }
    let locked = world.hand_over(FIRST, (order, &code)).unwrap_err();
    assert!(matches!(&locked, Refusal::State(text) if text.contains("manager")), "{locked}");
    let manager = Proof::Manager(Code::parse("ben").unwrap());
    world.fulfil(FIRST, 1, FulfilRequest { proof: manager, ..step(order, Step::HandOver) }).unwrap();
}

#[test]
fn a_silent_store_is_passed_over_and_the_one_that_is_further_keeps_the_delivery() {
    let mut world = market(7);
    world.cut(FIRST, HUB);
    world.cut(FIRST, SECOND);
    let request =
        stockroom_core::input::orders::PlaceRequest { stores: vec![StoreId(1)], ..delivery("1", &[("A", 2)]) };
    let (order, _) = world.place(HUB, request).unwrap();
    assert!(world.part(HUB, (order, 1)).is_some(), "the hub holds rights there");
    world.run_ms(20 * 60_000);
    let second = world.part(HUB, (order, 2)).expect("another store was asked");
    assert_eq!(second.state, State::Offered);
    world.run_ms(3_000);
    world.make_ready(SECOND, order).unwrap();
    world.connect(FIRST, HUB);
    world.run_ms(20_000);
    let outcome = world.outcome(HUB, order).unwrap();
    assert_eq!(world.part(HUB, (order, 1)).unwrap().state, State::StoodDown, "{outcome:?}");
    assert_eq!(outcome.state, OrderState::Open(State::Ready));
    world.fulfil(SECOND, 1, step(order, Step::Dispatch)).unwrap();
    world.run_ms(2_000);
    let delivered = FulfilRequest { store: Some(StoreId(2)), ..step(order, Step::Deliver) };
    world.fulfil(HUB, 1, delivered).unwrap();
    world.run_ms(5_000);
    assert_eq!(world.outcome(HUB, order).unwrap().state, OrderState::Completed);
    assert_eq!(owed(&world, FIRST, 1, "A"), 10, "the loser's goods can be promised again");
    assert_eq!(on_hand_at(&world, SECOND, 2, "A"), 8);
}

#[test]
fn a_cancel_is_asked_of_the_store_that_has_the_goods_now_not_of_one_that_was_passed_over() {
    // Seed 102744 of the cancel races: the dead offer took the units of the wish, the home paid them back alone, and the goods left.
    let mut world = market(12);
    world.cut(FIRST, HUB);
    world.cut(FIRST, SECOND);
    let request =
        stockroom_core::input::orders::PlaceRequest { stores: vec![StoreId(1)], ..delivery("1", &[("A", 2)]) };
    let (order, _) = world.place(HUB, request).unwrap();
    world.run_ms(20 * 60_000);
    world.make_ready(SECOND, order).unwrap();
    world.run_ms(3_000);
    world.say_order(HUB, 1, (order, Saying::AskCancel, "")).unwrap();
    let outcome = world.outcome(HUB, order).unwrap();
    assert!(outcome.state.is_open(), "the store that has them is asked first: {outcome:?}");
    world.run_ms(3_000);
    let outcome = world.outcome(HUB, order).unwrap();
    assert_eq!((outcome.state, outcome.lines[0].cancelled), (OrderState::Cancelled, 2), "{outcome:?}");
    world.fulfil(SECOND, 1, step(order, Step::Dispatch)).unwrap_err();
    assert_eq!(on_hand_at(&world, SECOND, 2, "A"), 10);
}

#[test]
fn what_was_on_hold_when_it_was_cancelled_is_put_back_all_the_same() {
    let mut world = market(13);
    let (order, _) = world.place(HUB, pickup("1", &[("A", 2)], &[1])).unwrap();
    world.run_ms(3_000);
    let free = owed_of(&world, FIRST, "A");
    world.make_ready(FIRST, order).unwrap();
    world.say_order(HUB, 1, (order, Saying::Hold, "address")).unwrap();
    world.run_ms(3_000);
    world.say_order(HUB, 2, (order, Saying::AskCancel, "")).unwrap();
    world.run_ms(3_000);
    assert_eq!(world.outcome(HUB, order).unwrap().state, OrderState::Cancelled);
    let late = world.say_order(HUB, 3, (order, Saying::Resume, "")).unwrap_err();
    assert!(matches!(&late, Refusal::State(_)), "{late}");
    assert!(world.part(FIRST, (order, 1)).unwrap().to_put_back);
    world.fulfil(FIRST, 1, step(order, Step::PutBack)).unwrap();
    world.run_ms(3_000);
    assert!(!world.part(FIRST, (order, 1)).unwrap().to_put_back);
    assert_eq!((on_hand(&world, FIRST, "A"), owed_of(&world, FIRST, "A")), (10, free));
}

#[test]
fn a_cancel_that_grows_after_it_was_paid_back_is_paid_back_whole() {
    let mut world = market(11);
    let (order, _) = world.place(HUB, pickup("1", &[("A", 3)], &[1])).unwrap();
    world.run_ms(3_000);
    world.make_ready(FIRST, order).unwrap();
    for n in 0..3 {
        world.run_ms(3_000);
        let lines = vec![LineUnits { line: 0, quantity: 1 }];
        let request = SayRequest {
            order,
            saying: Saying::AskCancel,
            lines,
            note: Code::default(),
            by: Code::default(),
            stores: Vec::new(),
        };
        let key = Digest::of(&[b"cancel", &[n]]);
        world.command(HUB, Command::SayOrder(RetryKey { key, body: key }, request)).unwrap();
        world.run_ms(3_000);
        let outcome = world.outcome(HUB, order).unwrap();
        let open: Vec<_> = outcome.due.iter().filter(|due| !due.done).collect();
        assert_eq!(open.iter().map(|due| due.amount).collect::<Vec<_>>(), [100], "{:?}", outcome.due);
        let (id, amount) = (open[0].id, open[0].amount);
        let (reference, staff) = (Code::default(), Code::default());
        let redress = RedressRequest { order, id, amount, done: true, reference, staff };
        let key = Digest::of(&[b"redress", &id]);
        world.command(HUB, Command::Redress(RetryKey { key, body: key }, redress)).unwrap();
    }
    let outcome = world.outcome(HUB, order).unwrap();
    assert_eq!(outcome.due.iter().map(|due| (due.amount, due.done)).collect::<Vec<_>>(), [(100, true); 3]);
}

#[test]
fn goods_of_an_order_that_is_over_before_their_promise_arrives_are_free_again() {
    for seed in 20..26 {
        let mut world = market(seed);
        let (order, _) = world.place(HUB, pickup("1", &[("A", 2)], &[1])).unwrap();
        // The store says no to whatever has arrived, as soon as it has.
        world.run_until(5_000, |world| world.part(FIRST, (order, 1)).is_some());
        world
            .fulfil(FIRST, 0, FulfilRequest { note: Code::parse("busy").unwrap(), ..step(order, Step::Refuse) })
            .unwrap();
        world.run_ms(5_000);
        let open = book::open(&*world.snapshot(FIRST), &account(1, "A")).unwrap();
        assert!(open.is_empty(), "{open:?}");
    }
}

#[test]
fn orders_that_are_routed_again_at_once_take_rights_one_after_the_other() {
    let mut world = market(10);
    world.cut(FIRST, HUB);
    world.cut(FIRST, SECOND);
    let orders: Vec<_> = ["1", "2", "3"]
        .into_iter()
        .map(|reference| {
            let request = stockroom_core::input::orders::PlaceRequest {
                stores: vec![StoreId(1)],
                ..delivery(reference, &[("A", 4)])
            };
            world.place(HUB, request).map(|(order, _)| order)
        })
        .collect();
    assert!(orders[..2].iter().all(Option::is_some) && orders[2].is_none(), "the first store has ten: {orders:?}");
    world.run_ms(20 * 60_000);
    let used = book::rights(&*world.snapshot(HUB), &account(2, "A"), Class::Goods).unwrap();
    let hub = stockroom_crdt::ids::Actor::new(HUB, 1);
    assert_eq!(used.row(hub).used, 8, "both were passed over in one moment, and both promises are paid for");
}

#[test]
fn what_is_not_found_lowers_the_book_and_is_given_up_or_comes_from_elsewhere() {
    let mut world = market(8);
    let (order, code) = world.place(HUB, pickup("1", &[("A", 3), ("B", 1)], &[1])).unwrap();
    world.run_ms(3_000);
    world.fulfil(FIRST, 0, step(order, Step::Accept)).unwrap();
    let refused = world.fulfil(FIRST, 1, FulfilRequest { lines: vec![found(0, 2, "")], ..step(order, Step::Pick) });
    assert!(matches!(&refused, Err(Refusal::Invalid { field, .. }) if field == "lines[0].reason"), "{refused:?}");
    let lines = vec![found(0, 2, "not-found"), found(1, 1, "")];
    world.fulfil(FIRST, 2, FulfilRequest { lines, ..step(order, Step::Pick) }).unwrap();
    assert_eq!(on_hand(&world, FIRST, "A"), 2, "only what lies apart is there");
    world.fulfil(FIRST, 3, step(order, Step::Ready)).unwrap();
    // The customer was asked and did not answer in time.
    world.run_ms(15 * 60_000);
    world.hand_over(FIRST, (order, &code)).unwrap();
    world.run_ms(5_000);
    let outcome = world.outcome(HUB, order).unwrap();
    assert_eq!(outcome.state, OrderState::PartlyCompleted, "{outcome:?}");
    let due: Vec<_> = outcome.due.iter().map(|due| (due.rule, due.line, due.amount)).collect();
    assert_eq!(due, [(Rule::Short, 0, 100)]);
    assert_eq!((on_hand(&world, HUB, "A"), owed_of(&world, HUB, "A")), (0, 0));
}

#[test]
fn an_order_that_nobody_can_serve_is_not_placed() {
    let mut world = market(9);
    assert_eq!(world.place(HUB, pickup("1", &[("A", 11)], &[1])), None);
    assert!(world.outcome(HUB, OrderId { home: stockroom_crdt::ids::NodeId(1), number: 1 }).is_none());
    assert!(world.place(HUB, pickup("2", &[("A", 1)], &[1])).is_some());
}

/// A hub and two stores of one group, with ten of A and of B each, all rights at the hub.
fn market(seed: u64) -> World {
    println!("seed {seed}");
    let mut world = World::new(seed);
    world.put_products(&[("A", Unit::Each), ("B", Unit::Each)]);
    world.enrol_in_group(1, "red");
    world.enrol_in_group(2, "red");
    world.put_rule(PolicyRule::of(Target::All, Allocation::HubOnly));
    world.connect(FIRST, HUB);
    world.connect(SECOND, HUB);
    world.connect(SECOND, FIRST);
    world.run_ms(5_000);
    for node in [FIRST, SECOND] {
        world.receive(node, "A", 10);
        world.receive(node, "B", 10);
    }
    world.run_ms(5_000);
    world
}

fn account(store: u32, sku: &str) -> Account {
    Account { store: StoreId(store), sku: Sku::parse(sku).unwrap(), unit: Unit::Each }
}

fn on_hand(world: &World, at: u32, sku: &str) -> i64 {
    on_hand_at(world, at, 1, sku)
}

fn on_hand_at(world: &World, at: u32, store: u32, sku: &str) -> i64 {
    stockroom_core::rights::home::on_hand(&*world.snapshot(at), &account(store, sku)).unwrap()
}

fn owed_of(world: &World, at: u32, sku: &str) -> u64 {
    owed(world, at, 1, sku)
}

/// What the home owes at most: rights that somebody may use, and open promises.
fn owed(world: &World, at: u32, store: u32, sku: &str) -> u64 {
    let account = account(store, sku);
    let snapshot = world.snapshot(at);
    let rights = book::rights(&*snapshot, &account, Class::Goods).unwrap();
    stockroom_core::rights::home::liability(&*snapshot, &account, (Class::Goods, &rights)).unwrap().units()
}
