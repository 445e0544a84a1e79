//! The shop's printer: where it is, what it understands, and how bytes get there.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;

use super::words::Language;
use crate::config::is_host_port;

/// The `[printer]` section.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// `host:9100`, or the path of a file or device; nothing is printed without it.
    pub target: Option<Target>,
    /// How its letters are encoded.
    pub code_page: CodePage,
    /// How wide its paper is.
    pub width_mm: Width,
    /// Of what it prints.
    pub language: Language,
}

/// Where bytes go.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Target {
    /// A printer on the network, mostly at port 9100.
    Network(String),
    /// A device like a printer's, or a file that grows.
    File(PathBuf),
}

/// How letters are encoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CodePage {
    /// Western Europe.
    #[default]
    #[serde(rename = "windows-1252")]
    Western,
    /// Central Europe.
    #[serde(rename = "windows-1250")]
    Central,
    /// Cyrillic.
    #[serde(rename = "windows-1251")]
    Cyrillic,
    /// Chinese.
    #[serde(rename = "gb18030")]
    Chinese,
}

/// How wide paper is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "u32")]
pub enum Width {
    /// 58 mm.
    Narrow,
    /// 80 mm.
    #[default]
    Wide,
}

/// Why nothing was printed, or nobody knows how much.
#[derive(Debug, thiserror::Error)]
pub enum PrintError {
    /// The configuration names no printer.
    #[error("no printer is configured: set printer.target")]
    NoPrinter,
    /// It cannot be reached. Nothing was printed.
    #[error("the printer {0} cannot be reached")]
    Unreachable(String, #[source] io::Error),
    /// It went away while it printed. Some of it may be on paper.
    #[error("the printer {0} went away while it printed")]
    Broken(String, #[source] io::Error),
}

impl Settings {
    /// Says what is wrong, if two keys do not fit together.
    pub fn check(&self) -> Result<(), String> {
        match (self.language, self.code_page) {
            (Language::Chinese, CodePage::Western | CodePage::Central | CodePage::Cyrillic) => {
                Err("language zh-CN needs code_page gb18030".into())
            }
            (Language::Chinese, CodePage::Chinese) | (Language::English, _) => Ok(()),
        }
    }
}

impl Target {
    /// Sends bytes and waits until they are taken. Blocks for seconds at most.
    pub fn send(&self, bytes: &[u8]) -> Result<(), PrintError> {
        let name = self.to_string();
        match self {
            Self::Network(address) => {
                let mut stream = connect(address).map_err(|error| PrintError::Unreachable(name.clone(), error))?;
                let sent = stream.write_all(bytes).and_then(|()| stream.shutdown(std::net::Shutdown::Write));
                sent.map_err(|error| PrintError::Broken(name, error))
            }
            Self::File(path) => {
                let file = OpenOptions::new().create(true).append(true).open(path);
                let mut file = file.map_err(|error| PrintError::Unreachable(name.clone(), error))?;
                file.write_all(bytes).and_then(|()| file.flush()).map_err(|error| PrintError::Broken(name, error))
            }
        }
    }
}

fn connect(address: &str) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name leads to no address");
    for address in address.to_socket_addrs()?.take(ADDRESSES_MAX) {
        match TcpStream::connect_timeout(&address, TIMEOUT) {
            Ok(stream) => {
                stream.set_write_timeout(Some(TIMEOUT))?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Network(address) => f.write_str(address),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            _ if text.contains('/') => Ok(Self::File(text.into())),
            _ if is_host_port(text) => Ok(Self::Network(text.into())),
            _ => Err(format!("{text:?} is neither host:port nor a path")),
        }
    }
}

impl TryFrom<String> for Target {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl TryFrom<u32> for Width {
    type Error = String;

    fn try_from(mm: u32) -> Result<Self, String> {
        match mm {
            58 => Ok(Self::Narrow),
            80 => Ok(Self::Wide),
            _ => Err("a roll is 58 or 80 mm wide".into()),
        }
    }
}

impl Width {
    /// Columns of the printer's usual letters.
    pub fn columns(self) -> usize {
        match self {
            Self::Narrow => 32,
            Self::Wide => 48,
        }
    }
}

/// How long a printer may take to answer and to take bytes. One without paper takes none.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Addresses of one name that are tried.
const ADDRESSES_MAX: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_names_a_printer_in_one_line() {
        let read = |text: &str| toml::from_str::<Settings>(text);
        let settings =
            read("target = 'till-3.lan:9100'\ncode_page = 'gb18030'\nwidth_mm = 58\nlanguage = 'zh-CN'").unwrap();
        assert_eq!(settings.target, Some(Target::Network("till-3.lan:9100".into())));
        assert_eq!((settings.width_mm.columns(), settings.check()), (32, Ok(())));
        assert_eq!(read("target = '/dev/usb/lp0'").unwrap().target, Some(Target::File("/dev/usb/lp0".into())));
        assert!(read("language = 'zh-CN'").unwrap().check().is_err());
        for wrong in ["target = 'printer'", "width_mm = 76", "code_page = 'utf-8'", "tarjet = 'x:1'"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_printer_that_is_not_there_is_unreachable() {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let sent = Target::Network(free.to_string()).send(b"x");
        assert!(matches!(sent, Err(PrintError::Unreachable(..))), "{sent:?}");
        let dir = tempfile::tempdir().unwrap();
        let missing = dir.path().join("gone").join("lp0");
        assert!(matches!(Target::File(missing).send(b"x"), Err(PrintError::Unreachable(..))));
    }
}
