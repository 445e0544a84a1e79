//! What was asked of a payment terminal, and what it said. The intent is durable before the terminal is asked; what it says is approved,
//! declined or unknown; an unknown one is inquired under the same reference and never asked again blindly.

use super::basket::BasketId;
use crate::codec::{DecodeError, Sink, Source, col};
use crate::ids::Code;
use crate::limits::AMOUNT_MAX;
use crate::sale::TenderKind;

/// What happened to a tender at a terminal.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum TenderState {
    /// The terminal is about to be asked.
    Intended = 0,
    /// Nobody knows what the terminal did.
    Unknown = 1,
    /// It took the money.
    Approved = 2,
    /// It did not.
    Declined = 3,
    /// It is about to be asked to give the money back.
    Reversing = 4,
    /// It gave it back, or never took it.
    Reversed = 5,
}

/// How sure it is that the store gets its money.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Assurance {
    /// Notes and coins in the drawer.
    Cash = 0,
    /// The bank, or whoever stands behind the wallet, has confirmed it.
    Captured = 1,
    /// The terminal approved it without its bank, within the floor limit.
    Offline = 2,
    /// Somebody looked at a display or a paper and entered it.
    Seen = 3,
}

/// Something was asked of a terminal, or said by it. Stands in `store/<id>/stock`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TenderStep {
    /// For which basket.
    pub basket: BasketId,
    /// Which tender of it: 1, 2, 3, ...
    pub number: u16,
    /// What happened.
    pub state: TenderState,
    /// Card, or other for a wallet's code.
    pub kind: TenderKind,
    /// Minor units, above 0.
    pub amount: i64,
    /// Under which the terminal knows it: the same in every step of one tender.
    pub reference: Code,
    /// Which terminal.
    pub terminal: Code,
    /// The terminal's approval code, or why it declined.
    pub said: Code,
    /// How sure the money is, once it is approved.
    pub assurance: Assurance,
    /// By whom.
    pub staff: Code,
}

impl TenderState {
    /// All of them, in the order in which a later one takes the place of an earlier one.
    pub const ALL: [Self; 6] =
        [Self::Intended, Self::Unknown, Self::Approved, Self::Declined, Self::Reversing, Self::Reversed];

    /// The word for the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Intended => "intended",
            Self::Unknown => "unknown",
            Self::Approved => "approved",
            Self::Declined => "declined",
            Self::Reversing => "reversing",
            Self::Reversed => "reversed",
        }
    }

    /// True while somebody has to ask the terminal.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Intended | Self::Unknown | Self::Reversing)
    }

    /// True when `next` may follow.
    pub fn may_become(self, next: Self) -> bool {
        match self {
            Self::Intended | Self::Unknown => {
                matches!(next, Self::Unknown | Self::Approved | Self::Declined | Self::Reversing) && self != next
            }
            Self::Approved => next == Self::Reversing,
            Self::Reversing => next == Self::Reversed,
            // A terminal that declined and approves afterwards has the money all the same.
            Self::Declined => next == Self::Reversing,
            Self::Reversed => false,
        }
    }
}

impl Assurance {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Cash, Self::Captured, Self::Offline, Self::Seen];

    /// The word for the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cash => "cash",
            Self::Captured => "captured",
            Self::Offline => "offline",
            Self::Seen => "seen",
        }
    }

    /// Takes the word that [`Assurance::as_str`] gives.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|assurance| assurance.as_str() == text)
    }

    pub(crate) fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        let number = usize::from(source.u8(col::C)?);
        Self::ALL.get(number).copied().ok_or(DecodeError::Value("assurance"))
    }
}

impl TenderStep {
    /// Writes the step.
    pub fn encode(&self, sink: &mut impl Sink) {
        self.basket.encode(sink);
        sink.uint(col::POSITION, u64::from(self.number));
        sink.uint(col::FLAGS, self.state as u64);
        sink.uint(col::TENDER, self.kind as u64);
        sink.int(col::AMOUNT, self.amount);
        self.reference.encode(sink, col::REFERENCE);
        self.terminal.encode(sink, col::ENTITY);
        self.said.encode(sink, col::REASON);
        sink.uint(col::C, self.assurance as u64);
        self.staff.encode(sink, col::STAFF);
    }

    /// Reads what [`TenderStep::encode`] wrote.
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        let basket = BasketId::decode(source)?;
        let number = source.u16(col::POSITION)?;
        let state = usize::from(source.u8(col::FLAGS)?);
        let state = TenderState::ALL.get(state).copied().ok_or(DecodeError::Value("tender"))?;
        let kind = usize::from(source.u8(col::TENDER)?);
        let kind = TenderKind::ALL.get(kind).copied().ok_or(DecodeError::Value("tender"))?;
        let amount = source.int_within(col::AMOUNT, AMOUNT_MAX, "amount")?;
        let reference = Code::decode(source, col::REFERENCE)?;
        let terminal = Code::decode(source, col::ENTITY)?;
        let said = Code::decode(source, col::REASON)?;
        let assurance = Assurance::decode(source)?;
        if number == 0 || amount <= 0 || reference.is_empty() || kind == TenderKind::Cash {
            return Err(DecodeError::Value("tender"));
        }
        let staff = Code::decode(source, col::STAFF)?;
        Ok(Self { basket, number, state, kind, amount, reference, terminal, said, assurance, staff })
    }
}
