//! Where each sale stands: by the till's own number (its id and retry key) and by its receipt number; and which entry counts if
//! a sale was written more than once.

use stockroom_crdt::codec::{DecodeError, RowReader, Rows, Sink, Source, col};
use stockroom_crdt::entry::Fact;
use stockroom_crdt::ids::{Actor, Digest, StoreId, TillId};
use stockroom_crdt::sale::{ReceiptNumber, Sale};
use stockroom_crdt::stock::Position;

use crate::journal::{LogNumber, Place, damaged, entry_at, fixed};
use crate::overlay::{Overlay, last_of_prefix, scan_prefix};
use crate::storage::{Snapshot, StoreError, Table};

/// One entry that holds a sale, or a part of a transfer.
///
/// A till that hears no answer sends its sale again. A node that was set back to an older disk does not know the first try any
/// more and writes the sale anew; later the lost entry comes back from the hub. Both stay, and one of them counts: the first in
/// this order, which is the one in the oldest epoch, whichever came in first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Writing {
    /// Where its author wrote it.
    pub position: Position,
    /// The entry's digest: histories of a forked log have different entries at one position.
    pub digest: Digest,
    /// Where it stands here.
    pub place: Place,
}

/// Which entries hold one sale, before and after another one was put.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Again {
    /// Without the new one, in their order. The first of them counted.
    pub before: Vec<Writing>,
    /// With the new one, in their order. The first of them counts.
    pub after: Vec<Writing>,
}

/// Records a sale, and tells which others it repeats; `None` for a sale that was not seen before, which is nearly always.
///
/// A sale with the same number of the till and another content is another sale: it stands beside the first. A sale with the
/// same receipt number has a row of its own, named by its content, so that every replica finds both and the same one first.
///
/// The rows depend on which entries there are and not on their order of arrival. One entry under a number of a till: only the
/// till's row. Several, of whatever content: a list per content beside it, and the till's row names the first of them all.
pub fn put(overlay: &mut Overlay, store: StoreId, sale: &Sale, writing: Writing) -> Result<Option<Again>, StoreError> {
    if let Some(voided) = sale.voids {
        overlay.put(Table::Sales, void_key(store, voided), encode(writing.place));
    }
    let content = Digest::of(&[&Rows::of(|sink| sale.encode(sink, 0))]);
    let by_receipt = [receipt_key(store, sale.receipt).as_slice(), &content.0[..8]].concat();
    let by_till = till_key(store, sale.receipt.till, sale.till_seq);
    let Some(held) = overlay.get(Table::Sales, &by_till)? else {
        overlay.put(Table::Receipts, by_receipt, encode(writing.place));
        overlay.put(Table::Sales, by_till, encode_writings(&[writing]));
        return Ok(None);
    };
    let first = *decode_writings(&held)?.first().ok_or_else(|| damaged("a till's number names no entry"))?;
    let mut before = writings(overlay, store, sale)?;
    if before.is_empty() {
        let other = sale_at(overlay, first.place)?;
        if said(&other) == said(sale) {
            before.push(first);
        } else if writings(overlay, store, &other)?.is_empty() {
            overlay.put(Table::Sales, again_key(store, &other), encode_writings(&[first]));
        }
    }
    let mut after = before.clone();
    after.push(writing);
    after.sort_unstable();
    overlay.put(Table::Sales, again_key(store, sale), encode_writings(&after));
    if writing < first {
        overlay.put(Table::Sales, by_till, encode_writings(&[writing]));
    }
    let held = overlay.get(Table::Receipts, &by_receipt)?.map(|row| decode(&row)).transpose()?;
    if !before.iter().any(|earlier| Some(earlier.place) == held && *earlier < writing) {
        overlay.put(Table::Receipts, by_receipt, encode(writing.place));
    }
    Ok((!before.is_empty()).then_some(Again { before, after }))
}

/// Every entry that holds this sale, the one that counts first; none if no other sale ever had its number.
pub fn writings(snapshot: &(impl Snapshot + ?Sized), store: StoreId, sale: &Sale) -> Result<Vec<Writing>, StoreError> {
    let row = snapshot.get(Table::Sales, &again_key(store, sale))?;
    row.map_or(Ok(Vec::new()), |row| decode_writings(&row))
}

/// The entry that counts for the sale at `place`: the same one, unless the sale was written more than once.
pub fn counting(snapshot: &(impl Snapshot + ?Sized), store: StoreId, place: Place) -> Result<Place, StoreError> {
    let writings = writings(snapshot, store, &sale_at(snapshot, place)?)?;
    Ok(writings.first().map_or(place, |first| first.place))
}

/// The sale that a till numbered `till_seq`; of several with one number, the first in the order of [`Writing`].
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

/// True when a receipt of the sale was taken back as a whole: any of them, if it was written more than once.
pub fn is_taken_back(snapshot: &(impl Snapshot + ?Sized), store: StoreId, sale: &Sale) -> Result<bool, StoreError> {
    for writing in writings(snapshot, store, sale)? {
        if is_voided(snapshot, store, sale_at(snapshot, writing.place)?.receipt)? {
            return Ok(true);
        }
    }
    is_voided(snapshot, store, sale.receipt)
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
    Ok(u64::from_be_bytes(fixed(&key[10..18])?))
}

