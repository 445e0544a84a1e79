//! Sync: the same protocol between store and hub, hub and cloud, store and store.
//!
//! | module | what it knows |
//! |---|---|
//! | [`frames`] | what is said, byte by byte |
//! | [`link`] | one peer: what each side follows, what waits |
//! | `links` | all peers: who may send, whose timer is due, who follows what |
//! | `groups` | which stores below a hub are told of each other |
//! | [`interest`] | which scopes lie between two nodes |
//! | [`handshake`] | who is there, from where to go on, whether both know one history |
//! | [`keys`] | keys of members, between a store and its hub |
//! | [`search`] | where two histories of a log part |
//! | [`feed`] | what a peer gets next |
//! | `courier` | links without a connection, made of parcels |
//! | [`parcel`] | frames sealed for a neighbour to carry |
//!
//! This file dispatches: it gives each frame to the module that understands it, and each writable link its next frame.

mod courier;
pub mod feed;
pub mod frames;
mod groups;
pub mod handshake;
pub mod interest;
pub mod keys;
pub mod link;
mod links;
pub mod parcel;
pub mod search;

use std::collections::{BTreeMap, BTreeSet};

use stockroom_crdt::capability::verify;
use stockroom_crdt::entry::kind;
use stockroom_crdt::ids::{NodeId, StoreId};
use stockroom_crdt::scope::{Lane, Scope};

use crate::authority::{Writer, area, may_write};
use crate::books::{self, cells};
use crate::ingest::{IngestError, PeerFault};
use crate::input::{CoreError, Event, LinkId, Output, Peer};
use crate::limits::{CREDIT_BYTES_MIN, LINKS_MAX};
use crate::plant::{Plant, planted};
use crate::replica::Replica;
use crate::storage::{StoreError, Table};
use courier::Courier;
use frames::{CellsFrame, Entries, Frame, Pulse};
use groups::Groups;
use link::{Link, Path, Relation, coalesce_ms};
use links::Links;

/// All links of a node.
#[derive(Default)]
pub struct Sync {
    links: Links,
    groups: Groups,
    carried: parcel::Carried,
    /// When we last knew that we have everything of a store, on our wall clock.
    fresh: BTreeMap<StoreId, u64>,
    /// The link-without-a-connection to the hub, while there is no other.
    courier: Courier,
    next_virtual: u64,
    /// Whoever this start of the process has told anything.
    met: BTreeSet<NodeId>,
}

impl Sync {
    /// A peer is there: greet it.
    pub fn link_up(&mut self, replica: &Replica, id: LinkId, peer: Peer) -> Result<Option<String>, CoreError> {
        if self.links.len() >= LINKS_MAX {
            return Ok(Some("too many links".into()));
        }
        if replica.is_fenced(peer.node) {
            return Ok(Some("the peer is fenced".into()));
        }
        let mut link = Link::new(replica, peer, Path::Direct);
        let hello = handshake::hello(replica, &mut link)?;
        link.push(Lane::Control, hello);
        self.links.insert(id, link);
        self.join_group(replica, id)?;
        Ok(None)
    }

    /// A peer is gone.
    pub fn link_down(&mut self, id: LinkId) -> Option<NodeId> {
        self.leave_group(id);
        self.links.remove(id).map(|link| link.peer.node)
    }

    /// Every link is gone. Gives those with a connection, to be closed.
    pub fn drop_all(&mut self) -> Vec<LinkId> {
        self.groups = Groups::default();
        self.courier = Courier { number: self.courier.number, ..Courier::default() };
        let links = std::mem::take(&mut self.links);
        links.iter().filter(|(_, link)| link.path == Path::Direct).map(|(id, _)| id).collect()
    }

    /// The link takes more.
    pub fn writable(&mut self, id: LinkId, bytes: usize) {
        if let Some(link) = self.links.get_mut(id) {
            if planted(Plant::LoseCredit) && link.credit < CREDIT_BYTES_MIN {
                return;
            }
            link.credit = link.credit.saturating_add(i64::try_from(bytes).unwrap_or(i64::MAX));
            self.links.mark(id);
        }
    }

