//! Stock that is never promised twice: rights, promises and what becomes of them, in virtual time, over cuts and restores.

#![allow(clippy::unwrap_used, clippy::disallowed_macros, reason = "a test says its seed and stops where it fails")]

use stockroom_core::books::rights as book;
use stockroom_core::input::enrolment::HomeRequest;
use stockroom_core::input::promises::DecreeRequest;
use stockroom_core::input::{Answer, Command, Refusal, RetryKey};
use stockroom_core::journal::Log;
use stockroom_core::rights::holder;
use stockroom_core::storage::{Direction, Table};
use stockroom_crdt::ids::{Actor, Code, Digest, NodeId, Sku, StoreId};
use stockroom_crdt::money::Unit;
use stockroom_crdt::scope::Scope;
use stockroom_crdt::stock::policy::{Allocation, PolicyRule, Target};
use stockroom_crdt::stock::promise::{Claim, PromiseId, State, Step};
use stockroom_crdt::stock::rights::{Account, Class, Rights};
use stockroom_sim::world::World;

const HUB: u32 = 1;
const FIRST: u32 = 2;
const SECOND: u32 = 3;

#[test]
fn what_is_received_can_be_promised_at_the_hub_and_at_the_store() {
    let mut world = market(1, rule(Allocation::Proportional));
    world.receive(FIRST, "A", 10);
    world.run_ms(3_000);
    let rights = rights(&world, HUB);
    assert_eq!(rights.minted(), 10);
    let (hub, home) = (held(&world, HUB, HUB), held(&world, FIRST, FIRST));
    assert_eq!(hub + home, 10, "{rights:?}");
    assert!(hub > 0 && home > 0, "both can promise: {rights:?}");
    let promise = hard(world.reserve(HUB, 1, ("A", 1), &[1]).unwrap());
    assert_eq!(hard(world.reserve(HUB, 1, ("A", 1), &[1]).unwrap()), promise, "a retry is the same promise");
    world.run_ms(3_000);
    assert_eq!(state(&world, FIRST, promise), State::Held);
    world.say_of(HUB, promise, Step::Confirm).unwrap();
    world.run_ms(3_000);
    assert_eq!(state(&world, FIRST, promise), State::Confirmed);
    world.say_of(FIRST, promise, Step::Pick).unwrap();
    world.say_of(FIRST, promise, Step::Fulfil).unwrap();
    world.run_ms(3_000);
    assert_eq!(state(&world, HUB, promise), State::Fulfilled);
    assert_eq!(on_hand(&world, HUB), 9);
    assert_eq!(owed(&world, FIRST), 9, "the fulfilled one is not owed any more");
}

#[test]
fn the_last_unit_goes_to_one_of_those_who_ask_also_with_all_links_cut() {
    for cut in [false, true] {
        for first in [HUB, FIRST, SECOND] {
            let mut world = market(2, rule(Allocation::Proportional));
            world.receive(FIRST, "A", 1);
            world.run_ms(5_000);
            if cut {
                for (a, b) in [(FIRST, HUB), (SECOND, HUB), (SECOND, FIRST)] {
                    world.cut(a, b);
                }
            }
            let mut order = vec![HUB, FIRST, SECOND];
            order.sort_by_key(|node| *node != first);
            // Everybody asks again and again, as people do.
            let mut promised = Vec::new();
            for round in 0..6 {
                for node in &order {
                    if let Ok(Answer::Reserved { promise, .. }) = world.reserve(*node, round, ("A", 1), &[1]) {
                        promised.push((*node, promise.id));
                    }
                }
                world.run_ms(2_000);
            }
            let mut ids: Vec<_> = promised.iter().map(|(_, id)| *id).collect();
            ids.dedup();
            assert_eq!(ids.len(), 1, "cut {cut}, first {first}: {promised:?}");
            let victim = ids[0];
            // The till sells it from the shelf all the same.
            world.sell(FIRST, 1, 1, &[("A", 1)]).unwrap();
            for (a, b) in [(FIRST, HUB), (SECOND, HUB), (SECOND, FIRST)] {
                world.connect(a, b);
            }
            world.run_ms(20_000);
            for node in [HUB, FIRST, SECOND] {
                assert_eq!(state(&world, node, victim), State::Shorted, "cut {cut}, first {first}, at {node}");
                let record = record(&world, node, victim);
                let due = stockroom_crdt::stock::shortage::compensation_id(record.said.shortage().unwrap(), victim);
                let remedy = holder::compensation(&*world.snapshot(node), StoreId(1), due).unwrap();
                assert!(remedy.is_some(), "the customer is compensated, and {node} knows: cut {cut}, first {first}");
            }
        }
    }
}

