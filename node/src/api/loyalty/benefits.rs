//! Coupons and points of a quote, a basket and a receipt, and why they are refused.

use serde::Serialize;
use stockroom_core::input::loyalty::{CouponQuoted, CouponRefused, PointsQuoted};
use stockroom_core::storage::StoreError;
use stockroom_crdt::checkout::basket::Holds;
use stockroom_crdt::ids::{Code, StoreId};
use stockroom_crdt::loyalty::campaign::CouponName;
use stockroom_crdt::sale::ReceiptNumber;
use utoipa::ToSchema;

use crate::api::Books;
use crate::api::problem::{Kind, Problem};
use crate::api::values::{Moment, Text, Word, now_ms};

/// What a coupon would do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = QuotedCoupon)]
pub struct CouponAnswer {
    /// As it was shown.
    #[schema(value_type = String)]
    code: Text<Code>,
    /// What its campaign is called; empty for a code that nobody made.
    name: String,
    /// It is taken.
    taken: bool,
    /// Minor units that it gives; 0 for one that is refused.
    worth: i64,
    /// Why it is not taken, and what can be done now.
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<RefusedAnswer>,
}

/// Why a coupon is not taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = RefusedCoupon)]
pub struct RefusedAnswer {
    /// The type of the problem that a payment would get.
    #[serde(rename = "type")]
    #[schema(example = "/problems/coupon-expired")]
    kind: String,
    /// In words.
    detail: String,
}

/// What points would do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = QuotedPoints)]
pub struct PointsAnswer {
    /// Points that the basket would earn.
    earns: u64,
    /// Points that may be spent here by right.
    held: u64,
    /// Points that may be spent here without one, within the limit.
    soft: u64,
    /// Points that may be spent here, both together.
    may_spend: u64,
    /// Minor units that a point pays.
    worth: i64,
    /// Minor units that the points which were asked for pay; 0 if they may not be spent.
    pays: i64,
    /// Her tier; empty for none.
    #[schema(value_type = String)]
    tier: Text<Code>,
    /// All her points, as the hub last told; absent if it never did.
    #[serde(skip_serializing_if = "Option::is_none")]
    balance: Option<BalanceAnswer>,
}

/// All points of a member, and how old that knowledge is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = PointsBalance)]
pub struct BalanceAnswer {
    /// Points; below zero by what was spent beyond them.
    points: i64,
    /// When that was true.
    #[schema(value_type = String, format = DateTime)]
    at: Text<Moment>,
    /// How long ago that is, seconds.
    age_s: u64,
}

/// A coupon that reduced a basket or a receipt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = UsedCoupon)]
pub struct UsedCouponAnswer {
    /// Of which campaign.
    #[schema(value_type = String)]
    pub campaign: Text<Code>,
    /// What that is called.
    pub name: String,
    /// Its serial number; absent for one of a pool.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serial: Option<u32>,
    /// Minor units that it gave.
    pub worth: i64,
    /// Its goods came back, and it may be used again.
    pub undone: bool,
}

/// What a basket or a receipt gave a member and cost her.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = UsedPoints)]
pub struct UsedPointsAnswer {
    /// Points that were earned.
    pub earned: u64,
    /// Points that paid.
    pub spent: u64,
    /// Of those that were earned, so many were taken back with goods.
    pub taken_back: u64,
    /// Of those that paid, so many came back with goods.
    pub restored: u64,
}

impl CouponAnswer {
    /// As the core quoted it.
    pub fn of(books: &Books<'_>, quoted: &CouponQuoted) -> Result<Self, StoreError> {
        let refused = quoted.refused.as_ref().map(|why| RefusedAnswer { kind: kind(why).uri(), detail: words(why) });
        let is_ours = !matches!(quoted.refused, Some(CouponRefused::Wrong));
        let name = if is_ours { name(books, &quoted.campaign)? } else { String::new() };
        Ok(Self { code: Text(quoted.code.clone()), name, taken: refused.is_none(), worth: quoted.worth, refused })
    }
}

impl PointsAnswer {
    /// As the core quoted it.
    pub fn of(quoted: PointsQuoted) -> Self {
        let PointsQuoted { earned, held, soft, worth, pays, tier, balance } = quoted;
        Self {
            earns: earned,
            held,
            soft,
            may_spend: held.saturating_add(soft),
            worth,
            pays,
            tier: Text(tier),
            balance: balance.map(BalanceAnswer::of),
        }
    }
}

impl BalanceAnswer {
    /// Points, and when that was true.
    pub fn of((points, at_ms): (i64, u64)) -> Self {
        Self { points, at: Text(Moment(at_ms)), age_s: now_ms().saturating_sub(at_ms) / 1_000 }
    }
}

