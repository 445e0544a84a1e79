//! The configuration: one TOML file in which every key has a default; flags and environment override it.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::{Deserialize, Serialize};
use stockroom_transport::Congestion;

use crate::files::DataDir;

/// What `run` needs to know. See `stockroom help run` for what each key means to people.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where the node's files lie.
    pub data_dir: PathBuf,
    /// Where the continuity token lies; `state` inside `data_dir` if not given. Best on another disk.
    pub state_dir: Option<PathBuf>,
    /// UDP address for links to other nodes.
    pub listen: SocketAddr,
    /// UDP address of the enrolment port, open at a hub while tokens are out.
    pub enrol_listen: SocketAddr,
    /// At a hub: `host:port` of its links, told to stores that join besides the address at which they found it.
    pub advertise: Option<String>,
    /// `host:port` of nodes to keep links to, besides the hub and whom it introduces.
    pub peers: Vec<String>,
    /// Look for neighbours on the local network.
    pub mdns: bool,
    /// Congestion control of the links.
    pub congestion: CongestionName,
    /// What is logged: a level, or the filter syntax of `tracing-subscriber`.
    pub log: String,
    /// Bytes of the database that are kept in memory, MiB.
    pub cache_mib: usize,
    /// What sort of shop it is; what was said when it joined if not given.
    pub profile: Option<Profile>,
    /// The HTTP API.
    pub api: Api,
    /// Free space on the disk of `data_dir`.
    pub disk: Disk,
    /// Whom the node tells what happens.
    pub webhooks: crate::webhooks::endpoint::Settings,
    /// Who brings goods to customers.
    pub courier: crate::courier::settings::CourierSettings,
    /// Payment terminals by name.
    pub terminals: crate::terminal::settings::Sections,
    /// The shop's printer for pick lists, labels and receipts.
    pub printer: crate::paper::printer::Settings,
}

/// Where the HTTP API listens.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Api {
    /// On this machine, in clear. Must be a loopback address.
    pub listen: SocketAddr,
    /// On the shop's network, HTTPS with device tokens; off if not given.
    pub lan_listen: Option<SocketAddr>,
    /// Let this machine cut the node's links by `/v1/test/isolate`: for the demo and for tests.
    pub test_aids: bool,
}

/// What sort of shop a node serves. It changes what pages show, never what the node does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// A store with staff, tills and a back room.
    #[default]
    Store,
    /// One person with one till and one phone: pages without bays, drawers that are handed over, and asking somebody else.
    Solo,
}

impl Profile {
    /// As it stands in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Store => "store",
            Self::Solo => "solo",
        }
    }
}

/// When free space is short.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Disk {
    /// Below this many MiB imports and history stop.
    pub low_mib: u64,
    /// Below this many MiB only sales are written.
    pub critical_mib: u64,
}

/// Congestion control by name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum CongestionName {
    /// For links that lose little.
    #[default]
    Cubic,
    /// For links that lose 1% and more.
    Bbr,
}

impl From<CongestionName> for Congestion {
    fn from(name: CongestionName) -> Self {
        match name {
            CongestionName::Cubic => Self::Cubic,
            CongestionName::Bbr => Self::Bbr,
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from(DATA_DIR),
            state_dir: None,
            listen: SocketAddr::from(([0, 0, 0, 0], QUIC_PORT)),
            enrol_listen: SocketAddr::from(([0, 0, 0, 0], ENROL_PORT)),
            advertise: None,
            peers: Vec::new(),
            mdns: true,
            congestion: CongestionName::Cubic,
            log: "info".into(),
            cache_mib: 32,
            profile: None,
            api: Api::default(),
            disk: Disk::default(),
            webhooks: Default::default(),
            courier: Default::default(),
            terminals: Default::default(),
            printer: Default::default(),
        }
    }
}

impl Default for Api {
    fn default() -> Self {
        Self { listen: SocketAddr::from(([127, 0, 0, 1], API_PORT)), lan_listen: None, test_aids: false }
    }
}

impl Default for Disk {
    fn default() -> Self {
        Self { low_mib: 512, critical_mib: 128 }
    }
}

