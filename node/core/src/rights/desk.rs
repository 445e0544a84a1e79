//! What a replica remembers about rights between two commits. Marks, timers and debts are made again from the books at a start; what
//! was only seen (walk-in demand, the risk of soft promises so far, who was turned away) begins anew, which costs promises and breaks none.

use std::collections::{BTreeMap, BTreeSet};

use stockroom_crdt::chain::LogId;
use stockroom_crdt::entry::{Entry, Fact};
use stockroom_crdt::ids::{Actor, Digest, Epoch, NodeId, StoreId};
use stockroom_crdt::scope::Scope;
use stockroom_crdt::stock::policy::{PolicyRule, Target};
use stockroom_crdt::stock::promise::{PromiseId, State, Step};
use stockroom_crdt::stock::rights::{Account, Class};
use stockroom_crdt::stock::shortage::compensation_id;
use stockroom_crdt::stock::{Cause, Effect, Movement};

use super::links::LinkHistory;
use super::{holder, home, known, rules};
use crate::books::rights as book;
use crate::limits::PAGE_MAX;
use crate::policy::demand::Demand;
use crate::policy::soft::Ledger;
use crate::replica::Replica;
use crate::storage::StoreError;
use crate::view::View;

/// What a replica remembers about rights.
#[derive(Default)]
pub struct Desk {
    /// Rules about promising, by what they are about.
    pub(crate) rules: BTreeMap<Target, PolicyRule>,
    /// Accounts to look at before the next commit.
    pub(crate) touched: BTreeSet<Account>,
    /// Accounts to look at without haste, a few with each commit: nobody waits for them.
    pub(crate) later: BTreeSet<Account>,
    /// Accounts to look at in the same way whose rights are spread anew by their rules.
    pub(crate) spread: BTreeSet<Account>,
    /// Accounts from whose shelf something was sold, to be looked at together a little later.
    pub(crate) sold: BTreeSet<Account>,
    /// When they are, on the monotonic clock.
    pub(crate) sold_due_ms: u64,
    /// Own promises that are not confirmed, by when they end.
    pub(crate) expiring: BTreeSet<(u64, StoreId, PromiseId)>,
    /// Accounts in which this node holds rights, or somebody made a promise or asks for rights.
    pub(crate) active: BTreeSet<Account>,
    /// The hub above was heard in this epoch, and contradicts nothing.
    pub(crate) heard: bool,
    /// All accounts are to be looked at.
    pub(crate) everything: bool,
    /// Rights stay locked until these logs are held that far: the hub holds more of them than this node.
    pub(crate) unlock: Vec<(LogId, u64)>,
    /// Heads of own logs that the continuity token named when it was ahead of them.
    pub(crate) claims: Vec<(Epoch, Scope, u64, Digest)>,
    /// Why this node may not make rights from its goods, as it was found last; none if it may. Absent when it is to be found anew.
    pub(crate) obstacle: Option<Option<&'static str>>,
    /// Stores whose own feed of rights was complete here since the start.
    pub(crate) contacted: BTreeSet<StoreId>,
    /// How fast promises are made, per account and node.
    pub(crate) demand: BTreeMap<Account, BTreeMap<NodeId, Demand>>,
    /// How fast the own store's customers take goods from the shelf, since the start.
    pub(crate) walk_in: BTreeMap<Account, Demand>,
    /// How long links to other nodes were up and down.
    pub(crate) links: BTreeMap<NodeId, LinkHistory>,
    /// Own promises that a home declared broken, for which nothing was decided yet.
    pub(crate) shorted: BTreeMap<Account, BTreeSet<PromiseId>>,
    /// Soft promises that were made here since the start, and what was risked with them.
    pub(crate) soft: BTreeMap<Account, Ledger>,
    /// The next commit writes nothing by itself.
    pub(crate) resting: bool,
    /// When a customer was last turned away here, on the monotonic clock.
    pub(crate) missed: BTreeMap<Account, u64>,
    /// This life was written off by a decree: it spends nothing more.
    pub(crate) retired: bool,
    /// When this node last asked another one for rights, on the monotonic clock.
    pub(crate) asked: BTreeMap<(Account, NodeId), u64>,
    /// When rights were spread last, on the monotonic clock.
    pub(crate) spread_ms: u64,
}

