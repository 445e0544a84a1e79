//! What routing must keep, on worlds small enough to try every plan.

use stockroom_crdt::control::Coordinates;
use stockroom_crdt::order::rules::hours::Span;
use stockroom_crdt::order::rules::{Boundary, Filter, Weights};

use super::plan::{Score, Why};
use super::*;

pub(super) const NOON: u64 = 20_000 * 86_400_000 + 43_200_000;

/// A store with all that a candidate only borrows.
#[derive(Clone, Debug)]
pub(super) struct Shop {
    store: u32,
    metres: i32,
    group: Code,
    entity: Code,
    service: Option<StoreService>,
    parts_left: Option<u32>,
    heard_ms: u64,
    pub(super) stock: Vec<Stock>,
}

impl Shop {
    /// A store so many metres east of the customer that holds so many of goods 0, 1, 2, ...
    pub(super) fn new(store: u32, metres: i32, held: &[u64]) -> Self {
        let stock = |(goods, held): (usize, &u64)| Stock { goods: goods as u32, held: *held, ..Stock::default() };
        Self {
            store,
            metres,
            group: Code::default(),
            entity: Code::default(),
            service: None,
            parts_left: None,
            heard_ms: NOON,
            stock: held.iter().enumerate().map(stock).collect(),
        }
    }

    pub(super) fn candidate(&self) -> Candidate<'_> {
        Candidate {
            store: StoreId(self.store),
            group: &self.group,
            entity: &self.entity,
            place: Some(east(self.metres)),
            service: self.service.as_ref(),
            offset_min: 0,
            parts_per_day: self.parts_left.map(|_| 10),
            parts_left: self.parts_left,
            heard_ms: self.heard_ms,
            stock: &self.stock,
        }
    }
}

/// A point on the equator.
fn east(metres: i32) -> Place {
    Place::of(Coordinates::new(0, (f64::from(metres) / 0.111_195).round() as i32).unwrap())
}

pub(super) fn order(quantities: &[u64]) -> Order {
    let line = |(goods, quantity): (usize, &u64)| Line {
        goods: goods as u32,
        unit: Unit::Each,
        quantity: *quantity,
        value: 1_000 * *quantity as i64,
        weight_g: 0,
    };
    Order {
        channel: Channel::Delivery,
        entity: Code::default(),
        place: Some(east(0)),
        chosen: Vec::new(),
        promised_ms: NOON + 86_400_000,
        travel_ms: BTreeMap::new(),
        lines: quantities.iter().enumerate().map(line).collect(),
    }
}

pub(super) fn code(text: &str) -> Code {
    Code::parse(text).unwrap()
}

/// One set without a filter.
pub(super) fn rules() -> RoutingRules {
    let set = RuleSet { name: code("all"), filter: Filter::default(), weights: Weights::default() };
    RoutingRules { sets: vec![set], split_value_min: 0, ..RoutingRules::default() }
}

fn planned(order: &Order, shops: &[Shop], rules: &RoutingRules) -> Plan {
    let candidates: Vec<_> = shops.iter().map(Shop::candidate).collect();
    plan(order, &candidates, &Terms { rules, limits: &OrderLimits::default(), now_ms: NOON })
}

fn stores(plan: &Plan) -> Vec<u32> {
    plan.parts.iter().map(|part| part.store.0).collect()
}

fn verdict(plan: &Plan, store: u32) -> Verdict {
    plan.candidates.iter().find(|judged| judged.store.0 == store).expect("every candidate is judged").verdict
}

/// Numbers for a world (SplitMix64, Steele and others, "Fast splittable pseudorandom number generators", 2014).
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ mixed >> 31) % bound
    }
}

fn world(seed: u64) -> (Order, Vec<Shop>, RoutingRules) {
    let mut dice = Dice(seed);
    let lines = 1 + dice.below(3) as usize;
    let quantities: Vec<u64> = (0..lines).map(|_| 1 + dice.below(3)).collect();
    let shop = |store: u32, dice: &mut Dice| {
        let mut shop = Shop::new(store, dice.below(60_000) as i32, &vec![0; lines]);
        for stock in &mut shop.stock {
            stock.held = dice.below(4);
            stock.shelf_ppm = dice.below(300_000) as u32;
            stock.soft = dice.below(3);
            stock.soft_ppm = dice.below(300_000) as u32;
        }
        shop
    };
    let shops = (1..=2 + dice.below(4) as u32).map(|store| shop(store, &mut dice)).collect();
    let mut rules = rules();
    rules.parts_max = 1 + dice.below(4) as u8;
    rules.sets[0].filter.soft_ppm_max = [0, 150_000, 1_000_000][dice.below(3) as usize];
    rules.sets[0].weights.split = [0, 100, 500][dice.below(3) as usize];
    rules.sets[0].weights.distance = [0, 20, 40][dice.below(3) as usize];
    (order(&quantities), shops, rules)
}

