//! Logs are chains: one history per honest author, and heads that never claim what is not held.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use stockroom_core::journal::{Log, LogNumber};
use stockroom_core::storage::{Direction, Snapshot, Table};
use stockroom_crdt::chain::{LogId, advance_by_digest};
use stockroom_crdt::ids::Digest;
use stockroom_crdt::limits::RUN_ENTRIES_MAX;

use super::fleet::{hubs, is_healthy, logs, mix, snapshot};
use super::watch::{Run, Watch};
use super::{Check, Findings, Scene};
use crate::observe::{Observation, RowChange, Seen};

/// One hash per author, scope and sequence number, or a proof that there are two.
pub struct OneHistory {
    watch: Watch,
    /// Hashes of entries by sequence number, as they were first seen; 0 where nobody saw one.
    ledger: BTreeMap<LogId, Vec<u64>>,
    forked: BTreeSet<LogId>,
}

impl OneHistory {
    /// With what all checks share.
    pub fn new(watch: Watch) -> Self {
        Self { watch, ledger: BTreeMap::new(), forked: BTreeSet::new() }
    }

    /// The first entry that is not the one which was seen there before.
    fn note(&mut self, id: &LogId, run: &Run) -> Option<u64> {
        let known = self.ledger.entry(id.clone()).or_default();
        let end = run.first as usize - 1 + run.items.len();
        if known.len() < end {
            known.resize(end, 0);
        }
        let mut other = None;
        for (seq, item) in (run.first..).zip(&run.items) {
            let slot = &mut known[seq as usize - 1];
            let hash = mix(&item.bytes).max(1);
            if *slot == 0 {
                *slot = hash;
            } else if *slot != hash && other.is_none() {
                other = Some(seq);
            }
        }
        other
    }
}

impl Check for OneHistory {
    fn name(&self) -> &'static str {
        "I12 one history per log"
    }

    fn meaning(&self) -> &'static str {
        "no two nodes hold different entries at one place of a log, unless its author's disk was set back or it is hostile; then a hub proves it"
    }

    fn observe(&mut self, seen: &Observation, scene: &Scene<'_>, findings: &mut Findings) {
        let watch = self.watch.clone();
        let sight = watch.see(seen, scene);
        let Some(holding) = scene.union.nodes.get(&seen.node) else { return };
        for run in &sight.runs {
            let Some(held) = holding.logs.get(&run.log) else { continue };
            let Some(seq) = self.note(&held.id, run) else { continue };
            if self.forked.insert(held.id.clone()) && !sight.may_fork(scene, held.id.actor.node.0) {
                let message = format!(
                    "node {} holds another entry {seq} of {} by {} than was seen before, and its author's disk was never set back",
                    seen.node, held.id.scope, held.id.actor
                );
                findings.report(self, scene, seen.node, message);
            }
        }
    }

    fn end(&mut self, scene: &Scene<'_>, findings: &mut Findings) {
        for hub in hubs(scene.world).filter(|&hub| is_healthy(scene, hub)) {
            let Some(snapshot) = snapshot(scene, hub) else { continue };
            for (number, log) in logs(&*snapshot) {
                let Some(parent) = log.parent else { continue };
                let place = parent.seq + 1;
                let signed = is_signed(&*snapshot, parent.log, place) && is_signed(&*snapshot, number, place);
                let key = [b"fork/".as_slice(), &log.id.to_bytes()].concat();
                if signed && snapshot.get(Table::Meta, &key).ok().flatten().is_none() {
                    let message = format!(
                        "hub {hub} holds two signed histories of {} by {} after entry {}, and no proof of the fork",
                        log.id.scope, log.id.actor, parent.seq
                    );
                    findings.report(self, scene, hub, message);
                }
            }
        }
    }
}

/// A seal of this history covers `seq`, and is near enough for a proof.
fn is_signed(snapshot: &dyn Snapshot, log: LogNumber, seq: u64) -> bool {
    let key = |seq: u64| [log.0.to_be_bytes().as_slice(), &seq.to_be_bytes()].concat();
    let (from, to) = (key(seq), key(seq + RUN_ENTRIES_MAX as u64));
    let range = (Bound::Included(from.as_slice()), Bound::Included(to.as_slice()));
    !snapshot.scan(Table::Seals, range, Direction::Forward, 1).unwrap_or_default().is_empty()
}

