//! Members: what each store's scope says of an account, and which stores know it.
//!
//! | table | row | value |
//! |---|---|---|
//! | [`Table::Members`] | (store, member) | the account as that store's scope has it |
//! | [`Table::MemberStores`] | (member, store) | empty |
//!
//! A record takes its facts in any order ([`Record`]), and records of several stores join, so it does not matter who heard what first.

use std::collections::BTreeSet;

use stockroom_crdt::entry::{Entry, Fact};
use stockroom_crdt::ids::{MemberId, StoreId};
use stockroom_crdt::member::link::{Class, Links, Weight, class_of};
use stockroom_crdt::member::record::Record;
use stockroom_crdt::member::{Said, Stage};

use super::Context;
use crate::journal::{damaged, fixed};
use crate::overlay::{Overlay, scan_prefix};
use crate::storage::{Snapshot, StoreError, Table};

/// Takes in a fact about members.
pub fn apply(overlay: &mut Overlay, store: StoreId, context: &Context<'_>, entry: &Entry) -> Result<(), StoreError> {
    for member in subjects(&entry.fact) {
        let mut record = of_store(overlay, store, member)?.unwrap_or_default();
        let said = |copied| Said::of(copied, entry.hlc, context.actor);
        match entry.fact.clone() {
            Fact::Member(fact) => record.enrol(said(fact.copied), fact),
            Fact::MemberValue(fact) => record.put_value(said(fact.copied), fact),
            Fact::MemberConsent(fact) => record.put_consent(said(fact.copied), fact),
            Fact::MemberLink(fact) => record.link(said(fact.copied), fact),
            Fact::MemberUnlink(fact) => record.unlink(said(fact.copied), fact),
            Fact::MemberErase(fact) => record.erase(said(fact.copied), fact),
            _ => continue,
        }
        overlay.put(Table::Members, key(store, member), record.to_bytes());
        overlay.put(Table::MemberStores, store_key(member, store), Vec::new());
    }
    Ok(())
}

/// The accounts that a fact is about.
pub fn subjects(fact: &Fact) -> Vec<MemberId> {
    match fact {
        Fact::Member(fact) => vec![fact.member],
        Fact::MemberValue(fact) => vec![fact.member],
        Fact::MemberConsent(fact) => vec![fact.member],
        Fact::MemberErase(fact) => vec![fact.member],
        Fact::MemberLink(fact) => vec![fact.a, fact.b],
        Fact::MemberUnlink(fact) => vec![fact.a, fact.b],
        _ => Vec::new(),
    }
}

/// An account as one store's scope has it.
pub fn of_store(
    snapshot: &(impl Snapshot + ?Sized),
    store: StoreId,
    member: MemberId,
) -> Result<Option<Record>, StoreError> {
    let row = snapshot.get(Table::Members, &key(store, member))?;
    row.map(|row| Record::from_bytes(&row).map_err(damaged)).transpose()
}

/// The stores whose scopes say something of an account.
pub fn stores(snapshot: &(impl Snapshot + ?Sized), member: MemberId) -> Result<Vec<StoreId>, StoreError> {
    let rows = scan_prefix(snapshot, Table::MemberStores, &member.0.to_be_bytes(), usize::MAX)?;
    rows.iter().map(|(key, _)| Ok(StoreId(u32::from_be_bytes(fixed(key.get(8..).unwrap_or_default())?)))).collect()
}

/// An account as everything says that is here; `None` if nobody ever spoke of it.
pub fn record(snapshot: &(impl Snapshot + ?Sized), member: MemberId) -> Result<Option<Record>, StoreError> {
    let mut joined: Option<Record> = None;
    for store in stores(snapshot, member)? {
        let Some(record) = of_store(snapshot, store, member)? else { continue };
        match &mut joined {
            Some(joined) => joined.join(record),
            None => joined = Some(record),
        }
    }
    Ok(joined)
}

/// Accounts that are one person with `member`, those that were erased left out.
pub fn class(snapshot: &(impl Snapshot + ?Sized), member: MemberId, weight: Weight) -> Result<Class, StoreError> {
    class_of(member, weight, |account| {
        let record = record(snapshot, account)?.unwrap_or_default();
        Ok(record.erased().is_none().then(|| record.links().clone()))
    })
}

/// Accounts that are one person with one that is being erased: those whose erasure is not done yet count.
pub fn class_to_erase(snapshot: &(impl Snapshot + ?Sized), member: MemberId) -> Result<Class, StoreError> {
    class_of(member, Weight::Strong, |account| {
        let record = record(snapshot, account)?.unwrap_or_default();
        let counts = account == member || record.erased().is_none_or(|(_, erase)| erase.stage == Stage::Asked);
        Ok(counts.then(|| record.links().clone()))
    })
}

/// Links that a store's scope has of an account.
pub fn links_at(snapshot: &(impl Snapshot + ?Sized), store: StoreId, member: MemberId) -> Result<Links, StoreError> {
    Ok(of_store(snapshot, store, member)?.unwrap_or_default().links().clone())
}

/// Every account of which a store's scope says something, by its id, from after `after` on.
pub fn accounts(
    snapshot: &(impl Snapshot + ?Sized),
    store: StoreId,
    after: Option<MemberId>,
    limit: usize,
) -> Result<Vec<(MemberId, Record)>, StoreError> {
    let prefix = store.0.to_be_bytes();
    let from = after.map_or_else(|| prefix.to_vec(), |after| [key(store, after).as_slice(), &[0]].concat());
    let end = crate::storage::prefix_end(&prefix).unwrap_or_else(|| vec![0xff; 16]);
    let range = (std::ops::Bound::Included(from.as_slice()), std::ops::Bound::Excluded(end.as_slice()));
    let rows = snapshot.scan(Table::Members, range, crate::storage::Direction::Forward, limit)?;
    let read = |(key, row): (Vec<u8>, Vec<u8>)| {
        let member = MemberId(u64::from_be_bytes(fixed(key.get(4..).unwrap_or_default())?));
        Ok((member, Record::from_bytes(&row).map_err(damaged)?))
    };
    rows.into_iter().map(read).collect()
}

/// The stores that know members at all.
pub fn all_stores(snapshot: &(impl Snapshot + ?Sized)) -> Result<BTreeSet<StoreId>, StoreError> {
    let (mut out, mut from) = (BTreeSet::new(), Vec::new());
    loop {
        let range = (std::ops::Bound::Included(from.as_slice()), std::ops::Bound::Unbounded);
        let rows = snapshot.scan(Table::Members, range, crate::storage::Direction::Forward, 1)?;
        let Some((key, _)) = rows.first() else { return Ok(out) };
        let store = u32::from_be_bytes(fixed(key.get(..4).unwrap_or_default())?);
        out.insert(StoreId(store));
        let Some(next) = crate::storage::prefix_end(&store.to_be_bytes()) else { return Ok(out) };
        from = next;
    }
}

fn key(store: StoreId, member: MemberId) -> Vec<u8> {
    [store.0.to_be_bytes().as_slice(), &member.0.to_be_bytes()].concat()
}

fn store_key(member: MemberId, store: StoreId) -> Vec<u8> {
    [member.0.to_be_bytes().as_slice(), &store.0.to_be_bytes()].concat()
}
