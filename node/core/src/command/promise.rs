//! Promises: reserving goods, confirming and releasing, and what the store does with them. Decided here and now, from what
//! this node holds; never waits for a link.

use rand_core::Rng;
use stockroom_crdt::entry::Fact;
use stockroom_crdt::ids::StoreId;
use stockroom_crdt::product::{Channel, Product};
use stockroom_crdt::scope::Scope;
use stockroom_crdt::stock::custody::Why;
use stockroom_crdt::stock::policy::PolicyRule;
use stockroom_crdt::stock::promise::{Claim, GoodsIssue, Promise, PromiseId, PromiseStep, State, Step};
use stockroom_crdt::stock::rights::{Account, Class};
use stockroom_crdt::stock::shortage::Shortage;

use super::{Failed, check_fact, check_quantity, earlier, remember};
use crate::books::rights::{self as book, Record};
use crate::input::promises::{Considered, ReserveRequest, StepRequest};
use crate::input::{Answer, Refusal, RetryKey};
use crate::journal::{Place, damaged, entry_at};
use crate::limits::RESERVE_STORES_MAX;
use crate::plant::{Plant, planted};
use crate::policy::soft;
use crate::replica::Replica;
use crate::rights::{holder, home, known};
use crate::storage::StoreError;
use crate::view::View;

/// Reserves goods at the first of the asked stores where this node holds enough rights; if there is none, softly at the first where
/// that is safe enough; otherwise says of each store why not, and asks for rights there, so that a later try may do better.
pub fn reserve(replica: &mut Replica, retry: RetryKey, request: ReserveRequest) -> Result<Answer, Failed> {
    if let Some((place, _)) = earlier(replica, retry)? {
        replica.reached("a retry was answered from an earlier write");
        let fact = entry_at(&replica.overlay, place)?.map(|item| item.entry.fact);
        let Some(Fact::Promise(promise)) = fact else { return Err(damaged("a promise's entry is missing").into()) };
        return Ok(Answer::Reserved { promise, place, considered: Vec::new(), replayed: true });
    }
    check_channel(request.channel)?;
    let product = check_product(replica, &request)?;
    let stores = candidates(replica, &request)?;
    let mut considered = Vec::with_capacity(stores.len());
    let mut soft_at = None;
    for &store in &stores {
        let account = Account { store, sku: request.sku.clone(), unit: product.unit };
        let (seen, soft) = consider(replica, &account, &request)?;
        if seen.claim == Some(Claim::Hard) {
            considered.push(seen);
            return promised(replica, retry, (account, Claim::Hard), request, considered);
        }
        if let Some(risk) = soft.filter(|_| soft_at.is_none()) {
            soft_at = Some((account, considered.len(), risk));
        }
        considered.push(seen);
    }
    if let Some((account, at, risk_ppm)) = soft_at {
        considered[at].claim = Some(Claim::Soft);
        let ledger = replica.desk.soft.entry(account.clone()).or_default();
        (ledger.made, ledger.risk_ppm) = (ledger.made + 1, ledger.risk_ppm.saturating_add(risk_ppm));
        replica.reached("a soft promise was made");
        return promised(replica, retry, (account, Claim::Soft), request, considered);
    }
    replica.reached("a reservation was turned down");
    let mut asked = Vec::new();
    for seen in considered.iter().filter(|seen| seen.elsewhere > 0) {
        let account = Account { store: seen.store, sku: request.sku.clone(), unit: product.unit };
        let rights = book::rights(&replica.overlay, &account, Class::Goods)?;
        replica.desk.missed.insert(account.clone(), replica.now.mono_ms);
        let fact = holder::ask(replica, &account, &rights, (request.quantity, Why::Miss))?;
        if let Some(fact) = fact {
            asked.push(seen.store);
            replica.write(&Scope::StoreRights(seen.store), vec![fact])?;
        }
    }
    Ok(Answer::TurnedDown { considered, asked })
}

