//! Returns: goods that a customer brings back, to whichever store, and what the seller says to it.
//!
//! How much of a receipt may come back is the selling store's to say. The store that takes goods writes [`GoodsReturn`] among its own
//! movements, where it has its effect on stock; a hub carries it to the seller, whose [`ReturnGrant`] decides, and carries
//! that back. Money goes out before only at the seller itself, or for a receipt that the seller signed ([`receipt`]). Two stores
//! that took the same units while cut off are found by the seller: the one that it hears of later gets no grant and bears what it paid.
//!
//! Returns of orders are judged where the order is resolved: see [`super::resolve::money`].

pub mod judge;
pub mod receipt;

use std::fmt;

use super::{LineUnits, OrderId, decode_units, encode_units};
use crate::codec::{DecodeError, Rows, Sink, Source, col};
use crate::ids::{Code, Digest, Sku, StoreId, TillId};
use crate::limits::{AMOUNT_MAX, LINES_MAX, ORDER_LINES_MAX};
use crate::money::{Currency, Unit};
use crate::receiving::{Disposition, decode_some};
use crate::sale::ReceiptNumber;

/// Names a return: the store that took the goods, and ten digits that follow from the request.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ReturnId {
    /// Who took the goods.
    pub store: StoreId,
    /// Below [`OrderId::NUMBER_END`].
    pub number: u64,
}

/// Where goods that come back were bought.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Origin {
    /// Nobody can say.
    Nothing,
    /// A receipt of a store.
    Receipt(StoreId, ReceiptNumber),
    /// An order.
    Order(OrderId),
}

/// How the customer gets the money.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Refund {
    /// Later: when the seller has granted it.
    Pending = 0,
    /// It was given at the counter.
    Cash = 1,
}

/// Goods came back. Stands in `store/<id>/stock` of the store that took them, and as a copy in `store/<id>/orders` of the seller, written by a
/// hub. Only the first has an effect on stock.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GoodsReturn {
    /// Its name.
    pub id: ReturnId,
    /// Where the goods were bought.
    pub origin: Origin,
    /// The customer showed a receipt that the seller had signed.
    pub signed: bool,
    /// When, by the store's clock, milliseconds since 1970.
    pub at_ms: u64,
    /// Of all amounts.
    pub currency: Currency,
    /// How the customer gets the money.
    pub refund: Refund,
    /// The business day out of whose drawer cash was given; 0 if none was.
    pub day: u32,
    /// Why.
    pub reason: Code,
    /// Under which reference the customer gets something else for it: the sale or order of an exchange bears it too.
    pub reference: Code,
    /// Who took the goods.
    pub staff: Code,
    /// The manager who decided, where one had to.
    pub approver: Code,
    /// What came back, each line of the origin once.
    pub lines: Vec<ReturnLine>,
}

/// One line of a [`GoodsReturn`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReturnLine {
    /// Which line of the receipt or order; counted from 0 without one.
    pub line: u16,
    /// What.
    pub sku: Sku,
    /// In which unit.
    pub unit: Unit,
    /// How many, at least 1.
    pub quantity: i64,
    /// Minor units that the customer gets for it, as far as the taking store knows; 0 if the seller has to say.
    pub amount: i64,
    /// What becomes of the goods.
    pub disposition: Disposition,
}

/// What is said to a return.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Verdict {
    /// The seller grants these units, perhaps none.
    Grant = 0,
    /// The store that took the goods paid in cash.
    PaidCash = 1,
    /// The hub paid back to how it was paid.
    PaidBack = 2,
}

/// The seller decided about a return, or somebody paid for it. Stands in `store/<id>/orders`: of the seller, and as a hub's copy of the
/// store that took the goods.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReturnGrant {
    /// Which return.
    pub id: ReturnId,
    /// What is said.
    pub verdict: Verdict,
    /// When, by its author's clock, milliseconds since 1970.
    pub at_ms: u64,
    /// Units that are granted.
    pub lines: Vec<LineUnits>,
    /// Minor units that are granted, or were paid.
    pub amount: i64,
    /// The business day out of whose drawer cash was given; 0 if none was.
    pub day: u32,
    /// Why, or the gateway's number.
    pub note: Code,
    /// Who did it.
    pub staff: Code,
}

