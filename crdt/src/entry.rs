//! Entries: one fact at one time, in one position of one log.
//!
//! Canonical form: `kind << 1 | critical`, the hybrid time (milliseconds, counter), then the fact's fields. A node keeps and
//! relays kinds that it does not know ([`Fact::Opaque`]); an unknown *critical* kind fences its log's store until an upgrade.

use crate::cell::CellKey;
use crate::checkout::Checkout;
use crate::checkout::basket::{Basket, BasketStep};
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
use crate::ids::{Actor, Digest};
use crate::limits::ENTRY_BYTES_MAX;
use crate::member::link::{MemberLink, MemberUnlink};
use crate::member::value::{MemberConsent, MemberValue};
use crate::member::{Enrolment, MemberErase};
use crate::note::{NoteChange, NoteSnapshot};
use crate::order::header::{Order, Payment};
use crate::order::intent::OrderStep;
use crate::order::offer::Offer;
use crate::order::pass::SignedPass;
use crate::order::redress::Redress;
use crate::order::returns::{GoodsReturn, Origin, ReturnGrant};
use crate::order::rules::RoutingRules;
use crate::order::rules::hours::StoreService;
use crate::order::rules::limits::OrderLimits;
use crate::order::step::FulfillmentStep;
use crate::price::Price;
use crate::product::{Product, Recall};
use crate::receiving::{Adjustment, Decision, GoodsReceipt};
use crate::sale::Sale;
use crate::scope::Scope;
use crate::stock::custody::{Consent, Hint, Retire, Want};
use crate::stock::policy::PolicyRule;
use crate::stock::promise::{GoodsIssue, Promise, PromiseStep};
use crate::stock::rights::RightsFact;
use crate::stock::shortage::{Compensation, Shortage};
use crate::transfer::{TransferAsk, TransferReceive, TransferShip};

/// Numbers of the kinds of fact. A number is never used again for something else.
pub mod kind {
    #![allow(missing_docs)]
    pub const EPOCH_OPEN: u16 = 1;
    pub const BOOT: u16 = 2;
    pub const NODE: u16 = 10;
    pub const FENCE: u16 = 11;
    pub const STORE: u16 = 12;
    pub const FORK: u16 = 13;
    pub const PRODUCT: u16 = 20;
    pub const RECALL: u16 = 21;
    pub const PRICE: u16 = 22;
    pub const TEMPLATE: u16 = 23;
    pub const GOODS_RECEIPT: u16 = 30;
    pub const SALE: u16 = 31;
    pub const COUNT_SCAN: u16 = 32;
    pub const COUNT_CLOSE: u16 = 33;
    pub const DAY_OPEN: u16 = 34;
    pub const DAY_CLOSE: u16 = 35;
    pub const ADJUSTMENT: u16 = 36;
    pub const POLICY: u16 = 14;
    pub const RIGHTS: u16 = 40;
    pub const PROMISE: u16 = 41;
    pub const PROMISE_STEP: u16 = 42;
    pub const WANT: u16 = 43;
    pub const HINT: u16 = 44;
    pub const SHORTAGE: u16 = 45;
    pub const COMPENSATION: u16 = 46;
    pub const RETIRE: u16 = 47;
    pub const CONSENT: u16 = 48;
    pub const GOODS_ISSUE: u16 = 49;

