//! Finding a product by what people know of it: a barcode, its number, or words of its name; with what is there and what it costs here.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use stockroom_crdt::ids::{Code, Sku, StoreId};
use stockroom_crdt::money::Unit;
use stockroom_crdt::product::Product;
use stockroom_crdt::stock::rights::Account;
use utoipa::{IntoParams, ToSchema};

use super::problem::{Answered, Problem};
use super::request::Params;
use super::values::{Text, now_ms};
use super::{Api, Books};

/// What is looked for.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SearchParams {
    /// A barcode, a SKU, or parts of words of the name, in any order and case: 1 to 100 characters.
    q: String,
    /// At which store; this node's own if absent. A hub that is not told shows no stock and no price.
    store: Option<u32>,
    /// At most this many, 1 to 100; 30 if absent.
    limit: Option<usize>,
}

/// A product that was found, at one store.
#[derive(Serialize, ToSchema)]
pub struct FoundProduct {
    /// Which.
    #[schema(value_type = String)]
    sku: Text<Sku>,
    /// Its name.
    name: String,
    /// `each` or `gram`.
    #[schema(value_type = String)]
    unit: Text<Unit>,
    /// Its department.
    #[schema(value_type = String)]
    department: Text<Code>,
    /// One of its barcodes; absent if it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    barcode: Option<String>,
    /// What it costs now, in minor units; per kilogram if weighed. Absent if it has no price.
    #[serde(skip_serializing_if = "Option::is_none")]
    price: Option<i64>,
    /// Units in the book; absent at a hub that was not told a store.
    #[serde(skip_serializing_if = "Option::is_none")]
    on_hand: Option<i64>,
    /// Of these, kept for customers.
    promised: u64,
    /// What a customer who walks in finds by the book: on hand less what is kept, not less than nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    available: Option<i64>,
    /// The age that its buyer must have; 0 for everybody.
    age_min: u8,
    /// It is being recalled.
    recalled: bool,
    /// It is sold off and not ordered again.
    discontinued: bool,
}

/// Products that were found, the best fit first.
#[derive(Serialize, ToSchema)]
pub struct FoundProducts {
    /// Them.
    items: Vec<FoundProduct>,
    /// There are more: look for more words.
    more: bool,
}

/// Finds products by barcode, number or name.
#[utoipa::path(get, path = "/v1/search", tag = "catalogue", params(SearchParams), responses((status = 200, body = FoundProducts)))]
pub async fn search(
    State(api): State<Arc<Api>>,
    Params(params): Params<SearchParams>,
) -> Answered<Json<FoundProducts>> {
    let text = params.q.trim().to_owned();
    if text.is_empty() || text.chars().count() > TEXT_CHARS_MAX {
        return Err(Problem::invalid("q", "has 1 to 100 characters"));
    }
    let limit = params.limit.unwrap_or(LIMIT_DEFAULT);
    if !(1..=LIMIT_MAX).contains(&limit) {
        return Err(Problem::invalid("limit", "is not 1 to 100"));
    }
    let store = params.store.or((api.info.store != 0).then_some(api.info.store)).map(StoreId);
    let read = move |books: &Books<'_>| {
        let mut found = exact(books, &text)?;
        if found.is_empty() {
            found = by_words(books, &text, limit + 1)?;
        }
        let more = found.len() > limit;
        found.truncate(limit);
        let items =
            found.into_iter().map(|product| FoundProduct::of(books, store, product)).collect::<Answered<_>>()?;
        Ok(Json(FoundProducts { items, more }))
    };
    api.read_much(read).await
}

impl FoundProduct {
    fn of(books: &Books<'_>, store: Option<StoreId>, product: Product) -> Answered<Self> {
        let recalled = books.recall(&product.sku, &Code::default())?.is_some();
        let mut found = Self {
            sku: Text(product.sku.clone()),
            name: product.name,
            unit: Text(product.unit),
            department: Text(product.department),
            barcode: product.barcodes.first().map(|barcode| barcode.gtin.to_string()),
            price: None,
            on_hand: None,
            promised: 0,
            available: None,
            age_min: product.age_min,
            recalled,
            discontinued: product.discontinued,
        };
        if let Some(store) = store {
            let account = Account { store, sku: product.sku, unit: product.unit };
            let (on_hand, owed) = (books.on_hand(&account)?, books.owed(&account)?);
            found.price = books.price_at_store(store, &account.sku, now_ms())?;
            found.promised = owed.open + owed.open_soft;
            let kept = i64::try_from(found.promised).unwrap_or(i64::MAX);
            (found.on_hand, found.available) = (Some(on_hand), Some(on_hand.saturating_sub(kept).max(0)));
        }
        Ok(found)
    }
}

/// The product that a text names: by barcode or by SKU.
fn exact(books: &Books<'_>, text: &str) -> Answered<Vec<Product>> {
    if let Ok(scanned) = books.scan(text)? {
        return Ok(books.product(&scanned.sku)?.into_iter().collect());
    }
    match Sku::parse(text) {
        Ok(sku) => Ok(books.product(&sku)?.into_iter().collect()),
        Err(_) => Ok(Vec::new()),
    }
}

/// Products whose name, or SKU, holds every word; those that begin with the first word stand first.
fn by_words(books: &Books<'_>, text: &str, limit: usize) -> Answered<Vec<Product>> {
    let words: Vec<String> = text.split_whitespace().map(str::to_lowercase).collect();
    let (mut first, mut rest) = (Vec::new(), Vec::new());
    let mut after: Option<Sku> = None;
    loop {
        let page = books.products(after.as_ref(), PAGE)?;
        let Some(last) = page.last().map(|product| product.sku.clone()) else { break };
        let full = page.len() == PAGE;
        for product in page {
            let name = product.name.to_lowercase();
            let sku = product.sku.as_str().to_lowercase();
            if !words.iter().all(|word| name.contains(word) || sku.contains(word)) {
                continue;
            }
            match words.first().is_some_and(|word| name.starts_with(word)) {
                true => first.push(product),
                false if rest.len() < limit => rest.push(product),
                false => {}
            }
        }
        if !full || first.len() >= limit {
            break;
        }
        after = Some(last);
    }
    first.extend(rest);
    first.truncate(limit);
    Ok(first)
}

/// Characters of a search.
const TEXT_CHARS_MAX: usize = 100;

/// Products of one answer unless the client asks for another number.
const LIMIT_DEFAULT: usize = 30;

/// Products of one answer.
const LIMIT_MAX: usize = 100;

/// Products that are read at once.
const PAGE: usize = 1_000;
