//! The store that holds a fulfillment: how it answers its home, and what follows for promises when goods are missing.

use stockroom_crdt::codec::Rows;
use stockroom_crdt::entry::Fact;
use stockroom_crdt::ids::{Code, StoreId};
use stockroom_crdt::order::OrderId;
use stockroom_crdt::order::intent::{OrderStep, Saying};
use stockroom_crdt::order::resolve::{Event, Fulfillment, Known, State};
use stockroom_crdt::order::step::{FulfillmentStep, OVERSOLD, Step, StepLine};
use stockroom_crdt::scope::Scope;
use stockroom_crdt::stock::promise::{PromiseStep, State as PromiseState, Step as PromiseStepKind};

use crate::books::{orders as book, rights};
use crate::plant::{Plant, planted};
use crate::replica::Replica;
use crate::storage::StoreError;

/// What a store writes about one order.
pub fn follows(replica: &Replica, store: StoreId, order: OrderId) -> Result<Vec<(Scope, Fact)>, StoreError> {
    let known = book::known_at(&replica.overlay, store, order)?;
    let mut facts = Vec::new();
    for part in known.fulfillments() {
        if part.state.is_open() {
            facts.extend(of_part(replica, &known, &part)?);
        }
        facts.extend(closed(replica, &known, &part)?);
    }
    Ok(facts)
}

/// What a fulfillment that is open calls for: at most one answer at a time, since each changes what is open.
fn of_part(replica: &Replica, known: &Known, part: &Fulfillment) -> Result<Vec<(Scope, Fact)>, StoreError> {
    let here = Scope::StoreOrders(part.store);
    let order = known.parts[&(part.generation, part.store)].offer.as_ref().map(|offer| offer.order);
    let Some(order) = order else { return Ok(Vec::new()) };
    let says = |step: Step, lines: Vec<StepLine>, note: &str| {
        let said = FulfillmentStep {
            order,
            generation: part.generation,
            step,
            lines,
            note: word(note),
            staff: Code::default(),
            device: 0,
        };
        vec![(here.clone(), Fact::FulfillmentStep(said))]
    };
    if replica.is_taken_along(order, part) {
        // Whatever was asked waits until they are handed over or brought back, or the time for that is over.
        return Ok(Vec::new());
    }
    let has_left = matches!(part.state, State::Out | State::Returning);
    if known.has_said(Saying::StandDown, part.generation, part.store) && !has_left && !planted(Plant::LoserKeeps) {
        return Ok(says(Step::StandDown, Vec::new(), "another store has it, or nobody wants it"));
    }
    if known.has_said(Saying::Withdraw, part.generation, part.store) && part.state == State::Offered {
        return Ok(says(Step::StandDown, Vec::new(), "withdrawn"));
    }
    if let Some(asked) = newest(known, part, Saying::AskCancel) {
        let lines = cancelled(part, asked);
        if has_left {
            let unanswered = !lines.is_empty() && answers(known, part) < asks(known, part);
            return Ok(if unanswered { says(Step::DenyCancel, Vec::new(), "on its way") } else { Vec::new() });
        }
        if !lines.is_empty() {
            return Ok(says(Step::ConfirmCancel, lines, asked.says.note.as_str()));
        }
    }
    // Goods that were promised for it and are sold, or were not found, are not looked for.
    let mut missing = Vec::new();
    for line in part.lines.iter().filter(|line| line.picked.is_none()) {
        let promise = known.parts[&(part.generation, part.store)]
            .offer
            .as_ref()
            .map(|offer| offer.promise(part.store, line.offered.line));
        let Some(promise) = promise else { continue };
        let record = rights::record(&replica.overlay, part.store, promise)?;
        if record.is_some_and(|record| record.state() == PromiseState::Shorted) {
            missing.push(StepLine { line: line.offered.line, quantity: 0, reason: word(OVERSOLD), substitute: None });
        }
    }
    Ok(if missing.is_empty() { Vec::new() } else { says(Step::Pick, missing, "") })
}

