//! Baskets that wait at a store: suspended, a counter's slip, or while a payment terminal is asked. Where each stands, what can be done about
//! it now, and doing it.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use stockroom_core::books::baskets::{Asked, End, Held};
use stockroom_core::input::checkout::{BasketDeed, BasketRequest, CheckoutAnswer as Outcome, TerminalSaid};
use stockroom_core::input::{Answer, Command, Event};
use stockroom_crdt::checkout::basket::{Basket, BasketId, Waits};
use stockroom_crdt::checkout::staff::Role;
use stockroom_crdt::checkout::tender::{Assurance, TenderState};
use stockroom_crdt::entry::{Fact, kind};
use stockroom_crdt::ids::{Code, StoreId, TillId};
use stockroom_crdt::money::Currency;
use stockroom_crdt::sale::{ReceiptNumber, Tender, TenderKind};
use stockroom_crdt::scope::Scope;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use utoipa::ToSchema;

use super::checkout::priced::{PricedLine, priced};
use super::checkout::{PaidBody, TerminalBody, paid, terminal, wait};
use super::idempotency::{KeyHeader, Keyed, created, done};
use super::loyalty::benefits::{UsedCouponAnswer, UsedPointsAnswer, of_basket, of_receipt};
use super::problem::{Answered, Kind, Problem};
use super::receipts::StoreParams;
use super::request::{Body, Params, Segment, Segments};
use super::values::{Moment, ReceiptId, Text, Word, digits};
use super::who::{SessionHeader, Shown, Who};
use super::{Api, Books, unexpected, unexpected_entry};
use crate::handle::NumberedEvent;
use crate::staff::approvals::What;

/// A basket, whatever became of it.
#[derive(Serialize, ToSchema)]
pub struct BasketAnswer {
    /// Its name, `till-till_seq`.
    #[schema(value_type = String, example = "3-17")]
    basket: Text<BasketId>,
    /// `paid`, `suspended`, `slip` (to be paid at a cash desk), `paying` (a terminal is asked, or something is left to be paid), `leaving` (it
    /// is thrown away once a terminal has given its money back), `resumed` or `abandoned`.
    state: &'static str,
    /// What can be done about it now: `wait`, `ask`, `tender`, `resume`, `abandon`, `pay`, `release`.
    can: Vec<&'static str>,
    /// The same in words, for whoever stands at the till.
    now: String,
    /// The receipt that it became.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    receipt: Option<Text<ReceiptId>>,
    /// Currency of all amounts.
    #[schema(value_type = String)]
    currency: Text<Currency>,
    /// What the customer owes, with the rounding of cash.
    total: i64,
    /// Minor units added so that cash can pay the total.
    cash_rounding: i64,
    /// What is left to be paid.
    left: i64,
    /// What is in it, and why each line costs what it costs.
    lines: Vec<PricedLine>,
    /// What was paid: without a terminal, and what terminals took.
    tenders: Vec<TenderAnswer>,
    /// What terminals were asked for, and what they said.
    terminals: Vec<AskedAnswer>,
    /// Coupons that reduced it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    coupons: Vec<UsedCouponAnswer>,
    /// Points that it gave and cost; while it waits, those that it holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    points: Option<UsedPointsAnswer>,
    /// Who rang it up.
    #[schema(value_type = String)]
    cashier: Text<Code>,
    /// Who approved what needed it; empty if nothing did.
    #[schema(value_type = String)]
    approver: Text<Code>,
    /// When it was rung up.
    #[schema(value_type = String, format = DateTime)]
    rung_at: Text<Moment>,
    /// The concession whose counter wrote the slip; empty for the store's own.
    #[schema(value_type = String)]
    owner: Text<Code>,
    /// The counter's slip that it pays.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    slip: Option<Text<BasketId>>,
    /// Of a paid slip: the counter has released the goods.
    #[serde(skip_serializing_if = "Option::is_none")]
    released: Option<bool>,
}

/// A payment, and how sure it is.
#[derive(Serialize, ToSchema)]
#[schema(as = AssuredTender)]
pub struct TenderAnswer {
    /// `cash`, `card`, `voucher`, `points` or `other`.
    #[schema(value_type = String)]
    kind: Text<TenderKind>,
    /// Minor units.
    amount: i64,
    /// Under which whoever took it knows it.
    #[schema(value_type = String)]
    reference: Text<Code>,
    /// `cash`, `captured`, `offline` or `seen`.
    #[schema(value_type = String)]
    assurance: Text<Assurance>,
    /// Who bears the loss if it is refused after all; only for `offline`.
    #[serde(skip_serializing_if = "Option::is_none")]
    bearer: Option<String>,
}

