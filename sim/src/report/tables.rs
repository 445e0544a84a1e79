//! What is best read as a table: injectors, rare states, sizes and hashes.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::timeline::Kind;
use super::words;
use crate::outcome::Outcome;
use crate::plan::DiskKind;

const LINES_MAX: usize = 300;

/// The section.
pub fn section(outcome: &Outcome) -> Markup {
    let disk = match outcome.disk {
        DiskKind::Memory => "ordered rows in memory",
        DiskKind::Redb => "redb on a simulated disk",
    };
    let kind =
        |name: &str| Some(Kind::of(name)).filter(|kind| *kind != Kind::Other).map(Kind::word).unwrap_or_default();
    html! {
        div class="tables" {
            (counts("Faults by injector", ["Injector", "Harms"], &outcome.faults, kind))
            (counts("Rare states reached", ["State", ""], &outcome.reached, |_| ""))
            table {
                caption { "The run" }
                tbody {
                    tr { th scope="row" { "Workload" } td { (words::sentence(&outcome.scaling)) } }
                    tr { th scope="row" { "Kept on" } td { (disk) } }
                    tr { th scope="row" { "Observations" } td { (words::count(outcome.events)) } }
                    tr { th scope="row" { "Deeds acknowledged" } td { (words::count(outcome.ops)) } }
                    tr { th scope="row" { "Frames sent" } td { (words::count(outcome.messages)) } }
                    tr { th scope="row" { "Bytes between neighbours" } td { (words::bytes(outcome.bytes_across)) } }
                    tr { th scope="row" { "Crash images checked" } td { (words::count(outcome.crash_images)) } }
                    tr { th scope="row" { "Hash of all observations" } td { code { (outcome.trace_hash) } } }
                    tr { th scope="row" { "Hash of what nodes hold" } td { code { (outcome.state_hash) } } }
                }
            }
        }
        p class="note" { "The same scenario and seed give the same two hashes." }
    }
}

fn counts(
    caption: &str,
    [name, further]: [&str; 2],
    counts: &BTreeMap<String, u64>,
    more: impl Fn(&str) -> &'static str,
) -> Markup {
    let left_out = counts.len().saturating_sub(LINES_MAX) as u64;
    html! {
        table {
            caption { (caption) }
            @if counts.is_empty() {
                tbody { tr { td { "none" } } }
            } @else {
                thead { tr {
                    th scope="col" { (name) }
                    @if !further.is_empty() { th scope="col" { (further) } }
                    th scope="col" class="number" { "Times" }
                } }
                tbody {
                    @for (state, count) in counts.iter().take(LINES_MAX) {
                        tr {
                            th scope="row" { (words::fitted(state, 120)) }
                            @if !further.is_empty() { td { (more(state)) } }
                            td class="number" { @if *count == 0 { "never" } @else { (words::count(*count)) } }
                        }
                    }
                    @if left_out > 0 { tr { td { (words::count(left_out)) " more" } } }
                }
            }
        }
    }
}
