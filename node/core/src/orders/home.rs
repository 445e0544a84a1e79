//! The home of an order: who is asked next, who stands down, and what nobody has.

use std::collections::BTreeSet;

use stockroom_crdt::entry::Fact;
use stockroom_crdt::ids::{Code, StoreId};
use stockroom_crdt::order::header::{Order, Preference};
use stockroom_crdt::order::intent::{OrderStep, SILENT, Saying};
use stockroom_crdt::order::resolve::{Event, Fulfillment, Known, Outcome, State, resolve};
use stockroom_crdt::order::{LineUnits, OrderId};
use stockroom_crdt::product::Channel;
use stockroom_crdt::scope::Scope;
use stockroom_crdt::stock::custody::Why;
use stockroom_crdt::stock::rights::{Account, Class};

use super::desk::{Subject, Wait};
use super::routing::{self, Needs, Task};
use crate::books::{orders as book, rights};
use crate::replica::Replica;
use crate::rights::holder;
use crate::storage::StoreError;
use crate::view::View;

/// What the home writes about one order.
pub fn follows(replica: &mut Replica, order: OrderId) -> Result<Vec<(Scope, Fact)>, StoreError> {
    if order.home != replica.actor().node {
        return Ok(Vec::new());
    }
    let known = book::known(&replica.overlay, order)?;
    let (Some(header), Some(outcome)) = (&known.order, resolve(&known)) else { return Ok(Vec::new()) };
    if !outcome.state.is_open() && outcome.stable {
        replica.forget_limits(order);
    }
    let facts = stood_down(&known, &outcome, order);
    if !facts.is_empty() {
        return Ok(facts);
    }
    wait_for_answers(replica, &known, &outcome, order);
    let facts = cancelled(replica, &known, &outcome, order);
    if !facts.is_empty() || outcome.held.is_some() {
        return Ok(facts);
    }
    let facts = unplaced(replica, &known, header, &outcome)?;
    if !facts.is_empty() {
        return Ok(facts);
    }
    silent(replica, &known, header, &outcome)
}

/// Fulfillments that another store is ahead of, or whose units nobody wants any more.
fn stood_down(known: &Known, outcome: &Outcome, order: OrderId) -> Vec<(Scope, Fact)> {
    let told = |(generation, store): &&(u16, StoreId)| known.has_said(Saying::StandDown, *generation, *store);
    let losers = outcome.losers.iter().filter(|loser| !told(loser));
    losers
        .map(|(generation, store)| says(order, (*generation, *store), Saying::StandDown, "not needed any more"))
        .collect()
}

/// Begins to count how long stores take.
fn wait_for_answers(replica: &mut Replica, known: &Known, outcome: &Outcome, order: OrderId) {
    let now = replica.now.mono_ms;
    for part in &outcome.fulfillments {
        let subject = Subject { order, generation: part.generation, store: part.store, wait: Wait::Accept };
        if part.state == State::Offered && !part.withdrawn {
            let offer = known.parts.get(&(part.generation, part.store)).and_then(|part| part.offer.as_ref());
            let within_ms = offer.map_or(0, |offer| offer.accept_within_ms);
            replica.order_desk.wait(subject, now, within_ms);
        } else {
            replica.order_desk.due.remove(&subject);
            replica.order_desk.passed.remove(&subject);
        }
    }
}

/// Units of which a cancel was asked, and that no store has: they are cancelled and not offered again.
fn cancelled(replica: &Replica, known: &Known, outcome: &Outcome, order: OrderId) -> Vec<(Scope, Fact)> {
    let mut lines = Vec::new();
    for (at, line) in outcome.lines.iter().enumerate() {
        let number = at as u16;
        let asked = said_units(known, Saying::AskCancel, number, line.ordered);
        let confirmed: i64 =
            outcome.fulfillments.iter().filter_map(|part| part.line(number)).map(|line| line.cancelled).sum();
        let so_far = said_units(known, Saying::Cancel, number, line.ordered);
        let more = (asked - line.cancelled).min(line.unplaced);
        if more > 0 {
            // What stores confirmed is cancelled beside this.
            let units = (so_far + more).min(line.ordered - confirmed);
            lines.push(LineUnits { line: number, quantity: units.max(so_far) });
        }
    }
    lines.retain(|units| units.quantity > said_units(known, Saying::Cancel, units.line, i64::MAX));
    if lines.is_empty() {
        return Vec::new();
    }
    let said = OrderStep {
        order,
        generation: 0,
        saying: Saying::Cancel,
        lines,
        until_ms: 0,
        note: word("no store had it"),
        by: Code::default(),
    };
    vec![(replica.orders_scope(), Fact::OrderStep(said))]
}

