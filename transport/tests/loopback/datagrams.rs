//! Datagrams: small news that may be lost, and what a flood of them cannot do.

use std::collections::BTreeSet;
use std::time::Instant;

use bytes::Bytes;
use stockroom_transport::NetEvent;
use stockroom_transport::limits::{DATAGRAM_BYTES_MAX, DATAGRAMS_BURST, DATAGRAMS_PER_S};
use tokio::time::timeout;

use crate::stranger::{Stranger, papers};
use crate::tenant::{BOUND, Node, Tenant, pair};

#[tokio::test]
async fn a_position_crosses_in_both_directions() {
    let tenant = Tenant::new(7);
    let (mut a, at_a, mut b, at_b) = pair(&tenant, 2, 1).await;
    a.net.send_datagram(at_a, 1, b"31.2,121.5");
    assert_eq!(b.datagram().await, (at_b, 1, Bytes::from_static(b"31.2,121.5")));
    b.net.send_datagram(at_b, 9, &[7; DATAGRAM_BYTES_MAX]);
    assert_eq!(a.datagram().await, (at_a, 9, Bytes::from(vec![7; DATAGRAM_BYTES_MAX])));
}

#[tokio::test]
async fn what_is_too_long_or_for_nobody_vanishes_and_the_link_lives() {
    let tenant = Tenant::new(7);
    let (a, at_a, mut b, at_b) = pair(&tenant, 2, 1).await;
    a.net.send_datagram(at_a, 1, &[0; DATAGRAM_BYTES_MAX + 1]);
    a.net.send_datagram(stockroom_transport::LinkId(at_a.0 + 77), 1, b"nobody");
    a.net.send_datagram(at_a, 2, b"this one");
    assert_eq!(b.datagram().await, (at_b, 2, Bytes::from_static(b"this one")));
}

#[tokio::test]
async fn a_flood_is_cut_at_the_sender_and_frames_pass() {
    let tenant = Tenant::new(7);
    let (a, at_a, mut b, at_b) = pair(&tenant, 2, 1).await;
    for number in 0..20 * DATAGRAMS_BURST as u32 {
        a.net.send_datagram(at_a, 1, &number.to_le_bytes());
    }
    a.net.send(at_a, 0, Bytes::from_static(b"urgent")).unwrap();
    let (link, lane, bytes) = b.frame().await;
    assert_eq!((link, lane, &bytes[..]), (at_b, 0, &b"urgent"[..]));
}

#[tokio::test]
async fn a_hostile_flood_is_cut_at_the_receiver_and_frames_pass() {
    let tenant = Tenant::new(7);
    let mut hub = Node::start(&tenant, 1);
    let stranger = Stranger::new(papers(&tenant.node(7)), b"stockroom/1");
    let (connection, mut lane) = stranger.link(hub.net.local_addr().unwrap()).await;
    hub.up().await;
    let start = Instant::now();
    for number in 0..5_000_u32 {
        connection.send_datagram_wait(number.to_le_bytes().to_vec().into()).await.unwrap();
    }
    connection.send_datagram_wait(Bytes::new()).await.unwrap();
    lane.write_all(&[&5_u32.to_le_bytes()[..], b"still"].concat()).await.unwrap();
    let mut datagrams = BTreeSet::new();
    let seen = async {
        loop {
            match hub.events.recv().await.expect("the endpoint runs") {
                NetEvent::Datagram { bytes, .. } => drop(datagrams.insert(bytes)),
                NetEvent::Frame { bytes, .. } => break bytes,
                NetEvent::Down { reason, .. } => panic!("down: {reason}"),
                NetEvent::Up { .. } | NetEvent::TurnedAway { .. } | NetEvent::Writable { .. } => {}
            }
        }
    };
    assert_eq!(&timeout(BOUND, seen).await.expect("the frame comes")[..], b"still");
    let limit = DATAGRAMS_BURST + DATAGRAMS_PER_S * (start.elapsed().as_secs() + 1);
    assert!((1..=limit).contains(&(datagrams.len() as u64)), "{}", datagrams.len());
}
