//! The state machine: one replica, its links, its timers. This file only dispatches.
//!
//! # The contract
//!
//! 1. `handle(now, input)` any number of times. It decides, and writes into the batch.
//! 2. `commit(now)` once. The batch is durable, or the core is finished.
//! 3. `poll()` until it gives `None`. Carry the outputs out in order; nothing leaves a node before it is durable.
//! 4. Sleep until the next input or `deadline()`, whichever is first; then from 1, with [`Input::Wake`] for a deadline.
//!
//! The first [`CoreError`], whatever gave it, finishes the core (fail-stop): the batch may be half made, and what is on disk is
//! unknown. From then on every call gives that error, and no output leaves. Only a core that is opened anew goes on.
//!
//! Time, chance and identity are arguments. A core never reads a clock, a socket or a file of its own.

use std::collections::VecDeque;
use std::sync::Arc;

use stockroom_crdt::entry::kind;
use stockroom_crdt::ids::{NodeId, StoreId};

use crate::books::days;
use crate::command;
use crate::ingest::IngestError;
use crate::input::{Command, CoreError, Event, Input, LinkId, Output, Refusal, RequestId};
use crate::plant::{Plant, planted};
use crate::replica::Replica;
use crate::status::{self, Status};
use crate::storage::{Reader, Store};
use crate::sync::Sync;
use crate::time::Now;

pub use crate::replica::counters::Counters;
pub use crate::replica::{Config, Identity, check_format};

/// One node's core.
pub struct Core {
    replica: Replica,
    sync: Sync,
    /// Waits for the commit.
    pending: Vec<Output>,
    /// May leave.
    outputs: VecDeque<Output>,
    stopping: bool,
    /// Why nothing is done any more.
    finished: Option<CoreError>,
}

impl Core {
    /// Opens a node on its database. Opens a new epoch if the evidence says that the database is not the one written last.
    pub fn open(config: Config, store: Box<dyn Store>, now: Now) -> Result<Self, CoreError> {
        let replica = Replica::open(config, store, now)?;
        let mut core = Self {
            replica,
            sync: Sync::default(),
            pending: Vec::new(),
            outputs: VecDeque::new(),
            stopping: false,
            finished: None,
        };
        core.commit(now)?;
        Ok(core)
    }

    /// Takes one input.
    pub fn handle(&mut self, now: Now, input: Input) -> Result<(), CoreError> {
        self.unless_finished(|core| core.take(now, input))
    }

    fn take(&mut self, now: Now, input: Input) -> Result<(), CoreError> {
        self.replica.now = now;
        match input {
            Input::Command(request, command) => self.on_command(request, *command),
            Input::LinkUp(id, peer) => {
                let node = peer.node;
                match self.sync.link_up(&self.replica, id, peer)? {
                    Some(refused) => self.pending.push(Output::Close(id, refused)),
                    None => self.pending.push(Output::Event(Event::Connected(node))),
                }
                Ok(())
            }
            Input::LinkDown(id) => {
                if let Some(node) = self.link_down(id) {
                    self.pending.push(Output::Event(Event::Disconnected(node)));
                }
                Ok(())
            }
            Input::TurnedAway(by) => {
                self.replica.turned_away_by(by);
                Ok(())
            }
            Input::Frame(id, bytes) => self.on_frame(id, &bytes),
            Input::Writable(id, bytes) => {
                self.sync.writable(id, bytes);
                Ok(())
            }
            Input::Zone { offset_s } => {
                self.replica.zone_offset_s = offset_s;
                Ok(())
            }
            Input::Zones(offsets) => {
                self.replica.order_desk.offsets_min = offsets.into_iter().collect();
                Ok(())
            }
            Input::Disk(space) => {
                self.replica.disk = space;
                Ok(())
            }
            Input::Wake => self.on_wake(),
            Input::Stop => {
                self.stopping = true;
                self.replica.seal_all()?;
                self.replica.want_token();
                self.sync.stop();
                Ok(())
            }
        }
    }

    /// Makes what was handled durable, and releases its outputs.
    pub fn commit(&mut self, now: Now) -> Result<(), CoreError> {
        self.unless_finished(|core| core.release(now))
    }

    fn release(&mut self, now: Now) -> Result<(), CoreError> {
        self.replica.now = now;
        let resting = self.replica.desk.resting;
        self.replica.settle_members()?;
        self.replica.settle_orders()?;
        self.replica.settle()?;
        self.replica.settle_orders()?;
        if !resting {
            self.replica.settle_loyalty()?;
        }
        self.replica.settle_notes()?;
        let events = std::mem::take(&mut self.replica.events);
        let fenced = events.iter().any(|event| matches!(event, Event::Entry { kind: kind::FENCE, .. }));
        let reopened = events.iter().any(|event| matches!(event, Event::EpochOpened(_)));
        let anew = self.replica.take_anew();
        let token = self.replica.commit()?;
        let stores = std::mem::take(&mut self.replica.changed_stores);
        self.sync.committed(&mut self.replica, &stores)?;
        self.outputs.extend(token.map(Output::Token));
        self.outputs.extend(self.pending.drain(..));
        self.outputs.extend(events.into_iter().map(Output::Event));
        if reopened || anew {
            // Cursors into the old feed mean nothing any more: everybody greets us anew.
            self.replica.links_dropped();
            self.replica.member_desk.linked = false;
            for id in self.sync.drop_all() {
                let why = if reopened { "a new epoch was opened" } else { "feeds begin anew" };
                self.outputs.push_back(Output::Close(id, why.into()));
            }
        }
        if fenced {
            let fenced = self.sync.fenced(&self.replica);
            self.outputs.extend(fenced.into_iter().map(|id| Output::Close(id, "the peer is fenced".into())));
        }
        Ok(())
    }

