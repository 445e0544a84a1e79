//! Reservations as they are read: where each stands, who said what about it, what broke it and what was given instead.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use stockroom_core::books::rights::Record;
use stockroom_crdt::ids::{Actor, Code, Sku, StoreId, hex};
use stockroom_crdt::money::Unit;
use stockroom_crdt::product::Channel;
use stockroom_crdt::stock::promise::{Claim, Promise, PromiseId, PromiseStep, Rank, State as Standing, Step};
use stockroom_crdt::stock::shortage::{Remedy, compensation_id};
use utoipa::{IntoParams, ToSchema};

use super::limits::PAGE_MAX;
use super::problem::{Answered, Problem};
use super::products::page_limit;
use super::request::{Params, Segment};
use super::values::{Moment, Text, Word, moment};
use super::{Api, Books};

/// A reservation.
#[derive(Serialize, ToSchema)]
pub struct ReservationAnswer {
    /// Its name.
    #[schema(value_type = String, example = "1.1-00000000000000ff")]
    id: Text<PromiseId>,
    /// `held`, `confirmed`, `release-asked`, `picked`, `fulfilled`, `released` or `shorted`.
    #[schema(example = "held")]
    state: String,
    /// Why it stands there, in words.
    why: String,
    /// Where the goods are.
    store: u32,
    /// What.
    #[schema(value_type = String)]
    sku: Text<Sku>,
    /// Its unit.
    #[schema(value_type = String)]
    unit: Text<Unit>,
    /// Pieces or grams.
    quantity: u64,
    /// `hard` or `soft`, by now: a soft one becomes hard when rights arrive.
    outcome: &'static str,
    /// `hard` or `soft`, as it was made.
    made_as: &'static str,
    /// `pickup` or `delivery`.
    #[schema(value_type = String)]
    channel: Text<Channel>,
    /// When goods are missing the lower goes without first.
    priority: u8,
    /// The order for which it was made; empty for none.
    #[schema(value_type = String)]
    reference: Text<Code>,
    /// Who made it: node and epoch.
    #[schema(value_type = String, example = "1.1")]
    made_by: Text<Actor>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    made_at: Text<Moment>,
    /// When it ends unless it is confirmed.
    #[schema(value_type = String, format = DateTime)]
    until: Text<Moment>,
    /// When the customer wants the goods.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    wanted_by: Option<Text<Moment>>,
    /// The broken reservation in whose place it was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    replaces: Option<Text<PromiseId>>,
    /// What was said about it, oldest first; of each kind the last.
    steps: Vec<StepLine>,
    /// What broke it.
    #[serde(skip_serializing_if = "Option::is_none")]
    shortage: Option<ShortageAnswer>,
    /// What its customer gets instead; due as long as it says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    compensation: Option<CompensationAnswer>,
}

/// Something that was said about a reservation.
#[derive(Serialize, ToSchema)]
pub struct StepLine {
    /// `confirmed`, `release-asked`, `expired`, `hardened`, `picked`, `put-back`, `fulfilled`, `released` or `not-found`.
    step: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    at: Text<Moment>,
    /// By which node and epoch.
    #[schema(value_type = String)]
    by: Text<Actor>,
    /// By whom; empty when the node did it by itself.
    #[schema(value_type = String)]
    staff: Text<Code>,
    /// Why, or where.
    #[schema(value_type = String)]
    note: Text<Code>,
}

/// Goods that were promised were not there.
#[derive(Serialize, ToSchema)]
pub struct ShortageAnswer {
    /// Its id.
    id: String,
    /// What made it so, in a word.
    #[schema(value_type = String)]
    cause: Text<Code>,
    /// Pieces or grams in the book when it was declared.
    on_hand: i64,
    /// Units of this reservation that are missing.
    missing: u64,
    /// All reservations that it broke.
    #[schema(value_type = Vec<String>)]
    victims: Vec<Text<PromiseId>>,
    /// When it was declared.
    #[schema(value_type = String, format = DateTime)]
    at: Text<Moment>,
    /// By which node and epoch.
    #[schema(value_type = String)]
    by: Text<Actor>,
}

/// What the customer of a broken reservation gets.
#[derive(Serialize, ToSchema)]
pub struct CompensationAnswer {
    /// Its id: given once, however often it is decided.
    id: String,
    /// `due`, `refund` or `resourced`.
    remedy: &'static str,
    /// The reservation that is kept in place of the broken one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    resourced_as: Option<Text<PromiseId>>,
}

/// Reservations that were found.
#[derive(Serialize, ToSchema)]
pub struct ReservationList {
    /// By store, then by name.
    items: Vec<ReservationAnswer>,
    /// To be given as `after` for the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    next: Option<Text<PromiseId>>,
}

