//! Runs: consecutive entries of one log, as they stand in the database and on a link.
//!
//! First byte: the form, 0 rows or 1 columns; then the number of entries. The encoder takes the smaller form. Grouping never
//! touches what is signed: both forms decode to identical canonical bytes, and kinds from newer versions travel raw.

use crate::codec::{DecodeError, RowReader, Rows, Sink, Source, col, put_varint, varint_len};
use crate::columns::{ColumnReader, ColumnWriter};
use crate::entry::{Entry, Fact, kind};
use crate::ids::Digest;
use crate::limits::{ENTRY_BYTES_MAX, RUN_ENTRIES_MAX, RUN_EXPANSION_FLOOR, RUN_EXPANSION_MAX};

/// An entry beside its canonical bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// What it says.
    pub entry: Entry,
    /// What is hashed.
    pub bytes: Vec<u8>,
}

impl Item {
    /// Pairs an entry with its canonical bytes.
    pub fn new(entry: Entry) -> Self {
        let bytes = entry.to_bytes();
        Self { entry, bytes }
    }

    /// From canonical bytes.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, DecodeError> {
        Ok(Self { entry: Entry::from_bytes(&bytes)?, bytes })
    }

    /// The hash of the entry alone, as it enters the chain.
    pub fn digest(&self) -> Digest {
        Digest::of(&[&self.bytes])
    }
}

/// Encodes at most [`RUN_ENTRIES_MAX`] entries. A reader that knows kinds up to another version's still gets every byte:
/// kinds above `kind_max` are sent raw.
pub fn encode_run<'a>(items: impl IntoIterator<Item = &'a Item> + Clone, kind_max: u16) -> Vec<u8> {
    let count = items.clone().into_iter().count();
    assert!(count <= RUN_ENTRIES_MAX, "a run has at most {RUN_ENTRIES_MAX} entries");
    let canonical: usize = items.clone().into_iter().map(|item| item.bytes.len()).sum();
    let columns = encode_columns(items.clone(), count, kind_max);
    let lengths: usize = items.clone().into_iter().map(|item| varint_len(item.bytes.len() as u64)).sum();
    let rows_len = 1 + varint_len(count as u64) + lengths + canonical;
    if columns.len() < rows_len && canonical <= expansion_max(columns.len()) {
        return columns;
    }
    encode_rows(items, count)
}

/// Decodes a run. Total and bounded: no entry above [`ENTRY_BYTES_MAX`], no expansion above the limit.
pub fn decode_run(bytes: &[u8]) -> Result<Vec<Item>, DecodeError> {
    let mut reader = RowReader::new(bytes);
    let form = reader.uint(col::KIND)?;
    let count = reader.count(col::COUNT, RUN_ENTRIES_MAX, "entries of a run")?;
    match form {
        FORM_ROWS => decode_rows(reader, count),
        FORM_COLUMNS => decode_columns(reader.rest(), count, expansion_max(bytes.len())),
        _ => Err(DecodeError::Value("form")),
    }
}

fn expansion_max(encoded: usize) -> usize {
    encoded * RUN_EXPANSION_MAX + RUN_EXPANSION_FLOOR
}

fn encode_rows<'a>(items: impl IntoIterator<Item = &'a Item>, count: usize) -> Vec<u8> {
    let mut rows = Rows::default();
    rows.uint(col::KIND, FORM_ROWS);
    rows.uint(col::COUNT, count as u64);
    items.into_iter().for_each(|item| rows.blob(col::RAW, &item.bytes));
    rows.into_bytes()
}

fn decode_rows(mut reader: RowReader<'_>, count: usize) -> Result<Vec<Item>, DecodeError> {
    let mut items = Vec::new();
    for _ in 0..count {
        items.push(Item::from_bytes(reader.blob(col::RAW, ENTRY_BYTES_MAX)?)?);
    }
    reader.finish()?;
    Ok(items)
}

fn encode_columns<'a>(items: impl IntoIterator<Item = &'a Item>, count: usize, kind_max: u16) -> Vec<u8> {
    let mut writer = ColumnWriter::default();
    for Item { entry, bytes } in items {
        let number = entry.fact.kind();
        let raw = number > kind_max || matches!(entry.fact, Fact::Opaque(_));
        let coded = u64::from(number) << 1 | u64::from(entry.fact.is_critical());
        writer.uint(col::KIND, coded << 1 | u64::from(raw));
        if raw {
            let mut rest = RowReader::new(bytes);
            rest.uint(col::KIND).expect("an item's bytes begin with its kind");
            writer.blob(col::RAW, rest.rest());
        } else {
            entry.encode_rest(&mut writer);
        }
    }
    let mut out = vec![FORM_COLUMNS as u8];
    put_varint(&mut out, count as u64);
    writer.finish(&mut out);
    out
}

fn decode_columns(bytes: &[u8], count: usize, mut budget: usize) -> Result<Vec<Item>, DecodeError> {
    // The reader charges one byte per number, so it stops a bomb before its entries are built; canonical bytes are known
    // only afterwards. A raw entry costs the reader one byte more than its canonical form: the length.
    let mut reader = ColumnReader::new(bytes, budget + count)?;
    let mut items = Vec::new();
    for _ in 0..count {
        let coded = reader.uint(col::KIND)?;
        let (number, critical) = kind::split(coded >> 1)?;
        let item = if coded & 1 == 1 {
            let mut bytes = Vec::new();
            put_varint(&mut bytes, coded >> 1);
            bytes.extend(reader.blob(col::RAW, ENTRY_BYTES_MAX)?);
            Item::from_bytes(bytes)?
        } else if kind::ALL.contains(&number) && critical == kind::is_critical(number) {
            Item::new(Entry::decode_rest(number, &mut reader)?)
        } else {
            return Err(DecodeError::Value("kind"));
        };
        if item.bytes.len() > ENTRY_BYTES_MAX {
            return Err(DecodeError::Limit("bytes of an entry"));
        }
        budget = budget.checked_sub(item.bytes.len()).ok_or(DecodeError::Limit("expansion"))?;
        items.push(item);
    }
    reader.finish()?;
    Ok(items)
}

const FORM_ROWS: u64 = 0;
const FORM_COLUMNS: u64 = 1;
