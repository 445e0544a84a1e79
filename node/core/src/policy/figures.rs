//! The figures that managers watch: how fast orders are taken, picked, handed over and delivered, and how often something went wrong.
//!
//! Pure: from fulfillments and orders as they stand to numbers. Every number comes with how many cases are behind it, so that three lucky
//! pickups do not look like a record. Times are differences of the times that nodes wrote into their entries; a node whose
//! clock was wrong shows here, and a difference that would be negative is left out.
//!
//! | module | what it knows |
//! |---|---|
//! | [`clock`] | how long a store was open between two moments |
//! | [`part`] | what one fulfillment adds to the figures |
//!
//! Not here, since no fact says it: what a courier was paid, what goods cost.

pub mod clock;
pub mod part;

use std::collections::{BTreeMap, BTreeSet};

use stockroom_crdt::order::intent::{OrderStep, Saying};
use stockroom_crdt::order::resolve::{Event, Known, OrderState, Outcome, State};

pub use part::Told;

/// So many of so many cases.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Share {
    /// Cases of which it is true.
    pub count: u64,
    /// Cases that were looked at.
    pub of: u64,
}

/// How lengths of time are spread. Percentiles are nearest-rank: the smallest length that so many percent do not exceed, which is
/// always one that occurred.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Spread {
    /// Cases.
    pub count: u64,
    /// Half of them took no longer, milliseconds.
    pub p50_ms: u64,
    /// Nine of ten took no longer, milliseconds.
    pub p90_ms: u64,
    /// The longest, milliseconds.
    pub max_ms: u64,
}

/// Who brought a cancel about.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Who {
    /// The customer asked.
    Customer,
    /// Somebody at head office, or the order's home.
    Home,
    /// The store cancelled by itself.
    Store,
}

/// Figures about fulfillments: the parts of orders that stores were offered within a span of time.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Figures {
    /// Fulfillments that were offered in the span. All other figures are about these, also for what happened after it.
    pub offered: u64,
    /// From the offer to its acceptance, while the store was open. The offer's time is its home's: how long it was on its way counts.
    /// Who begins to pick without a word has accepted.
    pub accept: Spread,
    /// Offers answered (taken or refused) within the time that they name, open hours only, of those answered, still
    /// unanswered after it, or taken back because nobody answered.
    pub accept_in_time: Share,
    /// From the begin of picking to the last line.
    pub pick: Spread,
    /// The same for one line: a fulfillment's time divided by its lines.
    pub pick_line: Spread,
    /// Lines picked in an hour of picking, over all fulfillments whose picking was timed; 0 for none.
    pub lines_per_hour: u64,
    /// From the offer, or from the release of a pre-order, to goods that lie ready, by the clock on the wall. Goods given at once were ready
    /// then.
    pub ready: Spread,
    /// Pickups that were ready when promised, of those that got ready or whose time has passed while they were open.
    pub ready_on_time: Share,
    /// Pieces of what was ordered that were picked, of those that somebody looked for; what was cancelled before and what was
    /// taken instead are left out.
    pub fill_pieces: Share,
    /// The same for goods by weight, grams: what weighs more than ordered counts as ordered.
    pub fill_grams: Share,
    /// Lines of which nothing was missing or replaced, of those that somebody looked for.
    pub fill_lines: Share,
    /// Fulfillments handed over or delivered with every line as ordered, none replaced, in time; of all that came to an end other than by
    /// a cancel or by giving way to another store.
    pub perfect: Share,
    /// Lines with units missing, of those that somebody looked for.
    pub short: Share,
    /// Of these: how many for which reason.
    pub short_reasons: Reasons,
    /// Lines for which something else was taken, of those that somebody looked for.
    pub substituted: Share,
    /// Of these: how many for which reason.
    pub substitution_reasons: Reasons,
    /// Fulfillments that the store refused, of those offered.
    pub refused: Share,
    /// Of these: how many for which reason.
    pub refusal_reasons: Reasons,
    /// Fulfillments that the store confirmed as cancelled, of those offered. What its home took back before a store had it shows in
    /// [`OrderFigures::cancelled`].
    pub cancelled: Share,
    /// Of these: by whom, and why.
    pub cancels: BTreeMap<(Who, String), u64>,
    /// Lines whose promise was broken before anybody looked: their goods were sold, lost or counted away. Of the lines of accepted
    /// fulfillments. This is where stock was promised and then was not there; a shelf that was found empty is short.
    pub oversold: Share,
    /// From the customer's arrival to the handover.
    pub wait: Spread,
    /// Customers who waited no longer than the limit, of those whose arrival was told.
    pub wait_in_time: Share,
    /// Goods that lay ready when the customer arrived, of those whose arrival was told.
    pub ready_at_arrival: Share,
    /// How long goods lay ready until they were handed over.
    pub dwell: Spread,
    /// Pickups that nobody came for, of those that were ready and came to an end.
    pub uncollected: Share,
    /// How long couriers waited at the store for the goods.
    pub courier_wait: Spread,
    /// From the store's door to the customer's.
    pub delivery: Spread,
    /// Deliveries that arrived when promised, of those that arrived, were given up, or are late.
    pub delivered_on_time: Share,
    /// Deliveries with an attempt that failed, of those that left the store.
    pub delivery_failed: Share,
    /// Deliveries that came back or were lost, of those that left the store.
    pub not_delivered: Share,
    /// Deliveries for which a courier was asked more than once, of those for which one was asked.
    pub redispatched: Share,
}

