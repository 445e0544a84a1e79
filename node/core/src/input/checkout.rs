//! What tills ask for when this node prices their baskets, asks terminals and keeps drawers.

use stockroom_crdt::checkout::basket::BasketId;
use stockroom_crdt::checkout::quote::{AskedLine, Quote};
use stockroom_crdt::checkout::shift::Cash;
use stockroom_crdt::checkout::tender::{Assurance, TenderState};
use stockroom_crdt::ids::{Code, Digest, MemberId, Sku, TillId};
use stockroom_crdt::money::Currency;
use stockroom_crdt::sale::{ReceiptNumber, Tender, TenderKind};

use super::loyalty::{CouponQuoted, PointsQuoted};

/// A basket to be priced and paid, suspended, or put on a slip.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckoutRequest {
    /// Which till, and its own number of the sale: the retry key, as for a sale.
    pub basket: BasketId,
    /// SHA-256 of the request.
    pub body: Digest,
    /// When it was rung up by the till's clock; the node's own time if absent.
    pub rung_ms: Option<u64>,
    /// Who sells.
    pub cashier: Code,
    /// Who approved what needs it; empty if nobody did.
    pub approver: Code,
    /// The cashier looked at a document, or at the customer, where the buyer's age matters.
    pub age_checked: bool,
    /// Who buys, if she is a member: the account that earns points.
    pub member: Option<MemberId>,
    /// Further accounts that are hers, whose points may pay as well.
    pub accounts: Vec<MemberId>,
    /// Codes of coupons that she shows.
    pub coupons: Vec<Code>,
    /// What.
    pub lines: Vec<AskedLine>,
    /// What the till showed the customer, but for the rounding of cash; another total is refused with the new one.
    pub expected_total: Option<i64>,
    /// What becomes of it.
    pub then: Then,
}

/// What becomes of a basket that was priced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Then {
    /// It is paid: these tenders are there, with how sure each is; a terminal brings the rest, if there is one.
    Pay {
        /// Paid without a terminal of ours. Points are worth what the programme says, and whether there is a right to them is found here: what is
        /// said of how sure they are is not used.
        tenders: Vec<(Tender, Assurance)>,
        /// To be asked for what is left, under this name.
        terminal: Option<(Code, TenderKind)>,
    },
    /// Nothing is written: what would it come to, with so many points to pay with?
    Quote {
        /// How many points she wants to spend.
        points: u64,
    },
    /// It waits for the customer.
    Suspend,
    /// It is a slip of a concession's counter, to be paid at a cash desk.
    Slip {
        /// Which concession.
        owner: Code,
    },
}

/// Something becomes of a basket that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BasketRequest {
    /// Which.
    pub basket: BasketId,
    /// At which till.
    pub till: TillId,
    /// By whom.
    pub staff: Code,
    /// What.
    pub what: BasketDeed,
}

/// What somebody does about a basket that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BasketDeed {
    /// Goes on with it: its lines are given back, to be rung up under another number.
    Resume,
    /// Throws it away. One for which a terminal may have taken money is not thrown away before that is given back.
    Abandon,
    /// The counter releases the goods of a paid slip.
    Release,
    /// A slip is paid at a cash desk, under the till's own number there.
    PaySlip {
        /// The sale's number at the till that takes the money.
        number: u64,
        /// Paid without a terminal of ours.
        tenders: Vec<(Tender, Assurance)>,
        /// To be asked for what is left.
        terminal: Option<(Code, TenderKind)>,
    },
    /// Another tender after one was declined: a terminal, for what is left.
    Ask {
        /// Which terminal.
        terminal: Code,
        /// Card, or a wallet's code.
        kind: TenderKind,
    },
    /// What is left is paid without a terminal.
    Tender {
        /// These are there.
        tenders: Vec<(Tender, Assurance)>,
    },
}

/// A terminal's word about a tender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TerminalSaid {
    /// For which basket.
    pub basket: BasketId,
    /// Which tender of it.
    pub number: u16,
    /// What.
    pub state: TenderState,
    /// The approval code, or why not.
    pub said: Code,
    /// How sure the money is.
    pub assurance: Assurance,
    /// Minor units that it took, when that is not what it was asked for.
    pub amount: Option<i64>,
    /// Who entered it; empty for the terminal itself.
    pub staff: Code,
}

/// Something about a till's drawer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DrawerRequest {
    /// Which till.
    pub till: TillId,
    /// By whom.
    pub staff: Code,
    /// Who approved it; empty if nobody did.
    pub approver: Code,
    /// What.
    pub deed: DrawerDeed,
}

/// What somebody does about a drawer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DrawerDeed {
    /// Takes it, with so much in it.
    Open {
        /// Minor units.
        float: i64,
    },
    /// Puts cash in or takes cash out.
    Move {
        /// Why.
        cash: Cash,
        /// Minor units, above 0.
        amount: i64,
        /// What for, in a word.
        reason: Code,
    },
    /// Counts it and gives it back.
    Close {
        /// Minor units that are there.
        counted: i64,
    },
}

/// Somebody entered a PIN, and the shell compared it with the hash that the core holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignInRequest {
    /// Who says to be there.
    pub staff: Code,
    /// The PIN matched the hash below.
    pub matched: bool,
    /// The hash that it was compared with: another one meanwhile is asked for again.
    pub pin: String,
    /// At which device, for the record.
    pub device: Code,
}

/// What becomes of a try to sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignInAnswer {
    /// She is who she says to be.
    Right,
    /// The PIN was wrong; it was written down.
    Wrong {
        /// Tries that are left before the next wait.
        left: u32,
        /// How long the next try has to wait, milliseconds; 0 while tries are left.
        wait_ms: u64,
    },
    /// There were too many wrong ones. Whether this one was right is not told, and nothing was written.
    Locked {
        /// How long the next try has to wait, milliseconds.
        wait_ms: u64,
    },
    /// The PIN was changed meanwhile: compare again.
    Changed,
}

/// What was answered about a checkout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CheckoutAnswer {
    /// It costs this. Nothing was written.
    Quoted(Box<Quoted>),
    /// It is paid.
    Paid(ReceiptNumber),
    /// It waits, as its kind says; a terminal that was asked for it has answered.
    Waits(BasketId),
    /// Somebody went on with it under another number, or nobody buys it.
    Ended(BasketId),
    /// A terminal has to be asked.
    Ask {
        /// For which basket.
        basket: BasketId,
        /// Which tender of it.
        number: u16,
    },
}

/// A basket that was only priced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quoted {
    /// What it costs, and why.
    pub quote: Quote,
    /// Of all amounts.
    pub currency: Currency,
    /// What somebody has to do or approve before it is sold.
    pub needs: Vec<Need>,
    /// Each coupon that was shown, in its order.
    pub coupons: Vec<CouponQuoted>,
    /// Points, if the customer is a member and there is a programme.
    pub points: Option<PointsQuoted>,
}

/// Why a line is not sold just so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    /// Which line, from 0.
    pub line: usize,
    /// Why, and what can be done.
    pub why: String,
}

/// Labels that were put up on shelves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelsRequest {
    /// By whom.
    pub staff: Code,
    /// For each product the price that its label shows; `None` where it was taken off.
    pub labels: Vec<(Sku, Option<i64>)>,
}
