//! The seam between the node's one core thread and everything else in the process: requests in, answers, snapshots and
//! events out. The API, the CLI's local commands and the enrolment port know the core only through a [`Handle`].

use std::sync::Arc;

use stockroom_core::input::{Answer, Command, Event, Refusal};
use stockroom_core::status::Status;
use stockroom_core::storage::{Reader, Snapshot, StoreError};
use tokio::sync::{broadcast, mpsc, oneshot, watch};

/// Asks the core thread. Cheap to clone.
#[derive(Clone)]
pub struct Handle {
    requests: mpsc::Sender<Request>,
    reader: Arc<dyn Reader>,
    status: watch::Receiver<Arc<Status>>,
    events: broadcast::Sender<NumberedEvent>,
}

/// A command on its way to the core thread.
pub struct Request {
    /// What is asked.
    pub command: Box<Command>,
    /// Where the answer goes, after it is durable.
    pub answer: oneshot::Sender<Result<Answer, Refusal>>,
}

/// An event with its number since the node's start.
#[derive(Clone, Debug)]
pub struct NumberedEvent {
    /// 1, 2, 3, ...
    pub number: u64,
    /// When it left the core, milliseconds since 1970.
    pub at_ms: u64,
    /// What happened.
    pub event: Event,
}

/// Why a command has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// More requests wait than the node takes on. Nothing happened; try again.
    #[error("the node is overloaded")]
    Overloaded,
    /// The node is stopping or has stopped. Whether the command was carried out is unknown; ask again under the same key.
    #[error("the node is stopping")]
    Stopped,
}

impl Handle {
    /// Connects the ends that the core thread made.
    pub fn new(
        requests: mpsc::Sender<Request>,
        reader: Arc<dyn Reader>,
        status: watch::Receiver<Arc<Status>>,
        events: broadcast::Sender<NumberedEvent>,
    ) -> Self {
        Self { requests, reader, status, events }
    }

    /// Asks for a write and waits until it is durable or refused.
    pub async fn ask(&self, command: Command) -> Result<Result<Answer, Refusal>, AskError> {
        let (answer, answered) = oneshot::channel();
        let request = Request { command: Box::new(command), answer };
        self.requests.try_send(request).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => AskError::Overloaded,
            mpsc::error::TrySendError::Closed(_) => AskError::Stopped,
        })?;
        answered.await.map_err(|_| AskError::Stopped)
    }

    /// A snapshot of the last commit. Never waits for the core thread.
    pub fn snapshot(&self) -> Result<Arc<dyn Snapshot>, StoreError> {
        self.reader.snapshot()
    }

    /// The newest status.
    pub fn status(&self) -> Arc<Status> {
        self.status.borrow().clone()
    }

    /// Every new status, as it comes.
    pub fn statuses(&self) -> watch::Receiver<Arc<Status>> {
        self.status.clone()
    }

    /// Events from now on. A slow watcher loses the oldest and is told how many.
    pub fn events(&self) -> broadcast::Receiver<NumberedEvent> {
        self.events.subscribe()
    }
}
