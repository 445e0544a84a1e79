//! What is on the disk, what is on its way there, and what a power cut makes of it.
//!
//! What was written since the last sync is remembered as steps in their order. A cut keeps any subset of their 512-byte sectors
//! in any order, and any length that the file had meanwhile: length and content reach the platter independently.

use std::sync::Arc;

use rand_chacha::ChaCha8Rng;
use rand_core::Rng;

use super::fault::{Fault, Plan};
use super::pages::Pages;

/// What a power cut keeps of what was not synced.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kept {
    /// Nothing.
    Nothing,
    /// All of it, as it was written.
    Everything,
    /// Whatever chance keeps: a subset of the sectors, in an order of its own.
    Chance,
}

/// The content of a disk at one moment, with what was on its way. Cheap to clone.
#[derive(Clone, Default)]
pub struct Still {
    /// What a power cut cannot take away.
    pub(super) durable: Pages,
    /// What happened since the last sync.
    pub(super) steps: Vec<Step>,
}

#[derive(Clone)]
pub(super) enum Step {
    Write { offset: usize, bytes: Arc<[u8]> },
    Length(usize),
}

/// A sector on its way.
struct Sector {
    at: usize,
    bytes: Arc<[u8]>,
    from: usize,
    to: usize,
}

impl Still {
    /// Writes and changes of length that a power cut may take away.
    pub fn pending(&self) -> usize {
        self.steps.len()
    }

    /// Everything that was on its way arrives.
    pub(super) fn settle(&mut self) {
        for step in std::mem::take(&mut self.steps) {
            match step {
                Step::Length(len) => self.durable.resize(len),
                // A write that a fault sent beyond the end of the file, or that was cut off since, hits nothing.
                Step::Write { offset, bytes } => drop(self.durable.write(offset, &bytes)),
            }
        }
    }

    /// The power goes.
    pub(super) fn cut(&mut self, kept: Kept, rng: &mut ChaCha8Rng, plan: &mut Plan) {
        match kept {
            Kept::Nothing => self.steps.clear(),
            Kept::Everything => self.settle(),
            Kept::Chance => self.tear(rng, plan),
        }
    }

    fn tear(&mut self, rng: &mut ChaCha8Rng, plan: &mut Plan) {
        let steps = std::mem::take(&mut self.steps);
        let lengths = steps.iter().filter(|step| matches!(step, Step::Length(_))).count();
        let mut lengths_left = rng.next_u32() as usize % (lengths + 1);
        if lengths_left < lengths {
            plan.note(Fault::Shortened);
        }
        // Sometimes everything that was on its way arrives, sometimes nothing, mostly half.
        let odds = [0, 16, 32, 48, 64][rng.next_u32() as usize % 5];
        let mut landing = Vec::new();
        let (mut any_lost, mut out_of_order) = (false, false);
        for step in steps {
            match step {
                Step::Length(len) if lengths_left > 0 => {
                    lengths_left -= 1;
                    self.durable.resize(len);
                    landing.retain(|sector: &Sector| sector.at + sector.to - sector.from <= len);
                }
                Step::Length(_) => {}
                Step::Write { offset, bytes } => {
                    let all = sectors(offset, &bytes);
                    let count = all.len();
                    let arrived: Vec<_> = all.into_iter().filter(|_| rng.next_u32() % 64 < odds).collect();
                    match arrived.len() {
                        0 => plan.note(Fault::Lost),
                        n if n < count => plan.note(Fault::Torn),
                        _ => {}
                    }
                    out_of_order |= any_lost && !arrived.is_empty();
                    any_lost |= arrived.len() < count;
                    landing.extend(arrived);
                }
            }
        }
        if rng.next_u32() & 1 == 1 {
            out_of_order |= shuffle(&mut landing, rng);
        }
        if out_of_order {
            plan.note(Fault::Reordered);
        }
        for sector in landing {
            // Beyond the length that was kept there is nothing to land on.
            let _ = self.durable.write(sector.at, &sector.bytes[sector.from..sector.to]);
        }
    }
}

/// Puts sectors into any order. True if two of the same place changed theirs.
fn shuffle(landing: &mut [Sector], rng: &mut ChaCha8Rng) -> bool {
    let before: Vec<_> = landing.iter().map(|sector| sector.at).collect();
    for last in (1..landing.len()).rev() {
        landing.swap(last, rng.next_u32() as usize % (last + 1));
    }
    let twice = |at: &usize| before.iter().filter(|other| *other == at).count() > 1;
    before.iter().any(twice)
}

/// A write cut at the disk's sectors: each of them reaches the platter whole or not at all.
fn sectors(offset: usize, bytes: &Arc<[u8]>) -> Vec<Sector> {
    let mut out = Vec::new();
    let mut from = 0;
    while from < bytes.len() {
        let at = offset + from;
        let to = bytes.len().min(from + SECTOR_BYTES - at % SECTOR_BYTES);
        out.push(Sector { at, bytes: bytes.clone(), from, to });
        from = to;
    }
    out
}

/// What a disk writes whole or not at all.
pub const SECTOR_BYTES: usize = 512;
