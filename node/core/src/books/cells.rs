//! Decisions as cells: products, recalls, prices, templates, store records, nodes, fences, rules about promises, requests for
//! rights and decrees about them.
//!
//! One row per (scope, field, entity, writer); across writers the largest precedence wins. In shared scopes each change also
//! takes a position of the scope's feed of cells, and the position of the value that it replaces is freed: children that
//! follow the feed get the newest value once, however often it changed.

use std::ops::Bound;

use stockroom_crdt::batch::Item;
use stockroom_crdt::cell::{CellKey, Precedence, Stamp};
use stockroom_crdt::codec::{DecodeError, RowReader, Rows, Sink, Source, col};
use stockroom_crdt::entry::{Entry, Fact, kind};
use stockroom_crdt::ids::Actor;
use stockroom_crdt::limits::ENTRY_BYTES_MAX;
use stockroom_crdt::product::Product;
use stockroom_crdt::scope::Scope;

use crate::journal::{Journal, damaged, feed_key};
use crate::overlay::{Overlay, scan_prefix};
use crate::storage::{Direction, Row, Snapshot, StoreError, Table, prefix_end};

/// A cell as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CellRow {
    /// Its version.
    pub stamp: Stamp,
    /// Its position in the scope's feed of cells, 0 in scopes without one.
    pub position: u64,
    /// The canonical entry.
    pub bytes: Vec<u8>,
}

/// True for kinds that are decisions and live as cells.
pub fn is_decision(number: u16) -> bool {
    matches!(
        number,
        kind::NODE
            | kind::FENCE
            | kind::STORE
            | kind::POLICY
            | kind::PRODUCT
            | kind::RECALL
            | kind::PRICE
            | kind::TEMPLATE
            | kind::WANT
            | kind::COMPENSATION
            | kind::RETIRE
            | kind::CONSENT
            | kind::ROUTING
            | kind::SERVICE
            | kind::ORDER_LIMITS
            | kind::TAX_RATE
            | kind::TILL_RULES
            | kind::PROMOTION
            | kind::SALE_HOURS
            | kind::STAFF
            | kind::LABEL_DONE
            | kind::LOYALTY
            | kind::CAMPAIGN
    )
}

/// Merges the cell that `item` writes. True when it replaced what was held.
pub fn merge(
    overlay: &mut Overlay,
    journal: &mut Journal,
    scope: &Scope,
    cell: (Actor, u64),
    item: &Item,
) -> Result<bool, StoreError> {
    let (writer, seq) = cell;
    let key = item.entry.fact.cell(writer);
    let number = journal.scope_number(overlay, scope);
    let row_key = row_key(number, &key);
    let stamp = Stamp { seq, hash: stamp_hash(&item.bytes) };
    let held = overlay.get(Table::Cells, &row_key)?.map(|bytes| decode(&bytes)).transpose()?;
    if held.as_ref().is_some_and(|held| !stamp.supersedes(held.stamp)) {
        return Ok(false);
    }
    let mut position = 0;
    if scope.is_shared() {
        if let Some(held) = &held {
            overlay.remove(Table::CellFeed, feed_key(number, held.position));
        }
        position = journal.next_cell_position(overlay, scope).1;
        overlay.put(Table::CellFeed, feed_key(number, position), row_key.clone());
    }
    if let Fact::Product(product) = &item.entry.fact {
        let before = winner(overlay, number, key.field, &key.entity)?;
        overlay.put(Table::Cells, row_key, encode(stamp, position, &item.bytes));
        reindex(overlay, before, winner(overlay, number, key.field, &key.entity)?, product);
    } else {
        overlay.put(Table::Cells, row_key, encode(stamp, position, &item.bytes));
    }
    Ok(true)
}

/// The value of an entity's cell across its writers.
pub fn winner(
    snapshot: &(impl Snapshot + ?Sized),
    scope: u32,
    field: u16,
    entity: &[u8],
) -> Result<Option<Entry>, StoreError> {
    let prefix = entity_prefix(scope, field, entity);
    let rows = scan_prefix(snapshot, Table::Cells, &prefix, usize::MAX)?;
    decide(rows.iter().filter(|(key, _)| key.len() == prefix.len() + WRITER_BYTES))
}

/// The values of every entity of a field whose key begins with `entity`, in the order of their keys.
pub fn winners(
    snapshot: &(impl Snapshot + ?Sized),
    scope: u32,
    field: u16,
    entity: &[u8],
) -> Result<Vec<Entry>, StoreError> {
    let rows = scan_prefix(snapshot, Table::Cells, &entity_prefix(scope, field, entity), usize::MAX)?;
    let entity_of = |row: &Row| row.0[..row.0.len() - WRITER_BYTES].to_vec();
    let mut out = Vec::new();
    for group in rows.chunk_by(|a, b| entity_of(a) == entity_of(b)) {
        out.extend(decide(group.iter())?);
    }
    Ok(out)
}

/// The entities of a field, in the order of their keys and each once, whoever wrote them. Decodes no values, and holds no more than a page of
/// rows at a time.
pub fn entities(
    snapshot: &(impl Snapshot + ?Sized),
    scope: u32,
    field: u16,
    mut visit: impl FnMut(&[u8]),
) -> Result<(), StoreError> {
    let prefix = entity_prefix(scope, field, &[]);
    let end = prefix_end(&prefix);
    let upper = end.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
    let (mut last, mut entity): (Option<Vec<u8>>, Vec<u8>) = (None, Vec::new());
    loop {
        let lower = last.as_deref().map_or(Bound::Included(prefix.as_slice()), Bound::Excluded);
        let rows = snapshot.scan(Table::Cells, (lower, upper), Direction::Forward, PAGE_ROWS)?;
        for (key, _) in &rows {
            let at = key.len().checked_sub(WRITER_BYTES).filter(|at| *at >= prefix.len());
            let of = at.map(|at| &key[prefix.len()..at]).ok_or_else(|| damaged("cell key"))?;
            if last.is_none() || entity != of {
                visit(of);
                entity = of.to_vec();
            }
            last.get_or_insert_default().clone_from(key);
        }
        if rows.len() < PAGE_ROWS {
            return Ok(());
        }
    }
}

