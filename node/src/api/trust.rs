//! Whom a device has to trust before it believes this node's pages, and how the node's certificates fare, in words.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use serde::Serialize;
use utoipa::ToSchema;

use super::Api;
use super::problem::{Answered, Problem};
use super::values::{Moment, Text};
use crate::info::LanConfig;

/// How long a certificate is good, and what that means.
#[derive(Serialize, ToSchema)]
#[schema(as = Certificate)]
pub struct CertificateAnswer {
    /// `good`, `ending` (less than a third of its life is left) or `expired`.
    state: &'static str,
    /// Until when.
    #[schema(value_type = String, format = DateTime)]
    until: Text<Moment>,
    /// What it means for the shop, in one sentence.
    says: String,
}

/// Where people find this node's pages, and what a device has to trust first.
#[derive(Serialize, ToSchema)]
#[schema(as = Pages)]
pub struct PagesAnswer {
    /// The name on the shop's network.
    host: String,
    /// Where a browser finds them now.
    address: String,
    /// The name to use instead, while another machine of the network has the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    other_host: Option<String>,
    /// Where the certificate is that a device trusts once.
    ca: &'static str,
    /// Its SHA-256, to be compared before trusting it.
    ca_sha256: String,
    /// The certificate that the pages show.
    certificate: CertificateAnswer,
}

/// The certificate that a device trusts once to believe this node's pages: it can vouch for this node's names only.
#[utoipa::path(get, path = "/ca.crt", tag = "status",
    responses((status = 200, body = String, content_type = "application/x-x509-ca-cert")))]
pub async fn download_authority(State(api): State<Arc<Api>>) -> Answered {
    let Some(lan) = &api.config.lan else {
        return Err(Problem::not_found("this node serves nothing on the shop's network: start it with --api-lan"));
    };
    let headers = [
        (header::CONTENT_TYPE, "application/x-x509-ca-cert".to_owned()),
        (
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"{}.crt\"", lan.door.host().replace(".local", "")),
        ),
    ];
    Ok((headers, lan.door.ca_pem()).into_response())
}

/// Where [`download_authority`] is.
pub const PATH: &str = "/ca.crt";

impl CertificateAnswer {
    /// Of the certificate that peers see.
    pub fn of_links(until_unix_s: u64, now_ms: u64) -> Self {
        let left_s = until_unix_s.saturating_sub(now_ms / 1_000);
        let until = Text(Moment(until_unix_s.saturating_mul(1_000)));
        let (state, says) = match left_s {
            0 => (
                "expired",
                "The hub and neighbours do not believe this node's certificate any more, so there is no link to them. Tills, handhelds \
                 and these pages go on. The node has to be certified anew by the hub; keep its data directory, what was not sent \
                 lies there.",
            ),
            left_s if left_s < LINKS_ENDING_S => (
                "ending",
                "The hub and neighbours believe this node's certificate for a while yet. It has to be certified anew by the hub before \
                 that ends; selling goes on either way.",
            ),
            _ => ("good", "The hub and neighbours believe this node's certificate."),
        };
        Self { state, until, says: says.to_owned() }
    }
}

impl PagesAnswer {
    /// Of the door to the shop's network.
    pub fn of(lan: &LanConfig, address: String, now_ms: u64) -> Self {
        let (leaf, trust) = (lan.door.leaf(), lan.door.trust());
        let now_s = now_ms / 1_000;
        let (state, says) = if leaf.not_after_unix_s <= now_s {
            (
                "expired",
                "Phones warn about the pages until this node has made itself a new certificate, which it tries twice a minute.",
            )
        } else if leaf.is_due(now_s) {
            ("ending", "The node is about to make itself a new certificate; devices notice nothing.")
        } else {
            (
                "good",
                "Devices that trust this node's authority believe the pages. The node renews the certificate by itself.",
            )
        };
        let until = Text(Moment(leaf.not_after_unix_s.saturating_mul(1_000)));
        Self {
            host: trust.host,
            address,
            other_host: lan.door.other_host().map(str::to_owned),
            ca: PATH,
            ca_sha256: trust.sha256,
            certificate: CertificateAnswer { state, until, says: says.to_owned() },
        }
    }
}

/// A third of the life of a node's certificate (825 days).
const LINKS_ENDING_S: u64 = 275 * 86_400;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_certificate_that_expired_is_said_in_words() {
        let until = 1_800_000_000;
        let at = |now_s: u64| CertificateAnswer::of_links(until, now_s * 1_000);
        assert_eq!(at(until - 300 * 86_400).state, "good");
        assert_eq!(at(until - 1).state, "ending");
        for now in [until, until + 1] {
            let answer = at(now);
            assert_eq!(answer.state, "expired");
            assert!(answer.says.contains("no link") && answer.says.contains("go on"), "{}", answer.says);
        }
    }
}
