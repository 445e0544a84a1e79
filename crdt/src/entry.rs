//! Entries: one fact at one time, in one position of one log.
//!
//! Canonical form: `kind << 1 | critical`, the hybrid time (milliseconds, counter), then the fact's fields. A node keeps and
//! relays kinds that it does not know ([`Fact::Opaque`]); an unknown *critical* kind fences its log's store until an upgrade.

pub mod kind;
mod standing;

use crate::checkout::Checkout;
use crate::checkout::basket::{Basket, BasketStep};
use crate::checkout::label::LabelDone;
use crate::checkout::promotion::Promotion;
use crate::checkout::rules::{SaleHours, TaxRate, TillRules};
use crate::checkout::shift::{CashMove, ShiftClose, ShiftOpen};
use crate::checkout::staff::StaffRecord;
use crate::checkout::tender::TenderStep;
use crate::clock::Hlc;
use crate::codec::{DecodeError, RowReader, Rows, Sink, Source, col};
use crate::control::{Boot, EpochOpen, Fence, NodeRecord, StoreRecord};
use crate::count::{CountClose, CountOpen, CountScan};
use crate::day::{DayClose, DayOpen};
use crate::fork::ForkProof;
use crate::gtin::Template;

use crate::limits::ENTRY_BYTES_MAX;
use crate::loyalty::campaign::Campaign;
use crate::loyalty::coupon::{CouponFact, QuotaRow, Redemption};
use crate::loyalty::points::{PointsRow, SalePoints};
use crate::loyalty::rules::LoyaltyRules;
use crate::member::link::{MemberLink, MemberUnlink};
use crate::member::value::{MemberConsent, MemberValue};
use crate::member::{Enrolment, MemberErase};
use crate::note::{NoteChange, NoteSnapshot};
use crate::order::header::{Order, Payment};
use crate::order::intent::OrderStep;
use crate::order::offer::Offer;
use crate::order::pass::SignedPass;
use crate::order::redress::Redress;
use crate::order::returns::{GoodsReturn, ReturnGrant};
use crate::order::rules::RoutingRules;
use crate::order::rules::hours::StoreService;
use crate::order::rules::limits::OrderLimits;
use crate::order::step::FulfillmentStep;
use crate::price::Price;
use crate::product::{Product, Recall};
use crate::receiving::{Adjustment, Decision, GoodsReceipt};
use crate::sale::Sale;
use crate::stock::custody::{Consent, Hint, Retire, Want};
use crate::stock::policy::PolicyRule;
use crate::stock::promise::{GoodsIssue, Promise, PromiseStep};
use crate::stock::rights::RightsFact;
use crate::stock::shortage::{Compensation, Shortage};
use crate::transfer::{TransferAsk, TransferReceive, TransferShip};

