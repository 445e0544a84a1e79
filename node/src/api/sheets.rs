//! Count sheets: what is to be counted in a session, how far that is, and what must be counted again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use stockroom_core::books::tally::{Doubt, Tally};
use stockroom_core::input::Command;
use stockroom_core::view::goods::CountSession;
use stockroom_crdt::count::{CountOpen, Sheet};
use stockroom_crdt::entry::Fact;
use stockroom_crdt::ids::{Actor, Code, Digest, Sku, StoreId};
use stockroom_crdt::limits::LINES_MAX;
use stockroom_crdt::money::Unit;
use stockroom_crdt::stock::Recount;
use utoipa::ToSchema;

use super::counts::CountScanAnswer;
use super::goods::unit_of;
use super::idempotency::{KeyHeader, Keyed, created};
use super::problem::{Answered, Problem};
use super::request::Segment;
use super::values::{Moment, Text};
use super::{Api, Books, unexpected_entry};

/// What is to be counted: one of `skus`, `department` and `in_book`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CountBody {
    /// The session's number; one is given out if absent.
    session: Option<u64>,
    /// These products.
    #[schema(value_type = Option<Vec<String>>)]
    skus: Option<Vec<Text<Sku>>>,
    /// The products of this department.
    #[schema(value_type = Option<String>)]
    department: Option<Text<Code>>,
    /// Everything that the book says is there, or owed.
    #[serde(default)]
    in_book: bool,
    /// Counters do not see the book's figures.
    #[serde(default)]
    blind: bool,
    /// Who opens it.
    #[serde(default)]
    #[schema(value_type = String)]
    staff: Text<Code>,
}

/// A sheet as it was put down.
#[derive(Serialize, ToSchema)]
pub struct SheetAnswer {
    /// The session.
    session: u64,
    /// When it was opened.
    #[schema(value_type = String, format = DateTime)]
    opened_at: Text<Moment>,
    /// Counters do not see the book's figures.
    blind: bool,
    /// The department, if it is one's.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    department: Option<Text<Code>>,
    /// Who opened it.
    #[schema(value_type = String)]
    staff: Text<Code>,
    /// The products to be counted.
    lines: Vec<SheetLineAnswer>,
}

/// One product of a sheet.
#[derive(Serialize, ToSchema)]
pub struct SheetLineAnswer {
    /// What.
    #[schema(value_type = String)]
    sku: Text<Sku>,
    /// Its unit.
    #[schema(value_type = String)]
    unit: Text<Unit>,
}

/// A session, and how far it is.
#[derive(Serialize, ToSchema)]
pub struct CountAnswer {
    /// The session.
    session: u64,
    /// `open` or `closed`.
    status: &'static str,
    /// Counters do not see the book's figures.
    blind: bool,
    /// The department, if its sheet is one's.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    department: Option<Text<Code>>,
    /// How far it is.
    progress: ProgressAnswer,
    /// Products of the sheet, and others that were counted; none once it is closed: its closing answered the sums.
    lines: Vec<CountedLineAnswer>,
    /// Products that must be counted again before the session can be closed.
    #[schema(value_type = Vec<String>)]
    recount: Vec<Text<Sku>>,
    /// Its scans while it is open.
    scans: Vec<CountScanAnswer>,
}

/// How far a session is, in products.
#[derive(Serialize, Default, ToSchema)]
pub struct ProgressAnswer {
    /// On the sheet.
    sheet: usize,
    /// Of these, counted without a doubt.
    counted: usize,
    /// Of these, not counted yet.
    uncounted: usize,
    /// To be counted again, on the sheet or not.
    recount: usize,
    /// Counted although they are not on the sheet.
    off_sheet: usize,
}

/// One product of a session.
#[derive(Serialize, ToSchema)]
pub struct CountedLineAnswer {
    /// What.
    #[schema(value_type = String)]
    sku: Text<Sku>,
    /// Its name, if it is in the catalogue.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// Its unit.
    #[schema(value_type = String)]
    unit: Text<Unit>,
    /// It is on the sheet.
    on_sheet: bool,
    /// `uncounted`, `counted` or `recount`.
    status: &'static str,
    /// How many in all zones together; absent while nobody counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    quantity: Option<i64>,
    /// What the book says now; absent in a blind count.
    #[serde(skip_serializing_if = "Option::is_none")]
    book: Option<i64>,
    /// Why it must be counted again, if so.
    #[serde(skip_serializing_if = "Option::is_none")]
    recount: Option<String>,
}

