//! A world under all checks, and ways to pretend and to tamper.

use std::collections::BTreeSet;

use stockroom_core::input::goods::{Doubtful, Uncounted};
use stockroom_core::input::{Answer, Command, RetryKey};
use stockroom_core::journal::{Log, LogNumber, entry_at};
use stockroom_core::storage::{Direction, Table, Writes};
use stockroom_crdt::batch::{Item, encode_run};
use stockroom_crdt::count::CountScan;
use stockroom_crdt::ids::{Code, Digest, Sku, StoreId};
use stockroom_crdt::money::Unit;
use stockroom_crdt::receiving::{GoodsReceipt, ReceiptLine};
use stockroom_crdt::scope::Scope;
use stockroom_sim::checks::{self, Check, Findings, Scene};
use stockroom_sim::observe::{Act, Deed, Observation, RowChange, Seen};
use stockroom_sim::truth::Truth;
use stockroom_sim::union::Union;
use stockroom_sim::world::World;

pub const HUB: u32 = 1;
pub const ONE: u32 = 2;
pub const TWO: u32 = 3;

/// A world under all checks.
pub struct Watched {
    pub world: World,
    pub checks: Vec<Box<dyn Check>>,
    pub union: Union,
    pub truth: Truth,
    pub written_off: BTreeSet<u32>,
    pub findings: Findings,
    pub event: u64,
    pub start_ms: u64,
    pub till_seq: u64,
}