/// What an entry says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Fact {
    EpochOpen(EpochOpen),
    Boot(Boot),
    Node(NodeRecord),
    Fence(Fence),
    Store(StoreRecord),
    Fork(ForkProof),
    Product(Product),
    Recall(Recall),
    Price(Price),
    Template(Template),
    GoodsReceipt(GoodsReceipt),
    Sale(Sale),
    CountScan(CountScan),
    CountClose(CountClose),
    DayOpen(DayOpen),
    DayClose(DayClose),
    Adjustment(Adjustment),
    PolicyRule(PolicyRule),
    Rights(RightsFact),
    Promise(Promise),
    PromiseStep(PromiseStep),
    Want(Want),
    Hint(Hint),
    Shortage(Shortage),
    Compensation(Compensation),
    Retire(Retire),
    Consent(Consent),
    GoodsIssue(GoodsIssue),
    Decision(Decision),
    TransferAsk(TransferAsk),
    TransferShip(TransferShip),
    TransferReceive(TransferReceive),
    CountOpen(CountOpen),
    Order(Order),
    Offer(Offer),
    FulfillmentStep(FulfillmentStep),
    OrderStep(OrderStep),
    Payment(Payment),
    Redress(Redress),
    PassShown(SignedPass),
    Routing(RoutingRules),
    Service(StoreService),
    OrderLimits(OrderLimits),
    GoodsReturn(GoodsReturn),
    ReturnGrant(ReturnGrant),
    TaxRate(TaxRate),
    TillRules(TillRules),
    Promotion(Promotion),
    SaleHours(SaleHours),
    Staff(StaffRecord),
    Basket(Basket),
    BasketStep(BasketStep),
    Checkout(Checkout),
    ShiftOpen(ShiftOpen),
    CashMove(CashMove),
    ShiftClose(ShiftClose),
    TenderStep(TenderStep),
    LabelDone(LabelDone),
    Loyalty(LoyaltyRules),
    PointsRow(PointsRow),
    Campaign(Campaign),
    Coupon(CouponFact),
    Redemption(Redemption),
    Quota(QuotaRow),
    SalePoints(SalePoints),
    Member(Enrolment),
    MemberValue(MemberValue),
    MemberLink(MemberLink),
    MemberUnlink(MemberUnlink),
    MemberConsent(MemberConsent),
    MemberErase(MemberErase),
    NoteChange(NoteChange),
    NoteSnapshot(NoteSnapshot),
    /// A kind from a newer version: kept and relayed byte for byte.
    Opaque(Opaque),
}

/// An entry of a kind that this version does not know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opaque {
    /// The kind's number.
    pub kind: u16,
    /// Whether its object must be fenced until it is understood.
    pub critical: bool,
    /// The canonical bytes after kind and time.
    pub body: Vec<u8>,
}

/// A fact with its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// When its author wrote it, for display and ties.
    pub hlc: Hlc,
    /// What it says.
    pub fact: Fact,
}

