//! `links [--sales N] [--above] SIZE...`: what one sale costs a chain of SIZE stores linked to one hub, in wall time and memory.
//!
//! Cores hand their frames to each other directly, with no latency and no network model, so that what is measured is theirs.
//! Each store sells once a second, round robin; everything else that falls due meanwhile (seals, tokens, feeds that
//! waited, acknowledgements, pulses) is paid for by the sales. With `--above` the hub has a hub of its own.

#![allow(
    clippy::disallowed_macros,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a program at the edge of the pure crate"
)]

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::process::ExitCode;
use std::time::Instant;

use stockroom_core::input::enrolment::{EnrolRequest, TokenRequest};
use stockroom_core::input::sales::{SellLine, SellRequest};
use stockroom_core::input::{Answer, Command, Input, LinkId, Output, Peer, RequestId, RetryKey};
use stockroom_crdt::capability::{Capability, Role, Signer};
use stockroom_crdt::ids::{Code, Digest, NodeId, Sku, StoreId, TenantId, TillId};
use stockroom_crdt::money::{Currency, Unit};
use stockroom_crdt::product::Product;
use stockroom_crdt::receiving::Disposition;
use stockroom_crdt::sale::{Tender, TenderKind};
use stockroom_sim::node::{Keys, SimNode};

fn main() -> ExitCode {
    let (mut sizes, mut sales, mut above) = (Vec::new(), 2_000, false);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match (argument.as_str(), argument.parse()) {
            ("--sales", _) => sales = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(sales),
            ("--above", _) => above = true,
            (_, Ok(size)) if (1..=1_500).contains(&size) => sizes.push(size),
            _ => {
                eprintln!("usage: links [--sales N] [--above] SIZE...");
                return ExitCode::FAILURE;
            }
        }
    }
    if sizes.is_empty() {
        sizes = vec![10, 100, 1_000];
    }
    println!("stores   us/sale   cpu us/sale   frames/sale   bytes/sale   resident bytes/sale   linking ms");
    for size in sizes {
        measure(size, sales, above);
    }
    ExitCode::SUCCESS
}

fn measure(stores: u32, sales: u64, above: bool) {
    let mut chain = Chain::new(stores, above);
    let began = Instant::now();
    chain.link_all();
    let linking = began.elapsed().as_millis();
    let round = u64::from(stores);
    chain.sell(round.max(200), round);
    let cpu = cpu_ms();
    let (began, resident, frames, bytes) = (Instant::now(), resident_bytes(), chain.frames, chain.bytes);
    chain.sell(sales, round);
    let spent = began.elapsed().as_secs_f64() * 1e6 / sales as f64;
    let cpu = (cpu_ms() - cpu) as f64 * 1e3 / sales as f64;
    let grown = resident_bytes().saturating_sub(resident) / sales;
    let (frames, bytes) = ((chain.frames - frames) as f64 / sales as f64, (chain.bytes - bytes) / sales);
    println!("{stores:6} {spent:9.1} {cpu:13.1} {frames:13.2} {bytes:12} {grown:21} {linking:12}");
    chain.check();
}

/// All nodes of a chain, and what is on its way between them.
struct Chain {
    nodes: BTreeMap<u32, SimNode>,
    hub: u32,
    stores: Vec<u32>,
    now_ms: u64,
    /// When the first sale is due.
    linked_ms: u64,
    sold: u64,
    links: BTreeMap<u64, (u32, u32)>,
    on_its_way: VecDeque<(u32, LinkId, Vec<u8>)>,
    due: BTreeMap<u32, u64>,
    timers: BTreeSet<(u64, u32)>,
    answers: Vec<Answer>,
    frames: u64,
    bytes: u64,
}

impl Chain {
    fn new(stores: u32, above: bool) -> Self {
        let tenant = TenantId(Digest::of(&[b"tenant"]).short());
        let root = Signer::from_seed(&Digest::of(&[b"root"]).0);
        let keys = Keys::derive(1, 1);
        let top = vec![SimNode::hub_capability(tenant, &root, &keys)];
        let mut chain = Self {
            nodes: BTreeMap::from([(1, SimNode::new(tenant, root.public(), keys.clone(), top.clone()))]),
            hub: 1,
            stores: Vec::new(),
            now_ms: START_MS,
            linked_ms: 0,
            sold: 0,
            links: BTreeMap::new(),
            on_its_way: VecDeque::new(),
            due: BTreeMap::new(),
            timers: BTreeSet::new(),
            answers: Vec::new(),
            frames: 0,
            bytes: 0,
        };
        chain.start(1);
        chain.put_products();
        if above {
            let lower = Keys::derive(1, HUB_BELOW);
            let capability = Capability {
                node: NodeId(HUB_BELOW),
                role: Role::Hub,
                store: StoreId(0),
                log_key: lower.signer().public(),
                seal_key: lower.seal_key(),
                range_first: HUB_BELOW + 1,
                range_last: HUB_BELOW + 2_000,
                issued_ms: 0,
                issuer: NodeId(1),
                signature: [0; 64],
            }
            .sign(tenant, &keys.signer());
            let below = top.into_iter().chain([capability]).collect();
            chain.nodes.insert(HUB_BELOW, SimNode::new(tenant, root.public(), lower, below));
            chain.hub = HUB_BELOW;
            chain.start(HUB_BELOW);
            // A hub tells its stores to those below it, never to the one above.
            for store in 1..=stores {
                chain.command(1, Command::IssueToken(token_request(store)));
            }
            chain.link(1, HUB_BELOW);
            chain.pass(SETTLE_MS);
        }
        for store in 1..=stores {
            let id = chain.enrol(store, (tenant, root.public()));
            chain.start(id);
            chain.stores.push(id);
        }
        chain
    }

