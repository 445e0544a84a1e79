//! What a store and its hub say about keys of members. Keys travel on a connection between the two and nowhere else: no log and no parcel holds one.
//!
//! | frame | from | means |
//! |---|---|---|
//! | give | store | keys that I made: keep them |
//! | kept | hub | I have them durable; they are yours on lease |
//! | missing | both | members that I know and cannot read |
//! | fetch | store | who is this? |
//! | fetched | hub | these accounts; what is known of them comes with the feed |
//! | lease | hub | keys that you may use; and what you hold is good for so long from now |
//! | dropped | store | members who did not come for long: I hold their keys no more |
//! | destroyed | hub | destroyed for ever |
//!
//! Everything here may be lost and is said again: what is missing or not given is told whenever the two meet.

use stockroom_crdt::codec::{DecodeError, RowReader, Rows, Sink, Source, col};
use stockroom_crdt::ids::MemberId;
use stockroom_crdt::limits::MEMBER_VALUE_BYTES_MAX;
use stockroom_crdt::member::value::Field;
use stockroom_crdt::scope::Lane;

use super::frames::Frame;
use super::link::{Link, Path, Relation};
use crate::books::identifiers;
use crate::ingest::{IngestError, PeerFault};
use crate::input::members::{Personal, Sought};
use crate::limits::{KEYS_IN_FRAME_MAX, LINK_QUEUE_MAX, MEMBER_LEASE_MS};
use crate::members::{hub, store};
use crate::replica::Replica;
use crate::storage::StoreError;
use crate::vault::{self, MemberKey};

/// One word about keys.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the table at the head of this file says what they mean")]
pub enum KeysFrame {
    Give(Vec<(MemberId, MemberKey)>),
    Kept { lease_ms: u64, members: Vec<MemberId> },
    Missing(Vec<MemberId>),
    Fetch { number: u64, sought: Sought },
    Fetched { number: u64, members: Vec<MemberId> },
    Lease { lease_ms: u64, keys: Vec<(MemberId, MemberKey)> },
    Dropped(Vec<MemberId>),
    Destroyed(Vec<MemberId>),
}

/// Takes a word about keys in. Only a hub and a store that it enrolled speak of them, on a connection.
pub fn on_keys(replica: &mut Replica, link: &mut Link, frame: KeysFrame) -> Result<(), IngestError> {
    let fault = || PeerFault::Frame("a word about keys that is not between us".into()).into();
    if link.path != Path::Direct {
        return Err(fault());
    }
    match (link.relation, frame) {
        (Relation::Child, frame) if link.peer.store.0 != 0 => {
            if link.queue.len() >= LINK_QUEUE_MAX {
                return Err(PeerFault::Frame("asks faster than it listens".into()).into());
            }
            let store = link.peer.store;
            if !hub::own_stores(replica)?.contains(&store) {
                return Ok(());
            }
            let answers = match frame {
                KeysFrame::Give(keys) => hub::take_given(replica, store, keys)?,
                KeysFrame::Missing(members) => hub::give_missing(replica, store, members)?,
                KeysFrame::Fetch { number, sought } => {
                    let found = look_up(replica, &sought)?;
                    hub::answer(replica, store, number, found)?
                }
                KeysFrame::Dropped(members) => {
                    members.into_iter().for_each(|member| vault::end_lease(&mut replica.overlay, member, store));
                    Vec::new()
                }
                KeysFrame::Kept { .. }
                | KeysFrame::Fetched { .. }
                | KeysFrame::Lease { .. }
                | KeysFrame::Destroyed(_) => {
                    return Err(fault());
                }
            };
            answers.into_iter().for_each(|answer| link.push(Lane::Control, Frame::Keys(answer)));
        }
        (Relation::Parent, frame) if replica.own_store().is_some() => match frame {
            KeysFrame::Kept { lease_ms, members } => store::was_kept(replica, lease_ms, members)?,
            KeysFrame::Lease { lease_ms, keys } => store::take_leased(replica, lease_ms, keys)?,
            KeysFrame::Fetched { number, members } => replica.on_fetched(number, members),
            KeysFrame::Destroyed(members) => {
                members.into_iter().try_for_each(|member| replica.destroy_member(member))?;
            }
            KeysFrame::Missing(members) => store::give_back(replica, members)?,
            KeysFrame::Give(_) | KeysFrame::Fetch { .. } | KeysFrame::Dropped(_) => {
                return Err(fault());
            }
        },
        (Relation::Parent | Relation::Child | Relation::Peer, _) => return Err(fault()),
    }
    Ok(())
}

/// A connection is up and both know each other.
pub fn greet(replica: &mut Replica, link: &mut Link) -> Result<(), StoreError> {
    if link.path == Path::Direct && link.relation == Relation::Parent && replica.own_store().is_some() {
        store::greet(replica)?;
    }
    if link.path == Path::Direct && link.relation == Relation::Child && link.peer.store.0 != 0 {
        let lost = hub::greet(replica, link.peer.store)?;
        lost.into_iter().for_each(|word| link.push(Lane::Control, Frame::Keys(word)));
    }
    renew(replica, link);
    Ok(())
}

