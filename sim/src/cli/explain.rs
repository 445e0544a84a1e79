//! `explain`: what happened and what each node knew just before a violation.

use clap::Args;
use stockroom_sim::explain::explain as look;
use stockroom_sim::outcome::Verdict;

use super::run::Bar;
use super::say::Page;
use super::wishes::WorldArgs;
use super::{Failure, Held, summary};

/// What to explain.
#[derive(Args, Debug)]
pub struct ExplainArgs {
    #[command(flatten)]
    world: WorldArgs,
    /// The moment after this observation [default: that of the first violation]
    #[arg(long, value_name = "EVENT", value_parser = clap::value_parser!(u64).range(1..))]
    around: Option<u64>,
}

/// Plays it again and tells.
pub fn explain(args: &ExplainArgs) -> Result<Held, Failure> {
    let drawn = args.world.draw()?;
    out!("seed {}", drawn.plan.seed);
    summary::plan(Page::Output, &drawn, args.world.small);
    let mut bar = Bar::new(&drawn.plan);
    let told = look(&drawn.plan, args.around, &mut |seen, scene| bar.show(seen, scene));
    bar.done();
    let told = match told {
        Ok(told) => told,
        Err(outcome) => {
            return match (args.around, outcome.violations.first()) {
                (Some(event), _) => Err(format!("the run has {} events, and --around names {event}", outcome.events)),
                (None, Some(image)) => {
                    out!("{}", summary::violation(image));
                    out!("it was found in a crash image beside the run, which has no events");
                    Ok(Held::No)
                }
                (None, None) => {
                    out!("every check held; name an event with --around");
                    Ok(Held::Yes)
                }
            };
        }
    };
    out!("\nuntil event {}", told.event);
    told.before.iter().for_each(|line| out!("{line}"));
    out!("\nwhat each node knew");
    told.nodes.iter().for_each(|line| out!("  {line}"));
    out!("");
    for found in &told.violations {
        out!("{}", summary::violation(found));
    }
    if told.violations.is_empty() {
        out!("nothing is violated at this event");
    }
    Ok(if told.outcome.verdict == Verdict::Held { Held::Yes } else { Held::No })
}
