//! The link encoding: values of one column gathered across entries, each column as short as [`numbers`] can write it.
//!
//! Layout: for each column in use, in ascending order: a varint `gap << 4 | form << 1 | has_strings`, where `gap` is how many
//! unused columns stand before it; the byte length of its numbers (not for a constant, which ends by itself); the byte length
//! of its strings, if it has any; the numbers; the strings.
//!
//! A string is written once per column, as its length and bytes; its number says as the how manieth different string it came.
//!
//! The decoder hands values out one by one and charges each against a budget, so that a few bytes cannot claim to be a
//! million values.

mod numbers;

use std::collections::BTreeMap;

use crate::codec::{DecodeError, Sink, Source, col, put_varint, take_varint};
use numbers::{Form, Numbers};

/// Gathers values by column.
pub struct ColumnWriter {
    columns: Vec<Gathered>,
}

#[derive(Default, Clone)]
struct Gathered {
    numbers: Vec<u64>,
    strings: Vec<u8>,
    known: BTreeMap<Box<[u8]>, u64>,
}

impl Default for ColumnWriter {
    fn default() -> Self {
        Self { columns: vec![Gathered::default(); col::COUNT_OF_COLUMNS] }
    }
}

impl Sink for ColumnWriter {
    fn uint(&mut self, column: u8, value: u64) {
        self.columns[usize::from(column)].numbers.push(value);
    }

    fn blob(&mut self, column: u8, bytes: &[u8]) {
        let gathered = &mut self.columns[usize::from(column)];
        let next = gathered.known.len() as u64;
        let number = gathered.known.get(bytes).copied().unwrap_or(next);
        if number == next {
            gathered.known.insert(bytes.into(), next);
            put_varint(&mut gathered.strings, bytes.len() as u64);
            gathered.strings.extend_from_slice(bytes);
        }
        gathered.numbers.push(number);
    }

    fn array(&mut self, column: u8, bytes: &[u8]) {
        self.columns[usize::from(column)].strings.extend_from_slice(bytes);
    }
}

impl ColumnWriter {
    /// Appends the gathered columns to `out`.
    pub fn finish(self, out: &mut Vec<u8>) {
        let mut next = 0;
        for (column, Gathered { numbers, strings, .. }) in (0..).zip(self.columns) {
            if numbers.is_empty() && strings.is_empty() {
                continue;
            }
            let (form, numbers) = numbers::encode(&numbers);
            put_varint(out, (column - next) << 4 | (form as u64) << 1 | u64::from(!strings.is_empty()));
            next = column + 1;
            if form != Form::Constant {
                put_varint(out, numbers.len() as u64);
            }
            if !strings.is_empty() {
                put_varint(out, strings.len() as u64);
            }
            out.extend(numbers);
            out.extend(strings);
        }
    }
}

/// Hands values out by column.
pub struct ColumnReader<'a> {
    columns: Vec<Column<'a>>,
    budget: usize,
}

#[derive(Clone)]
struct Column<'a> {
    numbers: Numbers<'a>,
    strings: &'a [u8],
    known: Vec<&'a [u8]>,
}

impl<'a> ColumnReader<'a> {
    /// Reads what [`ColumnWriter::finish`] wrote. `budget` bounds the values and string bytes that may come out.
    pub fn new(mut bytes: &'a [u8], budget: usize) -> Result<Self, DecodeError> {
        let unused = Column { numbers: Numbers::default(), strings: &[], known: Vec::new() };
        let mut columns = vec![unused; col::COUNT_OF_COLUMNS];
        let mut left = columns.iter_mut();
        while !bytes.is_empty() {
            let head = take_varint(&mut bytes)?;
            let gap = usize::try_from(head >> 4).map_err(|_| DecodeError::Value("column"))?;
            *left.nth(gap).ok_or(DecodeError::Value("column"))? = Column::take(head, &mut bytes)?;
        }
        Ok(Self { columns, budget })
    }

    /// Succeeds if every column was read to its end.
    pub fn finish(self) -> Result<(), DecodeError> {
        let done = |column: &Column<'_>| column.numbers.is_done() && column.strings.is_empty();
        if self.columns.iter().all(done) { Ok(()) } else { Err(DecodeError::Left) }
    }

    fn charge(&mut self, bytes: usize) -> Result<(), DecodeError> {
        self.budget = self.budget.checked_sub(bytes).ok_or(DecodeError::Limit("expansion"))?;
        Ok(())
    }
}

