//! How well orders are served: the figures that managers watch, per store and in all.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use stockroom_core::policy::figures::{Figures, OrderFigures, Reasons, Share, Spread, Who};
use stockroom_core::view::figures::{Seen, Span};
use stockroom_crdt::control::StoreRecord;
use stockroom_crdt::ids::StoreId;
use utoipa::{IntoParams, ToSchema};

use super::limits::{FIGURES_CASES_MAX, FIGURES_SPAN_MS_MAX};
use super::problem::{Answered, Problem};
use super::request::Params;
use super::values::{Moment, Text, now_ms};
use super::{Api, Books};

/// Of which time, and of whom.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct FigureParams {
    /// Fulfillments offered and orders placed from this moment on; a day before `to` if absent.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<Text<Moment>>,
    /// Before this moment; now if absent. At most 92 days after `from`.
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<Text<Moment>>,
    /// Only fulfillments of this store; all that are known here if absent.
    store: Option<u32>,
}

/// Figures of a span of time.
#[derive(Serialize, ToSchema)]
pub struct FiguresAnswer {
    /// From this moment on.
    #[schema(value_type = String, format = DateTime)]
    from: Text<Moment>,
    /// Before this moment.
    #[schema(value_type = String, format = DateTime)]
    to: Text<Moment>,
    /// There was more in the span than one answer counts: the figures are those of the newest. Ask for a shorter span.
    is_cut: bool,
    /// Of all fulfillments together.
    total: FulfillmentFigures,
    /// By store, those that were offered anything; absent when one store was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    stores: Option<Vec<StoreFigures>>,
    /// Whole orders, as far as the orders themselves are known here; absent when one store was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    orders: Option<OrderFiguresAnswer>,
}

/// Figures of one store.
#[derive(Serialize, ToSchema)]
pub struct StoreFigures {
    /// Which store.
    store: u32,
    /// Its figures.
    #[serde(flatten)]
    figures: FulfillmentFigures,
}

/// So many of so many cases.
#[derive(Serialize, ToSchema)]
pub struct ShareAnswer {
    /// Cases of which it is true.
    count: u64,
    /// Cases that were looked at: with few of them the share says little.
    of: u64,
    /// The one by the other, to a millionth; absent without a case.
    #[serde(skip_serializing_if = "Option::is_none")]
    share: Option<f64>,
}

/// How lengths of time are spread: nearest-rank percentiles.
#[derive(Serialize, ToSchema)]
pub struct SpreadAnswer {
    /// Cases.
    count: u64,
    /// Half took no longer, seconds; absent without a case.
    #[serde(skip_serializing_if = "Option::is_none")]
    p50_s: Option<f64>,
    /// Nine of ten took no longer, seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    p90_s: Option<f64>,
    /// The longest, seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    max_s: Option<f64>,
}

/// How many for a reason.
#[derive(Serialize, ToSchema)]
pub struct ReasonCount {
    /// The word that staff gave; `other` for all beyond the first 32.
    reason: String,
    /// Cases.
    count: u64,
}

/// How many were cancelled by somebody for a reason.
#[derive(Serialize, ToSchema)]
pub struct CancelCount {
    /// `customer`, `home` (head office or the order's home) or `store`.
    by: &'static str,
    /// Why.
    reason: String,
    /// Cases.
    count: u64,
}

