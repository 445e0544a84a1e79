//! Single values of the database: whose it is, its epoch and why it was opened, its clock's floor.

use stockroom_crdt::clock::Hlc;
use stockroom_crdt::control::EpochReason;
use stockroom_crdt::ids::{Epoch, NodeId, TenantId};

use super::Replica;
use crate::input::CoreError;
use crate::journal::{damaged, fixed};
use crate::overlay::Overlay;
use crate::storage::{Snapshot, StoreError, Table};

/// Single values of the database.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Meta {
    pub(crate) owner: Option<(TenantId, NodeId)>,
    pub(crate) epoch: Option<Epoch>,
    pub(crate) epoch_reason: EpochReason,
    pub(crate) clock: Hlc,
    pub(crate) feed_epoch: u32,
    pub(crate) rights_locked: bool,
}

/// Numbers this node's feeds: what was acknowledged of another numbering says nothing of this one.
pub(crate) fn feed_epoch(snapshot: &(impl Snapshot + ?Sized)) -> Result<u32, StoreError> {
    let bytes = snapshot.get(Table::Meta, b"feed_epoch")?;
    bytes.map_or(Ok(0), |bytes| Ok(u64::from_be_bytes(fixed(&bytes)?) as u32))
}

impl Meta {
    pub(crate) fn of(replica: &Replica) -> Self {
        Self {
            owner: Some((replica.me.tenant, replica.me.capability().node)),
            epoch: Some(replica.epoch),
            epoch_reason: replica.epoch_reason,
            clock: replica.clock.last(),
            feed_epoch: replica.feed_epoch,
            rights_locked: replica.rights_locked,
        }
    }

    pub(crate) fn load(snapshot: &dyn Snapshot) -> Result<Self, CoreError> {
        check_format(snapshot)?;
        let get = |key: &str| snapshot.get(Table::Meta, key.as_bytes());
        let owner = match (get("tenant")?, get("node")?) {
            (Some(tenant), Some(node)) => Some((TenantId(fixed(&tenant)?), NodeId(u32::from_be_bytes(fixed(&node)?)))),
            (None, None) => None,
            _ => return Err(damaged("owner").into()),
        };
        let number = |key: &str| -> Result<Option<u64>, StoreError> {
            get(key)?.map(|bytes| Ok(u64::from_be_bytes(fixed(&bytes)?))).transpose()
        };
        Ok(Self {
            owner,
            epoch: number("epoch")?.map(|n| Epoch(n as u16)),
            epoch_reason: EpochReason::from_number(number("epoch_reason")?.unwrap_or(0))
                .ok_or_else(|| damaged("reason of the epoch"))?,
            clock: Hlc::from_bits(number("clock")?.unwrap_or(0)),
            feed_epoch: number("feed_epoch")?.unwrap_or(0) as u32,
            rights_locked: number("rights_locked")?.is_some_and(|n| n == 1),
        })
    }

    /// Writes what differs from what the database holds.
    pub(crate) fn store(&self, held: &Self, overlay: &mut Overlay) {
        if held.owner.is_none() {
            overlay.put(Table::Meta, "format", [FORMAT]);
        }
        if let Some((tenant, node)) = self.owner.filter(|_| held.owner.is_none()) {
            overlay.put(Table::Meta, "tenant", tenant.0);
            overlay.put(Table::Meta, "node", node.0.to_be_bytes());
        }
        for ((key, number), (_, before)) in self.numbers().into_iter().zip(held.numbers()) {
            if number != before || held.owner.is_none() {
                overlay.put(Table::Meta, key, number.to_be_bytes());
            }
        }
    }

    fn numbers(&self) -> [(&'static str, u64); 5] {
        [
            ("epoch", u64::from(self.epoch.map_or(0, |epoch| epoch.0))),
            ("epoch_reason", self.epoch_reason as u64),
            ("clock", self.clock.to_bits()),
            ("feed_epoch", u64::from(self.feed_epoch)),
            ("rights_locked", u64::from(self.rights_locked)),
        ]
    }
}

/// Refuses a database whose rows another version laid out, before anything else is read of it. Nothing is changed in it.
pub fn check_format(snapshot: &dyn Snapshot) -> Result<(), CoreError> {
    let other = match snapshot.get(Table::Meta, b"format")?.as_deref() {
        None | Some([FORMAT]) => return Ok(()),
        Some([newer]) if *newer > FORMAT => format!(
            "it was written by a newer version of stockroom (format {newer}, this version reads {FORMAT}); install that version \
             again: nothing was changed"
        ),
        Some([older]) => format!("it has the format {older} of an older version, this version reads {FORMAT}"),
        Some(_) => "its format is not one of stockroom's".into(),
    };
    Err(CoreError::Mismatch(other))
}

/// Version of the database's layout, the first byte of everything else that is stored.
const FORMAT: u8 = 1;
