//! What is said of a member: values, consents, links, and that she is forgotten.

use std::sync::Arc;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use stockroom_core::input::members::{MemberDeed, MemberRequest};
use stockroom_core::input::{Answer, Command};
use stockroom_crdt::checkout::staff::Role;
use stockroom_crdt::ids::{Code, MemberId};
use stockroom_crdt::limits::MEMBER_SLOTS_MAX;
use stockroom_crdt::member::link::{Evidence, Weight};
use stockroom_crdt::member::value::{Field, Slot};
use utoipa::ToSchema;

use super::{ConsentBody, ValueBody, in_our_words};
use crate::api::idempotency::{KeyHeader, Keyed, done};
use crate::api::problem::Answered;
use crate::api::request::{Segment, Segments};
use crate::api::values::{Text, Word};
use crate::api::who::{SessionHeader, Who};
use crate::api::{Api, unexpected};

/// A value of a member is written down.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetBody {
    /// The value.
    value: ValueBody,
    /// Which slot it replaces, e.g. `phone-0`; a further value of its field if absent.
    #[schema(value_type = Option<String>)]
    slot: Option<Text<Slot>>,
    /// Who writes it, if nobody is signed in; empty if she does it herself.
    #[serde(default)]
    #[schema(value_type = String)]
    staff: Text<Code>,
}

/// Who does something about a member.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MemberStaffBody {
    /// Who, if nobody is signed in.
    #[serde(default)]
    #[schema(value_type = String)]
    staff: Text<Code>,
}

/// A consent is given or withdrawn.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AgreeBody {
    /// What.
    consent: ConsentBody,
    /// Who writes it down, if nobody is signed in.
    #[serde(default)]
    #[schema(value_type = String)]
    staff: Text<Code>,
}

/// Two accounts are one person.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LinkBody {
    /// The other account.
    #[schema(value_type = String)]
    other: Text<MemberId>,
    /// What it rests on: `phone`, `email`, `card`, `app`, `staff` or `proof`.
    #[schema(value_type = String, example = "proof")]
    evidence: Text<Evidence>,
    /// She is the same person, not only perhaps. A store's word is never strong.
    #[serde(default)]
    strong: bool,
    /// Who says so, if nobody is signed in.
    #[serde(default)]
    #[schema(value_type = String)]
    staff: Text<Code>,
}

/// Two accounts are not one person.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UnlinkBody {
    /// The other account.
    #[schema(value_type = String)]
    other: Text<MemberId>,
    /// Why, in a word.
    #[schema(value_type = String, example = "twins")]
    reason: Text<Code>,
    /// Who says so, if nobody is signed in.
    #[serde(default)]
    #[schema(value_type = String)]
    staff: Text<Code>,
}

/// A member is forgotten.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EraseBody {
    /// Why, in a word.
    #[schema(value_type = String, example = "asked")]
    reason: Text<Code>,
    /// This account alone, not all that are known to be hers.
    #[serde(default)]
    alone: bool,
    /// Who takes her wish, if nobody is signed in.
    #[serde(default)]
    #[schema(value_type = String)]
    staff: Text<Code>,
}

/// Something was said of a member.
#[derive(Serialize, ToSchema)]
#[schema(as = MemberSaid)]
pub struct SaidAnswer {
    /// Of which account.
    #[schema(value_type = String)]
    member: Text<MemberId>,
}

/// Writes a value of a member down.
#[utoipa::path(post, path = "/v1/members/{id}/values", tag = "members",
    params(("id" = String, Path), KeyHeader, SessionHeader), request_body = SetBody,
    responses((status = 200, body = SaidAnswer)))]
pub async fn set_member_value(
    State(api): State<Arc<Api>>,
    who: Who,
    Segment(member): Segment<MemberId>,
    Keyed { value: body, retry }: Keyed<SetBody>,
) -> Answered {
    who.may(&api, Role::Cashier)?;
    let staff = who.name("staff", &body.staff.0)?;
    let deed = MemberDeed::Set { slot: body.slot.map(|slot| slot.0), value: body.value.taken() };
    api.say_of(retry, MemberRequest { member, deed, staff }).await
}

/// Removes a value of a member.
#[utoipa::path(post, path = "/v1/members/{id}/values/{slot}/remove", tag = "members",
    params(("id" = String, Path), ("slot" = String, Path), KeyHeader, SessionHeader), request_body = MemberStaffBody,
    responses((status = 200, body = SaidAnswer)))]
pub async fn remove_member_value(
    State(api): State<Arc<Api>>,
    who: Who,
    Segments(member, slot): Segments<MemberId, Slot>,
    Keyed { value: body, retry }: Keyed<MemberStaffBody>,
) -> Answered {
    who.may(&api, Role::Associate)?;
    let staff = who.name("staff", &body.staff.0)?;
    api.say_of(retry, MemberRequest { member, deed: MemberDeed::Remove(slot), staff }).await
}

