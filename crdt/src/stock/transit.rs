//! What the parts of a transfer add up to: its state, what is in transit, and what came otherwise than it was sent.
//!
//! The parts stand in the logs of two stores, and a reader may hold only one of them. What is unknown stays unknown: a
//! transfer that was received and whose shipment is not held here is received, with nothing said about what was sent.

use std::collections::BTreeMap;

use crate::entry::Fact;
use crate::ids::{Code, Sku, StoreId};
use crate::money::Unit;
use crate::transfer::TransferId;

/// How far a transfer has come.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum State {
    /// Asked for; nothing has left.
    Asked,
    /// On the way: in nobody's book.
    InTransit,
    /// In the book of the destination, as far as it came.
    Received,
}

impl State {
    /// All states.
    pub const ALL: [Self; 3] = [Self::Asked, Self::InTransit, Self::Received];

    /// The word for the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::InTransit => "in-transit",
            Self::Received => "received",
        }
    }

    /// Takes the word that [`State::as_str`] gives.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// A transfer, as far as it is known here.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Transfer {
    /// Its number.
    pub id: TransferId,
    /// The store that ships.
    pub from: StoreId,
    /// The store that receives.
    pub to: StoreId,
    /// How far it has come.
    pub state: State,
    /// When it was asked for; 0 if it was not, or nobody here knows.
    pub asked_ms: u64,
    /// When it was shipped; 0 if it was not, or nobody here knows.
    pub shipped_ms: u64,
    /// When it was received; 0 if it was not, or nobody here knows.
    pub received_ms: u64,
    /// When it ought to be there; 0 if nobody said.
    pub due_ms: u64,
    /// It was shipped or received more than once under one number, and not with the same words: somebody must look.
    pub repeated: bool,
    /// The products, in their order.
    pub lines: Vec<Line>,
}

/// One product of a transfer, over all lots.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Line {
    /// What.
    pub sku: Sku,
    /// In which unit.
    pub unit: Unit,
    /// How many were asked for.
    pub asked: i64,
    /// How many left; `None` while that is unknown here.
    pub sent: Option<i64>,
    /// How many came; `None` while that is unknown here.
    pub came: Option<i64>,
    /// Why another number came, as far as anybody knows.
    pub reason: Code,
}

/// A part of a transfer, where it was written, and when.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
    /// In whose log.
    pub store: StoreId,
    /// Milliseconds since 1970.
    pub at_ms: u64,
    /// An ask, a shipment or a receipt; anything else is passed over.
    pub fact: &'a Fact,
}

impl Transfer {
    /// True when it ought to be there and is not.
    pub fn is_overdue(&self, now_ms: u64) -> bool {
        self.state != State::Received && self.due_ms != 0 && self.due_ms < now_ms
    }

    /// True when another number came than was sent, of any product.
    pub fn differs(&self) -> bool {
        self.lines.iter().any(|line| line.difference().is_some_and(|difference| difference != 0))
    }
}

impl Line {
    /// Units that came beyond those that were sent; negative for a shortage, `None` while one of the two is unknown.
    pub fn difference(&self) -> Option<i64> {
        Some(self.came? - self.sent?)
    }

    /// Units on the way.
    pub fn in_transit(&self) -> i64 {
        if self.came.is_none() { self.sent.unwrap_or(0) } else { 0 }
    }
}

/// Joins the parts of one transfer, each given once, in an order that every replica agrees upon. `None` if there are none.
pub fn resolve(id: TransferId, parts: &[Part<'_>]) -> Option<Transfer> {
    let mut sums = Sums::default();
    let (mut from, mut to, mut due_ms) = (None, None, 0);
    let (mut asked, mut shipped, mut received) = (Vec::new(), Vec::new(), Vec::new());
    for part in parts {
        match part.fact {
            Fact::TransferAsk(ask) => {
                (from, to) = (from.or(Some(ask.from)), to.or(Some(part.store)));
                if shipped.is_empty() {
                    due_ms = ask.due_ms;
                }
                asked.push(part.at_ms);
                ask.lines.iter().for_each(|line| sums.at(&line.sku, line.unit).asked += line.quantity);
            }
            Fact::TransferShip(ship) => {
                // Who really shipped, and where to, is worth more than what was asked for.
                (from, to, due_ms) = (Some(part.store), Some(ship.to), ship.due_ms);
                shipped.push(part.at_ms);
                ship.lines.iter().for_each(|line| sums.at(&line.sku, line.unit).sent += line.quantity);
            }
            Fact::TransferReceive(receive) => {
                (from, to) = (from.or(Some(receive.from)), to.or(Some(part.store)));
                received.push((part.at_ms, receive.seen));
                receive.lines.iter().for_each(|line| sums.at(&line.sku, line.unit).came += line.quantity);
                for difference in &receive.differences {
                    let sum = sums.at(&difference.sku, difference.unit);
                    (sum.reason, sum.told) = (difference.reason.clone(), Some(difference.sent));
                }
            }
            _ => {}
        }
    }
    let repeated = [asked.len(), shipped.len(), received.len()].iter().any(|&times| times > 1);
    let knows =
        Knows { sent: !shipped.is_empty(), told: received.iter().any(|(_, seen)| *seen), came: !received.is_empty() };
    let state = match (shipped.is_empty(), received.is_empty()) {
        (_, false) => State::Received,
        (false, true) => State::InTransit,
        (true, true) => State::Asked,
    };
    Some(Transfer {
        id,
        from: from?,
        to: to?,
        state,
        asked_ms: asked.into_iter().min().unwrap_or(0),
        shipped_ms: shipped.into_iter().min().unwrap_or(0),
        received_ms: received.into_iter().map(|(at_ms, _)| at_ms).min().unwrap_or(0),
        due_ms,
        repeated,
        lines: sums.lines.into_iter().map(|(key, sum)| sum.line(key, &knows)).collect(),
    })
}

#[derive(Default)]
struct Sums {
    lines: BTreeMap<(Sku, Unit), Sum>,
}

#[derive(Default)]
struct Sum {
    asked: i64,
    sent: i64,
    came: i64,
    /// What the destination says was sent.
    told: Option<i64>,
    reason: Code,
}

/// Which parts are known here.
struct Knows {
    sent: bool,
    told: bool,
    came: bool,
}

impl Sums {
    fn at(&mut self, sku: &Sku, unit: Unit) -> &mut Sum {
        self.lines.entry((sku.clone(), unit)).or_default()
    }
}

impl Sum {
    fn line(self, (sku, unit): (Sku, Unit), knows: &Knows) -> Line {
        let sent = match (knows.sent, knows.told) {
            (true, _) => Some(self.sent),
            (false, true) => Some(self.told.unwrap_or(self.came)),
            (false, false) => None,
        };
        Line { sku, unit, asked: self.asked, sent, came: knows.came.then_some(self.came), reason: self.reason }
    }
}
