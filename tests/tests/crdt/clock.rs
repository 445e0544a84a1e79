//! The hybrid clock: strictly increasing, never far ahead of the wall.

use proptest::collection::vec;
use proptest::prelude::*;

use stockroom_crdt::clock::{Clock, Hlc, Observed};
use stockroom_crdt::limits::CLOCK_FORWARD_MS_MAX;
use stockroom_tests::property::check;

use super::arbitrary::hlc;

#[derive(Clone, Debug)]
enum Step {
    Tick,
    Observe(Hlc),
    Restart,
}

#[test]
fn ticks_grow_across_observations_restarts_and_a_wall_clock_that_jumps() {
    let wall = prop_oneof![3 => 1_000_000_000..1_000_900_000u64, 1 => 0..1u64 << 40];
    let seen = (0..1_002_000_000u64, any::<u16>()).prop_map(|(ms, counter)| Step::Observe(Hlc::new(ms, counter)));
    let far = hlc().prop_map(Step::Observe);
    let step = prop_oneof![4 => Just(Step::Tick), 2 => seen, 1 => far, 1 => Just(Step::Restart)];
    check("ticks_grow", 1_000, vec((wall, step), 1..60), |steps| {
        let (mut clock, mut last, mut wall_max) = (Clock::default(), Hlc::default(), 0);
        for (wall, step) in steps {
            wall_max = wall_max.max(wall);
            match step {
                Step::Tick => {
                    let tick = clock.tick(wall);
                    prop_assert!(tick > last, "{:?} after {:?}", tick, last);
                    prop_assert!(tick.ms() >= wall);
                    last = tick;
                }
                Step::Observe(seen) => {
                    let suspect = seen.ms() > wall + CLOCK_FORWARD_MS_MAX;
                    let expected = if suspect { Observed::Suspect } else { Observed::Merged };
                    prop_assert_eq!(clock.observe(wall, seen), expected);
                    last = if suspect { last } else { last.max(seen) };
                }
                Step::Restart => clock = Clock::resume(clock.last()),
            }
            prop_assert_eq!(clock.last(), last);
            prop_assert!(last.ms() <= wall_max + CLOCK_FORWARD_MS_MAX + 1, "{:?} at {}", last, wall_max);
        }
        Ok(())
    });
}

#[test]
fn timestamps_order_by_milliseconds_then_counter() {
    check("timestamps_order_by_milliseconds_then_counter", 1_000, (hlc(), hlc()), |(left, right)| {
        prop_assert_eq!(left.cmp(&right), (left.ms(), left.counter()).cmp(&(right.ms(), right.counter())));
        prop_assert_eq!(left.cmp(&right), left.to_bits().cmp(&right.to_bits()));
        prop_assert_eq!(Hlc::from_bits(left.to_bits()), left);
        prop_assert_eq!(Hlc::new(left.ms(), left.counter()), left);
        Ok(())
    });
}

#[test]
fn milliseconds_beyond_48_bits_stop_at_the_end() {
    assert_eq!(Hlc::new(u64::MAX, 3), Hlc::new((1 << 48) - 1, 3));
    assert!(Hlc::new(1 << 48, 0) > Hlc::new((1 << 48) - 2, u16::MAX));
}
