//! The HTTP API under `/v1`: what a till, a handheld, a person at the console or a monitoring system may ask of a node.
//!
//! This file names the routes; each resource has a file of its own below. Handlers parse at the edge, ask the core for
//! writes through a [`Handle`], and read snapshots that never wait for commits. Every error is a problem document.
//!
//! | module | what it knows |
//! |---|---|
//! | [`limits`] | every bound, with its reason |
//! | [`server`] | the two listeners: loopback in clear, LAN over TLS |
//! | [`setup`] | the page of a box that holds no node yet |
//! | [`gate`] | what every request passes: host, token, limits, timing, headers |
//! | [`problem`] | errors |
//! | [`request`], [`idempotency`], [`values`] | taking requests apart; retries; how values are written |
//! | [`products`], [`search`], [`codes`], [`import`], [`prices`] | the catalogue |
//! | [`goods`], [`quarantine`], [`sales`], [`receipts`], [`days`] | what a store does all day |
//! | [`returns`], [`exchanges`] | goods that come back, to whichever store, and others for them |
//! | [`checkout`], [`baskets`] | baskets that this node prices, and what becomes of those that wait |
//! | [`shifts`], [`closing`] | drawers, Z reports, and whether a day is complete |
//! | [`sheets`], [`counts`] | counting: what is to be counted, scans, the reset |
//! | [`transfers`], [`transit`] | goods between stores, and how they are shown |
//! | [`stock`], [`lots`], [`stores`] | what is on the shelves here and elsewhere, and how old that knowledge is |
//! | [`reservations`], [`promises`], [`availability`], [`tasks`] | goods that are kept for customers |
//! | [`orders`] | what customers order, and what becomes of it; passes, rules, notifications |
//! | [`fulfillments`] | what a store has to do for orders: queue, picking, handing over |
//! | [`rights`], [`trail`], [`policies`], [`decrees`] | who may promise how many, and why |
//! | [`papers`] | labels, tags, pick lists and receipts, for a browser or the shop's printer |
//! | [`labels`] | labels on shelves that show another price |
//! | [`settlement`] | what was sold for whom, and whether an acquirer agrees |
//! | [`staff`], [`who`] | who works here, signing in, approvals; who asks, and what she may do |
//! | [`loyalty`] | points, campaigns and coupons |
//! | [`till_rules`] | taxes, promotions, hours of sale, and what else tills follow |
//! | [`members`], [`notes`] | who somebody is, who read it, and what people write down about members, orders, stores and products |
//! | [`figures`] | how well orders are served |
//! | [`couriers`], [`riders`] | who brings orders to customers |
//! | [`near`] | where stores are |
//! | [`trust`] | whom a device has to trust before it believes the pages |
//! | [`fleet`], [`rollout`], [`risk`] | all stores at a glance: in sync or not, late prices, promises at risk |
//! | [`nodes`], [`status`], [`backup`], [`events`], [`exports`], [`metrics`], [`webhooks`] | running a node |
//! | [`security`] | what the node noticed that somebody should know |
//! | [`devices`] | tills and handhelds |
//! | [`pages`] | the same for people, in a browser |
//! | [`openapi`] | the description of all this, made from the code |

// utoipa's macro qualifies the types that stand in params(), and the lint blames the place where they are named.
#![allow(unused_qualifications)]

pub mod limits;

pub mod gate;
pub mod server;
pub mod setup;

pub mod problem;

pub mod idempotency;
pub mod request;
pub mod values;

pub mod codes;
pub mod import;
pub mod prices;
pub mod products;
pub mod search;

pub mod baskets;
pub mod checkout;
pub mod closing;
pub mod days;
pub mod exchanges;
pub mod goods;
pub mod quarantine;
pub mod receipts;
pub mod returns;
pub mod sales;
pub mod shifts;

pub mod counts;
pub mod sheets;

pub mod transfers;
pub mod transit;

