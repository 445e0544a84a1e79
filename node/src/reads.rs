//! Who read personal data of whom: one line per reading, with the names of the fields and never a value, in a file of bounded size.
//!
//! A reading is on disk before its answer leaves. The file is replaced when it is full, and the one before it is kept: so the newest hundred
//! thousand readings are there, and nothing grows.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

/// The readings of one node. Clones share the file.
#[derive(Clone, Debug)]
pub struct Reads {
    path: PathBuf,
    open: Arc<Mutex<Option<(File, u64)>>>,
}

/// Somebody read something of a member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reading {
    /// When, milliseconds since 1970.
    pub at_ms: u64,
    /// At which device.
    pub device: String,
    /// Who was signed in; empty if nobody had to be.
    pub staff: String,
    /// Whose: an account.
    pub member: String,
    /// Which fields.
    pub fields: Vec<String>,
    /// How: find, show, report, note, points.
    pub how: String,
    /// Only parts of the values were shown.
    pub masked: bool,
}

impl Reads {
    /// The readings that lie in a folder. Touches nothing.
    pub fn new(folder: &Path) -> Self {
        Self { path: folder.join(FILE), open: Arc::default() }
    }

    /// Writes readings down; they are durable when this returns.
    pub fn note(&self, readings: &[Reading]) -> io::Result<()> {
        let mut lines = Vec::new();
        for reading in readings {
            serde_json::to_writer(&mut lines, reading)?;
            lines.push(b'\n');
        }
        let mut held = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        // A file that failed once is opened anew: how much of a line it holds is unknown.
        let (mut file, size) = match held.take() {
            Some((file, size)) if size < FILE_BYTES_MAX => (file, size),
            Some(_) => {
                fs::rename(&self.path, self.older())?;
                self.begin()?
            }
            None => self.begin()?,
        };
        file.write_all(&lines)?;
        file.sync_data()?;
        *held = Some((file, size + lines.len() as u64));
        Ok(())
    }

    /// At most `limit` readings from before a moment, the newest first; of one account if one is named.
    pub fn newest(&self, member: Option<&str>, before_ms: u64, limit: usize) -> io::Result<Vec<Reading>> {
        let mut out = Vec::new();
        for path in [self.path.clone(), self.older()] {
            let text = match fs::read_to_string(&path) {
                Ok(text) => text,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            // A line that a power cut broke off says nothing.
            let readings = text.lines().rev().filter_map(|line| serde_json::from_str::<Reading>(line).ok());
            let wanted = readings
                .filter(|reading| reading.at_ms < before_ms && member.is_none_or(|member| reading.member == member));
            out.extend(wanted.take(limit - out.len()));
            if out.len() == limit {
                break;
            }
        }
        Ok(out)
    }

    /// Opens the file, and ends a line that broke off.
    fn begin(&self) -> io::Result<(File, u64)> {
        let mut file = OpenOptions::new().create(true).append(true).mode(0o600).open(&self.path)?;
        let size = file.metadata()?.len();
        if size > 0 {
            file.write_all(b"\n")?;
        }
        Ok((file, size))
    }

    fn older(&self) -> PathBuf {
        self.path.with_extension("older")
    }
}

/// The file's name in the data directory.
const FILE: &str = "member-reads.jsonl";

/// Bytes of the file before it is replaced: some fifty thousand readings.
const FILE_BYTES_MAX: u64 = 8 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(at_ms: u64, member: &str, device: usize) -> Reading {
        let fields = vec!["phone".to_owned()];
        let (staff, how) = ("ann".to_owned(), "show".to_owned());
        Reading { at_ms, device: "x".repeat(device), staff, member: member.into(), fields, how, masked: true }
    }

    #[test]
    fn readings_come_back_newest_first_also_after_a_start_and_a_line_that_broke_off() {
        let folder = tempfile::tempdir().unwrap();
        let reads = Reads::new(folder.path());
        assert!(reads.newest(None, u64::MAX, 10).unwrap().is_empty());
        reads.note(&[reading(1, "a", 1), reading(2, "b", 1)]).unwrap();
        let mut file = OpenOptions::new().append(true).open(folder.path().join(FILE)).unwrap();
        file.write_all(b"{\"at_ms\":3").unwrap();
        let reads = Reads::new(folder.path());
        reads.note(&[reading(4, "a", 1)]).unwrap();
        let at = |member, before, limit| -> Vec<u64> {
            reads.newest(member, before, limit).unwrap().iter().map(|reading| reading.at_ms).collect()
        };
        assert_eq!(at(None, u64::MAX, 10), [4, 2, 1]);
        assert_eq!((at(Some("a"), u64::MAX, 10), at(None, 4, 1)), (vec![4, 1], vec![2]));
    }

    #[test]
    fn two_files_are_all_that_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let reads = Reads::new(folder.path());
        let many: Vec<_> = (0..100).map(|at| reading(at, "a", 30_000)).collect();
        for _ in 0..9 {
            reads.note(&many).unwrap();
        }
        let bytes: u64 = fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().metadata().unwrap().len()).sum();
        assert!(bytes < 2 * FILE_BYTES_MAX + 4 * 1024 * 1024, "{bytes}");
        assert_eq!(reads.newest(None, u64::MAX, 5).unwrap().len(), 5);
    }
}