/// How fast promises are made, and how fast goods are taken off the shelf.
pub(crate) type Rates = (BTreeMap<Account, BTreeMap<NodeId, Demand>>, BTreeMap<Account, Demand>);

impl Desk {
    /// What was learned of demand, to be kept while books are made again: what was sold once is not demand twice.
    pub(crate) fn demand(&self) -> Rates {
        (self.demand.clone(), self.walk_in.clone())
    }

    /// What is to be looked at: books that are made again are no news.
    pub(crate) fn marks(&self) -> (bool, [BTreeSet<Account>; 3]) {
        (self.everything, [self.touched.clone(), self.later.clone(), self.spread.clone()])
    }

    /// Forgets what was marked since [`Desk::marks`].
    pub(crate) fn set_marks(&mut self, (everything, marks): (bool, [BTreeSet<Account>; 3])) {
        self.everything = everything;
        [self.touched, self.later, self.spread] = marks;
    }

    /// Forgets what was learned since [`Desk::demand`].
    pub(crate) fn set_demand(&mut self, rates: Rates) {
        (self.demand, self.walk_in) = rates;
    }
}

impl Replica {
    /// Marks what an entry changed.
    pub(crate) fn touch_rights(
        &mut self,
        author: Actor,
        entry: &Entry,
        accounts: Vec<Account>,
    ) -> Result<(), StoreError> {
        let me = self.actor();
        match &entry.fact {
            Fact::PolicyRule(_) => {
                self.desk.rules = rules(&self.overlay)?;
                self.desk.everything = true;
            }
            Fact::Rights(fact) if author == me || fact.row.grants.contains_key(&me) => {
                self.desk.active.insert(fact.account.clone());
            }
            Fact::Promise(promise) => {
                let fresh = || Demand::new(PRIOR_PER_DAY, self.now.wall_ms);
                let by_node = self.desk.demand.entry(promise.account.clone()).or_default();
                by_node.entry(promise.id.issuer.node).or_insert_with(fresh).saw(promise.quantity);
                self.desk.active.insert(promise.account.clone());
                if promise.id.issuer.node == me.node && promise.until_ms > 0 {
                    self.desk.expiring.insert((promise.until_ms, promise.account.store, promise.id));
                }
            }
            // It did not end while its goods lay apart: now it may.
            Fact::PromiseStep(step) if step.step == Step::PutBack && step.promise.issuer.node == me.node => {
                for account in &accounts {
                    let record = book::record(&self.overlay, account.store, step.promise)?;
                    let until_ms = record.and_then(|record| record.promise).map(|promise| promise.until_ms);
                    self.desk.expiring.extend(until_ms.map(|until_ms| (until_ms, account.store, step.promise)));
                }
            }
            Fact::Want(want) => {
                if author == me {
                    self.desk.asked.insert((want.account.clone(), want.of), self.now.mono_ms);
                }
                self.desk.active.insert(want.account.clone());
            }
            Fact::Shortage(shortage) => {
                let own = shortage.victims.iter().map(|(id, _)| *id).filter(|id| id.issuer.node == me.node);
                let shorted = self.desk.shorted.entry(shortage.account.clone()).or_default();
                for id in own {
                    self.counters.shorted += u64::from(shorted.insert(id));
                }
            }
            Fact::Compensation(compensation) => {
                self.counters.compensated += u64::from(compensation.promise.issuer.node == me.node);
                for owed in self.desk.shorted.values_mut() {
                    owed.remove(&compensation.promise);
                }
                self.desk.shorted.retain(|_, owed| !owed.is_empty());
            }
            Fact::Consent(_) => self.desk.everything = true,
            Fact::Retire(retire) => {
                self.desk.retired |= retire.actor == me;
                self.desk.everything = true;
                self.forget_obstacle();
            }
            Fact::EpochOpen(_) | Fact::Node(_) | Fact::Store(_) => self.forget_obstacle(),
            _ => {}
        }
        if author != me {
            // More of an earlier life may be known now.
            self.forget_obstacle();
        }
        self.desk.touched.extend(accounts);
        Ok(())
    }

