//! The checks can fail: a world in which all of them hold, and for each of them something wrong that it must find.

#![allow(clippy::unwrap_used, clippy::disallowed_macros, reason = "a test says its seed and stops where it fails")]

use std::collections::BTreeSet;

use stockroom_core::input::{Answer, Command, RetryKey};
use stockroom_core::journal::{Log, LogNumber, entry_at};
use stockroom_core::storage::{Direction, Table, Writes};
use stockroom_crdt::batch::{Item, encode_run};
use stockroom_crdt::chain::LogId;
use stockroom_crdt::clock::Hlc;
use stockroom_crdt::control::Fence;
use stockroom_crdt::count::CountScan;
use stockroom_crdt::entry::{Entry, Fact};
use stockroom_crdt::ids::{Actor, Code, Digest, NodeId, Sku, StoreId};
use stockroom_crdt::money::Unit;
use stockroom_crdt::receiving::{GoodsReceipt, ReceiptLine};
use stockroom_crdt::scope::{Lane, Scope};
use stockroom_sim::checks::{self, Check, Findings, Scene};
use stockroom_sim::observe::{Act, Deed, Observation, RowChange, Seen, Stop};
use stockroom_sim::truth::Truth;
use stockroom_sim::union::Union;
use stockroom_sim::world::World;

const HUB: u32 = 1;
const ONE: u32 = 2;
const TWO: u32 = 3;

/// A world under all checks.
struct Watched {
    world: World,
    checks: Vec<Box<dyn Check>>,
    union: Union,
    truth: Truth,
    written_off: BTreeSet<u32>,
    findings: Findings,
    event: u64,
    start_ms: u64,
    till_seq: u64,
}

impl Watched {
    /// A hub and two stores of one group with ten products, all connected.
    fn new(seed: u64) -> Self {
        println!("seed {seed}");
        let mut world = World::asleep(seed);
        world.observe();
        world.start(HUB);
        let products: Vec<String> = (0..10).map(|product| format!("P{product:05}")).collect();
        let products: Vec<_> = products.iter().map(|sku| (sku.as_str(), Unit::Each)).collect();
        world.put_products(&products);
        world.enrol_in_group(1, "street");
        world.enrol_in_group(2, "street");
        let start_ms = world.now_ms;
        let mut watched = Self {
            world,
            checks: checks::all(),
            union: Union::default(),
            truth: Truth::default(),
            written_off: BTreeSet::new(),
            findings: Findings::default(),
            event: 0,
            start_ms,
            till_seq: 0,
        };
        watched.look();
        watched.connect();
        watched.run_ms(5_000);
        watched
    }

    fn connect(&mut self) {
        for (a, b) in [(HUB, ONE), (HUB, TWO), (ONE, TWO)] {
            self.world.connect(a, b);
        }
        self.look();
    }

    fn run_ms(&mut self, ms: u64) {
        let end = self.world.now_ms + ms;
        while self.world.step(end) {
            self.look();
        }
        self.world.now_ms = end;
    }

    fn look(&mut self) {
        for (at_ms, node, what) in self.world.take_seen() {
            self.saw(at_ms, node, what);
        }
    }

    fn saw(&mut self, at_ms: u64, node: u32, what: Seen) {
        self.event += 1;
        let seen = Observation { at_ms, event: self.event, node, what };
        self.union.observe(&seen);
        self.with_scene(at_ms, |check, scene, findings| check.observe(&seen, scene, findings));
    }

    /// Something that never happened.
    fn pretend(&mut self, node: u32, what: Seen) {
        self.look();
        self.saw(self.world.now_ms, node, what);
    }

    fn end(&mut self) {
        self.with_scene(self.world.now_ms, |check, scene, findings| check.end(scene, findings));
    }

