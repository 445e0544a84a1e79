//! Reading who members are. Whatever gives opened values gives them as [`Personal`] with the names of the fields beside them, so that a shell
//! can write down who read what of whom without the values.

use stockroom_crdt::ids::{Code, MemberId, StoreId, TenantId};
use stockroom_crdt::member::link::{Class, MemberLink, MemberUnlink, Weight};
use stockroom_crdt::member::value::{Field, Purpose, Slot};
use stockroom_crdt::member::{MemberErase, Said};

use super::View;
use crate::books::{identifiers, members};
use crate::input::members::{Fetched, Personal};
use crate::journal::fixed;
use crate::members::desk;
use crate::storage::{Snapshot, StoreError, Table};
use crate::vault::{self, Held, What};

/// Whether what is said of an account can be read here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// The key is here.
    Readable,
    /// The key is not here: it can be had from the hub.
    Sealed,
    /// She was erased: nobody reads it any more.
    Erased,
}

/// One account, opened as far as its key is here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberView {
    /// Which account.
    pub member: MemberId,
    /// Whether it can be read here.
    pub standing: Standing,
    /// The store that she belongs to; none if the enrolment is not here.
    pub home: Option<StoreId>,
    /// When and where she was enrolled.
    pub enrolled: Option<Said>,
    /// By whom; empty if she did it herself.
    pub staff: Code,
    /// What is known of her, by slot; those that were removed left out.
    pub values: Vec<KnownValue>,
    /// What she agreed to, or does so no more.
    pub consents: Vec<KnownConsent>,
    /// Every link of the account, and whether it counts.
    pub links: Vec<(MemberLink, bool)>,
    /// Every retraction of one.
    pub retractions: Vec<MemberUnlink>,
    /// When and why she was erased.
    pub erased: Option<(Said, MemberErase)>,
}

/// A value that is known of somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownValue {
    /// Which.
    pub slot: Slot,
    /// The value; none if it cannot be read here.
    pub text: Option<Personal>,
    /// She has shown that it is hers.
    pub verified: bool,
    /// When it was written down, and by which node.
    pub said: Said,
    /// By whom; empty if she did it herself.
    pub staff: Code,
}

/// A consent that was given or withdrawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownConsent {
    /// To what.
    pub purpose: Purpose,
    /// She agrees.
    pub given: bool,
    /// Where she said so.
    pub source: Code,
    /// When it was written down, and by which node.
    pub said: Said,
    /// By whom.
    pub staff: Code,
}

/// A person as this node knows her: her accounts, and what they are together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Accounts that are hers: what she is called by, and whose points are hers to spend.
    pub class: Class,
    /// Those and accounts that may be hers.
    pub perhaps: Class,
    /// The accounts of `class`, opened as far as their keys are here; what was asked for first.
    pub accounts: Vec<MemberView>,
}

impl Person {
    /// The newest value of a field over all of her accounts, as far as it can be read here.
    pub fn newest(&self, field: Field) -> Option<&KnownValue> {
        let values = self.accounts.iter().flat_map(|account| &account.values);
        values.filter(|value| value.slot.field == field && value.text.is_some()).max_by_key(|value| value.said)
    }

    /// Whether she agrees to a purpose: the newest word over all of her accounts.
    pub fn agrees(&self, purpose: Purpose) -> bool {
        let consents = self.accounts.iter().flat_map(|account| &account.consents);
        let newest =
            consents.filter(|consent| consent.purpose == purpose).max_by_key(|consent| (consent.said, !consent.given));
        newest.is_some_and(|consent| consent.given)
    }

    /// The fields that were opened, without their values: what a record of this reading holds.
    pub fn opened(&self) -> Vec<(MemberId, Field)> {
        let of = |account: &MemberView| {
            let read = account.values.iter().filter(|value| value.text.is_some());
            read.map(|value| (account.member, value.slot.field)).collect::<Vec<_>>()
        };
        self.accounts.iter().flat_map(of).collect()
    }
}

/// Everything that this node knows of a person. Who keeps more of her (points, notes, receipts) adds it under the names of the accounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessReport {
    /// When it was made, milliseconds since 1970.
    pub made_ms: u64,
    /// Her accounts with all values, consents and links.
    pub person: Person,
    /// Stores whose scopes say something of an account.
    pub stores: Vec<(MemberId, Vec<StoreId>)>,
    /// Stores that were given the key of an account, her own left out.
    pub leased: Vec<(MemberId, Vec<StoreId>)>,
}