/// The last receipt of a till over all series; one of the sequence 0 before the first.
pub fn last_receipt(
    snapshot: &(impl Snapshot + ?Sized),
    store: StoreId,
    till: TillId,
) -> Result<ReceiptNumber, StoreError> {
    let prefix = [store.0.to_be_bytes(), till.0.to_be_bytes()].concat();
    match last_of_prefix(snapshot, Table::Receipts, &prefix)? {
        Some((key, _)) => number_of(&key),
        None => Ok(ReceiptNumber { till, series: 0, sequence: 0 }),
    }
}

/// The number in a key of [`Table::Receipts`].
pub fn number_of(key: &[u8]) -> Result<ReceiptNumber, StoreError> {
    let part = |from, to| key.get(from..to).ok_or_else(|| damaged("key of a receipt"));
    let till = TillId(u32::from_be_bytes(fixed(part(4, 8)?)?));
    let series = u16::from_be_bytes(fixed(part(8, 10)?)?);
    Ok(ReceiptNumber { till, series, sequence: u64::from_be_bytes(fixed(part(10, 18)?)?) })
}

/// Key of a sale by its till's number.
pub fn till_key(store: StoreId, till: TillId, till_seq: u64) -> Vec<u8> {
    [store.0.to_be_bytes().as_slice(), &till.0.to_be_bytes(), &till_seq.to_be_bytes()].concat()
}

/// What the keys of a receipt's rows in [`Table::Receipts`] begin with.
pub fn receipt_key(store: StoreId, number: ReceiptNumber) -> Vec<u8> {
    let mut key = [store.0.to_be_bytes(), number.till.0.to_be_bytes()].concat();
    key.extend(number.series.to_be_bytes());
    key.extend(number.sequence.to_be_bytes());
    key
}

/// Longer than the key of a sale and of a voided receipt, so it never meets one.
fn again_key(store: StoreId, sale: &Sale) -> Vec<u8> {
    [till_key(store, sale.receipt.till, sale.till_seq).as_slice(), b"again", &said(sale).0[..16]].concat()
}

/// What the till said of a sale. Two tries of one sale agree in it; what the node added to it may differ: the receipt number,
/// the day, the time if the till gave none, and what the catalogue knew then.
fn said(sale: &Sale) -> Digest {
    let receipt = ReceiptNumber { series: 0, sequence: 0, ..sale.receipt };
    let mut said = Sale { receipt, day: 0, late: false, rung_ms: 0, ..sale.clone() };
    for line in &mut said.lines {
        (line.unknown, line.overridden) = (false, false);
    }
    Digest::of(&[&Rows::of(|sink| said.encode(sink, 0))])
}

fn sale_at(snapshot: &(impl Snapshot + ?Sized), place: Place) -> Result<Sale, StoreError> {
    match entry_at(snapshot, place)?.map(|item| item.entry.fact) {
        Some(Fact::Sale(sale)) => Ok(sale),
        _ => Err(damaged("a sale's entry is missing")),
    }
}

/// Longer than the key of a sale, so it never meets one.
fn void_key(store: StoreId, number: ReceiptNumber) -> Vec<u8> {
    [receipt_key(store, number).as_slice(), VOID].concat()
}

/// True for the key of a mark that a receipt was taken back; other rows of the table hold a [`Writing`] or several.
pub fn is_void_mark(key: &[u8]) -> bool {
    key.len() == RECEIPT_KEY_BYTES + VOID.len() && key.ends_with(VOID)
}

/// A place as a row holds it, for [`decode`].
pub fn encode(place: Place) -> Vec<u8> {
    Rows::of(|sink| {
        sink.uint(col::KEY, u64::from(place.log.0));
        sink.uint(col::SEQ, place.seq);
    })
}

/// Begins like [`encode`] of the first.
pub fn encode_writings(writings: &[Writing]) -> Vec<u8> {
    Rows::of(|sink| {
        for Writing { position, digest, place } in writings {
            sink.uint(col::KEY, u64::from(place.log.0));
            sink.uint(col::SEQ, place.seq);
            position.actor.encode(sink);
            sink.array(col::DIGEST, &digest.0);
        }
    })
}

/// Reads the row of a till's number, and the lists beside it.
pub fn decode_writings(bytes: &[u8]) -> Result<Vec<Writing>, StoreError> {
    let read = |reader: &mut RowReader<'_>| -> Result<Writing, DecodeError> {
        let log = LogNumber(reader.u32(col::KEY)?);
        let place = Place { log, seq: reader.uint(col::SEQ)? };
        let position = Position { actor: Actor::decode(reader)?, seq: place.seq };
        Ok(Writing { position, digest: Digest(reader.array(col::DIGEST)?), place })
    };
    let mut reader = RowReader::new(bytes);
    let mut out = Vec::new();
    while !reader.rest().is_empty() {
        out.push(read(&mut reader).map_err(damaged)?);
    }
    Ok(out)
}

/// Reads a place.
pub fn decode(bytes: &[u8]) -> Result<Place, StoreError> {
    let mut reader = RowReader::new(bytes);
    let log = LogNumber(reader.u32(col::KEY).map_err(damaged)?);
    Ok(Place { log, seq: reader.uint(col::SEQ).map_err(damaged)? })
}

/// Follows a receipt number in the key of a mark that it was taken back.
const VOID: &[u8] = b"void";

/// Store, till, series, sequence.
const RECEIPT_KEY_BYTES: usize = 4 + 4 + 2 + 8;
