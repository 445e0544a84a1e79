//! A hub and three stores on one machine: real processes, real links, a real day of sales, and what goes wrong in one.
//!
//! | module | what it knows |
//! |---|---|
//! | [`sample`] | the day that is replayed |
//! | [`process`], [`chain`] | the nodes as child processes; a hub and stores made of them, stocked |
//! | [`till`] | who sells, and what was acknowledged |
//! | [`shoppers`] | who wants goods kept, and what became of the promises |
//! | [`orders`] | who orders on line |
//! | [`members`] | who is a member, is enrolled twice, and is forgotten |
//! | [`counter`], [`coupons`] | what members buy; points, and a coupon that is shown twice |
//! | [`script`] | what goes wrong during the day |
//! | [`door`], [`board`] | asking a node; what all nodes say of themselves |
//! | [`check`] | do the nodes hold what the tills remember |
//! | [`traces`] | does anything that was told of a member stand in a file |
//! | [`view`], [`report`] | what a person sees meanwhile, and at the end |
//! | [`patience`] | waits with a bound, Ctrl-C |

pub mod sample;

pub mod chain;
pub mod process;

pub mod counter;
pub mod coupons;
pub mod members;
pub mod orders;
pub mod script;
pub mod shoppers;
pub mod till;

pub mod board;
pub mod door;

pub mod check;
pub mod traces;

pub mod report;
pub mod view;

pub mod patience;

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use board::{Board, status_of};
use chain::Chain;
use check::{Findings, books, check, remembered};
use door::Door;
use members::Members;
use orders::Orders;
use patience::{Interrupt, Seen};
use report::Report;
use sample::{STORES, Sample};
use script::Day;
use shoppers::Asked;
use till::{Ack, ShopClock, Tills};
use traces::Traces;
use view::View;

/// How the demo runs.
#[derive(clap::Args, Clone, Debug)]
pub struct DemoArgs {
    /// End when the table is shown, instead of leaving the nodes running until Ctrl-C
    #[arg(long)]
    pub exit: bool,
    /// Write the figures to this file
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// How many times faster than real the day passes
    #[arg(long, value_name = "TIMES", default_value_t = 1_200, value_parser = clap::value_parser!(u32).range(60..=100_000))]
    pub speed: u32,
}

/// Why the demo ended before its table.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// Somebody pressed Ctrl-C.
    #[error("interrupted")]
    Interrupted,
    /// Something did not come in time.
    #[error("waited {} s for {what}; seen last: {seen}", limit.as_secs())]
    Waited {
        /// What was waited for.
        what: String,
        /// How long.
        limit: Duration,
        /// What was there instead.
        seen: String,
    },
    /// A node said no.
    #[error("{0} was refused: {1}")]
    Refused(String, String),
    /// A command of this program failed.
    #[error("`stockroom {0}` failed: {1}")]
    Command(String, String),
    /// A node ended that should run.
    #[error("{0} ended by itself ({1}); its log ends with:\n{2}")]
    Ended(String, String, String),
    /// The sample in the binary cannot be read.
    #[error("the sample is damaged at {0:?}")]
    Sample(String),
    /// The system said no.
    #[error("cannot {0}")]
    System(&'static str, #[source] io::Error),
}

impl DemoError {
    fn system(doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::System(doing, error)
    }

    fn refused(what: &'static str) -> impl FnOnce(String) -> Self {
        move |words| Self::Refused(what.into(), words)
    }
}

/// Runs the demo. Succeeds only if nothing was lost, nothing promised twice, and all nodes converged.
pub fn run(args: DemoArgs) -> Result<ExitCode, Box<dyn std::error::Error + Send + Sync>> {
    let folder = tempfile::Builder::new().prefix("stockroom-demo-").tempdir();
    let folder = folder.map_err(DemoError::system("make a temporary folder"))?;
    let interrupt = Interrupt::on_signals().map_err(DemoError::system("listen for Ctrl-C"))?;
    // The chain stops within, before its folder goes.
    let outcome = Demo { args, interrupt, started: Instant::now() }.run(folder.path());
    match outcome {
        Ok(true) => Ok(ExitCode::SUCCESS),
        Err(DemoError::Interrupted) => Err(DemoError::Interrupted.into()),
        Ok(false) => {
            view::note(format!("What the nodes wrote and logged is kept in {}.", folder.keep().display()));
            Ok(ExitCode::FAILURE)
        }
        Err(error) => {
            view::note(format!("What the nodes wrote and logged is kept in {}.", folder.keep().display()));
            Err(error.into())
        }
    }
}

