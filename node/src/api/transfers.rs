//! Transfers between stores: asking, shipping, receiving, and what is on its way.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use stockroom_core::input::Command;
use stockroom_core::input::goods::{AskRequest, CameLine, ReceiveRequest, ShipOrder, ShipRequest};
use stockroom_crdt::ids::{Code, Sku, StoreId};
use stockroom_crdt::money::Unit;
use stockroom_crdt::receiving::ReceiptLine;
use stockroom_crdt::stock::transit::State as Stage;
use stockroom_crdt::transfer::{AskedLine, TransferId};
use utoipa::{IntoParams, ToSchema};

use super::goods::{named, packs, unit_of};
use super::idempotency::{KeyHeader, Keyed, created};
use super::problem::{Answered, Kind, Problem};
use super::products::page_limit;
use super::request::{Params, Segment};
use super::transit::{TransferAnswer, TransferOfOne, TransferPage};
use super::values::{Day, Moment, Text, now_ms};
use super::{Api, Books, Written};

/// Asks another store for goods, or ships goods that nobody asked for.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TransferBody {
    /// The store that shall ship; this one asks. Either this or `to`.
    from: Option<u32>,
    /// The store to which this one ships at once. Either this or `from`.
    to: Option<u32>,
    /// When the goods are wanted, or ought to be there; in a week if absent.
    #[schema(value_type = Option<String>, format = DateTime)]
    due: Option<Text<Moment>>,
    /// Who asks or ships.
    #[serde(default)]
    #[schema(value_type = String)]
    staff: Text<Code>,
    /// What for; only when asking.
    #[serde(default)]
    #[schema(value_type = String)]
    reason: Text<Code>,
    /// Who approves that more leaves than the book has; only when shipping.
    #[serde(default)]
    #[schema(value_type = String)]
    approver: Text<Code>,
    /// 1 to 1,000 lines.
    lines: Vec<TransferLineBody>,
}

/// Ships what another store asked for.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ShipBody {
    /// When the goods ought to be there; in a week if absent.
    #[schema(value_type = Option<String>, format = DateTime)]
    due: Option<Text<Moment>>,
    /// Who ships.
    #[serde(default)]
    #[schema(value_type = String)]
    staff: Text<Code>,
    /// Who approves that more leaves than the book has.
    #[serde(default)]
    #[schema(value_type = String)]
    approver: Text<Code>,
    /// What leaves; what was asked for if absent.
    lines: Option<Vec<TransferLineBody>>,
}

/// Receives goods from another store.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReceiveBody {
    /// Who receives them.
    #[serde(default)]
    #[schema(value_type = String)]
    staff: Text<Code>,
    /// What came, every product that was shipped among it; everything as it was shipped if absent. Needed while the shipment
    /// is not known here.
    lines: Option<Vec<TransferLineBody>>,
}

/// Goods in a transfer.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TransferLineBody {
    /// What; either this or `code`.
    #[schema(value_type = Option<String>)]
    sku: Option<Text<Sku>>,
    /// A scanned code; `quantity` then counts packs.
    code: Option<String>,
    /// Pieces or grams, or packs of a scanned code; at least 1, or 0 when none came of what was shipped.
    quantity: i64,
    /// `each` or `gram`; the product's if absent.
    #[schema(value_type = Option<String>)]
    unit: Option<Text<Unit>>,
    /// Batch or lot; not when asking.
    #[serde(default)]
    #[schema(value_type = String)]
    lot: Text<Code>,
    /// Expiry date; not when asking.
    #[schema(value_type = Option<String>, format = Date)]
    expiry: Option<Text<Day>>,
    /// Why another number came than was shipped; needed then.
    #[serde(default)]
    #[schema(value_type = String)]
    reason: Text<Code>,
}

