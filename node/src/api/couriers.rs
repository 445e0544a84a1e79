//! Deliveries and courier services: callbacks, how a delivery stands, and what people decide about it.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use serde::{Deserialize, Serialize};
use serde_json::json;
use stockroom_crdt::ids::Code;
use stockroom_crdt::order::OrderId;
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::near::Degrees;
use super::problem::{Answered, Kind, Problem};
use super::request::{Body, Params, Segment, Segments, read_bytes};
use super::values::{Moment, Text, Word, now_ms};
use crate::courier::CallbackError;
use crate::courier::delivery::{Attempt, Delivery, Standing};
use crate::courier::desk::brief::NoJob;
use crate::courier::desk::wish::{DeskError, Shown};
use crate::courier::desk::write::WriteError;
use crate::courier::dispatcher::DispatchError;
use crate::courier::job::Person;
use crate::courier::report::{Position, Reason, State as Heard};

/// A delivery.
#[derive(Serialize, ToSchema)]
#[schema(as = Delivery)]
pub struct DeliveryAnswer {
    /// Its name; courier services see it with the attempt's number.
    #[schema(example = "1-0123456789.1.12.1")]
    delivery: String,
    /// The order.
    #[schema(value_type = String)]
    order: Text<OrderId>,
    /// Which offer of it.
    generation: u16,
    /// From which store.
    store: u32,
    /// Where the fulfillment stands; only when one order is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    fulfillment: Option<&'static str>,
    /// Where the delivery stands, by what couriers said: `requested`, `accepted`, `courier_assigned`, `courier_at_store`, `picked_up`,
    /// `near_dropoff`, `delivered`, `returning`, `returned`, `failed`, `expired` or `cancelled`; absent once it is forgotten.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    state: Option<Heard>,
    /// `trying` goes on by itself, `manual` waits for a person, `done` is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    standing: Option<Standing>,
    /// When it was promised.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    due: Option<Text<Moment>>,
    /// Everybody who was asked, the first first.
    attempts: Vec<AttemptAnswer>,
    /// What people should look at.
    alarms: Vec<String>,
    /// Steps that wait until the store says that the goods left.
    waiting: Vec<String>,
    /// Where it was last.
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<PlaceAnswer>,
    /// What is kept of the way when it is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    way: Option<WayAnswer>,
    /// When it was over.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    closed: Option<Text<Moment>>,
}

/// Somebody who was asked to bring it.
#[derive(Serialize, ToSchema)]
#[schema(as = DeliveryAttempt)]
pub struct AttemptAnswer {
    /// From 1.
    attempt: u32,
    /// The service, or `riders`.
    courier: String,
    /// The service's own number.
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<String>,
    /// Where it stands.
    #[schema(value_type = String)]
    state: Heard,
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    since: Text<Moment>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    reason: Option<Reason>,
    /// Fee so far, minor units.
    #[serde(skip_serializing_if = "Option::is_none")]
    fee: Option<i64>,
    /// Of which currency.
    #[serde(skip_serializing_if = "Option::is_none")]
    currency: Option<String>,
    /// Who comes, until it is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    person: Option<Person>,
}

/// Where a delivery was last.
#[derive(Serialize, ToSchema)]
#[schema(as = DeliveryPosition)]
pub struct PlaceAnswer {
    /// Where.
    place: Degrees,
    /// How old that is, seconds: an old one must not look like a new one.
    age_s: u64,
}

/// A way that is over.
#[derive(Serialize, ToSchema)]
#[schema(as = DeliveryWay)]
pub struct WayAnswer {
    /// From the first position to the last, seconds.
    seconds: u64,
    /// Over all positions, metres.
    metres: u64,
    /// How many positions came.
    positions: u64,
}

/// Deliveries.
#[derive(Serialize, ToSchema)]
#[schema(as = Deliveries)]
pub struct DeliveryList {
    /// By name.
    items: Vec<DeliveryAnswer>,
}

/// Which deliveries.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListParams {
    /// Of one store.
    store: Option<u32>,
    /// Also those that are over; only what is under way if absent.
    all: Option<bool>,
}

/// What exactly is decided; all of it may be left out.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = DeliveryDecision)]
pub struct DecisionBody {
    /// Of which store's part, if several stores deliver.
    store: Option<u32>,
    /// For `assign`: which rider.
    rider: Option<String>,
    /// For `confirm-returned`: who took the goods back.
    #[serde(default)]
    #[schema(value_type = String)]
    staff: Text<Code>,
}

/// Where a phone is.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewPosition)]
pub struct PositionBody {
    /// Where (WGS 84).
    pub(super) place: Degrees,
    /// When, by the phone's clock; now if absent.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(super) at: Option<Text<Moment>>,
}

