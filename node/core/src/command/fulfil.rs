//! Fulfillments at the store that holds them: accepting, picking, handing over, and at the hub what couriers report.
//!
//! Each step is checked against where the fulfillment stands, and carries what it does to promises and goods in the same commit. Goods
//! leave the book when they leave the store, once.

pub mod along;

use std::collections::BTreeMap;

use stockroom_crdt::entry::Fact;
use stockroom_crdt::ids::{Code, StoreId};
use stockroom_crdt::money::Unit;
use stockroom_crdt::order::header::Preference;
use stockroom_crdt::order::offer::{Offer, OfferLine, code_hash};
use stockroom_crdt::order::pass::SignedPass;
use stockroom_crdt::order::resolve::{Fulfillment, Known, State};
use stockroom_crdt::order::step::{FulfillmentStep, Step, StepLine, Substitute};
use stockroom_crdt::product::Channel;
use stockroom_crdt::receiving::Adjustment;
use stockroom_crdt::scope::Scope;
use stockroom_crdt::stock::promise::{
    Claim, GoodsIssue, Promise, PromiseId, PromiseStep, State as PromiseState, Step as PromiseStepKind,
};
use stockroom_crdt::stock::rights::{Account, Class, Rights};
use stockroom_crdt::stock::shortage::Shortage;

use super::promise::promisable;
use super::{Failed, check_fact, check_quantity};
use crate::books;
use crate::books::{orders as book, rights};
use crate::input::orders::{FulfilRequest, Proof};
use crate::input::{Answer, Refusal};
use crate::journal::{Place, entry_at};
use crate::plant::{Plant, planted};
use crate::replica::Replica;
use crate::rights::home;
use crate::view::View;

/// A fulfillment with its offer, as this node knows it.
struct Held {
    store: StoreId,
    known: Known,
    part: Fulfillment,
    offer: Offer,
}

/// Takes a step. A wrong code is written down and answered, not refused: tries are counted.
pub fn fulfil(replica: &mut Replica, request: FulfilRequest) -> Result<(Place, Option<Answer>), Failed> {
    if let Proof::Pass(bytes) = &request.proof {
        show(replica, bytes)?;
    }
    let held = find(replica, &request)?;
    if request.step.is_of_store() && replica.own_store() != Some(held.store) {
        let message = format!("store {} holds this fulfillment: only its node says that", held.store.0);
        return Err(Refusal::NotHere(message).into());
    }
    follows(&held, &request)?;
    along::check(replica, &held, &request)?;
    check_lines(&held, &request)?;
    match request.step {
        Step::HandOver | Step::Dispatch => {
            if let Some(answer) = proven(replica, &held, &request)? {
                return Ok(answer);
            }
            give(replica, &held, request)
        }
        Step::Pick => pick(replica, &held, request),
        Step::Refuse => {
            missing(replica, &held, request.note.as_str(), &request.staff)?;
            write(replica, &held, request)
        }
        Step::Returned => {
            come_back(replica, &held, &request)?;
            write(replica, &held, request)
        }
        _ => write(replica, &held, request),
    }
}

/// The answer to an earlier try if that was a wrong code, with the tries that are left by now.
pub fn wrong_code(replica: &Replica, place: Place) -> Result<Option<Answer>, Failed> {
    let Some(Fact::FulfillmentStep(said)) = entry_at(&replica.overlay, place)?.map(|item| item.entry.fact) else {
        return Ok(None);
    };
    let Some(own) = replica.own_store().filter(|_| said.step == Step::WrongCode) else { return Ok(None) };
    let parts = book::known_at(&replica.overlay, own, said.order)?.fulfillments();
    let tried = parts.iter().find(|part| part.generation == said.generation).map_or(0, |part| part.wrong_codes);
    let tries = u32::from(replica.limits_for(own)?.code_tries);
    Ok(Some(Answer::CodeWrong { left: tries.saturating_sub(tried) }))
}

