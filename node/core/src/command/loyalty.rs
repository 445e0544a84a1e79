//! What a hub decides about points, campaigns and coupons, and what a store asks its hub for.

use rand_core::Rng;
use stockroom_crdt::entry::Fact;
use stockroom_crdt::limits::POINTS_MAX;
use stockroom_crdt::loyalty::campaign::{Campaign, CouponName};
use stockroom_crdt::loyalty::coupon::{CouponFact, CouponSays, QuotaRow, QuotaSide, StoreQuota};
use stockroom_crdt::loyalty::points::{PointsRow, PointsSide, StorePoints};
use stockroom_crdt::loyalty::rules::LoyaltyRules;
use stockroom_crdt::scope::Scope;

use super::{Failed, at_hub, check_fact, own_store};
use crate::books::loyalty as book;
use crate::input::Refusal;
use crate::input::loyalty::{CouponDeed, CouponRefused, CouponRequest, IssueRequest, PointsDeed, PointsRequest};
use crate::journal::Place;
use crate::limits::IMPORT_ITEMS_MAX;
use crate::loyalty::{hub, shop};
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

/// Places rights to coupons with a store.
pub fn issue(replica: &mut Replica, request: &IssueRequest) -> Result<usize, Failed> {
    at_hub(replica)?;
    let unknown = |field: &str, what| Refusal::Unknown { field: field.into(), what };
    let campaign =
        View::new(&replica.overlay).campaign(&request.campaign)?.ok_or_else(|| unknown("campaign", "campaign"))?;
    let end = request.first.checked_add(request.count).filter(|end| *end <= campaign.serials());
    let end =
        end.ok_or_else(|| Refusal::invalid("count", format!("it has {} coupons, from 0 on", campaign.serials())))?;
    if !(1..=IMPORT_ITEMS_MAX).contains(&(request.count as usize)) {
        return Err(Refusal::invalid("count", format!("1 to {IMPORT_ITEMS_MAX} at a time")).into());
    }
    let message = "no node of this store was heard of: enrol it here first";
    let holder = hub::holder(replica, request.store)?.ok_or_else(|| Refusal::State(message.into()))?;
    let mut facts = Vec::new();
    for serial in request.first..end {
        let name = CouponName { campaign: campaign.id().clone(), serial: Some(serial) };
        if !book::coupon_stores(&replica.overlay, &name)?.is_empty() {
            return Err(
                Refusal::State(format!("coupon {serial} was placed or used before: a store asks for it")).into()
            );
        }
        let says = CouponSays::Placed { turn: 1, holder, member: request.member, answers: 0 };
        facts.push(Fact::Coupon(CouponFact { campaign: campaign.id().clone(), serial, says }));
    }
    let count = facts.len();
    replica.write_many(&Scope::StoreMembers(request.store), facts)?;
    Ok(count)
}

/// A store asks for the right to a coupon, or for more of a pool or budget; or it gives a right up.
pub fn coupon(replica: &mut Replica, request: &CouponRequest) -> Result<Place, Failed> {
    let store = own_store(replica)?;
    let me = replica.actor();
    let name = CouponName::of(&request.code);
    let wrong = Refusal::Coupon { field: "code".into(), why: CouponRefused::Wrong };
    let Some(campaign) = View::new(&replica.overlay).campaign(&name.campaign)?.filter(|it| it.has(&request.code))
    else {
        return Err(wrong.into());
    };
    let here = book::coupon_here(&replica.overlay, store, &name)?;
    let says = match (name.serial, request.deed) {
        (Some(_), CouponDeed::Ask) => CouponSays::Asked { number: here.asked + 1 },
        (Some(_), CouponDeed::GiveUp) => {
            let held = here.held().filter(|(_, holder, _)| *holder == me);
            let (turn, ..) = held.ok_or_else(|| Refusal::State("the right to it is not here".into()))?;
            if !shop::is_free(replica, store, &name)? {
                return Err(Refusal::State("it was used here, or a basket that waits holds it".into()).into());
            }
            CouponSays::GivenUp { turn }
        }
        (None, CouponDeed::Ask) => {
            let (_, row) = book::quota(&replica.overlay, campaign.id())?.of(me);
            let says = QuotaSide::Store(StoreQuota { want: row.want + 1, ..row });
            let fact = Fact::Quota(QuotaRow { campaign: name.campaign, holder: me, says });
            return Ok(replica.write(&Scope::StoreMembers(store), vec![fact])?[0]);
        }
        (None, CouponDeed::GiveUp) => {
            return Err(Refusal::State("a pool is shared out by the hub: there is nothing to give up".into()).into());
        }
    };
    let serial = name.serial.unwrap_or_default();
    let fact = Fact::Coupon(CouponFact { campaign: name.campaign, serial, says });
    Ok(replica.write(&Scope::StoreMembers(store), vec![fact])?[0])
}

/// A store asks for the right to points, or gives it back.
pub fn points(replica: &mut Replica, request: PointsRequest) -> Result<Place, Failed> {
    let store = own_store(replica)?;
    let (me, member) = (replica.actor(), request.member);
    let mut account = book::account(&replica.overlay, member, Some(store))?;
    let row = match request.deed {
        PointsDeed::Ask(points) => {
            if !(1..=POINTS_MAX).contains(&points) {
                return Err(Refusal::invalid("points", format!("is not between 1 and {POINTS_MAX}")).into());
            }
            let row = account.store_row(me);
            StorePoints { want: row.want + 1, wanted: points, ..row }
        }
        PointsDeed::GiveBack(points) => {
            let before = account.store_row(me);
            let row = account.give_back(me, points, shop::reserved(replica, store, member)?);
            if row == before {
                return Err(Refusal::State("no right to points lies here that no basket holds".into()).into());
            }
            row
        }
    };
    let fact = Fact::PointsRow(PointsRow { member, holder: me, says: PointsSide::Store(row) });
    Ok(replica.write(&Scope::StoreMembers(store), vec![fact])?[0])
}