/// Which transfers.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct TransferParams {
    /// From or to this store; this node's own if absent, any at a hub.
    store: Option<u32>,
    /// `asked`, `in-transit` or `received`.
    #[param(value_type = Option<String>)]
    state: Option<Text<Stage>>,
    /// Only those that ought to be there and are not.
    overdue: Option<bool>,
    /// Only those of which another number came than was sent.
    differing: Option<bool>,
    /// Begin behind this number.
    #[param(value_type = Option<String>)]
    after: Option<Text<TransferId>>,
    /// At most this many, up to 1,000; 100 if absent.
    limit: Option<usize>,
}

/// Asks another store for goods (`from`), or ships goods that nobody asked for (`to`).
#[utoipa::path(post, path = "/v1/transfers", tag = "transfers", params(KeyHeader), request_body = TransferBody,
    responses((status = 201, body = TransferAnswer)))]
pub async fn create_transfer(State(api): State<Arc<Api>>, Keyed { value, retry }: Keyed<TransferBody>) -> Answered {
    api.own_store()?;
    let due_ms = value.due.map(|due| due.0.0);
    let lines = api.read(|books| resolve(books, value.lines))?;
    let command = match (value.from, value.to) {
        (Some(from), None) => {
            let lines = lines.into_iter().map(asked).collect::<Answered<Vec<_>>>()?;
            let (staff, reason) = (value.staff.0, value.reason.0);
            Command::AskTransfer(retry, AskRequest { from: StoreId(from), due_ms, staff, reason, lines })
        }
        (None, Some(to)) => {
            let (staff, approver) = (value.staff.0, value.approver.0);
            let (order, lines) = (ShipOrder::Unasked(StoreId(to)), lines.into_iter().map(leaving).collect());
            Command::ShipTransfer(retry, ShipRequest { order, due_ms, staff, approver, lines })
        }
        (Some(_), Some(_)) => return Err(Problem::invalid("to", "stands beside from; one of them is enough")),
        (None, None) => return Err(Problem::invalid("from", "is missing, and there is no to")),
    };
    let written = api.write(command).await?;
    answer(&api, written)
}

/// Ships what another store asked for: the goods leave the book and are in transit.
#[utoipa::path(post, path = "/v1/transfers/{id}/ship", tag = "transfers", params(("id" = String, Path), KeyHeader),
    request_body = ShipBody, responses((status = 201, body = TransferAnswer)))]
pub async fn ship_transfer(
    State(api): State<Arc<Api>>,
    Segment(id): Segment<TransferId>,
    Keyed { value, retry }: Keyed<ShipBody>,
) -> Answered {
    api.own_store()?;
    let lines = api.read(|books| match value.lines {
        Some(lines) => Ok(resolve(books, lines)?.into_iter().map(leaving).collect()),
        None => all_asked(books, id),
    })?;
    let due_ms = value.due.map(|due| due.0.0);
    let (order, staff, approver) = (ShipOrder::Asked(id), value.staff.0, value.approver.0);
    let request = ShipRequest { order, due_ms, staff, approver, lines };
    let written = api.write(Command::ShipTransfer(retry, request)).await;
    answer(&api, written.map_err(|problem| missing(id, problem))?)
}

/// Receives goods from another store, as many as came. Also without a link to it, by the number on the paper: hubs compare later.
#[utoipa::path(post, path = "/v1/transfers/{id}/receive", tag = "transfers", params(("id" = String, Path), KeyHeader),
    request_body = ReceiveBody, responses((status = 201, body = TransferAnswer)))]
pub async fn receive_transfer(
    State(api): State<Arc<Api>>,
    Segment(id): Segment<TransferId>,
    Keyed { value, retry }: Keyed<ReceiveBody>,
) -> Answered {
    api.own_store()?;
    let lines = value.lines.map(|lines| api.read(|books| resolve(books, lines))).transpose()?;
    let written = api.write(Command::ReceiveTransfer(retry, ReceiveRequest { id, staff: value.staff.0, lines })).await;
    answer(&api, written.map_err(|problem| missing(id, problem))?)
}

/// Transfers, in the order of their numbers.
#[utoipa::path(get, path = "/v1/transfers", tag = "transfers", params(TransferParams),
    responses((status = 200, body = TransferPage)))]
