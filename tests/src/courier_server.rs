//! A courier service to test against: it speaks Fengniao's API on loopback, on a clock that only the test moves.
//!
//! Orders go the way of their [`Fate`]; callbacks wait as [`CourierServer::mail`], lost, doubled, reordered or falsely signed as
//! [`Mail`] says; answers are late or broken as [`Health`] says. Signatures are checked with a computation of its own.

mod api;
pub mod door;
mod orders;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::runtime::Runtime;

pub use orders::{Fate, OrderView};

use orders::Orders;

/// The application that the server knows.
pub const APP_ID: &str = "test-app";
/// The shop that it knows.
pub const MERCHANT_ID: &str = "4100001";
/// What both sides share.
pub const SECRET: &str = "courier-server-secret";
/// Good for the first token, once.
pub const CODE: &str = "first-code";

/// A running server; stops when dropped.
#[derive(Debug)]
pub struct CourierServer {
    state: Arc<Mutex<State>>,
    address: SocketAddr,
    // Dropping a runtime ends its tasks.
    _runtime: Runtime,
}

/// How answers come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// At once and right.
    Good,
    /// After so long.
    Slow(Duration),
    /// With this status and no sense.
    Broken(u16),
    /// What was asked is done, but the answer is an error: nobody can know.
    DoneButBroken(u16),
    /// Something that is no JSON.
    Garbage,
    /// More than anybody should read.
    Endless,
}

/// What happens to callbacks, in percent of them; decided by the seed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mail {
    /// Never sent.
    pub lost: u64,
    /// Sent twice.
    pub doubled: u64,
    /// With somebody else's signature.
    pub forged: u64,
    /// Sent in another order than they arose, if not 0.
    pub shuffled: u64,
}

#[derive(Debug)]
struct State {
    now_ms: u64,
    health: Health,
    mail: Mail,
    seed: u64,
    orders: Orders,
    token: u64,
    code_used: Vec<String>,
    bad_signatures: u64,
}

impl CourierServer {
    /// Listens on a free port of the loopback interface.
    pub fn start(now_ms: u64) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let state = Arc::new(Mutex::new(State {
            now_ms,
            health: Health::Good,
            mail: Mail::default(),
            seed: 1,
            orders: Orders::default(),
            token: 0,
            code_used: Vec::new(),
            bad_signatures: 0,
        }));
        let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", 0))).expect("a free port");
        let address = listener.local_addr().expect("an address");
        runtime.spawn(api::serve(listener, state.clone()));
        Self { state, address, _runtime: runtime }
    }

    /// Where it listens, as the settings take it.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What becomes of orders that are made from now on.
    pub fn set_fate(&self, fate: Fate) {
        self.state().orders.fate = fate;
    }

    /// How answers come from now on.
    pub fn set_health(&self, health: Health) {
        self.state().health = health;
    }

    /// What happens to callbacks from now on.
    pub fn set_mail(&self, mail: Mail, seed: u64) {
        let mut state = self.state();
        (state.mail, state.seed) = (mail, seed);
    }

    /// No token that was given out holds any longer.
    pub fn revoke_tokens(&self) {
        self.state().token += 1;
    }

    /// Moves the clock; couriers do what they do until then.
    pub fn advance(&self, now_ms: u64) {
        let mut state = self.state();
        state.now_ms = now_ms;
        state.orders.advance(now_ms);
    }

    /// The callbacks that arose since the last call, as bytes, with everything that happens to them on the way.
    pub fn mail(&self) -> Vec<Vec<u8>> {
        let mut state = self.state();
        let (mail, now_ms) = (state.mail, state.now_ms);
        let news = std::mem::take(&mut state.orders.news);
        let mut sent = Vec::new();
        for business in news {
            if state.chance(mail.lost) {
                continue;
            }
            let secret = if state.chance(mail.forged) { "somebody-else" } else { SECRET };
            let body = api::signed_callback(&business, secret, now_ms);
            let copies = 1 + usize::from(state.chance(mail.doubled));
            sent.extend(std::iter::repeat_n(body, copies));
        }
        if mail.shuffled > 0 {
            for last in (1..sent.len()).rev() {
                let other = state.draw() as usize % (last + 1);
                sent.swap(last, other);
            }
        }
        sent
    }

    /// Sends the waiting callbacks to a URL and gives the answers' statuses; a hub that is away gets nothing.
    pub fn post_mail(&self, url: &str) -> Vec<u16> {
        let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).proxy(None).build().into();
        let post = |body: Vec<u8>| {
            let request = agent.post(url).header("Content-Type", "application/json");
            request.send(&body[..]).map_or(0, |answer| answer.status().as_u16())
        };
        self.mail().into_iter().map(post).collect()
    }

    /// One order by the shop's code.
    pub fn order(&self, partner_order_code: &str) -> Option<OrderView> {
        self.state().orders.view(partner_order_code)
    }

    /// How many orders were made.
    pub fn order_count(&self) -> usize {
        self.state().orders.count()
    }

    /// Requests whose signature was wrong.
    pub fn bad_signatures(&self) -> u64 {
        self.state().bad_signatures
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl State {
    fn chance(&mut self, percent: u64) -> bool {
        self.draw() % 100 < percent
    }

    /// SplitMix64.
    fn draw(&mut self) -> u64 {
        self.seed = self.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.seed;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