impl Fact {
    /// The kind's number.
    pub fn kind(&self) -> u16 {
        match self {
            Self::EpochOpen(_) => kind::EPOCH_OPEN,
            Self::Boot(_) => kind::BOOT,
            Self::Node(_) => kind::NODE,
            Self::Fence(_) => kind::FENCE,
            Self::Store(_) => kind::STORE,
            Self::Fork(_) => kind::FORK,
            Self::Product(_) => kind::PRODUCT,
            Self::Recall(_) => kind::RECALL,
            Self::Price(_) => kind::PRICE,
            Self::Template(_) => kind::TEMPLATE,
            Self::GoodsReceipt(_) => kind::GOODS_RECEIPT,
            Self::Sale(_) => kind::SALE,
            Self::CountScan(_) => kind::COUNT_SCAN,
            Self::CountClose(_) => kind::COUNT_CLOSE,
            Self::DayOpen(_) => kind::DAY_OPEN,
            Self::DayClose(_) => kind::DAY_CLOSE,
            Self::Adjustment(_) => kind::ADJUSTMENT,
            Self::PolicyRule(_) => kind::POLICY,
            Self::Rights(_) => kind::RIGHTS,
            Self::Promise(_) => kind::PROMISE,
            Self::PromiseStep(_) => kind::PROMISE_STEP,
            Self::Want(_) => kind::WANT,
            Self::Hint(_) => kind::HINT,
            Self::Shortage(_) => kind::SHORTAGE,
            Self::Compensation(_) => kind::COMPENSATION,
            Self::Retire(_) => kind::RETIRE,
            Self::Consent(_) => kind::CONSENT,
            Self::GoodsIssue(_) => kind::GOODS_ISSUE,
            Self::Decision(_) => kind::DECISION,
            Self::TransferAsk(_) => kind::TRANSFER_ASK,
            Self::TransferShip(_) => kind::TRANSFER_SHIP,
            Self::TransferReceive(_) => kind::TRANSFER_RECEIVE,
            Self::CountOpen(_) => kind::COUNT_OPEN,
            Self::Order(_) => kind::ORDER,
            Self::Offer(_) => kind::OFFER,
            Self::FulfillmentStep(_) => kind::FULFILLMENT_STEP,
            Self::OrderStep(_) => kind::ORDER_STEP,
            Self::Payment(_) => kind::PAYMENT,
            Self::Redress(_) => kind::REDRESS,
            Self::PassShown(_) => kind::PASS_SHOWN,
            Self::Routing(_) => kind::ROUTING,
            Self::Service(_) => kind::SERVICE,
            Self::OrderLimits(_) => kind::ORDER_LIMITS,
            Self::GoodsReturn(_) => kind::GOODS_RETURN,
            Self::ReturnGrant(_) => kind::RETURN_GRANT,
            Self::TaxRate(_) => kind::TAX_RATE,
            Self::TillRules(_) => kind::TILL_RULES,
            Self::Promotion(_) => kind::PROMOTION,
            Self::SaleHours(_) => kind::SALE_HOURS,
            Self::Staff(_) => kind::STAFF,
            Self::Basket(_) => kind::BASKET,
            Self::BasketStep(_) => kind::BASKET_STEP,
            Self::Checkout(_) => kind::CHECKOUT,
            Self::ShiftOpen(_) => kind::SHIFT_OPEN,
            Self::CashMove(_) => kind::CASH_MOVE,
            Self::ShiftClose(_) => kind::SHIFT_CLOSE,
            Self::TenderStep(_) => kind::TENDER_STEP,
            Self::LabelDone(_) => kind::LABEL_DONE,
            Self::Loyalty(_) => kind::LOYALTY,
            Self::PointsRow(_) => kind::POINTS_ROW,
            Self::Campaign(_) => kind::CAMPAIGN,
            Self::Coupon(_) => kind::COUPON,
            Self::Redemption(_) => kind::REDEMPTION,
            Self::Quota(_) => kind::COUPON_QUOTA,
            Self::SalePoints(_) => kind::SALE_POINTS,
            Self::Member(_) => kind::MEMBER,
            Self::MemberValue(_) => kind::MEMBER_VALUE,
            Self::MemberLink(_) => kind::MEMBER_LINK,
            Self::MemberUnlink(_) => kind::MEMBER_UNLINK,
            Self::MemberConsent(_) => kind::MEMBER_CONSENT,
            Self::MemberErase(_) => kind::MEMBER_ERASE,
            Self::NoteChange(_) => kind::NOTE_CHANGE,
            Self::NoteSnapshot(_) => kind::NOTE_SNAPSHOT,
            Self::Opaque(opaque) => opaque.kind,
        }
    }

    /// True when a node that does not know this kind must stop acting on its object.
    pub fn is_critical(&self) -> bool {
        match self {
            Self::Opaque(opaque) => opaque.critical,
            known => kind::is_critical(known.kind()),
        }
    }

