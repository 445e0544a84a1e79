//! Baskets that wait at a store: suspended, a counter's slip, or while a payment terminal is asked. Where each stands, what can be done about
//! it now, and doing it.

pub mod answer;

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use stockroom_core::input::checkout::{BasketDeed, BasketRequest, CheckoutAnswer as Outcome, TerminalSaid};
use stockroom_core::input::{Answer, Command, Event};
use stockroom_crdt::checkout::basket::BasketId;
use stockroom_crdt::checkout::staff::Role;
use stockroom_crdt::checkout::tender::{Assurance, TenderState};
use stockroom_crdt::entry::kind;
use stockroom_crdt::ids::{Code, StoreId, TillId};
use stockroom_crdt::scope::Scope;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use utoipa::ToSchema;

use super::checkout::{PaidBody, TerminalBody, paid, terminal, wait};
use super::idempotency::{KeyHeader, Keyed, created, done};
use super::problem::{Answered, Kind, Problem};
use super::receipts::StoreParams;
use super::request::{Body, Params, Segment, Segments};
use super::values::{Text, Word, digits};
use super::who::{SessionHeader, Shown, Who};
use super::{Api, Books, unexpected};
use crate::handle::NumberedEvent;
use crate::staff::approvals::What;
use answer::BasketAnswer;

/// Baskets that wait.
#[derive(Serialize, ToSchema)]
pub struct BasketList {
    /// The store.
    store: u32,
    /// By till and number.
    items: Vec<BasketAnswer>,
}

/// What somebody does about a basket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Goes on with it at a till, under another number.
    Resume,
    /// Throws it away.
    Abandon,
    /// Hands the goods of a paid slip over.
    Release,
    /// Pays a slip at a cash desk.
    Pay,
    /// Asks another terminal for what is left.
    Ask,
    /// Takes what is left without a terminal.
    Tender,
}

/// Who does it, where, and how it is paid.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ActBody {
    /// At which till.
    till: u32,
    /// By whom.
    #[serde(default)]
    #[schema(value_type = String)]
    staff: Text<Code>,
    /// For `pay`: the number of the sale at the till that takes the money.
    till_seq: Option<u64>,
    /// For `pay` and `tender`: what is there without a terminal.
    #[serde(default)]
    tenders: Vec<PaidBody>,
    /// For `pay` and `ask`: which terminal.
    terminal: Option<TerminalBody>,
    /// How long the answer waits for the terminal's, seconds, 0 to 12; 10 if absent.
    wait_s: Option<u64>,
}

/// What somebody saw on a terminal that does not answer.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SaidBody {
    /// `approved` (it has the money), `declined` (it has not), or `reversed` (it gave it back).
    #[schema(value_type = String, example = "approved")]
    state: Text<Seen>,
    /// Minor units that it took, if not what it was asked for.
    amount: Option<i64>,
    /// Its approval code, or why not.
    #[serde(default)]
    #[schema(value_type = String)]
    said: Text<Code>,
    /// Who looked.
    #[serde(default)]
    #[schema(value_type = String)]
    staff: Text<Code>,
    /// The manager who confirms it, where her name alone is believed.
    #[serde(default)]
    #[schema(value_type = String)]
    approver: Text<Code>,
    /// What `/v1/approvals` gave for `checkout`.
    approval: Option<String>,
}

/// What may be seen on a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen(TenderState);

/// Baskets of a store for which somebody has to do something: pay them, follow a terminal, release goods.
#[utoipa::path(get, path = "/v1/baskets", tag = "checkout", params(StoreParams),
    responses((status = 200, body = BasketList)))]
pub async fn list_baskets(
    State(api): State<Arc<Api>>,
    Params(params): Params<StoreParams>,
) -> Answered<Json<BasketList>> {
    let store = api.store_or_own(params.store)?;
    let read = move |books: &Books<'_>| {
        let held = books.waiting_baskets(store)?;
        let items = held.iter().map(|held| BasketAnswer::of(books, store, held));
        Ok(Json(BasketList { store: store.0, items: items.collect::<Answered<_>>()? }))
    };
    api.read_much(read).await
}

/// A basket that waits or waited, or a sale that this node priced.
#[utoipa::path(get, path = "/v1/baskets/{basket}", tag = "checkout",
    params(("basket" = String, Path, description = "till-till_seq"), StoreParams), responses((status = 200, body = BasketAnswer)))]
pub async fn show_basket(
    State(api): State<Arc<Api>>,
    Segment(id): Segment<BasketId>,
    Params(params): Params<StoreParams>,
) -> Answered<Json<BasketAnswer>> {
    let store = api.store_or_own(params.store)?;
    api.read(|books| BasketAnswer::find(books, store, id).map(Json))
}

