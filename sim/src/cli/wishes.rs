//! Which world to play: the arguments that `run`, `shrink` and `explain` share, and the files that they name.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::builder::PossibleValuesParser;
use clap::{Args, ValueEnum, value_parser};
use stockroom_sim::data::DataError;
use stockroom_sim::data::baskets::Baskets;
use stockroom_sim::data::hours::read_hours;
use stockroom_sim::data::links::read_links;
use stockroom_sim::data::places::{Places, read_asked, read_shops};
use stockroom_sim::plan::{DiskKind, Plan};
use stockroom_sim::scenario::{SCENARIOS, Wishes, draw};
use stockroom_sim::shrink::{Cut, parse_steps};

use super::Failure;
use super::acts::Acts;
use super::say::{count, several};

/// Which world.
#[derive(Args, Debug)]
pub struct WorldArgs {
    /// Which scenario: see `stockroom-sim list`
    #[arg(value_name = "SCENARIO", value_parser = scenarios())]
    pub scenario: String,
    /// Decides everything that is left to chance
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// The small world that sweeps play: few stores, few hours, time-outs and sizes of its own
    #[arg(long)]
    pub small: bool,
    /// Stores
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..=5_000))]
    stores: Option<u32>,
    /// Hubs; with more than one, the first is the cloud above the others
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..=16))]
    hubs: Option<u32>,
    /// Simulated days in which faults strike
    #[arg(long, value_name = "D", value_parser = value_parser!(u32).range(1..=400))]
    days: Option<u32>,
    /// What nodes keep their rows on
    #[arg(long)]
    disk: Option<DiskArg>,
    /// Recorded baskets, CSV, also compressed with zstd; a shipped sample otherwise
    #[arg(long, value_name = "FILE", requires = "lines")]
    baskets: Option<PathBuf>,
    /// The lines of the recorded baskets
    #[arg(long, value_name = "FILE", requires = "baskets")]
    lines: Option<PathBuf>,
    /// Recorded transactions per hour; an assumed week otherwise
    #[arg(long, value_name = "FILE")]
    hours: Option<PathBuf>,
    /// Recorded links, given to stores in turn; a fixed line otherwise
    #[arg(long, value_name = "FILE")]
    links: Option<PathBuf>,
    /// Folder of recorded data: real places and times for the orders of `pickup-rush`; drawn otherwise
    #[arg(long, value_name = "FOLDER", num_args = 0..=1, require_equals = true, default_missing_value = "../shared/data")]
    real: Option<PathBuf>,
    /// Links cut and healed by hand in an earlier run of this world, as `run --serve` keeps them
    #[arg(long, value_name = "FILE")]
    acts: Option<PathBuf>,
    #[command(flatten)]
    keep: KeepArgs,
}

/// What is left of a world, as `shrink` prints it.
#[derive(Args, Debug)]
#[command(next_help_heading = "A smaller plan, as `shrink` prints it")]
struct KeepArgs {
    /// Only these steps of the plan, e.g. 3,17..20
    #[arg(long, value_name = "STEPS", value_parser = |text: &str| parse_steps(text).map(Numbers))]
    keep_steps: Option<Numbers>,
    /// Faults strike for so many milliseconds only
    #[arg(long, value_name = "MS", value_parser = value_parser!(u64).range(..=400 * 86_400_000))]
    keep_ms: Option<u64>,
    /// The first so many of the stores
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..=5_000))]
    keep_stores: Option<u32>,
    /// So many crash images beside the run
    #[arg(long, value_name = "N")]
    keep_images: Option<u64>,
}

/// One value for clap, which would take a `Vec` for an argument that is given several times.
#[derive(Clone, Debug)]
struct Numbers(Vec<usize>);

#[derive(Clone, Copy, Debug, ValueEnum)]
enum DiskArg {
    /// Ordered rows in memory
    Memory,
    /// The real database on a disk that loses and tears
    Redb,
}

