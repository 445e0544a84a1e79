//! The one CRDT: a single-writer cell.
//!
//! State is a map `CellKey { entity, field, writer } -> (stamp, value)`. Only `writer` ever writes a cell. Join keeps the
//! larger [`Stamp`]: the sequence number, then the hash of the value, which matters only when a writer was cloned. That is a
//! semilattice: commutative, associative, idempotent, and blind to loss, duplication and order.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry as Slot;

use crate::ids::Actor;

/// Which cell: what it is about, which property of it, and who writes it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct CellKey {
    /// Canonical bytes of the entity's key, e.g. a SKU.
    pub entity: Box<[u8]>,
    /// The kind of fact, see [`crate::entry::kind`].
    pub field: u16,
    /// The only writer of the cell.
    pub writer: Actor,
}

/// The version of a cell's value.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Stamp {
    /// Position in the writer's log.
    pub seq: u64,
    /// First eight bytes of the SHA-256 of the value: decides between the branches of a fork.
    pub hash: u64,
}

/// A value with its version.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cell<V> {
    /// The version.
    pub stamp: Stamp,
    /// The value.
    pub value: V,
}

/// What merging one cell did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Merged {
    /// The cell was not known.
    New,
    /// It replaced an older value.
    Newer,
    /// It was known, or older than what is held.
    Known,
}

impl Stamp {
    /// True when a value with this stamp replaces one with `held`.
    pub fn supersedes(self, held: Self) -> bool {
        self > held
    }
}

/// A set of cells in memory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cells<V> {
    cells: BTreeMap<CellKey, Cell<V>>,
}

impl<V> Default for Cells<V> {
    fn default() -> Self {
        Self { cells: BTreeMap::new() }
    }
}

impl<V> Cells<V> {
    /// Merges one cell.
    pub fn merge(&mut self, key: CellKey, cell: Cell<V>) -> Merged {
        match self.cells.entry(key) {
            Slot::Vacant(slot) => {
                slot.insert(cell);
                Merged::New
            }
            Slot::Occupied(mut slot) if cell.stamp.supersedes(slot.get().stamp) => {
                slot.insert(cell);
                Merged::Newer
            }
            Slot::Occupied(_) => Merged::Known,
        }
    }

    /// Merges every cell of `other`.
    pub fn join(&mut self, other: Self) {
        for (key, cell) in other.cells {
            self.merge(key, cell);
        }
    }

    /// All cells in the order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = (&CellKey, &Cell<V>)> {
        self.cells.iter()
    }

    /// How many cells are held.
    pub fn len(&self) -> usize {
        self.cells.len()
    }

    /// True when no cell is held.
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }
}

/// The order among several writers of one decision: the larger (term, epoch, seq) wins; node and hash only break ties of
/// what should not happen.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Precedence {
    term: u32,
    epoch: u16,
    stamp: Stamp,
    node: u32,
}

impl Precedence {
    /// The precedence of a value that `writer` wrote at `stamp` while its node's number in `control` was `term`.
    pub fn new(term: u32, writer: Actor, stamp: Stamp) -> Self {
        Self { term, epoch: writer.epoch.0, stamp, node: writer.node.0 }
    }
}
