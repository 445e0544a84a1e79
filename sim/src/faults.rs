//! Injectors: what goes wrong, how it is done to the world, and how it ends.
//!
//! A fault that cannot strike (its node is down, its disk has no platter) does nothing and is not counted. [`disks`] knows faults
//! that concern a node's disk and identity, [`hostile`] what whoever holds a store's keys can do; the rest stands here.

pub mod disks;
pub mod hostile;

use std::collections::{BTreeMap, BTreeSet};

use crate::disk::Disk;
use crate::link::LinkSpec;
use crate::observe::Stop;
use crate::plan::{Fault, NEVER, TokenFate, Who};
use crate::run::{Play, Todo};

/// All injectors: number and name as in a run's output, and what they do.
pub const INJECTORS: &[(&str, &str)] = &[
    ("N1 degrade", "a path gets slow, thin, jittery and lossy for a while"),
    ("N4 partition", "a path swallows everything; both ends notice after the idle time-out"),
    ("N5 one-way cut", "nothing gets through one way"),
    ("N6 flapping", "a path comes and goes"),
    ("N7 isolate", "a node reaches nobody"),
    ("N7 carrier down", "the links of a group of stores to their hubs are gone at once"),
    ("N8 swizzle", "nodes are clogged one after another and let go in another order"),
    ("N10 reset", "a connection is lost with what was under way"),
    ("N13 reconnect storm", "all stores lose their hub and dial again at once"),
    ("P1 crash", "a process dies, also between any two effects, and comes back"),
    ("P2 crash loop", "it dies again while it recovers"),
    ("P3 pause", "a machine is suspended and goes on later with what waited"),
    ("P9 blackout", "a street, a district or a hub loses its power at once"),
    ("P10 switched off", "a shop switches its box off in good order: not an outage"),
    ("D2 power cut", "the power goes in the middle of a commit; unsynced sectors are lost, torn, reordered, shortened"),
    ("D4 disk error", "the n-th write or sync fails once: the node stops itself"),
    (
        "D5 lying sync",
        "the disk says that it wrote and did not, then the power goes: the token is ahead, a new epoch opens",
    ),
    ("D6 disk full", "nothing can be written any more: the node stops itself"),
    ("D7 rot", "bits flip at rest: found when the node starts"),
    ("D10 restore", "a disk is set back to an older image; the token is kept, set back or lost"),
    ("D11 clone", "a second process runs with the same identity"),
    ("D12 swap", "two stores' disks are swapped: refused"),
    ("D13 wipe", "a disk is replaced by an empty one"),
    ("C1 drift", "a clock runs fast or slow"),
    ("C2 clock step", "a clock jumps, by seconds to years, also backwards"),
    ("C3 boot date", "a node starts in 1970, in 2099, or at another wrong time"),
    ("B1 equivocation", "a store's keys sign two histories of one log"),
    ("B2 forged author", "entries in another author's name"),
    ("B3 wrong scope", "entries where the author has no say"),
    ("B6 future dates", "entries dated far ahead"),
    ("B7 false hub", "catalogue from somebody who is no hub"),
    ("B8 huge ranges", "requests for everything there ever could be"),
    ("B9 mutated frames", "frames with bytes changed"),
    ("N2 replay", "frames of earlier sessions, again"),
    ("W5 catalogue push", "head office changes many products at once"),
    ("W9 till retry storm", "tills send their last sales again"),
    ("W13 fence", "head office stops believing a store whose keys were stolen"),
    ("W15 shrinkage", "goods vanish unseen"),
    ("W16 decree", "head office writes off the rights of a node"),
    ("W17 another box", "a store's node is replaced by a new one"),
    ("W19 campaigns", "head office says what points are worth, and makes campaigns"),
    ("W18 tariff", "head office sets prices and promotions, from now, from later or from earlier on"),
];

/// What is broken for now.
#[derive(Default)]
pub(crate) struct Broken {
    /// Images of disks with their tokens.
    images: BTreeMap<u32, (Disk, Option<Vec<u8>>)>,
    /// After how long a node that falls comes back.
    returns: BTreeMap<u32, u64>,
    /// How often it will die while it recovers.
    loops: BTreeMap<u32, u8>,
    /// Its power goes in the middle of a commit.
    armed: BTreeSet<u32>,
    /// Starts that failed in a row.
    failures: BTreeMap<u32, u32>,
    /// Whose disk is in the wrong box, and in whose.
    swapped: BTreeMap<u32, u32>,
}