/// What the best plan misses, in shares of lines weighed by value, and what it costs: every set of stores and every division tried.
fn brute_force(order: &Order, shops: &[Shop], rules: &RoutingRules) -> (u64, i64) {
    let set = &rules.sets[0];
    let nobody: u64 = order.lines.iter().map(|line| (line.value as u64 + 1) * 1_000).sum();
    let mut best = (nobody, 0);
    for members in 1u32..1 << shops.len() {
        if members.count_ones() > rules.parts_max.into() {
            continue;
        }
        let members: Vec<_> =
            shops.iter().enumerate().filter(|(at, _)| members >> at & 1 == 1).map(|it| it.1).collect();
        let metres = |shop: &Shop| i64::from(east(0).metres_to(&east(shop.metres)));
        let ways: i64 = members.iter().map(|shop| metres(shop) * i64::from(set.weights.distance)).sum();
        let splits = (members.len() as i64 - 1) * i64::from(set.weights.split) * 1_000;
        let (mut missing, mut cost) = (0, ways + splits);
        for (at, line) in order.lines.iter().enumerate() {
            // One portion per unit, of whatever store and sort.
            let mut units: Vec<i64> = Vec::new();
            for shop in &members {
                let stock = &shop.stock[at];
                let cost = |ppm: u32| i64::from(ppm.min(1_000_000)) * i64::from(set.weights.risk) / 1_000;
                units.extend((0..stock.held.min(line.quantity)).map(|_| cost(stock.shelf_ppm)));
                let allowed = set.filter.soft_ppm_max > 0 && stock.soft_ppm <= set.filter.soft_ppm_max;
                let soft = if allowed { stock.soft.min(line.quantity) } else { 0 };
                units.extend((0..soft).map(|_| cost(stock.shelf_ppm + stock.soft_ppm)));
            }
            let wanted = (line.quantity as usize).min(units.len());
            let every = (0u32..1 << units.len()).filter(|chosen| chosen.count_ones() as usize == wanted);
            let sum =
                |chosen: u32| (0..units.len()).filter(|at| chosen >> at & 1 == 1).map(|at| units[at]).sum::<i64>();
            cost += every.map(sum).min().unwrap_or(0) / line.quantity as i64;
            missing += (line.quantity - wanted as u64) * (line.value as u64 + 1) * 1_000 / line.quantity;
        }
        best = best.min((missing, cost));
    }
    best
}

#[test]
fn no_other_plan_is_better() {
    let mut split = 0;
    for seed in 0..400 {
        let (order, shops, rules) = world(seed);
        let plan = planned(&order, &shops, &rules);
        let (missing, cost) = brute_force(&order, &shops, &rules);
        let short: u64 = plan
            .missing
            .iter()
            .map(|(goods, units)| {
                let line = &order.lines[*goods as usize];
                units * (line.value as u64 + 1) * 1_000 / line.quantity
            })
            .sum();
        assert!(plan.is_best, "seed {seed}");
        assert!(
            short.abs_diff(missing) <= 3,
            "seed {seed}: {short} missing, could be {missing}\n{order:?}\n{shops:#?}\n{plan:#?}"
        );
        assert!(plan.cost - cost <= 16, "seed {seed}: costs {}, could be {cost}\n{plan:#?}", plan.cost);
        assert!(cost - plan.cost <= 16, "seed {seed}: costs {}, and that is less than is possible", plan.cost);
        let parts: i64 = plan.parts.iter().map(|part| part.score.points.total()).sum();
        assert!((parts + plan.split_cost - plan.cost).abs() <= 32, "seed {seed}: the scores do not add up");
        split += usize::from(plan.parts.len() > 1);
    }
    assert!(split > 50, "only {split} worlds needed a split");
}

