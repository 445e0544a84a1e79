//! A payment terminal to test against: it speaks the protocol of `stockroom::terminal::http` on loopback and keeps a ledger of its own.
//!
//! What becomes of each request is said by [`Health`]. It is a few lines of HTTP by hand, so that it can hang up wherever a test wants.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use serde_json::{Value, json};

/// What both sides share.
pub const SECRET: &str = "terminal-server-secret";

/// How a request is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// At once and right.
    Good,
    /// It does nothing and answers with this status.
    Broken(u16),
    /// It does what it is asked and answers with this status.
    DoneButBroken(u16),
    /// It does nothing and hangs up.
    HangsUp,
    /// It does what it is asked and hangs up.
    DoneAndHangsUp,
    /// It does what it is asked and never answers.
    DoneAndSilent,
    /// It does what it is asked, and answers something without sense.
    Garbage,
}

/// What it does with a customer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Customer {
    /// Pays.
    Pays,
    /// Pays so many minor units and no more.
    PaysOnly(i64),
    /// Pays without the bank being asked.
    PaysOffline,
    /// Has not enough.
    Declined,
    /// Has paid after so many further requests.
    TakesTime(u32),
}

/// One reference of the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// As in the protocol.
    pub state: &'static str,
    /// Minor units that it has, or will have.
    pub amount: i64,
    /// Requests until a pending one is approved.
    pub left: u32,
    /// The bank was not asked.
    pub offline: bool,
    /// How often it took money.
    pub taken: u32,
}

/// A running terminal. Ends with the process.
#[derive(Clone, Debug)]
pub struct TerminalServer {
    state: Arc<Mutex<State>>,
    address: SocketAddr,
}

#[derive(Debug, Default)]
struct State {
    healths: VecDeque<Health>,
    customers: VecDeque<Customer>,
    ledger: BTreeMap<String, Entry>,
    /// Method and reference of each request, in order.
    requests: Vec<(String, String)>,
    strangers: u32,
    /// Connections that are left without an answer.
    held: Vec<TcpStream>,
}

impl TerminalServer {
    /// Listens on a free port of the loopback interface.
    pub fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let address = listener.local_addr().expect("an address");
        let server = Self { state: Arc::default(), address };
        let serving = server.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let serving = serving.clone();
                // A client that goes away is none of the terminal's business.
                thread::spawn(move || drop(serving.answer(stream)));
            }
        });
        server
    }

    /// Where it listens, as the settings take it.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How the requests after those that were spoken of before are answered; well when nothing is said.
    pub fn then(&self, healths: impl IntoIterator<Item = Health>) {
        self.state().healths.extend(healths);
    }

    /// What the next customers do; they pay when nothing is said.
    pub fn customers(&self, customers: impl IntoIterator<Item = Customer>) {
        self.state().customers.extend(customers);
    }

    /// Everything that it knows.
    pub fn ledger(&self) -> BTreeMap<String, Entry> {
        self.state().ledger.clone()
    }

    /// Minor units that it has.
    pub fn has(&self) -> i64 {
        self.state().ledger.values().filter(|entry| entry.state == "approved").map(|entry| entry.amount).sum()
    }

    /// Method and reference of each request, in order.
    pub fn requests(&self) -> Vec<(String, String)> {
        self.state().requests.clone()
    }

    /// How often a method was asked for.
    pub fn count(&self, method: &str) -> usize {
        self.state().requests.iter().filter(|(asked, _)| asked == method).count()
    }

    /// Requests without the secret.
    pub fn strangers(&self) -> u32 {
        self.state().strangers
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, stream: TcpStream) -> io::Result<()> {
        let (method, path, body, is_known) = read(&stream)?;
        let reference = path.rsplit('/').next().unwrap_or_default().to_owned();
        let mut state = self.state();
        if !is_known {
            state.strangers += 1;
            return reply(stream, 401, &json!({}));
        }
        state.requests.push((method.clone(), reference.clone()));
        let health = state.healths.pop_front().unwrap_or(Health::Good);
        match health {
            Health::Broken(status) => return reply(stream, status, &json!({})),
            Health::HangsUp => return Ok(()),
            Health::Good
            | Health::DoneButBroken(_)
            | Health::DoneAndHangsUp
            | Health::DoneAndSilent
            | Health::Garbage => {}
        }
        let (status, answer) = state.act(&method, &reference, &body);
        match health {
            Health::DoneButBroken(status) => reply(stream, status, &json!({})),
            Health::DoneAndHangsUp => Ok(()),
            Health::DoneAndSilent => {
                state.held.push(stream);
                Ok(())
            }
            Health::Garbage => reply(stream, 200, &json!("welcome")),
            Health::Good | Health::Broken(_) | Health::HangsUp => reply(stream, status, &answer),
        }
    }
}

