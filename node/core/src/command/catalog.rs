//! Products, prices, recalls and code layouts: written at a hub.

use std::collections::BTreeSet;

use stockroom_crdt::checkout::promotion::Promotion;
use stockroom_crdt::checkout::rules::TaxRate;
use stockroom_crdt::entry::Fact;
use stockroom_crdt::gtin::Template;
use stockroom_crdt::limits::AMOUNT_MAX;
use stockroom_crdt::price::Price;
use stockroom_crdt::product::{Product, Recall};
use stockroom_crdt::scope::Scope;

use super::{Failed, at_hub, check_fact};
use crate::input::Refusal;
use crate::journal::Place;
use crate::limits::IMPORT_ITEMS_MAX;
use crate::replica::Replica;
use crate::view::View;

/// Puts products into the catalogue.
pub fn products(replica: &mut Replica, products: Vec<Product>) -> Result<usize, Failed> {
    at_hub(replica)?;
    check_len(products.len(), "products")?;
    let mut skus = BTreeSet::new();
    for (index, product) in products.iter().enumerate() {
        if !skus.insert(product.sku.clone()) {
            return Err(Refusal::invalid(format!("products[{index}].sku"), "stands twice in this request").into());
        }
        let held = View::new(&replica.overlay).product(&product.sku)?;
        if let Some(held) = held.filter(|held| held.unit != product.unit) {
            let message = format!("is {} already; a product keeps its unit", held.unit.as_str());
            return Err(Refusal::invalid(format!("products[{index}].unit"), message).into());
        }
    }
    let count = products.len();
    for (index, product) in products.iter().enumerate() {
        check_fact(&Fact::Product(product.clone()), &format!("products[{index}]"))?;
    }
    replica.write_many(&Scope::Catalog, products.into_iter().map(Fact::Product).collect())?;
    Ok(count)
}

/// Puts prices into their books.
pub fn prices(replica: &mut Replica, prices: Vec<Price>) -> Result<usize, Failed> {
    at_hub(replica)?;
    check_len(prices.len(), "prices")?;
    for (index, price) in prices.iter().enumerate() {
        if price.minor.is_some_and(|minor| !(0..=AMOUNT_MAX).contains(&minor)) {
            return Err(Refusal::invalid(format!("prices[{index}].price"), "is out of range").into());
        }
        if View::new(&replica.overlay).product(&price.sku)?.is_none() {
            return Err(Refusal::Unknown { field: format!("prices[{index}].sku"), what: "product" }.into());
        }
    }
    let count = prices.len();
    let books: BTreeSet<_> = prices.iter().map(|price| price.book.clone()).collect();
    for book in books {
        let facts = prices.iter().filter(|price| price.book == book).cloned().map(Fact::Price).collect();
        replica.write_many(&Scope::Prices(book), facts)?;
    }
    Ok(count)
}

/// Puts tax rates down.
pub fn tax_rates(replica: &mut Replica, rates: Vec<TaxRate>) -> Result<usize, Failed> {
    at_hub(replica)?;
    check_len(rates.len(), "rates")?;
    for (index, rate) in rates.iter().enumerate() {
        rate.validate().map_err(|field| Refusal::invalid(format!("rates[{index}].{field}"), "has no sense"))?;
    }
    let count = rates.len();
    replica.write_many(&Scope::Catalog, rates.into_iter().map(Fact::TaxRate).collect())?;
    Ok(count)
}

/// Puts promotions into their books.
pub fn promotions(replica: &mut Replica, promotions: Vec<Promotion>) -> Result<usize, Failed> {
    at_hub(replica)?;
    check_len(promotions.len(), "promotions")?;
    for (index, promotion) in promotions.iter().enumerate() {
        let at = format!("promotions[{index}]");
        promotion.validate().map_err(|field| Refusal::invalid(format!("{at}.{field}"), "has no sense"))?;
        check_fact(&Fact::Promotion(promotion.clone()), &at)?;
    }
    let count = promotions.len();
    let books: BTreeSet<_> = promotions.iter().map(|promotion| promotion.book.clone()).collect();
    for book in books {
        let of_book = promotions.iter().filter(|promotion| promotion.book == book);
        let facts = of_book.cloned().map(Fact::Promotion).collect();
        replica.write_many(&Scope::Prices(book), facts)?;
    }
    Ok(count)
}

/// Starts or lifts a product recall.
pub fn recall(replica: &mut Replica, recall: Recall) -> Result<Place, Failed> {
    at_hub(replica)?;
    if recall.active && recall.reason.is_empty() {
        return Err(Refusal::invalid("reason", "is needed: the cashier will read it").into());
    }
    if View::new(&replica.overlay).product(&recall.sku)?.is_none() {
        return Err(Refusal::Unknown { field: "sku".into(), what: "product" }.into());
    }
    Ok(replica.write(&Scope::Catalog, vec![Fact::Recall(recall)])?[0])
}

/// Lays out in-store codes of one prefix.
pub fn template(replica: &mut Replica, template: Template) -> Result<Place, Failed> {
    at_hub(replica)?;
    if !template.is_valid() {
        return Err(Refusal::invalid("template", "prefix 20-29, 4 to 6 item digits, scale 0 to 3").into());
    }
    Ok(replica.write(&Scope::Catalog, vec![Fact::Template(template)])?[0])
}

fn check_len(len: usize, field: &str) -> Result<(), Refusal> {
    if (1..=IMPORT_ITEMS_MAX).contains(&len) {
        Ok(())
    } else {
        Err(Refusal::invalid(field, format!("1 to {IMPORT_ITEMS_MAX} at a time")))
    }
}
