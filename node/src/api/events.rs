//! What happens, as it happens: server-sent events, each a CloudEvent 1.0 in JSON.
//!
//! Nothing is kept for a client that is away: one that lost events is told how many, and reads what it needs again.

mod promises;

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::IntoResponse;
use axum::response::sse::{Event as Frame, KeepAlive, Sse};
use serde::Serialize;
use serde_json::{Value, json};
use stockroom_core::input::Event;
use stockroom_core::status::Status;
use stockroom_core::view::View;
use stockroom_crdt::entry::{Fact, kind};
use stockroom_crdt::ids::{Code, NodeId};
use stockroom_crdt::scope::Scope;
use stockroom_crdt::transfer::TransferId;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{OwnedSemaphorePermit, broadcast, watch};
use utoipa::ToSchema;

use super::Api;
use super::limits::STREAM_PULSE;
use super::orders::notices::{self, Notice};
use super::problem::{Answered, Kind, Problem};
use super::values::{Moment, ReceiptId, Text, Word, now_ms};
use crate::handle::{Handle, NumberedEvent};
use crate::info::NodeInfo;

pub use promises::ApiEvent;

/// A CloudEvent (`cloudevents/spec` 1.0.2, JSON format).
#[derive(Serialize, ToSchema)]
pub struct CloudEvent {
    /// Always `1.0`.
    specversion: &'static str,
    /// `node.start/number`: with `source` unique for ever.
    id: String,
    /// `stockroom/<tenant>/<node>`.
    source: String,
    /// What happened, e.g. `dev.stockroom.sale.recorded`.
    #[serde(rename = "type")]
    kind: String,
    /// When the node saw it.
    #[schema(value_type = String, format = DateTime)]
    time: Text<Moment>,
    /// What it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    /// Always `application/json`.
    datacontenttype: &'static str,
    /// Enough to know what to read again.
    #[schema(value_type = Object)]
    data: Value,
}

/// Follows what happens. Each event's `data` is a CloudEvent; `dev.stockroom.events.lost` says how many this client lost,
/// because it was slow or away (`Last-Event-ID`).
#[utoipa::path(get, path = "/v1/events", tag = "status",
    params(("Last-Event-ID" = Option<String>, Header, description = "The last event that this client got")),
    responses((status = 200, body = CloudEvent, content_type = "text/event-stream")))]
pub async fn follow_events(State(api): State<Arc<Api>>, headers: HeaderMap) -> Answered {
    let Ok(permit) = api.streams.clone().try_acquire_owned() else {
        return Err(Problem::new(Kind::Overloaded, "too many clients follow the events"));
    };
    let last = headers.get("last-event-id").and_then(|value| value.to_str().ok());
    let mut follower = Follower {
        receiver: api.handle.events(),
        told: api.told.subscribe(),
        locked: api.handle.status().rights_locked,
        told_count: 0,
        status: api.handle.statuses(),
        stopping: api.stopping.clone(),
        expected: None,
        ready: VecDeque::new(),
        _permit: permit,
        api,
    };
    if let Some(last) = last {
        follower.resume(last);
    }
    let frames = futures_util::stream::unfold(follower, |mut follower| async move {
        let frame = follower.next().await?;
        Some((Ok::<_, Infallible>(frame), follower))
    });
    Ok(Sse::new(frames).keep_alive(KeepAlive::new().interval(STREAM_PULSE)).into_response())
}

/// One client's place in the stream.
struct Follower {
    api: Arc<Api>,
    receiver: broadcast::Receiver<NumberedEvent>,
    /// What happens at the API only.
    told: broadcast::Receiver<ApiEvent>,
    /// Whether rights are locked, as this client was told.
    locked: bool,
    /// How many events of the API this client was told, for their ids.
    told_count: u64,
    status: watch::Receiver<Arc<Status>>,
    stopping: watch::Receiver<bool>,
    /// The number that comes next, if nothing is lost.
    expected: Option<u64>,
    ready: VecDeque<CloudEvent>,
    _permit: OwnedSemaphorePermit,
}

