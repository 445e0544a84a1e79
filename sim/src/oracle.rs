//! What must be true of all nodes together, told from what they committed, never from their opinion of themselves.

use std::collections::BTreeMap;

use stockroom_core::books::days::Day;
use stockroom_core::storage::Snapshot;
use stockroom_core::view::View;
use stockroom_crdt::entry::Fact;
use stockroom_crdt::ids::StoreId;
use stockroom_crdt::sale::{ReceiptNumber, Sale};

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
