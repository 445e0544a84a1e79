//! `sweep --seeds A..B`: plays seeds and ends with 1 when one of them fails, with the command that plays it again.

#![allow(clippy::disallowed_macros, clippy::disallowed_methods, reason = "a program at the edge of the pure crate")]

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let range = match arguments.as_slice() {
        [_, flag, range] if flag == "--seeds" => {
            range.split_once("..").map(|(a, b)| (a.parse::<u64>(), b.parse::<u64>()))
        }
        _ => None,
    };
    let Some((Ok(from), Ok(to))) = range else {
        eprintln!("usage: sweep --seeds A..B");
        return ExitCode::FAILURE;
    };
    println!("seeds {from}..{to}");
    let (mut failed, mut sales, mut faults, mut slowest) = (0, 0, 0, 0);
    for seed in from..to {
        let outcome = stockroom_sim::sweep::run(seed);
        sales += outcome.acknowledged;
        faults += outcome.faults.values().sum::<u64>();
        slowest = slowest.max(outcome.converge_ms);
        if !outcome.violations.is_empty() {
            failed += 1;
            println!("seed {seed} failed after {:?}: {}", outcome.faults, outcome.violations.join("; "));
            if to - from == 1 {
                outcome.story.iter().for_each(|line| println!("  {line}"));
            }
            println!("  again: cargo run --release -p stockroom-sim --example sweep -- --seeds {seed}..{}", seed + 1);
        }
    }
    println!(
        "{} seeds, {failed} failed; {sales} sales acknowledged, {faults} faults, slowest to agree {slowest} ms",
        to - from
    );
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
