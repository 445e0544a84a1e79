//! Nodes as processes: they start, take inputs, die between any two effects, are suspended, and fail.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::PoisonError;

use rand_core::Rng;
use stockroom_core::core::Core;
use stockroom_core::input::{Answer, CoreError, Input, LinkId, Output};
use stockroom_core::time::Now;

use super::World;
use super::paths::Delivery;
use crate::observe::{Seen, Stop};

impl World {
    /// Starts a node that is not running. A disk that cannot be opened ends an unobserved world.
    pub fn start(&mut self, id: u32) {
        let mut seed = [0; 32];
        self.rng.fill_bytes(&mut seed);
        let now_ms = self.now_ms;
        let node = self.node_mut(id);
        let opened = catch_unwind(AssertUnwindSafe(|| node.start(now_ms, seed)));
        match opened {
            Ok(Ok(())) => {
                let boot = self.nodes[&id].boot;
                self.note(id, || Seen::Started { boot });
                self.note_commits(id);
                self.drain(id);
                self.schedule(id);
                if self.redials {
                    self.dial_all(id);
                }
            }
            Ok(Err(error)) => self.fail(id, &error),
            Err(panic) => self.panicked(id, &*panic),
        }
    }

    /// Stops a node without warning; its connections are gone, its disk keeps what was committed.
    pub fn crash(&mut self, id: u32) {
        self.stop(id, Stop::Crash);
        for link in self.links_of(id) {
            self.disconnect(link);
        }
    }

    /// Stops a node without warning; its peers find out when they hear nothing for a while.
    pub fn vanish(&mut self, id: u32) {
        self.stop(id, Stop::Crash);
        for link in self.links_of(id) {
            self.abandon(link, id);
        }
    }

    /// Switches a node off in good order: it seals, says goodbye and is gone.
    pub fn switch_off(&mut self, id: u32) {
        if !self.is_up(id) {
            return;
        }
        self.input(id, Input::Stop);
        self.stop(id, Stop::Planned);
        for link in self.links_of(id) {
            self.disconnect(link);
        }
    }

    /// Suspends a node: nothing that arrives is handled, no timer fires, until it goes on.
    pub fn suspend(&mut self, id: u32) {
        let node = self.node_mut(id);
        if node.core.is_some() {
            node.suspended = true;
            self.schedule(id);
            for link in self.links_of(id) {
                self.mute(link);
            }
        }
    }

    /// Lets a suspended node go on with what waited.
    pub fn resume(&mut self, id: u32) {
        let node = self.node_mut(id);
        if !std::mem::take(&mut node.suspended) {
            return;
        }
        for input in std::mem::take(&mut node.inbox) {
            self.input(id, input);
        }
        self.schedule(id);
        for link in self.links_of(id) {
            self.unmute(link);
        }
    }

    /// Gives a node any input, commits, and carries its outputs out.
    pub fn input(&mut self, id: u32, input: Input) {
        let now_ms = self.now_ms;
        let Some(node) = self.nodes.get_mut(&id) else { return };
        if node.suspended {
            node.inbox.push(input);
            return;
        }
        let now = node.now(now_ms);
        if node.core.is_none() {
            return;
        }
        // Nothing at all, handled and not durable, durable and not told: the power may go at each of these.
        let handled = !self.burns(id) && self.does(id, |core| core.handle(now, input));
        let durable = handled && !self.burns(id) && self.does(id, |core| core.commit(now));
        self.note_commits(id);
        if durable && !self.burns(id) {
            self.drain(id);
        }
        self.schedule(id);
    }

    /// Wakes a node whose deadline has come.
    pub(super) fn wake(&mut self, id: u32) {
        let now_ms = self.now_ms;
        let node = self.node_mut(id);
        let again = node.wakes.0 == now_ms;
        node.wakes = (now_ms, if again { node.wakes.1 + 1 } else { 1 });
        if node.wakes.1 > WAKES_MAX {
            self.panicked(id, &"it wakes again and again without an end");
            return;
        }
        self.input(id, Input::Wake);
    }

    /// Carries a node's outputs out.
    fn drain(&mut self, id: u32) {
        loop {
            let mut next = None;
            let polled = self.does(id, |core| {
                next = core.poll()?;
                Ok(())
            });
            let Some(output) = next.filter(|_| polled) else { return };
            if self.burns(id) {
                return;
            }
            self.carry_out(id, output);
        }
    }

    fn carry_out(&mut self, id: u32, output: Output) {
        match output {
            Output::Token(token) => self.node_mut(id).token = Some(token),
            Output::Reply(request, answer) => {
                let place = match &answer {
                    Ok(
                        Answer::Written { place, .. } | Answer::Reserved { place, .. } | Answer::Placed { place, .. },
                    ) => Some(*place),
                    _ => None,
                };
                if let Some((place, digest)) = place.and_then(|place| Some((place, self.entry(id, place)?))) {
                    self.told.insert(id, (place, digest));
                }
                self.replies.insert(request.0, answer);
            }
            Output::Send(link, lane, bytes) => self.send(id, link, lane, bytes),
            Output::Close(link, why) => {
                let peer = self.other_end(link, id).unwrap_or(0);
                if self.seen.is_none() {
                    self.closed.push((self.now_ms, id, why.clone()));
                }
                self.note(id, || Seen::Disconnected { peer, closed: Some(why) });
                self.hang_up(link);
                if peer != super::PUPPET {
                    self.dial_later(id, peer);
                }
            }
            Output::Event(event) => {
                if self.seen.is_none() {
                    self.events.push((self.now_ms, id, event.clone()));
                }
                self.note(id, || Seen::Told(event));
            }
            Output::Introduced(_) => {}
        }
    }

