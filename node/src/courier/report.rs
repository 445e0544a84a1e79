//! What is heard of an attempt, in neutral words, and what it adds up to.
//!
//! Callbacks come in any order, twice or never. So [`Progress`] is a join: every part of it is a maximum or minimum over the reports,
//! and the same reports give the same progress in whatever order and however often they come. A step backwards changes nothing;
//! a cancellation, a failure and the way back always count.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use stockroom_crdt::control::Coordinates;

use crate::courier::job::{Amount, Person, point};

/// Where an attempt stands, in the order of the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Asked for.
    Requested,
    /// The service took it; nobody is on the way yet.
    Accepted,
    /// Somebody is on the way to the store.
    CourierAssigned,
    /// Waits at the store.
    CourierAtStore,
    /// Has the goods.
    PickedUp,
    /// Close to the customer.
    NearDropoff,
    /// Nobody took it in time.
    Expired,
    /// Called off; see who and why.
    Cancelled,
    /// Could not be done; the goods are where they were.
    Failed,
    /// The customer has the goods.
    Delivered,
    /// On the way back to the store.
    Returning,
    /// Back at the store.
    Returned,
}

impl State {
    /// Nothing comes after it by itself.
    pub fn is_final(self) -> bool {
        match self {
            State::Expired | State::Cancelled | State::Delivered | State::Returned => true,
            State::Requested
            | State::Accepted
            | State::CourierAssigned
            | State::CourierAtStore
            | State::PickedUp
            | State::NearDropoff
            | State::Failed
            | State::Returning => false,
        }
    }

    /// Only a courier who has the goods, or had them, says this.
    fn has_goods(self) -> bool {
        match self {
            State::PickedUp | State::NearDropoff | State::Delivered | State::Returning | State::Returned => true,
            State::Requested
            | State::Accepted
            | State::CourierAssigned
            | State::CourierAtStore
            | State::Expired
            | State::Cancelled
            | State::Failed => false,
        }
    }

    /// States of one class are ordered by their time: a courier who turned back may still find the customer.
    fn class(self) -> u8 {
        match self {
            State::Requested => 0,
            State::Accepted => 1,
            State::CourierAssigned => 2,
            State::CourierAtStore => 3,
            State::PickedUp => 4,
            State::NearDropoff => 5,
            State::Expired => 6,
            State::Cancelled => 7,
            State::Failed => 8,
            State::Delivered | State::Returning => 9,
            State::Returned => 10,
        }
    }
}

/// Why, in words that mean the same at every courier service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The shop called it off. The first, because any other word says more when two reports are of one time.
    MerchantCancel,
    /// Nobody takes it.
    NoCourier,
    /// The courier does not come.
    CourierLate,
    /// The bags were not ready.
    StoreNotReady,
    /// Nobody opens, nobody answers.
    CustomerUnreachable,
    /// There is no such place, or it is out of range.
    AddressWrong,
    /// The customer does not want the goods.
    CustomerRefused,
    /// The customer called it off.
    CustomerCancelled,
    /// The document that was shown does not do.
    AgeCheckFailed,
    /// Broken or spilled.
    GoodsDamaged,
    /// A computer's fault, here or there.
    System,
    /// Weather, a closed road.
    ForceMajeure,
}

/// Who called it off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Party {
    /// We.
    Merchant,
    /// The person who ordered.
    Customer,
    /// The rider.
    Courier,
    /// The courier service.
    Service,
}

/// One thing that a courier service, a rider or our own desk said about an attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Where the attempt stands.
    pub state: State,
    /// When that was, by the clock of whoever said it.
    pub at_ms: u64,
    /// Why.
    pub reason: Option<Reason>,
    /// Who called it off.
    pub by: Option<Party>,
    /// Who carries the goods.
    pub courier: Option<Person>,
    /// Where they are.
    pub position: Option<Position>,
    /// What it costs so far.
    pub fee: Option<Amount>,
    /// The service's own number of this event, if it has one.
    pub event_id: Option<String>,
}

/// A place at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Where, WGS 84.
    #[serde(with = "point")]
    pub point: Coordinates,
    /// When.
    pub at_ms: u64,
}

impl Report {
    /// A bare step.
    pub fn new(state: State, at_ms: u64) -> Self {
        Self { state, at_ms, reason: None, by: None, courier: None, position: None, fee: None, event_id: None }
    }

    /// With why, and who said so.
    pub fn because(self, reason: Reason, by: Party) -> Self {
        Self { reason: Some(reason), by: Some(by), ..self }
    }
}

/// Everything that was heard of an attempt, joined.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    best: Step,
    /// The earliest time at which each state was said to be reached.
    times: BTreeMap<State, u64>,
    courier: Option<Dated<Person>>,
    fee: Option<Dated<Amount>>,
    position: Option<Position>,
}

/// What counts most. The order of the fields is the order of weight; all of them, so that no tie is left to chance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Step {
    class: u8,
    at_ms: u64,
    state: State,
    reason: Option<Reason>,
    by: Option<Party>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Dated<T> {
    at_ms: u64,
    value: T,
}

