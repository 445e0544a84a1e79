//! What a terminal answers, and what it does not.

use stockroom_crdt::checkout::tender::TenderState;
use stockroom_tests::terminal_server::{Customer, Health};

use super::lane::{Lane, TEA, code};

#[test]
fn an_approval_sells_the_basket_and_the_receipt_holds_the_reference() {
    let mut lane = Lane::open(1);
    let basket = lane.card();
    let sale = lane.until_sold(basket);
    assert_eq!((sale.total(), sale.tenders.len(), sale.tenders[0].amount), (TEA, 1, TEA));
    let ledger = lane.terminal.ledger();
    assert!(ledger.contains_key(sale.tenders[0].reference.as_str()), "{ledger:?}");
    assert_eq!((lane.terminal.count("PUT"), lane.terminal.count("GET")), (1, 0));
    lane.agree();
}

#[test]
fn whatever_happens_to_the_answer_the_customer_is_asked_once_and_pays_once() {
    let lost = [
        Health::DoneAndHangsUp,
        Health::DoneAndSilent,
        Health::DoneButBroken(500),
        Health::Garbage,
        Health::DoneButBroken(302),
    ];
    for (at, health) in lost.into_iter().enumerate() {
        let mut lane = Lane::open(10 + at as u64);
        // The inquiries have a bad time as well.
        lane.terminal.then([health, Health::Broken(503), Health::HangsUp, Health::Garbage]);
        let basket = lane.card();
        let sale = lane.until_sold(basket);
        assert_eq!(sale.paid(), TEA);
        assert_eq!((lane.terminal.count("PUT"), lane.terminal.count("GET")), (1, 4), "{health:?}");
        assert_eq!(lane.states(basket), [TenderState::Approved]);
        lane.agree();
    }
}

#[test]
fn a_request_that_never_reached_the_terminal_is_closed_there_and_declined() {
    for (at, health) in [Health::HangsUp, Health::Broken(500), Health::Broken(404)].into_iter().enumerate() {
        let mut lane = Lane::open(20 + at as u64);
        lane.terminal.then([health]);
        let basket = lane.card();
        lane.until("declined", |lane| lane.states(basket) == [TenderState::Declined]);
        assert_eq!(lane.held(basket).tenders[0].last.said, code("not asked"));
        assert_eq!((lane.terminal.count("PUT"), lane.terminal.count("DELETE"), lane.terminal.has()), (1, 1, 0));
        // The cashier decides to ask again: that is another tender.
        lane.again(basket).unwrap();
        lane.until_sold(basket);
        assert_eq!(lane.terminal.ledger().len(), 2);
        lane.agree();
    }
}

#[test]
fn a_refused_request_is_declined_without_an_inquiry() {
    let mut lane = Lane::open(30);
    lane.terminal.then([Health::Broken(422)]);
    let basket = lane.card();
    lane.until("declined", |lane| lane.states(basket) == [TenderState::Declined]);
    assert_eq!((lane.terminal.count("PUT"), lane.terminal.count("GET")), (1, 0));
    lane.cash(basket).unwrap();
    assert!(lane.until_sold(basket).tenders.iter().all(|tender| tender.reference.is_empty()));
    lane.agree();
}

#[test]
fn a_customer_who_takes_her_time_pays_late_and_once() {
    let mut lane = Lane::open(40);
    lane.terminal.customers([Customer::TakesTime(6)]);
    let basket = lane.card();
    lane.until("unknown", |lane| lane.states(basket) == [TenderState::Unknown]);
    assert_eq!(lane.until_sold(basket).paid(), TEA);
    assert_eq!(lane.terminal.count("PUT"), 1);
    lane.agree();
}

#[test]
fn an_approval_in_part_leaves_the_rest_due() {
    let mut lane = Lane::open(50);
    lane.terminal.customers([Customer::PaysOnly(150)]);
    let basket = lane.card();
    lane.until("approved", |lane| lane.states(basket) == [TenderState::Approved]);
    assert_eq!((lane.sale(basket).is_none(), lane.held(basket).left()), (true, 50));
    lane.again(basket).unwrap();
    let amounts: Vec<_> = lane.until_sold(basket).tenders.iter().map(|tender| tender.amount).collect();
    assert_eq!(amounts, [150, 50]);
    lane.agree();
}

#[test]
fn what_the_bank_was_not_asked_for_is_given_back_above_the_floor_limit() {
    let mut lane = Lane::open(55);
    lane.terminal.customers([Customer::PaysOffline]);
    let basket = lane.card();
    lane.until("given back", |lane| lane.states(basket) == [TenderState::Reversed]);
    assert_eq!((lane.terminal.has(), lane.terminal.count("DELETE")), (0, 1));
    lane.cash(basket).unwrap();
    lane.until_sold(basket);
    lane.agree();
}

#[test]
fn a_second_till_does_not_get_at_a_terminal_while_a_customer_is_asked() {
    let mut lane = Lane::open(60);
    lane.terminal.then([Health::DoneAndSilent]);
    let (first, second) = (lane.card(), lane.card());
    lane.until_sold(second);
    assert_eq!(lane.until_sold(first).paid(), TEA);
    assert_eq!((lane.terminal.count("PUT"), lane.terminal.ledger().len()), (2, 2));
    lane.agree();
}
