//! Reserving goods, and saying what becomes of a reservation. Decided here and now from the rights that this node holds; a link
//! is waited for only as long as the client says.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use stockroom_core::input::promises::{Considered, ReserveRequest, StepRequest};
use stockroom_core::input::{Answer, Command, Event, RetryKey};
use stockroom_core::limits::RESERVE_STORES_MAX;
use stockroom_crdt::entry::kind;
use stockroom_crdt::ids::{Code, Sku, StoreId};
use stockroom_crdt::limits::QUANTITY_MAX;
use stockroom_crdt::money::Unit;
use stockroom_crdt::product::Channel;
use stockroom_crdt::stock::promise::{Claim, Promise, PromiseId, Step};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::Instant;
use utoipa::ToSchema;

use super::events::ApiEvent;
use super::idempotency::{KeyHeader, Keyed, created, done};
use super::limits::{HOLD_S_MAX, PRICE_AHEAD_MS_MAX, RESERVE_AGAIN, RESERVE_WAIT_MS_MAX};
use super::near::{Degrees, by_distance, shown_km};
use super::problem::{Answered, Kind, Problem};
use super::promises::{ReservationAnswer, claim_word};
use super::request::Segments;
use super::stores::Knowledge;
use super::values::{Moment, Text, Word, now_ms};
use super::{Api, unexpected};
use crate::handle::NumberedEvent;

/// Goods that a customer wants kept.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReserveBody {
    /// What.
    #[schema(value_type = String)]
    sku: Text<Sku>,
    /// How many pieces or grams, 1 to 10,000,000.
    quantity: i64,
    /// `each` or `gram`; the product's if absent. Another one than the product's is refused.
    #[schema(value_type = Option<String>)]
    unit: Option<Text<Unit>>,
    /// At which stores, in the order of preference, at most 64. If absent or empty: all that are known here, the nearest first
    /// if `near` says to what, else this node's own first.
    #[serde(default)]
    stores: Vec<u32>,
    /// Where the customer is. Orders the stores when none are named; stores that are nowhere come last.
    near: Option<Degrees>,
    /// `pickup` or `delivery`.
    #[schema(value_type = String)]
    channel: Text<Channel>,
    /// When the customer wants the goods; not in the past.
    #[schema(value_type = Option<String>, format = DateTime)]
    wanted_by: Option<Text<Moment>>,
    /// For how many seconds it is held unconfirmed, 1 to 604,800 (a week); as the product's rule says if absent.
    hold_s: Option<u64>,
    /// When goods are missing the lower goes without first, 0 to 255; 100 if absent.
    #[serde(default = "usual_priority")]
    priority: u8,
    /// The order for which it is made, at most 32 bytes.
    #[serde(default)]
    #[schema(value_type = String)]
    reference: Text<Code>,
    /// A promise that has still to be confirmed is better than none; true if absent.
    #[serde(default = "yes")]
    soft: bool,
    /// When nothing can be promised but rights were asked for elsewhere: try again for so many milliseconds, 0 to 5,000; 0 if
    /// absent.
    #[serde(default)]
    wait_ms: u64,
}

/// What came of a wish. `no` is a normal answer: nothing is promised, and nothing has to be undone.
#[derive(Serialize, ToSchema)]
pub struct ReserveAnswer {
    /// `hard`: goods in the book stand behind it, and the same unit is promised to nobody else. `soft`: it will be confirmed or
    /// broken within a bound; tell the customer so. `no`: nothing is promised.
    #[schema(example = "hard")]
    outcome: &'static str,
    /// The reservation's name; absent for `no`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "1.1-00000000000000ff")]
    id: Option<Text<PromiseId>>,
    /// Where the goods are kept; absent for `no`.
    #[serde(skip_serializing_if = "Option::is_none")]
    store: Option<u32>,
    /// What.
    #[schema(value_type = String)]
    sku: Text<Sku>,
    /// How many pieces or grams were wanted.
    quantity: u64,
    /// Until when it is held unconfirmed; absent for `no`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    until: Option<Text<Moment>>,
    /// Why it is so, in words.
    why: String,
    /// The stores that were looked at, in their order; the last of them, or the soft one, was chosen. Empty when an earlier try
    /// is answered again.
    considered: Vec<ConsideredAnswer>,
    /// Stores for whose goods rights were asked for with this request: another try in a moment may succeed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    asked: Vec<u32>,
    /// After so many milliseconds another try may succeed; absent if nobody is known to hold any rights.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<u64>,
}

