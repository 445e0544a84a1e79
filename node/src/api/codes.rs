//! What a scanned code means, and the layout of in-store codes that carry a price or a weight.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use stockroom_core::input::Command;
use stockroom_core::view::ScanError;
use stockroom_crdt::gtin::{Embedded, Template};
use stockroom_crdt::ids::{Code, Sku};
use stockroom_crdt::money::Unit;
use utoipa::ToSchema;

use super::Api;
use super::idempotency::{KeyHeader, Keyed, done};
use super::problem::{Answered, Problem};
use super::products::RecallBody;
use super::request::Segment;
use super::values::{Text, now_ms};

/// The layout of in-store codes of one prefix: prefix, item digits, value digits, check digit.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Template)]
pub struct TemplateBody {
    /// How many digits name the article, 4 to 6.
    pub item_digits: u8,
    /// What the other digits are: `price` in minor units or `weight` in grams.
    #[schema(value_type = String, example = "weight")]
    pub embedded: Text<Embedded>,
    /// Powers of ten by which the value is multiplied, 0 to 3.
    #[serde(default)]
    pub scale: u8,
}

/// What a scanned code means at this node's store.
#[derive(Serialize, ToSchema)]
pub struct ScanAnswer {
    /// The product.
    #[schema(value_type = String)]
    sku: Text<Sku>,
    /// Its name.
    name: String,
    /// Its unit.
    #[schema(value_type = String)]
    unit: Text<Unit>,
    /// Units that one scan stands for: pieces of a pack, or grams from the code.
    quantity: i64,
    /// The price of this very package in minor units, where the code carries one.
    #[serde(skip_serializing_if = "Option::is_none")]
    label_price: Option<i64>,
    /// The store's price now, per piece or per kilogram.
    #[serde(skip_serializing_if = "Option::is_none")]
    unit_price: Option<i64>,
    /// Age that a buyer must have reached, 0 for none.
    age_min: u8,
    /// The recall that stops it, if one is active.
    #[serde(skip_serializing_if = "Option::is_none")]
    recall: Option<RecallBody>,
}

/// What a scanned barcode means.
#[utoipa::path(get, path = "/v1/scan/{code}", tag = "catalogue", params(("code" = String, Path)),
    responses((status = 200, body = ScanAnswer)))]
pub async fn scan_code(State(api): State<Arc<Api>>, Segment(code): Segment<String>) -> Answered<Json<ScanAnswer>> {
    let store = api.own_store().ok();
    api.read(|books| {
        let scanned = books.scan(&code)?.map_err(|error| match error {
            ScanError::Unknown => Problem::not_found(error.to_string()),
            ScanError::Code(_) | ScanError::Ambiguous => Problem::invalid("code", error),
        })?;
        let product = books.product(&scanned.sku)?.ok_or_else(|| Problem::not_found("the product is gone"))?;
        let unit_price = store.map(|store| books.price_at_store(store, &scanned.sku, now_ms())).transpose()?.flatten();
        let recall = books.recall(&scanned.sku, &Code::default())?;
        Ok(Json(ScanAnswer {
            sku: Text(scanned.sku),
            name: product.name,
            unit: Text(product.unit),
            quantity: scanned.quantity,
            label_price: scanned.price,
            unit_price,
            age_min: product.age_min,
            recall: recall.map(RecallBody::from),
        }))
    })
}

/// Lays out the in-store codes of one prefix, 20 to 29. At the hub.
#[utoipa::path(put, path = "/v1/templates/{prefix}", tag = "catalogue", params(("prefix" = u8, Path), KeyHeader),
    request_body = TemplateBody, responses((status = 200, body = TemplateBody)))]
pub async fn set_template(
    State(api): State<Arc<Api>>,
    Segment(prefix): Segment<u8>,
    Keyed { value, retry }: Keyed<TemplateBody>,
) -> Answered {
    let template = Template { prefix, item_digits: value.item_digits, embedded: value.embedded.0, scale: value.scale };
    if !(20..=29).contains(&prefix) {
        return Err(Problem::invalid("prefix", "is not 20 to 29"));
    }
    if !(4..=6).contains(&value.item_digits) {
        return Err(Problem::invalid("item_digits", "is not 4 to 6"));
    }
    if !template.is_valid() {
        return Err(Problem::invalid("scale", "is not 0 to 3"));
    }
    let written = api.write(Command::Template(retry, template)).await?;
    Ok(done(written.replayed, value))
}
