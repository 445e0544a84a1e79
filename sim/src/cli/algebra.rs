//! `algebra`: random schedules over the bare algebra of rights.

use std::ops::ControlFlow;
use std::time::Instant;

use clap::builder::PossibleValuesParser;
use clap::{Args, value_parser};
use stockroom_sim::algebra::{Ablation, Found, schedule};

use super::say::{Page, bar, count, span};
use super::{Failure, Held, crew};

/// How many, how long, and what to take away.
#[derive(Args, Debug)]
pub struct AlgebraArgs {
    /// Schedules with all rules
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    schedules: u64,
    /// Schedules without each rule that is taken away
    #[arg(long, value_name = "N", default_value_t = 20_000)]
    ablated: u64,
    /// Steps of each
    #[arg(long, value_name = "N", default_value_t = 400, value_parser = value_parser!(u32).range(1..=1_000_000))]
    steps: u32,
    /// Take only this rule away; each in turn otherwise
    #[arg(long, value_name = "RULE", value_parser = PossibleValuesParser::new(Ablation::ALL.map(Ablation::as_str)))]
    without: Vec<String>,
    /// The first schedule's seed; the others count up from it
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Schedules that are played at once [default: one per core]
    #[arg(long, value_name = "N", value_parser = value_parser!(u16).range(1..=512))]
    threads: Option<u16>,
}

/// Plays them.
pub fn algebra(args: &AlgebraArgs) -> Result<Held, Failure> {
    let named: Vec<Ablation> = args.without.iter().filter_map(|name| Ablation::parse(name)).collect();
    let ablations = if named.is_empty() { Ablation::ALL.to_vec() } else { named };
    let begun = Instant::now();
    out!("seeds from {}, {} steps each", args.seed, count(args.steps.into()));
    let whole = args.play(None, args.schedules);
    let mut rows = vec![
        ["rules", "schedules", "oversold", "first seed", "promises", "rows delivered", "losses"].map(str::to_owned),
    ];
    rows.push(whole.row("all", args.schedules));
    let mut missed = Vec::new();
    for ablation in ablations {
        let sum = args.play(Some(ablation), args.ablated);
        rows.push(sum.row(&format!("without {}", ablation.as_str()), args.ablated));
        if sum.oversold == 0 {
            missed.push(ablation.as_str());
        }
    }
    Page::Output.table(&rows);
    out!("  in {}", span(begun.elapsed().as_secs_f64()));
    missed.iter().for_each(|name| out!("not found in {} schedules: {name}", count(args.ablated)));
    Ok(if whole.oversold == 0 && missed.is_empty() { Held::Yes } else { Held::No })
}

/// What many schedules found.
#[derive(Default)]
struct Sum {
    oversold: u64,
    first: Option<u64>,
    all: Found,
}

impl AlgebraArgs {
    fn play(&self, ablation: Option<Ablation>, schedules: u64) -> Sum {
        let threads = self.threads.map_or_else(crew::cores, usize::from);
        let bar = bar("{bar:32} {pos} of {len} schedules  {elapsed_precise}, {eta} left  {msg}", schedules);
        bar.set_message(ablation.map_or("all rules", Ablation::as_str));
        let mut sum = Sum::default();
        let job = |chunk: u64| {
            let last = ((chunk + 1) * CHUNK).min(schedules);
            let seeds = (chunk * CHUNK..last).map(|number| self.seed.wrapping_add(number));
            seeds.map(|seed| (seed, schedule(seed, self.steps, ablation))).collect::<Vec<_>>()
        };
        crew::work(threads, schedules.div_ceil(CHUNK), job, |_, found| {
            bar.inc(found.len() as u64);
            found.into_iter().for_each(|(seed, found)| sum.add(seed, &found));
            ControlFlow::Continue(())
        });
        bar.finish_and_clear();
        sum
    }
}

impl Sum {
    fn add(&mut self, seed: u64, found: &Found) {
        if found.oversold_at.is_some() {
            self.oversold += 1;
            self.first = self.first.or(Some(seed));
        }
        self.all.promises += found.promises;
        self.all.delivered += found.delivered;
        self.all.losses += found.losses;
    }

    fn row(&self, name: &str, schedules: u64) -> [String; 7] {
        let first = self.first.map_or_else(|| "-".to_owned(), |seed| seed.to_string());
        let Found { promises, delivered, losses, .. } = self.all;
        [
            name.to_owned(),
            count(schedules),
            count(self.oversold),
            first,
            count(promises),
            count(delivered),
            count(losses),
        ]
    }
}

/// Schedules that one thread plays before it asks for more.
const CHUNK: u64 = 500;
