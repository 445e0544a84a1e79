//! What a payment gateway says of an order, and compensations that were carried out.

use std::sync::Arc;

use axum::extract::State;
use serde::Deserialize;
use stockroom_core::input::Command;
use stockroom_core::input::orders::{PayRequest, RedressRequest};
use stockroom_crdt::ids::Code;
use stockroom_crdt::order::OrderId;
use utoipa::ToSchema;

use super::show::{OrderAnswer, shown};
use super::{about_order, find, note_attempt};
use crate::api::Api;
use crate::api::idempotency::{KeyHeader, Keyed, done};
use crate::api::problem::{Answered, Kind, Problem};
use crate::api::request::{Segment, Segments};
use crate::api::values::{Text, Word};

/// What was paid so far, in sums over the order's life: numbers only grow.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PayBody {
    /// What may be captured at most, minor units.
    authorised: i64,
    /// What was captured.
    captured: i64,
    /// What was refunded.
    #[serde(default)]
    refunded: i64,
    /// The gateway's number.
    #[serde(default)]
    #[schema(value_type = String)]
    reference: Text<Code>,
}

/// What came of a compensation.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RedressBody {
    /// Minor units that were given; what is due if absent. A refund is given whole.
    amount: Option<i64>,
    /// False when it could not be given: it stays due.
    #[serde(default = "yes")]
    done: bool,
    /// The gateway's number, or why it could not be given.
    #[serde(default)]
    #[schema(value_type = String)]
    reference: Text<Code>,
    /// Who did it.
    #[serde(default)]
    #[schema(value_type = String)]
    staff: Text<Code>,
}

/// The id of a compensation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DueId([u8; 16]);

/// Takes what the payment gateway says, at the order's home.
#[utoipa::path(post, path = "/v1/orders/{id}/payments", tag = "orders", params(("id" = String, Path), KeyHeader),
    request_body = PayBody, responses((status = 200, body = OrderAnswer)))]
pub async fn pay_order(
    State(api): State<Arc<Api>>,
    Segment(id): Segment<OrderId>,
    Keyed { value, retry }: Keyed<PayBody>,
) -> Answered {
    let PayBody { authorised, captured, refunded, reference } = value;
    let request = PayRequest { order: id, authorised, captured, refunded, reference: reference.0 };
    let written = api.write(Command::Pay(retry, request)).await;
    let written = written.map_err(|problem| refused(&api, (id, "payments"), problem))?;
    let order = api.read(|books| shown(&api, books, id))?;
    Ok(done(written.replayed, order))
}

/// Takes that a compensation was carried out, or could not be. Each is given once: a second time is a conflict.
#[utoipa::path(post, path = "/v1/orders/{id}/compensations/{compensation}", tag = "orders",
    params(("id" = String, Path), ("compensation" = String, Path), KeyHeader), request_body = RedressBody,
    responses((status = 200, body = OrderAnswer)))]
pub async fn redress_order(
    State(api): State<Arc<Api>>,
    Segments(id, DueId(due)): Segments<OrderId, DueId>,
    Keyed { value, retry }: Keyed<RedressBody>,
) -> Answered {
    let owed = api.read(|books| Ok(find(&api, books, id)?.1.due.into_iter().find(|held| held.id == due)))?;
    let amount = value.amount.unwrap_or_else(|| owed.map_or(0, |owed| owed.amount));
    let RedressBody { done: given, reference, staff, .. } = value;
    let request = RedressRequest { order: id, id: due, amount, done: given, reference: reference.0, staff: staff.0 };
    let written = api.write(Command::Redress(retry, request)).await.map_err(|problem| {
        let is_unknown = problem.kind() == Kind::UnknownReference && problem.field() == Some("compensation");
        let problem = match is_unknown {
            true => Problem::not_found(format!("order {id} has no such compensation")),
            false => problem,
        };
        refused(&api, (id, "compensation"), problem)
    })?;
    let order = api.read(|books| shown(&api, books, id))?;
    Ok(done(written.replayed, order))
}

impl Word for DueId {
    fn read(text: &str) -> Result<Self, String> {
        let wrong = || "is not the id of a compensation: 32 hexadecimal digits".to_owned();
        if text.len() != 32 || !text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(wrong());
        }
        let number = u128::from_str_radix(text, 16).map_err(|_| wrong())?;
        Ok(Self(number.to_be_bytes()))
    }

    fn write(&self) -> String {
        stockroom_crdt::ids::hex(&self.0)
    }
}

fn refused(api: &Api, (order, what): (OrderId, &str), problem: Problem) -> Problem {
    let problem = about_order(api, order, problem);
    note_attempt(api, what, Some(order), &problem);
    problem
}

fn yes() -> bool {
    true
}