/// Takes a signed pass that a customer shows, so that the store can work on what it has not heard of.
pub fn show(replica: &mut Replica, bytes: &[u8]) -> Result<(Place, SignedPass), Failed> {
    let own = super::own_store(replica)?;
    let bad = |message: String| Failed::from(Refusal::State(message));
    let shown = SignedPass::from_bytes(bytes).map_err(|error| Refusal::invalid("pass", error))?;
    let pass = &shown.pass;
    let Some(issuer) = books::node(&replica.overlay, pass.issuer.node)? else {
        return Err(bad("this pass was not issued by a node of this chain".into()));
    };
    if !shown.verify(replica.me.tenant, &issuer.log_key) {
        replica.reached("a forged pass was refused");
        return Err(bad("this pass is not genuine: its signature does not hold".into()));
    }
    if pass.store != own {
        replica.reached("a pass for another store was refused");
        let name = View::new(&replica.overlay).store(pass.store)?.map_or(String::new(), |record| record.name);
        return Err(bad(format!("this pass is for store {} {name}: the goods are there", pass.store.0)));
    }
    let now = replica.now.wall_ms;
    if now > pass.until_ms.saturating_add(SKEW_MS) {
        replica.reached("an expired pass was refused");
        let late_min = (now - pass.until_ms) / 60_000;
        return Err(bad(format!("this pass ran out {late_min} minutes ago: the customer's phone can renew it")));
    }
    let known = book::known_at(&replica.overlay, own, pass.order)?;
    if let Some(part) = known.fulfillments().iter().find(|part| part.generation == pass.generation) {
        if !part.state.is_open() {
            replica.reached("a used pass was refused");
            return Err(bad(ended(part)));
        }
        return Ok((Place { log: crate::journal::LogNumber(0), seq: 0 }, shown));
    }
    replica.reached("a pass was shown at a store that had not heard of the order");
    let place = replica.write(&Scope::StoreRights(own), vec![Fact::PassShown(shown.clone())])?[0];
    Ok((place, shown))
}

fn find(replica: &Replica, request: &FulfilRequest) -> Result<Held, Failed> {
    let unknown = || Failed::from(Refusal::Unknown { field: "order".into(), what: "order here" });
    let Some(store) = request.store.or_else(|| replica.own_store()) else {
        return Err(Refusal::invalid("store", "is needed at a hub").into());
    };
    let known = book::known_at(&replica.overlay, store, request.order)?;
    let parts = known.fulfillments();
    let part = match request.generation {
        Some(generation) => parts.into_iter().find(|part| part.generation == generation),
        None => parts.into_iter().max_by_key(|part| (part.state.is_open() || part.to_put_back, part.generation)),
    };
    let part = part.ok_or_else(unknown)?;
    let offer = known.parts[&(part.generation, store)].offer.clone().ok_or_else(unknown)?;
    Ok(Held { store, known, part, offer })
}

