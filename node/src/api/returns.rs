//! Goods that customers bring back: taken at any store, paid back where that may be decided.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use stockroom_core::input::returns::{PayReturnRequest, ReturnRequest, ReturnRequestLine};
use stockroom_core::input::{Answer, Command};
use stockroom_crdt::checkout::staff::Role;
use stockroom_crdt::entry::Fact;
use stockroom_crdt::ids::{Code, Sku, StoreId, TillId};
use stockroom_crdt::money::{Currency, Unit};
use stockroom_crdt::order::returns::judge::{Outcome, by_tender};
use stockroom_crdt::order::returns::{GoodsReturn, Origin, ReturnId, ReturnLine};
use stockroom_crdt::order::{LineUnits, OrderId};
use stockroom_crdt::receiving::Disposition;
use stockroom_crdt::sale::{Tender, TenderKind};
use utoipa::ToSchema;

use super::idempotency::{KeyHeader, Keyed, created};
use super::problem::{Answered, Kind, Problem};
use super::request::Segment;
use super::sales::TenderBody;
use super::values::{Moment, ReceiptId, Text, Word};
use super::who::{SessionHeader, Shown, Who};
use super::{Api, Books, unexpected, unexpected_entry};
use crate::staff::approvals::What;

/// Goods that a customer brings. With neither receipt nor order a manager has to decide.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReturnBody {
    /// The receipt on which they were sold, of any store.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "12-3-1-4711")]
    receipt: Option<Text<ReceiptId>>,
    /// The order with which they were handed over.
    #[serde(default)]
    #[schema(example = "7-0123456789")]
    order: Option<String>,
    /// The signed code on the receipt, as it was scanned: with it a store pays back in cash what another one sold, up to its limit.
    #[serde(default)]
    signed: Option<String>,
    /// Give the money at the counter, if that may be decided here. Otherwise it waits for the seller's word.
    #[serde(default)]
    cash: bool,
    /// Out of the drawer of this till, whose shift has to be open: it is booked there. Out of no drawer if absent.
    till: Option<u32>,
    /// Why they come back.
    #[serde(default)]
    #[schema(value_type = String)]
    reason: Text<Code>,
    /// For an exchange: what the sale or order of the other goods bears too.
    #[serde(default)]
    #[schema(value_type = String)]
    reference: Text<Code>,
    /// Who takes them.
    #[serde(default)]
    #[schema(value_type = String)]
    staff: Text<Code>,
    /// The manager who decides, where her name alone is believed; needed then without a receipt, and for an order that this store does
    /// not know.
    #[serde(default)]
    #[schema(value_type = String)]
    approver: Text<Code>,
    /// What `/v1/approvals` gave for `return`: it names the approver. A manager who is signed in needs none.
    #[serde(default)]
    pub(super) approval: Option<String>,
    /// What comes back, in ascending order of lines.
    lines: Vec<ReturnLineBody>,
}

/// One line of goods that come back.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReturnLineBody {
    /// The line of the receipt or order, from 1; its place in this list if absent.
    #[serde(default)]
    line: Option<u16>,
    /// What.
    #[schema(value_type = String)]
    sku: Text<Sku>,
    /// In which unit; the product's if absent.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    unit: Option<Text<Unit>>,
    /// How many, pieces or grams.
    quantity: i64,
    /// Minor units for it; what was paid for so much of the line if absent.
    #[serde(default)]
    amount: Option<i64>,
    /// `resale`, `quarantine` or `scrap`; `resale` if absent.
    #[serde(default)]
    #[schema(value_type = String)]
    disposition: Text<Disposition>,
}

/// Who gave the money.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReturnPaidBody {
    /// The gateway's number; empty for cash.
    #[serde(default)]
    #[schema(value_type = String)]
    reference: Text<Code>,
    /// Staff id.
    #[serde(default)]
    #[schema(value_type = String)]
    staff: Text<Code>,
    /// Out of the drawer of this till, whose shift has to be open: it is booked there. Out of no drawer if absent.
    till: Option<u32>,
}

