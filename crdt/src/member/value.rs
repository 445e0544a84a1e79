//! Values and consents of a member. A value is sealed under her key before it becomes a fact; this file knows no key.

use super::{Said, decode_copied, encode_copied};
use crate::codec::{DecodeError, Sink, Source, col};
use crate::ids::{Code, MemberId};
use crate::limits::{MEMBER_SLOTS_MAX, MEMBER_VALUE_BYTES_MAX, SEALED_BYTES_MAX};

/// What can be known of a member.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[allow(missing_docs)]
pub enum Field {
    Name = 0,
    Phone = 1,
    Email = 2,
    Card = 3,
    App = 4,
    Birthday = 5,
    Remark = 6,
}

/// Which of several values of a field: somebody has two telephones.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Slot {
    /// Which field.
    pub field: Field,
    /// Which of them, from 0.
    pub number: u8,
}

/// A value of a member, or that she has it no more. The newest word on a slot counts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MemberValue {
    /// Whose.
    pub member: MemberId,
    /// Which.
    pub slot: Slot,
    /// As it was sealed under her key; none when it was removed.
    pub sealed: Option<Vec<u8>>,
    /// She has shown that it is hers (a code that was sent to it, a sign-in). Only a hub says so.
    pub verified: bool,
    /// Who wrote it down; empty if she did it herself.
    pub staff: Code,
    /// Of whose word this is a copy.
    pub copied: Option<Said>,
}

/// What a member may agree to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Purpose {
    /// Being a member: points, member prices, receipts on line.
    Membership = 0,
    /// Messages about offers.
    Messages = 1,
    /// Offers made from what she bought.
    Personal = 2,
    /// Giving her data to brands.
    Sharing = 3,
}

/// A member agrees to a purpose, or does so no more. The newest word on a purpose counts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MemberConsent {
    /// Who.
    pub member: MemberId,
    /// To what.
    pub purpose: Purpose,
    /// She agrees.
    pub given: bool,
    /// Where she said so, in a word: form, app, counter.
    pub source: Code,
    /// Who wrote it down.
    pub staff: Code,
    /// Of whose word this is a copy.
    pub copied: Option<Said>,
}

impl Field {
    /// All of them, by number.
    pub const ALL: [Self; 7] =
        [Self::Name, Self::Phone, Self::Email, Self::Card, Self::App, Self::Birthday, Self::Remark];

    /// The word for the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Phone => "phone",
            Self::Email => "email",
            Self::Card => "card",
            Self::App => "app",
            Self::Birthday => "birthday",
            Self::Remark => "remark",
        }
    }

    /// Takes the word that [`Field::as_str`] gives.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.as_str() == text)
    }

    /// True for what tells one member from another, and finds her.
    pub fn is_identifier(self) -> bool {
        match self {
            Self::Phone | Self::Email | Self::Card | Self::App => true,
            Self::Name | Self::Birthday | Self::Remark => false,
        }
    }

    /// A value as it is compared: what people write in several ways becomes one. `None` for what is no such value.
    ///
    /// A telephone number keeps its digits; `+` and the `00` before a country's code fall away. A number without a country's code is another
    /// one than with it: who writes them down adds it.
    pub fn normal(self, text: &str) -> Option<String> {
        let text = text.trim();
        if text.is_empty() || text.len() > MEMBER_VALUE_BYTES_MAX || text.chars().any(char::is_control) {
            return None;
        }
        match self {
            Self::Phone => {
                let is_filler = |c: char| matches!(c, ' ' | '-' | '.' | '/' | '(' | ')');
                let digits: String = text.trim_start_matches('+').chars().filter(|c| !is_filler(*c)).collect();
                let digits = digits.strip_prefix("00").unwrap_or(&digits);
                let is_number = digits.bytes().all(|b| b.is_ascii_digit()) && (5..=15).contains(&digits.len());
                is_number.then(|| digits.to_owned())
            }
            Self::Email => {
                let (name, host) = text.split_once('@')?;
                let is_address = !name.is_empty() && !host.is_empty() && !text.contains(' ') && !host.contains('@');
                is_address.then(|| text.to_lowercase())
            }
            Self::Card | Self::App => {
                let kept: String = text.chars().filter(|c| !matches!(c, ' ' | '-')).collect();
                (!kept.is_empty()).then(|| kept.to_uppercase())
            }
            Self::Birthday => is_date(text).then(|| text.to_owned()),
            Self::Name | Self::Remark => Some(text.to_owned()),
        }
    }
}

impl Slot {
    /// A slot as one number: what a sealed value is bound to.
    pub fn number(self) -> u16 {
        (self.field as u16) << 8 | u16::from(self.number)
    }