impl ReturnId {
    /// The number of the return that a request of this hash makes.
    pub fn of_request(store: StoreId, request: Digest) -> Self {
        let digest = Digest::of(&[b"return", &request.0]);
        let bytes: [u8; 8] = std::array::from_fn(|at| digest.0[at]);
        Self { store, number: u64::from_be_bytes(bytes) % OrderId::NUMBER_END }
    }

    /// Takes what `Display` gives, e.g. `7-0123456789`.
    pub fn parse(text: &str) -> Option<Self> {
        let (store, number) = text.split_once('-')?;
        let id = Self { store: StoreId(store.parse().ok()?), number: number.parse().ok()? };
        (id.number < OrderId::NUMBER_END && id.to_string() == text).then_some(id)
    }

    fn encode(self, sink: &mut impl Sink) {
        sink.uint(col::STORE, u64::from(self.store.0));
        sink.uint(col::D, self.number);
    }

    fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        let id = Self { store: StoreId(source.u32(col::STORE)?), number: source.uint(col::D)? };
        if id.number < OrderId::NUMBER_END && id.store.0 != 0 { Ok(id) } else { Err(DecodeError::Value("return")) }
    }
}

impl fmt::Display for ReturnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:010}", self.store.0, self.number)
    }
}

impl Origin {
    fn encode(self, sink: &mut impl Sink) {
        match self {
            Self::Nothing => sink.uint(col::A, 0),
            Self::Receipt(store, number) => {
                sink.uint(col::A, 1);
                sink.uint(col::STORE, u64::from(store.0));
                sink.uint(col::B, u64::from(number.till.0));
                sink.uint(col::SERIES, u64::from(number.series));
                sink.uint(col::C, number.sequence);
            }
            Self::Order(order) => {
                sink.uint(col::A, 2);
                order.encode(sink);
            }
        }
    }

    fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        match source.uint(col::A)? {
            0 => Ok(Self::Nothing),
            1 => {
                let (store, till) = (StoreId(source.u32(col::STORE)?), TillId(source.u32(col::B)?));
                let (series, sequence) = (source.u16(col::SERIES)?, source.uint(col::C)?);
                Ok(Self::Receipt(store, ReceiptNumber { till, series, sequence }))
            }
            2 => Ok(Self::Order(OrderId::decode(source)?)),
            _ => Err(DecodeError::Value("origin")),
        }
    }
}

impl GoodsReturn {
    /// The money that the taking store says the customer gets.
    pub fn amount(&self) -> i64 {
        self.lines.iter().fold(0, |sum: i64, line| sum.saturating_add(line.amount))
    }

    /// What people said, without what the node added: a request that is tried again at a node which was set back agrees in it.
    pub fn said(&self) -> Digest {
        Digest::of(&[&Rows::of(|sink| Self { at_ms: 0, day: 0, ..self.clone() }.encode(sink))])
    }

    /// Writes the return.
    pub fn encode(&self, sink: &mut impl Sink) {
        self.id.encode(sink);
        self.origin.encode(sink);
        sink.uint(col::FLAGS, u64::from(self.signed) | (self.refund as u64) << 1 | u64::from(self.day != 0) << 2);
        encode_day(self.day, sink);
        sink.uint(col::TIME, self.at_ms);
        self.currency.encode(sink);
        self.reason.encode(sink, col::REASON);
        self.reference.encode(sink, col::REFERENCE);
        self.staff.encode(sink, col::STAFF);
        self.approver.encode(sink, col::STAFF);
        sink.uint(col::LINE_COUNT, self.lines.len() as u64);
        for line in &self.lines {
            sink.uint(col::POSITION, u64::from(line.line));
            line.sku.encode(sink);
            line.unit.encode(sink);
            sink.int(col::QUANTITY, line.quantity);
            sink.int(col::AMOUNT, line.amount);
            sink.uint(col::LINE_FLAGS, line.disposition as u64);
        }
    }

