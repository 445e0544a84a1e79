//! Are the logs what their authors signed? A walk of hash chains and seals, from their beginning; it reads only.

use stockroom_crdt::chain::advance_by_digest;
use stockroom_crdt::ids::{NodeId, TenantId};

use super::{Journal, Log, LogNumber, entries};
use crate::storage::{Snapshot, StoreError};
use crate::tuning::Tuning;

/// Which logs are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Every log.
    All,
    /// The logs of one node, all of their histories.
    WrittenBy(NodeId),
}

/// What was found in the logs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogReport {
    /// Logs looked at.
    pub logs: u64,
    /// Entries in them.
    pub entries: u64,
    /// Seals whose signature was checked.
    pub seals: u64,
    /// What is wrong, in words.
    pub faults: Vec<String>,
}

/// Walks the hash chain of logs from their beginning and checks every seal. A run that cannot be read is a fault like others.
pub fn logs(snapshot: &dyn Snapshot, tenant: TenantId, extent: Extent) -> Result<LogReport, StoreError> {
    let journal = Journal::load(tenant, snapshot, Tuning::default().run_bytes_goal)?;
    let mut report = LogReport::default();
    for (number, log) in journal.logs() {
        let wanted = match extent {
            Extent::All => true,
            Extent::WrittenBy(node) => log.id.actor.node == node,
        };
        if wanted {
            report.logs += 1;
            if let Err(fault) = walk(snapshot, (&journal, tenant), (number, log), &mut report) {
                report.faults.push(format!("the log of {} in {}: {fault}", log.id.actor, log.id.scope));
            }
        }
    }
    Ok(report)
}

fn walk(
    snapshot: &dyn Snapshot,
    (journal, tenant): (&Journal, TenantId),
    (number, log): (LogNumber, &Log),
    report: &mut LogReport,
) -> Result<(), String> {
    let unreadable = |error: StoreError| error.to_string();
    let (mut seq, mut hash) = match log.parent {
        None => (0, log.id.genesis(tenant)),
        Some(parent) => match journal.hash_at(snapshot, parent.log, parent.seq).map_err(unreadable)? {
            Some(hash) => (parent.seq, hash),
            None => return Err("it parts from a log that is not held".into()),
        },
    };
    let next_seal = |seq| journal.seal_after(snapshot, number, seq + 1).map_err(unreadable);
    let mut seal = next_seal(seq)?;
    while seq < log.head.seq {
        let last = (seq + CHUNK_ENTRIES).min(log.head.seq);
        let chunk = entries(snapshot, number, seq + 1, last).map_err(unreadable)?;
        if chunk.is_empty() {
            return Err(format!("entry {} is missing", seq + 1));
        }
        for (at, item) in chunk {
            if at != seq + 1 {
                return Err(format!("entry {} is missing", seq + 1));
            }
            (seq, hash) = (at, advance_by_digest(hash, item.digest()));
            report.entries += 1;
            if let Some(here) = seal.take_if(|seal| seal.seq == seq) {
                report.seals += 1;
                if !here.verify(&log.key, tenant, &log.id, hash) {
                    return Err(format!("the seal at entry {seq} does not verify"));
                }
                seal = next_seal(seq)?;
            }
        }
    }
    if hash != log.head.hash {
        return Err("the hash chain does not lead to its head".into());
    }
    if seal.is_some() {
        return Err("a seal is ahead of its head".into());
    }
    Ok(())
}

/// Entries held in memory at a time.
const CHUNK_ENTRIES: u64 = 1_024;
