//! What must be true of a disk after the power went: it opens, and it keeps what was promised.

use std::collections::{BTreeMap, BTreeSet};

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use stockroom_core::books::STORE_TABLES;
use stockroom_core::input::sales::SellRequest;
use stockroom_core::input::{Answer, Command, CoreError, Event, Input, Output, Refusal, RequestId};
use stockroom_core::journal::walk::{self, Extent};
use stockroom_core::storage::{Snapshot, Table};
use stockroom_core::view::View;
use stockroom_crdt::entry::Fact;
use stockroom_crdt::ids::TillId;
use stockroom_crdt::sale::Sale;

use super::CrashReport;
use super::play::{Moment, Play, Promise, STORE};
use crate::disk::platter::Kept;
use crate::disk::{Disk, FaultyDisk};
use crate::node::SimNode;
use crate::oracle;

/// One crash image.
#[derive(Clone, Debug)]
pub(super) struct Image {
    /// At which of the play's moments the power goes.
    pub(super) moment: usize,
    /// Decides what is kept.
    pub(super) seed: u64,
    /// What may be kept.
    pub(super) kept: Kept,
    /// After how many steps of each start it goes again.
    pub(super) again: Vec<u64>,
}

/// Checks that not every image can afford.
#[derive(Clone, Copy)]
pub(super) struct Samples {
    pub(super) rebuild: bool,
    pub(super) retry: bool,
}

/// Makes the image, opens it and looks at it. Gives the steps that the last start took.
pub(super) fn check(play: &Play, image: &Image, samples: Samples, report: &mut CrashReport) -> u64 {
    let moment = &play.moments[image.moment];
    let disk = FaultyDisk::of(moment.still.clone(), image.seed);
    disk.cut_keeping(image.kept);
    report.images += 1;
    let known = report.violations.len();
    let mut reopened = Reopened::new(play, moment, &disk, image.seed);
    let outcome = reopened.come_up(image, &disk, report);
    let steps = outcome.and_then(|steps| {
        report.opened += 1;
        reopened.look(report)?;
        if samples.retry {
            reopened.send_again(report)?;
        }
        if samples.rebuild {
            reopened.rebuild(report)?;
        }
        Ok(steps)
    });
    disk.faults().into_iter().for_each(|(name, count)| *report.faults.entry(name).or_insert(0) += count);
    reopened.node.stop();
    let steps = steps.unwrap_or_else(|fault| {
        report.violations.push(fault);
        0
    });
    for violation in &mut report.violations[known..] {
        *violation = format!("play {}, {image:?}: {violation}", play.seed);
    }
    steps
}

/// The node on the image.
struct Reopened<'a> {
    play: &'a Play,
    moment: &'a Moment,
    node: SimNode,
    now_ms: u64,
    rng: ChaCha8Rng,
}

type Outcome = Result<(), String>;

impl<'a> Reopened<'a> {
    fn new(play: &'a Play, moment: &'a Moment, disk: &FaultyDisk, seed: u64) -> Self {
        let mut node = play.node.twin();
        node.disk = Disk::Platter(disk.clone());
        node.token.clone_from(&moment.token);
        node.boot = moment.boot;
        Self { play, moment, node, now_ms: moment.now_ms, rng: ChaCha8Rng::seed_from_u64(seed) }
    }

    /// Starts, with as many cuts on the way as the image wants.
    fn come_up(&mut self, image: &Image, disk: &FaultyDisk, report: &mut CrashReport) -> Result<u64, String> {
        for &steps in &image.again {
            disk.arm(steps);
            match self.start(report) {
                Ok(()) | Err(CoreError::Storage(_)) => {}
                Err(error) => return Err(format!("a start that the power interrupts ends with {error}")),
            }
            self.node.stop();
        }
        match image.again.len() {
            0 => {}
            1 => report.double += 1,
            _ => report.triple += 1,
        }
        let before = disk.steps();
        self.start(report).map_err(|error| format!("it does not open: {error}"))?;
        Ok(disk.steps() - before)
    }

    fn start(&mut self, report: &mut CrashReport) -> Result<(), CoreError> {
        self.now_ms += 1_000;
        let mut seed = [0; 32];
        self.rng.fill_bytes(&mut seed);
        self.node.start(self.now_ms, seed)?;
        self.carry_out(report).map(drop)
    }

