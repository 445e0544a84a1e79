//! The true goods and money: what is on the shelf and in the drawer, whatever any book says.
//!
//! Goods leave with the customer when the till has its answer, and money comes in. This is what findings are measured against. [`money`] is
//! what terminals and drawers hold, [`persons`] who members are.

pub mod money;
pub mod persons;

use std::collections::{BTreeMap, BTreeSet};

use stockroom_crdt::stock::promise::{PromiseId, Step};

use crate::observe::{Act, Deed, OrderAct};
use money::Money;
use persons::Persons;

/// Every store's goods and money.
#[derive(Clone, Debug, Default)]
pub struct Truth {
    /// By store.
    pub stores: BTreeMap<u32, StoreTruth>,
    /// Deeds that went with a disk before any hub had them: (store, number of the deed).
    pub declared_lost: BTreeSet<(u32, usize)>,
    /// Promises and what was said about them, as it was acknowledged, in order.
    pub promised: Vec<Deed>,
    /// Those among them that went with a disk before any hub had them.
    pub promised_lost: BTreeSet<usize>,
    /// What terminals and drawers hold.
    pub money: Money,
    /// Who members are.
    pub persons: Persons,
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
    /// Goods that were handed over for promises: product and units.
    pub issued: BTreeMap<PromiseId, (u16, i64)>,
    /// Goods that lie apart from the shelf, for promises; they count as on it.
    pub staged: BTreeMap<PromiseId, (u16, i64)>,
    /// Products of which goods vanished or were miscounted at any time: the book was wrong.
    pub misled: BTreeSet<u16>,
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
            Act::Moved { lines } => {
                for (product, quantity) in lines {
                    *store.shelf.entry(*product).or_default() += quantity;
                }
            }
            Act::Count { product, quantity } => {
                let off = quantity - store.shelf.get(product).copied().unwrap_or(0);
                store.unseen.insert(*product, off);
                if off == 0 {
                    store.unseen.remove(product);
                } else {
                    store.misled.insert(*product);
                }
            }
            Act::Promise { id, .. } => {
                let again = |held: &Deed| matches!(&held.what, Act::Promise { id: held, .. } if held == id);
                if !self.promised.iter().any(again) {
                    self.promised.push(deed.clone());
                }
                return;
            }
            Act::Said { id, step, product, quantity } => {
                store.said(*id, *step, (*product, *quantity));
                self.promised.push(deed.clone());
                return;
            }
            Act::Order { said, .. } => {
                store.ordered(said);
                self.promised.push(deed.clone());
                return;
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
        store.misled.insert(product);
    }

    /// Units on a shelf.
    pub fn on_shelf(&self, store: u32, product: u16) -> i64 {
        self.stores.get(&store).and_then(|store| store.shelf.get(&product)).copied().unwrap_or(0)
    }
}

impl StoreTruth {
    fn said(&mut self, id: PromiseId, step: Step, goods: (u16, i64)) {
        match step {
            Step::Pick => drop(self.staged.insert(id, goods)),
            Step::PutBack | Step::Release => drop(self.staged.remove(&id)),
            Step::Fulfil => {
                self.staged.remove(&id);
                if self.issued.insert(id, goods).is_none() {
                    *self.shelf.entry(goods.0).or_default() -= goods.1;
                }
            }
            Step::Confirm | Step::AskRelease | Step::Expire | Step::Harden | Step::NotFound => {}
        }
    }

    fn ordered(&mut self, said: &OrderAct) {
        match said {
            OrderAct::Given { goods, .. } => {
                for (id, product, units) in goods {
                    self.staged.remove(id);
                    self.issued.entry(*id).or_insert((*product, 0)).1 += units;
                    *self.shelf.entry(*product).or_default() -= units;
                }
            }
            OrderAct::Back { goods } => {
                for (_, product, units) in goods {
                    *self.shelf.entry(*product).or_default() += units;
                }
            }
            OrderAct::Placed { .. } | OrderAct::Paid { .. } | OrderAct::Said(_) => {}
        }
    }

    /// Units of a product on the shelf that nobody set apart.
    pub fn free(&self, product: u16) -> i64 {
        let staged: i64 = self.staged.values().filter(|(held, _)| *held == product).map(|(_, units)| units).sum();
        self.shelf.get(&product).copied().unwrap_or(0) - staged
    }
}
