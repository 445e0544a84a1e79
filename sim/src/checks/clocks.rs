//! Times of entries: strictly increasing per node, never far ahead of the truth.

use std::collections::BTreeMap;

use stockroom_crdt::clock::Hlc;
use stockroom_crdt::ids::Epoch;
use stockroom_crdt::limits::CLOCK_FORWARD_MS_MAX;

use super::fleet::identity;
use super::watch::Watch;
use super::{Check, Findings, Scene};
use crate::observe::Observation;

/// What a node wrote last.
#[derive(Clone, Copy)]
struct Newest {
    epoch: Epoch,
    hlc: Hlc,
    /// The loss of its disk that was known then.
    set_back_event: u64,
}

/// Hybrid times of a node's own entries.
pub struct HybridTime {
    watch: Watch,
    newest: BTreeMap<u32, Newest>,
}

impl HybridTime {
    /// With what all checks share.
    pub fn new(watch: Watch) -> Self {
        Self { watch, newest: BTreeMap::new() }
    }
}

impl Check for HybridTime {
    fn name(&self) -> &'static str {
        "I20 hybrid time"
    }

    fn meaning(&self) -> &'static str {
        "a node's entries have strictly increasing times within an epoch, across crashes, and honest clocks are never dragged beyond their bound"
    }

    fn observe(&mut self, seen: &Observation, scene: &Scene<'_>, findings: &mut Findings) {
        let watch = self.watch.clone();
        let sight = watch.see(seen, scene);
        if sight.runs.is_empty() {
            return;
        }
        let Some(holding) = scene.union.nodes.get(&seen.node) else { return };
        let marks = sight.marks(seen.node);
        if marks.cloned {
            // Each of the two takes the other's entries for its own, until it learns better.
            return;
        }
        let before = self.newest.get(&seen.node).copied();
        let mut faults = Vec::new();
        let mut newest = before;
        for run in &sight.runs {
            let Some(log) = holding.logs.get(&run.log) else { continue };
            let actor = log.id.actor;
            // Older epochs and other histories of its own log come from others.
            let is_own = actor.node.0 == identity(seen.node) && log.parent.is_none();
            if !is_own || newest.is_some_and(|newest| actor.epoch < newest.epoch) {
                continue;
            }
            let same = |newest: &Newest| newest.epoch == actor.epoch && newest.set_back_event == marks.set_back_event;
            let mut last = before.filter(same).map(|newest| newest.hlc);
            for (seq, item) in (run.first..).zip(&run.items) {
                let hlc = item.entry.hlc;
                if last.is_some_and(|last| hlc <= last) {
                    faults.push(format!(
                        "node {} wrote entry {seq} of {} at {hlc:?}, after an entry at {:?}",
                        seen.node,
                        log.id.scope,
                        last.unwrap_or_default()
                    ));
                }
                last = Some(hlc);
                if !marks.clock && hlc.ms() > seen.at_ms + CLOCK_FORWARD_MS_MAX + SLACK_MS {
                    faults.push(format!(
                        "node {} wrote entry {seq} of {} with a time {} ms ahead of the truth",
                        seen.node,
                        log.id.scope,
                        hlc.ms() - seen.at_ms
                    ));
                }
            }
            let hlc = newest.filter(same).map(|newest| newest.hlc).max(last).unwrap_or_default();
            newest = Some(Newest { epoch: actor.epoch, hlc, set_back_event: marks.set_back_event });
        }
        if let Some(newest) = newest {
            self.newest.insert(seen.node, newest);
        }
        for fault in faults {
            findings.report(self, scene, seen.node, fault);
        }
    }
}

/// Many entries in one millisecond take the counter's carry with them.
const SLACK_MS: u64 = 1_000;
