//! Tables for other programs, as CSV: outages of links that this node saw, and sales line by line.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use serde::Deserialize;
use stockroom_crdt::entry::Fact;
use stockroom_crdt::ids::StoreId;
use utoipa::IntoParams;

use super::problem::{Answered, Kind, Problem};
use super::request::Params;
use super::{Api, Books};

/// Whose sales.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ExportParams {
    /// Only of this store; all that are known here if absent.
    store: Option<u32>,
}

/// Path of the sales.
pub const SALES_PATH: &str = "/v1/exports/sales";

/// Outages of links to other nodes that this node saw, the newest thousand per node: `node,from_ms,to_ms`, milliseconds since
/// 1970. From the node's own machine.
#[utoipa::path(get, path = "/v1/exports/outages", tag = "status",
    responses((status = 200, body = String, content_type = "text/csv")))]
pub async fn export_outages(State(api): State<Arc<Api>>) -> Answered {
    let read = |books: &Books<'_>| {
        let rows = books.outages()?.into_iter();
        table(
            ["node", "from_ms", "to_ms"],
            rows.map(|(node, from, to)| [node.0.to_string(), from.to_string(), to.to_string()]),
        )
    };
    api.read_much(read).await.map(answer)
}

/// Sales line by line, in the order of receipts: `store,sku,at_ms,quantity`. Quantities in pieces or grams, negative for what came
/// back; times as the till rang them up, milliseconds since 1970. From the node's own machine.
#[utoipa::path(get, path = "/v1/exports/sales", tag = "status", params(ExportParams),
    responses((status = 200, body = String, content_type = "text/csv")))]
pub async fn export_sales(State(api): State<Arc<Api>>, Params(params): Params<ExportParams>) -> Answered {
    let read = move |books: &Books<'_>| {
        let mut stores: Vec<StoreId> = books.stores()?.into_iter().map(|record| record.store).collect();
        if let Some(store) = params.store {
            stores.retain(|held| held.0 == store);
            if stores.is_empty() {
                return Err(Problem::unknown("store", format_args!("no such store: {store}")));
            }
        }
        let mut rows = Vec::new();
        for store in stores {
            for place in books.receipts(store)? {
                let Some(Fact::Sale(sale)) = books.entry(place)?.map(|entry| entry.fact) else { continue };
                let at_ms = sale.rung_ms.to_string();
                rows.extend(sale.lines.iter().map(|line| {
                    [store.0.to_string(), line.sku.as_str().to_owned(), at_ms.clone(), line.quantity.to_string()]
                }));
            }
        }
        table(["store", "sku", "at_ms", "quantity"], rows)
    };
    api.read_much(read).await.map(answer)
}

fn table<const N: usize>(head: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> Answered<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let failed = |_| Problem::new(Kind::Storage, "the table cannot be written");
    writer.write_record(head).map_err(failed)?;
    for row in rows {
        writer.write_record(&row).map_err(failed)?;
    }
    writer.into_inner().map_err(|_| Problem::new(Kind::Storage, "the table cannot be written"))
}

fn answer(bytes: Vec<u8>) -> axum::response::Response {
    ([(header::CONTENT_TYPE, "text/csv; charset=utf-8")], bytes).into_response()
}
