//! What one fulfillment adds to the figures.

use std::collections::BTreeSet;

use stockroom_crdt::money::Unit;
use stockroom_crdt::order::intent::{OrderStep, SILENT, Saying};
use stockroom_crdt::order::offer::Offer;
use stockroom_crdt::order::resolve::{Event, Fulfillment, Known, PartLine, State};
use stockroom_crdt::order::rules::hours::StoreService;
use stockroom_crdt::order::rules::limits::OrderLimits;
use stockroom_crdt::order::step::{FulfillmentStep, OVERSOLD, Step};
use stockroom_crdt::product::Channel;

use super::clock::open_ms;
use super::{Tally, Who, asked_by, count_kind};

/// A fulfillment with all that its figures need.
#[derive(Clone, Copy, Debug)]
pub struct Told<'a> {
    /// What is known of its order, at its store at least.
    pub known: &'a Known,
    /// The fulfillment.
    pub part: &'a Fulfillment,
    /// When its store is open, if somebody said so.
    pub service: Option<&'a StoreService>,
    /// The store's local time against UTC when it was offered, minutes.
    pub offset_min: i32,
    /// The time limits of its store.
    pub limits: &'a OrderLimits,
    /// The present, milliseconds since 1970: what is open after its time is late.
    pub now_ms: u64,
}

impl Tally {
    /// Counts a fulfillment.
    pub fn add_part(&mut self, told: Told<'_>) {
        let Some(held) = told.known.parts.get(&(told.part.generation, told.part.store)) else { return };
        let Some(offer) = &held.offer else { return };
        self.out.offered += 1;
        let offered_ms = held.offered.ms();
        self.answers(&told, offer, offered_ms);
        self.picking(&told, &held.steps);
        self.readiness(&told, offer, offered_ms);
        self.lines(&told);
        self.ends(&told, offer);
        match offer.channel {
            Channel::Pickup | Channel::Till => self.counter(&told),
            Channel::Delivery => self.delivery(&told, offer, &held.steps),
        }
    }

    fn answers(&mut self, told: &Told<'_>, offer: &Offer, offered_ms: u64) {
        let part = told.part;
        let open_for = |until_ms: u64| open_ms(told.service, told.offset_min, (offered_ms, until_ms));
        let accepted = accepted_ms(told.known, part);
        self.accept.extend(accepted.filter(|at_ms| *at_ms >= offered_ms).map(open_for));
        let refused = part.first(Step::Refuse).map(|hlc| hlc.ms());
        match (accepted, refused) {
            (None, None) => {
                let is_late = offer.accept_within_ms > 0 && open_for(told.now_ms) > offer.accept_within_ms;
                let mut sayings = told.known.sayings.iter().filter(|event| is_about(event, part));
                let was_silent = sayings.any(|event| event.says.note.as_str() == SILENT);
                if was_silent || part.state == State::Offered && is_late && !part.withdrawn {
                    self.out.accept_in_time.add(false);
                }
            }
            (accepted, refused) => {
                let answered_ms = [accepted, refused].into_iter().flatten().min().unwrap_or(0);
                // A pass is an acceptance, so it gives no time to answer.
                if offer.accept_within_ms > 0 {
                    self.out.accept_in_time.add(open_for(answered_ms) <= offer.accept_within_ms);
                }
            }
        }
        self.out.refused.add(part.state == State::Refused);
        if part.state == State::Refused {
            let held = told.known.parts.get(&(part.generation, part.store));
            let said = held.and_then(|held| held.steps.iter().find(|event| event.says.step == Step::Refuse));
            let why = said.map_or_else(|| "nothing-there".to_owned(), |event| event.says.note.as_str().to_owned());
            count_kind(&mut self.out.refusal_reasons, why, |other| other);
        }
        self.out.cancelled.add(part.state == State::Cancelled);
        if part.state == State::Cancelled {
            let sayings = told.known.sayings.iter().filter(|event| is_about(event, part));
            let (who, why) = asked_by(sayings).unwrap_or_else(|| (Who::Store, store_note(told)));
            count_kind(&mut self.out.cancels, (who, why), |other| (who, other));
        }
    }

