//! Cents that cannot be divided evenly. Everybody gets the whole cents of her share; those that are left go to the largest remainders, the
//! first of equals before the others.

use std::cmp::Reverse;

/// `numerators / denominator`, each rounded up or down so that together they come to `total`, which is their sum rounded in some way.
/// The denominator is above 0.
pub(super) fn rounded(numerators: &[i128], denominator: i128, total: i64) -> Vec<i64> {
    let mut shares: Vec<i64> = numerators.iter().map(|it| whole(it.div_euclid(denominator))).collect();
    let given: i64 = shares.iter().sum();
    let left = usize::try_from(total - given).unwrap_or(0);
    let mut order: Vec<usize> = (0..shares.len()).collect();
    order.sort_by_key(|at| Reverse(numerators[*at].rem_euclid(denominator)));
    for at in order.into_iter().take(left) {
        shares[at] += 1;
    }
    shares
}

/// `total` divided in proportion to weights, none below 0. No share is larger than its weight, unless `total` is larger than all of them.
pub(super) fn proportional(total: i64, weights: &[i64]) -> Vec<i64> {
    let all: i128 = weights.iter().map(|weight| i128::from(*weight)).sum();
    let numerators: Vec<i128> = weights.iter().map(|weight| i128::from(total) * i128::from(*weight)).collect();
    if all == 0 { vec![0; weights.len()] } else { rounded(&numerators, all, total) }
}

fn whole(share: i128) -> i64 {
    i64::try_from(share).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cents_that_are_left_go_to_the_largest_remainders() {
        assert_eq!(proportional(10, &[1, 1, 1]), [4, 3, 3]);
        assert_eq!(proportional(100, &[199, 500, 301]), [20, 50, 30]);
        assert_eq!(proportional(5, &[2, 0, 3]), [2, 0, 3]);
        assert_eq!(proportional(5, &[0, 0]), [0, 0]);
        assert_eq!(rounded(&[-15, 25], 10, 1), [-1, 2]);
    }
}
