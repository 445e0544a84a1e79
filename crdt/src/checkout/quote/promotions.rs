//! What promotions take off. One after the other, by priority and then by name, each from what those before left.
//!
//! | gives | takes off |
//! |---|---|
//! | percent | of each line, half a cent up |
//! | off, price | of each piece, or of each weighing by its grams |
//! | buy and get, bundle | of groups of pieces, the dearest together; weighed goods are no pieces. Shared by all pieces of the group |
//! | basket | of all its goods together. Shared by all of them |
//!
//! What is shared is divided in proportion to what the pieces cost before, so that whoever gives back one of a group gets what she paid for it
//! and not more. Goods that cost nothing any more take no part. Where only some pieces may be reduced, those are the dearest.

use std::cmp::Reverse;

use super::goods::{Cut, Goods};
use super::{Asked, groups, shares, tax};
use crate::checkout::promotion::{Gives, Promotion};
use crate::checkout::rounding::Rounding;
use crate::ids::Code;
use crate::money::{Unit, extend};

/// Pieces of one run that a promotion may take from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pieces {
    /// The line, by its place among those that are priced together.
    pub line: usize,
    /// Which run of it.
    pub run: usize,
    /// How many.
    pub units: i64,
    /// What each costs.
    pub each: i64,
}

/// A promotion, by itself or because a coupon activates it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Offer<'a> {
    /// What it gives.
    pub terms: &'a Promotion,
    /// Which coupon activates it, by its place in the request.
    pub coupon: Option<usize>,
    /// Minor units that it gives at most.
    pub most: i64,
}

/// The promotions that hold for a basket, in the order in which they are tried: of equals, those without a coupon first.
pub(super) fn in_force<'a>(promotions: &'a [Promotion], asked: &'a Asked) -> Vec<Offer<'a>> {
    let of_book = promotions.iter().map(|terms| Offer { terms, coupon: None, most: i64::MAX });
    let shown = asked.coupons.iter().enumerate().map(|(at, shown)| Offer {
        terms: &shown.terms,
        coupon: Some(at),
        most: if shown.worth_max == 0 { i64::MAX } else { shown.worth_max },
    });
    let holds = |it: &Promotion| it.holds(asked.store, asked.at_ms) && (asked.member || !it.members_only);
    let mut in_force: Vec<Offer<'a>> = of_book.chain(shown).filter(|offer| holds(offer.terms)).collect();
    in_force
        .sort_by_key(|offer| (Reverse(offer.terms.priority), offer.coupon.is_some(), &offer.terms.id, offer.coupon));
    in_force
}

