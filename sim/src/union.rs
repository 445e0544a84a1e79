//! The union of all logs: what every node has durable, told from the rows that it committed.

use std::collections::BTreeMap;

use stockroom_core::journal::{Log, LogNumber};
use stockroom_core::storage::Table;
use stockroom_crdt::chain::{Head, LogId};
use stockroom_crdt::scope::Scope;

use crate::observe::{Observation, RowChange, Seen};

/// Who holds what.
#[derive(Default)]
pub struct Union {
    /// By node.
    pub nodes: BTreeMap<u32, Holding>,
    /// The furthest that anybody has come, per log (whichever history).
    pub furthest: BTreeMap<LogId, u64>,
}

/// What one node's disk holds.
#[derive(Clone, Default)]
pub struct Holding {
    /// Its logs, branches of forks among them.
    pub logs: BTreeMap<LogNumber, HeldLog>,
    /// How far it holds each log, over all of its histories.
    pub reach: BTreeMap<LogId, u64>,
    /// Its numbers of scopes.
    pub scopes: BTreeMap<u32, Scope>,
}

/// One log on one disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldLog {
    /// Whose, of which scope.
    pub id: LogId,
    /// How far.
    pub head: Head,
    /// How far signatures reach.
    pub sealed_seq: u64,
    /// It is a branch: the log that it parts from, and the last common number.
    pub parent: Option<(LogNumber, u64)>,
}

impl Union {
    /// Follows what happened. Gives the logs that moved.
    pub fn observe(&mut self, seen: &Observation) -> Vec<(LogNumber, Option<HeldLog>, HeldLog)> {
        let Seen::Committed(rows) = &seen.what else { return Vec::new() };
        let holding = self.nodes.entry(seen.node).or_default();
        let mut moved = Vec::new();
        for row in rows {
            match row.table {
                Table::Logs => moved.extend(holding.log_row(row)),
                Table::Scopes => holding.scope_row(row),
                _ => {}
            }
        }
        for (_, _, log) in &moved {
            let furthest = self.furthest.entry(log.id.clone()).or_default();
            *furthest = (*furthest).max(log.head.seq);
        }
        moved
    }

    /// The node's disk was replaced: this is what it holds now.
    pub fn replaced(&mut self, node: u32, rows: &[RowChange]) {
        let mut holding = Holding::default();
        for row in rows {
            match row.table {
                Table::Logs => drop(holding.log_row(row)),
                Table::Scopes => holding.scope_row(row),
                _ => {}
            }
        }
        self.nodes.insert(node, holding);
    }

    /// How far a node holds a log, over all of its histories.
    pub fn held(&self, node: u32, id: &LogId) -> u64 {
        self.nodes.get(&node).and_then(|holding| holding.reach.get(id)).copied().unwrap_or(0)
    }
}

impl Holding {
    fn log_row(&mut self, row: &RowChange) -> Option<(LogNumber, Option<HeldLog>, HeldLog)> {
        let number = LogNumber(u32::from_be_bytes(row.key.as_slice().try_into().ok()?));
        let log = Log::from_row(row.new.as_ref()?).expect("a node writes rows that can be read");
        let sealed_seq = log.sealed_seq();
        let parent = log.parent.map(|place| (place.log, place.seq));
        let held = HeldLog { id: log.id, head: log.head, sealed_seq, parent };
        let reach = self.reach.entry(held.id.clone()).or_default();
        *reach = (*reach).max(held.head.seq);
        let before = self.logs.insert(number, held.clone());
        Some((number, before, held))
    }

    fn scope_row(&mut self, row: &RowChange) {
        let number = row.new.as_ref().and_then(|bytes| stockroom_core::books::cells::scope_row_number(bytes).ok());
        if let (Some(number), Ok(scope)) = (number, Scope::from_bytes(&row.key)) {
            self.scopes.insert(number, scope);
        }
    }
}