pub mod availability;
pub mod lots;
pub mod promises;
pub mod reservations;
pub mod tasks;

pub mod fulfillments;
pub mod orders;

pub mod labels;
pub mod papers;

pub mod settlement;

pub mod couriers;
pub mod riders;

pub mod till_catalogue;
pub mod till_rules;

pub mod loyalty;

pub mod decrees;
pub mod policies;
pub mod rights;
pub mod trail;

pub mod staff;
pub mod who;

pub mod members;
pub mod notes;

pub mod figures;

pub mod fleet;
pub mod homes;
pub mod near;
pub mod risk;
pub mod rollout;
pub mod stock;
pub mod stores;

pub mod backup;
pub mod devices;
pub mod events;
pub mod exports;
pub mod metrics;
pub mod nodes;
pub mod security;
pub mod status;
pub mod trust;
pub mod webhooks;

pub mod pages;

pub mod openapi;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use stockroom_core::input::{Answer, Command};
use stockroom_core::storage::Snapshot;
use stockroom_core::view::View;
use stockroom_crdt::entry::Entry;
use stockroom_crdt::ids::StoreId;
use tokio::sync::{Semaphore, broadcast, watch};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::handle::Handle;
use crate::info::{ApiConfig, NodeInfo};
use crate::reads::Reads;
use crate::staff::People;
use problem::{Answered, Kind, Problem};

pub use server::{Listeners, ServeError, serve};

/// What all handlers share.
pub struct Api {
    handle: Handle,
    info: NodeInfo,
    config: ApiConfig,
    metrics: metrics::Metrics,
    openapi: bytes::Bytes,
    requests: Semaphore,
    streams: Arc<Semaphore>,
    told: broadcast::Sender<events::ApiEvent>,
    scans: std::sync::Mutex<fulfillments::scans::Scans>,
    code_misses: fulfillments::find::Misses,
    people: People,
    reads: Reads,
    security: security::SecurityLog,
    stopping: watch::Receiver<bool>,
}

/// What a handler reads: the books at one commit.
pub type Books<'a> = View<'a, dyn Snapshot>;

impl Api {
    /// The state of an API that ends its streams when `stopping` says so.
    pub fn new(handle: Handle, info: NodeInfo, config: ApiConfig, stopping: watch::Receiver<bool>) -> Arc<Self> {
        let metrics = metrics::Metrics::new(&handle, &info, &config.webhooks);
        let requests = Semaphore::new(limits::REQUESTS_MAX);
        let streams = Arc::new(Semaphore::new(limits::STREAMS_MAX));
        let openapi = openapi::document().to_json().expect("a description made of text is JSON").into();
        let (told, _) = broadcast::channel(limits::TOLD_MAX);
        let reads = Reads::new(&info.data_dir);
        let security = security::SecurityLog::open(&info.data_dir);
        config.webhooks.announce_to(told.clone());
        config.desk.announce_to(told.clone());
        Arc::new(Self {
            handle,
            info,
            config,
            metrics,
            openapi,
            requests,
            streams,
            told,
            scans: Default::default(),
            code_misses: Default::default(),
            people: People::default(),
            reads,
            security,
            stopping,
        })
    }

    /// Reads a few rows of the last commit.
    fn read<T>(&self, ask: impl FnOnce(&Books<'_>) -> Answered<T>) -> Answered<T> {
        let snapshot = self.handle.snapshot()?;
        ask(&View::new(&*snapshot))
    }

    /// Reads many rows, off the threads that serve requests.
    async fn read_much<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&Books<'_>) -> Answered<T> + Send + 'static,
    ) -> Answered<T> {
        let snapshot = self.handle.snapshot()?;
        let reading = tokio::task::spawn_blocking(move || ask(&View::new(&*snapshot)));
        reading.await.map_err(|_| Problem::new(Kind::Storage, "the node failed while it read its database"))?
    }

