//! Notes as this node holds them, and what their home does by itself: it folds many changes into a snapshot, and writes once more what came late.
//!
//! The home of a note is the node of the store in whose scope it stands, and a hub where it stands in no store's. Nobody asks for any of this: an entry
//! about a note marks it, and before each commit the marked ones are looked at.

use std::collections::{BTreeMap, BTreeSet};

use stockroom_crdt::entry::Fact;
use stockroom_crdt::ids::TenantId;
use stockroom_crdt::limits::NOTE_COVERS_MAX;
use stockroom_crdt::note::document::{Document, NoteError, Written};
use stockroom_crdt::note::{NoteChange, NoteId, NoteSnapshot, Subject};
use stockroom_crdt::scope::Scope;

use crate::books::notes::{self, NOBODY, Note, Signed};
use crate::input::CoreError;
use crate::limits::{NOTE_FOLD_AFTER, SETTLE_ROUNDS_MAX};
use crate::replica::Replica;
use crate::storage::{Snapshot, StoreError};
use crate::vault::{self, What};

/// A note, as far as it can be read here.
pub enum Opened {
    /// It can.
    Document(Box<Document>),
    /// The member's key is not here, or not any more.
    Sealed,
    /// The snapshot that it builds on has not arrived.
    Missing,
    /// Its snapshot is malformed.
    Broken(NoteError),
}

/// Which changes are merged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum With {
    /// Those that nothing covers.
    Live,
    /// Those that something covers.
    Past,
    /// Both.
    All,
}

/// A note in the generation that begins with `base`; all zeros for the first.
pub fn open(
    snapshot: &(impl Snapshot + ?Sized),
    tenant: TenantId,
    note: &Note,
    (base, with): (NoteId, With),
) -> Result<Opened, StoreError> {
    if let Some(member) = note.subject.member() {
        match vault::held(snapshot, member)? {
            Some(vault::Held::Key(..)) => {}
            Some(vault::Held::Forgotten | vault::Held::Destroyed) | None => return Ok(Opened::Sealed),
        }
    }
    let begins = match base {
        NoteId(zeros) if zeros == [0; 8] => None,
        _ => match notes::body(snapshot, note, base)? {
            None => return Ok(Opened::Missing),
            Some(Signed { fact, writer, .. }) => {
                let plain = unseal(snapshot, tenant, (note, u64::from(fact.generation)), &fact.bytes)?;
                Some((writer, plain.unwrap_or_default()))
            }
        },
    };
    let signed = match with {
        With::Live => notes::live(snapshot, note, base)?,
        With::Past => notes::past(snapshot, note, base)?,
        With::All => [notes::live(snapshot, note, base)?, notes::past(snapshot, note, base)?].concat(),
    };
    let mut changes = Vec::new();
    for Signed { fact, writer, by } in signed {
        // What does not open under the member's key is no change of hers, and is set aside as malformed.
        let bytes = unseal(snapshot, tenant, (note, 0), &fact.bytes)?.unwrap_or_default();
        changes.push(Written { id: fact.id(), writer, by, bytes });
    }
    let begins = begins.as_ref().map(|(writer, bytes)| (*writer, bytes.as_slice()));
    Ok(match Document::load(&note.subject, begins, changes) {
        Ok(document) => Opened::Document(Box::new(document)),
        Err(error) => Opened::Broken(error),
    })
}

/// The scope in which a note stands.
pub fn scope_of(replica: &Replica, note: &Note) -> Scope {
    match (&note.subject, note.store) {
        (Subject::Product(_), _) => Scope::Control,
        (Subject::Order(_), NOBODY) => Scope::Orders(replica.actor().node.0),
        (Subject::Order(_), store) => Scope::StoreOrders(store),
        (Subject::Member(_) | Subject::Store(_), store) => Scope::StoreMembers(store),
    }
}

/// Seals a change or snapshot if the note is about a member; `None` if her key is not here.
pub fn seal(replica: &mut Replica, note: &Note, number: u64, plain: Vec<u8>) -> Result<Option<Vec<u8>>, StoreError> {
    match note.subject.member() {
        None => Ok(Some(plain)),
        Some(member) => vault::seal(replica, member, What::Note(number), &plain),
    }
}

fn unseal(
    snapshot: &(impl Snapshot + ?Sized),
    tenant: TenantId,
    (note, number): (&Note, u64),
    bytes: &[u8],
) -> Result<Option<Vec<u8>>, StoreError> {
    match note.subject.member() {
        None => Ok(Some(bytes.to_vec())),
        Some(member) => vault::open(snapshot, tenant, (member, What::Note(number)), bytes),
    }
}

impl Replica {
    /// Marks the note that a fact is about, if this node is its home.
    pub(crate) fn touch_note(&mut self, scope: &Scope, fact: &Fact) {
        if let Some(note) = Note::of(scope, fact)
            && self.is_home_of(&note)
        {
            self.notes.insert(note);
        }
    }

