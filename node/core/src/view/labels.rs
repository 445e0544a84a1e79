//! Questions about labels on shelves: which have to be changed at a store.

use std::collections::BTreeSet;

use stockroom_crdt::checkout::label::{Change, LabelDone, change};
use stockroom_crdt::entry::{Fact, kind};
use stockroom_crdt::ids::{Code, Sku, StoreId};
use stockroom_crdt::scope::Scope;

use super::View;
use crate::books::cells;
use crate::storage::{Snapshot, StoreError};

impl<S: Snapshot + ?Sized> View<'_, S> {
    /// The label that was put up last for a product at a store.
    pub fn label(&self, store: StoreId, sku: &Sku) -> Result<Option<LabelDone>, StoreError> {
        let held = self.decision(&Scope::StoreStock(store), kind::LABEL_DONE, sku.as_str().as_bytes())?;
        Ok(held.and_then(|fact| if let Fact::LabelDone(done) = fact { Some(done) } else { None }))
    }

    /// What has to be done about a product's label at a store: `at` is the time, and how long before its start a price is put up, both in
    /// milliseconds.
    pub fn label_change(&self, store: StoreId, sku: &Sku, at: (u64, u64)) -> Result<Option<Change>, StoreError> {
        let Some(record) = self.store(store)? else { return Ok(None) };
        let prices = self.prices(&record.book, sku)?;
        Ok(change(&prices, self.label(store, sku)?.as_ref(), at.0, at.1))
    }

    /// Every label that has to be changed at a store, by SKU.
    pub fn label_changes(&self, store: StoreId, at: (u64, u64)) -> Result<Vec<(Sku, Change)>, StoreError> {
        let Some(record) = self.store(store)? else { return Ok(Vec::new()) };
        // Most goods bear the one price that they always had, and nobody ever changed their label: those are not looked at.
        let mut asked = self.repriced(&record.book)?;
        let done = self.decisions(&Scope::StoreStock(store), kind::LABEL_DONE)?.into_iter();
        asked.extend(done.filter_map(|fact| if let Fact::LabelDone(done) = fact { Some(done.sku) } else { None }));
        let mut changes = Vec::new();
        for sku in asked {
            if self.product(&sku)?.is_none_or(|product| product.discontinued) {
                continue;
            }
            let wanted = change(&self.prices(&record.book, &sku)?, self.label(store, &sku)?.as_ref(), at.0, at.1);
            changes.extend(wanted.map(|wanted| (sku, wanted)));
        }
        Ok(changes)
    }

    /// Products that have more than one price in a book, by their starts.
    fn repriced(&self, book: &Code) -> Result<BTreeSet<Sku>, StoreError> {
        let mut found = BTreeSet::new();
        let Some(number) = cells::scope_number(self.snapshot, &Scope::Prices(book.clone()))? else { return Ok(found) };
        let (mut before, mut last) = (Vec::new(), Vec::new());
        cells::entities(self.snapshot, number, kind::PRICE, |entity| {
            let sku = &entity[..entity.len().saturating_sub(START_BYTES)];
            if sku == before.as_slice() && sku != last.as_slice() {
                last = sku.to_vec();
                found.extend(std::str::from_utf8(sku).ok().and_then(|text| Sku::parse(text).ok()));
            }
            before = sku.to_vec();
        })?;
        Ok(found)
    }
}

/// What stands behind the SKU in the entity of a price: a zero, and when it starts.
const START_BYTES: usize = 9;
