//! Sales as they stand in the log: by receipt number, voided, and how far a till has counted.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use stockroom_core::input::Command;
use stockroom_core::input::sales::VoidRequest;
use stockroom_core::journal::Place;
use stockroom_crdt::checkout::staff::Role;
use stockroom_crdt::entry::Fact;
use stockroom_crdt::ids::{Code, Digest, Sku, StoreId, TillId};
use stockroom_crdt::money::{Currency, Unit};
use stockroom_crdt::receiving::Disposition;
use stockroom_crdt::sale::{ReceiptNumber, Sale, SaleLine, Tender};
use utoipa::{IntoParams, ToSchema};

use super::idempotency::created;
use super::loyalty::benefits::{UsedCouponAnswer, UsedPointsAnswer, of_receipt};
use super::problem::{Answered, Kind, Problem};
use super::request::{Body, Params, Segment};
use super::sales::{OriginalBody, TaxBody, TenderBody};
use super::values::{Moment, ReceiptId, Text, Word};
use super::who::{SessionHeader, Shown, Who};
use super::{Api, Books, unexpected_entry};
use crate::staff::approvals::What;

/// Which store's.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct StoreParams {
    /// The store; this node's own if absent.
    pub store: Option<u32>,
}

/// A sale, return or void as it was posted.
#[derive(Serialize, ToSchema)]
#[schema(as = Sale)]
pub struct SaleAnswer {
    /// Receipt number, `store-till-series-sequence`; gapless per till and series.
    #[schema(value_type = String, example = "12-3-1-4711")]
    pub receipt: Text<ReceiptId>,
    /// The store.
    pub store: u32,
    /// The till.
    pub till: u32,
    /// The till's own number.
    pub till_seq: u64,
    /// Number of the business day to which it posted.
    pub business_day: u32,
    /// It was rung up before that day began.
    pub late: bool,
    /// When it was rung up, by the till's clock.
    #[schema(value_type = String, format = DateTime)]
    pub rung_at: Text<Moment>,
    /// When it was posted, by the node's clock.
    #[schema(value_type = String, format = DateTime)]
    pub recorded_at: Text<Moment>,
    /// Currency of all amounts.
    #[schema(value_type = String)]
    pub currency: Text<Currency>,
    /// Lines and rounding, minor units.
    pub total: i64,
    /// What was sold.
    pub lines: Vec<SaleLineAnswer>,
    /// Minor units added so that cash can pay the total.
    pub cash_rounding: i64,
    /// How it was paid.
    pub tenders: Vec<TenderBody>,
    /// Who sold.
    #[schema(value_type = String)]
    pub cashier: Text<Code>,
    /// Who approved; empty if nobody had to.
    #[schema(value_type = String)]
    pub approver: Text<Code>,
    /// Legal entity that sold; empty for the store's own.
    #[schema(value_type = String)]
    pub seller: Text<Code>,
    /// Key in a foreign point-of-sale system; empty if it was ours.
    #[schema(value_type = String)]
    pub foreign_key: Text<Code>,
    /// Fiscal attachment, base64.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub fiscal: String,
    /// The receipt that this one takes back.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub voids: Option<Text<ReceiptId>>,
    /// It was taken back as a whole; only when read, since it may change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub voided: Option<bool>,
    /// The receipt that counts instead: a till sent this sale again to a node that had lost it, and it was found again. Only when
    /// read, since it may change.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub repeats: Option<Text<ReceiptId>>,
    /// Coupons that reduced it; only when read, since they may be given back.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub coupons: Vec<UsedCouponAnswer>,
    /// Points that it gave a member and cost her; only when read, since they may be taken back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub points: Option<UsedPointsAnswer>,
}

/// One line of a posted sale.
#[derive(Serialize, ToSchema)]
#[schema(as = SaleLine)]
pub struct SaleLineAnswer {
    /// Its number, from 1.
    pub line: usize,
    /// What.
    #[schema(value_type = String)]
    pub sku: Text<Sku>,
    /// The SKU was not in the catalogue when the line was rung up.
    pub unknown_sku: bool,
    /// Its unit.
    #[schema(value_type = String)]
    pub unit: Text<Unit>,
    /// Pieces or grams; negative for a return.
    pub quantity: i64,
    /// Minor units per piece or per kilogram.
    pub unit_price: i64,
    /// Minor units off.
    pub discount: i64,
    /// Why.
    #[schema(value_type = String)]
    pub discount_reason: Text<Code>,
    /// What the line costs.
    pub amount: i64,
    /// The tax, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tax: Option<TaxBody>,
    /// A recall was overridden by the approver.
    pub overridden: bool,
    /// Lot; empty if unknown.
    #[schema(value_type = String)]
    pub lot: Text<Code>,
    /// Where returned goods were bought.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub original: Option<OriginalBody>,
    /// What becomes of goods that came back; only then.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub disposition: Option<Text<Disposition>>,
}

