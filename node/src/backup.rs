//! The database as one file, and back.

pub mod file;
pub mod restore;

use std::io;
use std::path::PathBuf;

use stockroom_core::storage::StoreError;

use crate::handle::Handle;
use crate::info::NodeInfo;

pub use file::{BackupError, BackupHeader};

/// Writes a backup of a running node into its data directory, mode 0600, and gives its path. The caller may move it away.
/// Sales go on meanwhile: the backup shows one commit.
pub async fn take(handle: &Handle, info: &NodeInfo) -> Result<PathBuf, BackupError> {
    let snapshot = handle.snapshot()?;
    let at_ms = crate::daemon::clock::wall_ms();
    let folder = info.data_dir.join("backups");
    let path = folder.join(format!("stockroom-{}-{at_ms}.backup", info.node));
    let header = BackupHeader { tenant: info.tenant.clone(), node: info.node, at_ms };
    let write = move || {
        std::fs::create_dir_all(&folder)?;
        file::write(&*snapshot, &header, &path)?;
        Ok(path)
    };
    tokio::task::spawn_blocking(write).await.map_err(|error| BackupError::Io(io::Error::other(error)))?
}

/// Rows of one page while tables are walked: at most about 12 MB, and no long read.
pub(crate) const PAGE_ROWS: usize = 256;

/// Calls `each` with every row of every table of a snapshot.
pub(crate) fn each_row<E: From<StoreError>>(
    snapshot: &dyn stockroom_core::storage::Snapshot,
    mut each: impl FnMut(stockroom_core::storage::Table, &[u8], &[u8]) -> Result<(), E>,
) -> Result<(), E> {
    use std::ops::Bound;
    for table in stockroom_core::storage::TABLES {
        let mut from: Option<Vec<u8>> = None;
        loop {
            let start = from.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
            let direction = stockroom_core::storage::Direction::Forward;
            let rows = snapshot.scan(table, (start, Bound::Unbounded), direction, PAGE_ROWS)?;
            for (key, value) in &rows {
                each(table, key, value)?;
            }
            match rows.into_iter().next_back() {
                Some((last, _)) => from = Some(last),
                None => break,
            }
        }
    }
    Ok(())
}
