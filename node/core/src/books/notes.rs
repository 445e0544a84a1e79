//! What is known of notes: their changes and snapshots, as they came, and which changes are taken care of.
//!
//! A change is *covered* when a snapshot of the chain holds it, or when the home wrote it once more. What is covered stands aside and is read for the
//! story only; all others are merged with the newest snapshot, or are late. Nothing depends on the order of arrival: when several snapshots claim
//! one generation (a home that was set back), the chain is that of the newest one, and what only the others covered is late.

use std::collections::{BTreeMap, BTreeSet};

use stockroom_crdt::batch::Item;
use stockroom_crdt::entry::{Entry, Fact};
use stockroom_crdt::ids::{Actor, Epoch, NodeId, StoreId};
use stockroom_crdt::note::{NoteChange, NoteId, NoteSnapshot, Stamp, Subject};
use stockroom_crdt::scope::Scope;

use super::Context;
use crate::journal::{damaged, fixed};
use crate::overlay::{Overlay, last_of_prefix, scan_prefix};
use crate::storage::{Snapshot, StoreError, Table};

/// A note: what it is about, and in whose scope it stands; store 0 for those that stand in no store's.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Note {
    /// Whose.
    pub store: StoreId,
    /// About what.
    pub subject: Subject,
}

/// Something that was written about a note, and who signed it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Signed<T> {
    /// What.
    pub fact: T,
    /// Who wrote the entry.
    pub writer: Actor,
    /// When, and who at that node.
    pub by: Stamp,
}

impl Note {
    /// The note that a fact in `scope` is about.
    pub fn of(scope: &Scope, fact: &Fact) -> Option<Self> {
        let subject = match fact {
            Fact::NoteChange(change) => &change.subject,
            Fact::NoteSnapshot(snapshot) => &snapshot.subject,
            _ => return None,
        };
        Some(Self { store: scope.store().unwrap_or(NOBODY), subject: subject.clone() })
    }

    fn key(&self, part: Part) -> Vec<u8> {
        let subject = self.subject.to_bytes();
        let length = u8::try_from(subject.len()).expect("a subject has at most some forty bytes");
        [&self.store.0.to_be_bytes()[..], &[length], &subject, &[part as u8]].concat()
    }

    fn row(&self, part: Part, names: &[&[u8]]) -> Vec<u8> {
        [&[self.key(part).as_slice()][..], names].concat().concat()
    }
}

/// Takes an entry about a note in; others are not kept.
pub fn apply(overlay: &mut Overlay, context: &Context<'_>, item: &Item) -> Result<(), StoreError> {
    let Some(note) = Note::of(context.scope, &item.entry.fact) else { return Ok(()) };
    let value = [&actor_bytes(context.actor)[..], &item.bytes].concat();
    match &item.entry.fact {
        Fact::NoteChange(change) => {
            let id = change.id();
            let part = if is_covered(overlay, &note, id)? { Part::Past } else { Part::Live };
            overlay.put(Table::Notes, note.row(part, &[&change.base.0, &id.0]), value);
            if let Some((late, _)) = change.origin {
                overlay.put(Table::Notes, note.row(Part::Covered, &[&late.0, &id.0]), vec![ONCE_MORE]);
                arrange(overlay, &note, Some(&BTreeSet::from([late])))?;
            }
        }
        Fact::NoteSnapshot(snapshot) => {
            let id = snapshot.id();
            let generation = snapshot.generation.to_be_bytes();
            overlay.put(Table::Notes, note.row(Part::Body, &[&id.0]), value);
            overlay.put(Table::Notes, note.row(Part::Head, &[&generation, &id.0]), snapshot.base.0);
            for covered in &snapshot.covers {
                overlay.put(Table::Notes, note.row(Part::Covered, &[&covered.0, &id.0]), vec![FOLDED]);
            }
            // Another branch of the chain may hold or lack anything.
            let is_plain = scan_prefix(overlay, Table::Notes, &note.key(Part::Head), usize::MAX)?.len()
                == chain(overlay, &note)?.len();
            let covers = snapshot.covers.iter().copied().collect();
            arrange(overlay, &note, is_plain.then_some(&covers))?;
        }
        _ => {}
    }
    Ok(())
}

