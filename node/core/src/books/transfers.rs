//! The parts of transfers between stores, by number: which entries hold each.
//!
//! A part stands in its writer's own store. A part that is written anew after a restore agrees with the lost one in what
//! people said, and both are one: see [`Writing`], which says the same of sales.

use std::collections::BTreeMap;

use stockroom_crdt::entry::Fact;
use stockroom_crdt::ids::{Digest, StoreId};
use stockroom_crdt::transfer::{Step, TransferId, part};

use super::sales::{Again, Writing, decode_writings, encode_writings};
use crate::journal::{damaged, fixed};
use crate::overlay::{Overlay, scan_prefix};
use crate::storage::{Snapshot, StoreError, Table};

/// Records a part, and tells which others it repeats; `None` for one that was not seen before.
pub fn put(overlay: &mut Overlay, store: StoreId, fact: &Fact, writing: Writing) -> Result<Option<Again>, StoreError> {
    let before = writings(overlay, store, fact)?;
    let Some(part) = part(fact) else { return Ok(None) };
    let mut after = before.clone();
    after.push(writing);
    after.sort_unstable();
    overlay.put(Table::Transfers, key(store, part), encode_writings(&after));
    Ok((!before.is_empty()).then_some(Again { before, after }))
}

/// Every entry that holds this part, the one that counts first; none if it is not part of a transfer.
pub fn writings(snapshot: &(impl Snapshot + ?Sized), store: StoreId, fact: &Fact) -> Result<Vec<Writing>, StoreError> {
    let Some(part) = part(fact) else { return Ok(Vec::new()) };
    let row = snapshot.get(Table::Transfers, &key(store, part))?;
    row.map_or(Ok(Vec::new()), |row| decode_writings(&row))
}

/// Where a part stands: in the log of which store, which step it is, and the entry that counts.
pub type Standing = (StoreId, u8, Writing);

/// The parts of a transfer that stand in the log of `store`, each once: asks, then shipments, then receipts.
pub fn parts(snapshot: &(impl Snapshot + ?Sized), store: StoreId, id: TransferId) -> Result<Vec<Standing>, StoreError> {
    let rows = scan_prefix(snapshot, Table::Transfers, &prefix(store, id), usize::MAX)?;
    let mut out = rows.iter().map(|(key, value)| Ok(read(key, value)?.1)).collect::<Result<Vec<_>, StoreError>>()?;
    // By position within a step, not by content: the first that was written comes first.
    out.sort_unstable();
    Ok(out)
}

/// All parts that are known here, by transfer.
pub fn all(snapshot: &(impl Snapshot + ?Sized)) -> Result<BTreeMap<TransferId, Vec<Standing>>, StoreError> {
    let mut out: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (key, value) in scan_prefix(snapshot, Table::Transfers, &[], usize::MAX)? {
        let (id, standing) = read(&key, &value)?;
        out.entry(id).or_default().push(standing);
    }
    out.values_mut().for_each(|parts| parts.sort_unstable());
    Ok(out)
}

fn read(key: &[u8], value: &[u8]) -> Result<(TransferId, Standing), StoreError> {
    let word = |at: usize| key.get(at..at + 4).ok_or_else(|| damaged("transfer key"));
    let number = key.get(8..STEP_AT).ok_or_else(|| damaged("transfer key"))?;
    let step = *key.get(STEP_AT).ok_or_else(|| damaged("transfer key"))?;
    let store = |at| Ok::<_, StoreError>(StoreId(u32::from_be_bytes(fixed(word(at)?)?)));
    let first = *decode_writings(value)?.first().ok_or_else(|| damaged("a part of a transfer names no entry"))?;
    Ok((TransferId { store: store(4)?, number: u64::from_be_bytes(fixed(number)?) }, (store(0)?, step, first)))
}

/// Half of a hash tells contents apart: nobody gains by two parts that look alike.
fn key(store: StoreId, (id, step, content): (TransferId, Step, Digest)) -> Vec<u8> {
    [prefix(store, id).as_slice(), &[step as u8], &content.short()].concat()
}

fn prefix(store: StoreId, id: TransferId) -> Vec<u8> {
    [store.0.to_be_bytes().as_slice(), &id.store.0.to_be_bytes(), &id.number.to_be_bytes()].concat()
}

/// Where the step stands in a key: behind the store whose log it is, and the transfer's store and number.
const STEP_AT: usize = 4 + 4 + 8;
