//! Whether an entry counts: its author may write that fact in that scope, is not fenced, and what it signs holds.

use stockroom_crdt::capability::{Capability, Role, verify_chain};
use stockroom_crdt::entry::{Entry, Fact};
use stockroom_crdt::ids::{Actor, NodeId, StoreId};
use stockroom_crdt::limits::CAPABILITY_CHAIN_MAX;

use super::Replica;
use crate::authority;
use crate::books;
use crate::journal::Place;
use crate::storage::StoreError;

impl Replica {
    pub(super) fn is_entitled(&mut self, place: Place, entry: &Entry) -> Result<bool, StoreError> {
        let log = self.journal.log(place.log).expect("applied entries stand in known logs");
        let (actor, scope, store) = (log.id.actor, log.id.scope.clone(), StoreId(log.author_store));
        // A fenced node's own books go on: its tills still need receipts and answers to retries. Nobody else counts them.
        if actor.node != self.actor().node && !self.fences.admit(&self.journal, &self.overlay, place)? {
            return Ok(false);
        }
        if let Fact::Opaque(opaque) = &entry.fact {
            self.counters.entries_unknown += 1;
            if opaque.critical && self.counters.entries_unknown == 1 {
                self.alarm(format!(
                    "{scope} holds a critical entry of unknown kind {}: upgrade this node",
                    opaque.kind
                ));
            }
            return Ok(false);
        }
        let role = if store.0 == 0 { Role::Hub } else { Role::Store };
        let writer = authority::writer(role, store, &scope);
        let allowed = entry.fact.belongs_in(&scope)
            && authority::may_write(writer, authority::area(&scope), entry.fact.kind())
            && authority::may_say(writer, actor, &entry.fact)
            && self.is_true(actor, &entry.fact)?;
        if !allowed {
            self.counters.entries_denied += 1;
            self.alarm(format!("{actor} wrote kind {} in {scope}, which it may not", entry.fact.kind()));
        }
        Ok(allowed)
    }

    /// Facts that carry signatures of their own are believed only if those hold.
    fn is_true(&self, author: Actor, fact: &Fact) -> Result<bool, StoreError> {
        Ok(match fact {
            Fact::Node(record) => {
                record.capability.issuer == author.node && {
                    let chain = self.chain_of(record.capability.clone())?;
                    verify_chain(&self.me.root_key, self.me.tenant, &chain).is_ok()
                }
            }
            Fact::Fork(proof) => books::node(&self.overlay, proof.log.actor.node)?
                .is_some_and(|author| proof.verify(&author.log_key, self.me.tenant)),
            // Whoever enrolled the store issues its passes, so its key is known wherever the store's log is.
            Fact::PassShown(shown) => books::node(&self.overlay, shown.pass.issuer.node)?
                .is_some_and(|issuer| shown.verify(self.me.tenant, &issuer.log_key)),
            Fact::EpochOpen(_)
            | Fact::Boot(_)
            | Fact::Fence(_)
            | Fact::Store(_)
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
            | Fact::PolicyRule(_)
            | Fact::Rights(_)
            | Fact::Promise(_)
            | Fact::PromiseStep(_)
            | Fact::Want(_)
            | Fact::Hint(_)
            | Fact::Shortage(_)
            | Fact::Compensation(_)
            | Fact::Retire(_)
            | Fact::Consent(_)
            | Fact::Decision(_)
            | Fact::TransferAsk(_)
            | Fact::TransferShip(_)
            | Fact::TransferReceive(_)
            | Fact::CountOpen(_)
            | Fact::Order(_)
            | Fact::Offer(_)
            | Fact::FulfillmentStep(_)
            | Fact::OrderStep(_)
            | Fact::Payment(_)
            | Fact::Redress(_)
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
            | Fact::PointsRow(_)
            | Fact::Campaign(_)
            | Fact::Coupon(_)
            | Fact::Redemption(_)
            | Fact::Quota(_)
            | Fact::SalePoints(_)
            | Fact::Member(_)
            | Fact::MemberValue(_)
            | Fact::MemberLink(_)
            | Fact::MemberUnlink(_)
            | Fact::MemberConsent(_)
            | Fact::MemberErase(_)
            | Fact::NoteChange(_)
            | Fact::NoteSnapshot(_)
            | Fact::Opaque(_) => true,
        })
    }

    /// A capability with its issuers above it, as far as they are known.
    fn chain_of(&self, capability: Capability) -> Result<Vec<Capability>, StoreError> {
        let mut chain = vec![capability];
        while chain[0].issuer != NodeId(0) && chain.len() <= CAPABILITY_CHAIN_MAX {
            let Some(issuer) = books::node(&self.overlay, chain[0].issuer)? else { break };
            chain.insert(0, issuer);
        }
        Ok(chain)
    }
}
