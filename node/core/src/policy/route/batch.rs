//! Many orders that share rights and capacity.
//!
//! One by one, an early order takes what a later one needs more. So orders are placed along augmenting paths, as in the shortest-path
//! method for flows of least cost: an order may take from another what that one gives up most cheaply, which may in turn take from a third.
//! Where each order wants one unit this ends with the optimum. Orders of several lines take and give up whole sets of stores, and what is
//! left without a set is planned anew with what remains.

use std::collections::{BTreeMap, VecDeque};

use super::plan::{Goods, Plan};
use super::search::{self, Rank};
use super::{Candidate, Order, Routed, Stock, Terms, nothing, route};

/// The best plans for several orders together, in the order of `orders`. Those promised earlier are placed first, so a batch that is the same
/// in another order has the same plans unless two orders differ in nothing.
pub fn plan_batch(orders: &[Order], candidates: &[Candidate<'_>], terms: &Terms<'_>) -> Vec<Plan> {
    let mut batch = Batch::new(orders, candidates, terms);
    let mut turn: Vec<usize> = (0..orders.len()).collect();
    turn.sort_by_key(|at| (orders[*at].promised_ms, *at));
    turn.iter().for_each(|order| batch.insert(*order));
    for _ in 0..ROUNDS_MAX {
        let before = batch.sum();
        for order in &turn {
            if batch.regret(*order) > 0 {
                batch.release(*order);
                batch.insert(*order);
            }
        }
        if batch.sum() >= before {
            break;
        }
    }
    for at in &turn {
        batch.plan_anew(*at, &orders[*at], candidates, terms);
    }
    let answer = |(order, placed): (&Order, &Placed)| placed.answer(order, candidates, terms);
    orders.iter().zip(&batch.placed).map(answer).collect()
}

/// One way to serve one order.
struct Choice {
    /// Smaller is better.
    worth: i128,
    /// Of each resource how much; at most once each.
    uses: Vec<(usize, u64)>,
    /// Among the candidates.
    set: Vec<usize>,
}

/// What is known of one order.
struct Placed {
    /// The best first.
    choices: Vec<Choice>,
    /// One of them, or nothing.
    chosen: Option<usize>,
    /// What it is worth to get nothing.
    nothing: i128,
    /// Found with what the others left, and better than any choice.
    anew: Option<Plan>,
}

/// All orders and what is left of all resources: the capacity of each candidate, and its rights and soft units of each sort of goods.
struct Batch {
    placed: Vec<Placed>,
    left: Vec<u64>,
    users: Vec<Vec<usize>>,
    resources: Resources,
}

/// Where each resource stands.
struct Resources {
    /// For each candidate the first resource of its goods; the next is what may be promised softly, then come those of the next goods.
    first: Vec<usize>,
    safety: BTreeMap<Goods, u64>,
}

impl Batch {
    fn new(orders: &[Order], candidates: &[Candidate<'_>], terms: &Terms<'_>) -> Self {
        let mut safety: BTreeMap<Goods, u64> = BTreeMap::new();
        for line in orders.iter().flat_map(|order| &order.lines) {
            let kept = safety.entry(line.goods).or_default();
            *kept = terms.rules.safety(line.unit).max(*kept);
        }
        let mut left: Vec<u64> = candidates.iter().map(|it| it.parts_left.map_or(u64::MAX / 2, u64::from)).collect();
        let mut first = Vec::with_capacity(candidates.len());
        for stock in candidates.iter().map(|it| it.stock) {
            first.push(left.len());
            for it in stock {
                left.push(it.held.saturating_sub(safety.get(&it.goods).copied().unwrap_or(0)));
                left.push(it.soft);
            }
        }
        let resources = Resources { first, safety };
        let users = left.iter().map(|_| Vec::new()).collect();
        let placed = orders.iter().map(|order| Placed::of(order, candidates, &resources, terms)).collect();
        Self { placed, left, users, resources }
    }

    fn sum(&self) -> i128 {
        self.placed.iter().map(Placed::worth).sum()
    }

    /// How much worse an order has it than if it were alone.
    fn regret(&self, order: usize) -> i128 {
        let placed = &self.placed[order];
        placed.worth() - placed.choices.first().map_or(placed.nothing, |best| best.worth)
    }

    /// The first resource of which a choice wants more than is left.
    fn lacks(&self, order: usize, choice: usize) -> Option<usize> {
        let uses = &self.placed[order].choices[choice].uses;
        uses.iter().find(|(resource, units)| self.left[*resource] < *units).map(|(resource, _)| *resource)
    }

    fn take(&mut self, order: usize, choice: usize) {
        for (resource, units) in &self.placed[order].choices[choice].uses {
            self.left[*resource] = self.left[*resource].checked_sub(*units).expect("only what is left is taken");
            self.users[*resource].push(order);
        }
        self.placed[order].chosen = Some(choice);
    }

    fn release(&mut self, order: usize) -> Option<usize> {
        let choice = self.placed[order].chosen.take()?;
        for (resource, units) in &self.placed[order].choices[choice].uses {
            self.left[*resource] += units;
            let at = self.users[*resource].iter().position(|user| *user == order).expect("it uses what it took");
            self.users[*resource].swap_remove(at);
        }
        Some(choice)
    }

    /// Places an order that has nothing, moving others where that is worth it.
    fn insert(&mut self, order: usize) {
        let path = self.cheapest_path(order);
        if self.walk(&path).is_none() {
            // The way was changed behind itself: what is free is taken.
            let free = (0..self.placed[order].choices.len()).find(|choice| self.lacks(order, *choice).is_none());
            free.into_iter().for_each(|choice| self.take(order, choice));
        }
    }

    /// Who gets what so that an order is placed: the order itself, then whoever gave up something for the one before, and so on. The last
    /// takes what is free, or nothing.
    fn cheapest_path(&mut self, order: usize) -> Path {
        let count = self.placed.len();
        let spread = (0..count).map(|it| self.regret(it)).max().unwrap_or(0).max(0);
        let mut paths = Paths { cost: vec![i128::MAX; count], by: vec![None; count] };
        paths.cost[order] = 0;
        let mut open = VecDeque::from([order]);
        let mut waits = vec![false; count];
        let mut best = (self.placed[order].nothing, vec![(order, None)]);
        for _ in 0..VISITS_MAX {
            let Some(at) = open.pop_front() else { break };
            waits[at] = false;
            let path = paths.to(at);
            let Some(had) = self.walk(&path) else { continue };
            for (user, choice, worth) in self.openings(at, &path, paths.cost[at], (&mut best, spread)) {
                if worth < paths.cost[user] {
                    (paths.cost[user], paths.by[user]) = (worth, Some((at, choice)));
                    if !std::mem::replace(&mut waits[user], true) {
                        open.push_back(user);
                    }
                }
            }
            self.walk_back(&path, &had);
        }
        best.1
    }

    /// Where an order at the end of a path can go: what is free is compared with `best`, and whoever would have to give way is returned with
    /// the choice and the cost of the path up to there.
    fn openings(
        &mut self,
        at: usize,
        path: &[(usize, Option<usize>)],
        cost: i128,
        (best, spread): (&mut (i128, Path), i128),
    ) -> Vec<(usize, usize, i128)> {
        let mut better = |worth: i128, choice: Option<usize>| {
            if worth < best.0 {
                let mut path = path.to_vec();
                path.last_mut().expect("a path holds its end").1 = choice;
                *best = (worth, path);
            }
            best.0
        };
        let bound = better(cost + self.placed[at].nothing, None);
        let mut openings = Vec::new();
        for choice in 0..self.placed[at].choices.len() {
            let worth = cost + self.placed[at].choices[choice].worth;
            if worth - spread >= bound {
                break;
            }
            let Some(resource) = self.lacks(at, choice) else {
                better(worth, Some(choice));
                break;
            };
            let mut users = self.users[resource].clone();
            users.sort_unstable();
            users.retain(|user| path.iter().all(|(on, _)| on != user));
            for user in users {
                let given_up = self.placed[user].worth();
                let had = self.release(user).expect("a user has a choice");
                if self.lacks(at, choice).is_none() {
                    openings.push((user, choice, worth - given_up));
                }
                self.take(user, had);
            }
        }
        openings
    }

    /// Gives each order on a path its choice, and says what they had. Changes nothing if that cannot be.
    fn walk(&mut self, path: &[(usize, Option<usize>)]) -> Option<Vec<Option<usize>>> {
        let had: Vec<_> = path.iter().map(|(order, _)| self.release(*order)).collect();
        for (order, choice) in path {
            let Some(choice) = *choice else { continue };
            if self.lacks(*order, choice).is_some() {
                self.walk_back(path, &had);
                return None;
            }
            self.take(*order, choice);
        }
        Some(had)
    }

    fn walk_back(&mut self, path: &[(usize, Option<usize>)], had: &[Option<usize>]) {
        for (order, _) in path {
            self.release(*order);
        }
        for ((order, _), had) in path.iter().zip(had) {
            had.iter().for_each(|choice| self.take(*order, *choice));
        }
    }

    /// Plans an order that lacks something with what is left, and keeps that if it is better.
    fn plan_anew(&mut self, at: usize, order: &Order, candidates: &[Candidate<'_>], terms: &Terms<'_>) {
        if self.placed[at].worth() < worth(Rank { missing: 1, cheap: 0, cost: 0 }) {
            return;
        }
        let had = self.release(at);
        let left: Vec<Vec<Stock>> = candidates
            .iter()
            .enumerate()
            .map(|(candidate, it)| {
                let first = self.resources.first[candidate];
                let rest = |(nth, stock): (usize, &Stock)| Stock {
                    held: self.left[first + 2 * nth].saturating_add(self.resources.safety_of(stock.goods)),
                    soft: self.left[first + 2 * nth + 1],
                    ..*stock
                };
                it.stock.iter().enumerate().map(rest).collect()
            })
            .collect();
        let remains = |(candidate, it): (usize, &Candidate<'_>)| {
            u32::try_from(self.left[candidate]).ok().filter(|_| it.parts_left.is_some())
        };
        let rest: Vec<Candidate<'_>> = candidates
            .iter()
            .zip(&left)
            .enumerate()
            .map(|(candidate, (it, stock))| Candidate { parts_left: remains((candidate, it)), stock, ..*it })
            .collect();
        let routed = route(order, &rest, terms);
        let found = routed.found.as_ref().map(|found| (worth(found.rank), found.set.clone()));
        match found.filter(|(found, _)| had.is_none_or(|had| *found < self.placed[at].choices[had].worth)) {
            Some((_, set)) => {
                let choice = Choice::of(&routed, &set, candidates, &self.resources);
                let plan = routed.plan(&rest);
                self.placed[at].choices.push(choice);
                let last = self.placed[at].choices.len() - 1;
                self.take(at, last);
                self.placed[at].anew = Some(plan);
            }
            None => had.into_iter().for_each(|had| self.take(at, had)),
        }
    }
}

impl Resources {
    fn safety_of(&self, goods: Goods) -> u64 {
        self.safety.get(&goods).copied().unwrap_or(0)
    }
}

/// Orders in the order in which each gives way to the one before, with the choice that each then has.
type Path = Vec<(usize, Option<usize>)>;

/// The cheapest path known to each order that may have to give way: from whom, who then takes what.
struct Paths {
    cost: Vec<i128>,
    by: Vec<Option<(usize, usize)>>,
}

impl Paths {
    fn to(&self, end: usize) -> Path {
        let mut path = vec![(end, None)];
        let mut at = end;
        while let Some((from, choice)) = self.by[at].filter(|_| path.len() <= self.by.len()) {
            path.push((from, Some(choice)));
            at = from;
        }
        path.reverse();
        path
    }
}

impl Choice {
    fn of(routed: &Routed<'_>, set: &[usize], candidates: &[Candidate<'_>], resources: &Resources) -> Self {
        let offers = &routed.offers;
        let mut uses: Vec<(usize, u64)> = Vec::new();
        let given = search::uses(offers, set);
        let mut members: Vec<usize> = given.iter().map(|it| it.offer).collect();
        members.sort_unstable();
        members.dedup();
        uses.extend(members.iter().map(|offer| (offers.offers[*offer].at, 1)));
        for it in &given {
            let at = offers.offers[it.offer].at;
            let goods = offers.needs[it.need].goods;
            let nth =
                candidates[at].stock.binary_search_by_key(&goods, |stock| stock.goods).expect("it gives what it has");
            let first = resources.first[at] + 2 * nth;
            uses.extend([(first, it.hard), (first + 1, it.soft)].into_iter().filter(|(_, units)| *units > 0));
        }
        let rank = search::rank(offers, routed.split, set);
        Self { worth: worth(rank), uses, set: members.iter().map(|offer| offers.offers[*offer].at).collect() }
    }
}

impl Placed {
    /// Ways to serve an order as if there were no other: alone, or by the best set and others that differ from it in one store.
    fn of(order: &Order, candidates: &[Candidate<'_>], resources: &Resources, terms: &Terms<'_>) -> Self {
        let routed = route(order, candidates, terms);
        let nothing = worth(nothing(&routed.offers.needs));
        let Some(found) = &routed.found else { return Self { choices: Vec::new(), chosen: None, nothing, anew: None } };
        let mut sets: Vec<(Rank, Vec<usize>)> =
            found.alone.iter().enumerate().map(|(offer, rank)| (*rank, vec![offer])).collect();
        if found.set.len() > 1 {
            for (member, other) in
                (0..found.set.len()).flat_map(|m| (0..OTHERS_MAX.min(found.alone.len())).map(move |o| (m, o)))
            {
                if !found.set.contains(&other) {
                    let mut set = found.set.clone();
                    set[member] = other;
                    sets.push((search::rank(&routed.offers, routed.split, &set), set));
                }
            }
            sets.push((found.rank, found.set.clone()));
        }
        sets.retain(|(rank, _)| rank.missing == found.rank.missing);
        sets.sort_unstable();
        sets.truncate(CHOICES_MAX);
        let choices = sets.iter().map(|(_, set)| Choice::of(&routed, set, candidates, resources)).collect();
        Self { choices, chosen: None, nothing, anew: None }
    }

    fn worth(&self) -> i128 {
        self.chosen.map_or(self.nothing, |choice| self.choices[choice].worth)
    }

    fn answer(&self, order: &Order, candidates: &[Candidate<'_>], terms: &Terms<'_>) -> Plan {
        if let Some(plan) = &self.anew {
            return plan.clone();
        }
        let routed = route(order, candidates, terms);
        let set = self.chosen.map_or(&[][..], |choice| &self.choices[choice].set);
        let offer =
            |at: &usize| routed.offers.offers.iter().position(|offer| offer.at == *at).expect("it was an offer before");
        let set: Vec<usize> = set.iter().map(offer).collect();
        let mut plan = routed.answer(&set, candidates);
        plan.is_best = routed.found.as_ref().is_none_or(|found| found.is_best && self.chosen == Some(0));
        plan.candidates = routed.judge(&plan, candidates);
        plan
    }
}

/// A rank as one number that can be added.
fn worth(rank: Rank) -> i128 {
    i128::from(rank.missing.min(MISSING_MAX)) << 72 | (rank.cheap as i128) << 64 | i128::from(rank.cost.max(0))
}

/// So that a thousand orders can be added.
const MISSING_MAX: u64 = 1 << 44;

/// Ways to serve one order that are compared.
const CHOICES_MAX: usize = 96;

/// Stores that are tried in place of each member of a split.
const OTHERS_MAX: usize = 32;

/// How often all orders that have it worse than alone are placed again.
const ROUNDS_MAX: usize = 4;

/// Steps of one search for a path.
const VISITS_MAX: usize = 2_000;
