//! What a courier is asked to do: which goods from where to where, for whom, by when.
//!
//! A [`Job`] is kept; a [`Contact`] never is. Names and telephones are asked for when a courier service has to be told, and their
//! `Debug` shows nothing.

use std::fmt;

use serde::{Deserialize, Serialize};
use stockroom_crdt::control::Coordinates;
use stockroom_crdt::ids::StoreId;
use stockroom_crdt::money::Currency;

use crate::courier::limits::{DELIVERY_ID_BYTES_MAX, TEXT_CHARS_MAX};

/// Our name for one delivery, the same over all attempts: letters, digits, `-`, `_` and `.`, at most 64 bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DeliveryId(String);

impl DeliveryId {
    /// Takes a well-formed id.
    pub fn parse(text: &str) -> Option<Self> {
        let fits = (1..=DELIVERY_ID_BYTES_MAX).contains(&text.len());
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        (fits && text.bytes().all(plain)).then(|| Self(text.into()))
    }

    /// The id.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What a courier service is told: the delivery and the attempt.
    pub fn external(&self, attempt: u32) -> ExternalId {
        ExternalId { delivery: self.clone(), attempt }
    }
}

impl TryFrom<String> for DeliveryId {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("not a delivery id")
    }
}

impl From<DeliveryId> for String {
    fn from(id: DeliveryId) -> Self {
        id.0
    }
}

impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One attempt of one delivery, shown as `<delivery>~<attempt>`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ExternalId {
    /// Which delivery.
    pub delivery: DeliveryId,
    /// Counts from 1.
    pub attempt: u32,
}

impl ExternalId {
    /// Reads what `Display` wrote; anything else is somebody else's order.
    pub fn parse(text: &str) -> Option<Self> {
        let (delivery, attempt) = text.rsplit_once('~')?;
        let canonical = attempt.bytes().all(|byte| byte.is_ascii_digit()) && !attempt.starts_with('0');
        let attempt = attempt.parse().ok().filter(|_| canonical)?;
        Some(Self { delivery: DeliveryId::parse(delivery)?, attempt })
    }
}

impl fmt::Display for ExternalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}~{}", self.delivery, self.attempt)
    }
}

/// Money in minor units.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Amount {
    /// Cents, fen, yen.
    pub minor: i64,
    /// Of which currency.
    #[serde(with = "currency")]
    pub currency: Currency,
}

/// Goods of one kind, as a courier is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// Their name for people.
    pub name: String,
    /// Pieces or packs.
    pub count: u32,
    /// Price of one, minor units.
    pub each_minor: i64,
    /// Paid for all of them, minor units.
    pub paid_minor: i64,
}

/// One delivery to be made. Holds nothing about the person who gets it but where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// Our name for it.
    pub delivery: DeliveryId,
    /// From which store.
    #[serde(with = "store")]
    pub store: StoreId,
    /// Where the store is.
    #[serde(with = "point")]
    pub from: Coordinates,
    /// Where the goods go.
    #[serde(with = "point")]
    pub to: Coordinates,
    /// What is in the bags.
    pub goods: Vec<Item>,
    /// How many bags; all must be scanned when they are handed to the courier.
    pub bags: u32,
    /// Of everything.
    pub weight_g: u64,
    /// What the goods are worth.
    pub value: Amount,
    /// Given to the courier on top of the fee, minor units of the same currency.
    pub tip_minor: i64,
    /// Short code on the bag; the courier shows it at the store.
    pub bag_code: String,
    /// When a courier is first asked for.
    pub ask_ms: u64,
    /// When the bags are expected to be ready.
    pub ready_ms: u64,
    /// When the customer was promised to have the goods.
    pub due_ms: u64,
    /// The rider must look at a document: at least so many years.
    pub age_min: Option<u8>,
}

