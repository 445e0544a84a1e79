//! What a customer is to be told: events with the data of a template, sent on by others. They follow from entries, at the order's home only, so
//! each is told once; who was away reads the same from the webhooks' feed. No name and no address stands in one.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use stockroom_core::storage::{Snapshot, StoreError};
use stockroom_core::view::View;
use stockroom_crdt::entry::{Entry, Fact};
use stockroom_crdt::ids::{NodeId, StoreId, hex};
use stockroom_crdt::order::header::{Order, Preference};
use stockroom_crdt::order::intent::{OrderStep, Saying};
use stockroom_crdt::order::resolve::{Due, Fulfillment, Known, State as Stage, resolve};
use stockroom_crdt::order::step::{FulfillmentStep, Step};
use stockroom_crdt::order::{LineUnits, OrderId};
use stockroom_crdt::product::Channel;

use crate::api::Api;
use crate::api::events::ApiEvent;
use crate::api::limits::PAGE_MAX;
use crate::api::problem::Answered;
use crate::api::values::{Moment, Word, now_ms};

/// Something that a customer is to be told.
#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    /// What, e.g. `notification.ready`.
    pub kind: &'static str,
    /// The order.
    pub subject: String,
    /// What a template needs.
    pub data: Value,
}

/// What follows from one entry for the customer, at the node that is the order's home. `store` is that of the entry's scope.
pub fn of_entry<S: Snapshot + ?Sized>(
    books: &View<'_, S>,
    me: NodeId,
    (store, entry): (Option<StoreId>, &Entry),
) -> Result<Vec<Notice>, StoreError> {
    let Some(id) = order_of(&entry.fact).filter(|order| order.home == me) else { return Ok(Vec::new()) };
    let known = books.order(id)?;
    let Some(order) = &known.order else { return Ok(Vec::new()) };
    let teller = Teller { books, known: &known, order };
    let mut out = Vec::new();
    out.extend(match &entry.fact {
        Fact::Order(order) => {
            let data = json!({
                "due": Moment(order.due_ms).write(), "total": order.total(), "lines": order.lines.len(),
            });
            Some(teller.notice("notification.received", None, data)?)
        }
        Fact::FulfillmentStep(step) => teller.of_step(store.unwrap_or(StoreId(0)), (step, entry.hlc.ms()))?,
        Fact::OrderStep(step) => teller.of_saying(step)?,
        Fact::Redress(redress) if redress.done => {
            let data = json!({ "amount": redress.amount, "compensation": hex(&redress.id) });
            Some(teller.notice("notification.refunded", None, data)?)
        }
        _ => None,
    });
    for due in new_refunds(&known, entry) {
        let data = json!({
            "amount": due.amount, "compensation": hex(&due.id), "why": due.rule.as_str(), "line": due.line + 1,
            "units": due.units,
        });
        out.push(teller.notice("notification.refund-due", None, data)?);
    }
    Ok(out)
}

/// Tells customers whose goods have lain ready for a while, until it is dropped. A reminder that came due while the node was down for less than
/// [`LOOK_BACK_MS`] is told at the start, maybe a second time: `reminder_id` is the same then.
pub async fn remind(api: Arc<Api>) {
    let mut told_ms = now_ms().saturating_sub(LOOK_BACK_MS);
    loop {
        let now = now_ms();
        match reminders(&api, told_ms, now) {
            Ok(notices) => {
                told_ms = now;
                notices.into_iter().for_each(|notice| {
                    api.tell(ApiEvent { kind: notice.kind, subject: Some(notice.subject), data: notice.data });
                });
            }
            Err(problem) => tracing::warn!(why = problem.said(), "reminders not told"),
        }
        tokio::time::sleep(REMIND_EVERY).await;
    }
}

/// Reminders that came due in `(from_ms, until_ms]`.
pub fn reminders(api: &Api, from_ms: u64, until_ms: u64) -> Answered<Vec<Notice>> {
    let me = NodeId(api.info.node);
    api.read(|books| {
        let (mut out, mut after) = (Vec::new(), None);
        loop {
            let page = books.open_orders(after, PAGE_MAX)?;
            let Some(last) = page.last() else { return Ok(out) };
            after = Some(*last);
            for work in page.iter().filter(|work| work.order.home == me) {
                let known = books.order(work.order)?;
                let Some(order) = known.order.as_ref().filter(|order| order.channel == Channel::Pickup) else {
                    continue;
                };
                let teller = Teller { books, known: &known, order };
                let parts = known.fulfillments();
                for part in parts.iter().filter(|part| part.state == Stage::Ready) {
                    let Some(ready) = part.first(Step::Ready) else { continue };
                    let limits = books.limits_for(part.store)?;
                    for (number, ms) in limits.reminders_ms.iter().enumerate() {
                        let at_ms = ready.ms().saturating_add(*ms);
                        if at_ms > from_ms && at_ms <= until_ms {
                            let mut data = teller.kept(part);
                            data["reminder"] = json!(number + 1);
                            data["reminder_id"] = json!(format!("{}-{}-{}", order.id, part.generation, number + 1));
                            out.push(teller.notice("notification.reminder", Some(part.store), data)?);
                        }
                    }
                }
            }
        }
    })
}

