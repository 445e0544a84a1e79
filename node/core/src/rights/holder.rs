//! Everybody who holds rights to an account: its home, hubs above it, stores of its group.
//!
//! A holder answers a request once, with what it can spare or with a hint who has more. It never waits for an answer: a request
//! that is lost is made again under the next number. Rights that arrive first make its own soft promises hard, the oldest
//! first. A promise of its own that the home declared broken it makes good: from another store if it holds a right there,
//! otherwise with a refund that somebody has to pay.

use stockroom_crdt::codec::Rows;
use stockroom_crdt::entry::{Fact, kind};
use stockroom_crdt::ids::{Actor, Code, NodeId, StoreId};
use stockroom_crdt::order::OrderId;
use stockroom_crdt::product::Channel;
use stockroom_crdt::scope::Scope;
use stockroom_crdt::stock::custody::{Hint, Want, Why};
use stockroom_crdt::stock::policy::Allocation;
use stockroom_crdt::stock::promise::{Claim, Promise, PromiseId, PromiseStep, State, Step};
use stockroom_crdt::stock::rights::{Account, Class, Rights};
use stockroom_crdt::stock::shortage::{Compensation, Remedy, compensation_id};

use super::desk::PRIOR_PER_DAY;
use super::{home, known};
use crate::books::{cells, rights as book};
use crate::limits::RESERVE_STORES_MAX;
use crate::policy::demand::Demand;
use crate::policy::outage::{History, Lengths};
use crate::policy::spread::{self, Pool, Spoke};
use crate::replica::Replica;
use crate::storage::{Snapshot, StoreError};
use crate::view::View;

/// What a holder that is not the home writes about an account.
pub fn follows(replica: &Replica, account: &Account, spread: bool) -> Result<Vec<(Scope, Fact)>, StoreError> {
    let me = replica.actor();
    let here = Scope::StoreRights(account.store);
    let held = book::rights(&replica.overlay, account, Class::Goods)?;
    let mut rights = held.clone();
    let mut facts = known::retirements(replica, account.store, &rights)?;
    facts.extend(hardened(replica, account, &mut rights)?);
    facts.extend(answer(replica, account, &mut rights)?);
    if spread {
        facts.extend(balance(replica, account, &mut rights)?);
    }
    if rights.row(me) != held.row(me) {
        facts.push(replica.row_fact(account, Class::Goods, &rights));
    }
    let mut facts: Vec<_> = facts.into_iter().map(|fact| (here.clone(), fact)).collect();
    facts.extend(compensated(replica, account)?);
    Ok(facts)
}

/// Answers requests to this node that were not answered: grants what can be spared in `rights`, and gives the hints.
pub fn answer(replica: &Replica, account: &Account, rights: &mut Rights) -> Result<Vec<Fact>, StoreError> {
    let me = replica.actor();
    let mut facts = Vec::new();
    // Who may not give anything yet does not say that it has nothing: the asker would ask again at once, and so on.
    if replica.rights_locked {
        return Ok(facts);
    }
    for (asker, want) in wants(&replica.overlay, account)? {
        // An earlier epoch of the asker will not use anything any more.
        if want.of != me.node || asker == me || replica.newest_actor(asker.node) != Some(asker) {
            continue;
        }
        if want.class != Class::Goods || !rights.serve(me, asker, want.number) {
            continue;
        }
        let spare = spare(replica, account, rights, &want)?;
        let give = want.quantity.min(spare);
        if give > 0 && rights.grant(me, asker, give).is_err() {
            continue;
        }
        if give < want.quantity {
            let others = others(replica, account, rights)?.into_iter().filter(|(actor, _)| *actor != asker);
            let richest = others.max_by_key(|(actor, units)| (*units, std::cmp::Reverse(*actor)));
            let (node, units) = richest.map_or((NodeId(0), 0), |(actor, units)| (actor.node, units));
            facts.push(Fact::Hint(Hint {
                account: account.clone(),
                class: want.class,
                to: asker,
                number: want.number,
                richest: node,
                held: units,
            }));
            // A hub passes the need on to whoever has some: the store will ask again, and find it here.
            if want.why == Why::Miss && replica.own_store().is_none() {
                facts.extend(ask(replica, account, rights, (want.quantity - give, Why::Miss))?);
            }
        }
    }
    Ok(facts)
}

