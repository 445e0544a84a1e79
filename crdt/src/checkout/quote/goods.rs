//! One line on its way through a quote: where its price comes from, and what each of its pieces costs by now.
//!
//! Amounts in here have no sign; a line that comes back is turned round at the end.

use std::cmp::Reverse;

use super::{AskedLine, NoPrice, Tables};
use crate::checkout::promotion::Promotion;
use crate::checkout::rules::TaxRate;
use crate::checkout::{PriceSource, Reduction};
use crate::ids::Code;
use crate::limits::{AMOUNT_MAX, QUANTITY_MAX, REDUCTIONS_MAX};
use crate::money::{Unit, extend};

/// A line with what is left of its price.
#[derive(Clone, Debug)]
pub(super) struct Goods<'a> {
    /// Which line of the basket.
    pub at: usize,
    /// What was asked for.
    pub asked: &'a AskedLine,
    /// What the tables say of it.
    pub tables: &'a Tables,
    /// In which unit it is sold.
    pub unit: Unit,
    /// Minor units per piece or kilogram.
    pub unit_price: i64,
    /// Where that comes from.
    pub source: PriceSource,
    /// How much more the grams come to than the label says.
    pub label_off: i64,
    /// Its pieces, the dearest first. Weighed goods are one piece, whatever they weigh.
    pub runs: Vec<Run>,
    /// What promotions took off.
    reductions: Vec<Reduction>,
    /// What coupons took off, by their places in the request.
    coupons: Vec<(usize, i64)>,
}

/// Pieces that cost the same.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Run {
    /// How many.
    pub units: i64,
    /// What each costs by now.
    pub each: i64,
    /// Further promotions may reduce them.
    pub is_open: bool,
}

/// What a promotion takes off some pieces of a run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cut {
    /// The line, by its place among those that are priced together.
    pub line: usize,
    /// Which run of it.
    pub run: usize,
    /// How many pieces.
    pub units: i64,
    /// Off all of them together.
    pub off: i64,
}

impl<'a> Goods<'a> {
    /// A line before any promotion.
    pub fn priced(at: usize, asked: &'a AskedLine, tables: &'a Tables) -> Result<Self, NoPrice> {
        let own = tables.product.as_ref().map(|product| product.unit);
        let unit = asked.unit.or(own).unwrap_or(Unit::Each);
        if own.is_some_and(|own| own != unit) {
            return Err(NoPrice::Unit(at));
        }
        let units = asked.quantity.unsigned_abs();
        let units = i64::try_from(units).ok().filter(|units| (1..=QUANTITY_MAX).contains(units));
        let units = units.ok_or(NoPrice::Amount(at))?;
        let (unit_price, source) = match (asked.entered_price, asked.code_price, tables.price) {
            (Some(price), ..) => (price, PriceSource::Entered),
            (None, Some(label), _) if unit == Unit::Each => (label, PriceSource::Code),
            (None, Some(label), book) => (per_kilogram(label, units, book.map(|it| it.0)), PriceSource::Code),
            (None, None, Some((price, since))) => (price, PriceSource::Book(since)),
            (None, None, None) => return Err(NoPrice::Missing(at)),
        };
        let amount = extend(unit, units, unit_price);
        let label = asked.code_price.filter(|_| source == PriceSource::Code && unit == Unit::Gram).unwrap_or(amount);
        let within = |amount: i64| (0..=AMOUNT_MAX).contains(&amount);
        if ![unit_price, amount, label].into_iter().all(within) {
            return Err(NoPrice::Amount(at));
        }
        let (units, each) = if unit == Unit::Each { (units, unit_price) } else { (1, label) };
        let runs = vec![Run { units, each, is_open: source != PriceSource::Entered }];
        let (label_off, reductions) = (amount - label, Vec::new());
        Ok(Self { at, asked, tables, unit, unit_price, source, label_off, runs, reductions, coupons: Vec::new() })
    }

    /// 1 for what is sold, -1 for what comes back.
    pub fn sign(&self) -> i64 {
        self.asked.quantity.signum()
    }

    /// By what lines are put in order: the goods and their amounts, and only for lines that are alike where they stand in the basket.
    pub fn rank(&self) -> impl Ord {
        let (units, off) = (self.asked.quantity.unsigned_abs(), self.asked.discount.unsigned_abs());
        let prices = (self.unit_price, self.asked.code_price, self.asked.entered_price);
        (&self.asked.sku, prices, units, off, self.at)
    }

