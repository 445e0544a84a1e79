//! A store's core against a list of what happened, under random commands, with the power going at every kind of moment: before
//! a commit, inside it, between it and its answers, after them, and while the node starts.

#![allow(clippy::unwrap_used, clippy::disallowed_macros, reason = "a test says its seed and stops where it fails")]

use std::collections::{BTreeMap, BTreeSet};

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use stockroom_core::input::goods::{Doubtful, Uncounted};
use stockroom_core::input::sales::{SellLine, SellRequest, VoidRequest};
use stockroom_core::input::{Answer, Command, Input, RequestId, RetryKey};
use stockroom_core::journal::Place;
use stockroom_core::storage::{Direction, Table};
use stockroom_crdt::control::EpochReason;
use stockroom_crdt::count::CountScan;
use stockroom_crdt::ids::{Code, Digest, Sku, StoreId, TillId};
use stockroom_crdt::money::{Unit, extend};
use stockroom_crdt::receiving::{Adjustment, Disposition, GoodsReceipt, ReceiptLine};
use stockroom_crdt::sale::{ReceiptNumber, Tender, TenderKind};
use stockroom_sim::disk::Disk;
use stockroom_sim::model::{Expected, Model};
use stockroom_sim::oracle::{books, gaps};
use stockroom_sim::solo::Solo;
use stockroom_sim::world::World;

#[test]
fn a_store_in_memory_agrees_with_the_model_whenever_the_power_goes() {
    let reached = sweep(0..400, &|disk, _| disk);
    let wanted = ["answered", "lost before commit", "lost after commit", "again", "mismatch", "voided", "rollover"];
    assert!(wanted.iter().all(|name| reached.contains_key(name)), "rare paths: {reached:?}");
}

#[test]
fn a_store_on_a_disk_that_forgets_agrees_with_the_model_whenever_the_power_goes() {
    let reached = sweep(10_000..10_120, &|disk, seed| disk.onto_platter(seed).unwrap());
    let wanted = ["cut inside commit: lost", "cut inside commit: kept", "cut while starting", "lost before commit"];
    assert!(wanted.iter().all(|name| reached.contains_key(name)), "rare paths: {reached:?}");
}

fn sweep(seeds: std::ops::Range<u64>, disk: &dyn Fn(Disk, u64) -> Disk) -> BTreeMap<&'static str, u64> {
    let mut reached = BTreeMap::new();
    println!("seeds {seeds:?}");
    for seed in seeds {
        let mut run = Run::new(seed, disk);
        for _ in 0..STEPS {
            run.step();
        }
        run.compare();
        run.rebuild();
        run.reached.into_iter().for_each(|(name, count)| *reached.entry(name).or_insert(0) += count);
    }
    println!("{reached:?}");
    reached
}

/// One seed.
struct Run {
    seed: u64,
    rng: ChaCha8Rng,
    solo: Solo,
    model: Model,
    /// Where each thing that happened stands, as far as an answer said so.
    places: BTreeMap<usize, Place>,
    /// Commands that were handed in, to be tried again.
    sent: Vec<Command>,
    till_seq: u64,
    keys: u64,
    /// Receipt numbers that a till saw.
    printed: BTreeSet<ReceiptNumber>,
    reached: BTreeMap<&'static str, u64>,
}

impl Run {
    fn new(seed: u64, disk: &dyn Fn(Disk, u64) -> Disk) -> Self {
        let mut world = World::with_stores(seed, 1);
        world.put_products(&[("TEA", Unit::Each), ("MILK", Unit::Each), ("4711", Unit::Each), ("HAM", Unit::Gram)]);
        world.connect(2, 1);
        world.run_ms(5_000);
        world.crash(2);
        let mut node = world.nodes.remove(&2).unwrap();
        node.disk = disk(node.disk, seed);
        let products = [("TEA", Unit::Each), ("MILK", Unit::Each), ("4711", Unit::Each), ("HAM", Unit::Gram)];
        let products = products.into_iter().map(|(sku, unit)| (Sku::parse(sku).unwrap(), unit)).collect();
        let model = Model::new(products, 240);
        let mut solo = Solo::new(node, world.now_ms, seed);
        solo.start().unwrap();
        let rng = ChaCha8Rng::seed_from_u64(seed);
        let (places, printed, reached) = Default::default();
        Self { seed, rng, solo, model, places, sent: Vec::new(), till_seq: 0, keys: 0, printed, reached }
    }

