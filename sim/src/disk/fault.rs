//! What can go wrong with a disk, under names, and when it is to happen.

use std::collections::BTreeMap;

/// What a disk does to those who trust it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Fault {
    /// A power cut: nothing of a write that was not synced is there.
    Lost,
    /// A power cut: some sectors of a write are there, others are not.
    Torn,
    /// A power cut: a write is there, an earlier one is not, or the older of two writes of a sector landed last.
    Reordered,
    /// A power cut: the file has a length that it had before.
    Shortened,
    /// A read fails.
    ReadError,
    /// A write fails. Nothing of it reaches the disk.
    WriteError,
    /// A sync fails. What it was to make durable stays as uncertain as before.
    SyncError,
    /// A change of the length fails.
    LengthError,
    /// A write needs room and there is none.
    Full,
    /// A bit turned over at rest.
    Rot,
    /// A write lands elsewhere in the file. The page cache shows it where it belongs until the power goes.
    Misdirected,
    /// A write is taken and never reaches the platter. The page cache shows it until the power goes.
    LostWrite,
    /// A sync says that all is durable, and nothing is. The next honest sync makes up for it.
    LyingSync,
    /// A read gives what stood there before the last sync.
    StaleRead,
    /// A call that takes longer than it should. It is counted, not waited for.
    Slow,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 15] = [
        Self::Lost,
        Self::Torn,
        Self::Reordered,
        Self::Shortened,
        Self::ReadError,
        Self::WriteError,
        Self::SyncError,
        Self::LengthError,
        Self::Full,
        Self::Rot,
        Self::Misdirected,
        Self::LostWrite,
        Self::LyingSync,
        Self::StaleRead,
        Self::Slow,
    ];

    /// Its name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lost => "disk: unsynced write lost",
            Self::Torn => "disk: unsynced write torn",
            Self::Reordered => "disk: writes reordered",
            Self::Shortened => "disk: older length",
            Self::ReadError => "disk: read error",
            Self::WriteError => "disk: write error",
            Self::SyncError => "disk: sync error",
            Self::LengthError => "disk: length error",
            Self::Full => "disk: full",
            Self::Rot => "disk: rot",
            Self::Misdirected => "disk: misdirected write",
            Self::LostWrite => "disk: lost write",
            Self::LyingSync => "disk: lying sync",
            Self::StaleRead => "disk: stale read",
            Self::Slow => "disk: slow",
        }
    }
}

/// When a planned fault strikes, in calls of its kind from now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Strike {
    /// At the n-th call, counted from 1, and then never again.
    Once(u64),
    /// From the n-th call on.
    From(u64),
}

/// What is planned and what struck.
#[derive(Clone, Default)]
pub(super) struct Plan {
    planned: BTreeMap<Fault, Strike>,
    struck: BTreeMap<&'static str, u64>,
}

impl Plan {
    pub(super) fn add(&mut self, fault: Fault, strike: Strike) {
        self.planned.insert(fault, strike);
    }

    pub(super) fn clear(&mut self) {
        self.planned.clear();
    }

    /// One more call of the kind that `fault` is about: does it strike?
    pub(super) fn due(&mut self, fault: Fault) -> bool {
        let Some(strike) = self.planned.get_mut(&fault) else { return false };
        match strike {
            Strike::Once(n) | Strike::From(n) if *n > 1 => {
                *n -= 1;
                false
            }
            Strike::Once(_) => {
                self.planned.remove(&fault);
                true
            }
            Strike::From(_) => true,
        }
    }

    pub(super) fn note(&mut self, fault: Fault) {
        *self.struck.entry(fault.name()).or_insert(0) += 1;
    }

    pub(super) fn struck(&self) -> &BTreeMap<&'static str, u64> {
        &self.struck
    }
}
