//! What went over each link, by lane.

use maud::{Markup, html};

use super::axis::Axis;
use super::course::Course;
use super::picture::{Picture, Shape};
use super::{Width, key, scrolling, words};

/// Links with a bar of their own.
const LINKS_MAX: usize = 20;
const LANES: [&str; 5] = ["control", "orders", "stock & members", "history", "catalogue"];
const CLASSES: [&str; 5] = ["c0", "c1", "c2", "c3", "c4"];

/// The section's words and picture.
pub fn section(course: &Course) -> Markup {
    let mut links: Vec<(String, [u64; 5])> = course
        .outcome
        .record
        .link_bytes
        .iter()
        .map(|((from, to), lanes)| {
            let name = |node: u32| words::fitted(&course.name(node), 14);
            (format!("{} → {}", name(*from), name(*to)), *lanes)
        })
        .filter(|(_, lanes)| sum(lanes) > 0)
        .collect();
    if links.is_empty() {
        return html! { p { "No byte went over any link." } };
    }
    links.sort_by_key(|(_, lanes)| std::cmp::Reverse(sum(lanes)));
    let total = links.iter().fold([0; 5], |all, (_, lanes)| added(all, lanes));
    let finding = finding(&links, &total);
    let rest = links.split_off(links.len().min(LINKS_MAX));
    // The rest is told in words: as a bar it would be so long that the others could not be compared.
    let rest = (!rest.is_empty()).then(|| {
        let lanes = rest.iter().fold([0; 5], |all, (_, lanes)| added(all, lanes));
        let bytes = LANES.iter().zip(lanes).map(|(lane, bytes)| format!("{lane} {}", words::bytes(bytes)));
        let others = words::many(rest.len() as u64, "other link");
        format!("{others} together: {} ({}).", words::bytes(sum(&lanes)), bytes.collect::<Vec<_>>().join(", "))
    });
    let lanes = LANES
        .iter()
        .zip(total)
        .map(|(lane, bytes)| format!("{lane}: {}, {}", words::bytes(bytes), words::share(bytes, sum(&total))));
    html! {
        p { (finding) }
        (scrolling("Bytes per link and lane", Width::Usual, picture(&links).draw(&finding)))
        (key(CLASSES.into_iter().zip(lanes)))
        @if let Some(rest) = rest { p class="note" { (rest) } }
    }
}

fn finding(links: &[(String, [u64; 5])], total: &[u64; 5]) -> String {
    let (name, most) = &links[0];
    let lane = (0..LANES.len()).max_by_key(|lane| total[*lane]).unwrap_or(0);
    format!(
        "{} over {}. Most went from {name}: {}, {} of all. The largest lane is {} with {}.",
        words::bytes(sum(total)),
        words::many(links.len() as u64, "link"),
        words::bytes(sum(most)),
        words::share(sum(most), sum(total)),
        LANES[lane],
        words::share(total[lane], sum(total)),
    )
    .replace(" → ", " to ")
}

fn picture(links: &[(String, [u64; 5])]) -> Picture {
    let most = links.iter().map(|(_, lanes)| sum(lanes)).max().unwrap_or(0);
    let mut x = Axis::amount(most, "bytes sent", words::bytes);
    // Room for the sum that stands behind the longest bar.
    x.to *= 1.1;
    let mut picture = Picture {
        width: 1_000,
        inner_height: 20 * links.len() as u32,
        left: 210,
        x,
        y: Axis::rows(links.iter().map(|(name, _)| name.clone())),
        marks: vec![],
    };
    let unit = picture.unit_x();
    for (top, (name, lanes)) in links.iter().enumerate().map(|(at, link)| (at as f64, link)) {
        let mut from = 0.0;
        for (lane, bytes) in lanes.iter().enumerate().filter(|(_, bytes)| **bytes > 0) {
            let to = from + *bytes as f64;
            let title = format!("{name}, {}: {}", LANES[lane], words::bytes(*bytes));
            picture.add(Shape::Bar((from, to), (top + 0.14, top + 0.86)), CLASSES[lane], title);
            from = to;
        }
        picture.add(Shape::WordsAfter((from + 6.0 * unit, top + 0.5), words::bytes(sum(lanes))), "label", "");
    }
    picture
}

fn sum(lanes: &[u64; 5]) -> u64 {
    lanes.iter().fold(0, |all, bytes| all.saturating_add(*bytes))
}

fn added(all: [u64; 5], lanes: &[u64; 5]) -> [u64; 5] {
    std::array::from_fn(|lane| all[lane].saturating_add(lanes[lane]))
}
