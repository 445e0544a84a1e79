//! What an order costs in the end, and what is owed because it went otherwise than promised.
//!
//! Each line has as many units as were ordered. Whatever takes units away from the customer (a cancel, a shortage, a parcel that came
//! back) claims them in a fixed order, and each claim is paid back once. Units that were paid back and handed over all the same are a loss
//! that somebody bears. The sum of refunds never exceeds what was captured.

use super::part::{Fulfillment, PartLine, State};
use super::{Event, Known, LineOutcome};
use crate::ids::{Code, StoreId};
use crate::order::OrderId;
use crate::order::header::{Order, OrderLine, Preference};
use crate::order::intent::Saying;
use crate::order::redress::{Rule, redress_id};
use crate::order::returns::judge::Sold;
use crate::order::step::{FulfillmentStep, Step};

/// What somebody gets, or bears.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Due {
    /// Follows from its cause: it is given once.
    pub id: [u8; 16],
    /// Why.
    pub rule: Rule,
    /// About which line.
    pub line: u16,
    /// Units of the line.
    pub units: i64,
    /// Minor units: a refund to the customer, or a loss.
    pub amount: i64,
    /// Who bears a loss, in words; empty for a refund.
    pub bearer: String,
    /// It was carried out.
    pub done: bool,
}

/// Units that are taken away from the customer, for one cause.
struct Claim {
    rule: Rule,
    units: i64,
    cause: [u8; 16],
    bearer: Code,
    id: [u8; 16],
    done: bool,
}

/// What the customer pays for what was handed over, and everything that is owed or was given.
pub fn settle(known: &Known, order: &Order, lines: &[LineOutcome], parts: &[Fulfillment]) -> (i64, Vec<Due>) {
    let mut due = Vec::new();
    let mut charge: i64 = 0;
    for (at, outcome) in lines.iter().enumerate() {
        let number = at as u16;
        charge = charge.saturating_add(charge_of(order, number, outcome, parts));
        of_line(known, order, (number, outcome), parts, &mut due);
        due.extend(differences(known, order, number, parts));
        due.extend(handed_twice(known, order, (number, outcome), parts));
        due.extend(goods_back(known, order, number, parts));
    }
    let payment = known.payment.as_ref();
    let authorised = payment.map_or(i64::MAX, |payment| payment.authorised.max(payment.captured));
    let captured = payment.map_or(0, |payment| payment.captured);
    overpaid(known, order, captured, &mut due);
    clip(known, captured, &mut due);
    due.retain(|due| due.amount > 0 || due.done);
    (charge.min(authorised), due)
}

fn charge_of(order: &Order, number: u16, outcome: &LineOutcome, parts: &[Fulfillment]) -> i64 {
    let sum = parts.iter().filter_map(|part| part.line(number)).map(PartLine::charge).fold(0, i64::saturating_add);
    if outcome.over == 0 {
        return sum;
    }
    // Whoever got more than was ordered does not pay for it.
    sum.min(order.lines[usize::from(number)].amount(outcome.ordered))
}

fn of_line(
    known: &Known,
    order: &Order,
    (number, outcome): (u16, &LineOutcome),
    parts: &[Fulfillment],
    due: &mut Vec<Due>,
) {
    let mut claims = claims(known, order, number, parts);
    let claimed: i64 = claims.iter().map(|claim| claim.units).sum();
    // What was handed over all the same is not paid back, unless it was.
    let mut excess = claimed + outcome.handed - outcome.ordered;
    let price = &order.lines[usize::from(number)];
    for claim in claims.iter_mut().rev() {
        if excess <= 0 {
            break;
        }
        let overlap = claim.units.min(excess);
        if claim.done {
            let id = redress_id(order.id, (Rule::RefundedAndHanded, number), vec![claim.cause]);
            let bearer = if claim.bearer.is_empty() { "the order's home".into() } else { claim.bearer.to_string() };
            let done = is_done(known, id);
            let amount = price.amount(overlap);
            due.push(Due { id, rule: Rule::RefundedAndHanded, line: number, units: overlap, amount, bearer, done });
        } else {
            claim.units -= overlap;
        }
        excess -= overlap;
    }
    for claim in claims.into_iter().filter(|claim| claim.units > 0 || claim.done) {
        let amount = price.amount(claim.units);
        let Claim { rule, units, id, done, cause, .. } = claim;
        let counts = known.redresses.get(&id).filter(|_| done).map_or(amount, |given| given.amount.min(amount));
        due.push(Due { id, rule, line: number, units, amount: counts, bearer: String::new(), done });
        due.extend(more(known, price, (order.id, rule, number), (amount, cause, id)));
    }
}

