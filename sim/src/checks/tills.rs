//! Baskets that nodes price: money at terminals, receipts that stand whole or not at all, prices, and drawers.
//!
//! A terminal's own memory is the truth about its money, and what customers agreed to is the truth about what they pay.

mod drawers;
mod prices;

use std::collections::{BTreeMap, BTreeSet};

use stockroom_crdt::checkout::basket::{BasketId, Outcome};
use stockroom_crdt::checkout::tender::TenderState;
use stockroom_crdt::entry::Fact;
use stockroom_crdt::ids::StoreId;
use stockroom_crdt::sale::{ReceiptNumber, Sale};
use stockroom_crdt::scope::Scope;

use super::converge::stock_logs;
use super::fleet::{entries, identity, is_healthy, nodes_by_store, snapshot, store_of, top_hub};
use super::watch::{Sight, Watch};
use super::{Check, Findings, Scene};
use crate::observe::{Observation, Seen};
use crate::truth::money::Rung;

pub use drawers::Drawers;
pub use prices::Prices;

/// Entries about sales, points and coupons that a store's node commits to its own logs now; none after its disk was set back, since others
/// may bring them back.
pub(super) fn written<'a>(
    seen: &Observation,
    sight: &'a Sight,
    scene: &Scene<'_>,
) -> Option<(u32, Vec<(u64, &'a Fact)>)> {
    if !matches!(seen.what, Seen::Committed(_)) || seen.node != identity(seen.node) {
        return None;
    }
    let store = store_of(scene.world, seen.node)?;
    let marks = sight.marks(seen.node);
    if marks.set_back || marks.cloned || scene.written_off.contains(&seen.node) {
        return None;
    }
    let holding = scene.union.nodes.get(&seen.node)?;
    let mut out = Vec::new();
    for run in &sight.runs {
        let log = holding.logs.get(&run.log).filter(|log| log.parent.is_none());
        let own = |log: &&crate::union::HeldLog| {
            let own = [Scope::StoreStock(StoreId(store)), Scope::StoreMembers(StoreId(store))];
            log.id.actor.node.0 == seen.node && own.contains(&log.id.scope)
        };
        if log.filter(own).is_some() {
            out.extend((run.first..).zip(&run.items).map(|(seq, item)| (seq, &item.entry.fact)));
        }
    }
    (!out.is_empty()).then_some((store, out))
}

/// Who rang it up.
fn rung(store: u32, sale: &Sale) -> Rung {
    (store, sale.receipt.till.0, sale.till_seq)
}

/// The references of terminals among a sale's tenders, with what each brought.
fn references(sale: &Sale) -> impl Iterator<Item = (&str, i64)> {
    let named = sale.tenders.iter().filter(|tender| !tender.reference.is_empty());
    named.map(|tender| (tender.reference.as_str(), tender.amount))
}

/// Terminals and receipts say the same.
pub struct Charged {
    watch: Watch,
    /// What was looked at of the money that terminals took.
    looked: usize,
}

impl Charged {
    /// With what all checks share.
    pub fn new(watch: Watch) -> Self {
        Self { watch, looked: 0 }
    }

    /// What terminals took since the last time.
    fn taken(&mut self, scene: &Scene<'_>, findings: &mut Findings) {
        let money = &scene.truth.money;
        for reference in &money.taken[self.looked.min(money.taken.len())..] {
            let Some(taking) = money.takings.get(reference) else { continue };
            let (store, till, number) = taking.basket;
            let agreed = money.agreed.get(&taking.basket).and_then(|totals| totals.last()).copied().unwrap_or(0);
            let held = money.held_for(taking.basket);
            if held > agreed {
                let message = format!(
                    "terminals hold {held} for basket {number} of till {till} at store {store}, for which {agreed} is due: charged twice"
                );
                findings.report(self, scene, 0, message);
            }
        }
        self.looked = money.taken.len();
    }

    fn check_store(&self, store: u32, hub: u32, scene: &Scene<'_>) -> Vec<String> {
        let Some(snapshot) = snapshot(scene, hub) else { return Vec::new() };
        let money = &scene.truth.money;
        let mut recorded: BTreeMap<String, BTreeSet<ReceiptNumber>> = BTreeMap::new();
        let mut faults = Vec::new();
        for (number, _) in stock_logs(&*snapshot, store) {
            entries(&*snapshot, number, |_, item| {
                let Fact::Sale(sale) = &item.entry.fact else { return };
                for (reference, amount) in references(sale) {
                    recorded.entry(reference.to_owned()).or_default().insert(sale.receipt);
                    let held = money.takings.get(reference).filter(|taking| !taking.back).map(|taking| taking.taken);
                    if held != Some(amount) {
                        faults.push(format!(
                            "receipt {:?} of store {store} has {amount} of terminal reference {reference}, which holds {held:?}",
                            sale.receipt
                        ));
                    }
                }
            });
        }
        for (reference, receipts) in recorded.iter().filter(|(_, receipts)| receipts.len() > 1) {
            faults
                .push(format!("terminal reference {reference} pays for {} receipts of store {store}", receipts.len()));
        }
        for (reference, taking) in money.takings.iter().filter(|(_, taking)| taking.basket.0 == store) {
            if !taking.back && !recorded.contains_key(reference) {
                faults.push(format!(
                    "a terminal of store {store} took {} for basket {:?} under {reference}, and there is no receipt for it: charged without a record",
                    taking.taken, taking.basket
                ));
            }
        }
        faults
    }
}

impl Check for Charged {
    fn name(&self) -> &'static str {
        "C1 charged once and recorded"
    }

    fn meaning(&self) -> &'static str {
        "terminals never hold more for a basket than is due, a receipt counts only money that a terminal holds, and in the end all that terminals hold stands on one receipt each"
    }

    fn observe(&mut self, seen: &Observation, scene: &Scene<'_>, findings: &mut Findings) {
        let watch = self.watch.clone();
        let sight = watch.see(seen, scene);
        if self.looked < scene.truth.money.taken.len() {
            self.taken(scene, findings);
        }
        let Some((store, facts)) = written(seen, &sight, scene) else { return };
        for (_, fact) in facts {
            let Fact::Sale(sale) = fact else { continue };
            for (reference, amount) in references(sale) {
                let taking = scene.truth.money.takings.get(reference);
                if taking.is_none_or(|taking| taking.back || taking.taken != amount) {
                    let message = format!(
                        "store {store} writes a receipt with {amount} of terminal reference {reference}, and the terminal says {taking:?}"
                    );
                    findings.report(self, scene, seen.node, message);
                }
            }
        }
    }

    fn end(&mut self, scene: &Scene<'_>, findings: &mut Findings) {
        if scene.truth.money.takings.is_empty() {
            return;
        }
        let Some(hub) = top_hub(scene.world).filter(|&hub| is_healthy(scene, hub)) else { return };
        for (store, nodes) in nodes_by_store(scene.world) {
            let doubtful = |node: &u32| {
                let sight = self.watch.last();
                scene.written_off.contains(node)
                    || sight.marks(*node).set_back
                    || sight.fences.keys().any(|(_, fenced)| fenced == node)
            };
            if nodes.iter().any(doubtful) {
                continue;
            }
            for fault in self.check_store(store, hub, scene) {
                findings.report(self, scene, hub, fault);
            }
        }
    }
}

