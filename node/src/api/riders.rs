//! Own riders: who they are, what they carry, and the page on their phones.
//!
//! A rider's token stands in the page's address: whoever has the address sees what that rider carries, and nothing else of this node.

mod page;

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, Uri, header};
use axum::response::{Html, IntoResponse};
use serde::{Deserialize, Serialize};
use serde_json::json;
use stockroom_crdt::ids::StoreId;
use stockroom_crdt::order::OrderId;
use utoipa::ToSchema;

use super::Api;
use super::couriers::PositionBody;
use super::pages::shown::Shown;
use super::pages::words;
use super::papers;
use super::problem::{Answered, Kind, Problem};
use super::request::{Body, Segment};
use super::values::{Moment, Text, now_ms};
use crate::courier::desk::act::{Act, ActError, Deed, Proof, Taken};
use crate::courier::desk::steps::{RIDER_REASONS, reason_word, rider_reason};
use crate::courier::desk::wish::Carried;
use crate::courier::job::{ExternalId, Person};
use crate::courier::report::State as Heard;
use crate::courier::riders::{Duty, Rider, RiderError};
use crate::paper::page::Sheet;
use crate::paper::sheets::{RouteSheet, RouteStop, Stamp};
use crate::paper::spool::Submitted;

/// A rider.
#[derive(Serialize, ToSchema)]
#[schema(as = Rider)]
pub struct RiderAnswer {
    /// Of the staff.
    id: String,
    /// Name.
    name: String,
    /// Telephone.
    phone: String,
    /// Where they start from.
    store: u32,
    /// True for one who can be sent now.
    on_duty: bool,
    /// True for one whose phone may open the page.
    has_token: bool,
}

/// Riders.
#[derive(Serialize, ToSchema)]
#[schema(as = Riders)]
pub struct RiderList {
    /// By id.
    items: Vec<RiderAnswer>,
}

/// A rider who is new, or of whom something has changed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewRider)]
pub struct RiderBody {
    /// Of the staff: letters, digits, `-` and `_`, at most 32.
    id: String,
    /// Name.
    name: String,
    /// Telephone.
    #[serde(default)]
    phone: String,
    /// Where they start from; this node's own store if absent.
    store: Option<u32>,
    /// Whether they can be sent now.
    #[serde(default = "yes")]
    on_duty: bool,
}

/// The address of a rider's page.
#[derive(Serialize, ToSchema)]
#[schema(as = RiderToken)]
pub struct TokenAnswer {
    /// The page's path on this node. Shown here and never again.
    page: String,
}

/// What a rider takes along.
#[derive(Serialize, ToSchema)]
#[schema(as = RiderSheet)]
pub struct SheetAnswer {
    /// Whose.
    rider: String,
    /// In the order of the way; what goes back comes last. Addresses stand on the rider's page only.
    stops: Vec<StopAnswer>,
}

/// One stop.
#[derive(Serialize, ToSchema)]
#[schema(as = RiderStop)]
pub struct StopAnswer {
    /// The attempt, as the rider's page names it.
    id: String,
    /// The order.
    #[schema(value_type = String)]
    order: Text<OrderId>,
    /// On the bags.
    bag_code: String,
    /// How many bags.
    bags: u32,
    /// When it was promised.
    #[schema(value_type = String, format = DateTime)]
    due: Text<Moment>,
    /// When the rider is there, by the route.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    arrives: Option<Text<Moment>>,
    /// What was said of it last.
    #[schema(value_type = String)]
    state: Heard,
    /// The store said that the goods left.
    has_left: bool,
    /// The receiver's age.
    #[serde(skip_serializing_if = "Option::is_none")]
    age_min: Option<u8>,
}

/// Something that a rider did, at the door or hours ago.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RiderAct)]
pub struct ActBody {
    /// The same for each time that it is sent.
    key: String,
    /// Which attempt.
    id: String,
    /// `delivered`, `failed` or `returning`.
    act: String,
    /// When, by the phone's clock.
    #[schema(value_type = String, format = DateTime)]
    at: Text<Moment>,
    /// For `delivered`: the customer's six digits, ...
    code: Option<String>,
    /// ... or the name of a photo, ...
    photo: Option<String>,
    /// ... or of a signature.
    signature: Option<String>,
    /// Whoever took it showed that he is old enough.
    #[serde(default)]
    age_checked: bool,
    /// For `failed`: why.
    reason: Option<String>,
}

