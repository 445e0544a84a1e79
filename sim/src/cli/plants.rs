//! `plants`: bugs are planted in the core one by one, and for each a check must find one that shows within a number of seeds.
//!
//! The bugs are in the core only when it is built for it.

use clap::Args;
use stockroom_core::plant::ALL;

use super::panics::Panics;
use super::say::Page;
use super::{Failure, Held};

/// Which bugs.
#[derive(Args, Debug)]
#[cfg_attr(not(feature = "planted"), allow(dead_code, reason = "without the feature there is nothing to choose from"))]
pub struct PlantsArgs {
    /// Only so many of them, others every day
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    some: Option<u32>,
    /// Begin with the one of this number, from 0 [default: 0, or with --some, by the date]
    #[arg(long, value_name = "K")]
    from: Option<u64>,
    /// Bugs that are looked for at once [default: one per core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=512))]
    jobs: Option<u16>,
}

#[cfg(not(feature = "planted"))]
const COMMAND: &str = "cargo run --release -p stockroom-sim --features planted --";

/// Says how to get at them.
#[cfg(not(feature = "planted"))]
pub fn plants(_: &PlantsArgs, _: &Panics) -> Result<Held, Failure> {
    Err(format!("this build has no bugs planted in it; use: {COMMAND} plants"))
}

/// Prints them, and how to get at them.
pub fn list() {
    Page::Output.table(&ALL.iter().map(|plant| [plant.name().into(), plant.meaning().into()]).collect::<Vec<_>>());
    #[cfg(not(feature = "planted"))]
    out!("  this build has none of them in it; use: {COMMAND} plants");
}

#[cfg(feature = "planted")]
pub use planted::plants;

#[cfg(feature = "planted")]
mod planted {
    use std::ops::ControlFlow;
    use std::time::{Instant, SystemTime, UNIX_EPOCH};

    use stockroom_core::plant::Plant;
    use stockroom_sim::run::{Until, run};
    use stockroom_sim::scenario::{Wishes, draw};

    use super::{ALL, Failure, Held, Panics, PlantsArgs};
    use crate::cli::crew;
    use crate::cli::say::several;

    /// Plants each and looks for it.
    pub fn plants(args: &PlantsArgs, panics: &Panics) -> Result<Held, Failure> {
        let all = ALL.len() as u64;
        let many = args.some.map_or(all, u64::from).min(all);
        let from = match (args.from, args.some) {
            (Some(from), _) => from % all.max(1),
            (None, Some(_)) => today() * many % all.max(1),
            (None, None) => 0,
        };
        out!("seeds 0..{SEEDS} for each; {many} of {all} plants, from number {from}");
        let jobs = args.jobs.map_or_else(crew::cores, usize::from);
        let plant = |number: u64| ALL[((from + number) % all) as usize];
        let mut missed = 0;
        crew::work(
            jobs,
            many,
            |number| hunt(plant(number), panics),
            |number, hunted| {
                let name = plant(number).name();
                match hunted {
                    Ok(caught) => out!("{name}: {caught}"),
                    Err(missing) => {
                        missed += 1;
                        out!("{name}: NOT FOUND {missing}: {}", plant(number).meaning());
                    }
                }
                ControlFlow::Continue(())
            },
        );
        out!("{}, {missed} not found", several(many, "plant", "plants"));
        Ok(if missed == 0 { Held::Yes } else { Held::No })
    }

    /// Plays seeds with a planted bug until a check finds it.
    fn hunt(plant: Plant, panics: &Panics) -> Result<String, String> {
        let begun = Instant::now();
        let wishes = Wishes { small: true, ..Wishes::default() };
        let names = plant.scenarios();
        let mut broken = None;
        for seed in 0..SEEDS {
            let name = names[(seed % names.len() as u64) as usize];
            let plan = draw(name, seed, &wishes).ok_or_else(|| format!("there is no scenario {name}"))?;
            Plant::set(Some(plant));
            let played = panics.catch(|| run(&plan, Until::Violation, &mut |_, _| {}));
            Plant::set(None);
            match played {
                Ok(outcome) => {
                    if let Some(first) = outcome.violations.first() {
                        // A world that breaks without the bug proves nothing about it.
                        let honest = panics.catch(|| run(&plan, Until::Violation, &mut |_, _| {}));
                        if !honest.is_ok_and(|honest| honest.violations.is_empty()) {
                            continue;
                        }
                        let took_s = begun.elapsed().as_secs_f64();
                        return Ok(format!(
                            "seed {seed} of {name} after {took_s:.1} s, by {}: {}",
                            first.check, first.message
                        ));
                    }
                }
                Err(panic) => {
                    broken = broken.or(Some(format!("; it broke the simulator with seed {seed} of {name}: {panic}")))
                }
            }
        }
        Err(format!("in {SEEDS} seeds of {}{}", names.join(", "), broken.unwrap_or_default()))
    }

    /// Days since 1970.
    fn today() -> u64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() / 86_400)
    }

    /// A bug that so many small worlds do not show is not found.
    const SEEDS: u64 = 200;
}
