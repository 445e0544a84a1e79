//! What the handle, the supervisor and its tasks share: one lock over the pure parts, held for moments only.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use quinn::{ClientConfig, Endpoint};
use tokio::sync::{Notify, mpsc, watch};

use crate::credential::NodeTls;
use crate::gate::Gate;
use crate::identity::{PeerIdentity, TenantId};
use crate::lanes::Pace;
use crate::link::{self, CloseCode, FirstLane, Link, LinkId, Opened};
use crate::net::dial::{HandshakeError, refuse};
use crate::net::{Admit, Congestion, NetConfig, NetError, NetEvent, settings};
use crate::table::{Dialer, Table, Totals};
use crate::targets::{Backoff, PeerAddr, Source, Targets};
use crate::trust::TlsClock;

pub(super) struct Shared {
    pub(super) me: PeerIdentity,
    pub(super) endpoint: Endpoint,
    /// Tells the supervisor that dials may have become due.
    pub(super) wake: Notify,
    root_fingerprint: [u8; 32],
    cfg: NetConfig,
    admit: Admit,
    clock: TlsClock,
    client: Mutex<ClientConfig>,
    state: Mutex<State>,
}

pub(super) struct State {
    pub(super) table: Table,
    pub(super) targets: Targets,
    pub(super) gate: Gate,
    links: BTreeMap<LinkId, Arc<Link>>,
}