/// What a claim has grown by since it was paid back: the same cause, and another id for each payment, so that each is given once.
fn more(
    known: &Known,
    price: &OrderLine,
    (order, rule, line): (OrderId, Rule, u16),
    (amount, cause, first): (i64, [u8; 16], [u8; 16]),
) -> Vec<Due> {
    let mut out = Vec::new();
    let (mut left, mut last) = (amount, first);
    while let Some(given) = known.redresses.get(&last).filter(|given| given.done) {
        left -= given.amount;
        if left <= 0 {
            break;
        }
        last = redress_id(order, (rule, line), vec![cause, last]);
        let units = left / price.amount(1).max(1);
        let given = known.redresses.get(&last).filter(|given| given.done);
        let counts = given.map_or(left, |given| given.amount.min(left));
        out.push(Due { id: last, rule, line, units, amount: counts, bearer: String::new(), done: given.is_some() });
    }
    out
}

/// Whatever takes units of a line away from the customer, in the order in which it counts.
fn claims(known: &Known, order: &Order, number: u16, parts: &[Fulfillment]) -> Vec<Claim> {
    let all = order.lines[usize::from(number)].quantity;
    let mut found: Vec<(Rule, i64, [u8; 16], Code)> = Vec::new();
    for (saying, rule) in
        [(Saying::RiskRefund, Rule::Cancelled), (Saying::Cancel, Rule::Cancelled), (Saying::GiveUp, Rule::Short)]
    {
        let mut said: Vec<_> = known.sayings.iter().filter(|event| event.says.saying == saying).collect();
        said.sort_by_key(|event| (event.hlc, event.at));
        let mut before = 0;
        for event in said {
            let Some(units) = event.says.units(number, all).filter(|units| *units > before) else { continue };
            let bearer = if saying == Saying::RiskRefund { event.says.note.clone() } else { Code::default() };
            found.push((rule, units - before, event.hash(|says, sink| says.encode(sink)), bearer));
            before = units;
        }
    }
    let at_risk: i64 = found.iter().filter(|claim| !claim.3.is_empty()).map(|claim| claim.1).sum();
    let mut confirmed = 0;
    for part in parts {
        let Some(line) = part.line(number) else { continue };
        // A cancel that was paid back at risk before its store confirmed it is the same cancel.
        let cancelled = (confirmed + line.cancelled - at_risk).clamp(0, line.cancelled);
        confirmed += line.cancelled;
        let short = if line.offered.preference == Preference::Partial { line.short() } else { 0 };
        let ended = match part.state {
            State::Declined | State::HandedOver => (Rule::Declined, Step::Decline),
            State::Uncollected => (Rule::Uncollected, Step::Uncollected),
            State::Lost => (Rule::NotDelivered, Step::Lose),
            _ => (Rule::NotDelivered, Step::Returned),
        };
        let of_part = [
            (Rule::Cancelled, cancelled, Step::ConfirmCancel),
            (Rule::Short, if part.state == State::StoodDown { 0 } else { short }, Step::Pick),
            (ended.0, line.failed, ended.1),
        ];
        for (rule, units, step) in of_part {
            if units > 0
                && let Some(cause) = cause(known, part, (step, number))
            {
                found.push((rule, units, cause, Code::default()));
            }
        }
    }
    let mut left = all;
    let mut out = Vec::new();
    for (rule, units, cause, bearer) in found {
        let units = units.min(left);
        left -= units;
        let id = redress_id(order.id, (rule, number), vec![cause]);
        out.push(Claim { rule, units, cause, bearer, id, done: is_done(known, id) });
    }
    out
}

/// Weighed goods came out lighter, or something cheaper was taken: what was paid too much for what was handed over.
fn differences(known: &Known, order: &Order, number: u16, parts: &[Fulfillment]) -> Vec<Due> {
    let of_part = |part: &Fulfillment| {
        let line = part.line(number).filter(|line| line.handed > 0 && line.open() == 0)?;
        let paid = line.offered.amount(line.stands_for());
        let amount = paid - line.charge();
        let cause = cause(known, part, (Step::Pick, number))?;
        let id = redress_id(order.id, (Rule::Difference, number), vec![cause]);
        let done = is_done(known, id);
        (amount > 0).then(|| Due {
            id,
            rule: Rule::Difference,
            line: number,
            units: line.handed,
            amount,
            bearer: String::new(),
            done,
        })
    };
    parts.iter().filter_map(of_part).collect()
}

