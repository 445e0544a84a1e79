//! Who works here: records at head office, signing in with a PIN, and a manager's approval.
//!
//! A PIN is in the body of three requests, and nowhere else: no answer, event, log line or retry key holds it.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::json;
use stockroom_core::input::checkout::{SignInAnswer, SignInRequest};
use stockroom_core::input::{Answer, Command, RetryKey};
use stockroom_crdt::checkout::staff::{Role, StaffRecord};
use stockroom_crdt::entry::Fact;
use stockroom_crdt::ids::{Code, Digest, StoreId};
use stockroom_crdt::limits::CODE_BYTES_MAX;
use utoipa::{IntoParams, ToSchema};

use super::events::ApiEvent;
use super::idempotency::{KeyHeader, Keyed, done};
use super::problem::{Answered, Kind, Problem};
use super::products::page_limit;
use super::request::{Body, Params, Segment};
use super::values::{Moment, Text, Word, now_ms};
use super::who::{SESSION, SessionHeader, Who, works_here};
use super::{Api, unexpected, unexpected_entry};
use crate::staff::approvals::{VALID_MS, What};
use crate::staff::pin::{Pin, PinError};
use crate::staff::sessions::Session;

/// Somebody who works in stores, as head office says it. Replaces what it said before.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StaffBody {
    /// Name on displays and receipts.
    name: String,
    /// `cashier`, `associate`, `manager` or `head-office`; each may do what those before may.
    #[schema(value_type = String, example = "cashier")]
    role: Text<Role>,
    /// Where; everywhere if empty.
    #[serde(default)]
    stores: Vec<u32>,
    /// 4 to 8 digits, and none that is guessed first. The PIN stays as it is if absent; empty for nobody who signs in.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pin: Option<PinText>,
    /// She works here no more: she is signed out everywhere, and her PIN is forgotten.
    #[serde(default)]
    ended: bool,
}

/// A member of staff.
#[derive(Serialize, ToSchema)]
#[schema(as = Staff)]
pub struct StaffAnswer {
    /// Short name, as sales hold it.
    #[schema(value_type = String)]
    staff: Text<Code>,
    /// Name on displays and receipts.
    name: String,
    /// `cashier`, `associate`, `manager` or `head-office`.
    #[schema(value_type = String)]
    role: Text<Role>,
    /// Where; everywhere if empty.
    stores: Vec<u32>,
    /// She has a PIN.
    has_pin: bool,
    /// She works here no more.
    ended: bool,
}

/// Members of staff by short name.
#[derive(Serialize, ToSchema)]
pub struct StaffPage {
    /// Them.
    items: Vec<StaffAnswer>,
    /// To be given as `after` for the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    next: Option<Text<Code>>,
}

/// Whose.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct StaffParams {
    /// Who works at this store; this node's own if absent, everybody at a hub.
    store: Option<u32>,
    /// Also those who work here no more.
    #[serde(default)]
    #[param(value_type = Option<bool>)]
    ended: bool,
    /// Begin behind this short name.
    #[param(value_type = Option<String>)]
    after: Option<Text<Code>>,
    /// At most this many, up to 1,000; 100 if absent.
    limit: Option<usize>,
}

/// Somebody signs in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignInBody {
    /// Short name.
    #[schema(value_type = String)]
    staff: Text<Code>,
    /// Her PIN.
    #[schema(value_type = String)]
    pin: PinText,
}

/// Somebody is signed in.
#[derive(Serialize, ToSchema)]
pub struct SessionAnswer {
    /// To be sent as `Stockroom-Session`.
    session: String,
    /// Short name.
    #[schema(value_type = String)]
    staff: Text<Code>,
    /// Name for the display.
    name: String,
    /// `cashier`, `associate`, `manager` or `head-office`.
    #[schema(value_type = String)]
    role: Text<Role>,
    /// When it ends, if it is not idle for half an hour before.
    #[schema(value_type = String, format = DateTime)]
    until: Text<Moment>,
}

/// Nobody is signed in any more.
#[derive(Serialize, ToSchema)]
pub struct SignedOut {
    /// False if nobody was.
    signed_out: bool,
}

/// A manager approves something at somebody else's till.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApprovalBody {
    /// The manager's short name.
    #[schema(value_type = String)]
    staff: Text<Code>,
    /// Her PIN.
    #[schema(value_type = String)]
    pin: PinText,
    /// What for: `checkout`, `void`, `return` or `drawer`.
    #[schema(value_type = String, example = "void")]
    what: Text<What>,
}

/// An approval.
#[derive(Serialize, ToSchema)]
pub struct ApprovalAnswer {
    /// To be sent as `approval` of one request, and of its retries.
    approval: String,
    /// Who gave it.
    #[schema(value_type = String)]
    approver: Text<Code>,
    /// What for.
    #[schema(value_type = String)]
    what: Text<What>,
    /// When it runs out unused.
    #[schema(value_type = String, format = DateTime)]
    until: Text<Moment>,
}

