//! Labels on shelves: which have to be changed, printing them in a batch, and saying that they are up.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use stockroom_core::input::checkout::LabelsRequest;
use stockroom_core::input::{Answer, Command};
use stockroom_core::limits::{LABEL_AHEAD_MS, LABEL_LATE_MS};
use stockroom_crdt::checkout::label::Change;
use stockroom_crdt::checkout::staff::Role;
use stockroom_crdt::ids::{Code, Sku, StoreId};
use stockroom_crdt::money::Unit;
use utoipa::{IntoParams, ToSchema};

use super::idempotency::{KeyHeader, Keyed, created};
use super::limits::TASKS_MAX;
use super::papers::made::Printout;
use super::papers::{PrintAnswer, PrintLabelsBody, language, print_labels_of, shown};
use super::prices::nullable;
use super::problem::{Answered, Problem};
use super::request::Params;
use super::values::{Moment, Text, now_ms};
use super::who::{SessionHeader, Who};
use super::{Api, Books, unexpected};
use crate::paper::page::Sheet;
use crate::paper::sheets::{Money, Stamp};
use crate::paper::shelf::PriceLabel;
use crate::paper::words::Language;

/// A label that somebody has to change.
#[derive(Serialize, ToSchema)]
pub struct LabelTask {
    /// Where.
    store: u32,
    /// What.
    #[schema(value_type = String)]
    sku: Text<Sku>,
    /// The product's name.
    name: String,
    /// Minor units that the label shows now; absent for no label.
    #[serde(skip_serializing_if = "Option::is_none")]
    shows: Option<i64>,
    /// Minor units per piece or per kilogram that it has to show; absent if it has to be taken off.
    #[serde(skip_serializing_if = "Option::is_none")]
    price: Option<i64>,
    /// From when that price holds; within a day ahead it is put up early.
    #[schema(value_type = String, format = DateTime)]
    from: Text<Moment>,
    /// The price holds already: customers pay something else than they read.
    due: bool,
    /// For so long that a manager has to look.
    late: bool,
}

/// Labels that were put up.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LabelsDoneBody {
    /// Who put them up; whoever is signed in if absent.
    #[serde(default)]
    #[schema(value_type = String)]
    staff: Text<Code>,
    /// 1 to 512 labels, all or none of which are taken.
    labels: Vec<LabelDoneBody>,
}

/// One label that was put up.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LabelDoneBody {
    /// On which product's shelf.
    #[schema(value_type = String)]
    sku: Text<Sku>,
    /// Minor units that it shows; `null` if it was taken off.
    #[serde(deserialize_with = "nullable")]
    #[schema(required = true)]
    price: Option<i64>,
}

/// What was written.
#[derive(Serialize, ToSchema)]
pub struct LabelsTaken {
    /// How many labels.
    count: usize,
}

/// Which labels.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct LabelParams {
    /// At which store; this node's own if absent.
    store: Option<u32>,
}

/// Says that labels were put up. A label that shows another price than it has to by now is not taken, and names the right one.
#[utoipa::path(post, path = "/v1/labels/done", tag = "labels", params(KeyHeader, SessionHeader), request_body = LabelsDoneBody,
    responses((status = 201, body = LabelsTaken)))]
pub async fn labels_done(
    State(api): State<Arc<Api>>,
    who: Who,
    Keyed { value, retry }: Keyed<LabelsDoneBody>,
) -> Answered {
    api.own_store()?;
    who.may(&api, Role::Cashier)?;
    let staff = who.name("staff", &value.staff.0)?;
    let labels = value.labels.into_iter().map(|label| (label.sku.0, label.price)).collect();
    let replayed = api.read(|books| Ok(books.retried(retry.key)?.is_some()))?;
    match api.ask(Command::Labels(retry, LabelsRequest { staff, labels })).await? {
        Answer::Imported { count } => Ok(created(replayed, LabelsTaken { count })),
        answer => unexpected(&answer),
    }
}

/// Every label that has to be changed, as pages to print from a browser.
#[utoipa::path(get, path = "/v1/labels/sheet", tag = "labels", params(LabelParams),
    responses((status = 200, content_type = "text/html", body = String)))]
