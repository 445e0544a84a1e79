//! Couriers at a hub: one trait over every courier service and the chain's own riders, and what ties them to deliveries.
//!
//! | module | what it knows |
//! |---|---|
//! | [`limits`] | every bound, with its reason |
//! | [`job`] | what a courier is asked to do |
//! | [`report`] | what is heard of an attempt, joined |
//! | [`delivery`] | attempts, time limits, the next thing to do (pure) |
//! | [`dispatcher`] | all deliveries, the services that carry them, the state that outlives a restart |
//! | [`riders`] | own riders: assignment and route sheets, no network |
//! | [`fengniao`] | Fengniao's API, third version |
//! | [`settings`] | the `[courier]` section of the configuration |
//! | [`positions`] | the last known position of each delivery |
//! | [`desk`] | what ties all of it to orders: follows their feeds, writes their steps |
//!
//! Only [`desk`] knows what an order is: [`dispatcher::Dispatcher`] gives [`delivery::CourierEvent`]s, and the desk writes the steps.
//! Courier services are asked where the internet is, at a hub; a store behind NAT takes no callbacks and has its own riders.

pub mod limits;

pub mod job;
pub mod report;

pub mod delivery;
pub mod dispatcher;

pub mod fengniao;
pub mod riders;

pub mod positions;
pub mod settings;

pub mod desk;

use std::fmt;

use serde::{Deserialize, Serialize};
use stockroom_crdt::place::{Datum, distance_m};

use crate::courier::job::{Amount, Contact, ExternalId, Job};
use crate::courier::report::{Reason, Report};

/// A courier service, or the chain's own riders. Calls may wait for the network, never longer than the service's time-out.
pub trait Courier: fmt::Debug + Send + Sync {
    /// How the configuration and the API name it.
    fn name(&self) -> &str;

    /// What it can and cannot do.
    fn capabilities(&self) -> &Capabilities;

    /// What it would cost, and how long it would take.
    fn quote(&self, ask: &Ask<'_>) -> Result<Quote, CourierError>;

    /// Asks for a courier. Asking twice under one id makes one delivery.
    fn create(&self, ask: &Ask<'_>, id: &ExternalId) -> Result<Placed, CourierError>;

    /// Asks again after `former` came to nothing. A service that knows no such thing is asked anew.
    fn redispatch(&self, ask: &Ask<'_>, former: &ExternalId, id: &ExternalId) -> Result<Placed, CourierError> {
        tracing::debug!(courier = self.name(), %former, %id, "asked anew");
        self.create(ask, id)
    }

    /// Everything that the service knows of an attempt.
    fn get(&self, id: &ExternalId, now_ms: u64) -> Result<Vec<Report>, CourierError>;

    /// Changes what may be changed while it is under way.
    fn update(&self, id: &ExternalId, change: &Change, now_ms: u64) -> Result<(), CourierError>;

    /// Calls it off, if that is still possible.
    fn cancel(&self, id: &ExternalId, reason: Reason, now_ms: u64) -> Result<Cancellation, CourierError>;

    /// Tells the service that the store has the goods back.
    fn confirm_returned(&self, id: &ExternalId, now_ms: u64) -> Result<(), CourierError>;

    /// Reads a callback: only what is signed is believed, over the bytes as they came.
    fn callback(&self, raw: &[u8], now_ms: u64) -> Result<Vec<(ExternalId, Report)>, CallbackError>;

    /// What must outlive a restart besides the deliveries.
    fn save(&self) -> Option<serde_json::Value> {
        None
    }

    /// Takes back what [`Courier::save`] gave.
    fn restore(&self, saved: serde_json::Value) -> Result<(), serde_json::Error> {
        drop(saved);
        Ok(())
    }
}

/// A question to a courier service.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// What is to be done.
    pub job: &'a Job,
    /// For whom.
    pub contact: &'a Contact,
    /// The hub's time.
    pub now_ms: u64,
}

/// What a courier service can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// Says a price before it is asked to come.
    pub quotes: Support,
    /// Comes at a time that is named beforehand.
    pub schedules: Support,
    /// Takes a tip.
    pub tips: Support,
    /// Looks at documents.
    pub age_check: Support,
    /// Brings back what cannot be delivered, and says so.
    pub return_trip: Support,
    /// Says where the courier is.
    pub positions: Support,
    /// Heaviest load, grams.
    pub weight_g_max: Option<u64>,
    /// Dearest load, minor units.
    pub value_minor_max: Option<i64>,
    /// Longest way as the crow flies, metres.
    pub distance_m_max: Option<u32>,
    /// In which coordinate system it is told where to go.
    pub datum: Datum,
    /// The only currency that it reckons in; any if none is named.
    pub currency: Option<&'static str>,
    /// What calling off costs.
    pub cancel_fee: CancelFee,
    /// How often it is asked when nothing is heard, ms. `None`: it is never silent.
    pub poll_ms: Option<u64>,
}

