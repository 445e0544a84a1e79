//! What of a run is worth telling to somebody who watches: what people do and are told, links, starts and falls, faults.
//!
//! Frames and commits are not: a quiet fleet makes hundreds a minute. `--trace` has them all.

use stockroom_core::input::Event;
use stockroom_sim::checks::Scene;
use stockroom_sim::explain::Names;
use stockroom_sim::observe::{Act, Deed, Observation, OrderAct, Seen, Stop};

/// Something that is told.
#[derive(Clone, Debug)]
pub struct Line {
    /// Its number, from 1.
    pub number: u64,
    /// When, milliseconds from the start of the run.
    pub at_ms: u64,
    /// Whom it is about, as the trace calls them.
    pub who: String,
    /// What.
    pub what: Told,
}

/// What can be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// A sale over so much, minor units.
    Sold(i64),
    /// So many units of a product were booked in.
    Received(u16, i64),
    /// A product was counted, and there was so much.
    Counted(u16, i64),
    /// Goods came or left otherwise.
    Moved,
    /// So many units of a product were promised, with or without a right behind it.
    Promised(u16, i64, bool),
    /// Something was said of a promise.
    Said(&'static str),
    /// An order was placed, and so much paid.
    Ordered(i64),
    /// Goods of an order left the store.
    Given,
    /// They came back.
    Back,
    /// So much was paid back.
    PaidBack(i64),
    /// Something else was done, as the trace calls it.
    Did(&'static str),
    /// An earlier try had done it: a till asked again.
    Again,
    /// Nobody answered.
    NoAnswer(String),
    /// It was refused, and why.
    Refused(String, String),
    /// A link is up with somebody.
    Meets(String),
    /// A link is gone.
    Loses(String),
    /// It was closed, and why.
    Closes(String, String),
    /// It starts, for the how manieth time.
    Starts(u64),
    /// It fell.
    Falls,
    /// It was switched off.
    Off,
    /// It stopped itself or panicked.
    Fails(String),
    /// It begins a new epoch.
    Epoch(String),
    /// It raises an alarm.
    Alarm(String),
    /// A fault or a phase: its name, more of it, until when.
    Fault(&'static str, String, Option<u64>),
}

/// What an observation is in a story, if it is anything.
pub fn tell(seen: &Observation, scene: &Scene<'_>, names: &mut Names) -> Option<Told> {
    let mut name = |id: u32| names.of(scene.world, id).to_owned();
    Some(match &seen.what {
        Seen::Committed(_) | Seen::Sent { .. } => return None,
        Seen::Told(Event::Entry { .. } | Event::Values(_) | Event::Connected(_) | Event::Disconnected(_)) => {
            return None;
        }
        // The other end tells of the same link.
        Seen::Connected { peer } | Seen::Disconnected { peer, closed: None } if *peer > seen.node => return None,
        Seen::Connected { peer } => Told::Meets(name(*peer)),
        Seen::Disconnected { peer, closed: None } => Told::Loses(name(*peer)),
        Seen::Disconnected { peer, closed: Some(why) } => Told::Closes(name(*peer), why.clone()),
        Seen::Told(Event::EpochOpened(reason)) => Told::Epoch(format!("{reason:?}")),
        Seen::Told(Event::Alarm(what)) => Told::Alarm(what.clone()),
        Seen::Started { boot } => Told::Starts(*boot),
        Seen::Stopped(Stop::Crash) => Told::Falls,
        Seen::Stopped(Stop::Planned) => Told::Off,
        Seen::Stopped(Stop::Failed(why) | Stop::Panicked(why)) => Told::Fails(why.clone()),
        Seen::Acknowledged(deed) => did(deed),
        Seen::Unanswered { what, refusal: None } => Told::NoAnswer(what.clone()),
        Seen::Unanswered { what, refusal: Some(why) } => Told::Refused(what.clone(), why.clone()),
        Seen::Marked { name, until_ms, detail } => {
            let until = until_ms.map(|until| until.saturating_sub(scene.start_ms));
            Told::Fault(name, detail.clone(), until)
        }
    })
}

fn did(deed: &Deed) -> Told {
    if deed.replayed {
        return Told::Again;
    }
    match &deed.what {
        Act::Sale { total, .. } => Told::Sold(*total),
        Act::Receipt { product, quantity } => Told::Received(*product, *quantity),
        Act::Count { product, quantity } => Told::Counted(*product, *quantity),
        Act::Moved { .. } => Told::Moved,
        Act::Promise { product, quantity, hard, .. } => Told::Promised(*product, *quantity, *hard),
        Act::Said { step, .. } => Told::Said(step.as_str()),
        Act::Order { said: OrderAct::Placed { paid }, .. } => Told::Ordered(*paid),
        Act::Order { said: OrderAct::Given { .. }, .. } => Told::Given,
        Act::Order { said: OrderAct::Back { .. }, .. } => Told::Back,
        Act::Order { said: OrderAct::Paid { amount, .. }, .. } => Told::PaidBack(*amount),
        Act::Order { said: OrderAct::Said(what), .. } | Act::Other(what) => Told::Did(what),
    }
}

impl Told {
    /// `bad` for what went wrong, `good` for what was done, `doubtful` for what may become either, `plain` for the rest.
    pub fn tone(&self) -> &'static str {
        match self {
            Self::Falls | Self::Fails(_) | Self::Alarm(_) | Self::NoAnswer(_) | Self::Fault(..) => "bad",
            Self::Refused(..) | Self::Loses(_) | Self::Closes(..) | Self::Off | Self::Epoch(_) => "doubtful",
            Self::Meets(_) | Self::Starts(_) => "good",
            Self::Sold(_)
            | Self::Received(..)
            | Self::Counted(..)
            | Self::Moved
            | Self::Promised(..)
            | Self::Said(_)
            | Self::Ordered(_)
            | Self::Given
            | Self::Back
            | Self::PaidBack(_)
            | Self::Did(_)
            | Self::Again => "plain",
        }
    }
}