/// A return, and where it stands as far as this node knows.
#[derive(Serialize, ToSchema)]
#[schema(as = Return)]
pub struct ReturnAnswer {
    /// Its name.
    #[schema(value_type = String, example = "7-0123456789")]
    id: Text<ReturnId>,
    /// Who took the goods.
    store: u32,
    /// The receipt on which they were sold.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    receipt: Option<Text<ReceiptId>>,
    /// The order with which they were handed over.
    #[serde(skip_serializing_if = "Option::is_none")]
    order: Option<String>,
    /// When they came.
    #[schema(value_type = String, format = DateTime)]
    taken_at: Text<Moment>,
    /// `pending`, `granted`, `paid`, `refused` or `paid-twice`.
    state: &'static str,
    /// Why.
    why: String,
    /// Of all amounts.
    #[schema(value_type = String)]
    currency: Text<Currency>,
    /// Minor units that the customer is to get in all.
    refund: i64,
    /// Minor units that the customer got.
    paid: i64,
    /// Minor units that were paid and not due.
    loss: i64,
    /// Who bears them; absent without a loss.
    #[serde(skip_serializing_if = "String::is_empty")]
    bearer: String,
    /// For an exchange.
    #[schema(value_type = String)]
    reference: Text<Code>,
    /// Why they came back.
    #[schema(value_type = String)]
    reason: Text<Code>,
    /// Who took them.
    #[schema(value_type = String)]
    staff: Text<Code>,
    /// The manager who decided; empty if nobody had to.
    #[schema(value_type = String)]
    approver: Text<Code>,
    /// What came back.
    lines: Vec<ReturnLineAnswer>,
    /// How the refund divides over what the receipt was paid with, in proportion: where it goes back to. Empty where the receipt is not known.
    back_to: Vec<TenderBody>,
}

/// One line of a return.
#[derive(Serialize, ToSchema)]
#[schema(as = ReturnLine)]
pub struct ReturnLineAnswer {
    /// The line of the receipt or order, from 1.
    line: u32,
    /// What.
    #[schema(value_type = String)]
    sku: Text<Sku>,
    /// Its unit.
    #[schema(value_type = String)]
    unit: Text<Unit>,
    /// Pieces or grams that came back.
    quantity: i64,
    /// Of these: units for which money is due.
    granted: i64,
    /// Minor units that the store that took them reckoned with.
    amount: i64,
    /// What becomes of them.
    #[schema(value_type = String)]
    disposition: Text<Disposition>,
}

/// The signed code of a receipt.
#[derive(Serialize, ToSchema)]
pub struct ReceiptQr {
    /// The receipt.
    #[schema(value_type = String)]
    receipt: Text<ReceiptId>,
    /// What the code says: to be printed as a QR code, and sent back as `signed` of a return. URL-safe base64.
    signed: String,
}

/// Takes goods back. The goods are in stock, in quarantine or thrown away here at once; whether money is due shows in `state`.
#[utoipa::path(post, path = "/v1/returns", tag = "sales", params(KeyHeader, SessionHeader), request_body = ReturnBody,
    responses((status = 201, body = ReturnAnswer)))]
pub async fn create_return(
    State(api): State<Arc<Api>>,
    who: Who,
    Keyed { value, retry }: Keyed<ReturnBody>,
) -> Answered {
    api.own_store()?;
    who.may(&api, Role::Cashier)?;
    let approval = value.approval.clone();
    let mut request = value.read()?;
    if api.read(|books| Ok(books.retried(retry.key)?))?.is_none() {
        let shown = Shown { approver: request.approver, approval };
        request.approver = who.needed_approver(&api, &shown, (What::Return, retry.body))?;
        request.staff = who.name("staff", &request.staff)?;
    }
    let written = api.write(Command::ReturnGoods(retry, Box::new(request))).await?;
    let Fact::GoodsReturn(returned) = written.entry.fact else { return unexpected_entry() };
    Ok(created(written.replayed, find(&api, returned.id)?))
}

