//! One description of each record, two encodings.
//!
//! A record writes its fields to a [`Sink`] and reads them from a [`Source`], naming for each value the *column* it belongs
//! to. [`Rows`] ignores the columns and writes values one after the other: that is the canonical encoding, which is hashed
//! and signed. [`crate::columns`] gathers the values of each column across many entries: that is the link encoding. Because
//! one description drives both, they decode to identical canonical bytes.
//!
//! Decoding is total: it never panics, and no allocation is sized by a number that the input merely claims.

/// Why bytes are not a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The input ended inside a value.
    #[error("ends too early")]
    End,
    /// Bytes were left over.
    #[error("has bytes left over")]
    Left,
    /// A number was not written in its shortest form, or not in the one form that is canonical.
    #[error("is not canonical")]
    Canonical,
    /// A field's value is outside its range.
    #[error("has an invalid {0}")]
    Value(&'static str),
    /// More items or bytes than a limit allows.
    #[error("exceeds the limit on {0}")]
    Limit(&'static str),
}

/// Takes the values of a record.
pub trait Sink {
    /// A whole number.
    fn uint(&mut self, column: u8, value: u64);

    /// A byte string.
    fn blob(&mut self, column: u8, bytes: &[u8]);

    /// A signed number, zigzag-coded.
    fn int(&mut self, column: u8, value: i64) {
        self.uint(column, zigzag(value));
    }

    /// 32 bytes or another fixed array, without a length.
    fn array(&mut self, column: u8, bytes: &[u8]);
}

/// Gives the values of a record back, in the order in which they were written.
pub trait Source {
    /// A whole number.
    fn uint(&mut self, column: u8) -> Result<u64, DecodeError>;

    /// A byte string of at most `bytes_max` bytes.
    fn blob(&mut self, column: u8, bytes_max: usize) -> Result<Vec<u8>, DecodeError>;

    /// A fixed array.
    fn array<const N: usize>(&mut self, column: u8) -> Result<[u8; N], DecodeError>;

    /// A signed number.
    fn int(&mut self, column: u8) -> Result<i64, DecodeError> {
        Ok(unzigzag(self.uint(column)?))
    }

    /// A number of 8 bits.
    fn u8(&mut self, column: u8) -> Result<u8, DecodeError> {
        u8::try_from(self.uint(column)?).map_err(|_| DecodeError::Value("8-bit number"))
    }

    /// A number of 16 bits.
    fn u16(&mut self, column: u8) -> Result<u16, DecodeError> {
        u16::try_from(self.uint(column)?).map_err(|_| DecodeError::Value("16-bit number"))
    }

    /// A number of 32 bits.
    fn u32(&mut self, column: u8) -> Result<u32, DecodeError> {
        u32::try_from(self.uint(column)?).map_err(|_| DecodeError::Value("32-bit number"))
    }

    /// 0 or 1.
    fn flag(&mut self, column: u8) -> Result<bool, DecodeError> {
        match self.uint(column)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(DecodeError::Value("flag")),
        }
    }

    /// A signed number within `-bound..=bound`.
    fn int_within(&mut self, column: u8, bound: i64, what: &'static str) -> Result<i64, DecodeError> {
        let value = self.int(column)?;
        if (-bound..=bound).contains(&value) { Ok(value) } else { Err(DecodeError::Value(what)) }
    }

    /// How many items follow, at most `max`.
    fn count(&mut self, column: u8, max: usize, what: &'static str) -> Result<usize, DecodeError> {
        match usize::try_from(self.uint(column)?) {
            Ok(count) if count <= max => Ok(count),
            _ => Err(DecodeError::Limit(what)),
        }
    }

    /// UTF-8 of at most `bytes_max` bytes without control characters.
    fn text(&mut self, column: u8, bytes_max: usize) -> Result<String, DecodeError> {
        let text = String::from_utf8(self.blob(column, bytes_max)?).map_err(|_| DecodeError::Value("text"))?;
        if text.chars().any(char::is_control) { Err(DecodeError::Value("text")) } else { Ok(text) }
    }
}

/// Writes canonical bytes: varints and length-prefixed strings, one after the other.
#[derive(Default)]
pub struct Rows {
    bytes: Vec<u8>,
}

impl Rows {
    /// The bytes written so far.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// The canonical bytes of whatever `write` writes.
    pub fn of(write: impl FnOnce(&mut Self)) -> Vec<u8> {
        let mut rows = Self::default();
        write(&mut rows);
        rows.bytes
    }
}

impl Sink for Rows {
    fn uint(&mut self, _column: u8, value: u64) {
        put_varint(&mut self.bytes, value);
    }

    fn blob(&mut self, _column: u8, bytes: &[u8]) {
        put_varint(&mut self.bytes, bytes.len() as u64);
        self.bytes.extend_from_slice(bytes);
    }

    fn array(&mut self, _column: u8, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }
}

/// Reads canonical bytes.
#[derive(Clone)]
pub struct RowReader<'a> {
    rest: &'a [u8],
}

impl<'a> RowReader<'a> {
    /// Reads `bytes` from the beginning.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// What has not been read yet.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The next `n` bytes.
    pub fn take(&mut self, n: usize) -> Result<&'a [u8], DecodeError> {
        let (head, rest) = self.rest.split_at_checked(n).ok_or(DecodeError::End)?;
        self.rest = rest;
        Ok(head)
    }

    /// Succeeds if everything was read.
    pub fn finish(self) -> Result<(), DecodeError> {
        if self.rest.is_empty() { Ok(()) } else { Err(DecodeError::Left) }
    }
}