    fn encode_body(&self, sink: &mut impl Sink, hlc_ms: u64) {
        match self {
            Self::EpochOpen(fact) => fact.encode(sink),
            Self::Boot(fact) => fact.encode(sink),
            Self::Node(fact) => fact.encode(sink),
            Self::Fence(fact) => fact.encode(sink),
            Self::Store(fact) => fact.encode(sink),
            Self::Fork(fact) => fact.encode(sink),
            Self::Product(fact) => fact.encode(sink),
            Self::Recall(fact) => fact.encode(sink),
            Self::Price(fact) => fact.encode(sink),
            Self::Template(fact) => fact.encode(sink),
            Self::GoodsReceipt(fact) => fact.encode(sink),
            Self::Sale(fact) => fact.encode(sink, hlc_ms),
            Self::CountScan(fact) => fact.encode(sink),
            Self::CountClose(fact) => fact.encode(sink),
            Self::DayOpen(fact) => fact.encode(sink),
            Self::DayClose(fact) => fact.encode(sink),
            Self::Adjustment(fact) => fact.encode(sink),
            Self::PolicyRule(fact) => fact.encode(sink),
            Self::Rights(fact) => fact.encode(sink),
            Self::Promise(fact) => fact.encode(sink),
            Self::PromiseStep(fact) => fact.encode(sink),
            Self::Want(fact) => fact.encode(sink),
            Self::Hint(fact) => fact.encode(sink),
            Self::Shortage(fact) => fact.encode(sink),
            Self::Compensation(fact) => fact.encode(sink),
            Self::Retire(fact) => fact.encode(sink),
            Self::Consent(fact) => fact.encode(sink),
            Self::GoodsIssue(fact) => fact.encode(sink),
            Self::Decision(fact) => fact.encode(sink),
            Self::TransferAsk(fact) => fact.encode(sink),
            Self::TransferShip(fact) => fact.encode(sink),
            Self::TransferReceive(fact) => fact.encode(sink),
            Self::CountOpen(fact) => fact.encode(sink),
            Self::Order(fact) => fact.encode(sink),
            Self::Offer(fact) => fact.encode(sink),
            Self::FulfillmentStep(fact) => fact.encode(sink),
            Self::OrderStep(fact) => fact.encode(sink),
            Self::Payment(fact) => fact.encode(sink),
            Self::Redress(fact) => fact.encode(sink),
            Self::PassShown(fact) => fact.encode(sink),
            Self::Routing(fact) => fact.encode(sink),
            Self::Service(fact) => fact.encode(sink),
            Self::OrderLimits(fact) => fact.encode(sink),
            Self::GoodsReturn(fact) => fact.encode(sink),
            Self::ReturnGrant(fact) => fact.encode(sink),
            Self::TaxRate(fact) => fact.encode(sink),
            Self::TillRules(fact) => fact.encode(sink),
            Self::Promotion(fact) => fact.encode(sink),
            Self::SaleHours(fact) => fact.encode(sink),
            Self::Staff(fact) => fact.encode(sink),
            Self::Basket(fact) => fact.encode(sink),
            Self::BasketStep(fact) => fact.encode(sink),
            Self::Checkout(fact) => fact.encode(sink),
            Self::ShiftOpen(fact) => fact.encode(sink),
            Self::CashMove(fact) => fact.encode(sink),
            Self::ShiftClose(fact) => fact.encode(sink),
            Self::TenderStep(fact) => fact.encode(sink),
            Self::LabelDone(fact) => fact.encode(sink),
            Self::Loyalty(fact) => fact.encode(sink),
            Self::PointsRow(fact) => fact.encode(sink),
            Self::Campaign(fact) => fact.encode(sink),
            Self::Coupon(fact) => fact.encode(sink),
            Self::Redemption(fact) => fact.encode(sink),
            Self::Quota(fact) => fact.encode(sink),
            Self::SalePoints(fact) => fact.encode(sink),
            Self::Member(fact) => fact.encode(sink),
            Self::MemberValue(fact) => fact.encode(sink),
            Self::MemberLink(fact) => fact.encode(sink),
            Self::MemberUnlink(fact) => fact.encode(sink),
            Self::MemberConsent(fact) => fact.encode(sink),
            Self::MemberErase(fact) => fact.encode(sink),
            Self::NoteChange(fact) => fact.encode(sink),
            Self::NoteSnapshot(fact) => fact.encode(sink),
            Self::Opaque(opaque) => sink.array(col::RAW, &opaque.body),
        }
    }