/// Figures about fulfillments that were offered in the span, also for what happened to them after it.
#[derive(Serialize, ToSchema)]
pub struct FulfillmentFigures {
    /// Fulfillments that were offered.
    offered: u64,
    /// From the home's offer to the acceptance, while the store was open.
    accept: SpreadAnswer,
    /// Answered within the time that the offer gives, open hours only, of those answered, late, or taken back because nobody answered.
    accept_in_time: ShareAnswer,
    /// From the begin of picking to the last line.
    pick: SpreadAnswer,
    /// The same, divided by the lines.
    pick_line: SpreadAnswer,
    /// Lines picked in an hour of picking.
    lines_per_hour: u64,
    /// From the offer, or the release of a pre-order, to goods that lie ready, by the clock on the wall.
    ready: SpreadAnswer,
    /// Pickups ready when promised, of those that got ready or are late.
    ready_on_time: ShareAnswer,
    /// Pieces picked of those ordered; substitutes do not count, nor what was cancelled before.
    fill_pieces: ShareAnswer,
    /// The same for goods by weight, grams.
    fill_grams: ShareAnswer,
    /// Lines of which nothing was missing or replaced.
    fill_lines: ShareAnswer,
    /// Fulfillments with every line as ordered and in time, of those that came to an end other than by a cancel or by giving way.
    perfect: ShareAnswer,
    /// Lines with units missing, of those that somebody looked for.
    short: ShareAnswer,
    /// Why.
    short_reasons: Vec<ReasonCount>,
    /// Lines for which something else was taken.
    substituted: ShareAnswer,
    /// Why.
    substitution_reasons: Vec<ReasonCount>,
    /// Fulfillments that the store refused, of those offered.
    refused: ShareAnswer,
    /// Why.
    refusal_reasons: Vec<ReasonCount>,
    /// Fulfillments that the store confirmed as cancelled, of those offered. What no store had taken yet shows in `orders`.
    cancelled: ShareAnswer,
    /// By whom, and why.
    cancels: Vec<CancelCount>,
    /// Lines whose promise was broken before anybody looked, of the lines of accepted fulfillments.
    oversold: ShareAnswer,
    /// From the customer's arrival to the handover.
    wait: SpreadAnswer,
    /// Customers who waited no longer than the limit, of those whose arrival was told.
    wait_in_time: ShareAnswer,
    /// Goods that lay ready when the customer arrived.
    ready_at_arrival: ShareAnswer,
    /// How long goods lay ready until they were handed over.
    dwell: SpreadAnswer,
    /// Pickups that nobody came for, of those that were ready and came to an end.
    uncollected: ShareAnswer,
    /// How long couriers waited at the store.
    courier_wait: SpreadAnswer,
    /// From the store's door to the customer's.
    delivery: SpreadAnswer,
    /// Deliveries that arrived when promised, of those that arrived, were given up, or are late.
    delivered_on_time: ShareAnswer,
    /// Deliveries with an attempt that failed, of those that left the store.
    delivery_failed: ShareAnswer,
    /// Deliveries that came back or were lost, of those that left the store.
    not_delivered: ShareAnswer,
    /// Deliveries for which a courier was asked more than once, of those for which one was asked.
    redispatched: ShareAnswer,
}

/// Figures about whole orders that were placed in the span.
#[derive(Serialize, ToSchema)]
#[schema(as = OrderFigures)]
pub struct OrderFiguresAnswer {
    /// Orders placed.
    placed: u64,
    /// The customer has everything, of those that came to an end.
    completed: ShareAnswer,
    /// The customer has a part.
    partly: ShareAnswer,
    /// Ended cancelled.
    cancelled: ShareAnswer,
    /// By whom, and why.
    cancels: Vec<CancelCount>,
    /// The customer got nothing.
    failed: ShareAnswer,
    /// With a line whose promise was broken, of those that a store accepted.
    oversold: ShareAnswer,
    /// That more than one store worked on, of those that a store accepted.
    split: ShareAnswer,
    /// Parts that were offered anew, of all parts.
    rerouted: ShareAnswer,
}

/// How well orders were served in a span of time: how fast they were taken, picked, handed over and delivered, and what went wrong.
#[utoipa::path(get, path = "/v1/figures", tag = "orders", params(FigureParams), responses((status = 200, body = FiguresAnswer)))]
pub async fn show_figures(
    State(api): State<Arc<Api>>,
    Params(params): Params<FigureParams>,
) -> Answered<Json<FiguresAnswer>> {
    let now_ms = now_ms();
    let to_ms = params.to.map_or(now_ms, |to| to.0.0);
    let from_ms = params.from.map_or(to_ms.saturating_sub(DAY_MS), |from| from.0.0);
    if from_ms >= to_ms {
        return Err(Problem::invalid("from", "is not before to"));
    }
    if to_ms - from_ms > FIGURES_SPAN_MS_MAX {
        return Err(Problem::invalid("from", "is more than 92 days before to"));
    }
    let span = Span { from_ms, to_ms, now_ms, cases_max: FIGURES_CASES_MAX };
    let store = params.store.map(StoreId);
    let read = move |books: &Books<'_>| {
        if let Some(store) = store.filter(|store| !matches!(books.store(*store), Ok(Some(_)) | Err(_))) {
            return Err(Problem::unknown("store", format_args!("no such store: {}", store.0)));
        }
        let seen = books.figures(store, span, &offset_min)?;
        Ok(Json(FiguresAnswer::of(seen, span, store.is_none())))
    };
    api.read_much(read).await
}