impl Watched {
    /// A hub and two stores of one group with ten products, all connected.
    pub fn new(seed: u64) -> Self {
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

    pub fn connect(&mut self) {
        for (a, b) in [(HUB, ONE), (HUB, TWO), (ONE, TWO)] {
            self.world.connect(a, b);
        }
        self.look();
    }

    pub fn run_ms(&mut self, ms: u64) {
        let end = self.world.now_ms + ms;
        while self.world.step(end) {
            self.look();
        }
        self.world.now_ms = end;
    }

    pub fn look(&mut self) {
        for (at_ms, node, what) in self.world.take_seen() {
            self.saw(at_ms, node, what);
        }
    }

    pub fn saw(&mut self, at_ms: u64, node: u32, what: Seen) {
        self.event += 1;
        let seen = Observation { at_ms, event: self.event, node, what };
        self.union.observe(&seen);
        self.with_scene(at_ms, |check, scene, findings| check.observe(&seen, scene, findings));
    }

    /// Something that never happened.
    pub fn pretend(&mut self, node: u32, what: Seen) {
        self.look();
        self.saw(self.world.now_ms, node, what);
    }

    pub fn end(&mut self) {
        self.with_scene(self.world.now_ms, |check, scene, findings| check.end(scene, findings));
    }

    pub fn with_scene(&mut self, now_ms: u64, mut each: impl FnMut(&mut dyn Check, &Scene<'_>, &mut Findings)) {
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

    pub fn acknowledge(&mut self, node: u32, what: Act, answer: Answer) -> Deed {
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

    pub fn sell(&mut self, node: u32, product: u16, quantity: i64) -> Deed {
        self.till_seq += 1;
        let (till, till_seq) = (1, self.till_seq);
        let answer = self.world.sell(node, till, till_seq, &[(&format!("P{product:05}"), quantity)]).unwrap();
        let act = Act::Sale { till, till_seq, lines: vec![(product, quantity)], total: 100 * quantity };
        self.acknowledge(node, act, answer)
    }

    pub fn receive(&mut self, node: u32, product: u16, quantity: i64) {
        let line = ReceiptLine { sku: sku(product), unit: Unit::Each, quantity, lot: Code::default(), expiry_day: 0 };
        let receipt = GoodsReceipt { document: code("DN"), staff: code("bo"), lines: vec![line] };
        let retry = self.retry();
        let answer = self.world.command(node, Command::Receive(retry, receipt)).unwrap();
        self.acknowledge(node, Act::Receipt { product, quantity }, answer);
    }

    pub fn count(&mut self, node: u32, product: u16) {
        let quantity = self.truth.on_shelf(node - 1, product);
        let session = self.event;
        let (zone, staff) = (code("shelf"), code("bo"));
        let scan = CountScan { session, zone, sku: sku(product), unit: Unit::Each, quantity, settles: false, staff };
        let retry = self.retry();
        self.world.command(node, Command::CountScan(retry, scan)).unwrap();
        let close = Command::CountClose {
            retry: self.retry(),
            session,
            staff: code("bo"),
            doubtful: Doubtful::Accept,
            uncounted: Uncounted::Keep,
        };
        let answer = self.world.command(node, close).unwrap();
        self.acknowledge(node, Act::Count { product, quantity }, answer);
    }

    pub fn retry(&mut self) -> RetryKey {
        self.event += 1;
        let key = Digest::of(&[b"retry", &self.event.to_be_bytes()]);
        RetryKey { key, body: key }
    }

    /// A day at both stores.
    pub fn day(&mut self) {
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
    pub fn tamper(&mut self, node: u32, table: Table, change: impl FnOnce(Vec<u8>, Vec<u8>) -> Option<Vec<u8>>) {
        self.tamper_if(node, table, |_| true, change);
    }

    pub fn tamper_if(
        &mut self,
        node: u32,
        table: Table,
        which: impl Fn(&[u8]) -> bool,
        change: impl FnOnce(Vec<u8>, Vec<u8>) -> Option<Vec<u8>>,
    ) {
        let (key, value) = self.rows(node, table).into_iter().find(|(key, _)| which(key)).unwrap();
        let changed = change(key.clone(), value);
        let writes = Writes::from_iter([((table, key), changed)]);
        self.world.nodes[&node].disk.open().unwrap().commit(&writes).unwrap();
    }

    pub fn rows(&self, node: u32, table: Table) -> Vec<(Vec<u8>, Vec<u8>)> {
        let all = (std::ops::Bound::Unbounded, std::ops::Bound::Unbounded);
        self.world.snapshot(node).scan(table, all, Direction::Forward, usize::MAX).unwrap()
    }

    /// A store's stock log as a node has it, with its row.
    pub fn stock(&self, node: u32, store: u32) -> (Vec<u8>, Vec<u8>, Log) {
        let logs = self.rows(node, Table::Logs).into_iter();
        let mut logs = logs.map(|(key, value)| (key, value.clone(), Log::from_row(&value).unwrap()));
        logs.find(|(_, _, log)| log.id.scope == Scope::StoreStock(StoreId(store))).unwrap()
    }

    pub fn found(&self, check: &str) -> bool {
        self.findings.violations.iter().any(|violation| violation.check.starts_with(check))
    }

    #[track_caller]
    pub fn must_find(&self, check: &str, words: &str) {
        let found = self.findings.violations.iter().any(|v| v.check.starts_with(check) && v.message.contains(words));
        assert!(found, "{check} did not say {words:?}: {:#?}", self.findings.violations);
    }

    #[track_caller]
    pub fn all_hold(&self) {
        assert!(self.findings.violations.is_empty(), "{:#?}", self.findings.violations);
    }
}

pub fn sku(product: u16) -> Sku {
    Sku::parse(&format!("P{product:05}")).unwrap()
}

pub fn code(text: &str) -> Code {
    Code::parse(text).unwrap()
}

pub fn number(key: &[u8]) -> LogNumber {
    LogNumber(u32::from_be_bytes(key.try_into().unwrap()))
}

/// Rows of a run of entries that a log gets after `before`.
pub fn run_row(log: LogNumber, before: &Log, items: &[Item]) -> RowChange {
    let first = before.head.seq + 1;
    let key = [log.0.to_be_bytes().as_slice(), &first.to_be_bytes()].concat();
    let hash = items.iter().fold(before.head.hash, |hash, item| stockroom_crdt::chain::advance(hash, &item.bytes));
    let mut value = hash.0.to_vec();
    value.extend(encode_run(items, u16::MAX));
    RowChange { table: Table::Runs, key, old: None, new: Some(value) }
}

/// An entry of a log, as it is held.
pub fn item(watched: &Watched, node: u32, log: LogNumber, seq: u64) -> Item {
    entry_at(&*watched.world.snapshot(node), stockroom_core::journal::Place { log, seq }).unwrap().unwrap()
}

/// A log's row with its head at the end of a run: taken from a journal, which is the only one that writes such rows.
pub fn raised(log: &Log, run: &RowChange) -> Vec<u8> {
    use stockroom_core::journal::{Journal, run_from_row};
    use stockroom_core::overlay::Overlay;
    use stockroom_core::storage::Store;
    use stockroom_core::storage::memory::MemoryStore;
    let (_, _, _, items) = run_from_row(&run.key, run.new.as_ref().unwrap()).unwrap();
    let empty = MemoryStore::default().reader().snapshot().unwrap();
    let mut journal = Journal::load(stockroom_crdt::ids::TenantId([0; 16]), &*empty, 48 * 1024).unwrap();
    let mut overlay = Overlay::new(empty);
    let at = stockroom_core::journal::Place { log: LogNumber(9), seq: log.head.seq };
    let number = journal.open(log.id.clone(), log.key, log.author_store, Some((at, log.head.hash)));
    journal.append(&mut overlay, number, &items);
    journal.flush(&mut overlay);
    let mut store = MemoryStore::default();
    store.commit(&overlay.release()).unwrap();
    let written = store.reader().snapshot().unwrap();
    let row = written.get(Table::Logs, &number.0.to_be_bytes()).unwrap().unwrap();
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
