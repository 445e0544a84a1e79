//! The chain's own riders as a courier service: who takes what, in which order, and what they say. No network.
//!
//! A rider's page talks to the hub's API, which calls [`OwnRiders::step`] and gives the report to the dispatcher. Steps that were
//! made out of reach come later with the time of the phone; they count by that time.

mod sheet;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use stockroom_crdt::control::Coordinates;
use stockroom_crdt::ids::StoreId;
use stockroom_crdt::place::Datum;

pub use sheet::{RouteSheet, Stop, order_stops};

use crate::courier::job::{DeliveryId, ExternalId, Job, Person, point, store};
use crate::courier::limits::{REPORTS_PER_ANSWER_MAX, RIDERS_MAX, STOPS_MAX};
use crate::courier::report::{Party, Progress, Reason, Report, State};
use crate::courier::{
    Ask, CallbackError, CancelFee, Cancellation, Capabilities, Change, Courier, CourierError, Placed, Quote, Support,
};

/// See the module.
#[derive(Debug)]
pub struct OwnRiders {
    name: String,
    pace: Pace,
    capabilities: Capabilities,
    floor: Mutex<Floor>,
}

/// How fast and how much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Metres an hour, as the crow flies: streets are longer.
    pub m_per_hour: u64,
    /// At each door.
    pub stop_ms: u64,
    /// Deliveries that one rider takes along.
    pub stops_max: usize,
}

/// A rider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rider {
    /// Of the staff.
    pub id: String,
    /// Name and telephone.
    pub person: Person,
    /// Where they start from.
    #[serde(with = "store")]
    pub store: StoreId,
    /// Whether they can be sent now.
    pub duty: Duty,
}

/// Whether a rider can be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Duty {
    /// Yes.
    On,
    /// No: no new deliveries, but what they carry they finish.
    Off,
}

/// Why a rider's word is not taken. Nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RiderError {
    /// There is no such rider.
    #[error("there is no rider {0}")]
    Nobody(String),
    /// There is no such delivery with own riders.
    #[error("own riders have no delivery {0}")]
    Unknown(ExternalId),
    /// Somebody else carries it.
    #[error("another rider carries {0}")]
    NotYours(ExternalId),
    /// A rider does not say such things.
    #[error("a rider cannot say that a delivery is {0:?}")]
    NotARidersWord(State),
    /// It is over, or cannot be given to another.
    #[error("{0} is over or out already")]
    Over(ExternalId),
    /// Too many riders.
    #[error("too many riders")]
    Full,
}

#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Floor {
    riders: BTreeMap<String, Rider>,
    rides: BTreeMap<DeliveryId, Vec<Ride>>,
}

/// One attempt with own riders.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Ride {
    id: ExternalId,
    rider: String,
    #[serde(with = "store")]
    store: StoreId,
    #[serde(with = "point")]
    from: Coordinates,
    #[serde(with = "point")]
    to: Coordinates,
    due_ms: u64,
    ready_ms: u64,
    progress: Progress,
    reports: Vec<Report>,
}

impl OwnRiders {
    /// Nobody is there yet.
    pub fn new(name: &str, pace: Pace) -> Self {
        Self { name: name.to_owned(), pace, capabilities: capabilities(), floor: Mutex::default() }
    }

    /// Enters a rider or changes what is known of them.
    pub fn enter(&self, rider: Rider) -> Result<(), RiderError> {
        let mut floor = self.floor();
        if floor.riders.len() >= RIDERS_MAX && !floor.riders.contains_key(&rider.id) {
            return Err(RiderError::Full);
        }
        floor.riders.insert(rider.id.clone(), rider);
        Ok(())
    }

    /// All riders, by id.
    pub fn riders(&self) -> Vec<Rider> {
        self.floor().riders.values().cloned().collect()
    }