    /// Time passes, a batch of commands comes, and something happens to it.
    fn step(&mut self) {
        self.solo.now_ms += [1, 50, 1_000, 60_000, 3_600_000, 30_000_000][self.below(6)];
        let mut next = self.model.clone();
        if self.below(4) == 0 {
            self.solo.input(Input::Wake).unwrap();
            let before = next.days();
            next.wake(self.solo.now_ms);
            self.mark(if next.days() == before { "nothing due" } else { "rollover" });
        }
        let mut expected = BTreeMap::new();
        for _ in 0..1 + self.below(4) {
            let command = self.command();
            let wanted = next.apply(&command, self.solo.now_ms);
            expected.insert(self.solo.handle(command).unwrap(), wanted);
        }
        match self.below(20) {
            0 => {
                self.mark("lost before commit");
                self.restart();
            }
            1 => {
                self.mark("lost after commit");
                self.solo.commit().unwrap();
                self.model = next;
                self.restart();
            }
            2 | 3 => self.cut_inside_commit(next),
            4 => {
                self.solo.commit().unwrap();
                self.model = next;
                self.answers(&expected);
                self.restart();
            }
            _ => {
                self.mark("answered");
                self.solo.commit().unwrap();
                self.model = next;
                self.answers(&expected);
            }
        }
    }

    fn answers(&mut self, expected: &BTreeMap<RequestId, Expected>) {
        let answers = self.solo.deliver().unwrap();
        assert_eq!(answers.len(), expected.len(), "seed {}: every command is answered once", self.seed);
        for (request, answer) in answers {
            let wanted = expected[&request];
            assert!(wanted.fits(&answer), "seed {}: {wanted:?}, but {answer:?}", self.seed);
            let (Expected::New(number) | Expected::Again(number), Ok(Answer::Written { place, .. })) = (wanted, answer)
            else {
                continue;
            };
            let held = *self.places.entry(number).or_insert(place);
            assert_eq!(held, place, "seed {}: a retry is answered with the same entry", self.seed);
            self.mark(if matches!(wanted, Expected::New(_)) { "new" } else { "again" });
        }
        self.printed = self.model.receipts().into_keys().collect();
    }

    fn cut_inside_commit(&mut self, next: Model) {
        let Disk::Platter(disk) = self.solo.node.disk.clone() else { return self.restart() };
        disk.arm(1 + self.below(12) as u64);
        let done = self.solo.commit().is_ok();
        self.start_again();
        if done || self.agrees_with(&next) {
            self.mark(if done { "cut after commit" } else { "cut inside commit: kept" });
            self.model = next;
        } else {
            self.mark("cut inside commit: lost");
        }
        self.compare();
    }

    fn restart(&mut self) {
        self.start_again();
        self.compare();
    }

    fn start_again(&mut self) {
        self.solo.node.stop();
        self.solo.now_ms += 1_000;
        if let (Disk::Platter(disk), 0) = (self.solo.node.disk.clone(), self.below(3)) {
            disk.arm(1 + self.below(12) as u64);
            if self.solo.start().is_err() {
                self.mark("cut while starting");
            }
            self.solo.node.stop();
        }
        self.solo.start().unwrap_or_else(|error| panic!("seed {}: {error}", self.seed));
    }

