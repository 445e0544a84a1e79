//! The home of an account: the store's node where the goods are.
//!
//! Only the home makes rights from goods, so it knows at all times what it owes at most: what it minted, less what is known to
//! be burned or closed. When goods go without anybody asking (a sale at the till, a count), it first burns rights that lie idle
//! here, then asks for idle ones elsewhere, and when more is promised than is there it names who goes without.

use stockroom_crdt::entry::Fact;
use stockroom_crdt::ids::{Code, StoreId};
use stockroom_crdt::scope::Scope;
use stockroom_crdt::stock::custody::Why;
use stockroom_crdt::stock::policy::{Allocation, PolicyRule};
use stockroom_crdt::stock::promise::{Claim, Promise, PromiseStep, State, Step};
use stockroom_crdt::stock::rights::{Account, Class, Liability, Rights};
use stockroom_crdt::stock::shortage::{Candidate, Shortage, victims};

use super::{holder, known};
use crate::books::rights::Record;
use crate::books::{account as goods_book, rights as book};
use crate::plant::{Plant, planted};
use crate::policy::exposure::{Leak, expose};
use crate::policy::keep::keep;
use crate::replica::Replica;
use crate::storage::{Snapshot, StoreError};
use crate::view::View;

/// What the home writes about one of its accounts.
pub fn follows(replica: &Replica, account: &Account, spread: bool) -> Result<Vec<(Scope, Fact)>, StoreError> {
    let here = Scope::StoreRights(account.store);
    let mut facts: Vec<_> = of_goods(replica, account, spread)?.into_iter().map(|fact| (here.clone(), fact)).collect();
    facts.extend(holder::compensated(replica, account)?);
    Ok(facts)
}

fn of_goods(replica: &Replica, account: &Account, spread: bool) -> Result<Vec<Fact>, StoreError> {
    let rule = replica.rule_for(&account.sku)?;
    let open = book::open(&replica.overlay, account)?;
    let on_hand = on_hand(&replica.overlay, account)?;
    // A home that was set back does not know yet what came in: nobody goes without because of that.
    let short = if replica.rights_locked { Vec::new() } else { short(account, &open, on_hand) };
    let first = [released(&open), short].concat();
    if !first.is_empty() {
        // What these free is looked at when they are in the books.
        return Ok(first);
    }
    let goods = book::rights(&replica.overlay, account, Class::Goods)?;
    if rule.is_none() && goods.minted() == 0 && open.is_empty() {
        return Ok(Vec::new());
    }
    let rule = rule.unwrap_or_else(|| none(account));
    let mut facts = goods_facts(replica, (account, &rule), (on_hand, &goods, set_apart(&open)), spread)?;
    facts.extend(overbooking_facts(replica, account, &rule, on_hand)?);
    Ok(facts)
}

/// Units in the book of an account.
pub fn on_hand(snapshot: &(impl Snapshot + ?Sized), account: &Account) -> Result<i64, StoreError> {
    let key = goods_book::key(account.store, &account.sku, account.unit);
    Ok(goods_book::load(snapshot, &key)?.map_or(0, |held| held.on_hand.quantity))
}

/// What the home owes for an account, as far as it is known here.
pub fn liability(
    snapshot: &(impl Snapshot + ?Sized),
    account: &Account,
    (class, rights): (Class, &Rights),
) -> Result<Liability, StoreError> {
    let owed = book::owed(snapshot, account)?;
    let retired = known::retired(snapshot, account.store)?;
    let frozen = retired.into_iter().map(|actor| rights.held(actor)).fold(0, u64::saturating_add);
    let (closed, open) = match class {
        Class::Goods => (owed.closed, owed.open),
        Class::Overbooking => (owed.closed_soft, owed.open_soft),
    };
    Ok(Liability { minted: rights.minted(), burned: rights.burned().saturating_add(frozen), closed, open })
}

/// How many units may be promised of what is in the book: not the safety stock, and not what walk-in customers and shrinkage
/// will probably take before a promise is picked.
pub fn exposed(replica: &Replica, account: &Account, rule: &PolicyRule, on_hand: i64) -> Result<u64, StoreError> {
    let now = replica.now.wall_ms;
    let key = goods_book::key(account.store, &account.sku, account.unit);
    let counted =
        goods_book::load(&replica.overlay, &key)?.and_then(|held| held.base).map(|(_, count)| count.scanned_ms);
    let leak = Leak {
        counted_ms_ago: counted.map_or(0, |at| now.saturating_sub(at)),
        walk_in_rate: replica.desk.walk_in.get(account).map_or(0.0, |demand| demand.rate(now)),
    };
    Ok(expose(u64::try_from(on_hand).unwrap_or(0), rule, &leak))
}