/// Flags and environment of `run`; what is given wins over the file.
#[derive(Args, Clone, Debug, Default)]
pub struct Overrides {
    /// Configuration file. Without it, stockroom.toml in the data directory is read if it is there
    #[arg(long, value_name = "FILE", env = "STOCKROOM_CONFIG")]
    pub config: Option<PathBuf>,
    /// Data directory of the node [default: stockroom-data]
    #[arg(long, value_name = "DIR", env = "STOCKROOM_DATA")]
    pub data: Option<PathBuf>,
    /// Directory of the continuity token, best on another disk [default: DATA/state]
    #[arg(long, value_name = "DIR", env = "STOCKROOM_STATE")]
    pub state: Option<PathBuf>,
    /// UDP address for links to other nodes [default: 0.0.0.0:7401]
    #[arg(long, value_name = "ADDR", env = "STOCKROOM_LISTEN")]
    pub listen: Option<SocketAddr>,
    /// UDP address of a hub's enrolment port [default: 0.0.0.0:7402]
    #[arg(long, value_name = "ADDR", env = "STOCKROOM_ENROL_LISTEN")]
    pub enrol_listen: Option<SocketAddr>,
    /// At a hub: host:port of its links, told to stores that join besides the address at which they found it
    #[arg(long, value_name = "HOST:PORT", env = "STOCKROOM_ADVERTISE")]
    pub advertise: Option<String>,
    /// Node to keep a link to; may be given several times
    #[arg(long = "peer", value_name = "HOST:PORT", env = "STOCKROOM_PEERS", value_delimiter = ',')]
    pub peers: Vec<String>,
    /// Look for neighbours on the local network [default: true]
    #[arg(long, value_name = "BOOL", env = "STOCKROOM_MDNS")]
    pub mdns: Option<bool>,
    /// Congestion control of the links [default: cubic]
    #[arg(long, value_name = "NAME", env = "STOCKROOM_CONGESTION")]
    pub congestion: Option<CongestionName>,
    /// What is logged: error, warn, info, debug, trace, or a filter [default: info]
    #[arg(long, value_name = "FILTER", env = "STOCKROOM_LOG")]
    pub log: Option<String>,
    /// Memory for the database's pages, MiB [default: 32]
    #[arg(long, value_name = "MIB", env = "STOCKROOM_CACHE_MIB")]
    pub cache_mib: Option<usize>,
    /// What sort of shop it is: store, or solo for one person with one till [default: what was chosen when it joined]
    #[arg(long, value_name = "NAME", env = "STOCKROOM_PROFILE")]
    pub profile: Option<Profile>,
    /// Loopback address of the HTTP API [default: 127.0.0.1:7400]
    #[arg(long, value_name = "ADDR", env = "STOCKROOM_API")]
    pub api: Option<SocketAddr>,
    /// Address of the HTTPS API on the shop's network; off by default
    #[arg(long, value_name = "ADDR", env = "STOCKROOM_API_LAN")]
    pub api_lan: Option<SocketAddr>,
    /// Let this machine cut the node's links through its API
    #[arg(long, hide = true)]
    pub test_aids: bool,
    /// Stop when standard input ends: a node that a program started must not outlive it
    #[arg(long, hide = true)]
    pub stop_with_stdin: bool,
    /// Free space below which imports and history stop, MiB [default: 512]
    #[arg(long, value_name = "MIB", env = "STOCKROOM_DISK_LOW_MIB")]
    pub disk_low_mib: Option<u64>,
    /// Free space below which only sales are written, MiB [default: 128]
    #[arg(long, value_name = "MIB", env = "STOCKROOM_DISK_CRITICAL_MIB")]
    pub disk_critical_mib: Option<u64>,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration {}", .0.display())]
    Read(PathBuf, #[source] io::Error),
    /// A key or value is wrong; the cause shows its line.
    #[error("the configuration {} is wrong", .0.display())]
    Parse(PathBuf, #[source] Box<toml::de::Error>),
    /// A value cannot be, or two do not fit together.
    #[error("{key}: {what}")]
    Value {
        /// Which key.
        key: &'static str,
        /// What is wrong with it.
        what: String,
    },
}

impl Config {
    /// Reads the file that `overrides` names (or the one in the data directory, if there is one) and applies what it gives.
    pub fn load(overrides: &Overrides) -> Result<Self, ConfigError> {
        let beside_data = overrides.data.clone().unwrap_or_else(|| DATA_DIR.into()).join("stockroom.toml");
        let mut config = match &overrides.config {
            Some(path) => Self::read(path)?,
            None if beside_data.exists() => Self::read(&beside_data)?,
            None => Self::default(),
        };
        config.apply(overrides.clone());
        config.check()?;
        Ok(config)
    }

    /// The paths of the node's files.
    pub fn dir(&self) -> DataDir {
        DataDir::new(&self.data_dir, self.state_dir.as_deref())
    }

    fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = fs::read_to_string(path).map_err(|error| ConfigError::Read(path.into(), error))?;
        toml::from_str(&text).map_err(|error| ConfigError::Parse(path.into(), Box::new(error)))
    }

    fn apply(&mut self, over: Overrides) {
        set(&mut self.data_dir, over.data);
        set(&mut self.listen, over.listen);
        set(&mut self.enrol_listen, over.enrol_listen);
        set(&mut self.mdns, over.mdns);
        set(&mut self.congestion, over.congestion);
        set(&mut self.log, over.log);
        set(&mut self.cache_mib, over.cache_mib);
        set(&mut self.api.listen, over.api);
        set(&mut self.disk.low_mib, over.disk_low_mib);
        set(&mut self.disk.critical_mib, over.disk_critical_mib);
        self.profile = over.profile.or(self.profile);
        self.api.test_aids |= over.test_aids;
        self.state_dir = over.state.or(self.state_dir.take());
        self.advertise = over.advertise.or(self.advertise.take());
        self.api.lan_listen = over.api_lan.or(self.api.lan_listen);
        if !over.peers.is_empty() {
            self.peers = over.peers;
        }
    }

    fn check(&self) -> Result<(), ConfigError> {
        let wrong = |key, what: &str| Err(ConfigError::Value { key, what: what.into() });
        if !self.api.listen.ip().is_loopback() {
            return wrong("api.listen", "must be a loopback address; use api.lan_listen for the shop's network");
        }
        if self.disk.critical_mib > self.disk.low_mib {
            return wrong("disk.critical_mib", "must not be above disk.low_mib");
        }
        if !(1..=65_536).contains(&self.cache_mib) {
            return wrong("cache_mib", "must lie between 1 and 65536");
        }
        for address in self.peers.iter().chain(&self.advertise) {
            if !is_host_port(address) {
                return wrong("peers", &format!("{address:?} is not host:port"));
            }
        }
        self.webhooks.check().or_else(|what| wrong("webhooks", &what))?;
        self.courier.check().or_else(|(key, what)| wrong(key, &what))?;
        crate::terminal::settings::check(&self.terminals, self.api.test_aids)
            .or_else(|what| wrong("terminals", &what))?;
        self.printer.check().or_else(|what| wrong("printer", &what))
    }
}

/// True for `host:port` and `[v6]:port`.
pub fn is_host_port(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else { return false };
    let bare_v6 = host.contains(':') && !(host.starts_with('[') && host.ends_with(']'));
    !host.is_empty() && !bare_v6 && port.parse::<u16>().is_ok_and(|port| port != 0)
}

fn set<T>(value: &mut T, given: Option<T>) {
    if let Some(given) = given {
        *value = given;
    }
}

/// Where a node's files lie if nothing else is said.
pub const DATA_DIR: &str = "stockroom-data";

/// TCP port of the API.
pub const API_PORT: u16 = 7400;

/// UDP port of links.
pub const QUIC_PORT: u16 = 7401;

/// UDP port of enrolment.
pub const ENROL_PORT: u16 = 7402;

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Config, String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("c.toml");
        fs::write(&path, text).unwrap();
        let overrides = Overrides { config: Some(path), ..Overrides::default() };
        Config::load(&overrides).map_err(|error| {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            format!("{error}: {}", cause.unwrap_or_default())
        })
    }

    #[test]
    fn every_key_has_a_default_and_a_wrong_one_is_named_with_its_line() {
        assert_eq!(parse("").unwrap(), Config::default());
        assert_eq!(parse("mdns = false\n[api]\nlisten = '127.0.0.1:1'").unwrap().api.listen.port(), 1);
        let unknown = parse("mdns = true\nlisen = '0.0.0.0:1'").unwrap_err();
        assert!(unknown.contains("line 2") && unknown.contains("lisen"), "{unknown}");
        let wrong = parse("\n\n[disk]\nlow_mib = 'much'").unwrap_err();
        assert!(wrong.contains("line 4") && wrong.contains("low_mib"), "{wrong}");
        assert_eq!(parse("profile = 'solo'").unwrap().profile, Some(Profile::Solo));
        assert!(parse("profile = 'kiosk'").unwrap_err().contains("line 1"));
        assert!(parse("congestion = 'reno'").unwrap_err().contains("line 1"));
        assert!(parse("[api]\nlisten = '0.0.0.0:7400'").unwrap_err().contains("api.listen"));
        assert!(parse("peers = ['hub']").unwrap_err().contains("host:port"));
        assert!(parse("[disk]\nlow_mib = 1\ncritical_mib = 2").unwrap_err().contains("disk.critical_mib"));
    }

    #[test]
    fn flags_win_over_the_file() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("stockroom.toml"), "log = 'warn'\nmdns = false").unwrap();
        let data = Some(dir.path().to_path_buf());
        let overrides = Overrides { data: data.clone(), log: Some("debug".into()), ..Overrides::default() };
        let config = Config::load(&overrides).unwrap();
        assert_eq!((config.log.as_str(), config.mdns, Some(config.data_dir)), ("debug", false, data));
    }
}
