//! Scenarios: each draws a plan from a seed. The same seed and the same wishes give the same plan.
//!
//! Swarm testing: a seed turns on its own subset of faults and its own time-outs and sizes, since what never happens together
//! with something else never meets it. [`work`] knows what people do, [`promises`] what is promised, [`orders`] what is ordered, [`tills`] what is priced and paid, [`clubs`] who has points and coupons, [`ward`] from which real places, [`weather`] how faults are drawn.

pub mod clubs;
pub mod orders;
pub mod promises;
pub mod tills;
mod ward;
pub mod weather;
pub mod work;

use std::sync::Arc;

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use stockroom_core::tuning::Tuning;

use crate::data::baskets::Baskets;
use crate::data::hours::HourlyShape;
use crate::data::links::Recording;
use crate::data::places::Places;
use crate::link::LinkSpec;
use crate::plan::{Action, DiskKind, Fault, Fleet, Plan, Step, TokenFate, Uplinks, Who};
use weather::Family;
use work::Load;

/// A scenario.
pub struct Scenario {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it is about.
    pub meaning: &'static str,
    /// Too large for a sweep over all scenarios.
    pub apart: bool,
    draw: fn(&mut Draw<'_>) -> Plan,
}

/// What the caller wants otherwise than the scenario would have it.
#[derive(Clone, Default)]
pub struct Wishes {
    /// Stores.
    pub stores: Option<u32>,
    /// Hubs.
    pub hubs: Option<u32>,
    /// Simulated days.
    pub days: Option<u32>,
    /// What nodes keep their rows on.
    pub disk: Option<DiskKind>,
    /// Baskets that tills ring up; the shipped sample otherwise.
    pub baskets: Option<Arc<Baskets>>,
    /// How a shop's load is spread over a week; an assumed shape otherwise.
    pub hours: Option<HourlyShape>,
    /// Links of stores, in turn; a fixed line otherwise.
    pub links: Vec<Arc<Recording>>,
    /// Real places and times of the orders of `pickup-rush`; drawn otherwise.
    pub places: Option<Arc<Places>>,
    /// A world of a few stores and hours, for sweeps.
    pub small: bool,
}

/// All scenarios.
pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "calm",
        meaning: "nothing goes wrong: what everything else is measured against",
        apart: false,
        draw: calm,
    },
    Scenario {
        name: "day",
        meaning: "a day in ten stores: real baskets, the hourly shape, a few of every ordinary fault",
        apart: false,
        draw: day,
    },
    Scenario {
        name: "outage",
        meaning: "the hub is away for hours while stores sell, receive and count",
        apart: false,
        draw: outage,
    },
    Scenario {
        name: "flapping",
        meaning: "links come and go, one way and both, thin and lossy",
        apart: false,
        draw: flapping,
    },
    Scenario {
        name: "crash",
        meaning: "processes die between any two effects, while they recover, and are suspended",
        apart: false,
        draw: crash,
    },
    Scenario {
        name: "power-cut",
        meaning: "the real database on a disk that tears: power cuts in commits, errors, a full disk, rot, lies",
        apart: false,
        draw: power_cut,
    },
    Scenario {
        name: "restore",
        meaning: "disks are set back with and without their tokens, wiped, swapped; hubs as well",
        apart: false,
        draw: restore,
    },
    Scenario { name: "clone", meaning: "a second process runs with a store's identity", apart: false, draw: clone },
    Scenario {
        name: "clock",
        meaning: "clocks drift, jump by years, start in 1970 and 2099, and go back over a day's end",
        apart: false,
        draw: clock,
    },
    Scenario {
        name: "hostile",
        meaning: "somebody holds a store's keys and says whatever an enrolled node can say",
        apart: false,
        draw: hostile,
    },
    Scenario {
        name: "storm",
        meaning: "all stores lose the hub, sell on, and come back at once",
        apart: false,
        draw: storm,
    },
    Scenario {
        name: "mesh",
        meaning: "most stores reach the hub only through a neighbour that carries their parcels",
        apart: false,
        draw: mesh,
    },
    Scenario {
        name: "rights",
        meaning: "goods are promised at hubs, stores and neighbours, sold from the shelf, and links are cut",
        apart: false,
        draw: promises::rights,
    },
    Scenario {
        name: "last-unit",
        meaning: "one unit is wanted in ten stores and on line at once, with links cut",
        apart: false,
        draw: promises::last_unit,
    },
    Scenario {
        name: "stocktake",
        meaning: "counts while selling and promising; goods vanish, and figures are wrong",
        apart: false,
        draw: promises::stocktake,
    },
    Scenario {
        name: "rights-restore",
        meaning: "whoever holds rights is set back, cloned, swapped and wiped, hubs as well",
        apart: false,
        draw: promises::rights_restore,
    },
    Scenario {
        name: "hub-failover",
        meaning: "a hub is away for long and comes back from an old image; a store's box is replaced",
        apart: false,
        draw: promises::hub_failover,
    },
    Scenario {
        name: "pickup-rush",
        meaning: "ten times the orders for six hours, and the hub away for two: how many are ready on time",
        apart: false,
        draw: orders::pickup_rush,
    },
    Scenario {
        name: "cancel-race",
        meaning: "customers cancel while shops that may be cut off pick and hand over, by code and by pass",
        apart: false,
        draw: orders::cancel_race,
    },
    Scenario {
        name: "double-route",
        meaning: "silent stores are passed over, and come back with what they did meanwhile; clocks of hubs jump",
        apart: false,
        draw: orders::double_route,
    },
    Scenario {
        name: "courier-chaos",
        meaning: "couriers refuse, get lost and come back; their reports come late, twice and in any order",
        apart: false,
        draw: orders::courier_chaos,
    },
    Scenario {
        name: "terminal-unknown",
        meaning: "payment terminals are silent, late or lose their answers, and nodes die while they are asked",
        apart: false,
        draw: tills::terminal_unknown,
    },
    Scenario {
        name: "price-change",
        meaning: "prices and promotions change while stores are cut off and customers look at what they were told",
        apart: false,
        draw: tills::price_change,
    },
    Scenario {
        name: "coupon-storm",
        meaning: "the same coupons are shown, and points of the same members spent, in many stores that are cut off",
        apart: false,
        draw: clubs::coupon_storm,
    },
    Scenario {
        name: "member-roams",
        meaning: "members are enrolled while stores are cut off, come to other stores, are joined and parted, and spend points everywhere",
        apart: false,
        draw: clubs::member_roams,
    },
    Scenario {
        name: "erase-during-sync",
        meaning: "members are forgotten while stores are cut off and what is said of them is on its way",
        apart: false,
        draw: clubs::erase_during_sync,
    },
    Scenario { name: "long", meaning: "60 days, with an outage now and then", apart: true, draw: long },
    Scenario {
        name: "scale",
        meaning: "1,000 stores under one hub, 2,000 sales each, one day",
        apart: true,
        draw: scale,
    },
];

