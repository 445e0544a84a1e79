//! Paths and connections: how frames travel, how long they take, and how both ends learn that they do not any more.
//!
//! A path lies between two nodes whether they talk or not; a connection lives on it. The transport under the core is reliable
//! and ordered per lane, so a lost packet costs time, not the frame; what gets lost is the connection, with all that was under
//! way. A path that swallows everything is noticed when nothing was heard for a while.

use rand_core::Rng;
use stockroom_core::input::{Input, LinkId};
use stockroom_crdt::capability::Role;
use stockroom_crdt::scope::Lane;

use super::{PUPPET, World};
use crate::link::LinkSpec;
use crate::observe::Seen;

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

/// What lies between two nodes.
pub(super) struct Path {
    /// What it is like.
    pub(super) spec: LinkSpec,
    /// Both ends dial each other.
    wanted: bool,
    /// Faults that swallow everything, from the lower to the higher id and back.
    blocked: [u32; 2],
    /// Attempts that failed in a row.
    failures: u32,
    /// A dial is under way or planned.
    dialling: bool,
}

/// A connection, named alike at both ends.
pub(super) struct Connection {
    pub(super) a: u32,
    pub(super) b: u32,
    /// Ends that do not know of it any more.
    gone: [bool; 2],
    directions: [Direction; 2],
    /// Since when nothing gets through, one way or both.
    muted_ms: Option<u64>,
}

/// One way of a connection.
#[derive(Default)]
struct Direction {
    /// Until when the bottleneck is busy, microseconds.
    busy_us: u64,
    /// When the last frame of each lane arrives: a lane is ordered.
    arrives_ms: [u64; 5],
    /// What waits for the path to come back.
    held: Vec<(Lane, Vec<u8>)>,
}

pub(super) enum Delivery {
    Dial { a: u32, b: u32 },
    Established { a: u32, b: u32 },
    Frame { to: u32, link: u64, bytes: Vec<u8> },
    Credit { to: u32, link: u64, bytes: usize },
    Silence { link: u64, since_ms: u64 },
    Resume(u32),
}

impl World {
    /// Connects two running nodes, if they are not connected.
    pub fn connect(&mut self, a: u32, b: u32) {
        self.path(a, b).wanted = true;
        if let Some(link) = self.find(a, b) {
            // One end forgot it: a new connection takes the old one's place.
            if !self.connections[&link].gone.contains(&true) {
                return;
            }
            self.disconnect(link);
        }
        let window = self.path(a, b).spec.window_bytes as usize;
        let link = self.add_connection(a, b);
        for (me, other) in [(a, b), (b, a)] {
            self.link_up(me, link, other, window);
        }
    }

    /// Both ends dial each other from now on.
    pub fn want(&mut self, a: u32, b: u32) {
        self.path(a, b).wanted = true;
        self.dial_later(a, b);
    }

    /// A number for a new connection.
    pub(crate) fn add_connection(&mut self, a: u32, b: u32) -> LinkId {
        let link = self.next_link;
        self.next_link += 1;
        let connection = Connection {
            a,
            b,
            gone: [false; 2],
            directions: [Direction::default(), Direction::default()],
            muted_ms: None,
        };
        self.connections.insert(link, connection);
        if b != PUPPET {
            self.links.entry(a).or_default().insert(b, link);
            self.links.entry(b).or_default().insert(a, link);
            self.mute_if_blocked(a, b);
        }
        LinkId(link)
    }

    /// Cuts a link by its number.
    pub fn hang_up(&mut self, link: LinkId) {
        self.disconnect(link.0);
    }

    /// Cuts the connection between two nodes, with what is on its way, and keeps them apart.
    pub fn cut(&mut self, a: u32, b: u32) {
        self.path(a, b).wanted = false;
        if let Some(link) = self.find(a, b) {
            self.disconnect(link);
        }
    }

    /// Loses the connection between two nodes; they dial again.
    pub fn reset(&mut self, a: u32, b: u32) {
        if let Some(link) = self.find(a, b) {
            self.disconnect(link);
        }
    }