    /// Tells those who follow the events; nobody may.
    fn tell(&self, event: events::ApiEvent) {
        let _ = self.told.send(event);
    }

    /// Asks the core to write, and waits until that is durable.
    async fn ask(&self, command: Command) -> Answered<Answer> {
        Ok(self.handle.ask(command).await??)
    }

    /// Asks the core to write one entry: the entry, and whether an earlier try had written it.
    async fn write(&self, command: Command) -> Answered<Written> {
        match self.ask(command).await? {
            Answer::Written { place, replayed } => {
                let entry = self.read(|books| Ok(books.entry(place)?))?;
                let entry = entry.ok_or_else(|| Problem::new(Kind::Storage, "an entry that was written is gone"))?;
                Ok(Written { entry, replayed })
            }
            answer => unexpected(&answer),
        }
    }

    /// The store whose goods this node keeps.
    fn own_store(&self) -> Answered<StoreId> {
        let hub = || Problem::new(Kind::NotHere, "this node is a hub and holds no goods: ask the store's node");
        (self.info.store != 0).then_some(StoreId(self.info.store)).ok_or_else(hub)
    }

    /// The store that a read is about: the one it names, or this node's own.
    fn store_or_own(&self, named: Option<u32>) -> Answered<StoreId> {
        match named {
            Some(store) => Ok(StoreId(store)),
            None if self.info.store != 0 => Ok(StoreId(self.info.store)),
            None => Err(Problem::invalid("store", "is needed at a hub")),
        }
    }
}

/// An entry that a write made.
struct Written {
    entry: Entry,
    replayed: bool,
}

/// The core answered something that the command cannot have asked for.
fn unexpected<T>(answer: &Answer) -> Answered<T> {
    tracing::error!(?answer, "unexpected answer of the core");
    Err(Problem::new(Kind::Storage, "the node answered something else than was asked"))
}

/// An entry holds another fact than the command that wrote it.
fn unexpected_entry<T>() -> Answered<T> {
    Err(Problem::new(Kind::Storage, "an entry holds something else than was written"))
}

