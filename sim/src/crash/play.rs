//! A store's day on a recording disk: random commands, stops, cuts and new epochs, and every moment at which the power could go.

use std::collections::BTreeMap;

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use stockroom_core::input::goods::{Doubtful, Uncounted};
use stockroom_core::input::sales::{SellLine, SellRequest};
use stockroom_core::input::{Answer, Command, Input, Output, RequestId, RetryKey};
use stockroom_crdt::control::EpochReason;
use stockroom_crdt::count::CountScan;
use stockroom_crdt::ids::{Code, Digest, Sku, StoreId, TenantId, TillId};
use stockroom_crdt::money::Unit;
use stockroom_crdt::receiving::{Adjustment, Disposition, GoodsReceipt, ReceiptLine};
use stockroom_crdt::sale::{Sale, Tender, TenderKind};

use crate::disk::platter::Still;
use crate::disk::{Disk, FaultyDisk};
use crate::node::SimNode;
use crate::oracle;
use crate::world::World;

/// A moment at which the power could go, and what the world outside of the disk knew then.
pub(super) struct Moment {
    /// The disk.
    pub(super) still: Still,
    /// The continuity token.
    pub(super) token: Option<Vec<u8>>,
    /// Commands that had been handed in.
    pub(super) handed: usize,
    /// Answers that had left.
    pub(super) told: usize,
    /// The epoch that was known outside, and the newest that may be on the disk.
    pub(super) epochs: (u16, u16),
    /// The true time.
    pub(super) now_ms: u64,
    /// The node's last start.
    pub(super) boot: u64,
}

/// An answer that left.
pub(super) struct Told {
    /// To which of the commands.
    pub(super) command: usize,
    /// What it promised.
    pub(super) promise: Promise,
}

/// What an answer promises.
pub(super) enum Promise {
    /// The sale that a till numbered so, as it stood in the books when the answer left; `None` if it did not stand there yet.
    Sale((TillId, u64), Option<Box<Sale>>),
    /// What was written under a retry key.
    Key(Digest),
    /// Nothing that a row would show.
    Nothing,
}

/// A workload and its moments.
pub(super) struct Play {
    /// Decides everything.
    pub(super) seed: u64,
    /// The node, as it was when the play ended.
    pub(super) node: SimNode,
    /// Whose it is.
    pub(super) tenant: TenantId,
    /// Wherever the power could go.
    pub(super) moments: Vec<Moment>,
    /// All commands that were handed in, in order; one that was sent again stands there twice.
    pub(super) handed: Vec<Command>,
    /// All answers, in order.
    pub(super) told: Vec<Told>,
    disk: FaultyDisk,
    rng: ChaCha8Rng,
    now_ms: u64,
    epochs: (u16, u16),
    waiting: BTreeMap<u64, usize>,
    till_seq: u64,
    keys: u64,
}

impl Play {
    /// Plays a workload.
    pub(super) fn new(seed: u64, batches: u32) -> Self {
        let mut world = World::with_stores(seed, 1);
        world.put_products(&[("TEA", Unit::Each), ("MILK", Unit::Each)]);
        world.connect(2, 1);
        world.run_ms(5_000);
        world.crash(2);
        let mut node = world.nodes.remove(&2).expect("the first store");
        node.disk = node.disk.onto_platter(seed).expect("a disk without a plan does not fail");
        let Disk::Platter(disk) = node.disk.clone() else { unreachable!("it was put onto a platter") };
        disk.record();
        let mut play = Self {
            seed,
            node,
            tenant: world.tenant(),
            moments: Vec::new(),
            handed: Vec::new(),
            told: Vec::new(),
            disk,
            rng: ChaCha8Rng::seed_from_u64(seed),
            now_ms: world.now_ms,
            epochs: (1, 1),
            waiting: BTreeMap::new(),
            till_seq: 0,
            keys: 0,
        };
        play.start();
        for _ in 0..batches {
            play.batch();
        }
        play
    }

