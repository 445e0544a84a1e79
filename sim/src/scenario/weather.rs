//! How faults are drawn: families, and within each what strikes whom, when, and for how long.

use super::{Draw, HOUR_MS};
use crate::link::LinkSpec;
use crate::plan::{Fault, Fleet, Hostile, Plan, Who};

/// A family of faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    Network,
    Process,
    Disk,
    Clock,
    Hostile,
}

impl Draw<'_> {
    /// So many faults of these families, at any time of the first phase. A seed leaves some kinds out altogether.
    pub(crate) fn weather(&mut self, plan: &mut Plan, families: &[Family], count: u64) {
        let missing = self.from(0, u64::MAX - 1);
        for _ in 0..count {
            let family = self.one(families);
            let kind = self.from(0, 9);
            if missing >> (kind + 10 * family as u64) & 1 == 1 {
                continue;
            }
            let at = self.from(0, plan.safety_ms.saturating_sub(1));
            let fault = match family {
                Family::Network => self.network(&plan.fleet, kind),
                Family::Process => self.process(&plan.fleet, kind),
                Family::Disk => self.disk(&plan.fleet, kind),
                Family::Clock => self.clock(&plan.fleet, kind),
                Family::Hostile => self.hostile(&plan.fleet, kind),
            };
            Self::fault(plan, at, fault);
        }
    }

    /// Any node of ours, stores mostly.
    pub(crate) fn somebody(&mut self, fleet: &Fleet) -> Who {
        if self.chance(75) { self.store(fleet) } else { Who::Hub(self.from(1, fleet.hubs.into()) as u32) }
    }

    fn store(&mut self, fleet: &Fleet) -> Who {
        Who::Store(self.from(1, fleet.stores.into()) as u32)
    }

    /// A path that is there: a store and its hub, two neighbours, a hub and the cloud.
    fn path(&mut self, fleet: &Fleet) -> (Who, Who) {
        let store = self.from(1, fleet.stores.into()) as u32;
        let neighbour = store + 1;
        let street = |store: u32| (store - 1) / fleet.neighbourhood.max(1);
        if neighbour <= fleet.stores && street(store) == street(neighbour) && self.chance(30) {
            return (Who::Store(store), Who::Store(neighbour));
        }
        if fleet.hubs > 1 && self.chance(20) {
            return (Who::Hub(self.from(2, fleet.hubs.into()) as u32), Who::Hub(1));
        }
        (Who::Store(store), hub_of(fleet, store))
    }

    /// Seconds to an hour, short times more often.
    fn while_ms(&mut self) -> u64 {
        let scale = self.one(&[2_000, 20_000, 120_000, 600_000, HOUR_MS]);
        self.from(scale / 4, scale)
    }

    fn network(&mut self, fleet: &Fleet, kind: u64) -> Fault {
        let ((a, b), ms) = (self.path(fleet), self.while_ms());
        match kind {
            0 | 1 => Fault::Cut(a, b, ms),
            2 => Fault::CutOneWay(a, b, ms),
            3 => Fault::CutOneWay(b, a, ms),
            4 => Fault::Flap(a, b, self.from(2, 12) as u32, self.one(&[500, 3_000, 31_000, 70_000])),
            5 => Fault::Isolate(self.somebody(fleet), ms),
            6 => Fault::Degrade(a, b, self.bad_link(), ms),
            7 => Fault::CarrierDown(self.several(fleet), ms),
            8 => Fault::Swizzle(self.several(fleet), ms),
            _ => Fault::Reset(a, b),
        }
    }

    fn process(&mut self, fleet: &Fleet, kind: u64) -> Fault {
        let (who, ms) = (self.somebody(fleet), self.while_ms());
        match kind {
            0..=3 => Fault::Crash(who, Some(self.from(0, 9) as u8), self.from(500, 30_000)),
            4 => Fault::Crash(who, None, ms),
            5 => Fault::CrashLoop(who, self.from(1, 4) as u8),
            6 | 7 => Fault::Pause(who, ms),
            8 => Fault::Blackout(self.several(fleet), ms),
            _ => Fault::SwitchOff(self.store(fleet), ms),
        }
    }

    fn disk(&mut self, fleet: &Fleet, kind: u64) -> Fault {
        let who = self.somebody(fleet);
        match kind {
            0..=5 => Fault::PowerCut(who, self.from(0, 40), self.from(500, 20_000)),
            6 => Fault::DiskError(who, self.from(0, 60)),
            7 => Fault::DiskFull(self.store(fleet)),
            8 => Fault::Rot(self.store(fleet), self.from(1, 8)),
            _ => Fault::LyingSync(self.store(fleet), self.from(5_000, 120_000)),
        }
    }

    fn clock(&mut self, fleet: &Fleet, kind: u64) -> Fault {
        let who = self.somebody(fleet);
        let sign = if self.chance(50) { 1 } else { -1 };
        match kind {
            0 | 1 => Fault::Drift(who, sign as i32 * self.from(10, 500) as i32),
            2..=4 => Fault::StepClock(who, sign * self.from(1_000, 7_200_000) as i64),
            5 => Fault::StepClock(who, sign * self.from(1, 365) as i64 * 86_400_000),
            6 => Fault::StepClock(who, sign * self.from(1, 10) as i64 * 31_536_000_000),
            7 => Fault::BootAt(who, self.from(0, HOUR_MS)),
            8 => Fault::BootAt(who, IN_2099_MS),
            _ => Fault::BootAt(who, self.from(crate::world::START_MS - HOUR_MS, crate::world::START_MS + 48 * HOUR_MS)),
        }
    }

    fn hostile(&mut self, fleet: &Fleet, kind: u64) -> Fault {
        let kinds = [
            Hostile::ForgedAuthor,
            Hostile::WrongScope,
            Hostile::Equivocation,
            Hostile::Replay,
            Hostile::HugeRanges,
            Hostile::MutatedFrames,
            Hostile::FalseHub,
            Hostile::FutureDates,
        ];
        Fault::Hostile(kinds[kind as usize % kinds.len()], self.somebody(fleet))
    }

    fn several(&mut self, fleet: &Fleet) -> Vec<Who> {
        let mut group: Vec<_> = (1..=fleet.stores).filter(|_| self.rng_bit()).map(Who::Store).collect();
        if group.is_empty() {
            group.push(self.store(fleet));
        }
        group
    }

    fn rng_bit(&mut self) -> bool {
        self.chance(50)
    }

    fn bad_link(&mut self) -> LinkSpec {
        LinkSpec {
            latency_us: self.one(&[30_000, 150_000, 600_000]),
            jitter_us: self.one(&[0, 100_000, 3_000_000]),
            up_bps: self.one(&[64_000, 256_000, 2_000_000]),
            down_bps: self.one(&[64_000, 1_000_000, 20_000_000]),
            loss_ppm: self.one(&[0, 10_000, 100_000, 300_000]),
            ..LinkSpec::wan()
        }
    }
}

/// The hub of a store, as the cast assigns it.
pub(crate) fn hub_of(fleet: &Fleet, store: u32) -> Who {
    let street = (store - 1) / fleet.neighbourhood.max(1);
    if fleet.hubs > 1 { Who::Hub(2 + street % (fleet.hubs - 1)) } else { Who::Hub(1) }
}

/// A day in 2099.
const IN_2099_MS: u64 = 4_080_000_000_000;
