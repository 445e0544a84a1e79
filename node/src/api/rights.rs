//! Who may promise how many units of a product: rows of rights as they are known here, what its home owes, requests that wait.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use stockroom_core::policy::exposure::{Leak, expose};
use stockroom_crdt::ids::{Actor, Sku, StoreId};
use stockroom_crdt::money::Unit;
use stockroom_crdt::stock::rights::{Account, Class, Rights};
use utoipa::{IntoParams, ToSchema};

use super::problem::{Answered, Problem};
use super::request::{Params, Segment};
use super::stores::Knowledge;
use super::values::{Text, now_ms};
use super::{Api, Books};

/// Rights to the goods of one product.
#[derive(Serialize, ToSchema)]
pub struct RightsAnswer {
    /// The product.
    #[schema(value_type = String)]
    sku: Text<Sku>,
    /// In what all figures are counted.
    #[schema(value_type = String)]
    unit: Text<Unit>,
    /// Stores where rights were ever made or promises given, by their numbers.
    stores: Vec<RightsOfStore>,
}

/// Rights to the goods at one store.
#[derive(Serialize, ToSchema)]
pub struct RightsOfStore {
    /// The store, and how old what follows is.
    #[serde(flatten)]
    knowledge: Knowledge,
    /// Pieces or grams in its book.
    on_hand: i64,
    /// Rights to goods: the same unit is never promised twice.
    goods: RightsOfClass,
    /// Rights of the budget for soft promises.
    soft: RightsOfClass,
    /// At the store itself: so many units may be promised of what is in the book, less what walk-in customers will probably take
    /// before a promise is picked, which is not in this figure. Absent elsewhere, and without a rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    exposed_at_most: Option<u64>,
    /// Requests for rights, answered or not; of each pair of nodes the newest.
    requests: Vec<RequestLine>,
}

/// Rights of one kind.
#[derive(Serialize, ToSchema)]
pub struct RightsOfClass {
    /// Made by all homes that there ever were.
    minted: u64,
    /// Destroyed, with what written-off nodes held.
    burned: u64,
    /// Units of promises that are over.
    closed: u64,
    /// Units of promises that are open.
    open: u64,
    /// What the home owes: rights that somebody may still use, and open promises.
    liability: u64,
    /// One row per actor, which only that actor writes.
    rows: Vec<RowLine>,
}

/// What one actor says.
#[derive(Serialize, ToSchema)]
pub struct RowLine {
    /// Node and epoch.
    #[schema(value_type = String, example = "2.1")]
    actor: Text<Actor>,
    /// Its store, 0 for a hub; absent if the node is not known here.
    #[serde(skip_serializing_if = "Option::is_none")]
    at_store: Option<u32>,
    /// Rights made from goods.
    minted: u64,
    /// Turned into promises.
    used: u64,
    /// Destroyed, because goods were missing.
    burned: u64,
    /// Granted to others, in all.
    granted: u64,
    /// To whom.
    grants: Vec<GrantLine>,
    /// What it may still promise, as far as is known here.
    held: u64,
    /// Its rights were written off.
    retired: bool,
}

/// Rights that one actor gave another.
#[derive(Serialize, ToSchema)]
pub struct GrantLine {
    /// To whom.
    #[schema(value_type = String)]
    to: Text<Actor>,
    /// Units, in all.
    units: u64,
}

/// One node asks another for rights.
#[derive(Serialize, ToSchema)]
pub struct RequestLine {
    /// Who asks.
    #[schema(value_type = String)]
    by: Text<Actor>,
    /// Which node is asked.
    of: u32,
    /// Number of the request.
    number: u32,
    /// Units that are wanted.
    quantity: u64,
    /// Why.
    why: &'static str,
    /// Whether it was answered, with a grant or without.
    answered: bool,
}

/// Which goods.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RightsParams {
    /// Only at this store.
    store: Option<u32>,
    /// `each` or `gram`; the product's if absent.
    #[param(value_type = Option<String>)]
    unit: Option<Text<Unit>>,
}

/// Who may promise how many units of a product.
#[utoipa::path(get, path = "/v1/rights/{sku}", tag = "reservations", params(("sku" = String, Path), RightsParams),
    responses((status = 200, body = RightsAnswer)))]