    fn carry_out(&mut self, report: &mut CrashReport) -> Result<BTreeMap<u64, Result<Answer, Refusal>>, CoreError> {
        let mut answers = BTreeMap::new();
        while let Some(output) = self.node.core.as_mut().expect("it was started").poll()? {
            match output {
                Output::Token(token) => self.node.token = Some(token),
                Output::Reply(request, answer) => drop(answers.insert(request.0, answer)),
                Output::Event(Event::EpochOpened(reason)) => {
                    report.epochs_opened += 1;
                    report.violations.push(format!("an honest crash opened an epoch: {reason:?}"));
                }
                Output::Event(Event::Alarm(text)) => report.violations.push(format!("an honest crash alarmed: {text}")),
                Output::Event(_) | Output::Send(..) | Output::Close(..) | Output::Introduced(_) => {}
            }
        }
        Ok(answers)
    }

    fn snapshot(&self) -> std::sync::Arc<dyn Snapshot> {
        self.node.core.as_ref().expect("it was started").reader().snapshot().expect("readable")
    }

    /// Everything that was promised is there, once.
    fn look(&mut self, report: &mut CrashReport) -> Outcome {
        let snapshot = self.snapshot();
        let sales = by_till(&*snapshot);
        self.promises(&*snapshot, &sales, report)?;
        self.unanswered(&sales, report);
        let copies: u64 = sales.values().map(|all| all.len() as u64 - 1).sum();
        report.doubled += copies;
        if copies > 0 {
            return Err(format!("{copies} sales are there more than once"));
        }
        let known: BTreeSet<_> = self.play.handed[..self.moment.handed].iter().filter_map(sold).map(key).collect();
        if let Some(stranger) = sales.keys().find(|key| !known.contains(key)) {
            return Err(format!("sale {stranger:?} was never rung up"));
        }
        let numbers: BTreeMap<_, _> = sales.values().flatten().map(|sale| (sale.receipt, sale.clone())).collect();
        if numbers.len() != sales.len() {
            return Err("a receipt number was given out twice".into());
        }
        let books = oracle::StoreBooks { stock: BTreeMap::new(), days: Vec::new(), sales: numbers };
        let gaps = oracle::gaps(&books);
        if !gaps.is_empty() {
            return Err(format!("receipts {gaps:?} are missing"));
        }
        let epoch = self.node.core.as_ref().expect("it was started").status().map_err(|e| e.to_string())?.epoch.0;
        let (told, possible) = self.moment.epochs;
        if !(told..=possible).contains(&epoch) {
            return Err(format!("epoch {epoch} is not one of {told}..={possible}"));
        }
        Ok(())
    }

    fn promises(&self, snapshot: &dyn Snapshot, sales: &Sales, report: &mut CrashReport) -> Outcome {
        let view = View::new(snapshot);
        let mut gone = Vec::new();
        for told in &self.play.told[..self.moment.told] {
            match &told.promise {
                Promise::Sale(till_key, answered) => {
                    report.acked += 1;
                    let found = oracle::sale(snapshot, STORE, till_key.0, till_key.1);
                    let listed = sales.get(till_key).and_then(|all| all.first());
                    let same = answered.is_none() || answered.as_deref() == listed;
                    if found.is_none() || found.as_ref() != listed || !same {
                        report.lost_acked += 1;
                        gone.push(*till_key);
                    }
                }
                Promise::Key(key) => {
                    if view.retried(*key).map_err(|e| e.to_string())?.is_none() {
                        return Err(format!("what was written under {key:?} was acknowledged and is gone"));
                    }
                }
                Promise::Nothing => {}
            }
        }
        if gone.is_empty() { Ok(()) } else { Err(format!("acknowledged sales {gone:?} are gone, or other ones")) }
    }

