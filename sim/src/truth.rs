//! The true goods and money: what is on the shelf and in the drawer, whatever any book says.
//!
//! Goods leave with the customer when the till has its answer, and money comes in. This is what findings are measured against.

use std::collections::{BTreeMap, BTreeSet};

use crate::observe::{Act, Deed};

/// Every store's goods and money.
#[derive(Clone, Debug, Default)]
pub struct Truth {
    /// By store.
    pub stores: BTreeMap<u32, StoreTruth>,
    /// Deeds that went with a disk before any hub had them: (store, number of the deed).
    pub declared_lost: BTreeSet<(u32, usize)>,
}

/// One store's goods and money.
#[derive(Clone, Debug, Default)]
pub struct StoreTruth {
    /// Units on the shelf, by product.
    pub shelf: BTreeMap<u16, i64>,
    /// Units that vanished unseen since the product was last counted.
    pub unseen: BTreeMap<u16, i64>,
    /// Money taken, minor units.
    pub takings: i64,
    /// Everything acknowledged here, in order.
    pub deeds: Vec<Deed>,
    /// Numbers of the sales among them: (till, till's number).
    pub sales: BTreeMap<(u32, u64), usize>,
}

impl Truth {
    /// A deed was acknowledged for the first time. A repeated answer changes nothing.
    pub fn acknowledged(&mut self, deed: &Deed) {
        let store = self.stores.entry(deed.store).or_default();
        match &deed.what {
            Act::Sale { till, till_seq, lines, total } => {
                if store.sales.contains_key(&(*till, *till_seq)) {
                    return;
                }
                store.sales.insert((*till, *till_seq), store.deeds.len());
                store.takings += total;
                for (product, quantity) in lines {
                    *store.shelf.entry(*product).or_default() -= quantity;
                }
            }
            Act::Receipt { product, quantity } => *store.shelf.entry(*product).or_default() += quantity,
            Act::Count { product, .. } => drop(store.unseen.remove(product)),
            Act::Moved { lines } => {
                for (product, quantity) in lines {
                    *store.shelf.entry(*product).or_default() += quantity;
                }
            }
            Act::Other(_) => {}
        }
        store.deeds.push(deed.clone());
    }

    /// Goods vanished.
    pub fn shrank(&mut self, store: u32, product: u16, quantity: i64) {
        let store = self.stores.entry(store).or_default();
        *store.shelf.entry(product).or_default() -= quantity;
        *store.unseen.entry(product).or_default() += quantity;
    }

    /// Units on a shelf.
    pub fn on_shelf(&self, store: u32, product: u16) -> i64 {
        self.stores.get(&store).and_then(|store| store.shelf.get(&product)).copied().unwrap_or(0)
    }
}
