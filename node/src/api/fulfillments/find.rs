//! Finding the order of whoever stands at the counter: by the pickup code alone, the end of the order's number, or of the phone.
//!
//! Finding gives nothing away: the code is shown once more to hand over, and counted there. Codes that belong to nothing are counted here, so that
//! nobody finds one by trying.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use stockroom_crdt::ids::StoreId;
use stockroom_crdt::order::OrderId;
use stockroom_crdt::order::offer::{Offer, code_hash, phone_hash};
use stockroom_crdt::product::Channel;
use utoipa::ToSchema;

use super::answer::{FulfillmentAnswer, Shown, newest};
use crate::api::limits::PAGE_MAX;
use crate::api::problem::{Answered, Kind, Problem};
use crate::api::request::Body;
use crate::api::values::now_ms;
use crate::api::{Api, Books};

/// What the customer says or shows.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FindBody {
    /// The six digits of the pickup code, an order's number or at least its last four digits, or the last four digits of the phone.
    text: String,
}

/// Orders that it may be.
#[derive(Serialize, ToSchema)]
pub struct FoundAnswer {
    /// What it was taken for: `code`, `number` or `phone`; `nothing` if nothing was found.
    by: &'static str,
    /// Them, the first due first; at most 20.
    items: Vec<FulfillmentAnswer>,
}

/// When codes were asked for that belong to nothing, milliseconds since 1970, the oldest first.
#[derive(Default)]
pub struct Misses(Mutex<VecDeque<u64>>);

/// Finds pickups of this store for whoever stands at the counter.
#[utoipa::path(post, path = "/v1/pickups/find", tag = "fulfillments", request_body = FindBody,
    responses((status = 200, body = FoundAnswer)))]
pub async fn find_pickups(
    State(api): State<Arc<Api>>,
    Body { value, .. }: Body<FindBody>,
) -> Answered<Json<FoundAnswer>> {
    let store = api.own_store()?;
    let text = value.text.trim().to_owned();
    let order = OrderId::parse(&text);
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let is_digits = digits.len() == text.len() && (4..=10).contains(&digits.len());
    if order.is_none() && !is_digits {
        return Err(Problem::invalid("text", "is neither a code, nor the end of an order's number or of a phone"));
    }
    if digits.len() == CODE_DIGITS && api.code_misses.too_many(now_ms()) {
        let detail = "too many codes belonged to nothing: find the order by its number or the phone";
        return Err(Problem::new(Kind::Conflict, detail));
    }
    let shared = api.clone();
    let read = move |books: &Books<'_>| find(books, store, (order, &digits));
    let found = shared.read_much(read).await?;
    if found.by == "nothing" && text.len() == CODE_DIGITS {
        api.code_misses.count(now_ms());
    }
    Ok(Json(found))
}

fn find(books: &Books<'_>, store: StoreId, (order, digits): (Option<OrderId>, &str)) -> Answered<FoundAnswer> {
    if let Some(order) = order {
        return answer(books, store, ("number", vec![order]));
    }
    let (mut by_code, mut by_number, mut by_phone) = (Vec::new(), Vec::new(), Vec::new());
    let mut after = None;
    loop {
        let page = books.works(store, after, PAGE_MAX)?;
        let Some(last) = page.last() else { break };
        after = Some(*last);
        for work in page {
            let known = books.order_at(store, work.order)?;
            let Some(offer) = known.parts.get(&(work.generation, store)).and_then(|part| part.offer.as_ref()) else {
                continue;
            };
            if offer.channel != Channel::Pickup {
                continue;
            }
            if is_code(offer, digits) {
                by_code.push(work.order);
            }
            if is_number(work.order, digits) {
                by_number.push(work.order);
            }
            if digits.len() == 4 && offer.phone == phone_hash(work.order, digits) {
                by_phone.push(work.order);
            }
        }
    }
    for (by, found) in [("code", by_code), ("phone", by_phone), ("number", by_number)] {
        if !found.is_empty() {
            return answer(books, store, (by, found));
        }
    }
    // Whoever has the goods already is told so.
    let mut after = None;
    let mut over = Vec::new();
    loop {
        let page = books.orders(Some(store), after, PAGE_MAX)?;
        let Some(last) = page.last() else { break };
        after = Some(*last);
        over.extend(page.into_iter().filter(|order| is_number(*order, digits)));
    }
    answer(books, store, (if over.is_empty() { "nothing" } else { "number" }, over))
}

fn is_code(offer: &Offer, digits: &str) -> bool {
    digits.len() == CODE_DIGITS && offer.code != [0; 16] && code_hash(offer.order, digits) == offer.code
}

fn is_number(order: OrderId, digits: &str) -> bool {
    format!("{:010}", order.number).ends_with(digits)
}

fn answer(books: &Books<'_>, store: StoreId, (by, orders): (&'static str, Vec<OrderId>)) -> Answered<FoundAnswer> {
    let mut items = Vec::new();
    for order in orders.into_iter().take(FOUND_MAX) {
        let known = books.order_at(store, order)?;
        if let Some(part) = newest(&known, store, None) {
            items.extend(Shown { known: &known, part: &part, now_ms: now_ms() }.brief(books)?);
        }
    }
    let by = if items.is_empty() { "nothing" } else { by };
    Ok(FoundAnswer { by, items })
}

impl Misses {
    fn too_many(&self, now_ms: u64) -> bool {
        let Ok(mut held) = self.0.lock() else { return true };
        while held.front().is_some_and(|at| now_ms.saturating_sub(*at) > MISSES_MS) {
            held.pop_front();
        }
        held.len() >= MISSES_MAX
    }

    fn count(&self, now_ms: u64) {
        if let Ok(mut held) = self.0.lock() {
            held.push_back(now_ms);
            held.truncate(MISSES_MAX);
        }
    }
}

/// Digits of a pickup code.
const CODE_DIGITS: usize = 6;

/// A counter where more customers than this have the same last digits asks for more of them.
const FOUND_MAX: usize = 20;

/// Codes that belonged to nothing within [`MISSES_MS`]: misread ones of a busy counter, and far too few for whoever tries a million.
const MISSES_MAX: usize = 60;

/// An hour.
const MISSES_MS: u64 = 3_600_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_finds_a_code_by_trying() {
        let misses = Misses::default();
        for at in 0..MISSES_MAX as u64 {
            assert!(!misses.too_many(at));
            misses.count(at);
        }
        assert!(misses.too_many(1_000));
        assert!(!misses.too_many(2 * MISSES_MS));
    }
}
