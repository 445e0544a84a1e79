//! One endpoint, its receiver, and a clock that stands until it is set.

use std::collections::BTreeMap;

use stockroom::webhooks::endpoint::Settings;
use stockroom::webhooks::outbox::Message;
use stockroom::webhooks::service::{Shown, Webhooks};
use stockroom::webhooks::signature::{Headers, Secret, VerifyError, verify};
use stockroom_tests::receiver::{Heard, Receiver};
use tempfile::TempDir;

/// A node's webhooks without the node.
pub struct Bench {
    pub webhooks: Webhooks,
    pub receiver: Receiver,
    pub id: String,
    pub secret: Secret,
    pub now_ms: u64,
    pub folder: TempDir,
}

impl Bench {
    /// One endpoint that is told everything.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let receiver = Receiver::start().expect("a free port");
        let webhooks = open(&folder, NOON_MS);
        let (shown, secret) =
            webhooks.add(&receiver.url(), &[], BTreeMap::new(), NOON_MS).expect("loopback is allowed");
        Self { webhooks, receiver, id: shown.endpoint.id, secret, now_ms: NOON_MS, folder }
    }

    /// Something happened.
    pub fn put(&self, number: u32) {
        let message =
            Message { id: format!("evt_{number}"), kind: "sale.recorded".into(), body: format!("{{\"n\":{number}}}") };
        self.webhooks.put_fleeting(&message, self.now_ms);
    }

    /// Sends what is due now, and says how many that were.
    pub fn send(&self) -> usize {
        let jobs = self.webhooks.jobs(self.now_ms);
        for job in &jobs {
            let outcome = self.webhooks.deliver(job, self.now_ms);
            self.webhooks.settle(job, outcome, self.now_ms);
        }
        jobs.len()
    }

    /// Sets the clock to when something is due next; false if nothing is.
    pub fn wait(&mut self) -> bool {
        let deadline = self.webhooks.deadline_ms();
        self.now_ms = deadline.unwrap_or(self.now_ms).max(self.now_ms);
        deadline.is_some()
    }

    /// The process ends and another one starts.
    pub fn restart(&mut self) {
        self.webhooks.save();
        self.webhooks = open(&self.folder, self.now_ms);
    }

    /// The endpoint as the API shows it.
    pub fn shown(&self) -> Shown {
        self.webhooks.show(&self.id, self.now_ms).expect("it is there")
    }

    /// What a receiver with these secrets makes of a request.
    pub fn verified(&self, heard: &Heard, secrets: &[Secret]) -> Result<(), VerifyError> {
        let headers = Headers { id: &heard.id, timestamp: &heard.timestamp, signature: &heard.signature };
        verify(headers, &heard.body, secrets, self.now_ms / 1_000)
    }
}

fn open(folder: &TempDir, now_ms: u64) -> Webhooks {
    let settings = Settings { allow_loopback: true, ..Settings::default() };
    Webhooks::open(folder.path(), &settings, &BTreeMap::new(), now_ms)
}

/// Some noon.
pub const NOON_MS: u64 = 1_763_812_800_000;
