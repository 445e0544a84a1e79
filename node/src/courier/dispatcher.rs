//! All deliveries of a hub, and the services that carry them: what is due, what was heard, what must outlive a restart.
//!
//! Two ways to run it. [`Dispatcher::due`] does everything that is due, calls included. Who must not wait for the network while a
//! callback is at the door takes [`Dispatcher::tasks`], runs each [`Task`] elsewhere, and gives the answer to
//! [`Dispatcher::on_done`]: between the two the dispatcher is free.
//!
//! A task that was under way when the process died is asked again: everything that is asked can be asked twice.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::courier::delivery::{Act, Attempt, CourierEvent, Delivery, Need, Rules, WishError};
use crate::courier::job::{Contact, Contacts, DeliveryId, ExternalId, Job};
use crate::courier::limits::{CALLBACK_BYTES_MAX, DELIVERIES_MAX, REMEMBER_MS, REPORTS_PER_ANSWER_MAX};
use crate::courier::report::{Party, Reason, Report, State};
use crate::courier::{Ask, CallbackError, Cancellation, Change, Courier, CourierError, Placed, Quote};

/// See the module.
#[derive(Debug)]
pub struct Dispatcher {
    rules: Rules,
    couriers: Vec<Arc<dyn Courier>>,
    deliveries: BTreeMap<DeliveryId, Delivery>,
    /// Each delivery that needs something, by when.
    queue: BTreeSet<(u64, DeliveryId)>,
    queued: BTreeMap<DeliveryId, u64>,
    busy: BTreeSet<DeliveryId>,
    tally: Tally,
}

/// What was heard from outside, counted: a callback that changes nothing is still recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Callbacks that were believed.
    pub taken: u64,
    /// Of these, such as changed nothing: repeated, or steps that were passed already.
    pub without_effect: u64,
    /// About deliveries that were never asked for here.
    pub unknown: u64,
    /// With a wrong signature.
    pub unsigned: u64,
    /// Too long, malformed, or from nobody.
    pub malformed: u64,
}

/// One call to a courier service, with all that it needs.
#[derive(Clone, Debug)]
pub struct Task {
    need: Need,
    id: ExternalId,
    former: Option<ExternalId>,
    job: Job,
    courier: Arc<dyn Courier>,
}

/// The answer to a [`Task`].
#[derive(Debug)]
pub enum Done {
    /// To the question for a courier.
    Created(Result<Placed, CourierError>),
    /// To the question how it stands.
    Got(Result<Vec<Report>, CourierError>),
    /// To the wish to call it off.
    Cancelled(Reason, Result<Cancellation, CourierError>),
}

