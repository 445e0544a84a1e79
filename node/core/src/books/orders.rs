//! What is known of orders: the entries about each, side by side, and who has to work on which.
//!
//! Entries are kept as they are and added up when somebody asks ([`stockroom_crdt::order::resolve`]), so the order in which they arrive does
//! not matter. What a store has stands under the store, what the home says under store 0.

use std::collections::BTreeSet;

use stockroom_crdt::codec::Rows;
use stockroom_crdt::entry::{Entry, Fact};
use stockroom_crdt::ids::{Actor, NodeId, StoreId};
use stockroom_crdt::order::OrderId;
use stockroom_crdt::order::resolve::{Event, Fulfillment, Known, resolve};
use stockroom_crdt::order::returns::Origin;
use stockroom_crdt::stock::Position;

use super::Context;
use crate::journal::{damaged, fixed};
use crate::overlay::{Overlay, scan_prefix};
use crate::storage::{Direction, Snapshot, StoreError, Table, prefix_end};

/// A fulfillment, or at store 0 an order, that somebody has to work on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Work {
    /// When it is due, milliseconds since 1970.
    pub due_ms: u64,
    /// Of which order.
    pub order: OrderId,
    /// Which offer; 0 for the whole order.
    pub generation: u16,
}

/// True for facts about an order.
pub fn is_about_one(fact: &Fact) -> bool {
    about(fact).is_some()
}

/// The order that a fact is about.
pub fn about(fact: &Fact) -> Option<OrderId> {
    match fact {
        Fact::Order(order) => Some(order.id),
        Fact::Offer(offer) => Some(offer.order),
        Fact::FulfillmentStep(step) => Some(step.order),
        Fact::OrderStep(step) => Some(step.order),
        Fact::Payment(payment) => Some(payment.order),
        Fact::Redress(redress) => Some(redress.order),
        Fact::PassShown(shown) => Some(shown.pass.order),
        Fact::GoodsReturn(returned) => match returned.origin {
            Origin::Order(order) => Some(order),
            Origin::Nothing | Origin::Receipt(..) => None,
        },
        _ => None,
    }
}

/// Takes in an entry about an order.
pub fn apply(overlay: &mut Overlay, context: &Context<'_>, entry: &Entry) -> Result<(), StoreError> {
    let Some(order) = about(&entry.fact) else { return Ok(()) };
    let store = context.scope.store().unwrap_or(NOBODY);
    let before = works(overlay, store, order)?;
    let key =
        [order_key(store, order).as_slice(), &actor_bytes(context.actor), &context.place.seq.to_be_bytes()].concat();
    // Entries of two scopes of one writer may have one sequence number: the kind tells them apart.
    let key = [key.as_slice(), &entry.fact.kind().to_be_bytes()].concat();
    overlay.put(Table::OrderEvents, key, entry.to_bytes());
    overlay.put(Table::OrderStores, [id_bytes(order).as_slice(), &store.0.to_be_bytes()].concat(), Vec::new());
    if let Some(time) = time_of(entry) {
        overlay.put(Table::OrderTimes, work_key(store, time), Vec::new());
    }
    let after = works(overlay, store, order)?;
    mark(overlay, store, (&before, &after));
    // Where the order itself is known, it is seen as a whole.
    if has_header(overlay, order)? {
        let due_ms = known(overlay, order)?.order.as_ref().map_or(0, |order| order.due_ms);
        let work = Work { due_ms, order, generation: 0 };
        if is_unsettled(overlay, order)? {
            overlay.put(Table::OpenOrders, work_key(NOBODY, work), Vec::new());
        } else {
            overlay.remove(Table::OpenOrders, work_key(NOBODY, work));
        }
    }
    Ok(())
}

/// Everything that is known of an order, from all scopes.
pub fn known(snapshot: &(impl Snapshot + ?Sized), order: OrderId) -> Result<Known, StoreError> {
    let mut known = Known::default();
    for (key, _) in scan_prefix(snapshot, Table::OrderStores, &id_bytes(order), usize::MAX)? {
        let at = key.len().checked_sub(4).ok_or_else(|| damaged("order key"))?;
        gather(snapshot, StoreId(u32::from_be_bytes(fixed(&key[at..])?)), order, &mut known)?;
    }
    Ok(known)
}

/// What is known of an order in the scopes of one store.
pub fn known_at(snapshot: &(impl Snapshot + ?Sized), store: StoreId, order: OrderId) -> Result<Known, StoreError> {
    let mut known = Known::default();
    gather(snapshot, store, order, &mut known)?;
    Ok(known)
}

/// True when something about an order stands in the scopes of a store, or at store 0 in those of its home.
pub fn is_known_at(snapshot: &(impl Snapshot + ?Sized), store: StoreId, order: OrderId) -> Result<bool, StoreError> {
    Ok(!scan_prefix(snapshot, Table::OrderEvents, &order_key(store, order), 1)?.is_empty())
}

