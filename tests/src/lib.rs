//! What the test binaries share, and the benchmarks.

pub mod bench;
pub mod browser;
pub mod courier_server;
pub mod nodes;
pub mod property;
pub mod receiver;
pub mod service_manager;
pub mod terminal_server;
