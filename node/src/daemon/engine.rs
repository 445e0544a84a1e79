//! The core's thread: takes what arrived, has it committed once, carries the outputs out in order. Nothing else touches the core.
//!
//! There is no batching timer: each commit takes what arrived during the last one.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use stockroom_core::core::Core;
use stockroom_core::input::{Answer, CoreError, DiskSpace, Input, LinkId, Output, Peer, Refusal, RequestId};
use stockroom_core::status::Status;
use stockroom_core::sync::link::Relation;
use stockroom_crdt::ids::{Digest, NodeId, StoreId};
use stockroom_transport::{Net, NetEvent, PeerAddr, SendError};
use tokio::sync::{broadcast, mpsc, oneshot, watch};

use super::clock::{Clock, wall_ms};
use super::net::LiveLinks;
use super::notify::Probe;
use super::open::{OpenError, Opener};
use crate::handle::{NumberedEvent, Request};
use crate::identity::role_of;

/// What the rest of the process tells the core besides requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Control {
    /// The store's offset from UTC, seconds east.
    Zone(i32),
    /// All stores' offsets from UTC, minutes east, at a hub.
    Zones(Vec<(StoreId, i32)>),
    /// Room on the disk.
    Disk(DiskSpace),
    /// Bring the hub what it does not have yet, seal, write the token, say goodbye, and end.
    Stop,
}

/// The other ends of the engine's channels.
pub struct Ends {
    /// Requests of the API and of the enrolment port.
    pub requests: mpsc::Receiver<Request>,
    /// From the links.
    pub links: mpsc::Receiver<NetEvent>,
    /// From the watchers and the signal handler.
    pub control: mpsc::Receiver<Control>,
    /// Of whoever wants to know that the loop still turns.
    pub probes: mpsc::Receiver<Probe>,
    /// Newest status.
    pub status: watch::Sender<Arc<Status>>,
    /// Which links are up, for the API.
    pub live: LiveLinks,
    /// What happened.
    pub events: broadcast::Sender<NumberedEvent>,
}

/// Why the core's thread ended by itself. The process must end too, and say so.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The disk failed, or the database is not what was written.
    #[error("the node stops because it can no longer trust its disk")]
    Core(#[from] CoreError),
    /// A file beside the database failed, or the database could not be opened again.
    #[error("the node stops because its files failed")]
    Open(#[from] OpenError),
}

/// The core with everything that its thread owns.
pub struct Engine {
    core: Core,
    opener: Opener,
    clock: Clock,
    net: Net,
    ends: Ends,
    waiting: BTreeMap<RequestId, oneshot::Sender<Result<Answer, Refusal>>>,
    last_request: u64,
    last_event: u64,
    batch: Vec<Input>,
    /// Answered when what came before them is carried out.
    probes: Vec<Probe>,
    published: Instant,
    /// Something happened since the last status.
    stale: bool,
    life: Life,
}

/// How far a stop has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    Running,
    /// Asked to stop: what the hub does not have yet may still leave until then.
    Draining(Instant),
    /// The core was told; its last outputs are being carried out.
    Stopping,
}

impl Engine {
    /// Puts an opened core to work. Nothing happens before [`Engine::run`].
    pub fn new(core: Core, opener: Opener, clock: Clock, net: Net, ends: Ends) -> Self {
        Self {
            core,
            opener,
            clock,
            net,
            ends,
            waiting: BTreeMap::new(),
            last_request: 0,
            last_event: 0,
            batch: Vec::with_capacity(BATCH_MAX),
            probes: Vec::new(),
            published: Instant::now(),
            stale: false,
            life: Life::Running,
        }
    }

    /// Works until [`Control::Stop`] or an error. Call it on a thread of its own, outside of the runtime.
    pub fn run(mut self, runtime: &tokio::runtime::Handle) -> Result<(), EngineError> {
        let mut outcome = self.carry_out();
        loop {
            match outcome {
                Ok(()) if self.life == Life::Stopping => return Ok(()),
                Ok(()) => {}
                Err(EngineError::Core(CoreError::Poisoned(entry))) => self.reopen(entry)?,
                Err(error) => return Err(error),
            }
            outcome = self.drained().and_then(|drained| {
                if drained {
                    self.life = Life::Stopping;
                    self.batch.push(Input::Stop);
                } else {
                    runtime.block_on(self.gather());
                }
                self.step()
            });
        }
    }

