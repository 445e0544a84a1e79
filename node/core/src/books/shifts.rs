//! Who has a till's drawer.

use stockroom_crdt::ids::{StoreId, TillId};

use crate::storage::{Snapshot, StoreError};

/// The shift that is open at a till.
pub fn open_shift(
    _snapshot: &(impl Snapshot + ?Sized),
    _store: StoreId,
    _till: TillId,
) -> Result<Option<u32>, StoreError> {
    Ok(None)
}
