//! The endpoint of a node: its public handle, configuration and events.
//!
//! [`Net::start`] spawns one supervisor task that owns all others (see `net/supervisor.rs`). [`NetEvent`]s go through one bounded
//! channel; when the caller does not take them, readers wait and QUIC's flow control stops the peers. Sending never waits.

mod accept;
mod dial;
mod settings;
mod shared;
mod supervisor;

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::credential::NodeTls;
use crate::discovery::{Discovery, Published};
use crate::identity::PeerIdentity;
use crate::lanes::SendError;
use crate::limits::{
    BACKOFF_MS_MAX, BACKOFF_MS_MIN, EVENTS_MAX, IDLE_TIMEOUT, KEEP_ALIVE, LINKS_MAX, RECEIVE_BUDGET_BYTES,
    WINDOW_BYTES_MAX,
};
use crate::link::{CloseCode, LinkId, LinkStats};
use crate::table::Totals;
use crate::targets::{PeerAddr, Source};
use crate::trust::TlsClock;

pub(crate) use settings::bound_incoming;
use shared::Shared;

/// Says whether an authenticated peer may have a link: the caller's fences. Asked with every new connection, hourly, and by
/// [`Net::recheck`]. Called on the runtime's threads; must not wait.
pub type Admit = Arc<dyn Fn(&PeerIdentity) -> bool + Send + Sync>;

/// Congestion control of all links.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Congestion {
    /// For links that lose little.
    #[default]
    Cubic,
    /// For links that lose 1% and more at 150 ms and more; costs more wire bytes (crdt.md 4.4).
    Bbr,
}

/// How an endpoint behaves. [`NetConfig::new`] gives the defaults of `limits`.
#[derive(Clone, Debug)]
pub struct NetConfig {
    /// UDP address to listen on and dial from.
    pub bind: SocketAddr,
    /// Congestion control.
    pub congestion: Congestion,
    /// Addresses to keep a link to.
    pub static_peers: Vec<PeerAddr>,
    /// Whether to announce this node and look for others by mDNS.
    pub mdns: bool,
    /// Live links.
    pub links_max: usize,
    /// Budget of all links' receive windows together, bytes.
    pub receive_budget_bytes: u64,
    /// Unsent bytes that one link may hold, at most 256 KiB.
    pub window_bytes_max: usize,
    /// A link without any packet for this long is down.
    pub idle_timeout: Duration,
    /// An idle link sends a packet this often.
    pub keep_alive: Duration,
    /// First pause between dials, milliseconds, before jitter.
    pub backoff_ms_min: u64,
    /// Largest pause between dials, milliseconds, before jitter.
    pub backoff_ms_max: u64,
    /// Seed of the jitter. Should differ between nodes.
    pub seed: u64,
}

impl NetConfig {
    /// Defaults for this address: CUBIC, no peers, no mDNS.
    pub fn new(bind: SocketAddr) -> NetConfig {
        NetConfig {
            bind,
            congestion: Congestion::Cubic,
            static_peers: Vec::new(),
            mdns: false,
            links_max: LINKS_MAX,
            receive_budget_bytes: RECEIVE_BUDGET_BYTES,
            window_bytes_max: WINDOW_BYTES_MAX,
            idle_timeout: IDLE_TIMEOUT,
            keep_alive: KEEP_ALIVE,
            backoff_ms_min: BACKOFF_MS_MIN,
            backoff_ms_max: BACKOFF_MS_MAX,
            seed: 0,
        }
    }
}

/// What happened. For one link: `Up`, then `Frame`, `Datagram` and `Writable`, then `Down`; for one node at most one link between its `Up` and
/// its `Down`.
#[derive(Clone, Debug)]
pub enum NetEvent {
    /// Both ends keep this connection.
    Up {
        /// The new link.
        link: LinkId,
        /// Who is there, by certificate.
        peer: PeerIdentity,
        /// The peer's address.
        addr: SocketAddr,
        /// Whether this node dialed.
        dialed: bool,
    },
    /// A frame arrived. Frames of one lane keep their order; lanes overtake each other.
    Frame {
        /// The link.
        link: LinkId,
        /// 0 to 4.
        lane: u8,
        /// 1 to 256 KiB.
        bytes: Bytes,
    },
    /// A datagram arrived. They may be lost, doubled and reordered, and are dropped when the caller is behind.
    Datagram {
        /// The link.
        link: LinkId,
        /// What it is, for the caller.
        kind: u8,
        /// At most 1 KiB.
        bytes: Bytes,
    },
    /// `bytes` more may be sent; credit adds up. A frame needs credit of `min(its length, FRAME_CREDIT_BYTES)` and uses its whole
    /// length, so credit may become negative until the next grant.
    Writable {
        /// The link.
        link: LinkId,
        /// Bytes of credit added.
        bytes: usize,
    },
    /// A node that this one dialed, and that its certificate proves, does not let it in: it was fenced there, for instance. Told at each try.
    TurnedAway {
        /// Who does not.
        peer: PeerIdentity,
    },
    /// The link is gone; what was queued is lost.
    Down {
        /// The link.
        link: LinkId,
        /// For logs. A peer's words are marked as such and stripped to ASCII.
        reason: String,
    },
}

