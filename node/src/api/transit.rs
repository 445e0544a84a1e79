//! How a transfer is shown: its state, what is in transit, and what came otherwise than it was sent.

use serde::Serialize;
use stockroom_crdt::entry::Entry;
use stockroom_crdt::ids::{Code, Sku, StoreId};
use stockroom_crdt::money::Unit;
use stockroom_crdt::stock::transit::{Line, Part, State, Transfer, resolve};
use stockroom_crdt::transfer::{TransferId, part};
use utoipa::ToSchema;

use super::problem::Answered;
use super::stores::Knowledge;
use super::values::{Moment, Text, moment, now_ms};
use super::{Api, unexpected_entry};

/// A transfer, as far as it is known here.
#[derive(Serialize, ToSchema)]
#[schema(as = Transfer)]
pub struct TransferAnswer {
    /// Its number, `store-number`, where the store is the one that opened it. It stands on the paper that travels with the goods.
    #[schema(value_type = String, example = "12-4839201755")]
    id: Text<TransferId>,
    /// The store that ships.
    from: u32,
    /// The store that receives.
    to: u32,
    /// `asked`, `in-transit` or `received`.
    #[schema(value_type = String)]
    state: Text<State>,
    /// It ought to be there and is not.
    overdue: bool,
    /// Another number came than was sent, of some product.
    differs: bool,
    /// It was shipped or received more than once, and not with the same lines: somebody must look.
    repeated: bool,
    /// When it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    asked_at: Option<Text<Moment>>,
    /// When it was shipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    shipped_at: Option<Text<Moment>>,
    /// When it was received.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    received_at: Option<Text<Moment>>,
    /// When it is wanted, or ought to be there.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    due_at: Option<Text<Moment>>,
    /// The products, over all lots.
    lines: Vec<TransferLineAnswer>,
}

/// One product of a transfer.
#[derive(Serialize, ToSchema)]
#[schema(as = TransferLine)]
pub struct TransferLineAnswer {
    /// What.
    #[schema(value_type = String)]
    sku: Text<Sku>,
    /// Its unit.
    #[schema(value_type = String)]
    unit: Text<Unit>,
    /// How many were asked for.
    asked: i64,
    /// How many left; absent while that is unknown here.
    #[serde(skip_serializing_if = "Option::is_none")]
    sent: Option<i64>,
    /// How many came; absent while that is unknown here.
    #[serde(skip_serializing_if = "Option::is_none")]
    came: Option<i64>,
    /// How many are on the way, in nobody's book.
    in_transit: i64,
    /// How many came beyond those that were sent; negative for a shortage, absent while one of the two is unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    difference: Option<i64>,
    /// Why, as far as anybody knows.
    #[schema(value_type = String)]
    reason: Text<Code>,
}

/// Transfers, in the order of their numbers.
#[derive(Serialize, ToSchema)]
pub struct TransferPage {
    /// The transfers.
    pub items: Vec<TransferAnswer>,
    /// To be given as `after` for the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub next: Option<Text<TransferId>>,
}

/// A transfer, and how old what is known of its two stores is.
#[derive(Serialize, ToSchema)]
pub struct TransferOfOne {
    /// The transfer.
    #[serde(flatten)]
    transfer: TransferAnswer,
    /// What is known of the store that ships; absent if nothing of it is followed here.
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<Knowledge>,
    /// What is known of the store that receives; absent if nothing of it is followed here.
    #[serde(skip_serializing_if = "Option::is_none")]
    destination: Option<Knowledge>,
}

impl TransferOfOne {
    /// A transfer as it is known now.
    pub fn of(api: &Api, transfer: Transfer) -> Self {
        let known = |store| Knowledge::of(api, store).ok();
        let (source, destination) = (known(transfer.from), known(transfer.to));
        Self { transfer: TransferAnswer::of(transfer, now_ms()), source, destination }
    }
}

impl TransferAnswer {
    /// A transfer at a time.
    pub fn of(transfer: Transfer, now_ms: u64) -> Self {
        Self {
            overdue: transfer.is_overdue(now_ms),
            differs: transfer.differs(),
            id: Text(transfer.id),
            from: transfer.from.0,
            to: transfer.to.0,
            state: Text(transfer.state),
            repeated: transfer.repeated,
            asked_at: moment(transfer.asked_ms),
            shipped_at: moment(transfer.shipped_ms),
            received_at: moment(transfer.received_ms),
            due_at: moment(transfer.due_ms),
            lines: transfer.lines.into_iter().map(TransferLineAnswer::of).collect(),
        }
    }

    /// What one entry says of a transfer, at the time when it was written.
    pub fn of_part(store: StoreId, entry: &Entry) -> Answered<Self> {
        let Some((id, _, _)) = part(&entry.fact) else { return unexpected_entry() };
        let at_ms = entry.hlc.ms();
        match resolve(id, &[Part { store, at_ms, fact: &entry.fact }]) {
            Some(transfer) => Ok(Self::of(transfer, at_ms)),
            None => unexpected_entry(),
        }
    }
}

impl TransferLineAnswer {
    fn of(line: Line) -> Self {
        Self {
            in_transit: line.in_transit(),
            difference: line.difference(),
            sku: Text(line.sku),
            unit: Text(line.unit),
            asked: line.asked,
            sent: line.sent,
            came: line.came,
            reason: Text(line.reason),
        }
    }
}
