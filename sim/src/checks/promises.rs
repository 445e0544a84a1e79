//! Promises: they go one way, what breaks one has a cause, and in the end each is closed or has goods behind it.

use std::collections::{BTreeMap, BTreeSet};

use stockroom_core::books::account::from_row;
use stockroom_core::books::rights as book;
use stockroom_core::rights::{holder, home};
use stockroom_core::storage::{Snapshot, Table};
use stockroom_crdt::entry::Fact;
use stockroom_crdt::ids::{Actor, StoreId};
use stockroom_crdt::scope::Scope;
use stockroom_crdt::stock::promise::{Claim, Promise, PromiseId, State, Step};
use stockroom_crdt::stock::rights::{Account, Class};
use stockroom_crdt::stock::shortage::{Compensation, Shortage, compensation_id};
use stockroom_crdt::stock::{Effect, effects};

use super::fleet::{identity, is_healthy, nodes_by_store, snapshot, store_of, top_hub};
use super::rights::{Tally, words};
use super::watch::{Flow, Watch};
use super::{Check, Findings, Scene};
use crate::observe::{Act, Observation, RowChange, Seen};

/// A promise is broken only when goods went that nobody can stop from going.
pub struct Kept {
    watch: Watch,
    tally: Tally,
    /// The book at a store's node, by account.
    books: BTreeMap<(u32, Account), i64>,
    /// Units that left the book of a store's node for other reasons than promises, since it last made rights from what was there.
    gone: BTreeMap<(u32, Account), u64>,
}

impl Kept {
    /// With what all checks share.
    pub fn new((watch, tally): (Watch, Tally)) -> Self {
        Self { watch, tally, books: BTreeMap::new(), gone: BTreeMap::new() }
    }

    /// What went out of a store's book with a commit, and was not promised.
    fn commit(&mut self, node: u32, store: StoreId, rows: &[RowChange], scene: &Scene<'_>) {
        let mut moved = BTreeMap::new();
        for row in rows.iter().filter(|row| row.table == Table::Accounts) {
            let Ok((of, sku, unit)) = stockroom_core::books::account::parse_key(&row.key) else { continue };
            if of != store {
                continue;
            }
            let on_hand = |bytes: &Option<Vec<u8>>| {
                bytes.as_ref().and_then(|bytes| from_row(bytes).ok()).map_or(0, |account| account.on_hand.quantity)
            };
            let account = Account { store, sku, unit };
            self.books.insert((node, account.clone()), on_hand(&row.new));
            moved.insert(account, on_hand(&row.old) - on_hand(&row.new));
        }
        let watch = self.watch.clone();
        let Some(holding) = scene.union.nodes.get(&node) else { return };
        for run in &watch.last().runs {
            let stock = holding.logs.get(&run.log).is_some_and(|log| log.id.scope == Scope::StoreStock(store));
            for item in run.items.iter().filter(|_| stock) {
                // Units that came in hide as many that went; units that were promised go for their promise.
                let promised =
                    matches!(&item.entry.fact, Fact::GoodsIssue(issue) if self.is_hard(scene, node, issue.promise));
                for (sku, unit, effect) in effects(&item.entry) {
                    let Effect::Move(movement) = effect else { continue };
                    let left = moved.entry(Account { store, sku, unit }).or_insert(0);
                    if movement.delta > 0 || promised {
                        *left += movement.delta;
                    }
                }
            }
        }
        for (account, units) in moved {
            if units > 0 {
                *self.gone.entry((node, account)).or_default() += units.unsigned_abs();
            }
        }
    }

    fn is_hard(&self, scene: &Scene<'_>, node: u32, id: PromiseId) -> bool {
        let Some(snapshot) = snapshot(scene, node) else { return true };
        let store = StoreId(store_of(scene.world, node).unwrap_or(0));
        let held = book::record(&*snapshot, store, id).ok().flatten();
        held.is_none_or(|record| {
            record.promise.as_ref().is_none_or(|promise| record.said.claim(promise) == Claim::Hard)
        })
    }

