//! A hub and a store of it, both cores on redb files, linked by nothing but calls: what one says the other hears at once. For
//! figures in which no link should have a part.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use stockroom_core::continuity::Evidence;
use stockroom_core::core::{Config, Core, Identity};
use stockroom_core::input::enrolment::{EnrolRequest, TokenRequest};
use stockroom_core::input::{Answer, Command, Input, LinkId, Output, Peer, Refusal, RequestId, RetryKey};
use stockroom_core::sealed::public_key;
use stockroom_core::storage::Snapshot;
use stockroom_core::storage::redb::RedbStore;
use stockroom_core::time::Now;
use stockroom_core::tuning::Tuning;
use stockroom_crdt::capability::{Capability, Role, Signer};
use stockroom_crdt::codec::{RowReader, Rows};
use stockroom_crdt::ids::{Code, Digest, NodeId, Sku, StoreId, TenantId};
use stockroom_crdt::money::{Currency, Unit};
use stockroom_crdt::product::Product;
use stockroom_crdt::receiving::{GoodsReceipt, ReceiptLine};

/// A hub, and a store that it admitted.
pub struct Market {
    /// Node 1.
    pub hub: Node,
    /// Node 2, of store 1.
    pub store: Node,
}

/// One core, and what it said.
pub struct Node {
    core: Core,
    requests: u64,
    /// Answers that nobody took yet, by the number of their request.
    answers: Vec<(u64, Result<Answer, Refusal>)>,
    /// Frames that nobody carried yet.
    frames: Vec<Vec<u8>>,
    token: Option<Vec<u8>>,
    clock: Clock,
}

#[derive(Clone, Copy)]
struct Clock {
    started: Instant,
    /// Time that passed without anybody waiting for it.
    skipped_ms: u64,
}

impl Market {
    /// Two fresh nodes with their databases in `folder`, linked.
    pub fn open(folder: &Path) -> Self {
        let clock = Clock { started: Instant::now(), skipped_ms: 0 };
        let mut hub = Node::open(&folder.join("hub.redb"), vec![hub()], (1, None), clock);
        let token = Digest([7; 32]);
        let log_key = signer(2).public();
        let enrol = EnrolRequest { token, log_key, seal_key: public_key(&[2; 32]) };
        hub.must(Command::IssueToken(order(token)));
        let Answer::Enrolled { chain, .. } = hub.must(Command::Enrol(enrol)) else {
            panic!("an enrolment is answered by one")
        };
        std::fs::write(folder.join("chain"), Rows::of(|sink| chain.iter().for_each(|link| link.encode(sink))))
            .expect("the disk works");
        let store = Node::open(&folder.join("store.redb"), chain, (2, None), clock);
        let mut market = Self { hub, store };
        market.link();
        market.settle();
        market
    }

    /// Connects both.
    pub fn link(&mut self) {
        let store = Peer { node: NodeId(2), role: Role::Store, store: StoreId(1), address: None };
        let hub = Peer { node: NodeId(1), role: Role::Hub, store: StoreId(0), address: None };
        for (node, peer) in [(&mut self.hub, store), (&mut self.store, hub)] {
            let now = node.clock.now();
            node.core.handle(now, Input::LinkUp(LINK, peer)).expect("the disk works");
            node.core.handle(now, Input::Writable(LINK, usize::MAX >> 1)).expect("the disk works");
        }
    }

    /// Parts them.
    pub fn cut(&mut self) {
        for node in [&mut self.hub, &mut self.store] {
            node.core.handle(node.clock.now(), Input::LinkDown(LINK)).expect("the disk works");
            node.turn();
        }
    }

    /// Carries frames until nobody has any, with seconds in between for what waits to be sent together.
    pub fn settle(&mut self) {
        for _ in 0..4 {
            loop {
                let (down, up) = (self.hub.turn(), self.store.turn());
                if down.is_empty() && up.is_empty() {
                    break;
                }
                down.into_iter().for_each(|frame| self.store.hear(frame));
                up.into_iter().for_each(|frame| self.hub.hear(frame));
            }
            for node in [&mut self.hub, &mut self.store] {
                node.clock.skipped_ms += 1_000;
                node.core.handle(node.clock.now(), Input::Wake).expect("the disk works");
            }
        }
    }

