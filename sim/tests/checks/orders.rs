//! What is wrong with orders is found.

use stockroom_core::journal::Log;
use stockroom_core::storage::Table;
use stockroom_core::view::View;
use stockroom_crdt::batch::Item;
use stockroom_crdt::clock::Hlc;
use stockroom_crdt::entry::{Entry, Fact, kind};
use stockroom_crdt::ids::{Code, StoreId};
use stockroom_crdt::order::OrderId;
use stockroom_crdt::order::intent::{OrderStep, Saying};
use stockroom_crdt::order::offer::Offer;
use stockroom_crdt::order::step::Step;
use stockroom_crdt::scope::Scope;
use stockroom_crdt::stock::policy::{Allocation, PolicyRule, Target};
use stockroom_crdt::stock::promise::PromiseId;
use stockroom_sim::counter::{pickup, step};
use stockroom_sim::observe::{Act, Deed, OrderAct, RowChange, Seen};

use crate::watched::{HUB, ONE, Watched, number, run_row};

#[test]
fn everything_holds_where_orders_are_collected_cancelled_and_paid_back() {
    let mut watched = shop(60);
    let (first, code) = placed(&mut watched, "1");
    hand_over(&mut watched, (first, &code));
    let (second, _) = placed(&mut watched, "2");
    watched.world.say_order(HUB, 1, (second, Saying::AskCancel, "")).unwrap();
    watched.run_ms(3_000);
    watched.world.fulfil(ONE, 1, step(second, Step::PutBack)).unwrap();
    watched.run_ms(3_000);
    let due = watched.world.outcome(HUB, second).unwrap().due.pop().unwrap();
    pay(&mut watched, second, (due.id, due.amount));
    watched.run_ms(3_000);
    watched.end();
    watched.all_hold();
}

#[test]
fn a_handover_that_is_undone_is_found() {
    let mut watched = shop(61);
    let (order, code) = placed(&mut watched, "1");
    hand_over(&mut watched, (order, &code));
    let handed = |key: &[u8]| key.ends_with(&kind::FULFILLMENT_STEP.to_be_bytes());
    let last = watched.rows(HUB, Table::OrderEvents).into_iter().rfind(|(key, _)| handed(key)).unwrap();
    watched.tamper_if(HUB, Table::OrderEvents, |key| key == last.0, |_, _| None);
    let (key, value) = watched.rows(HUB, Table::OrderEvents).pop().unwrap();
    watched
        .pretend(HUB, Seen::Committed(vec![RowChange { table: Table::OrderEvents, key, old: None, new: Some(value) }]));
    watched.must_find("O1", "the customer had [2] and has [0]");
}

#[test]
fn an_offer_without_a_promise_is_found() {
    let mut watched = shop(62);
    let (order, _) = placed(&mut watched, "1");
    let offer = Offer { generation: 2, ..offer(&watched, order) };
    write(&mut watched, Scope::StoreOrders(StoreId(1)), Fact::Offer(offer));
    watched.must_find("O2", "was offered to store 1 without a promise behind line 0");
}

#[test]
fn a_store_that_is_passed_over_before_its_time_is_found() {
    let mut watched = shop(63);
    let (order, _) = waiting(&mut watched, "1");
    let silent = said(order, (1, Saying::Withdraw), "silent");
    write(&mut watched, Scope::StoreOrders(StoreId(1)), Fact::OrderStep(silent));
    watched.must_find("O2", "store 1 has 900000 ms to answer order");
}

#[test]
fn a_home_that_cancels_what_a_store_has_taken_is_found() {
    let mut watched = shop(64);
    let (order, _) = placed(&mut watched, "1");
    write(&mut watched, Scope::Orders(HUB), Fact::OrderStep(said(order, (0, Saying::Cancel), "")));
    watched.must_find("O2", "cancels 2 of line 0 alone, of 2 ordered, and stores have 2");
}

#[test]
fn goods_that_are_given_twice_or_for_a_bad_code_are_found() {
    let mut watched = shop(65);
    let (order, code) = placed(&mut watched, "1");
    let deed = hand_over(&mut watched, (order, &code));
    watched.all_hold();
    watched.pretend(ONE, Seen::Acknowledged(deed));
    watched.must_find("O3", "was handed over 2 times at store 1");
    let said = OrderAct::Given { generation: 7, goods: Vec::new(), unsound: Some("an expired pass"), hand: true };
    told(&mut watched, ONE, (order, said));
    watched.must_find("O3", "was handed over at store 1 for an expired pass");
}

#[test]
fn goods_that_leave_the_store_and_not_the_book_are_found() {
    let mut watched = shop(66);
    let (order, code) = placed(&mut watched, "1");
    hand_over(&mut watched, (order, &code));
    let promise = promise(&watched, order);
    watched.truth.stores.get_mut(&1).unwrap().issued.insert(promise, (1, 3));
    watched.end();
    watched.must_find("O4", "2 units left the book for promise");
}