#[test]
fn a_promise_that_is_not_confirmed_ends_and_its_goods_are_free_again() {
    let mut world = market(3, PolicyRule { hold_ms: 60_000, ..rule(Allocation::HubOnly) });
    world.receive(FIRST, "A", 1);
    world.run_ms(3_000);
    let promise = hard(world.reserve(HUB, 1, ("A", 1), &[1]).unwrap());
    assert!(matches!(world.reserve(HUB, 2, ("A", 1), &[1]), Ok(Answer::TurnedDown { .. })));
    world.run_ms(70_000);
    assert_eq!(state(&world, HUB, promise), State::Released);
    let refused = world.say_of(HUB, promise, Step::Confirm).unwrap_err();
    assert!(matches!(&refused, Refusal::State(text) if text.contains("released")), "{refused}");
    let refused = world.say_of(FIRST, promise, Step::Release).unwrap_err();
    assert!(matches!(&refused, Refusal::State(text) if text.contains("released")), "{refused}");
    hard(world.reserve(HUB, 3, ("A", 1), &[1]).unwrap());
}

#[test]
fn who_has_none_left_borrows_from_who_has_some() {
    let mut world = market(4, rule(Allocation::Proportional));
    world.receive(FIRST, "A", 10);
    world.run_ms(5_000);
    let mut kept = 0;
    for n in 0..30 {
        if let Ok(Answer::Reserved { .. }) = world.reserve(SECOND, n, ("A", 1), &[1]) {
            kept += 1;
        }
        world.run_ms(2_000);
    }
    assert_eq!(kept, 10, "a neighbour can promise all of it while links are up: {:?}", rights(&world, HUB));
}

#[test]
fn a_restored_home_makes_no_rights_before_it_knows_what_it_owes() {
    for allocation in [Allocation::HubOnly, Allocation::Proportional, Allocation::Littlewood] {
        restored_home(allocation);
    }
}

fn restored_home(allocation: Allocation) {
    println!("{}", allocation.as_str());
    let mut world = market(5, rule(allocation));
    world.receive(FIRST, "A", 4);
    world.run_ms(5_000);
    let image = world.nodes[&FIRST].disk.image();
    world.receive(FIRST, "A", 6);
    world.run_ms(5_000);
    let promises: Vec<_> = (0..9).filter_map(|n| reserved(world.reserve(HUB, n, ("A", 1), &[1]))).collect();
    assert!(promises.len() >= 4);
    world.crash(FIRST);
    world.nodes.get_mut(&FIRST).unwrap().disk = image;
    world.start(FIRST);
    world.receive(FIRST, "A", 3);
    world.run_ms(2_000);
    assert!(world.status(FIRST).rights_locked);
    assert_eq!(held(&world, FIRST, FIRST), 0, "a new epoch begins with nothing");
    world.connect(FIRST, HUB);
    world.run_ms(30_000);
    assert!(!world.status(FIRST).rights_locked);
    let all = rights(&world, HUB);
    assert!(owed(&world, FIRST) <= 13, "{all:?}");
    assert!(all.minted() - all.burned() <= 26);
    let more: Vec<_> = (100..130)
        .filter_map(|n| {
            world.run_ms(2_000);
            reserved(world.reserve(HUB, n, ("A", 1), &[1]))
        })
        .collect();
    println!("{} + {}: {:?}, {} on hand", promises.len(), more.len(), rights(&world, HUB), on_hand(&world, FIRST));
    assert_eq!(promises.len() + more.len(), 13, "what the earlier life held is written off and can be promised anew");
}

