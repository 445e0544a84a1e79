//! The `stockroom-sim` binary as a person and a script use it: what it prints, what it writes, and how it ends.

#![allow(
    clippy::disallowed_macros,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a test runs the binary and reads what it wrote"
)]

use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;
use stockroom_sim::checks;
use stockroom_sim::faults::INJECTORS;
use stockroom_sim::scenario::SCENARIOS;

const SIM: &str = env!("CARGO_BIN_EXE_stockroom-sim");

fn sim(arguments: &str) -> Output {
    Command::new(SIM).args(arguments.split_whitespace()).output().expect("the binary was just built")
}

fn printed(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("it prints UTF-8")
}

fn complained(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("it complains in UTF-8")
}

/// A file of this test's own, which is not there yet.
fn fresh(name: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("sim-cli-{name}"));
    let _ = std::fs::remove_file(&path);
    path
}

fn outcome(arguments: &str) -> Value {
    let output = sim(&format!("run {arguments} --json -"));
    assert_eq!(output.status.code(), Some(0), "{}", complained(&output));
    serde_json::from_slice(&output.stdout).expect("standard output is the JSON and nothing else")
}

#[test]
fn list_names_everything_that_there_is() {
    let output = sim("list");
    let text = printed(&output);
    assert_eq!(output.status.code(), Some(0));
    let names = SCENARIOS.iter().map(|scenario| scenario.name);
    let names =
        names.chain(INJECTORS.iter().map(|(name, _)| *name)).chain(checks::all().into_iter().map(|check| check.name()));
    let names = names.chain(stockroom_core::plant::ALL.iter().map(|plant| plant.name()));
    for name in names.chain(["scenarios", "faults", "checks", "plants"]) {
        assert!(text.lines().any(|line| line.trim_start().starts_with(name)), "{name} is missing in\n{text}");
    }
}

#[test]
fn a_run_writes_every_figure_as_json() {
    let json = fresh("calm.json");
    let (report, trace) = (fresh("calm.html"), fresh("calm.trace"));
    let files = format!("--json {} --report {} --trace {}", json.display(), report.display(), trace.display());
    let output = sim(&format!("run calm --seed 7 --small {files}"));
    assert_eq!(output.status.code(), Some(0), "{}", complained(&output));
    assert!(printed(&output).starts_with("seed 7\n"), "the seed comes first");
    let written: Value = serde_json::from_slice(&std::fs::read(&json).expect("it was written")).expect("it is JSON");
    let fields = [
        "scenario",
        "seed",
        "stores",
        "hubs",
        "disk",
        "simulated_s",
        "wall_s",
        "speedup",
        "events",
        "ops",
        "messages",
        "bytes_up",
        "bytes_down",
        "faults",
        "reached",
        "violations",
        "verdict",
        "converge_s",
        "till_blocked",
        "lost_acked",
        "trace_hash",
        "state_hash",
        "scaling",
    ];
    for field in fields {
        assert!(written.get(field).is_some_and(|value| !value.is_null()), "{field} is missing in {written}");
    }
    assert_eq!(
        (&written["scenario"], &written["seed"], &written["verdict"]),
        (&"calm".into(), &7.into(), &"held".into())
    );
    assert!(written["wall_s"].as_f64() > Some(0.0) && written["speedup"].as_f64() > Some(1.0));
    assert!(written["ops"].as_u64() > Some(0) && written["lost_acked"] == 0);
    let trace = std::fs::read_to_string(trace).expect("it was written");
    assert_eq!(trace.lines().count() as u64, written["events"].as_u64().expect("a number"));
    assert!(trace.contains("store 1 acknowledges sale 1 of till"), "the first sale is not told");
    assert!(std::fs::read_to_string(report).expect("it was written").starts_with("<!DOCTYPE html>"));
}

#[test]
fn the_same_seed_gives_the_same_run_and_another_seed_another() {
    let [first, second, other] =
        ["crash --seed 3 --small", "crash --seed 3 --small", "crash --seed 4 --small"].map(outcome);
    for hash in ["trace_hash", "state_hash"] {
        assert_eq!(first[hash], second[hash]);
        assert_ne!(first[hash], other[hash]);
    }
    assert_eq!(first["trace_hash"].as_str().map(str::len), Some(16));
}

#[test]
fn a_part_of_a_plan_can_be_played_again() {
    let cut = "crash --seed 3 --small --keep-steps 0..5,9 --keep-ms 60000";
    let [first, second] = [cut, cut].map(outcome);
    assert_eq!(first["trace_hash"], second["trace_hash"]);
    assert!(first["ops"].as_u64() <= Some(6));
    let output = sim("run crash --seed 3 --small --keep-steps 999999");
    assert_eq!(output.status.code(), Some(2));
    assert!(complained(&output).contains("--keep-steps names 999999"), "{}", complained(&output));
}