    /// A frame came in.
    pub fn frame(
        &mut self,
        replica: &mut Replica,
        id: LinkId,
        bytes: &[u8],
        outputs: &mut Vec<Output>,
    ) -> Result<(), IngestError> {
        if !self.links.contains(id) {
            return Ok(());
        }
        let frame = Frame::decode(bytes).map_err(|error| PeerFault::Frame(error.to_string()))?;
        self.dispatch(replica, id, frame, outputs)
    }

    fn dispatch(
        &mut self,
        replica: &mut Replica,
        id: LinkId,
        frame: Frame,
        outputs: &mut Vec<Output>,
    ) -> Result<(), IngestError> {
        self.links.mark(id);
        let Some(link) = self.links.get_mut(id) else { return Ok(()) };
        let greeted =
            link.hello.is_some() || matches!(frame, Frame::Hello(_) | Frame::Goodbye) || link.path != Path::Direct;
        if !greeted {
            return Err(PeerFault::Frame("before the handshake".into()).into());
        }
        let feeds = moved_feeds(&frame);
        match frame {
            Frame::Hello(hello) => {
                let first = self.met.insert(link.peer.node);
                handshake::on_hello(replica, link, hello, first)?;
                // What we know of stores may have grown since our own greeting, and nobody asked while this one was on its way.
                self.interest_changed(replica, id)?;
            }
            Frame::Held(heads) => {
                let (node, store) = (link.peer.node, link.peer.store);
                let direct = link.path == Path::Direct;
                handshake::on_held(replica, link, heads)?;
                if direct {
                    replica.note_link(node, store, true);
                }
                self.became_ready(id);
                if let Some(link) = self.links.get_mut(id) {
                    keys::greet(replica, link)?;
                }
            }
            Frame::Want(wants) => {
                handshake::on_want(replica, link, wants)?;
                self.interest_changed(replica, id)?;
            }
            Frame::Entries(entries) => self.on_entries(replica, id, entries)?,
            Frame::Cells(cells) => on_cells(replica, link, cells)?,
            Frame::Ack(acks) => on_ack(replica, link, acks),
            Frame::Locate(locate) => {
                replica.reached("the last common entry was searched for");
                search::on_locate(replica, link, locate)?;
            }
            Frame::Located(log, seq, proof) => {
                replica.reached("the last common entry was found");
                search::on_located(replica, link, (&log, seq), proof)?;
            }
            // One in another would be opened inside the opening of that one, as deep as a sender likes.
            Frame::Parcel(_) if link.path != Path::Direct => {
                return Err(PeerFault::Frame("a parcel in a parcel".into()).into());
            }
            Frame::Parcel(parcel) => self.on_parcel(replica, id, parcel, outputs)?,
            Frame::Peers(peers) => {
                if link.relation == Relation::Parent {
                    outputs.push(Output::Introduced(peers));
                }
            }
            Frame::Pulse(pulse) => self.on_pulse(replica, id, pulse)?,
            Frame::Goodbye => {}
            Frame::Keys(frame) => keys::on_keys(replica, link, frame)?,
        }
        for scope in feeds {
            self.links.follow(id, &scope);
        }
        Ok(())
    }

    /// After a commit: what became durable may be told to those who follow it. `stores` are those whose records changed.
    pub fn committed(&mut self, replica: &mut Replica, stores: &BTreeSet<StoreId>) -> Result<(), StoreError> {
        if !stores.is_empty() {
            for id in self.links.widening() {
                self.interest_widened(replica, id, stores)?;
            }
            self.regroup(replica, stores)?;
        }
        for scope in replica.journal.take_grown() {
            self.links.grown(&scope);
        }
        let words = std::mem::take(&mut replica.member_desk.outbox);
        if let Some(parent) = self.links.parent().filter(|_| !words.is_empty()) {
            let link = self.links.get_mut(parent).expect("just looked up");
            words.into_iter().for_each(|word| link.push(Lane::Control, Frame::Keys(word)));
            self.links.mark(parent);
        }
        self.links.mark_due(replica.now.mono_ms);
        if let Some(courier) = self.courier.link {
            self.links.mark(courier);
        }
        Ok(())
    }

