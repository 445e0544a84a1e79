//! The door to the shop's network: under which names it answers, and the certificate it shows, kept fresh by this node alone.
//!
//! The authority and the leaf lie in the data directory. A damaged or expired leaf is replaced at once; a damaged authority too, but
//! then devices have to trust the new one. Nothing here waits for a hub, and nothing here can stop a node from selling.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use stockroom_crdt::ids::hex;
use stockroom_transport::pages::{PageAuthority, PageLeaf, PageNames};
use stockroom_transport::{AuthorityError, Net, TlsClock};

use crate::files::{DataDir, FilesError, io_at, read_if_there, write_whole};
use crate::identity::Identity;

/// Names and certificate of a node's door to the shop's network.
pub struct LanDoor {
    dir: DataDir,
    names: PageNames,
    authority: PageAuthority,
    clock: TlsClock,
    renamed: Box<dyn Fn() -> Option<String> + Send + Sync>,
    held: Mutex<Held>,
}

struct Held {
    leaf: PageLeaf,
    interfaces: Vec<IpAddr>,
}

/// Why there is nothing to trust.
#[derive(Debug, thiserror::Error)]
pub enum LanError {
    /// The authority could not be read or kept.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// No certificate was made.
    #[error("no certificate for the pages was made")]
    Authority(#[from] AuthorityError),
}

/// What a person needs to know to trust a node's pages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trust {
    /// SHA-256 of the authority's certificate, as people compare it: pairs of digits with colons.
    pub sha256: String,
    /// The first of its names.
    pub host: String,
}

impl LanDoor {
    /// Reads what was kept, or makes it; the leaf is good for `interfaces` when this returns.
    pub fn open(
        dir: &DataDir,
        names: PageNames,
        clock: TlsClock,
        interfaces: Vec<IpAddr>,
    ) -> Result<Self, AuthorityError> {
        let authority = kept_or_made(dir, &names, &clock)?;
        let kept = kept_leaf(dir).filter(|leaf| authority.issued(leaf));
        let leaf = match kept {
            Some(leaf) => leaf,
            None => authority.issue(&names, &interfaces, clock.now_unix_s())?,
        };
        let held = Mutex::new(Held { leaf, interfaces: interfaces.clone() });
        let door = Self { dir: dir.clone(), names, authority, clock, renamed: Box::new(|| None), held };
        if !door.look(interfaces)? {
            door.save(&door.leaf());
        }
        Ok(door)
    }

    /// Lets the door know what became of its name on the network.
    pub fn published_by(mut self, net: &Net) -> Self {
        let net = net.clone();
        self.renamed = Box::new(move || net.pages_renamed());
        self
    }

    /// Makes a new leaf if the old one is near its end, was made under a wrong clock, or lacks an address that this machine has now.
    /// True when there is a new one, which is kept in memory even if it cannot be written.
    pub fn look(&self, interfaces: Vec<IpAddr>) -> Result<bool, AuthorityError> {
        let now_unix_s = self.clock.now_unix_s();
        let leaf = self.leaf();
        self.lock().interfaces.clone_from(&interfaces);
        if !leaf.is_due(now_unix_s) && leaf.names == self.names.with(&interfaces) {
            return Ok(false);
        }
        let leaf = self.authority.issue(&self.names, &interfaces, now_unix_s)?;
        self.save(&leaf);
        tracing::info!(names = leaf.names.join(" "), "new certificate for the pages");
        self.lock().leaf = leaf;
        Ok(true)
    }

    /// The leaf that is shown.
    pub fn leaf(&self) -> PageLeaf {
        self.lock().leaf.clone()
    }

    /// The certificate that devices trust, PEM.
    pub fn ca_pem(&self) -> String {
        self.authority.cert_pem()
    }

    /// What a person compares.
    pub fn trust(&self) -> Trust {
        Trust { sha256: fingerprint(&self.authority), host: self.host().to_owned() }
    }

    /// The name that people are told.
    pub fn host(&self) -> &str {
        self.names.hosts.first().map_or("localhost", String::as_str)
    }

    /// The name to use while another machine of the network has [`LanDoor::host`].
    pub fn other_host(&self) -> Option<&str> {
        (self.renamed)().and(self.names.hosts.get(1)).map(String::as_str)
    }

    /// Whether a request that names this host means this node: one of its names, or an address that its machine has now. A page of
    /// somebody else whose name was made to point here still sends its own name (DNS rebinding).
    pub fn is_ours(&self, host: &str) -> bool {
        let host = host.trim_end_matches('.');
        if let Ok(address) = host.parse::<IpAddr>() {
            return self.names.addresses.contains(&address) || self.lock().interfaces.contains(&address);
        }
        self.names.hosts.iter().any(|own| own.eq_ignore_ascii_case(host))
            || (self.renamed)().is_some_and(|name| name.eq_ignore_ascii_case(host))
    }