/// Asks for rights whoever holds the most, first of those whose link is up, unless a request to it is open; then the next one.
/// `None` when nobody is left to be asked.
pub fn ask(
    replica: &Replica,
    account: &Account,
    rights: &Rights,
    (quantity, why): (u64, Why),
) -> Result<Option<Fact>, StoreError> {
    let mut holders = others(replica, account, rights)?;
    let up = |actor: &Actor| replica.desk.links.get(&actor.node).is_some_and(|link| link.up);
    holders.sort_by_key(|(actor, units)| (!up(actor), std::cmp::Reverse(*units), *actor));
    for (of, units) in holders {
        let asked = ask_of(replica, account, rights, (of, quantity.min(units).max(1), why))?;
        if asked.is_some() {
            return Ok(asked);
        }
    }
    Ok(None)
}

/// Asks one holder for rights, unless a request to it is open; of its own accord not again and again, since what was not given
/// is not there a moment later.
fn ask_of(
    replica: &Replica,
    account: &Account,
    rights: &Rights,
    (of, quantity, why): (Actor, u64, Why),
) -> Result<Option<Fact>, StoreError> {
    let me = replica.actor();
    let asked = replica.desk.asked.get(&(account.clone(), of.node));
    let soon = asked.is_some_and(|at| replica.now.mono_ms < at + ASK_AGAIN_MS);
    if why != Why::Miss && soon {
        return Ok(None);
    }
    let open = wants(&replica.overlay, account)?.into_iter().filter(|(asker, want)| *asker == me && want.of == of.node);
    let last = open.map(|(_, want)| want).next();
    let answered = last.as_ref().is_none_or(|want| rights.row(of).served(me) >= want.number);
    if !answered {
        return Ok(None);
    }
    let number = last.map_or(0, |want| want.number) + 1;
    Ok(Some(Fact::Want(Want { account: account.clone(), class: Class::Goods, of: of.node, number, quantity, why })))
}

/// Promises per millisecond that a node makes about an account; before any was seen, what is taken for demand.
pub fn rate(replica: &Replica, account: &Account, node: NodeId) -> f64 {
    let now = replica.now.wall_ms;
    let seen = replica.desk.demand.get(account).and_then(|by_node| by_node.get(&node));
    seen.map_or_else(|| Demand::new(PRIOR_PER_DAY, now).rate(now), |demand| demand.rate(now))
}

/// [`rate`] of everybody but one together, at least that of one who was not seen yet.
pub fn others_rate(replica: &Replica, account: &Account, but: NodeId) -> f64 {
    let by_node = replica.desk.demand.get(account);
    let others = by_node.into_iter().flatten().filter(|(node, _)| **node != but);
    let sum: f64 = others.map(|(_, demand)| demand.rate(replica.now.wall_ms)).sum();
    sum.max(Demand::new(PRIOR_PER_DAY, 0).rate(0))
}

/// How long the link to a node will be down when it fails.
pub fn lengths(replica: &Replica, node: NodeId) -> Lengths {
    replica.desk.links.get(&node).map_or_else(|| History::default().lengths(), |link| link.history.lengths())
}

/// One who holds `held` rights at the end of the link to `node`; at the home that is the home itself, seen from its hub.
pub fn spoke<'a>(replica: &Replica, account: &Account, (node, held): (NodeId, u64), outage: &'a Lengths) -> Spoke<'a> {
    let link = replica.desk.links.get(&node);
    let up_mean_ms = link.map_or_else(|| History::default().up_mean_ms(), |link| link.history.up_mean_ms());
    let at_home = replica.own_store() == Some(account.store);
    let rated = if at_home { replica.actor().node } else { node };
    Spoke {
        held,
        granted: 0,
        rate: rate(replica, account, rated),
        outage,
        up_mean_ms,
        reachable: link.is_some_and(|link| link.up),
    }
}

/// The others that hold something, as far as is known here; only the newest epoch of a node can give anything, and nobody who was
/// written off.
fn others(replica: &Replica, account: &Account, rights: &Rights) -> Result<Vec<(Actor, u64)>, StoreError> {
    let me = replica.actor();
    let held = known::holders(&replica.overlay, account.store, (rights, me))?;
    // A later life may be known that has no row yet.
    let last = |actor: &Actor| actor.node != me.node && replica.newest_actor(actor.node) == Some(*actor);
    Ok(held.into_iter().filter(|(actor, _)| last(actor)).collect())
}

