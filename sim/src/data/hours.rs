//! How a shop's load is spread over the hours of a week: recorded, or assumed when there is no recording.

use std::collections::{BTreeMap, BTreeSet};
use std::io::BufRead;

use super::local_time::LocalTime;
use super::rows::Rows;
use super::{DataError, stem, thousands};

/// Hours of a week.
pub const WEEK_HOURS: usize = 7 * 24;

/// Most transactions of one row that are believed.
pub const TRANSACTIONS_MAX: u64 = 100_000;

/// Most stores of one file; the files at hand have two and three.
pub const STORES_MAX: usize = 10_000;

/// Transactions in each hour of a week of one shop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HourlyShape {
    /// From Monday 00:00, local time: hour `24 * weekday + hour`.
    pub per_hour: [u32; WEEK_HOURS],
    /// Where this comes from and what was done to it: to be quoted with every figure that comes from it.
    pub scale: String,
}

/// What a file of hourly transactions says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hours {
    /// The mean week of each store, by the source's number.
    pub stores: BTreeMap<u32, HourlyShape>,
    /// The mean week of all stores together.
    pub mean: HourlyShape,
}

impl HourlyShape {
    /// A made-up week: open from 7 to 22 and on Sundays from 9 to 18, busiest before noon and after work, Friday and Saturday
    /// above the other days. It follows no recording. Scaled to a mean of `per_day` transactions.
    pub fn assumed(per_day: u32) -> Self {
        let mut per_hour = [0; WEEK_HOURS];
        for (at, transactions) in per_hour.iter_mut().enumerate() {
            let hours = if at / 24 == 6 { &SUNDAY } else { &OPEN_DAY };
            *transactions = hours[at % 24] * DAY_WEIGHTS[at / 24];
        }
        let scale = "an assumed week, not a recorded one".to_owned();
        Self { per_hour, scale }.scaled(per_day)
    }

    /// Transactions of the whole week.
    pub fn week(&self) -> u64 {
        self.per_hour.iter().map(|transactions| u64::from(*transactions)).sum()
    }

    /// The same shape with `7 * per_day` transactions in all. A week without any stays empty.
    pub fn scaled(&self, per_day: u32) -> Self {
        let (before, after) = (u128::from(self.week()), 7 * u128::from(per_day));
        let mut per_hour = [0; WEEK_HOURS];
        if before == 0 {
            return Self { per_hour, scale: format!("{}; nothing to scale", self.scale) };
        }
        // Rounding the running sum, not the hours, keeps the total exact.
        let (mut sum, mut given) = (0u128, 0);
        for (hour, transactions) in per_hour.iter_mut().zip(self.per_hour) {
            sum += u128::from(transactions);
            let until = sum * after / before;
            *hour = u32::try_from(until - given).unwrap_or(u32::MAX);
            given = until;
        }
        let scale = format!("{}; scaled to a mean of {} transactions a day", self.scale, thousands(per_day.into()));
        Self { per_hour, scale }
    }
}