/// A receipt stands whole, or not at all.
pub struct Whole {
    watch: Watch,
    /// What terminals were written to have approved, by store: reference and amount.
    approved: BTreeMap<(u32, String), i64>,
    /// Baskets that wait, with what their lines came to.
    waiting: BTreeMap<(u32, BasketId), i64>,
}

impl Whole {
    /// With what all checks share.
    pub fn new(watch: Watch) -> Self {
        Self { watch, approved: BTreeMap::new(), waiting: BTreeMap::new() }
    }

    /// What is wrong with a sale among the other entries of its commit.
    fn fault(&self, store: u32, sale: &Sale, facts: &[(u64, &Fact)], scene: &Scene<'_>) -> Option<String> {
        let receipt = sale.receipt;
        let told = |what: &str| Some(format!("receipt {receipt:?} of store {store} {what}"));
        let explained = facts.iter().find_map(|(_, fact)| match fact {
            Fact::Checkout(checkout) if checkout.receipt == receipt => Some(checkout),
            _ => None,
        });
        let Some(explained) = explained else {
            let priced = scene.truth.money.agreed.contains_key(&rung(store, sale));
            return if priced { told("stands without the explanation of its prices") } else { None };
        };
        if explained.lines.len() != sale.lines.len() || explained.assured.len() != sale.tenders.len() {
            return told("and its explanation have other lines or tenders");
        }
        let paid: i64 = sale.tenders.iter().map(|tender| tender.amount).sum();
        if paid != sale.total() {
            return told(&format!("comes to {} and {paid} was paid", sale.total()));
        }
        if let Some(basket) = explained.basket {
            let ended = facts.iter().any(|(_, fact)| {
                matches!(fact, Fact::BasketStep(step) if step.basket == basket && step.outcome == Outcome::Sold(receipt))
            });
            if !ended {
                return told(&format!("stands without the end of basket {basket:?}"));
            }
            if !self.waiting.contains_key(&(store, basket)) {
                return told(&format!("is of basket {basket:?}, which was never written"));
            }
        }
        references(sale).find_map(|(reference, amount)| {
            let word = self.approved.get(&(store, reference.to_owned()));
            (word != Some(&amount)).then(|| {
                format!(
                    "receipt {receipt:?} of store {store} has {amount} of terminal reference {reference} without the terminal's word"
                )
            })
        })
    }
}