/// What a terminal was asked for, and what it said.
#[derive(Serialize, ToSchema)]
#[schema(as = AskedTender)]
pub struct AskedAnswer {
    /// Its number in the basket, from 1.
    number: u16,
    /// Which terminal.
    #[schema(value_type = String)]
    terminal: Text<Code>,
    /// `card`, or `other` for a wallet's code.
    #[schema(value_type = String)]
    kind: Text<TenderKind>,
    /// Minor units that it was asked for.
    asked: i64,
    /// Minor units that it took; absent unless it has approved.
    #[serde(skip_serializing_if = "Option::is_none")]
    took: Option<i64>,
    /// `intended`, `unknown`, `approved`, `declined`, `reversing` or `reversed`.
    state: &'static str,
    /// Its approval code, or why it declined.
    #[schema(value_type = String)]
    said: Text<Code>,
    /// Under which it knows the tender for ever.
    #[schema(value_type = String)]
    reference: Text<Code>,
    /// When it was to be asked.
    #[schema(value_type = String, format = DateTime)]
    since: Text<Moment>,
}

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
        let is_open = self.0.state == PAYING || self.0.state == LEAVING;
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

impl BasketAnswer {
    /// A basket by its name: one that waits or waited, or a sale of that number that never waited.
    pub fn find(books: &Books<'_>, store: StoreId, id: BasketId) -> Answered<Self> {
        if let Some(held) = books.basket(store, id)? {
            return Self::of(books, store, &held);
        }
        let place = books.sale_by_till(store, id.till, id.number)?;
        let fact = place.map(|place| books.entry(place)).transpose()?.flatten().map(|entry| entry.fact);
        match fact {
            Some(Fact::Sale(sale)) => Self::sold(books, store, sale.receipt),
            Some(_) => unexpected_entry(),
            None => Err(none(id)),
        }
    }

    /// What became a receipt.
    fn sold(books: &Books<'_>, store: StoreId, receipt: ReceiptNumber) -> Answered<Self> {
        let place = books.sale_by_receipt(store, receipt)?;
        let entry = place.map(|place| books.entry(place)).transpose()?.flatten();
        let Some(Fact::Sale(sale)) = entry.map(|entry| entry.fact) else { return unexpected_entry() };
        let checkout = books.explained(store, receipt)?;
        let (explained, assured) = checkout.map_or_else(Default::default, |it| (it.lines, it.assured));
        let id = BasketId { till: receipt.till, number: sale.till_seq };
        let held = books.basket(store, id)?;
        let total = sale.total();
        let (coupons, points) = of_receipt(books, store, receipt)?;
        Ok(Self {
            basket: Text(id),
            state: PAID,
            can: Vec::new(),
            now: "it is paid".into(),
            receipt: Some(Text(ReceiptId { store, number: receipt })),
            currency: Text(sale.currency),
            total,
            cash_rounding: sale.cash_rounding,
            left: total.saturating_sub(sale.paid()),
            lines: priced(books, store, &sale.lines, &explained)?,
            tenders: tenders(books, store, &sale.tenders, &assured)?,
            terminals: held.iter().flat_map(|held| &held.tenders).map(AskedAnswer::of).collect(),
            coupons,
            points,
            cashier: Text(sale.cashier),
            approver: Text(sale.approver),
            rung_at: Text(Moment(sale.rung_ms)),
            owner: Text(sale.seller),
            slip: held.and_then(|held| held.basket.slip).map(Text),
            released: None,
        })
    }

    /// Where a basket stands.
    fn of(books: &Books<'_>, store: StoreId, held: &Held) -> Answered<Self> {
        let Basket { id, currency, cash_rounding, rung_ms, slip, .. } = held.basket;
        let is_slip = held.basket.waits == Waits::Slip;
        if let (Some(End::Sold(receipt)), false) = (held.end, is_slip) {
            return Self::sold(books, store, receipt);
        }
        let (state, can, now) = standing(held);
        let receipt = match held.end {
            Some(End::Sold(receipt)) => Some(Text(ReceiptId { store, number: receipt })),
            Some(End::Resumed(_) | End::Abandoned) | None => None,
        };
        let (mut paid, mut assured) = (held.basket.tenders.clone(), held.basket.assured.clone());
        for step in held.approved() {
            paid.push(Tender { kind: step.kind, amount: step.amount, reference: step.reference.clone() });
            assured.push(step.assurance);
        }
        let (coupons, points) = of_basket(books, &held.basket.holds)?;
        Ok(Self {
            basket: Text(id),
            state,
            can,
            now,
            currency: Text(currency),
            total: held.basket.total(),
            cash_rounding,
            left: if receipt.is_some() { 0 } else { held.left() },
            receipt,
            lines: priced(books, store, &held.basket.lines, &held.basket.explained)?,
            tenders: tenders(books, store, &paid, &assured)?,
            terminals: held.tenders.iter().map(AskedAnswer::of).collect(),
            coupons,
            points,
            cashier: Text(held.basket.cashier.clone()),
            approver: Text(held.basket.approver.clone()),
            rung_at: Text(Moment(rung_ms)),
            owner: Text(held.basket.owner.clone()),
            slip: slip.map(Text),
            released: (is_slip && matches!(held.end, Some(End::Sold(_)))).then_some(held.released),
        })
    }
}

