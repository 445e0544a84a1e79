//! What this node does with rights by itself: make them from goods, keep and grant them, answer requests, burn them when goods
//! are missing, and name who goes without.
//!
//! Nothing here is asked for by a person. Whatever moves an account (an entry that is applied, a promise that runs out, a link that
//! comes up) only marks it; before each commit [`Replica::settle`] looks at the marked accounts and writes what follows, in the
//! same commit. Whether it is owed depends on the books alone; how much is moved where also on what was seen of demand and links. A
//! crash loses nothing: everything is looked at again, little by little, after a start.
//!
//! | module | what it knows |
//! |---|---|
//! | [`desk`] | what is remembered between commits: rules, marks, timers, demand |
//! | [`links`] | how long links were up and down |
//! | [`home`] | the store where the goods are: minting, burning, shortages, closing of promises |
//! | [`holder`] | everybody who holds rights: requests, grants, soft promises that become hard, compensations |
//! | [`known`] | whether enough is known of earlier lives to make rights; writing off what earlier lives held |

pub mod desk;
pub mod holder;
pub mod home;
pub mod known;
pub mod links;

use std::collections::{BTreeMap, BTreeSet};

use stockroom_crdt::control::EpochReason;
use stockroom_crdt::entry::{Fact, kind};
use stockroom_crdt::ids::{Actor, Code, NodeId, Sku};
use stockroom_crdt::product::Product;
use stockroom_crdt::scope::Scope;
use stockroom_crdt::stock::policy::{PolicyRule, Target};
use stockroom_crdt::stock::promise::{PromiseStep, State, Step};
use stockroom_crdt::stock::rights::{Account, Class, Rights, RightsFact};

use crate::books::{cells, rights as book};
use crate::input::CoreError;
use crate::limits::{SETTLE_LATER_MAX, SETTLE_ROUNDS_MAX};
use crate::replica::Replica;
use crate::storage::{Snapshot, StoreError};
use crate::view::View;

pub use desk::Desk;
pub use links::outages;

impl Replica {
    /// The rule about promising a product, if there is one.
    pub fn rule_for(&self, sku: &Sku) -> Result<Option<PolicyRule>, StoreError> {
        rule_for(&self.desk.rules, &View::new(&self.overlay), sku)
    }

    /// Writes what follows from the accounts that were touched, until nothing follows any more, and a few of those that are to be
    /// looked at without haste.
    pub(crate) fn settle(&mut self) -> Result<(), CoreError> {
        if std::mem::take(&mut self.desk.resting) {
            return Ok(());
        }
        if self.desk.retired {
            // What this life holds is made anew by the home: whoever is there after all goes on in another one, with nothing.
            self.rights_locked = true;
            if self.reopen(self.epoch.0, EpochReason::Manual)? {
                self.reached("a life that was written off was there after all");
                self.alarm("the rights of this node were written off, and it is there: a new epoch was opened".into());
            }
        }
        self.unlock_if_known();
        if std::mem::take(&mut self.desk.everything) {
            self.look_at_everything()?;
        }
        let mut spread = BTreeSet::new();
        for _ in 0..SETTLE_LATER_MAX {
            let Some(account) = self.desk.spread.pop_first().inspect(|account| _ = spread.insert(account.clone()))
            else {
                break;
            };
            self.desk.touched.insert(account);
        }
        for _ in spread.len()..SETTLE_LATER_MAX {
            let Some(account) = self.desk.later.pop_first() else { break };
            self.desk.touched.insert(account);
        }
        for _ in 0..SETTLE_ROUNDS_MAX {
            if self.desk.obstacle.is_none() && !self.desk.touched.is_empty() {
                self.desk.obstacle = Some(known::obstacle(self)?);
            }
            let touched = std::mem::take(&mut self.desk.touched);
            let mut facts: BTreeMap<Scope, Vec<Fact>> = BTreeMap::new();
            for account in touched {
                let spread = spread.contains(&account);
                for (scope, fact) in self.follows(&account, spread)? {
                    let facts = facts.entry(scope).or_default();
                    // Several accounts call for one decree.
                    if !matches!(fact, Fact::Retire(_)) || !facts.contains(&fact) {
                        facts.push(fact);
                    }
                }
            }
            if facts.is_empty() {
                return Ok(());
            }
            for (scope, facts) in facts {
                self.write(&scope, facts)?;
            }
        }
        self.reached("rights were not settled in one commit");
        let rest = std::mem::take(&mut self.desk.touched);
        self.desk.later.extend(rest);
        Ok(())
    }

