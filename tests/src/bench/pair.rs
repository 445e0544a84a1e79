//! A hub and a store in one process: real cores on redb files, real QUIC with mutual TLS over loopback, a thread for each core.
//! What the daemon adds (HTTP, watchers) is left out, so that a benchmark measures core and link.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc as std_mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use stockroom_core::continuity::Evidence;
use stockroom_core::core::{Config, Core, Identity};
use stockroom_core::input::{Answer, Command, Event, Input, LinkId, Output, Peer, Refusal, RequestId};
use stockroom_core::sealed::public_key;
use stockroom_core::storage::redb::RedbStore;
use stockroom_core::storage::{Reader, Snapshot};
use stockroom_core::time::Now;
use stockroom_core::tuning::Tuning;
use stockroom_crdt::capability::{Capability, Role, Signer};
use stockroom_crdt::ids::{Code, Digest, NodeId, StoreId, TenantId};
use stockroom_transport::authority::{LeafNames, TenantRoot, new_key_and_csr};
use stockroom_transport::{Net, NetConfig, NetEvent, NodeTls, PeerAddr, PeerIdentity, TlsClock};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;

/// Two nodes that find each other when the store starts.
pub struct Pair {
    /// The hub, node 1.
    pub hub: Driven,
    /// The store, node 2, of store 1.
    pub store: Driven,
    runtime: Runtime,
}

/// A node whose core runs on a thread of its own.
pub struct Driven {
    work: mpsc::Sender<Work>,
    reader: Arc<dyn Reader>,
    net: Net,
    thread: Option<JoinHandle<()>>,
    /// When entries became durable here.
    pub entries: std_mpsc::Receiver<Instant>,
}

enum Work {
    Ask(Box<Command>, std_mpsc::Sender<Result<Answer, Refusal>>),
    Net(NetEvent),
    Stop,
}

impl Pair {
    /// Two fresh nodes with their databases in `folder`, connected.
    pub fn open(folder: &Path) -> Self {
        let runtime = Runtime::new().expect("threads are to be had");
        let root = TenantRoot::create("bench", transport_tenant(), now_s()).expect("fresh keys");
        let issuer = root.issue_intermediate(1, 1..=99, now_s()).expect("the root may");
        let tls = |node: u32, role, store| {
            let (key, csr) = new_key_and_csr().expect("fresh keys");
            let names = LeafNames { node, role, store, extra_names: Vec::new() };
            let chain = issuer.issue_from_csr(&csr, &names, now_s()).expect("the issuer may");
            NodeTls::from_pem(&stockroom_transport::credential::pem_of(&chain), &key, &root.cert_pem())
                .expect("just issued")
        };
        let hub_tls = tls(1, stockroom_transport::Role::Hub, 0);
        let store_tls = tls(2, stockroom_transport::Role::Store, 1);
        let hub = Driven::start(&runtime, (&folder.join("hub.redb"), vec![hub()]), hub_tls, None);
        let address = hub.net.local_addr().expect("bound");
        let chain = vec![self::hub(), capability(2, Role::Store, 1)];
        let peer = PeerAddr::of_node(1, address.to_string());
        let store = Driven::start(&runtime, (&folder.join("store.redb"), chain), store_tls, Some(peer));
        Self { hub, store, runtime }
    }

    /// UDP payload between the two so far, both ways, bytes.
    pub fn wire_bytes(&self) -> u64 {
        self.store.net.totals().values().map(|totals| totals.udp_tx_bytes + totals.udp_rx_bytes).sum()
    }

    /// Cuts or heals the link.
    pub fn cut(&self, cut: bool) {
        self.store.net.isolate(None, cut);
    }

    /// Stops both nodes and waits for them.
    pub fn close(mut self) {
        for node in [&mut self.store, &mut self.hub] {
            node.work.blocking_send(Work::Stop).expect("the core's thread waits for work");
            let thread = node.thread.take().expect("closed once");
            thread.join().expect("the core's thread does not panic");
            self.runtime.block_on(node.net.shutdown("done"));
        }
    }
}

