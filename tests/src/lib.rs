//! What the test binaries share, and the benchmarks.

pub mod bench;
pub mod courier_server;
pub mod property;
pub mod receiver;
pub mod terminal_server;
