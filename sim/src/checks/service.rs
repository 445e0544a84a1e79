//! Tills are served while their node is up, and a mass reconnect costs what was missing.

use std::collections::{BTreeMap, BTreeSet};

use stockroom_core::storage::Table;

use super::fleet::identity;
use super::watch::Watch;
use super::{Check, Findings, Scene};
use crate::observe::{Act, Observation, RowChange, Seen};

/// A till at a node that is up waits at most a second.
pub struct Served {
    watch: Watch,
    /// Since when nodes are up.
    up_since_ms: BTreeMap<u32, u64>,
}

impl Served {
    /// With what all checks share.
    pub fn new(watch: Watch) -> Self {
        Self { watch, up_since_ms: BTreeMap::new() }
    }
}

impl Check for Served {
    fn name(&self) -> &'static str {
        "I31 tills are served"
    }

    fn meaning(&self) -> &'static str {
        "a till at a node that is up and not suspended has its answer within a second, whatever else is down"
    }

    fn observe(&mut self, seen: &Observation, scene: &Scene<'_>, findings: &mut Findings) {
        let paused_until_ms = self.watch.see(seen, scene).marks(seen.node).paused_until_ms;
        match &seen.what {
            Seen::Started { .. } => drop(self.up_since_ms.insert(seen.node, seen.at_ms)),
            Seen::Stopped(_) => drop(self.up_since_ms.remove(&seen.node)),
            // Staff wait for a quiet moment before they count; a till never does.
            Seen::Acknowledged(deed) if matches!(deed.what, Act::Sale { .. }) => {
                let waited_ms = seen.at_ms.saturating_sub(deed.asked_ms);
                let up = self.up_since_ms.get(&seen.node).is_some_and(|since| *since <= deed.asked_ms);
                if waited_ms > WAIT_MS_MAX && up && paused_until_ms <= deed.asked_ms {
                    let message =
                        format!("node {} was up and let a till wait {waited_ms} ms for {:?}", seen.node, deed.what);
                    findings.report(self, scene, seen.node, message);
                }
            }
            Seen::Committed(_)
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

/// What a mass reconnect cost so far.
#[derive(Default)]
struct Bill {
    sent: u64,
    stored: u64,
    nodes: BTreeSet<u32>,
    /// When something new was stored last.
    news_ms: u64,
}

/// A storm costs at most twice what was missing.
pub struct Storm {
    watch: Watch,
    bill: Option<Bill>,
}

impl Storm {
    /// With what all checks share.
    pub fn new(watch: Watch) -> Self {
        Self { watch, bill: None }
    }

    fn settle(&mut self, scene: &Scene<'_>, findings: &mut Findings) {
        let Some(bill) = self.bill.take() else { return };
        let bound = 2 * bill.stored + OVERHEAD_BYTES * bill.nodes.len() as u64;
        if bill.sent > bound {
            let message = format!(
                "after a mass reconnect {} nodes sent {} bytes for {} bytes that were missing; {bound} are allowed",
                bill.nodes.len(),
                bill.sent,
                bill.stored
            );
            findings.report(self, scene, 0, message);
        }
    }
}

impl Check for Storm {
    fn name(&self) -> &'static str {
        "I32 storm bound"
    }

    fn meaning(&self) -> &'static str {
        "after a mass reconnect at most twice the missing bytes are sent, and a fixed amount per node"
    }

    fn observe(&mut self, seen: &Observation, scene: &Scene<'_>, findings: &mut Findings) {
        drop(self.watch.see(seen, scene));
        if matches!(&seen.what, Seen::Marked { name, .. } if name.ends_with(STORM)) {
            self.settle(scene, findings);
            self.bill = Some(Bill { news_ms: seen.at_ms, ..Bill::default() });
        }
        let Some(bill) = &mut self.bill else { return };
        match &seen.what {
            Seen::Sent { bytes, .. } => {
                bill.sent += *bytes as u64;
                bill.nodes.insert(seen.node);
            }
            Seen::Committed(rows) => {
                let stored = stored_from_others(seen.node, rows, scene);
                if stored > 0 {
                    bill.stored += stored;
                    bill.news_ms = seen.at_ms;
                }
            }
            Seen::Started { .. }
            | Seen::Stopped(_)
            | Seen::Connected { .. }
            | Seen::Disconnected { .. }
            | Seen::Told(_)
            | Seen::Acknowledged(_)
            | Seen::Unanswered { .. }
            | Seen::Marked { .. } => {}
        }
        if seen.at_ms > bill.news_ms + QUIET_MS {
            self.settle(scene, findings);
        }
    }

    fn end(&mut self, scene: &Scene<'_>, findings: &mut Findings) {
        self.settle(scene, findings);
    }
}

/// Bytes of rows that came over links: entries, seals and cells of others.
fn stored_from_others(node: u32, rows: &[RowChange], scene: &Scene<'_>) -> u64 {
    let holding = scene.union.nodes.get(&node);
    let from_others = |row: &&RowChange| {
        let author = match row.table {
            Table::Runs | Table::Seals => {
                let number = row.key.get(..4).and_then(|key| key.try_into().ok()).map_or(0, u32::from_be_bytes);
                let log = holding.and_then(|holding| holding.logs.get(&stockroom_core::journal::LogNumber(number)));
                log.map(|log| log.id.actor.node.0)
            }
            Table::Cells => stockroom_core::books::cells::writer_of(&row.key).ok().map(|actor| actor.node.0),
            _ => None,
        };
        author.is_some_and(|author| author != identity(node))
    };
    let length = |row: &RowChange| row.new.as_ref().map_or(0, |value| (row.key.len() + value.len()) as u64);
    rows.iter().filter(from_others).map(length).sum()
}

/// The mark that begins a storm ends with these words.
const STORM: &str = "reconnect storm";

/// The longest that a till may wait.
const WAIT_MS_MAX: u64 = 1_000;

/// Nothing new for so long ends a storm.
const QUIET_MS: u64 = 30_000;

/// Greetings with heads and subscriptions, acknowledgements, pulses of half a minute: what each node may send beside.
const OVERHEAD_BYTES: u64 = 64 * 1024;
