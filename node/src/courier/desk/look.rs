//! What follows from the books as they are now: which deliveries begin, which are called off, which are over.

use std::collections::BTreeSet;

use stockroom_core::books::orders::about;
use stockroom_core::journal::{FeedRow, entries, feed_rows};
use stockroom_core::storage::{Snapshot, StoreError, Table};
use stockroom_crdt::ids::StoreId;
use stockroom_crdt::order::OrderId;
use stockroom_crdt::order::offer::Offer;
use stockroom_crdt::order::resolve::part::State as PartState;
use stockroom_crdt::order::resolve::{Fulfillment, Known};
use stockroom_crdt::order::step::Step;
use stockroom_crdt::product::Channel;
use stockroom_crdt::scope::Scope;

use super::{Desk, Inner};
use crate::courier::delivery::Standing;
use crate::courier::desk::brief::{NoJob, Reader};
use crate::courier::desk::name::PartName;
use crate::courier::job::DeliveryId;
use crate::courier::limits::{FEED_STEPS_MAX, WORKS_MAX};
use crate::courier::report::Reason;
use crate::webhooks::feed;

/// Who said of a fulfillment that a courier has it, or wants one.
struct Sayings {
    /// How often the store asked for a courier.
    requests: u32,
    /// The store said itself who brings it.
    driven_by_store: bool,
}

impl Desk {
    /// Looks at every order of which something was said since the last time, and at those whose time has come.
    pub fn look(&self, now_ms: u64) -> Result<(), StoreError> {
        let snapshot = self.snapshot()?;
        let reader = self.reader(&*snapshot);
        let mut inner = self.inner();
        let mut orders = self.news(&mut inner, &*snapshot, &reader)?;
        let touched = std::mem::take(&mut inner.touched);
        let due = inner.again.iter().filter(|(_, at_ms)| **at_ms <= now_ms).map(|(name, _)| *name);
        orders.extend(due.chain(touched).map(|name| (name.store, name.order)));
        for (store, order) in orders {
            self.consider(&mut inner, &reader, (store, order), now_ms)?;
        }
        inner.book.forget(now_ms);
        Ok(())
    }

