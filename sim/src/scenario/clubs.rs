//! Members with points, and coupons: who shows what where; and the scenarios that are about it.

use super::tills::FIRST_MS;
use super::weather::{Family, hub_of};
use super::{Draw, HOUR_MS};
use crate::plan::persons::PersonDo;
use crate::plan::tills::{CouponPlan, CouponsAre, Pays, Programme, Ringing};
use crate::plan::{Action, Fault, Fleet, Plan, Step, Who};

/// The same coupons and the points of the same members in many stores that are cut off.
pub(super) fn coupon_storm(draw: &mut Draw<'_>) -> Plan {
    let mut plan = draw.club();
    let programme = draw.programme();
    let campaigns = programme.campaigns.clone();
    plan.steps.push(Step { at_ms: 0, action: Action::Programme(Box::new(programme)) });
    let members = draw.from(1, 6);
    let greedy = draw.one(&[20, 60, 90]);
    for _ in 0..draw.from(20, 50) * plan.safety_ms / HOUR_MS {
        let at_ms = draw.from(FIRST_MS, plan.safety_ms - 1);
        let ringing = draw.club_ringing(&plan, (&campaigns, members), greedy);
        draw.ring_up(&mut plan, at_ms, ringing);
    }
    draw.lonely(&mut plan);
    let count = draw.from(0, 8);
    draw.weather(&mut plan, &[Family::Network, Family::Process, Family::Process], count);
    plan
}

/// Members are enrolled anywhere, come to other stores, are joined and parted, and buy everywhere.
pub(super) fn member_roams(draw: &mut Draw<'_>) -> Plan {
    let mut plan = draw.club();
    let programme = draw.programme();
    let campaigns = programme.campaigns.clone();
    plan.steps.push(Step { at_ms: 0, action: Action::Programme(Box::new(programme)) });
    let members = draw.from(2, 8);
    draw.persons(&mut plan, members);
    for _ in 0..draw.from(15, 40) * plan.safety_ms / HOUR_MS {
        let at_ms = draw.from(2 * FIRST_MS, plan.safety_ms - 1);
        let mut ringing = draw.club_ringing(&plan, (&campaigns, members), 40);
        ringing.coupons.clear();
        draw.ring_up(&mut plan, at_ms, ringing);
    }
    for _ in 0..draw.from(2, 8) {
        let (one, other) = (draw.from(1, members) as u32, draw.from(1, members) as u32);
        let at_ms = draw.from(2 * FIRST_MS, plan.safety_ms - 1);
        if one == other {
            continue;
        }
        let mut deed = |at_ms, deed| plan.steps.push(Step { at_ms, action: Action::Person(one, deed) });
        deed(at_ms, PersonDo::Link(other));
        if draw.chance(60) {
            deed(at_ms + draw.from(1_000, HOUR_MS), PersonDo::Unlink(other));
        }
    }
    draw.lonely(&mut plan);
    // The lease of keys ends by the clock on the wall as well.
    if draw.chance(30) {
        let (store, at) = (draw.from(1, plan.fleet.stores.into()) as u32, draw.from(0, plan.safety_ms - 1));
        Draw::fault(&mut plan, at, Fault::StepClock(Who::Store(store), 8 * 24 * HOUR_MS as i64));
    }
    let count = draw.from(0, 8);
    draw.weather(&mut plan, &[Family::Network, Family::Process], count);
    plan.steps.retain(|step| step.at_ms < plan.safety_ms);
    plan
}

/// Members are forgotten while stores are cut off and remarks are on their way.
pub(super) fn erase_during_sync(draw: &mut Draw<'_>) -> Plan {
    let mut plan = draw.club();
    let members = draw.from(4, 16);
    draw.persons(&mut plan, members);
    for number in 1..=members as u32 {
        if draw.chance(25) {
            continue;
        }
        let at_ms = draw.from(plan.safety_ms / 4, plan.safety_ms - 1);
        let at = draw.asked(&plan);
        plan.steps.push(Step { at_ms, action: Action::Person(number, PersonDo::Erase(at)) });
        for _ in 0..draw.from(0, 4) {
            let at_ms = at_ms.saturating_sub(30_000) + draw.from(0, 60_000);
            let remark = PersonDo::Remark(draw.asked(&plan));
            plan.steps.push(Step { at_ms, action: Action::Person(number, remark) });
        }
    }
    draw.lonely(&mut plan);
    let count = draw.from(0, 10);
    draw.weather(&mut plan, &[Family::Network, Family::Network, Family::Process], count);
    plan.steps.retain(|step| step.at_ms < plan.safety_ms);
    plan
}

