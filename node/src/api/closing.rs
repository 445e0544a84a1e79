//! Certificates of closed days: what of a store's day is held here, and what is missing from whom.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use stockroom_core::view::closing::{Certificate, DayShift, LogHead, Missing, Series, Taken};
use stockroom_crdt::ids::{Actor, StoreId, hex};
use stockroom_crdt::money::Currency;
use stockroom_crdt::sale::ReceiptNumber;
use utoipa::ToSchema;

use super::days::{DayAnswer, TenderTotals};
use super::problem::{Answered, Problem};
use super::request::Segments;
use super::values::{Moment, ReceiptId, Text, moment};
use super::{Api, Books};

/// What is known of a store's day, checked against itself. Whoever holds the logs as far as `logs` says finds the same.
#[derive(Serialize, ToSchema)]
#[schema(as = Certificate)]
pub struct CertificateAnswer {
    /// The store.
    store: u32,
    /// Nothing is missing.
    complete: bool,
    /// The day's takings.
    day: DayAnswer,
    /// How far the store's logs are held here.
    logs: Vec<LogAnswer>,
    /// Receipts of the day, by till and series.
    receipts: Vec<SeriesAnswer>,
    /// Shifts that had a receipt on the day or were open on it.
    shifts: Vec<DayShiftAnswer>,
    /// Receipts of the day that are of no shift.
    unshifted: TakenAnswer,
    /// What is missing.
    missing: Vec<MissingAnswer>,
}

/// How far a log is held.
#[derive(Serialize, ToSchema)]
#[schema(as = CertificateLog)]
pub struct LogAnswer {
    /// Who wrote it, `node.epoch`.
    #[schema(value_type = String)]
    writer: Text<Actor>,
    /// It is another history of a log that forked.
    fork: bool,
    /// The last entry that is held.
    entries: u64,
    /// SHA-256 over everything up to there, chained.
    hash: String,
    /// The last entry that a signature covers.
    sealed: u64,
    /// The entry that closes the day, if this log has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    closes_day: Option<u64>,
    /// When its newest entry was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    newest_at: Option<Text<Moment>>,
}

/// Receipts of a day in one series of a till.
#[derive(Serialize, ToSchema)]
#[schema(as = CertificateReceipts)]
pub struct SeriesAnswer {
    /// The first of the day.
    #[schema(value_type = String)]
    first: Text<ReceiptId>,
    /// The last of the day.
    #[schema(value_type = String)]
    last: Text<ReceiptId>,
}

/// A shift, and its part of the day.
#[derive(Serialize, ToSchema)]
#[schema(as = CertificateShift)]
pub struct DayShiftAnswer {
    /// The till.
    till: u32,
    /// Which shift.
    number: u32,
    /// `open` or `closed`.
    state: &'static str,
    /// Its receipts of the day.
    taken: TakenAnswer,
    /// The Z report, once it is closed, and the receipts that are held say the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    agrees: Option<bool>,
    /// How much more was counted than there should be, once it is closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    over: Option<i64>,
}

/// Receipts, and how they were paid.
#[derive(Serialize, ToSchema)]
#[schema(as = Taken)]
pub struct TakenAnswer {
    /// How many.
    receipts: u64,
    /// Minor units sold, less returns.
    total: i64,
    /// Minor units per way to pay.
    tenders: TenderTotals,
}

/// Something without which the day is not complete.
#[derive(Serialize, Default, ToSchema)]
#[schema(as = Missing)]
pub struct MissingAnswer {
    /// `day`, `close`, `entries`, `seal`, `receipts`, `shift-close`, `agreement` or `takings`.
    what: &'static str,
    /// In words.
    why: String,
    /// Whose entries, `node.epoch`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    writer: Option<Text<Actor>>,
    /// Which till.
    #[serde(skip_serializing_if = "Option::is_none")]
    till: Option<u32>,
    /// Which shift.
    #[serde(skip_serializing_if = "Option::is_none")]
    shift: Option<u32>,
    /// The first entry that is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<u64>,
    /// The last one, if somebody said how many there are.
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<u64>,
    /// The newest that was heard of its writer.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    heard_at: Option<Text<Moment>>,
}

/// Is a store's day complete, and what is missing from whom? At the hub, or any node that holds the store's logs.
#[utoipa::path(get, path = "/v1/stores/{store}/days/{number}/certificate", tag = "days",
    params(("store" = u32, Path), ("number" = u32, Path)), responses((status = 200, body = CertificateAnswer)))]