/// Which reservations.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ReservationParams {
    /// `held`, `confirmed`, `release-asked`, `picked`, `fulfilled`, `released`, `shorted`, or `open` for the first four.
    #[param(value_type = Option<String>)]
    state: Option<Text<Wanted>>,
    /// Only of goods at this store.
    store: Option<u32>,
    /// Only of this product.
    #[param(value_type = Option<String>)]
    sku: Option<Text<Sku>>,
    /// Begin behind this one.
    #[param(value_type = Option<String>)]
    after: Option<Text<PromiseId>>,
    /// At most this many, up to 1,000; 100 if absent.
    limit: Option<usize>,
}

/// States that are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Goods are kept.
    Open,
    /// One state.
    In(Standing),
}

/// A reservation.
#[utoipa::path(get, path = "/v1/reservations/{id}", tag = "reservations", params(("id" = String, Path)),
    responses((status = 200, body = ReservationAnswer)))]
pub async fn show_reservation(
    State(api): State<Arc<Api>>,
    Segment(id): Segment<PromiseId>,
) -> Answered<Json<ReservationAnswer>> {
    let read = move |books: &Books<'_>| {
        let found =
            books.promise(id)?.ok_or_else(|| Problem::not_found(format!("no reservation {id} is known here")))?;
        ReservationAnswer::of(books, found.0, id, found.1).map(Json)
    };
    api.read_much(read).await
}

/// Reservations that are known here.
#[utoipa::path(get, path = "/v1/reservations", tag = "reservations", params(ReservationParams),
    responses((status = 200, body = ReservationList)))]
pub async fn list_reservations(
    State(api): State<Arc<Api>>,
    Params(params): Params<ReservationParams>,
) -> Answered<Json<ReservationList>> {
    let limit = page_limit(params.limit)?;
    let read = move |books: &Books<'_>| {
        let mut list = ReservationList { items: Vec::new(), next: None };
        let (stores, mut after) = params.scope(books)?;
        for store in stores {
            loop {
                let page = books.promises(store, after, PAGE_MAX)?;
                let Some((last, _)) = page.last() else { break };
                after = Some(*last);
                for (id, record) in page {
                    if !params.takes(&record) {
                        continue;
                    }
                    if list.items.len() == limit {
                        list.next = list.items.last().map(|item| Text(item.id.0));
                        return Ok(Json(list));
                    }
                    list.items.push(ReservationAnswer::brief(books, store, id, record)?);
                }
            }
            after = None;
        }
        Ok(Json(list))
    };
    api.read_much(read).await
}

impl ReservationParams {
    /// The stores to look at, and behind which reservation the first of them begins.
    fn scope(&self, books: &Books<'_>) -> Answered<(Vec<StoreId>, Option<PromiseId>)> {
        let mut stores: Vec<_> = match self.store {
            Some(store) => {
                let record = books.store(StoreId(store))?;
                vec![record.ok_or_else(|| Problem::unknown("store", format_args!("no such store: {store}")))?.store]
            }
            None => books.stores()?.into_iter().map(|record| record.store).collect(),
        };
        let Some(Text(after)) = self.after else { return Ok((stores, None)) };
        let (store, _) = books.promise(after)?.ok_or_else(|| Problem::unknown("after", "no such reservation"))?;
        stores.retain(|held| *held >= store);
        let after = stores.first().filter(|first| **first == store).map(|_| after);
        Ok((stores, after))
    }

    fn takes(&self, record: &Record) -> bool {
        let Some(promise) = &record.promise else { return false };
        let state = match self.state {
            None => true,
            Some(Text(Wanted::Open)) => record.state().is_open(),
            Some(Text(Wanted::In(state))) => record.state() == state,
        };
        state && self.sku.as_ref().is_none_or(|sku| sku.0 == promise.account.sku)
    }
}

impl ReservationAnswer {
    /// What is known of a reservation.
    pub fn of(books: &Books<'_>, store: StoreId, id: PromiseId, record: Record) -> Answered<Self> {
        let shortage = shortage(books, id, &record)?;
        let brief = Self::brief(books, store, id, record)?;
        let Some(shortage) = shortage else { return Ok(brief) };
        let why = format!("{} ({}, {} in the book)", brief.why, shortage.cause.0, shortage.on_hand);
        Ok(Self { why, shortage: Some(shortage), ..brief })
    }