/// A return, and where it stands.
#[utoipa::path(get, path = "/v1/returns/{id}", tag = "sales", params(("id" = String, Path)),
    responses((status = 200, body = ReturnAnswer)))]
pub async fn show_return(State(api): State<Arc<Api>>, Segment(id): Segment<ReturnId>) -> Answered<Json<ReturnAnswer>> {
    find(&api, id).map(Json)
}

/// The money that is due for a return was given: in cash at the store that took the goods, to how it was paid at a hub.
#[utoipa::path(post, path = "/v1/returns/{id}/paid", tag = "sales", params(("id" = String, Path), KeyHeader),
    request_body = ReturnPaidBody, responses((status = 201, body = ReturnAnswer)))]
pub async fn pay_return(
    State(api): State<Arc<Api>>,
    Segment(id): Segment<ReturnId>,
    Keyed { value, retry }: Keyed<ReturnPaidBody>,
) -> Answered {
    // A return that is not known here is no such path, and not a wrong field.
    find(&api, id)?;
    let request =
        PayReturnRequest { id, reference: value.reference.0, staff: value.staff.0, till: value.till.map(TillId) };
    let written = api.write(Command::PayReturn(retry, request)).await?;
    Ok(created(written.replayed, find(&api, id)?))
}

/// A receipt of this store as a signed code, with which its goods can be returned at another store also while that is cut off.
#[utoipa::path(get, path = "/v1/receipts/{number}/qr", tag = "sales", params(("number" = String, Path)),
    responses((status = 200, body = ReceiptQr)))]
pub async fn sign_receipt(
    State(api): State<Arc<Api>>,
    Segment(receipt): Segment<ReceiptId>,
) -> Answered<Json<ReceiptQr>> {
    let own = api.own_store()?;
    if receipt.store != own {
        let message = format!("store {} sold on this receipt: only its node signs it", receipt.store.0);
        return Err(Problem::new(Kind::NotHere, message));
    }
    if api.read(|books| Ok(books.sale_by_receipt(own, receipt.number)?))?.is_none() {
        return Err(Problem::not_found(format!("no such receipt: {}", receipt.write())));
    }
    match api.ask(Command::SignReceipt(receipt.number)).await? {
        Answer::SignedReceipt { bytes } => Ok(Json(ReceiptQr { receipt: Text(receipt), signed: code_of(&bytes) })),
        answer => unexpected(&answer),
    }
}

/// A signed receipt as its code says it.
pub fn code_of(signed: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(signed)
}

impl Word for ReturnId {
    fn read(text: &str) -> Result<Self, String> {
        Self::parse(text).ok_or_else(|| "is not the number of a return, store-number, e.g. 7-0123456789".into())
    }

    fn write(&self) -> String {
        self.to_string()
    }
}

impl ReturnBody {
    /// The request that it means.
    pub fn read(self) -> Answered<ReturnRequest> {
        let origin = match (self.receipt, self.order) {
            (Some(_), Some(_)) => {
                return Err(Problem::invalid("order", "stands beside receipt; one of them is enough"));
            }
            (Some(receipt), None) => Origin::Receipt(receipt.0.store, receipt.0.number),
            (None, Some(order)) => {
                let wrong = || Problem::invalid("order", "is not the number of an order, e.g. 7-0123456789");
                Origin::Order(OrderId::parse(&order).ok_or_else(wrong)?)
            }
            (None, None) => Origin::Nothing,
        };
        let signed = self.signed.map(|text| URL_SAFE_NO_PAD.decode(text.trim_end_matches('='))).transpose();
        let signed = signed.map_err(|_| Problem::invalid("signed", "is not the text of a signed receipt"))?;
        let lines = self.lines.into_iter().enumerate().map(|(at, line)| line.read(at)).collect::<Answered<_>>()?;
        Ok(ReturnRequest {
            origin,
            signed: signed.unwrap_or_default(),
            cash: self.cash,
            till: self.till.map(TillId),
            reason: self.reason.0,
            reference: self.reference.0,
            staff: self.staff.0,
            approver: self.approver.0,
            lines,
        })
    }
}

