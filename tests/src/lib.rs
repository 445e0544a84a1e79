//! What the test binaries share, and the benchmarks.

pub mod bench;
pub mod property;
pub mod receiver;
