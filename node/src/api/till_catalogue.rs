//! What a till keeps for the time in which no node answers: goods by their codes, with price, tax, and what stops them, and the rules for cash.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use stockroom_core::storage::StoreError;
use stockroom_crdt::checkout::rounding::Rounding;
use stockroom_crdt::checkout::rules::{SaleHours, TaxRate, TillRules};
use stockroom_crdt::ids::{Code, Sku, StoreId};
use stockroom_crdt::money::{Currency, Unit};
use stockroom_crdt::product::{Channel, Product};
use utoipa::ToSchema;

use super::codes::TemplateBody;
use super::orders::rules::HoursBody;
use super::problem::Answered;
use super::products::{BarcodeBody, PageParams, page_limit};
use super::request::Params;
use super::till_rules::spans;
use super::values::{Moment, Text, now_ms};
use super::{Api, Books};

/// Goods of this store in the order of their SKUs, and what holds for all of them.
#[derive(Serialize, ToSchema)]
pub struct TillCatalogue {
    /// When all of it held.
    #[schema(value_type = String, format = DateTime)]
    at: Text<Moment>,
    /// Currency of all amounts, if it is known here.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    currency: Option<Text<Currency>>,
    /// The smallest coin, minor units: cash totals are multiples of it. 0 for no rounding.
    cash_step: u32,
    /// How a cash total is rounded to it.
    #[schema(value_type = String, example = "half-up")]
    cash_rounding: Text<Rounding>,
    /// Layouts of in-store codes by their prefix.
    #[schema(value_type = Object)]
    templates: BTreeMap<u8, TemplateBody>,
    /// The goods.
    items: Vec<TillGoods>,
    /// To be given as `after` for the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    next: Option<Text<Sku>>,
}

/// What a till has to know of goods to sell them by itself. Absent is what they do not have.
#[derive(Serialize, ToSchema)]
pub struct TillGoods {
    /// What.
    #[schema(value_type = String)]
    sku: Text<Sku>,
    /// Its name.
    name: String,
    /// Its unit.
    #[schema(value_type = String)]
    unit: Text<Unit>,
    /// Minor units per piece or per kilogram; absent without a price now.
    #[serde(skip_serializing_if = "Option::is_none")]
    price: Option<i64>,
    /// Its barcodes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    barcodes: Vec<BarcodeBody>,
    /// Its number in in-store codes.
    #[serde(skip_serializing_if = "Option::is_none")]
    item_number: Option<u32>,
    /// Its tax now.
    #[serde(skip_serializing_if = "Option::is_none")]
    tax: Option<TillTax>,
    /// Age that a buyer must have reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    age_min: Option<u8>,
    /// When it may be sold only: Monday first, seven lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    week: Option<[Vec<HoursBody>; 7]>,
    /// What stops it: `recall` or `excluded`.
    #[serde(skip_serializing_if = "Option::is_none")]
    stop: Option<&'static str>,
    /// Why it is recalled.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    reason: Option<Text<Code>>,
}

/// How a tax is reckoned.
#[derive(Serialize, ToSchema)]
pub struct TillTax {
    /// The tenant's code.
    #[schema(value_type = String)]
    code: Text<Code>,
    /// Hundredths of a percent.
    rate_bp: u32,
    /// It is added to the price; otherwise the price contains it.
    added: bool,
    /// How its fractions are rounded.
    #[schema(value_type = String)]
    rounding: Text<Rounding>,
}

/// What a till keeps for the time in which no node answers. Promotions are not in it: they need the node.
#[utoipa::path(get, path = "/v1/till-catalogue", tag = "catalogue", params(PageParams),
    responses((status = 200, body = TillCatalogue)))]
pub async fn show_till_catalogue(
    State(api): State<Arc<Api>>,
    Params(page): Params<PageParams>,
) -> Answered<Json<TillCatalogue>> {
    let (store, limit) = (api.own_store()?, page_limit(page.limit)?);
    let read = move |books: &Books<'_>| {
        let mut shelf = Shelf::of(books, store)?;
        let products = books.products(page.after.as_ref().map(|sku| &sku.0), limit)?;
        let next =
            (products.len() == limit).then(|| products.last().map(|product| Text(product.sku.clone()))).flatten();
        let items = products.into_iter().filter(|product| !product.discontinued);
        let items = items.map(|product| shelf.goods(product)).collect::<Result<_, _>>()?;
        let template = |it: stockroom_crdt::gtin::Template| {
            let body = TemplateBody { item_digits: it.item_digits, embedded: Text(it.embedded), scale: it.scale };
            (it.prefix, body)
        };
        Ok(Json(TillCatalogue {
            at: Text(Moment(shelf.at_ms)),
            currency: books.store(store)?.map(|record| Text(record.currency)),
            cash_step: shelf.rules.cash_step,
            cash_rounding: Text(shelf.rules.cash_rounding),
            templates: books.templates()?.into_iter().map(template).collect(),
            items,
            next,
        }))
    };
    api.read_much(read).await
}

/// What is looked up once for many goods.
struct Shelf<'a> {
    books: &'a Books<'a>,
    store: StoreId,
    rules: TillRules,
    at_ms: u64,
    taxes: BTreeMap<Code, Option<TaxRate>>,
    hours: BTreeMap<Code, Option<SaleHours>>,
}

impl<'a> Shelf<'a> {
    fn of(books: &'a Books<'a>, store: StoreId) -> Result<Self, StoreError> {
        let rules = books.till_rules(store)?;
        Ok(Self { books, store, rules, at_ms: now_ms(), taxes: BTreeMap::new(), hours: BTreeMap::new() })
    }

    fn goods(&mut self, product: Product) -> Result<TillGoods, StoreError> {
        let (tax, hours) = (self.tax(&product.tax_code)?, self.hours(&product.department)?);
        let recall = self.books.recall(&product.sku, &Code::default())?;
        let excluded = product.is_excluded(Channel::Till);
        let barcode = |it: &stockroom_crdt::product::Barcode| BarcodeBody { gtin: Text(it.gtin), pack: it.pack };
        Ok(TillGoods {
            price: self.books.price_at_store(self.store, &product.sku, self.at_ms)?,
            barcodes: product.barcodes.iter().map(barcode).collect(),
            item_number: (product.item_number > 0).then_some(product.item_number),
            tax: tax.map(TillTax::of),
            age_min: (product.age_min > 0).then_some(product.age_min),
            week: hours.map(|hours| spans(&hours)),
            stop: if recall.is_some() { Some("recall") } else { excluded.then_some("excluded") },
            reason: recall.map(|recall| Text(recall.reason)),
            unit: Text(product.unit),
            name: product.name,
            sku: Text(product.sku),
        })
    }

    fn tax(&mut self, code: &Code) -> Result<Option<TaxRate>, StoreError> {
        if let Some(known) = self.taxes.get(code) {
            return Ok(known.clone());
        }
        let found = self.books.tax_rate(code, &self.rules.tax_area, self.at_ms)?;
        self.taxes.insert(code.clone(), found.clone());
        Ok(found)
    }

    fn hours(&mut self, department: &Code) -> Result<Option<SaleHours>, StoreError> {
        if let Some(known) = self.hours.get(department) {
            return Ok(known.clone());
        }
        let found = self.books.sale_hours(self.store, department)?;
        self.hours.insert(department.clone(), found.clone());
        Ok(found)
    }
}

impl TillTax {
    fn of(rate: TaxRate) -> Self {
        let (code, rounding) = (Text(rate.code), Text(rate.rounding));
        Self { code, rate_bp: rate.rate_bp.unwrap_or(0), added: !rate.inclusive, rounding }
    }
}