    /// The next frame to send, if any link can take one.
    pub fn next_send(&mut self, replica: &mut Replica) -> Result<Option<(LinkId, Lane, Vec<u8>)>, CoreError> {
        while let Some(id) = self.links.first_ready() {
            let link = self.links.get_mut(id).expect("ready links exist");
            if link.path != Path::Direct {
                self.links.rest(id, &replica.tuning);
                self.fill_parcel(replica, id)?;
                continue;
            }
            match next_frame(replica, link)? {
                Some((lane, bytes)) => return Ok(Some((id, lane, bytes))),
                None => self.links.rest(id, &replica.tuning),
            }
        }
        Ok(None)
    }

    /// Timers: pulses, parcels, feeds that waited to be sent together.
    pub fn wake(&mut self, replica: &mut Replica) -> Result<(), CoreError> {
        let now = replica.now.mono_ms;
        for id in self.links.due(now) {
            let link = self.links.get_mut(id).expect("timers are of links");
            if link.pulse_due_ms(&replica.tuning).is_some_and(|due| due <= now) {
                link.pulse_ms = now;
                pulse(replica, link);
                keys::renew(replica, link);
            }
            self.links.mark(id);
        }
        self.courier_wake(replica)
    }

    /// Links whose peer did not greet in time.
    pub fn silent(&self, replica: &Replica) -> Vec<LinkId> {
        let now = replica.now.mono_ms;
        let late = |link: &Link| link.greeting_due_ms(&replica.tuning).is_some_and(|due| due <= now);
        self.links.due(now).into_iter().filter(|&id| self.links.get(id).is_some_and(late)).collect()
    }

    /// When [`Sync::wake`] has something to do, on the monotonic clock.
    pub fn deadline(&self, replica: &Replica) -> Option<u64> {
        let links = self.links.deadline(&replica.tuning);
        links.into_iter().chain(self.courier_deadline(replica)).min()
    }

    /// Says goodbye on every link.
    pub fn stop(&mut self) {
        let ids: Vec<_> = self.links.iter().map(|(id, _)| id).collect();
        for id in ids {
            let link = self.links.get_mut(id).expect("just listed");
            link.hurry = true;
            link.push(Lane::Control, Frame::Goodbye);
            self.links.mark(id);
        }
    }

    /// The links, for status.
    pub fn links(&self) -> impl Iterator<Item = (LinkId, &Link)> {
        self.links.iter()
    }

    /// A direct link to a node is up and greeted.
    pub fn has_link(&self, node: NodeId) -> bool {
        self.links.of_node(node).any(|link| link.path == Path::Direct && link.is_ready())
    }

    /// When everything of a store was last known to be here, on our wall clock.
    pub fn fresh(&self, store: StoreId) -> Option<u64> {
        self.fresh.get(&store).copied()
    }

    /// How many parcels wait here for others.
    pub fn carried(&self) -> usize {
        self.carried.count()
    }

    /// A direct link to a hub above is up and greeted.
    pub fn has_parent(&self) -> bool {
        self.links.has_parent()
    }

    /// Links of nodes that are not believed any more.
    pub fn fenced(&self, replica: &Replica) -> Vec<LinkId> {
        self.links.iter().filter(|(_, link)| replica.is_fenced(link.peer.node)).map(|(id, _)| id).collect()
    }

    fn became_ready(&mut self, id: LinkId) {
        self.links.greeted(id);
        let Some(link) = self.links.get_mut(id) else { return };
        let (relation, path) = (link.relation, link.path);
        if path == Path::Direct {
            self.carried.take(link.peer.node).for_each(|parcel| link.push(Lane::Stock, Frame::Parcel(parcel)));
        }
        if path == Path::Direct && relation == Relation::Parent {
            self.drop_courier();
        }
        self.introduce(id);
    }

