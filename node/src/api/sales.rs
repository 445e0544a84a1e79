//! Ringing up a sale: the request, and how its lines become goods and prices. A sale is its own retry key.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use stockroom_core::input::Command;
use stockroom_core::input::sales::{SellLine, SellRequest};
use stockroom_core::view::{ScanError, Scanned};
use stockroom_crdt::checkout::staff::Role;
use stockroom_crdt::entry::Fact;
use stockroom_crdt::ids::{Code, Digest, Sku, StoreId, TillId};
use stockroom_crdt::limits::{AMOUNT_MAX, FISCAL_BYTES_MAX, LINES_MAX, TENDERS_MAX};
use stockroom_crdt::money::{Currency, Unit, extend};
use stockroom_crdt::receiving::Disposition;
use stockroom_crdt::sale::{Tax, Tender, TenderKind};
use utoipa::ToSchema;

use super::goods::{check_quantity, packs};
use super::idempotency::created;
use super::problem::{Answered, Problem};
use super::receipts::{SaleAnswer, StoreParams};
use super::request::{Body, Params, Segments};
use super::values::{Moment, ReceiptId, Text, now_ms};
use super::who::{SessionHeader, Shown, Who};
use super::{Api, Books, unexpected_entry};
use crate::staff::approvals::What;

/// A sale as a till rings it up. `till` and `till_seq` are its identity: the same number with the same body is a retry.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SaleBody {
    /// Which till.
    till: u32,
    /// The till's own number of the sale; see `/v1/tills/{till}` for the next one.
    till_seq: u64,
    /// When it was rung up; now if absent.
    #[schema(value_type = Option<String>, format = DateTime)]
    rung_at: Option<Text<Moment>>,
    /// ISO 4217; the store's if absent.
    #[schema(value_type = Option<String>)]
    currency: Option<Text<Currency>>,
    /// Who sold.
    #[serde(default)]
    #[schema(value_type = String)]
    cashier: Text<Code>,
    /// Who approved a return or an override, where her name alone is believed.
    #[serde(default)]
    #[schema(value_type = String)]
    approver: Text<Code>,
    /// What `/v1/approvals` gave for `checkout`: it names the approver.
    approval: Option<String>,
    /// Legal entity that sells, if not the store's own.
    #[serde(default)]
    #[schema(value_type = String)]
    seller: Text<Code>,
    /// Key in a foreign point-of-sale system.
    #[serde(default)]
    #[schema(value_type = String)]
    foreign_key: Text<Code>,
    /// Fiscal attachment: base64, or `hex:` and hexadecimal digits. At most 4 KiB.
    fiscal: Option<String>,
    /// 1 to 1,000 lines.
    lines: Vec<SaleLineBody>,
    /// Minor units added so that cash can pay the total.
    #[serde(default)]
    cash_rounding: i64,
    /// Payments; must add up to the lines and the rounding. Change is a negative cash tender.
    #[serde(default)]
    tenders: Vec<TenderBody>,
}

/// One line of a sale.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SaleLineBody {
    /// What; either this or `code`. One that is not in the catalogue is accepted and flagged.
    #[schema(value_type = Option<String>)]
    sku: Option<Text<Sku>>,
    /// A scanned code; may stand for a pack, or carry a weight or a price.
    code: Option<String>,
    /// Pieces or grams; scans of a `code`, then 1 if absent. Negative for a return, which needs an approver.
    quantity: Option<i64>,
    /// `each` or `gram`; the product's if absent.
    #[schema(value_type = Option<String>)]
    unit: Option<Text<Unit>>,
    /// Minor units per piece or per kilogram; the price book's if absent.
    unit_price: Option<i64>,
    /// Minor units off the line, in the sign of the quantity.
    #[serde(default)]
    discount: i64,
    /// Why there is a discount.
    #[serde(default)]
    #[schema(value_type = String)]
    discount_reason: Text<Code>,
    /// The tax, if any.
    tax: Option<TaxBody>,
    /// Lot, where the code told it.
    #[serde(default)]
    #[schema(value_type = String)]
    lot: Text<Code>,
    /// Where returned goods were bought.
    original: Option<OriginalBody>,
    /// What becomes of returned goods: `resale` puts them back on the shelf, `quarantine` sets them aside until somebody
    /// decides, `scrap` throws them away. Only the first adds to stock on hand.
    #[serde(default)]
    #[schema(value_type = String, example = "resale")]
    disposition: Text<Disposition>,
}