/// Every rider that is known here.
#[utoipa::path(get, path = "/v1/riders", tag = "deliveries", responses((status = 200, body = RiderList)))]
pub async fn list_riders(State(api): State<Arc<Api>>) -> Json<RiderList> {
    let riders = api.config.desk.riders().riders();
    Json(RiderList { items: riders.into_iter().map(|rider| RiderAnswer::of(&api, rider)).collect() })
}

/// Enters a rider or changes what is known of one. Doing it twice changes nothing more.
#[utoipa::path(post, path = "/v1/riders", tag = "deliveries", request_body = RiderBody, responses((status = 200, body = RiderAnswer)))]
pub async fn enter_rider(
    State(api): State<Arc<Api>>,
    Body { value: body, .. }: Body<RiderBody>,
) -> Answered<Json<RiderAnswer>> {
    if !is_word(&body.id) {
        return Err(Problem::invalid("id", "has 1 to 32 letters, digits, - and _"));
    }
    let person = Person::of(&body.name, &body.phone).ok_or_else(|| Problem::invalid("name", "is needed"))?;
    let store = api.store_or_own(body.store)?;
    if api.info.store != 0 && store != StoreId(api.info.store) {
        return Err(Problem::new(Kind::NotHere, "a store's node knows its own riders only"));
    }
    let duty = if body.on_duty { Duty::On } else { Duty::Off };
    let rider = Rider { id: body.id, person, store, duty };
    api.config.desk.enter(rider.clone()).await?;
    Ok(Json(RiderAnswer::of(&api, rider)))
}

/// Gives a rider's phone a new address for the page; the one before stops working. From the node's own machine.
#[utoipa::path(post, path = "/v1/riders/{id}/token", tag = "deliveries", params(("id" = String, Path)),
    responses((status = 200, body = TokenAnswer)))]
pub async fn allow_rider(State(api): State<Arc<Api>>, Segment(id): Segment<String>) -> Answered<Json<TokenAnswer>> {
    let token = api.config.desk.allow(&id).await?;
    Ok(Json(TokenAnswer { page: format!("/rider/{token}") }))
}

/// The rider's page stops working at once. From the node's own machine.
#[utoipa::path(delete, path = "/v1/riders/{id}/token", tag = "deliveries", params(("id" = String, Path)),
    responses((status = 200, body = Object)))]
pub async fn forbid_rider(
    State(api): State<Arc<Api>>,
    Segment(id): Segment<String>,
) -> Answered<Json<serde_json::Value>> {
    api.config.desk.forbid(&id).await?;
    Ok(Json(json!({})))
}

/// What a rider takes along, in the order of the way.
#[utoipa::path(get, path = "/v1/riders/{id}/sheet", tag = "deliveries", params(("id" = String, Path)),
    responses((status = 200, body = SheetAnswer)))]
pub async fn show_sheet(State(api): State<Arc<Api>>, Segment(id): Segment<String>) -> Answered<Json<SheetAnswer>> {
    let carried = api.config.desk.carried(&id, now_ms())?;
    Ok(Json(SheetAnswer { rider: id, stops: carried.iter().map(StopAnswer::of).collect() }))
}

/// Prints what a rider takes along, without addresses: paper is lost. The same stops are printed once.
#[utoipa::path(post, path = "/v1/riders/{id}/sheet", tag = "deliveries", params(("id" = String, Path)),
    responses((status = 200, body = Object)))]
