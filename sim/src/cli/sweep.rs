//! `sweep`: many seeds in small worlds, one line per failure with the command that plays it again.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{ControlFlow, Range};
use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use clap::builder::PossibleValuesParser;
use indicatif::ProgressBar;
use stockroom_sim::faults::INJECTORS;
use stockroom_sim::outcome::{Outcome, Verdict};
use stockroom_sim::plan::Plan;
use stockroom_sim::run::Until;
use stockroom_sim::scenario::{SCENARIOS, Wishes, draw, draw_any};

use super::ledger::{Ledger, Line};
use super::panics::Panics;
use super::say::{Page, bar, count, several, span};
use super::{Failure, Held, crew, run, summary};

/// Which seeds.
#[derive(Args, Debug)]
pub struct SweepArgs {
    /// Which scenario, or `all`: each seed draws one of those that are not too large
    #[arg(value_name = "SCENARIO|all", value_parser = scenarios_or_all())]
    scenario: String,
    /// Seeds from A to below B
    #[arg(long, value_name = "A..B", value_parser = parse_seeds)]
    seeds: Range<u64>,
    /// Seeds that are played at once [default: one per core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=512))]
    jobs: Option<u16>,
    /// Append a line of JSON per seed to this file, and say what it adds up to
    #[arg(long, value_name = "FILE")]
    ledger: Option<PathBuf>,
}