#[test]
fn nobody_gives_more_than_is_held_and_everybody_is_explained() {
    for seed in 0..400 {
        let (order, shops, mut rules) = world(seed);
        rules.safety_pieces = (seed % 3) as u32;
        let plan = planned(&order, &shops, &rules);
        let mut given: BTreeMap<u32, u64> = BTreeMap::new();
        for part in &plan.parts {
            let shop = shops.iter().find(|shop| shop.store == part.store.0).unwrap();
            for line in &part.lines {
                let stock = &shop.stock[line.goods as usize];
                assert!(line.hard <= stock.held.saturating_sub(u64::from(rules.safety_pieces)), "seed {seed}");
                assert!(line.soft <= stock.soft, "seed {seed}");
                assert!(line.soft == 0 || stock.soft_ppm <= rules.sets[0].filter.soft_ppm_max, "seed {seed}");
                *given.entry(line.goods).or_default() += line.hard + line.soft;
            }
        }
        for line in &order.lines {
            let missing = plan.missing.iter().find(|(goods, _)| *goods == line.goods).map_or(0, |(_, units)| *units);
            assert_eq!(given.get(&line.goods).unwrap_or(&0) + missing, line.quantity, "seed {seed}");
        }
        assert!(plan.parts.len() <= usize::from(rules.parts_max), "seed {seed}");
        let mut judged: Vec<u32> = plan.candidates.iter().map(|judged| judged.store.0).collect();
        judged.sort_unstable();
        assert_eq!(judged, shops.iter().map(|shop| shop.store).collect::<Vec<_>>(), "seed {seed}");
        assert!(plan.candidates.iter().all(|it| it.to_string().starts_with(&format!("store {}: ", it.store.0))));
    }
}

#[test]
fn the_order_of_the_candidates_changes_nothing() {
    for seed in 0..200 {
        let (order, mut shops, rules) = world(seed);
        if seed % 2 == 0 {
            // Twins, so that there are ties.
            shops
                .iter_mut()
                .for_each(|shop| (shop.metres, shop.stock) = (5_000, vec![Stock { held: 1, ..Stock::default() }]));
        }
        let plan = planned(&order, &shops, &rules);
        shops.reverse();
        assert_eq!(planned(&order, &shops, &rules), plan, "seed {seed}");
        let middle = shops.len() / 2;
        shops.rotate_left(middle);
        assert_eq!(planned(&order, &shops, &rules), plan, "seed {seed}");
    }
}

#[test]
fn the_whole_order_is_looked_at_and_not_each_line() {
    // The nearest store of each line is another one; a third is farther and has both.
    let shops = [Shop::new(1, 1_000, &[1, 0]), Shop::new(2, 2_000, &[0, 1]), Shop::new(3, 9_000, &[1, 1])];
    let plan = planned(&order(&[1, 1]), &shops, &rules());
    assert_eq!(stores(&plan), [3]);
    assert_eq!(verdict(&plan, 1), Verdict::Lacks { lines: 1, of: 2 });
    let mut cheap_split = rules();
    cheap_split.sets[0].weights.split = 10;
    assert_eq!(stores(&planned(&order(&[1, 1]), &shops, &cheap_split)), [1, 2]);
}

#[test]
fn a_split_into_small_parts_is_made_only_where_nothing_else_serves() {
    let mut rules = rules();
    rules.sets[0].weights.split = 0;
    rules.split_value_min = 1_500;
    let near = [Shop::new(1, 1_000, &[1, 0]), Shop::new(2, 1_000, &[0, 1])];
    let mut with_far = near.to_vec();
    with_far.push(Shop::new(3, 90_000, &[1, 1]));
    let plan = planned(&order(&[1, 1]), &with_far, &rules);
    assert_eq!((stores(&plan), plan.cheap_parts), (vec![3], 0));
    let plan = planned(&order(&[1, 1]), &near, &rules);
    assert_eq!((stores(&plan), plan.cheap_parts), (vec![1, 2], 2));
    rules.parts_max = 1;
    let plan = planned(&order(&[1, 1]), &near, &rules);
    assert_eq!((stores(&plan), plan.missing), (vec![1], vec![(1, 1)]));
    rules.split_value_min = 1_000;
    rules.parts_max = 2;
    assert_eq!(stores(&planned(&order(&[1, 1]), &with_far, &rules)), [1, 2]);
}

