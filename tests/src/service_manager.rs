//! A stand-in for systemd where a unit has to be tried and no systemd runs: what a unit file says, and the socket on which the service
//! says how it fares (sd_notify(3)).

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The manager's end of the socket, and what was heard so far.
#[derive(Debug)]
pub struct NotifySocket {
    socket: UnixDatagram,
    path: PathBuf,
    heard: Vec<(Instant, String)>,
}

/// Keys and values of a unit file's sections; the last value of a key counts.
#[derive(Debug)]
pub struct Unit(BTreeMap<(String, String), String>);

impl NotifySocket {
    /// Binds it in a folder, for any user to send to.
    pub fn bind(folder: &Path) -> io::Result<Self> {
        let path = folder.join("notify");
        let socket = UnixDatagram::bind(&path)?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666))?;
        Ok(Self { socket, path, heard: Vec::new() })
    }

    /// For `NOTIFY_SOCKET`.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Listens until `wanted` was said so many times since `since`, or the bound is over. Gives when it was said.
    pub fn await_said(
        &mut self,
        wanted: &str,
        times: usize,
        since: Instant,
        bound: Duration,
    ) -> Result<Vec<Instant>, String> {
        let until = Instant::now() + bound;
        loop {
            let said = self.said(wanted, since);
            if said.len() >= times {
                return Ok(said);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(format!(
                    "{wanted} was said {} times in {bound:?}, not {times}: {:?}",
                    said.len(),
                    self.words()
                ));
            }
            self.listen(left).map_err(|error| error.to_string())?;
        }
    }

    /// Listens for this long, whatever is said.
    pub fn listen_for(&mut self, span: Duration) -> io::Result<()> {
        let until = Instant::now() + span;
        while let Some(left) = until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
            self.listen(left)?;
        }
        Ok(())
    }

    /// When something was said since a moment.
    pub fn said(&self, wanted: &str, since: Instant) -> Vec<Instant> {
        self.heard.iter().filter(|(at, word)| *at >= since && word == wanted).map(|(at, _)| *at).collect()
    }

    /// The last status in words.
    pub fn status(&self) -> Option<&str> {
        self.heard.iter().rev().find_map(|(_, word)| word.strip_prefix("STATUS="))
    }

    /// Everything that was said, in order.
    pub fn words(&self) -> Vec<&str> {
        self.heard.iter().map(|(_, word)| word.as_str()).collect()
    }

    fn listen(&mut self, bound: Duration) -> io::Result<()> {
        self.socket.set_read_timeout(Some(bound.max(Duration::from_millis(1))))?;
        let mut bytes = [0; 4_096];
        match self.socket.recv(&mut bytes) {
            Ok(length) => {
                let text = String::from_utf8_lossy(&bytes[..length]);
                let now = Instant::now();
                self.heard.extend(text.lines().map(|line| (now, line.to_owned())));
                Ok(())
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

impl Unit {
    /// Reads a unit file.
    pub fn read(path: &Path) -> io::Result<Self> {
        Ok(Self::parse(&std::fs::read_to_string(path)?))
    }

    /// Understands what a unit file says, comments and sections; no continued lines.
    pub fn parse(text: &str) -> Self {
        let (mut section, mut values) = (String::new(), BTreeMap::new());
        for line in text.lines().map(str::trim).filter(|line| !line.starts_with(['#', ';'])) {
            if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
                section = name.to_owned();
            } else if let Some((key, value)) = line.split_once('=') {
                values.insert((section.clone(), key.trim().to_owned()), value.trim().to_owned());
            }
        }
        Self(values)
    }

    /// What a key of a section says.
    pub fn value(&self, section: &str, key: &str) -> Option<&str> {
        self.0.get(&(section.to_owned(), key.to_owned())).map(String::as_str)
    }

    /// A key of `[Service]` that has to be there.
    pub fn service(&self, key: &str) -> Result<&str, String> {
        self.value("Service", key).ok_or_else(|| format!("the unit has no {key}="))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_says_what_its_sections_say() {
        let unit =
            Unit::parse("# x\n[Unit]\nAfter=a b\n[Service]\nExecStart=/bin/x run --y=z\n;Type=no\nType=notify\n");
        assert_eq!(unit.service("ExecStart"), Ok("/bin/x run --y=z"));
        assert_eq!((unit.service("Type"), unit.value("Unit", "After")), (Ok("notify"), Some("a b")));
        assert!(unit.service("After").is_err());
    }
}