#[test]
fn rights_of_a_dead_node_are_written_off_by_a_decree_that_names_the_risk() {
    let mut world = market(6, rule(Allocation::EqualBorrow));
    world.receive(FIRST, "A", 10);
    world.run_ms(5_000);
    let lent = reserved(world.reserve(SECOND, 1, ("A", 3), &[1]));
    assert!(lent.is_none());
    world.run_ms(5_000);
    let stranded = held(&world, HUB, SECOND);
    assert!(stranded >= 3);
    world.crash(SECOND);
    let decree = |accept| {
        let key = Digest::of(&[format!("{accept:?}").as_bytes()]);
        let request = DecreeRequest { node: NodeId(SECOND), reason: Code::default(), staff: Code::default(), accept };
        Command::Retire(RetryKey { key, body: key }, request)
    };
    let refused = world.command(HUB, decree(None)).unwrap_err();
    assert!(refused.to_string().contains(&format!("up to {stranded} units")), "{refused}");
    world.command(HUB, decree(Some(stranded))).unwrap();
    world.run_ms(10_000);
    assert_eq!(owed(&world, FIRST), 10);
    assert_eq!(held(&world, FIRST, FIRST) + held(&world, FIRST, HUB), 10, "the home made them anew");
}

#[test]
fn a_cut_off_hub_promises_softly_within_its_budget() {
    let soft = PolicyRule { soft_ppm: 50_000, overbooking_ppm: 200_000, ..rule(Allocation::Static) };
    let mut world = market(7, soft);
    world.receive(FIRST, "A", 10);
    world.run_ms(5_000);
    world.cut(FIRST, HUB);
    world.run_ms(1_000);
    let (mut hard, mut soft) = (0, Vec::new());
    for n in 0..30 {
        match world.reserve(HUB, n, ("A", 1), &[1]).unwrap() {
            Answer::Reserved { promise, .. } if promise.claim == Claim::Hard => hard += 1,
            Answer::Reserved { promise, .. } => soft.push(promise.id),
            _ => {}
        }
    }
    assert!(hard > 0 && hard < 10, "{hard}");
    assert_eq!(soft.len(), 1, "the budget is two, of which one lies at the hub");
}

#[test]
fn goods_that_lie_apart_for_a_soft_promise_are_promised_hard_to_nobody_else() {
    let soft = PolicyRule { soft_ppm: 1_000_000, overbooking_ppm: 1_000_000, ..rule(Allocation::Static) };
    let mut world = market(12, soft);
    world.receive(FIRST, "A", 6);
    world.run_ms(20_000);
    world.cut(FIRST, HUB);
    world.cut(FIRST, SECOND);
    for n in 0..held(&world, FIRST, FIRST) {
        hard(world.reserve(FIRST, n, ("A", 1), &[1]).unwrap());
    }
    let promise = match world.reserve(FIRST, 99, ("A", 1), &[1]).unwrap() {
        Answer::Reserved { promise, .. } => promise,
        other => panic!("no promise: {other:?}"),
    };
    assert_eq!(promise.claim, Claim::Soft);
    world.say_of(FIRST, promise.id, Step::Confirm).unwrap();
    world.say_of(FIRST, promise.id, Step::Pick).unwrap();
    world.connect(FIRST, HUB);
    world.run_ms(60_000);
    let apart = u64::from(record(&world, FIRST, promise.id).said.claim(&promise) == Claim::Soft);
    let (owed, there) = (owed(&world, FIRST), on_hand(&world, FIRST));
    assert_eq!(state(&world, FIRST, promise.id), State::Staged);
    assert!(owed + apart <= there.unsigned_abs(), "{owed} by rights and {apart} apart, of {there}");
}

