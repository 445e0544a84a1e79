//! Fences: which entries of a node that is no longer believed still count.
//!
//! A fence names, for each history of each of the node's logs, the last entry that counts and the hash there. An entry counts if
//! it lies on the way to one of these: sequence numbers alone would let a history that was written afterwards slip in. The
//! verdict is a function of the entries that are held, so it does not matter when the fence came.

use std::collections::BTreeMap;

use stockroom_crdt::control::{Fence, FenceCut};
use stockroom_crdt::entry::{Fact, kind};
use stockroom_crdt::ids::NodeId;
use stockroom_crdt::limits::FENCE_CUTS_MAX;
use stockroom_crdt::scope::Scope;

use crate::books::cells;
use crate::journal::{Journal, LogNumber, Place};
use crate::plant::{Plant, planted};
use crate::storage::{Snapshot, StoreError};

/// The fences that this replica knows.
#[derive(Default)]
pub struct Fences {
    by_node: BTreeMap<NodeId, Fence>,
}

impl Fences {
    /// What `control` says now, across its writers.
    pub fn load(journal: &Journal, snapshot: &(impl Snapshot + ?Sized)) -> Result<Self, StoreError> {
        let mut by_node = BTreeMap::new();
        if let Some(control) = journal.feed(&Scope::Control) {
            for entry in cells::winners(snapshot, control.number, kind::FENCE, &[])? {
                if let Fact::Fence(fence) = entry.fact {
                    by_node.insert(fence.node, fence);
                }
            }
        }
        Ok(Self { by_node })
    }

    /// True when nothing by `node` counts any more except up to the fence's cuts.
    pub fn has(&self, node: NodeId) -> bool {
        !planted(Plant::IgnoreFences) && self.by_node.contains_key(&node)
    }

    /// True when the entry at `place` counts.
    pub fn admit(&self, journal: &Journal, snapshot: &dyn Snapshot, place: Place) -> Result<bool, StoreError> {
        let log = journal.log(place.log).expect("judged entries stand in known logs");
        let Some(fence) = self.by_node.get(&log.id.actor.node).filter(|_| !planted(Plant::IgnoreFences)) else {
            return Ok(true);
        };
        let of_log = |cut: &&FenceCut| cut.epoch == log.id.actor.epoch && cut.scope == log.id.scope;
        for cut in fence.cuts.iter().filter(of_log).filter(|cut| place.seq <= cut.seq) {
            if leads_to(journal, snapshot, place, cut)? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// The cuts at which `node` is fenced now: what is signed in each of its histories, so that every replica can get there.
pub fn cuts(journal: &Journal, snapshot: &dyn Snapshot, node: NodeId) -> Result<Vec<FenceCut>, StoreError> {
    let mut cuts = Vec::new();
    for (number, log) in journal.logs_by(node) {
        let (epoch, scope, seq) = (log.id.actor.epoch, log.id.scope.clone(), log.sealed_seq());
        if let Some(hash) = journal.hash_at(snapshot, number, seq)?.filter(|_| seq > 0) {
            cuts.push(FenceCut { epoch, scope, seq, hash });
        }
    }
    // The newest logs are worth more than the oldest, should there ever be too many.
    let surplus = cuts.len().saturating_sub(FENCE_CUTS_MAX);
    Ok(cuts.split_off(surplus))
}

/// Whether the entry at `place` lies on a history that has the cut's hash, or may still grow to it while none has.
fn leads_to(journal: &Journal, snapshot: &dyn Snapshot, place: Place, cut: &FenceCut) -> Result<bool, StoreError> {
    let id = &journal.log(place.log).expect("judged entries stand in known logs").id;
    let here = journal.hash_at(snapshot, place.log, place.seq)?;
    let main = journal.find(id).map(|(number, _)| number);
    let histories: Vec<LogNumber> = main.into_iter().chain(journal.branches(id).map(|(number, _)| number)).collect();
    let mut reached = false;
    for number in histories {
        if journal.hash_at(snapshot, number, cut.seq)? == Some(cut.hash) {
            reached = true;
            if journal.hash_at(snapshot, number, place.seq)? == here {
                return Ok(true);
            }
        }
    }
    let may_grow = journal.log(place.log).is_some_and(|log| log.head.seq < cut.seq);
    Ok(!reached && may_grow)
}