/// Why the endpoint could not start or change.
#[derive(Debug, thiserror::Error)]
pub enum NetError {
    /// The address cannot be bound: taken, or not ours. Retry when that changed.
    #[error("cannot bind {addr}")]
    Bind {
        /// The address asked for.
        addr: SocketAddr,
        /// The system's answer.
        source: io::Error,
    },
    /// Own chain, key and root do not fit together, or are not usable for TLS.
    #[error("own certificate is unusable")]
    Tls(#[from] rustls::Error),
    /// A configured figure is outside its range.
    #[error("{0} is out of range")]
    Config(&'static str),
    /// There is no room for another address to dial.
    #[error("too many addresses")]
    Targets,
}

/// Handle of a running endpoint. Clones share it; when the last one is dropped the endpoint stops, but only
/// [`Net::shutdown`] waits for that.
#[derive(Clone, Debug)]
pub struct Net {
    shared: Arc<Shared>,
    published: Arc<Published>,
    owner: Arc<Owner>,
}

/// Held by handles only: when it is dropped, so is the sender, and the supervisor stops.
#[derive(Debug)]
struct Owner {
    stop: watch::Sender<Option<String>>,
    supervisor: Mutex<Option<JoinHandle<()>>>,
}

impl Net {
    /// Binds the address and starts listening and dialing. Must be called inside a tokio runtime.
    ///
    /// The receiver has room for 128 events. If the caller drops it, all links close.
    pub fn start(
        cfg: NetConfig,
        tls: NodeTls,
        admit: Admit,
        clock: TlsClock,
    ) -> Result<(Net, mpsc::Receiver<NetEvent>), NetError> {
        let (events, receiver) = mpsc::channel(EVENTS_MAX);
        let (stop, stopped) = watch::channel(None);
        let endpoint = settings::open_endpoint(&cfg, &tls, &clock)?;
        let port = endpoint.local_addr().map(|addr| addr.port()).unwrap_or_default();
        let published = Arc::new(Published::default());
        let start = || Discovery::start(tls.tenant(), tls.identity().node, port, published.clone());
        let discovery = cfg.mdns.then(start);
        let shared = Arc::new(Shared::new(cfg, &tls, admit, clock, endpoint)?);
        let supervisor = tokio::spawn(supervisor::run(shared.clone(), events, stopped, discovery));
        let owner = Owner { stop, supervisor: Mutex::new(Some(supervisor)) };
        Ok((Net { shared, published, owner: Arc::new(owner) }, receiver))
    }

    /// Queues a frame on a link. Never waits. Frames are written strictly by lane: 0 first, 4 last.
    pub fn send(&self, link: LinkId, lane: u8, frame: Bytes) -> Result<(), SendError> {
        self.shared.link(link).ok_or(SendError::Down)?.send(lane, frame)
    }

    /// Sends at most 1 KiB that may be lost. Never waits and never fails: what is too much is dropped, here or at the peer.
    pub fn send_datagram(&self, link: LinkId, kind: u8, payload: &[u8]) {
        if let Some(link) = self.shared.link(link) {
            link.send_datagram(kind, payload);
        }
    }

    /// Keeps a link to this address from now on.
    pub fn dial(&self, peer: PeerAddr) -> Result<(), NetError> {
        self.shared.add_target(peer, Source::Asked).then_some(()).ok_or(NetError::Targets)
    }

    /// Replaces the addresses that the hub introduced. Those that find no room are left out.
    pub fn set_introduced(&self, peers: Vec<PeerAddr>) {
        self.shared.introduce(peers);
    }

    /// Dials everything anew at once: the network came back, or a person asked.
    pub fn kick(&self) {
        self.shared.kick();
    }

    /// Closes a link. Its address is dialed again after a pause.
    pub fn close(&self, link: LinkId, reason: &str) {
        if let Some(link) = self.shared.link(link) {
            link.close(CloseCode::Goodbye, reason);
        }
    }

    /// Closes the link to a node, for instance when it was fenced. Whether it may come back is for the admission predicate to say.
    pub fn drop_peer(&self, node: u32, reason: &str) {
        self.shared.drop_peer(node, CloseCode::NotAdmitted, reason);
    }

    /// Asks the admission predicate again about every live link and closes what it refuses, and what has an expired certificate.
    pub fn recheck(&self) {
        self.shared.recheck();
    }

    /// Fault switch for demonstrations and tests: while set, existing links to the node (or to all nodes) are closed and new ones
    /// refused in both directions.
    pub fn isolate(&self, node: Option<u32>, cut: bool) {
        self.shared.isolate(node, cut);
    }

    /// Uses a renewed certificate for connections made from now on; live links keep the old one. The tenant, node id and root must
    /// be the same.
    pub fn renew(&self, tls: &NodeTls) -> Result<(), NetError> {
        self.shared.renew(tls)
    }

    /// Answers mDNS questions for `host`, a name of one label under `.local`, on every interface from now on: the node's pages are
    /// there at this TCP port. Nothing happens without mDNS.
    pub fn publish_pages(&self, host: &str, port: u16) {
        self.published.publish(host, port);
    }

    /// The name under which pages are found instead, if another machine of the network has the published one.
    pub fn pages_renamed(&self) -> Option<String> {
        self.published.renamed()
    }

    /// A live link's figures.
    pub fn stats(&self, link: LinkId) -> Option<LinkStats> {
        self.shared.link(link).map(|link| link.stats())
    }

    /// Bytes by node, over closed and live links.
    pub fn totals(&self) -> BTreeMap<u32, Totals> {
        self.shared.totals()
    }

    /// The address that is listened on.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.shared.endpoint.local_addr()
    }

    /// Closes every link with this reason, tells the peers, and returns when all tasks have ended (at most about 4 s). Events that
    /// find no room during shutdown are dropped; the receiver ends. The port is free when the last handle is dropped. A second call
    /// returns at once.
    pub async fn shutdown(&self, reason: &str) {
        self.owner.stop.send_replace(Some(reason.to_owned()));
        let supervisor = self.owner.supervisor.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(supervisor) = supervisor else { return };
        if let Err(error) = supervisor.await
            && let Ok(panic) = error.try_into_panic()
        {
            std::panic::resume_unwind(panic);
        }
    }
}