/// What a follower waits for.
enum Heard {
    Core(Result<NumberedEvent, RecvError>),
    Api(ApiEvent),
    Status,
}

impl Follower {
    /// A client comes back: its next event is known, or that nobody can tell how many it lost.
    fn resume(&mut self, last: &str) {
        let number = last.strip_prefix(&self.start()).and_then(|rest| rest.strip_prefix('/'));
        // What a customer is to be told has the number of the entry that it follows from.
        let number = number.and_then(|rest| rest.split('-').next()?.parse::<u64>().ok());
        match number {
            Some(number) => self.expected = number.checked_add(1),
            None => self.lost(None),
        }
    }

    async fn next(&mut self) -> Option<Frame> {
        while self.ready.is_empty() {
            // What has happened is told before the stream ends.
            let heard = tokio::select! {
                biased;
                received = self.receiver.recv() => Heard::Core(received),
                Ok(told) = self.told.recv() => Heard::Api(told),
                Ok(()) = self.status.changed() => Heard::Status,
                _ = self.stopping.wait_for(|stopping| *stopping) => return None,
            };
            match heard {
                Heard::Core(Ok(event)) => self.take(&event),
                Heard::Core(Err(RecvError::Lagged(missed))) => {
                    self.lost(Some(missed));
                    self.expected = None;
                }
                Heard::Core(Err(RecvError::Closed)) => return None,
                Heard::Api(told) => self.tell(told),
                Heard::Status => self.look_at_locks(),
            }
        }
        let event = self.ready.pop_front()?;
        let frame = Frame::default().id(&event.id).event(&event.kind);
        // A CloudEvent has no maps with keys that JSON could not write.
        frame.json_data(&event).ok()
    }

    fn take(&mut self, event: &NumberedEvent) {
        if let Some(missed) = self.expected.and_then(|expected| event.number.checked_sub(expected)).filter(|&n| n > 0) {
            self.lost(Some(missed));
        }
        self.expected = Some(event.number + 1);
        let (kind, subject, data) = describe(&self.api.handle, &event.event);
        let id = format!("{}/{}", self.start(), event.number);
        let told = self.event(id.clone(), kind, event.at_ms, subject, data);
        self.ready.push_back(told);
        for (index, notice) in self.notices(&event.event).into_iter().enumerate() {
            let id = format!("{id}-{index}");
            let told = self.event(id, notice.kind, event.at_ms, Some(notice.subject), notice.data);
            self.ready.push_back(told);
        }
    }

    /// What a customer is to be told because of it.
    fn notices(&self, event: &Event) -> Vec<Notice> {
        let Event::Entry { scope, kind, place } = event else { return Vec::new() };
        if !(kind::ORDER..=kind::REDRESS).contains(kind) {
            return Vec::new();
        }
        let me = NodeId(self.api.info.node);
        let read = self.api.read(|books| match books.entry(*place)? {
            Some(entry) => Ok(notices::of_entry(books, me, (scope.store(), &entry))?),
            None => Ok(Vec::new()),
        });
        read.unwrap_or_default()
    }

    fn look_at_locks(&mut self) {
        let locked = self.status.borrow_and_update().rights_locked;
        if locked != self.locked {
            self.locked = locked;
            self.tell(ApiEvent::locked(locked));
        }
    }

    /// Events of the API have no number of their own: nobody is told how many of them were lost.
    fn tell(&mut self, told: ApiEvent) {
        let now = now_ms();
        let id = format!("{}/api-{now}-{}", self.start(), self.told_count);
        self.told_count += 1;
        let event = self.event(id, told.kind, now, told.subject, told.data);
        self.ready.push_back(event);
    }

