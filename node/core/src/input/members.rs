//! What is asked about members, and what is answered.

use std::fmt;

use stockroom_crdt::ids::{Code, MemberId, StoreId};
use stockroom_crdt::member::link::{Evidence, Weight};
use stockroom_crdt::member::value::{Field, Purpose, Slot};

use crate::journal::Place;

/// A text that says something of a person. It does not show itself: no log, trace or error text holds it.
#[derive(Clone, PartialEq, Eq)]
pub struct Personal(String);

impl Personal {
    /// Takes a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for whoever may read it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Personal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(personal)")
    }
}

/// Somebody becomes a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnrolMember {
    /// The store that she belongs to. A store enrols its own; a hub has to say.
    pub home: Option<StoreId>,
    /// What she tells of herself, each field in one value or several.
    pub values: Vec<NewValue>,
    /// What she agrees to.
    pub consents: Vec<NewConsent>,
    /// Who enrols her; empty if she does it herself.
    pub staff: Code,
}

/// A value that somebody gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewValue {
    /// Which field.
    pub field: Field,
    /// The value.
    pub text: Personal,
    /// She has shown that it is hers; only a hub can say so.
    pub verified: bool,
}

/// A consent that somebody gives or withdraws.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewConsent {
    /// To what.
    pub purpose: Purpose,
    /// She agrees.
    pub given: bool,
    /// Where she said so, in a word.
    pub source: Code,
}

/// Something is said of a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberRequest {
    /// Of which account.
    pub member: MemberId,
    /// What.
    pub deed: MemberDeed,
    /// By whom; empty if she does it herself.
    pub staff: Code,
}

/// What is said of a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MemberDeed {
    /// A value: of a slot that she has, or a further one of the field.
    Set {
        /// Which slot; the first free one of the value's field if absent.
        slot: Option<Slot>,
        /// The value.
        value: NewValue,
    },
    /// She has it no more.
    Remove(Slot),
    /// She agrees, or does so no more.
    Consent(NewConsent),
    /// Two accounts are one person. At a store the link is tentative, whatever is asked.
    Link {
        /// The other account.
        other: MemberId,
        /// What it rests on.
        evidence: Evidence,
        /// How much it counts.
        weight: Weight,
    },
    /// They are not: every link between the two is retracted.
    Unlink {
        /// The other account.
        other: MemberId,
        /// Why, in a word.
        reason: Code,
    },
    /// Forget her for ever.
    Erase {
        /// All accounts that are known to be hers, not this one alone.
        whole: bool,
        /// Why, in a word.
        reason: Code,
    },
}

/// Who is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sought {
    /// An account.
    Member(MemberId),
    /// Whoever has this identifier.
    Identifier {
        /// Which kind: phone, e-mail, card or app.
        field: Field,
        /// As it was scanned or typed.
        text: Personal,
    },
}

/// What became of a question about members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MemberAnswer {
    /// She is enrolled.
    Enrolled {
        /// Her account.
        member: MemberId,
        /// Where the enrolment stands.
        place: Place,
        /// True when this was a retry.
        replayed: bool,
    },
    /// These accounts are known here and can be read, ascending.
    Found(Vec<MemberId>),
    /// Nobody here knows; the hub was asked. What it says can be read under this number within seconds.
    Asked(u64),
}

/// What the hub said to a question under a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fetched {
    /// It was asked and has not answered yet.
    Waits,
    /// These accounts; what is known of them is on its way, or here.
    Found(Vec<MemberId>),
    /// It did not answer in time: ask again when the link is up.
    Unanswered,
}
