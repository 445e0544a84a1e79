//! What this node does about points and coupons by itself: a hub grants, covers, places and shares out; a store gives back what is wanted back,
//! and takes back what goods earned that come back.
//!
//! Nothing here is asked for by a person. Whatever is said of a member, a coupon, a campaign or a receipt marks it; before each commit
//! [`Replica::settle_loyalty`] looks at what is marked and writes what follows, in the same commit.
//!
//! | module | what it knows |
//! |---|---|
//! | [`hub`] | grants of points, rights to coupons, shares of pools and budgets, coupons that were redeemed twice |
//! | [`shop`] | rights that are wanted back; points and coupons of goods that come back |

pub mod hub;
pub mod shop;

use std::collections::{BTreeMap, BTreeSet};

use stockroom_crdt::entry::{Entry, Fact};
use stockroom_crdt::ids::{Actor, Code, MemberId, StoreId};
use stockroom_crdt::loyalty::campaign::CouponName;
use stockroom_crdt::order::returns::{Origin, ReturnId};
use stockroom_crdt::sale::ReceiptNumber;
use stockroom_crdt::scope::Scope;

use crate::books::{loyalty as book, returns};
use crate::input::CoreError;
use crate::limits::SETTLE_ROUNDS_MAX;
use crate::replica::Replica;
use crate::storage::StoreError;
use crate::view::View;

/// What is to be looked at before the next commit.
#[derive(Default)]
pub struct LoyaltyDesk {
    members: BTreeSet<MemberId>,
    coupons: BTreeSet<CouponName>,
    campaigns: BTreeSet<Code>,
    receipts: BTreeSet<ReceiptNumber>,
    /// Nodes of these stores began another life, or are new.
    stores: BTreeSet<StoreId>,
}

impl Replica {
    /// Marks what an entry is about.
    pub(crate) fn touch_loyalty(&mut self, writer: Actor, scope: &Scope, entry: &Entry) -> Result<(), StoreError> {
        let own = self.own_store();
        let desk = &mut self.loyalty_desk;
        match &entry.fact {
            Fact::PointsRow(row) => _ = desk.members.insert(row.member),
            Fact::SalePoints(said) => _ = desk.members.insert(said.member),
            Fact::Coupon(coupon) => {
                let name = CouponName { campaign: coupon.campaign.clone(), serial: Some(coupon.serial) };
                desk.coupons.insert(name);
            }
            Fact::Redemption(redemption) => _ = desk.coupons.insert(redemption.coupon.clone()),
            Fact::Quota(row) => _ = desk.campaigns.insert(row.campaign.clone()),
            Fact::Campaign(campaign) => _ = desk.campaigns.insert(campaign.id().clone()),
            Fact::Boot(_) | Fact::EpochOpen(_)
                if writer != Actor { node: self.me.capability().node, epoch: self.epoch } =>
            {
                desk.stores.extend(scope.store());
            }
            Fact::Sale(sale) if own.is_some() && own == scope.store() => {
                desk.receipts.extend(sale.voids);
                let back = sale.lines.iter().filter(|line| line.quantity < 0);
                desk.receipts.extend(back.filter_map(|line| line.original.map(|(number, _)| number)));
            }
            Fact::GoodsReturn(returned) => self.touch_return(returned.id)?,
            Fact::ReturnGrant(said) => self.touch_return(said.id)?,
            _ => {}
        }
        Ok(())
    }

    fn touch_return(&mut self, id: ReturnId) -> Result<(), StoreError> {
        let Some(own) = self.own_store() else { return Ok(()) };
        let returned = returns::told(&self.overlay, Some(own), id)?.returned;
        if let Some(Origin::Receipt(seller, number)) = returned.map(|returned| returned.origin)
            && seller == own
        {
            self.loyalty_desk.receipts.insert(number);
        }
        Ok(())
    }

    /// Marks every campaign, after a start: what is there to be shared out may have changed while this node was away.
    pub(crate) fn load_loyalty(&mut self) -> Result<(), StoreError> {
        let campaigns = View::new(&self.overlay).campaigns()?;
        self.loyalty_desk.campaigns.extend(campaigns.iter().map(|campaign| campaign.id().clone()));
        Ok(())
    }

    /// Writes what follows from what was marked, until nothing follows any more.
    pub(crate) fn settle_loyalty(&mut self) -> Result<(), CoreError> {
        for _ in 0..SETTLE_ROUNDS_MAX {
            let desk = std::mem::take(&mut self.loyalty_desk);
            let facts = match self.own_store() {
                Some(own) => self.follows_at_store(own, desk)?,
                None => self.follows_at_hub(desk)?,
            };
            if facts.is_empty() {
                return Ok(());
            }
            for (scope, facts) in facts {
                self.write(&scope, facts)?;
            }
        }
        self.reached("points and coupons were not settled in one commit");
        Ok(())
    }

    fn follows_at_store(&mut self, own: StoreId, desk: LoyaltyDesk) -> Result<BTreeMap<Scope, Vec<Fact>>, StoreError> {
        let mut facts = Vec::new();
        for member in desk.members {
            facts.extend(shop::given_back(self, own, member)?);
        }
        for coupon in desk.coupons {
            facts.extend(shop::given_up(self, own, &coupon)?);
        }
        for receipt in desk.receipts {
            facts.extend(shop::taken_back(self, own, receipt)?);
        }
        Ok(if facts.is_empty() { BTreeMap::new() } else { [(Scope::StoreMembers(own), facts)].into() })
    }

    fn follows_at_hub(&mut self, mut desk: LoyaltyDesk) -> Result<BTreeMap<Scope, Vec<Fact>>, StoreError> {
        for store in &desk.stores {
            desk.members.extend(book::members_of(&self.overlay, *store)?);
        }
        if !desk.stores.is_empty() {
            let campaigns = View::new(&self.overlay).campaigns()?;
            desk.campaigns.extend(campaigns.iter().map(|campaign| campaign.id().clone()));
        }
        let mut facts: BTreeMap<Scope, Vec<Fact>> = BTreeMap::new();
        let mut put = |(store, fact)| facts.entry(Scope::StoreMembers(store)).or_default().push(fact);
        for member in desk.members {
            hub::points(self, member)?.into_iter().for_each(&mut put);
        }
        for coupon in desk.coupons {
            hub::coupon(self, &coupon)?.into_iter().for_each(&mut put);
        }
        for campaign in desk.campaigns {
            hub::quota(self, &campaign)?.into_iter().for_each(&mut put);
        }
        Ok(facts)
    }
}
