//! Sales and voids. Never refused for lack of stock; a recall stops a line unless somebody approves.

use stockroom_crdt::checkout::basket::BasketId;
use stockroom_crdt::entry::Fact;
use stockroom_crdt::ids::{Digest, StoreId, TillId};
use stockroom_crdt::limits::{AMOUNT_MAX, LINES_MAX, TENDERS_MAX};
use stockroom_crdt::money::Unit;
use stockroom_crdt::receiving::Disposition;
use stockroom_crdt::sale::{ReceiptNumber, Sale, SaleLine, Tender, TenderKind};
use stockroom_crdt::scope::Scope;

use super::{Failed, benefits, check_fact, check_quantity, day, own_store};
use crate::books::{baskets, returns, sales};
use crate::input::sales::{SellLine, SellRequest, VoidRequest};
use crate::input::{Answer, Refusal};
use crate::journal::{Place, damaged, entry_at};
use crate::limits::TILL_AHEAD_MS_MAX;
use crate::plant::{Plant, planted};
use crate::replica::Replica;
use crate::storage::{Snapshot, Table};
use crate::view::View;

/// Rings up a sale: receipt number, stock, day and retry key in one commit.
pub fn sell(replica: &mut Replica, request: SellRequest) -> Result<Answer, Failed> {
    let store = own_store(replica)?;
    let forgets = planted(Plant::ForgetKeys) && replica.counters.entries_written < 3;
    if let Some(answer) = replayed(replica, store, &request)?.filter(|_| !forgets) {
        replica.reached("a retry was answered from an earlier write");
        return Ok(answer);
    }
    let body = request.body;
    let sale = drafted(replica, store, request)?;
    let (total, paid) = (sale.total(), sale.paid());
    if total != paid {
        let message = format!("the tenders add up to {paid}, the lines and the rounding to {total}");
        return Err(Refusal::invalid("tenders", message).into());
    }
    let (place, _) = post(replica, store, (sale, body), Vec::new())?;
    Ok(Answer::Written { place, replayed: false })
}

/// A sale that may be written if its tenders pay for it. Nothing is written yet: neither receipt number nor day is known.
pub fn drafted(replica: &Replica, store: StoreId, request: SellRequest) -> Result<Sale, Failed> {
    check_free(replica, store, (request.till, request.till_seq))?;
    let rung_ms = check_time(replica, request.rung_ms)?;
    if request.lines.is_empty() || request.lines.len() > LINES_MAX {
        return Err(Refusal::invalid("lines", format!("a sale has 1 to {LINES_MAX} lines")).into());
    }
    if request.tenders.len() > TENDERS_MAX {
        return Err(Refusal::invalid("tenders", format!("a sale has at most {TENDERS_MAX} tenders")).into());
    }
    let own = View::new(&replica.overlay).store(store)?.map(|record| record.currency);
    if let (Some(own), Some(asked)) = (own, request.currency)
        && own != asked
    {
        return Err(Refusal::invalid("currency", format!("is {asked}: this store sells in {own}")).into());
    }
    let currency = request.currency.or(own);
    let currency =
        currency.ok_or_else(|| Refusal::invalid("currency", "is needed while the store's own is unknown"))?;
    let approved = !request.approver.is_empty();
    let mut lines = Vec::with_capacity(request.lines.len());
    for (index, line) in request.lines.into_iter().enumerate() {
        lines.push(check_line(replica, (store, index), line, (rung_ms, approved))?);
    }
    check_amount("cash_rounding", request.cash_rounding)?;
    check_tenders(&request.tenders)?;
    if request.tenders.iter().any(|tender| tender.kind == TenderKind::Points) {
        return Err(
            Refusal::invalid("tenders", "points pay at a checkout only, which knows what a member may spend").into()
        );
    }
    Ok(Sale {
        till_seq: request.till_seq,
        receipt: ReceiptNumber { till: request.till, series: 0, sequence: 0 },
        day: 0,
        late: false,
        rung_ms,
        currency,
        cashier: request.cashier,
        approver: request.approver,
        seller: request.seller,
        foreign_key: request.foreign_key,
        fiscal: request.fiscal,
        voids: None,
        lines,
        cash_rounding: request.cash_rounding,
        tenders: request.tenders,
    })
}

