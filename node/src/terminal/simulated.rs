//! A terminal that does as it is told, for the demo and for tests. It keeps a ledger of its own, with which the node's records are compared.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use stockroom_crdt::checkout::tender::Assurance;
use stockroom_crdt::ids::Code;
use stockroom_crdt::money::Currency;

use super::{Ask, Capabilities, Reversal, Terminal, Word, clipped};

/// What it does with the next customer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It takes the money.
    Approves,
    /// It takes the money without asking its bank.
    ApprovesOffline,
    /// It takes so many minor units and no more.
    ApprovesOnly(i64),
    /// The customer has not enough.
    Declines,
    /// It does nothing and says nothing.
    Silent,
    /// The customer takes her time: it has the money only after so many inquiries.
    Late(u32),
    /// It takes the money, and the answer gets lost.
    LosesAnswer,
}

/// How a reference stands in its ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The customer is at it; so many inquiries later she has paid.
    Pending(u32),
    /// It has so many minor units.
    Taken(i64),
    /// It has nothing, and will take nothing.
    Closed,
}

/// One reference of its ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// How it stands.
    pub standing: Standing,
    /// Minor units that it was asked for.
    pub asked: i64,
    /// Of all amounts; absent for a reference that was closed before it was asked.
    pub currency: Option<Currency>,
    /// How sure the money is.
    pub assurance: Assurance,
    /// How often a customer was asked.
    pub times: u32,
}

/// A simulated terminal. Approves unless it is told otherwise.
#[derive(Debug, Default)]
pub struct Simulated {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    fates: VecDeque<Fate>,
    silent: bool,
    ledger: BTreeMap<Code, Entry>,
}

impl Simulated {
    /// What it does with the customers after those that were spoken of before.
    pub fn then(&self, fate: Fate) {
        self.inner().fates.push_back(fate);
    }

    /// True: it answers nothing at all from now on, and does nothing.
    pub fn unplug(&self, unplugged: bool) {
        self.inner().silent = unplugged;
    }

    /// Everything that it knows.
    pub fn ledger(&self) -> BTreeMap<Code, Entry> {
        self.inner().ledger.clone()
    }

    /// Minor units that it has.
    pub fn taken(&self) -> i64 {
        let taken = |entry: &Entry| match entry.standing {
            Standing::Taken(amount) => amount,
            Standing::Pending(_) | Standing::Closed => 0,
        };
        self.inner().ledger.values().map(taken).sum()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn closed() -> Self {
        Self { standing: Standing::Closed, asked: 0, currency: None, assurance: Assurance::Captured, times: 0 }
    }

    fn word(&self) -> Word {
        match self.standing {
            Standing::Pending(_) => Word::Unknown,
            Standing::Taken(amount) => Word::Approved { code: clipped("SIM"), amount, assurance: self.assurance },
            Standing::Closed => Word::Declined { why: clipped(if self.times == 0 { "not asked" } else { "declined" }) },
        }
    }
}

impl Terminal for Simulated {
    fn capabilities(&self) -> Capabilities {
        Capabilities { cards: true, codes: true }
    }

    fn ask(&self, ask: &Ask) -> Word {
        let mut inner = self.inner();
        if inner.silent {
            return Word::Unknown;
        }
        if let Some(entry) = inner.ledger.get(&ask.reference) {
            return entry.word();
        }
        let fate = inner.fates.pop_front().unwrap_or(Fate::Approves);
        let (standing, assurance) = match fate {
            Fate::Approves | Fate::LosesAnswer => (Standing::Taken(ask.amount), Assurance::Captured),
            Fate::ApprovesOffline => (Standing::Taken(ask.amount), Assurance::Offline),
            Fate::ApprovesOnly(amount) => (Standing::Taken(amount.min(ask.amount)), Assurance::Captured),
            Fate::Declines => (Standing::Closed, Assurance::Captured),
            Fate::Late(inquiries) => (Standing::Pending(inquiries), Assurance::Captured),
            Fate::Silent => return Word::Unknown,
        };
        let entry = Entry { standing, asked: ask.amount, currency: Some(ask.currency), assurance, times: 1 };
        inner.ledger.insert(ask.reference.clone(), entry);
        if fate == Fate::LosesAnswer { Word::Unknown } else { entry.word() }
    }

