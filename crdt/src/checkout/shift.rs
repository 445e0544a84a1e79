//! Who has a till's drawer, from when to when, and what was in it. What a shift's close says (the Z report) never changes.

use crate::codec::{DecodeError, Sink, Source, col};
use crate::ids::{Code, TillId};
use crate::limits::{AMOUNT_MAX, TAX_SUMS_MAX};
use crate::sale::{ReceiptNumber, TenderKind};

/// Somebody takes a till's drawer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ShiftOpen {
    /// Which till.
    pub till: TillId,
    /// 1 for the till's first shift, then one more each time.
    pub number: u32,
    /// Who.
    pub staff: Code,
    /// What lies in the drawer, minor units.
    pub float: i64,
    /// The till's last receipt before it; none has the sequence 0. Later ones belong to this shift.
    pub after: ReceiptNumber,
}

/// Why cash goes into a drawer or out of it without a sale.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Cash {
    /// Put in: change, a debt.
    PaidIn = 0,
    /// Taken out for something: postage, a courier.
    PaidOut = 1,
    /// Taken to the safe.
    Drop = 2,
    /// Given back for goods that came back without a receipt of this till.
    Refund = 3,
}

/// Cash goes into a drawer or out of it without a sale.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CashMove {
    /// Which till.
    pub till: TillId,
    /// In which shift.
    pub shift: u32,
    /// Why.
    pub cash: Cash,
    /// How much, minor units, above 0.
    pub amount: i64,
    /// What for, in a word.
    pub reason: Code,
    /// By whom.
    pub staff: Code,
    /// Who approved it; empty if nobody had to.
    pub approver: Code,
}

/// A shift ends. Its totals are those of the receipts that it names, and never change.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ShiftClose {
    /// Which till.
    pub till: TillId,
    /// Which shift.
    pub number: u32,
    /// By whom.
    pub staff: Code,
    /// Who confirmed a difference; empty if nobody had to.
    pub approver: Code,
    /// What was counted in the drawer, before anybody was told what should be there.
    pub counted: i64,
    /// The till's last receipt in it.
    pub last: ReceiptNumber,
    /// The totals.
    pub totals: Totals,
}

/// What happened in a shift.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Totals {
    /// Receipts.
    pub receipts: u32,
    /// Those among them that take another one back.
    pub voids: u32,
    /// What was sold, less what came back, minor units.
    pub sales: i64,
    /// By kind of tender, in the order of [`TenderKind::ALL`].
    pub tenders: [i64; TenderKind::ALL.len()],
    /// What lay in the drawer at the beginning.
    pub float: i64,
    /// By reason, in the order of [`Cash::ALL`].
    pub moved: [i64; 4],
    /// Tax by code and rate, ascending.
    pub taxes: Vec<TaxSum>,
}

/// Tax of one code and rate.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct TaxSum {
    /// The tenant's code.
    pub code: Code,
    /// In hundredths of a percent.
    pub rate_bp: u32,
    /// What the goods cost, as their lines say.
    pub goods: i64,
    /// The tax.
    pub tax: i64,
}

impl Cash {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::PaidIn, Self::PaidOut, Self::Drop, Self::Refund];

    /// The word for the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PaidIn => "paid-in",
            Self::PaidOut => "paid-out",
            Self::Drop => "drop",
            Self::Refund => "refund",
        }
    }

    /// Takes the word that [`Cash::as_str`] gives.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cash| cash.as_str() == text)
    }
}

impl Totals {
    /// What should be in the drawer.
    pub fn expected_cash(&self) -> i64 {
        let [paid_in, paid_out, dropped, refunded] = self.moved;
        let [cash, ..] = self.tenders;
        self.float
            .saturating_add(cash)
            .saturating_add(paid_in)
            .saturating_sub(paid_out)
            .saturating_sub(dropped)
            .saturating_sub(refunded)
    }

    fn encode(&self, sink: &mut impl Sink) {
        sink.uint(col::A, u64::from(self.receipts));
        sink.uint(col::B, u64::from(self.voids));
        let [money @ .., points] = self.tenders;
        let amounts = [self.sales].into_iter().chain(money).chain([self.float]).chain(self.moved);
        amounts.for_each(|amount| sink.int(col::AMOUNT, amount));
        // Points are written only where there are some: what was closed before tills took them reads as it was.
        sink.uint(col::COUNT, u64::from(points != 0) << POINTS_BIT | self.taxes.len() as u64);
        if points != 0 {
            sink.int(col::AMOUNT, points);
        }
        for sum in &self.taxes {
            sum.code.encode(sink, col::TAX_CODE);
            sink.uint(col::TAX_RATE, u64::from(sum.rate_bp));
            sink.int(col::AMOUNT, sum.goods);
            sink.int(col::TAX_AMOUNT, sum.tax);
        }
    }

    fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        let (receipts, voids) = (source.u32(col::A)?, source.u32(col::B)?);
        let sales = source.int(col::AMOUNT)?;
        let mut tenders = [0; TenderKind::ALL.len()];
        let [money @ .., points] = &mut tenders;
        for sum in money {
            *sum = source.int(col::AMOUNT)?;
        }
        let float = source.int(col::AMOUNT)?;
        let mut moved = [0; Cash::ALL.len()];
        for sum in &mut moved {
            *sum = source.int(col::AMOUNT)?;
        }
        let count = source.count(col::COUNT, TAX_SUMS_MAX | 1 << POINTS_BIT, "sums of tax")?;
        if count >> POINTS_BIT == 1 {
            *points = source.int(col::AMOUNT)?;
            if *points == 0 {
                return Err(DecodeError::Canonical);
            }
        }
        let count = count & !(1 << POINTS_BIT);
        if count > TAX_SUMS_MAX {
            return Err(DecodeError::Limit("sums of tax"));
        }
        let mut taxes: Vec<TaxSum> = Vec::new();
        for _ in 0..count {
            let (code, rate_bp) = (Code::decode(source, col::TAX_CODE)?, source.u32(col::TAX_RATE)?);
            let (goods, tax) = (source.int(col::AMOUNT)?, source.int(col::TAX_AMOUNT)?);
            if taxes.last().is_some_and(|last| (&last.code, last.rate_bp) >= (&code, rate_bp)) {
                return Err(DecodeError::Canonical);
            }
            taxes.push(TaxSum { code, rate_bp, goods, tax });
        }
        Ok(Self { receipts, voids, sales, tenders, float, moved, taxes })
    }
}

impl ShiftOpen {
    /// Writes it.
    pub fn encode(&self, sink: &mut impl Sink) {
        sink.uint(col::TILL, u64::from(self.till.0));
        sink.uint(col::A, u64::from(self.number));
        self.staff.encode(sink, col::STAFF);
        sink.int(col::AMOUNT, self.float);
        self.after.encode(sink);
    }

    /// Reads what [`ShiftOpen::encode`] wrote.
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        Ok(Self {
            till: TillId(source.u32(col::TILL)?),
            number: source.u32(col::A)?,
            staff: Code::decode(source, col::STAFF)?,
            float: source.int_within(col::AMOUNT, AMOUNT_MAX, "float")?,
            after: ReceiptNumber::decode(source)?,
        })
    }
}

impl CashMove {
    /// Writes it.
    pub fn encode(&self, sink: &mut impl Sink) {
        sink.uint(col::TILL, u64::from(self.till.0));
        sink.uint(col::A, u64::from(self.shift));
        sink.uint(col::FLAGS, self.cash as u64);
        sink.int(col::AMOUNT, self.amount);
        self.reason.encode(sink, col::REASON);
        self.staff.encode(sink, col::STAFF);
        self.approver.encode(sink, col::STAFF);
    }

    /// Reads what [`CashMove::encode`] wrote.
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        let till = TillId(source.u32(col::TILL)?);
        let shift = source.u32(col::A)?;
        let cash = usize::from(source.u8(col::FLAGS)?);
        let cash = Cash::ALL.get(cash).copied().ok_or(DecodeError::Value("cash"))?;
        let amount = source.int_within(col::AMOUNT, AMOUNT_MAX, "amount")?;
        if amount <= 0 {
            return Err(DecodeError::Value("amount"));
        }
        let reason = Code::decode(source, col::REASON)?;
        let staff = Code::decode(source, col::STAFF)?;
        Ok(Self { till, shift, cash, amount, reason, staff, approver: Code::decode(source, col::STAFF)? })
    }
}

impl ShiftClose {
    /// How much more was counted than there should be.
    pub fn over(&self) -> i64 {
        self.counted.saturating_sub(self.totals.expected_cash())
    }

    /// Writes it.
    pub fn encode(&self, sink: &mut impl Sink) {
        sink.uint(col::TILL, u64::from(self.till.0));
        sink.uint(col::A, u64::from(self.number));
        self.staff.encode(sink, col::STAFF);
        self.approver.encode(sink, col::STAFF);
        sink.int(col::AMOUNT, self.counted);
        self.last.encode(sink);
        self.totals.encode(sink);
    }

    /// Reads what [`ShiftClose::encode`] wrote.
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        Ok(Self {
            till: TillId(source.u32(col::TILL)?),
            number: source.u32(col::A)?,
            staff: Code::decode(source, col::STAFF)?,
            approver: Code::decode(source, col::STAFF)?,
            counted: source.int_within(col::AMOUNT, AMOUNT_MAX, "count")?,
            last: ReceiptNumber::decode(source)?,
            totals: Totals::decode(source)?,
        })
    }
}

/// Above the count of taxes: the sum of points follows.
const POINTS_BIT: u32 = 7;
