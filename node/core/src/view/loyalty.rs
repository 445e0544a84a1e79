//! Questions about points, campaigns and coupons.

use std::collections::BTreeSet;

use stockroom_crdt::entry::{Fact, kind};
use stockroom_crdt::ids::{Code, MemberId, StoreId};
use stockroom_crdt::loyalty::campaign::{Campaign, CouponName};
use stockroom_crdt::loyalty::coupon::{Redemption, Verdict};
use stockroom_crdt::loyalty::points::{Account, SalePoints};
use stockroom_crdt::loyalty::rules::LoyaltyRules;
use stockroom_crdt::sale::ReceiptNumber;
use stockroom_crdt::scope::Scope;

use super::View;
use crate::books::loyalty as book;
use crate::loyalty::hub;
use crate::storage::{Snapshot, StoreError};

impl<S: Snapshot + ?Sized> View<'_, S> {
    /// What points are worth; `None` if there is no programme, or it has ended.
    pub fn loyalty(&self) -> Result<Option<LoyaltyRules>, StoreError> {
        let fact = self.decision(&Scope::Control, kind::LOYALTY, LoyaltyRules::ENTITY)?;
        let rules = fact.and_then(|fact| if let Fact::Loyalty(rules) = fact { Some(rules) } else { None });
        Ok(rules.filter(|rules| !rules.ended))
    }

    /// A campaign by its name.
    pub fn campaign(&self, id: &Code) -> Result<Option<Campaign>, StoreError> {
        if id.is_empty() {
            return Ok(None);
        }
        let fact = self.decision(&Scope::Catalog, kind::CAMPAIGN, id.as_str().as_bytes())?;
        Ok(fact.and_then(|fact| if let Fact::Campaign(campaign) = fact { Some(campaign) } else { None }))
    }

    /// Every campaign, by name, those that are over included.
    pub fn campaigns(&self) -> Result<Vec<Campaign>, StoreError> {
        let all = self.decisions(&Scope::Catalog, kind::CAMPAIGN)?.into_iter();
        Ok(all.filter_map(|fact| if let Fact::Campaign(campaign) = fact { Some(campaign) } else { None }).collect())
    }

    /// Everything that is known here of a member's points, at every store: the whole of it at her hub, a store's own part at a store.
    pub fn points(&self, member: MemberId) -> Result<Account, StoreError> {
        book::account(self.snapshot, member, None)
    }

    /// What a receipt gave members and cost them, and the coupons that it redeemed.
    pub fn benefits(
        &self,
        store: StoreId,
        number: ReceiptNumber,
    ) -> Result<(Vec<SalePoints>, Vec<Redemption>), StoreError> {
        Ok((book::of_receipt(self.snapshot, store, number)?, book::redeemed_by(self.snapshot, store, number)?))
    }

    /// Coupons of a campaign that were redeemed more than once, as far as is known here: which redemption counts, which are double, and on what
    /// each was accepted.
    pub fn doubles(&self, campaign: &Code) -> Result<Vec<(CouponName, Verdict)>, StoreError> {
        let mut names = BTreeSet::new();
        for record in self.stores()? {
            let redeemed = book::redeemed_at(self.snapshot, record.store, campaign)?.into_iter();
            names.extend(redeemed.map(|it| it.coupon).filter(|name| name.serial.is_some()));
        }
        let mut out = Vec::new();
        for name in names {
            let verdict = hub::verdict(self.snapshot, &name)?.filter(|verdict| !verdict.doubles.is_empty());
            out.extend(verdict.map(|verdict| (name, verdict)));
        }
        Ok(out)
    }
}