    /// From now on nothing gets through from one node to another. Faults add up.
    pub fn block(&mut self, from: u32, to: u32) {
        self.path(from, to).blocked[usize::from(from > to)] += 1;
        self.mute_if_blocked(from, to);
    }

    /// Takes one [`World::block`] back.
    pub fn unblock(&mut self, from: u32, to: u32) {
        let blocked = &mut self.path(from, to).blocked[usize::from(from > to)];
        *blocked = blocked.saturating_sub(1);
        if !self.is_blocked(from, to)
            && let Some(link) = self.find(from, to)
        {
            self.unmute(link);
        }
    }

    /// Takes every block away.
    pub fn unblock_all(&mut self) {
        for path in self.paths.values_mut() {
            path.blocked = [0; 2];
        }
        for link in self.connections.keys().copied().collect::<Vec<_>>() {
            self.unmute(link);
        }
    }

    /// True when nothing gets through, one way or both.
    pub fn is_blocked(&mut self, a: u32, b: u32) -> bool {
        self.path(a, b).blocked != [0, 0]
    }

    /// True when a fault swallows everything between two nodes, one way or both.
    pub fn is_cut(&self, a: u32, b: u32) -> bool {
        self.paths.get(&(a.min(b), a.max(b))).is_some_and(|path| path.blocked != [0, 0])
    }

    /// Changes what a path is like, and gives what it was.
    pub fn replace_path(&mut self, a: u32, b: u32, spec: LinkSpec) -> LinkSpec {
        std::mem::replace(&mut self.path(a, b).spec, spec)
    }

    /// Nodes that a node dials.
    pub fn peers_of(&self, id: u32) -> Vec<u32> {
        let other = |&(a, b): &(u32, u32)| if a == id { Some(b) } else { (b == id).then_some(a) };
        self.paths.iter().filter(|(_, path)| path.wanted).filter_map(|(pair, _)| other(pair)).collect()
    }

    /// True when two nodes have a connection that both know of.
    pub fn is_connected(&self, a: u32, b: u32) -> bool {
        self.find(a, b).is_some_and(|link| self.connections[&link].gone == [false; 2])
    }

    pub(super) fn path(&mut self, a: u32, b: u32) -> &mut Path {
        self.paths.entry((a.min(b), a.max(b))).or_insert_with(|| Path {
            spec: LinkSpec::wan(),
            wanted: false,
            blocked: [0; 2],
            failures: 0,
            dialling: false,
        })
    }

    pub(super) fn deliver(&mut self, delivery: Delivery) {
        match delivery {
            Delivery::Dial { a, b } => self.dial(a, b),
            Delivery::Established { a, b } => {
                self.path(a, b).dialling = false;
                if self.may_meet(a, b) {
                    self.path(a, b).failures = 0;
                    self.connect(a, b);
                } else {
                    self.dial_later(a, b);
                }
            }
            Delivery::Frame { to, link, bytes } => self.arrive(to, link, bytes),
            Delivery::Credit { to, link, bytes } => {
                if self.knows(link, to) {
                    self.input(to, Input::Writable(LinkId(link), bytes));
                }
            }
            Delivery::Silence { link, since_ms } => {
                if self.connections.get(&link).is_some_and(|connection| connection.muted_ms == Some(since_ms)) {
                    self.disconnect(link);
                }
            }
            Delivery::Resume(id) => self.resume(id),
        }
    }

    fn arrive(&mut self, to: u32, link: u64, bytes: Vec<u8>) {
        if !self.knows(link, to) {
            return;
        }
        self.traffic.frames += 1;
        self.traffic.bytes += bytes.len() as u64;
        let from = self.other_end(LinkId(link), to).expect("the connection exists");
        if from != PUPPET {
            let back_ms = self.path(from, to).spec.latency_us.div_ceil(1_000).into();
            self.later_ms(back_ms, Delivery::Credit { to: from, link, bytes: bytes.len() });
        } else {
            self.later_ms(PUPPET_MS, Delivery::Credit { to: from, link, bytes: bytes.len() });
        }
        self.input(to, Input::Frame(LinkId(link), bytes));
    }

