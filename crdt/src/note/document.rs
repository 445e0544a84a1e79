//! The automerge document of one generation of a note. What comes from others is measured, then taken inside of a fence that catches panics:
//! automerge has panicked on malformed input. What does not fit is set aside, and the rest stands as if it had never come.
//!
//! Everything is a function of the set of changes, so replicas that hold the same entries read the same note, in whatever order they came.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

use automerge::transaction::{CommitOptions, Transactable};
use automerge::{ActorId, Automerge, AutomergeError, Change, ObjId, ObjType, ROOT, ReadDoc, ScalarValue};

use super::edit::{Edit, difference};
use super::measure::{actor_bytes, measure};
use super::past::{Message, Past, Said};
use super::story::Deed;
use super::{NoteId, Stamp, Subject};
use crate::ids::Actor;
use crate::limits::{
    NOTE_CHANGE_BYTES_MAX, NOTE_CHAT_KEPT_MAX, NOTE_MERGED_MAX, NOTE_SNAPSHOT_BYTES_MAX, NOTE_TEXT_KEPT_MAX,
    NOTE_VALUES_KEPT_MAX, NOTE_VALUES_MAX,
};

/// A change as an entry brought it, opened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Written {
    /// Its name.
    pub id: NoteId,
    /// Who wrote the entry.
    pub writer: Actor,
    /// Who wrote what it says: somebody else if the home wrote it once more.
    pub by: Stamp,
    /// The change.
    pub bytes: Vec<u8>,
}

/// What a note says.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct State {
    /// Its texts.
    pub texts: BTreeMap<String, String>,
    /// Its values by name, the newest first. Of several nobody has settled which it is.
    pub values: BTreeMap<String, Vec<Said>>,
    /// The conversation, the earliest first.
    pub chat: Vec<Message>,
    /// Messages before it that are in the log only.
    pub earlier: u32,
}

/// Why a document cannot do something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// The snapshot is malformed.
    #[error("the snapshot of this note cannot be read")]
    Snapshot,
    /// The edit changes nothing.
    #[error("changes nothing")]
    Nothing,
    /// The note has as many values as it may.
    #[error("has as many values as it may have")]
    Full,
    /// What would be written is larger than an entry may be.
    #[error("is too large")]
    Large,
    /// Automerge failed.
    #[error("the note cannot be edited as it is")]
    Broken,
}

/// A note in one generation.
#[derive(Clone)]
pub struct Document {
    pub(super) subject: Subject,
    pub(super) doc: Automerge,
    /// Changes by their hashes.
    pub(super) said: BTreeMap<[u8; 32], (NoteId, Stamp)>,
    past: Past,
    pub(super) parts: Parts,
    /// Changes that wait for others which they build on, or for the home to fold.
    pub waiting: Vec<NoteId>,
    /// Changes that are malformed.
    pub aside: Vec<NoteId>,
}

/// Where the parts of a note stand in its document. The same in all, because all begin with the same change.
#[derive(Clone, Debug)]
pub(super) struct Parts {
    pub(super) texts: BTreeMap<&'static str, ObjId>,
    pub(super) values: ObjId,
    pub(super) chat: ObjId,
}

/// What is left to do of late changes, by whose work it is.
#[derive(Default)]
struct Left {
    /// Over what is there.
    over: BTreeMap<NoteId, Vec<Edit>>,
    /// Beside it.
    beside: BTreeMap<NoteId, Vec<Edit>>,
}

impl Document {
    /// Begins with a snapshot and its author, or with nothing, and merges the changes written against it.
    pub fn load(
        subject: &Subject,
        snapshot: Option<(Actor, &[u8])>,
        mut changes: Vec<Written>,
    ) -> Result<Self, NoteError> {
        let mut document = Self::empty(subject)?;
        if let Some((author, bytes)) = snapshot {
            document.begin(author, bytes)?;
        }
        changes.sort_by(|a, b| (&a.by, a.id).cmp(&(&b.by, b.id)));
        changes.dedup_by(|a, b| a.id == b.id);
        let later = changes.split_off(changes.len().min(NOTE_MERGED_MAX));
        let mut parsed = Vec::new();
        for change in changes {
            match parse(&change.bytes, change.writer) {
                Some(raw) => parsed.push((change.id, change.by, raw)),
                None => document.aside.push(change.id),
            }
        }
        document.merge(parsed);
        document.waiting.extend(later.iter().map(|change| change.id));
        Ok(document)
    }

