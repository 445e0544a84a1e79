//! How many of its rights the home of the goods keeps, and how many it grants to its hub for everybody else.
//!
//! It is the same question as at the hub, asked from the other end: the home is a spoke whose link to the hub may fail, and what it
//! holds then serves only its own customers.

use stockroom_crdt::stock::policy::Allocation;

use super::spread::{Pool, Spoke, apportion, targets};

/// Of `units` that the home and the hub hold together, how many should lie at the home.
///
/// `home` is the home as the hub sees it, `others_rate` what is promised through the hub, and `places` how many promise from these goods,
/// the home among them.
pub fn keep(
    home: &Spoke<'_>,
    others_rate: f64,
    units: u64,
    horizon_ms: u64,
    places: u64,
    allocation: Allocation,
) -> u64 {
    let kept = match allocation {
        Allocation::HubOnly => 0,
        Allocation::EqualBorrow => units.div_ceil(places.max(1)),
        Allocation::Static | Allocation::Proportional => apportion(units, &[home.rate, others_rate])[0],
        Allocation::Littlewood => {
            let home = [Spoke { held: units, reachable: true, ..*home }];
            let pool = Pool { held: 0, owed: 0, arrived: units, rate: others_rate, horizon_ms, spokes: &home };
            targets(&pool)[0]
        }
    };
    kept.min(units)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::outage::Lengths;

    const HOUR: f64 = 3_600_000.0;

    fn kept(outage_hours: f64, rate_hour: f64, units: u64, allocation: Allocation) -> u64 {
        let outage = Lengths::new(vec![(1.0, outage_hours * HOUR)]);
        let home = Spoke {
            held: 0,
            granted: 0,
            rate: rate_hour / HOUR,
            outage: &outage,
            up_mean_ms: 4.0 * HOUR,
            reachable: true,
        };
        keep(&home, 1.0 / HOUR, units, 24 * 3_600_000, 4, allocation)
    }

    #[test]
    fn each_allocation_keeps_its_own() {
        assert_eq!(kept(1.0, 3.0, 20, Allocation::HubOnly), 0);
        assert_eq!(kept(1.0, 3.0, 20, Allocation::EqualBorrow), 5);
        assert_eq!(kept(1.0, 3.0, 20, Allocation::Proportional), 15);
        assert_eq!(kept(1.0, 0.0, 20, Allocation::Littlewood), 0, "who promises nothing keeps nothing");
    }

    #[test]
    fn a_longer_outage_keeps_more_and_never_more_than_there_is() {
        let mut last = 0;
        for hours in [0.01, 0.1, 1.0, 4.0] {
            let now = kept(hours, 1.0, 40, Allocation::Littlewood);
            assert!(now >= last && now <= 40, "{hours}: {now} after {last}");
            last = now;
        }
        assert!(last > 4);
        assert!(Allocation::ALL.into_iter().all(|allocation| kept(9.0, 99.0, 3, allocation) <= 3));
    }
}
