//! Orders at their home: placing one, and what the customer, head office and the payment gateway say of it.

use stockroom_crdt::entry::Fact;
use stockroom_crdt::ids::{Code, StoreId};
use stockroom_crdt::limits::{AMOUNT_MAX, ORDER_LINES_MAX, SEALED_BYTES_MAX};
use stockroom_crdt::money::Unit;
use stockroom_crdt::order::header::{Order, OrderLine, Payment};
use stockroom_crdt::order::intent::{OrderStep, Saying};
use stockroom_crdt::order::offer::{phone_hash, pickup_code};
use stockroom_crdt::order::pass::Pass;
use stockroom_crdt::order::redress::Redress;
use stockroom_crdt::order::resolve::{Fulfillment, Known, Outcome, State, resolve};
use stockroom_crdt::order::{LineUnits, OrderId};
use stockroom_crdt::product::Channel;

use super::{Failed, check_fact, check_quantity, earlier, remember};
use crate::books::orders as book;
use crate::input::orders::{PassRequest, PayRequest, PlaceLine, PlaceRequest, RedressRequest, SayRequest};
use crate::input::{Answer, Refusal, RetryKey};
use crate::journal::{Place, damaged, entry_at};
use crate::limits::{RESERVE_STORES_MAX, TRANSFER_ATTEMPTS_MAX};
use crate::orders::desk::{Subject, Wait};
use crate::orders::home::{said_units, says};
use crate::orders::routing::{self, Needs, Task};
use crate::orders::store::contact_about;
use crate::plant::{Plant, planted};
use crate::replica::Replica;
use crate::sealed::{self, Purpose};
use crate::view::View;

/// Places an order: routes it by the rights that are held here now, promises the goods, and offers each part to its store, in one commit.
/// If goods are missing nothing is written but requests for rights, unless the customer takes a part.
pub fn place(replica: &mut Replica, retry: RetryKey, request: PlaceRequest) -> Result<Answer, Failed> {
    if let Some((place, _)) = earlier(replica, retry)? {
        replica.reached("a retry was answered from an earlier write");
        let fact = entry_at(&replica.overlay, place)?.map(|item| item.entry.fact);
        let Some(Fact::Order(order)) = fact else { return Err(damaged("an order's entry is missing").into()) };
        return Ok(placed(replica, (order.id, place), None, true));
    }
    let order = header(replica, retry, &request)?;
    if let Some(held) = book::known(&replica.overlay, order.id)?.order {
        // It came back from others, and this node has lost the retry key with its disk.
        return Ok(placed(replica, (held.id, Place { log: crate::journal::LogNumber(0), seq: 0 }), None, true));
    }
    let needs: Needs = order.lines.iter().enumerate().map(|(at, line)| (at as u16, line.quantity)).collect();
    let none = Default::default();
    let plan = routing::plan(replica, &Task { order: &order, needs: &needs, among: &request.stores, but: &none })?;
    if plan.parts.is_empty() || (!plan.missing.is_empty() && !request.partial) {
        replica.reached("an order was turned down");
        let facts = crate::orders::home::asked(replica, &order, &needs)?;
        let asked = facts.iter().filter_map(|(scope, _)| scope.store()).collect();
        for (scope, fact) in facts {
            replica.write(&scope, vec![fact])?;
        }
        return Ok(Answer::NotPlaced { plan: Box::new(plan), asked });
    }
    let scope = replica.orders_scope();
    let payment = Payment {
        order: order.id,
        authorised: request.authorised.unwrap_or_else(|| order.total()).max(request.captured),
        captured: request.captured,
        refunded: 0,
        reference: request.payment,
    };
    let fact = Fact::Order(order.clone());
    check_fact(&fact, "order")?;
    let written = replica.write(&scope, vec![fact, Fact::Payment(payment)])?[0];
    let (facts, left) = routing::offers(replica, (&order, &needs), &plan, (1, false))?;
    routing::note(replica, order.id, 1, &plan);
    for (scope, fact) in facts {
        replica.write(&scope, vec![fact])?;
    }
    if !left.is_empty() {
        let lines = left.iter().map(|(line, units)| LineUnits { line: *line, quantity: *units }).collect();
        say_here(replica, order.id, (Saying::GiveUp, lines), (&word("no store has them"), &Code::default()))?;
    }
    remember(replica, retry, written, 1);
    Ok(placed(replica, (order.id, written), Some(plan), false))
}

