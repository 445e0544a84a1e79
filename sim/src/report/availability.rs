//! The availability experiment as a page: what was measured, a picture over uptime, and the table.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::axis::Axis;
use super::picture::{Picture, Shape};
use super::{Width, key, scrolling};
use crate::availability::Strategy;
use crate::availability::tally::{Estimate, Summary};

/// One strategy at one setting.
#[derive(Clone, Debug)]
pub struct Line {
    /// How rights were spread.
    pub strategy: Strategy,
    /// Share of time in which links were up.
    pub uptime: f64,
    /// What a transfer had to save.
    pub kappa: f64,
    /// What came of it.
    pub summary: Summary,
}

/// What the page tells.
#[derive(Clone, Debug)]
pub struct Page {
    /// What was measured, a sentence each.
    pub about: Vec<String>,
    /// All figures.
    pub lines: Vec<Line>,
}

/// The page: complete HTML in UTF-8, to be stored or sent as it is.
pub fn html(page: &Page) -> String {
    let title = "Promises kept when links fail";
    let sections = [("Over uptime", over_uptime(page)), ("What moving less costs", over_kappa(page))];
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                style { (PreEscaped(include_str!("page.css"))) }
            }
            body {
                p class="kicker" { "stockroom-sim availability" }
                h1 { (title) }
                (verdict(page))
                ul { @for line in &page.about { li { (line) } } }
                main {
                    @for (name, section) in sections {
                        @if let Some(section) = section { section { h2 { (name) } (section) } }
                    }
                    section { h2 { "All figures" } (table(page)) }
                }
            }
        }
    };
    markup.into_string()
}

fn verdict(page: &Page) -> Markup {
    let oversold: u64 = page.lines.iter().map(|line| line.summary.hard_oversold).sum();
    html! {
        @if oversold == 0 {
            p class="verdict good" { "No right was promised twice." }
        } @else {
            p class="verdict bad" { (oversold) " units were promised twice: the counting is wrong." }
        }
    }
}

fn over_uptime(page: &Page) -> Option<Markup> {
    let kappa = page.lines.first()?.kappa;
    let points =
        |strategy| points(page, strategy, |line| (line.kappa == kappa).then_some((line.uptime, line.summary.par.mean)));
    let finding =
        "Share of a clairvoyant's promises that each policy keeps, over the share of time in which links are up.";
    chart(page, points, ("share of time up", finding))
}

fn over_kappa(page: &Page) -> Option<Markup> {
    let uptime = page.lines.first()?.uptime;
    let points = |strategy| {
        let at = |line: &Line| {
            let moved = line.summary.transfers_per_promise.mean;
            (line.uptime == uptime).then_some((moved, line.summary.par.mean))
        };
        points(page, strategy, at)
    };
    let several = page.lines.iter().any(|line| line.kappa != page.lines[0].kappa);
    let finding =
        "Share of a clairvoyant's promises that each policy keeps, over the transfers that it makes for each.";
    several.then(|| chart(page, points, ("transfers per promise", finding))).flatten()
}

fn points(page: &Page, strategy: Strategy, at: impl Fn(&Line) -> Option<(f64, f64)>) -> Vec<(f64, f64)> {
    let mut points: Vec<_> = page.lines.iter().filter(|line| line.strategy == strategy).filter_map(at).collect();
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    points
}

/// A line per strategy, if there is more than one point on any.
fn chart(page: &Page, points: impl Fn(Strategy) -> Vec<(f64, f64)>, (across, finding): (&str, &str)) -> Option<Markup> {
    let series: Vec<_> = Strategy::ALL.into_iter().map(|strategy| (strategy, points(strategy))).collect();
    if page.lines.is_empty() || series.iter().all(|(_, points)| points.len() < 2) {
        return None;
    }
    let all = || series.iter().flat_map(|(_, points)| points);
    let lowest = all().map(|point| point.1).fold(1.0, f64::min);
    let (from, to) = all().fold((f64::MAX, f64::MIN), |(from, to), point| (from.min(point.0), to.max(point.0)));
    let y = ruler(((lowest * 10.0).floor() / 10.0).clamp(0.0, 0.9), 1.0, "promises kept / clairvoyant's");
    let x = if to > 1.0 { ruler(0.0, to.ceil(), across) } else { ruler((from * 20.0).floor() / 20.0, 1.0, across) };
    let mut picture = Picture { width: 1_000, inner_height: 300, left: 64, x, y, marks: vec![] };
    for ((strategy, points), class) in series.iter().zip(LINES) {
        picture.add(Shape::Line(points.clone()), class, strategy.as_str());
        for point in points {
            let title = format!("{}: {:.4} at {:.3}", strategy.as_str(), point.1, point.0);
            picture.add(Shape::Dot(*point), "peak", title);
        }
    }
    let drawn = LINES.into_iter().zip(&series).filter(|(_, (_, points))| !points.is_empty());
    let names = drawn.map(|(class, (strategy, _))| (class, strategy.as_str().to_owned()));
    Some(html! {
        p { (finding) }
        (scrolling("Promises kept", Width::Usual, picture.draw(finding)))
        (key(names))
    })
}

