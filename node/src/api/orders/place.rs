//! Placing an order: routed, promised and offered in one commit by the rights that this node holds, or not at all.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use stockroom_core::input::orders::{PlaceLine, PlaceRequest};
use stockroom_core::input::{Answer, Command, RetryKey};
use stockroom_crdt::ids::{Actor, Code, Sku, StoreId};
use stockroom_crdt::limits::ORDER_LINES_MAX;
use stockroom_crdt::money::{Currency, Unit};
use stockroom_crdt::order::OrderId;
use stockroom_crdt::order::header::Preference;
use stockroom_crdt::order::resolve::resolve;
use stockroom_crdt::product::Channel;
use stockroom_crdt::stock::rights::{Account, Class};
use tokio::time::Instant;
use utoipa::ToSchema;

use super::note_attempt;
use super::plan::PlanAnswer;
use crate::api::events::ApiEvent;
use crate::api::goods::{named, packs};
use crate::api::idempotency::{KeyHeader, Keyed, created, done};
use crate::api::limits::{PRICE_AHEAD_MS_MAX, RESERVE_WAIT_MS_MAX};
use crate::api::near::Degrees;
use crate::api::problem::{Answered, Problem};
use crate::api::reservations::{RETRY_LATER_MS, RETRY_SOON_MS, rights_move};
use crate::api::values::{Moment, Text, now_ms};
use crate::api::{Api, Books, unexpected};

/// A customer's order.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PlaceBody {
    /// `pickup` or `delivery`.
    #[schema(value_type = String)]
    channel: Text<Channel>,
    /// Where it was placed, at most 32 bytes: the app, a marketplace.
    #[serde(default)]
    #[schema(value_type = String)]
    source: Text<Code>,
    /// Its number there, at most 32 bytes.
    #[serde(default)]
    #[schema(value_type = String)]
    reference: Text<Code>,
    /// The legal entity that sells; the fulfilling store's own if absent.
    #[serde(default)]
    #[schema(value_type = String)]
    entity: Text<Code>,
    /// Of all amounts; the first store's if absent.
    #[schema(value_type = Option<String>)]
    currency: Option<Text<Currency>>,
    /// Until when it is to be ready, or delivered; as the time limits say if absent.
    #[schema(value_type = Option<String>, format = DateTime)]
    due: Option<Text<Moment>>,
    /// Nobody picks it before: a pre-order.
    #[schema(value_type = Option<String>, format = DateTime)]
    release: Option<Text<Moment>>,
    /// When goods are missing the lower goes without first, 0 to 255; 100 if absent.
    #[serde(default = "usual_priority")]
    priority: u8,
    /// Where it is to be delivered, or where the customer is (WGS 84).
    place: Option<Degrees>,
    /// Where the customer would collect it, the best first, at most 64; needed for a pickup. For a delivery the only ones that may send it.
    #[serde(default)]
    stores: Vec<u32>,
    /// Who the customer is. Sealed to this node, and for a delivery to the store that sends it; in no log and no answer.
    contact: Option<Contact>,
    /// What was paid.
    #[serde(default)]
    payment: PaymentBody,
    /// A part is better than nothing: what no store has is given up at once.
    #[serde(default)]
    partial: bool,
    /// 1 to 200 lines.
    lines: Vec<PlaceLineBody>,
    /// When it cannot be placed but rights were asked for elsewhere: try again for so many milliseconds, 0 to 5,000; 0 if absent.
    #[serde(default)]
    wait_ms: u64,
}

/// Name, phone and address of a customer.
#[derive(Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Contact {
    /// What to call the customer.
    #[serde(default)]
    name: String,
    /// With at least four digits; by the last four of them staff find the order.
    #[serde(default)]
    phone: String,
    /// Where to.
    #[serde(default)]
    address: String,
}

/// What was paid for an order when it was placed.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PaymentBody {
    /// What may be captured, minor units; as much as the order costs if absent.
    authorised: Option<i64>,
    /// What was captured already, minor units.
    #[serde(default)]
    captured: i64,
    /// The gateway's number.
    #[serde(default)]
    #[schema(value_type = String)]
    reference: Text<Code>,
}

/// One line of an order.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PlaceLineBody {
    /// What; either this or `code`.
    #[schema(value_type = Option<String>)]
    sku: Option<Text<Sku>>,
    /// A barcode; `quantity` then counts packs.
    code: Option<String>,
    /// Pieces or grams, or packs of a barcode; at least 1.
    quantity: i64,
    /// `each` or `gram`; the product's if absent. Another one than the product's is refused.
    #[schema(value_type = Option<String>)]
    unit: Option<Text<Unit>>,
    /// Minor units per piece or per kilogram; from the first store's price book if absent.
    unit_price: Option<i64>,
    /// What the customer wants when it is not there: `ask`, `substitute`, `partial` or `whole`; `ask` if absent.
    #[serde(default)]
    #[schema(value_type = String)]
    preference: Text<Preference>,
    /// By how much more weighed goods may weigh, percent; as the time limits say if absent.
    tolerance_percent: Option<u8>,
}

