//! The order as it was placed, and what was paid for it.

use super::OrderId;
use crate::codec::{DecodeError, Sink, Source, col};
use crate::control::Coordinates;
use crate::ids::{Code, Sku};
use crate::limits::{AMOUNT_MAX, ORDER_LINES_MAX, QUANTITY_MAX, SEALED_BYTES_MAX};
use crate::money::{Currency, Unit, extend};
use crate::product::Channel;

/// What a customer ordered. Stands in the scope of its home; stores get their parts as offers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Order {
    /// Its name.
    pub id: OrderId,
    /// How the customer gets the goods.
    pub channel: Channel,
    /// Where it was placed: the app, a marketplace, a till.
    pub source: Code,
    /// Its number there.
    pub reference: Code,
    /// The legal entity that sells; empty for the fulfilling store's own.
    pub entity: Code,
    /// Of all amounts.
    pub currency: Currency,
    /// When it was placed, milliseconds since 1970.
    pub placed_ms: u64,
    /// Until when it was promised to be ready, or delivered, milliseconds since 1970.
    pub due_ms: u64,
    /// Nobody picks it before, milliseconds since 1970; 0 for at once. A pre-order.
    pub release_ms: u64,
    /// When goods are missing, the lower priority goes without first.
    pub priority: u8,
    /// Where it is to be delivered.
    pub place: Option<Coordinates>,
    /// Name, phone and address, sealed to the home; empty for none.
    pub contact: Vec<u8>,
    /// Salted hash of the last four digits of the customer's phone, see [`super::offer::phone_hash`]; zeros for none.
    pub phone: [u8; 8],
    /// What is ordered.
    pub lines: Vec<OrderLine>,
}

/// One line of an [`Order`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OrderLine {
    /// What.
    pub sku: Sku,
    /// In which unit.
    pub unit: Unit,
    /// How many, at least 1.
    pub quantity: i64,
    /// Minor units per piece or per kilogram.
    pub unit_price: i64,
    /// Age that whoever takes it must have reached; 0 for none.
    pub age_min: u8,
    /// What the customer wants when it is not there.
    pub preference: Preference,
    /// By how much more a weighed line may be picked than was ordered, percent.
    pub tolerance_percent: u8,
}

/// What a customer wants when goods are not there.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum Preference {
    /// To be asked; without an answer, what is there and the money back for the rest.
    #[default]
    Ask = 0,
    /// Something similar that does not cost more.
    Substitute = 1,
    /// What is there, and the money back for the rest.
    Partial = 2,
    /// The whole line or nothing of it.
    Whole = 3,
}

/// What was paid for an order, as the payment gateway told its home. Every number only grows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Payment {
    /// For which order.
    pub order: OrderId,
    /// What may be captured at most.
    pub authorised: i64,
    /// What was taken.
    pub captured: i64,
    /// What was given back.
    pub refunded: i64,
    /// The gateway's own number.
    pub reference: Code,
}

impl OrderLine {
    /// What so many units of the line cost.
    pub fn amount(&self, quantity: i64) -> i64 {
        extend(self.unit, quantity, self.unit_price)
    }

    fn encode(&self, sink: &mut impl Sink) {
        self.sku.encode(sink);
        self.unit.encode(sink);
        sink.int(col::QUANTITY, self.quantity);
        sink.int(col::PRICE, self.unit_price);
        sink.uint(col::LINE_FLAGS, wishes(self.preference, self.age_min, self.tolerance_percent));
    }

    fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        let sku = Sku::decode(source)?;
        let unit = Unit::decode(source)?;
        let quantity = source.int_within(col::QUANTITY, QUANTITY_MAX, "quantity")?;
        let unit_price = source.int_within(col::PRICE, AMOUNT_MAX, "price")?;
        let (preference, age_min, tolerance_percent) = read_wishes(source.uint(col::LINE_FLAGS)?)?;
        if quantity < 1 || unit_price < 0 {
            return Err(DecodeError::Value("line of an order"));
        }
        Ok(Self { sku, unit, quantity, unit_price, age_min, preference, tolerance_percent })
    }
}

impl Order {
    /// What it costs as ordered.
    pub fn total(&self) -> i64 {
        self.lines.iter().fold(0, |sum: i64, line| sum.saturating_add(line.amount(line.quantity)))
    }

    /// Writes the order.
    pub fn encode(&self, sink: &mut impl Sink) {
        self.id.encode(sink);
        let has = [!self.contact.is_empty(), self.place.is_some(), self.phone != [0; 8]];
        let flags: u64 = has.iter().enumerate().map(|(bit, has)| u64::from(*has) << bit).sum();
        sink.uint(col::FLAGS, (self.channel as u64) << has.len() | flags);
        self.source.encode(sink, col::TAX_CODE);
        self.reference.encode(sink, col::REFERENCE);
        self.entity.encode(sink, col::ENTITY);
        self.currency.encode(sink);
        [self.placed_ms, self.due_ms, self.release_ms].into_iter().for_each(|time| sink.uint(col::TIME, time));
        sink.uint(col::E, u64::from(self.priority));
        if let Some(place) = self.place {
            place.encode(sink);
        }
        if has[0] {
            sink.blob(col::FISCAL, &self.contact);
        }
        if has[2] {
            sink.array(col::KEY, &self.phone);
        }
        sink.uint(col::LINE_COUNT, self.lines.len() as u64);
        self.lines.iter().for_each(|line| line.encode(sink));
    }