/// Requests about an account, with who made them.
pub fn wants(snapshot: &(impl Snapshot + ?Sized), account: &Account) -> Result<Vec<(Actor, Want)>, StoreError> {
    let scope = Scope::StoreRights(account.store);
    let Some(number) = cells::scope_number(snapshot, &scope)? else { return Ok(Vec::new()) };
    let entity = Rows::of(|sink| {
        account.encode(sink);
        Class::Goods.encode(sink);
    });
    let cells = cells::by_writer(snapshot, number, kind::WANT, &entity)?;
    Ok(cells
        .into_iter()
        .filter_map(|(actor, entry)| match entry.fact {
            Fact::Want(want) if want.account == *account => Some((actor, want)),
            _ => None,
        })
        .collect())
}

/// How many rights this node gives up for a request.
fn spare(replica: &Replica, account: &Account, rights: &Rights, want: &Want) -> Result<u64, StoreError> {
    let held = rights.held(replica.actor());
    let borrows = replica.rule_for(&account.sku)?.is_some_and(|rule| rule.allocation != Allocation::Static);
    let lent =
        if home::is_home(replica, account.store)? { home::lendable(replica, account, rights)? } else { u64::MAX };
    // Who was turned away here a moment ago comes again: rights that came for that do not go on to the next who asks.
    let missed = replica.desk.missed.get(account);
    let needed = missed.is_some_and(|at| replica.now.mono_ms < at + NEEDED_MS);
    Ok(match want.why {
        Why::AtRisk => held,
        Why::Miss | Why::Balance if borrows && !needed => held.min(lent),
        Why::Miss | Why::Balance => 0,
    })
}

/// What is owed for own promises that the home declared broken, where nobody decided it yet: goods of another store for a
/// delivery, if this node holds a right there, otherwise the money back. Who wanted to collect decides anew where.
pub fn compensated(replica: &Replica, account: &Account) -> Result<Vec<(Scope, Fact)>, StoreError> {
    let Some(owed) = replica.desk.shorted.get(account) else { return Ok(Vec::new()) };
    let here = Scope::StoreRights(account.store);
    let mut facts = Vec::new();
    for id in owed {
        let Some(record) = book::record(&replica.overlay, account.store, *id)? else { continue };
        let (Some(promise), Some(shortage)) = (&record.promise, record.said.shortage()) else { continue };
        let due = compensation_id(shortage, *id);
        // A handover that came before the shortage was known needs no amends.
        let needed = record.state() == State::Shorted;
        if !needed || compensation(&replica.overlay, account.store, due)?.is_some() {
            continue;
        }
        // One promise from elsewhere at a time: the rights that it takes must be in the books before the next one looks.
        let elsewhere = if facts.is_empty() { resourced(replica, promise, due)? } else { None };
        let remedy = match elsewhere {
            Some((other, taken)) => {
                let scope = Scope::StoreRights(other.account.store);
                let id = other.id;
                facts.extend([(scope.clone(), taken), (scope, Fact::Promise(other))]);
                Remedy::Resourced(id)
            }
            None if promise.channel == Channel::Delivery && !is_of_order(promise) && !facts.is_empty() => continue,
            None => Remedy::Refund,
        };
        facts.push((here.clone(), Fact::Compensation(Compensation { id: due, promise: *id, remedy })));
    }
    Ok(facts)
}

/// A promise of the same goods at another store in place of a broken one, with the row that pays for it.
fn resourced(replica: &Replica, lost: &Promise, due: [u8; 16]) -> Result<Option<(Promise, Fact)>, StoreError> {
    // An order's home decides itself where else its goods come from.
    if lost.channel != Channel::Delivery || replica.rights_locked || is_of_order(lost) {
        return Ok(None);
    }
    let me = replica.actor();
    for record in View::new(&replica.overlay).stores()?.into_iter().take(RESERVE_STORES_MAX) {
        let account = Account { store: record.store, ..lost.account.clone() };
        if account == lost.account || replica.rule_for(&account.sku)?.is_none() {
            continue;
        }
        let mut rights = book::rights(&replica.overlay, &account, Class::Goods)?;
        if rights.use_up(me, lost.quantity).is_err() {
            continue;
        }
        // The name follows from what is owed: the same amends have one name.
        let number = u64::from_be_bytes(std::array::from_fn(|at| due[at]));
        let id = PromiseId { issuer: me, number };
        let row = replica.row_fact(&account, Class::Goods, &rights);
        return Ok(Some((Promise { id, account, claim: Claim::Hard, replaces: Some(lost.id), ..lost.clone() }, row)));
    }
    Ok(None)
}

/// True for a promise behind a line of an order.
fn is_of_order(promise: &Promise) -> bool {
    OrderId::parse(promise.reference.as_str()).is_some()
}

