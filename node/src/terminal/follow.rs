//! What is to be done next about each open tender: asked once, inquired ever more seldom, given back. Pure: tenders, times and words come
//! as arguments.
//!
//! A tender is asked for only when its intent was written since this process looked first; whatever was open before is inquired, since
//! nobody knows whether it was asked. At one terminal one customer is asked at a time, and none before everything that was left open at it
//! has been inquired once.

use std::collections::{BTreeMap, BTreeSet};

use stockroom_core::input::checkout::TerminalSaid;
use stockroom_crdt::checkout::basket::BasketId;
use stockroom_crdt::checkout::tender::{Assurance, TenderState};
use stockroom_crdt::ids::Code;
use stockroom_crdt::money::Currency;
use stockroom_crdt::sale::TenderKind;

use super::{Ask, Reversal, Word};

/// A tender of which a terminal has to be asked something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenTender {
    /// For which basket.
    pub basket: BasketId,
    /// Which tender of it.
    pub number: u16,
    /// Intended, unknown or reversing.
    pub state: TenderState,
    /// Card, or other for a wallet's code.
    pub kind: TenderKind,
    /// Minor units that the terminal is asked for.
    pub amount: i64,
    /// Of the amount.
    pub currency: Currency,
    /// Under which the terminal knows it.
    pub reference: Code,
    /// Which terminal.
    pub terminal: Code,
    /// When it was intended, milliseconds since 1970.
    pub since_ms: u64,
}

/// Something to be done at a terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// About which tender.
    pub tender: OpenTender,
    /// What.
    pub act: Act,
}

/// What is done at a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Act {
    /// The customer is asked for money.
    Ask,
    /// The terminal is asked what it did.
    Inquire,
    /// It gives the money back.
    Reverse,
}

/// What came of a [`Job`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Of an ask or an inquiry.
    Word(Word),
    /// Of a reversal.
    Reversal(Reversal),
}

/// How long after an unknown answer the next question comes, milliseconds; the last one again and again.
pub const PACE_MS: [u64; 5] = [1_000, 2_000, 5_000, 10_000, 30_000];

/// Everything that is followed.
#[derive(Debug)]
pub struct Follow {
    /// When this process looked first, milliseconds since 1970.
    since_ms: u64,
    pace_ms: Vec<u64>,
    has_looked: bool,
    works: BTreeMap<Code, Work>,
    /// Where a customer is asked at this moment.
    asking: BTreeSet<Code>,
}

#[derive(Debug)]
struct Work {
    terminal: Code,
    stage: Stage,
    state: TenderState,
    /// Answers that left it open.
    tries: usize,
    due_ms: u64,
    /// What is under way.
    busy: BTreeSet<Act>,
    is_open: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Nobody was asked yet.
    Fresh,
    /// Left open by an earlier process, and not inquired yet.
    Left,
    /// Asked, or inquired.
    Asked,
}

impl Follow {
    /// Nothing yet, at a time in milliseconds since 1970; asks at `pace_ms` ([`PACE_MS`]).
    pub fn new(since_ms: u64, pace_ms: &[u64]) -> Self {
        let pace_ms = pace_ms.to_vec();
        Self { since_ms, pace_ms, has_looked: false, works: BTreeMap::new(), asking: BTreeSet::new() }
    }

    /// Takes what is open for left over by an earlier process, before anything new can be.
    pub fn begin(&mut self, open: &[OpenTender]) {
        self.note(open, 0);
    }

    /// What is to be begun now, given everything that is open. `now_ms` is on a clock that never goes back.
    pub fn due(&mut self, open: &[OpenTender], now_ms: u64) -> Vec<Job> {
        self.note(open, now_ms);
        let mut jobs = Vec::new();
        for tender in open {
            let Some(act) = self.next_act(tender, now_ms) else { continue };
            if let Some(work) = self.works.get_mut(&tender.reference) {
                work.busy.insert(act);
            }
            if act == Act::Ask {
                self.asking.insert(tender.terminal.clone());
            }
            jobs.push(Job { tender: tender.clone(), act });
        }
        jobs
    }

    /// When something is due that no news tells of.
    pub fn next_due_ms(&self) -> Option<u64> {
        let is_free = |work: &Work| match work.state {
            TenderState::Reversing => !work.busy.contains(&Act::Reverse),
            TenderState::Intended
            | TenderState::Unknown
            | TenderState::Approved
            | TenderState::Declined
            | TenderState::Reversed => work.busy.is_empty() && work.stage != Stage::Fresh,
        };
        let waits = |work: &&Work| work.is_open && is_free(work);
        self.works.values().filter(waits).map(|work| work.due_ms).min()
    }

    /// A job is over. Gives what is to be written, if it is news.
    pub fn done(&mut self, job: &Job, heard: &Heard, now_ms: u64) -> Option<TerminalSaid> {
        if job.act == Act::Ask {
            self.asking.remove(&job.tender.terminal);
        }
        if let Some(work) = self.works.get_mut(&job.tender.reference) {
            work.busy.remove(&job.act);
            work.stage = Stage::Asked;
            // Also after an answer: if it cannot be written, the terminal is asked for it again.
            work.due_ms = now_ms + self.pace_ms.get(work.tries).or(self.pace_ms.last()).copied().unwrap_or(0);
            work.tries += 1;
        }
        said(&job.tender, heard)
    }

