//! What is wrong with rights and promises is found.

use stockroom_core::books::rights as book;
use stockroom_core::input::Answer;
use stockroom_core::journal::Log;
use stockroom_core::storage::Table;
use stockroom_crdt::batch::Item;
use stockroom_crdt::clock::Hlc;
use stockroom_crdt::codec::Rows;
use stockroom_crdt::entry::{Entry, Fact};
use stockroom_crdt::ids::{Actor, StoreId};
use stockroom_crdt::money::Unit;
use stockroom_crdt::scope::Scope;
use stockroom_crdt::stock::policy::{Allocation, PolicyRule, Target};
use stockroom_crdt::stock::promise::{PromiseId, Step};
use stockroom_crdt::stock::rights::{Account, Class, Rights, RightsFact, RightsRow};
use stockroom_crdt::stock::shortage::Shortage;
use stockroom_sim::observe::{Act, Deed, RowChange, Seen};

use crate::watched::{HUB, ONE, Watched, code, number, run_row, sku};

const HOME: Actor = Actor::new(ONE, 1);

#[test]
fn everything_holds_where_goods_are_promised_picked_and_sold() {
    let mut watched = promising(40);
    for n in 0..4 {
        let Ok(Answer::Reserved { promise, .. }) = watched.world.reserve(HUB, n, ("P00001", 1), &[1]) else { continue };
        watched.run_ms(2_000);
        watched.world.say_of(HUB, promise.id, Step::Confirm).unwrap();
        watched.run_ms(2_000);
        watched.world.say_of(ONE, promise.id, Step::Pick).unwrap();
        if n % 2 == 0 {
            hand_over(&mut watched, promise.id);
        }
        watched.sell(ONE, 1, 1);
    }
    watched.run_ms(10_000);
    watched.end();
    watched.all_hold();
}

#[test]
fn more_promises_than_rights_are_found() {
    let mut watched = promising(41);
    let row = RightsRow { used: 50, ..rights(&watched, ONE).row(HOME) };
    write(&mut watched, fact(row));
    watched.must_find("I1 no oversell", "50 of P00001 at store 1 are promised");
    watched.must_find("I2 ", "and promised 0");
    watched.must_find("I6 ", "rights to P00001 at store 1");
}

#[test]
fn rights_made_for_goods_that_are_owed_already_are_found() {
    let mut watched = promising(42);
    // The home's earlier life made some, others know it, and it does not.
    let earlier = RightsRow { mint: 50, ..RightsRow::default() };
    let row = rights_row(Actor::new(ONE, 9), &earlier);
    watched.pretend(HUB, Seen::Committed(vec![row]));
    watched.receive(ONE, 1, 1);
    watched.run_ms(2_000);
    watched.must_find("I1 no oversell", "made 1 rights to P00001 at store 1: now 61 are owed, and 11 are in the book");
}

#[test]
fn a_broken_promise_that_nothing_explains_is_found() {
    let mut watched = promising(43);
    let promise = promised(&mut watched);
    let shortage = |on_hand| Shortage { account: account(), on_hand, cause: code("sale"), victims: vec![(promise, 1)] };
    write(&mut watched, Fact::Shortage(shortage(0)));
    watched.must_find("I1 hard promises", "hard promises of P00001 at store 1 are broken: ");
}

#[test]
fn goods_that_cannot_be_found_for_a_promise_have_a_reason() {
    for stolen in [false, true] {
        let mut watched = promising(44);
        let promise = promised(&mut watched);
        let truth = watched.truth.stores.get_mut(&1).unwrap();
        if stolen {
            watched.truth.shrank(1, 1, 10);
        } else {
            truth.shelf.insert(1, 0);
        }
        let what = Act::Said { id: promise, step: Step::NotFound, product: 1, quantity: 1 };
        let deed = Deed { store: 1, what, entry: None, replayed: false, asked_ms: watched.world.now_ms };
        watched.pretend(ONE, Seen::Acknowledged(deed));
        assert_eq!(watched.found("I1 hard promises"), !stolen, "{:#?}", watched.findings.violations);
    }
}

#[test]
fn a_grant_that_was_never_made_is_found() {
    let mut watched = promising(45);
    promised(&mut watched);
    watched.look();
    let mut known = rights(&watched, HUB).row(HOME);
    *known.grants.entry(Actor::new(HUB, 1)).or_default() += 3;
    let row = rights_row(HOME, &known);
    let (key, new) = (row.key.clone(), row.new.clone());
    watched.tamper_if(HUB, Table::Rights, |held| held == key, |_, _| new);
    watched.pretend(HUB, Seen::Committed(vec![row]));
    watched.must_find("I3 rights", "more arrived");
    watched.must_find("I4 ", "which 2.1 never made durable");
}

