//! Payment terminals with a memory of their own, and the shell of a node that asks them, as the daemon does: a tender is asked for when its
//! intent is durable; what was open at a start is inquired under its reference, and nothing is asked twice.

use std::collections::BTreeMap;

use stockroom_core::books::baskets::Asked;
use stockroom_core::input::Command;
use stockroom_core::input::checkout::TerminalSaid;
use stockroom_core::storage::Table;
use stockroom_core::view::View;
use stockroom_crdt::checkout::tender::{Assurance, TenderState, TenderStep};
use stockroom_crdt::ids::{Code, StoreId};

use crate::observe::{Observation, Seen};
use crate::plan::tills::Fate;
use crate::run::people::code;
use crate::run::{Play, Todo};
use crate::truth::money::{Rung, Taking};

/// What a terminal knows of a reference.
pub(crate) struct Device {
    basket: Rung,
    asked: i64,
    fate: Fate,
    standing: Standing,
    /// Who waits for its answer: the node, and the number of the question.
    waits: Option<(u32, u64)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// The customer is at it.
    Thinking,
    /// It has so much.
    Taken(i64, Assurance),
    /// It has nothing, and will take nothing.
    Closed,
}

/// What a node's process knows; gone with the process.
#[derive(Default)]
pub(crate) struct Shell {
    looked: bool,
    works: BTreeMap<Code, Work>,
}

struct Work {
    terminal: Code,
    /// It was open when this process began, and was not inquired yet.
    left: bool,
    /// A terminal was asked, or inquired.
    asked: bool,
    tries: usize,
    due_ms: u64,
    state: TenderState,
    /// Questions under way, by their numbers.
    busy: BTreeMap<Question, u64>,
}

/// What a terminal is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Question {
    Ask,
    Inquire,
    Reverse,
}

/// What comes back; nothing for no answer in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    Approved(i64, Assurance),
    Declined,
    Reversed,
    Nothing,
}

/// An answer on its way.
#[derive(Clone, Debug)]
pub(crate) struct Word {
    node: u32,
    job: u64,
    question: Question,
    tender: TenderStep,
    heard: Heard,
}

