//! A hub and a store whose cores are linked in memory, each behind the routers of its API.
//!
//! One task owns both cores. After each request it lets a few seconds pass on their clocks and answers only when both have
//! nothing more to say to each other, so what the hub has written is at the store when the hub's client hears of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use serde_json::Value;
use stockroom_core::continuity::Evidence;
use stockroom_core::core::{Config, Core, Identity};
use stockroom_core::input::enrolment::{EnrolRequest, TokenRequest};
use stockroom_core::input::{Answer, Command, DiskSpace, Input, LinkId, Output, Peer, Refusal, RequestId};
use stockroom_core::sealed::public_key;
use stockroom_core::status::Status;
use stockroom_core::storage::memory::MemoryStore;
use stockroom_core::time::Now;
use stockroom_core::tuning::Tuning;
use stockroom_crdt::capability::{Capability, Role, Signer};
use stockroom_crdt::ids::{Code, Digest, NodeId, StoreId, TenantId};
use stockroom_crdt::money::Currency;
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tower::ServiceExt;

use crate::api::gate::Door;
use crate::api::pages::shown::Shown;
use crate::api::pages::words::Language;
use crate::api::values::now_ms;
use crate::api::{Api, router};
use crate::config::Profile;
use crate::courier::desk::{Desk, Setup};
use crate::courier::settings::CourierSettings;
use crate::devices::DeviceStore;
use crate::enrol::Enrolment;
use crate::handle::{Handle, NumberedEvent, Request as Ask};
use crate::info::{ApiConfig, Links, NodeInfo};
use crate::paper::printer::{Settings as Printer, Target};
use crate::paper::spool::Spool;
use crate::terminal::Terminal;
use crate::terminal::desk::Desk as CashDesk;
use crate::terminal::settings::Terminals;
use crate::terminal::simulated::Simulated;
use crate::terminal::tenders::{self, CoreTenders};
use crate::webhooks::endpoint::Settings;
use crate::webhooks::service::Webhooks;

/// A hub and a store.
pub struct Pair {
    /// Node 1.
    pub hub: Node,
    /// Node 2, store 1.
    pub store: Node,
    /// Room on both disks.
    pub disk: mpsc::Sender<DiskSpace>,
    /// The link between them is cut, or let back, before the next request is answered.
    pub cut: mpsc::Sender<bool>,
}

/// One node's API.
pub struct Node {
    /// Behind the loopback door.
    pub local: Router,
    /// Behind the LAN door.
    pub lan: Router,
    /// Devices that may use the LAN door.
    pub devices: DeviceStore,
    /// Ends its streams.
    pub stop: watch::Sender<bool>,
    /// Links that were cut or let back.
    pub cuts: Cuts,
    /// At a store: the payment terminal `lane-1`.
    pub terminal: Arc<Simulated>,
    /// What the API was made of, to be served on sockets.
    pub parts: (Handle, NodeInfo, ApiConfig),
    _folder: tempfile::TempDir,
}

/// Calls of the switch that cuts links.
type Cuts = Arc<Mutex<Vec<(Option<u32>, bool)>>>;

/// What a node answered.
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub bytes: Vec<u8>,
}

impl Reply {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_else(|_| panic!("not JSON: {}", self.text()))
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    /// The body, if the status is this one.
    pub fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text());
        self.json()
    }
}

impl Node {
    /// A request through the loopback door.
    pub async fn get(&self, path: &str) -> Reply {
        let reply = call(&self.local, Method::GET, path, &[], Vec::new()).await;
        if reply.status == StatusCode::OK
            && let Some((_, field)) = SENTENCES.iter().find(|(part, _)| path.contains(part))
        {
            is_spoken(&reply.json(), field);
        }
        reply
    }

    /// A write in JSON, with a key if there is one.
    pub async fn send(&self, method: Method, path: &str, key: Option<&str>, body: Value) -> Reply {
        let mut headers = vec![("content-type", "application/json")];
        headers.extend(key.map(|key| ("idempotency-key", key)));
        call(&self.local, method, path, &headers, body.to_string().into_bytes()).await
    }

    /// A POST in JSON.
    pub async fn post(&self, path: &str, key: &str, body: Value) -> Reply {
        self.send(Method::POST, path, Some(key), body).await
    }
}

