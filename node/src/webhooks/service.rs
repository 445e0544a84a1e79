//! What the API and the daemon ask of webhooks. The worker does the rest.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::json;
use tokio::sync::{Notify, broadcast};

use super::book::{Book, BookError};
use super::endpoint::{Endpoint, Settings};
use super::ladder::Outcome;
use super::outbox::{Due, Figures, Message, State};
use super::post::Post;
use super::signature::Secret;
use crate::api::events::ApiEvent;

/// A node's webhooks. Clones are the same ones.
#[derive(Clone, Debug)]
pub struct Webhooks {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// Nothing if the files cannot be used: then nothing is told, and nothing overwritten.
    book: Mutex<Result<Book, String>>,
    post: Post,
    /// Something is to be done that no event tells of.
    wake: Notify,
    announce: Mutex<Option<broadcast::Sender<ApiEvent>>>,
}

/// An endpoint as it may be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// Who and what.
    pub endpoint: Endpoint,
    /// Whether it is told.
    pub state: State,
    /// What went wrong last.
    pub trouble: Option<String>,
    /// How many secrets sign: 2 while one is replaced.
    pub secrets: usize,
    /// Deliveries.
    pub figures: Figures,
}

/// Why something was not done. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// The change cannot be made.
    #[error(transparent)]
    Book(#[from] BookError),
    /// The files could not be read when the node started.
    #[error("webhooks are off: {0}")]
    Off(String),
}

/// A delivery that is to be made now.
#[derive(Debug)]
pub struct Job {
    /// To settle it by.
    pub endpoint: String,
    url: String,
    secrets: Vec<Secret>,
    due: Due,
}

impl Webhooks {
    /// Opens the files in `dir`. If they cannot be used, the node runs without webhooks and says so.
    pub fn open(dir: &Path, settings: &Settings, ends: &BTreeMap<String, u64>, now_ms: u64) -> Self {
        let book = Book::open(dir, settings, ends, now_ms).map_err(|error| {
            tracing::error!(%error, "webhooks are off");
            error.to_string()
        });
        let post = Post::new(settings);
        let shared = Shared { book: Mutex::new(book), post, wake: Notify::new(), announce: Mutex::default() };
        Self { shared: Arc::new(shared) }
    }

    /// Where it is told that an endpoint was disabled.
    pub fn announce_to(&self, events: broadcast::Sender<ApiEvent>) {
        *lock(&self.shared.announce) = Some(events);
    }

    /// Events of the API, if there is one.
    pub fn announced(&self) -> Option<broadcast::Receiver<ApiEvent>> {
        lock(&self.shared.announce).as_ref().map(broadcast::Sender::subscribe)
    }

    /// Makes an endpoint that is told what happens from now on: `ends` are the ends of all feeds. Its secret is given only here.
    pub fn add(
        &self,
        url: &str,
        events: &[String],
        ends: BTreeMap<String, u64>,
        now_ms: u64,
    ) -> Result<(Shown, Secret), WebhookError> {
        self.with(|book| {
            let (endpoint, secret) = book.add(url, events, ends, now_ms)?;
            Ok((shown(book, &endpoint.id, now_ms)?, secret))
        })
    }

    /// All endpoints, by id.
    pub fn list(&self, now_ms: u64) -> Result<Vec<Shown>, WebhookError> {
        self.with(|book| book.ids().iter().map(|id| shown(book, id, now_ms)).collect())
    }

    /// One endpoint.
    pub fn show(&self, id: &str, now_ms: u64) -> Result<Shown, WebhookError> {
        self.with(|book| shown(book, id, now_ms))
    }

    /// Tells an endpoint nothing more, and forgets it.
    pub fn remove(&self, id: &str) -> Result<(), WebhookError> {
        self.with(|book| Ok(book.remove(id)?))
    }

    /// Another secret; the one before signs beside it for a day.
    pub fn rotate(&self, id: &str, now_ms: u64) -> Result<Secret, WebhookError> {
        self.with(|book| Ok(book.rotate(id, now_ms)?))
    }

    /// Tells an endpoint again that was disabled.
    pub fn enable(&self, id: &str, now_ms: u64) -> Result<Shown, WebhookError> {
        let enabled = self.with(|book| {
            book.hook_mut(id).ok_or(BookError::Unknown)?.outbox.enable(now_ms);
            shown(book, id, now_ms)
        });
        self.shared.wake.notify_one();
        enabled
    }

    /// Sends one message to an endpoint, outside of its outbox and also when it is disabled. Blocks.
    pub fn try_out(&self, id: &str, message: &Message, now_ms: u64) -> Result<Outcome, WebhookError> {
        let (url, secrets) = self.with(|book| {
            let hook = book.hook(id).ok_or(BookError::Unknown)?;
            Ok((hook.endpoint.url.clone(), hook.secrets(now_ms)))
        })?;
        Ok(self.shared.post.send(&url, message, &secrets, now_ms))
    }

