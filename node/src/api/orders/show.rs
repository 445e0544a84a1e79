//! Everything that is known of one order, and what it adds up to.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use stockroom_core::books::plans::{Choice, Said};
use stockroom_crdt::ids::{Actor, Code, Sku, StoreId, hex};
use stockroom_crdt::money::{Currency, Unit};
use stockroom_crdt::order::OrderId;
use stockroom_crdt::order::header::{Order, OrderLine, Preference};
use stockroom_crdt::order::resolve::money::handed_value;
use stockroom_crdt::order::resolve::{Due, Known, LineOutcome, Outcome, Reason, Why};
use stockroom_crdt::product::Channel;
use utoipa::ToSchema;

use super::find;
use crate::api::fulfillments::answer::{FulfillmentAnswer, Shown, name_of};
use crate::api::near::Degrees;
use crate::api::problem::Answered;
use crate::api::request::Segment;
use crate::api::stores::Knowledge;
use crate::api::values::{Moment, Text, Word, moment, now_ms};
use crate::api::{Api, Books};

/// An order. Who ordered it stands nowhere in it.
#[derive(Serialize, ToSchema)]
pub struct OrderAnswer {
    /// Its number.
    #[schema(value_type = String, example = "1-0123456789")]
    order: Text<OrderId>,
    /// `waiting`, `completed`, `partly-completed`, `cancelled`, `failed`, or the state of its least advanced fulfillment.
    #[schema(example = "ready")]
    state: &'static str,
    /// True while something can still get to the customer.
    open: bool,
    /// `stable` when nothing that others may have written, and that has not arrived here, can change what became of it; else `tentative`.
    stability: &'static str,
    /// Why it waits; absent when it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    hold: Option<String>,
    /// `pickup` or `delivery`.
    #[schema(value_type = String)]
    channel: Text<Channel>,
    /// Where it was placed.
    #[schema(value_type = String)]
    source: Text<Code>,
    /// Its number there.
    #[schema(value_type = String)]
    reference: Text<Code>,
    /// The legal entity that sells; empty for the fulfilling store's own.
    #[schema(value_type = String)]
    entity: Text<Code>,
    /// When it was placed.
    #[schema(value_type = String, format = DateTime)]
    placed_at: Text<Moment>,
    /// When it is to be ready, or delivered.
    #[schema(value_type = String, format = DateTime)]
    due: Text<Moment>,
    /// Nobody picks it before.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    release: Option<Text<Moment>>,
    /// When goods are missing the lower goes without first.
    priority: u8,
    /// Where it is to be delivered, or where the customer was.
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<Degrees>,
    /// Of all amounts.
    #[schema(value_type = String)]
    currency: Text<Currency>,
    /// What it costs as ordered, minor units.
    total: i64,
    /// What the customer pays for what was handed over.
    charge: i64,
    /// Its lines.
    lines: Vec<OrderLineAnswer>,
    /// What stores were asked for, and what became of that.
    fulfillments: Vec<FulfillmentAnswer>,
    /// Why these stores: each choice that this node made for it, the first one first. Only where orders are routed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    choices: Vec<ChoiceAnswer>,
    /// Why it stands as it does, in the order in which it was said, with the entries behind it.
    reasons: Vec<ReasonAnswer>,
    /// What is owed, or was given, because it went otherwise than promised.
    compensations: Vec<DueAnswer>,
    /// What was paid, as the gateway said.
    #[serde(skip_serializing_if = "Option::is_none")]
    payment: Option<PaymentAnswer>,
    /// What legal entities owe each other for what was handed over.
    settlements: Vec<SettlementAnswer>,
    /// How old the knowledge of each store is that has a part of it.
    knowledge: Vec<Knowledge>,
}

/// One line of an order: ordered = open + handed + cancelled + failed. Quantities are pieces or grams.
#[derive(Serialize, ToSchema)]
pub struct OrderLineAnswer {
    /// Its number, from 1.
    line: usize,
    /// What.
    #[schema(value_type = String)]
    sku: Text<Sku>,
    /// Its name, if the product is known here.
    name: String,
    /// Its unit.
    #[schema(value_type = String)]
    unit: Text<Unit>,
    /// What was ordered.
    ordered: i64,
    /// What may still get to the customer.
    open: i64,
    /// Of that: what no store has.
    unplaced: i64,
    /// What the customer has.
    handed: i64,
    /// What the customer has beyond that: two stores handed it over.
    over: i64,
    /// What was cancelled.
    cancelled: i64,
    /// What nobody has, nobody came for, or did not arrive.
    failed: i64,
    /// Minor units per piece or per kilogram.
    unit_price: i64,
    /// Age that whoever takes it must have reached; 0 for none.
    age_min: u8,
    /// What the customer wants when it is not there.
    #[schema(value_type = String)]
    preference: Text<Preference>,
    /// By how much more it may weigh.
    tolerance_percent: u8,
}

