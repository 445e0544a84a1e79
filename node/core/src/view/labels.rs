//! Questions about labels on shelves: which have to be changed at a store.

use stockroom_crdt::checkout::label::{Change, LabelDone, change};
use stockroom_crdt::entry::{Fact, kind};
use stockroom_crdt::ids::{Sku, StoreId};
use stockroom_crdt::scope::Scope;

use super::View;
use crate::limits::PAGE_MAX;
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
        let (mut changes, mut after) = (Vec::new(), None);
        loop {
            let page = self.products(after.as_ref(), PAGE_MAX)?;
            let Some(last) = page.last() else { return Ok(changes) };
            after = Some(last.sku.clone());
            for product in page.into_iter().filter(|product| !product.discontinued) {
                let prices = self.prices(&record.book, &product.sku)?;
                let done = self.label(store, &product.sku)?;
                let wanted = change(&prices, done.as_ref(), at.0, at.1);
                changes.extend(wanted.map(|wanted| (product.sku, wanted)));
            }
        }
    }
}
