//! Baskets that end otherwise, and processes that end in the middle.

use stockroom_core::input::checkout::BasketDeed;
use stockroom_crdt::checkout::tender::TenderState;
use stockroom_tests::terminal_server::{Customer, Health};

use super::lane::{Lane, TEA};

#[test]
fn a_basket_that_is_thrown_away_while_its_customer_is_asked_gives_the_money_back() {
    let mut lane = Lane::open(100);
    lane.terminal.then([Health::DoneAndSilent]);
    let basket = lane.card();
    lane.until("asked", |lane| lane.terminal.has() == TEA);
    lane.deed(basket, BasketDeed::Abandon).unwrap();
    lane.until("given back", |lane| lane.is_abandoned(basket));
    assert_eq!((lane.states(basket), lane.terminal.has()), (vec![TenderState::Reversed], 0));
    lane.agree();
}

#[test]
fn a_basket_paid_in_cash_while_its_card_is_unknown_is_not_paid_twice() {
    let mut lane = Lane::open(110);
    // The terminal has the money, but is not heard until the cash lies in the drawer; nor does it understand at once what to give back.
    lane.terminal.then([Health::DoneAndHangsUp, Health::Broken(500), Health::Broken(500), Health::Broken(500)]);
    let basket = lane.card();
    lane.until("unknown", |lane| lane.states(basket) == [TenderState::Unknown]);
    lane.cash(basket).unwrap();
    lane.until("given back", |lane| lane.states(basket) == [TenderState::Reversed]);
    let sale = lane.sale(basket).unwrap();
    assert_eq!((sale.tenders.len(), sale.paid(), lane.terminal.has()), (1, TEA, 0));
    lane.agree();
}

#[test]
fn a_process_killed_between_ask_and_answer_inquires_and_asks_nobody_again() {
    let mut lane = Lane::open(120);
    lane.terminal.then([Health::DoneAndSilent]);
    let basket = lane.card();
    lane.until("asked", |lane| lane.terminal.has() == TEA);
    lane.kill();
    assert_eq!(lane.states(basket), [TenderState::Intended]);
    lane.start();
    assert_eq!(lane.until_sold(basket).paid(), TEA);
    assert_eq!((lane.terminal.count("PUT"), lane.terminal.count("GET")), (1, 1));
    lane.agree();
}

#[test]
fn a_process_killed_before_it_asked_takes_no_money_afterwards() {
    let mut lane = Lane::open(130);
    lane.kill();
    let basket = lane.card();
    lane.start();
    lane.until("declined", |lane| lane.states(basket) == [TenderState::Declined]);
    assert_eq!((lane.terminal.count("PUT"), lane.terminal.count("DELETE")), (0, 1));
    lane.agree();
}

#[test]
fn what_was_left_open_is_inquired_before_the_next_customer_is_asked() {
    let mut lane = Lane::open(140);
    lane.terminal.then([Health::DoneAndSilent]);
    let first = lane.card();
    lane.until("asked", |lane| lane.terminal.has() == TEA);
    lane.kill();
    // The terminal does not answer the first inquiry: one try is enough for the next customer to be served.
    lane.terminal.then([Health::HangsUp]);
    lane.start();
    let second = lane.card();
    lane.until_sold(second);
    lane.until_sold(first);
    assert_eq!(lane.terminal.count("PUT"), 2);
    let methods: Vec<_> = lane.terminal.requests().into_iter().map(|(method, _)| method).collect();
    let inquired = methods.iter().position(|method| method == "GET").unwrap();
    assert!(inquired < methods.iter().rposition(|method| method == "PUT").unwrap(), "{methods:?}");
    lane.agree();
}

#[test]
fn a_process_killed_while_it_gives_back_goes_on_giving_back() {
    let mut lane = Lane::open(150);
    lane.terminal.customers([Customer::TakesTime(1)]);
    lane.terminal.then([Health::Good, Health::DoneAndSilent]);
    let basket = lane.card();
    lane.until("unknown", |lane| lane.states(basket) == [TenderState::Unknown]);
    lane.deed(basket, BasketDeed::Abandon).unwrap();
    lane.kill();
    lane.start();
    lane.until("given back", |lane| lane.is_abandoned(basket));
    assert_eq!(lane.terminal.has(), 0);
    lane.agree();
}