    fn agrees_with(&self, model: &Model) -> bool {
        let books = books(&*self.solo.snapshot(), StoreId(1));
        let days: BTreeMap<_, _> =
            books.days.iter().map(|d| (d.number, (d.receipts, d.late, d.total, d.closed_ms != 0))).collect();
        let receipts: BTreeMap<_, _> = books.sales.iter().map(|(number, sale)| (*number, sale.total())).collect();
        let stock = model.stock();
        let all = (std::ops::Bound::Unbounded, std::ops::Bound::Unbounded);
        let keys = self.solo.snapshot().scan(Table::Keys, all, Direction::Forward, usize::MAX).unwrap().len();
        self.solo.core().status().unwrap().epoch.0 == model.series
            && keys == model.retries()
            && stock.len() == books.stock.len()
            && stock.iter().zip(&books.stock).all(|((name, figure), (held, (quantity, movements, recount)))| {
                name == held
                    && figure.recount == *recount
                    && figure.on_hand.is_none_or(|on_hand| on_hand == (*quantity, *movements))
            })
            && days == model.days()
            && receipts == model.receipts()
    }

    fn compare(&mut self) {
        let books = books(&*self.solo.snapshot(), StoreId(1));
        assert_eq!(gaps(&books), [], "seed {}: receipts are gapless", self.seed);
        let printed = self.printed.iter().all(|number| books.sales.contains_key(number));
        assert!(printed, "seed {}: a printed receipt is gone", self.seed);
        let epoch = self.solo.core().status().unwrap().epoch.0;
        assert_eq!(epoch, self.model.series, "seed {}: a power cut alone opens no epoch", self.seed);
        if !self.agrees_with(&self.model) {
            let (model, days) = (self.model.stock(), self.model.days());
            panic!("seed {}:\n{model:?}\n{days:?}\n--\n{:?}\n{:?}", self.seed, books.stock, books.days);
        }
    }

    fn rebuild(&mut self) {
        self.solo.core_mut().rebuild(StoreId(1)).unwrap();
        self.solo.commit().unwrap();
        self.compare();
    }

    fn below(&mut self, bound: usize) -> usize {
        self.rng.next_u32() as usize % bound
    }

    fn mark(&mut self, name: &'static str) {
        *self.reached.entry(name).or_insert(0) += 1;
    }
}

/// Random commands.
impl Run {
    fn command(&mut self) -> Command {
        let command = match self.below(100) {
            0..40 => Command::Sell(self.sale()),
            40..50 if !self.sent.is_empty() => {
                let at = self.below(self.sent.len());
                return self.sent[at].clone();
            }
            50..55 if !self.sent.is_empty() => {
                self.mark("mismatch");
                let at = self.below(self.sent.len());
                return other_body(self.sent[at].clone());
            }
            55..63 => self.void(),
            63..70 => {
                let (sku, unit) = self.sku();
                let quantity = [1, 5, 24, 0, -1, i64::MAX][self.below(6)];
                let line = ReceiptLine { sku, unit, quantity, lot: Code::default(), expiry_day: 0 };
                let receipt = GoodsReceipt { document: code("note"), staff: code("anna"), lines: vec![line] };
                Command::Receive(self.key(), receipt)
            }
            70..76 => {
                let (sku, unit) = self.sku();
                let delta = [-2, 7, 0, 1, i64::MIN, 10_000_001][self.below(6)];
                let reason = [code("broken"), code("found"), Code::default()][self.below(3)].clone();
                Command::Adjust(
                    self.key(),
                    Adjustment { sku, unit, delta, reason, lot: Code::default(), staff: code("anna") },
                )
            }
            76..88 => {
                let (sku, unit) = self.sku();
                let zone = code(["shelf", "back"][self.below(2)]);
                let quantity = [0, 3, 40, 17, -1, 100][self.below(6)];
                let session = self.keys / 12;
                Command::CountScan(
                    self.key(),
                    CountScan { session, zone, sku, unit, quantity, settles: false, staff: code("ben") },
                )
            }
            88..93 => Command::CountClose {
                session: self.keys / 12,
                retry: self.key(),
                staff: code("ben"),
                doubtful: Doubtful::Accept,
                uncounted: Uncounted::Keep,
            },
            93..96 => Command::DayOpen(self.key(), code("anna")),
            96..99 => Command::DayClose(self.key(), code("anna")),
            _ => return Command::NewEpoch(EpochReason::Manual),
        };
        self.sent.push(command.clone());
        command
    }

