//! What is asked when a node joins: a token of one use, and its showing; and which of a store's nodes keeps its goods.

use stockroom_crdt::control::Coordinates;
use stockroom_crdt::ids::{Code, Digest, NodeId, StoreId};
use stockroom_crdt::money::Currency;

/// Allows one enrolment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRequest {
    /// SHA-256 of the secret in the token.
    pub token: Digest,
    /// For which store.
    pub store: StoreId,
    /// The store's name, if it is new or changes.
    pub name: String,
    /// Its price book.
    pub book: Code,
    /// Its group for sharing stock.
    pub group: Code,
    /// Its currency.
    pub currency: Currency,
    /// Its time zone.
    pub zone: Code,
    /// Minutes after midnight at which its day rolls over.
    pub rollover_min: u16,
    /// Where it is.
    pub coordinates: Option<Coordinates>,
    /// For how long the token is good.
    pub valid_ms: u64,
}

/// A node that wants to join.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnrolRequest {
    /// SHA-256 of the token's secret.
    pub token: Digest,
    /// The log key that it made.
    pub log_key: [u8; 32],
    /// The key to which parcels for it are sealed.
    pub seal_key: [u8; 32],
}

/// Makes a node the home of its store's goods, under the next term.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HomeRequest {
    /// Which store.
    pub store: StoreId,
    /// One of its nodes.
    pub node: NodeId,
    /// Why.
    pub reason: Code,
    /// Who decides it.
    pub staff: Code,
    /// How many units of promises that nobody knows of are accepted; the refusal without it names the number, if there are any.
    pub accept: Option<u64>,
}
