//! Reading the figures about orders of a span of time: of one store, or of all that are known here.

use std::collections::BTreeMap;

use stockroom_crdt::control::StoreRecord;
use stockroom_crdt::ids::StoreId;
use stockroom_crdt::order::resolve::{Fulfillment, Known, resolve};
use stockroom_crdt::order::rules::hours::StoreService;
use stockroom_crdt::order::rules::limits::OrderLimits;

use super::View;
use crate::books::orders::{self as book, Work};
use crate::orders;
use crate::policy::figures::{Figures, OrderFigures, Tally, Told};
use crate::storage::{Snapshot, StoreError};

/// Which fulfillments and orders: those that were offered, or placed, in a span of time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Span {
    /// From this moment on, milliseconds since 1970.
    pub from_ms: u64,
    /// Before this moment.
    pub to_ms: u64,
    /// The present: what is open after its time is late.
    pub now_ms: u64,
    /// Fulfillments, and orders, that are read at most; the newest ones if there are more.
    pub cases_max: usize,
}

/// Figures, in all and by store.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Seen {
    /// Of all stores together. Percentiles of a whole do not follow from those of its parts.
    pub total: Figures,
    /// Of each store that was offered anything.
    pub stores: BTreeMap<StoreId, Figures>,
    /// Of the orders that were placed here, or at homes whose orders are known here.
    pub orders: OrderFigures,
    /// There were more cases in the span than were read.
    pub is_cut: bool,
}

/// What holds at one store.
struct Place {
    service: Option<StoreService>,
    limits: OrderLimits,
    record: Option<StoreRecord>,
}

impl<S: Snapshot + ?Sized> View<'_, S> {
    /// The figures of a span; with a `store` of its fulfillments alone. `offset_min` gives a store's local time against UTC at a moment,
    /// minutes.
    pub fn figures(
        &self,
        store: Option<StoreId>,
        span: Span,
        offset_min: &dyn Fn(&StoreRecord, u64) -> i32,
    ) -> Result<Seen, StoreError> {
        let mut seen = Seen::default();
        let stores = match store {
            Some(store) => vec![store],
            None => self.stores()?.iter().map(|record| record.store).collect(),
        };
        let mut cases = Vec::new();
        // Several times a fair share, and the newest of all that come together.
        let share = (SHARE_TIMES * span.cases_max / stores.len().max(1)).clamp(SHARE_MIN, span.cases_max.max(1));
        for store in stores {
            let times = book::times(self.snapshot, store, (span.from_ms, span.to_ms), share + 1)?;
            seen.is_cut |= times.len() > share;
            cases.extend(times.into_iter().take(share).map(|time| (time, store)));
        }
        cases.sort_unstable_by(|a, b| b.cmp(a));
        seen.is_cut |= cases.len() > span.cases_max;
        cases.truncate(span.cases_max);
        let mut total = Tally::default();
        let mut by_store: BTreeMap<StoreId, (Place, Tally)> = BTreeMap::new();
        for (time, store) in cases {
            let (place, tally) = match by_store.entry(store) {
                std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
                std::collections::btree_map::Entry::Vacant(entry) => {
                    entry.insert((self.place(store)?, Tally::default()))
                }
            };
            let known = book::known_at(self.snapshot, store, time.order)?;
            let Some(part) = offered_then(&known, store, time) else { continue };
            let told = Told {
                known: &known,
                part: &part,
                service: place.service.as_ref(),
                offset_min: place.record.as_ref().map_or(0, |record| offset_min(record, time.due_ms)),
                limits: &place.limits,
                now_ms: span.now_ms,
            };
            total.add_part(told);
            tally.add_part(told);
        }
        if store.is_none() {
            seen.is_cut |= self.add_orders(span, &mut total)?;
        }
        seen.stores = by_store.into_iter().map(|(store, (_, tally))| (store, tally.figures().0)).collect();
        seen.stores.retain(|_, figures| figures.offered > 0);
        (seen.total, seen.orders) = total.figures();
        Ok(seen)
    }

    /// Counts whole orders; true if there were more than may be read.
    fn add_orders(&self, span: Span, tally: &mut Tally) -> Result<bool, StoreError> {
        let mut homes = vec![book::NOBODY];
        // Orders that began at a store's counter have the store as their home.
        homes.extend(self.stores()?.iter().map(|record| record.store));
        let mut placed = Vec::new();
        for home in homes {
            let times = book::times(self.snapshot, home, (span.from_ms, span.to_ms), span.cases_max + 1)?;
            placed.extend(times.into_iter().filter(|time| time.generation == 0));
        }
        placed.sort_unstable_by(|a, b| b.cmp(a));
        placed.dedup();
        let is_cut = placed.len() > span.cases_max;
        for time in placed.into_iter().take(span.cases_max) {
            let known = book::known(self.snapshot, time.order)?;
            let is_it = known.order.as_ref().is_some_and(|order| order.placed_ms == time.due_ms);
            if let Some(outcome) = resolve(&known).filter(|_| is_it) {
                tally.add_order(&known, &outcome);
            }
        }
        Ok(is_cut)
    }

    fn place(&self, store: StoreId) -> Result<Place, StoreError> {
        let service = orders::services(self.snapshot)?.into_iter().find(|service| service.store == store);
        Ok(Place { service, limits: self.limits_for(store)?, record: self.store(store)? })
    }
}

/// The fulfillment of which this is the time; an offer that stands at several times is counted at the one that holds.
fn offered_then(known: &Known, store: StoreId, time: Work) -> Option<Fulfillment> {
    let held = known.parts.get(&(time.generation, store))?;
    let is_it = held.offered.ms() == time.due_ms;
    known.fulfillments().into_iter().find(|part| is_it && (part.generation, part.store) == (time.generation, store))
}

/// Cases that are looked for per store, in fair shares of all that may be read: stores are not alike.
const SHARE_TIMES: usize = 4;

/// Cases that are looked for per store at least.
const SHARE_MIN: usize = 16;
