//! From the rights that this node holds to a plan, and from a plan to offers with promises behind them.

use std::collections::{BTreeMap, BTreeSet};

use stockroom_crdt::entry::Fact;
use stockroom_crdt::ids::{Sku, StoreId};
use stockroom_crdt::money::Unit;
use stockroom_crdt::order::OrderId;
use stockroom_crdt::order::header::Order;
use stockroom_crdt::order::offer::{Offer, OfferLine, code_hash, pickup_code};
use stockroom_crdt::product::Channel;
use stockroom_crdt::scope::Scope;
use stockroom_crdt::stock::promise::{Claim, Promise};
use stockroom_crdt::stock::rights::{Account, Class, Rights};

use super::{services, store};
use crate::books;
use crate::books::{orders as book, plans, rights};
use crate::command::promise::promisable;
use crate::plant::{Plant, planted};
use crate::policy::route::place::Place;
use crate::policy::route::plan::{Goods, Part, Plan};
use crate::policy::route::{self, Candidate, Stock, Terms};
use crate::replica::Replica;
use crate::sealed::{self, Purpose};
use crate::storage::{Snapshot, StoreError, Table};
use crate::sync::fresh_key;
use crate::view::View;

/// Units of lines of an order for which a store is looked for.
pub type Needs = Vec<(u16, i64)>;

/// What the plan is to be about.
pub struct Task<'a> {
    /// The order.
    pub order: &'a Order,
    /// What is needed of it.
    pub needs: &'a Needs,
    /// Only these stores; empty for all.
    pub among: &'a [StoreId],
    /// Stores that have refused, were short, or are silent.
    pub but: &'a BTreeSet<StoreId>,
}

/// Routes units of an order by the rights that are held here now.
pub fn plan(replica: &Replica, task: &Task<'_>) -> Result<Plan, StoreError> {
    let Task { order, needs, among, but } = task;
    let goods = goods_of(order, needs);
    let view = View::new(&replica.overlay);
    let records: Vec<_> = match among.is_empty() {
        true => view.stores()?,
        false => {
            among.iter().map(|store| view.store(*store)).collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect()
        }
    };
    let own = replica.own_store();
    let records: Vec<_> = records
        .into_iter()
        .filter(|record| !but.contains(&record.store) && own.is_none_or(|own| own == record.store))
        .collect();
    let services: BTreeMap<_, _> =
        services(&replica.overlay)?.into_iter().map(|service| (service.store, service)).collect();
    let rules = replica.routing_for(order.channel)?;
    let mut stocks = Vec::with_capacity(records.len());
    let mut loads = Vec::with_capacity(records.len());
    for record in &records {
        let mut stock = Vec::with_capacity(goods.len());
        for (at, (sku, unit)) in goods.iter().enumerate() {
            let account = Account { store: record.store, sku: sku.clone(), unit: *unit };
            stock.push(stock_of(replica, at as Goods, &account)?);
        }
        stocks.push(stock);
        loads.push(book::works_of(&replica.overlay, record.store, None, LOAD_MAX)?.len() as u32);
    }
    let mut candidates = Vec::with_capacity(records.len());
    for (at, record) in records.iter().enumerate() {
        let service = services.get(&record.store);
        let most = service.and_then(|service| service.parts_per_day).or(rules.parts_per_day);
        candidates.push(Candidate {
            store: record.store,
            group: &record.group,
            entity: &record.entity,
            place: record.coordinates.map(Place::of),
            service,
            offset_min: replica.order_desk.offsets_min.get(&record.store).copied().unwrap_or(0),
            parts_per_day: most,
            parts_left: most.map(|most| most.saturating_sub(loads[at])),
            heard_ms: heard_ms(replica, record.store)?,
            stock: &stocks[at],
        });
    }
    let lines = needs.iter().map(|(line, units)| {
        let ordered = &order.lines[usize::from(*line)];
        let at = goods.iter().position(|(sku, unit)| *sku == ordered.sku && *unit == ordered.unit).unwrap_or(0);
        route::Line {
            goods: at as Goods,
            unit: ordered.unit,
            quantity: units.unsigned_abs(),
            value: ordered.amount(*units),
            weight_g: if ordered.unit == Unit::Gram { units.unsigned_abs() } else { 0 },
        }
    });
    let wanted = route::Order {
        channel: order.channel,
        entity: order.entity.clone(),
        place: order.place.map(Place::of),
        chosen: if order.channel == Channel::Pickup {
            records.iter().map(|record| record.store).collect()
        } else {
            Vec::new()
        },
        promised_ms: order.due_ms,
        travel_ms: BTreeMap::new(),
        lines: lines.collect(),
    };
    let limits = replica.limits_for(among.first().copied().unwrap_or(StoreId(0)))?;
    let now_ms = replica.now.wall_ms.max(order.release_ms);
    Ok(route::plan(&wanted, &candidates, &Terms { rules: &rules, limits: &limits, now_ms }))
}