/// Yes or no, in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Support {
    /// Yes.
    Yes,
    /// No.
    No,
}

/// What calling off costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CancelFee {
    /// Nothing.
    Free,
    /// The service says how much when it is asked.
    Asked,
}

impl Capabilities {
    /// Why this service is not asked to do a job, if so.
    pub fn objection(&self, job: &Job) -> Option<&'static str> {
        let over = |value: u64, max: Option<u64>| max.is_some_and(|max| value > max);
        let far = self.distance_m_max.is_some_and(|max| distance_m(job.from, job.to) > max);
        if self.currency.is_some_and(|currency| currency != job.value.currency.as_str()) {
            Some("it reckons in another currency")
        } else if over(job.weight_g, self.weight_g_max) {
            Some("the goods are too heavy for it")
        } else if self.value_minor_max.is_some_and(|max| job.value.minor > max) {
            Some("the goods are worth more than it carries")
        } else if far {
            Some("the way is too long for it")
        } else if job.age_min.is_some() && self.age_check == Support::No {
            Some("it looks at no documents")
        } else {
            None
        }
    }
}

/// A price and times, good until they expire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quote {
    /// The price.
    pub fee: Amount,
    /// When somebody can be at the store, if said.
    pub pickup_ms: Option<u64>,
    /// When the customer has the goods, if said.
    pub dropoff_ms: Option<u64>,
    /// Until when it holds, if said.
    pub expires_ms: Option<u64>,
    /// The service's own number of the offer.
    pub reference: Option<String>,
}

/// The service took it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// The service's own number.
    pub reference: String,
    /// What is known at once; own riders are assigned at once.
    pub report: Option<Report>,
}

/// Whether an attempt was called off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cancellation {
    /// It was, for this fee.
    Accepted(Option<Amount>),
    /// Too late: somebody is on the way and keeps it.
    TooLate,
}

/// What may be changed while a courier is under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The bags are ready at another time.
    Ready(u64),
    /// More for the courier, minor units.
    Tip(i64),
    /// The customer has another telephone.
    Phone(String),
}

/// Why a courier service did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum CourierError {
    /// No answer. Whether it was done is unknown; ask again.
    #[error("{service} does not answer")]
    Unreachable {
        /// Which service.
        service: String,
        /// What the connection said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// It has a fault of its own, or too much to do. Whether it was done is unknown; ask again later.
    #[error("{service} is in trouble: HTTP {status}")]
    Busy {
        /// Which service.
        service: String,
        /// What it answered.
        status: u16,
    },
    /// The answer makes no sense. Whether it was done is unknown.
    #[error("{service} answers strangely: {what}")]
    Strange {
        /// Which service.
        service: String,
        /// What is wrong with the answer.
        what: String,
    },
    /// It said no. Nothing was done; the same question gets the same answer.
    #[error("{service} refuses ({code}): {message}")]
    Refused {
        /// Which service.
        service: String,
        /// Its own code.
        code: String,
        /// Its own words.
        message: String,
        /// What that means.
        reason: Reason,
    },
    /// It does not know the delivery.
    #[error("{service} knows no delivery {id}")]
    Unknown {
        /// Which service.
        service: String,
        /// What it was asked for.
        id: ExternalId,
    },
    /// It cannot do that at all. Nothing was done.
    #[error("{service} cannot {what}")]
    Unsupported {
        /// Which service.
        service: String,
        /// A verb phrase.
        what: &'static str,
    },
    /// Our own secrets or settings do not do. Nothing was done; a person has to look.
    #[error("{service} cannot be asked: {what}")]
    Setup {
        /// Which service.
        service: String,
        /// What is wrong.
        what: String,
    },
}

impl CourierError {
    /// Asking again can help.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Busy { .. } | Self::Strange { .. } | Self::Setup { .. } => true,
            Self::Refused { .. } | Self::Unknown { .. } | Self::Unsupported { .. } => false,
        }
    }
}

impl CourierError {
    /// What it means for the delivery.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Refused { reason, .. } => *reason,
            Self::Unreachable { .. }
            | Self::Busy { .. }
            | Self::Strange { .. }
            | Self::Unknown { .. }
            | Self::Unsupported { .. }
            | Self::Setup { .. } => Reason::System,
        }
    }
}

/// Why a callback is not believed. Nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallbackError {
    /// There is no such courier service here, or it sends no callbacks.
    #[error("no courier service of that name sends callbacks here")]
    Nobody,
    /// It is too long.
    #[error("the callback is too long")]
    Long,
    /// It is not of the form that the service sends.
    #[error("the callback is malformed: {0}")]
    Malformed(String),
    /// It is not signed by who it says it is from.
    #[error("the signature is wrong")]
    Signature,
    /// It is about a delivery that was never asked for here.
    #[error("the delivery is not known here")]
    Unknown,
}