/// A session that is not closed.
#[derive(Serialize, ToSchema)]
pub struct OpenCount {
    /// Its number.
    session: u64,
    /// Who opened it; empty if somebody scanned without opening it.
    #[schema(value_type = String)]
    staff: Text<Code>,
    /// Products on its sheet.
    sheet: usize,
    /// The department, if its sheet is one's.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    department: Option<Text<Code>>,
    /// Counters do not see the book's figures.
    blind: bool,
}

/// Sessions that are not closed.
#[derive(Serialize, ToSchema)]
pub struct OpenCounts {
    /// Them, by number.
    items: Vec<OpenCount>,
}

/// Sessions that are not closed, at most 100.
#[utoipa::path(get, path = "/v1/counts", tag = "stock", responses((status = 200, body = OpenCounts)))]
pub async fn list_counts(State(api): State<Arc<Api>>) -> Answered<Json<OpenCounts>> {
    let store = api.own_store()?;
    let read = move |books: &Books<'_>| {
        let open = books.open_counts(store, OPEN_COUNTS_MAX)?.into_iter().map(|(session, sheet)| OpenCount {
            session,
            staff: Text(sheet.as_ref().map(|sheet| sheet.staff.clone()).unwrap_or_default()),
            sheet: sheet.as_ref().map_or(0, |sheet| sheet.lines.len()),
            blind: sheet.as_ref().is_some_and(|sheet| sheet.blind),
            department: sheet.and_then(|sheet| match sheet.sheet {
                Sheet::Department(department) => Some(Text(department)),
                Sheet::Listed | Sheet::InBook => None,
            }),
        });
        Ok(Json(OpenCounts { items: open.collect() }))
    };
    api.read_much(read).await
}

/// Puts down what is to be counted in a session, at most 1,000 products.
#[utoipa::path(post, path = "/v1/counts", tag = "counts", params(KeyHeader), request_body = CountBody,
    responses((status = 201, body = SheetAnswer)))]
pub async fn create_count(State(api): State<Arc<Api>>, Keyed { value, retry }: Keyed<CountBody>) -> Answered {
    let store = api.own_store()?;
    let session = value.session.unwrap_or_else(|| session_of(retry.key));
    let CountBody { skus, department, in_book, blind, staff, .. } = value;
    let read = move |books: &Books<'_>| match (skus, department, in_book) {
        (Some(skus), None, false) => {
            let line = |sku: Text<Sku>| Ok((sku.0.clone(), unit_of(books, &sku.0, None)?));
            Ok((Sheet::Listed, skus.into_iter().map(line).collect::<Answered<Vec<_>>>()?))
        }
        (None, Some(department), false) => {
            let lines = books.department(&department.0, LINES_MAX + 1)?;
            if lines.is_empty() {
                return Err(Problem::unknown("department", "has no products"));
            }
            Ok((Sheet::Department(department.0), lines))
        }
        (None, None, true) => Ok((Sheet::InBook, books.in_book(store, LINES_MAX + 1)?)),
        _ => Err(Problem::invalid("skus", "is one of three: give either skus, or a department, or in_book")),
    };
    let (sheet, lines) = api.read_much(read).await?;
    if lines.len() > LINES_MAX {
        let message = format_args!("a sheet has at most {LINES_MAX} products: use several sessions");
        return Err(Problem::invalid("session", message));
    }
    let open = CountOpen { session, sheet, blind, staff: staff.0, lines };
    let written = api.write(Command::CountOpen(retry, open)).await?;
    let Fact::CountOpen(open) = written.entry.fact else { return unexpected_entry() };
    let line = |(sku, unit)| SheetLineAnswer { sku: Text(sku), unit: Text(unit) };
    let answer = SheetAnswer {
        session: open.session,
        opened_at: Text(Moment(written.entry.hlc.ms())),
        blind: open.blind,
        department: department_of(&open.sheet),
        staff: Text(open.staff),
        lines: open.lines.into_iter().map(line).collect(),
    };
    Ok(created(written.replayed, answer))
}

/// A count session: its sheet with the book's figures unless it is blind, how far it is, and what must be counted again.
#[utoipa::path(get, path = "/v1/counts/{session}", tag = "counts", params(("session" = u64, Path)),
    responses((status = 200, body = CountAnswer)))]
