//! Who wants to be told what: endpoints, their filters, and the `[webhooks]` section of the configuration.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::guard::{Guard, Network};

/// The `[webhooks]` section.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Private networks that may be told, e.g. `["192.168.7.0/24"]`. Without it public addresses only.
    pub allow_networks: Vec<Network>,
    /// Programs on this machine may be told.
    pub allow_loopback: bool,
    /// Certificates that receivers' certificates lead to, PEM; the system's if not given.
    pub ca_file: Option<PathBuf>,
    /// Endpoints that the API cannot change.
    pub endpoints: Vec<Configured>,
}

/// An endpoint of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Configured {
    /// Its name among the configured ones: letters, digits, `-` and `_`.
    pub name: String,
    /// Where to.
    pub url: String,
    /// Which events; all if empty.
    #[serde(default)]
    pub events: Vec<String>,
    /// A file with its secret, and below it the one before while that is being replaced; made in the data directory if not given.
    pub secret_file: Option<PathBuf>,
}

/// Which events an endpoint is told: types like `sale.recorded`, groups like `sale.*`; every one if there are none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Filter(Vec<String>);

/// Somebody who wants to be told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Endpoint {
    /// Its name here: `wh_` and 16 hex digits, or `config-` and its name in the configuration.
    pub id: String,
    /// Where to.
    pub url: String,
    /// What.
    pub events: Filter,
    /// Since when, milliseconds since 1970.
    pub created_ms: u64,
}

/// Why there cannot be such an endpoint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// Too many patterns.
    #[error("an endpoint names at most {PATTERNS_MAX} types of events")]
    Many,
    /// One cannot be a type.
    #[error("{0:?} is not a type like sale.recorded or sale.*")]
    Pattern(String),
}

impl Settings {
    /// What the guard lets through.
    pub fn guard(&self) -> Guard {
        Guard { networks: self.allow_networks.clone(), loopback: self.allow_loopback }
    }

    /// Says what is wrong, with its key.
    pub fn check(&self) -> Result<(), String> {
        if self.endpoints.len() > ENDPOINTS_MAX {
            return Err(format!("at most {ENDPOINTS_MAX} endpoints"));
        }
        for (at, endpoint) in self.endpoints.iter().enumerate() {
            let said = |what: &dyn std::fmt::Display| format!("endpoint {:?}: {what}", endpoint.name);
            let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
            if !(1..=NAME_CHARS_MAX).contains(&endpoint.name.len()) || !endpoint.name.chars().all(fits) {
                return Err(said(&format_args!("a name has 1 to {NAME_CHARS_MAX} letters, digits, - or _")));
            }
            if self.endpoints[..at].iter().any(|other| other.name == endpoint.name) {
                return Err(said(&"the name is taken"));
            }
            self.guard().check_url(&endpoint.url).map_err(|error| said(&error))?;
            Filter::parse(&endpoint.events).map_err(|error| said(&error))?;
        }
        Ok(())
    }
}

impl Filter {
    /// Reads patterns; the prefix `dev.stockroom.` of a type may stand there or not.
    pub fn parse(patterns: &[String]) -> Result<Self, FilterError> {
        if patterns.len() > PATTERNS_MAX {
            return Err(FilterError::Many);
        }
        let read = |pattern: &String| {
            let short = pattern.strip_prefix(TYPE_PREFIX).unwrap_or(pattern);
            let word = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
            let fits = match short.split_once('.') {
                Some((group, what)) => word(group) && (what == "*" || word(what)),
                None => short == "*",
            };
            match fits && short.len() <= PATTERN_CHARS_MAX {
                true => Ok(short.to_owned()),
                false => Err(FilterError::Pattern(pattern.chars().take(PATTERN_CHARS_MAX).collect())),
            }
        };
        patterns.iter().map(read).collect::<Result<_, _>>().map(Self)
    }

    /// True for a type of event without its prefix, e.g. `sale.recorded`.
    pub fn wants(&self, kind: &str) -> bool {
        let matches = |pattern: &String| match pattern.strip_suffix('*') {
            Some(group) => kind.starts_with(group),
            None => pattern == kind,
        };
        self.0.is_empty() || self.0.iter().any(matches)
    }

    /// As it was given, without prefixes.
    pub fn patterns(&self) -> &[String] {
        &self.0
    }
}

impl Endpoint {
    /// True when only the configuration can change it.
    pub fn is_configured(&self) -> bool {
        self.id.starts_with(CONFIGURED)
    }
}

/// What each type of event begins with.
pub const TYPE_PREFIX: &str = "dev.stockroom.";

/// What the id of a configured endpoint begins with.
pub const CONFIGURED: &str = "config-";

/// Endpoints of the configuration, and as many made over the API: each may read the feeds and hold deliveries.
pub const ENDPOINTS_MAX: usize = 16;

const NAME_CHARS_MAX: usize = 32;
const PATTERNS_MAX: usize = 64;
const PATTERN_CHARS_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(patterns: &[&str]) -> Result<Filter, FilterError> {
        Filter::parse(&patterns.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    #[test]
    fn a_filter_names_types_groups_or_everything() {
        assert!(filter(&[]).unwrap().wants("sale.recorded"));
        assert!(filter(&["*"]).unwrap().wants("sale.recorded"));
        let some = filter(&["dev.stockroom.sale.*", "day.closed"]).unwrap();
        assert!(some.wants("sale.recorded") && some.wants("day.closed"));
        assert!(!some.wants("day.opened") && !some.wants("sales.recorded"));
        for wrong in ["", "sale", "sale.", ".sale", "Sale.recorded", "sale.*.x", "*.recorded", "sale.recorded\n"] {
            assert!(filter(&[wrong]).is_err(), "{wrong}");
        }
        assert_eq!(filter(&["a.b"; 65]), Err(FilterError::Many));
    }

    #[test]
    fn the_configuration_is_checked_before_the_node_starts() {
        let settings = |text: &str| toml::from_str::<Settings>(text);
        let one = "allow_networks = ['10.1.0.0/16']\n[[endpoints]]\nname = 'erp'\nurl = 'http://10.1.2.3/in'\nevents = ['sale.*']";
        let read = settings(one).unwrap();
        assert_eq!(read.check(), Ok(()));
        assert!(
            settings(&format!("{one}\n[[endpoints]]\nname = 'erp'\nurl = 'https://example.com'"))
                .unwrap()
                .check()
                .is_err()
        );
        assert!(settings(&one.replace("10.1.2.3", "10.2.2.3")).unwrap().check().unwrap_err().contains("10.2.2.3"));
        assert!(settings(&one.replace("erp", "../x")).unwrap().check().is_err());
        assert!(settings(&one.replace("sale.*", "sale")).unwrap().check().is_err());
        assert!(settings("allow_networks = ['lan']").is_err());
        assert!(settings("allow_everything = true").is_err());
    }
}
