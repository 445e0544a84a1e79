//! Baskets that wait: suspended, a counter's slip to be paid at the cash desk, or while a payment terminal is asked.
//!
//! A basket that waits is priced already. What becomes of it is said in the same store's log; the first word that ends it holds.

use super::tender::Assurance;
use super::{Explanation, decode_assured, decode_basket, decode_lines, encode_assured, encode_basket, encode_lines};
use crate::codec::{DecodeError, Sink, Source, col};
use crate::ids::{Code, MemberId, TillId};
use crate::limits::{ACCOUNTS_MAX, AMOUNT_MAX, COUPONS_MAX, LINES_MAX, TENDERS_MAX};
use crate::loyalty::campaign::CouponName;
use crate::loyalty::coupon::{Proof, decode_member, encode_member};
use crate::loyalty::points::Debit;
use crate::money::Currency;
use crate::sale::{ReceiptNumber, SaleLine, Tender, TenderKind};

/// Names a basket in its store: the till, and the till's own number of the sale that it may become.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct BasketId {
    /// Which till.
    pub till: TillId,
    /// Its number there.
    pub number: u64,
}

/// Why a basket waits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Waits {
    /// The customer went for something, or a till is handed over.
    Suspended = 0,
    /// A counter rang it up; it is paid at a cash desk, and goods are released after that.
    Slip = 1,
    /// A payment terminal is asked.
    Paying = 2,
}

/// A basket that waits. Stands in `store/<id>/stock`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Basket {
    /// Its name.
    pub id: BasketId,
    /// Why it waits.
    pub waits: Waits,
    /// Of all amounts.
    pub currency: Currency,
    /// Who rang it up.
    pub cashier: Code,
    /// Who approved what needed it; empty if nothing did.
    pub approver: Code,
    /// The concession whose counter wrote the slip; empty for the store's own.
    pub owner: Code,
    /// The counter's slip that is paid by this basket.
    pub slip: Option<BasketId>,
    /// In which shift of the till, 0 while none was open.
    pub shift: u32,
    /// When it was rung up, milliseconds since 1970.
    pub rung_ms: u64,
    /// What is in it.
    pub lines: Vec<SaleLine>,
    /// Why each line costs what it costs.
    pub explained: Vec<Explanation>,
    /// Minor units added so that cash can pay the total.
    pub cash_rounding: i64,
    /// What is paid without a terminal: cash, vouchers.
    pub tenders: Vec<Tender>,
    /// How sure each of these is.
    pub assured: Vec<Assurance>,
    /// SHA-256 of the request, the first half, to tell a retry from another basket.
    pub body: [u8; 16],
    /// Whose it is, and the coupons and points that it holds until it is sold or nobody buys it.
    pub holds: Holds,
}

/// What a basket holds of a member's.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Holds {
    /// Who buys, if she is a member.
    pub member: Option<MemberId>,
    /// Her tier when it was priced; empty for none.
    pub tier: Code,
    /// Points that pay for it, account by account.
    pub points: Vec<(MemberId, Debit)>,
    /// Coupons that reduced it.
    pub coupons: Vec<HeldCoupon>,
}

/// A coupon that reduced a basket.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HeldCoupon {
    /// Which.
    pub coupon: CouponName,
    /// Minor units that it gives.
    pub worth: i64,
    /// Why it was accepted.
    pub proof: Proof,
}

impl Holds {
    /// True if there is nothing of a member's in it.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Points that pay for it.
    pub fn points(&self) -> u64 {
        self.points.iter().fold(0, |sum: u64, (_, debit)| sum.saturating_add(debit.points()))
    }

    /// What it holds of one account.
    pub fn debit(&self, member: MemberId) -> Debit {
        self.points.iter().find(|(of, _)| *of == member).map(|(_, debit)| *debit).unwrap_or_default()
    }

    fn encode(&self, sink: &mut impl Sink) {
        encode_member(self.member, sink);
        self.tier.encode(sink, col::NAME);
        sink.uint(col::COUNT, self.points.len() as u64);
        for (member, debit) in &self.points {
            member.encode(sink);
            debit.encode(sink);
        }
        sink.uint(col::COUNT, self.coupons.len() as u64);
        for held in &self.coupons {
            held.coupon.encode(sink);
            sink.int(col::AMOUNT, held.worth);
            held.proof.encode(sink);
        }
    }

    fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        let (member, tier) = (decode_member(source)?, Code::decode(source, col::NAME)?);
        let mut points = Vec::new();
        for _ in 0..source.count(col::COUNT, ACCOUNTS_MAX, "accounts of a basket")? {
            points.push((MemberId::decode(source)?, Debit::decode(source)?));
        }
        let mut coupons = Vec::new();
        for _ in 0..source.count(col::COUNT, COUPONS_MAX, "coupons of a basket")? {
            let coupon = CouponName::decode(source)?;
            let worth = source.int_within(col::AMOUNT, AMOUNT_MAX, "worth")?;
            coupons.push(HeldCoupon { coupon, worth, proof: Proof::decode(source)? });
        }
        let holds = Self { member, tier, points, coupons };
        if holds.is_empty() { Err(DecodeError::Canonical) } else { Ok(holds) }
    }
}

/// Something becomes of a basket.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// Somebody goes on with it at a till, under another number.
    Resume,
    /// Nobody buys it.
    Abandon,
    /// It became this receipt.
    Sold(ReceiptNumber),
    /// The counter released the goods of a paid slip.
    Release,
}

/// What was said of a basket. Stands in `store/<id>/stock`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BasketStep {
    /// Of which.
    pub basket: BasketId,
    /// What.
    pub outcome: Outcome,
    /// At which till.
    pub till: TillId,
    /// By whom.
    pub staff: Code,
}