    /// Waits for the first thing to do and takes whatever else is there.
    async fn gather(&mut self) {
        let wake = self.wake_at();
        tokio::select! {
            biased;
            Some(control) = self.ends.control.recv() => self.on_control(control),
            Some(request) = self.ends.requests.recv() => self.on_request(request),
            Some(event) = self.ends.links.recv() => self.on_link(event),
            Some(probe) = self.ends.probes.recv() => self.probes.push(probe),
            () = tokio::time::sleep_until(wake.into()) => {}
        }
        // One more at a time: who asks waits for the answer.
        self.probes.extend(self.ends.probes.try_recv());
        while let Ok(control) = self.ends.control.try_recv() {
            self.on_control(control);
        }
        while self.batch.len() < BATCH_MAX
            && let Ok(request) = self.ends.requests.try_recv()
        {
            self.on_request(request);
        }
        while self.batch.len() < 2 * BATCH_MAX
            && let Ok(event) = self.ends.links.try_recv()
        {
            self.on_link(event);
        }
        if wake <= Instant::now() {
            self.batch.push(Input::Wake);
        }
    }

    fn step(&mut self) -> Result<(), EngineError> {
        let mut batch = std::mem::take(&mut self.batch);
        for input in batch.drain(..) {
            self.core.handle(self.clock.now(), input)?;
        }
        self.batch = batch;
        self.core.commit(self.clock.now())?;
        self.carry_out()
    }

    fn carry_out(&mut self) -> Result<(), EngineError> {
        while let Some(output) = self.core.poll()? {
            match output {
                Output::Token(bytes) => self.opener.write_token(&bytes)?,
                Output::Reply(id, result) => {
                    if let Some(answer) = self.waiting.remove(&id) {
                        // Who no longer waits does not want to know.
                        let _ = answer.send(result);
                    }
                }
                Output::Send(id, lane, bytes) => self.send(id, lane as u8, bytes),
                Output::Close(id, reason) => self.close(id, &reason),
                Output::Event(event) => {
                    self.last_event += 1;
                    // Nobody may be watching.
                    let _ = self.ends.events.send(NumberedEvent { number: self.last_event, at_ms: wall_ms(), event });
                }
                Output::Introduced(peers) => {
                    let peers = peers.into_iter().map(|(node, address)| PeerAddr::of_node(node.0, address));
                    self.net.set_introduced(peers.collect());
                }
            }
        }
        // Who no longer waits has told already that it was too long.
        self.probes.drain(..).for_each(|probe| probe.send(()).unwrap_or_default());
        self.publish()
    }

    /// True when a stop was asked for and nothing more can be brought to the hub before it.
    fn drained(&self) -> Result<bool, EngineError> {
        let Life::Draining(until) = self.life else { return Ok(false) };
        let status = self.core.status()?;
        let hub_listens = status.peers.iter().any(|peer| peer.relation == Relation::Parent && peer.ready);
        Ok(status.backlog.entries == 0 || !hub_listens || until <= Instant::now())
    }

    fn publish(&mut self) -> Result<(), EngineError> {
        self.stale = self.published.elapsed() < PUBLISH_AFTER && self.life != Life::Stopping;
        if !self.stale {
            self.ends.status.send_replace(Arc::new(self.core.status()?));
            self.published = Instant::now();
        }
        Ok(())
    }

    /// The core's own deadline, or the time to publish what happened since the last status, or the end of a stop's patience.
    fn wake_at(&self) -> Instant {
        let publish = self.published + if self.stale { PUBLISH_AFTER } else { REFRESH_AFTER };
        let core = self.core.deadline().map(|at| self.clock.instant(at));
        let stop = match self.life {
            Life::Draining(until) => Some(until),
            Life::Running | Life::Stopping => None,
        };
        [core, stop].into_iter().flatten().fold(publish, Instant::min)
    }

