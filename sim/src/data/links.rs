//! A recorded link, and which of the known formats a file of links has.
//!
//! None of the formats says everything about a link. What a recording lacks is `None` in its steps, and the caller says what
//! it takes instead; the meaning intended here is that missing capacity is *unlimited* and a missing round trip is a default
//! that the caller states. A value that is missing now and then is the last one known. [`LinkFormat::says`] tells what
//! each format measured, for the reports that quote it.
//!
//! Hours-long outages are in none of them: a caller that wants those makes them with [`LinkStep::outage`] and says that they
//! are assumed.

use std::io::BufRead;

use super::rows::Rows;
use super::{DataError, cellular, maine, matrix};

/// All of a thing, in parts per million.
pub const ALL_PPM: u32 = 1_000_000;

/// Fastest rate that is believed: 100 Gbit/s, in kbit/s.
pub const RATE_KBPS_MAX: u64 = 100_000_000;

/// Longest round trip that is believed: ten minutes, in microseconds.
pub const RTT_US_MAX: u64 = 600_000_000;

/// Longest time between two rows of one recording: a day. A longer gap is two recordings, or a fault.
pub const STEP_MS_MAX: u64 = 86_400_000;

/// Most steps of two recordings put together, where one goes round many times in the other. Those of the drive at hand have
/// about 1,000; what is beyond is cut off.
pub const MERGED_STEPS_MAX: usize = 4_000_000;

/// What a link is like for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkStep {
    /// How long this holds.
    pub for_ms: u32,
    /// Towards the device, bits per second. `None`: not recorded. 0: nothing gets through in this direction.
    pub down_bps: Option<u64>,
    /// From the device, bits per second; as `down_bps`.
    pub up_bps: Option<u64>,
    /// Round trip without queueing of one's own, microseconds. `None`: not recorded.
    pub rtt_us: Option<u32>,
    /// Packets lost, parts per million. 0 when not recorded.
    pub loss_ppm: u32,
}

impl LinkStep {
    /// A step in which nothing gets through.
    pub fn outage(for_ms: u32) -> Self {
        Self { for_ms, down_bps: None, up_bps: None, rtt_us: None, loss_ppm: ALL_PPM }
    }

    /// True when nothing gets through: every packet is lost, or neither direction carries a bit.
    pub fn is_down(&self) -> bool {
        self.loss_ppm >= ALL_PPM || (self.down_bps == Some(0) && self.up_bps == Some(0))
    }
}

/// Where a recording comes from, and so what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LinkFormat {
    /// Delivery opportunities of 3G and LTE per 100 ms.
    CellularCapacity,
    /// What an app received and sent on a phone, with pings now and then, per second.
    CellularObserved,
    /// Rates of speed tests on a drive, per 500 ms.
    DriveRates,
    /// Pings of an idle link on the same drive, per 200 ms.
    DrivePings,
    /// Rates and pings of the same drive put together.
    Drive,
    /// Round trips between all pairs of devices.
    RoundTrips,
    /// Made by hand, not recorded.
    Assumed,
}

impl LinkFormat {
    /// What was measured, what was not, and how gaps are filled: for reports.
    pub fn says(self) -> &'static str {
        match self {
            Self::CellularCapacity => {
                "capacity per 100 ms in each direction under saturation; no round trip, no loss; both directions end with the \
                 shorter one; a direction that was not recorded is unlimited"
            }
            Self::CellularObserved => {
                "rates that one app saw, so a lower bound of the capacity, upwards little more than acknowledgements; 0 may be \
                 an idle second; ping round trip and loss about every 13 s, held until the next"
            }
            Self::DriveRates => {
                "throughput of TCP speed tests per 500 ms, of a UDP flood where there is no TCP test; down and up were \
                 measured one after the other and are laid over each other, ending with the shorter one; no round trip; UDP \
                 loss is overload and is not used"
            }
            Self::DrivePings => "round trip and loss of pings every 200 ms on the idle link; no capacity",
            Self::Drive => {
                "throughput per 500 ms and, repeated all along, 30 s of idle pings that followed the test, or else those nearest \
                 in time of the same operator"
            }
            Self::RoundTrips => {
                "round trip between two devices, to 10 ms; the set does not say how long a slice lasts, 15 s is assumed; \
                 a zero is a missing value, taken from the opposite direction or the slice before; no capacity, no loss"
            }
            Self::Assumed => "assumed, not recorded",
        }
    }
}

/// A recorded link over time, to be replayed in a circle. It has at least one step, and every step lasts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recording {
    name: String,
    format: LinkFormat,
    steps: Vec<LinkStep>,
    /// When each step ends, from the start of the recording.
    ends_ms: Vec<u64>,
}

impl Recording {
    /// Steps that last no time are left out; `None` when no other is left.
    pub fn new(name: impl Into<String>, format: LinkFormat, mut steps: Vec<LinkStep>) -> Option<Self> {
        steps.retain(|step| step.for_ms > 0);
        steps.shrink_to_fit();
        let ends = steps.iter().scan(0, |end, step| {
            *end += u64::from(step.for_ms);
            Some(*end)
        });
        let ends_ms: Vec<u64> = ends.collect();
        (!steps.is_empty()).then(|| Self { name: name.into(), format, steps, ends_ms })
    }

    /// Unique within its file: the trace, run or pair of devices.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it comes from.
    pub fn format(&self) -> LinkFormat {
        self.format
    }

    /// All steps in order.
    pub fn steps(&self) -> &[LinkStep] {
        &self.steps
    }