    /// Units that are missing beyond what went without anybody asking.
    /// Promises in `hardened` were still soft when the shortage was written.
    fn shortage_fault(
        &mut self,
        node: u32,
        (shortage, hardened): (&Shortage, &BTreeSet<PromiseId>),
        scene: &Scene<'_>,
    ) -> Option<String> {
        let account = &shortage.account;
        let ledger = self.tally.last();
        if ledger.is_forked(account.store) || shortage.cause.as_str() == "not-found" {
            return None;
        }
        let snapshot = snapshot(scene, node)?;
        let (mut hard, mut staged) = (0, 0);
        for (promise, record) in book::open(&*snapshot, account).ok()? {
            let claim = if hardened.contains(&promise.id) { Claim::Soft } else { record.said.claim(&promise) };
            match (claim, record.state()) {
                (_, State::Releasing) => {}
                (Claim::Hard, _) => hard += promise.quantity,
                (Claim::Soft, State::Staged) => staged += promise.quantity,
                (Claim::Soft, _) => {}
            }
        }
        let victims = shortage.victims.iter().filter(|(id, _)| self.is_hard(scene, node, *id));
        let broken: u64 = victims.map(|(_, units)| *units).sum();
        let there = u64::try_from(shortage.on_hand).unwrap_or(0);
        let missing = if broken == 0 { 0 } else { (hard + broken).saturating_sub(there) };
        // What is known of a box that is gone may have come in without anybody else knowing.
        let boxes = nodes_by_store(scene.world).remove(&account.store.0).unwrap_or_default();
        let lost: u64 = boxes
            .into_iter()
            .filter(|other| *other != node)
            .filter_map(|other| self.books.get(&(other, account.clone())))
            .map(|book| u64::try_from(book - shortage.on_hand).unwrap_or(0))
            .sum();
        let risk: u64 =
            ledger.retired.iter().filter(|((store, _), _)| *store == account.store).map(|(_, risk)| risk).sum();
        drop(ledger);
        let gone = self.gone.entry((node, account.clone())).or_default();
        let excused = gone.saturating_add(lost).saturating_add(risk).saturating_add(staged);
        *gone = gone.saturating_sub(missing);
        (missing > excused).then(|| {
            format!(
                "hard promises of {} are broken: {missing} units are missing ({hard} stay promised, {broken} do not, {there} are there), and {excused} went by sale, count, loss or risk since rights were made last",
                words(account)
            )
        })
    }

    /// A picker found nothing: then the book was wrong, for a reason that is known.
    fn not_found_fault(&self, node: u32, id: PromiseId, goods: (u16, i64), scene: &Scene<'_>) -> Option<String> {
        let store = store_of(scene.world, node)?;
        let truth = scene.truth.stores.get(&store)?;
        let sight = self.watch.last();
        let excused = truth.misled.contains(&goods.0)
            || truth.free(goods.0) >= goods.1
            || sight.marks(node).disk
            || self.tally.last().is_forked(StoreId(store))
            || nodes_by_store(scene.world).get(&store).is_some_and(|boxes| boxes.len() > 1);
        let soft: i64 = truth
            .staged
            .keys()
            .filter(|other| !self.is_hard(scene, node, **other))
            .filter_map(|other| truth.staged.get(other))
            .filter(|(product, _)| *product == goods.0)
            .map(|(_, units)| units)
            .sum();
        (!excused && self.is_hard(scene, node, id) && truth.free(goods.0) + soft < goods.1).then(|| {
            format!(
                "promise {id} cannot be kept: store {store} has {} of product {} for it, and nothing was stolen or miscounted",
                truth.free(goods.0),
                goods.0
            )
        })
    }
}

