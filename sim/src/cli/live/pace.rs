//! How a watched run goes on: paused, step by step, or so many simulated seconds in a second.
//!
//! It decides nothing about what happens, only about when: the same run comes of every pace.

use std::time::{Duration, Instant};

/// The pace.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    going: Going,
    speed: Speed,
    /// When it began to go like this: here, and in the run, milliseconds since 1970.
    since: Option<(Instant, u64)>,
}

/// Whether and how far it goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Going {
    /// Not until somebody says so.
    Paused,
    /// To the end.
    Playing,
    /// To the next thing that is told, after so many.
    Story(u64),
    /// To a moment, milliseconds since 1970.
    Moment(u64),
}

/// How fast it plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speed {
    /// So many simulated seconds in a second.
    Times(u32),
    /// As fast as this machine can.
    Most,
}

/// What a run does now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Now {
    /// The next event.
    Goes,
    /// It waits so long, if nobody says something else.
    Waits(Duration),
    /// It waits until somebody says something.
    Stands,
}

impl Pace {
    /// Standing still.
    pub fn paused() -> Self {
        Self { going: Going::Paused, speed: Speed::Times(60), since: None }
    }

    /// Whether it goes on.
    pub fn going(&self) -> Going {
        self.going
    }

    /// How fast.
    pub fn speed(&self) -> Speed {
        self.speed
    }

    /// From now on it goes like this.
    pub fn go(&mut self, going: Going) {
        self.going = going;
        self.since = None;
    }

    /// From now on it is as fast as this.
    pub fn run_at(&mut self, speed: Speed) {
        self.speed = speed;
        self.since = None;
    }

    /// What the run does before its next event, which is due at `next_ms`; `told` things were told so far.
    pub fn decide(&mut self, now_ms: u64, next_ms: u64, told: u64, clock: Instant) -> Now {
        match self.going {
            Going::Story(before) if told > before => self.go(Going::Paused),
            Going::Moment(until_ms) if next_ms > until_ms => self.go(Going::Paused),
            Going::Paused | Going::Playing | Going::Story(_) | Going::Moment(_) => {}
        }
        match (self.going, self.speed) {
            (Going::Paused, _) => Now::Stands,
            (Going::Playing, Speed::Times(times)) => {
                let (begun, begun_ms) = *self.since.get_or_insert((clock, now_ms));
                let due = Duration::from_millis(next_ms.saturating_sub(begun_ms)) / times.max(1);
                let spent = clock.saturating_duration_since(begun);
                match due.checked_sub(spent).filter(|left| !left.is_zero()) {
                    Some(left) => Now::Waits(left),
                    None => {
                        if spent - due > BEHIND_MAX {
                            // This machine is too slow for that: what it is behind is forgotten.
                            self.since = Some((clock, next_ms));
                        }
                        Now::Goes
                    }
                }
            }
            (Going::Playing, Speed::Most) | (Going::Story(_) | Going::Moment(_), _) => Now::Goes,
        }
    }
}

/// By how much a run may be behind its pace before that is forgiven.
const BEHIND_MAX: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pace_waits_for_the_clock_and_forgives_what_it_is_behind() {
        let (mut pace, begun) = (Pace::paused(), Instant::now());
        assert_eq!(pace.decide(1_000, 1_001, 0, begun), Now::Stands);
        pace.go(Going::Playing);
        pace.run_at(Speed::Times(10));
        assert_eq!(pace.decide(1_000, 3_000, 0, begun), Now::Waits(Duration::from_millis(200)));
        assert_eq!(pace.decide(1_000, 3_000, 0, begun + Duration::from_millis(200)), Now::Goes);
        assert_eq!(pace.decide(3_000, 3_000, 0, begun + Duration::from_secs(9)), Now::Goes);
        let next = pace.decide(3_000, 4_000, 0, begun + Duration::from_secs(9));
        assert_eq!(next, Now::Waits(Duration::from_millis(100)), "and not eight seconds at once");
        pace.run_at(Speed::Most);
        assert_eq!(pace.decide(3_000, 9_000_000, 0, begun), Now::Goes);
    }

    #[test]
    fn steps_end_by_themselves() {
        let (mut pace, now) = (Pace::paused(), Instant::now());
        pace.go(Going::Moment(61_000));
        assert_eq!(pace.decide(1_000, 61_000, 0, now), Now::Goes, "what is due then belongs to it");
        assert_eq!(pace.decide(61_000, 61_001, 0, now), Now::Stands);
        pace.go(Going::Story(7));
        assert_eq!(pace.decide(61_000, 70_000, 7, now), Now::Goes);
        assert_eq!(pace.decide(70_000, 70_001, 8, now), Now::Stands);
        assert_eq!(pace.going(), Going::Paused);
    }
}
