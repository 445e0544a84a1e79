//! Orders in a list: the open ones by when they are due, or all of them.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use stockroom_crdt::ids::{Code, StoreId};
use stockroom_crdt::money::Currency;
use stockroom_crdt::order::OrderId;
use stockroom_crdt::order::resolve::{Known, Outcome, resolve};
use stockroom_crdt::product::Channel;
use utoipa::{IntoParams, ToSchema};

use crate::api::fulfillments::{STATES, Turn};
use crate::api::limits::PAGE_MAX;
use crate::api::problem::{Answered, Problem};
use crate::api::products::page_limit;
use crate::api::request::Params;
use crate::api::values::{Moment, Text, now_ms};
use crate::api::{Api, Books};

/// Orders that were found.
#[derive(Serialize, ToSchema)]
pub struct OrderList {
    /// Open ones by when they are due, else by their numbers.
    items: Vec<OrderBrief>,
    /// To be given as `after` for the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    next: Option<Text<Turn>>,
}

/// An order in a list.
#[derive(Serialize, ToSchema)]
pub struct OrderBrief {
    /// Its number.
    #[schema(value_type = String)]
    order: Text<OrderId>,
    /// Where it stands.
    state: &'static str,
    /// `stable` or `tentative`.
    stability: &'static str,
    /// Why it waits; absent when it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    hold: Option<String>,
    /// `pickup` or `delivery`.
    #[schema(value_type = String)]
    channel: Text<Channel>,
    /// Where it was placed.
    #[schema(value_type = String)]
    source: Text<Code>,
    /// Its number there.
    #[schema(value_type = String)]
    reference: Text<Code>,
    /// When it was placed.
    #[schema(value_type = String, format = DateTime)]
    placed_at: Text<Moment>,
    /// When it is to be ready, or delivered.
    #[schema(value_type = String, format = DateTime)]
    due: Text<Moment>,
    /// Seconds until then; negative when it is late.
    due_in_s: i64,
    /// Stores that have a part of it, in the order in which they were asked.
    stores: Vec<u32>,
    /// Lines.
    lines: usize,
    /// Of all amounts.
    #[schema(value_type = String)]
    currency: Text<Currency>,
    /// What it costs as ordered, minor units.
    total: i64,
    /// Units that no store has.
    unplaced: i64,
    /// Refunds that are due, minor units.
    refund_due: i64,
}

/// Which orders.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct OrderParams {
    /// Only those that are not settled: something can still get to the customer, a refund is due, or a store has not answered.
    open: Option<bool>,
    /// `waiting`, `completed`, `partly-completed`, `cancelled`, `failed`, or the state of the least advanced fulfillment.
    state: Option<String>,
    /// Only those of which this store has, or had, a part.
    store: Option<u32>,
    /// Only those with this number where they were placed.
    #[param(value_type = Option<String>)]
    reference: Option<Text<Code>>,
    /// Begin behind this one, as the last page said.
    #[param(value_type = Option<String>)]
    after: Option<Text<Turn>>,
    /// At most this many, up to 1,000; 100 if absent.
    limit: Option<usize>,
}

/// Orders whose home this is, or that have come here as a whole.
#[utoipa::path(get, path = "/v1/orders", tag = "orders", params(OrderParams), responses((status = 200, body = OrderList)))]
pub async fn list_orders(
    State(api): State<Arc<Api>>,
    Params(params): Params<OrderParams>,
) -> Answered<Json<OrderList>> {
    let limit = page_limit(params.limit)?;
    params.check()?;
    let read = move |books: &Books<'_>| {
        let homes = params.homes(books)?;
        let mut list = OrderList { items: Vec::new(), next: None };
        let mut after = params.after.as_ref().map(|turn| turn.0);
        loop {
            let turns = params.turns(books, &homes, after)?;
            if turns.is_empty() {
                return Ok(Json(list));
            }
            for turn in turns {
                if list.items.len() == limit {
                    list.next = after.map(Text);
                    return Ok(Json(list));
                }
                list.items.extend(params.found(books, turn)?);
                after = Some(turn);
            }
        }
    };
    api.read_much(read).await
}

impl OrderParams {
    fn check(&self) -> Answered<()> {
        let is_word = |state: &&str| WORDS.contains(state) || STATES.iter().any(|known| known.as_str() == *state);
        if let Some(state) = self.state.as_deref().filter(|state| !is_word(state)) {
            let words: Vec<_> = WORDS.into_iter().chain(STATES.iter().map(|state| state.as_str())).collect();
            return Err(Problem::invalid("state", format_args!("{state} is none of {}", words.join(", "))));
        }
        let fits = match self.after.as_ref().map(|turn| turn.0) {
            None => true,
            Some(Turn::Due(_)) => self.open == Some(true),
            Some(Turn::At(..)) => self.open != Some(true),
        };
        if fits { Ok(()) } else { Err(Problem::invalid("after", "is not what this list said")) }
    }

