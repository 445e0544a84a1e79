//! Offers: the part of an order that one store is to fulfil.
//!
//! The home offers each part once per *generation*, a number that grows with every decision about the route. The offer holds all that the
//! store needs to work while it is cut off. Behind each line stands a promise whose name follows from the offer.

use super::OrderId;
use super::header::{Preference, decode_channel, decode_sealed, read_wishes, wishes};
use crate::codec::{DecodeError, Rows, Sink, Source, col};
use crate::ids::{Actor, Code, Digest, Sku, StoreId};
use crate::limits::{AMOUNT_MAX, ORDER_LINES_MAX, QUANTITY_MAX};
use crate::money::{Currency, Unit, extend};
use crate::product::Channel;
use crate::stock::promise::PromiseId;

/// The part of an order that one store is to fulfil. Stands in `store/<id>/orders`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Offer {
    /// Of which order.
    pub order: OrderId,
    /// Which decision of its home, from 1.
    pub generation: u16,
    /// Who made the promises behind its lines.
    pub issuer: Actor,
    /// How the customer gets the goods.
    pub channel: Channel,
    /// Another store that was silent may still hold the same lines.
    pub speculative: bool,
    /// The legal entity that sold; empty for the store's own.
    pub entity: Code,
    /// Of all amounts.
    pub currency: Currency,
    /// When it is to be ready, or delivered, milliseconds since 1970.
    pub due_ms: u64,
    /// For how long the store may leave it unanswered, milliseconds from the moment that it sees it. A span and not a time: clocks
    /// may be wrong.
    pub accept_within_ms: u64,
    /// Nobody picks it before, milliseconds since 1970; 0 for at once.
    pub release_ms: u64,
    /// For how long it is kept ready for the customer, milliseconds.
    pub hold_ms: u64,
    /// Salted hash of the pickup code, see [`code_hash`]; zeros for none.
    pub code: [u8; 16],
    /// Salted hash of the last four digits of the phone, see [`phone_hash`]; zeros for none.
    pub phone: [u8; 8],
    /// Name, phone and address for a delivery, sealed to the store; empty for none.
    pub contact: Vec<u8>,
    /// What is offered, in the order of line numbers.
    pub lines: Vec<OfferLine>,
}

/// One line of an [`Offer`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OfferLine {
    /// Which line of the order, from 0.
    pub line: u16,
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

/// The name of the promise behind one line of an offer. It follows from the offer, so a store that knows only a pass knows it too.
pub fn promise_of(issuer: Actor, order: OrderId, (generation, store, line): (u16, StoreId, u16)) -> PromiseId {
    let bytes = Rows::of(|sink| {
        order.encode(sink);
        for number in [u64::from(generation), u64::from(store.0), u64::from(line)] {
            sink.uint(col::A, number);
        }
    });
    let digest = Digest::of(&[b"promise of an order", &bytes]);
    PromiseId { issuer, number: u64::from_be_bytes(std::array::from_fn(|at| digest.0[at])) }
}

/// The six digits with which a customer collects an order, or takes a delivery. They follow from a secret of its home, so that they can be
/// sent again and stand nowhere.
pub fn pickup_code(secret: &[u8; 32], order: OrderId) -> String {
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret);
    let tag = ring::hmac::sign(&key, &[b"pickup code ".as_slice(), order.to_string().as_bytes()].concat());
    let number: [u8; 8] = std::array::from_fn(|at| tag.as_ref()[at]);
    format!("{:06}", u64::from_be_bytes(number) % 1_000_000)
}

/// The hash of a pickup code as an offer holds it. Six digits are guessed from any hash within hours: it keeps a code from being read by
/// chance, tries are what is limited.
pub fn code_hash(order: OrderId, code: &str) -> [u8; 16] {
    stretched(b"pickup code", order, code)
}

/// With what [`code_hash`] salts the codes of an order: PBKDF2 with HMAC-SHA-256, [`STRETCH_ROUNDS`] rounds, 16 bytes.
pub fn code_salt(order: OrderId) -> Vec<u8> {
    salt(b"pickup code", order)
}

/// The hash of the last four digits of a customer's phone, by which staff find the order.
pub fn phone_hash(order: OrderId, digits: &str) -> [u8; 8] {
    let hash = Digest::of(&[b"phone", &Rows::of(|sink| order.encode(sink)), digits.as_bytes()]);
    std::array::from_fn(|at| hash.0[at])
}

fn stretched(label: &[u8], order: OrderId, secret: &str) -> [u8; 16] {
    let salt = salt(label, order);
    let mut out = [0; 16];
    let rounds = std::num::NonZeroU32::new(STRETCH_ROUNDS).expect("rounds are not zero");
    ring::pbkdf2::derive(ring::pbkdf2::PBKDF2_HMAC_SHA256, rounds, &salt, secret.as_bytes(), &mut out);
    out
}

fn salt(label: &[u8], order: OrderId) -> Vec<u8> {
    [label, &Rows::of(|sink| order.encode(sink))].concat()
}

/// About a millisecond: a store's node compares a code while a customer stands at the counter.
pub const STRETCH_ROUNDS: u32 = 1_000;

impl OfferLine {
    /// What so many units of the line cost.
    pub fn amount(&self, quantity: i64) -> i64 {
        extend(self.unit, quantity, self.unit_price)
    }

