//! Promises at risk: what is due soon at stores that nobody has heard of, and giving such stores nothing new.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use stockroom_core::input::Command;
use stockroom_crdt::control::StoreRecord;
use stockroom_crdt::ids::{Code, Sku, StoreId};
use stockroom_crdt::money::{Currency, Unit};
use stockroom_crdt::order::OrderId;
use stockroom_crdt::order::resolve::resolve;
use stockroom_crdt::order::rules::hours::StoreService;
use stockroom_crdt::product::Channel;
use stockroom_crdt::stock::promise::PromiseId;
use utoipa::{IntoParams, ToSchema};

use super::idempotency::{KeyHeader, Keyed, done, part_of};
use super::limits::PAGE_MAX;
use super::problem::{Answered, Problem};
use super::request::Params;
use super::stores::Knowledge;
use super::values::{Moment, Text, now_ms};
use super::{Api, Books};

/// What is due at stores that cannot be asked.
#[derive(Serialize, ToSchema)]
pub struct RiskAnswer {
    /// Due until then.
    #[schema(value_type = String, format = DateTime)]
    by: Text<Moment>,
    /// Stores, the one with the most at risk first. A store is here while no link to it is up, or because it takes nothing new.
    stores: Vec<StoreRisk>,
    /// There was more than one answer holds: the figures are too low.
    is_cut: bool,
}

/// What is due at one store.
#[derive(Serialize, ToSchema)]
pub struct StoreRisk {
    /// Which store, and how old what is known of it is.
    #[serde(flatten)]
    knowledge: Knowledge,
    /// Its name.
    name: String,
    /// Of all amounts.
    #[schema(value_type = String)]
    currency: Text<Currency>,
    /// Its goods are offered to no new order.
    paused: bool,
    /// What it has of orders.
    orders: Vec<OrderRisk>,
    /// What it keeps for others than orders that are known here.
    reservations: Vec<ReservationRisk>,
    /// Minor units of orders that are at risk.
    value: i64,
}

/// A part of an order at a store that cannot be asked.
#[derive(Serialize, ToSchema)]
pub struct OrderRisk {
    /// Which order.
    #[schema(value_type = String)]
    order: Text<OrderId>,
    /// Which offer of it.
    generation: u16,
    /// Where it stands, as far as it is known here.
    state: &'static str,
    /// `pickup` or `delivery`.
    #[schema(value_type = String)]
    channel: Text<Channel>,
    /// When it is due.
    #[schema(value_type = String, format = DateTime)]
    due: Text<Moment>,
    /// Units that may still get to the customer.
    units: i64,
    /// What they cost, minor units.
    value: i64,
    /// The store never answered: it may be offered elsewhere without asking it.
    unanswered: bool,
}

/// Goods that are kept at a store that cannot be asked.
#[derive(Serialize, ToSchema)]
pub struct ReservationRisk {
    /// Its name.
    #[schema(value_type = String)]
    id: Text<PromiseId>,
    /// What.
    #[schema(value_type = String)]
    sku: Text<Sku>,
    /// Its unit.
    #[schema(value_type = String)]
    unit: Text<Unit>,
    /// Pieces or grams.
    quantity: u64,
    /// For what.
    #[schema(value_type = String)]
    reference: Text<Code>,
    /// When the customer wants the goods, or when it ends.
    #[schema(value_type = String, format = DateTime)]
    due: Text<Moment>,
}

/// Until when.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RiskParams {
    /// Due until then; four hours from now if absent.
    #[param(value_type = Option<String>, format = DateTime)]
    by: Option<Text<Moment>>,
}

/// Stores that shall take nothing new, or take it again.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PauseBody {
    /// Which stores, 1 to 1,000.
    stores: Vec<u32>,
    /// True: no new order is offered to them. False: they take as much as the routing rules allow.
    paused: bool,
}

/// Stores of which it was said.
#[derive(Serialize, ToSchema)]
pub struct PauseAnswer {
    /// Which.
    stores: Vec<u32>,
    /// What holds now.
    paused: bool,
}

/// Path of pausing.
pub const PAUSE: &str = "/v1/order-rules/pause";

/// What was promised and is due at stores that cannot be asked now. At a hub.
#[utoipa::path(get, path = "/v1/risk", tag = "orders", params(RiskParams), responses((status = 200, body = RiskAnswer)))]
pub async fn show_risk(State(api): State<Arc<Api>>, Params(params): Params<RiskParams>) -> Answered<Json<RiskAnswer>> {
    let by = params.by.map_or_else(|| now_ms() + AHEAD_MS, |by| by.0.0);
    let shared = api.clone();
    let read = move |books: &Books<'_>| {
        let paused: Vec<_> = books.order_rules()?.2.into_iter().filter(is_paused).map(|held| held.store).collect();
        let mut answer = RiskAnswer { by: Text(Moment(by)), stores: Vec::new(), is_cut: false };
        for record in books.stores()? {
            let Ok(knowledge) = Knowledge::of(&shared, record.store) else { continue };
            let paused = paused.contains(&record.store);
            if knowledge.is_connected() && !paused {
                continue;
            }
            let (orders, orders_cut) = orders(books, &record, by)?;
            let (reservations, cut) = reservations(books, &record, by)?;
            // A store that never joined has nothing that could be at risk.
            if knowledge.age_s().is_none() && orders.is_empty() && reservations.is_empty() && !paused {
                continue;
            }
            answer.is_cut |= orders_cut || cut;
            let value = orders.iter().fold(0, |sum: i64, order| sum.saturating_add(order.value));
            let (name, currency) = (record.name, Text(record.currency));
            answer.stores.push(StoreRisk { knowledge, name, currency, paused, orders, reservations, value });
        }
        answer.stores.sort_by_key(|store| std::cmp::Reverse((store.value, store.reservations.len())));
        Ok(Json(answer))
    };
    api.read_much(read).await
}

