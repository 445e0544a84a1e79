//! Poisson tails and quantiles: exact sums where they are short, and an approximation with a known error where they are not.

/// `P(X >= count)` for X Poisson with this mean. A mean below zero or not a number counts as zero.
///
/// Up to [`EXACT_MEAN_MAX`] a sum of terms; above it the transformation of Wilson and Hilferty ("The distribution of
/// chi-square", PNAS 17, 1931) of the equal Gamma probability, whose error is below 1e-4 there.
pub fn at_least(mean: f64, count: u64) -> f64 {
    if count == 0 {
        return 1.0;
    }
    let mean = sane(mean);
    if mean == 0.0 {
        return 0.0;
    }
    if mean > EXACT_MEAN_MAX {
        return far(mean, count);
    }
    let spread = 12.0 * mean.sqrt() + 40.0;
    let wanted = count as f64;
    if wanted > mean + spread {
        return 0.0;
    }
    let mut term = (-mean).exp();
    let mut below = term;
    for k in 1..count {
        term *= mean / k as f64;
        below += term;
    }
    (1.0 - below).clamp(0.0, 1.0)
}

/// The least `k` with `P(X <= k) >= share` for X Poisson with this mean: so many are enough with that probability.
///
/// Shares of 1 and more are taken as one in a million millions less than certain.
pub fn quantile(mean: f64, share: f64) -> u64 {
    let mean = sane(mean);
    let share = if share.is_nan() { 0.0 } else { share.clamp(0.0, 1.0 - 1e-12) };
    // Halving between none and what is never exceeded.
    let (mut low, mut high) = (0u64, (mean + 12.0 * mean.sqrt() + 40.0) as u64);
    while low < high {
        let middle = low + (high - low) / 2;
        if 1.0 - at_least(mean, middle.saturating_add(1)) >= share {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    low
}

/// Tails `P(X >= 1), P(X >= 2), ...` of a mixture of Poisson distributions, one after the other at the cost of one step each.
#[derive(Clone, Debug)]
pub struct Tails {
    parts: Vec<Part>,
    count: u64,
    lot: u64,
}

#[derive(Clone, Copy, Debug)]
struct Part {
    weight: f64,
    mean: f64,
    term: f64,
    below: f64,
}

impl Tails {
    /// Of a mixture given by weights, which sum to 1, and means. With a `lot` above 1 only every lot-th tail is given: `P(X >= lot)`,
    /// `P(X >= 2 lot)` and so on.
    pub fn new(mixture: impl Iterator<Item = (f64, f64)>, lot: u64) -> Self {
        let part = |(weight, mean): (f64, f64)| {
            let mean = sane(mean);
            let term = (-mean).exp();
            Part { weight: sane(weight), mean, term, below: term }
        };
        Self { parts: mixture.map(part).collect(), count: 0, lot: lot.max(1) }
    }

    /// The next tail, between 0 and 1; never larger than the one before.
    pub fn next_tail(&mut self) -> f64 {
        self.count = self.count.saturating_add(self.lot);
        let (count, lot) = (self.count, self.lot);
        let mut tail = 0.0;
        for part in &mut self.parts {
            if lot > 1 || part.mean > EXACT_MEAN_MAX {
                tail += part.weight * at_least(part.mean, count);
                continue;
            }
            if count > 1 {
                part.term *= part.mean / (count - 1) as f64;
                part.below += part.term;
            }
            tail += part.weight * (1.0 - part.below).max(0.0);
        }
        tail.clamp(0.0, 1.0)
    }
}

/// Means up to here are summed; `exp(-500)` is far from the smallest number.
pub const EXACT_MEAN_MAX: f64 = 500.0;

/// `P(X >= count) = P(Gamma(count) <= mean)`, by the cube root that is nearly normal.
fn far(mean: f64, count: u64) -> f64 {
    let count = count as f64;
    let z = 3.0 * count.sqrt() * ((mean / count).cbrt() - 1.0 + 1.0 / (9.0 * count));
    normal(z)
}

/// The normal distribution function: Abramowitz and Stegun, 26.2.17, error below 1e-7.
fn normal(z: f64) -> f64 {
    if z < 0.0 {
        return 1.0 - normal(-z);
    }
    if z > 40.0 {
        return 1.0;
    }
    let t = 1.0 / (1.0 + 0.231_641_9 * z);
    let sum = [0.319_381_530, -0.356_563_782, 1.781_477_937, -1.821_255_978, 1.330_274_429]
        .into_iter()
        .rev()
        .fold(0.0, |sum, factor| (sum + factor) * t);
    let density = (-z * z / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
    (1.0 - density * sum).clamp(0.0, 1.0)
}

/// Not below zero, not infinite, a number.
pub(super) fn sane(value: f64) -> f64 {
    if value.is_nan() || value <= 0.0 { 0.0 } else { value.min(1e15) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tails_are_what_a_hand_computes() {
        assert_eq!(at_least(3.0, 0), 1.0);
        assert!((at_least(1.0, 1) - (1.0 - (-1.0f64).exp())).abs() < 1e-12);
        // 1 - e^-2 (1 + 2 + 2)
        assert!((at_least(2.0, 3) - (1.0 - 5.0 * (-2.0f64).exp())).abs() < 1e-12);
        assert_eq!(at_least(0.0, 1), 0.0);
        assert_eq!(at_least(f64::NAN, 1), 0.0);
        assert_eq!(at_least(f64::INFINITY, u64::MAX), 0.0);
        assert!(at_least(1e12, 1_000_000) > 0.999_999);
    }

    #[test]
    fn the_approximation_joins_the_sum() {
        for (mean, count) in [(499.9, 480), (499.9, 500), (499.9, 530)] {
            assert!((at_least(mean, count) - far(mean, count)).abs() < 1e-4, "{mean} {count}");
        }
    }

    #[test]
    fn the_example_of_goods_held_back() {
        // Of 1.6 expected losses at most 5 happen with 99%, at most 4 with 95%.
        assert_eq!(quantile(1.6, 0.99), 5);
        assert_eq!(quantile(1.6, 0.95), 4);
        assert_eq!(quantile(0.0, 0.99), 0);
        assert!((1_000_000..1_010_000).contains(&quantile(1e6, 0.99)));
        assert!(quantile(10.0, 1.0) < 100);
    }

    #[test]
    fn a_mixture_gives_the_mean_of_its_tails_and_they_fall() {
        let mixture = [(0.25, 0.5), (0.75, 4.0)];
        let mut tails = Tails::new(mixture.into_iter(), 1);
        let mut last = 1.0;
        for count in 1..40 {
            let tail = tails.next_tail();
            let expected = 0.25 * at_least(0.5, count) + 0.75 * at_least(4.0, count);
            assert!((tail - expected).abs() < 1e-9 && tail <= last, "{count}");
            last = tail;
        }
        let mut lots = Tails::new(mixture.into_iter(), 3);
        assert!((lots.next_tail() - 0.25 * at_least(0.5, 3) - 0.75 * at_least(4.0, 3)).abs() < 1e-9);
        assert!(Tails::new([(1.0, 1e9)].into_iter(), 1).next_tail() > 0.999);
    }

    #[test]
    fn nothing_is_ever_out_of_bounds() {
        for mean in [0.0, 1e-9, 0.3, 7.0, 499.0, 501.0, 1e5, 1e14, f64::INFINITY, f64::NAN, -3.0] {
            let mut last = 1.0;
            for power in 0..64 {
                let tail = at_least(mean, 1 << power);
                assert!((0.0..=1.0).contains(&tail) && tail <= last + 1e-9, "{mean} {power}: {tail}");
                last = tail;
            }
            let few = quantile(mean, 0.5);
            assert!(few <= quantile(mean, 0.99));
        }
    }
}
