//! Notes: texts, settings and conversations about a member, an order, a store or a product, which several people edit at the same time.
//!
//! A note is an automerge document whose shape we fix ([`Subject::texts`] and the like), so nobody outside of [`document`] meets a raw one. Each
//! edit is one automerge change in one entry of our log; who wrote it and when is said by the entry, which is signed, never by the change.
//!
//! Documents are rotated. A *snapshot* begins a generation: it holds what the note says, with the conflicts that nobody has settled, and names
//! the changes that it covers. What was written against an older generation and is covered by nothing is *late*: the home writes its edits once
//! more in the newest one, and names where they come from.
//!
//! | module | what it knows |
//! |---|---|
//! | [`edit`] | what somebody may do to a note, and its bounds |
//! | [`measure`] | how large a change is, before automerge unfolds it |
//! | [`document`] | the automerge document: load, edit, read, fold |
//! | [`past`] | what a snapshot remembers of the generations before |
//! | [`story`] | what each change did, in our words |

pub mod document;
pub mod edit;
pub mod measure;
pub mod past;
pub mod story;

use crate::clock::Hlc;
use crate::codec::{DecodeError, Rows, Sink, Source, col};
use crate::ids::{Actor, Code, Digest, MemberId, Sku, StoreId};
use crate::limits::{NOTE_CHANGE_BYTES_MAX, NOTE_COVERS_MAX, NOTE_SNAPSHOT_BYTES_MAX};
use crate::order::OrderId;
use crate::scope::Scope;

/// What a note is about. There is one note of each subject in each scope.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub enum Subject {
    /// A member: a remark and what she prefers. Sealed under her key.
    Member(MemberId),
    /// An order: a remark, and the conversation about substitutes.
    Order(OrderId),
    /// A store: a notice for its people, and its settings.
    Store(StoreId),
    /// A product: what its page says.
    Product(Sku),
}

/// Names a change or a snapshot: the first bytes of the hash of its own bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash, Default)]
pub struct NoteId(pub [u8; 8]);

/// Who wrote something, and when.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Stamp {
    /// When. The newest of several values comes first.
    pub hlc: Hlc,
    /// At which node.
    pub actor: Actor,
    /// Who.
    pub staff: Code,
}

/// An edit of a note: an automerge change.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NoteChange {
    /// Of which note.
    pub subject: Subject,
    /// The snapshot that it was written against; all zeros before the first.
    pub base: NoteId,
    /// Who wrote it.
    pub staff: Code,
    /// Where it comes from, if the home wrote it once more: the change that was late, and who wrote that.
    pub origin: Option<(NoteId, Stamp)>,
    /// The change; sealed if the subject is a member.
    pub bytes: Vec<u8>,
}

/// The beginning of a note's next generation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NoteSnapshot {
    /// Of which note.
    pub subject: Subject,
    /// One more than that of the snapshot before; the first is 1.
    pub generation: u32,
    /// The snapshot before; all zeros for none.
    pub base: NoteId,
    /// The changes against `base` that it holds, ascending.
    pub covers: Vec<NoteId>,
    /// An automerge change that says all that the note says; sealed if the subject is a member.
    pub bytes: Vec<u8>,
}

impl Subject {
    /// Texts that a note has. People at several places may edit one at once.
    pub fn texts(&self) -> &'static [&'static str] {
        match self {
            Self::Member(_) | Self::Order(_) => &["remark"],
            Self::Store(_) => &["notice"],
            Self::Product(_) => &["title", "description"],
        }
    }

    /// True for notes that have values by name.
    pub fn has_values(&self) -> bool {
        match self {
            Self::Member(_) | Self::Store(_) | Self::Product(_) => true,
            Self::Order(_) => false,
        }
    }

    /// True for notes with a conversation.
    pub fn has_chat(&self) -> bool {
        match self {
            Self::Order(_) => true,
            Self::Member(_) | Self::Store(_) | Self::Product(_) => false,
        }
    }

    /// The member whose key seals the note.
    pub fn member(&self) -> Option<MemberId> {
        match self {
            Self::Member(member) => Some(*member),
            Self::Order(_) | Self::Store(_) | Self::Product(_) => None,
        }
    }

    /// True when the note may stand in `scope`. An order's may stand at each store that has to do with it, and at its home.
    pub fn belongs_in(&self, scope: &Scope) -> bool {
        match self {
            Self::Member(_) => matches!(scope, Scope::StoreMembers(_)),
            Self::Store(store) => *scope == Scope::StoreMembers(*store),
            Self::Order(_) => matches!(scope, Scope::StoreOrders(_) | Scope::Orders(_)),
            Self::Product(_) => *scope == Scope::Control,
        }
    }

    /// Writes which kind it is, and its id.
    pub fn encode(&self, sink: &mut impl Sink) {
        match self {
            Self::Member(member) => {
                sink.uint(col::FLAGS, 0);
                member.encode(sink);
            }
            Self::Order(order) => {
                sink.uint(col::FLAGS, 1);
                order.encode(sink);
            }
            Self::Store(store) => {
                sink.uint(col::FLAGS, 2);
                sink.uint(col::STORE, u64::from(store.0));
            }
            Self::Product(sku) => {
                sink.uint(col::FLAGS, 3);
                sku.encode(sink);
            }
        }
    }

    /// Reads what [`Subject::encode`] wrote.
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        Ok(match source.uint(col::FLAGS)? {
            0 => Self::Member(MemberId::decode(source)?),
            1 => Self::Order(OrderId::decode(source)?),
            2 => Self::Store(StoreId(source.u32(col::STORE)?)),
            3 => Self::Product(Sku::decode(source)?),
            _ => return Err(DecodeError::Value("subject")),
        })
    }

    /// Canonical bytes, for database keys.
    pub fn to_bytes(&self) -> Vec<u8> {
        Rows::of(|sink| self.encode(sink))
    }
}

