//! The chain of the demo: one hub and three stores, made with the commands that a person would use, and filled with goods.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::json;

use super::DemoError;
use super::door::Door;
use super::patience::{Interrupt, Seen};
use super::process::{Binary, Process, free_ports};
use super::sample::{self, CURRENCY, STORES, Sample};
use super::shoppers::LAST_UNIT_AT;
use crate::files::DataDir;

/// All nodes, running.
pub struct Chain {
    /// First the hub, then store 1 to 3.
    nodes: Vec<Node>,
    interrupt: Interrupt,
}

struct Node {
    process: Process,
    data: PathBuf,
    door: Door,
}

impl Chain {
    /// Makes and starts the hub and the stores below `folder`.
    pub fn start(folder: &Path, interrupt: &Interrupt) -> Result<Self, DemoError> {
        let binary = Binary::own()?;
        let [enrol, hub, stores @ ..] = free_ports::<{ STORES as usize + 2 }>()?;
        let mut chain = Self { nodes: Vec::new(), interrupt: interrupt.clone() };
        let data = folder.join("hub");
        let root_key = folder.join("root.key");
        let words = ["init", "--tenant", TENANT, "--root-key"].map(OsStr::new);
        binary.ask(&[&words[..], &[root_key.as_os_str(), "--data".as_ref(), data.as_os_str()]].concat())?;
        chain.add(&binary, "the hub", data, &[("--listen", hub), ("--enrol-listen", enrol)])?;
        for (store, port) in (1..=STORES).zip(stores) {
            let data = folder.join(format!("store-{store}"));
            let token = chain.token(&binary, store)?;
            let hub = format!("127.0.0.1:{enrol}");
            let words = ["join", token.as_str(), "--hub", &hub, "--data"].map(OsStr::new);
            binary.ask(&[&words[..], &[data.as_os_str()]].concat())?;
            chain.add(&binary, &format!("store {store}"), data, &[("--listen", port)])?;
        }
        Ok(chain)
    }

    fn token(&self, binary: &Binary, store: u32) -> Result<String, DemoError> {
        let (store, name) = (store.to_string(), format!("Store {store}"));
        let place = PLACES[(store.parse::<usize>().unwrap_or(1) - 1) % PLACES.len()];
        let words =
            ["token", "--store", &store, "--name", &name, "--currency", CURRENCY, "--coordinates", place, "--data"];
        let words = words.map(OsStr::new);
        let token = binary.ask(&[&words[..], &[self.nodes[0].data.as_os_str()]].concat())?;
        Ok(token.trim().to_owned())
    }

    fn add(&mut self, binary: &Binary, name: &str, data: PathBuf, ports: &[(&str, u16)]) -> Result<(), DemoError> {
        let fixed = ["--api", "127.0.0.1:0", "--mdns", "false", "--test-aids", "--log", LOG];
        let mut arguments: Vec<OsString> = fixed.map(OsString::from).into();
        for (flag, port) in ports {
            arguments.extend([OsString::from(flag), format!("127.0.0.1:{port}").into()]);
        }
        let mut process = Process::new(binary, name, data.clone(), arguments);
        process.start()?;
        let running = DataDir::new(&data, None);
        let address = self.interrupt.until(&format!("{name} to open its API"), START_MAX, || {
            process.check()?;
            let running = running.read_running().and_then(|running| running.api);
            running.ok_or_else(|| Seen::NotYet("its address is not written down".into()))
        })?;
        // Tills and people keep their address when it starts again.
        process.set_argument("--api", &address);
        let door = Door::new(&address, ANSWER_MAX);
        self.nodes.push(Node { process, data, door });
        self.ready(self.nodes.len() - 1)
    }

    fn ready(&mut self, index: usize) -> Result<(), DemoError> {
        let node = &mut self.nodes[index];
        let what = format!("{} to be ready", name(index));
        self.interrupt.until(&what, START_MAX, || {
            node.process.check()?;
            node.door.read("/readyz")?;
            Ok(())
        })
    }

    /// The hub's API.
    pub fn hub(&self) -> &Door {
        &self.nodes[0].door
    }

    /// A store's API.
    pub fn store(&self, store: u32) -> &Door {
        &self.nodes[store as usize].door
    }

    /// All APIs: the hub, then the stores.
    pub fn doors(&self) -> impl Iterator<Item = &Door> {
        self.nodes.iter().map(|node| &node.door)
    }

    /// SIGKILL to a store's process. Gives the id that it had.
    pub fn kill(&mut self, store: u32) -> u32 {
        let process = &mut self.nodes[store as usize].process;
        let id = process.id().unwrap_or(0);
        process.kill();
        id
    }

    /// Starts a killed store again and waits until its API answers. Gives how long that took.
    pub fn restart(&mut self, store: u32) -> Result<Duration, DemoError> {
        let started = Instant::now();
        self.nodes[store as usize].process.start()?;
        self.ready(store as usize)?;
        Ok(started.elapsed())
    }

    /// Cuts the line between a store and the hub, or mends it. The store's other lines stay.
    pub fn cut(&self, store: u32, cut: bool) -> Result<(), DemoError> {
        let body = json!({ "node": HUB_NODE, "cut": cut });
        let done = self.store(store).write("/v1/test/isolate", None, &body);
        done.map(|_| ()).map_err(DemoError::refused("cutting a line"))
    }

    /// A node that ended by itself is an error.
    pub fn check(&mut self) -> Result<(), DemoError> {
        self.nodes.iter_mut().try_for_each(|node| node.process.check())
    }

