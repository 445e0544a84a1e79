//! The checks can fail: a world in which all of them hold, and for each of them something wrong that it must find.

#![allow(clippy::unwrap_used, clippy::disallowed_macros, reason = "a test says its seed and stops where it fails")]

mod goods;
mod orders;
mod promised;
mod tills;
mod watched;

use stockroom_core::input::Command;
use stockroom_core::journal::{Log, LogNumber};
use stockroom_core::storage::Table;
use stockroom_crdt::batch::{Item, encode_run};
use stockroom_crdt::chain::LogId;
use stockroom_crdt::clock::Hlc;
use stockroom_crdt::control::Fence;
use stockroom_crdt::entry::{Entry, Fact};
use stockroom_crdt::ids::{NodeId, StoreId};
use stockroom_crdt::scope::{Lane, Scope};
use stockroom_sim::observe::{Act, Deed, RowChange, Seen, Stop};

use watched::{HUB, ONE, TWO, Watched, code, item, number, raised, run_row};

#[test]
fn everything_holds_in_an_honest_world_with_crashes_cuts_and_counts() {
    let mut watched = Watched::new(1);
    watched.day();
    watched.world.cut(HUB, ONE);
    watched.world.crash(TWO);
    watched.look();
    (0..5).for_each(|product| drop(watched.sell(ONE, product, 2)));
    watched.run_ms(5_000);
    watched.world.start(TWO);
    watched.connect();
    watched.day();
    watched.world.crash(HUB);
    watched.sell(ONE, 1, 1);
    watched.world.start(HUB);
    watched.connect();
    watched.run_ms(60_000);
    watched.end();
    watched.all_hold();
    let commits: usize = watched.union.nodes[&HUB].logs.values().map(|log| log.head.seq as usize).sum();
    assert!(commits > 150, "the checks had {commits} entries at the hub to look at");
}

#[test]
fn everything_holds_when_a_disk_is_set_back_and_that_is_told() {
    for with_token in [false, true] {
        let mut watched = Watched::new(2);
        watched.day();
        let image = watched.world.nodes[&ONE].disk.image();
        (0..5).for_each(|product| drop(watched.sell(ONE, product, 1)));
        watched.run_ms(10_000);
        watched.pretend(ONE, Seen::Marked { name: "D10 restore", until_ms: None, detail: String::new() });
        watched.world.crash(ONE);
        let node = watched.world.nodes.get_mut(&ONE).unwrap();
        node.disk = image;
        node.token = node.token.take().filter(|_| with_token);
        watched.world.start(ONE);
        watched.connect();
        watched.run_ms(10_000);
        watched.connect();
        (0..5).for_each(|product| drop(watched.sell(ONE, product, 1)));
        watched.run_ms(30_000);
        watched.connect();
        watched.run_ms(30_000);
        watched.end();
        watched.all_hold();
        assert_eq!(watched.world.status(ONE).epoch.0, 2, "a new epoch was opened");
    }
}

#[test]
fn a_disk_that_is_set_back_in_silence_is_found() {
    let mut watched = Watched::new(3);
    watched.sell(ONE, 1, 1);
    let image = watched.world.nodes[&ONE].disk.image();
    watched.sell(ONE, 2, 1);
    watched.world.crash(ONE);
    watched.world.nodes.get_mut(&ONE).unwrap().disk = image;
    watched.world.start(ONE);
    watched.look();
    watched.must_find("I9 acknowledged", "does not have it after a restart");
}

#[test]
fn an_answer_before_the_commit_is_found() {
    let mut watched = Watched::new(4);
    let mut deed = watched.sell(ONE, 1, 1);
    let (id, seq, hash) = deed.entry.unwrap();
    deed.entry = Some((id, seq + 1, hash));
    deed.what = Act::Other("nothing");
    watched.pretend(ONE, Seen::Acknowledged(deed));
    watched.must_find("I9 acknowledged", "acknowledged entry");
}

#[test]
fn an_acknowledged_sale_that_is_not_at_the_hub_is_found_unless_it_is_declared_lost() {
    for declared in [false, true] {
        let mut watched = Watched::new(5);
        watched.day();
        watched.world.cut(HUB, TWO);
        watched.world.cut(ONE, TWO);
        watched.sell(TWO, 5, 1);
        let lost = watched.truth.stores[&2].deeds.len() - 1;
        watched.look();
        watched.world.crash(TWO);
        watched.look();
        if declared {
            watched.truth.declared_lost.insert((2, lost));
        }
        watched.end();
        assert_eq!(watched.found("I9 acknowledged"), !declared, "{:#?}", watched.findings.violations);
        assert_eq!(watched.found("I3 "), !declared, "{:#?}", watched.findings.violations);
    }
}

