//! What did not hold, each with its story and the command that shows more.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::words;
use crate::outcome::{Outcome, Violation};

/// Violations told one by one; of more only the number.
const TOLD_MAX: usize = 500;
/// Letters of all messages and stories together: the rest can be had by the command.
const LETTERS_MAX: usize = 300_000;
const MESSAGE_LETTERS_MAX: usize = 2_000;

/// The section, if there is anything to tell.
pub fn section(outcome: &Outcome) -> Option<Markup> {
    let violations = &outcome.violations;
    if violations.is_empty() {
        return None;
    }
    let mut by_check: BTreeMap<&str, u64> = BTreeMap::new();
    violations.iter().for_each(|violation| *by_check.entry(&violation.check).or_default() += 1);
    let mut room = LETTERS_MAX;
    let told: Vec<_> =
        violations.iter().take(TOLD_MAX).enumerate().map(|(at, one)| told(outcome, one, at == 0, &mut room)).collect();
    let untold = violations.len().saturating_sub(TOLD_MAX) as u64;
    Some(html! {
        @if by_check.len() > 1 || violations.len() > 10 {
            ul {
                @for (check, count) in by_check.iter().take(TOLD_MAX) {
                    li { (words::fitted(check, 200)) ": " (words::count(*count)) }
                }
            }
        }
        @for violation in told { (violation) }
        @if untold > 0 { p { (words::count(untold)) " more are not told here." } }
    })
}

fn told(outcome: &Outcome, violation: &Violation, first: bool, room: &mut usize) -> Markup {
    let node = violation.node;
    let name = outcome.record.nodes.iter().find(|(id, _)| *id == node).map(|(_, name)| words::fitted(name, 60));
    let node = (node > 0).then(|| name.unwrap_or_else(|| format!("node {node}")));
    let message = words::fitted(&violation.message, MESSAGE_LETTERS_MAX.min((*room).max(200)));
    *room = room.saturating_sub(message.len());
    let fits = |line: &&String| {
        let left = room.checked_sub(line.len());
        *room = left.unwrap_or(0);
        left.is_some()
    };
    let story: Vec<&String> = violation.story.iter().take_while(fits).collect();
    let untold = violation.story.len() - story.len();
    let at = format!("{}.{:03}", words::moment(violation.at_ms), violation.at_ms % 1000);
    html! {
        details open[first] {
            summary {
                strong { (words::fitted(&violation.check, 200)) }
                " " (at) @if let Some(node) = node { ", " (node) }
            }
            p { (message) }
            @if !story.is_empty() {
                ol class="story" { @for line in story { li { (line) } } }
            }
            @if untold > 0 { p { (words::many(untold as u64, "line")) " of its story left out." } }
            p { "After event " (words::count(violation.event)) ". To see what led to it:" }
            pre tabindex="0" { code {
                "stockroom-sim explain " (outcome.scenario) " --seed " (outcome.seed) " --around " (violation.event)
            } }
        }
    }
}
