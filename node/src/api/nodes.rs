//! Nodes of the tenant: who they are, letting new ones in, fencing lost ones; and cutting links in tests.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use stockroom_core::input::Command;
use stockroom_crdt::ids::{Code, NodeId, StoreId};
use stockroom_crdt::limits::NAME_BYTES_MAX;
use stockroom_crdt::money::Currency;
use utoipa::ToSchema;

use super::Api;
use super::near::Degrees;
use super::problem::{Answered, Kind, Problem};
use super::request::{Body, Segment};
use super::values::{Moment, Text, moment};
use crate::enrol::{TokenError, TokenOrder, issue_token};
use crate::paper::qr;

/// A node of the tenant.
#[derive(Serialize, ToSchema)]
pub struct NodeAnswer {
    /// Its id.
    node: u32,
    /// `hub` or `store`.
    role: &'static str,
    /// Its store, 0 for a hub.
    store: u32,
    /// When it was let in.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    issued_at: Option<Text<Moment>>,
    /// The hub that let it in; 0 for the tenant's root.
    issuer: u32,
    /// It is no longer believed.
    fenced: bool,
}

/// All nodes that are known here.
#[derive(Serialize, ToSchema)]
pub struct NodeList {
    /// The nodes.
    items: Vec<NodeAnswer>,
}

/// Why a node is no longer to be believed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FenceBody {
    /// Why: stolen, lost, cloned.
    #[schema(value_type = String)]
    reason: Text<Code>,
}

/// A node that is no longer believed.
#[derive(Serialize, ToSchema)]
pub struct FenceAnswer {
    /// Which.
    node: u32,
    /// Why.
    #[schema(value_type = String)]
    reason: Text<Code>,
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    recorded_at: Text<Moment>,
}

/// A token that somebody wants. What is not given stays as the store has it, or takes a default for a new store.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenBody {
    /// For which store, from 1.
    store: u32,
    /// Its name.
    name: Option<String>,
    /// Its price book.
    #[schema(value_type = Option<String>)]
    book: Option<Text<Code>>,
    /// Its group for sharing stock.
    #[schema(value_type = Option<String>)]
    group: Option<Text<Code>>,
    /// Its currency.
    #[schema(value_type = Option<String>)]
    currency: Option<Text<Currency>>,
    /// Its IANA time zone, or `local` for that of its node's machine.
    #[schema(value_type = Option<String>)]
    zone: Option<Text<Code>>,
    /// Minutes after midnight at which its day rolls over.
    rollover_min: Option<u16>,
    /// Where it is: the nearest store is looked at first when goods are reserved.
    coordinates: Option<Degrees>,
    /// For how long the token is good, at most 24 hours.
    valid_s: Option<u64>,
}

/// A token, shown once.
#[derive(Serialize, ToSchema)]
pub struct TokenAnswer {
    /// To be typed or pasted at `stockroom join`.
    token: String,
    /// The same with the hub's address behind an `@`, if the hub knows it: what the QR code holds.
    carried: String,
    /// The QR code, an SVG picture.
    qr_svg: String,
    /// The store it is for.
    store: u32,
    /// Until when it is good.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Text<Moment>,
}

/// Which links to cut.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct IsolateBody {
    /// Links to this node; to all nodes if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<u32>,
    /// False lets links come back.
    cut: bool,
}

/// Nodes of the tenant that are known here.
#[utoipa::path(get, path = "/v1/nodes", tag = "nodes", responses((status = 200, body = NodeList)))]
pub async fn list_nodes(State(api): State<Arc<Api>>) -> Answered<Json<NodeList>> {
    api.read(|books| {
        let fenced: BTreeSet<_> = books.fences()?.into_iter().map(|fence| fence.node).collect();
        let items = books.nodes()?.into_iter().map(|capability| NodeAnswer {
            node: capability.node.0,
            role: capability.role.as_str(),
            store: capability.store.0,
            issued_at: moment(capability.issued_ms),
            issuer: capability.issuer.0,
            fenced: fenced.contains(&capability.node),
        });
        Ok(Json(NodeList { items: items.collect() }))
    })
}

/// Stops believing a node. At the hub, from its own machine. Needs no key: a second fence says the same.
#[utoipa::path(post, path = "/v1/nodes/{node}/fence", tag = "nodes", params(("node" = u32, Path)),
    request_body = FenceBody, responses((status = 200, body = FenceAnswer)))]
pub async fn fence_node(
    State(api): State<Arc<Api>>,
    Segment(node): Segment<u32>,
    Body { value, .. }: Body<FenceBody>,
) -> Answered<Json<FenceAnswer>> {
    if value.reason.0.is_empty() {
        return Err(Problem::invalid("reason", "is empty"));
    }
    let command = Command::Fence { node: NodeId(node), reason: value.reason.0.clone() };
    let written = api.write(command).await.map_err(|problem| match problem.kind() {
        Kind::UnknownReference => Problem::not_found(format!("node {node} is not known here")),
        _ => problem,
    })?;
    let recorded_at = Text(Moment(written.entry.hlc.ms()));
    Ok(Json(FenceAnswer { node, reason: value.reason, recorded_at }))
}

/// Allows one node to join for a store. At the hub, from its own machine. Needs no key: a token that nobody saw expires.
#[utoipa::path(post, path = "/v1/enrolment-tokens", tag = "nodes", request_body = TokenBody,
    responses((status = 201, body = TokenAnswer)))]
pub async fn create_enrolment_token(State(api): State<Arc<Api>>, Body { value, .. }: Body<TokenBody>) -> Answered {
    if let Some(name) = &value.name {
        let checked = stockroom_crdt::ids::check_text(name, NAME_BYTES_MAX, |c| !c.is_control());
        checked.map_err(|error| Problem::invalid("name", error))?;
    }
    let order = TokenOrder {
        store: StoreId(value.store),
        name: value.name,
        book: value.book.map(|text| text.0),
        group: value.group.map(|text| text.0),
        currency: value.currency.map(|text| text.0),
        zone: value.zone.map(|text| text.0),
        rollover_min: value.rollover_min,
        coordinates: value.coordinates.map(|degrees| degrees.read("coordinates")).transpose()?,
        valid_ms: value.valid_s.map(|seconds| seconds.saturating_mul(1000)),
    };
    let issued = issue_token(&api.handle, &api.info, order).await.map_err(|error| match error {
        TokenError::Refused(refusal) => refusal.into(),
        TokenError::Ask(error) => error.into(),
        TokenError::Storage(error) => error.into(),
        error => {
            tracing::error!(%error, "no enrolment token");
            Problem::new(Kind::Storage, error.to_string())
        }
    })?;
    let qr_svg = qr::svg(&issued.carried).map_err(|error| Problem::new(Kind::Storage, error.to_string()))?;
    let expires_at = Text(Moment(issued.expires_ms));
    let answer = TokenAnswer { token: issued.text, carried: issued.carried, qr_svg, store: value.store, expires_at };
    Ok((StatusCode::CREATED, Json(answer)).into_response())
}

/// Test aid: cuts links to other nodes, or lets them come back. Only where the node was started with test aids.
#[utoipa::path(post, path = "/v1/test/isolate", tag = "test", request_body = IsolateBody,
    responses((status = 200, body = IsolateBody)))]
pub async fn isolate(
    State(api): State<Arc<Api>>,
    Body { value, .. }: Body<IsolateBody>,
) -> Answered<Json<IsolateBody>> {
    if !api.config.test_aids {
        return Err(Problem::not_found("this node was started without test aids"));
    }
    api.info.links.isolate(value.node, value.cut);
    Ok(Json(value))
}