/// Coupons and points of a receipt.
pub fn of_receipt(
    books: &Books<'_>,
    store: StoreId,
    receipt: ReceiptNumber,
) -> Result<(Vec<UsedCouponAnswer>, Option<UsedPointsAnswer>), StoreError> {
    let (points, coupons) = books.benefits(store, receipt)?;
    let coupons = coupons.iter().map(|it| used(books, &it.coupon, (it.worth, it.undone)));
    let sum = points.iter().map(UsedPointsAnswer::of).reduce(UsedPointsAnswer::plus);
    Ok((coupons.collect::<Result<_, _>>()?, sum))
}

/// Coupons and points that a basket holds while it waits.
pub fn of_basket(
    books: &Books<'_>,
    holds: &Holds,
) -> Result<(Vec<UsedCouponAnswer>, Option<UsedPointsAnswer>), StoreError> {
    let coupons = holds.coupons.iter().map(|held| used(books, &held.coupon, (held.worth, false)));
    let spent = holds.points();
    let points = (spent > 0).then_some(UsedPointsAnswer { earned: 0, spent, taken_back: 0, restored: 0 });
    Ok((coupons.collect::<Result<_, _>>()?, points))
}

/// A coupon that gave so much, and whether that was given back.
pub fn used(
    books: &Books<'_>,
    coupon: &CouponName,
    (worth, undone): (i64, bool),
) -> Result<UsedCouponAnswer, StoreError> {
    let (campaign, serial) = (coupon.campaign.clone(), coupon.serial);
    Ok(UsedCouponAnswer { name: name(books, &campaign)?, campaign: Text(campaign), serial, worth, undone })
}

impl UsedPointsAnswer {
    /// What one sale did with the points of one account.
    pub fn of(said: &stockroom_crdt::loyalty::points::SalePoints) -> Self {
        let spent = said.spent.saturating_add(said.soft);
        Self { earned: said.earned, spent, taken_back: said.taken_back, restored: said.restored }
    }

    fn plus(self, other: Self) -> Self {
        Self {
            earned: self.earned.saturating_add(other.earned),
            spent: self.spent.saturating_add(other.spent),
            taken_back: self.taken_back.saturating_add(other.taken_back),
            restored: self.restored.saturating_add(other.restored),
        }
    }
}

impl Problem {
    /// A coupon that is not taken.
    pub fn coupon(field: String, why: &CouponRefused) -> Self {
        let detail = format!("{field}: {}", words(why));
        let problem = Self::new(kind(why), detail).at_field(field);
        match why {
            CouponRefused::Used { store: Some(store), at_ms } => problem.seen_at(*at_ms, store.0),
            CouponRefused::Used { store: None, .. }
            | CouponRefused::Wrong
            | CouponRefused::Expired
            | CouponRefused::NotYet
            | CouponRefused::OtherStore
            | CouponRefused::Member { .. }
            | CouponRefused::Held(_)
            | CouponRefused::NotHere
            | CouponRefused::PoolGone
            | CouponRefused::BudgetGone
            | CouponRefused::Limit
            | CouponRefused::Together(_)
            | CouponRefused::Nothing => problem,
        }
    }
}

fn name(books: &Books<'_>, campaign: &Code) -> Result<String, StoreError> {
    Ok(books.campaign(campaign)?.map_or_else(|| campaign.as_str().to_owned(), |campaign| campaign.terms.name))
}

/// Which problem a refusal is.
fn kind(why: &CouponRefused) -> Kind {
    match why {
        CouponRefused::Wrong => Kind::CouponWrong,
        CouponRefused::Expired => Kind::CouponExpired,
        CouponRefused::NotYet => Kind::CouponNotYet,
        CouponRefused::OtherStore => Kind::CouponOtherStore,
        CouponRefused::Member { .. } => Kind::CouponMember,
        CouponRefused::Used { .. } => Kind::CouponUsed,
        CouponRefused::Held(_) => Kind::CouponHeld,
        CouponRefused::NotHere => Kind::CouponNotHere,
        CouponRefused::PoolGone | CouponRefused::BudgetGone => Kind::CouponBudgetGone,
        CouponRefused::Limit => Kind::CouponLimit,
        CouponRefused::Together(_) => Kind::CouponTogether,
        CouponRefused::Nothing => Kind::CouponNothing,
    }
}

/// A refusal in words for a cashier; the core does not know how people write a moment.
fn words(why: &CouponRefused) -> String {
    match why {
        CouponRefused::Used { store: Some(store), at_ms } => {
            format!("it was used already at store {}, {}: sell without it", store.0, Moment(*at_ms).write())
        }
        CouponRefused::Used { store: None, at_ms } => {
            format!("it was used already, {}: sell without it", Moment(*at_ms).write())
        }
        CouponRefused::Wrong
        | CouponRefused::Expired
        | CouponRefused::NotYet
        | CouponRefused::OtherStore
        | CouponRefused::Member { .. }
        | CouponRefused::Held(_)
        | CouponRefused::NotHere
        | CouponRefused::PoolGone
        | CouponRefused::BudgetGone
        | CouponRefused::Limit
        | CouponRefused::Together(_)
        | CouponRefused::Nothing => why.to_string(),
    }
}
