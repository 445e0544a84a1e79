//! Money in minor units and goods in whole units. No floats for either.

use std::fmt;

use crate::codec::{DecodeError, Sink, Source, col};

/// An ISO 4217 currency code, e.g. `EUR`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency([u8; 3]);

impl Currency {
    /// Takes three upper-case letters.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes: [u8; 3] = text.as_bytes().try_into().ok()?;
        bytes.iter().all(u8::is_ascii_uppercase).then_some(Self(bytes))
    }

    /// The three letters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("upper-case ASCII is UTF-8")
    }

    /// Writes the letters as a number in base 26.
    pub fn encode(self, sink: &mut impl Sink) {
        sink.uint(col::CURRENCY, self.0.iter().fold(0, |n, &b| n * 26 + u64::from(b - b'A')));
    }

    /// Reads what [`Currency::encode`] wrote.
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        let n = source.uint(col::CURRENCY)?;
        if n >= 26 * 26 * 26 {
            return Err(DecodeError::Value("currency"));
        }
        let letter = |d: u64| b'A' + (d % 26) as u8;
        Ok(Self([letter(n / 676), letter(n / 26), letter(n)]))
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What one unit of a quantity is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unit {
    /// A piece.
    Each,
    /// A gram; prices of goods in grams are per kilogram.
    Gram,
}

impl Unit {
    /// The word for people and for the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Each => "each",
            Self::Gram => "gram",
        }
    }

    /// Takes the word that [`Unit::as_str`] gives.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "each" => Some(Self::Each),
            "gram" => Some(Self::Gram),
            _ => None,
        }
    }

    /// Writes 0 or 1.
    pub fn encode(self, sink: &mut impl Sink) {
        sink.uint(col::UNIT, (self == Self::Gram).into());
    }

    /// Reads what [`Unit::encode`] wrote.
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        Ok(if source.flag(col::UNIT)? { Self::Gram } else { Self::Each })
    }
}

/// What `quantity` of goods costs at `unit_price` (per piece, or per kilogram for grams), in minor units, half up.
pub fn extend(unit: Unit, quantity: i64, unit_price: i64) -> i64 {
    let product = i128::from(quantity) * i128::from(unit_price);
    let amount = match unit {
        Unit::Each => product,
        Unit::Gram => (product.abs() + 500) / 1000 * product.signum(),
    };
    amount.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grams_round_half_away_from_zero() {
        assert_eq!(extend(Unit::Gram, 1500, 333), 500);
        assert_eq!(extend(Unit::Gram, -1500, 333), -500);
        assert_eq!(extend(Unit::Each, 3, 250), 750);
    }
}