    /// Gives a delivery to another rider, as long as the goods are at the store.
    pub fn assign(&self, id: &ExternalId, rider: &str, now_ms: u64) -> Result<Report, RiderError> {
        let mut floor = self.floor();
        let person = floor.riders.get(rider).ok_or_else(|| RiderError::Nobody(rider.into()))?.person.clone();
        let ride = floor.ride_mut(id).ok_or_else(|| RiderError::Unknown(id.clone()))?;
        if ride.is_over() || ride.progress.goods_are_out() {
            return Err(RiderError::Over(id.clone()));
        }
        ride.rider = rider.to_owned();
        let report = Report { courier: Some(person), ..Report::new(State::CourierAssigned, now_ms) };
        ride.keep(&report);
        Ok(report)
    }

    /// Gives a delivery to this rider, whatever else he carries: a person decided so.
    pub fn place(&self, job: &Job, id: &ExternalId, rider: &str, now_ms: u64) -> Result<Placed, RiderError> {
        let mut floor = self.floor();
        let known = floor.riders.get(rider).filter(|rider| rider.store == job.store);
        let rider = known.ok_or_else(|| RiderError::Nobody(rider.into()))?.clone();
        Ok(floor.ride_out(job, id, rider, now_ms))
    }

    /// Who carries a delivery, or carried it last.
    pub fn rider_of(&self, id: &ExternalId) -> Option<String> {
        self.floor().ride(id).map(|ride| ride.rider.clone())
    }

    /// Everything that a rider has to bring or to bring back, the first promised first.
    pub fn carried(&self, rider: &str) -> Vec<(ExternalId, State)> {
        let floor = self.floor();
        let open = floor.rides.values().flatten();
        let open = open.filter(|ride| ride.rider == rider && !ride.progress.state().is_final());
        let mut open: Vec<_> = open.map(|ride| (ride.due_ms, ride.id.clone(), ride.progress.state())).collect();
        open.sort();
        open.into_iter().take(STOPS_MAX).map(|(_, id, state)| (id, state)).collect()
    }

    /// Nobody will ask for a delivery again: where it went is forgotten.
    pub fn forget_place(&self, delivery: &DeliveryId) {
        for ride in self.floor().rides.get_mut(delivery).into_iter().flatten() {
            ride.to = ride.from;
            ride.progress.forget_people();
            ride.reports.iter_mut().for_each(|report| (report.courier, report.position) = (None, None));
        }
    }

    /// What a rider says of a delivery, with the time of the phone. Give it to the dispatcher.
    pub fn step(
        &self,
        id: &ExternalId,
        rider: &str,
        state: State,
        reason: Option<Reason>,
        at_ms: u64,
    ) -> Result<Report, RiderError> {
        match state {
            State::CourierAtStore
            | State::PickedUp
            | State::NearDropoff
            | State::Failed
            | State::Delivered
            | State::Returning
            | State::Returned => {}
            State::Requested | State::Accepted | State::CourierAssigned | State::Expired | State::Cancelled => {
                return Err(RiderError::NotARidersWord(state));
            }
        }
        let mut floor = self.floor();
        let ride = floor.ride_mut(id).ok_or_else(|| RiderError::Unknown(id.clone()))?;
        if ride.rider != rider {
            return Err(RiderError::NotYours(id.clone()));
        }
        let by = reason.map(|_| Party::Courier);
        let report = Report { reason, by, ..Report::new(state, at_ms) };
        ride.keep(&report);
        Ok(report)
    }

    /// A rider's way: what is still to be brought, in a good order.
    pub fn sheet(&self, rider: &str, now_ms: u64) -> Result<RouteSheet, RiderError> {
        let floor = self.floor();
        let rider = floor.riders.get(rider).ok_or_else(|| RiderError::Nobody(rider.into()))?;
        let rides = floor.rides_of(&rider.id);
        let from = rides.first().map(|ride| ride.from);
        let stops = rides.iter().map(|ride| ride.stop()).collect();
        let leave_ms = rides.iter().map(|ride| ride.ready_ms).fold(now_ms, u64::max);
        let empty = RouteSheet { stops: Vec::new(), way_m: 0, back_ms: now_ms };
        Ok(from.map_or(empty, |from| order_stops(from, stops, leave_ms, self.pace)))
    }

    fn floor(&self) -> MutexGuard<'_, Floor> {
        self.floor.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn unknown(&self, id: &ExternalId) -> CourierError {
        CourierError::Unknown { service: self.name.clone(), id: id.clone() }
    }

