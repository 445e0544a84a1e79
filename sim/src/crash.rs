//! The crash-image machine: a store works on the real database, the power goes at every step, and each of the images opens again.
//!
//! A workload is played once on a recording disk. Wherever the power could go (after each write, sync and change of length, after
//! each command, each commit and each output) the disk is kept with what the world outside knew then: the answers that had
//! left, and the continuity token. An image is such a moment with a torn disk. It must open, hold every acknowledged sale
//! exactly once, number receipts without a gap, and open no epoch; also when the power goes again while it opens.
//!
//! | module | what it knows |
//! |---|---|
//! | `play` | the workload, and its moments |
//! | `check` | what must be true of an image |

mod check;
mod play;

use std::collections::BTreeMap;

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

use crate::disk::platter::Kept;
use check::{Image, Samples};
use play::Play;

/// What the images of one seed showed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CrashReport {
    /// Moments at which the power could go.
    pub moments: u64,
    /// Images made.
    pub images: u64,
    /// Images in which the power went again while the node started.
    pub double: u64,
    /// Images in which it went twice more or oftener.
    pub triple: u64,
    /// Images that opened in the end.
    pub opened: u64,
    /// Acknowledged sales looked for, over all images.
    pub acked: u64,
    /// Acknowledged sales that were not there, or not as they were answered.
    pub lost_acked: u64,
    /// Sales that were there more than once.
    pub doubled: u64,
    /// Commands without an answer whose effect was durable all the same, and those whose effect was not.
    pub unanswered: (u64, u64),
    /// Epochs that a start opened: none may.
    pub epochs_opened: u64,
    /// Images whose books were thrown away and made again.
    pub rebuilt: u64,
    /// Sales that were sent again.
    pub retried: u64,
    /// What the disks did, by name.
    pub faults: BTreeMap<&'static str, u64>,
    /// What was not as it must be; each names the image to play again.
    pub violations: Vec<String>,
}

/// Makes `count` random images: a fresh workload for every few hundred of them, all from `seed`.
pub fn images(seed: u64, count: u64) -> CrashReport {
    let mut report = CrashReport::default();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    while report.images < count {
        let play_seed = rng.next_u64();
        let play = Play::new(play_seed, BATCHES);
        report.moments += play.moments.len() as u64;
        for _ in 0..IMAGES_PER_PLAY.min(count - report.images) {
            let moment = rng.next_u32() as usize % play.moments.len();
            let image = Image { moment, seed: rng.next_u64(), kept: Kept::Chance, again: again(&mut rng) };
            let samples = Samples { rebuild: report.images % 8 == 0, retry: report.images % 4 == 0 };
            check::check(&play, &image, samples, &mut report);
        }
    }
    report
}

/// Every step of a small workload, each as nothing, everything and something of what was on its way; and for each of the last
/// kind, every step of the start that follows.
pub fn exhaustive(seed: u64) -> CrashReport {
    let mut report = CrashReport::default();
    let play = Play::new(seed, BATCHES_FEW);
    report.moments = play.moments.len() as u64;
    let samples = Samples { rebuild: false, retry: true };
    for moment in 0..play.moments.len() {
        let image = |kept, again| Image { moment, seed: seed ^ moment as u64, kept, again };
        for kept in [Kept::Nothing, Kept::Everything] {
            check::check(&play, &image(kept, Vec::new()), samples, &mut report);
        }
        let steps = check::check(&play, &image(Kept::Chance, Vec::new()), samples, &mut report);
        for step in 1..=steps {
            check::check(&play, &image(Kept::Chance, vec![step]), samples, &mut report);
        }
    }
    report
}

/// After how many steps of each start the power goes again.
fn again(rng: &mut ChaCha8Rng) -> Vec<u64> {
    let times = [0, 0, 1, 2][rng.next_u32() as usize % 4];
    (0..times).map(|_| 1 + u64::from(rng.next_u32() % START_STEPS)).collect()
}

/// Batches of commands of one workload.
const BATCHES: u32 = 40;

/// Batches of a workload of which every step is tried.
const BATCHES_FEW: u32 = 5;

/// Images from one workload: few enough that many workloads are seen, enough that they are not what the time goes into.
const IMAGES_PER_PLAY: u64 = 250;

/// A little more than the steps that a start takes, so that the power sometimes goes just after it.
const START_STEPS: u32 = 24;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_that_left_before_they_were_durable_are_found_out() {
        // Planted: the world outside knows what it knew, and the disk is as it was some steps before.
        let mut report = CrashReport::default();
        let mut play = Play::new(5, BATCHES);
        let earlier: Vec<_> = play.moments.iter().map(|moment| moment.still.clone()).collect();
        for (moment, still) in play.moments.iter_mut().skip(60).zip(earlier) {
            moment.still = still;
        }
        let samples = Samples { rebuild: false, retry: false };
        for moment in (60..play.moments.len()).step_by(7) {
            let image = Image { moment, seed: 1, kept: Kept::Everything, again: Vec::new() };
            check::check(&play, &image, samples, &mut report);
        }
        assert_eq!(report.opened, report.images, "{report:?}");
        assert!(report.lost_acked > report.images / 2, "{report:?}");
        assert!(report.epochs_opened > report.images / 4, "{report:?}");
    }
}