/// Draws the plan of a scenario; `None` if there is none of that name.
pub fn draw(name: &str, seed: u64, wishes: &Wishes) -> Option<Plan> {
    let scenario = SCENARIOS.iter().find(|scenario| scenario.name == name)?;
    let mut draw = Draw { rng: ChaCha8Rng::seed_from_u64(seed), seed, wishes, name: scenario.name };
    let mut plan = (scenario.draw)(&mut draw);
    plan.steps.sort_by_key(|step| step.at_ms);
    Some(plan)
}

/// A seed's own scenario in a small world: what a sweep over all of them plays.
pub fn draw_any(seed: u64, wishes: &Wishes) -> Plan {
    let names: Vec<_> = SCENARIOS.iter().filter(|scenario| !scenario.apart).map(|scenario| scenario.name).collect();
    let name = names[(seed % names.len() as u64) as usize];
    let wishes = Wishes { small: true, ..wishes.clone() };
    draw(name, seed, &wishes).expect("the name is one of them")
}

/// A plan being drawn.
pub(crate) struct Draw<'w> {
    rng: ChaCha8Rng,
    seed: u64,
    wishes: &'w Wishes,
    name: &'static str,
}

impl Draw<'_> {
    /// A number from `low` to `high`, both included.
    pub(crate) fn from(&mut self, low: u64, high: u64) -> u64 {
        low + self.rng.next_u64() % (high - low + 1)
    }

    /// True with a chance of so many percent.
    pub(crate) fn chance(&mut self, percent: u64) -> bool {
        self.rng.next_u64() % 100 < percent
    }

    /// One of these.
    pub(crate) fn one<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.rng.next_u64() as usize % of.len()].clone()
    }

    /// A fleet: `stores` and `hubs` unless wished otherwise or small.
    fn fleet(&mut self, stores: u32, hubs: u32) -> Fleet {
        let small = self.wishes.small;
        let (few, levels) = (self.from(2, 5) as u32, if self.chance(25) { 3 } else { 1 });
        let street = self.from(1, 3) as u32;
        let disk = if small && self.chance(10) { DiskKind::Redb } else { DiskKind::Memory };
        let tuning = if small { self.tuning() } else { Tuning::default() };
        let wan = match self.from(0, 3) {
            0 if small => LinkSpec::thin(),
            1 if small => LinkSpec { jitter_us: 80_000, loss_ppm: 5_000, ..LinkSpec::wan() },
            _ => LinkSpec::wan(),
        };
        Fleet {
            stores: self.wishes.stores.unwrap_or(if small { few } else { stores }),
            hubs: self.wishes.hubs.unwrap_or(if small { levels } else { hubs }),
            neighbourhood: if small { street } else { 2 },
            uplinks: Uplinks::Every,
            disk: self.wishes.disk.unwrap_or(disk),
            tuning,
            wan,
            recordings: self.wishes.links.clone(),
            lan: LinkSpec::lan(),
            products: if small { 12 } else { 200 },
            hostile: 0,
        }
    }

    /// Time-outs and sizes of its own: tiny, usual, or long.
    fn tuning(&mut self) -> Tuning {
        let usual = Tuning::default();
        let mut scaled = |value: u64, low: u64| match self.from(0, 4) {
            0 => (value / 20).max(low),
            1 => (value / 3).max(low),
            2 => value * 3,
            _ => value,
        };
        Tuning {
            seal_after_ms: scaled(usual.seal_after_ms, 1),
            token_after_ms: scaled(usual.token_after_ms, 1),
            ack_after_ms: scaled(usual.ack_after_ms, 1),
            pulse_after_ms: scaled(usual.pulse_after_ms, 500),
            coalesce_ms: scaled(usual.coalesce_ms, 1),
            coalesce_rows: scaled(usual.coalesce_rows, 1),
            frame_bytes_goal: scaled(usual.frame_bytes_goal as u64, 2_000).min(60_000) as usize,
            run_bytes_goal: scaled(usual.run_bytes_goal as u64, 2_000).min(48 * 1024) as usize,
            account_inline_max: scaled(usual.account_inline_max as u64, 2) as usize,
            ..usual
        }
    }

    /// A plan with people at work and nothing wrong yet. `hours` is the length of the first phase.
    fn plan(&mut self, fleet: Fleet, hours: u64, load: Load) -> Plan {
        let safety_ms = self.wishes.days.map_or(hours * HOUR_MS, |days| u64::from(days) * 24 * HOUR_MS);
        let mut plan = Plan {
            scenario: self.name,
            seed: self.seed,
            fleet,
            steps: Vec::new(),
            safety_ms,
            liveness_ms: LIVENESS_MS,
            images: 0,
            scaling: String::new(),
            scarce: false,
            shopfloor: None,
            by_hand: Vec::new(),
        };
        self.work(&mut plan, load);
        plan
    }

    /// Hours of a small world, or of a large one.
    fn hours(&mut self, large: u64) -> u64 {
        if self.wishes.small { self.from(1, 3) } else { large }
    }

    /// A step.
    pub(crate) fn fault(plan: &mut Plan, at_ms: u64, fault: Fault) {
        plan.steps.push(Step { at_ms, action: Action::Fault(fault) });
    }
}

