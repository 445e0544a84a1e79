//! A hub's part: it grants rights to points and covers what was spent without one, places rights to coupons, shares pools and budgets out, and
//! finds coupons that were redeemed twice. It does so for nodes that it enrolled itself, so that of a region's hub and the one above it one does.

use std::collections::BTreeSet;

use stockroom_crdt::capability::Role;
use stockroom_crdt::chain::LogId;
use stockroom_crdt::entry::Fact;
use stockroom_crdt::ids::{Actor, Code, MemberId, StoreId};
use stockroom_crdt::loyalty::campaign::{Campaign, CouponName};
use stockroom_crdt::loyalty::coupon::{
    Amount, CouponFact, CouponSays, HubQuota, Judged, Proof, QuotaRow, QuotaSide, Verdict, judge,
};
use stockroom_crdt::loyalty::points::{Account, PointsRow, PointsSide};
use stockroom_crdt::scope::Scope;

use crate::books::{self, loyalty as book};
use crate::journal::{Place, entry_at};
use crate::replica::Replica;
use crate::storage::{Snapshot, StoreError};
use crate::view::View;

/// The life of a store's node that may hold rights; `None` if this hub enrolled none, or has not heard of it yet.
pub fn holder(replica: &Replica, store: StoreId) -> Result<Option<Actor>, StoreError> {
    let mut newest = None;
    for (actor, _) in replica.journal.heads(&Scope::StoreRights(store)) {
        if newest < Some(actor) && is_ours(replica, actor, store)? {
            newest = Some(actor);
        }
    }
    Ok(newest)
}

/// What a hub writes about a member's points.
pub fn points(replica: &mut Replica, member: MemberId) -> Result<Vec<(StoreId, Fact)>, StoreError> {
    let Some(rules) = View::new(&replica.overlay).loyalty()? else { return Ok(Vec::new()) };
    let now = replica.now.wall_ms;
    let mut account = book::account(&replica.overlay, member, None)?;
    let mut changed: BTreeSet<Actor> = BTreeSet::new();
    let all: Vec<Actor> = account.holders().collect();
    let mut holders = Vec::new();
    for actor in all {
        let Some(store) = book::store_of_holder(&replica.overlay, member, actor)? else { continue };
        if is_over(replica, actor, store)? {
            if account.held(actor) > 0 {
                account.reclaim(actor);
                changed.insert(actor);
            }
        } else if is_ours(replica, actor, store)? {
            holders.push((actor, store));
        }
    }
    changed.extend(account.cover(now));
    let mut waits = false;
    for (actor, _) in &holders {
        let (asked, hub) = (account.store_row(*actor), account.hub_row(*actor));
        if asked.want <= hub.served {
            continue;
        }
        let needed = asked.wanted.saturating_sub(account.held(*actor));
        let free = account.grantable(now).min(needed);
        let mut row = account.grant(*actor, free, now);
        let missing = needed - free;
        let others: Vec<Actor> = holders.iter().map(|(other, _)| *other).filter(|other| other != actor).collect();
        if missing > 0 && others.iter().any(|other| account.held(*other) > 0) {
            // It is answered when they gave back; until then what becomes free goes to whoever asked.
            waits = true;
            changed.extend(wanted_back(&mut account, &others, missing));
        } else {
            row.served = asked.want;
            account.hub_says(*actor, &row);
        }
        if row != hub {
            changed.insert(*actor);
        }
    }
    let home = match account.home() {
        Some(store) => holder(replica, store)?.map(|actor| (actor, store)),
        None => None,
    };
    if let Some((actor, store)) = home {
        let (row, own) = (account.hub_row(actor), account.store_row(actor));
        let is_wanted = row.wanted_back > own.given_back;
        let missing = rules.share.saturating_sub(account.held(actor));
        if !waits && !is_wanted && missing > 0 && account.grantable(now) > 0 {
            account.grant(actor, missing, now);
            changed.insert(actor);
        }
        if !holders.contains(&(actor, store)) {
            holders.push((actor, store));
        }
        // The store where she shops knows what she has.
        if (row.balance, &row.tier) != (account.balance(now), &account.tier(&rules, now)) {
            changed.insert(actor);
        }
    }
    let (balance, tier) = (account.balance(now), account.tier(&rules, now));
    let mut facts = Vec::new();
    for actor in changed {
        let known = holders.iter().find(|(of, _)| *of == actor).map(|(_, store)| *store);
        let store = match known {
            Some(store) => Some(store),
            None => book::store_of_holder(&replica.overlay, member, actor)?,
        };
        let Some(store) = store else { continue };
        let mut row = account.hub_row(actor);
        // Newer than what was told before, also by a clock that stood still.
        row.told_ms = now.max(row.told_ms + 1);
        (row.balance, row.tier) = (balance, tier.clone());
        facts.push((store, Fact::PointsRow(PointsRow { member, holder: actor, says: PointsSide::Hub(row) })));
    }
    Ok(facts)
}