    /// How long one round lasts; more than 0.
    pub fn length_ms(&self) -> u64 {
        self.ends_ms.last().copied().expect("a recording has a step")
    }

    /// What the link is like at a time since the start, going round.
    pub fn at(&self, ms: u64) -> LinkStep {
        self.steps[self.index(ms)]
    }

    /// When the step at `ms` ends: the first later time at which [`Recording::at`] may say something else.
    pub fn next_change(&self, ms: u64) -> u64 {
        let left = self.ends_ms[self.index(ms)] - ms % self.length_ms();
        ms.saturating_add(left)
    }

    fn index(&self, ms: u64) -> usize {
        let within = ms % self.length_ms();
        self.ends_ms.partition_point(|end| *end <= within)
    }
}

/// Reads a file of links in any of the known formats, told apart by their header lines, compressed or not. Recordings are
/// sorted by name. Columns that are not used are not looked at.
///
/// # Errors
/// The header is of no known format, or a row is wrong: see the module of the format.
pub fn read_links(input: impl BufRead, file: &str) -> Result<Vec<Recording>, DataError> {
    let rows = Rows::open(input, file)?;
    let read = FORMATS.iter().find(|(columns, _)| rows.has(columns)).map(|(_, read)| read);
    let Some(read) = read else {
        return Err(rows.fault("has the header of no known recording of links"));
    };
    read(rows)
}

type Reader = fn(Rows<'_>) -> Result<Vec<Recording>, DataError>;

/// The columns that tell each format from the others, and its reader.
const FORMATS: &[(&[&str], Reader)] = &[
    (&["trace", "direction", "t_ms", "kbps"], cellular::read_capacity),
    (&["trace", "t_s", "down_kbps", "up_kbps", "rtt_avg_ms", "ping_loss_pct"], cellular::read_observed),
    (&["run", "operator", "test", "t_ms", "kbps"], maine::read_rates),
    (&["run", "operator", "epoch_ms", "seq", "rtt_ms"], maine::read_pings),
    (&["slice", "from_node", "n0"], matrix::read_round_trips),
];

/// Values in the order of time, as rows bring them.
#[derive(Debug)]
pub(super) struct Series<T> {
    points: Vec<(u64, T)>,
}

impl<T> Default for Series<T> {
    fn default() -> Self {
        Self { points: Vec::new() }
    }
}

impl<T: Copy> Series<T> {
    /// Adds a value later than all before it. A value at the same time takes the place of the one before: `Ok` gives that one.
    pub(super) fn push(&mut self, ms: u64, value: T) -> Result<Option<T>, &'static str> {
        match self.points.last_mut() {
            Some((last, _)) if *last > ms => Err("goes back in time"),
            Some((last, _)) if ms - *last > STEP_MS_MAX => Err("leaves a gap of more than a day"),
            Some((last, held)) if *last == ms => Ok(Some(std::mem::replace(held, value))),
            Some(_) | None => {
                self.points.push((ms, value));
                Ok(None)
            }
        }
    }

    pub(super) fn last(&self) -> Option<T> {
        self.points.last().map(|(_, value)| *value)
    }

    /// Values with the time each one holds: until the next, the last one for `interval_ms`.
    pub(super) fn spans(&self, interval_ms: u32) -> impl Iterator<Item = (u32, T)> {
        let next = self.points.iter().skip(1).map(|(ms, _)| Some(*ms)).chain([None]);
        self.points.iter().zip(next).map(move |((ms, value), next)| {
            let held = next.map_or(u64::from(interval_ms), |next| next - ms);
            (u32::try_from(held).expect("push lets no gap over a day through"), *value)
        })
    }
}

/// Two directions as one recording: it starts where each of them starts and ends with the shorter one. A direction of which
/// there is nothing is not recorded.
pub(super) fn directions(
    name: String,
    format: LinkFormat,
    [down, up]: [&Series<u64>; 2],
    interval_ms: u32,
) -> Option<Recording> {
    let one_way = |series: &Series<u64>| {
        let plain = LinkStep { for_ms: 0, down_bps: None, up_bps: None, rtt_us: None, loss_ppm: 0 };
        let step = |(for_ms, bps)| LinkStep { for_ms, down_bps: Some(bps), ..plain };
        Recording::new("", format, series.spans(interval_ms).map(step).collect())
    };
    let swapped = |step: &LinkStep| LinkStep { down_bps: None, up_bps: step.down_bps, ..*step };
    match (one_way(down), one_way(up)) {
        (None, None) => None,
        (Some(down), None) => Recording::new(name, format, down.steps),
        (None, Some(up)) => Recording::new(name, format, up.steps.iter().map(swapped).collect()),
        (Some(down), Some(up)) => {
            let length_ms = down.length_ms().min(up.length_ms());
            let both = |down: LinkStep, up: LinkStep| LinkStep { up_bps: up.down_bps, ..down };
            Recording::new(name, format, merged([&down, &up], length_ms, both))
        }
    }
}

/// Two recordings at once, cut wherever either changes, over `length_ms`.
pub(super) fn merged(
    [first, second]: [&Recording; 2],
    length_ms: u64,
    both: impl Fn(LinkStep, LinkStep) -> LinkStep,
) -> Vec<LinkStep> {
    let (mut steps, mut now) = (Vec::new(), 0);
    while now < length_ms && steps.len() < MERGED_STEPS_MAX {
        let until = first.next_change(now).min(second.next_change(now)).min(length_ms);
        let for_ms = u32::try_from(until - now).expect("no step is longer than those that it is cut from");
        steps.push(LinkStep { for_ms, ..both(first.at(now), second.at(now)) });
        now = until;
    }
    steps
}
