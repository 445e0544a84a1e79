//! Fulfillments as a store sees them: the queue, one of them, and the contact of a delivery. What is done with them stands in [`act`].

pub mod answer;

pub mod act;
pub mod along;
pub mod scans;

pub mod find;

pub mod lists;

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::json;
use stockroom_core::books::orders::Work;
use stockroom_core::input::{Answer, Command};
use stockroom_crdt::ids::{Code, StoreId};
use stockroom_crdt::order::OrderId;
use stockroom_crdt::order::offer::phone_hash;
use stockroom_crdt::order::resolve::State as Stage;
use utoipa::{IntoParams, ToSchema};

use super::events::ApiEvent;
use super::limits::PAGE_MAX;
use super::orders::about_order;
use super::orders::place::Contact;
use super::problem::{Answered, Kind, Problem};
use super::products::page_limit;
use super::request::{Params, Segment};
use super::values::{Text, Word, now_ms};
use super::{Api, Books, unexpected};
use answer::{FulfillmentAnswer, Shown, newest};

/// What a store has to work on.
#[derive(Serialize, ToSchema)]
pub struct FulfillmentList {
    /// The first due first.
    items: Vec<FulfillmentAnswer>,
    /// To be given as `after` for the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    next: Option<Text<Turn>>,
}

/// Which fulfillments.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct FulfillmentParams {
    /// At this store; this node's own if absent, needed at a hub.
    store: Option<u32>,
    /// Only in this state.
    state: Option<String>,
    /// Only those of the customer whose phone ends with these four digits.
    phone: Option<String>,
    /// Only orders whose number ends with these digits.
    number: Option<String>,
    /// Also those on which nobody has to work any more, in the order of their numbers; false if absent.
    all: Option<bool>,
    /// Begin behind this one, as the last page said.
    #[param(value_type = Option<String>)]
    after: Option<Text<Turn>>,
    /// At most this many, up to 1,000; 100 if absent.
    limit: Option<usize>,
}

/// Which fulfillment of an order.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PartParams {
    /// At this store; this node's own if absent, needed at a hub.
    store: Option<u32>,
    /// Of this offer; the newest that is open if absent.
    generation: Option<u16>,
}

/// Who reads a contact, and why.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ReaderParams {
    /// By whom; needed.
    #[param(value_type = String)]
    staff: Option<Text<Code>>,
    /// What for.
    #[param(value_type = Option<String>)]
    reason: Option<Text<Code>>,
}

/// A place in a list: `due-generation-order`, or an order's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Among what has to be worked on.
    Due(Work),
    /// Among all, by store and order.
    At(StoreId, OrderId),
}

/// The queue of a store: what somebody has to work on, the first due first. Staff find a customer's order by the last four digits of the
/// phone or by the end of its number.
#[utoipa::path(get, path = "/v1/fulfillments", tag = "fulfillments", params(FulfillmentParams),
    responses((status = 200, body = FulfillmentList)))]
pub async fn list_fulfillments(
    State(api): State<Arc<Api>>,
    Params(params): Params<FulfillmentParams>,
) -> Answered<Json<FulfillmentList>> {
    let store = api.store_or_own(params.store)?;
    let limit = page_limit(params.limit)?;
    params.check()?;
    let read = move |books: &Books<'_>| {
        if books.store(store)?.is_none() {
            return Err(Problem::unknown("store", format_args!("no such store: {}", store.0)));
        }
        let mut list = FulfillmentList { items: Vec::new(), next: None };
        let mut after = params.after.as_ref().map(|turn| turn.0);
        loop {
            let turns = params.turns(books, store, after)?;
            let Some(last) = turns.last() else { return Ok(Json(list)) };
            let end = *last;
            for turn in turns {
                if list.items.len() >= limit {
                    list.next = after.map(Text);
                    return Ok(Json(list));
                }
                list.items.extend(params.found(books, store, turn)?);
                after = Some(turn);
            }
            after = Some(end);
        }
    };
    api.read_much(read).await
}

/// A fulfillment, with everything that was said about it.
#[utoipa::path(get, path = "/v1/fulfillments/{order}", tag = "fulfillments", params(("order" = String, Path), PartParams),
    responses((status = 200, body = FulfillmentAnswer)))]
pub async fn show_fulfillment(
    State(api): State<Arc<Api>>,
    Segment(order): Segment<OrderId>,
    Params(params): Params<PartParams>,
) -> Answered<Json<FulfillmentAnswer>> {
    let store = api.store_or_own(params.store)?;
    api.read(|books| whole(books, store, (order, params.generation))).map(Json)
}

/// Name, phone and address of the customer, at the store that delivers and at the order's home. Each reading is told to those who follow
/// the events, without what was read.
#[utoipa::path(get, path = "/v1/fulfillments/{order}/contact", tag = "fulfillments",
    params(("order" = String, Path), ReaderParams), responses((status = 200, body = Contact)))]
pub async fn show_contact(
    State(api): State<Arc<Api>>,
    Segment(order): Segment<OrderId>,
    Params(params): Params<ReaderParams>,
) -> Answered<Json<Contact>> {
    let staff = params.staff.map(|staff| staff.0).filter(|staff| !staff.is_empty());
    let staff = staff.ok_or_else(|| Problem::invalid("staff", "is needed: who reads it"))?;
    let answer = api.ask(Command::ReadContact(order)).await.map_err(|problem| about_order(&api, order, problem))?;
    let Answer::Contact { bytes } = answer else { return unexpected(&answer) };
    let reason = params.reason.map_or(String::new(), |reason| reason.0.to_string());
    let data = json!({ "order": order.to_string(), "staff": staff.as_str(), "reason": reason });
    tracing::info!(%order, staff = staff.as_str(), "contact read");
    api.tell(ApiEvent { kind: "order.contact-read", subject: Some(format!("order/{order}")), data });
    let contact = serde_json::from_slice(&bytes);
    contact
        .map(Json)
        .map_err(|_| Problem::new(Kind::Storage, "the contact was sealed in a form that is not known here"))
}