/// Tax on a line, as the till computed it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, serde::Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Tax)]
pub struct TaxBody {
    /// The tenant's code.
    #[schema(value_type = String)]
    pub code: Text<Code>,
    /// Hundredths of a percent.
    pub rate_bp: u32,
    /// Minor units, in the sign of the line.
    pub amount: i64,
    /// It is added to the price; otherwise the price contains it.
    #[serde(default)]
    pub added: bool,
}

/// A line of an earlier receipt.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, serde::Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Original)]
pub struct OriginalBody {
    /// Its receipt number, `store-till-series-sequence`.
    #[schema(value_type = String, example = "12-3-1-4711")]
    pub receipt: Text<ReceiptId>,
    /// Its line, from 1.
    pub line: u32,
}

/// One payment.
#[derive(Debug, Deserialize, serde::Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Tender)]
pub struct TenderBody {
    /// `cash`, `card`, `voucher` or `other`.
    #[schema(value_type = String, example = "cash")]
    pub kind: Text<TenderKind>,
    /// Minor units.
    pub amount: i64,
    /// The terminal's reference.
    #[serde(default)]
    #[schema(value_type = String)]
    pub reference: Text<Code>,
}

/// Rings up a sale or a return. It is durable here when this answers 201.
#[utoipa::path(post, path = "/v1/sales", tag = "sales", params(SessionHeader), request_body = SaleBody, responses(
    (status = 201, body = SaleAnswer), (status = 200, body = SaleAnswer, description = "An earlier try had rung it up")))]
pub async fn create_sale(State(api): State<Arc<Api>>, who: Who, Body { value, digest }: Body<SaleBody>) -> Answered {
    let store = api.own_store()?;
    who.may(&api, Role::Cashier)?;
    let shown = Shown { approver: value.approver.0.clone(), approval: value.approval.clone() };
    let request = api.read(|books| {
        value.read((books, store), digest, |request| {
            request.approver = who.approver(&api, &shown, (What::Checkout, digest))?;
            request.cashier = who.name("cashier", &request.cashier)?;
            Ok(())
        })
    })?;
    let written = api.write(Command::Sell(request)).await?;
    let Fact::Sale(sale) = written.entry.fact else { return unexpected_entry() };
    if !written.replayed {
        api.metrics.sold();
    }
    Ok(created(written.replayed, SaleAnswer::new(store, sale, written.entry.hlc.ms())))
}

/// The sale that a till numbered so.
#[utoipa::path(get, path = "/v1/sales/{till}/{till_seq}", tag = "sales",
    params(("till" = u32, Path), ("till_seq" = u64, Path), StoreParams), responses((status = 200, body = SaleAnswer)))]
pub async fn show_sale(
    State(api): State<Arc<Api>>,
    Segments(till, till_seq): Segments<u32, u64>,
    Params(params): Params<StoreParams>,
) -> Answered<Json<SaleAnswer>> {
    let store = api.store_or_own(params.store)?;
    api.read(|books| {
        let place = books.sale_by_till(store, TillId(till), till_seq)?;
        let place = place.ok_or_else(|| Problem::not_found(format!("till {till} has no sale {till_seq}")))?;
        SaleAnswer::at(books, store, place).map(Json)
    })
}

