//! Marks and timers about orders between two commits. All of it is made again at a start: limits begin anew then.

use std::collections::{BTreeMap, BTreeSet};

use stockroom_crdt::entry::{Entry, Fact};
use stockroom_crdt::ids::StoreId;
use stockroom_crdt::order::OrderId;
use stockroom_crdt::order::intent::Saying;
use stockroom_crdt::order::resolve::Fulfillment;
use stockroom_crdt::order::returns::ReturnId;
use stockroom_crdt::order::step::Step;
use stockroom_crdt::stock::promise::PromiseId;

use crate::books::{orders as book, rights};
use crate::limits::PAGE_MAX;
use crate::plant::{Plant, planted};
use crate::replica::Replica;
use crate::storage::StoreError;

/// What a time limit is about: a fulfillment, or with generation 0 the whole order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Subject {
    /// Which order.
    pub order: OrderId,
    /// Which offer of it.
    pub generation: u16,
    /// To whom.
    pub store: StoreId,
    /// What is waited for.
    pub wait: Wait,
}

/// What is waited for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Wait {
    /// A store's answer to an offer.
    Accept,
    /// A customer's answer, or rights from elsewhere, for units that no store has.
    Answer,
    /// The end of a pass.
    Pass,
    /// The end of the time for which a handheld takes goods along.
    TakenAlong,
}

/// What a replica remembers about orders.
#[derive(Default)]
pub struct OrderDesk {
    /// Orders to look at before the next commit.
    pub(crate) touched: BTreeSet<OrderId>,
    /// Returns to look at before the next commit.
    pub(crate) returns: BTreeSet<ReturnId>,
    /// When limits pass, on the monotonic clock.
    pub(crate) due: BTreeMap<Subject, u64>,
    /// Limits that have passed.
    pub(crate) passed: BTreeSet<Subject>,
    /// Offsets of stores' local times from UTC, minutes.
    pub(crate) offsets_min: BTreeMap<StoreId, i32>,
}

impl OrderDesk {
    /// True when a limit has passed.
    pub fn has_passed(&self, subject: Subject) -> bool {
        self.passed.contains(&subject)
    }

    /// Begins to wait, if nobody does yet.
    pub fn wait(&mut self, subject: Subject, now_ms: u64, for_ms: u64) {
        if !self.passed.contains(&subject) {
            self.due.entry(subject).or_insert(now_ms.saturating_add(for_ms));
        }
    }

    /// True while a pass for a fulfillment is out.
    pub fn has_pass_out(&self, order: OrderId, generation: u16, store: StoreId) -> bool {
        self.due.contains_key(&Subject { order, generation, store, wait: Wait::Pass })
    }
}

impl Replica {
    /// Marks the order that an entry is about.
    pub(crate) fn touch_order(&mut self, entry: &Entry) -> Result<(), StoreError> {
        if let Fact::Shortage(shortage) = &entry.fact {
            for (promise, _) in &shortage.victims {
                let order = self.order_behind(shortage.account.store, *promise)?;
                self.order_desk.touched.extend(order);
            }
        }
        // A promise may arrive after what was said of its order: what follows for it was not written yet.
        if let Fact::Promise(promise) = &entry.fact {
            self.order_desk.touched.extend(OrderId::parse(promise.reference.as_str()));
        }
        match &entry.fact {
            Fact::GoodsReturn(returned) => self.order_desk.returns.insert(returned.id),
            Fact::ReturnGrant(said) => self.order_desk.returns.insert(said.id),
            _ => false,
        };
        let Some(order) = book::about(&entry.fact) else { return Ok(()) };
        self.order_desk.touched.insert(order);
        if let Fact::FulfillmentStep(said) = &entry.fact
            && said.step == Step::TakeAlong
            && let Some(own) = self.own_store()
        {
            let subject = Subject { order, generation: said.generation, store: own, wait: Wait::TakenAlong };
            self.order_desk.due.insert(subject, self.now.mono_ms + TAKEN_ALONG_MS);
        }
        if let Fact::OrderStep(step) = &entry.fact
            && step.saying == Saying::IssuePass
            && order.home == self.actor().node
        {
            // Counted here and not by the clock on the wall: while it is out, nothing is cancelled alone.
            let store = book::known(&self.overlay, order)?
                .parts
                .keys()
                .find(|(generation, _)| *generation == step.generation)
                .map(|(_, store)| *store);
            if let Some(store) = store {
                let subject = Subject { order, generation: step.generation, store, wait: Wait::Pass };
                let life_ms = self.limits_for(store)?.qr_life_ms;
                self.order_desk.due.insert(subject, self.now.mono_ms + life_ms + PASS_SLACK_MS);
            }
        }
        Ok(())
    }