    /// Reads what [`Order::encode`] wrote.
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        let id = OrderId::decode(source)?;
        let flags = source.uint(col::FLAGS)?;
        let channel = decode_channel(flags >> 3)?;
        let origin = Code::decode(source, col::TAX_CODE)?;
        let reference = Code::decode(source, col::REFERENCE)?;
        let entity = Code::decode(source, col::ENTITY)?;
        let currency = Currency::decode(source)?;
        let [placed_ms, due_ms, release_ms] =
            [source.uint(col::TIME)?, source.uint(col::TIME)?, source.uint(col::TIME)?];
        let priority = source.u8(col::E)?;
        let place = if flags & 2 == 2 { Some(Coordinates::decode(source)?) } else { None };
        let contact = if flags & 1 == 1 { decode_sealed(source)? } else { Vec::new() };
        let phone = if flags & 4 == 4 { source.array(col::KEY)? } else { [0; 8] };
        let count = source.count(col::LINE_COUNT, ORDER_LINES_MAX, "lines of an order")?;
        let mut lines = Vec::new();
        for _ in 0..count {
            lines.push(OrderLine::decode(source)?);
        }
        if lines.is_empty() {
            return Err(DecodeError::Value("order"));
        }
        Ok(Self {
            id,
            channel,
            source: origin,
            reference,
            entity,
            currency,
            placed_ms,
            due_ms,
            release_ms,
            priority,
            place,
            contact,
            phone,
            lines,
        })
    }
}

impl Preference {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Ask, Self::Substitute, Self::Partial, Self::Whole];

    /// The word for the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ask => "ask",
            Self::Substitute => "substitute",
            Self::Partial => "partial",
            Self::Whole => "whole",
        }
    }

    /// Takes the word that [`Preference::as_str`] gives.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|preference| preference.as_str() == text)
    }
}

impl Payment {
    /// Nothing paid.
    pub fn none(order: OrderId) -> Self {
        Self { order, authorised: 0, captured: 0, refunded: 0, reference: Code::default() }
    }

    /// Joins what another report says: of each number the larger one counts.
    pub fn join(&mut self, other: &Self) {
        self.authorised = self.authorised.max(other.authorised);
        self.captured = self.captured.max(other.captured);
        self.refunded = self.refunded.max(other.refunded);
        if self.reference.is_empty() || (!other.reference.is_empty() && other.reference < self.reference) {
            self.reference = other.reference.clone();
        }
    }

    /// Writes the payment.
    pub fn encode(&self, sink: &mut impl Sink) {
        self.order.encode(sink);
        [self.authorised, self.captured, self.refunded].into_iter().for_each(|amount| sink.int(col::AMOUNT, amount));
        self.reference.encode(sink, col::REFERENCE);
    }

    /// Reads what [`Payment::encode`] wrote.
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        let order = OrderId::decode(source)?;
        let mut amount = || source.int_within(col::AMOUNT, AMOUNT_MAX, "amount");
        let (authorised, captured, refunded) = (amount()?, amount()?, amount()?);
        if authorised < 0 || captured < 0 || refunded < 0 || refunded > captured {
            return Err(DecodeError::Value("payment"));
        }
        Ok(Self { order, authorised, captured, refunded, reference: Code::decode(source, col::REFERENCE)? })
    }
}

/// Preference, age and tolerance in one number.
pub(super) fn wishes(preference: Preference, age_min: u8, tolerance_percent: u8) -> u64 {
    preference as u64 | u64::from(tolerance_percent) << 2 | u64::from(age_min) << 10
}

/// Reads what [`wishes`] wrote.
pub(super) fn read_wishes(number: u64) -> Result<(Preference, u8, u8), DecodeError> {
    let age_min = u8::try_from(number >> 10).map_err(|_| DecodeError::Value("age"))?;
    let tolerance = (number >> 2 & 0xff) as u8;
    let preference = Preference::ALL[(number & 3) as usize];
    if tolerance > 100 { Err(DecodeError::Value("tolerance")) } else { Ok((preference, age_min, tolerance)) }
}

/// A channel by its number.
pub(super) fn decode_channel(number: u64) -> Result<Channel, DecodeError> {
    Channel::ALL.into_iter().find(|channel| *channel as u64 == number).ok_or(DecodeError::Value("channel"))
}

/// Sealed bytes that are there.
pub(super) fn decode_sealed(source: &mut impl Source) -> Result<Vec<u8>, DecodeError> {
    let bytes = source.blob(col::FISCAL, SEALED_BYTES_MAX)?;
    if bytes.is_empty() { Err(DecodeError::Value("sealed contact")) } else { Ok(bytes) }
}