/// What was found at one store.
#[derive(Serialize, ToSchema)]
pub struct ConsideredAnswer {
    /// Which store.
    store: u32,
    /// Pieces or grams in its book, as far as this node knows.
    on_hand: i64,
    /// Rights that this node holds: so many units it can promise by itself.
    held: u64,
    /// Rights that others hold, as far as this node knows.
    elsewhere: u64,
    /// `hard` or `soft`; absent if nothing can be promised there.
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<&'static str>,
    /// Why, in words.
    why: String,
    /// Great-circle distance from `near` in kilometres.
    #[serde(skip_serializing_if = "Option::is_none")]
    distance_km: Option<f64>,
    /// How old the knowledge of the store is, in seconds; absent if it was never heard.
    #[serde(skip_serializing_if = "Option::is_none")]
    age_s: Option<u64>,
}

/// What becomes of a reservation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// The customer wants it.
    Confirm,
    /// It is over, or the customer does not want it.
    Release,
    /// The goods were taken off the shelf.
    Pick,
    /// They were put back.
    PutBack,
    /// They were handed over.
    Fulfil,
    /// They are not there.
    NotFound,
}

/// Who says it, and why.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StepBody {
    /// Why, or where: a reason, a bay; at most 32 bytes.
    #[serde(default)]
    #[schema(value_type = String)]
    note: Text<Code>,
    /// By whom.
    #[serde(default)]
    #[schema(value_type = String)]
    staff: Text<Code>,
}

/// What was said, and where the reservation stands now.
#[derive(Serialize, ToSchema)]
pub struct StepAnswer {
    /// What was written: `confirmed`, `released`, `release-asked`, `picked`, `put-back`, `fulfilled` or `not-found`.
    did: String,
    /// The reservation.
    reservation: ReservationAnswer,
}

/// Reserves goods at the first store where this node holds enough rights, softly at the first where that is safe enough, or not
/// at all. 201 with `hard` or `soft`; 200 with `no` and the reason per store; 200 for an earlier try that succeeded. After `no`
/// the same key may be used again.
#[utoipa::path(post, path = "/v1/reservations", tag = "reservations", params(KeyHeader), request_body = ReserveBody,
    responses((status = 201, body = ReserveAnswer, description = "Goods are promised"),
        (status = 200, body = ReserveAnswer, description = "Nothing is promised, or an earlier try was answered again")))]
pub async fn create_reservation(State(api): State<Arc<Api>>, Keyed { value, retry }: Keyed<ReserveBody>) -> Answered {
    let (wait_ms, sku) = (value.wait_ms, value.sku.0.clone());
    let (request, distances) = value.order(&api)?;
    let quantity = request.quantity;
    let found = reserve(&api, retry, &request, Duration::from_millis(wait_ms)).await?;
    let shown = |considered: Vec<Considered>| {
        considered.into_iter().map(|seen| ConsideredAnswer::of(&api, seen, &distances)).collect::<Vec<_>>()
    };
    match found {
        Answer::Reserved { promise, considered, replayed, .. } => {
            let outcome = claim_word(promise.claim);
            if !replayed {
                api.metrics.reserved(outcome);
            }
            let why = why_promised(&promise, &considered);
            let answer = ReserveAnswer {
                outcome,
                id: Some(Text(promise.id)),
                store: Some(promise.account.store.0),
                sku: Text(sku),
                quantity: promise.quantity,
                until: Some(Text(Moment(promise.until_ms))),
                why,
                considered: shown(considered),
                asked: Vec::new(),
                retry_after_ms: None,
            };
            Ok(created(replayed, answer))
        }
        Answer::TurnedDown { considered, asked } => {
            api.metrics.reserved(NO);
            let asked: Vec<u32> = asked.into_iter().map(|store| store.0).collect();
            let others = considered.iter().any(|seen| seen.elsewhere > 0);
            let retry_after_ms = match (asked.is_empty(), others) {
                (false, _) => Some(RETRY_SOON_MS),
                (true, true) => Some(RETRY_LATER_MS),
                (true, false) => None,
            };
            let why = match (asked.is_empty(), others) {
                _ if considered.is_empty() => "no store is known here",
                (false, _) => "this node holds too few rights; others were asked for some",
                (true, true) => "this node holds too few rights; others were asked before and have not answered",
                (true, false) => "no rights to such goods are known here",
            };
            api.tell(ApiEvent::turned_down(&sku, quantity, &request.stores, !asked.is_empty()));
            let answer = ReserveAnswer {
                outcome: NO,
                id: None,
                store: None,
                sku: Text(sku),
                quantity,
                until: None,
                why: why.into(),
                considered: shown(considered),
                asked,
                retry_after_ms,
            };
            Ok(done(false, answer))
        }
        answer => unexpected(&answer),
    }
}