    fn sale(&mut self) -> SellRequest {
        self.till_seq += 1;
        let (mut lines, mut total) = (Vec::new(), 0);
        for _ in 0..1 + self.below(3) {
            let (sku, unit) = self.sku();
            let odd = self.below(5) == 0;
            let quantity = [1, 1, 2, 3, 12, -1, 0, i64::MIN][self.below(if odd { 8 } else { 5 })];
            let unit_price = [0, 99, 250, 1_999][self.below(4)];
            total += if quantity == i64::MIN { 0 } else { extend(unit, quantity, unit_price) };
            let unit = (self.below(2) == 0).then_some(unit);
            lines.push(line(sku, unit, quantity, unit_price));
        }
        let approver = [Code::default(), code("chef")][self.below(2)].clone();
        let off = i64::from(self.below(15) == 0);
        let ago = [0, 1_000, 86_400_000][self.below(3)];
        SellRequest {
            till: TillId(1 + self.below(2) as u32),
            till_seq: self.till_seq,
            body: Digest::of(&[&self.till_seq.to_be_bytes()]),
            rung_ms: (ago > 0).then_some(self.solo.now_ms - ago),
            currency: None,
            cashier: code("anna"),
            approver,
            seller: Code::default(),
            foreign_key: Code::default(),
            fiscal: Vec::new(),
            lines,
            cash_rounding: 0,
            tenders: vec![Tender { kind: TenderKind::Card, amount: total + off, reference: Code::default() }],
        }
    }

    fn void(&mut self) -> Command {
        self.till_seq += 1;
        let known: Vec<_> = self.model.receipts().into_keys().collect();
        let nowhere = ReceiptNumber { till: TillId(9), series: 1, sequence: 1 };
        let receipt = match self.below(8) {
            0 => nowhere,
            _ if known.is_empty() => nowhere,
            _ => known[self.below(known.len())],
        };
        self.mark("voided");
        Command::Void(VoidRequest {
            till: TillId(1 + self.below(2) as u32),
            till_seq: self.till_seq,
            body: Digest::of(&[b"void", &self.till_seq.to_be_bytes()]),
            receipt,
            cashier: code("anna"),
            approver: [code("chef"), code("chef"), Code::default()][self.below(3)].clone(),
        })
    }

    fn sku(&mut self) -> (Sku, Unit) {
        let odd = self.below(4) == 0;
        let pick = self.below(if odd { 6 } else { 4 });
        let (sku, unit) = [
            ("TEA", Unit::Each),
            ("MILK", Unit::Each),
            ("4711", Unit::Each),
            ("HAM", Unit::Gram),
            ("NOBODY-KNOWS", Unit::Each),
            ("TEA", Unit::Gram),
        ][pick];
        (Sku::parse(sku).unwrap(), unit)
    }

    fn key(&mut self) -> RetryKey {
        self.keys += 1;
        let key = Digest::of(&[b"key", &self.keys.to_be_bytes()]);
        RetryKey { key, body: key }
    }
}

fn line(sku: Sku, unit: Option<Unit>, quantity: i64, unit_price: i64) -> SellLine {
    let (discount, discount_reason, tax) = (0, Code::default(), None);
    let unit_price = Some(unit_price);
    SellLine {
        sku,
        unit,
        quantity,
        unit_price,
        discount,
        discount_reason,
        tax,
        lot: Code::default(),
        original: None,
        disposition: Disposition::Resale,
    }
}

fn other_body(mut command: Command) -> Command {
    let other = Digest::of(&[b"another body"]);
    match &mut command {
        Command::Sell(request) => request.body = other,
        Command::Void(request) => request.body = other,
        Command::Receive(retry, _) | Command::Adjust(retry, _) | Command::CountScan(retry, _) => retry.body = other,
        Command::CountClose { retry, .. } | Command::DayOpen(retry, _) | Command::DayClose(retry, _) => {
            retry.body = other;
        }
        _ => {}
    }
    command
}

fn code(text: &str) -> Code {
    Code::parse(text).unwrap()
}

const STEPS: usize = 60;