fn placed(
    replica: &Replica,
    (order, place): (OrderId, Place),
    plan: Option<crate::policy::route::plan::Plan>,
    replayed: bool,
) -> Answer {
    let code = pickup_code(&replica.me.seal_secret, order);
    Answer::Placed { order, place, plan: plan.map(Box::new), code, replayed }
}

/// Says something of an order: what follows for its parts is written with it.
pub fn say(replica: &mut Replica, request: SayRequest) -> Result<Place, Failed> {
    let (known, outcome) = find(replica, request.order)?;
    if !SayRequest::is_for_people(request.saying) {
        return Err(Refusal::invalid("saying", "is not for people to say").into());
    }
    for (at, units) in request.lines.iter().enumerate() {
        let ordered = outcome.lines.get(usize::from(units.line)).map(|line| line.ordered);
        let Some(ordered) = ordered else {
            return Err(Refusal::Unknown { field: format!("lines[{at}].line"), what: "line" }.into());
        };
        check_quantity(&format!("lines[{at}].quantity"), units.quantity, 1)?;
        if units.quantity > ordered {
            return Err(Refusal::invalid(format!("lines[{at}].quantity"), format!("{ordered} were ordered")).into());
        }
    }
    let said = (&request.note, &request.by);
    match request.saying {
        Saying::AskCancel => cancel(replica, (&known, &outcome), &request),
        Saying::RiskRefund if request.note.is_empty() => {
            Err(Refusal::invalid("note", "is needed: who bears it if the goods are handed over all the same").into())
        }
        Saying::RiskRefund | Saying::GiveUp => {
            let lines = sums(&known, &outcome, &request);
            say_here(replica, request.order, (request.saying, lines), said)
        }
        Saying::Choose => {
            let note = match request.stores.first() {
                Some(store) => word(&format!("store-{}", store.0)),
                None => request.note.clone(),
            };
            let words = ["cancel", "partial", "substitute", "wait", "delivery"];
            if request.stores.is_empty() && !words.contains(&note.as_str()) {
                let message = format!("is not one of {}, or name a store", words.join(", "));
                return Err(Refusal::invalid("note", message).into());
            }
            if let Some(store) = request.stores.first()
                && View::new(&replica.overlay).store(*store)?.is_none()
            {
                return Err(Refusal::Unknown { field: "stores[0]".into(), what: "store" }.into());
            }
            if note.as_str() == "cancel" {
                return cancel(replica, (&known, &outcome), &request);
            }
            say_here(replica, request.order, (Saying::Choose, Vec::new()), (&note, &request.by))
        }
        Saying::Hold | Saying::Resume | Saying::Arrive => {
            if !outcome.state.is_open() {
                return Err(over(&outcome, request.order).into());
            }
            for part in outcome.fulfillments.iter().filter(|part| part.state.is_open()) {
                let (scope, mut fact) = says(request.order, (part.generation, part.store), request.saying, "");
                if let Fact::OrderStep(step) = &mut fact {
                    (step.note, step.by) = (request.note.clone(), request.by.clone());
                }
                replica.write(&scope, vec![fact])?;
            }
            say_here(replica, request.order, (request.saying, Vec::new()), said)
        }
        Saying::Withdraw | Saying::StandDown | Saying::Cancel | Saying::IssuePass => {
            Err(Refusal::invalid("saying", "is not for people to say").into())
        }
    }
}