pub async fn print_sheet(
    State(api): State<Arc<Api>>,
    Segment(id): Segment<String>,
) -> Answered<Json<serde_json::Value>> {
    let printer = papers::printer(&api)?;
    let rider = api.config.desk.riders().riders().into_iter().find(|rider| rider.id == id);
    let rider = rider.ok_or_else(|| Problem::not_found("there is no such rider"))?;
    let (now, carried) = (now_ms(), api.config.desk.carried(&id, now_ms())?);
    let record = api.read(|books| Ok(books.store(rider.store)?))?;
    let (store, zone) = record.map_or(Default::default(), |record| (record.name, record.zone.as_str().to_owned()));
    let stamp = |at_ms| Stamp { at_ms, zone: zone.clone() };
    let first_name = |stop: &Carried| {
        let contact = stop.contact.as_ref()?;
        contact.name.split_whitespace().next().map(str::to_owned)
    };
    let stops = carried.iter().map(|stop| RouteStop {
        order: stop.name.order.to_string(),
        first_name: first_name(stop),
        area: "see the phone".into(),
        bags: stop.bags,
        due: stamp(stop.due_ms),
        age: stop.age_min,
    });
    let sheet = RouteSheet { store, rider: rider.person.name, leaves: stamp(now), stops: stops.collect(), code: None };
    let ids: Vec<_> = carried.iter().map(|stop| stop.id.to_string()).collect();
    let key = format!("route/{id}/{}", ids.join("/"));
    let page = sheet.page(printer.language());
    let printed = tokio::task::spawn_blocking(move || printer.submit(&key, &page)).await;
    let printed = printed.map_err(|_| Problem::new(Kind::Storage, "the node failed while it printed"))?;
    let word = match printed.map_err(|error| Problem::new(Kind::Conflict, error.to_string()))? {
        Submitted::Queued => "queued",
        Submitted::Waits => "waits",
        Submitted::Printed => "printed",
    };
    Ok(Json(json!({ "printer": word })))
}

/// The page on a rider's phone: stops with their addresses, and what to say of them. It works on when the phone has no signal.
#[utoipa::path(get, path = "/rider/{token}", tag = "deliveries", params(("token" = String, Path)),
    responses((status = 200, content_type = "text/html", body = String)))]
pub async fn show_page(
    State(api): State<Arc<Api>>,
    Segment(token): Segment<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Answered {
    let rider = rider(&api, &token)?;
    let stops = api.config.desk.carried(&rider.id, now_ms())?;
    let store = api.read(|books| Ok(books.store(rider.store)?))?;
    let language = words::asked(&uri).unwrap_or_else(|| words::chosen(&headers));
    let shown = Shown::new(language, store.as_ref());
    let headers: [(HeaderName, String); 1] = [(header::CONTENT_SECURITY_POLICY, page::policy())];
    Ok((headers, Html(page::page(&rider, &stops, language, &shown))).into_response())
}

/// Takes what a rider did. The same key is taken once; acts that come late, in any order, count by the phone's time.
#[utoipa::path(post, path = "/rider/{token}/acts", tag = "deliveries", params(("token" = String, Path)), request_body = ActBody,
    responses((status = 200, body = Object)))]
pub async fn take_act(
    State(api): State<Arc<Api>>,
    Segment(token): Segment<String>,
    Body { value: body, .. }: Body<ActBody>,
) -> Answered<Json<serde_json::Value>> {
    let rider = rider(&api, &token)?;
    let act = body.read()?;
    let taken = api.config.desk.act(&rider.id, &act, now_ms()).await?;
    let word = match taken {
        Taken::Written => "written",
        Taken::Waits => "waits",
        Taken::Repeated => "repeated",
    };
    Ok(Json(json!({ "taken": word })))
}

/// Where a rider is: of everything that he has out. Shown with its age, never written down.
#[utoipa::path(post, path = "/rider/{token}/position", tag = "deliveries", params(("token" = String, Path)),
    request_body = PositionBody, responses((status = 200, body = Object)))]
pub async fn locate_rider(
    State(api): State<Arc<Api>>,
    Segment(token): Segment<String>,
    Body { value: body, .. }: Body<PositionBody>,
) -> Answered<Json<serde_json::Value>> {
    let rider = rider(&api, &token)?;
    let (position, now) = body.read()?;
    let carried = api.config.desk.carried(&rider.id, now)?;
    let out = carried.iter().filter(|stop| stop.has_left);
    let taken = out.filter(|stop| api.config.desk.locate(&stop.id.delivery, position, now)).count();
    Ok(Json(json!({ "taken": taken })))
}

