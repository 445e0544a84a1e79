//! The API on the shop's network: HTTPS with a certificate of the store itself, and a token for each device.

use std::sync::Arc;

use serde_json::json;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use super::binary::{must, stockroom};
use super::door::Door;
use super::fleet::{Fleet, free_port};
use super::problems::check;
use super::till::Till;

#[test]
fn the_shops_network_needs_the_stores_authority_and_a_token_that_is_not_revoked() {
    let mut fleet = Fleet::of(1);
    fleet.store(1).stop();
    let address = format!("localhost:{}", free_port());
    fleet.store(1).add_arguments(&["--api-lan", &address.replace("localhost", "127.0.0.1")]);
    fleet.store(1).start();
    let data = fleet.store(1).data_text().to_owned();
    let root = std::fs::read(fleet.store(1).data().join("pages-ca.pem")).unwrap();
    let trusting = Door::over(agent(&[Certificate::from_pem(&root).unwrap().to_owned()]), format!("https://{address}"));
    let stranger = Door::over(agent(&[]), format!("https://{address}"));
    let clear = Door::new(&address);

    assert_eq!(trusting.send("GET", "/healthz", &[], "").unwrap().status, 200);
    assert!(stranger.send("GET", "/healthz", &[], "").is_err(), "another root's friends are not fooled");
    assert!(clear.send("GET", "/healthz", &[], "").is_err(), "nothing is served in clear");
    let refused = |token: &str| {
        let header = format!("Bearer {token}");
        let headers: &[_] = if token.is_empty() { &[] } else { &[("authorization", header.as_str())] };
        check(&trusting.send("GET", "/v1/status", headers, "").unwrap(), 401, "unauthorized", None);
    };
    refused("");
    refused("a-guess");

    let token = must(["device", "add", "till 1", "--data", &data]).trim().to_owned();
    let kept = std::fs::read_to_string(fleet.store(1).data().join("devices.json")).unwrap();
    assert!(!kept.contains(&token), "tokens are stored hashed");
    let bearer = format!("Bearer {token}");
    let ask = |method: &str, path: &str, body: &str| {
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        trusting.send(method, path, &headers, body).unwrap()
    };
    assert_eq!(ask("GET", "/v1/status", "").status, 200);
    let (_, sale) = Till::new(1, 1).next();
    assert_eq!(ask("POST", "/v1/sales", &sale.to_string()).status, 201);
    check(&ask("GET", "/metrics", ""), 403, "forbidden", None);
    check(&ask("POST", "/v1/backup", &json!({}).to_string()), 403, "forbidden", None);

    must(["device", "revoke", "till 1", "--data", &data]);
    refused(&token);
    assert_eq!(stockroom(["device", "revoke", "till 1", "--data", &data]).code, 1, "once is enough");
    assert_eq!(fleet.store(1).door().receipts(1).unwrap(), 1, "the loopback door needs no token");
}

fn agent(roots: &[Certificate<'static>]) -> ureq::Agent {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = TlsConfig::builder().root_certs(RootCerts::new_with_certs(roots));
    let tls = tls.unversioned_rustls_crypto_provider(provider).build();
    ureq::Agent::config_builder().tls_config(tls).http_status_as_error(false).proxy(None).build().into()
}