/// The goods with everything taken off. A promotion for members may stand in the way of a better one for everybody, so a member pays
/// what everybody pays if that is less.
pub(super) fn cheapest<'a>(goods: Vec<Goods<'a>>, in_force: &[Offer<'_>]) -> Vec<Goods<'a>> {
    let common: Vec<Offer<'_>> = in_force.iter().filter(|it| !it.terms.members_only).copied().collect();
    if common.len() == in_force.len() {
        return reduced(goods, in_force);
    }
    let (own, common) = (reduced(goods.clone(), in_force), reduced(goods, &common));
    if owed(&own) <= owed(&common) { own } else { common }
}

fn reduced<'a>(mut goods: Vec<Goods<'a>>, in_force: &[Offer<'_>]) -> Vec<Goods<'a>> {
    let no_department = Code::default();
    for offer in in_force {
        let promotion = offer.terms;
        let pieces = pieces(&goods, promotion, &no_department);
        if pieces.is_empty() {
            continue;
        }
        let mut cuts = capped(cuts(&goods, promotion, pieces), offer.most);
        cuts.sort_by_key(|cut| (cut.line, cut.run));
        cuts.chunk_by(|one, next| one.line == next.line)
            .for_each(|cuts| goods[cuts[0].line].cut(cuts, (promotion, offer.coupon)));
    }
    goods
}

/// What is owed for goods of one sign, tax included, without it.
fn owed(goods: &[Goods<'_>]) -> i128 {
    let charged = |goods: &Goods<'_>| goods.left() - goods.by_hand().unwrap_or_else(|| goods.left());
    let lines: Vec<_> = goods.iter().map(|goods| (goods.tax(), charged(goods))).collect();
    let added = tax::taxes(&lines).into_iter().flatten().filter(|tax| tax.added).map(|tax| i128::from(tax.amount));
    lines.iter().map(|(_, charged)| i128::from(*charged)).chain(added).sum()
}

/// The pieces that a promotion may take from, the dearest first.
fn pieces(goods: &[Goods<'_>], promotion: &Promotion, no_department: &Code) -> Vec<Pieces> {
    let mut pieces = Vec::new();
    for (line, goods) in goods.iter().enumerate().filter(|(_, goods)| goods.is_open_to(promotion, no_department)) {
        let open = goods.runs.iter().enumerate().filter(|(_, it)| it.is_open && it.each > 0);
        pieces.extend(open.map(|(run, it)| Pieces { line, run, units: it.units, each: it.each }));
    }
    pieces.sort_by_key(|pieces| (Reverse(pieces.each), pieces.line, pieces.run));
    pieces
}

/// What a promotion takes from which pieces.
fn cuts(goods: &[Goods<'_>], promotion: &Promotion, mut pieces: Vec<Pieces>) -> Vec<Cut> {
    let times = if promotion.per_basket == 0 { i64::MAX } else { i64::from(promotion.per_basket) };
    let counted = |goods: &[Goods<'_>], pieces: &mut Vec<Pieces>| pieces.retain(|it| goods[it.line].unit == Unit::Each);
    match promotion.gives {
        Gives::Percent(off_bp) => percent(dearest(pieces, times), off_bp),
        Gives::Off(off) => singly(pieces, times, |it| goods[it.line].of_each(off).min(it.each)),
        Gives::Price(price) => singly(pieces, times, |it| it.each - goods[it.line].of_each(price)),
        Gives::BuyGet { buy, get, off_bp } => {
            counted(goods, &mut pieces);
            groups::cuts(&pieces, (i64::from(buy) + i64::from(get), times), |group| {
                part(groups::cheapest(group, get.into()), off_bp)
            })
        }
        Gives::Bundle { units, price } => {
            counted(goods, &mut pieces);
            groups::cuts(&pieces, (units.into(), times), |group| cost(group) - price.max(0))
        }
        Gives::Basket { from, off } => {
            let cost = cost(&pieces);
            let fits = if from > 0 { cost / from } else { 1 };
            spread(off.max(0).saturating_mul(fits.min(times)).min(cost), &pieces)
        }
    }
}

/// The same cuts, in proportion, so that together they take off no more than `most`.
fn capped(mut cuts: Vec<Cut>, most: i64) -> Vec<Cut> {
    let offs: Vec<i64> = cuts.iter().map(|cut| cut.off).collect();
    if offs.iter().sum::<i64>() > most {
        cuts.iter_mut().zip(shares::proportional(most, &offs)).for_each(|(cut, off)| cut.off = off);
    }
    cuts
}

fn percent(mut pieces: Vec<Pieces>, off_bp: u32) -> Vec<Cut> {
    pieces.sort_by_key(|pieces| (pieces.line, pieces.run));
    let of_line = |pieces: &[Pieces]| spread(part(cost(pieces), off_bp), pieces);
    pieces.chunk_by(|one, next| one.line == next.line).flat_map(of_line).collect()
}

/// Takes `off` from each of the dearest pieces that it takes something from.
fn singly(mut pieces: Vec<Pieces>, times: i64, off: impl Fn(&Pieces) -> i64) -> Vec<Cut> {
    pieces.retain(|pieces| off(pieces) > 0);
    let cut = |it: &Pieces| Cut { line: it.line, run: it.run, units: it.units, off: off(it) * it.units };
    dearest(pieces, times).iter().map(cut).collect()
}

/// The first of pieces, so many of them.
fn dearest(mut pieces: Vec<Pieces>, mut times: i64) -> Vec<Pieces> {
    for pieces in &mut pieces {
        pieces.units = pieces.units.min(times);
        times -= pieces.units;
    }
    pieces.retain(|pieces| pieces.units > 0);
    pieces
}

/// What pieces cost together.
pub(super) fn cost(pieces: &[Pieces]) -> i64 {
    pieces.iter().map(|pieces| pieces.units * pieces.each).sum()
}

/// Takes `off` from pieces together.
pub(super) fn spread(off: i64, pieces: &[Pieces]) -> Vec<Cut> {
    if off <= 0 {
        return Vec::new();
    }
    let costs: Vec<i64> = pieces.iter().map(|pieces| pieces.units * pieces.each).collect();
    let shares = shares::proportional(off, &costs);
    let cut = |(it, off): (&Pieces, i64)| Cut { line: it.line, run: it.run, units: it.units, off };
    pieces.iter().zip(shares).map(cut).collect()
}

/// Hundredths of a percent of an amount.
fn part(amount: i64, off_bp: u32) -> i64 {
    Rounding::HalfUp.divide(i128::from(amount) * i128::from(off_bp), 10_000).min(amount)
}

impl Goods<'_> {
    /// What an amount per piece or kilogram is for each piece, or for the weighing.
    fn of_each(&self, amount: i64) -> i64 {
        if self.unit == Unit::Each { amount.max(0) } else { extend(Unit::Gram, self.quantity(), amount.max(0)) }
    }
}