    /// The rider at the store whose way grows least.
    fn choose(&self, floor: &Floor, ask: &Ask<'_>) -> Option<Rider> {
        let job = ask.job;
        let on_duty = floor.riders.values().filter(|rider| rider.store == job.store && rider.duty == Duty::On);
        let costed = on_duty.filter_map(|rider| {
            let rides = floor.rides_of(&rider.id);
            // Who is out already cannot take along what lies at the store.
            let out = rides.iter().any(|ride| ride.progress.goods_are_out());
            if out || rides.len() >= self.pace.stops_max.min(STOPS_MAX) {
                return None;
            }
            let mut stops: Vec<_> = rides.iter().map(|ride| ride.stop()).collect();
            let leave_ms = rides.iter().map(|ride| ride.ready_ms).fold(job.ready_ms.max(ask.now_ms), u64::max);
            let before = order_stops(job.from, stops.clone(), leave_ms, self.pace);
            stops.push(Stop::new(job.delivery.external(0), job.to, job.due_ms));
            let after = order_stops(job.from, stops, leave_ms, self.pace);
            Some((after.cost(self.pace).saturating_sub(before.cost(self.pace)), rides.len(), rider))
        });
        let cheapest = costed.min_by_key(|(cost, load, rider)| (*cost, *load, rider.id.clone()));
        cheapest.map(|(_, _, rider)| rider.clone())
    }
}

impl Courier for OwnRiders {
    fn name(&self) -> &str {
        &self.name
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn quote(&self, ask: &Ask<'_>) -> Result<Quote, CourierError> {
        let stop = Stop::new(ask.job.delivery.external(0), ask.job.to, ask.job.due_ms);
        let leave_ms = ask.job.ready_ms.max(ask.now_ms);
        let sheet = order_stops(ask.job.from, vec![stop], leave_ms, self.pace);
        let fee = crate::courier::job::Amount { minor: 0, currency: ask.job.value.currency };
        let dropoff_ms = sheet.stops.first().map(|stop| stop.arrive_ms);
        Ok(Quote { fee, pickup_ms: Some(leave_ms), dropoff_ms, expires_ms: None, reference: None })
    }

    fn create(&self, ask: &Ask<'_>, id: &ExternalId) -> Result<Placed, CourierError> {
        let mut floor = self.floor();
        if let Some(ride) = floor.ride(id) {
            return Ok(Placed { reference: ride.rider.clone(), report: ride.reports.first().cloned() });
        }
        let Some(rider) = self.choose(&floor, ask) else {
            return Err(CourierError::Refused {
                service: self.name.clone(),
                code: "nobody".into(),
                message: "no rider of the store is free".into(),
                reason: Reason::NoCourier,
            });
        };
        Ok(floor.ride_out(ask.job, id, rider, ask.now_ms))
    }

    fn get(&self, id: &ExternalId, _now_ms: u64) -> Result<Vec<Report>, CourierError> {
        self.floor().ride(id).map(|ride| ride.reports.clone()).ok_or_else(|| self.unknown(id))
    }

    fn update(&self, id: &ExternalId, change: &Change, _now_ms: u64) -> Result<(), CourierError> {
        let unsupported = |what| Err(CourierError::Unsupported { service: self.name.clone(), what });
        let mut floor = self.floor();
        let ride = floor.ride_mut(id).ok_or_else(|| self.unknown(id))?;
        match change {
            Change::Ready(at_ms) => ride.ready_ms = *at_ms,
            // The page asks for the contact each time it is opened.
            Change::Phone(_) => {}
            Change::Tip(_) => return unsupported("take a tip"),
        }
        Ok(())
    }

    fn cancel(&self, id: &ExternalId, reason: Reason, now_ms: u64) -> Result<Cancellation, CourierError> {
        let mut floor = self.floor();
        let ride = floor.ride_mut(id).ok_or_else(|| self.unknown(id))?;
        if ride.progress.goods_are_out() || ride.progress.state() == State::Returned {
            return Ok(Cancellation::TooLate);
        }
        ride.keep(&Report::new(State::Cancelled, now_ms).because(reason, Party::Merchant));
        Ok(Cancellation::Accepted(None))
    }

    fn confirm_returned(&self, id: &ExternalId, now_ms: u64) -> Result<(), CourierError> {
        let mut floor = self.floor();
        let ride = floor.ride_mut(id).ok_or_else(|| self.unknown(id))?;
        ride.keep(&Report::new(State::Returned, now_ms));
        Ok(())
    }

    fn callback(&self, _raw: &[u8], _now_ms: u64) -> Result<Vec<(ExternalId, Report)>, CallbackError> {
        Err(CallbackError::Nobody)
    }

    fn save(&self) -> Option<serde_json::Value> {
        serde_json::to_value(&*self.floor()).ok()
    }

    fn restore(&self, saved: serde_json::Value) -> Result<(), serde_json::Error> {
        *self.floor() = serde_json::from_value(saved)?;
        Ok(())
    }
}

impl Floor {
    fn ride_out(&mut self, job: &Job, id: &ExternalId, rider: Rider, now_ms: u64) -> Placed {
        let report = Report { courier: Some(rider.person.clone()), ..Report::new(State::CourierAssigned, now_ms) };
        let mut ride = Ride {
            id: id.clone(),
            rider: rider.id.clone(),
            store: job.store,
            from: job.from,
            to: job.to,
            due_ms: job.due_ms,
            ready_ms: job.ready_ms,
            progress: Progress::requested(now_ms),
            reports: Vec::new(),
        };
        ride.keep(&report);
        self.forget(now_ms);
        self.rides.entry(id.delivery.clone()).or_default().push(ride);
        Placed { reference: rider.id, report: Some(report) }
    }

