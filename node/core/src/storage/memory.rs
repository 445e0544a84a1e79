//! An ordered store in memory, for simulations with many nodes. "Durable" means: in the maps that the simulator keeps.
//!
//! A snapshot shares the maps, and a commit copies those tables that a snapshot still shows. A commit that nobody watches
//! happens in place, so its price does not grow with what is stored.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex, PoisonError};

use super::{Direction, Reader, Row, Snapshot, Store, StoreError, TABLES, Table, Writes, rows_between};

/// Tables in memory. Clones share the rows, so a "disk" survives the node that used it.
#[derive(Clone, Default)]
pub struct MemoryStore {
    tables: Arc<Mutex<Arc<Tables>>>,
}

type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

#[derive(Clone)]
struct Tables([Arc<Rows>; TABLES.len()]);

impl Default for Tables {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Arc::default()))
    }
}

impl MemoryStore {
    /// A separate copy of the rows as they are now: an image of the disk.
    pub fn image(&self) -> Self {
        Self { tables: Arc::new(Mutex::new(self.current())) }
    }

    fn current(&self) -> Arc<Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Reader for MemoryStore {
    fn snapshot(&self) -> Result<Arc<dyn Snapshot>, StoreError> {
        Ok(self.current())
    }
}

impl Store for MemoryStore {
    fn reader(&self) -> Arc<dyn Reader> {
        Arc::new(self.clone())
    }

    fn commit(&mut self, writes: &Writes) -> Result<(), StoreError> {
        let mut current = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        let tables = Arc::make_mut(&mut current);
        for table in TABLES.into_iter().filter(|&table| !writes.of(table).is_empty()) {
            let rows = Arc::make_mut(&mut tables.0[table as usize]);
            for (key, value) in writes.of(table) {
                match value {
                    Some(value) => rows.insert(key.clone(), value.clone()),
                    None => rows.remove(key),
                };
            }
        }
        Ok(())
    }
}

impl Snapshot for Tables {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.0[table as usize].get(key).cloned())
    }

    fn scan(
        &self,
        table: Table,
        range: (Bound<&[u8]>, Bound<&[u8]>),
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        let row = |(key, value): (&Vec<u8>, &Vec<u8>)| (key.clone(), value.clone());
        let rows = rows_between(&self.0[table as usize], range);
        Ok(match direction {
            Direction::Forward => rows.take(limit).map(row).collect(),
            Direction::Backward => rows.rev().take(limit).map(row).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(store: &mut MemoryStore, table: Table, key: u8, value: u8) {
        store.commit(&Writes::from_iter([((table, vec![key]), Some(vec![value]))])).unwrap();
    }

    #[test]
    fn a_snapshot_keeps_what_it_shows_and_a_commit_copies_only_the_tables_it_writes() {
        let mut store = MemoryStore::default();
        put(&mut store, Table::Meta, 1, 1);
        put(&mut store, Table::Logs, 1, 1);
        let (before, image) = (store.current(), store.image());
        put(&mut store, Table::Meta, 1, 2);
        assert_eq!(before.get(Table::Meta, &[1]), Ok(Some(vec![1])));
        assert_eq!(image.current().get(Table::Meta, &[1]), Ok(Some(vec![1])));
        let after = store.current();
        assert_eq!(after.get(Table::Meta, &[1]), Ok(Some(vec![2])));
        assert!(Arc::ptr_eq(&before.0[Table::Logs as usize], &after.0[Table::Logs as usize]));
    }

    #[test]
    fn a_commit_that_nobody_watches_happens_in_place() {
        let mut store = MemoryStore::default();
        put(&mut store, Table::Meta, 1, 1);
        let place = Arc::as_ptr(&store.current().0[Table::Meta as usize]);
        put(&mut store, Table::Meta, 2, 2);
        assert_eq!(Arc::as_ptr(&store.current().0[Table::Meta as usize]), place);
    }

    #[test]
    fn bounds_that_cross_hold_nothing() {
        let mut store = MemoryStore::default();
        put(&mut store, Table::Meta, 5, 1);
        let scan = |from, to| store.current().scan(Table::Meta, (from, to), Direction::Backward, 9).unwrap().len();
        assert_eq!(scan(Bound::Included(&[5][..]), Bound::Included(&[5][..])), 1);
        assert_eq!(scan(Bound::Included(&[5][..]), Bound::Excluded(&[5][..])), 0);
        assert_eq!(scan(Bound::Included(&[7][..]), Bound::Excluded(&[2][..])), 0);
        assert_eq!(scan(Bound::Unbounded, Bound::Unbounded), 1);
    }
}