/// A head names exactly the entries that are held, and never goes back.
pub struct HeldHeads {
    watch: Watch,
}

impl HeldHeads {
    /// With what all checks share.
    pub fn new(watch: Watch) -> Self {
        Self { watch }
    }
}

impl Check for HeldHeads {
    fn name(&self) -> &'static str {
        "I13 heads name what is held"
    }

    fn meaning(&self) -> &'static str {
        "a log's head moves only with the entries that lead there, hash by hash, in the same commit; it never goes back, and no entry is replaced"
    }

    fn observe(&mut self, seen: &Observation, scene: &Scene<'_>, findings: &mut Findings) {
        let Seen::Committed(rows) = &seen.what else { return };
        let sight = self.watch.see(seen, scene);
        let mut moved = BTreeSet::new();
        let mut faults = Vec::new();
        for row in rows {
            match row.table {
                Table::Logs => {
                    let number = LogNumber(u32::from_be_bytes(row.key.as_slice().try_into().unwrap_or_default()));
                    moved.insert(number);
                    let runs = sight.runs.iter().filter(|run| run.log == number);
                    faults.extend(head_fault(row, runs, scene).map(|fault| (number, fault)));
                }
                Table::Runs if row.old.is_some() && row.old != row.new => {
                    let number = row.key.get(..4).and_then(|key| key.try_into().ok()).map_or(0, u32::from_be_bytes);
                    faults.push((LogNumber(number), "had entries replaced or removed".to_owned()));
                }
                _ => {}
            }
        }
        let alone = sight.runs.iter().find(|run| !moved.contains(&run.log));
        faults.extend(alone.map(|run| (run.log, format!("got entries from {} on without a head", run.first))));
        for (number, fault) in faults {
            let log = scene.union.nodes.get(&seen.node).and_then(|holding| holding.logs.get(&number));
            let name = log.map_or_else(|| format!("{number:?}"), |log| format!("{} by {}", log.id.scope, log.id.actor));
            findings.report(self, scene, seen.node, format!("node {}: {name} {fault}", seen.node));
        }
    }
}

/// What is wrong with a log's new row, given the runs of the same commit.
fn head_fault<'a>(row: &RowChange, runs: impl Iterator<Item = &'a Run>, scene: &Scene<'_>) -> Option<String> {
    let read = |bytes: &Option<Vec<u8>>| bytes.as_ref().and_then(|bytes| Log::from_row(bytes).ok());
    let (before, Some(after)) = (read(&row.old), read(&row.new)) else { return Some("was removed".into()) };
    let (mut seq, mut hash): (u64, Option<Digest>) = match (&before, after.parent) {
        (Some(before), _) => (before.head.seq, Some(before.head.hash)),
        (None, Some(parent)) => (parent.seq, None),
        (None, None) => (0, Some(after.id.genesis(scene.world.tenant()))),
    };
    if before.as_ref().is_some_and(|before| before.id != after.id || before.parent != after.parent) {
        return Some("became another log".into());
    }
    for run in runs {
        if run.first != seq + 1 {
            return Some(format!("goes on at entry {} after entry {seq}", run.first));
        }
        seq += run.items.len() as u64;
        let led = hash.map(|hash| run.items.iter().fold(hash, |hash, item| advance_by_digest(hash, item.digest())));
        if led.is_some_and(|led| led != run.after) {
            return Some(format!("has a hash after entry {seq} that its entries do not lead to"));
        }
        hash = Some(run.after);
    }
    if after.head.seq != seq || hash.is_some_and(|hash| hash != after.head.hash) {
        return Some(format!("has its head at entry {}, and its entries lead to entry {seq}", after.head.seq));
    }
    if after.sealed_seq() > seq || before.is_some_and(|before| before.sealed_seq() > after.sealed_seq()) {
        return Some(format!("is sealed up to entry {} of {seq}", after.sealed_seq()));
    }
    None
}