/// Says something about a promise: its issuer confirms or gives it up, its home picks, hands over, puts back.
pub fn step(replica: &mut Replica, request: StepRequest) -> Result<Place, Failed> {
    let (store, record, promise) = find(replica, request.promise)?;
    let state = record.state();
    if request.step.is_of_home() {
        if replica.own_store() != Some(store) {
            let message = format!("the goods are at store {}: only its node says what became of them", store.0);
            return Err(Refusal::NotHere(message).into());
        }
    } else if request.promise.issuer.node != replica.actor().node {
        let message = format!("node {} made this promise: ask it", request.promise.issuer.node.0);
        return Err(Refusal::NotHere(message).into());
    }
    if !follows(state, request.step) {
        let message =
            format!("promise {} is {}: it cannot be {} now", request.promise, state.as_str(), request.step.as_str());
        return Err(Refusal::State(message).into());
    }
    let said = Fact::PromiseStep(PromiseStep {
        promise: request.promise,
        step: request.step,
        found: 0,
        note: request.note.clone(),
        staff: request.staff.clone(),
    });
    check_fact(&said, "note")?;
    let mut facts = vec![said];
    if request.step == Step::NotFound {
        let account = promise.account.clone();
        let on_hand = home::on_hand(&replica.overlay, &account)?;
        let cause = stockroom_crdt::ids::Code::parse("not-found").expect("a word is a code");
        let victims = vec![(promise.id, promise.quantity)];
        facts.push(Fact::Shortage(Shortage { account, on_hand, cause, victims }));
    }
    if request.step == Step::Fulfil {
        let issue = GoodsIssue {
            promise: promise.id,
            account: promise.account.clone(),
            quantity: promise.quantity as i64,
            staff: request.staff,
        };
        replica.write(&Scope::StoreStock(store), vec![Fact::GoodsIssue(issue)])?;
    }
    Ok(replica.write(&Scope::StoreRights(store), facts)?[0])
}

/// A promise by its name, wherever its goods are.
pub fn find(replica: &Replica, id: PromiseId) -> Result<(StoreId, Record, Promise), Failed> {
    let view = View::new(&replica.overlay);
    match view.promise(id)? {
        Some((store, record)) => match record.promise.clone() {
            Some(promise) => Ok((store, record, promise)),
            None => Err(Refusal::State(format!("promise {id} has not arrived here yet")).into()),
        },
        None => Err(Refusal::Unknown { field: "promise".into(), what: "promise" }.into()),
    }
}

/// Whether a step may be taken in a state.
fn follows(state: State, step: Step) -> bool {
    match step {
        Step::Confirm => state == State::Held,
        Step::AskRelease => matches!(state, State::Held | State::Confirmed | State::Staged),
        Step::Expire => state == State::Held,
        Step::Harden => state.is_open(),
        Step::Pick => matches!(state, State::Held | State::Confirmed),
        Step::PutBack => state == State::Staged,
        Step::Fulfil => matches!(state, State::Held | State::Confirmed | State::Staged),
        Step::Release => state.is_open(),
        Step::NotFound => matches!(state, State::Held | State::Confirmed),
    }
}

fn check_product(replica: &Replica, request: &ReserveRequest) -> Result<Product, Failed> {
    let quantity = i64::try_from(request.quantity).unwrap_or(i64::MAX);
    check_quantity("quantity", quantity, 1)?;
    let view = View::new(&replica.overlay);
    let Some(product) = view.product(&request.sku)? else {
        return Err(Refusal::Unknown { field: "sku".into(), what: "product" }.into());
    };
    if let Some(unit) = request.unit.filter(|unit| *unit != product.unit) {
        let message = format!("{} is counted in {}, not in {}", request.sku, product.unit.as_str(), unit.as_str());
        return Err(Refusal::invalid("unit", message).into());
    }
    if request.hold_ms == Some(0) {
        return Err(Refusal::invalid("hold_ms", "is zero").into());
    }
    if product.discontinued {
        return Err(Refusal::State(format!("{} is no longer part of the assortment", request.sku)).into());
    }
    if product.is_excluded(request.channel) {
        let message = format!("{} is not offered for {}", request.sku, request.channel.as_str());
        return Err(Refusal::State(message).into());
    }
    Ok(product)
}

