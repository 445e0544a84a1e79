//! The cheapest set of stores that serves a whole order, by branch and bound.
//!
//! For a given set the rest is easy: each need takes the cheapest units that there are. So only sets are searched. A set grows by stores
//! that have what it lacks most, and a set that lacks nothing by stores that would take something over for less; no set is looked into that
//! must cost more than the best known.

use super::offers::Offers;

/// Sets are compared by this: first by what is missing, then by parts that are worth too little, then by cost.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Rank {
    pub missing: u64,
    pub cheap: usize,
    pub cost: i64,
}

/// What the rules say about splits.
#[derive(Clone, Copy, Debug)]
pub struct Split {
    /// The cost of each part after the first, thousandths of a point.
    pub cost: i64,
    /// The least value of a part.
    pub value_min: i64,
    /// The most parts.
    pub parts_max: usize,
}

/// Units that one offer gives for one need.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Use {
    pub offer: usize,
    pub need: usize,
    pub hard: u64,
    pub soft: u64,
}

/// The best set.
#[derive(Clone, Debug)]
pub struct Found {
    pub rank: Rank,
    pub set: Vec<usize>,
    /// The search came to its end.
    pub is_best: bool,
    /// For each offer what it would be worth alone.
    pub alone: Vec<Rank>,
}

/// Searches all sets. `None` if there is no offer.
pub fn search(offers: &Offers, split: Split) -> Option<Found> {
    let count = offers.offers.len();
    let alone: Vec<Rank> = (0..count).map(|offer| rank(offers, split, &[offer])).collect();
    let (single, best) = alone.iter().copied().enumerate().min_by_key(|(at, rank)| (*rank, *at))?;
    let mut search = Search::new(offers, split, best, single);
    if split.parts_max > 1 {
        search.seed();
        let mut given_up = vec![false; offers.needs.len()];
        search.grow(&mut Vec::new(), &mut given_up, 0);
    }
    Some(Found { rank: search.best, set: search.best_set, is_best: search.steps_left > 0, alone })
}

/// What the members of a set give, each need taking the cheapest units.
pub fn uses(offers: &Offers, set: &[usize]) -> Vec<Use> {
    let mut uses: Vec<Use> = Vec::new();
    for need in 0..offers.needs.len() {
        fill(offers, set, need, |member, units, is_soft| {
            let offer = set[member];
            let (hard, soft) = if is_soft { (0, units) } else { (units, 0) };
            match uses.iter_mut().find(|it| it.offer == offer && it.need == need) {
                Some(it) => (it.hard, it.soft) = (it.hard + hard, it.soft + soft),
                None => uses.push(Use { offer, need, hard, soft }),
            }
        });
    }
    uses
}

/// What a set is worth. Members that give nothing cost nothing: the set without them is the same plan.
pub fn rank(offers: &Offers, split: Split, set: &[usize]) -> Rank {
    let mut values = [0; PARTS_MAX];
    let mut used = [false; PARTS_MAX];
    let mut rank = Rank { missing: 0, cheap: 0, cost: 0 };
    for (at, need) in offers.needs.iter().enumerate() {
        let missing = fill(offers, set, at, |member, units, is_soft| {
            let lot = &offers.lots(set[member])[at];
            rank.cost += need.share(if is_soft { lot.soft_rate } else { lot.hard_rate }, units);
            values[member] += need.share(need.value, units);
            used[member] = true;
        });
        if missing > 0 {
            rank.missing = rank.missing.saturating_add(need.shortfall(missing));
        }
    }
    let parts = used.iter().filter(|used| **used).count();
    for member in (0..set.len()).filter(|member| used[*member]) {
        rank.cost += offers.offers[set[member]].fixed;
        rank.cheap += usize::from(parts > 1 && values[member] < split.value_min);
    }
    rank.cost += split.cost * parts.saturating_sub(1) as i64;
    rank
}

