//! Who read personal data: written down before the answer leaves, and shown to managers.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use stockroom_crdt::checkout::staff::Role;
use stockroom_crdt::ids::MemberId;
use stockroom_crdt::member::value::Field;
use utoipa::{IntoParams, ToSchema};

use super::Sight;
use crate::api::Api;
use crate::api::problem::{Answered, Kind, Problem};
use crate::api::products::page_limit;
use crate::api::request::Params;
use crate::api::values::{Moment, Text, now_ms};
use crate::api::who::{SessionHeader, Who};
use crate::reads::Reading;

/// How somebody came to read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum How {
    /// Looked for by an identifier, or fetched from the hub.
    Find,
    /// Shown by account.
    Show,
    /// All that is known, for her to have.
    Report,
    /// A note about her.
    Note,
    /// Her points, and what her receipts did with them.
    Points,
}

/// Somebody read something of a member.
#[derive(Serialize, ToSchema)]
#[schema(as = MemberReading)]
pub struct ReadingAnswer {
    /// When.
    #[schema(value_type = String, format = DateTime)]
    at: Text<Moment>,
    /// At which device; `local` at the node itself.
    device: String,
    /// Who was signed in; empty if nobody had to be.
    staff: String,
    /// Whose: an account.
    member: String,
    /// Which fields.
    fields: Vec<String>,
    /// `find`, `show`, `report`, `note` or `points`.
    how: String,
    /// Only parts of the values were shown.
    masked: bool,
}

/// Readings, the newest first.
#[derive(Serialize, ToSchema)]
#[schema(as = MemberReadings)]
pub struct ReadingsAnswer {
    /// Them.
    items: Vec<ReadingAnswer>,
    /// To be given as `before` for earlier ones; absent when there may be no more.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    next: Option<Text<Moment>>,
}

/// Which readings.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ReadsParams {
    /// Of this account.
    #[param(value_type = Option<String>)]
    member: Option<Text<MemberId>>,
    /// Before this moment.
    #[param(value_type = Option<String>, format = DateTime)]
    before: Option<Text<Moment>>,
    /// At most this many, up to 1,000; 100 if absent.
    limit: Option<usize>,
}

/// Who read personal data at this node, whose, and which fields; never what they say. For managers.
#[utoipa::path(get, path = "/v1/members/reads", tag = "members", params(ReadsParams, SessionHeader),
    responses((status = 200, body = ReadingsAnswer)))]
pub async fn list_reads(
    State(api): State<Arc<Api>>,
    who: Who,
    Params(params): Params<ReadsParams>,
) -> Answered<Json<ReadingsAnswer>> {
    who.may(&api, Role::Manager)?;
    let limit = page_limit(params.limit)?;
    let before_ms = params.before.map_or(u64::MAX, |before| before.0.0);
    let readings = api.readings(params.member.map(|member| member.0), before_ms, limit).await?;
    let next = readings.last().filter(|_| readings.len() == limit).map(|last| Text(Moment(last.at_ms)));
    Ok(Json(ReadingsAnswer { items: readings.into_iter().map(ReadingAnswer::of).collect(), next }))
}

impl Api {
    /// Writes down who reads which fields of whom. Nothing is shown that could not be written down.
    pub async fn note_reading(&self, who: &Who, how: How, opened: &[(MemberId, Field)], sight: Sight) -> Answered<()> {
        let mut fields: BTreeMap<MemberId, Vec<String>> = BTreeMap::new();
        for (member, field) in opened {
            let fields = fields.entry(*member).or_default();
            if fields.iter().all(|held| held != field.as_str()) {
                fields.push(field.as_str().to_owned());
            }
        }
        self.write_reading(who, how, fields, sight).await
    }

    /// Writes down who reads something of these accounts that is no field of theirs.
    pub async fn note_reading_of(
        &self,
        who: &Who,
        how: How,
        members: &[MemberId],
        what: &str,
        sight: Sight,
    ) -> Answered<()> {
        let fields = members.iter().map(|member| (*member, vec![what.to_owned()])).collect();
        self.write_reading(who, how, fields, sight).await
    }

    async fn write_reading(
        &self,
        who: &Who,
        how: How,
        fields: BTreeMap<MemberId, Vec<String>>,
        sight: Sight,
    ) -> Answered<()> {
        if fields.is_empty() {
            return Ok(());
        }
        let (at_ms, device, staff) = (now_ms(), who.device.clone(), who.signed_in_name());
        let reading = |(member, fields): (MemberId, Vec<String>)| {
            let (device, staff, how) = (device.clone(), staff.clone(), how.as_str().to_owned());
            let masked = sight == Sight::Masked;
            Reading { at_ms, device, staff, member: member.to_string(), fields, how, masked }
        };
        let readings: Vec<_> = fields.into_iter().map(reading).collect();
        let reads = self.reads.clone();
        let noted = tokio::task::spawn_blocking(move || reads.note(&readings)).await;
        match noted {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => {
                tracing::error!(%error, "a reading of personal data was not written down");
                Err(Problem::new(Kind::Storage, "what is read of members cannot be written down, so nothing is shown"))
            }
            Err(_) => Err(Problem::new(Kind::Storage, "the node failed while it wrote down who reads")),
        }
    }

    /// What was read, the newest first.
    pub async fn readings(&self, member: Option<MemberId>, before_ms: u64, limit: usize) -> Answered<Vec<Reading>> {
        let (reads, member) = (self.reads.clone(), member.map(|member| member.to_string()));
        let read = tokio::task::spawn_blocking(move || reads.newest(member.as_deref(), before_ms, limit)).await;
        read.ok().and_then(Result::ok).ok_or_else(|| Problem::new(Kind::Storage, "the list of readings cannot be read"))
    }
}

impl How {
    fn as_str(self) -> &'static str {
        match self {
            Self::Find => "find",
            Self::Show => "show",
            Self::Report => "report",
            Self::Note => "note",
            Self::Points => "points",
        }
    }
}

impl ReadingAnswer {
    /// As it was written down.
    pub fn of(reading: Reading) -> Self {
        let Reading { at_ms, device, staff, member, fields, how, masked } = reading;
        Self { at: Text(Moment(at_ms)), device, staff, member, fields, how, masked }
    }
}

/// Readings of one account that a report holds.
pub const PAGE: usize = 1_000;
