//! What came of a run: figures, violations, and the record that a report is drawn from.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::hand::HandAct;
use crate::plan::DiskKind;

/// A finished run.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// Which scenario.
    pub scenario: String,
    /// From which seed.
    pub seed: u64,
    /// Stores that took part.
    pub stores: u32,
    /// Hubs that took part.
    pub hubs: u32,
    /// What they kept their rows on.
    pub disk: DiskKind,
    /// Simulated seconds.
    pub simulated_s: f64,
    /// Seconds on the wall; set by whoever has a clock.
    pub wall_s: f64,
    /// Simulated over wall time.
    pub speedup: f64,
    /// Observations made.
    pub events: u64,
    /// Things that people did and that were acknowledged.
    pub ops: u64,
    /// Frames sent.
    pub messages: u64,
    /// Bytes of frames from stores to hubs, and from hubs to the cloud.
    pub bytes_up: u64,
    /// Bytes of frames the other way.
    pub bytes_down: u64,
    /// Bytes of frames between neighbours.
    pub bytes_across: u64,
    /// How often each injector struck.
    pub faults: BTreeMap<String, u64>,
    /// Rare states that were reached, with how often.
    pub reached: BTreeMap<String, u64>,
    /// What was not as it must be.
    pub violations: Vec<Violation>,
    /// `held`, `violated`, `slow` (still moving when the time was up) or `stuck`.
    pub verdict: Verdict,
    /// Seconds from the end of the faults until the healthy core agreed.
    pub converge_s: f64,
    /// How often a till at a node that was up waited longer than a second, and the longest wait in milliseconds.
    pub till_blocked: u64,
    /// The longest wait of a till at a node that was up, milliseconds.
    pub till_wait_ms_max: u64,
    /// Acknowledged deeds that are nowhere, without a disk that was lost before it was synced.
    pub lost_acked: u64,
    /// Acknowledged deeds that went with a disk that was set back or lost before any hub had them.
    pub declared_lost: u64,
    /// Crash images of one store's disk that were opened and checked beside the run.
    pub crash_images: u64,
    /// Hash of every observation in order, as 16 hex digits.
    pub trace_hash: String,
    /// Hash of what every node holds in the end, as 16 hex digits.
    pub state_hash: String,
    /// How the workload was scaled.
    pub scaling: String,
    /// What became of orders, if there were any.
    pub orders: Option<OrderFigures>,
    /// What was done by hand, in order: with a plan's seed it names the run.
    pub by_hand: Vec<HandAct>,
    /// What the report is drawn from.
    #[serde(skip)]
    pub record: Record,
}

/// What became of orders.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct OrderFigures {
    /// Customers who ordered.
    pub wanted: u64,
    /// Orders that were placed.
    pub placed: u64,
    /// Customers who gave up because nobody could serve them.
    pub turned_away: u64,
    /// Orders of which nothing was cancelled: the ones that follow are among them.
    pub counted: u64,
    /// Ready when they were promised to be.
    pub on_time: u64,
    /// What a planner who knows all orders beforehand gets ready on time: same orders, same pickers, same goods, nothing cut.
    pub clairvoyant: u64,
    /// Of those, the ones that were ready on time.
    pub both: u64,
    /// `both` over `clairvoyant`, parts per million.
    pub ratio_ppm: u64,
    /// Ready as long after the customer first asked as it was promised after it was placed, whether or not there was a hub to place it.
    pub prompt: u64,
    /// No plan whatsoever has more of them ready by then: an upper bound, for orders known beforehand and without any hub.
    pub hubless: u64,
    /// `prompt` over `hubless`, parts per million.
    pub prompt_ppm: u64,
    /// Lines of which fewer units were there than were promised.
    pub oversold: u64,
    /// Fulfillments that were handed over a second time, and units beyond what was ordered.
    pub handed_twice: u64,
    /// Orders of which the customer has everything, a part, nothing because it was cancelled, nothing otherwise.
    pub ended: [u64; 4],
    /// Minor units that were paid back.
    pub paid_back: i64,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Every check held.
    Held,
    /// A check did not hold.
    Violated,
    /// It did not come together in time, and was still moving.
    Slow,
    /// It did not come together, and nothing moved any more.
    Stuck,
}

/// Something that was not as it must be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// Which check, by number and name: `I14 equal heads, equal state`.
    pub check: String,
    /// When, milliseconds from the start of the run.
    pub at_ms: u64,
    /// After which observation.
    pub event: u64,
    /// At which node, 0 for none.
    pub node: u32,
    /// What was found.
    pub message: String,
    /// What each node knew.
    pub story: Vec<String>,
}

/// A run's course, sampled for pictures.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// When the run began, milliseconds since 1970.
    pub start_ms: u64,
    /// When the faults stopped, milliseconds from the start.
    pub healed_ms: u64,
    /// When the healthy nodes agreed, if they did.
    pub agreed_ms: Option<u64>,
    /// When it ended.
    pub end_ms: u64,
    /// Nodes: id, what people call it.
    pub nodes: Vec<(u32, String)>,
    /// Faults, in the order in which they began.
    pub faults: Vec<FaultSpan>,
    /// When nodes were down.
    pub down: Vec<FaultSpan>,
    /// Per node: (milliseconds from the start, entries of others that it ought to have and does not).
    pub lag: BTreeMap<u32, Vec<(u64, u64)>>,
    /// Bytes sent from one node to another, per lane.
    pub link_bytes: BTreeMap<(u32, u32), [u64; 5]>,
    /// Acknowledged sales per store and hour of the run.
    pub sales: BTreeMap<u32, Vec<u32>>,
}

/// Something that lasted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultSpan {
    /// What.
    pub name: String,
    /// Which nodes.
    pub nodes: Vec<u32>,
    /// From, milliseconds from the start.
    pub from_ms: u64,
    /// Until; the same for something that only struck.
    pub to_ms: u64,
    /// More, in words.
    pub detail: String,
}
