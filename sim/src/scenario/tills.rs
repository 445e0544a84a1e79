//! What is rung up where the node knows the prices: by cash, at terminals that fail, put aside, on slips; and the scenarios that are about it.

use super::weather::{Family, hub_of};
use super::work::Load;
use super::{Draw, HOUR_MS};
use crate::plan::tills::{DrawerDo, Fate, Otherwise, Pays, Ringing, Tariff};
use crate::plan::{Action, Fault, Fleet, Plan, Step, Who};

/// Terminals are silent, late or lose their answers, and nodes die while they are asked.
pub(super) fn terminal_unknown(draw: &mut Draw<'_>) -> Plan {
    let mut plan = draw.counters((6, 1), 6);
    let silent = draw.one(&[10, 40, 80]);
    for _ in 0..draw.from(20, 60) * plan.safety_ms / HOUR_MS {
        let at_ms = draw.from(FIRST_MS, plan.safety_ms - 1);
        let ringing = draw.ringing(&plan, silent);
        let store = Who::Store(ringing.store);
        let asks = !matches!(ringing.pays, Pays::Cash);
        draw.ring_up(&mut plan, at_ms, ringing);
        if asks && draw.chance(35) {
            // At any step: while the intent is written, while the terminal is asked, while its word is written.
            let at = at_ms + draw.one(&[0, 0, 2_000, 6_000, 9_000]) + draw.from(0, 900);
            let fault = match draw.chance(75) {
                true => Fault::Crash(store, Some(draw.from(0, 9) as u8), draw.from(500, 30_000)),
                false => Fault::Pause(store, draw.from(1_000, 120_000)),
            };
            Draw::fault(&mut plan, at, fault);
        }
    }
    let count = draw.from(0, 8);
    draw.weather(&mut plan, &[Family::Network, Family::Process], count);
    plan
}

/// Prices and promotions change while stores are cut off and customers look at what they were told.
pub(super) fn price_change(draw: &mut Draw<'_>) -> Plan {
    let mut plan = draw.counters((6, 1), 6);
    for number in 0..draw.from(3, 8) * plan.safety_ms / HOUR_MS {
        let at_ms = draw.from(FIRST_MS, plan.safety_ms - 1);
        let tariff = draw.change(&plan, number as u16);
        let holds_ms = at_ms.saturating_add_signed(tariff.from_in_ms);
        plan.steps.push(Step { at_ms, action: Action::Tariff(Box::new(tariff)) });
        for store in 1..=plan.fleet.stores {
            if draw.chance(40) {
                let ms = draw.one(&[5_000, 120_000, 900_000, 2_400_000]);
                let at = at_ms.saturating_sub(draw.from(0, 60_000));
                let hub = hub_of(&plan.fleet, store);
                Draw::fault(&mut plan, at, Fault::Cut(Who::Store(store), hub, ms));
            }
        }
        // Customers are told a price just before it changes.
        for _ in 0..draw.from(1, 4) {
            let at_ms = holds_ms.saturating_sub(draw.from(0, 20_000)).max(FIRST_MS);
            let mut ringing = draw.ringing(&plan, 0);
            (ringing.looks_ms, ringing.accepts) = (draw.from(0, 30_000), draw.chance(70));
            draw.ring_up(&mut plan, at_ms, ringing);
        }
    }
    for _ in 0..draw.from(6, 20) * plan.safety_ms / HOUR_MS {
        let at_ms = draw.from(FIRST_MS, plan.safety_ms - 1);
        let ringing = draw.ringing(&plan, 0);
        draw.ring_up(&mut plan, at_ms, ringing);
    }
    let count = draw.from(0, 8);
    draw.weather(&mut plan, &[Family::Network, Family::Process], count);
    plan
}