    /// Sales that were handed in and of which no till heard anything: they may be there or not.
    fn in_doubt(&self) -> Vec<&'a SellRequest> {
        let told = self.play.told[..self.moment.told].iter().map(|told| told.command);
        let answered: BTreeSet<_> = told.filter_map(|command| sold(&self.play.handed[command])).map(key).collect();
        let handed = self.play.handed[..self.moment.handed].iter().filter_map(sold);
        let doubtful: BTreeMap<_, _> = handed.map(|request| (key(request), request)).collect();
        doubtful.into_iter().filter(|(key, _)| !answered.contains(key)).map(|(_, request)| request).collect()
    }

    fn unanswered(&self, sales: &Sales, report: &mut CrashReport) {
        for request in self.in_doubt() {
            match sales.contains_key(&key(request)) {
                true => report.unanswered.0 += 1,
                false => report.unanswered.1 += 1,
            }
        }
    }

    /// A till that got no answer sends again, and so does one that did.
    fn send_again(&mut self, report: &mut CrashReport) -> Outcome {
        let told = self.play.told[..self.moment.told].iter().rev();
        let promised = told.filter(|told| matches!(told.promise, Promise::Sale(..))).take(2).map(|told| told.command);
        let promised: Vec<_> = promised.filter_map(|command| sold(&self.play.handed[command])).collect();
        let again: Vec<_> = promised.iter().copied().chain(self.in_doubt()).collect();
        for (number, request) in again.iter().enumerate() {
            let input = Input::Command(RequestId(number as u64), Box::new(Command::Sell((*request).clone())));
            let now = self.node.now(self.now_ms);
            self.node.core.as_mut().expect("it was started").handle(now, input).map_err(|e| e.to_string())?;
        }
        self.commit()?;
        let answers = self.carry_out(report).map_err(|e| e.to_string())?;
        report.retried += again.len() as u64;
        let sales = by_till(&*self.snapshot());
        for (number, request) in again.into_iter().enumerate() {
            let count = sales.get(&key(request)).map_or(0, Vec::len);
            let replayed = match answers.get(&(number as u64)) {
                Some(Ok(Answer::Written { replayed, .. })) => *replayed,
                answer => return Err(format!("sale {:?}, sent again, is answered with {answer:?}", key(request))),
            };
            if count != 1 || (number < promised.len() && !replayed) {
                return Err(format!("sale {:?}, sent again, is there {count} times", key(request)));
            }
        }
        Ok(())
    }

    /// The books are what the logs say.
    fn rebuild(&mut self, report: &mut CrashReport) -> Outcome {
        let before = books(&*self.snapshot());
        let node = self.node.chain.last().expect("chains are not empty").node;
        let walked = walk::logs(&*self.snapshot(), self.play.tenant, Extent::WrittenBy(node));
        if let Some(fault) = walked.map_err(|e| e.to_string())?.faults.into_iter().next() {
            return Err(fault);
        }
        self.node.core.as_mut().expect("it was started").rebuild(STORE).map_err(|e| e.to_string())?;
        self.commit()?;
        self.carry_out(report).map_err(|e| e.to_string())?;
        report.rebuilt += 1;
        let after = books(&*self.snapshot());
        if before == after { Ok(()) } else { Err("the books, made again, say something else".into()) }
    }

    fn commit(&mut self) -> Outcome {
        let now = self.node.now(self.now_ms);
        self.node.core.as_mut().expect("it was started").commit(now).map_err(|error| error.to_string())
    }
}

/// Sales by till and the till's number: each list should hold one.
type Sales = BTreeMap<(TillId, u64), Vec<Sale>>;

fn by_till(snapshot: &dyn Snapshot) -> Sales {
    let view = View::new(snapshot);
    let mut sales = Sales::new();
    for place in view.receipts(STORE).expect("readable") {
        if let Some(Fact::Sale(sale)) = view.entry(place).expect("readable").map(|entry| entry.fact) {
            sales.entry((sale.receipt.till, sale.till_seq)).or_default().push(sale);
        }
    }
    sales
}

fn books(snapshot: &dyn Snapshot) -> BTreeMap<(Table, Vec<u8>), Vec<u8>> {
    oracle::rows(snapshot).into_iter().filter(|((table, _), _)| STORE_TABLES.contains(table)).collect()
}

fn sold(command: &Command) -> Option<&SellRequest> {
    match command {
        Command::Sell(request) => Some(request),
        _ => None,
    }
}

fn key(request: &SellRequest) -> (TillId, u64) {
    (request.till, request.till_seq)
}
