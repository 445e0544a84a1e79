//! `crash_images --count N [--seed S]`: crash images of random workloads, and how many a second one core makes and checks. Ends
//! with 1 when one of them breaks a promise.

#![allow(clippy::disallowed_macros, clippy::disallowed_methods, reason = "a program at the edge of the pure crate")]
#![allow(clippy::disallowed_types, reason = "a program at the edge of the pure crate")]

use std::process::ExitCode;
use std::time::Instant;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |flag: &str, default: u64| {
        let at = arguments.iter().position(|argument| argument == flag);
        at.map_or(Some(default), |at| arguments.get(at + 1)?.parse().ok())
    };
    let (Some(count), Some(seed)) = (number("--count", 500), number("--seed", 1)) else {
        eprintln!("usage: crash_images [--count N] [--seed S]");
        return ExitCode::FAILURE;
    };
    println!("seed {seed}, {count} images");
    let started = Instant::now();
    let report = stockroom_sim::crash::images(seed, count);
    let seconds = started.elapsed().as_secs_f64();
    for violation in &report.violations {
        println!("  {violation}");
    }
    println!(
        "{} images from {} moments in {seconds:.1} s: {:.0} a second",
        report.images,
        report.moments,
        report.images as f64 / seconds
    );
    println!(
        "{} opened ({} after a second cut, {} after more); {} acknowledged sales looked for, {} lost, {} there twice",
        report.opened, report.double, report.triple, report.acked, report.lost_acked, report.doubled
    );
    println!(
        "{} epochs opened; {} sales sent again; {} books made again; unanswered: {} kept, {} lost; disks: {:?}",
        report.epochs_opened, report.retried, report.rebuilt, report.unanswered.0, report.unanswered.1, report.faults
    );
    if report.violations.is_empty() {
        ExitCode::SUCCESS
    } else {
        println!("again: cargo run --release -p stockroom-sim --example crash_images -- --count {count} --seed {seed}");
        ExitCode::FAILURE
    }
}