impl NoteId {
    /// The name of a change or snapshot with these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        let digest = Digest::of(&[b"note", bytes]);
        Self(std::array::from_fn(|i| digest.0[i]))
    }

    fn encode(self, sink: &mut impl Sink) {
        sink.array(col::DIGEST, &self.0);
    }

    fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        Ok(Self(source.array(col::DIGEST)?))
    }
}

impl Stamp {
    /// Writes time, node and person.
    pub fn encode(&self, sink: &mut impl Sink) {
        sink.uint(col::TIME, self.hlc.ms());
        sink.uint(col::A, u64::from(self.hlc.counter()));
        self.actor.encode(sink);
        self.staff.encode(sink, col::STAFF);
    }

    /// Reads what [`Stamp::encode`] wrote.
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        let ms = source.uint(col::TIME)?;
        if ms >= 1 << 48 {
            return Err(DecodeError::Value("time"));
        }
        let hlc = Hlc::new(ms, source.u16(col::A)?);
        Ok(Self { hlc, actor: Actor::decode(source)?, staff: Code::decode(source, col::STAFF)? })
    }
}

impl NoteChange {
    /// Its name.
    pub fn id(&self) -> NoteId {
        NoteId::of(&self.bytes)
    }

    /// Writes all fields.
    pub fn encode(&self, sink: &mut impl Sink) {
        self.subject.encode(sink);
        self.base.encode(sink);
        self.staff.encode(sink, col::STAFF);
        sink.uint(col::COUNT, u64::from(self.origin.is_some()));
        if let Some((late, by)) = &self.origin {
            late.encode(sink);
            by.encode(sink);
        }
        sink.blob(col::RAW, &self.bytes);
    }

    /// Reads what [`NoteChange::encode`] wrote.
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        let (subject, base) = (Subject::decode(source)?, NoteId::decode(source)?);
        let staff = Code::decode(source, col::STAFF)?;
        let origin = match source.flag(col::COUNT)? {
            true => Some((NoteId::decode(source)?, Stamp::decode(source)?)),
            false => None,
        };
        Ok(Self { subject, base, staff, origin, bytes: source.blob(col::RAW, NOTE_CHANGE_BYTES_MAX)? })
    }
}

impl NoteSnapshot {
    /// Its name.
    pub fn id(&self) -> NoteId {
        NoteId::of(&self.bytes)
    }

    /// Writes all fields.
    pub fn encode(&self, sink: &mut impl Sink) {
        self.subject.encode(sink);
        sink.uint(col::SERIES, u64::from(self.generation));
        self.base.encode(sink);
        sink.uint(col::COUNT, self.covers.len() as u64);
        for covered in &self.covers {
            covered.encode(sink);
        }
        sink.blob(col::RAW, &self.bytes);
    }

    /// Reads what [`NoteSnapshot::encode`] wrote.
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        let subject = Subject::decode(source)?;
        let generation = source.u32(col::SERIES)?;
        if generation == 0 {
            return Err(DecodeError::Value("generation"));
        }
        let base = NoteId::decode(source)?;
        let count = source.count(col::COUNT, NOTE_COVERS_MAX, "covered changes")?;
        let mut covers = Vec::new();
        for _ in 0..count {
            let covered = NoteId::decode(source)?;
            if covers.last().is_some_and(|last| *last >= covered) {
                return Err(DecodeError::Canonical);
            }
            covers.push(covered);
        }
        Ok(Self { subject, generation, base, covers, bytes: source.blob(col::RAW, NOTE_SNAPSHOT_BYTES_MAX)? })
    }
}