    /// What the note says.
    pub fn state(&self) -> Result<State, NoteError> {
        contained(|| self.read()).flatten()
    }

    /// Changes that are merged.
    pub fn merged(&self) -> BTreeSet<NoteId> {
        self.said.values().map(|(id, _)| *id).collect()
    }

    /// Edits that were folded into the snapshot, all generations together.
    pub fn folded(&self) -> u64 {
        self.past.edits
    }

    /// The change that an author's edits make. `nonce` is drawn anew for each.
    pub fn edit(&self, edits: &[Edit], author: Actor, nonce: u64) -> Result<Vec<u8>, NoteError> {
        let state = self.state()?;
        let bytes = contained(|| self.write(&state, edits, None, (author, nonce))).flatten()?;
        if bytes.len() > NOTE_CHANGE_BYTES_MAX - SEAL_BYTES { Err(NoteError::Large) } else { Ok(bytes) }
    }

    /// One change that says all that the note says, with the conflicts in it: the snapshot of the next generation.
    pub fn fold(&self, author: Actor, nonce: u64) -> Result<Vec<u8>, NoteError> {
        let mut state = self.state()?;
        keep_bounds(&mut state);
        let past = Past::of(&state, self.past.edits + self.said.len() as u64);
        let mut edits = Vec::new();
        for (field, text) in &state.texts {
            edits.push(Edit::Text { field: field.clone(), text: text.clone() });
        }
        for (key, said) in &state.values {
            edits.extend(said.first().map(|said| Edit::Set { key: key.clone(), value: said.value.clone() }));
        }
        edits.extend(state.chat.iter().map(|message| Edit::Say { text: message.text.clone() }));
        let empty = Self::empty(&self.subject)?;
        let bytes =
            contained(|| empty.write(&State::default(), &edits, Some(&past.to_bytes()), (author, nonce))).flatten()?;
        if bytes.len() > NOTE_SNAPSHOT_BYTES_MAX - SEAL_BYTES { Err(NoteError::Large) } else { Ok(bytes) }
    }

    /// Writes what late changes of an older generation did once more, in this one. `before` is that generation without them, `older` with them.
    /// What their authors replaced there is replaced here; what they did not see stays beside it as a conflict. Gives changes, and for each
    /// whose work it is; a late change of which nothing is left to do gets none.
    pub fn again(
        &self,
        (before, older): (&Self, &Self),
        late: &BTreeSet<NoteId>,
        author: Actor,
        mut nonce: impl FnMut() -> u64,
    ) -> Result<Vec<(NoteId, Vec<u8>)>, NoteError> {
        let now = self.state()?;
        let Left { over, beside } = contained(|| Left::of((before, older), late, &now)).flatten()?;
        let mut made = Vec::new();
        for (id, edits) in over {
            match contained(|| self.write(&now, &edits, None, (author, nonce()))).flatten() {
                Ok(bytes) => made.push((id, bytes)),
                Err(NoteError::Nothing) => {}
                Err(error) => return Err(error),
            }
        }
        // Written by somebody who has seen nothing but the beginning, so that it replaces nothing.
        let empty = Self::empty(&self.subject)?;
        for (id, edits) in beside {
            made.push((id, contained(|| empty.write(&State::default(), &edits, None, (author, nonce()))).flatten()?));
        }
        let is_large = |(_, bytes): &(NoteId, Vec<u8>)| bytes.len() > NOTE_CHANGE_BYTES_MAX - SEAL_BYTES;
        if made.iter().any(is_large) { Err(NoteError::Large) } else { Ok(made) }
    }

    fn empty(subject: &Subject) -> Result<Self, NoteError> {
        let (doc, parts) = contained(beginning).and_then(|made| made.map_err(|_| NoteError::Broken))?;
        Ok(Self::made(subject, doc, parts))
    }

    fn made(subject: &Subject, doc: Automerge, parts: Parts) -> Self {
        let (said, past) = (BTreeMap::new(), Past::default());
        Self { subject: subject.clone(), doc, said, past, parts, waiting: Vec::new(), aside: Vec::new() }
    }

