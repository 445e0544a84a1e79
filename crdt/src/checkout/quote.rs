//! What a basket costs, and why: a pure function of what is asked and of the tables in force. Every till of the chain that has the same tables
//! gives the same answer, on line or cut off.
//!
//! Each line gets a price ([`goods`]), then promotions take from it ([`promotions`]), then what somebody took off by hand, then comes the tax
//! ([`tax`]). What comes back is priced apart from what is sold, by the same rules, with the opposite sign. Wherever cents cannot be divided
//! evenly, [`shares`] says who gets them; nothing depends on the order in which lines were scanned, but for lines that are alike.

mod goods;
mod groups;
mod promotions;
mod shares;
mod tax;

use super::promotion::Promotion;
use super::rules::{SaleHours, TaxRate, TillRules};
use super::{Explanation, Stop};
use crate::ids::{Code, Sku, StoreId};
use crate::limits::AMOUNT_MAX;
use crate::money::Unit;
use crate::product::{Channel, Product, Recall};
use crate::receiving::Disposition;
use crate::sale::{ReceiptNumber, SaleLine, Tax};
use goods::Goods;

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
    /// What coupons give that she shows and that may be taken.
    pub coupons: Vec<Presented>,
    /// The lines.
    pub lines: Vec<AskedLine>,
}

/// A coupon that activates a promotion.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Presented {
    /// What it gives.
    pub terms: Promotion,
    /// Minor units that it gives at most; 0 for no bound.
    pub worth_max: i64,
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
    /// The price that the code on the package carries: for each piece, or for all grams of the line.
    pub code_price: Option<i64>,
    /// The price per unit that somebody entered. No promotion takes anything from it.
    pub entered_price: Option<i64>,
    /// What somebody takes off the line, in its sign, after all promotions.
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
    /// The lines as a sale holds them, one for each that was asked for. One with a stop is marked as overridden, but for an age that only has
    /// to be checked: without an approver it is not sold.
    pub lines: Vec<SaleLine>,
    /// Why each costs what it costs. Stops are named in it whether or not somebody may approve them.
    pub explained: Vec<Explanation>,
    /// What the customer owes, but for the rounding of cash.
    pub total: i64,
    /// Minor units added when all of it is paid in cash.
    pub cash_rounding: i64,
    /// Minor units that each coupon gave.
    pub coupons: Vec<i64>,
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
    /// An amount, or a quantity, is beyond what a receipt may hold.
    #[error("line {0} comes to more than a receipt may hold")]
    Amount(usize),
    /// More is taken off a line by hand than is left of its price, or less than nothing.
    #[error("line {0}: what is taken off is not between nothing and what the line costs")]
    Discount(usize),
}

/// What `asked` costs. `tables` are those of each line, in the same order.
pub fn quote(asked: &Asked, tables: &[Tables], promotions: &[Promotion], rules: &TillRules) -> Result<Quote, NoPrice> {
    assert_eq!(asked.lines.len(), tables.len(), "each line has its tables");
    let mut goods = Vec::with_capacity(tables.len());
    for (at, (line, tables)) in asked.lines.iter().zip(tables).enumerate() {
        goods.push(Goods::priced(at, line, tables)?);
    }
    goods.sort_by(|one, other| one.rank().cmp(&other.rank()));
    let in_force = promotions::in_force(promotions, asked);
    let (sold, returned) = goods.into_iter().partition(|goods| goods.sign() > 0);
    let mut goods: Vec<Goods<'_>> = promotions::cheapest(sold, &in_force);
    let coupons = (0..asked.coupons.len()).map(|at| goods.iter().map(|goods| goods.given(at)).sum()).collect();
    // A coupon is for what is bought.
    let in_force: Vec<_> = in_force.into_iter().filter(|offer| offer.coupon.is_none()).collect();
    goods.extend(promotions::cheapest(returned, &in_force));
    goods.sort_by(|one, other| one.rank().cmp(&other.rank()));
    let charged = goods.iter().map(Goods::charged).collect::<Result<Vec<i64>, NoPrice>>()?;
    let taxes = tax::taxes(&goods.iter().map(Goods::tax).zip(charged).collect::<Vec<_>>());
    let mut lines = Vec::with_capacity(tables.len());
    for (goods, tax) in goods.iter().zip(taxes) {
        let stops = stops(asked, goods);
        let line = sale_line(goods, tax, stops.iter().any(|stop| *stop != Stop::Age));
        if line.amount().unsigned_abs() > AMOUNT_MAX.unsigned_abs() {
            return Err(NoPrice::Amount(goods.at));
        }
        lines.push((goods.at, line, Explanation { source: goods.source, reductions: goods.explained(), stops }));
    }
    lines.sort_by_key(|(at, ..)| *at);
    let total: i64 = lines.iter().map(|(_, line, _)| line.amount()).sum();
    if total.unsigned_abs() > AMOUNT_MAX.unsigned_abs() {
        return Err(NoPrice::Amount(lines.len() - 1));
    }
    let (lines, explained) = lines.into_iter().map(|(_, line, why)| (line, why)).unzip();
    let cash_rounding = rules.cash_rounding.to_step(total, rules.cash_step) - total;
    Ok(Quote { lines, explained, total, cash_rounding, coupons })
}

fn sale_line(goods: &Goods<'_>, tax: Option<Tax>, overridden: bool) -> SaleLine {
    let asked = goods.asked;
    let label_only = goods.label_off > 0 && asked.discount_reason.is_empty();
    let reason =
        if label_only { Code::parse(LABEL_ROUNDING).unwrap_or_default() } else { asked.discount_reason.clone() };
    SaleLine {
        sku: asked.sku.clone(),
        unit: goods.unit,
        quantity: asked.quantity,
        unit_price: goods.unit_price,
        discount: goods.explained().iter().map(|reduction| reduction.amount).sum(),
        discount_reason: reason,
        tax,
        unknown: goods.tables.product.is_none(),
        overridden,
        lot: asked.lot.clone(),
        original: asked.original,
        disposition: asked.disposition,
    }
}

/// What stops the sale of a line, ascending. Nothing stops goods that come back.
fn stops(asked: &Asked, goods: &Goods<'_>) -> Vec<Stop> {
    let (line, tables) = (goods.asked, goods.tables);
    let product = tables.product.as_ref();
    let (weekday, minute) = asked.local;
    let is_lot = |recall: &&Recall| recall.lot.is_empty() || line.lot.is_empty() || recall.lot == line.lot;
    let stopped = |stop: &Stop| match stop {
        Stop::Recall => tables.recall.as_ref().filter(is_lot).is_some_and(|recall| recall.active),
        Stop::Age => product.is_some_and(|product| product.age_min > 0),
        Stop::Hours => tables.hours.as_ref().is_some_and(|hours| !hours.ended && !hours.allow(weekday, minute)),
        Stop::Expired => line.expires.is_some_and(|day| day < asked.today),
        Stop::Excluded => product.is_some_and(|product| product.discontinued || product.is_excluded(Channel::Till)),
    };
    if goods.sign() < 0 { Vec::new() } else { Stop::ALL.into_iter().filter(stopped).collect() }
}

/// Why a line has a discount when rounding to whole grams, or to a whole price per kilogram, made more of a label's price.
const LABEL_ROUNDING: &str = "label rounding";
