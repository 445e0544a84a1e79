//! Drawers: a Z report says what the receipts of its shift say and what lies in the drawer, and never changes.

use std::collections::BTreeMap;

use stockroom_core::view::View;
use stockroom_crdt::checkout::shift::{CashMove, ShiftClose, ShiftOpen};
use stockroom_crdt::entry::Fact;
use stockroom_crdt::ids::{StoreId, TillId};
use stockroom_crdt::sale::{ReceiptNumber, TenderKind};

use crate::checks::fleet::{is_healthy, nodes_by_store, snapshot, top_hub};
use crate::checks::tills::written;
use crate::checks::watch::Watch;
use crate::checks::{Check, Findings, Scene};
use crate::observe::Observation;

/// Z reports against receipts and drawers.
pub struct Drawers {
    watch: Watch,
    tills: BTreeMap<(u32, u32), Till>,
    /// What closes said, by store, till and shift.
    closes: BTreeMap<(u32, u32, u32), ShiftClose>,
}

/// What one till wrote.
#[derive(Default)]
struct Till {
    receipts: BTreeMap<ReceiptNumber, Receipt>,
    open: Option<ShiftOpen>,
    moves: Vec<CashMove>,
}

/// What of a receipt stands in a Z report.
#[derive(Clone, Copy, Default)]
struct Receipt {
    total: i64,
    voids: bool,
    tenders: [i64; TenderKind::ALL.len()],
}

impl Drawers {
    /// With what all checks share.
    pub fn new(watch: Watch) -> Self {
        Self { watch, tills: BTreeMap::new(), closes: BTreeMap::new() }
    }

    fn fault(&self, store: u32, close: &ShiftClose, scene: &Scene<'_>) -> Option<String> {
        let till = self.tills.get(&(store, close.till.0))?;
        let open = till.open.as_ref().filter(|open| open.number == close.number)?;
        let shift =
            |what: String| Some(format!("shift {} of till {} at store {store}: {what}", close.number, close.till.0));
        let mut sums = Receipt::default();
        let (mut receipts, mut voids) = (0, 0);
        for (_, receipt) in till.receipts.iter().filter(|(number, _)| **number > open.after && **number <= close.last) {
            receipts += 1;
            voids += u32::from(receipt.voids);
            sums.total += receipt.total;
            sums.tenders.iter_mut().zip(receipt.tenders).for_each(|(sum, amount)| *sum += amount);
        }
        let mut moved = [0; 4];
        till.moves.iter().for_each(|cash| moved[cash.cash as usize] += cash.amount);
        let z = &close.totals;
        let said = (z.receipts, z.voids, z.sales, z.tenders, z.float, z.moved);
        let held = (receipts, voids, sums.total, sums.tenders, open.float, moved);
        if said != held {
            return shift(format!("its Z says {said:?}, its receipts and moves say {held:?}"));
        }
        let there = scene.truth.money.drawers.get(&(store, close.till.0))?;
        let expected = z.expected_cash();
        (*there != expected)
            .then(|| shift(format!("its Z expects {expected} in the drawer, and {there} lies there")))
            .flatten()
    }
}

impl Check for Drawers {
    fn name(&self) -> &'static str {
        "C4 drawer and Z"
    }

    fn meaning(&self) -> &'static str {
        "a Z report says what the receipts and moves of its shift add up to, which is what lies in the drawer, and it is the same at every replica for ever"
    }

    fn observe(&mut self, seen: &Observation, scene: &Scene<'_>, findings: &mut Findings) {
        let watch = self.watch.clone();
        let sight = watch.see(seen, scene);
        let Some((store, facts)) = written(seen, &sight, scene) else { return };
        for (_, fact) in facts {
            match fact {
                Fact::Sale(sale) => {
                    let mut receipt =
                        Receipt { total: sale.total(), voids: sale.voids.is_some(), ..Receipt::default() };
                    sale.tenders.iter().for_each(|tender| receipt.tenders[tender.kind as usize] += tender.amount);
                    let till = self.tills.entry((store, sale.receipt.till.0)).or_default();
                    till.receipts.insert(sale.receipt, receipt);
                }
                Fact::ShiftOpen(open) => {
                    let till = self.tills.entry((store, open.till.0)).or_default();
                    (till.open, till.moves) = (Some(open.clone()), Vec::new());
                }
                Fact::CashMove(cash) => self.tills.entry((store, cash.till.0)).or_default().moves.push(cash.clone()),
                Fact::ShiftClose(close) => {
                    if let Some(fault) = self.fault(store, close, scene) {
                        findings.report(self, scene, seen.node, fault);
                    }
                    self.closes.entry((store, close.till.0, close.number)).or_insert_with(|| close.clone());
                }
                _ => {}
            }
        }
    }

    fn end(&mut self, scene: &Scene<'_>, findings: &mut Findings) {
        let Some(hub) = top_hub(scene.world).filter(|&hub| is_healthy(scene, hub)) else { return };
        let stores = nodes_by_store(scene.world);
        for ((store, till, number), close) in &self.closes {
            let nodes = stores.get(store).map_or(&[][..], Vec::as_slice);
            let doubtful = |node: &u32| {
                let sight = self.watch.last();
                sight.marks(*node).set_back || sight.fences.keys().any(|(_, fenced)| fenced == node)
            };
            if nodes.iter().any(|node| doubtful(node) || !is_healthy(scene, *node)) {
                continue;
            }
            for node in nodes.iter().chain([&hub]) {
                let Some(snapshot) = snapshot(scene, *node) else { continue };
                let view = View::new(&*snapshot);
                let shift = view.shift(StoreId(*store), TillId(*till), *number).ok().flatten();
                let z = shift.and_then(|shift| view.z_report(StoreId(*store), &shift).ok().flatten());
                let fault = match z {
                    None => Some("is gone".to_owned()),
                    Some(z) if z.close.what != *close => Some("is another".to_owned()),
                    Some(z) if !z.agrees() => {
                        Some(format!("says {:?}, and the receipts say {:?}", close.totals, z.held))
                    }
                    Some(_) => None,
                };
                if let Some(fault) = fault {
                    let message =
                        format!("the Z of shift {number} of till {till} at store {store} {fault} at node {node}");
                    findings.report(self, scene, *node, message);
                }
            }
        }
    }
}
