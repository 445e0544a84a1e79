//! What people decide about deliveries, and what they see of them.

use stockroom_core::input::{Command, Refusal};
use stockroom_core::storage::StoreError;
use stockroom_crdt::order::OrderId;
use stockroom_crdt::order::resolve::part::State as PartState;
use stockroom_crdt::order::step::Step;
use stockroom_crdt::product::Channel;

use super::write::{WriteError, key, request};
use super::{Desk, Inner};
use crate::courier::CourierError;
use crate::courier::delivery::{Attempt, Delivery};
use crate::courier::desk::book::{File, Said};
use crate::courier::desk::brief::NoJob;
use crate::courier::desk::name::PartName;
use crate::courier::dispatcher::{DispatchError, Tally};
use crate::courier::job::{Contact, DeliveryId, ExternalId};
use crate::courier::positions;
use crate::courier::report::{Reason, State};
use crate::courier::riders::{Rider, RiderError};
use crate::courier::settings::RIDERS;
use crate::handle::AskError;

/// Why something was not done. Nothing has changed.
#[derive(Debug, thiserror::Error)]
pub enum DeskError {
    /// There is no such delivery.
    #[error("there is no such delivery here")]
    Unknown,
    /// It does not fit how things stand.
    #[error("{0}")]
    State(String),
    /// Another node decides that.
    #[error("{0}")]
    NotHere(&'static str),
    /// The dispatcher says no.
    #[error(transparent)]
    Dispatch(#[from] DispatchError),
    /// There is no such rider, or he cannot take it.
    #[error(transparent)]
    Rider(#[from] RiderError),
    /// Nobody can be asked.
    #[error(transparent)]
    NoJob(#[from] NoJob),
    /// The log could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The core says no.
    #[error("{0}")]
    Refused(Refusal),
    /// The books cannot be read.
    #[error(transparent)]
    Books(#[from] StoreError),
}

/// A delivery as people see it.
#[derive(Clone, Debug)]
pub struct Shown {
    /// Its name.
    pub id: DeliveryId,
    /// The fulfillment that it brings.
    pub name: PartName,
    /// Where that stands.
    pub part: Option<PartState>,
    /// Its attempts, until it is forgotten.
    pub delivery: Option<Delivery>,
    /// Alarms, steps that wait, the summary of the way.
    pub file: File,
    /// Where it was last.
    pub position: Option<positions::Shown>,
}

/// Something that a rider carries.
#[derive(Clone, Debug)]
pub struct Carried {
    /// Which attempt.
    pub id: ExternalId,
    /// The fulfillment.
    pub name: PartName,
    /// What was heard of it last.
    pub state: State,
    /// The store said that the goods left.
    pub has_left: bool,
    /// When it was promised.
    pub due_ms: u64,
    /// When the rider is there, by the sheet; `None` for what goes back.
    pub arrive_ms: Option<u64>,
    /// How many bags.
    pub bags: u32,
    /// On the bags.
    pub bag_code: String,
    /// The receiver's age.
    pub age_min: Option<u8>,
    /// Who gets it.
    pub contact: Option<Contact>,
}

impl Desk {
    /// The newest deliveries of an order's fulfillments, or of all orders.
    pub fn shown(&self, order: Option<OrderId>, now_ms: u64) -> Result<Vec<Shown>, StoreError> {
        let snapshot = self.snapshot()?;
        let reader = self.reader(&*snapshot);
        let inner = self.inner();
        let mut shown = Vec::new();
        let ids: Vec<_> = match order {
            Some(order) => inner.book.of_order(order).collect(),
            None => inner.book.ids().collect(),
        };
        for id in ids {
            let Some((name, _)) = PartName::of(id) else { continue };
            let Some(file) = inner.book.file(id).cloned() else { continue };
            shown.push(Shown {
                id: id.clone(),
                name,
                part: if order.is_some() { reader.state(name)? } else { None },
                delivery: inner.dispatcher.delivery(id).cloned(),
                file,
                position: super::lock(&self.shared.positions).shown(id, now_ms),
            });
        }
        Ok(shown)
    }

    /// The fulfillment of an order that is to be delivered, if there is one here; the newest of those that are open first.
    pub fn part(&self, order: OrderId, store: Option<u32>) -> Result<PartName, DeskError> {
        let snapshot = self.snapshot()?;
        let known = self.reader(&*snapshot).view.order(order)?;
        let parts = known.fulfillments().into_iter().filter(|part| {
            let offer = known.parts.get(&(part.generation, part.store)).and_then(|part| part.offer.as_ref());
            let ours = self.shared.setup.store.is_none_or(|own| own == part.store);
            ours && store.is_none_or(|store| store == part.store.0)
                && offer.is_some_and(|offer| offer.channel == Channel::Delivery)
        });
        let newest = parts.max_by_key(|part| (part.state.is_open(), part.generation));
        newest.map(|part| PartName { order, generation: part.generation, store: part.store }).ok_or(DeskError::Unknown)
    }

    /// Asks for couriers, for the first time or again.
    pub async fn redispatch(&self, name: PartName, now_ms: u64) -> Result<(), DeskError> {
        self.with(name, now_ms, |inner| {
            if self.shared.settings.order.is_empty() || !self.is_hub() {
                return Err(DeskError::NotHere("no courier service is set up here: assign a rider of the store"));
            }
            self.may_begin(name)?;
            let live = self.live(inner, name);
            match live {
                Some(id) => Ok(inner.dispatcher.redispatch(&id, now_ms)?),
                None => {
                    let snapshot = self.snapshot()?;
                    let requests = self.requests_of(name)?;
                    self.begin(inner, &self.reader(&*snapshot), (name, requests), now_ms)?;
                    Ok(())
                }
            }
        })
        .await
    }

    /// Calls a delivery off.
    pub async fn cancel(&self, name: PartName, now_ms: u64) -> Result<(), DeskError> {
        self.with(name, now_ms, |inner| {
            let id = self.live(inner, name).ok_or(DeskError::Unknown)?;
            let events = inner.dispatcher.cancel(&id, Reason::MerchantCancel, now_ms)?;
            self.hear(inner, &events, None, now_ms);
            if inner.dispatcher.delivery(&id).is_some_and(|delivery| delivery.closed_ms().is_some()) {
                self.close(inner, &id, now_ms);
            }
            Ok(())
        })
        .await
    }

    /// Gives a delivery to one of the store's riders. Whoever was asked before is called off.
    pub async fn assign(&self, name: PartName, rider: &str, now_ms: u64) -> Result<(), DeskError> {
        self.with(name, now_ms, |inner| {
            self.may_begin(name)?;
            let id = match self.live(inner, name) {
                Some(id) => id,
                None => {
                    let snapshot = self.snapshot()?;
                    let requests = self.requests_of(name)?;
                    let id = self.begin(inner, &self.reader(&*snapshot), (name, requests), now_ms)?;
                    // What is said when services are asked does not hold: a person has decided.
                    inner.book.file_mut(&id).into_iter().for_each(|file| file.waiting.clear());
                    id
                }
            };
            let current = inner.dispatcher.delivery(&id).and_then(Delivery::current);
            let own = current.filter(|attempt| attempt.provider() == RIDERS && !attempt.is_over());
            let events = match own.map(Attempt::number) {
                Some(number) => {
                    let external = id.external(number);
                    let known = self
                        .shared
                        .riders
                        .riders()
                        .into_iter()
                        .any(|known| known.id == rider && known.store == name.store);
                    if !known {
                        return Err(RiderError::Nobody(rider.to_owned()).into());
                    }
                    let report = self.shared.riders.assign(&external, rider, now_ms)?;
                    inner.dispatcher.on_report(RIDERS, &external, report, now_ms)?
                }
                None => inner.dispatcher.take_over(&id, RIDERS, now_ms, |job, external| {
                    self.shared
                        .riders
                        .place(job, external, rider, now_ms)
                        .map_err(|error| CourierError::Setup { service: RIDERS.into(), what: error.to_string() })
                })?,
            };
            self.hear(inner, &events, None, now_ms);
            Ok(())
        })
        .await
    }

    /// The goods are back. At a store that is written down, and the book has them again; a hub hears it from the store.
    pub async fn confirm_returned(&self, name: PartName, staff: &str, now_ms: u64) -> Result<(), DeskError> {
        if self.is_hub() {
            let snapshot = self.snapshot()?;
            return match self.reader(&*snapshot).state(name)? {
                Some(PartState::Returned) => self.with(name, now_ms, |_| Ok(())).await,
                Some(_) | None => Err(DeskError::NotHere("the store says when its goods are back")),
            };
        }
        let said = Said { attempt: 0, step: Step::Returned.as_str().into(), note: String::new() };
        let command =
            Command::Fulfil(key(&name.delivery(0), &said), Box::new(request(name, Step::Returned, "", staff)));
        self.ask(command).await?;
        self.with(name, now_ms, |_| Ok(())).await
    }

    /// A person gives goods up that are out.
    pub async fn lose(&self, name: PartName, now_ms: u64) -> Result<(), DeskError> {
        self.with(name, now_ms, |inner| {
            let id = self.live(inner, name).ok_or(DeskError::Unknown)?;
            let attempt = inner.dispatcher.delivery(&id).and_then(Delivery::current);
            let Some(attempt) = attempt.filter(|attempt| attempt.progress().goods_are_out()) else {
                return Err(DeskError::State("nobody has taken the goods".into()));
            };
            let (number, provider) = (attempt.number(), attempt.provider().to_owned());
            inner.book.file_mut(&id).into_iter().for_each(|file| file.say(number, Step::Lose, provider.clone()));
            Ok(())
        })
        .await
    }

    /// Enters a rider or changes what is known of him.
    pub async fn enter(&self, rider: Rider) -> Result<(), DeskError> {
        self.shared.riders.enter(rider)?;
        self.inner().changed = true;
        self.save_off_thread().await;
        Ok(())
    }

    /// Gives a rider a new token, which is stored nowhere.
    pub async fn allow(&self, rider: &str) -> Result<String, DeskError> {
        if !self.shared.riders.riders().iter().any(|known| known.id == rider) {
            return Err(RiderError::Nobody(rider.into()).into());
        }
        let mut secret = [0; 24];
        getrandom::fill(&mut secret).map_err(|_| DeskError::State("the system gave no randomness".into()))?;
        let token = stockroom_crdt::ids::hex(&secret);
        {
            let mut inner = self.inner();
            inner.book.allow(rider, &token);
            inner.changed = true;
        }
        self.save_off_thread().await;
        Ok(token)
    }

    /// Believes a rider's token no longer.
    pub async fn forbid(&self, rider: &str) -> Result<(), DeskError> {
        {
            let mut inner = self.inner();
            if !inner.book.forbid(rider) {
                return Err(DeskError::Unknown);
            }
            inner.changed = true;
        }
        self.save_off_thread().await;
        Ok(())
    }

    /// Whose token it is.
    pub fn rider(&self, token: &str) -> Option<Rider> {
        let id = self.inner().book.rider(token)?;
        self.shared.riders.riders().into_iter().find(|rider| rider.id == id)
    }

    /// True for a rider who has a token.
    pub fn is_allowed(&self, rider: &str) -> bool {
        self.inner().book.is_allowed(rider)
    }

    /// What a rider carries: the way there in its order, then what goes back.
    pub fn carried(&self, rider: &str, now_ms: u64) -> Result<Vec<Carried>, DeskError> {
        let snapshot = self.snapshot()?;
        let reader = self.reader(&*snapshot);
        let sheet = self.shared.riders.sheet(rider, now_ms)?;
        let arrives = |id: &ExternalId| sheet.stops.iter().position(|stop| stop.id == *id);
        let mut carried = Vec::new();
        let inner = self.inner();
        for (id, state) in self.shared.riders.carried(rider) {
            let Some((name, _)) = PartName::of(&id.delivery) else { continue };
            let Some(delivery) = inner.dispatcher.delivery(&id.delivery) else { continue };
            let part = reader.state(name)?;
            if part.is_some_and(|part| !part.is_open()) {
                continue;
            }
            let at = arrives(&id);
            let job = delivery.job();
            carried.push((
                at.unwrap_or(usize::MAX),
                Carried {
                    arrive_ms: at.map(|at| sheet.stops[at].arrive_ms),
                    name,
                    state,
                    has_left: matches!(part, Some(PartState::Out | PartState::Returning)),
                    due_ms: job.due_ms,
                    bags: job.bags,
                    bag_code: job.bag_code.clone(),
                    age_min: job.age_min,
                    contact: reader.contact(name),
                    id,
                },
            ));
        }
        carried.sort_by_key(|(at, stop)| (*at, stop.due_ms));
        Ok(carried.into_iter().map(|(_, stop)| stop).collect())
    }

    /// What was heard from outside, and how many callbacks and acts were refused.
    pub fn tally(&self) -> (Tally, u64) {
        let inner = self.inner();
        (inner.dispatcher.tally(), inner.book.refused)
    }

    /// Does what a person decided, and what follows from it.
    async fn with(
        &self,
        name: PartName,
        now_ms: u64,
        decide: impl FnOnce(&mut Inner) -> Result<(), DeskError>,
    ) -> Result<(), DeskError> {
        let id = {
            let mut inner = self.inner();
            let decided = decide(&mut inner);
            inner.changed = true;
            inner.touched.insert(name);
            decided?;
            inner.book.current(name)
        };
        if let Some(id) = id {
            self.write(&id, now_ms).await?;
        }
        self.save_off_thread().await;
        self.shared.wake.notify_one();
        Ok(())
    }

    async fn ask(&self, command: Command) -> Result<(), DeskError> {
        let asked = self.shared.handle.ask(command).await;
        let answered = asked.map_err(|error: AskError| DeskError::Write(error.into()))?;
        answered.map(|_| ()).map_err(DeskError::Refused)
    }

    /// The delivery of a fulfillment that is under way.
    fn live(&self, inner: &Inner, name: PartName) -> Option<DeliveryId> {
        let id = inner.book.current(name)?;
        inner.book.file(&id).is_some_and(|file| file.closed_ms.is_none()).then_some(id)
    }

    /// Whether somebody may be sent for a fulfillment as it stands.
    fn may_begin(&self, name: PartName) -> Result<(), DeskError> {
        let snapshot = self.snapshot()?;
        let Some((known, part, _)) = self.reader(&*snapshot).part(name)? else { return Err(DeskError::Unknown) };
        if part.state > PartState::Awaited || part.state < PartState::Accepted {
            return Err(DeskError::State(format!("it is {}: nobody can be sent for it now", part.state.as_str())));
        }
        if self.is_hub() && self.is_driven_by_store(&known, name) {
            return Err(DeskError::NotHere("the store sends its own rider"));
        }
        Ok(())
    }

    fn requests_of(&self, name: PartName) -> Result<u32, DeskError> {
        let snapshot = self.snapshot()?;
        let part = self.reader(&*snapshot).part(name)?;
        Ok(part.map_or(0, |(known, _, _)| self.requests(&known, name)))
    }
}
