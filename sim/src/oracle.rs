//! What must be true of all nodes together, told from what they committed, never from their opinion of themselves.

use std::collections::BTreeMap;

use stockroom_core::books::days::Day;
use stockroom_core::storage::{Direction, Snapshot, TABLES, Table};
use stockroom_core::view::View;
use stockroom_crdt::entry::Fact;
use stockroom_crdt::ids::{StoreId, TillId};
use stockroom_crdt::sale::{ReceiptNumber, Sale};

use crate::disk::Disk;
use crate::observe::RowChange;

/// What the books of one store say: figures that every replica with the same entries must share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreBooks {
    /// SKU and unit to units on hand, movements behind them, and whether a recount is asked for.
    pub stock: BTreeMap<String, (i64, u64, bool)>,
    /// Takings per business day.
    pub days: Vec<Day>,
    /// All sales by receipt number.
    pub sales: BTreeMap<ReceiptNumber, Sale>,
}

/// Reads the books of a store from one node's committed rows.
pub fn books(snapshot: &dyn Snapshot, store: StoreId) -> StoreBooks {
    let view = View::new(snapshot);
    let accounts = view.accounts(store, None, usize::MAX).expect("readable");
    let stock = accounts.into_iter().map(|(sku, unit, account)| {
        let on_hand = account.on_hand;
        (format!("{sku}/{}", unit.as_str()), (on_hand.quantity, on_hand.movements, on_hand.recount.is_some()))
    });
    let sales = view.receipts(store).expect("readable").into_iter().filter_map(|place| {
        match view.entry(place).expect("readable")?.fact {
            Fact::Sale(sale) => Some((sale.receipt, sale)),
            _ => None,
        }
    });
    StoreBooks { stock: stock.collect(), days: view.days(store).expect("readable"), sales: sales.collect() }
}

/// Stock by account (units, movements, recount asked for), and takings by day.
pub type Figures = (BTreeMap<String, (i64, u64, bool)>, Vec<Day>);

/// The figures of a store that do not depend on which branch of a fork came first: stock and takings.
pub fn figures(snapshot: &dyn Snapshot, store: StoreId) -> Figures {
    let all = books(snapshot, store);
    (all.stock, all.days)
}

/// The sale that a till numbered `till_seq`, if it is there.
pub fn sale(snapshot: &dyn Snapshot, store: StoreId, till: TillId, till_seq: u64) -> Option<Sale> {
    let view = View::new(snapshot);
    let place = view.sale_by_till(store, till, till_seq).expect("readable")?;
    match view.entry(place).expect("readable")?.fact {
        Fact::Sale(sale) => Some(sale),
        _ => None,
    }
}

/// Receipt sequences per (till, series) that are missing between the first and the last.
pub fn gaps(books: &StoreBooks) -> Vec<ReceiptNumber> {
    let mut last: BTreeMap<(u32, u16), u64> = BTreeMap::new();
    let mut missing = Vec::new();
    for number in books.sales.keys() {
        let before = last.insert((number.till.0, number.series), number.sequence).unwrap_or(0);
        missing.extend((before + 1..number.sequence).map(|sequence| ReceiptNumber { sequence, ..*number }));
    }
    missing
}

/// Every row that a node committed, except how far it follows its peers and when links to them came and went: what a refused frame must leave as it was.
pub fn rows(snapshot: &dyn Snapshot) -> BTreeMap<(Table, Vec<u8>), Vec<u8>> {
    let mut out = BTreeMap::new();
    let all = (std::ops::Bound::Unbounded, std::ops::Bound::Unbounded);
    for table in TABLES.into_iter().filter(|table| !matches!(table, Table::Cursors | Table::Acked)) {
        let rows = snapshot.scan(table, all, Direction::Forward, usize::MAX).expect("readable");
        let passing = |key: &[u8]| {
            key == b"clock" || [b"fresh/".as_slice(), b"link/", b"outage/"].iter().any(|word| key.starts_with(word))
        };
        let kept = rows.into_iter().filter(|(key, _)| table != Table::Meta || !passing(key));
        out.extend(kept.map(|(key, value)| ((table, key), value)));
    }
    out
}

/// Every row on a disk, as if one commit had made them all.
pub fn all_rows(disk: &Disk) -> Vec<RowChange> {
    let all = (std::ops::Bound::Unbounded, std::ops::Bound::Unbounded);
    // The store must outlive its snapshot. A disk that cannot be read shows nothing.
    let Ok(store) = disk.open() else { return Vec::new() };
    let Ok(snapshot) = store.reader().snapshot() else { return Vec::new() };
    let rows = |table| snapshot.scan(table, all, Direction::Forward, usize::MAX).unwrap_or_default();
    let changes = TABLES.into_iter().flat_map(|table| {
        rows(table).into_iter().map(move |(key, new)| RowChange { table, key, old: None, new: Some(new) })
    });
    changes.collect()
}
