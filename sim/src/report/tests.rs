//! The whole page: nothing lost, nothing let through, never too large.

use std::collections::BTreeMap;

use super::html;
use crate::outcome::{FaultSpan, Outcome, Record, Verdict, Violation};
use crate::plan::DiskKind;

const HOSTILE: &str = "</style><script>alert('x')</script><img src=x onerror=\"y\">&";
const DAY_MS: u64 = 86_400_000;

fn outcome(record: Record) -> Outcome {
    Outcome {
        scenario: "chain-week".to_owned(),
        seed: 42,
        stores: 4,
        hubs: 1,
        disk: DiskKind::Memory,
        simulated_s: record.end_ms as f64 / 1000.0,
        wall_s: 1.5,
        speedup: 2_000.0,
        events: 10,
        ops: 9,
        messages: 8,
        bytes_up: 7_000,
        bytes_down: 6_000,
        bytes_across: 5,
        faults: BTreeMap::from([("N4 cut".to_owned(), 3)]),
        reached: BTreeMap::from([("fence during a cut".to_owned(), 2), ("third copy".to_owned(), 0)]),
        violations: vec![],
        verdict: Verdict::Held,
        converge_s: 61.0,
        till_blocked: 0,
        till_wait_ms_max: 20,
        lost_acked: 0,
        declared_lost: 0,
        crash_images: 12,
        trace_hash: "0123456789abcdef".to_owned(),
        state_hash: "fedcba9876543210".to_owned(),
        orders: None,
        by_hand: Vec::new(),
        scaling: "one sale for ten".to_owned(),
        record,
    }
}

fn span(name: &str, nodes: Vec<u32>, from_ms: u64, to_ms: u64) -> FaultSpan {
    FaultSpan { name: name.to_owned(), nodes, from_ms, to_ms, detail: "both ways".to_owned() }
}

fn violation(event: u64) -> Violation {
    Violation {
        check: format!("I{event} equal heads"),
        at_ms: event * 1_000,
        event,
        node: 1,
        message: format!("heads differ at event {event}"),
        story: vec![format!("Store 1 knew {event} entries")],
    }
}

/// `nodes` nodes over `days` days, with everything that can be recorded.
fn record(nodes: u32, days: u64) -> Record {
    let end_ms = days * DAY_MS;
    let healed_ms = end_ms / 10 * 9;
    let letters = ["N4 cut", "P1 crash", "D7 bit rot", "C2 step", "B1 equivocation"];
    let faults = (0..u64::from(nodes) * days)
        .map(|at| (at, at * 7_919_000 % healed_ms.max(1)))
        .map(|(at, from)| span(letters[at as usize % 5], vec![at as u32 % nodes + 1], from, from + at % 9 * 600_000));
    Record {
        start_ms: 1_700_000_000_000,
        healed_ms,
        agreed_ms: Some(healed_ms + 61_000),
        end_ms,
        nodes: (1..=nodes).map(|node| (node, format!("Store {node}"))).collect(),
        faults: faults.collect(),
        down: (1..=nodes).map(|node| span("down", vec![node], u64::from(node) * 1_000, 9_000_000)).collect(),
        lag: (1..=nodes)
            .map(|node| (node, (0..days * 24).map(|at| (at * 3_600_000, at * u64::from(node) % 977)).collect()))
            .collect(),
        link_bytes: (2..=nodes).map(|node| ((node, 1), [1, 20, 300, u64::from(node) * 4_000, 50_000])).collect(),
        sales: (1..=nodes)
            .map(|store| (store, (0..days as u32 * 24).map(|hour| hour * store % 37).collect()))
            .collect(),
    }
}

/// Tags that are opened and not closed, or closed and not opened.
fn unbalanced(page: &str) -> Vec<String> {
    let mut open: Vec<String> = Vec::new();
    let mut wrong = Vec::new();
    for part in page.split('<').skip(1).filter(|part| !part.starts_with('!')) {
        let tag = part.split('>').next().unwrap_or_default();
        let name = tag.trim_start_matches('/').split([' ', '/']).next().unwrap_or_default().to_owned();
        if tag.ends_with('/') || name == "meta" {
            continue;
        }
        if !tag.starts_with('/') {
            open.push(name);
        } else if open.pop().as_ref() != Some(&name) {
            wrong.push(name);
        }
    }
    [wrong, open].concat()
}

fn assert_sound(page: &str) {
    assert!(page.starts_with("<!DOCTYPE html><html lang=\"en\">"), "{}", &page[..60]);
    assert_eq!(unbalanced(page), Vec::<String>::new());
    for outside in ["http:", "https:", "src=", "href=", "@import", "url(//", "<script"] {
        assert!(!page.contains(outside), "{outside}");
    }
    for number in ["NaN", "inf,", "inf\"", "Infinity"] {
        assert!(!page.contains(number), "{number}");
    }
    for (start, _) in page.match_indices("<svg class=\"plot\"") {
        let tag = page[start..].split('>').next().unwrap_or_default();
        assert!(tag.contains("role=\"img\"") && !tag.contains("aria-label=\"\""), "{tag}");
    }
    assert!(!page.contains("could not be drawn"));
    assert!(page.len() < 2_000_000, "{} bytes", page.len());
}

#[test]
fn an_empty_record_makes_a_page() {
    let page = html(&outcome(Record::default()));
    assert_sound(&page);
    assert!(page.contains("chain-week") && page.contains("seed 42") && page.contains("Every check held"));
    assert!(page.contains("No fault was recorded") && page.contains("No sale was acknowledged"));
}

