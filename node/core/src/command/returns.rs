//! Goods that customers bring back: taking them, and giving the money when it is due.
//!
//! Goods are taken in any case once staff took them; what is decided here is whether money goes out at once. It does at the seller itself, for
//! a signed receipt within the cash limit of this store, and on a manager's name without a receipt. Otherwise the seller decides.

use stockroom_crdt::checkout::shift::{Cash, CashMove};
use stockroom_crdt::entry::Fact;
use stockroom_crdt::ids::{Code, StoreId, TillId};
use stockroom_crdt::limits::{AMOUNT_MAX, ORDER_LINES_MAX};
use stockroom_crdt::money::{Currency, Unit};
use stockroom_crdt::order::resolve::resolve;
use stockroom_crdt::order::returns::judge::{self, Sold, State};
use stockroom_crdt::order::returns::receipt::{Receipt, SignedReceipt};
use stockroom_crdt::order::returns::{GoodsReturn, Origin, Refund, ReturnGrant, ReturnId, ReturnLine, Verdict};
use stockroom_crdt::sale::ReceiptNumber;
use stockroom_crdt::scope::Scope;

use super::{Failed, check_fact, check_known, check_quantity, day, drawer, own_store};
use crate::books;
use crate::books::{orders, returns as book};
use crate::input::returns::{PayReturnRequest, ReturnRequest, ReturnRequestLine};
use crate::input::{Answer, Refusal, RetryKey};
use crate::journal::Place;
use crate::replica::Replica;
use crate::view::View;

/// What is known of the goods' purchase where they come back.
struct Bought {
    lines: Vec<(stockroom_crdt::ids::Sku, Unit, Sold)>,
    /// Units of each line that may still come back, as far as is known here.
    left: Vec<i64>,
    currency: Currency,
    may_pay: bool,
}

/// Takes goods back.
pub fn take(replica: &mut Replica, retry: RetryKey, request: ReturnRequest) -> Result<Place, Failed> {
    let own = own_store(replica)?;
    let till = request.till;
    let mut returned = drafted(replica, own, retry, request)?;
    let mut moved = None;
    if returned.refund == Refund::Cash {
        if let Some(till) = till.filter(|_| returned.amount() > 0) {
            let given = (returned.amount(), returned.id);
            moved = Some(refunded(replica, (own, till), given, (&returned.staff, &returned.approver))?);
        }
        (returned.day, _) = day::of_sale(replica, own, replica.now.wall_ms)?;
    }
    let facts = [Fact::GoodsReturn(returned)].into_iter().chain(moved).collect();
    Ok(replica.write(&Scope::StoreStock(own), facts)?[0])
}

/// A return that may be written. Nothing is written yet, and its day is not known.
pub fn drafted(
    replica: &mut Replica,
    own: StoreId,
    retry: RetryKey,
    request: ReturnRequest,
) -> Result<GoodsReturn, Failed> {
    let id = ReturnId::of_request(own, retry.key);
    if request.lines.is_empty() || request.lines.len() > ORDER_LINES_MAX {
        return Err(Refusal::invalid("lines", format!("a return has 1 to {ORDER_LINES_MAX} lines")).into());
    }
    if request.lines.windows(2).any(|two| two[0].line >= two[1].line) {
        return Err(Refusal::invalid("lines", "lines stand in ascending order, each once").into());
    }
    let bought = bought(replica, own, &request)?;
    let mut lines = Vec::with_capacity(request.lines.len());
    for (at, line) in request.lines.iter().enumerate() {
        lines.push(checked(replica, at, line, bought.as_ref())?);
    }
    let record = View::new(&replica.overlay).store(own)?;
    let currency = bought.as_ref().map(|bought| bought.currency).or(record.map(|record| record.currency));
    let currency = currency.ok_or_else(|| Refusal::State("the store's currency is not known yet".into()))?;
    let mut returned = GoodsReturn {
        id,
        origin: request.origin,
        signed: !request.signed.is_empty(),
        at_ms: replica.now.wall_ms,
        currency,
        refund: Refund::Pending,
        day: 0,
        reason: request.reason.clone(),
        reference: request.reference.clone(),
        staff: request.staff.clone(),
        approver: request.approver.clone(),
        lines,
    };
    if request.cash && bought.as_ref().is_none_or(|bought| bought.may_pay) && may_pay(replica, own, &returned)? {
        returned.refund = Refund::Cash;
    }
    check_fact(&Fact::GoodsReturn(returned.clone()), "lines")?;
    Ok(returned)
}