#[test]
fn a_relay_before_the_author_is_durable_is_found() {
    let mut watched = Watched::new(6);
    watched.day();
    let (key, value, log) = watched.stock(HUB, 1);
    let next =
        Item::new(Entry { hlc: Hlc::new(watched.world.now_ms, 0), ..item(&watched, HUB, number(&key), 5).entry });
    let run = run_row(number(&key), &log, &[next]);
    let head = raised(&log, &run);
    let rows = vec![RowChange { table: Table::Logs, key, old: Some(value), new: Some(head) }, run];
    watched.pretend(HUB, Seen::Committed(rows));
    watched.must_find("I9 nothing leaves", "which its author has durable up to");
    assert!(!watched.found("I13"), "the chain itself is sound: {:#?}", watched.findings.violations);
}

#[test]
fn a_second_history_of_an_honest_log_is_found() {
    let mut watched = Watched::new(7);
    watched.day();
    let (key, _, log) = watched.stock(HUB, 1);
    let before = Log { head: stockroom_crdt::chain::Head { seq: 9, ..log.head }, ..log };
    let other = item(&watched, HUB, number(&key), 30);
    watched.pretend(HUB, Seen::Committed(vec![run_row(number(&key), &before, &[other])]));
    watched.must_find("I12", "another entry 10 of store/1/stock");
}

#[test]
fn a_fork_without_a_proof_is_found() {
    let mut watched = Watched::new(8);
    watched.day();
    watched.world.cut(HUB, ONE);
    watched.world.cut(ONE, TWO);
    watched.look();
    let (image, token) = (watched.world.nodes[&ONE].disk.image(), watched.world.nodes[&ONE].token.clone());
    watched.sell(ONE, 1, 1);
    watched.connect();
    watched.run_ms(5_000);
    watched.pretend(ONE, Seen::Marked { name: "D10 restore", until_ms: None, detail: String::new() });
    watched.world.crash(ONE);
    let node = watched.world.nodes.get_mut(&ONE).unwrap();
    (node.disk, node.token) = (image, token);
    watched.world.start(ONE);
    watched.look();
    watched.sell(ONE, 2, 1);
    watched.connect();
    watched.run_ms(60_000);
    watched.end();
    assert!(!watched.found("I12"), "the hub proved it: {:#?}", watched.findings.violations);
    let proof = |key: &[u8]| key.starts_with(b"fork/");
    watched.tamper_if(HUB, Table::Meta, proof, |_, _| None);
    watched.end();
    watched.must_find("I12", "no proof of the fork");
}

#[test]
fn a_head_that_claims_more_than_is_held_is_found() {
    let mut watched = Watched::new(9);
    watched.day();
    let (key, value, log) = watched.stock(ONE, 1);
    let run = run_row(number(&key), &log, &[item(&watched, ONE, number(&key), 5)]);
    let claim = RowChange { table: Table::Logs, key, old: Some(value), new: Some(raised(&log, &run)) };
    watched.pretend(ONE, Seen::Committed(vec![claim]));
    watched.must_find("I13", "has its head at entry");
}

#[test]
fn a_head_that_goes_back_or_an_entry_that_is_replaced_is_found() {
    let mut watched = Watched::new(10);
    watched.sell(ONE, 1, 1);
    let (key, before, _) = watched.stock(ONE, 1);
    watched.sell(ONE, 1, 1);
    let (_, after, _) = watched.stock(ONE, 1);
    let back = RowChange { table: Table::Logs, key, old: Some(after), new: Some(before) };
    watched.pretend(ONE, Seen::Committed(vec![back]));
    watched.must_find("I13", "has its head at entry");
    let (key, value) = watched.rows(ONE, Table::Runs).pop().unwrap();
    watched.pretend(ONE, Seen::Committed(vec![RowChange { table: Table::Runs, key, old: Some(value), new: None }]));
    watched.must_find("I13", "had entries replaced or removed");
}

#[test]
fn a_different_figure_under_equal_heads_is_found() {
    let mut watched = Watched::new(11);
    watched.day();
    let accounts = watched.rows(HUB, Table::Accounts);
    let (key, value) = accounts[0].clone();
    let wrong = RowChange { table: Table::Accounts, key, old: Some(value), new: Some(accounts[3].1.clone()) };
    watched.pretend(HUB, Seen::Committed(vec![wrong]));
    watched.must_find("I14", "same 1 histories of Store(1) and not the same state: books differ");
}