    /// From [`Slot::number`].
    pub fn from_number(number: u16) -> Option<Self> {
        let field = *Field::ALL.get(usize::from(number >> 8))?;
        let number = number as u8;
        (number < MEMBER_SLOTS_MAX).then_some(Self { field, number })
    }
}

impl Purpose {
    /// All of them, by number.
    pub const ALL: [Self; 4] = [Self::Membership, Self::Messages, Self::Personal, Self::Sharing];

    /// The word for the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Membership => "membership",
            Self::Messages => "messages",
            Self::Personal => "personal",
            Self::Sharing => "sharing",
        }
    }

    /// Takes the word that [`Purpose::as_str`] gives.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|purpose| purpose.as_str() == text)
    }
}

impl MemberValue {
    /// Writes the fact.
    pub fn encode(&self, sink: &mut impl Sink) {
        self.member.encode(sink);
        sink.uint(col::A, u64::from(self.slot.number()));
        sink.uint(col::FLAGS, u64::from(self.sealed.is_some()) << 1 | u64::from(self.verified));
        if let Some(sealed) = &self.sealed {
            sink.blob(col::RAW, sealed);
        }
        self.staff.encode(sink, col::STAFF);
        encode_copied(self.copied, sink);
    }

    /// Reads what [`MemberValue::encode`] wrote.
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        let member = MemberId::decode(source)?;
        let slot = Slot::from_number(source.u16(col::A)?).ok_or(DecodeError::Value("slot"))?;
        let flags = source.u8(col::FLAGS)?;
        if flags > 3 || flags == 1 {
            return Err(DecodeError::Value("flags"));
        }
        let sealed = if flags & 2 == 2 { Some(source.blob(col::RAW, SEALED_BYTES_MAX)?) } else { None };
        let (staff, copied) = (Code::decode(source, col::STAFF)?, decode_copied(source)?);
        Ok(Self { member, slot, sealed, verified: flags & 1 == 1, staff, copied })
    }
}

impl MemberConsent {
    /// Writes the fact.
    pub fn encode(&self, sink: &mut impl Sink) {
        self.member.encode(sink);
        sink.uint(col::FLAGS, (self.purpose as u64) << 1 | u64::from(self.given));
        self.source.encode(sink, col::REASON);
        self.staff.encode(sink, col::STAFF);
        encode_copied(self.copied, sink);
    }

    /// Reads what [`MemberConsent::encode`] wrote.
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        let member = MemberId::decode(source)?;
        let flags = source.u8(col::FLAGS)?;
        let purpose = Purpose::ALL.get(usize::from(flags >> 1)).copied().ok_or(DecodeError::Value("purpose"))?;
        Ok(Self {
            member,
            purpose,
            given: flags & 1 == 1,
            source: Code::decode(source, col::REASON)?,
            staff: Code::decode(source, col::STAFF)?,
            copied: decode_copied(source)?,
        })
    }
}

/// A date like 1990-05-31, or --05-31 from somebody who keeps the year to herself.
fn is_date(text: &str) -> bool {
    let Some((year, day)) = text.split_at_checked(text.len().saturating_sub(6)) else { return false };
    let is_year = year == "-" || (year.len() == 4 && year.bytes().all(|b| b.is_ascii_digit()));
    let mut parts = day.split('-').skip(1).map(|part| (part.len() == 2).then(|| part.parse::<u8>().ok()).flatten());
    let (month, day) = (parts.next().flatten(), parts.next().flatten());
    is_year
        && month.is_some_and(|month| (1..=12).contains(&month))
        && day.is_some_and(|day| (1..=31).contains(&day))
        && parts.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_in_several_ways_is_one_identifier() {
        let phone = |text| Field::Phone.normal(text);
        assert_eq!(phone("+86 138-1234 5678"), phone("0086 138 1234 5678"));
        assert_eq!(phone("+86 138-1234 5678").as_deref(), Some("8613812345678"));
        for wrong in ["", "1234", "12345x", "+", "1234567890123456"] {
            assert_eq!(phone(wrong), None, "{wrong}");
        }
        assert_eq!(Field::Email.normal(" Ann@Example.ORG ").as_deref(), Some("ann@example.org"));
        assert_eq!(Field::Email.normal("ann"), None);
        assert_eq!(Field::Card.normal("ab 12-34"), Field::Card.normal("AB1234"));
    }

    #[test]
    fn a_birthday_is_a_date_with_or_without_its_year() {
        for (text, is_one) in
            [("1990-05-31", true), ("--05-31", true), ("1990-13-01", false), ("1990-5-31", false), ("tomorrow", false)]
        {
            assert_eq!(Field::Birthday.normal(text).is_some(), is_one, "{text}");
        }
    }
}
