//! The world: nodes, the paths between them, and one queue of events in virtual time.
//!
//! [`process`] knows how nodes start, stop and fail; [`paths`] how frames travel. What happens can be observed: then a node that
//! fails is an observation, otherwise it ends the test.

pub mod paths;
pub mod process;

use std::collections::{BTreeMap, BTreeSet};

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use stockroom_core::input::enrolment::{EnrolRequest, TokenRequest};
use stockroom_core::input::{Answer, Command, Event, Input, LinkId, Peer, Refusal, RequestId};
use stockroom_core::journal::{Place, entry_at};
use stockroom_core::status::Status;
use stockroom_core::storage::Snapshot;
use stockroom_crdt::capability::{Role, Signer};
use stockroom_crdt::ids::{Code, Digest, NodeId, StoreId, TenantId};
use stockroom_crdt::money::Currency;

use crate::link::LinkSpec;
use crate::node::{Keys, SimNode};
use crate::observe::Seen;
use paths::{Connection, Delivery, Path};

pub use paths::{Sent, Traffic};

/// Nodes in virtual time. Node numbers are their ids; the first hub is 1.
pub struct World {
    /// Milliseconds since 1970, as they truly are.
    pub now_ms: u64,
    /// All nodes by id.
    pub nodes: BTreeMap<u32, SimNode>,
    /// Everything that nodes told watchers, unless the world is observed: (when, node, event).
    pub events: Vec<(u64, u32, Event)>,
    /// Links that nodes closed, unless the world is observed: (when, node, why).
    pub closed: Vec<(u64, u32, String)>,
    /// Bytes and frames delivered.
    pub traffic: Traffic,
    /// Every frame that a node sent, while `recording`.
    pub sent: Vec<Sent>,
    /// Whether frames are kept in `sent`.
    pub recording: bool,
    /// Nodes dial their peers again whatever became of the link, as the transport does.
    pub redials: bool,
    /// Rare paths that cores reached in lives that are over.
    past_reached: BTreeMap<&'static str, u64>,
    seen: Option<Vec<(u64, u32, Seen)>>,
    seed: u64,
    rng: ChaCha8Rng,
    queue: BTreeMap<(u64, u64), Delivery>,
    queued: u64,
    deadlines: BTreeSet<(u64, u32)>,
    connections: BTreeMap<u64, Connection>,
    /// Links by node and peer.
    links: BTreeMap<u32, BTreeMap<u32, u64>>,
    paths: BTreeMap<(u32, u32), Path>,
    next_link: u64,
    next_hub: u32,
    replies: BTreeMap<u64, Result<Answer, Refusal>>,
    /// What each node said last that it wrote: whoever was told knows it, also when the node fell with its last word.
    told: BTreeMap<u32, (Place, Digest)>,
    tenant: TenantId,
}

impl World {
    /// A tenant with one running hub.
    pub fn new(seed: u64) -> Self {
        let mut world = Self::asleep(seed);
        world.start(1);
        world
    }

    /// A tenant whose one hub was not started yet.
    pub fn asleep(seed: u64) -> Self {
        let tenant = TenantId(Digest::of(&[b"tenant", &seed.to_be_bytes()]).short());
        let root = root_of(seed);
        let keys = Keys::derive(seed, 1);
        let chain = vec![SimNode::hub_capability(tenant, &root, &keys)];
        let hub = SimNode::new(tenant, root.public(), keys, chain);
        Self {
            now_ms: START_MS,
            nodes: BTreeMap::from([(1, hub)]),
            events: Vec::new(),
            closed: Vec::new(),
            traffic: Traffic::default(),
            sent: Vec::new(),
            recording: false,
            redials: false,
            past_reached: BTreeMap::new(),
            seen: None,
            seed,
            rng: ChaCha8Rng::seed_from_u64(seed),
            queue: BTreeMap::new(),
            queued: 0,
            deadlines: BTreeSet::new(),
            connections: BTreeMap::new(),
            links: BTreeMap::new(),
            paths: BTreeMap::new(),
            next_link: 1,
            next_hub: FIRST_HUB,
            replies: BTreeMap::new(),
            told: BTreeMap::new(),
            tenant,
        }
    }

    /// A world with a hub and `stores` stores, all running, none connected. Their node ids are 2, 3, ...
    pub fn with_stores(seed: u64, stores: u32) -> Self {
        let mut world = Self::new(seed);
        for store in 1..=stores {
            world.enrol(store);
        }
        world
    }

