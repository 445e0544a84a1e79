//! The second phase: the faults stop, and the healthy core has its time to come together. Then the sum of it all.

use std::collections::{BTreeMap, BTreeSet};

use stockroom_core::books;
use stockroom_core::journal::{LogNumber, Place, entry_at};
use stockroom_core::limits::REOPEN_AFTER_MS;
use stockroom_core::rights;
use stockroom_core::view::View;
use stockroom_crdt::chain::LogId;
use stockroom_crdt::ids::{Actor, Digest, StoreId};
use stockroom_crdt::money::Unit;
use stockroom_crdt::stock::policy::Allocation;
use stockroom_crdt::stock::rights::{Account, Class};

use super::{Play, Todo};
use crate::cast::{Cast, sku};
use crate::checks::Scene;
use crate::outcome::{Outcome, Verdict, Violation};
use crate::trace::TraceHash;
use crate::union::Union;
use crate::world::World;

/// How the second phase went.
pub(crate) struct Settled {
    /// After how long everything agreed, milliseconds; `None` if it did not.
    pub(crate) after_ms: Option<u64>,
    /// Something still moved when the time was up.
    pub(crate) moving: bool,
}

impl Play<'_> {
    /// Stops all faults, waits, and lets the checks have their last word.
    pub(crate) fn settle(&mut self) -> Settled {
        self.heal();
        self.hands.rest();
        self.tills.closing = true;
        let healed_ms = self.world.now_ms;
        self.recorder.healed(healed_ms);
        let end_ms = healed_ms + self.plan.liveness_ms;
        let mut agreed = None;
        while self.world.now_ms < end_ms && !self.stopped() {
            let next = self.world.now_ms + LOOK_MS;
            self.play_to(next);
            if self.agrees() {
                agreed = Some(self.world.now_ms - healed_ms);
                break;
            }
        }
        let moving = self.world.now_ms - self.moved_ms < STILL_MS;
        self.recorder.agreed(agreed.map(|after| healed_ms + after));
        let quiet = self.world.now_ms + QUIET_MS;
        self.play_to(quiet);
        if agreed.is_some() {
            self.finish_orders();
            self.agree_again();
        }
        if agreed.is_some() && self.is_overtaken() {
            // A second process of one identity was there; when it is gone for a while the first begins anew.
            let next = self.world.now_ms + REOPEN_AFTER_MS + LOOK_MS;
            self.play_to(next);
            self.agree_again();
        }
        if self.plan.scarce && agreed.is_some() {
            self.ask_for_what_is_free();
            // Hubs spread rights now and then: what is under way arrives.
            self.agree_again();
        }
        self.declare_losses();
        self.check_end();
        Settled { after_ms: agreed, moving }
    }

    /// Somebody holds what a second process wrote as a node in an epoch after the node's own.
    fn is_overtaken(&self) -> bool {
        let held = || self.union.nodes.values().flat_map(|holding| holding.logs.values());
        let mut own = self.cast.all().filter(|id| !self.written_off.contains(id) && self.world.is_up(*id));
        own.any(|id| {
            let epoch = self.world.status(id).epoch;
            held().any(|log| log.id.actor.node.0 == id && log.id.actor.epoch > epoch)
        })
    }

    fn agree_again(&mut self) {
        for _ in 0..ROUNDS_MAX {
            let next = self.world.now_ms + LOOK_MS;
            self.play_to(next);
            if self.agrees() {
                break;
            }
        }
    }

    /// Every healthy node holds what it ought to, everybody was served, and every link has told all it had to tell.
    fn agrees(&self) -> bool {
        let healthy = |id: &u32| !self.written_off.contains(id) && self.world.is_up(*id);
        let lagging = self.behind();
        let waiting = self.desks.iter().any(|(desk, queue)| {
            !queue.is_empty() && self.cast.stores.get(&desk.0).is_some_and(|id| !self.written_off.contains(id))
        });
        let served = self.orders_are_served() && self.buyers_are_served() && self.terminals_are_settled();
        if lagging.is_some() || waiting || !served {
            return false;
        }
        let links = self.cast.links(&self.world);
        let mut linked = links.iter().filter(|(a, b)| healthy(a) && healthy(b));
        if !linked.all(|(a, b)| self.world.is_connected(*a, *b)) {
            return false;
        }
        self.cast.all().filter(|id| healthy(id)).all(|id| self.world.status(id).peers.iter().all(|peer| peer.drained))
    }

    /// A node that lacks something that another healthy node has for it.
    fn behind(&self) -> Option<(u32, LogId)> {
        let healthy: BTreeSet<u32> = self.cast.all().filter(|id| !self.written_off.contains(id)).collect();
        let mut most: BTreeMap<&LogId, u64> = BTreeMap::new();
        for (&id, holding) in self.union.nodes.iter().filter(|(id, _)| healthy.contains(id)) {
            for log in holding.logs.values().filter(|log| self.passes_on(id, &log.id)) {
                let most = most.entry(&log.id).or_default();
                *most = (*most).max(log.sealed_seq);
            }
        }
        for id in &healthy {
            for (log, seq) in &most {
                if self.cast.ought_to_hold(*id, log) && self.passes_on(*id, log) && self.union.held(*id, log) < *seq {
                    return Some((*id, (*log).clone()));
                }
            }
        }
        None
    }

    /// Tells what was lost with a disk from what was lost by the code.
    fn declare_losses(&mut self) {
        let hub = self.cast.hubs[0];
        for (store, number) in std::mem::take(&mut self.excused) {
            let deed = &self.truth.stores[&store].deeds[number];
            let kept = match &deed.entry {
                Some(entry) => holds(&self.world, &self.union, hub, entry),
                None => false,
            };
            if !kept {
                self.truth.declared_lost.insert((store, number));
            }
        }
        for number in std::mem::take(&mut self.excused_promises) {
            let entry = self.truth.promised[number].entry.as_ref();
            if !entry.is_some_and(|entry| holds(&self.world, &self.union, hub, entry)) {
                self.truth.promised_lost.insert(number);
            }
        }
    }

    /// The sum of a run.
    pub(crate) fn outcome(mut self, settled: Option<Settled>) -> Outcome {
        let verdict = match &settled {
            _ if !self.findings.violations.is_empty() => Verdict::Violated,
            Some(Settled { after_ms: None, moving: true }) => Verdict::Slow,
            Some(Settled { after_ms: None, moving: false }) => Verdict::Stuck,
            Some(_) => Verdict::Held,
            None => Verdict::Violated,
        };
        if matches!(verdict, Verdict::Slow | Verdict::Stuck) {
            self.tell_who_is_behind(verdict);
        }
        let state = self.state();
        let orders = self.order_figures();
        let ops = self.truth.stores.values().map(|store| store.deeds.len() as u64).sum();
        let lost = self.findings.violations.iter().filter(|found| found.check.starts_with("I9 ")).count() as u64;
        let simulated_ms = self.world.now_ms - self.start_ms;
        let fleet = &self.plan.fleet;
        let sum = self.recorder.finish(self.world.now_ms, &self.cast);
        let mut reached = sum.reached;
        reached.extend(self.world.reached().into_iter().map(|(name, times)| (name.to_owned(), times)));
        Outcome {
            scenario: self.plan.scenario.to_owned(),
            seed: self.plan.seed,
            stores: fleet.stores,
            hubs: fleet.hubs,
            disk: fleet.disk,
            simulated_s: simulated_ms as f64 / 1_000.0,
            wall_s: 0.0,
            speedup: 0.0,
            events: self.event,
            ops,
            messages: sum.messages,
            bytes_up: sum.bytes_up,
            bytes_down: sum.bytes_down,
            bytes_across: sum.bytes_across,
            faults: sum.faults,
            reached,
            violations: std::mem::take(&mut self.findings.violations),
            verdict,
            converge_s: settled.and_then(|settled| settled.after_ms).unwrap_or(self.plan.liveness_ms) as f64 / 1_000.0,
            till_blocked: sum.till_blocked,
            till_wait_ms_max: sum.till_wait_ms_max,
            lost_acked: lost,
            declared_lost: self.truth.declared_lost.len() as u64,
            crash_images: 0,
            trace_hash: self.trace_hash(),
            state_hash: state.to_string(),
            scaling: self.plan.scaling.clone(),
            orders,
            by_hand: std::mem::take(&mut self.hands).into_acts(),
            record: sum.record,
        }
    }

    /// Rights that nobody uses must not be stuck: with all links up, who asks gets one.
    fn ask_for_what_is_free(&mut self) {
        let mut asked = 0;
        let stores: Vec<u32> = self.cast.stores.keys().copied().collect();
        for (store, product) in stores.into_iter().flat_map(|store| [(store, 0), (store, 1)]) {
            if asked >= PROBES_MAX || self.idle_rights(store, product) == 0 {
                continue;
            }
            asked += 1;
            let hub = self.cast.hub_of[&self.cast.stores[&store]];
            let mut got = false;
            for round in 0..PROBE_ROUNDS {
                if self.reserve_free(hub, (store, product), asked << 8 | round) {
                    got = true;
                    break;
                }
                let next = self.world.now_ms + PROBE_MS;
                self.play_to(next);
            }
            let idle = self.idle_rights(store, product);
            if !got && idle > 0 {
                self.findings.violations.push(Violation {
                    check: "I30 free rights can be used".into(),
                    at_ms: self.world.now_ms - self.start_ms,
                    event: self.event,
                    node: hub,
                    message: format!(
                        "{idle} rights to product {product} at store {store} lie idle, and {} asked {PROBE_ROUNDS} times and got none",
                        self.cast.name(hub)
                    ),
                    story: self.final_story(),
                });
            }
        }
    }

    /// Rights that a running node holds and may give up, as the home knows it; none where a rule keeps them in their places.
    fn idle_rights(&self, store: u32, product: u16) -> u64 {
        let node = self.cast.stores[&store];
        let hub = self.cast.hub_of[&node];
        let healthy = |id: u32| !self.written_off.contains(&id) && self.world.is_up(id);
        if !healthy(node) || !healthy(hub) || self.world.status(node).rights_locked {
            return 0;
        }
        let snapshot = self.world.snapshot(node);
        let account = Account { store: StoreId(store), sku: sku(product), unit: Unit::Each };
        let view = View::new(&*snapshot);
        let rule = rights::rules(&*snapshot).and_then(|rules| rights::rule_for(&rules, &view, &account.sku));
        let is_home = view.store(account.store).is_ok_and(|record| record.is_some_and(|record| record.home.0 == node));
        if !is_home || !rule.is_ok_and(|rule| rule.is_some_and(|rule| rule.allocation != Allocation::Static)) {
            return 0;
        }
        // A hub that was set back may have forgotten its catalogue, and promises nothing that it does not know.
        let at_hub = self.world.snapshot(hub);
        if !View::new(&*at_hub).product(&account.sku).is_ok_and(|product| product.is_some()) {
            return 0;
        }
        let held = books::rights::rights(&*snapshot, &account, Class::Goods).unwrap_or_default();
        let retired = rights::known::retired(&*snapshot, account.store).unwrap_or_default();
        let lives = self.cast.all().filter(|id| healthy(*id) && !self.world.status(*id).rights_locked);
        let lives = lives.map(|id| Actor::new(id, self.world.status(id).epoch.0));
        lives.filter(|life| !retired.contains(life)).map(|life| held.held(life)).sum()
    }

    fn tell_who_is_behind(&mut self, verdict: Verdict) {
        let message = match self.behind() {
            Some((id, log)) => format!(
                "{} holds {} entries of {} of node {} epoch {}, others {}",
                self.cast.name(id),
                self.union.held(id, &log),
                log.scope,
                log.actor.node.0,
                log.actor.epoch.0,
                self.union.furthest.get(&log).copied().unwrap_or(0),
            ),
            None => "a link has not told all it has to tell, or somebody was not served".into(),
        };
        let word = if verdict == Verdict::Slow { "slow" } else { "stuck" };
        self.findings.violations.push(Violation {
            check: "I30 healthy nodes come together".into(),
            at_ms: self.world.now_ms - self.start_ms,
            event: self.event,
            node: 0,
            message: format!("{word} after {} s: {message}", self.plan.liveness_ms / 1_000),
            story: self.final_story(),
        });
    }

    fn final_story(&self) -> Vec<String> {
        let scene = Scene {
            world: &self.world,
            union: &self.union,
            truth: &self.truth,
            written_off: &self.written_off,
            start_ms: self.start_ms,
            event: self.event,
            now_ms: self.world.now_ms,
        };
        story(&scene, &self.cast)
    }

    /// A hash over what every node holds in the end.
    fn state(&self) -> TraceHash {
        let mut hash = TraceHash::default();
        for (node, holding) in &self.union.nodes {
            hash.bytes(&node.to_be_bytes());
            let logs: BTreeSet<_> =
                holding.logs.values().map(|log| (log.id.to_bytes(), log.head.seq, log.head.hash.0)).collect();
            for (id, seq, head) in logs {
                hash.bytes(&id);
                hash.bytes(&seq.to_be_bytes());
                hash.bytes(&head);
            }
        }
        hash
    }

    fn trace_hash(&self) -> String {
        self.trace().to_string()
    }

    /// Ends what is still planned beside the plan.
    pub(crate) fn forget_steps(&mut self) {
        self.agenda.retain(|_, todo| !matches!(todo, Todo::Step(_) | Todo::Undo(_) | Todo::ByHand(_)));
    }
}