impl Check for Kept {
    fn name(&self) -> &'static str {
        "I1 hard promises are kept"
    }

    fn meaning(&self) -> &'static str {
        "a hard promise is broken only for goods that went later by a sale, a loss, a count, with a disk, or at a risk that somebody accepted, unit by unit"
    }

    fn observe(&mut self, seen: &Observation, scene: &Scene<'_>, findings: &mut Findings) {
        let (watch, tally) = (self.watch.clone(), self.tally.clone());
        drop(tally.see(seen, &watch.see(seen, scene), scene));
        let node = seen.node;
        let Some(store) = store_of(scene.world, node).map(StoreId).filter(|_| node == identity(node)) else { return };
        match &seen.what {
            Seen::Committed(rows) => self.commit(node, store, rows, scene),
            Seen::Started { .. } => {
                if let Flow::Anew(snapshot) = &watch.last().flow {
                    // What a disk forgot is missing from now on.
                    for ((_, account), book) in self.books.iter_mut().filter(|((at, _), _)| *at == node) {
                        let now = home::on_hand(&**snapshot as &dyn Snapshot, account).unwrap_or(0);
                        let lost = u64::try_from(*book - now).unwrap_or(0);
                        *self.gone.entry((node, account.clone())).or_default() += lost;
                        *book = now;
                    }
                }
            }
            Seen::Acknowledged(deed) => {
                if let Act::Said { id, step: Step::NotFound, product, quantity } = deed.what {
                    let fault = self.not_found_fault(node, id, (product, quantity), scene);
                    if let Some(fault) = fault.filter(|_| !deed.replayed) {
                        findings.report(self, scene, node, fault);
                    }
                }
            }
            _ => {}
        }
        let ledger = tally.last();
        // A shortage is judged by what held when it was written: what its author hardened later in the same commit was soft.
        let hardened_after = |at: usize| {
            let by = &ledger.written[at];
            let later = ledger.written[at + 1..].iter().filter(|later| later.by == by.by && later.store == by.store);
            let hardened = later.filter_map(|later| match &later.fact {
                Fact::PromiseStep(said) if said.step == Step::Harden => Some(said.promise),
                _ => None,
            });
            hardened.collect()
        };
        let shortages: Vec<(Shortage, BTreeSet<PromiseId>)> = ledger
            .written
            .iter()
            .enumerate()
            .filter_map(|(at, written)| match &written.fact {
                Fact::Shortage(shortage) => Some((shortage.clone(), hardened_after(at))),
                _ => None,
            })
            .collect();
        let minted: Vec<Account> = ledger
            .written
            .iter()
            .filter_map(|written| match &written.fact {
                Fact::Rights(fact) if fact.class == Class::Goods && fact.row.mint > written.before.mint => {
                    Some(fact.account.clone())
                }
                _ => None,
            })
            .collect();
        drop(ledger);
        for (shortage, hardened) in shortages {
            if let Some(fault) = self.shortage_fault(node, (&shortage, &hardened), scene) {
                findings.report(self, scene, node, fault);
            }
        }
        // Rights are made only when all that is owed is there: what went before explains nothing any more.
        for account in minted {
            self.gone.remove(&(node, account));
        }
    }
}

/// What became of a promise is never undone, and in the end everybody was told.
pub struct OneWay {
    watch: Watch,
    tally: Tally,
    /// Promises that were closed at a node.
    closed: BTreeMap<(u32, PromiseId), State>,
    /// Compensations by id: for which promise.
    given: BTreeMap<[u8; 16], Compensation>,
    /// Stores and promises that the home declared broken.
    broken: BTreeSet<(StoreId, PromiseId)>,
}

impl OneWay {
    /// With what all checks share.
    pub fn new((watch, tally): (Watch, Tally)) -> Self {
        let (closed, given, broken) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
        Self { watch, tally, closed, given, broken }
    }

    fn row(&mut self, node: u32, row: &RowChange, snapshot: &dyn Snapshot) -> Option<String> {
        let (store, id) = promise_key(&row.key)?;
        let state = book::record(snapshot, store, id).ok()??.state();
        if !state.is_open() {
            self.closed.insert((node, id), state);
            return None;
        }
        let before = self.closed.remove(&(node, id))?;
        Some(format!("promise {id} was {} at node {node} and is {} again", before.as_str(), state.as_str()))
    }

    /// What is wrong with the promises of an account at its home, in the end.
    fn account_fault(&self, node: u32, account: &Account, scene: &Scene<'_>) -> Option<String> {
        let snapshot = snapshot(scene, node)?;
        let open = book::open(&*snapshot, account).ok()?;
        let on_hand = home::on_hand(&*snapshot, account).ok()?;
        let there = u64::try_from(on_hand).unwrap_or(0);
        let units = |of: &dyn Fn(&(Promise, book::Record)) -> bool| -> u64 {
            open.iter().filter(|one| of(one)).map(|(promise, _)| promise.quantity).sum()
        };
        let (all, staged) = (units(&|_| true), units(&|(_, record)| record.state() == State::Staged));
        if all > there && all > staged {
            return Some(format!("{all} of {} are promised, {there} are there, and nobody was told", words(account)));
        }
        for (promise, record) in &open {
            let issuer = promise.id.issuer.node.0;
            let late = record.state() == State::Held && promise.until_ms + SLACK_MS < scene.now_ms;
            if record.state() == State::Releasing || late && is_healthy(scene, issuer) {
                return Some(format!(
                    "promise {} of {} is still {}, {} s after its time",
                    promise.id,
                    words(account),
                    record.state().as_str(),
                    scene.now_ms.saturating_sub(promise.until_ms) / 1_000
                ));
            }
        }
        None
    }
}

