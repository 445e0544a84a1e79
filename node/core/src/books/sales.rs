//! Where each sale stands: by the till's own number (its id and retry key) and by its receipt number.

use stockroom_crdt::codec::{RowReader, Rows, Sink, Source, col};
use stockroom_crdt::ids::{Digest, StoreId, TillId};
use stockroom_crdt::sale::{ReceiptNumber, Sale};

use crate::journal::{LogNumber, Place, damaged};
use crate::overlay::{Overlay, last_of_prefix, scan_prefix};
use crate::storage::{Snapshot, StoreError, Table};

/// Records a sale. A second sale with the same id (both branches of a fork) leaves the first one in place; one with the same
/// receipt number has a row of its own, named by its content, so that every replica finds both and the same one first.
pub fn put(overlay: &mut Overlay, store: StoreId, sale: &Sale, place: Place) -> Result<(), StoreError> {
    let by_till = till_key(store, sale.receipt.till, sale.till_seq);
    let held = overlay.get(Table::Sales, &by_till)?;
    if held.is_none() {
        overlay.put(Table::Sales, by_till, encode(place));
    }
    let content = Digest::of(&[&Rows::of(|sink| sale.encode(sink, 0))]);
    let by_receipt = [receipt_key(store, sale.receipt).as_slice(), &content.0[..8]].concat();
    overlay.put(Table::Receipts, by_receipt, encode(place));
    if let Some(voided) = sale.voids {
        overlay.put(Table::Sales, void_key(store, voided), encode(place));
    }
    Ok(())
}

/// The sale that a till numbered `till_seq`.
pub fn by_till(
    snapshot: &(impl Snapshot + ?Sized),
    store: StoreId,
    till: TillId,
    till_seq: u64,
) -> Result<Option<Place>, StoreError> {
    snapshot.get(Table::Sales, &till_key(store, till, till_seq))?.map(|bytes| decode(&bytes)).transpose()
}

/// The sale with a receipt number.
pub fn by_receipt(
    snapshot: &(impl Snapshot + ?Sized),
    store: StoreId,
    number: ReceiptNumber,
) -> Result<Option<Place>, StoreError> {
    let rows = scan_prefix(snapshot, Table::Receipts, &receipt_key(store, number), 1)?;
    rows.first().map(|(_, value)| decode(value)).transpose()
}

/// True when a receipt was taken back as a whole.
pub fn is_voided(
    snapshot: &(impl Snapshot + ?Sized),
    store: StoreId,
    number: ReceiptNumber,
) -> Result<bool, StoreError> {
    Ok(snapshot.get(Table::Sales, &void_key(store, number))?.is_some())
}

/// The last receipt sequence that a till got in a series, 0 before the first.
pub fn last_sequence(
    snapshot: &(impl Snapshot + ?Sized),
    store: StoreId,
    till: TillId,
    series: u16,
) -> Result<u64, StoreError> {
    let prefix = &receipt_key(store, ReceiptNumber { till, series, sequence: 0 })[..10];
    let Some((key, _)) = last_of_prefix(snapshot, Table::Receipts, prefix)? else { return Ok(0) };
    Ok(u64::from_be_bytes(crate::journal::fixed(&key[10..18])?))
}

/// Key of a sale by its till's number.
pub fn till_key(store: StoreId, till: TillId, till_seq: u64) -> Vec<u8> {
    [store.0.to_be_bytes().as_slice(), &till.0.to_be_bytes(), &till_seq.to_be_bytes()].concat()
}

fn receipt_key(store: StoreId, number: ReceiptNumber) -> Vec<u8> {
    let mut key = [store.0.to_be_bytes(), number.till.0.to_be_bytes()].concat();
    key.extend(number.series.to_be_bytes());
    key.extend(number.sequence.to_be_bytes());
    key
}

/// Longer than the key of a sale, so it never meets one.
fn void_key(store: StoreId, number: ReceiptNumber) -> Vec<u8> {
    [receipt_key(store, number).as_slice(), b"void"].concat()
}

fn encode(place: Place) -> Vec<u8> {
    Rows::of(|sink| {
        sink.uint(col::KEY, u64::from(place.log.0));
        sink.uint(col::SEQ, place.seq);
    })
}

/// Reads a place.
pub fn decode(bytes: &[u8]) -> Result<Place, StoreError> {
    let mut reader = RowReader::new(bytes);
    let log = LogNumber(reader.u32(col::KEY).map_err(damaged)?);
    Ok(Place { log, seq: reader.uint(col::SEQ).map_err(damaged)? })
}