/// Whether a step may be taken where the fulfillment stands.
fn follows(held: &Held, request: &FulfilRequest) -> Result<(), Refusal> {
    let (state, part) = (held.part.state, &held.part);
    let is_pickup = held.offer.channel == Channel::Pickup;
    let may = match request.step {
        Step::Accept => state == State::Offered && !part.withdrawn,
        Step::Refuse => matches!(state, State::Offered | State::Accepted),
        Step::StartPicking => matches!(state, State::Offered | State::Accepted),
        Step::Pick => matches!(state, State::Offered | State::Accepted | State::Picking | State::Picked),
        Step::Pack => matches!(state, State::Picked | State::Packed),
        Step::Stage => matches!(state, State::Picked | State::Packed | State::Ready),
        Step::Ready => matches!(state, State::Picked | State::Packed),
        Step::Arrive => state.is_open() && is_pickup,
        // Whoever stands at the counter gets what is there: what was not picked before is fetched now.
        Step::HandOver => is_pickup && (state <= State::Ready || planted(Plant::HandOverTwice)),
        Step::Dispatch => !is_pickup && (State::Picked..=State::Awaited).contains(&state),
        Step::Decline => is_pickup && state.is_open(),
        Step::Uncollected => is_pickup && (State::Picked..=State::Ready).contains(&state),
        Step::PutBack => part.to_put_back,
        Step::TakeAlong => is_pickup && state == State::Ready && !part.withdrawn,
        Step::BringBack => state.is_open() && part.taken.is_some(),
        Step::ConfirmCancel | Step::DenyCancel => state <= State::Awaited,
        Step::StandDown => state <= State::Awaited,
        Step::WrongCode => false,
        Step::CheckAge | Step::Hold | Step::Resume => state.is_open(),
        Step::RequestCourier | Step::AssignCourier | Step::CourierAtStore | Step::CourierRefused => {
            !is_pickup && state <= State::Awaited
        }
        Step::Deliver => !is_pickup && matches!(state, State::Out | State::Returning),
        Step::FailDelivery | Step::Return => !is_pickup && matches!(state, State::Out | State::Returning),
        Step::Returned | Step::Lose => !is_pickup && matches!(state, State::Out | State::Returning),
    };
    if !may {
        let message = if state.is_open() {
            format!("it is {}: \"{}\" cannot be said of it now", state.as_str(), request.step.as_str())
        } else {
            ended(part)
        };
        return Err(Refusal::State(message));
    }
    let held_why = part.held.clone().or_else(|| held.known.held());
    let moves_on = matches!(
        request.step,
        Step::StartPicking | Step::Pick | Step::Pack | Step::Ready | Step::HandOver | Step::Dispatch
    );
    if let Some(why) = held_why.filter(|_| moves_on) {
        return Err(Refusal::State(format!("it is on hold: {why}")));
    }
    if request.step == Step::Refuse && request.note.is_empty() {
        return Err(Refusal::invalid("note", "is needed: why it is refused"));
    }
    Ok(())
}

/// Why nothing can be done with a fulfillment any more.
fn ended(part: &Fulfillment) -> String {
    let when = part.first(Step::HandOver).or_else(|| part.first(Step::Deliver));
    match when {
        Some(when) => format!("it was handed over already, at {} ms since 1970", when.ms()),
        None => format!("it is {}: nothing can be done with it any more", part.state.as_str()),
    }
}

fn check_lines(held: &Held, request: &FulfilRequest) -> Result<(), Refusal> {
    for (at, said) in request.lines.iter().enumerate() {
        let field = |name: &str| format!("lines[{at}].{name}");
        let Some(line) = held.part.line(said.line) else {
            return Err(Refusal::Unknown { field: field("line"), what: "line of this fulfillment" });
        };
        check_quantity(&field("quantity"), said.quantity, 0)?;
        if at > 0 && request.lines[at - 1].line >= said.line {
            return Err(Refusal::invalid(field("line"), "lines stand in ascending order, each once"));
        }
        let most = match request.step {
            Step::Pick => line.offered.quantity_max(),
            _ => line.picked.unwrap_or(line.offered.quantity).max(line.offered.quantity),
        };
        if said.quantity > most {
            return Err(Refusal::invalid(
                field("quantity"),
                format!("is more than {most}, the most that fits the order"),
            ));
        }
        let is_less = said.quantity < line.offered.quantity - line.cancelled;
        let needs_reason = line.offered.unit == Unit::Each || said.quantity == 0;
        if request.step == Step::Pick && is_less && needs_reason && said.reason.is_empty() {
            return Err(Refusal::invalid(field("reason"), "is needed: why there are fewer than ordered"));
        }
        if let Some(other) = &said.substitute {
            check_substitute(line, other).map_err(|message| Refusal::invalid(field("substitute"), message))?;
        }
    }
    Ok(())
}

