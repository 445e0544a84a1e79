//! A hub with a dispatcher, own riders and the test courier service, on one clock.

use std::sync::Arc;

use serde_json::json;
use stockroom::courier::delivery::{CourierEvent, Delivery};
use stockroom::courier::dispatcher::Dispatcher;
use stockroom::courier::job::{Amount, Contact, DeliveryId, Item, Job, Person};
use stockroom::courier::report::State;
use stockroom::courier::riders::{Duty, OwnRiders, Rider};
use stockroom::courier::settings::CourierSettings;
use stockroom_crdt::control::Coordinates;
use stockroom_crdt::ids::StoreId;
use stockroom_crdt::money::Currency;
use stockroom_tests::courier_server::{APP_ID, CODE, CourierServer, Fate, MERCHANT_ID, SECRET};
use tempfile::TempDir;

pub const START_MS: u64 = 1_795_000_000_000;
pub const SECOND: u64 = 1000;
pub const MINUTE: u64 = 60 * SECOND;

pub struct Hub {
    pub server: CourierServer,
    pub dispatcher: Dispatcher,
    pub riders: Arc<OwnRiders>,
    pub now_ms: u64,
    pub events: Vec<CourierEvent>,
    folder: TempDir,
    order: Vec<String>,
}

impl Hub {
    pub fn new(order: &[&str], fate: Fate) -> Self {
        let server = CourierServer::start(START_MS);
        server.set_fate(fate);
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("secret"), SECRET).unwrap();
        std::fs::write(folder.path().join("code"), CODE).unwrap();
        let order: Vec<_> = order.iter().map(|name| (*name).to_owned()).collect();
        let (dispatcher, riders) = settings(&server, &folder, &order).open().unwrap();
        Self { server, dispatcher, riders, now_ms: START_MS, events: Vec::new(), folder, order }
    }

    /// A new process with what the old one saved.
    pub fn restart(&mut self) {
        let saved = self.dispatcher.save().unwrap();
        assert!(!saved.contains("Li Lei") && !saved.contains("13900000000"), "the customer is in what is saved");
        (self.dispatcher, self.riders) = settings(&self.server, &self.folder, &self.order).open().unwrap();
        self.dispatcher.restore(&saved).unwrap();
    }

    pub fn rider(&self, id: &str) {
        let person = Person::of(id, "13700000000").unwrap();
        self.riders.enter(Rider { id: id.into(), person, store: StoreId(12), duty: Duty::On }).unwrap();
    }

    pub fn request(&mut self, name: &str) -> DeliveryId {
        let job = job(name, self.now_ms);
        let id = job.delivery.clone();
        self.dispatcher.request(job).unwrap();
        id
    }

    /// Lets time pass in steps of ten seconds; nobody sends callbacks.
    pub fn silent(&mut self, time_ms: u64) {
        let end_ms = self.now_ms + time_ms;
        while self.now_ms < end_ms {
            self.now_ms += 10 * SECOND;
            self.server.advance(self.now_ms);
            self.events.extend(self.dispatcher.due(self.now_ms, &contact_of));
        }
    }

    /// The same, with callbacks as the server's mail is set.
    pub fn with_callbacks(&mut self, time_ms: u64) {
        let end_ms = self.now_ms + time_ms;
        while self.now_ms < end_ms {
            self.silent(10 * SECOND);
            for body in self.server.mail() {
                if let Ok(events) = self.dispatcher.on_callback("fengniao", &body, self.now_ms) {
                    self.events.extend(events);
                }
            }
        }
    }

    pub fn delivery(&self, id: &DeliveryId) -> &Delivery {
        self.dispatcher.delivery(id).unwrap()
    }

    pub fn state(&self, id: &DeliveryId) -> State {
        self.delivery(id).state()
    }

    /// (attempt, state) of everything that was told.
    pub fn told(&self) -> Vec<(u32, State)> {
        self.events.iter().map(|event| (event.attempt, event.state)).collect()
    }
}

pub fn settings(server: &CourierServer, folder: &TempDir, order: &[String]) -> CourierSettings {
    let file = |name: &str| folder.path().join(name);
    let settings: CourierSettings = serde_json::from_value(json!({
        "order": order,
        "fengniao": {
            "url": server.url(), "app_id": APP_ID, "merchant_id": MERCHANT_ID, "timeout_s": 1,
            "secret_file": file("secret"), "token_file": file("token"), "code_file": file("code"),
            "shops": { "12": 209_191_139 },
        },
    }))
    .unwrap();
    settings.check().unwrap();
    settings
}

pub fn job(name: &str, now_ms: u64) -> Job {
    let goods = vec![Item { name: "rice 5 kg".into(), count: 2, each_minor: 4_990, paid_minor: 9_480 }];
    Job {
        delivery: DeliveryId::parse(name).unwrap(),
        store: StoreId(12),
        from: Coordinates { latitude: 31_177_428, longitude: 121_527_211 },
        to: Coordinates { latitude: 31_190_000, longitude: 121_540_000 },
        goods,
        bags: 2,
        weight_g: 10_200,
        value: Amount { minor: 9_480, currency: Currency::parse("CNY").unwrap() },
        tip_minor: 200,
        bag_code: "B17".into(),
        ask_ms: now_ms,
        ready_ms: now_ms + 5 * MINUTE,
        due_ms: now_ms + 45 * MINUTE,
        age_min: None,
    }
}

pub fn contact_of(_: &DeliveryId) -> Option<Contact> {
    Some(contact())
}

pub fn contact() -> Contact {
    Contact { name: "Li Lei".into(), phone: "13900000000".into(), address: "Road 1".into(), note: "2nd floor".into() }
}
