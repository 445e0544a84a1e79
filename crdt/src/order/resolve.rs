//! What everything that is known of an order adds up to: a pure function of facts, the same at every replica that holds them.
//!
//! Facts are united and never undone: what was handed over stays handed over, and only a compensation can follow. Where a cancel and a
//! handover, or two stores, met each other, the rules are: a fact beats a decision; of two stores the one that is further wins, then the earlier
//! offer, then the smaller store; the loser stands down. Everything that is owed has an id that follows from its cause, so that it is
//! given once.

pub mod money;
pub mod part;
pub mod words;

use std::collections::BTreeMap;

use super::header::{Order, OrderLine, Payment, Preference};
use super::intent::{OrderStep, Saying};
use super::redress::Redress;
use super::returns::{GoodsReturn, ReturnId};
use crate::clock::Hlc;
use crate::codec::Rows;
use crate::ids::{Code, Digest, StoreId};
use crate::stock::Position;

pub use money::Due;
pub use part::{Fulfillment, Part, PartLine, State, TakenAlong};
pub use words::{Reason, Why};

/// Something that was said, where and when.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Event<T> {
    /// In which store's scope, 0 for the home's own.
    pub store: StoreId,
    /// Who said it, and where it stands in its log.
    pub at: Position,
    /// When.
    pub hlc: Hlc,
    /// What.
    pub says: T,
}

/// Everything that is known of an order.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Known {
    /// The order itself; absent at stores other than its home.
    pub order: Option<Order>,
    /// What was paid.
    pub payment: Option<Payment>,
    /// What was given, by id.
    pub redresses: BTreeMap<[u8; 16], Redress>,
    /// What the customer and the home said.
    pub sayings: Vec<Event<OrderStep>>,
    /// Its parts, by generation and store.
    pub parts: BTreeMap<(u16, StoreId), Part>,
    /// What came back after the handover.
    pub returns: BTreeMap<ReturnId, GoodsReturn>,
}

/// Where an order stands.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum OrderState {
    /// Units wait for a decision of the home or of the customer, and no store has any.
    Waiting,
    /// Stores have it: where the least advanced part stands.
    Open(State),
    /// The customer has everything.
    Completed,
    /// The customer has a part; the rest is cancelled or was not to be had.
    PartlyCompleted,
    /// Everything is cancelled.
    Cancelled,
    /// The customer got nothing of it.
    Failed,
}

/// One line of an order, as it stands: ordered = open + handed + cancelled + failed.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct LineOutcome {
    /// Units ordered.
    pub ordered: i64,
    /// Units the customer has, at most as many as ordered.
    pub handed: i64,
    /// Units beyond what was ordered: two stores handed over.
    pub over: i64,
    /// Units cancelled.
    pub cancelled: i64,
    /// Units that nobody has, that nobody came for, or that did not arrive.
    pub failed: i64,
    /// Units that may still get to the customer.
    pub open: i64,
    /// Of the open ones: those that no store has.
    pub unplaced: i64,
}

/// What an order adds up to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outcome {
    /// Where it stands.
    pub state: OrderState,
    /// True when nothing that others may have written, and that has not arrived here, can change what became of closed lines.
    pub stable: bool,
    /// Why it waits, if it does.
    pub held: Option<Code>,
    /// Its lines, in order.
    pub lines: Vec<LineOutcome>,
    /// Its fulfillments, by generation and store.
    pub fulfillments: Vec<Fulfillment>,
    /// What the customer pays for what was handed over, minor units, never more than was authorised.
    pub charge: i64,
    /// What is owed or was given.
    pub due: Vec<Due>,
    /// Fulfillments that have to stand down: another store has the same units.
    pub losers: Vec<(u16, StoreId)>,
    /// Why it stands as it does.
    pub reasons: Vec<Reason>,
}

impl Outcome {
    /// True while goods may still get to the customer by a part: it is not over, does not give way to another, and was not withdrawn
    /// before anybody accepted it.
    pub fn counts(&self, part: &Fulfillment) -> bool {
        counts(part, &self.losers)
    }
}

