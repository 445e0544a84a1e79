//! Putting a backup in the place of a node's database. The node then opens a new epoch and has no rights until it heard its hub.

use std::path::Path;

use stockroom_core::storage::redb::RedbStore;
use stockroom_core::storage::{Store, Writes};

use super::file::{self, BackupError, BackupHeader};
use crate::disk::{self, DiskError};
use crate::files::{self, DataDir, FilesError, beside, io_at};
use crate::identity::Identity;

/// Why nothing was restored. The database is as it was, except that a new epoch may be opened at the next start.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// A file of the node.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// The backup.
    #[error("the backup cannot be restored")]
    Backup(#[from] BackupError),
    /// The new database.
    #[error("the database could not be written")]
    Disk(#[from] DiskError),
}

/// Replaces the database of the node in `dir`, which must not be running. Gives the backup's header and its number of rows.
pub fn restore(backup: &Path, dir: &DataDir) -> Result<(BackupHeader, u64), RestoreError> {
    let identity = Identity::load(dir)?;
    let _lock = dir.lock()?;
    let (header, rows) = file::read(backup, |_, _, _| Ok(()))?;
    if header.tenant != identity.record.tenant || header.node != identity.record.node {
        return Err(BackupError::OtherNode { tenant: header.tenant, node: header.node }.into());
    }
    let temporary = beside(&dir.database(), "restored");
    let mut store = RedbStore::open_file(disk::empty_file(&temporary)?, CACHE_BYTES).map_err(DiskError::from)?;
    let mut batch = Batch::default();
    file::read(backup, |table, key, value| {
        batch.bytes += key.len() + value.len();
        batch.writes.insert((table, key), Some(value));
        if batch.bytes >= BATCH_BYTES { batch.commit(&mut store) } else { Ok(()) }
    })?;
    batch.commit(&mut store)?;
    drop(store);
    // Before the database takes its place: a crash in between opens a needless epoch, never a stolen one.
    let marker = dir.restored();
    files::write_whole(&marker, header.at_ms.to_string().as_bytes()).map_err(io_at("write", &marker))?;
    disk::finish_database(&temporary, &dir.database())?;
    Ok((header, rows))
}

#[derive(Default)]
struct Batch {
    writes: Writes,
    bytes: usize,
}

impl Batch {
    fn commit(&mut self, store: &mut RedbStore) -> Result<(), BackupError> {
        store.commit(&self.writes)?;
        *self = Self::default();
        Ok(())
    }
}

/// Rows that are held in memory between two commits.
const BATCH_BYTES: usize = 16 * 1024 * 1024;

const CACHE_BYTES: usize = 64 * 1024 * 1024;
