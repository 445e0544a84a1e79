//! A shift as it is shown.

use serde::Serialize;
use stockroom_core::books::shifts::Shift;
use stockroom_core::view::shifts::ZReport;
use stockroom_crdt::checkout::shift::{Cash, CashMove, TaxSum, Totals};
use stockroom_crdt::ids::{Code, StoreId};
use stockroom_crdt::money::Currency;
use stockroom_crdt::sale::ReceiptNumber;
use utoipa::ToSchema;

use crate::api::Books;
use crate::api::problem::Answered;
use crate::api::values::{Moment, ReceiptId, Text, moment};

/// Who looks at a shift.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Eyes {
    /// Whoever will count the drawer: no sums while the shift is open.
    Cashier,
    /// Everything.
    Manager,
}

/// A shift of a till.
#[derive(Serialize, ToSchema)]
#[schema(as = Shift)]
pub struct ShiftAnswer {
    /// The store.
    store: u32,
    /// The till.
    till: u32,
    /// 1 for the till's first shift.
    number: u32,
    /// `open` or `closed`.
    state: &'static str,
    /// The store's currency, if it is known here.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    currency: Option<Text<Currency>>,
    /// When the drawer was taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    opened_at: Option<Text<Moment>>,
    /// Who took it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    staff: Option<Text<Code>>,
    /// What lay in it, minor units.
    float: i64,
    /// The till's last receipt before it, if there was one; later ones are of this shift.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    after: Option<Text<ReceiptId>>,
    /// Cash that went in or out, in the order of time.
    moves: Vec<MoveAnswer>,
    /// Sums until now (X report), for a manager, while it is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    x: Option<TotalsAnswer>,
    /// The first count that did not fit, for a manager, at the node of the till.
    #[serde(skip_serializing_if = "Option::is_none")]
    first_count: Option<FirstCountAnswer>,
    /// The Z report, once it is closed. It never changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    z: Option<ZAnswer>,
    /// Further closes of the shift, by a node that had forgotten the first one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    later: Vec<ZAnswer>,
}

/// Cash that went into a drawer or out of it.
#[derive(Serialize, ToSchema)]
#[schema(as = CashMove)]
pub struct MoveAnswer {
    /// `paid-in`, `paid-out`, `drop` or `refund`.
    #[schema(value_type = String)]
    kind: Text<Cash>,
    /// Minor units.
    amount: i64,
    /// What for.
    #[schema(value_type = String)]
    reason: Text<Code>,
    /// By whom.
    #[schema(value_type = String)]
    staff: Text<Code>,
    /// Who approved it; empty if nobody had to.
    #[schema(value_type = String)]
    approver: Text<Code>,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    at: Text<Moment>,
}

/// What happened in a shift, minor units.
#[derive(Serialize, ToSchema)]
#[schema(as = ShiftTotals)]
pub struct TotalsAnswer {
    /// Receipts.
    receipts: u32,
    /// Those among them that take another one back.
    voids: u32,
    /// What was sold, less what came back.
    sales: i64,
    /// Notes and coins, less change.
    cash: i64,
    /// Cards.
    card: i64,
    /// Vouchers.
    voucher: i64,
    /// Anything else.
    other: i64,
    /// What was paid with points.
    points: i64,
    /// What lay in the drawer at the beginning.
    float: i64,
    /// Put in.
    paid_in: i64,
    /// Taken out for something.
    paid_out: i64,
    /// Taken to the safe.
    dropped: i64,
    /// Given back for goods that came back without a receipt of this till.
    refunded: i64,
    /// What should be in the drawer.
    expected_cash: i64,
    /// Tax by code and rate.
    taxes: Vec<TaxAnswer>,
}

/// Tax of one code and rate, minor units.
#[derive(Serialize, ToSchema)]
#[schema(as = ShiftTax)]
pub struct TaxAnswer {
    /// The tenant's code.
    #[schema(value_type = String)]
    code: Text<Code>,
    /// In hundredths of a percent.
    rate_bp: u32,
    /// What the goods cost, as their lines say.
    goods: i64,
    /// The tax.
    tax: i64,
}

/// A count that did not fit.
#[derive(Serialize, ToSchema)]
pub struct FirstCountAnswer {
    /// Minor units.
    counted: i64,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    at: Text<Moment>,
    /// By whom.
    #[schema(value_type = String)]
    staff: Text<Code>,
}

