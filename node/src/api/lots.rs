//! What is left of each lot of a product, and what expires: suggestions made of what was received and what was sold since.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use stockroom_crdt::ids::{Code, Sku, StoreId};
use stockroom_crdt::money::Unit;
use stockroom_crdt::stock::lots::Left;
use utoipa::{IntoParams, ToSchema};

use super::problem::Answered;
use super::request::{Params, Segment};
use super::stock::{AccountParams, account};
use super::stores::Knowledge;
use super::values::{Day, Text, now_ms};
use super::{Api, Books};

/// What is left of the lots of a product.
#[derive(Serialize, ToSchema)]
pub struct LotsAnswer {
    /// The store, and how old what follows is.
    #[serde(flatten)]
    knowledge: Knowledge,
    /// The product.
    #[schema(value_type = String)]
    sku: Text<Sku>,
    /// Its unit.
    #[schema(value_type = String)]
    unit: Text<Unit>,
    /// Pieces or grams in the book: the lots and `unassigned` together.
    on_hand: i64,
    /// Lots of which something ought to be left, the first to expire and to be sold first.
    lots: Vec<LotAnswer>,
    /// Units of no known lot; negative when more was sold than was ever booked in.
    unassigned: i64,
}

/// What is left of a lot, as a suggestion: what nobody scanned is taken to be of the lot that expired first.
#[derive(Serialize, ToSchema)]
pub struct LotAnswer {
    /// Batch or lot; empty if only the expiry is known.
    #[schema(value_type = String)]
    lot: Text<Code>,
    /// The last day on which it is good.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = Date)]
    expiry: Option<Text<Day>>,
    /// How many days that is from the business day, negative once it is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    days_left: Option<i64>,
    /// That day is over.
    expired: bool,
    /// How many are left.
    quantity: i64,
}

/// A lot that expires.
#[derive(Serialize, ToSchema)]
pub struct ExpiringAnswer {
    /// The product.
    #[schema(value_type = String)]
    sku: Text<Sku>,
    /// Its name, if it is in the catalogue.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// Its unit.
    #[schema(value_type = String)]
    unit: Text<Unit>,
    /// Which lot, and how many are left of it.
    #[serde(flatten)]
    lot: LotAnswer,
}

/// Lots that expire, the first of all products first.
#[derive(Serialize, ToSchema)]
pub struct ExpiringList {
    /// The store, and how old what follows is.
    #[serde(flatten)]
    knowledge: Knowledge,
    /// The day from which days are counted.
    #[schema(value_type = String, format = Date)]
    today: Text<Day>,
    /// The lots, expired ones included.
    items: Vec<ExpiringAnswer>,
}

/// How far ahead to look.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ExpiringParams {
    /// The store; this node's own if absent.
    store: Option<u32>,
    /// So many days from the business day on; 7 if absent, 0 for today.
    within_days: Option<u32>,
}

/// What is left of each lot of a product. Tills rarely scan lots, so this is a guess: first expired, first out.
#[utoipa::path(get, path = "/v1/stock/{sku}/lots", tag = "stock", params(("sku" = String, Path), AccountParams),
    responses((status = 200, body = LotsAnswer)))]
pub async fn show_lots(
    State(api): State<Arc<Api>>,
    Segment(sku): Segment<Sku>,
    Params(params): Params<AccountParams>,
) -> Answered<Json<LotsAnswer>> {
    let store = api.store_or_own(params.store)?;
    let knowledge = Knowledge::of(&api, store)?;
    let read = move |books: &Books<'_>| {
        let (unit, _) = account(books, store, &sku, params.unit)?;
        let today = today(books, store)?;
        let lots = books.lots(store, &sku, unit)?;
        let (on_hand, unassigned) = (lots.total(), lots.unassigned);
        let lots = lots.left.into_iter().map(|left| LotAnswer::of(left, today)).collect();
        Ok(Json(LotsAnswer { knowledge, sku: Text(sku), unit: Text(unit), on_hand, lots, unassigned }))
    };
    api.read_much(read).await
}

/// Lots that expire soon or have expired.
#[utoipa::path(get, path = "/v1/expiring", tag = "stock", params(ExpiringParams),
    responses((status = 200, body = ExpiringList)))]
pub async fn list_expiring(
    State(api): State<Arc<Api>>,
    Params(params): Params<ExpiringParams>,
) -> Answered<Json<ExpiringList>> {
    let store = api.store_or_own(params.store)?;
    let knowledge = Knowledge::of(&api, store)?;
    let within = params.within_days.unwrap_or(WITHIN_DAYS);
    let read = move |books: &Books<'_>| {
        let today = today(books, store)?;
        let expiring = books.expiring(store, today.saturating_add(within))?.into_iter();
        let items = expiring.map(|item| {
            Ok(ExpiringAnswer {
                name: books.product(&item.sku)?.map(|product| product.name),
                sku: Text(item.sku),
                unit: Text(item.unit),
                lot: LotAnswer::of(item.left, today),
            })
        });
        Ok(Json(ExpiringList { knowledge, today: Text(Day(today)), items: items.collect::<Answered<Vec<_>>>()? }))
    };
    api.read_much(read).await
}

impl LotAnswer {
    fn of(left: Left, today: u32) -> Self {
        let day = Some(left.batch.expiry_day).filter(|day| *day != 0);
        Self {
            lot: Text(left.batch.lot),
            expiry: day.map(|day| Text(Day(day))),
            days_left: day.map(|day| i64::from(day) - i64::from(today)),
            expired: day.is_some_and(|day| day < today),
            quantity: left.quantity,
        }
    }
}

/// The date of the open business day, or the date in UTC.
fn today(books: &Books<'_>, store: StoreId) -> Answered<u32> {
    let open = books.last_day(store)?.filter(|day| day.closed_ms == 0 && day.date != 0);
    let utc = u32::try_from(now_ms() / DAY_MS).unwrap_or(u32::MAX);
    Ok(open.map_or(utc, |day| day.date))
}

/// A week: what is reduced in price today.
const WITHIN_DAYS: u32 = 7;

const DAY_MS: u64 = 24 * 3_600 * 1_000;
