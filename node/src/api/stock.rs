//! Stock on hand, and why a figure is what it is.

mod words;

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use stockroom_core::books::account::{Account, Standing};
use stockroom_core::view::HistoryLine;
use stockroom_crdt::ids::{Actor, Sku, StoreId};
use stockroom_crdt::money::Unit;
use stockroom_crdt::stock::rights::Account as RightsAccount;
use stockroom_crdt::stock::{Counted, Effect};
use utoipa::{IntoParams, ToSchema};

use super::limits::HISTORY_MAX;
use super::problem::{Answered, Problem};
use super::products::page_limit;
use super::request::{Params, Segment};
use super::stores::Knowledge;
use super::trail::TrailAnswer;
use super::values::{Moment, Text};
use super::{Api, Books};

/// Stock on hand of one product at one store.
#[derive(Serialize, ToSchema)]
pub struct StockAnswer {
    /// The product.
    #[schema(value_type = String)]
    sku: Text<Sku>,
    /// Its name, if it is in the catalogue.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// Its unit.
    #[schema(value_type = String)]
    unit: Text<Unit>,
    /// Pieces or grams in the book; negative when more was sold than was ever booked in.
    on_hand: i64,
    /// Of these, kept for customers by open promises.
    promised: u64,
    /// Units that came back and wait for a decision; not on hand.
    quarantined: i64,
    /// Units that came back and were thrown away.
    scrapped: i64,
    /// How many movements came after the count on which it rests.
    movements: u64,
    /// That count, if there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    counted: Option<CountedAnswer>,
    /// Why somebody should count again, if so.
    #[serde(skip_serializing_if = "Option::is_none")]
    recount: Option<&'static str>,
}

/// The count on which a figure rests.
#[derive(Serialize, ToSchema)]
pub struct CountedAnswer {
    /// The session.
    session: u64,
    /// What was there.
    quantity: i64,
    /// When the last zone was scanned.
    #[schema(value_type = String, format = DateTime)]
    scanned_at: Text<Moment>,
}

/// Stock on hand of a store, in the order of SKUs.
#[derive(Serialize, ToSchema)]
pub struct StockPage {
    /// The store, and how old what follows is.
    #[serde(flatten)]
    knowledge: Knowledge,
    /// One per product that ever moved or was counted.
    items: Vec<StockAnswer>,
    /// To be given as `after` for the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    next: Option<Text<Sku>>,
}

/// Stock on hand of one product, and how old that knowledge is.
#[derive(Serialize, ToSchema)]
pub struct StockOfOne {
    /// The store, and how old what follows is.
    #[serde(flatten)]
    knowledge: Knowledge,
    /// The figure.
    #[serde(flatten)]
    stock: StockAnswer,
}

/// Why a figure is what it is.
#[derive(Serialize, ToSchema)]
pub struct HistoryAnswer {
    /// The store, and how old what follows is.
    #[serde(flatten)]
    knowledge: Knowledge,
    /// The figure.
    #[serde(flatten)]
    stock: StockAnswer,
    /// Older entries that were left out.
    omitted: usize,
    /// Every entry: first what the count covers, then the count, then what moved after it.
    entries: Vec<HistoryEntry>,
    /// Which rights to these goods moved where, and what was promised of them.
    rights: TrailAnswer,
}

/// One entry behind a figure.
#[derive(Serialize, ToSchema)]
pub struct HistoryEntry {
    /// What happened, in words.
    what: String,
    /// `sale`, `receipt`, `adjustment`, `issue`, `decision`, `shipment`, `transfer` or `count`.
    kind: &'static str,
    /// When it happened at the till or at the door.
    #[schema(value_type = String, format = DateTime)]
    at: Text<Moment>,
    /// By how much it changed the book; absent for a count, and for what only stands aside.
    #[serde(skip_serializing_if = "Option::is_none")]
    change: Option<i64>,
    /// By how much it changed what is in quarantine.
    #[serde(skip_serializing_if = "Option::is_none")]
    quarantined: Option<i64>,
    /// How many it threw away of what had come back.
    #[serde(skip_serializing_if = "Option::is_none")]
    scrapped: Option<i64>,
    /// What a count found.
    #[serde(skip_serializing_if = "Option::is_none")]
    counted: Option<i64>,
    /// The count on which the figure rests includes it, or replaced it.
    covered: bool,
    /// It repeats a sale that another entry holds, which counts instead.
    repeated: bool,
    /// The figure after it; absent for what the figure does not add.
    #[serde(skip_serializing_if = "Option::is_none")]
    running: Option<i64>,
    /// Who wrote it: node and epoch.
    #[schema(value_type = String, example = "7.1")]
    writer: Text<Actor>,
    /// Its number in that writer's log.
    seq: u64,
}