    fn batch(&mut self) {
        self.now_ms += [10, 400, 1_500, 60_000, 3_600_000][self.below(5)];
        if self.below(3) == 0 {
            self.input(Input::Wake);
        }
        for _ in 0..1 + self.below(4) {
            let command = self.command();
            self.hand_in(command);
        }
        self.commit();
        match self.below(12) {
            0 | 1 => self.power_cut(),
            2 => {
                self.deliver();
                self.stop();
            }
            _ => self.deliver(),
        }
    }

    /// A boundary at which the disk does nothing.
    fn note(&mut self) {
        let still = self.disk.still();
        self.keep(still);
    }

    fn keep(&mut self, still: Still) {
        self.moments.push(Moment {
            still,
            token: self.node.token.clone(),
            handed: self.handed.len(),
            told: self.told.len(),
            epochs: self.epochs,
            now_ms: self.now_ms,
            boot: self.node.boot,
        });
    }

    /// The steps of the disk since the last look. What the world outside knows did not change meanwhile.
    fn note_steps(&mut self) {
        for still in self.disk.take_recorded() {
            self.keep(still);
        }
    }

    fn start(&mut self) {
        let mut seed = [0; 32];
        self.rng.fill_bytes(&mut seed);
        self.node.start(self.now_ms, seed).expect("a disk that only forgets is opened");
        self.note_steps();
        self.deliver();
    }

    fn input(&mut self, input: Input) {
        let now = self.node.now(self.now_ms);
        let core = self.node.core.as_mut().expect("the node runs");
        core.handle(now, input).expect("a disk without a plan does not fail");
    }

    fn hand_in(&mut self, command: Command) {
        let request = self.handed.len() as u64;
        if matches!(command, Command::NewEpoch(_)) {
            self.epochs.1 += 1;
        }
        self.handed.push(command.clone());
        self.waiting.insert(request, self.handed.len() - 1);
        self.input(Input::Command(RequestId(request), Box::new(command)));
        self.note_steps();
        self.note();
        // Nothing may leave before the commit; if something does, it counts as told.
        self.deliver();
    }

    fn commit(&mut self) {
        let now = self.node.now(self.now_ms);
        self.node.core.as_mut().expect("the node runs").commit(now).expect("a disk without a plan does not fail");
        self.note_steps();
        self.note();
    }

    fn deliver(&mut self) {
        loop {
            let core = self.node.core.as_mut().expect("the node runs");
            match core.poll().expect("a disk without a plan does not fail") {
                None => return,
                Some(Output::Token(token)) => self.node.token = Some(token),
                Some(Output::Reply(request, answer)) => {
                    let command = self.waiting.remove(&request.0).expect("answers come once");
                    let promise = self.promise(command, answer.ok());
                    self.told.push(Told { command, promise });
                }
                Some(Output::Send(..) | Output::Close(..) | Output::Event(_) | Output::Introduced(_)) => {}
            }
            self.note();
        }
    }

    fn promise(&mut self, command: usize, answer: Option<Answer>) -> Promise {
        match (&self.handed[command], answer) {
            (_, None) => Promise::Nothing,
            (Command::Sell(request), Some(_)) => {
                let reader = self.node.core.as_ref().expect("the node runs").reader();
                let snapshot = reader.snapshot().expect("readable");
                let key = (request.till, request.till_seq);
                Promise::Sale(key, oracle::sale(&*snapshot, STORE, key.0, key.1).map(Box::new))
            }
            (Command::Receive(retry, _) | Command::Adjust(retry, _) | Command::CountScan(retry, _), Some(_))
            | (Command::CountClose { retry, .. }, Some(_)) => Promise::Key(retry.key),
            (Command::NewEpoch(_), Some(_)) => {
                self.epochs.0 += 1;
                Promise::Nothing
            }
            (_, Some(_)) => Promise::Nothing,
        }
    }

