//! `availability`: how many promises each policy for rights keeps, of what a clairvoyant keeps.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Instant;

use clap::builder::PossibleValuesParser;
use clap::{Args, ValueEnum, value_parser};
use serde_json::{Value, json};
use stockroom_core::policy::demand::PULL;
use stockroom_core::policy::spread::Tuning;
use stockroom_crdt::stock::policy::{Allocation, PolicyRule, Target};
use stockroom_sim::availability::case::Case;
use stockroom_sim::availability::outages::{District, Failing, Recorded, Shape};
use stockroom_sim::availability::play::play;
use stockroom_sim::availability::purchases::Purchases;
use stockroom_sim::availability::tally::{Estimate, Summary, Tally};
use stockroom_sim::availability::{NODES_MAX, RecordError, Setting, Strategy};
use stockroom_sim::data::baskets::Baskets;
use stockroom_sim::data::links::read_links;
use stockroom_sim::report::availability::{Line, Page as Report, html};

use super::run::{has_folder, write};
use super::say::{Page, bar, several, span};
use super::wishes::{faulty, open, shown};
use super::{Failure, Held, crew};

/// What to measure.
#[derive(Args, Debug)]
pub struct AvailabilityArgs {
    /// Places that promise, around one centre
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = value_parser!(u16).range(1..=NODES_MAX as i64))]
    nodes: u16,
    /// Units in the book at the beginning
    #[arg(long, value_name = "UNITS", default_value_t = 50, value_parser = value_parser!(u64).range(..=1_000_000))]
    stock: u64,
    /// Units expected to be asked for until the horizon
    #[arg(long, value_name = "UNITS", default_value_t = 50.0, value_parser = within(1e-3, 1e6))]
    demand: f64,
    /// How long a run is, until goods come in again: 12h, 7d
    #[arg(long, value_name = "TIME", default_value = "7d", value_parser = duration)]
    horizon: u64,
    /// Share of time in which a link is up; several for a row of each
    #[arg(long, value_name = "SHARE", default_value = "0.8", value_parser = within(0.01, 1.0))]
    uptime: Vec<f64>,
    /// Mean length of an outage: 20min, 1h
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = duration)]
    mean_outage: u64,
    /// How lengths of outages vary
    #[arg(long, value_name = "SHAPE", default_value = "exponential")]
    outage_shape: ShapeArg,
    /// Links are watched for so long before a run
    #[arg(long, value_name = "TIME", default_value = "28d", value_parser = duration)]
    history: u64,
    /// Blackouts: this share of the nodes goes dark together, so many times a run, for about a twentieth of it
    #[arg(long, value_name = "SHARE,COUNT", value_parser = district)]
    district: Option<District>,
    /// Recorded links, given to nodes in turn: their delays, and when they are down
    #[arg(long, value_name = "FILE", conflicts_with = "outages")]
    links: Option<PathBuf>,
    /// Recorded outages, CSV with the header node,from_ms,to_ms; given to nodes in turn
    #[arg(long, value_name = "FILE")]
    outages: Option<PathBuf>,
    /// Which policies; all of them otherwise
    #[arg(long = "policy", value_name = "POLICY", value_parser = PossibleValuesParser::new(Strategy::ALL.map(Strategy::as_str)))]
    policies: Vec<String>,
    /// Accepted probability that a soft promise is broken
    #[arg(long, value_name = "SHARE", default_value_t = 0.01, value_parser = within(0.0, 1.0))]
    epsilon: f64,
    /// Rights to make soft promises, over all nodes [default: two for each node]
    #[arg(long, value_name = "UNITS", value_parser = value_parser!(u64).range(..=1_000_000))]
    budget: Option<u64>,
    /// Promises that a transfer must save; several for a row of each
    #[arg(long, value_name = "PROMISES", value_parser = within(0.0, 1e6))]
    kappa: Vec<f64>,
    /// Units that are never promised
    #[arg(long, value_name = "UNITS", default_value_t = 0)]
    safety: u32,
    /// Books are wrong: this share of them, by so much of the book on average
    #[arg(long, value_name = "SHARE,SIZE", value_parser = record_error)]
    record_error: Option<RecordError>,
    /// Demand of the k-th node is proportional to the k-th rank to the power of minus this
    #[arg(long, value_name = "EXPONENT", default_value_t = 0.8, value_parser = within(0.0, 10.0))]
    zipf: f64,
    /// Forecasts are the true rates; otherwise each node's is off by a Gamma-distributed factor of shape 2
    #[arg(long)]
    exact_forecasts: bool,
    /// How far forecasts are pulled towards their mean before they are used, 0 to 1
    #[arg(long, value_name = "SHARE", default_value_t = PULL, value_parser = within(0.0, 1.0))]
    pull: f64,
    /// Recorded purchases instead of drawn ones, CSV: store,sku,at_ms,quantity, or lines of baskets together with --demand-baskets
    #[arg(long, value_name = "FILE")]
    demand_trace: Option<PathBuf>,
    /// The baskets of the recorded lines
    #[arg(long, value_name = "FILE", requires = "demand_trace")]
    demand_baskets: Option<PathBuf>,
    /// How many of the most-sold SKUs of the recorded purchases are played, in turn
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = value_parser!(u16).range(1..=10_000))]
    accounts: u16,
    /// Runs of each policy
    #[arg(long, value_name = "N", default_value_t = 120, value_parser = value_parser!(u64).range(1..=1_000_000))]
    runs: u64,
    /// Decides everything that is left to chance
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Runs that are played at once [default: one per core]
    #[arg(long, value_name = "N", value_parser = value_parser!(u16).range(1..=512))]
    threads: Option<u16>,
    /// Write all figures as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write a page to look at, HTML
    #[arg(long, value_name = "FILE.html")]
    html: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ShapeArg {
    /// Most are about as long as the mean
    Exponential,
    /// Most are short and a few last for days: Pareto of shape 1.5
    Heavy,
}

