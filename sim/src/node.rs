//! One simulated node: keys and disk outlive its core, clocks run as wrongly as they are told to.

use std::sync::{Arc, Mutex, PoisonError};

use stockroom_core::continuity::Evidence;
use stockroom_core::core::{Config, Core, Identity};
use stockroom_core::input::{CoreError, Input};
use stockroom_core::sealed::public_key;
use stockroom_core::storage::{Reader, Store, StoreError, Writes};
use stockroom_core::time::Now;
use stockroom_core::tuning::Tuning;
use stockroom_crdt::capability::{Capability, Role, Signer};
use stockroom_crdt::ids::{Code, Digest, NodeId, StoreId, TenantId};

use crate::disk::Disk;
use crate::observe::RowChange;

/// Keys of a node, derived from a number, so that a world is reproducible.
#[derive(Clone)]
pub struct Keys {
    log_seed: [u8; 32],
    seal_secret: [u8; 32],
}

impl Keys {
    /// The keys of the `number`-th node of a world with `seed`.
    pub fn derive(seed: u64, number: u32) -> Self {
        let of = |what: &[u8]| Digest::of(&[what, &seed.to_be_bytes(), &number.to_be_bytes()]).0;
        Self { log_seed: of(b"log"), seal_secret: of(b"seal") }
    }

    /// Signs the node's logs.
    pub fn signer(&self) -> Signer {
        Signer::from_seed(&self.log_seed)
    }

    /// The key to which parcels for the node are sealed.
    pub fn seal_key(&self) -> [u8; 32] {
        public_key(&self.seal_secret)
    }
}

/// A node and what survives its crashes.
pub struct SimNode {
    /// Its keys.
    pub keys: Keys,
    /// From the root to it.
    pub chain: Vec<Capability>,
    /// Its disk.
    pub disk: Disk,
    /// Its continuity token, outside of the disk.
    pub token: Option<Vec<u8>>,
    /// Where its disk is mounted.
    pub volume: Digest,
    /// The next start finds a restored database.
    pub restored: bool,
    /// An entry that the next start keeps without effect, because applying it crashed.
    pub quarantine: Option<Digest>,
    /// How patient its core is, from the next start on.
    pub tuning: Tuning,
    /// Its core, while it runs.
    pub core: Option<Core>,
    /// When it started, on the world's clock.
    pub started_ms: u64,
    /// Which start this is; the number that its clocks report.
    pub boot: u64,
    /// Its wall clock minus the world's.
    pub clock_error_ms: i64,
    /// Effects left until it dies between two of them; the power of its disk goes as well.
    pub fuse: Option<u32>,
    /// It is suspended; what arrives meanwhile waits.
    pub(crate) suspended: bool,
    pub(crate) inbox: Vec<Input>,
    /// When its core wants to be woken, on the world's clock.
    pub(crate) due_ms: Option<u64>,
    /// Wakes in this millisecond, to tell a busy loop.
    pub(crate) wakes: (u64, u32),
    /// Rows of commits that nobody looked at yet, while the world observes.
    pub(crate) commits: Commits,
    drift_ppm: i64,
    drift_since: (u64, u64),
    tenant: TenantId,
    root_key: [u8; 32],
}

/// Commits in order, each with its rows.
pub(crate) type Commits = Option<Arc<Mutex<Vec<Vec<RowChange>>>>>;

impl SimNode {
    /// A node that has never run.
    pub fn new(tenant: TenantId, root_key: [u8; 32], keys: Keys, chain: Vec<Capability>) -> Self {
        let node = chain.last().map_or(0, |capability| capability.node.0);
        Self {
            keys,
            chain,
            disk: Disk::default(),
            token: None,
            volume: Digest::of(&[b"volume", &node.to_be_bytes()]),
            restored: false,
            quarantine: None,
            tuning: Tuning::default(),
            core: None,
            started_ms: 0,
            boot: 0,
            clock_error_ms: 0,
            fuse: None,
            suspended: false,
            inbox: Vec::new(),
            due_ms: None,
            wakes: (0, 0),
            commits: None,
            drift_ppm: 0,
            drift_since: (0, 0),
            tenant,
            root_key,
        }
    }

    /// The same identity on an empty disk, without a token: for clones and images.
    pub fn twin(&self) -> Self {
        Self {
            volume: self.volume,
            tuning: self.tuning,
            ..Self::new(self.tenant, self.root_key, self.keys.clone(), self.chain.clone())
        }
    }