impl Draw<'_> {
    /// Members are enrolled, come to stores, and something is remarked about them.
    fn persons(&mut self, plan: &mut Plan, members: u64) {
        let phones = self.from(members / 2 + 1, members);
        for number in 1..=members as u32 {
            let home = self.from(1, plan.fleet.stores.into()) as u32;
            let at = if self.chance(70) { Who::Store(home) } else { Who::Hub(1) };
            let phone = self.from(1, phones) as u32;
            let latest_ms = if self.chance(50) { FIRST_MS } else { plan.safety_ms / 2 };
            let enrolled_ms = self.from(1_000, latest_ms);
            let enrol = PersonDo::Enrol { at, home, phone };
            plan.steps.push(Step { at_ms: enrolled_ms, action: Action::Person(number, enrol) });
            for _ in 0..self.from(1, 8) {
                let at_ms = self.from(enrolled_ms, plan.safety_ms - 1);
                let deed = match self.chance(50) {
                    true => PersonDo::Come(self.from(1, plan.fleet.stores.into()) as u32),
                    false => PersonDo::Remark(self.asked(plan)),
                };
                plan.steps.push(Step { at_ms, action: Action::Person(number, deed) });
            }
        }
    }

    /// Who is asked about a member: any store, or head office.
    fn asked(&mut self, plan: &Plan) -> Who {
        if self.chance(30) { Who::Hub(1) } else { Who::Store(self.from(1, plan.fleet.stores.into()) as u32) }
    }

    /// Stores lose their hub, for long.
    fn lonely(&mut self, plan: &mut Plan) {
        for store in 1..=plan.fleet.stores {
            for _ in 0..self.from(0, 3) {
                let (at, ms) = (self.from(0, plan.safety_ms - 1), self.from(60_000, plan.safety_ms / 2));
                let hub = hub_of(&plan.fleet, store);
                Draw::fault(plan, at, Fault::Cut(Who::Store(store), hub, ms));
            }
        }
    }

    /// Shops of one hub whose nodes know all prices.
    fn club(&mut self) -> Plan {
        let fleet = Fleet { hubs: 1, ..self.fleet(8, 1) };
        self.counters_of(fleet, 6)
    }

    /// What points are worth, and a campaign of each kind.
    fn programme(&mut self) -> Programme {
        let mut campaign = |kind| CouponPlan { kind, off: self.from(10, 500) as i64, returns: self.chance(30) };
        let mut campaigns = vec![campaign(CouponsAre::Single(6)), campaign(CouponsAre::Pool(0))];
        campaigns.push(campaign(CouponsAre::Printed(8, 0)));
        campaigns[1].kind = CouponsAre::Pool(self.from(1, 12) as u32);
        campaigns[2].kind = CouponsAre::Printed(8, self.from(1, 4) as i64 * campaigns[2].off);
        Programme { offline_limit: self.one(&[0, 20, 100]), share: self.one(&[0, 30, 1_000]), campaigns }
    }

    /// A basket of somebody who shows coupons, or is a member, or both.
    fn club_ringing(&mut self, plan: &Plan, (campaigns, members): (&[CouponPlan], u64), greedy: u64) -> Ringing {
        let silent = if self.chance(30) { 50 } else { 0 };
        let mut ringing = self.ringing(plan, silent);
        if self.chance(40) {
            ringing.pays = Pays::Cash;
        }
        if self.chance(70) {
            ringing.member = Some(self.from(1, members) as u32);
            ringing.points = self.chance(greedy);
        }
        ringing.voided = self.chance(15);
        for _ in 0..self.one(&[0, 1, 1, 2]) {
            let number = self.from(0, campaigns.len() as u64 - 1) as u16;
            let serial = match campaigns[usize::from(number)].kind {
                CouponsAre::Single(coupons) | CouponsAre::Printed(coupons, _) => {
                    Some(self.from(0, u64::from(coupons) - 1) as u32)
                }
                CouponsAre::Pool(_) => None,
            };
            if !ringing.coupons.contains(&(number, serial)) {
                ringing.coupons.push((number, serial));
            }
        }
        ringing
    }
}
