//! What came of the orders of a run, and what a planner would have made of them who knew all of them beforehand.
//!
//! The clairvoyant plan has the same orders at the same stores, due at the same times, the same number of pickers with the same speed,
//! and goods where the run found them; nothing is cut, nobody is silent, and a picker begins with an order the moment it is placed. Each
//! store's orders are taken by due time, and when that plan cannot be kept, the longest order so far is left out (Moore and Hodgson's
//! rule; with several pickers and orders that come later it is near the optimum and not always it).
//!
//! That plan cannot begin before the hub has placed an order. A second figure has no such excuse: orders begin when the customer first
//! asks, with or without a hub, and must be ready as long after that; [`bound`](super::bound) says how many of them any plan could have.

use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use stockroom_crdt::order::OrderId;
use stockroom_crdt::order::redress::Rule;
use stockroom_crdt::order::resolve::{OrderState, Outcome, State};
use stockroom_crdt::order::rules::limits::OrderLimits;

use super::bound::most;
use crate::outcome::OrderFigures;
use crate::plan::Action;
use crate::plan::orders::Shopfloor;
use crate::run::Play;

/// One order at one store, as the clairvoyant planner sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Work {
    /// When it comes.
    pub from_ms: u64,
    /// When it is due.
    pub due_ms: u64,
    /// How long a picker is busy with it.
    pub takes_ms: u64,
}

impl Play<'_> {
    /// The figures of the run; `None` without orders.
    pub(crate) fn order_figures(&self) -> Option<OrderFigures> {
        let floor = self.plan.shopfloor.as_ref()?;
        let mut sum = OrderFigures { wanted: self.fulfil.buyers.len() as u64, ..OrderFigures::default() };
        let mut works: BTreeMap<u32, Vec<(OrderId, Work)>> = BTreeMap::new();
        let mut on_time: BTreeSet<OrderId> = BTreeSet::new();
        let mut hubless: BTreeMap<u32, Vec<Work>> = BTreeMap::new();
        let is_one_crew = self.fulfil.buyers.values().any(|buyer| buyer.wanted.stores.len() != 1);
        let usual_ms = self.ready_within_ms();
        for buyer in self.fulfil.buyers.values() {
            let Some(placed) = &buyer.placed else {
                sum.turned_away += 1;
                let units: i64 = buyer.wanted.lines.iter().map(|(_, units)| units).sum();
                let takes_ms = floor.takes_ms(buyer.wanted.lines.len() as u64, units.unsigned_abs());
                let work = Work { from_ms: buyer.asked_ms, due_ms: buyer.asked_ms + usual_ms, takes_ms };
                let crew = if is_one_crew { 0 } else { buyer.wanted.stores[0] };
                hubless.entry(crew).or_default().push(work);
                continue;
            };
            sum.placed += 1;
            if !self.world.is_up(placed.home) {
                continue;
            }
            let Some(outcome) = self.outcome_at(placed.home, placed.id) else { continue };
            tally(&outcome, &mut sum);
            if buyer.cancelled {
                continue;
            }
            sum.counted += 1;
            let due_ms = self.due_of(placed.home, placed.id);
            let (ordered, store) = (outcome.lines.iter().map(|line| line.ordered).sum::<i64>(), place_of(&outcome));
            let ready_ms = self.ready_ms(placed.id, ordered);
            if ready_ms.is_some_and(|ready_ms| ready_ms <= due_ms) {
                sum.on_time += 1;
                on_time.insert(placed.id);
            }
            let asked_due_ms = buyer.asked_ms + due_ms.saturating_sub(placed.at_ms);
            sum.prompt += u64::from(ready_ms.is_some_and(|ready_ms| ready_ms <= asked_due_ms));
            let takes_ms = floor.takes_ms(outcome.lines.len() as u64, ordered.unsigned_abs());
            let work = Work { from_ms: placed.at_ms, due_ms, takes_ms };
            works.entry(store).or_default().push((placed.id, work));
            let crew = if is_one_crew { 0 } else { buyer.wanted.stores[0] };
            hubless.entry(crew).or_default().push(Work { from_ms: buyer.asked_ms, due_ms: asked_due_ms, takes_ms });
        }
        let crews = if is_one_crew { self.plan.fleet.stores } else { 1 };
        sum.hubless = hubless.values().map(|works| most(works, u64::from(floor.pickers * crews))).sum();
        sum.prompt_ppm = (sum.prompt * 1_000_000).checked_div(sum.hubless).unwrap_or(1_000_000);
        for works in works.values() {
            let kept = best(&works.iter().map(|(_, work)| *work).collect::<Vec<_>>(), floor);
            sum.clairvoyant += kept.len() as u64;
            sum.both += kept.iter().filter(|at| on_time.contains(&works[**at].0)).count() as u64;
        }
        sum.ratio_ppm = (sum.both * 1_000_000).checked_div(sum.clairvoyant).unwrap_or(1_000_000);
        sum.paid_back = self.fulfil.paid.values().sum();
        Some(sum)
    }

    fn ready_within_ms(&self) -> u64 {
        let limits = self.plan.steps.iter().filter_map(|step| match &step.action {
            Action::Limits(limits) => Some(limits.ready_within_ms),
            _ => None,
        });
        limits.max().unwrap_or(OrderLimits::default().ready_within_ms)
    }

    fn due_of(&self, home: u32, order: OrderId) -> u64 {
        let known = self.read_at(home, |view| view.order(order));
        known.order.map_or(0, |order| order.due_ms)
    }

    /// When so many units of an order were ready.
    fn ready_ms(&self, order: OrderId, units: i64) -> Option<u64> {
        let mut sum = 0;
        let found = self.fulfil.ready.get(&order)?.iter().find(|(_, ready)| {
            sum += ready;
            sum >= units
        });
        found.map(|(at_ms, _)| *at_ms)
    }
}