/// Takes a whole receipt back: the same lines and tenders with the opposite sign.
pub fn void(replica: &mut Replica, request: VoidRequest) -> Result<Answer, Failed> {
    let store = own_store(replica)?;
    let unknown = || Refusal::Unknown { field: "receipt".into(), what: "receipt" };
    if let Some(place) = sales::by_till(&replica.overlay, store, request.till, request.till_seq)? {
        let answer = same_body(replica, (store, request.till.0, request.till_seq), request.body, place)?;
        replica.reached("a retry was answered from an earlier write");
        return Ok(answer);
    }
    check_free(replica, store, (request.till, request.till_seq))?;
    if request.approver.is_empty() {
        return Err(Refusal::invalid("approver", "a void needs an approver").into());
    }
    let place = sales::by_receipt(&replica.overlay, store, request.receipt)?.ok_or_else(unknown)?;
    let Some(Fact::Sale(original)) = entry_at(&replica.overlay, place)?.map(|item| item.entry.fact) else {
        return Err(unknown().into());
    };
    if original.voids.is_some() {
        return Err(Refusal::State("a void cannot be voided".into()).into());
    }
    if sales::is_taken_back(&replica.overlay, store, &original)? {
        return Err(Refusal::State("this receipt is voided already".into()).into());
    }
    // Money for goods that came back is given, or promised: a void would give it a second time.
    if !returns::of_receipt(&replica.overlay, Some(store), (store, request.receipt))?.is_empty() {
        let why = "goods of this receipt came back: take back the rest as a return";
        return Err(Refusal::State(why.into()).into());
    }
    let mut sale = original;
    for line in &mut sale.lines {
        line.quantity = -line.quantity;
        line.discount = -line.discount;
        if let Some(tax) = &mut line.tax {
            tax.amount = -tax.amount;
        }
    }
    sale.tenders.iter_mut().for_each(|tender| tender.amount = -tender.amount);
    sale.cash_rounding = -sale.cash_rounding;
    sale.voids = Some(request.receipt);
    (sale.till_seq, sale.receipt.till) = (request.till_seq, request.till);
    (sale.cashier, sale.approver) = (request.cashier, request.approver);
    (sale.rung_ms, sale.fiscal) = (replica.now.wall_ms, Vec::new());
    let (place, _) = post(replica, store, (sale, request.body), Vec::new())?;
    Ok(Answer::Written { place, replayed: false })
}

/// Allots receipt number and day, and writes the sale, with other facts of its store before it; gives the sale's place and number.
pub fn post(
    replica: &mut Replica,
    store: StoreId,
    (mut sale, body): (Sale, Digest),
    before: Vec<Fact>,
) -> Result<(Place, ReceiptNumber), Failed> {
    let (day, late) = day::of_sale(replica, store, sale.rung_ms)?;
    let series = replica.epoch.0;
    let till = sale.receipt.till;
    let mut sequence = sales::last_sequence(&replica.overlay, store, till, series)? + 1;
    if planted(Plant::ReceiptsAgain) && replica.counters.entries_written < 3 {
        sequence = 1;
    }
    sale.receipt = ReceiptNumber { till, series, sequence };
    let receipt = sale.receipt;
    (sale.day, sale.late) = (day, late);
    if late {
        replica.reached("a sale came after its day was closed");
    }
    let key = body_key((store, till.0, sale.till_seq));
    let fact = Fact::Sale(sale);
    check_fact(&fact, "lines")?;
    let facts: Vec<Fact> = before.into_iter().chain([fact]).collect();
    let last = facts.len() - 1;
    let place = replica.write(&Scope::StoreStock(store), facts)?[last];
    replica.overlay.put(Table::Keys, key, [body.0.as_slice(), &sales::encode(place)].concat());
    Ok((place, receipt))
}

fn replayed(replica: &Replica, store: StoreId, request: &SellRequest) -> Result<Option<Answer>, Failed> {
    let Some(place) = sales::by_till(&replica.overlay, store, request.till, request.till_seq)? else { return Ok(None) };
    same_body(replica, (store, request.till.0, request.till_seq), request.body, place).map(Some)
}

/// The sale is its own retry key and is kept for ever. After a restore the body's hash may be gone; then the id alone counts.
/// What this node wrote under the id is what it answers, though another history may have another sale of that number.
pub(super) fn same_body(
    replica: &Replica,
    id: (StoreId, u32, u64),
    body: Digest,
    first: Place,
) -> Result<Answer, Failed> {
    let Some(held) = replica.overlay.get(Table::Keys, &body_key(id))? else {
        return Ok(Answer::Written { place: first, replayed: true });
    };
    let (held, place) = held.split_at_checked(32).ok_or_else(|| damaged("a sale's retry key"))?;
    if held != body.0 {
        return Err(Refusal::RetryMismatch.into());
    }
    let place = sales::counting(&replica.overlay, id.0, sales::decode(place)?)?;
    Ok(Answer::Written { place, replayed: true })
}

