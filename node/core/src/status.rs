//! The truth about a node: what it knows, how old that is, what is not yet at the hub, who is there.

use std::collections::BTreeSet;

use stockroom_crdt::capability::Role;
use stockroom_crdt::control::EpochReason;
use stockroom_crdt::ids::{Epoch, NodeId, StoreId, TenantId};
use stockroom_crdt::scope::Scope;

use crate::input::{CoreError, DiskSpace};
use crate::journal::{FeedRow, LogNumber, entry_at, feed_rows, fixed};
use crate::plant::{Plant, planted};
use crate::replica::Replica;
use crate::replica::counters::Counters;
use crate::storage::{Snapshot, StoreError, Table};
use crate::sync::link::{Path, Relation};
use crate::sync::{Sync, fresh_key, handshake};

/// A node's status at one commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The tenant.
    pub tenant: TenantId,
    /// The node.
    pub node: NodeId,
    /// What it is.
    pub role: Role,
    /// Its store, if it has one.
    pub store: Option<StoreId>,
    /// Its epoch.
    pub epoch: Epoch,
    /// Why that epoch was opened, if it was opened since the start; the first otherwise.
    pub epoch_reason: EpochReason,
    /// No rights may be spent until a hub was heard.
    pub rights_locked: bool,
    /// The hub does not let this node in: it was revoked, or replaced by another.
    pub turned_away: bool,
    /// How much room the disk has.
    pub disk: DiskSpace,
    /// Peers on links.
    pub peers: Vec<PeerStatus>,
    /// Own entries that are not known to be durable at a hub.
    pub backlog: Backlog,
    /// What is known of each store.
    pub stores: Vec<StoreStatus>,
    /// Parcels that wait here for others.
    pub parcels_carried: usize,
    /// What happened since the start.
    pub counters: Counters,
    /// Runs of others that wait for what they build on.
    pub parked: usize,
    /// When this status was made, milliseconds since 1970.
    pub at_ms: u64,
}

/// One peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerStatus {
    /// Who.
    pub node: NodeId,
    /// Its store, 0 for a hub.
    pub store: StoreId,
    /// What it is to this node.
    pub relation: Relation,
    /// The handshake is through.
    pub ready: bool,
    /// It has everything of ours durable that it follows.
    pub drained: bool,
    /// Its wall clock minus ours, milliseconds, when it was last heard.
    pub clock_error_ms: i64,
    /// The newest kind of fact that its program knows; `None` before the handshake.
    pub kind_max: Option<u16>,
    /// Per scope that it follows: the last position durable there, and the end of the feed.
    pub feeds: Vec<(Scope, u64, u64)>,
}

/// What a store's hub does not have yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Backlog {
    /// Entries.
    pub entries: u64,
    /// When the oldest of them was written, milliseconds since 1970; 0 if there is none.
    pub oldest_ms: u64,
}

/// What is known of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreStatus {
    /// Which.
    pub store: StoreId,
    /// When this node last knew that it had everything of it, milliseconds since 1970 on this node's clock; `None` if never.
    /// A store's own node always knows.
    pub fresh_ms: Option<u64>,
    /// A link to one of its nodes is up.
    pub connected: bool,
}

/// Looks at everything once.
pub fn status(replica: &Replica, sync: &Sync) -> Result<Status, CoreError> {
    let capability = replica.me.capability();
    let peers = sync
        .links()
        .filter(|(_, link)| link.path == Path::Direct)
        .map(|(_, link)| PeerStatus {
            node: link.peer.node,
            store: link.peer.store,
            relation: link.relation,
            ready: link.is_ready(),
            drained: link.is_ready() && link.is_drained(replica),
            clock_error_ms: link.clock_error_ms,
            kind_max: link.hello.as_ref().map(|hello| hello.kind_max),
            feeds: link
                .outs
                .iter()
                .map(|(scope, out)| (scope.clone(), out.acked, replica.journal.feed(scope).map_or(0, |f| f.next - 1)))
                .collect(),
        })
        .collect();
    Ok(Status {
        tenant: replica.me.tenant,
        node: capability.node,
        role: capability.role,
        store: replica.own_store(),
        epoch: replica.epoch,
        epoch_reason: replica.epoch_reason,
        rights_locked: replica.rights_locked,
        turned_away: replica.turned_away,
        disk: replica.disk,
        peers,
        backlog: backlog(replica)?,
        stores: stores(replica, sync)?,
        parcels_carried: sync.carried(),
        counters: replica.counters.clone(),
        parked: replica.parked.len(),
        at_ms: replica.now.wall_ms,
    })
}

/// Counts own entries behind the hub's last acknowledgement. Looks at the first missing row only, not at all of them.
fn backlog(replica: &Replica) -> Result<Backlog, StoreError> {
    if planted(Plant::AlwaysGreen) {
        return Ok(Backlog::default());
    }
    let Some(store) = replica.own_store() else { return Ok(Backlog::default()) };
    let hub = replica.me.capability().issuer;
    let mut out = Backlog::default();
    for scope in [Scope::StoreRights(store), Scope::StoreStock(store)] {
        let Some(feed) = replica.journal.feed(&scope) else { continue };
        let acked = handshake::acked(replica, hub, &scope)?;
        let Some((log, first)) = first_own(replica, feed.number, acked + 1)? else { continue };
        let Some(entries) = replica.journal.log(log) else { continue };
        out.entries += entries.head.seq - first + 1;
        let place = crate::journal::Place { log, seq: first };
        let written = entry_at(&replica.overlay, place)?.map_or(0, |item| item.entry.hlc.ms());
        out.oldest_ms = if out.oldest_ms == 0 { written } else { out.oldest_ms.min(written) };
    }
    Ok(out)
}

/// The first own entries in a feed from a position on. What others wrote may stand before them in any number.
fn first_own(replica: &Replica, feed: u32, mut position: u64) -> Result<Option<(LogNumber, u64)>, StoreError> {
    loop {
        let rows = feed_rows(&replica.overlay, feed, position, PAGE_ROWS)?;
        let Some((last, _)) = rows.last() else { return Ok(None) };
        position = last + 1;
        for (_, row) in rows {
            let FeedRow::Entries { log, first, .. } = row else { continue };
            if replica.journal.log(log).is_some_and(|own| own.id.actor.node == replica.actor().node) {
                return Ok(Some((log, first)));
            }
        }
    }
}

fn stores(replica: &Replica, sync: &Sync) -> Result<Vec<StoreStatus>, StoreError> {
    let own = replica.own_store();
    let linked: BTreeSet<_> = sync.links().filter(|(_, l)| l.path == Path::Direct).map(|(_, l)| l.peer.store).collect();
    let mut out = Vec::new();
    for record in crate::view::View::new(&replica.overlay).stores()? {
        let stored = replica.overlay.get(Table::Meta, &fresh_key(record.store))?;
        let stored = stored.map(|bytes| Ok::<_, StoreError>(u64::from_be_bytes(fixed(&bytes)?))).transpose()?;
        let fresh_ms = match own == Some(record.store) {
            true => Some(replica.now.wall_ms),
            false => sync.fresh(record.store).or(stored),
        };
        let connected = linked.contains(&record.store);
        out.push(StoreStatus { store: record.store, fresh_ms, connected });
    }
    Ok(out)
}

/// Rows of a feed that are read at once.
const PAGE_ROWS: usize = 64;
