//! The `[terminals.NAME]` sections of the configuration. Secrets are in files that they name, never in them.
//!
//! ```toml
//! [terminals.lane-1]
//! url = "https://192.168.7.21:8443/v1"
//! secret_file = "lane-1.secret"
//! ca_file = "terminals.pem"
//! timeout_s = 90
//! ```

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use stockroom_crdt::ids::Code;
use ureq::Agent;
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};

use super::http::Http;
use super::simulated::Simulated;
use super::{Capabilities, Terminal};

/// How one terminal is asked.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TerminalSettings {
    /// Where its protocol is served, without a slash at the end.
    pub url: String,
    /// Holds the bearer secret; the file's owner alone should read it.
    pub secret_file: Option<PathBuf>,
    /// Certificates that its own leads to, PEM: the system's.
    pub ca_file: PathBuf,
    /// Longest wait for one answer, seconds: a customer looks for her card meanwhile.
    pub timeout_s: u64,
    /// It takes cards.
    pub cards: bool,
    /// It takes codes on a phone's display.
    pub codes: bool,
    /// There is none: it approves everything. For the demo and for tests only.
    pub simulated: bool,
}

/// Terminals by name.
pub type Terminals = BTreeMap<Code, Arc<dyn Terminal>>;

/// Every section, by name.
pub type Sections = BTreeMap<String, TerminalSettings>;

/// A bearer secret. Shows itself nowhere.
#[derive(Clone)]
pub struct Secret(String);

impl Default for TerminalSettings {
    fn default() -> Self {
        Self {
            url: String::new(),
            secret_file: None,
            ca_file: "/etc/ssl/certs/ca-certificates.crt".into(),
            timeout_s: 90,
            cards: true,
            codes: true,
            simulated: false,
        }
    }
}

/// Says what is wrong with a configuration. `test_aids` allows simulated terminals.
pub fn check(sections: &Sections, test_aids: bool) -> Result<(), String> {
    if sections.len() > TERMINALS_MAX {
        return Err(format!("at most {TERMINALS_MAX} terminals"));
    }
    sections.iter().try_for_each(|(name, settings)| {
        let is_name = Code::parse(name).is_ok_and(|code| !code.is_empty());
        let checked = if is_name { settings.check(test_aids) } else { Err("has a name of 1 to 32 characters".into()) };
        checked.map_err(|what| format!("{name:?}: {what}"))
    })
}

/// Sets terminals up. One that cannot be set up is left out, and the log says why: a till is told that there is none of that name.
pub fn open(sections: &Sections) -> Terminals {
    let mut terminals = Terminals::new();
    for (name, settings) in sections {
        match (Code::parse(name), settings.open()) {
            (Ok(code), Ok(terminal)) => {
                terminals.insert(code, terminal);
            }
            (Ok(_), Err(error)) => tracing::error!(terminal = name, error, "a terminal cannot be set up"),
            (Err(error), _) => tracing::error!(terminal = name, %error, "a terminal has no usable name"),
        }
    }
    terminals
}

impl TerminalSettings {
    fn check(&self, test_aids: bool) -> Result<(), String> {
        if self.simulated {
            let fits = test_aids && self.url.is_empty() && self.secret_file.is_none();
            return fits.then_some(()).ok_or_else(|| "simulated = true stands alone, and needs test aids".into());
        }
        let local = ["http://127.0.0.1:", "http://[::1]:", "http://localhost:"];
        if !self.url.starts_with("https://") && !local.iter().any(|local| self.url.starts_with(local)) {
            return Err("url must be https, except on this machine".into());
        }
        if self.secret_file.is_none() {
            return Err("secret_file must be given".into());
        }
        if !(1..=300).contains(&self.timeout_s) {
            return Err("timeout_s must lie between 1 and 300".into());
        }
        (self.cards || self.codes).then_some(()).ok_or_else(|| "takes neither cards nor codes".into())
    }

    fn open(&self) -> Result<Arc<dyn Terminal>, String> {
        if self.simulated {
            return Ok(Arc::new(Simulated::default()));
        }
        let secret = self.secret_file.as_deref().ok_or("secret_file must be given")?;
        let capabilities = Capabilities { cards: self.cards, codes: self.codes };
        Ok(Arc::new(Http::new(&self.url, Secret::read(secret)?, self.agent()?, capabilities)))
    }