/// Refuses a number under which a basket waits or waited: its sale has it, or will.
fn check_free(replica: &Replica, store: StoreId, (till, number): (TillId, u64)) -> Result<(), Failed> {
    match baskets::exists(&replica.overlay, store, BasketId { till, number })? {
        true => Err(Refusal::RetryMismatch.into()),
        false => Ok(()),
    }
}

pub(super) fn check_time(replica: &Replica, rung_ms: Option<u64>) -> Result<u64, Refusal> {
    let now = replica.now.wall_ms;
    let rung = rung_ms.unwrap_or(now);
    if rung > now.saturating_add(TILL_AHEAD_MS_MAX) {
        return Err(Refusal::invalid("rung_at", "lies more than a day ahead of this node's clock"));
    }
    Ok(rung)
}

fn check_line(replica: &Replica, at: (StoreId, usize), line: SellLine, sale: (u64, bool)) -> Result<SaleLine, Failed> {
    let ((store, index), (rung_ms, approved)) = (at, sale);
    let field = format!("lines[{index}]");
    let view = View::new(&replica.overlay);
    let product = view.product(&line.sku)?;
    if line.quantity == 0 {
        return Err(Refusal::invalid(format!("{field}.quantity"), "is zero").into());
    }
    if line.quantity < 0 && !approved {
        return Err(Refusal::invalid(format!("{field}.quantity"), "is negative: a return needs an approver").into());
    }
    check_quantity(&format!("{field}.quantity"), line.quantity.saturating_abs(), 1)?;
    if line.quantity > 0 && line.disposition != Disposition::Resale {
        let message = format!("is {}, but only goods that come back have one", line.disposition.as_str());
        return Err(Refusal::invalid(format!("{field}.disposition"), message).into());
    }
    if line.quantity < 0 {
        benefits::paid_in_money(replica, (store, index), line.original)?;
    }
    let unit = line.unit.or(product.as_ref().map(|p| p.unit)).unwrap_or(Unit::Each);
    if let Some(product) = product.as_ref().filter(|product| product.unit != unit) {
        let message = format!("{} is sold in {}, not in {}", line.sku, product.unit.as_str(), unit.as_str());
        return Err(Refusal::invalid(format!("{field}.unit"), message).into());
    }
    let recall = view.recall(&line.sku, &line.lot)?;
    if let Some(recall) = recall.as_ref().filter(|_| line.quantity > 0 && !approved) {
        let reason = format!("{} is recalled: {}", line.sku, recall.reason);
        return Err(Refusal::Stopped { field, reason }.into());
    }
    let unit_price = match line.unit_price {
        Some(price) => price,
        None => view.price_at_store(store, &line.sku, rung_ms)?.ok_or_else(|| {
            Refusal::invalid(format!("{field}.unit_price"), "is needed: the price book has no price for this product")
        })?,
    };
    check_amount(&format!("{field}.unit_price"), unit_price)?;
    if unit_price < 0 {
        return Err(Refusal::invalid(format!("{field}.unit_price"), "is negative").into());
    }
    check_amount(&format!("{field}.discount"), line.discount)?;
    if line.tax.as_ref().is_some_and(|tax| tax.amount.saturating_abs() > AMOUNT_MAX || tax.rate_bp > 100_000) {
        return Err(Refusal::invalid(format!("{field}.tax"), "is out of range").into());
    }
    let sold = SaleLine {
        sku: line.sku,
        unit,
        quantity: line.quantity,
        unit_price,
        discount: line.discount,
        discount_reason: line.discount_reason,
        tax: line.tax,
        unknown: product.is_none(),
        overridden: recall.is_some(),
        lot: line.lot,
        original: line.original,
        disposition: line.disposition,
    };
    check_amount(&field, sold.amount())?;
    if sold.amount().signum() * sold.quantity.signum() < 0 {
        return Err(Refusal::invalid(format!("{field}.discount"), "is larger than the line").into());
    }
    Ok(sold)
}

pub(super) fn check_amount(field: &str, amount: i64) -> Result<(), Refusal> {
    if amount.unsigned_abs() <= AMOUNT_MAX as u64 {
        Ok(())
    } else {
        Err(Refusal::invalid(field, format!("{amount} is beyond {AMOUNT_MAX}")))
    }
}

fn check_tenders(tenders: &[Tender]) -> Result<(), Refusal> {
    tenders
        .iter()
        .enumerate()
        .try_for_each(|(index, tender)| check_amount(&format!("tenders[{index}].amount"), tender.amount))
}

fn body_key(id: (StoreId, u32, u64)) -> Vec<u8> {
    [b"sale/".as_slice(), &sales::till_key(id.0, TillId(id.1), id.2)].concat()
}
