//! Coupons that a customer shows at a till: whether each may be taken, by what is known here and now.

use std::collections::BTreeMap;

use stockroom_crdt::checkout::basket::HeldCoupon;
use stockroom_crdt::checkout::quote::Presented;
use stockroom_crdt::ids::{Code, StoreId};
use stockroom_crdt::limits::COUPONS_MAX;
use stockroom_crdt::loyalty::campaign::{Campaign, CouponKind, CouponName};
use stockroom_crdt::loyalty::coupon::{Amount, Proof};

use super::Failed;
use crate::books::{baskets, loyalty as book};
use crate::input::Refusal;
use crate::input::checkout::CheckoutRequest;
use crate::input::loyalty::{CouponQuoted, CouponRefused};
use crate::plant::{Plant, planted};
use crate::replica::Replica;
use crate::storage::StoreError;
use crate::view::View;

/// A coupon that was shown.
#[derive(Clone, Debug)]
pub struct Shown {
    /// Its code.
    pub code: Code,
    /// What it names.
    pub name: CouponName,
    /// Why it may be taken and what it gives, or why not.
    pub taken: Result<Taken, CouponRefused>,
}

/// A coupon that may be taken.
#[derive(Clone, Debug)]
pub struct Taken {
    /// Of which campaign.
    pub campaign: Campaign,
    /// Why.
    pub proof: Proof,
    /// Minor units that it gives.
    pub worth: i64,
}

impl Shown {
    /// What it gives, for the quote.
    pub fn presented(&self) -> Option<Presented> {
        let taken = self.taken.as_ref().ok()?;
        Some(Presented { terms: taken.campaign.terms.clone(), worth_max: taken.campaign.worth_max })
    }

    /// What a basket holds of it.
    pub fn held(&self) -> Option<HeldCoupon> {
        let taken = self.taken.as_ref().ok()?;
        Some(HeldCoupon { coupon: self.name.clone(), worth: taken.worth, proof: taken.proof })
    }

    /// As the till is told.
    pub fn quoted(&self) -> CouponQuoted {
        CouponQuoted {
            code: self.code.clone(),
            campaign: self.name.campaign.clone(),
            worth: self.taken.as_ref().map_or(0, |taken| taken.worth),
            refused: self.taken.as_ref().err().cloned(),
        }
    }
}

/// Looks at each coupon of a request, but for what it gives.
pub fn shown(
    replica: &Replica,
    (store, at_ms): (StoreId, u64),
    request: &CheckoutRequest,
) -> Result<Vec<Shown>, Failed> {
    if request.coupons.len() > COUPONS_MAX {
        return Err(Refusal::invalid("coupons", format!("a basket takes at most {COUPONS_MAX}")).into());
    }
    let mut out: Vec<Shown> = Vec::with_capacity(request.coupons.len());
    for (index, code) in request.coupons.iter().enumerate() {
        if request.coupons[..index].contains(code) {
            return Err(Refusal::invalid(format!("coupons[{index}]"), "was shown twice").into());
        }
        let name = CouponName::of(code);
        let taken = match View::new(&replica.overlay).campaign(&name.campaign)? {
            Some(campaign) if campaign.has(code) => taken(replica, (store, at_ms), (campaign, &name), request)?,
            Some(_) | None => Err(CouponRefused::Wrong),
        };
        out.push(Shown { code: code.clone(), name, taken });
    }
    // One that is taken alone stands in the way of every other.
    let is_alone = |shown: &Shown| shown.taken.as_ref().is_ok_and(|taken| taken.campaign.alone);
    let alone = out.iter().position(is_alone).map(|at| (at, out[at].name.campaign.clone()));
    if let Some((at, campaign)) = alone {
        for (_, other) in out.iter_mut().enumerate().filter(|(other, _)| *other != at) {
            if other.taken.is_ok() {
                other.taken = Err(CouponRefused::Together(campaign.clone()));
            }
        }
    }
    Ok(out)
}

