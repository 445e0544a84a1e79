//! How many orders any plan whatsoever could get ready in time: nobody can beat this figure, and perhaps nobody can reach it.
//!
//! The plan that it bounds knows every order beforehand and needs no hub: people may begin the moment the customer first asks. Goods are
//! always there, and where a customer lets an order go to several stores, or it is brought, all pickers of all stores are one crew. Of
//! what is left, only this is used: what begins and is due within an interval must be done in it, and pickers can do no more
//! there than their number times its length. How many of the smallest fit is easily said; the others are late, whoever plans. Intervals that do
//! not overlap are about different orders, so what they are late adds up, and the best choice of such intervals gives the bound.

use std::collections::BTreeMap;

use super::figures::Work;

/// The most of these works that so many pickers can do in time.
pub fn most(works: &[Work], pickers: u64) -> u64 {
    let mut works: Vec<Work> = works.iter().copied().filter(|w| w.from_ms + w.takes_ms <= w.due_ms).collect();
    works.sort_by_key(|work| std::cmp::Reverse(work.from_ms));
    let mut ends: Vec<u64> = works.iter().map(|work| work.due_ms).collect();
    ends.sort_unstable();
    ends.dedup();
    // For each end: how many works, in intervals that end there or earlier, must be late.
    let mut late: Vec<u64> = Vec::with_capacity(ends.len());
    for &end_ms in &ends {
        let mut worst = late.last().copied().unwrap_or(0);
        let (mut sizes, mut sum_ms): (BTreeMap<u64, u64>, u64) = (BTreeMap::new(), 0);
        for work in works.iter().filter(|work| work.due_ms <= end_ms) {
            *sizes.entry(work.takes_ms).or_default() += 1;
            sum_ms += work.takes_ms;
            let room_ms = pickers * (end_ms - work.from_ms);
            if sum_ms <= room_ms {
                continue;
            }
            let before = ends.partition_point(|end| *end <= work.from_ms).checked_sub(1).map_or(0, |at| late[at]);
            worst = worst.max(before + surplus(&sizes, room_ms));
        }
        late.push(worst);
    }
    works.len() as u64 - late.last().copied().unwrap_or(0)
}

/// How many works are left over when the smallest are done first; works by size.
fn surplus(sizes: &BTreeMap<u64, u64>, mut room_ms: u64) -> u64 {
    let mut left = 0;
    for (size_ms, count) in sizes {
        let fit = room_ms.checked_div(*size_ms).unwrap_or(*count).min(*count);
        room_ms -= fit * size_ms;
        left += count - fit;
    }
    left
}

#[cfg(test)]
mod tests {
    use super::most;
    use crate::plan::orders::Shopfloor;
    use crate::run::fulfil::figures::{Work, best};

    #[test]
    fn what_does_not_fit_between_its_beginning_and_its_end_is_late() {
        let work = |from_ms, takes_ms, due_ms| Work { from_ms, due_ms, takes_ms };
        assert_eq!(most(&[work(0, 4, 5), work(0, 2, 6), work(0, 3, 7)], 1), 2);
        assert_eq!(most(&[work(0, 4, 5), work(0, 2, 6), work(0, 3, 7)], 2), 3);
        assert_eq!(most(&[work(0, 9, 5)], 4), 0, "nobody is that fast");
        assert_eq!(most(&[], 1), 0);
    }

    #[test]
    fn two_rushes_apart_are_both_too_much() {
        let rush = |from_ms| (0..10).map(move |_| Work { from_ms, due_ms: from_ms + 55, takes_ms: 10 });
        let works: Vec<_> = rush(0).chain(rush(1_000)).collect();
        assert_eq!(most(&works, 1), 10);
        assert_eq!(most(&works, 2), 20);
    }

    #[test]
    fn no_plan_is_above_the_bound() {
        let floor = Shopfloor::default();
        for seed in 0..200_u64 {
            let floor = Shopfloor { seed, pickers: 1 + (seed % 3) as u32, ..floor.clone() };
            let work = |n: u64| {
                let (from_ms, takes_ms) = (floor.roll(&[n, 1]) * 3, 1 + floor.roll(&[n, 2]) / 4);
                Work { from_ms, takes_ms, due_ms: from_ms + floor.roll(&[n, 3]) }
            };
            let works: Vec<Work> = (0..40).map(work).collect();
            let (kept, bound) = (best(&works, &floor).len() as u64, most(&works, floor.pickers.into()));
            assert!(kept <= bound && bound <= 40, "seed {seed}: {kept} kept, at most {bound}");
        }
    }
}
