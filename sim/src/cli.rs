//! The command line: what can be asked for, and who does it.

/// Prints a line to standard output. Who closed the pipe has read enough.
macro_rules! out {
    ($($words:tt)*) => {
        $crate::cli::say::line(format_args!($($words)*))
    };
}

mod acts;
mod algebra;
mod availability;
mod crew;
mod explain;
mod ledger;
mod list;
mod live;
mod panics;
mod plants;
mod run;
mod say;
mod shrink;
mod summary;
mod sweep;
mod wishes;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use panics::Panics;

/// Plays chains of shops in virtual time, with everything that can go wrong, and checks what must hold.
///
/// Ends with 0 only when every check held, with 1 when one did not, and with 2 when it could not do what was asked.
#[derive(Parser, Debug)]
#[command(name = "stockroom-sim", version, about, propagate_version = true, max_term_width = 110)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// List scenarios, faults, checks and planted bugs
    List,
    /// Play one scenario from one seed
    Run(run::RunArgs),
    /// Play small worlds from a range of seeds
    Sweep(sweep::SweepArgs),
    /// Plant bugs one by one, and see that a check finds each
    Plants(plants::PlantsArgs),
    /// Find the smallest set of faults and operations that still fails
    Shrink(shrink::ShrinkArgs),
    /// Tell what happened and what each node knew just before a violation
    Explain(explain::ExplainArgs),
    /// Measure how many promises each policy for rights keeps when links fail
    Availability(Box<availability::AvailabilityArgs>),
    /// Play random schedules over the bare algebra of rights, and take its rules away one by one
    Algebra(algebra::AlgebraArgs),
}

/// Why it could not be done, in a sentence for people.
type Failure = String;

/// Every check held, or one did not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Held {
    Yes,
    No,
}

/// Parses the arguments and does what they ask for.
pub fn main(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Nothing can be done about a closed terminal.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(UNABLE));
        }
    };
    let panics = Panics::watch();
    match panics.catch(|| run(cli.command, &panics)) {
        Ok(Ok(Held::Yes)) => ExitCode::SUCCESS,
        Ok(Ok(Held::No)) => ExitCode::FAILURE,
        Ok(Err(error)) => {
            eprintln!("stockroom-sim: {error}");
            ExitCode::from(UNABLE)
        }
        Err(panic) => {
            eprintln!("stockroom-sim: a fault of the simulator itself: {panic}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command, panics: &Panics) -> Result<Held, Failure> {
    match command {
        Command::List => list::list(),
        Command::Run(args) => run::run(&args),
        Command::Sweep(args) => sweep::sweep(&args, panics),
        Command::Plants(args) => plants::plants(&args, panics),
        Command::Shrink(args) => shrink::shrink(&args),
        Command::Explain(args) => explain::explain(&args),
        Command::Availability(args) => availability::availability(&args),
        Command::Algebra(args) => algebra::algebra(&args),
    }
}

/// The exit status when it could not be done.
const UNABLE: u8 = 2;