    fn link_all(&mut self) {
        for store in self.stores.clone() {
            self.link(self.hub, store);
        }
        self.pass(SETTLE_MS);
        self.linked_ms = self.now_ms;
    }

    /// Every store sells once in a second.
    fn sell(&mut self, count: u64, round: u64) {
        for _ in 0..count {
            let store = self.stores[(self.sold % round) as usize];
            self.sold += 1;
            let request = sale(self.sold);
            self.input(store, Input::Command(RequestId(self.sold), Box::new(Command::Sell(request))));
            assert!(matches!(self.answers.pop(), Some(Answer::Written { replayed: false, .. })));
            self.deliver();
            self.pass_to(self.linked_ms + self.sold * 1_000 / round);
        }
    }

    /// What was measured really came about: the hubs know every sale.
    fn check(&mut self) {
        self.pass(SETTLE_MS);
        for hub in BTreeSet::from([1, self.hub]) {
            let core = self.nodes[&hub].core.as_ref().expect("the hub runs");
            let snapshot = core.reader().snapshot().expect("a memory disk does not fail");
            let view = stockroom_core::view::View::new(&*snapshot);
            let days = self.stores.iter().flat_map(|id| {
                let store = self.nodes[id].chain.last().expect("chains are not empty").store;
                view.days(store).expect("a memory disk does not fail")
            });
            assert_eq!(days.map(|day| day.receipts).sum::<u64>(), self.sold, "hub {hub}");
        }
    }

    fn pass(&mut self, ms: u64) {
        self.pass_to(self.now_ms + ms);
    }

    fn pass_to(&mut self, end: u64) {
        while let Some(&(at, id)) = self.timers.first().filter(|(at, _)| *at <= end) {
            self.now_ms = self.now_ms.max(at);
            self.input(id, Input::Wake);
            self.deliver();
        }
        self.now_ms = self.now_ms.max(end);
    }

    fn deliver(&mut self) {
        while let Some((to, link, bytes)) = self.on_its_way.pop_front() {
            let len = bytes.len();
            let (a, b) = self.links[&link.0];
            self.frames += 1;
            self.bytes += len as u64;
            self.input(to, Input::Frame(link, bytes));
            self.input(if to == a { b } else { a }, Input::Writable(link, len));
        }
    }

    fn link(&mut self, a: u32, b: u32) {
        let link = LinkId(self.links.len() as u64 + 1);
        self.links.insert(link.0, (a, b));
        for (me, other) in [(a, b), (b, a)] {
            let capability = self.nodes[&other].chain.last().expect("chains are not empty");
            let (node, role, store) = (capability.node, capability.role, capability.store);
            self.input(me, Input::LinkUp(link, Peer { node, role, store, address: None }));
            self.input(me, Input::Writable(link, WINDOW_BYTES));
        }
        self.deliver();
    }

    fn start(&mut self, id: u32) {
        let seed = Digest::of(&[b"start", &id.to_be_bytes()]).0;
        let node = self.nodes.get_mut(&id).expect("the node exists");
        node.start(self.now_ms, seed).expect("a memory disk does not fail");
        self.drain(id);
    }

    fn input(&mut self, id: u32, input: Input) {
        let node = self.nodes.get_mut(&id).expect("the node exists");
        let now = node.now(self.now_ms);
        let core = node.core.as_mut().expect("the node runs");
        core.handle(now, input).and_then(|()| core.commit(now)).expect("a memory disk does not fail");
        self.drain(id);
    }

