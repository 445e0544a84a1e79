//! The description of the API, made from the code that serves it, and the index for somebody who looks around.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Serialize;
use utoipa::openapi::path::Operation;
use utoipa::openapi::{ContentBuilder, OpenApi, Ref, ResponseBuilder};
use utoipa::{OpenApi as _, ToSchema};

use super::Api;
use super::problem::{Answered, Kind, MEDIA_TYPE, Problem, ProblemDocument, ProblemType, registry};

/// Where to go from here.
#[derive(Serialize, ToSchema)]
pub struct Index {
    /// The tenant's name.
    name: String,
    /// This node.
    node: u32,
    /// `hub` or `store`.
    role: &'static str,
    /// Its store, 0 for a hub.
    store: u32,
    /// The description of the API.
    openapi: &'static str,
    /// The truth about this node.
    status: &'static str,
    /// Every problem type.
    problems: &'static str,
}

#[derive(utoipa::OpenApi)]
#[openapi(
    info(title = "Stockroom", description = "The node in a store's back room, and its hub.", license(identifier = "Apache-2.0 OR MIT")),
    components(schemas(ProblemDocument)),
    tags(
        (name = "catalogue", description = "Products, prices, recalls: written at the hub"),
        (name = "sales", description = "Tills: a sale is its own retry key"),
        (name = "checkout", description = "Baskets that the node prices: quoted, paid, suspended, slips of counters, payment terminals"),
        (name = "goods", description = "Goods that come in, corrections, quarantine"),
        (name = "transfers", description = "Goods on their way between stores"),
        (name = "counts", description = "Stock counts"),
        (name = "days", description = "Business days"),
        (name = "labels", description = "Labels on shelves that have to be changed"),
        (name = "settlement", description = "What was sold for whom, and whether an acquirer's file agrees"),
        (name = "shifts", description = "Drawers of tills: taken, counted blind, given back"),
        (name = "stock", description = "Stock on hand, and why; lots, and what expires"),
        (name = "reservations", description = "Goods kept for customers: promised once, from rights that a node holds"),
        (name = "orders", description = "What customers order: placed at a hub, promised from rights that it holds, and how well they are served"),
        (name = "deliveries", description = "Who brings orders to customers: courier services and own riders"),
        (name = "fulfillments", description = "What a store has to do for orders: accept, pick, pack, hand over, deliver"),
        (name = "order rules", description = "How orders are routed, how long things may take, when stores are open"),
        (name = "till rules", description = "Taxes, promotions, hours of sale, and what else tills follow"),
        (name = "loyalty", description = "Points, campaigns and coupons: what members earn and spend, and who pays for what a coupon gives"),
        (name = "staff", description = "Who works here, signing in with a PIN, approvals by a manager"),
        (name = "members", description = "Who somebody is: enrolled, found by scan, joined, forgotten; and who read it"),
        (name = "notes", description = "What people write down about members, orders, stores and products, merged where several write at once"),
        (name = "stores", description = "Other stores, with the age of what is known of them"),
        (name = "nodes", description = "Running the tenant's nodes"),
        (name = "status", description = "The truth about this node"),
        (name = "test", description = "Test aids"),
    )
)]
struct Head;

/// The part of the description that belongs to no route.
pub fn head() -> OpenApi {
    Head::openapi()
}

/// The whole description: every route may also answer a problem.
pub fn document() -> OpenApi {
    let mut document = super::routes().into_openapi();
    for item in document.paths.paths.values_mut() {
        let operations = [&mut item.get, &mut item.post, &mut item.put, &mut item.delete, &mut item.patch];
        operations.into_iter().flatten().for_each(may_fail);
    }
    document
}

fn may_fail(operation: &mut Operation) {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    let problem = ResponseBuilder::new().description("A problem (RFC 9457)").content(MEDIA_TYPE, content).build();
    operation.responses.responses.entry("default".into()).or_insert(problem.into());
}

/// This node, and where to go from here. A browser is led to the pages.
#[utoipa::path(get, path = "/", tag = "status", responses((status = 200, body = Index)))]
pub async fn index(State(api): State<Arc<Api>>, headers: HeaderMap) -> Response {
    let accepts = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if accepts.contains("text/html") {
        return Redirect::to("/start").into_response();
    }
    Json(Index {
        name: api.info.name.clone(),
        node: api.info.node,
        role: api.info.role,
        store: api.info.store,
        openapi: "/openapi.json",
        status: "/v1/status",
        problems: "/problems",
    })
    .into_response()
}

/// This description.
#[utoipa::path(get, path = "/openapi.json", tag = "status", responses((status = 200, body = Object)))]
pub async fn show_openapi(State(api): State<Arc<Api>>) -> Answered {
    Ok(([(header::CONTENT_TYPE, "application/json")], api.openapi.clone()).into_response())
}

/// Every problem type that this API answers.
#[utoipa::path(get, path = "/problems", tag = "status", responses((status = 200, body = Vec<ProblemType>)))]
pub async fn list_problems() -> Json<Vec<ProblemType>> {
    Json(registry())
}

/// One problem type: where its `type` leads.
#[utoipa::path(get, path = "/problems/{name}", tag = "status", params(("name" = String, Path)),
    responses((status = 200, body = ProblemType)))]
pub async fn show_problem(
    super::request::Segment(name): super::request::Segment<String>,
) -> Answered<Json<ProblemType>> {
    let uri = format!("/problems/{name}");
    let found = registry().into_iter().find(|row| row.uri() == uri);
    found.map(Json).ok_or_else(|| Problem::new(Kind::NotFound, "there is no such problem type"))
}