    /// Whether rights may be made from the own goods is to be found anew; what may change by that is looked at.
    pub(crate) fn forget_obstacle(&mut self) {
        let was = self.desk.obstacle.take();
        if was.is_some_and(|obstacle| obstacle.is_some()) && self.own_store().is_some() {
            self.desk.everything = true;
        }
    }

    /// Goods of the own store moved.
    pub(crate) fn touch_goods(&mut self, store: StoreId, entry: &Entry) -> Result<(), StoreError> {
        if self.desk.rules.is_empty() || self.own_store() != Some(store) {
            return Ok(());
        }
        for (sku, unit, effect) in stockroom_crdt::stock::effects(entry) {
            let account = Account { store, sku, unit };
            if let Effect::Move(Movement { delta: delta @ ..0, cause: Cause::Sale(_), .. }) = effect {
                let fresh = || Demand::new(PRIOR_PER_DAY, self.now.wall_ms);
                self.desk.walk_in.entry(account.clone()).or_insert_with(fresh).saw(delta.unsigned_abs());
            }
            let sale = matches!(entry.fact, Fact::Sale(_));
            if sale && !self.is_promised_away(&account)? {
                // Rights that are one too many harm nobody for a moment, and those of all sales of a moment are burned together.
                if self.desk.sold.is_empty() {
                    self.desk.sold_due_ms = self.now.mono_ms + SOLD_MS;
                }
                self.desk.sold.insert(account);
            } else {
                self.desk.touched.insert(account);
            }
        }
        Ok(())
    }

    /// More is promised than is there.
    fn is_promised_away(&self, account: &Account) -> Result<bool, StoreError> {
        let owed = book::owed(&self.overlay, account)?;
        let open = owed.open.saturating_add(owed.open_soft);
        Ok(i64::try_from(open).unwrap_or(i64::MAX) > home::on_hand(&self.overlay, account)?.max(0) && open > 0)
    }

    /// What was sold a little while ago is looked at now.
    pub(crate) fn sold_due(&mut self) {
        if !self.desk.sold.is_empty() && self.desk.sold_due_ms <= self.now.mono_ms {
            let sold = std::mem::take(&mut self.desk.sold);
            self.desk.touched.extend(sold);
        }
    }

    /// Everything is looked at, without haste: after a start, when a rule changed, when rights were unlocked.
    pub(crate) fn look_at_everything(&mut self) -> Result<(), StoreError> {
        let active = self.desk.active.iter().cloned();
        self.desk.spread.extend(active);
        let Some(store) = self.own_store().filter(|_| !self.desk.rules.is_empty()) else { return Ok(()) };
        let held = View::new(&self.overlay).accounts(store, None, usize::MAX)?;
        self.desk.spread.extend(held.into_iter().map(|(sku, unit, _)| Account { store, sku, unit }));
        let with_rights = book::accounts(&self.overlay, store)?;
        self.desk.spread.extend(with_rights);
        Ok(())
    }

    /// Reads what the desk keeps in memory from the books.
    pub(crate) fn load_desk(&mut self) -> Result<(), StoreError> {
        self.desk.rules = rules(&self.overlay)?;
        self.load_links()?;
        let me = self.actor().node;
        let of_rights = |scope: &Scope| match scope {
            Scope::StoreRights(store) => Some(*store),
            _ => None,
        };
        let stores: Vec<StoreId> = self.journal.scopes().filter_map(|(scope, _)| of_rights(scope)).collect();
        for store in stores {
            self.desk.retired |= known::retired(&self.overlay, store)?.contains(&self.actor());
            self.load_promises(store)?;
            for account in book::accounts(&self.overlay, store)? {
                let rights = book::rights(&self.overlay, &account, Class::Goods)?;
                // Also what an earlier life of this node held: it is to be written off.
                if rights.actors().into_iter().any(|actor| actor.node == me && rights.balance(actor) != 0) {
                    self.desk.active.insert(account);
                }
            }
        }
        self.desk.everything = true;
        Ok(())
    }