    /// The orders that the feeds tell of. A feed that is new here stands for everything that is open at its store.
    fn news(
        &self,
        inner: &mut Inner,
        snapshot: &(dyn Snapshot + 'static),
        reader: &Reader<'_>,
    ) -> Result<BTreeSet<(StoreId, OrderId)>, StoreError> {
        let mut orders = BTreeSet::new();
        for scope in feed::scopes(snapshot)? {
            let Scope::StoreOrders(store) = scope else { continue };
            if self.shared.setup.store.is_some_and(|own| own != store) {
                continue;
            }
            let Some(mut cursor) = inner.cursors.get(&scope).copied() else {
                let next = feed::ends(snapshot)?.get(&feed::scope_key(&scope)).copied().unwrap_or(0);
                inner.cursors.insert(scope, next);
                orders.extend(reader.view.works(store, None, WORKS_MAX)?.iter().map(|work| (store, work.order)));
                let known = inner.book.ids().filter_map(PartName::of).map(|(name, _)| name);
                orders.extend(known.filter(|name| name.store == store).map(|name| (store, name.order)));
                continue;
            };
            let Some(number) = feed::number(snapshot, &scope)? else { continue };
            loop {
                let rows = feed_rows(snapshot, number, cursor, FEED_STEPS_MAX)?;
                let is_last = rows.len() < FEED_STEPS_MAX;
                for (position, row) in rows {
                    cursor = position + 1;
                    if let FeedRow::Entries { log, first, last } = row
                        && snapshot.get(Table::Logs, &log.0.to_be_bytes())?.is_some()
                    {
                        let said = entries(snapshot, log, first, last)?;
                        orders.extend(said.iter().filter_map(|(_, item)| Some((store, about(&item.entry.fact)?))));
                    }
                }
                if is_last {
                    break;
                }
            }
            inner.cursors.insert(scope, cursor);
        }
        Ok(orders)
    }

    fn consider(
        &self,
        inner: &mut Inner,
        reader: &Reader<'_>,
        (store, order): (StoreId, OrderId),
        now_ms: u64,
    ) -> Result<(), StoreError> {
        let known = reader.view.order_at(store, order)?;
        for part in known.fulfillments() {
            let name = PartName { order, generation: part.generation, store };
            inner.again.remove(&name);
            let offer = known.parts.get(&(part.generation, store)).and_then(|part| part.offer.as_ref());
            let Some(offer) = offer.filter(|offer| offer.channel == Channel::Delivery) else { continue };
            if part.state.is_open() {
                self.consider_open(inner, reader, (name, &known), (&part, offer), now_ms)?;
            } else {
                self.consider_closed(inner, name, part.state, now_ms);
            }
        }
        Ok(())
    }

    fn consider_open(
        &self,
        inner: &mut Inner,
        reader: &Reader<'_>,
        (name, known): (PartName, &Known),
        (part, offer): (&Fulfillment, &Offer),
        now_ms: u64,
    ) -> Result<(), StoreError> {
        let sayings = self.sayings(known, name);
        let current = inner.book.current(name);
        if let Some(id) = &current {
            self.follow(inner, id, (part.state, offer.due_ms), now_ms);
        }
        if !self.is_hub() || name.order.home != self.shared.setup.node {
            return Ok(());
        }
        if sayings.driven_by_store {
            if let Some(id) = current {
                self.call_off(inner, &id, Reason::MerchantCancel, now_ms);
            }
            return Ok(());
        }
        let (is_live, heard) = match current.as_ref().and_then(|id| inner.book.file(id)) {
            Some(file) => (file.closed_ms.is_none(), file.requests),
            None => (false, 0),
        };
        let asks_again = sayings.requests > heard;
        if let Some(id) = current.as_ref().filter(|_| is_live) {
            let is_stuck = inner.dispatcher.delivery(id).is_some_and(|held| held.standing() == Standing::Manual);
            if asks_again && is_stuck && inner.dispatcher.redispatch(id, now_ms).is_ok() {
                inner.changed = true;
                inner.book.file_mut(id).into_iter().for_each(|file| file.requests = sayings.requests);
            }
            return Ok(());
        }
        // What was called off, or came to nothing, is begun again only when the store wishes it.
        if part.state > PartState::Awaited || (current.is_some() && !asks_again) {
            return Ok(());
        }
        let nobody = self.shared.settings.order.is_empty();
        let ask_ms = if asks_again { Some(now_ms) } else { reader.ask_ms(name, (part, offer))?.filter(|_| !nobody) };
        match ask_ms {
            Some(at_ms) if at_ms <= now_ms => {
                // Why nobody can be asked stands in the log and among the alarms.
                let _ = self.begin(inner, reader, (name, sayings.requests), now_ms);
            }
            Some(at_ms) => {
                inner.again.insert(name, at_ms);
            }
            None => {}
        }
        Ok(())
    }

    /// Begins a delivery: from now on the dispatcher asks for couriers. If it cannot, the log says so.
    pub(super) fn begin(
        &self,
        inner: &mut Inner,
        reader: &Reader<'_>,
        (name, requests): (PartName, u32),
        now_ms: u64,
    ) -> Result<DeliveryId, NoJob> {
        let id = inner.book.begin(name, requests);
        inner.changed = true;
        let made = reader.job(name, id.clone(), now_ms).and_then(|job| Ok(inner.dispatcher.request(job)?));
        let has_services = !self.shared.settings.order.is_empty();
        if let (Err(error), Some(file)) = (&made, inner.book.file_mut(&id)) {
            file.say(0, Step::CourierRefused, error.to_string());
            self.alarm(inner, &id, &error.to_string(), now_ms);
            self.close(inner, &id, now_ms);
        } else if let Some(file) = inner.book.file_mut(&id).filter(|_| self.is_hub()) {
            match (has_services, requests) {
                (true, 0) => file.say(0, Step::RequestCourier, id.as_str().to_owned()),
                (true, _) => {}
                (false, _) => file.say(0, Step::CourierRefused, "no courier service is set up".into()),
            }
        }
        made.map(|()| id)
    }

    /// A delivery whose fulfillment is open: has the store seen what the courier says, and is it lost?
    fn follow(&self, inner: &mut Inner, id: &DeliveryId, (state, due_ms): (PartState, u64), now_ms: u64) {
        let Some(file) = inner.book.file_mut(id) else { return };
        if file.left_unsaid && state <= PartState::Awaited {
            self.alarm(inner, id, "the courier says that he has the goods, the store does not", now_ms);
            return;
        }
        file.left_unsaid = false;
        let current = inner.dispatcher.delivery(id).and_then(|delivery| delivery.current());
        let Some(attempt) = current.filter(|attempt| attempt.progress().goods_are_out()) else { return };
        let (number, is_over) = (attempt.number(), attempt.progress().state().is_final());
        let lost_ms = due_ms.saturating_add(self.shared.settings.lost_hours * HOUR_MS);
        let has_arrived = attempt.progress().reached_ms(crate::courier::report::State::Delivered).is_some();
        if has_arrived || !matches!(state, PartState::Out | PartState::Returning) {
            return;
        }
        let provider = attempt.provider().to_owned();
        if lost_ms <= now_ms {
            self.alarm(inner, id, "the goods are lost", now_ms);
            inner.book.file_mut(id).into_iter().for_each(|file| file.say(number, Step::Lose, provider.clone()));
        } else if !is_over && let Some((name, _)) = PartName::of(id) {
            inner.again.insert(name, lost_ms);
        }
    }

    fn consider_closed(&self, inner: &mut Inner, name: PartName, state: PartState, now_ms: u64) {
        for id in inner.book.of(name).cloned().collect::<Vec<_>>() {
            if inner.book.file(&id).is_none_or(|file| file.closed_ms.is_some()) {
                continue;
            }
            if state == PartState::Returned {
                match inner.dispatcher.confirm_returned(&id, now_ms) {
                    Ok(events) => self.hear(inner, &events, None, now_ms),
                    Err(error) => tracing::debug!(delivery = %id, %error, "no return to be confirmed"),
                }
            } else if state != PartState::Delivered {
                self.call_off(inner, &id, Reason::CustomerCancelled, now_ms);
            }
            let is_said = inner.dispatcher.delivery(&id).is_none_or(|delivery| delivery.closed_ms().is_some());
            if is_said || matches!(state, PartState::Delivered | PartState::Returned | PartState::Lost) {
                self.close(inner, &id, now_ms);
            }
        }
    }

    /// Calls a delivery off, as far as that is still possible.
    fn call_off(&self, inner: &mut Inner, id: &DeliveryId, reason: Reason, now_ms: u64) {
        match inner.dispatcher.cancel(id, reason, now_ms) {
            Ok(events) => {
                inner.changed = true;
                self.hear(inner, &events, None, now_ms);
                if inner.dispatcher.delivery(id).is_none_or(|delivery| delivery.closed_ms().is_some()) {
                    self.close(inner, id, now_ms);
                }
            }
            Err(error) => tracing::debug!(delivery = %id, %error, "not called off"),
        }
    }

    /// What others than this node said of who brings a fulfillment.
    fn sayings(&self, known: &Known, name: PartName) -> Sayings {
        let steps = known.parts.get(&(name.generation, name.store)).into_iter().flat_map(|part| &part.steps);
        let of_others = steps.filter(|event| event.at.actor.node != self.shared.setup.node);
        let (mut requests, mut driven_by_store) = (0, false);
        for event in of_others {
            match event.says.step {
                Step::RequestCourier => requests += 1,
                Step::AssignCourier => driven_by_store = true,
                _ => {}
            }
        }
        Sayings { requests, driven_by_store }
    }

    /// True for a fulfillment that its store brings itself.
    pub(super) fn is_driven_by_store(&self, known: &Known, name: PartName) -> bool {
        self.sayings(known, name).driven_by_store
    }

    /// How often the store asked for a courier.
    pub(super) fn requests(&self, known: &Known, name: PartName) -> u32 {
        self.sayings(known, name).requests
    }
}

const HOUR_MS: u64 = 3_600_000;
