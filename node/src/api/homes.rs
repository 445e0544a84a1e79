//! The nodes of a store, and which of them keeps its goods; a manager's decree that another one does.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use stockroom_core::input::Command;
use stockroom_core::input::enrolment::HomeRequest;
use stockroom_crdt::capability::Role;
use stockroom_crdt::entry::Fact;
use stockroom_crdt::ids::{Code, NodeId, StoreId};
use utoipa::ToSchema;

use super::idempotency::{KeyHeader, Keyed, created};
use super::problem::{Answered, Kind, Problem};
use super::request::Segment;
use super::values::{Moment, Text, moment};
use super::{Api, unexpected_entry};

/// Path of a store's home.
pub const PATH: &str = "/v1/stores/{store}/home";

/// The node that keeps a store's goods, and the others that could.
#[derive(Serialize, ToSchema)]
pub struct HomeAnswer {
    /// The store.
    store: u32,
    /// The node that keeps its goods: it alone makes rights to promise them. 0 while there is none.
    home: u32,
    /// Grows with every change of home.
    term: u32,
    /// The store's nodes, as far as they are known here.
    nodes: Vec<HomeNode>,
}

/// A node of a store.
#[derive(Serialize, ToSchema)]
pub struct HomeNode {
    /// Its id.
    node: u32,
    /// It is the home.
    home: bool,
    /// A link between it and this node is up, or it is this node.
    connected: bool,
    /// It is no longer believed, and cannot be the home.
    fenced: bool,
    /// When it was let in.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    issued_at: Option<Text<Moment>>,
    /// The version of the program that it started last, as far as it is known here.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "0.1.0")]
    version: Option<Text<Code>>,
    /// When it started that, on its own clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    started_at: Option<Text<Moment>>,
}

/// Which node shall be the home.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PromoteBody {
    /// A node of the store.
    node: u32,
    /// Why: broken, replaced, moved.
    #[schema(value_type = String)]
    reason: Text<Code>,
    /// Who decides it.
    #[serde(default)]
    #[schema(value_type = String)]
    staff: Text<Code>,
    /// How many units the store's other nodes may have promised that nobody knows of. Without it, or with another number, the request is
    /// refused if there are any, and the problem names the number.
    accept: Option<u64>,
}

/// A node that is the home now.
#[derive(Serialize, ToSchema)]
pub struct PromoteAnswer {
    /// The store.
    store: u32,
    /// The node.
    home: u32,
    /// The term that begins.
    term: u32,
    /// Units at risk that were accepted.
    accepted: u64,
    /// When it was written down.
    #[schema(value_type = String, format = DateTime)]
    recorded_at: Text<Moment>,
}

/// The nodes of a store, and which of them keeps its goods.
#[utoipa::path(get, path = "/v1/stores/{store}/home", tag = "stores", params(("store" = u32, Path)),
    responses((status = 200, body = HomeAnswer)))]
pub async fn show_home(State(api): State<Arc<Api>>, Segment(store): Segment<u32>) -> Answered<Json<HomeAnswer>> {
    let status = api.handle.status();
    let linked = |node| node == status.node || status.peers.iter().any(|peer| peer.node == node && peer.ready);
    api.read(|books| {
        let record = books.store(StoreId(store))?.ok_or_else(|| unknown(store))?;
        let fenced: Vec<_> = books.fences()?.into_iter().map(|fence| fence.node).collect();
        let nodes = books.nodes()?.into_iter().filter(|known| known.role == Role::Store && known.store == record.store);
        let nodes = nodes.map(|known| {
            let program = books.program(record.store, known.node)?;
            Ok(HomeNode {
                node: known.node.0,
                home: known.node == record.home,
                connected: linked(known.node),
                fenced: fenced.contains(&known.node),
                issued_at: moment(known.issued_ms),
                started_at: program.as_ref().and_then(|program| moment(program.started.ms())),
                version: program.map(|program| Text(program.version)),
            })
        });
        let nodes = nodes.collect::<Answered<_>>()?;
        Ok(Json(HomeAnswer { store, home: record.home.0, term: record.term, nodes }))
    })
}

/// Makes a node the home of its store's goods, under a new term. At the hub, from its own machine. The store's other nodes give their rights
/// up: one that is there goes on selling, and promises nothing by itself any more. When they hold rights the first try is refused
/// and names the risk; `accept` repeats it.
#[utoipa::path(post, path = "/v1/stores/{store}/home", tag = "stores", params(("store" = u32, Path), KeyHeader),
    request_body = PromoteBody, responses((status = 201, body = PromoteAnswer)))]
pub async fn promote_node(
    State(api): State<Arc<Api>>,
    Segment(store): Segment<u32>,
    Keyed { value, retry }: Keyed<PromoteBody>,
) -> Answered {
    if value.reason.0.is_empty() {
        return Err(Problem::invalid("reason", "is empty"));
    }
    let accepted = value.accept.unwrap_or(0);
    let request = HomeRequest {
        store: StoreId(store),
        node: NodeId(value.node),
        reason: value.reason.0,
        staff: value.staff.0,
        accept: value.accept,
    };
    let known = api.read(|books| Ok(books.store(StoreId(store))?.is_some()))?;
    let written = api.write(Command::Promote(retry, request)).await.map_err(|problem| match problem.kind() {
        Kind::UnknownReference if !known => unknown(store),
        _ => problem,
    })?;
    let recorded_at = Text(Moment(written.entry.hlc.ms()));
    let Fact::Store(record) = written.entry.fact else { return unexpected_entry() };
    let answer = PromoteAnswer { store, home: record.home.0, term: record.term, accepted, recorded_at };
    Ok(created(written.replayed, answer))
}

fn unknown(store: u32) -> Problem {
    Problem::not_found(format!("store {store} is not known here"))
}