/// Asks holders to give so many points back, beyond what they were asked for and did not give back yet. Gives those that are asked for more.
fn wanted_back(account: &mut Account, holders: &[Actor], points: u64) -> Vec<Actor> {
    let asked = |account: &Account, holder: Actor| {
        account.hub_row(holder).wanted_back.saturating_sub(account.store_row(holder).given_back)
    };
    let mut missing = points;
    for holder in holders {
        missing = missing.saturating_sub(asked(account, *holder).min(account.held(*holder)));
    }
    let mut changed = Vec::new();
    for holder in holders {
        let before = asked(account, *holder);
        let more = account.held(*holder).saturating_sub(before).min(missing);
        if more > 0 {
            missing -= more;
            let mut row = account.hub_row(*holder);
            row.wanted_back = account.store_row(*holder).given_back.saturating_add(before).saturating_add(more);
            account.hub_says(*holder, &row);
            changed.push(*holder);
        }
    }
    changed
}

/// What a hub writes about a coupon with a serial number: the right to it for a store that asks, or that it was used.
pub fn coupon(replica: &mut Replica, name: &CouponName) -> Result<Vec<(StoreId, Fact)>, StoreError> {
    let Some(serial) = name.serial else { return Ok(Vec::new()) };
    let says = |says| Fact::Coupon(CouponFact { campaign: name.campaign.clone(), serial, says });
    let mut here = Vec::new();
    for store in book::coupon_stores(&replica.overlay, name)? {
        here.push((store, book::coupon_here(&replica.overlay, store, name)?));
    }
    let asking: Vec<(StoreId, u32)> =
        here.iter().filter(|(_, it)| it.asked > it.answered).map(|(store, it)| (*store, it.asked)).collect();
    if let Some(verdict) = verdict(&replica.overlay, name)? {
        let winner = &verdict.winner;
        if !verdict.doubles.is_empty() {
            replica.reached("a coupon was redeemed twice");
        }
        let used = CouponSays::Used { store: winner.store, at_ms: winner.redemption.at_ms };
        let untold = |store: &StoreId| here.iter().any(|(at, it)| at == store && it.used.is_none());
        let others = asking.into_iter().filter(|(store, _)| *store != winner.store && untold(store));
        return Ok(others.map(|(store, _)| (store, says(used))).collect());
    }
    let placed = here.iter().filter_map(|(store, it)| it.placed.map(|placed| (placed, *store, it)));
    let newest = placed.max_by_key(|((turn, ..), ..)| *turn);
    let (turn, member) = newest.map_or((0, None), |((turn, _, member), ..)| (turn, member));
    let mut is_free = true;
    if let Some(((turn, actor, _), store, it)) = newest {
        is_free = it.given_up >= turn || is_over(replica, actor, store)?;
        if !is_free {
            let wanted = asking.iter().any(|(asker, _)| *asker != store) && it.wanted_back < turn;
            return Ok(if wanted { vec![(store, says(CouponSays::WantedBack { turn }))] } else { Vec::new() });
        }
    }
    for (store, number) in asking.into_iter().filter(|_| is_free) {
        if let Some(holder) = holder(replica, store)? {
            let placed = CouponSays::Placed { turn: turn + 1, holder, member, answers: number };
            return Ok(vec![(store, says(placed))]);
        }
    }
    Ok(Vec::new())
}

