//! Tokens of tills and handhelds that use the API over the shop's network: stored as hashes, by name, revocable at any time.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

use crate::files;

/// The device tokens of one node. Clones share what was read; the file is read again when it changed.
#[derive(Clone, Debug)]
pub struct DeviceStore {
    path: PathBuf,
    read: Arc<Mutex<Read>>,
}

/// One device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Device {
    /// What people call it.
    pub name: String,
    /// SHA-256 of its token, hex.
    pub token_sha256: String,
    /// When it was added, milliseconds since 1970.
    pub added_ms: u64,
}

/// Why the devices could not be changed or read. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// The file cannot be read or written.
    #[error("{} cannot be used", .0.display())]
    Io(PathBuf, #[source] io::Error),
    /// The file is not what was written.
    #[error("{} is damaged", .0.display())]
    Damaged(PathBuf, #[source] serde_json::Error),
    /// The name is empty, too long or has control characters.
    #[error("a device's name has 1 to {NAME_CHARS_MAX} printable characters")]
    Name,
    /// There is a device of that name.
    #[error("there is a device named {0} already")]
    Taken(String),
    /// There is no device of that name.
    #[error("there is no device named {0}")]
    Unknown(String),
    /// Too many devices.
    #[error("a node keeps at most {DEVICES_MAX} devices")]
    Full,
    /// The system gave no randomness.
    #[error("the system gave no randomness")]
    Random(#[source] getrandom::Error),
}

#[derive(Debug, Default)]
struct Read {
    /// Time and length of the file that `devices` was read from.
    stamp: Option<(SystemTime, u64)>,
    devices: Vec<Device>,
}

impl DeviceStore {
    /// The devices in this file, which need not exist yet.
    pub fn open(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), read: Arc::default() }
    }

    /// Allows a device and gives its token, which is not stored anywhere.
    pub fn add(&self, name: &str, now_ms: u64) -> Result<String, DeviceError> {
        if name.is_empty() || name.chars().count() > NAME_CHARS_MAX || name.chars().any(char::is_control) {
            return Err(DeviceError::Name);
        }
        let mut devices = self.list()?;
        if devices.iter().any(|device| device.name == name) {
            return Err(DeviceError::Taken(name.into()));
        }
        if devices.len() >= DEVICES_MAX {
            return Err(DeviceError::Full);
        }
        let mut secret = [0; 24];
        getrandom::fill(&mut secret).map_err(DeviceError::Random)?;
        let token = format!("sr_{}", stockroom_crdt::ids::hex(&secret));
        devices.push(Device { name: name.into(), token_sha256: hash(&token), added_ms: now_ms });
        self.save(&devices)?;
        Ok(token)
    }

    /// Every device, in the order in which they were added.
    pub fn list(&self) -> Result<Vec<Device>, DeviceError> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let stamp = stamp(&self.path).map_err(|error| DeviceError::Io(self.path.clone(), error))?;
        if read.stamp != stamp || stamp.is_none() {
            read.devices = load(&self.path)?;
            read.stamp = stamp;
        }
        Ok(read.devices.clone())
    }

    /// Forbids a device. A running node believes its token no longer.
    pub fn revoke(&self, name: &str) -> Result<(), DeviceError> {
        let mut devices = self.list()?;
        let before = devices.len();
        devices.retain(|device| device.name != name);
        if devices.len() == before {
            return Err(DeviceError::Unknown(name.into()));
        }
        self.save(&devices)
    }

    /// The name of the device that shows this token; `None` if there is none. Hashes are compared, so time tells nothing.
    pub fn find(&self, token: &str) -> Result<Option<String>, DeviceError> {
        let shown = hash(token);
        Ok(self.list()?.into_iter().find(|device| device.token_sha256 == shown).map(|device| device.name))
    }

    fn save(&self, devices: &[Device]) -> Result<(), DeviceError> {
        let text =
            serde_json::to_vec_pretty(devices).map_err(|error| DeviceError::Damaged(self.path.clone(), error))?;
        files::write_whole(&self.path, &text).map_err(|error| DeviceError::Io(self.path.clone(), error))?;
        self.read.lock().unwrap_or_else(PoisonError::into_inner).stamp = None;
        Ok(())
    }
}

fn load(path: &Path) -> Result<Vec<Device>, DeviceError> {
    match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| DeviceError::Damaged(path.into(), error)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(DeviceError::Io(path.into(), error)),
    }
}

fn stamp(path: &Path) -> io::Result<Option<(SystemTime, u64)>> {
    match fs::metadata(path) {
        Ok(meta) => Ok(Some((meta.modified()?, meta.len()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn hash(token: &str) -> String {
    stockroom_crdt::ids::hex(digest(&SHA256, token.as_bytes()).as_ref())
}

/// Handhelds and tills of one store.
const DEVICES_MAX: usize = 1_000;

/// Room for "handheld 12, back office".
const NAME_CHARS_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revoked_device_is_not_believed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("devices.json");
        let (shell, node) = (DeviceStore::open(&path), DeviceStore::open(&path));
        assert_eq!(node.find("sr_00").unwrap(), None);
        let token = shell.add("till 1", 5).unwrap();
        assert!(matches!(shell.add("till 1", 5), Err(DeviceError::Taken(_))));
        assert_eq!(node.find(&token).unwrap().as_deref(), Some("till 1"));
        assert!(!fs::read_to_string(&path).unwrap().contains(&token));
        shell.revoke("till 1").unwrap();
        assert_eq!(node.find(&token).unwrap(), None);
        assert!(matches!(shell.revoke("till 1"), Err(DeviceError::Unknown(_))));
    }
}
