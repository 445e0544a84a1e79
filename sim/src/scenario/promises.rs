//! What is promised: rules, deliveries of few units, orders with all that becomes of them; and the scenarios that are about it.
//!
//! Shelves are nearly empty, since what is there for everybody is never promised twice. Rules are drawn like time-outs are: a seed
//! has its own.

use stockroom_crdt::stock::policy::{Allocation, PolicyRule, Target};
use stockroom_crdt::stock::promise::Step as Said;

use super::weather::{Family, hub_of};
use super::work::Load;
use super::{Draw, HOUR_MS};
use crate::cast::sku;
use crate::plan::{Action, Fault, Fleet, NEVER, Plan, Step, TokenFate, Wanted, Who};

/// Goods are promised at hubs, stores and neighbours while links and processes come and go.
pub(super) fn rights(draw: &mut Draw<'_>) -> Plan {
    let mut plan = market(draw, (6, 1));
    let count = draw.from(20, 80) * plan.safety_ms / HOUR_MS;
    draw.orders(&mut plan, count);
    draw.shelves(&mut plan, 6);
    let count = draw.from(0, 24);
    draw.weather(&mut plan, &[Family::Network, Family::Network, Family::Process], count);
    plan
}

/// A unit comes, and everybody wants it at once, at the till as well.
pub(super) fn last_unit(draw: &mut Draw<'_>) -> Plan {
    let mut plan = market(draw, (10, 1));
    let rounds = draw.from(4, 20);
    for round in 0..rounds {
        let (store, product) = (draw.a_store(&plan.fleet), draw.a_product(&plan.fleet));
        let at_ms = round * plan.safety_ms / rounds + draw.from(0, 120_000);
        let quantity = draw.one(&[1, 1, 1, 2, 3]);
        plan.steps.push(Step { at_ms, action: Action::Receive { store, product, quantity } });
        let rush = at_ms + draw.one(&[1_000, 10_000, 120_000]);
        for _ in 0..draw.from(2, 12) {
            let at_ms = rush + draw.from(0, 6_000);
            let wanted = draw.wanted(&plan, (store, product));
            draw.order(&mut plan, at_ms, wanted);
        }
        if draw.chance(60) {
            let lines = vec![(product, 1, 100)];
            let at_ms = rush + draw.from(0, 6_000);
            plan.steps.push(Step { at_ms, action: Action::Sell { store, till: 1, lines, repeats: 0 } });
        }
        if draw.chance(60) {
            let (ms, hub) = (draw.one(&[2_000, 40_000, 300_000]), hub_of(&plan.fleet, store));
            let at = rush.saturating_sub(draw.from(0, 20_000));
            Draw::fault(&mut plan, at, Fault::Cut(Who::Store(store), hub, ms));
        }
    }
    let count = draw.from(0, 8);
    draw.weather(&mut plan, &[Family::Network, Family::Process], count);
    plan
}

/// Counts while selling and promising; goods vanish, and figures are wrong.
pub(super) fn stocktake(draw: &mut Draw<'_>) -> Plan {
    let mut plan = market(draw, (4, 1));
    let count = draw.from(20, 60) * plan.safety_ms / HOUR_MS;
    draw.orders(&mut plan, count);
    draw.shelves(&mut plan, 40);
    let count = draw.from(0, 10);
    draw.weather(&mut plan, &[Family::Network, Family::Process, Family::Clock], count);
    plan
}

/// Whoever holds rights is set back, cloned, swapped and wiped, stores and hubs, while rights are under way.
pub(super) fn rights_restore(draw: &mut Draw<'_>) -> Plan {
    let mut plan = market(draw, (4, 1));
    let count = draw.from(20, 80) * plan.safety_ms / HOUR_MS;
    draw.orders(&mut plan, count);
    draw.shelves(&mut plan, 4);
    for _ in 0..draw.from(1, 4) {
        let who = draw.somebody(&plan.fleet);
        let (image, back) = (draw.from(0, plan.safety_ms * 3 / 4), draw.one(&[30_000, 600_000, HOUR_MS]));
        let back = image + draw.from(back / 4, back);
        Draw::fault(&mut plan, image, Fault::TakeImage(who));
        let fate = draw.one(&[TokenFate::Kept, TokenFate::Kept, TokenFate::SetBack, TokenFate::Lost]);
        if draw.chance(40) {
            // What only the disk knows: nobody heard the last of it.
            let (at, ms) = (back.saturating_sub(draw.from(1_000, 120_000)), draw.from(2_000, 600_000));
            Draw::fault(&mut plan, at, Fault::Isolate(who, ms));
        }
        Draw::fault(&mut plan, back, Fault::Restore(who, fate));
    }
    if draw.chance(30) {
        let (at, ms) = (draw.from(0, plan.safety_ms), draw.from(5_000, 1_800_000));
        let who = draw.somebody(&plan.fleet);
        Draw::fault(&mut plan, at, Fault::Clone(who, ms));
    }
    if draw.chance(30) {
        let (who, at) = (draw.somebody(&plan.fleet), draw.from(0, plan.safety_ms));
        Draw::fault(&mut plan, at, Fault::Wipe(who));
        if draw.chance(60) {
            let at_ms = at + draw.from(60_000, HOUR_MS);
            plan.steps.push(Step { at_ms, action: Action::Retire(who) });
        }
    }
    if draw.chance(20) {
        let at = draw.from(0, plan.safety_ms);
        Draw::fault(&mut plan, at, Fault::SwapDisks(Who::Store(1), Who::Store(2), 60_000));
    }
    let count = draw.from(0, 8);
    draw.weather(&mut plan, &[Family::Network, Family::Process], count);
    plan
}