/// A cancel is asked: the wish is written down, each store that has taken a part is asked, and what no store has taken is cancelled at
/// once, unless a pass for it is out. When nothing is left to cancel the wish alone is written: what became of it shows in the outcome.
fn cancel(replica: &mut Replica, (known, outcome): (&Known, &Outcome), request: &SayRequest) -> Result<Place, Failed> {
    let order = request.order;
    let wanted = |line: u16| match request.lines.is_empty() {
        true => outcome.lines[usize::from(line)].open,
        false => request.lines.iter().find(|units| units.line == line).map_or(0, |units| units.quantity),
    };
    let mut left: Vec<i64> = (0..outcome.lines.len()).map(|at| wanted(at as u16)).collect();
    let sums: Vec<_> = left
        .iter()
        .enumerate()
        .filter(|(_, units)| **units > 0)
        .map(|(at, units)| {
            let line = at as u16;
            LineUnits { line, quantity: (outcome.lines[at].cancelled + units).min(outcome.lines[at].ordered) }
        })
        .collect();
    for (units, line) in left.iter_mut().zip(&outcome.lines) {
        *units -= line.unplaced.min(*units);
    }
    let mut facts = Vec::new();
    let mut alone: Needs = Vec::new();
    for part in outcome.fulfillments.iter().filter(|part| outcome.counts(part)) {
        let (mut lines, mut now) = (Vec::new(), Vec::new());
        for line in &part.lines {
            let left = &mut left[usize::from(line.offered.line)];
            let units = line.open().min(*left);
            *left -= units;
            if units > 0 {
                now.push((line.offered.line, units));
                lines.push(LineUnits { line: line.offered.line, quantity: line.cancelled + units });
            }
        }
        let asked = |number: u16| now.iter().find(|(line, _)| *line == number).map_or(0, |(_, units)| *units);
        let is_whole = part.lines.iter().all(|line| asked(line.offered.line) >= line.open());
        if lines.is_empty() {
            continue;
        }
        let has_pass = replica.order_desk.has_pass_out(order, part.generation, part.store);
        if (part.state == State::Offered && is_whole && !has_pass) || planted(Plant::RefundEarly) {
            facts.push(says(order, (part.generation, part.store), Saying::Withdraw, "cancelled"));
            alone.extend(now);
        } else {
            let (scope, mut fact) = says(order, (part.generation, part.store), Saying::AskCancel, "");
            if let Fact::OrderStep(step) = &mut fact {
                (step.lines, step.note, step.by) = (lines, request.note.clone(), request.by.clone());
            }
            facts.push((scope, fact));
        }
    }
    let wish = say_here(replica, order, (Saying::AskCancel, sums), (&request.note, &request.by))?;
    for (scope, fact) in facts {
        replica.write(&scope, vec![fact])?;
    }
    if !alone.is_empty() {
        replica.reached("an order's home cancelled alone");
        let mut units: std::collections::BTreeMap<u16, i64> = std::collections::BTreeMap::new();
        for (line, quantity) in alone {
            *units.entry(line).or_insert_with(|| said_units(known, Saying::Cancel, line, i64::MAX)) += quantity;
        }
        let lines = units.into_iter().map(|(line, quantity)| LineUnits { line, quantity }).collect();
        say_here(replica, order, (Saying::Cancel, lines), (&word("no store had taken it"), &Code::default()))?;
    }
    Ok(wish)
}

/// Units in all, when so many more are said now.
fn sums(known: &Known, outcome: &Outcome, request: &SayRequest) -> Vec<LineUnits> {
    let so_far = |line: u16| said_units(known, request.saying, line, i64::MAX);
    if request.lines.is_empty() {
        let open = outcome.lines.iter().enumerate().filter(|(_, line)| line.open > 0);
        return open
            .map(|(at, line)| LineUnits { line: at as u16, quantity: so_far(at as u16).saturating_add(line.open) })
            .collect();
    }
    let of =
        |units: &LineUnits| LineUnits { line: units.line, quantity: so_far(units.line).saturating_add(units.quantity) };
    let mut lines: Vec<_> = request.lines.iter().map(of).collect();
    lines.sort_by_key(|units| units.line);
    lines
}

fn say_here(
    replica: &mut Replica,
    order: OrderId,
    (saying, lines): (Saying, Vec<LineUnits>),
    (note, by): (&Code, &Code),
) -> Result<Place, Failed> {
    let said = OrderStep { order, generation: 0, saying, lines, until_ms: 0, note: note.clone(), by: by.clone() };
    let fact = Fact::OrderStep(said);
    check_fact(&fact, "lines")?;
    let scope = replica.orders_scope();
    Ok(replica.write(&scope, vec![fact])?[0])
}