/// Who gets the goods. Given when needed, kept nowhere.
#[derive(Clone, PartialEq, Eq)]
pub struct Contact {
    /// Name.
    pub name: String,
    /// Telephone.
    pub phone: String,
    /// Street, number, floor.
    pub address: String,
    /// What the customer wrote for the courier; may be empty.
    pub note: String,
}

impl fmt::Debug for Contact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Contact(..)")
    }
}

/// Opens the sealed contact of a delivery when a courier service has to be told.
pub trait Contacts {
    /// `None` when there is none (any more): the delivery then waits for a person.
    fn contact(&self, delivery: &DeliveryId) -> Option<Contact>;
}

impl<F: Fn(&DeliveryId) -> Option<Contact>> Contacts for F {
    fn contact(&self, delivery: &DeliveryId) -> Option<Contact> {
        self(delivery)
    }
}

/// A courier, as the customer and the store may see. Never logged.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Person {
    /// Name.
    pub name: String,
    /// Telephone.
    pub phone: String,
}

impl Person {
    /// Cuts what came from outside to a bearable length; nobody without a name and a telephone.
    pub fn of(name: &str, phone: &str) -> Option<Self> {
        (!name.is_empty() || !phone.is_empty()).then(|| Self { name: clipped(name), phone: clipped(phone) })
    }
}

impl fmt::Debug for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Person(..)")
    }
}

/// At most [`TEXT_CHARS_MAX`] characters of a text from outside, without control characters.
pub fn clipped(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(TEXT_CHARS_MAX).collect()
}

/// A [`Coordinates`] as `[latitude, longitude]` in millionths of a degree.
pub mod point {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use stockroom_crdt::control::Coordinates;

    /// Writes the pair.
    pub fn serialize<S: Serializer>(point: &Coordinates, to: S) -> Result<S::Ok, S::Error> {
        (point.latitude, point.longitude).serialize(to)
    }

    /// Reads the pair, if it is on the globe.
    pub fn deserialize<'a, D: Deserializer<'a>>(from: D) -> Result<Coordinates, D::Error> {
        let (latitude, longitude) = Deserialize::deserialize(from)?;
        Coordinates::new(latitude, longitude).ok_or_else(|| D::Error::custom("not on the globe"))
    }
}

/// A [`Currency`] as its three letters.
mod currency {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};
    use stockroom_crdt::money::Currency;

    pub fn serialize<S: Serializer>(currency: &Currency, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(currency.as_str())
    }

    pub fn deserialize<'a, D: Deserializer<'a>>(from: D) -> Result<Currency, D::Error> {
        let text = String::deserialize(from)?;
        Currency::parse(&text).ok_or_else(|| D::Error::custom("not a currency"))
    }
}

/// A [`StoreId`] as its number.
pub mod store {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use stockroom_crdt::ids::StoreId;

    /// Writes the number.
    pub fn serialize<S: Serializer>(store: &StoreId, to: S) -> Result<S::Ok, S::Error> {
        store.0.serialize(to)
    }

    /// Reads the number.
    pub fn deserialize<'a, D: Deserializer<'a>>(from: D) -> Result<StoreId, D::Error> {
        u32::deserialize(from).map(StoreId)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_external_id_names_one_attempt_and_is_read_back() {
        let id = DeliveryId::parse("7-1234567890.2").unwrap().external(3);
        assert_eq!(id.to_string(), "7-1234567890.2~3");
        assert_eq!(ExternalId::parse(&id.to_string()), Some(id));
        for strange in ["", "~1", "a~", "a~0", "a~01", "a~-1", "a", "a b~1", "a~1~x", "a~99999999999"] {
            assert_eq!(ExternalId::parse(strange), None, "{strange}");
        }
    }

    #[test]
    fn nobody_is_named_by_debug() {
        let person = Person::of("Wang", "13800000000").unwrap();
        assert_eq!(format!("{person:?}"), "Person(..)");
        assert_eq!(Person::of("", ""), None);
        assert_eq!(clipped("a\nb\u{7}").len(), 2);
    }
}
