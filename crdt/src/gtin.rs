//! Article numbers: GTIN-14 with its GS1 check digit, and in-store codes (prefix 20-29) with an embedded price or weight.
//!
//! Formula: GS1 General Specifications 7.9: from the right, without the check digit, weights 3, 1, 3, 1, ...

use std::fmt;

use crate::codec::{DecodeError, Sink, Source, col};

/// A GTIN as 14 digits, left-padded with zeros. Its check digit is right.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Gtin(u64);

/// Why a scanned text is not a GTIN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GtinError {
    /// Not 8, 12, 13 or 14 characters.
    #[error("a GTIN has 8, 12, 13 or 14 digits")]
    Length,
    /// Something else than digits.
    #[error("a GTIN has digits only")]
    Digits,
    /// The last digit does not fit the others.
    #[error("wrong check digit: expected {expected}, found {found}")]
    Check {
        /// What the formula gives.
        expected: u8,
        /// What was scanned.
        found: u8,
    },
}

impl Gtin {
    /// Checks and takes a GTIN-8, -12, -13 or -14.
    pub fn parse(text: &str) -> Result<Self, GtinError> {
        if !matches!(text.len(), 8 | 12 | 13 | 14) {
            return Err(GtinError::Length);
        }
        if !text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(GtinError::Digits);
        }
        let number: u64 = text.parse().map_err(|_| GtinError::Digits)?;
        Self::from_number(number)
    }

    /// Checks and takes a GTIN given as a number.
    pub fn from_number(number: u64) -> Result<Self, GtinError> {
        if number >= 100_000_000_000_000 {
            return Err(GtinError::Length);
        }
        let (expected, found) = (check_digit(number / 10), (number % 10) as u8);
        if expected == found { Ok(Self(number)) } else { Err(GtinError::Check { expected, found }) }
    }

    /// The number behind the digits.
    pub fn number(self) -> u64 {
        self.0
    }

    /// True for restricted circulation inside a shop (GS1 prefixes 020-029 and 20-29 of an EAN-13).
    pub fn is_in_store(self) -> bool {
        matches!(self.0 / 100_000_000_000, 20..=29)
    }

    /// Writes the number without its check digit, which is derived.
    pub fn encode(self, sink: &mut impl Sink) {
        sink.uint(col::GTIN, self.0 / 10);
    }

    /// Reads what [`Gtin::encode`] wrote.
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        let body = source.uint(col::GTIN)?;
        if body >= 10_000_000_000_000 {
            return Err(DecodeError::Value("gtin"));
        }
        Ok(Self(body * 10 + u64::from(check_digit(body))))
    }
}

impl fmt::Display for Gtin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:014}", self.0)
    }
}

impl fmt::Debug for Gtin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What an in-store code carries beside the article.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Embedded {
    /// The price of this package, in minor units.
    Price,
    /// The weight of this package, in grams after scaling by the template's decimals.
    Weight,
}

/// The layout of in-store codes with one prefix: `PP` + item digits + value digits + check digit = 13 digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Template {
    /// 20..=29.
    pub prefix: u8,
    /// How many digits name the article; the rest up to the check digit is the value. 4..=6.
    pub item_digits: u8,
    /// What the value is.
    pub embedded: Embedded,
    /// Powers of ten by which the value is multiplied: grams from a value in 10 g is 1. 0..=3.
    pub scale: u8,
}

impl Template {
    /// True when prefix, digits and scale are within their ranges.
    pub fn is_valid(&self) -> bool {
        (20..=29).contains(&self.prefix) && (4..=6).contains(&self.item_digits) && self.scale <= 3
    }

    /// Splits a scanned in-store code into (article number, value). `None` if the code has another prefix.
    pub fn split(&self, code: Gtin) -> Option<(u32, i64)> {
        if !code.is_in_store() || code.0 / 100_000_000_000 != u64::from(self.prefix) {
            return None;
        }
        let body = (code.0 / 10) % 10_000_000_000;
        let value_scale = 10u64.pow(u32::from(10 - self.item_digits));
        let value = (body % value_scale) * 10u64.pow(u32::from(self.scale));
        Some(((body / value_scale) as u32, value as i64))
    }

    /// Writes the template.
    pub fn encode(&self, sink: &mut impl Sink) {
        sink.uint(col::A, u64::from(self.prefix));
        sink.uint(col::B, u64::from(self.item_digits));
        sink.uint(col::C, matches!(self.embedded, Embedded::Weight).into());
        sink.uint(col::D, u64::from(self.scale));
    }

    /// Reads what [`Template::encode`] wrote.
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        let template = Self {
            prefix: source.u8(col::A)?,
            item_digits: source.u8(col::B)?,
            embedded: if source.flag(col::C)? { Embedded::Weight } else { Embedded::Price },
            scale: source.u8(col::D)?,
        };
        if template.is_valid() { Ok(template) } else { Err(DecodeError::Value("template")) }
    }
}

/// The check digit of the digits in `body` (a number without its check digit).
fn check_digit(mut body: u64) -> u8 {
    let (mut sum, mut weight) = (0, 3);
    while body > 0 {
        sum += (body % 10) * weight;
        weight = 4 - weight;
        body /= 10;
    }
    ((10 - sum % 10) % 10) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_numbers_have_right_check_digits() {
        for text in ["4006381333931", "036000291452", "96385074", "10012345678902", "0000000001311"] {
            assert!(Gtin::parse(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn one_wrong_digit_is_found() {
        assert_eq!(Gtin::parse("4006381333932"), Err(GtinError::Check { expected: 1, found: 2 }));
        assert_eq!(Gtin::parse("400638133393"), Err(GtinError::Check { expected: 0, found: 3 }));
        assert_eq!(Gtin::parse("40063813339x1"), Err(GtinError::Digits));
        assert_eq!(Gtin::parse("4006381"), Err(GtinError::Length));
    }

    #[test]
    fn weight_is_read_from_an_in_store_code() {
        let template = Template { prefix: 21, item_digits: 5, embedded: Embedded::Weight, scale: 0 };
        let body = 211_234_500_750;
        let code = Gtin::from_number(body * 10 + u64::from(check_digit(body))).unwrap();
        assert_eq!(template.split(code), Some((12345, 750)));
        let other = Template { prefix: 22, ..template };
        assert_eq!(other.split(code), None);
    }
}