    fn picking(&mut self, told: &Told<'_>, steps: &[Event<FulfillmentStep>]) {
        let picks = || steps.iter().filter(|event| is_by_people(event, Step::Pick));
        let looked = told.part.lines.iter().all(|line| line.picked.is_some() || line.cancelled > 0);
        let from = told.part.first(Step::StartPicking).or_else(|| picks().map(|event| event.hlc).min());
        let until = picks().map(|event| event.hlc).max();
        if let (Some(from), Some(until), true) = (from, until, looked)
            && from < until
        {
            let took_ms = until.ms().saturating_sub(from.ms());
            let lines = told.part.lines.iter().filter(|line| line.picked.is_some()).count().max(1) as u64;
            self.pick.push(took_ms);
            self.pick_line.push(took_ms / lines);
            self.picked_lines += lines;
        }
    }

    fn readiness(&mut self, told: &Told<'_>, offer: &Offer, offered_ms: u64) {
        let ready_ms = ready_ms(told.part);
        let from_ms = offered_ms.max(offer.release_ms);
        self.ready.extend(ready_ms.and_then(|ready_ms| ready_ms.checked_sub(from_ms)));
        if offer.channel == Channel::Delivery {
            return;
        }
        match ready_ms {
            Some(ready_ms) => self.out.ready_on_time.add(ready_ms <= offer.due_ms),
            None if told.part.state.is_open() && told.now_ms > offer.due_ms => self.out.ready_on_time.add(false),
            None => {}
        }
    }

    fn lines(&mut self, told: &Told<'_>) {
        let is_accepted = accepted_ms(told.known, told.part).is_some();
        for line in &told.part.lines {
            if is_accepted {
                self.out.oversold.add(is_oversold(line));
            }
            let Some(picked) = line.picked.filter(|_| !is_oversold(line)) else { continue };
            let wanted = (line.offered.quantity - line.cancelled).max(0);
            if wanted == 0 {
                continue;
            }
            let is_replaced = line.substitute.is_some();
            let found = if is_replaced { 0 } else { picked.clamp(0, wanted) };
            let fill = match line.offered.unit {
                Unit::Each => &mut self.out.fill_pieces,
                Unit::Gram => &mut self.out.fill_grams,
            };
            fill.of += wanted.unsigned_abs();
            fill.count += found.unsigned_abs();
            let is_short = line.short() > 0;
            self.out.fill_lines.add(!is_short && !is_replaced);
            self.out.short.add(is_short);
            self.out.substituted.add(is_replaced);
            let why = || if line.reason.is_empty() { "none".to_owned() } else { line.reason.as_str().to_owned() };
            if is_replaced {
                count_kind(&mut self.out.substitution_reasons, why(), |other| other);
            }
            if is_short {
                count_kind(&mut self.out.short_reasons, why(), |other| other);
            }
        }
    }

    fn ends(&mut self, told: &Told<'_>, offer: &Offer) {
        let part = told.part;
        let is_done = matches!(part.state, State::HandedOver | State::Delivered);
        let is_over = !part.state.is_open() && !matches!(part.state, State::Cancelled | State::StoodDown);
        if is_over {
            let in_time = match offer.channel {
                Channel::Pickup | Channel::Till => ready_ms(part),
                Channel::Delivery => part.first(Step::Deliver).map(|hlc| hlc.ms()),
            };
            let is_in_time = in_time.is_some_and(|at_ms| at_ms <= offer.due_ms);
            let as_ordered = part.lines.iter().all(|line| {
                line.substitute.is_none() && line.cancelled == 0 && line.stands_for() == line.offered.quantity
            });
            self.out.perfect.add(is_done && is_in_time && as_ordered);
        }
    }

    fn counter(&mut self, told: &Told<'_>) {
        let part = told.part;
        let handed_ms = part.first(Step::HandOver).map(|hlc| hlc.ms());
        let ready_at = part.first(Step::Ready).map(|hlc| hlc.ms());
        if let Some(arrived_ms) = arrived_ms(told) {
            self.out.ready_at_arrival.add(ready_at.is_some_and(|ready_ms| ready_ms <= arrived_ms));
            if let Some(waited_ms) = handed_ms.and_then(|handed_ms| handed_ms.checked_sub(arrived_ms)) {
                self.wait.push(waited_ms);
                self.out.wait_in_time.add(waited_ms <= told.limits.handover_within_ms);
            }
        }
        let Some(ready_ms) = ready_at else { return };
        self.dwell.extend(handed_ms.and_then(|handed_ms| handed_ms.checked_sub(ready_ms)));
        if matches!(part.state, State::HandedOver | State::Declined | State::Uncollected) {
            self.out.uncollected.add(part.state == State::Uncollected);
        }
    }

