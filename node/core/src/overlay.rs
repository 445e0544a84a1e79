//! Writes of the current batch over the last commit: what a command reads is what it and its predecessors wrote.

use std::ops::Bound;
use std::sync::Arc;

use crate::storage::{Direction, Row, Snapshot, StoreError, Table, Writes, prefix_end};

/// A snapshot with pending writes on top.
pub struct Overlay {
    base: Arc<dyn Snapshot>,
    writes: Writes,
}

impl Overlay {
    /// Nothing pending over `base`.
    pub fn new(base: Arc<dyn Snapshot>) -> Self {
        Self { base, writes: Writes::new() }
    }

    /// What would be committed.
    pub fn writes(&self) -> &Writes {
        &self.writes
    }

    /// Puts a row.
    pub fn put(&mut self, table: Table, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) {
        self.writes.insert((table, key.into()), Some(value.into()));
    }

    /// Takes back a row that was put in this batch and does not exist below it.
    pub fn forget(&mut self, table: Table, key: &[u8]) {
        self.writes.remove(&(table, key.to_vec()));
    }

    /// Removes a row.
    pub fn remove(&mut self, table: Table, key: impl Into<Vec<u8>>) {
        self.writes.insert((table, key.into()), None);
    }

    /// All rows whose keys begin with `prefix`.
    pub fn scan_prefix(&self, table: Table, prefix: &[u8], limit: usize) -> Result<Vec<Row>, StoreError> {
        scan_prefix(self, table, prefix, limit)
    }
}

impl Snapshot for Overlay {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        match self.writes.get(&(table, key.to_vec())) {
            Some(pending) => Ok(pending.clone()),
            None => self.base.get(table, key),
        }
    }

    fn scan(
        &self,
        table: Table,
        range: (Bound<&[u8]>, Bound<&[u8]>),
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        let start = match range.0 {
            Bound::Included(key) => Bound::Included((table, key.to_vec())),
            Bound::Excluded(key) => Bound::Excluded((table, key.to_vec())),
            Bound::Unbounded => Bound::Included((table, Vec::new())),
        };
        let pending: Vec<_> = self
            .writes
            .range((start, Bound::Unbounded))
            .take_while(|((t, key), _)| *t == table && is_below(range.1, key))
            .map(|((_, key), value)| (key.clone(), value.clone()))
            .collect();
        if pending.is_empty() {
            return self.base.scan(table, range, direction, limit);
        }
        let removed = pending.len();
        let mut rows: std::collections::BTreeMap<_, _> =
            self.base.scan(table, range, direction, limit.saturating_add(removed))?.into_iter().collect();
        for (key, value) in pending {
            match value {
                Some(value) => rows.insert(key, value),
                None => rows.remove(&key),
            };
        }
        let rows = rows.into_iter();
        Ok(match direction {
            Direction::Forward => rows.take(limit).collect(),
            Direction::Backward => rows.rev().take(limit).collect(),
        })
    }
}

/// All rows of a snapshot whose keys begin with `prefix`.
pub fn scan_prefix(
    snapshot: &(impl Snapshot + ?Sized),
    table: Table,
    prefix: &[u8],
    limit: usize,
) -> Result<Vec<Row>, StoreError> {
    let end = prefix_end(prefix);
    let upper = end.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
    snapshot.scan(table, (Bound::Included(prefix), upper), Direction::Forward, limit)
}

/// The last row whose key begins with `prefix`.
pub fn last_of_prefix(
    snapshot: &(impl Snapshot + ?Sized),
    table: Table,
    prefix: &[u8],
) -> Result<Option<Row>, StoreError> {
    let end = prefix_end(prefix);
    let upper = end.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
    Ok(snapshot.scan(table, (Bound::Included(prefix), upper), Direction::Backward, 1)?.pop())
}

fn is_below(upper: Bound<&[u8]>, key: &[u8]) -> bool {
    match upper {
        Bound::Included(upper) => key <= upper,
        Bound::Excluded(upper) => key < upper,
        Bound::Unbounded => true,
    }
}