    /// Everything that lies between us and a peer that has greeted.
    fn interest_changed(&mut self, replica: &Replica, id: LinkId) -> Result<(), StoreError> {
        let link = self.links.get_mut(id).expect("the caller listed it");
        if link.hello.is_none() {
            return Ok(());
        }
        let wants = handshake::new_wants(replica, link)?;
        if !wants.is_empty() {
            link.push(Lane::Control, Frame::Want(wants));
        }
        let mut seen = Vec::new();
        for (scope, out) in std::mem::take(&mut link.refused) {
            if interest::may_see(replica, link, &scope)? {
                seen.push(scope.clone());
                link.outs.insert(scope, out);
            } else {
                link.refused.insert(scope, out);
            }
        }
        seen.iter().for_each(|scope| self.links.follow(id, scope));
        self.links.mark(id);
        Ok(())
    }

    /// What came to lie between us and a peer because records of stores changed. Only between stores can a peer come to see
    /// more of ours by that.
    fn interest_widened(
        &mut self,
        replica: &Replica,
        id: LinkId,
        stores: &BTreeSet<StoreId>,
    ) -> Result<(), StoreError> {
        let link = self.links.get_mut(id).expect("the caller listed it");
        if link.relation == Relation::Peer {
            return self.interest_changed(replica, id);
        }
        if link.hello.is_none() {
            return Ok(());
        }
        let wants = handshake::ask(replica, link, interest::wants_about(replica, link, stores)?)?;
        if !wants.is_empty() {
            link.push(Lane::Control, Frame::Want(wants));
            self.links.mark(id);
        }
        Ok(())
    }

    fn on_entries(&mut self, replica: &mut Replica, id: LinkId, entries: Entries) -> Result<(), IngestError> {
        let link = self.links.get_mut(id).expect("the caller looked it up");
        let Entries { scope, feed_epoch, after, to, complete, runs } = entries;
        if !link.wanted.contains(&scope) || scope.is_shared() {
            return Err(PeerFault::Interest.into());
        }
        let sender = link.peer.node;
        let held = handshake::cursor(replica, sender, &scope)?;
        let reached = if held.0 == feed_epoch { held.1 } else { 0 };
        // Whoever sends a parcel goes by what it remembers of us, and we may have been set back since.
        if link.path != Path::Direct && after > reached && link.gaps.insert(scope.clone()) {
            replica.reached("a parcel began behind what its addressee has");
            link.wanted.remove(&scope);
            let wants = handshake::ask(replica, link, BTreeSet::from([scope.clone()]))?;
            link.push(Lane::Control, Frame::Want(wants));
        }
        let newest_ms = runs.iter().flat_map(|run| &run.items).map(|item| item.entry.hlc.ms()).max();
        for run in runs {
            // Control flows down: from below comes back only what this hub, or one above it, once wrote.
            let from_above = || replica.me.chain.iter().any(|above| above.node == run.log.actor.node);
            if scope == Scope::Control && link.relation == Relation::Child && !from_above() {
                continue;
            }
            let log = run.log.clone();
            let held_there = run.first.saturating_sub(1).saturating_add(run.items.len() as u64);
            let history = match replica.ingest(sender, run) {
                Ok(history) => history,
                Err(IngestError::Peer(PeerFault::History)) if replica.journal.find(&log).is_some() => None,
                Err(error) => return Err(error),
            };
            // What cannot be placed is not acknowledged, nor is what comes behind it, until the sender knows what is lacking: it
            // must not take it for received. The other runs of the frame are taken, for they do not come again.
            if history.is_none() {
                link.gaps.insert(scope.clone());
                search::ask(replica, link, &log)?;
            }
            if let (Some(number), Some(out)) = (history, link.outs.get_mut(&scope)) {
                let sent = out.sent.entry(number).or_default();
                *sent = (*sent).max(held_there);
            }
        }
        if link.gaps.contains(&scope) {
            return Ok(());
        }
        if to > reached || held.0 != feed_epoch {
            handshake::set_cursor(replica, sender, &scope, (feed_epoch, to));
        }
        link.acknowledge(replica.now.mono_ms, scope.clone(), to);
        // A parcel may have lain with a neighbour for hours: it proves that all is here up to its newest entry, and nothing later.
        let known_ms = if link.path == Path::Direct { Some(replica.now.wall_ms) } else { newest_ms };
        if let Some(store) = scope.store().filter(|&store| complete && link.peer.store == store) {
            if scope == Scope::StoreStock(store) {
                known_ms.into_iter().for_each(|at_ms| self.note_fresh(replica, store, at_ms));
            } else if scope == Scope::StoreRights(store) {
                replica.store_was_heard(store);
            }
        }
        Ok(())
    }