impl ReturnLineBody {
    fn read(self, at: usize) -> Answered<ReturnRequestLine> {
        let line = match self.line {
            Some(line) => line.checked_sub(1),
            None => u16::try_from(at).ok(),
        };
        let line = line.ok_or_else(|| Problem::invalid(format!("lines[{at}].line"), "lines are counted from 1"))?;
        Ok(ReturnRequestLine {
            line,
            sku: self.sku.0,
            unit: self.unit.map(|unit| unit.0),
            quantity: self.quantity,
            amount: self.amount,
            disposition: self.disposition.0,
        })
    }
}

/// A return as this node knows it.
pub fn find(api: &Api, id: ReturnId) -> Answered<ReturnAnswer> {
    let own = Some(StoreId(api.info.store)).filter(|store| store.0 != 0);
    let found = api.read(|books| Ok(books.return_outcome(own, id)?))?;
    let (returned, outcome) = found.ok_or_else(|| Problem::not_found(format!("no such return: {id}")))?;
    let back_to = api.read(|books| back_to(books, &returned, outcome.refund))?;
    Ok(ReturnAnswer::of(returned, outcome, back_to))
}

/// How a refund divides over the tenders of its receipt; change is off the cash.
fn back_to(books: &Books<'_>, returned: &GoodsReturn, refund: i64) -> Answered<Vec<TenderBody>> {
    let Origin::Receipt(seller, number) = returned.origin else { return Ok(Vec::new()) };
    let place = books.sale_by_receipt(seller, number)?;
    let entry = place.map(|place| books.entry(place)).transpose()?.flatten();
    let Some(Fact::Sale(sale)) = entry.map(|entry| entry.fact) else { return Ok(Vec::new()) };
    let is_cash = |tender: &&Tender| tender.kind == TenderKind::Cash;
    let cash: i64 = sale.tenders.iter().filter(is_cash).map(|tender| tender.amount).sum();
    let others = sale.tenders.iter().filter(|tender| !is_cash(tender)).cloned();
    let all: Vec<_> =
        others.chain([Tender { kind: TenderKind::Cash, amount: cash, reference: Code::default() }]).collect();
    let paid: Vec<_> = all.iter().map(|tender| tender.amount).collect();
    let parts = all.into_iter().zip(by_tender(refund, &paid)).filter(|(_, amount)| *amount > 0);
    let body = |(tender, amount): (Tender, i64)| TenderBody {
        kind: Text(tender.kind),
        amount,
        reference: Text(tender.reference),
    };
    Ok(parts.map(body).collect())
}

impl ReturnAnswer {
    fn of(returned: GoodsReturn, outcome: Outcome, back_to: Vec<TenderBody>) -> Self {
        let (receipt, order) = match returned.origin {
            Origin::Nothing => (None, None),
            Origin::Receipt(store, number) => (Some(Text(ReceiptId { store, number })), None),
            Origin::Order(order) => (None, Some(order.to_string())),
        };
        Self {
            id: Text(returned.id),
            store: returned.id.store.0,
            receipt,
            order,
            taken_at: Text(Moment(returned.at_ms)),
            state: outcome.state.as_str(),
            why: outcome.why,
            currency: Text(returned.currency),
            refund: outcome.refund,
            paid: outcome.paid,
            loss: outcome.loss,
            bearer: outcome.bearer,
            reference: Text(returned.reference),
            reason: Text(returned.reason),
            staff: Text(returned.staff),
            approver: Text(returned.approver),
            lines: returned.lines.into_iter().map(|line| ReturnLineAnswer::of(line, &outcome.granted)).collect(),
            back_to,
        }
    }
}

impl ReturnLineAnswer {
    fn of(line: ReturnLine, granted: &[LineUnits]) -> Self {
        let granted = granted.iter().find(|units| units.line == line.line).map_or(0, |units| units.quantity);
        Self {
            line: u32::from(line.line) + 1,
            sku: Text(line.sku),
            unit: Text(line.unit),
            quantity: line.quantity,
            granted,
            amount: line.amount,
            disposition: Text(line.disposition),
        }
    }
}