#[test]
fn missing_goods_make_a_home_ask_now_and_then_and_not_all_the_time() {
    // The hub was set back and could not give anything yet. Goods went, the home asked for rights that lay there, the hub said
    // that it had none to spare, and the home asked again at once: thousands of entries in a minute.
    let mut world = market(8, rule(Allocation::HubOnly));
    world.receive(FIRST, "A", 10);
    world.run_ms(5_000);
    let image = world.nodes[&HUB].disk.image();
    world.receive(FIRST, "A", 2);
    world.run_ms(5_000);
    world.crash(HUB);
    world.nodes.get_mut(&HUB).unwrap().disk = image;
    world.start(HUB);
    world.sell(FIRST, 1, 1, &[("A", 11)]).unwrap();
    for (a, b) in [(FIRST, HUB), (SECOND, HUB), (SECOND, FIRST)] {
        world.connect(a, b);
    }
    world.run_ms(120_000);
    let entries: u64 = [HUB, FIRST, SECOND].into_iter().map(|node| rights_entries(&world, node)).max().unwrap();
    assert!(entries < 100, "{entries} entries about twelve units");
}

#[test]
fn a_promise_that_was_put_back_after_its_time_ends_too() {
    // Its time was over while its goods lay apart, and nobody looked again when they went back to the shelf.
    let mut world = market(9, PolicyRule { hold_ms: 20_000, ..rule(Allocation::HubOnly) });
    world.receive(FIRST, "A", 1);
    world.run_ms(3_000);
    let promise = hard(world.reserve(HUB, 1, ("A", 1), &[1]).unwrap());
    world.run_ms(3_000);
    world.say_of(FIRST, promise, Step::Pick).unwrap();
    world.run_ms(60_000);
    assert_eq!(state(&world, HUB, promise), State::Staged);
    world.say_of(FIRST, promise, Step::PutBack).unwrap();
    world.run_ms(10_000);
    assert_eq!(state(&world, HUB, promise), State::Released);
    hard(world.reserve(HUB, 2, ("A", 1), &[1]).unwrap());
}

#[test]
fn a_top_hub_that_was_set_back_promises_again() {
    // It waited for the hub above to be heard, and there is none.
    let mut world = market(10, rule(Allocation::HubOnly));
    world.receive(FIRST, "A", 4);
    world.run_ms(5_000);
    let image = world.nodes[&HUB].disk.image();
    hard(world.reserve(HUB, 1, ("A", 1), &[1]).unwrap());
    world.run_ms(5_000);
    world.crash(HUB);
    world.nodes.get_mut(&HUB).unwrap().disk = image;
    world.start(HUB);
    for (a, b) in [(FIRST, HUB), (SECOND, HUB)] {
        world.connect(a, b);
    }
    world.run_ms(60_000);
    let more = (100..130).filter_map(|n| {
        world.run_ms(2_000);
        reserved(world.reserve(HUB, n, ("A", 1), &[1]))
    });
    assert_eq!(more.count(), 3, "three of four are free, {:?}", rights(&world, HUB));
}

#[test]
fn a_node_that_was_written_off_and_is_there_after_all_spends_nothing_twice() {
    // Head office wrote off a store's box that was only cut off. The home went on with rights that counted as destroyed, and made
    // others in their place.
    let mut world = market(11, rule(Allocation::EqualBorrow));
    world.receive(FIRST, "A", 10);
    world.run_ms(5_000);
    let held = held(&world, HUB, FIRST);
    let key = Digest::of(&[b"decree"]);
    let (reason, staff) = (Code::default(), Code::default());
    let request = DecreeRequest { node: NodeId(FIRST), reason, staff, accept: Some(held) };
    world.command(HUB, Command::Retire(RetryKey { key, body: key }, request)).unwrap();
    world.run_ms(5_000);
    for (a, b) in [(FIRST, HUB), (SECOND, FIRST)] {
        world.connect(a, b);
    }
    world.run_ms(20_000);
    assert_eq!(world.status(FIRST).epoch.0, 2, "it goes on in another life");
    let kept = (0..60).filter_map(|n| {
        world.run_ms(2_000);
        let node = if n % 2 == 0 { HUB } else { FIRST };
        reserved(world.reserve(node, n, ("A", 1), &[1]))
    });
    let kept = kept.count();
    assert_eq!(kept, 10, "each of ten once: {:?}", rights(&world, FIRST));
    assert!(owed(&world, FIRST) <= 10);
}