/// Measures it.
pub fn availability(args: &AvailabilityArgs) -> Result<Held, Failure> {
    [&args.json, &args.html].into_iter().flatten().try_for_each(|path| has_folder(path))?;
    let (base, sources) = args.setting()?;
    let settings = args.settings(&base);
    let strategies = args.strategies();
    let runs = args.runs;
    let threads = args.threads.map_or_else(crew::cores, usize::from);
    let total = runs * settings.len() as u64;
    let bar = bar("{bar:32} {pos} of {len} runs  {elapsed_precise}, {eta} left", total);
    let mut tallies: Vec<Vec<Tally>> = vec![Vec::new(); settings.len() * strategies.len()];
    let begun = Instant::now();
    let job = |number: u64| {
        let setting = &settings[(number / runs) as usize];
        let case = Case::draw(setting, number % runs);
        strategies.iter().map(|strategy| play(setting, &case, *strategy)).collect::<Vec<_>>()
    };
    crew::work(threads, total, job, |number, played| {
        let first = (number / runs) as usize * strategies.len();
        played.into_iter().enumerate().for_each(|(at, tally)| tallies[first + at].push(tally));
        bar.inc(1);
        ControlFlow::Continue(())
    });
    bar.finish_and_clear();
    let rows = settings.iter().flat_map(|setting| strategies.iter().map(move |strategy| (setting, *strategy)));
    let lines: Vec<Line> = rows
        .zip(&tallies)
        .map(|((setting, strategy), tallies)| Line {
            strategy,
            uptime: setting.recorded.as_ref().map_or(setting.failing.uptime, Recorded::uptime),
            kappa: setting.tuning.kappa,
            summary: Summary::of(tallies),
        })
        .collect();
    let report = Report { about: args.about(&base, &sources), lines };
    print(&report, begun.elapsed().as_secs_f64());
    if let Some(path) = &args.json {
        write(path, &format!("{:#}\n", args.json(&base, &report)))?;
    }
    if let Some(path) = &args.html {
        write(path, &html(&report))?;
    }
    Ok(if report.lines.iter().all(|line| line.summary.hard_oversold == 0) { Held::Yes } else { Held::No })
}

impl AvailabilityArgs {
    fn strategies(&self) -> Vec<Strategy> {
        let named: Vec<_> = self.policies.iter().filter_map(|name| Strategy::parse(name)).collect();
        if named.is_empty() { Strategy::ALL.to_vec() } else { named }
    }

    /// One setting per uptime and kappa. Recorded outages have an uptime of their own.
    fn settings(&self, base: &Setting) -> Vec<Setting> {
        let uptimes = if base.recorded.is_some() { &self.uptime[..1] } else { &self.uptime[..] };
        let kappas = if self.kappa.is_empty() { vec![base.tuning.kappa] } else { self.kappa.clone() };
        let one = |(uptime, kappa): (f64, f64)| Setting {
            failing: Failing { uptime, ..base.failing },
            tuning: Tuning { kappa, ..base.tuning },
            ..base.clone()
        };
        uptimes.iter().flat_map(|uptime| kappas.iter().map(|kappa| (*uptime, *kappa))).map(one).collect()
    }