    /// Timers, demand and debts, from the promises of a store.
    fn load_promises(&mut self, store: StoreId) -> Result<(), StoreError> {
        let (now, me) = (self.now.wall_ms, self.actor().node);
        let mut after = None;
        loop {
            let page = book::promises(&self.overlay, store, after, PAGE_MAX)?;
            let Some((last, _)) = page.last() else { return Ok(()) };
            after = Some(*last);
            for (id, record) in page {
                let Some(promise) = &record.promise else { continue };
                let account = promise.account.clone();
                let state = record.state();
                if id.issuer.node == me && state == State::Held {
                    self.desk.expiring.insert((promise.until_ms, store, id));
                }
                if state.is_open() {
                    self.desk.active.insert(account.clone());
                }
                if let Some(shortage) = record.said.shortage()
                    && id.issuer.node == me
                    && holder::compensation(&self.overlay, store, compensation_id(shortage, id))?.is_none()
                {
                    self.desk.shorted.entry(account.clone()).or_default().insert(id);
                    self.desk.active.insert(account.clone());
                }
                if now.saturating_sub(record.made.ms()) <= DEMAND_MS_MAX {
                    let by_node = self.desk.demand.entry(account).or_default();
                    let fresh = || Demand::new(PRIOR_PER_DAY, now.saturating_sub(DEMAND_MS_MAX));
                    by_node.entry(id.issuer.node).or_insert_with(fresh).saw(promise.quantity);
                }
            }
        }
    }

    /// At a hub: spreads rights anew, now and then.
    pub(crate) fn spread_due(&mut self) {
        if self.spread_deadline().is_some_and(|due| due <= self.now.mono_ms) {
            self.desk.spread_ms = self.now.mono_ms;
            let active = self.desk.active.iter().cloned();
            self.desk.spread.extend(active);
        }
    }

    /// When a promise ends, rights are spread anew, or accounts wait to be looked at, on the monotonic clock.
    pub(crate) fn rights_deadline(&self) -> Option<u64> {
        let now = self.now.mono_ms;
        // The wall clock may jump meanwhile: looks again within the hour.
        let left = |until_ms: u64| until_ms.saturating_sub(self.now.wall_ms).clamp(1, HOUR_MS);
        let ends = self.desk.expiring.first().map(|(until_ms, ..)| now + left(*until_ms));
        let waits = !self.desk.later.is_empty() || !self.desk.spread.is_empty();
        let waits = waits.then_some(now + LATER_MS);
        let sold = (!self.desk.sold.is_empty()).then_some(self.desk.sold_due_ms);
        ends.into_iter().chain(waits).chain(sold).chain(self.spread_deadline()).min()
    }

    fn spread_deadline(&self) -> Option<u64> {
        let hub = self.own_store().is_none() && !self.desk.rules.is_empty() && !self.desk.active.is_empty();
        hub.then_some(self.desk.spread_ms + SPREAD_AFTER_MS)
    }
}

/// What is taken for demand until some is seen: one unit in ten days.
pub const PRIOR_PER_DAY: f64 = 0.1;

/// Promises older than four weeks say nothing about demand any more.
const DEMAND_MS_MAX: u64 = 28 * 86_400_000;

/// Sales of so long share one look at the rights to what they took.
const SOLD_MS: u64 = 5_000;

/// Rights are spread anew after so long, if no link came up before.
const SPREAD_AFTER_MS: u64 = 10 * 60_000;

/// Between two batches of accounts that nobody waits for, so that tills come first.
const LATER_MS: u64 = 20;

const HOUR_MS: u64 = 3_600_000;
