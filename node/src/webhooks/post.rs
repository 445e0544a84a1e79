//! One delivery over HTTP: signed, without redirects, proxies or patience.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ureq::Agent;
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::unversioned::transport::DefaultConnector;

use super::endpoint::Settings;
use super::guard::GuardedResolver;
use super::ladder::{Outcome, judge};
use super::outbox::Message;
use super::signature::{Secret, sign};

/// Posts deliveries. Cheap to clone; it blocks.
#[derive(Clone)]
pub struct Post {
    agent: Agent,
}

impl Post {
    /// By the rules of the configuration.
    pub fn new(settings: &Settings) -> Self {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = TlsConfig::builder().root_certs(roots(settings.ca_file.as_deref()));
        let tls = tls.unversioned_rustls_crypto_provider(provider).build();
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .timeout_global(Some(TIMEOUT))
            .user_agent(concat!("stockroom/", env!("CARGO_PKG_VERSION")))
            .tls_config(tls)
            .build();
        let agent = Agent::with_parts(config, DefaultConnector::new(), GuardedResolver::new(settings.guard()));
        Self { agent }
    }

    /// Sends a message once, signed at `now_ms` by each of the secrets.
    pub fn send(&self, url: &str, message: &Message, secrets: &[Secret], now_ms: u64) -> Outcome {
        let now_s = now_ms / 1_000;
        let request = self
            .agent
            .post(url)
            .content_type("application/cloudevents+json")
            .header("webhook-id", &message.id)
            .header("webhook-timestamp", now_s.to_string())
            .header("webhook-signature", sign(secrets, &message.id, now_s, message.body.as_bytes()));
        match request.send(message.body.as_bytes()) {
            Ok(response) => {
                let retry_after = response.headers().get("retry-after").and_then(|value| value.to_str().ok());
                judge(response.status().as_u16(), retry_after, now_ms)
            }
            Err(error) => Outcome::Failed { what: words(&error), after_ms: 0 },
        }
    }
}

impl fmt::Debug for Post {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Post")
    }
}

/// What went wrong, short enough to be kept with a delivery.
fn words(error: &ureq::Error) -> String {
    error.to_string().chars().take(WORDS_MAX).collect()
}

/// What receivers' certificates must lead to. Without any, nothing is told over HTTPS, and each failure says why.
fn roots(named: Option<&Path>) -> RootCerts {
    let read = |path: &Path| {
        std::fs::read(path).inspect_err(|error| tracing::debug!(path = %path.display(), %error, "no certificates"))
    };
    let pem = match named {
        Some(path) => read(path).ok(),
        None => BUNDLES.iter().find_map(|path| read(Path::new(path)).ok()),
    };
    let pem = pem.unwrap_or_default();
    let certificates: Vec<_> = parse_pem(&pem)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            Ok(_) | Err(_) => None,
        })
        .collect();
    if certificates.is_empty() {
        tracing::warn!("webhooks: no root certificates were found, so no receiver can be told over HTTPS");
    }
    RootCerts::new_with_certs(&certificates)
}

/// Where distributions keep the certificates that they trust.
const BUNDLES: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/// What the standard gives a receiver at least. A slower one answers first and works later.
pub const TIMEOUT: Duration = Duration::from_secs(15);

/// Characters of a failure.
const WORDS_MAX: usize = 200;
