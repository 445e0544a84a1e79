//! The tax of each line: contained in what it costs or added to it, rounded for the line, or once for the receipt and spread over the lines.

use std::collections::BTreeMap;

use super::shares;
use crate::checkout::rules::TaxRate;
use crate::sale::Tax;

/// The tax of each line, by its rate and what it costs, in the order in which cents that are left are given.
pub(super) fn taxes(lines: &[(Option<&TaxRate>, i64)]) -> Vec<Option<Tax>> {
    let mut taxes: Vec<Option<Tax>> = lines.iter().map(|(rate, charged)| tax(*rate, *charged)).collect();
    let mut together: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    for (at, (rate, _)) in lines.iter().enumerate() {
        if let Some(rate) = rate.filter(|rate| rate.per_receipt) {
            together.entry((&rate.code, rate.rate_bp, rate.inclusive, rate.rounding)).or_default().push(at);
        }
    }
    for ((_, _, _, rounding), members) in together {
        let exact: Vec<(i128, i128)> = members.iter().map(|at| exact(lines[*at])).collect();
        let whole = exact.iter().map(|(_, whole)| *whole).max().unwrap_or(1);
        let sum: i128 = exact.iter().map(|(tax, _)| tax).sum();
        // A receipt that gives money back is divided as the one that took it, so that each line gives back its own cents.
        let first = exact.iter().map(|(tax, _)| tax.signum()).find(|sign| *sign != 0).unwrap_or(1);
        let sign = if sum == 0 { first } else { sum.signum() };
        let turned: Vec<i128> = exact.iter().map(|(tax, _)| tax * sign).collect();
        let shares = shares::rounded(&turned, whole, rounding.divide(sum * sign, whole));
        for (at, share) in members.into_iter().zip(shares) {
            if let Some(tax) = &mut taxes[at] {
                tax.amount = if sign < 0 { -share } else { share };
            }
        }
    }
    taxes
}

fn tax(rate: Option<&TaxRate>, charged: i64) -> Option<Tax> {
    let rate = rate?;
    let rate_bp = rate.rate_bp?;
    Some(Tax { code: rate.code.clone(), rate_bp, amount: rate.on(charged), added: !rate.inclusive })
}

/// The tax as a fraction.
fn exact((rate, charged): (Option<&TaxRate>, i64)) -> (i128, i128) {
    rate.map_or((0, 1), |rate| rate.fraction(charged))
}