/// The newest snapshot and its name, if there is one.
pub fn newest(snapshot: &(impl Snapshot + ?Sized), note: &Note) -> Result<Option<(u32, NoteId)>, StoreError> {
    let Some((key, _)) = last_of_prefix(snapshot, Table::Notes, &note.key(Part::Head))? else { return Ok(None) };
    head_of(&key).map(Some)
}

/// A snapshot by its name.
pub fn body(
    snapshot: &(impl Snapshot + ?Sized),
    note: &Note,
    id: NoteId,
) -> Result<Option<Signed<NoteSnapshot>>, StoreError> {
    let Some(row) = snapshot.get(Table::Notes, &note.row(Part::Body, &[&id.0]))? else { return Ok(None) };
    let (writer, entry) = entry_of(&row)?;
    let Fact::NoteSnapshot(fact) = entry.fact else { return Err(damaged("a snapshot of a note is something else")) };
    let by = Stamp { hlc: entry.hlc, actor: writer, staff: Default::default() };
    Ok(Some(Signed { fact, writer, by }))
}

/// Changes against one snapshot that nothing covers.
pub fn live(
    snapshot: &(impl Snapshot + ?Sized),
    note: &Note,
    base: NoteId,
) -> Result<Vec<Signed<NoteChange>>, StoreError> {
    changes(snapshot, &note.row(Part::Live, &[&base.0]))
}

/// Changes against one snapshot that something covers.
pub fn past(
    snapshot: &(impl Snapshot + ?Sized),
    note: &Note,
    base: NoteId,
) -> Result<Vec<Signed<NoteChange>>, StoreError> {
    changes(snapshot, &note.row(Part::Past, &[&base.0]))
}

/// How many changes that nothing covers there are, by the snapshot that they were written against.
pub fn counts(snapshot: &(impl Snapshot + ?Sized), note: &Note) -> Result<BTreeMap<NoteId, usize>, StoreError> {
    let prefix = note.key(Part::Live);
    let mut counts = BTreeMap::new();
    for (key, _) in scan_prefix(snapshot, Table::Notes, &prefix, usize::MAX)? {
        let base = key.get(prefix.len()..prefix.len() + 8).ok_or_else(|| damaged("key of a note"))?;
        *counts.entry(NoteId(fixed(base)?)).or_default() += 1;
    }
    Ok(counts)
}

/// The snapshots that the newest one builds on, and itself, the newest first.
pub fn chain(snapshot: &(impl Snapshot + ?Sized), note: &Note) -> Result<Vec<(u32, NoteId)>, StoreError> {
    let Some(mut head) = newest(snapshot, note)? else { return Ok(Vec::new()) };
    let mut chain = vec![head];
    loop {
        let (generation, id) = head;
        let row = snapshot.get(Table::Notes, &note.row(Part::Head, &[&generation.to_be_bytes(), &id.0]))?;
        let base = NoteId(fixed(&row.ok_or_else(|| damaged("a snapshot of a note is missing"))?)?);
        let Some(before) = generation.checked_sub(1).filter(|&before| before > 0) else { return Ok(chain) };
        head = (before, base);
        if snapshot.get(Table::Notes, &note.row(Part::Head, &[&before.to_be_bytes(), &base.0]))?.is_none() {
            return Ok(chain);
        }
        chain.push(head);
    }
}

