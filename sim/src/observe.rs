//! What the world sees: the one stream that checks, records and explanations are made of.
//!
//! Rows are seen as a node commits them, frames as they leave, deeds as people do them. A node's opinion of itself is not among
//! them.

use stockroom_core::input::Event;
use stockroom_core::storage::Table;
use stockroom_crdt::chain::LogId;
use stockroom_crdt::ids::Digest;
use stockroom_crdt::order::OrderId;
use stockroom_crdt::scope::Lane;
use stockroom_crdt::stock::promise::{PromiseId, Step};

/// Something that happened.
#[derive(Clone, Debug)]
pub struct Observation {
    /// When, milliseconds since 1970, on the true clock.
    pub at_ms: u64,
    /// Its number in this run, from 1.
    pub event: u64,
    /// At which node.
    pub node: u32,
    /// What.
    pub what: Seen,
}

/// What can be seen.
#[derive(Clone, Debug)]
pub enum Seen {
    /// A core was opened on the node's disk.
    Started {
        /// Which start of this node it is.
        boot: u64,
    },
    /// The core is gone.
    Stopped(Stop),
    /// Rows became durable, in one commit.
    Committed(Vec<RowChange>),
    /// A frame left for another node.
    Sent {
        /// To whom.
        to: u32,
        /// Its lane.
        lane: Lane,
        /// Its length.
        bytes: usize,
    },
    /// A link is up at this end.
    Connected {
        /// With whom.
        peer: u32,
    },
    /// A link is gone at this end.
    Disconnected {
        /// With whom.
        peer: u32,
        /// The node closed it, and said why.
        closed: Option<String>,
    },
    /// The core told its watchers something.
    Told(Event),
    /// A till or a person got an answer: what was asked for is done.
    Acknowledged(Deed),
    /// A till got no answer or a refusal, and will come again or give up.
    Unanswered {
        /// What was asked, in words.
        what: String,
        /// The refusal, if there was one.
        refusal: Option<String>,
    },
    /// A fault began, or a phase: a line of the run's story.
    Marked {
        /// The injector's name.
        name: &'static str,
        /// Until when it lasts, if that is known.
        until_ms: Option<u64>,
        /// With what.
        detail: String,
    },
}

/// Why a core is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The power went, or the process was killed.
    Crash,
    /// It was switched off in good order.
    Planned,
    /// Its disk failed and it stopped itself.
    Failed(String),
    /// It panicked.
    Panicked(String),
}

/// One row of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowChange {
    /// Its table.
    pub table: Table,
    /// Its key.
    pub key: Vec<u8>,
    /// What stood there before.
    pub old: Option<Vec<u8>>,
    /// What stands there now.
    pub new: Option<Vec<u8>>,
}

/// Something that was acknowledged to a till or a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deed {
    /// At which store.
    pub store: u32,
    /// What was done.
    pub what: Act,
    /// The entry that holds it, if it is one entry: its log, sequence number and hash of its canonical bytes.
    pub entry: Option<(LogId, u64, Digest)>,
    /// The node said that an earlier try had done it.
    pub replayed: bool,
    /// When it was asked for first, milliseconds since 1970.
    pub asked_ms: u64,
}

/// What people do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// A sale or a return.
    Sale {
        /// Which till.
        till: u32,
        /// Its number of the sale.
        till_seq: u64,
        /// Products by number, with units that left the shelf: goods that came back into quarantine are not among them.
        lines: Vec<(u16, i64)>,
        /// Its total in minor units.
        total: i64,
    },
    /// Goods booked in.
    Receipt {
        /// Which product.
        product: u16,
        /// Units.
        quantity: i64,
    },
    /// A closed count of one product.
    Count {
        /// Which product.
        product: u16,
        /// What was counted, which is what was there.
        quantity: i64,
    },
    /// Goods that came to the shelf or left it otherwise: corrected, shipped, received from a store, out of quarantine.
    Moved {
        /// Products by number, with units that came; negative for those that left.
        lines: Vec<(u16, i64)>,
    },
    /// Goods were promised to a customer, at whatever node.
    Promise {
        /// The promise.
        id: PromiseId,
        /// Which product.
        product: u16,
        /// Units.
        quantity: i64,
        /// A right to goods stands behind it.
        hard: bool,
    },
    /// Somebody said something about a promise.
    Said {
        /// The promise.
        id: PromiseId,
        /// What.
        step: Step,
        /// Which product.
        product: u16,
        /// Units.
        quantity: i64,
    },
    /// Somebody did something about an order, and was told that it is written down.
    Order {
        /// Which.
        order: OrderId,
        /// What.
        said: OrderAct,
    },
    /// Catalogue, prices, decrees, days: anything at a hub or without goods.
    Other(&'static str),
}

/// What people do about orders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrderAct {
    /// It was placed, and so much was paid, minor units.
    Placed {
        /// Minor units.
        paid: i64,
    },
    /// Goods left the store: to the customer, or with a courier.
    Given {
        /// Which offer.
        generation: u16,
        /// The promise behind each line, the product, units.
        goods: Vec<(PromiseId, u16, i64)>,
        /// Why what was shown must not be accepted.
        unsound: Option<&'static str>,
        /// Into the customer's hands.
        hand: bool,
    },
    /// Goods are in the store again.
    Back {
        /// The promise behind each line, the product, units.
        goods: Vec<(PromiseId, u16, i64)>,
    },
    /// The gateway paid back.
    Paid {
        /// Which compensation.
        id: [u8; 16],
        /// Minor units.
        amount: i64,
    },
    /// Anything that moves neither goods nor money.
    Said(&'static str),
}
