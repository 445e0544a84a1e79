//! What a replica means: typed ids, single-writer cells, signed logs, and the shop's facts. No IO, no clock, no chance.
//!
//! Read the modules in this order:
//!
//! | module | what it knows |
//! |---|---|
//! | [`limits`] | every bound of this crate, with its reason |
//! | [`ids`], [`gtin`], [`money`], [`clock`] | the small words: who, which article, how much, when |
//! | [`codec`], [`columns`] | one description of each record, two encodings: canonical rows and link columns |
//! | [`scope`], [`cell`] | where a fact belongs, and how two copies of it join |
//! | [`entry`], [`chain`], [`capability`], [`fork`], [`batch`] | the signed log: entries, hashes, seals, authorship, proof of a fork, runs on a link |
//! | [`control`], [`product`], [`price`], [`receiving`], [`sale`], [`count`], [`transfer`], [`day`] | the facts themselves |
//! | [`checkout`] | prices explained, tax, promotions, tenders, shifts, staff |
//! | [`loyalty`] | points, campaigns and coupons |
//! | [`order`] | orders, their fulfillments, and what these add up to |
//! | [`member`] | who somebody is: accounts, sealed values, links, consents, erasure |
//! | [`note`] | texts, settings and conversations that several edit at once |
//! | [`place`] | coordinate systems and distances |
//! | [`stock`] | what the facts add up to: stock on hand, and why |
//!
//! Deliberately absent: storage, sockets, threads, system time and randomness (they are arguments), and any knowledge of
//! who is connected to whom.

pub mod limits;

pub mod clock;
pub mod gtin;
pub mod ids;
pub mod money;

pub mod codec;
pub mod columns;

pub mod cell;
pub mod scope;

pub mod batch;
pub mod capability;
pub mod chain;
pub mod entry;
pub mod fork;

pub mod checkout;
pub mod control;
pub mod count;
pub mod day;
pub mod loyalty;
pub mod member;
pub mod note;
pub mod order;
pub mod place;
pub mod price;
pub mod product;
pub mod receiving;
pub mod sale;
pub mod stock;
pub mod transfer;
