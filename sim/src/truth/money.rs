//! What payment terminals and drawers truly hold, and what customers agreed to pay. No node is asked for any of it.

use std::collections::BTreeMap;

use crate::observe::{Act, Deed};

/// A basket as its store's till calls it: store, till, the till's number of it.
pub type Rung = (u32, u32, u64);

/// Money of all stores.
#[derive(Clone, Debug, Default)]
pub struct Money {
    /// What terminals took, by the reference under which they were asked.
    pub takings: BTreeMap<String, Taking>,
    /// References in the order in which terminals took money.
    pub taken: Vec<String>,
    /// Cash in drawers, minor units, by store and till.
    pub drawers: BTreeMap<(u32, u32), i64>,
    /// What customers agreed to pay for baskets that nodes priced, minor units: each total that they were told.
    pub agreed: BTreeMap<Rung, Vec<i64>>,
}

/// What a terminal took under one reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taking {
    /// For which basket.
    pub basket: Rung,
    /// What it was asked for, minor units.
    pub asked: i64,
    /// What it took.
    pub taken: i64,
    /// It gave it back.
    pub back: bool,
}

impl Money {
    /// A terminal takes money.
    pub fn take(&mut self, reference: &str, taking: Taking) {
        self.taken.push(reference.to_owned());
        self.takings.insert(reference.to_owned(), taking);
    }

    /// A terminal gives back what it took, if it did.
    pub fn give_back(&mut self, reference: &str) {
        if let Some(taking) = self.takings.get_mut(reference) {
            taking.back = true;
        }
    }

    /// A customer is told a total and says yes.
    pub fn agree(&mut self, basket: Rung, total: i64) {
        self.agreed.entry(basket).or_default().push(total);
    }

    /// Cash goes into a drawer, or out of it.
    pub fn cash(&mut self, store: u32, till: u32, amount: i64) {
        *self.drawers.entry((store, till)).or_default() += amount;
    }

    /// What terminals hold for a basket, without what they took beyond what they were asked for.
    pub fn held_for(&self, basket: Rung) -> i64 {
        let held = self.takings.values().filter(|taking| taking.basket == basket && !taking.back);
        held.map(|taking| taking.taken.min(taking.asked)).sum()
    }
}

impl super::Truth {
    /// True when a till was told before that this sale is done.
    pub fn has_sold(&self, deed: &Deed) -> bool {
        let Act::Sale { till, till_seq, .. } = deed.what else { return false };
        self.stores.get(&deed.store).is_some_and(|store| store.sales.contains_key(&(till, till_seq)))
    }
}
