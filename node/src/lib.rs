//! The daemon around the core: its thread, disk, clock and links, the HTTP API and the command line.
//!
//! | module | what it knows |
//! |---|---|
//! | [`cli`] | commands and flags |
//! | [`config`] | one file, environment and flags |
//! | [`files`], [`identity`] | the data directory, and who this node is |
//! | [`setup`], [`enrol`] | making a tenant, letting a store in |
//! | [`daemon`] | the core's thread and the tasks around it |
//! | [`disk`] | free space, the continuity token, the database file |
//! | [`handle`], [`info`] | the seam between the core's thread and everything else |
//! | [`api`] | HTTP |
//! | [`lan`] | names and certificate of the door to the shop's network |
//! | [`devices`] | tokens of tills and handhelds on the LAN |
//! | [`reads`] | who read personal data of whom |
//! | [`staff`] | PINs, who is signed in, approvals |
//! | [`terminal`] | payment terminals, and the desk that asks them |
//! | [`courier`] | courier services and own riders, at a hub |
//! | [`webhooks`] | events told to other systems |
//! | [`paper`] | pick lists, labels, tags and receipts, printed |
//! | [`backup`] | the database as one file, and back |
//! | [`verify`] | do the books say what the logs say |
//! | [`client`] | the command line's own requests to a running node |
//! | [`demo`] | a hub and three stores on one machine |

const _: () = assert!(!stockroom_core::plant::CAN_BE_PLANTED, "no binary that ships can have its bugs turned on");

pub mod cli;

pub mod config;
pub mod files;
pub mod identity;

pub mod enrol;
pub mod setup;

pub mod daemon;
pub mod disk;

pub mod handle;
pub mod info;

pub mod api;
pub mod devices;
pub mod lan;
pub mod reads;

pub mod staff;
pub mod terminal;

pub mod courier;

pub mod webhooks;

pub mod paper;

pub mod backup;
pub mod client;
pub mod compact;
pub mod verify;

pub mod demo;
