//! Which stores serve an order: the whole order at once, not line by line.
//!
//! A pure function of what the hub knows: the order, the stores that could serve it with the rights that this node holds there, the
//! replicated rules, and the time. It minimises splits, ways, lateness, promises that may break, old knowledge and load, weighed by the
//! rules, and says of every store why it was chosen or why not. It gives nobody more than the rights that are held, and no result depends
//! on the order of the candidates.
//!
//! | module | what it knows |
//! |---|---|
//! | [`place`] | distances, and the stores near a point |
//! | `offers` | who may serve, how much, and what that costs |
//! | `search` | the cheapest set of stores for one order |
//! | [`plan`] | the answer, in words and numbers |
//! | [`batch`] | many orders that share rights and capacity |
//!
//! Rule sets are tried in their order until one serves everything without parts that are worth too little. A pickup is given to the stores
//! that the customer named and to no other; what they lack is suggested from elsewhere.

mod offers;
mod search;

pub mod batch;
pub mod place;
pub mod plan;

use std::collections::BTreeMap;

use stockroom_crdt::ids::{Code, StoreId};
use stockroom_crdt::money::Unit;
use stockroom_crdt::order::rules::hours::StoreService;
use stockroom_crdt::order::rules::limits::OrderLimits;
use stockroom_crdt::order::rules::{PARTS_MAX, RoutingRules, RuleSet};
use stockroom_crdt::product::Channel;

use offers::{Entities, Need, Offers};
use place::Place;
use plan::{Goods, Judged, Part, PartLine, Plan, Suggestion, Verdict};
use search::{Found, Rank, Split};

/// What a customer wants.
#[derive(Clone, PartialEq, Debug)]
pub struct Order {
    /// How it comes to him.
    pub channel: Channel,
    /// The legal entity that sold it; empty for the tenant itself.
    pub entity: Code,
    /// Where it is to go, or where he is; `None` if nobody knows.
    pub place: Option<Place>,
    /// The stores where he would fetch it. Only for pickups.
    pub chosen: Vec<StoreId>,
    /// By when it was promised, milliseconds since 1970.
    pub promised_ms: u64,
    /// Travel times from stores to him, where somebody knows better than the crow's way, milliseconds.
    pub travel_ms: BTreeMap<StoreId, u64>,
    /// What he wants.
    pub lines: Vec<Line>,
}

/// One line of an order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Line {
    /// What, as numbered by the caller. Lines with the same number are added up.
    pub goods: Goods,
    /// In what it is counted.
    pub unit: Unit,
    /// How many units.
    pub quantity: u64,
    /// What the line costs the customer, minor units.
    pub value: i64,
    /// What the line weighs, grams.
    pub weight_g: u64,
}

/// A store that may serve.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Candidate<'a> {
    /// Which. Each store stands once among the candidates.
    pub store: StoreId,
    /// Its group.
    pub group: &'a Code,
    /// Its legal entity.
    pub entity: &'a Code,
    /// Where it is.
    pub place: Option<Place>,
    /// When it is open; `None` if nobody said, and then it counts as always open.
    pub service: Option<&'a StoreService>,
    /// Its local time's offset from UTC now, minutes.
    pub offset_min: i32,
    /// Parts that it takes on in a day; `None` for no bound.
    pub parts_per_day: Option<u32>,
    /// Parts that it still takes today; `None` for no bound.
    pub parts_left: Option<u32>,
    /// When its stock was heard of last, milliseconds since 1970.
    pub heard_ms: u64,
    /// What may be promised there, by goods, ascending, each once.
    pub stock: &'a [Stock],
}

/// What this node may promise of one sort of goods at one store.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Stock {
    /// Of what.
    pub goods: Goods,
    /// Rights that this node holds and has not promised.
    pub held: u64,
    /// Units that it may promise without a right.
    pub soft: u64,
    /// The chance that such a promise finds no right, parts per million.
    pub soft_ppm: u32,
    /// The chance that the shelf breaks any promise, parts per million.
    pub shelf_ppm: u32,
}

/// Under which terms orders are routed.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Terms<'a> {
    /// How.
    pub rules: &'a RoutingRules,
    /// How long things take.
    pub limits: &'a OrderLimits,
    /// The time, milliseconds since 1970.
    pub now_ms: u64,
}

impl Candidate<'_> {
    /// How much of its day is gone, parts per million.
    fn load_ppm(&self) -> u32 {
        match (self.parts_per_day, self.parts_left) {
            (Some(most), Some(left)) if most > 0 => {
                let taken = u64::from(most - left.min(most));
                u32::try_from(taken * 1_000_000 / u64::from(most)).unwrap_or(1_000_000)
            }
            (Some(_) | None, _) => 0,
        }
    }
}

