//! `run`: one scenario from one seed, with everything that it leaves behind.

use std::cell::RefCell;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use indicatif::ProgressBar;
use stockroom_sim::checks::Scene;
use stockroom_sim::explain::{Names, line};
use stockroom_sim::observe::Observation;
use stockroom_sim::outcome::{Outcome, Verdict};
use stockroom_sim::plan::Plan;
use stockroom_sim::report;
use stockroom_sim::run::{Until, run as play_plan};

use super::live::{self, Show};
use super::say::{Page, bar};
use super::wishes::{Drawn, WorldArgs};
use super::{Failure, Held, summary};

/// What to play and what to write.
#[derive(Args, Debug)]
pub struct RunArgs {
    #[command(flatten)]
    world: WorldArgs,
    /// Write the outcome as JSON; `-` is standard output, and the summary then goes to standard error
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write a page to look at, HTML
    #[arg(long, value_name = "FILE.html")]
    report: Option<PathBuf>,
    /// Write everything that happens, a line each
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// Show the run in a browser while it is played, at a pace of your own, and cut links by hand; a free port otherwise
    #[arg(long, value_name = "ADDRESS", num_args = 0..=1, default_missing_value = "127.0.0.1:0", conflicts_with = "json")]
    serve: Option<SocketAddr>,
    /// Keep what is done by hand in this file, to play the same run again with --acts
    #[arg(long, value_name = "FILE", requires = "serve")]
    acts_to: Option<PathBuf>,
    /// Stop at the first violation
    #[arg(long)]
    until_violation: bool,
}

/// Plays it.
pub fn run(args: &RunArgs) -> Result<Held, Failure> {
    let drawn = args.world.draw()?;
    let to_output = args.json.as_deref() == Some(Path::new("-"));
    let page = if to_output { Page::Beside } else { Page::Output };
    let files = [&args.json, &args.report, &args.trace, &args.acts_to]
        .into_iter()
        .flatten()
        .filter(|path| **path != Path::new("-"));
    for path in files {
        has_folder(path)?;
    }
    let mut trace = args.trace.as_deref().map(Trace::create).transpose()?;
    page.say(format_args!("seed {}", drawn.plan.seed));
    summary::plan(page, &drawn, args.world.small);
    let until = if args.until_violation { Until::Violation } else { Until::End };
    let outcome = match args.serve {
        Some(address) => watched(args, &drawn, until, address, trace)?,
        None => {
            let mut bar = Bar::new(&drawn.plan);
            let outcome = play(&drawn.plan, until, &mut |seen, scene| {
                bar.show(seen, scene);
                if let Some(trace) = &mut trace {
                    trace.line(seen, scene);
                }
            });
            bar.done();
            trace.map_or(Ok(()), Trace::close)?;
            ended(args, &drawn, page, &outcome)?;
            outcome
        }
    };
    Ok(if outcome.verdict == Verdict::Held { Held::Yes } else { Held::No })
}

/// Plays it for somebody who watches. What comes of it is told at once, while the page stays.
fn watched(
    args: &RunArgs,
    drawn: &Drawn,
    until: Until,
    address: SocketAddr,
    mut trace: Option<Trace>,
) -> Result<Outcome, Failure> {
    let (plan, again, acts_to) = (&drawn.plan, args.world.world(), args.acts_to.as_deref());
    let trace = RefCell::new(&mut trace);
    let mut line = |seen: &Observation, scene: &Scene<'_>| {
        if let Some(trace) = trace.borrow_mut().as_mut() {
            trace.line(seen, scene);
        }
    };
    live::show(&Show { plan, until, address, again, acts_to }, &mut line, &mut |outcome| {
        trace.borrow_mut().take().map_or(Ok(()), Trace::close)?;
        ended(args, drawn, Page::Output, outcome)
    })
}

