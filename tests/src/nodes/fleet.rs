//! A hub and stores as processes of the real binary on loopback, made with `init`, `token`, `join` and `run`, and killed when the test
//! ends, whatever ends it.

use std::fs::{self, File};
use std::net::{TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use stockroom::files::DataDir;
use tempfile::TempDir;

use super::binary::{Outcome, command, is, must, path, stockroom, wait_until};
use super::door::{Door, Reply};

/// One tenant's nodes.
pub struct Fleet {
    // Before the folder: a node ends before its files go.
    nodes: Vec<Node>,
    folder: TempDir,
    enrol_port: u16,
}

/// One node: its directory, and its process while it runs.
pub struct Node {
    name: String,
    data: PathBuf,
    arguments: Vec<String>,
    log: PathBuf,
    child: Option<Child>,
    door: Option<Door>,
}

impl Fleet {
    /// A hub that runs, with three products in its list, and this many stores that run and have heard of them.
    pub fn of(stores: u32) -> Self {
        let mut fleet = Self::hub_alone();
        fleet.hub().import();
        for store in 1..=stores {
            fleet.join(store);
            fleet.store(store).start();
        }
        for store in 1..=stores {
            fleet.store(store).knows_products();
        }
        fleet
    }

    /// A hub that runs and has nothing yet.
    pub fn hub_alone() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let [links, enrol_port] = [free_port(), free_port()];
        let root = folder.path().join("root.key");
        let data = folder.path().join("hub");
        must(["init", "--tenant", "Corner Shops", "--root-key", text(&root), "--data", text(&data)]);
        let mut hub = Node::new("hub", data, links);
        hub.arguments.extend(["--enrol-listen".into(), format!("127.0.0.1:{enrol_port}")]);
        hub.start();
        Self { nodes: vec![hub], folder, enrol_port }
    }

    /// The hub.
    pub fn hub(&mut self) -> &mut Node {
        &mut self.nodes[0]
    }

    /// A store, by its number.
    pub fn store(&mut self, store: u32) -> &mut Node {
        &mut self.nodes[store as usize]
    }

    /// Where the test may put files of its own.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A token for a store.
    pub fn token(&self, store: u32) -> String {
        self.token_with(store, &[])
    }

    fn token_with(&self, store: u32, more: &[&str]) -> String {
        let store = store.to_string();
        let words = ["token", "--store", &store, "--data", text(&self.nodes[0].data)];
        must(words.iter().chain(more)).trim().to_owned()
    }

    /// What `join` says in a directory of that name.
    pub fn try_join(&self, name: &str, token: &str) -> Outcome {
        let (data, hub) = (self.folder.path().join(name), self.enrol_address());
        stockroom(["join", token, "--hub", &hub, "--data", text(&data)])
    }

    /// Where a box without a node asks to be let in.
    pub fn enrol_address(&self) -> String {
        format!("127.0.0.1:{}", self.enrol_port)
    }

    /// A box with an empty disk, which does not run yet, and where its page will be. Boxes are found by their number like stores.
    pub fn empty_box(&mut self, name: &str) -> (usize, String) {
        let api = free_port();
        self.nodes.push(Node::at(name, self.folder.path().join(name), (free_port(), api)));
        (self.nodes.len() - 1, format!("127.0.0.1:{api}"))
    }

    /// Makes the next store, which does not run yet.
    pub fn join(&mut self, store: u32) {
        self.join_with(store, &[]);
    }

    /// The same for a store of which more is known, as `token` takes it, e.g. its name.
    pub fn join_with(&mut self, store: u32, more: &[&str]) {
        assert_eq!(self.nodes.len(), store as usize, "stores are made in their order");
        let (name, token) = (format!("store-{store}"), self.token_with(store, more));
        let outcome = self.try_join(&name, &token);
        assert_eq!(outcome.code, 0, "{outcome:?}");
        self.nodes.push(Node::new(&name, self.folder.path().join(&name), free_port()));
    }
}

impl Node {
    fn new(name: &str, data: PathBuf, port: u16) -> Self {
        Self::at(name, data, (port, free_port()))
    }

    fn at(name: &str, data: PathBuf, (port, api): (u16, u16)) -> Self {
        let fixed = "--mdns false --test-aids --disk-low-mib 2 --disk-critical-mib 1 --cache-mib 8 --log info";
        let mut arguments: Vec<String> = fixed.split(' ').map(String::from).collect();
        // People's pages find it again where it was, whenever it comes back.
        arguments.extend(["--api".into(), format!("127.0.0.1:{api}")]);
        arguments.extend(["--listen".into(), format!("127.0.0.1:{port}")]);
        let log = data.with_extension("log");
        Self { name: name.into(), data, arguments, log, child: None, door: None }
    }

    /// Starts it and waits until it is ready.
    pub fn start(&mut self) {
        let run = self.command();
        self.start_as(run);
    }

    /// `run` as a command of its own.
    pub fn command(&self) -> Command {
        let mut run = command(path());
        run.args(["run", "--data", text(&self.data)]).args(&self.arguments);
        run
    }

    /// Starts it by another command, for instance one with a limit around it, and waits until it is ready.
    pub fn start_as(&mut self, run: Command) {
        self.begin_as(run);
        self.becomes_ready();
    }

    /// Starts it, and does not wait: a box that holds no node shows its page first.
    pub fn begin(&mut self) {
        let run = self.command();
        self.begin_as(run);
    }

