//! When a promise may be made without a right: it will very likely find one in time.
//!
//! Somebody who is cut off and has no right left knows how many there were elsewhere, and how fast they go. The promise holds if one is
//! left when the link is back. How bad it can get is not left to chance: every soft promise also uses up a right of the class
//! `Overbooking`, of which there are only so many.

use super::chance::at_least;
use super::outage::Lengths;

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
}

/// The probability that no right is left for one more soft promise when the link is back:
/// `P(Pois(rate (stale + outage)) >= elsewhere - waiting)`, mixed over the lengths.
pub fn risk(cut: &Cut<'_>) -> f64 {
    match cut.elsewhere.saturating_sub(cut.waiting) {
        0 => 1.0,
        left => cut.outage.demand_at_least(cut.others_rate, cut.stale_ms, left),
    }
}

/// True when one more soft promise is broken with a probability of at most `soft_ppm` parts per million.
pub fn accepts(cut: &Cut<'_>, soft_ppm: u32) -> bool {
    soft_ppm > 0 && risk(cut) <= f64::from(soft_ppm) / 1e6
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
}

/// The probability that the rights of holders who cannot be reached, when they come back before the horizon, are too few for `waiting`
/// soft promises and one more. Holders are taken one by one: a holder whose outage ends in time brings back what it did not use.
///
/// The number that comes back is taken as nearly normal with the holders' means and variances, with half a unit of correction; a
/// holder who comes back too late brings nothing.
pub fn stranded_risk(stranded: &[Stranded<'_>], waiting: u64, horizon_ms: f64) -> f64 {
    let needed = waiting.saturating_add(1);
    let (mut none_short, mut one_by_one) = (1.0, 0u64);
    // The surest holders first: the promise stands on as few as give what is needed.
    let mut sure: Vec<(f64, u64)> = Vec::new();
    for holder in stranded.iter().filter(|holder| holder.held > 0) {
        let back = 1.0 - holder.outage.beyond(horizon_ms);
        for nth in 1..=holder.held.min(NEEDED_MAX) {
            // Its nth right comes back if fewer than held - nth + 1 are used there.
            let used = holder.outage.demand_at_least(holder.rate, 0.0, holder.held - nth + 1);
            sure.push((back * (1.0 - used), 1));
        }
    }
    sure.sort_by(|a, b| b.0.total_cmp(&a.0));
    for (chance, units) in sure {
        if one_by_one >= needed || needed > NEEDED_MAX {
            break;
        }
        none_short *= chance;
        one_by_one += units;
    }
    if one_by_one < needed { 1.0 } else { 1.0 - none_short }
}

/// So many soft promises at most stand on stranded rights.
const NEEDED_MAX: u64 = 64;

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: f64 = 3_600_000.0;

    fn cut(outage: &Lengths, elsewhere: u64, waiting: u64) -> Cut<'_> {
        Cut { elsewhere, waiting, others_rate: 1.0 / HOUR, stale_ms: 0.0, outage }
    }

    #[test]
    fn a_promise_is_as_sure_as_there_are_rights_left() {
        let hour = Lengths::new(vec![(1.0, HOUR)]);
        // P(Pois(1) >= 1), and P(Pois(1) >= 5) = 1 - e^-1 (1 + 1 + 1/2 + 1/6 + 1/24)
        assert!((risk(&cut(&hour, 1, 0)) - 0.632_121).abs() < 1e-5);
        assert!((risk(&cut(&hour, 5, 0)) - 0.003_660).abs() < 1e-5);
        assert!(accepts(&cut(&hour, 5, 0), 10_000) && !accepts(&cut(&hour, 5, 0), 1_000));
        assert!(!accepts(&cut(&hour, 5, 1), 10_000), "the first soft promise takes one of the five");
        assert!(!accepts(&cut(&hour, 0, 0), 999_999) && !accepts(&cut(&hour, 3, 9), 999_999));
        assert!(!accepts(&cut(&hour, u64::MAX, 0), 0), "no soft promises were wished for");
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
        let holder = |held, rate_hour: f64, outage| Stranded { held, rate: rate_hour / HOUR, outage };
        let quiet = [holder(3, 0.0, &hour)];
        assert!(stranded_risk(&quiet, 0, 9.0 * HOUR) < 1e-9 && stranded_risk(&quiet, 2, 9.0 * HOUR) < 1e-9);
        assert_eq!(stranded_risk(&quiet, 3, 9.0 * HOUR), 1.0, "three are there, four are needed");
        assert_eq!(stranded_risk(&[holder(3, 0.0, &week)], 0, 9.0 * HOUR), 1.0);
        // One right, e^-0.5 that it is still there after the hour.
        let busy = stranded_risk(&[holder(1, 0.5, &hour)], 0, 9.0 * HOUR);
        assert!((busy - 0.393_469).abs() < 1e-5, "{busy}");
        assert_eq!(stranded_risk(&[], 0, HOUR), 1.0);
        assert_eq!(stranded_risk(&[holder(u64::MAX, 1.0, &hour)], u64::MAX - 1, HOUR), 1.0);
    }
}
