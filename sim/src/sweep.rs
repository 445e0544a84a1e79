//! A random day in a small world: stores sell, count and receive while links flap, nodes crash and disks are set back; then
//! the faults stop, and everything must come together.
//!
//! One seed decides everything: the options first (which faults this seed knows at all), then each step. The till-side
//! oracle remembers what was acknowledged; nothing that a node says about itself is believed.

use std::collections::{BTreeMap, BTreeSet};

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use stockroom_core::input::{Answer, Command, RetryKey, SellLine, SellRequest};
use stockroom_crdt::count::CountScan;
use stockroom_crdt::ids::{Code, Digest, Sku, StoreId, TillId};
use stockroom_crdt::money::{Currency, Unit};
use stockroom_crdt::product::Product;
use stockroom_crdt::receiving::{GoodsReceipt, ReceiptLine};
use stockroom_crdt::sale::{Tender, TenderKind};

use crate::disk::Disk;
use crate::oracle::{self, StoreBooks};
use crate::world::World;

/// What a seed did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The seed.
    pub seed: u64,
    /// Sales that were acknowledged to a till.
    pub acknowledged: u64,
    /// Faults by name.
    pub faults: BTreeMap<&'static str, u64>,
    /// Simulated milliseconds from the end of the faults until all agreed.
    pub converge_ms: u64,
    /// Hash over the books of every node at the end: the same seed gives the same.
    pub state_hash: u64,
    /// What was not as it must be.
    pub violations: Vec<String>,
    /// What each node knew in the end, if something was violated.
    pub story: Vec<String>,
}

/// Which faults a seed knows, and how often they strike.
struct Options {
    cuts: bool,
    crashes: bool,
    restores: bool,
    retries: bool,
    hub_away: bool,
    steps: u64,
}

struct Run {
    world: World,
    rng: ChaCha8Rng,
    outcome: Outcome,
    /// (store, till, till's number) of every acknowledged sale, with its quantity.
    acknowledged: BTreeMap<(u32, u32, u64), i64>,
    /// Units that were acknowledged as received.
    received: BTreeMap<u32, i64>,
    counted: BTreeSet<u32>,
    images: BTreeMap<u32, (Disk, Option<Vec<u8>>)>,
    next: u64,
}

/// Plays one seed.
pub fn run(seed: u64) -> Outcome {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let coin = |rng: &mut ChaCha8Rng| rng.next_u32() & 1 == 1;
    let options = Options {
        cuts: coin(&mut rng),
        crashes: coin(&mut rng),
        restores: coin(&mut rng),
        retries: coin(&mut rng),
        hub_away: rng.next_u32().is_multiple_of(4),
        steps: 60 + u64::from(rng.next_u32() % 120),
    };
    let mut world = World::with_stores(seed, STORES);
    put_products(&mut world);
    let outcome = Outcome { seed, ..Outcome::default() };
    let mut run = Run {
        world,
        rng,
        outcome,
        acknowledged: BTreeMap::new(),
        received: BTreeMap::new(),
        counted: BTreeSet::new(),
        images: BTreeMap::new(),
        next: 1,
    };
    run.connect_all();
    for _ in 0..options.steps {
        run.step(&options);
    }
    run.heal();
    run.outcome
}

impl Run {
    fn step(&mut self, options: &Options) {
        let store = 1 + self.below(u64::from(STORES)) as u32;
        match self.below(20) {
            0..=9 => self.sell(store, options.retries),
            10 => self.receive(store),
            11 => self.count(store),
            12 | 13 if options.cuts => self.cut(),
            14 if options.crashes => self.crash(store),
            15 if options.restores => self.restore(store),
            16 if options.hub_away => self.hub_restart(),
            17 => self.connect_some(),
            _ => {}
        }
        let pause = self.below(3_000);
        self.world.run_ms(pause);
    }

    fn sell(&mut self, store: u32, retries: bool) {
        let till = 1 + self.below(2) as u32;
        let quantity = 1 + self.below(3) as i64;
        let till_seq = self.next;
        self.next += 1;
        let request = sale(till, till_seq, SKUS[self.below(3) as usize], quantity);
        let tries = if retries { 1 + self.below(3) } else { 1 };
        let mut first = None;
        for _ in 0..tries {
            match self.world.command(node_of(store), Command::Sell(request.clone())) {
                Ok(Answer::Written { place, .. }) => {
                    if first.is_some_and(|first| first != place) {
                        self.violate(format!("a retry of sale {till_seq} had a second effect"));
                    }
                    first = Some(place);
                }
                other => self.violate(format!("sale {till_seq} at store {store} was answered {other:?}")),
            }
        }
        self.acknowledged.insert((store, till, till_seq), quantity);
        self.outcome.acknowledged += 1;
    }

