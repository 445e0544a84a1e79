//! Products: reading and writing single ones, and recalls.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use stockroom_core::input::{Answer, Command, RetryKey};
use stockroom_crdt::gtin::Gtin;
use stockroom_crdt::ids::{Code, Sku, check_text};
use stockroom_crdt::limits::{BARCODES_MAX, NAME_BYTES_MAX};
use stockroom_crdt::money::Unit;
use stockroom_crdt::product::{Barcode, Channel, Product, Recall};
use utoipa::{IntoParams, ToSchema};

use super::idempotency::{KeyHeader, Keyed, created, done};
use super::limits::{AGE_MAX, ITEM_NUMBER_MAX, PACK_MAX, PAGE_DEFAULT, PAGE_MAX};
use super::problem::{Answered, Problem};
use super::request::{Params, Segment};
use super::values::Text;
use super::{Api, Books, unexpected};

/// A product as a client sends and gets it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Product)]
pub struct ProductBody {
    /// Stock keeping unit: 1-32 letters, digits, `.`, `-`, `_` or `/`.
    #[schema(value_type = String, example = "MILK-1L")]
    pub sku: Text<Sku>,
    /// Name for people, 1-200 bytes.
    pub name: String,
    /// In what it is counted: `each`, or `gram` for weighed goods, whose prices are per kilogram.
    #[serde(default = "each")]
    #[schema(value_type = String, example = "each")]
    pub unit: Text<Unit>,
    /// Its barcodes.
    #[serde(default)]
    pub barcodes: Vec<BarcodeBody>,
    /// Its number in in-store codes (prefix 20-29), 0 for none.
    #[serde(default)]
    pub item_number: u32,
    /// The tenant's code of its tax.
    #[serde(default)]
    #[schema(value_type = String)]
    pub tax_code: Text<Code>,
    /// Department or category.
    #[serde(default)]
    #[schema(value_type = String)]
    pub department: Text<Code>,
    /// Who owns the goods: empty for the store's own, otherwise a consignor or concession.
    #[serde(default)]
    #[schema(value_type = String)]
    pub owner: Text<Code>,
    /// Age that a buyer must have reached, 0 for none.
    #[serde(default)]
    pub age_min: u8,
    /// Channels on which it is not offered: `till`, `pickup`, `delivery`.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    pub excluded: Vec<Text<Channel>>,
    /// True once it is no longer part of the assortment.
    #[serde(default)]
    pub discontinued: bool,
}

/// One barcode of a product.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Barcode)]
pub struct BarcodeBody {
    /// GTIN-8, -12, -13 or -14 with its check digit.
    #[schema(value_type = String, example = "4006381333931")]
    pub gtin: Text<Gtin>,
    /// How many units one scan stands for.
    #[serde(default = "one")]
    pub pack: u32,
}

/// A product with what else is known of it.
#[derive(Serialize, ToSchema)]
pub struct ProductAnswer {
    /// The product.
    #[serde(flatten)]
    pub product: ProductBody,
    /// Its recalls, one per lot, also lifted ones.
    pub recalls: Vec<RecallBody>,
}

/// A product recall. While it is active, tills everywhere stop the line, also offline.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Recall)]
pub struct RecallBody {
    /// False lifts the recall.
    pub active: bool,
    /// Only this lot; empty for all of them.
    #[serde(default)]
    #[schema(value_type = String)]
    pub lot: Text<Code>,
    /// Why, for the cashier.
    #[serde(default)]
    #[schema(value_type = String)]
    pub reason: Text<Code>,
}

/// Products in the order of their SKUs.
#[derive(Serialize, ToSchema)]
pub struct ProductPage {
    /// The products.
    items: Vec<ProductAnswer>,
    /// To be given as `after` for the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    next: Option<Text<Sku>>,
}