/// Figures about whole orders, where they were placed.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct OrderFigures {
    /// Orders that were placed in the span. The others are about these.
    pub placed: u64,
    /// Orders of which the customer has everything, of those that came to an end.
    pub completed: Share,
    /// Orders of which the customer has a part, of those that came to an end.
    pub partly: Share,
    /// Orders that ended cancelled, of those that came to an end.
    pub cancelled: Share,
    /// Of these: by whom, and why.
    pub cancels: BTreeMap<(Who, String), u64>,
    /// Orders of which the customer got nothing, of those that came to an end.
    pub failed: Share,
    /// Orders with a line whose promise was broken, of those that a store accepted.
    pub oversold: Share,
    /// Orders that more than one store worked on, of those that a store accepted.
    pub split: Share,
    /// Parts that were offered anew because a store refused, was silent or was short, of all parts.
    pub rerouted: Share,
}

/// How many for which reason; at most [`REASONS_MAX`] reasons, the rest under `other`.
pub type Reasons = BTreeMap<String, u64>;

/// Fulfillments and orders on their way to figures.
#[derive(Debug, Default)]
pub struct Tally {
    out: Figures,
    orders: OrderFigures,
    accept: Vec<u64>,
    pick: Vec<u64>,
    pick_line: Vec<u64>,
    picked_lines: u64,
    ready: Vec<u64>,
    wait: Vec<u64>,
    dwell: Vec<u64>,
    courier_wait: Vec<u64>,
    delivery: Vec<u64>,
}

impl Share {
    /// Counts a case.
    pub fn add(&mut self, is_so: bool) {
        self.of += 1;
        self.count += u64::from(is_so);
    }

    /// The share in parts per million, half up; `None` without a case.
    pub fn ppm(self) -> Option<u64> {
        let (count, of) = (u128::from(self.count), u128::from(self.of));
        let ppm = (count * 1_000_000 + of / 2).checked_div(of)?;
        u64::try_from(ppm).ok()
    }
}

impl Spread {
    /// How lengths are spread; they are sorted on the way.
    pub fn of(lengths: &mut [u64]) -> Self {
        lengths.sort_unstable();
        let at = |percent: usize| lengths[(lengths.len() * percent).div_ceil(100).max(1) - 1];
        let Some(max_ms) = lengths.last().copied() else { return Self::default() };
        Self { count: lengths.len() as u64, p50_ms: at(50), p90_ms: at(90), max_ms }
    }
}

impl Who {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Customer, Self::Home, Self::Store];

    /// The word for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Home => "home",
            Self::Store => "store",
        }
    }

    /// Who somebody is that an intent names.
    fn of(by: &str) -> Self {
        if by == "customer" { Self::Customer } else { Self::Home }
    }
}

