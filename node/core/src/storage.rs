//! Where a replica keeps its rows: ordered tables of bytes, a snapshot to read, one atomic batch to write.
//!
//! [`Store`] has two implementations: [`redb`] for nodes and for the simulator's disks, [`memory`] for large simulations.

pub mod memory;
pub mod redb;

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

/// The tables of a replica. The number is part of the file format.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Table {
    /// Single values: format, tenant, epoch, clock floor.
    Meta = 0,
    /// Log number to the log's id and head.
    Logs = 1,
    /// (log number, first sequence number) to a run of entries.
    Runs = 2,
    /// (log number, sequence number) to a seal.
    Seals = 3,
    /// Scope number to scope.
    Scopes = 4,
    /// (scope number, position) to what was ingested there.
    Feed = 5,
    /// (scope number, field, entity, writer) to the newest value.
    Cells = 6,
    /// (scope number, position) to the cell that changed there last.
    CellFeed = 7,
    /// (peer, scope) to how far that peer's feed was taken.
    Cursors = 8,
    /// (peer, scope) to how far that peer has our feed durable.
    Acked = 9,
    /// (store, sku, unit) to stock on hand.
    Accounts = 10,
    /// (store, sku, unit, chunk) to older positions of the account.
    Moves = 11,
    /// (store, till, till's number) to the sale's place.
    Sales = 12,
    /// (store, till, series, sequence, content) to the sale's place.
    Receipts = 13,
    /// (store, day) to the day's takings.
    Days = 14,
    /// (store, session, scan) to a count's scan.
    Scans = 15,
    /// Barcode or item number to SKU.
    Barcodes = 16,
    /// Retry key to what it did.
    Keys = 17,
    /// Entries whose application crashed.
    Quarantine = 18,
    /// Node to its capability.
    Nodes = 19,
    /// (store, sku, unit, class, actor) to the actor's row of rights.
    Rights = 20,
    /// (store, promise) to the promise and what was said about it.
    Promises = 21,
    /// (store, sku, unit, promise) of promises that are open.
    OpenPromises = 22,
    /// (store, sku, unit) to units of promises, open and closed.
    Owed = 23,
    /// (store, transfer, part, content) to the entries that hold it.
    Transfers = 24,
    /// (store, order, writer, sequence number) to an entry about an order; store 0 for the scope of its home.
    OrderEvents = 25,
    /// (store, due, order, generation) of fulfillments that somebody has to work on; store 0 for orders at their home.
    OpenOrders = 26,
    /// (order, store): where entries about an order stand.
    OrderStores = 27,
    /// (store, time, order, generation): when fulfillments were offered; store 0 for when orders were placed.
    OrderTimes = 28,
    /// (store, return, ...) to the entries about a return that stand in the store's scopes.
    Returns = 29,
    /// (store, ...) to the entries about a basket that waits, and to what explains a receipt.
    Baskets = 30,
    /// (store, till, shift, time, writer, sequence number) to an entry about a shift.
    Shifts = 31,
    /// Staff to wrong PINs in a row, and how long the next try has to wait. Of this node alone: it is in no log.
    SignIns = 32,
    /// Member to the key of her personal values, and until when this node may use it. In no log, so that it can be destroyed.
    MemberKeys = 33,
    /// (store, member) to the account as that store's scope has it.
    Members = 34,
    /// (member, store): whose scopes say something of an account.
    MemberStores = 35,
    /// Keyed hash of an identifier to accounts, and an account to its hashes. Of this node alone, like the key of the hash: it is in no log.
    MemberIndex = 36,
    /// (store, ...) to rows of points: what hubs, holders and sales say.
    Points = 37,
    /// (store, ...) to rows of coupons: rights, redemptions and quotas.
    Coupons = 38,
    /// (member or coupon, store): in which stores' scopes something is said of it.
    LoyaltyStores = 39,
    /// (store, subject, ...) to the changes and snapshots of a note; store 0 for those that stand in no store's scope.
    Notes = 40,
    /// (store, node) to the version of the program that it started last.
    Programs = 41,
    /// (order, generation) to what routing said of each store when it made that choice. Of this node alone: it is in no log.
    Plans = 42,
}

/// All tables, by number.
pub const TABLES: [Table; 43] = [
    Table::Meta,
    Table::Logs,
    Table::Runs,
    Table::Seals,
    Table::Scopes,
    Table::Feed,
    Table::Cells,
    Table::CellFeed,
    Table::Cursors,
    Table::Acked,
    Table::Accounts,
    Table::Moves,
    Table::Sales,
    Table::Receipts,
    Table::Days,
    Table::Scans,
    Table::Barcodes,
    Table::Keys,
    Table::Quarantine,
    Table::Nodes,
    Table::Rights,
    Table::Promises,
    Table::OpenPromises,
    Table::Owed,
    Table::Transfers,
    Table::OrderEvents,
    Table::OpenOrders,
    Table::OrderStores,
    Table::OrderTimes,
    Table::Returns,
    Table::Baskets,
    Table::Shifts,
    Table::SignIns,
    Table::MemberKeys,
    Table::Members,
    Table::MemberStores,
    Table::MemberIndex,
    Table::Points,
    Table::Coupons,
    Table::LoyaltyStores,
    Table::Notes,
    Table::Programs,
    Table::Plans,
];