/// Gives a customer's phone a signed pass for a fulfillment.
pub fn pass(replica: &mut Replica, request: PassRequest) -> Result<Answer, Failed> {
    let (known, outcome) = find(replica, request.order)?;
    let order = known.order.as_ref().expect("what was found has a header");
    if order.channel != Channel::Pickup {
        return Err(Refusal::State(format!("order {} is delivered, not collected", request.order)).into());
    }
    if let Some(held) = &outcome.held {
        return Err(Refusal::State(format!("order {} is on hold: {held}", request.order)).into());
    }
    let fits = |part: &&Fulfillment| {
        part.state.is_open() && !part.withdrawn && request.store.is_none_or(|store| store == part.store)
    };
    let mut parts = outcome.fulfillments.iter().filter(fits);
    let Some(part) = parts.next() else { return Err(over(&outcome, request.order).into()) };
    if parts.next().is_some() {
        return Err(Refusal::invalid("store", "is needed: parts of the order are at several stores").into());
    }
    let store = part.store;
    let offer = known.parts.get(&(part.generation, store)).and_then(|part| part.offer.clone());
    let Some(offer) = offer else { return Err(damaged("an offer is missing").into()) };
    let limits = replica.limits_for(store)?;
    let issued_ms = replica.now.wall_ms;
    let until_ms = issued_ms.saturating_add(limits.qr_life_ms);
    let lines: Vec<_> =
        offer.lines.iter().filter(|line| part.line(line.line).is_some_and(|line| line.open() > 0)).cloned().collect();
    if offer.issuer != replica.actor() {
        let message =
            "the order was offered in an earlier life of its home: its promises are not this life's to vouch for";
        return Err(Refusal::State(message.into()).into());
    }
    let pass = Pass {
        store,
        order: order.id,
        generation: part.generation,
        issuer: offer.issuer,
        channel: order.channel,
        entity: offer.entity,
        currency: offer.currency,
        due_ms: offer.due_ms,
        issued_ms,
        until_ms,
        delegate: request.delegate.clone(),
        lines,
    };
    let (order, generation) = (order.id, part.generation);
    let signed = pass.sign(replica.me.tenant, &replica.me.signer);
    let said = OrderStep {
        order,
        generation,
        saying: Saying::IssuePass,
        lines: Vec::new(),
        until_ms,
        note: request.delegate,
        by: word("customer"),
    };
    let fact = Fact::OrderStep(said);
    check_fact(&fact, "delegate")?;
    let scope = replica.orders_scope();
    replica.write(&scope, vec![fact])?;
    let subject = Subject { order, generation, store, wait: Wait::Pass };
    let due_ms = replica.now.mono_ms + limits.qr_life_ms + crate::orders::desk::PASS_SLACK_MS;
    replica.order_desk.due.insert(subject, due_ms);
    Ok(Answer::Pass { order, store, until_ms, bytes: signed.to_bytes() })
}

/// Takes what the payment gateway says.
pub fn pay(replica: &mut Replica, request: PayRequest) -> Result<Place, Failed> {
    let (known, _) = find(replica, request.order)?;
    let PayRequest { order, authorised, captured, refunded, reference } = request;
    for (field, amount) in [("authorised", authorised), ("captured", captured), ("refunded", refunded)] {
        if !(0..=AMOUNT_MAX).contains(&amount) {
            return Err(Refusal::invalid(field, format!("{amount} is not between 0 and {AMOUNT_MAX}")).into());
        }
    }
    let before = known.payment.unwrap_or_else(|| Payment::none(order));
    if captured < before.captured || refunded < before.refunded {
        return Err(Refusal::invalid("captured", "are sums over the order's life: they only grow").into());
    }
    if refunded > captured {
        return Err(Refusal::invalid("refunded", format!("{refunded} is more than the {captured} captured")).into());
    }
    let scope = replica.orders_scope();
    let payment = Payment { order, authorised, captured, refunded, reference };
    Ok(replica.write(&scope, vec![Fact::Payment(payment)])?[0])
}

/// Takes that a compensation was carried out, or could not be.
pub fn redress(replica: &mut Replica, request: RedressRequest) -> Result<Place, Failed> {
    let (_, outcome) = find(replica, request.order)?;
    let Some(due) = outcome.due.iter().find(|due| due.id == request.id) else {
        return Err(Refusal::Unknown { field: "compensation".into(), what: "compensation" }.into());
    };
    if due.done {
        return Err(Refusal::State("this compensation was given already".into()).into());
    }
    if request.done && due.rule.is_refund() && request.amount != due.amount {
        let message = format!("{} is not the {} that are due", request.amount, due.amount);
        return Err(Refusal::invalid("amount", message).into());
    }
    let RedressRequest { order, id, amount, done, reference, staff } = request;
    let fact = Fact::Redress(Redress { id, order, amount, done, reference, staff });
    check_fact(&fact, "amount")?;
    let scope = replica.orders_scope();
    Ok(replica.write(&scope, vec![fact])?[0])
}