    fn lost(&mut self, count: Option<u64>) {
        let now = now_ms();
        let id = format!("{}/lost-{now}", self.start());
        let event = self.event(id, "events.lost", now, None, json!({ "count": count }));
        self.ready.push_back(event);
    }

    fn start(&self) -> String {
        format!("{}.{}", self.api.info.node, self.api.info.started_ms)
    }

    fn event(&self, id: String, kind: &str, at_ms: u64, subject: Option<String>, data: Value) -> CloudEvent {
        CloudEvent::new(&self.api.info, id, kind, at_ms, (subject, data))
    }
}

impl CloudEvent {
    /// An event of this node. `kind` has no prefix.
    pub fn new(info: &NodeInfo, id: String, kind: &str, at_ms: u64, (subject, data): (Option<String>, Value)) -> Self {
        Self {
            specversion: "1.0",
            id,
            source: format!("stockroom/{}/{}", info.tenant, info.node),
            kind: format!("dev.stockroom.{kind}"),
            time: Text(Moment(at_ms)),
            subject,
            datacontenttype: "application/json",
            data,
        }
    }
}

/// Type, subject and data of an event.
pub fn describe(handle: &Handle, event: &Event) -> (&'static str, Option<String>, Value) {
    match event {
        Event::Entry { scope, kind, place } => {
            let entry = handle.snapshot().and_then(|snapshot| View::new(&*snapshot).entry(*place)).ok().flatten();
            of_entry(scope, *kind, place.seq, entry.as_ref().map(|entry| &entry.fact))
        }
        Event::Values(scope) => ("values.changed", Some(scope.to_string()), json!({ "scope": scope.to_string() })),
        Event::Connected(node) => ("peer.connected", Some(format!("node/{}", node.0)), json!({ "node": node.0 })),
        Event::Disconnected(node) => ("peer.disconnected", Some(format!("node/{}", node.0)), json!({ "node": node.0 })),
        Event::EpochOpened(reason) => ("epoch.opened", None, json!({ "reason": reason.as_str() })),
        Event::Alarm(text) => ("alarm.raised", None, json!({ "alarm": text })),
    }
}

/// Type, subject and data of an entry, as far as it can be read.
pub fn of_entry(scope: &Scope, kind: u16, seq: u64, fact: Option<&Fact>) -> (&'static str, Option<String>, Value) {
    let word = kind_word(kind, fact);
    let (subject, mut data) = fact.map_or((None, json!({})), |fact| about(scope.store(), fact));
    data["scope"] = json!(scope.to_string());
    data["seq"] = json!(seq);
    (word, subject.or_else(|| Some(scope.to_string())), data)
}

