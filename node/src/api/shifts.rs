//! Shifts: who has a till's drawer, cash that goes in or out, the blind count, and the Z report.
//!
//! Whoever counts a drawer must not know what should be in it: while a shift is open its sums are shown to a manager only.

mod answer;
pub mod report;

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use stockroom_core::input::checkout::{DrawerDeed, DrawerRequest};
use stockroom_core::input::{Answer, Command};
use stockroom_crdt::checkout::shift::Cash;
use stockroom_crdt::checkout::staff::Role;
use stockroom_crdt::entry::Fact;
use stockroom_crdt::ids::{Code, StoreId, TillId};
use utoipa::{IntoParams, ToSchema};

use super::idempotency::{KeyHeader, Keyed, created};
use super::limits::{PAGE_DEFAULT, PAGE_MAX};
use super::problem::{Answered, Kind, Problem};
use super::request::{Params, Segment, Segments};
use super::values::{Moment, Text, Word};
use super::who::{SessionHeader, Shown, Who};
use super::{Api, Books, unexpected, unexpected_entry};
use crate::staff::approvals::What;
use answer::{Eyes, ShiftAnswer};

/// Somebody takes a till's drawer.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ShiftBody {
    /// Which till.
    till: u32,
    /// Staff id: who takes it; whoever is signed in if absent.
    #[serde(default)]
    #[schema(value_type = String)]
    staff: Text<Code>,
    /// What lies in it, minor units.
    float: i64,
}

/// Cash goes into a drawer or out of it without a sale.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CashBody {
    /// `paid-in`, `paid-out`, `drop` (to the safe) or `refund` (for goods that came back without a receipt of this till).
    #[schema(value_type = String)]
    kind: Text<Cash>,
    /// Minor units, above 0.
    amount: i64,
    /// What for, in a word; a drop needs none.
    #[serde(default)]
    #[schema(value_type = String)]
    reason: Text<Code>,
    /// Staff id; whoever is signed in if absent.
    #[serde(default)]
    #[schema(value_type = String)]
    staff: Text<Code>,
    /// Who approves it, where her name alone is believed; needed beyond the limit of the store's till rules.
    #[serde(default)]
    #[schema(value_type = String)]
    approver: Text<Code>,
    /// What `/v1/approvals` gave for `drawer`: it names the approver.
    approval: Option<String>,
}

/// Somebody counts a drawer and gives it back.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ShiftCloseBody {
    /// What is in it, minor units.
    counted: i64,
    /// Staff id: who counted; whoever is signed in if absent.
    #[serde(default)]
    #[schema(value_type = String)]
    staff: Text<Code>,
    /// Who confirms that the count does not fit, where her name alone is believed; nobody has to while it does.
    #[serde(default)]
    #[schema(value_type = String)]
    approver: Text<Code>,
    /// What `/v1/approvals` gave for `drawer`: it names the approver.
    approval: Option<String>,
}

/// Cash that was moved.
#[derive(Serialize, ToSchema)]
pub struct CashAnswer {
    /// The till.
    till: u32,
    /// The shift.
    shift: u32,
    /// What happened.
    #[serde(flatten)]
    moved: answer::MoveAnswer,
}

/// Shifts of a store.
#[derive(Serialize, ToSchema)]
pub struct ShiftList {
    /// The store.
    store: u32,
    /// Of a till, the newest first; without a till the newest of each.
    items: Vec<ShiftAnswer>,
    /// Ask with `before` set to this for those before; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<u32>,
}

/// Which shifts.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ShiftParams {
    /// The store; this node's own if absent.
    store: Option<u32>,
    /// The till; the newest shift of every till if absent.
    till: Option<u32>,
    /// Those with a smaller number.
    before: Option<u32>,
    /// At most so many.
    limit: Option<usize>,
    /// The manager who looks, where her name alone is believed: sees sums of open shifts. One who is signed in need not say it.
    #[param(value_type = Option<String>)]
    approver: Option<Text<Code>>,
}