    fn receive(&mut self, store: u32) {
        let quantity = 1 + self.below(50) as i64;
        let line = ReceiptLine { sku: sku(SKUS[0]), unit: Unit::Each, quantity, lot: Code::default(), expiry_day: 0 };
        let receipt = GoodsReceipt { document: code("DN"), staff: code("bo"), lines: vec![line] };
        let retry = self.retry();
        if self.world.command(node_of(store), Command::Receive(retry, receipt)).is_ok() {
            *self.received.entry(store).or_default() += quantity;
        }
    }

    fn count(&mut self, store: u32) {
        let session = self.next;
        let scan = CountScan {
            session,
            zone: code("shelf"),
            sku: sku(SKUS[1]),
            unit: Unit::Each,
            quantity: self.below(40) as i64,
            staff: code("bo"),
        };
        let retry = self.retry();
        let scanned = self.world.command(node_of(store), Command::CountScan(retry, scan));
        let retry = self.retry();
        let close = Command::CountClose { retry, session, staff: code("bo") };
        if scanned.is_ok() && self.world.command(node_of(store), close).is_ok() {
            self.counted.insert(store);
        }
    }

    fn cut(&mut self) {
        self.fault("cut");
        let (a, b) = (1 + self.below(u64::from(STORES) + 1) as u32, 1 + self.below(u64::from(STORES) + 1) as u32);
        self.world.cut(a, b);
    }

    fn crash(&mut self, store: u32) {
        self.fault("crash");
        let node = node_of(store);
        self.world.crash(node);
        let pause = self.below(20_000);
        self.world.run_ms(pause);
        self.world.start(node);
    }

    /// Sets a node's disk back to an image that was taken earlier, with or without its token; takes an image otherwise.
    fn restore(&mut self, store: u32) {
        let node = node_of(store);
        let Some((disk, token)) = self.images.remove(&node) else {
            let held = &self.world.nodes[&node];
            let image = (held.disk.image(), held.token.clone());
            self.images.insert(node, image);
            return;
        };
        // Only what the hub has seen can come back: a disk that is lost with unsent sales on it is a loss by declaration.
        if self.world.status(node).backlog.entries > 0 {
            self.images.insert(node, (disk, token));
            return;
        }
        let with_token = self.below(2) == 0;
        self.fault(if with_token { "restore with its token" } else { "restore" });
        self.world.crash(node);
        let held = self.world.nodes.get_mut(&node).expect("the node exists");
        held.disk = disk;
        if with_token {
            held.token = token;
        }
        self.world.start(node);
    }

    fn hub_restart(&mut self) {
        self.fault("hub away");
        self.world.crash(1);
        let pause = self.below(60_000);
        self.world.run_ms(pause);
        self.world.start(1);
    }

    fn connect_some(&mut self) {
        let (a, b) = (1 + self.below(u64::from(STORES) + 1) as u32, 1 + self.below(u64::from(STORES) + 1) as u32);
        if a != b {
            self.world.connect(a, b);
        }
    }

    fn connect_all(&mut self) {
        for a in 1..=STORES + 1 {
            for b in a + 1..=STORES + 1 {
                self.world.connect(a, b);
            }
        }
    }

    /// Faults stop. Everybody reaches everybody, and must come together.
    fn heal(&mut self) {
        let healed = self.world.now_ms;
        let mut agreed = false;
        // A link that is closed for good reason (a fork, a new epoch) is dialled again, as the transport does.
        for _ in 0..CONVERGE_MS_MAX / RECONNECT_MS {
            self.connect_all();
            if self.world.run_until(RECONNECT_MS, agree) {
                agreed = true;
                break;
            }
        }
        self.outcome.converge_ms = self.world.now_ms - healed;
        if !agreed {
            self.violate("the nodes do not agree".into());
        }
        self.world.run_ms(10_000);
        self.check();
        if !self.outcome.violations.is_empty() {
            self.explain();
        }
    }