struct Demo {
    args: DemoArgs,
    interrupt: Interrupt,
    started: Instant,
}

impl Demo {
    /// True if all went well.
    fn run(&self, folder: &std::path::Path) -> Result<bool, DemoError> {
        let sample = Sample::load()?;
        let view = View::new(&(1..=STORES).map(|store| sample.of_store(store).count()).collect::<Vec<_>>());
        view.say(report::about(&sample, self.args.speed));
        let mut chain = self.set_up(folder, &sample, &view)?;
        let mut report = self.play(&mut chain, &sample, &view)?;
        if !self.args.exit {
            drop(view);
            self.show(&report)?;
            self.stay(&chain, &sample);
            let stopped = stopped(&mut chain);
            report.traces = Some(traces(&chain, folder)?);
            view::print(report.about_traces());
            self.write(&report)?;
            return Ok(report.is_good() && stopped);
        }
        view.say(
            "Stopping all nodes, writing their databases anew, and searching every file for what was told of members.",
        );
        let stopped = stopped(&mut chain);
        report.traces = Some(traces(&chain, folder)?);
        report.wall = self.started.elapsed();
        drop(view);
        self.show(&report)?;
        Ok(report.is_good() && stopped)
    }

    fn show(&self, report: &Report) -> Result<(), DemoError> {
        view::print(format!("\n{}", report.to_table()));
        self.write(report)
    }

    fn write(&self, report: &Report) -> Result<(), DemoError> {
        let Some(path) = &self.args.json else { return Ok(()) };
        std::fs::write(path, format!("{:#}\n", report.to_json())).map_err(DemoError::system("write the figures"))
    }

    fn set_up(&self, folder: &std::path::Path, sample: &Sample, view: &View) -> Result<Chain, DemoError> {
        view.say("Making a tenant, its hub and three stores, each a process with its own database, linked by QUIC with mutual TLS.");
        let chain = Chain::start(folder, &self.interrupt)?;
        view.say(format!("Importing {} real products with prices at the hub.", sample::product_count()));
        let imported = Instant::now();
        chain.import()?;
        chain.catalogue_everywhere()?;
        view.say(format!("All stores have them, {:.1} s after the import began.", imported.elapsed().as_secs_f64()));
        chain.set_rule(self.args.speed)?;
        let units = chain.receive_opening_stock(sample)?;
        view.say(format!(
            "{units} units of opening stock are received (assumed: what each store sells that day, and a case more)."
        ));
        Ok(chain)
    }

    fn play(&self, chain: &mut Chain, sample: &Sample, view: &View) -> Result<Report, DemoError> {
        let doors: Vec<Door> = chain.doors().cloned().collect();
        self.interrupt.until("all nodes to know each other", AGREE_MAX, || everywhere(&doors))?;
        let board = Board::watch(&doors)?;
        board.refresh(&doors);
        let (before, opened, clock) =
            (board.sums(), Instant::now(), ShopClock::open(self.args.speed, script::CUT_AT_S));
        let tills = Tills::open(sample, &doors[1..], &clock, &self.interrupt)?;
        let asked = Asked::default();
        let interrupt = &self.interrupt;
        let (orders, members) = (Orders::default(), Members::default());
        let mut day =
            Day { chain, tills: &tills, board: &board, view, clock: &clock, interrupt, sample, asked, orders, members };
        let events = day.play()?;
        let (asked, ordered, members) = (day.asked, day.orders, day.members);
        let (last, replay, mut acks) = (Instant::now(), opened.elapsed(), tills.acks());
        acks.extend(asked.last_sale.clone());
        let all = [acks.as_slice(), &members.counter.acks].concat();
        let mut findings = Findings::default();
        let mut since_last = |reached: Result<(), DemoError>| match reached {
            Ok(()) => Ok(Some(last.elapsed())),
            Err(DemoError::Waited { what, seen, .. }) => {
                findings.faults.push(format!("no end to the wait for {what}: {seen}"));
                Ok(None)
            }
            Err(error) => Err(error),
        };
        let converged = since_last(self.interrupt.until("all nodes to agree", AGREE_MAX, || {
            agree(&doors, &all)?;
            Ok(shoppers::agree(&doors)?)
        }))?;
        let safe =
            since_last(self.interrupt.until("every acknowledgement of the hub", AGREE_MAX, || everywhere(&doors)))?;
        board.refresh(&doors);
        view.show(&clock.shows(), &board, &tills);
        let sums = board.sums().since(&before);
        view.say(
            "Looking for every acknowledged sale, receipt number and shelf at the stores, the hub and the neighbours.",
        );
        let mut taken = shoppers::handed_over(&doors[0]).map_err(DemoError::refused("the reservations"))?;
        for (goods, units) in &members.counter.units {
            *taken.entry(goods.clone()).or_default() += units;
        }
        let found = check(&doors, sample, &all, &taken);
        let reckoned = shoppers::reckon(&doors, sample, &asked);
        let (promises, missing) = reckoned.map_err(DemoError::refused("the reservations"))?;
        findings.faults.extend(missing);
        let (orders, wrong, reasons) = ordered.reckon(&doors[0]).map_err(DemoError::refused("the orders"))?;
        findings.faults.extend(wrong);
        let (known, wrong) = members.reckon(&doors).map_err(DemoError::refused("the members"))?;
        findings.faults.extend(wrong);
        findings.lost += found.lost;
        findings.faults.extend(found.faults);
        let replayed = sample.baskets.len() + usize::from(asked.last_sale.is_some());
        let (speed, wall) = (self.args.speed, self.started.elapsed());
        Ok(Report {
            replayed,
            acks,
            findings,
            converged,
            safe,
            events,
            promises,
            orders,
            reasons,
            members: known,
            traces: None,
            sums,
            speed,
            replay,
            wall,
        })
    }

