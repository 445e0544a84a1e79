//! Nodes as processes of the real binary, for tests of everything that can be seen from outside.
//!
//! | module | what it knows |
//! |---|---|
//! | [`binary`] | where the binary is, and running one command of it |
//! | [`door`] | asking one node's HTTP API |
//! | [`fleet`] | a hub and stores that end with their test |

pub mod binary;
pub mod door;
pub mod fleet;