impl State {
    fn act(&mut self, method: &str, reference: &str, body: &Value) -> (u16, Value) {
        match method {
            "PUT" if !self.ledger.contains_key(reference) => {
                let asked = body["amount"].as_i64().unwrap_or_default();
                let customer = self.customers.pop_front().unwrap_or(Customer::Pays);
                let entry = |state, amount, left, offline, taken| Entry { state, amount, left, offline, taken };
                let entry = match customer {
                    Customer::Pays => entry("approved", asked, 0, false, 1),
                    Customer::PaysOnly(amount) => entry("approved", amount.min(asked), 0, false, 1),
                    Customer::PaysOffline => entry("approved", asked, 0, true, 1),
                    Customer::Declined => entry("declined", 0, 0, false, 0),
                    Customer::TakesTime(left) => entry("pending", asked, left, false, 0),
                };
                self.ledger.insert(reference.into(), entry);
            }
            "PUT" => {}
            "GET" if !self.ledger.contains_key(reference) => return (404, json!({})),
            "GET" => {}
            "DELETE" => {
                let closed = Entry { state: "reversed", amount: 0, left: 0, offline: false, taken: 0 };
                let entry = self.ledger.entry(reference.into()).or_insert(closed);
                (entry.state, entry.amount) = ("reversed", 0);
            }
            _ => return (405, json!({})),
        }
        let entry = self.ledger.get_mut(reference).expect("it was put just now, or is known");
        if entry.state == "pending" {
            match entry.left.checked_sub(1) {
                Some(left) => entry.left = left,
                None => (entry.state, entry.taken) = ("approved", entry.taken + 1),
            }
        }
        let assurance = if entry.offline { "offline" } else { "captured" };
        let answer = json!({ "reference": reference, "state": entry.state, "amount": entry.amount, "code": "831000",
            "assurance": assurance });
        (200, answer)
    }
}

/// Method, path and body of a request, and whether it shows the secret.
fn read(stream: &TcpStream) -> io::Result<(String, String, Value, bool)> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split_whitespace().map(str::to_owned);
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (mut length, mut is_chunked, mut is_known) = (0, false, false);
    loop {
        let mut header = String::new();
        if reader.read_line(&mut header)? <= 2 {
            break;
        }
        let (name, value) = header.split_once(':').unwrap_or_default();
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().unwrap_or(0),
            "transfer-encoding" => is_chunked = true,
            "authorization" => is_known = value.trim() == format!("Bearer {SECRET}"),
            _ => {}
        }
    }
    let mut body = Vec::new();
    if is_chunked {
        loop {
            let mut size = String::new();
            reader.read_line(&mut size)?;
            let size = usize::from_str_radix(size.trim(), 16).unwrap_or(0);
            let mut chunk = vec![0; size + 2];
            reader.read_exact(&mut chunk)?;
            if size == 0 {
                break;
            }
            body.extend_from_slice(&chunk[..size]);
        }
    } else {
        body.resize(length, 0);
        reader.read_exact(&mut body)?;
    }
    Ok((method, path, serde_json::from_slice(&body).unwrap_or_default(), is_known))
}

fn reply(mut stream: TcpStream, status: u16, body: &Value) -> io::Result<()> {
    let body = body.to_string();
    let head = format!("HTTP/1.1 {status} X\r\ncontent-type: application/json\r\nconnection: close\r\n");
    stream.write_all(format!("{head}content-length: {}\r\n\r\n{body}", body.len()).as_bytes())
}
