//! When a promise may be made without a right: it will very likely find one in time.
//!
//! Somebody who is cut off and has no right left knows how many there were elsewhere, and how fast they go. The promise holds if one is
//! left when the link is back. How bad it can get is not left to chance: every soft promise also uses up a right of the class
//! `Overbooking`, of which there are only so many.

use super::outage::Lengths;
use super::spread::apportion;

/// What somebody who is cut off knows.
#[derive(Clone, Copy, Debug)]
pub struct Cut<'a> {
    /// Free rights elsewhere when it was told last.
    pub elsewhere: u64,
    /// Its own soft promises that wait for a right.
    pub waiting: u64,
    /// What all others ask for together, units per millisecond.
    pub others_rate: f64,
    /// From when it was told until it was cut off, milliseconds.
    pub stale_ms: f64,
    /// How long this outage lasts in all: [`super::outage::History::lengths_beyond`] of what has passed.
    pub outage: &'a Lengths,
    /// From the beginning of the outage until a right must have been found, milliseconds.
    pub limit_ms: f64,
}

/// The probability that one more soft promise finds no right: the outage lasts beyond the limit, or others take too many until it ends,
/// `P(Pois(rate (stale + outage)) >= elsewhere - waiting)`, mixed over the lengths.
pub fn risk(cut: &Cut<'_>) -> f64 {
    match cut.elsewhere.saturating_sub(cut.waiting) {
        0 => 1.0,
        left => (1.0 - cut.outage.spared(cut.others_rate, cut.stale_ms, cut.limit_ms, left - 1)).clamp(0.0, 1.0),
    }
}

/// Soft promises of a pool so far, and what was risked with them.
///
/// A rule bounds the probability that a soft promise is broken. Most are as good as certain, and the few that are not come when rights
/// run out. So what the safe ones left unused may be risked then: the bound holds for the mean of all, and each may reach
/// [`SINGLE_TIMES`] of it.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Ledger {
    /// Soft promises made.
    pub made: u64,
    /// Sum of their risks, parts per million.
    pub risk_ppm: u64,
}

impl Ledger {
    /// The risk that the next soft promise may have, parts per million. Half of what was left unused may be spent at once, because
    /// others who are cut off count on it too.
    pub fn allowed_ppm(&self, soft_ppm: u32) -> u32 {
        let unused = u64::from(soft_ppm).saturating_mul(self.made).saturating_sub(self.risk_ppm) / 2;
        let most = u64::from(soft_ppm).saturating_mul(SINGLE_TIMES).min(1_000_000);
        u32::try_from(u64::from(soft_ppm).saturating_add(unused).min(most)).unwrap_or(soft_ppm)
    }
}

/// How far above the bound the risk of one soft promise may be.
pub const SINGLE_TIMES: u64 = 10;

/// How many rights of the class `Overbooking` each place holds, of `units` in all: one each, for those where most is asked for first,
/// and what is left in proportion to what is asked for.
pub fn budget(units: u64, rates: &[f64]) -> Vec<u64> {
    let mut order: Vec<usize> = (0..rates.len()).collect();
    order.sort_by(|a, b| rates[*b].total_cmp(&rates[*a]).then(a.cmp(b)));
    let first = units.min(rates.len() as u64);
    let mut shares = apportion(units - first, rates);
    order.into_iter().zip(0..first).for_each(|(at, _)| shares[at] += 1);
    shares
}

/// One holder of rights that cannot be reached now.
#[derive(Clone, Copy, Debug)]
pub struct Stranded<'a> {
    /// What it held when it was heard of last.
    pub held: u64,
    /// What is asked for there, units per millisecond.
    pub rate: f64,
    /// How long its outage lasts in all.
    pub outage: &'a Lengths,
    /// From the beginning of its outage until a right must have been found, milliseconds.
    pub limit_ms: f64,
}

