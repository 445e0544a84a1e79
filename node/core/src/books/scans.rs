//! Sheets and scans of stock counts that are not closed yet.
//!
//! One row per session: its sheet while it is open and has one, nothing once it is closed. One row per scan beside it.

use std::ops::Bound;

use stockroom_crdt::clock::Hlc;
use stockroom_crdt::codec::{DecodeError, RowReader, Rows, Sink, Source, col};
use stockroom_crdt::count::{CountOpen, CountScan};
use stockroom_crdt::ids::{Actor, StoreId};

use super::Context;
use crate::journal::{LogNumber, Place, damaged};
use crate::limits::SCANS_MAX;
use crate::overlay::{Overlay, scan_prefix};
use crate::storage::{Direction, Snapshot, StoreError, Table};

/// A scan with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scan {
    /// What was seen.
    pub scan: CountScan,
    /// Where the entry stands: its cut.
    pub place: Place,
    /// Who wrote it.
    pub actor: Actor,
    /// When it was made.
    pub at_ms: u64,
}

/// What a row of [`Table::Scans`] holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScanRow {
    /// The session is closed.
    Closed,
    /// The session has a sheet.
    Sheet(CountOpen),
    /// One scan.
    Scan(Scan),
}

/// Puts a session's sheet down. Of several sheets of one session (by two epochs of a node) the later one counts.
pub fn open(overlay: &mut Overlay, store: StoreId, open: &CountOpen, hlc: Hlc) -> Result<(), StoreError> {
    let key = session_key(store, open.session);
    let value = Rows::of(|sink| {
        sink.uint(col::HLC_MS, hlc.to_bits());
        open.encode(sink);
    });
    let time = |row: &[u8]| RowReader::new(row).uint(col::HLC_MS).map_err(damaged);
    let outranked = match overlay.get(Table::Scans, &key)? {
        Some(held) => held.is_empty() || (time(&held)?, &held) >= (hlc.to_bits(), &value),
        None => false,
    };
    if !outranked {
        overlay.put(Table::Scans, key, value);
    }
    Ok(())
}

/// Records a scan. The same counter scanning the same SKU in the same zone again replaces the figure. What comes after the
/// session's closing, by another log, is too late.
pub fn put(
    overlay: &mut Overlay,
    store: StoreId,
    scan: &CountScan,
    context: &Context<'_>,
    hlc: Hlc,
) -> Result<(), StoreError> {
    if is_closed(overlay, store, scan.session)? {
        return Ok(());
    }
    let mut key = session_key(store, scan.session);
    key.extend(Rows::of(|sink| {
        scan.sku.encode(sink);
        scan.unit.encode(sink);
        scan.zone.encode(sink, col::REFERENCE);
        scan.staff.encode(sink, col::STAFF);
    }));
    let value = Rows::of(|sink| {
        sink.uint(col::KEY, u64::from(context.place.log.0));
        sink.uint(col::SEQ, context.place.seq);
        context.actor.encode(sink);
        sink.uint(col::TIME, hlc.ms());
        scan.encode(sink);
    });
    overlay.put(Table::Scans, key, value);
    Ok(())
}

/// Drops a session's sheet and scans: they are summed up in its closing.
pub fn close(overlay: &mut Overlay, store: StoreId, session: u64) -> Result<(), StoreError> {
    let key = session_key(store, session);
    for (scan, _) in overlay.scan_prefix(Table::Scans, &key, usize::MAX)? {
        overlay.remove(Table::Scans, scan);
    }
    overlay.put(Table::Scans, key, Vec::new());
    Ok(())
}

/// True when a session was closed.
pub fn is_closed(snapshot: &(impl Snapshot + ?Sized), store: StoreId, session: u64) -> Result<bool, StoreError> {
    Ok(snapshot.get(Table::Scans, &session_key(store, session))?.is_some_and(|row| row.is_empty()))
}

/// The sheet of an open session, if it has one.
pub fn sheet(
    snapshot: &(impl Snapshot + ?Sized),
    store: StoreId,
    session: u64,
) -> Result<Option<CountOpen>, StoreError> {
    let key = session_key(store, session);
    let row = snapshot.get(Table::Scans, &key)?.map(|value| from_row(&key, &value)).transpose()?;
    Ok(if let Some(ScanRow::Sheet(sheet)) = row { Some(sheet) } else { None })
}

/// Sessions of a store that are not closed, by number, with their sheets: at most `limit`. Looks at one row of each session there ever was.
pub fn open_sessions(
    snapshot: &(impl Snapshot + ?Sized),
    store: StoreId,
    limit: usize,
) -> Result<Vec<(u64, Option<CountOpen>)>, StoreError> {
    let end = session_key(StoreId(store.0.saturating_add(1)), 0);
    let (mut from, mut out) = (session_key(store, 0), Vec::new());
    while out.len() < limit {
        let range = (Bound::Included(from.as_slice()), Bound::Excluded(end.as_slice()));
        let Some((key, value)) = snapshot.scan(Table::Scans, range, Direction::Forward, 1)?.into_iter().next() else {
            break;
        };
        let session = key.get(4..SESSION_KEY_BYTES).and_then(|bytes| bytes.try_into().ok()).map(u64::from_be_bytes);
        let Some(session) = session else { break };
        match from_row(&key, &value)? {
            ScanRow::Closed => {}
            ScanRow::Sheet(sheet) => out.push((session, Some(sheet))),
            ScanRow::Scan(_) => out.push((session, None)),
        }
        let Some(next) = session.checked_add(1) else { break };
        from = session_key(store, next);
    }
    Ok(out)
}

/// All scans of an open session, grouped by SKU.
pub fn of_session(snapshot: &(impl Snapshot + ?Sized), store: StoreId, session: u64) -> Result<Vec<Scan>, StoreError> {
    let rows = scan_prefix(snapshot, Table::Scans, &session_key(store, session), SCANS_MAX)?;
    let mut out = Vec::with_capacity(rows.len());
    for (key, value) in rows {
        match from_row(&key, &value)? {
            ScanRow::Scan(scan) => out.push(scan),
            ScanRow::Closed | ScanRow::Sheet(_) => {}
        }
    }
    Ok(out)
}

/// Reads a row of [`Table::Scans`].
pub fn from_row(key: &[u8], value: &[u8]) -> Result<ScanRow, StoreError> {
    if value.is_empty() {
        return Ok(ScanRow::Closed);
    }
    let read = if key.len() == SESSION_KEY_BYTES { decode_sheet(value) } else { decode(value).map(ScanRow::Scan) };
    read.map_err(damaged)
}

fn decode_sheet(bytes: &[u8]) -> Result<ScanRow, DecodeError> {
    let mut reader = RowReader::new(bytes);
    reader.uint(col::HLC_MS)?;
    Ok(ScanRow::Sheet(CountOpen::decode(&mut reader)?))
}

fn decode(bytes: &[u8]) -> Result<Scan, DecodeError> {
    let mut reader = RowReader::new(bytes);
    let place = Place { log: LogNumber(reader.u32(col::KEY)?), seq: reader.uint(col::SEQ)? };
    let actor = Actor::decode(&mut reader)?;
    let at_ms = reader.uint(col::TIME)?;
    Ok(Scan { scan: CountScan::decode(&mut reader)?, place, actor, at_ms })
}

fn session_key(store: StoreId, session: u64) -> Vec<u8> {
    [store.0.to_be_bytes().as_slice(), &session.to_be_bytes()].concat()
}

/// Store and session.
const SESSION_KEY_BYTES: usize = 4 + 8;