/// Which page.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PageParams {
    /// Begin behind this SKU.
    #[param(value_type = Option<String>)]
    pub after: Option<Text<Sku>>,
    /// At most this many, up to 1,000; 100 if absent.
    pub limit: Option<usize>,
}

/// Lists products in the order of their SKUs.
#[utoipa::path(get, path = "/v1/products", tag = "catalogue", params(PageParams), responses((status = 200, body = ProductPage)))]
pub async fn list_products(
    State(api): State<Arc<Api>>,
    Params(page): Params<PageParams>,
) -> Answered<Json<ProductPage>> {
    let limit = page_limit(page.limit)?;
    let read = move |books: &Books<'_>| {
        let products = books.products(page.after.as_ref().map(|sku| &sku.0), limit)?;
        let next =
            (products.len() == limit).then(|| products.last().map(|product| Text(product.sku.clone()))).flatten();
        let items: Answered<_> = products.into_iter().map(|product| answer(books, product)).collect();
        Ok(Json(ProductPage { items: items?, next }))
    };
    api.read_much(read).await
}

/// Puts a product into the catalogue, new or in place of the one with its SKU. At the hub.
#[utoipa::path(post, path = "/v1/products", tag = "catalogue", params(KeyHeader), request_body = ProductBody,
    responses((status = 201, body = ProductBody), (status = 200, body = ProductBody, description = "An earlier try had done it")))]
pub async fn create_product(State(api): State<Arc<Api>>, keyed: Keyed<ProductBody>) -> Answered {
    let replayed = put(&api, keyed.retry, &keyed.value).await?;
    Ok(created(replayed, keyed.value))
}

/// A product.
#[utoipa::path(get, path = "/v1/products/{sku}", tag = "catalogue", params(("sku" = String, Path)),
    responses((status = 200, body = ProductAnswer)))]
pub async fn show_product(State(api): State<Arc<Api>>, Segment(sku): Segment<Sku>) -> Answered<Json<ProductAnswer>> {
    api.read(|books| {
        let product =
            books.product(&sku)?.ok_or_else(|| Problem::not_found(format!("no product has the SKU {sku}")))?;
        Ok(Json(answer(books, product)?))
    })
}

/// Replaces a product, or puts a new one into the catalogue. At the hub.
#[utoipa::path(put, path = "/v1/products/{sku}", tag = "catalogue", params(("sku" = String, Path), KeyHeader),
    request_body = ProductBody, responses((status = 200, body = ProductBody)))]
pub async fn replace_product(
    State(api): State<Arc<Api>>,
    Segment(sku): Segment<Sku>,
    keyed: Keyed<ProductBody>,
) -> Answered {
    if keyed.value.sku.0 != sku {
        return Err(Problem::invalid("sku", format_args!("is {}, the path says {sku}", keyed.value.sku.0)));
    }
    let replayed = put(&api, keyed.retry, &keyed.value).await?;
    Ok(done(replayed, keyed.value))
}

/// Starts or lifts a product recall. At the hub.
#[utoipa::path(put, path = "/v1/products/{sku}/recall", tag = "catalogue", params(("sku" = String, Path), KeyHeader),
    request_body = RecallBody, responses((status = 200, body = RecallBody)))]
pub async fn set_recall(
    State(api): State<Arc<Api>>,
    Segment(sku): Segment<Sku>,
    Keyed { value, retry }: Keyed<RecallBody>,
) -> Answered {
    let recall = Recall { sku, lot: value.lot.0.clone(), active: value.active, reason: value.reason.0.clone() };
    let written = api.write(Command::Recall(retry, recall)).await?;
    Ok(done(written.replayed, value))
}

async fn put(api: &Api, retry: RetryKey, body: &ProductBody) -> Answered<bool> {
    let product = body.to_product()?;
    let replayed = api.read(|books| Ok(books.retried(retry.key)?.is_some()))?;
    match api.ask(Command::Products(retry, vec![product])).await {
        Ok(Answer::Imported { .. }) => Ok(replayed),
        Ok(answer) => unexpected(&answer),
        Err(problem) => Err(problem.without_prefix("products[0].")),
    }
}