/// What was decided under the id of a compensation.
pub fn compensation(
    snapshot: &(impl Snapshot + ?Sized),
    store: StoreId,
    id: [u8; 16],
) -> Result<Option<Remedy>, StoreError> {
    let Some(number) = cells::scope_number(snapshot, &Scope::StoreRights(store))? else { return Ok(None) };
    let entry = cells::winner(snapshot, number, kind::COMPENSATION, &id)?;
    Ok(entry.and_then(|entry| if let Fact::Compensation(it) = entry.fact { Some(it.remedy) } else { None }))
}

/// Own soft promises get a right to goods behind them as far as there are any: those whose goods lie apart, then the oldest.
pub fn hardened(replica: &Replica, account: &Account, rights: &mut Rights) -> Result<Vec<Fact>, StoreError> {
    let me = replica.actor();
    if replica.rights_locked {
        return Ok(Vec::new());
    }
    let mut soft: Vec<_> = book::open(&replica.overlay, account)?
        .into_iter()
        .filter(|(promise, record)| promise.id.issuer.node == me.node && record.said.claim(promise) == Claim::Soft)
        .collect();
    soft.sort_by_key(|(promise, record)| (record.state() != State::Staged, record.made, promise.id));
    let mut facts = Vec::new();
    for (promise, _) in soft {
        if rights.use_up(me, promise.quantity).is_err() {
            break;
        }
        facts.push(step(&promise, Step::Harden, "a right came"));
    }
    Ok(facts)
}

/// A hub spreads what it holds by the rule, when it is time to. Who is locked gives nothing away: what it holds may have been written
/// off, and made anew by the home.
fn balance(replica: &Replica, account: &Account, rights: &mut Rights) -> Result<Vec<Fact>, StoreError> {
    let hub = replica.own_store().is_none() && !replica.rights_locked;
    let Some(rule) = replica.rule_for(&account.sku)?.filter(|_| hub) else { return Ok(Vec::new()) };
    let me = replica.actor();
    let spokes = spokes(replica, rights);
    let lengths: Vec<Lengths> = spokes.iter().map(|(actor, _)| lengths(replica, actor.node)).collect();
    // What a home kept of what it made counts as its share, like what was granted to others.
    let share = |actor: Actor| {
        let row = rights.row(actor);
        let kept = row.mint.saturating_sub(row.granted());
        rights.row(me).grants.get(&actor).copied().unwrap_or(0).saturating_add(kept)
    };
    let spokes_of: Vec<Spoke<'_>> = spokes
        .iter()
        .zip(&lengths)
        .map(|((actor, held), outage)| Spoke {
            granted: share(*actor),
            ..spoke(replica, account, (actor.node, *held), outage)
        })
        .collect();
    let pool = Pool {
        held: rights.held(me),
        owed: 0,
        arrived: rights.minted(),
        rate: rate(replica, account, me.node),
        horizon_ms: home::HORIZON_MS,
        spokes: &spokes_of,
    };
    let mut facts = Vec::new();
    for moved in spread::spread(&pool, rule.allocation, &spread::Tuning::default()) {
        match moved {
            // The home keeps what it needs by itself when it makes rights: giving some back is for who asks.
            spread::Move::Grant { spoke, units } => {
                let _ = rights.grant(me, spokes[spoke].0, units);
            }
            spread::Move::Reclaim { spoke, units } => {
                facts.extend(ask_of(replica, account, rights, (spokes[spoke].0, units, Why::Balance))?);
            }
        }
    }
    Ok(facts)
}

/// The newest epochs of all others that hold rights here or made promises, with what they hold.
fn spokes(replica: &Replica, rights: &Rights) -> Vec<(Actor, u64)> {
    let me = replica.actor();
    let newest = |actor: &Actor| replica.newest_actor(actor.node) == Some(*actor);
    let others = rights.actors().into_iter().filter(|actor| *actor != me && newest(actor));
    others.map(|actor| (actor, rights.held(actor))).collect()
}

/// Something that this node says about a promise by itself.
pub fn step(promise: &Promise, step: Step, note: &str) -> Fact {
    let note = Code::parse(note).expect("a short sentence is a code");
    Fact::PromiseStep(PromiseStep { promise: promise.id, step, found: 0, note, staff: Code::default() })
}

/// How long rights are kept for a customer who was turned away.
const NEEDED_MS: u64 = 10_000;

/// How long a node waits before it asks the same holder again without a customer who needs it.
const ASK_AGAIN_MS: u64 = 60_000;
