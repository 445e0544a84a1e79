//! Members with points, and coupons: who shows what where; and the scenarios that are about it.

use super::tills::FIRST_MS;
use super::weather::{Family, hub_of};
use super::{Draw, HOUR_MS};
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
    for store in 1..=plan.fleet.stores {
        for _ in 0..draw.from(0, 3) {
            let (at, ms) = (draw.from(0, plan.safety_ms - 1), draw.from(60_000, plan.safety_ms / 2));
            let hub = hub_of(&plan.fleet, store);
            Draw::fault(&mut plan, at, Fault::Cut(Who::Store(store), hub, ms));
        }
    }
    let count = draw.from(0, 8);
    draw.weather(&mut plan, &[Family::Network, Family::Process, Family::Process], count);
    plan
}

impl Draw<'_> {
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
