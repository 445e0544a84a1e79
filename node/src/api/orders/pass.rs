//! The signed pass: given to a customer's phone at the order's home, and verified at a store, also at one that never heard of the order.

use std::sync::Arc;

use axum::extract::State;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use stockroom_core::input::orders::PassRequest;
use stockroom_core::input::{Answer, Command};
use stockroom_crdt::ids::{Code, Sku, StoreId};
use stockroom_crdt::limits::PASS_BYTES_MAX;
use stockroom_crdt::money::Unit;
use stockroom_crdt::order::OrderId;
use stockroom_crdt::order::pass::SignedPass;
use utoipa::ToSchema;

use super::{about_order, note_attempt};
use crate::api::fulfillments::act::THIS_PASS;
use crate::api::fulfillments::answer::{FulfillmentAnswer, name_of};
use crate::api::fulfillments::whole;
use crate::api::idempotency::{KeyHeader, Keyed, created, done};
use crate::api::problem::{Answered, Kind, Problem};
use crate::api::request::Segment;
use crate::api::values::{Moment, Text};
use crate::api::{Api, unexpected};
use crate::paper::qr;

/// A phone wants a pass.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PassBody {
    /// At which store, if parts of the order are at several.
    store: Option<u32>,
    /// Whom the customer sends, in a word for which staff can ask; absent if the customer comes.
    #[serde(default)]
    #[schema(value_type = String)]
    delegate: Text<Code>,
}

/// A pass. Whoever shows it gets the goods: it names nobody, and runs out soon.
#[derive(Serialize, ToSchema)]
pub struct PassAnswer {
    /// For which order.
    #[schema(value_type = String)]
    order: Text<OrderId>,
    /// At which store.
    store: u32,
    /// When it runs out; the phone asks for the next one before.
    #[schema(value_type = String, format = DateTime)]
    until: Text<Moment>,
    /// The pass as a text: base64url.
    pass: String,
    /// The pass as the text of a QR code: `SR:`, base45 and a dot; absent when it has more lines than a code takes that a phone reads well.
    #[serde(skip_serializing_if = "Option::is_none")]
    qr_text: Option<String>,
    /// The QR code as an SVG element; absent when there is no `qr_text`.
    #[serde(skip_serializing_if = "Option::is_none")]
    qr_svg: Option<String>,
}

/// A pass that a customer shows.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VerifyBody {
    /// Its text, in either form.
    pass: String,
}

/// What a good pass says.
#[derive(Serialize, ToSchema)]
pub struct VerifyAnswer {
    /// For which order.
    #[schema(value_type = String)]
    order: Text<OrderId>,
    /// Of which offer.
    generation: u16,
    /// For whom staff ask; empty if the customer comes.
    #[schema(value_type = String)]
    delegate: Text<Code>,
    /// When it was issued.
    #[schema(value_type = String, format = DateTime)]
    issued: Text<Moment>,
    /// When it runs out.
    #[schema(value_type = String, format = DateTime)]
    until: Text<Moment>,
    /// What is to be handed over.
    lines: Vec<PassLineAnswer>,
    /// Age that whoever takes it must have reached; 0 for none.
    age_min: u8,
    /// The fulfillment, as it stands here now.
    fulfillment: FulfillmentAnswer,
}

/// One line of a pass.
#[derive(Serialize, ToSchema)]
pub struct PassLineAnswer {
    /// Which line of the order, from 1.
    line: u16,
    /// What.
    #[schema(value_type = String)]
    sku: Text<Sku>,
    /// Its name, if the product is known here.
    name: String,
    /// Its unit.
    #[schema(value_type = String)]
    unit: Text<Unit>,
    /// Pieces or grams.
    quantity: i64,
    /// Age that whoever takes it must have reached; 0 for none.
    age_min: u8,
}

/// Gives a customer's phone a pass, at the order's home: good for half an hour, or as the time limits say. While it is out nothing is cancelled
/// without the store. Each try gives a new one.
#[utoipa::path(post, path = "/v1/orders/{id}/pass", tag = "orders", params(("id" = String, Path), KeyHeader),
    request_body = PassBody, responses((status = 201, body = PassAnswer)))]