    /// A node's frame goes on its way.
    pub(super) fn send(&mut self, from: u32, link: LinkId, lane: Lane, bytes: Vec<u8>) {
        let Some(to) = self.other_end(link, from) else { return };
        if self.recording {
            self.sent.push(Sent { from, to, link: link.0, bytes: bytes.clone() });
        }
        let len = bytes.len();
        self.note(from, || Seen::Sent { to, lane, bytes: len });
        if to == PUPPET {
            self.later_ms(PUPPET_MS, Delivery::Frame { to, link: link.0, bytes });
            return;
        }
        let way = usize::from(from > to);
        if self.connections[&link.0].muted_ms.is_some() {
            let connection = self.connections.get_mut(&link.0).expect("looked up above");
            connection.directions[way].held.push((lane, bytes));
        } else {
            self.travel(from, to, link.0, (lane, bytes));
        }
    }

    /// Computes when a frame arrives: behind what the bottleneck still has to carry, after the delay, with retransmissions.
    fn travel(&mut self, from: u32, to: u32, link: u64, (lane, bytes): (Lane, Vec<u8>)) {
        let up = self.is_up_the_tree(from, to);
        let (now_ms, draw) = (self.now_ms, self.rng.next_u64());
        let spec = self.path(from, to).spec.clone();
        let ideal = spec.latency_us.div_ceil(1_000);
        let connection = self.connections.get_mut(&link).expect("the caller looked it up");
        let direction = &mut connection.directions[usize::from(from > to)];
        let crossing = spec.cross(now_ms, up, bytes.len(), direction.busy_us, draw);
        direction.busy_us = crossing.busy_us;
        let last = &mut direction.arrives_ms[lane as usize];
        *last = (*last).max(crossing.arrives_ms).max(now_ms + u64::from(ideal));
        let wait = *last - now_ms;
        self.later_ms(wait, Delivery::Frame { to, link, bytes });
    }

    /// True from a store to its hub and from a hub to the one above; between equals, from the lower to the higher id.
    pub fn is_up_the_tree(&self, from: u32, to: u32) -> bool {
        match (self.role(from), self.role(to)) {
            (Role::Store, Role::Hub) => true,
            (Role::Hub, Role::Store) => false,
            (Role::Hub, Role::Hub) => self.nodes[&from].chain.len() > self.nodes[&to].chain.len(),
            (Role::Store, Role::Store) => from < to,
        }
    }

    fn dial(&mut self, a: u32, b: u32) {
        self.path(a, b).dialling = false;
        if !self.path(a, b).wanted || self.is_connected(a, b) {
            return;
        }
        if self.may_meet(a, b) {
            self.path(a, b).dialling = true;
            let trip_ms = u64::from(self.path(a, b).spec.latency_us) * 3 / 1_000;
            self.later_ms(trip_ms.max(1), Delivery::Established { a, b });
        } else {
            self.dial_later(a, b);
        }
    }

    /// Both ends run and a packet gets there and back.
    fn may_meet(&mut self, a: u32, b: u32) -> bool {
        let there = |id: &u32| self.nodes.get(id).is_some_and(|node| node.core.is_some() && !node.suspended);
        there(&a) && there(&b) && self.path(a, b).wanted && !self.is_blocked(a, b)
    }

    /// Plans the next attempt, later each time, with jitter.
    pub(super) fn dial_later(&mut self, a: u32, b: u32) {
        let path = self.path(a, b);
        if !path.wanted || path.dialling {
            return;
        }
        path.dialling = true;
        path.failures += 1;
        let base = (REDIAL_MS << (path.failures - 1).min(6)).min(REDIAL_MS_MAX);
        let jitter = if self.redials { self.chance(base / 2) } else { 0 };
        self.later_ms(base + jitter, Delivery::Dial { a, b });
    }

    /// A node that has just started dials everybody at once.
    pub(super) fn dial_all(&mut self, id: u32) {
        for peer in self.peers_of(id) {
            let path = self.path(id, peer);
            if !path.dialling {
                path.dialling = true;
                let wait = self.chance(REDIAL_MS);
                self.later_ms(wait, Delivery::Dial { a: id, b: peer });
            }
        }
    }

