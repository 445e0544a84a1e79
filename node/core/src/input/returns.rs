//! Requests about goods that come back.

use stockroom_crdt::ids::{Code, Sku, TillId};
use stockroom_crdt::money::Unit;
use stockroom_crdt::order::returns::{Origin, ReturnId};
use stockroom_crdt::receiving::Disposition;

use super::sales::SellRequest;

/// A customer brings goods back to this store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReturnRequest {
    /// Where they were bought.
    pub origin: Origin,
    /// The signed receipt that the customer shows; empty for none.
    pub signed: Vec<u8>,
    /// The money is given at the counter, if it may be.
    pub cash: bool,
    /// Out of the drawer of this till, which has to have an open shift; out of no drawer if absent.
    pub till: Option<TillId>,
    /// Why they come back.
    pub reason: Code,
    /// Under which reference the customer gets something else for it.
    pub reference: Code,
    /// Who takes them.
    pub staff: Code,
    /// The manager who decides; needed without a receipt.
    pub approver: Code,
    /// What comes back, in ascending order of lines.
    pub lines: Vec<ReturnRequestLine>,
}

/// One line of a [`ReturnRequest`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReturnRequestLine {
    /// Which line of the receipt or order; counted from 0 without one.
    pub line: u16,
    /// What.
    pub sku: Sku,
    /// In which unit; the product's if absent.
    pub unit: Option<Unit>,
    /// How many.
    pub quantity: i64,
    /// Minor units for it; what was paid for so much of the line if absent.
    pub amount: Option<i64>,
    /// What becomes of the goods.
    pub disposition: Disposition,
}

/// A customer brings goods back and takes others for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExchangeRequest {
    /// What comes back. Its worth is paid out and in again at once.
    pub returned: ReturnRequest,
    /// What goes out. Its tenders pay the difference; they are negative where the customer gets something back.
    pub sale: SellRequest,
}

/// The refund of a return was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PayReturnRequest {
    /// Of which return.
    pub id: ReturnId,
    /// The gateway's number; empty for cash.
    pub reference: Code,
    /// Who gave it.
    pub staff: Code,
    /// Out of the drawer of this till; out of no drawer if absent.
    pub till: Option<TillId>,
}
