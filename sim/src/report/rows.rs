//! Which nodes have a row in the timeline: all of a few; of many those with the most faults.

use std::collections::{BTreeMap, BTreeSet};

use super::course::Course;
use super::words;
use crate::outcome::FaultSpan;

/// What befell one node.
pub struct Row<'a> {
    /// Which; none for what befell no node in particular.
    pub node: Option<u32>,
    /// Its name.
    pub name: String,
    /// Faults that harmed it.
    pub faults: Vec<&'a FaultSpan>,
    /// When it was down.
    pub down: Vec<&'a FaultSpan>,
}

/// Rows that can be read in one picture.
pub const ROWS_MAX: usize = 60;

/// The rows in the nodes' order, and what is to be said of nodes that have none.
pub fn rows<'a>(course: &Course<'a>) -> (Vec<Row<'a>>, Option<String>) {
    let mut rows = all(course);
    let nodes = rows.len();
    if nodes <= ROWS_MAX {
        return (rows, None);
    }
    rows.retain(|row| row.struck() > 0);
    let quiet = nodes - rows.len();
    let mut places: Vec<usize> = (0..rows.len()).collect();
    places.sort_by_key(|place| std::cmp::Reverse(rows[*place].struck()));
    let kept: BTreeSet<usize> = places.into_iter().take(ROWS_MAX).collect();
    let fewer = rows.len() - kept.len();
    let rows = rows.into_iter().enumerate().filter(|(place, _)| kept.contains(place)).map(|(_, row)| row).collect();
    let quiet = (quiet > 0).then(|| format!("{} without a fault", words::many(quiet as u64, "node")));
    let fewer = (fewer > 0).then(|| format!("{} with fewer faults than these", words::many(fewer as u64, "node")));
    let left_out: Vec<_> = [quiet, fewer].into_iter().flatten().collect();
    (rows, (!left_out.is_empty()).then(|| format!("Left out: {}.", left_out.join(", "))))
}

fn all<'a>(course: &Course<'a>) -> Vec<Row<'a>> {
    let row = |node: Option<u32>| {
        let name = node.map_or_else(|| "everywhere".to_owned(), |node| course.name(node));
        Row { node, name, faults: vec![], down: vec![] }
    };
    let record = &course.outcome.record;
    let nowhere = record.faults.iter().chain(&record.down).any(|span| span.nodes.is_empty());
    let nodes = nowhere.then_some(None).into_iter().chain(course.nodes.iter().copied().map(Some));
    let mut rows: Vec<Row> = nodes.map(row).collect();
    let places: BTreeMap<Option<u32>, usize> = rows.iter().enumerate().map(|(at, row)| (row.node, at)).collect();
    for span in &record.faults {
        of(span).iter().filter_map(|node| places.get(node)).for_each(|at| rows[*at].faults.push(span));
    }
    for span in &record.down {
        of(span).iter().filter_map(|node| places.get(node)).for_each(|at| rows[*at].down.push(span));
    }
    rows
}

/// Nodes of a span, each once.
fn of(span: &FaultSpan) -> BTreeSet<Option<u32>> {
    if span.nodes.is_empty() { BTreeSet::from([None]) } else { span.nodes.iter().copied().map(Some).collect() }
}

impl Row<'_> {
    fn struck(&self) -> usize {
        self.faults.len() + self.down.len()
    }
}