/// How a basket stands, what can be done about it, and that in words.
fn standing(held: &Held) -> (&'static str, Vec<&'static str>, String) {
    let left = held.left();
    match (held.end, held.basket.waits) {
        (Some(End::Sold(_)), Waits::Slip) if !held.released => {
            (PAID, vec!["release"], "it is paid: release its goods at the counter".into())
        }
        (Some(End::Sold(_)), _) => (PAID, Vec::new(), "it is paid".into()),
        (Some(End::Resumed(till)), _) => {
            ("resumed", Vec::new(), format!("somebody went on with it at till {}", till.0))
        }
        (Some(End::Abandoned), _) => ("abandoned", Vec::new(), "it was thrown away".into()),
        (None, _) if held.is_leaving() => {
            (LEAVING, vec!["wait"], "it is being thrown away: a terminal still has to give its money back".into())
        }
        (None, Waits::Suspended) => ("suspended", vec!["resume", "abandon"], "it waits for the customer".into()),
        (None, Waits::Slip) => ("slip", vec!["pay", "abandon"], format!("{left} are to be paid at a cash desk")),
        (None, Waits::Paying) => match (held.asking(), held.tenders.last()) {
            (Some(asking), _) => {
                let name = &asking.last.terminal;
                let now = match asking.last.state {
                    TenderState::Unknown => format!(
                        "terminal {name} does not say what it did: it is asked again by itself. Wait, take {left} otherwise, or throw the basket \
                         away; what it took is given back then"
                    ),
                    TenderState::Intended
                    | TenderState::Approved
                    | TenderState::Declined
                    | TenderState::Reversing
                    | TenderState::Reversed => format!("terminal {name} is being asked: wait for the customer"),
                };
                (PAYING, vec!["wait", "tender", "abandon"], now)
            }
            (None, Some(Asked { last, .. })) => {
                let (name, said) = (&last.terminal, &last.said);
                let heard = match last.state {
                    TenderState::Approved => format!("terminal {name} took only {}", last.amount),
                    TenderState::Intended
                    | TenderState::Unknown
                    | TenderState::Declined
                    | TenderState::Reversing
                    | TenderState::Reversed => format!("terminal {name} took nothing ({said})"),
                };
                let now = format!("{heard}: ask a terminal again, take {left} otherwise, or throw the basket away");
                (PAYING, vec!["ask", "tender", "abandon"], now)
            }
            (None, None) => (PAYING, vec!["ask", "tender", "abandon"], format!("{left} are left to be paid")),
        },
    }
}

fn tenders(books: &Books<'_>, store: StoreId, paid: &[Tender], assured: &[Assurance]) -> Answered<Vec<TenderAnswer>> {
    let bearer = books.till_rules(store)?.floor_bearer;
    let each = |(tender, assurance): (&Tender, &Assurance)| TenderAnswer {
        kind: Text(tender.kind),
        amount: tender.amount,
        reference: Text(tender.reference.clone()),
        assurance: Text(*assurance),
        bearer: (*assurance == Assurance::Offline).then(|| bearer.as_str().to_owned()),
    };
    Ok(paid.iter().zip(assured).map(each).collect())
}

impl AskedAnswer {
    fn of(asked: &Asked) -> Self {
        let last = &asked.last;
        Self {
            number: last.number,
            terminal: Text(last.terminal.clone()),
            kind: Text(last.kind),
            asked: asked.amount,
            took: (last.state == TenderState::Approved).then_some(last.amount),
            state: last.state.as_str(),
            said: Text(last.said.clone()),
            reference: Text(last.reference.clone()),
            since: Text(Moment(asked.since_ms)),
        }
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

const PAID: &str = "paid";
const PAYING: &str = "paying";
const LEAVING: &str = "leaving";

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