/// Tells and writes what came of it.
fn ended(args: &RunArgs, drawn: &Drawn, page: Page, outcome: &Outcome) -> Result<(), Failure> {
    summary::outcome(page, outcome);
    summary::by_hand(page, outcome);
    if let Some(path) = &args.acts_to {
        page.say(format_args!("again   stockroom-sim run {} --acts {}", args.world.world(), path.display()));
    }
    if let Some(hash) = drawn.hash.as_ref().filter(|_| args.serve.is_none()) {
        let same = if *hash == outcome.trace_hash {
            "the same run as the one in which they were done"
        } else {
            "NOT the run in which they were done: the code is another"
        };
        page.say(format_args!("by hand {same} (trace {hash})"));
    }
    if let Some(path) = &args.json {
        let text = serde_json::to_string_pretty(outcome).map_err(|error| error.to_string())?;
        if path == Path::new("-") { out!("{text}") } else { write(path, &format!("{text}\n"))? }
    }
    if let Some(path) = &args.report {
        write(path, &report::html(outcome))?;
        page.say(format_args!("report  {}", path.display()));
    }
    if outcome.verdict != Verdict::Held {
        page.say(format_args!("look     stockroom-sim explain {}", args.world.again()));
        if !args.world.is_cut() {
            page.say(format_args!("smaller  stockroom-sim shrink {}", args.world.again()));
        }
    }
    Ok(())
}

/// Plays a plan by the clock.
pub fn play(plan: &Plan, until: Until, watch: &mut dyn FnMut(&Observation, &Scene<'_>)) -> Outcome {
    let begun = Instant::now();
    let mut outcome = play_plan(plan, until, watch);
    outcome.wall_s = begun.elapsed().as_secs_f64();
    outcome.speedup = outcome.simulated_s / outcome.wall_s.max(f64::MIN_POSITIVE);
    outcome
}

/// How far a run is, as a bar over simulated time.
pub struct Bar {
    bar: ProgressBar,
    safety_ms: u64,
    settling: bool,
}

impl Bar {
    /// A bar over the plan's first phase; how long the second takes is not known before.
    pub fn new(plan: &Plan) -> Self {
        let bar = bar("{prefix} {bar:32} {percent:>3} %  {elapsed_precise}  {msg}", plan.safety_ms);
        bar.set_prefix(plan.scenario);
        bar.set_message("faults strike");
        Self { bar, safety_ms: plan.safety_ms, settling: false }
    }

    /// Shows how far it is, now and then.
    pub fn show(&mut self, seen: &Observation, scene: &Scene<'_>) {
        if !seen.event.is_multiple_of(SHOW_EVERY) {
            return;
        }
        let at_ms = seen.at_ms.saturating_sub(scene.start_ms);
        self.bar.set_position(at_ms.min(self.safety_ms));
        if at_ms > self.safety_ms && !self.settling {
            self.settling = true;
            self.bar.set_message("the faults stopped; everybody must come together");
        }
    }

    /// Takes the bar away.
    pub fn done(self) {
        self.bar.finish_and_clear();
    }
}

/// Every observation as a line of a file.
struct Trace {
    file: BufWriter<File>,
    path: PathBuf,
    names: Names,
    error: Option<std::io::Error>,
}

impl Trace {
    fn create(path: &Path) -> Result<Self, Failure> {
        let file = File::create(path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Self { file: BufWriter::new(file), path: path.to_owned(), names: Names::default(), error: None })
    }

    /// A full disk does not end the run; it is told afterwards.
    fn line(&mut self, seen: &Observation, scene: &Scene<'_>) {
        if self.error.is_none() {
            self.error = writeln!(self.file, "{}", line(seen, scene, &mut self.names)).err();
        }
    }

    fn close(mut self) -> Result<(), Failure> {
        let error = self.error.take().or_else(|| self.file.flush().err());
        error.map_or(Ok(()), |error| Err(format!("{}: {error}", self.path.display())))
    }
}

/// Writes a file whole.
pub fn write(path: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

/// A file that cannot be written is found before a long run, not after it.
pub fn has_folder(path: &Path) -> Result<(), Failure> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if folder.is_dir() && !path.is_dir() { Ok(()) } else { Err(format!("{}: cannot be written there", path.display())) }
}

/// Observations between two looks at the bar.
const SHOW_EVERY: u64 = 1_024;