impl Progress {
    /// An attempt that was just made.
    pub fn requested(at_ms: u64) -> Self {
        let report = Report::new(State::Requested, at_ms);
        let best = Step::of(&report);
        Self { best, times: BTreeMap::from([(State::Requested, at_ms)]), courier: None, fee: None, position: None }
    }

    /// Takes a report in. True when something that people see has changed: the state, the courier or the fee.
    pub fn join(&mut self, report: &Report) -> bool {
        let before = (self.best.state, self.courier.clone(), self.fee.clone());
        self.best = self.best.max(Step::of(report));
        let time = self.times.entry(report.state).or_insert(report.at_ms);
        *time = report.at_ms.min(*time);
        let dated = |value: &Person| Dated { at_ms: report.at_ms, value: value.clone() };
        self.courier = self.courier.take().max(report.courier.as_ref().map(dated));
        let fee = report.fee.map(|value| Dated { at_ms: report.at_ms, value });
        self.fee = self.fee.take().max(fee);
        let newer = |position: &Position| self.position.is_none_or(|old| weight(old) < weight(*position));
        self.position = report.position.filter(newer).or(self.position);
        let same_person = before.1.map(|dated| dated.value) == self.courier.as_ref().map(|dated| dated.value.clone());
        let same_fee = before.2.map(|dated| dated.value) == self.fee.as_ref().map(|dated| dated.value);
        before.0 != self.best.state || !same_person || !same_fee
    }

    /// Where the attempt stands.
    pub fn state(&self) -> State {
        self.best.state
    }

    /// Since when, by the clock of whoever said so.
    pub fn since_ms(&self) -> u64 {
        self.best.at_ms
    }

    /// Why it stands there.
    pub fn reason(&self) -> Option<Reason> {
        self.best.reason
    }

    /// Who called it off.
    pub fn by(&self) -> Option<Party> {
        self.best.by
    }

    /// Who carries the goods, as last said.
    pub fn courier(&self) -> Option<&Person> {
        self.courier.as_ref().map(|dated| &dated.value)
    }

    /// What it costs, as last said.
    pub fn fee(&self) -> Option<Amount> {
        self.fee.as_ref().map(|dated| dated.value)
    }

    /// Where the courier was last.
    pub fn position(&self) -> Option<Position> {
        self.position
    }

    /// When a state was first reached, if it was said. A late report of a step that was passed is seen here and nowhere else.
    pub fn reached_ms(&self, state: State) -> Option<u64> {
        self.times.get(&state).copied()
    }

    /// The delivery is over: who carried it, and where they were, is nobody's business any more.
    pub fn forget_people(&mut self) {
        (self.courier, self.position) = (None, None);
    }

    /// The goods have left the store, and have not come back.
    pub fn goods_are_out(&self) -> bool {
        self.best.state != State::Returned && self.times.keys().any(|state| state.has_goods())
    }
}

impl Step {
    fn of(report: &Report) -> Self {
        let &Report { state, at_ms, reason, by, .. } = report;
        Self { class: state.class(), at_ms, state, reason, by }
    }
}

fn weight(position: Position) -> (u64, i32, i32) {
    (position.at_ms, position.point.latitude, position.point.longitude)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(reports: &[(State, u64)]) -> State {
        let mut progress = Progress::requested(0);
        for (state, at_ms) in reports {
            progress.join(&Report::new(*state, *at_ms));
        }
        progress.state()
    }

    #[test]
    fn steps_backwards_change_nothing_but_the_way_back_counts() {
        use State::{Accepted, Cancelled, CourierAssigned, Delivered, Failed, PickedUp, Returned, Returning};
        assert_eq!(after(&[(PickedUp, 5), (CourierAssigned, 9)]), PickedUp);
        assert_eq!(after(&[(PickedUp, 5), (Cancelled, 4)]), Cancelled);
        assert_eq!(after(&[(Delivered, 5), (Cancelled, 9)]), Delivered);
        assert_eq!(after(&[(Failed, 5), (Delivered, 9)]), Delivered);
        assert_eq!(after(&[(Failed, 5), (Returning, 6), (Delivered, 9)]), Delivered);
        assert_eq!(after(&[(Delivered, 5), (Returning, 6)]), Returning);
        assert_eq!(after(&[(Returned, 5), (Delivered, 6), (Accepted, 9)]), Returned);
    }

    #[test]
    fn a_step_that_was_passed_leaves_its_time_only() {
        let mut progress = Progress::requested(0);
        assert!(progress.join(&Report::new(State::Delivered, 90)));
        assert!(!progress.join(&Report::new(State::PickedUp, 50)));
        assert!(!progress.join(&Report::new(State::PickedUp, 50)));
        assert_eq!((progress.state(), progress.reached_ms(State::PickedUp)), (State::Delivered, Some(50)));
        assert!(progress.goods_are_out());
    }

    #[test]
    fn another_courier_is_seen_and_the_latest_stays() {
        let mut progress = Progress::requested(0);
        let assigned =
            |name: &str, at_ms| Report { courier: Person::of(name, "1"), ..Report::new(State::CourierAssigned, at_ms) };
        assert!(progress.join(&assigned("A", 5)));
        assert!(progress.join(&assigned("B", 9)));
        assert!(!progress.join(&assigned("A", 5)));
        assert_eq!(progress.courier().map(|person| person.name.as_str()), Some("B"));
    }
}
