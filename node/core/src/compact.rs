//! A database written anew. A page that is freed keeps its bytes until something else is written there, and what was removed can be found on the
//! disk by whoever looks: so every live row is copied into a fresh database, and what is not live stays behind with the old file.

use std::ops::Bound;

use crate::limits::{COMPACT_BYTES_GOAL, PAGE_MAX};
use crate::storage::{Direction, Row, Snapshot, Store, StoreError, TABLES, Table, Writes};

/// Copies every row into an empty database. Gives how many there are.
pub fn copy(from: &dyn Snapshot, to: &mut dyn Store) -> Result<u64, StoreError> {
    let (mut rows, mut bytes, mut writes) = (0, 0, Writes::new());
    for table in TABLES {
        let mut after = None;
        loop {
            let page = page(from, table, after.as_deref())?;
            let Some((last, _)) = page.last() else { break };
            after = Some(last.clone());
            rows += page.len() as u64;
            bytes += page.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>();
            writes.extend(page.into_iter().map(|(key, value)| ((table, key), Some(value))));
            if bytes >= COMPACT_BYTES_GOAL {
                to.commit(&std::mem::take(&mut writes))?;
                bytes = 0;
            }
        }
    }
    to.commit(&writes)?;
    Ok(rows)
}

/// The first table in which two databases differ; `None` when they hold the same rows.
pub fn difference(one: &dyn Snapshot, other: &dyn Snapshot) -> Result<Option<Table>, StoreError> {
    for table in TABLES {
        let mut after = None;
        loop {
            let page_of_one = page(one, table, after.as_deref())?;
            if page_of_one != page(other, table, after.as_deref())? {
                return Ok(Some(table));
            }
            let Some((last, _)) = page_of_one.into_iter().next_back() else { break };
            after = Some(last);
        }
    }
    Ok(None)
}

fn page(from: &dyn Snapshot, table: Table, after: Option<&[u8]>) -> Result<Vec<Row>, StoreError> {
    let start = after.map_or(Bound::Unbounded, Bound::Excluded);
    from.scan(table, (start, Bound::Unbounded), Direction::Forward, PAGE_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::memory::MemoryStore;

    #[test]
    fn the_copy_holds_every_row_of_more_than_one_page_and_a_difference_is_found() {
        let (mut from, mut to) = (MemoryStore::default(), MemoryStore::default());
        let mut writes = Writes::new();
        for number in 0..2 * PAGE_MAX as u32 + 1 {
            writes.insert((Table::Runs, number.to_be_bytes().to_vec()), Some(vec![7; 40]));
        }
        writes.insert((Table::Meta, b"format".to_vec()), Some(vec![1]));
        from.commit(&writes).unwrap();
        let snapshot = from.reader().snapshot().unwrap();
        assert_eq!(copy(&*snapshot, &mut to).unwrap(), 2 * PAGE_MAX as u64 + 2);
        assert_eq!(difference(&*snapshot, &*to.reader().snapshot().unwrap()).unwrap(), None);
        let mut more = Writes::new();
        more.insert((Table::Runs, 1_500u32.to_be_bytes().to_vec()), None);
        to.commit(&more).unwrap();
        assert_eq!(difference(&*snapshot, &*to.reader().snapshot().unwrap()).unwrap(), Some(Table::Runs));
    }
}
