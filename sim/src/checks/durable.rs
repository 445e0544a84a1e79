//! What was acknowledged stays, and nothing leaves a node before it is durable there.

use std::collections::BTreeMap;

use stockroom_core::journal::{Place, entry_at};
use stockroom_core::storage::{Snapshot, Table};
use stockroom_crdt::chain::LogId;
use stockroom_crdt::ids::{Digest, StoreId, TillId};

use super::fleet::{entries, identity, is_healthy, logs, snapshot, top_hub};
use super::watch::Watch;
use super::{Check, Findings, Scene};
use crate::observe::{Act, Deed, Observation, Seen};
use crate::oracle;

/// Acknowledged deeds outlive crashes, and reach the top hub.
pub struct Acknowledged {
    watch: Watch,
    /// The last acknowledged entry per node and log.
    last: BTreeMap<u32, BTreeMap<LogId, (u64, Digest)>>,
    /// Observation of each node's last start.
    started: BTreeMap<u32, u64>,
}

impl Acknowledged {
    /// With what all checks share.
    pub fn new(watch: Watch) -> Self {
        Self { watch, last: BTreeMap::new(), started: BTreeMap::new() }
    }

    fn on_started(&mut self, seen: &Observation, scene: &Scene<'_>, findings: &mut Findings) {
        let marks = self.watch.see(seen, scene).marks(seen.node);
        let before = self.started.insert(seen.node, seen.event).unwrap_or(0);
        let excused = marks.set_back_event > before || scene.now_ms < marks.set_back_until_ms;
        let Some(snapshot) = snapshot(scene, seen.node) else { return };
        if excused {
            self.last.remove(&seen.node);
        }
        let Some(acknowledged) = self.last.get(&seen.node) else { return };
        let lost: Vec<_> =
            acknowledged.iter().filter(|(id, (seq, hash))| !holds(&*snapshot, (id, *seq, *hash))).collect();
        for (id, (seq, _)) in lost {
            let message = format!(
                "node {} acknowledged entry {seq} of {} by {} and does not have it after a restart",
                seen.node, id.scope, id.actor
            );
            findings.report(self, scene, seen.node, message);
        }
    }

    fn on_acknowledged(&mut self, node: u32, deed: &Deed, scene: &Scene<'_>, findings: &mut Findings) {
        let Some((id, seq, hash)) = &deed.entry else { return };
        let durable = if deed.replayed {
            snapshot(scene, node).is_none_or(|snapshot| holds(&*snapshot, (id, *seq, *hash)))
        } else {
            scene.union.held(node, id) >= *seq
        };
        if !durable {
            let message = format!(
                "node {node} acknowledged entry {seq} of {} by {} with only {} entries durable",
                id.scope,
                id.actor,
                scene.union.held(node, id)
            );
            findings.report(self, scene, node, message);
        }
        let last = self.last.entry(node).or_default().entry(id.clone()).or_insert((*seq, *hash));
        if *seq > last.0 {
            *last = (*seq, *hash);
        }
    }
}

impl Check for Acknowledged {
    fn name(&self) -> &'static str {
        "I9 acknowledged is durable"
    }

    fn meaning(&self) -> &'static str {
        "what a till was told is on that node's disk before the answer and after any restart, and in the end at the top hub"
    }

    fn observe(&mut self, seen: &Observation, scene: &Scene<'_>, findings: &mut Findings) {
        match &seen.what {
            Seen::Started { .. } => self.on_started(seen, scene, findings),
            Seen::Acknowledged(deed) => self.on_acknowledged(seen.node, deed, scene, findings),
            Seen::Stopped(_)
            | Seen::Committed(_)
            | Seen::Sent { .. }
            | Seen::Connected { .. }
            | Seen::Disconnected { .. }
            | Seen::Told(_)
            | Seen::Unanswered { .. }
            | Seen::Marked { .. } => drop(self.watch.see(seen, scene)),
        }
    }

    fn end(&mut self, scene: &Scene<'_>, findings: &mut Findings) {
        let Some(hub) = top_hub(scene.world).filter(|&hub| is_healthy(scene, hub)) else { return };
        let Some(snapshot) = snapshot(scene, hub) else { return };
        let held = logs(&*snapshot);
        for (number, deed) in scene.truth.promised.iter().enumerate() {
            let Some((id, seq, hash)) = &deed.entry else { continue };
            if !scene.truth.promised_lost.contains(&number) && !holds(&*snapshot, (id, *seq, *hash)) {
                let message = format!(
                    "{:?} was acknowledged (entry {seq} of {} by {}) and is not at hub {hub}",
                    deed.what, id.scope, id.actor
                );
                findings.report(self, scene, hub, message);
            }
        }
        for (&store, truth) in &scene.truth.stores {
            let mut missing = missing_entries(&truth.deeds);
            for (number, log) in &held {
                if let Some(entries_of) = missing.get_mut(&log.id) {
                    entries(&*snapshot, *number, |seq, item| {
                        entries_of.remove(&(seq, item.digest()));
                    });
                }
            }
            let without = truth.deeds.iter().enumerate().filter(|(_, deed)| deed.entry.is_none()).map(|(n, _)| n);
            let missing = missing.into_values().flat_map(BTreeMap::into_values);
            for number in missing.chain(without) {
                let deed = &truth.deeds[number];
                if !scene.truth.declared_lost.contains(&(store, number)) && !is_there_otherwise(&*snapshot, deed) {
                    let place =
                        deed.entry.as_ref().map(|(id, seq, _)| format!("entry {seq} of {} by {}", id.scope, id.actor));
                    let message = format!(
                        "{:?} at store {store} was acknowledged ({}) and is not at hub {hub}",
                        deed.what,
                        place.as_deref().unwrap_or("no entry")
                    );
                    findings.report(self, scene, hub, message);
                }
            }
        }
    }
}