/// Which page of which store.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct StockParams {
    /// The store; this node's own if absent.
    store: Option<u32>,
    /// Begin behind this SKU.
    #[param(value_type = Option<String>)]
    after: Option<Text<Sku>>,
    /// At most this many, up to 1,000; 100 if absent.
    limit: Option<usize>,
}

/// Which account of a product.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AccountParams {
    /// The store; this node's own if absent.
    pub store: Option<u32>,
    /// `each` or `gram`; the product's if absent.
    #[param(value_type = Option<String>)]
    pub unit: Option<Text<Unit>>,
}

/// Stock on hand of a store.
#[utoipa::path(get, path = "/v1/stock", tag = "stock", params(StockParams), responses((status = 200, body = StockPage)))]
pub async fn list_stock(State(api): State<Arc<Api>>, Params(params): Params<StockParams>) -> Answered<Json<StockPage>> {
    let store = api.store_or_own(params.store)?;
    let limit = page_limit(params.limit)?;
    let knowledge = Knowledge::of(&api, store)?;
    let read = move |books: &Books<'_>| {
        let accounts = books.accounts(store, params.after.as_ref().map(|sku| &sku.0), limit)?;
        let next = if accounts.len() == limit { accounts.last().map(|(sku, _, _)| Text(sku.clone())) } else { None };
        let items =
            accounts.into_iter().map(|(sku, unit, account)| StockAnswer::of(books, (store, sku, unit), Some(account)));
        let items = items.collect::<Answered<Vec<_>>>()?;
        Ok(Json(StockPage { knowledge, items, next }))
    };
    api.read_much(read).await
}

/// Stock on hand of one product.
#[utoipa::path(get, path = "/v1/stock/{sku}", tag = "stock", params(("sku" = String, Path), AccountParams),
    responses((status = 200, body = StockOfOne)))]
pub async fn show_stock(
    State(api): State<Arc<Api>>,
    Segment(sku): Segment<Sku>,
    Params(params): Params<AccountParams>,
) -> Answered<Json<StockOfOne>> {
    let store = api.store_or_own(params.store)?;
    let knowledge = Knowledge::of(&api, store)?;
    api.read(|books| {
        let (unit, account) = account(books, store, &sku, params.unit)?;
        Ok(Json(StockOfOne { knowledge, stock: StockAnswer::of(books, (store, sku, unit), account)? }))
    })
}

/// Every entry that makes a figure what it is.
#[utoipa::path(get, path = "/v1/stock/{sku}/history", tag = "stock", params(("sku" = String, Path), AccountParams),
    responses((status = 200, body = HistoryAnswer)))]
pub async fn show_history(
    State(api): State<Arc<Api>>,
    Segment(sku): Segment<Sku>,
    Params(params): Params<AccountParams>,
) -> Answered<Json<HistoryAnswer>> {
    let store = api.store_or_own(params.store)?;
    let knowledge = Knowledge::of(&api, store)?;
    let read = move |books: &Books<'_>| {
        let (unit, account) = account(books, store, &sku, params.unit)?;
        let lines = books.history(store, &sku, unit)?;
        let mut entries = explain(books, store, lines)?;
        let omitted = entries.len().saturating_sub(HISTORY_MAX);
        entries.drain(..omitted);
        let rights = TrailAnswer::of(books, &RightsAccount { store, sku: sku.clone(), unit })?;
        let stock = StockAnswer::of(books, (store, sku, unit), account)?;
        Ok(Json(HistoryAnswer { knowledge, stock, omitted, entries, rights }))
    };
    api.read_much(read).await
}