impl<'a> Column<'a> {
    fn take(head: u64, bytes: &mut &'a [u8]) -> Result<Self, DecodeError> {
        let form = Form::of(head >> 1 & 7).ok_or(DecodeError::Value("form of a column"))?;
        let numbers = if form == Form::Constant { None } else { Some(take_len(bytes)?) };
        let strings = if head & 1 == 1 { take_len(bytes)? } else { 0 };
        let numbers = match numbers {
            None => Numbers::constant(bytes)?,
            Some(len) => Numbers::open(form, take_slice(bytes, len)?)?,
        };
        Ok(Self { numbers, strings: take_slice(bytes, strings)?, known: Vec::new() })
    }

    fn string(&mut self) -> Result<&'a [u8], DecodeError> {
        let number = self.numbers.next()?;
        if number == self.known.len() as u64 {
            let len = take_len(&mut self.strings)?;
            self.known.push(take_slice(&mut self.strings, len)?);
        }
        let string = usize::try_from(number).ok().and_then(|number| self.known.get(number).copied());
        string.ok_or(DecodeError::Value("string"))
    }
}

impl Source for ColumnReader<'_> {
    fn uint(&mut self, column: u8) -> Result<u64, DecodeError> {
        self.charge(1)?;
        self.columns[usize::from(column)].numbers.next()
    }

    fn blob(&mut self, column: u8, bytes_max: usize) -> Result<Vec<u8>, DecodeError> {
        let string = self.columns[usize::from(column)].string()?;
        if string.len() > bytes_max {
            return Err(DecodeError::Limit("bytes of a field"));
        }
        self.charge(1 + string.len())?;
        Ok(string.to_vec())
    }

    fn array<const N: usize>(&mut self, column: u8) -> Result<[u8; N], DecodeError> {
        self.charge(N)?;
        let mut out = [0; N];
        out.copy_from_slice(take_slice(&mut self.columns[usize::from(column)].strings, N)?);
        Ok(out)
    }
}

fn take_len(bytes: &mut &[u8]) -> Result<usize, DecodeError> {
    usize::try_from(take_varint(bytes)?).map_err(|_| DecodeError::End)
}

fn take_slice<'a>(bytes: &mut &'a [u8], len: usize) -> Result<&'a [u8], DecodeError> {
    let (head, rest) = bytes.split_at_checked(len).ok_or(DecodeError::End)?;
    *bytes = rest;
    Ok(head)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_written_once() {
        let mut writer = ColumnWriter::default();
        let names: [&[u8]; 5] = [b"tea", b"", b"tea", b"milk", b""];
        names.iter().for_each(|name| writer.blob(col::NAME, name));
        writer.array(col::DIGEST, &[7; 4]);
        let mut bytes = Vec::new();
        writer.finish(&mut bytes);
        assert_eq!(bytes.windows(3).filter(|window| window == b"tea").count(), 1);
        let mut reader = ColumnReader::new(&bytes, 100).unwrap();
        for name in names {
            assert_eq!(reader.blob(col::NAME, 4).unwrap(), name);
        }
        assert_eq!(reader.array(col::DIGEST), Ok([7; 4]));
        reader.finish().unwrap();
    }

    #[test]
    fn a_string_that_was_not_written_is_refused() {
        let mut writer = ColumnWriter::default();
        [1, 0].into_iter().for_each(|number| writer.uint(col::NAME, number));
        let mut bytes = Vec::new();
        writer.finish(&mut bytes);
        let mut reader = ColumnReader::new(&bytes, 100).unwrap();
        assert_eq!(reader.blob(col::NAME, 4), Err(DecodeError::Value("string")));
    }

    #[test]
    fn a_repeated_string_is_charged_each_time_and_no_longer_than_its_field() {
        let mut writer = ColumnWriter::default();
        (0..3).for_each(|_| writer.blob(col::NAME, b"milk"));
        let mut bytes = Vec::new();
        writer.finish(&mut bytes);
        let mut reader = ColumnReader::new(&bytes, 10).unwrap();
        assert_eq!(reader.blob(col::NAME, 3), Err(DecodeError::Limit("bytes of a field")));
        assert!((0..2).all(|_| reader.blob(col::NAME, 4).is_ok()));
        assert_eq!(reader.blob(col::NAME, 4), Err(DecodeError::Limit("expansion")));
    }

    #[test]
    fn a_constant_stops_at_the_budget() {
        let mut bytes = Vec::new();
        put_varint(&mut bytes, u64::from(col::SKU) << 4 | (Form::Constant as u64) << 1);
        put_varint(&mut bytes, 1);
        let mut reader = ColumnReader::new(&bytes, 3).unwrap();
        for _ in 0..3 {
            assert_eq!(reader.uint(col::SKU), Ok(1));
        }
        assert_eq!(reader.uint(col::SKU), Err(DecodeError::Limit("expansion")));
    }
}
