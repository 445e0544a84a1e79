//! Who is asked, and for how many, when somebody has none left.
//!
//! Borrowing only what is missing costs a round for every promise. Asking for what will be needed as well is much better (Golubchik
//! and Thomasian, "Token allocation in distributed systems", ICDCS 1992), as long as it does not empty who needs it too.

use stockroom_crdt::stock::policy::Allocation;

use super::chance::sane;
use super::spread::{Pool, Spoke, Tuning, targets};

/// Whether a spoke that has none left asks the centre at all.
pub fn asks(allocation: Allocation) -> bool {
    match allocation {
        Allocation::Static => false,
        Allocation::HubOnly | Allocation::EqualBorrow | Allocation::Proportional | Allocation::Littlewood => true,
    }
}

/// How many the centre grants to a reachable spoke that asks for `wanted`: those, and what it will need, out of what the centre holds.
pub fn answer(pool: &Pool<'_>, spoke: usize, wanted: u64, allocation: Allocation, tuning: &Tuning) -> u64 {
    let Some(it) = pool.spokes.get(spoke) else { return 0 };
    let free = pool.held.saturating_sub(pool.owed);
    let more = match allocation {
        Allocation::HubOnly | Allocation::Static => 0,
        Allocation::EqualBorrow | Allocation::Proportional => ahead(pool, it, free, tuning),
        Allocation::Littlewood => targets(pool)[spoke].saturating_sub(it.held),
    };
    wanted.saturating_add(more).min(free)
}

/// Whom the centre asks when it has too few, and for how many: the reachable spoke whose rights last longest, for what is wanted and
/// what it can do without, up to half of what it holds.
pub fn donor(pool: &Pool<'_>, asking: Option<usize>, wanted: u64, tried: &[usize]) -> Option<(usize, u64)> {
    let can =
        |(at, it): &(usize, &Spoke<'_>)| it.reachable && it.held > 0 && Some(*at) != asking && !tried.contains(at);
    let cover = |it: &Spoke<'_>| it.held as f64 / sane(it.rate).max(f64::MIN_POSITIVE);
    let (at, it) = pool
        .spokes
        .iter()
        .enumerate()
        .filter(can)
        .max_by(|a, b| cover(a.1).total_cmp(&cover(b.1)).then(b.0.cmp(&a.0)))?;
    let left_over = it.held as f64 - sane(it.rate) * pool.horizon_ms as f64;
    let spare = (sane(left_over) as u64).min(it.held / 2);
    Some((at, wanted.max(spare).clamp(1, it.held)))
}

/// What a spoke will need for a while, but no more than its share of what is there.
fn ahead(pool: &Pool<'_>, it: &Spoke<'_>, free: u64, tuning: &Tuning) -> u64 {
    let rate = sane(it.rate);
    let all = sane(pool.rate) + pool.spokes.iter().map(|spoke| sane(spoke.rate)).sum::<f64>();
    let share = if all > 0.0 { rate / all } else { 0.0 };
    let for_ms = tuning.ahead_ms.min(pool.horizon_ms) as f64;
    let needed = sane(rate * for_ms) as u64;
    needed.min((free as f64 * share) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::outage::Lengths;

    const HOUR: f64 = 3_600_000.0;

    fn spoke(outage: &Lengths, held: u64, rate_hour: f64) -> Spoke<'_> {
        Spoke { held, granted: held, rate: rate_hour / HOUR, outage, up_mean_ms: 4.0 * HOUR, reachable: true }
    }

    fn pool<'a>(held: u64, spokes: &'a [Spoke<'a>]) -> Pool<'a> {
        Pool { held, owed: 0, arrived: 50, rate: 0.0, horizon_ms: 24 * 3_600_000, spokes }
    }

    #[test]
    fn what_will_be_needed_comes_along() {
        let hour = Lengths::new(vec![(1.0, HOUR)]);
        let spokes = [spoke(&hour, 0, 2.0), spoke(&hour, 0, 2.0)];
        let tuning = Tuning { ahead_ms: 6 * 3_600_000, ..Tuning::default() };
        let at = |held, allocation| answer(&pool(held, &spokes), 0, 1, allocation, &tuning);
        assert_eq!(at(100, Allocation::Proportional), 1 + 12);
        assert_eq!(at(10, Allocation::Proportional), 1 + 5, "half of the demand is somebody else's");
        assert_eq!(at(100, Allocation::HubOnly), 1);
        assert!(at(100, Allocation::Littlewood) > 4);
        assert_eq!(at(0, Allocation::Littlewood), 0);
        assert_eq!(answer(&pool(9, &spokes), 7, 1, Allocation::Littlewood, &tuning), 0, "there is no such spoke");
    }

    #[test]
    fn it_comes_from_where_it_lasts_longest() {
        let hour = Lengths::new(vec![(1.0, HOUR)]);
        let mut spokes = [spoke(&hour, 0, 1.0), spoke(&hour, 4, 4.0), spoke(&hour, 3, 0.01), spoke(&hour, 90, 0.0)];
        spokes[3].reachable = false;
        assert_eq!(donor(&pool(0, &spokes), Some(0), 1, &[]), Some((2, 1)));
        assert_eq!(donor(&pool(0, &spokes), Some(0), 2, &[2]), Some((1, 2)));
        assert_eq!(donor(&pool(0, &spokes), Some(0), 1, &[1, 2]), None);
        spokes[3].reachable = true;
        assert_eq!(donor(&pool(0, &spokes), None, 1, &[]), Some((3, 45)), "half of what it will not need");
    }

    #[test]
    fn a_quota_is_not_borrowed() {
        assert!(!asks(Allocation::Static));
        assert_eq!(Allocation::ALL.into_iter().filter(|allocation| asks(*allocation)).count(), 4);
    }
}