/// The best plan for one order.
pub fn plan(order: &Order, candidates: &[Candidate<'_>], terms: &Terms<'_>) -> Plan {
    let best = route(order, candidates, terms);
    let mut plan = best.plan(candidates);
    if order.channel == Channel::Pickup && !plan.missing.is_empty() {
        plan.suggestions = suggestions(order, candidates, &plan, terms);
    }
    plan
}

/// What one step of routing has found.
struct Routed<'a> {
    set: &'a RuleSet,
    offers: Offers,
    split: Split,
    found: Option<Found>,
}

/// Tries the steps until one serves everything, and takes the best of them if none does.
fn route<'a>(order: &Order, candidates: &[Candidate<'_>], terms: &Terms<'a>) -> Routed<'a> {
    let mut best: Option<Routed<'a>> = None;
    for entities in Entities::steps(order, terms.rules.boundary) {
        for set in &terms.rules.sets {
            let split = split(terms.rules, set);
            let offers = Offers::of(order, candidates, (set, *entities), terms);
            let found = search::search(&offers, split);
            let routed = Routed { set, offers, split, found };
            let worth = routed.worth();
            let better = best.as_ref().is_none_or(|best| worth < best.worth());
            if better {
                best = Some(routed);
            }
            if worth == (0, 0) {
                return best.expect("it is better than any other");
            }
        }
    }
    best.expect("rules have at least one set")
}

fn split(rules: &RoutingRules, set: &RuleSet) -> Split {
    Split {
        cost: i64::from(set.weights.split) * 1_000,
        value_min: rules.split_value_min,
        parts_max: usize::from(rules.parts_max.clamp(1, PARTS_MAX)),
    }
}

/// All that is missing when nobody serves an order.
fn nothing(needs: &[Need]) -> Rank {
    let missing = needs.iter().map(|need| need.shortfall(need.quantity)).fold(0u64, u64::saturating_add);
    Rank { missing, cheap: 0, cost: 0 }
}

