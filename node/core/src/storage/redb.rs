//! The store on disk: redb with two-phase commit, over any `StorageBackend`.
//!
//! The file is created by the shell as a temporary file, synced and renamed, because a crash while redb creates a file leaves
//! something that is not a database. Opening walks all checksums, also after a clean stop: redb
//! verifies no page when it reads one.

use std::ops::Bound;
use std::sync::Arc;

use redb::{Builder, Database, ReadOnlyTable, ReadTransaction, ReadableDatabase, TableDefinition, TableError};

/// What a database lies on: a file, or the simulator's disk.
pub use redb::StorageBackend;

use super::{Direction, Reader, Row, Snapshot, Store, StoreError, TABLES, Table, Writes};
use crate::plant::{Plant, planted};

/// A database over a backend.
pub struct RedbStore {
    database: Arc<Database>,
}

impl RedbStore {
    /// Opens or creates the database in `backend`, and walks all checksums. `cache_bytes` bounds redb's page cache.
    pub fn open(backend: impl StorageBackend, cache_bytes: usize) -> Result<Self, StoreError> {
        let mut builder = Builder::new();
        builder.set_cache_size(cache_bytes);
        builder.set_check_integrity_on_open(true);
        let database = builder.create_with_backend(backend).map_err(failed)?;
        Ok(Self { database: Arc::new(database) })
    }

    /// [`RedbStore::open`] over a file that the shell opened for reading and writing.
    #[expect(clippy::disallowed_types, reason = "the shell opened it; it is only handed through to redb")]
    pub fn open_file(file: std::fs::File, cache_bytes: usize) -> Result<Self, StoreError> {
        Self::open(redb::backends::FileBackend::new(file).map_err(failed)?, cache_bytes)
    }

    /// Walks every page and checksum of the file. `false` means that something was repaired.
    pub fn check(&mut self) -> Result<bool, StoreError> {
        let database = Arc::get_mut(&mut self.database).ok_or_else(|| StoreError("the database is in use".into()))?;
        database.check_integrity().map_err(failed)
    }
}

impl Store for RedbStore {
    fn reader(&self) -> Arc<dyn Reader> {
        Arc::new(DatabaseReader { database: self.database.clone() })
    }

    fn commit(&mut self, writes: &Writes) -> Result<(), StoreError> {
        let mut transaction = self.database.begin_write().map_err(failed)?;
        transaction.set_two_phase_commit(true);
        if planted(Plant::SkipSync) {
            transaction.set_durability(redb::Durability::None).map_err(failed)?;
        }
        for table in TABLES.into_iter().filter(|&table| !writes.of(table).is_empty()) {
            let mut open = transaction.open_table(definition(table)).map_err(failed)?;
            for (key, value) in writes.of(table) {
                match value {
                    Some(value) => open.insert(key.as_slice(), value.as_slice()).map_err(failed)?,
                    None => open.remove(key.as_slice()).map_err(failed)?,
                };
            }
        }
        transaction.commit().map_err(failed)
    }
}

struct DatabaseReader {
    database: Arc<Database>,
}

impl Reader for DatabaseReader {
    fn snapshot(&self) -> Result<Arc<dyn Snapshot>, StoreError> {
        let transaction = self.database.begin_read().map_err(failed)?;
        Ok(Arc::new(Opened { transaction, tables: std::array::from_fn(|_| Lazy::new()) }))
    }
}

type Bytes = ReadOnlyTable<&'static [u8], &'static [u8]>;

/// Filled once on first use; owned by one snapshot, so not the global state that the lint is about.
#[expect(clippy::disallowed_types, reason = "a cell inside one value, not a static")]
type Lazy<T> = std::sync::OnceLock<T>;

/// A read transaction with its tables opened on first use.
struct Opened {
    transaction: ReadTransaction,
    tables: [Lazy<Option<Bytes>>; TABLES.len()],
}

impl Opened {
    /// `None` for a table into which nothing was ever written.
    fn table(&self, table: Table) -> Result<Option<&Bytes>, StoreError> {
        let slot = &self.tables[table as usize];
        if let Some(open) = slot.get() {
            return Ok(open.as_ref());
        }
        let open = match self.transaction.open_table(definition(table)) {
            Ok(open) => Some(open),
            Err(TableError::TableDoesNotExist(_)) => None,
            Err(error) => return Err(failed(error)),
        };
        Ok(slot.get_or_init(|| open).as_ref())
    }
}

impl Snapshot for Opened {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(open) = self.table(table)? else { return Ok(None) };
        let value = redb::ReadableTable::get(open, key).map_err(failed)?;
        Ok(value.map(|guard| guard.value().to_vec()))
    }

    fn scan(
        &self,
        table: Table,
        range: (Bound<&[u8]>, Bound<&[u8]>),
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        let Some(open) = self.table(table)? else { return Ok(Vec::new()) };
        let mut rows = redb::ReadableTable::range::<&[u8]>(open, range).map_err(failed)?;
        let mut out = Vec::new();
        while out.len() < limit {
            let next = match direction {
                Direction::Forward => rows.next(),
                Direction::Backward => rows.next_back(),
            };
            let Some(row) = next else { break };
            let (key, value) = row.map_err(failed)?;
            out.push((key.value().to_vec(), value.value().to_vec()));
        }
        Ok(out)
    }
}

fn definition(table: Table) -> TableDefinition<'static, &'static [u8], &'static [u8]> {
    TableDefinition::new(match table {
        Table::Meta => "meta",
        Table::Logs => "logs",
        Table::Runs => "runs",
        Table::Seals => "seals",
        Table::Scopes => "scopes",
        Table::Feed => "feed",
        Table::Cells => "cells",
        Table::CellFeed => "cell_feed",
        Table::Cursors => "cursors",
        Table::Acked => "acked",
        Table::Accounts => "accounts",
        Table::Moves => "moves",
        Table::Sales => "sales",
        Table::Receipts => "receipts",
        Table::Days => "days",
        Table::Scans => "scans",
        Table::Barcodes => "barcodes",
        Table::Keys => "keys",
        Table::Quarantine => "quarantine",
        Table::Nodes => "nodes",
        Table::Rights => "rights",
        Table::Promises => "promises",
        Table::OpenPromises => "open_promises",
        Table::Owed => "owed",
        Table::Transfers => "transfers",
        Table::OrderEvents => "order_events",
        Table::OpenOrders => "open_orders",
        Table::OrderStores => "order_stores",
        Table::OrderTimes => "order_times",
        Table::Returns => "returns",
        Table::Baskets => "baskets",
        Table::Shifts => "shifts",
        Table::SignIns => "sign_ins",
        Table::MemberKeys => "member_keys",
        Table::Points => "points",
        Table::Coupons => "coupons",
        Table::LoyaltyStores => "loyalty_stores",
        Table::Members => "members",
        Table::MemberStores => "member_stores",
        Table::MemberIndex => "member_index",
        Table::Notes => "notes",
        Table::Programs => "programs",
        Table::Plans => "plans",
    })
}

fn failed(error: impl std::fmt::Display) -> StoreError {
    StoreError(error.to_string())
}
