//! `stockroom compact`: writes a stopped node's database anew, so that what was erased lies in no page of the file any more.
//!
//! The new file is whole, synced and compared row by row before it takes the old one's name. The continuity token is bound to the file, so it
//! is bound to the new one just before: a crash in between opens a needless epoch, never a stolen one. A database about which there is a
//! doubt already keeps its token as it is. What the old file held is overwritten before its space is given back.

use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;

use stockroom_core::compact::{copy, difference};
use stockroom_core::continuity::Token;
use stockroom_core::storage::redb::RedbStore;
use stockroom_core::storage::{Store, StoreError};

use crate::disk::{self, DiskError};
use crate::files::{self, DataDir, FilesError, beside, io_at, read_if_there};

/// Why a database was not written anew. It is as it was, except that a new epoch may be opened at the next start.
#[derive(Debug, thiserror::Error)]
pub enum CompactError {
    /// A file of the node.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// A database could not be opened.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// A row could not be read or written.
    #[error("the database could not be copied")]
    Storage(#[from] StoreError),
    /// The copy does not read like the original.
    #[error("the copy differs in table {0}: the database stays as it was")]
    Differs(String),
}

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compacted {
    /// Rows that live.
    pub rows: u64,
    /// Bytes of the file before.
    pub before: u64,
    /// Bytes of the file now.
    pub after: u64,
}

/// Writes the database in `dir` anew. The caller holds the directory's lock.
pub fn compact(dir: &DataDir) -> Result<Compacted, CompactError> {
    let (path, temporary) = (dir.database(), beside(&dir.database(), "compact"));
    let size = |path: &Path| std::fs::metadata(path).map(|file| file.len()).map_err(io_at("look at", path));
    let before = size(&path)?;
    let from = disk::open_database(&path, CACHE_BYTES)?;
    let snapshot = from.reader().snapshot()?;
    let mut to = RedbStore::open_file(disk::empty_file(&temporary)?, CACHE_BYTES)?;
    let rows = copy(&*snapshot, &mut to)?;
    drop(to);
    // Opened again, so that its checksums are walked and what is compared comes from the file.
    let to = disk::open_database(&temporary, CACHE_BYTES)?;
    if let Some(table) = difference(&*snapshot, &*to.reader().snapshot()?)? {
        return Err(CompactError::Differs(format!("{table:?}")));
    }
    drop((snapshot, from, to));
    let old = OpenOptions::new().write(true).open(&path).map_err(io_at("open", &path))?;
    rebind(dir, &temporary)?;
    disk::finish_database(&temporary, &path)?;
    overwrite(old, before).map_err(io_at("overwrite what was", &path))?;
    Ok(Compacted { rows, before, after: size(&path)? })
}

/// Binds the continuity token to the file that is about to become the database.
fn rebind(dir: &DataDir, temporary: &Path) -> Result<(), FilesError> {
    let token = read_if_there(&dir.token())?.and_then(|bytes| Token::from_bytes(&bytes).ok());
    let Some(token) = token.filter(|_| !dir.restored().exists()) else { return Ok(()) };
    if token.volume != disk::volume(&dir.database())? {
        return Ok(());
    }
    let bound = Token { volume: disk::volume(temporary)?, ..token };
    files::write_whole(&dir.token(), &bound.to_bytes()).map_err(io_at("write", &dir.token()))
}

/// Zeros in place of what a file held that has no name any more. Where the disk writes elsewhere than it is told (copy on write, flash), its own
/// erasing has to do the rest.
fn overwrite(mut old: File, bytes: u64) -> std::io::Result<()> {
    old.seek(SeekFrom::Start(0))?;
    let zeros = vec![0; 1024 * 1024];
    let mut left = bytes;
    while left > 0 {
        let now = left.min(zeros.len() as u64);
        old.write_all(&zeros[..now as usize])?;
        left -= now;
    }
    old.sync_all()
}

const CACHE_BYTES: usize = 64 * 1024 * 1024;

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test stops where it fails")]
mod tests {
    use stockroom_core::storage::{Table, Writes};
    use stockroom_crdt::ids::{Epoch, NodeId, TenantId};

    use super::*;

    #[test]
    fn what_was_removed_is_in_no_file_and_the_token_goes_with_the_database() {
        let folder = tempfile::tempdir().unwrap();
        let dir = DataDir::new(folder.path(), None);
        dir.create().unwrap();
        let mut store = disk::open_database(&dir.database(), CACHE_BYTES).unwrap();
        let secret = b"sentinel-of-a-key-that-was-destroyed";
        let row = |value: Option<&[u8]>| {
            let mut writes = Writes::new();
            // Many rows on many pages: what is written next takes some of those that were freed.
            for member in 0..2_000_u64 {
                writes.insert((Table::MemberKeys, member.to_be_bytes().to_vec()), value.map(<[u8]>::to_vec));
            }
            writes.insert((Table::Runs, vec![2; 8]), Some(b"stays".to_vec()));
            writes
        };
        store.commit(&row(Some(secret))).unwrap();
        store.commit(&row(None)).unwrap();
        drop(store);
        let volume = disk::volume(&dir.database()).unwrap();
        let (tenant, node, epoch) = (TenantId([1; 16]), NodeId(2), Epoch(3));
        let token = Token { tenant, node, epoch, volume, heads: Vec::new(), fed: 4 };
        files::write_whole(&dir.token(), &token.to_bytes()).unwrap();
        assert!(holds(folder.path(), secret), "redb frees a page without wiping it");
        let done = compact(&dir).unwrap();
        assert_eq!(done.rows, 1);
        assert!(!holds(folder.path(), secret));
        let store = disk::open_database(&dir.database(), CACHE_BYTES).unwrap();
        let kept = store.reader().snapshot().unwrap().get(Table::Runs, &[2; 8]).unwrap();
        assert_eq!(kept.as_deref(), Some(b"stays".as_slice()));
        let bound = Token::from_bytes(&std::fs::read(dir.token()).unwrap()).unwrap();
        assert_eq!(bound, Token { volume: disk::volume(&dir.database()).unwrap(), ..token });
        assert_ne!(bound.volume, volume);
    }

    #[test]
    fn a_token_of_another_file_is_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let dir = DataDir::new(folder.path(), None);
        dir.create().unwrap();
        drop(disk::open_database(&dir.database(), CACHE_BYTES).unwrap());
        let volume = stockroom_crdt::ids::Digest([9; 32]);
        let (tenant, node, epoch) = (TenantId([1; 16]), NodeId(2), Epoch(3));
        let token = Token { tenant, node, epoch, volume, heads: Vec::new(), fed: 4 };
        files::write_whole(&dir.token(), &token.to_bytes()).unwrap();
        compact(&dir).unwrap();
        assert_eq!(std::fs::read(dir.token()).unwrap(), token.to_bytes(), "the next start still sees the doubt");
    }

    fn holds(folder: &Path, what: &[u8]) -> bool {
        std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).any(|path| {
            if path.is_dir() {
                return holds(&path, what);
            }
            std::fs::read(path).unwrap().windows(what.len()).any(|window| window == what)
        })
    }
}
