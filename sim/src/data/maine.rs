//! Starlink and two cellular operators on one drive through Maine: speed tests, pings of the idle link, and both together.

use std::collections::BTreeMap;

use super::DataError;
use super::cellular::{TIME_MS_MAX, entry, rate_bps, round_trip_us};
use super::links::{ALL_PPM, LinkFormat, LinkStep, Recording, Series, directions, merged};
use super::rows::Rows;

/// The tests of a run, each with its own time from 0.
#[derive(Debug, Default)]
struct Tests {
    tcp_down: Series<u64>,
    tcp_up: Series<u64>,
    udp_down: Series<u64>,
}

/// Reads the rates of speed tests (`run,operator,test,t_ms,kbps`), a row about every 500 ms. A run makes one recording: its TCP
/// download, or its UDP download where there is no TCP one, over its TCP upload. These were measured one after the other;
/// the recording takes both from their start and ends with the shorter one. Of two rows of the same time the later counts.
///
/// # Errors
/// A field is missing, no number or absurd; a test is none of the three known; time goes backwards within a test.
pub(super) fn read_rates(mut rows: Rows<'_>) -> Result<Vec<Recording>, DataError> {
    let [run, operator, test, t_ms, kbps] = rows.columns(["run", "operator", "test", "t_ms", "kbps"])?;
    let mut runs: BTreeMap<String, Tests> = BTreeMap::new();
    while let Some(row) = rows.next_row()? {
        row.name(operator)?;
        let tests = entry(&mut runs, row.name(run)?);
        let series = match row.text(test) {
            "tcp_downlink" => &mut tests.tcp_down,
            "tcp_uplink" => &mut tests.tcp_up,
            "udp_downlink" => &mut tests.udp_down,
            _ => return Err(row.field_fault(test, "is none of tcp_downlink, tcp_uplink, udp_downlink")),
        };
        let bps = rate_bps(&row, kbps)?;
        series.push(row.whole(t_ms, TIME_MS_MAX)?, bps).map_err(|reason| row.field_fault(t_ms, reason))?;
    }
    let recording = |(name, tests): (String, Tests)| {
        let down = if tests.tcp_down.last().is_some() { &tests.tcp_down } else { &tests.udp_down };
        directions(name, LinkFormat::DriveRates, [down, &tests.tcp_up], 500)
    };
    Ok(runs.into_iter().filter_map(recording).collect())
}

/// The pings of a run.
#[derive(Debug, Default)]
struct Pings {
    /// The number of the last one.
    last: Option<u64>,
    series: Series<Ping>,
}

/// A ping, or the loss of one; then the round trip is that of the ping before.
#[derive(Debug, Clone, Copy)]
struct Ping {
    rtt_us: Option<u32>,
    loss_ppm: u32,
}

/// Reads pings of the idle link (`run,operator,epoch_ms,seq,rtt_ms`), one every 200 ms. A lost one has no `rtt_ms`: nothing gets
/// through until the next ping, which keeps both the share of what is lost and how losses follow each other.
///
/// # Errors
/// A field is missing, no number or absurd; a ping comes twice, or before an earlier one of its run.
pub(super) fn read_pings(mut rows: Rows<'_>) -> Result<Vec<Recording>, DataError> {
    let [run, operator, epoch_ms, seq, rtt_ms] = rows.columns(["run", "operator", "epoch_ms", "seq", "rtt_ms"])?;
    let mut runs: BTreeMap<String, Pings> = BTreeMap::new();
    while let Some(row) = rows.next_row()? {
        row.name(operator)?;
        let Pings { last, series } = entry(&mut runs, row.name(run)?);
        let number = row.whole(seq, u32::MAX.into())?;
        if last.replace(number).is_some_and(|last| last >= number) {
            return Err(row.field_fault(seq, "does not come after the ping before"));
        }
        let rtt_us = round_trip_us(&row, rtt_ms)?;
        let known = series.last().and_then(|ping| ping.rtt_us);
        let ping = Ping { rtt_us: rtt_us.or(known), loss_ppm: if rtt_us.is_none() { ALL_PPM } else { 0 } };
        match series.push(row.whole(epoch_ms, TIME_MS_MAX)?, ping) {
            Ok(None) => {}
            Ok(Some(_)) => return Err(row.field_fault(epoch_ms, "comes twice")),
            Err(reason) => return Err(row.field_fault(epoch_ms, reason)),
        }
    }
    let step =
        |(for_ms, Ping { rtt_us, loss_ppm })| LinkStep { for_ms, down_bps: None, up_bps: None, rtt_us, loss_ppm };
    let recording = |(name, Pings { series, .. }): (String, Pings)| {
        Recording::new(name, LinkFormat::DrivePings, series.spans(200).map(step).collect())
    };
    Ok(runs.into_iter().filter_map(recording).collect())
}

/// Puts rates and pings of the same drive together, for as long as the rates last: capacity from the one, round trip and
/// loss from the other, which goes round. A run takes the pings of its own name. A run without takes those of the
/// same operator (what stands before the first `_` of the name) that come next before it by name, which holds the time, or
/// else next after it. An operator without any pings is left without round trips and loss. Pings of no run are not used.
pub fn with_pings(rates: &[Recording], pings: &[Recording]) -> Vec<Recording> {
    let pings: BTreeMap<&str, &Recording> = pings.iter().map(|ping| (ping.name(), ping)).collect();
    rates
        .iter()
        .map(|rate| nearest(&pings, rate.name()).map_or_else(|| rate.clone(), |ping| joined(rate, ping)))
        .collect()
}

fn joined(rate: &Recording, ping: &Recording) -> Recording {
    let both = |rate: LinkStep, ping: LinkStep| LinkStep { rtt_us: ping.rtt_us, loss_ppm: ping.loss_ppm, ..rate };
    let steps = merged([rate, ping], rate.length_ms(), both);
    Recording::new(rate.name(), LinkFormat::Drive, steps).expect("a recording has a step")
}

fn nearest<'a>(pings: &BTreeMap<&str, &'a Recording>, name: &str) -> Option<&'a Recording> {
    let operator = |name: &str| name.split('_').next().map(str::to_owned);
    let same = |(other, _): &(&&str, &&Recording)| operator(other) == operator(name);
    let before = pings.range(..=name).next_back().filter(same);
    let after = || pings.range(name..).next().filter(same);
    before.or_else(after).map(|(_, ping)| *ping)
}
