//! A fulfillment as it is shown: the part of an order that one store was asked for.

use serde::Serialize;
use stockroom_core::books::orders::Work;
use stockroom_core::orders::desk::TAKEN_ALONG_MS;
use stockroom_crdt::ids::{Actor, Code, Sku, StoreId};
use stockroom_crdt::money::{Currency, Unit};
use stockroom_crdt::order::OrderId;
use stockroom_crdt::order::header::Preference;
use stockroom_crdt::order::intent::Saying;
use stockroom_crdt::order::offer::Offer;
use stockroom_crdt::order::resolve::{Event, Fulfillment, Known, PartLine, State};
use stockroom_crdt::order::step::{FulfillmentStep, Step};
use stockroom_crdt::product::Channel;
use utoipa::ToSchema;

use crate::api::Books;
use crate::api::problem::Answered;
use crate::api::values::{Moment, Text, moment};

/// The part of an order that one store was asked for.
#[derive(Serialize, ToSchema)]
pub struct FulfillmentAnswer {
    /// Of which order.
    #[schema(value_type = String, example = "1-0123456789")]
    pub order: Text<OrderId>,
    /// Which decision about its route, from 1.
    pub generation: u16,
    /// At which store.
    pub store: u32,
    /// `offered`, `accepted`, `picking`, `picked`, `packed`, `ready`, `courier-assigned`, `out-for-delivery`, `returning`, `handed-over`,
    /// `delivered`, `refused`, `stood-down`, `cancelled`, `declined`, `uncollected`, `returned` or `lost`.
    #[schema(example = "ready")]
    pub state: &'static str,
    /// `pickup` or `delivery`.
    #[schema(value_type = String)]
    pub channel: Text<Channel>,
    /// When it is to be ready, or delivered.
    #[schema(value_type = String, format = DateTime)]
    pub due: Text<Moment>,
    /// Seconds until then; negative when it is late.
    pub due_in_s: i64,
    /// Nobody picks it before.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub release: Option<Text<Moment>>,
    /// Since when it is known at the store's side.
    #[schema(value_type = String, format = DateTime)]
    pub offered_at: Text<Moment>,
    /// How long that is, in seconds.
    pub age_s: u64,
    /// Seconds that are left to accept it; negative when that is over, absent once it was answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accept_in_s: Option<i64>,
    /// Why it waits; absent when it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hold: Option<String>,
    /// The customer, or head office, asked to cancel it, and the store has not answered.
    pub cancel_asked: bool,
    /// Its home took the offer back.
    pub withdrawn: bool,
    /// Another store that was silent may still hold the same lines.
    pub speculative: bool,
    /// Known from the pass that the customer showed; the offer has not arrived.
    pub by_pass: bool,
    /// Picked goods that nobody comes for any more have to go back to the shelf.
    pub to_put_back: bool,
    /// Where it lies; empty if nobody said so.
    #[schema(value_type = String)]
    pub bay: Text<Code>,
    /// How many bags, as whoever packed them said.
    #[schema(value_type = String)]
    pub bags: Text<Code>,
    /// Since when the customer, or the courier, is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub arrived_at: Option<Text<Moment>>,
    /// Where the customer waits.
    #[schema(value_type = String)]
    pub arrived_where: Text<Code>,
    /// Since when it is ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ready_at: Option<Text<Moment>>,
    /// Until when it is kept for the customer.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub hold_until: Option<Text<Moment>>,
    /// When the customer got it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub handed_at: Option<Text<Moment>>,
    /// Wrong codes so far.
    pub wrong_codes: u32,
    /// Who picks it, as long as it is being picked; empty if nobody said so.
    #[schema(value_type = String)]
    pub picker: Text<Code>,
    /// Who has it with a handheld, to hand it over where the node cannot be reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub taken_along: Option<TakenAnswer>,
    /// Age that whoever takes it must have reached; 0 for none.
    pub age_min: u8,
    /// Somebody checked the age.
    pub age_checked: bool,
    /// The legal entity that sold; empty for the store's own.
    #[schema(value_type = String)]
    pub entity: Text<Code>,
    /// Of all amounts.
    #[schema(value_type = String)]
    pub currency: Text<Currency>,
    /// Name, phone and address are there to be read.
    pub has_contact: bool,
    /// Its lines.
    pub lines: Vec<PartLineAnswer>,
    /// What was said about it, oldest first; absent in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps: Option<Vec<StepAnswer>>,
}

