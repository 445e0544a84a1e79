//! Goods on their way between two stores: asked for, shipped, received. Each store writes only its own part.
//!
//! A transfer is opened by the store that asks, or by the one that ships unasked. Its number is made of the request that opened
//! it, so that a request which is tried again at a restored node opens the same transfer. Shipping takes goods off the book of
//! the source, receiving puts what came on the book of the destination; between the two they are in transit and in nobody's
//! book. [`crate::stock::transit`] joins the parts.

use crate::codec::{DecodeError, Rows, Sink, Source, col};
use crate::entry::Fact;
use crate::ids::{Code, Digest, Sku, StoreId};
use crate::limits::{LINES_MAX, QUANTITY_MAX};
use crate::money::Unit;
use crate::receiving::{ReceiptLine, decode_lines, decode_some, encode_lines};

/// The number of a transfer, the same at both stores: it stands on the paper that travels with the goods.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TransferId {
    /// The store that opened it.
    pub store: StoreId,
    /// Unique in that store's life, over all epochs of its nodes; below [`TransferId::NUMBER_END`].
    pub number: u64,
}

/// A store asks another one for goods. Stands in the log of the store that asks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TransferAsk {
    /// Which transfer; its store is the one that asks.
    pub id: TransferId,
    /// Who shall ship.
    pub from: StoreId,
    /// Until when the goods are wanted, milliseconds since 1970; 0 for whenever.
    pub due_ms: u64,
    /// Who asks.
    pub staff: Code,
    /// What for.
    pub reason: Code,
    /// What is wanted.
    pub lines: Vec<AskedLine>,
}

/// One line of a [`TransferAsk`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AskedLine {
    /// What.
    pub sku: Sku,
    /// In which unit.
    pub unit: Unit,
    /// How many, at least 1.
    pub quantity: i64,
}

/// Goods left for another store. Stands in the log of the store that ships.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TransferShip {
    /// Which transfer.
    pub id: TransferId,
    /// Where the goods go.
    pub to: StoreId,
    /// When they ought to be there, milliseconds since 1970; 0 if nobody said.
    pub due_ms: u64,
    /// Who shipped.
    pub staff: Code,
    /// Who approved that more left than the book had; empty if nobody had to.
    pub approver: Code,
    /// What left.
    pub lines: Vec<ReceiptLine>,
}

/// Goods came from another store. Stands in the log of the store that received them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TransferReceive {
    /// Which transfer.
    pub id: TransferId,
    /// Where they came from.
    pub from: StoreId,
    /// The shipment was known when this was written; if not, the lines were taken down by hand and hubs compare later.
    pub seen: bool,
    /// Who received them.
    pub staff: Code,
    /// What came.
    pub lines: Vec<ReceiptLine>,
    /// Products of which another number came than was shipped.
    pub differences: Vec<Difference>,
}

/// More or less came of a product than was shipped.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Difference {
    /// What.
    pub sku: Sku,
    /// In which unit.
    pub unit: Unit,
    /// How many were shipped, over all lots.
    pub sent: i64,
    /// Why another number came, as far as anybody knows.
    pub reason: Code,
}

impl TransferId {
    /// Numbers are below this: ten digits, so that people can read one out.
    pub const NUMBER_END: u64 = 10_000_000_000;

    /// The number of the transfer that `store` opens with a request of this hash. `attempt` counts up while the number is taken.
    pub fn of_request(store: StoreId, request: Digest, attempt: u32) -> Self {
        let digest = Digest::of(&[b"transfer", &request.0, &attempt.to_be_bytes()]);
        let bytes: [u8; 8] = std::array::from_fn(|i| digest.0[i]);
        Self { store, number: u64::from_be_bytes(bytes) % Self::NUMBER_END }
    }

    /// Writes store and number.
    pub fn encode(self, sink: &mut impl Sink) {
        sink.uint(col::STORE, u64::from(self.store.0));
        sink.uint(col::D, self.number);
    }

    /// Reads what [`TransferId::encode`] wrote.
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        let store = StoreId(source.u32(col::STORE)?);
        let number = source.uint(col::D)?;
        if number < Self::NUMBER_END { Ok(Self { store, number }) } else { Err(DecodeError::Value("transfer")) }
    }
}

impl std::fmt::Display for TransferId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.store.0, self.number)
    }
}

impl TransferAsk {
    /// Writes the ask.
    pub fn encode(&self, sink: &mut impl Sink) {
        self.id.encode(sink);
        sink.uint(col::E, u64::from(self.from.0));
        sink.uint(col::TIME, self.due_ms);
        self.staff.encode(sink, col::STAFF);
        self.reason.encode(sink, col::REASON);
        sink.uint(col::LINE_COUNT, self.lines.len() as u64);
        for line in &self.lines {
            line.sku.encode(sink);
            line.unit.encode(sink);
            sink.int(col::QUANTITY, line.quantity);
        }
    }

