//! How often something is asked for: a forecast, corrected by what was seen.

use stockroom_crdt::codec::{DecodeError, Sink, Source, col};

use super::DAY_MS;
use super::chance::sane;

/// A rate of demand with a Gamma distribution around a forecast, updated by counting (the conjugate prior of a Poisson rate).
///
/// Its state is three whole numbers, whatever was seen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Demand {
    /// Forecast, millionths of a unit per day.
    forecast_micro_day: u64,
    /// Since when it is counted, milliseconds.
    since_ms: u64,
    /// Units asked for since then.
    seen: u64,
}

impl Demand {
    /// Nothing seen yet at `now_ms`; a forecast of so many units per day. Without one, a unit in a hundred days is assumed.
    pub fn new(forecast_day: f64, now_ms: u64) -> Self {
        let micro = if forecast_day.is_finite() { (forecast_day * 1e6).clamp(FORECAST_MICRO_MIN, 1e15) } else { 1e4 };
        Self { forecast_micro_day: micro as u64, since_ms: now_ms, seen: 0 }
    }

    /// So many units were asked for, whether or not they could be promised.
    pub fn saw(&mut self, units: u64) {
        self.seen = self.seen.saturating_add(units);
    }

    /// Units seen.
    pub fn seen(&self) -> u64 {
        self.seen
    }

    /// The expected rate, units per millisecond: `(2 + n) / (2 / forecast + t)`. The shape 2 says that a forecast is as good as two
    /// units seen.
    pub fn rate(&self, now_ms: u64) -> f64 {
        let forecast = self.forecast_micro_day as f64 / 1e6 / DAY_MS;
        let seen_for = now_ms.saturating_sub(self.since_ms) as f64;
        (SHAPE + self.seen as f64) / (SHAPE / forecast + seen_for)
    }

    /// Forgets half of what was seen, so that demand may change.
    pub fn halve(&mut self, now_ms: u64) {
        self.since_ms += now_ms.saturating_sub(self.since_ms) / 2;
        self.seen /= 2;
    }

    /// Writes the state.
    pub fn encode(&self, sink: &mut impl Sink) {
        sink.uint(col::A, self.forecast_micro_day);
        sink.uint(col::TIME, self.since_ms);
        sink.uint(col::COUNT, self.seen);
    }

    /// Reads what [`Demand::encode`] wrote.
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        let forecast_micro_day = source.uint(col::A)?;
        if forecast_micro_day == 0 {
            return Err(DecodeError::Value("forecast"));
        }
        Ok(Self { forecast_micro_day, since_ms: source.uint(col::TIME)?, seen: source.uint(col::COUNT)? })
    }
}

/// Forecasts of one product for many places, each pulled towards their mean: `f^(1-pull) mean^pull`, and all together as much as before.
///
/// A forecast for one shop rests on few sales and is off by a large factor either way; how much is sold in all shops is known better
/// (shrinkage, James and Stein, 1961, of logarithms). `pull` is the share of the spread between forecasts that is error: 0 for
/// forecasts that are right, 1 if they say nothing. A forecast of nothing is pulled up as well.
pub fn pooled(forecasts: &[f64], pull: f64) -> Vec<f64> {
    let sum: f64 = forecasts.iter().map(|forecast| sane(*forecast)).sum();
    let mean = sum / forecasts.len().max(1) as f64;
    let pull = sane(pull).min(1.0);
    if mean <= 0.0 || pull == 0.0 {
        return forecasts.to_vec();
    }
    let least = mean / 1e3;
    let pulled: Vec<f64> =
        forecasts.iter().map(|forecast| sane(*forecast).max(least).powf(1.0 - pull) * mean.powf(pull)).collect();
    let scale = sum / pulled.iter().sum::<f64>();
    pulled.into_iter().map(|forecast| forecast * scale).collect()
}

/// How far forecasts of single shops are pulled together: measured, with demand by Zipf's law and forecasts that are off by a
/// Gamma-distributed factor of shape 2 (`sim/AVAILABILITY.md`).
pub const PULL: f64 = 0.3;

/// How many units seen a forecast is worth.
const SHAPE: f64 = 2.0;

/// A unit in a thousand days: a forecast of nothing must not make the rate nothing for ever.
const FORECAST_MICRO_MIN: f64 = 1_000.0;

#[cfg(test)]
mod tests {
    use super::*;
    use stockroom_crdt::codec::{RowReader, Rows};

    const DAY: u64 = 86_400_000;

    #[test]
    fn the_rate_goes_from_the_forecast_to_what_is_seen() {
        let mut demand = Demand::new(2.0, 0);
        assert!((demand.rate(0) * DAY_MS - 2.0).abs() < 1e-9);
        demand.saw(6);
        // (2 + 6) / (1 + 1) days
        assert!((demand.rate(DAY) * DAY_MS - 4.0).abs() < 1e-9);
        demand.saw(594);
        assert!((demand.rate(100 * DAY) * DAY_MS - 6.0).abs() < 0.05);
    }

    #[test]
    fn pooled_forecasts_are_nearer_and_sum_to_the_same() {
        let pooled_half = pooled(&[1.0, 4.0, 0.0, 16.0], 0.5);
        assert!((pooled_half.iter().sum::<f64>() - 21.0).abs() < 1e-9);
        assert!((pooled_half[1] / pooled_half[0] - 2.0).abs() < 1e-9, "a fourfold difference is twofold");
        assert!(pooled_half[2] > 0.0 && pooled_half[2] < pooled_half[0]);
        assert_eq!(pooled(&[1.0, 4.0], 0.0), [1.0, 4.0]);
        assert_eq!(pooled(&[0.0, f64::NAN], 1.0).len(), 2);
        assert_eq!(pooled(&[3.0, 9.0], 1.0), [6.0, 6.0]);
    }

    #[test]
    fn no_forecast_is_too_odd_for_a_rate() {
        for forecast in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e300] {
            for now in [0, DAY, u64::MAX] {
                let rate = Demand::new(forecast, 5).rate(now);
                assert!(rate.is_finite() && rate > 0.0, "{forecast} {now}");
            }
        }
    }

    #[test]
    fn it_is_stored_in_a_few_bytes() {
        let mut demand = Demand::new(1.5, DAY);
        demand.saw(17);
        let bytes = Rows::of(|sink| demand.encode(sink));
        assert!(bytes.len() < 16);
        assert_eq!(Demand::decode(&mut RowReader::new(&bytes)), Ok(demand));
        assert!(Demand::decode(&mut RowReader::new(&[0, 0, 0])).is_err());
    }

    #[test]
    fn halving_keeps_the_rate_and_makes_it_easier_to_change() {
        let mut demand = Demand::new(1.0, 0);
        demand.saw(100);
        let before = demand.rate(100 * DAY);
        demand.halve(100 * DAY);
        assert!((demand.rate(100 * DAY) / before - 1.0).abs() < 0.05);
        assert_eq!(demand.seen(), 50);
    }
}