    pub const DECISION: u16 = 50;
    pub const TRANSFER_ASK: u16 = 51;
    pub const TRANSFER_SHIP: u16 = 52;
    pub const TRANSFER_RECEIVE: u16 = 53;
    pub const COUNT_OPEN: u16 = 54;
    pub const ORDER: u16 = 60;
    pub const OFFER: u16 = 61;
    pub const FULFILLMENT_STEP: u16 = 62;
    pub const ORDER_STEP: u16 = 63;
    pub const PAYMENT: u16 = 64;
    pub const REDRESS: u16 = 65;
    pub const PASS_SHOWN: u16 = 66;
    pub const ROUTING: u16 = 67;
    pub const SERVICE: u16 = 68;
    pub const ORDER_LIMITS: u16 = 69;
    pub const GOODS_RETURN: u16 = 70;
    pub const RETURN_GRANT: u16 = 71;
    pub const TAX_RATE: u16 = 80;
    pub const TILL_RULES: u16 = 81;
    pub const PROMOTION: u16 = 82;
    pub const SALE_HOURS: u16 = 83;
    pub const STAFF: u16 = 84;
    pub const BASKET: u16 = 85;
    pub const BASKET_STEP: u16 = 86;
    pub const CHECKOUT: u16 = 87;
    pub const SHIFT_OPEN: u16 = 88;
    pub const CASH_MOVE: u16 = 89;
    pub const SHIFT_CLOSE: u16 = 90;
    pub const TENDER_STEP: u16 = 91;
    pub const MEMBER: u16 = 100;
    pub const MEMBER_VALUE: u16 = 101;
    pub const MEMBER_LINK: u16 = 102;
    pub const MEMBER_UNLINK: u16 = 103;
    pub const MEMBER_CONSENT: u16 = 104;
    pub const MEMBER_ERASE: u16 = 105;
    pub const NOTE_CHANGE: u16 = 120;
    pub const NOTE_SNAPSHOT: u16 = 121;

