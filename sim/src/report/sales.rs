//! Acknowledged sales by store and hour: columns for few stores and hours, a map for more.

use maud::{Markup, html};

use super::axis::Axis;
use super::course::Course;
use super::picture::{Picture, Shape};
use super::{Width, key, scrolling, words};

const COLUMN_STORES_MAX: usize = 6;
const COLUMN_HOURS_MAX: usize = 60;
/// Rows and columns of the map.
const MAP_STORES_MAX: usize = 40;
const MAP_COLUMNS_MAX: usize = 96;
/// Hours that a column of the map may stand for.
const HOURS_PER_COLUMN: [usize; 9] = [1, 2, 3, 4, 6, 8, 12, 24, 168];
const HOUR_MS: u64 = 3_600_000;
const STORES: [&str; COLUMN_STORES_MAX] = ["c0", "c1", "c2", "c3", "c4", "c5"];
const SHADES: [&str; 6] = ["h0", "h1", "h2", "h3", "h4", "h5"];

/// A store's sales by column.
type Store = (String, Vec<u64>);

/// The section's words and picture.
pub fn section(course: &Course) -> Markup {
    let sales = &course.outcome.record.sales;
    let hours = sales.values().map(Vec::len).max().unwrap_or(0);
    let total: u64 = sales.values().flatten().map(|count| u64::from(*count)).sum();
    if total == 0 {
        return html! { p { "No sale was acknowledged." } };
    }
    let columns = sales.len() <= COLUMN_STORES_MAX && hours <= COLUMN_HOURS_MAX;
    let step = if columns { 1 } else { hours_per_column(hours) };
    let mut stores: Vec<Store> = sales
        .iter()
        .map(|(store, counts)| {
            let by_column = counts.chunks(step).map(|part| part.iter().map(|count| u64::from(*count)).sum());
            (format!("store {store}"), by_column.collect())
        })
        .collect();
    let finding = finding(&stores, total, step);
    if columns {
        let names = stores.iter().map(|(name, _)| name.clone());
        return html! {
            p { (finding) }
            (scrolling("Sales per hour", Width::Usual, columns_picture(&stores, hours).draw(&finding)))
            (key(STORES.into_iter().zip(names)))
        };
    }
    let left_out = leave_out(&mut stores);
    let most = stores.iter().flat_map(|(_, counts)| counts).copied().max().unwrap_or(0);
    let shades = (0..SHADES.len() as u64).map(|shade| {
        let (least, last) = bounds(shade, most);
        if least >= last { words::count(last) } else { format!("{} to {}", words::count(least), words::count(last)) }
    });
    // With few sales an hour some shades stand for nothing.
    let shades = SHADES.into_iter().zip(shades).enumerate().filter(|(shade, _)| {
        let (least, last) = bounds(*shade as u64, most);
        least <= last
    });
    html! {
        p { (finding) }
        (scrolling("Sales per store and hour", Width::Wide, map(&stores, step, most).draw(&finding)))
        p class="note" { "Sales at one store in " (every(step)) ":" }
        (key(shades.map(|(_, shade)| shade)))
        @if let Some(left_out) = left_out { p class="note" { (left_out) } }
    }
}

fn hours_per_column(hours: usize) -> usize {
    let fits = |step: &usize| hours.div_ceil(*step) <= MAP_COLUMNS_MAX;
    HOURS_PER_COLUMN.into_iter().find(fits).unwrap_or_else(|| hours.div_ceil(MAP_COLUMNS_MAX))
}

fn every(step: usize) -> String {
    match step {
        1 => "an hour".to_owned(),
        24 => "a day".to_owned(),
        168 => "a week".to_owned(),
        hours => format!("{hours} hours"),
    }
}

fn finding(stores: &[Store], total: u64, step: usize) -> String {
    let columns = stores.iter().map(|(_, counts)| counts.len()).max().unwrap_or(0);
    let at = |column: usize| stores.iter().filter_map(|(_, counts)| counts.get(column)).sum::<u64>();
    let busiest = (0..columns).rev().max_by_key(|column| at(*column)).unwrap_or(0);
    let moment = words::moment((busiest * step) as u64 * HOUR_MS);
    let moment = moment.strip_suffix(":00").unwrap_or(&moment);
    format!(
        "{} at {}. The busiest time was {} from {moment}: {}.",
        words::many(total, "sale"),
        words::many(stores.len() as u64, "store"),
        every(step),
        words::many(at(busiest), "sale"),
    )
}

