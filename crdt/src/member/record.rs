//! One account, added up: the first enrolment, the newest word on each slot and purpose, all links; nothing of it once it was erased.

use std::collections::BTreeMap;

use super::link::{Links, MemberLink, MemberUnlink};
use super::value::{MemberConsent, MemberValue, Purpose, Slot};
use super::{Enrolment, MemberErase, Said};
use crate::codec::{DecodeError, RowReader, Rows, Sink, Source, col};

/// What is known of one account. Where two words contradict each other, each rule ranks them by all that they say: a node that was
/// cloned stamps two things alike, and then too all replicas must agree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// The first enrolment.
    enrolled: Option<(Said, Enrolment)>,
    values: BTreeMap<Slot, (Said, MemberValue)>,
    consents: BTreeMap<Purpose, (Said, MemberConsent)>,
    links: Links,
    /// The furthest stage, and the first word of it.
    erased: Option<(Said, MemberErase)>,
}

impl Record {
    /// Takes an enrolment in. Of several the first counts.
    pub fn enrol(&mut self, said: Said, enrolment: Enrolment) {
        let rank = |(said, enrolment): &(Said, Enrolment)| (*said, enrolment.home, enrolment.staff.clone());
        let new = (said, Enrolment { copied: None, ..enrolment });
        if self.enrolled.as_ref().is_none_or(|held| rank(&new) < rank(held)) {
            self.enrolled = Some(new);
        }
    }

    /// Takes a value in. The newest one of a slot counts.
    pub fn put_value(&mut self, said: Said, value: MemberValue) {
        if self.erased.is_some() {
            return;
        }
        let new = (said, MemberValue { copied: None, ..value });
        let rank =
            |(said, value): &(Said, MemberValue)| (*said, value.verified, value.sealed.clone(), value.staff.clone());
        if self.values.get(&new.1.slot).is_none_or(|held| rank(&new) > rank(held)) {
            self.values.insert(new.1.slot, new);
        }
    }

    /// Takes a consent in. The newest one of a purpose counts, and of two at once the one that gives none.
    pub fn put_consent(&mut self, said: Said, consent: MemberConsent) {
        if self.erased.is_some() {
            return;
        }
        let new = (said, MemberConsent { copied: None, ..consent });
        let rank = |(said, consent): &(Said, MemberConsent)| {
            (*said, !consent.given, consent.source.clone(), consent.staff.clone())
        };
        if self.consents.get(&new.1.purpose).is_none_or(|held| rank(&new) > rank(held)) {
            self.consents.insert(new.1.purpose, new);
        }
    }

    /// Takes an erasure in. It is for ever; the furthest stage counts, and of several words of it the first.
    pub fn erase(&mut self, said: Said, erase: MemberErase) {
        let new = (said, MemberErase { copied: None, ..erase });
        let before = |(said, erase): &(Said, MemberErase)| {
            (std::cmp::Reverse(erase.stage), !erase.whole, *said, erase.reason.clone(), erase.staff.clone())
        };
        if self.erased.as_ref().is_none_or(|held| before(&new) < before(held)) {
            self.erased = Some(new);
        }
        self.values.clear();
        self.consents.clear();
    }

    /// Takes a link of the account in.
    pub fn link(&mut self, said: Said, link: MemberLink) {
        self.links.add(MemberLink { copied: Some(said), ..link });
    }

    /// Takes a retraction in.
    pub fn unlink(&mut self, said: Said, unlink: MemberUnlink) {
        self.links.retract(MemberUnlink { copied: Some(said), ..unlink });
    }

    /// Everything that is in `other` too.
    pub fn join(&mut self, other: Self) {
        if let Some((said, enrolment)) = other.enrolled {
            self.enrol(said, enrolment);
        }
        other.values.into_values().for_each(|(said, value)| self.put_value(said, value));
        other.consents.into_values().for_each(|(said, consent)| self.put_consent(said, consent));
        if let Some((said, erase)) = other.erased {
            self.erase(said, erase);
        }
        self.links.join(other.links);
    }

    /// The enrolment, also of an account that was erased: it says nothing of the person.
    pub fn enrolled(&self) -> Option<&(Said, Enrolment)> {
        self.enrolled.as_ref()
    }

    /// The erasure, if there is one.
    pub fn erased(&self) -> Option<&(Said, MemberErase)> {
        self.erased.as_ref()
    }

    /// The newest word on each slot, those that were removed included; none of an account that was erased.
    pub fn values(&self) -> impl Iterator<Item = &(Said, MemberValue)> {
        self.values.values()
    }

    /// The newest word on a slot.
    pub fn value(&self, slot: Slot) -> Option<&(Said, MemberValue)> {
        self.values.get(&slot)
    }

    /// The newest word on each purpose; none of an account that was erased.
    pub fn consents(&self) -> impl Iterator<Item = &(Said, MemberConsent)> {
        self.consents.values()
    }

    /// The newest word on a purpose.
    pub fn consent(&self, purpose: Purpose) -> Option<&(Said, MemberConsent)> {
        self.consents.get(&purpose)
    }

    /// The links of the account, also of one that was erased: they join accounts and say nothing of the person.
    pub fn links(&self) -> &Links {
        &self.links
    }

    /// The row of a book.
    pub fn to_bytes(&self) -> Vec<u8> {
        Rows::of(|sink| {
            sink.uint(col::FLAGS, u64::from(self.enrolled.is_some()) << 1 | u64::from(self.erased.is_some()));
            if let Some((said, enrolment)) = &self.enrolled {
                said.encode(sink);
                enrolment.encode(sink);
            }
            if let Some((said, erase)) = &self.erased {
                said.encode(sink);
                erase.encode(sink);
            }
            sink.uint(col::COUNT, self.values.len() as u64);
            for (said, value) in self.values.values() {
                said.encode(sink);
                value.encode(sink);
            }
            sink.uint(col::COUNT, self.consents.len() as u64);
            for (said, consent) in self.consents.values() {
                said.encode(sink);
                consent.encode(sink);
            }
            self.links.encode(sink);
        })
    }

    /// From [`Record::to_bytes`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let (mut record, mut source) = (Self::default(), RowReader::new(bytes));
        let flags = source.u8(col::FLAGS)?;
        if flags & 2 == 2 {
            record.enrolled = Some((Said::decode(&mut source)?, Enrolment::decode(&mut source)?));
        }
        if flags & 1 == 1 {
            record.erased = Some((Said::decode(&mut source)?, MemberErase::decode(&mut source)?));
        }
        for _ in 0..source.uint(col::COUNT)? {
            let (said, value) = (Said::decode(&mut source)?, MemberValue::decode(&mut source)?);
            record.values.insert(value.slot, (said, value));
        }
        for _ in 0..source.uint(col::COUNT)? {
            let (said, consent) = (Said::decode(&mut source)?, MemberConsent::decode(&mut source)?);
            record.consents.insert(consent.purpose, (said, consent));
        }
        record.links = Links::decode(&mut source)?;
        source.finish()?;
        Ok(record)
    }
}
