//! Who holds how many rights, and what may be promised without one. Pure functions of what is known about demand and about
//! outages; the counting itself is `stockroom_crdt::stock::rights`, which no policy can make oversell.
//!
//! | module | what it knows |
//! |---|---|
//! | [`chance`] | Poisson tails and quantiles, safe at any size |
//! | [`demand`] | how often something is asked for |
//! | [`outage`] | how long a link has been down and up before, and so will be |
//! | [`spread`] | how the rights of a pool are spread over a centre and its spokes, and when moving one is worth it |
//! | [`borrow`] | who is asked, and for how many, when somebody has none left |
//! | [`keep`] | how many the home of the goods keeps from its hub |
//! | [`soft`] | when a promise may be made without a right |
//! | [`exposure`] | how much of the book may be promised at all |
//! | [`route`] | which stores serve an order |
//! | [`figures`] | how well orders were served |
//!
//! Times are milliseconds and rates are demands per millisecond. Numbers here are estimates, so they are floating: none of
//! them is stored, sent or added to a count of goods. Whatever goes in, no result is NaN and every loop is bounded.

pub mod chance;

pub mod demand;
pub mod outage;

pub mod borrow;
pub mod keep;
pub mod spread;

pub mod exposure;
pub mod soft;

pub mod route;

pub mod figures;

/// Milliseconds of a day.
pub const DAY_MS: f64 = 86_400_000.0;
