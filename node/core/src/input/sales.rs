//! What a till asks for: a sale, and taking one back.

use stockroom_crdt::ids::{Code, Digest, Sku, TillId};
use stockroom_crdt::money::{Currency, Unit};
use stockroom_crdt::receiving::Disposition;
use stockroom_crdt::sale::{ReceiptNumber, Tax, Tender};

/// A sale as a till rings it up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SellRequest {
    /// Which till.
    pub till: TillId,
    /// The till's own number of the sale; with the store it is the sale's id.
    pub till_seq: u64,
    /// SHA-256 of the request, to tell a retry from another sale under the same number.
    pub body: Digest,
    /// When it was rung up by the till's clock; the node's own time if absent.
    pub rung_ms: Option<u64>,
    /// Currency of all amounts; the store's if absent.
    pub currency: Option<Currency>,
    /// Who sold.
    pub cashier: Code,
    /// Who approved overrides and returns.
    pub approver: Code,
    /// Legal entity that sells, if not the store's own.
    pub seller: Code,
    /// Key in a foreign point-of-sale system.
    pub foreign_key: Code,
    /// Opaque fiscal attachment.
    pub fiscal: Vec<u8>,
    /// Lines.
    pub lines: Vec<SellLine>,
    /// Rounding of the total for cash.
    pub cash_rounding: i64,
    /// Payments; must add up to the total.
    pub tenders: Vec<Tender>,
}

/// One line of a [`SellRequest`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SellLine {
    /// What, after barcodes were looked up.
    pub sku: Sku,
    /// In which unit; the product's if absent.
    pub unit: Option<Unit>,
    /// How many; negative for a return, which needs an approver.
    pub quantity: i64,
    /// Price; from the price book if absent.
    pub unit_price: Option<i64>,
    /// Off the line.
    pub discount: i64,
    /// Why.
    pub discount_reason: Code,
    /// Tax, if any.
    pub tax: Option<Tax>,
    /// Lot, if scanned.
    pub lot: Code,
    /// Receipt and line where returned goods were bought.
    pub original: Option<(ReceiptNumber, u32)>,
    /// What becomes of returned goods.
    pub disposition: Disposition,
}

/// Takes back a whole receipt of the same store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VoidRequest {
    /// Which till does it.
    pub till: TillId,
    /// The till's own number of the void.
    pub till_seq: u64,
    /// SHA-256 of the request.
    pub body: Digest,
    /// What to take back.
    pub receipt: ReceiptNumber,
    /// Who does it.
    pub cashier: Code,
    /// Who approved it.
    pub approver: Code,
}