/// A Z report.
#[derive(Serialize, ToSchema)]
pub struct ZAnswer {
    /// When the shift was closed.
    #[schema(value_type = String, format = DateTime)]
    closed_at: Text<Moment>,
    /// Who counted.
    #[schema(value_type = String)]
    staff: Text<Code>,
    /// Who confirmed the count; empty if nobody had to.
    #[schema(value_type = String)]
    approver: Text<Code>,
    /// What was counted, minor units.
    counted: i64,
    /// How much more that is than there should be.
    over: i64,
    /// The till's last receipt in it, if it ever had one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    last: Option<Text<ReceiptId>>,
    /// The sums, as they were written.
    totals: TotalsAnswer,
    /// The receipts and moves that this node holds add up to the same.
    agrees: bool,
    /// What they add up to, if to something else: some came back later that the closing node had lost, or have not arrived here.
    #[serde(skip_serializing_if = "Option::is_none")]
    held: Option<TotalsAnswer>,
}

impl ShiftAnswer {
    /// A shift as somebody may see it.
    pub fn of(books: &Books<'_>, store: StoreId, shift: Shift, eyes: Eyes) -> Answered<Self> {
        let opening = shift.opening(None);
        let (staff, after) = (opening.map(|open| Text(open.what.staff.clone())), opening.map(|open| open.what.after));
        let float = opening.map_or(0, |open| open.what.float);
        let shown = eyes == Eyes::Manager || !shift.is_open();
        let x = match shown && shift.is_open() {
            true => books.x_report(store, &shift)?.map(TotalsAnswer::of),
            false => None,
        };
        let first = if shown { books.first_count(store, shift.till, shift.number)? } else { None };
        let z = if shift.is_open() { None } else { books.z_report(store, &shift)? };
        let later = if shift.is_open() { Vec::new() } else { books.later_closes(store, &shift)? };
        let (opened_ms, _) = shift.span_ms();
        Ok(Self {
            store: store.0,
            till: shift.till.0,
            number: shift.number,
            state: if shift.is_open() { "open" } else { "closed" },
            currency: books.store(store)?.map(|record| Text(record.currency)),
            opened_at: moment(opened_ms),
            staff,
            float,
            after: after.and_then(|number| receipt(store, number)),
            x,
            first_count: first.map(|first| FirstCountAnswer {
                counted: first.counted,
                at: Text(Moment(first.at_ms)),
                staff: Text(first.staff),
            }),
            z: z.map(|z| ZAnswer::of(store, z)),
            later: later.into_iter().map(|z| ZAnswer::of(store, z)).collect(),
            moves: shift.moves.into_iter().map(|said| MoveAnswer::of(said.what, Moment(said.at_ms))).collect(),
        })
    }
}

impl MoveAnswer {
    /// Cash that was moved at a time.
    pub fn of(moved: CashMove, at: Moment) -> Self {
        Self {
            kind: Text(moved.cash),
            amount: moved.amount,
            reason: Text(moved.reason),
            staff: Text(moved.staff),
            approver: Text(moved.approver),
            at: Text(at),
        }
    }
}

impl TotalsAnswer {
    /// Sums.
    pub fn of(totals: Totals) -> Self {
        let ([cash, card, voucher, other, points], [paid_in, paid_out, dropped, refunded]) =
            (totals.tenders, totals.moved);
        let expected_cash = totals.expected_cash();
        let tax =
            |sum: TaxSum| TaxAnswer { code: Text(sum.code), rate_bp: sum.rate_bp, goods: sum.goods, tax: sum.tax };
        Self {
            receipts: totals.receipts,
            voids: totals.voids,
            sales: totals.sales,
            cash,
            card,
            voucher,
            other,
            points,
            float: totals.float,
            paid_in,
            paid_out,
            dropped,
            refunded,
            expected_cash,
            taxes: totals.taxes.into_iter().map(tax).collect(),
        }
    }
}

impl ZAnswer {
    /// A Z report of a store's till.
    pub fn of(store: StoreId, z: ZReport) -> Self {
        let (agrees, held) = (z.agrees(), z.held);
        let (at_ms, close) = (z.close.at_ms, z.close.what);
        Self {
            closed_at: Text(Moment(at_ms)),
            over: close.over(),
            staff: Text(close.staff),
            approver: Text(close.approver),
            counted: close.counted,
            last: receipt(store, close.last),
            totals: TotalsAnswer::of(close.totals),
            agrees,
            held: (!agrees).then(|| TotalsAnswer::of(held)),
        }
    }
}

fn receipt(store: StoreId, number: ReceiptNumber) -> Option<Text<ReceiptId>> {
    (number.sequence != 0).then_some(Text(ReceiptId { store, number }))
}
