//! Where a fact stands: in which scope it may be written, and which cell it writes there.

use super::Fact;
use crate::cell::CellKey;
use crate::codec::{Rows, Sink, col};
use crate::ids::{Actor, Digest};
use crate::note::{NoteChange, NoteSnapshot};
use crate::order::returns::Origin;
use crate::scope::Scope;
use crate::stock::custody::{Hint, Want};
use crate::stock::promise::Promise;
use crate::stock::rights::RightsFact;
use crate::stock::shortage::Shortage;

impl Fact {
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
            | Self::Loyalty(_)
            | Self::Staff(_) => *scope == Scope::Control,
            Self::Rights(RightsFact { account, .. })
            | Self::Promise(Promise { account, .. })
            | Self::Want(Want { account, .. })
            | Self::Hint(Hint { account, .. })
            | Self::Shortage(Shortage { account, .. }) => *scope == Scope::StoreRights(account.store),
            Self::PromiseStep(_) | Self::Compensation(_) | Self::Retire(_) | Self::Consent(_) => {
                matches!(scope, Scope::StoreRights(_))
            }
            Self::Product(_) | Self::Recall(_) | Self::Template(_) | Self::TaxRate(_) | Self::Campaign(_) => {
                *scope == Scope::Catalog
            }
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
            | Self::TenderStep(_)
            | Self::LabelDone(_) => matches!(scope, Scope::StoreStock(_)),
            // What is said first of an account stands where it belongs; a copy anywhere.
            Self::Member(enrolment) => {
                matches!(scope, Scope::StoreMembers(at) if *at == enrolment.home || enrolment.copied.is_some())
            }
            Self::MemberValue(_)
            | Self::MemberLink(_)
            | Self::MemberUnlink(_)
            | Self::MemberConsent(_)
            | Self::MemberErase(_) => matches!(scope, Scope::StoreMembers(_)),
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
            Self::NoteChange(NoteChange { subject, .. }) | Self::NoteSnapshot(NoteSnapshot { subject, .. }) => {
                subject.belongs_in(scope)
            }
            Self::PointsRow(_) | Self::Coupon(_) | Self::Redemption(_) | Self::Quota(_) | Self::SalePoints(_) => {
                matches!(scope, Scope::StoreMembers(_))
            }
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
            Self::LabelDone(done) => done.entity(),
            Self::Loyalty(rules) => rules.entity(),
            Self::Campaign(campaign) => campaign.entity(),
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
            | Self::PointsRow(_)
            | Self::Coupon(_)
            | Self::Redemption(_)
            | Self::Quota(_)
            | Self::SalePoints(_)
            | Self::NoteChange(_)
            | Self::NoteSnapshot(_)
            | Self::Opaque(_) => Digest::of(&[&Rows::of(|s| self.encode_body(s, 0))]).short().to_vec(),
        };
        CellKey { entity: entity.into(), field: self.kind(), writer }
    }
}
