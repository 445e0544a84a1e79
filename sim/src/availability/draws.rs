//! Chance: the distributions that the experiment draws from.

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

/// A generator with its own stream, so that drawing more of one thing does not change another.
pub struct Draws(ChaCha8Rng);

/// What a stream is for.
#[derive(Clone, Copy)]
pub enum Stream {
    /// Customers.
    Demand = 1,
    /// Outages.
    Outages = 2,
    /// Forecasts.
    Forecasts = 3,
    /// What the shelf has other than the book.
    Shelf = 4,
    /// Jitter and losses of messages.
    Wire = 5,
    /// Blackouts.
    Blackouts = 6,
}

impl Draws {
    /// The stream of one run.
    pub fn new(seed: u64, run: u64, stream: Stream) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed ^ (run << 8).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        rng.set_stream(stream as u64);
        Self(rng)
    }

    /// Any number.
    pub fn word(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Above 0 and up to 1.
    pub fn unit(&mut self) -> f64 {
        ((self.word() >> 11) + 1) as f64 / (1u64 << 53) as f64
    }

    /// A whole number below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.word()) * u128::from(bound.max(1))) >> 64) as u64
    }

    /// True with this probability.
    pub fn chance(&mut self, p: f64) -> bool {
        self.unit() <= p
    }

    /// Exponential.
    pub fn exponential(&mut self, mean: f64) -> f64 {
        -self.unit().ln() * mean
    }

    /// Gamma of shape 2 with mean 1.
    pub fn gamma2(&mut self) -> f64 {
        (self.exponential(1.0) + self.exponential(1.0)) / 2.0
    }

    /// Pareto of shape 1.5: a mean, and no variance.
    pub fn pareto(&mut self, mean: f64) -> f64 {
        mean / 3.0 * self.unit().powf(-1.0 / 1.5)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_are_what_they_are_called() {
        let mut draws = Draws::new(1, 1, Stream::Demand);
        let mut mean = |of: fn(&mut Draws) -> f64| (0..200_000).map(|_| of(&mut draws)).sum::<f64>() / 200_000.0;
        assert!((mean(|d| d.exponential(3.0)) - 3.0).abs() < 0.05);
        assert!((mean(Draws::gamma2) - 1.0).abs() < 0.02);
        assert!((mean(|d| d.pareto(3.0).min(1e4)) - 3.0).abs() < 0.15);
        assert!((mean(|d| d.below(10) as f64) - 4.5).abs() < 0.05);
    }

    #[test]
    fn streams_and_runs_differ() {
        let first = |run, stream| Draws::new(7, run, stream).word();
        assert_ne!(first(1, Stream::Demand), first(1, Stream::Outages));
        assert_ne!(first(1, Stream::Demand), first(2, Stream::Demand));
        assert_eq!(first(3, Stream::Wire), first(3, Stream::Wire));
    }
}
