//! The truth about this node: what it is, who is there, what is not yet safe at the hub, how old its knowledge is.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use stockroom_core::input::DiskSpace;
use stockroom_core::status::{PeerStatus, Status};
use stockroom_core::sync::link::Relation;
use utoipa::ToSchema;

use super::Api;
use super::problem::Answered;
use super::stores::Knowledge;
use super::trust::{CertificateAnswer, PagesAnswer};
use super::values::{Moment, Text, moment, now_ms};
use crate::info::LinkTotals;

/// A node's status.
#[derive(Serialize, ToSchema)]
#[schema(as = Status)]
pub struct StatusAnswer {
    /// The tenant's name.
    name: String,
    /// The tenant's id.
    tenant: String,
    /// This node's id.
    node: u32,
    /// `hub` or `store`.
    role: &'static str,
    /// Its store, 0 for a hub.
    store: u32,
    /// `store`, or `solo` for a shop of one person: pages without bays, drawers that are handed over, and asking somebody else.
    profile: &'static str,
    /// The program's version.
    version: &'static str,
    /// When this process started.
    #[schema(value_type = String, format = DateTime)]
    started_at: Text<Moment>,
    /// When this status was made.
    #[schema(value_type = String, format = DateTime)]
    at: Text<Moment>,
    /// The life of the database, and why it began if it began since the start.
    epoch: EpochAnswer,
    /// No rights may be spent until a hub was heard.
    rights_locked: bool,
    /// The hub does not let this node in: it was revoked, or replaced by another.
    turned_away: bool,
    /// `ample`, `low` (imports stop) or `critical` (only sales).
    disk: &'static str,
    /// What the hub does not have yet.
    backlog: BacklogAnswer,
    /// Nodes at the other ends of links.
    peers: Vec<PeerAnswer>,
    /// Stores, and how old what is known of them is.
    stores: Vec<Knowledge>,
    /// Parcels of others that wait here.
    parcels_carried: usize,
    /// Whether peers believe this node.
    link_certificate: CertificateAnswer,
    /// Where people find this node's pages; absent if it serves none on the network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pages: Option<PagesAnswer>,
    /// What happened since the start.
    counters: CountersAnswer,
}

/// An epoch.
#[derive(Serialize, ToSchema)]
pub struct EpochAnswer {
    /// Its number.
    number: u16,
    /// Why it was opened.
    reason: &'static str,
}

/// Own entries that are not known to be durable at the hub.
#[derive(Serialize, ToSchema)]
pub struct BacklogAnswer {
    /// How many.
    entries: u64,
    /// When the oldest was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    oldest_at: Option<Text<Moment>>,
    /// How long ago, in seconds; 0 when there is none.
    oldest_age_s: u64,
}

/// A node at the other end of a link.
#[derive(Serialize, ToSchema)]
pub struct PeerAnswer {
    /// Which.
    node: u32,
    /// Its store, 0 for a hub.
    store: u32,
    /// `parent`, `child` or `peer`.
    relation: &'static str,
    /// The handshake is through.
    ready: bool,
    /// It has everything durable of ours that it follows.
    drained: bool,
    /// Its clock minus ours, milliseconds.
    clock_error_ms: i64,
    /// UDP payload sent to it since the start, bytes.
    udp_tx_bytes: u64,
    /// UDP payload received from it since the start, bytes.
    udp_rx_bytes: u64,
    /// Round trip, microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    rtt_us: Option<u64>,
    /// What it follows.
    feeds: Vec<FeedAnswer>,
}

/// How far a peer is in one scope.
#[derive(Serialize, ToSchema)]
pub struct FeedAnswer {
    /// The scope.
    scope: String,
    /// The last position that is durable there.
    durable: u64,
    /// The end of our feed.
    end: u64,
}

/// What happened since the start.
#[derive(Serialize, ToSchema)]
#[schema(as = Counters)]
pub struct CountersAnswer {
    /// Commits made durable.
    commits: u64,
    /// Entries of our own.
    entries_written: u64,
    /// Entries taken in from others.
    entries_ingested: u64,
    /// Entries that their author was not entitled to write.
    entries_denied: u64,
    /// Entries of a kind that this version does not know.
    entries_unknown: u64,
    /// Entries whose time lies too far ahead.
    times_suspect: u64,
    /// Forks seen.
    forks: u64,
    /// Runs that wait for a prerequisite.
    parked: u64,
    /// Peers whose link was closed for a fault of theirs.
    peer_faults: u64,
}