impl Routed<'_> {
    /// By what steps are compared. What they cost is not: each has weights of its own.
    fn worth(&self) -> (u64, usize) {
        let rank = self.found.as_ref().map_or_else(|| nothing(&self.offers.needs), |found| found.rank);
        (rank.missing, rank.cheap)
    }

    fn plan(&self, candidates: &[Candidate<'_>]) -> Plan {
        let set: &[usize] = self.found.as_ref().map_or(&[], |found| &found.set);
        let mut plan = self.answer(set, candidates);
        plan.is_best = self.found.as_ref().is_none_or(|found| found.is_best);
        plan.candidates = self.judge(&plan, candidates);
        plan
    }

    /// The plan in which `set` serves the order, without its reasons.
    fn answer(&self, set: &[usize], candidates: &[Candidate<'_>]) -> Plan {
        let offers = &self.offers;
        let uses = search::uses(offers, set);
        let mut parts: Vec<Part> = Vec::new();
        for offer in set {
            let own = || uses.iter().filter(|it| it.offer == *offer);
            let line = |it: &search::Use| PartLine { goods: offers.needs[it.need].goods, hard: it.hard, soft: it.soft };
            if own().next().is_none() {
                continue;
            }
            let it = &offers.offers[*offer];
            parts.push(Part {
                store: candidates[it.at].store,
                lines: own().map(line).collect(),
                ready_ms: it.ready_ms,
                arrive_ms: it.arrive_ms,
                score: offers.score(*offer, own().map(|it| (it.need, it.hard, it.soft))),
            });
        }
        parts.sort_by_key(|part| (part.score.points.total(), part.store));
        let given = |need: usize| uses.iter().filter(|it| it.need == need).map(|it| it.hard + it.soft).sum::<u64>();
        let short = |(at, need): (usize, &Need)| (need.goods, need.quantity - given(at));
        let rank = search::rank(offers, self.split, set);
        Plan {
            rule_set: self.set.name.clone(),
            missing: offers.needs.iter().enumerate().map(short).filter(|(_, units)| *units > 0).collect(),
            cheap_parts: rank.cheap,
            cost: rank.cost,
            split_cost: self.split.cost * parts.len().saturating_sub(1) as i64,
            is_best: true,
            parts,
            candidates: Vec::new(),
            suggestions: Vec::new(),
        }
    }

    /// Why each candidate serves or does not.
    fn judge(&self, plan: &Plan, candidates: &[Candidate<'_>]) -> Vec<Judged> {
        let offers = &self.offers;
        let alone: &[Rank] = self.found.as_ref().map_or(&[], |found| &found.alone);
        let store = |offer: usize| candidates[offers.offers[offer].at].store;
        let mut judged: Vec<Judged> = Vec::with_capacity(candidates.len());
        judged.extend(plan.parts.iter().map(|part| Judged {
            store: part.store,
            verdict: Verdict::Chosen,
            score: part.score,
        }));
        let others = (0..offers.offers.len()).filter(|offer| plan.parts.iter().all(|part| part.store != store(*offer)));
        let mut others: Vec<_> = others.map(|offer| (alone[offer], store(offer), offer)).collect();
        others.sort_unstable();
        judged.extend(others.into_iter().map(|(rank, store, offer)| {
            let whole = offers.needs.iter().zip(offers.lots(offer));
            let lacks = whole.filter(|(need, lot)| lot.units() < need.quantity).count() as u32;
            let verdict = match (lacks, rank.cost.saturating_sub(plan.cost)) {
                (0, by) if by >= 0 && plan.missing.is_empty() => Verdict::Dearer { by },
                (0, _) => Verdict::GivenToOthers,
                (lines, _) => Verdict::Lacks { lines, of: offers.needs.len() as u32 },
            };
            let give = |(at, (need, lot)): (usize, (&Need, &offers::Lot))| {
                let hard = lot.hard.min(need.quantity);
                (at, hard, lot.soft.min(need.quantity - hard))
            };
            let given = offers.needs.iter().zip(offers.lots(offer)).enumerate().map(give);
            Judged { store, verdict, score: offers.score(offer, given) }
        }));
        let mut out: Vec<_> = offers.out.iter().map(|(at, why)| (candidates[*at].store, *why)).collect();
        out.sort_unstable_by_key(|(store, _)| *store);
        judged.extend(out.into_iter().map(|(store, why)| Judged {
            store,
            verdict: Verdict::Out(why),
            score: plan::Score::default(),
        }));
        judged
    }
}

/// What a customer may be asked whose own stores lack something: other stores that have all of it, and who could send what is missing.
fn suggestions(order: &Order, candidates: &[Candidate<'_>], plan: &Plan, terms: &Terms<'_>) -> Vec<Suggestion> {
    let others: Vec<Candidate<'_>> =
        candidates.iter().filter(|it| !order.chosen.contains(&it.store)).copied().collect();
    let place_of = |store: StoreId| candidates.iter().find(|it| it.store == store).and_then(|it| it.place);
    let to = plan.parts.first().map(|part| part.store).or_else(|| order.chosen.first().copied());
    let there = to.and_then(place_of);
    let metres = |from: &Candidate<'_>, to: Option<Place>| from.place.zip(to).map(|(from, to)| from.metres_to(&to));
    let Some(set) = terms.rules.sets.last() else { return Vec::new() };
    // They are looked at as if the customer had named them.
    let everywhere = Order { chosen: others.iter().map(|it| it.store).collect(), ..order.clone() };
    let whole = Offers::of(&everywhere, &others, (set, Entities::All), terms);
    let has_all =
        |offer: &usize| whole.needs.iter().zip(whole.lots(*offer)).all(|(need, lot)| lot.units() >= need.quantity);
    let mut elsewhere: Vec<_> = (0..whole.offers.len())
        .filter(has_all)
        .map(|offer| &others[whole.offers[offer].at])
        .map(|it| (metres(it, order.place.or(there)), it.store))
        .collect();
    elsewhere.sort_unstable_by_key(|(metres, store)| (metres.is_none(), *metres, *store));
    let mut senders: Vec<_> = Vec::new();
    for it in &others {
        let line = |(goods, short): &(Goods, u64)| {
            let at = it.stock.binary_search_by_key(goods, |stock| stock.goods).ok()?;
            let need = whole.needs.iter().find(|need| need.goods == *goods)?;
            let hard = it.stock[at].held.saturating_sub(need.safety).min(*short);
            (hard > 0).then_some(PartLine { goods: *goods, hard, soft: 0 })
        };
        let lines: Vec<PartLine> = plan.missing.iter().filter_map(line).collect();
        if !lines.is_empty() {
            let sum: u64 = lines.iter().map(|line| line.hard).sum();
            senders.push((std::cmp::Reverse(sum), metres(it, there), it.store, lines));
        }
    }
    senders.sort_unstable_by_key(|(sum, metres, store, _)| (*sum, metres.is_none(), *metres, *store));
    let other = |(metres, store)| Suggestion::OtherStore { store, metres };
    let elsewhere = elsewhere.into_iter().take(SUGGESTIONS_MAX).map(other);
    let transfers = senders
        .into_iter()
        .take(SUGGESTIONS_MAX)
        .filter_map(|(_, metres, from, lines)| Some(Suggestion::Transfer { from, to: to?, metres, lines }));
    elsewhere.chain(transfers).collect()
}

/// As many of each sort as a customer reads.
const SUGGESTIONS_MAX: usize = 3;

#[cfg(test)]
mod tests;
