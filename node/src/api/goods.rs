//! Goods that come in, corrections of the book, and what a line of goods names: a SKU or a scanned code.

use std::sync::Arc;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use stockroom_core::input::Command;
use stockroom_crdt::entry::Fact;
use stockroom_crdt::ids::{Code, Sku};
use stockroom_crdt::limits::{LINES_MAX, QUANTITY_MAX};
use stockroom_crdt::money::Unit;
use stockroom_crdt::receiving::{Adjustment, GoodsReceipt, ReceiptLine};
use utoipa::ToSchema;

use super::idempotency::{KeyHeader, Keyed, created};
use super::problem::{Answered, Problem};
use super::values::{Day, Moment, Text};
use super::{Api, Books, unexpected_entry};

/// Goods received from a supplier or a warehouse.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GoodsReceiptBody {
    /// The delivery note or purchase order.
    #[serde(default)]
    #[schema(value_type = String)]
    document: Text<Code>,
    /// Who takes the goods in.
    #[serde(default)]
    #[schema(value_type = String)]
    staff: Text<Code>,
    /// 1 to 1,000 lines.
    lines: Vec<GoodsLineBody>,
}

/// One line of goods that came in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GoodsLineBody {
    /// What; either this or `code`.
    #[schema(value_type = Option<String>)]
    sku: Option<Text<Sku>>,
    /// A scanned code; `quantity` then counts packs.
    code: Option<String>,
    /// Pieces or grams, or packs of a scanned code; at least 1.
    quantity: i64,
    /// `each` or `gram`; the product's if absent.
    #[schema(value_type = Option<String>)]
    unit: Option<Text<Unit>>,
    /// Batch or lot.
    #[serde(default)]
    #[schema(value_type = String)]
    lot: Text<Code>,
    /// Expiry date.
    #[schema(value_type = Option<String>, format = Date)]
    expiry: Option<Text<Day>>,
}

/// A goods receipt as it was booked.
#[derive(Serialize, ToSchema)]
pub struct GoodsReceiptAnswer {
    /// The store.
    store: u32,
    /// When it was booked.
    #[schema(value_type = String, format = DateTime)]
    recorded_at: Text<Moment>,
    /// The delivery note or purchase order.
    #[schema(value_type = String)]
    document: Text<Code>,
    /// Who took the goods in.
    #[schema(value_type = String)]
    staff: Text<Code>,
    /// The lines, codes resolved.
    lines: Vec<GoodsLineAnswer>,
}

/// One line of a booked goods receipt.
#[derive(Serialize, ToSchema)]
pub struct GoodsLineAnswer {
    /// What.
    #[schema(value_type = String)]
    sku: Text<Sku>,
    /// Its unit.
    #[schema(value_type = String)]
    unit: Text<Unit>,
    /// Pieces or grams.
    quantity: i64,
    /// Batch or lot; empty for none.
    #[schema(value_type = String)]
    lot: Text<Code>,
    /// Expiry date.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = Date)]
    expiry: Option<Text<Day>>,
}

/// A correction of the book outside a count.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AdjustmentBody {
    /// What.
    #[schema(value_type = String)]
    sku: Text<Sku>,
    /// `each` or `gram`; the product's if absent.
    #[schema(value_type = Option<String>)]
    unit: Option<Text<Unit>>,
    /// By how much, not 0.
    delta: i64,
    /// Why. The standard words are `damage`, `theft`, `own-use`, `expired` and `sample`, which take goods away, `found`, which
    /// adds, and `other`; any other text of at most 32 bytes is taken as it is.
    #[schema(value_type = String, example = "damage")]
    reason: Text<Code>,
    /// Which lot, if somebody looked.
    #[serde(default)]
    #[schema(value_type = String)]
    lot: Text<Code>,
    /// By whom.
    #[serde(default)]
    #[schema(value_type = String)]
    staff: Text<Code>,
}

/// A correction as it was booked.
#[derive(Serialize, ToSchema)]
pub struct AdjustmentAnswer {
    /// The store.
    store: u32,
    /// When it was booked.
    #[schema(value_type = String, format = DateTime)]
    recorded_at: Text<Moment>,
    /// What.
    #[schema(value_type = String)]
    sku: Text<Sku>,
    /// Its unit.
    #[schema(value_type = String)]
    unit: Text<Unit>,
    /// By how much.
    delta: i64,
    /// Why.
    #[schema(value_type = String)]
    reason: Text<Code>,
    /// Which lot; empty if nobody looked.
    #[schema(value_type = String)]
    lot: Text<Code>,
    /// By whom.
    #[schema(value_type = String)]
    staff: Text<Code>,
}

/// Books goods in.
#[utoipa::path(post, path = "/v1/goods-receipts", tag = "goods", params(KeyHeader), request_body = GoodsReceiptBody,
    responses((status = 201, body = GoodsReceiptAnswer)))]