#[test]
fn money_that_is_paid_back_twice_or_beyond_what_was_paid_is_found() {
    let mut watched = shop(67);
    let (order, _) = placed(&mut watched, "1");
    told(&mut watched, HUB, (order, OrderAct::Paid { id: [1; 16], amount: 150 }));
    watched.all_hold();
    told(&mut watched, HUB, (order, OrderAct::Paid { id: [1; 16], amount: 150 }));
    watched.must_find("O4", "was given twice");
    told(&mut watched, HUB, (order, OrderAct::Paid { id: [2; 16], amount: 150 }));
    watched.must_find("O4", "300 of the 200 that were paid for order");
}

#[test]
fn an_order_that_does_not_end_and_a_refund_without_a_reason_are_found() {
    let mut watched = shop(68);
    placed(&mut watched, "1");
    watched.end();
    watched.must_find("O5", "is ready, not for sure in the end: ready at store 1");
    watched.must_find("O5", "of P00001 at store 1 is picked in the end");
    let mut watched = shop(69);
    let (order, code) = placed(&mut watched, "1");
    hand_over(&mut watched, (order, &code));
    told(&mut watched, HUB, (order, OrderAct::Paid { id: [1; 16], amount: 50 }));
    watched.end();
    watched.must_find("O5", "50 were paid back and 0 of it are a loss, for goods worth 0");
}

/// Ten units of a product at the first store, that the hub may promise.
fn shop(seed: u64) -> Watched {
    let mut watched = Watched::new(seed);
    watched.world.put_rule(PolicyRule { lead_ms: 0, ..PolicyRule::of(Target::All, Allocation::HubOnly) });
    watched.run_ms(3_000);
    watched.receive(ONE, 1, 10);
    watched.run_ms(3_000);
    watched
}

/// An order that the store was offered.
fn waiting(watched: &mut Watched, reference: &str) -> (OrderId, String) {
    let (order, code) = watched.world.place(HUB, pickup(reference, &[("P00001", 2)], &[1])).unwrap();
    told(watched, HUB, (order, OrderAct::Placed { paid: 200 }));
    watched.run_ms(3_000);
    (order, code)
}

/// One that is ready.
fn placed(watched: &mut Watched, reference: &str) -> (OrderId, String) {
    let (order, code) = waiting(watched, reference);
    watched.world.make_ready(ONE, order).unwrap();
    watched.run_ms(3_000);
    (order, code)
}

fn hand_over(watched: &mut Watched, (order, code): (OrderId, &str)) -> Deed {
    watched.world.hand_over(ONE, (order, code)).unwrap();
    let goods = vec![(promise(watched, order), 1, 2)];
    let deed = told(watched, ONE, (order, OrderAct::Given { generation: 1, goods, unsound: None, hand: true }));
    watched.run_ms(3_000);
    deed
}

fn pay(watched: &mut Watched, order: OrderId, (id, amount): ([u8; 16], i64)) {
    let request = stockroom_core::input::orders::RedressRequest {
        order,
        id,
        amount,
        done: true,
        reference: Code::default(),
        staff: Code::default(),
    };
    let retry = watched.retry();
    watched.world.command(HUB, stockroom_core::input::Command::Redress(retry, request)).unwrap();
    told(watched, HUB, (order, OrderAct::Paid { id, amount }));
}

fn told(watched: &mut Watched, node: u32, (order, said): (OrderId, OrderAct)) -> Deed {
    let what = Act::Order { order, said };
    let deed = Deed { store: 1, what, entry: None, replayed: false, asked_ms: watched.world.now_ms };
    watched.truth.acknowledged(&deed);
    watched.pretend(node, Seen::Acknowledged(deed.clone()));
    deed
}

fn offer(watched: &Watched, order: OrderId) -> Offer {
    let known = View::new(&*watched.world.snapshot(HUB)).order(order).unwrap();
    known.parts[&(1, StoreId(1))].offer.clone().unwrap()
}

fn promise(watched: &Watched, order: OrderId) -> PromiseId {
    offer(watched, order).promise(StoreId(1), 0)
}

fn said(order: OrderId, (generation, saying): (u16, Saying), note: &str) -> OrderStep {
    let note = Code::parse(note).unwrap();
    OrderStep { order, generation, saying, lines: Vec::new(), until_ms: 0, note, by: Code::default() }
}

/// The hub writes something that it never wrote.
fn write(watched: &mut Watched, scope: Scope, fact: Fact) {
    let logs = watched.rows(HUB, Table::Logs).into_iter();
    let mut logs = logs.map(|(key, value)| (key, Log::from_row(&value).unwrap()));
    let (key, log) = logs.find(|(_, log)| log.id.scope == scope && log.id.actor.node.0 == HUB).unwrap();
    let item = Item::new(Entry { hlc: Hlc::new(watched.world.now_ms, 0), fact });
    watched.pretend(HUB, Seen::Committed(vec![run_row(number(&key), &log, &[item])]));
}
