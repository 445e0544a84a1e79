//! What a hub decides about points, campaigns and coupons, and what a store asks its hub for.

use rand_core::Rng;
use stockroom_crdt::entry::Fact;
use stockroom_crdt::loyalty::campaign::Campaign;
use stockroom_crdt::loyalty::rules::LoyaltyRules;
use stockroom_crdt::scope::Scope;

use super::{Failed, at_hub, check_fact};
use crate::input::Refusal;
use crate::input::loyalty::{CouponRequest, IssueRequest, PointsRequest};
use crate::journal::Place;
use crate::limits::IMPORT_ITEMS_MAX;
use crate::replica::Replica;
use crate::view::View;

/// Puts down what points are worth.
pub fn rules(replica: &mut Replica, rules: LoyaltyRules) -> Result<Place, Failed> {
    at_hub(replica)?;
    rules.validate().map_err(|field| Refusal::invalid(field, "has no sense"))?;
    let fact = Fact::Loyalty(rules);
    check_fact(&fact, "tiers")?;
    Ok(replica.write(&Scope::Control, vec![fact])?[0])
}

/// Puts campaigns down. One without a secret keeps the one it has, or gets one: codes that were printed stay good.
pub fn campaigns(replica: &mut Replica, mut campaigns: Vec<Campaign>) -> Result<usize, Failed> {
    at_hub(replica)?;
    if !(1..=IMPORT_ITEMS_MAX).contains(&campaigns.len()) {
        return Err(Refusal::invalid("campaigns", format!("1 to {IMPORT_ITEMS_MAX} at a time")).into());
    }
    for (index, campaign) in campaigns.iter_mut().enumerate() {
        let at = format!("campaigns[{index}]");
        campaign.validate().map_err(|field| Refusal::invalid(format!("{at}.{field}"), "has no sense"))?;
        if campaign.secret == [0; 16] {
            match View::new(&replica.overlay).campaign(campaign.id())? {
                Some(held) => campaign.secret = held.secret,
                None => replica.rng.fill_bytes(&mut campaign.secret),
            }
        }
        check_fact(&Fact::Campaign(campaign.clone()), &at)?;
    }
    let count = campaigns.len();
    replica.write_many(&Scope::Catalog, campaigns.into_iter().map(Fact::Campaign).collect())?;
    Ok(count)
}

pub fn issue(_: &mut Replica, _: &IssueRequest) -> Result<usize, Failed> {
    Err(Refusal::State("no rights to coupons can be placed yet".into()).into())
}

pub fn coupon(_: &mut Replica, _: &CouponRequest) -> Result<Place, Failed> {
    Err(Refusal::State("no rights to coupons can be moved yet".into()).into())
}

pub fn points(_: &mut Replica, _: PointsRequest) -> Result<Place, Failed> {
    Err(Refusal::State("no rights to points can be moved yet".into()).into())
}
