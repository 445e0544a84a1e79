//! Transfers between stores: asking, shipping, receiving. Each refusal names the state that the transfer is in.

use std::collections::BTreeMap;

use stockroom_crdt::entry::Fact;
use stockroom_crdt::ids::{Code, Digest, Sku, StoreId};
use stockroom_crdt::limits::LINES_MAX;
use stockroom_crdt::money::Unit;
use stockroom_crdt::receiving::ReceiptLine;
use stockroom_crdt::scope::Scope;
use stockroom_crdt::transfer::{Difference, TransferAsk, TransferId, TransferReceive, TransferShip};

use super::goods::check_lines;
use super::{Failed, check_fact, check_known, check_quantity, own_store};
use crate::books::transfers;
use crate::input::Refusal;
use crate::input::goods::{AskRequest, CameLine, ReceiveRequest, ShipOrder, ShipRequest};
use crate::journal::Place;
use crate::limits::{TRANSFER_ATTEMPTS_MAX, TRANSFER_DUE_MS};
use crate::replica::Replica;
use crate::view::View;

/// Units by product.
type Sums = BTreeMap<(Sku, Unit), i64>;

/// Asks another store for goods.
pub fn ask(replica: &mut Replica, request: AskRequest, key: Digest) -> Result<Place, Failed> {
    let store = own_store(replica)?;
    let AskRequest { from, due_ms, staff, reason, lines } = request;
    check_other(replica, store, ("from", from))?;
    if lines.is_empty() || lines.len() > LINES_MAX {
        return Err(Refusal::invalid("lines", format!("a transfer has 1 to {LINES_MAX} lines")).into());
    }
    let mut sums = Sums::new();
    for (index, line) in lines.iter().enumerate() {
        let field = format!("lines[{index}]");
        check_quantity(&format!("{field}.quantity"), line.quantity, 1)?;
        check_known(replica, &field, &line.sku, line.unit)?;
        if sums.insert((line.sku.clone(), line.unit), line.quantity).is_some() {
            return Err(Refusal::invalid(format!("{field}.sku"), "stands twice").into());
        }
    }
    let due_ms = due(replica, due_ms);
    let ask = TransferAsk { id: nobodys(store), from, due_ms, staff, reason, lines };
    let numbered = |id| Fact::TransferAsk(TransferAsk { id, ..ask.clone() });
    match opening(replica, store, key, numbered)? {
        Opening::New(id) => write(replica, store, numbered(id)),
        Opening::Again(place) => Ok(place),
    }
}

/// Ships goods to another store: they leave the book and are in transit.
pub fn ship(replica: &mut Replica, request: ShipRequest, key: Digest) -> Result<Place, Failed> {
    let store = own_store(replica)?;
    let ShipRequest { order, due_ms, staff, approver, lines } = request;
    let (id, to) = match order {
        ShipOrder::Asked(id) => (id, asked_by(replica, store, id)?),
        ShipOrder::Unasked(to) => {
            check_other(replica, store, ("to", to))?;
            (nobodys(store), to)
        }
    };
    check_lines(replica, &lines, "a shipment")?;
    let due_ms = due(replica, due_ms);
    let ship = TransferShip { id, to, due_ms, staff, approver, lines };
    let numbered = |id| Fact::TransferShip(TransferShip { id, ..ship.clone() });
    let fact = match order {
        ShipOrder::Asked(id) => numbered(id),
        ShipOrder::Unasked(_) => match opening(replica, store, key, numbered)? {
            Opening::New(id) => numbered(id),
            Opening::Again(place) => return Ok(place),
        },
    };
    if ship.approver.is_empty() {
        check_held(replica, store, &ship.lines)?;
    }
    write(replica, store, fact)
}