impl Draw<'_> {
    /// Shops whose nodes know all prices, with a drawer at each till.
    pub(super) fn counters(&mut self, (stores, hubs): (u32, u32), hours: u64) -> Plan {
        let fleet = self.fleet(stores, hubs);
        self.counters_of(fleet, hours)
    }

    /// The same, with this fleet.
    pub(super) fn counters_of(&mut self, fleet: Fleet, hours: u64) -> Plan {
        let hours = self.hours(hours).min(if self.wishes.small { 2 } else { u64::MAX });
        let mut plan = self.plan(fleet, hours, Load { per_day: 100, ..Load::light() });
        let prices = (0..plan.fleet.products).map(|product| (product, self.from(20, 2_000) as i64)).collect();
        let tariff = Tariff { from_in_ms: -1_000, prices, promotion: None };
        plan.steps.push(Step { at_ms: 0, action: Action::Tariff(Box::new(tariff)) });
        for store in 1..=plan.fleet.stores {
            for till in 1..=TILLS {
                self.drawers(&mut plan, store, till);
            }
        }
        plan
    }

    /// What happens to a drawer: shifts one after another, with cash that is moved meanwhile.
    fn drawers(&mut self, plan: &mut Plan, store: u32, till: u32) {
        let mut at_ms = self.from(1_000, FIRST_MS);
        let mut deed = |at_ms, deed| {
            plan.steps.push(Step { at_ms, action: Action::Drawer { store, till, deed } });
        };
        loop {
            deed(at_ms, DrawerDo::Open(self.from(100, 2_000) as i64 * 100));
            let closes = at_ms + self.from(HOUR_MS / 6, HOUR_MS);
            if closes >= plan.safety_ms {
                return;
            }
            for _ in 0..self.from(0, 3) {
                let amount = self.from(1, 5_000) as i64;
                let what = self.one(&[DrawerDo::PaidIn(amount), DrawerDo::PaidOut(amount), DrawerDo::Drop(amount)]);
                deed(self.from(at_ms, closes), what);
            }
            deed(closes, DrawerDo::Close);
            at_ms = closes + self.from(1, 120_000);
            if at_ms >= plan.safety_ms || self.chance(10) {
                return;
            }
        }
    }

    /// A basket; of so many percent of those that a terminal is asked for, it says nothing in time.
    pub(super) fn ringing(&mut self, plan: &Plan, silent: u64) -> Ringing {
        let mut lines: Vec<(u16, i64)> = Vec::new();
        for _ in 0..self.from(1, 5) {
            let product = self.from(0, u64::from(plan.fleet.products) - 1) as u16;
            if !lines.iter().any(|(held, _)| *held == product) {
                lines.push((product, self.from(1, 4) as i64));
            }
        }
        let (till, other) = if self.chance(50) { (1, 2) } else { (2, 1) };
        let after_ms = self.one(&[5_000, 60_000, 600_000]);
        let pays = match self.from(0, 9) {
            0..=1 => Pays::Cash,
            2..=5 => Pays::Card,
            6 => Pays::Mixed(self.from(1, 99) as u8),
            7 | 8 => Pays::Slip { till: other, after_ms, card: self.chance(70) },
            _ => Pays::Suspended { till: self.one(&[till, other]), after_ms, back: self.chance(70) },
        };
        let late = self.one(&[10_000, 70_000, 400_000]);
        let fate = match self.chance(silent) {
            true => self.one(&[Fate::Deaf, Fate::LosesAnswer, Fate::Late(late)]),
            false => self.one(&[
                Fate::Approves,
                Fate::Approves,
                Fate::Approves,
                Fate::Declines,
                Fate::ApprovesOffline,
                Fate::ApprovesPart(60),
                Fate::ApprovesPart(130),
            ]),
        };
        Ringing {
            ring: 0,
            store: self.from(1, plan.fleet.stores.into()) as u32,
            till,
            lines,
            pays,
            looks_ms: self.one(&[0, 0, 0, 3_000]),
            accepts: self.chance(80),
            fate,
            patience_ms: self.one(&[2_000, 30_000, 120_000]),
            otherwise: self.one(&[Otherwise::Abandon, Otherwise::Cash, Otherwise::Again]),
            member: None,
            coupons: Vec::new(),
            points: false,
            voided: self.chance(4),
        }
    }

    /// Plans that a basket is rung up.
    pub(super) fn ring_up(&mut self, plan: &mut Plan, at_ms: u64, mut ringing: Ringing) {
        ringing.ring = plan.steps.len() as u32;
        if at_ms < plan.safety_ms {
            plan.steps.push(Step { at_ms, action: Action::Ring(Box::new(ringing)) });
        }
    }

    /// Some prices change, or some goods are cheaper for a while: from now on, from later on, or since a while.
    fn change(&mut self, plan: &Plan, number: u16) -> Tariff {
        let from_in_ms = self.one(&[-60_000, 0, 1_000, 60_000, 600_000, 1_800_000]) + self.from(0, 5_000) as i64;
        let products: Vec<u16> = (0..plan.fleet.products).filter(|_| self.chance(40)).collect();
        if products.is_empty() || self.chance(60) {
            let prices = products.into_iter().map(|product| (product, self.from(20, 2_000) as i64)).collect();
            return Tariff { from_in_ms, prices, promotion: None };
        }
        let (percent, lasts_ms) = (self.from(5, 50) as u8, self.one(&[60_000, 600_000, HOUR_MS]));
        Tariff { from_in_ms, prices: Vec::new(), promotion: Some((number, products, percent, lasts_ms)) }
    }
}

/// The first basket: prices and goods have come.
pub(super) const FIRST_MS: u64 = 30_000;

/// Tills of a store.
const TILLS: u32 = 2;
