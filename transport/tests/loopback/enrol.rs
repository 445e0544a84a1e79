//! The enrolment port: a box without a certificate, and what it can and cannot get.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use stockroom_transport::authority::LeafNames;
use stockroom_transport::enrol::{EnrolError, EnrolHandler, EnrolServer, request};
use stockroom_transport::limits::{ENROL_REQUEST_BYTES_MAX, ENROL_RESPONSE_BYTES_MAX};
use stockroom_transport::{NodeTls, Role, TlsClock, credential, new_key_and_csr};
use tokio::time::timeout;

use crate::stranger::Stranger;
use crate::tenant::{BOUND, Node, Tenant, config, everyone, loopback, now_unix_s};

fn echo(calls: Arc<AtomicUsize>) -> EnrolHandler {
    Arc::new(move |bytes, _| {
        calls.fetch_add(1, Ordering::SeqCst);
        Box::pin(async move {
            match &bytes[..] {
                b"no" => Err(String::from("token was used before")),
                b"long" => Ok(vec![0; ENROL_RESPONSE_BYTES_MAX + 1]),
                _ => Ok(bytes),
            }
        })
    })
}

fn open(tls: &NodeTls) -> (EnrolServer, std::net::SocketAddr, Arc<AtomicUsize>) {
    let calls = Arc::new(AtomicUsize::new(0));
    let server = EnrolServer::open(loopback(), tls, &TlsClock::wall(), echo(calls.clone())).unwrap();
    let addr = server.local_addr().unwrap();
    (server, addr, calls)
}

#[tokio::test]
async fn a_new_box_gets_a_certificate_and_then_a_link() {
    let tenant = Arc::new(Tenant::new(7));
    let handler: EnrolHandler = {
        let tenant = tenant.clone();
        Arc::new(move |csr, _| {
            let leaf =
                LeafNames { node: 5, role: Role::Store, store: 12, extra_names: vec![String::from("localhost")] };
            let chain = tenant.issuer.issue_from_csr(&csr, &leaf, now_unix_s());
            Box::pin(async move {
                chain.map(|chain| credential::pem_of(&chain).into_bytes()).map_err(|error| error.to_string())
            })
        })
    };
    let mut hub = Node::start(&tenant, 1);
    let server = EnrolServer::open(loopback(), &tenant.node(1), &TlsClock::wall(), handler).unwrap();
    let (key, csr) = new_key_and_csr().unwrap();
    let answer =
        request(server.local_addr().unwrap(), tenant.root.fingerprint(), &TlsClock::wall(), &csr).await.unwrap();
    timeout(BOUND, server.close()).await.expect("the port closes");
    let chain = credential::certificates_from_pem(std::str::from_utf8(&answer.response).unwrap()).unwrap();
    let tls = NodeTls::new(chain, &key, answer.root).unwrap();
    let mut store = Node::start_with(config(), tls, everyone());
    store.net.dial(hub.addr()).unwrap();
    assert_eq!(store.up().await.1.node, 1);
    assert_eq!(hub.up().await.1.store, 12);
}

#[tokio::test]
async fn only_the_hub_under_the_expected_root_is_asked() {
    let tenant = Tenant::new(7);
    let fingerprint = tenant.root.fingerprint();
    let (server, addr, calls) = open(&tenant.node(1));
    let wrong = request(addr, [0; 32], &TlsClock::wall(), b"secret token").await;
    assert!(matches!(wrong, Err(EnrolError::Untrusted)), "{wrong:?}");
    // Of the same name and tenant id, with a root of its own.
    let twin = Tenant::new(7);
    let wrong = request(addr, twin.root.fingerprint(), &TlsClock::wall(), b"secret token").await;
    assert!(matches!(wrong, Err(EnrolError::Untrusted)), "{wrong:?}");
    let expired = TlsClock::new(|| now_unix_s() + 900 * 86_400);
    let wrong = request(addr, fingerprint, &expired, b"secret token").await;
    assert!(matches!(wrong, Err(EnrolError::Untrusted)), "{wrong:?}");
    let (_store, at_store, stolen) = open(&tenant.node(2));
    let wrong = request(at_store, fingerprint, &TlsClock::wall(), b"secret token").await;
    assert!(matches!(wrong, Err(EnrolError::Untrusted)), "a store is no hub: {wrong:?}");
    assert_eq!((calls.load(Ordering::SeqCst), stolen.load(Ordering::SeqCst)), (0, 0));
    assert_eq!(request(addr, fingerprint, &TlsClock::wall(), b"hello").await.unwrap().response, b"hello");
    drop(server);
}

#[tokio::test]
async fn refusals_and_sizes_are_kept() {
    let tenant = Tenant::new(7);
    let (server, addr, calls) = open(&tenant.node(1));
    let ask = async |bytes: &[u8]| request(addr, tenant.root.fingerprint(), &TlsClock::wall(), bytes).await;
    let refused = ask(b"no").await;
    assert!(matches!(&refused, Err(EnrolError::Refused(words)) if words == "token was used before"), "{refused:?}");
    let long = ask(b"long").await;
    assert!(matches!(&long, Err(EnrolError::Refused(words)) if words == "the answer is too long"), "{long:?}");
    let fits = vec![7; ENROL_REQUEST_BYTES_MAX];
    assert_eq!(ask(&fits).await.unwrap().response, fits);
    let too_long = vec![7; ENROL_REQUEST_BYTES_MAX + 1];
    assert!(matches!(ask(&too_long).await, Err(EnrolError::TooLong(_))));
    assert_eq!(calls.load(Ordering::SeqCst), 3);

    // A client that does not keep to the size is cut off, and the handler never sees it.
    let stranger = Stranger::new(None, b"stockroom-enrol/1");
    let connection = stranger.connect(addr).await.unwrap();
    let (mut send, mut receive) = connection.open_bi().await.unwrap();
    let _ = send.write_all(&too_long).await;
    let _ = send.finish();
    let answer = timeout(BOUND, receive.read_to_end(10)).await.expect("an end in time");
    assert!(answer.is_err(), "{answer:?}");
    assert_eq!(calls.load(Ordering::SeqCst), 3);
    timeout(BOUND, server.close()).await.expect("the port closes");
    assert!(matches!(ask(b"anybody?").await, Err(EnrolError::Unreachable(_))));
}
