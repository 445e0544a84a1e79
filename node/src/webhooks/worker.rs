//! The task behind webhooks: reads what the feeds have, sends what is due, and writes down how far it came.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use stockroom_core::input::Event;
use stockroom_core::storage::StoreError;
use stockroom_crdt::scope::Scope;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, watch};
use tokio::task::JoinSet;

use super::feed::{self, scope_key};
use super::outbox::State;
use super::service::Webhooks;
use crate::api::events::ApiEvent;
use crate::daemon::clock::wall_ms;
use crate::handle::{Handle, NumberedEvent};
use crate::info::NodeInfo;

/// What the worker needs to know.
#[derive(Clone)]
pub struct Worker {
    /// The endpoints.
    pub webhooks: Webhooks,
    /// The core.
    pub handle: Handle,
    /// This node.
    pub info: NodeInfo,
}

/// What the worker waits for.
enum Woken {
    Core(Result<NumberedEvent, RecvError>),
    Api(Result<ApiEvent, RecvError>),
    /// An endpoint was enabled: it may be behind in every feed.
    Enabled,
    Again,
}

impl Worker {
    /// Works until `stop` says so, then waits for deliveries under way and writes everything down.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        let mut events = self.handle.events();
        let mut api = self.webhooks.announced();
        let mut told = 0;
        let mut sending = JoinSet::new();
        let mut grown = Grown::All;
        let mut saved = Instant::now();
        while !*stop.borrow() {
            self.read(&mut grown).await;
            for job in self.webhooks.jobs(wall_ms()) {
                let webhooks = self.webhooks.clone();
                sending.spawn_blocking(move || {
                    let outcome = webhooks.deliver(&job, wall_ms());
                    webhooks.settle(&job, outcome, wall_ms());
                });
            }
            let mut pause = self.pause(&grown);
            // A second of deliveries is what a crash may repeat.
            if saved.elapsed() >= SAVE_AFTER {
                self.save().await;
                saved = Instant::now();
            } else {
                pause = pause.min(SAVE_AFTER);
            }
            let woken = tokio::select! {
                event = events.recv() => Woken::Core(event),
                event = next(&mut api) => Woken::Api(event),
                Some(_) = sending.join_next() => Woken::Again,
                () = self.webhooks.woken() => Woken::Enabled,
                () = tokio::time::sleep(pause) => Woken::Again,
                _ = stop.wait_for(|stop| *stop) => break,
            };
            match woken {
                Woken::Core(Ok(event)) => {
                    self.take(&event, &mut grown);
                    // What came meanwhile is read and written down together.
                    while let Ok(event) = events.try_recv() {
                        self.take(&event, &mut grown);
                    }
                }
                Woken::Core(Err(RecvError::Lagged(_))) | Woken::Enabled => grown = Grown::All,
                Woken::Core(Err(RecvError::Closed)) => {
                    // The core has ended, and the node is about to stop.
                    let _ = stop.wait_for(|stop| *stop).await;
                }
                Woken::Api(Ok(event)) => {
                    told += 1;
                    let now_ms = wall_ms();
                    self.webhooks.put_fleeting(&feed::of_api(&self.info, &event, now_ms, told), now_ms);
                }
                Woken::Api(Err(RecvError::Lagged(_))) | Woken::Again => {}
                Woken::Api(Err(RecvError::Closed)) => api = None,
            }
        }
        let settled = async { while sending.join_next().await.is_some() {} };
        // What is not settled by then is sent again after the next start.
        let _ = tokio::time::timeout(STOP_AFTER, settled).await;
        self.save().await;
    }

    /// Reads what is new into every outbox that has room, until there is nothing new or no room.
    pub fn read_now(&self, grown: &mut Grown) -> Result<(), StoreError> {
        let snapshot = self.handle.snapshot()?;
        let scopes = match grown {
            Grown::All => feed::scopes(&*snapshot)?,
            Grown::Some(scopes) => scopes.iter().cloned().collect(),
        };
        let mut unread = BTreeSet::new();
        let mut failed = None;
        for scope in scopes {
            let key = scope_key(&scope);
            self.webhooks.each(|book, id| {
                while let Some(hook) = book.hook_mut(id) {
                    if !hook.outbox.has_room() {
                        // Whoever enables an endpoint has every feed read.
                        if *hook.outbox.state() == State::Active {
                            unread.insert(scope.clone());
                        }
                        return;
                    }
                    match feed::steps(&*snapshot, &self.info, &scope, hook.outbox.cursor(&key), 1) {
                        Ok(steps) if steps.is_empty() => return,
                        Ok(steps) => {
                            for step in steps {
                                let wanted = step.messages.into_iter().filter(|m| hook.endpoint.events.wants(&m.kind));
                                wanted.for_each(|message| hook.outbox.put(message, wall_ms()));
                                hook.outbox.advance(&key, step.next);
                            }
                        }
                        Err(error) => {
                            failed = Some(error);
                            return;
                        }
                    }
                }
            });
        }
        *grown = Grown::Some(unread);
        failed.map_or(Ok(()), Err)
    }

    async fn read(&self, grown: &mut Grown) {
        if grown.is_empty() {
            return;
        }
        let (worker, mut taken) = (self.clone(), std::mem::replace(grown, Grown::Some(BTreeSet::new())));
        let read = tokio::task::spawn_blocking(move || {
            let read = worker.read_now(&mut taken);
            (read, taken)
        });
        match read.await {
            Ok((Ok(()), left)) => *grown = left,
            Ok((Err(error), _)) => {
                tracing::warn!(%error, "webhooks cannot read the feeds");
                *grown = Grown::All;
            }
            Err(_) => *grown = Grown::All,
        }
    }

    fn take(&self, event: &NumberedEvent, grown: &mut Grown) {
        if let Event::Entry { scope, .. } = &event.event {
            grown.add(scope);
        }
        if let Some(message) = feed::of_core(&self.handle, &self.info, event) {
            self.webhooks.put_fleeting(&message, event.at_ms);
        }
    }

    async fn save(&self) {
        let webhooks = self.webhooks.clone();
        // A task that cannot be started is a node that stops.
        let _ = tokio::task::spawn_blocking(move || webhooks.save()).await;
    }

    fn pause(&self, grown: &Grown) -> Duration {
        let due =
            self.webhooks.deadline_ms().map_or(PAUSE, |at_ms| Duration::from_millis(at_ms.saturating_sub(wall_ms())));
        let longest = if grown.is_empty() { PAUSE } else { PAUSE_UNREAD };
        due.clamp(PAUSE_LEAST, longest)
    }
}

