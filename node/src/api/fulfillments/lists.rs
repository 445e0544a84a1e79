//! Pick lists: what somebody fetches from the shelves, for one order or for several at once, each into its tote.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use stockroom_crdt::gtin::Gtin;
use stockroom_crdt::ids::{Code, Sku, StoreId};
use stockroom_crdt::money::Unit;
use stockroom_crdt::order::OrderId;
use stockroom_crdt::order::header::Preference;
use stockroom_crdt::order::resolve::{Fulfillment, State as Stage};
use utoipa::{IntoParams, ToSchema};

use super::answer::newest;
use super::not_here;
use crate::api::papers::{self, Format};
use crate::api::problem::{Answered, Kind, Problem};
use crate::api::request::Params;
use crate::api::values::{Moment, Text, now_ms};
use crate::api::{Api, Books};

/// What somebody fetches from the shelves.
#[derive(Serialize, ToSchema)]
pub struct PickListAnswer {
    /// At which store.
    pub store: u32,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub made_at: Text<Moment>,
    /// One tote for each order, the first due first.
    pub totes: Vec<ToteAnswer>,
    /// In the order in which to walk: by department, then by SKU.
    pub departments: Vec<DepartmentAnswer>,
    /// What the list cannot know.
    pub notes: Vec<&'static str>,
}

/// What one order's goods go into.
#[derive(Serialize, ToSchema)]
pub struct ToteAnswer {
    /// Its number on this list, from 1.
    pub tote: usize,
    /// The order.
    #[schema(value_type = String)]
    pub order: Text<OrderId>,
    /// Which offer of it.
    pub generation: u16,
    /// Where it stands.
    pub state: &'static str,
    /// When it is due.
    #[schema(value_type = String, format = DateTime)]
    pub due: Text<Moment>,
    /// Lines that go into it.
    pub lines: usize,
}

/// One stop of the walk.
#[derive(Serialize, ToSchema)]
pub struct DepartmentAnswer {
    /// Which department; empty for products that are in none.
    pub department: String,
    /// What is fetched there.
    pub lines: Vec<PickLineAnswer>,
}

/// One product.
#[derive(Serialize, ToSchema)]
pub struct PickLineAnswer {
    /// What.
    #[schema(value_type = String)]
    pub sku: Text<Sku>,
    /// Its name.
    pub name: String,
    /// Its barcode, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub barcode: Option<Text<Gtin>>,
    /// Its unit.
    #[schema(value_type = String)]
    pub unit: Text<Unit>,
    /// Pieces or grams, for all totes.
    pub quantity: i64,
    /// Age that whoever takes it must have reached; 0 for none.
    pub age_min: u8,
    /// How many go into which tote.
    pub into: Vec<IntoAnswer>,
}

/// What goes into one tote.
#[derive(Serialize, ToSchema)]
pub struct IntoAnswer {
    /// Which tote.
    pub tote: usize,
    /// Which line of its order, from 1.
    pub line: u16,
    /// Pieces or grams.
    pub quantity: i64,
    /// The most, for weighed goods.
    pub quantity_max: i64,
    /// What the customer wants when it is not there.
    #[schema(value_type = String)]
    pub preference: Text<Preference>,
}

/// Which orders.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PickListParams {
    /// Their numbers, with commas between them, at most 24; the first that are due if absent.
    #[param(value_type = Option<String>)]
    orders: Option<String>,
    /// Without `orders`: how many, 1 to 24; 6 if absent.
    count: Option<usize>,
    /// At this store; this node's own if absent, needed at a hub.
    store: Option<u32>,
    /// `html` for a page to print from a browser; JSON if absent.
    #[param(value_type = Option<String>)]
    format: Option<Text<Format>>,
}

/// A product on the walk: department, then SKU, then unit.
type Stop = (Code, Sku, Unit);

/// One order for one picker, or several: then goods are sorted into numbered totes while they are fetched. What is picked already, on hold
/// or not to be picked yet is not on it.
#[utoipa::path(get, path = "/v1/pick-lists", tag = "fulfillments", params(PickListParams),
    responses((status = 200, body = PickListAnswer)))]
pub async fn show_pick_list(State(api): State<Arc<Api>>, Params(params): Params<PickListParams>) -> Answered {
    let store = api.store_or_own(params.store)?;
    let named = params.named()?;
    let count = params.count.unwrap_or(COUNT_USUAL);
    if !(1..=COUNT_MAX).contains(&count) {
        return Err(Problem::invalid("count", format_args!("is not 1 to {COUNT_MAX}")));
    }
    let (as_page, language) = (params.format.is_some(), papers::language(&api));
    let read = move |books: &Books<'_>| {
        let parts = match named {
            Some(orders) => asked_for(books, store, &orders)?,
            None => first_due(books, store, count)?,
        };
        let list = list(books, store, &parts)?;
        match as_page {
            true => papers::shown(&[papers::made::pick_list(books, store, &list, language)?]),
            false => Ok(Json(list).into_response()),
        }
    };
    api.read_much(read).await
}

