//! What only people decide about rights: an owner's consent, and that a node will never use its rights again.

use std::sync::Arc;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use stockroom_core::input::Command;
use stockroom_core::input::promises::DecreeRequest;
use stockroom_crdt::entry::Fact;
use stockroom_crdt::ids::{Code, NodeId, Sku};
use stockroom_crdt::stock::custody::Consent;
use utoipa::ToSchema;

use super::idempotency::{KeyHeader, Keyed, created};
use super::problem::{Answered, Kind, Problem};
use super::request::Segment;
use super::values::{Moment, Text};
use super::{Api, unexpected_entry};

/// The owner of goods in this store (consignment, concession, franchise) lets others promise a share of them.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConsentBody {
    /// Whose goods: the legal entity of the store, or the owner in the product's record.
    #[schema(value_type = String)]
    owner: Text<Code>,
    /// Only this product; all goods of the owner if absent.
    #[schema(value_type = Option<String>)]
    sku: Option<Text<Sku>>,
    /// At most so much of what may be promised, percent, 0 to 100; 0 takes the consent back.
    share_percent: f64,
    /// The contract's number.
    #[serde(default)]
    #[schema(value_type = String)]
    document: Text<Code>,
}

/// A consent as it was written down.
#[derive(Serialize, ToSchema)]
pub struct ConsentAnswer {
    /// The store.
    store: u32,
    /// Whose goods.
    #[schema(value_type = String)]
    owner: Text<Code>,
    /// Only this product.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    sku: Option<Text<Sku>>,
    /// Percent of what may be promised.
    share_percent: f64,
    /// The contract's number.
    #[schema(value_type = String)]
    document: Text<Code>,
    /// When it was written down.
    #[schema(value_type = String, format = DateTime)]
    recorded_at: Text<Moment>,
}

/// A node will never use its rights again.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WriteOffBody {
    /// Why: replaced, lost, stolen.
    #[schema(value_type = String)]
    reason: Text<Code>,
    /// Who decides it.
    #[serde(default)]
    #[schema(value_type = String)]
    staff: Text<Code>,
    /// How many units may have been promised that nobody knows of. Without it, or with another number, the request is refused
    /// and the problem names the number.
    accept: Option<u64>,
}

/// Rights that were written off.
#[derive(Serialize, ToSchema)]
pub struct WriteOffAnswer {
    /// Whose.
    node: u32,
    /// Units at risk that were accepted.
    accepted: u64,
    /// Why.
    #[schema(value_type = String)]
    reason: Text<Code>,
    /// When it was written down.
    #[schema(value_type = String, format = DateTime)]
    recorded_at: Text<Moment>,
}

/// Lets others promise a share of somebody's goods. At the store, from its own machine. A later consent about the same goods
/// replaces an earlier one.
#[utoipa::path(post, path = "/v1/consents", tag = "reservations", params(KeyHeader), request_body = ConsentBody,
    responses((status = 201, body = ConsentAnswer)))]
pub async fn create_consent(State(api): State<Arc<Api>>, Keyed { value, retry }: Keyed<ConsentBody>) -> Answered {
    let store = api.own_store()?;
    if value.owner.0.is_empty() {
        return Err(Problem::invalid("owner", "is empty"));
    }
    if !(0.0..=100.0).contains(&value.share_percent) {
        return Err(Problem::invalid("share_percent", format_args!("{} is not 0 to 100", value.share_percent)));
    }
    let sku = value.sku.map(|sku| sku.0);
    if let Some(sku) = &sku {
        let known = api.read(|books| Ok(books.product(sku)?.is_some()))?;
        known.then_some(()).ok_or_else(|| Problem::unknown("sku", "no such product"))?;
    }
    let share_ppm = (value.share_percent * PPM_PER_PERCENT).round() as u32;
    let consent = Consent { sku, owner: value.owner.0, share_ppm, document: value.document.0 };
    let written = api.write(Command::Consent(retry, consent)).await?;
    let Fact::Consent(consent) = written.entry.fact else { return unexpected_entry() };
    let answer = ConsentAnswer {
        store: store.0,
        owner: Text(consent.owner),
        sku: consent.sku.map(Text),
        share_percent: f64::from(consent.share_ppm) / PPM_PER_PERCENT,
        document: Text(consent.document),
        recorded_at: Text(Moment(written.entry.hlc.ms())),
    };
    Ok(created(written.replayed, answer))
}

/// Writes off what a node holds that will never come back, so that its store can promise those goods anew. At the hub, from its
/// own machine. The first try is refused and names the risk; `accept` repeats it.
#[utoipa::path(post, path = "/v1/nodes/{node}/write-off", tag = "nodes", params(("node" = u32, Path), KeyHeader),
    request_body = WriteOffBody, responses((status = 201, body = WriteOffAnswer)))]
pub async fn write_off_node(
    State(api): State<Arc<Api>>,
    Segment(node): Segment<u32>,
    Keyed { value, retry }: Keyed<WriteOffBody>,
) -> Answered {
    if value.reason.0.is_empty() {
        return Err(Problem::invalid("reason", "is empty"));
    }
    let accepted = value.accept.unwrap_or(0);
    let reason = value.reason.0;
    let request =
        DecreeRequest { node: NodeId(node), reason: reason.clone(), staff: value.staff.0, accept: value.accept };
    let written = api.write(Command::Retire(retry, request)).await.map_err(|problem| match problem.kind() {
        Kind::UnknownReference => Problem::not_found(format!("node {node} is not known here")),
        _ => problem,
    })?;
    let recorded_at = Text(Moment(written.entry.hlc.ms()));
    Ok(created(written.replayed, WriteOffAnswer { node, accepted, reason: Text(reason), recorded_at }))
}

const PPM_PER_PERCENT: f64 = 10_000.0;
