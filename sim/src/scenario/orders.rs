//! What is ordered: pickups and deliveries with all that becomes of them; and the scenarios that are about it.
//!
//! Goods are there for everybody, mostly, since what runs out is what other scenarios are about. Time limits are drawn like time-outs are.

use stockroom_crdt::order::header::Preference;
use stockroom_crdt::order::rules::limits::OrderLimits;
use stockroom_crdt::stock::policy::{Allocation, PolicyRule, Target};

use super::ward::Ward;
use super::weather::{Family, hub_of};
use super::work::Load;
use super::{Draw, HOUR_MS};
use crate::plan::orders::{Choice, OrderDeed, Purchase, Shopfloor, Shows};
use crate::plan::{Action, Fault, Plan, Step, Who};

/// Ten times the orders for six hours of seven, and the hub away for two of them.
pub(super) fn pickup_rush(draw: &mut Draw<'_>) -> Plan {
    let mut plan = shop(draw, (8, 1), 7);
    if draw.wishes.small && draw.wishes.days.is_none() {
        // Each order is costly to play, and an hour of ten times as many says it all.
        plan.safety_ms = HOUR_MS;
        plan.steps.retain(|step| step.at_ms < HOUR_MS);
    }
    let seventh = plan.safety_ms / 7;
    let limits = OrderLimits { ready_within_ms: 2 * seventh, ..OrderLimits::default() };
    decide(&mut plan, limits);
    let floor = Shopfloor { seed: draw.seed, pickers: draw.from(7, 9) as u32, ..Shopfloor::default() };
    plan.shopfloor = Some(floor);
    // An ordinary hour brings six orders to each store.
    let rushed = 6 * 10 * u64::from(plan.fleet.stores) * (plan.safety_ms * 6 / 7) / HOUR_MS;
    let wanted: Vec<Purchase> = (0..rushed).map(|_| draw.pickup(&plan)).collect();
    let places = draw.wishes.places.clone();
    let mut ward = places.and_then(|places| Ward::draw(draw, &places, plan.fleet.stores, 6 * seventh));
    for mut wanted in wanted {
        let at_ms = match &mut ward {
            Some(ward) => {
                let laid = ward.next(draw);
                (wanted.home, wanted.stores) = (hub_of(&plan.fleet, laid.stores[0]), laid.stores);
                FIRST_MS + laid.at_ms
            }
            None => FIRST_MS + draw.from(0, 6 * seventh),
        };
        let store = wanted.stores[0];
        let order = draw.buy(&mut plan, at_ms, wanted);
        // Customers come when it is ready, or somewhat later.
        let comes = at_ms + draw.from(seventh, 4 * seventh);
        collect(&mut plan, (order, comes), (store, Shows::Code));
        collect(&mut plan, (order, comes + 600_000), (store, Shows::Code));
        if draw.chance(3) {
            collect(&mut plan, (order, comes + 1_200_000), (store, Shows::Code));
        }
        if draw.chance(3) {
            let at_ms = at_ms + draw.from(10_000, 2 * seventh);
            deed(&mut plan, (order, at_ms), OrderDeed::Cancel(None));
        }
    }
    let (hub, at) = (Who::Hub(draw.from(1, plan.fleet.hubs.into()) as u32), draw.from(seventh, 3 * seventh));
    Draw::fault(&mut plan, at, Fault::Blackout(vec![hub], 2 * seventh));
    let words = ward.as_mut().map_or_else(|| DRAWN.to_owned(), Ward::words);
    plan.scaling.push_str(&words);
    plan
}

