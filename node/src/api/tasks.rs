//! What somebody has to do: count goods whose promises are at risk, make good what was broken, change labels on shelves.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use stockroom_core::books::rights::Record;
use stockroom_crdt::ids::{Sku, StoreId};
use stockroom_crdt::money::Unit;
use stockroom_crdt::stock::promise::{PromiseId, Step};
use stockroom_crdt::stock::rights::Account;
use utoipa::{IntoParams, ToSchema};

use super::labels::{self, LabelTask};
use super::limits::{PAGE_MAX, TASKS_MAX};
use super::problem::{Answered, Problem};
use super::promises::{CompensationAnswer, compensation};
use super::request::Params;
use super::values::{Moment, Text, now_ms};
use super::{Api, Books};

/// What has to be done.
#[derive(Serialize, ToSchema)]
pub struct TaskList {
    /// Goods to be counted: first those with the most reasons, then those with the most open promises.
    counts: Vec<CountTask>,
    /// Broken reservations, those that are still due first, then the newest; at most 1,000.
    compensations: Vec<CompensationTask>,
    /// Labels on shelves to be changed, those first whose price holds already; at most 1,000.
    labels: Vec<LabelTask>,
    /// Of these, labels that are late: a manager has to look.
    labels_late: usize,
}

/// Goods that somebody should count.
#[derive(Serialize, ToSchema)]
pub struct CountTask {
    /// Where.
    store: u32,
    /// What.
    #[schema(value_type = String)]
    sku: Text<Sku>,
    /// Its unit.
    #[schema(value_type = String)]
    unit: Text<Unit>,
    /// Pieces or grams in the book.
    on_hand: i64,
    /// Of these, promised by open reservations.
    promised: u64,
    /// Why, in words.
    reasons: Vec<String>,
    /// When it was counted last; absent if never.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    counted_at: Option<Text<Moment>>,
}

/// A broken reservation.
#[derive(Serialize, ToSchema)]
pub struct CompensationTask {
    /// Which.
    #[schema(value_type = String)]
    reservation: Text<PromiseId>,
    /// Where its goods should have been.
    store: u32,
    /// What.
    #[schema(value_type = String)]
    sku: Text<Sku>,
    /// Pieces or grams.
    quantity: u64,
    /// The order for which it was made; empty for none.
    reference: String,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    made_at: Text<Moment>,
    /// What its customer gets; due as long as it says so.
    compensation: CompensationAnswer,
}

/// Of which store.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct TaskParams {
    /// Only of this store; at a store its own, at a hub all if absent.
    store: Option<u32>,
}

/// What happened to the promises of an account since it was counted last.
#[derive(Default)]
struct Trouble {
    not_found: usize,
    shorted: usize,
}

/// What has to be done because of promises and of prices.
#[utoipa::path(get, path = "/v1/tasks", tag = "reservations", params(TaskParams), responses((status = 200, body = TaskList)))]
pub async fn list_tasks(State(api): State<Arc<Api>>, Params(params): Params<TaskParams>) -> Answered<Json<TaskList>> {
    let own = (api.info.store != 0).then_some(api.info.store);
    let wanted = params.store.or(own);
    let read = move |books: &Books<'_>| {
        let mut stores: Vec<StoreId> = books.stores()?.into_iter().map(|record| record.store).collect();
        if let Some(wanted) = wanted {
            stores.retain(|store| store.0 == wanted);
            if stores.is_empty() {
                return Err(Problem::unknown("store", format_args!("no such store: {wanted}")));
            }
        }
        let now_ms = now_ms();
        let (counts, compensations) = (Vec::new(), Vec::new());
        let mut list = TaskList { counts, compensations, labels: Vec::new(), labels_late: 0 };
        for store in stores {
            list.look_at(books, store)?;
            list.labels.extend(labels::tasks(books, store, now_ms)?);
        }
        list.counts.sort_by_key(|task| (std::cmp::Reverse(task.reasons.len()), std::cmp::Reverse(task.promised)));
        list.compensations.sort_by_key(|task| (!task.compensation.is_due(), std::cmp::Reverse(task.made_at.0)));
        list.counts.truncate(TASKS_MAX);
        list.compensations.truncate(TASKS_MAX);
        list.labels_late = list.labels.iter().filter(|task| task.is_late()).count();
        list.labels.sort_by_key(LabelTask::rank);
        list.labels.truncate(TASKS_MAX);
        Ok(Json(list))
    };
    api.read_much(read).await
}