impl ProductBody {
    /// Checks what the single values cannot know, and makes the record.
    pub fn to_product(&self) -> Answered<Product> {
        check_text(&self.name, NAME_BYTES_MAX, |c| !c.is_control()).map_err(|error| Problem::invalid("name", error))?;
        if self.item_number > ITEM_NUMBER_MAX {
            return Err(Problem::invalid("item_number", format_args!("is above {ITEM_NUMBER_MAX}")));
        }
        if self.age_min > AGE_MAX {
            return Err(Problem::invalid("age_min", format_args!("is above {AGE_MAX}")));
        }
        Ok(Product {
            sku: self.sku.0.clone(),
            name: self.name.clone(),
            unit: self.unit.0,
            barcodes: barcodes(&self.barcodes)?,
            item_number: self.item_number,
            tax_code: self.tax_code.0.clone(),
            department: self.department.0.clone(),
            owner: self.owner.0.clone(),
            age_min: self.age_min,
            excluded: self.excluded.iter().fold(0, |bits, channel| bits | 1 << channel.0 as u8),
            discontinued: self.discontinued,
        })
    }
}

fn barcodes(bodies: &[BarcodeBody]) -> Answered<Vec<Barcode>> {
    if bodies.len() > BARCODES_MAX {
        return Err(Problem::invalid("barcodes", format_args!("has more than {BARCODES_MAX}")));
    }
    let mut seen = BTreeSet::new();
    for (index, body) in bodies.iter().enumerate() {
        if !(1..=PACK_MAX).contains(&body.pack) {
            return Err(Problem::invalid(format!("barcodes[{index}].pack"), format_args!("is not 1 to {PACK_MAX}")));
        }
        if !seen.insert(body.gtin.0) {
            return Err(Problem::invalid(format!("barcodes[{index}].gtin"), "stands twice"));
        }
    }
    let mut out: Vec<_> = bodies.iter().map(|body| Barcode { gtin: body.gtin.0, pack: body.pack }).collect();
    out.sort_by_key(|barcode| barcode.gtin);
    Ok(out)
}

fn answer(books: &Books<'_>, product: Product) -> Answered<ProductAnswer> {
    let recalls = books.recalls(&product.sku)?.into_iter().map(RecallBody::from).collect();
    Ok(ProductAnswer { product: product.into(), recalls })
}

impl From<Product> for ProductBody {
    fn from(product: Product) -> Self {
        let excluded = Channel::ALL.into_iter().filter(|&channel| product.is_excluded(channel)).map(Text).collect();
        let barcode = |barcode: Barcode| BarcodeBody { gtin: Text(barcode.gtin), pack: barcode.pack };
        Self {
            sku: Text(product.sku),
            name: product.name,
            unit: Text(product.unit),
            barcodes: product.barcodes.into_iter().map(barcode).collect(),
            item_number: product.item_number,
            tax_code: Text(product.tax_code),
            department: Text(product.department),
            owner: Text(product.owner),
            age_min: product.age_min,
            excluded,
            discontinued: product.discontinued,
        }
    }
}

impl From<Recall> for RecallBody {
    fn from(recall: Recall) -> Self {
        Self { active: recall.active, lot: Text(recall.lot), reason: Text(recall.reason) }
    }
}

/// How many rows a page has.
pub fn page_limit(asked: Option<usize>) -> Answered<usize> {
    match asked {
        None => Ok(PAGE_DEFAULT),
        Some(limit) if (1..=PAGE_MAX).contains(&limit) => Ok(limit),
        Some(_) => Err(Problem::invalid("limit", format_args!("is not 1 to {PAGE_MAX}"))),
    }
}

fn each() -> Text<Unit> {
    Text(Unit::Each)
}

fn one() -> u32 {
    1
}