/// Every sentence that an answer has under this name is in the pages' table of sentences, so that it is read in Chinese too.
fn is_spoken(value: &Value, field: &str) {
    match value {
        Value::Array(all) => all.iter().for_each(|value| is_spoken(value, field)),
        Value::Object(all) => all.iter().for_each(|(name, value)| match value {
            Value::String(text) if name == field => {
                let shown = Shown::new(Language::Chinese, None).sentence_text(text);
                assert_ne!(&shown, text, "no pattern fits this sentence");
            }
            other => is_spoken(other, field),
        }),
        _ => {}
    }
}

/// Paths whose answers have sentences that pages show, and the fields in which they stand.
const SENTENCES: [(&str, &str); 5] = [
    ("/history", "what"),
    ("/v1/availability", "why"),
    ("/v1/orders/", "why"),
    ("/v1/reservations/", "why"),
    ("/v1/returns/", "why"),
];

/// One request through a router.
pub async fn call(router: &Router, method: Method, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Reply {
    let mut request = Request::builder().method(method).uri(path);
    if !headers.iter().any(|(name, _)| *name == "host") {
        request = request.header(header::HOST, "localhost:7400");
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = router.clone().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap().to_vec();
    Reply { status: parts.status, headers: parts.headers, bytes }
}

/// Starts both nodes on the test's runtime.
pub fn start() -> Pair {
    let root = Signer::from_seed(&[9; 32]);
    let hub_chain = vec![hub_capability(&root)];
    let mut hub = open(&root, hub_chain, 1);
    let store_chain = enrol(&mut hub);
    let store = open(&root, store_chain, 2);
    let (disk, disks) = mpsc::channel(4);
    let (cut, cuts) = mpsc::channel(4);
    let (hub_asks, hub_node) = node(&hub, "hub", 1, 0);
    let (store_asks, store_node) = node(&store, "store", 2, 1);
    tokio::spawn(work([Side::new(hub, hub_asks), Side::new(store, store_asks)], (disks, cuts)));
    Pair { hub: hub_node, store: store_node, disk, cut }
}

struct Ends {
    asks: mpsc::Receiver<Ask>,
    status: watch::Sender<Arc<Status>>,
    events: broadcast::Sender<NumberedEvent>,
}

struct Side {
    core: Core,
    ends: Ends,
    waiting: BTreeMap<u64, oneshot::Sender<Result<Answer, Refusal>>>,
    answered: Vec<(u64, Result<Answer, Refusal>)>,
    asked: u64,
    told: u64,
}

impl Side {
    fn new(core: Core, ends: Ends) -> Self {
        Self { core, ends, waiting: BTreeMap::new(), answered: Vec::new(), asked: 0, told: 0 }
    }

    fn ask(&mut self, ask: Ask, now: Now) {
        self.asked += 1;
        self.waiting.insert(self.asked, ask.answer);
        self.core.handle(now, Input::Command(RequestId(self.asked), ask.command)).unwrap();
    }

    /// Commits and gives the frames for the other side.
    fn turn(&mut self, now: Now) -> Vec<Vec<u8>> {
        self.core.commit(now).unwrap();
        let mut frames = Vec::new();
        while let Some(output) = self.core.poll().unwrap() {
            match output {
                Output::Reply(id, answer) => self.answered.push((id.0, answer)),
                Output::Send(_, _, bytes) => {
                    self.core.handle(now, Input::Writable(LINK, bytes.len())).unwrap();
                    frames.push(bytes);
                }
                // Whoever opens an epoch is greeted anew; nothing in these tests waits for that.
                Output::Close(_, why) if why == "a new epoch was opened" => {}
                Output::Close(_, why) => panic!("a link was closed: {why}"),
                Output::Event(event) => {
                    self.told += 1;
                    let _ = self.ends.events.send(NumberedEvent { number: self.told, at_ms: now_ms(), event });
                }
                Output::Token(_) | Output::Introduced(_) => {}
            }
        }
        frames
    }
}

async fn work(mut sides: [Side; 2], (mut disks, mut cuts): (mpsc::Receiver<DiskSpace>, mpsc::Receiver<bool>)) {
    let mut mono_ms = 0;
    link(&mut sides, mono_ms, true);
    loop {
        settle(&mut sides, &mut mono_ms);
        let [hub, store] = &mut sides;
        tokio::select! {
            biased;
            Some(space) = disks.recv() => {
                hub.core.handle(at(mono_ms), Input::Disk(space)).unwrap();
                store.core.handle(at(mono_ms), Input::Disk(space)).unwrap();
            }
            Some(is_cut) = cuts.recv() => link(&mut sides, mono_ms, !is_cut),
            Some(ask) = hub.ends.asks.recv() => hub.ask(ask, at(mono_ms)),
            Some(ask) = store.ends.asks.recv() => store.ask(ask, at(mono_ms)),
            else => return,
        }
    }
}

/// Connects both, or cuts them.
fn link(sides: &mut [Side; 2], mono_ms: u64, is_up: bool) {
    let peers = [
        Peer { node: NodeId(2), role: Role::Store, store: StoreId(1), address: None },
        Peer { node: NodeId(1), role: Role::Hub, store: StoreId(0), address: None },
    ];
    for (side, peer) in sides.iter_mut().zip(peers) {
        if is_up {
            side.core.handle(at(mono_ms), Input::LinkUp(LINK, peer)).unwrap();
            side.core.handle(at(mono_ms), Input::Writable(LINK, 64 << 20)).unwrap();
        } else {
            side.core.handle(at(mono_ms), Input::LinkDown(LINK)).unwrap();
        }
    }
}

/// Carries frames until nobody has any, lets time pass for what waits to be sent together, then delivers the answers.
fn settle(sides: &mut [Side; 2], mono_ms: &mut u64) {
    for _ in 0..4 {
        carry(sides, at(*mono_ms));
        *mono_ms += 1_000;
        for side in sides.iter_mut() {
            side.core.handle(at(*mono_ms), Input::Wake).unwrap();
        }
    }
    carry(sides, at(*mono_ms));
    for side in sides {
        side.ends.status.send_replace(Arc::new(side.core.status().unwrap()));
        for (id, answer) in side.answered.drain(..) {
            let _ = side.waiting.remove(&id).unwrap().send(answer);
        }
    }
}

fn carry(sides: &mut [Side; 2], now: Now) {
    loop {
        let [hub, store] = sides;
        let (down, up) = (hub.turn(now), store.turn(now));
        if down.is_empty() && up.is_empty() {
            return;
        }
        for frame in down {
            store.core.handle(now, Input::Frame(LINK, frame)).unwrap();
        }
        for frame in up {
            hub.core.handle(now, Input::Frame(LINK, frame)).unwrap();
        }
    }
}

fn node(core: &Core, role: &'static str, id: u32, store: u32) -> (Ends, Node) {
    let folder = tempfile::tempdir().unwrap();
    let (asks, receiver) = mpsc::channel(64);
    let (status, statuses) = watch::channel(Arc::new(core.status().unwrap()));
    let (events, _) = broadcast::channel(64);
    let handle = Handle::new(asks, core.reader(), statuses, events.clone());
    let enrolment = Enrolment::open(folder.path().join("enrolment.json"), [1; 32], [2; 32]);
    let cuts = Cuts::default();
    let noted = cuts.clone();
    let info = NodeInfo {
        tenant: "00".repeat(16),
        node: id,
        role,
        store,
        profile: Profile::default(),
        name: "Acme".into(),
        data_dir: folder.path().into(),
        version: "0.0.0",
        started_ms: 1_000,
        enrolment: (store == 0).then(|| Arc::new(enrolment)),
        links_until_unix_s: u64::MAX / 1_000_000,
        links: Links::new(BTreeMap::new, move |node, cut| noted.lock().unwrap().push((node, cut))),
    };
    let devices = DeviceStore::open(folder.path().join("devices.json"));
    let listen = "127.0.0.1:0".parse().unwrap();
    let allowed = Settings { allow_loopback: true, ..Settings::default() };
    let webhooks = Webhooks::open(folder.path(), &allowed, &BTreeMap::new(), now_ms());
    let setup = Setup {
        node: NodeId(id),
        store: (store != 0).then_some(StoreId(store)),
        tenant: TENANT,
        seal_secret: [id as u8; 32],
        file: folder.path().join("deliveries.json"),
    };
    // Where the store is: it was enrolled without a place.
    let places = BTreeMap::from([("1".to_owned(), [52_500_000, 13_400_000])]);
    let desk = Desk::open(CourierSettings { places, ..CourierSettings::default() }, setup, handle.clone());
    let test_aids = store != 0;
    let target = (store != 0).then(|| Target::File(folder.path().join("paper.bin")));
    let printer = Spool::open(&folder.path().join("spool"), Printer { target, ..Printer::default() }).unwrap();
    let printer = Some(Arc::new(printer));
    let terminal = Arc::new(Simulated::default());
    let lane: Arc<dyn Terminal> = terminal.clone();
    let lanes = Terminals::from([(Code::parse("lane-1").unwrap(), lane)]);
    let terminals = if store == 0 { BTreeSet::new() } else { lanes.keys().cloned().collect() };
    let config =
        ApiConfig { listen, lan: None, devices: devices.clone(), test_aids, webhooks, printer, desk, terminals };
    let (stop, stopping) = watch::channel(false);
    if store != 0 {
        let tenders = CoreTenders::new(handle.clone(), StoreId(store));
        let desk = CashDesk::open(tenders, lanes, now_ms(), &[20]);
        tokio::spawn(tenders::wake(desk.clone(), handle.events()));
        tokio::spawn(desk.run(stopping.clone()));
    }
    let parts = (handle.clone(), info.clone(), config.clone());
    let api = Api::new(handle, info, config, stopping);
    let local = router(&api, Door::Loopback { address: listen.ip() });
    let lan = router(&api, Door::Lan);
    let node = Node { local, lan, devices, stop, cuts, terminal, parts, _folder: folder };
    (Ends { asks: receiver, status, events }, node)
}

fn open(root: &Signer, chain: Vec<Capability>, id: u32) -> Core {
    let identity = Identity {
        tenant: TENANT,
        root_key: root.public(),
        chain,
        signer: Signer::from_seed(&[id as u8; 32]),
        seal_secret: [id as u8; 32],
    };
    let evidence = Evidence { token: None, volume: Digest([0; 32]), restored: false };
    let version = Code::parse("test").unwrap();
    let config =
        Config { identity, evidence, seed: [id as u8; 32], version, quarantine: None, tuning: Tuning::default() };
    Core::open(config, Box::new(MemoryStore::default()), at(0)).unwrap()
}

fn enrol(hub: &mut Core) -> Vec<Capability> {
    let token = Digest([7; 32]);
    let order = TokenRequest {
        token,
        store: StoreId(1),
        name: "Main Street".into(),
        book: Code::parse("main").unwrap(),
        group: Code::parse("chain").unwrap(),
        currency: Currency::parse("EUR").unwrap(),
        zone: Code::parse("UTC").unwrap(),
        rollover_min: 240,
        coordinates: None,
        valid_ms: 60_000,
    };
    let log_key = Signer::from_seed(&[2; 32]).public();
    let request = EnrolRequest { token, log_key, seal_key: public_key(&[2; 32]) };
    for (id, command) in [(1, Command::IssueToken(order)), (2, Command::Enrol(request))] {
        hub.handle(at(0), Input::Command(RequestId(id), Box::new(command))).unwrap();
    }
    hub.commit(at(0)).unwrap();
    let mut chain = Vec::new();
    while let Some(output) = hub.poll().unwrap() {
        if let Output::Reply(_, Ok(Answer::Enrolled { chain: given, .. })) = output {
            chain = given;
        }
    }
    chain
}

fn hub_capability(root: &Signer) -> Capability {
    Capability {
        node: NodeId(1),
        role: Role::Hub,
        store: StoreId(0),
        log_key: Signer::from_seed(&[1; 32]).public(),
        seal_key: public_key(&[1; 32]),
        range_first: 2,
        range_last: 99,
        issued_ms: 0,
        issuer: NodeId(0),
        signature: [0; 64],
    }
    .sign(TENANT, root)
}

fn at(mono_ms: u64) -> Now {
    Now { boot: 1, mono_ms, wall_ms: now_ms() }
}

const TENANT: TenantId = TenantId([0; 16]);
const LINK: LinkId = LinkId(1);
