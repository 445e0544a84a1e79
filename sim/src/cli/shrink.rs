//! `shrink`: the smallest set of faults and operations that still fails.

use clap::Args;
use stockroom_sim::explain::clock;
use stockroom_sim::shrink::{TRIES_MAX, shrink as search, step_words};

use super::say::{Page, bar, several};
use super::wishes::WorldArgs;
use super::{Failure, Held, summary};

/// What to make smaller.
#[derive(Args, Debug)]
pub struct ShrinkArgs {
    #[command(flatten)]
    world: WorldArgs,
    /// The check that must go on failing, by its number, e.g. I14 [default: the first one that fails]
    #[arg(long, value_name = "NUMBER")]
    check: Option<String>,
}

/// Makes it smaller.
pub fn shrink(args: &ShrinkArgs) -> Result<Held, Failure> {
    if args.world.is_cut() {
        return Err("it begins with the whole plan: leave the --keep-... arguments out".into());
    }
    let drawn = args.world.draw()?;
    out!("seed {}", drawn.plan.seed);
    summary::plan(Page::Output, &drawn, args.world.small);
    let bar = bar("{bar:32} {pos} of at most {len} runs  {elapsed_precise}  {msg}", TRIES_MAX.into());
    let found = search(&drawn.plan, args.check.as_deref(), &mut |progress| {
        bar.set_position(progress.tried.into());
        bar.set_message(format!("{} left", several(progress.steps as u64, "step", "steps")));
    });
    bar.finish_and_clear();
    let Some(found) = found else {
        let check = args.check.as_deref().map_or("every check held".into(), |check| format!("{check} held"));
        out!("{check}: there is nothing to make smaller");
        return Ok(Held::Yes);
    };
    let left = several(found.plan.steps.len() as u64, "step", "steps");
    let stores = several(found.plan.fleet.stores.into(), "store", "stores");
    out!("{}: {left} of {} left, {stores}, after {} runs", found.check, drawn.plan.steps.len(), found.tried);
    if !found.smallest {
        out!("the tries are used up: something more could perhaps be left out");
    }
    let numbers = found.cut.steps.iter().flatten();
    for (number, step) in numbers.zip(&found.plan.steps) {
        out!("  {}  {} (step {number})", clock(step.at_ms), step_words(step));
    }
    out!("  {}  the faults stop", clock(found.plan.safety_ms));
    summary::violations(Page::Output, &found.outcome.violations);
    out!("again: stockroom-sim run {} {}", args.world.again(), found.cut);
    Ok(Held::No)
}