/// A world that was asked for.
pub struct Drawn {
    /// Its plan.
    pub plan: Plan,
    /// Where its data comes from, a line each.
    pub sources: Vec<String>,
    /// The hash of the run in which its acts by hand were done, if there are any.
    pub hash: Option<String>,
}

impl WorldArgs {
    /// Reads the files and draws the plan.
    pub fn draw(&self) -> Result<Drawn, Failure> {
        let mut sources = Vec::new();
        let mut wishes = Wishes {
            stores: self.stores,
            hubs: self.hubs,
            days: self.days,
            disk: self.disk.map(|disk| match disk {
                DiskArg::Memory => DiskKind::Memory,
                DiskArg::Redb => DiskKind::Redb,
            }),
            small: self.small,
            ..Wishes::default()
        };
        if let (Some(baskets), Some(lines)) = (&self.baskets, &self.lines) {
            let read =
                Baskets::read([open(baskets)?, open(lines)?], [&shown(baskets), &shown(lines)]).map_err(faulty)?;
            let (number, stores) = (count(read.count() as u64), read.stores.len() as u64);
            sources.push(format!("baskets: {number} of {} in {}", several(stores, "store", "stores"), shown(baskets)));
            wishes.baskets = Some(Arc::new(read));
        }
        if let Some(hours) = &self.hours {
            let read = read_hours(open(hours)?, &shown(hours)).map_err(faulty)?.mean;
            sources.push(format!("hours: {}", read.scale));
            wishes.hours = Some(read);
        }
        if let Some(links) = &self.links {
            let read = read_links(open(links)?, &shown(links)).map_err(faulty)?;
            let Some(first) = read.first() else { return Err(format!("{}:1: holds no recording", shown(links))) };
            let number = several(read.len() as u64, "recording", "recordings");
            sources.push(format!("links: {number} in {}: {}", shown(links), first.format().says()));
            wishes.links = read.into_iter().map(Arc::new).collect();
        }
        if let Some(folder) = &self.real {
            let (words, places) = self.places(folder)?;
            sources.push(words);
            wishes.places = places.map(Arc::new);
        }
        let mut plan = draw(&self.scenario, self.seed, &wishes).ok_or("there is no such scenario")?;
        let mut hash = None;
        if let Some(path) = &self.acts {
            let read = Acts::read(path)?;
            if let Some(stray) = read.acts.iter().find(|act| !act.fits(&plan.fleet) || act.at_ms > plan.safety_ms) {
                return Err(format!("{}: this world has no place for {stray:?}", shown(path)));
            }
            if !self.is_cut() && read.world != self.world() {
                return Err(format!("{}: its acts were done in another world: {}", shown(path), read.world));
            }
            let number = several(read.acts.len() as u64, "act", "acts");
            sources.push(format!("by hand: {number} in {}", shown(path)));
            (plan.by_hand, hash) = (read.acts, read.trace_hash.filter(|_| !self.is_cut()));
        }
        Ok(Drawn { plan: self.cut(&plan)?, sources, hash })
    }

    /// Real places and times of orders. A folder that is not there is no failure: this is said, and they are drawn.
    fn places(&self, folder: &Path) -> Result<(String, Option<Places>), Failure> {
        if self.scenario != "pickup-rush" {
            return Err("--real is for pickup-rush: no other scenario takes places and times of orders".into());
        }
        let (shops, asked) = (folder.join(SHOPS), folder.join(ASKED));
        if let Some(missing) = [&shops, &asked].into_iter().find(|path| !path.exists()) {
            let words = format!("SKIPPED: there is no {}, so places and times of orders are DRAWN", shown(missing));
            return Ok((words, None));
        }
        let read = Places {
            shops: read_shops(open(&shops)?, &shown(&shops)).map_err(faulty)?,
            asked: read_asked(open(&asked)?, &shown(&asked)).map_err(faulty)?,
        };
        let (stores, orders) = (count(read.shops.len() as u64), count(read.asked.len() as u64));
        Ok((format!("places: {stores} shops in {}, {orders} orders in {}", shown(&shops), shown(&asked)), Some(read)))
    }

