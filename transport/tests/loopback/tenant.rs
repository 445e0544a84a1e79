//! A tenant with its authority, and nodes that are easy to wait for.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use stockroom_transport::authority::LeafNames;
use stockroom_transport::{
    Admit, Issuer, LinkId, Net, NetConfig, NetEvent, NodeTls, PeerAddr, PeerIdentity, Role, TenantId, TenantRoot,
    TlsClock, new_key_and_csr,
};
use tokio::sync::mpsc;
use tokio::time::timeout;

pub const BOUND: Duration = Duration::from_secs(10);

pub fn now_unix_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

pub struct Tenant {
    pub root: TenantRoot,
    pub issuer: Issuer,
}

impl Tenant {
    /// Tenants of the same letter have the same id, and still roots of their own.
    pub fn new(letter: u8) -> Tenant {
        let root = TenantRoot::create("Corner Shops", TenantId([letter; 16]), now_unix_s()).unwrap();
        let issuer = root.issue_intermediate(1, 1..=99, now_unix_s()).unwrap();
        Tenant { root, issuer }
    }

    pub fn node(&self, node: u32) -> NodeTls {
        self.issued(node, now_unix_s())
    }

    /// Node 1 is the hub.
    pub fn issued(&self, node: u32, at_unix_s: u64) -> NodeTls {
        let (key, csr) = new_key_and_csr().unwrap();
        let role = if node == 1 { Role::Hub } else { Role::Store };
        let leaf = LeafNames { node, role, store: if node == 1 { 0 } else { node }, extra_names: Vec::new() };
        let chain = self.issuer.issue_from_csr(&csr, &leaf, at_unix_s).unwrap();
        NodeTls::from_pem(&stockroom_transport::credential::pem_of(&chain), &key, &self.root.cert_pem()).unwrap()
    }
}

pub fn config() -> NetConfig {
    NetConfig {
        backoff_ms_min: 10,
        backoff_ms_max: 100,
        idle_timeout: Duration::from_secs(5),
        keep_alive: Duration::from_millis(500),
        ..NetConfig::new(loopback())
    }
}

pub fn loopback() -> SocketAddr {
    ([127, 0, 0, 1], 0).into()
}

pub fn everyone() -> Admit {
    Arc::new(|_| true)
}

pub struct Node {
    pub net: Net,
    pub events: mpsc::Receiver<NetEvent>,
    pub node: u32,
}

impl Node {
    pub fn start(tenant: &Tenant, node: u32) -> Node {
        Node::start_with(config(), tenant.node(node), everyone())
    }

    pub fn start_with(cfg: NetConfig, tls: NodeTls, admit: Admit) -> Node {
        let node = tls.identity().node;
        let (net, events) = Net::start(cfg, tls, admit, TlsClock::wall()).unwrap();
        Node { net, events, node }
    }

    pub fn addr(&self) -> PeerAddr {
        PeerAddr::of_node(self.node, self.net.local_addr().unwrap().to_string())
    }

    pub async fn event(&mut self) -> NetEvent {
        timeout(BOUND, self.events.recv()).await.expect("an event in time").expect("the endpoint runs")
    }

    pub async fn up(&mut self) -> (LinkId, PeerIdentity) {
        loop {
            if let NetEvent::Up { link, peer, .. } = self.event().await {
                return (link, peer);
            }
        }
    }

    pub async fn down(&mut self) -> (LinkId, String) {
        loop {
            if let NetEvent::Down { link, reason } = self.event().await {
                return (link, reason);
            }
        }
    }

    pub async fn writable(&mut self) -> usize {
        loop {
            if let NetEvent::Writable { bytes, .. } = self.event().await {
                return bytes;
            }
        }
    }

    pub async fn datagram(&mut self) -> (LinkId, u8, Bytes) {
        loop {
            if let NetEvent::Datagram { link, kind, bytes } = self.event().await {
                return (link, kind, bytes);
            }
        }
    }

    pub async fn frame(&mut self) -> (LinkId, u8, Bytes) {
        loop {
            match self.event().await {
                NetEvent::Frame { link, lane, bytes } => return (link, lane, bytes),
                NetEvent::Down { reason, .. } => panic!("down while a frame was expected: {reason}"),
                NetEvent::Up { .. }
                | NetEvent::TurnedAway { .. }
                | NetEvent::Writable { .. }
                | NetEvent::Datagram { .. } => {}
            }
        }
    }
}

/// Two linked nodes; the first dialed.
pub async fn pair(tenant: &Tenant, a: u32, b: u32) -> (Node, LinkId, Node, LinkId) {
    let (mut a, mut b) = (Node::start(tenant, a), Node::start(tenant, b));
    a.net.dial(b.addr()).unwrap();
    let (at_a, _) = a.up().await;
    let (at_b, _) = b.up().await;
    (a, at_a, b, at_b)
}