/// Customers cancel while shops that may be cut off pick and hand over.
pub(super) fn cancel_race(draw: &mut Draw<'_>) -> Plan {
    let mut plan = shop(draw, (4, 1), 6);
    let limits = draw.limits();
    let life_ms = limits.qr_life_ms;
    decide(&mut plan, limits);
    let floor = draw.floor();
    plan.shopfloor = Some(Shopfloor { courier_fails: 10, ..floor });
    for _ in 0..draw.from(15, 50) * plan.safety_ms / HOUR_MS {
        let at_ms = draw.from(FIRST_MS, plan.safety_ms - 1);
        let wanted = if draw.chance(80) { draw.pickup(&plan) } else { draw.delivery(&plan) };
        let (store, lines) = (wanted.stores.first().copied().unwrap_or(1), wanted.lines.clone());
        let order = draw.buy(&mut plan, at_ms, wanted);
        if draw.chance(60) {
            let at_ms = at_ms + draw.one(&[1_000, 60_000, 600_000, 1_500_000]) + draw.from(0, 60_000);
            let part = draw.chance(30).then(|| draw.one(&lines)).map(|(product, _)| (product, 1));
            deed(&mut plan, (order, at_ms), OrderDeed::Cancel(part));
            if draw.chance(20) {
                deed(&mut plan, (order, at_ms + draw.from(1_000, 300_000)), OrderDeed::Cancel(part));
            }
        }
        draw.visits(&mut plan, (order, at_ms), (store, life_ms));
        draw.cut_off(&mut plan, at_ms, store, 50);
    }
    let count = draw.from(0, 8);
    draw.weather(&mut plan, &[Family::Network, Family::Process], count);
    plan
}

/// Silent stores are passed over, and come back with what they did meanwhile; clocks of hubs jump.
pub(super) fn double_route(draw: &mut Draw<'_>) -> Plan {
    let mut plan = shop(draw, (5, 1), 6);
    let limits = draw.limits();
    decide(&mut plan, limits);
    let floor = draw.floor();
    plan.shopfloor = Some(Shopfloor { own_rider: 40, ..floor });
    for _ in 0..draw.from(10, 40) * plan.safety_ms / HOUR_MS {
        let at_ms = draw.from(FIRST_MS, plan.safety_ms - 1);
        let wanted = if draw.chance(90) { draw.delivery(&plan) } else { draw.pickup(&plan) };
        let store = wanted.stores.first().copied().unwrap_or(1);
        let is_pickup = !wanted.delivery;
        let order = draw.buy(&mut plan, at_ms, wanted);
        if is_pickup {
            let other = draw.a_shop(&plan);
            deed(&mut plan, (order, at_ms + draw.from(60_000, 1_800_000)), OrderDeed::Choose(Choice::Store(other)));
            draw.visits(&mut plan, (order, at_ms), (store, 1_800_000));
        }
        if draw.chance(10) {
            deed(&mut plan, (order, at_ms + draw.from(1_000, 1_800_000)), OrderDeed::Cancel(None));
        }
        let cut = draw.a_shop(&plan);
        draw.cut_off(&mut plan, at_ms, cut, 70);
    }
    for _ in 0..draw.from(0, 6) {
        let (at, sign) = (draw.from(FIRST_MS, plan.safety_ms - 1), if draw.chance(50) { 1 } else { -1 });
        let hub = Who::Hub(draw.from(1, plan.fleet.hubs.into()) as u32);
        let by = sign * draw.one(&[90_000, 1_200_000, 7_200_000]);
        Draw::fault(&mut plan, at, Fault::StepClock(hub, by));
    }
    let count = draw.from(0, 8);
    draw.weather(&mut plan, &[Family::Network, Family::Process], count);
    plan
}