#[test]
fn boundaries_between_legal_entities_are_kept() {
    let foreign = Shop { entity: code("Franchise"), ..Shop::new(1, 1_000, &[1, 1]) };
    let shops = [foreign, Shop::new(2, 30_000, &[1, 0])];
    let with = |boundary| RoutingRules { boundary, ..rules() };
    assert_eq!(stores(&planned(&order(&[1]), &shops, &with(Boundary::Free))), [1]);
    let plan = planned(&order(&[1]), &shops, &with(Boundary::LastResort));
    assert_eq!((stores(&plan), verdict(&plan, 1)), (vec![2], Verdict::Out(Why::OtherEntity)));
    assert_eq!(stores(&planned(&order(&[1, 1]), &shops, &with(Boundary::LastResort))), [1]);
    let plan = planned(&order(&[1, 1]), &shops, &with(Boundary::Never));
    assert_eq!((stores(&plan), plan.missing), (vec![2], vec![(1, 1)]));
}

#[test]
fn a_store_that_is_full_or_closed_or_silent_or_far_is_left_out_with_the_reason() {
    let full = Shop { parts_left: Some(0), ..Shop::new(1, 100, &[1]) };
    let closed = StoreService { week: Default::default(), ..StoreService::always_open(StoreId(2)) };
    let closed = Shop { service: Some(closed), ..Shop::new(2, 100, &[1]) };
    let silent = Shop { heard_ms: NOON - 3_600_000, ..Shop::new(3, 100, &[1]) };
    let grouped = Shop { group: code("south"), ..Shop::new(5, 40_000, &[1]) };
    let shops = [full, closed, silent, Shop::new(4, 50_000, &[1]), grouped, Shop::new(6, 100, &[0])];
    let mut rules = rules();
    rules.sets[0].filter =
        Filter { metres_max: Some(45_000), age_ms_max: Some(60_000), group: code("south"), ..Filter::default() };
    let shops = shops.map(|shop| Shop { group: if shop.store == 7 { Code::default() } else { code("south") }, ..shop });
    let plan = planned(&order(&[1]), &shops, &rules);
    assert_eq!(stores(&plan), [5]);
    assert_eq!(verdict(&plan, 1), Verdict::Out(Why::Full));
    assert_eq!(verdict(&plan, 2), Verdict::Out(Why::Closed));
    assert_eq!(verdict(&plan, 3), Verdict::Out(Why::Silent { age_ms: 3_600_000 }));
    assert_eq!(verdict(&plan, 4), Verdict::Out(Why::TooFar { metres: 50_000 }));
    assert_eq!(verdict(&plan, 6), Verdict::Out(Why::NothingHeld));
    rules.sets[0].filter = Filter { rings_max: Some(3), ..Filter::default() };
    let plan = planned(&order(&[1]), &shops, &rules);
    assert_eq!((stores(&plan), verdict(&plan, 4)), (vec![3], Verdict::Out(Why::OutsideRings)));
    let judged = plan.candidates.iter().find(|judged| judged.store == StoreId(4)).unwrap();
    assert_eq!(judged.to_string(), "store 4: outside the rings of cells that are allowed");
}

#[test]
fn a_store_that_opens_too_late_costs_its_lateness() {
    // It is noon on a Saturday; the near one is open again on Monday at 9.
    let mut service = StoreService::always_open(StoreId(1));
    let day = vec![Span { from: 540, until: 1_080 }];
    service.week = std::array::from_fn(|weekday| if weekday < 5 { day.clone() } else { vec![] });
    let weekend = NOON.div_euclid(86_400_000) + 3;
    let days = |weekday: u64| (weekday + 7 - weekend % 7) % 7 * 86_400_000;
    let saturday = NOON + days(5);
    let near = Shop { service: Some(service), heard_ms: saturday, ..Shop::new(1, 500, &[1]) };
    let shops = [near, Shop { heard_ms: saturday, ..Shop::new(2, 20_000, &[1]) }];
    let candidates: Vec<_> = shops.iter().map(Shop::candidate).collect();
    let (rules, limits) = (rules(), OrderLimits::default());
    let terms = Terms { rules: &rules, limits: &limits, now_ms: saturday };
    let mut order = order(&[1]);
    order.promised_ms = saturday + 4 * 3_600_000;
    let late = plan(&order, &candidates, &terms);
    assert_eq!(stores(&late), [2]);
    assert_eq!(late.parts[0].arrive_ms, saturday + 30 * 60_000 + 50 * 60_000);
    order.promised_ms = saturday + 4 * 86_400_000;
    let patient = plan(&order, &candidates, &terms);
    assert_eq!(stores(&patient), [1]);
    assert_eq!(patient.parts[0].ready_ms, saturday + (12 + 24 + 9) * 3_600_000 + 30 * 60_000);
    order.promised_ms = saturday;
    order.travel_ms.insert(StoreId(2), 60_000);
    let given = plan(&order, &candidates, &terms);
    assert_eq!(given.parts[0].score.late_ms, 31 * 60_000, "a travel time that is given counts");
}

