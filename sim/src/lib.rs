//! A deterministic world for the real core: virtual time, one seeded generator, simulated links and disks.
//!
//! This is the smallest world that the core needs for its own tests: [`world::World`] runs unmodified cores of
//! `stockroom-core` on in-memory disks, connects and cuts them, crashes and restarts them, and lets time pass. The same seed
//! gives the same run.
//!
//! | module | what it knows |
//! |---|---|
//! | [`world`] | time, the queue of events, connections |
//! | [`node`] | one node: its disk, its token, its core while it runs |
//! | [`oracle`] | what must be true of all nodes together, told from their logs |

pub mod node;
pub mod oracle;
pub mod world;
