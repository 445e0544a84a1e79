//! A run in the words of its summary.

use std::collections::BTreeMap;

use stockroom_sim::explain::clock;
use stockroom_sim::hand::HandDeed;
use stockroom_sim::outcome::{Outcome, Verdict, Violation};
use stockroom_sim::plan::{Action, DiskKind, Who};

use super::say::{Page, count, several, span};
use super::wishes::Drawn;

/// What will be played, in a few lines.
pub fn plan(page: Page, drawn: &Drawn, small: bool) {
    let plan = &drawn.plan;
    let fleet = &plan.fleet;
    let disk = match fleet.disk {
        DiskKind::Memory => "rows in memory",
        DiskKind::Redb => "the real database on a disk that tears",
    };
    let faults = plan.steps.iter().filter(|step| matches!(step.action, Action::Fault(_))).count() as u64;
    page.say(format_args!(
        "{}{}: {}, {}, {disk}; {} of faults, {} planned, {} of them faults",
        plan.scenario,
        if small { " (small)" } else { "" },
        several(fleet.stores.into(), "store", "stores"),
        several(fleet.hubs.into(), "hub", "hubs"),
        span(plan.safety_ms as f64 / 1_000.0),
        several(plan.steps.len() as u64, "step", "steps"),
        count(faults),
    ));
    drawn.sources.iter().for_each(|source| page.say(source));
}

/// What was done by hand, if anything was.
pub fn by_hand(page: Page, outcome: &Outcome) {
    if outcome.by_hand.is_empty() {
        return;
    }
    page.say("by hand");
    for act in outcome.by_hand.iter().take(ACTS_SHOWN) {
        let deed = match act.deed {
            HandDeed::Cut => "cut",
            HandDeed::Heal => "healed",
        };
        let (a, b) = (who(act.between.0, outcome.hubs), who(act.between.1, outcome.hubs));
        page.say(format_args!("  {}  {deed}: {a} to {b}", clock(act.at_ms)));
    }
    if let Some(more) = outcome.by_hand.len().checked_sub(ACTS_SHOWN).filter(|more| *more > 0) {
        page.say(format_args!("  and {more} more"));
    }
}

/// As the trace calls them.
fn who(who: Who, hubs: u32) -> String {
    match who {
        Who::Store(store) => format!("store {store}"),
        Who::Hub(_) if hubs == 1 => "hub".into(),
        Who::Hub(1) => "cloud".into(),
        Who::Hub(hub) => format!("hub {}", hub - 1),
    }
}

/// Acts by hand in a summary.
const ACTS_SHOWN: usize = 20;

/// What came of it.
pub fn outcome(page: Page, outcome: &Outcome) {
    let row = |name: &str, value: String| [name.to_owned(), value];
    let up = format!("{} up, {} down", count(outcome.bytes_up), count(outcome.bytes_down));
    let converged = match outcome.verdict {
        Verdict::Held | Verdict::Violated => format!("{} after the faults stopped", span(outcome.converge_s)),
        Verdict::Slow | Verdict::Stuck => "not in time".into(),
    };
    let mut rows = vec![
        row("verdict", verdict(outcome)),
        row(
            "simulated",
            format!(
                "{} in {:.1} s: {} times as fast",
                span(outcome.simulated_s),
                outcome.wall_s,
                count(outcome.speedup as u64)
            ),
        ),
        row("events", format!("{}, and {} acknowledged", count(outcome.events), several(outcome.ops, "deed", "deeds"))),
        row(
            "frames",
            format!("{}; bytes {up}, {} between stores", count(outcome.messages), count(outcome.bytes_across)),
        ),
        row("together", converged),
        row(
            "tills",
            format!(
                "{} waited over a second, the longest {} ms",
                count(outcome.till_blocked),
                count(outcome.till_wait_ms_max)
            ),
        ),
        row(
            "lost",
            format!(
                "{} acknowledged, {} with a disk that no hub had yet",
                count(outcome.lost_acked),
                count(outcome.declared_lost)
            ),
        ),
    ];
    if let Some(orders) = &outcome.orders {
        let [whole, part, cancelled, failed] = orders.ended.map(count);
        rows.push(row(
            "orders",
            format!(
                "{} of {} placed, {} turned away; {whole} complete, {part} in part, {cancelled} cancelled, {failed} failed; {} paid back",
                count(orders.placed),
                count(orders.wanted),
                count(orders.turned_away),
                count(orders.paid_back.unsigned_abs())
            ),
        ));
        rows.push(row(
            "on time",
            format!(
                "{} of {} ready when promised; {} with a plan that knows everything beforehand, {} of those here: {:.1} %",
                count(orders.on_time),
                count(orders.counted),
                count(orders.clairvoyant),
                count(orders.both),
                orders.ratio_ppm as f64 / 10_000.0
            ),
        ));
        rows.push(row(
            "prompt",
            format!(
                "{} ready as soon after the customer first asked, hub or no hub; at most {} by any plan that needs no hub: {:.1} %",
                count(orders.prompt),
                count(orders.hubless),
                orders.prompt_ppm as f64 / 10_000.0
            ),
        ));
        rows.push(row(
            "promises",
            format!("{} lines oversold, {} handed over twice", count(orders.oversold), count(orders.handed_twice)),
        ));
    }
    if outcome.crash_images > 0 {
        rows.push(row("images", format!("{} crash images opened and checked", count(outcome.crash_images))));
    }
    rows.push(row("hashes", format!("trace {} state {}", outcome.trace_hash, outcome.state_hash)));
    page.table(&rows);
    counts(page, "faults", &outcome.faults);
    counts(page, "rare states", &outcome.reached);
    violations(page, &outcome.violations);
    page.say(format_args!("scaling  {}", outcome.scaling));
}

/// How it ended, in a sentence.
pub fn verdict(outcome: &Outcome) -> String {
    match outcome.verdict {
        Verdict::Held => "held: every check held".into(),
        Verdict::Violated => {
            format!("violated: {}", several(outcome.violations.len() as u64, "violation", "violations"))
        }
        Verdict::Slow => "slow: it did not come together in time, and was still moving".into(),
        Verdict::Stuck => "stuck: it did not come together, and nothing moved any more".into(),
    }
}

/// A name and a number a line.
pub fn counts(page: Page, title: &str, counts: &BTreeMap<String, u64>) {
    if counts.is_empty() {
        return;
    }
    page.say(title);
    page.table(&counts.iter().map(|(name, number)| [count(*number), name.clone()]).collect::<Vec<_>>());
}

/// The first violations, the story of each moment once.
pub fn violations(page: Page, violations: &[Violation]) {
    let mut told = None;
    for found in violations.iter().take(VIOLATIONS_MAX) {
        page.say(format_args!("{}", violation(found)));
        if told != Some(found.event) {
            told = Some(found.event);
            found.story.iter().for_each(|line| page.say(format_args!("    {line}")));
        }
    }
    let surplus = violations.len().saturating_sub(VIOLATIONS_MAX);
    if surplus > 0 {
        page.say(format_args!("and {surplus} more"));
    }
}

/// A violation in a line.
pub fn violation(found: &Violation) -> String {
    let node = if found.node == 0 { String::new() } else { format!(", node {}", found.node) };
    format!("violated  {}: {} (at {}, event {}{node})", found.check, found.message, clock(found.at_ms), found.event)
}

/// Violations that are told; the JSON has all that were kept.
const VIOLATIONS_MAX: usize = 10;
