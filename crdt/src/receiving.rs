//! Goods that come in, and corrections of the book with a reason.

use crate::codec::{DecodeError, Sink, Source, col};
use crate::ids::{Code, Sku};
use crate::limits::{LINES_MAX, QUANTITY_MAX};
use crate::money::Unit;

/// Goods received from a supplier or warehouse.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GoodsReceipt {
    /// The delivery note or purchase order.
    pub document: Code,
    /// Who took the goods in.
    pub staff: Code,
    /// What came.
    pub lines: Vec<ReceiptLine>,
}

/// One line of a goods receipt.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReceiptLine {
    /// What.
    pub sku: Sku,
    /// In which unit.
    pub unit: Unit,
    /// How many, at least 1.
    pub quantity: i64,
    /// Batch or lot (GS1 AI 10), empty for none.
    pub lot: Code,
    /// Expiry as a day since 1970 (GS1 AI 17), 0 for none.
    pub expiry_day: u32,
}

impl GoodsReceipt {
    /// Writes the receipt.
    pub fn encode(&self, sink: &mut impl Sink) {
        self.document.encode(sink, col::REFERENCE);
        self.staff.encode(sink, col::STAFF);
        sink.uint(col::LINE_COUNT, self.lines.len() as u64);
        for line in &self.lines {
            line.sku.encode(sink);
            line.unit.encode(sink);
            sink.int(col::QUANTITY, line.quantity);
            line.lot.encode(sink, col::LOT);
            sink.uint(col::EXPIRY, u64::from(line.expiry_day));
        }
    }

    /// Reads what [`GoodsReceipt::encode`] wrote.
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        let document = Code::decode(source, col::REFERENCE)?;
        let staff = Code::decode(source, col::STAFF)?;
        let count = source.count(col::LINE_COUNT, LINES_MAX, "lines")?;
        let mut lines = Vec::new();
        for _ in 0..count {
            let sku = Sku::decode(source)?;
            let unit = Unit::decode(source)?;
            let quantity = source.int_within(col::QUANTITY, QUANTITY_MAX, "quantity")?;
            if quantity < 1 {
                return Err(DecodeError::Value("quantity"));
            }
            let lot = Code::decode(source, col::LOT)?;
            lines.push(ReceiptLine { sku, unit, quantity, lot, expiry_day: source.u32(col::EXPIRY)? });
        }
        Ok(Self { document, staff, lines })
    }
}

/// A correction of the book outside a count: damage, theft, own use, found goods.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Adjustment {
    /// What.
    pub sku: Sku,
    /// In which unit.
    pub unit: Unit,
    /// By how much, not 0.
    pub delta: i64,
    /// Why.
    pub reason: Code,
    /// By whom.
    pub staff: Code,
}

impl Adjustment {
    /// Writes the adjustment.
    pub fn encode(&self, sink: &mut impl Sink) {
        self.sku.encode(sink);
        self.unit.encode(sink);
        sink.int(col::QUANTITY, self.delta);
        self.reason.encode(sink, col::REASON);
        self.staff.encode(sink, col::STAFF);
    }

    /// Reads what [`Adjustment::encode`] wrote.
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        let sku = Sku::decode(source)?;
        let unit = Unit::decode(source)?;
        let delta = source.int_within(col::QUANTITY, QUANTITY_MAX, "quantity")?;
        if delta == 0 {
            return Err(DecodeError::Value("quantity"));
        }
        let reason = Code::decode(source, col::REASON)?;
        Ok(Self { sku, unit, delta, reason, staff: Code::decode(source, col::STAFF)? })
    }
}