/// Opens the contact that was sealed to this node: as the order's home, or as the store that delivers it.
pub fn contact(replica: &Replica, order: OrderId) -> Result<Answer, Failed> {
    let known = book::known(&replica.overlay, order)?;
    let of_home = known.order.as_ref().filter(|_| order.home == replica.actor().node).map(|order| &order.contact);
    let own = replica.own_store();
    let offers = known.parts.iter().filter(|((_, store), _)| own == Some(*store));
    let of_store = offers.filter_map(|(_, part)| part.offer.as_ref()).map(|offer| &offer.contact);
    let mut sealed = of_store.chain(of_home).filter(|sealed| !sealed.is_empty());
    if known.order.is_none() && known.parts.is_empty() {
        return Err(Refusal::Unknown { field: "order".into(), what: "order" }.into());
    }
    let (tenant, about) = (replica.me.tenant, contact_about(order));
    let bytes =
        sealed.find_map(|sealed| sealed::open(&replica.me.seal_secret, (Purpose::Contact, tenant, &about), sealed));
    let none = || Refusal::State(format!("no contact of order {order} is known to this node"));
    Ok(Answer::Contact { bytes: bytes.ok_or_else(none)? })
}

/// An order of this home, with what it adds up to.
pub fn find(replica: &Replica, order: OrderId) -> Result<(Known, Outcome), Failed> {
    let known = book::known(&replica.overlay, order)?;
    let Some(outcome) = resolve(&known) else {
        return Err(Refusal::Unknown { field: "order".into(), what: "order" }.into());
    };
    if order.home != replica.actor().node {
        let message = format!("node {} is the home of order {order}: ask it", order.home.0);
        return Err(Refusal::NotHere(message).into());
    }
    Ok((known, outcome))
}

fn over(outcome: &Outcome, order: OrderId) -> Refusal {
    Refusal::State(format!("order {order} is {}: nothing of it is open", outcome.state.as_str()))
}

/// The order as it will stand in the log, its name found and its contact sealed.
fn header(replica: &mut Replica, retry: RetryKey, request: &PlaceRequest) -> Result<Order, Failed> {
    let own = replica.own_store();
    check_stores(replica, request)?;
    if request.lines.is_empty() || request.lines.len() > ORDER_LINES_MAX {
        return Err(Refusal::invalid("lines", format!("an order has 1 to {ORDER_LINES_MAX} lines")).into());
    }
    let book_store = request.stores.first().copied().or(own);
    let limits = replica.limits_for(book_store.unwrap_or(book::NOBODY))?;
    let mut lines = Vec::with_capacity(request.lines.len());
    for (at, line) in request.lines.iter().enumerate() {
        let tolerance = u8::try_from(limits.weight_tolerance_ppm / 10_000).unwrap_or(100);
        lines.push(checked_line(replica, (at, line), (request.channel, book_store), tolerance)?);
    }
    let currency = match (request.currency, book_store) {
        (Some(currency), _) => currency,
        (None, Some(store)) => {
            let record = View::new(&replica.overlay).store(store)?;
            record.ok_or(Refusal::Unknown { field: "stores[0]".into(), what: "store" })?.currency
        }
        (None, None) => return Err(Refusal::invalid("currency", "is needed when no store is named").into()),
    };
    if !request.phone_end.is_empty() && !is_digits(request.phone_end.as_str(), 4) {
        return Err(Refusal::invalid("phone_end", "is not the last four digits of a phone").into());
    }
    let id = free_name(replica, retry, request)?;
    let tenant = replica.me.tenant;
    let contact = if request.contact.is_empty() {
        Vec::new()
    } else {
        let key = sealed::public_key(&replica.me.seal_secret);
        let sealed =
            sealed::seal(&key, (Purpose::Contact, tenant, &contact_about(id)), &request.contact, &mut replica.rng);
        sealed.ok_or_else(|| Refusal::State("this node has no key to seal a contact to".into()))?
    };
    if contact.len() > SEALED_BYTES_MAX {
        return Err(Refusal::invalid("contact", "is longer than a name, a phone and an address can be").into());
    }
    let due_ms = request
        .due_ms
        .unwrap_or_else(|| replica.now.wall_ms.max(request.release_ms).saturating_add(limits.ready_within_ms));
    if due_ms < request.release_ms {
        return Err(Refusal::invalid("due_ms", "is before the goods may be picked").into());
    }
    let phone = match request.phone_end.is_empty() {
        true => [0; 8],
        false => phone_hash(id, request.phone_end.as_str()),
    };
    Ok(Order {
        id,
        channel: request.channel,
        source: request.source.clone(),
        reference: request.reference.clone(),
        entity: request.entity.clone(),
        currency,
        placed_ms: replica.now.wall_ms,
        due_ms,
        release_ms: request.release_ms,
        priority: request.priority,
        place: request.place,
        contact,
        phone,
        lines,
    })
}

