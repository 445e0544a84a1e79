//! Seeds that once failed, by the story that they told. Each is played as it was drawn.

#![allow(clippy::disallowed_macros, reason = "a test says its seed")]

use stockroom_sim::outcome::Verdict;
use stockroom_sim::run::{Until, run};
use stockroom_sim::scenario::{Wishes, draw};

#[test]
fn a_hub_that_forgot_its_catalogue_does_not_keep_the_fleet_apart() {
    holds("restore", 138);
}

#[test]
fn two_sales_under_one_number_are_found_alike_in_whatever_order_they_came() {
    [141, 285, 345].into_iter().for_each(|seed| holds("hostile", seed));
}

#[test]
fn two_processes_of_one_identity_do_not_open_epochs_against_each_other() {
    let plan = draw("clone", 7, &small()).expect("a scenario");
    let outcome = run(&plan, Until::End, &mut |_, _| {});
    assert_eq!(outcome.verdict, Verdict::Held, "{:#?}", outcome.violations);
    let opened = outcome.reached.get("an epoch was opened: the hub has seen more").copied().unwrap_or(0);
    assert!((1..60).contains(&opened), "{opened} epochs in an hour");
}

#[test]
fn a_store_with_stolen_keys_may_bring_its_own_goods_to_another_hub() {
    [62, 147].into_iter().for_each(|seed| holds("hostile", seed));
}

#[test]
fn a_store_whose_hubs_clock_ran_ahead_says_once_that_goods_are_on_their_way() {
    holds("double-route", 82);
}

#[test]
fn a_backlog_is_seen_behind_many_entries_of_others() {
    holds("hub-failover", 58);
}

#[test]
fn what_was_cancelled_before_the_rest_was_delivered_is_put_back() {
    [228, 270].into_iter().for_each(|seed| holds("cancel-race", seed));
}

fn holds(scenario: &str, seed: u64) {
    println!("{scenario}, seed {seed}");
    let plan = draw(scenario, seed, &small()).expect("a scenario");
    let outcome = run(&plan, Until::End, &mut |_, _| {});
    assert_eq!(outcome.verdict, Verdict::Held, "{scenario}, seed {seed}: {:#?}", outcome.violations);
}

fn small() -> Wishes {
    Wishes { small: true, ..Wishes::default() }
}
