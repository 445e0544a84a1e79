//! How long a link has been down and up before, and so how long it will be: a small histogram that follows no formula.
//!
//! Outages of real links are a mixture: most last seconds, a few a day. An exponential with the same mean would say that an outage
//! which has lasted six hours is about to end. The histogram says what such outages did before.

use stockroom_crdt::codec::{DecodeError, Sink, Source, col};

use super::chance::{Tails, at_least, sane};

/// What is known of one link's outages and of the times between them. Bounded, mergeable, forgetful.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct History {
    /// Outages by length: bucket k holds those from `2^(k/2)` to `2^((k+1)/2)` seconds.
    outages: [u32; BUCKETS],
    /// Times up that have ended.
    ups: u32,
    /// Their sum.
    up_ms: u64,
    /// Sum of the outages.
    down_ms: u64,
}

/// Possible lengths of an outage with their probabilities, ready to be asked many times.
#[derive(Clone, PartialEq, Debug)]
pub struct Lengths {
    /// Probability and milliseconds; the probabilities sum to 1, lengths ascend.
    points: Vec<(f64, f64)>,
}

impl Default for History {
    fn default() -> Self {
        Self { outages: [0; BUCKETS], ups: 0, up_ms: 0, down_ms: 0 }
    }
}

impl History {
    /// An outage ended after so long.
    pub fn saw_outage(&mut self, length_ms: u64) {
        if self.seen() >= SEEN_MAX {
            self.halve();
        }
        self.outages[bucket(length_ms)] += 1;
        self.down_ms = self.down_ms.saturating_add(length_ms);
    }

    /// A time without an outage ended after so long.
    pub fn saw_up(&mut self, length_ms: u64) {
        if self.ups >= SEEN_MAX {
            self.ups /= 2;
            self.up_ms /= 2;
        }
        self.ups += 1;
        self.up_ms = self.up_ms.saturating_add(length_ms);
    }

    /// Outages that it still remembers.
    pub fn seen(&self) -> u32 {
        self.outages.iter().fold(0, |sum, &n| sum.saturating_add(n))
    }

    /// Adds what another history knows: of the same link before, or of links like it.
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.outages.iter_mut().zip(other.outages) {
            *mine = mine.saturating_add(theirs);
        }
        self.ups = self.ups.saturating_add(other.ups);
        self.up_ms = self.up_ms.saturating_add(other.up_ms);
        self.down_ms = self.down_ms.saturating_add(other.down_ms);
        while self.seen() > SEEN_MAX {
            self.halve();
        }
    }

    /// The expected time between outages, milliseconds; a day before anything was seen.
    pub fn up_mean_ms(&self) -> f64 {
        (self.up_ms as f64 + UP_PRIOR_MS) / (f64::from(self.ups) + 1.0)
    }

    /// The share of time without an outage; 1 before anything was seen.
    pub fn availability(&self) -> f64 {
        let all = self.up_ms as f64 + self.down_ms as f64;
        if all > 0.0 { self.up_ms as f64 / all } else { 1.0 }
    }

    /// Lengths of an outage that has just begun.
    pub fn lengths(&self) -> Lengths {
        self.lengths_beyond(0)
    }

    /// Whole lengths of an outage that has lasted `elapsed_ms` already: none is shorter than that.
    ///
    /// What was seen counts once per outage, and a weak guess as one outage in all: from a minute to some hours, shorter ones
    /// more likely (`P(longer than x)` falls as the square root). Past everything seen or guessed, an outage lasts as long again.
    pub fn lengths_beyond(&self, elapsed_ms: u64) -> Lengths {
        let elapsed = elapsed_ms as f64;
        let mut points = Vec::new();
        let guess_sum: f64 = (GUESS_FROM..GUESS_TO).map(guess).sum();
        for (k, &seen) in self.outages.iter().enumerate() {
            let (from, to) = (edge_ms(k), edge_ms(k + 1));
            let guessed = if (GUESS_FROM..GUESS_TO).contains(&k) { guess(k) / guess_sum } else { 0.0 };
            let weight = f64::from(seen) + guessed;
            if weight <= 0.0 || to <= elapsed {
                continue;
            }
            let (left, begin) = if elapsed > from { ((to - elapsed) / (to - from), elapsed) } else { (1.0, from) };
            points.push((weight * left, (begin + to) / 2.0));
        }
        if points.is_empty() {
            points.push((1.0, elapsed * 2.0));
        }
        Lengths::new(points)
    }

    /// Writes the history: only the buckets that hold something.
    pub fn encode(&self, sink: &mut impl Sink) {
        sink.uint(col::A, u64::from(self.ups));
        sink.uint(col::TIME, self.up_ms);
        sink.uint(col::TIME, self.down_ms);
        sink.uint(col::COUNT, self.outages.iter().filter(|&&n| n > 0).count() as u64);
        for (k, &n) in self.outages.iter().enumerate().filter(|(_, n)| **n > 0) {
            sink.uint(col::KEY, k as u64);
            sink.uint(col::B, u64::from(n));
        }
    }

    /// Reads what [`History::encode`] wrote.
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        let (ups, up_ms, down_ms) = (source.u32(col::A)?, source.uint(col::TIME)?, source.uint(col::TIME)?);
        let mut history = Self { ups, up_ms, down_ms, ..Self::default() };
        let mut next = 0;
        for _ in 0..source.count(col::COUNT, BUCKETS, "buckets of a history")? {
            let k = usize::try_from(source.uint(col::KEY)?).unwrap_or(usize::MAX);
            let n = source.u32(col::B)?;
            // One form only: ascending, nothing that says nothing.
            if k < next || k >= BUCKETS || n == 0 {
                return Err(DecodeError::Canonical);
            }
            history.outages[k] = n;
            next = k + 1;
        }
        if history.seen() > SEEN_MAX * 2 { Err(DecodeError::Limit("outages of a history")) } else { Ok(history) }
    }

    fn halve(&mut self) {
        self.outages.iter_mut().for_each(|n| *n /= 2);
        self.down_ms /= 2;
        self.ups /= 2;
        self.up_ms /= 2;
    }
}