fn check_substitute(line: &stockroom_crdt::order::resolve::PartLine, other: &Substitute) -> Result<(), String> {
    if !matches!(line.offered.preference, Preference::Substitute | Preference::Ask) {
        return Err("the customer does not want something else for this line".into());
    }
    if other.unit_price > line.offered.unit_price {
        return Err(format!("may not cost more than {}", line.offered.unit_price));
    }
    Ok(())
}

/// Lines were picked: promises are marked, what is missing is told, and what was taken instead is promised.
fn pick(replica: &mut Replica, held: &Held, mut request: FulfilRequest) -> Result<(Place, Option<Answer>), Failed> {
    if held.offer.release_ms > replica.now.wall_ms {
        return Err(Refusal::State("it is a pre-order: it may not be picked yet".into()).into());
    }
    if request.lines.is_empty() {
        let open = held.part.lines.iter().filter(|line| line.open() > 0 || line.picked.is_none());
        request.lines = open
            .map(|line| StepLine {
                line: line.offered.line,
                quantity: line.offered.quantity - line.cancelled,
                reason: Code::default(),
                substitute: None,
            })
            .collect();
    }
    let mut facts = Vec::new();
    let mut taken = BTreeMap::new();
    let mut gone = Vec::new();
    for said in &request.lines {
        let line = held.part.line(said.line).expect("lines were checked");
        let view = View::new(&replica.overlay);
        let sku = said.substitute.as_ref().map_or(&line.offered.sku, |other| &other.sku);
        if let Some(recall) = view.recall(sku, &Code::default())?.filter(|_| said.quantity > 0) {
            replica.reached("a recall stopped a line of an order");
            let field = format!("lines[{}]", said.line);
            return Err(Refusal::Stopped { field, reason: format!("recalled: {}", recall.reason) }.into());
        }
        let id = held.offer.promise(held.store, said.line);
        let state = promise_state(replica, held.store, id)?;
        let is_free = matches!(state, Some(PromiseState::Held | PromiseState::Confirmed | PromiseState::Staged));
        if let Some(other) = said.substitute.as_ref().filter(|_| said.quantity > 0) {
            facts.extend(substitute(replica, held, (said, other), &mut taken)?);
            if is_free {
                facts.push(promise_step(id, PromiseStepKind::Release, 0, &request.staff));
            }
        } else if is_free && said.quantity == 0 {
            facts.extend(not_found(replica, held, (said, line.offered.clone(), id), &request.staff)?);
        } else if is_free {
            let promised = line.offered.quantity;
            let found = if said.quantity < promised { said.quantity.unsigned_abs() } else { 0 };
            facts.push(promise_step(id, PromiseStepKind::Pick, found, &request.staff));
        }
        let fewer = line.offered.quantity - line.cancelled - said.quantity;
        if fewer > 0 && !said.reason.is_empty() {
            gone.push((line.offered.clone(), said.quantity, fewer, said.reason.clone()));
        }
    }
    let rows = taken.iter().map(|(account, held)| replica.row_fact(account, Class::Goods, held)).collect();
    let here = Scope::StoreRights(held.store);
    replica.write(&here, rows)?;
    replica.write(&here, facts)?;
    for (line, found, fewer, reason) in gone {
        lower(replica, held, (&line, found, fewer), (reason.as_str(), &request.staff))?;
    }
    write(replica, held, request)
}

/// Somebody looked, and the goods are not there.
fn not_found(
    replica: &Replica,
    held: &Held,
    (said, line, id): (&StepLine, OfferLine, PromiseId),
    staff: &Code,
) -> Result<Vec<Fact>, Failed> {
    if promise_state(replica, held.store, id)? == Some(PromiseState::Staged) {
        return Ok(vec![
            promise_step(id, PromiseStepKind::PutBack, 0, staff),
            promise_step(id, PromiseStepKind::Release, 0, staff),
        ]);
    }
    let account = Account { store: held.store, sku: line.sku, unit: line.unit };
    let on_hand = home::on_hand(&replica.overlay, &account)?;
    let cause = if said.reason.is_empty() { word("not-found") } else { said.reason.clone() };
    let victims = vec![(id, line.quantity.unsigned_abs())];
    Ok(vec![
        promise_step(id, PromiseStepKind::NotFound, 0, staff),
        Fact::Shortage(Shortage { account, on_hand, cause, victims }),
    ])
}