    /// Marks everything that is open, after a start.
    pub(crate) fn load_orders(&mut self) -> Result<(), StoreError> {
        for store in [Some(book::NOBODY), self.own_store()].into_iter().flatten() {
            let mut after = None;
            loop {
                let page = book::works_of(&self.overlay, store, after, PAGE_MAX)?;
                let Some(last) = page.last() else { break };
                after = Some(*last);
                self.order_desk.touched.extend(page.iter().map(|work| work.order));
            }
        }
        if let Some(store) = self.own_store() {
            // Goods that were taken along before the start may be handed over still: for as long as they could be.
            for order in self.order_desk.touched.clone() {
                for part in book::known_at(&self.overlay, store, order)?.fulfillments() {
                    if part.store == store && part.taken.is_some() {
                        let (generation, wait) = (part.generation, Wait::TakenAlong);
                        let subject = Subject { order, generation, store, wait };
                        self.order_desk.due.insert(subject, self.now.mono_ms + TAKEN_ALONG_MS);
                    }
                }
            }
        }
        let me = self.actor().node;
        let own: Vec<_> = self.order_desk.touched.iter().filter(|order| order.home == me).copied().collect();
        for order in own {
            // A pass that was issued before the start may still be out: it is, for as long as one can be.
            let known = book::known(&self.overlay, order)?;
            let issued: Vec<_> = known.sayings.iter().filter(|said| said.says.saying == Saying::IssuePass).collect();
            for (generation, store) in known.parts.keys() {
                if issued.iter().any(|said| said.says.generation == *generation) {
                    let subject = Subject { order, generation: *generation, store: *store, wait: Wait::Pass };
                    let life_ms = self.limits_for(*store)?.qr_life_ms;
                    self.order_desk.due.insert(subject, self.now.mono_ms + life_ms + PASS_SLACK_MS);
                }
            }
        }
        Ok(())
    }

    /// True while a handheld that took a fulfillment along may still hand it over there.
    pub(crate) fn is_taken_along(&self, order: OrderId, part: &Fulfillment) -> bool {
        let subject = Subject { order, generation: part.generation, store: part.store, wait: Wait::TakenAlong };
        part.taken.is_some() && self.order_desk.due.contains_key(&subject)
    }

    /// Notes limits that have passed.
    pub(crate) fn orders_due(&mut self) {
        let now = if planted(Plant::WallClockLimits) { self.now.wall_ms } else { self.now.mono_ms };
        let due: Vec<_> =
            self.order_desk.due.iter().filter(|(_, at)| **at <= now).map(|(subject, _)| *subject).collect();
        for subject in due {
            self.order_desk.due.remove(&subject);
            self.order_desk.touched.insert(subject.order);
            if !matches!(subject.wait, Wait::Pass | Wait::TakenAlong) {
                self.order_desk.passed.insert(subject);
            }
        }
    }

    /// When [`Replica::orders_due`] has something to do, on the monotonic clock.
    pub(crate) fn orders_deadline(&self) -> Option<u64> {
        self.order_desk.due.values().min().copied()
    }

    /// Forgets limits of an order that is over.
    pub(crate) fn forget_limits(&mut self, order: OrderId) {
        self.order_desk.due.retain(|subject, _| subject.order != order);
        self.order_desk.passed.retain(|subject| subject.order != order);
    }

    fn order_behind(&self, store: StoreId, promise: PromiseId) -> Result<Option<OrderId>, StoreError> {
        let record = rights::record(&self.overlay, store, promise)?;
        Ok(record.and_then(|record| record.promise).and_then(|promise| OrderId::parse(promise.reference.as_str())))
    }
}

/// For how long goods that a handheld took along are kept for it. Counted here and not by the clock on the wall. Pages hand over for the
/// first half of it only: the rest is for coming back and telling.
pub const TAKEN_ALONG_MS: u64 = 2 * 3_600_000;

/// A pass may be shown this much after it ran out, by a store's clock that is a little behind.
pub const PASS_SLACK_MS: u64 = 5 * 60_000;
