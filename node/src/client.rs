//! The command line's own requests to a running node: plain HTTP on the loopback interface, JSON both ways.

use std::io::Read;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde_json::Value;
use ureq::Agent;
use ureq::http::Response;

use crate::config::{API_PORT, DATA_DIR};
use crate::files::DataDir;

/// Which node is asked.
#[derive(Args, Clone, Debug, Default)]
pub struct Target {
    /// Address of the node's API. Without it, the node that runs in the data directory is asked
    #[arg(long, value_name = "HOST:PORT", env = "STOCKROOM_API")]
    pub api: Option<String>,
    /// Data directory of the node that is asked [default: stockroom-data]
    #[arg(long, value_name = "DIR", env = "STOCKROOM_DATA")]
    pub data: Option<PathBuf>,
}

/// A connection to one node's API.
#[derive(Clone, Debug)]
pub struct Client {
    agent: Agent,
    address: String,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody answers. Whether a write was carried out is unknown.
    #[error("no node answers at http://{address}; is `stockroom run` running?")]
    Unreachable {
        /// Where.
        address: String,
        /// What the connection said.
        source: Box<ureq::Error>,
    },
    /// The node said no, in these words. Nothing was written.
    #[error("{title}: {detail}")]
    Refused {
        /// What kind of problem.
        title: String,
        /// This one.
        detail: String,
        /// HTTP status.
        status: u16,
    },
    /// What answers is not a node of this version.
    #[error("http://{address} does not answer like a stockroom node: {what}")]
    Strange {
        /// Where.
        address: String,
        /// What is wrong.
        what: String,
    },
}

impl Target {
    /// Where the API is: as given, else as the node in the data directory wrote it down, else the default port.
    pub fn address(&self) -> String {
        let data = self.data.clone().unwrap_or_else(|| DATA_DIR.into());
        let running = || DataDir::new(data, None).read_running().and_then(|running| running.api);
        let address = self.api.clone().or_else(running).unwrap_or_else(|| format!("127.0.0.1:{API_PORT}"));
        address.trim_start_matches("http://").trim_end_matches('/').into()
    }
}

impl Client {
    /// For the node at `target`. Connects with the first request.
    pub fn new(target: &Target) -> Self {
        let config = Agent::config_builder().http_status_as_error(false).timeout_global(Some(TIMEOUT)).proxy(None);
        Self { agent: config.build().into(), address: target.address() }
    }

    /// Where the node is asked.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Reads a resource.
    pub fn read(&self, path: &str) -> Result<Value, ClientError> {
        let response = self.agent.get(self.url(path)).call();
        self.answer(response)
    }

    /// Writes, under a retry key if the resource needs one.
    pub fn write(&self, path: &str, key: Option<&str>, body: &Value) -> Result<Value, ClientError> {
        let request = self.agent.post(self.url(path));
        let request = match key {
            Some(key) => request.header("Idempotency-Key", key),
            None => request,
        };
        self.answer(request.send_json(body))
    }

    /// Sends a table as CSV.
    pub fn send_csv(&self, path: &str, table: &[u8]) -> Result<Value, ClientError> {
        self.answer(self.agent.post(self.url(path)).header("Content-Type", "text/csv").send(table))
    }

    /// Replaces a resource.
    pub fn replace(&self, path: &str, key: Option<&str>, body: &Value) -> Result<Value, ClientError> {
        let request = self.agent.put(self.url(path));
        let request = match key {
            Some(key) => request.header("Idempotency-Key", key),
            None => request,
        };
        self.answer(request.send_json(body))
    }

    /// Removes a resource.
    pub fn remove(&self, path: &str) -> Result<Value, ClientError> {
        let response = self.agent.delete(self.url(path)).call();
        self.answer(response)
    }

    /// Reads a resource that is no JSON and may be long.
    pub fn stream(&self, path: &str) -> Result<impl Read + use<>, ClientError> {
        let response = self.agent.get(self.url(path)).config().timeout_global(Some(STREAM_TIMEOUT)).build().call();
        let unreachable = |error| ClientError::Unreachable { address: self.address.clone(), source: Box::new(error) };
        let response = response.map_err(unreachable)?;
        if response.status().is_success() {
            return Ok(response.into_body().into_reader());
        }
        match self.answer(Ok(response)) {
            Err(error) => Err(error),
            Ok(_) => Err(self.strange(&"an answer is good and is not")),
        }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    fn answer(&self, response: Result<Response<ureq::Body>, ureq::Error>) -> Result<Value, ClientError> {
        let unreachable = |error| ClientError::Unreachable { address: self.address.clone(), source: Box::new(error) };
        let mut response = response.map_err(unreachable)?;
        let status = response.status();
        let read = response.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_json::<Value>();
        let body = read.map_err(|error| self.strange(&error))?;
        if status.is_success() {
            return Ok(body);
        }
        let text = |name: &str| body[name].as_str().map(String::from);
        Err(ClientError::Refused {
            title: text("title").unwrap_or_else(|| status.to_string()),
            detail: text("detail").unwrap_or_default(),
            status: status.as_u16(),
        })
    }

    /// The answer is not what this version expects.
    pub fn strange(&self, what: &dyn std::fmt::Display) -> ClientError {
        ClientError::Strange { address: self.address.clone(), what: what.to_string() }
    }
}

/// A node answers at once; an import or a backup may take longer.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Years of sales.
const STREAM_TIMEOUT: Duration = Duration::from_secs(600);

/// A page of stock has 1,000 lines at most.
const ANSWER_BYTES_MAX: u64 = 16 * 1024 * 1024;
