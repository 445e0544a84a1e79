//! One link: who is there, what each side follows, what waits to be sent.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use stockroom_crdt::capability::Role;
use stockroom_crdt::chain::LogId;
use stockroom_crdt::ids::{Actor, Epoch};
use stockroom_crdt::scope::{Lane, Scope};

use super::feed::{self, Follower};
use super::frames::Frame;
use crate::input::{LinkId, Peer};
use crate::journal::LogNumber;
use crate::limits::{CREDIT_BYTES_MIN, LINK_QUEUE_MAX};
use crate::replica::Replica;
use crate::tuning::Tuning;

/// What the peer is to this node.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Relation {
    /// The hub above.
    Parent,
    /// A store or hub below.
    Child,
    /// Another store.
    Peer,
}

/// Whether frames travel on a connection or in parcels.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Path {
    /// A connection.
    Direct,
    /// Parcels to a hub that a neighbour carries; frames are gathered until one is full.
    Courier,
    /// The answer to a parcel, to go back over the link that brought it.
    Answer(LinkId),
}

/// How far a question to a peer is: where do our histories of a log part?
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Search {
    /// It waits until fewer are open.
    Due,
    /// It was sent.
    Asked,
    /// The answer is here: what the peer sends of the log since then must fit.
    Answered,
}

/// One link's state.
pub struct Link {
    /// Who is there.
    pub peer: Peer,
    /// What it is to us.
    pub relation: Relation,
    /// How frames travel.
    pub path: Path,
    /// What its handshake said.
    pub hello: Option<PeerHello>,
    /// It told us how far it holds our logs, so our feeds may start.
    pub held: bool,
    /// Bytes that the link takes now. A frame may overdraw it.
    pub credit: i64,
    /// The node stops: nothing waits to be sent together any more.
    pub hurry: bool,
    /// Frames that are ready, outside of feeds.
    pub queue: VecDeque<(Lane, Frame)>,
    /// Feeds that the peer follows.
    pub outs: BTreeMap<Scope, Out>,
    /// Those of them that may have something to send, most urgent first.
    look: BTreeSet<(Lane, Scope)>,
    /// Those of them that wait for more to send together, by when they stop waiting.
    waiting: BTreeSet<(u64, Lane, Scope)>,
    /// Subscriptions that it is not entitled to, or not yet.
    pub refused: BTreeMap<Scope, Out>,
    /// Scopes of which something that came could not be taken: nothing behind it is acknowledged on this link, so that it comes
    /// again.
    pub gaps: BTreeSet<Scope>,
    /// Logs of which the peer is asked where our histories part.
    pub searches: BTreeMap<LogId, Search>,
    /// Logs of which it asked us.
    pub located: BTreeSet<LogId>,
    /// What we subscribed to.
    pub wanted: BTreeSet<Scope>,
    /// Positions that became durable here and are not acknowledged yet.
    pub acks: BTreeMap<Scope, u64>,
    /// Since when they wait, on the monotonic clock.
    pub acks_since_ms: Option<u64>,
    /// One of them is of a lane that somebody waits for.
    acks_urgent: bool,
    /// When it came up, on the monotonic clock.
    pub up_ms: u64,
    /// When we last told that there is nothing new.
    pub pulse_ms: u64,
    /// When a store was last told that its lease of keys goes on, on the monotonic clock.
    pub leased_ms: Option<u64>,
    /// Their wall clock minus ours when it was last heard, milliseconds; includes up to a round trip.
    pub clock_error_ms: i64,
}

/// What a peer's handshake said.
#[derive(Clone, Debug)]
pub struct PeerHello {
    /// Its epoch.
    pub epoch: Epoch,
    /// The newest kind of fact that it knows.
    pub kind_max: u16,
}