    /// Writes what follows from what was said of notes.
    pub(crate) fn settle_notes(&mut self) -> Result<(), CoreError> {
        for _ in 0..SETTLE_ROUNDS_MAX {
            if self.notes.is_empty() {
                return Ok(());
            }
            for note in std::mem::take(&mut self.notes) {
                for fact in self.follows_of_note(&note)? {
                    self.write(&scope_of(self, &note), vec![fact])?;
                }
            }
        }
        Ok(())
    }

    fn is_home_of(&self, note: &Note) -> bool {
        self.own_store().unwrap_or(NOBODY) == note.store
    }

    fn follows_of_note(&mut self, note: &Note) -> Result<Vec<Fact>, CoreError> {
        let counts = notes::counts(&self.overlay, note)?;
        let (generation, base) = notes::newest(&self.overlay, note)?.unwrap_or_default();
        let is_late = counts.keys().any(|of| *of != base);
        let held = counts.get(&base).copied().unwrap_or(0);
        if !is_late && held <= NOTE_FOLD_AFTER {
            return Ok(Vec::new());
        }
        let Opened::Document(now) = open(&self.overlay, self.me.tenant, note, (base, With::Live))? else {
            return Ok(Vec::new());
        };
        let mut settled: BTreeSet<NoteId> = BTreeSet::new();
        let mut facts = Vec::new();
        for older in counts.into_keys().filter(|of| *of != base) {
            let before = open(&self.overlay, self.me.tenant, note, (older, With::Past))?;
            let after = open(&self.overlay, self.me.tenant, note, (older, With::All))?;
            let (Opened::Document(before), Opened::Document(after)) = (before, after) else { continue };
            let late = notes::live(&self.overlay, note, older)?;
            facts.extend(self.once_more(note, (base, &now), (&before, &after), (&late, &mut settled))?);
            settled.extend(after.aside.iter().copied());
        }
        if !facts.is_empty() {
            self.reached("a late change of a note was written once more");
            return Ok(facts);
        }
        let mut covers = now.merged();
        if settled.is_empty() && covers.len() + now.aside.len() <= NOTE_FOLD_AFTER {
            return Ok(Vec::new());
        }
        let rest = settled.into_iter().chain(now.aside.iter().copied()).take(NOTE_COVERS_MAX - covers.len());
        covers.extend(rest.collect::<Vec<_>>());
        Ok(self.fold(note, (generation, base), &now, covers)?.into_iter().collect())
    }

    /// What late changes did, for the newest generation. Those of which nothing is left to do are settled.
    fn once_more(
        &mut self,
        note: &Note,
        (base, now): (NoteId, &Document),
        (before, after): (&Document, &Document),
        (late, settled): (&[Signed<NoteChange>], &mut BTreeSet<NoteId>),
    ) -> Result<Vec<Fact>, CoreError> {
        let merged = after.merged();
        let late: BTreeMap<_, _> =
            late.iter().map(|late| (late.fact.id(), late)).filter(|(id, _)| merged.contains(id)).collect();
        let (actor, ids) = (self.actor(), late.keys().copied().collect());
        let made = now.again((before, after), &ids, actor, || rand_core::Rng::next_u64(&mut self.rng));
        let Ok(made) = made else {
            self.alarm(format!("late edits of a note about {} cannot be written", kind_of(&note.subject)));
            settled.extend(ids);
            return Ok(Vec::new());
        };
        let done: BTreeSet<_> = made.iter().map(|(id, _)| *id).collect();
        settled.extend(ids.difference(&done));
        let mut facts = Vec::new();
        for (id, plain) in made {
            let Some(bytes) = seal(self, note, 0, plain)? else { continue };
            let late = late[&id];
            let origin = Some((id, late.by.clone()));
            let (subject, staff) = (note.subject.clone(), late.by.staff.clone());
            facts.push(Fact::NoteChange(NoteChange { subject, base, staff, origin, bytes }));
        }
        Ok(facts)
    }

    fn fold(
        &mut self,
        note: &Note,
        (generation, base): (u32, NoteId),
        now: &Document,
        covers: BTreeSet<NoteId>,
    ) -> Result<Option<Fact>, CoreError> {
        let Some(next) = generation.checked_add(1) else { return Ok(None) };
        let nonce = rand_core::Rng::next_u64(&mut self.rng);
        let Ok(plain) = now.fold(self.actor(), nonce) else {
            self.alarm(format!("a note about {} cannot be folded", kind_of(&note.subject)));
            return Ok(None);
        };
        let Some(bytes) = seal(self, note, u64::from(next), plain)? else { return Ok(None) };
        self.reached("a note was folded");
        let (subject, covers) = (note.subject.clone(), covers.into_iter().collect());
        Ok(Some(Fact::NoteSnapshot(NoteSnapshot { subject, generation: next, base, covers, bytes })))
    }
}

/// A word for alarms, which name no member.
fn kind_of(subject: &Subject) -> &'static str {
    match subject {
        Subject::Member(_) => "a member",
        Subject::Order(_) => "an order",
        Subject::Store(_) => "a store",
        Subject::Product(_) => "a product",
    }
}
