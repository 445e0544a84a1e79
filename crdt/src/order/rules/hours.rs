//! When a store is open and how much it takes on in a day: what it can do for orders.
//!
//! Hours are minutes after local midnight. Which offset from UTC holds is an argument: time zones are not known here.

use super::{decode_option, encode_option};
use crate::codec::{DecodeError, Rows, Sink, Source, col};
use crate::ids::StoreId;

/// From opening to closing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Span {
    /// Minutes after local midnight, 0..1440.
    pub from: u16,
    /// Minutes after the same midnight, above `from`, at most a day later: a store that closes at 2 in the night has 1560.
    pub until: u16,
}

/// What one store can do for orders.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoreService {
    /// Which store.
    pub store: StoreId,
    /// Monday first; for each day in the order of time, none touching the next.
    pub week: [Vec<Span>; 7],
    /// Days since 1970 on which it does not open, ascending.
    pub closed_days: Vec<u32>,
    /// Parts that it takes on in a day; `None` for what the routing rules say.
    pub parts_per_day: Option<u32>,
}

/// An unbroken time of being open, milliseconds since 1970.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shift {
    /// From when on.
    pub opens_ms: u64,
    /// The first moment at which it is closed.
    pub closes_ms: u64,
}

/// How long an order takes a store.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pace {
    /// From the offer until the goods are ready, while the store is open.
    pub prepare_ms: u64,
    /// An order that comes later than so long before closing waits for the next opening.
    pub last_orders_ms: u64,
}

impl StoreService {
    /// Open without a pause, as much as the rules allow.
    pub fn always_open(store: StoreId) -> Self {
        let week = std::array::from_fn(|_| vec![Span { from: 0, until: DAY_MIN }]);
        Self { store, week, closed_days: Vec::new(), parts_per_day: None }
    }

    /// The entity of the record's cell.
    pub fn entity(&self) -> Vec<u8> {
        Self::entity_of(self.store)
    }

    /// The entity of the cell in which a store's record stands.
    pub fn entity_of(store: StoreId) -> Vec<u8> {
        let mut rows = Rows::default();
        rows.uint(col::STORE, u64::from(store.0));
        rows.into_bytes()
    }

    /// The shift that holds at a moment, or the next one, if it opens within [`AHEAD_DAYS`]. Days that touch are one shift; one that goes on
    /// beyond those days is cut there.
    pub fn shift(&self, at_ms: u64, offset_min: i32) -> Option<Shift> {
        let offset_ms = i64::from(offset_min) * MINUTE_MS;
        let at_ms = i64::try_from(at_ms).ok()?;
        let today = at_ms.checked_add(offset_ms)?.div_euclid(DAY_MS);
        let mut found: Option<(i64, i64)> = None;
        for day in today - 1..=today + AHEAD_DAYS {
            for span in self.spans(day) {
                let edge = |minutes: u16| day * DAY_MS + i64::from(minutes) * MINUTE_MS - offset_ms;
                let (opens, closes) = (edge(span.from), edge(span.until));
                match &mut found {
                    Some((_, until)) if opens <= *until => *until = closes.max(*until),
                    Some((_, until)) if *until > at_ms => return shift(found),
                    Some(_) | None => found = Some((opens, closes)),
                }
            }
        }
        found.filter(|(_, closes)| *closes > at_ms).and_then(|found| shift(Some(found)))
    }

    /// When goods are ready that a store is asked for at a moment; `None` if it does not open in time to come.
    pub fn ready_ms(&self, at_ms: u64, offset_min: i32, pace: Pace) -> Option<u64> {
        let mut from_ms = at_ms;
        for _ in 0..SHIFTS_TRIED {
            let shift = self.shift(from_ms, offset_min)?;
            let starts_ms = at_ms.max(shift.opens_ms);
            if starts_ms.saturating_add(pace.last_orders_ms.max(pace.prepare_ms)) <= shift.closes_ms {
                return starts_ms.checked_add(pace.prepare_ms);
            }
            from_ms = shift.closes_ms;
        }
        None
    }

    fn spans(&self, day: i64) -> &[Span] {
        let closed = u32::try_from(day).is_ok_and(|day| self.closed_days.binary_search(&day).is_ok());
        // 1970 began on a Thursday.
        let weekday = (day + 3).rem_euclid(7) as usize;
        if closed { &[] } else { &self.week[weekday] }
    }

    /// Writes the record.
    pub fn encode(&self, sink: &mut impl Sink) {
        sink.uint(col::STORE, u64::from(self.store.0));
        for spans in &self.week {
            sink.uint(col::COUNT, spans.len() as u64);
            for span in spans {
                sink.uint(col::A, u64::from(span.from));
                sink.uint(col::A, u64::from(span.until));
            }
        }
        sink.uint(col::COUNT, self.closed_days.len() as u64);
        self.closed_days.iter().for_each(|day| sink.uint(col::DAY, u64::from(*day)));
        encode_option(sink, col::B, self.parts_per_day.map(u64::from));
    }

    /// Reads what [`StoreService::encode`] wrote.
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        let store = StoreId(source.u32(col::STORE)?);
        let mut week: [Vec<Span>; 7] = Default::default();
        for spans in &mut week {
            for _ in 0..source.count(col::COUNT, SPANS_MAX, "opening hours of a day")? {
                spans.push(Span { from: source.u16(col::A)?, until: source.u16(col::A)? });
            }
        }
        let mut closed_days = Vec::new();
        for _ in 0..source.count(col::COUNT, CLOSED_DAYS_MAX, "closed days")? {
            closed_days.push(source.u32(col::DAY)?);
        }
        let service = Self { store, week, closed_days, parts_per_day: decode_option(source, col::B)? };
        service.validate().map_err(DecodeError::Value)?;
        Ok(service)
    }

    /// The field that has no sense, if one has none.
    pub fn validate(&self) -> Result<(), &'static str> {
        if self.store.0 == 0 {
            return Err("store");
        }
        let sound = |span: &Span| span.from < DAY_MIN && span.from < span.until && span.until <= span.from + DAY_MIN;
        let good = |spans: &Vec<Span>| {
            spans.len() <= SPANS_MAX
                && spans.iter().all(sound)
                && spans.windows(2).all(|two| two[0].until < two[1].from)
        };
        if !self.week.iter().all(good) {
            return Err("week");
        }
        let ascending = self.closed_days.windows(2).all(|two| two[0] < two[1]);
        if ascending && self.closed_days.len() <= CLOSED_DAYS_MAX { Ok(()) } else { Err("closed_days") }
    }
}

fn shift(found: Option<(i64, i64)>) -> Option<Shift> {
    let (opens, closes) = found?;
    Some(Shift { opens_ms: u64::try_from(opens.max(0)).ok()?, closes_ms: u64::try_from(closes).ok()? })
}

const MINUTE_MS: i64 = 60_000;

const DAY_MS: i64 = 86_400_000;

const DAY_MIN: u16 = 1_440;

/// How far opening hours are looked ahead: a week, and a day for those that begin late on it. The offset from UTC that holds now is taken
/// for all of it, so hours after a change of the clocks are an hour off until then.
pub const AHEAD_DAYS: i64 = 8;

/// Shifts too short for an order before the search for one is given up.
const SHIFTS_TRIED: usize = 16;

/// Morning, afternoon, evening and one more.
const SPANS_MAX: usize = 4;

/// Holidays of two years.
const CLOSED_DAYS_MAX: usize = 64;
