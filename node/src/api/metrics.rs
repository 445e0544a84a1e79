//! Figures for Prometheus, in OpenMetrics text: requests as they are answered, everything else when it is asked for.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::{Method, StatusCode, header};
use axum::response::IntoResponse;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use stockroom_core::status::Status;
use stockroom_core::view::figures::{Seen, Span};

use super::figures::offset_min;
use super::limits::{METRICS_AGE, METRICS_CASES_MAX, METRICS_SPAN_MS};
use super::problem::{Answered, Kind, Problem};
use super::status::{age_s, disk_word};
use super::values::now_ms;
use super::webhooks::Deliveries;
use super::{Api, Books};
use crate::handle::Handle;
use crate::info::{Links, NodeInfo};
use crate::webhooks::service::Webhooks;

/// How well orders were served, and when that was read; nothing before the first scrape.
type Served = Arc<Mutex<Option<(Instant, Arc<Seen>)>>>;

/// What the API counts, and where it is read.
pub struct Metrics {
    registry: Registry,
    requests: Family<Route, Histogram, fn() -> Histogram>,
    sales: Counter,
    reservations: Family<Outcome, Counter>,
    /// How well orders were served of late, and when that was read. Reading it for each scrape would cost what anybody likes to ask.
    served: Served,
}

/// What came of a reservation: `hard`, `soft` or `no`.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

/// A route, never a path: paths carry SKUs and numbers.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Route {
    method: &'static str,
    route: String,
    status: u16,
}

impl Metrics {
    /// An empty registry that will ask the node for its figures.
    pub fn new(handle: &Handle, info: &NodeInfo, webhooks: &Webhooks) -> Self {
        let mut registry = Registry::with_prefix("stockroom");
        let labels = vec![("version", info.version), ("role", info.role)];
        registry.register("build", "The program", Info::new(labels));
        let requests: Family<Route, Histogram, fn() -> Histogram> = Family::new_with_constructor(latency);
        registry.register_with_unit("http_request_duration", "Time to answer", Unit::Seconds, requests.clone());
        let sales = Counter::default();
        registry.register("sales", "Sales rung up over the API since the start", sales.clone());
        let reservations: Family<Outcome, Counter> = Family::default();
        let help = "Reservations asked for over the API since the start, by what came of them";
        registry.register("reservations", help, reservations.clone());
        registry.register_collector(Box::new(Node { handle: handle.clone(), links: info.links.clone() }));
        registry.register_collector(Box::new(Deliveries::of(webhooks)));
        let served = Arc::new(Mutex::new(None));
        registry.register_collector(Box::new(Orders { served: served.clone() }));
        Self { registry, requests, sales, reservations, served }
    }

    /// A request was answered.
    pub fn answered(&self, method: &Method, route: &str, status: StatusCode, took: Duration) {
        let route = Route { method: method_word(method), route: route.to_owned(), status: status.as_u16() };
        self.requests.get_or_create(&route).observe(took.as_secs_f64());
    }

    /// A sale was rung up.
    pub fn sold(&self) {
        self.sales.inc();
    }

    /// A reservation was answered.
    pub fn reserved(&self, outcome: &'static str) {
        self.reservations.get_or_create(&Outcome { outcome }).inc();
    }
}

/// Figures for Prometheus. From the node's own machine.
#[utoipa::path(get, path = "/metrics", tag = "status", responses((status = 200, body = String, content_type = "text/plain")))]
pub async fn show_metrics(State(api): State<Arc<Api>>) -> Answered {
    refresh(&api).await?;
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &api.metrics.registry)
        .map_err(|_| Problem::new(Kind::Storage, "the figures cannot be written"))?;
    Ok(([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response())
}

/// Reads the figures about orders again if they are old.
async fn refresh(api: &Arc<Api>) -> Answered<()> {
    let is_old = |read: &(Instant, Arc<Seen>)| read.0.elapsed() >= METRICS_AGE;
    if held(&api.metrics.served).as_ref().is_some_and(|read| !is_old(read)) {
        return Ok(());
    }
    let now_ms = now_ms();
    let from_ms = now_ms.saturating_sub(METRICS_SPAN_MS);
    let span = Span { from_ms, to_ms: now_ms.saturating_add(1), now_ms, cases_max: METRICS_CASES_MAX };
    let seen = api.read_much(move |books: &Books<'_>| Ok(books.figures(None, span, &offset_min)?)).await?;
    *held(&api.metrics.served) = Some((Instant::now(), Arc::new(seen)));
    Ok(())
}

/// What is held under a lock. Whoever panicked while holding it left a whole value.
fn held<T>(lock: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Shows the figures about orders that were read last.
struct Orders {
    served: Served,
}

impl fmt::Debug for Orders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Orders")
    }
}

impl Collector for Orders {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let Some(seen) = held(&self.served).as_ref().map(|(_, seen)| seen.clone()) else { return Ok(()) };
        let whole = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        for (name, help, value) in [
            ("orders_placed_day", "Orders placed in the last day", seen.orders.placed),
            ("fulfillments_offered_day", "Fulfillments offered in the last day", seen.total.offered),
            ("fulfillments_lines_per_hour", "Lines picked in an hour of picking, last day", seen.total.lines_per_hour),
        ] {
            encoder.encode_descriptor(name, help, None, MetricType::Gauge)?.encode_gauge(&whole(value))?;
        }
        let shares = [
            ("order_share_cases", "Cases that were looked at for a share, last day"),
            ("order_share_true", "Of these, cases of which it is true"),
        ];
        for (at, (name, help)) in shares.into_iter().enumerate() {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            for (figure, share) in seen.total.shares() {
                let value = whole(if at == 0 { share.of } else { share.count });
                family.encode_family(&[("figure", figure)])?.encode_gauge(&value)?;
            }
        }
        let help = "How long parts of serving an order took, last day";
        let mut times = encoder.encode_descriptor("order_time", help, Some(&Unit::Seconds), MetricType::Gauge)?;
        for (figure, spread) in seen.total.spreads().into_iter().filter(|(_, spread)| spread.count > 0) {
            for (quantile, ms) in [("0.5", spread.p50_ms), ("0.9", spread.p90_ms), ("1", spread.max_ms)] {
                let labels = [("figure", figure), ("quantile", quantile)];
                times.encode_family(&labels)?.encode_gauge(&(ms as f64 / 1e3))?;
            }
        }
        let mut cases = encoder.encode_descriptor("order_time_cases", "Cases behind them", None, MetricType::Gauge)?;
        for (figure, spread) in seen.total.spreads() {
            cases.encode_family(&[("figure", figure)])?.encode_gauge(&whole(spread.count))?;
        }
        Ok(())
    }
}