fn tally(outcome: &Outcome, sum: &mut OrderFigures) {
    let end = match outcome.state {
        OrderState::Completed => Some(0),
        OrderState::PartlyCompleted => Some(1),
        OrderState::Cancelled => Some(2),
        OrderState::Failed => Some(3),
        OrderState::Waiting | OrderState::Open(_) => None,
    };
    if let Some(end) = end {
        sum.ended[end] += 1;
    }
    let again = outcome.fulfillments.iter().filter(|part| !part.handed_again.is_empty()).count();
    let over = outcome.lines.iter().filter(|line| line.over > 0).count();
    let twice = outcome.due.iter().filter(|due| due.rule == Rule::HandedTwice).count();
    sum.handed_twice += (again + over).max(twice) as u64;
    let parts = outcome.fulfillments.iter().filter(|part| part.state != State::StoodDown);
    sum.oversold +=
        parts.flat_map(|part| &part.lines).filter(|line| line.picked.is_some() && line.short() > 0).count() as u64;
}

/// The store that did most of an order.
fn place_of(outcome: &Outcome) -> u32 {
    let parts = outcome.fulfillments.iter();
    parts
        .max_by_key(|part| (part.lines.iter().map(|line| line.handed).sum::<i64>(), part.generation))
        .map_or(0, |part| part.store.0)
}

/// Works that are done on time by a plan that knows all of them beforehand: their places in the list.
pub fn best(works: &[Work], floor: &Shopfloor) -> Vec<usize> {
    let mut order: Vec<usize> = (0..works.len()).collect();
    order.sort_by_key(|at| (works[*at].due_ms, works[*at].from_ms));
    let mut kept: Vec<usize> = Vec::new();
    for at in order {
        if works[at].from_ms + works[at].takes_ms > works[at].due_ms {
            continue;
        }
        kept.push(at);
        while !fits(&kept, works, floor.pickers as usize) {
            let longest = (0..kept.len()).max_by_key(|place| works[kept[*place]].takes_ms).unwrap_or(0);
            kept.remove(longest);
        }
    }
    kept
}

/// True when all of these are done on time if pickers always take the one that is due first.
fn fits(kept: &[usize], works: &[Work], pickers: usize) -> bool {
    let mut coming: Vec<Work> = kept.iter().map(|at| works[*at]).collect();
    coming.sort_by_key(|work| std::cmp::Reverse(work.from_ms));
    let mut free: BinaryHeap<std::cmp::Reverse<u64>> = (0..pickers.max(1)).map(|_| std::cmp::Reverse(0)).collect();
    let mut waiting: BinaryHeap<std::cmp::Reverse<(u64, u64)>> = BinaryHeap::new();
    while !coming.is_empty() || !waiting.is_empty() {
        let std::cmp::Reverse(picker) = free.pop().unwrap_or(std::cmp::Reverse(0));
        let mut now_ms = picker;
        if waiting.is_empty()
            && let Some(next) = coming.last()
        {
            now_ms = now_ms.max(next.from_ms);
        }
        while let Some(next) = coming.last().filter(|work| work.from_ms <= now_ms) {
            waiting.push(std::cmp::Reverse((next.due_ms, next.takes_ms)));
            coming.pop();
        }
        let Some(std::cmp::Reverse((due_ms, takes_ms))) = waiting.pop() else { continue };
        if now_ms + takes_ms > due_ms {
            return false;
        }
        free.push(std::cmp::Reverse(now_ms + takes_ms));
    }
    true
}

#[cfg(test)]
mod tests {
    use super::{Work, best};
    use crate::plan::orders::Shopfloor;

    fn floor(pickers: u32) -> Shopfloor {
        Shopfloor { pickers, ..Shopfloor::default() }
    }

    #[test]
    fn of_works_that_do_not_all_fit_the_longest_is_left_out() {
        let work = |takes_ms, due_ms| Work { from_ms: 0, due_ms, takes_ms };
        let works = [work(4, 5), work(2, 6), work(3, 7)];
        assert_eq!(best(&works, &floor(1)), [1, 2]);
        assert_eq!(best(&works, &floor(2)).len(), 3);
    }

    #[test]
    fn works_that_come_later_wait_for_a_picker() {
        let works: Vec<_> = (0..10).map(|n| Work { from_ms: n * 10, due_ms: n * 10 + 15, takes_ms: 10 }).collect();
        assert_eq!(best(&works, &floor(1)).len(), 10);
        let works: Vec<_> = (0..10).map(|_| Work { from_ms: 0, due_ms: 55, takes_ms: 10 }).collect();
        assert_eq!(best(&works, &floor(1)).len(), 5);
    }
}