    /// The most that may be picked of it: weighed goods may exceed what was ordered by the tolerance.
    pub fn quantity_max(&self) -> i64 {
        match self.unit {
            Unit::Gram => {
                self.quantity.saturating_add(self.quantity.saturating_mul(self.tolerance_percent.into()) / 100)
            }
            Unit::Each => self.quantity,
        }
    }

    pub(super) fn encode(&self, sink: &mut impl Sink) {
        sink.uint(col::B, u64::from(self.line));
        self.sku.encode(sink);
        self.unit.encode(sink);
        sink.int(col::QUANTITY, self.quantity);
        sink.int(col::PRICE, self.unit_price);
        sink.uint(col::LINE_FLAGS, wishes(self.preference, self.age_min, self.tolerance_percent));
    }

    pub(super) fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        let line = source.u16(col::B)?;
        let sku = Sku::decode(source)?;
        let unit = Unit::decode(source)?;
        let quantity = source.int_within(col::QUANTITY, QUANTITY_MAX, "quantity")?;
        let unit_price = source.int_within(col::PRICE, AMOUNT_MAX, "price")?;
        let (preference, age_min, tolerance_percent) = read_wishes(source.uint(col::LINE_FLAGS)?)?;
        if quantity < 1 || unit_price < 0 {
            return Err(DecodeError::Value("line of an offer"));
        }
        Ok(Self { line, sku, unit, quantity, unit_price, age_min, preference, tolerance_percent })
    }
}

impl Offer {
    /// The promise behind one of its lines, at the store where it stands.
    pub fn promise(&self, store: StoreId, line: u16) -> PromiseId {
        promise_of(self.issuer, self.order, (self.generation, store, line))
    }

    /// One of its lines.
    pub fn line(&self, line: u16) -> Option<&OfferLine> {
        self.lines.iter().find(|offered| offered.line == line)
    }

    /// Writes the offer.
    pub fn encode(&self, sink: &mut impl Sink) {
        self.order.encode(sink);
        sink.uint(col::C, u64::from(self.generation));
        self.issuer.encode(sink);
        let has = [
            self.speculative,
            !self.contact.is_empty(),
            self.code != [0; 16],
            self.phone != [0; 8],
            self.release_ms != 0,
            !self.entity.is_empty(),
        ];
        let flags = has.iter().enumerate().map(|(bit, has)| u64::from(*has) << bit).sum::<u64>();
        sink.uint(col::FLAGS, (self.channel as u64) << has.len() | flags);
        self.currency.encode(sink);
        sink.uint(col::TIME, self.due_ms);
        sink.uint(col::A, self.accept_within_ms);
        sink.uint(col::E, self.hold_ms);
        if self.release_ms != 0 {
            sink.uint(col::TIME, self.release_ms);
        }
        if !self.entity.is_empty() {
            self.entity.encode(sink, col::ENTITY);
        }
        if self.code != [0; 16] {
            sink.array(col::DIGEST, &self.code);
        }
        if self.phone != [0; 8] {
            sink.array(col::KEY, &self.phone);
        }
        if !self.contact.is_empty() {
            sink.blob(col::FISCAL, &self.contact);
        }
        encode_lines(&self.lines, sink);
    }

    /// Reads what [`Offer::encode`] wrote.
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        let order = OrderId::decode(source)?;
        let generation = source.u16(col::C)?;
        let issuer = Actor::decode(source)?;
        let flags = source.uint(col::FLAGS)?;
        let has = |bit: u64| flags >> bit & 1 == 1;
        let channel = decode_channel(flags >> 6)?;
        let currency = Currency::decode(source)?;
        let due_ms = source.uint(col::TIME)?;
        let accept_within_ms = source.uint(col::A)?;
        let hold_ms = source.uint(col::E)?;
        let release_ms = if has(4) { source.uint(col::TIME)? } else { 0 };
        let entity = if has(5) { Code::decode(source, col::ENTITY)? } else { Code::default() };
        let code = if has(2) { source.array(col::DIGEST)? } else { [0; 16] };
        let phone = if has(3) { source.array(col::KEY)? } else { [0; 8] };
        let contact = if has(1) { decode_sealed(source)? } else { Vec::new() };
        let lines = decode_lines(source)?;
        if generation == 0 {
            return Err(DecodeError::Value("generation"));
        }
        Ok(Self {
            order,
            generation,
            issuer,
            channel,
            speculative: has(0),
            entity,
            currency,
            due_ms,
            accept_within_ms,
            release_ms,
            hold_ms,
            code,
            phone,
            contact,
            lines,
        })
    }
}

/// Writes lines.
pub(super) fn encode_lines(lines: &[OfferLine], sink: &mut impl Sink) {
    sink.uint(col::LINE_COUNT, lines.len() as u64);
    lines.iter().for_each(|line| line.encode(sink));
}

/// Reads at least one line, each once, in ascending order.
pub(super) fn decode_lines(source: &mut impl Source) -> Result<Vec<OfferLine>, DecodeError> {
    let count = source.count(col::LINE_COUNT, ORDER_LINES_MAX, "lines of an order")?;
    let mut lines: Vec<OfferLine> = Vec::new();
    for _ in 0..count {
        let line = OfferLine::decode(source)?;
        if lines.last().is_some_and(|last| last.line >= line.line) {
            return Err(DecodeError::Value("lines"));
        }
        lines.push(line);
    }
    if lines.is_empty() { Err(DecodeError::Value("lines")) } else { Ok(lines) }
}