fn ruler(from: f64, to: f64, title: &str) -> Axis {
    let to = if to > from { to } else { from + 1.0 };
    let step = (to - from) / 10.0;
    let tick = |n: i32| (from + f64::from(n) * step, format!("{:.2}", from + f64::from(n) * step));
    Axis { from, to, ticks: (0..=10).map(tick).collect(), title: title.to_owned(), grid: true }
}

fn table(page: &Page) -> Markup {
    let heads = [
        "Uptime",
        "Kappa",
        "Kept / clairvoyant's",
        "Obeying links",
        "Sold twice",
        "Soft broken",
        "Shelf short",
        "Stranded",
        "Transfers",
        "Of budget",
        "Bytes",
    ];
    html! {
        p class="note" {
            "With 95% confidence intervals. Broken promises are shares of all promises; stranded is what was refused while somebody held a "
            "free right, of all that was asked for; transfers and bytes are per promise."
        }
        div class="scroll" tabindex="0" role="region" aria-label="All figures" {
            table {
                thead { tr {
                    th scope="col" { "Policy" }
                    @for head in heads { th scope="col" class="number" { (head) } }
                } }
                tbody {
                    @for line in &page.lines {
                        tr {
                            th scope="row" { (line.strategy.as_str()) }
                            @for cell in cells(line) { td class="number" { (cell) } }
                        }
                    }
                }
            }
        }
    }
}

fn cells(line: &Line) -> [String; 11] {
    let both = |e: Estimate| format!("{:.4} ± {:.4}", e.mean, e.plus_minus);
    let s = &line.summary;
    [
        format!("{:.3}", line.uptime),
        line.kappa.to_string(),
        both(s.par),
        both(s.par_link),
        s.hard_oversold.to_string(),
        both(s.soft_broken_share),
        both(s.phantom_broken_share),
        both(s.stranded_share),
        format!("{:.2}", s.transfers_per_promise.mean),
        format!("{:.2}", s.budget_transfers_per_promise.mean),
        format!("{:.0}", s.bytes_per_promise.mean),
    ]
}

const LINES: [&str; 6] = ["line l0", "line l1", "line l2", "line l3", "line l4", "line l5"];

#[cfg(test)]
mod tests {
    use super::*;

    fn page(uptimes: &[f64]) -> Page {
        let line = |uptime: &f64, strategy| Line { strategy, uptime: *uptime, kappa: 0.1, summary: Summary::default() };
        let lines = uptimes.iter().flat_map(|uptime| Strategy::ALL.map(|strategy| line(uptime, strategy)));
        Page { about: vec!["<b>fifty</b> nodes".to_owned()], lines: lines.collect() }
    }

    #[test]
    fn a_page_stands_alone_and_names_every_policy() {
        let text = html(&page(&[0.5, 0.98]));
        assert!(Strategy::ALL.iter().all(|strategy| text.contains(strategy.as_str())));
        assert!(text.contains("<polyline") && text.contains("No right was promised twice"));
        assert!(text.contains("&lt;b&gt;fifty") && !text.contains("<script") && !text.contains("http"));
    }

    #[test]
    fn one_point_makes_no_picture_and_a_fault_is_told() {
        let mut page = page(&[0.5]);
        assert!(!html(&page).contains("<polyline"));
        page.lines[3].summary.hard_oversold = 4;
        assert!(html(&page).contains("4 units were promised twice"));
        page.lines.clear();
        assert!(html(&page).contains("All figures"));
    }
}
