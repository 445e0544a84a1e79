//! Who may write which kind of fact in which scope: data, default deny.
//!
//! A verdict depends only on the entry and on who wrote it where, never on when it arrived.

use stockroom_crdt::capability::Role;
use stockroom_crdt::entry::{Fact, kind};
use stockroom_crdt::ids::{Actor, StoreId};
use stockroom_crdt::loyalty::coupon::{CouponSays, QuotaSide};
use stockroom_crdt::loyalty::points::PointsSide;
use stockroom_crdt::member::Stage;
use stockroom_crdt::member::link::Weight;
use stockroom_crdt::note::Subject;
use stockroom_crdt::scope::Scope;

/// The writer, seen from the scope.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Writer {
    /// A hub, in any scope.
    Hub,
    /// A store's node, in that store's own scopes.
    OwnStore,
    /// A store's node, anywhere else.
    OtherStore,
}

/// The kind of scope, without its parameter.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[allow(missing_docs)]
pub enum Area {
    Control,
    StoreRights,
    StoreOrders,
    StoreStock,
    StoreHistory,
    StoreMembers,
    Prices,
    Catalog,
    Orders,
}

/// One row: this writer may write these kinds there.
pub type Rule = (Writer, Area, &'static [u16]);

/// The whole table. What is not here is denied. Scopes without a row belong to features that do not exist yet.
pub const RULES: &[Rule] = &[
    (
        Writer::Hub,
        Area::Control,
        &[
            kind::EPOCH_OPEN,
            kind::BOOT,
            kind::NODE,
            kind::FENCE,
            kind::STORE,
            kind::FORK,
            kind::POLICY,
            kind::ROUTING,
            kind::SERVICE,
            kind::ORDER_LIMITS,
            kind::TILL_RULES,
            kind::SALE_HOURS,
            kind::STAFF,
            kind::LOYALTY,
            kind::NOTE_CHANGE,
            kind::NOTE_SNAPSHOT,
        ],
    ),
    (
        Writer::Hub,
        Area::Catalog,
        &[kind::EPOCH_OPEN, kind::PRODUCT, kind::RECALL, kind::TEMPLATE, kind::TAX_RATE, kind::CAMPAIGN],
    ),
    (Writer::Hub, Area::Prices, &[kind::EPOCH_OPEN, kind::PRICE, kind::PROMOTION]),
    (
        Writer::Hub,
        Area::StoreRights,
        &[
            kind::EPOCH_OPEN,
            kind::RIGHTS,
            kind::PROMISE,
            kind::PROMISE_STEP,
            kind::WANT,
            kind::HINT,
            kind::COMPENSATION,
            kind::RETIRE,
        ],
    ),
    (
        Writer::OwnStore,
        Area::StoreRights,
        &[
            kind::EPOCH_OPEN,
            kind::BOOT,
            kind::RIGHTS,
            kind::PROMISE,
            kind::PROMISE_STEP,
            kind::WANT,
            kind::HINT,
            kind::SHORTAGE,
            kind::COMPENSATION,
            kind::CONSENT,
            kind::PASS_SHOWN,
        ],
    ),
    // A neighbour spends what it was granted, and nothing else; that links carry its log is up to the stores' group.
    (
        Writer::OtherStore,
        Area::StoreRights,
        &[
            kind::EPOCH_OPEN,
            kind::RIGHTS,
            kind::PROMISE,
            kind::PROMISE_STEP,
            kind::WANT,
            kind::HINT,
            kind::COMPENSATION,
        ],
    ),
    (
        Writer::Hub,
        Area::Orders,
        &[
            kind::EPOCH_OPEN,
            kind::ORDER,
            kind::ORDER_STEP,
            kind::PAYMENT,
            kind::REDRESS,
            kind::NOTE_CHANGE,
            kind::NOTE_SNAPSHOT,
        ],
    ),
    (
        Writer::Hub,
        Area::StoreOrders,
        &[
            kind::EPOCH_OPEN,
            kind::OFFER,
            kind::ORDER_STEP,
            kind::FULFILLMENT_STEP,
            kind::GOODS_RETURN,
            kind::RETURN_GRANT,
            kind::NOTE_CHANGE,
        ],
    ),
    // A store is the home of orders that begin at its own counter.
    (
        Writer::OwnStore,
        Area::StoreOrders,
        &[
            kind::EPOCH_OPEN,
            kind::ORDER,
            kind::OFFER,
            kind::ORDER_STEP,
            kind::PAYMENT,
            kind::REDRESS,
            kind::FULFILLMENT_STEP,
            kind::RETURN_GRANT,
            kind::NOTE_CHANGE,
            kind::NOTE_SNAPSHOT,
        ],
    ),
    (
        Writer::OwnStore,
        Area::StoreStock,
        &[
            kind::EPOCH_OPEN,
            kind::GOODS_RECEIPT,
            kind::SALE,
            kind::COUNT_SCAN,
            kind::COUNT_CLOSE,
            kind::DAY_OPEN,
            kind::DAY_CLOSE,
            kind::ADJUSTMENT,
            kind::GOODS_ISSUE,
            kind::DECISION,
            kind::TRANSFER_ASK,
            kind::TRANSFER_SHIP,
            kind::TRANSFER_RECEIVE,
            kind::COUNT_OPEN,
            kind::GOODS_RETURN,
            kind::BASKET,
            kind::BASKET_STEP,
            kind::CHECKOUT,
            kind::SHIFT_OPEN,
            kind::CASH_MOVE,
            kind::SHIFT_CLOSE,
            kind::TENDER_STEP,
            kind::LABEL_DONE,
        ],
    ),
    (
        Writer::Hub,
        Area::StoreMembers,
        &[
            kind::EPOCH_OPEN,
            kind::MEMBER,
            kind::MEMBER_VALUE,
            kind::MEMBER_LINK,
            kind::MEMBER_UNLINK,
            kind::MEMBER_CONSENT,
            kind::MEMBER_ERASE,
            kind::NOTE_CHANGE,
            kind::POINTS_ROW,
            kind::COUPON,
            kind::COUPON_QUOTA,
        ],
    ),
    // The store is the home of the notes in its scopes: it alone folds them.
    (
        Writer::OwnStore,
        Area::StoreMembers,
        &[
            kind::EPOCH_OPEN,
            kind::MEMBER,
            kind::MEMBER_VALUE,
            kind::MEMBER_LINK,
            kind::MEMBER_UNLINK,
            kind::MEMBER_CONSENT,
            kind::MEMBER_ERASE,
            kind::NOTE_CHANGE,
            kind::NOTE_SNAPSHOT,
            kind::POINTS_ROW,
            kind::SALE_POINTS,
            kind::COUPON,
            kind::REDEMPTION,
            kind::COUPON_QUOTA,
        ],
    ),
];

/// Which writer a node is, seen from `scope`.
pub fn writer(role: Role, store: StoreId, scope: &Scope) -> Writer {
    match role {
        Role::Hub => Writer::Hub,
        Role::Store if scope.store() == Some(store) => Writer::OwnStore,
        Role::Store => Writer::OtherStore,
    }
}

/// The area of a scope.
pub fn area(scope: &Scope) -> Area {
    match scope {
        Scope::Control => Area::Control,
        Scope::StoreRights(_) => Area::StoreRights,
        Scope::StoreOrders(_) => Area::StoreOrders,
        Scope::StoreStock(_) => Area::StoreStock,
        Scope::StoreHistory(_) => Area::StoreHistory,
        Scope::StoreMembers(_) => Area::StoreMembers,
        Scope::Prices(_) => Area::Prices,
        Scope::Catalog => Area::Catalog,
        Scope::Orders(_) => Area::Orders,
    }
}

/// True when `writer` may write facts of `kind` in `area`.
pub fn may_write(writer: Writer, area: Area, kind: u16) -> bool {
    RULES.iter().any(|(w, a, kinds)| *w == writer && *a == area && kinds.contains(&kind))
}

/// What a fact about rights may say depends on who says it: nobody speaks for another actor, only a node of the store makes rights
/// from its goods, and only it says what became of goods.
pub fn may_say(writer: Writer, actor: Actor, fact: &Fact) -> bool {
    match fact {
        Fact::Rights(rights) => rights.by == actor && (rights.row.mint == 0 || writer == Writer::OwnStore),
        Fact::Promise(promise) => promise.id.issuer == actor,
        Fact::PromiseStep(step) if step.step.is_of_home() => writer == Writer::OwnStore,
        // A later epoch of the issuer speaks for the promises of the one before.
        Fact::PromiseStep(step) => step.promise.issuer.node == actor.node,
        Fact::Compensation(compensation) => compensation.promise.issuer.node == actor.node,
        // The money of an order is its home's. What is said of an order, and who is offered a part, a hub may also decide that took it over.
        Fact::Order(order) => order.id.home == actor.node,
        Fact::Payment(payment) => payment.order.home == actor.node,
        Fact::Redress(redress) => redress.order.home == actor.node,
        Fact::Offer(offer) => offer.issuer == actor && (writer == Writer::Hub || offer.order.home == actor.node),
        Fact::OrderStep(step) => writer == Writer::Hub || step.order.home == actor.node,
        // Only the store says what its people decide and what becomes of its goods.
        Fact::FulfillmentStep(step) => writer == Writer::OwnStore || !step.step.is_of_store(),
        // A hub places rights to points and coupons; only their holder says what it did with them.
        Fact::PointsRow(row) => match row.says {
            PointsSide::Hub(_) => writer == Writer::Hub,
            PointsSide::Store(_) => writer == Writer::OwnStore && row.holder == actor,
        },
        Fact::Quota(row) => match row.says {
            QuotaSide::Hub(_) => writer == Writer::Hub,
            QuotaSide::Store(_) => writer == Writer::OwnStore && row.holder == actor,
        },
        Fact::Coupon(coupon) => match coupon.says {
            CouponSays::Placed { .. } | CouponSays::WantedBack { .. } | CouponSays::Used { .. } => {
                writer == Writer::Hub
            }
            CouponSays::GivenUp { .. } | CouponSays::Asked { .. } => writer == Writer::OwnStore,
        },
        // A store enrols its own, and says nothing in another's name: copies, proven values, strong links and the end of an erasure are a hub's word.
        Fact::Member(enrolment) => writer == Writer::Hub || enrolment.copied.is_none(),
        Fact::MemberValue(value) => writer == Writer::Hub || (value.copied.is_none() && !value.verified),
        Fact::MemberLink(link) => writer == Writer::Hub || (link.copied.is_none() && link.weight == Weight::Tentative),
        Fact::MemberUnlink(unlink) => writer == Writer::Hub || (unlink.copied.is_none() && !unlink.strong),
        Fact::MemberConsent(consent) => writer == Writer::Hub || consent.copied.is_none(),
        Fact::MemberErase(erase) => writer == Writer::Hub || (erase.copied.is_none() && erase.stage == Stage::Asked),
        // Only the home of a note says what somebody else wrote.
        Fact::NoteChange(change) => {
            let by_hubs = matches!(change.subject, Subject::Product(_) | Subject::Order(_));
            change.origin.is_none() || writer == Writer::OwnStore || (writer == Writer::Hub && by_hubs)
        }
        Fact::EpochOpen(_)
        | Fact::Boot(_)
        | Fact::Node(_)
        | Fact::Fence(_)
        | Fact::Store(_)
        | Fact::Fork(_)
        | Fact::Product(_)
        | Fact::Recall(_)
        | Fact::Price(_)
        | Fact::Template(_)
        | Fact::GoodsReceipt(_)
        | Fact::Sale(_)
        | Fact::CountScan(_)
        | Fact::CountClose(_)
        | Fact::DayOpen(_)
        | Fact::DayClose(_)
        | Fact::Adjustment(_)
        | Fact::GoodsIssue(_)
        | Fact::Decision(_)
        | Fact::TransferAsk(_)
        | Fact::TransferShip(_)
        | Fact::TransferReceive(_)
        | Fact::CountOpen(_)
        | Fact::PassShown(_)
        | Fact::Routing(_)
        | Fact::Service(_)
        | Fact::OrderLimits(_)
        | Fact::GoodsReturn(_)
        | Fact::ReturnGrant(_)
        | Fact::TaxRate(_)
        | Fact::TillRules(_)
        | Fact::Promotion(_)
        | Fact::SaleHours(_)
        | Fact::Staff(_)
        | Fact::Basket(_)
        | Fact::BasketStep(_)
        | Fact::Checkout(_)
        | Fact::ShiftOpen(_)
        | Fact::CashMove(_)
        | Fact::ShiftClose(_)
        | Fact::TenderStep(_)
        | Fact::LabelDone(_)
        | Fact::Loyalty(_)
        | Fact::Campaign(_)
        | Fact::Redemption(_)
        | Fact::SalePoints(_)
        | Fact::NoteSnapshot(_)
        | Fact::PolicyRule(_)
        | Fact::Want(_)
        | Fact::Hint(_)
        | Fact::Shortage(_)
        | Fact::Retire(_)
        | Fact::Consent(_)
        | Fact::Opaque(_) => true,
    }
}

/// True when `writer` may have a log in `area` at all.
pub fn may_open(writer: Writer, area: Area) -> bool {
    may_write(writer, area, kind::EPOCH_OPEN)
}
