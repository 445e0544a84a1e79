//! Runs that came before what they build on. They wait in memory, for a while, and within a share per sender.
//!
//! Nothing that waits here was acknowledged, so nothing is lost when it is dropped or the node stops: whoever sent it sends it
//! again on its next link. What waits was not verified either, for the key may be what is missing.

use std::collections::BTreeMap;

use stockroom_crdt::batch::{decode_run, encode_run};
use stockroom_crdt::chain::{LogId, Seal};
use stockroom_crdt::ids::NodeId;

use crate::ingest::{PeerFault, RunIn};
use crate::journal::damaged;
use crate::limits::{
    PARKED_BYTES_MAX, PARKED_BYTES_OF_ONE_MAX, PARKED_MS_MAX, PARKED_RUNS_MAX, PARKED_RUNS_OF_ONE_MAX,
};
use crate::storage::StoreError;

/// Runs that wait, by log and first entry.
#[derive(Default)]
pub struct Parked {
    runs: BTreeMap<(LogId, u64), Waiting>,
    bytes: usize,
}

/// A run in as few bytes as it came.
struct Waiting {
    sender: NodeId,
    since_ms: u64,
    before: [u8; 8],
    items: Vec<u8>,
    seal: Seal,
}

impl Parked {
    /// Keeps a run of `sender`. A sender that uses more than its share is at fault. When all shares together are too much, the
    /// oldest run of whoever has most goes, and if that is `sender`, its new one does.
    pub fn keep(&mut self, sender: NodeId, now_ms: u64, run: &RunIn) -> Result<(), PeerFault> {
        // Only a sealed run can wait: nobody could vouch for it later.
        let Some(seal) = run.seal.clone() else { return Err(PeerFault::Seal) };
        let key = (run.log.clone(), run.first);
        let items = encode_run(&run.items, u16::MAX);
        let waiting = Waiting { sender, since_ms: now_ms, before: run.before, items, seal };
        if self.runs.get(&key).is_some_and(|held| held.sender != sender) {
            // Another sender's word about the same place stays until it proves wrong or its time is up.
            return Ok(());
        }
        self.remove(&key);
        let (runs, bytes) = self.share(sender);
        if runs >= PARKED_RUNS_OF_ONE_MAX || bytes + waiting.size() > PARKED_BYTES_OF_ONE_MAX {
            return Err(PeerFault::Parked);
        }
        while self.runs.len() >= PARKED_RUNS_MAX || self.bytes + waiting.size() > PARKED_BYTES_MAX {
            if !self.evict_for(sender) {
                return Err(PeerFault::Parked);
            }
        }
        self.bytes += waiting.size();
        self.runs.insert(key, waiting);
        Ok(())
    }

    /// Takes out the first run of a log that begins at or before `next`.
    pub fn take(&mut self, log: &LogId, next: u64) -> Result<Option<RunIn>, StoreError> {
        let mut runs = self.runs.range((log.clone(), 0)..=(log.clone(), next));
        let Some(key) = runs.next().map(|(key, _)| key.clone()) else { return Ok(None) };
        let Some(waiting) = self.remove(&key) else { return Ok(None) };
        let items = decode_run(&waiting.items).map_err(damaged)?;
        Ok(Some(RunIn { log: key.0, first: key.1, before: waiting.before, items, seal: Some(waiting.seal) }))
    }

    /// Drops what has waited too long.
    pub fn expire(&mut self, now_ms: u64) {
        let late: Vec<_> =
            self.runs.iter().filter(|(_, run)| run.due_ms() <= now_ms).map(|(key, _)| key.clone()).collect();
        for key in late {
            self.remove(&key);
        }
    }

    /// When [`Parked::expire`] has something to do, on the monotonic clock.
    pub fn deadline(&self) -> Option<u64> {
        self.runs.values().map(Waiting::due_ms).min()
    }

    /// How many runs wait.
    pub fn len(&self) -> usize {
        self.runs.len()
    }

    /// True when nothing waits.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    fn share(&self, sender: NodeId) -> (usize, usize) {
        let own = self.runs.values().filter(|run| run.sender == sender);
        own.fold((0, 0), |(runs, bytes), run| (runs + 1, bytes + run.size()))
    }

    /// Drops the oldest run of whoever has most. False when that is `sender` itself.
    fn evict_for(&mut self, sender: NodeId) -> bool {
        let mut shares: BTreeMap<NodeId, usize> = BTreeMap::new();
        self.runs.values().for_each(|run| *shares.entry(run.sender).or_default() += run.size());
        let most = shares.iter().max_by_key(|&(_, &bytes)| bytes).map(|(&node, _)| node);
        let own = self.runs.iter().filter(|(_, run)| Some(run.sender) == most && run.sender != sender);
        let oldest = own.min_by_key(|(_, run)| run.since_ms).map(|(key, _)| key.clone());
        oldest.and_then(|key| self.remove(&key)).is_some()
    }

    fn remove(&mut self, key: &(LogId, u64)) -> Option<Waiting> {
        let waiting = self.runs.remove(key)?;
        self.bytes -= waiting.size();
        Some(waiting)
    }
}

impl Waiting {
    fn size(&self) -> usize {
        self.items.len() + WAITING_BYTES
    }

    fn due_ms(&self) -> u64 {
        self.since_ms + PARKED_MS_MAX
    }
}

/// What a run costs beside its entries: its log's name, its seal, its place in the table.
const WAITING_BYTES: usize = 256;