    fn drain(&mut self, id: u32) {
        let node = self.nodes.get_mut(&id).expect("the node exists");
        let core = node.core.as_mut().expect("the node runs");
        while let Some(output) = core.poll().expect("a memory disk does not fail") {
            match output {
                Output::Send(link, _, bytes) => {
                    let (a, b) = self.links[&link.0];
                    self.on_its_way.push_back((if a == id { b } else { a }, link, bytes));
                }
                Output::Reply(_, answer) => self.answers.push(answer.expect("the request was a good one")),
                Output::Token(token) => node.token = Some(token),
                Output::Close(_, why) => panic!("node {id} closed a link: {why}"),
                Output::Event(_) | Output::Introduced(_) => {}
            }
        }
        let due = core.deadline().map(|mono| node.started_ms + mono);
        if let Some(before) = self.due.remove(&id) {
            self.timers.remove(&(before, id));
        }
        if let Some(due) = due {
            self.due.insert(id, due);
            self.timers.insert((due, id));
        }
    }

    fn command(&mut self, id: u32, command: Command) -> Answer {
        self.input(id, Input::Command(RequestId(0), Box::new(command)));
        self.answers.pop().expect("a command is answered after its commit")
    }

    fn put_products(&mut self) {
        let product = |number| Product {
            sku: sku(number),
            name: format!("Product {number}"),
            unit: Unit::Each,
            barcodes: Vec::new(),
            item_number: 0,
            tax_code: Code::default(),
            department: Code::default(),
            owner: Code::default(),
            age_min: 0,
            excluded: 0,
            discontinued: false,
        };
        let key = Digest::of(&[b"products"]);
        self.command(1, Command::Products(RetryKey { key, body: key }, (0..PRODUCTS).map(product).collect()));
    }

    fn enrol(&mut self, store: u32, (tenant, root_key): (TenantId, [u8; 32])) -> u32 {
        let request = token_request(store);
        let token = request.token;
        self.command(self.hub, Command::IssueToken(request));
        let keys = Keys::derive(2, store);
        let request = EnrolRequest { token, log_key: keys.signer().public(), seal_key: keys.seal_key() };
        let Answer::Enrolled { chain, .. } = self.command(self.hub, Command::Enrol(request)) else {
            panic!("a hub enrols a node that shows a fresh token");
        };
        let id = chain.last().expect("chains are not empty").node.0;
        self.nodes.insert(id, SimNode::new(tenant, root_key, keys, chain));
        id
    }
}

fn sku(number: u64) -> Sku {
    Sku::parse(&format!("SKU-{number}")).expect("a short word")
}

/// Allows one enrolment for a store.
fn token_request(store: u32) -> TokenRequest {
    let code = |text: &str| Code::parse(text).expect("a short word");
    TokenRequest {
        token: Digest::of(&[b"token", &store.to_be_bytes()]),
        store: StoreId(store),
        name: format!("Store {store}"),
        book: code("default"),
        group: code("chain"),
        currency: Currency::parse("EUR").expect("three letters"),
        zone: code("UTC"),
        rollover_min: 240,
        coordinates: None,
        valid_ms: 3_600_000,
    }
}

/// Three lines, paid in cash.
fn sale(number: u64) -> SellRequest {
    let line = |index| SellLine {
        sku: sku((number * 7 + index) % PRODUCTS),
        unit: None,
        quantity: 1,
        unit_price: Some(100),
        discount: 0,
        discount_reason: Code::default(),
        tax: None,
        lot: Code::default(),
        original: None,
        disposition: Disposition::Resale,
    };
    SellRequest {
        till: TillId(1),
        till_seq: number,
        body: Digest::of(&[&number.to_be_bytes()]),
        rung_ms: None,
        currency: Currency::parse("EUR"),
        cashier: Code::default(),
        approver: Code::default(),
        seller: Code::default(),
        foreign_key: Code::default(),
        fiscal: Vec::new(),
        lines: (0..3).map(line).collect(),
        cash_rounding: 0,
        tenders: vec![Tender { kind: TenderKind::Cash, amount: 300, reference: Code::default() }],
    }
}

/// Processor time that this process used, so that a busy machine does not count; 0 where the system does not tell.
fn cpu_ms() -> u64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let ticks = text.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11).take(2);
    ticks.filter_map(|ticks| ticks.parse::<u64>().ok()).sum::<u64>() * TICK_MS
}

/// Resident memory of this process; 0 where the system does not tell.
fn resident_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    text.split_whitespace().nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * PAGE_BYTES
}

/// A Monday morning in 2026.
const START_MS: u64 = 1_767_600_000_000;

/// Long enough for everything that waits to be sent together.
const SETTLE_MS: u64 = 20_000;

/// What a link takes before the first acknowledgement.
const WINDOW_BYTES: usize = 256 * 1024;

/// Products in the catalogue.
const PRODUCTS: u64 = 50;

/// The hub under which the stores stand when it has one above.
const HUB_BELOW: u32 = 5_000;

/// What `statm` counts in.
const PAGE_BYTES: u64 = 4_096;

/// What `stat` counts in.
const TICK_MS: u64 = 10;