    /// The arguments that name this world again, with what was done in it by hand.
    pub fn again(&self) -> String {
        let acts = self.acts.as_ref().map(|file| format!(" --acts {}", quoted(file)));
        format!("{}{}", self.world(), acts.unwrap_or_default())
    }

    /// The arguments that name this world, as it is when nobody does anything by hand.
    pub fn world(&self) -> String {
        let path = |name: &str, file: &Option<PathBuf>| file.as_ref().map(|file| format!("--{name} {}", quoted(file)));
        let number = |name: &str, number: Option<u32>| number.map(|number| format!("--{name} {number}"));
        let disk = self.disk.map(|disk| match disk {
            DiskArg::Memory => "--disk memory".to_owned(),
            DiskArg::Redb => "--disk redb".to_owned(),
        });
        let parts = [
            self.small.then(|| "--small".to_owned()),
            number("stores", self.stores),
            number("hubs", self.hubs),
            number("days", self.days),
            disk,
            path("baskets", &self.baskets),
            path("lines", &self.lines),
            path("hours", &self.hours),
            path("links", &self.links),
            self.real.as_ref().map(|folder| format!("--real={}", quoted(folder))),
        ];
        let cut = Some(self.keep.cut().to_string()).filter(|cut| !cut.is_empty());
        let parts: Vec<_> = parts.into_iter().chain([cut]).flatten().map(|part| format!(" {part}")).collect();
        format!("{} --seed {}{}", self.scenario, self.seed, parts.concat())
    }

    /// True when only a part of the plan is asked for.
    pub fn is_cut(&self) -> bool {
        self.keep.cut() != Cut::default()
    }

    fn cut(&self, plan: &Plan) -> Result<Plan, Failure> {
        let cut = self.keep.cut();
        if let Some(last) = cut.steps.as_ref().and_then(|steps| steps.last()).filter(|last| **last >= plan.steps.len())
        {
            return Err(format!("the plan has {} steps, and --keep-steps names {last}", plan.steps.len()));
        }
        let stores = cut.stores.unwrap_or(plan.fleet.stores);
        if stores > plan.fleet.stores {
            return Err(format!("the plan has {} stores, and --keep-stores names {stores}", plan.fleet.stores));
        }
        let small = cut.apply(plan);
        let missing = small.steps.iter().map(stockroom_sim::shrink::last_store).max().filter(|store| *store > stores);
        match missing {
            Some(store) => Err(format!("a step is about store {store}, and there are only {stores}")),
            None => Ok(small),
        }
    }
}

impl KeepArgs {
    fn cut(&self) -> Cut {
        Cut {
            steps: self.keep_steps.as_ref().map(|numbers| numbers.0.clone()),
            safety_ms: self.keep_ms,
            stores: self.keep_stores,
            images: self.keep_images,
        }
    }
}

/// Where the folder of recorded data has shops.
const SHOPS: &str = "stores/konbini_japan.csv.zst";

/// Where it has orders of a city.
const ASKED: &str = "online_orders/sendy_orders.csv.zst";

/// The names of all scenarios: clap lists them, and knows the nearest one, when another is asked for.
pub fn scenarios() -> PossibleValuesParser {
    PossibleValuesParser::new(SCENARIOS.iter().map(|scenario| scenario.name))
}

/// Opens a file to read; its name is in the failure.
pub fn open(path: &Path) -> Result<BufReader<File>, Failure> {
    File::open(path).map(BufReader::new).map_err(|error| format!("{}: {error}", shown(path)))
}

/// What is wrong with a file, for people.
pub fn faulty(error: DataError) -> Failure {
    error.to_string()
}

/// A path for people.
pub fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// A path as a shell takes it.
fn quoted(path: &Path) -> String {
    let text = shown(path);
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:,".contains(c);
    if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}
