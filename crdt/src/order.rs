//! Orders: what a customer ordered, who is to hand it over, and what became of it.
//!
//! An order has a *home*: the node that took it, a hub for orders on line, the store for deliveries that start at its till. The
//! home decides which store gets which part ([`offer::Offer`], one per generation); that part is a *fulfillment*. Only the store that
//! holds a fulfillment says what became of it ([`step::FulfillmentStep`]), so cancel against handover is decided in one log.
//! Everybody else asks ([`intent::OrderStep`]). Facts are united and never undone; [`resolve`] says what they add up to.
//!
//! | module | what it knows |
//! |---|---|
//! | [`header`] | the order as it was placed, and what was paid for it |
//! | [`offer`] | the part of it that one store is to fulfil |
//! | [`step`] | what the store, and whoever drives, says of its part |
//! | [`intent`] | what the customer and the home say of the order |
//! | [`redress`] | what somebody gets because it went otherwise than promised |
//! | [`pass`] | the signed pass with which a customer collects at a store that never heard of the order |
//! | [`rules`] | how orders are routed, how long things may take, when stores are open |
//! | [`returns`] | goods that come back, to whichever store |
//! | [`resolve`] | what all of it adds up to: lines, state, reasons, compensations |
//!
//! Where they stand: what a store needs is in `store/<id>/orders`; the order itself and its money in `orders/<hub>` of its home.

pub mod header;
pub mod intent;
pub mod offer;
pub mod pass;
pub mod redress;
pub mod resolve;
pub mod returns;
pub mod rules;
pub mod step;

use std::fmt;

use crate::codec::{DecodeError, Sink, Source, col};
use crate::ids::{Digest, NodeId};

/// Names an order: its home, and ten digits that follow from the request that placed it, so that a request which is tried
/// again at a restored home means the same order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrderId {
    /// Who took it.
    pub home: NodeId,
    /// Below [`OrderId::NUMBER_END`].
    pub number: u64,
}

impl OrderId {
    /// Numbers are below this: ten digits, so that people can read one out.
    pub const NUMBER_END: u64 = 10_000_000_000;

    /// The number of the order that a request of this hash places. `attempt` counts up while the number is taken.
    pub fn of_request(home: NodeId, request: Digest, attempt: u32) -> Self {
        let digest = Digest::of(&[b"order", &request.0, &attempt.to_be_bytes()]);
        let bytes: [u8; 8] = std::array::from_fn(|i| digest.0[i]);
        Self { home, number: u64::from_be_bytes(bytes) % Self::NUMBER_END }
    }

    /// Takes what `Display` gives, e.g. `7-0123456789`.
    pub fn parse(text: &str) -> Option<Self> {
        let (home, number) = text.split_once('-')?;
        let id = Self { home: NodeId(home.parse().ok()?), number: number.parse().ok()? };
        (id.number < Self::NUMBER_END && id.to_string() == text).then_some(id)
    }

    /// Writes home and number.
    pub fn encode(self, sink: &mut impl Sink) {
        sink.uint(col::ACTOR_NODE, u64::from(self.home.0));
        sink.uint(col::D, self.number);
    }

    /// Reads what [`OrderId::encode`] wrote.
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        let id = Self { home: NodeId(source.u32(col::ACTOR_NODE)?), number: source.uint(col::D)? };
        if id.number < Self::NUMBER_END { Ok(id) } else { Err(DecodeError::Value("order")) }
    }
}

impl fmt::Display for OrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:010}", self.home.0, self.number)
    }
}

impl fmt::Debug for OrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Units of one line of an order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct LineUnits {
    /// Which line, from 0.
    pub line: u16,
    /// Pieces or grams, not negative.
    pub quantity: i64,
}

/// Writes a list of units; an empty one stands for everything.
fn encode_units(lines: &[LineUnits], sink: &mut impl Sink) {
    sink.uint(col::LINE_COUNT, lines.len() as u64);
    for units in lines {
        sink.uint(col::B, u64::from(units.line));
        sink.int(col::QUANTITY, units.quantity);
    }
}

/// Reads what [`encode_units`] wrote: each line once, in ascending order.
fn decode_units(source: &mut impl Source) -> Result<Vec<LineUnits>, DecodeError> {
    let count = source.count(col::LINE_COUNT, crate::limits::ORDER_LINES_MAX, "lines of an order")?;
    let mut out: Vec<LineUnits> = Vec::new();
    for _ in 0..count {
        let line = source.u16(col::B)?;
        let quantity = source.int_within(col::QUANTITY, crate::limits::QUANTITY_MAX, "quantity")?;
        if quantity < 0 || out.last().is_some_and(|last| last.line >= line) {
            return Err(DecodeError::Value("units of a line"));
        }
        out.push(LineUnits { line, quantity });
    }
    Ok(out)
}