/// What a hub writes about a campaign's pool and budget: each store gets its share before it begins, and more when half of that is used.
pub fn quota(replica: &mut Replica, id: &Code) -> Result<Vec<(StoreId, Fact)>, StoreError> {
    let Some(campaign) = View::new(&replica.overlay).campaign(id)? else { return Ok(Vec::new()) };
    let quota = book::quota(&replica.overlay, id)?;
    let over = campaign.terms.ended || campaign.terms.until_ms != 0 && campaign.terms.until_ms <= replica.now.wall_ms;
    let mut stores = campaign.terms.stores.clone();
    if stores.is_empty() {
        stores = View::new(&replica.overlay).stores()?.iter().map(|record| record.store).collect();
    }
    let mut left = quota.left(&campaign);
    let share = share(&campaign, left, stores.len());
    let mut facts = Vec::new();
    for store in stores {
        let Some(actor) = holder(replica, store)? else { continue };
        let ((hub, own), held) = (quota.of(actor), quota.held(actor));
        let asks = own.want > hub.served;
        let more = |held: u64, share: u64, left: u64| match asks || held < share.div_ceil(2) {
            true => share.saturating_sub(if asks { 0 } else { held }).min(left),
            false => 0,
        };
        let granted = Amount {
            pieces: more(held.pieces, share.pieces, left.pieces),
            worth: more(held.worth, share.worth, left.worth),
        };
        let granted = if over { Amount::default() } else { granted };
        left = left.minus(granted);
        let row = HubQuota { granted: hub.granted.plus(granted), confirmed: own.unproven, served: own.want };
        if row != hub {
            let row = QuotaRow { campaign: id.clone(), holder: actor, says: QuotaSide::Hub(row) };
            facts.push((store, Fact::Quota(row)));
        }
    }
    Ok(facts)
}

/// Which redemption of a coupon counts, by everything that is known here.
pub fn verdict(snapshot: &(impl Snapshot + ?Sized), name: &CouponName) -> Result<Option<Verdict>, StoreError> {
    let mut all = Vec::new();
    for store in book::coupon_stores(snapshot, name)? {
        let here = book::coupon_here(snapshot, store, name)?;
        for redemption in book::redemptions(snapshot, store, name)? {
            let by_right = match redemption.proof {
                Proof::Right { turn, holder } => here.placements.contains(&(turn, holder)),
                Proof::Pool | Proof::Limit => false,
            };
            all.push(Judged { store, redemption, by_right });
        }
    }
    Ok(judge(all))
}

/// Half of what is left, evenly; never less than one coupon needs.
fn share(campaign: &Campaign, left: Amount, stores: usize) -> Amount {
    let stores = 2 * stores.max(1) as u64;
    let one = u64::try_from(campaign.worth_max).unwrap_or(0);
    Amount { pieces: left.pieces.div_ceil(stores), worth: left.worth.div_ceil(stores).max(one).min(left.worth) }
}

fn is_ours(replica: &Replica, actor: Actor, store: StoreId) -> Result<bool, StoreError> {
    let me = replica.me.capability().node;
    let node = books::node(&replica.overlay, actor.node)?;
    let is_ours = node.is_some_and(|node| node.role == Role::Store && node.store == store && node.issuer == me);
    Ok(is_ours && !replica.is_fenced(actor.node))
}

/// True for an earlier life of a store's node of which this hub holds everything that the next one knew of: it can spend nothing any more that is
/// not here already.
fn is_over(replica: &Replica, actor: Actor, store: StoreId) -> Result<bool, StoreError> {
    let lives = replica.journal.heads(&Scope::StoreRights(store));
    if !lives.iter().any(|(later, _)| later.node == actor.node && later.epoch > actor.epoch) {
        return Ok(false);
    }
    let scope = Scope::StoreMembers(store);
    let held = replica.journal.find(&LogId { actor, scope: scope.clone() }).map_or(0, |(_, log)| log.head.seq);
    let heads = replica.journal.heads(&scope);
    for (later, _) in heads.into_iter().filter(|(later, _)| later.node == actor.node && later.epoch > actor.epoch) {
        let Some((number, _)) = replica.journal.find(&LogId { actor: later, scope: scope.clone() }) else { continue };
        let open = entry_at(&replica.overlay, Place { log: number, seq: 1 })?.map(|item| item.entry.fact);
        if let Some(Fact::EpochOpen(open)) = open {
            // Only the next life says how far this one went.
            return Ok(open.previous.is_none_or(|(epoch, seq, _)| epoch != actor.epoch || seq <= held));
        }
    }
    Ok(false)
}
