//! Members: what is said of somebody who gave her name to the shop, and what it adds up to.
//!
//! | module | what it knows |
//! |---|---|
//! | [`value`] | her values and consents: which there are, how two of them are compared |
//! | [`link`] | which accounts are one person: links, retractions, classes |
//! | [`record`] | one account, added up from what was said in any order |
//!
//! A base account is made by whoever enrols, also while cut off. All that is said of it stands in the members' scope of each store that knows her; a
//! hub copies it from one store's scope into another's. A copy carries the time and author of the original ([`Said`]), so that the same word
//! resolves the same wherever it is read, and copying one twice changes nothing.
//!
//! No hash of an identifier stands in a log. A telephone number has eleven digits: whoever gets the key of the hash finds all numbers by trying,
//! and the hash of somebody who was erased would stay. Who has which number is found by an index that each node makes for itself.

pub mod link;
pub mod record;
pub mod value;

use crate::clock::Hlc;
use crate::codec::{DecodeError, Sink, Source, col};
use crate::ids::{Actor, Code, MemberId, StoreId};

/// When something was said first, and by whom. The larger one is newer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Said {
    /// Its time.
    pub at: Hlc,
    /// Its author.
    pub by: Actor,
}

/// Somebody was enrolled. The first word on an account counts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Enrolment {
    /// The new account.
    pub member: MemberId,
    /// The store that she belongs to.
    pub home: StoreId,
    /// Who enrolled her; empty if she did it herself.
    pub staff: Code,
    /// Of whose word this is a copy.
    pub copied: Option<Said>,
}

/// How far an erasure is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Stage {
    /// A store asks for it; it forgets her at once.
    Asked = 0,
    /// Her hub has destroyed the key. Only a hub says so.
    Done = 1,
}

/// An account is erased: nothing that is said of it, before or after, has an effect any more.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MemberErase {
    /// Which account.
    pub member: MemberId,
    /// How far.
    pub stage: Stage,
    /// All accounts that are known to be hers, not this one alone.
    pub whole: bool,
    /// Why, in a word.
    pub reason: Code,
    /// Who took her wish.
    pub staff: Code,
    /// Of whose word this is a copy.
    pub copied: Option<Said>,
}

impl Said {
    /// Writes time and author.
    pub fn encode(self, sink: &mut impl Sink) {
        sink.uint(col::TIME, self.at.to_bits());
        self.by.encode(sink);
    }

    /// Reads what [`Said::encode`] wrote.
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        Ok(Self { at: Hlc::from_bits(source.uint(col::TIME)?), by: Actor::decode(source)? })
    }

    /// Of a word that `by` wrote at `at`: as it says itself if it is a copy.
    pub fn of(copied: Option<Self>, at: Hlc, by: Actor) -> Self {
        copied.unwrap_or(Self { at, by })
    }
}

/// Writes of whose word something is a copy.
pub(crate) fn encode_copied(copied: Option<Said>, sink: &mut impl Sink) {
    sink.uint(col::LINE_FLAGS, copied.is_some().into());
    if let Some(said) = copied {
        said.encode(sink);
    }
}

/// Reads what [`encode_copied`] wrote.
pub(crate) fn decode_copied(source: &mut impl Source) -> Result<Option<Said>, DecodeError> {
    if source.flag(col::LINE_FLAGS)? { Said::decode(source).map(Some) } else { Ok(None) }
}

impl Enrolment {
    /// Writes the fact.
    pub fn encode(&self, sink: &mut impl Sink) {
        self.member.encode(sink);
        sink.uint(col::STORE, u64::from(self.home.0));
        self.staff.encode(sink, col::STAFF);
        encode_copied(self.copied, sink);
    }

    /// Reads what [`Enrolment::encode`] wrote.
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        let member = MemberId::decode(source)?;
        let home = StoreId(source.u32(col::STORE)?);
        if home.0 == 0 {
            return Err(DecodeError::Value("store"));
        }
        Ok(Self { member, home, staff: Code::decode(source, col::STAFF)?, copied: decode_copied(source)? })
    }
}

impl MemberErase {
    /// Writes the fact.
    pub fn encode(&self, sink: &mut impl Sink) {
        self.member.encode(sink);
        sink.uint(col::FLAGS, (self.stage as u64) << 1 | u64::from(self.whole));
        self.reason.encode(sink, col::REASON);
        self.staff.encode(sink, col::STAFF);
        encode_copied(self.copied, sink);
    }

    /// Reads what [`MemberErase::encode`] wrote.
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        let member = MemberId::decode(source)?;
        let flags = source.u8(col::FLAGS)?;
        let stage = match flags >> 1 {
            0 => Stage::Asked,
            1 => Stage::Done,
            _ => return Err(DecodeError::Value("stage")),
        };
        Ok(Self {
            member,
            stage,
            whole: flags & 1 == 1,
            reason: Code::decode(source, col::REASON)?,
            staff: Code::decode(source, col::STAFF)?,
            copied: decode_copied(source)?,
        })
    }
}