fn calm(draw: &mut Draw<'_>) -> Plan {
    let fleet = draw.fleet(10, 2);
    let hours = draw.hours(24);
    draw.plan(fleet, hours, Load::usual())
}

fn day(draw: &mut Draw<'_>) -> Plan {
    let fleet = draw.fleet(10, 2);
    let hours = draw.hours(24);
    let mut plan = draw.plan(fleet, hours, Load::usual());
    let count = draw.from(16, 40);
    draw.weather(&mut plan, &[Family::Network, Family::Network, Family::Process, Family::Clock], count);
    plan
}

fn outage(draw: &mut Draw<'_>) -> Plan {
    let fleet = draw.fleet(10, 2);
    let hours = draw.hours(24);
    let mut plan = draw.plan(fleet, hours, Load::usual());
    let hub = Who::Hub(draw.from(1, plan.fleet.hubs.into()) as u32);
    let from = draw.from(0, plan.safety_ms / 4);
    let long = draw.from(plan.safety_ms / 4, plan.safety_ms * 3 / 4);
    Draw::fault(&mut plan, from, Fault::Blackout(vec![hub], long));
    draw.weather(&mut plan, &[Family::Network, Family::Process], 4);
    plan
}

fn flapping(draw: &mut Draw<'_>) -> Plan {
    let fleet = draw.fleet(6, 1);
    let hours = draw.hours(8);
    let mut plan = draw.plan(fleet, hours, Load::usual());
    for store in 1..=plan.fleet.stores {
        let (at, times) = (draw.from(0, plan.safety_ms / 2), draw.from(3, 30) as u32);
        let period = draw.one(&[400, 5_000, 20_000, 45_000, 90_000]);
        let hub = weather::hub_of(&plan.fleet, store);
        Draw::fault(&mut plan, at, Fault::Flap(Who::Store(store), hub, times, period));
    }
    draw.weather(&mut plan, &[Family::Network], 10);
    plan
}

