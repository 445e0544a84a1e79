//! Real endpoints on loopback: what a peer, honest or not, can and cannot do.
//!
//! Nothing sleeps: every wait is for an event, with a bound of ten seconds.

#![allow(clippy::unwrap_used)]

mod datagrams;
mod enrol;
mod hostile;
mod links;
mod stranger;
mod tenant;
mod trust;