/// One feed of ours, as one peer follows it.
#[derive(Clone, Debug, Default)]
pub struct Out {
    /// The next position to send.
    pub next: u64,
    /// The last position that is durable there.
    pub acked: u64,
    /// The last position that a frame named.
    pub told: u64,
    /// How far each log was sent.
    pub sent: BTreeMap<LogNumber, u64>,
    /// Histories to send again from there on, in front of everything else: the peer asked where they part from its own.
    pub again: BTreeSet<LogNumber>,
    /// How far the peer said that it holds logs.
    pub known: BTreeMap<Actor, u64>,
    /// Since when something waits, on the monotonic clock.
    pub since_ms: Option<u64>,
    /// A common position is being looked for.
    pub paused: bool,
}

impl Link {
    /// A link to `peer` on which nothing was said yet.
    pub fn new(replica: &Replica, peer: Peer, path: Path) -> Self {
        Self {
            relation: relation(replica, &peer),
            peer,
            path,
            hello: None,
            held: false,
            credit: 0,
            hurry: false,
            queue: VecDeque::new(),
            outs: BTreeMap::new(),
            look: BTreeSet::new(),
            waiting: BTreeSet::new(),
            refused: BTreeMap::new(),
            gaps: BTreeSet::new(),
            searches: BTreeMap::new(),
            located: BTreeSet::new(),
            wanted: BTreeSet::new(),
            acks: BTreeMap::new(),
            acks_since_ms: None,
            acks_urgent: false,
            up_ms: replica.now.mono_ms,
            pulse_ms: replica.now.mono_ms,
            leased_ms: None,
            clock_error_ms: 0,
        }
    }

    /// Both sides know each other, and feeds flow.
    pub fn is_ready(&self) -> bool {
        self.hello.is_some() && self.held
    }

    /// Until when the peer must have greeted; `None` once it has.
    pub fn greeting_due_ms(&self, tuning: &Tuning) -> Option<u64> {
        (self.path == Path::Direct && !self.is_ready()).then_some(self.up_ms + tuning.handshake_ms_max)
    }

    /// When a pulse is due; `None` while nobody would understand it.
    pub fn pulse_due_ms(&self, tuning: &Tuning) -> Option<u64> {
        (self.path == Path::Direct && self.is_ready()).then_some(self.pulse_ms + tuning.pulse_after_ms)
    }

    /// When the link wants to be looked at again if nothing happens on it. What cannot be sent has no time.
    pub fn due_ms(&self, tuning: &Tuning) -> Option<u64> {
        let open = self.credit >= CREDIT_BYTES_MIN;
        let feeds = self.waiting.first().map(|(due, ..)| *due).filter(|_| open && self.is_ready());
        let told = self.path == Path::Direct && self.hello.is_some();
        let acks = self.acks_due_ms(tuning).filter(|_| open && told);
        let greeting = self.greeting_due_ms(tuning);
        [self.pulse_due_ms(tuning), feeds, acks, greeting].into_iter().flatten().min()
    }

    /// The feed of `scope` may have something to send, if the peer follows it.
    pub fn look_at(&mut self, scope: &Scope) {
        if self.outs.contains_key(scope) {
            self.look.insert((scope.lane(), scope.clone()));
        }
    }

    /// Every feed may have something to send.
    pub fn look_at_all(&mut self) {
        self.look.extend(self.outs.keys().map(|scope| (scope.lane(), scope.clone())));
    }

    /// Feeds that waited long enough may have something to send; all of them when the link is in a hurry or has no connection.
    pub fn look_at_due(&mut self, now_ms: u64) {
        let hurry = self.hurry || self.path != Path::Direct;
        while self.waiting.first().is_some_and(|(due, ..)| hurry || *due <= now_ms) {
            let (_, lane, scope) = self.waiting.pop_first().expect("looked at above");
            self.look.insert((lane, scope));
        }
    }

    /// Takes the most urgent feed that may have something to send.
    pub fn next_look(&mut self, tuning: &Tuning) -> Option<(Lane, Scope)> {
        let (lane, scope) = self.look.pop_first()?;
        if let Some(since) = self.outs.get(&scope).and_then(|out| out.since_ms) {
            self.waiting.remove(&(since + coalesce_ms(lane, tuning), lane, scope.clone()));
        }
        Some((lane, scope))
    }