/// Couriers refuse, get lost and come back; their reports come late, twice and in any order.
pub(super) fn courier_chaos(draw: &mut Draw<'_>) -> Plan {
    let mut plan = shop(draw, (4, 1), 6);
    let limits = draw.limits();
    decide(&mut plan, limits);
    let floor = draw.floor();
    let (courier_refuses, courier_fails, doubled) = (draw.from(0, 60), draw.from(0, 50), draw.from(0, 80));
    plan.shopfloor = Some(Shopfloor { courier_refuses, courier_fails, doubled, own_rider: draw.from(0, 40), ..floor });
    for _ in 0..draw.from(10, 40) * plan.safety_ms / HOUR_MS {
        let at_ms = draw.from(FIRST_MS, plan.safety_ms - 1);
        let mut wanted = draw.delivery(&plan);
        if draw.chance(15) {
            // Sold at a till, sent home from there.
            let store = draw.a_shop(&plan);
            (wanted.home, wanted.stores) = (Who::Store(store), vec![store]);
        }
        let order = draw.buy(&mut plan, at_ms, wanted);
        if draw.chance(15) {
            deed(&mut plan, (order, at_ms + draw.from(1_000, 3_600_000)), OrderDeed::Cancel(None));
        }
        if draw.chance(6) {
            let at_ms = at_ms + draw.from(1_000, 600_000);
            deed(&mut plan, (order, at_ms), OrderDeed::Hold);
            deed(&mut plan, (order, at_ms + draw.from(60_000, 900_000)), OrderDeed::Resume);
        }
        let cut = draw.a_shop(&plan);
        draw.cut_off(&mut plan, at_ms, cut, 25);
    }
    let count = draw.from(0, 12);
    draw.weather(&mut plan, &[Family::Network, Family::Process], count);
    plan
}

/// A chain that takes orders: shelves are full, and the hub may promise what is on them.
fn shop(draw: &mut Draw<'_>, (stores, hubs): (u32, u32), hours: u64) -> Plan {
    let mut fleet = draw.fleet(stores, hubs);
    fleet.stores = fleet.stores.max(2);
    fleet.products = draw.from(6, 12) as u16;
    let hours = draw.hours(hours);
    let mut plan = draw.plan(fleet, hours, Load { per_day: 60, lines_max: 2, stocked: false });
    plan.scarce = true;
    let rule = PolicyRule { lead_ms: 0, ..PolicyRule::of(Target::All, Allocation::HubOnly) };
    plan.steps.push(Step { at_ms: 0, action: Action::Rule(Box::new(rule)) });
    for store in 1..=plan.fleet.stores {
        for product in 0..plan.fleet.products {
            let (at_ms, quantity) = (draw.from(2_000, 20_000), draw.from(300, 600) as i64);
            plan.steps.push(Step { at_ms, action: Action::Receive { store, product, quantity } });
        }
    }
    plan
}