/// Gives the cheapest units for one need, hard before soft at the same rate, and says how many are missing.
fn fill(offers: &Offers, set: &[usize], need: usize, mut give: impl FnMut(usize, u64, bool)) -> u64 {
    let mut left = offers.needs[need].quantity;
    if let [only] = set {
        let lot = &offers.lots(*only)[need];
        for (units, is_soft) in [(lot.hard, false), (lot.soft, true)] {
            let units = units.min(left);
            if units > 0 {
                give(0, units, is_soft);
                left -= units;
            }
        }
        return left;
    }
    let mut portions = [(i64::MAX, false, usize::MAX, 0); 2 * PARTS_MAX];
    let mut count = 0;
    for (member, offer) in set.iter().enumerate() {
        let lot = &offers.lots(*offer)[need];
        for (rate, is_soft, units) in [(lot.hard_rate, false, lot.hard), (lot.soft_rate, true, lot.soft)] {
            if units > 0 {
                // Ties go to the smaller offer, whatever its place in the set.
                portions[count] = (rate, is_soft, *offer, units);
                count += 1;
            }
        }
        debug_assert!(member < PARTS_MAX, "a set is never larger than the rules allow");
    }
    portions[..count].sort_unstable();
    for (_, is_soft, offer, units) in &portions[..count] {
        let units = (*units).min(left);
        if units == 0 {
            break;
        }
        let member = set.iter().position(|member| member == offer).expect("portions come from members");
        give(member, units, *is_soft);
        left -= units;
    }
    left
}

struct Search<'a> {
    offers: &'a Offers,
    split: Split,
    /// For each need what can be had of it at all.
    reach: Vec<u64>,
    /// For each need the offers that have any, cheapest part first.
    having: Vec<Vec<usize>>,
    /// What is missing even if everybody gives all.
    missing_least: u64,
    /// No set costs less without its parts.
    floor: i64,
    best: Rank,
    best_set: Vec<usize>,
    steps_left: u32,
}

impl<'a> Search<'a> {
    fn new(offers: &'a Offers, split: Split, best: Rank, single: usize) -> Self {
        let count = offers.offers.len();
        let (mut reach, mut having) = (Vec::new(), Vec::new());
        let (mut missing_least, mut floor) = (0u64, 0i64);
        for (at, need) in offers.needs.iter().enumerate() {
            let has: Vec<usize> = (0..count).filter(|offer| offers.lots(*offer)[at].units() > 0).collect();
            let units = |sum: u64, offer: &usize| sum.saturating_add(offers.lots(*offer)[at].units());
            let all = has.iter().fold(0, units).min(need.quantity);
            let rate = |offer: &usize| {
                let lot = &offers.lots(*offer)[at];
                if lot.hard > 0 { lot.hard_rate } else { lot.soft_rate }
            };
            // Shares are rounded down, one for each portion.
            floor += (has.iter().map(rate).min().unwrap_or(0) - 2 * PARTS_MAX as i64).max(0);
            missing_least = missing_least.saturating_add(need.shortfall(need.quantity - all));
            reach.push(all);
            having.push(has);
        }
        // Who leaves out the dear units pays less, so there is no floor where something is missing anyway.
        let floor = if missing_least == 0 { floor } else { 0 };
        let steps_left = STEPS_MAX;
        Self { offers, split, reach, having, missing_least, floor, best, best_set: vec![single], steps_left }
    }

    /// A first set that is not too bad: whoever has most of what is missing, and of those the cheapest.
    fn seed(&mut self) {
        let mut set: Vec<usize> = Vec::new();
        while set.len() < self.split.parts_max {
            let short = self.short(&set);
            if short.iter().all(|units| *units == 0) {
                break;
            }
            let worth = |offer: usize| {
                let lots = self.offers.lots(offer).iter().zip(&short).enumerate();
                lots.map(|(at, (lot, short))| self.offers.needs[at].shortfall(lot.units().min(*short)))
                    .fold(0u64, u64::saturating_add)
            };
            let mut most = (0, 0);
            for offer in (0..self.offers.offers.len()).filter(|offer| !set.contains(offer)) {
                let worth = worth(offer);
                if worth > most.0 {
                    most = (worth, offer);
                }
            }
            if most.0 == 0 {
                break;
            }
            set.push(most.1);
        }
        self.consider(&set);
    }

