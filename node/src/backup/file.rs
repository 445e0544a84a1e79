//! The backup file: a header, every row of every table, a count and a SHA-256 of all that. Holds no private key.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use ring::digest::{Context, SHA256};
use stockroom_core::storage::{Snapshot, StoreError, TABLES, Table};

use crate::files::{beside, move_whole};

/// Whose rows a backup holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackupHeader {
    /// Tenant id, hex.
    pub tenant: String,
    /// Node id.
    pub node: u32,
    /// When it was taken, milliseconds since 1970.
    pub at_ms: u64,
}

/// Why there is no backup, or none that can be used. What stood at the target before stands there still.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// A file could not be read or written.
    #[error("a file could not be read or written")]
    Io(#[from] io::Error),
    /// The database could not be read.
    #[error(transparent)]
    Storage(#[from] StoreError),
    /// The file is not a backup, or not a whole one.
    #[error("this is not a whole backup of stockroom: {0}")]
    Damaged(&'static str),
    /// The backup is of another node.
    #[error("this is a backup of node {node} of tenant {tenant}, not of the node in this directory")]
    OtherNode {
        /// Tenant id.
        tenant: String,
        /// Node id.
        node: u32,
    },
}

/// Writes a backup of what `snapshot` shows: a temporary file first, which then takes the name.
pub fn write(snapshot: &dyn Snapshot, header: &BackupHeader, path: &Path) -> Result<u64, BackupError> {
    let temporary = beside(path, "new");
    let file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&temporary)?;
    let mut out = Hashing { inner: BufWriter::new(file), hash: Context::new(&SHA256) };
    out.put(MAGIC)?;
    out.blob(header.tenant.as_bytes())?;
    out.put(&header.node.to_be_bytes())?;
    out.put(&header.at_ms.to_be_bytes())?;
    let mut rows = 0u64;
    super::each_row(snapshot, |table, key, value| {
        rows += 1;
        out.put(&[table as u8])?;
        out.blob(key)?;
        out.blob(value)?;
        Ok::<_, BackupError>(())
    })?;
    out.put(&[END])?;
    out.put(&rows.to_be_bytes())?;
    let Hashing { mut inner, hash } = out;
    inner.write_all(hash.finish().as_ref())?;
    inner.into_inner().map_err(|error| error.into_error())?.sync_all()?;
    move_whole(&temporary, path)?;
    Ok(rows)
}

/// Reads a backup from its beginning to its checksum and gives every row to `each`. Rows given before an error must not be
/// used: read twice, first with an `each` that does nothing.
pub fn read(
    path: &Path,
    mut each: impl FnMut(Table, Vec<u8>, Vec<u8>) -> Result<(), BackupError>,
) -> Result<(BackupHeader, u64), BackupError> {
    let mut source = Checking { inner: BufReader::new(File::open(path)?), hash: Context::new(&SHA256) };
    if source.array::<{ MAGIC.len() }>()? != *MAGIC {
        return Err(BackupError::Damaged("it does not begin like one, or is of another version"));
    }
    let tenant = String::from_utf8(source.blob(64)?).map_err(|_| BackupError::Damaged("tenant"))?;
    let node = u32::from_be_bytes(source.array()?);
    let header = BackupHeader { tenant, node, at_ms: u64::from_be_bytes(source.array()?) };
    let mut rows = 0u64;
    loop {
        let [number] = source.array()?;
        if number == END {
            break;
        }
        let table = TABLES.get(usize::from(number)).ok_or(BackupError::Damaged("unknown table"))?;
        let (key, value) = (source.blob(ROW_BYTES_MAX)?, source.blob(ROW_BYTES_MAX)?);
        each(*table, key, value)?;
        rows += 1;
    }
    if u64::from_be_bytes(source.array()?) != rows {
        return Err(BackupError::Damaged("rows are missing"));
    }
    let Checking { mut inner, hash } = source;
    let mut shown = [0; 32];
    inner.read_exact(&mut shown).map_err(cut_short)?;
    if hash.finish().as_ref() != shown {
        return Err(BackupError::Damaged("its checksum is wrong"));
    }
    Ok((header, rows))
}

struct Hashing<W> {
    inner: W,
    hash: Context,
}

impl<W: Write> Hashing<W> {
    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hash.update(bytes);
        self.inner.write_all(bytes)
    }

    fn blob(&mut self, bytes: &[u8]) -> io::Result<()> {
        let len = u32::try_from(bytes.len()).map_err(io::Error::other)?;
        self.put(&len.to_be_bytes())?;
        self.put(bytes)
    }
}

struct Checking<R> {
    inner: R,
    hash: Context,
}

impl<R: Read> Checking<R> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], BackupError> {
        let mut bytes = [0; N];
        self.inner.read_exact(&mut bytes).map_err(cut_short)?;
        self.hash.update(&bytes);
        Ok(bytes)
    }

    fn blob(&mut self, bytes_max: usize) -> Result<Vec<u8>, BackupError> {
        let len = u32::from_be_bytes(self.array()?) as usize;
        if len > bytes_max {
            return Err(BackupError::Damaged("a row is too long"));
        }
        let mut bytes = vec![0; len];
        self.inner.read_exact(&mut bytes).map_err(cut_short)?;
        self.hash.update(&bytes);
        Ok(bytes)
    }
}

fn cut_short(error: io::Error) -> BackupError {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => BackupError::Damaged("it ends too early"),
        _ => error.into(),
    }
}

/// The last digit is the format's version.
const MAGIC: &[u8; 11] = b"stockroom/1";

/// Stands where a table's number would.
const END: u8 = 0xff;

/// Rows are cut at 48 KiB plus one entry of 64 KiB; an account's row or a sent frame may be a little longer.
const ROW_BYTES_MAX: usize = 4 * 1024 * 1024;

const _: () = assert!(TABLES.len() < END as usize);

#[cfg(test)]
mod tests {
    use super::*;
    use stockroom_core::storage::Store;
    use stockroom_core::storage::memory::MemoryStore;

    #[test]
    fn a_backup_reads_as_written_and_not_at_all_when_damaged() {
        let mut store = MemoryStore::default();
        let rows: Vec<_> = (0..1_000u32).map(|n| (Table::Runs, n.to_be_bytes().to_vec(), vec![n as u8; 9])).collect();
        store.commit(&rows.iter().map(|(t, k, v)| ((*t, k.clone()), Some(v.clone()))).collect()).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.backup");
        let header = BackupHeader { tenant: "ab".into(), node: 3, at_ms: 5 };
        assert_eq!(write(&*store.reader().snapshot().unwrap(), &header, &path).unwrap(), 1_000);
        let mut seen = Vec::new();
        let read_all = |path: &Path, seen: &mut Vec<_>| {
            read(path, |table, key, value| {
                seen.push((table, key, value));
                Ok(())
            })
        };
        assert_eq!(read_all(&path, &mut seen).unwrap(), (header, 1_000));
        assert_eq!(seen, rows);
        let whole = std::fs::read(&path).unwrap();
        for at in [0, 20, 5_000, whole.len() - 1] {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            std::fs::write(&path, &bytes).unwrap();
            assert!(read_all(&path, &mut seen).is_err(), "byte {at}");
        }
        std::fs::write(&path, &whole[..whole.len() - 1]).unwrap();
        assert!(matches!(read_all(&path, &mut seen), Err(BackupError::Damaged(_))));
    }
}
