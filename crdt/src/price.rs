//! Prices: effective-dated, per price book.

use crate::codec::{DecodeError, Sink, Source, col};
use crate::ids::{Code, Sku};
use crate::limits::AMOUNT_MAX;
use crate::money::Currency;

/// "From `from_ms` on, `sku` costs `minor` in `book`", until a price with a later start.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Price {
    /// The price book.
    pub book: Code,
    /// What it is the price of.
    pub sku: Sku,
    /// From when it holds, milliseconds since 1970.
    pub from_ms: u64,
    /// In minor units, per piece or per kilogram. `None` ends an earlier price.
    pub minor: Option<i64>,
    /// Its currency.
    pub currency: Currency,
}

impl Price {
    /// The cell's entity: SKU, then start, so that prices of one SKU lie together in the order of their starts. The book is
    /// named by the scope.
    pub fn entity(&self) -> Vec<u8> {
        Self::entity_of(&self.sku, self.from_ms)
    }

    /// The entity of the price of `sku` that starts at `from_ms`.
    pub fn entity_of(sku: &Sku, from_ms: u64) -> Vec<u8> {
        let mut entity = sku.as_str().as_bytes().to_vec();
        entity.push(0);
        entity.extend(from_ms.to_be_bytes());
        entity
    }

    /// Writes the price.
    pub fn encode(&self, sink: &mut impl Sink) {
        self.book.encode(sink, col::REFERENCE);
        self.sku.encode(sink);
        sink.uint(col::TIME, self.from_ms);
        sink.uint(col::FLAGS, self.minor.is_some().into());
        if let Some(minor) = self.minor {
            sink.int(col::PRICE, minor);
        }
        self.currency.encode(sink);
    }

    /// Reads what [`Price::encode`] wrote.
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        let book = Code::decode(source, col::REFERENCE)?;
        let sku = Sku::decode(source)?;
        let from_ms = source.uint(col::TIME)?;
        let minor =
            if source.flag(col::FLAGS)? { Some(source.int_within(col::PRICE, AMOUNT_MAX, "price")?) } else { None };
        if minor.is_some_and(|m| m < 0) {
            return Err(DecodeError::Value("price"));
        }
        Ok(Self { book, sku, from_ms, minor, currency: Currency::decode(source)? })
    }
}