    /// The next thing to do for the shell.
    pub fn poll(&mut self) -> Result<Option<Output>, CoreError> {
        self.unless_finished(|core| {
            if let Some(output) = core.outputs.pop_front() {
                return Ok(Some(output));
            }
            let send = core.sync.next_send(&mut core.replica)?;
            Ok(send.map(|(id, lane, bytes)| Output::Send(id, lane, bytes)))
        })
    }

    /// Does something that may be the last thing.
    fn unless_finished<T>(&mut self, act: impl FnOnce(&mut Self) -> Result<T, CoreError>) -> Result<T, CoreError> {
        if let Some(error) = &self.finished {
            return Err(error.clone());
        }
        let outcome = act(self);
        if let Err(error) = &outcome {
            self.finished = Some(error.clone());
            self.pending.clear();
            self.outputs.clear();
        }
        outcome
    }

    /// When the core wants [`Input::Wake`], on the monotonic clock.
    pub fn deadline(&self) -> Option<u64> {
        let replica = &self.replica;
        let timers = [
            replica.seal_deadline(),
            replica.reopen_deadline(),
            replica.token_deadline(),
            replica.parked.deadline(),
            self.sync.deadline(replica),
            replica.rights_deadline(),
            replica.orders_deadline(),
            replica.members_deadline(),
            command::day::rollover_deadline(replica),
        ];
        let next = timers.into_iter().flatten().min();
        if planted(Plant::BusyWake) && replica.counters.commits > 100 {
            next.map(|_| self.replica.now.mono_ms)
        } else {
            next
        }
    }

    /// A handle for readers; their snapshots never wait for commits.
    pub fn reader(&self) -> Arc<dyn Reader> {
        self.replica.reader()
    }

    /// The truth about this node at the last commit.
    pub fn status(&self) -> Result<Status, CoreError> {
        if let Some(error) = &self.finished {
            return Err(error.clone());
        }
        status::status(&self.replica, &self.sync)
    }

    /// What happened since the start.
    pub fn counters(&self) -> &Counters {
        &self.replica.counters
    }

    /// Throws the books of a store away and makes them again from the logs.
    pub fn rebuild(&mut self, store: StoreId) -> Result<(), CoreError> {
        self.unless_finished(|core| {
            core.replica.rest_once();
            core.replica.rebuild(store)
        })
    }

    fn on_command(&mut self, request: RequestId, command: Command) -> Result<(), CoreError> {
        let result = if self.stopping {
            Err(Refusal::State("the node is stopping".into()))
        } else {
            match command::run(&mut self.replica, command) {
                Ok(answer) => Ok(answer),
                Err(command::Failed::Refused(refusal)) => Err(refusal),
                Err(command::Failed::Core(error)) => return Err(error),
            }
        };
        self.pending.push(Output::Reply(request, result));
        Ok(())
    }

    fn on_frame(&mut self, id: LinkId, bytes: &[u8]) -> Result<(), CoreError> {
        match self.sync.frame(&mut self.replica, id, bytes, &mut self.pending) {
            Ok(()) => Ok(()),
            Err(IngestError::Core(error)) => Err(error),
            Err(IngestError::Peer(fault)) => {
                self.replica.counters.peer_faults += 1;
                self.replica.reached("a peer was at fault");
                let peer = self.link_down(id);
                tracing::warn!(?peer, %fault, "peer fault");
                self.pending.push(Output::Close(id, format!("the peer {fault}")));
                self.pending.extend(peer.map(|node| Output::Event(Event::Disconnected(node))));
                Ok(())
            }
        }
    }

    fn link_down(&mut self, id: LinkId) -> Option<NodeId> {
        let node = self.sync.link_down(id)?;
        if !self.sync.has_link(node) {
            self.replica.note_link(node, StoreId(0), false);
        }
        self.replica.member_desk.linked &= self.sync.has_parent();
        Some(node)
    }

    fn on_wake(&mut self) -> Result<(), CoreError> {
        self.replica.seal_due()?;
        self.replica.reopen_due()?;
        self.replica.parked.expire(self.replica.now.mono_ms);
        command::day::roll_over(&mut self.replica)?;
        self.replica.expire_promises()?;
        self.replica.orders_due();
        self.replica.members_due()?;
        self.replica.spread_due();
        self.replica.sold_due();
        for id in self.sync.silent(&self.replica) {
            self.replica.reached("a handshake timed out");
            let peer = self.link_down(id);
            self.pending.push(Output::Close(id, "the peer did not greet in time".into()));
            self.pending.extend(peer.map(|node| Output::Event(Event::Disconnected(node))));
        }
        self.sync.wake(&mut self.replica)
    }

    /// The open business day of this node's store.
    pub fn open_day(&self) -> Result<Option<days::Day>, CoreError> {
        let Some(store) = self.replica.own_store() else { return Ok(None) };
        Ok(days::last(&self.replica.overlay, store)?.filter(|day| day.closed_ms == 0))
    }
}
