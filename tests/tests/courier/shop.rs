//! A hub and a store of the simulated world with their delivery desks, and the test courier service, all on the world's clock.

use std::sync::{Arc, Mutex};

use serde_json::json;
use stockroom::courier::CallbackError;
use stockroom::courier::desk::wish::Shown;
use stockroom::courier::desk::{Desk, Setup};
use stockroom::courier::job::Person;
use stockroom::courier::riders::{Duty, Rider};
use stockroom::courier::settings::CourierSettings;
use stockroom::handle::{Handle, Request};
use stockroom_core::input::orders::PlaceRequest;
use stockroom_core::rights::home::on_hand;
use stockroom_core::storage::{Reader, Snapshot, StoreError};
use stockroom_crdt::control::Coordinates;
use stockroom_crdt::ids::{Digest, NodeId, Sku, StoreId};
use stockroom_crdt::money::{Currency, Unit};
use stockroom_crdt::order::OrderId;
use stockroom_crdt::order::resolve::{Outcome, State};
use stockroom_crdt::order::step::Step;
use stockroom_crdt::stock::policy::{Allocation, PolicyRule, Target};
use stockroom_crdt::stock::rights::Account;
use stockroom_sim::counter::{delivery, step};
use stockroom_sim::world::World;
use stockroom_tests::courier_server::{APP_ID, CODE, CourierServer, Fate, MERCHANT_ID, SECRET};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::sync::{broadcast, mpsc, watch};
use tokio::task::JoinSet;

pub const HUB: u32 = 1;
pub const STORE: u32 = 2;
pub const MINUTE: u64 = 60_000;

pub struct Shop {
    pub world: World,
    pub server: CourierServer,
    pub hub: Office,
    pub store: Office,
    settings: CourierSettings,
    runtime: Runtime,
    folder: TempDir,
    seed: u64,
    orders: u32,
}

/// One node's desk, and the end at which its core is asked.
pub struct Office {
    pub desk: Desk,
    node: u32,
    requests: mpsc::Receiver<Request>,
    books: Arc<Books>,
    calls: JoinSet<()>,
}

#[derive(Default)]
struct Books(Mutex<Option<Arc<dyn Snapshot>>>);

impl Reader for Books {
    fn snapshot(&self) -> Result<Arc<dyn Snapshot>, StoreError> {
        Ok(self.0.lock().unwrap().clone().expect("set before anybody reads"))
    }
}