/// Does something about a basket that waits. What its state does not allow is a conflict that names the state. After `resume` its lines are
/// rung up again under another number: they are in the answer. `abandon` of a basket for which a terminal may have money waits until that is
/// given back.
#[utoipa::path(post, path = "/v1/baskets/{basket}/{action}", tag = "checkout",
    params(("basket" = String, Path, description = "till-till_seq"),
        ("action" = String, Path, description = "`resume`, `abandon`, `release`, `pay`, `ask` or `tender`"), KeyHeader, SessionHeader),
    request_body = ActBody, responses((status = 201, body = BasketAnswer),
        (status = 202, body = BasketAnswer, description = "It is not paid yet: the terminal was asked, or has declined"),
        (status = 200, body = BasketAnswer, description = "An earlier try had done it")))]
pub async fn act_on_basket(
    State(api): State<Arc<Api>>,
    who: Who,
    Segments(basket, action): Segments<BasketId, Action>,
    Keyed { value, retry }: Keyed<ActBody>,
) -> Answered {
    let store = api.own_store()?;
    who.may(&api, Role::Cashier)?;
    let wait = wait(value.wait_s)?;
    let (till, staff) = (TillId(value.till), who.name("staff", &value.staff.0)?);
    let what = action.deed(&api, &value)?;
    let events = api.handle.events();
    let request = BasketRequest { basket, till, staff, what };
    let outcome = api.ask(Command::Basket(retry, Box::new(request))).await;
    let outcome = match outcome.map_err(|problem| of_path(problem, basket))? {
        // Whose goods were released is the slip, not the receipt that paid for it.
        Answer::Checkout(Outcome::Paid(_)) if action == Action::Release => Outcome::Ended(basket),
        Answer::Checkout(outcome) => outcome,
        answer => return unexpected(&answer),
    };
    let settled = settle(&api, (store, outcome), (events, wait)).await?;
    Ok(settled.answer(false))
}

/// Puts down what somebody saw on a terminal that cannot be asked. A manager confirms it. The record says that it was seen by a person, and if
/// the terminal answers after all and says otherwise, its word holds where it still can.
#[utoipa::path(post, path = "/v1/baskets/{basket}/tenders/{number}", tag = "checkout",
    params(("basket" = String, Path, description = "till-till_seq"), ("number" = u32, Path), SessionHeader),
    request_body = SaidBody, responses((status = 200, body = BasketAnswer)))]
pub async fn say_of_tender(
    State(api): State<Arc<Api>>,
    who: Who,
    Segments(basket, number): Segments<BasketId, u32>,
    Body { value, digest }: Body<SaidBody>,
) -> Answered {
    let store = api.own_store()?;
    let unasked = || Problem::not_found("no terminal was asked under this number");
    let number = u16::try_from(number).map_err(|_| unasked())?;
    let shown = Shown { approver: value.approver.0, approval: value.approval };
    let approver = who.needed_approver(&api, &shown, (What::Checkout, digest))?;
    let named = who.name("staff", &value.staff.0)?;
    let staff = if named.is_empty() { approver } else { named };
    if staff.is_empty() {
        return Err(Problem::invalid("staff", "is missing: who looked at the terminal"));
    }
    let said = TerminalSaid {
        basket,
        number,
        state: value.state.0.0,
        said: value.said.0,
        assurance: Assurance::Seen,
        amount: value.amount,
        staff,
    };
    match api.ask(Command::TerminalSaid(said)).await.map_err(|problem| of_path(problem, basket))? {
        Answer::Checkout(_) => Ok(done(false, api.read(|books| BasketAnswer::find(books, store, basket))?)),
        answer => unexpected(&answer),
    }
}

/// Where a basket stands after a command, and after its terminal had some time to answer.
pub struct Settled(BasketAnswer);

/// Waits while a terminal is asked, then says where the basket stands. `events` have to be those from before the command.
pub async fn settle(
    api: &Api,
    (store, outcome): (StoreId, Outcome),
    (events, wait): (Receiver<NumberedEvent>, Duration),
) -> Answered<Settled> {
    let found = match outcome {
        Outcome::Paid(receipt) => api.read(|books| BasketAnswer::sold(books, store, receipt))?,
        Outcome::Waits(id) | Outcome::Ended(id) => api.read(|books| BasketAnswer::find(books, store, id))?,
        Outcome::Ask { basket, .. } => {
            answered(api, (store, basket), events, wait).await?;
            api.read(|books| BasketAnswer::find(books, store, basket))?
        }
        Outcome::Quoted(_) => return Err(Problem::new(Kind::Storage, "a quote is no basket")),
    };
    Ok(Settled(found))
}

/// Waits until no terminal is asked for a basket any more, or for so long.
async fn answered(
    api: &Api,
    (store, id): (StoreId, BasketId),
    mut events: Receiver<NumberedEvent>,
    wait: Duration,
) -> Answered<()> {
    let until = tokio::time::Instant::now() + wait;
    while api.read(|books| Ok(books.basket(store, id)?.is_some_and(|held| held.asking().is_some())))? {
        let news = async {
            loop {
                match events.recv().await.map(|told| told.event) {
                    Ok(Event::Entry { scope: Scope::StoreStock(_), kind: kind::TENDER_STEP, .. })
                    | Err(RecvError::Lagged(_)) => return true,
                    Ok(_) => {}
                    Err(RecvError::Closed) => return false,
                }
            }
        };
        match tokio::time::timeout_at(until, news).await {
            Ok(true) => {}
            Ok(false) => return Err(Problem::new(Kind::Stopping, "the node is stopping")),
            Err(_) => return Ok(()),
        }
    }
    Ok(())
}