pub async fn create_goods_receipt(
    State(api): State<Arc<Api>>,
    Keyed { value, retry }: Keyed<GoodsReceiptBody>,
) -> Answered {
    let store = api.own_store()?;
    if !(1..=LINES_MAX).contains(&value.lines.len()) {
        return Err(Problem::invalid("lines", format_args!("are not 1 to {LINES_MAX}")));
    }
    let receipt = api.read(|books| {
        let lines = value.lines.into_iter().enumerate().map(|(index, line)| line.resolve(books, index));
        let lines = lines.collect::<Answered<Vec<_>>>()?;
        Ok(GoodsReceipt { document: value.document.0, staff: value.staff.0, lines })
    })?;
    let written = api.write(Command::Receive(retry, receipt)).await?;
    let Fact::GoodsReceipt(receipt) = written.entry.fact else { return unexpected_entry() };
    let line = |line: ReceiptLine| GoodsLineAnswer {
        sku: Text(line.sku),
        unit: Text(line.unit),
        quantity: line.quantity,
        lot: Text(line.lot),
        expiry: (line.expiry_day != 0).then_some(Text(Day(line.expiry_day))),
    };
    let answer = GoodsReceiptAnswer {
        store: store.0,
        recorded_at: Text(Moment(written.entry.hlc.ms())),
        document: Text(receipt.document),
        staff: Text(receipt.staff),
        lines: receipt.lines.into_iter().map(line).collect(),
    };
    Ok(created(written.replayed, answer))
}

/// Corrects the book for a reason.
#[utoipa::path(post, path = "/v1/adjustments", tag = "goods", params(KeyHeader), request_body = AdjustmentBody,
    responses((status = 201, body = AdjustmentAnswer)))]
pub async fn create_adjustment(State(api): State<Arc<Api>>, Keyed { value, retry }: Keyed<AdjustmentBody>) -> Answered {
    let store = api.own_store()?;
    check_quantity("delta", value.delta)?;
    let unit = api.read(|books| unit_of(books, &value.sku.0, value.unit))?;
    let AdjustmentBody { sku, delta, reason, lot, staff, .. } = value;
    let adjustment = Adjustment { sku: sku.0, unit, delta, reason: reason.0, lot: lot.0, staff: staff.0 };
    let written = api.write(Command::Adjust(retry, adjustment)).await;
    let written = written.map_err(|problem| problem.without_prefix("adjustment."))?;
    let Fact::Adjustment(adjustment) = written.entry.fact else { return unexpected_entry() };
    let answer = AdjustmentAnswer {
        store: store.0,
        recorded_at: Text(Moment(written.entry.hlc.ms())),
        sku: Text(adjustment.sku),
        unit: Text(adjustment.unit),
        delta: adjustment.delta,
        reason: Text(adjustment.reason),
        lot: Text(adjustment.lot),
        staff: Text(adjustment.staff),
    };
    Ok(created(written.replayed, answer))
}

impl GoodsLineBody {
    fn resolve(self, books: &Books<'_>, index: usize) -> Answered<ReceiptLine> {
        let field = format!("lines[{index}]");
        let named = named(books, &field, self.sku, self.code)?;
        let quantity = packs(&format!("{field}.quantity"), self.quantity, named.pack)?;
        Ok(ReceiptLine {
            unit: unit_of(books, &named.sku, self.unit)?,
            sku: named.sku,
            quantity,
            lot: self.lot.0,
            expiry_day: self.expiry.map_or(0, |day| day.0.0),
        })
    }
}

/// What a line names.
pub struct Named {
    /// The product.
    pub sku: Sku,
    /// Units that one of its quantity stands for.
    pub pack: i64,
}

/// The product of a line that must be known, by SKU or by scanned code.
pub fn named(books: &Books<'_>, field: &str, sku: Option<Text<Sku>>, code: Option<String>) -> Answered<Named> {
    match (sku, code) {
        (Some(sku), None) => Ok(Named { sku: sku.0, pack: 1 }),
        (None, Some(code)) => {
            let scanned = books.scan(&code)?.map_err(|error| Problem::invalid(format!("{field}.code"), error))?;
            Ok(Named { sku: scanned.sku, pack: scanned.quantity })
        }
        (Some(_), Some(_)) => {
            Err(Problem::invalid(format!("{field}.code"), "stands beside a sku; one of them is enough"))
        }
        (None, None) => Err(Problem::invalid(format!("{field}.sku"), "is missing, and there is no code")),
    }
}

/// The unit of a line: what it says, or the product's.
pub fn unit_of(books: &Books<'_>, sku: &Sku, said: Option<Text<Unit>>) -> Answered<Unit> {
    match said {
        Some(unit) => Ok(unit.0),
        None => Ok(books.product(sku)?.map_or(Unit::Each, |product| product.unit)),
    }
}

/// Packs times pieces per pack, within bounds.
pub fn packs(field: &str, quantity: i64, pack: i64) -> Answered<i64> {
    check_quantity(field, quantity)?;
    let units = quantity.saturating_mul(pack);
    check_quantity(field, units)?;
    Ok(units)
}

/// Refuses what no shop can mean. Whether a negative number or zero makes sense, the core knows.
pub fn check_quantity(field: &str, quantity: i64) -> Answered<()> {
    if (-QUANTITY_MAX..=QUANTITY_MAX).contains(&quantity) {
        Ok(())
    } else {
        Err(Problem::invalid(field, format_args!("{quantity} is beyond {QUANTITY_MAX}")))
    }
}
