//! How single values are written in JSON, paths and queries: ids and codes as text, times in RFC 3339, dates, receipt numbers.

use jiff::civil::Date;
use jiff::{Span, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use stockroom_crdt::gtin::{Embedded, Gtin};
use stockroom_crdt::ids::{Actor, Code, Sku, StoreId, TillId};
use stockroom_crdt::money::{Currency, Unit};
use stockroom_crdt::product::Channel;
use stockroom_crdt::receiving::Disposition;
use stockroom_crdt::sale::{ReceiptNumber, TenderKind};
use stockroom_crdt::stock::promise::PromiseId;
use stockroom_crdt::stock::transit::State;
use stockroom_crdt::transfer::TransferId;

/// A value that is a text in JSON.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Text<T>(pub T);

/// How a value is read from a text and written as one.
pub trait Word: Sized {
    /// Takes what [`Word::write`] gives. The error completes a sentence that begins with the field's name.
    fn read(text: &str) -> Result<Self, String>;

    /// The text.
    fn write(&self) -> String;
}

/// A moment: milliseconds since 1970, written in RFC 3339 (UTC).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub u64);

/// A calendar day: days since 1970, written `2025-12-31`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day(pub u32);

/// A receipt number with its store, written `store-till-series-sequence`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReceiptId {
    /// The store whose till gave it out.
    pub store: StoreId,
    /// The number within the store.
    pub number: ReceiptNumber,
}

impl<T: Word> Serialize for Text<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.write())
    }
}

impl<'de, T: Word> Deserialize<'de> for Text<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        T::read(&text).map(Self).map_err(de::Error::custom)
    }
}

impl<T: Default> Default for Text<T> {
    fn default() -> Self {
        Self(T::default())
    }
}

impl Word for Sku {
    fn read(text: &str) -> Result<Self, String> {
        Self::parse(text).map_err(|error| format!("{error}: a SKU has 1 to 32 letters, digits, '.', '-', '_' or '/'"))
    }

    fn write(&self) -> String {
        self.as_str().into()
    }
}

impl Word for Code {
    fn read(text: &str) -> Result<Self, String> {
        Self::parse(text).map_err(|error| error.to_string())
    }

    fn write(&self) -> String {
        self.as_str().into()
    }
}

impl Word for Gtin {
    fn read(text: &str) -> Result<Self, String> {
        Self::parse(text).map_err(|error| error.to_string())
    }

    fn write(&self) -> String {
        self.to_string()
    }
}

impl Word for Currency {
    fn read(text: &str) -> Result<Self, String> {
        Self::parse(text).ok_or_else(|| "is not an ISO 4217 code of three capital letters".into())
    }

    fn write(&self) -> String {
        self.as_str().into()
    }
}

impl Word for Unit {
    fn read(text: &str) -> Result<Self, String> {
        Self::parse(text).ok_or_else(|| "is neither each nor gram".into())
    }

    fn write(&self) -> String {
        self.as_str().into()
    }
}

impl Word for TenderKind {
    fn read(text: &str) -> Result<Self, String> {
        Self::parse(text).ok_or_else(|| "is not one of cash, card, voucher, other, points".into())
    }

    fn write(&self) -> String {
        self.as_str().into()
    }
}

impl Word for Disposition {
    fn read(text: &str) -> Result<Self, String> {
        Self::parse(text).ok_or_else(|| "is not one of resale, quarantine, scrap".into())
    }

    fn write(&self) -> String {
        self.as_str().into()
    }
}

impl Word for State {
    fn read(text: &str) -> Result<Self, String> {
        Self::parse(text).ok_or_else(|| "is not one of asked, in-transit, received".into())
    }

    fn write(&self) -> String {
        self.as_str().into()
    }
}

impl Word for TransferId {
    fn read(text: &str) -> Result<Self, String> {
        let parts = text.split_once('-').and_then(|(store, number)| Some((digits(store)?, digits(number)?)));
        let id = parts.map(|(store, number)| Self { store: StoreId(store), number });
        let id = id.filter(|id| id.number < Self::NUMBER_END);
        id.ok_or_else(|| "is not the number of a transfer, store-number, e.g. 12-4839201755".into())
    }

    fn write(&self) -> String {
        self.to_string()
    }
}

impl Word for Channel {
    fn read(text: &str) -> Result<Self, String> {
        Self::parse(text).ok_or_else(|| "is not one of till, pickup, delivery".into())
    }

    fn write(&self) -> String {
        self.as_str().into()
    }
}

impl Word for Embedded {
    fn read(text: &str) -> Result<Self, String> {
        match text {
            "price" => Ok(Self::Price),
            "weight" => Ok(Self::Weight),
            _ => Err("is neither price nor weight".into()),
        }
    }

    fn write(&self) -> String {
        match self {
            Self::Price => "price".into(),
            Self::Weight => "weight".into(),
        }
    }
}