    fn begin(&mut self, author: Actor, bytes: &[u8]) -> Result<(), NoteError> {
        let change = parse(bytes, author).ok_or(NoteError::Snapshot)?;
        let applied = contained(|| self.doc.apply_changes([change])).map_err(|_| NoteError::Snapshot)?;
        applied.map_err(|_| NoteError::Snapshot)?;
        let past = contained(|| self.doc.get(ROOT, PAST).ok().flatten()?.0.into_bytes().ok());
        let past = past.ok().flatten().and_then(|bytes| Past::from_bytes(&bytes));
        self.past = past.ok_or(NoteError::Snapshot)?;
        Ok(())
    }

    /// All at once if that works; otherwise one after the other, without those that do not fit.
    fn merge(&mut self, parsed: Vec<(NoteId, Stamp, Change)>) {
        let mut whole = self.doc.clone();
        let changes: Vec<_> = parsed.iter().map(|(.., change)| change.clone()).collect();
        let reads = |doc: Automerge| {
            let tried = Self::made(&self.subject, doc, self.parts.clone());
            tried.state().is_ok().then_some(tried.doc)
        };
        let applied = contained(|| whole.apply_changes(changes).is_ok()).unwrap_or(false);
        let whole = if applied { reads(whole) } else { None };
        let mut refused = BTreeSet::new();
        self.doc = whole.unwrap_or_else(|| {
            let mut doc = self.doc.clone();
            for (id, _, change) in &parsed {
                let mut tried = doc.clone();
                let fits = contained(|| tried.apply_changes([change.clone()]).is_ok()).unwrap_or(false);
                match if fits { reads(tried) } else { None } {
                    Some(merged) => doc = merged,
                    None => _ = refused.insert(*id),
                }
            }
            doc
        });
        for (id, by, change) in parsed {
            let hash = change.hash();
            if refused.contains(&id) {
                self.aside.push(id);
            } else if contained(|| self.doc.get_change_by_hash(&hash).is_some()).unwrap_or(false) {
                self.said.insert(hash.0, (id, by));
            } else {
                self.waiting.push(id);
            }
        }
    }

    fn read(&self) -> Result<State, NoteError> {
        let mut state = State::default();
        for field in self.subject.texts() {
            let id = &self.parts.texts[field];
            state.texts.insert((*field).to_owned(), self.doc.text(id).map_err(broken)?);
        }
        for key in self.doc.keys(&self.parts.values) {
            let all = self.doc.get_all(&self.parts.values, key.as_str());
            let mut said = Vec::new();
            for (value, id) in all.map_err(broken)? {
                let Some(value) = value.into_string().ok() else { continue };
                match self.writer_of(&id) {
                    Some(by) => said.push(Said { value, by }),
                    None => said.extend(self.past.values.get(&key).into_iter().flatten().cloned()),
                }
            }
            said.sort_by(|a, b| b.by.cmp(&a.by).then_with(|| a.value.cmp(&b.value)));
            let mut seen = BTreeSet::new();
            said.retain(|said| seen.insert(said.value.clone()));
            if !said.is_empty() {
                state.values.insert(key, said);
            }
        }
        let mut old = self.past.chat.iter();
        for index in 0..self.doc.length(&self.parts.chat) {
            let item = self.doc.get(&self.parts.chat, index);
            let Some((value, id)) = item.map_err(broken)? else { continue };
            let by = self.writer_of(&id).or_else(|| old.next().cloned());
            if let (Ok(text), Some(by)) = (value.into_string(), by) {
                state.chat.push(Message { text, by });
            }
        }
        state.chat.sort_by(|a, b| (&a.by, &a.text).cmp(&(&b.by, &b.text)));
        state.chat.dedup();
        state.earlier = self.past.earlier;
        Ok(state)
    }

    /// Who wrote an operation; `None` for the snapshot's.
    fn writer_of(&self, id: &ObjId) -> Option<Stamp> {
        let hash = self.doc.hash_for_opid(id)?;
        self.said.get(&hash.0).map(|(_, by)| by.clone())
    }