    /// The connection to it. Certificates are read only for https.
    fn agent(&self) -> Result<Agent, String> {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(self.timeout_s)))
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .max_redirects(0)
            .proxy(None);
        if !self.url.starts_with("https://") {
            return Ok(config.build().into());
        }
        let pem = std::fs::read(&self.ca_file).map_err(|error| unread(&self.ca_file, &error))?;
        let certificate = |item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            Ok(_) | Err(_) => None,
        };
        let roots: Vec<_> = parse_pem(&pem).filter_map(certificate).collect();
        if roots.is_empty() {
            return Err(unread(&self.ca_file, &"it holds no certificate"));
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = TlsConfig::builder().root_certs(RootCerts::new_with_certs(&roots));
        let tls = tls.unversioned_rustls_crypto_provider(provider).build();
        Ok(config.tls_config(tls).build().into())
    }
}

impl Secret {
    /// Takes a secret that is no file's, as tests do.
    pub fn new(text: &str) -> Self {
        Self(text.trim().into())
    }

    /// The value of an `Authorization` header.
    pub fn bearer(&self) -> String {
        format!("Bearer {}", self.0)
    }

    /// Reads the file; what is wrong is said in words, and never what was in it.
    fn read(path: &Path) -> Result<Self, String> {
        let length = std::fs::metadata(path).map_err(|error| unread(path, &error))?.len();
        if length > SECRET_BYTES_MAX {
            return Err(unread(path, &"it is too long"));
        }
        let secret = Self::new(&std::fs::read_to_string(path).map_err(|error| unread(path, &error))?);
        let is_sent = !secret.0.is_empty() && secret.0.bytes().all(|byte| byte.is_ascii_graphic());
        if is_sent { Ok(secret) } else { Err(unread(path, &"it holds no secret of visible characters")) }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

fn unread(path: &Path, error: &dyn fmt::Display) -> String {
    format!("cannot read {}: {error}", path.display())
}

/// Lanes of a large store, with a spare each.
const TERMINALS_MAX: usize = 100;

/// A terminal is in the house, or its service is a round trip away.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Any bearer token in use, and a line's end.
const SECRET_BYTES_MAX: u64 = 4_096;

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str, test_aids: bool) -> Result<Sections, String> {
        let sections: Sections = toml::from_str(text).map_err(|error| error.to_string())?;
        check(&sections, test_aids).map(|()| sections)
    }

    #[test]
    fn a_wrong_section_is_named() {
        assert!(parse("", false).unwrap().is_empty());
        assert!(parse("[sim]\nsimulated = true", true).is_ok());
        for (text, word) in [
            ("[sim]\nsimulated = true", "test aids"),
            ("[a]\nurl = 'http://terminal.example'\nsecret_file = 's'", "https"),
            ("[a]\nurl = 'https://terminal.example'", "secret_file"),
            ("[a]\nurl = 'http://127.0.0.1:1'\nsecret_file = 's'\ntimeout_s = 0", "timeout_s"),
            ("[a]\nurl = 'http://127.0.0.1:1'\nsecret_file = 's'\ncards = false\ncodes = false", "neither"),
            ("[a]\ncolour = 1", "colour"),
        ] {
            assert!(parse(text, false).unwrap_err().contains(word), "{text}");
        }
    }

    #[test]
    fn a_terminal_without_its_secret_is_left_out_and_a_secret_shows_itself_nowhere() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        let section = format!("[a]\nurl = 'http://127.0.0.1:1'\nsecret_file = '{}'", path.display());
        let sections = parse(&section, false).unwrap();
        assert!(open(&sections).is_empty());
        for bad in ["", "two words", &"x".repeat(5_000)] {
            std::fs::write(&path, bad).unwrap();
            assert!(Secret::read(&path).is_err());
        }
        std::fs::write(&path, "hush\n").unwrap();
        let terminals = open(&sections);
        assert_eq!(terminals.len(), 1);
        assert!(!format!("{terminals:?}").contains("hush"), "{terminals:?}");
        assert_eq!(Secret::read(&path).unwrap().bearer(), "Bearer hush");
    }
}
