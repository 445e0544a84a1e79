//! Orders that were not rung up at a till.

pub mod rules;
