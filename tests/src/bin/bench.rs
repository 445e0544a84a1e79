//! `bench list` names the benchmarks, `bench NAME` runs one. Ends with 0 whether or not a target is reached.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use stockroom_tests::bench::{ALL, Effort, RESIDENT, say_resident};

/// Measures Stockroom, beside what else could be used.
#[derive(Parser)]
struct Arguments {
    /// A benchmark's name, or `list`.
    name: String,
    /// Also write the figures to this file.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Small numbers, to see that it works.
    #[arg(long)]
    quick: bool,
    /// What a benchmark left for a process of its own.
    #[arg(long, hide = true)]
    folder: Option<PathBuf>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.name == "list" {
        ALL.iter().for_each(|benchmark| println!("{:<10} {}", benchmark.name, benchmark.about));
        return ExitCode::SUCCESS;
    }
    if let (RESIDENT, Some(folder)) = (arguments.name.as_str(), &arguments.folder) {
        say_resident(folder);
        return ExitCode::SUCCESS;
    }
    let Some(benchmark) = ALL.iter().find(|benchmark| benchmark.name == arguments.name) else {
        eprintln!("there is no benchmark {}; see `bench list`", arguments.name);
        return ExitCode::FAILURE;
    };
    let report = (benchmark.run)(if arguments.quick { Effort::Quick } else { Effort::Full });
    print!("{}", report.table());
    let Some(path) = arguments.json else { return ExitCode::SUCCESS };
    let json = serde_json::to_vec_pretty(&report).expect("a report is plain data");
    match std::fs::write(&path, json) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}: {error}", path.display());
            ExitCode::FAILURE
        }
    }
}
