//! One fulfillment: what its store, and whoever drives, said of it, added up.

use std::collections::BTreeMap;

use super::Event;
use crate::clock::Hlc;
use crate::ids::{Code, StoreId};
use crate::order::offer::{Offer, OfferLine};
use crate::order::step::{FulfillmentStep, Step, StepLine, Substitute};
use crate::product::Channel;

/// Everything known of one offer: the part of an order that one store was asked to fulfil.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Part {
    /// The offer; absent while only steps have arrived.
    pub offer: Option<Offer>,
    /// When it was offered.
    pub offered: Hlc,
    /// It is known from a pass that the customer showed, not from the home's offer.
    pub by_pass: bool,
    /// What was said of it.
    pub steps: Vec<Event<FulfillmentStep>>,
}

/// Where a fulfillment stands. The order is that of its life: a later one beats an earlier one when two stores hold the same lines.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum State {
    /// The store has not answered.
    Offered,
    /// The store took it.
    Accepted,
    /// Somebody is picking.
    Picking,
    /// All lines were looked at.
    Picked,
    /// It is in bags, or in a bay.
    Packed,
    /// The customer or courier may come.
    Ready,
    /// A courier was found, or is there.
    Awaited,
    /// It is on its way to the customer.
    Out,
    /// It could not be delivered, and is on its way back or about to be.
    Returning,
    /// The customer has it.
    HandedOver,
    /// The customer has it, at the door.
    Delivered,
    /// The store did not take it.
    Refused,
    /// The store gave it up because its home withdrew it.
    StoodDown,
    /// The store confirmed that all of it is cancelled.
    Cancelled,
    /// The customer did not want it at the counter.
    Declined,
    /// Nobody came.
    Uncollected,
    /// It came back from an attempt to deliver it.
    Returned,
    /// It is gone.
    Lost,
}

/// One line of a fulfillment. All numbers are pieces or grams.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PartLine {
    /// What was offered.
    pub offered: OfferLine,
    /// What was picked, if somebody looked.
    pub picked: Option<i64>,
    /// Why fewer were picked.
    pub reason: Code,
    /// What was picked instead.
    pub substitute: Option<Substitute>,
    /// What the customer got.
    pub handed: i64,
    /// What was confirmed as cancelled.
    pub cancelled: i64,
    /// What the customer did not take, did not come for, or what could not be delivered and came back or is gone.
    pub failed: i64,
}

/// Who has a fulfillment with a handheld, away from the node.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TakenAlong {
    /// The hash of what the handheld shows for it.
    pub holder: Code,
    /// Who took it.
    pub staff: Code,
    /// When.
    pub hlc: Hlc,
}

/// A later handover, with the units of each line that exceed the fulfillment.
pub type Again = (Event<FulfillmentStep>, Vec<(u16, i64)>);

/// A fulfillment as it stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fulfillment {
    /// Where.
    pub store: StoreId,
    /// Which offer of the order.
    pub generation: u16,
    /// Where it stands.
    pub state: State,
    /// Why it waits, if it does.
    pub held: Option<Code>,
    /// Its lines.
    pub lines: Vec<PartLine>,
    /// Where it lies.
    pub bay: Code,
    /// Picked goods that nobody comes for any more still have to go back to the shelf.
    pub to_put_back: bool,
    /// Wrong codes so far.
    pub wrong_codes: u32,
    /// A handheld has taken it along, and has not brought it back.
    pub taken: Option<TakenAlong>,
    /// When steps were taken first, by step.
    pub at: BTreeMap<Step, Hlc>,
    /// It was handed over more than once: where and by whom later ones were.
    pub handed_again: Vec<Again>,
    /// The home withdrew it; the store has not answered.
    pub withdrawn: bool,
}

impl State {
    /// True while goods may still get to the customer this way.
    pub fn is_open(self) -> bool {
        self < Self::HandedOver
    }

    /// True when its store bound itself, or more.
    pub fn is_taken(self) -> bool {
        (Self::Accepted..=Self::Returning).contains(&self)
    }

    /// The word for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Offered => "offered",
            Self::Accepted => "accepted",
            Self::Picking => "picking",
            Self::Picked => "picked",
            Self::Packed => "packed",
            Self::Ready => "ready",
            Self::Awaited => "courier-assigned",
            Self::Out => "out-for-delivery",
            Self::Returning => "returning",
            Self::HandedOver => "handed-over",
            Self::Delivered => "delivered",
            Self::Refused => "refused",
            Self::StoodDown => "stood-down",
            Self::Cancelled => "cancelled",
            Self::Declined => "declined",
            Self::Uncollected => "uncollected",
            Self::Returned => "returned",
            Self::Lost => "lost",
        }
    }
}

impl PartLine {
    /// Units that are there for the customer, or will be looked for.
    pub fn there(&self) -> i64 {
        let wanted = (self.offered.quantity_max() - self.cancelled).max(0);
        self.picked.unwrap_or(self.offered.quantity - self.cancelled).clamp(0, wanted)
    }