    /// The next commit holds books that were made again and nothing else, so that they can be compared.
    pub(crate) fn rest_once(&mut self) {
        self.desk.resting = true;
    }

    /// Ends own promises that were not confirmed in time.
    pub(crate) fn expire_promises(&mut self) -> Result<(), CoreError> {
        let now = self.now.wall_ms;
        while let Some(&(until_ms, store, id)) = self.desk.expiring.first() {
            if until_ms > now {
                break;
            }
            self.desk.expiring.pop_first();
            let held = book::record(&self.overlay, store, id)?;
            if held.is_some_and(|record| record.state() == State::Held) {
                self.reached("a promise was not confirmed in time");
                let (note, staff) = (Code::default(), Code::default());
                let step = PromiseStep { promise: id, step: Step::Expire, found: 0, note, staff };
                self.write(&Scope::StoreRights(store), vec![Fact::PromiseStep(step)])?;
            }
        }
        Ok(())
    }

    /// What is to be written about one account, with the scope where it belongs.
    fn follows(&self, account: &Account, spread: bool) -> Result<Vec<(Scope, Fact)>, StoreError> {
        if self.own_store() == Some(account.store) {
            home::follows(self, account, spread)
        } else {
            holder::follows(self, account, spread)
        }
    }

    /// The row that this node would write next, as a fact.
    pub(crate) fn row_fact(&self, account: &Account, class: Class, rights: &Rights) -> Fact {
        let by = self.actor();
        Fact::Rights(RightsFact { account: account.clone(), class, by, row: rights.row(by) })
    }

    /// The newest epoch of a node, as far as it is known here.
    pub(crate) fn newest_actor(&self, node: NodeId) -> Option<Actor> {
        if node == self.actor().node {
            return Some(self.actor());
        }
        self.journal.logs_by(node).map(|(_, log)| log.id.actor).max()
    }

    /// A known bug: what a row grants is added again each time it comes.
    pub(crate) fn grant_again(&mut self, fact: &RightsFact) -> Result<(), StoreError> {
        let me = self.actor();
        let Some(units) = fact.row.grants.get(&me).filter(|_| fact.by != me) else { return Ok(()) };
        let mut row = book::rights(&self.overlay, &fact.account, fact.class)?.row(fact.by);
        *row.grants.entry(me).or_default() += units;
        book::put_row(&mut self.overlay, fact, &row);
        Ok(())
    }
}

/// The rules about promising that hold, by what they are about.
pub fn rules(snapshot: &(impl Snapshot + ?Sized)) -> Result<BTreeMap<Target, PolicyRule>, StoreError> {
    let Some(control) = cells::scope_number(snapshot, &Scope::Control)? else { return Ok(BTreeMap::new()) };
    let entries = cells::winners(snapshot, control, kind::POLICY, &[])?;
    Ok(entries
        .into_iter()
        .filter_map(|entry| match entry.fact {
            Fact::PolicyRule(rule) if !rule.ended => Some((rule.target.clone(), rule)),
            _ => None,
        })
        .collect())
}

/// The narrowest rule that fits a product.
pub fn rule_for<S: Snapshot + ?Sized>(
    rules: &BTreeMap<Target, PolicyRule>,
    view: &View<'_, S>,
    sku: &Sku,
) -> Result<Option<PolicyRule>, StoreError> {
    if rules.is_empty() {
        return Ok(None);
    }
    if let Some(rule) = rules.get(&Target::Sku(sku.clone())) {
        return Ok(Some(rule.clone()));
    }
    let by_department = |product: Product| rules.get(&Target::Department(product.department)).cloned();
    let narrow = view.product(sku)?.and_then(by_department);
    Ok(narrow.or_else(|| rules.get(&Target::All).cloned()))
}
