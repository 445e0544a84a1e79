//! Promotions of price books: what is cheaper, when, where, for whom and together with what.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use stockroom_core::input::{Answer, Command};
use stockroom_crdt::checkout::promotion::{Gives, Promotion};
use stockroom_crdt::ids::{Code, Sku, StoreId};
use utoipa::{IntoParams, ToSchema};

use crate::api::idempotency::{KeyHeader, Keyed, done};
use crate::api::prices::check_start;
use crate::api::problem::{Answered, Problem};
use crate::api::request::Params;
use crate::api::values::{Moment, Text, moment, now_ms};
use crate::api::{Api, unexpected};

/// A promotion of a price book.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Promotion)]
pub struct PromotionBody {
    /// The price book.
    #[schema(value_type = String, example = "default")]
    book: Text<Code>,
    /// Its own name in the book.
    #[schema(value_type = String, example = "bread-week")]
    id: Text<Code>,
    /// What the receipt calls it.
    name: String,
    /// From when it holds; now if absent. Stores know of it before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    from: Option<Text<Moment>>,
    /// Until when, not included; for ever if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    until: Option<Text<Moment>>,
    /// True to take it back.
    #[serde(default)]
    ended: bool,
    /// Only for members.
    #[serde(default)]
    members_only: bool,
    /// At which stores; all of the book if empty.
    #[serde(default)]
    stores: Vec<u32>,
    /// For these products ...
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    skus: Vec<Text<Sku>>,
    /// ... and all of these departments. Both empty: for everything.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    departments: Vec<Text<Code>>,
    /// What it gives.
    gives: GivesBody,
    /// The higher is tried first.
    #[serde(default)]
    priority: u8,
    /// Units that it has reduced are reduced by no other promotion.
    #[serde(default)]
    exclusive: bool,
    /// How often it is given in one basket; 0 for as often as it fits.
    #[serde(default)]
    per_basket: u16,
}

/// What a promotion gives.
#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schema(as = PromotionGives)]
pub enum GivesBody {
    /// Hundredths of a percent off each line.
    Percent(u32),
    /// Minor units off each piece, or each kilogram.
    Off(i64),
    /// Each piece, or each kilogram, costs this instead, if that is less.
    Price(i64),
    /// Of every `buy + get` pieces the cheapest `get` are reduced.
    BuyGet {
        /// Pieces at the full price.
        buy: u16,
        /// Pieces that are reduced.
        get: u16,
        /// By hundredths of a percent: 10000 for nothing to pay.
        off_bp: u32,
    },
    /// So many pieces together cost this, if that is less.
    Bundle {
        /// How many.
        units: u16,
        /// Together, minor units.
        price: i64,
    },
    /// Minor units off all its goods together, when they come to at least so much.
    Basket {
        /// Minor units that they have to come to.
        from: i64,
        /// Off.
        off: i64,
    },
}

/// Promotions of a book.
#[derive(Serialize, ToSchema)]
pub struct PromotionList {
    /// The price book.
    #[schema(value_type = String)]
    book: Text<Code>,
    /// By name, those that are over and those to come included.
    items: Vec<PromotionBody>,
}

/// Which promotions.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PromotionParams {
    /// The price book; this store's if absent.
    #[param(value_type = Option<String>)]
    book: Option<Text<Code>>,
    /// Also those that were taken back.
    #[serde(default)]
    ended: bool,
}

/// Path of promotions.
pub const PROMOTIONS: &str = "/v1/till-rules/promotions";

/// Promotions of a price book, as far as they are known here.
#[utoipa::path(get, path = "/v1/till-rules/promotions", tag = "till rules", params(PromotionParams),
    responses((status = 200, body = PromotionList)))]
pub async fn list_promotions(
    State(api): State<Arc<Api>>,
    Params(params): Params<PromotionParams>,
) -> Answered<Json<PromotionList>> {
    let own = StoreId(api.info.store);
    api.read(|books| {
        let book = match params.book {
            Some(book) => book.0,
            None => books.store(own)?.ok_or_else(|| Problem::invalid("book", "is needed here"))?.book,
        };
        let all = books.all_promotions(&book)?.into_iter().filter(|promotion| params.ended || !promotion.ended);
        let items = all.map(PromotionBody::of).collect();
        Ok(Json(PromotionList { book: Text(book), items }))
    })
}