pub async fn show_certificate(
    State(api): State<Arc<Api>>,
    Segments(store, number): Segments<u32, u32>,
) -> Answered<Json<CertificateAnswer>> {
    let read = move |books: &Books<'_>| {
        let record = books.store(StoreId(store))?;
        let record = record.ok_or_else(|| Problem::not_found(format!("store {store} is not known here")))?;
        let certificate = books.certificate(record.store, number)?;
        Ok(Json(CertificateAnswer::of(certificate, record.currency)))
    };
    api.read_much(read).await
}

impl CertificateAnswer {
    fn of(certificate: Certificate, currency: Currency) -> Self {
        let Certificate { store, day, logs, series, shifts, unshifted, missing } = certificate;
        Self {
            store: store.0,
            complete: missing.is_empty(),
            day: DayAnswer::new(day, Some(currency)),
            logs: logs.into_iter().map(LogAnswer::of).collect(),
            receipts: series.into_iter().map(|series| SeriesAnswer::of(store, series)).collect(),
            shifts: shifts.into_iter().map(DayShiftAnswer::of).collect(),
            unshifted: TakenAnswer::of(unshifted),
            missing: missing.into_iter().map(MissingAnswer::of).collect(),
        }
    }
}

impl LogAnswer {
    fn of(head: LogHead) -> Self {
        Self {
            writer: Text(head.actor),
            fork: head.is_fork,
            entries: head.seq,
            hash: hex(&head.hash.0),
            sealed: head.sealed,
            closes_day: head.closes_day,
            newest_at: moment(head.newest_ms),
        }
    }
}

impl SeriesAnswer {
    fn of(store: StoreId, of: Series) -> Self {
        let number = |sequence| {
            let number = ReceiptNumber { till: of.till, series: of.series, sequence };
            Text(ReceiptId { store, number })
        };
        Self { first: number(of.first), last: number(of.last) }
    }
}

impl DayShiftAnswer {
    fn of(of: DayShift) -> Self {
        Self {
            till: of.shift.till.0,
            number: of.shift.number,
            state: if of.shift.is_open() { "open" } else { "closed" },
            taken: TakenAnswer::of(of.taken),
            // Whoever will count an open drawer must not know what a forgotten close said of it.
            agrees: of.z.as_ref().map(|z| z.agrees()).filter(|_| !of.shift.is_open()),
            over: of.z.as_ref().map(|z| z.close.what.over()).filter(|_| !of.shift.is_open()),
        }
    }
}

impl TakenAnswer {
    fn of(taken: Taken) -> Self {
        Self { receipts: taken.receipts, total: taken.total, tenders: TenderTotals::of(taken.tenders) }
    }
}

impl MissingAnswer {
    fn of(missing: Missing) -> Self {
        let bare = |what, why: String| Self { what, why, ..Self::default() };
        match missing {
            Missing::Day => bare("day", "nothing is known of this day".into()),
            Missing::Close => bare("close", "as far as is known the day is not closed".into()),
            Missing::Entries { actor, from, to, heard_ms } => Self {
                writer: Some(Text(actor)),
                from: Some(from),
                to,
                heard_at: moment(heard_ms),
                ..bare("entries", format!("what node {} wrote from entry {from} on was not heard", actor.node.0))
            },
            Missing::Seal { actor, from, to } => Self {
                writer: Some(Text(actor)),
                from: Some(from),
                to: Some(to),
                ..bare("seal", format!("node {} has not signed entries {from} to {to} yet", actor.node.0))
            },
            Missing::Receipts { till, series, from, to } => Self {
                till: Some(till.0),
                from: Some(from),
                to: Some(to),
                ..bare("receipts", format!("till {} has no receipts {from} to {to} in series {series}", till.0))
            },
            Missing::ShiftClose { till, number } => Self {
                till: Some(till.0),
                shift: Some(number),
                ..bare("shift-close", format!("shift {number} of till {} is not closed", till.0))
            },
            Missing::Agreement { till, number } => Self {
                till: Some(till.0),
                shift: Some(number),
                ..bare("agreement", format!("what is held does not add up to the Z report of shift {number}"))
            },
            Missing::Takings { found } => {
                let Taken { receipts, total, .. } = found;
                bare("takings", format!("{receipts} receipts of {total} were found, which are not the day's takings"))
            }
        }
    }
}