/// How much of each line is cancelled when everything that was asked is confirmed; nothing if that is so already.
fn cancelled(part: &Fulfillment, asked: &Event<OrderStep>) -> Vec<StepLine> {
    let only_unpicked = asked.says.note.as_str() == "amend";
    let mut lines = Vec::new();
    let mut is_news = false;
    for line in &part.lines {
        let all = line.offered.quantity;
        let Some(units) = asked.says.units(line.offered.line, all) else { continue };
        let fixed = line.handed + line.failed + if only_unpicked { line.picked.unwrap_or(0) } else { 0 };
        let units = units.min(all - fixed).max(line.cancelled);
        is_news |= units > line.cancelled;
        lines.push(StepLine { line: line.offered.line, quantity: units, reason: Code::default(), substitute: None });
    }
    if is_news { lines } else { Vec::new() }
}

/// Promises behind units that nobody gets any more are over, once no picked goods lie apart for them.
fn closed(replica: &Replica, known: &Known, part: &Fulfillment) -> Result<Vec<(Scope, Fact)>, StoreError> {
    let Some(offer) = &known.parts[&(part.generation, part.store)].offer else { return Ok(Vec::new()) };
    let mut facts = Vec::new();
    let is_put_back = part.first(Step::PutBack).is_some();
    for line in &part.lines {
        let is_over = !part.state.is_open() || line.open() == 0;
        if !is_over || line.handed > 0 || planted(Plant::LoserKeeps) && part.state == State::StoodDown {
            continue;
        }
        let id = offer.promise(part.store, line.offered.line);
        let Some(record) = rights::record(&replica.overlay, part.store, id)? else { continue };
        if record.promise.is_none() {
            continue;
        }
        let state = record.state();
        let step = |step| {
            let said = PromiseStep { promise: id, step, found: 0, note: Code::default(), staff: Code::default() };
            (Scope::StoreRights(part.store), Fact::PromiseStep(said))
        };
        match state {
            PromiseState::Staged if is_put_back && !part.to_put_back => {
                facts.extend([step(PromiseStepKind::PutBack), step(PromiseStepKind::Release)]);
            }
            PromiseState::Held | PromiseState::Confirmed | PromiseState::Releasing => {
                facts.push(step(PromiseStepKind::Release));
            }
            PromiseState::Staged | PromiseState::Fulfilled | PromiseState::Released | PromiseState::Shorted => {}
        }
    }
    Ok(facts)
}

/// The newest saying of a kind about a fulfillment.
fn newest<'a>(known: &'a Known, part: &Fulfillment, saying: Saying) -> Option<&'a Event<OrderStep>> {
    let of = known.sayings.iter().filter(|event| event.says.saying == saying && event.store == part.store);
    of.filter(|event| event.says.generation == part.generation).max_by_key(|event| (event.hlc, event.at))
}

/// How often somebody asked to cancel it, and how often the store answered. Which answer is to which asking no clock can say: that of the
/// asker may run hours ahead of the store's.
fn asks(known: &Known, part: &Fulfillment) -> usize {
    let about = |event: &&Event<OrderStep>| event.store == part.store && event.says.generation == part.generation;
    known.sayings.iter().filter(about).filter(|event| event.says.saying == Saying::AskCancel).count()
}

fn answers(known: &Known, part: &Fulfillment) -> usize {
    steps(known, part, Step::DenyCancel).chain(steps(known, part, Step::ConfirmCancel)).count()
}

fn steps<'a>(
    known: &'a Known,
    part: &Fulfillment,
    step: Step,
) -> impl Iterator<Item = &'a Event<FulfillmentStep>> + use<'a> {
    known.parts[&(part.generation, part.store)].steps.iter().filter(move |event| event.says.step == step)
}

/// What a sealed contact is bound to.
pub fn contact_about(order: OrderId) -> Vec<u8> {
    Rows::of(|sink| order.encode(sink))
}

fn word(text: &str) -> Code {
    let mut end = text.len().min(stockroom_crdt::limits::CODE_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    Code::parse(&text[..end]).unwrap_or_default()
}