impl Play<'_> {
    /// Shells live and die with their node, and look when something about a basket became durable.
    pub(crate) fn shells_see(&mut self, seen: &Observation) {
        if self.tills.rings.is_empty() || self.cast.store_of(seen.node).is_none() {
            return;
        }
        let news = match &seen.what {
            Seen::Started { .. } => {
                self.tills.shells.insert(seen.node, Shell::default());
                true
            }
            Seen::Stopped(_) => {
                self.tills.shells.remove(&seen.node);
                false
            }
            Seen::Committed(rows) => rows.iter().any(|row| row.table == Table::Baskets),
            Seen::Sent { .. }
            | Seen::Connected { .. }
            | Seen::Disconnected { .. }
            | Seen::Told(_)
            | Seen::Acknowledged(_)
            | Seen::Unanswered { .. }
            | Seen::Marked { .. } => false,
        };
        if news {
            self.at(seen.at_ms + LOOK_MS, Todo::Shell(seen.node));
        }
    }

    /// A node's shell looks at what is open.
    pub(crate) fn shell(&mut self, node: u32) {
        let now_ms = self.world.now_ms;
        let Some(store) = self.cast.store_of(node).filter(|_| self.is_serving(node)) else { return };
        let snapshot = self.world.snapshot(node);
        let open = View::new(&*snapshot).open_tenders(StoreId(store)).unwrap_or_default();
        let shell = self.tills.shells.entry(node).or_default();
        shell.note(&open, now_ms);
        let mut due = Vec::new();
        for tender in &open {
            let Some(question) = shell.next(&tender.last, now_ms) else { continue };
            self.tills.jobs += 1;
            if let Some(work) = shell.works.get_mut(&tender.last.reference) {
                work.busy.insert(question, self.tills.jobs);
            }
            due.push((tender.clone(), question, self.tills.jobs));
        }
        if let Some(next_ms) = shell.next_ms().filter(|next| *next > now_ms) {
            self.at(next_ms, Todo::Shell(node));
        }
        for (tender, question, job) in due {
            self.put(node, (store, tender), question, job);
        }
    }

    /// A question reaches a terminal, or does not.
    fn put(&mut self, node: u32, (store, tender): (u32, Asked), question: Question, job: u64) {
        let now_ms = self.world.now_ms;
        let word = |heard| Word { node, job, question, tender: tender.last.clone(), heard };
        let key = tender.last.reference.as_str().to_owned();
        let basket = (store, tender.last.basket.till.0, tender.last.basket.number);
        let heard = match question {
            Question::Ask => {
                let timeout = word(Heard::Nothing);
                self.at(now_ms + TIMEOUT_MS, Todo::Word(Box::new(timeout)));
                self.asked(basket, &tender, (node, job));
                return;
            }
            // A terminal that was never asked takes nothing afterwards.
            Question::Inquire => {
                let device = self.tills.devices.entry(key).or_insert_with(|| Device::closed(basket));
                if device.mumbles(job) && !self.tills.closing { Heard::Nothing } else { device.word() }
            }
            Question::Reverse => {
                let device = self.tills.devices.entry(key.clone()).or_insert_with(|| Device::closed(basket));
                let mumbles = device.mumbles(job) && !self.tills.closing;
                // Half of what nobody answers to was done.
                if !mumbles || job.is_multiple_of(2) {
                    device.standing = Standing::Closed;
                    self.truth.money.give_back(&key);
                }
                if mumbles { Heard::Nothing } else { Heard::Reversed }
            }
        };
        let word = word(heard);
        self.at(now_ms + ANSWER_MS, Todo::Word(Box::new(word)));
    }

    /// A terminal is asked for money. One that knows the reference says what it knows.
    fn asked(&mut self, basket: Rung, tender: &Asked, waits: (u32, u64)) {
        let now_ms = self.world.now_ms;
        let reference = tender.last.reference.as_str().to_owned();
        let first = tender.last.number == 1;
        let ring = self.tills.names.get(&basket).and_then(|number| self.tills.rings.get(number));
        let fate = ring.filter(|_| first && !self.tills.closing).map_or(Fate::Approves, |ring| ring.plan.fate);
        if fate == Fate::Deaf {
            return;
        }
        let thinks_ms = THINKS_MS + if let Fate::Late(ms) = fate { ms } else { 0 };
        let asked = tender.amount;
        let device = Device { basket, asked, fate, standing: Standing::Thinking, waits: Some(waits) };
        self.tills.devices.entry(reference).or_insert(device).waits = Some(waits);
        self.at(now_ms + thinks_ms, Todo::Terminal(Box::new(tender.last.clone())));
    }

    /// The customer put in the card and the number, or took the card away.
    pub(crate) fn terminal(&mut self, tender: TenderStep) {
        let Some(device) = self.tills.devices.get_mut(tender.reference.as_str()) else { return };
        if device.standing == Standing::Thinking {
            let part = |percent: u8| (device.asked * i64::from(percent) / 100).max(1);
            device.standing = match device.fate {
                Fate::Approves | Fate::LosesAnswer | Fate::Late(_) => {
                    Standing::Taken(device.asked, Assurance::Captured)
                }
                Fate::ApprovesOffline => Standing::Taken(device.asked, Assurance::Offline),
                Fate::ApprovesPart(percent) => Standing::Taken(part(percent), Assurance::Captured),
                Fate::Declines | Fate::Deaf => Standing::Closed,
            };
            if let Standing::Taken(taken, _) = device.standing {
                let taking = Taking { basket: device.basket, asked: device.asked, taken, back: false };
                self.truth.money.take(tender.reference.as_str(), taking);
            }
        }
        let Some((node, job)) = device.waits.take().filter(|_| device.fate != Fate::LosesAnswer) else { return };
        let heard = device.word();
        let word = Word { node, job, question: Question::Ask, tender, heard };
        self.at(self.world.now_ms + ANSWER_MS, Todo::Word(Box::new(word)));
    }

    /// A terminal's answer comes to the process that asked, if it still runs.
    pub(crate) fn word(&mut self, word: Word) {
        let now_ms = self.world.now_ms;
        if self.world.is_up(word.node) && !self.is_serving(word.node) {
            // The machine is suspended: the answer waits for it.
            return self.at(now_ms + LATER_MS, Todo::Word(Box::new(word)));
        }
        let Some(shell) = self.tills.shells.get_mut(&word.node) else { return };
        let Some(work) = shell.works.get_mut(&word.tender.reference) else { return };
        if work.busy.get(&word.question) != Some(&word.job) {
            return;
        }
        work.busy.remove(&word.question);
        (work.left, work.asked) = (false, true);
        work.due_ms = now_ms + PACE_MS[work.tries.min(PACE_MS.len() - 1)];
        work.tries += 1;
        let next_ms = work.due_ms;
        self.at(next_ms, Todo::Shell(word.node));
        self.at(now_ms + LOOK_MS, Todo::Shell(word.node));
        let Some(said) = said(&word) else { return };
        let basket = said.basket;
        let answer = self.world.ask(word.node, Command::TerminalSaid(said));
        self.look();
        if let (Some(Ok(_)), Some(store)) = (answer, self.cast.store_of(word.node)) {
            self.at(now_ms + LOOK_MS, Todo::Serve((store, basket.till.0)));
        }
    }

    /// A node that answers: it is up, and its machine is not suspended.
    fn is_serving(&self, node: u32) -> bool {
        self.world.is_up(node) && !self.world.nodes[&node].suspended
    }

    /// No store has a tender of which a terminal must still be asked something.
    pub(crate) fn terminals_are_settled(&self) -> bool {
        if self.tills.rings.is_empty() {
            return true;
        }
        self.cast.stores.iter().filter(|(_, node)| !self.written_off.contains(node)).all(|(store, node)| {
            self.world.is_up(*node) && {
                let snapshot = self.world.snapshot(*node);
                View::new(&*snapshot).open_tenders(StoreId(*store)).is_ok_and(|open| open.is_empty())
            }
        })
    }
}

