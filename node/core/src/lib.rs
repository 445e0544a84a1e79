//! One replica as a state machine: commands in, effects out. No IO, no clock, no thread, no chance of its own.
//!
//! Start with [`core`], which states the contract. Then:
//!
//! | module | what it knows |
//! |---|---|
//! | [`limits`], [`plant`] | every bound of this crate, with its reason; bugs for the simulator to find |
//! | [`time`], [`input`] | what enters and what leaves |
//! | [`core`] | dispatch |
//! | [`command`] | what people and tills ask for |
//! | [`replica`], [`ingest`], [`parked`], [`continuity`], [`authority`], [`fences`] | own entries, others' entries, those that came too early, is this our database, who may write what, and who no longer |
//! | [`journal`], [`books`] | the logs, and what they add up to |
//! | [`policy`] | who holds how many rights, and what may be promised without one: pure functions of demand and outages |
//! | [`rights`] | what a node does with rights by itself: mint, grant, burn, name who goes without |
//! | [`notes`] | what a home does with notes by itself: fold them, and write once more what was late |
//! | [`sealed`], [`vault`] | what only some can read, and the keys of members |
//! | [`members`] | what a node does about members by itself: links, copies, leases, erasure |
//! | [`compact`] | a database written anew |
//! | [`overlay`], [`storage`] | the batch in progress, the tables on disk |
//! | [`sync`] | links, handshake, feeds, parcels |
//! | [`view`], [`status`] | reading, without waiting for commits |

#![cfg_attr(
    feature = "planted",
    allow(clippy::disallowed_macros, reason = "a build that never ships turns a bug on per thread")
)]

pub mod limits;
pub mod plant;
pub mod tuning;

pub mod input;
pub mod time;

pub mod core;

pub mod command;

pub mod authority;
pub mod continuity;
pub mod fences;
pub mod ingest;
pub mod parked;
pub mod replica;

pub mod books;
pub mod compact;
pub mod journal;

pub mod overlay;
pub mod storage;

pub mod loyalty;
pub mod members;
pub mod notes;
pub mod orders;
pub mod policy;
pub mod rights;
pub mod sealed;
pub mod vault;

pub mod sync;

pub mod status;
pub mod view;
