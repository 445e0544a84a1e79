//! Questions about points, campaigns and coupons.

use std::collections::{BTreeMap, BTreeSet};

use stockroom_crdt::entry::{Fact, kind};
use stockroom_crdt::ids::{Actor, Code, MemberId, StoreId};
use stockroom_crdt::loyalty::campaign::{Campaign, CouponKind, CouponName};
use stockroom_crdt::loyalty::coupon::{Amount, CouponFact, CouponHere, CouponSays, Redemption, Verdict};
use stockroom_crdt::loyalty::points::{Account, SalePoints};
use stockroom_crdt::loyalty::rules::LoyaltyRules;
use stockroom_crdt::sale::ReceiptNumber;
use stockroom_crdt::scope::Scope;

use super::View;
use crate::books::baskets::{self, Held};
use crate::books::loyalty as book;
use crate::loyalty::hub::verdict;
use crate::storage::{Snapshot, StoreError};

/// What became of a campaign so far, as far as it is known here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rollout {
    /// At each store.
    pub stores: Vec<CampaignAt>,
    /// Coupons that were used; of those with serial numbers each once.
    pub used: u64,
    /// Minor units that they gave, doubles included.
    pub worth: i64,
    /// Pieces of its pool and minor units of its budget that no store was given yet.
    pub unshared: Amount,
    /// Coupons that were redeemed more than once.
    pub doubles: Vec<(CouponName, Verdict)>,
}

/// What became of a campaign at a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CampaignAt {
    /// Which store.
    pub store: StoreId,
    /// Coupons whose right was last placed here, and was not given up.
    pub placed: u64,
    /// Redemptions.
    pub redeemed: u64,
    /// Minor units that they gave.
    pub worth: i64,
    /// Redemptions that were given back with their goods.
    pub undone: u64,
    /// Pieces of its pool and minor units of its budget that it may still use.
    pub held: Amount,
}

/// Points of one account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountPoints {
    /// Which account.
    pub member: MemberId,
    /// All of its points, and when that was true: now at a hub, as the hub last told at a store. `None` if it never did.
    pub balance: Option<(i64, u64)>,
    /// Its tier then; empty for none.
    pub tier: Code,
    /// Points that this node may spend by right, less what baskets that wait hold.
    pub held: u64,
    /// Points that this node may spend without one, less what baskets that wait hold.
    pub soft: u64,
    /// Points that baskets that wait hold.
    pub reserved: u64,
    /// Where points may be spent by right, as far as it is known here.
    pub lie: Vec<(StoreId, u64)>,
    /// What each sale gave and cost, the newest first.
    pub sales: Vec<(StoreId, SalePoints)>,
}

/// The node that is asked, where it may spend points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spender {
    /// Its store.
    pub store: StoreId,
    /// The node in its epoch.
    pub actor: Actor,
    /// It was set back and has not heard its hub: it spends nothing without a right.
    pub locked: bool,
}