    /// Reads what [`TransferAsk::encode`] wrote.
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        let id = TransferId::decode(source)?;
        let from = StoreId(source.u32(col::E)?);
        let due_ms = source.uint(col::TIME)?;
        let staff = Code::decode(source, col::STAFF)?;
        let reason = Code::decode(source, col::REASON)?;
        let count = source.count(col::LINE_COUNT, LINES_MAX, "lines")?;
        let mut lines = Vec::new();
        for _ in 0..count {
            let sku = Sku::decode(source)?;
            let unit = Unit::decode(source)?;
            lines.push(AskedLine { sku, unit, quantity: decode_some(source)? });
        }
        Ok(Self { id, from, due_ms, staff, reason, lines })
    }
}

impl TransferShip {
    /// Writes the shipment.
    pub fn encode(&self, sink: &mut impl Sink) {
        self.id.encode(sink);
        sink.uint(col::E, u64::from(self.to.0));
        sink.uint(col::TIME, self.due_ms);
        self.staff.encode(sink, col::STAFF);
        self.approver.encode(sink, col::STAFF);
        encode_lines(&self.lines, sink);
    }

    /// Reads what [`TransferShip::encode`] wrote.
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        let id = TransferId::decode(source)?;
        let to = StoreId(source.u32(col::E)?);
        let due_ms = source.uint(col::TIME)?;
        let staff = Code::decode(source, col::STAFF)?;
        let approver = Code::decode(source, col::STAFF)?;
        Ok(Self { id, to, due_ms, staff, approver, lines: decode_lines(source)? })
    }
}

impl TransferReceive {
    /// Writes what came.
    pub fn encode(&self, sink: &mut impl Sink) {
        self.id.encode(sink);
        sink.uint(col::E, u64::from(self.from.0));
        sink.uint(col::FLAGS, self.seen.into());
        self.staff.encode(sink, col::STAFF);
        encode_lines(&self.lines, sink);
        sink.uint(col::COUNT, self.differences.len() as u64);
        for difference in &self.differences {
            difference.sku.encode(sink);
            difference.unit.encode(sink);
            sink.int(col::QUANTITY, difference.sent);
            difference.reason.encode(sink, col::REASON);
        }
    }

    /// Reads what [`TransferReceive::encode`] wrote.
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        let id = TransferId::decode(source)?;
        let from = StoreId(source.u32(col::E)?);
        let seen = source.flag(col::FLAGS)?;
        let staff = Code::decode(source, col::STAFF)?;
        let lines = decode_lines(source)?;
        let count = source.count(col::COUNT, 2 * LINES_MAX, "differences")?;
        let mut differences = Vec::new();
        for _ in 0..count {
            let sku = Sku::decode(source)?;
            let unit = Unit::decode(source)?;
            let sent = source.int_within(col::QUANTITY, SENT_MAX, "quantity")?;
            if sent < 0 {
                return Err(DecodeError::Value("quantity"));
            }
            differences.push(Difference { sku, unit, sent, reason: Code::decode(source, col::REASON)? });
        }
        Ok(Self { id, from, seen, staff, lines, differences })
    }
}

/// A part of a transfer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Step {
    /// Asked for.
    Ask = 0,
    /// Shipped.
    Ship = 1,
    /// Received.
    Receive = 2,
}

/// Which part of which transfer a fact is, and the hash of what people said in it. A request that is tried again at a restored
/// node is written anew: entries that agree in all three are one and count once. What the node added is not content: when the
/// goods are due if nobody said, and what it knew of the shipment.
pub fn part(fact: &Fact) -> Option<(TransferId, Step, Digest)> {
    let (id, step, said) = match fact {
        Fact::TransferAsk(ask) => {
            let said = TransferAsk { due_ms: 0, ..ask.clone() };
            (ask.id, Step::Ask, Rows::of(|sink| said.encode(sink)))
        }
        Fact::TransferShip(ship) => {
            let said = TransferShip { due_ms: 0, ..ship.clone() };
            (ship.id, Step::Ship, Rows::of(|sink| said.encode(sink)))
        }
        Fact::TransferReceive(receive) => {
            let said = TransferReceive { seen: false, differences: Vec::new(), ..receive.clone() };
            (receive.id, Step::Receive, Rows::of(|sink| said.encode(sink)))
        }
        _ => return None,
    };
    Some((id, step, Digest::of(&[&said])))
}

/// Units of one product in a shipment: the sum over as many lots as it may have lines.
const SENT_MAX: i64 = QUANTITY_MAX * LINES_MAX as i64;