/// What was taken instead is promised by the store itself, so that nobody else is.
fn substitute(
    replica: &Replica,
    held: &Held,
    (said, other): (&StepLine, &Substitute),
    taken: &mut BTreeMap<Account, Rights>,
) -> Result<Vec<Fact>, Failed> {
    let product = View::new(&replica.overlay).product(&other.sku)?;
    let field = format!("lines[{}].substitute.sku", said.line);
    let Some(product) = product else { return Err(Refusal::Unknown { field, what: "product" }.into()) };
    if product.unit != other.unit {
        return Err(Refusal::invalid(field, format!("is counted in {}", product.unit.as_str())).into());
    }
    let account = Account { store: held.store, sku: other.sku.clone(), unit: other.unit };
    let units = said.quantity.unsigned_abs();
    if promisable(replica, &account)? < units {
        let message = format!("{units} of {} are not free: they are promised to others", other.sku);
        return Err(Refusal::State(message).into());
    }
    let me = replica.actor();
    if !taken.contains_key(&account) {
        taken.insert(account.clone(), rights::rights(&replica.overlay, &account, Class::Goods)?);
    }
    let row = taken.get_mut(&account).expect("it was put there");
    if row.use_up(me, units).is_err() {
        return Err(Refusal::State(format!("no right to {} is held here", other.sku)).into());
    }
    let id = substitute_promise(me, held, said.line);
    let promise = Promise {
        id,
        account: account.clone(),
        quantity: units,
        claim: Claim::Hard,
        channel: held.offer.channel,
        priority: u8::MAX,
        until_ms: 0,
        wanted_ms: held.offer.due_ms,
        reference: Replica::order_reference(held.offer.order),
        replaces: Some(held.offer.promise(held.store, said.line)),
    };
    let staff = Code::default();
    Ok(vec![Fact::Promise(promise), promise_step(id, PromiseStepKind::Pick, 0, &staff)])
}

/// The name of the promise for what was taken instead: another line number than any line has.
fn substitute_promise(me: stockroom_crdt::ids::Actor, held: &Held, line: u16) -> PromiseId {
    let place = (held.offer.generation, held.store, SUBSTITUTE_LINES + line);
    stockroom_crdt::order::offer::promise_of(me, held.offer.order, place)
}

/// Everything of a fulfillment that is refused for a reason about goods is taken off the book.
fn missing(replica: &mut Replica, held: &Held, reason: &str, staff: &Code) -> Result<(), Failed> {
    for line in held.part.lines.iter().filter(|line| line.picked.is_none()) {
        lower(replica, held, (&line.offered, 0, line.offered.quantity), (reason, staff))?;
    }
    Ok(())
}