    fn on_pulse(&mut self, replica: &mut Replica, id: LinkId, pulse: Pulse) -> Result<(), IngestError> {
        let link = self.links.get_mut(id).expect("the caller looked it up");
        link.note_clock(pulse.wall_ms, replica.now.wall_ms);
        let (node, store) = (link.peer.node, link.peer.store);
        for (scope, end) in pulse.ends {
            if scope.store() != Some(store) || handshake::cursor(replica, node, &scope)?.1 < end {
                continue;
            }
            match scope {
                Scope::StoreStock(store) => self.note_fresh(replica, store, replica.now.wall_ms),
                Scope::StoreRights(store) => replica.store_was_heard(store),
                _ => {}
            }
        }
        Ok(())
    }

    /// Everything that a store had at a time is here. By what was carried that is earlier than what may be known already.
    fn note_fresh(&mut self, replica: &mut Replica, store: StoreId, at_ms: u64) {
        let now_ms = replica.now.wall_ms;
        let before_ms = self.fresh.get(&store).copied().filter(|before_ms| *before_ms <= now_ms).unwrap_or(0);
        let at_ms = at_ms.min(now_ms).max(before_ms);
        self.fresh.insert(store, at_ms);
        replica.lazy.insert((Table::Meta, fresh_key(store)), at_ms.to_be_bytes().to_vec());
    }
}

/// When everything of a store was last known to be here, as it is stored.
pub fn fresh_key(store: StoreId) -> Vec<u8> {
    [b"fresh/".as_slice(), &store.0.to_be_bytes()].concat()
}

fn on_ack(replica: &mut Replica, link: &mut Link, acks: Vec<(Scope, u64)>) {
    for (scope, position) in acks {
        let Some(out) = link.outs.get_mut(&scope) else { continue };
        if position < out.next && position > out.acked {
            out.acked = position;
            if link.relation != Relation::Peer {
                handshake::set_acked(replica, link.peer.node, &scope, position);
            }
        }
    }
}

/// Newest values from a hub above us, with its signature as a witness.
fn on_cells(replica: &mut Replica, link: &mut Link, frame: CellsFrame) -> Result<(), IngestError> {
    if link.relation != Relation::Parent || !link.wanted.contains(&frame.scope) || !frame.scope.is_shared() {
        return Err(PeerFault::Interest.into());
    }
    let witness = books::node(&replica.overlay, link.peer.node)?;
    let signed = witness.is_some_and(|hub| verify(&hub.log_key, &frame.message(replica.me.tenant), &frame.signature));
    if !signed {
        return Err(PeerFault::Seal.into());
    }
    let mut is_new = false;
    for ((writer, seq), item) in frame.stamps.iter().zip(&frame.items) {
        let fact = &item.entry.fact;
        let may = may_write(Writer::Hub, area(&frame.scope), fact.kind()) && fact.belongs_in(&frame.scope);
        if !may || fact.kind() == kind::EPOCH_OPEN {
            return Err(PeerFault::Scope.into());
        }
        replica.observe(item.entry.hlc);
        let stamp = (*writer, *seq);
        is_new |= cells::merge(&mut replica.overlay, &mut replica.journal, &frame.scope, stamp, item)?;
        replica.counters.entries_ingested += 1;
    }
    if is_new {
        replica.events.push(Event::Values(frame.scope.clone()));
    }
    handshake::set_cursor(replica, link.peer.node, &frame.scope, (frame.feed_epoch, frame.to));
    link.acknowledge(replica.now.mono_ms, frame.scope, frame.to);
    Ok(())
}

