//! What membership does at a till: which promotions are hers, which points pay, what a sale earns her, and what is written of it in the sale's
//! own commit.

use std::collections::BTreeMap;

use stockroom_crdt::checkout::basket::{Basket, HeldCoupon, Holds};
use stockroom_crdt::checkout::promotion::Promotion;
use stockroom_crdt::checkout::tender::Assurance;
use stockroom_crdt::entry::Fact;
use stockroom_crdt::ids::{Code, MemberId, StoreId};
use stockroom_crdt::limits::ACCOUNTS_MAX;
use stockroom_crdt::loyalty::campaign::CouponKind;
use stockroom_crdt::loyalty::coupon::{Amount, Proof, QuotaRow, QuotaSide, Redemption, StoreQuota};
use stockroom_crdt::loyalty::points::{self, Debit, PointsRow, PointsSide, SalePoints};
use stockroom_crdt::loyalty::rules::LoyaltyRules;
use stockroom_crdt::money::Currency;
use stockroom_crdt::sale::{ReceiptNumber, SaleLine, Tender, TenderKind};
use stockroom_crdt::scope::Scope;

use super::Failed;
use super::checkout::Priced;
use super::coupons::Shown;
use crate::books::{baskets, loyalty as book, sales};
use crate::input::Refusal;
use crate::input::checkout::{CheckoutRequest, Quoted};
use crate::input::loyalty::PointsQuoted;
use crate::journal::entry_at;
use crate::plant::{Plant, planted};
use crate::replica::Replica;
use crate::storage::StoreError;
use crate::view::View;

/// A member's tier as the hub last told this store; empty for none.
pub fn tier(replica: &Replica, store: StoreId, member: Option<MemberId>) -> Result<Code, StoreError> {
    let Some(member) = member else { return Ok(Code::default()) };
    let account = book::account(&replica.overlay, member, Some(store))?;
    Ok(account.told().map(|(_, _, tier)| tier).unwrap_or_default())
}

/// Promotions without those that only other tiers get.
pub fn of_tier(replica: &Replica, promotions: Vec<Promotion>, tier: &Code) -> Result<Vec<Promotion>, StoreError> {
    let Some(rules) = View::new(&replica.overlay).loyalty()? else { return Ok(promotions) };
    let is_open = |promotion: &Promotion| {
        let mut named = rules.tiers.iter().filter(|it| it.promotions.binary_search(&promotion.id).is_ok()).peekable();
        !promotion.members_only || named.peek().is_none() || named.any(|it| it.name == *tier)
    };
    Ok(promotions.into_iter().filter(is_open).collect())
}

/// What a basket holds of a member's, before points pay for it: her accounts, the one that earns first.
pub fn holds(request: &CheckoutRequest, tier: Code, coupons: Vec<HeldCoupon>) -> Result<Holds, Refusal> {
    let accounts = accounts(request)?;
    let points = accounts.into_iter().map(|member| (member, Debit::default())).collect();
    Ok(Holds { member: request.member, tier, points, coupons })
}

/// What a basket would come to, with so many points to pay with.
pub fn quoted(
    replica: &Replica,
    store: StoreId,
    request: &CheckoutRequest,
    (priced, currency, points): (Priced, Currency, u64),
) -> Result<Quoted, Failed> {
    let coupons = priced.shown.iter().map(Shown::quoted).collect();
    let rules = View::new(&replica.overlay).loyalty()?;
    let (Some(rules), Some(member)) = (rules, request.member) else {
        return Ok(Quoted { quote: priced.quote, currency, needs: priced.needs, coupons, points: None });
    };
    let may = may_spend(replica, (store, &rules), &accounts(request)?, None)?;
    let sum = |of: fn(&Debit) -> u64| may.iter().map(|(_, _, debit)| of(debit)).fold(0, u64::saturating_add);
    let (held, soft) = (sum(|debit| debit.right), sum(|debit| debit.soft));
    let pays = i64::try_from(points).ok().and_then(|points| points.checked_mul(rules.worth));
    let pays = pays.filter(|_| points <= held.saturating_add(soft)).unwrap_or(0);
    let balance = book::account(&replica.overlay, member, Some(store))?.told().map(|(balance, at, _)| (balance, at));
    let earned = rules.earned(bought(&priced.quote.lines).saturating_sub(pays), &priced.tier);
    let points = PointsQuoted { earned, held, soft, worth: rules.worth, pays, tier: priced.tier, balance };
    Ok(Quoted { quote: priced.quote, currency, needs: priced.needs, coupons, points: Some(points) })
}