impl BasketId {
    /// Writes till and number.
    pub fn encode(self, sink: &mut impl Sink) {
        sink.uint(col::TILL, u64::from(self.till.0));
        sink.uint(col::TILL_SEQ, self.number);
    }

    /// Reads what [`BasketId::encode`] wrote.
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        Ok(Self { till: TillId(source.u32(col::TILL)?), number: source.uint(col::TILL_SEQ)? })
    }
}

impl Waits {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Suspended, Self::Slip, Self::Paying];

    /// The word for the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Suspended => "suspended",
            Self::Slip => "slip",
            Self::Paying => "paying",
        }
    }
}

impl Basket {
    /// What the customer owes for it.
    pub fn total(&self) -> i64 {
        self.lines.iter().fold(self.cash_rounding, |sum, line| sum.saturating_add(line.amount()))
    }

    /// What a terminal has to bring.
    pub fn due(&self) -> i64 {
        self.tenders.iter().fold(self.total(), |due, tender| due.saturating_sub(tender.amount))
    }

    /// Writes the basket.
    pub fn encode(&self, sink: &mut impl Sink) {
        self.id.encode(sink);
        sink.uint(col::FLAGS, u64::from(!self.holds.is_empty()) << 2 | self.waits as u64);
        self.currency.encode(sink);
        self.cashier.encode(sink, col::STAFF);
        self.approver.encode(sink, col::STAFF);
        self.owner.encode(sink, col::ENTITY);
        encode_basket(self.slip, sink);
        sink.uint(col::A, u64::from(self.shift));
        sink.uint(col::TIME, self.rung_ms);
        sink.uint(col::LINE_COUNT, self.lines.len() as u64);
        self.lines.iter().for_each(|line| line.encode(sink));
        encode_lines(&self.explained, sink);
        sink.int(col::AMOUNT, self.cash_rounding);
        sink.uint(col::TENDER_COUNT, self.tenders.len() as u64);
        for tender in &self.tenders {
            sink.uint(col::TENDER, tender.kind as u64);
            sink.int(col::AMOUNT, tender.amount);
            tender.reference.encode(sink, col::REFERENCE);
        }
        encode_assured(&self.assured, sink);
        sink.array(col::DIGEST, &self.body);
        if !self.holds.is_empty() {
            self.holds.encode(sink);
        }
    }

    /// Reads what [`Basket::encode`] wrote.
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        let id = BasketId::decode(source)?;
        let flags = source.u8(col::FLAGS)?;
        if flags > 7 {
            return Err(DecodeError::Value("basket"));
        }
        let waits = Waits::ALL.get(usize::from(flags & 3)).copied().ok_or(DecodeError::Value("basket"))?;
        let currency = Currency::decode(source)?;
        let cashier = Code::decode(source, col::STAFF)?;
        let approver = Code::decode(source, col::STAFF)?;
        let owner = Code::decode(source, col::ENTITY)?;
        let slip = decode_basket(source)?;
        let shift = source.u32(col::A)?;
        let rung_ms = source.uint(col::TIME)?;
        let mut lines = Vec::new();
        for _ in 0..source.count(col::LINE_COUNT, LINES_MAX, "lines")? {
            lines.push(SaleLine::decode(source)?);
        }
        let explained = decode_lines(source)?;
        let cash_rounding = source.int_within(col::AMOUNT, AMOUNT_MAX, "rounding")?;
        let mut tenders = Vec::new();
        for _ in 0..source.count(col::TENDER_COUNT, TENDERS_MAX, "tenders")? {
            let kind = usize::from(source.u8(col::TENDER)?);
            let kind = TenderKind::ALL.get(kind).copied().ok_or(DecodeError::Value("tender"))?;
            let amount = source.int_within(col::AMOUNT, AMOUNT_MAX, "amount")?;
            tenders.push(Tender { kind, amount, reference: Code::decode(source, col::REFERENCE)? });
        }
        let assured = decode_assured(source)?;
        if assured.len() != tenders.len() {
            return Err(DecodeError::Value("assurance"));
        }
        if lines.is_empty() || explained.len() != lines.len() {
            return Err(DecodeError::Value("lines"));
        }
        let body = source.array(col::DIGEST)?;
        let holds = if flags & 4 != 0 { Holds::decode(source)? } else { Holds::default() };
        Ok(Self {
            id,
            waits,
            currency,
            cashier,
            approver,
            owner,
            slip,
            shift,
            rung_ms,
            lines,
            explained,
            cash_rounding,
            tenders,
            assured,
            body,
            holds,
        })
    }
}

impl BasketStep {
    /// Writes the step.
    pub fn encode(&self, sink: &mut impl Sink) {
        self.basket.encode(sink);
        let word = match self.outcome {
            Outcome::Resume => 0,
            Outcome::Abandon => 1,
            Outcome::Sold(_) => 2,
            Outcome::Release => 3,
        };
        sink.uint(col::FLAGS, word);
        if let Outcome::Sold(receipt) = self.outcome {
            receipt.encode(sink);
        }
        sink.uint(col::TILL, u64::from(self.till.0));
        self.staff.encode(sink, col::STAFF);
    }

    /// Reads what [`BasketStep::encode`] wrote.
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        let basket = BasketId::decode(source)?;
        let outcome = match source.uint(col::FLAGS)? {
            0 => Outcome::Resume,
            1 => Outcome::Abandon,
            2 => Outcome::Sold(ReceiptNumber::decode(source)?),
            3 => Outcome::Release,
            _ => return Err(DecodeError::Value("basket")),
        };
        let till = TillId(source.u32(col::TILL)?);
        Ok(Self { basket, outcome, till, staff: Code::decode(source, col::STAFF)? })
    }
}
