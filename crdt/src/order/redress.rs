//! What somebody gets because an order went otherwise than promised: each once, since its id follows from its cause.

use super::OrderId;
use crate::codec::{DecodeError, Rows, Sink, Source, col};
use crate::ids::{Code, Digest};
use crate::limits::AMOUNT_MAX;

/// Why something is owed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Rule {
    /// Units were cancelled: money back.
    Cancelled = 1,
    /// Units were not there: money back.
    Short = 2,
    /// The customer did not take them: money back.
    Declined = 3,
    /// Nobody came: money back.
    Uncollected = 4,
    /// They could not be delivered, or were lost on the way: money back.
    NotDelivered = 5,
    /// Less was handed over than was paid for: a weighed line came out lighter, or a substitute costs less.
    Difference = 6,
    /// Goods came back: money back.
    GoodsBack = 7,
    /// More was taken than was authorised or is owed: money back.
    Overpaid = 8,
    /// Refunded, and handed over all the same: somebody bears it, or the customer pays or returns.
    RefundedAndHanded = 9,
    /// Handed over more often than ordered: whoever did it later bears it.
    HandedTwice = 10,
}

/// A compensation was carried out, or could not be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Redress {
    /// Its id, see [`redress_id`].
    pub id: [u8; 16],
    /// For which order.
    pub order: OrderId,
    /// Minor units that were given.
    pub amount: i64,
    /// Whether it was.
    pub done: bool,
    /// The gateway's number, or why it could not be.
    pub reference: Code,
    /// Who carried it out.
    pub staff: Code,
}

/// The id of what follows by `rule` for a line from events with these hashes.
pub fn redress_id(order: OrderId, (rule, line): (Rule, u16), mut events: Vec<[u8; 16]>) -> [u8; 16] {
    events.sort_unstable();
    events.dedup();
    let head = Rows::of(|sink| {
        order.encode(sink);
        sink.uint(col::A, rule as u64);
        sink.uint(col::B, u64::from(line));
    });
    Digest::of(&[b"redress", &head, &events.concat()]).short()
}

impl Rule {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Cancelled,
        Self::Short,
        Self::Declined,
        Self::Uncollected,
        Self::NotDelivered,
        Self::Difference,
        Self::GoodsBack,
        Self::Overpaid,
        Self::RefundedAndHanded,
        Self::HandedTwice,
    ];

    /// The word for the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cancelled => "cancelled",
            Self::Short => "short",
            Self::Declined => "declined",
            Self::Uncollected => "uncollected",
            Self::NotDelivered => "not-delivered",
            Self::Difference => "difference",
            Self::GoodsBack => "goods-back",
            Self::Overpaid => "overpaid",
            Self::RefundedAndHanded => "refunded-and-handed",
            Self::HandedTwice => "handed-twice",
        }
    }

    /// True when the customer gets money; otherwise somebody bears a loss.
    pub fn is_refund(self) -> bool {
        !matches!(self, Self::RefundedAndHanded | Self::HandedTwice)
    }
}

impl Redress {
    /// Writes the redress.
    pub fn encode(&self, sink: &mut impl Sink) {
        sink.array(col::DIGEST, &self.id);
        self.order.encode(sink);
        sink.int(col::AMOUNT, self.amount);
        sink.uint(col::FLAGS, self.done.into());
        self.reference.encode(sink, col::REFERENCE);
        self.staff.encode(sink, col::STAFF);
    }

    /// Reads what [`Redress::encode`] wrote.
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        let id = source.array(col::DIGEST)?;
        let order = OrderId::decode(source)?;
        let amount = source.int_within(col::AMOUNT, AMOUNT_MAX, "amount")?;
        let done = source.flag(col::FLAGS)?;
        let reference = Code::decode(source, col::REFERENCE)?;
        if amount < 0 {
            return Err(DecodeError::Value("redress"));
        }
        Ok(Self { id, order, amount, done, reference, staff: Code::decode(source, col::STAFF)? })
    }
}
