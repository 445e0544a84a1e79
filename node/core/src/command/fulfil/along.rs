//! Two people, or two devices, at one fulfillment: what a handheld took along is handed over there, and what somebody has picked is not
//! picked again unawares.

use stockroom_crdt::order::resolve::Fulfillment;
use stockroom_crdt::order::step::{FulfillmentStep, Step};

use super::Held;
use crate::input::Refusal;
use crate::input::orders::{FulfilRequest, Proof};
use crate::replica::Replica;

/// Whether somebody else is at it.
pub(super) fn check(replica: &mut Replica, held: &Held, request: &FulfilRequest) -> Result<(), Refusal> {
    taken(replica, held, request)?;
    picked(replica, held, request)
}

/// What a handheld took along is handed over there, or brought back: nobody else gives it away or ends it meanwhile, except that a manager
/// takes it back.
fn taken(replica: &mut Replica, held: &Held, request: &FulfilRequest) -> Result<(), Refusal> {
    if request.step == Step::TakeAlong && request.note.is_empty() {
        return Err(Refusal::invalid("holder", "is needed: what this handheld will show for it"));
    }
    let Some(taken) = held.part.taken.as_ref() else { return Ok(()) };
    let is_holder = !request.holder.is_empty() && request.holder == taken.holder;
    let is_manager = matches!(&request.proof, Proof::Manager(name) if !name.is_empty());
    let is_taken_back = request.step == Step::BringBack && is_manager;
    if is_holder || is_taken_back || is_harmless(request.step) {
        return Ok(());
    }
    if !replica.is_taken_along(held.offer.order, &held.part) {
        return Ok(());
    }
    replica.reached("somebody else asked for goods that a handheld had taken along");
    let who = if taken.staff.is_empty() { "a handheld" } else { taken.staff.as_str() };
    Err(Refusal::State(format!(
        "{TAKEN_BY} {who}: it is handed over there or brought back, or a manager takes it back"
    )))
}

/// Whoever picks a line anew is told of somebody who has picked it meanwhile.
fn picked(replica: &mut Replica, held: &Held, request: &FulfilRequest) -> Result<(), Refusal> {
    if request.step != Step::Pick || !request.anew {
        return Ok(());
    }
    let is_meant = |line: u16| request.lines.is_empty() || request.lines.iter().any(|said| said.line == line);
    let Some(line) = held.part.lines.iter().find(|line| line.picked.is_some() && is_meant(line.offered.line)) else {
        return Ok(());
    };
    replica.reached("two people picked one line");
    let by = last_pick(held, line.offered.line).map(|said| said.staff.as_str()).filter(|staff| !staff.is_empty());
    let (by, found, number) = (by.unwrap_or("the node"), line.picked.unwrap_or(0), line.offered.line + 1);
    Err(Refusal::State(format!("{by} {PICKED_BY} line {number} already and wrote down {found}: look again")))
}

fn last_pick(held: &Held, line: u16) -> Option<&FulfillmentStep> {
    let part: &Fulfillment = &held.part;
    let steps = &held.known.parts.get(&(part.generation, part.store))?.steps;
    let about = steps.iter().filter(|event| event.says.step == Step::Pick && event.says.is_about(line));
    about.max_by_key(|event| (event.hlc, event.at)).map(|event| &event.says)
}

/// Nothing is given away by these, and nothing ends.
fn is_harmless(step: Step) -> bool {
    matches!(step, Step::Arrive | Step::DenyCancel | Step::CheckAge | Step::WrongCode | Step::Hold | Step::Resume)
}

/// How the sentence goes on that says who picked a line before.
pub const PICKED_BY: &str = "has looked for";

/// How the sentence begins that says who took a fulfillment along.
pub const TAKEN_BY: &str = "taken along by";
