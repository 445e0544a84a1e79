//! An ordered store in memory, for simulations with many nodes. "Durable" means: in the map that the simulator keeps.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex, PoisonError};

use super::{Direction, Reader, Row, Snapshot, Store, StoreError, Table, Writes};

type Rows = BTreeMap<(Table, Vec<u8>), Vec<u8>>;

/// Tables in memory. Clones share the rows, so a "disk" survives the node that used it.
#[derive(Clone, Default)]
pub struct MemoryStore {
    rows: Arc<Mutex<Arc<Rows>>>,
}

impl MemoryStore {
    /// A separate copy of the rows as they are now: an image of the disk.
    pub fn image(&self) -> Self {
        Self { rows: Arc::new(Mutex::new(self.current())) }
    }

    fn current(&self) -> Arc<Rows> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Reader for MemoryStore {
    fn snapshot(&self) -> Result<Arc<dyn Snapshot>, StoreError> {
        Ok(Arc::new(Frozen { rows: self.current() }))
    }
}

impl Store for MemoryStore {
    fn reader(&self) -> Arc<dyn Reader> {
        Arc::new(self.clone())
    }

    fn commit(&mut self, writes: &Writes) -> Result<(), StoreError> {
        let mut current = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        let rows = Arc::make_mut(&mut current);
        for (key, value) in writes {
            match value {
                Some(value) => rows.insert(key.clone(), value.clone()),
                None => rows.remove(key),
            };
        }
        Ok(())
    }
}

struct Frozen {
    rows: Arc<Rows>,
}

impl Snapshot for Frozen {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.rows.get(&(table, key.to_vec())).cloned())
    }

    fn scan(
        &self,
        table: Table,
        range: (Bound<&[u8]>, Bound<&[u8]>),
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        let lower = match range.0 {
            Bound::Included(key) => Bound::Included((table, key.to_vec())),
            Bound::Excluded(key) => Bound::Excluded((table, key.to_vec())),
            Bound::Unbounded => Bound::Included((table, Vec::new())),
        };
        let upper = match range.1 {
            Bound::Included(key) => Bound::Included((table, key.to_vec())),
            Bound::Excluded(key) => Bound::Excluded((table, key.to_vec())),
            Bound::Unbounded => match super::TABLES.get(table as usize + 1) {
                Some(&next) => Bound::Excluded((next, Vec::new())),
                None => Bound::Unbounded,
            },
        };
        if is_empty(&lower, &upper) {
            return Ok(Vec::new());
        }
        let row = |((_, key), value): (&(Table, Vec<u8>), &Vec<u8>)| (key.clone(), value.clone());
        let rows = self.rows.range((lower, upper));
        Ok(match direction {
            Direction::Forward => rows.take(limit).map(row).collect(),
            Direction::Backward => rows.rev().take(limit).map(row).collect(),
        })
    }
}

/// `BTreeMap::range` panics on such bounds; an empty answer is what the caller means.
fn is_empty<T: Ord>(lower: &Bound<T>, upper: &Bound<T>) -> bool {
    match (lower, upper) {
        (Bound::Included(a), Bound::Included(b)) => a > b,
        (Bound::Included(a) | Bound::Excluded(a), Bound::Included(b) | Bound::Excluded(b)) => a >= b,
        (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
    }
}