/// One line of a fulfillment. Quantities are pieces or grams.
#[derive(Serialize, ToSchema)]
pub struct PartLineAnswer {
    /// Which line of the order, from 1.
    pub line: u16,
    /// What.
    #[schema(value_type = String)]
    pub sku: Text<Sku>,
    /// Its name, if the product is known here.
    pub name: String,
    /// Its unit.
    #[schema(value_type = String)]
    pub unit: Text<Unit>,
    /// What the store was asked for.
    pub quantity: i64,
    /// The most that may be picked: weighed goods may be heavier.
    pub quantity_max: i64,
    /// What was picked; absent while nobody looked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub picked: Option<i64>,
    /// Units that may still get to the customer.
    pub open: i64,
    /// What the customer has.
    pub handed: i64,
    /// What was cancelled.
    pub cancelled: i64,
    /// What the customer did not take, did not come for, or what did not arrive.
    pub failed: i64,
    /// What nobody found.
    pub short: i64,
    /// Why fewer were picked.
    #[schema(value_type = String)]
    pub reason: Text<Code>,
    /// What was picked instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub substitute: Option<SubstituteAnswer>,
    /// Minor units per piece or per kilogram.
    pub unit_price: i64,
    /// Age that whoever takes it must have reached; 0 for none.
    pub age_min: u8,
    /// What the customer wants when it is not there.
    #[schema(value_type = String)]
    pub preference: Text<Preference>,
}

/// Who has a fulfillment with a handheld.
#[derive(Serialize, ToSchema)]
pub struct TakenAnswer {
    /// Who took it.
    #[schema(value_type = String)]
    pub staff: Text<Code>,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub since: Text<Moment>,
    /// Until when nobody else hands it over.
    #[schema(value_type = String, format = DateTime)]
    pub until: Text<Moment>,
}

/// Other goods in place of what was ordered.
#[derive(Serialize, ToSchema)]
pub struct SubstituteAnswer {
    /// What.
    #[schema(value_type = String)]
    pub sku: Text<Sku>,
    /// Minor units per piece or per kilogram.
    pub unit_price: i64,
}

/// Something that was said about a fulfillment.
#[derive(Serialize, ToSchema)]
pub struct StepAnswer {
    /// What, as the action is called.
    pub step: &'static str,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Text<Moment>,
    /// By which node and epoch.
    #[schema(value_type = String)]
    pub by: Text<Actor>,
    /// Where it stands in that node's log.
    pub seq: u64,
    /// By whom; empty when the node did it by itself.
    #[schema(value_type = String)]
    pub staff: Text<Code>,
    /// At which till or handheld, 0 for none.
    pub device: u32,
    /// Why, where, or on what proof.
    #[schema(value_type = String)]
    pub note: Text<Code>,
    /// About which lines, from 1; empty for all.
    pub lines: Vec<StepLineAnswer>,
}

/// One line of a step.
#[derive(Serialize, ToSchema)]
pub struct StepLineAnswer {
    /// Which line of the order, from 1.
    line: u16,
    /// Pieces or grams.
    quantity: i64,
    /// Why.
    #[schema(value_type = String)]
    reason: Text<Code>,
}

/// What is needed to show a fulfillment.
pub struct Shown<'a> {
    /// Everything that is known of the order.
    pub known: &'a Known,
    /// The fulfillment.
    pub part: &'a Fulfillment,
    /// Milliseconds since 1970.
    pub now_ms: u64,
}

