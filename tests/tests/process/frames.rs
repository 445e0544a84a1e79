//! An enrolled node that talks nonsense: mutated copies of real frames against a live hub, over real links.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use stockroom::files::DataDir;
use stockroom::identity::Identity;
use stockroom_core::core::{Config, Core};
use stockroom_core::input::{Input, LinkId, Output, Peer};
use stockroom_core::sync::frames::Frame;
use stockroom_core::time::Now;
use stockroom_core::tuning::Tuning;
use stockroom_crdt::capability::Role;
use stockroom_crdt::ids::{Code, NodeId, StoreId};
use stockroom_transport::limits::FRAME_BYTES_MAX;
use stockroom_transport::{Net, NetConfig, NetEvent, NodeTls, PeerAddr, PeerIdentity, TlsClock};
use tokio::runtime::Runtime;
use tokio::sync::mpsc::Receiver;

use super::binary::{is, must, wait_until};
use super::fleet::{CONVERGE_MAX, Fleet};
use super::kills::Chance;
use super::till::Till;

#[test]
fn a_hub_lives_through_mutated_frames_of_one_of_its_own_stores() {
    let mut chance = Chance::from_env();
    let mut fleet = Fleet::of(2);
    let mut tills = [Till::new(1, 1), Till::new(2, 1)];
    let doors = [fleet.store(1).door().clone(), fleet.store(2).door().clone()];
    // What the second store sold while it was cut off is what it has to say now.
    let cut = serde_json::json!({ "cut": true });
    doors[1].post("/v1/test/isolate", None, &cut).unwrap().good().unwrap();
    for (till, door) in tills.iter_mut().zip(&doors) {
        (0..20).for_each(|_| till.sell(Duration::from_secs(10), || door.clone()));
    }
    fleet.store(2).stop();
    let dir = DataDir::new(fleet.store(2).data(), None);
    let identity = Identity::load(&dir).expect("a store that was made");
    let (hub, links) = (fleet.hub().door().clone(), fleet.hub().links().to_owned());
    let runtime = Runtime::new().expect("threads are to be had");

    let corpus = record(&runtime, &dir, &identity, &links, || hub.receipts(2) == Ok(20));
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for (_, bytes) in &corpus {
        let frame = Frame::decode(bytes).expect("a real frame");
        *kinds.entry(format!("{frame:?}").split(['(', ' ']).next().unwrap_or_default().into()).or_default() += 1;
    }
    eprintln!("real frames: {kinds:?}");
    assert!(kinds.len() >= 4 && kinds.contains_key("Entries") && kinds.contains_key("Hello"), "{kinds:?}");

    let (wanted, before) = (frames_wanted(), memory_kib(fleet.hub().id()));
    let started = Instant::now();
    let (sent, opened) = attack(&runtime, &identity.tls, &links, (&corpus, &mut chance), wanted);
    let after = memory_kib(fleet.hub().id());
    eprintln!(
        "{sent} mutated frames over {opened} links in {:?}; hub's memory {before} -> {after} KiB",
        started.elapsed()
    );

    assert_eq!(hub.send("GET", "/healthz", &[], "").unwrap().status, 200);
    assert!(after < MEMORY_KIB_MAX, "{after} KiB");
    let log = fleet.hub().log();
    assert!(!log.contains("panicked") && !log.contains("quarantined"), "{log}");
    let counters = hub.read("/v1/status").unwrap()["counters"].clone();
    eprintln!("hub: {counters}");
    assert!(counters["peer_faults"].as_u64().unwrap() > 0 && counters["forks"] == 0, "{counters}");
    tills[0].sell(Duration::from_secs(10), || doors[0].clone());
    wait_until(CONVERGE_MAX, "the honest store is heard", || is(&hub.receipts(1)?, &21));
    assert_eq!(hub.receipts(2).unwrap(), 20, "nothing was made up");
    tills.iter().for_each(|till| till.check(&hub));
    fleet.hub().stop();
    let data = fleet.hub().data_text().to_owned();
    assert!(must(["verify", "--data", &data]).contains("The database is sound."));
}