    /// Where orders are kept, in the order of the list: 0 for those of hubs, then stores with those of their own.
    fn homes(&self, books: &Books<'_>) -> Answered<Vec<StoreId>> {
        let Some(store) = self.store else {
            let stores = books.stores()?.into_iter().map(|record| record.store);
            return Ok(std::iter::once(StoreId(0)).chain(stores).collect());
        };
        let record = books.store(StoreId(store))?;
        let record = record.ok_or_else(|| Problem::unknown("store", format_args!("no such store: {store}")))?;
        Ok(vec![record.store])
    }

    fn turns(&self, books: &Books<'_>, homes: &[StoreId], after: Option<Turn>) -> Answered<Vec<Turn>> {
        if self.open == Some(true) {
            let work = match after {
                Some(Turn::Due(work)) => Some(work),
                Some(Turn::At(..)) | None => None,
            };
            return Ok(books.open_orders(work, PAGE_MAX)?.into_iter().map(Turn::Due).collect());
        }
        let (from, order) = match after {
            Some(Turn::At(store, order)) => (store, Some(order)),
            Some(Turn::Due(_)) | None => (StoreId(0), None),
        };
        for home in homes.iter().filter(|home| **home >= from) {
            let behind = order.filter(|_| *home == from);
            let scope = (home.0 != 0).then_some(*home);
            let orders = books.orders(scope, behind, PAGE_MAX)?;
            if !orders.is_empty() {
                return Ok(orders.into_iter().map(|order| Turn::At(*home, order)).collect());
            }
        }
        Ok(Vec::new())
    }

    fn found(&self, books: &Books<'_>, turn: Turn) -> Answered<Option<OrderBrief>> {
        let (order, at) = match turn {
            Turn::Due(work) => (work.order, None),
            Turn::At(store, order) => (order, Some(store)),
        };
        if let (Some(store), None) = (at.filter(|store| store.0 != 0), self.store) {
            // Orders of hubs stand under hubs; here are those that this store took itself.
            let is_own = books.store(store)?.is_some_and(|record| record.home == order.home);
            if !is_own {
                return Ok(None);
            }
        }
        let known = books.order(order)?;
        let Some(outcome) = resolve(&known) else { return Ok(None) };
        let has_part = |store: u32| outcome.fulfillments.iter().any(|part| part.store.0 == store);
        let is_wanted = self.state.as_deref().is_none_or(|state| outcome.state.as_str() == state)
            && self.store.is_none_or(has_part)
            && self
                .reference
                .as_ref()
                .is_none_or(|wanted| known.order.as_ref().is_some_and(|order| order.reference == wanted.0));
        Ok(if is_wanted { OrderBrief::of(&known, &outcome) } else { None })
    }
}

impl OrderBrief {
    fn of(known: &Known, outcome: &Outcome) -> Option<Self> {
        let order = known.order.as_ref()?;
        let mut stores: Vec<u32> = Vec::new();
        for part in &outcome.fulfillments {
            if !stores.contains(&part.store.0) {
                stores.push(part.store.0);
            }
        }
        let refunds = outcome.due.iter().filter(|due| due.rule.is_refund() && !due.done);
        let due_ms = i64::try_from(order.due_ms).unwrap_or(i64::MAX);
        Some(Self {
            order: Text(order.id),
            state: outcome.state.as_str(),
            stability: if outcome.stable { "stable" } else { "tentative" },
            hold: outcome.held.as_ref().map(Code::to_string),
            channel: Text(order.channel),
            source: Text(order.source.clone()),
            reference: Text(order.reference.clone()),
            placed_at: Text(Moment(order.placed_ms)),
            due: Text(Moment(order.due_ms)),
            due_in_s: due_ms.saturating_sub_unsigned(now_ms()) / 1_000,
            stores,
            lines: order.lines.len(),
            currency: Text(order.currency),
            total: order.total(),
            unplaced: outcome.lines.iter().map(|line| line.unplaced).sum(),
            refund_due: refunds.map(|due| due.amount).fold(0, i64::saturating_add),
        })
    }
}

/// States that only a whole order has.
const WORDS: [&str; 5] = ["waiting", "completed", "partly-completed", "cancelled", "failed"];