/// At most `limit` fulfillments of a store that somebody has to work on, the first due first; store 0 for orders as a whole.
pub fn works_of(
    snapshot: &(impl Snapshot + ?Sized),
    store: StoreId,
    after: Option<Work>,
    limit: usize,
) -> Result<Vec<Work>, StoreError> {
    let from = after.map_or_else(|| store.0.to_be_bytes().to_vec(), |work| [work_key(store, work), vec![0]].concat());
    let end = prefix_end(&store.0.to_be_bytes()).unwrap_or_else(|| vec![0xff; 64]);
    let range = (std::ops::Bound::Included(from.as_slice()), std::ops::Bound::Excluded(end.as_slice()));
    let rows = snapshot.scan(Table::OpenOrders, range, Direction::Forward, limit)?;
    rows.iter().map(|(key, _)| work_of(key)).collect()
}

/// At most `limit` orders after one about which something stands in a store's scopes, or at store 0 in those of their homes.
pub fn orders(
    snapshot: &(impl Snapshot + ?Sized),
    store: StoreId,
    after: Option<OrderId>,
    limit: usize,
) -> Result<Vec<OrderId>, StoreError> {
    let end = prefix_end(&store.0.to_be_bytes()).unwrap_or_else(|| vec![0xff; 64]);
    let mut from = match after {
        Some(order) => prefix_end(&order_key(store, order)).unwrap_or_else(|| end.clone()),
        None => store.0.to_be_bytes().to_vec(),
    };
    let mut out = Vec::new();
    while out.len() < limit {
        let range = (std::ops::Bound::Included(from.as_slice()), std::ops::Bound::Excluded(end.as_slice()));
        let rows = snapshot.scan(Table::OrderEvents, range, Direction::Forward, 1)?;
        let Some((key, _)) = rows.first() else { break };
        let order = id_of(key.get(4..16).ok_or_else(|| damaged("order key"))?)?;
        out.push(order);
        from = prefix_end(&order_key(store, order)).unwrap_or_else(|| end.clone());
    }
    Ok(out)
}

/// At most `limit` fulfillments that a store was offered between two moments, or at store 0 orders that were placed, the newest
/// first, with that time in place of when they are due. What was written again may stand at several times.
pub fn times(
    snapshot: &(impl Snapshot + ?Sized),
    store: StoreId,
    (from_ms, to_ms): (u64, u64),
    limit: usize,
) -> Result<Vec<Work>, StoreError> {
    let edge = |at_ms: u64| [store.0.to_be_bytes().as_slice(), &at_ms.to_be_bytes()].concat();
    let (from, to) = (edge(from_ms), edge(to_ms.max(from_ms)));
    let range = (std::ops::Bound::Included(from.as_slice()), std::ops::Bound::Excluded(to.as_slice()));
    let rows = snapshot.scan(Table::OrderTimes, range, Direction::Backward, limit)?;
    rows.iter().map(|(key, _)| work_of(key)).collect()
}

/// True when the order itself is known here, and not only what one store was offered of it.
pub fn has_header(snapshot: &(impl Snapshot + ?Sized), order: OrderId) -> Result<bool, StoreError> {
    Ok(known(snapshot, order)?.order.is_some())
}

/// True while something can still get to the customer, has to be given, or a store has not answered.
fn is_unsettled(snapshot: &(impl Snapshot + ?Sized), order: OrderId) -> Result<bool, StoreError> {
    let outcome = resolve(&known(snapshot, order)?);
    Ok(outcome.is_some_and(|outcome| {
        outcome.state.is_open() || !outcome.stable || outcome.due.iter().any(|due| !due.done && due.rule.is_refund())
    }))
}

fn gather(
    snapshot: &(impl Snapshot + ?Sized),
    store: StoreId,
    order: OrderId,
    known: &mut Known,
) -> Result<(), StoreError> {
    for (key, value) in scan_prefix(snapshot, Table::OrderEvents, &order_key(store, order), usize::MAX)? {
        let actor = key.get(16..22).ok_or_else(|| damaged("order key"))?;
        let actor = Actor::new(u32::from_be_bytes(fixed(&actor[..4])?), u16::from_be_bytes(fixed(&actor[4..])?));
        let seq = u64::from_be_bytes(fixed(key.get(22..30).ok_or_else(|| damaged("order key"))?)?);
        let entry = Entry::from_bytes(&value).map_err(damaged)?;
        take(known, store, Position { actor, seq }, entry);
    }
    Ok(())
}