/// What people decide about a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Ask for couriers, for the first time or again.
    Redispatch,
    /// Call it off.
    Cancel,
    /// The goods are back.
    ConfirmReturned,
    /// This rider brings it.
    Assign,
    /// The goods are gone.
    Lose,
}

impl Word for Decision {
    fn read(text: &str) -> Result<Self, String> {
        match text {
            "redispatch" => Ok(Self::Redispatch),
            "cancel" => Ok(Self::Cancel),
            "confirm-returned" => Ok(Self::ConfirmReturned),
            "assign" => Ok(Self::Assign),
            "lose" => Ok(Self::Lose),
            _ => Err("is not redispatch, cancel, confirm-returned, assign, lose or position".into()),
        }
    }

    fn write(&self) -> String {
        match self {
            Self::Redispatch => "redispatch",
            Self::Cancel => "cancel",
            Self::ConfirmReturned => "confirm-returned",
            Self::Assign => "assign",
            Self::Lose => "lose",
        }
        .into()
    }
}

/// A courier service says what becomes of a delivery. The body is read as it came, and believed only when the service's signature
/// over it holds. The same callback twice, or a late one, is taken and changes nothing.
#[utoipa::path(post, path = "/v1/couriers/{name}/callbacks", tag = "deliveries", params(("name" = String, Path)),
    request_body(content = String, content_type = "application/json"), responses((status = 200, body = Object)))]
pub async fn take_callback(
    State(api): State<Arc<Api>>,
    Segment(name): Segment<String>,
    request: Request,
) -> Answered<Json<serde_json::Value>> {
    let raw = read_bytes(request, &api).await?;
    let taken = api.config.desk.callback(&name, &raw, now_ms()).await.map_err(|error| {
        tracing::warn!(courier = name, bytes = raw.len(), %error, "callback refused");
        Problem::from(error)
    })?;
    taken?;
    Ok(Json(json!({ "code": "200", "msg": "success" })))
}

/// Deliveries that this node has brought to customers: at a hub by courier services and riders, at a store by its own riders.
#[utoipa::path(get, path = "/v1/deliveries", tag = "deliveries", params(ListParams), responses((status = 200, body = DeliveryList)))]
pub async fn list_deliveries(
    State(api): State<Arc<Api>>,
    Params(params): Params<ListParams>,
) -> Answered<Json<DeliveryList>> {
    let wanted = |shown: &Shown| {
        params.store.is_none_or(|store| store == shown.name.store.0)
            && (params.all == Some(true) || shown.file.closed_ms.is_none())
    };
    let shown = api.config.desk.shown(None, now_ms())?;
    Ok(Json(DeliveryList { items: shown.into_iter().filter(wanted).map(DeliveryAnswer::of).collect() }))
}

/// The deliveries of one order: attempts, fees, alarms, the last position with its age.
#[utoipa::path(get, path = "/v1/deliveries/{order}", tag = "deliveries", params(("order" = String, Path)),
    responses((status = 200, body = DeliveryList)))]
pub async fn show_delivery(
    State(api): State<Arc<Api>>,
    Segment(order): Segment<OrderId>,
) -> Answered<Json<DeliveryList>> {
    let shown = api.config.desk.shown(Some(order), now_ms())?;
    if shown.is_empty() {
        return Err(Problem::not_found("nobody was asked to bring this order"));
    }
    Ok(Json(DeliveryList { items: shown.into_iter().map(DeliveryAnswer::of).collect() }))
}

/// Decides about a delivery. `redispatch` asks for couriers again, `cancel` calls them off, `assign` gives it to one of the store's own
/// riders (at the store also while it is cut off), `confirm-returned` says at the store that the goods are back, `lose` gives goods up
/// that are out. Doing the same twice changes nothing more.
#[utoipa::path(post, path = "/v1/deliveries/{order}/{action}", tag = "deliveries", request_body = DecisionBody,
    params(("order" = String, Path), ("action" = String, Path, description = "`redispatch`, `cancel`, `assign`, `confirm-returned` or `lose`")),
    responses((status = 200, body = DeliveryList)))]
pub async fn decide_delivery(
    State(api): State<Arc<Api>>,
    Segments(order, decision): Segments<OrderId, Decision>,
    Body { value: body, .. }: Body<DecisionBody>,
) -> Answered<Json<DeliveryList>> {
    let (desk, now) = (&api.config.desk, now_ms());
    let name = desk.part(order, body.store)?;
    match decision {
        Decision::Redispatch => desk.redispatch(name, now).await?,
        Decision::Cancel => desk.cancel(name, now).await?,
        Decision::ConfirmReturned => desk.confirm_returned(name, body.staff.0.as_str(), now).await?,
        Decision::Lose => desk.lose(name, now).await?,
        Decision::Assign => {
            let rider = body.rider.ok_or_else(|| Problem::invalid("rider", "is needed: who brings it"))?;
            desk.assign(name, &rider, now).await?;
        }
    }
    let shown = desk.shown(Some(order), now_ms())?;
    Ok(Json(DeliveryList { items: shown.into_iter().map(DeliveryAnswer::of).collect() }))
}