/// What came of it. `no` is a normal answer: nothing is promised, and nothing has to be undone.
#[derive(Serialize, ToSchema)]
pub struct PlaceAnswer {
    /// `placed` or `no`.
    #[schema(example = "placed")]
    outcome: &'static str,
    /// The order's number; absent for `no`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "1-0123456789")]
    order: Option<Text<OrderId>>,
    /// Where it stands; absent for `no`.
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'static str>,
    /// Six digits with which the customer collects it. Shown to whoever placed it, here and nowhere else, and again to a retry.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    /// Why it is so, in words.
    why: String,
    /// Who was asked, and for every store why or why not; absent when an earlier try is answered again.
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<PlanAnswer>,
    /// Stores for whose goods rights were asked for with this request: another try in a moment may succeed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    asked: Vec<u32>,
    /// After so many milliseconds another try may succeed; absent if nobody is known to hold any rights.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<u64>,
}

/// Places an order: 201 with its number, its code and the plan. 200 with `no` and a reason per store when its goods cannot be promised;
/// 200 for an earlier try that succeeded. After `no` the same key may be used again.
#[utoipa::path(post, path = "/v1/orders", tag = "orders", params(KeyHeader), request_body = PlaceBody,
    responses((status = 201, body = PlaceAnswer, description = "It stands, its goods are promised and offered to stores"),
        (status = 200, body = PlaceAnswer, description = "Nothing is promised, or an earlier try was answered again")))]
pub async fn create_order(State(api): State<Arc<Api>>, Keyed { value, retry }: Keyed<PlaceBody>) -> Answered {
    let wait_ms = value.wait_ms;
    let refused = |problem: Problem| {
        note_attempt(&api, "place", None, &problem);
        problem
    };
    let request = api.read(|books| value.request(books)).map_err(refused)?;
    let placed = place(&api, retry, &request, Duration::from_millis(wait_ms)).await;
    match placed.map_err(|problem| refused(named_as_asked(problem)))? {
        Answer::Placed { order, plan, code, replayed, .. } => {
            let goods = goods_of(&request);
            let plan = plan.map(|plan| PlanAnswer::of(&api, *plan, &goods));
            let outcome = api.read(|books| Ok(resolve(&books.order(order)?)))?;
            let why = match &plan {
                Some(plan) => format!("goods are promised; {}", plan.words()),
                None => "an earlier try of this request placed it".into(),
            };
            let answer = PlaceAnswer {
                outcome: "placed",
                order: Some(Text(order)),
                state: outcome.map(|outcome| outcome.state.as_str()),
                code: Some(code),
                why,
                plan,
                asked: Vec::new(),
                retry_after_ms: None,
            };
            Ok(created(replayed, answer))
        }
        Answer::NotPlaced { plan, asked } => {
            let plan = PlanAnswer::of(&api, *plan, &goods_of(&request));
            let others = api.read(|books| others_hold(&api, books, &request))?;
            let retry_after_ms = match (asked.is_empty(), others) {
                (false, _) => Some(RETRY_SOON_MS),
                (true, true) => Some(RETRY_LATER_MS),
                (true, false) => None,
            };
            api.tell(turned_down(&request, &plan));
            let answer = PlaceAnswer {
                outcome: "no",
                order: None,
                state: None,
                code: None,
                why: format!("no rights to all of the goods are held here: {}", plan.words()),
                plan: Some(plan),
                asked: asked.into_iter().map(|store| store.0).collect(),
                retry_after_ms,
            };
            Ok(done(false, answer))
        }
        answer => unexpected(&answer),
    }
}

impl PlaceBody {
    fn request(self, books: &Books<'_>) -> Answered<PlaceRequest> {
        if self.wait_ms > RESERVE_WAIT_MS_MAX {
            return Err(Problem::invalid("wait_ms", format_args!("is not 0 to {RESERVE_WAIT_MS_MAX}")));
        }
        if !(1..=ORDER_LINES_MAX).contains(&self.lines.len()) {
            return Err(Problem::invalid("lines", format_args!("are not 1 to {ORDER_LINES_MAX}")));
        }
        let now = now_ms();
        for (field, moment) in [("due", &self.due), ("release", &self.release)] {
            let ahead = now..=now + PRICE_AHEAD_MS_MAX;
            if moment.as_ref().is_some_and(|moment| !ahead.contains(&moment.0.0)) {
                return Err(Problem::invalid(field, "lies in the past, or more than five years ahead"));
            }
        }
        let (contact, phone_end) = self.contact.map_or(Ok(Default::default()), Contact::packed)?;
        let line = |(at, line): (usize, PlaceLineBody)| line.read(books, at);
        Ok(PlaceRequest {
            channel: self.channel.0,
            source: self.source.0,
            reference: self.reference.0,
            entity: self.entity.0,
            currency: self.currency.map(|currency| currency.0),
            due_ms: self.due.map(|due| due.0.0),
            release_ms: self.release.map_or(0, |release| release.0.0),
            priority: self.priority,
            place: self.place.map(|place| place.read("place")).transpose()?,
            stores: self.stores.into_iter().map(StoreId).collect(),
            contact,
            phone_end,
            authorised: self.payment.authorised,
            captured: self.payment.captured,
            payment: self.payment.reference.0,
            partial: self.partial,
            lines: self.lines.into_iter().enumerate().map(line).collect::<Answered<Vec<_>>>()?,
        })
    }
}

