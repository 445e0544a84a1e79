//! How far other nodes have what is written here: what this node remembers of their acknowledgements, also of those that are not there.

use stockroom_crdt::ids::NodeId;
use stockroom_crdt::scope::Scope;

use super::View;
use crate::journal::{damaged, feed_end, fixed};
use crate::overlay::scan_prefix;
use crate::replica::meta;
use crate::storage::{Snapshot, StoreError, Table};

/// How far a node follows one scope. Positions are steps of this node's feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Followed {
    /// The scope.
    pub scope: Scope,
    /// The last step that is durable there, as far as this node remembers; 0 for none.
    pub durable: u64,
    /// The last step there is.
    pub end: u64,
}

impl Followed {
    /// Steps that it does not have.
    pub fn missing(&self) -> u64 {
        self.end.saturating_sub(self.durable)
    }
}

impl<S: Snapshot + ?Sized> View<'_, S> {
    /// What a node ever followed here, and how far. An acknowledgement is written down with the next commit, so the figure of a link
    /// that is up may be a moment old.
    pub fn followed(&self, node: NodeId) -> Result<Vec<Followed>, StoreError> {
        let now = meta::feed_epoch(self.snapshot)?;
        let rows = scan_prefix(self.snapshot, Table::Acked, &node.0.to_be_bytes(), usize::MAX)?;
        let mut out = Vec::with_capacity(rows.len());
        for (key, value) in rows {
            let scope = key.get(4..).and_then(|bytes| Scope::from_bytes(bytes).ok()).ok_or_else(|| damaged("ack"))?;
            let (epoch, position) = value.split_at_checked(4).ok_or_else(|| damaged("ack"))?;
            let same = u32::from_be_bytes(fixed(epoch)?) == now;
            let durable = if same { u64::from_be_bytes(fixed(position)?) } else { 0 };
            let end = feed_end(self.snapshot, &scope)?;
            out.push(Followed { scope, durable, end });
        }
        Ok(out)
    }
}