    fn setting(&self) -> Result<(Setting, Vec<String>), Failure> {
        let shape = match self.outage_shape {
            ShapeArg::Exponential => Shape::Exponential,
            ShapeArg::Heavy => Shape::Heavy,
        };
        let mut sources = Vec::new();
        let mut setting = Setting {
            nodes: usize::from(self.nodes),
            stock: self.stock,
            demand: self.demand,
            horizon_ms: self.horizon,
            history_ms: self.history,
            zipf: self.zipf,
            failing: Failing { uptime: 1.0, outage_ms: self.mean_outage as f64, shape },
            exact: self.exact_forecasts,
            pull: self.pull,
            district: self.district,
            record_error: self.record_error,
            rule: PolicyRule {
                safety: self.safety,
                soft_ppm: (self.epsilon * 1e6) as u32,
                ..PolicyRule::of(Target::All, Allocation::Littlewood)
            },
            budget: self.budget.unwrap_or(2 * u64::from(self.nodes)),
            seed: self.seed,
            ..Setting::default()
        };
        if let Some(path) = &self.links {
            let read = read_links(open(path)?, &shown(path)).map_err(faulty)?;
            let Some(first) = read.first() else { return Err(format!("{}:1: holds no recording", shown(path))) };
            let number = several(read.len() as u64, "recording", "recordings");
            sources.push(format!("links: {number} in {}: {}", name(path), first.format().says()));
            setting.links = read.into_iter().map(std::sync::Arc::new).collect();
            setting.recorded = Recorded::of_links(&setting.links, &name(path));
        }
        if let Some(path) = &self.outages {
            let recorded = Recorded::read(open(path)?, &shown(path)).map_err(faulty)?;
            let number = several(recorded.links.len() as u64, "link", "links");
            sources.push(format!("outages: {number} in {}, {}", name(path), span(recorded.length_ms as f64 / 1e3)));
            setting.recorded = Some(recorded);
        }
        setting.purchases = self.purchases(&mut sources)?;
        if let Some(purchases) = setting.purchases.as_ref().filter(|p| p.windows(self.horizon) == 0) {
            let length = span(purchases.length_ms as f64 / 1e3);
            return Err(format!("{}: {length} of purchases are less than five horizons", purchases.name));
        }
        Ok((setting, sources))
    }

    fn purchases(&self, sources: &mut Vec<String>) -> Result<Option<Purchases>, Failure> {
        let Some(trace) = &self.demand_trace else { return Ok(None) };
        let accounts = usize::from(self.accounts);
        let purchases = match &self.demand_baskets {
            Some(baskets) => {
                let files = [open(baskets)?, open(trace)?];
                let read = Baskets::read(files, [&shown(baskets), &shown(trace)]).map_err(faulty)?;
                Purchases::of_baskets(&read, accounts)
            }
            None => Purchases::read(open(trace)?, &shown(trace), accounts).map_err(faulty)?,
        };
        let number = several(purchases.accounts() as u64, "SKU", "SKUs");
        let windows = several(purchases.windows(self.horizon), "window", "windows");
        sources.push(format!("purchases: the {number} sold most in {}, {windows} each", name(trace)));
        Ok(Some(purchases))
    }

    /// What was measured, in words: for the table, the page and the JSON.
    fn about(&self, setting: &Setting, sources: &[String]) -> Vec<String> {
        let horizon = span(self.horizon as f64 / 1e3);
        let mut about = vec![match setting.purchases {
            Some(_) => format!("{} nodes, {horizon}, {} runs, seed {}", self.nodes, self.runs, self.seed),
            None => format!(
                "{} nodes, stock {}, demand {} in {horizon}, Zipf {}, {} runs, seed {}",
                self.nodes, self.stock, self.demand, self.zipf, self.runs, self.seed
            ),
        }];
        if setting.recorded.is_none() {
            let shape = match setting.failing.shape {
                Shape::Exponential => "exponential",
                Shape::Heavy => "heavy-tailed (Pareto 1.5)",
            };
            about.push(format!("outages: mean {}, {shape}, assumed", span(self.mean_outage as f64 / 1e3)));
        }
        if let Some(district) = self.district {
            about.push(format!("blackouts: {} a run, {} of the nodes at a time", district.count, district.share));
        }
        if let Some(error) = self.record_error {
            about.push(format!("books: {} of them wrong, by {} of the book on average", error.share, error.size));
        }
        if self.exact_forecasts {
            about.push("forecasts are the true rates".to_owned());
        }
        about.push(format!(
            "soft promises: risk {}, budget {} in all; safety stock {}",
            self.epsilon, setting.budget, self.safety
        ));
        about.extend(sources.iter().cloned());
        about
    }

