//! Keys of members. Every personal value of a member is sealed under her key before it reaches a log; the key itself stands in no log, so that it
//! can be destroyed: then what was said of her is noise, wherever a copy of it lies.
//!
//! | row of [`Table::MemberKeys`] | value |
//! |---|---|
//! | (member) | what this node holds of her key: [`Held`] |
//! | (member, store) | empty: this hub leased the key to the store, which is not her own |
//!
//! A store holds keys on one *lease*: so long after it last heard its hub, on its own running time and on its wall clock, whichever ends first,
//! it destroys them all. A backup of a database holds keys, so it is kept as the database is.

use std::collections::BTreeSet;
use std::fmt;

use stockroom_crdt::codec::{DecodeError, RowReader, Rows, Sink, Source, col};
use stockroom_crdt::ids::{MemberId, StoreId, TenantId};

use crate::journal::{damaged, fixed};
use crate::overlay::{Overlay, scan_prefix};
use crate::replica::Replica;
use crate::sealed;
use crate::storage::{Direction, Snapshot, StoreError, Table};

/// A member's key. It does not show itself.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct MemberKey(pub [u8; 32]);

impl fmt::Debug for MemberKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(key)")
    }
}

/// Until when a key is held.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Keep {
    /// Until it is destroyed: this node is the hub that keeps it.
    Kept,
    /// It was made here, and the hub does not have it yet: nothing lets it run out, for there is no other copy.
    Ungiven,
    /// As long as the lease lasts.
    Leased {
        /// When she was last here, milliseconds since 1970.
        came_ms: u64,
    },
}

/// What this node knows of a member's key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Held {
    /// The key itself.
    Key(MemberKey, Keep),
    /// She did not come for long: it was let go, and is not asked for until she comes.
    Forgotten,
    /// It was destroyed: no copy that comes later is taken.
    Destroyed,
}

/// What a value is, so that a sealed text does not open in another's place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum What {
    /// A field of her record, by its number.
    Value(u16),
    /// A change of one of her notes, by the note's number.
    Note(u64),
}

/// What is held of a member's key; `None` if nothing ever was, or the lease ran out.
pub fn held(snapshot: &(impl Snapshot + ?Sized), member: MemberId) -> Result<Option<Held>, StoreError> {
    let Some(row) = snapshot.get(Table::MemberKeys, &key_of(member))? else { return Ok(None) };
    decode(&row).map(Some).map_err(damaged)
}

/// True when what is said of a member can be opened here.
pub fn is_readable(snapshot: &(impl Snapshot + ?Sized), member: MemberId) -> Result<bool, StoreError> {
    Ok(matches!(held(snapshot, member)?, Some(Held::Key(..))))
}

/// Puts a key down, unless it was destroyed. Gives whether it is held now.
pub fn put(overlay: &mut Overlay, member: MemberId, key: MemberKey, keep: Keep) -> Result<bool, StoreError> {
    if held(overlay, member)? == Some(Held::Destroyed) {
        return Ok(false);
    }
    overlay.put(Table::MemberKeys, key_of(member), encode(&Held::Key(key, keep)));
    Ok(true)
}

/// Destroys a key for ever.
pub fn destroy(overlay: &mut Overlay, member: MemberId) -> Result<(), StoreError> {
    for store in leased_to(overlay, member)? {
        end_lease(overlay, member, store);
    }
    overlay.put(Table::MemberKeys, key_of(member), encode(&Held::Destroyed));
    Ok(())
}

/// Lets a key go that can be had again.
pub fn forget(overlay: &mut Overlay, member: MemberId) {
    overlay.put(Table::MemberKeys, key_of(member), encode(&Held::Forgotten));
}

/// The lease is over: the key is gone here until the hub gives it again.
pub fn lapse(overlay: &mut Overlay, member: MemberId) {
    overlay.remove(Table::MemberKeys, key_of(member));
}

/// Makes a key for a new member. At a store it goes to the hub as soon as that can be reached.
pub fn make(replica: &mut Replica, member: MemberId) -> Result<bool, StoreError> {
    let mut key = [0; 32];
    rand_core::Rng::fill_bytes(&mut replica.rng, &mut key);
    let at_store = replica.own_store().is_some();
    let made = put(&mut replica.overlay, member, MemberKey(key), if at_store { Keep::Ungiven } else { Keep::Kept })?;
    if made && at_store {
        replica.member_desk.ungiven.insert(member);
    }
    Ok(made)
}