    /// Puts that many products into the catalogue and on the store's shelves, a hundred pieces of each.
    pub fn stock(&mut self, products: usize) {
        for first in (0..products).step_by(stockroom_core::limits::IMPORT_ITEMS_MAX) {
            let chunk = first..products.min(first + stockroom_core::limits::IMPORT_ITEMS_MAX);
            let list = chunk.clone().map(product).collect();
            self.hub.must(Command::Products(retry(b"products", first), list));
            self.settle();
        }
        for first in (0..products).step_by(LINES) {
            let chunk = first..products.min(first + LINES);
            let line =
                |n| ReceiptLine { sku: sku(n), unit: Unit::Each, quantity: 100, lot: Code::default(), expiry_day: 0 };
            let receipt =
                GoodsReceipt { document: Code::default(), staff: Code::default(), lines: chunk.map(line).collect() };
            self.store.must(Command::Receive(retry(b"goods", first), receipt));
            self.settle();
        }
    }
}

impl Node {
    /// Opens a core. `(id, token)` is the node, and the continuity token that it left.
    fn open(path: &Path, chain: Vec<Capability>, (id, token): (u32, Option<Vec<u8>>), clock: Clock) -> Self {
        let mut file = std::fs::File::options();
        let file = file.read(true).write(true).create(true).truncate(false).open(path).expect("the disk works");
        let store = RedbStore::open_file(file, CACHE_BYTES).expect("the disk works");
        let identity = Identity {
            tenant: TENANT,
            root_key: signer(0).public(),
            chain,
            signer: signer(id),
            seal_secret: [id as u8; 32],
        };
        let evidence = Evidence { token, volume: Digest([0; 32]), restored: false };
        let version = Code::parse("bench").expect("a short word");
        let config =
            Config { identity, evidence, seed: [id as u8; 32], version, quarantine: None, tuning: Tuning::default() };
        let core = Core::open(config, Box::new(store), clock.now()).expect("the database is good");
        Self { core, requests: 0, answers: Vec::new(), frames: Vec::new(), token: None, clock }
    }

    /// The store of an earlier market, from its files.
    pub fn reopen(folder: &Path) -> Self {
        let bytes = std::fs::read(folder.join("chain")).expect("an earlier market left it");
        let mut reader = RowReader::new(&bytes);
        let chain = (0..2).map(|_| Capability::decode(&mut reader).expect("our own bytes")).collect();
        let token = std::fs::read(folder.join("token")).ok();
        let clock = Clock { started: Instant::now(), skipped_ms: 0 };
        Self::open(&folder.join("store.redb"), chain, (2, token), clock)
    }

    /// Leaves what [`Node::reopen`] needs beside the database.
    pub fn leave(self, folder: &Path) {
        let token = self.token.clone().expect("something was written");
        drop(self);
        std::fs::write(folder.join("token"), token).expect("the disk works");
    }

    /// Asks, and gives the answer when it is durable.
    pub fn ask(&mut self, command: Command) -> Result<Answer, Refusal> {
        self.requests += 1;
        let id = self.requests;
        let now = self.clock.now();
        self.core.handle(now, Input::Command(RequestId(id), Box::new(command))).expect("the disk works");
        self.core.commit(now).expect("the disk works");
        self.poll();
        let at = self.answers.iter().position(|(of, _)| *of == id).expect("a command is answered with its commit");
        self.answers.swap_remove(at).1
    }

    /// Asks for many things in one commit, none of which can be refused.
    pub fn must_all(&mut self, commands: impl IntoIterator<Item = Command>) {
        let now = self.clock.now();
        for command in commands {
            self.requests += 1;
            let id = RequestId(self.requests);
            self.core.handle(now, Input::Command(id, Box::new(command))).expect("the disk works");
        }
        self.core.commit(now).expect("the disk works");
        self.poll();
        for (_, answer) in self.answers.drain(..) {
            answer.unwrap_or_else(|refusal| panic!("refused: {refusal}"));
        }
    }