#[test]
fn a_pickup_stays_where_the_customer_wants_it_and_the_rest_is_suggested() {
    let shops = [Shop::new(1, 1_000, &[1, 0]), Shop::new(2, 3_000, &[0, 1]), Shop::new(3, 6_000, &[1, 1])];
    let mut order = order(&[1, 1]);
    order.channel = Channel::Pickup;
    order.chosen = vec![StoreId(1)];
    let plan = planned(&order, &shops, &rules());
    assert_eq!((stores(&plan), plan.missing.clone()), (vec![1], vec![(1, 1)]));
    assert_eq!(verdict(&plan, 3), Verdict::Out(Why::NotTheCustomersStore));
    let (from, lines) = (StoreId(2), vec![PartLine { goods: 1, hard: 1, soft: 0 }]);
    let transfer = |suggestion: &&Suggestion| matches!(suggestion, Suggestion::Transfer { .. });
    let first = plan.suggestions.iter().find(transfer).unwrap();
    assert_eq!(*first, Suggestion::Transfer { from, to: StoreId(1), metres: Some(2_000), lines });
    assert_eq!(plan.suggestions[0], Suggestion::OtherStore { store: StoreId(3), metres: Some(6_000) });
    order.chosen = vec![StoreId(1), StoreId(3)];
    let plan = planned(&order, &shops, &rules());
    assert_eq!((stores(&plan), plan.suggestions), (vec![3], vec![]));
}

#[test]
fn rule_sets_are_tried_in_their_order() {
    let mut rules = rules();
    rules.sets[0].name = code("near");
    rules.sets[0].filter.metres_max = Some(10_000);
    let wide = RuleSet { name: code("wide"), filter: Filter::default(), weights: Weights::default() };
    rules.sets.push(wide);
    let shops = [Shop::new(1, 8_000, &[1, 0]), Shop::new(2, 20_000, &[1, 1])];
    let near = planned(&order(&[1]), &shops, &rules);
    assert_eq!((near.rule_set.as_str(), stores(&near)), ("near", vec![1]));
    let wide = planned(&order(&[1, 1]), &shops, &rules);
    assert_eq!((wide.rule_set.as_str(), stores(&wide)), ("wide", vec![2]));
}

#[test]
fn heavy_goods_risky_shelves_and_busy_stores_cost_more() {
    let mut far = Shop::new(1, 4_000, &[1]);
    let near = Shop::new(2, 3_000, &[1]);
    assert_eq!(stores(&planned(&order(&[1]), &[far.clone(), near.clone()], &rules())), [2]);
    let mut risky = near.clone();
    risky.stock[0].shelf_ppm = 100_000;
    assert_eq!(stores(&planned(&order(&[1]), &[far.clone(), risky], &rules())), [1]);
    let busy = Shop { parts_left: Some(1), ..near.clone() };
    let plan = planned(&order(&[1]), &[far.clone(), busy], &rules());
    assert_eq!((stores(&plan), plan.candidates[1].score.load_ppm), (vec![1], 900_000));
    let old = Shop { heard_ms: NOON - 10 * 3_600_000, ..near.clone() };
    assert_eq!(stores(&planned(&order(&[1]), &[far.clone(), old], &rules())), [1]);
    far.stock[0].shelf_ppm = 0;
    let mut heavy = order(&[1]);
    heavy.lines[0].weight_g = 20_000;
    let plan = planned(&heavy, &[far, near], &rules());
    // 20 kg over 3 km are 0.06 tonne kilometres.
    assert_eq!(plan.parts[0].score.points.haul, 60_000);
}

