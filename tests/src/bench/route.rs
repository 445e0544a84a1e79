//! Which stores serve an order: how long the decision takes, and how far the plans of a batch are from the best there are.
//!
//! The best is a flow of least cost (network simplex of the LEMON library): every order wants one unit, so a batch is a flow from orders
//! through the rights of stores and what they take on in a day. `STOCKROOM_STORES` names a CSV file, not compressed, with columns `lat` and
//! `lng` of real shops; without it shops are strewn over towns.

use std::collections::BTreeMap;
use std::time::Duration;

use stockroom_core::policy::route::batch::plan_batch;
use stockroom_core::policy::route::place::{Place, Places};
use stockroom_core::policy::route::plan::{Plan, Verdict};
use stockroom_core::policy::route::{Candidate, Line, Order, Stock, Terms, plan};
use stockroom_crdt::control::Coordinates;
use stockroom_crdt::ids::{Code, StoreId};
use stockroom_crdt::money::Unit;
use stockroom_crdt::order::rules::RoutingRules;
use stockroom_crdt::order::rules::limits::OrderLimits;
use stockroom_crdt::product::Channel;

use super::{Benchmark, Effort, Report, fastest, time};

/// See the module.
pub const BENCHMARK: Benchmark =
    Benchmark { name: "route", about: "time to route an order, cost of a batch against the best flow", run };

fn run(effort: Effort) -> Report {
    let mut report = Report::new("route");
    let places = shops(&mut report);
    let index = Places::of(places.iter().enumerate().map(|(n, place)| (StoreId(n as u32 + 1), *place)));
    report.note(format!(
        "{} shops; orders of 5 lines, 1,000 candidates, each the fastest of 3; batches of 200 orders of one unit each",
        index.count()
    ));
    for (case, percent) in
        [("each line in 90% of stores", 90), ("each line in 30% of stores", 30), ("each line in 3% of stores", 3)]
    {
        speed(&mut report, (case, percent), (&places, &index), effort.pick(1_000, 50));
    }
    for (case, held, parts) in [("plenty", 4, 6), ("tight", 2, 2), ("half too few", 1, 1)] {
        batches(&mut report, (case, held, parts), (&places, &index), effort.pick(20, 2));
    }
    report
}

/// One order at a time among 1,000 candidates.
fn speed(report: &mut Report, (case, percent): (&str, u64), (places, index): (&[Place], &Places), orders: usize) {
    let mut dice = Dice(percent);
    let (mut near, mut planned, mut parts, mut proven) = (Vec::new(), Vec::new(), 0, 0);
    for _ in 0..orders {
        let place = places[dice.below(places.len() as u64) as usize];
        let (took, found) = time(|| index.near(&place, 1_000, |_| true));
        near.push(took);
        let stores: Vec<(StoreId, Vec<Stock>)> = found
            .into_iter()
            .map(|(store, _)| (store, (0..5).filter_map(|goods| dice.stock(goods, percent, 3)).collect()))
            .collect();
        let world = World { places, stores, parts: None };
        let order = order(place, 5, &mut dice);
        planned.push(fastest(3, || time(|| world.plan(&order)).0));
        let plan = world.plan(&order);
        parts += plan.parts.len();
        proven += usize::from(plan.is_best);
    }
    let case = format!("{case}, {:.1} parts each", parts as f64 / orders as f64);
    report.add("stockroom", &case, "p50 us, plan", at(&mut planned, 0.5));
    report.add_at_most("stockroom", &case, "p99 us, plan", at(&mut planned, 0.99), 1_000.0);
    report.add("stockroom", &case, "plans proven best, %", 100.0 * proven as f64 / orders as f64);
    report.add("stockroom", &case, "p50 us, nearest 1,000 of all", at(&mut near, 0.5));
}