#[test]
fn a_row_that_no_commit_told_of_and_another_catalogue_are_found() {
    let mut watched = Watched::new(12);
    watched.day();
    let days = watched.rows(ONE, Table::Days);
    watched.tamper(ONE, Table::Days, |_, mut value| {
        *value.last_mut().unwrap() ^= 2;
        Some(value)
    });
    assert_ne!(watched.rows(ONE, Table::Days), days);
    watched.end();
    watched.must_find("I14", "another Store(1) than its commits told");
    let product = |key: &[u8]| key[4..6] == stockroom_crdt::entry::kind::PRODUCT.to_be_bytes();
    let (key, value) = watched.rows(TWO, Table::Cells).into_iter().find(|(key, _)| product(key)).unwrap();
    watched.pretend(TWO, Seen::Committed(vec![RowChange { table: Table::Cells, key, old: Some(value), new: None }]));
    watched.end();
    watched.must_find("I14", "show different catalog");
}

#[test]
fn nodes_that_stay_apart_are_found() {
    let mut watched = Watched::new(13);
    watched.day();
    watched.world.cut(HUB, ONE);
    watched.sell(ONE, 1, 1);
    watched.end();
    watched.must_find("I30 the healthy core", "store/1/stock");
}

#[test]
fn books_that_are_not_what_the_logs_say_are_found() {
    let mut watched = Watched::new(14);
    watched.day();
    let accounts = watched.rows(HUB, Table::Accounts);
    watched.tamper(HUB, Table::Accounts, |_, _| Some(accounts[3].1.clone()));
    watched.end();
    watched.must_find("I17", "made from 1 histories in another order differ");
    watched.must_find("I18", "the rebuilt books of store 1 differ");
    watched.must_find("I3 ", "store 1, P00000");
}

#[test]
fn takings_that_are_not_what_was_taken_and_a_sale_counted_twice_are_found() {
    let mut watched = Watched::new(15);
    watched.day();
    let days = watched.rows(HUB, Table::Days);
    watched.tamper(HUB, Table::Days, |_, _| Some(doubled(&days[0].1)));
    watched.end();
    watched.must_find("I3 ", "says that store 1 took");
    watched.must_find("I19 one effect", "receipts of store 1");
}

/// A day with its receipts and its money twice.
fn doubled(value: &[u8]) -> Vec<u8> {
    use stockroom_crdt::codec::{RowReader, Rows, Sink, Source, col};
    let mut reader = RowReader::new(value);
    let counts: Vec<u64> = (0..6).map(|_| reader.uint(col::A).unwrap()).collect();
    let amounts: Vec<i64> = (0..5).map(|_| reader.int(col::AMOUNT).unwrap()).collect();
    Rows::of(|sink| {
        counts.iter().enumerate().for_each(|(n, count)| sink.uint(col::A, if n < 3 { *count } else { 2 * count }));
        amounts.iter().for_each(|amount| sink.int(col::AMOUNT, 2 * amount));
    })
}

#[test]
fn a_shelf_that_the_book_does_not_know_is_found() {
    let mut watched = Watched::new(16);
    watched.day();
    *watched.truth.stores.get_mut(&1).unwrap().shelf.get_mut(&7).unwrap() += 1;
    watched.end();
    watched.must_find("I3 ", "store 1, P00007");
}

#[test]
fn another_answer_for_the_same_sale_is_found() {
    let mut watched = Watched::new(17);
    let first = watched.sell(ONE, 1, 1);
    let second = watched.sell(ONE, 1, 1);
    watched.pretend(ONE, Seen::Acknowledged(Deed { replayed: true, ..first.clone() }));
    watched.all_hold();
    watched.pretend(ONE, Seen::Acknowledged(Deed { entry: second.entry, ..first }));
    watched.must_find("I19 same key", "acknowledged sale 1 of till 1");
}

#[test]
fn a_missing_receipt_is_found() {
    let mut watched = Watched::new(18);
    watched.day();
    let (key, _, log) = watched.stock(HUB, 1);
    let run = watched.rows(HUB, Table::Runs).into_iter().rfind(|(run, _)| run.starts_with(&key)).unwrap();
    let (_, first, _, mut items) = stockroom_core::journal::run_from_row(&run.0, &run.1).unwrap();
    assert!(first > 1, "{first} of {}", log.head.seq);
    let sale = items.iter_mut().find_map(|item| match &mut item.entry.fact {
        Fact::Sale(sale) => Some(sale),
        _ => None,
    });
    sale.unwrap().receipt.sequence += 5;
    let items: Vec<_> = items.into_iter().map(|item| Item::new(item.entry)).collect();
    let mut value = run.1[..32].to_vec();
    value.extend(encode_run(&items, u16::MAX));
    watched.tamper_if(HUB, Table::Runs, |key| *key == run.0, |_, _| Some(value));
    watched.end();
    watched.must_find("I19 one effect", "is missing at hub 1");
}