/// Writes down that a member agrees to something, or does so no more.
#[utoipa::path(post, path = "/v1/members/{id}/consents", tag = "members",
    params(("id" = String, Path), KeyHeader, SessionHeader), request_body = AgreeBody,
    responses((status = 200, body = SaidAnswer)))]
pub async fn set_member_consent(
    State(api): State<Arc<Api>>,
    who: Who,
    Segment(member): Segment<MemberId>,
    Keyed { value: body, retry }: Keyed<AgreeBody>,
) -> Answered {
    who.may(&api, Role::Cashier)?;
    let staff = who.name("staff", &body.staff.0)?;
    api.say_of(retry, MemberRequest { member, deed: MemberDeed::Consent(body.consent.taken()), staff }).await
}

/// Joins two accounts: at a hub for good if it is sure, at a store tentatively.
#[utoipa::path(post, path = "/v1/members/{id}/link", tag = "members",
    params(("id" = String, Path), KeyHeader, SessionHeader), request_body = LinkBody,
    responses((status = 200, body = SaidAnswer)))]
pub async fn link_member(
    State(api): State<Arc<Api>>,
    who: Who,
    Segment(member): Segment<MemberId>,
    Keyed { value: body, retry }: Keyed<LinkBody>,
) -> Answered {
    who.may(&api, Role::Associate)?;
    let staff = who.name("staff", &body.staff.0)?;
    let weight = if body.strong { Weight::Strong } else { Weight::Tentative };
    let deed = MemberDeed::Link { other: body.other.0, evidence: body.evidence.0, weight };
    api.say_of(retry, MemberRequest { member, deed, staff }).await
}

/// Parts two accounts that were joined: each has what it had before.
#[utoipa::path(post, path = "/v1/members/{id}/unlink", tag = "members",
    params(("id" = String, Path), KeyHeader, SessionHeader), request_body = UnlinkBody,
    responses((status = 200, body = SaidAnswer)))]
pub async fn unlink_member(
    State(api): State<Arc<Api>>,
    who: Who,
    Segment(member): Segment<MemberId>,
    Keyed { value: body, retry }: Keyed<UnlinkBody>,
) -> Answered {
    who.may(&api, Role::Manager)?;
    let staff = who.name("staff", &body.staff.0)?;
    let deed = MemberDeed::Unlink { other: body.other.0, reason: body.reason.0 };
    api.say_of(retry, MemberRequest { member, deed, staff }).await
}

/// Forgets a member for ever: her key is destroyed here at once, and at every other node as soon as it is heard.
#[utoipa::path(post, path = "/v1/members/{id}/erase", tag = "members",
    params(("id" = String, Path), KeyHeader, SessionHeader), request_body = EraseBody,
    responses((status = 200, body = SaidAnswer)))]
pub async fn erase_member(
    State(api): State<Arc<Api>>,
    who: Who,
    Segment(member): Segment<MemberId>,
    Keyed { value: body, retry }: Keyed<EraseBody>,
) -> Answered {
    who.may(&api, Role::Manager)?;
    let staff = who.name("staff", &body.staff.0)?;
    let deed = MemberDeed::Erase { whole: !body.alone, reason: body.reason.0 };
    api.say_of(retry, MemberRequest { member, deed, staff }).await
}

impl Api {
    async fn say_of(&self, retry: stockroom_core::input::RetryKey, request: MemberRequest) -> Answered {
        let member = request.member;
        match self.ask(Command::Member(retry, Box::new(request))).await.map_err(in_our_words)? {
            Answer::Written { replayed, .. } => Ok(done(replayed, SaidAnswer { member: Text(member) })),
            answer => unexpected(&answer),
        }
    }
}

impl Word for Slot {
    fn read(text: &str) -> Result<Self, String> {
        let parts = text.split_once('-').and_then(|(field, number)| Some((Field::parse(field)?, number.parse().ok()?)));
        let slot = parts.map(|(field, number)| Self { field, number }).filter(|slot| slot.number < MEMBER_SLOTS_MAX);
        slot.ok_or_else(|| "is not a field and a number, e.g. phone-0".into())
    }

    fn write(&self) -> String {
        format!("{}-{}", self.field.as_str(), self.number)
    }
}

impl Word for Evidence {
    fn read(text: &str) -> Result<Self, String> {
        Self::parse(text).ok_or_else(|| "is not one of phone, email, card, app, staff, proof".into())
    }

    fn write(&self) -> String {
        self.as_str().into()
    }
}
