//! A real browser in front of a real node: what a person at a till, a shelf or a desk sees and does, with Debian's chromium, headless, steered
//! by chromedriver.
//!
//! | module | what it knows |
//! |---|---|
//! | [`driver`] | one chromedriver for all, at most two tests with browsers at a time |
//! | [`wire`] | the line between a browser and its node, which can be cut |
//! | [`hands`] | clicking, typing, scanning |
//! | [`eyes`] | waiting until something is seen, asking the page, pictures |
//! | [`console`] | what the browser complained of, and whom it asked |
//! | [`rules`] | what every page owes to everybody |
//! | [`pages`] | all pages, and who sees them |
//! | [`fixture`] | pages of a test's own |
//! | [`worlds`] | nodes with goods, staff, members and orders, ready to be looked at |
//!
//! A job's test stands in `tests/tests/browser/JOB.rs` and reads like the job:
//!
//! ```text
//! let world = World::shop();
//! let Some(till) = Browser::open(world.store(1).address()) else { return };
//! till.go("/sign-in");
//! till.fill("Name", "ann");
//! till.fill("PIN", ANN.pin);
//! till.click("Sign in");
//! till.go("/till");
//! till.scan(MILK.code);
//! till.see(MILK.name);
//! till.lose_network();
//! till.see("not reached");
//! till.find_network();
//! till.no_errors();
//! ```
//!
//! - A test begins with `let Some(browser) = Browser::open(..) else { return };`: without chromium it is skipped, loudly, and fails where
//!   nothing may be skipped.
//! - Everything waits for a state, up to [`PATIENCE`], and fails with what the page showed instead. Nothing sleeps.
//! - Controls are named as a person would: by their label, or the words on them. [`Browser::click`] takes the whole name first, then a part.
//! - Each browser has a line of its own: [`Browser::lose_network`] cuts it for the page and its service worker, others stay connected.
//! - A browser that is dropped has to be without errors, as by [`Browser::no_errors`]: nothing on the console, no request to elsewhere. What a
//!   test provokes, e.g. a refusal, is named before with [`Browser::allow`]. A cut line is allowed by itself.
//! - Names say what is seen: `see`, `see_not`, `see_in`, `at` (the address), `focused`.

pub mod console;
pub mod driver;
pub mod eyes;
pub mod fixture;
pub mod hands;
pub mod pages;
pub mod rules;

pub mod wire;
pub mod worlds;

use std::cell::RefCell;
use std::time::{Duration, Instant};

use fantoccini::error::CmdError;
pub use fantoccini::key::Key;
use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use ureq::http::Method;
use url::Url;

use driver::Seat;
use wire::Wire;

/// One browser window with a profile of its own, on a line of its own to one node.
#[derive(Debug)]
pub struct Browser {
    // In this order: the session ends before its driver, and all before the line's runtime.
    client: Option<Client>,
    wire: Wire,
    runtime: Runtime,
    _profile: TempDir,
    _seat: Seat,
    origin: String,
    allowed: RefCell<Vec<String>>,
}

/// How a page is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// Of the window, in CSS pixels.
    pub width: u32,
    /// What the system prefers.
    pub scheme: Scheme,
}

/// Light or dark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Dark on light.
    Light,
    /// Light on dark.
    Dark,
}

impl Browser {
    /// A browser for the node whose API listens in clear at `address`, e.g. `127.0.0.1:7400`. `None` where there is no browser.
    pub fn open(address: &str) -> Option<Self> {
        Self::of(address, "http://127.0.0.1")
    }

    /// A browser for the node whose API listens at `address` over TLS, as on a shop's network. It does not check the certificate.
    pub fn open_lan(address: &str) -> Option<Self> {
        Self::of(address, "https://localhost")
    }

    /// A browser for a program that answers only under its own address. Its line cannot be cut.
    pub fn open_directly(address: &str) -> Option<Self> {
        let mut browser = Self::open(address)?;
        browser.origin = format!("http://{address}");
        Some(browser)
    }

    fn of(address: &str, origin: &str) -> Option<Self> {
        let seat = Seat::take()?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let wire = Wire::to(address, &runtime).expect("a free port");
        let profile = tempfile::tempdir().expect("a temporary folder");
        let client = runtime.block_on(connect(&seat, &profile));
        let origin = format!("{origin}:{}", wire.port());
        let browser = Self {
            client: Some(client),
            wire,
            runtime,
            _profile: profile,
            _seat: seat,
            origin,
            allowed: RefCell::default(),
        };
        browser.look(Look { width: 768, scheme: Scheme::Light });
        // Otherwise a page that asks for its place makes the browser ask a service on the internet.
        browser.stand_at(52.51, 13.41);
        Some(browser)
    }