/// Units that no store has: another store if there is one, the customer's wish for a pickup, and in the end nobody.
fn unplaced(
    replica: &mut Replica,
    known: &Known,
    order: &Order,
    outcome: &Outcome,
) -> Result<Vec<(Scope, Fact)>, StoreError> {
    let needs = missing(outcome);
    let subject = Subject { order: order.id, generation: 0, store: book::NOBODY, wait: Wait::Answer };
    if needs.is_empty() {
        replica.order_desk.due.remove(&subject);
        replica.order_desk.passed.remove(&subject);
        return Ok(Vec::new());
    }
    let wish = wish(known);
    let among = match (order.channel, &wish) {
        (_, Wish::Stores(stores)) => stores.clone(),
        (_, Wish::GiveUp) => return Ok(vec![given_up(replica, known, order.id, &needs, "the customer's wish")]),
        (Channel::Delivery, _) => Vec::new(),
        // Who wanted to collect says where else, or whether at all; for a part of an order not for long.
        (Channel::Pickup | Channel::Till, _) => {
            let has_part = outcome
                .fulfillments
                .iter()
                .any(|part| part.state.is_open() || part.lines.iter().any(|line| line.handed > 0));
            if has_part {
                return answer(replica, known, order, &needs);
            }
            return Ok(Vec::new());
        }
    };
    let but: BTreeSet<_> = outcome.fulfillments.iter().filter(|part| is_no_good(part)).map(|part| part.store).collect();
    let task = Task { order, needs: &needs, among: &among, but: &but };
    let plan = routing::plan(replica, &task)?;
    let generation = next_generation(known);
    let (mut facts, left) = routing::offers(replica, (order, &needs), &plan, (generation, false))?;
    if !facts.is_empty() {
        replica.reached("an order was routed again");
        routing::note(replica, order.id, generation, &plan);
        return Ok(facts);
    }
    if matches!(wish, Wish::Stores(_)) && order.channel == Channel::Pickup {
        return Ok(Vec::new());
    }
    facts.extend(asked(replica, order, &left)?);
    if facts.is_empty() { answer(replica, known, order, &needs) } else { Ok(facts) }
}

/// Waits for an answer, or for rights, and gives up when none came in time.
fn answer(
    replica: &mut Replica,
    known: &Known,
    order: &Order,
    needs: &Needs,
) -> Result<Vec<(Scope, Fact)>, StoreError> {
    let subject = Subject { order: order.id, generation: 0, store: book::NOBODY, wait: Wait::Answer };
    let asks = |line: &(u16, i64)| order.lines[usize::from(line.0)].preference == Preference::Ask;
    let is_over =
        replica.order_desk.has_passed(subject) || (order.channel == Channel::Pickup && !needs.iter().any(asks));
    if !is_over {
        let within_ms = replica.limits_for(book::NOBODY)?.answer_within_ms;
        let now = replica.now.mono_ms;
        replica.order_desk.wait(subject, now, within_ms);
        return Ok(Vec::new());
    }
    replica.reached("units of an order were given up");
    Ok(vec![given_up(replica, known, order.id, needs, "no store has them")])
}

/// Offers to which no store answered in time: another store is asked if there is one. The silent one may still have taken it.
fn silent(
    replica: &mut Replica,
    known: &Known,
    order: &Order,
    outcome: &Outcome,
) -> Result<Vec<(Scope, Fact)>, StoreError> {
    for part in outcome.fulfillments.iter().filter(|part| part.state == State::Offered && !part.withdrawn) {
        let subject = Subject { order: order.id, generation: part.generation, store: part.store, wait: Wait::Accept };
        if !replica.order_desk.passed.remove(&subject) {
            continue;
        }
        if order.channel == Channel::Pickup {
            // The customer said where: nobody else decides. Somebody has to call the store.
            replica.reached("a store was silent about a pickup");
            replica.alarm(format!("store {} has not answered the offer of order {}", part.store.0, order.id));
            continue;
        }
        let needs: Needs =
            part.lines.iter().map(|line| (line.offered.line, line.open())).filter(|(_, units)| *units > 0).collect();
        let but: BTreeSet<_> = outcome.fulfillments.iter().map(|part| part.store).collect();
        let plan = routing::plan(replica, &Task { order, needs: &needs, among: &[], but: &but })?;
        if !plan.missing.is_empty() || plan.parts.is_empty() {
            // Nobody else has it: it stays where it is, and is looked at again.
            let within_ms = replica.limits_for(part.store)?.accept_within_ms;
            let now = replica.now.mono_ms;
            replica.order_desk.due.insert(subject, now.saturating_add(within_ms));
            continue;
        }
        replica.reached("a silent store was passed over");
        let generation = next_generation(known);
        let (mut facts, _) = routing::offers(replica, (order, &needs), &plan, (generation, true))?;
        routing::note(replica, order.id, generation, &plan);
        facts.push(says(order.id, (part.generation, part.store), Saying::Withdraw, SILENT));
        return Ok(facts);
    }
    Ok(Vec::new())
}