/// Finds the points for tenders that are points, says how sure they are, and has the basket hold them.
pub fn take_points(
    replica: &Replica,
    store: StoreId,
    basket: &mut Basket,
    tenders: &mut [(Tender, Assurance)],
) -> Result<(), Failed> {
    let is_points = |tender: &Tender| tender.kind == TenderKind::Points;
    let new: i64 =
        tenders.iter().map(|(it, _)| it).filter(|it| is_points(it)).map(|it| it.amount).fold(0, i64::saturating_add);
    if new == 0 && !tenders.iter().any(|(it, _)| is_points(it)) {
        return Ok(());
    }
    let before: i64 = basket.tenders.iter().filter(|it| is_points(it)).map(|it| it.amount).fold(0, i64::saturating_add);
    let Some(rules) = View::new(&replica.overlay).loyalty()? else {
        return Err(Refusal::invalid("tenders", "points pay for nothing: there is no programme").into());
    };
    if basket.holds.member.is_none() {
        return Err(Refusal::invalid("tenders", "points are a member's: scan her card first").into());
    }
    let amount = before.saturating_add(new);
    if new <= 0 || amount % rules.worth != 0 {
        let message = format!("points pay whole multiples of {}", rules.worth);
        return Err(Refusal::invalid("tenders", message).into());
    }
    let wanted = u64::try_from(amount / rules.worth).unwrap_or(0);
    let accounts: Vec<MemberId> = basket.holds.points.iter().map(|(member, _)| *member).collect();
    let may = may_spend(replica, (store, &rules), &accounts, Some(basket))?;
    let Some(debits) = points::debits(&may, wanted) else {
        let all = may.iter().map(|(_, _, debit)| debit.points()).fold(0, u64::saturating_add);
        return Err(Refusal::Points { wanted, may: all }.into());
    };
    let is_soft = debits.iter().any(|(_, debit)| debit.soft > 0);
    for (member, debit) in &mut basket.holds.points {
        *debit = debits.iter().find(|(of, _)| of == member).map(|(_, debit)| *debit).unwrap_or_default();
    }
    for (_, assurance) in tenders.iter_mut().filter(|(it, _)| is_points(it)) {
        *assurance = if is_soft { Assurance::Offline } else { Assurance::Captured };
    }
    Ok(())
}

/// Writes what a sale did with points and coupons, beside it.
pub fn redeem(replica: &mut Replica, store: StoreId, basket: &Basket, receipt: ReceiptNumber) -> Result<(), Failed> {
    let rules = View::new(&replica.overlay).loyalty()?;
    let mut facts = points_of(replica, (store, rules.as_ref()), basket, receipt)?;
    facts.extend(coupons_of(replica, basket, receipt)?);
    if !facts.is_empty() {
        replica.write(&Scope::StoreMembers(store), facts)?;
    }
    Ok(())
}

/// Refuses goods on a till's receipt that come back of a sale that points paid in part: a return gives them back as they were paid.
pub fn paid_in_money(
    replica: &Replica,
    (store, index): (StoreId, usize),
    original: Option<(ReceiptNumber, u32)>,
) -> Result<(), Failed> {
    let Some((number, _)) = original else { return Ok(()) };
    let Some(place) = sales::by_receipt(&replica.overlay, store, number)? else { return Ok(()) };
    let Some(Fact::Sale(sale)) = entry_at(&replica.overlay, place)?.map(|item| item.entry.fact) else { return Ok(()) };
    if sale.tenders.iter().any(|tender| tender.kind == TenderKind::Points) {
        let reason = "was paid with points in part: take it back as a return, which gives them back".into();
        return Err(Refusal::Stopped { field: format!("lines[{index}]"), reason }.into());
    }
    Ok(())
}

fn accounts(request: &CheckoutRequest) -> Result<Vec<MemberId>, Refusal> {
    let mut accounts: Vec<MemberId> = request.member.into_iter().collect();
    for account in &request.accounts {
        if request.member.is_none() {
            return Err(Refusal::invalid("accounts", "are further ones of a member: name the one that earns"));
        }
        if !accounts.contains(account) {
            accounts.push(*account);
        }
    }
    if accounts.len() > ACCOUNTS_MAX {
        return Err(Refusal::invalid("accounts", format!("a basket has at most {ACCOUNTS_MAX}")));
    }
    Ok(accounts)
}