/// Moves changes to where they belong: those that are named, or all.
fn arrange(overlay: &mut Overlay, note: &Note, named: Option<&BTreeSet<NoteId>>) -> Result<(), StoreError> {
    for (from, to) in [(Part::Live, Part::Past), (Part::Past, Part::Live)] {
        // Nothing that is named here stops being covered.
        if from == Part::Past && named.is_some() {
            return Ok(());
        }
        let prefix = note.key(from);
        for (key, value) in scan_prefix(overlay, Table::Notes, &prefix, usize::MAX)? {
            let names = key.get(prefix.len()..).ok_or_else(|| damaged("key of a note"))?;
            let id = NoteId(fixed(names.get(8..).ok_or_else(|| damaged("key of a note"))?)?);
            if named.is_some_and(|named| !named.contains(&id)) {
                continue;
            }
            if is_covered(overlay, note, id)? == (to == Part::Past) {
                overlay.put(Table::Notes, note.row(to, &[names]), value);
                overlay.remove(Table::Notes, key);
            }
        }
    }
    Ok(())
}

fn is_covered(overlay: &Overlay, note: &Note, id: NoteId) -> Result<bool, StoreError> {
    let prefix = note.row(Part::Covered, &[&id.0]);
    let marks = scan_prefix(overlay, Table::Notes, &prefix, usize::MAX)?;
    if marks.is_empty() || marks.iter().any(|(_, how)| *how == [ONCE_MORE]) {
        return Ok(!marks.is_empty());
    }
    let chain = chain(overlay, note)?;
    for (key, _) in marks {
        let by = NoteId(fixed(key.get(prefix.len()..).ok_or_else(|| damaged("key of a note"))?)?);
        if chain.iter().any(|(_, snapshot)| *snapshot == by) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn changes(snapshot: &(impl Snapshot + ?Sized), prefix: &[u8]) -> Result<Vec<Signed<NoteChange>>, StoreError> {
    let mut out = Vec::new();
    for (_, row) in scan_prefix(snapshot, Table::Notes, prefix, usize::MAX)? {
        let (writer, entry) = entry_of(&row)?;
        let Fact::NoteChange(fact) = entry.fact else { return Err(damaged("a change of a note is something else")) };
        let own = || Stamp { hlc: entry.hlc, actor: writer, staff: fact.staff.clone() };
        let by = fact.origin.as_ref().map_or_else(own, |(_, by)| by.clone());
        out.push(Signed { fact, writer, by });
    }
    Ok(out)
}

fn entry_of(row: &[u8]) -> Result<(Actor, Entry), StoreError> {
    let (actor, bytes) = row.split_at_checked(6).ok_or_else(|| damaged("row of a note"))?;
    let node = NodeId(u32::from_be_bytes(fixed(&actor[..4])?));
    let epoch = Epoch(u16::from_be_bytes(fixed(&actor[4..])?));
    Ok((Actor { node, epoch }, Entry::from_bytes(bytes).map_err(damaged)?))
}

fn head_of(key: &[u8]) -> Result<(u32, NoteId), StoreError> {
    let at = key.len().checked_sub(12).ok_or_else(|| damaged("key of a note"))?;
    Ok((u32::from_be_bytes(fixed(&key[at..at + 4])?), NoteId(fixed(&key[at + 4..])?)))
}

fn actor_bytes(actor: Actor) -> [u8; 6] {
    let mut out = [0; 6];
    out[..4].copy_from_slice(&actor.node.0.to_be_bytes());
    out[4..].copy_from_slice(&actor.epoch.0.to_be_bytes());
    out
}

/// The store of notes that stand in no store's scope.
pub const NOBODY: StoreId = StoreId(0);

/// Parts of what is kept of a note, in its keys.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    /// (base, change) to a change that nothing covers.
    Live = 1,
    /// (base, change) to a change that something covers.
    Past = 2,
    /// (generation, snapshot) to the snapshot before.
    Head = 3,
    /// (change, snapshot or change) to how the one covers the other.
    Covered = 4,
    /// Snapshot to the snapshot.
    Body = 5,
}

/// A snapshot holds the change.
const FOLDED: u8 = 0;

/// The home wrote the change once more.
const ONCE_MORE: u8 = 1;