impl StockAnswer {
    fn of(books: &Books<'_>, key: (StoreId, Sku, Unit), account: Option<Account>) -> Answered<Self> {
        let (store, sku, unit) = key;
        let account = account.unwrap_or_default();
        let owed = books.owed(&RightsAccount { store, sku: sku.clone(), unit })?;
        let counted = |counted: Counted| CountedAnswer {
            session: counted.session,
            quantity: counted.quantity,
            scanned_at: Text(Moment(counted.scanned_ms)),
        };
        Ok(Self {
            name: books.product(&sku)?.map(|product| product.name),
            sku: Text(sku),
            unit: Text(unit),
            on_hand: account.on_hand.quantity,
            promised: owed.open + owed.open_soft,
            quarantined: account.aside.quarantined,
            scrapped: account.aside.scrapped,
            movements: account.on_hand.movements,
            counted: account.base.map(|(_, base)| counted(base)),
            recount: account.on_hand.recount.map(|recount| recount.as_str()),
        })
    }
}

/// The account that is asked for: in the unit given, or in the product's, or in the one that there is.
pub fn account(
    books: &Books<'_>,
    store: StoreId,
    sku: &Sku,
    unit: Option<Text<Unit>>,
) -> Answered<(Unit, Option<Account>)> {
    let product = books.product(sku)?;
    let wanted = unit.map(|unit| unit.0).or(product.as_ref().map(|product| product.unit));
    for unit in wanted.map_or(vec![Unit::Each, Unit::Gram], |unit| vec![unit]) {
        if let Some(account) = books.account(store, sku, unit)? {
            return Ok((unit, Some(account)));
        }
    }
    match product {
        Some(product) => Ok((wanted.unwrap_or(product.unit), None)),
        None => Err(Problem::not_found(format!(
            "{sku} is neither in the catalogue nor did it ever move at store {}",
            store.0
        ))),
    }
}

/// Puts what the figure does not add first, then the count, then what moved after it, and sums up.
fn explain(books: &Books<'_>, store: StoreId, lines: Vec<HistoryLine>) -> Answered<Vec<HistoryEntry>> {
    let is_aside = |line: &HistoryLine| matches!(line.effect, Effect::Aside(_));
    let counts = |line: &HistoryLine| line.standing == Standing::Counts && !is_aside(line);
    let is_base = |line: &HistoryLine| counts(line) && matches!(line.effect, Effect::Count(_));
    let rank = |line: &HistoryLine| match (counts(line), is_base(line)) {
        (false, _) => 0,
        (true, true) => 1,
        (true, false) => 2,
    };
    let mut lines = lines;
    lines.sort_by_key(rank);
    let mut running = 0_i64;
    let mut entries = Vec::with_capacity(lines.len());
    for line in lines {
        let (mut change, mut counted, mut aside) = (None, None, (0, 0));
        let (at_ms, kind) = match &line.effect {
            Effect::Move(moved) => {
                change = Some(moved.delta);
                (moved.at_ms, words::kind(&moved.cause))
            }
            Effect::Count(count) => {
                counted = Some(count.quantity);
                (count.scanned_ms, "count")
            }
            Effect::Aside(moved) => {
                aside = (moved.quarantined, moved.scrapped);
                (moved.at_ms, words::kind(&moved.cause))
            }
        };
        if counts(&line) {
            running = counted.unwrap_or_else(|| running.saturating_add(change.unwrap_or(0)));
        }
        entries.push(HistoryEntry {
            what: words::of(store, &line.effect, books.entry(line.place)?.as_ref()),
            kind,
            at: Text(Moment(at_ms)),
            change,
            quarantined: Some(aside.0).filter(|units| *units != 0),
            scrapped: Some(aside.1).filter(|units| *units != 0),
            counted,
            covered: line.standing == Standing::Covered,
            repeated: line.standing == Standing::Repeated,
            running: counts(&line).then_some(running),
            writer: Text(line.position.actor),
            seq: line.position.seq,
        });
    }
    Ok(entries)
}