/// What each account may spend here beyond what baskets that wait hold, `but` one. Without a right only the first may: one person has one limit.
fn may_spend(
    replica: &Replica,
    (store, rules): (StoreId, &LoyaltyRules),
    accounts: &[MemberId],
    but: Option<&Basket>,
) -> Result<Vec<(MemberId, u64, Debit)>, StoreError> {
    let me = replica.actor();
    let holding = baskets::holding(&replica.overlay, store)?;
    let holding: Vec<_> =
        holding.iter().filter(|it| but.is_none_or(|but| but.id != it.id && but.slip != Some(it.id))).collect();
    let mut out = Vec::with_capacity(accounts.len());
    for (at, member) in accounts.iter().enumerate() {
        let account = book::account(&replica.overlay, *member, Some(store))?;
        let reserved = holding.iter().map(|basket| basket.holds.debit(*member));
        let (right, soft) = reserved.fold((0, 0), |(right, soft), it| (right + it.right, soft + it.soft));
        // A node that was set back does not know what it gave before.
        let limit = match at {
            _ if planted(Plant::SoftWithoutLimit) => u64::MAX,
            0 if !replica.rights_locked => rules.offline_limit,
            _ => 0,
        };
        let soft = limit.saturating_sub(account.uncovered(me)).saturating_sub(soft);
        let may = Debit { right: account.held(me).saturating_sub(right), soft };
        out.push((*member, account.oldest_ms(), may));
    }
    Ok(out)
}

fn points_of(
    replica: &Replica,
    (store, rules): (StoreId, Option<&LoyaltyRules>),
    basket: &Basket,
    receipt: ReceiptNumber,
) -> Result<Vec<Fact>, StoreError> {
    let (me, at_ms) = (replica.actor(), basket.rung_ms);
    let by_points = basket.tenders.iter().filter(|it| it.kind == TenderKind::Points).map(|it| it.amount);
    let paid = bought(&basket.lines).saturating_sub(by_points.fold(0, i64::saturating_add));
    let mut facts = Vec::new();
    for (member, debit) in &basket.holds.points {
        let is_earner = basket.holds.member == Some(*member);
        let earned = rules.filter(|_| is_earner).map_or(0, |rules| rules.earned(paid, &basket.holds.tier));
        let mut account = book::account(&replica.overlay, *member, Some(store))?;
        // Rights of an earlier life are gone: what the basket held then is spent without one.
        let right = debit.right.min(account.held(me));
        let debit = Debit { right, soft: debit.points() - right };
        if earned == 0 && debit.points() == 0 {
            continue;
        }
        let expires_ms = rules.map_or(0, |rules| rules.expires_ms(at_ms));
        facts.push(Fact::SalePoints(SalePoints {
            member: *member,
            sale: basket.id,
            receipt,
            at_ms,
            expires_ms,
            earned,
            spent: debit.right,
            soft: debit.soft,
            taken_back: 0,
            restored: 0,
        }));
        if debit.points() > 0 {
            let mut row = account.spend(me, debit);
            if debit.soft > 0 {
                row.want += 1;
                row.wanted = debit.soft;
            }
            facts.push(Fact::PointsRow(PointsRow { member: *member, holder: me, says: PointsSide::Store(row) }));
        }
    }
    Ok(facts)
}

fn coupons_of(replica: &Replica, basket: &Basket, receipt: ReceiptNumber) -> Result<Vec<Fact>, StoreError> {
    let me = replica.actor();
    let mut facts = Vec::new();
    let mut rows: BTreeMap<Code, StoreQuota> = BTreeMap::new();
    for held in &basket.holds.coupons {
        facts.push(Fact::Redemption(Redemption {
            coupon: held.coupon.clone(),
            sale: basket.id,
            receipt,
            member: basket.holds.member,
            at_ms: basket.rung_ms,
            worth: held.worth,
            proof: held.proof,
            undone: false,
        }));
        let id = &held.coupon.campaign;
        let used = quota_use(replica, held)?;
        let unproven = if held.proof == Proof::Limit { u64::try_from(held.worth).unwrap_or(0) } else { 0 };
        if used == Amount::default() && unproven == 0 {
            continue;
        }
        let held = match rows.get(id) {
            Some(row) => *row,
            None => book::quota(&replica.overlay, id)?.of(me).1,
        };
        let row = StoreQuota { used: held.used.plus(used), unproven: held.unproven.saturating_add(unproven), ..held };
        rows.insert(id.clone(), row);
    }
    let row = |(campaign, row)| Fact::Quota(QuotaRow { campaign, holder: me, says: QuotaSide::Store(row) });
    facts.extend(rows.into_iter().map(row));
    Ok(facts)
}

/// What a coupon takes of its campaign's pool and budget.
pub fn quota_use(replica: &Replica, held: &HeldCoupon) -> Result<Amount, StoreError> {
    let campaign = View::new(&replica.overlay).campaign(&held.coupon.campaign)?;
    Ok(campaign.map_or(Amount::default(), |campaign| Amount {
        pieces: matches!(campaign.kind, CouponKind::FirstN(_)).into(),
        worth: if campaign.budget > 0 { u64::try_from(held.worth).unwrap_or(0) } else { 0 },
    }))
}

/// What was bought: goods that come back are taken off what their own sale earned.
fn bought(lines: &[SaleLine]) -> i64 {
    lines.iter().map(|line| line.amount().max(0)).fold(0, i64::saturating_add)
}