    /// From now on everything that happens is kept for [`World::take_seen`], and failing nodes are part of it.
    pub fn observe(&mut self) {
        self.seen = Some(Vec::new());
        for node in self.nodes.values_mut() {
            node.commits.get_or_insert_default();
        }
    }

    /// What happened since the last time.
    pub fn take_seen(&mut self) -> Vec<(u64, u32, Seen)> {
        self.seen.as_mut().map(std::mem::take).unwrap_or_default()
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
        let id = self.enrol_at(1, store, group);
        self.start(id);
        id
    }

    /// Enrols a node for a store at a hub, without starting it.
    pub fn enrol_at(&mut self, hub: u32, store: u32, group: &str) -> u32 {
        let token =
            Digest::of(&[b"token", &store.to_be_bytes(), &self.now_ms.to_be_bytes(), &self.next_link.to_be_bytes()]);
        self.next_link += 1;
        for issuer in BTreeSet::from([1, hub]) {
            // A store is written down at the top; the hub that enrols it needs its own token.
            let request = token_request(token, store, group);
            self.command(issuer, Command::IssueToken(request)).expect("a hub issues tokens");
        }
        let keys = Keys::derive(self.seed, self.nodes.len() as u32 + 1);
        let request = EnrolRequest { token, log_key: keys.signer().public(), seal_key: keys.seal_key() };
        let Ok(Answer::Enrolled { chain, .. }) = self.command(hub, Command::Enrol(request)) else {
            panic!("a hub enrols a node that shows a fresh token");
        };
        let id = chain.last().expect("chains are not empty").node.0;
        self.insert(id, keys, chain);
        id
    }

    /// A hub below the first one, with ids of its own to give out, not started.
    pub fn add_hub(&mut self) -> u32 {
        let id = self.next_hub;
        self.next_hub += HUB_IDS;
        let keys = Keys::derive(self.seed, self.nodes.len() as u32 + 1);
        let cloud = &self.nodes[&1];
        let issuer = (self.tenant, &cloud.keys.signer(), NodeId(1));
        let capability = SimNode::hub_below(issuer, &keys, NodeId(id), (id + 1, id + HUB_IDS - 1));
        let chain = cloud.chain.iter().cloned().chain([capability]).collect();
        self.insert(id, keys, chain);
        id
    }

    fn insert(&mut self, id: u32, keys: Keys, chain: Vec<stockroom_crdt::capability::Capability>) {
        let mut node = SimNode::new(self.tenant, root_of(self.seed).public(), keys, chain);
        if self.seen.is_some() {
            node.commits.get_or_insert_default();
        }
        self.nodes.insert(id, node);
    }

    /// Gives a node a command and its answer back at once.
    pub fn command(&mut self, id: u32, command: Command) -> Result<Answer, Refusal> {
        self.ask(id, command).expect("a command is answered after its commit")
    }

