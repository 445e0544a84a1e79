//! Who drives: couriers are asked at the order's home, refuse, get lost, and report late, twice and in any order. A store that
//! nobody sends one to uses its own rider, who reports to the store.

use stockroom_crdt::order::OrderId;
use stockroom_crdt::order::resolve::{Fulfillment, Known, State};
use stockroom_crdt::order::step::Step;
use stockroom_crdt::product::Channel;

use super::{Errand, Goods, goods_of, step};
use crate::plan::orders::Shopfloor;
use crate::run::{Play, Todo};

/// One ride with a fulfillment.
#[derive(Clone)]
pub(crate) struct Ride {
    /// Who hears of it: the home's node, or the store's for its own rider.
    reports_to: u32,
    /// When somebody is at the store.
    at_store_ms: u64,
    /// When the goods left.
    out: bool,
    /// How often somebody was asked.
    attempt: u64,
    /// What comes back, and when.
    back: Option<(u64, Goods)>,
}

impl Play<'_> {
    /// Whoever manages orders at a home looks at those that are open: couriers are asked for, money is paid back.
    pub(crate) fn dispatcher(&mut self, node: u32) {
        let Some(floor) = self.plan.shopfloor.clone() else { return };
        let at = self.world.now_ms + DESK_MS;
        self.at(at, Todo::Dispatcher(node));
        if !self.world.is_up(node) || self.world.nodes[&node].suspended {
            return;
        }
        let open = self.read_at(node, |view| view.open_orders(None, usize::MAX));
        for work in open.into_iter().filter(|work| work.order.home.0 == node) {
            if !self.world.is_up(node) {
                return;
            }
            let Some(outcome) = self.outcome_at(node, work.order) else { continue };
            self.pay_back(node, work.order, &outcome);
            let lives =
                outcome.fulfillments.iter().filter(|part| !outcome.losers.contains(&(part.generation, part.store)));
            for part in lives.filter(|part| part.state == State::Ready) {
                self.send_for(node, (work.order, part), &floor);
            }
        }
    }

    /// Asks for a courier, unless one is on the way.
    fn send_for(&mut self, node: u32, (order, part): (OrderId, &Fulfillment), floor: &Shopfloor) {
        let key = (order, part.generation, part.store.0);
        let known = self.read_at(node, |view| view.order(order));
        if known.order.as_ref().is_none_or(|order| order.channel != Channel::Delivery) || known.held().is_some() {
            return;
        }
        let attempt = self.fulfil.rides.get(&key).map_or(0, |ride| ride.attempt);
        if self.fulfil.rides.get(&key).is_some_and(|ride| ride.at_store_ms < u64::MAX || ride.attempt >= ATTEMPTS_MAX) {
            return;
        }
        let roll =
            |what: u64| floor.roll(&[order.number, u64::from(part.generation), u64::from(part.store.0), what, attempt]);
        let now_ms = self.world.now_ms;
        let refuses = roll(10) < floor.courier_refuses && !self.fulfil.closing && attempt + 1 < ATTEMPTS_MAX;
        let arrives = now_ms + 60_000 + roll(11) * 3_000;
        let at_store_ms = if refuses { u64::MAX } else { arrives };
        let ride = Ride { reports_to: node, at_store_ms, out: false, attempt: attempt + 1, back: None };
        self.fulfil.rides.insert(key, ride);
        self.report(key, (Step::RequestCourier, now_ms), floor);
        if refuses {
            self.report(key, (Step::CourierRefused, now_ms + 30_000), floor);
        } else {
            self.report(key, (Step::AssignCourier, now_ms + 20_000), floor);
            self.report(key, (Step::CourierAtStore, arrives), floor);
        }
    }

    /// Plans a report: it comes late, and some come twice.
    fn report(&mut self, key: (OrderId, u16, u32), (what, at_ms): (Step, u64), floor: &Shopfloor) {
        let (order, generation, store) = key;
        let Some(ride) = self.fulfil.rides.get(&key).cloned() else { return };
        let roll = |n: u64| floor.roll(&[order.number, u64::from(generation), what as u64, ride.attempt, n]);
        let times = if roll(20) < floor.doubled { 2 } else { 1 };
        let ends = matches!(what, Step::Deliver | Step::Lose | Step::FailDelivery);
        for n in 0..times {
            let late = roll(21 + n) * roll(31 + n) * 12;
            let request = step((order, store), generation, what);
            let mut errand = self.errand((ride.reports_to, store), request, Vec::new());
            // What ends a ride is told until it is heard; the rest is told once, and again if it was doubled.
            errand.patience = if ends && n == 0 { PATIENCE } else { 0 };
            self.later_errand(errand, at_ms + late);
        }
    }

    /// A store has a parcel ready: whoever is there takes it along.
    pub(crate) fn send_out(&mut self, at: (u32, u32), (known, part): (&Known, &Fulfillment), floor: &Shopfloor) {
        let (node, store) = at;
        let Some(order) = known
            .parts
            .get(&(part.generation, part.store))
            .and_then(|part| part.offer.as_ref())
            .map(|offer| offer.order)
        else {
            return;
        };
        let key = (order, part.generation, store);
        let now_ms = self.world.now_ms;
        let roll = |what: u64| floor.roll(&[order.number, u64::from(part.generation), u64::from(store), what]);
        let Some(ride) = self.fulfil.rides.get(&key).cloned() else {
            let own = roll(40) < floor.own_rider;
            let since = part.first(Step::Ready).map_or(now_ms, |hlc| hlc.ms());
            let is_alone = since + ALONE_MS < now_ms;
            if own || is_alone {
                let ride =
                    Ride { reports_to: node, at_store_ms: now_ms, out: false, attempt: ATTEMPTS_MAX, back: None };
                self.fulfil.rides.insert(key, ride);
            }
            return;
        };
        if ride.out || ride.at_store_ms > now_ms {
            return;
        }
        let goods = goods_of(known, part);
        let errand = self.errand(at, step((order, store), part.generation, Step::Dispatch), goods.clone());
        if self.go(errand) {
            self.ride(key, goods, floor);
        }
    }

    /// The parcel has left, whether or not the store's node was heard to say so: it may have fallen in that moment and been asked again.
    pub(crate) fn has_left(&mut self, store: u32, (known, part): (&Known, &Fulfillment), floor: &Shopfloor) {
        let offer = known.parts.get(&(part.generation, part.store)).and_then(|part| part.offer.as_ref());
        let Some(order) = offer.map(|offer| offer.order) else { return };
        let key = (order, part.generation, store);
        if self.fulfil.rides.get(&key).is_some_and(|ride| !ride.out) {
            self.ride(key, goods_of(known, part), floor);
        }
    }

    /// A rider is on the way, and something becomes of it.
    fn ride(&mut self, key: (OrderId, u16, u32), goods: Goods, floor: &Shopfloor) {
        let (order, generation, store) = key;
        let now_ms = self.world.now_ms;
        let roll = |what: u64| floor.roll(&[order.number, u64::from(generation), u64::from(store), what]);
        let travel = 300_000 + roll(41) * 9_000;
        let fails = roll(42) < floor.courier_fails;
        let back = (fails && roll(43) < 50).then(|| (now_ms + 2 * travel, goods));
        let is_lost = fails && back.is_none();
        let Some(ride) = self.fulfil.rides.get_mut(&key) else { return };
        (ride.out, ride.back) = (true, back);
        let what = if is_lost {
            Step::Lose
        } else if fails {
            Step::FailDelivery
        } else {
            Step::Deliver
        };
        self.report(key, (what, now_ms + travel), floor);
    }

    /// Whatever came back is in the store again.
    pub(crate) fn take_back(&mut self, at: (u32, u32), (order, generation): (OrderId, u16)) {
        let key = (order, generation, at.1);
        let now_ms = self.world.now_ms;
        let Some(ride) = self.fulfil.rides.get_mut(&key) else { return };
        if let Some((_, goods)) = ride.back.take_if(|(at_ms, _)| *at_ms <= now_ms) {
            let request = step((order, at.1), generation, Step::Returned);
            let errand = Errand { patience: PATIENCE, ..self.errand(at, request, goods) };
            self.go(errand);
        }
    }
}

impl Play<'_> {
    /// Begins the work on orders, if there are any.
    pub(crate) fn open_shop(&mut self) {
        if self.plan.shopfloor.is_none() {
            return;
        }
        let (stores, nodes): (Vec<u32>, Vec<u32>) =
            (self.cast.stores.keys().copied().collect(), self.cast.all().collect());
        for (at, store) in stores.into_iter().enumerate() {
            self.at(self.start_ms + 1_000 * (at as u64 + 1), Todo::Shift(store));
        }
        for (at, node) in nodes.into_iter().enumerate() {
            self.at(self.start_ms + 1_300 * (at as u64 + 1), Todo::Dispatcher(node));
        }
    }
}

/// How often somebody at a home looks at open orders.
const DESK_MS: u64 = 30_000;

/// A store sends its own rider when nobody came for so long.
const ALONE_MS: u64 = 600_000;

/// Couriers that are asked before somebody drives who must.
const ATTEMPTS_MAX: u64 = 3;

/// How often a report is made again that came too early: until it is heard, as the desk of a hub does. A store may be cut off for longer
/// than any number that is guessed here.
const PATIENCE: u32 = u32::MAX;