/// The book follows what the picker saw: if the shelf is empty nothing is left but what lies apart for others; if units are damaged those
/// are gone. A reason that is not about goods changes nothing.
fn lower(
    replica: &mut Replica,
    held: &Held,
    (line, found, gone): (&OfferLine, i64, i64),
    (reason, staff): (&str, &Code),
) -> Result<(), Failed> {
    let account = Account { store: held.store, sku: line.sku.clone(), unit: line.unit };
    let on_hand = home::on_hand(&replica.overlay, &account)?;
    let open = rights::open(&replica.overlay, &account)?;
    let apart: u64 = open
        .iter()
        .filter(|(promise, record)| {
            record.state() == PromiseState::Staged && promise.id != held.offer.promise(held.store, line.line)
        })
        .map(|(promise, record)| record.said.kept(promise))
        .sum();
    let left = i64::try_from(apart).unwrap_or(i64::MAX).saturating_add(found);
    let delta = match reason {
        "not-found" | "out-of-stock" | "too-few" => left - on_hand,
        "damaged" | "expired" => -gone,
        _ => 0,
    };
    if delta >= 0 {
        return Ok(());
    }
    replica.reached("a picker's word lowered the book");
    let adjustment = Adjustment {
        sku: line.sku.clone(),
        unit: line.unit,
        delta,
        reason: word(if matches!(reason, "damaged" | "expired") { reason } else { "nil-pick" }),
        lot: Code::default(),
        staff: staff.clone(),
    };
    replica.write(&Scope::StoreStock(held.store), vec![Fact::Adjustment(adjustment)])?;
    Ok(())
}

/// Whether goods may be given to whoever asks for them; otherwise what to answer.
fn proven(
    replica: &mut Replica,
    held: &Held,
    request: &FulfilRequest,
) -> Result<Option<(Place, Option<Answer>)>, Failed> {
    let aged = held.part.lines.iter().filter(|line| line.open() > 0 && is_about(request, line.offered.line));
    let age = aged.map(|line| line.offered.age_min).max().unwrap_or(0);
    let is_pickup = request.step == Step::HandOver;
    if is_pickup && age > 0 && !held.part.at.contains_key(&Step::CheckAge) {
        let reason = format!("the customer must be {age}: check the age first, or leave these lines out");
        return Err(Refusal::Stopped { field: "lines".into(), reason }.into());
    }
    if !is_pickup {
        return Ok(None);
    }
    let limits = replica.limits_for(held.store)?;
    let tries = u32::from(limits.code_tries);
    match &request.proof {
        Proof::Manager(name) if name.is_empty() => {
            Err(Refusal::invalid("approver", "is needed: which manager takes it on").into())
        }
        Proof::Manager(_) | Proof::Pass(_) => Ok(None),
        Proof::Code(_) if held.part.wrong_codes >= tries => {
            let message = format!("{tries} wrong codes were tried: a manager decides, or the customer shows the pass");
            Err(Refusal::State(message).into())
        }
        Proof::Code(code) if held.offer.code != [0; 16] && code_hash(held.offer.order, code) == held.offer.code => {
            Ok(None)
        }
        Proof::Code(_) if held.offer.code == [0; 16] => {
            Err(Refusal::State("no code is known here for this order: ask for the pass".into()).into())
        }
        Proof::Code(_) => {
            replica.reached("a wrong code was tried");
            let said =
                FulfilRequest { step: Step::WrongCode, lines: Vec::new(), note: Code::default(), ..request.clone() };
            let (place, _) = write(replica, held, said)?;
            let left = tries.saturating_sub(held.part.wrong_codes + 1);
            Ok(Some((place, Some(Answer::CodeWrong { left }))))
        }
        Proof::None => {
            Err(Refusal::invalid("proof", "is needed: the customer's code, the pass, or a manager's name").into())
        }
    }
}

