//! Faults of a disk and of what it says who a node is: power cuts, errors, rot, lies, images, clones, swaps.

use stockroom_crdt::chain::LogId;
use stockroom_crdt::scope::Scope;

use super::{Play, Todo, Undo, token_after};
use crate::disk::fault::{Fault, Strike};
use crate::disk::{Disk, FaultyDisk};
use crate::plan::{TokenFate, Who};
use crate::world::CLONES_FROM;

impl Play<'_> {
    /// The power goes in the middle of a coming commit.
    pub(super) fn power_cut(&mut self, who: Who, steps: u64, ms: u64) {
        let id = self.cast.node(who);
        let Some(disk) = self.platter(id) else { return };
        self.mark("D2 power cut", id, Some(self.world.now_ms + ms), format!("after {steps} steps of the disk"));
        disk.arm(steps + 1);
        self.broken.armed.insert(id);
        self.broken.returns.insert(id, ms);
    }

    pub(super) fn disk_error(&mut self, who: Who, calls: u64) {
        let id = self.cast.node(who);
        let Some(disk) = self.platter(id) else { return };
        let fault = if calls.is_multiple_of(2) { Fault::WriteError } else { Fault::SyncError };
        self.mark("D4 disk error", id, None, format!("{} at call {calls}", fault.name()));
        disk.plan(fault, Strike::Once(1 + calls));
    }

    pub(super) fn disk_full(&mut self, who: Who) {
        let id = self.cast.node(who);
        let Some(disk) = self.platter(id) else { return };
        self.mark("D6 disk full", id, Some(self.world.now_ms + FULL_MS), String::new());
        disk.fill(0);
        self.at(self.world.now_ms + FULL_MS, Todo::Undo(Undo::Room(id)));
    }

    /// There is room again, and no call fails any more.
    pub(super) fn make_room(&mut self, id: u32) {
        if let Disk::Platter(disk) = &self.world.nodes[&id].disk {
            disk.heal();
        }
    }

    /// Bits flip while the node is down for a moment.
    pub(super) fn rot(&mut self, who: Who, bits: u64) {
        let id = self.cast.node(who);
        let Some(disk) = self.platter(id) else { return };
        self.mark("D7 rot", id, None, format!("{bits} bits"));
        self.excuse(id);
        self.world.vanish(id);
        disk.rot(bits as u32, None);
    }

    /// Syncs lie from now on; then the power goes.
    pub(super) fn lie(&mut self, who: Who, ms: u64) {
        let id = self.cast.node(who);
        let Some(disk) = self.platter(id) else { return };
        self.mark("D5 lying sync", id, Some(self.world.now_ms + ms), String::new());
        disk.plan(Fault::LyingSync, Strike::From(1));
        self.at(self.world.now_ms + ms, Todo::Undo(Undo::Power(id)));
    }

    pub(super) fn lie_comes_out(&mut self, id: u32) {
        let Some(disk) = self.platter(id) else { return };
        self.mark("D5 lying sync", id, None, "the power goes".into());
        self.excuse(id);
        self.world.vanish(id);
        disk.heal();
        self.reread(id);
    }

    /// Keeps a copy of a disk and its token.
    pub(super) fn take_image(&mut self, id: u32) {
        let image = (self.world.nodes[&self.box_of(id)].disk.image(), self.world.nodes[&id].token.clone());
        self.broken.images.insert(id, image);
    }

    /// Where a node's disk is just now.
    fn box_of(&self, id: u32) -> u32 {
        self.broken.swapped.get(&id).copied().unwrap_or(id)
    }

    /// Sets a disk back to the copy.
    pub(super) fn restore(&mut self, who: Who, fate: TokenFate) {
        let id = self.cast.node(who);
        let Some((disk, token)) = self.broken.images.remove(&id) else { return };
        if !self.world.is_up(id) {
            return;
        }
        self.mark("D10 restore", id, None, format!("token {fate:?}").to_lowercase());
        self.excuse(id);
        self.world.vanish(id);
        let node = self.world.nodes.get_mut(&id).expect("it was up");
        node.disk = disk;
        node.token = token_after(fate, node.token.take(), token);
        self.reread(id);
    }

    /// A second process with the same identity, from an image of now.
    pub(super) fn clone_node(&mut self, who: Who, ms: u64) {
        let id = self.cast.node(who);
        let clone = CLONES_FROM + id;
        if !self.world.is_up(id) || self.world.nodes.contains_key(&clone) {
            return;
        }
        self.mark("D11 clone", id, Some(self.world.now_ms + ms), String::new());
        let node = &self.world.nodes[&id];
        let mut twin = node.twin();
        twin.disk = node.disk.image();
        twin.token.clone_from(&node.token);
        twin.commits = Some(std::sync::Arc::default());
        let peers = self.world.peers_of(id);
        self.world.nodes.insert(clone, twin);
        self.written_off.insert(clone);
        for peer in peers {
            self.world.want(clone, peer);
        }
        self.reread(clone);
        self.world.start(clone);
        self.at(self.world.now_ms + ms, Todo::Undo(Undo::EndClone(clone)));
    }

    pub(super) fn end_clone(&mut self, clone: u32) {
        if self.world.is_up(clone) {
            self.world.vanish(clone);
        }
        for peer in self.world.peers_of(clone) {
            self.world.cut(clone, peer);
        }
    }

    /// Two stores' disks change places.
    pub(super) fn swap(&mut self, a: Who, b: Who, ms: u64) {
        let (a, b) = (self.cast.node(a), self.cast.node(b));
        if a == b || !self.world.is_up(a) || !self.world.is_up(b) {
            return;
        }
        let until = self.world.now_ms + ms;
        for (id, other) in [(a, b), (b, a)] {
            self.mark("D12 swap", id, Some(until), String::new());
            self.broken.swapped.insert(id, other);
            self.world.vanish(id);
        }
        self.exchange(a, b);
        for id in [a, b] {
            self.world.start(id);
            self.look();
            assert!(!self.world.is_up(id), "a node does not start on another's disk");
        }
        self.at(until, Todo::Undo(Undo::SwapBack(a, b)));
    }

    pub(super) fn swap_back(&mut self, a: u32, b: u32) {
        self.exchange(a, b);
        for id in [a, b] {
            self.broken.swapped.remove(&id);
            self.start(id);
        }
    }

    /// A node's disk is replaced by an empty one.
    pub(super) fn wipe(&mut self, id: u32, name: &'static str) {
        self.mark(name, id, None, String::new());
        self.excuse(id);
        if self.world.is_up(id) {
            self.world.vanish(id);
            self.look();
        } else {
            self.fell(id);
        }
        let place = self.box_of(id);
        let node = self.world.nodes.get_mut(&place).expect("everybody of ours exists");
        node.disk = match &node.disk {
            Disk::Memory(_) => Disk::default(),
            Disk::Platter(_) => Disk::Platter(FaultyDisk::new(u64::from(id) + self.event)),
        };
        self.union.nodes.remove(&id);
    }

    /// What this disk holds and nobody else may be lost from now on, whoever wrote it: its author's disk may have been set back before.
    pub(crate) fn excuse(&mut self, id: u32) {
        let others: Vec<u32> =
            self.cast.all().filter(|other| *other != id && !self.written_off.contains(other)).collect();
        // Who holds the number may hold another history of it: the end of the run looks at the entry itself.
        let sure = |log: &LogId, seq: u64| {
            let held = others.iter().filter(|other| self.passes_on(**other, log)).any(|other| {
                let logs = self.union.nodes.get(other).into_iter().flat_map(|holding| holding.logs.values());
                logs.filter(|held| held.id == *log).any(|held| held.parent.is_none() && held.sealed_seq >= seq)
            });
            held && !self.forked(log)
        };
        let here = |log: &LogId, seq: u64| self.union.held(id, log) >= seq;
        let mut lost = Vec::new();
        for (number, deed) in self.truth.promised.iter().enumerate() {
            let Some((log, seq, _)) = &deed.entry else { continue };
            if (log.actor.node.0 == id || here(log, *seq)) && !sure(log, *seq) {
                lost.push(number);
            }
        }
        let own = self.cast.store_of(id);
        let mut excused = Vec::new();
        for (&store, truth) in &self.truth.stores {
            for (number, deed) in truth.deeds.iter().enumerate() {
                let Some((log, seq, _)) = &deed.entry else { continue };
                if (own == Some(store) || here(log, *seq)) && !sure(log, *seq) {
                    excused.push((store, number));
                }
            }
        }
        self.excused_promises.extend(lost);
        self.excused.extend(excused);
    }

    /// What somebody who is gone for good had told goes up and no longer sideways: only hubs pass it on, and get it, but for rights, which
    /// hubs ask of everybody.
    pub(crate) fn passes_on(&self, holder: u32, log: &LogId) -> bool {
        let gone = self.written_off.contains(&log.actor.node.0);
        !gone || self.cast.store_of(holder).is_none() || matches!(log.scope, Scope::StoreRights(_))
    }

    /// True when somebody holds a branch of this log.
    fn forked(&self, id: &LogId) -> bool {
        let mut logs = self.union.nodes.values().flat_map(|holding| holding.logs.values());
        logs.any(|held| held.parent.is_some() && held.id == *id)
    }

    /// The disk is another one than the union believes: it looks again.
    fn reread(&mut self, id: u32) {
        let rows = crate::oracle::all_rows(&self.world.nodes[&id].disk);
        self.union.replaced(id, &rows);
    }

    fn exchange(&mut self, a: u32, b: u32) {
        let take = |play: &mut Self, id: u32| std::mem::take(&mut play.world.nodes.get_mut(&id).expect("a store").disk);
        let (first, second) = (take(self, a), take(self, b));
        self.world.nodes.get_mut(&a).expect("a store").disk = second;
        self.world.nodes.get_mut(&b).expect("a store").disk = first;
    }

    /// The platter of a running node that has one.
    fn platter(&self, id: u32) -> Option<FaultyDisk> {
        match &self.world.nodes[&id].disk {
            Disk::Platter(disk) if self.world.is_up(id) => Some(disk.clone()),
            Disk::Platter(_) | Disk::Memory(_) => None,
        }
    }
}

/// How long a disk stays full before somebody makes room.
const FULL_MS: u64 = 120_000;