    /// Gives a node a command. `None` when there is no answer: the node is not there, or died over it.
    pub fn ask(&mut self, id: u32, command: Command) -> Option<Result<Answer, Refusal>> {
        let request = self.next_link;
        self.next_link += 1;
        if self.nodes.get(&id).is_some_and(|node| node.suspended) {
            return None;
        }
        self.input(id, Input::Command(RequestId(request), Box::new(command)));
        self.replies.remove(&request)
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

    /// Handles the next event or deadline up to `end`. False when there is none.
    pub fn step(&mut self, end: u64) -> bool {
        let event = self.queue.first_key_value().map(|(&(at, _), _)| at);
        let deadline = self.deadlines.first().copied();
        let next = [event, deadline.map(|(at, _)| at)].into_iter().flatten().min();
        let Some(at) = next.filter(|&at| at <= end) else { return false };
        self.now_ms = self.now_ms.max(at);
        if event == Some(at) {
            let (_, delivery) = self.queue.pop_first().expect("an event was there");
            self.deliver(delivery);
        } else if let Some((_, id)) = deadline {
            self.wake(id);
        }
        true
    }

    /// When the next event or deadline is due.
    pub fn next_ms(&self) -> Option<u64> {
        let event = self.queue.first_key_value().map(|(&(at, _), _)| at);
        let deadline = self.deadlines.first().map(|&(at, _)| at);
        event.into_iter().chain(deadline).min()
    }

    /// The status of a running node.
    pub fn status(&self, id: u32) -> Status {
        self.core(id).status().expect("a memory disk does not fail")
    }

    /// What a running node committed.
    pub fn snapshot(&self, id: u32) -> std::sync::Arc<dyn Snapshot> {
        self.core(id).reader().snapshot().expect("a memory disk does not fail")
    }

    /// The content of an entry that a node holds, or said last that it wrote.
    pub fn entry(&self, id: u32, place: Place) -> Option<Digest> {
        if !self.is_up(id) {
            return self.told.get(&id).filter(|(told, _)| *told == place).map(|(_, digest)| *digest);
        }
        Some(entry_at(&*self.snapshot(id), place).ok()??.digest())
    }

    /// True when a node runs (it may be suspended).
    pub fn is_up(&self, id: u32) -> bool {
        self.nodes.get(&id).is_some_and(|node| node.core.is_some())
    }

    /// True when a node's machine is suspended.
    pub fn is_suspended(&self, id: u32) -> bool {
        self.nodes.get(&id).is_some_and(|node| node.suspended)
    }

    /// Rare paths that cores reached, in all of their lives, and how often.
    pub fn reached(&self) -> BTreeMap<&'static str, u64> {
        let mut sum = self.past_reached.clone();
        for core in self.nodes.values().filter_map(|node| node.core.as_ref()) {
            for (name, times) in &core.counters().reached {
                *sum.entry(name).or_default() += times;
            }
        }
        sum
    }

    /// A random number below `bound`, from the world's one generator.
    pub(crate) fn chance(&mut self, bound: u64) -> u64 {
        self.rng.next_u64() % bound.max(1)
    }

    fn core(&self, id: u32) -> &stockroom_core::core::Core {
        self.nodes[&id].core.as_ref().expect("the node runs")
    }

    fn note(&mut self, id: u32, what: impl FnOnce() -> Seen) {
        if let Some(seen) = &mut self.seen {
            seen.push((self.now_ms, id, what()));
        }
    }

    fn later_ms(&mut self, ms: u64, delivery: Delivery) {
        self.queued += 1;
        self.queue.insert((self.now_ms + ms, self.queued), delivery);
    }

    /// A node as a peer's certificate shows it.
    pub(crate) fn peer(&self, id: u32) -> Peer {
        let capability = self.nodes[&id].chain.last().expect("chains are not empty");
        let address = Some(format!("sim:{id}"));
        Peer { node: capability.node, role: capability.role, store: capability.store, address }
    }

    /// What a node is.
    pub fn role(&self, id: u32) -> Role {
        self.nodes[&id].chain.last().expect("chains are not empty").role
    }

    fn node_mut(&mut self, id: u32) -> &mut SimNode {
        self.nodes.get_mut(&id).expect("the node exists")
    }

    /// What a link between two nodes is like.
    pub fn set_path(&mut self, a: u32, b: u32, spec: LinkSpec) {
        self.path(a, b).spec = spec;
    }

    /// Gives a numbered link's other end.
    pub(crate) fn other_end(&self, link: LinkId, id: u32) -> Option<u32> {
        self.connections.get(&link.0).map(|connection| if connection.a == id { connection.b } else { connection.a })
    }
}

fn token_request(token: Digest, store: u32, group: &str) -> TokenRequest {
    let code = |text: &str| Code::parse(text).expect("a short word");
    TokenRequest {
        token,
        store: StoreId(store),
        name: format!("Store {store}"),
        book: code("default"),
        group: code(group),
        currency: Currency::parse("EUR").expect("three letters"),
        zone: code("UTC"),
        rollover_min: 240,
        coordinates: None,
        valid_ms: 3_600_000,
    }
}

fn root_of(seed: u64) -> Signer {
    Signer::from_seed(&Digest::of(&[b"root", &seed.to_be_bytes()]).0)
}

/// The other end of a link to a puppet. No node has this id.
pub const PUPPET: u32 = 0;

/// Ids from here on are second processes: the clone of node `n` is `CLONES_FROM + n`.
pub const CLONES_FROM: u32 = 1_000_000;

/// A Monday morning in 2026.
pub const START_MS: u64 = 1_767_600_000_000;

/// The id of the first hub below another, and how many ids each gives out.
const FIRST_HUB: u32 = 500_000;
const HUB_IDS: u32 = 5_000;