fn columns_picture(stores: &[Store], hours: usize) -> Picture {
    let at = |hour: usize| stores.iter().filter_map(|(_, counts)| counts.get(hour)).sum::<u64>();
    let most = (0..hours).map(at).max().unwrap_or(0);
    let mut picture = Picture {
        width: 1_000,
        inner_height: 220,
        left: 64,
        x: Axis::time(hours as u64 * HOUR_MS, 12),
        y: Axis::amount(most, "sales per hour", words::short),
        marks: vec![],
    };
    picture.x.grid = false;
    for hour in 0..hours {
        let mut from = 0.0;
        for (class, (name, counts)) in STORES.iter().zip(stores) {
            let count = counts.get(hour).copied().unwrap_or(0);
            if count > 0 {
                let to = from + count as f64;
                let x = ((hour as f64 + 0.06) * HOUR_MS as f64, (hour as f64 + 0.94) * HOUR_MS as f64);
                picture.add(Shape::Bar(x, (from, to)), class, title(name, hour as u64, count));
                from = to;
            }
        }
    }
    picture
}

fn title(name: &str, hour: u64, count: u64) -> String {
    format!("{name}, {}: {}", words::moment(hour * HOUR_MS), words::many(count, "sale"))
}

/// Keeps the stores that sold most, in their order. Tells what is left out.
fn leave_out(stores: &mut Vec<Store>) -> Option<String> {
    let sold = |(_, counts): &Store| counts.iter().sum::<u64>();
    let rest = stores.len().checked_sub(MAP_STORES_MAX).filter(|rest| *rest > 0)?;
    let mut order: Vec<(u64, usize)> = stores.iter().map(sold).zip(0..).collect();
    order.sort_by_key(|(sold, place)| (std::cmp::Reverse(*sold), *place));
    let others: u64 = order[MAP_STORES_MAX..].iter().map(|(sold, _)| *sold).sum();
    let mut kept: Vec<usize> = order[..MAP_STORES_MAX].iter().map(|(_, place)| *place).collect();
    kept.sort_unstable();
    *stores = kept.into_iter().map(|place| std::mem::take(&mut stores[place])).collect();
    let rest = words::many(rest as u64, "store");
    Some(format!("{rest} that sold less are left out; together they sold {}.", words::count(others)))
}

/// The least and the most sales of a shade.
fn bounds(shade: u64, most: u64) -> (u64, u64) {
    let shades = SHADES.len() as u64;
    (most * shade / shades + 1, most * (shade + 1) / shades)
}

fn map(stores: &[Store], step: usize, most: u64) -> Picture {
    let columns = stores.iter().map(|(_, counts)| counts.len()).max().unwrap_or(1);
    let step_ms = step as u64 * HOUR_MS;
    let row_height = if stores.len() <= 12 { 22 } else { 14 };
    let mut picture = Picture {
        width: 1_000,
        inner_height: row_height * stores.len() as u32,
        left: 90,
        x: Axis::time(columns as u64 * step_ms, 12),
        y: Axis::rows(stores.iter().map(|(name, _)| name.clone())),
        marks: vec![],
    };
    picture.x.grid = false;
    for (row, (name, counts)) in stores.iter().enumerate().map(|(row, store)| (row as f64, store)) {
        for (column, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            let shade = (0..SHADES.len() as u64).find(|shade| *count <= bounds(*shade, most).1).unwrap_or(5);
            let x = (column as f64 * step_ms as f64, (column + 1) as f64 * step_ms as f64);
            let title = title(name, (column * step) as u64, *count);
            picture.add(Shape::Bar(x, (row + 0.05, row + 0.95)), SHADES[shade as usize], title);
        }
    }
    picture
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_count_has_its_shade() {
        for most in 1..50 {
            let mut next = 1;
            for (least, last) in (0..SHADES.len() as u64).map(|shade| bounds(shade, most)).filter(|(a, b)| a <= b) {
                assert_eq!(least, next);
                next = last + 1;
            }
            assert_eq!(next, most + 1);
        }
    }

    #[test]
    fn columns_of_the_map_are_few() {
        assert_eq!([1, 96, 97, 720, 1_440].map(hours_per_column), [1, 1, 2, 8, 24]);
        assert!(100_000_usize.div_ceil(hours_per_column(100_000)) <= MAP_COLUMNS_MAX);
    }

    #[test]
    fn stores_that_sold_least_are_left_out() {
        let mut stores: Vec<Store> = (0..50).map(|store| (format!("Store {store}"), vec![store])).collect();
        let told = leave_out(&mut stores).expect("fifty are too many");
        assert_eq!(told, "10 stores that sold less are left out; together they sold 45.");
        assert_eq!((stores.len(), stores[0].0.as_str(), stores[39].0.as_str()), (40, "Store 10", "Store 49"));
    }
}