/// Why a delivery is not taken or a wish not fulfilled. Nothing has changed.
#[derive(Debug, thiserror::Error)]
pub enum DispatchError {
    /// It was never asked for here.
    #[error("there is no delivery {0}")]
    Unknown(DeliveryId),
    /// There is one with this id and other content.
    #[error("delivery {0} is another one already")]
    Other(DeliveryId),
    /// Too many deliveries are watched.
    #[error("too many deliveries are under way")]
    Full,
    /// It stands where that cannot be done.
    #[error(transparent)]
    Wish(#[from] WishError),
    /// The courier service said no.
    #[error(transparent)]
    Courier(#[from] CourierError),
}

/// Why what was saved cannot be taken back.
#[derive(Debug, thiserror::Error)]
#[error("the saved deliveries cannot be read")]
pub struct RestoreError(#[from] serde_json::Error);

#[derive(Serialize, Deserialize)]
struct Saved {
    deliveries: Vec<Delivery>,
    couriers: BTreeMap<String, serde_json::Value>,
    tally: Tally,
}

impl Dispatcher {
    /// Without any delivery. Services that the rules do not name are never asked.
    pub fn new(rules: Rules, couriers: Vec<Arc<dyn Courier>>) -> Self {
        Self {
            rules,
            couriers,
            deliveries: BTreeMap::new(),
            queue: BTreeSet::new(),
            queued: BTreeMap::new(),
            busy: BTreeSet::new(),
            tally: Tally::default(),
        }
    }

    /// Takes a delivery; asking for the same again changes nothing.
    pub fn request(&mut self, job: Job) -> Result<(), DispatchError> {
        if let Some(known) = self.deliveries.get(&job.delivery) {
            let same = *known.job() == job;
            return if same { Ok(()) } else { Err(DispatchError::Other(job.delivery)) };
        }
        if self.deliveries.len() >= DELIVERIES_MAX {
            return Err(DispatchError::Full);
        }
        let id = job.delivery.clone();
        self.deliveries.insert(id.clone(), Delivery::new(job));
        self.requeue(&id);
        Ok(())
    }

    /// What every service of the order would take for it, the first first. Waits for the network.
    pub fn quotes(&self, job: &Job, contact: &Contact, now_ms: u64) -> Vec<(String, Result<Quote, CourierError>)> {
        let asked = self.rules.order.iter().filter_map(|name| self.courier(name));
        asked.map(|courier| (courier.name().to_owned(), courier.quote(&Ask { job, contact, now_ms }))).collect()
    }

    /// When [`Dispatcher::due`] has something to do next.
    pub fn next_due_ms(&self) -> Option<u64> {
        self.queue.first().map(|(at_ms, _)| *at_ms)
    }

    /// Does everything that is due, calls included, and gives what people should know.
    pub fn due(&mut self, now_ms: u64, contacts: &impl Contacts) -> Vec<CourierEvent> {
        let mut events = Vec::new();
        // Every round gives an answer to whoever was asked, so a delivery needs at most a few rounds per attempt.
        for _ in 0..ROUNDS_MAX {
            let (tasks, told) = self.tasks(now_ms);
            events.extend(told);
            if tasks.is_empty() {
                break;
            }
            for task in tasks {
                let done = task.run(contacts, now_ms);
                events.extend(self.on_done(&task, done, now_ms));
            }
        }
        events
    }

    /// The calls that are due. Each delivery has at most one under way.
    pub fn tasks(&mut self, now_ms: u64) -> (Vec<Task>, Vec<CourierEvent>) {
        self.forget(now_ms);
        let (mut tasks, mut events) = (Vec::new(), Vec::new());
        while let Some((at_ms, id)) = self.queue.first().cloned()
            && at_ms <= now_ms
        {
            match self.task(&id, now_ms) {
                Ok(task) => {
                    self.busy.insert(id.clone());
                    tasks.push(task);
                }
                Err(told) => events.extend(told),
            }
            self.requeue(&id);
        }
        (tasks, events)
    }

    /// Takes the answer to a task.
    pub fn on_done(&mut self, task: &Task, done: Done, now_ms: u64) -> Vec<CourierEvent> {
        let id = &task.id.delivery;
        self.busy.remove(id);
        let Some(delivery) = self.deliveries.get_mut(id) else { return Vec::new() };
        let events = delivery.change(task.id.attempt, &self.rules, now_ms, |attempt| match done {
            Done::Created(answer) => attempt.on_created(answer, now_ms),
            Done::Got(answer) => attempt.on_got(answer, now_ms),
            Done::Cancelled(reason, answer) => attempt.on_cancelled(answer, reason, now_ms),
        });
        self.requeue(id);
        events
    }

    /// Takes a callback, as the bytes came. It may come twice, late, out of order or from a liar.
    pub fn on_callback(&mut self, name: &str, raw: &[u8], now_ms: u64) -> Result<Vec<CourierEvent>, CallbackError> {
        let heard = self.read_callback(name, raw, now_ms);
        match &heard {
            Ok(reports) if reports.iter().any(|(id, _)| self.holds(name, id).is_none()) => {
                self.tally.unknown += 1;
                return Err(CallbackError::Unknown);
            }
            Ok(_) => self.tally.taken += 1,
            Err(CallbackError::Signature) => self.tally.unsigned += 1,
            Err(CallbackError::Unknown) => self.tally.unknown += 1,
            Err(CallbackError::Nobody | CallbackError::Long | CallbackError::Malformed(_)) => self.tally.malformed += 1,
        }
        let mut events = Vec::new();
        for (id, report) in heard? {
            events.extend(self.hear(&id, report, now_ms));
        }
        self.tally.without_effect += u64::from(events.is_empty());
        Ok(events)
    }

    /// Takes what an own rider or a person at the store says about an attempt.
    pub fn on_report(
        &mut self,
        name: &str,
        id: &ExternalId,
        report: Report,
        now_ms: u64,
    ) -> Result<Vec<CourierEvent>, DispatchError> {
        self.holds(name, id).ok_or_else(|| DispatchError::Unknown(id.delivery.clone()))?;
        Ok(self.hear(id, report, now_ms))
    }

    /// Asks the service how a delivery stands, now. Waits for the network.
    pub fn on_poll(&mut self, id: &DeliveryId, now_ms: u64) -> Result<Vec<CourierEvent>, DispatchError> {
        let (external, courier) = self.under_way(id)?;
        let reports = courier.get(&external, now_ms)?;
        let delivery = self.deliveries.get_mut(id).ok_or_else(|| DispatchError::Unknown(id.clone()))?;
        let events = delivery.change(external.attempt, &self.rules, now_ms, |attempt| {
            attempt.on_heard(now_ms);
            attempt.on_got(Ok(reports), now_ms)
        });
        self.requeue(id);
        Ok(events)
    }

    /// Calls a delivery off. What becomes of it comes as events.
    pub fn cancel(&mut self, id: &DeliveryId, reason: Reason, now_ms: u64) -> Result<Vec<CourierEvent>, DispatchError> {
        let events = self.delivery_mut(id)?.cancel(reason, now_ms)?;
        self.requeue(id);
        Ok(events)
    }

    /// Asks for couriers again, from the first service: after the goods came back, or when a person decides so.
    pub fn redispatch(&mut self, id: &DeliveryId, now_ms: u64) -> Result<(), DispatchError> {
        self.delivery_mut(id)?.redispatch(now_ms)?;
        self.requeue(id);
        Ok(())
    }

    /// A person gives a delivery to one service, which `place` asks at once. If that says no nothing has changed.
    pub fn take_over(
        &mut self,
        id: &DeliveryId,
        name: &str,
        now_ms: u64,
        place: impl FnOnce(&Job, &ExternalId) -> Result<Placed, CourierError>,
    ) -> Result<Vec<CourierEvent>, DispatchError> {
        let mut delivery = self.delivery_mut(id)?.clone();
        let attempt = delivery.open_by_hand(name, now_ms)?;
        let placed = place(delivery.job(), &id.external(attempt))?;
        let events = delivery.change(attempt, &self.rules, now_ms, |attempt| attempt.on_created(Ok(placed), now_ms));
        self.deliveries.insert(id.clone(), delivery);
        self.requeue(id);
        Ok(events)
    }

    /// Nobody will ask for a delivery again: where it went and who carried it is forgotten.
    pub fn forget_people(&mut self, id: &DeliveryId) {
        if let Some(delivery) = self.deliveries.get_mut(id) {
            delivery.forget_people();
        }
    }

    /// Changes what may be changed while a courier is under way. Waits for the network.
    pub fn update(&self, id: &DeliveryId, change: &Change, now_ms: u64) -> Result<(), DispatchError> {
        let (external, courier) = self.under_way(id)?;
        Ok(courier.update(&external, change, now_ms)?)
    }

    /// The store has the goods back: its word counts, whether the service wants to hear it or not. Waits for the network.
    pub fn confirm_returned(&mut self, id: &DeliveryId, now_ms: u64) -> Result<Vec<CourierEvent>, DispatchError> {
        let (external, courier) = self.under_way(id)?;
        match courier.confirm_returned(&external, now_ms) {
            Ok(()) | Err(CourierError::Unsupported { .. }) => {}
            Err(error) => tracing::warn!(courier = courier.name(), %external, %error, "return not confirmed"),
        }
        let reason = self.deliveries.get(id).and_then(|delivery| delivery.current()?.progress().reason());
        let report = Report { reason, by: Some(Party::Merchant), ..Report::new(State::Returned, now_ms) };
        Ok(self.hear(&external, report, now_ms))
    }

    /// One delivery.
    pub fn delivery(&self, id: &DeliveryId) -> Option<&Delivery> {
        self.deliveries.get(id)
    }

    /// All deliveries, by id.
    pub fn deliveries(&self) -> impl Iterator<Item = &Delivery> {
        self.deliveries.values()
    }

    /// What was heard from outside.
    pub fn tally(&self) -> Tally {
        self.tally
    }

    /// A service by name.
    pub fn courier(&self, name: &str) -> Option<&Arc<dyn Courier>> {
        self.couriers.iter().find(|courier| courier.name() == name)
    }

    /// Everything that must outlive a restart, as JSON. Holds no customer's name, but couriers' names: keep it to yourself.
    pub fn save(&self) -> Result<String, serde_json::Error> {
        let named = |courier: &Arc<dyn Courier>| Some((courier.name().to_owned(), courier.save()?));
        serde_json::to_string(&Saved {
            deliveries: self.deliveries.values().cloned().collect(),
            couriers: self.couriers.iter().filter_map(named).collect(),
            tally: self.tally,
        })
    }

    /// Takes back what [`Dispatcher::save`] gave, in place of what is here. After an error nothing has changed.
    pub fn restore(&mut self, saved: &str) -> Result<(), RestoreError> {
        let mut saved: Saved = serde_json::from_str(saved)?;
        for courier in &self.couriers {
            if let Some(state) = saved.couriers.remove(courier.name()) {
                courier.restore(state)?;
            }
        }
        let by_id = |delivery: Delivery| (delivery.job().delivery.clone(), delivery);
        self.deliveries = saved.deliveries.into_iter().map(by_id).collect();
        self.tally = saved.tally;
        self.queue.clear();
        self.queued.clear();
        self.busy.clear();
        let ids: Vec<_> = self.deliveries.keys().cloned().collect();
        ids.iter().for_each(|id| self.requeue(id));
        Ok(())
    }

    /// The call that a delivery needs now, or what people should know instead.
    fn task(&mut self, id: &DeliveryId, now_ms: u64) -> Result<Task, Vec<CourierEvent>> {
        let nothing = Vec::new;
        let delivery = self.deliveries.get_mut(id).ok_or_else(nothing)?;
        let mut need = delivery.need(&self.rules).ok_or_else(nothing)?;
        match need.act {
            Act::TellLate => return Err(delivery.tell_late(need.attempt, now_ms).into_iter().collect()),
            Act::Open(link) => {
                let name = self.rules.order.get(link).ok_or_else(nothing)?;
                let courier = self.couriers.iter().find(|courier| courier.name() == name);
                let poll_ms = courier.and_then(|courier| courier.capabilities().poll_ms);
                need.attempt = delivery.open(name, poll_ms, now_ms);
                need.act = Act::Create;
            }
            Act::Create | Act::CreateAgain | Act::Get | Act::Cancel(_) => {}
        }
        let provider = delivery.attempt(need.attempt).map(Attempt::provider).unwrap_or_default();
        let courier = self.couriers.iter().find(|courier| courier.name() == provider).cloned();
        let objection = match &courier {
            Some(courier) if need.act == Act::Create => courier.capabilities().objection(delivery.job()),
            Some(_) => None,
            None => Some("no such courier service is set up"),
        };
        if let (Some(objection), Act::Create | Act::CreateAgain) = (objection, need.act) {
            let refused = CourierError::Refused {
                service: provider.to_owned(),
                code: "here".into(),
                message: objection.into(),
                reason: Reason::System,
            };
            return Err(
                delivery.change(need.attempt, &self.rules, now_ms, |attempt| attempt.on_created(Err(refused), now_ms))
            );
        }
        let (job, former) = (delivery.job().clone(), delivery.former(need.attempt));
        let Some(courier) = courier else {
            // It was taken out of the configuration while it had something to do: nobody can be asked.
            let gone =
                || CourierError::Setup { service: "the courier service".into(), what: "it was taken out".into() };
            let events = delivery.change(need.attempt, &self.rules, now_ms, |attempt| match need.act {
                Act::Cancel(reason) => attempt.on_cancelled(Err(gone()), reason, now_ms),
                Act::Open(_) | Act::Create | Act::CreateAgain | Act::Get | Act::TellLate => {
                    attempt.on_got(Err(gone()), now_ms)
                }
            });
            return Err(events);
        };
        let former = former.map(|former| id.external(former));
        Ok(Task { need, id: id.external(need.attempt), former, job, courier })
    }

    fn read_callback(&self, name: &str, raw: &[u8], now_ms: u64) -> Result<Vec<(ExternalId, Report)>, CallbackError> {
        let courier = self.courier(name).ok_or(CallbackError::Nobody)?;
        if raw.len() > CALLBACK_BYTES_MAX {
            return Err(CallbackError::Long);
        }
        let mut reports = courier.callback(raw, now_ms)?;
        reports.truncate(REPORTS_PER_ANSWER_MAX);
        Ok(reports)
    }

    /// The attempt, if this service was asked for it.
    fn holds(&self, name: &str, id: &ExternalId) -> Option<&Attempt> {
        let attempt = self.deliveries.get(&id.delivery)?.attempt(id.attempt)?;
        (attempt.provider() == name).then_some(attempt)
    }

    fn hear(&mut self, id: &ExternalId, report: Report, now_ms: u64) -> Vec<CourierEvent> {
        let Some(delivery) = self.deliveries.get_mut(&id.delivery) else { return Vec::new() };
        let events = delivery.change(id.attempt, &self.rules, now_ms, |attempt| {
            attempt.on_heard(now_ms);
            vec![report]
        });
        self.requeue(&id.delivery);
        events
    }

    fn under_way(&self, id: &DeliveryId) -> Result<(ExternalId, Arc<dyn Courier>), DispatchError> {
        let delivery = self.deliveries.get(id).ok_or_else(|| DispatchError::Unknown(id.clone()))?;
        let attempt = delivery.current().ok_or(WishError::Over)?;
        let courier = self.courier(attempt.provider()).ok_or(WishError::Over)?;
        Ok((id.external(attempt.number()), courier.clone()))
    }

    fn delivery_mut(&mut self, id: &DeliveryId) -> Result<&mut Delivery, DispatchError> {
        self.deliveries.get_mut(id).ok_or_else(|| DispatchError::Unknown(id.clone()))
    }

    /// Puts a delivery to its place in the queue: by its next need, or out of it while it is asked about.
    fn requeue(&mut self, id: &DeliveryId) {
        if let Some(at_ms) = self.queued.remove(id) {
            self.queue.remove(&(at_ms, id.clone()));
        }
        if self.busy.contains(id) {
            return;
        }
        if let Some(need) = self.deliveries.get(id).and_then(|delivery| delivery.need(&self.rules)) {
            self.queue.insert((need.at_ms, id.clone()));
            self.queued.insert(id.clone(), need.at_ms);
        }
    }

    fn forget(&mut self, now_ms: u64) {
        let Self { deliveries, queued, .. } = self;
        let old = |at_ms: u64| at_ms.saturating_add(REMEMBER_MS) < now_ms;
        deliveries.retain(|id, delivery| queued.contains_key(id) || !delivery.closed_ms().is_some_and(old));
    }
}

impl Task {
    /// Which attempt it is about.
    pub fn id(&self) -> &ExternalId {
        &self.id
    }

    /// Makes the call. Waits for the network, never longer than the service's time-out for each question.
    pub fn run(&self, contacts: &impl Contacts, now_ms: u64) -> Done {
        let again = match self.need.act {
            Act::Get | Act::TellLate => return Done::Got(self.courier.get(&self.id, now_ms)),
            Act::Cancel(reason) => return Done::Cancelled(reason, self.courier.cancel(&self.id, reason, now_ms)),
            Act::Open(_) | Act::Create => false,
            Act::CreateAgain => true,
        };
        if again {
            // The first question may have arrived although its answer did not.
            match self.courier.get(&self.id, now_ms) {
                Ok(reports) => {
                    let report = reports.into_iter().max_by_key(|report| (report.at_ms, report.state));
                    return Done::Created(Ok(Placed { reference: String::new(), report }));
                }
                Err(CourierError::Unknown { .. }) => {}
                Err(error) => return Done::Created(Err(error)),
            }
        }
        let Some(contact) = contacts.contact(&self.id.delivery) else {
            let service = self.courier.name().to_owned();
            return Done::Created(Err(CourierError::Setup { service, what: "the contact cannot be opened".into() }));
        };
        let ask = Ask { job: &self.job, contact: &contact, now_ms };
        Done::Created(match &self.former {
            Some(former) => self.courier.redispatch(&ask, former, &self.id),
            None => self.courier.create(&ask, &self.id),
        })
    }
}

/// Rounds of one [`Dispatcher::due`]: what is still due then comes with the next.
const ROUNDS_MAX: u32 = 64;