/// Without a rule nothing new is made. Rights that lie elsewhere stay there, and nobody promises from them while no rule holds.
fn none(account: &Account) -> PolicyRule {
    let target = stockroom_crdt::stock::policy::Target::Sku(account.sku.clone());
    PolicyRule { safety: u32::MAX, ..PolicyRule::of(target, Allocation::HubOnly) }
}

/// Promises that their issuers gave up, and whose goods still lie on the shelf, are closed.
fn released(open: &[(Promise, Record)]) -> Vec<Fact> {
    let given_up = open.iter().filter(|(_, record)| record.state() == State::Releasing);
    given_up
        .map(|(promise, record)| {
            let note = if record.said.has(Step::AskRelease) { "asked" } else { "expired" };
            Fact::PromiseStep(PromiseStep {
                promise: promise.id,
                step: Step::Release,
                found: 0,
                note: word(note),
                staff: Code::default(),
            })
        })
        .collect()
}

/// More is promised than is there: names who goes without.
fn short(account: &Account, open: &[(Promise, Record)], on_hand: i64) -> Vec<Fact> {
    let candidates: Vec<_> = open
        .iter()
        .filter(|(_, record)| record.state() != State::Releasing)
        .map(|(promise, record)| Candidate {
            id: promise.id,
            quantity: record.said.kept(promise),
            state: record.state(),
            claim: record.said.claim(promise),
            priority: promise.priority,
            made: record.made,
        })
        .collect();
    let victims = victims(&candidates, on_hand);
    if victims.is_empty() || planted(Plant::HideShortage) {
        return Vec::new();
    }
    vec![Fact::Shortage(Shortage { account: account.clone(), on_hand, cause: word("goods-missing"), victims })]
}

/// Goods that lie apart for soft promises are nobody else's: no right may stand for them, for a hard promise by it would be broken.
fn set_apart(open: &[(Promise, Record)]) -> u64 {
    let soft = |(promise, record): &&(Promise, Record)| {
        record.state() == State::Staged && record.said.claim(promise) == Claim::Soft
    };
    open.iter().filter(soft).map(|(promise, record)| record.said.kept(promise)).fold(0, u64::saturating_add)
}

fn goods_facts(
    replica: &Replica,
    (account, rule): (&Account, &PolicyRule),
    (on_hand, held, set_apart): (i64, &Rights, u64),
    spread: bool,
) -> Result<Vec<Fact>, StoreError> {
    let me = replica.actor();
    let mut rights = held.clone();
    let owed = liability(&replica.overlay, account, (Class::Goods, held))?.units().saturating_add(set_apart);
    let there = u64::try_from(on_hand).unwrap_or(0);
    let exposed = exposed(replica, account, rule, on_hand)?;
    let mut facts = Vec::new();
    if replica.rights_locked && !planted(Plant::MintUnknown) {
        return Ok(facts);
    }
    if owed > there {
        let missing = owed - there;
        let idle = rights.held(me).min(missing);
        if idle > 0 && rights.burn(me, idle).is_ok() {
            facts.push(replica.row_fact(account, Class::Goods, &rights));
        }
        let elsewhere = elsewhere(replica, account, &rights)?;
        let asked = (missing - idle).min(elsewhere);
        if asked > 0 {
            facts.extend(holder::ask(replica, account, &rights, (asked, Why::AtRisk))?);
        }
        return Ok(facts);
    }
    let mut made = false;
    if known::may_mint(replica, account.store) {
        let mintable = if planted(Plant::MintFromBook) { there } else { exposed.saturating_sub(owed) };
        made = mintable > 0 && rights.mint(me, mintable).is_ok();
    }
    let mut answers = holder::hardened(replica, account, &mut rights)?;
    answers.extend(holder::answer(replica, account, &mut rights)?);
    share(replica, account, rule, (&mut rights, made || spread))?;
    if rights.row(me) != held.row(me) {
        facts.push(replica.row_fact(account, Class::Goods, &rights));
    }
    facts.extend(answers);
    Ok(facts)
}