    /// Units that may still get to the customer.
    pub fn open(&self) -> i64 {
        (self.there() - self.handed - self.failed).max(0)
    }

    /// Units of the order for which what was handed over stands: goods that are weighed come out a little lighter or heavier.
    pub fn stands_for(&self) -> i64 {
        let is_weighed = self.offered.unit == crate::money::Unit::Gram && self.reason.is_empty();
        if self.handed > 0 && is_weighed && self.open() == 0 {
            (self.offered.quantity - self.cancelled - self.failed).max(0)
        } else {
            self.handed.min(self.offered.quantity)
        }
    }

    /// Units that nobody found.
    pub fn short(&self) -> i64 {
        let Some(picked) = self.picked else { return 0 };
        // Goods in grams are never cut to the gram: what is lighter without a reason is paid less, not missing.
        let is_whole = self.reason.is_empty() && picked > 0;
        if is_whole { 0 } else { (self.offered.quantity - self.cancelled - picked).max(0) }
    }

    /// What the customer pays for what was handed over: never more than for as much of the ordered goods.
    pub fn charge(&self) -> i64 {
        let handed = self.handed.min(self.offered.quantity_max());
        match &self.substitute {
            Some(other) => crate::money::extend(other.unit, self.handed, other.unit_price)
                .min(self.offered.amount(self.offered.quantity)),
            None => self.offered.amount(handed),
        }
    }
}

impl Fulfillment {
    /// What a part adds up to; `None` while its offer is not known. `withdrawn` says that the home took the offer back.
    pub fn of(store: StoreId, part: &Part, withdrawn: bool) -> Option<Self> {
        let offer = part.offer.as_ref()?;
        let mut out = Self {
            store,
            generation: offer.generation,
            state: State::Offered,
            held: None,
            lines: offer.lines.iter().cloned().map(line).collect(),
            bay: Code::default(),
            to_put_back: false,
            wrong_codes: 0,
            taken: None,
            at: BTreeMap::new(),
            handed_again: Vec::new(),
            withdrawn,
        };
        let mut steps: Vec<_> = part.steps.iter().collect();
        steps.sort_by_key(|event| (event.hlc, event.at));
        let mut handed: Vec<&Event<FulfillmentStep>> = Vec::new();
        for event in steps {
            // A step that was written again after a restore is the same step.
            if event.says.step == Step::HandOver {
                if handed.iter().any(|before| before.says == event.says) {
                    continue;
                }
                handed.push(event);
            }
            out.take(offer.channel, event);
        }
        out.finish();
        Some(out)
    }

    /// One of its lines.
    pub fn line(&self, line: u16) -> Option<&PartLine> {
        self.lines.iter().find(|held| held.offered.line == line)
    }

    /// When a step was taken first.
    pub fn first(&self, step: Step) -> Option<Hlc> {
        self.at.get(&step).copied()
    }

    /// True when goods lie apart from the shelf for it.
    pub fn has_picked(&self) -> bool {
        self.lines.iter().any(|line| line.picked.is_some_and(|picked| picked > 0))
    }

    fn take(&mut self, channel: Channel, event: &Event<FulfillmentStep>) {
        let said = &event.says;
        let is_first = !self.at.contains_key(&said.step);
        let first = self.at.entry(said.step).or_insert(event.hlc);
        *first = (*first).min(event.hlc);
        match said.step {
            Step::Accept => self.reach(State::Accepted),
            Step::Refuse if self.state < State::Picking => self.state = State::Refused,
            Step::StartPicking => self.reach(State::Picking),
            Step::Pick => self.pick(said),
            Step::Pack => self.reach(State::Packed),
            Step::Stage => {
                self.bay = said.note.clone();
                self.reach(State::Packed);
            }
            Step::Ready => self.reach(State::Ready),
            Step::AssignCourier | Step::CourierAtStore if self.state == State::Ready => self.state = State::Awaited,
            Step::Dispatch => self.reach(State::Out),
            Step::HandOver => self.hand_over(event),
            // A delivery beats a failure, whichever was said last.
            Step::Deliver if is_first => self.deliver(said),
            Step::Decline => {
                self.end_units(said, |line, units| line.failed = line.failed.max(units));
                self.end(State::Declined);
            }
            Step::Uncollected if self.state.is_open() => {
                self.lines.iter_mut().for_each(|line| line.failed += line.open());
                self.end(State::Uncollected);
            }
            Step::ConfirmCancel => {
                self.end_units(said, |line, units| line.cancelled = line.cancelled.max(units));
                self.end(State::Cancelled);
            }
            Step::StandDown if self.state.is_open() => self.state = State::StoodDown,
            Step::FailDelivery | Step::Return if channel == Channel::Delivery && self.state.is_open() => {
                self.state = State::Returning;
            }
            Step::Returned if self.state.is_open() => {
                self.lines.iter_mut().for_each(|line| line.failed += line.open());
                self.end(State::Returned);
            }
            Step::Lose if self.state.is_open() => {
                self.lines.iter_mut().for_each(|line| line.failed += line.open());
                self.state = State::Lost;
            }
            Step::Hold => self.held = Some(said.note.clone()),
            Step::Resume => self.held = None,
            Step::WrongCode => self.wrong_codes += 1,
            Step::TakeAlong => {
                let (holder, staff) = (said.note.clone(), said.staff.clone());
                self.taken = Some(TakenAlong { holder, staff, hlc: event.hlc });
            }
            Step::BringBack => self.taken = None,
            Step::Refuse
            | Step::PutBack
            | Step::Uncollected
            | Step::DenyCancel
            | Step::StandDown
            | Step::CheckAge
            | Step::Arrive
            | Step::RequestCourier
            | Step::AssignCourier
            | Step::CourierAtStore
            | Step::CourierRefused
            | Step::Deliver
            | Step::FailDelivery
            | Step::Return
            | Step::Returned
            | Step::Lose => {}
        }
    }