impl SaleBody {
    /// The request that it means; `digest` tells it from another one. `people` says who sells and who approved, unless the sale is rung up
    /// already: its lines stand in the log then, and neither what its codes mean today nor who is signed in by now must stop the answer.
    pub fn read(
        self,
        (books, store): (&Books<'_>, StoreId),
        digest: Digest,
        people: impl FnOnce(&mut SellRequest) -> Answered<()>,
    ) -> Answered<SellRequest> {
        let known = books.sale_by_till(store, TillId(self.till), self.till_seq)?.is_some();
        let mut request = self.to_request(store)?;
        request.body = digest;
        if !known {
            people(&mut request)?;
            request.lines = lines(books, store, self.lines, self.rung_at)?;
        }
        Ok(request)
    }

    /// All but the lines.
    fn to_request(&self, store: StoreId) -> Answered<SellRequest> {
        if !(1..=LINES_MAX).contains(&self.lines.len()) {
            return Err(Problem::invalid("lines", format_args!("are not 1 to {LINES_MAX}")));
        }
        if self.tenders.len() > TENDERS_MAX {
            return Err(Problem::invalid("tenders", format_args!("are more than {TENDERS_MAX}")));
        }
        for (index, line) in self.lines.iter().enumerate() {
            line.check(&format!("lines[{index}]"), store)?;
        }
        for (index, tender) in self.tenders.iter().enumerate() {
            check_amount(&format!("tenders[{index}].amount"), tender.amount)?;
        }
        check_amount("cash_rounding", self.cash_rounding)?;
        let tender =
            |body: &TenderBody| Tender { kind: body.kind.0, amount: body.amount, reference: body.reference.0.clone() };
        Ok(SellRequest {
            till: TillId(self.till),
            till_seq: self.till_seq,
            body: Digest([0; 32]),
            rung_ms: self.rung_at.as_ref().map(|at| at.0.0),
            currency: self.currency.as_ref().map(|currency| currency.0),
            cashier: self.cashier.0.clone(),
            approver: self.approver.0.clone(),
            seller: self.seller.0.clone(),
            foreign_key: self.foreign_key.0.clone(),
            fiscal: self.fiscal.as_deref().map(fiscal).transpose()?.unwrap_or_default(),
            lines: Vec::new(),
            cash_rounding: self.cash_rounding,
            tenders: self.tenders.iter().map(tender).collect(),
        })
    }
}

impl SaleLineBody {
    /// What can be said about the line without the books.
    fn check(&self, field: &str, store: StoreId) -> Answered<()> {
        match (&self.sku, &self.code, self.quantity) {
            (Some(_), Some(_), _) => {
                return Err(Problem::invalid(format!("{field}.code"), "stands beside a sku; one of them is enough"));
            }
            (None, None, _) => {
                return Err(Problem::invalid(format!("{field}.sku"), "is missing, and there is no code"));
            }
            (Some(_), None, None) => return Err(Problem::invalid(format!("{field}.quantity"), "is missing")),
            (_, _, Some(quantity)) => check_quantity(&format!("{field}.quantity"), quantity)?,
            (None, Some(_), None) => {}
        }
        check_amount(&format!("{field}.unit_price"), self.unit_price.unwrap_or(0))?;
        check_amount(&format!("{field}.discount"), self.discount)?;
        check_amount(&format!("{field}.tax.amount"), self.tax.as_ref().map_or(0, |tax| tax.amount))?;
        match &self.original {
            Some(original) if original.receipt.0.store != store => Err(Problem::invalid(
                format!("{field}.original.receipt"),
                "is another store's: leave it out, name it in foreign_key",
            )),
            _ => Ok(()),
        }
    }

