//! When what went wrong where: a row per node, a bar per fault.

use std::collections::BTreeSet;

use maud::{Markup, html};

use super::axis::Axis;
use super::course::Course;
use super::picture::{Picture, Shape};
use super::rows::{Row, rows};
use super::{Width, key, scrolling, words};
use crate::outcome::FaultSpan;

/// What an injector harms, told by the first letter of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Paths between nodes.
    Network,
    /// The process or its machine.
    Process,
    /// What is written.
    Disk,
    /// What time it is.
    Clock,
    /// Whom one can trust.
    Hostile,
    /// Something else.
    Other,
}

impl Kind {
    /// What an injector of this name harms.
    pub fn of(name: &str) -> Self {
        match name.chars().next() {
            Some('N' | 'H') => Self::Network,
            Some('P') => Self::Process,
            Some('D') => Self::Disk,
            Some('C') => Self::Clock,
            Some('B') => Self::Hostile,
            Some(_) | None => Self::Other,
        }
    }

    /// In words.
    pub fn word(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::Process => "process",
            Self::Disk => "disk",
            Self::Clock => "clock",
            Self::Hostile => "hostile",
            Self::Other => "other",
        }
    }

    /// Its class in the style sheet.
    pub fn class(self) -> &'static str {
        match self {
            Self::Network => "c0",
            Self::Process => "c1",
            Self::Disk => "c2",
            Self::Clock => "c3",
            Self::Hostile => "c4",
            Self::Other => "c5",
        }
    }
}

/// Bars in one picture; beyond it, neighbours in a row are drawn as one.
const BARS_MAX: usize = 2_500;
/// The least width of a bar, so that what only struck can be seen and pointed at.
const BAR_WIDTH_MIN: f64 = 3.0;
const NAME_LETTERS_MAX: usize = 18;

/// The section's words and picture.
pub fn section(course: &Course) -> Markup {
    let record = &course.outcome.record;
    if record.faults.is_empty() && record.down.is_empty() {
        return html! { p { "No fault was recorded, and no node was down." } };
    }
    let (rows, left_out) = rows(course);
    let kinds: BTreeSet<Kind> = record.faults.iter().map(|fault| Kind::of(&fault.name)).collect();
    let finding = finding(course, &rows);
    let down = (!record.down.is_empty()).then(|| ("down", "node is down".to_owned()));
    let marks = kinds.iter().map(|kind| (kind.class(), kind.word().to_owned())).chain(down);
    html! {
        p { (finding) }
        (scrolling("Faults at each node over time", Width::Wide, picture(course, &rows, &kinds).draw(&finding)))
        (key(marks.chain(course.moments_key())))
        p class="note" {
            @if kinds.len() > 1 {
                "In each row from top to bottom: "
                (kinds.iter().map(|kind| kind.word()).collect::<Vec<_>>().join(", ")) ". "
            }
            "Point at a bar to read what it was. " @if let Some(left_out) = left_out { (left_out) }
        }
    }
}

fn finding(course: &Course, rows: &[Row]) -> String {
    let record = &course.outcome.record;
    let spans = record.faults.iter().chain(&record.down);
    let struck: BTreeSet<u32> = spans.flat_map(|span| span.nodes.iter().copied()).collect();
    let most = rows.iter().filter(|row| row.node.is_some()).max_by_key(|row| row.faults.len());
    let most = most.filter(|row| row.faults.len() > 1 && rows.len() > 1).map(|row| {
        format!(
            " {} had the most, {}.",
            words::sentence(&words::fitted(&row.name, 40)),
            words::count(row.faults.len() as u64)
        )
    });
    let agreed = course.agreed_ms.map(|agreed| agreed.saturating_sub(record.healed_ms));
    let agreed = agreed.map(|ms| format!("; all agreed {} later", words::lasting(ms))).unwrap_or_default();
    format!(
        "{} at {} of {}.{} The faults stopped on {}{agreed}.",
        words::many(record.faults.len() as u64, "fault"),
        words::count(struck.len() as u64),
        words::many(course.nodes.len() as u64, "node"),
        most.unwrap_or_default(),
        words::moment(record.healed_ms),
    )
}

fn picture(course: &Course, rows: &[Row], kinds: &BTreeSet<Kind>) -> Picture {
    let track_height = if rows.len() <= 12 { 7 } else { 5 };
    let row_height = (kinds.len() as u32 * track_height + 6).max(17);
    let mut picture = Picture {
        width: 1_000,
        inner_height: row_height * rows.len() as u32,
        left: 132,
        x: Axis::time(course.end_ms, 10),
        y: Axis::rows(rows.iter().map(|row| words::fitted(&row.name, NAME_LETTERS_MAX))),
        marks: vec![],
    };
    for stripe in (1..rows.len()).step_by(2).map(|row| row as f64) {
        picture.add(Shape::Bar((0.0, picture.x.to), (stripe, stripe + 1.0)), "stripe", "");
    }
    let (unit, end) = (picture.unit_x(), picture.x.to);
    for bar in few_bars(rows, kinds, unit) {
        let from = (bar.from_ms as f64).min(end - BAR_WIDTH_MIN * unit).max(0.0);
        let to = (bar.to_ms as f64).min(end).max(from + BAR_WIDTH_MIN * unit);
        picture.add(Shape::Bar((from, to), bar.y), bar.class, bar.title(course));
    }
    course.mark_moments(&mut picture);
    picture
}