impl Shop {
    /// A hub that asks these services in turn, a store with ten of each product, and a rider "ann" at both.
    pub fn open(seed: u64, order: &[&str], fate: Fate) -> Self {
        println!("seed {seed}");
        let mut world = World::new(seed);
        world.put_products(&[("A", Unit::Each), ("B", Unit::Each)]);
        world.enrol_in_group(1, "red");
        world.put_rule(PolicyRule::of(Target::All, Allocation::HubOnly));
        world.connect(STORE, HUB);
        world.run_ms(5_000);
        for sku in ["A", "B"] {
            world.receive(STORE, sku, 10);
        }
        world.run_ms(5_000);
        let server = CourierServer::start(world.clock(HUB).wall_ms);
        server.set_fate(fate);
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("secret"), SECRET).unwrap();
        std::fs::write(folder.path().join("code"), CODE).unwrap();
        let settings = settings(&server, &folder, order);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let hub = Office::open(&world, (HUB, seed), settings.clone(), &folder);
        let store = Office::open(&world, (STORE, seed), settings.clone(), &folder);
        let mut shop = Self { world, server, hub, store, settings, runtime, folder, seed, orders: 0 };
        for office in [&shop.hub, &shop.store] {
            let person = Person::of("Ann", "13700000000").unwrap();
            let rider = Rider { id: "ann".into(), person, store: StoreId(1), duty: Duty::On };
            shop.runtime.block_on(office.desk.enter(rider)).unwrap();
        }
        shop.turn();
        shop
    }

    /// A delivery of two pieces, paid, packed and ready.
    pub fn ready(&mut self) -> (OrderId, String) {
        let (order, code) = self.place();
        self.world.run_ms(3_000);
        self.world.make_ready(STORE, order).unwrap();
        self.world.run_ms(3_000);
        (order, code)
    }

    pub fn place(&mut self) -> (OrderId, String) {
        self.orders += 1;
        let contact = json!({ "name": "Li Lei", "phone": "13900000000", "address": "Road 1" });
        let request = PlaceRequest {
            place: Some(Coordinates { latitude: 31_190_000, longitude: 121_540_000 }),
            contact: contact.to_string().into_bytes(),
            currency: Currency::parse("CNY"),
            due_ms: Some(self.now_ms() + 45 * MINUTE),
            ..delivery(&format!("{}-{}", self.seed, self.orders), &[("A", 2)])
        };
        self.world.place(HUB, request).expect("the order is placed")
    }

    pub fn now_ms(&self) -> u64 {
        self.world.clock(HUB).wall_ms
    }

    /// A step of the store.
    pub fn store_says(&mut self, order: OrderId, doing: Step) {
        self.world.fulfil(STORE, 0, step(order, doing)).unwrap();
        self.world.run_ms(2_000);
    }

    /// Everything that is to be done now is done.
    pub fn turn(&mut self) {
        for _ in 0..3 {
            for office in [&mut self.hub, &mut self.store] {
                let now_ms = self.world.clock(HUB).wall_ms;
                let desk = office.desk.clone();
                let mut calls = std::mem::take(&mut office.calls);
                let turned = async {
                    desk.turn(now_ms, &mut calls).await;
                    while calls.join_next().await.is_some() {}
                };
                office.pump(&self.runtime, &mut self.world, turned);
            }
            self.world.run_ms(100);
        }
    }

    /// Does something with the hub's desk, or the store's, whose core is asked meanwhile.
    pub fn at<T>(&mut self, node: u32, act: impl AsyncFnOnce(Desk, u64) -> T) -> T {
        let now_ms = self.now_ms();
        let office = if node == HUB { &mut self.hub } else { &mut self.store };
        let desk = office.desk.clone();
        office.pump(&self.runtime, &mut self.world, act(desk, now_ms))
    }

    /// Lets time pass; callbacks come as the server's mail is set, or not at all.
    pub fn pass(&mut self, minutes: u64, with_callbacks: bool) {
        for _ in 0..minutes * 2 {
            self.world.run_ms(30_000);
            self.server.advance(self.now_ms());
            for body in self.server.mail() {
                if with_callbacks {
                    let _ = self.callback(&body);
                }
            }
            self.turn();
        }
    }

    pub fn callback(&mut self, body: &[u8]) -> Result<usize, CallbackError> {
        self.at(HUB, async |desk, now_ms| desk.callback("fengniao", body, now_ms).await).map(|taken| taken.unwrap())
    }

    /// The hub's process ends and another one begins.
    pub fn restart_hub(&mut self) {
        self.hub.desk.save();
        self.hub = Office::open(&self.world, (HUB, self.seed), self.settings.clone(), &self.folder);
        self.turn();
    }

    /// What the hub's file holds.
    pub fn saved(&self) -> String {
        self.hub.desk.save();
        std::fs::read_to_string(self.folder.path().join("desk-1.json")).unwrap_or_default()
    }

    pub fn shown(&self, order: OrderId) -> Vec<Shown> {
        self.hub.refresh(&self.world);
        self.hub.desk.shown(Some(order), self.now_ms()).unwrap()
    }

    /// Where the fulfillment stands, as a node knows it.
    pub fn state(&self, node: u32, order: OrderId) -> State {
        self.world.part(node, (order, 1)).unwrap().state
    }

    pub fn outcome(&self, order: OrderId) -> Outcome {
        self.world.outcome(HUB, order).unwrap()
    }

    /// How often a step stands in the log, as the hub knows it.
    pub fn count(&self, order: OrderId, wanted: Step) -> usize {
        let snapshot = self.world.snapshot(HUB);
        let known = stockroom_core::view::View::new(&*snapshot).order(order).unwrap();
        known.parts.values().flat_map(|part| &part.steps).filter(|event| event.says.step == wanted).count()
    }

    /// The note of a step.
    pub fn note(&self, order: OrderId, wanted: Step) -> String {
        let snapshot = self.world.snapshot(HUB);
        let known = stockroom_core::view::View::new(&*snapshot).order(order).unwrap();
        let mut steps = known.parts.values().flat_map(|part| &part.steps).filter(|event| event.says.step == wanted);
        steps.next().map(|event| event.says.note.as_str().to_owned()).unwrap_or_default()
    }

    pub fn on_hand(&self, node: u32, sku: &str) -> i64 {
        let account = Account { store: StoreId(1), sku: Sku::parse(sku).unwrap(), unit: Unit::Each };
        on_hand(&*self.world.snapshot(node), &account).unwrap()
    }
}

impl Office {
    fn open(world: &World, (node, seed): (u32, u64), settings: CourierSettings, folder: &TempDir) -> Self {
        let (asked, requests) = mpsc::channel(64);
        let books = Arc::new(Books::default());
        *books.0.lock().unwrap() = Some(world.snapshot(node));
        let (_, status) = watch::channel(Arc::new(world.status(node)));
        let (events, _) = broadcast::channel(8);
        let handle = Handle::new(asked, books.clone(), status, events);
        // As the world derives the keys of its nodes.
        let seal_secret = Digest::of(&[b"seal", &seed.to_be_bytes(), &node.to_be_bytes()]).0;
        let setup = Setup {
            node: NodeId(node),
            store: (node != HUB).then_some(StoreId(1)),
            tenant: world.tenant(),
            seal_secret,
            file: folder.path().join(format!("desk-{node}.json")),
        };
        Self { desk: Desk::open(settings, setup, handle), node, requests, books, calls: JoinSet::new() }
    }

    fn refresh(&self, world: &World) {
        *self.books.0.lock().unwrap() = Some(world.snapshot(self.node));
    }

    /// Runs something while the core is asked by it.
    fn pump<T>(&mut self, runtime: &Runtime, world: &mut World, act: impl Future<Output = T>) -> T {
        self.refresh(world);
        runtime.block_on(async {
            let mut act = std::pin::pin!(act);
            loop {
                tokio::select! {
                    done = &mut act => return done,
                    Some(request) = self.requests.recv() => {
                        let answer = world.command(self.node, *request.command);
                        self.refresh(world);
                        let _ = request.answer.send(answer);
                    }
                }
            }
        })
    }
}

fn settings(server: &CourierServer, folder: &TempDir, order: &[&str]) -> CourierSettings {
    let file = |name: &str| folder.path().join(name);
    let settings: CourierSettings = serde_json::from_value(json!({
        "order": order,
        "places": { "1": [31_177_428, 121_527_211] },
        "fengniao": {
            "url": server.url(), "app_id": APP_ID, "merchant_id": MERCHANT_ID, "timeout_s": 1,
            "secret_file": file("secret"), "token_file": file("token"), "code_file": file("code"),
        },
    }))
    .unwrap();
    settings.check().unwrap();
    settings
}