impl Shown<'_> {
    /// Where it stands among what the store has to do.
    pub fn work(&self) -> Option<Work> {
        let offer = self.offer()?;
        Some(Work { due_ms: offer.due_ms, order: offer.order, generation: offer.generation })
    }

    fn offer(&self) -> Option<&Offer> {
        self.known.parts.get(&(self.part.generation, self.part.store))?.offer.as_ref()
    }

    /// With what was said about it.
    pub fn whole(&self, books: &Books<'_>) -> Answered<Option<FulfillmentAnswer>> {
        let steps = self.steps().into_iter().map(StepAnswer::of).collect();
        Ok(self.brief(books)?.map(|brief| FulfillmentAnswer { steps: Some(steps), ..brief }))
    }

    /// Without what was said about it. Nothing while the offer is not known.
    pub fn brief(&self, books: &Books<'_>) -> Answered<Option<FulfillmentAnswer>> {
        let (part, Some(offer)) = (self.part, self.offer()) else { return Ok(None) };
        let held = &self.known.parts[&(part.generation, part.store)];
        let until = |ms: u64| i64::try_from(ms).unwrap_or(i64::MAX).saturating_sub_unsigned(self.now_ms) / 1_000;
        let first = |step: Step| part.first(step).map(|hlc| Text(Moment(hlc.ms())));
        let note = |step: Step| self.last(step).map(|event| event.says.note.clone()).unwrap_or_default();
        let (arrived_at, arrived_where) = self.arrived();
        let ready_ms = part.first(Step::Ready).map(|hlc| hlc.ms());
        let hold_ms = if offer.hold_ms > 0 { offer.hold_ms } else { books.limits_for(part.store)?.hold_ms };
        let accept = (part.state == State::Offered && !part.withdrawn && offer.accept_within_ms > 0)
            .then(|| until(held.offered.ms().saturating_add(offer.accept_within_ms)));
        let lines = part.lines.iter().map(|line| PartLineAnswer::of(books, line)).collect::<Answered<Vec<_>>>()?;
        let is_kept = part.state.is_open() && offer.channel == Channel::Pickup;
        Ok(Some(FulfillmentAnswer {
            order: Text(offer.order),
            generation: part.generation,
            store: part.store.0,
            state: part.state.as_str(),
            channel: Text(offer.channel),
            due: Text(Moment(offer.due_ms)),
            due_in_s: until(offer.due_ms),
            release: moment(offer.release_ms),
            offered_at: Text(Moment(held.offered.ms())),
            age_s: self.now_ms.saturating_sub(held.offered.ms()) / 1_000,
            accept_in_s: accept,
            hold: part.held.clone().or_else(|| self.known.held()).map(|why| why.to_string()),
            cancel_asked: self.is_cancel_asked(),
            withdrawn: part.withdrawn,
            speculative: offer.speculative,
            by_pass: held.by_pass,
            to_put_back: part.to_put_back,
            bay: Text(part.bay.clone()),
            bags: Text(note(Step::Pack)),
            arrived_at,
            arrived_where: Text(arrived_where),
            ready_at: first(Step::Ready),
            hold_until: ready_ms.filter(|_| is_kept).map(|ms| Text(Moment(ms.saturating_add(hold_ms)))),
            handed_at: first(Step::HandOver).or_else(|| first(Step::Deliver)),
            wrong_codes: part.wrong_codes,
            picker: Text(self.picker()),
            taken_along: self.taken_along(),
            age_min: offer.lines.iter().map(|line| line.age_min).max().unwrap_or(0),
            age_checked: part.first(Step::CheckAge).is_some(),
            entity: Text(offer.entity.clone()),
            currency: Text(offer.currency),
            has_contact: !offer.contact.is_empty(),
            lines,
            steps: None,
        }))
    }

    fn steps(&self) -> Vec<&Event<FulfillmentStep>> {
        let held = self.known.parts.get(&(self.part.generation, self.part.store));
        let mut steps: Vec<_> = held.map_or(Vec::new(), |held| held.steps.iter().collect());
        steps.sort_by_key(|event| (event.hlc, event.at));
        steps
    }

    fn last(&self, step: Step) -> Option<&Event<FulfillmentStep>> {
        self.steps().into_iter().rfind(|event| event.says.step == step)
    }

    /// When and where the customer is, as staff or the customer said.
    fn arrived(&self) -> (Option<Text<Moment>>, Code) {
        let here = |event: &&Event<_>| event.store == self.part.store;
        let said = self
            .known
            .sayings
            .iter()
            .filter(here)
            .filter(|event| event.says.saying == Saying::Arrive && event.says.generation == self.part.generation);
        let said = said.map(|event| (event.hlc, event.says.note.clone()));
        let seen = self.steps().into_iter().filter(|event| event.says.step == Step::Arrive);
        let first = said.chain(seen.map(|event| (event.hlc, event.says.note.clone()))).min_by_key(|(hlc, _)| *hlc);
        first.map_or((None, Code::default()), |(hlc, note)| (Some(Text(Moment(hlc.ms()))), note))
    }

    /// Who said last that it is being picked.
    fn picker(&self) -> Code {
        let picks = |event: &&Event<FulfillmentStep>| {
            matches!(event.says.step, Step::StartPicking | Step::Pick) && !event.says.staff.is_empty()
        };
        let last = self.steps().into_iter().rev().find(picks);
        last.filter(|_| self.part.state == State::Picking).map(|event| event.says.staff.clone()).unwrap_or_default()
    }

    fn taken_along(&self) -> Option<TakenAnswer> {
        let taken = self.part.taken.as_ref()?;
        let until_ms = taken.hlc.ms().saturating_add(TAKEN_ALONG_MS);
        let is_kept = until_ms > self.now_ms;
        is_kept.then(|| TakenAnswer {
            staff: Text(taken.staff.clone()),
            since: Text(Moment(taken.hlc.ms())),
            until: Text(Moment(until_ms)),
        })
    }

    /// A cancel was asked after the store's last answer to one.
    fn is_cancel_asked(&self) -> bool {
        if !self.part.state.is_open() {
            return false;
        }
        let asked = self.known.sayings.iter().filter(|event| {
            event.store == self.part.store
                && event.says.saying == Saying::AskCancel
                && event.says.generation == self.part.generation
        });
        let answers =
            |event: &&Event<FulfillmentStep>| matches!(event.says.step, Step::ConfirmCancel | Step::DenyCancel);
        let answered = self.steps().into_iter().filter(answers).map(|event| event.hlc).max();
        asked.map(|event| event.hlc).max() > answered
    }
}

