//! The `[courier]` section of the configuration. Secrets are in files that it names, never in it.
//!
//! ```toml
//! [courier]
//! order = ["fengniao", "riders"]
//!
//! [courier.riders]
//! stops_max = 6
//!
//! [courier.fengniao]
//! app_id = "..."
//! merchant_id = "..."
//! secret_file = "fengniao.secret"
//! token_file = "fengniao.token"
//! ```

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use stockroom_crdt::control::Coordinates;
use stockroom_crdt::place::Datum;
use ureq::Agent;
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};

use crate::courier::delivery::Rules;
use crate::courier::dispatcher::Dispatcher;
use crate::courier::fengniao::{self, Fengniao};
use crate::courier::riders::{OwnRiders, Pace};
use crate::courier::{Courier, CourierError};

/// Which couriers a hub asks, and when it gives up on one.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CourierSettings {
    /// Who is asked first, second, ...: `fengniao`, `riders`. Nobody if empty.
    pub order: Vec<String>,
    /// Attempts at each before the next is asked.
    pub attempts: u32,
    /// Somebody must take it within so many minutes.
    pub accept_minutes: u64,
    /// Somebody must have been at the store so many minutes after the goods were ready.
    pub pickup_minutes: u64,
    /// The store is told when goods that are out are so late.
    pub late_minutes: u64,
    /// From the question until somebody is at the store, minutes: so long before the bags are expected to be ready a courier is asked for.
    pub eta_minutes: u64,
    /// Bags that are packed leave at most so many minutes before they are due.
    pub early_minutes: u64,
    /// Goods that are out are given up for lost so many hours after they were due.
    pub lost_hours: u64,
    /// What a piece weighs, grams: products have no weight of their own.
    pub piece_grams: u64,
    /// Where stores are that were enrolled without a place: latitude and longitude in millionths of a degree (WGS 84).
    pub places: BTreeMap<String, [i32; 2]>,
    /// Own riders.
    pub riders: RiderSettings,
    /// Fengniao.
    pub fengniao: Option<FengniaoSettings>,
}

/// How own riders ride.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RiderSettings {
    /// As the crow flies: streets are longer.
    pub km_per_hour: u64,
    /// At each door.
    pub stop_seconds: u64,
    /// Deliveries that one rider takes along.
    pub stops_max: usize,
}

/// How Fengniao is asked.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FengniaoSettings {
    /// Where its API is.
    #[serde(default = "url")]
    pub url: String,
    /// Of the application.
    pub app_id: String,
    /// Of the shop.
    pub merchant_id: String,
    /// Holds the application's secret.
    pub secret_file: PathBuf,
    /// Holds the access token; written by the node.
    pub token_file: PathBuf,
    /// Holds the authorization code for the first token.
    #[serde(default)]
    pub code_file: Option<PathBuf>,
    /// Certificates that are believed, PEM: the system's.
    #[serde(default = "ca_file")]
    pub ca_file: PathBuf,
    /// Longest wait for one answer, seconds.
    #[serde(default = "timeout_s")]
    pub timeout_s: u64,
    /// How often it is asked about a delivery when it says nothing, seconds.
    #[serde(default = "poll_s")]
    pub poll_s: u64,
    /// Whose map the coordinates are of.
    #[serde(default)]
    pub position_source: PositionSource,
    /// Heaviest load, kilograms.
    #[serde(default = "weight_kg_max")]
    pub weight_kg_max: u64,
    /// The number in Fengniao's list of reasons that orders are called off with.
    #[serde(default = "cancel_code")]
    pub cancel_code: u32,
    /// Fengniao's number of each store; others are named by our own.
    #[serde(default)]
    pub shops: BTreeMap<String, u64>,
}

/// Whose map coordinates are of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PositionSource {
    /// Tencent: GCJ-02.
    Tencent,
    /// Baidu: BD-09.
    Baidu,
    /// Amap: GCJ-02.
    #[default]
    Amap,
}

impl PositionSource {
    /// Its coordinate system.
    pub fn datum(self) -> Datum {
        match self {
            Self::Tencent | Self::Amap => Datum::Gcj02,
            Self::Baidu => Datum::Bd09,
        }
    }

