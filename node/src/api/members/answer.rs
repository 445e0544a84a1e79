//! How members are shown: in full to managers, masked to others.

use serde::Serialize;
use stockroom_core::view::members::{AccessReport, KnownConsent, KnownValue, MemberView, Person, Standing};
use stockroom_crdt::ids::{Actor, Code, MemberId};
use stockroom_crdt::member::Said;
use stockroom_crdt::member::link::Weight;
use stockroom_crdt::member::value::{Field, Purpose};
use utoipa::ToSchema;

use super::Sight;
use super::audit::ReadingAnswer;
use super::shopping::ShoppingAnswer;
use crate::api::notes::NoteAnswer;
use crate::api::values::{Moment, Text};
use crate::reads::Reading;

/// A new member.
#[derive(Serialize, ToSchema)]
pub struct EnrolledAnswer {
    /// Her account.
    #[schema(value_type = String)]
    pub member: Text<MemberId>,
}

/// Who was found.
#[derive(Serialize, ToSchema)]
pub struct FoundAnswer {
    /// `found`, `asked` while the hub has not answered, or `unanswered`: ask again when the link is up.
    state: &'static str,
    /// Them; several people may have one telephone.
    members: Vec<PersonAnswer>,
    /// The number of the question to the hub.
    #[serde(skip_serializing_if = "Option::is_none")]
    asked: Option<u64>,
}

/// A person: one account, or several that are known to be hers.
#[derive(Serialize, ToSchema)]
#[schema(as = Member)]
pub struct PersonAnswer {
    /// The account by which she is called.
    #[schema(value_type = String)]
    member: Text<MemberId>,
    /// All of her accounts.
    #[schema(value_type = Vec<String>)]
    accounts: Vec<Text<MemberId>>,
    /// Accounts that may be hers: somebody should find out.
    #[schema(value_type = Vec<String>)]
    perhaps: Vec<Text<MemberId>>,
    /// There are more accounts than a person has: somebody must look at the links.
    needs_review: bool,
    /// `readable`, `sealed` (the hub has the key) or `erased`.
    standing: &'static str,
    /// The store that she belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    home: Option<u32>,
    /// When she was enrolled.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    enrolled_at: Option<Text<Moment>>,
    /// What is known of her, over all accounts.
    values: Vec<ValueAnswer>,
    /// Purposes that she agrees to.
    #[schema(value_type = Vec<String>)]
    agrees: Vec<Text<Purpose>>,
}

/// A value.
#[derive(Serialize, ToSchema)]
#[schema(as = MemberValue)]
pub struct ValueAnswer {
    /// Of which account.
    #[schema(value_type = String)]
    member: Text<MemberId>,
    /// Which slot, e.g. `phone-0`.
    slot: String,
    /// `name`, `phone`, `email`, `card`, `app`, `birthday` or `remark`.
    #[schema(value_type = String)]
    field: Text<Field>,
    /// The value, or as much of it as may be seen; absent while it cannot be read here.
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<String>,
    /// Only a part is shown.
    masked: bool,
    /// She has shown that it is hers.
    verified: bool,
    /// When it was written down.
    #[schema(value_type = String, format = DateTime)]
    at: Text<Moment>,
    /// By which node.
    #[schema(value_type = String)]
    node: Text<Actor>,
    /// By whom; empty if she did it herself.
    #[schema(value_type = String)]
    staff: Text<Code>,
}

/// A consent.
#[derive(Serialize, ToSchema)]
#[schema(as = MemberConsent)]
pub struct ConsentAnswer {
    /// To what.
    #[schema(value_type = String)]
    purpose: Text<Purpose>,
    /// She agrees.
    given: bool,
    /// Where she said so.
    #[schema(value_type = String)]
    source: Text<Code>,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    at: Text<Moment>,
    /// By whom it was written down.
    #[schema(value_type = String)]
    staff: Text<Code>,
}

/// A link to another account.
#[derive(Serialize, ToSchema)]
#[schema(as = MemberLink)]
pub struct LinkAnswer {
    /// The one account.
    #[schema(value_type = String)]
    a: Text<MemberId>,
    /// The other.
    #[schema(value_type = String)]
    b: Text<MemberId>,
    /// What it rests on.
    evidence: &'static str,
    /// She is the same person; otherwise she may be.
    strong: bool,
    /// It was not retracted.
    counts: bool,
    /// Who says so; empty for a node.
    #[schema(value_type = String)]
    staff: Text<Code>,
}

/// Everything that a node knows of a person.
#[derive(Serialize, ToSchema)]
#[schema(as = MemberReport)]
pub struct ReportAnswer {
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    made_at: Text<Moment>,
    /// Her accounts and values.
    person: PersonAnswer,
    /// Consents of all accounts, given and withdrawn.
    consents: Vec<ConsentAnswer>,
    /// Links of all accounts.
    links: Vec<LinkAnswer>,
    /// Which stores know which account.
    stores: Vec<KnownAt>,
    /// Her points and coupons, and which receipts and baskets name her.
    shopping: ShoppingAnswer,
    /// Notes about her.
    notes: Vec<NoteAnswer>,
    /// Who read of her here, the newest first.
    readings: Vec<ReadingAnswer>,
}

/// Where an account is known.
#[derive(Serialize, ToSchema)]
pub struct KnownAt {
    /// The account.
    #[schema(value_type = String)]
    member: Text<MemberId>,
    /// Stores whose records speak of it.
    stores: Vec<u32>,
    /// Stores that may read it beside her own.
    readable_at: Vec<u32>,
}

impl FoundAnswer {
    /// These people.
    pub fn of(members: Vec<PersonAnswer>) -> Self {
        Self { state: "found", members, asked: None }
    }

