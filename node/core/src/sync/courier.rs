//! Links without a connection: a store reaches its hub through whoever carries, and the hub answers the same way.

use stockroom_crdt::capability::Role;
use stockroom_crdt::ids::StoreId;
use stockroom_crdt::scope::{Lane, Scope};

use super::frames::{Entries, Frame, Parcel};
use super::link::{Link, Out, Path};
use super::{Sync, handshake, next_frame, parcel};
use crate::books;
use crate::ingest::{IngestError, PeerFault};
use crate::input::{CoreError, LinkId, Output, Peer};
use crate::limits::PARCEL_BYTES_MAX;
use crate::replica::Replica;
use crate::storage::StoreError;

/// A store's side of parcels.
#[derive(Default)]
pub(super) struct Courier {
    pub(super) link: Option<LinkId>,
    pub(super) parent_lost_ms: Option<u64>,
    pub(super) sent_ms: Option<u64>,
    pub(super) answered_ms: u64,
    pub(super) number: u64,
    /// Parcels in a row that nobody answered: the next one goes to another neighbour.
    pub(super) unanswered: usize,
}

impl Sync {
    /// At a hub: a link without a connection, over which the answer is gathered after the commit.
    pub(super) fn open_virtual(
        &mut self,
        replica: &Replica,
        peer: Peer,
        carrier: LinkId,
    ) -> Result<LinkId, StoreError> {
        self.next_virtual += 1;
        let id = LinkId(VIRTUAL + self.next_virtual);
        let mut link = Link::new(replica, peer, Path::Answer(carrier));
        handshake::new_wants(replica, &mut link)?;
        self.links.insert(id, link);
        Ok(id)
    }

    /// Gathers what a link without a connection has to say into one parcel.
    pub(super) fn fill_parcel(&mut self, replica: &mut Replica, id: LinkId) -> Result<(), CoreError> {
        let link = self.links.get(id).expect("the caller looked it up");
        let carrier = match link.path {
            Path::Answer(carrier) => Some(carrier),
            Path::Courier | Path::Direct => self.neighbour(),
        };
        let is_courier = link.path == Path::Courier;
        if is_courier && (self.courier.sent_ms.is_some() || carrier.is_none()) {
            return Ok(());
        }
        let to = link.peer.node;
        let link = self.links.get_mut(id).expect("looked up above");
        let mut frames = gather(replica, link)?;
        let standings = if is_courier { standings(replica, link) } else { Vec::new() };
        let news_due = self.courier.answered_ms + replica.tuning.parcel_news_ms <= replica.now.mono_ms;
        let worth_sending = !is_courier || frames.len() > 1 || news_due;
        if !is_courier {
            self.links.remove(id);
        }
        let Some(carrier) = carrier.filter(|&carrier| worth_sending && self.links.contains(carrier)) else {
            return Ok(());
        };
        frames.extend(standings);
        self.courier.number = (self.courier.number + 1).max(replica.now.wall_ms);
        if let Some(parcel) = parcel::seal(replica, to, self.courier.number, &frames)? {
            self.links.get_mut(carrier).expect("looked up above").push(Lane::Stock, Frame::Parcel(parcel));
            self.links.mark(carrier);
            if is_courier {
                self.courier.sent_ms = Some(replica.now.mono_ms);
            }
        }
        Ok(())
    }

    pub(super) fn neighbour(&self) -> Option<LinkId> {
        let all = self.links.neighbours();
        all.iter().nth(self.courier.unanswered.checked_rem(all.len())?).copied()
    }

    pub(super) fn courier_wake(&mut self, replica: &mut Replica) -> Result<(), CoreError> {
        let now = replica.now.mono_ms;
        if replica.own_store().is_none() || self.has_parent() {
            self.courier.parent_lost_ms = None;
            return Ok(());
        }
        let lost = *self.courier.parent_lost_ms.get_or_insert(now);
        if now < lost + replica.tuning.parcel_after_ms || self.neighbour().is_none() {
            return Ok(());
        }
        if self.courier.sent_ms.is_some_and(|sent| now >= sent + replica.tuning.parcel_retry_ms) {
            self.courier.unanswered += 1;
            self.drop_courier();
        }
        let id = match self.courier.link {
            Some(id) => id,
            None => self.open_courier(replica)?,
        };
        self.links.mark(id);
        Ok(())
    }

    pub(super) fn courier_deadline(&self, replica: &Replica) -> Option<u64> {
        replica.own_store()?;
        if self.has_parent() {
            return None;
        }
        let Some(lost) = self.courier.parent_lost_ms else { return Some(replica.now.mono_ms) };
        self.neighbour()?;
        Some(match (self.courier.link, self.courier.sent_ms) {
            (None, _) => lost + replica.tuning.parcel_after_ms,
            (Some(_), Some(sent)) => sent + replica.tuning.parcel_retry_ms,
            (Some(_), None) => self.courier.answered_ms + replica.tuning.parcel_news_ms,
        })
    }

    /// At a store: the hub above, reached through whoever carries. Starts where the hub's last acknowledgement stood.
    pub(super) fn open_courier(&mut self, replica: &Replica) -> Result<LinkId, CoreError> {
        let me = replica.me.capability();
        let peer = Peer { node: me.issuer, role: Role::Hub, store: StoreId(0), address: None };
        self.next_virtual += 1;
        let id = LinkId(VIRTUAL + self.next_virtual);
        let mut link = Link::new(replica, peer, Path::Courier);
        link.held = true;
        for scope in [Scope::StoreRights(me.store), Scope::StoreStock(me.store)] {
            let acked = handshake::acked(replica, me.issuer, &scope)?;
            link.outs.insert(scope, Out { next: acked + 1, acked, ..Out::default() });
        }
        self.links.insert(id, link);
        self.courier.link = Some(id);
        self.met.insert(me.issuer);
        self.courier.answered_ms = 0;
        Ok(id)
    }