    fn decode_body(number: u16, source: &mut impl Source, hlc_ms: u64) -> Result<Self, DecodeError> {
        Ok(match number {
            kind::EPOCH_OPEN => Self::EpochOpen(EpochOpen::decode(source)?),
            kind::BOOT => Self::Boot(Boot::decode(source)?),
            kind::NODE => Self::Node(NodeRecord::decode(source)?),
            kind::FENCE => Self::Fence(Fence::decode(source)?),
            kind::STORE => Self::Store(StoreRecord::decode(source)?),
            kind::FORK => Self::Fork(ForkProof::decode(source)?),
            kind::PRODUCT => Self::Product(Product::decode(source)?),
            kind::RECALL => Self::Recall(Recall::decode(source)?),
            kind::PRICE => Self::Price(Price::decode(source)?),
            kind::TEMPLATE => Self::Template(Template::decode(source)?),
            kind::GOODS_RECEIPT => Self::GoodsReceipt(GoodsReceipt::decode(source)?),
            kind::SALE => Self::Sale(Sale::decode(source, hlc_ms)?),
            kind::COUNT_SCAN => Self::CountScan(CountScan::decode(source)?),
            kind::COUNT_CLOSE => Self::CountClose(CountClose::decode(source)?),
            kind::DAY_OPEN => Self::DayOpen(DayOpen::decode(source)?),
            kind::DAY_CLOSE => Self::DayClose(DayClose::decode(source)?),
            kind::ADJUSTMENT => Self::Adjustment(Adjustment::decode(source)?),
            kind::POLICY => Self::PolicyRule(PolicyRule::decode(source)?),
            kind::RIGHTS => Self::Rights(RightsFact::decode(source)?),
            kind::PROMISE => Self::Promise(Promise::decode(source)?),
            kind::PROMISE_STEP => Self::PromiseStep(PromiseStep::decode(source)?),
            kind::WANT => Self::Want(Want::decode(source)?),
            kind::HINT => Self::Hint(Hint::decode(source)?),
            kind::SHORTAGE => Self::Shortage(Shortage::decode(source)?),
            kind::COMPENSATION => Self::Compensation(Compensation::decode(source)?),
            kind::RETIRE => Self::Retire(Retire::decode(source)?),
            kind::CONSENT => Self::Consent(Consent::decode(source)?),
            kind::GOODS_ISSUE => Self::GoodsIssue(GoodsIssue::decode(source)?),
            kind::DECISION => Self::Decision(Decision::decode(source)?),
            kind::TRANSFER_ASK => Self::TransferAsk(TransferAsk::decode(source)?),
            kind::TRANSFER_SHIP => Self::TransferShip(TransferShip::decode(source)?),
            kind::TRANSFER_RECEIVE => Self::TransferReceive(TransferReceive::decode(source)?),
            kind::COUNT_OPEN => Self::CountOpen(CountOpen::decode(source)?),
            kind::ORDER => Self::Order(Order::decode(source)?),
            kind::OFFER => Self::Offer(Offer::decode(source)?),
            kind::FULFILLMENT_STEP => Self::FulfillmentStep(FulfillmentStep::decode(source)?),
            kind::ORDER_STEP => Self::OrderStep(OrderStep::decode(source)?),
            kind::PAYMENT => Self::Payment(Payment::decode(source)?),
            kind::REDRESS => Self::Redress(Redress::decode(source)?),
            kind::PASS_SHOWN => Self::PassShown(SignedPass::decode(source)?),
            kind::ROUTING => Self::Routing(RoutingRules::decode(source)?),
            kind::SERVICE => Self::Service(StoreService::decode(source)?),
            kind::ORDER_LIMITS => Self::OrderLimits(OrderLimits::decode(source)?),
            kind::GOODS_RETURN => Self::GoodsReturn(GoodsReturn::decode(source)?),
            kind::RETURN_GRANT => Self::ReturnGrant(ReturnGrant::decode(source)?),
            kind::TAX_RATE => Self::TaxRate(TaxRate::decode(source)?),
            kind::TILL_RULES => Self::TillRules(TillRules::decode(source)?),
            kind::PROMOTION => Self::Promotion(Promotion::decode(source)?),
            kind::SALE_HOURS => Self::SaleHours(SaleHours::decode(source)?),
            kind::STAFF => Self::Staff(StaffRecord::decode(source)?),
            kind::BASKET => Self::Basket(Basket::decode(source)?),
            kind::BASKET_STEP => Self::BasketStep(BasketStep::decode(source)?),
            kind::CHECKOUT => Self::Checkout(Checkout::decode(source)?),
            kind::SHIFT_OPEN => Self::ShiftOpen(ShiftOpen::decode(source)?),
            kind::CASH_MOVE => Self::CashMove(CashMove::decode(source)?),
            kind::SHIFT_CLOSE => Self::ShiftClose(ShiftClose::decode(source)?),
            kind::TENDER_STEP => Self::TenderStep(TenderStep::decode(source)?),
            kind::LABEL_DONE => Self::LabelDone(LabelDone::decode(source)?),
            kind::LOYALTY => Self::Loyalty(LoyaltyRules::decode(source)?),
            kind::POINTS_ROW => Self::PointsRow(PointsRow::decode(source)?),
            kind::CAMPAIGN => Self::Campaign(Campaign::decode(source)?),
            kind::COUPON => Self::Coupon(CouponFact::decode(source)?),
            kind::REDEMPTION => Self::Redemption(Redemption::decode(source)?),
            kind::COUPON_QUOTA => Self::Quota(QuotaRow::decode(source)?),
            kind::SALE_POINTS => Self::SalePoints(SalePoints::decode(source)?),
            kind::MEMBER => Self::Member(Enrolment::decode(source)?),
            kind::MEMBER_VALUE => Self::MemberValue(MemberValue::decode(source)?),
            kind::MEMBER_LINK => Self::MemberLink(MemberLink::decode(source)?),
            kind::MEMBER_UNLINK => Self::MemberUnlink(MemberUnlink::decode(source)?),
            kind::MEMBER_CONSENT => Self::MemberConsent(MemberConsent::decode(source)?),
            kind::MEMBER_ERASE => Self::MemberErase(MemberErase::decode(source)?),
            kind::NOTE_CHANGE => Self::NoteChange(NoteChange::decode(source)?),
            kind::NOTE_SNAPSHOT => Self::NoteSnapshot(NoteSnapshot::decode(source)?),
            _ => return Err(DecodeError::Value("kind")),
        })
    }
}

