//! Writes of the current batch over the last commit: what a command reads is what it and its predecessors wrote.

use std::ops::Bound;
use std::sync::Arc;

use crate::storage::{Direction, Row, Snapshot, StoreError, Table, Writes, prefix_end, rows_between};

/// A snapshot with pending writes on top.
pub struct Overlay {
    /// `None` once the writes were taken away to be committed: until there is a new overlay nothing can be read.
    base: Option<Arc<dyn Snapshot>>,
    writes: Writes,
}

impl Overlay {
    /// Nothing pending over `base`.
    pub fn new(base: Arc<dyn Snapshot>) -> Self {
        Self { base: Some(base), writes: Writes::new() }
    }

    /// True when there is nothing to commit.
    pub fn is_clean(&self) -> bool {
        self.writes.is_empty()
    }

    /// What is to be committed. Lets go of the snapshot below, so that a store in memory need not keep what it shows; from
    /// now on every read fails, which is how it stays when the commit does.
    pub fn release(&mut self) -> Writes {
        self.base = None;
        std::mem::take(&mut self.writes)
    }

    /// Puts a row.
    pub fn put(&mut self, table: Table, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) {
        self.writes.insert((table, key.into()), Some(value.into()));
    }

    /// Takes back a row that was put in this batch and does not exist below it.
    pub fn forget(&mut self, table: Table, key: &[u8]) {
        self.writes.forget(table, key);
    }

    /// Removes a row.
    pub fn remove(&mut self, table: Table, key: impl Into<Vec<u8>>) {
        self.writes.insert((table, key.into()), None);
    }

    /// All rows whose keys begin with `prefix`.
    pub fn scan_prefix(&self, table: Table, prefix: &[u8], limit: usize) -> Result<Vec<Row>, StoreError> {
        scan_prefix(self, table, prefix, limit)
    }

    fn base(&self) -> Result<&dyn Snapshot, StoreError> {
        self.base.as_deref().ok_or_else(|| StoreError("the last commit did not succeed".into()))
    }
}

impl Snapshot for Overlay {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        match self.writes.of(table).get(key) {
            Some(pending) => Ok(pending.clone()),
            None => self.base()?.get(table, key),
        }
    }

    fn scan(
        &self,
        table: Table,
        range: (Bound<&[u8]>, Bound<&[u8]>),
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        let pending: Vec<_> = rows_between(self.writes.of(table), range).collect();
        if pending.is_empty() {
            return self.base()?.scan(table, range, direction, limit);
        }
        let removed = pending.len();
        let mut rows: std::collections::BTreeMap<_, _> =
            self.base()?.scan(table, range, direction, limit.saturating_add(removed))?.into_iter().collect();
        for (key, value) in pending {
            match value {
                Some(value) => rows.insert(key.clone(), value.clone()),
                None => rows.remove(key),
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