    fn to_line(&self, sku: Sku, quantity: i64) -> SellLine {
        SellLine {
            sku,
            unit: self.unit.as_ref().map(|unit| unit.0),
            quantity,
            unit_price: self.unit_price,
            discount: self.discount,
            discount_reason: self.discount_reason.0.clone(),
            tax: self.tax.as_ref().map(|tax| Tax {
                code: tax.code.0.clone(),
                rate_bp: tax.rate_bp,
                amount: tax.amount,
                added: tax.added,
            }),
            lot: self.lot.0.clone(),
            original: self.original.as_ref().map(|original| (original.receipt.0.number, original.line)),
            disposition: self.disposition.0,
        }
    }
}

fn lines(
    books: &Books<'_>,
    store: StoreId,
    bodies: Vec<SaleLineBody>,
    rung_at: Option<Text<Moment>>,
) -> Answered<Vec<SellLine>> {
    let at = rung_at.map_or_else(now_ms, |at| at.0.0);
    bodies.into_iter().enumerate().map(|(index, body)| line(books, (store, at), body, index)).collect()
}

fn line(books: &Books<'_>, place: (StoreId, u64), body: SaleLineBody, index: usize) -> Answered<SellLine> {
    let field = format!("lines[{index}]");
    let quantity = body.quantity.unwrap_or(1);
    let code = match (&body.sku, &body.code) {
        (Some(sku), _) => return Ok(body.to_line(sku.0.clone(), quantity)),
        (None, code) => code.clone().unwrap_or_default(),
    };
    match books.scan(&code)? {
        Ok(scanned) if scanned.price.is_some() => labelled(books, place, (&body, quantity), (scanned, &field)),
        Ok(scanned) => {
            let quantity = packs(&format!("{field}.quantity"), quantity, scanned.quantity)?;
            Ok(body.to_line(scanned.sku, quantity))
        }
        // The goods are in the customer's hands: the code stands for a SKU that is not known yet.
        Err(ScanError::Unknown) => {
            let sku = Sku::parse(&code).map_err(|error| Problem::invalid(format!("{field}.code"), error))?;
            Ok(body.to_line(sku, quantity))
        }
        Err(error @ (ScanError::Code(_) | ScanError::Ambiguous)) => {
            Err(Problem::invalid(format!("{field}.code"), error))
        }
    }
}

/// A package whose label carries its price. A piece costs that; for weighed goods the price per kilogram tells the weight,
/// and what rounding to whole grams adds is taken off again, so that the customer pays what the label says.
fn labelled(
    books: &Books<'_>,
    place: (StoreId, u64),
    body: (&SaleLineBody, i64),
    scanned: (Scanned, &str),
) -> Answered<SellLine> {
    let ((body, packages), (scanned, field)) = (body, scanned);
    let label = scanned.price.unwrap_or(0);
    let mut line = body.to_line(scanned.sku, packages);
    let unit = books.product(&line.sku)?.map_or(Unit::Each, |product| product.unit);
    if unit == Unit::Each {
        line.unit_price = Some(body.unit_price.unwrap_or(label));
        return Ok(line);
    }
    let per_kilogram = match body.unit_price {
        Some(price) => Some(price),
        None => books.price_at_store(place.0, &line.sku, place.1)?,
    };
    let per_kilogram = per_kilogram.filter(|&price| price > 0).ok_or_else(|| {
        Problem::invalid(
            format!("{field}.unit_price"),
            "is needed: it tells the weight of a package with a price label",
        )
    })?;
    let grams = (label.saturating_mul(1000)).saturating_add(per_kilogram - 1) / per_kilogram;
    line.quantity = packs(&format!("{field}.quantity"), packages, grams)?;
    line.unit_price = Some(per_kilogram);
    let rounding = extend(Unit::Gram, line.quantity, per_kilogram) - packages * label;
    if rounding != 0 {
        line.discount += rounding;
        if line.discount_reason.is_empty() {
            line.discount_reason = Code::parse(LABEL_ROUNDING).map_err(|error| Problem::invalid(field, error))?;
        }
    }
    Ok(line)
}

fn fiscal(text: &str) -> Answered<Vec<u8>> {
    let bytes = match text.strip_prefix("hex:") {
        Some(digits) => crate::enrol::unhex(digits).ok_or_else(|| Problem::invalid("fiscal", "is not hexadecimal"))?,
        None => {
            STANDARD.decode(text).map_err(|_| Problem::invalid("fiscal", "is neither base64 nor hex: and digits"))?
        }
    };
    if bytes.len() > FISCAL_BYTES_MAX {
        return Err(Problem::invalid("fiscal", format_args!("has more than {FISCAL_BYTES_MAX} bytes")));
    }
    Ok(bytes)
}

fn check_amount(field: &str, amount: i64) -> Answered<()> {
    if (-AMOUNT_MAX..=AMOUNT_MAX).contains(&amount) {
        Ok(())
    } else {
        Err(Problem::invalid(field, format_args!("{amount} is beyond {AMOUNT_MAX}")))
    }
}

/// Why a line with a price label may have a discount of a cent.
const LABEL_ROUNDING: &str = "label rounding";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fiscal_attachment_is_base64_or_marked_hex() {
        assert_eq!(fiscal("AQID").unwrap(), [1, 2, 3]);
        assert_eq!(fiscal("hex:0102ff").unwrap(), [1, 2, 255]);
        for wrong in ["hex:1", "hex:zz", "A", "*"] {
            assert!(fiscal(wrong).is_err(), "{wrong}");
        }
        assert!(fiscal(&STANDARD.encode(vec![0; FISCAL_BYTES_MAX + 1])).is_err());
    }
}