pub async fn show_count(State(api): State<Arc<Api>>, Segment(session): Segment<u64>) -> Answered<Json<CountAnswer>> {
    let store = api.own_store()?;
    let me = Actor::new(api.info.node, api.handle.status().epoch.0);
    let read = move |books: &Books<'_>| {
        let count = books.count(store, session, me)?;
        if !count.closed && count.sheet.is_none() && count.scans.is_empty() {
            return Err(Problem::not_found(format!("nobody has opened count session {session}, or scanned for it")));
        }
        CountAnswer::of(books, store, session, count).map(Json)
    };
    api.read_much(read).await
}

impl CountAnswer {
    fn of(books: &Books<'_>, store: StoreId, session: u64, count: CountSession) -> Answered<Self> {
        let blind = count.sheet.as_ref().is_some_and(|sheet| sheet.blind);
        let department = count.sheet.as_ref().and_then(|sheet| department_of(&sheet.sheet));
        let on_sheet: Vec<_> = count.sheet.map(|sheet| sheet.lines).unwrap_or_default();
        let mut tallies: BTreeMap<_, _> =
            count.tallies.into_iter().map(|tally| ((tally.sku.clone(), tally.unit), tally)).collect();
        let mut lines = Vec::new();
        for named in on_sheet.iter().cloned() {
            let tally = tallies.remove(&named);
            lines.push(CountedLineAnswer::of(books, store, (named, true, blind), tally)?);
        }
        for (named, tally) in tallies {
            lines.push(CountedLineAnswer::of(books, store, (named, false, blind), Some(tally))?);
        }
        let of = |status: &str, on_sheet: bool| {
            lines.iter().filter(|line| line.status == status && line.on_sheet == on_sheet).count()
        };
        let progress = ProgressAnswer {
            sheet: on_sheet.len(),
            counted: of(COUNTED, true),
            uncounted: of(UNCOUNTED, true),
            recount: of(RECOUNT, true) + of(RECOUNT, false),
            off_sheet: lines.len() - on_sheet.len(),
        };
        let again: BTreeSet<_> = lines.iter().filter(|line| line.status == RECOUNT).map(|line| &line.sku).collect();
        Ok(Self {
            session,
            status: if count.closed { "closed" } else { "open" },
            blind,
            department,
            progress,
            recount: again.into_iter().cloned().collect(),
            lines,
            scans: count.scans.into_iter().map(|scan| CountScanAnswer::new(scan.scan, scan.at_ms)).collect(),
        })
    }
}

impl CountedLineAnswer {
    fn of(
        books: &Books<'_>,
        store: StoreId,
        ((sku, unit), on_sheet, blind): ((Sku, Unit), bool, bool),
        tally: Option<Tally>,
    ) -> Answered<Self> {
        let book = books.account(store, &sku, unit)?.map_or(0, |account| account.on_hand.quantity);
        let doubt = tally.as_ref().and_then(|tally| tally.doubt.as_ref());
        Ok(Self {
            name: books.product(&sku)?.map(|product| product.name),
            sku: Text(sku),
            unit: Text(unit),
            on_sheet,
            status: match (&tally, doubt) {
                (None, _) => UNCOUNTED,
                (Some(_), None) => COUNTED,
                (Some(_), Some(_)) => RECOUNT,
            },
            recount: doubt.map(why),
            quantity: tally.as_ref().map(|tally| tally.quantity),
            book: (!blind).then_some(book),
        })
    }
}

/// Why a product must be counted again.
fn why(doubt: &Doubt) -> String {
    match doubt {
        Doubt::Moved => Recount::MovedWhileCounting.as_str().into(),
        Doubt::Differ(zone, found) => {
            let found: Vec<_> = found.iter().map(i64::to_string).collect();
            let zone = if zone.is_empty() { String::new() } else { format!(" in zone {zone}") };
            format!("counters found {}{zone}: count once more, and say that this settles it", found.join(" and "))
        }
    }
}

fn department_of(sheet: &Sheet) -> Option<Text<Code>> {
    match sheet {
        Sheet::Department(department) => Some(Text(department.clone())),
        Sheet::Listed | Sheet::InBook => None,
    }
}

/// A number for a session that nobody numbered: of the request, so that every try has the same, and short enough to type.
fn session_of(request: Digest) -> u64 {
    request.0[..4].iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

const COUNTED: &str = "counted";
const UNCOUNTED: &str = "uncounted";
const RECOUNT: &str = "recount";

/// Open sessions in one answer: a store counts a few aisles at a time.
const OPEN_COUNTS_MAX: usize = 100;