fn check_stores(replica: &Replica, request: &PlaceRequest) -> Result<(), Failed> {
    if request.channel == Channel::Till {
        return Err(Refusal::invalid("channel", "is till: what is sold at once is a sale").into());
    }
    if request.channel == Channel::Pickup && request.stores.is_empty() {
        return Err(Refusal::invalid("stores", "is needed: where the customer collects").into());
    }
    if request.stores.len() > RESERVE_STORES_MAX {
        return Err(Refusal::invalid("stores", format!("names more than {RESERVE_STORES_MAX}")).into());
    }
    for (at, store) in request.stores.iter().enumerate() {
        if View::new(&replica.overlay).store(*store)?.is_none() {
            return Err(Refusal::Unknown { field: format!("stores[{at}]"), what: "store" }.into());
        }
    }
    if let Some(own) = replica.own_store()
        && request.stores.iter().any(|store| *store != own)
    {
        return Err(Refusal::NotHere("a store takes orders for its own goods: ask the hub".into()).into());
    }
    for (field, amount) in [("authorised", request.authorised.unwrap_or(0)), ("captured", request.captured)] {
        if !(0..=AMOUNT_MAX).contains(&amount) {
            return Err(Refusal::invalid(field, format!("{amount} is not between 0 and {AMOUNT_MAX}")).into());
        }
    }
    Ok(())
}

fn checked_line(
    replica: &Replica,
    (at, line): (usize, &PlaceLine),
    (channel, store): (Channel, Option<StoreId>),
    tolerance: u8,
) -> Result<OrderLine, Failed> {
    let field = |name: &str| format!("lines[{at}].{name}");
    check_quantity(&field("quantity"), line.quantity, 1)?;
    let view = View::new(&replica.overlay);
    let Some(product) = view.product(&line.sku)? else {
        return Err(Refusal::Unknown { field: field("sku"), what: "product" }.into());
    };
    if let Some(unit) = line.unit.filter(|unit| *unit != product.unit) {
        let message = format!("{} is counted in {}, not in {}", line.sku, product.unit.as_str(), unit.as_str());
        return Err(Refusal::invalid(field("unit"), message).into());
    }
    if product.discontinued || product.is_excluded(channel) {
        return Err(Refusal::State(format!("{} is not offered for {}", line.sku, channel.as_str())).into());
    }
    let priced = match (line.unit_price, store) {
        (Some(price), _) => Some(price),
        (None, Some(store)) => view.price_at_store(store, &line.sku, replica.now.wall_ms)?,
        (None, None) => None,
    };
    let Some(unit_price) = priced.filter(|price| (0..=AMOUNT_MAX).contains(price)) else {
        return Err(
            Refusal::invalid(field("unit_price"), "is needed: no price is known, or it is out of bounds").into()
        );
    };
    let tolerance_percent = if product.unit == Unit::Gram { line.tolerance_percent.unwrap_or(tolerance) } else { 0 };
    if tolerance_percent > 100 {
        return Err(Refusal::invalid(field("tolerance_percent"), "is more than 100").into());
    }
    Ok(OrderLine {
        sku: line.sku.clone(),
        unit: product.unit,
        quantity: line.quantity,
        unit_price,
        age_min: product.age_min,
        preference: line.preference,
        tolerance_percent,
    })
}

/// The name that follows from the request, or the next one while another order has it. The same request at a node that was set back means
/// the same order.
fn free_name(replica: &Replica, retry: RetryKey, request: &PlaceRequest) -> Result<OrderId, Failed> {
    let home = replica.actor().node;
    for attempt in 0..TRANSFER_ATTEMPTS_MAX {
        let id = OrderId::of_request(home, retry.key, attempt);
        let held = book::known(&replica.overlay, id)?.order;
        if held.is_none_or(|held| is_same(&held, request)) {
            return Ok(id);
        }
    }
    Err(Refusal::State("no number is free for this order: ask again under another key".into()).into())
}

fn is_same(held: &Order, request: &PlaceRequest) -> bool {
    let ordered = held.lines.iter().map(|line| (&line.sku, line.quantity));
    held.reference == request.reference
        && held.source == request.source
        && ordered.eq(request.lines.iter().map(|line| (&line.sku, line.quantity)))
}

fn is_digits(text: &str, count: usize) -> bool {
    text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn word(text: &str) -> Code {
    Code::parse(text).unwrap_or_default()
}
