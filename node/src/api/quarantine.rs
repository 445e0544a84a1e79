//! Decisions about goods that came back and stand in quarantine.

use std::sync::Arc;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use stockroom_core::input::Command;
use stockroom_crdt::entry::Fact;
use stockroom_crdt::ids::{Code, Sku};
use stockroom_crdt::money::Unit;
use stockroom_crdt::receiving::{Decision, Disposition};
use utoipa::ToSchema;

use super::goods::{check_quantity, unit_of};
use super::idempotency::{KeyHeader, Keyed, created};
use super::problem::{Answered, Problem};
use super::values::{Moment, Text};
use super::{Api, unexpected_entry};

/// What becomes of goods in quarantine.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DecisionBody {
    /// What.
    #[schema(value_type = String)]
    sku: Text<Sku>,
    /// `each` or `gram`; the product's if absent.
    #[schema(value_type = Option<String>)]
    unit: Option<Text<Unit>>,
    /// How many, at least 1 and at most as many as are there.
    quantity: i64,
    /// `resale` puts them back on the shelf, `scrap` throws them away.
    #[schema(value_type = String, example = "resale")]
    to: Text<Disposition>,
    /// Why.
    #[serde(default)]
    #[schema(value_type = String)]
    reason: Text<Code>,
    /// Which lot, if somebody looked.
    #[serde(default)]
    #[schema(value_type = String)]
    lot: Text<Code>,
    /// By whom.
    #[serde(default)]
    #[schema(value_type = String)]
    staff: Text<Code>,
}

/// A decision as it was booked.
#[derive(Serialize, ToSchema)]
pub struct DecisionAnswer {
    /// The store.
    store: u32,
    /// When it was booked.
    #[schema(value_type = String, format = DateTime)]
    recorded_at: Text<Moment>,
    /// What.
    #[schema(value_type = String)]
    sku: Text<Sku>,
    /// Its unit.
    #[schema(value_type = String)]
    unit: Text<Unit>,
    /// How many.
    quantity: i64,
    /// `resale` or `scrap`.
    #[schema(value_type = String)]
    to: Text<Disposition>,
    /// Why.
    #[schema(value_type = String)]
    reason: Text<Code>,
    /// Which lot; empty if nobody looked.
    #[schema(value_type = String)]
    lot: Text<Code>,
    /// By whom.
    #[schema(value_type = String)]
    staff: Text<Code>,
}

/// Puts goods from quarantine back on the shelf, or throws them away. How many there are, `/v1/stock/{sku}` tells.
#[utoipa::path(post, path = "/v1/quarantine", tag = "goods", params(KeyHeader), request_body = DecisionBody,
    responses((status = 201, body = DecisionAnswer)))]
pub async fn decide_quarantine(State(api): State<Arc<Api>>, Keyed { value, retry }: Keyed<DecisionBody>) -> Answered {
    let store = api.own_store()?;
    check_quantity("quantity", value.quantity)?;
    let resale = match value.to.0 {
        Disposition::Resale => true,
        Disposition::Scrap => false,
        Disposition::Quarantine => return Err(Problem::invalid("to", "is where they are: say resale or scrap")),
    };
    let unit = api.read(|books| unit_of(books, &value.sku.0, value.unit))?;
    let DecisionBody { sku, quantity, reason, lot, staff, .. } = value;
    let decision = Decision { sku: sku.0, unit, quantity, resale, reason: reason.0, lot: lot.0, staff: staff.0 };
    let written = api.write(Command::Decide(retry, decision)).await;
    let written = written.map_err(|problem| problem.without_prefix("decision."))?;
    let Fact::Decision(decision) = written.entry.fact else { return unexpected_entry() };
    let answer = DecisionAnswer {
        store: store.0,
        recorded_at: Text(Moment(written.entry.hlc.ms())),
        sku: Text(decision.sku),
        unit: Text(decision.unit),
        quantity: decision.quantity,
        to: Text(if decision.resale { Disposition::Resale } else { Disposition::Scrap }),
        reason: Text(decision.reason),
        lot: Text(decision.lot),
        staff: Text(decision.staff),
    };
    Ok(created(written.replayed, answer))
}
