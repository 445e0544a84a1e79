//! Recordings of cellular links: delivery opportunities, and what an app saw.

use std::collections::BTreeMap;

use super::DataError;
use super::links::{ALL_PPM, LinkFormat, LinkStep, RATE_KBPS_MAX, RTT_US_MAX, Recording, Series, directions};
use super::rows::{Column, Row, Rows};

/// Latest time within a recording: the milliseconds of a hundred years.
pub(super) const TIME_MS_MAX: u64 = 100 * 366 * 86_400_000;

/// Reads delivery opportunities (`trace,direction,t_ms,kbps`): the capacity of each direction per 100 ms. Rows of `down` and
/// `up` of the same trace make one recording that ends with the shorter direction.
///
/// # Errors
/// A field is missing, no number or absurd; a direction is neither `up` nor `down`; a time is not later than the one before.
pub(super) fn read_capacity(mut rows: Rows<'_>) -> Result<Vec<Recording>, DataError> {
    let [trace, direction, t_ms, kbps] = rows.columns(["trace", "direction", "t_ms", "kbps"])?;
    let mut traces: BTreeMap<String, [Series<u64>; 2]> = BTreeMap::new();
    while let Some(row) = rows.next_row()? {
        let [down, up] = entry(&mut traces, row.name(trace)?);
        let series = match row.text(direction) {
            "down" => down,
            "up" => up,
            _ => return Err(row.field_fault(direction, "is neither up nor down")),
        };
        let bps = rate_bps(&row, kbps)?;
        let before = series.push(row.whole(t_ms, TIME_MS_MAX)?, bps);
        match before {
            Ok(None) => {}
            Ok(Some(_)) => return Err(row.field_fault(t_ms, "comes twice")),
            Err(reason) => return Err(row.field_fault(t_ms, reason)),
        }
    }
    let recording = |(name, [down, up]): (String, [Series<u64>; 2])| {
        directions(name, LinkFormat::CellularCapacity, [&down, &up], 100)
    };
    Ok(traces.into_iter().filter_map(recording).collect())
}

/// What a row of an app's view says; missing values are already those of the row before.
#[derive(Debug, Clone, Copy)]
struct Observed {
    down_bps: u64,
    up_bps: u64,
    rtt_us: Option<u32>,
    loss_ppm: u32,
}

/// Reads what an app saw (`trace,t_s,down_kbps,up_kbps,rtt_avg_ms,ping_loss_pct`), a row about every second. An empty field means
/// what the row before said; before the first ping nothing is known. Of several rows of the same second the last one
/// counts. All pings lost is a link that is down, until the next ping.
///
/// # Errors
/// A field is missing in the first row, or is no number or absurd; time goes backwards.
pub(super) fn read_observed(mut rows: Rows<'_>) -> Result<Vec<Recording>, DataError> {
    let [trace, t_s, down_kbps, up_kbps, rtt, loss] =
        rows.columns(["trace", "t_s", "down_kbps", "up_kbps", "rtt_avg_ms", "ping_loss_pct"])?;
    let mut traces: BTreeMap<String, Series<Observed>> = BTreeMap::new();
    while let Some(row) = rows.next_row()? {
        let series = entry(&mut traces, row.name(trace)?);
        let known = series.last();
        let rate = |column, known: Option<u64>| match (row.text(column), known) {
            ("", Some(known)) => Ok(known),
            _ => rate_bps(&row, column),
        };
        let loss_ppm = row.scaled(loss, 4, ALL_PPM.into())?.map(|ppm| u32::try_from(ppm).expect("bounded by all"));
        let observed = Observed {
            down_bps: rate(down_kbps, known.map(|known| known.down_bps))?,
            up_bps: rate(up_kbps, known.map(|known| known.up_bps))?,
            rtt_us: round_trip_us(&row, rtt)?.or(known.and_then(|known| known.rtt_us)),
            loss_ppm: loss_ppm.or(known.map(|known| known.loss_ppm)).unwrap_or(0),
        };
        let ms = row.whole(t_s, TIME_MS_MAX / 1_000)? * 1_000;
        series.push(ms, observed).map_err(|reason| row.field_fault(t_s, reason))?;
    }
    let step = |(for_ms, Observed { down_bps, up_bps, rtt_us, loss_ppm }): (u32, Observed)| LinkStep {
        for_ms,
        down_bps: Some(down_bps),
        up_bps: Some(up_bps),
        rtt_us,
        loss_ppm,
    };
    let recording = |(name, series): (String, Series<Observed>)| {
        Recording::new(name, LinkFormat::CellularObserved, series.spans(1_000).map(step).collect())
    };
    Ok(traces.into_iter().filter_map(recording).collect())
}

/// A rate written in kbit/s, as bits per second.
pub(super) fn rate_bps(row: &Row<'_>, column: Column) -> Result<u64, DataError> {
    row.name(column)?;
    let kbps_thousandths = row.scaled(column, 3, RATE_KBPS_MAX * 1_000)?;
    Ok(kbps_thousandths.expect("the field is not empty"))
}

/// A round trip written in milliseconds, as microseconds; `None` when the field is empty.
pub(super) fn round_trip_us(row: &Row<'_>, column: Column) -> Result<Option<u32>, DataError> {
    let us = row.scaled(column, 3, RTT_US_MAX)?;
    Ok(us.map(|us| u32::try_from(us).expect("ten minutes of microseconds fit")))
}

/// The entry of a name, which is copied only when it is new.
pub(super) fn entry<'a, T: Default>(map: &'a mut BTreeMap<String, T>, name: &str) -> &'a mut T {
    if !map.contains_key(name) {
        map.insert(name.to_owned(), T::default());
    }
    map.get_mut(name).expect("it was put there if it was not")
}