/// One choice of stores for an order.
#[derive(Serialize, ToSchema)]
pub struct ChoiceAnswer {
    /// The number of its first offer.
    generation: u16,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    at: Text<Moment>,
    /// The rule set that gave it.
    rule_set: String,
    /// False when the search for something better was ended before its end.
    is_best: bool,
    /// What was said of stores then: those that were chosen, then those that could have been, then the rest; at most 12.
    stores: Vec<JudgedAnswer>,
    /// Stores that were looked at beyond those.
    omitted: u32,
}

/// What was said of one store.
#[derive(Serialize, ToSchema)]
pub struct JudgedAnswer {
    /// Which.
    store: u32,
    /// It was chosen.
    chosen: bool,
    /// Why, or why not, with what it would cost in points of the rules.
    why: String,
}

/// Why an order stands as it does.
#[derive(Serialize, ToSchema)]
pub struct ReasonAnswer {
    /// In words.
    why: String,
    /// The entries that say so.
    entries: Vec<EntryAnswer>,
}

/// Where an entry stands.
#[derive(Serialize, ToSchema)]
pub struct EntryAnswer {
    /// In the scope of this store; 0 for the home's own.
    store: u32,
    /// Who wrote it: node and epoch.
    #[schema(value_type = String)]
    by: Text<Actor>,
    /// Where in that log.
    seq: u64,
}

/// What somebody gets, or bears.
#[derive(Serialize, ToSchema)]
pub struct DueAnswer {
    /// Follows from its cause: it is given once, however often it is decided.
    id: String,
    /// `cancelled`, `short`, `declined`, `uncollected`, `not-delivered`, `difference`, `goods-back`, `overpaid`, `refunded-and-handed` or
    /// `handed-twice`.
    rule: &'static str,
    /// `refund` to the customer, or `loss` that somebody bears.
    kind: &'static str,
    /// About which line, from 1.
    line: u16,
    /// Units of the line.
    units: i64,
    /// Minor units.
    amount: i64,
    /// Who bears a loss.
    #[serde(skip_serializing_if = "String::is_empty")]
    bearer: String,
    /// `due` or `done`.
    state: &'static str,
}

/// What was paid.
#[derive(Serialize, ToSchema)]
pub struct PaymentAnswer {
    /// What may be captured at most, minor units.
    authorised: i64,
    /// What was captured.
    captured: i64,
    /// What was refunded.
    refunded: i64,
    /// The gateway's number.
    #[schema(value_type = String)]
    reference: Text<Code>,
}

/// What one legal entity owes another for a fulfillment.
#[derive(Serialize, ToSchema)]
pub struct SettlementAnswer {
    /// Of which offer.
    generation: u16,
    /// At which store.
    store: u32,
    /// Who sold; owes the amount.
    #[schema(value_type = String)]
    seller: Text<Code>,
    /// Who handed the goods over; empty for the tenant itself.
    #[schema(value_type = String)]
    fulfiller: Text<Code>,
    /// Minor units.
    amount: i64,
}

/// An order, with what became of every unit and why.
#[utoipa::path(get, path = "/v1/orders/{id}", tag = "orders", params(("id" = String, Path)),
    responses((status = 200, body = OrderAnswer)))]
pub async fn show_order(State(api): State<Arc<Api>>, Segment(id): Segment<OrderId>) -> Answered<Json<OrderAnswer>> {
    let shared = api.clone();
    api.read_much(move |books| shown(&shared, books, id).map(Json)).await
}

/// An order as it is shown.
pub fn shown(api: &Api, books: &Books<'_>, id: OrderId) -> Answered<OrderAnswer> {
    let (known, outcome) = find(api, books, id)?;
    OrderAnswer::of(api, books, (&known, &outcome))
}