    /// [`Node::ask`] for what cannot be refused.
    pub fn must(&mut self, command: Command) -> Answer {
        self.ask(command).unwrap_or_else(|refusal| panic!("refused: {refusal}"))
    }

    /// Lets seconds pass without anybody to talk to.
    pub fn settle_alone(&mut self) {
        for _ in 0..4 {
            self.turn();
            self.clock.skipped_ms += 1_000;
            self.core.handle(self.clock.now(), Input::Wake).expect("the disk works");
        }
        self.turn();
    }

    /// What is committed.
    pub fn snapshot(&self) -> Arc<dyn Snapshot> {
        self.core.reader().snapshot().expect("the disk works")
    }

    fn hear(&mut self, frame: Vec<u8>) {
        self.core.handle(self.clock.now(), Input::Frame(LINK, frame)).expect("the disk works");
    }

    /// Commits and gives the frames for the other.
    fn turn(&mut self) -> Vec<Vec<u8>> {
        self.core.commit(self.clock.now()).expect("the disk works");
        self.poll();
        std::mem::take(&mut self.frames)
    }

    fn poll(&mut self) {
        while let Some(output) = self.core.poll().expect("the disk works") {
            match output {
                Output::Reply(id, answer) => self.answers.push((id.0, answer)),
                Output::Send(_, _, bytes) => {
                    let room = Input::Writable(LINK, bytes.len());
                    self.core.handle(self.clock.now(), room).expect("the disk works");
                    self.frames.push(bytes);
                }
                Output::Close(_, why) => panic!("a link was closed: {why}"),
                Output::Token(token) => self.token = Some(token),
                Output::Event(_) | Output::Introduced(_) => {}
            }
        }
    }
}

impl Clock {
    fn now(&self) -> Now {
        let mono_ms = self.started.elapsed().as_millis() as u64 + self.skipped_ms;
        Now { boot: 1, mono_ms, wall_ms: WALL_MS + mono_ms }
    }
}

/// The tenant of a market.
pub const TENANT: TenantId = TenantId([6; 16]);

/// A retry key for the `n`th thing of a sort.
pub fn retry(what: &[u8], n: usize) -> RetryKey {
    let key = Digest::of(&[what, &n.to_be_bytes()]);
    RetryKey { key, body: key }
}

/// The `n`th product.
pub fn sku(n: usize) -> Sku {
    Sku::parse(&(800_000 + n).to_string()).expect("a number")
}

/// Where a market's files may lie.
pub fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().to_owned();
    (folder, path)
}

fn product(n: usize) -> Product {
    Product {
        sku: sku(n),
        name: format!("Product number {n}, 500 g"),
        unit: Unit::Each,
        barcodes: Vec::new(),
        item_number: 0,
        tax_code: Code::parse("food").expect("a short word"),
        department: Code::parse("grocery").expect("a short word"),
        owner: Code::default(),
        age_min: 0,
        excluded: 0,
        discontinued: false,
    }
}

fn order(token: Digest) -> TokenRequest {
    let code = |text: &str| Code::parse(text).expect("a short word");
    TokenRequest {
        token,
        store: StoreId(1),
        name: "Store 1".into(),
        book: code("default"),
        group: code("chain"),
        currency: Currency::parse("EUR").expect("three letters"),
        zone: code("UTC"),
        rollover_min: 240,
        coordinates: None,
        valid_ms: 3_600_000,
    }
}

fn hub() -> Capability {
    Capability {
        node: NodeId(1),
        role: Role::Hub,
        store: StoreId(0),
        log_key: signer(1).public(),
        seal_key: public_key(&[1; 32]),
        range_first: 2,
        range_last: 99,
        issued_ms: 0,
        issuer: NodeId(0),
        signature: [0; 64],
    }
    .sign(TENANT, &signer(0))
}

fn signer(node: u32) -> Signer {
    Signer::from_seed(&Digest::of(&[b"market", &node.to_be_bytes()]).0)
}

const LINK: LinkId = LinkId(1);

/// As much as a node gives its database unless told otherwise.
const CACHE_BYTES: usize = 32 << 20;

/// A day in 2025: rates and ages count from here.
const WALL_MS: u64 = 1_750_000_000_000;

/// Lines of one delivery.
const LINES: usize = 1_000;