impl Settled {
    /// It became a receipt.
    pub fn is_sold(&self) -> bool {
        self.0.receipt.is_some()
    }

    /// 201 for what is done, 202 and where to ask while something is left to be paid.
    pub fn answer(self, replayed: bool) -> Response {
        let is_open = self.0.is_open();
        let location = format!("/v1/baskets/{}", self.0.basket.0.write());
        let mut response = created(replayed, self.0);
        if is_open {
            *response.status_mut() = StatusCode::ACCEPTED;
            if let Ok(location) = HeaderValue::from_str(&location) {
                response.headers_mut().insert(header::LOCATION, location);
            }
        }
        response.into_response()
    }
}

impl Action {
    const ALL: [Self; 6] = [Self::Resume, Self::Abandon, Self::Release, Self::Pay, Self::Ask, Self::Tender];

    fn as_str(self) -> &'static str {
        match self {
            Self::Resume => "resume",
            Self::Abandon => "abandon",
            Self::Release => "release",
            Self::Pay => "pay",
            Self::Ask => "ask",
            Self::Tender => "tender",
        }
    }

    /// What the core is asked. Fields that mean nothing for it are refused: somebody meant something by them.
    fn deed(self, api: &Api, body: &ActBody) -> Answered<BasketDeed> {
        let stray = |field: &str| Problem::invalid(field, format_args!("means nothing for {}", self.as_str()));
        let takes_money = matches!(self, Self::Pay | Self::Tender);
        if !takes_money && !body.tenders.is_empty() {
            return Err(stray("tenders"));
        }
        if !matches!(self, Self::Pay | Self::Ask) && body.terminal.is_some() {
            return Err(stray("terminal"));
        }
        if self != Self::Pay && body.till_seq.is_some() {
            return Err(stray("till_seq"));
        }
        let (tenders, terminal) = (paid(&body.tenders)?, terminal(api, body.terminal.as_ref())?);
        Ok(match self {
            Self::Resume => BasketDeed::Resume,
            Self::Abandon => BasketDeed::Abandon,
            Self::Release => BasketDeed::Release,
            Self::Pay => {
                let number = body.till_seq.ok_or_else(|| Problem::invalid("till_seq", "is missing"))?;
                BasketDeed::PaySlip { number, tenders, terminal }
            }
            Self::Ask => {
                let (terminal, kind) = terminal.ok_or_else(|| Problem::invalid("terminal", "is missing"))?;
                BasketDeed::Ask { terminal, kind }
            }
            Self::Tender => BasketDeed::Tender { tenders },
        })
    }
}

impl Word for Action {
    fn read(text: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|action| action.as_str() == text);
        known.ok_or_else(|| "is not one of resume, abandon, release, pay, ask, tender".into())
    }

    fn write(&self) -> String {
        self.as_str().into()
    }
}

impl Word for Seen {
    fn read(text: &str) -> Result<Self, String> {
        let seen = [TenderState::Approved, TenderState::Declined, TenderState::Reversed];
        let known = seen.into_iter().find(|state| state.as_str() == text).map(Self);
        known.ok_or_else(|| "is not one of approved, declined, reversed".into())
    }

    fn write(&self) -> String {
        self.0.as_str().into()
    }
}

impl Word for BasketId {
    fn read(text: &str) -> Result<Self, String> {
        let parts = text.split_once('-').and_then(|(till, number)| Some((digits(till)?, digits(number)?)));
        let id = parts.map(|(till, number)| Self { till: TillId(till), number });
        id.ok_or_else(|| "is not the name of a basket till-till_seq, e.g. 3-17".into())
    }

    fn write(&self) -> String {
        format!("{}-{}", self.till.0, self.number)
    }
}

/// A basket that the path names and nobody knows.
fn of_path(problem: Problem, basket: BasketId) -> Problem {
    match (problem.kind(), problem.field()) {
        (Kind::UnknownReference, Some("basket")) => none(basket),
        (Kind::UnknownReference, Some("number")) => Problem::not_found("no terminal was asked under this number"),
        _ => problem,
    }
}

fn none(id: BasketId) -> Problem {
    Problem::not_found(format!("no basket {} is known here", id.write()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_basket_has_one_spelling() {
        let id = BasketId { till: TillId(3), number: 17 };
        assert_eq!((BasketId::read("3-17"), id.write()), (Ok(id), "3-17".into()));
        for wrong in ["", "3", "3-", "03-17", "3-17-1", "a-b", "-3-17"] {
            assert!(BasketId::read(wrong).is_err(), "{wrong}");
        }
        assert!(Action::ALL.iter().all(|action| Action::read(action.as_str()) == Ok(*action)));
        assert!(Seen::read("unknown").is_err());
    }
}
