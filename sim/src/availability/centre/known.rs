//! A node as the centre knows it: what its rows say, how its link has failed, and what it has not been told.

use stockroom_core::policy::demand::Demand;
use stockroom_core::policy::outage::{History, Lengths};
use stockroom_crdt::ids::Actor;

use super::super::wire::{Others, Word};

/// A node as the centre knows it.
#[derive(Clone, Debug)]
pub struct Known {
    pub(super) actor: Actor,
    pub(super) demand: Demand,
    pub(super) history: History,
    pub(super) lengths: Lengths,
    pub(super) up_mean_ms: f64,
    /// Its link is down since then.
    pub(super) cut_ms: Option<u64>,
    pub(super) up_ms: u64,
    pub(super) held: u64,
    pub(super) granted: u64,
    /// Its soft promises that wait for a right.
    pub(super) waiting: u64,
    pub(super) risk_ppm: u64,
    pub(super) share: u64,
    pub(super) budget: u64,
    pub(super) answered: u32,
    pub(super) fresh: bool,
    pub(super) reclaim: u32,
    pub(super) reclaiming: bool,
    pub(super) told: Option<Others>,
    pub(super) word: Word,
    pub(super) say: Say,
}

/// What a node has not been told.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Say {
    pub(super) goods: bool,
    pub(super) budget: bool,
    pub(super) more: bool,
}

impl Known {
    /// A node whose link has this past.
    pub fn new(actor: Actor, demand: Demand, (history, cut_ms, since_ms): (History, Option<u64>, u64)) -> Self {
        let (lengths, up_mean_ms) = (history.lengths(), history.up_mean_ms());
        Self {
            actor,
            demand,
            history,
            lengths,
            up_mean_ms,
            cut_ms,
            up_ms: since_ms,
            held: 0,
            granted: 0,
            waiting: 0,
            risk_ppm: 0,
            share: 0,
            budget: 0,
            answered: 0,
            fresh: false,
            reclaim: 0,
            reclaiming: false,
            told: None,
            word: Word::default(),
            say: Say::default(),
        }
    }

    /// What it asks for, per millisecond: nothing is known from beyond a link that is down.
    pub(super) fn rate(&self, now_ms: u64) -> f64 {
        self.demand.rate(self.cut_ms.unwrap_or(now_ms))
    }
}