#[test]
fn a_sweep_ends_well_and_its_ledger_adds_up() {
    let ledger = fresh("ledger");
    let sweep = |seeds: &str| sim(&format!("sweep all --seeds {seeds} --ledger {}", ledger.display()));
    let output = sweep("0..3");
    let text = printed(&output);
    assert_eq!(output.status.code(), Some(0), "{text}{}", complained(&output));
    assert!(text.starts_with("seeds 0..3 of all\nledger  0 seeds so far"), "{text}");
    assert!(text.trim_end().ends_with("3 seeds, 0 failed"), "{text}");
    let text = printed(&sweep("3..4"));
    assert!(text.contains("ledger  3 seeds so far (3 held)"), "{text}");
    let lines = std::fs::read_to_string(&ledger).expect("it was written");
    let seeds = lines.lines().map(|line| serde_json::from_str::<Value>(line).expect("it is JSON")["seed"].clone());
    assert_eq!(seeds.collect::<Vec<_>>(), [0, 1, 2, 3]);
}

#[test]
fn what_a_sweep_plays_is_what_run_plays_again() {
    let ledger = fresh("again");
    let output = sim(&format!("sweep flapping --seeds 5..6 --ledger {}", ledger.display()));
    assert_eq!(output.status.code(), Some(0), "{}", printed(&output));
    let swept: Value =
        serde_json::from_slice(&std::fs::read(&ledger).expect("it was written")).expect("it is one line");
    assert_eq!(swept["trace_hash"], outcome("flapping --seed 5 --small")["trace_hash"]);
}

#[test]
fn a_malformed_file_is_named_with_its_line_and_nothing_is_written() {
    let (links, json, trace) = (fresh("links.csv"), fresh("never.json"), fresh("never.trace"));
    std::fs::write(&links, "trace,direction,t_ms,kbps\na,down,0,6\na,down,100,fast\n").expect("the folder is there");
    let files = format!("--links {} --json {} --trace {}", links.display(), json.display(), trace.display());
    let output = sim(&format!("run calm --small {files}"));
    assert_eq!(output.status.code(), Some(2));
    assert!(complained(&output).contains(&format!("{}:3: ", links.display())), "{}", complained(&output));
    assert!(!json.exists() && !trace.exists());
}

#[test]
fn a_recording_of_links_is_played_and_its_format_is_told() {
    let links = fresh("good-links.csv");
    std::fs::write(&links, "trace,direction,t_ms,kbps\na,down,0,600\na,up,0,300\n").expect("the folder is there");
    let output = sim(&format!("run calm --small --seed 2 --links {}", links.display()));
    let text = printed(&output);
    assert_eq!(output.status.code(), Some(0), "{text}{}", complained(&output));
    assert!(text.contains("links: 1 recording in ") && text.contains("capacity per 100 ms"), "{text}");
}

#[test]
fn a_scenario_that_there_is_not_brings_the_list_and_the_nearest_one() {
    let output = sim("run clam");
    let text = complained(&output);
    assert_eq!(output.status.code(), Some(2));
    assert!(text.contains("'calm'") && text.contains("power-cut"), "{text}");
}

#[test]
fn ranges_that_make_no_sense_are_refused() {
    for wrong in [
        "run calm --stores 0",
        "run calm --stores 5001",
        "run calm --hubs 17",
        "run calm --days 401",
        "run calm --baskets b.csv",
        "run calm --json /nowhere/at/all.json",
        "sweep all --seeds 5..5",
        "sweep all --seeds 7",
        "sweep all",
        "explain calm --around 0",
        "shrink calm --keep-ms 5",
    ] {
        let output = sim(wrong);
        assert_eq!(output.status.code(), Some(2), "{wrong}: {}", printed(&output));
        assert!(output.stdout.is_empty() && !output.stderr.is_empty(), "{wrong}");
    }
}

#[test]
fn any_moment_of_a_run_can_be_explained() {
    let output = sim("explain calm --seed 2 --small --around 400");
    let text = printed(&output);
    assert_eq!(output.status.code(), Some(0), "{text}{}", complained(&output));
    assert!(
        text.contains("until event 400") && text.contains("store 1 (node") && text.contains("believes: "),
        "{text}"
    );
    assert_eq!(sim("explain calm --seed 2 --small --around 999999999").status.code(), Some(2));
}

#[test]
fn what_holds_is_not_made_smaller_and_needs_no_explanation() {
    for arguments in ["shrink calm --seed 2 --small", "explain calm --seed 2 --small"] {
        let output = sim(arguments);
        assert_eq!(output.status.code(), Some(0), "{}", complained(&output));
        assert!(printed(&output).contains("every check held"), "{}", printed(&output));
    }
}