/// Whether the node can serve.
#[derive(Serialize, ToSchema)]
pub struct ReadyAnswer {
    /// The database is open and answers.
    ready: bool,
}

/// The truth about this node.
#[utoipa::path(get, path = "/v1/status", tag = "status", responses((status = 200, body = StatusAnswer)))]
pub async fn show_status(State(api): State<Arc<Api>>) -> Json<StatusAnswer> {
    let status = api.handle.status();
    let now = now_ms();
    let totals = api.info.links.totals();
    let backlog = BacklogAnswer {
        entries: status.backlog.entries,
        oldest_at: moment(status.backlog.oldest_ms),
        oldest_age_s: age_s(status.backlog.oldest_ms, now),
    };
    let known = status.stores.iter().filter_map(|held| Knowledge::of(&api, held.store).ok());
    Json(StatusAnswer {
        name: api.info.name.clone(),
        tenant: api.info.tenant.clone(),
        node: status.node.0,
        role: status.role.as_str(),
        store: status.store.map_or(0, |store| store.0),
        profile: api.info.profile.as_str(),
        version: api.info.version,
        started_at: Text(Moment(api.info.started_ms)),
        at: Text(Moment(status.at_ms)),
        epoch: EpochAnswer { number: status.epoch.0, reason: status.epoch_reason.as_str() },
        rights_locked: status.rights_locked,
        turned_away: status.turned_away,
        disk: disk_word(status.disk),
        backlog,
        peers: status.peers.iter().map(|peer| peer_answer(peer, totals.get(&peer.node.0))).collect(),
        stores: known.collect(),
        parcels_carried: status.parcels_carried,
        link_certificate: CertificateAnswer::of_links(api.info.links_until_unix_s, now),
        pages: api.config.lan.as_ref().map(|lan| PagesAnswer::of(lan, api.config.pages_at(), now)),
        counters: counters(&status),
    })
}

/// The process is alive. Also answered to those without a token.
#[utoipa::path(get, path = "/healthz", tag = "status", responses((status = 200, body = String, content_type = "text/plain")))]
pub async fn healthz() -> &'static str {
    "ok\n"
}

/// The database is open and answers.
#[utoipa::path(get, path = "/readyz", tag = "status", responses((status = 200, body = ReadyAnswer)))]
pub async fn readyz(State(api): State<Arc<Api>>) -> Answered<Json<ReadyAnswer>> {
    api.read(|books| {
        books.stores()?;
        Ok(Json(ReadyAnswer { ready: true }))
    })
}

fn peer_answer(peer: &PeerStatus, totals: Option<&LinkTotals>) -> PeerAnswer {
    let totals = totals.copied().unwrap_or_default();
    let feed = |(scope, durable, end): &(stockroom_crdt::scope::Scope, u64, u64)| FeedAnswer {
        scope: scope.to_string(),
        durable: *durable,
        end: *end,
    };
    PeerAnswer {
        node: peer.node.0,
        store: peer.store.0,
        relation: match peer.relation {
            Relation::Parent => "parent",
            Relation::Child => "child",
            Relation::Peer => "peer",
        },
        ready: peer.ready,
        drained: peer.drained,
        clock_error_ms: peer.clock_error_ms,
        udp_tx_bytes: totals.tx,
        udp_rx_bytes: totals.rx,
        rtt_us: totals.rtt_us,
        feeds: peer.feeds.iter().map(feed).collect(),
    }
}

fn counters(status: &Status) -> CountersAnswer {
    let counters = &status.counters;
    CountersAnswer {
        commits: counters.commits,
        entries_written: counters.entries_written,
        entries_ingested: counters.entries_ingested,
        entries_denied: counters.entries_denied,
        entries_unknown: counters.entries_unknown,
        times_suspect: counters.times_suspect,
        forks: counters.forks,
        parked: status.parked as u64,
        peer_faults: counters.peer_faults,
    }
}

/// The word for a state of the disk.
pub fn disk_word(disk: DiskSpace) -> &'static str {
    match disk {
        DiskSpace::Ample => "ample",
        DiskSpace::Low => "low",
        DiskSpace::Critical => "critical",
    }
}

/// Seconds since a time; 0 for none.
pub fn age_s(ms: u64, now: u64) -> u64 {
    if ms == 0 { 0 } else { now.saturating_sub(ms) / 1000 }
}