/// How a fault ends.
pub(crate) enum Undo {
    /// A way opens again.
    Unblock(u32, u32),
    /// A path is as it was.
    Path(u32, u32, LinkSpec),
    /// A flapping path changes once more: so many times, with this period, and now it closes.
    Flap(u32, u32, u32, u64, bool),
    /// A node starts.
    Start(u32),
    /// A suspended node goes on.
    Resume(u32),
    /// A clone is switched off for good.
    EndClone(u32),
    /// Disks go back to their boxes.
    SwapBack(u32, u32),
    /// The power goes, so that a lie comes out.
    Power(u32),
    /// There is room on the disk again.
    Room(u32),
    /// All links to hubs are back at once.
    Storm(Vec<(u32, u32)>),
}

impl Play<'_> {
    /// A fault strikes.
    pub(crate) fn strike(&mut self, fault: &Fault) {
        let now_ms = self.world.now_ms;
        match fault {
            Fault::Cut(a, b, ms) => {
                let pair = self.pair(*a, *b);
                self.mark("N4 partition", pair.0, Some(now_ms + ms), format!("from {}", self.cast.name(pair.1)));
                self.block_both(pair, *ms);
            }
            Fault::CutOneWay(a, b, ms) => {
                let (from, to) = self.pair(*a, *b);
                self.mark("N5 one-way cut", from, Some(now_ms + ms), format!("to {}", self.cast.name(to)));
                self.world.block(from, to);
                self.at(now_ms + ms, Todo::Undo(Undo::Unblock(from, to)));
            }
            Fault::Flap(a, b, times, period) => {
                let (a, b) = self.pair(*a, *b);
                let until = now_ms + u64::from(*times) * period;
                self.mark("N6 flapping", a, Some(until), format!("{times} times, every {period} ms"));
                self.undo(Undo::Flap(a, b, *times, *period, true));
            }
            Fault::Isolate(who, ms) => {
                let id = self.cast.node(*who);
                self.mark("N7 isolate", id, Some(now_ms + ms), String::new());
                for peer in self.world.peers_of(id) {
                    self.block_both((id, peer), *ms);
                }
            }
            Fault::CarrierDown(group, ms) => {
                for who in group {
                    let id = self.cast.node(*who);
                    self.mark("N7 carrier down", id, Some(now_ms + ms), String::new());
                    if let Some(hub) = self.cast.hub_of.get(&id).copied() {
                        self.block_both((id, hub), *ms);
                    }
                }
            }
            Fault::Swizzle(group, ms) => self.swizzle(group, *ms),
            Fault::Degrade(a, b, spec, ms) => {
                let (a, b) = self.pair(*a, *b);
                self.mark("N1 degrade", a, Some(now_ms + ms), format!("to {}", self.cast.name(b)));
                let before = self.world.replace_path(a, b, spec.clone());
                self.at(now_ms + ms, Todo::Undo(Undo::Path(a, b, before)));
            }
            Fault::Reset(a, b) => {
                let (a, b) = self.pair(*a, *b);
                self.mark("N10 reset", a, None, format!("from {}", self.cast.name(b)));
                self.world.reset(a, b);
            }
            Fault::ReconnectStorm(ms) => self.cut_all_hubs(*ms),
            Fault::Crash(who, effects, ms) => self.crash(*who, *effects, *ms),
            Fault::CrashLoop(who, times) => {
                let id = self.cast.node(*who);
                if self.world.is_up(id) {
                    self.mark("P2 crash loop", id, None, format!("{times} times"));
                    self.broken.loops.insert(id, *times);
                    self.broken.returns.insert(id, RESTART_MS);
                    self.world.vanish(id);
                }
            }
            Fault::Pause(who, ms) => {
                let id = self.cast.node(*who);
                if self.world.is_up(id) {
                    self.mark("P3 pause", id, Some(now_ms + ms), String::new());
                    self.world.suspend(id);
                    self.at(now_ms + ms, Todo::Undo(Undo::Resume(id)));
                }
            }
            Fault::SwitchOff(who, ms) => {
                let id = self.cast.node(*who);
                if self.world.is_up(id) {
                    self.mark("P10 switched off", id, Some(now_ms + ms), String::new());
                    self.world.switch_off(id);
                    self.at(now_ms + ms, Todo::Undo(Undo::Start(id)));
                }
            }
            Fault::Blackout(group, ms) => {
                for who in group {
                    let id = self.cast.node(*who);
                    if self.world.is_up(id) {
                        self.mark("P9 blackout", id, Some(now_ms + ms), String::new());
                        self.broken.returns.insert(id, *ms);
                        self.world.vanish(id);
                    }
                }
            }
            Fault::Drift(who, ppm) => {
                let id = self.cast.node(*who);
                self.mark("C1 drift", id, None, format!("{ppm} ppm"));
                self.world.drift(id, *ppm);
            }
            Fault::StepClock(who, ms) => {
                let id = self.cast.node(*who);
                self.mark("C2 clock step", id, None, format!("{ms} ms"));
                self.world.step_clock(id, *ms);
            }
            Fault::BootAt(who, wall_ms) => {
                let id = self.cast.node(*who);
                if self.world.is_up(id) {
                    self.mark("C3 boot date", id, None, format!("{wall_ms} ms since 1970"));
                    self.broken.returns.insert(id, RESTART_MS);
                    self.world.vanish(id);
                    let error = *wall_ms as i64 - (now_ms + RESTART_MS) as i64;
                    self.world.nodes.get_mut(&id).expect("it was up").clock_error_ms = error;
                }
            }
            Fault::PowerCut(who, steps, ms) => self.power_cut(*who, *steps, *ms),
            Fault::DiskError(who, calls) => self.disk_error(*who, *calls),
            Fault::DiskFull(who) => self.disk_full(*who),
            Fault::Rot(who, bits) => self.rot(*who, *bits),
            Fault::LyingSync(who, ms) => self.lie(*who, *ms),
            Fault::TakeImage(who) => self.take_image(self.cast.node(*who)),
            Fault::Restore(who, fate) => self.restore(*who, *fate),
            Fault::Clone(who, ms) => self.clone_node(*who, *ms),
            Fault::SwapDisks(a, b, ms) => self.swap(*a, *b, *ms),
            Fault::Wipe(who) => self.wipe(self.cast.node(*who), "D13 wipe"),
            Fault::Hostile(kind, target) => self.attack(*kind, *target),
        }
        self.look();
    }

    /// A fault ends.
    pub(crate) fn undo(&mut self, undo: Undo) {
        let now_ms = self.world.now_ms;
        match undo {
            Undo::Unblock(from, to) => self.world.unblock(from, to),
            Undo::Path(a, b, spec) => self.world.set_path(a, b, spec),
            Undo::Flap(a, b, left, period, closes) => {
                for (from, to) in [(a, b), (b, a)] {
                    if closes { self.world.block(from, to) } else { self.world.unblock(from, to) }
                }
                if !closes {
                    self.world.reset(a, b);
                }
                let left = left - u32::from(!closes);
                if closes || left > 0 {
                    self.at(now_ms + period / 2, Todo::Undo(Undo::Flap(a, b, left, period, !closes)));
                }
            }
            Undo::Start(id) => self.start(id),
            Undo::Resume(id) => {
                self.world.resume(id);
                self.look();
                if let Some(store) = self.cast.store_of(id) {
                    self.able(store, now_ms);
                }
            }
            Undo::EndClone(id) => self.end_clone(id),
            Undo::SwapBack(a, b) => self.swap_back(a, b),
            Undo::Power(id) => self.lie_comes_out(id),
            Undo::Room(id) => self.make_room(id),
            Undo::Storm(pairs) => {
                self.mark("N13 reconnect storm", self.cast.hubs[0], None, format!("{} links", pairs.len()));
                for (a, b) in pairs {
                    self.world.unblock(a, b);
                    self.world.unblock(b, a);
                }
            }
        }
        self.look();
    }

    /// The faults stop: paths open, machines go on, clocks are right, disks have room. What is written off stays broken.
    pub(crate) fn heal(&mut self) {
        let pending: Vec<Undo> = self.take_undos();
        for undo in pending {
            match undo {
                // Paths are opened together below; a flapping one must not close again.
                Undo::Unblock(..) | Undo::Flap(..) | Undo::Storm(_) => {}
                other => self.undo(other),
            }
        }
        self.forget_steps();
        self.broken.loops.clear();
        self.world.unblock_all();
        for id in self.cast.all().collect::<Vec<_>>() {
            if self.written_off.contains(&id) {
                continue;
            }
            self.world.set_clock_right(id);
            self.make_room(id);
            self.broken.armed.remove(&id);
            self.world.nodes.get_mut(&id).expect("everybody of ours exists").fuse = None;
            if !self.world.is_up(id) {
                self.start(id);
            }
        }
        self.look();
    }

    /// Starts a node; a loop makes it die again on the way.
    pub(crate) fn start(&mut self, id: u32) {
        if self.world.is_up(id) || self.written_off.contains(&id) || self.broken.swapped.contains_key(&id) {
            return;
        }
        if let Some(left) = self.broken.loops.get_mut(&id).filter(|left| **left > 0) {
            *left -= 1;
            let effects = u32::from(*left);
            self.world.nodes.get_mut(&id).expect("everybody of ours exists").fuse = Some(effects);
        }
        self.world.start(id);
        self.look();
        if self.world.is_up(id) {
            self.broken.failures.remove(&id);
        }
    }

    /// A node fell: somebody switches it on again, unless it is gone for good.
    pub(crate) fn fell(&mut self, id: u32) {
        if id >= crate::world::CLONES_FROM || self.broken.swapped.contains_key(&id) {
            return;
        }
        match self.broken.returns.remove(&id).unwrap_or(RESTART_MS) {
            NEVER => {
                self.written_off.insert(id);
                self.excuse(id);
            }
            wait => {
                let at = self.world.now_ms + wait;
                self.at(at, Todo::Undo(Undo::Start(id)));
            }
        }
    }

    /// A node stopped itself or panicked. It is started again; when that fails thrice, its disk is replaced.
    pub(crate) fn broke(&mut self, id: u32, why: &Stop) {
        if id >= crate::world::CLONES_FROM || self.broken.swapped.contains_key(&id) {
            return;
        }
        if self.broken.armed.remove(&id) {
            return self.fell(id);
        }
        let failures = self.broken.failures.entry(id).or_default();
        *failures += 1;
        if *failures >= STARTS_MAX && matches!(why, Stop::Failed(_)) {
            self.broken.failures.remove(&id);
            return self.wipe(id, "D13 wipe");
        }
        let at = self.world.now_ms + SUPERVISOR_MS;
        self.at(at, Todo::Undo(Undo::Start(id)));
    }

    fn crash(&mut self, who: Who, effects: Option<u8>, ms: u64) {
        let id = self.cast.node(who);
        if !self.world.is_up(id) {
            return;
        }
        let until = (ms != NEVER).then(|| self.world.now_ms + ms);
        let detail = effects.map_or(String::new(), |effects| format!("after {effects} effects"));
        self.mark("P1 crash", id, until, if ms == NEVER { "for good".into() } else { detail });
        self.broken.returns.insert(id, ms);
        match effects {
            Some(effects) => {
                self.world.nodes.get_mut(&id).expect("it is up").fuse = Some(effects.into());
            }
            None => self.world.vanish(id),
        }
    }

    fn swizzle(&mut self, group: &[Who], ms: u64) {
        let now_ms = self.world.now_ms;
        let count = group.len() as u64;
        for (place, who) in (0..).zip(group) {
            let id = self.cast.node(*who);
            // The first to be clogged is the last to be let go.
            let (from, to) = (place * ms / (2 * count), ms - place * ms / (4 * count));
            self.mark("N8 swizzle", id, Some(now_ms + to), format!("from {from} ms on"));
            for peer in self.world.peers_of(id) {
                self.block_both((id, peer), to);
            }
        }
    }

    fn cut_all_hubs(&mut self, ms: u64) {
        let pairs: Vec<(u32, u32)> =
            self.cast.stores.values().filter_map(|id| Some((*id, *self.cast.hub_of.get(id)?))).collect();
        for (a, b) in &pairs {
            self.world.block(*a, *b);
            self.world.block(*b, *a);
        }
        let at = self.world.now_ms + ms;
        self.at(at, Todo::Undo(Undo::Storm(pairs)));
    }

    fn block_both(&mut self, (a, b): (u32, u32), ms: u64) {
        let at = self.world.now_ms + ms;
        for (from, to) in [(a, b), (b, a)] {
            self.world.block(from, to);
            self.at(at, Todo::Undo(Undo::Unblock(from, to)));
        }
    }

    fn pair(&self, a: Who, b: Who) -> (u32, u32) {
        (self.cast.node(a), self.cast.node(b))
    }

    fn take_undos(&mut self) -> Vec<Undo> {
        let all = std::mem::take(&mut self.agenda);
        let mut undos = Vec::new();
        for (at, todo) in all {
            match todo {
                Todo::Undo(undo) => undos.push(undo),
                other => drop(self.agenda.insert(at, other)),
            }
        }
        undos
    }
}

/// What a process takes to be back.
const RESTART_MS: u64 = 2_000;

/// What the supervisor waits before it starts a node again that stopped itself.
const SUPERVISOR_MS: u64 = 5_000;

/// Starts that may fail in a row before the disk is replaced.
const STARTS_MAX: u32 = 3;

/// Whether a token goes with its disk.
pub(crate) fn token_after(fate: TokenFate, now: Option<Vec<u8>>, then: Option<Vec<u8>>) -> Option<Vec<u8>> {
    match fate {
        TokenFate::Kept => now,
        TokenFate::SetBack => then,
        TokenFate::Lost => None,
    }
}