    /// Its number at Fengniao.
    pub fn number(self) -> u8 {
        match self {
            Self::Tencent => 1,
            Self::Baidu => 2,
            Self::Amap => 3,
        }
    }
}

impl Default for CourierSettings {
    fn default() -> Self {
        Self {
            order: Vec::new(),
            attempts: 2,
            accept_minutes: 10,
            pickup_minutes: 30,
            late_minutes: 30,
            eta_minutes: 15,
            early_minutes: 60,
            lost_hours: 24,
            piece_grams: 500,
            places: BTreeMap::new(),
            riders: RiderSettings::default(),
            fengniao: None,
        }
    }
}

impl Default for RiderSettings {
    fn default() -> Self {
        Self { km_per_hour: 12, stop_seconds: 180, stops_max: 6 }
    }
}

impl CourierSettings {
    /// What is wrong, as (key, what), for the configuration's own error.
    pub fn check(&self) -> Result<(), (&'static str, String)> {
        let wrong = |key, what: &str| Err((key, what.to_owned()));
        for (index, name) in self.order.iter().enumerate() {
            let known = name == RIDERS || (name == fengniao::NAME && self.fengniao.is_some());
            if !known || self.order[..index].contains(name) {
                return Err(("courier.order", format!("{name:?} is not set up, or named twice")));
            }
        }
        if !(1..=5).contains(&self.attempts) {
            return wrong("courier.attempts", "must lie between 1 and 5");
        }
        let minutes = [
            ("courier.accept_minutes", self.accept_minutes),
            ("courier.pickup_minutes", self.pickup_minutes),
            ("courier.late_minutes", self.late_minutes),
            ("courier.eta_minutes", self.eta_minutes),
            ("courier.early_minutes", self.early_minutes),
        ];
        if let Some((key, _)) = minutes.into_iter().find(|(_, minutes)| !(1..=1440).contains(minutes)) {
            return wrong(key, "must lie between 1 and 1440");
        }
        if !(1..=168).contains(&self.lost_hours) {
            return wrong("courier.lost_hours", "must lie between 1 and 168");
        }
        let is_place = |(store, [latitude, longitude]): (&String, &[i32; 2])| {
            store.parse::<u32>().is_ok() && Coordinates::new(*latitude, *longitude).is_some()
        };
        if !self.places.iter().all(is_place) {
            return wrong("courier.places", "must name stores by number, each with a point on the globe");
        }
        let riders = &self.riders;
        if !(1..=120).contains(&riders.km_per_hour) || !(1..=40).contains(&riders.stops_max) {
            return wrong("courier.riders", "km_per_hour must lie between 1 and 120, stops_max between 1 and 40");
        }
        self.fengniao.as_ref().map_or(Ok(()), FengniaoSettings::check)
    }

    /// The rules of the chain.
    pub fn rules(&self) -> Rules {
        Rules {
            order: self.order.clone(),
            attempts: self.attempts,
            accept_ms: self.accept_minutes * MINUTE_MS,
            pickup_ms: self.pickup_minutes * MINUTE_MS,
            late_ms: self.late_minutes * MINUTE_MS,
        }
    }

    /// Reads the secrets and sets everybody up. The riders are given besides, since their page needs them too.
    pub fn open(&self) -> Result<(Dispatcher, Arc<OwnRiders>), CourierError> {
        let riders = self.own_riders();
        let mut couriers: Vec<Arc<dyn Courier>> = vec![riders.clone()];
        if let Some(settings) = &self.fengniao {
            couriers.push(Arc::new(Fengniao::new(settings.clone())?));
        }
        Ok((Dispatcher::new(self.rules(), couriers), riders))
    }
}

impl CourierSettings {
    /// The chain's own riders, before any is entered.
    pub fn own_riders(&self) -> Arc<OwnRiders> {
        Arc::new(OwnRiders::new(RIDERS, self.pace()))
    }

    /// How own riders ride.
    pub fn pace(&self) -> Pace {
        Pace {
            m_per_hour: self.riders.km_per_hour * 1000,
            stop_ms: self.riders.stop_seconds * 1000,
            stops_max: self.riders.stops_max,
        }
    }

    /// Own riders alone, for a store: nobody is asked there unless a person says so.
    pub fn open_riders(&self) -> (Dispatcher, Arc<OwnRiders>) {
        let riders = self.own_riders();
        let rules = Rules { order: Vec::new(), ..self.rules() };
        (Dispatcher::new(rules, vec![riders.clone()]), riders)
    }
}

