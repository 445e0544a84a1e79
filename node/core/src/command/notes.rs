//! Notes: somebody edits one.

use stockroom_crdt::entry::Fact;
use stockroom_crdt::ids::StoreId;
use stockroom_crdt::note::document::NoteError;
use stockroom_crdt::note::{NoteChange, Subject};

use super::{Failed, at_hub, check_fact};
use crate::books::notes::{self as book, NOBODY, Note};
use crate::books::orders;
use crate::input::Refusal;
use crate::input::notes::NoteRequest;
use crate::journal::Place;
use crate::limits::{NOTE_EDITS_MAX, NOTE_UNFOLDED_MAX};
use crate::notes::{Opened, With, open, scope_of, seal};
use crate::replica::Replica;
use crate::vault::{self, Held};
use crate::view::View;

/// Writes what somebody does to a note, as one change.
pub fn edit(replica: &mut Replica, request: &NoteRequest) -> Result<Place, Failed> {
    if request.staff.is_empty() {
        return Err(Refusal::invalid("staff", "is needed: who writes this").into());
    }
    let note = note_of(replica, &request.subject, request.store)?;
    if !(1..=NOTE_EDITS_MAX).contains(&request.edits.len()) {
        return Err(Refusal::invalid("edits", format!("must be 1 to {NOTE_EDITS_MAX}")).into());
    }
    for (index, edit) in request.edits.iter().enumerate() {
        edit.check(&note.subject).map_err(|error| Refusal::invalid(format!("edits[{index}]"), error))?;
    }
    let base = book::newest(&replica.overlay, &note)?.map(|(_, id)| id).unwrap_or_default();
    if book::counts(&replica.overlay, &note)?.get(&base).is_some_and(|held| *held >= NOTE_UNFOLDED_MAX) {
        let message = "this note was edited too often since its own node was heard: it can be edited there, or here once that node is back";
        return Err(Refusal::State(message.into()).into());
    }
    let document = match open(&replica.overlay, replica.me.tenant, &note, (base, With::Live))? {
        Opened::Document(document) => document,
        Opened::Sealed => return Err(sealed(replica, &note)?.into()),
        Opened::Missing | Opened::Broken(_) => {
            return Err(Refusal::State("this note cannot be read here at present".into()).into());
        }
    };
    let nonce = rand_core::Rng::next_u64(&mut replica.rng);
    let plain = document.edit(&request.edits, replica.actor(), nonce).map_err(|error| match error {
        NoteError::Nothing | NoteError::Full | NoteError::Large => Refusal::invalid("edits", error),
        NoteError::Snapshot | NoteError::Broken => Refusal::State(error.to_string()),
    })?;
    let Some(bytes) = seal(replica, &note, 0, plain)? else { return Err(sealed(replica, &note)?.into()) };
    let (subject, staff) = (note.subject.clone(), request.staff.clone());
    let fact = Fact::NoteChange(NoteChange { subject, base, staff, origin: None, bytes });
    check_fact(&fact, "edits")?;
    Ok(replica.write(&scope_of(replica, &note), vec![fact])?[0])
}

/// The note that is meant, if this node may write it and knows what it is about.
fn note_of(replica: &Replica, subject: &Subject, store: Option<StoreId>) -> Result<Note, Failed> {
    let own = replica.own_store();
    if let (Some(own), Some(store)) = (own, store)
        && own != store
    {
        return Err(Refusal::NotHere(format!("this node keeps the notes of store {}", own.0)).into());
    }
    let view = View::new(&replica.overlay);
    let unknown = |what| Refusal::Unknown { field: "subject".into(), what };
    let store = match subject {
        Subject::Product(sku) => {
            at_hub(replica)?;
            view.product(sku)?.ok_or_else(|| unknown("product"))?;
            NOBODY
        }
        Subject::Store(store) => {
            if own.is_some_and(|own| own != *store) {
                return Err(Refusal::NotHere("a store's settings are kept at that store and at its hub".into()).into());
            }
            view.store(*store)?.ok_or_else(|| unknown("store"))?;
            *store
        }
        Subject::Order(order) => {
            let at = own.or(store).unwrap_or(NOBODY);
            if !orders::is_known_at(&replica.overlay, at, *order)? {
                return Err(unknown("order").into());
            }
            at
        }
        Subject::Member(_) => {
            let at = own.or(store);
            let at = at.ok_or_else(|| Refusal::invalid("store", "is needed at a hub: whose note about the member"))?;
            if own.is_none() {
                let unknown = Refusal::Unknown { field: "store".into(), what: "store" };
                view.store(at)?.ok_or(unknown)?;
            }
            at
        }
    };
    Ok(Note { store, subject: subject.clone() })
}

/// Why a note about a member cannot be written: she is not known here, or not any more.
fn sealed(replica: &Replica, note: &Note) -> Result<Refusal, Failed> {
    let held = match note.subject.member() {
        Some(member) => vault::held(&replica.overlay, member)?,
        None => None,
    };
    Ok(match held {
        Some(Held::Destroyed) => Refusal::State("this member was erased: nothing can be written about her".into()),
        Some(Held::Key(..) | Held::Forgotten) | None => {
            Refusal::Unknown { field: "subject".into(), what: "member here" }
        }
    })
}
