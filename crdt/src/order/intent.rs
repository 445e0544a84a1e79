//! What the customer and the home say of an order, beside its offers. The home writes it: into the scope of each store that has
//! to know, or into its own when no store has to.

use super::{LineUnits, OrderId, decode_units, encode_units};
use crate::codec::{DecodeError, Sink, Source, col};
use crate::ids::Code;

/// What can be said of an order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Saying {
    /// The customer, or head office, asks to cancel units. The holder of the fulfillment decides. With the note `amend` only what is not
    /// picked yet is cancelled.
    AskCancel = 1,
    /// The home takes its offer back: a store that has not accepted stands down. One that has goes on, and the home decides anew.
    Withdraw = 2,
    /// The home cancels units that no store has accepted, as far as it knows.
    Cancel = 3,
    /// The home gave the customer a pass for a fulfillment. That counts as acceptance until it runs out.
    IssuePass = 4,
    /// The customer's answer to what a store refused or is short of: the note is `other-store`, `delivery`, `cancel`, `substitute`,
    /// `partial` or `wait`.
    Choose = 5,
    /// It waits; the note says why: a payment is looked at, an address is wrong.
    Hold = 6,
    /// It goes on.
    Resume = 7,
    /// The home decides that a store gives a fulfillment up, however far it is, unless the goods left: another store has the units, or nobody
    /// wants them any more.
    StandDown = 8,
    /// A person decides to pay back before the store confirmed; the note names who bears it if the goods were handed over.
    RiskRefund = 9,
    /// The home finds nobody for these units.
    GiveUp = 10,
    /// The customer is at the store; the note says where.
    Arrive = 11,
}

/// Something is said of an order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OrderStep {
    /// Of which.
    pub order: OrderId,
    /// About which offer, 0 for the whole order.
    pub generation: u16,
    /// What.
    pub saying: Saying,
    /// About which units of each line, in all so far and not in addition; empty for all.
    pub lines: Vec<LineUnits>,
    /// Until when it holds, milliseconds since 1970; 0 if it does not end.
    pub until_ms: u64,
    /// Why, or what exactly, in a word.
    pub note: Code,
    /// By whom: `customer`, a person of head office, or the home itself.
    pub by: Code,
}

/// Why an offer was withdrawn: its store did not answer in time.
pub const SILENT: &str = "silent";

impl Saying {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::AskCancel,
        Self::Withdraw,
        Self::Cancel,
        Self::IssuePass,
        Self::Choose,
        Self::Hold,
        Self::Resume,
        Self::StandDown,
        Self::RiskRefund,
        Self::GiveUp,
        Self::Arrive,
    ];

    /// The word for the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AskCancel => "ask-cancel",
            Self::Withdraw => "withdraw",
            Self::Cancel => "cancel",
            Self::IssuePass => "issue-pass",
            Self::Choose => "choose",
            Self::Hold => "hold",
            Self::Resume => "resume",
            Self::StandDown => "stand-down",
            Self::RiskRefund => "risk-refund",
            Self::GiveUp => "give-up",
            Self::Arrive => "arrive",
        }
    }
}

impl OrderStep {
    /// Units of a line that it is about, of so many; `None` when it is about other lines.
    pub fn units(&self, line: u16, all: i64) -> Option<i64> {
        if self.lines.is_empty() {
            return Some(all);
        }
        self.lines.iter().find(|units| units.line == line).map(|units| units.quantity.min(all))
    }

    /// Writes the step.
    pub fn encode(&self, sink: &mut impl Sink) {
        self.order.encode(sink);
        sink.uint(col::C, u64::from(self.generation));
        sink.uint(col::A, self.saying as u64);
        encode_units(&self.lines, sink);
        sink.uint(col::TIME, self.until_ms);
        self.note.encode(sink, col::REASON);
        self.by.encode(sink, col::STAFF);
    }

    /// Reads what [`OrderStep::encode`] wrote.
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        let order = OrderId::decode(source)?;
        let generation = source.u16(col::C)?;
        let number = source.uint(col::A)?;
        let saying = Saying::ALL.into_iter().find(|saying| *saying as u64 == number);
        let saying = saying.ok_or(DecodeError::Value("what is said of an order"))?;
        let lines = decode_units(source)?;
        let until_ms = source.uint(col::TIME)?;
        let note = Code::decode(source, col::REASON)?;
        Ok(Self { order, generation, saying, lines, until_ms, note, by: Code::decode(source, col::STAFF)? })
    }
}