/// Plays them.
pub fn sweep(args: &SweepArgs, panics: &Panics) -> Result<Held, Failure> {
    out!("seeds {}..{} of {}", args.seeds.start, args.seeds.end, args.scenario);
    let mut ledger = None;
    if let Some(path) = &args.ledger {
        let (opened, totals) = Ledger::open(path)?;
        out!("ledger  {}", totals.words());
        ledger = Some(opened);
    }
    let jobs = args.jobs.map_or_else(crew::cores, usize::from);
    let seeds = args.seeds.end - args.seeds.start;
    let bar = bar("{bar:32} {pos} of {len} seeds  {elapsed_precise}, {eta} left  {msg}", seeds);
    let mut sum = Sum::default();
    let mut error = None;
    let begun = Instant::now();
    let job = |number: u64| play(&args.scenario, args.seeds.start + number, panics);
    crew::work(jobs, seeds, job, |_, played| {
        sum.add(&played);
        tell(&bar, &played, sum.failed);
        error = ledger.as_mut().and_then(|ledger| ledger.append(&played.line).err());
        if error.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    bar.finish_and_clear();
    sum.print(begun.elapsed().as_secs_f64(), jobs);
    if let Some(error) = error {
        return Err(error);
    }
    Ok(if sum.failed == 0 { Held::Yes } else { Held::No })
}

/// What is left of a seed when it was played.
struct Played {
    line: Line,
    /// What failed, if anything did.
    failure: Option<String>,
    faults: BTreeMap<String, u64>,
    reached: BTreeMap<String, u64>,
    converge_s: f64,
}

fn play(scenario: &str, seed: u64, panics: &Panics) -> Played {
    let begun = Instant::now();
    let mut name = scenario.to_owned();
    let played = panics.catch(|| {
        let plan = plan(scenario, seed);
        name = plan.scenario.to_owned();
        run::play(&plan, Until::End, &mut |_, _| {})
    });
    let wall_s = begun.elapsed().as_secs_f64();
    match played {
        Ok(outcome) => Played::new(outcome),
        Err(panic) => Played::panicked(seed, name, wall_s, &panic),
    }
}

fn plan(scenario: &str, seed: u64) -> Plan {
    let wishes = Wishes { small: true, ..Wishes::default() };
    match scenario {
        ALL => draw_any(seed, &wishes),
        name => draw(name, seed, &wishes).expect("clap knows the names"),
    }
}

impl Played {
    fn new(outcome: Outcome) -> Self {
        let failure = (outcome.verdict != Verdict::Held).then(|| match outcome.violations.first() {
            Some(first) => format!("{}: {} ({} in all)", first.check, first.message, outcome.violations.len()),
            None => summary::verdict(&outcome),
        });
        let verdict = match outcome.verdict {
            Verdict::Held => "held",
            Verdict::Violated => "violated",
            Verdict::Slow => "slow",
            Verdict::Stuck => "stuck",
        };
        let line = Line {
            seed: outcome.seed,
            scenario: outcome.scenario,
            verdict: verdict.into(),
            ops: outcome.ops,
            simulated_s: outcome.simulated_s,
            wall_s: outcome.wall_s,
            trace_hash: outcome.trace_hash,
            faults: outcome.faults.values().sum(),
            version: env!("CARGO_PKG_VERSION").into(),
        };
        let (faults, reached, converge_s) = (outcome.faults, outcome.reached, outcome.converge_s);
        Self { line, failure, faults, reached, converge_s }
    }

    fn panicked(seed: u64, scenario: String, wall_s: f64, panic: &str) -> Self {
        let line = Line {
            seed,
            scenario,
            verdict: "panicked".into(),
            ops: 0,
            simulated_s: 0.0,
            wall_s,
            trace_hash: String::new(),
            faults: 0,
            version: env!("CARGO_PKG_VERSION").into(),
        };
        let failure = Some(format!("the simulator itself panicked: {panic}"));
        Self { line, failure, faults: BTreeMap::new(), reached: BTreeMap::new(), converge_s: 0.0 }
    }

    fn again(&self) -> String {
        format!("stockroom-sim run {} --seed {} --small", self.line.scenario, self.line.seed)
    }
}

fn tell(bar: &ProgressBar, played: &Played, failed: u64) {
    let (seed, scenario, wall_s) = (played.line.seed, &played.line.scenario, played.line.wall_s);
    if let Some(failure) = &played.failure {
        bar.suspend(|| out!("seed {seed} {scenario} {}: {failure}; again: {}", played.line.verdict, played.again()));
    }
    if wall_s > WALL_MAX_S {
        bar.suspend(|| out!("seed {seed} {scenario} took {wall_s:.0} s: {}", played.again()));
    }
    bar.inc(1);
    bar.set_message(several(failed, "failure", "failures"));
}

/// What all seeds did.
#[derive(Default)]
struct Sum {
    seeds: u64,
    failed: u64,
    scenarios: BTreeMap<String, u64>,
    faults: BTreeMap<String, u64>,
    reached: BTreeMap<String, u64>,
    simulated_s: f64,
    ops: u64,
    wall_s: f64,
    /// Seconds, seed and scenario.
    slowest: (f64, u64, String),
    converge_s_max: f64,
}

impl Sum {
    fn add(&mut self, played: &Played) {
        let line = &played.line;
        self.seeds += 1;
        self.failed += u64::from(played.failure.is_some());
        *self.scenarios.entry(line.scenario.clone()).or_default() += 1;
        for (to, from) in [(&mut self.faults, &played.faults), (&mut self.reached, &played.reached)] {
            from.iter().for_each(|(name, number)| *to.entry(name.clone()).or_default() += number);
        }
        self.simulated_s += line.simulated_s;
        self.ops += line.ops;
        self.wall_s += line.wall_s;
        if line.wall_s > self.slowest.0 {
            self.slowest = (line.wall_s, line.seed, line.scenario.clone());
        }
        if line.verdict == "held" {
            self.converge_s_max = self.converge_s_max.max(played.converge_s);
        }
    }

    fn print(&self, wall_s: f64, jobs: usize) {
        let page = Page::Output;
        summary::counts(page, "scenarios", &self.scenarios);
        summary::counts(page, "faults", &self.faults);
        summary::counts(page, "rare states", &self.reached);
        let never = |known: &mut dyn Iterator<Item = String>, seen: &BTreeMap<String, u64>| {
            known.collect::<BTreeSet<_>>().into_iter().filter(|name| !seen.contains_key(name)).collect::<Vec<_>>()
        };
        let faults = never(&mut INJECTORS.iter().map(|(name, _)| (*name).to_owned()), &self.faults);
        let states = never(&mut KNOWN_STATES.iter().map(|name| (*name).to_owned()), &self.reached);
        for (what, names) in [("faults that never struck", faults), ("known rare states never reached", states)] {
            if !names.is_empty() {
                out!("{what}: {}", names.join(", "));
            }
        }
        let (slow_s, seed, scenario) = &self.slowest;
        let mean_s = self.wall_s / self.seeds.max(1) as f64;
        let faults = self.faults.values().sum();
        out!(
            "{:.1} h simulated, {}, {}; the slowest to agree took {}",
            self.simulated_s / 3_600.0,
            several(self.ops, "deed", "deeds"),
            several(faults, "fault", "faults"),
            span(self.converge_s_max),
        );
        out!(
            "{wall_s:.1} s on {jobs} threads; a seed takes {mean_s:.2} s, the slowest ({seed}, {scenario}) took {slow_s:.1} s"
        );
        out!("{}, {} failed", several(self.seeds, "seed", "seeds"), count(self.failed));
    }
}

fn scenarios_or_all() -> PossibleValuesParser {
    PossibleValuesParser::new(SCENARIOS.iter().map(|scenario| scenario.name).chain([ALL]))
}

fn parse_seeds(text: &str) -> Result<Range<u64>, String> {
    let parts = text.split_once("..").and_then(|(from, to)| Some((from.parse().ok()?, to.parse().ok()?)));
    match parts {
        Some((from, to)) if from < to => Ok(from..to),
        Some((from, to)) => Err(format!("{from} is not below {to}")),
        None => Err("two whole numbers with .. between them, e.g. 0..200".into()),
    }
}

/// The word for all scenarios that are not too large.
const ALL: &str = "all";

/// A seed that takes longer is told: it holds up every sweep.
const WALL_MAX_S: f64 = 30.0;

/// Rare states that every large sweep should reach, as the record names them. Those with a node's own words (alarms, links that
/// were closed) are told when they are reached.
const KNOWN_STATES: &[&str] = &[
    "a till's retry was answered from the log",
    "a till got no answer",
    "an epoch was opened: Restored",
    "an epoch was opened: TokenMissing",
    "an epoch was opened: TokenAhead",
    "an epoch was opened: HubAhead",
    "an epoch was opened: Forked",
];