/// Batches that share rights and capacity, planned together and one by one, against the flow of least cost.
fn batches(
    report: &mut Report,
    (case, held, parts): (&str, u64, u32),
    (places, index): (&[Place], &Places),
    worlds: usize,
) {
    let (mut took, mut together, mut alone, mut unserved) = (Vec::new(), Vec::new(), Vec::new(), [0; 3]);
    for seed in 0..worlds {
        let mut dice = Dice(seed as u64 * 1_000 + held);
        let centre = places[dice.below(places.len() as u64) as usize];
        let near = index.near(&centre, 100, |_| true);
        let stock = |dice: &mut Dice| (0..8).filter_map(|goods| dice.stock(goods, 50, held)).collect();
        let stores = near.iter().map(|(store, _)| (*store, stock(&mut dice))).collect();
        let world = World { places, stores, parts: Some(parts) };
        let orders: Vec<Order> = (0..200)
            .map(|_| {
                let (store, _) = near[dice.below(near.len() as u64) as usize];
                let mut order = order(places[store.0 as usize - 1], 8, &mut dice);
                let goods = dice.below(8) as usize;
                // The flow does not ask whose order is left out, so they are all worth the same.
                order.lines = vec![Line { quantity: 1, value: 1_000, ..order.lines[goods] }];
                order
            })
            .collect();
        let (time, plans) = time(|| world.plan_all(&orders));
        took.push(time);
        let best = world.flow(&orders);
        let ours = sum(&plans);
        let sequence = sum(&world.plan_each(&orders));
        together.push(ratio(ours, best));
        alone.push(ratio(sequence, best));
        for (all, one) in unserved.iter_mut().zip([ours.0, sequence.0, best.0]) {
            *all += one;
        }
    }
    let mean = |ratios: &[f64]| ratios.iter().sum::<f64>() / ratios.len() as f64;
    let worst = |ratios: &[f64]| ratios.iter().copied().fold(0.0, f64::max);
    let case = format!("{case}: {held} held, {parts} orders a store");
    report.add("together", &case, "mean cost, best flow = 1", mean(&together));
    report.add("one by one", &case, "mean cost, best flow = 1", mean(&alone));
    report.add_at_most("together", &case, "worst cost, best flow = 1", worst(&together), 1.02);
    report.add("one by one", &case, "worst cost, best flow = 1", worst(&alone));
    for (subject, count) in ["together", "one by one", "best flow"].into_iter().zip(unserved) {
        report.add(subject, &case, "orders of 200 not served", count as f64 / worlds as f64);
    }
    report.add("together", &case, "p50 ms a batch", at(&mut took, 0.5) / 1_000.0);
}

/// What is held where.
struct World<'a> {
    places: &'a [Place],
    stores: Vec<(StoreId, Vec<Stock>)>,
    parts: Option<u32>,
}

impl World<'_> {
    fn with<T>(&self, use_them: impl FnOnce(&[Candidate<'_>], &Terms<'_>) -> T) -> T {
        let (none, rules, limits) = (Code::default(), RoutingRules::default(), OrderLimits::default());
        let mut candidates: Vec<Candidate<'_>> = Vec::with_capacity(self.stores.len());
        for (store, stock) in &self.stores {
            candidates.push(Candidate {
                store: *store,
                group: &none,
                entity: &none,
                place: Some(self.places[store.0 as usize - 1]),
                service: None,
                offset_min: 0,
                parts_per_day: None,
                parts_left: self.parts,
                heard_ms: NOW_MS - u64::from(store.0) % 60 * 60_000,
                stock,
            });
        }
        use_them(&candidates, &Terms { rules: &rules, limits: &limits, now_ms: NOW_MS })
    }

    fn plan(&self, order: &Order) -> Plan {
        self.with(|candidates, terms| plan(order, candidates, terms))
    }

    fn plan_all(&self, orders: &[Order]) -> Vec<Plan> {
        self.with(|candidates, terms| plan_batch(orders, candidates, terms))
    }

    /// Each order as if it were the last.
    fn plan_each(&self, orders: &[Order]) -> Vec<Plan> {
        let mut stores = self.stores.clone();
        let mut parts: Vec<u32> = vec![self.parts.unwrap_or(u32::MAX); stores.len()];
        let mut plans = Vec::new();
        for order in orders {
            let open: Vec<_> = (0..stores.len()).filter(|at| parts[*at] > 0).collect();
            let rest = open.iter().map(|at| stores[*at].clone()).collect();
            let plan = World { places: self.places, stores: rest, parts: self.parts }.plan(order);
            for part in &plan.parts {
                let at = stores.iter().position(|(store, _)| *store == part.store).expect("it was a candidate");
                parts[at] -= 1;
                for line in &part.lines {
                    let stock = stores[at].1.iter_mut().find(|stock| stock.goods == line.goods);
                    stock.expect("it gave what it had").held -= line.hard;
                }
            }
            plans.push(plan);
        }
        plans
    }

    /// Orders that cannot be served, and the least cost of the rest, thousandths of a point.
    fn flow(&self, orders: &[Order]) -> (usize, i64) {
        let mut flow = Flow::default();
        for (at, order) in orders.iter().enumerate() {
            flow.edge(Spot::Source, Spot::Order(at), (1, 0));
            flow.edge(Spot::Order(at), Spot::Sink, (1, i64::from(UNSERVED) * 10));
            let goods = order.lines[0].goods;
            for judged in self.plan(order).candidates {
                if matches!(judged.verdict, Verdict::Chosen | Verdict::Dearer { .. }) {
                    let cost = judged.score.points.total();
                    flow.edge(Spot::Order(at), Spot::Right(judged.store, goods), (1, cost));
                }
            }
        }
        for (store, stock) in &self.stores {
            for it in stock {
                flow.edge(Spot::Right(*store, it.goods), Spot::Store(*store), (it.held as i64, 0));
            }
            flow.edge(Spot::Store(*store), Spot::Sink, (self.parts.map_or(i64::MAX, i64::from), 0));
        }
        let all = flow.cheapest();
        let unserved = flow.used(|from, to| matches!(from, Spot::Order(_)) && to == Spot::Sink) as usize;
        (unserved, all - unserved as i64 * i64::from(UNSERVED) * 10)
    }
}