/// Lets the stopped store's own core talk to the hub until `done`, and gives every frame that either said, with its lane.
fn record(
    runtime: &Runtime,
    dir: &DataDir,
    identity: &Identity,
    hub: &str,
    done: impl Fn() -> bool,
) -> Vec<(u8, Bytes)> {
    let database = stockroom::disk::open_database(&dir.database(), 8 << 20).expect("it was closed well");
    let config = Config {
        identity: identity.to_core().expect("checked"),
        evidence: stockroom::disk::evidence(dir).expect("it ran"),
        seed: [1; 32],
        version: Code::default(),
        quarantine: None,
        tuning: Tuning::default(),
    };
    let started = Instant::now();
    let wall_ms =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_millis() as u64;
    let now = || {
        let mono_ms = started.elapsed().as_millis() as u64;
        Now { boot: 1, mono_ms, wall_ms: wall_ms + mono_ms }
    };
    let mut core = Core::open(config, Box::new(database), now()).expect("it was closed well");
    let (net, mut events) = open(runtime, &identity.tls, hub);
    let mut corpus = Vec::new();
    let mut looked = Instant::now();
    loop {
        while let Some(output) = core.poll().expect("the disk works") {
            if let Output::Send(link, lane, bytes) = output {
                let bytes = Bytes::from(bytes);
                corpus.push((lane as u8, bytes.clone()));
                // A link that is down takes nothing; the next one will.
                let _ = net.send(stockroom_transport::LinkId(link.0), lane as u8, bytes);
            }
        }
        if looked.elapsed() > Duration::from_millis(300) {
            assert!(started.elapsed() < CONVERGE_MAX, "the store's core reaches the hub");
            if done() {
                break;
            }
            looked = Instant::now();
        }
        let input = match next(runtime, &mut events, Duration::from_millis(50)) {
            None | Some(NetEvent::Datagram { .. } | NetEvent::TurnedAway { .. }) => Input::Wake,
            Some(NetEvent::Up { link, peer, addr, .. }) => {
                let (node, address) = (NodeId(peer.node), Some(addr.to_string()));
                Input::LinkUp(LinkId(link.0), Peer { node, role: Role::Hub, store: StoreId(0), address })
            }
            Some(NetEvent::Frame { link, lane, bytes }) => {
                corpus.push((lane, bytes.clone()));
                Input::Frame(LinkId(link.0), bytes.to_vec())
            }
            Some(NetEvent::Writable { link, bytes }) => Input::Writable(LinkId(link.0), bytes),
            Some(NetEvent::Down { link, .. }) => Input::LinkDown(LinkId(link.0)),
        };
        core.handle(now(), input).expect("the disk works");
        core.commit(now()).expect("the disk works");
    }
    runtime.block_on(net.shutdown("recorded"));
    corpus
}

/// Sends mutated frames, each burst behind an honest greeting. The hub closes the link at the first that it can hold against the
/// sender, and what stands behind that in the burst is not read.
fn attack(
    runtime: &Runtime,
    tls: &NodeTls,
    hub: &str,
    (corpus, chance): (&[(u8, Bytes)], &mut Chance),
    wanted: u64,
) -> (u64, u64) {
    let hello = corpus.iter().find(
        |(_, bytes)| matches!(Frame::decode(bytes), Ok(Frame::Hello(hello)) if hello.node.0 == tls.identity().node),
    );
    let hello = hello.expect("it greeted").clone();
    let (net, mut events) = open(runtime, tls, hub);
    let (mut sent, mut opened, mut heard) = (0, 0, Instant::now());
    let mut live = None;
    while sent < wanted {
        let event = next(runtime, &mut events, Duration::from_millis(100));
        assert!(heard.elapsed() < Duration::from_secs(20), "the hub is silent after {sent} frames; link {live:?}");
        // A greeting, a sign that the last burst did no harm, or silence, which says the same: the next burst.
        let target = match event {
            Some(NetEvent::Frame { link, bytes, .. }) => {
                heard = Instant::now();
                if matches!(Frame::decode(&bytes), Ok(Frame::Hello(_))) && chance.below(10) > 0 {
                    let _ = net.send(link, hello.0, hello.1.clone());
                }
                Some(link)
            }
            Some(NetEvent::Up { link, .. }) => {
                (opened, live) = (opened + 1, Some(link));
                None
            }
            Some(NetEvent::Down { link, .. }) => {
                live = live.filter(|&live| live != link);
                net.kick();
                None
            }
            Some(NetEvent::Writable { .. } | NetEvent::Datagram { .. } | NetEvent::TurnedAway { .. }) => None,
            None => {
                net.kick();
                live
            }
        };
        let Some(link) = target else { continue };
        for _ in 0..BURST {
            let (lane, frame) = mutated(corpus, chance);
            if net.send(link, lane, frame).is_err() {
                break;
            }
            sent += 1;
        }
    }
    runtime.block_on(net.shutdown("enough"));
    (sent, opened)
}

