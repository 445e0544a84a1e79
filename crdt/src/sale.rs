//! Sales: what went over the counter, for how much, and how it was paid. Always accepted, never superseded.

use crate::codec::{DecodeError, Sink, Source, col, unzigzag, zigzag};
use crate::ids::{Code, Sku, TillId};
use crate::limits::{AMOUNT_MAX, FISCAL_BYTES_MAX, LINES_MAX, QUANTITY_MAX, TENDERS_MAX};
use crate::money::{Currency, Unit, extend};
use crate::receiving::Disposition;

/// A receipt number: gapless per (till, series). The store is named by the scope. A new epoch of the node opens a new series.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ReceiptNumber {
    /// The till.
    pub till: TillId,
    /// The node's epoch.
    pub series: u16,
    /// 1, 2, 3, ... without a gap.
    pub sequence: u64,
}

/// A completed sale, return or void.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sale {
    /// The till's own number of this sale. (store, till, till_seq) is the sale's id and its retry key.
    pub till_seq: u64,
    /// Allotted in the sale's own commit.
    pub receipt: ReceiptNumber,
    /// The business day to which it posts.
    pub day: u32,
    /// Rung up before that day began.
    pub late: bool,
    /// When it was rung up by the till's clock, milliseconds since 1970.
    pub rung_ms: u64,
    /// Of all amounts.
    pub currency: Currency,
    /// Who sold.
    pub cashier: Code,
    /// Who approved an override or a return; empty if nobody had to.
    pub approver: Code,
    /// The legal entity that sells; empty for the store's own.
    pub seller: Code,
    /// The key of the point-of-sale system where the sale came from; empty if it was ours.
    pub foreign_key: Code,
    /// Signature or QR text of a fiscal device, opaque to us.
    pub fiscal: Vec<u8>,
    /// The receipt that this one takes back as a whole.
    pub voids: Option<ReceiptNumber>,
    /// What was sold.
    pub lines: Vec<SaleLine>,
    /// Minor units added (or, negative, taken off) so that cash can pay the total.
    pub cash_rounding: i64,
    /// How it was paid. Change is a negative cash tender.
    pub tenders: Vec<Tender>,
}

/// One line of a sale. A return has a negative quantity.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SaleLine {
    /// What was scanned; possibly unknown to us.
    pub sku: Sku,
    /// In which unit.
    pub unit: Unit,
    /// Pieces or grams, not 0.
    pub quantity: i64,
    /// Minor units per piece or per kilogram.
    pub unit_price: i64,
    /// Minor units off the line, in the sign of the quantity.
    pub discount: i64,
    /// Why there is a discount.
    pub discount_reason: Code,
    /// The tax, if any.
    pub tax: Option<Tax>,
    /// The SKU was not in the catalogue when the line was rung up.
    pub unknown: bool,
    /// The approver overrode what stops it, such as a recall.
    pub overridden: bool,
    /// Lot, where the code told it.
    pub lot: Code,
    /// Where the goods were bought: receipt and line, for a return.
    pub original: Option<(ReceiptNumber, u32)>,
    /// What becomes of goods that come back; resale for what is sold. A void keeps what its lines had.
    pub disposition: Disposition,
}

/// Tax on a line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tax {
    /// The tenant's code.
    pub code: Code,
    /// In hundredths of a percent.
    pub rate_bp: u32,
    /// Minor units, in the sign of the line.
    pub amount: i64,
    /// It is added to the price; otherwise the price contains it.
    pub added: bool,
}

/// Ways to pay.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum TenderKind {
    /// Notes and coins; negative for change.
    Cash = 0,
    /// A card terminal's word.
    Card = 1,
    /// A voucher.
    Voucher = 2,
    /// Anything else, told by the reference.
    Other = 3,
    /// A member's points.
    Points = 4,
}

impl TenderKind {
    /// All kinds.
    pub const ALL: [Self; 5] = [Self::Cash, Self::Card, Self::Voucher, Self::Other, Self::Points];

    /// The word for the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cash => "cash",
            Self::Card => "card",
            Self::Voucher => "voucher",
            Self::Other => "other",
            Self::Points => "points",
        }
    }

    /// Takes the word that [`TenderKind::as_str`] gives.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// One payment of a sale.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tender {
    /// How.
    pub kind: TenderKind,
    /// Minor units.
    pub amount: i64,
    /// The terminal's reference; empty for cash.
    pub reference: Code,
}