/// Says what becomes of a reservation. `confirm` is for the node that made it; `release` asks for its end there and decides it at
/// the store where the goods are; `pick`, `put-back`, `fulfil` and `not-found` are for that store. A step that its state does not
/// allow is a conflict that names the state.
#[utoipa::path(post, path = "/v1/reservations/{id}/{action}", tag = "reservations",
    params(("id" = String, Path), ("action" = String, Path, description = "`confirm`, `release`, `pick`, `put-back`, `fulfil` or `not-found`"), KeyHeader),
    request_body = StepBody, responses((status = 200, body = StepAnswer)))]
pub async fn step_reservation(
    State(api): State<Arc<Api>>,
    Segments(id, action): Segments<PromiseId, Action>,
    Keyed { value, retry }: Keyed<StepBody>,
) -> Answered {
    let (store, _) = api.read(|books| Ok(books.promise(id)?))?.ok_or_else(|| unknown(id))?;
    let step = action.step(api.info.store == store.0);
    let request = StepRequest { promise: id, step, note: value.note.0, staff: value.staff.0 };
    let written = api.write(Command::Step(retry, request)).await?;
    let reservation = api.read(|books| {
        let (store, record) = books.promise(id)?.ok_or_else(|| unknown(id))?;
        ReservationAnswer::of(books, store, id, record)
    })?;
    Ok(done(written.replayed, StepAnswer { did: super::promises::hyphened(step.as_str()), reservation }))
}

impl ReserveBody {
    /// What the core is asked, and how far stores are.
    fn order(self, api: &Api) -> Answered<(ReserveRequest, BTreeMap<StoreId, f64>)> {
        let quantity =
            u64::try_from(self.quantity).ok().filter(|quantity| (1..=QUANTITY_MAX as u64).contains(quantity));
        let quantity = quantity.ok_or_else(|| {
            Problem::invalid("quantity", format_args!("{} is not between 1 and {QUANTITY_MAX}", self.quantity))
        })?;
        if self.wait_ms > RESERVE_WAIT_MS_MAX {
            return Err(Problem::invalid("wait_ms", format_args!("is not 0 to {RESERVE_WAIT_MS_MAX}")));
        }
        if self.hold_s.is_some_and(|hold_s| !(1..=HOLD_S_MAX).contains(&hold_s)) {
            return Err(Problem::invalid("hold_s", format_args!("is not 1 to {HOLD_S_MAX}")));
        }
        let wanted_ms = self.wanted_by.map_or(0, |moment| moment.0.0);
        check_wanted(wanted_ms)?;
        let near = self.near.map(|degrees| degrees.read("near")).transpose()?;
        let mut stores: Vec<StoreId> = self.stores.into_iter().map(StoreId).collect();
        let mut distances = BTreeMap::new();
        if let Some(near) = near {
            let ranked = api.read(|books| Ok(by_distance(books.stores()?, near)))?;
            distances = ranked.iter().filter_map(|(store, distance)| Some((*store, (*distance)?))).collect();
            if stores.is_empty() {
                stores = ranked.into_iter().map(|(store, _)| store).take(RESERVE_STORES_MAX).collect();
            }
        }
        let request = ReserveRequest {
            sku: self.sku.0,
            unit: self.unit.map(|unit| unit.0),
            quantity,
            stores,
            channel: self.channel.0,
            priority: self.priority,
            wanted_ms,
            hold_ms: self.hold_s.map(|seconds| seconds * 1_000),
            reference: self.reference.0,
            soft: self.soft,
        };
        Ok((request, distances))
    }
}

