//! Members: enrolling, finding by scan, values, consents, links, what is known of one, and forgetting her.
//!
//! No path, query, event, trace or error holds a personal value: an identifier is looked for with a POST, and a member is named by her account, which
//! is random. Who is no manager sees values masked. Every reading is written down before its answer leaves.

pub mod answer;
pub mod audit;
pub mod deeds;
pub mod shopping;

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Deserializer, de};
use stockroom_core::input::members::{EnrolMember, Fetched, MemberAnswer, NewConsent, NewValue, Personal, Sought};
use stockroom_core::input::{Answer, Command};
use stockroom_crdt::checkout::staff::Role;
use stockroom_crdt::ids::{Code, MemberId, StoreId};
use stockroom_crdt::member::value::{Field, Purpose};
use utoipa::ToSchema;

use super::idempotency::{KeyHeader, Keyed, created};
use super::problem::{Answered, Problem};
use super::request::{Body, Segment};
use super::values::{Text, Word};
use super::who::{SessionHeader, Who};
use super::{Api, unexpected};
use answer::{EnrolledAnswer, FoundAnswer, PersonAnswer, ReportAnswer};
use audit::How;
use shopping::ShoppingAnswer;

/// Somebody becomes a member.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EnrolBody {
    /// The store that she belongs to: needed at a hub, the own one at a store.
    home: Option<u32>,
    /// What she tells of herself.
    #[serde(default)]
    values: Vec<ValueBody>,
    /// What she agrees to.
    #[serde(default)]
    consents: Vec<ConsentBody>,
    /// Who enrols her, if nobody is signed in; empty if she does it herself.
    #[serde(default)]
    #[schema(value_type = String)]
    staff: Text<Code>,
}

/// A value of a member.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ValueBody {
    /// `name`, `phone`, `email`, `card`, `app`, `birthday` or `remark`.
    #[schema(value_type = String, example = "phone")]
    field: Text<Field>,
    /// The value.
    #[schema(value_type = String)]
    value: Told,
    /// She has shown that it is hers; only a hub can say so.
    #[serde(default)]
    verified: bool,
}

/// A consent that is given or withdrawn.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConsentBody {
    /// `membership`, `messages`, `personal` or `sharing`.
    #[schema(value_type = String, example = "messages")]
    purpose: Text<Purpose>,
    /// She agrees.
    given: bool,
    /// Where she said so, in a word: form, app, counter.
    #[schema(value_type = String, example = "counter")]
    source: Text<Code>,
}

/// Who is looked for: an account, or whoever has an identifier.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FindBody {
    /// An account.
    #[schema(value_type = Option<String>)]
    member: Option<Text<MemberId>>,
    /// `phone`, `email`, `card` or `app`.
    #[schema(value_type = Option<String>)]
    field: Option<Text<Field>>,
    /// As it was scanned or typed.
    #[schema(value_type = Option<String>)]
    value: Option<Told>,
}

/// A personal text in a body. What is wrong with it is said without it.
#[derive(Clone)]
pub struct Told(pub String);

impl<'de> Deserialize<'de> for Told {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match serde_json::Value::deserialize(deserializer)? {
            serde_json::Value::String(text) => Ok(Self(text)),
            _ => Err(de::Error::custom("is not a text")),
        }
    }
}

/// Enrols a member, also while the hub cannot be asked: her accounts are joined later.
#[utoipa::path(post, path = "/v1/members", tag = "members", params(KeyHeader, SessionHeader), request_body = EnrolBody,
    responses((status = 201, body = EnrolledAnswer)))]