fn mutated(corpus: &[(u8, Bytes)], chance: &mut Chance) -> (u8, Bytes) {
    let pick = |chance: &mut Chance| &corpus[chance.below(corpus.len() as u64) as usize];
    let (lane, bytes) = pick(chance);
    let mut frame = bytes.to_vec();
    let at = |chance: &mut Chance, frame: &[u8]| chance.below(frame.len().max(1) as u64) as usize;
    for _ in 0..=chance.below(3) {
        let here = at(chance, &frame);
        match chance.below(8) {
            0 | 1 if !frame.is_empty() => frame[here] ^= 1 << chance.below(8),
            2 if !frame.is_empty() => frame[here] = chance.next() as u8,
            3 => frame.truncate(here),
            4 => frame.splice(here..here, [0xFF; 9]).for_each(drop),
            5 => {
                let other = &pick(chance).1;
                let from = at(chance, other);
                frame.truncate(here);
                frame.extend_from_slice(&other[from..]);
            }
            6 => {
                let end = frame.len().min(here + 1 + chance.below(8) as usize);
                frame.drain(here.min(end)..end);
            }
            _ => frame.extend((0..chance.below(64)).map(|_| chance.next() as u8)),
        }
    }
    if frame.is_empty() {
        frame.push(chance.next() as u8);
    }
    frame.truncate(FRAME_BYTES_MAX);
    (if chance.below(8) == 0 { chance.below(5) as u8 } else { *lane }, frame.into())
}

fn open(runtime: &Runtime, tls: &NodeTls, hub: &str) -> (Net, Receiver<NetEvent>) {
    let _inside = runtime.enter();
    let mut net = NetConfig::new("127.0.0.1:0".parse().expect("an address"));
    net.static_peers = vec![PeerAddr::of_node(1, hub)];
    (net.backoff_ms_min, net.backoff_ms_max) = (1, 2);
    let admit = Arc::new(|_: &PeerIdentity| true);
    Net::start(net, tls.clone(), admit, TlsClock::wall()).expect("loopback is there")
}

fn next(runtime: &Runtime, events: &mut Receiver<NetEvent>, bound: Duration) -> Option<NetEvent> {
    runtime.block_on(async { tokio::time::timeout(bound, events.recv()).await }).ok().flatten()
}

/// All of them where tests must be thorough; a debug build's handshakes make that a matter of minutes.
fn frames_wanted() -> u64 {
    let thorough = std::env::var_os("STOCKROOM_MANDATORY").is_some();
    if !thorough {
        eprintln!("NOTE: 20,000 mutated frames; STOCKROOM_MANDATORY=1 sends all 100,000");
    }
    if thorough { 100_000 } else { 20_000 }
}

fn memory_kib(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("it runs, on Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("every process has one");
    line.trim().trim_end_matches("kB").trim().parse().expect("a figure")
}

/// Frames behind one greeting.
const BURST: u32 = 8;

/// Resident memory that a hub may come to.
const MEMORY_KIB_MAX: u64 = 256 * 1024;