/// What every notice about one order needs.
struct Teller<'a, 'b, S: Snapshot + ?Sized> {
    books: &'a View<'b, S>,
    known: &'a Known,
    order: &'a Order,
}

impl<S: Snapshot + ?Sized> Teller<'_, '_, S> {
    fn notice(&self, kind: &'static str, store: Option<StoreId>, mut data: Value) -> Result<Notice, StoreError> {
        let order = self.order;
        data["order"] = json!(order.id.to_string());
        data["source"] = json!(order.source.as_str());
        data["reference"] = json!(order.reference.as_str());
        data["channel"] = json!(order.channel.as_str());
        data["currency"] = json!(order.currency.as_str());
        if let Some(store) = store {
            data["store"] = json!(store.0);
            data["store_name"] = json!(self.books.store(store)?.map(|record| record.name));
        }
        Ok(Notice { kind, subject: format!("order/{}", order.id), data })
    }

    fn of_step(&self, store: StoreId, (step, at_ms): (&FulfillmentStep, u64)) -> Result<Option<Notice>, StoreError> {
        let part = self
            .known
            .fulfillments()
            .into_iter()
            .find(|part| part.store == store && part.generation == step.generation);
        let Some(part) = part else { return Ok(None) };
        let is_pickup = self.order.channel == Channel::Pickup;
        let at = Moment(at_ms).write();
        let (kind, data) = match step.step {
            Step::Accept => ("notification.accepted", json!({ "due": Moment(self.order.due_ms).write() })),
            Step::Ready if is_pickup => ("notification.ready", self.kept(&part)),
            Step::Arrive if is_pickup => ("notification.arrived", json!({ "where": step.note.as_str() })),
            Step::HandOver => ("notification.handed-over", json!({ "at": at, "lines": self.goods(&part)? })),
            Step::Deliver => ("notification.delivered", json!({ "at": at, "lines": self.goods(&part)? })),
            Step::Dispatch => {
                ("notification.out-for-delivery", json!({ "at": at, "eta": Moment(self.order.due_ms).write() }))
            }
            Step::FailDelivery => ("notification.delivery-failed", json!({ "why": step.note.as_str() })),
            Step::Lose => ("notification.delivery-failed", json!({ "why": "lost" })),
            Step::Uncollected => ("notification.uncollected", json!({ "at": at })),
            Step::Refuse if is_pickup => (
                "notification.choice-needed",
                json!({ "why": step.note.as_str(), "choices": ["store", "delivery", "cancel"] }),
            ),
            Step::Pick => match self.shortages(&part, step)? {
                Some(data) => ("notification.shortage", data),
                None => return Ok(None),
            },
            Step::ConfirmCancel => {
                let lines = step.lines.iter().map(|line| LineUnits { line: line.line, quantity: line.quantity });
                ("notification.cancelled", json!({ "lines": self.named(lines)? }))
            }
            Step::DenyCancel => ("notification.cancel-denied", json!({ "why": step.note.as_str() })),
            Step::Ready
            | Step::Arrive
            | Step::Refuse
            | Step::StartPicking
            | Step::Pack
            | Step::Stage
            | Step::Decline
            | Step::PutBack
            | Step::StandDown
            | Step::WrongCode
            | Step::CheckAge
            | Step::Hold
            | Step::Resume
            | Step::RequestCourier
            | Step::AssignCourier
            | Step::CourierAtStore
            | Step::Return
            | Step::Returned
            | Step::CourierRefused
            | Step::TakeAlong
            | Step::BringBack => return Ok(None),
        };
        self.notice(kind, Some(store), data).map(Some)
    }