pub async fn enrol_member(State(api): State<Arc<Api>>, who: Who, Keyed { value, retry }: Keyed<EnrolBody>) -> Answered {
    who.may(&api, Role::Cashier)?;
    let request = EnrolMember {
        home: value.home.map(StoreId),
        values: value.values.into_iter().map(ValueBody::taken).collect(),
        consents: value.consents.into_iter().map(ConsentBody::taken).collect(),
        staff: who.name("staff", &value.staff.0)?,
    };
    match api.ask(Command::EnrolMember(retry, Box::new(request))).await.map_err(in_our_words)? {
        Answer::Member(MemberAnswer::Enrolled { member, replayed, .. }) => {
            Ok(created(replayed, EnrolledAnswer { member: Text(member) }))
        }
        answer => unexpected(&answer),
    }
}

/// Finds a member by account or by a scanned identifier. Who is not known at a store is asked for at its hub: `asked` is then to be followed at
/// `/v1/members/asked/{number}`.
#[utoipa::path(post, path = "/v1/members/find", tag = "members", params(SessionHeader), request_body = FindBody,
    responses((status = 200, body = FoundAnswer)))]
pub async fn find_member(
    State(api): State<Arc<Api>>,
    who: Who,
    Body { value, .. }: Body<FindBody>,
) -> Answered<Json<FoundAnswer>> {
    who.may(&api, Role::Cashier)?;
    let sought = match (value.member, value.field, value.value) {
        (Some(member), None, None) => Sought::Member(member.0),
        (None, Some(field), Some(text)) => Sought::Identifier { field: field.0, text: Personal::new(text.0) },
        _ => return Err(Problem::invalid("member", "is needed alone, or field and value without it")),
    };
    match api.ask(Command::FindMember(sought)).await.map_err(in_our_words)? {
        Answer::Member(MemberAnswer::Found(members)) => api.found(&who, members).await,
        Answer::Member(MemberAnswer::Asked(number)) => Ok(Json(FoundAnswer::asked(number))),
        answer => unexpected(&answer),
    }
}

/// What the hub said to a question of `/v1/members/find`.
#[utoipa::path(get, path = "/v1/members/asked/{number}", tag = "members",
    params(("number" = u64, Path), SessionHeader), responses((status = 200, body = FoundAnswer)))]
pub async fn show_question(
    State(api): State<Arc<Api>>,
    who: Who,
    Segment(number): Segment<u64>,
) -> Answered<Json<FoundAnswer>> {
    who.may(&api, Role::Cashier)?;
    match api.read(|books| Ok(books.member_fetched(number)?))? {
        None => Err(Problem::not_found("nothing was asked under this number, or long ago")),
        Some(Fetched::Waits) => Ok(Json(FoundAnswer::asked(number))),
        Some(Fetched::Found(members)) => api.found(&who, members).await,
        Some(Fetched::Unanswered) => Ok(Json(FoundAnswer::unanswered())),
    }
}

/// One member with what is known of her. Values are masked for who is no manager.
#[utoipa::path(get, path = "/v1/members/{id}", tag = "members", params(("id" = String, Path), SessionHeader),
    responses((status = 200, body = PersonAnswer)))]
pub async fn show_member(
    State(api): State<Arc<Api>>,
    who: Who,
    Segment(member): Segment<MemberId>,
) -> Answered<Json<PersonAnswer>> {
    who.may(&api, Role::Cashier)?;
    let person = api.read(|books| Ok(books.member_show(member)?))?.ok_or_else(nobody)?;
    let sight = who.sight(&api);
    api.note_reading(&who, How::Show, &person.opened(), sight).await?;
    Ok(Json(PersonAnswer::of(&person, sight)))
}

/// Everything that this node knows of a person, and who read it here: what she may ask for. For managers.
#[utoipa::path(get, path = "/v1/members/{id}/report", tag = "members", params(("id" = String, Path), SessionHeader),
    responses((status = 200, body = ReportAnswer)))]
