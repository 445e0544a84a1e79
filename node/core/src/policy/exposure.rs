//! How much of the book may be promised at all: books are wrong, goods walk out, and a promise is picked later than it is made.

use stockroom_crdt::stock::policy::PolicyRule;

use super::DAY_MS;
use super::chance::{quantile, sane};

/// What is expected to leave the shelf without the book knowing in time.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Leak {
    /// Since the goods were counted, milliseconds.
    pub counted_ms_ago: u64,
    /// What walk-in customers buy, units per millisecond.
    pub walk_in_rate: f64,
}

/// Units of `book` that may be promised: all but the rule's safety stock and the `1 - risk` quantile of what leaks,
/// `Pois(shrink x days since the count + walk-in demand x time until a promise is picked)`.
pub fn expose(book: u64, rule: &PolicyRule, leak: &Leak) -> u64 {
    let days = leak.counted_ms_ago as f64 / DAY_MS;
    let shrunk = book as f64 * f64::from(rule.shrink_ppm_day) / 1e6 * days;
    let walked = sane(leak.walk_in_rate) * rule.lead_ms as f64;
    let mean = sane(shrunk) + sane(walked);
    let held_back = if mean > 0.0 { quantile(mean, 1.0 - f64::from(rule.risk_ppm) / 1e6) } else { 0 };
    book.saturating_sub(u64::from(rule.safety)).saturating_sub(held_back)
}

#[cfg(test)]
mod tests {
    use super::*;
    use stockroom_crdt::stock::policy::{Allocation, Target};

    const DAY: u64 = 86_400_000;

    fn rule(safety: u32, risk_ppm: u32, shrink_ppm_day: u32) -> PolicyRule {
        PolicyRule { safety, risk_ppm, shrink_ppm_day, ..PolicyRule::of(Target::All, Allocation::Littlewood) }
    }

    #[test]
    fn the_example_of_ten_pieces() {
        // 1.6 are expected to be gone: 5 of 10 are held back at 1%, 4 at 5%.
        let leak = Leak { counted_ms_ago: 16 * DAY, walk_in_rate: 0.0 };
        assert_eq!(expose(10, &rule(0, 10_000, 10_000), &leak), 5);
        assert_eq!(expose(10, &rule(0, 50_000, 10_000), &leak), 6);
        assert_eq!(expose(10, &rule(3, 10_000, 10_000), &leak), 2);
        assert_eq!(expose(4, &rule(3, 10_000, 400_000), &leak), 0);
    }

    #[test]
    fn what_is_certain_is_exposed_whole() {
        assert_eq!(expose(10, &rule(0, 10_000, 0), &Leak::default()), 10);
        assert_eq!(expose(10, &rule(2, 10_000, 900), &Leak::default()), 8);
    }

    #[test]
    fn more_leaks_never_expose_more_and_nothing_overflows() {
        let mut last = u64::MAX;
        for days in [0, 1, 10, 100, 10_000, u64::MAX / DAY] {
            let now =
                expose(1_000_000, &rule(1, 0, 1_000_000), &Leak { counted_ms_ago: days * DAY, walk_in_rate: f64::NAN });
            assert!(now <= last);
            last = now;
        }
        assert_eq!(last, 0);
    }
}