pub async fn issue_pass(
    State(api): State<Arc<Api>>,
    Segment(id): Segment<OrderId>,
    Keyed { value, retry }: Keyed<PassBody>,
) -> Answered {
    let request = PassRequest { order: id, store: value.store.map(StoreId), delegate: value.delegate.0 };
    let answer = api.ask(Command::IssuePass(retry, request)).await.map_err(|problem| {
        let problem = about_order(&api, id, problem);
        note_attempt(&api, "pass", Some(id), &problem);
        problem
    })?;
    let Answer::Pass { order, store, until_ms, bytes } = answer else { return unexpected(&answer) };
    let qr_text = qr::encode_token(&bytes).ok();
    let answer = PassAnswer {
        order: Text(order),
        store: store.0,
        until: Text(Moment(until_ms)),
        pass: URL_SAFE_NO_PAD.encode(&bytes),
        qr_svg: qr_text.as_deref().and_then(|text| qr::svg(text).ok()),
        qr_text,
    };
    Ok(created(false, answer))
}

/// Verifies a pass at the counter and writes it down, so that the store can pick and hand over what it had not heard of. Handing over is
/// another request.
#[utoipa::path(post, path = "/v1/passes/verify", tag = "fulfillments", params(KeyHeader), request_body = VerifyBody,
    responses((status = 200, body = VerifyAnswer)))]
pub async fn verify_pass(State(api): State<Arc<Api>>, Keyed { value, retry }: Keyed<VerifyBody>) -> Answered {
    let store = api.own_store()?;
    let read = read_pass(&value.pass).and_then(|bytes| {
        let shown = SignedPass::from_bytes(&bytes).map_err(|error| Problem::invalid("pass", error))?;
        Ok((bytes, shown.pass))
    });
    let (bytes, pass) = read.inspect_err(|problem| note_attempt(&api, "verify-pass", None, problem))?;
    let answer = api.ask(Command::ShowPass(retry, bytes)).await.map_err(|problem| {
        let problem = match problem.kind() {
            Kind::Conflict if problem.said().starts_with(THIS_PASS) => problem.of_kind(Kind::PassRefused),
            Kind::Conflict => used(&api, store, (pass.order, problem)),
            _ => problem,
        };
        note_attempt(&api, "verify-pass", Some(pass.order), &problem);
        problem
    })?;
    let Answer::PassShown { order, generation, delegate } = answer else { return unexpected(&answer) };
    let answer = api.read(|books| {
        let line = |line: &stockroom_crdt::order::offer::OfferLine| {
            Ok(PassLineAnswer {
                line: line.line + 1,
                sku: Text(line.sku.clone()),
                name: name_of(books, &line.sku)?,
                unit: Text(line.unit),
                quantity: line.quantity,
                age_min: line.age_min,
            })
        };
        Ok(VerifyAnswer {
            order: Text(order),
            generation,
            delegate: Text(delegate),
            issued: Text(Moment(pass.issued_ms)),
            until: Text(Moment(pass.until_ms)),
            age_min: pass.lines.iter().map(|line| line.age_min).max().unwrap_or(0),
            lines: pass.lines.iter().map(line).collect::<Answered<Vec<_>>>()?,
            fulfillment: whole(books, store, (order, Some(generation)))?,
        })
    })?;
    Ok(done(false, answer))
}

/// The bytes of a pass, from either of its texts.
pub fn read_pass(text: &str) -> Answered<Vec<u8>> {
    let text = text.trim();
    if text.len() > PASS_BYTES_MAX * 2 {
        return Err(Problem::invalid("pass", "is longer than any pass"));
    }
    if text.starts_with(QR_BEGIN) {
        return qr::decode_token(text).map_err(|error| Problem::invalid("pass", error));
    }
    URL_SAFE_NO_PAD.decode(text).map_err(|_| Problem::invalid("pass", "is not a pass: scan it again"))
}

/// A pass that is genuine, for goods that are given or gone.
fn used(api: &Api, store: StoreId, (order, problem): (OrderId, Problem)) -> Problem {
    crate::api::fulfillments::act::explained(api, (order, store), problem)
}

/// How the text of a QR code begins.
const QR_BEGIN: &str = "SR:";