/// What each writer says in its cells of the entities whose keys begin with `entity`.
pub fn by_writer(
    snapshot: &(impl Snapshot + ?Sized),
    scope: u32,
    field: u16,
    entity: &[u8],
) -> Result<Vec<(Actor, Entry)>, StoreError> {
    let rows = scan_prefix(snapshot, Table::Cells, &entity_prefix(scope, field, entity), usize::MAX)?;
    let read = |(key, value): &Row| Ok((writer_of(key)?, Entry::from_bytes(&decode(value)?.bytes).map_err(damaged)?));
    rows.iter().map(read).collect()
}

/// The scope's number as a reader of the tables finds it.
pub fn scope_number(snapshot: &(impl Snapshot + ?Sized), scope: &Scope) -> Result<Option<u32>, StoreError> {
    let Some(value) = snapshot.get(Table::Scopes, &scope.to_bytes())? else { return Ok(None) };
    scope_row_number(&value).map(Some)
}

/// The scope's number in its row of [`Table::Scopes`].
pub fn scope_row_number(bytes: &[u8]) -> Result<u32, StoreError> {
    RowReader::new(bytes).u32(col::KEY).map_err(damaged)
}

/// Reads a cell's row.
pub fn decode(bytes: &[u8]) -> Result<CellRow, StoreError> {
    let read = |reader: &mut RowReader<'_>| -> Result<CellRow, DecodeError> {
        let stamp = Stamp { seq: reader.uint(col::SEQ)?, hash: reader.uint(col::DIGEST)? };
        let position = reader.uint(col::POSITION)?;
        Ok(CellRow { stamp, position, bytes: reader.blob(col::RAW, ENTRY_BYTES_MAX)? })
    };
    read(&mut RowReader::new(bytes)).map_err(damaged)
}

/// The writer in a cell's key.
pub fn writer_of(key: &[u8]) -> Result<Actor, StoreError> {
    let at = key.len().checked_sub(WRITER_BYTES).ok_or_else(|| damaged("cell key"))?;
    let node = u32::from_be_bytes(crate::journal::fixed(&key[at..at + 4])?);
    let epoch = u16::from_be_bytes(crate::journal::fixed(&key[at + 4..])?);
    Ok(Actor::new(node, epoch))
}

fn decide<'a>(rows: impl Iterator<Item = &'a Row>) -> Result<Option<Entry>, StoreError> {
    let mut best: Option<(Precedence, Vec<u8>)> = None;
    for (key, value) in rows {
        let row = decode(value)?;
        let precedence = Precedence::new(0, writer_of(key)?, row.stamp);
        if best.as_ref().is_none_or(|(held, _)| precedence > *held) {
            best = Some((precedence, row.bytes));
        }
    }
    best.map(|(_, bytes)| Entry::from_bytes(&bytes).map_err(damaged)).transpose()
}

/// Keeps the barcode index in step with the product that wins.
fn reindex(overlay: &mut Overlay, before: Option<Entry>, after: Option<Entry>, product: &Product) {
    let codes = |entry: &Option<Entry>| match entry.as_ref().map(|e| &e.fact) {
        Some(Fact::Product(product)) => index_keys(product),
        _ => Vec::new(),
    };
    for (key, _) in codes(&before) {
        overlay.remove(Table::Barcodes, key);
    }
    for (key, pack) in codes(&after) {
        overlay.put(Table::Barcodes, key, pack.to_be_bytes());
    }
    debug_assert!(matches!(after, Some(Entry { fact: Fact::Product(ref p), .. }) if p.sku == product.sku));
}

/// Keys of the barcode index: `g` + GTIN + SKU, and `i` + item number + SKU.
fn index_keys(product: &Product) -> Vec<(Vec<u8>, u32)> {
    let sku = product.sku.as_str().as_bytes();
    let key = |kind: u8, number: u64| [&[kind], number.to_be_bytes().as_slice(), sku].concat();
    let barcodes = product.barcodes.iter().map(|code| (key(b'g', code.gtin.number()), code.pack));
    let item = (product.item_number != 0).then(|| (key(b'i', u64::from(product.item_number)), 1));
    barcodes.chain(item).collect()
}

fn row_key(scope: u32, key: &CellKey) -> Vec<u8> {
    let mut out = entity_prefix(scope, key.field, &key.entity);
    out.extend(key.writer.node.0.to_be_bytes());
    out.extend(key.writer.epoch.0.to_be_bytes());
    out
}

fn entity_prefix(scope: u32, field: u16, entity: &[u8]) -> Vec<u8> {
    [scope.to_be_bytes().as_slice(), field.to_be_bytes().as_slice(), entity].concat()
}

fn encode(stamp: Stamp, position: u64, bytes: &[u8]) -> Vec<u8> {
    Rows::of(|sink| {
        sink.uint(col::SEQ, stamp.seq);
        sink.uint(col::DIGEST, stamp.hash);
        sink.uint(col::POSITION, position);
        sink.blob(col::RAW, bytes);
    })
}

fn stamp_hash(bytes: &[u8]) -> u64 {
    let digest = stockroom_crdt::ids::Digest::of(&[bytes]);
    u64::from_be_bytes(std::array::from_fn(|i| digest.0[i]))
}

const WRITER_BYTES: usize = 6;

/// Rows that are looked at at once.
const PAGE_ROWS: usize = 1_024;