impl Tally {
    /// Counts an order where it was placed.
    pub fn add_order(&mut self, known: &Known, outcome: &Outcome) {
        let out = &mut self.orders;
        out.placed += 1;
        if !outcome.state.is_open() {
            out.completed.add(outcome.state == OrderState::Completed);
            out.partly.add(outcome.state == OrderState::PartlyCompleted);
            out.cancelled.add(outcome.state == OrderState::Cancelled);
            out.failed.add(outcome.state == OrderState::Failed);
            if outcome.state == OrderState::Cancelled {
                let (who, why) = asked_by(known.sayings.iter()).unwrap_or((Who::Store, String::new()));
                count_kind(&mut out.cancels, (who, why), |other| (who, other));
            }
        }
        let accepted: Vec<_> =
            outcome.fulfillments.iter().filter(|told| part::accepted_ms(known, told).is_some()).collect();
        if !accepted.is_empty() {
            out.oversold.add(accepted.iter().any(|told| told.lines.iter().any(part::is_oversold)));
            let worked = accepted.iter().filter(|told| told.state != State::StoodDown && told.state != State::Refused);
            let stores: BTreeSet<_> = worked.map(|told| told.store).collect();
            out.split.add(stores.len() > 1);
        }
        let first = outcome.fulfillments.iter().map(|told| told.generation).min().unwrap_or(0);
        outcome.fulfillments.iter().for_each(|told| out.rerouted.add(told.generation > first));
    }

    /// What was counted.
    pub fn figures(mut self) -> (Figures, OrderFigures) {
        let picking_ms: u64 = self.pick.iter().fold(0, |sum, ms| sum.saturating_add(*ms));
        let per_hour = self.picked_lines.saturating_mul(HOUR_MS).checked_div(picking_ms).unwrap_or(0);
        let spreads = Figures {
            accept: Spread::of(&mut self.accept),
            pick: Spread::of(&mut self.pick),
            pick_line: Spread::of(&mut self.pick_line),
            lines_per_hour: per_hour,
            ready: Spread::of(&mut self.ready),
            wait: Spread::of(&mut self.wait),
            dwell: Spread::of(&mut self.dwell),
            courier_wait: Spread::of(&mut self.courier_wait),
            delivery: Spread::of(&mut self.delivery),
            ..self.out
        };
        (spreads, self.orders)
    }
}

impl Figures {
    /// Every length of time with its name.
    pub fn spreads(&self) -> [(&'static str, Spread); 8] {
        [
            ("accept", self.accept),
            ("pick", self.pick),
            ("pick_line", self.pick_line),
            ("ready", self.ready),
            ("wait", self.wait),
            ("dwell", self.dwell),
            ("courier_wait", self.courier_wait),
            ("delivery", self.delivery),
        ]
    }

    /// Every share with its name.
    pub fn shares(&self) -> [(&'static str, Share); 18] {
        [
            ("accept_in_time", self.accept_in_time),
            ("ready_on_time", self.ready_on_time),
            ("fill_pieces", self.fill_pieces),
            ("fill_grams", self.fill_grams),
            ("fill_lines", self.fill_lines),
            ("perfect", self.perfect),
            ("short", self.short),
            ("substituted", self.substituted),
            ("refused", self.refused),
            ("cancelled", self.cancelled),
            ("oversold", self.oversold),
            ("wait_in_time", self.wait_in_time),
            ("ready_at_arrival", self.ready_at_arrival),
            ("uncollected", self.uncollected),
            ("delivered_on_time", self.delivered_on_time),
            ("delivery_failed", self.delivery_failed),
            ("not_delivered", self.not_delivered),
            ("redispatched", self.redispatched),
        ]
    }
}

/// Who asked last to cancel, and why.
fn asked_by<'a>(sayings: impl Iterator<Item = &'a Event<OrderStep>>) -> Option<(Who, String)> {
    let asked = sayings.filter(|event| event.says.saying == Saying::AskCancel);
    let last = asked.max_by_key(|event| (event.hlc, event.at))?;
    Some((Who::of(last.says.by.as_str()), last.says.note.as_str().to_owned()))
}

/// Counts a case of a kind; kinds beyond [`REASONS_MAX`] are counted as `other`.
fn count_kind<K: Ord>(kinds: &mut BTreeMap<K, u64>, kind: K, other: impl FnOnce(String) -> K) {
    let is_new = !kinds.contains_key(&kind);
    let kind = if is_new && kinds.len() >= REASONS_MAX { other("other".into()) } else { kind };
    *kinds.entry(kind).or_default() += 1;
}

/// Reasons that one figure tells apart. Staff may type any word, and a list of a thousand words tells nothing.
pub const REASONS_MAX: usize = 32;

const HOUR_MS: u64 = 3_600_000;

#[cfg(test)]
mod tests;