    /// Brings what is followed up to date with what is open.
    fn note(&mut self, open: &[OpenTender], now_ms: u64) {
        self.works.values_mut().for_each(|work| work.is_open = false);
        for tender in open {
            let is_new = self.has_looked && tender.since_ms >= self.since_ms;
            let stage = if is_new && tender.state == TenderState::Intended { Stage::Fresh } else { Stage::Left };
            let work = self.works.entry(tender.reference.clone()).or_insert_with(|| Work {
                terminal: tender.terminal.clone(),
                stage,
                state: tender.state,
                tries: 0,
                due_ms: now_ms,
                busy: BTreeSet::new(),
                is_open: true,
            });
            work.is_open = true;
            if tender.state == TenderState::Reversing && work.state != TenderState::Reversing {
                (work.tries, work.due_ms) = (0, now_ms);
            }
            work.state = tender.state;
        }
        self.works.retain(|_, work| work.is_open || !work.busy.is_empty());
        self.has_looked = true;
    }

    fn next_act(&self, tender: &OpenTender, now_ms: u64) -> Option<Act> {
        let work = self.works.get(&tender.reference)?;
        let is_due = work.due_ms <= now_ms;
        match tender.state {
            // The ask need not be over: the terminal drops it.
            TenderState::Reversing => (is_due && !work.busy.contains(&Act::Reverse)).then_some(Act::Reverse),
            TenderState::Intended | TenderState::Unknown if work.stage == Stage::Fresh => {
                let may_ask = work.busy.is_empty() && !self.is_occupied(&tender.terminal);
                may_ask.then_some(Act::Ask)
            }
            TenderState::Intended | TenderState::Unknown => (is_due && work.busy.is_empty()).then_some(Act::Inquire),
            TenderState::Approved | TenderState::Declined | TenderState::Reversed => None,
        }
    }

    /// True while a customer is asked at a terminal, or something left open at it was not inquired.
    fn is_occupied(&self, terminal: &Code) -> bool {
        let is_left = |work: &Work| work.is_open && work.terminal == *terminal && work.stage == Stage::Left;
        self.asking.contains(terminal) || self.works.values().any(is_left)
    }
}

/// What a terminal's answer means for the record.
fn said(tender: &OpenTender, heard: &Heard) -> Option<TerminalSaid> {
    let say = |state, said: &Code| TerminalSaid {
        basket: tender.basket,
        number: tender.number,
        state,
        said: said.clone(),
        assurance: Assurance::Captured,
        amount: None,
        staff: Code::default(),
    };
    match heard {
        Heard::Word(Word::Approved { code, amount, assurance }) => {
            let amount = (*amount != tender.amount).then_some(*amount);
            Some(TerminalSaid { assurance: *assurance, amount, ..say(TenderState::Approved, code) })
        }
        Heard::Word(Word::Declined { why }) => Some(say(TenderState::Declined, why)),
        Heard::Word(Word::Unknown) => {
            (tender.state == TenderState::Intended).then(|| say(TenderState::Unknown, &Code::default()))
        }
        Heard::Reversal(Reversal::Done { code }) => Some(say(TenderState::Reversed, code)),
        Heard::Reversal(Reversal::Refused { .. } | Reversal::Unknown) => None,
    }
}

impl OpenTender {
    /// What its terminal is asked for.
    pub fn ask(&self) -> Ask {
        let Self { kind, amount, currency, .. } = *self;
        Ask { reference: self.reference.clone(), kind, amount, currency }
    }
}

#[cfg(test)]
mod tests {
    use stockroom_crdt::ids::TillId;

    use super::*;

    fn tender(reference: &str, terminal: &str, state: TenderState) -> OpenTender {
        OpenTender {
            basket: BasketId { till: TillId(1), number: 7 },
            number: 1,
            state,
            kind: TenderKind::Card,
            amount: 500,
            currency: Currency::parse("EUR").unwrap(),
            reference: Code::parse(reference).unwrap(),
            terminal: Code::parse(terminal).unwrap(),
            since_ms: 1_000,
        }
    }

    fn acts(jobs: &[Job]) -> Vec<(&str, Act)> {
        jobs.iter().map(|job| (job.tender.reference.as_str(), job.act)).collect()
    }

    const UNKNOWN: Heard = Heard::Word(Word::Unknown);