    fn stop(&mut self) {
        self.input(Input::Stop);
        self.commit();
        self.deliver();
        self.node.core = None;
        self.note_steps();
        self.note();
        self.now_ms += 1_000;
        self.start();
    }

    /// The power goes; tills that got no answer send again.
    fn power_cut(&mut self) {
        self.node.stop();
        self.disk.take_recorded();
        self.now_ms += 1_000;
        let unanswered: Vec<_> = std::mem::take(&mut self.waiting).into_values().collect();
        self.start();
        let status = self.node.core.as_ref().expect("the node runs").status().expect("readable");
        self.epochs = (status.epoch.0, status.epoch.0);
        for command in unanswered {
            if !matches!(self.handed[command], Command::NewEpoch(_)) {
                self.hand_in(self.handed[command].clone());
            }
        }
        self.commit();
        self.deliver();
    }

    fn command(&mut self) -> Command {
        let (sku, unit) = (Sku::parse(["TEA", "MILK"][self.below(2)]).expect("a short word"), Unit::Each);
        let staff = code("anna");
        match self.below(24) {
            0 if !self.handed.is_empty() => {
                let again = self.below(self.handed.len());
                match self.handed[again].clone() {
                    Command::NewEpoch(_) => Command::Sell(self.sale(sku)),
                    command => command,
                }
            }
            1..=3 => {
                let line = ReceiptLine { sku, unit, quantity: 12, lot: Code::default(), expiry_day: 0 };
                Command::Receive(self.key(), GoodsReceipt { document: code("note"), staff, lines: vec![line] })
            }
            4 => Command::Adjust(
                self.key(),
                Adjustment { sku, unit, delta: -2, reason: code("broken"), lot: Code::default(), staff },
            ),
            5 | 6 => {
                let session = self.keys / 6;
                let quantity = self.below(50) as i64;
                Command::CountScan(
                    self.key(),
                    CountScan { session, zone: code("shelf"), sku, unit, quantity, settles: false, staff },
                )
            }
            7 => Command::CountClose {
                session: self.keys / 6,
                retry: self.key(),
                staff,
                doubtful: Doubtful::Accept,
                uncounted: Uncounted::Keep,
            },
            8 if self.below(3) == 0 => Command::NewEpoch(EpochReason::Manual),
            _ => Command::Sell(self.sale(sku)),
        }
    }

    fn sale(&mut self, sku: Sku) -> SellRequest {
        self.till_seq += 1;
        let quantity = 1 + self.below(3) as i64;
        let line = SellLine {
            sku,
            unit: None,
            quantity,
            unit_price: Some(100),
            discount: 0,
            discount_reason: Code::default(),
            tax: None,
            lot: Code::default(),
            original: None,
            disposition: Disposition::Resale,
        };
        let tender = Tender { kind: TenderKind::Cash, amount: 100 * quantity, reference: Code::default() };
        SellRequest {
            till: TillId(1 + self.below(2) as u32),
            till_seq: self.till_seq,
            body: Digest::of(&[b"sale", &self.till_seq.to_be_bytes()]),
            rung_ms: None,
            currency: None,
            cashier: code("anna"),
            approver: Code::default(),
            seller: Code::default(),
            foreign_key: Code::default(),
            fiscal: Vec::new(),
            lines: vec![line],
            cash_rounding: 0,
            tenders: vec![tender],
        }
    }

    fn key(&mut self) -> RetryKey {
        self.keys += 1;
        let key = Digest::of(&[b"key", &self.keys.to_be_bytes()]);
        RetryKey { key, body: key }
    }

    fn below(&mut self, bound: usize) -> usize {
        self.rng.next_u32() as usize % bound
    }
}

fn code(text: &str) -> Code {
    Code::parse(text).expect("a short word")
}

/// The store of the play.
pub(super) const STORE: StoreId = StoreId(1);
