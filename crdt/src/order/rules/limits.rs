//! How long everything about an order may take, and how often it may be tried: for all stores, or for one.
//!
//! These are lengths of time, not moments. Who measures them is told by his own clock how long it was, and that clock may be wrong.

use crate::codec::{DecodeError, Rows, Sink, Source, col};
use crate::ids::StoreId;
use crate::limits::AMOUNT_MAX;

/// The time limits. All lengths are milliseconds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OrderLimits {
    /// For which store; `None` for those that have no limits of their own.
    pub store: Option<StoreId>,
    /// The limits were taken back: the wider ones hold, if there are any.
    pub ended: bool,
    /// A store answers an offer within so much of its opening hours.
    pub accept_within_ms: u64,
    /// Somebody is warned after so much of it; no more than `accept_within_ms`.
    pub accept_warn_ms: u64,
    /// Goods that are there are ready after so much of the opening hours.
    pub ready_within_ms: u64,
    /// The promise for goods that take longer.
    pub ready_long_ms: u64,
    /// An order that comes later than so long before closing is prepared after the next opening.
    pub last_orders_ms: u64,
    /// How long goods wait for the customer.
    pub hold_ms: u64,
    /// The same for fresh goods.
    pub hold_fresh_ms: u64,
    /// The same for frozen goods.
    pub hold_frozen_ms: u64,
    /// After how long in the bay the customer is reminded; ascending, each less than `hold_ms`.
    pub reminders_ms: Vec<u64>,
    /// A customer answers a question within this time, else what he said before holds.
    pub answer_within_ms: u64,
    /// After how long without a courier the next one is asked: the first time, the second time, ...
    pub redispatch_ms: Vec<u64>,
    /// A signed QR is good for so long.
    pub qr_life_ms: u64,
    /// A customer who has arrived waits no longer than this.
    pub handover_within_ms: u64,
    /// Between two messages with the same code.
    pub resend_gap_ms: u64,
    /// Messages with a code, together.
    pub resends_max: u8,
    /// Wrong codes until the order needs a manager.
    pub code_tries: u8,
    /// Couriers that fail to deliver until somebody decides by hand.
    pub delivery_attempts: u8,
    /// How far weighed goods may differ from what was ordered, parts per million.
    pub weight_tolerance_ppm: u32,
    /// The most that a store pays back in cash for a signed receipt of another store, minor units.
    pub return_cash_max: i64,
}

impl Default for OrderLimits {
    /// Accepted within 15 minutes (warned at 10), ready within 2 hours or 24, last orders an hour before closing, held for 7 days (fresh 24
    /// hours, frozen 4) with reminders after 1, 3 and 6 days, 10 minutes to answer, couriers asked anew after 5 and 10 minutes, QR codes of
    /// 30 minutes, 5 minutes to hand over, 5 messages at most one a day, 5 tries of a code, 2 deliveries, 10% of weight, 50.00 in cash for another store's receipt.
    fn default() -> Self {
        Self {
            store: None,
            ended: false,
            accept_within_ms: 15 * MINUTE_MS,
            accept_warn_ms: 10 * MINUTE_MS,
            ready_within_ms: 2 * HOUR_MS,
            ready_long_ms: 24 * HOUR_MS,
            last_orders_ms: HOUR_MS,
            hold_ms: 7 * DAY_MS,
            hold_fresh_ms: 24 * HOUR_MS,
            hold_frozen_ms: 4 * HOUR_MS,
            reminders_ms: vec![DAY_MS, 3 * DAY_MS, 6 * DAY_MS],
            answer_within_ms: 10 * MINUTE_MS,
            redispatch_ms: vec![5 * MINUTE_MS, 10 * MINUTE_MS],
            qr_life_ms: 30 * MINUTE_MS,
            handover_within_ms: 5 * MINUTE_MS,
            resend_gap_ms: DAY_MS,
            resends_max: 5,
            code_tries: 5,
            delivery_attempts: 2,
            weight_tolerance_ppm: 100_000,
            return_cash_max: 5_000,
        }
    }
}

impl OrderLimits {
    /// The entity of the limits' cell.
    pub fn entity(&self) -> Vec<u8> {
        Self::entity_of(self.store)
    }

    /// The entity of the cell in which the limits of a store stand.
    pub fn entity_of(store: Option<StoreId>) -> Vec<u8> {
        let mut rows = Rows::default();
        rows.uint(col::STORE, store.map_or(0, |store| u64::from(store.0)));
        rows.into_bytes()
    }