#[test]
fn an_order_without_lines_or_stores_has_an_empty_plan() {
    assert_eq!(planned(&order(&[]), &[Shop::new(1, 1, &[1])], &rules()).parts, []);
    let plan = planned(&order(&[2]), &[], &rules());
    assert_eq!((plan.parts.len(), plan.missing, plan.cost), (0, vec![(0, 2)], 0));
    assert_eq!(Score::default().points.total(), 0);
}

#[test]
fn the_largest_numbers_do_not_overflow() {
    let mut order = order(&[u64::MAX, 1]);
    order.lines.iter_mut().for_each(|line| (line.value, line.weight_g) = (i64::MAX, u64::MAX));
    order.lines.push(order.lines[0]);
    order.promised_ms = 0;
    let mut rules = rules();
    rules.sets[0].weights = Weights {
        split: 1_000_000,
        distance: 1_000_000,
        haul: 1_000_000,
        lateness: 1_000_000,
        risk: 1_000_000,
        age: 1_000_000,
        load: 1_000_000,
    };
    rules.sets[0].filter.soft_ppm_max = 1_000_000;
    let mut shops = [Shop::new(1, 1_000_000, &[u64::MAX, 0]), Shop::new(2, 2_000_000, &[u64::MAX - 5, 7])];
    for shop in &mut shops {
        shop.heard_ms = 0;
        shop.stock
            .iter_mut()
            .for_each(|stock| (stock.soft, stock.soft_ppm, stock.shelf_ppm) = (u64::MAX, 1_000_000, u32::MAX));
    }
    let plan = planned(&order, &shops, &rules);
    assert_eq!(plan.missing, []);
    assert!(plan.cost > 0);
}

/// Orders of one unit each among few stores: small enough to try every assignment.
fn crowd(seed: u64) -> (Vec<Order>, Vec<Shop>) {
    let mut dice = Dice(seed);
    let orders = (0..5).map(|_| {
        let mut wish = order(&[1]);
        wish.lines[0].goods = dice.below(2) as u32;
        wish.place = Some(east(dice.below(40_000) as i32));
        wish
    });
    let orders = orders.collect();
    let shop = |store: u32| Shop {
        parts_left: Some(dice.below(4) as u32),
        ..Shop::new(store, dice.below(40_000) as i32, &[dice.below(3), dice.below(3)])
    };
    (orders, (1..=3).map(shop).collect())
}

/// The most orders that can be served, and the least that this costs: every store or none for every order.
fn every_assignment(orders: &[Order], shops: &[Shop], plans: &[Plan]) -> (usize, i64) {
    let mut best = (usize::MAX, i64::MAX);
    for code in 0..(shops.len() + 1).pow(orders.len() as u32) {
        let mut shops: Vec<Shop> = shops.to_vec();
        let (mut unserved, mut cost, mut code) = (0, 0, code);
        for (order, plan) in orders.iter().zip(plans) {
            let Some(shop) = shops.get_mut(code % 4) else {
                (unserved, code) = (unserved + 1, code / 4);
                continue;
            };
            code /= 4;
            let stock = &mut shop.stock[order.lines[0].goods as usize];
            let judged = plan.candidates.iter().find(|it| it.store.0 == shop.store).unwrap();
            cost += judged.score.points.total();
            let both = stock.held.checked_sub(1).zip(shop.parts_left.and_then(|left| left.checked_sub(1)));
            let Some((held, left)) = both else {
                unserved = usize::MAX;
                break;
            };
            (stock.held, shop.parts_left) = (held, Some(left));
        }
        best = best.min((unserved, cost));
    }
    best
}

#[test]
fn no_other_plan_for_a_batch_is_better() {
    let (rules, limits) = (rules(), OrderLimits::default());
    let terms = Terms { rules: &rules, limits: &limits, now_ms: NOON };
    let mut contended = 0;
    for seed in 0..150 {
        let (orders, shops) = crowd(seed);
        let candidates: Vec<_> = shops.iter().map(Shop::candidate).collect();
        let plans = batch::plan_batch(&orders, &candidates, &terms);
        let alone: Vec<Plan> = orders.iter().map(|order| plan(order, &candidates, &terms)).collect();
        let unserved = plans.iter().filter(|plan| plan.parts.is_empty()).count();
        let cost = plans.iter().map(|plan| plan.cost).sum();
        assert_eq!((unserved, cost), every_assignment(&orders, &shops, &alone), "seed {seed}");
        contended += usize::from(plans.iter().zip(&alone).any(|(plan, alone)| plan.cost != alone.cost));
    }
    assert!(contended > 50, "only {contended} batches were contended");
}

