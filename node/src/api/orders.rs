//! Orders as a channel sees them: placing one, what became of it, and what the customer and head office say of it.
//!
//! They are written at the order's home: a hub, or the store for deliveries that start at its till. Lines have the numbers that stand on
//! paper, from 1.
//!
//! | module | what it knows |
//! |---|---|
//! | [`place`], [`plan`] | placing an order; who is asked for it, and why |
//! | [`list`], [`show`] | orders, and everything about one |
//! | [`say`], [`money`] | cancelling, choosing, holding; what was paid and paid back |
//! | [`pass`] | the signed pass: issued at the home, verified at a store |
//! | [`tracking`] | what the customer may see |
//! | [`rules`] | routing, time limits, opening hours |
//! | [`events`], [`notices`] | what happens, for systems and for customers |

pub mod plan;

pub mod place;

pub mod list;
pub mod show;

pub mod money;
pub mod say;

pub mod pass;

pub mod tracking;

pub mod rules;

pub mod events;
pub mod notices;

use serde_json::json;
use stockroom_crdt::order::OrderId;
use stockroom_crdt::order::header::Preference;
use stockroom_crdt::order::resolve::{Known, Outcome, resolve};

use super::events::ApiEvent;
use super::problem::{Answered, Kind, Problem};
use super::values::Word;
use super::{Api, Books};

impl Word for OrderId {
    fn read(text: &str) -> Result<Self, String> {
        Self::parse(text).ok_or_else(|| "is not the number of an order, home-digits, e.g. 7-0123456789".into())
    }

    fn write(&self) -> String {
        self.to_string()
    }
}

impl Word for Preference {
    fn read(text: &str) -> Result<Self, String> {
        Self::parse(text).ok_or_else(|| "is not one of ask, substitute, partial, whole".into())
    }

    fn write(&self) -> String {
        self.as_str().into()
    }
}

/// An order that is known here as a whole, and what it adds up to.
pub fn find(api: &Api, books: &Books<'_>, order: OrderId) -> Answered<(Known, Outcome)> {
    let known = books.order(order)?;
    match resolve(&known) {
        Some(outcome) => Ok((known, outcome)),
        None => Err(unknown(api, order, !known.parts.is_empty())),
    }
}

/// A problem with a request about an order in the path.
pub fn about_order(api: &Api, order: OrderId, problem: Problem) -> Problem {
    let is_unknown = problem.kind() == Kind::UnknownReference && problem.field() == Some("order");
    if is_unknown { unknown(api, order, false) } else { problem }
}

fn unknown(api: &Api, order: OrderId, has_part: bool) -> Problem {
    let home = order.home.0;
    if has_part {
        let detail = format!(
            "only a part of order {order} is known here, see /v1/fulfillments/{order}; its home is node {home}"
        );
        return Problem::new(Kind::NotHere, detail);
    }
    if home != api.info.node {
        return Problem::not_found(format!("order {order} is not known here; its home is node {home}"));
    }
    Problem::not_found(format!("there is no order {order}"))
}

/// Somebody tried what is not done. Nothing of it is written in a log, so it is told to those who follow the events and to this node's own
/// log: ids and reasons only.
pub fn note_attempt(api: &Api, what: &str, order: Option<OrderId>, problem: &Problem) {
    let kind = problem.kind().uri();
    let order = order.map(|order| order.to_string());
    tracing::info!(what, order, problem = kind, "attempt refused");
    let subject = order.as_ref().map(|order| format!("order/{order}"));
    let data = json!({ "attempt": what, "order": order, "problem": kind, "why": problem.said() });
    api.tell(ApiEvent { kind: "order.attempt-refused", subject, data });
}
