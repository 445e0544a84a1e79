//! What is asked about promises: goods kept for a customer, what becomes of them, and decrees about rights.

use stockroom_crdt::ids::{Code, NodeId, Sku, StoreId};
use stockroom_crdt::money::Unit;
use stockroom_crdt::product::Channel;
use stockroom_crdt::stock::promise::{Claim, PromiseId, Step};

/// Goods that a customer wants kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReserveRequest {
    /// What.
    pub sku: Sku,
    /// In which unit; the product's if absent.
    pub unit: Option<Unit>,
    /// How many units, at least 1.
    pub quantity: u64,
    /// At which stores, the best first; empty for any, the own one first.
    pub stores: Vec<StoreId>,
    /// How the customer gets the goods.
    pub channel: Channel,
    /// When goods are missing, the lower goes without first.
    pub priority: u8,
    /// When the goods are wanted, milliseconds since 1970; 0 if nothing was said.
    pub wanted_ms: u64,
    /// How long it is held unconfirmed, milliseconds; as the rule says if absent.
    pub hold_ms: Option<u64>,
    /// For which order, may be empty.
    pub reference: Code,
    /// A promise that has still to be confirmed is better than none.
    pub soft: bool,
}

/// Something is said about a promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepRequest {
    /// About which.
    pub promise: PromiseId,
    /// What.
    pub step: Step,
    /// Why, or where.
    pub note: Code,
    /// By whom.
    pub staff: Code,
}

/// A decree about the rights of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecreeRequest {
    /// Whose rights.
    pub node: NodeId,
    /// Why.
    pub reason: Code,
    /// Who decides it.
    pub staff: Code,
    /// How many units of promises that nobody knows of are accepted; the refusal without it names the number.
    pub accept: Option<u64>,
}

/// What was found at one store when goods were to be reserved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Considered {
    /// Which store.
    pub store: StoreId,
    /// In its book, as far as this node knows.
    pub on_hand: i64,
    /// Rights that this node holds.
    pub held: u64,
    /// Rights that others hold, as far as this node knows.
    pub elsewhere: u64,
    /// What can be promised there; none if it is absent.
    pub claim: Option<Claim>,
    /// Why, in words.
    pub why: String,
}
