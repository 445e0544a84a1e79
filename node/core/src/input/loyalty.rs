//! What people ask for about points, campaigns and coupons, and what a basket would come to with them.

use stockroom_crdt::ids::{Code, MemberId, StoreId};

/// Something about points that lie at a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PointsRequest {
    /// Whose.
    pub member: MemberId,
    /// What.
    pub deed: PointsDeed,
}

/// What a store does about points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PointsDeed {
    /// Asks its hub for the right to spend so many here: when a member is recognised who wants to pay with them.
    Ask(u64),
    /// Gives so many rights back that no basket holds, or as many as there are.
    GiveBack(u64),
}

/// Something about a coupon with a serial number, at a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CouponRequest {
    /// Its code.
    pub code: Code,
    /// What.
    pub deed: CouponDeed,
}

/// What a store does about a coupon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CouponDeed {
    /// Asks its hub for the right to it: when a customer shows a coupon whose right lies elsewhere.
    Ask,
    /// Gives the right up that lies here.
    GiveUp,
}

/// Rights to coupons are placed with a store (at a hub).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssueRequest {
    /// Of which campaign.
    pub campaign: Code,
    /// The first serial number.
    pub first: u32,
    /// How many.
    pub count: u32,
    /// With which store.
    pub store: StoreId,
    /// For whom alone; anybody if absent.
    pub member: Option<MemberId>,
}

/// What a coupon would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CouponQuoted {
    /// As it was shown.
    pub code: Code,
    /// Of which campaign.
    pub campaign: Code,
    /// Minor units that it gives, 0 for one that is refused.
    pub worth: i64,
    /// Why it is not taken, and what can be done.
    pub refused: Option<CouponRefused>,
}

/// What points would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PointsQuoted {
    /// Points that the basket would earn.
    pub earned: u64,
    /// Points that may be spent here by right.
    pub held: u64,
    /// Points that may be spent here without one.
    pub soft: u64,
    /// Minor units that a point pays.
    pub worth: i64,
    /// Minor units that the points which were asked for pay; 0 if they may not be spent.
    pub pays: i64,
    /// Her tier; empty for none.
    pub tier: Code,
    /// All her points as the hub last told, and when, milliseconds since 1970.
    pub balance: Option<(i64, u64)>,
}

/// Why a coupon is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CouponRefused {
    /// Nobody made it.
    #[error("this is no coupon of ours: look at the code again")]
    Wrong,
    /// The campaign was taken back, or its time is over.
    #[error("it has expired: sell without it")]
    Expired,
    /// The campaign begins later.
    #[error("it is not good yet: sell without it, or show it again later")]
    NotYet,
    /// It is good at other stores.
    #[error("it is good at other stores only: sell without it")]
    OtherStore,
    /// It is for members, or for another one.
    #[error("it is for {}: scan the member's card", if *.another { "another member" } else { "members" })]
    Member {
        /// The member who is there is not the one.
        another: bool,
    },
    /// It was redeemed.
    #[error("it was used already{}: sell without it", used(.store, .at_ms))]
    Used {
        /// At which store, as far as it is known.
        store: Option<StoreId>,
        /// When, milliseconds since 1970.
        at_ms: u64,
    },
    /// A basket that waits holds it.
    #[error("a basket that waits at till {0} holds it: pay or throw that one away first")]
    Held(u32),
    /// The right to it lies elsewhere.
    #[error("the right to it is not here: ask the hub for it, or sell without it")]
    NotHere,
    /// No piece of the pool is left here.
    #[error("none of them is left here: ask the hub for more, or sell without it")]
    PoolGone,
    /// The campaign has no money left here.
    #[error("the campaign's money is used up here: ask the hub for more, or sell without it")]
    BudgetGone,
    /// This store has taken as many as it may before its hub has seen them.
    #[error("this store may not take more of them until the hub has seen those before: ask the hub for this one")]
    Limit,
    /// It is not taken together with another one that was shown.
    #[error("it is not taken together with {0}: take one of the two")]
    Together(Code),
    /// Nothing in the basket is reduced by it.
    #[error("nothing in the basket is reduced by it: sell without it")]
    Nothing,
}

fn used(store: &Option<StoreId>, at_ms: &u64) -> String {
    match store {
        Some(store) => format!(" at store {}, {at_ms} ms after 1970", store.0),
        None => String::new(),
    }
}