pub async fn list_transfers(
    State(api): State<Arc<Api>>,
    Params(params): Params<TransferParams>,
) -> Answered<Json<TransferPage>> {
    let own = Some(api.info.store).filter(|store| *store != 0);
    let store = params.store.or(own).map(StoreId);
    let limit = page_limit(params.limit)?;
    let now = now_ms();
    let read = move |books: &Books<'_>| {
        let transfers = books.transfers(params.after.map(|id| id.0), limit, |transfer| {
            store.is_none_or(|store| transfer.from == store || transfer.to == store)
                && params.state.as_ref().is_none_or(|state| transfer.state == state.0)
                && params.overdue.is_none_or(|overdue| transfer.is_overdue(now) == overdue)
                && params.differing.is_none_or(|differing| transfer.differs() == differing)
        })?;
        let next = if transfers.len() == limit { transfers.last().map(|last| Text(last.id)) } else { None };
        let items = transfers.into_iter().map(|transfer| TransferAnswer::of(transfer, now)).collect();
        Ok(Json(TransferPage { items, next }))
    };
    api.read_much(read).await
}

/// A transfer, as far as it is known here.
#[utoipa::path(get, path = "/v1/transfers/{id}", tag = "transfers", params(("id" = String, Path)),
    responses((status = 200, body = TransferOfOne)))]
pub async fn show_transfer(
    State(api): State<Arc<Api>>,
    Segment(id): Segment<TransferId>,
) -> Answered<Json<TransferOfOne>> {
    let transfer = api.read(|books| books.transfer(id)?.ok_or_else(|| unknown(id)))?;
    Ok(Json(TransferOfOne::of(&api, transfer)))
}

/// Lines with their codes resolved.
fn resolve(books: &Books<'_>, lines: Vec<TransferLineBody>) -> Answered<Vec<CameLine>> {
    let line = |(index, line): (usize, TransferLineBody)| {
        let field = format!("lines[{index}]");
        let named = named(books, &field, line.sku, line.code)?;
        let quantity = packs(&format!("{field}.quantity"), line.quantity, named.pack)?;
        Ok(CameLine {
            unit: unit_of(books, &named.sku, line.unit)?,
            sku: named.sku,
            quantity,
            lot: line.lot.0,
            expiry_day: line.expiry.map_or(0, |day| day.0.0),
            reason: line.reason.0,
        })
    };
    lines.into_iter().enumerate().map(line).collect()
}

fn asked(line: CameLine) -> Answered<AskedLine> {
    if !line.lot.is_empty() || line.expiry_day != 0 {
        return Err(Problem::invalid("lines", "name a lot or an expiry: the store that ships chooses"));
    }
    Ok(AskedLine { sku: line.sku, unit: line.unit, quantity: line.quantity })
}

fn leaving(line: CameLine) -> ReceiptLine {
    let CameLine { sku, unit, quantity, lot, expiry_day, .. } = line;
    ReceiptLine { sku, unit, quantity, lot, expiry_day }
}

/// Everything that was asked for.
fn all_asked(books: &Books<'_>, id: TransferId) -> Answered<Vec<ReceiptLine>> {
    let transfer = books.transfer(id)?.ok_or_else(|| unknown(id))?;
    let lines = transfer.lines.into_iter().filter(|line| line.asked > 0).map(|line| ReceiptLine {
        sku: line.sku,
        unit: line.unit,
        quantity: line.asked,
        lot: Code::default(),
        expiry_day: 0,
    });
    Ok(lines.collect())
}

/// What the write itself says: the same answer at every try.
fn answer(api: &Api, written: Written) -> Answered {
    let store = api.own_store()?;
    Ok(created(written.replayed, TransferAnswer::of_part(store, &written.entry)?))
}

/// The transfer stands in the path, so it is not a field that is wrong.
fn missing(id: TransferId, problem: Problem) -> Problem {
    if problem.kind() == Kind::UnknownReference && problem.field() == Some("transfer") { unknown(id) } else { problem }
}

fn unknown(id: TransferId) -> Problem {
    Problem::not_found(format!("transfer {id} is not known here"))
}
