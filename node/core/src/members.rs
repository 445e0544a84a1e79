//! What a node does about members by itself. A hub joins accounts that have one identifier, copies what a store needs to know of somebody into its
//! scope, and finishes erasures; a store asks for the keys of those it knows and lets go of what it may not keep.
//!
//! Whatever is said of an account marks it, and so does a key that comes; before each commit [`Replica::settle_members`] looks at the marked ones
//! and writes what follows, in the same commit. What follows depends on the books and on the keys that are held, so a crash loses nothing.
//!
//! | module | what it knows |
//! |---|---|
//! | [`desk`] | marks, timers and the lease, between commits |
//! | [`hub`] | links that follow from values, copies, the end of an erasure |
//! | [`store`] | keys that are missing, leases that run out, members who do not come any more |

pub mod desk;
pub mod hub;
pub mod store;

use std::collections::BTreeSet;

use stockroom_crdt::entry::Fact;
use stockroom_crdt::ids::MemberId;
use stockroom_crdt::member::record::Record;

use crate::books::{identifiers, members};
use crate::input::CoreError;
use crate::limits::{MEMBERS_SETTLED_MAX, SETTLE_ROUNDS_MAX};
use crate::plant::{Plant, planted};
use crate::replica::Replica;
use crate::storage::StoreError;
use crate::vault::{self, Held, What};

impl Replica {
    /// Marks the accounts that an entry is about.
    pub(crate) fn touch_members(&mut self, fact: &Fact) {
        self.member_desk.touched.extend(members::subjects(fact));
    }

    /// Writes what follows from accounts that something was said of, until nothing follows any more.
    pub(crate) fn settle_members(&mut self) -> Result<(), CoreError> {
        if self.desk.resting {
            return Ok(());
        }
        let ours = match self.own_store() {
            None if !self.member_desk.touched.is_empty() => hub::own_stores(self)?,
            None | Some(_) => BTreeSet::new(),
        };
        for _ in 0..SETTLE_ROUNDS_MAX {
            let mut touched = BTreeSet::new();
            while touched.len() < MEMBERS_SETTLED_MAX
                && let Some(member) = self.member_desk.touched.pop_first()
            {
                touched.insert(member);
            }
            if touched.is_empty() {
                break;
            }
            for member in touched {
                let Some(record) = members::record(&self.overlay, member)? else { continue };
                match self.own_store() {
                    Some(store) => store::look_at(self, store, member, &record)?,
                    None => hub::look_at(self, &ours, member, &record)?,
                }
            }
        }
        Ok(())
    }

    /// Lets an account stand in the index under what can be read of it.
    pub(crate) fn index_member(&mut self, member: MemberId, record: &Record) -> Result<(), StoreError> {
        identifiers::make_key(self)?;
        let mut hashes = BTreeSet::new();
        for (_, value) in record.values().filter(|(_, value)| value.slot.field.is_identifier()) {
            let Some(sealed) = &value.sealed else { continue };
            let what = What::Value(value.slot.number());
            let Some(plain) = vault::open(&self.overlay, self.me.tenant, (member, what), sealed)? else { continue };
            let field = value.slot.field;
            let Some(normal) = String::from_utf8(plain).ok().and_then(|text| field.normal(&text)) else { continue };
            hashes.extend(identifiers::hash(&self.overlay, field, &normal)?);
        }
        identifiers::put(&mut self.overlay, member, &hashes)
    }

    /// Destroys what opens an account here, for ever.
    pub(crate) fn destroy_member(&mut self, member: MemberId) -> Result<(), StoreError> {
        if planted(Plant::KeyKept) && self.own_store().is_some() {
            return Ok(());
        }
        if vault::held(&self.overlay, member)? != Some(Held::Destroyed) {
            self.reached("the key of a member was destroyed");
            vault::destroy(&mut self.overlay, member)?;
        }
        self.member_desk.ungiven.remove(&member);
        self.member_desk.missing.remove(&member);
        identifiers::put(&mut self.overlay, member, &BTreeSet::new())
    }
}
