//! The `stockroom-sim` binary: the edge of the pure crate, where its clock, its files and its threads are.

#![allow(
    clippy::disallowed_macros,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a program at the edge of the pure crate"
)]

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main(std::env::args_os())
}
