//! One node's HTTP API as a test asks it. An answer of any status is an answer.

use std::time::Duration;

use serde_json::Value;
use ureq::Agent;
use ureq::http::Request;

/// A client of one node. Clones share connections.
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
    /// Of the body.
    pub media_type: String,
    /// The body, null if it was not JSON.
    pub body: Value,
}

impl Door {
    /// For the API at `address`.
    pub fn new(address: &str) -> Self {
        let config = Agent::config_builder().http_status_as_error(false).timeout_global(Some(TIMEOUT)).proxy(None);
        Self { agent: config.build().into(), base: format!("http://{address}") }
    }

    /// Over an agent that was made elsewhere.
    pub fn over(agent: Agent, base: String) -> Self {
        Self { agent, base }
    }

    /// Sends any request. An error says nothing about whether it was carried out.
    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Result<Reply, String> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.base));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(body.to_owned()).expect("tests write good requests");
        let mut response = self.agent.run(request).map_err(|error| error.to_string())?;
        let media_type = response.headers().get("content-type").and_then(|value| value.to_str().ok());
        let (status, media_type) = (response.status().as_u16(), media_type.unwrap_or_default().to_owned());
        let text = response.body_mut().read_to_string().map_err(|error| error.to_string())?;
        Ok(Reply { status, media_type, body: serde_json::from_str(&text).unwrap_or(Value::Null) })
    }

    /// Reads a resource that is there.
    pub fn read(&self, path: &str) -> Result<Value, String> {
        self.send("GET", path, &[], "")?.good()
    }

    /// Writes JSON, under a retry key if one is given.
    pub fn post(&self, path: &str, key: Option<&str>, body: &Value) -> Result<Reply, String> {
        let mut headers = vec![("content-type", "application/json")];
        headers.extend(key.map(|key| ("idempotency-key", key)));
        self.send("POST", path, &headers, &body.to_string())
    }

    /// Replaces a resource under a retry key.
    pub fn put(&self, path: &str, key: &str, body: &Value) -> Result<Reply, String> {
        self.send("PUT", path, &[("content-type", "application/json"), ("idempotency-key", key)], &body.to_string())
    }

    /// Host and port.
    pub fn address(&self) -> &str {
        self.base.split_once("://").map_or(&self.base, |(_, address)| address)
    }

    /// Stock on hand of a product at a store as this node knows it.
    pub fn on_hand(&self, sku: &str, store: u32) -> Result<i64, String> {
        let stock = self.read(&format!("/v1/stock/{sku}?store={store}"))?;
        stock["on_hand"].as_i64().ok_or_else(|| format!("no figure in {stock}"))
    }

    /// Receipts of all business days of a store as this node knows them.
    pub fn receipts(&self, store: u32) -> Result<u64, String> {
        let days = self.read(&format!("/v1/days?store={store}"))?;
        let days = days["items"].as_array().ok_or_else(|| format!("no days in {days}"))?;
        Ok(days.iter().filter_map(|day| day["receipts"].as_u64()).sum())
    }

    /// Entries that are not known to be durable at the hub.
    pub fn backlog(&self) -> Result<u64, String> {
        let status = self.read("/v1/status")?;
        status["backlog"]["entries"].as_u64().ok_or_else(|| format!("no backlog in {status}"))
    }
}

impl Reply {
    /// The body of a 2xx; otherwise the status and the problem.
    pub fn good(self) -> Result<Value, String> {
        if (200..300).contains(&self.status) { Ok(self.body) } else { Err(format!("{}: {}", self.status, self.body)) }
    }
}

/// Longer than the node's own bound for a request.
const TIMEOUT: Duration = Duration::from_secs(20);