/// The stores to look at, in the order of preference: those that were named, or all that are known with the own one first.
fn candidates(replica: &Replica, request: &ReserveRequest) -> Result<Vec<StoreId>, Failed> {
    let view = View::new(&replica.overlay);
    if request.stores.len() > RESERVE_STORES_MAX {
        return Err(Refusal::invalid("stores", format!("names more than {RESERVE_STORES_MAX}")).into());
    }
    for (index, store) in request.stores.iter().enumerate() {
        if view.store(*store)?.is_none() {
            return Err(Refusal::Unknown { field: format!("stores[{index}]"), what: "store" }.into());
        }
    }
    if !request.stores.is_empty() {
        return Ok(request.stores.clone());
    }
    let own = replica.own_store();
    let mut stores: Vec<_> = view.stores()?.into_iter().map(|record| record.store).collect();
    stores.sort_by_key(|store| (own != Some(*store), *store));
    stores.truncate(RESERVE_STORES_MAX);
    Ok(stores)
}

/// What this node can promise at one store, and the risk of a soft promise there, parts per million, if it may make one.
fn consider(
    replica: &Replica,
    account: &Account,
    request: &ReserveRequest,
) -> Result<(Considered, Option<u64>), Failed> {
    let me = replica.actor();
    let rights = book::rights(&replica.overlay, account, Class::Goods)?;
    let held = rights.held(me);
    let others = known::holders(&replica.overlay, account.store, (&rights, me))?;
    let elsewhere = others.into_iter().map(|(_, units)| units).fold(0, u64::saturating_add);
    let on_hand = home::on_hand(&replica.overlay, account)?;
    let mut seen = Considered { store: account.store, on_hand, held, elsewhere, claim: None, why: String::new() };
    let view = View::new(&replica.overlay);
    if let Some(recall) = view.recall(&account.sku, &Default::default())? {
        seen.why = format!("recalled: {}", recall.reason);
        return Ok((seen, None));
    }
    let Some(rule) = replica.rule_for(&account.sku)? else {
        seen.why = "no rule says that it may be promised".into();
        return Ok((seen, None));
    };
    if replica.rights_locked {
        seen.why = "rights are locked until the hub was heard".into();
        return Ok((seen, None));
    }
    let held = promisable(replica, account)?;
    let reclaimed = if planted(Plant::DonorReclaims) { lost_sight_of(replica, &rights) } else { 0 };
    if held + reclaimed >= request.quantity || planted(Plant::RightsFromNothing) && rights.minted() > 0 {
        seen.claim = Some(Claim::Hard);
        seen.why = format!("{held} rights are held here");
        return Ok((seen, None));
    }
    seen.why = format!("{held} rights are held here, {} are needed", request.quantity);
    let asked = (request.quantity, elsewhere);
    let soft = if request.soft { may_be_soft(replica, account, &rule, asked)? } else { None };
    if soft.is_some() {
        seen.why.push_str("; safe enough as a soft promise");
    }
    Ok((seen, soft))
}

/// Units that this node may promise of an account now: rights that it holds, and where the goods are no more than the book has.
pub fn promisable(replica: &Replica, account: &Account) -> Result<u64, StoreError> {
    let held = book::rights(&replica.overlay, account, Class::Goods)?.held(replica.actor());
    if replica.own_store() != Some(account.store) || planted(Plant::MintFromBook) {
        return Ok(held);
    }
    // Where the goods are the book is known: what was sold a moment ago is not promised, though its right is still here.
    let owed = book::owed(&replica.overlay, account)?;
    let there = u64::try_from(home::on_hand(&replica.overlay, account)?).unwrap_or(0);
    Ok(held.min(there.saturating_sub(owed.open.saturating_add(owed.open_soft))))
}

/// A known bug: units that were granted to nodes whose link is down.
fn lost_sight_of(replica: &Replica, rights: &stockroom_crdt::stock::rights::Rights) -> u64 {
    let down = |node| replica.desk.links.get(&node).is_some_and(|link| !link.up);
    let row = rights.row(replica.actor());
    row.grants.iter().filter(|(actor, _)| down(actor.node)).map(|(_, units)| *units).sum()
}