/// The disk failed, or the file is not what was written. The node must stop: what is on disk is unknown until it is opened
/// and verified again. Never retry the commit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("storage failed: {0}")]
pub struct StoreError(pub String);

/// A key and its value.
pub type Row = (Vec<u8>, Vec<u8>);

/// Which end of a range comes first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Direction {
    /// Ascending keys.
    Forward,
    /// Descending keys.
    Backward,
}

/// A consistent picture of the tables at one commit.
pub trait Snapshot: Send + Sync {
    /// The value of a key.
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;

    /// At most `limit` rows with keys between the bounds.
    fn scan(
        &self,
        table: Table,
        range: (Bound<&[u8]>, Bound<&[u8]>),
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError>;
}

/// Makes snapshots; may be used from any thread while the owner writes.
pub trait Reader: Send + Sync {
    /// A snapshot of the last commit.
    fn snapshot(&self) -> Result<Arc<dyn Snapshot>, StoreError>;
}

/// The writable end. One owner.
pub trait Store: Send {
    /// A handle for readers.
    fn reader(&self) -> Arc<dyn Reader>;

    /// Makes all writes durable together, or none of them.
    fn commit(&mut self, writes: &Writes) -> Result<(), StoreError>;
}

/// Rows to put (`Some`) or remove (`None`), in the order of tables and keys. One map per table, so that a key is looked up as
/// it stands, without a copy of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Writes {
    tables: [BTreeMap<Vec<u8>, Option<Vec<u8>>>; TABLES.len()],
}

impl Default for Writes {
    fn default() -> Self {
        Self { tables: std::array::from_fn(|_| BTreeMap::new()) }
    }
}

impl Writes {
    /// Nothing to write.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts or removes a row; the last word on a key counts.
    pub fn insert(&mut self, (table, key): (Table, Vec<u8>), value: Option<Vec<u8>>) {
        self.tables[table as usize].insert(key, value);
    }

    /// Says nothing about a row any more.
    pub fn forget(&mut self, table: Table, key: &[u8]) {
        self.tables[table as usize].remove(key);
    }

    /// What is written to one table.
    pub fn of(&self, table: Table) -> &BTreeMap<Vec<u8>, Option<Vec<u8>>> {
        &self.tables[table as usize]
    }

    /// True when nothing is written.
    pub fn is_empty(&self) -> bool {
        self.tables.iter().all(BTreeMap::is_empty)
    }

    /// All rows, in the order of tables and keys.
    pub fn iter(&self) -> impl Iterator<Item = ((Table, &Vec<u8>), &Option<Vec<u8>>)> {
        TABLES.into_iter().flat_map(|table| self.of(table).iter().map(move |(key, value)| ((table, key), value)))
    }
}

impl Extend<((Table, Vec<u8>), Option<Vec<u8>>)> for Writes {
    fn extend<I: IntoIterator<Item = ((Table, Vec<u8>), Option<Vec<u8>>)>>(&mut self, rows: I) {
        rows.into_iter().for_each(|(key, value)| self.insert(key, value));
    }
}

impl FromIterator<((Table, Vec<u8>), Option<Vec<u8>>)> for Writes {
    fn from_iter<I: IntoIterator<Item = ((Table, Vec<u8>), Option<Vec<u8>>)>>(rows: I) -> Self {
        let mut writes = Self::new();
        writes.extend(rows);
        writes
    }
}

/// The rows of one table between two bounds; none for bounds that cross, on which `BTreeMap::range` would panic.
pub(crate) fn rows_between<'a, V>(
    rows: &'a BTreeMap<Vec<u8>, V>,
    range: (Bound<&[u8]>, Bound<&[u8]>),
) -> impl DoubleEndedIterator<Item = (&'a Vec<u8>, &'a V)> {
    let crossed = match range {
        (Bound::Included(a), Bound::Included(b)) => a > b,
        (Bound::Included(a) | Bound::Excluded(a), Bound::Included(b) | Bound::Excluded(b)) => a >= b,
        (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
    };
    (!crossed).then(|| rows.range::<[u8], _>(range)).into_iter().flatten()
}

/// The smallest key above every key that begins with `prefix`; unbounded if there is none.
pub fn prefix_end(prefix: &[u8]) -> Option<Vec<u8>> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            return Some(end);
        }
    }
    None
}
