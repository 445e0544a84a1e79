//! Enrolled but misbehaving: what breaks is their own link, and nobody else's.

use bytes::Bytes;
use quinn::ConnectionError;
use stockroom_transport::limits::FRAME_BYTES_MAX;
use stockroom_transport::{Net, NetConfig, TlsClock};
use tokio::time::timeout;

use crate::stranger::{Stranger, end_of, papers};
use crate::tenant::{BOUND, Node, Tenant, config, everyone, pair};

const ALPN: &[u8] = b"stockroom/1";

fn said(error: &ConnectionError) -> String {
    match error {
        ConnectionError::ApplicationClosed(close) => String::from_utf8_lossy(&close.reason).into_owned(),
        other => other.to_string(),
    }
}

#[tokio::test]
async fn garbage_closes_its_own_link_only() {
    let tenant = Tenant::new(7);
    let (mut a, at_a, mut b, at_b) = pair(&tenant, 2, 1).await;
    let oversized = (FRAME_BYTES_MAX as u32 + 1).to_le_bytes();
    let cases: [(&[u8], &str); 6] = [
        (&oversized, "peer sent a frame of 262145 bytes"),
        (&[0, 0, 0, 0], "peer sent a frame of 0 bytes"),
        (&[0xff; 64], "peer sent a frame of 4294967295 bytes"),
        (b"lane 9", "peer opened lane 9"),
        (b"lane 0 again", "peer opened lane 0 twice"),
        (b"fin", "peer ended a lane"),
    ];
    for (bytes, expected) in cases {
        let stranger = Stranger::new(papers(&tenant.node(7)), ALPN);
        let (connection, mut lane) = stranger.link(b.net.local_addr().unwrap()).await;
        let (link, peer) = b.up().await;
        assert_eq!(peer.node, 7);
        match bytes {
            b"lane 9" => connection.open_uni().await.unwrap().write_all(&[9]).await.unwrap(),
            b"lane 0 again" => connection.open_uni().await.unwrap().write_all(&[0]).await.unwrap(),
            b"fin" => lane.finish().unwrap(),
            garbage => lane.write_all(garbage).await.unwrap(),
        }
        assert_eq!(b.down().await, (link, String::from(expected)));
        assert_eq!(said(&end_of(&connection).await.0), expected);
    }
    a.net.send(at_a, 2, Bytes::from_static(b"still here")).unwrap();
    assert_eq!(b.frame().await, (at_b, 2, Bytes::from_static(b"still here")));
    b.net.send(at_b, 2, Bytes::from_static(b"me too")).unwrap();
    assert_eq!(a.frame().await, (at_a, 2, Bytes::from_static(b"me too")));
}

#[tokio::test]
async fn a_peer_cannot_open_more_than_its_lanes() {
    let tenant = Tenant::new(7);
    let mut hub = Node::start(&tenant, 1);
    let stranger = Stranger::new(papers(&tenant.node(7)), ALPN);
    let (connection, _lane) = stranger.link(hub.net.local_addr().unwrap()).await;
    hub.up().await;
    let mut lanes = Vec::new();
    for lane in 1..5 {
        let mut stream = connection.open_uni().await.unwrap();
        stream.write_all(&[lane]).await.unwrap();
        lanes.push(stream);
    }
    let sixth = timeout(std::time::Duration::from_millis(200), connection.open_uni()).await;
    assert!(sixth.is_err(), "a sixth stream");
    let bidi = timeout(std::time::Duration::from_millis(200), connection.open_bi()).await;
    assert!(bidi.is_err(), "a bidirectional stream");
}

#[tokio::test]
async fn a_node_that_lost_its_link_replaces_it_in_order() {
    let tenant = Tenant::new(7);
    let mut hub = Node::start(&tenant, 1);
    let stranger = Stranger::new(papers(&tenant.node(7)), ALPN);
    let (old, _lane) = stranger.link(hub.net.local_addr().unwrap()).await;
    let (first, _) = hub.up().await;
    let (_new, mut lane) = stranger.link(hub.net.local_addr().unwrap()).await;
    // `down` would skip an Up; so this also says that Down came first.
    let mut order = Vec::new();
    while order.len() < 2 {
        match hub.event().await {
            stockroom_transport::NetEvent::Down { link, reason } => {
                assert_eq!((link, reason.as_str()), (first, "replaced by a newer link"));
                order.push("down");
            }
            stockroom_transport::NetEvent::Up { .. } => order.push("up"),
            _ => {}
        }
    }
    assert_eq!(order, ["down", "up"]);
    assert_eq!(said(&end_of(&old).await.0), "replaced by a newer link");
    lane.write_all(&[1, 0, 0, 0, 42]).await.unwrap();
    assert_eq!(hub.frame().await.2, Bytes::from_static(&[42]));
}

#[tokio::test]
async fn more_links_than_places_are_refused() {
    let tenant = Tenant::new(7);
    let cfg = NetConfig { links_max: 1, ..config() };
    let (net, events) = Net::start(cfg, tenant.node(1), everyone(), TlsClock::wall()).unwrap();
    let mut hub = Node { net, events, node: 1 };
    let first = Stranger::new(papers(&tenant.node(7)), ALPN);
    let _kept = first.link(hub.net.local_addr().unwrap()).await;
    hub.up().await;
    let second = Stranger::new(papers(&tenant.node(8)), ALPN);
    let connection = second.connect(hub.net.local_addr().unwrap()).await.unwrap();
    connection.open_uni().await.unwrap().write_all(&[0]).await.unwrap();
    let (error, streams) = end_of(&connection).await;
    assert_eq!((said(&error).as_str(), streams), ("too many links", 0));
}

#[tokio::test]
async fn a_connection_that_never_claims_is_dropped() {
    let tenant = Tenant::new(7);
    let hub = Node::start(&tenant, 1);
    let stranger = Stranger::new(papers(&tenant.node(7)), ALPN);
    let connection = stranger.connect(hub.net.local_addr().unwrap()).await.unwrap();
    let (_, streams) = timeout(BOUND, end_of(&connection)).await.expect("the hub gives up within its handshake time");
    assert_eq!(streams, 0);
}
