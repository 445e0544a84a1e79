//! Keys of members. Every personal value of a member is sealed under her key before it reaches a log; the key itself stands in no log, so that it
//! can be destroyed: then what was said of her is noise, wherever a copy of it lies.

use stockroom_crdt::codec::{DecodeError, RowReader, Rows, Sink, Source, col};
use stockroom_crdt::ids::{MemberId, TenantId};

use crate::journal::damaged;
use crate::overlay::Overlay;
use crate::replica::Replica;
use crate::sealed;
use crate::storage::{Snapshot, StoreError, Table};

/// What this node knows of a member's key.
#[derive(Clone, PartialEq, Eq)]
pub enum Held {
    /// The key itself.
    Key([u8; 32]),
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

/// What is held of a member's key; `None` if nothing ever was.
pub fn held(snapshot: &(impl Snapshot + ?Sized), member: MemberId) -> Result<Option<Held>, StoreError> {
    let Some(row) = snapshot.get(Table::MemberKeys, &member.0.to_be_bytes())? else { return Ok(None) };
    decode(&row).map(Some).map_err(damaged)
}

/// Puts a key down, unless it was destroyed. Gives whether it is held now.
pub fn put(overlay: &mut Overlay, member: MemberId, key: &[u8; 32]) -> Result<bool, StoreError> {
    if held(overlay, member)? == Some(Held::Destroyed) {
        return Ok(false);
    }
    overlay.put(Table::MemberKeys, member.0.to_be_bytes(), encode(&Held::Key(*key)));
    Ok(true)
}

/// Destroys a key for ever.
pub fn destroy(overlay: &mut Overlay, member: MemberId) {
    overlay.put(Table::MemberKeys, member.0.to_be_bytes(), encode(&Held::Destroyed));
}

/// Makes a key for a new member.
pub fn make(replica: &mut Replica, member: MemberId) -> Result<bool, StoreError> {
    let mut key = [0; 32];
    rand_core::Rng::fill_bytes(&mut replica.rng, &mut key);
    put(&mut replica.overlay, member, &key)
}

/// Seals something about a member. `None` if her key is not here.
pub fn seal(replica: &mut Replica, member: MemberId, what: What, plain: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
    let Some(Held::Key(key)) = held(&replica.overlay, member)? else { return Ok(None) };
    let about = about(replica.me.tenant, member, what);
    Ok(sealed::wrap(&key, &about, plain, &mut replica.rng))
}

/// Opens something about a member. `None` if her key is not here (any more), or if it was not sealed as this.
pub fn open(
    snapshot: &(impl Snapshot + ?Sized),
    tenant: TenantId,
    (member, what): (MemberId, What),
    sealed: &[u8],
) -> Result<Option<Vec<u8>>, StoreError> {
    let Some(Held::Key(key)) = held(snapshot, member)? else { return Ok(None) };
    Ok(sealed::unwrap(&key, &about(tenant, member, what), sealed))
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
        Held::Key(key) => {
            sink.uint(col::FLAGS, 1);
            sink.array(col::DIGEST, key);
        }
    })
}

fn decode(row: &[u8]) -> Result<Held, DecodeError> {
    let mut reader = RowReader::new(row);
    let held = match reader.uint(col::FLAGS)? {
        0 => Held::Destroyed,
        1 => Held::Key(reader.array(col::DIGEST)?),
        _ => return Err(DecodeError::Value("key")),
    };
    reader.finish()?;
    Ok(held)
}