#[test]
fn of_two_boxes_in_a_store_the_one_that_head_office_names_makes_the_rights() {
    println!("seed 12");
    let mut world = World::new(12);
    world.put_products(&[("A", Unit::Each)]);
    let first = world.enrol_in_group(1, "red");
    world.put_rule(rule(Allocation::HubOnly));
    world.connect(first, HUB);
    world.run_ms(5_000);
    world.receive(first, "A", 6);
    world.run_ms(10_000);
    // A second box comes, and is the home from then on; the first one is there as well, and nobody has said that it gives way.
    let second = world.enrol_in_group(1, "red");
    let meet = |world: &mut World| {
        for (a, b) in [(first, HUB), (second, HUB), (second, first)] {
            world.connect(a, b);
        }
        world.run_ms(40_000);
    };
    meet(&mut world);
    let promise = |name: &str, node, accept| {
        let key = Digest::of(&[name.as_bytes()]);
        let (reason, staff) = (Code::default(), Code::default());
        let request = HomeRequest { store: StoreId(1), node: NodeId(node), reason, staff, accept };
        Command::Promote(RetryKey { key, body: key }, request)
    };
    let kept = |world: &mut World, from: u64| {
        let kept = (from..from + 20).filter(|n| {
            world.run_ms(2_000);
            reserved(world.reserve(HUB, *n, ("A", 1), &[1])).is_some()
        });
        kept.count()
    };
    for (round, home, other) in [(0, first, second), (1, second, first), (2, first, second)] {
        let name = format!("round {round}");
        // What the other one holds is the risk, and has to be repeated.
        let risk = held(&world, HUB, other);
        if risk > 0 {
            let refused = world.command(HUB, promise(&format!("{name} bare"), home, None)).unwrap_err();
            assert!(refused.to_string().contains(&format!("accept {risk}")), "{refused}");
        }
        world.command(HUB, promise(&name, home, Some(risk))).unwrap();
        let again = world.command(HUB, promise(&format!("{name} again"), home, None)).unwrap_err();
        assert!(again.to_string().contains("already"), "{again}");
        // The one that gave way opens another life, and its links with it.
        world.run_ms(20_000);
        meet(&mut world);
        let epoch = world.status(other).epoch.0;
        assert!(epoch > 1, "round {round}: node {other} goes on in another life");
        world.receive(home, "A", 4);
        meet(&mut world);
        let wanted = if round == 0 { 10 } else { 4 };
        assert_eq!(kept(&mut world, 100 * (round + 1)), wanted, "round {round}: {:?}", rights(&world, HUB));
    }
    assert!(world.command(HUB, promise("nobody", 99, None)).is_err());
    assert!(owed(&world, first) <= 18);
}

/// Entries about rights to the first store's goods that a node holds.
fn rights_entries(world: &World, node: u32) -> u64 {
    let all = (std::ops::Bound::Unbounded, std::ops::Bound::Unbounded);
    let rows = world.snapshot(node).scan(Table::Logs, all, Direction::Forward, usize::MAX).unwrap();
    let logs = rows.into_iter().map(|(_, row)| Log::from_row(&row).unwrap());
    logs.filter(|log| log.id.scope == Scope::StoreRights(StoreId(1))).map(|log| log.head.seq).sum()
}