/// Of which store, and who looks.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct LookParams {
    /// The store; this node's own if absent.
    store: Option<u32>,
    /// The manager who looks, where her name alone is believed: sees the sums of an open shift (X report). One who is signed in need not say it.
    #[param(value_type = Option<String>)]
    approver: Option<Text<Code>>,
}

/// Takes a till's drawer: later receipts of the till belong to this shift until it is closed.
#[utoipa::path(post, path = "/v1/shifts", tag = "shifts", params(KeyHeader, SessionHeader), request_body = ShiftBody,
    responses((status = 201, body = ShiftAnswer)))]
pub async fn open_shift(State(api): State<Arc<Api>>, who: Who, Keyed { value, retry }: Keyed<ShiftBody>) -> Answered {
    let store = api.own_store()?;
    who.may(&api, Role::Cashier)?;
    let staff = who.name("staff", &value.staff.0)?;
    let (deed, till) = (DrawerDeed::Open { float: value.float }, TillId(value.till));
    let request = DrawerRequest { till, staff, approver: Code::default(), deed };
    let written = api.write(Command::Drawer(retry, request)).await?;
    let Fact::ShiftOpen(open) = written.entry.fact else { return unexpected_entry() };
    let shift = api.read(|books| find(books, store, (till, open.number), Eyes::Cashier))?;
    Ok(created(written.replayed, shift))
}

/// Puts cash into a till's drawer or takes it out.
#[utoipa::path(post, path = "/v1/shifts/{till}/cash", tag = "shifts", params(("till" = u32, Path), KeyHeader, SessionHeader),
    request_body = CashBody, responses((status = 201, body = CashAnswer)))]
pub async fn move_cash(
    State(api): State<Arc<Api>>,
    who: Who,
    Segment(till): Segment<u32>,
    Keyed { value, retry }: Keyed<CashBody>,
) -> Answered {
    who.may(&api, Role::Cashier)?;
    let staff = who.name("staff", &value.staff.0)?;
    let shown = Shown { approver: value.approver.0, approval: value.approval };
    let approver = who.approver(&api, &shown, (What::Drawer, retry.body))?;
    let deed = DrawerDeed::Move { cash: value.kind.0, amount: value.amount, reason: value.reason.0 };
    let request = DrawerRequest { till: TillId(till), staff, approver, deed };
    let written = api.write(Command::Drawer(retry, request)).await?;
    let at_ms = written.entry.hlc.ms();
    let Fact::CashMove(moved) = written.entry.fact else { return unexpected_entry() };
    let shift = moved.shift;
    Ok(created(written.replayed, CashAnswer { till, shift, moved: answer::MoveAnswer::of(moved, Moment(at_ms)) }))
}

/// Closes the till's shift with a blind count, and answers its Z report. When the count differs by more than the store allows, nothing is closed
/// and nobody is told what should be there: a manager confirms, after that count and every later one of the shift.
#[utoipa::path(post, path = "/v1/shifts/{till}/close", tag = "shifts", params(("till" = u32, Path), KeyHeader, SessionHeader),
    request_body = ShiftCloseBody, responses((status = 201, body = ShiftAnswer)))]
pub async fn close_shift(
    State(api): State<Arc<Api>>,
    who: Who,
    Segment(till): Segment<u32>,
    Keyed { value, retry }: Keyed<ShiftCloseBody>,
) -> Answered {
    let (store, till) = (api.own_store()?, TillId(till));
    who.may(&api, Role::Cashier)?;
    let staff = who.name("staff", &value.staff.0)?;
    let shown = Shown { approver: value.approver.0, approval: value.approval };
    let approver = who.approver(&api, &shown, (What::Drawer, retry.body))?;
    let deed = DrawerDeed::Close { counted: value.counted };
    let request = DrawerRequest { till, staff, approver, deed };
    match api.ask(Command::Drawer(retry, request)).await? {
        Answer::Written { place, replayed } => {
            let entry = api.read(|books| Ok(books.entry(place)?))?;
            let Some(Fact::ShiftClose(close)) = entry.map(|entry| entry.fact) else { return unexpected_entry() };
            let read = move |books: &Books<'_>| find(books, store, (till, close.number), Eyes::Manager);
            Ok(created(replayed, api.read_much(read).await?))
        }
        Answer::CountDiffers => {
            let detail =
                "the count was written down and does not fit: a manager counts again and confirms, as approver";
            Err(Problem::new(Kind::CountDiffers, detail))
        }
        answer => unexpected(&answer),
    }
}