/// Subject and data of what an entry says. No personal data: ids only.
fn about(store: Option<stockroom_crdt::ids::StoreId>, fact: &Fact) -> (Option<String>, Value) {
    let sku = |sku: &stockroom_crdt::ids::Sku| Some(format!("product/{sku}"));
    let transfer = |id: TransferId, data| (Some(format!("transfer/{id}")), data);
    match fact {
        Fact::Sale(sale) => {
            let id = |number| store.map(|store| ReceiptId { store, number }.write());
            let receipt = id(sale.receipt);
            let data = json!({
                "receipt": receipt, "till": sale.receipt.till.0, "till_seq": sale.till_seq, "total": sale.total(),
                "currency": sale.currency.as_str(), "lines": sale.lines.len(), "business_day": sale.day,
                "late": sale.late, "voids": sale.voids.and_then(id),
            });
            (receipt.map(|receipt| format!("receipt/{receipt}")), data)
        }
        Fact::Product(product) => (sku(&product.sku), json!({ "sku": product.sku.as_str() })),
        Fact::Recall(recall) => (sku(&recall.sku), json!({ "sku": recall.sku.as_str(), "active": recall.active })),
        Fact::Price(price) => {
            let data = json!({
                "sku": price.sku.as_str(), "book": price.book.as_str(), "price": price.minor,
                "from": Moment(price.from_ms).write(),
            });
            (sku(&price.sku), data)
        }
        Fact::GoodsReceipt(receipt) => {
            (None, json!({ "document": receipt.document.as_str(), "lines": receipt.lines.len() }))
        }
        Fact::Adjustment(adjustment) => {
            let data = json!({
                "sku": adjustment.sku.as_str(), "delta": adjustment.delta, "reason": adjustment.reason.as_str(),
            });
            (sku(&adjustment.sku), data)
        }
        Fact::CountScan(scan) => {
            (sku(&scan.sku), json!({ "session": scan.session, "sku": scan.sku.as_str(), "quantity": scan.quantity }))
        }
        Fact::CountClose(close) => (None, json!({ "session": close.session, "lines": close.lines.len() })),
        Fact::Decision(decision) => {
            let data = json!({
                "sku": decision.sku.as_str(), "quantity": decision.quantity, "resale": decision.resale,
            });
            (sku(&decision.sku), data)
        }
        Fact::TransferAsk(ask) => transfer(ask.id, json!({ "from": ask.from.0, "lines": ask.lines.len() })),
        Fact::TransferShip(ship) => transfer(ship.id, json!({ "to": ship.to.0, "lines": ship.lines.len() })),
        Fact::TransferReceive(receive) => {
            let data = json!({ "from": receive.from.0, "lines": receive.lines.len(), "differences": receive.differences.len() });
            transfer(receive.id, data)
        }
        Fact::CountOpen(open) => (None, json!({ "session": open.session, "lines": open.lines.len() })),
        Fact::DayOpen(day) => (None, of_day(day.number, &day.staff)),
        Fact::DayClose(day) => (None, of_day(day.number, &day.staff)),
        Fact::Node(record) => (Some(format!("node/{}", record.capability.node.0)), json!({})),
        Fact::Fence(fence) => (Some(format!("node/{}", fence.node.0)), json!({ "reason": fence.reason.as_str() })),
        Fact::Store(record) => (Some(format!("store/{}", record.store.0)), json!({ "store": record.store.0 })),
        other => {
            promises::about(other).or_else(|| super::orders::events::about(store, other)).unwrap_or((None, json!({})))
        }
    }
}

/// A business day, and who opened or closed it; nobody when a sale or the store's hour did.
fn of_day(number: u32, staff: &Code) -> Value {
    match staff.is_empty() {
        true => json!({ "business_day": number }),
        false => json!({ "business_day": number, "staff": staff.as_str() }),
    }
}

fn kind_word(number: u16, fact: Option<&Fact>) -> &'static str {
    match number {
        kind::EPOCH_OPEN => "log.opened",
        kind::BOOT => "node.started",
        kind::NODE => "node.enrolled",
        kind::FENCE => "node.fenced",
        kind::STORE => "store.changed",
        kind::FORK => "log.forked",
        kind::PRODUCT => "product.changed",
        kind::RECALL => "product.recalled",
        kind::PRICE => "price.changed",
        kind::TEMPLATE => "template.changed",
        kind::GOODS_RECEIPT => "goods.received",
        kind::SALE => "sale.recorded",
        kind::COUNT_SCAN => "count.scanned",
        kind::COUNT_CLOSE => "count.closed",
        kind::DAY_OPEN => "day.opened",
        kind::DAY_CLOSE => "day.closed",
        kind::ADJUSTMENT => "stock.adjusted",
        kind::DECISION => "quarantine.decided",
        kind::TRANSFER_ASK => "transfer.asked",
        kind::TRANSFER_SHIP => "transfer.shipped",
        kind::TRANSFER_RECEIVE => "transfer.received",
        kind::COUNT_OPEN => "count.opened",
        kind::NOTE_CHANGE => "note.changed",
        kind::NOTE_SNAPSHOT => "note.folded",
        other => {
            promises::word(other, fact).or_else(|| super::orders::events::word(other, fact)).unwrap_or("entry.unknown")
        }
    }
}
