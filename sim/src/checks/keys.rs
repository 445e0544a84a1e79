//! One effect per retry key, and receipts without gaps.

use std::collections::{BTreeMap, BTreeSet};

use stockroom_core::storage::Snapshot;
use stockroom_core::view::View;
use stockroom_crdt::chain::LogId;
use stockroom_crdt::entry::Fact;
use stockroom_crdt::ids::{Digest, StoreId};

use super::converge::stock_logs;
use super::fleet::{entries, is_healthy, snapshot, top_hub};
use super::watch::Watch;
use super::{Check, Findings, Scene};
use crate::observe::{Act, Deed, Observation, Seen};

/// Where a sale stands.
type Entry = (LogId, u64, Digest);

/// A sale that a till sends again gets the same answer.
pub struct SameAnswer {
    watch: Watch,
    /// Answers that took the place of lost ones: (store, till, till's number) to the entry, and the observation of the loss.
    renewed: BTreeMap<(u32, u32, u64), (Entry, u64)>,
}

impl SameAnswer {
    /// With what all checks share.
    pub fn new(watch: Watch) -> Self {
        Self { watch, renewed: BTreeMap::new() }
    }
}

impl Check for SameAnswer {
    fn name(&self) -> &'static str {
        "I19 same key, same answer"
    }

    fn meaning(&self) -> &'static str {
        "a sale that was acknowledged twice is the same entry both times, unless the disk was set back in between"
    }

    fn observe(&mut self, seen: &Observation, scene: &Scene<'_>, findings: &mut Findings) {
        let set_back = self.watch.see(seen, scene).marks(seen.node).set_back_event;
        let Seen::Acknowledged(Deed { store, what, entry: Some(entry), .. }) = &seen.what else { return };
        let Act::Sale { till, till_seq, .. } = what else { return };
        let key = (*store, *till, *till_seq);
        let truth = scene.truth.stores.get(store);
        let first = truth.and_then(|truth| truth.deeds.get(*truth.sales.get(&(*till, *till_seq))?)?.entry.as_ref());
        let renewed = self.renewed.get(&key);
        let Some(known) = renewed.map(|(entry, _)| entry).or(first) else { return };
        if known == entry {
            return;
        }
        // Only what was lost after the last answer may be answered anew.
        if set_back > renewed.map_or(0, |(_, since)| *since) {
            self.renewed.insert(key, (entry.clone(), set_back));
            return;
        }
        let message = format!(
            "node {} acknowledged sale {till_seq} of till {till} at store {store} as entry {} of {}, and before as entry {} of {}",
            seen.node, entry.1, entry.0.actor, known.1, known.0.actor
        );
        findings.report(self, scene, seen.node, message);
    }
}

/// Each sale counts once, and receipts are gapless.
pub struct OneEffect {
    watch: Watch,
}

impl OneEffect {
    /// With what all checks share.
    pub fn new(watch: Watch) -> Self {
        Self { watch }
    }

    fn check_store(&self, store: u32, at: (u32, &dyn Snapshot), scene: &Scene<'_>, findings: &mut Findings) {
        let (hub, snapshot) = at;
        let sales = sales(snapshot, store);
        let counted = counted(snapshot, store);
        if counted != sales.keys.len() as u64 {
            let message = format!(
                "hub {hub} counts {counted} receipts of store {store}, whose logs hold {} different sales{}",
                sales.keys.len(),
                sales.doubled()
            );
            findings.report(self, scene, hub, message);
        }
        for ((till, series), numbers) in &sales.receipts {
            let last = numbers.keys().next_back().copied().unwrap_or(0);
            if last != numbers.len() as u64 {
                let gap = (1..=last).find(|number| !numbers.contains_key(number)).unwrap_or(0);
                let message =
                    format!("receipt {gap} of till {till}, series {series} at store {store} is missing at hub {hub}");
                findings.report(self, scene, hub, message);
            }
            let forked = sales.histories > sales.logs;
            if let Some((number, _)) = numbers.iter().find(|(_, times)| **times > 1).filter(|_| !forked) {
                let message =
                    format!("receipt {number} of till {till}, series {series} at store {store} was given out twice");
                findings.report(self, scene, hub, message);
            }
        }
    }
}

impl Check for OneEffect {
    fn name(&self) -> &'static str {
        "I19 one effect per sale"
    }

    fn meaning(&self) -> &'static str {
        "in the end the top hub counts each sale once, and receipts are gapless and unique per till and series"
    }

    fn observe(&mut self, seen: &Observation, scene: &Scene<'_>, _findings: &mut Findings) {
        drop(self.watch.see(seen, scene));
    }

    fn end(&mut self, scene: &Scene<'_>, findings: &mut Findings) {
        let Some(hub) = top_hub(scene.world).filter(|&hub| is_healthy(scene, hub)) else { return };
        let Some(snapshot) = snapshot(scene, hub) else { return };
        let doubtful: BTreeSet<u32> = {
            let sight = self.watch.last();
            let fenced = sight.fences.keys().map(|(_, fenced)| *fenced);
            fenced.chain(scene.written_off.iter().copied()).collect()
        };
        for (store, nodes) in super::fleet::nodes_by_store(scene.world) {
            if !nodes.iter().any(|node| doubtful.contains(node)) {
                self.check_store(store, (hub, &*snapshot), scene, findings);
            }
        }
    }
}

/// Sales in the logs of one store.
#[derive(Default)]
struct Sales {
    /// (till, till's number), with how many entries there are.
    keys: BTreeMap<(u32, u64), u32>,
    /// (till, series) to receipt numbers, with how many sales have each.
    receipts: BTreeMap<(u32, u16), BTreeMap<u64, u32>>,
    logs: usize,
    histories: usize,
}

impl Sales {
    fn doubled(&self) -> String {
        let Some(((till, till_seq), times)) = self.keys.iter().find(|(_, times)| **times > 1) else {
            return String::new();
        };
        format!("; sale {till_seq} of till {till} stands there {times} times")
    }
}

fn sales(snapshot: &dyn Snapshot, store: u32) -> Sales {
    let mut out = Sales::default();
    for (number, log) in stock_logs(snapshot, store) {
        out.histories += 1;
        out.logs += usize::from(log.parent.is_none());
        entries(snapshot, number, |_, item| {
            if let Fact::Sale(sale) = &item.entry.fact {
                *out.keys.entry((sale.receipt.till.0, sale.till_seq)).or_default() += 1;
                let numbers = out.receipts.entry((sale.receipt.till.0, sale.receipt.series)).or_default();
                *numbers.entry(sale.receipt.sequence).or_default() += 1;
            }
        });
    }
    out
}

/// Receipts that the days of a store add up.
fn counted(snapshot: &dyn Snapshot, store: u32) -> u64 {
    View::new(snapshot).days(StoreId(store)).unwrap_or_default().iter().map(|day| day.receipts).sum()
}
