//! The real sockets: loopback in clear, the LAN over TLS, and a stop that waits for nobody for long.

use std::sync::Arc;

use stockroom_transport::{PageNames, Role, TenantId, TlsClock};
use tokio::sync::watch;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use super::pair::start;
use crate::api::{Listeners, ServeError, serve};
use crate::files::DataDir;
use crate::info::LanConfig;
use crate::lan::LanDoor;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_doors_are_served_until_the_node_stops() {
    let pair = start();
    let (handle, info, mut config) = pair.store.parts.clone();
    let token = config.devices.add("till 1", 1).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (lan, root) = certificate(&folder);
    config.lan = Some(lan);
    let listeners = Listeners::bind(&config).unwrap();
    let (loopback, lan) = (listeners.loopback().unwrap(), listeners.lan().unwrap().unwrap());
    let (stop, stopping) = watch::channel(false);
    let served = tokio::spawn(serve(handle, info, config.clone(), listeners, stopping));

    config.listen = loopback;
    config.lan = None;
    assert!(matches!(Listeners::bind(&config), Err(ServeError::Bind(..))));

    let clients = tokio::task::spawn_blocking(move || {
        let plain = agent(None);
        assert_eq!(status(&plain, &format!("http://{loopback}/v1/status"), None), 200);
        assert_eq!(status(&plain, &format!("http://localhost:{}/v1/status", loopback.port()), None), 200);
        let secure = agent(Some(root));
        let url = |path: &str| format!("https://localhost:{}{path}", lan.port());
        assert_eq!(status(&secure, &url("/healthz"), None), 200);
        assert_eq!(status(&secure, &url("/v1/status"), None), 401);
        assert_eq!(status(&secure, &url("/v1/status"), Some(&token)), 200);
        assert_eq!(status(&secure, &url("/ca.crt"), None), 200, "open to who does not belong here yet");
        let rebound = secure.get(url("/v1/status")).header("host", "evil.example").call().unwrap();
        assert_eq!(rebound.status(), 421, "a page whose name was made to point here");
        assert!(plain.get(format!("http://localhost:{}/healthz", lan.port())).call().is_err(), "the LAN is TLS only");
        assert!(
            agent(None).get(url("/healthz")).call().is_err(),
            "who does not know the store's authority is not fooled"
        );
        // A stream that stays open must not keep the node from stopping.
        plain.get(format!("http://{loopback}/v1/events")).call().unwrap()
    });
    let stream = clients.await.unwrap();
    assert_eq!(stream.status(), 200);
    stop.send_replace(true);
    served.await.unwrap().unwrap();
    drop(stream);
}

#[tokio::test]
async fn the_door_in_clear_is_for_this_machine_only() {
    let pair = start();
    let (_, _, mut config) = pair.store.parts.clone();
    config.listen = "0.0.0.0:0".parse().unwrap();
    assert!(matches!(Listeners::bind(&config), Err(ServeError::NotLoopback(_))));
}

fn agent(root: Option<Certificate<'static>>) -> ureq::Agent {
    let roots = root.map_or_else(|| RootCerts::new_with_certs(&[]), |root| RootCerts::new_with_certs(&[root]));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = TlsConfig::builder().root_certs(roots).unversioned_rustls_crypto_provider(provider).build();
    ureq::Agent::config_builder().tls_config(tls).http_status_as_error(false).build().into()
}

fn status(agent: &ureq::Agent, url: &str, token: Option<&str>) -> u16 {
    let mut request = agent.get(url);
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    request.call().unwrap().status().as_u16()
}

fn certificate(folder: &tempfile::TempDir) -> (LanConfig, Certificate<'static>) {
    let names = PageNames::of(TenantId([0; 16]), 2, Role::Store, 1, &["localhost".into()]);
    let dir = DataDir::new(folder.path(), None);
    let door = LanDoor::open(&dir, names, TlsClock::wall(), Vec::new()).unwrap();
    let root = Certificate::from_pem(door.ca_pem().as_bytes()).unwrap().to_owned();
    (LanConfig { listen: "127.0.0.1:0".parse().unwrap(), door: Arc::new(door) }, root)
}