/// Entries of deeds by log, number and content, with the deed's number. Histories that part have entries of one number.
fn missing_entries(deeds: &[Deed]) -> BTreeMap<LogId, BTreeMap<(u64, Digest), usize>> {
    let mut out: BTreeMap<LogId, BTreeMap<(u64, Digest), usize>> = BTreeMap::new();
    for (number, deed) in deeds.iter().enumerate() {
        if let Some((id, seq, hash)) = &deed.entry {
            out.entry(id.clone()).or_default().insert((*seq, *hash), number);
        }
    }
    out
}

/// The same sale under another entry: the till sent it again to a node that had lost it.
fn is_there_otherwise(snapshot: &dyn Snapshot, deed: &Deed) -> bool {
    match &deed.what {
        Act::Sale { till, till_seq, total, .. } => {
            let sale = oracle::sale(snapshot, StoreId(deed.store), TillId(*till), *till_seq);
            sale.is_some_and(|sale| sale.total() == *total)
        }
        Act::Receipt { .. }
        | Act::Count { .. }
        | Act::Moved { .. }
        | Act::Promise { .. }
        | Act::Said { .. }
        | Act::Order { .. } => false,
        Act::Other(_) => deed.entry.is_none(),
    }
}

/// True when a disk holds this entry, in any history of its log.
fn holds(snapshot: &dyn Snapshot, (id, seq, hash): (&LogId, u64, Digest)) -> bool {
    logs(snapshot)
        .into_iter()
        .filter(|(_, log)| log.id == *id && log.head.seq >= seq)
        .any(|(log, _)| entry_at(snapshot, Place { log, seq }).ok().flatten().is_some_and(|item| item.digest() == hash))
}

/// No other node holds what its author has not made durable.
pub struct DurableFirst {
    watch: Watch,
    /// How far the author's own disk was seen to reach.
    written: BTreeMap<LogId, u64>,
}

impl DurableFirst {
    /// With what all checks share.
    pub fn new(watch: Watch) -> Self {
        Self { watch, written: BTreeMap::new() }
    }

    /// What the author's disk holds beyond what its commits told: a commit may be durable although it was cut off.
    fn reread(&mut self, author: u32, scene: &Scene<'_>) {
        let Some(snapshot) = snapshot(scene, author) else { return };
        for (_, log) in logs(&*snapshot).into_iter().filter(|(_, log)| log.id.actor.node.0 == identity(author)) {
            let written = self.written.entry(log.id).or_default();
            *written = (*written).max(log.head.seq);
        }
    }
}

impl Check for DurableFirst {
    fn name(&self) -> &'static str {
        "I9 nothing leaves before it is durable"
    }

    fn meaning(&self) -> &'static str {
        "no node holds an entry that its honest author had not committed before"
    }

    fn observe(&mut self, seen: &Observation, scene: &Scene<'_>, findings: &mut Findings) {
        drop(self.watch.see(seen, scene));
        if matches!(seen.what, Seen::Started { .. }) {
            self.reread(seen.node, scene);
        }
        let Seen::Committed(rows) = &seen.what else { return };
        let Some(holding) = scene.union.nodes.get(&seen.node) else { return };
        for row in rows.iter().filter(|row| row.table == Table::Logs) {
            let number = u32::from_be_bytes(row.key.as_slice().try_into().unwrap_or_default());
            let Some(log) = holding.logs.get(&stockroom_core::journal::LogNumber(number)) else { continue };
            let author = log.id.actor.node.0;
            if author == identity(seen.node) {
                let written = self.written.entry(log.id.clone()).or_default();
                *written = (*written).max(log.head.seq);
                continue;
            }
            let written = |check: &Self| check.written.get(&log.id).copied().unwrap_or(0);
            if log.head.seq <= written(self) || scene.written_off.contains(&author) {
                continue;
            }
            self.reread(author, scene);
            if log.head.seq > written(self) {
                let message = format!(
                    "node {} holds entry {} of {} by {}, which its author has durable up to entry {} only",
                    seen.node,
                    log.head.seq,
                    log.id.scope,
                    log.id.actor,
                    written(self)
                );
                findings.report(self, scene, seen.node, message);
            }
        }
    }
}
