//! Goods that come back, that go to another store, that expire, that are counted: told as stories over a hub and two stores.

#![allow(clippy::unwrap_used, clippy::disallowed_macros, reason = "a test says its seed and stops where it fails")]

mod goods {
    mod counts;
    mod movements;
    mod shop;
    mod transfers;
}
