//! How far each node was behind the truth: entries of others that it ought to have had and had not.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::axis::{Axis, Scale};
use super::course::Course;
use super::picture::{Picture, Shape};
use super::{Width, key, scrolling, words};

/// Lines in one picture; with more nodes each has a small one of its own.
const LINES_MAX: usize = 6;
/// Small pictures.
const SMALL_MAX: usize = 12;
/// Points of a line.
const POINTS_MAX: u64 = 400;
/// The least distance of two labels.
const LABEL_HEIGHT: f64 = 15.0;
const LINES: [&str; LINES_MAX] = ["line l0", "line l1", "line l2", "line l3", "line l4", "line l5"];

/// Moments, each with how much was missing.
type Points = Vec<(u64, u64)>;

/// A node's lag over time, thinned.
struct Series {
    name: String,
    points: Points,
    peak: (u64, u64),
}

/// The section's words and pictures.
pub fn section(course: &Course) -> Markup {
    let mut series = series(course);
    if series.is_empty() {
        return html! { p { "No lag was recorded." } };
    }
    series.sort_by_key(|line| std::cmp::Reverse(line.peak.1));
    let (nodes, behind) = (series.len() as u64, series.iter().filter(|line| line.peak.1 > 0).count() as u64);
    let worst = &series[0];
    if behind == 0 {
        return html! { p { "Whenever it was looked at, none of " (words::many(nodes, "node")) " was behind." } };
    }
    let finding = format!(
        "{} was furthest behind: {} on {}. {} of {} fell behind at some time.",
        words::sentence(&words::fitted(&worst.name, 40)),
        if worst.peak.1 == 1 { "1 entry".to_owned() } else { format!("{} entries", words::count(worst.peak.1)) },
        words::moment(worst.peak.0),
        words::count(behind),
        words::many(nodes, "node"),
    );
    let few = series.len() <= LINES_MAX;
    let worst_name = words::fitted(&worst.name, 24);
    let scale = Scale::for_most(worst.peak.1);
    let (lines, names): (Vec<_>, Vec<_>) = if few {
        let names = series.iter().map(|line| words::fitted(&line.name, 24));
        (series.iter().map(|line| line.points.clone()).collect(), names.collect())
    } else {
        let (most, middle) = together(course, &series);
        (vec![most, middle], vec!["the node furthest behind".to_owned(), "the node in the middle".to_owned()])
    };
    let mut large = empty(course, scale, worst.peak.1, (1_000, 240, 10));
    for (points, (class, name)) in lines.iter().zip(LINES.iter().zip(&names)) {
        large.add(line(points, scale), class, name.as_str());
    }
    label_peak(&mut large, scale, worst.peak, &worst_name);
    course.mark_moments(&mut large);
    html! {
        p { (finding) }
        (scrolling("Lag over time", Width::Usual, large.draw(&finding)))
        (key(LINES.iter().copied().zip(names).chain(course.moments_key())))
        @if !few {
            p class="note" { "The " (SMALL_MAX.min(series.len())) " that fell furthest behind, in entries, all on one scale:" }
            div class="small-pictures" {
                @for line in series.iter().take(SMALL_MAX) { (small(course, scale, worst.peak.1, line)) }
            }
        }
    }
}

fn small(course: &Course, scale: Scale, most: u64, series: &Series) -> Markup {
    let mut picture = empty(course, scale, most, (400, 90, 4));
    picture.x.title.clear();
    picture.y.title.clear();
    picture.left = 40;
    picture.add(line(&series.points, scale), "line l0", series.name.as_str());
    let healed = course.outcome.record.healed_ms;
    if healed > 0 && healed <= course.end_ms {
        picture.rule(healed as f64, "stop", "faults stop");
    }
    let name = words::fitted(&series.name, 24);
    let most = format!("at most {}, {}", words::count(series.peak.1), words::moment(series.peak.0));
    html! {
        figure {
            figcaption { strong { (words::sentence(&name)) } " " (most) }
            (picture.draw(&format!("{name}: {most}")))
        }
    }
}