    /// What people need to see beside a violation: what each node knew in the end, and which links were closed and why.
    fn explain(&mut self) {
        let mut story: Vec<_> =
            self.world.closed.iter().map(|(at, node, why)| format!("{at} node {node} closed a link: {why}")).collect();
        for id in 1..=STORES + 1 {
            story.push(format!("{:?}", self.world.status(id)));
        }
        for store in 1..=STORES {
            for id in [node_of(store), 1] {
                story.push(format!(
                    "store {store} at node {id}: {:?}",
                    oracle::figures(&*self.world.snapshot(id), StoreId(store))
                ));
            }
        }
        self.outcome.story = story;
    }

    fn check(&mut self) {
        let mut hash = Vec::new();
        for store in 1..=STORES {
            let hub = self.books(1, store);
            for (till, till_seq) in
                self.acknowledged.keys().filter(|k| k.0 == store).map(|k| (k.1, k.2)).collect::<Vec<_>>()
            {
                let held = oracle::sale(&*self.world.snapshot(1), StoreId(store), TillId(till), till_seq);
                if held.is_none() {
                    self.violate(format!(
                        "sale {till_seq} of till {till} at store {store} was acknowledged and is lost"
                    ));
                }
            }
            let gaps = oracle::gaps(&hub);
            if !gaps.is_empty() {
                self.violate(format!("receipts are missing at store {store}: {gaps:?}"));
            }
            if self.world.status(node_of(store)).backlog.entries > 0 {
                self.violate(format!("store {store} still waits for the hub to have everything"));
            }
            hash.extend(format!("{hub:?}").into_bytes());
        }
        self.outcome.state_hash = u64::from_be_bytes(std::array::from_fn(|i| Digest::of(&[&hash]).0[i]));
    }

    fn books(&self, node: u32, store: u32) -> StoreBooks {
        oracle::books(&*self.world.snapshot(node), StoreId(store))
    }

    fn fault(&mut self, name: &'static str) {
        *self.outcome.faults.entry(name).or_default() += 1;
    }

    fn violate(&mut self, what: String) {
        self.outcome.violations.push(what);
    }

    fn retry(&mut self) -> RetryKey {
        self.next += 1;
        let key = Digest::of(&[b"retry", &self.next.to_be_bytes()]);
        RetryKey { key, body: key }
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.rng.next_u64() % bound
    }
}

/// Every store's figures are the same at its own node and at the hub.
fn agree(world: &World) -> bool {
    (1..=STORES).all(|store| {
        let at = |node: u32| oracle::figures(&*world.snapshot(node), StoreId(store));
        at(node_of(store)) == at(1)
    })
}

fn put_products(world: &mut World) {
    let products = SKUS.map(|name| Product {
        sku: sku(name),
        name: name.to_lowercase(),
        unit: Unit::Each,
        barcodes: Vec::new(),
        item_number: 0,
        tax_code: Code::default(),
        department: Code::default(),
        owner: Code::default(),
        age_min: 0,
        excluded: 0,
        discontinued: false,
    });
    let key = Digest::of(&[b"products"]);
    let command = Command::Products(RetryKey { key, body: key }, products.to_vec());
    world.command(1, command).expect("a hub takes products");
}

fn sale(till: u32, till_seq: u64, name: &str, quantity: i64) -> SellRequest {
    let line = SellLine {
        sku: sku(name),
        unit: None,
        quantity,
        unit_price: Some(199),
        discount: 0,
        discount_reason: Code::default(),
        tax: None,
        lot: Code::default(),
        original: None,
    };
    SellRequest {
        till: TillId(till),
        till_seq,
        body: Digest::of(&[&till_seq.to_be_bytes()]),
        rung_ms: None,
        currency: Some(Currency::parse("EUR").expect("three letters")),
        cashier: code("anna"),
        approver: Code::default(),
        seller: Code::default(),
        foreign_key: Code::default(),
        fiscal: Vec::new(),
        lines: vec![line],
        cash_rounding: 0,
        tenders: vec![Tender { kind: TenderKind::Cash, amount: 199 * quantity, reference: Code::default() }],
    }
}

fn node_of(store: u32) -> u32 {
    store + 1
}

fn code(text: &str) -> Code {
    Code::parse(text).expect("a short word")
}

fn sku(text: &str) -> Sku {
    Sku::parse(text).expect("a short word")
}

const STORES: u32 = 3;
const SKUS: [&str; 3] = ["TEA", "MILK", "BREAD"];
const RECONNECT_MS: u64 = 5_000;
const CONVERGE_MS_MAX: u64 = 180_000;