impl ReceiptNumber {
    /// Writes till, series and sequence.
    pub fn encode(self, sink: &mut impl Sink) {
        sink.uint(col::B, u64::from(self.till.0));
        sink.uint(col::SERIES, u64::from(self.series));
        sink.uint(col::C, self.sequence);
    }

    /// Reads what [`ReceiptNumber::encode`] wrote.
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        let till = TillId(source.u32(col::B)?);
        Ok(Self { till, series: source.u16(col::SERIES)?, sequence: source.uint(col::C)? })
    }
}

impl SaleLine {
    /// What the customer owes for the line: its goods, and a tax that is added to them.
    pub fn amount(&self) -> i64 {
        let added = self.tax.as_ref().filter(|tax| tax.added).map_or(0, |tax| tax.amount);
        self.goods().saturating_add(added)
    }

    /// Quantity times price, less the discount: with the tax if the price contains it.
    pub fn goods(&self) -> i64 {
        extend(self.unit, self.quantity, self.unit_price).saturating_sub(self.discount)
    }
}

impl Sale {
    /// What the customer owes: the lines and the cash rounding.
    pub fn total(&self) -> i64 {
        self.lines.iter().fold(self.cash_rounding, |sum, line| sum.saturating_add(line.amount()))
    }

    /// What was paid for each line with anything but points, to the cent: what goes back in money when it comes back.
    pub fn money_of_lines(&self) -> Vec<i64> {
        let points = |tender: &&Tender| tender.kind == TenderKind::Points;
        let points: i128 = self.tenders.iter().filter(points).map(|tender| i128::from(tender.amount)).sum();
        let amounts: Vec<i128> = self.lines.iter().map(|line| i128::from(line.amount().max(0))).collect();
        let total: i128 = amounts.iter().sum();
        let (mut passed, mut given) = (0, 0);
        let mut money = |amount: i128| {
            passed += amount;
            let share = if total == 0 { 0 } else { points.clamp(0, total) * passed / total - given };
            given += share;
            i64::try_from(amount - share).unwrap_or(0)
        };
        amounts.into_iter().map(&mut money).collect()
    }

    /// What was paid.
    pub fn paid(&self) -> i64 {
        self.tenders.iter().fold(0, |sum: i64, tender| sum.saturating_add(tender.amount))
    }

    /// Writes the sale of an entry of time `hlc_ms`. What follows nearly from something else is written as the difference from
    /// it, which makes its column nearly constant: when it was rung up from `hlc_ms`, the receipt's sequence from the till's,
    /// a line's tax from its price and rate, the last tender from what remains to be paid.
    pub fn encode(&self, sink: &mut impl Sink, hlc_ms: u64) {
        let has_fiscal = !self.fiscal.is_empty();
        let flags = [
            self.late,
            !self.approver.is_empty(),
            !self.seller.is_empty(),
            !self.foreign_key.is_empty(),
            has_fiscal,
            self.voids.is_some(),
            self.cash_rounding != 0,
        ];
        sink.uint(col::FLAGS, bits(&flags));
        sink.uint(col::TILL, u64::from(self.receipt.till.0));
        sink.uint(col::TILL_SEQ, self.till_seq);
        sink.uint(col::SERIES, u64::from(self.receipt.series));
        sink.uint(col::RECEIPT, zigzag(self.till_seq.wrapping_sub(self.receipt.sequence) as i64));
        sink.uint(col::DAY, u64::from(self.day));
        sink.int(col::TIME, hlc_ms.wrapping_sub(self.rung_ms) as i64);
        self.currency.encode(sink);
        self.cashier.encode(sink, col::STAFF);
        let optional = [(&self.approver, col::STAFF), (&self.seller, col::ENTITY), (&self.foreign_key, col::REFERENCE)];
        for (code, column) in optional {
            if !code.is_empty() {
                code.encode(sink, column);
            }
        }
        if has_fiscal {
            sink.blob(col::FISCAL, &self.fiscal);
        }
        if let Some(number) = self.voids {
            number.encode(sink);
        }
        if self.cash_rounding != 0 {
            sink.int(col::A, self.cash_rounding);
        }
        sink.uint(col::LINE_COUNT, self.lines.len() as u64);
        self.lines.iter().for_each(|line| line.encode(sink));
        // The last tender is what remains to be paid, so only its difference from that is written: nearly always 0.
        sink.uint(col::TENDER_COUNT, self.tenders.len() as u64);
        let mut due = self.total();
        for tender in &self.tenders {
            let with_reference = !tender.reference.is_empty();
            sink.uint(col::TENDER, (tender.kind as u64) << 1 | u64::from(with_reference));
            sink.int(col::AMOUNT, tender.amount.wrapping_sub(due));
            due = due.wrapping_sub(tender.amount);
            if with_reference {
                tender.reference.encode(sink, col::REFERENCE);
            }
        }
    }

