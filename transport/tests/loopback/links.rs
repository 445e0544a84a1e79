//! Honest nodes: frames, credit, one link per pair, coming back, and ending.

use std::time::Duration;

use bytes::Bytes;
use stockroom_transport::limits::{FRAME_BYTES_MAX, LANES, WINDOW_BYTES_MIN};
use stockroom_transport::{Net, NetConfig, NetEvent, NodeTls, PeerAddr, SendError, TlsClock};
use tokio::time::timeout;

use crate::tenant::{BOUND, Node, Tenant, config, everyone, pair};

/// quinn's driver drops the socket in a task of its own, a moment after the last handle.
async fn rebound(cfg: NetConfig, tls: NodeTls) -> Node {
    let bound = async {
        loop {
            match Net::start(cfg.clone(), tls.clone(), everyone(), TlsClock::wall()) {
                Ok((net, events)) => return Node { net, events, node: tls.identity().node },
                Err(_) => tokio::task::yield_now().await,
            }
        }
    };
    timeout(BOUND, bound).await.expect("the port is free")
}

fn frame(lane: u8, bytes: usize) -> Bytes {
    Bytes::from(vec![lane; bytes])
}

#[tokio::test]
async fn frames_of_all_lanes_cross_in_both_directions() {
    let tenant = Tenant::new(7);
    let (mut a, at_a, mut b, at_b) = pair(&tenant, 2, 1).await;
    for lane in 0..LANES as u8 {
        a.net.send(at_a, lane, frame(lane, 1 + usize::from(lane) * 700)).unwrap();
        b.net.send(at_b, lane, frame(lane, 1 + usize::from(lane) * 700)).unwrap();
    }
    for (node, at) in [(&mut b, at_b), (&mut a, at_a)] {
        let mut seen = Vec::new();
        while seen.len() < LANES {
            let (link, lane, bytes) = node.frame().await;
            assert_eq!((link, bytes), (at, frame(lane, 1 + usize::from(lane) * 700)));
            seen.push(lane);
        }
        seen.sort_unstable();
        assert_eq!(seen, [0, 1, 2, 3, 4]);
    }
}

#[tokio::test]
async fn ten_megabytes_keep_their_order_under_credit() {
    let tenant = Tenant::new(7);
    let (mut a, at_a, mut b, _) = pair(&tenant, 2, 1).await;
    let total = 10 * 1024 * 1024;
    let sender = tokio::spawn(async move {
        let (mut sent, mut credit, mut number) = (0, 0_i64, 0_u32);
        while sent < total {
            let bytes = 8 + (number as usize * 7919) % 20_000;
            while credit < bytes.min(WINDOW_BYTES_MIN / 2) as i64 {
                credit += a.writable().await as i64;
            }
            let mut payload = vec![0; bytes];
            payload[..4].copy_from_slice(&number.to_le_bytes());
            a.net.send(at_a, 3, payload.into()).unwrap();
            credit -= bytes as i64;
            sent += bytes;
            number += 1;
        }
        (a, sent)
    });
    let (mut received, mut number) = (0, 0_u32);
    while received < total {
        let (_, lane, bytes) = b.frame().await;
        assert_eq!((lane, &bytes[..4]), (3, &number.to_le_bytes()[..]));
        received += bytes.len();
        number += 1;
    }
    let (a, sent) = sender.await.unwrap();
    assert_eq!(sent, received);
    let stats = a.net.stats(at_a).unwrap();
    assert!(stats.udp_tx_bytes > sent as u64 && stats.rtt_us > 0 && stats.cwnd > 0);
}

#[tokio::test]
async fn sending_beyond_credit_is_refused() {
    let tenant = Tenant::new(7);
    let (mut a, at_a, mut b, _) = pair(&tenant, 2, 1).await;
    let credit = a.writable().await;
    assert_eq!(credit, WINDOW_BYTES_MIN);
    a.net.send(at_a, 4, frame(4, credit)).unwrap();
    assert_eq!(a.net.send(at_a, 4, frame(4, 1)), Err(SendError::Credit));
    a.net.send(at_a, 0, frame(0, 1)).expect("lane 0 has a reserve");
    assert_eq!(a.net.send(at_a, 5, frame(0, 1)), Err(SendError::Lane(5)));
    assert_eq!(a.net.send(at_a, 0, Bytes::new()), Err(SendError::Length(0)));
    assert_eq!(a.net.send(at_a, 0, frame(0, FRAME_BYTES_MAX + 1)), Err(SendError::Length(FRAME_BYTES_MAX + 1)));
    assert_eq!(b.frame().await.1, 0, "lane 0 went first although it was queued last");
    assert_eq!(b.frame().await.1, 4);
    assert!(a.writable().await >= WINDOW_BYTES_MIN, "credit comes back");
    a.net.close(at_a, "done");
    a.down().await;
    assert_eq!(a.net.send(at_a, 0, frame(0, 1)), Err(SendError::Down));
}