/// Puts a promotion into its price book. At the hub, from its own machine. Replaces the one of the same name.
#[utoipa::path(put, path = "/v1/till-rules/promotions", tag = "till rules", params(KeyHeader), request_body = PromotionBody,
    responses((status = 200, body = PromotionBody)))]
pub async fn set_promotion(State(api): State<Arc<Api>>, Keyed { value, retry }: Keyed<PromotionBody>) -> Answered {
    let promotion = value.promotion()?;
    let replayed = api.read(|books| Ok(books.retried(retry.key)?.is_some()))?;
    let written = api.ask(Command::Promotions(retry, vec![promotion.clone()])).await;
    match written.map_err(|problem| problem.without_prefix("promotions[0]."))? {
        Answer::Imported { .. } => Ok(done(replayed, PromotionBody::of(promotion))),
        answer => unexpected(&answer),
    }
}

impl PromotionBody {
    fn of(promotion: Promotion) -> Self {
        Self {
            book: Text(promotion.book),
            id: Text(promotion.id),
            name: promotion.name,
            from: Some(Text(Moment(promotion.from_ms))),
            until: moment(promotion.until_ms),
            ended: promotion.ended,
            members_only: promotion.members_only,
            stores: promotion.stores.into_iter().map(|store| store.0).collect(),
            skus: promotion.skus.into_iter().map(Text).collect(),
            departments: promotion.departments.into_iter().map(Text).collect(),
            gives: GivesBody::of(promotion.gives),
            priority: promotion.priority,
            exclusive: promotion.exclusive,
            per_basket: promotion.per_basket,
        }
    }

    fn promotion(self) -> Answered<Promotion> {
        let now = now_ms();
        let from_ms = self.from.map_or(now, |from| from.0.0);
        check_start("from", from_ms, now)?;
        Ok(Promotion {
            book: self.book.0,
            id: self.id.0,
            name: self.name,
            from_ms,
            until_ms: self.until.map_or(0, |until| until.0.0),
            ended: self.ended,
            members_only: self.members_only,
            stores: sorted(self.stores.into_iter().map(StoreId)),
            skus: sorted(self.skus.into_iter().map(|sku| sku.0)),
            departments: sorted(self.departments.into_iter().map(|department| department.0)),
            gives: self.gives.gives(),
            priority: self.priority,
            exclusive: self.exclusive,
            per_basket: self.per_basket,
        })
    }
}

impl GivesBody {
    /// As it was put down.
    pub fn of(gives: Gives) -> Self {
        match gives {
            Gives::Percent(bp) => Self::Percent(bp),
            Gives::Off(amount) => Self::Off(amount),
            Gives::Price(amount) => Self::Price(amount),
            Gives::BuyGet { buy, get, off_bp } => Self::BuyGet { buy, get, off_bp },
            Gives::Bundle { units, price } => Self::Bundle { units, price },
            Gives::Basket { from, off } => Self::Basket { from, off },
        }
    }

    /// As the core has it.
    pub fn gives(self) -> Gives {
        match self {
            Self::Percent(bp) => Gives::Percent(bp),
            Self::Off(amount) => Gives::Off(amount),
            Self::Price(amount) => Gives::Price(amount),
            Self::BuyGet { buy, get, off_bp } => Gives::BuyGet { buy, get, off_bp },
            Self::Bundle { units, price } => Gives::Bundle { units, price },
            Self::Basket { from, off } => Gives::Basket { from, off },
        }
    }
}

/// The core wants lists ascending, each item once.
pub fn sorted<T: Ord>(items: impl Iterator<Item = T>) -> Vec<T> {
    let mut items: Vec<_> = items.collect();
    items.sort_unstable();
    items.dedup();
    items
}
