//! The queue before the printer: a folder with a file for each job, so that nothing is lost while the printer has no paper, is off
//! or is being carried about, and nothing is printed twice because somebody asked twice.

use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use stockroom_crdt::ids::{Digest, hex};
use tokio::sync::{Notify, watch};

use super::html::Marking;
use super::page::Page;
use super::printer::{PrintError, Settings};
use super::ticket::{TicketError, ticket};
use super::words::Language;
use crate::files::{FilesError, io_at, read_if_there, remove, write_whole};

/// The queue of one printer.
#[derive(Debug)]
pub struct Spool {
    dir: PathBuf,
    settings: Settings,
    inner: Mutex<Inner>,
    /// Held while a job is on its way, so that two do not mix on paper.
    printing: Mutex<()>,
    came: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    /// Numbers of files, in their order.
    waiting: VecDeque<Waiting>,
    /// Keys of jobs that were printed, the oldest first.
    printed: VecDeque<String>,
    next: u64,
    trouble: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Waiting {
    number: u64,
    key: String,
}

/// What became of a request to print.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Submitted {
    /// It waits for the printer.
    Queued,
    /// A job of this key waits already.
    Waits,
    /// A job of this key was printed. [`Spool::reprint`] prints a sheet again, as a copy.
    Printed,
}

/// How the printer fares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpoolStatus {
    /// Jobs that wait.
    pub waiting: usize,
    /// Why the first of them was not printed; nothing if that was not tried yet.
    pub trouble: Option<String>,
}

/// Why a job was not taken, or not printed. What was taken before is still there.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// A file.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// Too many jobs wait. See to the printer.
    #[error("{JOBS_MAX} jobs wait for the printer already: {0}")]
    Full(String),
    /// The sheet is too long.
    #[error("a sheet has at most {JOB_BYTES_MAX} bytes")]
    Long,
    /// The printer; the job waits on.
    #[error(transparent)]
    Print(#[from] PrintError),
    /// The sheet; the job was put aside.
    #[error(transparent)]
    Ticket(#[from] TicketError),
}

/// A job in its file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Job {
    key: String,
    /// It was begun, or is a reprint: what comes now is a copy.
    copy: bool,
    page: Page,
}

impl Spool {
    /// Opens the queue in a folder, which is made if it is not there.
    pub fn open(dir: &Path, settings: Settings) -> Result<Self, SpoolError> {
        fs::create_dir_all(dir).map_err(io_at("create", dir))?;
        let mut numbers = Vec::new();
        for entry in fs::read_dir(dir).map_err(io_at("read", dir))? {
            let name = entry.map_err(io_at("read", dir))?.file_name();
            numbers.extend(name.to_str().and_then(|name| name.strip_suffix(".job")?.parse::<u64>().ok()));
        }
        numbers.sort_unstable();
        let spool = Self {
            dir: dir.into(),
            settings,
            inner: Mutex::default(),
            printing: Mutex::default(),
            came: Notify::new(),
        };
        let printed = read_if_there(&spool.printed_file())?.map(|bytes| serde_json::from_slice(&bytes)).transpose();
        let mut inner = Inner { next: numbers.last().map_or(1, |last| last + 1), ..Inner::default() };
        inner.printed = printed
            .unwrap_or_else(|error| {
                // At worst a sheet is printed a second time.
                tracing::warn!(%error, "the list of printed sheets begins anew");
                None
            })
            .unwrap_or_default();
        for number in numbers {
            match spool.read(number)? {
                Some(job) => inner.waiting.push_back(Waiting { number, key: job.key }),
                None => spool.put_aside(number)?,
            }
        }
        *spool.lock() = inner;
        Ok(spool)
    }

    /// Takes a sheet to be printed once. `key` says what is printed, e.g. `label/7-1234567890/1`: the same key is the same sheet.
    pub fn submit(&self, key: &str, page: &Page) -> Result<Submitted, SpoolError> {
        self.take(key_of(key), page, Marking::Original)
    }

    /// Takes a sheet to be printed although it was printed before. It says that it is a copy. `wish` names who wanted it when: the
    /// same wish is printed once, however often it is sent.
    pub fn reprint(&self, key: &str, wish: &str, page: &Page) -> Result<Submitted, SpoolError> {
        self.take(format!("{}+{}", key_of(key), key_of(wish)), page, Marking::Copy)
    }

    /// Whether the configuration names a printer. Without one jobs wait.
    pub fn has_printer(&self) -> bool {
        self.settings.target.is_some()
    }

    /// The language of what it prints.
    pub fn language(&self) -> Language {
        self.settings.language
    }

    fn take(&self, key: String, page: &Page, marking: Marking) -> Result<Submitted, SpoolError> {
        let mut inner = self.lock();
        if inner.waiting.iter().any(|waiting| waiting.key == key) {
            return Ok(Submitted::Waits);
        }
        if inner.printed.contains(&key) {
            return Ok(Submitted::Printed);
        }
        if inner.waiting.len() >= JOBS_MAX {
            return Err(SpoolError::Full(inner.trouble.clone().unwrap_or_else(|| "it is busy".into())));
        }
        let number = inner.next;
        self.write(number, &Job { key: key.clone(), copy: marking == Marking::Copy, page: page.clone() })?;
        inner.next += 1;
        inner.waiting.push_back(Waiting { number, key });
        drop(inner);
        self.came.notify_one();
        Ok(Submitted::Queued)
    }