/// The entries that carry a plan out: for each part promises, the rows that pay for them, and the offer. Also what of the needs is not
/// served.
pub fn offers(
    replica: &mut Replica,
    (order, needs): (&Order, &Needs),
    plan: &Plan,
    (generation, speculative): (u16, bool),
) -> Result<(Vec<(Scope, Fact)>, Needs), StoreError> {
    let goods = goods_of(order, needs);
    let mut left: Needs = needs.clone();
    let mut facts = Vec::new();
    for (at, part) in plan.parts.iter().enumerate() {
        let Some(generation) = generation.checked_add(at as u16) else { break };
        let lines = lines_of(order, &goods, part, &mut left);
        if !lines.is_empty() {
            facts.extend(offer(replica, order, (part.store, generation, speculative), lines)?);
        }
    }
    left.retain(|(_, units)| *units > 0);
    Ok((facts, left))
}

/// Keeps what was said of each store when a plan was chosen, for whoever asks later why.
pub fn note(replica: &mut Replica, order: OrderId, generation: u16, plan: &Plan) {
    let at_ms = replica.now.wall_ms;
    plans::put(&mut replica.overlay, order, (generation, at_ms), plan);
}

fn offer(
    replica: &mut Replica,
    order: &Order,
    (store, generation, speculative): (StoreId, u16, bool),
    lines: Vec<OfferLine>,
) -> Result<Vec<(Scope, Fact)>, StoreError> {
    let me = replica.actor();
    let limits = replica.limits_for(store)?;
    let offer = Offer {
        order: order.id,
        generation,
        issuer: me,
        channel: order.channel,
        speculative,
        entity: order.entity.clone(),
        currency: order.currency,
        due_ms: order.due_ms,
        accept_within_ms: limits.accept_within_ms,
        release_ms: order.release_ms,
        hold_ms: limits.hold_ms,
        code: code_hash(order.id, &pickup_code(&replica.me.seal_secret, order.id)),
        phone: order.phone,
        contact: forwarded(replica, order, store)?,
        lines,
    };
    let mut sums: BTreeMap<Account, Rights> = BTreeMap::new();
    let mut promises = Vec::new();
    for line in &offer.lines {
        let account = Account { store, sku: line.sku.clone(), unit: line.unit };
        let units = line.quantity.unsigned_abs();
        let held = match sums.remove(&account) {
            Some(held) => held,
            None => rights::rights(&replica.overlay, &account, Class::Goods)?,
        };
        let mut held = held;
        if held.use_up(me, units).is_err() {
            // The plan gives nobody more than is held; a known bug does.
            let planted = crate::plant::CAN_BE_PLANTED;
            assert!(planted, "what is offered was planned from what is held");
            let mut row = held.row(me);
            row.used += units;
            held.merge(me, &row);
        }
        sums.insert(account.clone(), held);
        promises.push(Fact::Promise(Promise {
            id: offer.promise(store, line.line),
            account,
            quantity: units,
            claim: Claim::Hard,
            channel: order.channel,
            priority: order.priority,
            until_ms: 0,
            wanted_ms: order.due_ms,
            reference: Replica::order_reference(order.id),
            replaces: None,
        }));
    }
    let rows = sums.iter().map(|(account, held)| replica.row_fact(account, Class::Goods, held));
    let here = Scope::StoreRights(store);
    let mut facts: Vec<_> = rows.chain(promises).map(|fact| (here.clone(), fact)).collect();
    facts.push((Scope::StoreOrders(store), Fact::Offer(offer)));
    Ok(facts)
}

