//! Hybrid logical clock, for display, ties and expiry only. Correctness never depends on it.
//!
//! Source: Kulkarni et al., "Logical Physical Clocks" (2014), with a bounded forward step: a time from far in the future is
//! kept as data, but never pulls our own clock along.

use std::fmt;

use crate::limits::CLOCK_FORWARD_MS_MAX;

/// 48 bits of milliseconds since 1970 and 16 bits of counter, ordered as one number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Hlc(u64);

impl Hlc {
    /// A timestamp from its parts. Milliseconds beyond 48 bits (year 10889) are cut.
    pub fn new(ms: u64, counter: u16) -> Self {
        Self(ms.min(MS_MAX) << 16 | u64::from(counter))
    }

    /// Milliseconds since 1970.
    pub fn ms(self) -> u64 {
        self.0 >> 16
    }

    /// Order among timestamps of one millisecond.
    pub fn counter(self) -> u16 {
        self.0 as u16
    }

    /// The whole as one number, for storage.
    pub fn to_bits(self) -> u64 {
        self.0
    }

    /// From [`Hlc::to_bits`].
    pub fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Debug for Hlc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}ms+{}", self.ms(), self.counter())
    }
}

/// The clock of one node. Strictly increasing across crashes if [`Clock::last`] is stored with each commit.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    last: Hlc,
}

/// What observing another node's time did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Observed {
    /// Our clock is now at or after it.
    Merged,
    /// It lies too far ahead; our clock did not move.
    Suspect,
}

impl Clock {
    /// Continues after `floor`, the last timestamp known to be durable.
    pub fn resume(floor: Hlc) -> Self {
        Self { last: floor }
    }

    /// The newest timestamp given out or merged.
    pub fn last(&self) -> Hlc {
        self.last
    }

    /// A fresh timestamp, later than every earlier one, close to `wall_ms` if that is ahead.
    pub fn tick(&mut self, wall_ms: u64) -> Hlc {
        self.last = self.last.next().max(Hlc::new(wall_ms, 0));
        self.last
    }

    /// Takes note of a time received from another node.
    pub fn observe(&mut self, wall_ms: u64, seen: Hlc) -> Observed {
        if seen.ms() > wall_ms.saturating_add(CLOCK_FORWARD_MS_MAX) {
            return Observed::Suspect;
        }
        self.last = self.last.max(seen);
        Observed::Merged
    }
}

const MS_MAX: u64 = (1 << 48) - 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strictly_increases_when_the_wall_clock_goes_back() {
        let mut clock = Clock::default();
        let first = clock.tick(1_000_000);
        let second = clock.tick(5);
        assert!(second > first);
        assert_eq!(second.ms(), 1_000_000);
    }

    #[test]
    fn equal_greater_and_smaller_times_are_merged() {
        let mut clock = Clock::default();
        let own = clock.tick(1_000);
        assert_eq!(clock.observe(1_000, own), Observed::Merged);
        assert!(clock.tick(1_000) > own);
        let ahead = Hlc::new(2_000, 7);
        assert_eq!(clock.observe(1_000, ahead), Observed::Merged);
        assert!(clock.tick(1_000) > ahead);
        assert_eq!(clock.observe(1_000, Hlc::new(1, 0)), Observed::Merged);
        assert!(clock.tick(1_000) > ahead);
    }

    #[test]
    fn a_time_years_ahead_does_not_move_the_clock() {
        let mut clock = Clock::default();
        clock.tick(1_000);
        let before = clock.last();
        let far = Hlc::new(1_000 + CLOCK_FORWARD_MS_MAX + 1, 0);
        assert_eq!(clock.observe(1_000, far), Observed::Suspect);
        assert_eq!(clock.last(), before);
    }

    #[test]
    fn counter_overflow_carries_into_milliseconds() {
        let mut clock = Clock::resume(Hlc::new(10, u16::MAX));
        assert_eq!(clock.tick(10), Hlc::new(11, 0));
    }
}
