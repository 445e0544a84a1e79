//! A deterministic world for the real core: virtual time, one seeded generator, simulated links and disks.
//!
//! This is the smallest world that the core needs for its own tests: [`world::World`] runs unmodified cores of
//! `stockroom-core` on in-memory disks, connects and cuts them, crashes and restarts them, and lets time pass. The same seed
//! gives the same run.
//!
//! | module | what it knows |
//! |---|---|
//! | [`world`] | time, the queue of events, connections |
//! | [`disk`] | a disk that loses and tears what was not synced |
//! | [`node`] | one node: its disk, its token, its core while it runs |
//! | [`solo`] | one node without a world, to stop it between any two steps |
//! | [`shop`] | what people do: a catalogue, plain sales |
//! | [`puppet`] | a hostile peer and its forged logs |
//! | [`model`] | a store told simply: what its core must agree with |
//! | [`sweep`] | random days under random faults, one seed each |
//! | [`oracle`] | what must be true of all nodes together, told from their logs |

pub mod disk;
pub mod model;
pub mod node;
pub mod oracle;
pub mod puppet;
pub mod shop;
pub mod solo;
pub mod sweep;
pub mod world;