#[test]
fn a_time_that_goes_back_or_runs_far_ahead_is_found() {
    let mut watched = Watched::new(19);
    watched.day();
    let (key, _, log) = watched.stock(ONE, 1);
    let at = |hlc: Hlc| Item::new(Entry { hlc, ..item(&watched, ONE, number(&key), 5).entry });
    let (back, ahead) = (at(Hlc::new(log.newest_ms - 1, 0)), at(Hlc::new(watched.world.now_ms + 600_000, 0)));
    watched.pretend(ONE, Seen::Committed(vec![run_row(number(&key), &log, &[back])]));
    watched.must_find("I20", "after an entry at");
    watched.pretend(ONE, Seen::Committed(vec![run_row(number(&key), &log, &[ahead])]));
    watched.must_find("I20", "ahead of the truth");
}

#[test]
fn a_log_or_a_cell_by_somebody_who_may_not_is_found() {
    let mut watched = Watched::new(20);
    watched.day();
    let (_, _, log) = watched.stock(HUB, 1);
    let theirs = LogId { scope: Scope::StoreStock(StoreId(2)), ..log.id.clone() };
    let opened = Log { id: theirs, seal: None, ..log.clone() };
    let row = raised(&opened, &run_row(LogNumber(99), &opened, &[item(&watched, HUB, LogNumber(1), 1)]));
    let key = 99_u32.to_be_bytes().to_vec();
    watched.pretend(HUB, Seen::Committed(vec![RowChange { table: Table::Logs, key, old: None, new: Some(row) }]));
    watched.must_find("I22", "has a log of store/2/stock, where it may not write");

    let mut watched = Watched::new(21);
    let product = |key: &[u8]| key[4..6] == stockroom_crdt::entry::kind::PRODUCT.to_be_bytes();
    let (key, value) = watched.rows(HUB, Table::Cells).into_iter().find(|(key, _)| product(key)).unwrap();
    let writer = key.len() - 6;
    let by_store = [&key[..writer], &ONE.to_be_bytes(), &1_u16.to_be_bytes()].concat();
    let row = RowChange { table: Table::Cells, key: by_store, old: None, new: Some(value.clone()) };
    watched.pretend(HUB, Seen::Committed(vec![row]));
    watched.must_find("I22", "is by 2.1, which may not write it");
    let cells = watched.rows(TWO, Table::Cells);
    let at_store = cells.iter().find(|(at, _)| product(at) && at[6..] == key[6..]).unwrap().0.clone();
    let other = cells.iter().rfind(|(at, other)| product(at) && *other != value).unwrap().1.clone();
    let forged = forged(&other);
    let row = RowChange { table: Table::Cells, key: at_store, old: Some(value), new: Some(forged) };
    watched.pretend(TWO, Seen::Committed(vec![row]));
    watched.must_find("I22", "by 1.1, which never wrote that");
}

/// A cell with another product name.
fn forged(value: &[u8]) -> Vec<u8> {
    use stockroom_crdt::codec::{Rows, Sink, col};
    let cell = stockroom_core::books::cells::decode(value).unwrap();
    let mut entry = Entry::from_bytes(&cell.bytes).unwrap();
    let Fact::Product(product) = &mut entry.fact else { panic!("{entry:?}") };
    product.name = "gift".into();
    Rows::of(|sink| {
        sink.uint(col::SEQ, cell.stamp.seq);
        sink.uint(col::DIGEST, cell.stamp.hash);
        sink.uint(col::POSITION, cell.position);
        sink.blob(col::RAW, &entry.to_bytes());
    })
}

#[test]
fn a_scope_in_the_wrong_hands_is_found() {
    let mut watched = Watched::new(22);
    let scope = RowChange {
        table: Table::Scopes,
        key: Scope::StoreRights(StoreId(9)).to_bytes(),
        old: None,
        new: watched.rows(ONE, Table::Scopes).pop().map(|(_, value)| value),
    };
    watched.pretend(ONE, Seen::Committed(vec![scope]));
    watched.must_find("I23", "node 2 holds store/9/rights");
}