/// Where an order is now, from the phone of whoever carries it: shown with its age, never written down.
#[utoipa::path(post, path = "/v1/deliveries/{order}/position", tag = "deliveries", request_body = PositionBody,
    params(("order" = String, Path)), responses((status = 200, body = Object)))]
pub async fn locate_delivery(
    State(api): State<Arc<Api>>,
    Segment(order): Segment<OrderId>,
    Body { value: body, .. }: Body<PositionBody>,
) -> Answered<Json<serde_json::Value>> {
    let (position, now) = body.read()?;
    let shown = api.config.desk.shown(Some(order), now)?;
    if shown.is_empty() {
        return Err(Problem::not_found("nobody was asked to bring this order"));
    }
    let taken = shown.iter().filter(|shown| api.config.desk.locate(&shown.id, position, now)).count();
    Ok(Json(json!({ "taken": taken > 0 })))
}

impl PositionBody {
    /// The position, and this node's time.
    pub(super) fn read(self) -> Answered<(Position, u64)> {
        let now = now_ms();
        let at_ms = self.at.map_or(now, |at| at.0.0);
        Ok((Position { point: self.place.read("place")?, at_ms }, now))
    }
}

impl DeliveryAnswer {
    fn of(shown: Shown) -> Self {
        let Shown { id, name, part, delivery, file, position } = shown;
        let held = delivery.as_ref();
        Self {
            delivery: id.to_string(),
            order: Text(name.order),
            generation: name.generation,
            store: name.store.0,
            fulfillment: part.map(|part| part.as_str()),
            state: held.map(Delivery::state),
            standing: held.map(Delivery::standing),
            due: held.map(|held| Text(Moment(held.job().due_ms))),
            attempts: held.into_iter().flat_map(Delivery::attempts).map(AttemptAnswer::of).collect(),
            alarms: file.alarms.into_iter().map(|alarm| alarm.what).collect(),
            waiting: file.waiting.into_iter().map(|said| said.step).collect(),
            position: position
                .map(|shown| PlaceAnswer { place: Degrees::of(shown.track.last.point), age_s: shown.age_ms / 1000 }),
            way: file.way.map(|way| WayAnswer {
                seconds: way.last_ms.saturating_sub(way.first_ms) / 1000,
                metres: way.way_m,
                positions: way.count,
            }),
            closed: file.closed_ms.map(|at_ms| Text(Moment(at_ms))),
        }
    }
}

impl AttemptAnswer {
    fn of(attempt: &Attempt) -> Self {
        let progress = attempt.progress();
        Self {
            attempt: attempt.number(),
            courier: attempt.provider().to_owned(),
            reference: attempt.reference().filter(|reference| !reference.is_empty()).map(str::to_owned),
            state: attempt.state(),
            since: Text(Moment(progress.since_ms())),
            reason: attempt.reason(),
            fee: progress.fee().map(|fee| fee.minor),
            currency: progress.fee().map(|fee| fee.currency.as_str().to_owned()),
            person: progress.courier().cloned(),
        }
    }
}

impl From<CallbackError> for Problem {
    fn from(error: CallbackError) -> Self {
        let kind = match &error {
            CallbackError::Nobody | CallbackError::Unknown => Kind::NotFound,
            CallbackError::Long => Kind::BodyTooLarge,
            CallbackError::Malformed(_) => Kind::MalformedBody,
            CallbackError::Signature => Kind::Unauthorized,
        };
        Self::new(kind, error.to_string())
    }
}

impl From<WriteError> for Problem {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Ask(error) => error.into(),
            WriteError::Books(error) => error.into(),
            WriteError::DiskFull => Self::new(Kind::DiskFull, "the disk is full"),
        }
    }
}

impl From<DeskError> for Problem {
    fn from(error: DeskError) -> Self {
        let said = error.to_string();
        match error {
            DeskError::Unknown => Self::not_found(said),
            DeskError::Dispatch(DispatchError::Unknown(_)) => Self::not_found(said),
            DeskError::NotHere(_) => Self::new(Kind::NotHere, said),
            DeskError::State(_) | DeskError::Dispatch(_) => Self::new(Kind::Conflict, said),
            DeskError::Rider(_) => Self::invalid("rider", said),
            DeskError::NoJob(NoJob::Books(error)) | DeskError::Books(error) => error.into(),
            DeskError::NoJob(_) => Self::new(Kind::Conflict, said),
            DeskError::Write(error) => error.into(),
            DeskError::Refused(refusal) => refusal.into(),
        }
    }
}