/// Grants the hub what the rule does not keep here.
fn share(
    replica: &Replica,
    account: &Account,
    rule: &PolicyRule,
    (rights, due): (&mut Rights, bool),
) -> Result<(), StoreError> {
    let me = replica.actor();
    let hub = replica.me.capability().issuer;
    let Some(hub) = replica.newest_actor(hub) else { return Ok(()) };
    let free = rights.held(me);
    let elsewhere = elsewhere(replica, account, rights)?;
    let all = free.saturating_add(elsewhere);
    let lengths = holder::lengths(replica, hub.node);
    let home = holder::spoke(replica, account, (hub.node, free), &lengths);
    let places = rights.actors().len().max(2) as u64;
    let others_rate = holder::others_rate(replica, account, me.node);
    let keep = keep(&home, others_rate, all, HORIZON_MS, places, rule.allocation);
    // Rights are not moved for one unit: who has too few asks.
    let surplus = free.saturating_sub(keep);
    let first = !rights.row(me).grants.contains_key(&hub);
    // Rights that came because a customer here was turned away stay for the next try: they are not handed back at once.
    if !first && (!due || surplus * BATCH_SHARE < all) {
        return Ok(());
    }
    let lent = lendable(replica, account, rights)?;
    let give = surplus.min(lent);
    if give > 0 {
        let _ = rights.grant(me, hub, give);
    }
    Ok(())
}

/// How many more units may lie with others, when the goods belong to somebody who has to consent: the recorded share of what
/// was minted and is not closed.
pub fn lendable(replica: &Replica, account: &Account, rights: &Rights) -> Result<u64, StoreError> {
    let Some(share_ppm) = known::consent(replica, account)? else { return Ok(u64::MAX) };
    let me = replica.actor();
    let live = liability(&replica.overlay, account, (Class::Goods, rights))?.units();
    let allowed = live.saturating_mul(u64::from(share_ppm)) / 1_000_000;
    let away = live.saturating_sub(rights.held(me));
    Ok(allowed.saturating_sub(away))
}

/// Rights that may become soft promises: a budget of its own, made and moved like rights to goods.
fn overbooking_facts(
    replica: &Replica,
    account: &Account,
    rule: &PolicyRule,
    on_hand: i64,
) -> Result<Vec<Fact>, StoreError> {
    if rule.soft_ppm == 0 || replica.rights_locked || !known::may_mint(replica, account.store) {
        return Ok(Vec::new());
    }
    let me = replica.actor();
    let held = book::rights(&replica.overlay, account, Class::Overbooking)?;
    let exposed = exposed(replica, account, rule, on_hand)?;
    let budget = exposed.saturating_mul(u64::from(rule.overbooking_ppm)).div_ceil(1_000_000);
    let mintable = liability(&replica.overlay, account, (Class::Overbooking, &held))?.may_mint(budget);
    let mut rights = held.clone();
    if mintable > 0 {
        let _ = rights.mint(me, mintable);
    }
    // Half of it lies at the hub: each side can be cut off from the other.
    if let Some(hub) = replica.newest_actor(replica.me.capability().issuer) {
        let give = (mintable.div_ceil(2)).min(rights.held(me));
        if give > 0 {
            let _ = rights.grant(me, hub, give);
        }
    }
    let changed = rights.row(me) != held.row(me);
    Ok(if changed { vec![replica.row_fact(account, Class::Overbooking, &rights)] } else { Vec::new() })
}

/// Units that others hold and that are not written off.
fn elsewhere(replica: &Replica, account: &Account, rights: &Rights) -> Result<u64, StoreError> {
    let held = known::holders(&replica.overlay, account.store, (rights, replica.actor()))?;
    Ok(held.into_iter().map(|(_, units)| units).fold(0, u64::saturating_add))
}

fn word(text: &str) -> Code {
    Code::parse(text).expect("a short word is a code")
}

/// True when this node is the home of a store's accounts.
pub fn is_home(replica: &Replica, store: StoreId) -> Result<bool, StoreError> {
    let record = View::new(&replica.overlay).store(store)?;
    Ok(replica.own_store() == Some(store) && record.is_some_and(|record| record.home == replica.actor().node))
}

const DAY_MS: u64 = 86_400_000;

/// What is moved to the hub without being asked for is at least this part of all, one over so many.
const BATCH_SHARE: u64 = 8;

/// Until goods come again, as long as nobody says otherwise: a week.
pub(crate) const HORIZON_MS: u64 = 7 * DAY_MS;