/// A PIN in a body, or an empty text. What is wrong with it is said without it.
pub struct PinText(Option<Pin>);

impl<'de> Deserialize<'de> for PinText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match serde_json::Value::deserialize(deserializer)? {
            serde_json::Value::String(text) if text.is_empty() => Ok(Self(None)),
            serde_json::Value::String(text) => Pin::parse(&text).map(|pin| Self(Some(pin))).map_err(de::Error::custom),
            _ => Err(de::Error::custom("is not a text of digits")),
        }
    }
}

/// Who works here.
#[utoipa::path(get, path = "/v1/staff", tag = "staff", params(StaffParams), responses((status = 200, body = StaffPage)))]
pub async fn list_staff(State(api): State<Arc<Api>>, Params(params): Params<StaffParams>) -> Answered<Json<StaffPage>> {
    let limit = page_limit(params.limit)?;
    let store = params.store.or((api.info.store != 0).then_some(api.info.store)).map(StoreId);
    let read = move |books: &super::Books<'_>| {
        let mut records = books.staff_list(store)?;
        let after = params.after.as_ref().map(|after| &after.0);
        records.retain(|record| (params.ended || !record.ended) && after.is_none_or(|after| record.staff > *after));
        let more = records.len() > limit;
        records.truncate(limit);
        let next = records.last().filter(|_| more).map(|record| Text(record.staff.clone()));
        Ok(Json(StaffPage { items: records.into_iter().map(StaffAnswer::of).collect(), next }))
    };
    api.read_much(read).await
}

/// Puts a member of staff down. At the hub, from its own machine. A try under a key that was used already changes nothing, whatever PIN it
/// holds.
#[utoipa::path(put, path = "/v1/staff/{code}", tag = "staff", params(("code" = String, Path), KeyHeader),
    request_body = StaffBody, responses((status = 200, body = StaffAnswer)))]
pub async fn set_staff(
    State(api): State<Arc<Api>>,
    Segment(staff): Segment<Code>,
    Keyed { value, retry }: Keyed<StaffBody>,
) -> Answered {
    // The request's own hash would give a PIN of few digits away to whoever reads the database.
    let said = json!([value.name, value.role.0.as_str(), value.stores, value.ended, value.pin.is_some()]);
    let retry = RetryKey { body: Digest::of(&[said.to_string().as_bytes()]), ..retry };
    let mut stores: Vec<_> = value.stores.into_iter().map(StoreId).collect();
    stores.sort_unstable();
    stores.dedup();
    let pin = match value.pin {
        _ if value.ended => String::new(),
        Some(PinText(Some(pin))) if pin.is_trivial() => {
            return Err(Problem::invalid("pin", "is one of those that are guessed first"));
        }
        Some(PinText(Some(pin))) => api.people.hash(pin).await?,
        Some(PinText(None)) => String::new(),
        None => api.read(|books| Ok(books.staff(&staff)?.map_or(String::new(), |held| held.pin)))?,
    };
    let record = StaffRecord { staff, name: value.name, role: value.role.0, stores, pin, ended: value.ended };
    let written = api.write(Command::Staff(retry, record)).await?;
    let Fact::Staff(record) = written.entry.fact else { return unexpected_entry() };
    tracing::info!(staff = record.staff.as_str(), role = record.role.as_str(), ended = record.ended, "staff record");
    Ok(done(written.replayed, StaffAnswer::of(record)))
}

/// Signs somebody in. Five wrong PINs in a row make the next try wait for 30 seconds, and each further one twice as long, up to a quarter of
/// an hour; a restart of the node begins the wait anew.
#[utoipa::path(post, path = "/v1/sign-in", tag = "staff", request_body = SignInBody,
    responses((status = 201, body = SessionAnswer)))]
pub async fn sign_in(State(api): State<Arc<Api>>, who: Who, Body { value, .. }: Body<SignInBody>) -> Answered {
    let record = api.identify(&who, value.staff.0, value.pin, "sign-in").await?;
    let pin = Digest::of(&[record.pin.as_bytes()]);
    let opened = api.people.sign_in(Session { staff: record.staff.clone(), pin, device: who.device });
    let (session, length_ms) = opened.map_err(|_| no_randomness())?;
    let until = Text(Moment(now_ms() + length_ms));
    let (staff, role) = (Text(record.staff), Text(record.role));
    Ok(super::idempotency::created(false, SessionAnswer { session, staff, name: record.name, role, until }))
}

/// Ends the session that is sent along.
#[utoipa::path(post, path = "/v1/sign-out", tag = "staff", params(SessionHeader),
    responses((status = 200, body = SignedOut)))]
pub async fn sign_out(State(api): State<Arc<Api>>, headers: HeaderMap) -> Answered<Json<SignedOut>> {
    let token = headers.get(SESSION).and_then(|token| token.to_str().ok());
    Ok(Json(SignedOut { signed_out: token.is_some_and(|token| api.people.sign_out(token)) }))
}

