//! Spreading: by hand, by its properties, and at sizes at which it must stay cheap.

use super::*;

const HOUR: f64 = 3_600_000.0;

fn lengths(hours: f64) -> Lengths {
    Lengths::new(vec![(1.0, hours * HOUR)])
}

fn spoke(outage: &Lengths, held: u64, rate_hour: f64) -> Spoke<'_> {
    Spoke { held, granted: held, rate: rate_hour / HOUR, outage, up_mean_ms: 4.0 * HOUR, reachable: true }
}

fn pool<'a>(held: u64, horizon_hours: u64, spokes: &'a [Spoke<'a>]) -> Pool<'a> {
    Pool { held, owed: 0, arrived: held, rate: 0.0, horizon_ms: horizon_hours * 3_600_000, spokes }
}

const EAGER: Tuning = Tuning { kappa: 0.0, ahead_ms: 0 };

fn granted(moves: &[Move]) -> u64 {
    moves.iter().map(|step| if let Move::Grant { units, .. } = step { *units } else { 0 }).sum()
}

#[test]
fn shares_sum_to_the_whole_and_follow_the_weights() {
    assert_eq!(apportion(10, &[1.0, 1.0, 2.0]), [3, 2, 5]);
    assert_eq!(apportion(5, &[0.4, 0.3, 0.3]), [2, 2, 1]);
    assert_eq!(apportion(5, &[0.0, f64::NAN]), [0, 0]);
    assert_eq!(apportion(u64::MAX, &[1.0]).len(), 1);
}

#[test]
fn shares_are_given_once_and_later_to_who_was_cut_off() {
    let hour = lengths(1.0);
    let mut spokes = [spoke(&hour, 0, 1.0), spoke(&hour, 0, 3.0)];
    spokes[1].reachable = false;
    let first = spread(&pool(8, 24, &spokes), Allocation::Static, &EAGER);
    assert_eq!(first, [Move::Grant { spoke: 0, units: 2 }]);
    spokes[0] = Spoke { held: 1, granted: 2, ..spokes[0] };
    spokes[1].reachable = true;
    let later = Pool { held: 6, ..pool(8, 24, &spokes) };
    assert_eq!(spread(&later, Allocation::Static, &EAGER), [Move::Grant { spoke: 1, units: 6 }]);
    assert_eq!(spread(&later, Allocation::EqualBorrow, &EAGER).len(), 2);
}

#[test]
fn a_hub_that_keeps_all_takes_back_what_is_out() {
    let hour = lengths(1.0);
    let mut spokes = [spoke(&hour, 2, 1.0), spoke(&hour, 3, 1.0), spoke(&hour, 0, 1.0)];
    spokes[1].reachable = false;
    let moves = spread(&pool(8, 24, &spokes), Allocation::HubOnly, &EAGER);
    assert_eq!(moves, [Move::Reclaim { spoke: 0, units: 2 }]);
}

#[test]
fn enough_rights_are_given_generously_and_few_stay_where_they_serve_all() {
    let hour = lengths(1.0);
    let spokes = [spoke(&hour, 0, 1.0), spoke(&hour, 0, 1.0)];
    let many = spread(&pool(1_000, 5, &spokes), Allocation::Littlewood, &EAGER);
    assert!(granted(&many) > 10, "mu is 0, and each gets what any outage may need");
    // Ten are expected in all, two are there, and an outage lasts beyond the horizon: a stranded right is lost.
    let long = lengths(10.0);
    let spokes = [spoke(&long, 0, 0.1), spoke(&long, 0, 0.1)];
    let mut scarce = pool(2, 9, &spokes);
    scarce.rate = 10.0 / HOUR;
    assert_eq!(spread(&scarce, Allocation::Littlewood, &EAGER), []);
    let strays = [spoke(&long, 1, 0.1), spoke(&long, 0, 0.1)];
    scarce = Pool { spokes: &strays, held: 1, ..scarce };
    assert_eq!(spread(&scarce, Allocation::Littlewood, &EAGER), [Move::Reclaim { spoke: 0, units: 1 }]);
}

#[test]
fn littlewood_by_hand() {
    // One spoke, one hour of outage, one unit an hour: p_1 = .632, p_2 = .264, p_3 = .080. The pool of 3 has a demand of 2 until the
    // horizon in two hours: mu = P(Pois(2) >= 3) = .3233; every outage ends in time, so r = mu and every right is worth its p.
    let hour = lengths(1.0);
    let spokes = [spoke(&hour, 0, 1.0)];
    let three = Pool { rate: 0.0, ..pool(3, 2, &spokes) };
    assert_eq!(targets(&three), [3]);
    // When no outage ends in time r = 0, and only p_1 is above mu.
    let endless = lengths(3.0);
    let spokes = [spoke(&endless, 0, 1.0 / 3.0)];
    let rest = (2.0 - 2.0 / 3.0) / 2.0 / HOUR;
    let three = Pool { rate: rest, ..pool(3, 2, &spokes) };
    assert_eq!(targets(&three), [1]);
}

#[test]
fn short_rights_go_where_an_outage_needs_them_most() {
    let (hour, blink) = (lengths(1.0), lengths(0.01));
    let spokes = [spoke(&blink, 0, 1.0), spoke(&hour, 0, 1.0), spoke(&hour, 0, 0.2)];
    let moves = spread(&pool(1, 1, &spokes), Allocation::Littlewood, &EAGER);
    assert_eq!(moves, [Move::Grant { spoke: 1, units: 1 }]);
    let held = [spoke(&blink, 1, 1.0), spoke(&hour, 0, 1.0), spoke(&hour, 0, 0.2)];
    let moves = spread(&pool(0, 1, &held), Allocation::Littlewood, &EAGER);
    assert_eq!(moves, [Move::Reclaim { spoke: 0, units: 1 }], "and come from where they are needed least");
}

#[test]
fn what_saves_too_little_does_not_move() {
    let hour = lengths(1.0);
    let spokes = [spoke(&hour, 5, 1.0), spoke(&hour, 4, 1.0)];
    let calm = Tuning { kappa: 0.2, ..EAGER };
    let at = |tuning| spread(&Pool { held: 3, ..pool(12, 24, &spokes) }, Allocation::Littlewood, tuning);
    assert!(!at(&EAGER).is_empty());
    assert_eq!(at(&calm), []);
}

#[test]
fn what_is_owed_is_not_spread_and_what_is_cut_off_does_not_move() {
    let hour = lengths(1.0);
    let mut spokes = [spoke(&hour, 0, 1.0), spoke(&hour, 7, 1.0)];
    spokes[1].reachable = false;
    let owing = Pool { owed: 2, ..pool(2, 24, &spokes) };
    for allocation in Allocation::ALL {
        assert_eq!(spread(&owing, allocation, &EAGER), [], "{}", allocation.as_str());
    }
}

#[test]
fn moves_are_always_possible() {
    let (hour, day) = (lengths(1.0), lengths(24.0));
    let mut state = 7u64;
    let mut draw = |bound: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % bound
    };
    for round in 0..400 {
        let spokes: Vec<Spoke<'_>> = (0..draw(20) + 1)
            .map(|_| Spoke {
                held: draw(12),
                granted: draw(12),
                rate: [0.0, 1e-9, 1e-6, 1e-3, f64::NAN][draw(5) as usize],
                outage: if draw(2) == 0 { &hour } else { &day },
                up_mean_ms: [0.0, 1e6, 1e9, f64::NAN][draw(4) as usize],
                reachable: draw(4) > 0,
            })
            .collect();
        let pool = Pool {
            held: draw(60),
            owed: draw(9),
            arrived: draw(200),
            rate: 1e-7,
            horizon_ms: draw(1_000_000_000),
            spokes: &spokes,
        };
        for allocation in Allocation::ALL {
            let moves = spread(&pool, allocation, &Tuning { kappa: draw(3) as f64 / 100.0, ..EAGER });
            assert!(granted(&moves) <= pool.held.saturating_sub(pool.owed), "{round}");
            let mut seen = std::collections::BTreeSet::new();
            for step in moves {
                let (Move::Grant { spoke, units } | Move::Reclaim { spoke, units }) = step;
                assert!(units > 0 && spokes[spoke].reachable && seen.insert(spoke), "{round}: {step:?}");
                assert!(matches!(step, Move::Grant { .. }) || units <= spokes[spoke].held, "{round}: {step:?}");
            }
        }
    }
}

#[test]
fn a_thousand_spokes_and_a_thousand_million_rights_are_spread() {
    let hour = lengths(1.0);
    let spokes: Vec<Spoke<'_>> = (1..=1_000).map(|n| spoke(&hour, 0, 1e6 / f64::from(n))).collect();
    let large = pool(1_000_000_000, 24, &spokes);
    let targets = targets(&large);
    let sum: u64 = targets.iter().sum();
    assert!(sum <= 1_000_000_000 && targets[0] > 900_000, "{sum} {}", targets[0]);
    assert!(granted(&spread(&large, Allocation::Littlewood, &EAGER)) <= 1_000_000_000);
}
