//! How the rights of a pool are spread over a centre and its spokes, and when moving one is worth it.
//!
//! A right at the centre serves whoever can reach it. A right at a spoke serves that spoke also while it is cut off, and nobody else
//! meanwhile. So it is insurance against an outage, and Littlewood's question for seats ("Forecasting and control of passenger
//! bookings", AGIFORS 1972) decides: give spoke i its j-th right if what it is worth there in an outage, `p_ij + (1 - p_ij) r_i`, is more
//! than the worth of the centre's last right, `mu`:
//!
//! * `p_ij`: at least j are asked for at i during an outage. Poisson, mixed over the lengths of outages that i has really had.
//! * `mu = P(demand until the next delivery >= rights that are left)`.
//! * `r_i = mu P(outage ends before the next delivery)`: an unused right comes back and is worth what the last one is worth.
//!
//! How likely an outage is cancels out of the comparison, and comes back where rights are short or a move has to be worth its message.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use stockroom_crdt::stock::policy::Allocation;

use super::DAY_MS;
use super::chance::{Tails, at_least, sane};
use super::outage::Lengths;

/// One who holds rights at the end of a link.
#[derive(Clone, Copy, Debug)]
pub struct Spoke<'a> {
    /// Rights that it holds or will hold when what is under way arrives.
    pub held: u64,
    /// Units that the centre ever granted to it.
    pub granted: u64,
    /// What is asked for there, units per millisecond.
    pub rate: f64,
    /// How long its link will be down when it fails.
    pub outage: &'a Lengths,
    /// How long its link is usually up, milliseconds.
    pub up_mean_ms: f64,
    /// Its link is up.
    pub reachable: bool,
}

/// A centre and its spokes.
#[derive(Clone, Copy, Debug)]
pub struct Pool<'a> {
    /// Rights that the centre holds.
    pub held: u64,
    /// Of those, what is owed to soft promises: never spread.
    pub owed: u64,
    /// Units that ever came into the pool.
    pub arrived: u64,
    /// What is asked for at the centre itself and beyond it, units per millisecond.
    pub rate: f64,
    /// Until goods are expected to come in again, milliseconds.
    pub horizon_ms: u64,
    /// Everybody else.
    pub spokes: &'a [Spoke<'a>],
}

/// How eager rights move.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Tuning {
    /// The expected number of promises that the rights moved at once to or from one spoke must save. 0 moves whenever it is better.
    pub kappa: f64,
    /// A spoke that borrows is given what it is expected to need for so long, milliseconds.
    pub ahead_ms: u64,
}

/// One transfer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Move {
    /// The centre grants so many to a spoke.
    Grant {
        /// Which.
        spoke: usize,
        /// How many; more than 0.
        units: u64,
    },
    /// The centre asks a spoke to grant so many back.
    Reclaim {
        /// Which.
        spoke: usize,
        /// How many; more than 0.
        units: u64,
    },
}

impl Default for Tuning {
    fn default() -> Self {
        Self { kappa: KAPPA, ahead_ms: 86_400_000 }
    }
}

/// What to move now. Grants together are never more than what the centre holds and does not owe; nothing is reclaimed that a spoke
/// does not hold; nothing moves where the link is down.
///
/// `O(n log n + rights that can move)`, the second at most [`LOTS_MAX`]: larger pools are spread in lots.
pub fn spread(pool: &Pool<'_>, allocation: Allocation, tuning: &Tuning) -> Vec<Move> {
    match allocation {
        Allocation::HubOnly => home_again(pool),
        Allocation::Static | Allocation::Proportional => shares(pool, |spoke| spoke.rate),
        Allocation::EqualBorrow => shares(pool, |_| 1.0),
        Allocation::Littlewood => littlewood(pool, tuning),
    }
}

/// The best number of rights for each spoke by Littlewood's rule; a spoke that is not reachable keeps what it has.
pub fn targets(pool: &Pool<'_>) -> Vec<u64> {
    Ladder::climb(pool).targets
}

