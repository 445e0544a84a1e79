//! The bare algebra of rights: it never promises too much, whatever is lost, repeated, forgotten or set back; and each of its rules
//! is needed.

use stockroom_sim::algebra::{Ablation, schedule};

const STEPS: u32 = 400;

#[test]
fn twenty_thousand_schedules_never_promise_too_much() {
    let (mut promises, mut losses) = (0, 0);
    for seed in 0..20_000 {
        let found = schedule(seed, STEPS, None);
        assert_eq!(found.oversold_at, None, "seed {seed}");
        promises += found.promises;
        losses += found.losses;
    }
    assert!(promises > 100_000 && losses > 100_000, "{promises} promises, {losses} losses: it tried something");
}

#[test]
fn every_rule_that_is_taken_away_is_missed() {
    for ablation in Ablation::ALL {
        let found = (0..20_000).find(|seed| schedule(*seed, STEPS, Some(ablation)).oversold_at.is_some());
        assert!(found.is_some(), "20,000 schedules without {} promised no unit too many", ablation.as_str());
    }
}

#[test]
fn a_seed_is_a_schedule() {
    for ablation in [None, Some(Ablation::KeepEpoch)] {
        assert_eq!(schedule(7, STEPS, ablation), schedule(7, STEPS, ablation));
    }
    assert_ne!(schedule(7, STEPS, None), schedule(8, STEPS, None));
}