pub async fn show_rights(
    State(api): State<Arc<Api>>,
    Segment(sku): Segment<Sku>,
    Params(params): Params<RightsParams>,
) -> Answered<Json<RightsAnswer>> {
    let shared = api.clone();
    let read = move |books: &Books<'_>| {
        let product =
            books.product(&sku)?.ok_or_else(|| Problem::not_found(format!("{sku} is not in the catalogue")))?;
        let unit = params.unit.map_or(product.unit, |unit| unit.0);
        let nodes: BTreeMap<u32, u32> =
            books.nodes()?.into_iter().map(|capability| (capability.node.0, capability.store.0)).collect();
        let mut records = books.stores()?;
        if let Some(store) = params.store {
            records.retain(|record| record.store.0 == store);
            if records.is_empty() {
                return Err(Problem::unknown("store", format_args!("no such store: {store}")));
            }
        }
        let mut stores = Vec::new();
        for record in records {
            let account = Account { store: record.store, sku: sku.clone(), unit };
            stores.extend(RightsOfStore::of(&shared, books, &account, &nodes)?);
        }
        Ok(Json(RightsAnswer { sku: Text(sku), unit: Text(unit), stores }))
    };
    api.read_much(read).await
}

impl RightsOfStore {
    /// Nothing for an account that nobody ever had rights to.
    fn of(api: &Api, books: &Books<'_>, account: &Account, nodes: &BTreeMap<u32, u32>) -> Answered<Option<Self>> {
        let goods = books.rights(account, Class::Goods)?;
        let soft = books.rights(account, Class::Overbooking)?;
        let owed = books.owed(account)?;
        if goods.rows().next().is_none() && owed == Default::default() {
            return Ok(None);
        }
        let requests = books.wants(account)?.into_iter().map(|(by, want)| RequestLine {
            by: Text(by),
            of: want.of.0,
            number: want.number,
            quantity: want.quantity,
            why: want.why.as_str(),
            answered: goods.rows().any(|(actor, row)| actor.node == want.of && row.served(by) >= want.number),
        });
        let on_hand = books.on_hand(account)?;
        Ok(Some(Self {
            knowledge: Knowledge::of(api, account.store)?,
            on_hand,
            exposed_at_most: exposed(api, books, account, on_hand)?,
            requests: requests.collect(),
            goods: RightsOfClass::of(books, (account, Class::Goods), &goods, nodes)?,
            soft: RightsOfClass::of(books, (account, Class::Overbooking), &soft, nodes)?,
        }))
    }
}

impl RightsOfClass {
    fn of(
        books: &Books<'_>,
        (account, class): (&Account, Class),
        rights: &Rights,
        nodes: &BTreeMap<u32, u32>,
    ) -> Answered<Self> {
        let liability = books.liability(account, class, rights)?;
        let retired = books.retired(account.store)?;
        let row = |actor: Actor| {
            let row = rights.row(actor);
            RowLine {
                actor: Text(actor),
                at_store: nodes.get(&actor.node.0).copied(),
                minted: row.mint,
                used: row.used,
                burned: row.burned,
                granted: row.granted(),
                grants: row.grants.iter().map(|(to, units)| GrantLine { to: Text(*to), units: *units }).collect(),
                held: rights.held(actor),
                retired: retired.contains(&actor),
            }
        };
        Ok(Self {
            minted: liability.minted,
            burned: liability.burned,
            closed: liability.closed,
            open: liability.open,
            liability: liability.units(),
            rows: rights.actors().into_iter().map(row).collect(),
        })
    }
}

/// What the home lets be promised at most.
fn exposed(api: &Api, books: &Books<'_>, account: &Account, on_hand: i64) -> Answered<Option<u64>> {
    if StoreId(api.info.store) != account.store {
        return Ok(None);
    }
    let Some(rule) = books.rule_for(&books.rules()?, &account.sku)? else { return Ok(None) };
    let held = books.account(account.store, &account.sku, account.unit)?;
    let counted = held.and_then(|held| held.base).map(|(_, counted)| counted.scanned_ms);
    let leak = Leak { counted_ms_ago: counted.map_or(0, |at_ms| now_ms().saturating_sub(at_ms)), walk_in_rate: 0.0 };
    Ok(Some(expose(u64::try_from(on_hand).unwrap_or(0), &rule, &leak)))
}
