//! What people do to notes.

use stockroom_crdt::ids::{Code, StoreId};
use stockroom_crdt::note::Subject;
use stockroom_crdt::note::edit::Edit;

/// Somebody edits a note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteRequest {
    /// About what.
    pub subject: Subject,
    /// At a hub: in whose scope the note about a member or an order stands. An order's stands at its home if no store is named.
    pub store: Option<StoreId>,
    /// Who.
    pub staff: Code,
    /// What she does, all of it or nothing.
    pub edits: Vec<Edit>,
}