    /// Lets a core do something. False when that was the end of it.
    fn does(&mut self, id: u32, what: impl FnOnce(&mut Core) -> Result<(), CoreError>) -> bool {
        let Some(core) = self.nodes.get_mut(&id).and_then(|node| node.core.as_mut()) else { return false };
        match catch_unwind(AssertUnwindSafe(|| what(core))) {
            Ok(Ok(())) => true,
            Ok(Err(error)) => {
                self.note_commits(id);
                self.fail(id, &error);
                false
            }
            Err(panic) => {
                self.note_commits(id);
                self.panicked(id, &*panic);
                false
            }
        }
    }

    /// One effect less until the node dies; true when that was the last.
    fn burns(&mut self, id: u32) -> bool {
        let node = self.node_mut(id);
        let Some(left) = node.fuse else { return false };
        node.fuse = left.checked_sub(1);
        if left == 0 {
            self.vanish(id);
        }
        left == 0
    }

    /// The core gave up. Opening an entry that crashes is tried once more without it, as the shell does.
    fn fail(&mut self, id: u32, error: &CoreError) {
        if self.seen.is_none() {
            panic!("node {id} failed: {error}");
        }
        if let CoreError::Poisoned(entry) = error {
            self.vanish(id);
            self.node_mut(id).quarantine = Some(*entry);
            self.start(id);
            return;
        }
        self.end(id, Stop::Failed(error.to_string()));
    }

    fn panicked(&mut self, id: u32, panic: &(dyn std::any::Any + Send)) {
        let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
        let text = text.unwrap_or("a panic without words").to_owned();
        if self.seen.is_none() {
            panic!("node {id} panicked: {text}");
        }
        self.end(id, Stop::Panicked(text));
    }

    fn end(&mut self, id: u32, why: Stop) {
        self.stop(id, why);
        for link in self.links_of(id) {
            self.abandon(link, id);
        }
    }

    fn stop(&mut self, id: u32, why: Stop) {
        let was_up = self.is_up(id);
        if let Some(core) = &self.nodes[&id].core {
            for (name, times) in &core.counters().reached {
                *self.past_reached.entry(name).or_default() += times;
            }
        }
        self.node_mut(id).stop();
        self.schedule(id);
        if was_up || matches!(why, Stop::Failed(_) | Stop::Panicked(_)) {
            self.note(id, || Seen::Stopped(why));
        }
    }

    fn note_commits(&mut self, id: u32) {
        let Some(commits) = &self.nodes[&id].commits else { return };
        let commits = std::mem::take(&mut *commits.lock().unwrap_or_else(PoisonError::into_inner));
        for rows in commits {
            self.note(id, || Seen::Committed(rows));
        }
    }

    /// Keeps the node's place among the deadlines.
    pub(super) fn schedule(&mut self, id: u32) {
        let now_ms = self.now_ms;
        let node = self.nodes.get_mut(&id).expect("the node exists");
        let deadline = node.core.as_ref().filter(|_| !node.suspended).and_then(Core::deadline);
        let due = deadline.map(|mono| node.world_ms(mono).max(now_ms));
        let before = std::mem::replace(&mut node.due_ms, due);
        if before != due {
            before.map(|at| self.deadlines.remove(&(at, id)));
            due.map(|at| self.deadlines.insert((at, id)));
        }
    }

    /// A node's clocks run fast or slow from now on.
    pub fn drift(&mut self, id: u32, ppm: i32) {
        let now_ms = self.now_ms;
        self.node_mut(id).set_drift(now_ms, ppm);
        self.schedule(id);
    }

    /// A node's wall clock jumps.
    pub fn step_clock(&mut self, id: u32, ms: i64) {
        let node = self.node_mut(id);
        node.clock_error_ms = node.clock_error_ms.saturating_add(ms);
    }

    /// A node's clocks are right from now on.
    pub fn set_clock_right(&mut self, id: u32) {
        self.drift(id, 0);
        let now_ms = self.now_ms;
        let node = self.node_mut(id);
        let shown = node.now(now_ms).wall_ms as i64;
        node.clock_error_ms += now_ms as i64 - shown;
    }

    /// What a node's clocks show now.
    pub fn clock(&self, id: u32) -> Now {
        self.nodes[&id].now(self.now_ms)
    }

    /// Tells a running node's link that it is up.
    pub(super) fn link_up(&mut self, id: u32, link: LinkId, other: u32, window: usize) {
        let peer = self.peer(other);
        self.note(id, || Seen::Connected { peer: other });
        self.input(id, Input::LinkUp(link, peer));
        self.input(id, Input::Writable(link, window));
    }

    /// Lets the node go on after a time.
    pub fn resume_later(&mut self, id: u32, ms: u64) {
        self.later_ms(ms, Delivery::Resume(id));
    }
}

/// Wakes within one millisecond after which a node is said to be in a busy loop.
const WAKES_MAX: u32 = 5_000;
