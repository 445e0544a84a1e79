//! Why an order stands as it does, in words that are the same everywhere.

use std::fmt;

use super::part::State;
use super::{Event, Known, Outcome};
use crate::clock::Hlc;
use crate::ids::{Code, StoreId};
use crate::order::intent::Saying;
use crate::order::redress::Rule;
use crate::order::step::{FulfillmentStep, Step};
use crate::stock::Position;

/// One sentence about an order, with the entries behind it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reason {
    /// What happened.
    pub why: Why,
    /// The entries that say so: in which store's scope (0 for the home's own), by whom and at which place in their logs.
    pub events: Vec<(StoreId, Position)>,
}

/// What can have happened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Why {
    /// The store handed it over before it heard of the cancel.
    HandedBeforeCancel(StoreId, Hlc),
    /// The store confirmed the cancel.
    CancelConfirmed(StoreId, Hlc),
    /// The store did not.
    CancelDenied(StoreId, Code),
    /// The store that holds it has not answered a cancel that was asked.
    CancelAsked(StoreId),
    /// The home cancelled alone: no store had taken it.
    CancelledByHome,
    /// The store refused it.
    Refused(StoreId, Code),
    /// The home took an offer back.
    Withdrawn(StoreId, Code),
    /// Two stores hold the same units, and this one gives way.
    GivesWay(StoreId),
    /// Units were not found.
    Short(StoreId, u16, i64, Code),
    /// Something else was taken.
    Substituted(StoreId, u16),
    /// Nobody came.
    Uncollected(StoreId),
    /// The customer did not take it.
    Declined(StoreId, Code),
    /// It could not be delivered.
    NotDelivered(StoreId, Code),
    /// It was handed over more often than ordered.
    HandedTwice(StoreId),
    /// It was paid back and handed over.
    RefundedAndHanded(Code),
    /// Nobody was found for units.
    GivenUp(Code),
    /// It waits.
    Held(Code),
    /// The customer showed a pass; the store had not heard of the order.
    ByPass(StoreId),
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HandedBeforeCancel(store, at) => {
                write!(f, "store {} handed it over at {} ms, before the cancel arrived there", store.0, at.ms())
            }
            Self::CancelConfirmed(store, at) => {
                write!(f, "store {}, which held it, confirmed the cancel at {} ms", store.0, at.ms())
            }
            Self::CancelDenied(store, note) => write!(f, "store {} did not confirm the cancel: {note}", store.0),
            Self::CancelAsked(store) => {
                write!(f, "a cancel was asked; store {} holds the goods and has not answered yet", store.0)
            }
            Self::CancelledByHome => f.write_str("cancelled by the order's home: no store had taken it"),
            Self::Refused(store, note) => write!(f, "store {} refused it: {note}", store.0),
            Self::Withdrawn(store, note) => write!(f, "the offer to store {} was withdrawn: {note}", store.0),
            Self::GivesWay(store) => {
                write!(
                    f,
                    "store {} gives way: another store that is further, or was asked earlier, has the units",
                    store.0
                )
            }
            Self::Short(store, line, units, note) => {
                write!(f, "store {} is short of {units} of line {}: {note}", store.0, line + 1)
            }
            Self::Substituted(store, line) => write!(f, "store {} took something else for line {}", store.0, line + 1),
            Self::Uncollected(store) => write!(f, "nobody collected it at store {}", store.0),
            Self::Declined(store, note) => write!(f, "not taken at the counter of store {}: {note}", store.0),
            Self::NotDelivered(store, note) => {
                write!(f, "it went out from store {} and did not arrive: {note}", store.0)
            }
            Self::HandedTwice(store) => write!(f, "handed over again at store {}", store.0),
            Self::RefundedAndHanded(bearer) => write!(f, "paid back and handed over all the same; {bearer} bears it"),
            Self::GivenUp(note) => write!(f, "nobody was found for units of it: {note}"),
            Self::Held(note) => write!(f, "on hold: {note}"),
            Self::ByPass(store) => {
                write!(f, "the customer showed a signed pass at store {}, which had not heard of the order", store.0)
            }
        }
    }
}