pub async fn report_member(
    State(api): State<Arc<Api>>,
    who: Who,
    Segment(member): Segment<MemberId>,
) -> Answered<Json<ReportAnswer>> {
    who.may(&api, Role::Manager)?;
    let now_ms = super::values::now_ms();
    let report = api.read(|books| Ok(books.member_report(member, now_ms)?))?.ok_or_else(nobody)?;
    api.note_reading(&who, How::Report, &report.person.opened(), Sight::Full).await?;
    let mut readings = Vec::new();
    for account in &report.person.accounts {
        readings.extend(api.readings(Some(account.member), u64::MAX, audit::PAGE).await?);
    }
    let notes = api.read(|books| super::notes::of_accounts(books, &report))?;
    api.note_reading(
        &who,
        How::Note,
        &notes.iter().map(|note| (note.member(), Field::Remark)).collect::<Vec<_>>(),
        Sight::Full,
    )
    .await?;
    let accounts: BTreeSet<MemberId> = report.person.accounts.iter().map(|account| account.member).collect();
    let spender = api.spender();
    let shopping = api.read_much(move |books| ShoppingAnswer::of(books, &accounts, spender)).await?;
    Ok(Json(ReportAnswer::of(&report, shopping, notes, readings)))
}

/// How much of a value somebody sees.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sight {
    /// All of it.
    Full,
    /// As much as it takes to be sure who stands there.
    Masked,
}

impl Who {
    /// Managers and head office see values in full.
    pub fn sight(&self, api: &Api) -> Sight {
        if self.may(api, Role::Manager).is_ok() { Sight::Full } else { Sight::Masked }
    }
}

impl Api {
    /// People by their accounts; each of them once.
    async fn found(&self, who: &Who, members: Vec<MemberId>) -> Answered<Json<FoundAnswer>> {
        let read = |books: &super::Books<'_>| {
            let mut people = Vec::new();
            for member in members {
                people.extend(books.member_show(member)?);
            }
            people.sort_by_key(|person| person.class.canonical);
            people.dedup_by_key(|person| person.class.canonical);
            Ok(people)
        };
        let people = self.read(read)?;
        let sight = who.sight(self);
        let opened: Vec<_> = people.iter().flat_map(|person| person.opened()).collect();
        self.note_reading(who, How::Find, &opened, sight).await?;
        Ok(Json(FoundAnswer::of(people.iter().map(|person| PersonAnswer::of(person, sight)).collect())))
    }
}

impl ValueBody {
    fn taken(self) -> NewValue {
        NewValue { field: self.field.0, text: Personal::new(self.value.0), verified: self.verified }
    }
}

impl ConsentBody {
    fn taken(self) -> NewConsent {
        NewConsent { purpose: self.purpose.0, given: self.given, source: self.source.0 }
    }
}

/// The core calls a value `text`, the API `value`.
fn in_our_words(problem: Problem) -> Problem {
    let Some(field) = problem.field().map(str::to_owned) else { return problem };
    let ours = match field.as_str() {
        "text" | "value.text" => "value".to_owned(),
        "value.verified" => "verified".to_owned(),
        _ => field.strip_suffix(".text").map_or(field.clone(), |path| format!("{path}.value")),
    };
    problem.renamed(&field, &ours)
}

fn nobody() -> Problem {
    Problem::not_found("no such member is known at this node: look for her with /v1/members/find")
}

impl Word for MemberId {
    fn read(text: &str) -> Result<Self, String> {
        Self::parse(text).ok_or_else(|| "is not an account of 16 hexadecimal digits".into())
    }

    fn write(&self) -> String {
        self.to_string()
    }
}

impl Word for Field {
    fn read(text: &str) -> Result<Self, String> {
        Self::parse(text).ok_or_else(|| "is not one of name, phone, email, card, app, birthday, remark".into())
    }

    fn write(&self) -> String {
        self.as_str().into()
    }
}

impl Word for Purpose {
    fn read(text: &str) -> Result<Self, String> {
        Self::parse(text).ok_or_else(|| "is not one of membership, messages, personal, sharing".into())
    }

    fn write(&self) -> String {
        self.as_str().into()
    }
}