impl Lengths {
    /// Of weights and lengths in milliseconds, in any order. Nothing at all counts as an outage of no length.
    pub fn new(mut points: Vec<(f64, f64)>) -> Self {
        points.iter_mut().for_each(|(weight, ms)| (*weight, *ms) = (sane(*weight), sane(*ms)));
        points.retain(|(weight, _)| *weight > 0.0);
        points.sort_by(|a, b| a.1.total_cmp(&b.1));
        while points.len() > POINTS_MAX {
            merge_lightest(&mut points);
        }
        let sum: f64 = points.iter().map(|(weight, _)| weight).sum();
        points.iter_mut().for_each(|(weight, _)| *weight /= sum);
        if points.is_empty() {
            points.push((1.0, 0.0));
        }
        Self { points }
    }

    /// The mean, milliseconds.
    pub fn mean_ms(&self) -> f64 {
        self.points.iter().map(|(weight, ms)| weight * ms).sum()
    }

    /// `P(length > ms)`.
    pub fn beyond(&self, ms: f64) -> f64 {
        self.points.iter().filter(|(_, length)| *length > ms).map(|(weight, _)| weight).sum::<f64>().min(1.0)
    }

    /// The least length that is not exceeded with probability `share`.
    pub fn quantile_ms(&self, share: f64) -> f64 {
        let mut sum = 0.0;
        let reached = self.points.iter().find(|(weight, _)| {
            sum += weight;
            sum >= share
        });
        reached.or(self.points.last()).map_or(0.0, |(_, ms)| *ms)
    }

    /// `P(at least count are asked for during the outage and `before_ms` ahead of it)` at a rate per millisecond: Poisson, mixed
    /// over the lengths.
    pub fn demand_at_least(&self, rate: f64, before_ms: f64, count: u64) -> f64 {
        let tail = |(weight, ms): &(f64, f64)| weight * at_least(rate * (ms + before_ms), count);
        self.points.iter().map(tail).sum::<f64>().clamp(0.0, 1.0)
    }

    /// `P(the outage is no longer than limit_ms, and at most count are asked for during it and before_ms ahead of it)`.
    pub fn spared(&self, rate: f64, before_ms: f64, limit_ms: f64, count: u64) -> f64 {
        let in_time = self.points.iter().filter(|(_, ms)| *ms <= limit_ms);
        let few =
            |(weight, ms): &(f64, f64)| weight * (1.0 - at_least(rate * (ms + before_ms), count.saturating_add(1)));
        in_time.map(few).sum::<f64>().clamp(0.0, 1.0)
    }

    /// `P(at least 1 is asked for), P(at least 2), ...` during the outage; every `lot`-th of them.
    pub fn demand_tails(&self, rate: f64, lot: u64) -> Tails {
        Tails::new(self.points.iter().map(|(weight, ms)| (*weight, rate * ms)), lot)
    }
}

/// Half octaves from one second: the last holds what lasts half a year and longer.
const BUCKETS: usize = 48;

/// Outages remembered. At more, all are halved, so that half of what is known is never older than so many.
const SEEN_MAX: u32 = 256;

/// Lengths of one distribution. A policy sums over them for every right that it places.
const POINTS_MAX: usize = 16;

/// Before anything was seen a link is thought to fail once a day.
const UP_PRIOR_MS: f64 = 86_400_000.0;

/// The buckets of the guess: 64 seconds to 9 hours.
const GUESS_FROM: usize = 12;
const GUESS_TO: usize = 30;

/// The guess for a bucket: `P(longer)` falls as the square root of the length.
fn guess(k: usize) -> f64 {
    edge_ms(k).powf(-0.5)
}

/// Where bucket `k` begins, milliseconds. The first holds everything shorter as well.
fn edge_ms(k: usize) -> f64 {
    if k == 0 { 0.0 } else { 1_000.0 * 2f64.powf(k as f64 / 2.0) }
}

