//! The delivery desk: follows what stores and customers say of deliveries, has couriers asked, and writes what they report into the log.
//!
//! At a hub it asks the services of `[courier]` for the deliveries of orders whose home it is, and a store that sends its own rider is left
//! alone. At a store it knows that store's own riders only, and works while the store is cut off.
//!
//! What is looked at is the books, never what changed in them: the feeds only say which order to look at again. So a restart begins with
//! everything that is open, and nothing is missed. Steps are written under retry keys that follow from delivery, attempt and step: a
//! report that comes ten times writes once, on both sides of a restart.
//!
//! | module | what it knows |
//! |---|---|
//! | [`name`] | what a delivery is called |
//! | [`brief`] | from a fulfillment to what a courier is told |
//! | [`steps`] | from what a courier reports to a step of the log |
//! | [`book`] | what outlives a restart besides the attempts |
//! | [`look`] | what follows from the books as they are now |
//! | [`write`](mod@write) | bringing steps into the log |
//! | [`act`] | what riders say |
//! | [`wish`] | what people decide, and what they see |
//! | [`task`] | the task of the daemon |

pub mod name;

pub mod brief;
pub mod steps;

pub mod book;

pub mod act;
pub mod look;
pub mod task;
pub mod wish;
pub mod write;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::json;
use stockroom_core::storage::{Snapshot, StoreError};
use stockroom_core::view::View;
use stockroom_crdt::ids::{NodeId, StoreId, TenantId};
use stockroom_crdt::scope::Scope;
use tokio::sync::{Notify, Semaphore, broadcast};

use crate::api::events::ApiEvent;
use crate::courier::delivery::CourierEvent;
use crate::courier::desk::book::{Book, Way};
use crate::courier::desk::brief::Reader;
use crate::courier::desk::name::PartName;
use crate::courier::dispatcher::Dispatcher;
use crate::courier::job::{Contact, DeliveryId};
use crate::courier::limits::CALLS_MAX;
use crate::courier::positions::Positions;
use crate::courier::report::{Reason, State};
use crate::courier::riders::OwnRiders;
use crate::courier::settings::CourierSettings;
use crate::handle::Handle;

/// A node's delivery desk. Clones are the same one.
#[derive(Clone)]
pub struct Desk {
    shared: Arc<Shared>,
}

/// Who the desk works for.
#[derive(Clone)]
pub struct Setup {
    /// This node.
    pub node: NodeId,
    /// Its store; `None` at a hub.
    pub store: Option<StoreId>,
    /// Its tenant.
    pub tenant: TenantId,
    /// Opens what was sealed to this node.
    pub seal_secret: [u8; 32],
    /// What outlives a restart.
    pub file: PathBuf,
}

struct Shared {
    setup: Setup,
    settings: CourierSettings,
    handle: Handle,
    riders: Arc<OwnRiders>,
    inner: Mutex<Inner>,
    positions: Mutex<Positions>,
    /// Something is to be done that no feed tells of.
    wake: Notify,
    /// Places for calls to courier services.
    calls: Arc<Semaphore>,
    told: Mutex<Option<broadcast::Sender<ApiEvent>>>,
    saving: Mutex<()>,
}

struct Inner {
    dispatcher: Dispatcher,
    book: Book,
    /// How far each store's feed was read.
    cursors: BTreeMap<Scope, u64>,
    /// When a fulfillment is looked at again, although nothing changed.
    again: BTreeMap<PartName, u64>,
    /// Orders that a report or a person has touched.
    touched: BTreeSet<PartName>,
    /// Something is not in the file yet.
    changed: bool,
}

#[derive(Serialize, Deserialize)]
struct Saved {
    dispatcher: String,
    book: Book,
}