/// A manager approves one thing with her PIN, at whichever till. What is approved carries the token as `approval`, within two minutes.
#[utoipa::path(post, path = "/v1/approvals", tag = "staff", request_body = ApprovalBody,
    responses((status = 201, body = ApprovalAnswer)))]
pub async fn approve(State(api): State<Arc<Api>>, who: Who, Body { value, .. }: Body<ApprovalBody>) -> Answered {
    let what = value.what.0;
    let record = api.identify(&who, value.staff.0, value.pin, "approval").await?;
    if record.role < Role::Manager {
        let detail = format!("{} may not approve that: it needs a {}", record.name, Role::Manager.as_str());
        return Err(Problem::new(Kind::RoleNeeded, detail));
    }
    let approval = api.people.approve(record.staff.clone(), what).map_err(|_| no_randomness())?;
    let until = Text(Moment(now_ms() + VALID_MS));
    let answer = ApprovalAnswer { approval, approver: Text(record.staff), what: Text(what), until };
    Ok(super::idempotency::created(false, answer))
}

impl Api {
    /// Who she says to be, if the PIN is hers. Every try is told and logged.
    async fn identify(&self, who: &Who, staff: Code, pin: PinText, what: &'static str) -> Answered<StaffRecord> {
        let tell = |kind: &'static str, outcome: &'static str| {
            tracing::info!(staff = staff.as_str(), device = who.device, what, outcome, "PIN entered");
            let data = json!({ "staff": staff.as_str(), "device": who.device, "for": what, "outcome": outcome });
            self.tell(ApiEvent { kind, subject: Some(format!("staff/{}", staff.as_str())), data });
        };
        let Some(pin) = pin.0 else { return Err(Problem::invalid("pin", "is empty")) };
        for _ in 0..COMPARISONS_MAX {
            let Some(record) = self.read(|books| works_here(self, books, &staff))? else {
                tell("staff.refused", "unknown");
                return Err(Problem::unknown("staff", "nobody of that name signs in here"));
            };
            let matched = self.people.matches(pin.clone(), record.pin.clone()).await?;
            let request =
                SignInRequest { staff: staff.clone(), matched, pin: record.pin.clone(), device: clipped(&who.device) };
            match self.ask(Command::SignIn(request)).await? {
                Answer::SignIn(SignInAnswer::Right) => {
                    tell("staff.identified", "right");
                    return Ok(record);
                }
                Answer::SignIn(SignInAnswer::Wrong { left, wait_ms }) => {
                    tell("staff.refused", "wrong");
                    return Err(Problem::wrong_pin(left, wait_ms));
                }
                Answer::SignIn(SignInAnswer::Locked { wait_ms }) => {
                    tell("staff.refused", "locked");
                    return Err(Problem::pin_locked(wait_ms));
                }
                Answer::SignIn(SignInAnswer::Changed) => {}
                answer => return unexpected(&answer),
            }
        }
        tell("staff.refused", "changed");
        Err(Problem::new(Kind::Conflict, "the PIN is being changed: try again"))
    }
}

impl StaffAnswer {
    fn of(record: StaffRecord) -> Self {
        Self {
            staff: Text(record.staff),
            name: record.name,
            role: Text(record.role),
            stores: record.stores.into_iter().map(|store| store.0).collect(),
            has_pin: !record.pin.is_empty(),
            ended: record.ended,
        }
    }
}

impl Word for Role {
    fn read(text: &str) -> Result<Self, String> {
        Self::parse(text).ok_or_else(|| "is not one of cashier, associate, manager, head-office".into())
    }

    fn write(&self) -> String {
        self.as_str().into()
    }
}

impl Word for What {
    fn read(text: &str) -> Result<Self, String> {
        Self::parse(text).ok_or_else(|| "is not one of checkout, void, return, drawer".into())
    }

    fn write(&self) -> String {
        self.as_str().into()
    }
}

impl From<PinError> for Problem {
    fn from(error: PinError) -> Self {
        tracing::error!(%error, "a PIN was not hashed or compared");
        match error {
            PinError::Hash => Self::new(Kind::Conflict, "this PIN cannot be compared: head office has to set it anew"),
            PinError::System => no_randomness(),
            PinError::Stopped => Self::new(Kind::Stopping, error.to_string()),
        }
    }
}

fn no_randomness() -> Problem {
    Problem::new(Kind::Storage, "the system gave no randomness or no memory")
}

/// As much of a device's name as a code holds.
fn clipped(device: &str) -> Code {
    let fits = device.char_indices().map(|(at, char)| at + char.len_utf8()).take_while(|end| *end <= CODE_BYTES_MAX);
    Code::parse(&device[..fits.last().unwrap_or(0)]).unwrap_or_default()
}

/// The path of one record: what a till on the LAN has no business with.
pub const RECORD: &str = "/v1/staff/{code}";

/// A PIN that is changed while it is compared is compared once more.
const COMPARISONS_MAX: usize = 2;