impl PickListParams {
    fn named(&self) -> Answered<Option<Vec<OrderId>>> {
        let Some(text) = &self.orders else { return Ok(None) };
        let read = |text: &str| OrderId::parse(text.trim());
        let orders: Option<Vec<_>> = text.split(',').map(read).collect();
        let orders = orders.ok_or_else(|| Problem::invalid("orders", "is not a list of order numbers"))?;
        if orders.len() > COUNT_MAX {
            return Err(Problem::invalid(
                "orders",
                format_args!("are more than {COUNT_MAX}: nobody carries so many totes"),
            ));
        }
        Ok(Some(orders))
    }
}

/// The list of these orders.
pub fn of(books: &Books<'_>, store: StoreId, orders: &[OrderId]) -> Answered<PickListAnswer> {
    list(books, store, &asked_for(books, store, orders)?)
}

/// A fulfillment with its order and when it is due.
type Wanted = (u64, OrderId, Fulfillment);

fn asked_for(books: &Books<'_>, store: StoreId, orders: &[OrderId]) -> Answered<Vec<Wanted>> {
    let mut out: Vec<Wanted> = Vec::new();
    for order in orders {
        let known = books.order_at(store, *order)?;
        let part = newest(&known, store, None).ok_or_else(|| not_here(*order, store))?;
        if part.state > Stage::Picked {
            let detail = format!("order {order} is {}: nothing of it is picked any more", part.state.as_str());
            return Err(Problem::new(Kind::Conflict, detail));
        }
        if let Some(why) = part.held.clone().or_else(|| known.held()) {
            return Err(Problem::new(Kind::Conflict, format!("order {order} is on hold: {why}")));
        }
        if out.iter().all(|(_, held, _)| held != order) {
            let offer = known.parts.get(&(part.generation, store)).and_then(|part| part.offer.as_ref());
            out.push((offer.map_or(0, |offer| offer.due_ms), *order, part));
        }
    }
    out.sort_by_key(|(due_ms, order, _)| (*due_ms, *order));
    Ok(out)
}

fn first_due(books: &Books<'_>, store: StoreId, count: usize) -> Answered<Vec<Wanted>> {
    let (mut out, mut after, now) = (Vec::new(), None, now_ms());
    loop {
        let page = books.works(store, after, PAGE)?;
        let Some(last) = page.last() else { return Ok(out) };
        after = Some(*last);
        for work in page {
            let known = books.order_at(store, work.order)?;
            let release_ms = known.parts.get(&(work.generation, store)).and_then(|part| part.offer.as_ref());
            let may_begin = release_ms.is_some_and(|offer| offer.release_ms <= now);
            let part = newest(&known, store, Some(work.generation));
            let Some(part) = part.filter(|part| part.state <= Stage::Picking && !part.withdrawn) else { continue };
            if may_begin && part.held.is_none() && known.held().is_none() {
                out.push((work.due_ms, work.order, part));
            }
            if out.len() == count {
                return Ok(out);
            }
        }
    }
}

fn list(books: &Books<'_>, store: StoreId, parts: &[Wanted]) -> Answered<PickListAnswer> {
    let mut stops: BTreeMap<Stop, PickLineAnswer> = BTreeMap::new();
    let mut totes = Vec::new();
    for (at, (due_ms, order, part)) in parts.iter().enumerate() {
        let open: Vec<_> = part.lines.iter().filter(|line| line.picked.is_none() && line.open() > 0).collect();
        totes.push(ToteAnswer {
            tote: at + 1,
            order: Text(*order),
            generation: part.generation,
            state: part.state.as_str(),
            due: Text(Moment(*due_ms)),
            lines: open.len(),
        });
        for line in open {
            let offered = &line.offered;
            let product = books.product(&offered.sku)?;
            let department = product.as_ref().map(|product| product.department.clone()).unwrap_or_default();
            let stop = stops.entry((department, offered.sku.clone(), offered.unit)).or_insert_with(|| PickLineAnswer {
                sku: Text(offered.sku.clone()),
                name: product.as_ref().map_or(String::new(), |product| product.name.clone()),
                barcode: product.as_ref().and_then(|product| product.barcodes.first()).map(|code| Text(code.gtin)),
                unit: Text(offered.unit),
                quantity: 0,
                age_min: offered.age_min,
                into: Vec::new(),
            });
            stop.quantity += line.open();
            stop.into.push(IntoAnswer {
                tote: at + 1,
                line: offered.line + 1,
                quantity: line.open(),
                quantity_max: (offered.quantity_max() - line.cancelled).max(0),
                preference: Text(offered.preference),
            });
        }
    }
    let mut departments: Vec<DepartmentAnswer> = Vec::new();
    for ((department, ..), line) in stops {
        match departments.last_mut() {
            Some(last) if last.department == department.as_str() => last.lines.push(line),
            _ => departments.push(DepartmentAnswer { department: department.to_string(), lines: vec![line] }),
        }
    }
    Ok(PickListAnswer { store: store.0, made_at: Text(Moment(now_ms())), totes, departments, notes: NOTES.to_vec() })
}

const NOTES: [&str; 2] = [
    "sorted by department and SKU: nobody has said where the shelves are",
    "nobody has said which goods are cold: fetch those last",
];

/// Totes on a cart.
pub const COUNT_MAX: usize = 24;

/// Totes that somebody pushes without trouble.
const COUNT_USUAL: usize = 6;

/// Open fulfillments that are read at a time.
const PAGE: usize = 100;