impl Source for RowReader<'_> {
    fn uint(&mut self, _column: u8) -> Result<u64, DecodeError> {
        take_varint(&mut self.rest)
    }

    fn blob(&mut self, _column: u8, bytes_max: usize) -> Result<Vec<u8>, DecodeError> {
        let len = take_varint(&mut self.rest)?;
        let len =
            usize::try_from(len).ok().filter(|&n| n <= bytes_max).ok_or(DecodeError::Limit("bytes of a field"))?;
        Ok(self.take(len)?.to_vec())
    }

    fn array<const N: usize>(&mut self, _column: u8) -> Result<[u8; N], DecodeError> {
        let bytes = self.take(N)?;
        let mut out = [0; N];
        out.copy_from_slice(bytes);
        Ok(out)
    }
}

/// LEB128.
pub fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Bytes that [`put_varint`] needs for `value`.
pub fn varint_len(value: u64) -> usize {
    (64 - (value | 1).leading_zeros() as usize).div_ceil(7)
}

/// Reads a varint in its shortest form from the front of `bytes`.
pub fn take_varint(bytes: &mut &[u8]) -> Result<u64, DecodeError> {
    let mut value = 0u64;
    for (i, &byte) in bytes.iter().enumerate().take(10) {
        let part = u64::from(byte & 0x7f);
        if i == 9 && byte > 1 {
            return Err(DecodeError::Canonical);
        }
        value |= part << (7 * i);
        if byte & 0x80 == 0 {
            if byte == 0 && i > 0 {
                return Err(DecodeError::Canonical);
            }
            *bytes = &bytes[i + 1..];
            return Ok(value);
        }
    }
    Err(if bytes.len() >= 10 { DecodeError::Canonical } else { DecodeError::End })
}

/// Small magnitudes to small numbers: 0, -1, 1, -2, ...
pub fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

/// The inverse of [`zigzag`].
pub fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

/// Columns of the link encoding. Values of one column should resemble each other; a number may never be given to another
/// meaning once it has been sent between versions.
#[allow(missing_docs)]
pub mod col {
    pub const KIND: u8 = 0;
    pub const HLC_MS: u8 = 1;
    pub const HLC_COUNTER: u8 = 2;
    pub const RAW: u8 = 3;
    pub const ACTOR_NODE: u8 = 4;
    pub const ACTOR_EPOCH: u8 = 5;
    pub const SEQ: u8 = 6;
    pub const DIGEST: u8 = 7;
    pub const SIGNATURE: u8 = 8;
    pub const SCOPE: u8 = 9;
    pub const SCOPE_ID: u8 = 10;
    pub const STORE: u8 = 11;
    pub const TILL: u8 = 12;
    pub const TILL_SEQ: u8 = 13;
    pub const SERIES: u8 = 14;
    pub const RECEIPT: u8 = 15;
    pub const DAY: u8 = 16;
    pub const FLAGS: u8 = 17;
    pub const TIME: u8 = 18;
    pub const CURRENCY: u8 = 19;
    pub const STAFF: u8 = 20;
    pub const SKU: u8 = 21;
    pub const SKU_TEXT: u8 = 22;
    pub const QUANTITY: u8 = 23;
    pub const UNIT: u8 = 24;
    pub const PRICE: u8 = 25;
    pub const DISCOUNT: u8 = 26;
    pub const REASON: u8 = 27;
    pub const TAX_CODE: u8 = 28;
    pub const TAX_RATE: u8 = 29;
    pub const TAX_AMOUNT: u8 = 30;
    pub const LINE_COUNT: u8 = 31;
    pub const LINE_FLAGS: u8 = 32;
    pub const TENDER_COUNT: u8 = 33;
    pub const TENDER: u8 = 34;
    pub const AMOUNT: u8 = 35;
    pub const REFERENCE: u8 = 36;
    pub const ENTITY: u8 = 37;
    pub const NAME: u8 = 38;
    pub const GTIN: u8 = 39;
    pub const PACK: u8 = 40;
    pub const LOT: u8 = 41;
    pub const EXPIRY: u8 = 42;
    pub const COUNT: u8 = 43;
    pub const A: u8 = 44;
    pub const B: u8 = 45;
    pub const C: u8 = 46;
    pub const D: u8 = 47;
    pub const E: u8 = 48;
    pub const KEY: u8 = 49;
    pub const POSITION: u8 = 50;
    pub const FISCAL: u8 = 51;
    /// One more than the largest column.
    pub const COUNT_OF_COLUMNS: usize = 52;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_have_one_form() {
        for value in [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX - 1, u64::MAX] {
            let mut bytes = Vec::new();
            put_varint(&mut bytes, value);
            assert_eq!(bytes.len(), varint_len(value));
            assert_eq!(take_varint(&mut bytes.as_slice()), Ok(value));
        }
        assert_eq!(take_varint(&mut [0x80, 0].as_slice()), Err(DecodeError::Canonical));
        assert_eq!(take_varint(&mut [0x80].as_slice()), Err(DecodeError::End));
        assert_eq!(take_varint(&mut [0xff; 11].as_slice()), Err(DecodeError::Canonical));
    }

    #[test]
    fn zigzag_round_trips_at_the_edges() {
        for value in [0, -1, 1, i64::MIN, i64::MAX] {
            assert_eq!(unzigzag(zigzag(value)), value);
        }
    }
}
