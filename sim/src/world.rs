//! The world: nodes, connections between them, and one queue of events in virtual time.

use std::collections::{BTreeMap, BTreeSet};

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use stockroom_core::input::{
    Answer, Command, EnrolRequest, Event, Input, LinkId, Output, Peer, Refusal, RequestId, TokenRequest,
};
use stockroom_core::status::Status;
use stockroom_core::storage::Snapshot;
use stockroom_crdt::capability::Signer;
use stockroom_crdt::ids::{Code, Digest, StoreId, TenantId};
use stockroom_crdt::money::Currency;

use crate::node::{Keys, SimNode};

/// Nodes in virtual time. Node numbers are their ids; the first hub is 1.
pub struct World {
    /// Milliseconds since 1970, as they truly are.
    pub now_ms: u64,
    /// All nodes by id.
    pub nodes: BTreeMap<u32, SimNode>,
    /// Everything that nodes told watchers: (when, node, event).
    pub events: Vec<(u64, u32, Event)>,
    /// Links that nodes closed: (when, node, why).
    pub closed: Vec<(u64, u32, String)>,
    /// Bytes and frames delivered.
    pub traffic: Traffic,
    /// Every frame that a node sent, while `recording`.
    pub sent: Vec<Sent>,
    /// Whether frames are kept in `sent`.
    pub recording: bool,
    seed: u64,
    rng: ChaCha8Rng,
    queue: BTreeMap<(u64, u64), Delivery>,
    queued: u64,
    connections: BTreeMap<u64, Connection>,
    /// Pairs that dial each other again after one of them closed the link.
    wanted: BTreeSet<(u32, u32)>,
    next_link: u64,
    replies: BTreeMap<u64, Result<Answer, Refusal>>,
    latency_ms: u64,
    tenant: TenantId,
}

/// What was delivered so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Frames.
    pub frames: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// A frame on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Who sent it.
    pub from: u32,
    /// To whom; [`PUPPET`] for a puppet.
    pub to: u32,
    /// On which link.
    pub link: u64,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// A connection, named alike at both ends.
#[derive(Clone, Copy)]
struct Connection {
    a: u32,
    b: u32,
}

enum Delivery {
    Dial { a: u32, b: u32 },
    Frame { to: u32, link: u64, bytes: Vec<u8> },
    Credit { to: u32, link: u64, bytes: usize },
}

impl World {
    /// A tenant with one running hub.
    pub fn new(seed: u64) -> Self {
        let tenant = TenantId(Digest::of(&[b"tenant", &seed.to_be_bytes()]).short());
        let root = Signer::from_seed(&Digest::of(&[b"root", &seed.to_be_bytes()]).0);
        let keys = Keys::derive(seed, 1);
        let chain = vec![SimNode::hub_capability(tenant, &root, &keys)];
        let hub = SimNode::new(tenant, root.public(), keys, chain);
        let mut world = Self {
            now_ms: START_MS,
            nodes: BTreeMap::from([(1, hub)]),
            events: Vec::new(),
            closed: Vec::new(),
            traffic: Traffic::default(),
            sent: Vec::new(),
            recording: false,
            seed,
            rng: ChaCha8Rng::seed_from_u64(seed),
            queue: BTreeMap::new(),
            queued: 0,
            connections: BTreeMap::new(),
            wanted: BTreeSet::new(),
            next_link: 1,
            replies: BTreeMap::new(),
            latency_ms: 20,
            tenant,
        };
        world.start(1);
        world
    }

    /// A world with a hub and `stores` stores, all running, none connected. Their node ids are 2, 3, ...
    pub fn with_stores(seed: u64, stores: u32) -> Self {
        let mut world = Self::new(seed);
        for store in 1..=stores {
            world.enrol(store);
        }
        world
    }

    /// The tenant.
    pub fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// Enrols and starts a node for a store, through the hub's real commands. Returns its id.
    pub fn enrol(&mut self, store: u32) -> u32 {
        self.enrol_in_group(store, "chain")
    }

    /// [`World::enrol`] with the store's group.
    pub fn enrol_in_group(&mut self, store: u32, group: &str) -> u32 {
        let code = |text: &str| Code::parse(text).expect("a short word");
        let token =
            Digest::of(&[b"token", &store.to_be_bytes(), &self.now_ms.to_be_bytes(), &self.next_link.to_be_bytes()]);
        self.next_link += 1;
        let request = TokenRequest {
            token,
            store: StoreId(store),
            name: format!("Store {store}"),
            book: code("default"),
            group: code(group),
            currency: Currency::parse("EUR").expect("three letters"),
            zone: code("UTC"),
            rollover_min: 240,
            valid_ms: 3_600_000,
        };
        self.command(1, Command::IssueToken(request)).expect("a hub issues tokens");
        let number = self.nodes.len() as u32 + 1;
        let keys = Keys::derive(self.seed, number);
        let request = EnrolRequest { token, log_key: keys.signer().public(), seal_key: keys.seal_key() };
        let Ok(Answer::Enrolled { chain, .. }) = self.command(1, Command::Enrol(request)) else {
            panic!("a hub enrols a node that shows a fresh token");
        };
        let id = chain.last().expect("chains are not empty").node.0;
        let root_key = Signer::from_seed(&Digest::of(&[b"root", &self.seed.to_be_bytes()]).0).public();
        self.nodes.insert(id, SimNode::new(self.tenant, root_key, keys, chain));
        self.start(id);
        id
    }