/// A minimum-cost flow by shortest augmenting paths: slow, exact, and nothing but the textbook (Ahuja, Magnanti, Orlin, section 9.7).
#[derive(Default)]
struct Flow {
    spots: BTreeMap<Spot, usize>,
    /// Edges out of each spot, by their numbers; an edge and its way back have numbers that differ in the last bit.
    out: Vec<Vec<usize>>,
    /// From, to, what is left of it, and what a unit costs.
    edges: Vec<(usize, usize, i64, i64)>,
}

impl Flow {
    fn spot(&mut self, spot: Spot) -> usize {
        let next = self.out.len();
        let number = *self.spots.entry(spot).or_insert(next);
        if number == next {
            self.out.push(Vec::new());
        }
        number
    }

    fn edge(&mut self, from: Spot, to: Spot, (capacity, cost): (i64, i64)) {
        let (from, to) = (self.spot(from), self.spot(to));
        for (from, to, capacity, cost) in [(from, to, capacity, cost), (to, from, 0, -cost)] {
            self.out[from].push(self.edges.len());
            self.edges.push((from, to, capacity, cost));
        }
    }

    /// Sends as much as fits, each unit the cheapest way that is left; gives what all of it costs.
    fn cheapest(&mut self) -> i64 {
        let (source, sink) = (self.spot(Spot::Source), self.spot(Spot::Sink));
        let mut sum = 0;
        while let Some((cost, by)) = self.shortest(source, sink) {
            let mut spot = sink;
            while spot != source {
                let edge = by[spot].expect("the way leads back to the source");
                self.edges[edge].2 -= 1;
                self.edges[edge ^ 1].2 = self.edges[edge ^ 1].2.saturating_add(1);
                spot = self.edges[edge].0;
            }
            sum += cost;
        }
        sum
    }

    /// The cheapest way with room, and by which edge each spot on it is reached.
    fn shortest(&self, source: usize, sink: usize) -> Option<(i64, Vec<Option<usize>>)> {
        let mut cost = vec![i64::MAX; self.out.len()];
        let mut by = vec![None; self.out.len()];
        let mut waits = vec![false; self.out.len()];
        let mut queue = std::collections::VecDeque::from([source]);
        cost[source] = 0;
        while let Some(spot) = queue.pop_front() {
            waits[spot] = false;
            for &edge in &self.out[spot] {
                let (_, to, left, price) = self.edges[edge];
                if left > 0 && cost[spot] + price < cost[to] {
                    (cost[to], by[to]) = (cost[spot] + price, Some(edge));
                    if !std::mem::replace(&mut waits[to], true) {
                        queue.push_back(to);
                    }
                }
            }
        }
        (cost[sink] < i64::MAX).then(|| (cost[sink], by))
    }

