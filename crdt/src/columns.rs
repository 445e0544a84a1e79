//! The link encoding: values of one column gathered across entries, each column in its smallest of four forms.
//!
//! Layout: for each column in use, in ascending order: one byte `form << 6 | column`, a varint of the byte length, and the
//! data. Forms: 0 varints, 1 zigzag varint differences, 2 runs `(length, value)`, 3 runs of differences. Bytes of strings of
//! a column stand behind its numbers, with their lengths among those numbers.
//!
//! The decoder hands values out one by one and charges each against a budget, so that a few bytes cannot claim to be a
//! million values.

use crate::codec::{DecodeError, Sink, Source, col, put_varint, take_varint, unzigzag, varint_len, zigzag};

/// Gathers values by column.
pub struct ColumnWriter {
    columns: Vec<Gathered>,
}

#[derive(Default, Clone)]
struct Gathered {
    numbers: Vec<u64>,
    bytes: Vec<u8>,
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
        gathered.numbers.push(bytes.len() as u64);
        gathered.bytes.extend_from_slice(bytes);
    }

    fn array(&mut self, column: u8, bytes: &[u8]) {
        self.columns[usize::from(column)].bytes.extend_from_slice(bytes);
    }
}

impl ColumnWriter {
    /// Appends the gathered columns to `out`.
    pub fn finish(self, out: &mut Vec<u8>) {
        for (column, gathered) in self.columns.into_iter().enumerate() {
            if gathered.numbers.is_empty() && gathered.bytes.is_empty() {
                continue;
            }
            let (form, len) = smallest(&gathered.numbers);
            out.push((form as u8) << 6 | column as u8);
            put_varint(out, len as u64);
            put_varint(out, gathered.bytes.len() as u64);
            write_numbers(out, form, &gathered.numbers);
            out.extend_from_slice(&gathered.bytes);
        }
    }
}

/// How a column's numbers are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Form {
    Plain = 0,
    Delta = 1,
    Runs = 2,
    DeltaRuns = 3,
}

impl Form {
    fn of(bits: u8) -> Self {
        match bits & 3 {
            0 => Self::Plain,
            1 => Self::Delta,
            2 => Self::Runs,
            _ => Self::DeltaRuns,
        }
    }

    fn is_delta(self) -> bool {
        matches!(self, Self::Delta | Self::DeltaRuns)
    }

    fn is_runs(self) -> bool {
        matches!(self, Self::Runs | Self::DeltaRuns)
    }
}

fn smallest(numbers: &[u64]) -> (Form, usize) {
    let plain = numbers.iter().map(|&n| varint_len(n)).sum();
    let delta = deltas(numbers).map(varint_len).sum();
    let runs = runs(numbers.iter().copied()).map(|(n, v)| varint_len(n) + varint_len(v)).sum();
    let delta_runs = self::runs(deltas(numbers)).map(|(n, v)| varint_len(n) + varint_len(v)).sum();
    [(Form::Plain, plain), (Form::Delta, delta), (Form::Runs, runs), (Form::DeltaRuns, delta_runs)]
        .into_iter()
        .min_by_key(|&(_, len)| len)
        .expect("four forms were compared")
}

fn write_numbers(out: &mut Vec<u8>, form: Form, numbers: &[u64]) {
    let mut put_runs = |runs: &mut dyn Iterator<Item = (u64, u64)>| {
        for (count, value) in runs {
            put_varint(out, count);
            put_varint(out, value);
        }
    };
    match form {
        Form::Plain => numbers.iter().for_each(|&n| put_varint(out, n)),
        Form::Delta => deltas(numbers).for_each(|n| put_varint(out, n)),
        Form::Runs => put_runs(&mut runs(numbers.iter().copied())),
        Form::DeltaRuns => put_runs(&mut runs(deltas(numbers))),
    }
}

fn deltas(numbers: &[u64]) -> impl Iterator<Item = u64> + '_ {
    numbers.iter().scan(0u64, |last, &n| {
        let step = n.wrapping_sub(*last) as i64;
        *last = n;
        Some(zigzag(step))
    })
}

fn runs(numbers: impl Iterator<Item = u64>) -> impl Iterator<Item = (u64, u64)> {
    let mut numbers = numbers.peekable();
    std::iter::from_fn(move || {
        let value = numbers.next()?;
        let mut count = 1;
        while numbers.next_if_eq(&value).is_some() {
            count += 1;
        }
        Some((count, value))
    })
}

/// Hands values out by column.
pub struct ColumnReader<'a> {
    columns: Vec<Cursor<'a>>,
    budget: usize,
}

#[derive(Clone)]
struct Cursor<'a> {
    form: Form,
    numbers: &'a [u8],
    bytes: &'a [u8],
    last: u64,
    run: (u64, u64),
}