    fn begin_as(&mut self, mut run: Command) {
        assert!(self.child.is_none(), "{} runs", self.name);
        let log = File::options().create(true).append(true).open(&self.log).expect("a log");
        let child = run.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().expect("the node starts");
        self.child = Some(child);
    }

    /// Waits until what was begun is a node that is ready.
    pub fn becomes_ready(&mut self) {
        let id = self.id();
        let dir = DataDir::new(&self.data, None);
        let what = format!("{} answers", self.name);
        let door = wait_until(START_MAX, &what, || {
            if let Some(status) = self.ended() {
                panic!("{} ended with {status}: {}", self.name, self.log());
            }
            let running = dir.read_running().filter(|running| running.pid == id).and_then(|running| running.api);
            let door = Door::new(&running.ok_or("it has not written its address")?);
            door.read("/readyz").map(|_| door)
        });
        self.door = Some(door);
    }

    /// Its API since the last start.
    pub fn door(&self) -> &Door {
        self.door.as_ref().expect("it was started")
    }

    /// Makes its API listen at the same address at its next start, for who has a page of it open.
    pub fn keeps_address(&mut self) {
        let address = self.door().address().to_owned();
        let at = self.arguments.iter().position(|word| word == "--api").expect("always given");
        self.arguments[at + 1] = address;
    }

    /// Its data directory.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// The same, as an argument.
    pub fn data_text(&self) -> &str {
        text(&self.data)
    }

    /// More arguments for its next start.
    pub fn add_arguments(&mut self, more: &[&str]) {
        self.arguments.extend(more.iter().map(|word| (*word).to_owned()));
    }

    /// The address of its links.
    pub fn links(&self) -> &str {
        let at = self.arguments.iter().position(|word| word == "--listen").expect("always given");
        &self.arguments[at + 1]
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.as_ref().expect("it runs").id()
    }

    /// Everything it has logged.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Its exit status once it has ended by itself.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.as_mut().and_then(|child| child.try_wait().expect("a child can be asked"))
    }

    /// Waits for its end.
    pub fn wait(&mut self, bound: Duration) -> ExitStatus {
        let what = format!("{} ends", self.name);
        let status = wait_until(bound, &what, || self.ended().ok_or_else(|| "it runs".into()));
        self.child = None;
        status
    }

    /// SIGKILL: no goodbye, no last commit.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // One that has ended already cannot be killed.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// SIGTERM, and a good end within a bound.
    pub fn stop(&mut self) {
        let done = Command::new("kill").args(["-TERM", &self.id().to_string()]).status().expect("there is kill");
        assert!(done.success());
        let status = self.wait(STOP_MAX);
        assert!(status.success(), "{} ended with {status}: {}", self.name, self.log());
    }

    /// Puts three products with prices on the hub's list.
    fn import(&self) {
        let list = "sku,name,unit,barcodes,price,currency\nmilk,Milk,each,4006381333931,129,EUR\n\
                    bread,Bread,each,,250,EUR\napple,Apples,gram,,399,EUR\n";
        let headers = [("content-type", "text/csv"), ("idempotency-key", "list")];
        let path = "/v1/products/import?book=default&from=2020-01-01T00:00:00Z";
        let done = self.door().send("POST", path, &headers, list).and_then(Reply::good);
        assert_eq!(done.expect("the list is good")["products"], 3);
    }

    /// Waits until the list has arrived, prices included.
    fn knows_products(&self) {
        wait_until(CONVERGE_MAX, &format!("{} knows the products", self.name), || {
            let prices = self.door().read("/v1/prices")?;
            // Products and prices are different feeds: a product may stand here before its price does.
            let priced = |items: &Vec<Value>| items.iter().filter(|item| item["price"].is_i64()).count();
            let known = prices["items"].as_array().map_or(0, priced);
            is(&known, &3)
        });
    }

    /// Books goods in.
    pub fn receive(&self, key: &str, sku: &str, quantity: i64) {
        let body = json!({ "lines": [{ "sku": sku, "quantity": quantity }] });
        let done = self.door().post("/v1/goods-receipts", Some(key), &body).and_then(Reply::good);
        done.expect("goods are taken in");
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<_> = log.lines().collect();
            eprintln!("--- {}:\n{}", self.name, lines[lines.len().saturating_sub(12)..].join("\n"));
        }
    }
}

/// A path as an argument.
pub fn text(path: &Path) -> &str {
    path.to_str().expect("temporary folders have plain names")
}

/// A port, of UDP and TCP, that nobody has, below those that the system gives out by itself: a node that is down must find its own again.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 12_000 + (std::process::id() % 900) as u16 * 20;
    (0..2_000)
        .map(|_| 12_000 + (first - 12_000 + NEXT.fetch_add(1, Ordering::Relaxed)) % 20_000)
        .find(|&port| UdpSocket::bind(("127.0.0.1", port)).is_ok() && TcpListener::bind(("127.0.0.1", port)).is_ok())
        .expect("some port is free")
}

/// A debug binary on a busy machine.
pub const START_MAX: Duration = Duration::from_secs(20);

/// Requests get 5 s, what the hub lacks 3 s, links 2 s.
pub const STOP_MAX: Duration = Duration::from_secs(15);

/// Until everybody has everything. A store looks for its hub every few seconds when that was down for as long.
pub const CONVERGE_MAX: Duration = Duration::from_secs(30);
