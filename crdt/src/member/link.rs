//! Which accounts are one person.
//!
//! A link joins two base accounts on some evidence. It is never undone, only retracted: what is said of links only grows, so replicas that
//! hold the same agree, whatever came first. A class is a component over the links that count, so a retracted link leaves exactly the classes that
//! there would be without it. Ledgers name base accounts, never classes: un-merging splits nothing.

use std::collections::{BTreeMap, BTreeSet};

use super::{Said, decode_copied, encode_copied};
use crate::codec::{DecodeError, Sink, Source, col};
use crate::ids::{Code, Digest, MemberId};
use crate::limits::CLASS_MEMBERS_MAX;

/// What a link rests on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Evidence {
    /// Both accounts have the same telephone number.
    Phone = 0,
    /// The same e-mail address.
    Email = 1,
    /// The same card.
    Card = 2,
    /// The same sign-in of an app.
    App = 3,
    /// Somebody at a store says so.
    Staff = 4,
    /// She proved it: a code that was sent to her, a sign-in, a paper.
    Proof = 5,
}

/// How much is to be made of a link.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Weight {
    /// Enough to recognise her and to earn points, not to spend those of the other account. All that a store may say.
    Tentative = 0,
    /// She is the same person. Only a hub says so.
    Strong = 1,
}

/// A link between two accounts.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct MemberLink {
    /// Names the link, so that it can be retracted.
    pub id: u64,
    /// The smaller account.
    pub a: MemberId,
    /// The larger one.
    pub b: MemberId,
    /// What it rests on.
    pub evidence: Evidence,
    /// How much it counts.
    pub weight: Weight,
    /// Who says so; empty for a node.
    pub staff: Code,
    /// Of whose word this is a copy.
    pub copied: Option<Said>,
}

/// A link was wrong.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct MemberUnlink {
    /// Which link.
    pub id: u64,
    /// Its smaller account.
    pub a: MemberId,
    /// Its larger account.
    pub b: MemberId,
    /// Also if it is a strong one. Only a hub says so.
    pub strong: bool,
    /// Why, in a word.
    pub reason: Code,
    /// Who says so.
    pub staff: Code,
    /// Of whose word this is a copy.
    pub copied: Option<Said>,
}

/// Links and retractions, in whatever order they came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Links {
    links: BTreeMap<(u64, MemberId, MemberId), BTreeSet<MemberLink>>,
    retracted: BTreeMap<(u64, MemberId, MemberId), BTreeSet<MemberUnlink>>,
}

/// Accounts of one person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Class {
    /// The smallest account: what the person is called.
    pub canonical: MemberId,
    /// All of them, ascending.
    pub members: BTreeSet<MemberId>,
    /// There are more than a person has: somebody must look at the links. Only the account that was asked for is given.
    pub needs_review: bool,
}

impl Evidence {
    /// All of them, by number.
    pub const ALL: [Self; 6] = [Self::Phone, Self::Email, Self::Card, Self::App, Self::Staff, Self::Proof];

    /// The word for the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Phone => "phone",
            Self::Email => "email",
            Self::Card => "card",
            Self::App => "app",
            Self::Staff => "staff",
            Self::Proof => "proof",
        }
    }

    /// Takes the word that [`Evidence::as_str`] gives.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|evidence| evidence.as_str() == text)
    }
}

impl Weight {
    /// The word for the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tentative => "tentative",
            Self::Strong => "strong",
        }
    }
}

impl MemberLink {
    /// A link that follows from what both accounts have. Its name follows from what it says: whoever finds it finds the same one, and once it was
    /// retracted it does not come again.
    pub fn found((one, other): (MemberId, MemberId), evidence: Evidence, weight: Weight) -> Self {
        let (a, b) = (one.min(other), one.max(other));
        let words = [evidence as u8, weight as u8];
        let digest = Digest::of(&[b"stockroom member link", &a.0.to_be_bytes(), &b.0.to_be_bytes(), &words]);
        let [b0, b1, b2, b3, b4, b5, b6, b7, ..] = digest.0;
        let id = u64::from_be_bytes([b0, b1, b2, b3, b4, b5, b6, b7]);
        Self { id, a, b, evidence, weight, staff: Code::default(), copied: None }
    }

    /// The account at the other end.
    pub fn other(&self, member: MemberId) -> MemberId {
        if self.a == member { self.b } else { self.a }
    }

    fn key(&self) -> (u64, MemberId, MemberId) {
        (self.id, self.a, self.b)
    }

    /// Writes the fact.
    pub fn encode(&self, sink: &mut impl Sink) {
        sink.uint(col::SEQ, self.id);
        self.a.encode(sink);
        self.b.encode(sink);
        sink.uint(col::FLAGS, (self.evidence as u64) << 1 | self.weight as u64);
        self.staff.encode(sink, col::STAFF);
        encode_copied(self.copied, sink);
    }

    /// Reads what [`MemberLink::encode`] wrote.
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        let (id, a, b) = decode_ends(source)?;
        let flags = source.u8(col::FLAGS)?;
        let evidence = Evidence::ALL.get(usize::from(flags >> 1)).copied().ok_or(DecodeError::Value("evidence"))?;
        let weight = if flags & 1 == 1 { Weight::Strong } else { Weight::Tentative };
        let (staff, copied) = (Code::decode(source, col::STAFF)?, decode_copied(source)?);
        Ok(Self { id, a, b, evidence, weight, staff, copied })
    }
}

