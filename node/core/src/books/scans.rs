//! Scans of stock counts that are not closed yet.

use stockroom_crdt::clock::Hlc;
use stockroom_crdt::codec::{DecodeError, RowReader, Rows, Sink, Source, col};
use stockroom_crdt::count::CountScan;
use stockroom_crdt::ids::StoreId;

use crate::journal::{LogNumber, Place, damaged};
use crate::limits::SCANS_MAX;
use crate::overlay::{Overlay, scan_prefix};
use crate::storage::{Snapshot, StoreError, Table};

/// A scan with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scan {
    /// What was seen.
    pub scan: CountScan,
    /// Where the entry stands: its cut.
    pub place: Place,
    /// When it was made.
    pub at_ms: u64,
}

/// Records a scan. The same counter scanning the same SKU in the same zone again replaces the figure.
pub fn put(overlay: &mut Overlay, store: StoreId, scan: &CountScan, place: Place, hlc: Hlc) {
    let mut key = session_key(store, scan.session);
    key.extend(Rows::of(|sink| {
        scan.sku.encode(sink);
        scan.unit.encode(sink);
        scan.zone.encode(sink, col::REFERENCE);
        scan.staff.encode(sink, col::STAFF);
    }));
    let value = Rows::of(|sink| {
        sink.uint(col::KEY, u64::from(place.log.0));
        sink.uint(col::SEQ, place.seq);
        sink.uint(col::TIME, hlc.ms());
        scan.encode(sink);
    });
    overlay.put(Table::Scans, key, value);
}

/// Drops a session's scans: they are summed up in its closing.
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
    Ok(snapshot.get(Table::Scans, &session_key(store, session))?.is_some())
}

/// All scans of an open session, grouped by SKU.
pub fn of_session(snapshot: &(impl Snapshot + ?Sized), store: StoreId, session: u64) -> Result<Vec<Scan>, StoreError> {
    let rows = scan_prefix(snapshot, Table::Scans, &session_key(store, session), SCANS_MAX)?;
    rows.iter().map(|(_, value)| decode(value).map_err(damaged)).collect()
}

/// Reads a row of [`Table::Scans`]; `None` for the mark of a closed session.
pub fn from_row(bytes: &[u8]) -> Result<Option<Scan>, StoreError> {
    if bytes.is_empty() { Ok(None) } else { decode(bytes).map(Some).map_err(damaged) }
}

fn decode(bytes: &[u8]) -> Result<Scan, DecodeError> {
    let mut reader = RowReader::new(bytes);
    let place = Place { log: LogNumber(reader.u32(col::KEY)?), seq: reader.uint(col::SEQ)? };
    let at_ms = reader.uint(col::TIME)?;
    Ok(Scan { scan: CountScan::decode(&mut reader)?, place, at_ms })
}

fn session_key(store: StoreId, session: u64) -> Vec<u8> {
    [store.0.to_be_bytes().as_slice(), &session.to_be_bytes()].concat()
}