    /// Reads what [`GoodsReturn::encode`] wrote.
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        let (id, origin) = (ReturnId::decode(source)?, Origin::decode(source)?);
        let flags = source.uint(col::FLAGS)?;
        let refund = if flags >> 1 & 1 == 1 { Refund::Cash } else { Refund::Pending };
        let day = decode_day(source, flags >> 2, "flags")?;
        let at_ms = source.uint(col::TIME)?;
        let currency = Currency::decode(source)?;
        let reason = Code::decode(source, col::REASON)?;
        let reference = Code::decode(source, col::REFERENCE)?;
        let (staff, approver) = (Code::decode(source, col::STAFF)?, Code::decode(source, col::STAFF)?);
        let count = source.count(col::LINE_COUNT, ORDER_LINES_MAX.min(LINES_MAX), "lines of a return")?;
        let mut lines: Vec<ReturnLine> = Vec::new();
        for _ in 0..count {
            let line = ReturnLine::decode(source)?;
            if lines.last().is_some_and(|last| last.line >= line.line) {
                return Err(DecodeError::Value("lines"));
            }
            lines.push(line);
        }
        if lines.is_empty() {
            return Err(DecodeError::Value("lines"));
        }
        let signed = flags & 1 == 1;
        Ok(Self { id, origin, signed, at_ms, currency, refund, day, reason, reference, staff, approver, lines })
    }
}

impl ReturnLine {
    fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        let line = source.u16(col::POSITION)?;
        let (sku, unit) = (Sku::decode(source)?, Unit::decode(source)?);
        let quantity = decode_some(source)?;
        let amount = source.int_within(col::AMOUNT, AMOUNT_MAX, "amount")?;
        let number = source.uint(col::LINE_FLAGS)?;
        let disposition = Disposition::ALL.into_iter().find(|disposition| *disposition as u64 == number);
        let disposition = disposition.ok_or(DecodeError::Value("disposition"))?;
        if amount < 0 {
            return Err(DecodeError::Value("amount"));
        }
        Ok(Self { line, sku, unit, quantity, amount, disposition })
    }
}

impl Verdict {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Grant, Self::PaidCash, Self::PaidBack];
}

impl ReturnGrant {
    /// Writes it.
    pub fn encode(&self, sink: &mut impl Sink) {
        self.id.encode(sink);
        sink.uint(col::A, self.verdict as u64 | u64::from(self.day != 0) << 2);
        encode_day(self.day, sink);
        sink.uint(col::TIME, self.at_ms);
        encode_units(&self.lines, sink);
        sink.int(col::AMOUNT, self.amount);
        self.note.encode(sink, col::REASON);
        self.staff.encode(sink, col::STAFF);
    }

    /// Reads what [`ReturnGrant::encode`] wrote.
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        let id = ReturnId::decode(source)?;
        let number = source.uint(col::A)?;
        let verdict = Verdict::ALL.into_iter().find(|verdict| *verdict as u64 == number & 3);
        let verdict = verdict.ok_or(DecodeError::Value("verdict"))?;
        let day = decode_day(source, number >> 2, "verdict")?;
        let at_ms = source.uint(col::TIME)?;
        let lines = decode_units(source)?;
        let amount = source.int_within(col::AMOUNT, AMOUNT_MAX, "amount")?;
        if amount < 0 {
            return Err(DecodeError::Value("amount"));
        }
        let note = Code::decode(source, col::REASON)?;
        Ok(Self { id, verdict, at_ms, lines, amount, day, note, staff: Code::decode(source, col::STAFF)? })
    }
}

/// A day is written only where there is one: what was written before days were known of is read as it was.
fn encode_day(day: u32, sink: &mut impl Sink) {
    if day != 0 {
        sink.uint(col::DAY, u64::from(day));
    }
}

fn decode_day(source: &mut impl Source, is_there: u64, what: &'static str) -> Result<u32, DecodeError> {
    match is_there {
        0 => Ok(0),
        1 => match source.u32(col::DAY)? {
            0 => Err(DecodeError::Value("day")),
            day => Ok(day),
        },
        _ => Err(DecodeError::Value(what)),
    }
}