/// The products that are needed, each once.
fn goods_of(order: &Order, needs: &Needs) -> Vec<(Sku, Unit)> {
    let mut out: Vec<(Sku, Unit)> = Vec::new();
    for (line, _) in needs {
        let line = &order.lines[usize::from(*line)];
        if !out.iter().any(|(sku, unit)| *sku == line.sku && *unit == line.unit) {
            out.push((line.sku.clone(), line.unit));
        }
    }
    out
}

/// Takes what a part serves off the needs, line by line.
fn lines_of(order: &Order, goods: &[(Sku, Unit)], part: &Part, left: &mut Needs) -> Vec<OfferLine> {
    let mut out = Vec::new();
    for served in &part.lines {
        let Some((sku, unit)) = goods.get(served.goods as usize) else { continue };
        let mut units = i64::try_from(served.hard).unwrap_or(i64::MAX);
        for (line, need) in left.iter_mut() {
            let ordered = &order.lines[usize::from(*line)];
            let taken = units.min(*need);
            if ordered.sku != *sku || ordered.unit != *unit || taken <= 0 {
                continue;
            }
            (units, *need) = (units - taken, *need - taken);
            out.push(OfferLine {
                line: *line,
                sku: sku.clone(),
                unit: *unit,
                quantity: taken,
                unit_price: ordered.unit_price,
                age_min: ordered.age_min,
                preference: ordered.preference,
                tolerance_percent: ordered.tolerance_percent,
            });
        }
    }
    out.sort_by_key(|line| line.line);
    out
}

fn stock_of(replica: &Replica, goods: Goods, account: &Account) -> Result<Stock, StoreError> {
    let view = View::new(&replica.overlay);
    let is_stopped = replica.rights_locked
        || replica.rule_for(&account.sku)?.is_none()
        || view.recall(&account.sku, &Default::default())?.is_some();
    let held = if is_stopped { 0 } else { promisable(replica, account)? };
    let held = if planted(Plant::RouteWithoutRight) { held.max(1_000_000) } else { held };
    let on_hand = u64::try_from(view.on_hand(account)?).unwrap_or(0);
    // Nobody knows how often this shelf is wrong; that it is matters more when the book has little.
    let shelf_ppm = u32::try_from(1_000_000 / (SHELF_ODDS + on_hand)).unwrap_or(0);
    Ok(Stock { goods, held, soft: 0, soft_ppm: 0, shelf_ppm })
}

fn heard_ms(replica: &Replica, store: StoreId) -> Result<u64, StoreError> {
    if replica.own_store() == Some(store) {
        return Ok(replica.now.wall_ms);
    }
    let stored = replica.overlay.get(Table::Meta, &fresh_key(store))?;
    Ok(stored.and_then(|bytes| <[u8; 8]>::try_from(bytes.as_slice()).ok()).map_or(0, u64::from_be_bytes))
}

/// The customer's contact, sealed to the node of the store that delivers.
fn forwarded(replica: &mut Replica, order: &Order, store: StoreId) -> Result<Vec<u8>, StoreError> {
    if order.contact.is_empty() || order.channel != Channel::Delivery {
        return Ok(Vec::new());
    }
    let about = store::contact_about(order.id);
    let tenant = replica.me.tenant;
    let Some(plain) = sealed::open(&replica.me.seal_secret, (Purpose::Contact, tenant, &about), &order.contact) else {
        return Ok(Vec::new());
    };
    let Some(record) = View::new(&replica.overlay).store(store)? else { return Ok(Vec::new()) };
    let Some(node) = books::node(&replica.overlay, record.home)? else { return Ok(Vec::new()) };
    Ok(sealed::seal(&node.seal_key, (Purpose::Contact, tenant, &about), &plain, &mut replica.rng).unwrap_or_default())
}

/// Open fulfillments of one store are counted so far: more is more than any store does in a day.
const LOAD_MAX: usize = 2_000;

/// A shelf with nothing else known lacks the last unit of its book once in so many times.
const SHELF_ODDS: u64 = 50;