    /// The hub was asked.
    pub fn asked(number: u64) -> Self {
        Self { state: "asked", members: Vec::new(), asked: Some(number) }
    }

    /// The hub did not answer.
    pub fn unanswered() -> Self {
        Self { state: "unanswered", members: Vec::new(), asked: None }
    }
}

impl PersonAnswer {
    /// A person, as somebody sees her.
    pub fn of(person: &Person, sight: Sight) -> Self {
        let first = &person.accounts[0];
        let values = person
            .accounts
            .iter()
            .flat_map(|account| account.values.iter().map(|value| ValueAnswer::of(account.member, value, sight)));
        Self {
            member: Text(person.class.canonical),
            accounts: person.class.members.iter().copied().map(Text).collect(),
            perhaps: person.perhaps.members.difference(&person.class.members).copied().map(Text).collect(),
            needs_review: person.class.needs_review || person.perhaps.needs_review,
            standing: word_of(first),
            home: first.home.map(|home| home.0),
            enrolled_at: first.enrolled.map(at),
            values: values.collect(),
            agrees: Purpose::ALL.into_iter().filter(|purpose| person.agrees(*purpose)).map(Text).collect(),
        }
    }
}

impl ReportAnswer {
    /// All of it.
    pub fn of(report: &AccessReport, shopping: ShoppingAnswer, notes: Vec<NoteAnswer>, readings: Vec<Reading>) -> Self {
        let accounts = &report.person.accounts;
        let links = accounts.iter().flat_map(|account| &account.links).map(|(link, counts)| LinkAnswer {
            a: Text(link.a),
            b: Text(link.b),
            evidence: link.evidence.as_str(),
            strong: link.weight == Weight::Strong,
            counts: *counts,
            staff: Text(link.staff.clone()),
        });
        let numbers = |stores: &[stockroom_crdt::ids::StoreId]| stores.iter().map(|store| store.0).collect::<Vec<_>>();
        let stores = report.stores.iter().map(|(member, stores)| {
            let leased = report.leased.iter().find(|(account, _)| account == member);
            let readable_at = leased.map(|(_, stores)| numbers(stores)).unwrap_or_default();
            KnownAt { member: Text(*member), stores: numbers(stores), readable_at }
        });
        Self {
            made_at: Text(Moment(report.made_ms)),
            person: PersonAnswer::of(&report.person, Sight::Full),
            consents: accounts.iter().flat_map(|account| &account.consents).map(ConsentAnswer::of).collect(),
            links: links.collect(),
            stores: stores.collect(),
            shopping,
            notes,
            readings: readings.into_iter().map(ReadingAnswer::of).collect(),
        }
    }
}

impl ValueAnswer {
    fn of(member: MemberId, value: &KnownValue, sight: Sight) -> Self {
        let text = value.text.as_ref().map(|text| match sight {
            Sight::Full => text.as_str().to_owned(),
            Sight::Masked => masked(value.slot.field, text.as_str()),
        });
        Self {
            member: Text(member),
            slot: format!("{}-{}", value.slot.field.as_str(), value.slot.number),
            field: Text(value.slot.field),
            masked: sight == Sight::Masked && text.is_some(),
            value: text,
            verified: value.verified,
            at: at(value.said),
            node: Text(value.said.by),
            staff: Text(value.staff.clone()),
        }
    }
}

impl ConsentAnswer {
    fn of(consent: &KnownConsent) -> Self {
        Self {
            purpose: Text(consent.purpose),
            given: consent.given,
            source: Text(consent.source.clone()),
            at: at(consent.said),
            staff: Text(consent.staff.clone()),
        }
    }
}

fn at(said: Said) -> Text<Moment> {
    Text(Moment(said.at.ms()))
}

fn word_of(account: &MemberView) -> &'static str {
    match account.standing {
        Standing::Readable => "readable",
        Standing::Sealed => "sealed",
        Standing::Erased => "erased",
    }
}

/// As much of a value as it takes to be sure who stands there: a telephone's first three and last four digits, a name's first letter.
pub fn masked(field: Field, text: &str) -> String {
    match field {
        Field::Phone => ends(text, 3, 4),
        Field::Card | Field::App => ends(text, 0, 4),
        Field::Email => match text.split_once('@') {
            Some((name, host)) => format!("{}@{host}", ends(name, 1, 0)),
            None => "****".into(),
        },
        Field::Name => text.split_whitespace().map(|part| ends(part, 1, 0)).collect::<Vec<_>>().join(" "),
        Field::Birthday => "****".into(),
        // What somebody wrote for her colleagues at the counter is there to be read.
        Field::Remark => text.to_owned(),
    }
}

/// The first and last characters of a text that is longer than both together; nothing of a shorter one.
fn ends(text: &str, first: usize, last: usize) -> String {
    let chars: Vec<char> = text.chars().collect();
    if chars.len() <= first + last {
        return "****".into();
    }
    let (first, last) = (&chars[..first], &chars[chars.len() - last..]);
    format!("{}****{}", first.iter().collect::<String>(), last.iter().collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_shows_enough_to_be_sure_and_no_more() {
        for (field, text, shown) in [
            (Field::Phone, "13812345678", "138****5678"),
            (Field::Phone, "1234567", "****"),
            (Field::Email, "li.wei@example.com", "l****@example.com"),
            (Field::Email, "l@example.com", "****@example.com"),
            (Field::Name, "Li Wei", "L**** W****"),
            (Field::Name, "李伟", "李****"),
            (Field::Card, "9876543210", "****3210"),
            (Field::App, "abc", "****"),
            (Field::Birthday, "1990-05-17", "****"),
            (Field::Remark, "likes plums", "likes plums"),
        ] {
            assert_eq!(masked(field, text), shown, "{field:?} {text}");
        }
    }
}