    pub(super) fn drop_courier(&mut self) {
        if let Some(id) = self.courier.link.take() {
            self.links.remove(id);
        }
        self.courier.sent_ms = None;
    }

    pub(super) fn on_parcel(
        &mut self,
        replica: &mut Replica,
        id: LinkId,
        parcel: Parcel,
        outputs: &mut Vec<Output>,
    ) -> Result<(), IngestError> {
        let signed = parcel::is_signed(replica, &parcel)?;
        if signed == Some(false) {
            return Err(PeerFault::Frame("parcel: signature".into()).into());
        }
        if parcel.to != replica.actor().node {
            // A parcel that nobody here can vouch for, or that nobody here knows how to deliver, would only take up room.
            let sender = self.links.get(id).map(|link| link.peer.node);
            let vouched = signed == Some(true) || sender == Some(parcel.from);
            if !vouched || books::node(&replica.overlay, parcel.to)?.is_none() {
                return Ok(());
            }
            replica.reached("a parcel was carried");
            match self.links.to_node(parcel.to) {
                Some(to) => {
                    self.links.get_mut(to).expect("just found").push(Lane::Stock, Frame::Parcel(parcel));
                    self.links.mark(to);
                }
                None => self.carried.keep(parcel),
            }
            return Ok(());
        }
        let Some(sender) = books::node(&replica.overlay, parcel.from)? else { return Ok(()) };
        if replica.is_fenced(sender.node) || signed != Some(true) {
            return Ok(());
        }
        let frames = match parcel::open(replica, &parcel) {
            Ok(frames) => frames,
            Err(fault) => {
                // The carrier could not know; the sender's fault must not cost the carrier its link.
                replica.alarm(format!("node {} sent a parcel that cannot be used: {fault}", parcel.from.0));
                return Ok(());
            }
        };
        let peer = Peer { node: sender.node, role: sender.role, store: sender.store, address: None };
        let answer = sender.role == Role::Hub;
        let virtual_id = if answer { self.courier.link } else { Some(self.open_virtual(replica, peer, id)?) };
        let Some(virtual_id) = virtual_id else { return Ok(()) };
        if let Some(link) = self.links.get_mut(virtual_id) {
            // Each answer begins where our cursors stood.
            link.gaps.clear();
            link.searches.clear();
        }
        for frame in frames {
            if let Err(error) = self.dispatch(replica, virtual_id, frame, outputs) {
                match error {
                    IngestError::Peer(fault) => {
                        replica.alarm(format!("node {} sent a parcel that cannot be used: {fault}", parcel.from.0));
                        self.links.remove(virtual_id);
                        if self.courier.link == Some(virtual_id) {
                            self.drop_courier();
                        }
                        return Ok(());
                    }
                    IngestError::Core(_) => return Err(error),
                }
            }
        }
        if answer {
            replica.reached("a parcel was answered");
            // An answer that does not acknowledge what the last parcel held is a late one to an earlier parcel. Going on from
            // here would leave out what the last parcel held if that is lost: its own answer, or the next try, is waited for.
            let late = |link: &Link| link.queue.is_empty() && link.outs.values().any(|out| out.told > out.acked);
            if !self.links.get(virtual_id).is_some_and(late) {
                self.courier.sent_ms = None;
            }
            self.courier.answered_ms = replica.now.mono_ms;
        } else if let Some(link) = self.links.get_mut(virtual_id) {
            link.held = true;
        }
        Ok(())
    }
}

/// Everything that a link without a connection has to say, up to a parcel's size. A store begins with its handshake.
fn gather(replica: &Replica, link: &mut Link) -> Result<Vec<Vec<u8>>, StoreError> {
    let mut frames = Vec::new();
    let mut room = PARCEL_BYTES_MAX - PARCEL_ROOM;
    if link.path == Path::Courier {
        link.wanted.clear();
        let hello = handshake::hello(replica, link)?;
        frames.push(hello.encode(link.kind_max()));
    }
    link.credit = room as i64;
    link.look_at_all();
    while let Some((_, bytes)) = next_frame(replica, link)? {
        room = room.saturating_sub(bytes.len());
        frames.push(bytes);
        link.credit = room as i64;
    }
    Ok(frames)
}

/// How far the addressee is taken to have each feed: if it was set back since, it says so.
fn standings(replica: &Replica, link: &Link) -> Vec<Vec<u8>> {
    let standing = |(scope, out): (&Scope, &Out)| {
        let (scope, feed_epoch, at) = (scope.clone(), replica.feed_epoch, out.told.max(out.acked));
        let entries = Entries { scope, feed_epoch, after: at, to: at, complete: false, runs: Vec::new() };
        Frame::Entries(entries).encode(link.kind_max())
    };
    link.outs.iter().map(standing).collect()
}

/// Room in a parcel for its handshake and seal.
const PARCEL_ROOM: usize = 16 * 1024;

/// Numbers of links without a connection; the shell's count from 1.
const VIRTUAL: u64 = 1 << 40;
