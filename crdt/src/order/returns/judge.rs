//! What all returns of one receipt add up to: who gets what, and who bears what was paid twice. A pure function of facts, the same in whatever
//! order they came in.
//!
//! Each unit of a receipt comes back once. Returns at the seller and returns that it granted come first, in the order of their times; then
//! those that were paid on a signed receipt and that the seller has not decided; what nobody decided and nobody paid waits.

use std::collections::BTreeMap;

use super::{GoodsReturn, Refund, ReturnGrant, ReturnId, Verdict};
use crate::codec::Rows;
use crate::ids::StoreId;
use crate::order::LineUnits;

/// What was sold on a line of a receipt and may come back.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Sold {
    /// Units.
    pub units: i64,
    /// Minor units that the customer paid for them.
    pub amount: i64,
}

/// A return with everything that was said to it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Told {
    /// The return; absent while only answers have arrived.
    pub returned: Option<GoodsReturn>,
    /// What was said to it.
    pub said: Vec<ReturnGrant>,
}

/// Where a return stands.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum State {
    /// The seller has not decided.
    Pending,
    /// Money is due.
    Granted,
    /// It is settled.
    Paid,
    /// None of it may come back: no money is due.
    Refused,
    /// More was paid than was due: somebody bears it.
    PaidTwice,
}

/// What a return adds up to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outcome {
    /// Which.
    pub id: ReturnId,
    /// Where it stands.
    pub state: State,
    /// Units granted, line by line.
    pub granted: Vec<LineUnits>,
    /// Units that had come back before.
    pub over: Vec<LineUnits>,
    /// Minor units that the customer is to get in all.
    pub refund: i64,
    /// Minor units that the customer got.
    pub paid: i64,
    /// Minor units that were paid and not due.
    pub loss: i64,
    /// Who bears the loss, in words; empty without one.
    pub bearer: String,
    /// Why it stands as it does.
    pub why: String,
}

impl State {
    /// The word for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Granted => "granted",
            Self::Paid => "paid",
            Self::Refused => "refused",
            Self::PaidTwice => "paid-twice",
        }
    }
}

impl Sold {
    /// What so many units of the line cost, rounded down so that parts never cost more than the whole.
    pub fn amount_of(self, units: i64) -> i64 {
        if self.units <= 0 {
            return 0;
        }
        let share = i128::from(self.amount) * i128::from(units.clamp(0, self.units)) / i128::from(self.units);
        i64::try_from(share).unwrap_or(0)
    }

    /// What so many units cost of which `before` came back already: all parts together cost exactly the whole, wherever a cent does not divide.
    pub fn part(self, before: i64, units: i64) -> i64 {
        self.amount_of(before.saturating_add(units)) - self.amount_of(before)
    }

    /// The most that so many units of the line can be a part of, whichever of them came back before.
    fn most(self, units: i64) -> i64 {
        let whole = self.amount_of(units);
        let is_even = self.units <= 0 || i128::from(self.amount) * i128::from(units) % i128::from(self.units) == 0;
        whole + i64::from(units > 0 && !is_even)
    }
}

/// What of a refund goes back to each tender of a receipt, in proportion to what each paid, `paid` being minor units without change: all parts
/// together are the refund, but never more than was paid.
pub fn by_tender(refund: i64, paid: &[i64]) -> Vec<i64> {
    let paid: Vec<i128> = paid.iter().map(|amount| i128::from((*amount).max(0))).collect();
    let whole: i128 = paid.iter().sum();
    let refund = i128::from(refund).clamp(0, whole);
    let up_to = |sum: i128| if whole == 0 { 0 } else { refund * sum / whole };
    let mut sum = 0;
    let part = |amount: i128| {
        let before = up_to(sum);
        sum += amount;
        i64::try_from(up_to(sum) - before).unwrap_or(0)
    };
    paid.into_iter().map(part).collect()
}

impl Told {
    /// Takes in a return; of two writings the smaller counts.
    pub fn take(&mut self, returned: GoodsReturn) {
        let bytes = |it: &GoodsReturn| (it.at_ms, Rows::of(|sink| it.encode(sink)));
        if self.returned.as_ref().is_none_or(|held| bytes(&returned) < bytes(held)) {
            self.returned = Some(returned);
        }
    }

    /// What was said first of a kind.
    pub fn first(&self, verdict: Verdict) -> Option<&ReturnGrant> {
        let said = self.said.iter().filter(|said| said.verdict == verdict);
        said.min_by_key(|said| (said.at_ms, Rows::of(|sink| said.encode(sink))))
    }

    /// Minor units that the customer got.
    pub fn paid(&self) -> i64 {
        let at_once = self.returned.as_ref().filter(|it| it.refund == Refund::Cash).map_or(0, GoodsReturn::amount);
        let later =
            self.first(Verdict::PaidCash).or_else(|| self.first(Verdict::PaidBack)).map_or(0, |said| said.amount);
        at_once.saturating_add(later)
    }
}