impl Driven {
    fn start(runtime: &Runtime, core: (&Path, Vec<Capability>), tls: NodeTls, peer: Option<PeerAddr>) -> Self {
        let (path, chain) = core;
        let file = std::fs::File::options().read(true).write(true).create_new(true).open(path).expect("a fresh folder");
        let backend = redb::backends::FileBackend::new(file).expect("nobody else has the file");
        let disk = RedbStore::open(backend, 64 << 20).expect("the disk works");
        let node = chain.last().expect("not empty").node.0;
        let identity = Identity {
            tenant: TENANT,
            root_key: signer(0).public(),
            chain,
            signer: signer(node),
            seal_secret: [node as u8; 32],
        };
        let evidence = Evidence { token: None, volume: Digest([0; 32]), restored: false };
        let version = Code::parse("bench").expect("a short word");
        let config =
            Config { identity, evidence, seed: [node as u8; 32], version, quarantine: None, tuning: Tuning::default() };
        let clock = Clock { started: Instant::now(), wall_ms: now_s() * 1000 };
        let core = Core::open(config, Box::new(disk), clock.now()).expect("a fresh database");
        let reader = core.reader();
        let mut net = NetConfig::new(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        net.static_peers = peer.into_iter().collect();
        let admit = Arc::new(|_: &PeerIdentity| true);
        let _inside = runtime.enter();
        let (net, mut events) = Net::start(net, tls, admit, TlsClock::wall()).expect("loopback is there");
        let (work, inbox) = mpsc::channel(8_192);
        let forward = work.clone();
        runtime.spawn(async move {
            while let Some(event) = events.recv().await {
                if forward.send(Work::Net(event)).await.is_err() {
                    return;
                }
            }
        });
        let (seen, entries) = std_mpsc::channel();
        let thread_net = net.clone();
        let handle = runtime.handle().clone();
        let thread = std::thread::spawn(move || drive(core, clock, thread_net, (inbox, handle), seen));
        Self { work, reader, net, thread: Some(thread), entries }
    }

    /// Asks for a write; the answer comes when it is durable.
    pub fn ask(&self, command: Command) -> std_mpsc::Receiver<Result<Answer, Refusal>> {
        let (answer, answered) = std_mpsc::channel();
        self.work.blocking_send(Work::Ask(Box::new(command), answer)).expect("the core's thread waits for work");
        answered
    }

    /// What is committed.
    pub fn snapshot(&self) -> Arc<dyn Snapshot> {
        self.reader.snapshot().expect("the disk works")
    }
}

struct Clock {
    started: Instant,
    wall_ms: u64,
}

impl Clock {
    fn now(&self) -> Now {
        let mono_ms = self.started.elapsed().as_millis() as u64;
        Now { boot: 1, mono_ms, wall_ms: self.wall_ms + mono_ms }
    }
}

/// The loop of the core's contract: handle what is there, commit once, poll until nothing is left, sleep until the deadline.
fn drive(
    mut core: Core,
    clock: Clock,
    net: Net,
    inbox: (mpsc::Receiver<Work>, tokio::runtime::Handle),
    seen: std_mpsc::Sender<Instant>,
) {
    let (mut inbox, runtime) = inbox;
    let mut waiting = std::collections::BTreeMap::new();
    let mut requests = 0;
    loop {
        while let Some(output) = core.poll().expect("the disk works") {
            match output {
                Output::Reply(id, result) => {
                    let answer: Option<std_mpsc::Sender<_>> = waiting.remove(&id);
                    if let Some(answer) = answer {
                        let _ = answer.send(result);
                    }
                }
                Output::Send(link, lane, bytes) => {
                    _ = net.send(stockroom_transport::LinkId(link.0), lane as u8, bytes.into())
                }
                Output::Close(link, reason) => net.close(stockroom_transport::LinkId(link.0), &reason),
                Output::Event(Event::Entry { .. }) => _ = seen.send(Instant::now()),
                Output::Event(_) | Output::Token(_) | Output::Introduced(_) => {}
            }
        }
        let until = core.deadline().map_or(3_600_000, |at| at.saturating_sub(clock.now().mono_ms));
        let first = runtime.block_on(async { tokio::time::timeout(Duration::from_millis(until), inbox.recv()).await });
        let mut batch: Vec<Work> = first.ok().flatten().into_iter().collect();
        while batch.len() < 1_024
            && let Ok(more) = inbox.try_recv()
        {
            batch.push(more);
        }
        if batch.is_empty() {
            core.handle(clock.now(), Input::Wake).expect("the disk works");
        }
        for work in batch {
            let input = match work {
                Work::Stop => return,
                Work::Ask(command, answer) => {
                    requests += 1;
                    waiting.insert(RequestId(requests), answer);
                    Input::Command(RequestId(requests), command)
                }
                Work::Net(event) => input(event),
            };
            core.handle(clock.now(), input).expect("the disk works");
        }
        core.commit(clock.now()).expect("the disk works");
    }
}

fn input(event: NetEvent) -> Input {
    match event {
        NetEvent::Up { link, peer, addr, .. } => {
            let role = match peer.role {
                stockroom_transport::Role::Hub => Role::Hub,
                stockroom_transport::Role::Store => Role::Store,
            };
            let address = Some(addr.to_string());
            Input::LinkUp(LinkId(link.0), Peer { node: NodeId(peer.node), role, store: StoreId(peer.store), address })
        }
        NetEvent::Frame { link, bytes, .. } => Input::Frame(LinkId(link.0), bytes.to_vec()),
        NetEvent::Writable { link, bytes } => Input::Writable(LinkId(link.0), bytes),
        NetEvent::Down { link, .. } => Input::LinkDown(LinkId(link.0)),
        NetEvent::TurnedAway { peer } => Input::TurnedAway(NodeId(peer.node)),
        NetEvent::Datagram { .. } => Input::Wake,
    }
}

fn hub() -> Capability {
    capability(1, Role::Hub, 0)
}

fn capability(node: u32, role: Role, issuer: u32) -> Capability {
    Capability {
        node: NodeId(node),
        role,
        store: StoreId(u32::from(role == Role::Store)),
        log_key: signer(node).public(),
        seal_key: public_key(&[node as u8; 32]),
        range_first: 2,
        range_last: 99,
        issued_ms: 0,
        issuer: NodeId(issuer),
        signature: [0; 64],
    }
    .sign(TENANT, &signer(issuer))
}

fn signer(node: u32) -> Signer {
    Signer::from_seed(&Digest::of(&[b"bench", &node.to_be_bytes()]).0)
}

fn now_s() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

fn transport_tenant() -> stockroom_transport::TenantId {
    stockroom_transport::TenantId(TENANT.0)
}

const TENANT: TenantId = TenantId([5; 16]);