/// A hub that was set back without losing anything holds nothing in its new life; what it held before is written off once its stores
/// were heard, and made anew by the home.
#[test]
fn what_a_hub_held_in_an_earlier_life_can_be_promised_again() {
    let mut world = market(31, rule(Allocation::HubOnly));
    world.receive(FIRST, "A", 10);
    world.run_ms(5_000);
    assert_eq!(held(&world, HUB, HUB), 10);
    world.put_rule(rule(Allocation::EqualBorrow));
    world.run_ms(5_000);
    world.crash(HUB);
    world.nodes.get_mut(&HUB).unwrap().token = None;
    world.start(HUB);
    assert_eq!(world.status(HUB).epoch.0, 2);
    for store in [FIRST, SECOND] {
        world.connect(store, HUB);
    }
    world.run_ms(30_000);
    let promised = (0..40).filter(|n| {
        world.run_ms(2_000);
        reserved(world.reserve(HUB, *n, ("A", 1), &[1])).is_some()
    });
    assert_eq!(promised.count(), 10);
}

/// Many sales in a moment cost one row of rights, and the goods that they took are not promised meanwhile.
#[test]
fn sales_of_a_moment_share_one_look_at_rights() {
    let mut world = market(32, rule(Allocation::Static));
    world.receive(FIRST, "A", 100);
    world.run_ms(5_000);
    let before = rights(&world, FIRST).burned();
    for n in 1..=60 {
        world.sell(FIRST, 1, n, &[("A", 1)]).unwrap();
    }
    assert_eq!(rights(&world, FIRST).burned(), before, "nothing is written with the sale itself");
    let promised = (0..100).filter(|n| reserved(world.reserve(FIRST, *n, ("A", 1), &[1])).is_some()).count();
    assert!(promised as i64 <= on_hand(&world, FIRST), "{promised}");
    world.run_ms(10_000);
    assert!(
        owed(&world, FIRST) as i64 <= on_hand(&world, FIRST).max(0) + 100 / 2,
        "what the home holds idle is burned"
    );
    assert!(rights(&world, FIRST).burned() > before);
}

fn rule(allocation: Allocation) -> PolicyRule {
    PolicyRule { lead_ms: 0, ..PolicyRule::of(Target::All, allocation) }
}

fn market(seed: u64, rule: PolicyRule) -> World {
    println!("seed {seed}");
    let mut world = World::new(seed);
    world.put_products(&[("A", Unit::Each)]);
    world.enrol_in_group(1, "red");
    world.enrol_in_group(2, "red");
    world.put_rule(rule);
    world.connect(FIRST, HUB);
    world.connect(SECOND, HUB);
    world.connect(SECOND, FIRST);
    world.run_ms(5_000);
    world
}

fn account() -> Account {
    Account { store: StoreId(1), sku: Sku::parse("A").unwrap(), unit: Unit::Each }
}

fn rights(world: &World, at: u32) -> Rights {
    book::rights(&*world.snapshot(at), &account(), Class::Goods).unwrap()
}

/// What the newest epoch of `who` holds, as `at` knows it.
fn held(world: &World, at: u32, who: u32) -> u64 {
    let epoch = if world.is_up(who) { world.status(who).epoch.0 } else { 1 };
    rights(world, at).held(Actor::new(who, epoch))
}

fn owed(world: &World, at: u32) -> u64 {
    let rights = rights(world, at);
    stockroom_core::rights::home::liability(&*world.snapshot(at), &account(), (Class::Goods, &rights)).unwrap().units()
}

fn on_hand(world: &World, at: u32) -> i64 {
    stockroom_core::rights::home::on_hand(&*world.snapshot(at), &account()).unwrap()
}

fn record(world: &World, at: u32, promise: PromiseId) -> book::Record {
    book::record(&*world.snapshot(at), StoreId(1), promise).unwrap().unwrap()
}

fn state(world: &World, at: u32, promise: PromiseId) -> State {
    record(world, at, promise).state()
}

fn hard(answer: Answer) -> PromiseId {
    match answer {
        Answer::Reserved { promise, .. } if promise.claim == Claim::Hard => promise.id,
        other => panic!("no hard promise: {other:?}"),
    }
}

fn reserved(answer: Result<Answer, Refusal>) -> Option<PromiseId> {
    match answer.unwrap() {
        Answer::Reserved { promise, .. } => Some(promise.id),
        _ => None,
    }
}
