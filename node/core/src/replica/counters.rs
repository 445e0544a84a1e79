//! What happened since the start: figures for status and metrics, and marks of rare paths.

use std::collections::BTreeMap;

use stockroom_crdt::control::EpochReason;

use super::Replica;

/// What happened since the start, for status and metrics.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Commits made durable.
    pub commits: u64,
    /// Entries of our own.
    pub entries_written: u64,
    /// Entries taken in from others.
    pub entries_ingested: u64,
    /// Entries that their author was not entitled to write: kept, without effect.
    pub entries_denied: u64,
    /// Entries of a kind that this version does not know.
    pub entries_unknown: u64,
    /// Entries whose time lies too far ahead.
    pub times_suspect: u64,
    /// Forks seen.
    pub forks: u64,
    /// Peers whose link was closed for a fault of theirs.
    pub peer_faults: u64,
    /// Promises of this node that the home of the goods declared broken.
    pub shorted: u64,
    /// Promises of this node for which something was given instead.
    pub compensated: u64,
    /// Rare paths that were reached, and how often, so that a simulator can tell what it has tried.
    pub reached: BTreeMap<&'static str, u64>,
}

impl Replica {
    /// Marks a rare path.
    pub fn reached(&mut self, name: &'static str) {
        *self.counters.reached.entry(name).or_default() += 1;
    }
}

/// The mark of a new epoch, by its reason.
pub(super) fn epoch_mark(reason: EpochReason) -> &'static str {
    match reason {
        EpochReason::First => "an epoch was opened: the first",
        EpochReason::Restored => "an epoch was opened: restored",
        EpochReason::TokenMissing => "an epoch was opened: token missing",
        EpochReason::TokenAhead => "an epoch was opened: token ahead",
        EpochReason::VolumeChanged => "an epoch was opened: volume changed",
        EpochReason::HubAhead => "an epoch was opened: the hub has seen more",
        EpochReason::Forked => "an epoch was opened: the hub holds another history",
        EpochReason::Manual => "an epoch was opened: by hand",
    }
}
