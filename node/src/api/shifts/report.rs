//! Z reports on paper.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use serde::Deserialize;
use serde_json::json;
use stockroom_core::view::shifts::ZReport;
use stockroom_crdt::ids::{StoreId, TillId};
use utoipa::IntoParams;

use crate::api::problem::{Answered, Kind, Problem};
use crate::api::request::{Params, Segments};
use crate::api::values::{ReceiptId, Word};
use crate::api::{Api, Books};
use crate::paper::drawers::{DrawerReport, ReportTax};
use crate::paper::html::{Marking, html};
use crate::paper::page::Sheet;
use crate::paper::printer::{CodePage, Settings};
use crate::paper::sheets::{Money, Stamp};
use crate::paper::spool::Submitted;
use crate::paper::ticket::ticket;
use crate::paper::words::Language;

/// How a report is drawn.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ReportParams {
    /// The store; this node's own if absent.
    store: Option<u32>,
    /// `html`, which is what happens if it is absent, or `escpos`: bytes for a printer of receipts.
    format: Option<String>,
    /// `en`, which is what happens if it is absent, or `zh-CN`.
    language: Option<String>,
}

/// The Z report of a closed shift, to be printed.
#[utoipa::path(get, path = "/v1/shifts/{till}/{number}/report", tag = "shifts",
    params(("till" = u32, Path), ("number" = u32, Path), ReportParams),
    responses((status = 200, content_type = "text/html", body = String)))]
pub async fn show_report(
    State(api): State<Arc<Api>>,
    Segments(till, number): Segments<u32, u32>,
    Params(params): Params<ReportParams>,
) -> Answered {
    let store = api.store_or_own(params.store)?;
    let language = match params.language.as_deref() {
        None | Some("en") => Language::English,
        Some("zh-CN") => Language::Chinese,
        Some(_) => return Err(Problem::invalid("language", "is neither en nor zh-CN")),
    };
    let read = move |books: &Books<'_>| sheet(books, store, (TillId(till), number));
    let page = api.read_much(read).await?.page(language);
    match params.format.as_deref() {
        None | Some("html") => {
            let document = html(&page, Marking::Original);
            Ok(([(header::CONTENT_TYPE, "text/html; charset=utf-8")], document).into_response())
        }
        Some("escpos") => {
            let code_page = match language {
                Language::English => CodePage::Western,
                Language::Chinese => CodePage::Chinese,
            };
            let drawn = ticket(&page, &Settings { code_page, language, ..Settings::default() }, Marking::Original);
            let bytes = drawn.map_err(|error| Problem::new(Kind::Conflict, error.to_string()))?;
            Ok(([(header::CONTENT_TYPE, "application/octet-stream")], bytes).into_response())
        }
        Some(_) => Err(Problem::invalid("format", "is neither html nor escpos")),
    }
}

/// Prints the Z report of a closed shift on the shop's printer. It is printed once; what may have been printed before says that it is a copy.
#[utoipa::path(post, path = "/v1/shifts/{till}/{number}/report", tag = "shifts",
    params(("till" = u32, Path), ("number" = u32, Path)), responses((status = 200, body = Object)))]
pub async fn print_report(
    State(api): State<Arc<Api>>,
    Segments(till, number): Segments<u32, u32>,
) -> Answered<Json<serde_json::Value>> {
    let store = api.own_store()?;
    let printer = api.config.printer.clone();
    let printer = printer.ok_or_else(|| Problem::new(Kind::Conflict, "no printer is set up at this node"))?;
    let read = move |books: &Books<'_>| sheet(books, store, (TillId(till), number));
    let page = api.read_much(read).await?.page(Language::default());
    let key = format!("z/{}/{till}/{number}", store.0);
    let printed = tokio::task::spawn_blocking(move || printer.submit(&key, &page)).await;
    let printed = printed.map_err(|_| Problem::new(Kind::Storage, "the node failed while it printed"))?;
    let word = match printed.map_err(|error| Problem::new(Kind::Conflict, error.to_string()))? {
        Submitted::Queued => "queued",
        Submitted::Waits => "waits",
        Submitted::Printed => "printed",
    };
    Ok(Json(json!({ "printer": word })))
}

fn sheet(books: &Books<'_>, store: StoreId, (till, number): (TillId, u32)) -> Answered<DrawerReport> {
    let found = books.shift(store, till, number)?;
    let shift = found.ok_or_else(|| Problem::not_found(format!("till {} has no shift {number}", till.0)))?;
    let z = if shift.is_open() { None } else { books.z_report(store, &shift)? };
    let ZReport { close, .. } =
        z.ok_or_else(|| Problem::new(Kind::Conflict, format!("shift {number} is not closed: it has no Z report yet")))?;
    let record = books.store(store)?;
    let record = record.ok_or_else(|| Problem::not_found(format!("store {} is not known here", store.0)))?;
    let stamp = |at_ms| Stamp { at_ms, zone: record.zone.as_str().into() };
    let money = |minor| Money { minor, currency: record.currency };
    let (opened_ms, _) = shift.span_ms();
    let totals = &close.what.totals;
    let taxes = totals.taxes.iter().map(|sum| ReportTax {
        code: sum.code.to_string(),
        rate_bp: sum.rate_bp,
        goods: money(sum.goods),
        tax: money(sum.tax),
    });
    let last = (close.what.last.sequence != 0).then(|| ReceiptId { store, number: close.what.last }.write());
    Ok(DrawerReport {
        store: record.name.clone(),
        till: till.0,
        shift: number,
        opened: stamp(opened_ms),
        closed: stamp(close.at_ms),
        staff: close.what.staff.to_string(),
        approver: close.what.approver.to_string(),
        last,
        receipts: totals.receipts,
        voids: totals.voids,
        sales: money(totals.sales),
        tenders: totals.tenders.map(money),
        float: money(totals.float),
        moved: totals.moved.map(money),
        expected: money(totals.expected_cash()),
        counted: money(close.what.counted),
        over: money(close.what.over()),
        taxes: taxes.collect(),
    })
}