fn rider(api: &Api, token: &str) -> Answered<Rider> {
    api.config.desk.rider(token).ok_or_else(|| Problem::not_found("this address is not known, or not any more"))
}

impl ActBody {
    fn read(self) -> Answered<Act> {
        if self.key.is_empty() || self.key.len() > KEY_BYTES_MAX {
            return Err(Problem::invalid("key", format_args!("has 1 to {KEY_BYTES_MAX} bytes")));
        }
        let id = ExternalId::parse(&self.id).ok_or_else(|| Problem::invalid("id", "is no delivery"))?;
        let deed = match self.act.as_str() {
            "delivered" => {
                Deed::Delivered { proof: proof(self.code, self.photo, self.signature)?, age_checked: self.age_checked }
            }
            "failed" => Deed::Failed(self.reason.as_deref().and_then(rider_reason).ok_or_else(|| {
                let words: Vec<_> = RIDER_REASONS.iter().map(|reason| reason_word(*reason)).collect();
                Problem::invalid("reason", format_args!("is none of {}", words.join(", ")))
            })?),
            "returning" => Deed::Returning,
            _ => return Err(Problem::invalid("act", "is not delivered, failed or returning")),
        };
        Ok(Act { key: self.key, id, deed, at_ms: self.at.0.0 })
    }
}

fn proof(code: Option<String>, photo: Option<String>, signature: Option<String>) -> Answered<Proof> {
    let named = |field: &str, name: String| {
        // Phones give pictures names with a dot.
        let fits = name.len() <= PROOF_BYTES_MAX && is_word(&name.replace('.', "-"));
        if fits { Ok(name) } else { Err(Problem::invalid(field, "is a name of 1 to 20 letters, digits, - _ and .")) }
    };
    match (code, photo, signature) {
        (Some(code), None, None) if code.len() == 6 && code.bytes().all(|byte| byte.is_ascii_digit()) => {
            Ok(Proof::Code(code))
        }
        (Some(_), None, None) => Err(Problem::invalid("code", "has six digits")),
        (None, Some(photo), None) => Ok(Proof::Photo(named("photo", photo)?)),
        (None, None, Some(signature)) => Ok(Proof::Signature(named("signature", signature)?)),
        _ => Err(Problem::invalid("code", "is needed, or a photo, or a signature; one of them")),
    }
}

fn is_word(text: &str) -> bool {
    (1..=32).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

fn yes() -> bool {
    true
}

impl RiderAnswer {
    fn of(api: &Api, rider: Rider) -> Self {
        Self {
            has_token: api.config.desk.is_allowed(&rider.id),
            id: rider.id,
            name: rider.person.name,
            phone: rider.person.phone,
            store: rider.store.0,
            on_duty: rider.duty == Duty::On,
        }
    }
}

impl StopAnswer {
    fn of(stop: &Carried) -> Self {
        Self {
            id: stop.id.to_string(),
            order: Text(stop.name.order),
            bag_code: stop.bag_code.clone(),
            bags: stop.bags,
            due: Text(Moment(stop.due_ms)),
            arrives: stop.arrive_ms.map(|at_ms| Text(Moment(at_ms))),
            state: stop.state,
            has_left: stop.has_left,
            age_min: stop.age_min,
        }
    }
}

impl From<ActError> for Problem {
    fn from(error: ActError) -> Self {
        let said = error.to_string();
        match error {
            ActError::Rider(RiderError::Unknown(_)) | ActError::Dispatch(_) => Self::not_found(said),
            ActError::Rider(_) => Self::new(Kind::Forbidden, said),
            ActError::WrongCode { .. } => Self::invalid("code", said),
            ActError::TooManyCodes => Self::new(Kind::Conflict, said),
            ActError::AgeUnchecked(_) => Self::invalid("age_checked", said),
            ActError::Write(error) => error.into(),
        }
    }
}

/// A phone makes keys of 36.
const KEY_BYTES_MAX: usize = 64;

/// With the word before it, a proof fits a note of 32 bytes.
const PROOF_BYTES_MAX: usize = 20;