    /// The capability of a tenant's first hub.
    pub fn hub_capability(tenant: TenantId, root: &Signer, keys: &Keys) -> Capability {
        Self::hub_below((tenant, root, NodeId(0)), keys, NodeId(1), (2, 999_999))
    }

    /// The capability of a hub that another hub (or the root, as node 0) admits, with the node ids that it may give out.
    pub fn hub_below(
        issuer: (TenantId, &Signer, NodeId),
        keys: &Keys,
        node: NodeId,
        (range_first, range_last): (u32, u32),
    ) -> Capability {
        Capability {
            node,
            role: Role::Hub,
            store: StoreId(0),
            log_key: keys.signer().public(),
            seal_key: keys.seal_key(),
            range_first,
            range_last,
            issued_ms: 0,
            issuer: issuer.2,
            signature: [0; 64],
        }
        .sign(issuer.0, issuer.1)
    }

    /// Starts its core.
    pub fn start(&mut self, world_ms: u64, seed: [u8; 32]) -> Result<(), CoreError> {
        self.boot += 1;
        self.started_ms = world_ms;
        self.drift_since = (world_ms, 0);
        let identity = Identity {
            tenant: self.tenant,
            root_key: self.root_key,
            chain: self.chain.clone(),
            signer: self.keys.signer(),
            seal_secret: self.keys.seal_secret,
        };
        let evidence = Evidence { token: self.token.clone(), volume: self.volume, restored: self.restored };
        let version = Code::parse("sim").expect("a short word");
        let config = Config { identity, evidence, seed, version, quarantine: self.quarantine, tuning: self.tuning };
        let now = self.now(world_ms);
        let store = self.disk.open()?;
        let store = match &self.commits {
            Some(commits) => Box::new(Watched { store, commits: commits.clone() }),
            None => store,
        };
        self.core = Some(Core::open(config, store, now)?);
        self.restored = false;
        Ok(())
    }

    /// The power goes: the core is gone, the disk keeps what was durable.
    pub fn stop(&mut self) {
        self.disk.cut();
        self.core = None;
        self.inbox.clear();
        self.suspended = false;
        self.fuse = None;
    }

    /// What its clocks show.
    pub fn now(&self, world_ms: u64) -> Now {
        let mono_ms = self.mono_ms(world_ms);
        let drifted = mono_ms as i64 - world_ms.saturating_sub(self.started_ms) as i64;
        let wall_ms = (world_ms as i64 + self.clock_error_ms + drifted).max(0) as u64;
        Now { boot: self.boot, mono_ms, wall_ms }
    }

    /// Its clocks run fast or slow from now on, parts per million.
    pub fn set_drift(&mut self, world_ms: u64, ppm: i32) {
        self.drift_since = (world_ms, self.mono_ms(world_ms));
        self.drift_ppm = ppm.into();
    }

    /// When its monotonic clock will show `mono_ms`, on the world's clock.
    pub(crate) fn world_ms(&self, mono_ms: u64) -> u64 {
        let (since, base) = self.drift_since;
        let rate = (MILLION + self.drift_ppm) as u64;
        since + (mono_ms.saturating_sub(base) * MILLION as u64).div_ceil(rate)
    }

    fn mono_ms(&self, world_ms: u64) -> u64 {
        let (since, base) = self.drift_since;
        base + world_ms.saturating_sub(since) * (MILLION + self.drift_ppm) as u64 / MILLION as u64
    }
}

/// A store that tells which rows each commit changed.
struct Watched {
    store: Box<dyn Store>,
    commits: Arc<Mutex<Vec<Vec<RowChange>>>>,
}

impl Store for Watched {
    fn reader(&self) -> Arc<dyn Reader> {
        self.store.reader()
    }

    fn commit(&mut self, writes: &Writes) -> Result<(), StoreError> {
        let before = self.store.reader().snapshot()?;
        let mut rows = Vec::new();
        for ((table, key), new) in writes.iter() {
            let old = before.get(table, key)?;
            rows.push(RowChange { table, key: key.clone(), old, new: new.clone() });
        }
        drop(before);
        self.store.commit(writes)?;
        self.commits.lock().unwrap_or_else(PoisonError::into_inner).push(rows);
        Ok(())
    }
}

const MILLION: i64 = 1_000_000;
