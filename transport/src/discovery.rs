//! Addresses of nodes on the same LAN, heard by mDNS. Every one is a hint: anybody in the shop can say anything here.
//!
//! A hint can only cause a few dials (bounded by `targets`), and what answers must still show a certificate of the tenant. The mDNS
//! daemon has had panics on hostile packets (reliability.md 1.7); it runs on threads of its own, and a failed one is started again
//! after a pause. It also answers for the name of the node's pages, with or without a way to the world. It is also started anew when an interface comes back, so that announcements and queries reach the new network.

use std::net::{IpAddr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use mdns_sd::{DaemonEvent, Receiver, RecvTimeoutError, ServiceDaemon, ServiceEvent, ServiceInfo};
use tokio::sync::mpsc;

use crate::identity::{TenantId, sha256};
use crate::limits::{DISCOVERY_RESTART_S, HINTS_MAX, RESOLVED_MAX};
use crate::targets::PeerAddr;

/// What was heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Hint {
    /// A node of our tenant says it is here.
    Found(Vec<PeerAddr>),
    /// A node says farewell, or fell silent.
    Lost(u32),
}

/// Under which name and port this node's pages are found on the LAN.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Page {
    host: String,
    port: u16,
}

/// What the LAN is told of this node's pages, and what came of it. Shared with the handle, which may speak at any time.
#[derive(Debug, Default)]
pub(crate) struct Published(Mutex<(Option<Page>, Option<String>)>);

impl Published {
    /// Answers for `host` (which ends in `.local`) from now on.
    pub(crate) fn publish(&self, host: &str, port: u16) {
        self.lock().0 = Some(Page { host: host.to_owned(), port });
    }

    /// The name that mDNS gave this node because another machine of the network has the one that was published.
    pub(crate) fn renamed(&self) -> Option<String> {
        self.lock().1.clone()
    }

    fn page(&self) -> Option<Page> {
        self.lock().0.clone()
    }

    fn set_renamed(&self, name: Option<String>) {
        self.lock().1 = name;
    }

    fn lock(&self) -> MutexGuard<'_, (Option<Page>, Option<String>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The running mDNS thread.
#[derive(Debug)]
pub(crate) struct Discovery {
    hints: mpsc::Receiver<Hint>,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Discovery {
    /// Announces this node at `port` on every interface, and looks for others.
    pub(crate) fn start(tenant: TenantId, node: u32, port: u16, published: Arc<Published>) -> Discovery {
        let (sender, hints) = mpsc::channel(HINTS_MAX);
        let stop = Arc::new(AtomicBool::new(false));
        let session = Session { tag: tag(tenant), node, port, hints: sender, stop: stop.clone(), published };
        let thread = thread::spawn(move || session.keep_running());
        Discovery { hints, stop, thread }
    }

    /// The next hint; never ends.
    pub(crate) async fn next(&mut self) -> Hint {
        match self.hints.recv().await {
            Some(hint) => hint,
            None => std::future::pending().await,
        }
    }

    /// Says farewell and joins the thread.
    pub(crate) async fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.thread().unpark();
        // The thread catches its panics, so joining tells nothing.
        let _ = tokio::task::spawn_blocking(move || self.thread.join()).await;
    }
}

struct Session {
    tag: String,
    node: u32,
    port: u16,
    hints: mpsc::Sender<Hint>,
    stop: Arc<AtomicBool>,
    published: Arc<Published>,
}

/// Why a daemon was given up.
enum End {
    Stopped,
    NetworkChanged,
    Died,
}

impl Session {
    fn keep_running(&self) {
        let (pause_s_min, pause_s_max) = DISCOVERY_RESTART_S;
        let mut pause_s = pause_s_min;
        while !self.stopped() {
            match catch_unwind(AssertUnwindSafe(|| self.run())) {
                Ok(Ok(End::Stopped)) => return,
                Ok(Ok(End::NetworkChanged)) => pause_s = pause_s_min,
                Ok(Ok(End::Died)) | Err(_) => tracing::warn!(pause_s, "mDNS daemon died"),
                Ok(Err(error)) => tracing::warn!(pause_s, %error, "mDNS unavailable"),
            }
            self.pause(Duration::from_secs(pause_s));
            pause_s = (pause_s * 2).min(pause_s_max);
        }
    }