/// A bar: one fault, or several that are too near each other to be told apart.
struct Bar<'a> {
    from_ms: u64,
    to_ms: u64,
    y: (f64, f64),
    class: &'static str,
    spans: Vec<&'a FaultSpan>,
}

impl Bar<'_> {
    fn title(&self, course: &Course) -> String {
        match self.spans.as_slice() {
            [span] => course.fault(span),
            spans => {
                let names: BTreeSet<&str> = spans.iter().map(|span| span.name.as_str()).collect();
                let names: Vec<_> = names.into_iter().take(4).map(|name| words::fitted(name, 40)).collect();
                let count = words::many(spans.len() as u64, "fault");
                let (from, to) = (words::moment(self.from_ms), words::moment(self.to_ms.min(course.end_ms)));
                format!("{count}, {from} to {to}: {}", names.join(", "))
            }
        }
    }
}

/// As many bars as a page can bear: each fault its own, or, if these are too many, with what is near drawn as one.
fn few_bars<'a>(rows: &[Row<'a>], kinds: &BTreeSet<Kind>, unit: f64) -> Vec<Bar<'a>> {
    let mut bars = bars(rows, kinds, None);
    let mut near_ms = unit.max(1.0) as u64;
    while bars.len() > BARS_MAX && near_ms < u64::MAX / 2 {
        bars = self::bars(rows, kinds, Some(near_ms));
        near_ms *= 2;
    }
    // What is short is drawn over what is long.
    bars.sort_by_key(|bar| (bar.class != "down", std::cmp::Reverse(bar.to_ms.saturating_sub(bar.from_ms))));
    bars
}

fn bars<'a>(rows: &[Row<'a>], kinds: &BTreeSet<Kind>, near_ms: Option<u64>) -> Vec<Bar<'a>> {
    let mut bars = Vec::new();
    for (top, row) in rows.iter().enumerate().map(|(at, row)| (at as f64, row)) {
        let track = 0.84 / kinds.len().max(1) as f64;
        for (place, kind) in kinds.iter().enumerate() {
            let y = top + 0.08 + place as f64 * track;
            let spans = row.faults.iter().copied().filter(|span| Kind::of(&span.name) == *kind);
            bars.extend(joined(spans, near_ms, (y, y + track * 0.86), kind.class()));
        }
        bars.extend(joined(row.down.iter().copied(), near_ms, (top + 0.02, top + 0.98), "down"));
    }
    bars
}

fn joined<'a>(
    spans: impl Iterator<Item = &'a FaultSpan>,
    near_ms: Option<u64>,
    y: (f64, f64),
    class: &'static str,
) -> Vec<Bar<'a>> {
    let mut spans: Vec<_> = spans.collect();
    spans.sort_by_key(|span| span.from_ms);
    let mut bars: Vec<Bar> = Vec::new();
    for span in spans {
        let (from_ms, to_ms) = (span.from_ms, span.to_ms.max(span.from_ms));
        match (bars.last_mut(), near_ms) {
            (Some(last), Some(near)) if from_ms <= last.to_ms.saturating_add(near) => {
                last.to_ms = last.to_ms.max(to_ms);
                last.spans.push(span);
            }
            _ => bars.push(Bar { from_ms, to_ms, y, class, spans: vec![span] }),
        }
    }
    bars
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(name: &str, from_ms: u64, to_ms: u64) -> FaultSpan {
        FaultSpan { name: name.to_owned(), nodes: vec![1], from_ms, to_ms, detail: String::new() }
    }

    #[test]
    fn kinds_go_by_the_first_letter() {
        let kinds = ["N4 cut", "P1 crash", "D7 rot", "C2 step", "B1 equivocation", "n", ""].map(Kind::of);
        let [Kind::Network, Kind::Process, Kind::Disk, Kind::Clock, Kind::Hostile, Kind::Other, Kind::Other] = kinds
        else {
            panic!("{kinds:?}")
        };
    }

    #[test]
    fn near_faults_become_one_bar_only_when_there_are_too_many() {
        let few: Vec<_> = (0..100).map(|at| span("N4 cut", at * 10, at * 10 + 1)).collect();
        let many: Vec<_> = (0..10_000).map(|at| span("N4 cut", at * 10, at * 10 + 1)).collect();
        let kinds = BTreeSet::from([Kind::Network]);
        let row = |spans: &'static [FaultSpan]| Row {
            node: Some(1),
            name: "Store 1".to_owned(),
            faults: spans.iter().collect(),
            down: vec![],
        };
        let (few, many) = (row(few.leak()), row(many.leak()));
        assert_eq!(few_bars(&[few], &kinds, 1.0).len(), 100);
        let bars = few_bars(&[many], &kinds, 1.0);
        assert!(bars.len() <= BARS_MAX);
        assert_eq!(bars.iter().map(|bar| bar.spans.len()).sum::<usize>(), 10_000);
    }
}