impl Check for Whole {
    fn name(&self) -> &'static str {
        "C2 all or nothing"
    }

    fn meaning(&self) -> &'static str {
        "sale, explanation and the end of its basket stand in one commit, with the terminal's word for each tender there or before, and its tenders come to its total, which is what the customer agreed to"
    }

    fn observe(&mut self, seen: &Observation, scene: &Scene<'_>, findings: &mut Findings) {
        let watch = self.watch.clone();
        let sight = watch.see(seen, scene);
        let Some((store, facts)) = written(seen, &sight, scene) else { return };
        for (_, fact) in &facts {
            match fact {
                Fact::TenderStep(step) if step.state == TenderState::Approved => {
                    self.approved.insert((store, step.reference.as_str().to_owned()), step.amount);
                }
                Fact::Basket(basket) => drop(self.waiting.insert((store, basket.id), basket.total())),
                _ => {}
            }
        }
        for (_, fact) in &facts {
            match fact {
                Fact::Sale(sale) => {
                    if let Some(fault) = self.fault(store, sale, &facts, scene) {
                        findings.report(self, scene, seen.node, fault);
                    }
                    let agreed = scene.truth.money.agreed.get(&rung(store, sale));
                    if let Some(told) = agreed.filter(|told| told.last() != Some(&sale.total())) {
                        let message = format!(
                            "receipt {:?} of store {store} comes to {}, and the customer agreed to {:?}",
                            sale.receipt,
                            sale.total(),
                            told.last()
                        );
                        findings.report(self, scene, seen.node, message);
                    }
                }
                Fact::BasketStep(step) => {
                    let Outcome::Sold(receipt) = step.outcome else { continue };
                    let sold = |fact: &Fact| matches!(fact, Fact::Sale(sale) if sale.receipt == receipt);
                    if !facts.iter().any(|(_, fact)| sold(fact)) {
                        let message =
                            format!("basket {:?} of store {store} became {receipt:?}, which is not there", step.basket);
                        findings.report(self, scene, seen.node, message);
                    }
                }
                _ => {}
            }
        }
    }
}