/// True when a node holds exactly this entry, in any history of its log.
pub(crate) fn holds(world: &World, union: &Union, node: u32, entry: &(LogId, u64, Digest)) -> bool {
    let (id, seq, digest) = entry;
    let Some(holding) = union.nodes.get(&node).filter(|_| world.is_up(node)) else { return false };
    let snapshot = world.snapshot(node);
    let at = |log: LogNumber| entry_at(&*snapshot, Place { log, seq: *seq }).ok().flatten();
    let mut logs = holding.logs.iter().filter(|(_, log)| log.id == *id && log.head.seq >= *seq);
    logs.any(|(number, _)| at(*number).is_some_and(|item| item.digest() == *digest))
}

/// What each node knew, in a few lines.
pub(crate) fn story(scene: &Scene<'_>, cast: &Cast) -> Vec<String> {
    let mut lines = Vec::new();
    for id in cast.all().take(STORY_NODES) {
        let name = cast.name(id);
        if !scene.world.is_up(id) {
            lines.push(format!("{name} (node {id}) is down"));
            continue;
        }
        let status = scene.world.status(id);
        let links = status.peers.iter().map(|peer| {
            let state = if !peer.ready {
                "greeting"
            } else if peer.drained {
                "drained"
            } else {
                "sending"
            };
            format!("{} {state}", cast.name(peer.node.0))
        });
        let links: Vec<_> = links.collect();
        lines.push(format!(
            "{name} (node {id}) in epoch {}: {} entries not at the hub, links: {}",
            status.epoch.0,
            status.backlog.entries,
            if links.is_empty() { "none".into() } else { links.join(", ") },
        ));
        if let Some(holding) = scene.union.nodes.get(&id) {
            let log = |log: &crate::union::HeldLog| {
                let branch = if log.parent.is_some() { " (branch)" } else { "" };
                format!("{}/{} {}: {}{branch}", log.id.actor.node.0, log.id.actor.epoch.0, log.id.scope, log.head.seq)
            };
            let logs: Vec<_> = holding.logs.values().take(STORY_LOGS).map(log).collect();
            lines.push(format!("  holds {}", logs.join(", ")));
        }
    }
    lines
}

/// How often the second phase looks whether all agree.
const LOOK_MS: u64 = 1_000;

/// Without a log moving for so long, a run is stuck rather than slow.
const STILL_MS: u64 = 60_000;

/// After all agree: time for acknowledgements and tokens before the last checks.
const QUIET_MS: u64 = 12_000;

/// Nodes and logs in a story.
const STORY_NODES: usize = 16;
const STORY_LOGS: usize = 24;

/// Accounts whose free rights are asked for in the end.
const PROBES_MAX: u32 = 4;

/// How often, and how long apart: a request goes from hub to hub and back.
const PROBE_ROUNDS: u32 = 20;
const PROBE_MS: u64 = 4_000;

/// Looks for the last entries to arrive.
const ROUNDS_MAX: u32 = 120;