    /// What a coupon took off, by its place in the request.
    pub fn given(&self, coupon: usize) -> i64 {
        self.coupons.iter().filter(|(of, _)| *of == coupon).map(|(_, off)| off).sum()
    }

    /// The rate of the tax that it bears.
    pub fn tax(&self) -> Option<&'a TaxRate> {
        self.tables.tax.as_ref()
    }

    /// Pieces or grams, without a sign.
    pub fn quantity(&self) -> i64 {
        self.asked.quantity.saturating_abs()
    }

    /// What is left of the price before anything is taken off by hand.
    pub fn left(&self) -> i64 {
        self.runs.iter().map(|run| run.units * run.each).sum()
    }

    /// What is taken off by hand, if that can be.
    pub fn by_hand(&self) -> Option<i64> {
        self.asked.discount.checked_mul(self.sign()).filter(|off| (0..=self.left()).contains(off))
    }

    /// What it costs before a tax that is added to it, with its sign.
    pub fn charged(&self) -> Result<i64, NoPrice> {
        let off = self.by_hand().ok_or(NoPrice::Discount(self.at))?;
        Ok(self.sign() * (self.left() - off))
    }

    /// All that was taken off, with its sign.
    pub fn explained(&self) -> Vec<Reduction> {
        let unnamed = |amount| Reduction { promotion: Code::default(), amount };
        let (label, by_hand) = (unnamed(self.label_off), unnamed(self.by_hand().unwrap_or(0)));
        let all = [label].into_iter().chain(self.reductions.iter().cloned()).chain([by_hand]);
        let signed = |it: Reduction| Reduction { amount: it.amount * self.sign(), ..it };
        all.filter(|reduction| reduction.amount != 0).map(signed).collect()
    }

    /// True while a promotion may reduce it that is about it.
    pub fn is_open_to(&self, promotion: &Promotion, no_department: &Code) -> bool {
        let department = self.tables.product.as_ref().map_or(no_department, |product| &product.department);
        self.reductions.len() < PROMOTIONS_MAX && promotion.is_about(&self.asked.sku, department)
    }

    /// Takes off what a promotion gives. Pieces of one cut share it evenly, to the cent.
    pub fn cut(&mut self, cuts: &[Cut], (promotion, coupon): (&Promotion, Option<usize>)) {
        for cut in cuts {
            let Some(run) = self.runs.get_mut(cut.run) else { continue };
            run.units -= cut.units;
            let left = run.each * cut.units - cut.off;
            let (each, dearer) = (left / cut.units, left % cut.units);
            let is_open = !promotion.exclusive;
            self.runs.push(Run { units: cut.units - dearer, each, is_open });
            self.runs.push(Run { units: dearer, each: each + 1, is_open });
        }
        self.runs.retain(|run| run.units > 0);
        self.runs.sort_by_key(|run| (Reverse(run.each), run.is_open));
        self.runs.dedup_by(|run, kept| {
            let alike = (run.each, run.is_open) == (kept.each, kept.is_open);
            kept.units += if alike { run.units } else { 0 };
            alike
        });
        let amount = cuts.iter().map(|cut| cut.off).sum();
        if let Some(coupon) = coupon {
            self.coupons.push((coupon, amount));
        }
        if amount > 0 {
            self.reductions.push(Reduction { promotion: promotion.id.clone(), amount });
        }
    }
}

/// The price per kilogram on the receipt of a package whose label says what it costs: the book's, if the grams were told from it, else the
/// lowest at which the grams come to as much as the label says.
fn per_kilogram(label: i64, grams: i64, book: Option<i64>) -> i64 {
    let (label, grams) = (i128::from(label), i128::from(grams));
    let told = |price: &i64| {
        let price = i128::from(*price);
        price * (grams - 1) < label * 1_000 && label * 1_000 <= price * grams + 500
    };
    let lowest = ((label * 1_000 - 500).max(0) + grams - 1) / grams;
    book.filter(told).unwrap_or_else(|| i64::try_from(lowest).unwrap_or(i64::MAX))
}

/// Promotions of one line: with what its label and somebody took off, as many reductions as it may bear.
const PROMOTIONS_MAX: usize = REDUCTIONS_MAX - 2;