/// Lets stores take no new orders, or take them again. At the hub, from its own machine. What they have stays theirs; their hours stay as they are.
#[utoipa::path(post, path = "/v1/order-rules/pause", tag = "order rules", params(KeyHeader), request_body = PauseBody,
    responses((status = 200, body = PauseAnswer)))]
pub async fn pause_stores(State(api): State<Arc<Api>>, Keyed { value, retry }: Keyed<PauseBody>) -> Answered {
    let PauseBody { mut stores, paused } = value;
    stores.sort_unstable();
    stores.dedup();
    if !(1..=PAGE_MAX).contains(&stores.len()) {
        return Err(Problem::invalid("stores", "name no store, or more than a thousand"));
    }
    let held = api.read(|books| {
        let unknown = |store: u32| Problem::unknown("stores", format_args!("no such store: {store}"));
        for store in &stores {
            books.store(StoreId(*store))?.ok_or_else(|| unknown(*store))?;
        }
        Ok(books.order_rules()?.2)
    })?;
    let mut replayed = true;
    for (index, store) in stores.iter().enumerate() {
        let kept = held.iter().find(|service| service.store.0 == *store).cloned();
        let kept = kept.unwrap_or_else(|| StoreService::always_open(StoreId(*store)));
        if is_paused(&kept) == paused {
            continue;
        }
        let service = StoreService { parts_per_day: paused.then_some(0), ..kept };
        let written = api.write(Command::Service(part_of(retry, "pause", index), Box::new(service))).await?;
        replayed &= written.replayed;
    }
    Ok(done(replayed, PauseAnswer { stores, paused }))
}

fn is_paused(service: &StoreService) -> bool {
    service.parts_per_day == Some(0)
}

fn orders(books: &Books<'_>, record: &StoreRecord, by: u64) -> Answered<(Vec<OrderRisk>, bool)> {
    let works = books.works(record.store, None, WORKS_MAX)?;
    let is_cut = works.len() == WORKS_MAX;
    let mut out = Vec::new();
    for work in works.into_iter().filter(|work| work.due_ms <= by) {
        let known = books.order(work.order)?;
        let (Some(order), Some(outcome)) = (&known.order, resolve(&known)) else { continue };
        let is_meant = |store: StoreId, generation: u16| store == record.store && generation == work.generation;
        let parts = outcome.fulfillments.iter().filter(|part| is_meant(part.store, part.generation));
        for part in parts.filter(|part| part.state.is_open() && !part.withdrawn) {
            let left = part.lines.iter().map(|line| (line.offered.line, line.open()));
            let units = left.clone().map(|(_, units)| units).sum();
            let value = left.filter_map(|(line, units)| Some(order.lines.get(usize::from(line))?.amount(units)));
            out.push(OrderRisk {
                order: Text(work.order),
                generation: work.generation,
                state: part.state.as_str(),
                channel: Text(order.channel),
                due: Text(Moment(work.due_ms)),
                units,
                value: value.fold(0, i64::saturating_add),
                unanswered: !part.state.is_taken(),
            });
        }
    }
    Ok((out, is_cut))
}

/// Open promises without an order that is known here: those of orders are counted there.
fn reservations(books: &Books<'_>, record: &StoreRecord, by: u64) -> Answered<(Vec<ReservationRisk>, bool)> {
    let mut out = Vec::new();
    let mut after = None;
    for _ in 0..PROMISE_PAGES_MAX {
        let page = books.promises(record.store, after, PAGE_MAX)?;
        let Some((last, _)) = page.last() else { return Ok((out, false)) };
        after = Some(*last);
        for (id, held) in page {
            let Some(promise) = held.promise.as_ref().filter(|_| held.state().is_open()) else { continue };
            // A promise for an order needs no confirmation: it has no end of its own.
            let due = if promise.wanted_ms > 0 { promise.wanted_ms } else { promise.until_ms };
            if promise.until_ms == 0 || due > by {
                continue;
            }
            out.push(ReservationRisk {
                id: Text(id),
                sku: Text(promise.account.sku.clone()),
                unit: Text(promise.account.unit),
                quantity: promise.quantity,
                reference: Text(promise.reference.clone()),
                due: Text(Moment(due)),
            });
        }
    }
    Ok((out, true))
}

/// How far is looked ahead if nobody says.
const AHEAD_MS: u64 = 4 * 3_600_000;

/// Fulfillments of one store that are looked at.
const WORKS_MAX: usize = 1_000;

/// Pages of promises of one store that are looked at.
const PROMISE_PAGES_MAX: usize = 10;