    /// The same without the shortage that broke it, which has to be looked for in the store's log.
    fn brief(books: &Books<'_>, store: StoreId, id: PromiseId, record: Record) -> Answered<Self> {
        let arrived = || Problem::not_found(format!("reservation {id} has not arrived here yet"));
        let promise = record.promise.clone().ok_or_else(arrived)?;
        let mut steps: Vec<_> = record.said.steps().collect();
        steps.sort_by_key(|((_, _, _, hlc), step)| (*hlc, step.step));
        let line = |((epoch, _, node, hlc), step): (&Rank, &PromiseStep)| StepLine {
            step: hyphened(step.step.as_str()),
            at: Text(Moment(hlc.ms())),
            by: Text(Actor::new(*node, *epoch)),
            staff: Text(step.staff.clone()),
            note: Text(step.note.clone()),
        };
        let steps: Vec<_> = steps.into_iter().map(line).collect();
        let compensation = compensation(books, store, id, &record)?;
        let why = why(&promise, &record, compensation.as_ref());
        Ok(Self {
            id: Text(id),
            state: hyphened(record.state().as_str()),
            why,
            store: store.0,
            sku: Text(promise.account.sku.clone()),
            unit: Text(promise.account.unit),
            quantity: promise.quantity,
            outcome: claim_word(record.said.claim(&promise)),
            made_as: claim_word(promise.claim),
            channel: Text(promise.channel),
            priority: promise.priority,
            reference: Text(promise.reference.clone()),
            made_by: Text(id.issuer),
            made_at: Text(Moment(record.made.ms())),
            until: Text(Moment(promise.until_ms)),
            wanted_by: moment(promise.wanted_ms),
            replaces: promise.replaces.map(Text),
            steps,
            shortage: None,
            compensation,
        })
    }
}

impl Word for Wanted {
    fn read(text: &str) -> Result<Self, String> {
        if text == "open" {
            return Ok(Self::Open);
        }
        let found = STATES.into_iter().find(|state| hyphened(state.as_str()) == text);
        found.map(Self::In).ok_or_else(|| {
            let words: Vec<_> = STATES.iter().map(|state| hyphened(state.as_str())).collect();
            format!("is none of open, {}", words.join(", "))
        })
    }

    fn write(&self) -> String {
        match self {
            Self::Open => "open".into(),
            Self::In(state) => hyphened(state.as_str()),
        }
    }
}

/// `hard` or `soft`.
pub fn claim_word(claim: Claim) -> &'static str {
    match claim {
        Claim::Hard => "hard",
        Claim::Soft => "soft",
    }
}

/// Words as one word for programs.
pub fn hyphened(words: &str) -> String {
    words.replace(' ', "-")
}

impl CompensationAnswer {
    /// Nobody decided yet what is given.
    pub fn is_due(&self) -> bool {
        self.remedy == DUE
    }
}

/// What is given for a broken promise.
pub fn compensation(
    books: &Books<'_>,
    store: StoreId,
    id: PromiseId,
    record: &Record,
) -> Answered<Option<CompensationAnswer>> {
    let Some(shortage) = record.said.shortage() else { return Ok(None) };
    let due = compensation_id(shortage, id);
    let (remedy, resourced_as) = match books.remedy(store, due)? {
        None => (DUE, None),
        Some(Remedy::Refund) => (REFUND, None),
        Some(Remedy::Resourced(other)) => ("resourced", Some(Text(other))),
    };
    Ok(Some(CompensationAnswer { id: hex(&due), remedy, resourced_as }))
}

/// What broke a promise.
fn shortage(books: &Books<'_>, id: PromiseId, record: &Record) -> Answered<Option<ShortageAnswer>> {
    let (Some(promise), Some(shortage)) = (&record.promise, record.said.shortage()) else { return Ok(None) };
    Ok(books.shortage(&promise.account, shortage)?.map(|(line, said)| ShortageAnswer {
        id: hex(&shortage),
        missing: said.victims.iter().filter(|(victim, _)| *victim == id).map(|(_, units)| *units).sum(),
        victims: said.victims.iter().map(|(victim, _)| Text(*victim)).collect(),
        cause: Text(said.cause),
        on_hand: said.on_hand,
        at: Text(Moment(line.entry.hlc.ms())),
        by: Text(line.actor),
    }))
}

fn why(promise: &Promise, record: &Record, compensation: Option<&CompensationAnswer>) -> String {
    let until = Moment(promise.until_ms).write();
    let store = promise.account.store.0;
    match record.state() {
        Standing::Held => format!("goods are kept at store {store} until {until} unless it is confirmed before"),
        Standing::Confirmed => format!("the customer counts on it; goods are kept at store {store}"),
        Standing::Releasing => format!("its end was asked for; store {store} has not answered yet"),
        Standing::Staged => format!("its goods lie apart from the shelf of store {store}"),
        Standing::Fulfilled => "its goods were handed over".into(),
        Standing::Released => match record.said.has(Step::Expire) {
            true => "it was not confirmed in time; its goods are free again".into(),
            false => "it was given up; its goods are free again".into(),
        },
        Standing::Shorted => match compensation.map_or(DUE, |compensation| compensation.remedy) {
            DUE => "its goods were missing; compensation is due".into(),
            REFUND => "its goods were missing; a refund is given".into(),
            _ => "its goods were missing; the same come from another store".into(),
        },
    }
}

const DUE: &str = "due";

const REFUND: &str = "refund";

const STATES: [Standing; 7] = [
    Standing::Held,
    Standing::Confirmed,
    Standing::Releasing,
    Standing::Staged,
    Standing::Fulfilled,
    Standing::Released,
    Standing::Shorted,
];
