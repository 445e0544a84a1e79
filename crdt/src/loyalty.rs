//! Points, campaigns and coupons: what a member is given for her shopping, and what it pays for, on line and cut off.
//!
//! | module | what it knows |
//! |---|---|
//! | [`rules`] | what points are worth, how long they last, and what an outage may cost |
//! | [`points`] | points as a star of counters around a hub: nobody spends what another may spend |
//! | [`campaign`] | what a coupon gives, who pays for it, and how its code is told from an invented one |
//! | [`coupon`] | where the right to a coupon is, what was redeemed, and who bears a second redemption |
//!
//! Everything but rules and campaigns stands in `store/<id>/members`, written by the store or by its hub. Accounts are base accounts: a class of
//! accounts that belong to one person spends as a list of debits, so that taking the class apart leaves nothing to be divided.

pub mod campaign;
pub mod coupon;
pub mod points;
pub mod rules;
