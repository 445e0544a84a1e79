//! `list`: everything that can be played, that goes wrong, and that must hold.

use stockroom_sim::checks;
use stockroom_sim::faults::INJECTORS;
use stockroom_sim::hand::BY_HAND;
use stockroom_sim::scenario::SCENARIOS;

use super::say::Page;
use super::{Failure, Held, plants};

/// Prints the lists.
pub fn list() -> Result<Held, Failure> {
    let row = |name: &str, meaning: &str| [name.to_owned(), meaning.to_owned()];
    out!("scenarios");
    let apart = |apart: bool| if apart { " (not in `sweep all`)" } else { "" };
    let scenarios = SCENARIOS.iter().map(|one| row(one.name, &format!("{}{}", one.meaning, apart(one.apart))));
    Page::Output.table(&scenarios.collect::<Vec<_>>());
    out!("\nfaults");
    Page::Output.table(&INJECTORS.iter().chain(BY_HAND).map(|(name, meaning)| row(name, meaning)).collect::<Vec<_>>());
    out!("\nchecks");
    Page::Output.table(&checks::all().iter().map(|check| row(check.name(), check.meaning())).collect::<Vec<_>>());
    out!("\nplants");
    plants::list();
    Ok(Held::Yes)
}
