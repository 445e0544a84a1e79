//! What the API may know of the process around the core: who this node is, where it lies, how its links fare.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use stockroom_crdt::ids::Code;

use crate::config::Profile;
use crate::courier::desk::Desk;
use crate::devices::DeviceStore;
use crate::enrol::Enrolment;
use crate::lan::LanDoor;
use crate::paper::spool::Spool;
use crate::webhooks::service::Webhooks;

/// The facts about a running node that do not change, and a window to its links.
#[derive(Clone, Debug)]
pub struct NodeInfo {
    /// Tenant id, 32 hex digits.
    pub tenant: String,
    /// Node id.
    pub node: u32,
    /// `"hub"` or `"store"`.
    pub role: &'static str,
    /// The store's number, 0 for a hub.
    pub store: u32,
    /// What sort of shop it is, for what pages show.
    pub profile: Profile,
    /// The tenant's name, for people.
    pub name: String,
    /// Where the node's files lie.
    pub data_dir: PathBuf,
    /// The program's version.
    pub version: &'static str,
    /// When this process started, milliseconds since 1970.
    pub started_ms: u64,
    /// Enrolment tokens that are out; `None` at a store. See [`crate::enrol::issue_token`].
    pub enrolment: Option<Arc<Enrolment>>,
    /// When peers stop believing this node's certificate, seconds since 1970.
    pub links_until_unix_s: u64,
    /// How the links fare.
    pub links: Links,
}

/// Figures of the links, and a switch to cut them.
#[derive(Clone)]
pub struct Links {
    totals: Arc<dyn Fn() -> BTreeMap<u32, LinkTotals> + Send + Sync>,
    isolate: Arc<dyn Fn(Option<u32>, bool) + Send + Sync>,
}

/// UDP payload to and from one node since the start, over closed and live links.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkTotals {
    /// Bytes sent.
    pub tx: u64,
    /// Bytes received.
    pub rx: u64,
    /// Round trip of the live link, microseconds; `None` without one.
    pub rtt_us: Option<u64>,
}

impl Links {
    /// From two functions that do not wait.
    pub fn new(
        totals: impl Fn() -> BTreeMap<u32, LinkTotals> + Send + Sync + 'static,
        isolate: impl Fn(Option<u32>, bool) + Send + Sync + 'static,
    ) -> Self {
        Self { totals: Arc::new(totals), isolate: Arc::new(isolate) }
    }

    /// Links of a node that has none, for tests of the API.
    pub fn absent() -> Self {
        Self::new(BTreeMap::new, |_, _| ())
    }

    /// By node id.
    pub fn totals(&self) -> BTreeMap<u32, LinkTotals> {
        (self.totals)()
    }

    /// Test aid: cuts the links to a node (`None`: to all nodes) and refuses new ones, until called again with `false`.
    pub fn isolate(&self, node: Option<u32>, cut: bool) {
        (self.isolate)(node, cut);
    }
}

impl fmt::Debug for Links {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Links")
    }
}

/// Where the API listens, and whom it believes.
#[derive(Clone, Debug)]
pub struct ApiConfig {
    /// Loopback address, in clear, without device tokens.
    pub listen: SocketAddr,
    /// The shop's network, if the API is to be reachable there: always HTTPS, always with a device token.
    pub lan: Option<LanConfig>,
    /// Tokens of handhelds and tills on the LAN.
    pub devices: DeviceStore,
    /// Answer `/v1/test/isolate`, which cuts links; for the demo and for tests only.
    pub test_aids: bool,
    /// Whom the node tells what happens.
    pub webhooks: Webhooks,
    /// The queue before the shop's printer; nothing if its folder cannot be used.
    pub printer: Option<Arc<Spool>>,
    /// What ties couriers and riders to orders.
    pub desk: Desk,
    /// Names of the payment terminals that are set up here.
    pub terminals: BTreeSet<Code>,
}

impl ApiConfig {
    /// Where a browser of the shop finds the pages.
    pub fn pages_at(&self) -> String {
        match &self.lan {
            Some(lan) => {
                format!("https://{}:{}", lan.door.other_host().unwrap_or(lan.door.host()), lan.listen.port())
            }
            None => format!("http://{}", self.listen),
        }
    }
}

/// The listener on the shop's network.
#[derive(Clone, Debug)]
pub struct LanConfig {
    /// Address to bind, and from then on the one that is bound.
    pub listen: SocketAddr,
    /// Its names and certificate.
    pub door: Arc<LanDoor>,
}