#[test]
fn entries_behind_a_fence_that_count_are_found() {
    let mut watched = Watched::new(23);
    watched.day();
    let reason = code("stolen");
    watched.world.command(HUB, Command::Fence { node: NodeId(ONE), reason }).unwrap();
    watched.look();
    assert!(!watched.found("I24") && !watched.found("I14"), "{:#?}", watched.findings.violations);
    let (key, _, log) = watched.stock(HUB, 1);
    let run = run_row(number(&key), &log, &[item(&watched, HUB, number(&key), 30)]);
    let accounts = watched.rows(HUB, Table::Accounts);
    let (key, value) = accounts[0].clone();
    let moved = RowChange { table: Table::Accounts, key, old: Some(value), new: Some(accounts[3].1.clone()) };
    watched.pretend(HUB, Seen::Committed(vec![run, moved]));
    watched.must_find("I24", "behind a fence");
    let cuts = stockroom_core::view::View::new(&*watched.world.snapshot(HUB)).fences().unwrap();
    assert!(matches!(cuts.as_slice(), [Fence { node: NodeId(ONE), .. }]));
}

#[test]
fn a_frame_beyond_its_bound_is_found() {
    let mut watched = Watched::new(24);
    watched.pretend(ONE, Seen::Sent { to: HUB, lane: Lane::Stock, bytes: 256 * 1024 });
    watched.all_hold();
    watched.pretend(ONE, Seen::Sent { to: HUB, lane: Lane::Stock, bytes: 300_000 });
    watched.must_find("I28", "a frame of 300000 bytes");
}

#[test]
fn a_panic_and_a_node_that_gives_up_for_nothing_are_found() {
    let mut watched = Watched::new(25);
    watched.pretend(ONE, Seen::Marked { name: "D4 disk error", until_ms: None, detail: String::new() });
    watched.pretend(ONE, Seen::Stopped(Stop::Failed("storage failed".into())));
    watched.all_hold();
    watched.pretend(TWO, Seen::Stopped(Stop::Failed("storage failed".into())));
    watched.must_find("I29", "nothing was done to its disk");
    watched.pretend(ONE, Seen::Stopped(Stop::Panicked("index out of bounds".into())));
    watched.must_find("I29", "panicked: index out of bounds");
}

#[test]
fn a_status_that_claims_what_is_not_so_is_found() {
    let mut watched = Watched::new(26);
    watched.sell(ONE, 1, 1);
    watched.run_ms(5_000);
    let (key, before, _) = watched.stock(HUB, 1);
    watched.day();
    watched.end();
    watched.all_hold();
    // The hub loses what it acknowledged: the store cannot know, and its status is not true any more.
    watched.tamper_if(HUB, Table::Logs, |at| at == key, |_, _| Some(before));
    watched.end();
    watched.must_find("I30 status", "says that it has no backlog");
    watched.must_find("I30 status", "says that it had everything of store 1");
}

#[test]
fn a_till_that_waits_at_a_node_that_is_up_is_found() {
    let mut watched = Watched::new(27);
    let deed = watched.sell(ONE, 1, 1);
    watched.run_ms(2_000);
    let again = Deed { replayed: true, ..deed };
    watched
        .pretend(ONE, Seen::Marked { name: "P3 pause", until_ms: Some(watched.world.now_ms), detail: String::new() });
    watched.pretend(ONE, Seen::Acknowledged(again.clone()));
    watched.all_hold();
    watched.run_ms(10_000);
    let late = Deed { asked_ms: watched.world.now_ms - 1_500, ..again };
    watched.pretend(ONE, Seen::Acknowledged(late));
    watched.must_find("I31", "wait 1500 ms");
}

#[test]
fn a_storm_that_costs_too_much_is_found() {
    let mut watched = Watched::new(28);
    watched.day();
    watched.pretend(HUB, Seen::Marked { name: "N13 reconnect storm", until_ms: None, detail: String::new() });
    watched.world.reset(HUB, ONE);
    watched.connect();
    watched.sell(ONE, 1, 1);
    watched.run_ms(120_000);
    watched.all_hold();
    watched.pretend(HUB, Seen::Marked { name: "N13 reconnect storm", until_ms: None, detail: String::new() });
    (0..10).for_each(|_| watched.pretend(HUB, Seen::Sent { to: ONE, lane: Lane::Stock, bytes: 200_000 }));
    watched.end();
    watched.must_find("I32", "2000000 bytes");
}