/// Reads transactions per hour, compressed or not: `store,hour_mid,transactions`, where `hour_mid` is the middle of an hour by
/// local time. Rows of the same store and hour, such as those per tender and basket size, are added up. A week of a
/// store is the mean of its recorded days by weekday; an hour without a row has no transactions on a day that has others; a
/// weekday without any row is the mean of the others, and the text says so.
///
/// # Errors
/// The header is another, a field is missing, no number or absurd, or there is no row at all.
pub fn read_hours(input: impl BufRead, file: &str) -> Result<Hours, DataError> {
    let mut rows = Rows::open(input, file)?;
    let [store, hour_mid, transactions] = rows.columns(["store", "hour_mid", "transactions"])?;
    let mut stores: BTreeMap<u32, Recorded> = BTreeMap::new();
    while let Some(row) = rows.next_row()? {
        let number = row.small(store)?;
        let time = LocalTime::parse(row.text(hour_mid));
        let time = time.ok_or_else(|| row.field_fault(hour_mid, "is not a local time"))?;
        row.name(transactions)?;
        let tenths = row.scaled(transactions, 1, TRANSACTIONS_MAX * 10)?.unwrap_or(0);
        if stores.len() == STORES_MAX && !stores.contains_key(&number) {
            return Err(row.field_fault(store, &format!("is one more than {STORES_MAX} stores")));
        }
        let recorded = stores.entry(number).or_default();
        recorded.days[time.weekday() as usize].insert((time.year, time.day));
        recorded.tenths[(time.weekday() * 24 + time.second / 3_600) as usize] += tenths;
    }
    if stores.is_empty() {
        return Err(rows.fault("has no rows"));
    }
    let name = stem(file);
    let weeks: Vec<_> = stores.values().map(Recorded::week_tenths).collect();
    let mean = std::array::from_fn(|hour| weeks.iter().map(|week| week[hour]).sum::<u64>() / weeks.len() as u64);
    let days: usize = stores.values().map(Recorded::day_count).sum();
    let scale = format!("{name}: mean of {days} recorded days of {} stores{}", weeks.len(), filled(stores.values()));
    let mean = HourlyShape { per_hour: rounded(&mean), scale };
    let shape = |((number, recorded), week): ((u32, Recorded), [u64; WEEK_HOURS])| {
        let days = recorded.day_count();
        let scale = format!("{name}: mean of {days} recorded days of store {number}{}", filled([&recorded]));
        (number, HourlyShape { per_hour: rounded(&week), scale })
    };
    Ok(Hours { stores: stores.into_iter().zip(weeks).map(shape).collect(), mean })
}

/// What the rows of a store add up to.
struct Recorded {
    /// Tenths of a transaction in each hour of the week, all days together.
    tenths: [u64; WEEK_HOURS],
    /// The days, by year and day of the year, of each weekday.
    days: [BTreeSet<(u32, u32)>; 7],
}

impl Default for Recorded {
    fn default() -> Self {
        Self { tenths: [0; WEEK_HOURS], days: Default::default() }
    }
}

impl Recorded {
    fn day_count(&self) -> usize {
        self.days.iter().map(BTreeSet::len).sum()
    }

    /// Tenths of a transaction in each hour of a mean week.
    fn week_tenths(&self) -> [u64; WEEK_HOURS] {
        let known: Vec<_> = (0..7).filter(|weekday| !self.days[*weekday].is_empty()).collect();
        let of = |weekday: usize, hour: usize| self.tenths[weekday * 24 + hour] / self.days[weekday].len() as u64;
        std::array::from_fn(|at| {
            let (weekday, hour) = (at / 24, at % 24);
            if known.contains(&weekday) {
                of(weekday, hour)
            } else {
                known.iter().map(|known| of(*known, hour)).sum::<u64>() / known.len() as u64
            }
        })
    }
}

fn filled<'a>(stores: impl IntoIterator<Item = &'a Recorded>) -> &'static str {
    let gap = stores.into_iter().any(|recorded| recorded.days.iter().any(BTreeSet::is_empty));
    if gap { ", weekdays without a record filled with the mean of the others" } else { "" }
}

fn rounded(tenths: &[u64; WEEK_HOURS]) -> [u32; WEEK_HOURS] {
    tenths.map(|tenths| u32::try_from((tenths + 5) / 10).unwrap_or(u32::MAX))
}

/// Shares of a day from Monday to Saturday, by hour: assumed.
const OPEN_DAY: [u32; 24] = [0, 0, 0, 0, 0, 0, 0, 3, 5, 6, 8, 9, 8, 7, 6, 7, 9, 11, 10, 7, 4, 2, 0, 0];

/// Shares of a Sunday, by hour: assumed.
const SUNDAY: [u32; 24] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 7, 11, 14, 13, 11, 10, 11, 12, 11, 0, 0, 0, 0, 0, 0];

/// Shares of the days from Monday to Sunday: assumed.
const DAY_WEIGHTS: [u32; 7] = [13, 13, 13, 14, 18, 19, 10];