fn crash(draw: &mut Draw<'_>) -> Plan {
    let fleet = draw.fleet(6, 2);
    let hours = draw.hours(8);
    let mut plan = draw.plan(fleet, hours, Load::usual());
    let count = draw.from(10, 30);
    draw.weather(&mut plan, &[Family::Process], count);
    if draw.chance(30) {
        let (store, at) = (draw.from(1, plan.fleet.stores.into()) as u32, draw.from(0, plan.safety_ms));
        Draw::fault(&mut plan, at, Fault::Crash(Who::Store(store), None, crate::plan::NEVER));
    }
    plan
}

fn power_cut(draw: &mut Draw<'_>) -> Plan {
    let mut fleet = draw.fleet(4, 1);
    fleet.disk = draw.wishes.disk.unwrap_or(DiskKind::Redb);
    fleet.stores = fleet.stores.min(draw.wishes.stores.unwrap_or(3));
    let hours = draw.hours(2);
    let mut plan = draw.plan(fleet, hours, Load::light());
    let count = draw.from(6, 16);
    draw.weather(&mut plan, &[Family::Disk], count);
    plan.images = if draw.wishes.small { 84 } else { 500 };
    plan
}

fn restore(draw: &mut Draw<'_>) -> Plan {
    let fleet = draw.fleet(4, 1);
    let hours = draw.hours(6);
    let mut plan = draw.plan(fleet, hours, Load::usual());
    for _ in 0..draw.from(1, 5) {
        let (image, back) = (draw.from(0, plan.safety_ms / 2), draw.from(60_000, plan.safety_ms / 2));
        let who = draw.somebody(&plan.fleet);
        let fate = draw.one(&[TokenFate::Kept, TokenFate::SetBack, TokenFate::Lost]);
        Draw::fault(&mut plan, image, Fault::TakeImage(who));
        Draw::fault(&mut plan, image + back, Fault::Restore(who, fate));
    }
    if draw.chance(40) {
        let (who, at) = (Who::Store(draw.from(1, plan.fleet.stores.into()) as u32), draw.from(0, plan.safety_ms));
        Draw::fault(&mut plan, at, Fault::Wipe(who));
    }
    if draw.chance(40) {
        let at = draw.from(0, plan.safety_ms);
        Draw::fault(&mut plan, at, Fault::SwapDisks(Who::Store(1), Who::Store(2), 60_000));
    }
    let count = draw.from(0, 4);
    draw.weather(&mut plan, &[Family::Network, Family::Process], count);
    plan
}