pub async fn show_labels(State(api): State<Arc<Api>>, Params(params): Params<LabelParams>) -> Answered {
    let (store, language) = (api.store_or_own(params.store)?, language(&api));
    let labels = api.read_much(move |books| printouts(books, store, &BTreeSet::new(), language)).await?;
    shown(&labels)
}

/// Prints every label that has to be changed, or those of some products, on the shop's printer. Each is printed once.
#[utoipa::path(post, path = "/v1/labels/print", tag = "labels", params(KeyHeader), request_body = PrintLabelsBody,
    responses((status = 200, body = PrintAnswer)))]
pub async fn print_labels(State(api): State<Arc<Api>>, Keyed { value, retry }: Keyed<PrintLabelsBody>) -> Answered {
    let (store, language) = (api.store_or_own(value.store)?, language(&api));
    let wanted: BTreeSet<Sku> = value.skus.iter().map(|sku| sku.0.clone()).collect();
    let labels = api.read_much(move |books| printouts(books, store, &wanted, language)).await?;
    print_labels_of(&api, labels, &value, retry).await
}

/// Labels of a store that have to be changed: those that are due first, the longest first.
pub fn tasks(books: &Books<'_>, store: StoreId, now_ms: u64) -> Answered<Vec<LabelTask>> {
    let changes = books.label_changes(store, (now_ms, LABEL_AHEAD_MS))?;
    let named = changes.into_iter().map(|(sku, change)| {
        let name = books.product(&sku)?.map_or(String::new(), |product| product.name);
        Ok(LabelTask::of(store, (sku, name), change, now_ms))
    });
    let mut tasks = named.collect::<Answered<Vec<_>>>()?;
    tasks.sort_by_key(|task| (!task.due, task.from.0));
    tasks.truncate(TASKS_MAX);
    Ok(tasks)
}

impl LabelTask {
    fn of(store: StoreId, (sku, name): (Sku, String), change: Change, now_ms: u64) -> Self {
        Self {
            store: store.0,
            sku: Text(sku),
            name,
            shows: change.shows,
            price: change.minor,
            from: Text(Moment(change.from_ms)),
            due: change.from_ms <= now_ms,
            late: now_ms.saturating_sub(change.from_ms) > LABEL_LATE_MS,
        }
    }

    /// True when a manager has to look.
    pub fn is_late(&self) -> bool {
        self.late
    }

    /// By what tasks of several stores are put in order.
    pub fn rank(&self) -> (bool, Moment) {
        (!self.due, self.from.0)
    }
}

/// Labels of a store that have to be changed as they are printed; `wanted` is empty for all of them. One that is only taken off has no print.
fn printouts(books: &Books<'_>, store: StoreId, wanted: &BTreeSet<Sku>, language: Language) -> Answered<Vec<Printout>> {
    let record = books.store(store)?;
    let record = record.ok_or_else(|| Problem::unknown("store", format_args!("no such store: {}", store.0)))?;
    let changes = books.label_changes(store, (now_ms(), LABEL_AHEAD_MS))?;
    let mut labels = Vec::new();
    for (sku, change) in changes {
        let Some(minor) = change.minor.filter(|_| wanted.is_empty() || wanted.contains(&sku)) else { continue };
        let product = books.product(&sku)?;
        let label = PriceLabel {
            name: product.as_ref().map_or_else(|| sku.as_str().to_owned(), |product| product.name.clone()),
            sku: sku.as_str().to_owned(),
            price: Money { minor, currency: record.currency },
            unit: product.as_ref().map_or(Unit::Each, |product| product.unit),
            from: Stamp { at_ms: change.from_ms, zone: record.zone.as_str().to_owned() },
            barcode: product.and_then(|product| product.barcodes.first().map(|barcode| barcode.gtin.to_string())),
        };
        let page = label.page(language);
        labels.push(Printout::new(&format!("shelf/{}/{}/{}", store.0, label.sku, change.from_ms), page.clone(), &page));
        if labels.len() == TASKS_MAX {
            break;
        }
    }
    Ok(labels)
}