    fn with_scene(&mut self, now_ms: u64, mut each: impl FnMut(&mut dyn Check, &Scene<'_>, &mut Findings)) {
        let scene = Scene {
            world: &self.world,
            union: &self.union,
            truth: &self.truth,
            written_off: &self.written_off,
            start_ms: self.start_ms,
            event: self.event,
            now_ms,
        };
        for check in &mut self.checks {
            each(check.as_mut(), &scene, &mut self.findings);
        }
    }

    fn acknowledge(&mut self, node: u32, what: Act, answer: Answer) -> Deed {
        self.look();
        let Answer::Written { place, replayed } = answer else { panic!("{answer:?}") };
        let id = self.union.nodes[&node].logs[&place.log].id.clone();
        let item = entry_at(&*self.world.snapshot(node), place).unwrap().unwrap();
        let entry = Some((id, place.seq, item.digest()));
        let deed = Deed { store: node - 1, what, entry, replayed, asked_ms: self.world.now_ms };
        self.truth.acknowledged(&deed);
        self.saw(self.world.now_ms, node, Seen::Acknowledged(deed.clone()));
        deed
    }

    fn sell(&mut self, node: u32, product: u16, quantity: i64) -> Deed {
        self.till_seq += 1;
        let (till, till_seq) = (1, self.till_seq);
        let answer = self.world.sell(node, till, till_seq, &[(&format!("P{product:05}"), quantity)]).unwrap();
        let act = Act::Sale { till, till_seq, lines: vec![(product, quantity)], total: 100 * quantity };
        self.acknowledge(node, act, answer)
    }

    fn receive(&mut self, node: u32, product: u16, quantity: i64) {
        let line = ReceiptLine { sku: sku(product), unit: Unit::Each, quantity, lot: Code::default(), expiry_day: 0 };
        let receipt = GoodsReceipt { document: code("DN"), staff: code("bo"), lines: vec![line] };
        let retry = self.retry();
        let answer = self.world.command(node, Command::Receive(retry, receipt)).unwrap();
        self.acknowledge(node, Act::Receipt { product, quantity }, answer);
    }

    fn count(&mut self, node: u32, product: u16) {
        let quantity = self.truth.on_shelf(node - 1, product);
        let session = self.event;
        let (zone, staff) = (code("shelf"), code("bo"));
        let scan = CountScan { session, zone, sku: sku(product), unit: Unit::Each, quantity, staff };
        let retry = self.retry();
        self.world.command(node, Command::CountScan(retry, scan)).unwrap();
        let close = Command::CountClose { retry: self.retry(), session, staff: code("bo") };
        let answer = self.world.command(node, close).unwrap();
        self.acknowledge(node, Act::Count { product, quantity }, answer);
    }

    fn retry(&mut self) -> RetryKey {
        self.event += 1;
        let key = Digest::of(&[b"retry", &self.event.to_be_bytes()]);
        RetryKey { key, body: key }
    }

    /// A day at both stores.
    fn day(&mut self) {
        for node in [ONE, TWO] {
            (0..10).for_each(|product| self.receive(node, product, 50));
            for n in 0..30 {
                self.sell(node, n % 10, 1 + i64::from(n % 3));
                self.run_ms(700);
            }
            self.truth.shrank(node - 1, 3, 2);
            self.truth.shrank(node - 1, 4, 1);
            self.count(node, 3);
            self.sell(node, 3, 1);
        }
        self.run_ms(10_000);
    }

    /// Changes a row on a disk behind everybody's back.
    fn tamper(&mut self, node: u32, table: Table, change: impl FnOnce(Vec<u8>, Vec<u8>) -> Option<Vec<u8>>) {
        self.tamper_if(node, table, |_| true, change);
    }

    fn tamper_if(
        &mut self,
        node: u32,
        table: Table,
        which: impl Fn(&[u8]) -> bool,
        change: impl FnOnce(Vec<u8>, Vec<u8>) -> Option<Vec<u8>>,
    ) {
        let (key, value) = self.rows(node, table).into_iter().find(|(key, _)| which(key)).unwrap();
        let changed = change(key.clone(), value);
        let writes = Writes::from([((table, key), changed)]);
        self.world.nodes[&node].disk.open().unwrap().commit(&writes).unwrap();
    }

    fn rows(&self, node: u32, table: Table) -> Vec<(Vec<u8>, Vec<u8>)> {
        let all = (std::ops::Bound::Unbounded, std::ops::Bound::Unbounded);
        self.world.snapshot(node).scan(table, all, Direction::Forward, usize::MAX).unwrap()
    }

    /// A store's stock log as a node has it, with its row.
    fn stock(&self, node: u32, store: u32) -> (Vec<u8>, Vec<u8>, Log) {
        let logs = self.rows(node, Table::Logs).into_iter();
        let mut logs = logs.map(|(key, value)| (key, value.clone(), Log::from_row(&value).unwrap()));
        logs.find(|(_, _, log)| log.id.scope == Scope::StoreStock(StoreId(store))).unwrap()
    }

    fn found(&self, check: &str) -> bool {
        self.findings.violations.iter().any(|violation| violation.check.starts_with(check))
    }

    #[track_caller]
    fn must_find(&self, check: &str, words: &str) {
        let found = self.findings.violations.iter().any(|v| v.check.starts_with(check) && v.message.contains(words));
        assert!(found, "{check} did not say {words:?}: {:#?}", self.findings.violations);
    }

    #[track_caller]
    fn all_hold(&self) {
        assert!(self.findings.violations.is_empty(), "{:#?}", self.findings.violations);
    }
}

fn sku(product: u16) -> Sku {
    Sku::parse(&format!("P{product:05}")).unwrap()
}

fn code(text: &str) -> Code {
    Code::parse(text).unwrap()
}

fn number(key: &[u8]) -> LogNumber {
    LogNumber(u32::from_be_bytes(key.try_into().unwrap()))
}

/// Rows of a run of entries that a log gets after `before`.
fn run_row(log: LogNumber, before: &Log, items: &[Item]) -> RowChange {
    let first = before.head.seq + 1;
    let key = [log.0.to_be_bytes().as_slice(), &first.to_be_bytes()].concat();
    let hash = items.iter().fold(before.head.hash, |hash, item| stockroom_crdt::chain::advance(hash, &item.bytes));
    let mut value = hash.0.to_vec();
    value.extend(encode_run(items, u16::MAX));
    RowChange { table: Table::Runs, key, old: None, new: Some(value) }
}

/// An entry of a log, as it is held.
fn item(watched: &Watched, node: u32, log: LogNumber, seq: u64) -> Item {
    entry_at(&*watched.world.snapshot(node), stockroom_core::journal::Place { log, seq }).unwrap().unwrap()
}

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
        assert_eq!(watched.found("I3"), !declared, "{:#?}", watched.findings.violations);
    }
}