impl Device {
    fn closed(basket: Rung) -> Self {
        Self { basket, asked: 0, fate: Fate::Declines, standing: Standing::Closed, waits: None }
    }

    fn word(&self) -> Heard {
        match self.standing {
            Standing::Thinking => Heard::Nothing,
            Standing::Taken(amount, assurance) => Heard::Approved(amount, assurance),
            Standing::Closed => Heard::Declined,
        }
    }

    /// Now and then nobody hears what it says.
    fn mumbles(&self, job: u64) -> bool {
        job.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32 & 7 == 0
    }
}

impl Shell {
    /// Brings what is known up to date with what is open.
    fn note(&mut self, open: &[Asked], now_ms: u64) {
        let is_open = |reference: &Code| open.iter().any(|asked| asked.last.reference == *reference);
        self.works.retain(|reference, work| is_open(reference) || !work.busy.is_empty());
        for asked in open {
            let left = !self.looked || asked.last.state != TenderState::Intended;
            let work = self.works.entry(asked.last.reference.clone()).or_insert_with(|| Work {
                terminal: asked.last.terminal.clone(),
                left,
                asked: left,
                tries: 0,
                due_ms: now_ms,
                state: asked.last.state,
                busy: BTreeMap::new(),
            });
            if asked.last.state == TenderState::Reversing && work.state != TenderState::Reversing {
                (work.tries, work.due_ms) = (0, now_ms);
            }
            work.state = asked.last.state;
        }
        self.looked = true;
    }

    fn next(&self, tender: &TenderStep, now_ms: u64) -> Option<Question> {
        let work = self.works.get(&tender.reference)?;
        let is_due = work.due_ms <= now_ms;
        match tender.state {
            TenderState::Reversing => {
                (is_due && !work.busy.contains_key(&Question::Reverse)).then_some(Question::Reverse)
            }
            TenderState::Intended | TenderState::Unknown if !work.asked => {
                let waits = |other: &Work| {
                    other.terminal == tender.terminal && (other.left || other.busy.contains_key(&Question::Ask))
                };
                (!self.works.values().any(waits)).then_some(Question::Ask)
            }
            TenderState::Intended | TenderState::Unknown => {
                (is_due && work.busy.is_empty()).then_some(Question::Inquire)
            }
            TenderState::Approved | TenderState::Declined | TenderState::Reversed => None,
        }
    }

    fn next_ms(&self) -> Option<u64> {
        self.works.values().filter(|work| work.busy.is_empty()).map(|work| work.due_ms).min()
    }
}

/// What is to be written.
fn said(word: &Word) -> Option<TerminalSaid> {
    let tender = &word.tender;
    let say = |state, said: &str| TerminalSaid {
        basket: tender.basket,
        number: tender.number,
        state,
        said: code(said),
        assurance: Assurance::Captured,
        amount: None,
        staff: Code::default(),
    };
    match word.heard {
        Heard::Approved(amount, assurance) => {
            let amount = (amount != tender.amount).then_some(amount);
            Some(TerminalSaid { assurance, amount, ..say(TenderState::Approved, "ok") })
        }
        Heard::Declined => Some(say(TenderState::Declined, "no")),
        Heard::Reversed => Some(say(TenderState::Reversed, "back")),
        Heard::Nothing if word.question == Question::Reverse => None,
        Heard::Nothing => (tender.state == TenderState::Intended).then(|| say(TenderState::Unknown, "silent")),
    }
}

/// How soon a shell looks after something happened, and how soon a terminal answers.
const LOOK_MS: u64 = 5;
const ANSWER_MS: u64 = 200;

/// How long a customer takes at a terminal.
const THINKS_MS: u64 = 6_000;

/// How long a shell waits for a terminal's answer.
const TIMEOUT_MS: u64 = 60_000;

/// How long after an answer that leaves it open a terminal is asked again; the last one again and again.
const PACE_MS: [u64; 5] = [1_000, 2_000, 5_000, 10_000, 30_000];

/// How soon a suspended machine is looked at again.
const LATER_MS: u64 = 1_000;