/// Whole shares of `units` by weights, summing to `units`: the largest remainders are rounded up (Hamilton's method).
pub fn apportion(units: u64, weights: &[f64]) -> Vec<u64> {
    let sum: f64 = weights.iter().map(|weight| sane(*weight)).sum();
    if sum <= 0.0 {
        return vec![0; weights.len()];
    }
    let exact = |weight: &f64| sane(*weight) / sum * units as f64;
    let mut shares: Vec<u64> = weights.iter().map(|weight| exact(weight) as u64).collect();
    let mut left = units.saturating_sub(shares.iter().fold(0u64, |sum, share| sum.saturating_add(*share)));
    let mut order: Vec<usize> = (0..weights.len()).collect();
    order.sort_by(|a, b| exact(&weights[*b]).fract().total_cmp(&exact(&weights[*a]).fract()).then(a.cmp(b)));
    for at in order {
        if left == 0 {
            break;
        }
        shares[at] += 1;
        left -= 1;
    }
    shares
}

fn home_again(pool: &Pool<'_>) -> Vec<Move> {
    let held = |(spoke, it): (usize, &Spoke<'_>)| {
        (it.reachable && it.held > 0).then_some(Move::Reclaim { spoke, units: it.held })
    };
    pool.spokes.iter().enumerate().filter_map(held).collect()
}

/// Each spoke gets once what its share of all that ever came in is; the centre keeps its own. Who cannot be reached gets it later, if it is still there.
fn shares(pool: &Pool<'_>, weight: impl Fn(&Spoke<'_>) -> f64) -> Vec<Move> {
    let none = Lengths::new(Vec::new());
    let own = Spoke { held: 0, granted: 0, rate: pool.rate, outage: &none, up_mean_ms: 0.0, reachable: true };
    let centre = if pool.rate > 0.0 { weight(&own) } else { 0.0 };
    let weights: Vec<f64> = pool.spokes.iter().map(weight).chain([centre]).collect();
    let targets = apportion(pool.arrived, &weights);
    let mut left = pool.held.saturating_sub(pool.owed);
    let mut moves = Vec::new();
    for (spoke, (it, target)) in pool.spokes.iter().zip(targets).enumerate() {
        let units = target.saturating_sub(it.granted).min(left);
        if it.reachable && units > 0 {
            moves.push(Move::Grant { spoke, units });
            left -= units;
        }
    }
    moves
}

fn littlewood(pool: &Pool<'_>, tuning: &Tuning) -> Vec<Move> {
    let ladder = Ladder::climb(pool);
    let mut grants = Vec::new();
    let mut spare = Vec::new();
    for (spoke, it) in pool.spokes.iter().enumerate().filter(|(_, it)| it.reachable) {
        let target = ladder.targets[spoke];
        match target.cmp(&it.held) {
            Ordering::Greater => {
                let gain = ladder.gain(it, it.held, target);
                if gain > tuning.kappa {
                    grants.push((gain, spoke, target - it.held));
                }
            }
            Ordering::Less => spare.push((ladder.gain(it, target, it.held), spoke, it.held - target)),
            Ordering::Equal => {}
        }
    }
    grants.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    spare.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    let wanted = grants.iter().fold(0u64, |sum, grant| sum.saturating_add(grant.2));
    let mut left = pool.held.saturating_sub(pool.owed);
    let mut short = wanted.saturating_sub(left);
    let mut moves = Vec::new();
    for (_, spoke, units) in grants {
        let units = units.min(left);
        if units > 0 {
            moves.push(Move::Grant { spoke, units });
            left -= units;
        }
    }
    for (gain, spoke, units) in spare {
        if gain > tuning.kappa || short > 0 {
            moves.push(Move::Reclaim { spoke, units });
            short = short.saturating_sub(units);
        }
    }
    moves
}

/// The outcome of giving the rights that can move one by one to where the next is worth most.
struct Ladder {
    targets: Vec<u64>,
    /// The worth of the last right at the centre.
    mu: f64,
    /// What the best right is worth that nobody got, over `mu` and times the chance of an outage; 0 if there are enough.
    price: f64,
    horizon_ms: f64,
}

/// The next lot for one spoke.
struct Rung {
    score: f64,
    spoke: usize,
}