#[test]
fn a_relay_before_the_author_is_durable_is_found() {
    let mut watched = Watched::new(6);
    watched.day();
    let (key, value, log) = watched.stock(HUB, 1);
    let next = Item::new(Entry { hlc: Hlc::new(watched.world.now_ms, 0), ..item(&watched, HUB, number(&key), 5).entry });
    let run = run_row(number(&key), &log, &[next]);
    let head = raised(&log, &run);
    let rows = vec![RowChange { table: Table::Logs, key, old: Some(value), new: Some(head) }, run];
    watched.pretend(HUB, Seen::Committed(rows));
    watched.must_find("I9 nothing leaves", "which its author has durable up to");
    assert!(!watched.found("I13"), "the chain itself is sound: {:#?}", watched.findings.violations);
}

/// A log's row with its head at the end of a run: taken from a journal, which is the only one that writes such rows.
fn raised(log: &Log, run: &RowChange) -> Vec<u8> {
    use stockroom_core::journal::{Journal, run_from_row};
    use stockroom_core::overlay::Overlay;
    use stockroom_core::storage::Store;
    use stockroom_core::storage::memory::MemoryStore;
    let (_, _, _, items) = run_from_row(&run.key, run.new.as_ref().unwrap()).unwrap();
    let empty = MemoryStore::default().reader().snapshot().unwrap();
    let mut journal = Journal::load(stockroom_crdt::ids::TenantId([0; 16]), &*empty).unwrap();
    let mut overlay = Overlay::new(empty);
    let at = stockroom_core::journal::Place { log: LogNumber(9), seq: log.head.seq };
    let number = journal.open(log.id.clone(), log.key, log.author_store, Some((at, log.head.hash)));
    journal.append(&mut overlay, number, &items);
    journal.flush(&mut overlay);
    let row = overlay.writes()[&(Table::Logs, number.0.to_be_bytes().to_vec())].clone().unwrap();
    // The journal knows it as a branch; as a log of its own it has no parent and its old seal.
    stockroom_crdt::codec::Rows::of(|sink| {
        use stockroom_crdt::codec::{Sink, col};
        let log_after = Log::from_row(&row).unwrap();
        log.id.encode(sink);
        sink.uint(col::FLAGS, u64::from(log.seal.is_some()) << 1);
        sink.uint(col::SEQ, log_after.head.seq);
        sink.array(col::DIGEST, &log_after.head.hash.0);
        if let Some(seal) = &log.seal {
            seal.encode(sink);
        }
        sink.array(col::DIGEST, &log.key);
        sink.uint(col::STORE, u64::from(log.author_store));
        [0, log.kept_seq, log.kept_bytes, log.newest_ms].into_iter().for_each(|number| sink.uint(col::COUNT, number));
    })
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
    watched.must_find("I3", "store 1, P00000");
}

#[test]
fn takings_that_are_not_what_was_taken_and_a_sale_counted_twice_are_found() {
    let mut watched = Watched::new(15);
    watched.day();
    let days = watched.rows(HUB, Table::Days);
    watched.tamper(HUB, Table::Days, |_, _| Some(doubled(&days[0].1)));
    watched.end();
    watched.must_find("I3", "says that store 1 took");
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
    watched.must_find("I3", "store 1, P00007");
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
        key: Scope::StoreRights(StoreId(2)).to_bytes(),
        old: None,
        new: watched.rows(ONE, Table::Scopes).pop().map(|(_, value)| value),
    };
    watched.pretend(ONE, Seen::Committed(vec![scope]));
    watched.must_find("I23", "node 2 holds store/2/rights");
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
fn a_frame_beyond_its_bound_and_too_many_parked_runs_are_found() {
    let mut watched = Watched::new(24);
    watched.pretend(ONE, Seen::Sent { to: HUB, lane: Lane::Stock, bytes: 300_000 });
    watched.must_find("I28", "a frame of 300000 bytes");
    let mut key = LogId { actor: Actor::new(TWO, 1), scope: Scope::StoreStock(StoreId(2)) }.to_bytes();
    key.extend(7_u64.to_be_bytes());
    let parked = |n: u32| {
        let key = [key.as_slice(), &n.to_be_bytes()].concat();
        RowChange { table: Table::Parked, key, old: None, new: Some(vec![0; 10]) }
    };
    watched.pretend(HUB, Seen::Committed((0..1_025).map(parked).collect()));
    watched.must_find("I28", "keeps 1025 parked runs");
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
    watched.pretend(ONE, Seen::Marked { name: "P3 pause", until_ms: Some(watched.world.now_ms), detail: String::new() });
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
