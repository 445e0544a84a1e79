//! What the customer and head office say of an order at its home: the wish is written down, and who holds the goods decides.

use std::sync::Arc;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use stockroom_core::input::Command;
use stockroom_core::input::orders::SayRequest;
use stockroom_crdt::ids::{Code, StoreId};
use stockroom_crdt::order::intent::Saying;
use stockroom_crdt::order::resolve::Outcome;
use stockroom_crdt::order::step::Step;
use stockroom_crdt::order::{LineUnits, OrderId};
use utoipa::ToSchema;

use super::show::{OrderAnswer, shown};
use super::{about_order, find, note_attempt};
use crate::api::Api;
use crate::api::idempotency::{KeyHeader, Keyed, done};
use crate::api::problem::{Answered, Problem};
use crate::api::request::Segments;
use crate::api::values::{Text, Word};

/// What is said. Each action takes what it needs.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SayBody {
    /// About which units; about everything that is left if absent or empty.
    #[serde(default)]
    lines: Vec<UnitsBody>,
    /// `choice`: `cancel`, `partial`, `substitute`, `wait` or `delivery`, unless `stores` names another store. `hold`, `cancel`: why; a cancel with
    /// `amend` leaves what is picked. `arrived`: where. `risk-refund`: who bears it if the goods are handed over all the same. At most 32 bytes.
    #[serde(default)]
    #[schema(value_type = String)]
    note: Text<Code>,
    /// By whom; `customer` if absent.
    #[schema(value_type = Option<String>)]
    by: Option<Text<Code>>,
    /// `choice`: the store where the customer takes it instead.
    #[serde(default)]
    stores: Vec<u32>,
}

/// Units of a line.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UnitsBody {
    /// Which line, from 1.
    line: u16,
    /// How many more pieces or grams.
    quantity: i64,
}

/// What was said, and what the order adds up to now.
#[derive(Serialize, ToSchema)]
pub struct SayAnswer {
    /// What was written.
    did: String,
    /// What comes of it, in words.
    why: String,
    /// The order.
    order: OrderAnswer,
}

/// What can be said of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Said(Saying);

/// Says something of an order, at its home. `cancel` asks: what no store has taken is cancelled at once, what one holds is decided there; for what
/// the customer has already the answer is 409, and the wish stays written down. `choice` answers what a store refused or is short of.
#[utoipa::path(post, path = "/v1/orders/{id}/{action}", tag = "orders",
    params(("id" = String, Path), ("action" = String, Path, description = "`cancel`, `choice`, `hold`, `resume`, `arrived`, `risk-refund` or `give-up`"), KeyHeader),
    request_body = SayBody, responses((status = 200, body = SayAnswer)))]
pub async fn say_of_order(
    State(api): State<Arc<Api>>,
    Segments(id, Said(saying)): Segments<OrderId, Said>,
    Keyed { value, retry }: Keyed<SayBody>,
) -> Answered {
    let what = Said(saying).write();
    let refused = |problem: Problem| {
        let problem = about_order(&api, id, problem);
        note_attempt(&api, &what, Some(id), &problem);
        problem
    };
    let request = value.request(id, saying).map_err(refused)?;
    let lines: Vec<u16> = request.lines.iter().map(|units| units.line).collect();
    let written = api.write(Command::SayOrder(retry, request)).await.map_err(refused)?;
    let (order, outcome) = api.read(|books| Ok((shown(&api, books, id)?, find(&api, books, id)?.1)))?;
    if saying == Saying::AskCancel
        && let Some(problem) = handed_before(&outcome, &lines)
    {
        return Err(refused(problem));
    }
    let why = follows(saying, &outcome, &lines);
    Ok(done(written.replayed, SayAnswer { did: what, why, order }))
}

impl SayBody {
    fn request(self, order: OrderId, saying: Saying) -> Answered<SayRequest> {
        let units = |(at, units): (usize, UnitsBody)| match units.line.checked_sub(1) {
            Some(line) => Ok(LineUnits { line, quantity: units.quantity }),
            None => Err(Problem::invalid(format!("lines[{at}].line"), "is not a line: they are counted from 1")),
        };
        let mut lines = self.lines.into_iter().enumerate().map(units).collect::<Answered<Vec<_>>>()?;
        lines.sort_by_key(|units| units.line);
        if let Some(two) = lines.windows(2).find(|two| two[0].line == two[1].line) {
            return Err(Problem::invalid("lines", format_args!("name line {} twice", two[0].line + 1)));
        }
        let by = self.by.map_or_else(|| Code::parse("customer").unwrap_or_default(), |by| by.0);
        let stores = self.stores.into_iter().map(StoreId).collect();
        Ok(SayRequest { order, saying, lines, note: self.note.0, by, stores })
    }
}

impl Word for Said {
    fn read(text: &str) -> Result<Self, String> {
        let found = WORDS.into_iter().find(|(word, _)| *word == text);
        found.map(|(_, saying)| Self(saying)).ok_or_else(|| {
            let words: Vec<_> = WORDS.into_iter().map(|(word, _)| word).collect();
            format!("is none of {}", words.join(", "))
        })
    }

    fn write(&self) -> String {
        let found = WORDS.into_iter().find(|(_, saying)| *saying == self.0);
        found.map_or(self.0.as_str(), |(word, _)| word).into()
    }
}

/// The problem with a cancel when the customer has everything that it is about.
fn handed_before(outcome: &Outcome, lines: &[u16]) -> Option<Problem> {
    let about = |at: &usize| lines.is_empty() || lines.iter().any(|line| usize::from(*line) == *at);
    let (mut handed, mut open, mut cancelled) = (0, 0, 0);
    for (_, line) in outcome.lines.iter().enumerate().filter(|(at, _)| about(at)) {
        (handed, open, cancelled) = (handed + line.handed, open + line.open, cancelled + line.cancelled);
    }
    if handed == 0 || open > 0 || cancelled > 0 {
        return None;
    }
    let when = outcome.fulfillments.iter().filter_map(|part| {
        let at = part.first(Step::HandOver).or_else(|| part.first(Step::Deliver))?;
        Some((at.ms(), part.store.0))
    });
    let (at_ms, store) = when.min()?;
    let words = |said: &str| format!("{said}; the wish is written down");
    Some(Problem::handed_over(at_ms, store).detailed(words))
}

/// What comes of it, in words.
fn follows(saying: Saying, outcome: &Outcome, lines: &[u16]) -> String {
    if saying != Saying::AskCancel {
        return format!("the order is {}", outcome.state.as_str());
    }
    let about = |line: u16| lines.is_empty() || lines.contains(&line);
    let holders = outcome.fulfillments.iter().filter(|part| {
        part.state.is_open()
            && !part.withdrawn
            && part.lines.iter().any(|line| line.open() > 0 && about(line.offered.line))
    });
    let holders: Vec<_> = holders.map(|part| format!("store {}", part.store.0)).collect();
    if holders.is_empty() {
        return format!("nothing of it is left to cancel: the order is {}", outcome.state.as_str());
    }
    format!("{} decides: the goods are there, and it has not answered yet", holders.join(" and "))
}

const WORDS: [(&str, Saying); 7] = [
    ("cancel", Saying::AskCancel),
    ("choice", Saying::Choose),
    ("hold", Saying::Hold),
    ("resume", Saying::Resume),
    ("arrived", Saying::Arrive),
    ("risk-refund", Saying::RiskRefund),
    ("give-up", Saying::GiveUp),
];