fn counts(part: &Fulfillment, losers: &[(u16, StoreId)]) -> bool {
    let gives_way = losers.contains(&(part.generation, part.store));
    part.state.is_open() && !gives_way && !(part.withdrawn && part.state == State::Offered)
}

impl OrderState {
    /// The word for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Open(state) => state.as_str(),
            Self::Completed => "completed",
            Self::PartlyCompleted => "partly-completed",
            Self::Cancelled => "cancelled",
            Self::Failed => "failed",
        }
    }

    /// True while something can still get to the customer.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Waiting | Self::Open(_))
    }
}

impl Known {
    /// True when the home took an offer back.
    pub fn is_withdrawn(&self, generation: u16, store: StoreId) -> bool {
        self.has_said(Saying::Withdraw, generation, store) || self.has_said(Saying::StandDown, generation, store)
    }

    /// True when something was said to a store of one of its offers.
    pub fn has_said(&self, saying: Saying, generation: u16, store: StoreId) -> bool {
        let said = |event: &Event<OrderStep>| event.says.saying == saying && event.says.generation == generation;
        self.sayings.iter().any(|event| event.store == store && said(event))
    }

    /// The fulfillments whose offers are known.
    pub fn fulfillments(&self) -> Vec<Fulfillment> {
        let of = |(&(generation, store), part): (&(u16, StoreId), &Part)| {
            Fulfillment::of(store, part, self.is_withdrawn(generation, store))
        };
        self.parts.iter().filter_map(of).collect()
    }

    /// The hold that is in force for the whole order: the last word counts.
    pub fn held(&self) -> Option<Code> {
        let about = |event: &&Event<OrderStep>| matches!(event.says.saying, Saying::Hold | Saying::Resume);
        let last = self.sayings.iter().filter(about).max_by_key(|event| (event.hlc, event.at))?;
        (last.says.saying == Saying::Hold).then(|| last.says.note.clone())
    }

    /// Units of a line that were said to be cancelled, given up and so on: the largest number that was said.
    fn said_units(&self, saying: Saying, line: u16, all: i64) -> i64 {
        let of = self.sayings.iter().filter(|event| event.says.saying == saying);
        of.filter_map(|event| event.says.units(line, all)).max().unwrap_or(0)
    }
}

impl<T> Event<T> {
    /// The hash of what was said and where, whoever wrote it again.
    pub fn hash(&self, encode: impl FnOnce(&T, &mut Rows)) -> [u8; 16] {
        let body = Rows::of(|sink| encode(&self.says, sink));
        Digest::of(&[&self.store.0.to_be_bytes(), &body]).short()
    }
}

/// What an order adds up to; `None` where the order itself is not known.
pub fn resolve(known: &Known) -> Option<Outcome> {
    let order = known.order.as_ref()?;
    let fulfillments = known.fulfillments();
    let losers = losers(known, order, &fulfillments);
    let lines: Vec<_> =
        (0..order.lines.len()).map(|at| line(known, order, (at as u16, &fulfillments, &losers))).collect();
    let state = state(&lines, &fulfillments, &losers);
    let silent = |part: &Fulfillment| part.withdrawn && part.state.is_open();
    let stable = !state.is_open() && !fulfillments.iter().any(silent);
    let (charge, due) = money::settle(known, order, &lines, &fulfillments);
    let mut out =
        Outcome { state, stable, held: known.held(), lines, fulfillments, charge, due, losers, reasons: Vec::new() };
    out.reasons = words::reasons(known, &out);
    Some(out)
}

