//! Bounds hold at all times, and nothing panics.

use std::collections::BTreeMap;
use std::ops::Bound;

use stockroom_core::limits::{FRAME_BYTES_MAX, LINKS_MAX, PARCELS_HELD_MAX, PARKED_BYTES_MAX, PARKED_RUNS_MAX};
use stockroom_core::storage::{Direction, Table};

use super::watch::{Flow, Watch};
use super::{Check, Findings, Scene};
use crate::observe::{Observation, RowChange, Seen, Stop};

/// Queues and frames stay within their limits.
pub struct Bounds {
    watch: Watch,
    /// Parked runs and their bytes.
    parked: BTreeMap<u32, (i64, i64)>,
    commits: BTreeMap<u32, u64>,
}

impl Bounds {
    /// With what all checks share.
    pub fn new(watch: Watch) -> Self {
        Self { watch, parked: BTreeMap::new(), commits: BTreeMap::new() }
    }

    fn on_commit(&mut self, node: u32, rows: &[RowChange], scene: &Scene<'_>, findings: &mut Findings) {
        let parked = self.parked.entry(node).or_default();
        for row in rows.iter().filter(|row| row.table == Table::Parked) {
            let length = |value: &Option<Vec<u8>>| value.as_ref().map_or(0, |value| value.len() as i64);
            parked.0 += i64::from(row.new.is_some()) - i64::from(row.old.is_some());
            parked.1 += length(&row.new) - length(&row.old);
        }
        let (runs, bytes) = *parked;
        // The last run that fits may go beyond the bytes by its own length.
        if runs > PARKED_RUNS_MAX as i64 || bytes > (PARKED_BYTES_MAX + FRAME_BYTES_MAX) as i64 {
            findings.report(self, scene, node, format!("node {node} keeps {runs} parked runs of {bytes} bytes"));
        }
        let commits = self.commits.entry(node).or_default();
        *commits += 1;
        if commits.is_multiple_of(SAMPLE_COMMITS) && scene.world.is_up(node) {
            let status = scene.world.status(node);
            if status.peers.len() > LINKS_MAX || status.parcels_carried > PARCELS_HELD_MAX {
                let message = format!(
                    "node {node} has {} links and carries {} parcels",
                    status.peers.len(),
                    status.parcels_carried
                );
                findings.report(self, scene, node, message);
            }
        }
    }
}

impl Check for Bounds {
    fn name(&self) -> &'static str {
        "I28 bounds"
    }

    fn meaning(&self) -> &'static str {
        "frames, parked runs, links and carried parcels stay within their limits"
    }

    fn observe(&mut self, seen: &Observation, scene: &Scene<'_>, findings: &mut Findings) {
        let flow = self.watch.see(seen, scene).flow.clone();
        if let Flow::Anew(snapshot) = flow {
            let all = (Bound::Unbounded, Bound::Unbounded);
            let rows = snapshot.scan(Table::Parked, all, Direction::Forward, usize::MAX).unwrap_or_default();
            let bytes: usize = rows.iter().map(|(_, value)| value.len()).sum();
            self.parked.insert(seen.node, (rows.len() as i64, bytes as i64));
            return;
        }
        match &seen.what {
            Seen::Sent { to, bytes, .. } if *bytes > FRAME_BYTES_MAX => {
                let message = format!("node {} sent a frame of {bytes} bytes to node {to}", seen.node);
                findings.report(self, scene, seen.node, message);
            }
            Seen::Committed(rows) if matches!(flow, Flow::Apply) => self.on_commit(seen.node, rows, scene, findings),
            Seen::Started { .. }
            | Seen::Stopped(_)
            | Seen::Committed(_)
            | Seen::Sent { .. }
            | Seen::Connected { .. }
            | Seen::Disconnected { .. }
            | Seen::Told(_)
            | Seen::Acknowledged(_)
            | Seen::Unanswered { .. }
            | Seen::Marked { .. } => {}
        }
    }
}

/// Nodes stop for a reason.
pub struct NoPanic {
    watch: Watch,
}

impl NoPanic {
    /// With what all checks share.
    pub fn new(watch: Watch) -> Self {
        Self { watch }
    }
}

impl Check for NoPanic {
    fn name(&self) -> &'static str {
        "I29 no panic"
    }

    fn meaning(&self) -> &'static str {
        "no input makes a node panic, and it gives up only when something was done to its disk"
    }

    fn observe(&mut self, seen: &Observation, scene: &Scene<'_>, findings: &mut Findings) {
        let disk = self.watch.see(seen, scene).marks(seen.node).disk;
        let message = match &seen.what {
            Seen::Stopped(Stop::Panicked(text)) => format!("node {} panicked: {text}", seen.node),
            Seen::Stopped(Stop::Failed(text)) if !disk => {
                format!("node {} gave up, and nothing was done to its disk: {text}", seen.node)
            }
            Seen::Stopped(Stop::Failed(_) | Stop::Crash | Stop::Planned)
            | Seen::Started { .. }
            | Seen::Committed(_)
            | Seen::Sent { .. }
            | Seen::Connected { .. }
            | Seen::Disconnected { .. }
            | Seen::Told(_)
            | Seen::Acknowledged(_)
            | Seen::Unanswered { .. }
            | Seen::Marked { .. } => return,
        };
        findings.report(self, scene, seen.node, message);
    }
}

/// How many commits of a node pass between two looks at its status.
const SAMPLE_COMMITS: u64 = 1_000;
