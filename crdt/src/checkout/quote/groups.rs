//! Pieces that are cheaper together: groups of one size, each filled with the dearest pieces that are left.

use super::goods::Cut;
use super::promotions::{Pieces, cost, spread};

/// What is taken off groups of `size` pieces, at most `times` of them. `off` says it for one group, whose pieces it gets the dearest first.
/// Pieces are the dearest first, so after a group that nothing is taken off there is none that something is taken off.
pub(super) fn cuts(pieces: &[Pieces], (size, times): (i64, i64), off: impl Fn(&[Pieces]) -> i64) -> Vec<Cut> {
    let (mut cuts, mut times) = (Vec::new(), times);
    let (mut group, mut filled) = (Vec::new(), 0);
    for run in pieces {
        let mut left = run.units;
        while left > 0 && times > 0 {
            // Of a long run, all groups that lie within it are alike: a pallet takes no longer than a box.
            let (taken, groups) = if filled == 0 && left >= size {
                let groups = (left / size).min(times);
                (groups * size, groups)
            } else {
                (left.min(size - filled), 1)
            };
            let one = Pieces { units: taken / groups, ..*run };
            group.push(one);
            (filled, left) = (filled + one.units, left - taken);
            if filled == size {
                let off = off(&group);
                group.iter_mut().for_each(|pieces| pieces.units *= groups);
                times -= groups;
                cuts.extend(spread(off.saturating_mul(groups), &group));
                group.clear();
                filled = 0;
            }
        }
    }
    cuts
}

/// What the cheapest of a group's pieces cost, so many of them.
pub(super) fn cheapest(group: &[Pieces], units: i64) -> i64 {
    let mut left = units;
    let mut taken = |pieces: &Pieces| {
        let units = pieces.units.min(left);
        left -= units;
        Pieces { units, ..*pieces }
    };
    cost(&group.iter().rev().map(&mut taken).collect::<Vec<_>>())
}