/// Of parts that hold the same units, those that have to give way: less far, then later offered, then the larger store. Parts that nobody
/// accepted give way to any that somebody did.
fn losers(known: &Known, order: &Order, fulfillments: &[Fulfillment]) -> Vec<(u16, StoreId)> {
    let wanted = |(at, line): (usize, &OrderLine)| {
        let gone = [Saying::Cancel, Saying::GiveUp].map(|saying| known.said_units(saying, at as u16, line.quantity));
        line.quantity - gone.iter().sum::<i64>().min(line.quantity)
    };
    let mut left: Vec<i64> = order.lines.iter().enumerate().map(wanted).collect();
    let mut ranked: Vec<_> = fulfillments.iter().collect();
    // Of two homes, the one that took over decides: what nobody has accepted from the earlier one counts for nothing.
    ranked.sort_by_key(|part| {
        let home = std::cmp::Reverse(if part.state == State::Offered { part.generation / HOME_GENERATIONS } else { 0 });
        (std::cmp::Reverse(rank(part)), home, part.generation, part.store)
    });
    let mut out = Vec::new();
    for part in ranked {
        let claims =
            |line: &PartLine| if part.state.is_open() { line.open() + line.stands_for() } else { line.stands_for() };
        let wants: i64 = part.lines.iter().map(claims).sum();
        let mut gets = 0;
        for line in &part.lines {
            let Some(left) = left.get_mut(usize::from(line.offered.line)) else { continue };
            let taken = claims(line).min(*left).max(0);
            *left -= taken;
            gets += taken;
        }
        if part.state.is_open() && wants > 0 && gets == 0 {
            out.push((part.generation, part.store));
        }
    }
    out
}

/// Generations of one home. Another home that takes an order over begins at the next multiple, so its decisions come later.
pub const HOME_GENERATIONS: u16 = 256;

/// How far a part is: only what is in the customer's hands, lies ready, is being picked, or was accepted beats another one.
fn rank(part: &Fulfillment) -> u8 {
    match part.state {
        State::HandedOver | State::Delivered => 5,
        State::Out | State::Returning | State::Awaited | State::Ready => 4,
        State::Packed | State::Picked | State::Picking => 3,
        State::Accepted => 2,
        // What the home took back counts for nothing until its store shows that it went on.
        State::Offered if part.withdrawn => 0,
        State::Offered => 1,
        State::Refused
        | State::StoodDown
        | State::Cancelled
        | State::Declined
        | State::Uncollected
        | State::Returned
        | State::Lost => 0,
    }
}

fn line(
    known: &Known,
    order: &Order,
    (number, parts, losers): (u16, &[Fulfillment], &[(u16, StoreId)]),
) -> LineOutcome {
    let ordered = order.lines[usize::from(number)].quantity;
    let (mut handed, mut cancelled, mut failed, mut placed) = (0, 0, 0, 0);
    for part in parts {
        let Some(line) = part.line(number) else { continue };
        handed += line.stands_for();
        cancelled += line.cancelled;
        failed += line.failed;
        if counts(part, losers) {
            placed += line.open();
        }
        if line.offered.preference == Preference::Partial && part.state != State::StoodDown {
            failed += line.short();
        }
    }
    let over = (handed - ordered).max(0);
    let handed = handed.min(ordered);
    cancelled += known.said_units(Saying::Cancel, number, ordered);
    let cancelled = cancelled.min(ordered - handed);
    failed += known.said_units(Saying::GiveUp, number, ordered);
    let failed = failed.min(ordered - handed - cancelled);
    let open = ordered - handed - cancelled - failed;
    LineOutcome { ordered, handed, over, cancelled, failed, open, unplaced: (open - placed).max(0) }
}

fn state(lines: &[LineOutcome], parts: &[Fulfillment], losers: &[(u16, StoreId)]) -> OrderState {
    if lines.iter().any(|line| line.open > 0) {
        let live = parts.iter().filter(|part| counts(part, losers));
        return live.map(|part| part.state).min().map_or(OrderState::Waiting, OrderState::Open);
    }
    let sum = |units: fn(&LineOutcome) -> i64| lines.iter().map(units).sum::<i64>();
    let (ordered, handed) = (sum(|line| line.ordered), sum(|line| line.handed));
    if handed == ordered {
        OrderState::Completed
    } else if handed > 0 {
        OrderState::PartlyCompleted
    } else if sum(|line| line.cancelled) == ordered {
        OrderState::Cancelled
    } else {
        OrderState::Failed
    }
}