/// Refuses those that give nothing, or more than is left for them. True if there was one: the rest has to be priced again.
pub fn refused_by_worth(
    replica: &Replica,
    store: StoreId,
    shown: &mut [Shown],
    worths: &[i64],
) -> Result<bool, StoreError> {
    let mut used: BTreeMap<Code, Amount> = BTreeMap::new();
    let reserved = reserved(replica, store)?;
    let mut refused = false;
    for (shown, &worth) in shown.iter_mut().filter(|shown| shown.taken.is_ok()).zip(worths) {
        let Ok(taken) = &mut shown.taken else { continue };
        taken.worth = worth;
        let minor = u64::try_from(worth).unwrap_or(0);
        let campaign = &taken.campaign;
        let used = used.entry(campaign.id().clone()).or_default();
        *used = used.plus(Amount { pieces: 1, worth: minor });
        let bound = reserved.iter().filter(|held| held.coupon.campaign == *campaign.id());
        let all = bound.clone().fold(*used, |sum, held| sum.plus(amount(held)));
        let unproven =
            bound.filter(|held| held.proof == Proof::Limit).fold(used.worth, |sum, held| sum + amount(held).worth);
        let quota = book::quota(&replica.overlay, campaign.id())?;
        let free = quota.held(replica.actor());
        let why = if worth <= 0 {
            Some(CouponRefused::Nothing)
        } else if taken.proof == Proof::Pool && all.pieces > free.pieces {
            Some(CouponRefused::PoolGone)
        } else if campaign.budget > 0 && all.worth > free.worth {
            Some(CouponRefused::BudgetGone)
        } else {
            let limit = match campaign.kind {
                CouponKind::Printed { store_limit, .. } => u64::try_from(store_limit).unwrap_or(0),
                CouponKind::Single(_) | CouponKind::FirstN(_) => u64::MAX,
            };
            let over = quota.unconfirmed(replica.actor()).saturating_add(unproven) > limit;
            (taken.proof == Proof::Limit && over).then_some(CouponRefused::Limit)
        };
        if let Some(why) = why {
            shown.taken = Err(why);
            refused = true;
        }
    }
    Ok(refused)
}

/// Coupons that baskets of a store hold while they wait.
pub fn reserved(replica: &Replica, store: StoreId) -> Result<Vec<HeldCoupon>, StoreError> {
    Ok(baskets::holding(&replica.overlay, store)?.into_iter().flat_map(|basket| basket.holds.coupons).collect())
}

/// Pieces and minor units of a coupon that a basket holds.
pub fn amount(held: &HeldCoupon) -> Amount {
    Amount { pieces: 1, worth: u64::try_from(held.worth).unwrap_or(0) }
}

fn taken(
    replica: &Replica,
    (store, at_ms): (StoreId, u64),
    (campaign, name): (Campaign, &CouponName),
    request: &CheckoutRequest,
) -> Result<Result<Taken, CouponRefused>, StoreError> {
    let terms = &campaign.terms;
    if at_ms < terms.from_ms && !terms.ended {
        return Ok(Err(CouponRefused::NotYet));
    }
    if terms.ended || terms.until_ms != 0 && at_ms >= terms.until_ms {
        return Ok(Err(CouponRefused::Expired));
    }
    if !terms.holds(store, at_ms) {
        return Ok(Err(CouponRefused::OtherStore));
    }
    if terms.members_only && request.member.is_none() {
        return Ok(Err(CouponRefused::Member { another: false }));
    }
    let proof = match campaign.kind {
        CouponKind::FirstN(_) => Ok(Proof::Pool),
        CouponKind::Single(_) | CouponKind::Printed { .. } => proof(replica, store, (&campaign, name), request)?,
    };
    Ok(proof.map(|proof| Taken { campaign, proof, worth: 0 }))
}

/// Why a coupon with a serial number may be taken here.
fn proof(
    replica: &Replica,
    store: StoreId,
    (campaign, name): (&Campaign, &CouponName),
    request: &CheckoutRequest,
) -> Result<Result<Proof, CouponRefused>, StoreError> {
    let me = replica.actor();
    let here = book::coupon_here(&replica.overlay, store, name)?;
    let right = here.held().filter(|(_, holder, _)| *holder == me);
    if planted(Plant::DoubleCoupon) {
        let turn = here.placed.map_or(1, |(turn, ..)| turn);
        return Ok(Ok(Proof::Right { turn, holder: me }));
    }
    for held in baskets::holding(&replica.overlay, store)? {
        if held.holds.coupons.iter().any(|it| it.coupon == *name) {
            return Ok(Err(CouponRefused::Held(held.id.till.0)));
        }
    }
    let redeemed = book::redemptions(&replica.overlay, store, name)?.into_iter().find(|it| !it.undone);
    if let Some(redeemed) = redeemed {
        return Ok(Err(CouponRefused::Used { store: Some(store), at_ms: redeemed.at_ms }));
    }
    if let Some((at_ms, store)) = here.used.filter(|_| right.is_none()) {
        return Ok(Err(CouponRefused::Used { store: Some(store), at_ms }));
    }
    let members = request.member.iter().chain(&request.accounts);
    Ok(match (right, campaign.kind) {
        (Some((_, _, Some(member))), _) if !members.into_iter().any(|it| *it == member) => {
            Err(CouponRefused::Member { another: request.member.is_some() })
        }
        (Some((turn, holder, _)), _) => Ok(Proof::Right { turn, holder }),
        // A node that was set back may have taken it in a life that it does not know.
        (None, CouponKind::Printed { .. }) if !replica.rights_locked => Ok(Proof::Limit),
        (None, CouponKind::Single(_) | CouponKind::FirstN(_) | CouponKind::Printed { .. }) => {
            Err(CouponRefused::NotHere)
        }
    })
}
