//! A store's part: it gives back what is wanted back and no basket holds, and when goods come back it takes back what they earned, and gives back
//! the points and coupons that paid for them.

use std::collections::BTreeMap;

use stockroom_crdt::checkout::basket::HeldCoupon;
use stockroom_crdt::entry::Fact;
use stockroom_crdt::ids::{Code, MemberId, StoreId};
use stockroom_crdt::loyalty::campaign::CouponName;
use stockroom_crdt::loyalty::coupon::{CouponFact, CouponSays, QuotaRow, QuotaSide, Redemption, StoreQuota};
use stockroom_crdt::loyalty::points::{Debit, PointsRow, PointsSide};
use stockroom_crdt::order::returns::judge::{self, Sold};
use stockroom_crdt::sale::{ReceiptNumber, Sale};

use crate::books::{baskets, loyalty as book, returns};
use crate::command::benefits;
use crate::replica::Replica;
use crate::storage::StoreError;
use crate::view::View;

/// Points that the hub wants back and that nobody is about to spend.
pub fn given_back(replica: &Replica, store: StoreId, member: MemberId) -> Result<Option<Fact>, StoreError> {
    let me = replica.actor();
    let mut account = book::account(&replica.overlay, member, Some(store))?;
    let own = account.store_row(me);
    let wanted = account.hub_row(me).wanted_back.saturating_sub(own.given_back);
    if wanted == 0 {
        return Ok(None);
    }
    let row = account.give_back(me, wanted, reserved(replica, store, member)?);
    Ok((row != own).then_some(Fact::PointsRow(PointsRow { member, holder: me, says: PointsSide::Store(row) })))
}

/// What baskets that wait hold of a member's points.
pub fn reserved(replica: &Replica, store: StoreId, member: MemberId) -> Result<Debit, StoreError> {
    let holding = baskets::holding(&replica.overlay, store)?;
    let debits = holding.iter().map(|basket| basket.holds.debit(member));
    let sum = |sum: Debit, it: Debit| Debit { right: sum.right + it.right, soft: sum.soft + it.soft };
    Ok(debits.fold(Debit::default(), sum))
}

/// The right to a coupon that the hub wants back, that was not redeemed and that no basket holds.
pub fn given_up(replica: &Replica, store: StoreId, name: &CouponName) -> Result<Option<Fact>, StoreError> {
    let Some(serial) = name.serial else { return Ok(None) };
    let here = book::coupon_here(&replica.overlay, store, name)?;
    let Some((turn, holder, _)) = here.held() else { return Ok(None) };
    if here.wanted_back < turn || holder != replica.actor() || !is_free(replica, store, name)? {
        return Ok(None);
    }
    Ok(Some(Fact::Coupon(CouponFact { campaign: name.campaign.clone(), serial, says: CouponSays::GivenUp { turn } })))
}

/// True for a coupon that was not redeemed here and that no basket holds.
pub fn is_free(replica: &Replica, store: StoreId, name: &CouponName) -> Result<bool, StoreError> {
    let redeemed = book::redemptions(&replica.overlay, store, name)?.iter().any(|it| !it.undone);
    let holding = baskets::holding(&replica.overlay, store)?;
    Ok(!redeemed && !holding.iter().any(|basket| basket.holds.coupons.iter().any(|it| it.coupon == *name)))
}

/// What follows for points and coupons from goods of a receipt that came back: points in proportion, coupons when all of their goods did.
pub fn taken_back(replica: &Replica, store: StoreId, number: ReceiptNumber) -> Result<Vec<Fact>, StoreError> {
    let points = book::of_receipt(&replica.overlay, store, number)?;
    let coupons = book::redeemed_by(&replica.overlay, store, number)?;
    if points.is_empty() && coupons.is_empty() {
        return Ok(Vec::new());
    }
    let Some((sale, left)) = left(replica, store, number)? else { return Ok(Vec::new()) };
    let amounts = || sale.lines.iter().map(|line| Sold { units: line.quantity.max(0), amount: line.amount().max(0) });
    let total: i64 = amounts().map(|sold| sold.amount).sum();
    let kept: i64 = amounts().zip(&left).map(|(sold, units)| sold.amount_of(*units)).sum();
    let mut facts = Vec::new();
    for said in points {
        let all_back = left.iter().all(|units| *units == 0);
        let after = if all_back { said.after_return(1, 1) } else { said.after_return(total - kept, total) };
        if after != said {
            facts.push(Fact::SalePoints(after));
        }
    }
    facts.extend(coupons_back(replica, store, (number, &left), coupons)?);
    Ok(facts)
}

fn coupons_back(
    replica: &Replica,
    store: StoreId,
    (number, left): (ReceiptNumber, &[i64]),
    coupons: Vec<Redemption>,
) -> Result<Vec<Fact>, StoreError> {
    let me = replica.actor();
    let explained = baskets::explained(&replica.overlay, store, number)?;
    let mut facts = Vec::new();
    let mut rows: BTreeMap<Code, StoreQuota> = BTreeMap::new();
    for redemption in coupons.into_iter().filter(|it| !it.undone) {
        let id = redemption.coupon.campaign.clone();
        let Some(campaign) = View::new(&replica.overlay).campaign(&id)? else { continue };
        let lines = explained.iter().flat_map(|checkout| checkout.lines.iter().zip(left));
        let mut reduced = lines.filter(|(why, _)| why.reductions.iter().any(|it| it.promotion == id));
        if !campaign.returns || !campaign.terms.holds(store, replica.now.wall_ms) || reduced.any(|(_, left)| *left > 0)
        {
            continue;
        }
        let held = HeldCoupon { coupon: redemption.coupon.clone(), worth: redemption.worth, proof: redemption.proof };
        let back = benefits::quota_use(replica, &held)?;
        let row = match rows.get(&id) {
            Some(row) => *row,
            None => book::quota(&replica.overlay, &id)?.of(me).1,
        };
        // What another life used is not this one's to use again.
        let undone = row.undone.plus(back);
        if undone != row.undone && undone.pieces <= row.used.pieces && undone.worth <= row.used.worth {
            rows.insert(id, StoreQuota { undone, ..row });
        }
        facts.push(Fact::Redemption(Redemption { undone: true, ..redemption }));
    }
    let row = |(campaign, row)| Fact::Quota(QuotaRow { campaign, holder: me, says: QuotaSide::Store(row) });
    facts.extend(rows.into_iter().map(row));
    Ok(facts)
}

/// A sale, and how much of each of its lines did not come back: at a till, with a void, or with a return.
fn left(replica: &Replica, store: StoreId, number: ReceiptNumber) -> Result<Option<(Sale, Vec<i64>)>, StoreError> {
    let receipt = (store, number);
    let Some((sale, sold)) = returns::sold(&replica.overlay, receipt)? else { return Ok(None) };
    let told = returns::of_receipt(&replica.overlay, Some(store), receipt)?;
    let left = judge::left(store, &sold, &told).into_iter().map(|units| units.max(0)).collect();
    Ok(Some((sale, left)))
}
