//! What is known of each store here, and how old that knowledge is.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use stockroom_crdt::control::StoreRecord;
use stockroom_crdt::ids::{Code, StoreId};
use stockroom_crdt::money::Currency;
use utoipa::ToSchema;

use super::days::{DayAnswer, last_days};
use super::near::Degrees;
use super::problem::{Answered, Problem};
use super::request::Segment;
use super::values::{Moment, Text, now_ms};
use super::{Api, Books};

/// A store, and how old what is said of it is.
#[derive(Clone, Serialize, ToSchema)]
pub struct Knowledge {
    /// The store.
    store: u32,
    /// Until when everything of it is known here; absent if that was never so.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    known_until: Option<Text<Moment>>,
    /// How long ago that was, in seconds; 0 at the store itself, absent if never.
    #[serde(skip_serializing_if = "Option::is_none")]
    age_s: Option<u64>,
    /// A link to one of its nodes is up.
    connected: bool,
}

/// A store.
#[derive(Serialize, ToSchema)]
pub struct StoreAnswer {
    /// Which, and how old the takings are.
    #[serde(flatten)]
    knowledge: Knowledge,
    /// Its name.
    name: String,
    /// Its price book.
    #[schema(value_type = String)]
    book: Text<Code>,
    /// Its group for sharing stock.
    #[schema(value_type = String)]
    group: Text<Code>,
    /// Its currency.
    #[schema(value_type = String)]
    currency: Text<Currency>,
    /// Its time zone.
    #[schema(value_type = String)]
    zone: Text<Code>,
    /// Minutes after midnight at which its day rolls over.
    rollover_min: u16,
    /// Where it is; absent if nobody said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    coordinates: Option<Degrees>,
    /// The node that keeps its goods.
    home: u32,
    /// Takings of its last days, oldest first.
    days: Vec<DayAnswer>,
    /// How many products ever moved or were counted; only when one store is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    accounts: Option<usize>,
}

/// All stores that are known here.
#[derive(Serialize, ToSchema)]
pub struct StoreList {
    /// The stores.
    items: Vec<StoreAnswer>,
}

/// All stores of the chain, as far as they are known here.
#[utoipa::path(get, path = "/v1/stores", tag = "stores", responses((status = 200, body = StoreList)))]
pub async fn list_stores(State(api): State<Arc<Api>>) -> Answered<Json<StoreList>> {
    let shared = api.clone();
    let read = move |books: &Books<'_>| {
        let records = books.stores()?.into_iter();
        let items = records.map(|record| StoreAnswer::of(&shared, books, record, LIST_DAYS));
        Ok(Json(StoreList { items: items.collect::<Answered<Vec<_>>>()? }))
    };
    api.read_much(read).await
}

/// A store.
#[utoipa::path(get, path = "/v1/stores/{store}", tag = "stores", params(("store" = u32, Path)),
    responses((status = 200, body = StoreAnswer)))]
pub async fn show_store(State(api): State<Arc<Api>>, Segment(store): Segment<u32>) -> Answered<Json<StoreAnswer>> {
    let shared = api.clone();
    let read = move |books: &Books<'_>| {
        let record = books.store(StoreId(store))?.ok_or_else(|| unknown(store))?;
        let accounts = Some(books.account_count(record.store)?);
        Ok(Json(StoreAnswer { accounts, ..StoreAnswer::of(&shared, books, record, ONE_DAYS)? }))
    };
    api.read_much(read).await
}

impl Knowledge {
    /// What is known of the knowledge about a store.
    pub fn of(api: &Api, store: StoreId) -> Answered<Self> {
        let status = api.handle.status();
        let held = status.stores.iter().find(|held| held.store == store);
        if status.store == Some(store) {
            return Ok(Self {
                store: store.0,
                known_until: Some(Text(Moment(now_ms()))),
                age_s: Some(0),
                connected: true,
            });
        }
        let Some(held) = held else { return Err(unknown(store.0)) };
        Ok(Self {
            store: store.0,
            known_until: held.fresh_ms.map(|ms| Text(Moment(ms))),
            age_s: held.fresh_ms.map(|ms| now_ms().saturating_sub(ms) / 1000),
            connected: held.connected,
        })
    }
}

impl Knowledge {
    /// How old it is, in seconds; nothing if the store was never heard.
    pub fn age_s(&self) -> Option<u64> {
        self.age_s
    }

    /// True while a link to one of the store's nodes is up.
    pub fn is_connected(&self) -> bool {
        self.connected
    }
}

impl StoreAnswer {
    fn of(api: &Api, books: &Books<'_>, record: StoreRecord, days: usize) -> Answered<Self> {
        // A store that came between the last status and this snapshot is not in the status yet.
        let fresh = Knowledge { store: record.store.0, known_until: None, age_s: None, connected: false };
        Ok(Self {
            knowledge: Knowledge::of(api, record.store).unwrap_or(fresh),
            name: record.name,
            book: Text(record.book),
            group: Text(record.group),
            currency: Text(record.currency),
            zone: Text(record.zone),
            rollover_min: record.rollover_min,
            coordinates: record.coordinates.map(Degrees::of),
            home: record.home.0,
            days: last_days(books, record.store, days)?,
            accounts: None,
        })
    }
}

fn unknown(store: u32) -> Problem {
    Problem::not_found(format!("store {store} is not known here"))
}

/// Days of takings per store in a list.
const LIST_DAYS: usize = 3;

/// Days of takings of one store.
const ONE_DAYS: usize = 14;