#[test]
fn a_run_of_any_size_makes_a_page_of_bounded_size() {
    for (nodes, days) in [(1, 0), (1, 1), (4, 3), (12, 30), (61, 2), (1_000, 60)] {
        let page = html(&outcome(record(nodes, days)));
        assert_sound(&page);
    }
}

#[test]
fn what_is_left_out_of_a_large_run_is_told() {
    let mut large = record(200, 2);
    large.faults.retain(|fault| fault.nodes[0] <= 70);
    large.down.clear();
    let page = html(&outcome(large));
    assert!(page.contains("130 nodes without a fault, 10 nodes with fewer faults than these"));
    assert!(page.contains("179 other links together"));
    assert!(page.contains("160 stores that sold less are left out"));
}

#[test]
fn every_violation_is_told_with_its_story_and_command() {
    let mut outcome = outcome(record(4, 1));
    outcome.verdict = Verdict::Violated;
    outcome.violations = (1..=200).map(violation).collect();
    let page = html(&outcome);
    assert_sound(&page);
    for event in 1..=200 {
        assert!(page.contains(&format!("I{event} equal heads")));
        assert!(page.contains(&format!("heads differ at event {event}<")));
        assert!(page.contains(&format!("Store 1 knew {event} entries")));
        assert!(page.contains(&format!("stockroom-sim explain chain-week --seed 42 --around {event}<")));
    }
    assert!(page.contains("Checks did not hold, 200 times"));
    assert!(page.find("What did not hold") < page.find("<h2>Faults"), "they come first");
}

#[test]
fn stories_without_end_are_cut_and_that_is_told() {
    let mut outcome = outcome(record(4, 1));
    outcome.verdict = Verdict::Violated;
    let long = Violation { story: vec!["x".repeat(10_000); 100], message: "y".repeat(1_000_000), ..violation(7) };
    outcome.violations = vec![long; 3];
    outcome.violations.extend((8..1_000).map(violation));
    let page = html(&outcome);
    assert_sound(&page);
    assert!(page.contains("of its story left out") && page.contains("495 more are not told here"));
}

#[test]
fn hostile_text_stays_text() {
    let mut record = record(4, 1);
    record.nodes.iter_mut().for_each(|(_, name)| *name = HOSTILE.to_owned());
    record.faults.iter_mut().for_each(|fault| {
        fault.name = HOSTILE.to_owned();
        fault.detail = HOSTILE.to_owned();
    });
    let mut outcome = outcome(record);
    outcome.verdict = Verdict::Violated;
    outcome.violations = vec![Violation {
        check: HOSTILE.to_owned(),
        message: HOSTILE.to_owned(),
        story: vec![HOSTILE.to_owned()],
        ..violation(1)
    }];
    for text in [&mut outcome.scenario, &mut outcome.scaling, &mut outcome.trace_hash, &mut outcome.state_hash] {
        *text = HOSTILE.to_owned();
    }
    outcome.faults = BTreeMap::from([(HOSTILE.to_owned(), 1)]);
    outcome.reached = BTreeMap::from([(HOSTILE.to_owned(), 1)]);
    let page = html(&outcome);
    assert_eq!(unbalanced(&page), Vec::<String>::new());
    for tag in ["<script", "<img", "onerror=\"y"] {
        assert!(!page.contains(tag), "{tag}");
    }
    assert!(page.contains("&lt;script&gt;"));
}

#[test]
fn numbers_beyond_measure_do_no_harm() {
    let mut record = record(4, 1);
    record.end_ms = u64::MAX;
    record.healed_ms = u64::MAX;
    record.agreed_ms = Some(0);
    record.faults.push(span("N1 loss", vec![1, u32::MAX], u64::MAX, 0));
    record.faults.push(span("N1 loss", vec![], 0, u64::MAX));
    record.lag.insert(1, vec![(u64::MAX, u64::MAX), (0, 0)]);
    record.lag.insert(2, vec![]);
    record.link_bytes.insert((1, 2), [u64::MAX; 5]);
    record.sales.insert(1, vec![u32::MAX; 24]);
    record.sales.insert(2, vec![]);
    let mut outcome = outcome(record);
    outcome.faults = BTreeMap::from([("N1 loss".to_owned(), u64::MAX), ("N2 twice".to_owned(), u64::MAX)]);
    outcome.seed = u64::MAX;
    outcome.till_wait_ms_max = u64::MAX;
    for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, -1.0] {
        outcome.simulated_s = number;
        outcome.wall_s = number;
        outcome.speedup = number;
        outcome.converge_s = number;
        assert_sound(&html(&outcome));
    }
}

#[test]
fn each_verdict_has_words_and_a_shape() {
    for (verdict, words, shape) in [
        (Verdict::Held, "Every check held", "M3 11l5 5L17 5"),
        (Verdict::Violated, "One check did not hold", "M4 4l12 12M16 4L4 16"),
        (Verdict::Slow, "but still moving", "M4 3h12M4 17h12"),
        (Verdict::Stuck, "nothing moved any more", "M4 4h12v12H4z"),
    ] {
        let mut outcome = outcome(record(2, 1));
        outcome.verdict = verdict;
        outcome.violations = if verdict == Verdict::Violated { vec![violation(1)] } else { vec![] };
        let page = html(&outcome);
        let head = page.split("<main>").next().unwrap_or_default();
        assert!(head.contains(words) && head.contains(shape), "{verdict:?}");
    }
}