fn clone(draw: &mut Draw<'_>) -> Plan {
    let fleet = draw.fleet(4, 1);
    let hours = draw.hours(4);
    let mut plan = draw.plan(fleet, hours, Load::usual());
    for _ in 0..draw.from(1, 3) {
        let (at, ms) = (draw.from(0, plan.safety_ms), draw.from(5_000, 1_800_000));
        let who = Who::Store(draw.from(1, plan.fleet.stores.into()) as u32);
        Draw::fault(&mut plan, at, Fault::Clone(who, ms));
    }
    let count = draw.from(0, 6);
    draw.weather(&mut plan, &[Family::Network, Family::Process], count);
    plan
}

fn clock(draw: &mut Draw<'_>) -> Plan {
    let fleet = draw.fleet(5, 2);
    let hours = draw.hours(30);
    let mut plan = draw.plan(fleet, hours, Load::light());
    let count = draw.from(4, 16);
    draw.weather(&mut plan, &[Family::Clock, Family::Clock, Family::Process, Family::Network], count);
    plan
}

fn hostile(draw: &mut Draw<'_>) -> Plan {
    let mut fleet = draw.fleet(4, 1);
    fleet.hostile = draw.from(1, 2) as u32;
    let hours = draw.hours(4);
    let mut plan = draw.plan(fleet, hours, Load::usual());
    let count = draw.from(4, 16);
    draw.weather(&mut plan, &[Family::Hostile, Family::Hostile, Family::Network, Family::Process], count);
    if draw.chance(50) {
        let at_ms = draw.from(plan.safety_ms / 4, plan.safety_ms);
        plan.steps.push(Step { at_ms, action: Action::FenceHostile });
    }
    plan
}

fn storm(draw: &mut Draw<'_>) -> Plan {
    let fleet = draw.fleet(30, 1);
    let hours = draw.hours(4);
    let mut plan = draw.plan(fleet, hours, Load::usual());
    let (at, away) = (plan.safety_ms / 4, draw.from(plan.safety_ms / 8, plan.safety_ms / 3));
    Draw::fault(&mut plan, at, Fault::ReconnectStorm(away));
    plan
}

fn mesh(draw: &mut Draw<'_>) -> Plan {
    let mut fleet = draw.fleet(6, 1);
    fleet.neighbourhood = draw.from(2, 3) as u32;
    fleet.uplinks = Uplinks::FirstOfNeighbourhood;
    let hours = draw.hours(6);
    let mut plan = draw.plan(fleet, hours, Load::light());
    let count = draw.from(0, 8);
    draw.weather(&mut plan, &[Family::Network, Family::Process], count);
    plan.liveness_ms = 2 * LIVENESS_MS;
    plan
}

fn long(draw: &mut Draw<'_>) -> Plan {
    let mut fleet = draw.fleet(3, 1);
    fleet.tuning.pulse_after_ms = 60_000;
    let mut plan = draw.plan(fleet, 60 * 24, Load { per_day: 120, ..Load::usual() });
    let count = 4 * plan.safety_ms / (24 * HOUR_MS);
    draw.weather(&mut plan, &[Family::Network, Family::Process, Family::Clock], count);
    for day in 0..plan.safety_ms / (24 * HOUR_MS) {
        // Shops switch the box off at night: a planned closing, not an outage.
        Draw::fault(&mut plan, day * 24 * HOUR_MS + 14 * HOUR_MS, Fault::SwitchOff(Who::Store(1), 9 * HOUR_MS));
    }
    plan
}

fn scale(draw: &mut Draw<'_>) -> Plan {
    let mut fleet = draw.fleet(1_000, 1);
    fleet.neighbourhood = 1;
    // Stores on metered links: they send every two minutes, and say once a minute that they are there.
    fleet.tuning.pulse_after_ms = 60_000;
    fleet.tuning.coalesce_ms = METERED_MS;
    fleet.tuning.ack_after_ms = METERED_MS;
    fleet.tuning.seal_after_ms = METERED_MS;
    let mut plan = draw.plan(fleet, 24, Load { per_day: 2_000, lines_max: 3, stocked: false });
    plan.scaling.push_str("; stores seal, send and acknowledge every 120 s");
    plan
}

pub(crate) const HOUR_MS: u64 = 3_600_000;

/// How long stores on metered links gather what they send.
const METERED_MS: u64 = 120_000;

/// How long the healthy core may take to come together.
const LIVENESS_MS: u64 = 900_000;