/// Tells a store that its lease goes on, if some of it has passed since it was told.
pub fn renew(replica: &Replica, link: &mut Link) {
    let now = replica.now.mono_ms;
    let due = link.leased_ms.is_none_or(|told| told.saturating_add(MEMBER_LEASE_MS / 32) <= now);
    let is_store = link.path == Path::Direct && link.relation == Relation::Child && link.peer.store.0 != 0;
    if due && is_store && replica.member_desk.known_at.contains(&link.peer.store) {
        link.leased_ms = Some(now);
        link.push(Lane::Control, Frame::Keys(KeysFrame::Lease { lease_ms: MEMBER_LEASE_MS, keys: Vec::new() }));
    }
}

/// Accounts that somebody looks for, as far as they can be read here.
pub fn look_up(replica: &Replica, sought: &Sought) -> Result<Vec<MemberId>, StoreError> {
    Ok(match sought {
        Sought::Member(member) if vault::is_readable(&replica.overlay, *member)? => vec![*member],
        Sought::Member(_) => Vec::new(),
        Sought::Identifier { field, text } => {
            let Some(normal) = field.normal(text.as_str()).filter(|_| field.is_identifier()) else {
                return Ok(Vec::new());
            };
            match identifiers::hash(&replica.overlay, *field, &normal)? {
                Some(hash) => identifiers::accounts(&replica.overlay, &hash)?,
                None => Vec::new(),
            }
        }
    })
}

impl KeysFrame {
    /// Writes the frame after its kind.
    pub fn encode(&self, sink: &mut Rows) {
        match self {
            Self::Give(keys) => {
                sink.uint(col::FLAGS, 0);
                encode_keys(sink, keys);
            }
            Self::Kept { lease_ms, members } => {
                sink.uint(col::FLAGS, 1);
                sink.uint(col::TIME, *lease_ms);
                encode_members(sink, members);
            }
            Self::Missing(members) => {
                sink.uint(col::FLAGS, 2);
                encode_members(sink, members);
            }
            Self::Fetch { number, sought: Sought::Member(member) } => {
                sink.uint(col::FLAGS, 3);
                sink.uint(col::SEQ, *number);
                member.encode(sink);
            }
            Self::Fetch { number, sought: Sought::Identifier { field, text } } => {
                sink.uint(col::FLAGS, 4);
                sink.uint(col::SEQ, *number);
                sink.uint(col::A, *field as u64);
                sink.blob(col::NAME, text.as_str().as_bytes());
            }
            Self::Fetched { number, members } => {
                sink.uint(col::FLAGS, 5);
                sink.uint(col::SEQ, *number);
                encode_members(sink, members);
            }
            Self::Lease { lease_ms, keys } => {
                sink.uint(col::FLAGS, 6);
                sink.uint(col::TIME, *lease_ms);
                encode_keys(sink, keys);
            }
            Self::Dropped(members) => {
                sink.uint(col::FLAGS, 7);
                encode_members(sink, members);
            }
            Self::Destroyed(members) => {
                sink.uint(col::FLAGS, 8);
                encode_members(sink, members);
            }
        }
    }

    /// Reads what [`KeysFrame::encode`] wrote.
    pub fn decode(reader: &mut RowReader<'_>) -> Result<Self, DecodeError> {
        Ok(match reader.uint(col::FLAGS)? {
            0 => Self::Give(decode_keys(reader)?),
            1 => Self::Kept { lease_ms: reader.uint(col::TIME)?, members: decode_members(reader)? },
            2 => Self::Missing(decode_members(reader)?),
            3 => Self::Fetch { number: reader.uint(col::SEQ)?, sought: Sought::Member(MemberId::decode(reader)?) },
            4 => {
                let number = reader.uint(col::SEQ)?;
                let field = Field::ALL.get(usize::from(reader.u8(col::A)?)).copied();
                let field = field.ok_or(DecodeError::Value("field"))?;
                let text = Personal::new(reader.text(col::NAME, MEMBER_VALUE_BYTES_MAX)?);
                Self::Fetch { number, sought: Sought::Identifier { field, text } }
            }
            5 => Self::Fetched { number: reader.uint(col::SEQ)?, members: decode_members(reader)? },
            6 => Self::Lease { lease_ms: reader.uint(col::TIME)?, keys: decode_keys(reader)? },
            7 => Self::Dropped(decode_members(reader)?),
            8 => Self::Destroyed(decode_members(reader)?),
            _ => return Err(DecodeError::Value("word about keys")),
        })
    }
}

fn encode_members(sink: &mut Rows, members: &[MemberId]) {
    sink.uint(col::COUNT, members.len() as u64);
    members.iter().for_each(|member| member.encode(sink));
}

fn decode_members(reader: &mut RowReader<'_>) -> Result<Vec<MemberId>, DecodeError> {
    let mut out = Vec::new();
    for _ in 0..reader.count(col::COUNT, KEYS_IN_FRAME_MAX, "members")? {
        out.push(MemberId::decode(reader)?);
    }
    Ok(out)
}

fn encode_keys(sink: &mut Rows, keys: &[(MemberId, MemberKey)]) {
    sink.uint(col::COUNT, keys.len() as u64);
    for (member, key) in keys {
        member.encode(sink);
        sink.array(col::DIGEST, &key.0);
    }
}

fn decode_keys(reader: &mut RowReader<'_>) -> Result<Vec<(MemberId, MemberKey)>, DecodeError> {
    let mut out = Vec::new();
    for _ in 0..reader.count(col::COUNT, KEYS_IN_FRAME_MAX, "keys")? {
        out.push((MemberId::decode(reader)?, MemberKey(reader.array(col::DIGEST)?)));
    }
    Ok(out)
}
