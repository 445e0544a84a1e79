//! A table read row by row: decompression, lines of bounded length, columns by name, numbers within bounds.
//!
//! Lines are handed to the CSV parser one at a time. So the number of the line is known for every fault, and no field goes on
//! over the end of a line. Numbers are read as integers: recorded decimals are scaled, never held as floats.

use std::io::{self, BufRead, BufReader, Cursor, Read};

use super::{DataError, LINE_BYTES_MAX, ROWS_MAX};

/// The first four bytes of a zstd frame (RFC 8878, section 3.1.1).
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// Largest window a compressed file may ask for, as a power of two: 8 MiB, the size every decoder should support
/// (RFC 8878, section 3.1.1.1.2).
const ZSTD_WINDOW_LOG_MAX: u32 = 23;

/// The text of a file: decompressed when it begins as a zstd frame does, as it is otherwise.
///
/// # Errors
/// The input cannot be read, or is named `.zst` and is no zstd frame. What comes later, such as a frame cut short, is an
/// error of the returned reader.
pub fn decompressed<'a>(mut input: impl Read + 'a, file: &str) -> Result<Box<dyn BufRead + 'a>, DataError> {
    let fault = |message: String| DataError { file: file.to_owned(), line: 1, message };
    let mut head = Vec::new();
    input.by_ref().take(4).read_to_end(&mut head).map_err(|error| fault(error.to_string()))?;
    let compressed = head == ZSTD_MAGIC;
    let whole = Cursor::new(head).chain(input);
    if compressed {
        let mut decoder = zstd::Decoder::new(whole).map_err(|error| fault(error.to_string()))?;
        decoder.window_log_max(ZSTD_WINDOW_LOG_MAX).map_err(|error| fault(error.to_string()))?;
        Ok(Box::new(BufReader::with_capacity(LINE_BYTES_MAX, decoder)))
    } else if file.ends_with(".zst") {
        Err(fault("is named .zst but does not begin as a zstd frame does".to_owned()))
    } else {
        Ok(Box::new(BufReader::with_capacity(LINE_BYTES_MAX, whole)))
    }
}

/// A table with a header line, read one row at a time.
pub struct Rows<'a> {
    reader: csv::Reader<Lines<'a>>,
    file: String,
    header: csv::StringRecord,
    record: csv::StringRecord,
    rows: u32,
}

impl<'a> Rows<'a> {
    /// Decompresses if need be and reads the header line.
    ///
    /// # Errors
    /// There is no header line, or it cannot be read.
    pub fn open(input: impl Read + 'a, file: &str) -> Result<Self, DataError> {
        let lines = Lines { input: decompressed(input, file)?, line: Vec::new(), given: 0, number: 0 };
        let reader = csv::ReaderBuilder::new().has_headers(false).from_reader(lines);
        let (header, record) = (csv::StringRecord::new(), csv::StringRecord::new());
        let mut rows = Self { reader, file: file.to_owned(), header, record, rows: 0 };
        if !rows.advance()? {
            return Err(rows.fault("has no header line"));
        }
        std::mem::swap(&mut rows.header, &mut rows.record);
        rows.rows = 0;
        Ok(rows)
    }

    /// The names of the columns, in order.
    pub fn header(&self) -> impl Iterator<Item = &str> {
        self.header.iter()
    }

    /// True when the header names all of these columns, in whatever order and with whatever others.
    pub fn has(&self, names: &[&str]) -> bool {
        names.iter().all(|name| self.header().any(|column| column == *name))
    }

    /// A column by its name; the first one of several.
    ///
    /// # Errors
    /// The header has no such column.
    pub fn column(&self, name: &str) -> Result<Column, DataError> {
        let at = self.header().position(|column| column == name);
        at.map(Column).ok_or_else(|| self.fault(format!("has no column {name}")))
    }

    /// Several columns by their names; errors as [`Rows::column`].
    pub fn columns<const COUNT: usize>(&self, names: [&str; COUNT]) -> Result<[Column; COUNT], DataError> {
        let mut found = [Column(0); COUNT];
        for (column, name) in found.iter_mut().zip(names) {
            *column = self.column(name)?;
        }
        Ok(found)
    }

