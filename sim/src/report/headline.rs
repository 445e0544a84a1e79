//! The head of the page: which run, how it ended, and the figures that people ask for first.

use maud::{Markup, html};

use super::course::Course;
use super::words;
use crate::outcome::{Outcome, Verdict};

/// One figure: its name, its value, what it means, and whether it is as it must be where that can be said.
struct Figure {
    name: &'static str,
    value: String,
    more: String,
    meaning: &'static str,
    good: Option<bool>,
}

/// The page's title.
pub fn title(outcome: &Outcome) -> String {
    format!("{}, seed {}: {}", words::fitted(&outcome.scenario, 80), outcome.seed, verdict(outcome))
}

/// The head.
pub fn section(course: &Course) -> Markup {
    let outcome = course.outcome;
    let class = match outcome.verdict {
        Verdict::Held => "verdict good",
        Verdict::Violated => "verdict bad",
        Verdict::Slow | Verdict::Stuck => "verdict doubtful",
    };
    html! {
        header {
            p class="kicker" { "Stockroom, simulated run" }
            h1 { (outcome.scenario) " " span class="seed" { "seed " (outcome.seed) } }
            p class=(class) { (icon(outcome.verdict)) (verdict(outcome)) }
            p class="who" {
                (words::many(outcome.stores.into(), "store")) ", " (words::many(outcome.hubs.into(), "hub")) ", "
                (words::many(outcome.record.nodes.len() as u64, "node")) ". " (words::sentence(&outcome.scaling))
            }
            dl class="figures" {
                @for figure in figures(outcome) {
                    div title=(figure.meaning) {
                        dt { (figure.name) }
                        dd {
                            @match figure.good {
                                Some(true) => { (icon(Verdict::Held)) }
                                Some(false) => { (icon(Verdict::Violated)) }
                                None => {}
                            }
                            (figure.value)
                            @if !figure.more.is_empty() { small { (figure.more) } }
                        }
                    }
                }
            }
        }
    }
}

fn verdict(outcome: &Outcome) -> String {
    match (outcome.verdict, outcome.violations.len() as u64) {
        (Verdict::Held, _) => "Every check held".to_owned(),
        (Verdict::Violated, 1) => "One check did not hold".to_owned(),
        (Verdict::Violated, count) => format!("Checks did not hold, {} times", words::count(count)),
        (Verdict::Slow, _) => "Not together when the time was up, but still moving".to_owned(),
        (Verdict::Stuck, _) => "Not together, and nothing moved any more".to_owned(),
    }
}

/// A tick, a cross, an hourglass, a square: told apart by shape.
fn icon(verdict: Verdict) -> Markup {
    let (class, path) = match verdict {
        Verdict::Held => ("icon good", "M3 11l5 5L17 5"),
        Verdict::Violated => ("icon bad", "M4 4l12 12M16 4L4 16"),
        Verdict::Slow => ("icon doubtful", "M4 3h12M4 17h12M5 3l10 14M15 3L5 17"),
        Verdict::Stuck => ("icon doubtful", "M4 4h12v12H4z"),
    };
    html! { svg class=(class) viewBox="0 0 20 20" aria-hidden="true" { path d=(path) {} } }
}

fn figures(outcome: &Outcome) -> Vec<Figure> {
    let sales: u64 = outcome.record.sales.values().flatten().map(|count| u64::from(*count)).sum();
    let unmeasured = || "not measured".to_owned();
    let speed = (outcome.speedup.is_finite() && outcome.speedup > 0.0).then(|| match outcome.speedup {
        slow if slow < 10.0 => format!("{slow:.1}×"),
        fast => format!("{}×", words::count(fast as u64)),
    });
    let wall = words::lasting_s(outcome.wall_s).filter(|_| outcome.wall_s > 0.0);
    let together = match outcome.verdict {
        Verdict::Held | Verdict::Violated => words::lasting_s(outcome.converge_s),
        Verdict::Slow | Verdict::Stuck => Some("never".to_owned()),
    };
    let came_together = match outcome.verdict {
        Verdict::Held | Verdict::Violated => None,
        Verdict::Slow | Verdict::Stuck => Some(false),
    };
    let plain = |name, value, more, meaning| Figure { name, value, more, meaning, good: None };
    vec![
        plain(
            "Simulated time",
            words::lasting_s(outcome.simulated_s).unwrap_or_else(unmeasured),
            String::new(),
            "How long the run was on its own clock",
        ),
        plain(
            "Speed",
            speed.unwrap_or_else(unmeasured),
            wall.map(|wall| format!("in {wall}")).unwrap_or_default(),
            "Simulated time over time on the wall, and the time on the wall",
        ),
        plain(
            "Sales acknowledged",
            words::count(sales),
            format!("of {}", words::many(outcome.ops, "deed")),
            "Sales that a till was told are safe, among everything that people did and that was acknowledged",
        ),
        plain(
            "Bytes up",
            words::bytes(outcome.bytes_up),
            String::new(),
            "Frames from stores to hubs, and from hubs to the cloud",
        ),
        plain(
            "Bytes down",
            words::bytes(outcome.bytes_down),
            if outcome.bytes_across > 0 {
                format!("and {} across", words::bytes(outcome.bytes_across))
            } else {
                String::new()
            },
            "Frames from hubs to stores, and those between neighbours",
        ),
        plain(
            "Faults injected",
            words::count(outcome.faults.values().fold(0, |all, count| all.saturating_add(*count))),
            format!(
                "by {}",
                words::many(outcome.faults.values().filter(|count| **count > 0).count() as u64, "injector")
            ),
            "How often something was made to go wrong, and by how many injectors",
        ),
        Figure {
            name: "Together after",
            value: together.unwrap_or_else(unmeasured),
            more: String::new(),
            meaning: "From the end of the faults until all healthy nodes agreed",
            good: came_together,
        },
        Figure {
            name: "Longest wait at a till",
            value: words::lasting(outcome.till_wait_ms_max),
            more: format!("{} over a second", words::many(outcome.till_blocked, "wait")),
            meaning: "The longest that a till waited for a node that was up, and how often one waited longer than a second",
            good: Some(outcome.till_blocked == 0),
        },
        Figure {
            name: "Lost",
            value: words::count(outcome.lost_acked),
            more: String::new(),
            meaning: "Acknowledged deeds that are nowhere any more although no disk was lost",
            good: Some(outcome.lost_acked == 0),
        },
        plain(
            "Gone with a disk",
            words::count(outcome.declared_lost),
            String::new(),
            "Acknowledged deeds that went with a disk that was set back or lost before any hub had them",
        ),
    ]
}
