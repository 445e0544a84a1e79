//! Round trips between all pairs of a set of devices, slice after slice of time.
//!
//! A row holds what one device measured to all others in one slice. The set says neither how long a slice lasts nor what a
//! zero means; zeros stand in single pairs for most of their time, so they are taken as missing.

use super::DataError;
use super::cellular::round_trip_us;
use super::links::{LinkFormat, LinkStep, Recording};
use super::rows::{Column, Row, Rows};

/// How long a slice is taken to last: an assumption.
pub const SLICE_MS: u32 = 15_000;

/// Most devices of a matrix; the one at hand has 99.
pub const DEVICES_MAX: usize = 256;

/// Most values that are kept of a file, four bytes each; the matrices at hand have 588,060.
pub const VALUES_MAX: usize = 4_000_000;

/// Most slices from one row to the next, so that a step stays within a day.
const SLICES_APART_MAX: u64 = 5_000;

/// All values of a file, one after the other as the rows bring them.
struct Matrices {
    devices: usize,
    /// The number of each slice; those left out between two of them make the first last longer.
    slices: Vec<u64>,
    /// Microseconds; 0 where nothing is known.
    values: Vec<u32>,
}

impl Matrices {
    fn rtt_us(&self, slice: usize, from: usize, to: usize) -> Option<u32> {
        let value = self.values[(slice * self.devices + from) * self.devices + to];
        (value > 0).then_some(value)
    }

    fn lasts_ms(&self, slice: usize) -> u32 {
        let before = |at: usize| self.slices[at + 1] - self.slices[at];
        let apart = match self.slices.len() {
            0 | 1 => 1,
            // The last slice lasts as long as the one before it.
            count => before(slice.min(count - 2)),
        };
        u32::try_from(apart).expect("slices are at most 5,000 apart") * SLICE_MS
    }

    fn pair(&self, from: usize, to: usize) -> Option<Recording> {
        let mut known = None;
        let step = |slice: usize| {
            known = self.rtt_us(slice, from, to).or_else(|| self.rtt_us(slice, to, from)).or(known);
            LinkStep { for_ms: self.lasts_ms(slice), down_bps: None, up_bps: None, rtt_us: known, loss_ppm: 0 }
        };
        let steps: Vec<_> = (0..self.slices.len()).map(step).collect();
        Recording::new(format!("n{from:02}-n{to:02}"), LinkFormat::RoundTrips, steps)
    }
}

/// Reads matrices of round trips (`slice,from_node,n0,n1,...`, milliseconds): a row for each device in each slice, in order. Each pair
/// of devices makes one recording, as the device of the lower number measured it; what is missing there comes from the
/// other device of the pair, or else from the slice before.
///
/// # Errors
/// A field is no number or absurd; the devices of a slice are not all there in order; slices do not go on; too much of all.
pub(super) fn read_round_trips(mut rows: Rows<'_>) -> Result<Vec<Recording>, DataError> {
    let [slice, from_node, first] = rows.columns(["slice", "from_node", "n0"])?;
    let named = rows.header().skip_while(|name| *name != "n0").enumerate();
    let devices = named.take_while(|(at, name)| name.strip_prefix('n') == Some(at.to_string().as_str())).count();
    if !(2..=DEVICES_MAX).contains(&devices) {
        return Err(rows.fault(format!("has {devices} devices, not 2 to {DEVICES_MAX}")));
    }
    let mut matrices = Matrices { devices, slices: Vec::new(), values: Vec::new() };
    while let Some(row) = rows.next_row()? {
        if matrices.values.len() + devices > VALUES_MAX {
            return Err(row.fault(format!("has more than {VALUES_MAX} values")));
        }
        let expected = matrices.values.len() / devices % devices;
        if row.whole(from_node, u32::MAX.into())? != expected as u64 {
            return Err(row.field_fault(from_node, &format!("stands where {expected} was expected")));
        }
        place(&mut matrices.slices, &row, slice, expected == 0)?;
        for at in 0..devices {
            matrices.values.push(round_trip_us(&row, first.after(at))?.unwrap_or(0));
        }
    }
    if !matrices.values.len().is_multiple_of(devices * devices) {
        return Err(rows.fault(format!("ends before the slice has all {devices} devices")));
    }
    let pairs = (0..devices).flat_map(|from| (from + 1..devices).map(move |to| (from, to)));
    Ok(pairs.filter_map(|(from, to)| matrices.pair(from, to)).collect())
}

/// Notes the slice of a row, which begins one or goes on with the last.
fn place(slices: &mut Vec<u64>, row: &Row<'_>, column: Column, begins: bool) -> Result<(), DataError> {
    let slice = row.whole(column, u32::MAX.into())?;
    match (slices.last(), begins) {
        (Some(last), false) if *last != slice => Err(row.field_fault(column, "comes before the last one is complete")),
        (Some(last), true) if *last >= slice => Err(row.field_fault(column, "goes back in time")),
        (Some(last), true) if slice - last > SLICES_APART_MAX => {
            Err(row.field_fault(column, "leaves a gap of more than a day"))
        }
        (Some(_), false) => Ok(()),
        (_, _) => {
            slices.push(slice);
            Ok(())
        }
    }
}