    #[test]
    fn what_was_open_at_the_start_is_inquired_before_anybody_is_asked() {
        let mut follow = Follow::new(1_000, &PACE_MS);
        let mut open = vec![tender("a", "t", TenderState::Intended), tender("b", "t", TenderState::Unknown)];
        let left = follow.due(&open, 0);
        assert_eq!(acts(&left), [("a", Act::Inquire), ("b", Act::Inquire)]);
        open.extend([tender("c", "t", TenderState::Intended), tender("d", "u", TenderState::Intended)]);
        let other = follow.due(&open, 0);
        assert_eq!(acts(&other), [("d", Act::Ask)]);
        assert!(follow.done(&left[0], &UNKNOWN, 10).is_some_and(|said| said.state == TenderState::Unknown));
        assert_eq!(follow.due(&open, 10), []);
        assert_eq!(follow.done(&left[1], &UNKNOWN, 10), None);
        assert_eq!(acts(&follow.due(&open, 10)), [("c", Act::Ask)]);
    }

    #[test]
    fn an_intent_of_an_earlier_life_that_comes_late_is_inquired() {
        let mut follow = Follow::new(1_001, &PACE_MS);
        assert_eq!(follow.due(&[], 0), []);
        let old = tender("a", "t", TenderState::Intended);
        assert_eq!(acts(&follow.due(&[old], 5)), [("a", Act::Inquire)]);
    }

    #[test]
    fn nobody_is_asked_twice_and_inquiries_come_ever_more_seldom() {
        let mut follow = Follow::new(0, &PACE_MS);
        follow.due(&[], 0);
        let mut open = [tender("a", "t", TenderState::Intended)];
        let asked = follow.due(&open, 0);
        assert_eq!(acts(&asked), [("a", Act::Ask)]);
        assert_eq!(follow.due(&open, 90_000), []);
        let said = follow.done(&asked[0], &UNKNOWN, 90_000).unwrap();
        assert_eq!((said.state, said.number), (TenderState::Unknown, 1));
        open[0].state = TenderState::Unknown;
        let (mut now_ms, mut waits) = (90_000, Vec::new());
        for _ in 0..7 {
            let due_ms = follow.next_due_ms().unwrap();
            assert_eq!(follow.due(&open, due_ms - 1), []);
            let jobs = follow.due(&open, due_ms);
            assert_eq!(acts(&jobs), [("a", Act::Inquire)]);
            assert_eq!(follow.done(&jobs[0], &UNKNOWN, due_ms), None);
            waits.push((due_ms - now_ms) / 1_000);
            now_ms = due_ms;
        }
        assert_eq!(waits, [1, 2, 5, 10, 30, 30, 30]);
    }

    #[test]
    fn one_customer_at_a_time_is_asked_at_a_terminal() {
        let mut follow = Follow::new(0, &PACE_MS);
        follow.due(&[], 0);
        let both = [tender("a", "t", TenderState::Intended), tender("b", "t", TenderState::Intended)];
        let first = follow.due(&both, 0);
        assert_eq!(acts(&first), [("a", Act::Ask)]);
        let code = Code::parse("ok").unwrap();
        let approved = Heard::Word(Word::Approved { code, amount: 300, assurance: Assurance::Offline });
        let said = follow.done(&first[0], &approved, 5).unwrap();
        assert_eq!((said.state, said.amount, said.assurance), (TenderState::Approved, Some(300), Assurance::Offline));
        assert_eq!(acts(&follow.due(&both[1..], 5)), [("b", Act::Ask)]);
        assert_eq!(follow.works.len(), 1);
    }

    #[test]
    fn a_basket_that_is_thrown_away_is_reversed_at_once_even_while_the_customer_is_asked() {
        let mut follow = Follow::new(0, &PACE_MS);
        follow.due(&[], 0);
        let mut open = [tender("a", "t", TenderState::Intended)];
        let asked = follow.due(&open, 0);
        open[0].state = TenderState::Reversing;
        let reversal = follow.due(&open, 1);
        assert_eq!(acts(&reversal), [("a", Act::Reverse)]);
        assert_eq!(follow.due(&open, 60_000), []);
        assert_eq!(follow.done(&reversal[0], &Heard::Reversal(Reversal::Unknown), 2), None);
        assert_eq!(follow.due(&open, 3), []);
        let again = follow.due(&open, 1_002);
        assert_eq!(acts(&again), [("a", Act::Reverse)]);
        let done = Heard::Reversal(Reversal::Done { code: Code::default() });
        assert_eq!(follow.done(&again[0], &done, 1_003).unwrap().state, TenderState::Reversed);
        assert_eq!(follow.due(&[], 1_004), []);
        follow.done(&asked[0], &UNKNOWN, 1_005);
        follow.due(&[], 1_006);
        assert!(follow.works.is_empty() && follow.asking.is_empty());
    }

    #[test]
    fn an_answer_that_could_not_be_written_is_asked_for_again() {
        let mut follow = Follow::new(0, &PACE_MS);
        follow.due(&[], 0);
        let open = [tender("a", "t", TenderState::Intended)];
        let asked = follow.due(&open, 0);
        let declined = Heard::Word(Word::Declined { why: Code::default() });
        assert!(follow.done(&asked[0], &declined, 0).is_some());
        assert_eq!(acts(&follow.due(&open, 1_000)), [("a", Act::Inquire)]);
    }
}
