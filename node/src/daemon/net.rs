//! The links as this node configures them, and the window through which the API sees them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use stockroom_core::storage::Reader;
use stockroom_core::view::View;
use stockroom_crdt::capability::Role;
use stockroom_transport::{LinkId, Net, NetConfig, NetEvent, PeerAddr, PeerIdentity, TlsClock};
use tokio::sync::mpsc;

use super::RunError;
use crate::config::Config;
use crate::identity::Identity;
use crate::info::{LinkTotals, Links};

/// Which links are up, and to whom. The engine keeps it; the API looks in.
#[derive(Clone, Debug, Default)]
pub struct LiveLinks(Arc<Mutex<BTreeMap<LinkId, u32>>>);

impl LiveLinks {
    /// A link to `node` is up.
    pub fn up(&self, link: LinkId, node: u32) {
        self.list().insert(link, node);
    }

    /// A link is down, or is to be ignored from now on.
    pub fn down(&self, link: LinkId) {
        self.list().remove(&link);
    }

    /// True while a link is up.
    pub fn holds(&self, link: LinkId) -> bool {
        self.list().contains_key(&link)
    }

    /// Empties the list and gives what was in it.
    pub fn take(&self) -> BTreeMap<LinkId, u32> {
        std::mem::take(&mut *self.list())
    }

    fn list(&self) -> MutexGuard<'_, BTreeMap<LinkId, u32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Opens the endpoint: links to the hub and to configured peers are dialed, others may come.
pub fn start(
    config: &Config,
    identity: &Identity,
    reader: Arc<dyn Reader>,
    clock: TlsClock,
) -> Result<(Net, mpsc::Receiver<NetEvent>), RunError> {
    let mut seed = [0; 8];
    getrandom::fill(&mut seed)?;
    let mut net = NetConfig::new(config.listen);
    net.congestion = config.congestion.into();
    net.mdns = config.mdns;
    net.seed = u64::from_be_bytes(seed);
    if identity.role() == Role::Hub {
        (net.links_max, net.receive_budget_bytes) = (HUB_LINKS_MAX, HUB_BUDGET_BYTES);
    }
    let hub = identity.chain.last().map_or(0, |me| me.issuer.0);
    let hubs = identity.record.hubs.iter().map(|address| PeerAddr::of_node(hub, address));
    net.static_peers = hubs.chain(config.peers.iter().map(PeerAddr::unknown)).collect();
    let admit = Arc::new(move |peer: &PeerIdentity| !is_fenced(&*reader, peer.node));
    Ok(Net::start(net, identity.tls.clone(), admit, clock)?)
}

/// A database that cannot be read admits nobody.
fn is_fenced(reader: &dyn Reader, node: u32) -> bool {
    let fences = reader.snapshot().and_then(|snapshot| View::new(&*snapshot).fences());
    fences.map_or(true, |fences| fences.iter().any(|fence| fence.node.0 == node))
}

/// What the API may see and do.
pub fn window(net: &Net, live: &LiveLinks) -> Links {
    let (counting, cutting, live) = (net.clone(), net.clone(), live.clone());
    let totals = move || {
        let mut totals: BTreeMap<u32, LinkTotals> = BTreeMap::new();
        for (node, sum) in counting.totals() {
            totals.insert(node, LinkTotals { tx: sum.udp_tx_bytes, rx: sum.udp_rx_bytes, rtt_us: None });
        }
        for (&link, &node) in live.list().iter() {
            totals.entry(node).or_default().rtt_us = counting.stats(link).map(|stats| stats.rtt_us);
        }
        totals
    };
    Links::new(totals, move |node, cut| cutting.isolate(node, cut))
}

/// A hub serves a region of stores, and each of those keeps one link.
const HUB_LINKS_MAX: usize = stockroom_core::limits::LINKS_MAX;

/// 128 KiB for each of them.
const HUB_BUDGET_BYTES: u64 = 256 * 1024 * 1024;