/// Everything that made the outcome other than a plain success, in the order in which it was said.
pub fn reasons(known: &Known, outcome: &Outcome) -> Vec<Reason> {
    let mut out: Vec<(Hlc, Reason)> = Vec::new();
    let mut push = |hlc: Hlc, why: Why, events: Vec<(StoreId, Position)>| out.push((hlc, Reason { why, events }));
    for event in &known.sayings {
        let here = vec![(event.store, event.at)];
        match event.says.saying {
            Saying::AskCancel if event.store != StoreId(0) => {
                if let Some(why) = answer(known, outcome, event.store) {
                    push(event.hlc, why, here);
                }
            }
            Saying::Cancel => push(event.hlc, Why::CancelledByHome, here),
            Saying::Withdraw | Saying::StandDown => {
                push(event.hlc, Why::Withdrawn(event.store, event.says.note.clone()), here)
            }
            Saying::GiveUp => push(event.hlc, Why::GivenUp(event.says.note.clone()), here),
            Saying::RiskRefund if outcome.due.iter().any(|due| due.rule == Rule::RefundedAndHanded) => {
                push(event.hlc, Why::RefundedAndHanded(event.says.note.clone()), here);
            }
            Saying::Hold if outcome.held.is_some() => push(event.hlc, Why::Held(event.says.note.clone()), here),
            Saying::RiskRefund
            | Saying::Hold
            | Saying::AskCancel
            | Saying::IssuePass
            | Saying::Choose
            | Saying::Resume
            | Saying::Arrive => {}
        }
    }
    for (&(generation, store), part) in &known.parts {
        if part.by_pass {
            push(part.offered, Why::ByPass(store), Vec::new());
        }
        for event in &part.steps {
            of_step(event, |why| push(event.hlc, why, vec![(store, event.at)]));
        }
        if outcome.losers.contains(&(generation, store)) {
            push(part.offered, Why::GivesWay(store), Vec::new());
        }
    }
    for part in &outcome.fulfillments {
        for (event, _) in &part.handed_again {
            push(event.hlc, Why::HandedTwice(part.store), vec![(part.store, event.at)]);
        }
        for line in part.lines.iter().filter(|line| line.picked.is_some()) {
            let (number, at) = (line.offered.line, part.first(Step::Pick).unwrap_or_default());
            if line.short() > 0 {
                push(at, Why::Short(part.store, number, line.short(), line.reason.clone()), Vec::new());
            }
            if line.substitute.is_some() {
                push(at, Why::Substituted(part.store, number), Vec::new());
            }
        }
    }
    out.sort_by(|(a, x), (b, y)| (a, &x.events).cmp(&(b, &y.events)));
    out.into_iter().map(|(_, reason)| reason).collect()
}

/// How a store answered a cancel that was asked of it.
fn answer(known: &Known, outcome: &Outcome, store: StoreId) -> Option<Why> {
    let part = outcome.fulfillments.iter().rfind(|part| part.store == store)?;
    let steps = &known.parts.get(&(part.generation, store))?.steps;
    let first = |step: Step| steps.iter().filter(|event| event.says.step == step).min_by_key(|event| event.hlc);
    Some(match (first(Step::ConfirmCancel), first(Step::DenyCancel)) {
        (Some(confirmed), _) => Why::CancelConfirmed(store, confirmed.hlc),
        (None, Some(denied)) => match part.first(Step::HandOver) {
            Some(handed) => Why::HandedBeforeCancel(store, handed),
            None => Why::CancelDenied(store, denied.says.note.clone()),
        },
        (None, None) if part.state == State::HandedOver => {
            Why::HandedBeforeCancel(store, part.first(Step::HandOver).unwrap_or_default())
        }
        (None, None) if part.state.is_open() => Why::CancelAsked(store),
        (None, None) => return None,
    })
}

fn of_step(event: &Event<FulfillmentStep>, mut push: impl FnMut(Why)) {
    let note = || event.says.note.clone();
    match event.says.step {
        Step::Refuse => push(Why::Refused(event.store, note())),
        Step::Uncollected => push(Why::Uncollected(event.store)),
        Step::Decline => push(Why::Declined(event.store, note())),
        Step::FailDelivery | Step::Lose => push(Why::NotDelivered(event.store, note())),
        Step::Accept
        | Step::StartPicking
        | Step::Pick
        | Step::Pack
        | Step::Stage
        | Step::Ready
        | Step::Arrive
        | Step::HandOver
        | Step::PutBack
        | Step::ConfirmCancel
        | Step::DenyCancel
        | Step::StandDown
        | Step::WrongCode
        | Step::CheckAge
        | Step::Hold
        | Step::Resume
        | Step::RequestCourier
        | Step::AssignCourier
        | Step::CourierAtStore
        | Step::Dispatch
        | Step::Deliver
        | Step::Return
        | Step::Returned
        | Step::CourierRefused
        | Step::TakeAlong
        | Step::BringBack => {}
    }
}