/// The money for a return was given: in cash by the store that took the goods, else by a hub.
pub fn pay(replica: &mut Replica, request: PayReturnRequest) -> Result<Place, Failed> {
    let own = replica.own_store();
    let PayReturnRequest { id, reference, staff, till } = request;
    if own.is_some_and(|own| own != id.store) {
        return Err(Refusal::NotHere(format!("store {} took these goods: it or the hub pays", id.store.0)).into());
    }
    let view = View::new(&replica.overlay);
    let known = view.return_outcome(own, id)?;
    let (returned, outcome) = known.ok_or(Refusal::Unknown { field: "id".into(), what: "return" })?;
    if outcome.state != State::Granted {
        return Err(Refusal::State(format!("it is {}: {}", outcome.state.as_str(), outcome.why)).into());
    }
    if let Some(own) = own
        && !holds(replica, own, returned.currency)?
    {
        let message = format!(
            "it was paid in {}, which this store's drawer does not hold: the hub pays it back",
            returned.currency
        );
        return Err(Refusal::State(message).into());
    }
    let amount = outcome.refund - outcome.paid;
    let moved = match (own, till) {
        (Some(own), Some(till)) if amount > 0 => {
            Some((own, refunded(replica, (own, till), (amount, id), (&staff, &Code::default()))?))
        }
        (Some(_), _) | (None, None) => None,
        (None, Some(_)) => {
            return Err(Refusal::NotHere("a hub has no drawers: the store's node pays in cash".into()).into());
        }
    };
    let mut said = ReturnGrant {
        id,
        verdict: if own.is_some() { Verdict::PaidCash } else { Verdict::PaidBack },
        at_ms: replica.now.wall_ms,
        lines: Vec::new(),
        amount,
        day: 0,
        note: reference,
        staff,
    };
    check_fact(&Fact::ReturnGrant(said.clone()), "reference")?;
    if let Some(own) = own {
        (said.day, _) = day::of_sale(replica, own, replica.now.wall_ms)?;
    }
    if let Some((own, moved)) = moved {
        replica.write(&Scope::StoreStock(own), vec![moved])?;
    }
    Ok(replica.write(&Scope::StoreOrders(id.store), vec![Fact::ReturnGrant(said)])?[0])
}

/// A receipt of this store with a signature, for the code on the slip.
pub fn sign(replica: &Replica, number: ReceiptNumber) -> Result<Answer, Failed> {
    let own = own_store(replica)?;
    let Some((sale, _)) = book::sold(&replica.overlay, (own, number))? else {
        return Err(Refusal::Unknown { field: "receipt".into(), what: "receipt" }.into());
    };
    let receipt = Receipt::of(own, &sale, replica.actor());
    let signed = receipt.sign(replica.me.tenant, &replica.me.signer);
    let bytes = signed.to_bytes();
    let bytes = bytes.ok_or_else(|| Refusal::State("this receipt is too long for a code".into()))?;
    Ok(Answer::SignedReceipt { bytes })
}

/// The refund of a return on its way out of a drawer.
fn refunded(
    replica: &Replica,
    (own, till): (StoreId, TillId),
    (amount, id): (i64, ReturnId),
    (staff, approver): (&Code, &Code),
) -> Result<Fact, Failed> {
    let shift = drawer::must_be_open(replica, own, till)?.number;
    let reason = Code::parse(&id.to_string()).map_err(|error| Refusal::invalid("till", error))?;
    let (staff, approver) = (staff.clone(), approver.clone());
    let fact = Fact::CashMove(CashMove { till, shift, cash: Cash::Refund, amount, reason, staff, approver });
    check_fact(&fact, "till")?;
    Ok(fact)
}

fn bought(replica: &mut Replica, own: StoreId, request: &ReturnRequest) -> Result<Option<Bought>, Failed> {
    match request.origin {
        Origin::Nothing if request.approver.is_empty() => {
            Err(Refusal::invalid("approver", "is needed without a receipt: which manager decides").into())
        }
        Origin::Nothing => Ok(None),
        Origin::Order(order) => {
            let known = orders::known(&replica.overlay, order)?;
            if resolve(&known).is_none() && known.parts.is_empty() && request.approver.is_empty() {
                let message = "is needed: this store does not know the order, a manager decides";
                return Err(Refusal::invalid("approver", message).into());
            }
            Ok(None)
        }
        Origin::Receipt(seller, number) => of_receipt(replica, own, (seller, number), request).map(Some),
    }
}

