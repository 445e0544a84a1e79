//! Goods that come in, corrections of the book with a reason, and what becomes of goods that stand aside.

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
        encode_lines(&self.lines, sink);
    }

    /// Reads what [`GoodsReceipt::encode`] wrote.
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        let document = Code::decode(source, col::REFERENCE)?;
        let staff = Code::decode(source, col::STAFF)?;
        Ok(Self { document, staff, lines: decode_lines(source)? })
    }
}

/// Writes lines of goods that come in or leave, with lot and expiry.
pub(crate) fn encode_lines(lines: &[ReceiptLine], sink: &mut impl Sink) {
    sink.uint(col::LINE_COUNT, lines.len() as u64);
    for line in lines {
        line.sku.encode(sink);
        line.unit.encode(sink);
        sink.int(col::QUANTITY, line.quantity);
        line.lot.encode(sink, col::LOT);
        sink.uint(col::EXPIRY, u64::from(line.expiry_day));
    }
}

/// Reads what [`encode_lines`] wrote.
pub(crate) fn decode_lines(source: &mut impl Source) -> Result<Vec<ReceiptLine>, DecodeError> {
    let count = source.count(col::LINE_COUNT, LINES_MAX, "lines")?;
    let mut lines = Vec::new();
    for _ in 0..count {
        let sku = Sku::decode(source)?;
        let unit = Unit::decode(source)?;
        let quantity = decode_some(source)?;
        let lot = Code::decode(source, col::LOT)?;
        lines.push(ReceiptLine { sku, unit, quantity, lot, expiry_day: source.u32(col::EXPIRY)? });
    }
    Ok(lines)
}

/// Reads a quantity of at least 1.
pub(crate) fn decode_some(source: &mut impl Source) -> Result<i64, DecodeError> {
    let quantity = source.int_within(col::QUANTITY, QUANTITY_MAX, "quantity")?;
    if quantity < 1 { Err(DecodeError::Value("quantity")) } else { Ok(quantity) }
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
    /// Why: one of [`Reason::ALL`], or a text of the store's own.
    pub reason: Code,
    /// Which lot, empty if nobody looked.
    pub lot: Code,
    /// By whom.
    pub staff: Code,
}

/// The standard reasons for a correction. Others are free text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Reason {
    /// Broken, spoiled, leaking.
    Damage,
    /// Stolen, and noticed.
    Theft,
    /// Used by the store itself.
    OwnUse,
    /// On the shelf although the book said no.
    Found,
    /// Past its date, taken out of sale.
    Expired,
    /// Given away to be tried.
    Sample,
    /// None of these, and nobody wrote down what.
    Other,
}

impl Reason {
    /// All standard reasons.
    pub const ALL: [Self; 7] =
        [Self::Damage, Self::Theft, Self::OwnUse, Self::Found, Self::Expired, Self::Sample, Self::Other];

    /// The word for the API, which is what stands in [`Adjustment::reason`].
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Damage => "damage",
            Self::Theft => "theft",
            Self::OwnUse => "own-use",
            Self::Found => "found",
            Self::Expired => "expired",
            Self::Sample => "sample",
            Self::Other => "other",
        }
    }

    /// Takes the word that [`Reason::as_str`] gives.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == text)
    }

    /// Whether a correction for this reason can be by `delta`: what is broken is gone, what is found was added.
    pub fn fits(self, delta: i64) -> bool {
        match self {
            Self::Damage | Self::Theft | Self::OwnUse | Self::Expired | Self::Sample => delta < 0,
            Self::Found => delta > 0,
            Self::Other => true,
        }
    }
}

impl Adjustment {
    /// Writes the adjustment.
    pub fn encode(&self, sink: &mut impl Sink) {
        self.sku.encode(sink);
        self.unit.encode(sink);
        sink.int(col::QUANTITY, self.delta);
        self.reason.encode(sink, col::REASON);
        self.lot.encode(sink, col::LOT);
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
        let lot = Code::decode(source, col::LOT)?;
        Ok(Self { sku, unit, delta, reason, lot, staff: Code::decode(source, col::STAFF)? })
    }
}

/// What becomes of goods that came back.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum Disposition {
    /// Inspected, back on the shelf: the only one that adds to stock on hand.
    #[default]
    Resale,
    /// Set aside until somebody decides.
    Quarantine,
    /// Thrown away.
    Scrap,
}

impl Disposition {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Resale, Self::Quarantine, Self::Scrap];

    /// The word for the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Resale => "resale",
            Self::Quarantine => "quarantine",
            Self::Scrap => "scrap",
        }
    }

    /// Takes the word that [`Disposition::as_str`] gives.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|disposition| disposition.as_str() == text)
    }
}

/// Somebody decided about goods in quarantine.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Decision {
    /// What.
    pub sku: Sku,
    /// In which unit.
    pub unit: Unit,
    /// How many, at least 1.
    pub quantity: i64,
    /// Back on the shelf; thrown away if not.
    pub resale: bool,
    /// Why.
    pub reason: Code,
    /// Which lot, empty if unknown.
    pub lot: Code,
    /// By whom.
    pub staff: Code,
}

impl Decision {
    /// Writes the decision.
    pub fn encode(&self, sink: &mut impl Sink) {
        self.sku.encode(sink);
        self.unit.encode(sink);
        sink.int(col::QUANTITY, self.quantity);
        sink.uint(col::FLAGS, self.resale.into());
        self.reason.encode(sink, col::REASON);
        self.lot.encode(sink, col::LOT);
        self.staff.encode(sink, col::STAFF);
    }

    /// Reads what [`Decision::encode`] wrote.
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        let sku = Sku::decode(source)?;
        let unit = Unit::decode(source)?;
        let quantity = decode_some(source)?;
        let resale = source.flag(col::FLAGS)?;
        let reason = Code::decode(source, col::REASON)?;
        let lot = Code::decode(source, col::LOT)?;
        Ok(Self { sku, unit, quantity, resale, reason, lot, staff: Code::decode(source, col::STAFF)? })
    }
}