/// Reads the node's status when it is asked.
struct Node {
    handle: Handle,
    links: Links,
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Node")
    }
}

impl Collector for Node {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let status = self.handle.status();
        for (name, help, value) in counters(&status) {
            encoder
                .encode_descriptor(name, help, None, MetricType::Counter)?
                .encode_counter::<Labels<'_>, _, u64>(&value, None)?;
        }
        for (name, help, unit, value) in gauges(&status) {
            encoder.encode_descriptor(name, help, unit.as_ref(), MetricType::Gauge)?.encode_gauge(&value)?;
        }
        let mut disk =
            encoder.encode_descriptor("disk_state", "1 for the state the disk is in", None, MetricType::Gauge)?;
        disk.encode_family(&[("state", disk_word(status.disk))])?.encode_gauge(&1_i64)?;
        self.peers(&mut encoder, &status)
    }
}

impl Node {
    fn peers(&self, encoder: &mut DescriptorEncoder<'_>, status: &Status) -> Result<(), fmt::Error> {
        let mut ready = encoder.encode_descriptor("peer_ready", "1 when the link works", None, MetricType::Gauge)?;
        for peer in &status.peers {
            ready.encode_family(&[("peer", peer.node.0)])?.encode_gauge(&i64::from(peer.ready))?;
        }
        let bytes = Unit::Bytes;
        let mut udp = encoder.encode_descriptor("peer_udp", "UDP payload", Some(&bytes), MetricType::Counter)?;
        for (node, totals) in self.links.totals() {
            for (direction, value) in [("sent", totals.tx), ("received", totals.rx)] {
                let labels = [("peer", node.to_string()), ("direction", direction.to_owned())];
                udp.encode_family(&labels)?.encode_counter::<Labels<'_>, _, u64>(&value, None)?;
            }
        }
        let seconds = Unit::Seconds;
        let help = "How long ago everything of a store was known here";
        let mut age = encoder.encode_descriptor("store_knowledge_age", help, Some(&seconds), MetricType::Gauge)?;
        for store in &status.stores {
            if let Some(fresh_ms) = store.fresh_ms {
                let value = i64::try_from(age_s(fresh_ms, now_ms())).unwrap_or(i64::MAX);
                age.encode_family(&[("store", store.store.0)])?.encode_gauge(&value)?;
            }
        }
        Ok(())
    }
}

fn counters(status: &Status) -> [(&'static str, &'static str, u64); 10] {
    let counters = &status.counters;
    [
        ("commits", "Commits made durable", counters.commits),
        ("entries_written", "Entries of our own", counters.entries_written),
        ("entries_ingested", "Entries taken in from others", counters.entries_ingested),
        ("entries_denied", "Entries that their author may not write", counters.entries_denied),
        ("entries_unknown", "Entries of an unknown kind", counters.entries_unknown),
        ("times_suspect", "Entries from too far in the future", counters.times_suspect),
        ("forks", "Forks seen", counters.forks),
        ("peer_faults", "Links closed for a fault of the peer", counters.peer_faults),
        ("promises_shorted", "Promises of this node whose goods were missing", counters.shorted),
        ("promises_compensated", "Promises of this node for which something was given instead", counters.compensated),
    ]
}

fn gauges(status: &Status) -> [(&'static str, &'static str, Option<Unit>, i64); 6] {
    let whole = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    let age = whole(age_s(status.backlog.oldest_ms, now_ms()));
    [
        ("backlog_entries", "Own entries that the hub does not have yet", None, whole(status.backlog.entries)),
        ("backlog_age", "Age of the oldest of them", Some(Unit::Seconds), age),
        ("parked_runs", "Runs that wait for a prerequisite", None, whole(status.parked as u64)),
        ("parcels_carried", "Parcels of others that wait here", None, whole(status.parcels_carried as u64)),
        ("rights_locked", "1 until a hub was heard", None, i64::from(status.rights_locked)),
        ("epoch", "The node's epoch", None, i64::from(status.epoch.0)),
    ]
}

/// Buckets from a fast sale to a slow disk.
fn latency() -> Histogram {
    Histogram::new([0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0])
}

/// Clients may invent methods; labels may not.
fn method_word(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::HEAD => "HEAD",
        _ => "other",
    }
}

type Labels<'a> = [(&'a str, &'a str); 0];

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
