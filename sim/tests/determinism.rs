//! The same seed gives the same run: on another thread, in another process, and whatever is played beside it.
//!
//! Both sides here are one build. That a debug build and a release build agree as well is seen by the gate: `.ci/run` sweeps the same
//! seeds with both and compares the ledgers.

#![allow(
    clippy::disallowed_macros,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a test runs the binary, plays on two threads, and says its seeds"
)]

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::PathBuf;
use std::process::Command;
use std::thread;

use stockroom_sim::plan::Plan;
use stockroom_sim::run::{Until, run};
use stockroom_sim::scenario::{SCENARIOS, Wishes, draw_any};

const SIM: &str = env!("CARGO_BIN_EXE_stockroom-sim");

/// What a run came to: hashes of everything that was seen, and of what every node holds in the end.
#[derive(Debug, PartialEq, Eq)]
struct Hashes {
    trace: String,
    state: String,
}

#[test]
fn fifty_seeds_give_the_same_runs_in_other_processes() {
    println!("seeds {SEEDS:?}");
    let runs = on_two_threads(SEEDS, |seed| {
        // Crash images are tried beside a run, and nothing of them is in its hashes.
        let plan = Plan { images: 0, ..draw_any(seed, &Wishes::default()) };
        (plan.scenario, here(&plan), elsewhere(&plan))
    });
    for (seed, (scenario, here, elsewhere)) in SEEDS.zip(&runs) {
        assert_eq!(here, elsewhere, "seed {seed} of {scenario} gave another run in a process of its own");
    }
    let all: BTreeSet<_> = SCENARIOS.iter().filter(|scenario| !scenario.apart).map(|scenario| scenario.name).collect();
    let played: BTreeSet<_> = runs.iter().map(|(scenario, ..)| *scenario).collect();
    assert_eq!(played, all, "the seeds leave a scenario out");
    let (mut traces, mut states) = (BTreeSet::new(), BTreeSet::new());
    for (_, hashes, _) in &runs {
        traces.insert(&hashes.trace);
        states.insert(&hashes.state);
    }
    assert_eq!(
        (traces.len(), states.len()),
        (runs.len(), runs.len()),
        "a hash that is equal for two seeds sees too little"
    );
}

#[test]
fn the_number_of_jobs_changes_no_run_and_no_order() {
    println!("seeds {FEW:?}");
    let alone = swept("1");
    let beside = swept("2");
    assert_eq!(alone, beside, "on the left with one job, on the right with two");
    assert_eq!(alone.iter().map(|(seed, _)| *seed).collect::<Vec<_>>(), FEW.collect::<Vec<_>>());
    let here = on_two_threads(FEW, |seed| here(&draw_any(seed, &Wishes::default())).trace);
    assert_eq!(
        alone.into_iter().map(|(_, trace)| trace).collect::<Vec<_>>(),
        here,
        "a sweep plays other runs than a test"
    );
}

/// Plays a plan in this process.
fn here(plan: &Plan) -> Hashes {
    let outcome = run(plan, Until::End, &mut |_, _| {});
    Hashes { trace: outcome.trace_hash, state: outcome.state_hash }
}

/// Has the binary draw the same plan and play it in a process of its own.
fn elsewhere(plan: &Plan) -> Hashes {
    let seed = plan.seed.to_string();
    let arguments = ["run", plan.scenario, "--seed", &seed, "--small", "--keep-images", "0", "--json", "-"];
    let output = Command::new(SIM).args(arguments).output().expect("the binary was just built");
    let outcome = String::from_utf8(output.stdout).expect("JSON is UTF-8");
    Hashes { trace: hash(&outcome, "trace_hash"), state: hash(&outcome, "state_hash") }
}

/// Seeds and hashes of a sweep with so many jobs, in the order in which they stand in its ledger.
fn swept(jobs: &str) -> Vec<(u64, String)> {
    let ledger = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("sim-determinism-{jobs}"));
    let _ = std::fs::remove_file(&ledger);
    let seeds = format!("{}..{}", FEW.start, FEW.end);
    let sweep =
        Command::new(SIM).args(["sweep", "all", "--seeds", &seeds, "--jobs", jobs, "--ledger"]).arg(&ledger).output();
    let output = sweep.expect("the binary was just built");
    // Whether every check held is for others to say; only a sweep that could not be played ends with anything else.
    assert!(matches!(output.status.code(), Some(0 | 1)), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = std::fs::read_to_string(ledger).expect("the sweep wrote it");
    lines.lines().map(|line| (seed(line), hash(line, "trace_hash"))).collect()
}

/// The seed with which a line of the ledger begins.
fn seed(line: &str) -> u64 {
    let number = line.strip_prefix("{\"seed\":").and_then(|rest| rest.split(',').next());
    number.and_then(|number| number.parse().ok()).expect("a line begins with its seed")
}

/// A hash out of JSON: the first string after the field's name.
fn hash(json: &str, field: &str) -> String {
    let (_, rest) = json.split_once(&format!("\"{field}\"")).unwrap_or_else(|| panic!("{field} is missing in {json}"));
    let hash = rest.split('"').nth(1).expect("the field is a string");
    assert!(hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()), "{hash:?} is no hash");
    hash.to_owned()
}

/// Does something with every seed, on two threads; results in the order of the seeds.
fn on_two_threads<R: Send>(seeds: Range<u64>, job: impl Fn(u64) -> R + Sync) -> Vec<R> {
    let (even, odd) = thread::scope(|scope| {
        let odd = scope.spawn(|| seeds.clone().skip(1).step_by(2).map(&job).collect::<Vec<_>>());
        (seeds.clone().step_by(2).map(&job).collect::<Vec<_>>(), odd.join().expect("no seed panics"))
    });
    let mut odd = odd.into_iter();
    even.into_iter().flat_map(|first| [Some(first), odd.next()]).flatten().collect()
}

/// Every scenario at least twice; small worlds all.
const SEEDS: Range<u64> = 0..50;

/// Every scenario once.
const FEW: Range<u64> = 50..67;