    /// A feed waits for more to send together, until `due_ms`.
    pub fn wait(&mut self, due_ms: u64, (lane, scope): (Lane, Scope)) {
        self.waiting.insert((due_ms, lane, scope));
    }

    /// Whom our feeds go to. Only from the hub above does a node take entries of its own back that it had not signed, so none of its
    /// neighbours gets such entries: it would keep them alone.
    pub fn follower(&self) -> Follower {
        let hello = self.hello.as_ref().filter(|_| self.relation == Relation::Child);
        let epoch = hello.map_or(Epoch(0), |hello| hello.epoch);
        Follower { node: self.peer.node, epoch, unsealed: self.relation != Relation::Peer }
    }

    /// The newest kind of fact that the peer knows.
    pub fn kind_max(&self) -> u16 {
        self.hello.as_ref().map_or(u16::MAX, |hello| hello.kind_max)
    }

    /// Notes that everything up to `position` of a scope is durable here from the next commit on.
    pub fn acknowledge(&mut self, now_ms: u64, scope: Scope, position: u64) {
        self.acks_urgent |= scope.lane() < Lane::Stock;
        self.acks.insert(scope, position);
        self.acks_since_ms.get_or_insert(now_ms);
    }

    /// When acknowledgements want to be sent: at once for urgent lanes, together with others for the rest.
    pub fn acks_due_ms(&self, tuning: &Tuning) -> Option<u64> {
        let urgent = self.hurry || self.path != Path::Direct || self.acks_urgent;
        self.acks_since_ms.map(|since| if urgent { since } else { since + tuning.ack_after_ms })
    }

    /// Takes the acknowledgements to send them.
    pub fn take_acks(&mut self) -> Vec<(Scope, u64)> {
        (self.acks_since_ms, self.acks_urgent) = (None, false);
        std::mem::take(&mut self.acks).into_iter().collect()
    }

    /// Queues a frame in front of the feeds. A peer that does not listen loses what will be said again anyway.
    pub fn push(&mut self, lane: Lane, frame: Frame) {
        let said_again = matches!(frame, Frame::Parcel(_) | Frame::Pulse(_) | Frame::Peers(_));
        if said_again && self.queue.len() >= LINK_QUEUE_MAX {
            return;
        }
        self.queue.push_back((lane, frame));
    }

    /// Notes what the peer's wall clock shows.
    pub fn note_clock(&mut self, theirs_ms: u64, ours_ms: u64) {
        let error = i128::from(theirs_ms) - i128::from(ours_ms);
        self.clock_error_ms = i64::try_from(error).unwrap_or(i64::MAX);
    }

    /// True when the peer has everything durable.
    pub fn is_drained(&self, replica: &Replica) -> bool {
        self.outs.iter().all(|(scope, out)| {
            let next = replica.journal.feed(scope).map_or(1, |feed| feed.next);
            let told = out.next >= next && out.acked >= out.told && out.again.is_empty();
            told && !feed::withholds(replica, self.follower(), scope)
        })
    }
}

/// How long a feed waits for more to send together. Urgent lanes do not wait.
pub fn coalesce_ms(lane: Lane, tuning: &Tuning) -> u64 {
    match lane {
        Lane::Control | Lane::Orders => 0,
        Lane::Stock | Lane::History | Lane::Catalog => tuning.coalesce_ms,
    }
}

fn relation(replica: &Replica, peer: &Peer) -> Relation {
    let me = replica.me.capability();
    match (me.role, peer.role) {
        (Role::Store, Role::Hub) => Relation::Parent,
        (Role::Hub, Role::Store) => Relation::Child,
        (Role::Store, Role::Store) => Relation::Peer,
        (Role::Hub, Role::Hub) if replica.me.chain.iter().any(|link| link.node == peer.node) => Relation::Parent,
        (Role::Hub, Role::Hub) => Relation::Child,
    }
}