    fn inquire(&self, reference: &Code) -> Word {
        let mut inner = self.inner();
        if inner.silent {
            return Word::Unknown;
        }
        let entry = inner.ledger.entry(reference.clone()).or_insert_with(Entry::closed);
        match entry.standing {
            Standing::Pending(0) => entry.standing = Standing::Taken(entry.asked),
            Standing::Pending(left) => entry.standing = Standing::Pending(left - 1),
            Standing::Taken(_) | Standing::Closed => {}
        }
        entry.word()
    }

    fn reverse(&self, reference: &Code) -> Reversal {
        let mut inner = self.inner();
        if inner.silent {
            return Reversal::Unknown;
        }
        inner.ledger.entry(reference.clone()).or_insert_with(Entry::closed).standing = Standing::Closed;
        Reversal::Done { code: clipped("SIM") }
    }
}

#[cfg(test)]
mod tests {
    use stockroom_crdt::sale::TenderKind;

    use super::*;

    fn ask(reference: &str) -> Ask {
        let currency = Currency::parse("EUR").unwrap();
        Ask { reference: Code::parse(reference).unwrap(), kind: TenderKind::Card, amount: 500, currency }
    }

    fn approved(amount: i64, assurance: Assurance) -> Word {
        Word::Approved { code: clipped("SIM"), amount, assurance }
    }

    #[test]
    fn it_does_as_it_is_told_and_takes_money_once_per_reference() {
        let terminal = Simulated::default();
        let fates = [Fate::ApprovesOnly(200), Fate::Declines, Fate::LosesAnswer, Fate::Late(1), Fate::ApprovesOffline];
        fates.into_iter().for_each(|fate| terminal.then(fate));
        assert_eq!(terminal.ask(&ask("a")), approved(200, Assurance::Captured));
        assert_eq!(terminal.ask(&ask("a")), approved(200, Assurance::Captured));
        assert_eq!(terminal.ask(&ask("b")), Word::Declined { why: clipped("declined") });
        assert_eq!((terminal.ask(&ask("c")), terminal.taken()), (Word::Unknown, 700));
        assert_eq!(terminal.inquire(&ask("c").reference), approved(500, Assurance::Captured));
        assert_eq!(terminal.ask(&ask("d")), Word::Unknown);
        assert_eq!(terminal.inquire(&ask("d").reference), Word::Unknown);
        assert_eq!(terminal.inquire(&ask("d").reference), approved(500, Assurance::Captured));
        assert_eq!(terminal.ask(&ask("e")), approved(500, Assurance::Offline));
        assert_eq!(terminal.ask(&ask("f")), approved(500, Assurance::Captured));
        assert_eq!(terminal.reverse(&ask("f").reference), Reversal::Done { code: clipped("SIM") });
        assert_eq!((terminal.taken(), terminal.ledger().values().map(|entry| entry.times).max()), (1_700, Some(1)));
    }

    #[test]
    fn a_reference_that_was_inquired_or_reversed_first_takes_nothing_later() {
        let terminal = Simulated::default();
        assert_eq!(terminal.inquire(&ask("a").reference), Word::Declined { why: clipped("not asked") });
        terminal.reverse(&ask("b").reference);
        terminal.unplug(true);
        assert_eq!((terminal.ask(&ask("c")), terminal.inquire(&ask("c").reference)), (Word::Unknown, Word::Unknown));
        terminal.unplug(false);
        for reference in ["a", "b"] {
            assert_eq!(terminal.ask(&ask(reference)), Word::Declined { why: clipped("not asked") });
        }
        assert_eq!((terminal.taken(), terminal.ledger().len()), (0, 2));
    }
}
