//! What a basket costs, and why: a pure function of what is asked and of the tables in force. Every till of the chain that has the same tables
//! gives the same answer, on line or cut off.

use super::promotion::Promotion;
use super::rules::{SaleHours, TaxRate, TillRules};
use super::{Explanation, PriceSource, Reduction, Stop};
use crate::ids::{Code, Sku, StoreId};
use crate::limits::AMOUNT_MAX;
use crate::money::Unit;
use crate::product::{Channel, Product, Recall};
use crate::receiving::Disposition;
use crate::sale::{ReceiptNumber, SaleLine, Tax};

/// What is asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Asked {
    /// At which store.
    pub store: StoreId,
    /// At which moment, milliseconds since 1970.
    pub at_ms: u64,
    /// The store's local time: weekday (Monday is 0) and minutes after midnight.
    pub local: (usize, u16),
    /// Today's date in the store's zone, days since 1970: a lot with an earlier date is expired.
    pub today: u32,
    /// The customer is a member.
    pub member: bool,
    /// The lines.
    pub lines: Vec<AskedLine>,
}

/// One line that is asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AskedLine {
    /// What.
    pub sku: Sku,
    /// In which unit; the product's if absent.
    pub unit: Option<Unit>,
    /// Pieces or grams; negative for a return.
    pub quantity: i64,
    /// The price that the code on the package carries, for the whole package.
    pub code_price: Option<i64>,
    /// The price per unit that somebody entered.
    pub entered_price: Option<i64>,
    /// What somebody takes off the line, in its sign.
    pub discount: i64,
    /// Why.
    pub discount_reason: Code,
    /// Lot, if scanned.
    pub lot: Code,
    /// Best before, days since 1970, if scanned.
    pub expires: Option<u32>,
    /// Receipt and line where returned goods were bought.
    pub original: Option<(ReceiptNumber, u32)>,
    /// What becomes of returned goods.
    pub disposition: Disposition,
}

/// What a store's tables say of one product at the moment that is asked about.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Tables {
    /// The product; `None` if it is not known.
    pub product: Option<Product>,
    /// The price in the store's book, minor units per piece or kilogram, and since when it holds.
    pub price: Option<(i64, u64)>,
    /// The recall that stops it.
    pub recall: Option<Recall>,
    /// The tax in the store's area; `None` if nothing is said about its tax code.
    pub tax: Option<TaxRate>,
    /// When its department is sold; `None` for always.
    pub hours: Option<SaleHours>,
}

/// A priced basket.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Quote {
    /// The lines as a sale holds them, one for each that was asked for.
    pub lines: Vec<SaleLine>,
    /// Why each costs what it costs. Stops are named in it whether or not somebody may approve them.
    pub explained: Vec<Explanation>,
    /// What the customer owes, but for the rounding of cash.
    pub total: i64,
    /// Minor units added when all of it is paid in cash.
    pub cash_rounding: i64,
}

/// Why a basket has no price.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NoPrice {
    /// A line has neither a price in the book nor one on its code, and nobody entered one.
    #[error("line {0} has no price: the price book has none for this product")]
    Missing(usize),
    /// A line is asked for in a unit that the product does not have.
    #[error("line {0} is sold in another unit")]
    Unit(usize),
    /// An amount is beyond what a receipt may hold.
    #[error("line {0} comes to more than a receipt may hold")]
    Amount(usize),
    /// More is taken off a line than it costs.
    #[error("line {0} would cost less than nothing")]
    Discount(usize),
}

/// Prices a basket: `tables[i]` belongs to `asked.lines[i]`.
pub fn quote(asked: &Asked, tables: &[Tables], _promotions: &[Promotion], rules: &TillRules) -> Result<Quote, NoPrice> {
    let (mut lines, mut explained) = (Vec::new(), Vec::new());
    for (index, (line, table)) in asked.lines.iter().zip(tables).enumerate() {
        let (sold, why) = priced(asked, (index, line), table)?;
        lines.push(sold);
        explained.push(why);
    }
    let total = lines.iter().fold(0_i64, |sum, line| sum.saturating_add(line.amount()));
    let cash_rounding = rules.cash_rounding.to_step(total, rules.cash_step) - total;
    Ok(Quote { lines, explained, total, cash_rounding })
}

fn priced(
    asked: &Asked,
    (index, line): (usize, &AskedLine),
    table: &Tables,
) -> Result<(SaleLine, Explanation), NoPrice> {
    let product = table.product.as_ref();
    let unit = line.unit.or(product.map(|product| product.unit)).unwrap_or(Unit::Each);
    if product.is_some_and(|product| product.unit != unit) {
        return Err(NoPrice::Unit(index));
    }
    let (unit_price, source) = match (line.entered_price, line.code_price, table.price) {
        (Some(price), ..) => (price, PriceSource::Entered),
        (None, Some(price), _) => (price, PriceSource::Code),
        (None, None, Some((price, since))) => (price, PriceSource::Book(since)),
        (None, None, None) => return Err(NoPrice::Missing(index)),
    };
    let mut sold = SaleLine {
        sku: line.sku.clone(),
        unit,
        quantity: line.quantity,
        unit_price,
        discount: line.discount,
        discount_reason: line.discount_reason.clone(),
        tax: None,
        unknown: product.is_none(),
        overridden: false,
        lot: line.lot.clone(),
        original: line.original,
        disposition: line.disposition,
    };
    if sold.amount().unsigned_abs() > AMOUNT_MAX as u64 {
        return Err(NoPrice::Amount(index));
    }
    if sold.amount().signum() * sold.quantity.signum() < 0 {
        return Err(NoPrice::Discount(index));
    }
    sold.tax = table.tax.as_ref().map(|rate| Tax {
        code: rate.code.clone(),
        rate_bp: rate.rate_bp.unwrap_or(0),
        amount: rate.on(sold.amount()),
    });
    let reduction = Reduction { promotion: Code::default(), amount: line.discount };
    let reductions = if line.discount == 0 { Vec::new() } else { vec![reduction] };
    Ok((sold, Explanation { source, reductions, stops: stops(asked, line, table) }))
}

fn stops(asked: &Asked, line: &AskedLine, table: &Tables) -> Vec<Stop> {
    let (weekday, minute) = asked.local;
    let product = table.product.as_ref();
    let stopped = |stop: &Stop| match stop {
        Stop::Recall => table.recall.is_some(),
        Stop::Age => product.is_some_and(|product| product.age_min > 0),
        Stop::Hours => table.hours.as_ref().is_some_and(|hours| !hours.allow(weekday, minute)),
        Stop::Expired => line.expires.is_some_and(|day| day < asked.today),
        Stop::Excluded => product.is_some_and(|product| product.is_excluded(Channel::Till) || product.discontinued),
    };
    Stop::ALL.into_iter().filter(stopped).collect()
}
