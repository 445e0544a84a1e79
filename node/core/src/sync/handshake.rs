//! The handshake: who is there, what is followed from where, and whether both know one history of their own logs.

use std::collections::{BTreeMap, BTreeSet};

use stockroom_crdt::chain::LogId;
use stockroom_crdt::control::EpochReason;
use stockroom_crdt::entry::kind;
use stockroom_crdt::scope::{Lane, Scope};

use super::frames::{Frame, HeadIn, Hello, PROTOCOL, Want};
use super::link::{Link, Out, PeerHello, Relation};
use super::{interest, search};
use crate::ingest::{IngestError, PeerFault};
use crate::input::CoreError;
use crate::journal::fixed;
use crate::limits::{HEADS_MAX, LINK_HEADS_MAX, WANTS_MAX};
use crate::replica::Replica;
use crate::storage::{Snapshot, StoreError, Table};
use stockroom_crdt::codec::{RowReader, Rows, Sink, Source, col};
use stockroom_crdt::ids::NodeId;

/// Our side of the handshake; remembers what was asked for.
pub fn hello(replica: &Replica, link: &mut Link) -> Result<Frame, StoreError> {
    let wants = new_wants(replica, link)?;
    Ok(Frame::Hello(Hello {
        protocol: PROTOCOL,
        tenant: replica.me.tenant,
        node: replica.actor().node,
        epoch: replica.epoch,
        feed_epoch: replica.feed_epoch,
        kind_max: kind::ALL.into_iter().max().unwrap_or(0),
        wall_ms: replica.now.wall_ms,
        wants,
    }))
}

/// Subscriptions that became sensible since the last time we asked.
pub fn new_wants(replica: &Replica, link: &mut Link) -> Result<Vec<Want>, StoreError> {
    ask(replica, link, interest::wants(replica, link)?)
}

/// Subscriptions to those of `scopes` for which we did not ask yet.
pub fn ask(replica: &Replica, link: &mut Link, scopes: BTreeSet<Scope>) -> Result<Vec<Want>, StoreError> {
    let mut wants = Vec::new();
    for scope in scopes {
        if !link.wanted.insert(scope.clone()) {
            continue;
        }
        let cursor = cursor(replica, link.peer.node, &scope)?;
        let mut known = if scope.is_shared() { Vec::new() } else { replica.journal.heads(&scope) };
        known.truncate(HEADS_MAX);
        wants.push(Want { scope, cursor, known });
    }
    Ok(wants)
}

/// The peer's side of the handshake; `first` when this start of the process meets it.
pub fn on_hello(replica: &mut Replica, link: &mut Link, hello: Hello, first: bool) -> Result<(), IngestError> {
    let fault = |text: &str| Err(PeerFault::Frame(text.into()).into());
    if hello.protocol != PROTOCOL {
        return fault("another version of the protocol");
    }
    if hello.tenant != replica.me.tenant || hello.node != link.peer.node || link.hello.is_some() {
        return fault("handshake of somebody else");
    }
    link.note_clock(hello.wall_ms, replica.now.wall_ms);
    link.hello = Some(PeerHello { epoch: hello.epoch, kind_max: hello.kind_max });
    if first {
        hello.wants.iter().for_each(|want| replica.hear_cursor(&want.scope, want.cursor));
    }
    on_want(replica, link, hello.wants)?;
    let mut heads = Vec::new();
    for (_, log) in replica.journal.logs_by(hello.node).take(HEADS_MAX) {
        let hash = std::array::from_fn(|i| log.head.hash.0[i]);
        heads.push(HeadIn { log: log.id.clone(), seq: log.head.seq, hash });
    }
    link.push(Lane::Control, Frame::Held(heads));
    Ok(())
}

/// The peer follows feeds of ours.
pub fn on_want(replica: &mut Replica, link: &mut Link, wants: Vec<Want>) -> Result<(), IngestError> {
    for want in wants {
        let held = || link.outs.values().chain(link.refused.values());
        let heads: usize = held().map(|out| out.known.len()).sum();
        if held().count() >= WANTS_MAX || heads + want.known.len() > LINK_HEADS_MAX {
            return Err(PeerFault::Frame("asks for more than there can be".into()).into());
        }
        // A position that this feed never had was given out by a life of the database that is gone.
        let end = replica.journal.feed(&want.scope).map_or(0, |feed| feed.next - 1);
        let remembered = acked(replica, link.peer.node, &want.scope)?;
        let acked = if want.cursor.0 == replica.feed_epoch && want.cursor.1 <= end { want.cursor.1 } else { 0 };
        let known: BTreeMap<_, _> = want.known.into_iter().collect();
        let out = Out { next: acked + 1, acked, known, ..Out::default() };
        if interest::may_see(replica, link, &want.scope)? {
            // Who lost its disk has less than it once acknowledged.
            if link.relation != Relation::Peer && acked != remembered {
                set_acked(replica, link.peer.node, &want.scope, acked);
            }
            link.outs.insert(want.scope, out);
        } else {
            replica.reached("a subscription was refused");
            link.refused.insert(want.scope, out);
        }
    }
    Ok(())
}