    fn delivery(&mut self, told: &Told<'_>, offer: &Offer, steps: &[Event<FulfillmentStep>]) {
        let part = told.part;
        let at = |step: Step| part.first(step).map(|hlc| hlc.ms());
        let between = |from: Option<u64>, until: Option<u64>| until?.checked_sub(from?);
        let left = at(Step::Dispatch);
        self.courier_wait.extend(between(at(Step::CourierAtStore), left));
        let arrived = at(Step::Deliver).filter(|_| part.state == State::Delivered);
        self.delivery.extend(between(left, arrived));
        let is_given_up = matches!(part.state, State::Returned | State::Lost);
        let is_late = part.state.is_open() && told.now_ms > offer.due_ms;
        if arrived.is_some() || is_given_up || is_late {
            self.out.delivered_on_time.add(arrived.is_some_and(|at_ms| at_ms <= offer.due_ms));
        }
        if left.is_some() {
            self.out.delivery_failed.add(at(Step::FailDelivery).is_some() || part.state == State::Lost);
            self.out.not_delivered.add(is_given_up);
        }
        let asked = steps.iter().filter(|event| event.says.step == Step::RequestCourier);
        // The note names the attempt: a request that was written again after a restore is the same one.
        let attempts: BTreeSet<_> = asked.map(|event| &event.says.note).collect();
        if !attempts.is_empty() {
            self.out.redispatched.add(attempts.len() > 1);
        }
    }
}

/// When a store bound itself to a fulfillment: by its word, or by beginning with it.
pub fn accepted_ms(known: &Known, part: &Fulfillment) -> Option<u64> {
    let said = [Step::Accept, Step::StartPicking, Step::Pack, Step::Ready, Step::HandOver, Step::Dispatch];
    let said = said.into_iter().filter_map(|step| part.first(step));
    let steps = known.parts.get(&(part.generation, part.store)).map_or(&[][..], |held| &held.steps);
    let picked = steps.iter().filter(|event| is_by_people(event, Step::Pick)).map(|event| event.hlc);
    said.chain(picked).min().map(|hlc| hlc.ms())
}

/// True for a line whose goods were gone before anybody looked for them.
pub fn is_oversold(line: &PartLine) -> bool {
    line.picked == Some(0) && line.reason.as_str() == OVERSOLD
}

/// When goods lay ready; at the latest when they were given away.
fn ready_ms(part: &Fulfillment) -> Option<u64> {
    let steps = [Step::Ready, Step::HandOver, Step::Dispatch];
    steps.into_iter().filter_map(|step| part.first(step)).min().map(|hlc| hlc.ms())
}

/// When the customer arrived, as the store or the customer said.
fn arrived_ms(told: &Told<'_>) -> Option<u64> {
    let part = told.part;
    let sayings = told.known.sayings.iter().filter(|event| event.says.saying == Saying::Arrive);
    let about = sayings.filter(|event| is_about(event, part));
    part.first(Step::Arrive).into_iter().chain(about.map(|event| event.hlc)).min().map(|hlc| hlc.ms())
}

/// True for what was said to a store of one of its fulfillments, or of all.
fn is_about(event: &Event<OrderStep>, part: &Fulfillment) -> bool {
    event.store == part.store && (event.says.generation == 0 || event.says.generation == part.generation)
}

/// What the node itself says is missing is no work of people.
fn is_by_people(event: &Event<FulfillmentStep>, step: Step) -> bool {
    event.says.step == step && !event.says.staff.is_empty()
}

/// Why a store cancelled by itself.
fn store_note(told: &Told<'_>) -> String {
    let steps = told.known.parts.get(&(told.part.generation, told.part.store)).map_or(&[][..], |held| &held.steps);
    let said = steps.iter().find(|event| event.says.step == Step::ConfirmCancel);
    said.map_or_else(String::new, |event| event.says.note.as_str().to_owned())
}