    /// The next row, `None` after the last.
    ///
    /// # Errors
    /// The line is too long, is not UTF-8, has more or fewer columns than the header, or cannot be read or decompressed; or the
    /// table has too many rows.
    pub fn next_row(&mut self) -> Result<Option<Row<'_>>, DataError> {
        Ok(self.advance()?.then_some(Row { rows: self }))
    }

    /// A fault of the line read last.
    pub fn fault(&self, message: impl Into<String>) -> DataError {
        DataError { file: self.file.clone(), line: self.reader.get_ref().number.max(1), message: message.into() }
    }

    fn advance(&mut self) -> Result<bool, DataError> {
        let more = match self.reader.read_record(&mut self.record) {
            Ok(more) => more,
            Err(error) => return Err(self.fault(reason(error))),
        };
        if more && self.rows == ROWS_MAX {
            return Err(self.fault(format!("has more than {ROWS_MAX} rows")));
        }
        self.rows += u32::from(more);
        Ok(more)
    }
}

/// A column of a table, by its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column(usize);

impl Column {
    /// The `steps`th column after this one.
    pub fn after(self, steps: usize) -> Self {
        Self(self.0 + steps)
    }
}

/// One row of a table.
pub struct Row<'a> {
    rows: &'a Rows<'a>,
}

impl<'a> Row<'a> {
    /// The field as written.
    pub fn text(&self, column: Column) -> &'a str {
        self.rows.record.get(column.0).unwrap_or("")
    }

    /// The field as written.
    ///
    /// # Errors
    /// It is empty.
    pub fn name(&self, column: Column) -> Result<&'a str, DataError> {
        let text = self.text(column);
        if text.is_empty() { Err(self.field_fault(column, "is empty")) } else { Ok(text) }
    }

    /// A whole number from 0 to `most`.
    ///
    /// # Errors
    /// The field is empty, no number, negative, has decimals, or is more than `most`.
    pub fn whole(&self, column: Column, most: u64) -> Result<u64, DataError> {
        let text = self.name(column)?;
        number(text, 0, most).map_err(|reason| self.field_fault(column, &reason))
    }

    /// A whole number from 0 to the largest `u32`; errors as [`Row::whole`].
    pub fn small(&self, column: Column) -> Result<u32, DataError> {
        let value = self.whole(column, u32::MAX.into())?;
        Ok(u32::try_from(value).expect("bounded one line above"))
    }

    /// A number of up to `places` decimals, times ten to the power of `places`; further decimals are cut off. `None` when the
    /// field is empty, which is how the recordings write that a value is missing.
    ///
    /// # Errors
    /// The field is no number, is negative, or is more than `most` after scaling.
    pub fn scaled(&self, column: Column, places: u32, most: u64) -> Result<Option<u64>, DataError> {
        let text = self.text(column);
        if text.is_empty() {
            return Ok(None);
        }
        number(text, places, most).map(Some).map_err(|reason| self.field_fault(column, &reason))
    }

    /// A number with or without a sign, otherwise as [`Row::scaled`].
    ///
    /// # Errors
    /// The field is empty, no number, or further from 0 than `most` after scaling.
    pub fn signed(&self, column: Column, places: u32, most: u64) -> Result<i64, DataError> {
        let text = self.name(column)?;
        let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
        let value = number(digits, places, most.min(i64::MAX as u64));
        let value = value.map_err(|reason| self.field_fault(column, &reason))?;
        Ok(sign * i64::try_from(value).expect("bounded above"))
    }

    /// A fault of this row.
    pub fn fault(&self, message: impl Into<String>) -> DataError {
        self.rows.fault(message)
    }

    /// A fault of one field, named by its column.
    pub fn field_fault(&self, column: Column, reason: &str) -> DataError {
        let shown: String = self.text(column).chars().take(40).collect();
        let name = self.rows.header.get(column.0).unwrap_or("");
        self.fault(format!("{name} \"{}\" {reason}", shown.escape_debug()))
    }
}