impl Draw<'_> {
    fn limits(&mut self) -> OrderLimits {
        let accept_within_ms = self.one(&[60_000, 180_000, 600_000]);
        OrderLimits {
            accept_within_ms,
            accept_warn_ms: accept_within_ms / 2,
            answer_within_ms: self.one(&[60_000, 300_000]),
            qr_life_ms: self.one(&[300_000, 1_800_000]),
            ready_within_ms: self.one(&[1_800_000, 7_200_000]),
            ..OrderLimits::default()
        }
    }

    fn floor(&mut self) -> Shopfloor {
        Shopfloor {
            seed: self.seed,
            pickers: self.from(1, 4) as u32,
            refuses: self.one(&[0, 0, 5, 20]),
            overlooks: self.one(&[0, 0, 3, 15]),
            ..Shopfloor::default()
        }
    }

    fn pickup(&mut self, plan: &Plan) -> Purchase {
        let store = self.a_shop(plan);
        Purchase { stores: vec![store], home: hub_of(&plan.fleet, store), ..self.delivery(plan) }.collected()
    }

    fn delivery(&mut self, plan: &Plan) -> Purchase {
        let mut lines: Vec<(u16, i64)> = Vec::new();
        for _ in 0..self.from(1, 4) {
            let product = self.from(0, u64::from(plan.fleet.products) - 1) as u16;
            let units = if self.chance(70) { 1 } else { self.from(2, 4) as i64 };
            if !lines.iter().any(|(held, _)| *held == product) {
                lines.push((product, units));
            }
        }
        let store = self.a_shop(plan);
        Purchase {
            order: 0,
            home: hub_of(&plan.fleet, store),
            delivery: true,
            stores: if self.chance(20) { vec![store] } else { Vec::new() },
            lines,
            preference: self.one(&[Preference::Ask, Preference::Partial, Preference::Whole]),
            partial: self.chance(20),
            tries: self.from(1, 8) as u8,
            due_in_ms: None,
        }
    }

    /// Plans that somebody orders; gives the order's number.
    fn buy(&mut self, plan: &mut Plan, at_ms: u64, mut wanted: Purchase) -> u32 {
        let order = plan.steps.len() as u32;
        wanted.order = order;
        if self.chance(8) {
            // The answer is lost on its way to the phone, and the button is pressed again.
            let at_ms = at_ms + self.from(1, 60_000);
            plan.steps.push(Step { at_ms, action: Action::Order(Box::new(wanted.clone())) });
        }
        plan.steps.push(Step { at_ms, action: Action::Order(Box::new(wanted)) });
        order
    }

    /// The customer comes: by code or by pass, too early, to another store, with a wrong code, twice, too late, or not at all.
    fn visits(&mut self, plan: &mut Plan, (order, at_ms): (u32, u64), (store, life_ms): (u32, u64)) {
        let shows = if self.chance(50) { Shows::Pass } else { Shows::Code };
        if shows == Shows::Pass {
            let at_ms = at_ms + self.from(5_000, 900_000);
            deed(plan, (order, at_ms), OrderDeed::TakePass);
            if self.chance(10) {
                collect(plan, (order, at_ms + life_ms + 600_000), (store, Shows::Pass));
            }
        }
        let mut comes = at_ms + self.from(120_000, 2_400_000);
        if self.chance(10) {
            let other = self.a_shop(plan);
            collect(plan, (order, comes), (other, shows));
        }
        if self.chance(10) {
            collect(plan, (order, comes + 5_000), (store, Shows::WrongCode));
        }
        if self.chance(12) {
            return;
        }
        for _ in 0..self.from(1, 3) {
            comes += self.from(10_000, 600_000);
            collect(plan, (order, comes), (store, shows));
        }
    }

    /// The store loses its hub about now, with a chance.
    fn cut_off(&mut self, plan: &mut Plan, at_ms: u64, store: u32, percent: u64) {
        if !self.chance(percent) {
            return;
        }
        let ms = self.one(&[5_000, 120_000, 900_000, 2_400_000]);
        let at = (at_ms + self.from(0, 900_000)).saturating_sub(self.one(&[0, 60_000, 600_000]));
        if at < plan.safety_ms {
            let fault = match self.chance(50) {
                true => Fault::Isolate(Who::Store(store), ms),
                false => Fault::Cut(Who::Store(store), hub_of(&plan.fleet, store), ms),
            };
            Draw::fault(plan, at, fault);
        }
    }

    fn a_shop(&mut self, plan: &Plan) -> u32 {
        self.from(1, plan.fleet.stores.into()) as u32
    }
}

impl Purchase {
    fn collected(self) -> Self {
        Self { delivery: false, ..self }
    }
}

fn decide(plan: &mut Plan, limits: OrderLimits) {
    plan.steps.push(Step { at_ms: 0, action: Action::Limits(Box::new(limits)) });
}

/// Something is done about an order, as long as the run lasts.
fn deed(plan: &mut Plan, (order, at_ms): (u32, u64), deed: OrderDeed) {
    if at_ms < plan.safety_ms {
        plan.steps.push(Step { at_ms, action: Action::OrderDeed(order, deed) });
    }
}

fn collect(plan: &mut Plan, at: (u32, u64), (store, shows): (u32, Shows)) {
    deed(plan, at, OrderDeed::Collect(store, shows));
}

/// The first order: goods have come in, and rights were made.
const FIRST_MS: u64 = 60_000;

/// Without a record.
const DRAWN: &str = "; orders: drawn: at any time of the rush, each for a store that is any of them";