fn empty(course: &Course, scale: Scale, most: u64, (width, inner_height, ticks_max): (u32, u32, u64)) -> Picture {
    let mut y = scale.axis(most, "entries behind");
    // Room for the label of the highest point.
    y.to *= 1.1;
    y.keep_apart(LABEL_HEIGHT * y.to / f64::from(inner_height));
    Picture { width, inner_height, left: 64, x: Axis::time(course.end_ms, ticks_max), y, marks: vec![] }
}

fn line(points: &[(u64, u64)], scale: Scale) -> Shape {
    Shape::Line(points.iter().map(|(at, behind)| (*at as f64, scale.place(*behind))).collect())
}

fn label_peak(picture: &mut Picture, scale: Scale, (at, behind): (u64, u64), name: &str) {
    let place = (at as f64, scale.place(behind));
    picture.add(Shape::Dot(place), "peak", "");
    let words = format!("{name}: {}", words::count(behind));
    // Above the line, and on the side where there is room.
    let above = (place.0, place.1 + 12.0 * picture.y.to / f64::from(picture.inner_height));
    let late = at as f64 * 2.0 > picture.x.to;
    let label = if late { Shape::WordsBefore(above, words) } else { Shape::WordsAfter(above, words) };
    picture.add(label, "label", "");
}

fn series(course: &Course) -> Vec<Series> {
    let lag = course.nodes.iter().filter_map(|node| Some((node, course.outcome.record.lag.get(node)?)));
    lag.filter_map(|(node, points)| {
        let points = thinned(points, course.end_ms);
        let peak = *points.iter().rev().max_by_key(|(_, behind)| *behind)?;
        Some(Series { name: course.name(*node), points, peak })
    })
    .collect()
}

/// At most so many points: of each stretch of time the worst, so that a peak is never lost.
fn thinned(points: &[(u64, u64)], end_ms: u64) -> Points {
    let mut worst: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
    for (at, behind) in points.iter().map(|(at, behind)| ((*at).min(end_ms), *behind)) {
        let kept = worst.entry(stretch(at, end_ms)).or_insert((at, behind));
        if behind > kept.1 {
            *kept = (at, behind);
        }
    }
    worst.into_values().collect()
}

/// Which stretch of the run a moment belongs to.
fn stretch(at_ms: u64, end_ms: u64) -> u64 {
    let stretch = u128::from(at_ms) * u128::from(POINTS_MAX - 1) / u128::from(end_ms.max(1));
    stretch.min(u128::from(POINTS_MAX - 1)) as u64
}

/// Over all nodes: the worst and the middle of what each had last shown.
fn together(course: &Course, series: &[Series]) -> (Points, Points) {
    let mut samples: BTreeMap<u64, Vec<(usize, u64)>> = BTreeMap::new();
    for (node, line) in series.iter().enumerate() {
        for (at, behind) in &line.points {
            samples.entry(stretch(*at, course.end_ms)).or_default().push((node, *behind));
        }
    }
    let mut last = vec![0; series.len()];
    let (mut most, mut middle) = (Vec::new(), Vec::new());
    for (stretch, shown) in samples {
        shown.into_iter().for_each(|(node, behind)| last[node] = behind);
        let mut sorted = last.clone();
        sorted.sort_unstable();
        let at = (u128::from(stretch) * u128::from(course.end_ms) / u128::from(POINTS_MAX - 1)) as u64;
        most.push((at, sorted.last().copied().unwrap_or(0)));
        middle.push((at, sorted[sorted.len() / 2]));
    }
    (most, middle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thinning_keeps_peaks_and_bounds() {
        let mut points: Points = (0..100_000).map(|at| (at, 1)).collect();
        points[77_777].1 = 900;
        let thin = thinned(&points, 100_000);
        assert!(thin.len() <= 400 && thin.len() > 300, "{}", thin.len());
        assert!(thin.contains(&(77_777, 900)));
        assert_eq!(thinned(&[(5, 3), (u64::MAX, 4)], 0), [(0, 4)]);
        assert_eq!(thinned(&[(u64::MAX, u64::MAX)], u64::MAX), [(u64::MAX, u64::MAX)]);
    }
}
