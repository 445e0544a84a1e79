//! Requests about goods that have more to say than the fact that comes of them.

use stockroom_crdt::ids::{Code, Sku, StoreId};
use stockroom_crdt::money::Unit;
use stockroom_crdt::receiving::ReceiptLine;
use stockroom_crdt::transfer::{AskedLine, TransferId};

/// What a count's closing does with products that must be counted again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Doubtful {
    /// Refuse to close, and name them.
    Refuse,
    /// Leave their book as it was.
    LeaveOut,
    /// Take what was counted, and ask for a recount. Counters who disagree cannot be taken at their word: that is refused.
    Accept,
}

/// What a count's closing does with products of its sheet that nobody counted.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Uncounted {
    /// Leave their book as it was.
    Keep,
    /// Somebody confirms that there is nothing of them.
    Zero,
}

/// Asks another store for goods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskRequest {
    /// Who shall ship.
    pub from: StoreId,
    /// Until when, milliseconds since 1970.
    pub due_ms: Option<u64>,
    /// Who asks.
    pub staff: Code,
    /// What for.
    pub reason: Code,
    /// What is wanted.
    pub lines: Vec<AskedLine>,
}

/// Ships goods to another store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShipRequest {
    /// Why goods leave.
    pub order: ShipOrder,
    /// When they ought to be there, milliseconds since 1970.
    pub due_ms: Option<u64>,
    /// Who ships.
    pub staff: Code,
    /// Who approves that more leaves than the book has.
    pub approver: Code,
    /// What leaves.
    pub lines: Vec<ReceiptLine>,
}

/// Why goods leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShipOrder {
    /// The other store asked for them.
    Asked(TransferId),
    /// Nobody asked: this opens a transfer to that store.
    Unasked(StoreId),
}

/// Receives goods from another store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceiveRequest {
    /// Which transfer, from the paper that came with them.
    pub id: TransferId,
    /// Who receives them.
    pub staff: Code,
    /// What came; everything that was shipped if absent.
    pub lines: Option<Vec<CameLine>>,
}

/// What came of a product.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CameLine {
    /// What.
    pub sku: Sku,
    /// In which unit.
    pub unit: Unit,
    /// How many; 0 if none of what was shipped.
    pub quantity: i64,
    /// Batch or lot; the shipped ones in their order if it says nothing of either.
    pub lot: Code,
    /// Expiry as a day since 1970, 0 for none.
    pub expiry_day: u32,
    /// Why it is another number than was shipped.
    pub reason: Code,
}