    fn json(&self, setting: &Setting, report: &Report) -> Value {
        let rows = report.lines.iter().map(|line| {
            let mut row = serde_json::to_value(line.summary).unwrap_or_default();
            row["policy"] = json!(line.strategy.as_str());
            row["uptime_share"] = json!(line.uptime);
            row["kappa_promises"] = json!(line.kappa);
            row
        });
        json!({
            "about": report.about,
            "nodes": setting.nodes,
            "stock_units": setting.stock,
            "demand_units": setting.demand,
            "horizon_ms": setting.horizon_ms,
            "mean_outage_ms": setting.failing.outage_ms,
            "seed": setting.seed,
            "epsilon_share": self.epsilon,
            "budget_units": setting.budget,
            "units": {
                "par": "promises granted and kept / promises a clairvoyant keeps",
                "par_link": "the same, of a clairvoyant who must obey the links",
                "hard_oversold": "units, all runs together",
                "*_share": "share of promises; stranded_share and refused_cut_share: of units asked for",
                "*_per_promise": "per promise, hard or soft",
                "plus_minus": "half width of the 95% confidence interval",
            },
            "rows": rows.collect::<Vec<_>>(),
        })
    }
}

fn print(report: &Report, wall_s: f64) {
    report.about.iter().for_each(|line| out!("{line}"));
    let heads = [
        "uptime",
        "kappa",
        "policy",
        "par",
        "par_link",
        "oversold",
        "soft",
        "soft broken",
        "phantom",
        "stranded",
        "cut",
        "transfers",
        "bytes",
    ];
    let mut rows = vec![heads.map(str::to_owned)];
    rows.extend(report.lines.iter().map(|line| {
        let s = &line.summary;
        let both = |e: Estimate| format!("{:.4}±{:.4}", e.mean, e.plus_minus);
        [
            format!("{:.3}", line.uptime),
            format!("{}", line.kappa),
            line.strategy.as_str().to_owned(),
            both(s.par),
            both(s.par_link),
            s.hard_oversold.to_string(),
            format!("{:.4}", s.soft_share.mean),
            both(s.soft_broken_share),
            both(s.phantom_broken_share),
            format!("{:.4}", s.stranded_share.mean),
            format!("{:.4}", s.refused_cut_share.mean),
            format!("{:.2}+{:.2}", s.transfers_per_promise.mean, s.budget_transfers_per_promise.mean),
            format!("{:.0}", s.bytes_per_promise.mean),
        ]
    }));
    Page::Output.table(&rows);
    out!("  {} runs in {}", report.lines.iter().map(|line| line.summary.runs).sum::<u64>(), span(wall_s));
}

/// A time with its unit: 90s, 20min, 12h, 7d.
fn duration(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit_ms = match &text[digits.len()..] {
        "s" => 1_000.0,
        "m" | "min" => 60_000.0,
        "h" => 3_600_000.0,
        "d" => 86_400_000.0,
        _ => return Err("wants a unit: s, min, h or d".to_owned()),
    };
    let ms = digits.parse::<f64>().map_err(|_| "is no number with a unit".to_owned())? * unit_ms;
    let range = 1_000.0..=400.0 * 86_400_000.0;
    if range.contains(&ms) { Ok(ms as u64) } else { Err("is not between 1s and 400d".to_owned()) }
}

fn within(least: f64, most: f64) -> impl Fn(&str) -> Result<f64, String> + Clone {
    move |text: &str| {
        let value: f64 = text.trim().parse().map_err(|_| "is no number".to_owned())?;
        if (least..=most).contains(&value) { Ok(value) } else { Err(format!("is not between {least} and {most}")) }
    }
}

fn pair(text: &str) -> Result<(&str, &str), String> {
    text.split_once(',').ok_or_else(|| "wants two numbers with a comma between them".to_owned())
}

fn district(text: &str) -> Result<District, String> {
    let (share, count) = pair(text)?;
    let count = count.trim().parse().ok().filter(|count| *count <= 1_000).ok_or("the second is no count up to 1000")?;
    Ok(District { share: within(0.0, 1.0)(share)?, count })
}

fn record_error(text: &str) -> Result<RecordError, String> {
    let (share, size) = pair(text)?;
    Ok(RecordError { share: within(0.0, 1.0)(share)?, size: within(0.0, 100.0)(size)? })
}

/// A file's name without its folders: what is said of a run should not depend on where it was made.
fn name(path: &std::path::Path) -> String {
    path.file_name().map_or_else(|| shown(path), |name| name.to_string_lossy().into_owned())
}
