//! The data directory: what lies where, who may hold it, and how a file is replaced without ever being half there.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

/// Paths of one node's files. Making one touches nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataDir {
    root: PathBuf,
    state: PathBuf,
}

/// What went wrong with a file. The file is as it was before.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// The system refused. `doing` is a verb phrase.
    #[error("cannot {doing} {}", path.display())]
    Io {
        /// "read", "write", ...
        doing: &'static str,
        /// Which file.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// Another process holds the directory.
    #[error("{} is in use by another stockroom process; stop it first", .0.display())]
    Locked(PathBuf),
    /// No node was set up here.
    #[error("{} holds no node; make one with `stockroom init` or `stockroom join`", .0.display())]
    Absent(PathBuf),
    /// A node was set up here already.
    #[error("{} holds a node already; choose another directory with --data", .0.display())]
    Taken(PathBuf),
    /// A file is not what was written.
    #[error("{} is damaged: {what}", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
}

/// Holds the directory until dropped, also when the process dies.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "an open file is what holds the lock")] File);

/// Present while a node runs. If it is there at a start, the last stop was not clean.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Running {
    /// Of the process.
    pub pid: u32,
    /// Where its API listens on the loopback interface, once it does.
    pub api: Option<String>,
}

impl DataDir {
    /// The directory at `root`; its continuity token lies in `state`, or in the folder `state` inside.
    pub fn new(root: impl Into<PathBuf>, state: Option<&Path>) -> Self {
        let root = root.into();
        let state = state.map_or_else(|| root.join("state"), Path::to_path_buf);
        Self { root, state }
    }

    /// The directory itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A file of the identity, or another small one, by its name.
    pub fn file(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// The database.
    pub fn database(&self) -> PathBuf {
        self.root.join("stockroom.redb")
    }

    /// The continuity token, which should lie on another disk if there is one.
    pub fn token(&self) -> PathBuf {
        self.state.join("continuity.token")
    }

    /// Device tokens, hashed.
    pub fn devices(&self) -> PathBuf {
        self.root.join("devices.json")
    }

    /// Deliveries that are under way, and tokens of riders, hashed.
    pub fn deliveries(&self) -> PathBuf {
        self.root.join("deliveries.json")
    }

    /// Enrolment tokens that are out, hashed.
    pub fn enrolment(&self) -> PathBuf {
        self.root.join("enrolment.json")
    }

    /// Present after a restore until a new epoch is durable.
    pub fn restored(&self) -> PathBuf {
        self.root.join("restored")
    }

    /// Present while a node runs.
    pub fn running(&self) -> PathBuf {
        self.root.join("running")
    }

    /// Makes the directories, closed to others.
    pub fn create(&self) -> Result<(), FilesError> {
        for path in [&self.root, &self.state] {
            DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(io_at("create", path))?;
            fs::set_permissions(path, fs::Permissions::from_mode(0o700)).map_err(io_at("close to others", path))?;
        }
        Ok(())
    }

    /// Takes the directory for this process alone.
    pub fn lock(&self) -> Result<Lock, FilesError> {
        let path = self.root.join("lock");
        let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path);
        let file = file.map_err(io_at("open", &path))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Lock(file)),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(FilesError::Locked(self.root.clone())),
            Err(error) => Err(io_at("lock", &path)(error.into())),
        }
    }

    /// What the running node wrote, or what one left behind that did not stop cleanly.
    pub fn read_running(&self) -> Option<Running> {
        serde_json::from_slice(&fs::read(self.running()).ok()?).ok()
    }

    /// Notes that a node runs.
    pub fn write_running(&self, running: &Running) -> Result<(), FilesError> {
        let path = self.running();
        let bytes = serde_json::to_vec(running).map_err(|error| io_at("write", &path)(error.into()))?;
        write_whole(&path, &bytes).map_err(io_at("write", &path))
    }
}

/// Turns the system's answer into an error that says what was done to which file.
pub fn io_at(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> FilesError {
    move |source| FilesError::Io { doing, path: path.into(), source }
}

/// Reads a file, `None` if it is not there.
pub fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>, FilesError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(io_at("read", path)(error)),
    }
}

/// Replaces a file: a temporary one beside it is written and synced, takes its name, and the folder is synced. Mode 0600.
pub fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = beside(path, "new");
    let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    move_whole(&temporary, path)
}

/// Gives a synced file its name for good.
pub fn move_whole(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)?;
    sync_folder_of(to)
}

/// Removes a file for good; not being there is fine.
pub fn remove(path: &Path) -> Result<(), FilesError> {
    match fs::remove_file(path) {
        Ok(()) => sync_folder_of(path).map_err(io_at("sync the folder of", path)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(io_at("remove", path)(error)),
    }
}

/// A name in the same folder, and so on the same disk.
pub fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(".");
    name.push(suffix);
    path.with_file_name(name)
}

fn sync_folder_of(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_held_by_one_and_closed_to_others() {
        let temporary = tempfile::tempdir().unwrap();
        let dir = DataDir::new(temporary.path().join("node"), None);
        dir.create().unwrap();
        let held = dir.lock().unwrap();
        assert!(matches!(dir.lock(), Err(FilesError::Locked(_))));
        drop(held);
        dir.lock().unwrap();
        assert_eq!(fs::metadata(dir.root()).unwrap().permissions().mode() & 0o777, 0o700);
        write_whole(&dir.devices(), b"x").unwrap();
        assert_eq!(fs::metadata(dir.devices()).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(!beside(&dir.devices(), "new").exists());
    }
}
