//! Prices: effective-dated, per price book. Written at the hub, read everywhere.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Deserializer, Serialize};
use stockroom_core::input::{Answer, Command};
use stockroom_crdt::ids::{Code, Sku, StoreId};
use stockroom_crdt::limits::AMOUNT_MAX;
use stockroom_crdt::money::Currency;
use stockroom_crdt::price::Price;
use utoipa::{IntoParams, ToSchema};

use super::idempotency::{KeyHeader, Keyed, created};
use super::limits::{IMPORT_CHUNK, PRICE_AHEAD_MS_MAX};
use super::problem::{Answered, Problem};
use super::products::page_limit;
use super::request::Params;
use super::values::{Moment, Text, now_ms};
use super::{Api, Books, unexpected};

/// A price as a client sends and gets it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Price)]
pub struct PriceBody {
    /// What it is the price of.
    #[schema(value_type = String)]
    pub sku: Text<Sku>,
    /// The price book.
    #[schema(value_type = String, example = "default")]
    pub book: Text<Code>,
    /// Minor units per piece or per kilogram; `null` ends an earlier price.
    #[serde(deserialize_with = "nullable")]
    #[schema(required = true)]
    pub price: Option<i64>,
    /// ISO 4217.
    #[schema(value_type = String, example = "EUR")]
    pub currency: Text<Currency>,
    /// From when it holds; now if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub from: Option<Text<Moment>>,
}

/// Several prices, all or none of which are taken.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PriceList {
    /// 1 to 512 prices.
    prices: Vec<PriceBody>,
}

/// What was written.
#[derive(Serialize, ToSchema)]
pub struct PricesTaken {
    /// How many prices.
    count: usize,
}

/// The price of one product.
#[derive(Serialize, ToSchema)]
pub struct PriceAnswer {
    /// The product.
    #[schema(value_type = String)]
    sku: Text<Sku>,
    /// What holds at the time asked for; absent without a price.
    #[serde(skip_serializing_if = "Option::is_none")]
    price: Option<i64>,
    /// Its currency.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    currency: Option<Text<Currency>>,
    /// Every start, also past and coming ones; only when one product was asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    schedule: Vec<PriceBody>,
}

/// Prices in the order of SKUs.
#[derive(Serialize, ToSchema)]
pub struct PricePage {
    /// The price book.
    #[schema(value_type = String)]
    book: Text<Code>,
    /// The time for which they hold.
    #[schema(value_type = String, format = DateTime)]
    at: Text<Moment>,
    /// One per product.
    items: Vec<PriceAnswer>,
    /// To be given as `after` for the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    next: Option<Text<Sku>>,
}

/// Which prices.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PriceParams {
    /// The price book; this store's if absent.
    #[param(value_type = Option<String>)]
    book: Option<Text<Code>>,
    /// Only this product, with every start of a price.
    #[param(value_type = Option<String>)]
    sku: Option<Text<Sku>>,
    /// At this time; now if absent.
    #[param(value_type = Option<String>)]
    at: Option<Text<Moment>>,
    /// Begin behind this SKU.
    #[param(value_type = Option<String>)]
    after: Option<Text<Sku>>,
    /// At most this many, up to 1,000; 100 if absent.
    limit: Option<usize>,
}

/// Prices of a book at a time.
#[utoipa::path(get, path = "/v1/prices", tag = "catalogue", params(PriceParams), responses((status = 200, body = PricePage)))]
pub async fn list_prices(
    State(api): State<Arc<Api>>,
    Params(params): Params<PriceParams>,
) -> Answered<Json<PricePage>> {
    let limit = page_limit(params.limit)?;
    let own = api.info.store;
    let read = move |books: &Books<'_>| {
        let book = match params.book {
            Some(book) => book.0,
            None => books.store(StoreId(own))?.ok_or_else(|| Problem::invalid("book", "is needed here"))?.book,
        };
        let at = params.at.map_or_else(now_ms, |at| at.0.0);
        let mut next = None;
        let items = match params.sku {
            Some(Text(sku)) => vec![one(books, &book, sku, at)?],
            None => {
                let products = books.products(params.after.as_ref().map(|sku| &sku.0), limit)?;
                if products.len() == limit {
                    next = products.last().map(|product| Text(product.sku.clone()));
                }
                let priced = products.into_iter().map(|product| brief(books, &book, product.sku, at));
                priced.collect::<Answered<Vec<_>>>()?
            }
        };
        Ok(Json(PricePage { book: Text(book), at: Text(Moment(at)), items, next }))
    };
    api.read_much(read).await
}

