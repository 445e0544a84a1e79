//! Opening the core: the database, the evidence beside it, and the token that follows it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use stockroom_core::core::{Config, Core, check_format};
use stockroom_core::input::CoreError;
use stockroom_core::journal::walk::{self, Extent};
use stockroom_core::storage::redb::RedbStore;
use stockroom_core::storage::{Reader, Store, StoreError, Writes};
use stockroom_core::time::Now;
use stockroom_core::tuning::Tuning;
use stockroom_crdt::ids::{Code, Digest, NodeId};

use crate::disk::{self, DiskError};
use crate::files::{self, DataDir, FilesError, io_at};
use crate::identity::Identity;

/// Why the core is not open, or its token not written.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A file could not be read or written.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// The database could not be opened.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The core did not take it.
    #[error(transparent)]
    Core(#[from] CoreError),
    /// A log is not what this node signed.
    #[error("the database is damaged: {0}; restore a backup")]
    Damaged(String),
    /// The identity is not whole.
    #[error("the identity cannot be used: {0}")]
    Identity(String),
    /// The system gave no randomness.
    #[error("the system gave no randomness")]
    Random(#[from] getrandom::Error),
}

/// Opens the core on a database that stays open behind it.
pub struct Opener {
    dir: DataDir,
    identity: Arc<Identity>,
    store: SharedStore,
    restored: bool,
}

impl Opener {
    /// Opens the database. Its checksums and this node's own logs are verified first, also after a clean stop: nothing checks a
    /// page again when it is read, and what rotted meanwhile would be answered to tills.
    pub fn new(dir: &DataDir, identity: Arc<Identity>, cache_bytes: usize) -> Result<Self, OpenError> {
        let begun = Instant::now();
        let store = disk::open_database(&dir.database(), cache_bytes)?;
        let tenant = identity.tenant().map_err(OpenError::Identity)?;
        let snapshot = store.reader().snapshot().map_err(CoreError::from)?;
        check_format(&*snapshot)?;
        let own = Extent::WrittenBy(NodeId(identity.record.node));
        let report = walk::logs(&*snapshot, tenant, own).map_err(CoreError::from)?;
        if let Some(fault) = report.faults.into_iter().next() {
            return Err(OpenError::Damaged(fault));
        }
        let took_ms = begun.elapsed().as_millis() as u64;
        tracing::info!(logs = report.logs, entries = report.entries, took_ms, "database verified");
        let restored = dir.restored().exists();
        Ok(Self { dir: dir.clone(), identity, store: SharedStore(Arc::new(Mutex::new(store))), restored })
    }

    /// Opens a core on the last commit.
    pub fn open(&self, now: Now, quarantine: Option<Digest>) -> Result<Core, OpenError> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed)?;
        let config = Config {
            identity: self.identity.to_core().map_err(OpenError::Identity)?,
            evidence: disk::evidence(&self.dir)?,
            seed,
            version: Code::parse(env!("CARGO_PKG_VERSION")).unwrap_or_default(),
            quarantine,
            tuning: Tuning::default(),
        };
        Ok(Core::open(config, Box::new(self.store.clone()), now)?)
    }

    /// Replaces the continuity token. When it returns, effects that follow may leave the node.
    pub fn write_token(&mut self, bytes: &[u8]) -> Result<(), OpenError> {
        let path = self.dir.token();
        files::write_whole(&path, bytes).map_err(io_at("write", &path))?;
        if std::mem::take(&mut self.restored) {
            // The new epoch is durable, and so is the token that names it.
            files::remove(&self.dir.restored())?;
        }
        Ok(())
    }
}

/// A database that outlives the core on it, so that readers keep theirs when the core is opened again.
#[derive(Clone)]
struct SharedStore(Arc<Mutex<RedbStore>>);

impl Store for SharedStore {
    fn reader(&self) -> Arc<dyn Reader> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).reader()
    }

    fn commit(&mut self, writes: &Writes) -> Result<(), StoreError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).commit(writes)
    }
}
