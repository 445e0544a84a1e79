//! One node's HTTP API as the demo asks it: keep-alive, with a bound, and an answer of any status is an answer.

use std::time::Duration;

use serde_json::Value;
use ureq::Agent;

/// A client of one node. Cheap to clone; clones share connections.
#[derive(Clone, Debug)]
pub struct Door {
    agent: Agent,
    base: String,
}

/// What a node answered.
#[derive(Clone, Debug)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// The body, null if it was not JSON.
    pub body: Value,
}

impl Door {
    /// For the node whose API listens at `address`. Connects with the first request.
    pub fn new(address: &str, timeout: Duration) -> Self {
        let config = Agent::config_builder().http_status_as_error(false).timeout_global(Some(timeout)).proxy(None);
        Self { agent: config.build().into(), base: format!("http://{address}") }
    }

    /// Where the node is, for a person's browser.
    pub fn url(&self) -> &str {
        &self.base
    }

    /// Reads a resource.
    pub fn read(&self, path: &str) -> Result<Value, String> {
        let response = self.agent.get(format!("{}{path}", self.base)).call();
        let reply = response.and_then(Reply::of).map_err(|error| error.to_string())?;
        if reply.is_good() { Ok(reply.body) } else { Err(reply.words()) }
    }

    /// Writes. An error says nothing about whether it was carried out.
    pub fn post(&self, path: &str, key: Option<&str>, (media_type, body): (&str, &str)) -> Result<Reply, ureq::Error> {
        let request = self.agent.post(format!("{}{path}", self.base)).header("Content-Type", media_type);
        let request = match key {
            Some(key) => request.header("Idempotency-Key", key),
            None => request,
        };
        Reply::of(request.send(body)?)
    }

    /// Writes JSON where there is nothing else to do than to succeed.
    pub fn write(&self, path: &str, key: Option<&str>, body: &Value) -> Result<Value, String> {
        let reply = self.post(path, key, (JSON, &body.to_string())).map_err(|error| error.to_string())?;
        if reply.is_good() { Ok(reply.body) } else { Err(reply.words()) }
    }

    /// Replaces a resource.
    pub fn replace(&self, path: &str, key: &str, body: &Value) -> Result<Value, String> {
        let request = self.agent.put(format!("{}{path}", self.base)).header("Content-Type", JSON);
        let reply = request.header("Idempotency-Key", key).send(body.to_string().as_str()).and_then(Reply::of);
        let reply = reply.map_err(|error| error.to_string())?;
        if reply.is_good() { Ok(reply.body) } else { Err(reply.words()) }
    }

    /// All rows of a list that comes in pages.
    pub fn pages(&self, path: &str, query: &str) -> Result<Vec<Value>, String> {
        let (mut rows, mut after) = (Vec::new(), String::new());
        for _ in 0..PAGES_MAX {
            let mut page = self.read(&format!("{path}?limit=1000{query}{after}"))?;
            match page["items"].take() {
                Value::Array(items) => rows.extend(items),
                other => return Err(format!("{path} answered {other} for a list")),
            }
            match page["next"].as_str() {
                Some(next) => after = format!("&after={next}"),
                None => return Ok(rows),
            }
        }
        Err(format!("{path} has no end"))
    }
}

impl Reply {
    fn of(mut response: ureq::http::Response<ureq::Body>) -> Result<Self, ureq::Error> {
        let status = response.status().as_u16();
        let text = response.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_string()?;
        Ok(Self { status, body: serde_json::from_str(&text).unwrap_or(Value::Null) })
    }

    /// True for 2xx.
    pub fn is_good(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The problem in one line.
    pub fn words(&self) -> String {
        let text = |name: &str| self.body[name].as_str().unwrap_or("-");
        let errors = &self.body["errors"];
        let first = errors.get(0).map(|first| format!(", first of them {first}")).unwrap_or_default();
        format!("{} {}: {}{first}", self.status, text("title"), text("detail"))
    }
}

/// Media type of everything but the product list.
pub const JSON: &str = "application/json";

/// A page of 1,000 rows is a few hundred kB.
const ANSWER_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// The sample has some thousand products.
const PAGES_MAX: usize = 100;