/// Seals something about a member. `None` if her key is not here.
pub fn seal(replica: &mut Replica, member: MemberId, what: What, plain: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
    let Some(Held::Key(key, _)) = held(&replica.overlay, member)? else { return Ok(None) };
    let about = about(replica.me.tenant, member, what);
    Ok(sealed::wrap(&key.0, &about, plain, &mut replica.rng))
}

/// Opens something about a member. `None` if her key is not here (any more), or if it was not sealed as this.
pub fn open(
    snapshot: &(impl Snapshot + ?Sized),
    tenant: TenantId,
    (member, what): (MemberId, What),
    sealed: &[u8],
) -> Result<Option<Vec<u8>>, StoreError> {
    let Some(Held::Key(key, _)) = held(snapshot, member)? else { return Ok(None) };
    Ok(sealed::unwrap(&key.0, &about(tenant, member, what), sealed))
}

/// Notes that a hub leased a key to a store that is not the member's own.
pub fn lease(overlay: &mut Overlay, member: MemberId, store: StoreId) {
    overlay.put(Table::MemberKeys, lease_key(member, store), Vec::new());
}

/// The store has let it go.
pub fn end_lease(overlay: &mut Overlay, member: MemberId, store: StoreId) {
    overlay.remove(Table::MemberKeys, lease_key(member, store));
}

/// Stores, her own left out, to which this hub leased a key.
pub fn leased_to(snapshot: &(impl Snapshot + ?Sized), member: MemberId) -> Result<BTreeSet<StoreId>, StoreError> {
    let rows = scan_prefix(snapshot, Table::MemberKeys, &key_of(member), usize::MAX)?;
    let stores = rows.iter().filter(|(key, _)| key.len() == 12);
    stores.map(|(key, _)| Ok(StoreId(u32::from_be_bytes(fixed(&key[8..])?)))).collect()
}

/// At most `limit` members after one, with what is held of their keys.
pub fn all(
    snapshot: &(impl Snapshot + ?Sized),
    after: Option<MemberId>,
    limit: usize,
) -> Result<Vec<(MemberId, Held)>, StoreError> {
    let from = after.map_or_else(Vec::new, |after| [key_of(after).as_slice(), &[0xff; 5]].concat());
    let range = (std::ops::Bound::Included(from.as_slice()), std::ops::Bound::Unbounded);
    let rows = snapshot.scan(Table::MemberKeys, range, Direction::Forward, limit)?;
    let keys = rows.into_iter().filter(|(key, _)| key.len() == 8);
    keys.map(|(key, row)| Ok((MemberId(u64::from_be_bytes(fixed(&key)?)), decode(&row).map_err(damaged)?))).collect()
}

fn key_of(member: MemberId) -> Vec<u8> {
    member.0.to_be_bytes().to_vec()
}

fn lease_key(member: MemberId, store: StoreId) -> Vec<u8> {
    [member.0.to_be_bytes().as_slice(), &store.0.to_be_bytes()].concat()
}

fn about(tenant: TenantId, member: MemberId, what: What) -> Vec<u8> {
    let (kind, number) = match what {
        What::Value(field) => (0, u64::from(field)),
        What::Note(note) => (1, note),
    };
    [b"stockroom member".as_slice(), &tenant.0, &member.0.to_be_bytes(), &[kind], &number.to_be_bytes()].concat()
}

fn encode(held: &Held) -> Vec<u8> {
    Rows::of(|sink| match held {
        Held::Destroyed => sink.uint(col::FLAGS, 0),
        Held::Forgotten => sink.uint(col::FLAGS, 1),
        Held::Key(key, keep) => {
            match keep {
                Keep::Kept => sink.uint(col::FLAGS, 2),
                Keep::Ungiven => sink.uint(col::FLAGS, 3),
                Keep::Leased { came_ms } => {
                    sink.uint(col::FLAGS, 4);
                    sink.uint(col::TIME, *came_ms);
                }
            }
            sink.array(col::DIGEST, &key.0);
        }
    })
}

fn decode(row: &[u8]) -> Result<Held, DecodeError> {
    let mut reader = RowReader::new(row);
    let keep = match reader.uint(col::FLAGS)? {
        0 => return reader.finish().map(|()| Held::Destroyed),
        1 => return reader.finish().map(|()| Held::Forgotten),
        2 => Keep::Kept,
        3 => Keep::Ungiven,
        4 => Keep::Leased { came_ms: reader.uint(col::TIME)? },
        _ => return Err(DecodeError::Value("key")),
    };
    let key = MemberKey(reader.array(col::DIGEST)?);
    reader.finish()?;
    Ok(Held::Key(key, keep))
}