#[test]
fn a_batch_gives_nobody_more_than_is_held_together() {
    for seed in 0..100 {
        let (_, shops, mut rules) = world(seed);
        let mut dice = Dice(seed + 1_000);
        let lines = shops[0].stock.len();
        let orders: Vec<Order> =
            (0..4).map(|_| order(&(0..lines).map(|_| 1 + dice.below(2)).collect::<Vec<_>>())).collect();
        rules.safety_pieces = (seed % 2) as u32;
        let limits = OrderLimits::default();
        let terms = Terms { rules: &rules, limits: &limits, now_ms: NOON };
        let shops: Vec<Shop> = shops.into_iter().map(|shop| Shop { parts_left: Some(2), ..shop }).collect();
        let candidates: Vec<_> = shops.iter().map(Shop::candidate).collect();
        let plans = batch::plan_batch(&orders, &candidates, &terms);
        for shop in &shops {
            let parts = || plans.iter().flat_map(|plan| &plan.parts).filter(|part| part.store.0 == shop.store);
            assert!(parts().count() <= 2, "seed {seed}");
            for stock in &shop.stock {
                let lines = || parts().flat_map(|part| &part.lines).filter(|line| line.goods == stock.goods);
                let kept = stock.held.saturating_sub(u64::from(rules.safety_pieces));
                assert!(lines().map(|line| line.hard).sum::<u64>() <= kept, "seed {seed}");
                assert!(lines().map(|line| line.soft).sum::<u64>() <= stock.soft, "seed {seed}");
            }
        }
        for (order, plan) in orders.iter().zip(&plans) {
            for line in &order.lines {
                let given = plan.parts.iter().flat_map(|part| &part.lines).filter(|it| it.goods == line.goods);
                let missing = plan.missing.iter().find(|(goods, _)| *goods == line.goods).map_or(0, |it| it.1);
                assert_eq!(given.map(|it| it.hard + it.soft).sum::<u64>() + missing, line.quantity, "seed {seed}");
            }
            assert_eq!(plan.candidates.len(), shops.len(), "seed {seed}: everybody is explained");
        }
    }
}

#[test]
fn the_nearest_stores_are_found_anywhere_on_the_globe() {
    let mut dice = Dice(7);
    let scatter = |dice: &mut Dice, (lat, lng): (i64, i64), metres: u64| {
        let degrees = |dice: &mut Dice| dice.below(metres * 18) as i64 - metres as i64 * 9;
        let lat = (lat + degrees(dice)).clamp(-90_000_000, 90_000_000) as i32;
        let lng = (lng + degrees(dice) + 540_000_000).rem_euclid(360_000_000) - 180_000_000;
        Place::of(Coordinates::new(lat, lng as i32).unwrap())
    };
    // Berlin, the north pole, the date line, and a pentagon of the grid off the coast of Norway.
    let towns = [(52_520_000, 13_405_000), (89_990_000, 0), (-16_500_000, 179_990_000), (64_700_000, 10_536_000)];
    for town in towns {
        for metres in [3_000, 30_000, 300_000] {
            let stores: Vec<_> = (1..400).map(|n| (StoreId(n), scatter(&mut dice, town, metres))).collect();
            let places = place::Places::of(stores.iter().copied());
            for _ in 0..10 {
                let from = scatter(&mut dice, town, metres);
                let wanted = |store: StoreId| !store.0.is_multiple_of(3);
                let near = places.near(&from, 12, wanted);
                let mut all: Vec<_> = stores
                    .iter()
                    .filter(|(store, _)| wanted(*store))
                    .map(|(store, place)| (from.metres_to(place), *store))
                    .collect();
                all.sort_unstable();
                let nearest: Vec<_> = all.into_iter().take(12).map(|(metres, store)| (store, metres)).collect();
                assert_eq!(near, nearest, "{town:?}, {metres} m");
            }
        }
    }
}