impl<'a> ColumnReader<'a> {
    /// Reads what [`ColumnWriter::finish`] wrote. `budget` bounds the canonical bytes that may come out.
    pub fn new(mut bytes: &'a [u8], budget: usize) -> Result<Self, DecodeError> {
        let empty = Cursor { form: Form::Plain, numbers: &[], bytes: &[], last: 0, run: (0, 0) };
        let mut columns = vec![empty; col::COUNT_OF_COLUMNS];
        let mut previous = None;
        while let Some((&head, rest)) = bytes.split_first() {
            bytes = rest;
            let column = head & 0x3f;
            if usize::from(column) >= col::COUNT_OF_COLUMNS || previous.is_some_and(|p| p >= column) {
                return Err(DecodeError::Value("column"));
            }
            previous = Some(column);
            let numbers = take_len(&mut bytes)?;
            let strings = take_len(&mut bytes)?;
            let numbers = take_slice(&mut bytes, numbers)?;
            let strings = take_slice(&mut bytes, strings)?;
            let cursor = &mut columns[usize::from(column)];
            (cursor.form, cursor.numbers, cursor.bytes) = (Form::of(head >> 6), numbers, strings);
        }
        Ok(Self { columns, budget })
    }

    /// Succeeds if every column was read to its end.
    pub fn finish(self) -> Result<(), DecodeError> {
        let done = |c: &Cursor<'_>| c.numbers.is_empty() && c.bytes.is_empty() && c.run.0 == 0;
        if self.columns.iter().all(done) { Ok(()) } else { Err(DecodeError::Left) }
    }

    fn charge(&mut self, bytes: usize) -> Result<(), DecodeError> {
        self.budget = self.budget.checked_sub(bytes).ok_or(DecodeError::Limit("expansion"))?;
        Ok(())
    }

    fn strings(&mut self, column: u8, len: usize) -> Result<&'a [u8], DecodeError> {
        self.charge(len)?;
        take_slice(&mut self.columns[usize::from(column)].bytes, len)
    }
}

impl Cursor<'_> {
    fn next(&mut self) -> Result<u64, DecodeError> {
        let coded = if self.form.is_runs() {
            if self.run.0 == 0 {
                self.run = (take_varint(&mut self.numbers)?, take_varint(&mut self.numbers)?);
                if self.run.0 == 0 {
                    return Err(DecodeError::Value("run"));
                }
            }
            self.run.0 -= 1;
            self.run.1
        } else {
            take_varint(&mut self.numbers)?
        };
        if self.form.is_delta() {
            self.last = self.last.wrapping_add(unzigzag(coded) as u64);
            Ok(self.last)
        } else {
            Ok(coded)
        }
    }
}

impl Source for ColumnReader<'_> {
    fn uint(&mut self, column: u8) -> Result<u64, DecodeError> {
        self.charge(1)?;
        self.columns[usize::from(column)].next()
    }

    fn blob(&mut self, column: u8, bytes_max: usize) -> Result<Vec<u8>, DecodeError> {
        let len = usize::try_from(self.uint(column)?).ok().filter(|&n| n <= bytes_max);
        let len = len.ok_or(DecodeError::Limit("bytes of a field"))?;
        Ok(self.strings(column, len)?.to_vec())
    }

    fn array<const N: usize>(&mut self, column: u8) -> Result<[u8; N], DecodeError> {
        let mut out = [0; N];
        out.copy_from_slice(self.strings(column, N)?);
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

const _: () = assert!(col::COUNT_OF_COLUMNS <= 64, "a column's number shares a byte with its form");

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(numbers: &[u64]) -> Vec<u8> {
        let mut writer = ColumnWriter::default();
        numbers.iter().for_each(|&n| writer.uint(col::SKU, n));
        writer.blob(col::NAME, b"tea");
        let mut bytes = Vec::new();
        writer.finish(&mut bytes);
        let mut reader = ColumnReader::new(&bytes, 10_000).unwrap();
        for &n in numbers {
            assert_eq!(reader.uint(col::SKU), Ok(n));
        }
        assert_eq!(reader.blob(col::NAME, 10).unwrap(), b"tea");
        reader.finish().unwrap();
        bytes
    }

    #[test]
    fn every_form_round_trips() {
        round_trip(&[3, 900, 5, u64::MAX, 0]);
        round_trip(&[1_000_000, 1_000_001, 1_000_003, 1_000_000]);
        assert!(round_trip(&[7; 500]).len() < 20);
        assert!(round_trip(&(0..500).map(|n| 1 << 40 | n).collect::<Vec<_>>()).len() < 30);
    }

    #[test]
    fn a_long_run_stops_at_the_budget() {
        let mut bytes = vec![2 << 6 | col::SKU];
        let mut run = Vec::new();
        put_varint(&mut run, u64::MAX);
        put_varint(&mut run, 1);
        put_varint(&mut bytes, run.len() as u64);
        put_varint(&mut bytes, 0);
        bytes.extend(run);
        let mut reader = ColumnReader::new(&bytes, 3).unwrap();
        for _ in 0..3 {
            assert_eq!(reader.uint(col::SKU), Ok(1));
        }
        assert_eq!(reader.uint(col::SKU), Err(DecodeError::Limit("expansion")));
    }
}
