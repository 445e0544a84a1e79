//! A node does not say that all is well while it is behind.

use std::collections::BTreeMap;

use stockroom_core::status::Status;
use stockroom_core::storage::Table;
use stockroom_crdt::chain::LogId;
use stockroom_crdt::scope::Scope;

use super::fleet::{identity, issuer, logs, snapshot};
use super::watch::Watch;
use super::{Check, Findings, Scene};
use crate::observe::{Observation, RowChange, Seen};

/// How far logs reach, over all of their histories.
type Reach = BTreeMap<LogId, u64>;

/// What a status claims is so.
pub struct Truthful {
    watch: Watch,
    commits: BTreeMap<u32, u64>,
    /// How far authors' own stock logs reached, by time.
    written: BTreeMap<u32, BTreeMap<LogId, Vec<(u64, u64)>>>,
}

impl Truthful {
    /// With what all checks share.
    pub fn new(watch: Watch) -> Self {
        Self { watch, commits: BTreeMap::new(), written: BTreeMap::new() }
    }

    fn note_written(&mut self, seen: &Observation, rows: &[RowChange], scene: &Scene<'_>) {
        let Some(holding) = scene.union.nodes.get(&seen.node) else { return };
        for row in rows.iter().filter(|row| row.table == Table::Logs) {
            let number = u32::from_be_bytes(row.key.as_slice().try_into().unwrap_or_default());
            let Some(log) = holding.logs.get(&stockroom_core::journal::LogNumber(number)) else { continue };
            let Scope::StoreStock(store) = log.id.scope else { continue };
            if log.id.actor.node.0 == seen.node {
                let steps = self.written.entry(store.0).or_default().entry(log.id.clone()).or_default();
                steps.push((seen.at_ms, log.head.seq));
            }
        }
    }

    /// Backlog 0 means that the hub's disk has every own entry.
    fn backlog_fault(&self, node: u32, status: &Status, scene: &Scene<'_>) -> Option<String> {
        let (store, hub) = (status.store?, issuer(scene.world, node)?);
        if status.backlog.entries > 0 || self.watch.last().marks(hub).set_back {
            return None;
        }
        let (own, at_hub) = (reach(scene, node)?, reach(scene, hub)?);
        let scopes = [Scope::StoreRights(store), Scope::StoreStock(store)];
        let mine = own.iter().filter(|(id, _)| id.actor.node.0 == identity(node) && scopes.contains(&id.scope));
        let (id, seq) = mine.into_iter().find(|(id, seq)| at_hub.get(*id).copied().unwrap_or(0) < **seq)?;
        Some(format!(
            "node {node} says that it has no backlog, and hub {hub} has {} by {} up to entry {} of {seq}",
            id.scope,
            id.actor,
            at_hub.get(id).copied().unwrap_or(0)
        ))
    }

    /// Fresh at a time means that everything that was written a good while before is here.
    fn fresh_faults(&self, node: u32, status: &Status, scene: &Scene<'_>) -> Vec<String> {
        let sight = self.watch.last();
        if sight.marks(node).clock {
            return Vec::new();
        }
        let Some(here) = reach(scene, node) else { return Vec::new() };
        let mut out = Vec::new();
        for known in &status.stores {
            let Some(fresh_ms) = known.fresh_ms.filter(|_| status.store != Some(known.store)) else { continue };
            if fresh_ms > status.at_ms {
                out.push(format!("node {node} says that it will know store {} at {fresh_ms}", known.store.0));
            }
            let Some(written) = self.written.get(&known.store.0) else { continue };
            for (id, steps) in written.iter().filter(|(id, _)| !sight.marks(id.actor.node.0).set_back) {
                let before = steps.partition_point(|(at, _)| at + FRESH_SLACK_MS <= fresh_ms);
                let Some((at, seq)) = before.checked_sub(1).map(|step| steps[step]) else { continue };
                let held = here.get(id).copied().unwrap_or(0);
                if held < seq && !scene.written_off.contains(&id.actor.node.0) {
                    out.push(format!(
                        "node {node} says that it had everything of store {} at {fresh_ms}, and has {held} entries of {} by {}, which had {seq} at {at}",
                        known.store.0, id.scope, id.actor
                    ));
                }
            }
        }
        out
    }

    fn look(&mut self, node: u32, scene: &Scene<'_>, findings: &mut Findings) {
        if !scene.world.is_up(node) || scene.written_off.contains(&identity(node)) || node != identity(node) {
            return;
        }
        let status = scene.world.status(node);
        let faults =
            self.backlog_fault(node, &status, scene).into_iter().chain(self.fresh_faults(node, &status, scene));
        for fault in faults.collect::<Vec<_>>() {
            findings.report(self, scene, node, fault);
        }
    }
}

impl Check for Truthful {
    fn name(&self) -> &'static str {
        "I30 status is true"
    }

    fn meaning(&self) -> &'static str {
        "no backlog means that the hub's disk has every own entry; fresh means that everything written well before is here"
    }

    fn observe(&mut self, seen: &Observation, scene: &Scene<'_>, findings: &mut Findings) {
        drop(self.watch.see(seen, scene));
        let Seen::Committed(rows) = &seen.what else { return };
        self.note_written(seen, rows, scene);
        let period = SAMPLE_COMMITS * (1 + scene.world.nodes.len() as u64 / NODES_PER_SAMPLE);
        let commits = self.commits.entry(seen.node).or_default();
        *commits += 1;
        if commits.is_multiple_of(period) {
            self.look(seen.node, scene, findings);
        }
    }

    fn end(&mut self, scene: &Scene<'_>, findings: &mut Findings) {
        let nodes: Vec<_> = scene.world.nodes.keys().copied().collect();
        for node in nodes {
            self.look(node, scene, findings);
        }
    }
}

/// How far a running node's disk reaches.
fn reach(scene: &Scene<'_>, node: u32) -> Option<Reach> {
    let mut out = Reach::new();
    for (_, log) in logs(&*snapshot(scene, node)?) {
        let held = out.entry(log.id).or_default();
        *held = (*held).max(log.head.seq);
    }
    Some(out)
}

/// How many commits of a node pass between two looks at its status.
const SAMPLE_COMMITS: u64 = 200;

/// A status lists all stores, so it is looked at less often where there are many.
const NODES_PER_SAMPLE: u64 = 8;

/// What may be under way when a peer says that there is nothing new: delays, sales sent together, a pulse.
const FRESH_SLACK_MS: u64 = 30_000;