impl PartLineAnswer {
    fn of(books: &Books<'_>, line: &PartLine) -> Answered<Self> {
        let offered = &line.offered;
        Ok(Self {
            line: offered.line + 1,
            sku: Text(offered.sku.clone()),
            name: name_of(books, &offered.sku)?,
            unit: Text(offered.unit),
            quantity: offered.quantity,
            quantity_max: offered.quantity_max(),
            picked: line.picked,
            open: line.open(),
            handed: line.handed,
            cancelled: line.cancelled,
            failed: line.failed,
            short: line.short(),
            reason: Text(line.reason.clone()),
            substitute: line
                .substitute
                .as_ref()
                .map(|other| SubstituteAnswer { sku: Text(other.sku.clone()), unit_price: other.unit_price }),
            unit_price: offered.unit_price,
            age_min: offered.age_min,
            preference: Text(offered.preference),
        })
    }
}

impl StepAnswer {
    fn of(event: &Event<FulfillmentStep>) -> Self {
        let line = |line: &stockroom_crdt::order::step::StepLine| StepLineAnswer {
            line: line.line + 1,
            quantity: line.quantity,
            reason: Text(line.reason.clone()),
        };
        Self {
            step: event.says.step.as_str(),
            at: Text(Moment(event.hlc.ms())),
            by: Text(event.at.actor),
            seq: event.at.seq,
            staff: Text(event.says.staff.clone()),
            device: event.says.device,
            note: Text(event.says.note.clone()),
            lines: event.says.lines.iter().map(line).collect(),
        }
    }
}

/// A product's name; empty if it is not known here.
pub fn name_of(books: &Books<'_>, sku: &Sku) -> Answered<String> {
    Ok(books.product(sku)?.map_or(String::new(), |product| product.name))
}

/// The fulfillment of an order at a store that somebody means who names no generation: the newest that is open, else the newest.
pub fn newest(known: &Known, store: StoreId, generation: Option<u16>) -> Option<Fulfillment> {
    let here = known.fulfillments().into_iter().filter(|part| part.store == store);
    let here = here.filter(|part| generation.is_none_or(|wanted| part.generation == wanted));
    here.max_by_key(|part| (part.state.is_open() || part.to_put_back, part.generation))
}