impl Check for OneWay {
    fn name(&self) -> &'static str {
        "I8 promises go one way"
    }

    fn meaning(&self) -> &'static str {
        "a promise that was fulfilled, released or broken at a node stays so; a broken one is made good once; in the end each is closed, or its goods are there"
    }

    fn observe(&mut self, seen: &Observation, scene: &Scene<'_>, findings: &mut Findings) {
        let (watch, tally) = (self.watch.clone(), self.tally.clone());
        let sight = watch.see(seen, scene);
        let ledger = tally.see(seen, &sight, scene);
        if matches!(sight.flow, Flow::Anew(_) | Flow::Lost) {
            self.closed.retain(|(node, _), _| *node != seen.node);
        }
        let Seen::Committed(rows) = &seen.what else { return };
        for written in &ledger.written {
            match &written.fact {
                Fact::Shortage(shortage) => {
                    self.broken.extend(shortage.victims.iter().map(|(id, _)| (written.store, *id)));
                }
                Fact::Compensation(given) => {
                    let first = self.given.entry(given.id).or_insert_with(|| given.clone()).clone();
                    if first.promise != given.promise {
                        let message = format!("compensations for {} and {} have one id", first.promise, given.promise);
                        findings.report(self, scene, seen.node, message);
                    }
                }
                _ => {}
            }
        }
        // A fence takes effects back.
        if sight.fences.keys().any(|(at, _)| *at == seen.node) {
            return;
        }
        let Some(snapshot) = snapshot(scene, seen.node) else { return };
        for row in rows.iter().filter(|row| row.table == Table::Promises) {
            if let Some(fault) = self.row(seen.node, row, &*snapshot) {
                findings.report(self, scene, seen.node, fault);
            }
        }
    }

    fn end(&mut self, scene: &Scene<'_>, findings: &mut Findings) {
        for (store, nodes) in nodes_by_store(scene.world) {
            for node in nodes.into_iter().filter(|node| is_healthy(scene, *node)) {
                let Some(snapshot) = snapshot(scene, node) else { continue };
                let is_home = stockroom_core::view::View::new(&*snapshot)
                    .store(StoreId(store))
                    .is_ok_and(|record| record.is_some_and(|record| record.home.0 == node));
                if !is_home || scene.world.status(node).rights_locked {
                    continue;
                }
                for account in book::accounts(&*snapshot, StoreId(store)).unwrap_or_default() {
                    if let Some(fault) = self.account_fault(node, &account, scene) {
                        findings.report(self, scene, node, fault);
                    }
                }
            }
        }
        let Some(hub) = top_hub(scene.world).filter(|&hub| is_healthy(scene, hub)) else { return };
        let Some(snapshot) = snapshot(scene, hub) else { return };
        for &(store, id) in &self.broken {
            let Ok(Some(record)) = book::record(&*snapshot, store, id) else { continue };
            let (State::Shorted, Some(shortage)) = (record.state(), record.said.shortage()) else { continue };
            let due = holder::compensation(&*snapshot, store, compensation_id(shortage, id));
            let issuer = Actor::new(id.issuer.node.0, id.issuer.epoch.0);
            if due.is_ok_and(|due| due.is_none()) && is_healthy(scene, issuer.node.0) && record.promise.is_some() {
                let message = format!("promise {id} is broken, and nobody decided what its customer gets");
                findings.report(self, scene, hub, message);
            }
        }
    }
}

fn promise_key(key: &[u8]) -> Option<(StoreId, PromiseId)> {
    let store = StoreId(u32::from_be_bytes(key.get(..4)?.try_into().ok()?));
    let node = u32::from_be_bytes(key.get(4..8)?.try_into().ok()?);
    let epoch = u16::from_be_bytes(key.get(8..10)?.try_into().ok()?);
    let number = u64::from_be_bytes(key.get(10..18)?.try_into().ok()?);
    Some((store, PromiseId { issuer: Actor::new(node, epoch), number }))
}

/// A promise that was not confirmed ends when its issuer looks at it.
const SLACK_MS: u64 = 5_000;