    fn of_saying(&self, said: &OrderStep) -> Result<Option<Notice>, StoreError> {
        // What is said to a store is said of the whole order as well.
        if said.generation != 0 {
            return Ok(None);
        }
        let lines = || self.named(said.lines.iter().copied());
        let (kind, data) = match said.saying {
            Saying::Cancel => ("notification.cancelled", json!({ "lines": lines()? })),
            Saying::GiveUp => ("notification.not-available", json!({ "lines": lines()?, "why": said.note.as_str() })),
            Saying::Arrive => ("notification.arrived", json!({ "where": said.note.as_str() })),
            Saying::AskCancel => ("notification.cancel-asked", json!({})),
            Saying::Withdraw
            | Saying::IssuePass
            | Saying::Choose
            | Saying::Hold
            | Saying::Resume
            | Saying::StandDown
            | Saying::RiskRefund => return Ok(None),
        };
        self.notice(kind, None, data).map(Some)
    }

    /// Until when a part is kept.
    fn kept(&self, part: &Fulfillment) -> Value {
        let offer = self.known.parts.get(&(part.generation, part.store)).and_then(|part| part.offer.as_ref());
        let ready = part.first(Step::Ready).map_or(0, |hlc| hlc.ms());
        let until =
            offer.filter(|offer| offer.hold_ms > 0).map(|offer| Moment(ready.saturating_add(offer.hold_ms)).write());
        json!({ "ready_at": Moment(ready).write(), "hold_until": until, "bay": part.bay.as_str() })
    }

    /// What the customer got of a part.
    fn goods(&self, part: &Fulfillment) -> Result<Value, StoreError> {
        let handed = part.lines.iter().filter(|line| line.handed > 0);
        self.named(handed.map(|line| LineUnits { line: line.offered.line, quantity: line.handed }))
    }

    /// What the picker did not find, or took instead; a question where the customer wanted to be asked.
    fn shortages(&self, part: &Fulfillment, step: &FulfillmentStep) -> Result<Option<Value>, StoreError> {
        let (mut lines, mut is_question) = (Vec::new(), false);
        for said in &step.lines {
            let Some(line) = part.line(said.line) else { continue };
            let is_short = !said.reason.is_empty() && said.quantity < line.offered.quantity - line.cancelled;
            if !is_short && said.substitute.is_none() {
                continue;
            }
            is_question |= line.offered.preference == Preference::Ask;
            let name = self.books.product(&line.offered.sku)?.map(|product| product.name);
            let other = match &said.substitute {
                Some(other) => {
                    let name = self.books.product(&other.sku)?.map(|product| product.name);
                    json!({ "sku": other.sku.as_str(), "name": name, "unit_price": other.unit_price })
                }
                None => Value::Null,
            };
            lines.push(json!({
                "line": said.line + 1, "sku": line.offered.sku.as_str(), "name": name,
                "wanted": line.offered.quantity - line.cancelled, "found": said.quantity,
                "preference": line.offered.preference.as_str(), "substitute": other,
            }));
        }
        if lines.is_empty() {
            return Ok(None);
        }
        let within_ms = self.books.limits_for(part.store)?.answer_within_ms;
        let choices = ["partial", "substitute", "cancel", "wait"];
        Ok(Some(json!({
            "lines": lines, "question": is_question, "choices": choices, "answer_within_s": within_ms / 1_000,
        })))
    }

    /// Units of lines with the names of the products.
    fn named(&self, lines: impl Iterator<Item = LineUnits>) -> Result<Value, StoreError> {
        let mut out = Vec::new();
        for units in lines {
            let Some(line) = self.order.lines.get(usize::from(units.line)) else { continue };
            let name = self.books.product(&line.sku)?.map(|product| product.name);
            out.push(json!({
                "line": units.line + 1, "sku": line.sku.as_str(), "name": name, "quantity": units.quantity,
                "unit": line.unit.as_str(),
            }));
        }
        Ok(Value::Array(out))
    }
}

/// Refunds that are due because of this entry: they would not be without it.
fn new_refunds(known: &Known, entry: &Entry) -> Vec<Due> {
    let mut without = known.clone();
    match &entry.fact {
        Fact::FulfillmentStep(step) => {
            for part in without.parts.values_mut() {
                part.steps.retain(|event| event.hlc != entry.hlc || event.says != *step);
            }
        }
        Fact::OrderStep(step) => without.sayings.retain(|event| event.hlc != entry.hlc || event.says != *step),
        _ => return Vec::new(),
    }
    let (Some(before), Some(after)) = (resolve(&without), resolve(known)) else { return Vec::new() };
    let is_new = |due: &Due| !before.due.iter().any(|held| held.id == due.id);
    after.due.into_iter().filter(|due| due.rule.is_refund() && !due.done && is_new(due)).collect()
}

fn order_of(fact: &Fact) -> Option<OrderId> {
    stockroom_core::books::orders::about(fact)
}

/// How often open orders are looked through.
const REMIND_EVERY: Duration = Duration::from_secs(60);

/// Longer than a restart.
pub const LOOK_BACK_MS: u64 = 15 * 60_000;