#[tokio::test]
async fn lane_0_overtakes_bulk_that_waits_for_a_slow_reader() {
    let tenant = Tenant::new(7);
    let cfg = || NetConfig { window_bytes_max: WINDOW_BYTES_MIN, receive_budget_bytes: 0, ..config() };
    let mut a = Node::start_with(cfg(), tenant.node(2), everyone());
    let mut b = Node::start_with(cfg(), tenant.node(1), everyone());
    a.net.dial(b.addr()).unwrap();
    let (at_a, _) = a.up().await;
    let (at_b, _) = b.up().await;
    // The reader takes nothing: its event queue fills, then the windows, then our own queue; then no credit comes any more.
    let mut bulk = 0;
    while let Ok(event) = timeout(Duration::from_millis(500), a.event()).await {
        if let NetEvent::Writable { bytes, .. } = event {
            for _ in 0..bytes / 1024 {
                a.net.send(at_a, 4, frame(4, 1024)).unwrap();
                bulk += 1;
            }
        }
        assert!(bulk < 2000, "the reader's slowness never reached the sender");
    }
    let received = b.net.stats(at_b).unwrap().udp_rx_bytes;
    a.net.send(at_a, 0, frame(0, 3000)).unwrap();
    let arrived = async {
        while b.net.stats(at_b).unwrap().udp_rx_bytes < received + 3000 {
            tokio::task::yield_now().await;
        }
    };
    timeout(BOUND, arrived).await.expect("bulk leaves room in the windows");
    let mut before = 0;
    while b.frame().await.1 != 0 {
        before += 1;
    }
    assert!(bulk - before >= 32, "lane 0 came after {before} of {bulk} bulk frames");
    for _ in before..bulk {
        assert_eq!(b.frame().await.1, 4);
    }
}

#[tokio::test]
async fn nodes_that_dial_each_other_keep_one_link() {
    let tenant = Tenant::new(7);
    for round in 0..8 {
        let (mut a, mut b) = (Node::start(&tenant, 1), Node::start(&tenant, 2));
        // Both know each other's address, one of them without the node id.
        a.net.dial(b.addr()).unwrap();
        b.net.dial(PeerAddr::from(a.net.local_addr().unwrap())).unwrap();
        let (at_a, _) = a.up().await;
        let (at_b, _) = b.up().await;
        for number in 0..20_u8 {
            a.net.send(at_a, 1, Bytes::from(vec![number])).unwrap();
            // `frame` fails on a Down: the pair must not flap.
            assert_eq!(b.frame().await, (at_b, 1, Bytes::from(vec![number])), "round {round}");
            b.net.send(at_b, 1, Bytes::from(vec![number])).unwrap();
            assert_eq!(a.frame().await, (at_a, 1, Bytes::from(vec![number])), "round {round}");
        }
        assert_eq!(a.net.totals()[&2].links, 1, "round {round}");
        assert_eq!(b.net.totals()[&1].links, 1, "round {round}");
        tokio::join!(a.net.shutdown("done"), b.net.shutdown("done"));
    }
}

#[tokio::test]
async fn a_closed_link_comes_back_and_totals_go_on() {
    let tenant = Tenant::new(7);
    let (mut a, at_a, mut b, at_b) = pair(&tenant, 2, 1).await;
    let before = b.net.totals()[&2];
    b.net.close(at_b, "try again");
    assert_eq!(a.down().await, (at_a, String::from("closed by peer: try again")));
    assert_eq!(b.down().await, (at_b, String::from("try again")));
    let (again, _) = a.up().await;
    assert_ne!(again, at_a);
    b.up().await;
    let after = b.net.totals()[&2];
    assert_eq!(after.links, 2);
    assert!(after.udp_rx_bytes > before.udp_rx_bytes && after.udp_tx_bytes > before.udp_tx_bytes);
}

#[tokio::test]
async fn a_restarted_peer_is_found_again() {
    let tenant = Tenant::new(7);
    let (mut a, _, b, _) = pair(&tenant, 2, 1).await;
    let addr = b.net.local_addr().unwrap();
    b.net.shutdown("maintenance").await;
    drop(b);
    assert_eq!(a.down().await.1, "closed by peer: maintenance");
    let mut b = rebound(NetConfig { bind: addr, ..config() }, tenant.node(1)).await;
    a.up().await;
    b.up().await;
}