impl Word for Actor {
    fn read(text: &str) -> Result<Self, String> {
        let parts = text.split_once('.').and_then(|(node, epoch)| Some((node.parse().ok()?, epoch.parse().ok()?)));
        parts.map(|(node, epoch)| Self::new(node, epoch)).ok_or_else(|| "is not node.epoch".into())
    }

    fn write(&self) -> String {
        self.to_string()
    }
}

impl Word for PromiseId {
    fn read(text: &str) -> Result<Self, String> {
        Self::parse(text).ok_or_else(|| "is not the name of a reservation, e.g. 1.1-00000000000000ff".into())
    }

    fn write(&self) -> String {
        self.to_string()
    }
}

impl Word for Moment {
    fn read(text: &str) -> Result<Self, String> {
        let time: Timestamp =
            text.parse().map_err(|_| "is not a time in RFC 3339, e.g. 2025-12-31T23:59:00Z".to_owned())?;
        u64::try_from(time.as_millisecond()).map(Self).map_err(|_| "lies before 1970".into())
    }

    fn write(&self) -> String {
        let ms = i64::try_from(self.0).unwrap_or(i64::MAX);
        Timestamp::from_millisecond(ms).unwrap_or(Timestamp::MAX).to_string()
    }
}

impl Word for Day {
    fn read(text: &str) -> Result<Self, String> {
        let date: Date = text.parse().map_err(|_| "is not a date, e.g. 2025-12-31".to_owned())?;
        let days = date.since(epoch_day()).map(|span| span.get_days());
        days.ok().and_then(|days| u32::try_from(days).ok()).map(Self).ok_or_else(|| "lies before 1970".into())
    }

    fn write(&self) -> String {
        let days = Span::new().try_days(self.0);
        days.and_then(|days| epoch_day().checked_add(days)).unwrap_or(Date::MAX).to_string()
    }
}

impl Word for ReceiptId {
    fn read(text: &str) -> Result<Self, String> {
        let wrong = || "is not a receipt number store-till-series-sequence, e.g. 12-3-1-4711".to_owned();
        let parts: Vec<&str> = text.split('-').collect();
        let [store, till, series, sequence] = parts.as_slice() else { return Err(wrong()) };
        Ok(Self {
            store: StoreId(digits(store).ok_or_else(wrong)?),
            number: ReceiptNumber {
                till: TillId(digits(till).ok_or_else(wrong)?),
                series: digits(series).ok_or_else(wrong)?,
                sequence: digits(sequence).ok_or_else(wrong)?,
            },
        })
    }

    fn write(&self) -> String {
        let ReceiptNumber { till, series, sequence } = self.number;
        format!("{}-{}-{series}-{sequence}", self.store.0, till.0)
    }
}

/// A number in its one spelling: no sign, no leading zero.
pub fn digits<T: std::str::FromStr + ToString>(text: &str) -> Option<T> {
    let number: T = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

/// A moment that may be unknown: 0 is none.
pub fn moment(ms: u64) -> Option<Text<Moment>> {
    (ms != 0).then_some(Text(Moment(ms)))
}

/// The time, for ages and bounds of times; never for what is written.
pub fn now_ms() -> u64 {
    u64::try_from(Timestamp::now().as_millisecond()).unwrap_or(0)
}

fn epoch_day() -> Date {
    jiff::civil::date(1970, 1, 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_number_has_one_spelling() {
        let id = ReceiptId { store: StoreId(12), number: ReceiptNumber { till: TillId(3), series: 1, sequence: 4711 } };
        assert_eq!(id.write(), "12-3-1-4711");
        assert_eq!(ReceiptId::read("12-3-1-4711"), Ok(id));
        for wrong in ["", "12-3-1", "12-3-1-4711-5", "12-3-1--1", "+12-3-1-1", "012-3-1-1", "12-3-65536-1", "a-b-c-d"] {
            assert!(ReceiptId::read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn times_and_days_survive_being_written() {
        assert_eq!(Moment(1_767_225_540_000).write(), "2025-12-31T23:59:00Z");
        assert_eq!(Moment::read("2025-12-31T23:59:00Z"), Ok(Moment(1_767_225_540_000)));
        assert_eq!(Moment::read("2026-01-01T00:59:00+01:00"), Ok(Moment(1_767_225_540_000)));
        assert!(Moment::read("1969-12-31T23:59:59Z").is_err());
        assert!(Moment::read("yesterday").is_err());
        assert_eq!(Moment(u64::MAX).write().len(), "9999-12-30T22:00:00.999999999Z".len());
        assert_eq!(Day(20_453).write(), "2025-12-31");
        assert_eq!(Day::read("2025-12-31"), Ok(Day(20_453)));
        assert!(Day::read("1969-12-31").is_err());
        assert!(Day::read("2025-13-01").is_err());
    }
}
