//! The `stockroom` binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    stockroom::cli::main(std::env::args_os())
}