    /// Reads what [`Sale::encode`] wrote into an entry of the same time.
    pub fn decode(source: &mut impl Source, hlc_ms: u64) -> Result<Self, DecodeError> {
        let [late, approver, seller, foreign, fiscal, voids, rounding] = unbits(source.uint(col::FLAGS)?)?;
        let till = TillId(source.u32(col::TILL)?);
        let till_seq = source.uint(col::TILL_SEQ)?;
        let series = source.u16(col::SERIES)?;
        let sequence = till_seq.wrapping_sub(unzigzag(source.uint(col::RECEIPT)?) as u64);
        let day = source.u32(col::DAY)?;
        let rung_ms = hlc_ms.wrapping_sub(source.int(col::TIME)? as u64);
        let currency = Currency::decode(source)?;
        let cashier = Code::decode(source, col::STAFF)?;
        let approver = decode_optional(source, approver, col::STAFF)?;
        let seller = decode_optional(source, seller, col::ENTITY)?;
        let foreign_key = decode_optional(source, foreign, col::REFERENCE)?;
        let fiscal = if fiscal { source.blob(col::FISCAL, FISCAL_BYTES_MAX)? } else { Vec::new() };
        let voids = if voids { Some(ReceiptNumber::decode(source)?) } else { None };
        let cash_rounding = if rounding { source.int_within(col::A, AMOUNT_MAX, "rounding")? } else { 0 };
        let count = source.count(col::LINE_COUNT, LINES_MAX, "lines")?;
        let mut lines = Vec::new();
        for _ in 0..count {
            let line = SaleLine::decode(source)?;
            if line.quantity > 0 && line.disposition != Disposition::Resale && voids.is_none() {
                return Err(DecodeError::Value("disposition"));
            }
            lines.push(line);
        }
        let mut sale = Self {
            till_seq,
            receipt: ReceiptNumber { till, series, sequence },
            day,
            late,
            rung_ms,
            currency,
            cashier,
            approver,
            seller,
            foreign_key,
            fiscal,
            voids,
            lines,
            cash_rounding,
            tenders: Vec::new(),
        };
        sale.decode_tenders(source)?;
        Ok(sale)
    }

    fn decode_tenders(&mut self, source: &mut impl Source) -> Result<(), DecodeError> {
        let count = source.count(col::TENDER_COUNT, TENDERS_MAX, "tenders")?;
        let mut due = self.total();
        for _ in 0..count {
            let coded = source.uint(col::TENDER)?;
            let kind = usize::try_from(coded >> 1).ok().and_then(|n| TenderKind::ALL.get(n).copied());
            let kind = kind.ok_or(DecodeError::Value("tender"))?;
            let amount = source.int(col::AMOUNT)?.wrapping_add(due);
            if !(-AMOUNT_MAX..=AMOUNT_MAX).contains(&amount) {
                return Err(DecodeError::Value("amount"));
            }
            due = due.wrapping_sub(amount);
            let reference = decode_optional(source, coded & 1 == 1, col::REFERENCE)?;
            self.tenders.push(Tender { kind, amount, reference });
        }
        Ok(())
    }
}

impl SaleLine {
    /// Writes the line.
    pub fn encode(&self, sink: &mut impl Sink) {
        let flags = [
            self.unit == Unit::Gram,
            self.discount != 0,
            !self.discount_reason.is_empty(),
            self.tax.is_some(),
            self.unknown,
            self.overridden,
            !self.lot.is_empty(),
            self.original.is_some(),
            self.disposition == Disposition::Quarantine,
            self.disposition == Disposition::Scrap,
            self.tax.as_ref().is_some_and(|tax| tax.added),
        ];
        sink.uint(col::LINE_FLAGS, bits(&flags));
        self.sku.encode(sink);
        sink.int(col::QUANTITY, self.quantity);
        sink.int(col::PRICE, self.unit_price);
        if self.discount != 0 {
            sink.int(col::DISCOUNT, self.discount);
        }
        if !self.discount_reason.is_empty() {
            self.discount_reason.encode(sink, col::REASON);
        }
        if let Some(tax) = &self.tax {
            tax.encode(sink, self.goods());
        }
        if !self.lot.is_empty() {
            self.lot.encode(sink, col::LOT);
        }
        if let Some((number, line)) = self.original {
            number.encode(sink);
            sink.uint(col::POSITION, u64::from(line));
        }
    }