/// Every route, with its description.
pub fn routes() -> OpenApiRouter<Arc<Api>> {
    let import = OpenApiRouter::new()
        .routes(routes!(import::import_products))
        .routes(routes!(settlement::match_settlement))
        .layer(DefaultBodyLimit::max(limits::IMPORT_BYTES_MAX));
    OpenApiRouter::with_openapi(openapi::head())
        .routes(routes!(products::list_products, products::create_product))
        .routes(routes!(products::show_product, products::replace_product))
        .routes(routes!(search::search))
        .routes(routes!(products::set_recall))
        .routes(routes!(codes::scan_code))
        .routes(routes!(codes::set_template))
        .routes(routes!(prices::list_prices, prices::set_prices))
        .routes(routes!(goods::create_goods_receipt))
        .routes(routes!(goods::create_adjustment))
        .routes(routes!(sales::create_sale))
        .routes(routes!(sales::show_sale))
        .routes(routes!(checkout::checkout))
        .routes(routes!(baskets::list_baskets))
        .routes(routes!(baskets::show_basket))
        .routes(routes!(baskets::act_on_basket))
        .routes(routes!(baskets::say_of_tender))
        .routes(routes!(receipts::show_receipt))
        .routes(routes!(receipts::void_receipt))
        .routes(routes!(returns::create_return))
        .routes(routes!(returns::show_return))
        .routes(routes!(returns::pay_return))
        .routes(routes!(returns::sign_receipt))
        .routes(routes!(exchanges::create_exchange))
        .routes(routes!(receipts::show_till))
        .routes(routes!(quarantine::decide_quarantine))
        .routes(routes!(transfers::list_transfers, transfers::create_transfer))
        .routes(routes!(transfers::show_transfer))
        .routes(routes!(transfers::ship_transfer))
        .routes(routes!(transfers::receive_transfer))
        .routes(routes!(sheets::create_count, sheets::list_counts))
        .routes(routes!(sheets::show_count))
        .routes(routes!(counts::create_scan))
        .routes(routes!(counts::close_count))
        .routes(routes!(days::list_days))
        .routes(routes!(days::open_day))
        .routes(routes!(days::close_day))
        .routes(routes!(shifts::list_shifts, shifts::open_shift))
        .routes(routes!(shifts::move_cash))
        .routes(routes!(shifts::close_shift))
        .routes(routes!(shifts::show_shift))
        .routes(routes!(shifts::report::show_report, shifts::report::print_report))
        .routes(routes!(closing::show_certificate))
        .routes(routes!(stock::list_stock))
        .routes(routes!(stock::show_stock))
        .routes(routes!(stock::show_history))
        .routes(routes!(lots::show_lots))
        .routes(routes!(lots::list_expiring))
        .routes(routes!(promises::list_reservations, reservations::create_reservation))
        .routes(routes!(promises::show_reservation))
        .routes(routes!(reservations::step_reservation))
        .routes(routes!(availability::show_availability))
        .routes(routes!(orders::list::list_orders, orders::place::create_order))
        .routes(routes!(orders::show::show_order))
        .routes(routes!(orders::tracking::track_order))
        .routes(routes!(orders::money::pay_order))
        .routes(routes!(orders::money::redress_order))
        .routes(routes!(orders::pass::issue_pass))
        .routes(routes!(orders::say::say_of_order))
        .routes(routes!(orders::pass::verify_pass))
        .routes(routes!(orders::rules::list_routing, orders::rules::set_routing))
        .routes(routes!(orders::rules::list_limits, orders::rules::set_limits))
        .routes(routes!(orders::rules::list_service, orders::rules::set_service))
        .routes(routes!(till_catalogue::show_till_catalogue))
        .routes(routes!(till_rules::list_tills, till_rules::set_tills))
        .routes(routes!(till_rules::list_hours, till_rules::set_hours))
        .routes(routes!(till_rules::list_taxes, till_rules::set_tax))
        .routes(routes!(till_rules::promotions::list_promotions, till_rules::promotions::set_promotion))
        .routes(routes!(loyalty::show_programme, loyalty::set_programme))
        .routes(routes!(loyalty::campaigns::list_campaigns, loyalty::campaigns::set_campaign))
        .routes(routes!(loyalty::campaigns::show_campaign))
        .routes(routes!(loyalty::campaigns::list_codes))
        .routes(routes!(loyalty::campaigns::issue_coupons))
        .routes(routes!(loyalty::coupons::show_coupon))
        .routes(routes!(loyalty::coupons::act_on_coupon))
        .routes(routes!(loyalty::points::show_points))
        .routes(routes!(loyalty::points::act_on_points))
        .routes(routes!(couriers::take_callback))
        .routes(routes!(couriers::list_deliveries))
        .routes(routes!(couriers::show_delivery))
        .routes(routes!(couriers::decide_delivery))
        .routes(routes!(couriers::locate_delivery))
        .routes(routes!(riders::list_riders, riders::enter_rider))
        .routes(routes!(riders::allow_rider, riders::forbid_rider))
        .routes(routes!(riders::show_sheet, riders::print_sheet))
        .routes(routes!(riders::show_page))
        .routes(routes!(riders::take_act))
        .routes(routes!(riders::locate_rider))
        .routes(routes!(fulfillments::list_fulfillments))
        .routes(routes!(fulfillments::show_fulfillment))
        .routes(routes!(fulfillments::show_contact))
        .routes(routes!(fulfillments::act::act_on_fulfillment))
        .routes(routes!(fulfillments::find::find_pickups))
        .routes(routes!(fulfillments::lists::show_pick_list))
        .routes(routes!(papers::show_part_sheet))
        .routes(routes!(papers::print_part))
        .routes(routes!(papers::print_pick_list))
        .routes(routes!(papers::show_receipt_sheet))
        .routes(routes!(papers::print_receipt))
        .routes(routes!(labels::labels_done))
        .routes(routes!(labels::show_labels))
        .routes(routes!(labels::print_labels))
        .routes(routes!(settlement::show_settlement))
        .routes(routes!(rights::show_rights))
        .routes(routes!(policies::list_policies, policies::set_policy, policies::remove_policy))
        .routes(routes!(decrees::create_consent))
        .routes(routes!(decrees::write_off_node))
        .routes(routes!(tasks::list_tasks))
        .routes(routes!(staff::list_staff))
        .routes(routes!(staff::set_staff))
        .routes(routes!(staff::sign_in))
        .routes(routes!(staff::sign_out))
        .routes(routes!(staff::approve))
        .routes(routes!(members::enrol_member))
        .routes(routes!(members::find_member))
        .routes(routes!(members::show_question))
        .routes(routes!(members::audit::list_reads))
        .routes(routes!(members::show_member))
        .routes(routes!(members::report_member))
        .routes(routes!(members::deeds::set_member_value))
        .routes(routes!(members::deeds::remove_member_value))
        .routes(routes!(members::deeds::set_member_consent))
        .routes(routes!(members::deeds::link_member))
        .routes(routes!(members::deeds::unlink_member))
        .routes(routes!(members::deeds::erase_member))
        .routes(routes!(notes::show_note, notes::edit_note))
        .routes(routes!(figures::show_figures))
        .routes(routes!(exports::export_outages))
        .routes(routes!(exports::export_sales))
        .routes(routes!(stores::list_stores))
        .routes(routes!(stores::show_store))
        .routes(routes!(homes::show_home, homes::promote_node))
        .routes(routes!(fleet::show_fleet))
        .routes(routes!(fleet::show_feeds))
        .routes(routes!(rollout::show_rollout))
        .routes(routes!(risk::show_risk))
        .routes(routes!(risk::pause_stores))
        .routes(routes!(security::list_security_events))
        .routes(routes!(nodes::list_nodes))
        .routes(routes!(nodes::fence_node))
        .routes(routes!(nodes::create_enrolment_token))
        .routes(routes!(nodes::isolate))
        .routes(routes!(devices::list_devices, devices::add_device))
        .routes(routes!(devices::revoke_device))
        .routes(routes!(backup::download_backup, backup::create_backup))
        .routes(routes!(status::show_status))
        .routes(routes!(events::follow_events))
        .routes(routes!(webhooks::list_webhooks, webhooks::create_webhook))
        .routes(routes!(webhooks::show_webhook, webhooks::remove_webhook))
        .routes(routes!(webhooks::act_on_webhook))
        .routes(routes!(metrics::show_metrics))
        .routes(routes!(trust::download_authority))
        .routes(routes!(status::healthz))
        .routes(routes!(status::readyz))
        .routes(routes!(openapi::index))
        .routes(routes!(openapi::show_openapi))
        .routes(routes!(openapi::list_problems))
        .routes(routes!(openapi::show_problem))
        .layer(DefaultBodyLimit::max(limits::BODY_BYTES_MAX))
        .merge(import)
}

/// The API behind one of its doors.
pub fn router(api: &Arc<Api>, door: gate::Door) -> Router {
    let (v1, _) = routes().split_for_parts();
    let v1 = v1.with_state(api.clone());
    let gate = gate::Gate { api: api.clone(), door };
    v1.clone()
        .merge(pages::routes(api, v1))
        .fallback(no_path)
        .method_not_allowed_fallback(no_method)
        .layer(axum::middleware::from_fn_with_state(gate, gate::pass))
}

async fn no_path() -> Problem {
    Problem::not_found("there is no such path; /openapi.json lists all of them")
}

async fn no_method() -> Problem {
    Problem::new(Kind::MethodNotAllowed, "the header Allow lists the methods of this path")
}
