//! Business days: takings, and opening and closing by hand.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use stockroom_core::books::days::Day as Takings;
use stockroom_core::books::shifts::Shift;
use stockroom_core::input::Command;
use stockroom_crdt::entry::Fact;
use stockroom_crdt::ids::{Code, StoreId};
use stockroom_crdt::money::Currency;
use utoipa::{IntoParams, ToSchema};

use super::idempotency::{KeyHeader, Keyed, created};
use super::limits::DAYS_MAX;
use super::problem::{Answered, Problem};
use super::request::Params;
use super::values::{Day, Moment, Text, moment};
use super::{Api, Books, unexpected_entry};

/// A business day of a store.
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = BusinessDay)]
pub struct DayAnswer {
    /// Its number; grows by one, whatever the clock says.
    number: u32,
    /// The date on it.
    #[schema(value_type = String, format = Date)]
    date: Text<Day>,
    /// When it was opened.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    opened_at: Option<Text<Moment>>,
    /// When it was closed; absent while it is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    closed_at: Option<Text<Moment>>,
    /// Receipts, with returns and voids.
    receipts: u64,
    /// Of these, receipts that were rung up before the day began.
    late: u64,
    /// Lines on them.
    lines: u64,
    /// Minor units sold, less returns.
    total: i64,
    /// The store's currency, if it is known here.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    currency: Option<Text<Currency>>,
    /// Minor units per way to pay. Together they are the total.
    tenders: TenderTotals,
    /// Returns that were paid in cash, beside those on receipts of a till.
    refunds: u64,
    /// Minor units that went out of the drawer for them; they are off the total and off the cash.
    refunded: i64,
}

/// Minor units per way to pay.
#[derive(Clone, Serialize, ToSchema)]
pub struct TenderTotals {
    /// Notes and coins, less change.
    cash: i64,
    /// Cards.
    card: i64,
    /// Vouchers.
    voucher: i64,
    /// Anything else.
    other: i64,
    /// What was paid with points.
    points: i64,
}

/// A day that was closed by hand.
#[derive(Serialize, ToSchema)]
pub struct DayClosed {
    /// The day.
    #[serde(flatten)]
    day: DayAnswer,
    /// Shifts that are still open: a day's end closes none, since somebody has to count each drawer.
    open_shifts: Vec<OpenShiftAnswer>,
}

/// A shift that is open.
#[derive(Serialize, ToSchema)]
pub struct OpenShiftAnswer {
    /// The till.
    till: u32,
    /// The shift.
    number: u32,
    /// Who has the drawer.
    #[schema(value_type = String)]
    staff: Text<Code>,
}

/// Days of a store, oldest first.
#[derive(Serialize, ToSchema)]
pub struct DayList {
    /// The store.
    store: u32,
    /// The days.
    items: Vec<DayAnswer>,
}

/// Which days.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DayParams {
    /// The store; this node's own if absent.
    store: Option<u32>,
    /// The last so many, up to 92; 31 if absent.
    limit: Option<usize>,
}

/// Who opens or closes a day.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DayBody {
    /// Staff id.
    #[serde(default)]
    #[schema(value_type = String)]
    staff: Text<Code>,
}

/// A day that was opened by hand.
#[derive(Serialize, ToSchema)]
pub struct DayOpened {
    /// Its number.
    number: u32,
    /// The date on it.
    #[schema(value_type = String, format = Date)]
    date: Text<Day>,
    /// When it was opened.
    #[schema(value_type = String, format = DateTime)]
    opened_at: Text<Moment>,
    /// By whom.
    #[schema(value_type = String)]
    staff: Text<Code>,
}

/// The last business days of a store.
#[utoipa::path(get, path = "/v1/days", tag = "days", params(DayParams), responses((status = 200, body = DayList)))]
pub async fn list_days(State(api): State<Arc<Api>>, Params(params): Params<DayParams>) -> Answered<Json<DayList>> {
    let store = api.store_or_own(params.store)?;
    let limit = params.limit.unwrap_or(31);
    if !(1..=DAYS_MAX).contains(&limit) {
        return Err(Problem::invalid("limit", format_args!("is not 1 to {DAYS_MAX}")));
    }
    let read = move |books: &Books<'_>| Ok(Json(DayList { store: store.0, items: last_days(books, store, limit)? }));
    api.read_much(read).await
}

/// Opens the business day by hand; the first sale does it as well.
#[utoipa::path(post, path = "/v1/days/open", tag = "days", params(KeyHeader), request_body = DayBody,
    responses((status = 201, body = DayOpened)))]
pub async fn open_day(State(api): State<Arc<Api>>, Keyed { value, retry }: Keyed<DayBody>) -> Answered {
    let written = api.write(Command::DayOpen(retry, value.staff.0)).await?;
    let Fact::DayOpen(open) = written.entry.fact else { return unexpected_entry() };
    let answer = DayOpened {
        number: open.number,
        date: Text(Day(open.date)),
        opened_at: Text(Moment(written.entry.hlc.ms())),
        staff: Text(open.staff),
    };
    Ok(created(written.replayed, answer))
}

/// Closes the business day by hand. Sales that arrive later post to the next one, marked late.
#[utoipa::path(post, path = "/v1/days/close", tag = "days", params(KeyHeader), request_body = DayBody,
    responses((status = 201, body = DayClosed)))]
pub async fn close_day(State(api): State<Arc<Api>>, Keyed { value, retry }: Keyed<DayBody>) -> Answered {
    let store = api.own_store()?;
    let written = api.write(Command::DayClose(retry, value.staff.0)).await?;
    let Fact::DayClose(close) = written.entry.fact else { return unexpected_entry() };
    let day = api.read(|books| {
        let currency = currency(books, store)?;
        let days = books.days(store)?;
        let open_shifts = books.open_shifts(store)?.iter().map(OpenShiftAnswer::of).collect();
        let day = days.into_iter().find(|day| day.number == close.number);
        Ok(day.map(|day| DayClosed { day: DayAnswer::new(day, currency), open_shifts }))
    })?;
    match day {
        Some(day) => Ok(created(written.replayed, day)),
        None => unexpected_entry(),
    }
}

/// The last days of a store, oldest first.
pub fn last_days(books: &Books<'_>, store: StoreId, limit: usize) -> Answered<Vec<DayAnswer>> {
    let currency = currency(books, store)?;
    Ok(books.newest_days(store, limit)?.into_iter().map(|day| DayAnswer::new(day, currency)).collect())
}

fn currency(books: &Books<'_>, store: StoreId) -> Answered<Option<Currency>> {
    Ok(books.store(store)?.map(|record| record.currency))
}

impl OpenShiftAnswer {
    fn of(shift: &Shift) -> Self {
        let staff = shift.opening(None).map_or(Code::default(), |open| open.what.staff.clone());
        Self { till: shift.till.0, number: shift.number, staff: Text(staff) }
    }
}

impl DayAnswer {
    /// A day with its takings.
    pub fn new(day: Takings, currency: Option<Currency>) -> Self {
        Self {
            number: day.number,
            date: Text(Day(day.date)),
            opened_at: moment(day.opened_ms),
            closed_at: moment(day.closed_ms),
            receipts: day.receipts,
            late: day.late,
            lines: day.lines,
            total: day.total,
            currency: currency.map(Text),
            tenders: TenderTotals::of(day.tenders),
            refunds: day.refunds,
            refunded: day.refunded,
        }
    }
}

impl TenderTotals {
    /// Sums in the order of the kinds of tender.
    pub fn of([cash, card, voucher, other, points]: [i64; 5]) -> Self {
        Self { cash, card, voucher, other, points }
    }
}