impl FulfillmentParams {
    fn check(&self) -> Answered<()> {
        let digits = |text: &String, most: usize| {
            (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
        };
        if self.phone.as_ref().is_some_and(|phone| phone.len() != 4 || !digits(phone, 4)) {
            return Err(Problem::invalid("phone", "is not the last four digits of a phone"));
        }
        if self.number.as_ref().is_some_and(|number| !digits(number, 10)) {
            return Err(Problem::invalid("number", "is not the last digits of an order's number"));
        }
        if let Some(state) = self.state.as_deref().filter(|state| !STATES.iter().any(|known| known.as_str() == *state))
        {
            let words: Vec<_> = STATES.iter().map(|state| state.as_str()).collect();
            return Err(Problem::invalid("state", format_args!("{state} is none of {}", words.join(", "))));
        }
        let fits = match self.after.as_ref().map(|turn| turn.0) {
            None => true,
            Some(Turn::Due(_)) => self.all != Some(true),
            Some(Turn::At(..)) => self.all == Some(true),
        };
        if fits { Ok(()) } else { Err(Problem::invalid("after", "is not what this list said")) }
    }

    fn turns(&self, books: &Books<'_>, store: StoreId, after: Option<Turn>) -> Answered<Vec<Turn>> {
        let (work, order) = match after {
            Some(Turn::Due(work)) => (Some(work), None),
            Some(Turn::At(_, order)) => (None, Some(order)),
            None => (None, None),
        };
        if self.all == Some(true) {
            let orders = books.orders(Some(store), order, PAGE_MAX)?;
            return Ok(orders.into_iter().map(|order| Turn::At(store, order)).collect());
        }
        Ok(books.works(store, work, PAGE_MAX)?.into_iter().map(Turn::Due).collect())
    }

    /// What stands at a place of the list and was asked for.
    fn found(&self, books: &Books<'_>, store: StoreId, turn: Turn) -> Answered<Vec<FulfillmentAnswer>> {
        let (order, generation) = match turn {
            Turn::Due(work) => (work.order, Some(work.generation)),
            Turn::At(_, order) => (order, None),
        };
        if self.number.as_ref().is_some_and(|end| !format!("{:010}", order.number).ends_with(end.as_str())) {
            return Ok(Vec::new());
        }
        let known = books.order_at(store, order)?;
        if let Some(digits) = &self.phone {
            let hash = phone_hash(order, digits);
            let offers = known.parts.values().filter_map(|part| part.offer.as_ref());
            if !offers.into_iter().any(|offer| offer.phone == hash) {
                return Ok(Vec::new());
            }
        }
        let parts = known.fulfillments().into_iter().filter(|part| {
            generation.is_none_or(|wanted| part.generation == wanted)
                && self.state.as_deref().is_none_or(|state| part.state.as_str() == state)
        });
        let now_ms = now_ms();
        let shown = parts.map(|part| Shown { known: &known, part: &part, now_ms }.brief(books));
        Ok(shown.collect::<Answered<Vec<_>>>()?.into_iter().flatten().collect())
    }
}

impl Word for Turn {
    fn read(text: &str) -> Result<Self, String> {
        let wrong = || "is not what the last page gave as next".to_owned();
        let (head, order) = text.split_once('_').ok_or_else(wrong)?;
        let order = OrderId::parse(order).ok_or_else(wrong)?;
        let number = |text: &str| text.parse::<u64>().map_err(|_| wrong());
        match head.split_once('.') {
            Some((due, generation)) => {
                let generation = generation.parse().map_err(|_| wrong())?;
                Ok(Self::Due(Work { due_ms: number(due)?, order, generation }))
            }
            None => Ok(Self::At(StoreId(head.parse().map_err(|_| wrong())?), order)),
        }
    }

    fn write(&self) -> String {
        match self {
            Self::Due(work) => format!("{}.{}_{}", work.due_ms, work.generation, work.order),
            Self::At(store, order) => format!("{}_{order}", store.0),
        }
    }
}

/// One fulfillment with its steps.
pub fn whole(
    books: &Books<'_>,
    store: StoreId,
    (order, generation): (OrderId, Option<u16>),
) -> Answered<FulfillmentAnswer> {
    let known = books.order_at(store, order)?;
    let part = newest(&known, store, generation).ok_or_else(|| not_here(order, store))?;
    let shown = Shown { known: &known, part: &part, now_ms: now_ms() }.whole(books)?;
    shown.ok_or_else(|| not_here(order, store))
}

/// Nothing of the order was offered to the store, as far as is known here.
pub fn not_here(order: OrderId, store: StoreId) -> Problem {
    Problem::not_found(format!("no fulfillment of order {order} at store {} is known here", store.0))
}

/// All states of a fulfillment, in the order of its life.
pub const STATES: [Stage; 18] = [
    Stage::Offered,
    Stage::Accepted,
    Stage::Picking,
    Stage::Picked,
    Stage::Packed,
    Stage::Ready,
    Stage::Awaited,
    Stage::Out,
    Stage::Returning,
    Stage::HandedOver,
    Stage::Delivered,
    Stage::Refused,
    Stage::StoodDown,
    Stage::Cancelled,
    Stage::Declined,
    Stage::Uncollected,
    Stage::Returned,
    Stage::Lost,
];