impl Ladder {
    fn climb(pool: &Pool<'_>) -> Self {
        let horizon_ms = pool.horizon_ms as f64;
        let reachable = |spoke: &&Spoke<'_>| spoke.reachable;
        let held = |sum: u64, spoke: &Spoke<'_>| sum.saturating_add(spoke.held);
        let free = pool.held.saturating_sub(pool.owed);
        let all = pool.spokes.iter().fold(free, held);
        let movable = pool.spokes.iter().filter(reachable).fold(free, held);
        let rate = sane(pool.rate) + pool.spokes.iter().map(|spoke| sane(spoke.rate)).sum::<f64>();
        let mu = at_least(rate * horizon_ms, all);
        let lot = movable.div_ceil(LOTS_MAX).max(1);
        let mut ladder = Self { targets: Vec::with_capacity(pool.spokes.len()), mu, price: 0.0, horizon_ms };
        let mut tails: Vec<Option<(Tails, f64, f64)>> = Vec::with_capacity(pool.spokes.len());
        let mut rungs = BinaryHeap::with_capacity(pool.spokes.len());
        for (spoke, it) in pool.spokes.iter().enumerate() {
            ladder.targets.push(if it.reachable { 0 } else { it.held });
            tails
                .push(it.reachable.then(|| (it.outage.demand_tails(it.rate, lot), ladder.back(it), ladder.hazard(it))));
            rungs.extend(ladder.rung(spoke, &mut tails));
        }
        let mut left = movable;
        while let Some(Rung { score, spoke }) = rungs.pop() {
            if left == 0 {
                ladder.price = score;
                break;
            }
            let units = lot.min(left);
            ladder.targets[spoke] += units;
            left -= units;
            rungs.extend(ladder.rung(spoke, &mut tails));
        }
        ladder
    }

    /// The next lot of a spoke, if it is worth more there than at the centre.
    fn rung(&self, spoke: usize, tails: &mut [Option<(Tails, f64, f64)>]) -> Option<Rung> {
        let (tails, back, hazard) = tails[spoke].as_mut()?;
        let score = self.score(tails.next_tail(), *back, *hazard);
        (score > SCORE_MIN).then_some(Rung { score, spoke })
    }

    fn score(&self, tail: f64, back: f64, hazard: f64) -> f64 {
        hazard * (tail + (1.0 - tail) * back - self.mu)
    }

    /// What a right is worth that comes back unused.
    fn back(&self, spoke: &Spoke<'_>) -> f64 {
        self.mu * (1.0 - spoke.outage.beyond(self.horizon_ms))
    }

    /// The chance of an outage within a day, or until the horizon if that is nearer.
    fn hazard(&self, spoke: &Spoke<'_>) -> f64 {
        (self.horizon_ms.min(DAY_MS) / sane(spoke.up_mean_ms).max(1.0)).min(1.0)
    }

    /// The expected number of promises that are saved when a spoke holds the nearer to its target of two numbers and not the other.
    fn gain(&self, spoke: &Spoke<'_>, from: u64, to: u64) -> f64 {
        let (back, hazard) = (self.back(spoke), self.hazard(spoke));
        let lot = to.div_ceil(LOTS_MAX).max(1);
        let mut tails = spoke.outage.demand_tails(spoke.rate, lot);
        let mut sum = 0.0;
        for nth in 1..=to / lot {
            let over = self.score(tails.next_tail(), back, hazard) - self.price;
            if nth * lot > from {
                sum += over * lot as f64;
            }
        }
        sum.abs()
    }
}

impl PartialEq for Rung {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Rung {}

impl PartialOrd for Rung {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Rung {
    fn cmp(&self, other: &Self) -> Ordering {
        self.score.total_cmp(&other.score).then(other.spoke.cmp(&self.spoke))
    }
}

/// What the rights of one transfer must save, in promises: the knee measured in `sim/AVAILABILITY.md`.
const KAPPA: f64 = 0.005;

/// A right that saves less than one promise in a hundred million is not worth placing.
const SCORE_MIN: f64 = 1e-8;

/// Steps of one spreading. A pool of more rights moves them in lots of equal size.
const LOTS_MAX: u64 = 4_096;

#[cfg(test)]
mod tests;