#[test]
fn an_epoch_that_goes_on_after_its_end_and_one_that_begins_with_rights_are_found() {
    let mut watched = promising(46);
    let image = watched.world.nodes[&ONE].disk.image();
    watched.world.receive(ONE, "P00001", 20);
    watched.world.run_ms(3_000);
    watched.look();
    watched.pretend(ONE, Seen::Marked { name: "D10 restore", until_ms: None, detail: "token lost".into() });
    watched.world.crash(ONE);
    let node = watched.world.nodes.get_mut(&ONE).unwrap();
    (node.disk, node.token) = (image, None);
    watched.world.start(ONE);
    watched.look();
    let row = RightsRow { mint: 3, ..RightsRow::default() };
    let later = RightsFact { account: account(), class: Class::Goods, by: Actor::new(ONE, 2), row };
    write_as(&mut watched, Actor::new(ONE, 2), Fact::Rights(later));
    watched.must_find("I6 ", "2.2 made rights to P00001 at store 1 before it met its hub");
    let row = rights(&watched, ONE).row(HOME);
    write(&mut watched, fact(row));
    watched.must_find("I5 ", "2.1 writes about rights although its epoch is over");
}

#[test]
fn a_promise_that_opens_again_is_found() {
    let mut watched = promising(47);
    let promise = promised(&mut watched);
    let is_it = |key: &[u8]| key.ends_with(&promise.number.to_be_bytes());
    let open = watched.rows(ONE, Table::Promises).into_iter().find(|(key, _)| is_it(key)).unwrap();
    hand_over(&mut watched, promise);
    watched.all_hold();
    watched.tamper_if(ONE, Table::Promises, is_it, |_, _| Some(open.1.clone()));
    let row = RowChange { table: Table::Promises, key: open.0, old: None, new: Some(open.1) };
    watched.pretend(ONE, Seen::Committed(vec![row]));
    watched.must_find("I8 ", "was fulfilled at node 2 and is held again");
}

#[test]
fn a_promise_that_does_not_end_is_found() {
    let mut watched = promising(48);
    promised(&mut watched);
    watched.look();
    let late = watched.world.now_ms + 3_600_000;
    watched.with_scene(late, |check, scene, findings| check.end(scene, findings));
    watched.must_find("I8 ", "is still held");
}

/// Ten units of a product at the first store, that may be promised.
fn promising(seed: u64) -> Watched {
    let mut watched = Watched::new(seed);
    let rule = PolicyRule { lead_ms: 0, ..PolicyRule::of(Target::All, Allocation::Proportional) };
    watched.world.put_rule(rule);
    watched.run_ms(3_000);
    watched.receive(ONE, 1, 10);
    watched.run_ms(3_000);
    watched
}

fn promised(watched: &mut Watched) -> PromiseId {
    let Ok(Answer::Reserved { promise, .. }) = watched.world.reserve(HUB, 1, ("P00001", 1), &[1]) else {
        panic!("there are ten, and no promises")
    };
    watched.run_ms(3_000);
    promise.id
}

fn hand_over(watched: &mut Watched, promise: PromiseId) {
    let answer = watched.world.say_of(ONE, promise, Step::Fulfil).unwrap();
    watched.look();
    let Answer::Written { place, replayed } = answer else { panic!("{answer:?}") };
    let id = watched.union.nodes[&ONE].logs[&place.log].id.clone();
    let item = stockroom_core::journal::entry_at(&*watched.world.snapshot(ONE), place).unwrap().unwrap();
    let what = Act::Said { id: promise, step: Step::Fulfil, product: 1, quantity: 1 };
    let entry = Some((id, place.seq, item.digest()));
    let deed = Deed { store: 1, what, entry, replayed, asked_ms: watched.world.now_ms };
    watched.truth.acknowledged(&deed);
    watched.pretend(ONE, Seen::Acknowledged(deed));
}

fn account() -> Account {
    Account { store: StoreId(1), sku: sku(1), unit: Unit::Each }
}

fn rights(watched: &Watched, at: u32) -> Rights {
    book::rights(&*watched.world.snapshot(at), &account(), Class::Goods).unwrap()
}

fn fact(row: RightsRow) -> Fact {
    Fact::Rights(RightsFact { account: account(), class: Class::Goods, by: HOME, row })
}

/// The home writes something that it never wrote.
fn write(watched: &mut Watched, fact: Fact) {
    write_as(watched, HOME, fact);
}

fn write_as(watched: &mut Watched, by: Actor, fact: Fact) {
    let logs = watched.rows(ONE, Table::Logs).into_iter();
    let mut logs = logs.map(|(key, value)| (key, Log::from_row(&value).unwrap()));
    let of_rights = |log: &Log| log.id.scope == Scope::StoreRights(StoreId(1)) && log.id.actor == by;
    let (key, log) = logs.find(|(_, log)| of_rights(log)).unwrap();
    let item = Item::new(Entry { hlc: Hlc::new(watched.world.now_ms, 0), fact });
    watched.pretend(ONE, Seen::Committed(vec![run_row(number(&key), &log, &[item])]));
}

/// A row of the table of rights.
fn rights_row(actor: Actor, row: &RightsRow) -> RowChange {
    let account = account();
    let key = [
        stockroom_core::books::account::key(account.store, &account.sku, account.unit).as_slice(),
        &[Class::Goods as u8],
        &actor.node.0.to_be_bytes(),
        &actor.epoch.0.to_be_bytes(),
    ]
    .concat();
    RowChange { table: Table::Rights, key, old: None, new: Some(Rows::of(|sink| row.encode(sink))) }
}