    pub(super) fn disconnect(&mut self, link: u64) {
        let Some(connection) = self.connections.remove(&link) else { return };
        let Connection { a, b, gone, .. } = connection;
        for (id, peer) in [(a, b), (b, a)] {
            if let Some(peers) = self.links.get_mut(&id) {
                peers.remove(&peer);
            }
        }
        for ((id, peer), gone) in [(a.min(b), a.max(b)), (a.max(b), a.min(b))].into_iter().zip(end_order(a, b, gone)) {
            if !gone && id != PUPPET {
                self.note(id, || Seen::Disconnected { peer, closed: None });
                self.input(id, Input::LinkDown(LinkId(link)));
            }
        }
        if self.redials && b != PUPPET {
            self.dial_later(a, b);
        }
    }

    /// One end is gone without a word; the other finds out when it hears nothing.
    pub(super) fn abandon(&mut self, link: u64, id: u32) {
        if let Some(connection) = self.connections.get_mut(&link) {
            let end = usize::from(connection.a != id);
            connection.gone[end] = true;
        }
        self.mute(link);
    }

    /// Nothing gets through on a link from now on.
    pub(super) fn mute(&mut self, link: u64) {
        let now_ms = self.now_ms;
        let Some(connection) = self.connections.get_mut(&link) else { return };
        if connection.muted_ms.is_none() {
            connection.muted_ms = Some(now_ms);
            let wait = IDLE_MS + self.chance(IDLE_JITTER_MS);
            self.later_ms(wait, Delivery::Silence { link, since_ms: now_ms });
        }
    }

    /// What waited goes on its way, if nothing else keeps it.
    pub(super) fn unmute(&mut self, link: u64) {
        let Some(connection) = self.connections.get(&link) else { return };
        let (a, b, gone) = (connection.a, connection.b, connection.gone);
        let suspended = |id: &u32| self.nodes.get(id).is_some_and(|node| node.suspended);
        if b == PUPPET || gone.contains(&true) || suspended(&a) || suspended(&b) || self.is_blocked(a, b) {
            return;
        }
        let connection = self.connections.get_mut(&link).expect("looked up above");
        connection.muted_ms = None;
        let held = connection.directions.each_mut().map(|direction| std::mem::take(&mut direction.held));
        for ((from, to), frames) in [(a.min(b), a.max(b)), (a.max(b), a.min(b))].into_iter().zip(held) {
            for frame in frames {
                self.travel(from, to, link, frame);
            }
        }
    }

    fn mute_if_blocked(&mut self, a: u32, b: u32) {
        if self.is_blocked(a, b)
            && let Some(link) = self.find(a, b)
        {
            self.mute(link);
        }
    }

    fn find(&self, a: u32, b: u32) -> Option<u64> {
        self.links.get(&a)?.get(&b).copied()
    }

    /// Links of a node, puppets' among them.
    pub(super) fn links_of(&self, id: u32) -> Vec<u64> {
        let puppets = self.connections.iter().filter(|(_, c)| c.b == PUPPET && c.a == id).map(|(&link, _)| link);
        let mut links: Vec<_> = self.links.get(&id).into_iter().flat_map(|peers| peers.values().copied()).collect();
        links.extend(puppets);
        links.sort_unstable();
        links
    }

    /// True when a node still knows of a link.
    fn knows(&self, link: u64, id: u32) -> bool {
        self.connections.get(&link).is_some_and(|c| !c.gone[usize::from(c.a != id)])
    }
}

/// Whether the lower and the higher id are gone, from the order of the connection's ends.
fn end_order(a: u32, b: u32, gone: [bool; 2]) -> [bool; 2] {
    if a <= b { gone } else { [gone[1], gone[0]] }
}

/// What a puppet's frames take.
const PUPPET_MS: u64 = 20;

/// After how long a closed link is dialled again at first, and at most.
const REDIAL_MS: u64 = 1_000;
const REDIAL_MS_MAX: u64 = 30_000;

/// Silence after which an end gives a connection up, and by how much that varies: the transport's idle time-out.
const IDLE_MS: u64 = 30_000;
const IDLE_JITTER_MS: u64 = 2_000;
