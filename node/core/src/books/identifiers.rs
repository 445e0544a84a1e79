//! Who has which telephone number: an index of this node's own.
//!
//! | row of [`Table::MemberIndex`] | value |
//! |---|---|
//! | (`i`, keyed hash of an identifier) | the accounts that have it |
//! | (`m`, member) | the hashes under which she stands, to take them out again |
//!
//! The key of the hash is a random number of this node that stands in no log and goes to nobody, so the index is worth nothing without this
//! node's disk, and what is taken out of it is gone. It is made from values that this node can open: when a value comes whose key is here, and
//! when a key comes. Losing the index loses nothing.

use std::collections::BTreeSet;

use rand_core::Rng;
use stockroom_crdt::ids::{Digest, MemberId};
use stockroom_crdt::member::value::Field;

use crate::journal::fixed;
use crate::overlay::Overlay;
use crate::replica::Replica;
use crate::storage::{Snapshot, StoreError, Table};

/// An identifier under this node's key.
pub type Hash = [u8; 32];

/// Makes this node's key, once.
pub fn make_key(replica: &mut Replica) -> Result<(), StoreError> {
    if replica.overlay.get(Table::Meta, KEY)?.is_none() {
        let mut key = [0; 32];
        replica.rng.fill_bytes(&mut key);
        replica.overlay.put(Table::Meta, KEY, key);
    }
    Ok(())
}

/// Something about a person under this node's key, for comparison at this node only.
pub fn keyed(snapshot: &(impl Snapshot + ?Sized), parts: &[&[u8]]) -> Result<Option<Hash>, StoreError> {
    let Some(key) = snapshot.get(Table::Meta, KEY)? else { return Ok(None) };
    Ok(Some(Digest::keyed(&fixed(&key)?, parts).0))
}

/// The hash of an identifier that was made normal already.
pub fn hash(snapshot: &(impl Snapshot + ?Sized), field: Field, normal: &str) -> Result<Option<Hash>, StoreError> {
    keyed(snapshot, &[b"identifier", &[field as u8], normal.as_bytes()])
}

/// Accounts that have an identifier, ascending.
pub fn accounts(snapshot: &(impl Snapshot + ?Sized), hash: &Hash) -> Result<Vec<MemberId>, StoreError> {
    let Some(row) = snapshot.get(Table::MemberIndex, &hash_key(hash))? else { return Ok(Vec::new()) };
    row.chunks(8).map(|bytes| Ok(MemberId(u64::from_be_bytes(fixed(bytes)?)))).collect()
}

/// Under which hashes an account stands.
pub fn of_member(snapshot: &(impl Snapshot + ?Sized), member: MemberId) -> Result<BTreeSet<Hash>, StoreError> {
    let Some(row) = snapshot.get(Table::MemberIndex, &member_key(member))? else { return Ok(BTreeSet::new()) };
    row.chunks(32).map(fixed).collect()
}

/// Lets an account stand under these hashes and no others.
pub fn put(overlay: &mut Overlay, member: MemberId, hashes: &BTreeSet<Hash>) -> Result<(), StoreError> {
    let before = of_member(overlay, member)?;
    for hash in before.difference(hashes) {
        let rest: Vec<_> = accounts(overlay, hash)?.into_iter().filter(|account| *account != member).collect();
        put_accounts(overlay, hash, &rest);
    }
    for hash in hashes.difference(&before) {
        let mut all: BTreeSet<_> = accounts(overlay, hash)?.into_iter().collect();
        all.insert(member);
        put_accounts(overlay, hash, &all.into_iter().collect::<Vec<_>>());
    }
    if hashes.is_empty() && !before.is_empty() {
        overlay.remove(Table::MemberIndex, member_key(member));
    } else if *hashes != before {
        overlay.put(Table::MemberIndex, member_key(member), hashes.iter().flatten().copied().collect::<Vec<u8>>());
    }
    Ok(())
}

fn put_accounts(overlay: &mut Overlay, hash: &Hash, accounts: &[MemberId]) {
    if accounts.is_empty() {
        overlay.remove(Table::MemberIndex, hash_key(hash));
    } else {
        let row: Vec<u8> = accounts.iter().flat_map(|account| account.0.to_be_bytes()).collect();
        overlay.put(Table::MemberIndex, hash_key(hash), row);
    }
}

fn hash_key(hash: &Hash) -> Vec<u8> {
    [b"i".as_slice(), hash].concat()
}

fn member_key(member: MemberId) -> Vec<u8> {
    [b"m".as_slice(), &member.0.to_be_bytes()].concat()
}

const KEY: &[u8] = b"member_index_key";
