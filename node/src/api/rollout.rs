//! Which stores have the newest prices, promotions and campaigns, and which are late.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use stockroom_crdt::ids::Code;
use stockroom_crdt::scope::Scope;
use utoipa::{IntoParams, ToSchema};

use super::fleet::feeds_of;
use super::problem::Answered;
use super::products::page_limit;
use super::request::Params;
use super::stores::Knowledge;
use super::values::Text;
use super::{Api, Books};

/// How far the newest prices and campaigns came.
#[derive(Serialize, ToSchema)]
pub struct RolloutAnswer {
    /// Price books that stores use, by name.
    books: Vec<BookAnswer>,
    /// The price book that was asked for.
    #[schema(value_type = String)]
    book: Text<Code>,
    /// Stores with this book.
    stores: usize,
    /// Of these: stores that have every price and promotion of it.
    prices_newest: usize,
    /// Of these: stores that have every product, tax rate and campaign.
    catalogue_newest: usize,
    /// Stores that lack something, the one that lacks most first.
    late: Vec<LateStore>,
    /// So many more are late.
    omitted: usize,
}

/// A price book in use.
#[derive(Serialize, ToSchema)]
pub struct BookAnswer {
    /// Its name.
    #[schema(value_type = String)]
    book: Text<Code>,
    /// Stores that use it.
    stores: usize,
    /// The currency of the first of them.
    currency: String,
}

/// A store that does not have all.
#[derive(Serialize, ToSchema)]
pub struct LateStore {
    /// Which, and how old what is known of it is.
    #[serde(flatten)]
    knowledge: Knowledge,
    /// Its name.
    name: String,
    /// Steps of the price book that it lacks; absent if it never followed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    prices_behind: Option<u64>,
    /// Steps of the catalogue that it lacks; absent if it never followed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    catalogue_behind: Option<u64>,
}

/// Of which price book.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RolloutParams {
    /// The price book; that of most stores if absent.
    #[param(value_type = Option<String>)]
    book: Option<Text<Code>>,
    /// At most this many late stores, up to 1,000; 100 if absent.
    limit: Option<usize>,
}

/// Which stores have the newest of a price book and of the catalogue, by what their nodes acknowledged as durable.
#[utoipa::path(get, path = "/v1/rollout", tag = "catalogue", params(RolloutParams),
    responses((status = 200, body = RolloutAnswer)))]
pub async fn show_rollout(
    State(api): State<Arc<Api>>,
    Params(params): Params<RolloutParams>,
) -> Answered<Json<RolloutAnswer>> {
    let limit = page_limit(params.limit)?;
    let shared = api.clone();
    let read = move |books: &Books<'_>| {
        let (status, records) = (shared.handle.status(), books.stores()?);
        let mut used: Vec<BookAnswer> = Vec::new();
        for record in &records {
            match used.iter_mut().find(|held| held.book.0 == record.book) {
                Some(held) => held.stores += 1,
                None => {
                    let currency = record.currency.as_str().to_owned();
                    used.push(BookAnswer { book: Text(record.book.clone()), stores: 1, currency });
                }
            }
        }
        let most = used.iter().max_by_key(|held| held.stores).map(|held| held.book.0.clone());
        let book = params.book.map(|book| book.0).or(most).unwrap_or_default();
        let (prices, catalogue) = (Scope::Prices(book.clone()).to_string(), Scope::Catalog.to_string());
        let (mut stores, mut prices_newest, mut catalogue_newest, mut late) = (0, 0, 0, Vec::new());
        for record in records.into_iter().filter(|record| record.book == book) {
            let feeds = feeds_of(books, &status, record.home)?;
            let behind = |wanted: &str| {
                let found = feeds.iter().find(|(scope, ..)| scope == wanted);
                found.map(|(_, durable, end)| end.saturating_sub(*durable))
            };
            let (prices_behind, catalogue_behind) = (behind(&prices), behind(&catalogue));
            stores += 1;
            prices_newest += usize::from(prices_behind == Some(0));
            catalogue_newest += usize::from(catalogue_behind == Some(0));
            if (prices_behind, catalogue_behind) != (Some(0), Some(0))
                && let Ok(knowledge) = Knowledge::of(&shared, record.store)
            {
                late.push(LateStore { knowledge, name: record.name, prices_behind, catalogue_behind });
            }
        }
        let lacks = |store: &LateStore| {
            store.prices_behind.unwrap_or(u64::MAX).saturating_add(store.catalogue_behind.unwrap_or(u64::MAX))
        };
        late.sort_by_key(|store| std::cmp::Reverse(lacks(store)));
        used.sort_by(|a, b| a.book.0.cmp(&b.book.0));
        let omitted = late.len().saturating_sub(limit);
        late.truncate(limit);
        Ok(Json(RolloutAnswer {
            books: used,
            book: Text(book),
            stores,
            prices_newest,
            catalogue_newest,
            late,
            omitted,
        }))
    };
    api.read_much(read).await
}