/// Receives goods from another store, as many as came.
pub fn receive(replica: &mut Replica, request: ReceiveRequest) -> Result<Place, Failed> {
    let store = own_store(replica)?;
    let id = request.id;
    let parts = View::new(&replica.overlay).transfer_parts(id)?;
    if parts.iter().any(|(at, _, fact)| *at == store && matches!(fact, Fact::TransferReceive(_))) {
        return Err(Refusal::State(format!("transfer {id} is received already")).into());
    }
    let shipments = || parts.iter().filter_map(|(at, _, fact)| Some((*at, shipment(fact)?)));
    let asks = || parts.iter().filter_map(|(at, _, fact)| Some((*at, asked(fact)?)));
    if let Some((_, ship)) = shipments().find(|(_, ship)| ship.to != store) {
        return Err(Refusal::NotHere(format!("transfer {id} goes to store {}", ship.to.0)).into());
    }
    let from = match (shipments().next(), asks().next()) {
        (Some((from, _)), _) => from,
        (None, Some((asker, ask))) if asker == store => ask.from,
        (None, Some((asker, _))) => {
            return Err(Refusal::NotHere(format!("transfer {id} was asked for by store {}", asker.0)).into());
        }
        (None, None) if id.store == store => return Err(unknown()),
        (None, None) => id.store,
    };
    check_other(replica, store, ("transfer", from))?;
    let sent: Vec<_> = shipments().flat_map(|(_, ship)| ship.lines.iter().cloned()).collect();
    let seen = !sent.is_empty();
    let came = match request.lines {
        Some(lines) => lines,
        None if seen => return write_all(replica, store, (id, from, request.staff), sent),
        None => {
            let message = format!("are needed: the shipment of transfer {id} is not known here yet");
            return Err(Refusal::invalid("lines", message).into());
        }
    };
    check_came(replica, &came)?;
    let differences = if seen { differences(&sums(&sent), &came)? } else { Vec::new() };
    let lines = spread(&sent, &came);
    if lines.is_empty() && !seen {
        return Err(Refusal::invalid("lines", "say that nothing came, and nothing is known of a shipment").into());
    }
    if !seen {
        replica.reached("a transfer was received before its shipment was known");
    } else if !differences.is_empty() {
        replica.reached("a transfer came otherwise than it was sent");
    }
    let receive = TransferReceive { id, from, seen, staff: request.staff, lines, differences };
    write(replica, store, Fact::TransferReceive(receive))
}

/// Everything came as it was shipped.
fn write_all(
    replica: &mut Replica,
    store: StoreId,
    (id, from, staff): (TransferId, StoreId, Code),
    lines: Vec<ReceiptLine>,
) -> Result<Place, Failed> {
    let receive = TransferReceive { id, from, seen: true, staff, lines, differences: Vec::new() };
    write(replica, store, Fact::TransferReceive(receive))
}

/// The store that asked for a transfer that this store may ship.
fn asked_by(replica: &Replica, store: StoreId, id: TransferId) -> Result<StoreId, Failed> {
    let parts = View::new(&replica.overlay).transfer_parts(id)?;
    if parts.iter().any(|(at, _, fact)| *at == store && shipment(fact).is_some()) {
        let is_received = parts.iter().any(|(_, _, fact)| matches!(fact, Fact::TransferReceive(_)));
        let state = if is_received { "received" } else { "in transit" };
        return Err(Refusal::State(format!("transfer {id} is shipped already: it is {state}")).into());
    }
    let ask = parts.iter().find_map(|(at, _, fact)| Some((*at, asked(fact)?)));
    match ask {
        None => Err(unknown()),
        Some((asker, ask)) if asker == store => {
            let message = format!("transfer {id} is asked by this store: store {} ships it", ask.from.0);
            Err(Refusal::State(message).into())
        }
        Some((_, ask)) if ask.from != store => {
            Err(Refusal::NotHere(format!("transfer {id} was asked of store {}", ask.from.0)).into())
        }
        Some((to, _)) => Ok(to),
    }
}

/// What a request to open a transfer comes to.
enum Opening {
    /// A transfer with a number that was free.
    New(TransferId),
    /// It was opened before: a node that was set back got the entry back from others, but not the request's retry key.
    Again(Place),
}

/// Numbers a transfer that this store opens, by the request that opens it.
fn opening(
    replica: &Replica,
    store: StoreId,
    request: Digest,
    fact: impl Fn(TransferId) -> Fact,
) -> Result<Opening, Failed> {
    for attempt in 0..TRANSFER_ATTEMPTS_MAX {
        let id = TransferId::of_request(store, request, attempt);
        if let Some(first) = transfers::writings(&replica.overlay, store, &fact(id))?.first() {
            return Ok(Opening::Again(first.place));
        }
        if transfers::parts(&replica.overlay, store, id)?.is_empty() {
            return Ok(Opening::New(id));
        }
    }
    Err(Refusal::State("no number is free for this transfer: ask again under another key".into()).into())
}

/// Stands for the number until it is known.
fn nobodys(store: StoreId) -> TransferId {
    TransferId { store, number: 0 }
}

/// As many must be on hand as leave.
fn check_held(replica: &Replica, store: StoreId, lines: &[ReceiptLine]) -> Result<(), Failed> {
    let view = View::new(&replica.overlay);
    for ((sku, unit), leaving) in sums(lines) {
        let held = view.account(store, &sku, unit)?.map_or(0, |account| account.on_hand.quantity);
        if leaving > held {
            let message = format!(
                "{leaving} {} of {sku} cannot leave: {held} are on hand by the book; count them, or let a manager approve",
                unit.as_str()
            );
            return Err(Refusal::State(message).into());
        }
    }
    Ok(())
}