    /// A disk that is full must not take the pages away: the leaf in memory is good.
    fn save(&self, leaf: &PageLeaf) {
        let key = write(&self.dir, LEAF_KEY, &leaf.key_pem);
        if let Err(error) = key.and_then(|()| write(&self.dir, LEAF, &leaf.chain_pem)) {
            tracing::warn!(%error, "the certificate for the pages was not kept");
        }
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for LanDoor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LanDoor").field("names", &self.names).finish_non_exhaustive()
    }
}

/// The names of a node's door, from its own certificate.
pub fn names_of(identity: &Identity) -> PageNames {
    let me = identity.tls.identity();
    let more = identity.tls.extra_names().unwrap_or_default();
    PageNames::of(me.tenant, me.node, me.role, me.store, &more)
}

/// What to trust of the node in this directory, which need not run. Makes its authority if there is none yet.
pub fn trust_of(dir: &DataDir, identity: &Identity) -> Result<Trust, LanError> {
    let names = names_of(identity);
    let authority = match kept_authority(dir)? {
        Some(authority) => authority,
        None => {
            let made = PageAuthority::create(&names, TlsClock::wall().now_unix_s())?;
            keep(dir, &made)?;
            made
        }
    };
    Ok(Trust { sha256: fingerprint(&authority), host: names.hosts.into_iter().next().unwrap_or_default() })
}

/// Pairs of digits with colons, as phones and browsers show them.
pub fn colons(digest: &[u8]) -> String {
    let pairs: Vec<_> = digest.iter().map(|byte| hex(&[*byte]).to_uppercase()).collect();
    pairs.join(":")
}

fn fingerprint(authority: &PageAuthority) -> String {
    colons(&authority.fingerprint())
}

/// The authority that was kept, or a new one. A disk that is full or broken must not keep a node from selling: then the new one is in
/// memory only, and devices warn until it can be kept.
fn kept_or_made(dir: &DataDir, names: &PageNames, clock: &TlsClock) -> Result<PageAuthority, AuthorityError> {
    let kept = kept_authority(dir);
    if let Ok(Some(authority)) = kept {
        return Ok(authority);
    }
    let authority = PageAuthority::create(names, clock.now_unix_s())?;
    if let Err(error) = kept.and_then(|_| keep(dir, &authority)) {
        tracing::error!(%error, "the pages' authority is not kept: devices that trust it will have to trust another");
    }
    Ok(authority)
}

/// What is kept; nothing if it is damaged.
fn kept_authority(dir: &DataDir) -> Result<Option<PageAuthority>, FilesError> {
    let (Some(cert), Some(key)) = (text(dir, CA)?, text(dir, CA_KEY)?) else { return Ok(None) };
    match PageAuthority::load(&cert, &key) {
        Ok(authority) => Ok(Some(authority)),
        Err(error) => {
            tracing::error!(%error, "the pages' authority is damaged: devices have to trust a new one");
            Ok(None)
        }
    }
}

fn keep(dir: &DataDir, authority: &PageAuthority) -> Result<(), FilesError> {
    write(dir, CA_KEY, &authority.key_pem())?;
    write(dir, CA, &authority.cert_pem())
}

/// A leaf that cannot be read is as good as none.
fn kept_leaf(dir: &DataDir) -> Option<PageLeaf> {
    let (chain, key) = (text(dir, LEAF).ok()??, text(dir, LEAF_KEY).ok()??);
    PageLeaf::load(&chain, &key).ok()
}

fn text(dir: &DataDir, name: &str) -> Result<Option<String>, FilesError> {
    // What is not text is damaged, and is refused where it is parsed.
    Ok(read_if_there(&dir.file(name))?.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
}

fn write(dir: &DataDir, name: &str, text: &str) -> Result<(), FilesError> {
    let path = dir.file(name);
    write_whole(&path, text.as_bytes()).map_err(io_at("write", &path))
}

/// The host of an authority (`host`, `host:port`, `[v6]:port`).
pub fn host_of(authority: &str) -> &str {
    let bracketed = authority.strip_prefix('[').and_then(|rest| rest.split_once(']')).map(|(host, _)| host);
    bracketed.unwrap_or_else(|| authority.rsplit_once(':').map_or(authority, |(host, _)| host))
}

/// Distinct texts of both lists, in order; for messages.
pub fn every_url(door: &LanDoor, port: u16) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let mut hosts: Vec<_> = door.names.hosts.iter().filter(|host| host.ends_with(".local")).cloned().collect();
    hosts.retain(|host| seen.insert(host.clone()));
    hosts.into_iter().map(|host| format!("https://{host}:{port}/")).collect()
}

