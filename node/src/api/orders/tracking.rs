//! What a customer may see of an order: no names of staff, no other customers, no reasons that are not the customer's.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use stockroom_crdt::ids::{Sku, StoreId};
use stockroom_crdt::money::{Currency, Unit};
use stockroom_crdt::order::OrderId;
use stockroom_crdt::order::header::Order;
use stockroom_crdt::order::resolve::{Fulfillment, Known, OrderState, Outcome, State as Stage};
use stockroom_crdt::order::step::Step;
use stockroom_crdt::product::Channel;
use utoipa::ToSchema;

use super::find;
use crate::api::fulfillments::answer::name_of;
use crate::api::near::Degrees;
use crate::api::problem::{Answered, Problem};
use crate::api::request::Segment;
use crate::api::stores::Knowledge;
use crate::api::values::{Moment, Text};
use crate::api::{Api, Books};

/// An order as its customer sees it.
#[derive(Serialize, ToSchema)]
pub struct TrackingAnswer {
    /// Its number.
    #[schema(value_type = String)]
    order: Text<OrderId>,
    /// `received`, `preparing`, `question`, `ready`, `on-its-way`, `failed-delivery`, `done`, `partly-done`, `cancelled`, `failed` or `on-hold`.
    state: &'static str,
    /// The same as a sentence.
    words: &'static str,
    /// `pickup` or `delivery`.
    #[schema(value_type = String)]
    channel: Text<Channel>,
    /// When it is to be ready, or there.
    #[schema(value_type = String, format = DateTime)]
    eta: Text<Moment>,
    /// A cancel was asked, and the store has not answered.
    cancel_asked: bool,
    /// What is ordered, and what became of it.
    lines: Vec<TrackedLine>,
    /// Where it is; several when it is split.
    parts: Vec<TrackedPart>,
    /// Of all amounts.
    #[schema(value_type = String)]
    currency: Text<Currency>,
    /// Minor units that are on their way back to the customer.
    refund_due: i64,
    /// Minor units that were given back.
    refunded: i64,
}

/// One line.
#[derive(Serialize, ToSchema)]
pub struct TrackedLine {
    /// What it is called.
    name: String,
    /// What.
    #[schema(value_type = String)]
    sku: Text<Sku>,
    /// Its unit.
    #[schema(value_type = String)]
    unit: Text<Unit>,
    /// Pieces or grams that were ordered.
    ordered: i64,
    /// Still to come.
    open: i64,
    /// With the customer.
    handed: i64,
    /// Cancelled, or not to be had.
    not_coming: i64,
}

/// One part, at one store.
#[derive(Serialize, ToSchema)]
pub struct TrackedPart {
    /// Which store.
    store: u32,
    /// What it is called.
    store_name: String,
    /// Where it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<Degrees>,
    /// As for the order.
    state: &'static str,
    /// Since when it is ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    ready_at: Option<Text<Moment>>,
    /// Until when it is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    hold_until: Option<Text<Moment>>,
    /// When it left the store.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    left_at: Option<Text<Moment>>,
    /// When the customer got it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    handed_at: Option<Text<Moment>>,
    /// How old this is, in seconds; absent if the store was never heard.
    #[serde(skip_serializing_if = "Option::is_none")]
    age_s: Option<u64>,
}

/// An order as its customer may see it.
#[utoipa::path(get, path = "/v1/orders/{id}/tracking", tag = "orders", params(("id" = String, Path)),
    responses((status = 200, body = TrackingAnswer)))]
pub async fn track_order(State(api): State<Arc<Api>>, Segment(id): Segment<OrderId>) -> Answered<Json<TrackingAnswer>> {
    api.read(|books| {
        let (known, outcome) = find(&api, books, id)?;
        let order = known.order.as_ref().ok_or_else(|| Problem::not_found("no such order"))?;
        let shown = outcome.fulfillments.iter().filter(|part| is_shown(&outcome, part));
        let parts = shown.map(|part| TrackedPart::of(&api, books, (&known, part))).collect::<Answered<Vec<_>>>()?;
        let (state, words) = of_order(order, &outcome);
        let refunds = |done: bool| {
            let of = outcome.due.iter().filter(move |due| due.rule.is_refund() && due.done == done);
            of.map(|due| due.amount).fold(0, i64::saturating_add)
        };
        Ok(Json(TrackingAnswer {
            order: Text(order.id),
            state,
            words,
            channel: Text(order.channel),
            eta: Text(Moment(order.due_ms)),
            cancel_asked: is_cancel_asked(&outcome),
            lines: lines(books, order, &outcome)?,
            parts,
            currency: Text(order.currency),
            refund_due: refunds(false),
            refunded: refunds(true),
        }))
    })
}

