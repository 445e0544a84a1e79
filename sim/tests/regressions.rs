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
    assert!(
        outcome.reached.contains_key("an epoch was opened that had to wait"),
        "whoever was overtaken goes on in a new one"
    );
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
fn a_rider_reports_until_the_store_that_sent_her_is_heard() {
    holds("double-route", 400003);
    holds("cancel-race", 500102);
}

#[test]
fn an_order_on_hold_that_is_cancelled_is_put_back() {
    holds("courier-chaos", 600074);
}

#[test]
fn a_backlog_is_seen_behind_many_entries_of_others() {
    holds("hub-failover", 58);
}

#[test]
fn what_was_cancelled_before_the_rest_was_delivered_is_put_back() {
    [228, 270].into_iter().for_each(|seed| holds("cancel-race", seed));
}

#[test]
fn goods_that_lie_apart_for_a_soft_promise_stand_behind_no_hard_one() {
    [101128, 200552].into_iter().for_each(|seed| holds("stocktake", seed));
}

#[test]
fn what_a_lost_life_wrote_and_told_is_where_it_was_told_of() {
    [101900, 810452].into_iter().for_each(|seed| holds("restore", seed));
    [100297, 100609, 100765, 102533, 201151, 500229, 810071].into_iter().for_each(|seed| holds("rights-restore", seed));
}

#[test]
fn positions_that_a_lost_life_gave_out_are_not_taken_for_this_ones() {
    [41, 104, 200414].into_iter().for_each(|seed| holds("restore", seed));
}

#[test]
fn a_hub_whose_second_process_is_gone_answers_for_its_rights_again() {
    holds("rights-restore", 200657);
}

#[test]
fn what_only_a_neighbour_has_of_a_store_that_is_gone_is_lost_to_the_hub() {
    [600084, 910472].into_iter().for_each(|seed| holds("crash", seed));
}

#[test]
fn a_search_ends_also_when_it_is_too_soon_for_another_epoch() {
    holds("rights-restore", 811137);
}

#[test]
fn two_things_that_were_wanted_at_one_moment_are_two() {
    [608, 1376].into_iter().for_each(|seed| holds("terminal-unknown", seed));
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