/// The pages' authority, which devices trust.
pub const CA: &str = "pages-ca.pem";

/// Its private key.
pub const CA_KEY: &str = "pages-ca.key";

/// The certificate that the door shows.
pub const LEAF: &str = "pages.pem";

/// Its private key.
pub const LEAF_KEY: &str = "pages.key";

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use stockroom_transport::{Role, TenantId};

    use super::*;

    const DAY: u64 = 86_400;
    const NOW: u64 = 1_795_000_000;

    fn names() -> PageNames {
        PageNames::of(TenantId([1; 16]), 7, Role::Store, 12, &["127.0.0.1".into()])
    }

    fn dir(folder: &tempfile::TempDir) -> DataDir {
        let dir = DataDir::new(folder.path(), None);
        dir.create().unwrap();
        dir
    }

    #[test]
    fn a_certificate_that_expired_during_an_outage_is_renewed_by_the_node_alone() {
        let folder = tempfile::tempdir().unwrap();
        let now = Arc::new(AtomicU64::new(NOW));
        let reading = now.clone();
        let clock = TlsClock::new(move || reading.load(Ordering::Relaxed));
        let lan: Vec<IpAddr> = vec!["192.168.1.5".parse().unwrap()];
        let door = LanDoor::open(&dir(&folder), names(), clock.clone(), lan.clone()).unwrap();
        let (first, trusted) = (door.leaf(), door.trust());
        assert!(!door.look(lan.clone()).unwrap(), "a fresh one stays");

        // It runs on: renewed with a third left, and long after the end.
        now.store(NOW + 270 * DAY, Ordering::Relaxed);
        assert!(door.look(lan.clone()).unwrap());
        now.store(NOW + 3_000 * DAY, Ordering::Relaxed);
        assert!(door.look(lan.clone()).unwrap());
        assert!(door.leaf().not_after_unix_s > NOW + 3_390 * DAY);
        drop(door);

        // It was off: the kept one has expired when it starts.
        now.store(NOW + 5_000 * DAY, Ordering::Relaxed);
        let door = LanDoor::open(&dir(&folder), names(), clock, lan).unwrap();
        assert!(!door.leaf().is_due(NOW + 5_000 * DAY));
        assert!(door.leaf().not_after_unix_s > first.not_after_unix_s);
        assert_eq!(door.trust(), trusted, "devices trust what they trusted");
    }

    #[test]
    fn a_new_address_gets_into_the_certificate_and_a_restart_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let clock = TlsClock::new(|| NOW);
        let ip = |text: &str| -> IpAddr { text.parse().unwrap() };
        let door = LanDoor::open(&dir(&folder), names(), clock.clone(), vec![ip("10.0.0.5")]).unwrap();
        assert!(door.is_ours("10.0.0.5") && !door.is_ours("10.0.0.6"));
        assert!(door.look(vec![ip("10.0.0.6")]).unwrap());
        assert!(door.is_ours("10.0.0.6") && !door.is_ours("10.0.0.5"));
        let chain = door.leaf().chain_pem;
        let again = LanDoor::open(&dir(&folder), names(), clock.clone(), vec![ip("10.0.0.6")]).unwrap();
        assert_eq!(again.leaf().chain_pem, chain);
        std::fs::write(folder.path().join(LEAF), "-----BEGIN").unwrap();
        let again = LanDoor::open(&dir(&folder), names(), clock, vec![ip("10.0.0.6")]).unwrap();
        assert_eq!(again.trust(), door.trust(), "a damaged leaf is made anew");
        assert_ne!(again.leaf().chain_pem, chain);
        let full = DataDir::new(folder.path().join("nowhere"), None);
        assert!(LanDoor::open(&full, names(), TlsClock::new(|| NOW), Vec::new()).is_ok(), "pages without a disk");
    }

    #[test]
    fn a_host_that_is_not_this_node_is_not_taken_for_it() {
        let folder = tempfile::tempdir().unwrap();
        let door = LanDoor::open(&dir(&folder), names(), TlsClock::new(|| NOW), Vec::new()).unwrap();
        for host in ["stockroom-12.local", "STOCKROOM-12.local.", "127.0.0.1"] {
            assert!(door.is_ours(host), "{host}");
        }
        for host in ["stockroom-13.local", "stockroom-12.local.evil.example", "evil.example", "192.168.1.5", ""] {
            assert!(!door.is_ours(host), "{host}");
        }
        assert_eq!((host_of("a.local:7443"), host_of("[::1]:1"), host_of("a.local")), ("a.local", "::1", "a.local"));
    }
}