    /// Those that hold for a store: its own, else those for everybody, else none.
    pub fn narrowest<'a>(limits: impl Iterator<Item = &'a Self>, store: StoreId) -> Option<&'a Self> {
        limits.filter(|it| !it.ended && it.store.is_none_or(|own| own == store)).max_by_key(|it| it.store)
    }

    /// Writes the limits.
    pub fn encode(&self, sink: &mut impl Sink) {
        sink.uint(col::STORE, self.store.map_or(0, |store| u64::from(store.0)));
        sink.uint(col::FLAGS, u64::from(self.ended));
        self.lengths().into_iter().for_each(|(ms, _)| sink.uint(col::TIME, ms));
        for times in [&self.reminders_ms, &self.redispatch_ms] {
            sink.uint(col::COUNT, times.len() as u64);
            times.iter().for_each(|ms| sink.uint(col::TIME, *ms));
        }
        [self.resends_max, self.code_tries, self.delivery_attempts]
            .into_iter()
            .for_each(|tries| sink.uint(col::A, u64::from(tries)));
        sink.uint(col::B, u64::from(self.weight_tolerance_ppm));
        sink.int(col::AMOUNT, self.return_cash_max);
    }

    /// Reads what [`OrderLimits::encode`] wrote.
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        let store = match source.u32(col::STORE)? {
            0 => None,
            store => Some(StoreId(store)),
        };
        let limits = Self {
            store,
            ended: source.flag(col::FLAGS)?,
            accept_within_ms: source.uint(col::TIME)?,
            accept_warn_ms: source.uint(col::TIME)?,
            ready_within_ms: source.uint(col::TIME)?,
            ready_long_ms: source.uint(col::TIME)?,
            last_orders_ms: source.uint(col::TIME)?,
            hold_ms: source.uint(col::TIME)?,
            hold_fresh_ms: source.uint(col::TIME)?,
            hold_frozen_ms: source.uint(col::TIME)?,
            answer_within_ms: source.uint(col::TIME)?,
            qr_life_ms: source.uint(col::TIME)?,
            handover_within_ms: source.uint(col::TIME)?,
            resend_gap_ms: source.uint(col::TIME)?,
            reminders_ms: decode_times(source)?,
            redispatch_ms: decode_times(source)?,
            resends_max: source.u8(col::A)?,
            code_tries: source.u8(col::A)?,
            delivery_attempts: source.u8(col::A)?,
            weight_tolerance_ppm: source.u32(col::B)?,
            return_cash_max: source.int_within(col::AMOUNT, AMOUNT_MAX, "amount")?,
        };
        limits.validate().map_err(DecodeError::Value)?;
        Ok(limits)
    }

    /// The field that has no sense, if one has none.
    pub fn validate(&self) -> Result<(), &'static str> {
        if self.store == Some(StoreId(0)) {
            return Err("store");
        }
        if let Some((_, name)) = self.lengths().into_iter().find(|(ms, _)| *ms > LENGTH_MS_MAX) {
            return Err(name);
        }
        let ascending = self.reminders_ms.windows(2).all(|two| two[0] < two[1]);
        let in_time = self.reminders_ms.iter().all(|ms| *ms < self.hold_ms);
        let fields = [
            (self.accept_within_ms > 0, "accept_within_ms"),
            (self.accept_warn_ms <= self.accept_within_ms, "accept_warn_ms"),
            (self.hold_ms > 0, "hold_ms"),
            (self.qr_life_ms > 0, "qr_life_ms"),
            (ascending && in_time && self.reminders_ms.len() <= TIMES_MAX, "reminders_ms"),
            (self.redispatch_ms.len() <= TIMES_MAX && self.redispatch_ms.iter().all(is_length), "redispatch_ms"),
            (self.code_tries > 0, "code_tries"),
            (self.delivery_attempts > 0, "delivery_attempts"),
            (self.weight_tolerance_ppm <= 1_000_000, "weight_tolerance_ppm"),
            ((0..=AMOUNT_MAX).contains(&self.return_cash_max), "return_cash_max"),
        ];
        fields.into_iter().find(|(good, _)| !good).map_or(Ok(()), |(_, name)| Err(name))
    }

    /// Every single length, in the order in which they are written.
    fn lengths(&self) -> [(u64, &'static str); 12] {
        [
            (self.accept_within_ms, "accept_within_ms"),
            (self.accept_warn_ms, "accept_warn_ms"),
            (self.ready_within_ms, "ready_within_ms"),
            (self.ready_long_ms, "ready_long_ms"),
            (self.last_orders_ms, "last_orders_ms"),
            (self.hold_ms, "hold_ms"),
            (self.hold_fresh_ms, "hold_fresh_ms"),
            (self.hold_frozen_ms, "hold_frozen_ms"),
            (self.answer_within_ms, "answer_within_ms"),
            (self.qr_life_ms, "qr_life_ms"),
            (self.handover_within_ms, "handover_within_ms"),
            (self.resend_gap_ms, "resend_gap_ms"),
        ]
    }
}

fn decode_times(source: &mut impl Source) -> Result<Vec<u64>, DecodeError> {
    let count = source.count(col::COUNT, TIMES_MAX, "times of a limit")?;
    (0..count).map(|_| source.uint(col::TIME)).collect()
}

fn is_length(ms: &u64) -> bool {
    (1..=LENGTH_MS_MAX).contains(ms)
}

const MINUTE_MS: u64 = 60_000;

const HOUR_MS: u64 = 60 * MINUTE_MS;

const DAY_MS: u64 = 24 * HOUR_MS;

/// Nothing about an order waits longer than a quarter of a year.
const LENGTH_MS_MAX: u64 = 92 * DAY_MS;

/// Reminders, or couriers asked anew.
const TIMES_MAX: usize = 8;