    /// Opens a page of the node, e.g. `/till?lang=zh-CN`, and waits until it has loaded.
    pub fn go(&self, path: &str) {
        let url = format!("{}{path}", self.origin);
        let opened = self.runtime.block_on(self.client().goto(&url));
        opened.unwrap_or_else(|error| panic!("{path} cannot be opened: {error}"));
    }

    /// Loads the page again.
    pub fn reload(&self) {
        self.runtime.block_on(self.client().refresh()).expect("the page loads again");
    }

    /// Changes the width of the window, and light to dark.
    pub fn look(&self, look: Look) {
        let scheme = if look.scheme == Scheme::Dark { "dark" } else { "light" };
        let size =
            json!({ "width": look.width, "height": height(look.width), "deviceScaleFactor": 1, "mobile": false });
        self.devtools("Emulation.setDeviceMetricsOverride", size);
        let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.devtools("Emulation.setEmulatedMedia", media);
    }

    /// Where the device is, for a page that asks.
    pub fn stand_at(&self, latitude: f64, longitude: f64) {
        let place = json!({ "latitude": latitude, "longitude": longitude, "accuracy": 10 });
        self.devtools("Emulation.setGeolocationOverride", place);
    }

    /// The network goes away, for the page and its service worker.
    pub fn lose_network(&self) {
        self.allow("net::ERR_");
        self.wire.cut();
        // So that the page hears of it as well: the browser says `offline`.
        self.emulate_network(true);
    }

    /// The network comes back.
    pub fn find_network(&self) {
        self.wire.mend();
        self.emulate_network(false);
    }

    /// The node alone is out of reach: the browser believes that its network is fine.
    pub fn lose_node(&self) {
        self.allow("net::ERR_");
        self.wire.cut();
    }

    /// A command of the DevTools protocol for the page.
    pub fn devtools(&self, method: &str, parameters: Value) -> Value {
        let body = json!({ "cmd": method, "params": parameters });
        self.ask("goog/cdp/execute", &body).unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    fn emulate_network(&self, offline: bool) {
        let all = json!({ "offline": offline, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1 });
        self.devtools("Network.emulateNetworkConditions", all);
    }

    fn ask(&self, path: &'static str, body: &Value) -> Result<Value, CmdError> {
        self.runtime.block_on(self.client().issue_cmd(OwnCommand { path, body: body.to_string() }))
    }

    fn client(&self) -> &Client {
        self.client.as_ref().expect("taken only when the browser is dropped")
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let complaints = if std::thread::panicking() {
            self.confess();
            Vec::new()
        } else {
            self.complaints()
        };
        if let Some(client) = self.client.take() {
            // One that crashed is closed already.
            let _ = self.runtime.block_on(client.close());
        }
        assert!(complaints.is_empty(), "the browser complained:\n{}", complaints.join("\n"));
    }
}

/// Looks again and again until there is an answer, and fails with the last excuse after [`PATIENCE`].
pub fn patiently<T>(what: &str, mut look: impl FnMut() -> Result<T, String>) -> T {
    let started = Instant::now();
    loop {
        let excuse = match look() {
            Ok(seen) => return seen,
            Err(excuse) => excuse,
        };
        assert!(started.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}: {excuse}");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

async fn connect(seat: &Seat, profile: &TempDir) -> Client {
    let mut arguments: Vec<String> = FLAGS.iter().map(|flag| (*flag).to_owned()).collect();
    arguments.push(format!("--user-data-dir={}", profile.path().display()));
    let wanted = json!({
        "acceptInsecureCerts": true,
        "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
        "goog:chromeOptions": { "binary": seat.browser, "args": arguments },
    });
    let Value::Object(wanted) = wanted else { unreachable!("written above") };
    let client = ClientBuilder::new(HttpConnector::new()).capabilities(wanted).connect(&seat.url()).await;
    client.unwrap_or_else(|error| panic!("the browser does not start: {error}"))
}

/// A phone is high, a desk's screen is wide.
fn height(width: u32) -> u32 {
    if width < 600 { 740 } else { 900 }
}

/// What the library does not know of: the endpoints that chromedriver has beside the standard.
#[derive(Debug)]
struct OwnCommand {
    path: &'static str,
    body: String,
}

impl WebDriverCompatibleCommand for OwnCommand {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, url::ParseError> {
        base.join(&format!("session/{}/{}", session.unwrap_or_default(), self.path))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(self.body.clone()))
    }
}

/// How long a test waits for anything: a debug binary on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(20);

const FLAGS: &[&str] = &[
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    "--disable-translate",
    "--metrics-recording-only",
    "--mute-audio",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
    "--lang=en",
    // Service workers are not registered behind a certificate that the browser does not know.
    "--ignore-certificate-errors",
    // Whatever asks for elsewhere fails, and is seen to.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
];
