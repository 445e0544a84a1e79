//! What every picture of a run needs: who took part, when it ended, when the faults stopped and when all agreed.

use std::collections::{BTreeMap, BTreeSet};

use super::picture::{Picture, Shape};
use super::words;
use crate::outcome::{FaultSpan, Outcome};

/// A run's nodes and moments.
pub struct Course<'a> {
    /// The run.
    pub outcome: &'a Outcome,
    /// Nodes in the record's order, then those that only a fault or a figure names.
    pub nodes: Vec<u32>,
    /// When it ended, milliseconds from its start.
    pub end_ms: u64,
    /// When all healthy nodes agreed, if they did.
    pub agreed_ms: Option<u64>,
    names: BTreeMap<u32, String>,
}

impl<'a> Course<'a> {
    /// Reads a run.
    pub fn new(outcome: &'a Outcome) -> Self {
        let record = &outcome.record;
        let names: BTreeMap<u32, String> = record.nodes.iter().cloned().collect();
        let struck = record.faults.iter().chain(&record.down).flat_map(|span| span.nodes.iter());
        let further: BTreeSet<u32> = struck.chain(record.lag.keys()).copied().collect();
        let nodes = record.nodes.iter().map(|(node, _)| *node);
        let nodes = nodes.chain(further.into_iter().filter(|node| !names.contains_key(node))).collect();
        let simulated_ms = (outcome.simulated_s * 1000.0) as u64;
        let end_ms = if record.end_ms > 0 { record.end_ms } else { simulated_ms };
        Self { outcome, nodes, end_ms, agreed_ms: record.agreed_ms, names }
    }

    /// What people call a node.
    pub fn name(&self, node: u32) -> String {
        self.names.get(&node).filter(|name| !name.is_empty()).cloned().unwrap_or_else(|| format!("node {node}"))
    }

    /// Names of nodes in one sentence; of many only the first.
    pub fn names(&self, nodes: &[u32]) -> String {
        let first: Vec<_> = nodes.iter().take(NAMES_MAX).map(|node| words::fitted(&self.name(*node), 40)).collect();
        match nodes.len().saturating_sub(NAMES_MAX) {
            0 => first.join(", "),
            more => format!("{} and {} more", first.join(", "), words::count(more as u64)),
        }
    }

    /// A fault in words.
    pub fn fault(&self, span: &FaultSpan) -> String {
        let lasts = match span.to_ms.saturating_sub(span.from_ms) {
            0 => String::new(),
            _ if span.to_ms >= self.end_ms => " to the end".to_owned(),
            ms => format!(" for {}", words::lasting(ms)),
        };
        let at = if span.nodes.is_empty() { String::new() } else { format!("; {}", self.names(&span.nodes)) };
        let detail = words::fitted(&span.detail, 120);
        let detail = if detail.is_empty() { detail } else { format!("; {detail}") };
        format!("{}: {}{lasts}{at}{detail}", words::fitted(&span.name, 60), words::moment(span.from_ms))
    }

    /// Draws the two moments into a picture of time.
    pub fn mark_moments(&self, picture: &mut Picture) {
        let healed = self.outcome.record.healed_ms;
        let above = picture.y.to - (picture.y.from - picture.y.to) * 11.0 / f64::from(picture.inner_height);
        let unit = picture.unit_x();
        let shown = |ms: u64| ms > 0 && ms <= self.end_ms.max(1_000);
        if shown(healed) {
            picture.rule(healed as f64, "stop", format!("faults stop: {}", words::moment(healed)));
            let room_before = healed as f64 > 90.0 * unit;
            if room_before {
                let at = (healed as f64 - 4.0 * unit, above);
                picture.add(Shape::WordsBefore(at, "faults stop".to_owned()), "stop-word", "");
            }
        }
        if let Some(agreed) = self.agreed_ms.filter(|ms| shown(*ms)) {
            picture.rule(agreed as f64, "agree", format!("all agree: {}", words::moment(agreed)));
            let room_after = picture.x.to - agreed as f64 > 50.0 * unit;
            if room_after {
                let at = (agreed as f64 + 4.0 * unit, above);
                picture.add(Shape::WordsAfter(at, "all agree".to_owned()), "agree-word", "");
            }
        }
    }

    /// The two moments for a picture's key.
    pub fn moments_key(&self) -> Vec<(&'static str, String)> {
        let stop = (self.outcome.record.healed_ms > 0).then(|| ("stop", "faults stop".to_owned()));
        stop.into_iter().chain(self.agreed_ms.map(|_| ("agree", "all agree".to_owned()))).collect()
    }
}

const NAMES_MAX: usize = 4;