/// A hub is away for long and comes back from an old image, a store's box is gone for good.
pub(super) fn hub_failover(draw: &mut Draw<'_>) -> Plan {
    let hubs = draw.one(&[1, 2, 3]);
    let mut plan = market(draw, (6, hubs));
    let count = draw.from(20, 60) * plan.safety_ms / HOUR_MS;
    draw.orders(&mut plan, count);
    draw.shelves(&mut plan, 4);
    let hub = Who::Hub(draw.from(1, plan.fleet.hubs.into()) as u32);
    let image = draw.from(0, plan.safety_ms / 4);
    let away = draw.from(plan.safety_ms / 4, plan.safety_ms / 2);
    let long = draw.from(60_000, plan.safety_ms / 4);
    Draw::fault(&mut plan, image, Fault::TakeImage(hub));
    let restored = draw.chance(70);
    if restored {
        let fate = draw.one(&[TokenFate::Kept, TokenFate::SetBack, TokenFate::Lost]);
        Draw::fault(&mut plan, away.saturating_sub(1), Fault::Restore(hub, fate));
    }
    Draw::fault(&mut plan, away, Fault::Blackout(vec![hub], long));
    // A box that is gone for good and a hub that was set back would lose together what each alone does not.
    if !restored && draw.chance(80) {
        let store = draw.a_store(&plan.fleet);
        let dead = draw.from(plan.safety_ms / 4, plan.safety_ms / 2);
        Draw::fault(&mut plan, dead, Fault::Crash(Who::Store(store), None, NEVER));
        let mut at_ms = dead + draw.from(60_000, plan.safety_ms / 4);
        // Head office tries until a hub is there that can do it.
        for _ in 0..4 {
            plan.steps.push(Step { at_ms, action: Action::Retire(Who::Store(store)) });
            plan.steps.push(Step { at_ms: at_ms + 1, action: Action::Replace(store) });
            at_ms += draw.from(60_000, plan.safety_ms / 8);
        }
    }
    let count = draw.from(0, 8);
    draw.weather(&mut plan, &[Family::Network, Family::Process], count);
    plan
}

/// A chain that promises its goods: few products, few units, rules of its own.
fn market(draw: &mut Draw<'_>, (stores, hubs): (u32, u32)) -> Plan {
    let mut fleet = draw.fleet(stores, hubs);
    fleet.hubs = if hubs > 1 { hubs } else { fleet.hubs };
    fleet.products = draw.from(2, 4) as u16;
    let hours = draw.hours(8);
    let per_day = draw.one(&[40, 150, 400]);
    let mut plan = draw.plan(fleet, hours, Load { per_day, lines_max: 2, stocked: false });
    plan.scarce = true;
    draw.rules(&mut plan);
    for store in 1..=plan.fleet.stores {
        for product in 0..plan.fleet.products {
            for _ in 0..draw.from(1, 3) {
                let at_ms = if draw.chance(60) { draw.from(0, 20_000) } else { draw.from(0, plan.safety_ms - 1) };
                let quantity = draw.one(&[1, 2, 5, 12, 40]);
                plan.steps.push(Step { at_ms, action: Action::Receive { store, product, quantity } });
            }
        }
    }
    plan
}