impl Shared {
    pub(super) fn new(
        cfg: NetConfig,
        tls: &NodeTls,
        admit: Admit,
        clock: TlsClock,
        endpoint: Endpoint,
    ) -> Result<Shared, NetError> {
        let me = *tls.identity();
        let now = Instant::now();
        let mut targets = Targets::new(Backoff { ms_min: cfg.backoff_ms_min, ms_max: cfg.backoff_ms_max }, cfg.seed);
        if !cfg.static_peers.iter().all(|peer| targets.add(peer.clone(), Source::Asked, now)) {
            return Err(NetError::Targets);
        }
        let client = settings::client_config(&cfg, tls, &clock)?;
        let table = Table::new(me.node, cfg.links_max);
        let state = State { table, targets, gate: Gate::default(), links: BTreeMap::new() };
        Ok(Shared {
            me,
            endpoint,
            wake: Notify::new(),
            root_fingerprint: tls.root_fingerprint(),
            cfg,
            admit,
            clock,
            client: Mutex::new(client),
            state: Mutex::new(state),
        })
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn tenant(&self) -> TenantId {
        self.me.tenant
    }

    pub(super) fn client(&self) -> ClientConfig {
        self.client.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn admits(&self, peer: &PeerIdentity) -> bool {
        (self.admit)(peer)
    }

    pub(super) fn link(&self, id: LinkId) -> Option<Arc<Link>> {
        self.state().links.get(&id).cloned()
    }

    pub(super) fn add_target(&self, peer: PeerAddr, source: Source) -> bool {
        let added = self.state().targets.add(peer, source, Instant::now());
        self.wake.notify_one();
        added
    }

    pub(super) fn introduce(&self, peers: Vec<PeerAddr>) {
        let left_out = self.state().targets.introduce(peers, Instant::now());
        if left_out > 0 {
            tracing::warn!(left_out, "introduced addresses over the bound");
        }
        self.wake.notify_one();
    }

    pub(super) fn kick(&self) {
        self.state().targets.kick(Instant::now());
        self.wake.notify_one();
    }

    pub(super) fn drop_peer(&self, node: u32, code: CloseCode, reason: &str) {
        let state = self.state();
        let link = state.table.link(node).and_then(|id| state.links.get(&id)).cloned();
        drop(state);
        if let Some(link) = link {
            link.close(code, reason);
        }
    }

    pub(super) fn recheck(&self) {
        let now_unix_s = self.clock.now_unix_s();
        for link in self.links() {
            if link.cert_not_after_unix_s < now_unix_s {
                link.close(CloseCode::NotAdmitted, "certificate expired");
            } else if !self.admits(&link.peer) {
                link.close(CloseCode::NotAdmitted, "not admitted");
            }
        }
    }

    pub(super) fn isolate(&self, node: Option<u32>, cut: bool) {
        self.state().table.set_cut(node, cut);
        if cut {
            for link in self.links() {
                if node.is_none_or(|node| node == link.peer.node) {
                    link.close(CloseCode::Isolated, "isolated");
                }
            }
        } else {
            self.kick();
        }
    }

    pub(super) fn renew(&self, tls: &NodeTls) -> Result<(), NetError> {
        let new = tls.identity();
        if (new.tenant, new.node) != (self.me.tenant, self.me.node) || tls.root_fingerprint() != self.root_fingerprint {
            return Err(NetError::Config("renewed certificate"));
        }
        let server = settings::server_config(&self.cfg, tls, &self.clock)?;
        *self.client.lock().unwrap_or_else(PoisonError::into_inner) =
            settings::client_config(&self.cfg, tls, &self.clock)?;
        self.endpoint.set_server_config(Some(server));
        Ok(())
    }

    pub(super) fn totals(&self) -> BTreeMap<u32, Totals> {
        let state = self.state();
        let mut totals = state.table.totals().clone();
        for link in state.links.values() {
            totals.entry(link.peer.node).or_default().add(&link.stats());
        }
        totals
    }

    /// Keeps an opened connection as a link, if it is the one to keep; closes it otherwise.
    pub(super) fn keep(self: &Arc<Self>, opened: Opened, dialer: Dialer) -> Result<KeptLink, HandshakeError> {
        let mut state = self.state();
        let kept = match dialer {
            Dialer::Us => state.table.keep_dialed(opened.peer.node, Instant::now()),
            Dialer::Peer => state.table.keep_accepted(opened.peer.node, Instant::now()),
        };
        let kept = kept.map_err(|refusal| refuse(&opened, refusal))?;
        let link = Arc::new(Link::new(kept.id, opened, dialer, self.pace()));
        state.links.insert(link.id, link.clone());
        let replaced = kept.replaces.and_then(|id| state.links.get(&id)).cloned();
        drop(state);
        if let Some(replaced) = &replaced {
            replaced.close(CloseCode::Duplicate, "replaced by a newer link");
        }
        Ok(KeptLink { shared: self.clone(), link, replaced })
    }

    fn pace(&self) -> Pace {
        let products_per_cwnd = match self.cfg.congestion {
            Congestion::Cubic => 1,
            Congestion::Bbr => 2,
        };
        Pace { queue_bytes_max: self.cfg.window_bytes_max, products_per_cwnd }
    }

    fn links(&self) -> Vec<Arc<Link>> {
        self.state().links.values().cloned().collect()
    }
}

/// A link with its place in the table, which it gives back when dropped, in whatever way its task ends.
pub(super) struct KeptLink {
    pub(super) link: Arc<Link>,
    shared: Arc<Shared>,
    replaced: Option<Arc<Link>>,
}

impl KeptLink {
    /// Runs the link to its `Down`, after the `Down` of the one it replaced.
    pub(super) async fn run(
        self,
        first: FirstLane,
        events: mpsc::Sender<NetEvent>,
        stop: watch::Receiver<Option<String>>,
    ) {
        if let Some(replaced) = &self.replaced {
            replaced.ended().await;
        }
        tracing::info!(link = self.link.id.0, peer = self.link.peer.node, dialed = self.link.dialed, "link up");
        link::run(self.link.clone(), first, events, stop).await;
    }
}

impl Drop for KeptLink {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        state.links.remove(&self.link.id);
        state.table.remove(self.link.peer.node, self.link.id, &self.link.stats());
        state.targets.link_lost(self.link.peer.node, Instant::now());
        drop(state);
        self.link.end();
        self.shared.wake.notify_one();
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("me", &self.me).finish_non_exhaustive()
    }
}