impl TaskList {
    fn look_at(&mut self, books: &Books<'_>, store: StoreId) -> Answered<()> {
        let mut troubles: BTreeMap<Account, Trouble> = BTreeMap::new();
        let mut after = None;
        loop {
            let page = books.promises(store, after, PAGE_MAX)?;
            let Some((last, _)) = page.last() else { break };
            after = Some(*last);
            for (id, record) in page {
                self.compensations.extend(CompensationTask::of(books, store, id, &record)?);
                note(books, &mut troubles, &record)?;
            }
        }
        let rules = books.rules()?;
        let mut accounts: std::collections::BTreeSet<Account> = books.rights_accounts(store)?.into_iter().collect();
        let doubtful = books.accounts(store, None, usize::MAX)?.into_iter();
        let doubtful = doubtful.filter(|(_, _, account)| account.on_hand.recount.is_some());
        accounts.extend(doubtful.map(|(sku, unit, _)| Account { store, sku, unit }));
        for account in accounts {
            let held = books.account(store, &account.sku, account.unit)?.unwrap_or_default();
            let (on_hand, owed) = (held.on_hand.quantity, books.owed(&account)?);
            let promised = owed.open.saturating_add(owed.open_soft);
            let trouble = troubles.remove(&account).unwrap_or_default();
            let mut reasons = Vec::new();
            let safety = books.rule_for(&rules, &account.sku)?.map_or(0, |rule| i64::from(rule.safety));
            let left = on_hand.saturating_sub(i64::try_from(promised).unwrap_or(i64::MAX));
            if promised > 0 && left <= safety {
                reasons.push(format!("{promised} of {on_hand} are promised, {safety} should never be"));
            }
            reasons.extend(held.on_hand.recount.map(|recount| recount.as_str().to_owned()));
            if trouble.not_found > 0 {
                reasons.push(format!("{} times somebody looked and did not find them", trouble.not_found));
            }
            if trouble.shorted > 0 {
                reasons.push(format!("{} promises were broken since the last count", trouble.shorted));
            }
            if !reasons.is_empty() {
                let counted_at = held.base.as_ref().map(|(_, counted)| Text(Moment(counted.scanned_ms)));
                let (sku, unit) = (Text(account.sku), Text(account.unit));
                self.counts.push(CountTask { store: store.0, sku, unit, on_hand, promised, reasons, counted_at });
            }
        }
        Ok(())
    }
}

impl CompensationTask {
    fn of(books: &Books<'_>, store: StoreId, id: PromiseId, record: &Record) -> Answered<Option<Self>> {
        let (Some(promise), Some(compensation)) = (&record.promise, compensation(books, store, id, record)?) else {
            return Ok(None);
        };
        Ok(Some(Self {
            reservation: Text(id),
            store: store.0,
            sku: Text(promise.account.sku.clone()),
            quantity: promise.quantity,
            reference: promise.reference.as_str().into(),
            made_at: Text(Moment(record.made.ms())),
            compensation,
        }))
    }
}

/// Counts what went wrong with a promise since its goods were counted.
fn note(books: &Books<'_>, troubles: &mut BTreeMap<Account, Trouble>, record: &Record) -> Answered<()> {
    let Some(promise) = &record.promise else { return Ok(()) };
    let not_found =
        record.said.steps().find(|(_, step)| step.step == Step::NotFound).map(|((_, _, _, hlc), _)| hlc.ms());
    // When a shortage came is not in the record; it is never earlier than the promise.
    let shorted = record.said.shortage().map(|_| record.made.ms());
    if not_found.is_none() && shorted.is_none() {
        return Ok(());
    }
    let account = &promise.account;
    let held = books.account(account.store, &account.sku, account.unit)?;
    let counted_ms = held.and_then(|held| held.base).map_or(0, |(_, counted)| counted.scanned_ms);
    let since = |at_ms: Option<u64>| at_ms.is_some_and(|at_ms| at_ms > counted_ms);
    let trouble = troubles.entry(account.clone()).or_default();
    trouble.not_found += usize::from(since(not_found));
    trouble.shorted += usize::from(not_found.is_none() && since(shorted));
    Ok(())
}