    /// Goes on in its life, never back; what ended stays ended, but for facts.
    fn reach(&mut self, state: State) {
        if self.state < state && self.state.is_open() {
            self.state = state;
        }
    }

    fn pick(&mut self, said: &FulfillmentStep) {
        for line in &mut self.lines {
            match said.line(line.offered.line) {
                Some(StepLine { quantity, reason, substitute, .. }) => {
                    line.picked = Some(*quantity);
                    line.reason = reason.clone();
                    line.substitute = substitute.clone();
                }
                None if said.lines.is_empty() => line.picked = Some(line.offered.quantity),
                None => {}
            }
        }
        let looked = self.lines.iter().all(|line| line.picked.is_some() || line.cancelled >= line.offered.quantity);
        if looked && self.lines.iter().all(|line| line.there() == 0) && self.state.is_open() {
            // Nothing of it is there: the store cannot serve it.
            self.state = State::Refused;
        } else if looked {
            self.reach(State::Picked);
        } else if !said.staff.is_empty() {
            // What the node itself says is missing does not mean that somebody has begun.
            self.reach(State::Picking);
        }
    }

    /// A fact: it counts whatever was decided. What exceeds the fulfillment was handed over a second time.
    fn hand_over(&mut self, event: &Event<FulfillmentStep>) {
        let mut again = Vec::new();
        for line in &mut self.lines {
            if !event.says.is_about(line.offered.line) {
                continue;
            }
            // What was handed over counts, also when it had been cancelled. Who knew of a cancel says how much of each line it was.
            let all = line.picked.unwrap_or(line.offered.quantity);
            let units = event.says.line(line.offered.line).map_or(all, |said| said.quantity);
            let most = line.picked.unwrap_or(line.offered.quantity).max(line.offered.quantity);
            let fits = units.min(most - line.handed).max(0);
            line.handed += fits;
            again.push((line.offered.line, units - fits));
        }
        again.retain(|(_, units)| *units > 0);
        if !again.is_empty() {
            self.handed_again.push((event.clone(), again));
        }
        if self.lines.iter().all(|line| line.open() == 0) || self.state >= State::HandedOver {
            self.state = State::HandedOver;
        }
    }

    fn deliver(&mut self, said: &FulfillmentStep) {
        for line in &mut self.lines {
            if said.is_about(line.offered.line) {
                let all = line.there();
                line.handed = said.line(line.offered.line).map_or(all, |said| said.quantity.min(all)).max(0);
                line.failed = 0;
            }
        }
        self.state = State::Delivered;
    }

    fn end_units(&mut self, said: &FulfillmentStep, mark: impl Fn(&mut PartLine, i64)) {
        for line in &mut self.lines {
            if said.is_about(line.offered.line) {
                let units = said.line(line.offered.line).map_or(i64::MAX, |said| said.quantity);
                let there = line.offered.quantity - line.handed - line.failed.min(line.offered.quantity);
                mark(line, units.min(there.max(0)));
            }
        }
    }

    /// Ends it when no line is open any more.
    fn end(&mut self, state: State) {
        if self.state.is_open() && self.lines.iter().all(|line| line.open() == 0) {
            let handed = self.lines.iter().any(|line| line.handed > 0);
            self.state = if handed { State::HandedOver } else { state };
        }
    }

    fn finish(&mut self) {
        if !self.state.is_open() {
            self.taken = None;
        }
        let put_back = self.at.get(&Step::PutBack).copied();
        // Of what has left the store only what was cancelled before lies there still.
        let has_left = matches!(self.state, State::Delivered | State::Lost);
        let left = self.lines.iter().any(|line| {
            let gone = line.handed + if has_left { line.failed } else { 0 };
            line.picked.unwrap_or(0) > gone && (!has_left || line.cancelled > 0)
        });
        self.to_put_back = !self.state.is_open() && left && put_back.is_none();
    }
}

fn line(offered: OfferLine) -> PartLine {
    PartLine { offered, picked: None, reason: Code::default(), substitute: None, handed: 0, cancelled: 0, failed: 0 }
}