impl MemberUnlink {
    /// Writes the fact.
    pub fn encode(&self, sink: &mut impl Sink) {
        sink.uint(col::SEQ, self.id);
        self.a.encode(sink);
        self.b.encode(sink);
        sink.uint(col::FLAGS, self.strong.into());
        self.reason.encode(sink, col::REASON);
        self.staff.encode(sink, col::STAFF);
        encode_copied(self.copied, sink);
    }

    /// Reads what [`MemberUnlink::encode`] wrote.
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        let (id, a, b) = decode_ends(source)?;
        let strong = source.flag(col::FLAGS)?;
        let (reason, staff) = (Code::decode(source, col::REASON)?, Code::decode(source, col::STAFF)?);
        Ok(Self { id, a, b, strong, reason, staff, copied: decode_copied(source)? })
    }
}

impl Links {
    /// Takes a link in.
    pub fn add(&mut self, link: MemberLink) {
        self.links.entry(link.key()).or_default().insert(link);
    }

    /// Takes a retraction in.
    pub fn retract(&mut self, unlink: MemberUnlink) {
        self.retracted.entry((unlink.id, unlink.a, unlink.b)).or_default().insert(unlink);
    }

    /// Everything that is in `other` too.
    pub fn join(&mut self, other: Self) {
        other.links.into_values().flatten().for_each(|link| self.add(link));
        other.retracted.into_values().flatten().for_each(|unlink| self.retract(unlink));
    }

    /// Every retraction.
    pub fn retractions(&self) -> impl Iterator<Item = &MemberUnlink> {
        self.retracted.values().flatten()
    }

    /// Links that count.
    pub fn active(&self) -> impl Iterator<Item = &MemberLink> {
        self.all().filter(|(_, counts)| *counts).map(|(link, _)| link)
    }

    /// Every link, and whether it counts.
    pub fn all(&self) -> impl Iterator<Item = (&MemberLink, bool)> {
        self.links.iter().flat_map(|(key, links)| {
            let retracted = self.retracted.get(key).map(|all| all.iter().any(|unlink| unlink.strong));
            let counts = move |link: &MemberLink| match retracted {
                None => true,
                Some(strong) => link.weight == Weight::Strong && !strong,
            };
            links.iter().map(move |link| (link, counts(link)))
        })
    }

    /// True when a link of this name was ever made or retracted.
    pub fn knows(&self, link: &MemberLink) -> bool {
        self.links.contains_key(&link.key()) || self.retracted.contains_key(&link.key())
    }

    /// Writes all of it.
    pub fn encode(&self, sink: &mut impl Sink) {
        sink.uint(col::COUNT, self.links.values().flatten().count() as u64);
        self.links.values().flatten().for_each(|link| link.encode(sink));
        sink.uint(col::COUNT, self.retractions().count() as u64);
        self.retractions().for_each(|unlink| unlink.encode(sink));
    }

    /// Reads what [`Links::encode`] wrote.
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        let mut links = Self::default();
        for _ in 0..source.uint(col::COUNT)? {
            links.add(MemberLink::decode(source)?);
        }
        for _ in 0..source.uint(col::COUNT)? {
            links.retract(MemberUnlink::decode(source)?);
        }
        Ok(links)
    }

    /// Accounts that are one person with `member` by links of at least `weight`.
    pub fn class(&self, member: MemberId, weight: Weight) -> Class {
        let class = class_of(member, weight, |_| Ok::<_, std::convert::Infallible>(Some(self.clone())));
        class.unwrap_or_else(|never| match never {})
    }
}

/// Accounts that are one person with `member` by links of at least `weight`, when the links of an account have to be looked up: `None` for one that
/// was erased, which is nobody's any more.
pub fn class_of<E>(
    member: MemberId,
    weight: Weight,
    mut links_of: impl FnMut(MemberId) -> Result<Option<Links>, E>,
) -> Result<Class, E> {
    let (mut members, mut gone) = (BTreeSet::from([member]), BTreeSet::new());
    let mut open = vec![member];
    while let Some(next) = open.pop() {
        let Some(links) = links_of(next)? else {
            gone.insert(next);
            continue;
        };
        let of_next = |link: &&MemberLink| link.weight >= weight && (link.a == next || link.b == next);
        for link in links.active().filter(of_next) {
            if members.insert(link.other(next)) {
                open.push(link.other(next));
            }
        }
        if members.len() - gone.len() > CLASS_MEMBERS_MAX + open.len() {
            return Ok(Class { canonical: member, members: BTreeSet::from([member]), needs_review: true });
        }
    }
    gone.remove(&member);
    members.retain(|account| !gone.contains(account));
    let needs_review = members.len() > CLASS_MEMBERS_MAX;
    if needs_review {
        members = BTreeSet::from([member]);
    }
    let canonical = members.first().copied().unwrap_or(member);
    Ok(Class { canonical, members, needs_review })
}

fn decode_ends(source: &mut impl Source) -> Result<(u64, MemberId, MemberId), DecodeError> {
    let id = source.uint(col::SEQ)?;
    let (a, b) = (MemberId::decode(source)?, MemberId::decode(source)?);
    if a < b { Ok((id, a, b)) } else { Err(DecodeError::Value("accounts of a link")) }
}
