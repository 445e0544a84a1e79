//! One simulated node: keys and disk outlive its core.

use stockroom_core::continuity::Evidence;
use stockroom_core::core::{Config, Core, Identity};
use stockroom_core::input::CoreError;
use stockroom_core::sync::parcel::seal_key;
use stockroom_core::time::Now;
use stockroom_core::tuning::Tuning;
use stockroom_crdt::capability::{Capability, Role, Signer};
use stockroom_crdt::ids::{Code, Digest, NodeId, StoreId, TenantId};

use crate::disk::Disk;

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
        seal_key(&self.seal_secret)
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
    tenant: TenantId,
    root_key: [u8; 32],
}

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
            tenant,
            root_key,
        }
    }

    /// The same identity on an empty disk, without a token: for clones and images.
    pub fn twin(&self) -> Self {
        Self { volume: self.volume, ..Self::new(self.tenant, self.root_key, self.keys.clone(), self.chain.clone()) }
    }

    /// The capability of a tenant's first hub.
    pub fn hub_capability(tenant: TenantId, root: &Signer, keys: &Keys) -> Capability {
        Capability {
            node: NodeId(1),
            role: Role::Hub,
            store: StoreId(0),
            log_key: keys.signer().public(),
            seal_key: keys.seal_key(),
            range_first: 2,
            range_last: 9_999,
            issued_ms: 0,
            issuer: NodeId(0),
            signature: [0; 64],
        }
        .sign(tenant, root)
    }

    /// Starts its core.
    pub fn start(&mut self, world_ms: u64, seed: [u8; 32]) -> Result<(), CoreError> {
        self.boot += 1;
        self.started_ms = world_ms;
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
        self.core = Some(Core::open(config, self.disk.open()?, now)?);
        self.restored = false;
        Ok(())
    }

    /// The power goes: the core is gone, the disk keeps what was durable.
    pub fn stop(&mut self) {
        self.disk.cut();
        self.core = None;
    }

    /// What its clocks show.
    pub fn now(&self, world_ms: u64) -> Now {
        let wall_ms = (world_ms as i64 + self.clock_error_ms).max(0) as u64;
        Now { boot: self.boot, mono_ms: world_ms - self.started_ms, wall_ms }
    }
}
