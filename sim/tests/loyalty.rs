//! Points and coupons in a small world: what a member earns and spends while her store is cut off, and what becomes of one coupon that is shown
//! at two stores.

#![allow(clippy::unwrap_used, clippy::disallowed_macros, reason = "a test says its seed and stops where it fails")]

mod loyalty {
    mod checkouts;
    mod coupons;
    mod points;
    mod shop;
}