/// What is known here of a person's coupons, and which receipts and baskets name her.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct PersonalCoupons {
    /// Coupons that she redeemed, and where.
    pub redeemed: Vec<(StoreId, Redemption)>,
    /// Coupons that are for her alone, and where the right to each was last placed.
    pub placed: Vec<(StoreId, CouponName)>,
    /// Baskets that waited and name her.
    pub baskets: Vec<(StoreId, Held)>,
}

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

    /// What became of a campaign, as far as it is known here.
    pub fn rollout(&self, campaign: &Campaign) -> Result<Rollout, StoreError> {
        let id = campaign.id();
        let quota = book::quota(self.snapshot, id)?;
        let mut at: BTreeMap<StoreId, CampaignAt> = BTreeMap::new();
        let mut newest: BTreeMap<u32, (u32, StoreId)> = BTreeMap::new();
        let mut given_up: BTreeMap<u32, u32> = BTreeMap::new();
        let mut times: BTreeMap<CouponName, u32> = BTreeMap::new();
        let mut pieces = 0;
        for record in self.stores()? {
            let store = record.store;
            for said in book::said_at(self.snapshot, store, Some(id))? {
                match said.says {
                    CouponSays::Placed { turn, .. } => {
                        let held = newest.entry(said.serial).or_insert((turn, store));
                        *held = (*held).max((turn, store));
                    }
                    CouponSays::GivenUp { turn } => {
                        let held = given_up.entry(said.serial).or_default();
                        *held = turn.max(*held);
                    }
                    CouponSays::WantedBack { .. } | CouponSays::Used { .. } | CouponSays::Asked { .. } => {}
                }
            }
            let (mut redeemed, mut worth, mut undone) = (0, 0_i64, 0);
            for redemption in book::redeemed_at(self.snapshot, store, id)? {
                if redemption.undone {
                    undone += 1;
                    continue;
                }
                redeemed += 1;
                worth = worth.saturating_add(redemption.worth);
                *times.entry(redemption.coupon).or_default() += 1;
            }
            pieces += redeemed;
            let holders = book::quota_holders(self.snapshot, store, id)?;
            let held = holders.into_iter().map(|holder| quota.held(holder)).fold(Amount::default(), Amount::plus);
            at.insert(store, CampaignAt { store, placed: 0, redeemed, worth, undone, held });
        }
        for (serial, (turn, store)) in newest {
            let is_here = given_up.get(&serial).is_none_or(|given_up| *given_up < turn);
            if let Some(at) = at.get_mut(&store).filter(|_| is_here) {
                at.placed += 1;
            }
        }
        let mut doubles = Vec::new();
        for name in times.iter().filter(|(name, times)| name.serial.is_some() && **times > 1).map(|(name, _)| name) {
            doubles.extend(verdict(self.snapshot, name)?.map(|verdict| (name.clone(), verdict)));
        }
        let used = match campaign.kind {
            CouponKind::FirstN(_) => pieces,
            CouponKind::Single(_) | CouponKind::Printed { .. } => times.len() as u64,
        };
        let worth = at.values().map(|at| at.worth).fold(0, i64::saturating_add);
        Ok(Rollout { stores: at.into_values().collect(), used, worth, unshared: quota.left(campaign), doubles })
    }

    /// What is said of a coupon in the scope of a store.
    pub fn coupon_at(&self, store: StoreId, name: &CouponName) -> Result<CouponHere, StoreError> {
        book::coupon_here(self.snapshot, store, name)
    }

    /// Stores in whose scopes something is said of a coupon.
    pub fn coupon_stores(&self, name: &CouponName) -> Result<Vec<StoreId>, StoreError> {
        book::coupon_stores(self.snapshot, name)
    }

    /// Which redemption of a coupon counts, by everything that is known here; `None` if it was not used.
    pub fn coupon_verdict(&self, name: &CouponName) -> Result<Option<Verdict>, StoreError> {
        verdict(self.snapshot, name)
    }

    /// Points of an account: all of them at a hub, where `at` is none; else as the spender's store knows them.
    pub fn account_points(
        &self,
        member: MemberId,
        at: Option<Spender>,
        now_ms: u64,
    ) -> Result<AccountPoints, StoreError> {
        let rules = self.loyalty()?;
        let account = book::account(self.snapshot, member, at.map(|at| at.store))?;
        let (balance, tier) = match at {
            None => {
                let tier = rules.as_ref().map(|rules| account.tier(rules, now_ms)).unwrap_or_default();
                (Some((account.balance(now_ms), now_ms)), tier)
            }
            Some(_) => {
                let told = account.told();
                let tier = told.as_ref().map(|(.., tier)| tier.clone()).unwrap_or_default();
                (told.map(|(balance, at_ms, _)| (balance, at_ms)), tier)
            }
        };
        let (mut held, mut soft, mut reserved) = (0, 0, 0);
        if let Some(at) = at {
            let debits = baskets::holding(self.snapshot, at.store)?;
            let debits: Vec<_> = debits.iter().map(|basket| basket.holds.debit(member)).collect();
            let sum = |of: fn(&stockroom_crdt::loyalty::points::Debit) -> u64| {
                debits.iter().map(of).fold(0, u64::saturating_add)
            };
            let (right, without) = (sum(|debit| debit.right), sum(|debit| debit.soft));
            let limit = rules.as_ref().filter(|_| !at.locked).map_or(0, |rules| rules.offline_limit);
            held = account.held(at.actor).saturating_sub(right);
            soft = limit.saturating_sub(account.uncovered(at.actor)).saturating_sub(without);
            reserved = right.saturating_add(without);
        }
        let lie = self.points_lie(member, &account)?;
        let mut sales: Vec<_> = account.sales().map(|(store, said)| (store, said.clone())).collect();
        sales.sort_by_key(|(store, said)| (std::cmp::Reverse(said.at_ms), *store, said.sale));
        Ok(AccountPoints { member, balance, tier, held, soft, reserved, lie, sales })
    }

    /// All points of an account as a store's hub last told the store, and when.
    pub fn points_told(&self, store: StoreId, member: MemberId) -> Result<Option<(i64, u64)>, StoreError> {
        let told = book::account(self.snapshot, member, Some(store))?.told();
        Ok(told.map(|(balance, at_ms, _)| (balance, at_ms)))
    }

    /// What a receipt gave members and cost them, and the coupons that it redeemed.
    pub fn benefits(
        &self,
        store: StoreId,
        number: ReceiptNumber,
    ) -> Result<(Vec<SalePoints>, Vec<Redemption>), StoreError> {
        Ok((book::of_receipt(self.snapshot, store, number)?, book::redeemed_by(self.snapshot, store, number)?))
    }

    /// A person's coupons, and the baskets that name her. Reads everything about coupons and baskets: for a report, not for a till.
    pub fn personal_coupons(&self, accounts: &BTreeSet<MemberId>) -> Result<PersonalCoupons, StoreError> {
        let mut personal = PersonalCoupons::default();
        let mut placed: BTreeMap<CouponName, (u32, StoreId)> = BTreeMap::new();
        for record in self.stores()? {
            let store = record.store;
            let redeemed = book::redeemed_for(self.snapshot, store, accounts)?;
            personal.redeemed.extend(redeemed.into_iter().map(|redemption| (store, redemption)));
            for CouponFact { campaign, serial, says } in book::said_at(self.snapshot, store, None)? {
                if let CouponSays::Placed { turn, member: Some(member), .. } = says
                    && accounts.contains(&member)
                {
                    let held = placed.entry(CouponName { campaign, serial: Some(serial) }).or_insert((turn, store));
                    *held = (*held).max((turn, store));
                }
            }
            let named = baskets::naming(self.snapshot, store, accounts)?;
            personal.baskets.extend(named.into_iter().map(|held| (store, held)));
        }
        personal.placed = placed.into_iter().map(|(name, (_, store))| (store, name)).collect();
        Ok(personal)
    }

    fn points_lie(&self, member: MemberId, account: &Account) -> Result<Vec<(StoreId, u64)>, StoreError> {
        let mut lie: BTreeMap<StoreId, u64> = BTreeMap::new();
        for holder in account.holders() {
            if let Some(store) =
                book::store_of_holder(self.snapshot, member, holder)?.filter(|_| account.held(holder) > 0)
            {
                let held = lie.entry(store).or_default();
                *held = held.saturating_add(account.held(holder));
            }
        }
        Ok(lie.into_iter().collect())
    }
}