impl<S: Snapshot + ?Sized> View<'_, S> {
    /// Accounts that have an identifier and can be read here, ascending: one look into the index.
    pub fn member_find(&self, field: Field, text: &str) -> Result<Vec<MemberId>, StoreError> {
        let Some(normal) = field.normal(text).filter(|_| field.is_identifier()) else { return Ok(Vec::new()) };
        match identifiers::hash(self.snapshot, field, &normal)? {
            Some(hash) => identifiers::accounts(self.snapshot, &hash),
            None => Ok(Vec::new()),
        }
    }

    /// A person by one of her accounts; `None` if nobody ever spoke of it here.
    pub fn member_show(&self, member: MemberId) -> Result<Option<Person>, StoreError> {
        let Some(asked) = self.member(member)? else { return Ok(None) };
        let class = members::class(self.snapshot, member, Weight::Strong)?;
        let perhaps = members::class(self.snapshot, member, Weight::Tentative)?;
        let mut accounts = vec![asked];
        for other in class.members.iter().filter(|other| **other != member) {
            accounts.extend(self.member(*other)?);
        }
        Ok(Some(Person { class, perhaps, accounts }))
    }

    /// Everything that this node knows of a person.
    pub fn member_report(&self, member: MemberId, now_ms: u64) -> Result<Option<AccessReport>, StoreError> {
        let Some(person) = self.member_show(member)? else { return Ok(None) };
        let (mut stores, mut leased) = (Vec::new(), Vec::new());
        for account in &person.accounts {
            stores.push((account.member, members::stores(self.snapshot, account.member)?));
            leased.push((account.member, vault::leased_to(self.snapshot, account.member)?.into_iter().collect()));
        }
        Ok(Some(AccessReport { made_ms: now_ms, person, stores, leased }))
    }

    /// One account; `None` if nobody ever spoke of it here.
    pub fn member(&self, member: MemberId) -> Result<Option<MemberView>, StoreError> {
        let Some(record) = members::record(self.snapshot, member)? else { return Ok(None) };
        let tenant = self.snapshot.get(Table::Meta, b"tenant")?.map(|row| fixed(&row)).transpose()?;
        let mut values = Vec::new();
        for (said, value) in record.values() {
            let Some(sealed) = &value.sealed else { continue };
            let what = (member, What::Value(value.slot.number()));
            let plain = match tenant {
                Some(tenant) => vault::open(self.snapshot, TenantId(tenant), what, sealed)?,
                None => None,
            };
            let text = plain.and_then(|plain| String::from_utf8(plain).ok()).map(Personal::new);
            let (slot, verified, staff) = (value.slot, value.verified, value.staff.clone());
            values.push(KnownValue { slot, text, verified, said: *said, staff });
        }
        let consents = record.consents().map(|(said, consent)| KnownConsent {
            purpose: consent.purpose,
            given: consent.given,
            source: consent.source.clone(),
            said: *said,
            staff: consent.staff.clone(),
        });
        let standing = match vault::held(self.snapshot, member)? {
            _ if record.erased().is_some() => Standing::Erased,
            Some(Held::Key(..)) => Standing::Readable,
            Some(Held::Forgotten | Held::Destroyed) | None => Standing::Sealed,
        };
        Ok(Some(MemberView {
            member,
            standing,
            home: record.enrolled().map(|(_, enrolment)| enrolment.home),
            enrolled: record.enrolled().map(|(said, _)| *said),
            staff: record.enrolled().map(|(_, enrolment)| enrolment.staff.clone()).unwrap_or_default(),
            values,
            consents: consents.collect(),
            links: record.links().all().map(|(link, counts)| (link.clone(), counts)).collect(),
            retractions: record.links().retractions().cloned().collect(),
            erased: record.erased().cloned(),
        }))
    }

    /// Accounts that are one person with this one: strong links only, or tentative ones too. Smaller than a person's record to read.
    pub fn member_class(&self, member: MemberId, weight: Weight) -> Result<Class, StoreError> {
        members::class(self.snapshot, member, weight)
    }

    /// At most `limit` accounts after one of which a store's scope says something.
    pub fn members_of(
        &self,
        store: StoreId,
        after: Option<MemberId>,
        limit: usize,
    ) -> Result<Vec<MemberId>, StoreError> {
        let rows = members::accounts(self.snapshot, store, after, limit)?;
        Ok(rows.into_iter().map(|(member, _)| member).collect())
    }

    /// What the hub said to a question under a number; `None` if none was asked, or long ago.
    pub fn member_fetched(&self, number: u64) -> Result<Option<Fetched>, StoreError> {
        desk::fetched(self.snapshot, number)
    }
}
