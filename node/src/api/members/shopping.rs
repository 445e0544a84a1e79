//! What an access report says of a person's shopping: points by receipt, coupons, and whatever else names her.

use std::collections::BTreeSet;

use serde::Serialize;
use stockroom_core::view::loyalty::Spender;
use stockroom_crdt::checkout::basket::BasketId;
use stockroom_crdt::ids::{MemberId, StoreId};
use stockroom_crdt::sale::ReceiptNumber;
use utoipa::ToSchema;

use crate::api::Books;
use crate::api::loyalty::benefits::{BalanceAnswer, UsedCouponAnswer, used};
use crate::api::loyalty::points::PointsOfSale;
use crate::api::problem::Answered;
use crate::api::values::{Moment, ReceiptId, Text, now_ms};

/// A person's points and coupons, and which receipts and baskets name her.
#[derive(Serialize, ToSchema)]
#[schema(as = MemberShopping)]
pub struct ShoppingAnswer {
    /// All points of each account that has any, as they are known here.
    balances: Vec<AccountBalance>,
    /// What each receipt did with points.
    points: Vec<PointsOfSale>,
    /// Coupons that she redeemed.
    coupons: Vec<RedeemedAnswer>,
    /// Coupons that are for her alone.
    coupons_for_her: Vec<PlacedAnswer>,
    /// Every receipt that names her.
    #[schema(value_type = Vec<String>)]
    receipts: Vec<Text<ReceiptId>>,
    /// Baskets that waited and name her.
    baskets: Vec<NamedBasket>,
}

/// All points of an account.
#[derive(Serialize, ToSchema)]
pub struct AccountBalance {
    /// Which account.
    #[schema(value_type = String)]
    member: Text<MemberId>,
    /// How many, and when that was true.
    #[serde(flatten)]
    balance: BalanceAnswer,
}

/// A coupon that she redeemed.
#[derive(Serialize, ToSchema)]
#[schema(as = MemberRedemption)]
pub struct RedeemedAnswer {
    /// Which.
    #[serde(flatten)]
    coupon: UsedCouponAnswer,
    /// On which receipt.
    #[schema(value_type = String)]
    receipt: Text<ReceiptId>,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    at: Text<Moment>,
}

/// A coupon that is for her alone.
#[derive(Serialize, ToSchema)]
#[schema(as = MemberCoupon)]
pub struct PlacedAnswer {
    /// Which.
    #[serde(flatten)]
    coupon: UsedCouponAnswer,
    /// The store with which the right to it was last placed.
    store: u32,
}

/// A basket that names her.
#[derive(Serialize, ToSchema)]
pub struct NamedBasket {
    /// At which store.
    store: u32,
    /// Its name, `till-till_seq`.
    #[schema(value_type = String)]
    basket: Text<BasketId>,
    /// When it was rung up.
    #[schema(value_type = String, format = DateTime)]
    at: Text<Moment>,
}

impl ShoppingAnswer {
    /// What is known here under these accounts.
    pub fn of(books: &Books<'_>, accounts: &BTreeSet<MemberId>, spender: Option<Spender>) -> Answered<Self> {
        let (mut balances, mut points) = (Vec::new(), Vec::new());
        let mut receipts: BTreeSet<(StoreId, ReceiptNumber)> = BTreeSet::new();
        for account in accounts {
            let known = books.account_points(*account, spender, now_ms())?;
            if let Some(balance) = known.balance.filter(|_| !known.sales.is_empty()) {
                balances.push(AccountBalance { member: Text(*account), balance: BalanceAnswer::of(balance) });
            }
            receipts.extend(known.sales.iter().map(|(store, said)| (*store, said.receipt)));
            points.extend(known.sales.iter().map(|(store, said)| PointsOfSale::of((*store, said))));
        }
        let personal = books.personal_coupons(accounts)?;
        receipts.extend(personal.redeemed.iter().map(|(store, redeemed)| (*store, redeemed.receipt)));
        let mut coupons = Vec::new();
        for (store, redeemed) in &personal.redeemed {
            coupons.push(RedeemedAnswer {
                coupon: used(books, &redeemed.coupon, (redeemed.worth, redeemed.undone))?,
                receipt: Text(ReceiptId { store: *store, number: redeemed.receipt }),
                at: Text(Moment(redeemed.at_ms)),
            });
        }
        let mut coupons_for_her = Vec::new();
        for (store, name) in &personal.placed {
            coupons_for_her.push(PlacedAnswer { coupon: used(books, name, (0, false))?, store: store.0 });
        }
        let baskets = personal.baskets.iter().map(|(store, held)| NamedBasket {
            store: store.0,
            basket: Text(held.basket.id),
            at: Text(Moment(held.basket.rung_ms)),
        });
        let receipt = |(store, number)| Text(ReceiptId { store, number });
        Ok(Self {
            balances,
            points,
            coupons,
            coupons_for_her,
            receipts: receipts.into_iter().map(receipt).collect(),
            baskets: baskets.collect(),
        })
    }
}