/// A soft promise needs a right of the overbooking budget and a small enough risk: gives it, parts per million.
fn may_be_soft(
    replica: &Replica,
    account: &Account,
    rule: &PolicyRule,
    (quantity, elsewhere): (u64, u64),
) -> Result<Option<u64>, Failed> {
    let me = replica.actor();
    let budget = book::rights(&replica.overlay, account, Class::Overbooking)?.held(me);
    if rule.soft_ppm == 0 || budget < quantity {
        return Ok(None);
    }
    let open = book::open(&replica.overlay, account)?;
    let own_soft = open
        .iter()
        .filter(|(promise, record)| promise.id.issuer.node == me.node && record.said.claim(promise) == Claim::Soft);
    let waiting: u64 = own_soft.map(|(promise, _)| promise.quantity).sum();
    // Everybody who has rights is behind the link to the next node up or down.
    let next = match replica.own_store() {
        Some(_) => Some(replica.me.capability().issuer),
        None => View::new(&replica.overlay).store(account.store)?.map(|record| record.home),
    };
    let link = next.and_then(|node| replica.desk.links.get(&node));
    let down_for = link.filter(|link| !link.up).map_or(0, |link| replica.now.wall_ms.saturating_sub(link.since_ms));
    let outage = link
        .map(|link| link.history.lengths_beyond(down_for))
        .unwrap_or_else(|| crate::policy::outage::History::default().lengths());
    let cut = soft::Cut {
        elsewhere: elsewhere.saturating_sub(quantity - 1),
        waiting,
        others_rate: holder::others_rate(replica, account, me.node),
        stale_ms: 0.0,
        outage: &outage,
        limit_ms: home::HORIZON_MS as f64,
    };
    let risk_ppm = (soft::risk(&cut) * 1e6).ceil() as u64;
    let allowed = replica.desk.soft.get(account).copied().unwrap_or_default().allowed_ppm(rule.soft_ppm);
    Ok(Some(risk_ppm).filter(|risk| *risk <= u64::from(allowed)))
}

/// Writes the promise and the row that pays for it.
fn promised(
    replica: &mut Replica,
    retry: RetryKey,
    (account, claim): (Account, Claim),
    request: ReserveRequest,
    considered: Vec<Considered>,
) -> Result<Answer, Failed> {
    let me = replica.actor();
    let class = match claim {
        Claim::Hard => Class::Goods,
        Claim::Soft => Class::Overbooking,
    };
    let mut rights = book::rights(&replica.overlay, &account, class)?;
    if rights.use_up(me, request.quantity).is_err() {
        let planted = crate::plant::CAN_BE_PLANTED;
        assert!(planted, "what is promised was considered before");
        let mut row = rights.row(me);
        row.used += request.quantity;
        rights.merge(me, &row);
    }
    let hold_ms = request.hold_ms.or(replica.rule_for(&account.sku)?.map(|rule| rule.hold_ms)).unwrap_or(HOLD_MS);
    let promise = Promise {
        id: PromiseId { issuer: me, number: replica.rng.next_u64() },
        account: account.clone(),
        quantity: request.quantity,
        claim,
        channel: request.channel,
        priority: request.priority,
        until_ms: replica.now.wall_ms.saturating_add(hold_ms),
        wanted_ms: request.wanted_ms,
        reference: request.reference,
        replaces: None,
    };
    let row = replica.row_fact(&account, class, &rights);
    let fact = Fact::Promise(promise.clone());
    check_fact(&fact, "reference")?;
    let places = replica.write(&Scope::StoreRights(account.store), vec![row, fact])?;
    remember(replica, retry, places[1], 1);
    Ok(Answer::Reserved { promise, place: places[1], considered, replayed: false })
}

fn check_channel(channel: Channel) -> Result<(), Refusal> {
    match channel {
        Channel::Pickup | Channel::Delivery => Ok(()),
        Channel::Till => Err(Refusal::invalid("channel", "is till: what is sold at once needs no promise")),
    }
}

/// A quarter of an hour, for goods whose rule is gone.
const HOLD_MS: u64 = 15 * 60_000;
