//! Reading notes.

use std::collections::BTreeMap;

use stockroom_crdt::ids::TenantId;
use stockroom_crdt::note::NoteId;
use stockroom_crdt::note::document::State;
use stockroom_crdt::note::story::Chapter;

use super::View;
use crate::books::notes::{self, Note};
use crate::journal::fixed;
use crate::notes::{Opened, With, open};
use crate::storage::{Snapshot, StoreError, Table};

/// A note, as far as it can be read here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoteView {
    /// It can.
    Open(Box<OpenNote>),
    /// It is about a member whose key is not here, or was destroyed.
    Sealed,
    /// What it builds on has not arrived, or is malformed.
    Unreadable,
}

/// What a note says, and how it came to that.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct OpenNote {
    /// What it says.
    pub state: State,
    /// Which generation it is in; 0 before its first snapshot.
    pub generation: u32,
    /// Edits that were folded into the snapshot.
    pub folded: u64,
    /// What was done since, the earliest first.
    pub story: Vec<Chapter>,
    /// Edits that are known and not merged: they came late, or wait for others.
    pub waiting: usize,
    /// Edits that are malformed.
    pub malformed: usize,
}

impl<S: Snapshot + ?Sized> View<'_, S> {
    /// What a note says now; an empty one if nobody has written it.
    pub fn note(&self, note: &Note) -> Result<NoteView, StoreError> {
        let (generation, base) = notes::newest(self.snapshot, note)?.unwrap_or_default();
        let view = self.note_in(note, (generation, base), With::Live)?;
        let NoteView::Open(mut open) = view else { return Ok(view) };
        let late: BTreeMap<NoteId, usize> = notes::counts(self.snapshot, note)?;
        open.waiting += late.iter().filter(|(of, _)| **of != base).map(|(_, count)| count).sum::<usize>();
        Ok(NoteView::Open(open))
    }

    /// What a note said at the end of an earlier generation, with the story of that; `None` if there was no such one.
    pub fn note_before(&self, note: &Note, generation: u32) -> Result<Option<NoteView>, StoreError> {
        let chain = notes::chain(self.snapshot, note)?;
        let first = (generation == 0).then(Default::default);
        let head = chain.into_iter().find(|(of, _)| *of == generation).or(first);
        head.map(|head| self.note_in(note, head, With::All)).transpose()
    }

    fn note_in(&self, note: &Note, (generation, base): (u32, NoteId), with: With) -> Result<NoteView, StoreError> {
        let tenant = self.snapshot.get(Table::Meta, b"tenant")?.map(|row| fixed(&row)).transpose()?;
        let Some(tenant) = tenant.map(TenantId) else { return Ok(NoteView::Unreadable) };
        let document = match open(self.snapshot, tenant, note, (base, with))? {
            Opened::Document(document) => document,
            Opened::Sealed => return Ok(NoteView::Sealed),
            Opened::Missing | Opened::Broken(_) => return Ok(NoteView::Unreadable),
        };
        let (Ok(state), Ok(story)) = (document.state(), document.story()) else { return Ok(NoteView::Unreadable) };
        let (waiting, malformed) = (document.waiting.len(), document.aside.len());
        let folded = document.folded();
        Ok(NoteView::Open(Box::new(OpenNote { state, generation, folded, story, waiting, malformed })))
    }
}