impl TrackedPart {
    fn of(api: &Api, books: &Books<'_>, (known, part): (&Known, &Fulfillment)) -> Answered<Self> {
        let offer = known.parts.get(&(part.generation, part.store)).and_then(|part| part.offer.as_ref());
        let first = |step: Step| part.first(step).map(|hlc| Text(Moment(hlc.ms())));
        let is_kept = part.state == Stage::Ready && offer.is_some_and(|offer| offer.channel == Channel::Pickup);
        let ready_ms = part.first(Step::Ready).filter(|_| is_kept).map(|hlc| hlc.ms());
        let hold_ms = offer.map_or(0, |offer| offer.hold_ms);
        let record = books.store(part.store)?;
        let age_s = |store: StoreId| Knowledge::of(api, store).ok().and_then(|knowledge| knowledge.age_s());
        Ok(Self {
            store: part.store.0,
            store_name: record.as_ref().map_or(String::new(), |record| record.name.clone()),
            place: record.and_then(|record| record.coordinates).map(Degrees::of),
            state: of_part(part.state).0,
            ready_at: first(Step::Ready),
            hold_until: ready_ms.filter(|_| hold_ms > 0).map(|ms| Text(Moment(ms.saturating_add(hold_ms)))),
            left_at: first(Step::Dispatch),
            handed_at: first(Step::HandOver).or_else(|| first(Step::Deliver)),
            age_s: age_s(part.store),
        })
    }
}

fn lines(books: &Books<'_>, order: &Order, outcome: &Outcome) -> Answered<Vec<TrackedLine>> {
    let pairs = order.lines.iter().zip(&outcome.lines);
    let line =
        |(line, stands): (&stockroom_crdt::order::header::OrderLine, &stockroom_crdt::order::resolve::LineOutcome)| {
            Ok(TrackedLine {
                name: name_of(books, &line.sku)?,
                sku: Text(line.sku.clone()),
                unit: Text(line.unit),
                ordered: stands.ordered,
                open: stands.open,
                handed: stands.handed,
                not_coming: stands.cancelled + stands.failed,
            })
        };
    pairs.map(line).collect()
}

/// What the customer has nothing of is not the customer's: offers that were refused or taken back.
fn is_shown(outcome: &Outcome, part: &Fulfillment) -> bool {
    let is_gone = match part.state {
        Stage::Refused | Stage::StoodDown => true,
        state => state.is_open() && part.withdrawn,
    };
    !(is_gone || outcome.losers.contains(&(part.generation, part.store)))
}

fn is_cancel_asked(outcome: &Outcome) -> bool {
    use stockroom_crdt::order::resolve::Why;
    outcome.reasons.iter().any(|reason| matches!(reason.why, Why::CancelAsked(_)))
}

fn of_order(order: &Order, outcome: &Outcome) -> (&'static str, &'static str) {
    if outcome.held.is_some() && outcome.state.is_open() {
        return ("on-hold", "we are looking into something and will be in touch");
    }
    match outcome.state {
        OrderState::Waiting if order.channel == Channel::Pickup => {
            ("question", "the store cannot serve it: please say what you would like instead")
        }
        OrderState::Waiting => ("received", "we have your order and are looking for a store"),
        OrderState::Open(state) => of_part(state),
        OrderState::Completed => ("done", "you have it"),
        OrderState::PartlyCompleted => ("partly-done", "you have a part of it; for the rest you do not pay"),
        OrderState::Cancelled => ("cancelled", "it is cancelled"),
        OrderState::Failed => ("failed", "we could not bring it to you"),
    }
}

fn of_part(state: Stage) -> (&'static str, &'static str) {
    match state {
        Stage::Offered => ("received", "we have your order"),
        Stage::Accepted | Stage::Picking | Stage::Picked | Stage::Packed => {
            ("preparing", "your order is being prepared")
        }
        Stage::Ready | Stage::Awaited => ("ready", "your order is ready"),
        Stage::Out => ("on-its-way", "your order is on its way"),
        Stage::Returning => ("failed-delivery", "we could not hand it over and will be in touch"),
        Stage::HandedOver | Stage::Delivered => ("done", "you have it"),
        Stage::Cancelled => ("cancelled", "it is cancelled"),
        Stage::Refused | Stage::StoodDown | Stage::Declined | Stage::Uncollected | Stage::Returned | Stage::Lost => {
            ("failed", "we could not bring it to you")
        }
    }
}