#[tokio::test]
async fn a_peer_that_vanishes_is_noticed() {
    let tenant = Tenant::new(7);
    let cfg =
        || NetConfig { idle_timeout: Duration::from_millis(600), keep_alive: Duration::from_millis(100), ..config() };
    let mut b = Node::start_with(cfg(), tenant.node(1), everyone());
    let to = b.addr();
    // The other node's whole runtime is dropped: no farewell leaves.
    let tls = tenant.node(2);
    let (linked, wait) = tokio::sync::oneshot::channel();
    let (vanish, vanishes) = std::sync::mpsc::channel::<()>();
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let node = runtime.block_on(async {
            let mut node = Node::start_with(cfg(), tls, everyone());
            node.net.dial(to).unwrap();
            node.up().await;
            node
        });
        linked.send(()).unwrap();
        // A runtime that nobody drives: sockets stay open and silent.
        vanishes.recv().unwrap();
        drop((node, runtime));
    });
    timeout(BOUND, wait).await.unwrap().unwrap();
    b.up().await;
    assert_eq!(b.down().await.1, "timed out");
    vanish.send(()).unwrap();
    thread.join().unwrap();
}

#[tokio::test]
async fn an_isolated_node_is_cut_off_until_it_is_not() {
    let tenant = Tenant::new(7);
    let (mut a, _, mut b, _) = pair(&tenant, 2, 1).await;
    for cut in [Some(1), None] {
        a.net.isolate(cut, true);
        assert_eq!(a.down().await.1, "isolated");
        b.down().await;
        // While cut off, dialing from either side brings nothing.
        b.net.dial(a.addr()).unwrap();
        let quiet = timeout(Duration::from_millis(300), a.events.recv()).await;
        assert!(quiet.is_err(), "{quiet:?}");
        a.net.isolate(cut, false);
        a.up().await;
        b.up().await;
    }
}

#[tokio::test]
async fn shutdown_joins_everything_and_frees_the_port() {
    let tenant = Tenant::new(7);
    let (a, _, mut b, _) = pair(&tenant, 2, 1).await;
    let addr = a.net.local_addr().unwrap();
    let (again, mut events) = (a.net.clone(), a.events);
    timeout(BOUND, a.net.shutdown("closing time")).await.expect("shutdown ends");
    timeout(BOUND, again.shutdown("twice")).await.expect("a second shutdown returns");
    let mut last = None;
    while let Some(event) = timeout(BOUND, events.recv()).await.expect("the channel ends") {
        last = Some(event);
    }
    assert!(matches!(last, Some(NetEvent::Down { .. })), "{last:?}");
    assert_eq!(b.down().await.1, "closed by peer: closing time");
    drop((a.net, again));
    rebound(NetConfig { bind: addr, ..config() }, tenant.node(2)).await;
}

#[tokio::test]
async fn dropping_the_last_handle_stops_the_endpoint() {
    let tenant = Tenant::new(7);
    let (a, _, mut b, _) = pair(&tenant, 2, 1).await;
    let Node { net, mut events, .. } = a;
    drop(net);
    while timeout(BOUND, events.recv()).await.expect("the channel ends").is_some() {}
    assert_eq!(b.down().await.1, "closed by peer: endpoint dropped");
}

#[tokio::test]
async fn links_come_by_introduction_and_by_static_address_with_bbr() {
    let tenant = Tenant::new(7);
    let mut hub = Node::start(&tenant, 1);
    let mut neighbour = Node::start(&tenant, 3);
    let cfg =
        NetConfig { static_peers: vec![hub.addr()], congestion: stockroom_transport::Congestion::Bbr, ..config() };
    let mut store = Node::start_with(cfg, tenant.node(2), everyone());
    assert_eq!(store.up().await.1.node, 1);
    store.net.set_introduced(vec![neighbour.addr()]);
    assert_eq!(store.up().await.1.node, 3);
    assert_eq!(hub.up().await.1.node, 2);
    let (link, peer) = neighbour.up().await;
    assert_eq!(peer.node, 2);
    neighbour.net.drop_peer(2, "fenced");
    assert_eq!(neighbour.down().await, (link, String::from("fenced")));
}

#[tokio::test]
async fn bad_configurations_are_named() {
    let tenant = Tenant::new(7);
    let start =
        |cfg| Net::start(cfg, tenant.node(2), everyone(), TlsClock::wall()).map(|_| ()).unwrap_err().to_string();
    assert_eq!(start(NetConfig { links_max: 0, ..config() }), "links_max is out of range");
    assert_eq!(start(NetConfig { window_bytes_max: 1, ..config() }), "window_bytes_max is out of range");
    assert_eq!(start(NetConfig { keep_alive: Duration::from_secs(60), ..config() }), "keep_alive is out of range");
    let taken = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let bind = taken.local_addr().unwrap();
    assert_eq!(start(NetConfig { bind, ..config() }), format!("cannot bind {bind}"));
}