fn check_other(replica: &Replica, own: StoreId, (field, other): (&str, StoreId)) -> Result<(), Failed> {
    if other == own {
        return Err(Refusal::invalid(field, "is this store itself").into());
    }
    match View::new(&replica.overlay).store(other)? {
        Some(_) => Ok(()),
        None => Err(Refusal::Unknown { field: field.into(), what: "store" }.into()),
    }
}

fn check_came(replica: &Replica, came: &[CameLine]) -> Result<(), Failed> {
    if came.is_empty() || came.len() > LINES_MAX {
        return Err(Refusal::invalid("lines", format!("a transfer has 1 to {LINES_MAX} lines")).into());
    }
    for (index, line) in came.iter().enumerate() {
        let field = format!("lines[{index}]");
        check_quantity(&format!("{field}.quantity"), line.quantity, 0)?;
        check_known(replica, &field, &line.sku, line.unit)?;
    }
    Ok(())
}

/// Every product that was shipped must be named, and every other number needs a reason.
fn differences(sent: &Sums, came: &[CameLine]) -> Result<Vec<Difference>, Refusal> {
    let mut named: BTreeMap<_, (i64, usize, Code)> = BTreeMap::new();
    for (index, line) in came.iter().enumerate() {
        let sum = named.entry((line.sku.clone(), line.unit)).or_insert((0, index, Code::default()));
        sum.0 += line.quantity;
        if sum.2.is_empty() {
            sum.2 = line.reason.clone();
        }
    }
    if let Some((sku, _)) = sent.keys().find(|key| !named.contains_key(key)) {
        return Err(Refusal::invalid("lines", format!("{sku} was shipped and is not named: say 0 if none came")));
    }
    let mut out = Vec::new();
    for ((sku, unit), (came, index, reason)) in named {
        let sent = sent.get(&(sku.clone(), unit)).copied().unwrap_or(0);
        if came == sent {
            continue;
        }
        if reason.is_empty() {
            let message = format!("is needed: {came} {} of {sku} came, {sent} were shipped", unit.as_str());
            return Err(Refusal::invalid(format!("lines[{index}].reason"), message));
        }
        out.push(Difference { sku, unit, sent, reason });
    }
    Ok(out)
}

/// What came, lot by lot. Who did not look at lots is taken to mean the shipped ones in their order.
fn spread(sent: &[ReceiptLine], came: &[CameLine]) -> Vec<ReceiptLine> {
    let mut out: BTreeMap<(Sku, Unit, Code, u32), i64> = BTreeMap::new();
    let mut left: Vec<_> = sent.to_vec();
    for line in came {
        let mut rest = line.quantity;
        let looked = !line.lot.is_empty() || line.expiry_day != 0;
        for shipped in left.iter_mut().filter(|shipped| shipped.sku == line.sku && shipped.unit == line.unit) {
            if looked && (shipped.lot != line.lot || shipped.expiry_day != line.expiry_day) {
                continue;
            }
            let taken = shipped.quantity.min(rest);
            (shipped.quantity, rest) = (shipped.quantity - taken, rest - taken);
            let key = (line.sku.clone(), line.unit, shipped.lot.clone(), shipped.expiry_day);
            *out.entry(key).or_default() += taken;
        }
        *out.entry((line.sku.clone(), line.unit, line.lot.clone(), line.expiry_day)).or_default() += rest;
    }
    out.into_iter()
        .filter(|(_, quantity)| *quantity > 0)
        .map(|((sku, unit, lot, expiry_day), quantity)| ReceiptLine { sku, unit, quantity, lot, expiry_day })
        .collect()
}

fn write(replica: &mut Replica, store: StoreId, fact: Fact) -> Result<Place, Failed> {
    check_fact(&fact, "lines")?;
    Ok(replica.write(&Scope::StoreStock(store), vec![fact])?[0])
}

fn due(replica: &Replica, said: Option<u64>) -> u64 {
    said.unwrap_or(replica.now.wall_ms + TRANSFER_DUE_MS)
}

fn sums(lines: &[ReceiptLine]) -> Sums {
    let mut sums = Sums::new();
    lines.iter().for_each(|line| *sums.entry((line.sku.clone(), line.unit)).or_default() += line.quantity);
    sums
}

fn shipment(fact: &Fact) -> Option<&TransferShip> {
    if let Fact::TransferShip(ship) = fact { Some(ship) } else { None }
}

fn asked(fact: &Fact) -> Option<&TransferAsk> {
    if let Fact::TransferAsk(ask) = fact { Some(ask) } else { None }
}

fn unknown() -> Failed {
    Refusal::Unknown { field: "transfer".into(), what: "transfer" }.into()
}
