//! Reading who works here.

use stockroom_crdt::checkout::staff::StaffRecord;
use stockroom_crdt::entry::{Fact, kind};
use stockroom_crdt::ids::{Code, StoreId};
use stockroom_crdt::scope::Scope;

use super::View;
use crate::storage::{Snapshot, StoreError};

impl<S: Snapshot + ?Sized> View<'_, S> {
    /// A member of staff, also one who works here no more.
    pub fn staff(&self, staff: &Code) -> Result<Option<StaffRecord>, StoreError> {
        Ok(match self.decision(&Scope::Control, kind::STAFF, staff.as_str().as_bytes())? {
            Some(Fact::Staff(record)) => Some(record),
            _ => None,
        })
    }

    /// Everybody who was ever put down, by short name; those of one store only if one is named.
    pub fn staff_list(&self, store: Option<StoreId>) -> Result<Vec<StaffRecord>, StoreError> {
        let records = self.decisions(&Scope::Control, kind::STAFF)?.into_iter().filter_map(|fact| match fact {
            Fact::Staff(record) => Some(record),
            _ => None,
        });
        let is_of = |record: &StaffRecord| {
            store.is_none_or(|store| record.stores.is_empty() || record.stores.binary_search(&store).is_ok())
        };
        let mut records: Vec<_> = records.filter(is_of).collect();
        records.sort_by(|a, b| a.staff.cmp(&b.staff));
        Ok(records)
    }

    /// True when somebody who works at a store signs in there with a PIN.
    pub fn has_pins(&self, store: StoreId) -> Result<bool, StoreError> {
        let records = self.staff_list(Some(store))?;
        Ok(records.iter().any(|record| record.works_at(store) && !record.pin.is_empty()))
    }
}