    /// Units that went over edges of a kind.
    fn used(&self, kind: impl Fn(Spot, Spot) -> bool) -> i64 {
        let names: BTreeMap<usize, Spot> = self.spots.iter().map(|(spot, number)| (*number, *spot)).collect();
        let forth = self.edges.chunks(2).filter(|pair| kind(names[&pair[0].0], names[&pair[0].1]));
        forth.map(|pair| pair[1].2).sum()
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Spot {
    Source,
    Sink,
    Order(usize),
    Right(StoreId, u32),
    Store(StoreId),
}

fn order(place: Place, lines: u32, dice: &mut Dice) -> Order {
    let line = |goods| Line {
        goods,
        unit: Unit::Each,
        quantity: 1 + dice.below(2),
        value: 500 + dice.below(3_000) as i64,
        weight_g: 100 + dice.below(2_000),
    };
    Order {
        channel: Channel::Delivery,
        entity: Code::default(),
        place: Some(place),
        chosen: Vec::new(),
        promised_ms: NOW_MS + 3_600_000,
        travel_ms: BTreeMap::new(),
        lines: (0..lines).map(line).collect(),
    }
}

/// How many orders have nothing, and what the rest cost, thousandths of a point.
fn sum(plans: &[Plan]) -> (usize, i64) {
    let unserved = plans.iter().filter(|plan| plan.parts.is_empty()).count();
    (unserved, plans.iter().map(|plan| plan.cost).sum())
}

/// Costs in proportion; whoever serves fewer orders pays for each as much as for the dearest in the flow.
fn ratio(ours: (usize, i64), best: (usize, i64)) -> f64 {
    let all = |(unserved, cost): (usize, i64)| cost as f64 + (unserved - best.0) as f64 * f64::from(UNSERVED) * 10.0;
    all(ours) / all(best)
}

fn at(times: &mut [Duration], share: f64) -> f64 {
    times.sort_unstable();
    times[((times.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e6
}

/// Where shops are: real ones if somebody says where the file is.
fn shops(report: &mut Report) -> Vec<Place> {
    let Some(path) = std::env::var_os("STOCKROOM_STORES") else {
        report.note("STOCKROOM_STORES names no file: shops are strewn over 200 towns");
        let mut dice = Dice(1);
        let mut town = (0, 0);
        let shop = |n: u64| {
            if n.is_multiple_of(150) {
                town = (36_000_000 + dice.below(8_000_000) as i32, 130_000_000 + dice.below(10_000_000) as i32);
            }
            let off = |dice: &mut Dice| (dice.below(150_000) + dice.below(150_000)) as i32;
            Coordinates::new(town.0 + off(&mut dice), town.1 + off(&mut dice)).map(Place::of)
        };
        return (0..30_000).filter_map(shop).collect();
    };
    let mut rows = csv::Reader::from_path(&path).expect("STOCKROOM_STORES names a CSV file");
    let header = rows.headers().expect("it has a header line").clone();
    let column = |name: &str| header.iter().position(|it| it == name).expect("it has columns lat and lng");
    let (lat, lng) = (column("lat"), column("lng"));
    let place = |row: csv::StringRecord| {
        let millionths = |at: usize| row.get(at)?.parse::<f64>().ok().map(|degrees| (degrees * 1e6).round() as i32);
        Coordinates::new(millionths(lat)?, millionths(lng)?).map(Place::of)
    };
    rows.records().filter_map(Result::ok).filter_map(place).collect()
}

/// Numbers for a world (SplitMix64, Steele and others, "Fast splittable pseudorandom number generators", 2014).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ mixed >> 31) % bound
    }

    /// Goods of a store that has them with a chance of `percent`.
    fn stock(&mut self, goods: u32, percent: u64, held_max: u64) -> Option<Stock> {
        let has = self.below(100) < percent;
        let held = 1 + self.below(held_max);
        let shelf_ppm = self.below(50_000) as u32;
        has.then_some(Stock { goods, held, soft: 0, soft_ppm: 0, shelf_ppm })
    }
}

/// A Wednesday in 2026.
const NOW_MS: u64 = 1_795_000_000_000;

/// What an order costs the flow that is not served, hundredths of a point: more than any that is, and 200 of them fit 31 bits.
const UNSERVED: i32 = 5_000_000;