    fn write(
        &self,
        state: &State,
        edits: &[Edit],
        past: Option<&[u8]>,
        (author, nonce): (Actor, u64),
    ) -> Result<Vec<u8>, NoteError> {
        let mut doc = self.doc.clone();
        doc.set_actor(ActorId::from(actor_bytes(author, nonce)));
        let mut count = state.values.len();
        let mut transaction = doc.transaction();
        for edit in edits {
            match edit {
                Edit::Text { field, text } => {
                    let id = self.parts.texts.get(field.as_str()).ok_or(NoteError::Broken)?;
                    let (at, gone, come) = difference(&transaction.text(id).map_err(broken)?, text);
                    if gone > 0 || !come.is_empty() {
                        let gone = isize::try_from(gone).map_err(|_| NoteError::Large)?;
                        transaction.splice_text(id, at, gone, &come).map_err(broken)?;
                    }
                }
                Edit::Set { key, value } => {
                    let held = state.values.get(key);
                    if held.is_some_and(|said| said.len() == 1 && said[0].value == *value) {
                        continue;
                    }
                    count += usize::from(held.is_none());
                    if count > NOTE_VALUES_MAX && past.is_none() {
                        return Err(NoteError::Full);
                    }
                    transaction.put(&self.parts.values, key.as_str(), value.as_str()).map_err(broken)?;
                }
                Edit::Unset { key } => {
                    if state.values.contains_key(key) {
                        transaction.delete(&self.parts.values, key.as_str()).map_err(broken)?;
                    }
                }
                Edit::Say { text } => {
                    let end = transaction.length(&self.parts.chat);
                    transaction.insert(&self.parts.chat, end, text.as_str()).map_err(broken)?;
                }
            }
        }
        if let Some(past) = past {
            transaction.put(ROOT, PAST, ScalarValue::Bytes(past.to_vec())).map_err(broken)?;
        }
        let (hash, _) = transaction.commit_with(CommitOptions::default().with_time(0));
        let hash = hash.ok_or(NoteError::Nothing)?;
        let change = doc.get_change_by_hash(&hash).ok_or(NoteError::Broken)?;
        let bytes = change.raw_bytes().to_vec();
        measure(&bytes, author).map_err(|_| NoteError::Large)?;
        Ok(bytes)
    }
}

impl Left {
    fn of((before, older): (&Document, &Document), late: &BTreeSet<NoteId>, now: &State) -> Result<Self, NoteError> {
        let mut left = Self::default();
        let mut story = older.story()?;
        story.retain(|chapter| late.contains(&chapter.id));
        let whose = |by: &Stamp| story.iter().find(|chapter| chapter.by == *by).map(|chapter| chapter.id);
        let last = |is_about: &dyn Fn(&Deed) -> bool| {
            story.iter().rev().find(|chapter| chapter.deeds.iter().any(is_about)).map(|chapter| chapter.id)
        };
        let (then, after) = (before.state()?, older.state()?);
        for (field, text) in &after.texts {
            let was = then.texts.get(field).map_or("", String::as_str);
            let here = now.texts.get(field).map_or("", String::as_str);
            let id = last(&|deed| matches!(deed, Deed::Text { field: of, .. } if of == field));
            if let (true, Some(id)) = (was != text, id) {
                let text = merge_texts(was, text, here)?;
                left.over.entry(id).or_default().push(Edit::Text { field: field.clone(), text });
            }
        }
        let keys: BTreeSet<_> = then.values.keys().chain(after.values.keys()).collect();
        for key in keys {
            let of = |state: &State| state.values.get(key).cloned().unwrap_or_default();
            let (then, after, here) = (of(&then), of(&after), of(now));
            let gone = |said: &Said| then.contains(said) && !after.contains(said);
            let all_gone = here.iter().all(gone);
            for said in after.iter().filter(|said| !here.contains(said)) {
                let Some(id) = whose(&said.by) else { continue };
                let list = if all_gone { &mut left.over } else { &mut left.beside };
                list.entry(id).or_default().push(Edit::Set { key: key.clone(), value: said.value.clone() });
            }
            // What nobody of them saw is not taken away by them.
            let id = last(&|deed| matches!(deed, Deed::Edit(Edit::Unset { key: of }) if of == key));
            if let (true, true, Some(id)) = (after.is_empty(), all_gone && !here.is_empty(), id) {
                left.over.entry(id).or_default().push(Edit::Unset { key: key.clone() });
            }
        }
        let new = after.chat.iter().filter(|message| !then.chat.contains(message) && !now.chat.contains(message));
        for message in new {
            if let Some(id) = whose(&message.by) {
                left.over.entry(id).or_default().push(Edit::Say { text: message.text.clone() });
            }
        }
        Ok(left)
    }
}