/// By whole numbers, so that every machine agrees.
fn bucket(ms: u64) -> usize {
    let seconds = (ms / 1_000).max(1);
    let octave = seconds.ilog2();
    let upper = u128::from(seconds) * u128::from(seconds) >= 1u128 << (2 * octave + 1);
    (2 * octave as usize + usize::from(upper)).min(BUCKETS - 1)
}

/// Puts the two neighbours together that weigh least, at their common mean.
fn merge_lightest(points: &mut Vec<(f64, f64)>) {
    let weight = |pair: &[(f64, f64)]| pair[0].0 + pair[1].0;
    let lightest = points.windows(2).enumerate().min_by(|a, b| weight(a.1).total_cmp(&weight(b.1))).map(|(at, _)| at);
    if let Some(at) = lightest {
        let ((first, near), (second, far)) = (points[at], points.remove(at + 1));
        points[at] = (first + second, (first * near + second * far) / (first + second));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stockroom_crdt::codec::{RowReader, Rows};

    const HOUR: u64 = 3_600_000;

    fn seen(lengths: &[(u64, usize)]) -> History {
        let mut history = History::default();
        for &(ms, times) in lengths {
            (0..times).for_each(|_| history.saw_outage(ms));
        }
        history
    }

    #[test]
    fn lengths_fall_into_half_octaves() {
        assert_eq!([0, 999, 1_000, 1_999, 2_000, 2_999, 3_000, 4_000].map(bucket), [0, 0, 0, 0, 2, 2, 3, 4]);
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn the_distribution_is_what_was_seen() {
        let lengths = seen(&[(HOUR, 200)]).lengths();
        assert!((lengths.mean_ms() / HOUR as f64 - 1.0).abs() < 0.25, "{}", lengths.mean_ms());
        assert!(lengths.beyond(2.0 * HOUR as f64) < 0.01);
        let hour = HOUR as f64;
        assert!((0.7 * hour..1.4 * hour).contains(&lengths.quantile_ms(0.5)));
        // Half a unit is expected in an hour.
        let p = lengths.demand_at_least(0.5 / hour, 0.0, 1);
        assert!((p - 0.39).abs() < 0.08, "{p}");
        assert!((lengths.demand_tails(0.5 / hour, 1).next_tail() - p).abs() < 1e-9);
    }

    #[test]
    fn an_outage_that_has_lasted_is_one_of_the_long_ones() {
        let history = seen(&[(10_000, 90), (8 * HOUR, 10)]);
        assert!(history.lengths().mean_ms() < 1.5 * HOUR as f64);
        let late = history.lengths_beyond(HOUR);
        assert!(late.mean_ms() > 6.0 * HOUR as f64, "an exponential would say an hour more, or less");
        assert!(late.beyond(HOUR as f64) > 0.999);
        let beyond_all = history.lengths_beyond(1_000 * HOUR);
        assert_eq!(beyond_all.mean_ms(), 2_000.0 * HOUR as f64);
    }

    #[test]
    fn without_history_there_is_a_guess() {
        let history = History::default();
        let mean = history.lengths().mean_ms();
        assert!((HOUR as f64 / 4.0..3.0 * HOUR as f64).contains(&mean), "{mean}");
        assert_eq!(history.availability(), 1.0);
        assert_eq!(history.up_mean_ms(), UP_PRIOR_MS);
    }

    #[test]
    fn it_forgets_and_stays_bounded() {
        let mut history = seen(&[(HOUR, 10_000)]);
        (0..300).for_each(|_| history.saw_outage(1_000));
        assert!(history.seen() <= SEEN_MAX);
        assert!(history.lengths().mean_ms() < HOUR as f64 / 2.0);
        let mut merged = History::default();
        for _ in 0..1_000 {
            merged.merge(&history);
        }
        assert!(merged.seen() <= SEEN_MAX);
        let bytes = Rows::of(|sink| history.encode(sink));
        assert!(bytes.len() < 32, "{}", bytes.len());
        assert_eq!(History::decode(&mut RowReader::new(&bytes)), Ok(history));
        assert!(History::decode(&mut RowReader::new(&[0, 0, 0, 2, 5, 1, 4, 1])).is_err());
        assert!(History::decode(&mut RowReader::new(&[0, 0, 0, 1, 48, 1])).is_err());
    }

    #[test]
    fn a_distribution_has_few_points_and_keeps_its_mean() {
        let points: Vec<_> = (0..1_000).map(|n| (1.0, f64::from(n))).collect();
        let lengths = Lengths::new(points);
        assert!(lengths.points.len() <= POINTS_MAX);
        assert!((lengths.mean_ms() - 499.5).abs() < 1e-6);
        assert_eq!(Lengths::new(vec![(f64::NAN, f64::NAN)]).mean_ms(), 0.0);
    }

    #[test]
    fn availability_is_a_share_of_time() {
        let mut history = seen(&[(HOUR, 4)]);
        (0..4).for_each(|_| history.saw_up(4 * HOUR));
        assert!((history.availability() - 0.8).abs() < 1e-9);
    }
}