/// Takes a whole receipt back.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VoidBody {
    /// Which till does it.
    till: u32,
    /// The till's own number of the void; with the till its identity, as for a sale.
    till_seq: u64,
    /// Who does it.
    #[serde(default)]
    #[schema(value_type = String)]
    cashier: Text<Code>,
    /// Who approved it, where her name alone is believed: needed then.
    #[serde(default)]
    #[schema(value_type = String)]
    approver: Text<Code>,
    /// What `/v1/approvals` gave for `void`: it names the approver. A manager who is signed in needs none.
    approval: Option<String>,
}

/// How far a till has counted.
#[derive(Serialize, ToSchema)]
pub struct TillAnswer {
    /// The store.
    store: u32,
    /// The till.
    till: u32,
    /// Its highest number that is known here.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_till_seq: Option<u64>,
    /// A number that it may use next.
    next_till_seq: u64,
    /// Its last receipt that is known here.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    last_receipt: Option<Text<ReceiptId>>,
}

/// A receipt.
#[utoipa::path(get, path = "/v1/receipts/{number}", tag = "sales",
    params(("number" = String, Path, description = "store-till-series-sequence")), responses((status = 200, body = SaleAnswer)))]
pub async fn show_receipt(State(api): State<Arc<Api>>, Segment(id): Segment<ReceiptId>) -> Answered<Json<SaleAnswer>> {
    api.read(|books| {
        let place = books.sale_by_receipt(id.store, id.number)?.ok_or_else(|| no_receipt(id))?;
        SaleAnswer::at(books, id.store, place).map(Json)
    })
}

/// Takes a whole receipt of this store back: the same lines and tenders with the opposite sign, under a receipt of its own.
#[utoipa::path(post, path = "/v1/receipts/{number}/void", tag = "sales",
    params(("number" = String, Path, description = "store-till-series-sequence"), SessionHeader), request_body = VoidBody,
    responses((status = 201, body = SaleAnswer), (status = 200, body = SaleAnswer, description = "An earlier try had done it")))]
pub async fn void_receipt(
    State(api): State<Arc<Api>>,
    who: Who,
    Segment(id): Segment<ReceiptId>,
    Body { value, digest }: Body<VoidBody>,
) -> Answered {
    let store = api.own_store()?;
    who.may(&api, Role::Cashier)?;
    if id.store != store {
        return Err(Problem::new(Kind::NotHere, "a receipt is voided at the store that gave it out"));
    }
    let body = Digest::of(&[id.write().as_bytes(), &digest.0]);
    let known = api.read(|books| Ok(books.sale_by_till(store, TillId(value.till), value.till_seq)?.is_some()))?;
    let (cashier, approver) = match known {
        // It is done; who is signed in by now must not stop the answer.
        true => (value.cashier.0, value.approver.0),
        false => {
            let shown = Shown { approver: value.approver.0, approval: value.approval };
            let approver = who.needed_approver(&api, &shown, (What::Void, body))?;
            (who.name("cashier", &value.cashier.0)?, approver)
        }
    };
    let (till, receipt) = (TillId(value.till), id.number);
    let request = VoidRequest { till, till_seq: value.till_seq, body, receipt, cashier, approver };
    let written = api.write(Command::Void(request)).await;
    let written = written.map_err(|problem| match problem.kind() {
        Kind::UnknownReference => no_receipt(id),
        _ => problem,
    })?;
    let Fact::Sale(sale) = written.entry.fact else { return unexpected_entry() };
    Ok(created(written.replayed, SaleAnswer::new(store, sale, written.entry.hlc.ms())))
}

/// How far a till has counted, for a till that lost its own count.
#[utoipa::path(get, path = "/v1/tills/{till}", tag = "sales", params(("till" = u32, Path), StoreParams),
    responses((status = 200, body = TillAnswer)))]
