//! The disk around the database: how the file comes into being, which volume it lies on, how much room is left, and the
//! continuity token beside it.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use stockroom_core::continuity::Evidence;
use stockroom_core::input::DiskSpace;
use stockroom_core::storage::StoreError;
use stockroom_core::storage::redb::RedbStore;
use stockroom_crdt::ids::Digest;

use crate::files::{DataDir, FilesError, beside, io_at, move_whole, read_if_there};

/// Why the database is not open.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    /// A file around it failed.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// The database itself failed. Nothing should be written before a person looked.
    #[error("the database cannot be opened")]
    Storage(#[from] StoreError),
}

/// Opens the database, and makes it if it is not there.
pub fn open_database(path: &Path, cache_bytes: usize) -> Result<RedbStore, DiskError> {
    if !path.exists() {
        create_database(path)?;
    }
    let file = OpenOptions::new().read(true).write(true).open(path).map_err(io_at("open", path))?;
    Ok(RedbStore::open_file(file, cache_bytes)?)
}

/// Makes an empty database under another name; it takes its own only when it is whole and synced, because a crash while redb
/// makes a file leaves something that is not a database.
fn create_database(path: &Path) -> Result<(), DiskError> {
    let temporary = beside(path, "new");
    drop(RedbStore::open_file(empty_file(&temporary)?, CREATE_CACHE_BYTES)?);
    finish_database(&temporary, path)
}

/// An empty file, mode 0600, in place of whatever an earlier try left.
pub fn empty_file(path: &Path) -> Result<File, FilesError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(true).mode(0o600);
    options.open(path).map_err(io_at("create", path))
}

/// Syncs a database that was made under a temporary name and gives it its own.
pub fn finish_database(temporary: &Path, path: &Path) -> Result<(), DiskError> {
    let file = File::open(temporary).map_err(io_at("open", temporary))?;
    file.sync_all().map_err(io_at("sync", temporary))?;
    Ok(move_whole(temporary, path).map_err(io_at("rename to", path))?)
}

/// What lies beside the database: the token, the marker of a restore, and the volume. The database file must exist.
pub fn evidence(dir: &DataDir) -> Result<Evidence, FilesError> {
    Ok(Evidence {
        token: read_if_there(&dir.token())?,
        volume: volume(&dir.database())?,
        restored: dir.restored().exists(),
    })
}

/// A digest of the machine, the file system and the file. A copy of the file has another one; a restart has the same.
pub fn volume(database: &Path) -> Result<Digest, FilesError> {
    let machine = fs::read("/etc/machine-id").unwrap_or_default();
    let file = fs::metadata(database).map_err(io_at("look at", database))?;
    Ok(Digest::of(&[b"stockroom/volume/1", &machine, &file.dev().to_be_bytes(), &file.ino().to_be_bytes()]))
}

/// How much room is left at `path`.
pub fn space(path: &Path, floors: &crate::config::Disk) -> Result<DiskSpace, FilesError> {
    let stat = rustix::fs::statvfs(path).map_err(|error| io_at("look at the disk of", path)(error.into()))?;
    let free_mib = stat.f_bavail.saturating_mul(stat.f_frsize) / (1024 * 1024);
    Ok(match free_mib {
        free if free < floors.critical_mib => DiskSpace::Critical,
        free if free < floors.low_mib => DiskSpace::Low,
        _ => DiskSpace::Ample,
    })
}

/// For a file that only has to become a database.
const CREATE_CACHE_BYTES: usize = 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copied_database_is_another_volume_and_a_reopened_one_is_not() {
        let temporary = tempfile::tempdir().unwrap();
        let dir = DataDir::new(temporary.path(), None);
        dir.create().unwrap();
        drop(open_database(&dir.database(), 1 << 20).unwrap());
        let first = evidence(&dir).unwrap();
        drop(open_database(&dir.database(), 1 << 20).unwrap());
        assert_eq!(evidence(&dir).unwrap(), first);
        fs::copy(dir.database(), dir.file("copy")).unwrap();
        fs::rename(dir.file("copy"), dir.database()).unwrap();
        assert_ne!(evidence(&dir).unwrap().volume, first.volume);
    }
}