/// Scopes whose feeds may hold something new.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Grown {
    /// Any of them.
    All,
    /// These.
    Some(BTreeSet<Scope>),
}

impl Grown {
    fn add(&mut self, scope: &Scope) {
        if let Self::Some(scopes) = self {
            scopes.insert(scope.clone());
        }
    }

    fn is_empty(&self) -> bool {
        matches!(self, Self::Some(scopes) if scopes.is_empty())
    }
}

/// The next event of the API; never without one.
async fn next(api: &mut Option<broadcast::Receiver<ApiEvent>>) -> Result<ApiEvent, RecvError> {
    match api {
        Some(api) => api.recv().await,
        None => std::future::pending().await,
    }
}

/// How long the worker sleeps at most: the clock may be set while it does.
const PAUSE: Duration = Duration::from_secs(60);

/// How long a stop waits for deliveries under way.
const STOP_AFTER: Duration = Duration::from_secs(3);

/// How often cursors and deliveries are written down at most: with every delivery would wear the disk out.
const SAVE_AFTER: Duration = Duration::from_secs(1);

/// How long it sleeps while an outbox had no room.
const PAUSE_UNREAD: Duration = Duration::from_secs(5);

/// How long it sleeps at least, so that four deliveries in flight do not make it spin.
const PAUSE_LEAST: Duration = Duration::from_millis(20);