/// The document with which every note begins, and where its parts are. Changes refer to it by its hash, so it never changes.
fn beginning() -> Result<(Automerge, Parts), AutomergeError> {
    let mut doc = Automerge::new().with_actor(ActorId::from([0; 14]));
    let mut transaction = doc.transaction();
    let texts = transaction.put_object(ROOT, "texts", ObjType::Map)?;
    let mut fields = BTreeMap::new();
    for field in FIELDS {
        fields.insert(field, transaction.put_object(&texts, field, ObjType::Text)?);
    }
    let values = transaction.put_object(ROOT, "values", ObjType::Map)?;
    let chat = transaction.put_object(ROOT, "chat", ObjType::List)?;
    transaction.commit_with(CommitOptions::default().with_time(0));
    Ok((doc, Parts { texts: fields, values, chat }))
}

/// Merges two edits of one text, made apart from each other.
fn merge_texts(before: &str, after: &str, here: &str) -> Result<String, NoteError> {
    if before == here {
        return Ok(after.to_owned());
    }
    let mut doc = Automerge::new().with_actor(ActorId::from([1]));
    let mut transaction = doc.transaction();
    let id = transaction.put_object(ROOT, "text", ObjType::Text).map_err(broken)?;
    transaction.splice_text(&id, 0, 0, before).map_err(broken)?;
    transaction.commit_with(CommitOptions::default().with_time(0));
    let edited = |number: u8, text: &str| {
        let mut doc = doc.clone().with_actor(ActorId::from([number]));
        let mut transaction = doc.transaction();
        let (at, gone, come) = difference(before, text);
        transaction.splice_text(&id, at, isize::try_from(gone).unwrap_or(isize::MAX), &come).map_err(broken)?;
        transaction.commit_with(CommitOptions::default().with_time(0));
        Ok(doc)
    };
    let (mut one, mut other) = (edited(2, here)?, edited(3, after)?);
    one.merge(&mut other).map_err(broken)?;
    one.text(&id).map_err(broken)
}

/// Cuts what a snapshot keeps to its bounds: the newest messages, the newest values, the beginnings of texts.
fn keep_bounds(state: &mut State) {
    for text in state.texts.values_mut() {
        let end = (0..=NOTE_TEXT_KEPT_MAX.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(end);
    }
    while state.values.len() > NOTE_VALUES_KEPT_MAX {
        state.values.pop_last();
    }
    let mut kept = 0;
    let from = state.chat.iter().rposition(|message| {
        kept += message.text.len() + STAMP_BYTES_MAX;
        kept > NOTE_CHAT_KEPT_MAX
    });
    let dropped = state.chat.drain(..from.map_or(0, |last| last + 1)).count();
    state.earlier = state.earlier.saturating_add(u32::try_from(dropped).unwrap_or(u32::MAX));
}

fn parse(bytes: &[u8], author: Actor) -> Option<Change> {
    measure(bytes, author).ok()?;
    contained(|| Change::from_bytes(bytes.to_vec()).ok()).ok().flatten()
}

/// What others wrote may make automerge panic: that is an error like any other, and the document in question is dropped.
pub(super) fn contained<T>(what: impl FnOnce() -> T) -> Result<T, NoteError> {
    catch_unwind(AssertUnwindSafe(what)).map_err(|_| NoteError::Broken)
}

fn broken(_: AutomergeError) -> NoteError {
    NoteError::Broken
}

/// What a seal adds to a change about a member: a nonce and a tag.
const SEAL_BYTES: usize = 28;

/// Bytes of who wrote something, and when.
const STAMP_BYTES_MAX: usize = 64;

const PAST: &str = "past";

/// The texts that any note may have. All stand in every document, so that all begin alike.
const FIELDS: [&str; 4] = ["remark", "notice", "title", "description"];