fn of_receipt(
    replica: &mut Replica,
    own: StoreId,
    receipt: (StoreId, ReceiptNumber),
    request: &ReturnRequest,
) -> Result<Bought, Failed> {
    let (seller, number) = receipt;
    let told = book::of_receipt(&replica.overlay, Some(own), receipt)?;
    if seller == own {
        let Some((sale, sold)) = book::sold(&replica.overlay, receipt)? else {
            return Err(Refusal::Unknown { field: "receipt".into(), what: "receipt" }.into());
        };
        let left = judge::left(seller, &sold, &told);
        let lines = sale.lines.iter().zip(sold).map(|(line, sold)| (line.sku.clone(), line.unit, sold)).collect();
        return Ok(Bought { lines, left, currency: sale.currency, may_pay: true });
    }
    let Some(record) = View::new(&replica.overlay).store(seller)? else {
        return Err(Refusal::Unknown { field: "receipt".into(), what: "store" }.into());
    };
    if request.signed.is_empty() {
        return Ok(Bought { lines: Vec::new(), left: Vec::new(), currency: record.currency, may_pay: false });
    }
    let signed = SignedReceipt::from_bytes(&request.signed).map_err(|error| Refusal::invalid("signed", error))?;
    let receipt = &signed.receipt;
    if (receipt.store, receipt.number) != (seller, number) {
        return Err(Refusal::invalid("signed", "is the code of another receipt").into());
    }
    // Only a node of the seller speaks for its receipts.
    let issuer = books::node(&replica.overlay, receipt.issuer.node)?.filter(|issuer| issuer.store == seller);
    if !issuer.is_some_and(|issuer| signed.verify(replica.me.tenant, &issuer.log_key)) {
        replica.reached("a forged receipt was refused");
        return Err(Refusal::State("this receipt is not genuine: its signature does not hold".into()).into());
    }
    let sold = receipt.sold();
    let mut left = judge::left(seller, &sold, &told);
    // What waits here for the seller's word is taken as well: nobody shows one receipt twice at one store.
    for told in told.values().filter(|told| told.first(Verdict::Grant).is_none()) {
        let waits = told.returned.iter().filter(|returned| returned.refund == Refund::Pending);
        for line in waits.flat_map(|returned| &returned.lines) {
            if let Some(left) = left.get_mut(usize::from(line.line)) {
                *left -= line.quantity;
            }
        }
    }
    let lines = receipt.lines.iter().map(|line| (line.sku.clone(), line.unit, line.sold)).collect();
    Ok(Bought { lines, left, currency: receipt.currency, may_pay: true })
}

/// Whether money goes out before anybody else has said so.
fn may_pay(replica: &mut Replica, own: StoreId, returned: &GoodsReturn) -> Result<bool, Failed> {
    if !holds(replica, own, returned.currency)? {
        return Ok(false);
    }
    Ok(match returned.origin {
        Origin::Nothing => true,
        // An order is paid back by its home, which knows what was captured.
        Origin::Order(_) => false,
        Origin::Receipt(seller, _) if seller == own => true,
        Origin::Receipt(..) => {
            let most = replica.limits_for(own)?.return_cash_max;
            if returned.amount() <= most {
                replica.reached("a signed receipt of another store was paid back in cash");
            }
            returned.amount() <= most
        }
    })
}

/// A drawer holds the currency of its store.
fn holds(replica: &Replica, own: StoreId, currency: Currency) -> Result<bool, Failed> {
    let record = View::new(&replica.overlay).store(own)?;
    Ok(record.is_none_or(|record| record.currency == currency))
}

fn checked(
    replica: &Replica,
    at: usize,
    line: &ReturnRequestLine,
    bought: Option<&Bought>,
) -> Result<ReturnLine, Failed> {
    let field = |name: &str| format!("lines[{at}].{name}");
    check_quantity(&field("quantity"), line.quantity, 1)?;
    let product = View::new(&replica.overlay).product(&line.sku)?;
    let unit = line.unit.or(product.map(|product| product.unit)).unwrap_or(Unit::Each);
    check_known(replica, &format!("lines[{at}]"), &line.sku, unit)?;
    if line.amount.is_some_and(|amount| !(0..=AMOUNT_MAX).contains(&amount)) {
        return Err(Refusal::invalid(field("amount"), format!("is not between 0 and {AMOUNT_MAX}")).into());
    }
    let known = bought.filter(|bought| !bought.lines.is_empty());
    let Some(known) = known else {
        // The seller, or the order's home, says what is due; without a receipt the manager does.
        let amount = line.amount.unwrap_or(0);
        let (sku, quantity, disposition) = (line.sku.clone(), line.quantity, line.disposition);
        return Ok(ReturnLine { line: line.line, sku, unit, quantity, amount, disposition });
    };
    let number = usize::from(line.line);
    let Some((sku, sold_unit, sold)) = known.lines.get(number) else {
        return Err(Refusal::Unknown { field: field("line"), what: "line of this receipt" }.into());
    };
    if (sku, *sold_unit) != (&line.sku, unit) {
        return Err(Refusal::invalid(field("sku"), format!("line {} of the receipt is {sku}", number + 1)).into());
    }
    let left = known.left.get(number).copied().unwrap_or(0).max(0);
    if line.quantity > left {
        let message = format!("{left} of line {} may still come back: the rest was returned before", number + 1);
        return Err(Refusal::State(message).into());
    }
    let most = sold.part(sold.units.saturating_sub(left), line.quantity);
    let amount = line.amount.unwrap_or(most);
    if amount > most {
        return Err(Refusal::invalid(field("amount"), format!("is more than the {most} that were paid for it")).into());
    }
    Ok(ReturnLine {
        line: line.line,
        sku: line.sku.clone(),
        unit,
        quantity: line.quantity,
        amount,
        disposition: line.disposition,
    })
}