/// Digits with at most one point among them, scaled by ten to the power of `places`.
fn number(text: &str, places: u32, most: u64) -> Result<u64, String> {
    let (whole, decimals) = match text.split_once('.') {
        Some((whole, decimals)) if places > 0 && !decimals.is_empty() => (whole, decimals),
        Some(_) => return Err("is not a whole number".to_owned()),
        None => (text, ""),
    };
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.strip_prefix('-').is_some_and(|rest| !rest.is_empty() && digits(rest) && digits(decimals)) {
        return Err("is negative".to_owned());
    }
    if whole.is_empty() || !digits(whole) || !digits(decimals) {
        return Err("is not a number".to_owned());
    }
    let scaled = decimals.bytes().chain(std::iter::repeat(b'0')).take(places as usize);
    let value = whole.bytes().chain(scaled).try_fold(0u64, |value, byte| {
        value.checked_mul(10)?.checked_add(u64::from(byte - b'0')).filter(|value| *value <= most)
    });
    value.ok_or_else(|| format!("is more than {}", most / 10u64.pow(places)))
}

fn reason(error: csv::Error) -> String {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error.to_string(),
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("has {len} columns where the header has {expected_len}")
        }
        csv::ErrorKind::Utf8 { .. } => "is not UTF-8".to_owned(),
        // The kind is marked non-exhaustive; the rest belongs to writing and to serde, which is not used here.
        other => format!("{other:?}"),
    }
}

/// Gives one line per `read`, or a piece of one: the CSV parser never holds anything of the line after the one it is asked for.
struct Lines<'a> {
    input: Box<dyn BufRead + 'a>,
    line: Vec<u8>,
    given: usize,
    /// The line in `line`, or the one that could not be read.
    number: u64,
}

impl Lines<'_> {
    fn load(&mut self) -> io::Result<()> {
        self.line.clear();
        self.given = 0;
        let most = LINE_BYTES_MAX as u64 + 1;
        let loaded = self.input.by_ref().take(most).read_until(b'\n', &mut self.line);
        if !matches!(loaded, Ok(0)) {
            self.number += 1;
        }
        loaded.map_err(|error| io::Error::new(error.kind(), format!("cannot be read to its end: {error}")))?;
        if self.line.len() > LINE_BYTES_MAX {
            return Err(io::Error::other(format!("is longer than {LINE_BYTES_MAX} bytes")));
        }
        if std::str::from_utf8(&self.line).is_err() {
            return Err(io::Error::other("is not UTF-8"));
        }
        let quotes = self.line.iter().filter(|byte| **byte == b'"').count();
        if quotes % 2 != 0 {
            return Err(io::Error::other("has a quote that the same line does not close"));
        }
        Ok(())
    }
}

impl Read for Lines<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.given == self.line.len() {
            self.load()?;
        }
        let count = buffer.len().min(self.line.len() - self.given);
        buffer[..count].copy_from_slice(&self.line[self.given..self.given + count]);
        self.given += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn decimals_are_scaled_and_further_ones_cut_off() {
        assert_eq!(number("50.3", 3, 1_000_000), Ok(50_300));
        assert_eq!(number("50.34567", 3, 1_000_000), Ok(50_345));
        assert_eq!(number("7", 3, 1_000_000), Ok(7_000));
        assert_eq!(number("7", 0, 7), Ok(7));
    }

    #[test]
    fn what_is_no_number_says_why() {
        let why = |text: &str, places| number(text, places, 10_000).expect_err("it is no number");
        assert_eq!(why("-3.5", 1), "is negative");
        assert_eq!(why("3.5", 0), "is not a whole number");
        for text in ["", "-", "+3", "NaN", "1e3", " 3", "٣", ".5", "--3"] {
            assert_eq!(why(text, 1), "is not a number", "{text:?}");
        }
        assert_eq!(why("1000.1", 1), "is more than 1000");
        assert_eq!(why("99999999999999999999999999", 0), "is more than 10000");
    }
}