/// The peer tells how far it holds our logs. This is where a restored or cloned node learns what it is.
pub fn on_held(replica: &mut Replica, link: &mut Link, heads: Vec<HeadIn>) -> Result<(), CoreError> {
    let mut by_log: BTreeMap<LogId, Vec<HeadIn>> = BTreeMap::new();
    for head in heads {
        by_log.entry(head.log.clone()).or_default().push(head);
    }
    let mut verdict = None;
    let hub = link.relation == Relation::Parent;
    if hub && replica.rights_locked {
        let reach = |heads: &Vec<HeadIn>| heads.iter().map(|head| head.seq).max().unwrap_or(0);
        replica.desk.unlock = by_log.iter().map(|(id, heads)| (id.clone(), reach(heads))).collect();
    }
    for (id, heads) in by_log {
        if id.actor.node != replica.actor().node {
            continue;
        }
        let current = id.actor.epoch >= replica.epoch;
        let Some((number, log)) = replica.journal.find(&id) else {
            // An epoch of ours that we know nothing of: the database is older than it, or was lost.
            if current {
                verdict = Some((id.actor.epoch.0, EpochReason::HubAhead));
                // Who is not believed can still show our signature.
                search::start(replica, link, &id)?;
            }
            continue;
        };
        let own = log.head.seq;
        let common = search::common_seq(replica, number, heads.iter().map(|head| (head.seq, head.hash)))?;
        let ahead = heads.iter().any(|head| head.seq > own);
        if current && (ahead || common.is_none()) {
            let reason = if ahead { EpochReason::HubAhead } else { EpochReason::Forked };
            verdict = Some((id.actor.epoch.0, reason));
        }
        if let Some(out) = link.outs.get_mut(&id.scope) {
            match common {
                Some(common) => _ = out.sent.insert(number, common),
                None => out.paused = true,
            }
        }
        // A history that we do not hold: let the peer find where it parts from ours, so that it sends what we lack.
        if common.is_none() || !search::holds_all(replica, &id, &heads)? {
            search::start(replica, link, &id)?;
        }
    }
    if let Some((_, reason)) = verdict.filter(|_| link.relation != Relation::Parent) {
        // Only the hub above is believed without proof: any other peer could make this node open epochs until none is left. The
        // others were asked where the histories part, and prove with the answer that there is more, if they can.
        let node = link.peer.node.0;
        replica.alarm(format!(
            "node {node} says about this node: {}; neither proven nor asked of the hub above yet",
            reason.as_str()
        ));
    } else if let Some((epoch, reason)) = verdict {
        replica.alarm(format!("this node's history is not the one that its peer knows: {}", reason.as_str()));
        replica.reopen(epoch.max(replica.epoch.0), reason)?;
    }
    if verdict.is_some() {
        replica.desk.unlock.clear();
    } else if hub && replica.rights_locked {
        replica.hub_was_heard();
    }
    link.held = true;
    Ok(())
}

/// How far we took a peer's feed.
pub fn cursor(replica: &Replica, peer: NodeId, scope: &Scope) -> Result<(u32, u64), StoreError> {
    let Some(value) = replica.overlay.get(Table::Cursors, &cursor_key(peer, scope))? else { return Ok((0, 0)) };
    let mut reader = RowReader::new(&value);
    let feed_epoch = reader.u32(col::B).map_err(crate::journal::damaged)?;
    Ok((feed_epoch, reader.uint(col::POSITION).map_err(crate::journal::damaged)?))
}

/// Remembers how far we took a peer's feed, in the commit that holds what came.
pub fn set_cursor(replica: &mut Replica, peer: NodeId, scope: &Scope, cursor: (u32, u64)) {
    let value = Rows::of(|sink| {
        sink.uint(col::B, u64::from(cursor.0));
        sink.uint(col::POSITION, cursor.1);
    });
    replica.overlay.put(Table::Cursors, cursor_key(peer, scope), value);
}

/// How far a peer has our feed of `scope` durable, as far as we remember.
pub fn acked(replica: &Replica, peer: NodeId, scope: &Scope) -> Result<u64, StoreError> {
    let key = cursor_key(peer, scope);
    let value = match replica.lazy.get(&(Table::Acked, key.clone())) {
        Some(value) => Some(value.clone()),
        None => replica.overlay.get(Table::Acked, &key)?,
    };
    let Some(value) = value else { return Ok(0) };
    let (feed_epoch, position) = value.split_at_checked(4).ok_or_else(|| crate::journal::damaged("ack"))?;
    let same = u32::from_be_bytes(fixed(feed_epoch)?) == replica.feed_epoch;
    Ok(if same { u64::from_be_bytes(fixed(position)?) } else { 0 })
}

/// Remembers it, at the next commit that happens anyway.
pub fn set_acked(replica: &mut Replica, peer: NodeId, scope: &Scope, position: u64) {
    let value = [replica.feed_epoch.to_be_bytes().as_slice(), &position.to_be_bytes()].concat();
    replica.lazy.insert((Table::Acked, cursor_key(peer, scope)), value);
}

fn cursor_key(peer: NodeId, scope: &Scope) -> Vec<u8> {
    [peer.0.to_be_bytes().as_slice(), &scope.to_bytes()].concat()
}