/// Puts an entry where it belongs.
fn take(known: &mut Known, store: StoreId, at: Position, entry: Entry) {
    let hlc = entry.hlc;
    match entry.fact {
        // The name follows from the request; a home that wrote it twice with other content is not believed either time more: the smaller counts.
        Fact::Order(order) => {
            let bytes = |order: &_| Rows::of(|sink| stockroom_crdt::order::header::Order::encode(order, sink));
            if known.order.as_ref().is_none_or(|held| bytes(&order) < bytes(held)) {
                known.order = Some(order);
            }
        }
        Fact::Offer(offer) => {
            let part = known.parts.entry((offer.generation, store)).or_default();
            let bytes = |offer: &_| Rows::of(|sink| stockroom_crdt::order::offer::Offer::encode(offer, sink));
            if part.by_pass || part.offer.as_ref().is_none_or(|held| bytes(&offer) < bytes(held)) {
                (part.offer, part.offered, part.by_pass) = (Some(offer), hlc, false);
            }
        }
        Fact::PassShown(shown) => {
            let part = known.parts.entry((shown.pass.generation, store)).or_default();
            if part.offer.is_none() {
                (part.offer, part.offered, part.by_pass) = (Some(shown.pass.offer()), hlc, true);
            }
        }
        Fact::FulfillmentStep(step) => {
            let part = known.parts.entry((step.generation, store)).or_default();
            part.steps.push(Event { store, at, hlc, says: step });
        }
        Fact::GoodsReturn(returned) => {
            // A return that was written again after a restore is the same one.
            let held = known.returns.entry(returned.id).or_insert_with(|| returned.clone());
            if (returned.at_ms, returned.said()) < (held.at_ms, held.said()) {
                *held = returned;
            }
        }
        Fact::OrderStep(step) => known.sayings.push(Event { store, at, hlc, says: step }),
        Fact::Payment(payment) => match &mut known.payment {
            Some(held) => held.join(&payment),
            None => known.payment = Some(payment),
        },
        Fact::Redress(redress) => {
            let held = known.redresses.entry(redress.id).or_insert_with(|| redress.clone());
            // What was carried out once stays carried out.
            if redress.done && !held.done {
                *held = redress;
            }
        }
        _ => {}
    }
}

/// What has to be worked on at a store, of one order.
fn works(snapshot: &(impl Snapshot + ?Sized), store: StoreId, order: OrderId) -> Result<BTreeSet<Work>, StoreError> {
    if store == NOBODY {
        return Ok(BTreeSet::new());
    }
    let known = known_at(snapshot, store, order)?;
    let due = |part: &Fulfillment| {
        let offer = known.parts.get(&(part.generation, part.store))?.offer.as_ref()?;
        (part.state.is_open() || part.to_put_back).then_some(Work {
            due_ms: offer.due_ms,
            order,
            generation: part.generation,
        })
    };
    Ok(known.fulfillments().iter().filter_map(due).collect())
}

fn mark(overlay: &mut Overlay, store: StoreId, (before, after): (&BTreeSet<Work>, &BTreeSet<Work>)) {
    before.difference(after).for_each(|work| overlay.remove(Table::OpenOrders, work_key(store, *work)));
    after.difference(before).for_each(|work| overlay.put(Table::OpenOrders, work_key(store, *work), Vec::new()));
}

/// When a fulfillment was offered, or an order placed, if an entry says so.
fn time_of(entry: &Entry) -> Option<Work> {
    let offered = |order, generation| Work { due_ms: entry.hlc.ms(), order, generation };
    match &entry.fact {
        Fact::Offer(offer) => Some(offered(offer.order, offer.generation)),
        Fact::PassShown(shown) => Some(offered(shown.pass.order, shown.pass.generation)),
        Fact::Order(order) => Some(Work { due_ms: order.placed_ms, order: order.id, generation: 0 }),
        _ => None,
    }
}

/// An order as keys begin with it.
pub(super) fn id_bytes(order: OrderId) -> [u8; 12] {
    let mut out = [0; 12];
    out[..4].copy_from_slice(&order.home.0.to_be_bytes());
    out[4..].copy_from_slice(&order.number.to_be_bytes());
    out
}

fn id_of(bytes: &[u8]) -> Result<OrderId, StoreError> {
    let home = NodeId(u32::from_be_bytes(fixed(bytes.get(..4).ok_or_else(|| damaged("order key"))?)?));
    Ok(OrderId { home, number: u64::from_be_bytes(fixed(bytes.get(4..12).ok_or_else(|| damaged("order key"))?)?) })
}

fn order_key(store: StoreId, order: OrderId) -> Vec<u8> {
    [store.0.to_be_bytes().as_slice(), &id_bytes(order)].concat()
}

fn actor_bytes(actor: Actor) -> [u8; 6] {
    let mut out = [0; 6];
    out[..4].copy_from_slice(&actor.node.0.to_be_bytes());
    out[4..].copy_from_slice(&actor.epoch.0.to_be_bytes());
    out
}

fn work_key(store: StoreId, work: Work) -> Vec<u8> {
    let due = work.due_ms.to_be_bytes();
    [store.0.to_be_bytes().as_slice(), &due, &id_bytes(work.order), &work.generation.to_be_bytes()].concat()
}

fn work_of(key: &[u8]) -> Result<Work, StoreError> {
    let part = |from: usize, to: usize| key.get(from..to).ok_or_else(|| damaged("key of an open order"));
    Ok(Work {
        due_ms: u64::from_be_bytes(fixed(part(4, 12)?)?),
        order: id_of(part(12, 24)?)?,
        generation: u16::from_be_bytes(fixed(part(24, 26)?)?),
    })
}

/// The store of what stands in no store's scope.
pub const NOBODY: StoreId = StoreId(0);