    fn run(&self) -> Result<End, mdns_sd::Error> {
        let daemon = Farewell(ServiceDaemon::new()?);
        let monitor = daemon.0.monitor()?;
        daemon.0.register(self.announcement()?)?;
        let heard = daemon.0.browse(SERVICE)?;
        let started = Instant::now();
        let mut told = None;
        self.published.set_renamed(None);
        while !self.stopped() {
            match heard.recv_timeout(TICK) {
                Ok(event) => self.take(event),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(End::Died),
            }
            let page = self.published.page();
            if page != told {
                page.iter().try_for_each(|page| daemon.0.register(self.page_announcement(page)?))?;
                told = page;
            }
            if self.interface_came(&monitor) && started.elapsed() > SETTLED {
                return Ok(End::NetworkChanged);
            }
        }
        Ok(End::Stopped)
    }

    fn announcement(&self) -> Result<ServiceInfo, mdns_sd::Error> {
        let name = format!("{}-{}", self.node, self.tag);
        let host = format!("stockroom-{name}.local.");
        let node = self.node.to_string();
        let properties = [(TENANT_KEY, self.tag.as_str()), (NODE_KEY, node.as_str())];
        Ok(ServiceInfo::new(SERVICE, &name, &host, "", self.port, &properties[..])?.enable_addr_auto())
    }

    /// The service is for browsers of services; the name of its host is what matters.
    fn page_announcement(&self, page: &Page) -> Result<ServiceInfo, mdns_sd::Error> {
        let name = format!("Stockroom {}-{}", self.node, self.tag);
        let properties: [(&str, &str); 0] = [];
        let host = format!("{}.", page.host);
        Ok(ServiceInfo::new(PAGES, &name, &host, "", page.port, &properties[..])?.enable_addr_auto())
    }

    /// Looks at what the daemon says of itself. All events are taken, else the daemon would keep them.
    fn interface_came(&self, monitor: &Receiver<DaemonEvent>) -> bool {
        let mut came = false;
        for event in monitor.try_iter() {
            match event {
                DaemonEvent::IpAdd(_) => came = true,
                DaemonEvent::NameChange(change) => {
                    let page = self.published.page();
                    if page.is_some_and(|page| change.original.trim_end_matches('.').eq_ignore_ascii_case(&page.host)) {
                        let new = change.new_name.trim_end_matches('.').to_owned();
                        tracing::warn!(name = change.original, "another machine of this network has the pages' name");
                        self.published.set_renamed(Some(new));
                    }
                }
                _ => {}
            }
        }
        came
    }

    fn take(&self, event: ServiceEvent) {
        let hint = match event {
            ServiceEvent::ServiceResolved(service) => {
                let tag = service.get_property_val_str(TENANT_KEY).unwrap_or_default();
                let node = service.get_property_val_str(NODE_KEY).unwrap_or_default();
                let addresses = service.get_addresses().iter().map(|scoped| scoped.to_ip_addr());
                self.found(tag, node, addresses, service.get_port())
            }
            ServiceEvent::ServiceRemoved(_, name) => self.lost(&name),
            _ => None,
        };
        if let Some(hint) = hint {
            // When the queue is full the hint is lost; mDNS repeats itself.
            let _ = self.hints.try_send(hint);
        }
    }

    fn found(&self, tag: &str, node: &str, addresses: impl Iterator<Item = IpAddr>, port: u16) -> Option<Hint> {
        let node: u32 = node.parse().ok()?;
        if tag != self.tag || node == self.node || port == 0 {
            return None;
        }
        let mut local: Vec<IpAddr> = addresses.filter(is_local).collect();
        local.sort_unstable();
        local.truncate(RESOLVED_MAX);
        let peers: Vec<_> =
            local.into_iter().map(|ip| PeerAddr::of_node(node, SocketAddr::new(ip, port).to_string())).collect();
        (!peers.is_empty()).then_some(Hint::Found(peers))
    }