/// A store's local time against UTC at a moment, minutes; 0 for a zone that this machine does not know.
pub fn offset_min(record: &StoreRecord, at_ms: u64) -> i32 {
    let at = i64::try_from(at_ms).ok().and_then(|at_ms| Timestamp::from_millisecond(at_ms).ok());
    let zone = TimeZone::get(record.zone.as_str()).ok();
    at.zip(zone).map_or(0, |(at, zone)| zone.to_offset(at).seconds() / 60)
}

impl FiguresAnswer {
    fn of(seen: Seen, span: Span, is_of_all: bool) -> Self {
        let stores = seen.stores.iter();
        let stores =
            stores.map(|(store, figures)| StoreFigures { store: store.0, figures: FulfillmentFigures::of(figures) });
        Self {
            from: Text(Moment(span.from_ms)),
            to: Text(Moment(span.to_ms)),
            is_cut: seen.is_cut,
            total: FulfillmentFigures::of(&seen.total),
            stores: is_of_all.then(|| stores.collect()),
            orders: is_of_all.then(|| OrderFiguresAnswer::of(&seen.orders)),
        }
    }
}

impl FulfillmentFigures {
    fn of(figures: &Figures) -> Self {
        Self {
            offered: figures.offered,
            accept: figures.accept.into(),
            accept_in_time: figures.accept_in_time.into(),
            pick: figures.pick.into(),
            pick_line: figures.pick_line.into(),
            lines_per_hour: figures.lines_per_hour,
            ready: figures.ready.into(),
            ready_on_time: figures.ready_on_time.into(),
            fill_pieces: figures.fill_pieces.into(),
            fill_grams: figures.fill_grams.into(),
            fill_lines: figures.fill_lines.into(),
            perfect: figures.perfect.into(),
            short: figures.short.into(),
            short_reasons: reasons(&figures.short_reasons),
            substituted: figures.substituted.into(),
            substitution_reasons: reasons(&figures.substitution_reasons),
            refused: figures.refused.into(),
            refusal_reasons: reasons(&figures.refusal_reasons),
            cancelled: figures.cancelled.into(),
            cancels: cancels(figures.cancels.iter()),
            oversold: figures.oversold.into(),
            wait: figures.wait.into(),
            wait_in_time: figures.wait_in_time.into(),
            ready_at_arrival: figures.ready_at_arrival.into(),
            dwell: figures.dwell.into(),
            uncollected: figures.uncollected.into(),
            courier_wait: figures.courier_wait.into(),
            delivery: figures.delivery.into(),
            delivered_on_time: figures.delivered_on_time.into(),
            delivery_failed: figures.delivery_failed.into(),
            not_delivered: figures.not_delivered.into(),
            redispatched: figures.redispatched.into(),
        }
    }
}

impl OrderFiguresAnswer {
    fn of(figures: &OrderFigures) -> Self {
        Self {
            placed: figures.placed,
            completed: figures.completed.into(),
            partly: figures.partly.into(),
            cancelled: figures.cancelled.into(),
            cancels: cancels(figures.cancels.iter()),
            failed: figures.failed.into(),
            oversold: figures.oversold.into(),
            split: figures.split.into(),
            rerouted: figures.rerouted.into(),
        }
    }
}

impl From<Share> for ShareAnswer {
    fn from(share: Share) -> Self {
        let Share { count, of } = share;
        Self { count, of, share: share.ppm().map(|ppm| ppm as f64 / 1e6) }
    }
}

impl From<Spread> for SpreadAnswer {
    fn from(spread: Spread) -> Self {
        let seconds = |ms: u64| (spread.count > 0).then_some(ms as f64 / 1e3);
        let [p50_s, p90_s, max_s] = [spread.p50_ms, spread.p90_ms, spread.max_ms].map(seconds);
        Self { count: spread.count, p50_s, p90_s, max_s }
    }
}

fn reasons(reasons: &Reasons) -> Vec<ReasonCount> {
    reasons.iter().map(|(reason, count)| ReasonCount { reason: reason.clone(), count: *count }).collect()
}

fn cancels<'a>(cancels: impl Iterator<Item = (&'a (Who, String), &'a u64)>) -> Vec<CancelCount> {
    let one = |((who, why), count): (&(Who, String), &u64)| CancelCount {
        by: who.as_str(),
        reason: why.clone(),
        count: *count,
    };
    cancels.map(one).collect()
}

const DAY_MS: u64 = 86_400_000;