impl FengniaoSettings {
    fn check(&self) -> Result<(), (&'static str, String)> {
        let local = ["http://127.0.0.1:", "http://[::1]:", "http://localhost:"];
        if !self.url.starts_with("https://") && !local.iter().any(|local| self.url.starts_with(local)) {
            return Err(("courier.fengniao.url", "must be https, except on this machine".into()));
        }
        if !(1..=120).contains(&self.timeout_s) || !(10..=3600).contains(&self.poll_s) {
            return Err((
                "courier.fengniao",
                "timeout_s must lie between 1 and 120, poll_s between 10 and 3600".into(),
            ));
        }
        if self.app_id.is_empty() || self.merchant_id.is_empty() {
            return Err(("courier.fengniao", "app_id and merchant_id must be given".into()));
        }
        Ok(())
    }

    /// The connection to it. Certificates are read only for https.
    pub(super) fn agent(&self, timeout: Duration, connect: Duration) -> Result<Agent, String> {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(timeout))
            .timeout_connect(Some(connect))
            .max_redirects(0)
            .proxy(None);
        if !self.url.starts_with("https://") {
            return Ok(config.build().into());
        }
        let told = |error: &dyn std::fmt::Display| format!("cannot read {}: {error}", self.ca_file.display());
        let pem = std::fs::read(&self.ca_file).map_err(|error| told(&error))?;
        let certificate = |item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            Ok(_) | Err(_) => None,
        };
        let roots: Vec<_> = parse_pem(&pem).filter_map(certificate).collect();
        if roots.is_empty() {
            return Err(told(&"it holds no certificate"));
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = TlsConfig::builder().root_certs(RootCerts::new_with_certs(&roots));
        let tls = tls.unversioned_rustls_crypto_provider(provider).build();
        Ok(config.tls_config(tls).build().into())
    }
}

/// Own riders' name in the configuration and the API.
pub const RIDERS: &str = "riders";

const MINUTE_MS: u64 = 60_000;

fn url() -> String {
    "https://open-anubis.ele.me/anubis-webapi".into()
}

fn ca_file() -> PathBuf {
    "/etc/ssl/certs/ca-certificates.crt".into()
}

fn timeout_s() -> u64 {
    10
}

fn poll_s() -> u64 {
    60
}

fn weight_kg_max() -> u64 {
    15
}

fn cancel_code() -> u32 {
    32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<CourierSettings, String> {
        let settings: CourierSettings = toml::from_str(text).map_err(|error| error.to_string())?;
        settings.check().map_err(|(key, what)| format!("{key}: {what}"))?;
        Ok(settings)
    }

    #[test]
    fn every_key_has_a_default_and_a_wrong_one_is_named() {
        assert_eq!(parse("").unwrap(), CourierSettings::default());
        assert_eq!(parse("order = ['riders']").unwrap().rules().accept_ms, 600_000);
        for (text, word) in [
            ("order = ['fengniao']", "courier.order"),
            ("order = ['riders', 'riders']", "courier.order"),
            ("attempts = 0", "courier.attempts"),
            ("accept_minutes = 0", "courier.accept_minutes"),
            ("riders.stops_max = 0", "courier.riders"),
            ("nonsense = 1", "nonsense"),
            ("[fengniao]\napp_id = 'a'", "merchant_id"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(word), "{text}: {error}");
        }
    }

    #[test]
    fn a_secret_is_named_by_its_file_and_never_sent_in_clear() {
        let with = |url: &str| {
            let keys = "app_id = 'a'\nmerchant_id = 'm'\nsecret_file = 's'\ntoken_file = 't'";
            parse(&format!("order = ['fengniao', 'riders']\n[fengniao]\nurl = '{url}'\n{keys}"))
        };
        assert!(with("https://open-anubis.ele.me/anubis-webapi").is_ok());
        assert!(with("http://127.0.0.1:1").is_ok());
        assert!(with("http://courier.example").unwrap_err().contains("https"));
        let missing = with("http://127.0.0.1:1").unwrap().open().unwrap_err();
        assert!(missing.to_string().contains("cannot read s"), "{missing}");
    }
}