impl ConsideredAnswer {
    fn of(api: &Api, seen: Considered, distances: &BTreeMap<StoreId, f64>) -> Self {
        Self {
            store: seen.store.0,
            on_hand: seen.on_hand,
            held: seen.held,
            elsewhere: seen.elsewhere,
            outcome: seen.claim.map(claim_word),
            why: seen.why,
            distance_km: distances.get(&seen.store).copied().map(shown_km),
            age_s: Knowledge::of(api, seen.store).ok().and_then(|knowledge| knowledge.age_s()),
        }
    }
}

impl Action {
    /// What is written for it, at the store where the goods are or elsewhere.
    fn step(self, at_home: bool) -> Step {
        match self {
            Self::Confirm => Step::Confirm,
            Self::Release if at_home => Step::Release,
            Self::Release => Step::AskRelease,
            Self::Pick => Step::Pick,
            Self::PutBack => Step::PutBack,
            Self::Fulfil => Step::Fulfil,
            Self::NotFound => Step::NotFound,
        }
    }
}

impl Word for Action {
    fn read(text: &str) -> Result<Self, String> {
        Ok(match text {
            "confirm" => Self::Confirm,
            "release" => Self::Release,
            "pick" => Self::Pick,
            "put-back" => Self::PutBack,
            "fulfil" => Self::Fulfil,
            "not-found" => Self::NotFound,
            _ => return Err("is none of confirm, release, pick, put-back, fulfil, not-found".into()),
        })
    }

    fn write(&self) -> String {
        let word = match self {
            Self::Confirm => "confirm",
            Self::Release => "release",
            Self::Pick => "pick",
            Self::PutBack => "put-back",
            Self::Fulfil => "fulfil",
            Self::NotFound => "not-found",
        };
        word.into()
    }
}

/// Asks once, and again whenever rights moved, until there is a promise, nobody else has any, or the time is over.
async fn reserve(api: &Api, retry: RetryKey, request: &ReserveRequest, wait: Duration) -> Answered<Answer> {
    let until = Instant::now() + wait;
    let mut events = api.handle.events();
    loop {
        let answer = api.ask(Command::Reserve(retry, request.clone())).await?;
        let hopeless = match &answer {
            Answer::TurnedDown { considered, .. } => considered.iter().all(|seen| seen.elsewhere == 0),
            _ => true,
        };
        if hopeless || !rights_move(&mut events, until).await {
            return Ok(answer);
        }
    }
}

/// Waits until a row of rights arrives. False if none came in time.
pub async fn rights_move(events: &mut Receiver<NumberedEvent>, until: Instant) -> bool {
    // Rows come in bursts: what follows the first one is looked at together with it.
    let pause = Instant::now() + RESERVE_AGAIN;
    // What has arrived already would be taken also when the time is over.
    while Instant::now() < until {
        match tokio::time::timeout_at(until, events.recv()).await {
            Ok(Ok(event)) if !matches!(event.event, Event::Entry { kind: kind::RIGHTS, .. }) => {}
            Ok(Ok(_)) | Ok(Err(RecvError::Lagged(_))) => {
                tokio::time::sleep_until(pause.min(until)).await;
                return true;
            }
            Ok(Err(RecvError::Closed)) | Err(_) => return false,
        }
    }
    false
}

/// A wish for last year, or for the year after next, is a typing error.
fn check_wanted(wanted_ms: u64) -> Answered<()> {
    let now = now_ms();
    if wanted_ms == 0 || (now..=now + PRICE_AHEAD_MS_MAX).contains(&wanted_ms) {
        return Ok(());
    }
    let why = if wanted_ms < now { "lies in the past" } else { "lies more than five years ahead" };
    Err(Problem::invalid("wanted_by", why))
}

fn why_promised(promise: &Promise, considered: &[Considered]) -> String {
    let store = promise.account.store;
    let chosen = considered.iter().find(|seen| seen.store == store);
    let reason = chosen.map_or("an earlier try of this request", |seen| seen.why.as_str());
    match promise.claim {
        Claim::Hard => format!("goods at store {} are kept: {reason}", store.0),
        Claim::Soft => format!("store {} will confirm it: {reason}", store.0),
    }
}

fn unknown(id: PromiseId) -> Problem {
    Problem::new(Kind::NotFound, format!("no reservation {id} is known here"))
}

fn yes() -> bool {
    true
}

fn usual_priority() -> u8 {
    100
}

const NO: &str = "no";

/// A request and its answer over a link that is up, twice.
pub const RETRY_SOON_MS: u64 = 300;

/// A link that is down comes back when it does.
pub const RETRY_LATER_MS: u64 = 5_000;
