//! How many promises the policies of `stockroom_core::policy` keep, against a clairvoyant who knows every customer beforehand.
//!
//! One pooled account: a centre and nodes in a star, goods that come in once, customers who ask at the nodes, links that fail. Every
//! right that is minted, granted, used or asked back goes through `stockroom_crdt::stock::rights`, on a replica of its own for the centre
//! and for each node, and rows travel as messages that a failing link loses. Every decision is a function of `stockroom_core::policy`.
//! Nothing here is a second model of either.
//!
//! | module | what it knows |
//! |---|---|
//! | [`case`](mod@case) | what one run is about, drawn before it begins: the same for every strategy |
//! | [`draws`], [`outages`], [`purchases`] | chance; when links are down; who really bought what |
//! | [`wire`] | messages, their bytes and how long they take |
//! | [`shop`], [`centre`] | the two ends |
//! | [`play`](mod@play) | one run of one strategy |
//! | [`tally`] | what came of it; means over runs with their errors |

pub mod case;
pub mod centre;
pub mod draws;
pub mod outages;
pub mod play;
pub mod purchases;
pub mod shop;
pub mod tally;
pub mod wire;

use std::sync::Arc;

use stockroom_core::policy::demand;
use stockroom_core::policy::spread::Tuning;
use stockroom_crdt::stock::policy::{Allocation, PolicyRule, Target};

use crate::data::links::Recording;
use outages::{District, Failing, Recorded, Shape};
use purchases::Purchases;

/// A way to spread rights, and whether promises are also made without one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// All rights at the centre: what consensus, or a call to the head office, gives.
    HubOnly,
    /// Shares by forecast, never moved.
    Static,
    /// Equal shares; who runs out borrows.
    EqualBorrow,
    /// Shares by forecast; who runs out borrows.
    Proportional,
    /// Insurance against outages.
    Littlewood,
    /// The same, and soft promises within a risk and a budget.
    #[serde(rename = "littlewood+soft")]
    LittlewoodSoft,
}

/// Everything that a run depends on beside its number and the strategy.
#[derive(Clone, Debug)]
pub struct Setting {
    /// Places that promise.
    pub nodes: usize,
    /// Units in the book at the beginning.
    pub stock: u64,
    /// Units expected to be asked for until the horizon.
    pub demand: f64,
    /// How long a run is: until goods come in again.
    pub horizon_ms: u64,
    /// Links are watched for so long before, so that nodes know how theirs fail.
    pub history_ms: u64,
    /// Demand of the k-th node is proportional to `k^-zipf`.
    pub zipf: f64,
    /// How links fail, if nothing was recorded.
    pub failing: Failing,
    /// How links failed.
    pub recorded: Option<Recorded>,
    /// Delays and capacities of recorded links; a fixed line otherwise.
    pub links: Vec<Arc<Recording>>,
    /// Forecasts are the true rates; otherwise each is off by a Gamma-distributed factor of shape 2.
    pub exact: bool,
    /// How far forecasts are pulled towards their mean before they are used.
    pub pull: f64,
    /// Blackouts of neighbours.
    pub district: Option<District>,
    /// Real customers.
    pub purchases: Option<Purchases>,
    /// How far books are off.
    pub record_error: Option<RecordError>,
    /// Safety stock, and the risk of a soft promise.
    pub rule: PolicyRule,
    /// Rights of the class `Overbooking` in all. A soft promise uses one up until it is confirmed.
    pub budget: u64,
    /// How eager rights move.
    pub tuning: Tuning,
    /// Decides all that is left to chance.
    pub seed: u64,
    /// A fault that the oracle must find.
    pub plant: Option<Plant>,
}

/// Books that are wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RecordError {
    /// Share of the books that are.
    pub share: f64,
    /// Mean size of the error as a share of the book; at least one unit, too many as often as too few, exponential.
    pub size: f64,
}

/// Faults of the counting itself, to see that they do not go unnoticed. Nobody but a test plants them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plant {
    /// In the middle of the run the centre is set back to its empty beginning and mints all goods again in a new epoch.
    MintAfterRestore,
    /// In the middle of the run the node with most customers is set back to a quarter of the run, and keeps its epoch.
    RestoreKeepingEpoch,
}

impl Strategy {
    /// All of them, in the order of tables.
    pub const ALL: [Self; 6] =
        [Self::HubOnly, Self::Static, Self::EqualBorrow, Self::Proportional, Self::Littlewood, Self::LittlewoodSoft];

    /// The word for people and for commands.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LittlewoodSoft => "littlewood+soft",
            Self::HubOnly | Self::Static | Self::EqualBorrow | Self::Proportional | Self::Littlewood => {
                self.allocation().as_str()
            }
        }
    }

    /// Takes the word that [`Strategy::as_str`] gives.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|strategy| strategy.as_str() == text)
    }

    /// How rights are spread.
    pub fn allocation(self) -> Allocation {
        match self {
            Self::HubOnly => Allocation::HubOnly,
            Self::Static => Allocation::Static,
            Self::EqualBorrow => Allocation::EqualBorrow,
            Self::Proportional => Allocation::Proportional,
            Self::Littlewood | Self::LittlewoodSoft => Allocation::Littlewood,
        }
    }

    /// Promises are also made without a right.
    pub fn soft(self) -> bool {
        match self {
            Self::LittlewoodSoft => true,
            Self::HubOnly | Self::Static | Self::EqualBorrow | Self::Proportional | Self::Littlewood => false,
        }
    }
}

impl Default for Setting {
    /// Fifty nodes, a unit each for a week, links down for an hour every five.
    fn default() -> Self {
        Self {
            nodes: 50,
            stock: 50,
            demand: 50.0,
            horizon_ms: 7 * DAY_MS,
            history_ms: 28 * DAY_MS,
            zipf: 0.8,
            failing: Failing { uptime: 0.8, outage_ms: 3_600_000.0, shape: Shape::Exponential },
            recorded: None,
            links: Vec::new(),
            exact: false,
            pull: demand::PULL,
            district: None,
            purchases: None,
            record_error: None,
            rule: PolicyRule { soft_ppm: 10_000, ..PolicyRule::of(Target::All, Allocation::Littlewood) },
            budget: 100,
            tuning: Tuning::default(),
            seed: 1,
            plant: None,
        }
    }
}

impl Setting {
    /// How often the centre looks at the whole pool if nothing else makes it: five minutes, or a 400th of the horizon.
    pub fn review_ms(&self) -> u64 {
        (self.horizon_ms / 400).max(300_000)
    }

    /// When a run begins: everything before is history.
    pub fn start_ms(&self) -> u64 {
        self.history_ms
    }

    /// When it ends.
    pub fn end_ms(&self) -> u64 {
        self.history_ms + self.horizon_ms
    }
}

/// Places at most: one centre grants to at most as many partners as a row of rights holds.
pub const NODES_MAX: usize = stockroom_crdt::limits::RIGHTS_PARTNERS_MAX;

/// Milliseconds of a day.
pub const DAY_MS: u64 = 86_400_000;
