//! Who is refused: every kind of wrong certificate, as a dialer and as a listener, without one application byte (S1, S3).

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use quinn::ConnectionError;
use stockroom_transport::authority::LeafNames;
use stockroom_transport::{NetEvent, NodeTls, PeerAddr, Role, TlsClock, new_key_and_csr};
use tokio::time::timeout;

use crate::stranger::{Papers, Stranger, end_of, papers, self_signed};
use crate::tenant::{BOUND, Node, Tenant, config, everyone, now_unix_s};

const ALPN: &[u8] = b"stockroom/1";
const DAY_S: u64 = 86_400;

/// Every wrong certificate, with a name for the failing assertion. All claim to be node 7 of tenant 7.
fn wrong_papers(tenant: &Tenant) -> Vec<(&'static str, Papers)> {
    let twin = Tenant::new(7);
    let other = Tenant::new(8);
    vec![
        ("a root of the same name and tenant id", papers(&twin.node(7))),
        ("another tenant", papers(&other.node(7))),
        ("expired", papers(&tenant.issued(7, now_unix_s() - 900 * DAY_S))),
        ("not valid yet", papers(&tenant.issued(7, now_unix_s() + 900 * DAY_S))),
        ("self-signed", self_signed()),
        ("outside the issuer's range", papers_outside_range(tenant)),
        ("without its issuer", papers(&tenant.node(7)).map(|(chain, key)| (chain[..1].to_vec(), key))),
        (
            "too long a chain",
            papers(&tenant.node(7)).map(|(chain, key)| ([&chain[..], &chain[..], &chain[..]].concat(), key)),
        ),
    ]
}

/// A hub that has broken out of its range: the leaf is signed by a true issuer, for a node id that is not its to give.
fn papers_outside_range(tenant: &Tenant) -> Papers {
    let key = rcgen::KeyPair::from_pem(&tenant.issuer.key_pem()).unwrap();
    let chain = stockroom_transport::credential::certificates_from_pem(&tenant.issuer.chain_pem()).unwrap();
    let issuer = rcgen::Issuer::from_ca_cert_der(&chain[0], key).unwrap();
    let leaf_key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
    let uri = format!("stockroom://{}/node/700/store/7", tenant.issuer.tenant());
    params.subject_alt_names.push(rcgen::SanType::URI(uri.try_into().unwrap()));
    params.extended_key_usages =
        vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth, rcgen::ExtendedKeyUsagePurpose::ClientAuth];
    let leaf = params.signed_by(&leaf_key, &issuer).unwrap();
    Some((
        vec![leaf.der().clone(), chain[0].clone()],
        rustls::pki_types::PrivateKeyDer::try_from(leaf_key.serialize_der()).unwrap(),
    ))
}

fn is_refusal(error: &ConnectionError) -> bool {
    let transport = |code: u64| (0x100..0x200).contains(&code);
    match error {
        ConnectionError::ConnectionClosed(close) => transport(close.error_code.into()),
        ConnectionError::TransportError(error) => transport(error.code.into()),
        _ => false,
    }
}

#[tokio::test]
async fn no_stranger_gets_a_link_by_dialing() {
    let tenant = Tenant::new(7);
    let mut hub = Node::start(&tenant, 1);
    let to = hub.net.local_addr().unwrap();
    let mut wrong = wrong_papers(&tenant);
    wrong.push(("no certificate", None));
    for (name, papers) in wrong {
        let stranger = Stranger::new(papers, ALPN);
        // In TLS 1.3 the dialer is finished before it is judged: it may see a connection, but never a byte.
        let (error, streams) = match stranger.connect(to).await {
            Ok(connection) => {
                let _ = connection.open_uni().await.unwrap().write_all(&[0, 1, 0, 0, 0, 42]).await;
                end_of(&connection).await
            }
            Err(error) => (error, 0),
        };
        assert!(is_refusal(&error), "{name}: {error}");
        assert_eq!(streams, 0, "{name}");
    }
    // The first event is the honest node's: nothing was reported about the others.
    let honest = Node::start(&tenant, 2);
    honest.net.dial(hub.addr()).unwrap();
    assert!(matches!(hub.event().await, NetEvent::Up { peer, .. } if peer.node == 2));
}

#[tokio::test]
async fn no_stranger_gets_a_link_by_listening() {
    let tenant = Tenant::new(7);
    for (name, papers) in wrong_papers(&tenant) {
        let stranger = Stranger::new(papers, ALPN);
        let to = stranger.endpoint.local_addr().unwrap().to_string();
        // Known or not known in advance who lives there.
        for target in [PeerAddr::unknown(to.clone()), PeerAddr::of_node(7, to.clone())] {
            let node = Node::start(&tenant, 2);
            node.net.dial(target).unwrap();
            let incoming = timeout(BOUND, stranger.endpoint.accept()).await.expect("a dial in time").unwrap();
            let error = incoming.await.expect_err(name);
            assert!(is_refusal(&error), "{name}: {error}");
            node.net.shutdown("done").await;
        }
    }
}

#[tokio::test]
async fn a_true_node_at_another_nodes_address_is_refused() {
    let tenant = Tenant::new(7);
    let stranger = Stranger::new(papers(&tenant.node(7)), ALPN);
    let node = Node::start(&tenant, 2);
    node.net.dial(PeerAddr::of_node(9, stranger.endpoint.local_addr().unwrap().to_string())).unwrap();
    let incoming = timeout(BOUND, stranger.endpoint.accept()).await.expect("a dial in time").unwrap();
    assert!(is_refusal(&incoming.await.expect_err("node 7 is not node 9")));
}