    /// Reads what [`SaleLine::encode`] wrote.
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        let [gram, discount, reason, tax, unknown, overridden, lot, original, quarantine, scrap, added] =
            unbits(source.uint(col::LINE_FLAGS)?)?;
        if added && !tax {
            return Err(DecodeError::Value("tax"));
        }
        let disposition = match (quarantine, scrap) {
            (false, false) => Disposition::Resale,
            (true, false) => Disposition::Quarantine,
            (false, true) => Disposition::Scrap,
            (true, true) => return Err(DecodeError::Value("disposition")),
        };
        let sku = Sku::decode(source)?;
        let quantity = source.int_within(col::QUANTITY, QUANTITY_MAX, "quantity")?;
        if quantity == 0 {
            return Err(DecodeError::Value("quantity"));
        }
        let unit_price = source.int_within(col::PRICE, AMOUNT_MAX, "price")?;
        let discount = if discount { source.int_within(col::DISCOUNT, AMOUNT_MAX, "discount")? } else { 0 };
        let discount_reason = decode_optional(source, reason, col::REASON)?;
        let unit = if gram { Unit::Gram } else { Unit::Each };
        let goods = extend(unit, quantity, unit_price).saturating_sub(discount);
        let tax = if tax { Some(Tax::decode(source, goods, added)?) } else { None };
        let lot = decode_optional(source, lot, col::LOT)?;
        let original = if original { Some((ReceiptNumber::decode(source)?, source.u32(col::POSITION)?)) } else { None };
        Ok(Self {
            sku,
            unit,
            quantity,
            unit_price,
            discount,
            discount_reason,
            tax,
            unknown,
            overridden,
            lot,
            original,
            disposition,
        })
    }
}

impl Tax {
    /// Writes code, rate, and by how much the tax differs from what the rate makes of the line.
    fn encode(&self, sink: &mut impl Sink, goods: i64) {
        self.code.encode(sink, col::TAX_CODE);
        sink.uint(col::TAX_RATE, u64::from(self.rate_bp));
        sink.int(col::TAX_AMOUNT, self.amount.wrapping_sub(expected(goods, self.rate_bp, self.added)));
    }

    fn decode(source: &mut impl Source, goods: i64, added: bool) -> Result<Self, DecodeError> {
        let code = Code::decode(source, col::TAX_CODE)?;
        let rate_bp = source.u32(col::TAX_RATE)?;
        let amount = source.int(col::TAX_AMOUNT)?.wrapping_add(expected(goods, rate_bp, added));
        let within = (-AMOUNT_MAX..=AMOUNT_MAX).contains(&amount);
        if within { Ok(Self { code, rate_bp, amount, added }) } else { Err(DecodeError::Value("tax")) }
    }
}

/// The tax that goods contain, or that is added to them, at a rate in hundredths of a percent, half away from zero. Only a prediction: what
/// a till says instead is kept to the cent.
fn expected(goods: i64, rate_bp: u32, added: bool) -> i64 {
    let product = i128::from(goods) * i128::from(rate_bp);
    let whole = if added { 10_000 } else { 10_000 + i128::from(rate_bp) };
    ((2 * product.abs() + whole) / (2 * whole) * product.signum()) as i64
}

fn decode_optional(source: &mut impl Source, present: bool, column: u8) -> Result<Code, DecodeError> {
    if present { Code::decode(source, column) } else { Ok(Code::default()) }
}

fn bits<const N: usize>(flags: &[bool; N]) -> u64 {
    flags.iter().rev().fold(0, |bits, &flag| bits << 1 | u64::from(flag))
}

fn unbits<const N: usize>(bits: u64) -> Result<[bool; N], DecodeError> {
    if bits >> N != 0 {
        return Err(DecodeError::Value("flags"));
    }
    Ok(std::array::from_fn(|i| bits >> i & 1 == 1))
}
