//! Bounds hold at all times, and nothing panics.

use std::collections::BTreeMap;

use stockroom_core::limits::{FRAME_BYTES_MAX, LINKS_MAX, PARCELS_HELD_MAX, PARKED_RUNS_MAX};

use super::watch::{Flow, Watch};
use super::{Check, Findings, Scene};
use crate::observe::{Observation, Seen, Stop};

/// Queues and frames stay within their limits.
pub struct Bounds {
    watch: Watch,
    /// Commits per node, to look at a status now and then.
    commits: BTreeMap<u32, u64>,
}

impl Bounds {
    /// With what all checks share.
    pub fn new(watch: Watch) -> Self {
        Self { watch, commits: BTreeMap::new() }
    }

    fn on_commit(&mut self, node: u32, scene: &Scene<'_>, findings: &mut Findings) {
        let commits = self.commits.entry(node).or_default();
        *commits += 1;
        if commits.is_multiple_of(SAMPLE_COMMITS) && scene.world.is_up(node) {
            let status = scene.world.status(node);
            let held = (status.peers.len(), status.parcels_carried, status.parked);
            if held.0 > LINKS_MAX || held.1 > PARCELS_HELD_MAX || held.2 > PARKED_RUNS_MAX {
                let (links, parcels, parked) = held;
                let message =
                    format!("node {node} has {links} links, carries {parcels} parcels and keeps {parked} parked runs");
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
        match &seen.what {
            Seen::Sent { to, bytes, .. } if *bytes > FRAME_BYTES_MAX => {
                let message = format!("node {} sent a frame of {bytes} bytes to node {to}", seen.node);
                findings.report(self, scene, seen.node, message);
            }
            Seen::Committed(_) if matches!(flow, Flow::Apply) => self.on_commit(seen.node, scene, findings),
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
