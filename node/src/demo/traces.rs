//! Whether anything that was told of a person stands anywhere in plain bytes: when all nodes have stopped, their databases are written anew, and
//! every file that they wrote is searched: databases, logs and whatever else lies in their folders.
//!
//! A search that finds nothing proves little unless it finds what is there: every database must hold a product's number, and a file that was
//! written for the purpose, with the words across the seam of two pieces that are read, must be found as well.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traces {
    /// Files that were searched.
    pub files: usize,
    /// Bytes of these.
    pub bytes: u64,
    /// Databases in which that was found which must be there.
    pub databases: usize,
    /// The search found the words in the file that was written for it.
    pub control: bool,
    /// Files in which words were found that must not be there, and how many of the words.
    pub found: Vec<(PathBuf, usize)>,
}

impl Traces {
    /// Searches everything below `folder` for words that must be nowhere. `there` must be in each of the databases.
    pub fn search(folder: &Path, words: &[&str], (there, databases): (&str, &[PathBuf])) -> io::Result<Self> {
        let mut traces = Self { control: finds_what_is_there(folder, words)?, ..Self::default() };
        for path in files_below(folder)? {
            traces.files += 1;
            traces.bytes += fs::metadata(&path)?.len();
            let found = words_in(File::open(&path)?, words)?.len();
            if found > 0 {
                traces.found.push((path, found));
            }
        }
        for path in databases {
            traces.databases += words_in(File::open(path)?, &[there])?.len();
        }
        Ok(traces)
    }

    /// What is wrong, in words.
    pub fn faults(&self, databases: usize) -> Vec<String> {
        let mut faults: Vec<_> = self
            .found
            .iter()
            .map(|(path, words)| format!("{words} things that were told of a member stand in {}", path.display()))
            .collect();
        if !self.control || self.databases != databases {
            faults.push(format!("the search misses what is there: {self:?}"));
        }
        faults
    }

    /// In words.
    pub fn words(&self) -> String {
        format!(
            "nothing told of a member stands in plain bytes in {} files ({:.1} MB) after `stockroom compact`; the same search finds a \
             product in all {} databases, and the words in a file written for it",
            self.files,
            self.bytes as f64 / 1e6,
            self.databases
        )
    }

    /// As JSON.
    pub fn to_json(&self) -> Value {
        json!({
            "files": self.files, "bytes": self.bytes, "found_in": self.found.len(), "control_found": self.control,
            "databases_with_a_product": self.databases,
        })
    }
}

/// Whether every one of the words is found in a file that holds them. The file is gone when this returns.
fn finds_what_is_there(folder: &Path, words: &[&str]) -> io::Result<bool> {
    let path = folder.join("control");
    let filler = vec![b'.'; PIECE_BYTES - SEAM_BYTES];
    let text: Vec<u8> = words.iter().flat_map(|word| [filler.as_slice(), word.as_bytes()].concat()).collect();
    fs::write(&path, text)?;
    let found = words_in(File::open(&path)?, words)?.len();
    fs::remove_file(&path)?;
    Ok(found == words.len())
}

/// Every file below a folder.
fn files_below(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let (mut files, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() {
                files.push(entry.path());
            }
        }
    }
    files.sort();
    Ok(files)
}

/// Which of the words are in a file.
fn words_in<'a>(mut file: impl Read, words: &[&'a str]) -> io::Result<BTreeSet<&'a str>> {
    let longest = words.iter().map(|word| word.len()).max().unwrap_or(1);
    let (mut found, mut window) = (BTreeSet::new(), Vec::new());
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let read = file.read(&mut piece)?;
        if read == 0 {
            return Ok(found);
        }
        window.extend_from_slice(&piece[..read]);
        found.extend(words.iter().filter(|word| holds(&window, word.as_bytes())));
        // A word may begin in this piece and end in the next.
        let keep = window.len().saturating_sub(longest - 1);
        window.drain(..keep);
    }
}

fn holds(window: &[u8], word: &[u8]) -> bool {
    let Some((first, rest)) = word.split_first() else { return true };
    let mut from = 0;
    while let Some(at) = window[from..].iter().position(|byte| byte == first) {
        from += at + 1;
        if window[from..].starts_with(rest) {
            return true;
        }
    }
    false
}

/// Read at once.
const PIECE_BYTES: usize = 1024 * 1024;

/// A word of the file that must be found begins so far before the end of a piece.
const SEAM_BYTES: usize = 5;

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test stops where it fails")]
mod tests {
    use super::*;

    /// Gives a byte at a time.
    struct Slow<'a>(&'a [u8]);

    impl Read for Slow<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.0.read(&mut buffer[..1])
        }
    }

    #[test]
    fn words_are_found_wherever_a_piece_ends() {
        let text = b"aabaabaac the quiet till";
        for words in [&["aabaac", "quiet till", "nobody"][..], &["nobody", "quiet till", "aabaac"]] {
            let found = BTreeSet::from(["aabaac", "quiet till"]);
            assert_eq!(words_in(Slow(text), words).unwrap(), found);
            assert_eq!(words_in(text.as_slice(), words).unwrap(), found);
        }
    }

    #[test]
    fn a_word_that_is_left_is_found_and_a_database_without_its_goods_is_a_fault() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("hub");
        fs::create_dir(&inner).unwrap();
        let database = inner.join("db");
        fs::write(&database, b"819063").unwrap();
        let databases = [database];
        let search = |there| Traces::search(folder.path(), &["a sentinel"], (there, &databases)).unwrap();
        let clean = search("819063");
        assert_eq!((clean.files, clean.bytes, clean.faults(1)), (1, 6, Vec::new()));
        assert_eq!(search("819064").faults(1).len(), 1, "nothing is proved by a search that finds nothing");
        fs::write(inner.join("log"), b"enrolled a sentinel").unwrap();
        assert_eq!(search("819063").faults(1).len(), 1);
    }
}
