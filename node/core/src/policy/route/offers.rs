//! Who may serve an order, how much of it, and what each would cost. All sums are whole thousandths of a point, so that the same question
//! has the same answer in every order of the candidates.

use stockroom_crdt::order::rules::hours::Pace;
use stockroom_crdt::order::rules::{Boundary, RuleSet};
use stockroom_crdt::product::Channel;

use super::plan::{Goods, Points, Score, Why};
use super::{Candidate, Order, Stock, Terms};

/// All that an order wants of one sort of goods.
#[derive(Clone, Copy, Debug)]
pub struct Need {
    pub goods: Goods,
    pub quantity: u64,
    pub value: i64,
    pub weight_g: u64,
    pub safety: u64,
}

/// What one store can give for one need. A rate is the cost of the whole need; half of it costs half.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lot {
    pub hard: u64,
    pub soft: u64,
    pub hard_rate: i64,
    pub soft_rate: i64,
    pub haul_rate: i64,
    pub hard_ppm: u32,
    pub soft_ppm: u32,
}

/// One store that may serve.
#[derive(Clone, Copy, Debug)]
pub struct Offer {
    /// Among the candidates.
    pub at: usize,
    /// What a part costs whatever is in it.
    pub fixed: i64,
    pub score: Score,
    pub ready_ms: u64,
    pub arrive_ms: u64,
}

/// All of them, the cheapest part first.
#[derive(Clone, Debug)]
pub struct Offers {
    pub needs: Vec<Need>,
    pub offers: Vec<Offer>,
    lots: Vec<Lot>,
    /// Candidates that are left out.
    pub out: Vec<(usize, Why)>,
}

/// Which candidates of other legal entities a step of routing takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Entities {
    Own,
    All,
}

impl Entities {
    /// What the steps of routing try one after the other.
    pub fn steps(order: &Order, boundary: Boundary) -> &'static [Self] {
        match (order.channel, boundary) {
            (Channel::Pickup, _) | (_, Boundary::Free) => &[Self::All],
            (_, Boundary::Never) => &[Self::Own],
            (_, Boundary::LastResort) => &[Self::Own, Self::All],
        }
    }
}

impl Need {
    /// The needs of an order, by goods. Lines of the same goods are one need.
    pub fn of(order: &Order, terms: &Terms<'_>) -> Vec<Self> {
        let mut needs: Vec<Self> = Vec::with_capacity(order.lines.len());
        for line in order.lines.iter().filter(|line| line.quantity > 0) {
            let safety = terms.rules.safety(line.unit);
            let value = line.value.clamp(0, VALUE_MAX);
            match needs.iter_mut().find(|need| need.goods == line.goods) {
                Some(need) => {
                    need.quantity = need.quantity.saturating_add(line.quantity);
                    need.value = need.value.saturating_add(value).min(VALUE_MAX);
                    need.weight_g = need.weight_g.saturating_add(line.weight_g);
                }
                None => needs.push(Self {
                    goods: line.goods,
                    quantity: line.quantity,
                    value,
                    weight_g: line.weight_g,
                    safety,
                }),
            }
        }
        needs.sort_unstable_by_key(|need| need.goods);
        needs
    }

    /// How bad it is that so many units are missing: by their value, and a little for each line of no value.
    pub fn shortfall(&self, units: u64) -> u64 {
        let whole = u128::from(self.value.unsigned_abs() + 1) * 1_000;
        u64::try_from((whole * u128::from(units)).div_ceil(u128::from(self.quantity))).unwrap_or(u64::MAX)
    }

    /// The part of an amount that falls on so many units.
    pub fn share(&self, whole: i64, units: u64) -> i64 {
        if units == self.quantity || units == 0 || whole == 0 {
            return if units == 0 { 0 } else { whole };
        }
        let small = i64::try_from(units).ok().zip(i64::try_from(self.quantity).ok());
        if let Some((product, quantity)) = small.and_then(|(units, all)| Some((whole.checked_mul(units)?, all))) {
            return product / quantity;
        }
        let share = i128::from(whole) * i128::from(units) / i128::from(self.quantity);
        i64::try_from(share).unwrap_or(COST_MAX)
    }
}