/// Shifts of a till, or the newest of every till.
#[utoipa::path(get, path = "/v1/shifts", tag = "shifts", params(ShiftParams, SessionHeader), responses((status = 200, body = ShiftList)))]
pub async fn list_shifts(
    State(api): State<Arc<Api>>,
    who: Who,
    Params(params): Params<ShiftParams>,
) -> Answered<Json<ShiftList>> {
    let store = api.store_or_own(params.store)?;
    let limit = params.limit.unwrap_or(PAGE_DEFAULT);
    if !(1..=PAGE_MAX).contains(&limit) {
        return Err(Problem::invalid("limit", format_args!("is not 1 to {PAGE_MAX}")));
    }
    let eyes = eyes(&api, &who, params.approver.as_ref())?;
    let read = move |books: &Books<'_>| {
        let shifts = match params.till {
            Some(till) => books.shifts((store, TillId(till)), params.before, limit)?,
            None => {
                let newest = books.shift_tills(store)?.into_iter().map(|till| books.last_shift(store, till));
                newest.filter_map(Result::transpose).collect::<Result<_, _>>()?
            }
        };
        let last = shifts.last().map(|shift| shift.number);
        let next = last.filter(|last| params.till.is_some() && shifts.len() == limit && *last > 1);
        let items = shifts.into_iter().map(|shift| ShiftAnswer::of(books, store, shift, eyes));
        Ok(Json(ShiftList { store: store.0, items: items.collect::<Answered<_>>()?, next }))
    };
    api.read_much(read).await
}

/// A shift: once it is closed its Z report, and whether the receipts that this node holds say the same. While it is open, what a cashier may
/// know; a manager sees the sums until now (X report).
#[utoipa::path(get, path = "/v1/shifts/{till}/{number}", tag = "shifts",
    params(("till" = u32, Path), ("number" = u32, Path), LookParams, SessionHeader), responses((status = 200, body = ShiftAnswer)))]
pub async fn show_shift(
    State(api): State<Arc<Api>>,
    who: Who,
    Segments(till, number): Segments<u32, u32>,
    Params(params): Params<LookParams>,
) -> Answered<Json<ShiftAnswer>> {
    let store = api.store_or_own(params.store)?;
    let eyes = eyes(&api, &who, params.approver.as_ref())?;
    let read = move |books: &Books<'_>| find(books, store, (TillId(till), number), eyes).map(Json);
    api.read_much(read).await
}

/// Who looks: a manager, signed in, or by her name where that is believed.
fn eyes(api: &Api, who: &Who, approver: Option<&Text<Code>>) -> Answered<Eyes> {
    let named = approver.map(|approver| approver.0.clone()).unwrap_or_default();
    Ok(if who.manages(api, &named)? { Eyes::Manager } else { Eyes::Cashier })
}

/// A shift as somebody may see it.
fn find(books: &Books<'_>, store: StoreId, (till, number): (TillId, u32), eyes: Eyes) -> Answered<ShiftAnswer> {
    let found = books.shift(store, till, number)?;
    let shift = found.ok_or_else(|| Problem::not_found(format!("till {} has no shift {number}", till.0)))?;
    ShiftAnswer::of(books, store, shift, eyes)
}

impl Word for Cash {
    fn read(text: &str) -> Result<Self, String> {
        Self::parse(text).ok_or_else(|| "is not one of paid-in, paid-out, drop, refund".into())
    }

    fn write(&self) -> String {
        self.as_str().into()
    }
}