impl Draw<'_> {
    /// What head office says about promising, once and again.
    fn rules(&mut self, plan: &mut Plan) {
        let rule = self.rule(Target::All);
        plan.steps.push(Step { at_ms: self.from(0, 30_000), action: Action::Rule(Box::new(rule)) });
        for _ in 0..self.one(&[0, 0, 1, 2]) {
            let target = if self.chance(50) { Target::All } else { Target::Sku(sku(self.a_product(&plan.fleet))) };
            let (rule, at_ms) = (self.rule(target), self.from(0, plan.safety_ms - 1));
            plan.steps.push(Step { at_ms, action: Action::Rule(Box::new(rule)) });
        }
    }

    fn rule(&mut self, target: Target) -> PolicyRule {
        PolicyRule {
            target,
            allocation: self.one(&Allocation::ALL),
            safety: self.one(&[0, 0, 0, 1, 3]),
            risk_ppm: self.one(&[10_000, 200_000, 1_000_000]),
            soft_ppm: self.one(&[0, 0, 50_000, 500_000]),
            overbooking_ppm: self.one(&[0, 100_000, 500_000, 1_000_000]),
            shrink_ppm_day: self.one(&[0, 0, 5_000, 100_000]),
            lead_ms: self.one(&[0, 0, 30 * 60_000, 4 * HOUR_MS]),
            hold_ms: self.one(&[20_000, 300_000, 900_000]),
            ended: false,
        }
    }

    /// Orders at any time, at any node.
    fn orders(&mut self, plan: &mut Plan, count: u64) {
        for _ in 0..count {
            let at_ms = self.from(20_000, plan.safety_ms - 1);
            let about = (self.a_store(&plan.fleet), self.a_product(&plan.fleet));
            let wanted = self.wanted(plan, about);
            self.order(plan, at_ms, wanted);
        }
    }

    /// What a customer wants of one store's goods, mostly.
    fn wanted(&mut self, plan: &Plan, (store, product): (u32, u16)) -> Wanted {
        let fleet = &plan.fleet;
        let street = (store - 1) / fleet.neighbourhood.max(1);
        let first = street * fleet.neighbourhood.max(1) + 1;
        let at = match self.from(0, 19) {
            0..=6 => hub_of(fleet, store),
            7..=9 => Who::Hub(self.from(1, fleet.hubs.into()) as u32),
            10..=14 => Who::Store(store),
            _ => {
                let last = (first + fleet.neighbourhood.max(1) - 1).min(fleet.stores);
                Who::Store(self.from(first.into(), last.into()) as u32)
            }
        };
        let stores = match self.from(0, 9) {
            0 => Vec::new(),
            1 => (1..=fleet.stores).collect(),
            _ => vec![store],
        };
        let quantity = if self.chance(70) { 1 } else { self.from(2, 6) };
        let (soft, tries) = (self.chance(60), self.from(1, 6) as u8);
        let hold_ms = if self.chance(20) { Some(self.from(5_000, 120_000)) } else { None };
        Wanted { order: plan.steps.len() as u32, at, product, quantity, stores, soft, hold_ms, tries }
    }

    /// An order, and what becomes of its promise if it gets one.
    fn order(&mut self, plan: &mut Plan, at_ms: u64, wanted: Wanted) {
        let order = wanted.order;
        plan.steps.push(Step { at_ms, action: Action::Reserve(Box::new(wanted.clone())) });
        if self.chance(10) {
            let at_ms = at_ms + self.from(1, 60_000);
            plan.steps.push(Step { at_ms, action: Action::Reserve(Box::new(wanted)) });
        }
        let mut at_ms = at_ms + 20_000;
        let mut say = |draw: &mut Self, percent: u64, wait_ms: u64, step: Said| {
            if draw.chance(percent) {
                at_ms += draw.from(1_000, wait_ms);
                plan.steps.push(Step { at_ms, action: Action::Say { order, step } });
            }
        };
        say(self, 75, 60_000, Said::Confirm);
        say(self, 8, 300_000, Said::AskRelease);
        say(self, 60, 900_000, Said::Pick);
        say(self, 10, 300_000, Said::PutBack);
        say(self, 3, 300_000, Said::NotFound);
        say(self, 8, 300_000, Said::AskRelease);
        say(self, 75, 1_800_000, Said::Fulfil);
        say(self, 5, 60_000, Said::Release);
    }

    /// Counts, wrong counts and thieves, up to so many.
    fn shelves(&mut self, plan: &mut Plan, most: u64) {
        for _ in 0..self.from(0, most) {
            let (store, product) = (self.a_store(&plan.fleet), self.a_product(&plan.fleet));
            let at_ms = self.from(30_000, plan.safety_ms - 1);
            let action = match self.from(0, 9) {
                0..=4 => Action::Count { store, product },
                5 => Action::Miscount { store, product, off: self.one(&[-3, -1, 1, 3]) },
                6 | 7 => Action::RetryStorm { store, last: self.from(1, 10) as u16 },
                _ => Action::Shrink { store, product, quantity: self.from(1, 3) as i64 },
            };
            plan.steps.push(Step { at_ms, action });
        }
    }

    fn a_store(&mut self, fleet: &Fleet) -> u32 {
        self.from(1, fleet.stores.into()) as u32
    }

    fn a_product(&mut self, fleet: &Fleet) -> u16 {
        self.from(0, u64::from(fleet.products) - 1) as u16
    }
}