impl Lot {
    fn of(need: &Need, stock: &Stock, set: &RuleSet, haul_rate: i64) -> Self {
        let hard = stock.held.saturating_sub(need.safety).min(need.quantity);
        let allowed = stock.soft_ppm <= set.filter.soft_ppm_max && set.filter.soft_ppm_max > 0;
        let soft = if allowed { stock.soft.min(need.quantity) } else { 0 };
        let hard_ppm = stock.shelf_ppm.min(MILLION);
        let soft_ppm = stock.soft_ppm.saturating_add(hard_ppm).min(MILLION);
        let rate = |ppm: u32| i64::from(ppm) * i64::from(set.weights.risk) / 1_000 + haul_rate;
        Self { hard, soft, hard_rate: rate(hard_ppm), soft_rate: rate(soft_ppm), haul_rate, hard_ppm, soft_ppm }
    }

    /// Units that it can give.
    pub fn units(&self) -> u64 {
        self.hard.saturating_add(self.soft)
    }
}

impl Offers {
    /// What the candidates may do for an order by one rule set.
    pub fn of(order: &Order, candidates: &[Candidate<'_>], step: (&RuleSet, Entities), terms: &Terms<'_>) -> Self {
        let needs = Need::of(order, terms);
        let mut found: Vec<(Offer, usize)> = Vec::with_capacity(candidates.len());
        let mut lots = Vec::with_capacity(candidates.len() * needs.len());
        let mut out = Vec::new();
        for (at, candidate) in candidates.iter().enumerate() {
            let from = lots.len();
            let metres = order.place.zip(candidate.place).map(|(to, from)| from.metres_to(&to));
            let judged = filter(order, candidate, step, metres, terms).and_then(|()| {
                held(&needs, order, candidate, (step.0, metres), &mut lots)?;
                offer(order, (at, candidate), (step.0, metres), terms)
            });
            match judged {
                Ok(offer) => found.push((offer, from)),
                Err(why) => {
                    lots.truncate(from);
                    out.push((at, why));
                }
            }
        }
        found.sort_unstable_by_key(|(offer, _)| (offer.fixed, candidates[offer.at].store));
        let width = needs.len();
        let sorted = found.iter().flat_map(|(_, from)| lots[*from..from + width].iter().copied()).collect();
        Self { needs, offers: found.into_iter().map(|(offer, _)| offer).collect(), lots: sorted, out }
    }

    /// What an offer gives for each need.
    pub fn lots(&self, offer: usize) -> &[Lot] {
        &self.lots[offer * self.needs.len()..(offer + 1) * self.needs.len()]
    }

    /// The score of an offer that gives these units, hard and soft, of each need.
    pub fn score(&self, offer: usize, given: impl Iterator<Item = (usize, u64, u64)>) -> Score {
        let mut score = self.offers[offer].score;
        for (need, hard, soft) in given {
            let (need, lot) = (&self.needs[need], &self.lots(offer)[need]);
            let haul = need.share(lot.haul_rate, hard) + need.share(lot.haul_rate, soft);
            let all = need.share(lot.hard_rate, hard) + need.share(lot.soft_rate, soft);
            score.points.haul += haul;
            score.points.risk += all - haul;
            let broken = need.share(lot.hard_ppm.into(), hard) + need.share(lot.soft_ppm.into(), soft);
            score.broken_ppm += broken.unsigned_abs();
        }
        score
    }
}

fn filter(
    order: &Order,
    candidate: &Candidate<'_>,
    (set, entities): (&RuleSet, Entities),
    metres: Option<u32>,
    terms: &Terms<'_>,
) -> Result<(), Why> {
    let filter = &set.filter;
    if order.channel == Channel::Pickup && !order.chosen.contains(&candidate.store) {
        return Err(Why::NotTheCustomersStore);
    }
    let wanted = filter.entity.is_empty() || filter.entity == *candidate.entity;
    if !wanted || (entities == Entities::Own && order.entity != *candidate.entity) {
        return Err(Why::OtherEntity);
    }
    if !filter.group.is_empty() && filter.group != *candidate.group {
        return Err(Why::OtherGroup);
    }
    if candidate.parts_left == Some(0) {
        return Err(Why::Full);
    }
    let age_ms = terms.now_ms.saturating_sub(candidate.heard_ms);
    if filter.age_ms_max.is_some_and(|most| age_ms > most) {
        return Err(Why::Silent { age_ms });
    }
    // Where the customer fetches it himself, he has decided how far he goes.
    if order.channel == Channel::Pickup {
        return Ok(());
    }
    match (filter.metres_max, metres) {
        (Some(most), Some(metres)) if metres > most => return Err(Why::TooFar { metres }),
        (Some(_), None) => return Err(Why::NoPlace),
        (Some(_), Some(_)) | (None, _) => {}
    }
    match (filter.rings_max, order.place.zip(candidate.place)) {
        (Some(most), Some((to, from))) if to.rings_to(&from).is_none_or(|rings| rings > u32::from(most)) => {
            Err(Why::OutsideRings)
        }
        (Some(_), None) => Err(Why::NoPlace),
        (Some(_), Some(_)) | (None, _) => Ok(()),
    }
}

/// Adds one lot for each need, unless there is nothing in any of them.
fn held(
    needs: &[Need],
    order: &Order,
    candidate: &Candidate<'_>,
    (set, metres): (&RuleSet, Option<u32>),
    lots: &mut Vec<Lot>,
) -> Result<(), Why> {
    let way = if order.channel == Channel::Pickup { 0 } else { metres.unwrap_or(UNKNOWN_METRES) };
    let mut any = false;
    for need in needs {
        let haul = u128::from(need.weight_g) * u128::from(way) * u128::from(set.weights.haul) / 1_000_000;
        let haul = i64::try_from(haul).unwrap_or(COST_MAX).min(COST_MAX);
        let stock = candidate.stock.binary_search_by_key(&need.goods, |stock| stock.goods);
        let lot = stock.map_or_else(|_| Lot::default(), |at| Lot::of(need, &candidate.stock[at], set, haul));
        any |= lot.units() > 0;
        lots.push(lot);
    }
    if any { Ok(()) } else { Err(Why::NothingHeld) }
}

fn offer(
    order: &Order,
    (at, candidate): (usize, &Candidate<'_>),
    (set, metres): (&RuleSet, Option<u32>),
    terms: &Terms<'_>,
) -> Result<Offer, Why> {
    let pace = Pace { prepare_ms: terms.rules.prepare_ms, last_orders_ms: terms.limits.last_orders_ms };
    let ready_ms = match candidate.service {
        Some(service) => service.ready_ms(terms.now_ms, candidate.offset_min, pace).ok_or(Why::Closed)?,
        None => terms.now_ms.saturating_add(pace.prepare_ms),
    };
    let fetched = order.channel == Channel::Pickup;
    let way = metres.unwrap_or(if fetched { 0 } else { UNKNOWN_METRES });
    let crow_ms = u64::from(way) * 60_000 / u64::from(terms.rules.metres_per_min.max(1));
    let travel_ms = if fetched { 0 } else { order.travel_ms.get(&candidate.store).copied().unwrap_or(crow_ms) };
    let arrive_ms = ready_ms.saturating_add(travel_ms);
    let late_ms = arrive_ms.saturating_sub(order.promised_ms);
    let age_ms = terms.now_ms.saturating_sub(candidate.heard_ms);
    let load_ppm = candidate.load_ppm();
    let hours = |ms: u64, weight: u32| (ms.min(YEAR_MS) * u64::from(weight) / 3_600) as i64;
    let points = Points {
        distance: i64::from(way) * i64::from(set.weights.distance),
        lateness: hours(late_ms, set.weights.lateness),
        age: hours(age_ms, set.weights.age),
        load: i64::from(load_ppm) * i64::from(set.weights.load) / 1_000,
        ..Points::default()
    };
    let score = Score { metres, late_ms, age_ms, load_ppm, broken_ppm: 0, points };
    Ok(Offer { at, fixed: points.total(), score, ready_ms, arrive_ms })
}

/// How far away something is of which nobody knows: farther than most.
const UNKNOWN_METRES: u32 = 100_000;

const MILLION: u32 = 1_000_000;

/// Later or older than a year costs no more.
const YEAR_MS: u64 = 366 * 86_400_000;

/// No single term of a cost is larger: 1,000 of them are far from the end of 64 bits.
const COST_MAX: i64 = 1_000_000_000_000_000;

/// The value of a need, minor units.
const VALUE_MAX: i64 = 1_000_000_000_000;