/// What the returns of a receipt add up to, by id. `sold` is `None` where the receipt is not known: then the seller's word is all there is.
pub fn judge(seller: StoreId, sold: Option<&[Sold]>, told: &BTreeMap<ReturnId, Told>) -> BTreeMap<ReturnId, Outcome> {
    let mut left: Option<Vec<i64>> = sold.map(|lines| lines.iter().map(|line| line.units).collect());
    // Minor units of each line that returns before were granted: together never more than the customer paid for it.
    let mut given: Vec<i64> = sold.map_or_else(Vec::new, |lines| vec![0; lines.len()]);
    let mut ranked: Vec<_> = told.iter().filter_map(|(id, told)| Some((rank(seller, told)?, *id, told))).collect();
    ranked.sort_by_key(|(rank, id, _)| (*rank, *id));
    let mut out = BTreeMap::new();
    for ((class, _), id, told) in ranked {
        let Some(returned) = &told.returned else { continue };
        let grant = told.first(Verdict::Grant).filter(|_| id.store != seller);
        let (mut granted, mut over, mut refund) = (Vec::new(), Vec::new(), 0_i64);
        for line in &returned.lines {
            let asked = match grant {
                Some(grant) => grant.lines.iter().find(|said| said.line == line.line).map_or(0, |said| said.quantity),
                None if class == WAITS => 0,
                None => line.quantity,
            };
            let asked = asked.clamp(0, line.quantity);
            let at = usize::from(line.line);
            let mut before = 0;
            let units = match &mut left {
                Some(left) => left.get_mut(at).map_or(0, |left| {
                    let units = asked.min(*left).max(0);
                    before = *left;
                    *left -= units;
                    units
                }),
                None => asked,
            };
            let priced = sold.and_then(|sold| sold.get(at)).zip(given.get_mut(at));
            let amount = match priced {
                None => line.amount,
                Some((sold, given)) => {
                    let rest = sold.amount.saturating_sub(*given).max(0);
                    let part = match grant.is_none() && line.amount > 0 {
                        // What was given for it is right as it is, whatever came back in between.
                        true => sold.most(units).min(line.amount),
                        false => sold.part(sold.units.saturating_sub(before), units),
                    };
                    let part = part.min(rest);
                    *given = given.saturating_add(part);
                    part
                }
            };
            refund = refund.saturating_add(amount);
            granted.push(LineUnits { line: line.line, quantity: units });
            if class != WAITS && units < line.quantity {
                over.push(LineUnits { line: line.line, quantity: line.quantity - units });
            }
        }
        granted.retain(|units| units.quantity > 0);
        if let Some(grant) = grant {
            refund = if sold.is_some() { refund.min(grant.amount) } else { grant.amount };
        }
        out.insert(id, outcome(told, returned, class, (granted, over, refund)));
    }
    out
}

/// Units of each line of a receipt that may still come back.
pub fn left(seller: StoreId, sold: &[Sold], told: &BTreeMap<ReturnId, Told>) -> Vec<i64> {
    let mut left: Vec<i64> = sold.iter().map(|line| line.units).collect();
    for outcome in judge(seller, Some(sold), told).values() {
        for units in &outcome.granted {
            if let Some(left) = left.get_mut(usize::from(units.line)) {
                *left -= units.quantity;
            }
        }
    }
    left
}

fn outcome(
    told: &Told,
    returned: &GoodsReturn,
    class: u8,
    (granted, over, refund): (Vec<LineUnits>, Vec<LineUnits>, i64),
) -> Outcome {
    let (id, paid) = (returned.id, told.paid());
    let refund = if class == WAITS { 0 } else { refund };
    let loss = if class == WAITS { 0 } else { (paid - refund).max(0) };
    let units = |lines: &[LineUnits]| lines.iter().map(|line| line.quantity).sum::<i64>();
    let state = match class {
        WAITS => State::Pending,
        _ if loss > 0 => State::PaidTwice,
        _ if refund == 0 && granted.is_empty() => State::Refused,
        _ if paid < refund => State::Granted,
        _ => State::Paid,
    };
    let by = if returned.staff.is_empty() { String::new() } else { format!(" ({})", returned.staff) };
    let bearer = if loss > 0 { format!("store {}{by}", id.store.0) } else { String::new() };
    let why = match state {
        State::Pending => "the selling store has not decided yet: the refund is pending".into(),
        State::PaidTwice => format!(
            "{} units had been returned before; store {} had already paid {paid} and {bearer} bears {loss}",
            units(&over),
            id.store.0
        ),
        State::Refused => format!("{} units had been returned before, or were not sold: nothing is due", units(&over)),
        State::Granted => format!("{} units may come back: {} are due", units(&granted), refund - paid),
        State::Paid => format!("{} units came back and {paid} were paid", units(&granted)),
    };
    Outcome { id, state, granted, over, refund, paid, loss, bearer, why }
}

/// In which order returns take units, and when within it.
fn rank(seller: StoreId, told: &Told) -> Option<(u8, u64)> {
    let returned = told.returned.as_ref()?;
    if returned.id.store == seller {
        return Some((DECIDED, returned.at_ms));
    }
    Some(match told.first(Verdict::Grant) {
        Some(grant) => (DECIDED, grant.at_ms),
        None if returned.refund == Refund::Cash => (PAID, returned.at_ms),
        None => (WAITS, returned.at_ms),
    })
}

/// The seller took it, or granted it.
const DECIDED: u8 = 0;

/// It was paid on a signed receipt.
const PAID: u8 = 1;

/// Nobody has decided.
const WAITS: u8 = 2;

#[cfg(test)]
mod tests;