impl Desk {
    /// Opens the desk with what its file holds. Services that cannot be set up are not asked, and the log says why.
    pub fn open(settings: CourierSettings, setup: Setup, handle: Handle) -> Self {
        let (mut dispatcher, riders) = match (setup.store, settings.open()) {
            (None, Ok(opened)) => opened,
            (None, Err(error)) => {
                tracing::error!(%error, "courier services are off");
                settings.open_riders()
            }
            (Some(_), _) => settings.open_riders(),
        };
        let saved = read(&setup).unwrap_or_else(|error| {
            tracing::error!(%error, file = %setup.file.display(), "deliveries begin anew");
            None
        });
        let mut book = Book::default();
        if let Some(saved) = saved {
            match dispatcher.restore(&saved.dispatcher) {
                Ok(()) => book = saved.book,
                Err(error) => tracing::error!(%error, "deliveries begin anew"),
            }
        }
        let inner = Inner {
            dispatcher,
            book,
            cursors: BTreeMap::new(),
            again: BTreeMap::new(),
            touched: BTreeSet::new(),
            changed: false,
        };
        let shared = Shared {
            setup,
            settings,
            handle,
            riders,
            inner: Mutex::new(inner),
            positions: Mutex::default(),
            wake: Notify::new(),
            calls: Arc::new(Semaphore::new(CALLS_MAX)),
            told: Mutex::default(),
            saving: Mutex::default(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Where it is told what happens to deliveries.
    pub fn announce_to(&self, events: broadcast::Sender<ApiEvent>) {
        *lock(&self.shared.told) = Some(events);
    }

    /// True at a hub.
    pub fn is_hub(&self) -> bool {
        self.shared.setup.store.is_none()
    }

    /// Own riders.
    pub fn riders(&self) -> &OwnRiders {
        &self.shared.riders
    }

    /// Writes down what must outlive a restart, if it changed. Holds no customer; couriers' names are forgotten with the delivery.
    pub fn save(&self) {
        // Two at a time might leave the older one's words in the file.
        let _alone = lock(&self.shared.saving);
        let bytes = {
            let mut inner = self.inner();
            if !std::mem::take(&mut inner.changed) {
                return;
            }
            // A late callback names the courier again.
            let closed: Vec<_> = inner.book.closed().cloned().collect();
            closed.iter().for_each(|id| inner.dispatcher.forget_people(id));
            #[derive(Serialize)]
            struct Saving<'a> {
                dispatcher: String,
                book: &'a Book,
            }
            let saving = inner.dispatcher.save().map(|dispatcher| Saving { dispatcher, book: &inner.book });
            saving.and_then(|saving| serde_json::to_vec(&saving))
        };
        let written = bytes
            .map_err(std::io::Error::other)
            .and_then(|bytes| crate::files::write_whole(&self.shared.setup.file, &bytes));
        if let Err(error) = written {
            // What is not written is asked for again after a restart, and written to the log under the same keys.
            tracing::warn!(%error, "deliveries could not be written down");
            self.inner().changed = true;
        }
    }

    /// The contact of a delivery, for whoever has to go there.
    pub fn contact(&self, id: &DeliveryId) -> Option<Contact> {
        let (name, _) = PartName::of(id)?;
        let snapshot = self.shared.handle.snapshot().ok()?;
        self.reader(&*snapshot).contact(name)
    }

    /// Notes what couriers reported: steps to be written, alarms, positions. `proof` is what a rider has to show for a delivery.
    fn hear(&self, inner: &mut Inner, events: &[CourierEvent], proof: Option<&str>, now_ms: u64) {
        for event in events {
            inner.changed = true;
            let attempt =
                inner.dispatcher.delivery(&event.delivery).and_then(|delivery| delivery.attempt(event.attempt));
            let out = attempt.is_some_and(|attempt| attempt.progress().goods_are_out());
            if let (Some(position), true) = (event.position, out) {
                lock(&self.shared.positions).put(&event.delivery, position, now_ms);
            }
            if let Some((name, _)) = PartName::of(&event.delivery) {
                inner.touched.insert(name);
            }
            let Some(file) = inner.book.file_mut(&event.delivery) else { continue };
            if let Some((step, note)) = steps::of_event(event, out) {
                let note = proof.filter(|_| event.state == State::Delivered).map_or(note, str::to_owned);
                file.say(event.attempt, step, note);
            }
            file.left_unsaid |= out && file.closed_ms.is_none();
            let alarm = match (event.state, event.reason) {
                (State::Expired | State::Cancelled | State::Failed, _) if out => {
                    Some("the goods are out and nobody brings them")
                }
                (_, Some(Reason::CourierLate)) if out => Some("the goods are late"),
                _ => None,
            };
            if let Some(what) = alarm {
                self.alarm(inner, &event.delivery, what, now_ms);
            }
            self.tell(
                "delivery.changed",
                &event.delivery,
                json!({
                    "delivery": event.delivery.as_str(), "attempt": event.attempt, "courier": event.provider,
                    "state": event.state, "reason": event.reason, "at_ms": event.at_ms,
                }),
            );
        }
    }

    /// Notes something that a person should look at, once, and tells of it.
    fn alarm(&self, inner: &mut Inner, id: &DeliveryId, what: &str, now_ms: u64) {
        if inner.book.file_mut(id).is_some_and(|file| file.alarm(what, now_ms)) {
            inner.changed = true;
            tracing::warn!(delivery = %id, what, "delivery alarm");
            self.tell("delivery.alarm", id, json!({ "delivery": id.as_str(), "what": what }));
        }
    }

    fn tell(&self, kind: &'static str, id: &DeliveryId, data: serde_json::Value) {
        if let Some(events) = &*lock(&self.shared.told) {
            let subject = PartName::of(id).map(|(name, _)| format!("order/{}", name.order));
            // Nobody may be listening.
            let _ = events.send(ApiEvent { kind, subject, data });
        }
    }

    /// The delivery is over: its way is a summary, and who carried it where is forgotten.
    fn close(&self, inner: &mut Inner, id: &DeliveryId, now_ms: u64) {
        let way = lock(&self.shared.positions).remove(id).map(|track| Way::of(&track));
        let Some(file) = inner.book.file_mut(id).filter(|file| file.closed_ms.is_none()) else { return };
        (file.closed_ms, file.way, file.left_unsaid) = (Some(now_ms), way.or(file.way), false);
        inner.dispatcher.forget_people(id);
        self.shared.riders.forget_place(id);
        inner.changed = true;
    }

    fn reader<'a>(&'a self, snapshot: &'a (dyn Snapshot + 'static)) -> Reader<'a> {
        let Shared { setup, settings, .. } = &*self.shared;
        Reader { view: View::new(snapshot), settings, tenant: setup.tenant, seal_secret: &setup.seal_secret }
    }

    fn snapshot(&self) -> Result<Arc<dyn Snapshot>, StoreError> {
        self.shared.handle.snapshot()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        lock(&self.shared.inner)
    }
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Desk").field("node", &self.shared.setup.node).finish_non_exhaustive()
    }
}

fn read(setup: &Setup) -> Result<Option<Saved>, String> {
    let bytes = crate::files::read_if_there(&setup.file).map_err(|error| error.to_string())?;
    bytes.map(|bytes| serde_json::from_slice(&bytes)).transpose().map_err(|error| error.to_string())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