    /// Starts a node that is not running.
    pub fn start(&mut self, id: u32) {
        let mut seed = [0; 32];
        self.rng.fill_bytes(&mut seed);
        let now_ms = self.now_ms;
        self.node_mut(id).start(now_ms, seed).expect("a memory disk does not fail");
        self.drain(id);
    }

    /// Stops a node without warning; its connections are gone, its disk keeps what was committed.
    pub fn crash(&mut self, id: u32) {
        let links: Vec<_> = self.links_of(id);
        self.node_mut(id).stop();
        for link in links {
            self.disconnect(link);
        }
    }

    /// Connects two running nodes, if they are not connected.
    pub fn connect(&mut self, a: u32, b: u32) {
        self.wanted.insert((a.min(b), a.max(b)));
        if self.find(a, b).is_some() {
            return;
        }
        let link = self.add_connection(a, b);
        for (me, other) in [(a, b), (b, a)] {
            let peer = self.peer(other);
            self.input(me, Input::LinkUp(link, peer));
            self.input(me, Input::Writable(link, WINDOW_BYTES));
        }
    }

    /// A number for a new connection.
    pub(crate) fn add_connection(&mut self, a: u32, b: u32) -> LinkId {
        let link = self.next_link;
        self.next_link += 1;
        self.connections.insert(link, Connection { a, b });
        LinkId(link)
    }

    /// Cuts a link by its number.
    pub fn hang_up(&mut self, link: LinkId) {
        self.disconnect(link.0);
    }

    /// Cuts the connection between two nodes, with what is on its way.
    pub fn cut(&mut self, a: u32, b: u32) {
        self.wanted.remove(&(a.min(b), a.max(b)));
        if let Some(link) = self.find(a, b) {
            self.disconnect(link);
        }
    }

    /// Gives a node a command and its answer back at once.
    pub fn command(&mut self, id: u32, command: Command) -> Result<Answer, Refusal> {
        let request = self.next_link;
        self.next_link += 1;
        self.input(id, Input::Command(RequestId(request), Box::new(command)));
        self.replies.remove(&request).expect("a command is answered after its commit")
    }

    /// Gives a node any input, commits, and carries its outputs out.
    pub fn input(&mut self, id: u32, input: Input) {
        let now_ms = self.now_ms;
        let Some(node) = self.nodes.get_mut(&id) else { return };
        let now = node.now(now_ms);
        let Some(core) = &mut node.core else { return };
        let done = core.handle(now, input).and_then(|()| core.commit(now));
        match done {
            Ok(()) => self.drain(id),
            Err(error) => panic!("node {id} failed: {error}"),
        }
    }

    /// Lets time pass.
    pub fn run_ms(&mut self, ms: u64) {
        let end = self.now_ms + ms;
        while self.step(end) {}
        self.now_ms = end;
    }

    /// Lets time pass until `done`, at most `ms`. True when it came about.
    pub fn run_until(&mut self, ms: u64, mut done: impl FnMut(&Self) -> bool) -> bool {
        let end = self.now_ms + ms;
        loop {
            if done(self) {
                return true;
            }
            if !self.step(end) {
                self.now_ms = end;
                return done(self);
            }
        }
    }

    /// The status of a running node.
    pub fn status(&self, id: u32) -> Status {
        self.core(id).status().expect("a memory disk does not fail")
    }

    /// What a running node committed.
    pub fn snapshot(&self, id: u32) -> std::sync::Arc<dyn Snapshot> {
        self.core(id).reader().snapshot().expect("a memory disk does not fail")
    }

    fn core(&self, id: u32) -> &stockroom_core::core::Core {
        self.nodes[&id].core.as_ref().expect("the node runs")
    }

    /// Handles the next event or deadline before `end`. False when there is none.
    fn step(&mut self, end: u64) -> bool {
        let event = self.queue.first_key_value().map(|(&(at, _), _)| at);
        let deadline = self.next_deadline();
        let next = [event, deadline.map(|(at, _)| at)].into_iter().flatten().min();
        let Some(at) = next.filter(|&at| at <= end) else { return false };
        self.now_ms = self.now_ms.max(at);
        if event == Some(at) {
            let (_, delivery) = self.queue.pop_first().expect("an event was there");
            self.deliver(delivery);
        } else if let Some((_, id)) = deadline {
            self.input(id, Input::Wake);
        }
        true
    }

