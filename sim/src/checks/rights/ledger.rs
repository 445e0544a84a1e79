//! Rights and promises on the union of all logs: what their writers made durable, whoever knows of it.

use std::cell::{Ref, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use stockroom_core::storage::{Snapshot, Table};
use stockroom_crdt::batch::Item;
use stockroom_crdt::chain::LogId;
use stockroom_crdt::codec::RowReader;
use stockroom_crdt::entry::Fact;
use stockroom_crdt::ids::{Actor, StoreId};
use stockroom_crdt::scope::Scope;
use stockroom_crdt::stock::promise::{Claim, Promise, PromiseId, Step};
use stockroom_crdt::stock::rights::{Account, Class, Rights, RightsRow};

use crate::checks::Scene;
use crate::checks::fleet::{entries, identity, logs, mix};
use crate::checks::watch::{Flow, Sight};
use crate::observe::{Observation, RowChange, Seen};

/// What the checks of rights look at together.
#[derive(Clone, Default)]
pub struct Tally(Rc<RefCell<Ledger>>);

impl Tally {
    /// Takes an observation in, unless another check did.
    pub fn see(&self, seen: &Observation, sight: &Sight, scene: &Scene<'_>) -> Ref<'_, Ledger> {
        if self.0.borrow().event != seen.event {
            self.0.borrow_mut().take(seen, sight, scene);
        }
        self.0.borrow()
    }

    /// What was seen so far.
    pub fn last(&self) -> Ref<'_, Ledger> {
        self.0.borrow()
    }
}

/// Something that an author wrote in the observed commit.
pub struct Written {
    /// Who.
    pub by: Actor,
    /// About whose goods.
    pub store: StoreId,
    /// What.
    pub fact: Fact,
    /// The author's row before, if it is a row.
    pub before: RightsRow,
}

/// All there is about rights and promises.
#[derive(Default)]
pub struct Ledger {
    event: u64,
    /// Rows as their writers made them durable.
    pub rows: BTreeMap<(Account, Class), Rights>,
    /// Rows as others than their writers have them.
    pub abroad: BTreeMap<(Account, Class), Rights>,
    /// Units of the promises that an actor made or hardened, by what stands behind them.
    pub promised: BTreeMap<(Account, Class, Actor), u64>,
    /// Promises by their names.
    pub promises: BTreeMap<PromiseId, Promise>,
    /// Risk that was accepted when an actor was written off, in units.
    pub retired: BTreeMap<(StoreId, Actor), u64>,
    /// How far an earlier life is known to have written, by what a later one says in its opening.
    pub claims: BTreeMap<LogId, u64>,
    /// Stores in whose rights somebody has two histories, or a clone wrote.
    forked: BTreeSet<StoreId>,
    /// How far each author's own disk reached, with hashes of its entries.
    authored: BTreeMap<LogId, Vec<u64>>,
    /// Hashes at places where somebody has two histories: both are known.
    branches: BTreeSet<(LogId, u64, u64)>,
    /// What was written in the observed commit.
    pub written: Vec<Written>,
    /// Accounts whose rows changed in the observed commit, at the node that committed.
    pub touched: BTreeSet<(Account, Class)>,
}

impl Ledger {
    /// True when an author has two histories there: its rights may be spent twice until that is proven.
    pub fn is_forked(&self, store: StoreId) -> bool {
        self.forked.contains(&store)
    }

    /// True when the logs of rights of one life reach less far on this disk than it once had them.
    pub fn is_behind(&self, life: Actor, snapshot: &dyn Snapshot) -> bool {
        let held: BTreeMap<LogId, u64> = logs(snapshot).into_iter().map(|(_, log)| (log.id, log.head.seq)).collect();
        let own = self.authored.iter().filter(|(id, _)| id.actor == life);
        own.into_iter().any(|(id, known)| held.get(id).copied().unwrap_or(0) < known.len() as u64)
    }

    /// The actors of a node that ever wrote about rights.
    pub fn lives(&self, node: u32) -> BTreeSet<Actor> {
        self.authored.keys().map(|id| id.actor).filter(|actor| actor.node.0 == identity(node)).collect()
    }

    fn take(&mut self, seen: &Observation, sight: &Sight, scene: &Scene<'_>) {
        self.event = seen.event;
        self.written.clear();
        self.touched.clear();
        if let (Seen::Started { .. }, Flow::Anew(snapshot)) = (&seen.what, &sight.flow) {
            self.reread(seen.node, &**snapshot);
        }
        let Seen::Committed(rows) = &seen.what else { return };
        let Some(holding) = scene.union.nodes.get(&seen.node) else { return };
        for run in &sight.runs {
            let Some(log) = holding.logs.get(&run.log) else { continue };
            if log.id.actor.node.0 == identity(seen.node) {
                // Both go on in one epoch until one of them knows.
                if seen.node != identity(seen.node) {
                    self.forked.extend(log.id.scope.store().filter(|_| matches!(log.id.scope, Scope::StoreRights(_))));
                }
                for (seq, item) in (run.first..).zip(&run.items) {
                    self.entry(&log.id, seq, item);
                }
            }
        }
        rows.iter().filter(|row| row.table == Table::Rights).for_each(|row| self.row(seen.node, row));
    }

    /// What the author's disk holds beyond what its commits told.
    fn reread(&mut self, node: u32, snapshot: &dyn Snapshot) {
        for (number, log) in logs(snapshot) {
            if log.id.actor.node.0 == identity(node) && matches!(log.id.scope, Scope::StoreRights(_)) {
                entries(snapshot, number, |seq, item| self.entry(&log.id, seq, item));
            }
        }
        self.written.clear();
    }

    fn entry(&mut self, id: &LogId, seq: u64, item: &Item) {
        let Scope::StoreRights(store) = id.scope else { return };
        let known = self.authored.entry(id.clone()).or_default();
        if known.len() < seq as usize {
            known.resize(seq as usize, 0);
        }
        let (slot, hash) = (&mut known[seq as usize - 1], mix(&item.bytes).max(1));
        if *slot == hash {
            return;
        }
        if *slot != 0 {
            self.forked.insert(store);
            self.branches.insert((id.clone(), seq, *slot));
            if !self.branches.insert((id.clone(), seq, hash)) {
                return;
            }
        }
        *slot = hash;
        if let Fact::EpochOpen(open) = &item.entry.fact
            && let Some((epoch, seq, _)) = open.previous
        {
            let earlier = LogId { actor: Actor { epoch, ..id.actor }, scope: id.scope.clone() };
            self.claims.insert(earlier, seq);
        }
        self.fact(store, id.actor, &item.entry.fact);
    }

    fn fact(&mut self, store: StoreId, by: Actor, fact: &Fact) {
        let mut before = RightsRow::default();
        match fact {
            Fact::Rights(rights) => {
                let all = self.rows.entry((rights.account.clone(), rights.class)).or_default();
                before = all.row(by);
                all.merge(by, &rights.row);
            }
            Fact::Promise(promise) => {
                let class = if promise.claim == Claim::Hard { Class::Goods } else { Class::Overbooking };
                *self.promised.entry((promise.account.clone(), class, by)).or_default() += promise.quantity;
                self.promises.insert(promise.id, promise.clone());
            }
            Fact::PromiseStep(step) if step.step == Step::Harden => {
                if let Some(promise) = self.promises.get(&step.promise) {
                    *self.promised.entry((promise.account.clone(), Class::Goods, by)).or_default() += promise.quantity;
                }
            }
            Fact::Retire(retire) => {
                let risk = self.retired.entry((store, retire.actor)).or_default();
                *risk = retire.risk.max(*risk);
            }
            _ => {}
        }
        self.written.push(Written { by, store, fact: fact.clone(), before });
    }

    fn row(&mut self, node: u32, row: &RowChange) {
        let Some((account, class, actor)) = row_key(&row.key) else { return };
        self.touched.insert((account.clone(), class));
        let value = row.new.as_ref().and_then(|bytes| RightsRow::decode(&mut RowReader::new(bytes), NOBODY).ok());
        if let Some(value) = value.filter(|_| actor.node.0 != identity(node)) {
            self.abroad.entry((account, class)).or_default().merge(actor, &value);
        }
    }
}

/// Whose row it is, of what.
pub fn row_key(key: &[u8]) -> Option<(Account, Class, Actor)> {
    let (account, rest) = key.split_at(key.len().checked_sub(7)?);
    let (store, sku, unit) = stockroom_core::books::account::parse_key(account).ok()?;
    let class = if rest[0] == Class::Goods as u8 { Class::Goods } else { Class::Overbooking };
    let node = u32::from_be_bytes(rest[1..5].try_into().ok()?);
    let epoch = u16::from_be_bytes(rest[5..].try_into().ok()?);
    Some((Account { store, sku, unit }, class, Actor::new(node, epoch)))
}

/// Nobody's name: what is read back was compared with its writer before.
pub const NOBODY: Actor = Actor::new(u32::MAX, u16::MAX);