/// The probability that the rights of holders who cannot be reached, when they come back in time, are too few for `waiting`
/// soft promises and one more. A holder whose outage ends in time brings back what its own customers did not use; holders are taken to
/// be independent of each other.
pub fn stranded_risk(stranded: &[Stranded<'_>], waiting: u64) -> f64 {
    let Some(needed) = usize::try_from(waiting).ok().and_then(|n| n.checked_add(1)).filter(|n| *n <= NEEDED_MAX) else {
        return 1.0;
    };
    // At n: the probability that exactly n come back; at `needed`, that many or more.
    let mut back = vec![0.0; needed + 1];
    back[0] = 1.0;
    for holder in stranded.iter().filter(|holder| holder.held > 0) {
        let most = usize::try_from(holder.held).unwrap_or(needed).min(needed);
        let at_least = |n: usize| match n {
            0 => 1.0,
            n => holder.outage.spared(holder.rate, 0.0, holder.limit_ms, holder.held - n as u64),
        };
        let chances: Vec<f64> =
            (0..=most).map(|n| at_least(n) - if n < most { at_least(n + 1) } else { 0.0 }).collect();
        let before = std::mem::replace(&mut back, vec![0.0; needed + 1]);
        for (had, chance) in before.iter().enumerate() {
            for (more, p) in chances.iter().enumerate() {
                back[(had + more).min(needed)] += chance * p;
            }
        }
    }
    (1.0 - back[needed]).clamp(0.0, 1.0)
}

/// So many soft promises at most stand on stranded rights.
const NEEDED_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: f64 = 3_600_000.0;

    fn cut(outage: &Lengths, elsewhere: u64, waiting: u64) -> Cut<'_> {
        Cut { elsewhere, waiting, others_rate: 1.0 / HOUR, stale_ms: 0.0, outage, limit_ms: 99.0 * HOUR }
    }

    #[test]
    fn a_promise_is_as_sure_as_there_are_rights_left() {
        let hour = Lengths::new(vec![(1.0, HOUR)]);
        // P(Pois(1) >= 1), and P(Pois(1) >= 5) = 1 - e^-1 (1 + 1 + 1/2 + 1/6 + 1/24)
        assert!((risk(&cut(&hour, 1, 0)) - 0.632_121).abs() < 1e-5);
        assert!((risk(&cut(&hour, 5, 0)) - 0.003_660).abs() < 1e-5);
        assert_eq!(risk(&cut(&hour, 5, 1)), risk(&cut(&hour, 4, 0)), "the first soft promise takes one of the five");
        assert_eq!((risk(&cut(&hour, 0, 0)), risk(&cut(&hour, 3, 9))), (1.0, 1.0));
        assert!(risk(&cut(&hour, u64::MAX, 0)) < 1e-12);
    }

    #[test]
    fn what_safe_promises_left_unused_may_be_risked_later() {
        let ledger = |made, risk_ppm| Ledger { made, risk_ppm };
        assert_eq!(ledger(0, 0).allowed_ppm(10_000), 10_000);
        assert_eq!(ledger(8, 20_000).allowed_ppm(10_000), 10_000 + 30_000);
        assert_eq!(ledger(8, 90_000).allowed_ppm(10_000), 10_000, "more was risked than the mean allows");
        assert_eq!(ledger(u64::MAX, 0).allowed_ppm(10_000), 100_000);
        assert_eq!(ledger(u64::MAX, 0).allowed_ppm(1_000_000), 1_000_000);
        assert_eq!(ledger(99, 0).allowed_ppm(0), 0, "no soft promises were wished for");
    }

    #[test]
    fn an_outage_beyond_the_limit_is_a_broken_promise() {
        let outage = Lengths::new(vec![(0.9, HOUR), (0.1, 50.0 * HOUR)]);
        let soon = Cut { limit_ms: 20.0 * HOUR, others_rate: 0.0, ..cut(&outage, 9, 0) };
        assert!((risk(&soon) - 0.1).abs() < 1e-9);
        assert!(risk(&Cut { limit_ms: 60.0 * HOUR, ..soon }) < 1e-9);
    }

    #[test]
    fn the_budget_reaches_as_many_places_as_it_can() {
        assert_eq!(budget(2, &[1.0, 5.0, 3.0]), [0, 1, 1]);
        assert_eq!(budget(7, &[1.0, 2.0, 1.0]), [2, 3, 2]);
        assert_eq!(budget(0, &[1.0]), [0]);
    }

    #[test]
    fn risk_grows_with_time_and_falls_with_rights() {
        let mut last = 1.0;
        for elsewhere in 1..50 {
            let hours = Lengths::new(vec![(0.5, HOUR), (0.5, 9.0 * HOUR)]);
            let now = risk(&cut(&hours, elsewhere, 0));
            assert!(now <= last && now >= 0.0);
            let staler = Cut { stale_ms: HOUR, ..cut(&hours, elsewhere, 0) };
            assert!(risk(&staler) >= now);
            last = now;
        }
    }

    #[test]
    fn rights_that_come_back_late_or_used_back_no_promise() {
        let (hour, week) = (Lengths::new(vec![(1.0, HOUR)]), Lengths::new(vec![(1.0, 168.0 * HOUR)]));
        let holder =
            |held, rate_hour: f64, outage| Stranded { held, rate: rate_hour / HOUR, outage, limit_ms: 9.0 * HOUR };
        let quiet = [holder(3, 0.0, &hour)];
        assert!(stranded_risk(&quiet, 0) < 1e-9 && stranded_risk(&quiet, 2) < 1e-9);
        assert_eq!(stranded_risk(&quiet, 3), 1.0, "three are there, four are needed");
        assert_eq!(stranded_risk(&[holder(3, 0.0, &week)], 0), 1.0);
        // One right, e^-0.5 that it is still there after the hour.
        let busy = stranded_risk(&[holder(1, 0.5, &hour)], 0);
        assert!((busy - 0.393_469).abs() < 1e-5, "{busy}");
        assert_eq!(stranded_risk(&[], 0), 1.0);
        assert_eq!(stranded_risk(&[holder(u64::MAX, 1.0, &hour)], u64::MAX - 1), 1.0);
    }
}
