//! The story of a note: what each change of a generation did, in our words.

use std::collections::BTreeMap;

use automerge::legacy::{Key, ObjectId, OpType};
use automerge::{ChangeHash, ObjId, ReadDoc, ScalarValue};

use super::document::{Document, NoteError, contained};
use super::edit::Edit;
use super::{NoteId, Stamp};

/// One change, as it stands in the story.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Chapter {
    /// Which change.
    pub id: NoteId,
    /// Who wrote it, and when.
    pub by: Stamp,
    /// What it did.
    pub deeds: Vec<Deed>,
}

/// What a change did.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Deed {
    /// Set or removed a value, or said something.
    Edit(Edit),
    /// Changed a text: these characters came, and so many went.
    Text {
        /// Which.
        field: String,
        /// What came.
        came: String,
        /// How many characters went.
        gone: u32,
    },
}

impl Document {
    /// What each merged change did, the earliest first.
    pub fn story(&self) -> Result<Vec<Chapter>, NoteError> {
        let mut chapters = Vec::new();
        for (hash, (id, by)) in &self.said {
            let deeds = contained(|| self.deeds(&ChangeHash(*hash)))?;
            chapters.push(Chapter { id: *id, by: by.clone(), deeds });
        }
        chapters.sort_by(|a, b| (&a.by, a.id).cmp(&(&b.by, b.id)));
        Ok(chapters)
    }

    fn deeds(&self, hash: &ChangeHash) -> Vec<Deed> {
        let Some(change) = self.doc.get_change_by_hash(hash) else { return Vec::new() };
        let mut texts: BTreeMap<&str, (String, u32)> = BTreeMap::new();
        let mut deeds = Vec::new();
        for op in change.decode().operations {
            if is(&op.obj, &self.parts.values) {
                let Key::Map(key) = op.key else { continue };
                match op.action {
                    OpType::Put(ScalarValue::Str(value)) => {
                        deeds.push(Deed::Edit(Edit::Set { key: key.to_string(), value: value.to_string() }));
                    }
                    OpType::Delete => deeds.push(Deed::Edit(Edit::Unset { key: key.to_string() })),
                    _ => {}
                }
            } else if is(&op.obj, &self.parts.chat) {
                if let (true, OpType::Put(ScalarValue::Str(text))) = (op.insert, op.action) {
                    deeds.push(Deed::Edit(Edit::Say { text: text.to_string() }));
                }
            } else if let Some((field, _)) = self.parts.texts.iter().find(|(_, id)| is(&op.obj, id)) {
                let (came, gone) = texts.entry(field).or_default();
                match op.action {
                    OpType::Put(ScalarValue::Str(text)) => came.push_str(&text),
                    OpType::Delete => *gone = gone.saturating_add(1),
                    _ => {}
                }
            }
        }
        let texts = texts.into_iter();
        deeds.extend(texts.map(|(field, (came, gone))| Deed::Text { field: field.to_owned(), came, gone }));
        deeds
    }
}

fn is(object: &ObjectId, part: &ObjId) -> bool {
    match (object, part) {
        (ObjectId::Id(id), ObjId::Id(counter, actor, _)) => id.counter() == *counter && id.actor() == actor,
        (ObjectId::Root, _) | (_, ObjId::Root) => false,
    }
}
