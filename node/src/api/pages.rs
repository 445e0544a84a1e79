//! Pages for people: what a store, a hub and whoever sets them up look at and work with, in a browser.
//!
//! A page is rendered here from what the API answers to the same person ([`ask`]); what it does goes back to the API as JSON, sent by the page's
//! script under an `Idempotency-Key`. Nothing is loaded from elsewhere, and no script or style stands in the page itself.
//!
//! | module | what it knows |
//! |---|---|
//! | [`ask`] | a request, and how a page learns what to show |
//! | [`words`], [`shown`], [`sentences`] | languages; how money, quantities, moments and ages are written; what the API says in words |
//! | [`layout`] | what stands around every page: navigation, the link's state, problems |
//! | [`cookies`] | who this browser is |
//! | [`assets`] | style, scripts, and the words that scripts say |
//! | [`live`] | telling pages that something changed |
//! | [`entry`] | signing in, pairing a device, choosing a language |
//! | [`stock`] | goods: finding, receiving, counting, transfers, corrections |
//! | [`orders`] | the queue of orders, picking, the counter, returns, deliveries |
//! | [`members`] | who somebody is, and what she may have |
//! | [`labels`], [`today`], [`day`] | labels on shelves; how the day goes; how one ended |
//! | [`hub`] | the pages of head office: fleet, orders, prices, nodes |
//! | [`link`] | what the node knows and how old it is |
//! | [`till`] | selling, for a shop without another till |

pub mod ask;
pub mod assets;
pub mod cookies;
pub mod day;
pub mod entry;
pub mod hub;
pub mod labels;
pub mod layout;
pub mod link;
pub mod live;
pub mod members;
pub mod orders;
pub mod sentences;
pub mod shown;
pub mod stock;
pub mod till;
pub mod today;
pub mod words;

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{MethodRouter, get, post};

use super::Api;
use ask::{Ask, For, Trouble};
use layout::Page;

/// What all pages share.
#[derive(Clone)]
pub struct Pages {
    api: Arc<Api>,
    /// The API's routes, behind the gate.
    v1: Router,
}

/// All pages. `v1` answers what they ask.
pub fn routes(api: &Arc<Api>, v1: Router) -> Router {
    let pages = Router::new()
        .route("/start", get(home))
        .route("/stock", shown(For::Staff, stock::page))
        .route("/stock/{sku}", shown(For::Staff, stock::one::page))
        .route("/receiving", shown(For::Staff, stock::receiving::page))
        .route("/counts", shown(For::Staff, stock::counts::page))
        .route("/counts/{session}", shown(For::Staff, stock::counts::one))
        .route("/transfers", shown(For::Staff, stock::transfers::page))
        .route("/transfers/{id}", shown(For::Staff, stock::transfers::one))
        .route("/members", shown(For::Staff, members::page))
        .route("/members/{id}", shown(For::Staff, members::one::page))
        .route("/members/{id}/report", shown(For::Staff, members::report::page))
        .route("/orders", shown(For::Staff, orders::page))
        .route("/orders/{id}", shown(For::Staff, orders::one::page))
        .route("/picking", shown(For::Staff, orders::picking::page))
        .route("/handover", shown(For::Staff, orders::handover::page))
        .route("/returns", shown(For::Staff, orders::returns::page))
        .route("/couriers", shown(For::Staff, orders::couriers::page))
        .route("/labels", shown(For::Staff, labels::page))
        .route("/today", shown(For::Staff, today::page))
        .route("/days/{number}", shown(For::Staff, day::page))
        // A browser that still shows the page on which this node was set up.
        .route("/setup", get(async || Redirect::to("/start")))
        .route("/link", shown(For::Everybody, link::page))
        .route("/till", shown(For::Staff, till::page))
        .route("/fleet", shown(For::Staff, hub::fleet::page))
        .route("/fleet/{store}", shown(For::Staff, hub::store::page))
        .route("/chain/orders", shown(For::Staff, hub::orders::page))
        .route("/chain/orders/{id}", shown(For::Staff, hub::order::page))
        .route("/chain/rights", shown(For::Staff, hub::rights::page))
        .route("/chain/stock", shown(For::Staff, hub::stock::page))
        .route("/chain/prices", shown(For::Staff, hub::prices::page))
        .route("/chain/risk", shown(For::Staff, hub::risk::page))
        .route("/enrol", shown(For::Staff, hub::enrol::page))
        .route("/security", shown(For::Staff, hub::security::page))
        .route("/sign-in", shown(For::Everybody, entry::sign_in_page))
        .route("/pair", shown(For::Everybody, entry::pair_page))
        .route("/pages/sign-in", post(entry::sign_in))
        .route("/pages/sign-out", post(entry::sign_out))
        .route("/pages/pair", post(entry::pair))
        .route("/pages/language", post(entry::choose_language))
        .route("/pages/live", get(live::follow))
        .route(assets::PATH, get(assets::show))
        .route(assets::WORKER, get(assets::worker))
        .route(assets::MANIFEST, get(assets::manifest))
        .route(assets::ICON, get(assets::icon));
    pages.with_state(Pages { api: api.clone(), v1 })
}

/// What pages may be seen without a device's token: those with which it gets one, and what they are drawn with.
pub const OPEN: [&str; 6] = ["/pair", "/pages/pair", assets::PATH, assets::WORKER, assets::MANIFEST, assets::ICON];

/// A page as a route. Whoever has to sign in first is sent there, and comes back.
fn shown<F, Fut>(who: For, page: F) -> MethodRouter<Pages>
where
    F: Fn(Ask) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<Page, Trouble>> + Send,
{
    get(move |ask: Ask| async move {
        if who == For::Staff && ask.must_sign_in() {
            let then = format!("/sign-in?then={}", ask::encoded(ask.path()));
            return Redirect::to(&then).into_response();
        }
        let made = page(ask.clone()).await;
        layout::respond(&ask, made)
    })
}

/// Where somebody begins.
async fn home(State(pages): State<Pages>, ask: Ask) -> Response {
    let path = match (pages.api.info.store, ask.must_sign_in()) {
        (0, false) => "/fleet",
        (_, true) => "/sign-in",
        (_, false) => "/till",
    };
    Redirect::to(path).into_response()
}
