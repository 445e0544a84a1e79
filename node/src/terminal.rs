//! Payment terminals: one trait over every kind, and the desk that asks them for what baskets owe.
//!
//! | module | what it knows |
//! |---|---|
//! | [`settings`] | the `[terminals.NAME]` sections of the configuration |
//! | [`http`] | a terminal over HTTP: the protocol, and our side of it |
//! | [`simulated`] | a terminal that does as it is told, with a ledger of its own |
//! | [`follow`] | what is to be done next about each open tender (pure) |
//! | [`tenders`] | tenders as the core has them |
//! | [`desk`] | what ties terminals to tenders: asks, inquires, has money given back, says what it heard |
//!
//! The intent of a tender is durable before its terminal is asked. A terminal that does not answer is inquired under the same reference and
//! never asked again, by this process or the next one: whatever happens in between, a customer pays at most once, and what was taken is
//! written down or given back.

pub mod desk;
pub mod follow;
pub mod http;
pub mod settings;
pub mod simulated;
pub mod tenders;

use std::fmt;

use stockroom_crdt::checkout::tender::Assurance;
use stockroom_crdt::ids::Code;
use stockroom_crdt::money::Currency;
use stockroom_crdt::sale::TenderKind;

/// A payment terminal, or a service that takes wallets' codes. Calls may wait for the network and the customer, never longer than the
/// terminal's time limit.
pub trait Terminal: fmt::Debug + Send + Sync {
    /// What it takes.
    fn capabilities(&self) -> Capabilities;

    /// Asks the customer for money. Under a reference that it knows already it does nothing and says how that stands.
    fn ask(&self, ask: &Ask) -> Word;

    /// What became of a reference. One that it never heard of is closed by this: an [`Terminal::ask`] that is still on its way comes to
    /// nothing.
    fn inquire(&self, reference: &Code) -> Word;

    /// Gives the money back, if it took any, and closes the reference.
    fn reverse(&self, reference: &Code) -> Reversal;
}

/// What a terminal takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// Cards.
    pub cards: bool,
    /// Codes on a phone's display.
    pub codes: bool,
}

impl Capabilities {
    /// True when it takes such tenders.
    pub fn takes(self, kind: TenderKind) -> bool {
        match kind {
            TenderKind::Card => self.cards,
            TenderKind::Other => self.codes,
            TenderKind::Cash | TenderKind::Voucher | TenderKind::Points => false,
        }
    }
}

/// What a terminal is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Under which it knows the tender for ever.
    pub reference: Code,
    /// Card, or other for a wallet's code.
    pub kind: TenderKind,
    /// Minor units, above 0.
    pub amount: i64,
    /// Of the amount.
    pub currency: Currency,
}

/// What a terminal says of a tender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    /// It has the money.
    Approved {
        /// Its approval code.
        code: Code,
        /// Minor units that it took; may be less than it was asked for.
        amount: i64,
        /// How sure the money is.
        assurance: Assurance,
    },
    /// It has no money, and will take none under this reference.
    Declined {
        /// Why, in a word.
        why: Code,
    },
    /// Nobody knows: it did not answer, or the customer is still at it.
    Unknown,
}

/// What a terminal says when it is to give money back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reversal {
    /// It has none, and will take none under this reference.
    Done {
        /// Its code for it.
        code: Code,
    },
    /// It cannot: a person has to look.
    Refused {
        /// Why, in a word.
        why: Code,
    },
    /// It did not answer.
    Unknown,
}

/// As much of a text from outside as a code holds.
fn clipped(text: &str) -> Code {
    let plain: String = text.chars().filter(|char| char.is_ascii_graphic() || *char == ' ').take(CODE_CHARS).collect();
    Code::parse(plain.trim()).unwrap_or_default()
}

const CODE_CHARS: usize = stockroom_crdt::limits::CODE_BYTES_MAX;