    /// Leaves the nodes running, with two orders for whoever opens their pages.
    fn stay(&self, chain: &Chain, sample: &Sample) {
        view::print("The nodes go on running. Their pages, to be opened in a browser:");
        for (index, door) in chain.doors().enumerate() {
            view::print(format!("  {:8} {}/", chain::name(index), door.url()));
        }
        let (hub, store) = (chain.hub().url(), chain.store(1).url());
        let doors: Vec<Door> = chain.doors().cloned().collect();
        let orders = Orders::for_visitors(&doors, sample).unwrap_or_default();
        view::print("A round to play, at store 1 and the hub:");
        view::print(format!("  sell something              {store}/till"));
        view::print(format!("  cut its line by a button    {store}/link"));
        for placed in &orders.placed {
            view::print(format!(
                "  pick order {:<16} {store}/orders/{} (the customer's code is {})",
                placed.order, placed.order, placed.code
            ));
        }
        view::print(format!("  hand it over by the code    {store}/handover"));
        view::print(format!("  see what the hub knows      {hub}/fleet, and {hub}/chain/orders"));
        view::print(format!("  mend the line, see why      {store}/link, then any product's page under {store}/stock"));
        view::print(format!(
            "Programs use the same: {hub}/v1/stores, `stockroom stock --api {}`. Ctrl-C ends it.",
            store.trim_start_matches("http://")
        ));
        self.interrupt.wait();
    }
}

/// Stops all nodes as an operator would. True if all went well.
fn stopped(chain: &mut Chain) -> bool {
    let stopped = chain.stop();
    if !stopped {
        view::note("A node did not stop well.");
    }
    stopped
}

/// Searches what the stopped nodes wrote for what was told of members.
fn traces(chain: &Chain, folder: &std::path::Path) -> Result<Traces, DemoError> {
    let databases = chain.compact()?;
    let searched = Traces::search(folder, &members::TOLD, (sample::some_product(), &databases));
    searched.map_err(DemoError::system("search what the nodes wrote"))
}

/// Whether every store's entries are durable at the hub and at all its neighbours.
fn everywhere(doors: &[Door]) -> Result<(), Seen> {
    for (store, door) in doors.iter().enumerate().skip(1) {
        let status = status_of(door)?;
        if !status.is_everywhere() {
            return Err(format!("store {store}: {:?}, linked to {:?}", status.backlog, status.peers).into());
        }
    }
    Ok(())
}

/// Whether every node says of every store's takings what the tills say.
fn agree(doors: &[Door], acks: &[Ack]) -> Result<(), Seen> {
    for store in 1..=STORES {
        let wanted = remembered(acks, store);
        for (index, door) in doors.iter().enumerate() {
            let held = books(door, store)?;
            if held != wanted {
                let who = chain::name(index);
                return Err(format!("{who} has {held:?} for store {store}, not {wanted:?}").into());
            }
        }
    }
    Ok(())
}

/// Longer than any reconnect of a link that is mended.
const AGREE_MAX: Duration = Duration::from_secs(60);