    /// Prints the first job. False if there is none. Blocks for seconds at most. After an error the job waits on, except for one that
    /// no printer could print: that is put aside under the name `.bad`.
    pub fn print_next(&self) -> Result<bool, SpoolError> {
        let _printing = self.printing.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(first) = self.lock().waiting.front().cloned() else { return Ok(false) };
        let printed = self.print(&first);
        let mut inner = self.lock();
        inner.trouble = printed.as_ref().err().map(ToString::to_string);
        match printed {
            Ok(()) => {
                inner.waiting.pop_front();
                Ok(true)
            }
            Err(SpoolError::Ticket(error)) => {
                self.put_aside(first.number)?;
                inner.waiting.pop_front();
                Err(error.into())
            }
            Err(error) => Err(error),
        }
    }

    fn print(&self, first: &Waiting) -> Result<(), SpoolError> {
        let target = self.settings.target.as_ref().ok_or(PrintError::NoPrinter)?;
        // A file that somebody removed is a job that somebody withdrew.
        let Some(mut job) = self.read(first.number)? else { return Ok(()) };
        let marking = if job.copy { Marking::Copy } else { Marking::Original };
        let bytes = ticket(&job.page, &self.settings, marking)?;
        if !job.copy {
            // Written before the first byte leaves: whoever finds the job after a power cut cannot know how far it came.
            job.copy = true;
            self.write(first.number, &job)?;
        }
        if let Err(error) = target.send(&bytes) {
            if matches!(error, PrintError::Unreachable(..)) && marking == Marking::Original {
                job.copy = false;
                self.write(first.number, &job)?;
            }
            return Err(error.into());
        }
        self.note_printed(&first.key)?;
        remove(&self.file(first.number))?;
        Ok(())
    }

    /// How the printer fares.
    pub fn status(&self) -> SpoolStatus {
        let inner = self.lock();
        SpoolStatus { waiting: inner.waiting.len(), trouble: inner.trouble.clone() }
    }

    /// Prints what comes until `stop` says so; tries again when the printer is not there.
    pub async fn run(self: std::sync::Arc<Self>, mut stop: watch::Receiver<bool>) {
        while !*stop.borrow() {
            let spool = self.clone();
            let printed = tokio::task::spawn_blocking(move || spool.print_next()).await;
            let pause = match printed {
                Ok(Ok(true)) | Ok(Err(SpoolError::Ticket(_))) => continue,
                Ok(Ok(false)) => PAUSE,
                Ok(Err(error)) => {
                    tracing::debug!(%error, "a sheet waits");
                    RETRY_AFTER
                }
                // It crashed: the job that did it waits, like one whose printer is not there.
                Err(_) => RETRY_AFTER,
            };
            tokio::select! {
                () = self.came.notified(), if pause == PAUSE => {}
                () = tokio::time::sleep(pause) => {}
                _ = stop.wait_for(|stop| *stop) => return,
            }
        }
    }

    fn note_printed(&self, key: &str) -> Result<(), SpoolError> {
        let mut inner = self.lock();
        inner.printed.push_back(key.to_owned());
        while inner.printed.len() > PRINTED_MAX {
            inner.printed.pop_front();
        }
        let path = self.printed_file();
        let bytes = serde_json::to_vec(&inner.printed).map_err(|error| io_at("write", &path)(error.into()))?;
        write_whole(&path, &bytes).map_err(io_at("write", &path))?;
        Ok(())
    }

    fn read(&self, number: u64) -> Result<Option<Job>, SpoolError> {
        let bytes = read_if_there(&self.file(number))?;
        Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
    }

    fn write(&self, number: u64, job: &Job) -> Result<(), SpoolError> {
        let path = self.file(number);
        let bytes = serde_json::to_vec(job).map_err(|error| io_at("write", &path)(error.into()))?;
        if bytes.len() > JOB_BYTES_MAX {
            return Err(SpoolError::Long);
        }
        write_whole(&path, &bytes).map_err(io_at("write", &path))?;
        Ok(())
    }

    /// Keeps a job that cannot be printed, for whoever wants to know why.
    fn put_aside(&self, number: u64) -> Result<(), SpoolError> {
        let (from, to) = (self.file(number), self.dir.join("job.bad"));
        tracing::warn!(job = number, "a sheet cannot be printed");
        match fs::rename(&from, &to) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(io_at("put aside", &from)(error).into()),
        }
    }

    fn file(&self, number: u64) -> PathBuf {
        self.dir.join(format!("{number:012}.job"))
    }

    fn printed_file(&self) -> PathBuf {
        self.dir.join("printed.json")
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A key as it is kept: short, whatever was given.
fn key_of(key: &str) -> String {
    hex(&Digest::of(&[key.as_bytes()]).0[..16])
}

/// Jobs that wait: a printer without paper for an hour in a rush.
pub const JOBS_MAX: usize = 200;

/// Bytes of a job: 500 lines of everything that a line may say.
pub const JOB_BYTES_MAX: usize = 512 * 1024;

/// Keys that are remembered: days of a busy store.
const PRINTED_MAX: usize = 2_000;

/// How long the queue sleeps when it is empty; a job wakes it.
const PAUSE: Duration = Duration::from_secs(3_600);

/// How long it waits for a printer that is not there.
const RETRY_AFTER: Duration = Duration::from_secs(5);