/// More was handed over than was ordered: by two stores, or twice by one that was split in itself.
fn handed_twice(
    known: &Known,
    order: &Order,
    (number, outcome): (u16, &LineOutcome),
    parts: &[Fulfillment],
) -> Vec<Due> {
    let price = &order.lines[usize::from(number)];
    let mut out = Vec::new();
    let mut push = |units: i64, causes: Vec<[u8; 16]>, bearer: String| {
        let id = redress_id(order.id, (Rule::HandedTwice, number), causes);
        let done = is_done(known, id);
        let amount = price.amount(units);
        out.push(Due { id, rule: Rule::HandedTwice, line: number, units, amount, bearer, done });
    };
    for part in parts {
        for (event, lines) in &part.handed_again {
            let Some((_, units)) = lines.iter().find(|(line, _)| *line == number) else { continue };
            let by = if event.says.staff.is_empty() { String::new() } else { format!(" by {}", event.says.staff) };
            let bearer = format!("store {}, device {}{by}", part.store.0, event.says.device);
            push(*units, vec![event.hash(|says, sink| says.encode(sink))], bearer);
        }
    }
    if outcome.over > 0 {
        let handed = parts.iter().filter(|part| part.line(number).is_some_and(|line| line.handed > 0));
        let causes = handed.filter_map(|part| {
            cause(known, part, (Step::HandOver, number)).or_else(|| cause(known, part, (Step::Deliver, number)))
        });
        push(outcome.over, causes.collect(), "the order's home, which gave it to two stores".into());
    }
    out
}

/// Goods that came back after the handover, in the order in which they came: each unit that the customer had is paid back once, for what
/// was charged for it, less what is to be paid back for it anyway.
fn goods_back(known: &Known, order: &Order, number: u16, parts: &[Fulfillment]) -> Vec<Due> {
    let lines = || parts.iter().filter_map(|part| part.line(number));
    let had = Sold {
        units: lines().map(|line| line.handed).sum(),
        amount: lines().map(PartLine::charge).fold(0, i64::saturating_add),
    };
    let mut returns: Vec<_> = known.returns.values().collect();
    returns.sort_by_key(|returned| (returned.at_ms, returned.id));
    let (mut back, mut out) = (0, Vec::new());
    for returned in returns {
        let Some(line) = returned.lines.iter().find(|line| line.line == number) else { continue };
        let units = line.quantity.min(had.units - back).max(0);
        let amount = had.amount_of(back + units) - had.amount_of(back);
        back += units;
        let id = redress_id(order.id, (Rule::GoodsBack, number), vec![returned.said().short()]);
        let done = is_done(known, id);
        out.push(Due { id, rule: Rule::GoodsBack, line: number, units, amount, bearer: String::new(), done });
    }
    out
}

/// More was taken than the order costs.
fn overpaid(known: &Known, order: &Order, captured: i64, due: &mut Vec<Due>) {
    let authorised = known.payment.as_ref().map_or(0, |payment| payment.authorised);
    let amount = captured - order.total().max(authorised);
    if amount > 0 {
        let id = redress_id(order.id, (Rule::Overpaid, 0), Vec::new());
        let done = is_done(known, id);
        due.push(Due { id, rule: Rule::Overpaid, line: 0, units: 0, amount, bearer: String::new(), done });
    }
}

/// What was given stays; what is still to be given is cut so that no more is given than is owed, and than was captured.
fn clip(known: &Known, captured: i64, due: &mut [Due]) {
    let refunds = || due.iter().filter(|due| due.rule.is_refund());
    let owed: i64 = refunds().map(|due| due.amount).fold(0, i64::saturating_add);
    let given: i64 = known.redresses.values().filter(|given| given.done).map(|given| given.amount).sum();
    let mut left = (owed.min(captured) - given).max(0);
    for due in due.iter_mut().filter(|due| due.rule.is_refund() && !due.done) {
        due.amount = due.amount.min(left);
        left -= due.amount;
    }
    for due in due.iter_mut().filter(|due| due.done) {
        due.amount = known.redresses.get(&due.id).map_or(due.amount, |given| given.amount);
    }
}

fn is_done(known: &Known, id: [u8; 16]) -> bool {
    known.redresses.get(&id).is_some_and(|redress| redress.done)
}

/// The hash of the step that caused something: the first one of its kind that is about the line.
fn cause(known: &Known, part: &Fulfillment, (step, line): (Step, u16)) -> Option<[u8; 16]> {
    let held = known.parts.get(&(part.generation, part.store))?;
    let about = |event: &&Event<FulfillmentStep>| event.says.step == step && event.says.is_about(line);
    let first = held.steps.iter().filter(about).min_by_key(|event| (event.hlc, event.at))?;
    Some(first.hash(|says, sink| says.encode(sink)))
}

/// What a store sold for the entity that took the order: the units of each fulfillment that the customer has, in money.
pub fn handed_value(part: &Fulfillment) -> i64 {
    part.lines.iter().map(PartLine::charge).fold(0, i64::saturating_add)
}

/// An order's legal entities settle per fulfillment: who sold, who fulfilled, and for how much.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settlement {
    /// Of which order.
    pub order: OrderId,
    /// Of which fulfillment.
    pub generation: u16,
    /// At which store.
    pub store: StoreId,
    /// Who sold; owes the amount.
    pub seller: Code,
    /// Who fulfilled.
    pub fulfiller: Code,
    /// Minor units.
    pub amount: i64,
}