    fn ride(&self, id: &ExternalId) -> Option<&Ride> {
        self.rides.get(&id.delivery)?.iter().find(|ride| ride.id == *id)
    }

    fn ride_mut(&mut self, id: &ExternalId) -> Option<&mut Ride> {
        self.rides.get_mut(&id.delivery)?.iter_mut().find(|ride| ride.id == *id)
    }

    /// What a rider still has to bring, the first promised first.
    fn rides_of(&self, rider: &str) -> Vec<&Ride> {
        let all = self.rides.values().flatten().filter(|ride| ride.rider == rider && !ride.is_over());
        let mut rides: Vec<_> = all.collect();
        rides.sort_by_key(|ride| (ride.due_ms, ride.id.clone()));
        rides.truncate(STOPS_MAX);
        rides
    }

    fn forget(&mut self, now_ms: u64) {
        let old = |ride: &Ride| {
            ride.is_over() && ride.progress.since_ms().saturating_add(crate::courier::limits::REMEMBER_MS) < now_ms
        };
        self.rides.retain(|_, rides| !rides.iter().all(old));
    }
}

impl Ride {
    /// No door has to be gone to for it any more.
    fn is_over(&self) -> bool {
        let state = self.progress.state();
        state.is_final() || matches!(state, State::Failed | State::Returning)
    }

    fn stop(&self) -> Stop {
        Stop::new(self.id.clone(), self.to, self.due_ms)
    }

    fn keep(&mut self, report: &Report) {
        self.progress.join(report);
        if !self.reports.contains(report) && self.reports.len() < REPORTS_PER_ANSWER_MAX {
            self.reports.push(report.clone());
        }
    }
}

fn capabilities() -> Capabilities {
    Capabilities {
        quotes: Support::Yes,
        schedules: Support::Yes,
        tips: Support::No,
        age_check: Support::Yes,
        return_trip: Support::Yes,
        positions: Support::Yes,
        weight_g_max: Some(WEIGHT_G_MAX),
        value_minor_max: None,
        distance_m_max: Some(DISTANCE_M_MAX),
        datum: Datum::Wgs84,
        currency: None,
        cancel_fee: CancelFee::Free,
        poll_ms: None,
    }
}

/// What fits a box on a bicycle.
const WEIGHT_G_MAX: u64 = 25_000;

/// Half an hour's ride.
const DISTANCE_M_MAX: u32 = 8_000;