    /// Looks at all sets that hold `set`. Takeovers begin at offer `from`, so that each set of them is seen once.
    fn grow(&mut self, set: &mut Vec<usize>, given_up: &mut [bool], from: usize) {
        if set.len() == self.split.parts_max || self.steps_left == 0 {
            return;
        }
        let fixed: i64 = set.iter().map(|offer| self.offers.offers[*offer].fixed).sum();
        let spent = fixed + self.split.cost * set.len() as i64 + self.floor;
        let short = self.short(set);
        let scarce = (0..short.len())
            .filter(|need| short[*need] > 0 && !given_up[*need])
            .min_by_key(|need| (self.having[*need].len(), *need));
        let Some(need) = scarce else {
            for offer in from..self.offers.offers.len() {
                if self.is_too_dear(spent + self.offers.offers[offer].fixed) || self.steps_left == 0 {
                    break;
                }
                self.steps_left -= 1;
                if !set.contains(&offer) {
                    self.try_with(set, offer, given_up, offer + 1);
                }
            }
            return;
        };
        let is_last = set.len() + 1 == self.split.parts_max;
        for at in 0..self.having[need].len() {
            let offer = self.having[need][at];
            if self.is_too_dear(spent + self.offers.offers[offer].fixed) || self.steps_left == 0 {
                break;
            }
            self.steps_left -= 1;
            let more = self.more(offer, &short);
            let whole = self.best.missing == self.missing_least;
            let hopeless = whole
                && more.is_some_and(|more| {
                    is_last || self.is_too_dear(spent + self.offers.offers[offer].fixed + self.split.cost + more)
                });
            if set.contains(&offer) || hopeless {
                continue;
            }
            self.try_with(set, offer, given_up, 0);
        }
        if self.best.missing > self.missing_least {
            given_up[need] = true;
            self.grow(set, given_up, from);
            given_up[need] = false;
        }
    }

    /// What at least one more part costs that gives what an offer leaves short; `None` if it leaves nothing.
    fn more(&self, offer: usize, short: &[u64]) -> Option<i64> {
        let lots = self.offers.lots(offer).iter().zip(short).enumerate();
        let left = lots.filter(|(_, (lot, short))| lot.units() < **short).map(|(need, _)| need);
        left.filter_map(|need| self.having[need].first()).map(|first| self.offers.offers[*first].fixed).max()
    }

    fn try_with(&mut self, set: &mut Vec<usize>, offer: usize, given_up: &mut [bool], from: usize) {
        self.steps_left = self.steps_left.saturating_sub(SET_STEPS);
        set.push(offer);
        self.consider(set);
        self.grow(set, given_up, from);
        set.pop();
    }

    fn consider(&mut self, set: &[usize]) {
        let rank = rank(self.offers, self.split, set);
        if rank < self.best && !set.is_empty() {
            self.best = rank;
            self.best_set = set.to_vec();
        }
    }

    /// True when whatever costs at least so much cannot be better than the best that is known.
    fn is_too_dear(&self, cost: i64) -> bool {
        self.best.missing == self.missing_least && self.best.cheap == 0 && cost >= self.best.cost
    }

    /// What a set lacks of that which can be had.
    fn short(&self, set: &[usize]) -> Vec<u64> {
        let units =
            |need: usize| set.iter().fold(0u64, |sum, it| sum.saturating_add(self.offers.lots(*it)[need].units()));
        (0..self.reach.len()).map(|need| self.reach[need].saturating_sub(units(need))).collect()
    }
}

/// Parts of a plan, see the rules.
const PARTS_MAX: usize = stockroom_crdt::order::rules::PARTS_MAX as usize;

/// What a search may spend before the best so far is taken: about a third of a millisecond, and more than is needed where stores are near
/// each other and their shelves alike.
const STEPS_MAX: u32 = 10_000;

/// What it costs to price a set, when looking at a store that may join one costs 1.
const SET_STEPS: u32 = 16;