#[tokio::test]
async fn another_protocol_gets_no_link() {
    let tenant = Tenant::new(7);
    let hub = Node::start(&tenant, 1);
    let stranger = Stranger::new(papers(&tenant.node(7)), b"stockroom-enrol/1");
    assert!(is_refusal(&stranger.connect(hub.net.local_addr().unwrap()).await.expect_err("another protocol")));
}

#[tokio::test]
async fn an_unknown_address_takes_its_identity_from_the_certificate() {
    let tenant = Tenant::new(7);
    let (mut a, mut b) = (Node::start(&tenant, 2), Node::start(&tenant, 1));
    a.net.dial(PeerAddr::from(b.net.local_addr().unwrap())).unwrap();
    let (_, hub) = a.up().await;
    let (_, store) = b.up().await;
    assert_eq!((hub.node, hub.role, hub.store, hub.tenant), (1, Role::Hub, 0, tenant.issuer.tenant()));
    assert_eq!((store.node, store.role, store.store), (2, Role::Store, 2));
    assert_ne!(hub.cert_sha256, store.cert_sha256);
}

#[tokio::test]
async fn a_fenced_node_is_refused_and_its_live_link_is_closed() {
    let tenant = Tenant::new(7);
    let fenced = Arc::new(AtomicU32::new(0));
    let admit = {
        let fenced = fenced.clone();
        Arc::new(move |peer: &stockroom_transport::PeerIdentity| peer.node != fenced.load(Ordering::SeqCst))
    };
    let mut hub = Node::start_with(config(), tenant.node(1), admit);
    let mut store = Node::start(&tenant, 2);
    store.net.dial(hub.addr()).unwrap();
    store.up().await;
    hub.up().await;
    fenced.store(2, Ordering::SeqCst);
    hub.net.recheck();
    assert_eq!(hub.down().await.1, "not admitted");
    assert_eq!(store.down().await.1, "closed by peer: not admitted");
    // It dials again at once and is refused; a third node still gets in, and is the next that the hub hears of.
    let neighbour = Node::start(&tenant, 3);
    neighbour.net.dial(hub.addr()).unwrap();
    assert!(matches!(hub.event().await, NetEvent::Up { peer, .. } if peer.node == 3));
    // And it is told by whom it is not let in.
    assert!(matches!(store.event().await, NetEvent::TurnedAway { peer } if peer.node == 1));
}

#[tokio::test]
async fn an_expired_certificate_ends_a_live_link_when_looked_at_again() {
    let tenant = Tenant::new(7);
    let clock = Arc::new(AtomicU32::new(0));
    let mut hub = {
        let days = clock.clone();
        let time = TlsClock::new(move || now_unix_s() + u64::from(days.load(Ordering::SeqCst)) * DAY_S);
        let (net, events) = stockroom_transport::Net::start(config(), tenant.node(1), everyone(), time).unwrap();
        Node { net, events, node: 1 }
    };
    let store = Node::start(&tenant, 2);
    store.net.dial(hub.addr()).unwrap();
    hub.up().await;
    clock.store(826, Ordering::SeqCst);
    hub.net.recheck();
    assert_eq!(hub.down().await.1, "certificate expired");
}

#[tokio::test]
async fn a_renewed_certificate_is_used_for_new_links() {
    let tenant = Tenant::new(7);
    let (mut a, mut b) = (Node::start(&tenant, 2), Node::start(&tenant, 1));
    a.net.dial(b.addr()).unwrap();
    let (_, before) = b.up().await;
    let renewed = tenant.node(2);
    a.net.renew(&renewed).unwrap();
    assert!(a.net.renew(&tenant.node(3)).is_err(), "only the same node");
    let (link, _) = a.up().await;
    a.net.close(link, "renewed");
    let (_, after) = b.up().await;
    assert_ne!(before.cert_sha256, after.cert_sha256);
    assert_eq!(after.cert_sha256, renewed.identity().cert_sha256);
}

#[test]
fn names_in_a_signing_request_are_not_believed() {
    let tenant = Tenant::new(7);
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(vec![String::from("hub.example")]).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let uri = format!("stockroom://{}/node/1/hub/0", tenant.issuer.tenant());
    params.subject_alt_names.push(rcgen::SanType::URI(uri.try_into().unwrap()));
    let csr = params.serialize_request(&key).unwrap();
    let leaf = LeafNames {
        node: 5,
        role: Role::Store,
        store: 12,
        extra_names: vec![String::from("store-12.stockroom.internal")],
    };
    let chain = tenant.issuer.issue_from_csr(csr.der(), &leaf, now_unix_s()).unwrap();
    let tls = NodeTls::new(chain, &key.serialize_pem(), tenant.node(2).root().clone()).unwrap();
    assert_eq!((tls.identity().node, tls.identity().role, tls.identity().store), (5, Role::Store, 12));
    assert!(!tls.chain()[0].windows(11).any(|window| window == b"hub.example"));
    assert!(tls.not_after_unix_s().unwrap() > now_unix_s() + 820 * DAY_S);
    let (_, other_key) = (0, new_key_and_csr().unwrap().0);
    let mismatched = NodeTls::new(tls.chain().to_vec(), &other_key, tls.root().clone()).unwrap();
    let refused = tokio::runtime::Runtime::new().unwrap().block_on(async {
        stockroom_transport::Net::start(config(), mismatched, everyone(), TlsClock::wall()).is_err()
    });
    assert!(refused, "a key that does not fit its certificate");
}