/// Goods leave the store: their promises are kept, the book is lowered, once.
fn give(replica: &mut Replica, held: &Held, mut request: FulfilRequest) -> Result<(Place, Option<Answer>), Failed> {
    let mut steps = Vec::new();
    let mut issues = Vec::new();
    let mut lines = Vec::new();
    for line in held.part.lines.iter().filter(|line| is_about(&request, line.offered.line)) {
        let number = line.offered.line;
        let open = if planted(Plant::HandOverTwice) { line.offered.quantity } else { line.open() };
        let units = request.lines.iter().find(|said| said.line == number).map_or(open, |said| said.quantity.min(open));
        if units <= 0 {
            continue;
        }
        lines.push(StepLine { line: number, quantity: units, reason: Code::default(), substitute: None });
        let (id, account) = match &line.substitute {
            Some(other) => {
                let account = Account { store: held.store, sku: other.sku.clone(), unit: other.unit };
                (substitute_promise(replica.actor(), held, number), account)
            }
            None => {
                let account = Account { store: held.store, sku: line.offered.sku.clone(), unit: line.offered.unit };
                (held.offer.promise(held.store, number), account)
            }
        };
        if promise_state(replica, held.store, id)?.is_some_and(|state| state != PromiseState::Fulfilled) {
            steps.push(promise_step(id, PromiseStepKind::Fulfil, 0, &request.staff));
        }
        let staff = request.staff.clone();
        issues.push(Fact::GoodsIssue(GoodsIssue { promise: id, account, quantity: units, staff }));
    }
    if lines.is_empty() {
        return Err(Refusal::State("nothing of it is left to give".into()).into());
    }
    // Nothing said of lines means all of each as picked: a cancel or an earlier handover has to be told from one that is not known.
    let is_whole = held.part.lines.iter().all(|line| {
        let all = line.picked.unwrap_or(line.offered.quantity);
        all == 0 || lines.iter().any(|given| given.line == line.offered.line && given.quantity == all)
    });
    request.lines = if is_whole { Vec::new() } else { lines };
    if request.note.is_empty() {
        request.note = match &request.proof {
            Proof::Code(_) => word("code"),
            Proof::Pass(_) => word("pass"),
            Proof::Manager(name) => word(&format!("manager {name}")),
            Proof::None => Code::default(),
        };
    }
    replica.write(&Scope::StoreRights(held.store), steps)?;
    replica.write(&Scope::StoreStock(held.store), issues)?;
    write(replica, held, request)
}

/// What went out and was not delivered is in the book again.
fn come_back(replica: &mut Replica, held: &Held, request: &FulfilRequest) -> Result<(), Failed> {
    let mut facts = Vec::new();
    for line in &held.part.lines {
        let units = line.open();
        if units == 0 {
            continue;
        }
        let (sku, unit) = match &line.substitute {
            Some(other) => (other.sku.clone(), other.unit),
            None => (line.offered.sku.clone(), line.offered.unit),
        };
        let (lot, staff) = (Code::default(), request.staff.clone());
        facts.push(Fact::Adjustment(Adjustment { sku, unit, delta: units, reason: word("not-delivered"), lot, staff }));
    }
    replica.write(&Scope::StoreStock(held.store), facts)?;
    Ok(())
}

fn write(replica: &mut Replica, held: &Held, request: FulfilRequest) -> Result<(Place, Option<Answer>), Failed> {
    let FulfilRequest { step, lines, note, staff, device, .. } = request;
    let (order, generation) = (held.offer.order, held.part.generation);
    let fact = Fact::FulfillmentStep(FulfillmentStep { order, generation, step, lines, note, staff, device });
    check_fact(&fact, "note")?;
    Ok((replica.write(&Scope::StoreOrders(held.store), vec![fact])?[0], None))
}

fn is_about(request: &FulfilRequest, line: u16) -> bool {
    request.lines.is_empty() || request.lines.iter().any(|said| said.line == line)
}

fn promise_state(replica: &Replica, store: StoreId, id: PromiseId) -> Result<Option<PromiseState>, Failed> {
    let record = rights::record(&replica.overlay, store, id)?;
    Ok(record.filter(|record| record.promise.is_some()).map(|record| record.state()))
}

fn promise_step(promise: PromiseId, step: PromiseStepKind, found: u64, staff: &Code) -> Fact {
    Fact::PromiseStep(PromiseStep { promise, step, found, note: Code::default(), staff: staff.clone() })
}

fn word(text: &str) -> Code {
    Code::parse(text).unwrap_or_default()
}

/// A store's clock may be this far ahead of the one that issued a pass.
const SKEW_MS: u64 = 2 * 60_000;

/// Lines of orders have numbers below this.
const SUBSTITUTE_LINES: u16 = 0x8000;