pub async fn show_till(
    State(api): State<Arc<Api>>,
    Segment(till): Segment<u32>,
    Params(params): Params<StoreParams>,
) -> Answered<Json<TillAnswer>> {
    let store = api.store_or_own(params.store)?;
    api.read(|books| {
        let last_till_seq = books.last_till_seq(store, TillId(till))?;
        let last_receipt = match books.last_receipt(store, TillId(till))? {
            Some(place) => Some(SaleAnswer::at(books, store, place)?.receipt),
            None => None,
        };
        let next_till_seq = last_till_seq.map_or(1, |last| last.saturating_add(1));
        Ok(Json(TillAnswer { store: store.0, till, last_till_seq, next_till_seq, last_receipt }))
    })
}

impl SaleAnswer {
    /// The sale at a place, and whether it was voided.
    pub fn at(books: &Books<'_>, store: StoreId, place: Place) -> Answered<Self> {
        let Some(entry) = books.entry(place)? else { return unexpected_entry() };
        let Fact::Sale(sale) = entry.fact else { return unexpected_entry() };
        let voided = Some(books.is_voided(store, sale.receipt)?);
        let counts = books.repeats(store, place)?.map(|other| books.entry(other)).transpose()?.flatten();
        let repeats = match counts.map(|entry| entry.fact) {
            Some(Fact::Sale(other)) => Some(Text(ReceiptId { store, number: other.receipt })),
            Some(_) | None => None,
        };
        let (coupons, points) = of_receipt(books, store, sale.receipt)?;
        Ok(Self { voided, repeats, coupons, points, ..Self::new(store, sale, entry.hlc.ms()) })
    }

    /// A sale as it was posted: the same answer at every try.
    pub fn new(store: StoreId, sale: Sale, recorded_ms: u64) -> Self {
        let id = |number: ReceiptNumber| Text(ReceiptId { store, number });
        let total = sale.total();
        let tender = |tender: Tender| TenderBody {
            kind: Text(tender.kind),
            amount: tender.amount,
            reference: Text(tender.reference),
        };
        Self {
            receipt: id(sale.receipt),
            store: store.0,
            till: sale.receipt.till.0,
            till_seq: sale.till_seq,
            business_day: sale.day,
            late: sale.late,
            rung_at: Text(Moment(sale.rung_ms)),
            recorded_at: Text(Moment(recorded_ms)),
            currency: Text(sale.currency),
            total,
            lines: sale
                .lines
                .into_iter()
                .enumerate()
                .map(|(index, line)| SaleLineAnswer::new(store, index + 1, line))
                .collect(),
            cash_rounding: sale.cash_rounding,
            tenders: sale.tenders.into_iter().map(tender).collect(),
            cashier: Text(sale.cashier),
            approver: Text(sale.approver),
            seller: Text(sale.seller),
            foreign_key: Text(sale.foreign_key),
            fiscal: STANDARD.encode(sale.fiscal),
            voids: sale.voids.map(id),
            voided: None,
            repeats: None,
            coupons: Vec::new(),
            points: None,
        }
    }
}

impl SaleLineAnswer {
    fn new(store: StoreId, number: usize, line: SaleLine) -> Self {
        let amount = line.amount();
        let came_back = line.quantity < 0 || line.disposition != Disposition::Resale;
        let disposition = came_back.then_some(line.disposition);
        let tax = line.tax.map(|tax| TaxBody {
            code: Text(tax.code),
            rate_bp: tax.rate_bp,
            amount: tax.amount,
            added: tax.added,
        });
        let original =
            line.original.map(|(number, line)| OriginalBody { receipt: Text(ReceiptId { store, number }), line });
        Self {
            line: number,
            sku: Text(line.sku),
            unknown_sku: line.unknown,
            unit: Text(line.unit),
            quantity: line.quantity,
            unit_price: line.unit_price,
            discount: line.discount,
            discount_reason: Text(line.discount_reason),
            amount,
            tax,
            overridden: line.overridden,
            lot: Text(line.lot),
            original,
            disposition: disposition.map(Text),
        }
    }
}

/// A receipt that is not known here.
pub fn no_receipt(id: ReceiptId) -> Problem {
    Problem::not_found(format!("receipt {} is not known here", id.write()))
}