    fn next_deadline(&self) -> Option<(u64, u32)> {
        let deadline = |(&id, node): (&u32, &SimNode)| {
            let mono = node.core.as_ref()?.deadline()?;
            Some((node.started_ms + mono, id))
        };
        self.nodes.iter().filter_map(deadline).min()
    }

    fn deliver(&mut self, delivery: Delivery) {
        match delivery {
            Delivery::Dial { a, b } => {
                let up = |id: &u32| self.nodes.get(id).is_some_and(|node| node.core.is_some());
                if up(&a) && up(&b) && self.wanted.contains(&(a.min(b), a.max(b))) {
                    self.connect(a, b);
                }
            }
            Delivery::Frame { to, link, bytes } => {
                let Some(connection) = self.connections.get(&link).copied() else { return };
                let from = if connection.a == to { connection.b } else { connection.a };
                self.traffic.frames += 1;
                self.traffic.bytes += bytes.len() as u64;
                self.later(Delivery::Credit { to: from, link, bytes: bytes.len() });
                self.input(to, Input::Frame(LinkId(link), bytes));
            }
            Delivery::Credit { to, link, bytes } => {
                if self.connections.contains_key(&link) {
                    self.input(to, Input::Writable(LinkId(link), bytes));
                }
            }
        }
    }

    /// Carries a node's outputs out.
    fn drain(&mut self, id: u32) {
        loop {
            let node = self.node_mut(id);
            let Some(core) = &mut node.core else { return };
            let Some(output) = core.poll().expect("a memory disk does not fail") else { return };
            match output {
                Output::Token(token) => node.token = Some(token),
                Output::Reply(request, answer) => {
                    self.replies.insert(request.0, answer);
                }
                Output::Send(link, _, bytes) => {
                    let Some(connection) = self.connections.get(&link.0) else { continue };
                    let to = if connection.a == id { connection.b } else { connection.a };
                    if self.recording {
                        self.sent.push(Sent { from: id, to, link: link.0, bytes: bytes.clone() });
                    }
                    self.later(Delivery::Frame { to, link: link.0, bytes });
                }
                Output::Close(link, why) => {
                    self.closed.push((self.now_ms, id, why));
                    if let Some(connection) = self.connections.get(&link.0).copied() {
                        self.disconnect(link.0);
                        self.later_ms(REDIAL_MS, Delivery::Dial { a: connection.a, b: connection.b });
                    }
                }
                Output::Event(event) => self.events.push((self.now_ms, id, event)),
                Output::Introduced(_) => {}
            }
        }
    }

    fn later(&mut self, delivery: Delivery) {
        self.later_ms(self.latency_ms, delivery);
    }

    fn later_ms(&mut self, ms: u64, delivery: Delivery) {
        self.queued += 1;
        self.queue.insert((self.now_ms + ms, self.queued), delivery);
    }

    fn disconnect(&mut self, link: u64) {
        let Some(connection) = self.connections.remove(&link) else { return };
        for id in BTreeSet::from([connection.a, connection.b]) {
            self.input(id, Input::LinkDown(LinkId(link)));
        }
    }

    fn find(&self, a: u32, b: u32) -> Option<u64> {
        let joins = |c: &Connection| (c.a == a && c.b == b) || (c.a == b && c.b == a);
        self.connections.iter().find(|(_, connection)| joins(connection)).map(|(&link, _)| link)
    }

    fn links_of(&self, id: u32) -> Vec<u64> {
        self.connections.iter().filter(|(_, c)| c.a == id || c.b == id).map(|(&link, _)| link).collect()
    }

    /// A node as a peer's certificate shows it.
    pub(crate) fn peer(&self, id: u32) -> Peer {
        let capability = self.nodes[&id].chain.last().expect("chains are not empty");
        let address = Some(format!("sim:{id}"));
        Peer { node: capability.node, role: capability.role, store: capability.store, address }
    }

    fn node_mut(&mut self, id: u32) -> &mut SimNode {
        self.nodes.get_mut(&id).expect("the node exists")
    }
}

/// The other end of a link to a puppet. No node has this id.
pub const PUPPET: u32 = 0;

/// A Monday morning in 2026.
const START_MS: u64 = 1_767_600_000_000;

/// After how long a closed link is dialled again.
const REDIAL_MS: u64 = 1_000;

/// What a simulated link takes before the first acknowledgement.
const WINDOW_BYTES: usize = 256 * 1024;