    /// Figures of all endpoints together.
    pub fn figures(&self) -> Figures {
        let all = self.with(|book| Ok(book.hooks().map(|hook| hook.outbox.figures()).collect::<Vec<_>>()));
        all.unwrap_or_default().into_iter().fold(Figures::default(), |sum, one| Figures {
            sent: sum.sent + one.sent,
            failed: sum.failed + one.failed,
            dropped: sum.dropped + one.dropped,
            pending: sum.pending + one.pending,
            oldest_ms: sum.oldest_ms.into_iter().chain(one.oldest_ms).min(),
        })
    }

    /// Takes a message that stands in no feed to every endpoint that wants it.
    pub fn put_fleeting(&self, message: &Message, now_ms: u64) {
        self.each(|book, id| {
            if let Some(hook) = book.hook_mut(id).filter(|hook| hook.endpoint.events.wants(&message.kind)) {
                hook.outbox.put_fleeting(message.clone(), now_ms);
            }
        });
    }

    /// What is to be sent now.
    pub fn jobs(&self, now_ms: u64) -> Vec<Job> {
        let mut jobs = Vec::new();
        self.each(|book, id| {
            let Some(hook) = book.hook_mut(id) else { return };
            let (url, secrets) = (hook.endpoint.url.clone(), hook.secrets(now_ms));
            let job = |due| Job { endpoint: id.to_owned(), url: url.clone(), secrets: secrets.clone(), due };
            jobs.extend(hook.outbox.due(now_ms).into_iter().map(job));
        });
        jobs
    }

    /// Makes a delivery. Blocks, for fifteen seconds at most.
    pub fn deliver(&self, job: &Job, now_ms: u64) -> Outcome {
        self.shared.post.send(&job.url, &job.due.message, &job.secrets, now_ms)
    }

    /// Notes what came of a delivery, and says so if it disabled its endpoint.
    pub fn settle(&self, job: &Job, outcome: Outcome, now_ms: u64) {
        let mut chance = [0; 2];
        // Without chance the ladder is only less spread out.
        let _ = getrandom::fill(&mut chance);
        let disabled = self.with(|book| {
            let Some(hook) = book.hook_mut(&job.endpoint) else { return Ok(None) };
            let is_disabled = hook.outbox.settle(job.due.ticket, outcome, now_ms, u16::from_be_bytes(chance));
            Ok(is_disabled.then(|| hook.outbox.state().clone()))
        });
        if let Ok(Some(State::Disabled { reason, .. })) = disabled {
            tracing::error!(endpoint = job.endpoint, reason, "webhook disabled");
            self.tell(&job.endpoint, &reason);
        }
    }

    fn tell(&self, endpoint: &str, reason: &str) {
        if let Some(events) = &*lock(&self.shared.announce) {
            let data = json!({ "webhook": endpoint, "reason": reason });
            let subject = Some(format!("webhook/{endpoint}"));
            // Nobody may be listening.
            let _ = events.send(ApiEvent { kind: "webhook.disabled", subject, data });
        }
    }

    /// When something is due next.
    pub fn deadline_ms(&self) -> Option<u64> {
        self.with(|book| Ok(book.hooks().filter_map(|hook| hook.outbox.deadline_ms()).min())).ok().flatten()
    }

    /// Waits until something was enabled.
    pub async fn woken(&self) {
        self.shared.wake.notified().await;
    }

    /// Does something to each endpoint, by id.
    pub fn each(&self, mut act: impl FnMut(&mut Book, &str)) {
        let acted = self.with(|book| {
            book.ids().iter().for_each(|id| act(book, id));
            Ok(())
        });
        if let Err(error) = acted {
            tracing::trace!(%error, "nothing is told");
        }
    }

    /// Writes cursors and deliveries down if they changed.
    pub fn save(&self) {
        let state = self.with(|book| Ok(book.take_state().map(|bytes| (book.state_file(), bytes))));
        if let Ok(Some((path, bytes))) = state
            && let Err(error) = crate::files::write_whole(&path, &bytes)
        {
            // What is not written is told again after a restart.
            tracing::warn!(%error, "webhooks could not be written down");
        }
    }

    fn with<T>(&self, ask: impl FnOnce(&mut Book) -> Result<T, WebhookError>) -> Result<T, WebhookError> {
        match &mut *lock(&self.shared.book) {
            Ok(book) => ask(book),
            Err(reason) => Err(WebhookError::Off(reason.clone())),
        }
    }
}

impl Job {
    /// What is sent.
    pub fn message(&self) -> &Message {
        &self.due.message
    }
}

fn shown(book: &Book, id: &str, now_ms: u64) -> Result<Shown, WebhookError> {
    let hook = book.hook(id).ok_or(BookError::Unknown)?;
    Ok(Shown {
        endpoint: hook.endpoint.clone(),
        state: hook.outbox.state().clone(),
        trouble: hook.outbox.trouble().map(str::to_owned),
        secrets: hook.secrets(now_ms).len(),
        figures: hook.outbox.figures(),
    })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