    fn on_control(&mut self, control: Control) {
        match control {
            Control::Zone(offset_s) => self.batch.push(Input::Zone { offset_s }),
            Control::Zones(offsets) => self.batch.push(Input::Zones(offsets)),
            Control::Disk(space) => self.batch.push(Input::Disk(space)),
            Control::Stop if self.life == Life::Running => self.life = Life::Draining(Instant::now() + DRAIN_MAX),
            Control::Stop => {}
        }
    }

    fn on_request(&mut self, request: Request) {
        self.last_request += 1;
        let id = RequestId(self.last_request);
        self.waiting.insert(id, request.answer);
        self.batch.push(Input::Command(id, request.command));
    }

    fn on_link(&mut self, event: NetEvent) {
        match event {
            NetEvent::Up { link, peer, addr, dialed } => {
                tracing::info!(peer = peer.node, store = peer.store, %addr, dialed, "peer connected");
                self.ends.live.up(link, peer.node);
                let peer = Peer {
                    node: NodeId(peer.node),
                    role: role_of(peer.role),
                    store: StoreId(peer.store),
                    address: Some(addr.to_string()),
                };
                self.batch.push(Input::LinkUp(LinkId(link.0), peer));
            }
            NetEvent::Frame { link, bytes, .. } if self.ends.live.holds(link) => {
                self.batch.push(Input::Frame(LinkId(link.0), bytes.into()));
            }
            NetEvent::Writable { link, bytes } if self.ends.live.holds(link) => {
                self.batch.push(Input::Writable(LinkId(link.0), bytes));
            }
            NetEvent::TurnedAway { peer } => self.batch.push(Input::TurnedAway(NodeId(peer.node))),
            NetEvent::Down { link, reason } => {
                tracing::debug!(link = link.0, reason, "peer disconnected");
                self.ends.live.down(link);
                self.batch.push(Input::LinkDown(LinkId(link.0)));
            }
            // Of a link that the core closed, or that was up before the core was opened again.
            NetEvent::Frame { .. } | NetEvent::Writable { .. } | NetEvent::Datagram { .. } => {}
        }
    }

    fn send(&mut self, id: LinkId, lane: u8, bytes: Vec<u8>) {
        match self.net.send(stockroom_transport::LinkId(id.0), lane, Bytes::from(bytes)) {
            Ok(()) | Err(SendError::Down) => {}
            Err(error) => {
                tracing::error!(link = id.0, lane, %error, "frame not taken");
                self.close(id, "a frame could not be sent");
            }
        }
    }

    fn close(&mut self, id: LinkId, reason: &str) {
        let link = stockroom_transport::LinkId(id.0);
        self.ends.live.down(link);
        self.net.close(link, reason);
    }

    /// After a crash in one entry: the same database with that entry in quarantine. Every link starts anew, and whoever waits for
    /// an answer is told that it is unknown.
    fn reopen(&mut self, entry: Digest) -> Result<(), EngineError> {
        tracing::error!(?entry, "applying an entry crashed; it is quarantined");
        self.batch.clear();
        self.waiting.clear();
        for link in self.ends.live.take().into_keys() {
            self.net.close(link, "restarting");
        }
        self.core = self.opener.open(self.clock.now(), Some(entry))?;
        self.carry_out()
    }
}

/// Inputs of one commit, so that an answer does not wait for an endless batch. The events of links get as many again.
const BATCH_MAX: usize = 1_024;

/// A status costs a walk over links and stores; five a second are enough for people.
const PUBLISH_AFTER: Duration = Duration::from_millis(200);

/// What was sold in the last moments before a stop should reach the hub: feeds wait half a second for company, and the
/// hub's disk and a thin link take their time. A store that never comes back loses nothing that way.
const DRAIN_MAX: Duration = Duration::from_secs(3);

/// A status of an idle node is renewed after this long, so that its ages stay true.
const REFRESH_AFTER: Duration = Duration::from_secs(5);
