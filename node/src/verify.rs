//! Is the database what its authors signed, and do the books say what the logs say? Reads only.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use stockroom_core::books::STORE_TABLES;
use stockroom_core::journal::{Journal, Log, LogNumber, entries};
use stockroom_core::storage::{Reader, Snapshot, Store, StoreError, Writes};
use stockroom_core::tuning::Tuning;
use stockroom_crdt::chain::advance_by_digest;
use stockroom_crdt::ids::{NodeId, TenantId};

/// Which logs are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Every log.
    All,
    /// The logs of one node.
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

/// Walks the hash chain of logs from their beginning and checks every seal.
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
            if let Err(fault) = walk(snapshot, (&journal, tenant), (number, log), &mut report)? {
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
) -> Result<Result<(), String>, StoreError> {
    let (mut seq, mut hash) = match log.parent {
        None => (0, log.id.genesis(tenant)),
        Some(parent) => match journal.hash_at(snapshot, parent.log, parent.seq)? {
            Some(hash) => (parent.seq, hash),
            None => return Ok(Err(String::from("it parts from a log that is not held"))),
        },
    };
    let mut seal = journal.seal_after(snapshot, number, seq + 1)?;
    while seq < log.head.seq {
        let chunk = entries(snapshot, number, seq + 1, (seq + CHUNK_ENTRIES).min(log.head.seq))?;
        if chunk.first().is_none_or(|(first, _)| *first != seq + 1) {
            return Ok(Err(format!("entry {} is missing", seq + 1)));
        }
        for (at, item) in chunk {
            (seq, hash) = (at, advance_by_digest(hash, item.digest()));
            report.entries += 1;
            if let Some(here) = seal.take_if(|seal| seal.seq == seq) {
                report.seals += 1;
                if !here.verify(&log.key, tenant, &log.id, hash) {
                    return Ok(Err(format!("the seal at entry {seq} does not verify")));
                }
                seal = journal.seal_after(snapshot, number, seq + 1)?;
            }
        }
    }
    Ok(if hash == log.head.hash { Ok(()) } else { Err(String::from("the hash chain does not lead to its head")) })
}

/// A database that reads like another and writes nothing. What would be written to the books is compared with what is there.
pub struct Mirror {
    reader: Arc<dyn Reader>,
    findings: Findings,
}

/// What a [`Mirror`] saw.
#[derive(Clone, Default)]
pub struct Findings(Arc<Mutex<Compared>>);

/// Rows of the books that were compared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Compared {
    /// Rows that were rebuilt or removed.
    pub rows: u64,
    /// Tables with rows that differ, and how many differ in all.
    pub differ: (BTreeSet<stockroom_core::storage::Table>, u64),
}

impl Mirror {
    /// Over what `reader` shows.
    pub fn new(reader: Arc<dyn Reader>) -> (Self, Findings) {
        let findings = Findings::default();
        (Self { reader, findings: findings.clone() }, findings)
    }
}

impl Findings {
    /// What was seen so far.
    pub fn compared(&self) -> Compared {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Store for Mirror {
    fn reader(&self) -> Arc<dyn Reader> {
        self.reader.clone()
    }

    fn commit(&mut self, writes: &Writes) -> Result<(), StoreError> {
        let snapshot = self.reader.snapshot()?;
        let mut compared = self.findings.0.lock().unwrap_or_else(PoisonError::into_inner);
        for ((table, key), value) in writes.iter().filter(|((table, _), _)| STORE_TABLES.contains(table)) {
            compared.rows += 1;
            if snapshot.get(table, key)? != *value {
                compared.differ.0.insert(table);
                compared.differ.1 += 1;
            }
        }
        Ok(())
    }
}

/// Entries held in memory at a time.
const CHUNK_ENTRIES: u64 = 1_024;
