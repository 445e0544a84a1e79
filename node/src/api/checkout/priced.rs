//! What goods cost and why, as a till shows it: the price and since when it holds, promotions by name, what was taken off by hand, the tax, and
//! what stops a line.

use serde::Serialize;
use stockroom_core::input::checkout::{Need, Quoted};
use stockroom_core::storage::StoreError;
use stockroom_crdt::checkout::quote::Quote;
use stockroom_crdt::checkout::{Explanation, PriceSource};
use stockroom_crdt::ids::{Code, Sku, StoreId};
use stockroom_crdt::money::{Currency, Unit};
use stockroom_crdt::receiving::Disposition;
use stockroom_crdt::sale::SaleLine;
use utoipa::ToSchema;

use crate::api::Books;
use crate::api::loyalty::benefits::{CouponAnswer, PointsAnswer};
use crate::api::problem::Answered;
use crate::api::sales::{OriginalBody, TaxBody};
use crate::api::values::{Moment, ReceiptId, Text};

/// A basket that was only priced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct QuoteAnswer {
    /// `quoted`.
    pub state: &'static str,
    /// Currency of all amounts; absent where another answer says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub currency: Option<Text<Currency>>,
    /// What the customer owes, but for the rounding of cash.
    pub total: i64,
    /// Minor units added when all of it is paid in cash.
    pub cash_rounding: i64,
    /// What each line costs, and why.
    pub lines: Vec<PricedLine>,
    /// Each coupon that was shown, in its order: what it gives, or why it is not taken.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub coupons: Vec<CouponAnswer>,
    /// Points, if the customer is a member and there is a programme.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub points: Option<PointsAnswer>,
}

/// A line and its price.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct PricedLine {
    /// Its number, from 1.
    pub line: usize,
    /// What.
    #[schema(value_type = String)]
    pub sku: Text<Sku>,
    /// Its unit.
    #[schema(value_type = String)]
    pub unit: Text<Unit>,
    /// Pieces or grams; negative for goods that come back.
    pub quantity: i64,
    /// Minor units per piece or per kilogram.
    pub unit_price: i64,
    /// Where that comes from.
    pub price: PriceAnswer,
    /// What was taken off, in the order in which it was.
    pub reductions: Vec<ReductionAnswer>,
    /// Minor units off, together.
    pub discount: i64,
    /// Why something was taken off by hand; empty if nothing was.
    #[schema(value_type = String)]
    pub discount_reason: Text<Code>,
    /// The tax, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tax: Option<TaxBody>,
    /// What the customer owes for the line.
    pub amount: i64,
    /// What stops the line unless somebody approves it: `recall`, `age`, `hours`, `expired` or `excluded`.
    pub stops: Vec<&'static str>,
    /// Somebody approved it although something stops it.
    pub overridden: bool,
    /// What has to be done before it is sold; absent if nothing has to, and where it is sold already.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub needs: Option<String>,
    /// Lot; empty if unknown.
    #[schema(value_type = String)]
    pub lot: Text<Code>,
    /// Where goods that come back were bought.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub original: Option<OriginalBody>,
    /// What becomes of goods that come back; only then.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub disposition: Option<Text<Disposition>>,
}

/// Where a price comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct PriceAnswer {
    /// `book` for the store's price book, `code` for the code on the package, `entered` for somebody with the right to do so.
    pub source: &'static str,
    /// Since when it stands in the book.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub since: Option<Text<Moment>>,
}

/// Something that was taken off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ReductionAnswer {
    /// By which promotion; empty for what was taken off by hand, or for a label's price.
    #[schema(value_type = String)]
    pub promotion: Text<Code>,
    /// What people call it: the promotion's name, or the reason that was entered.
    pub name: String,
    /// Minor units, in the sign of the line.
    pub amount: i64,
}

impl QuoteAnswer {
    /// What a basket costs that was only priced.
    pub fn of(books: &Books<'_>, store: StoreId, quoted: Quoted) -> Answered<Self> {
        let currency = Some(Text(quoted.currency));
        let coupons = quoted.coupons.iter().map(|coupon| CouponAnswer::of(books, coupon)).collect::<Result<_, _>>()?;
        let points = quoted.points.map(PointsAnswer::of);
        Ok(Self { currency, coupons, points, ..Self::made(books, store, &quoted.quote, &quoted.needs)? })
    }

    /// What a basket costs now, whatever the customer was told.
    pub fn changed(books: &Books<'_>, store: StoreId, quote: &Quote) -> Answered<Self> {
        Ok(Self::made(books, store, quote, &[])?)
    }

    fn made(books: &Books<'_>, store: StoreId, quote: &Quote, needs: &[Need]) -> Result<Self, StoreError> {
        let mut lines = priced(books, store, &quote.lines, &quote.explained)?;
        for need in needs {
            if let Some(line) = lines.get_mut(need.line) {
                line.needs = Some(need.why.clone());
            }
        }
        let (total, cash_rounding) = (quote.total, quote.cash_rounding);
        let (coupons, points) = (Vec::new(), None);
        Ok(Self { state: "quoted", currency: None, total, cash_rounding, lines, coupons, points })
    }
}

/// Lines with why they cost what they cost; `explained` is empty for a sale that another system priced.
pub fn priced(
    books: &Books<'_>,
    store: StoreId,
    lines: &[SaleLine],
    explained: &[Explanation],
) -> Result<Vec<PricedLine>, StoreError> {
    let named = |line: &SaleLine, why: &Explanation| {
        let name = |promotion: &Code| match promotion.is_empty() {
            true => Ok(line.discount_reason.as_str().to_owned()),
            false => books.promotion_name(store, promotion),
        };
        let reductions = why.reductions.iter().map(|it| {
            let promotion = Text(it.promotion.clone());
            Ok(ReductionAnswer { name: name(&it.promotion)?, promotion, amount: it.amount })
        });
        reductions.collect::<Result<Vec<_>, StoreError>>()
    };
    let each = lines.iter().zip(explained).enumerate();
    each.map(|(at, (line, why))| Ok(PricedLine::of(store, at, (line, why), named(line, why)?))).collect()
}

impl PricedLine {
    fn of(store: StoreId, at: usize, (line, why): (&SaleLine, &Explanation), reductions: Vec<ReductionAnswer>) -> Self {
        let price = match why.source {
            PriceSource::Book(since) => PriceAnswer { source: "book", since: Some(Text(Moment(since))) },
            PriceSource::Code => PriceAnswer { source: "code", since: None },
            PriceSource::Entered => PriceAnswer { source: "entered", since: None },
        };
        let tax = line.tax.as_ref().map(|tax| TaxBody {
            code: Text(tax.code.clone()),
            rate_bp: tax.rate_bp,
            amount: tax.amount,
            added: tax.added,
        });
        let original = line.original.map(|(number, line)| {
            let receipt = Text(ReceiptId { store, number });
            OriginalBody { receipt, line }
        });
        Self {
            line: at + 1,
            sku: Text(line.sku.clone()),
            unit: Text(line.unit),
            quantity: line.quantity,
            unit_price: line.unit_price,
            price,
            reductions,
            discount: line.discount,
            discount_reason: Text(line.discount_reason.clone()),
            tax,
            amount: line.amount(),
            stops: why.stops.iter().map(|stop| stop.as_str()).collect(),
            overridden: line.overridden,
            needs: None,
            lot: Text(line.lot.clone()),
            original,
            disposition: (line.quantity < 0).then_some(Text(line.disposition)),
        }
    }
}