/// Asks those who hold rights for what is missing, so that the next try may do better.
pub fn asked(replica: &Replica, order: &Order, needs: &Needs) -> Result<Vec<(Scope, Fact)>, StoreError> {
    let mut facts = Vec::new();
    for (line, units) in needs {
        let ordered = &order.lines[usize::from(*line)];
        for record in View::new(&replica.overlay).stores()?.into_iter().take(crate::limits::RESERVE_STORES_MAX) {
            let account = Account { store: record.store, sku: ordered.sku.clone(), unit: ordered.unit };
            let held = rights::rights(&replica.overlay, &account, Class::Goods)?;
            if held.minted() == 0 {
                continue;
            }
            let fact = holder::ask(replica, &account, &held, (units.unsigned_abs(), Why::Miss))?;
            facts.extend(fact.map(|fact| (Scope::StoreRights(record.store), fact)));
        }
    }
    Ok(facts)
}

/// What the customer last answered.
enum Wish {
    Nothing,
    Stores(Vec<StoreId>),
    GiveUp,
}

fn wish(known: &Known) -> Wish {
    let answers = known.sayings.iter().filter(|event| event.says.saying == Saying::Choose);
    let Some(last) = answers.max_by_key(|event| (event.hlc, event.at)) else { return Wish::Nothing };
    match last.says.note.as_str() {
        "cancel" | "partial" => Wish::GiveUp,
        note => match note.strip_prefix("store-").and_then(|number| number.parse().ok()) {
            Some(store) => Wish::Stores(vec![StoreId(store)]),
            None => Wish::Nothing,
        },
    }
}

/// A store that has not, or does not want to.
fn is_no_good(part: &Fulfillment) -> bool {
    part.withdrawn || !part.state.is_open() || part.lines.iter().any(|line| line.short() > 0)
}

/// The number of the home's next decision.
pub fn next_generation(known: &Known) -> u16 {
    known.parts.keys().map(|(generation, _)| *generation).max().unwrap_or(0).saturating_add(1)
}

/// Units that no store has.
pub fn missing(outcome: &Outcome) -> Needs {
    let of = |(at, line): (usize, &stockroom_crdt::order::resolve::LineOutcome)| (at as u16, line.unplaced);
    outcome.lines.iter().enumerate().map(of).filter(|(_, units)| *units > 0).collect()
}

/// The most units of a line that anybody said this of.
pub fn said_units(known: &Known, saying: Saying, line: u16, all: i64) -> i64 {
    let of_order = |event: &&Event<OrderStep>| event.says.saying == saying && event.says.generation == 0;
    known.sayings.iter().filter(of_order).filter_map(|event| event.says.units(line, all)).max().unwrap_or(0)
}

fn given_up(replica: &Replica, known: &Known, order: OrderId, needs: &Needs, why: &str) -> (Scope, Fact) {
    let of = |(line, units): &(u16, i64)| LineUnits {
        line: *line,
        quantity: said_units(known, Saying::GiveUp, *line, i64::MAX).saturating_add(*units),
    };
    let said = OrderStep {
        order,
        generation: 0,
        saying: Saying::GiveUp,
        lines: needs.iter().map(of).collect(),
        until_ms: 0,
        note: word(why),
        by: Code::default(),
    };
    (replica.orders_scope(), Fact::OrderStep(said))
}

/// Something that the home says to a store of one of its offers.
pub fn says(order: OrderId, (generation, store): (u16, StoreId), saying: Saying, note: &str) -> (Scope, Fact) {
    let by = Code::default();
    let said = OrderStep { order, generation, saying, lines: Vec::new(), until_ms: 0, note: word(note), by };
    (Scope::StoreOrders(store), Fact::OrderStep(said))
}

fn word(text: &str) -> Code {
    Code::parse(text).unwrap_or_default()
}