    /// Stops all nodes as an operator would. True if all went well.
    pub fn stop(&mut self) -> bool {
        // Stores first: they bring the hub what it does not have yet.
        let until = Instant::now() + STOP_MAX;
        let (hub, stores) = self.nodes.split_at_mut(1);
        [stores, hub].into_iter().fold(true, |well, nodes| {
            nodes.iter().for_each(|node| node.process.ask_to_stop());
            nodes.iter_mut().fold(well, |well, node| node.process.join(until) && well)
        })
    }

    /// Writes the databases of all nodes, which have stopped, anew. Gives where they are.
    pub fn compact(&self) -> Result<Vec<PathBuf>, DemoError> {
        let binary = Binary::own()?;
        let each = self.nodes.iter().map(|node| {
            binary.ask(&["compact".as_ref(), "--data".as_ref(), node.data.as_os_str()])?;
            Ok(DataDir::new(&node.data, None).database())
        });
        each.collect()
    }

    /// Imports the product list at the hub.
    pub fn import(&self) -> Result<(), DemoError> {
        let hub = Door::new(self.hub().url().trim_start_matches("http://"), IMPORT_MAX);
        let path = format!("/v1/products/import?book=default&currency={CURRENCY}");
        let reply = hub.post(&path, Some("demo-products"), ("text/csv", &sample::product_list()));
        let reply = reply.map_err(|error| DemoError::refused("the product list")(error.to_string()))?;
        if reply.is_good() { Ok(()) } else { Err(DemoError::refused("the product list")(reply.words())) }
    }

    /// Says how goods may be promised: as `init` said, but in a day that passes so many times faster.
    pub fn set_rule(&self, speed: u32) -> Result<(), DemoError> {
        let body = json!({
            "allocation": "littlewood", "risk_percent": 1, "soft_percent": 1, "overbooking_percent": 5,
            "lead_min": 30.0 / f64::from(speed), "hold_min": 15,
        });
        let set = self.hub().replace("/v1/policies", "demo-rule", &body);
        set.map(|_| ()).map_err(DemoError::refused("the rule about promises"))
    }

    /// Waits until every store has all products and every price has left the hub for good.
    pub fn catalogue_everywhere(&self) -> Result<(), DemoError> {
        self.interrupt.until("all stores to have the product list", CATALOGUE_MAX, || {
            let status = self.hub().read("/v1/status")?;
            let peers = status["peers"].as_array().map(Vec::as_slice).unwrap_or_default();
            let drained = peers.iter().filter(|peer| peer["ready"] == true && peer["drained"] == true).count();
            if drained == STORES as usize {
                Ok(())
            } else {
                Err(format!("{drained} of {STORES} had everything").into())
            }
        })?;
        for store in 1..=STORES {
            self.interrupt.until(&format!("store {store} to list all products"), CATALOGUE_MAX, || {
                let (held, wanted) = (self.store(store).pages("/v1/products", "")?.len(), sample::product_count());
                if held == wanted { Ok(()) } else { Err(format!("{held} of {wanted} products").into()) }
            })?;
        }
        Ok(())
    }

    /// Fills the shelves of every store.
    pub fn receive_opening_stock(&self, sample: &Sample) -> Result<i64, DemoError> {
        let mut units = 0;
        for store in 1..=STORES {
            let stock: Vec<_> = sample.opening_stock(store).into_iter().collect();
            units += stock.iter().map(|(_, quantity)| quantity).sum::<i64>();
            for (number, part) in stock.chunks(LINES_MAX).enumerate() {
                let lines = part.iter().map(|(sku, quantity)| json!({ "sku": sku, "quantity": quantity }));
                let body = json!({ "document": format!("opening-{number}"), "lines": lines.collect::<Vec<_>>() });
                let done =
                    self.store(store).write("/v1/goods-receipts", Some(&format!("demo-opening-{number}")), &body);
                done.map_err(DemoError::refused("the opening stock"))?;
            }
        }
        Ok(units + self.receive_last_unit(sample)?)
    }

    /// One unit of something that everybody will ask for.
    fn receive_last_unit(&self, sample: &Sample) -> Result<i64, DemoError> {
        let body = json!({ "document": "last-unit", "lines": [{ "sku": sample.last_unit(), "quantity": 1 }] });
        let done = self.store(LAST_UNIT_AT).write("/v1/goods-receipts", Some("demo-last-unit"), &body);
        done.map(|_| 1).map_err(DemoError::refused("the last unit"))
    }
}

/// What people call a node: 0 is the hub.
pub fn name(index: usize) -> String {
    if index == 0 { "the hub".into() } else { format!("store {index}") }
}

/// Where the stores are said to be: three towns of Ohio.
const PLACES: [&str; 3] = ["39.9612,-82.9988", "41.4993,-81.6944", "39.1031,-84.5120"];

const TENANT: &str = "Demo Grocer";

/// The first hub of a tenant is node 1.
const HUB_NODE: u32 = 1;

/// Lines of one goods receipt that the API takes.
const LINES_MAX: usize = 1_000;

/// What a node writes to its log.
const LOG: &str = "info";

/// A node is up in well under a second on an idle machine.
const START_MAX: Duration = Duration::from_secs(30);

/// A node that has not answered by then is stuck.
const ANSWER_MAX: Duration = Duration::from_secs(20);

/// 6,252 products with prices are some thirty commits.
const IMPORT_MAX: Duration = Duration::from_secs(120);

const CATALOGUE_MAX: Duration = Duration::from_secs(60);

/// A node gives its requests 5 s and its hub 3 s.
const STOP_MAX: Duration = Duration::from_secs(20);