    fn lost(&self, name: &str) -> Option<Hint> {
        let (node, rest) = name.split_once('-')?;
        let ours = rest.strip_prefix(self.tag.as_str())?.starts_with('.');
        ours.then(|| node.parse().ok().map(Hint::Lost)).flatten()
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn pause(&self, pause: Duration) {
        let until = Instant::now() + pause;
        while !self.stopped() && Instant::now() < until {
            thread::park_timeout(until.saturating_duration_since(Instant::now()));
        }
    }
}

/// A name under `.local` that is answered for until this is dropped: for a box that is no node yet.
pub struct Announcement(#[expect(dead_code, reason = "says farewell when it is dropped")] Farewell);

impl Announcement {
    /// Answers for `<name>.local`, with a service at this TCP port. Nothing if there is no mDNS here.
    pub fn start(name: &str, port: u16) -> Option<Announcement> {
        let daemon = Farewell(ServiceDaemon::new().ok()?);
        let properties: [(&str, &str); 0] = [];
        let host = format!("{name}.local.");
        let service = ServiceInfo::new(PAGES, name, &host, "", port, &properties[..]).ok()?.enable_addr_auto();
        daemon.0.register(service).ok()?;
        Some(Announcement(daemon))
    }
}

/// Ends the daemon's own thread when a session ends in any way.
struct Farewell(ServiceDaemon);

impl Drop for Farewell {
    fn drop(&mut self) {
        if let Ok(ended) = self.0.shutdown() {
            let _ = ended.recv_timeout(Duration::from_secs(1));
        }
    }
}

/// mDNS names addresses of this network only: a hint must not make a node send packets to the world. Link-local IPv6 would need an
/// interface that a `host:port` cannot carry.
fn is_local(ip: &IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => v4.is_private() || v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unique_local(),
    }
}

/// Tells tenants apart on a shared LAN without naming them: 64 bits of a hash.
pub(crate) fn tag(tenant: TenantId) -> String {
    let hash = sha256(format!("stockroom mdns {tenant}").as_bytes());
    hash[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

const SERVICE: &str = "_stockroom._udp.local.";
const PAGES: &str = "_https._tcp.local.";
const TENANT_KEY: &str = "t";
const NODE_KEY: &str = "n";
const TICK: Duration = Duration::from_millis(250);

/// Interfaces that come up within this time were there at the start.
const SETTLED: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    fn session() -> Session {
        let (hints, _) = mpsc::channel(1);
        Session {
            tag: tag(TenantId([1; 16])),
            node: 5,
            port: 4000,
            hints,
            stop: Arc::default(),
            published: Arc::default(),
        }
    }

    #[test]
    fn only_local_addresses_of_other_nodes_of_the_tenant_are_hints() {
        let session = session();
        let ips =
            || ["192.168.1.7", "8.8.8.8", "127.0.0.1", "fe80::1", "fd00::1"].into_iter().map(|ip| ip.parse().unwrap());
        let tag = session.tag.clone();
        let expected = ["192.168.1.7:4000", "[fd00::1]:4000"].map(|addr| PeerAddr::of_node(7, addr));
        assert_eq!(session.found(&tag, "7", ips(), 4000), Some(Hint::Found(expected.to_vec())));
        assert_eq!(session.found("0000", "7", ips(), 4000), None);
        assert_eq!(session.found(&tag, "5", ips(), 4000), None, "itself");
        assert_eq!(session.found(&tag, "x", ips(), 4000), None);
        assert_eq!(session.found(&tag, "7", ips(), 0), None);
        let flood = (0..250).map(|last| IpAddr::from([10, 0, 0, last]));
        assert!(matches!(session.found(&tag, "7", flood, 1), Some(Hint::Found(peers)) if peers.len() == RESOLVED_MAX));
    }

    #[test]
    fn a_farewell_names_a_node_of_the_tenant() {
        let session = session();
        assert_eq!(session.lost(&format!("7-{}.{SERVICE}", session.tag)), Some(Hint::Lost(7)));
        assert_eq!(session.lost(&format!("7-{}x.{SERVICE}", session.tag)), None);
        assert_eq!(session.lost("7-0000._stockroom._udp.local."), None);
    }
}