/// The next frame for one link: what is queued, then acknowledgements, then feeds by lane.
fn next_frame(replica: &Replica, link: &mut Link) -> Result<Option<(Lane, Vec<u8>)>, StoreError> {
    if link.credit < CREDIT_BYTES_MIN {
        return Ok(None);
    }
    let kind_max = link.kind_max();
    let frame = if let Some(queued) = link.queue.pop_front() {
        Some(queued)
    } else if link.hello.is_some() && link.acks_due_ms(&replica.tuning).is_some_and(|due| due <= replica.now.mono_ms) {
        Some((Lane::Control, Frame::Ack(link.take_acks())))
    } else if link.held {
        next_feed_frame(replica, link)?
    } else {
        None
    };
    let Some((lane, frame)) = frame else { return Ok(None) };
    let bytes = frame.encode(kind_max);
    link.credit -= bytes.len() as i64;
    Ok(Some((lane, bytes)))
}

/// The next frame of the most urgent feed that has one. Looks only at feeds that grew or waited long enough: a hub above
/// follows two of every store.
fn next_feed_frame(replica: &Replica, link: &mut Link) -> Result<Option<(Lane, Frame)>, StoreError> {
    let (now, tuning) = (replica.now.mono_ms, &replica.tuning);
    let follower = link.follower();
    let goal = tuning.frame_bytes_goal.min(usize::try_from(link.credit).unwrap_or(0));
    let patient = link.path == Path::Direct && !link.hurry;
    link.look_at_due(now);
    while let Some((lane, scope)) = link.next_look(tuning) {
        let Some(out) = link.outs.get_mut(&scope) else { continue };
        let more = |next: u64| (out.next < next || !out.again.is_empty()) && !out.paused;
        let Some(feed) = replica.journal.feed(&scope).filter(|feed| more(feed.next)) else {
            out.since_ms = None;
            continue;
        };
        let due = *out.since_ms.get_or_insert(now) + coalesce_ms(lane, tuning);
        let few = feed.next.saturating_sub(out.next) < tuning.coalesce_rows && out.again.is_empty();
        if patient && now < due && few {
            link.wait(due, (lane, scope));
            continue;
        }
        if let Some(frame) = feed::next_frame(replica, follower, &scope, out, goal)? {
            link.pulse_ms = now.saturating_sub(tuning.pulse_after_ms / 2);
            // There may be more of it.
            link.look_at(&scope);
            return Ok(Some((lane, frame)));
        }
    }
    Ok(None)
}

/// Feeds of ours that a frame may start, or set to another position.
fn moved_feeds(frame: &Frame) -> BTreeSet<Scope> {
    match frame {
        Frame::Hello(hello) => hello.wants.iter().map(|want| want.scope.clone()).collect(),
        Frame::Want(wants) => wants.iter().map(|want| want.scope.clone()).collect(),
        Frame::Held(heads) => heads.iter().map(|head| head.log.scope.clone()).collect(),
        Frame::Locate(locate) => BTreeSet::from([locate.log.scope.clone()]),
        Frame::Located(log, ..) => BTreeSet::from([log.scope.clone()]),
        Frame::Entries(_)
        | Frame::Cells(_)
        | Frame::Ack(_)
        | Frame::Parcel(_)
        | Frame::Peers(_)
        | Frame::Pulse(_)
        | Frame::Goodbye
        | Frame::Keys(_) => BTreeSet::new(),
    }
}

fn pulse(replica: &Replica, link: &mut Link) {
    let follower = link.follower();
    let complete = link.outs.iter().filter_map(|(scope, out)| {
        let end = replica.journal.feed(scope)?.next - 1;
        let complete = out.next > end && scope.store().is_some() && !feed::withholds(replica, follower, scope);
        complete.then(|| (scope.clone(), end))
    });
    let frame = Frame::Pulse(Pulse { wall_ms: replica.now.wall_ms, ends: complete.collect() });
    link.push(Lane::Control, frame);
}