impl Contact {
    /// The bytes that are sealed, and the last four digits of the phone.
    fn packed(self) -> Answered<(Vec<u8>, Code)> {
        let digits: Vec<char> = self.phone.chars().filter(char::is_ascii_digit).collect();
        if !self.phone.is_empty() && digits.len() < PHONE_END {
            return Err(Problem::invalid("contact.phone", "has fewer than four digits"));
        }
        for (field, text, most) in
            [("name", &self.name, 100), ("phone", &self.phone, 32), ("address", &self.address, 400)]
        {
            if text.len() > most {
                return Err(Problem::invalid(format!("contact.{field}"), format_args!("is longer than {most} bytes")));
            }
        }
        let end: String = digits[digits.len().saturating_sub(PHONE_END)..].iter().collect();
        let end = Code::parse(&end).map_err(|error| Problem::invalid("contact.phone", error))?;
        let bytes = serde_json::to_vec(&self).map_err(|error| Problem::invalid("contact", error))?;
        Ok((bytes, end))
    }
}

impl PlaceLineBody {
    fn read(self, books: &Books<'_>, at: usize) -> Answered<PlaceLine> {
        let field = format!("lines[{at}]");
        let named = named(books, &field, self.sku, self.code)?;
        Ok(PlaceLine {
            sku: named.sku,
            unit: self.unit.map(|unit| unit.0),
            quantity: packs(&format!("{field}.quantity"), self.quantity, named.pack)?,
            unit_price: self.unit_price,
            preference: self.preference.0,
            tolerance_percent: self.tolerance_percent,
        })
    }
}

/// Asks once, and again whenever rights moved, until it is placed, nobody else has any, or the time is over.
async fn place(api: &Api, retry: RetryKey, request: &PlaceRequest, wait: Duration) -> Answered<Answer> {
    let until = Instant::now() + wait;
    let mut events = api.handle.events();
    loop {
        let answer = api.ask(Command::PlaceOrder(retry, Box::new(request.clone()))).await?;
        let is_hopeless = match &answer {
            Answer::NotPlaced { .. } => !api.read(|books| others_hold(api, books, request))?,
            _ => true,
        };
        if is_hopeless || !rights_move(&mut events, until).await {
            return Ok(answer);
        }
    }
}

/// True when somebody else is known to hold rights to something that was ordered, where the customer would take it.
fn others_hold(api: &Api, books: &Books<'_>, request: &PlaceRequest) -> Answered<bool> {
    let status = api.handle.status();
    let me = Actor::new(status.node.0, status.epoch.0);
    for record in books.stores()? {
        if !request.stores.is_empty() && !request.stores.contains(&record.store) {
            continue;
        }
        for line in &request.lines {
            let Some(product) = books.product(&line.sku)? else { continue };
            let account = Account { store: record.store, sku: line.sku.clone(), unit: product.unit };
            let rights = books.rights(&account, Class::Goods)?;
            if books.elsewhere(record.store, &rights, me)? > 0 {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// What is ordered, each product once, as a plan numbers it.
fn goods_of(request: &PlaceRequest) -> Vec<Sku> {
    let mut goods: Vec<Sku> = Vec::new();
    for line in &request.lines {
        if !goods.contains(&line.sku) {
            goods.push(line.sku.clone());
        }
    }
    goods
}

fn turned_down(request: &PlaceRequest, plan: &PlanAnswer) -> ApiEvent {
    let stores: Vec<u32> = request.stores.iter().map(|store| store.0).collect();
    let data = serde_json::json!({
        "source": request.source.as_str(), "reference": request.reference.as_str(),
        "channel": request.channel.as_str(), "stores": stores, "lines": request.lines.len(), "why": plan.words(),
    });
    ApiEvent { kind: "order.turned-down", subject: None, data }
}

/// Fields of the core as the body of the request names them.
fn named_as_asked(problem: Problem) -> Problem {
    let names = [
        ("due_ms", "due"),
        ("phone_end", "contact.phone"),
        ("authorised", "payment.authorised"),
        ("captured", "payment.captured"),
    ];
    names.into_iter().fold(problem, |problem, (from, to)| problem.renamed(from, to))
}

fn usual_priority() -> u8 {
    100
}

/// Digits of a phone by which staff find an order.
const PHONE_END: usize = 4;