impl OrderAnswer {
    /// What is known, and what it adds up to.
    pub fn of(api: &Api, books: &Books<'_>, (known, outcome): (&Known, &Outcome)) -> Answered<Self> {
        let order = known.order.as_ref().ok_or_else(|| crate::api::problem::Problem::not_found("no such order"))?;
        let now_ms = now_ms();
        let mut fulfillments = Vec::new();
        for part in &outcome.fulfillments {
            fulfillments.extend(Shown { known, part, now_ms }.whole(books)?);
        }
        let lines = order.lines.iter().zip(&outcome.lines).enumerate();
        let lines = lines.map(|(at, (line, stands))| OrderLineAnswer::of(books, at, (line, stands)));
        let mut stores: Vec<StoreId> = outcome.fulfillments.iter().map(|part| part.store).collect();
        stores.sort_unstable();
        stores.dedup();
        Ok(Self {
            order: Text(order.id),
            state: outcome.state.as_str(),
            open: outcome.state.is_open(),
            stability: if outcome.stable { "stable" } else { "tentative" },
            hold: outcome.held.as_ref().map(Code::to_string),
            channel: Text(order.channel),
            source: Text(order.source.clone()),
            reference: Text(order.reference.clone()),
            entity: Text(order.entity.clone()),
            placed_at: Text(Moment(order.placed_ms)),
            due: Text(Moment(order.due_ms)),
            release: moment(order.release_ms),
            priority: order.priority,
            place: order.place.map(Degrees::of),
            currency: Text(order.currency),
            total: order.total(),
            charge: outcome.charge,
            lines: lines.collect::<Answered<Vec<_>>>()?,
            fulfillments,
            choices: books.choices(order.id)?.into_iter().map(ChoiceAnswer::of).collect(),
            reasons: outcome.reasons.iter().map(ReasonAnswer::of).collect(),
            compensations: outcome.due.iter().map(DueAnswer::of).collect(),
            payment: known.payment.as_ref().map(|payment| PaymentAnswer {
                authorised: payment.authorised,
                captured: payment.captured,
                refunded: payment.refunded,
                reference: Text(payment.reference.clone()),
            }),
            settlements: settlements(books, order, outcome)?,
            knowledge: stores.into_iter().filter_map(|store| Knowledge::of(api, store).ok()).collect(),
        })
    }
}

impl OrderLineAnswer {
    fn of(books: &Books<'_>, at: usize, (line, stands): (&OrderLine, &LineOutcome)) -> Answered<Self> {
        Ok(Self {
            line: at + 1,
            sku: Text(line.sku.clone()),
            name: name_of(books, &line.sku)?,
            unit: Text(line.unit),
            ordered: stands.ordered,
            open: stands.open,
            unplaced: stands.unplaced,
            handed: stands.handed,
            over: stands.over,
            cancelled: stands.cancelled,
            failed: stands.failed,
            unit_price: line.unit_price,
            age_min: line.age_min,
            preference: Text(line.preference),
            tolerance_percent: line.tolerance_percent,
        })
    }
}

impl ChoiceAnswer {
    fn of(choice: Choice) -> Self {
        let said = |said: Said| JudgedAnswer { store: said.store.0, chosen: said.chosen, why: said.why };
        Self {
            generation: choice.generation,
            at: Text(Moment(choice.at_ms)),
            rule_set: choice.rule_set.as_str().into(),
            is_best: choice.is_best,
            stores: choice.judged.into_iter().map(said).collect(),
            omitted: choice.omitted,
        }
    }
}

impl ReasonAnswer {
    fn of(reason: &Reason) -> Self {
        let entry = |(store, at): &(StoreId, stockroom_crdt::stock::Position)| EntryAnswer {
            store: store.0,
            by: Text(at.actor),
            seq: at.seq,
        };
        Self { why: in_words(&reason.why), entries: reason.events.iter().map(entry).collect() }
    }
}

impl DueAnswer {
    /// What is owed, or was given.
    pub fn of(due: &Due) -> Self {
        Self {
            id: hex(&due.id),
            rule: due.rule.as_str(),
            kind: if due.rule.is_refund() { "refund" } else { "loss" },
            line: due.line + 1,
            units: due.units,
            amount: due.amount,
            bearer: due.bearer.clone(),
            state: if due.done { "done" } else { "due" },
        }
    }
}

/// A reason with its moments as people write them.
pub fn in_words(why: &Why) -> String {
    let at = |hlc: &stockroom_crdt::clock::Hlc| Moment(hlc.ms()).write();
    match why {
        Why::HandedBeforeCancel(store, hlc) => {
            format!("store {} handed it over at {}, before the cancel arrived there", store.0, at(hlc))
        }
        Why::CancelConfirmed(store, hlc) => {
            format!("store {}, which held it, confirmed the cancel at {}", store.0, at(hlc))
        }
        other => other.to_string(),
    }
}

fn settlements(books: &Books<'_>, order: &Order, outcome: &Outcome) -> Answered<Vec<SettlementAnswer>> {
    let mut out = Vec::new();
    if order.entity.is_empty() {
        return Ok(out);
    }
    for part in &outcome.fulfillments {
        let fulfiller = books.store(part.store)?.map(|record| record.entity).unwrap_or_default();
        let amount = handed_value(part);
        if amount > 0 && fulfiller != order.entity {
            out.push(SettlementAnswer {
                generation: part.generation,
                store: part.store.0,
                seller: Text(order.entity.clone()),
                fulfiller: Text(fulfiller),
                amount,
            });
        }
    }
    Ok(out)
}