/// Puts prices into their books; all or none. At the hub.
#[utoipa::path(post, path = "/v1/prices", tag = "catalogue", params(KeyHeader), request_body = PriceList,
    responses((status = 201, body = PricesTaken)))]
pub async fn set_prices(State(api): State<Arc<Api>>, Keyed { value, retry }: Keyed<PriceList>) -> Answered {
    if !(1..=IMPORT_CHUNK).contains(&value.prices.len()) {
        return Err(Problem::invalid("prices", format_args!("are not 1 to {IMPORT_CHUNK}")));
    }
    let now = now_ms();
    let price = |(index, body): (usize, PriceBody)| body.into_price(&format!("prices[{index}]."), now);
    let prices = value.prices.into_iter().enumerate().map(price).collect::<Answered<Vec<_>>>()?;
    let replayed = api.read(|books| Ok(books.retried(retry.key)?.is_some()))?;
    match api.ask(Command::Prices(retry, prices)).await? {
        Answer::Imported { count } => Ok(created(replayed, PricesTaken { count })),
        answer => unexpected(&answer),
    }
}

impl PriceBody {
    /// Checks the price and makes the record. `place` is where it stands in the request.
    fn into_price(self, place: &str, now: u64) -> Answered<Price> {
        let from_ms = self.from.map_or(now, |from| from.0.0);
        check_price(&format!("{place}price"), self.price)?;
        check_start(&format!("{place}from"), from_ms, now)?;
        Ok(Price { book: self.book.0, sku: self.sku.0, from_ms, minor: self.price, currency: self.currency.0 })
    }
}

/// Refuses what cannot be a price.
pub fn check_price(field: &str, price: Option<i64>) -> Answered<()> {
    match price {
        Some(price) if !(0..=AMOUNT_MAX).contains(&price) => {
            Err(Problem::invalid(field, format_args!("{price} is not 0 to {AMOUNT_MAX}")))
        }
        _ => Ok(()),
    }
}

/// Refuses a start that can only be a typing error.
pub fn check_start(field: &str, from_ms: u64, now: u64) -> Answered<()> {
    if from_ms > now.saturating_add(PRICE_AHEAD_MS_MAX) {
        return Err(Problem::invalid(field, "lies more than five years ahead"));
    }
    Ok(())
}

fn one(books: &Books<'_>, book: &Code, sku: Sku, at: u64) -> Answered<PriceAnswer> {
    let schedule = books.prices(book, &sku)?.into_iter().map(|price| PriceBody {
        sku: Text(price.sku),
        book: Text(price.book),
        price: price.minor,
        currency: Text(price.currency),
        from: Some(Text(Moment(price.from_ms))),
    });
    let schedule = schedule.collect();
    Ok(PriceAnswer { schedule, ..brief(books, book, sku, at)? })
}

fn brief(books: &Books<'_>, book: &Code, sku: Sku, at: u64) -> Answered<PriceAnswer> {
    let price = books.price(book, &sku, at)?;
    Ok(PriceAnswer {
        sku: Text(sku),
        price: price.as_ref().and_then(|price| price.minor),
        currency: price.map(|price| Text(price.currency)),
        schedule: Vec::new(),
    })
}

/// `null` ends a price, so it must be said: a field that was forgotten is an error.
pub fn nullable<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    Option::deserialize(deserializer)
}