impl Entry {
    /// Canonical bytes: what is hashed, signed and stored.
    pub fn to_bytes(&self) -> Vec<u8> {
        Rows::of(|sink| {
            sink.uint(col::KIND, u64::from(self.fact.kind()) << 1 | u64::from(self.fact.is_critical()));
            self.encode_rest(sink);
        })
    }

    /// From canonical bytes. Bytes that this version would write differently are refused.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        if bytes.len() > ENTRY_BYTES_MAX {
            return Err(DecodeError::Limit("bytes of an entry"));
        }
        let mut reader = RowReader::new(bytes);
        let (number, critical) = kind::split(reader.uint(col::KIND)?)?;
        let entry = if kind::ALL.contains(&number) {
            if critical != kind::is_critical(number) {
                return Err(DecodeError::Canonical);
            }
            let entry = Self::decode_rest(number, &mut reader)?;
            reader.finish()?;
            entry
        } else {
            let hlc = decode_hlc(&mut reader)?;
            let body = reader.rest().to_vec();
            Self { hlc, fact: Fact::Opaque(Opaque { kind: number, critical, body }) }
        };
        if entry.to_bytes() == bytes { Ok(entry) } else { Err(DecodeError::Canonical) }
    }

    /// Writes all but the kind.
    pub(crate) fn encode_rest(&self, sink: &mut impl Sink) {
        sink.uint(col::HLC_MS, self.hlc.ms());
        sink.uint(col::HLC_COUNTER, u64::from(self.hlc.counter()));
        self.fact.encode_body(sink, self.hlc.ms());
    }

    /// Reads what [`Entry::encode_rest`] wrote, for a known kind.
    pub(crate) fn decode_rest(number: u16, source: &mut impl Source) -> Result<Self, DecodeError> {
        let hlc = decode_hlc(source)?;
        Ok(Self { hlc, fact: Fact::decode_body(number, source, hlc.ms())? })
    }
}

fn decode_hlc(source: &mut impl Source) -> Result<Hlc, DecodeError> {
    let ms = source.uint(col::HLC_MS)?;
    if ms >= 1 << 48 {
        return Err(DecodeError::Value("time"));
    }
    Ok(Hlc::new(ms, source.u16(col::HLC_COUNTER)?))
}