    /// All kinds that this version knows.
    pub const ALL: [u16; 65] = [
        EPOCH_OPEN,
        BOOT,
        NODE,
        FENCE,
        STORE,
        FORK,
        PRODUCT,
        RECALL,
        PRICE,
        TEMPLATE,
        GOODS_RECEIPT,
        SALE,
        COUNT_SCAN,
        COUNT_CLOSE,
        DAY_OPEN,
        DAY_CLOSE,
        ADJUSTMENT,
        POLICY,
        RIGHTS,
        PROMISE,
        PROMISE_STEP,
        WANT,
        HINT,
        SHORTAGE,
        COMPENSATION,
        RETIRE,
        CONSENT,
        GOODS_ISSUE,
        DECISION,
        TRANSFER_ASK,
        TRANSFER_SHIP,
        TRANSFER_RECEIVE,
        COUNT_OPEN,
        ORDER,
        OFFER,
        FULFILLMENT_STEP,
        ORDER_STEP,
        PAYMENT,
        REDRESS,
        PASS_SHOWN,
        ROUTING,
        SERVICE,
        ORDER_LIMITS,
        GOODS_RETURN,
        RETURN_GRANT,
        TAX_RATE,
        TILL_RULES,
        PROMOTION,
        SALE_HOURS,
        STAFF,
        BASKET,
        BASKET_STEP,
        CHECKOUT,
        SHIFT_OPEN,
        CASH_MOVE,
        SHIFT_CLOSE,
        TENDER_STEP,
        MEMBER,
        MEMBER_VALUE,
        MEMBER_LINK,
        MEMBER_UNLINK,
        MEMBER_CONSENT,
        MEMBER_ERASE,
        NOTE_CHANGE,
        NOTE_SNAPSHOT,
    ];
}

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
            known => kind_is_critical(known.kind()),
        }
    }

    /// True when this fact may stand in `scope`. Unknown kinds may stand anywhere; they have no effect.
    pub fn belongs_in(&self, scope: &Scope) -> bool {
        match self {
            Self::EpochOpen(_) | Self::Opaque(_) => true,
            Self::Boot(_) => matches!(scope, Scope::Control | Scope::StoreRights(_)),
            Self::Node(_)
            | Self::Fence(_)
            | Self::Store(_)
            | Self::Fork(_)
            | Self::PolicyRule(_)
            | Self::Routing(_)
            | Self::Service(_)
            | Self::OrderLimits(_)
            | Self::TillRules(_)
            | Self::SaleHours(_)
            | Self::Staff(_) => *scope == Scope::Control,
            Self::Rights(RightsFact { account, .. })
            | Self::Promise(Promise { account, .. })
            | Self::Want(Want { account, .. })
            | Self::Hint(Hint { account, .. })
            | Self::Shortage(Shortage { account, .. }) => *scope == Scope::StoreRights(account.store),
            Self::PromiseStep(_) | Self::Compensation(_) | Self::Retire(_) | Self::Consent(_) => {
                matches!(scope, Scope::StoreRights(_))
            }
            Self::Product(_) | Self::Recall(_) | Self::Template(_) | Self::TaxRate(_) => *scope == Scope::Catalog,
            Self::Price(price) => *scope == Scope::Prices(price.book.clone()),
            Self::Promotion(promotion) => *scope == Scope::Prices(promotion.book.clone()),
            Self::GoodsReceipt(_)
            | Self::Sale(_)
            | Self::CountScan(_)
            | Self::CountClose(_)
            | Self::DayOpen(_)
            | Self::DayClose(_)
            | Self::Adjustment(_)
            | Self::Decision(_)
            | Self::TransferAsk(_)
            | Self::TransferShip(_)
            | Self::TransferReceive(_)
            | Self::CountOpen(_)
            | Self::Basket(_)
            | Self::BasketStep(_)
            | Self::Checkout(_)
            | Self::ShiftOpen(_)
            | Self::CashMove(_)
            | Self::ShiftClose(_)
            | Self::TenderStep(_) => matches!(scope, Scope::StoreStock(_)),
            // What is said first of an account stands where it belongs; a copy anywhere.
            Self::Member(enrolment) => {
                matches!(scope, Scope::StoreMembers(at) if *at == enrolment.home || enrolment.copied.is_some())
            }
            Self::MemberValue(_)
            | Self::MemberLink(_)
            | Self::MemberUnlink(_)
            | Self::MemberConsent(_)
            | Self::MemberErase(_) => matches!(scope, Scope::StoreMembers(_)),
            Self::NoteChange(NoteChange { subject, .. }) | Self::NoteSnapshot(NoteSnapshot { subject, .. }) => {
                subject.belongs_in(scope)
            }
            Self::GoodsIssue(issue) => *scope == Scope::StoreStock(issue.account.store),
            Self::Order(_) | Self::Payment(_) | Self::Redress(_) | Self::OrderStep(_) => {
                matches!(scope, Scope::Orders(_) | Scope::StoreOrders(_))
            }
            Self::Offer(_) | Self::FulfillmentStep(_) | Self::ReturnGrant(_) => matches!(scope, Scope::StoreOrders(_)),
            // Where the goods are it moves stock; at the seller it is a copy.
            Self::GoodsReturn(returned) => {
                *scope == Scope::StoreStock(returned.id.store)
                    || matches!((scope, returned.origin), (Scope::StoreOrders(at), Origin::Receipt(seller, _)) if *at == seller)
            }
            Self::PassShown(shown) => *scope == Scope::StoreRights(shown.pass.store),
        }
    }

    /// The cell that this fact writes. Decisions name their entity; events are keyed by their content, so that both branches
    /// of a fork survive.
    pub fn cell(&self, writer: Actor) -> CellKey {
        let entity = match self {
            Self::Node(node) => Rows::of(|s| s.uint(col::KEY, u64::from(node.capability.node.0))),
            Self::Fence(fence) => Rows::of(|s| s.uint(col::KEY, u64::from(fence.node.0))),
            Self::Store(store) => Rows::of(|s| s.uint(col::KEY, u64::from(store.store.0))),
            Self::Product(product) => product.sku.as_str().as_bytes().to_vec(),
            Self::Recall(recall) => recall.entity(),
            Self::Price(price) => price.entity(),
            Self::Template(template) => vec![template.prefix],
            Self::PolicyRule(rule) => Rows::of(|s| rule.target.encode(s)),
            Self::Consent(consent) => consent.entity(),
            Self::Routing(rules) => rules.entity(),
            Self::Service(service) => service.entity(),
            Self::OrderLimits(limits) => limits.entity(),
            Self::TaxRate(rate) => rate.entity(),
            Self::TillRules(rules) => rules.entity(),
            Self::Promotion(promotion) => promotion.entity(),
            Self::SaleHours(hours) => hours.entity(),
            Self::Staff(record) => record.entity(),
            Self::Rights(rights) => Rows::of(|s| {
                rights.account.encode(s);
                rights.class.encode(s);
            }),
            Self::Want(want) => Rows::of(|s| {
                want.account.encode(s);
                want.class.encode(s);
                s.uint(col::ACTOR_NODE, u64::from(want.of.0));
            }),
            Self::Retire(retire) => Rows::of(|s| retire.actor.encode(s)),
            Self::Compensation(compensation) => compensation.id.to_vec(),
            Self::EpochOpen(_)
            | Self::Boot(_)
            | Self::Fork(_)
            | Self::GoodsReceipt(_)
            | Self::Sale(_)
            | Self::CountScan(_)
            | Self::CountClose(_)
            | Self::DayOpen(_)
            | Self::DayClose(_)
            | Self::Adjustment(_)
            | Self::GoodsIssue(_)
            | Self::Promise(_)
            | Self::PromiseStep(_)
            | Self::Hint(_)
            | Self::Shortage(_)
            | Self::Decision(_)
            | Self::TransferAsk(_)
            | Self::TransferShip(_)
            | Self::TransferReceive(_)
            | Self::CountOpen(_)
            | Self::Order(_)
            | Self::Offer(_)
            | Self::FulfillmentStep(_)
            | Self::OrderStep(_)
            | Self::Payment(_)
            | Self::Redress(_)
            | Self::PassShown(_)
            | Self::GoodsReturn(_)
            | Self::ReturnGrant(_)
            | Self::Basket(_)
            | Self::BasketStep(_)
            | Self::Checkout(_)
            | Self::ShiftOpen(_)
            | Self::CashMove(_)
            | Self::ShiftClose(_)
            | Self::TenderStep(_)
            | Self::Member(_)
            | Self::MemberValue(_)
            | Self::MemberLink(_)
            | Self::MemberUnlink(_)
            | Self::MemberConsent(_)
            | Self::MemberErase(_)
            | Self::NoteChange(_)
            | Self::NoteSnapshot(_)
            | Self::Opaque(_) => Digest::of(&[&Rows::of(|s| self.encode_body(s, 0))]).short().to_vec(),
        };
        CellKey { entity: entity.into(), field: self.kind(), writer }
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
        let (number, critical) = split_kind(reader.uint(col::KIND)?)?;
        let entry = if kind::ALL.contains(&number) {
            if critical != kind_is_critical(number) {
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

/// Splits `kind << 1 | critical`.
pub(crate) fn split_kind(coded: u64) -> Result<(u16, bool), DecodeError> {
    let number = u16::try_from(coded >> 1).map_err(|_| DecodeError::Value("kind"))?;
    Ok((number, coded & 1 == 1))
}

/// Whether a known kind is critical. Control facts, product recalls, rights and promises are: acting without them does harm.
pub(crate) fn kind_is_critical(number: u16) -> bool {
    matches!(
        number,
        kind::EPOCH_OPEN
            | kind::NODE
            | kind::FENCE
            | kind::STORE
            | kind::FORK
            | kind::RECALL
            | kind::RIGHTS
            | kind::PROMISE
            | kind::PROMISE_STEP
            | kind::SHORTAGE
            | kind::RETIRE
    )
}

fn decode_hlc(source: &mut impl Source) -> Result<Hlc, DecodeError> {
    let ms = source.uint(col::HLC_MS)?;
    if ms >= 1 << 48 {
        return Err(DecodeError::Value("time"));
    }
    Ok(Hlc::new(ms, source.u16(col::HLC_COUNTER)?))
}
