//! What came of runs: counts of one, and over many the shares with their errors.

/// What came of one run of one strategy, in units of goods unless it says otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Asked for.
    pub asked: u64,
    /// What a clairvoyant keeps.
    pub clairvoyant: u64,
    /// What a clairvoyant keeps that must obey the links.
    pub clairvoyant_link: u64,
    /// Promised on a right.
    pub hard: u64,
    /// Promised without one.
    pub soft: u64,
    /// Of those, confirmed by a right before the horizon.
    pub confirmed: u64,
    /// Kept: a right stood behind the promise, and goods on the shelf.
    pub kept: u64,
    /// Broken because the shelf had fewer than the book.
    pub phantom: u64,
    /// Promised on a right beyond all goods that were ever exposed, or used beyond minted rights. Must be 0.
    pub hard_oversold: u64,
    /// Not promised.
    pub refused: u64,
    /// Not promised while somebody held a free right.
    pub stranded: u64,
    /// Not promised at a node whose link was down.
    pub refused_cut: u64,
    /// Transfers of rights to goods: grants, however many units.
    pub transfers: u64,
    /// Transfers of the overbooking budget.
    pub budget_transfers: u64,
    /// Bytes on all links.
    pub bytes: u64,
}

/// A mean over runs, with the half width of its 95% confidence interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize)]
pub struct Estimate {
    /// The ratio of sums over all runs.
    pub mean: f64,
    /// 1.96 standard errors.
    pub plus_minus: f64,
}

/// A strategy over many runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize)]
pub struct Summary {
    /// Runs.
    pub runs: u64,
    /// Promises granted and kept, of what a clairvoyant keeps.
    pub par: Estimate,
    /// The same, of what a clairvoyant keeps that must obey the links.
    pub par_link: Estimate,
    /// Units promised beyond all goods, in all runs together. Anything but 0 is a fault of the counting.
    pub hard_oversold: u64,
    /// Promises made without a right that found none, of all promises.
    pub soft_broken_share: Estimate,
    /// Promises made without a right, of all promises.
    pub soft_share: Estimate,
    /// Promises broken because the shelf had fewer than the book, of all promises.
    pub phantom_broken_share: Estimate,
    /// Transfers of rights to goods per promise.
    pub transfers_per_promise: Estimate,
    /// Transfers of the overbooking budget per promise.
    pub budget_transfers_per_promise: Estimate,
    /// Refused although somebody held a free right, of all that was asked for.
    pub stranded_share: Estimate,
    /// Refused at a node whose link was down, of all that was asked for.
    pub refused_cut_share: Estimate,
    /// Bytes on all links together per promise.
    pub bytes_per_promise: Estimate,
}

impl Tally {
    /// All promises, hard and soft.
    pub fn promises(&self) -> u64 {
        self.hard + self.soft
    }
}

impl Summary {
    /// Of runs in any number.
    pub fn of(tallies: &[Tally]) -> Self {
        let ratio = |part: fn(&Tally) -> u64, whole: fn(&Tally) -> u64| {
            Estimate::ratio(tallies.iter().map(|tally| (part(tally) as f64, whole(tally) as f64)))
        };
        Self {
            runs: tallies.len() as u64,
            par: ratio(|t| t.kept, |t| t.clairvoyant),
            par_link: ratio(|t| t.kept, |t| t.clairvoyant_link),
            hard_oversold: tallies.iter().map(|tally| tally.hard_oversold).sum(),
            soft_broken_share: ratio(|t| t.soft - t.confirmed, Tally::promises),
            soft_share: ratio(|t| t.soft, Tally::promises),
            phantom_broken_share: ratio(|t| t.phantom, Tally::promises),
            transfers_per_promise: ratio(|t| t.transfers, Tally::promises),
            budget_transfers_per_promise: ratio(|t| t.budget_transfers, Tally::promises),
            stranded_share: ratio(|t| t.stranded, |t| t.asked),
            refused_cut_share: ratio(|t| t.refused_cut, |t| t.asked),
            bytes_per_promise: ratio(|t| t.bytes, Tally::promises),
        }
    }
}

impl Estimate {
    /// Of a ratio of sums: the error is that of the linearised ratio (Cochran, "Sampling Techniques", 3rd ed., section 2.11). Nothing
    /// by nothing is 0, and one run has no error to tell.
    pub fn ratio(pairs: impl Iterator<Item = (f64, f64)> + Clone) -> Self {
        let (count, part, whole) =
            pairs.clone().fold((0.0, 0.0, 0.0), |(n, a, b), (part, whole)| (n + 1.0, a + part, b + whole));
        if whole == 0.0 {
            return Self::default();
        }
        let mean = part / whole;
        let squares: f64 = pairs.map(|(part, whole)| (part - mean * whole).powi(2)).sum();
        let error = if count > 1.0 { (squares * count / (count - 1.0)).sqrt() / whole } else { 0.0 };
        Self { mean, plus_minus: 1.96 * error }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_of_sums_has_the_error_of_its_residuals() {
        let pairs = [(9.0, 10.0), (5.0, 5.0), (8.0, 10.0)];
        let estimate = Estimate::ratio(pairs.into_iter());
        assert!((estimate.mean - 0.88).abs() < 1e-12);
        // Residuals .2, .6, -.8: sqrt(1.04 x 3 / 2) / 25 x 1.96
        assert!((estimate.plus_minus - 1.96 * (1.04f64 * 1.5).sqrt() / 25.0).abs() < 1e-12);
        assert_eq!(Estimate::ratio([(3.0, 4.0)].into_iter()), Estimate { mean: 0.75, plus_minus: 0.0 });
        assert_eq!(Estimate::ratio([(0.0, 0.0)].into_iter()), Estimate::default());
    }
}
