//! Coupons and points against the entries that stand in the logs.

use std::collections::{BTreeMap, BTreeSet};

use stockroom_core::books::loyalty as book;
use stockroom_core::loyalty::hub::verdict;
use stockroom_core::storage::Snapshot;
use stockroom_core::view::View;
use stockroom_crdt::checkout::basket::BasketId;
use stockroom_crdt::entry::{Entry, Fact};
use stockroom_crdt::ids::{Actor, Code, MemberId, StoreId};
use stockroom_crdt::loyalty::campaign::{CouponKind, CouponName};
use stockroom_crdt::loyalty::coupon::{QuotaSide, Redemption};
use stockroom_crdt::loyalty::points::{HubPoints, PointsSide, SalePoints, StorePoints};
use stockroom_crdt::sale::{ReceiptNumber, TenderKind};
use stockroom_crdt::scope::Scope;

use super::fleet::{entries, is_healthy, logs, nodes_by_store, snapshot, top_hub};
use super::tills::written;
use super::watch::{Sight, Watch};
use super::{Check, Findings, Scene};
use crate::observe::Observation;

/// Every entry about members, points and coupons that a disk holds, with its store.
fn each(snapshot: &dyn Snapshot, mut see: impl FnMut(StoreId, &Entry)) {
    for (number, log) in logs(snapshot) {
        if let Scope::StoreMembers(store) = log.id.scope {
            entries(snapshot, number, |_, item| see(store, &item.entry));
        }
    }
}

/// Nodes whose disks were set back or that are believed no more: their stores may hold what nobody can explain.
fn doubtful(sight: &Sight, scene: &Scene<'_>) -> BTreeSet<u32> {
    let stores = nodes_by_store(scene.world).into_iter();
    let is_doubtful = |node: &u32| {
        scene.written_off.contains(node)
            || sight.marks(*node).set_back
            || sight.fences.keys().any(|(_, fenced)| fenced == node)
    };
    stores.filter(|(_, nodes)| nodes.iter().any(is_doubtful)).map(|(store, _)| store).collect()
}

/// A coupon is redeemed as often as it may be, and what goes beyond is named.
pub struct Coupons {
    watch: Watch,
    /// Minor units that the hub confirmed to a holder, as the holder's node has it.
    confirmed: BTreeMap<(u32, Code, Actor), u64>,
}

impl Coupons {
    /// With what all checks share.
    pub fn new(watch: Watch) -> Self {
        Self { watch, confirmed: BTreeMap::new() }
    }

    /// What a node hears from its hub about quotas.
    fn hear(&mut self, node: u32, sight: &Sight) {
        for entry in sight.runs.iter().flat_map(|run| &run.items).map(|item| &item.entry) {
            let Fact::Quota(row) = &entry.fact else { continue };
            let QuotaSide::Hub(says) = row.says else { continue };
            let held = self.confirmed.entry((node, row.campaign.clone(), row.holder)).or_default();
            *held = (*held).max(says.confirmed);
        }
    }

    fn faults(&self, node: u32, store: u32, facts: &[(u64, &Fact)], scene: &Scene<'_>) -> Vec<String> {
        let sold: BTreeSet<ReceiptNumber> = facts
            .iter()
            .filter_map(|(_, fact)| if let Fact::Sale(sale) = fact { Some(sale.receipt) } else { None })
            .collect();
        let mut faults = Vec::new();
        for (_, fact) in facts {
            match fact {
                Fact::Redemption(redemption) if !redemption.undone && !sold.contains(&redemption.receipt) => {
                    faults.push(format!(
                        "store {store} redeems {:?} for receipt {:?}, which does not stand in the same commit",
                        redemption.coupon, redemption.receipt
                    ));
                }
                Fact::Quota(row) => {
                    let QuotaSide::Store(says) = row.says else { continue };
                    let Some(limit) = limit_of(scene, node, &row.campaign) else { continue };
                    let key = (node, row.campaign.clone(), row.holder);
                    let open = says.unproven.saturating_sub(self.confirmed.get(&key).copied().unwrap_or(0));
                    if open > limit {
                        faults.push(format!(
                            "store {store} gave {open} for coupons of {} that its hub has not seen, of {limit} that it may",
                            row.campaign
                        ));
                    }
                }
                _ => {}
            }
        }
        faults
    }
}

/// What a store may give for printed codes of a campaign until its hub has seen it.
fn limit_of(scene: &Scene<'_>, node: u32, campaign: &Code) -> Option<u64> {
    let snapshot = snapshot(scene, node)?;
    let campaign = View::new(&*snapshot).campaign(campaign).ok()??;
    match campaign.kind {
        CouponKind::Printed { store_limit, .. } => u64::try_from(store_limit).ok(),
        CouponKind::Single(_) | CouponKind::FirstN(_) => None,
    }
}

impl Check for Coupons {
    fn name(&self) -> &'static str {
        "M1 coupons within their limits"
    }

    fn meaning(&self) -> &'static str {
        "a right of one is redeemed once and a pool as often as it has pieces, a printed code twice only within its store's limit, each redemption stands in its sale's commit, and the hub names every double one"
    }

    fn observe(&mut self, seen: &Observation, scene: &Scene<'_>, findings: &mut Findings) {
        let watch = self.watch.clone();
        let sight = watch.see(seen, scene);
        if sight.runs.is_empty() {
            return;
        }
        self.hear(seen.node, &sight);
        let Some((store, facts)) = written(seen, &sight, scene) else { return };
        for fault in self.faults(seen.node, store, &facts, scene) {
            findings.report(self, scene, seen.node, fault);
        }
    }

    fn end(&mut self, scene: &Scene<'_>, findings: &mut Findings) {
        let Some(hub) = top_hub(scene.world).filter(|&hub| is_healthy(scene, hub)) else { return };
        let Some(snapshot) = snapshot(scene, hub) else { return };
        if !doubtful(&self.watch.last(), scene).is_empty() {
            return;
        }
        let mut redeemed: BTreeMap<CouponName, BTreeMap<(StoreId, BasketId), Redemption>> = BTreeMap::new();
        each(&*snapshot, |store, entry| {
            let Fact::Redemption(said) = &entry.fact else { return };
            let of_coupon = redeemed.entry(said.coupon.clone()).or_default();
            of_coupon.entry((store, said.sale)).or_insert_with(|| said.clone()).join(said);
        });
        let view = View::new(&*snapshot);
        for (name, sales) in &redeemed {
            let stand = sales.values().filter(|said| !said.undone).count();
            let Some(campaign) = view.campaign(&name.campaign).ok().flatten() else { continue };
            let (most, what) = match campaign.kind {
                CouponKind::Single(_) => (1, "a right of one"),
                CouponKind::FirstN(pieces) => (pieces as usize, "a pool"),
                CouponKind::Printed { .. } => (usize::MAX, "a printed code"),
            };
            if stand > most {
                let message = format!("{name:?}, {what}, stands redeemed {stand} times, {most} were good");
                findings.report(self, scene, hub, message);
            }
            if name.serial.is_none() || stand < 2 {
                continue;
            }
            let named = verdict(&*snapshot, name).ok().flatten().map_or(0, |verdict| verdict.doubles.len());
            if named != stand - 1 {
                let message =
                    format!("{name:?} stands redeemed {stand} times, and hub {hub} names {named} of them double");
                findings.report(self, scene, hub, message);
            }
        }
    }
}

/// Points are neither made nor lost.
pub struct Points {
    watch: Watch,
    /// What hubs said to holders, as the holder's node has it.
    told: BTreeMap<(u32, MemberId, Actor), HubPoints>,
}

impl Points {
    /// With what all checks share.
    pub fn new(watch: Watch) -> Self {
        Self { watch, told: BTreeMap::new() }
    }

    fn faults(&self, node: u32, store: u32, facts: &[(u64, &Fact)], scene: &Scene<'_>) -> Vec<String> {
        let mut faults = Vec::new();
        let rules = snapshot(scene, node).and_then(|snapshot| View::new(&*snapshot).loyalty().ok().flatten());
        let Some(rules) = rules else { return faults };
        let mut paid: BTreeMap<ReceiptNumber, i64> = BTreeMap::new();
        for (_, fact) in facts {
            if let Fact::Sale(sale) = fact {
                let points = sale.tenders.iter().filter(|tender| tender.kind == TenderKind::Points);
                paid.insert(sale.receipt, points.map(|tender| tender.amount).sum());
            }
        }
        let mut spent: BTreeMap<ReceiptNumber, u64> = BTreeMap::new();
        for (_, fact) in facts {
            match fact {
                Fact::SalePoints(said) if said.taken_back == 0 && said.restored == 0 => {
                    *spent.entry(said.receipt).or_default() += said.spent + said.soft;
                    if said.earned > 0 && !paid.contains_key(&said.receipt) {
                        faults.push(format!(
                            "store {store} gives points for receipt {:?}, which does not stand in the same commit",
                            said.receipt
                        ));
                    }
                }
                Fact::PointsRow(row) => {
                    let PointsSide::Store(says) = &row.says else { continue };
                    let told = self.told.get(&(node, row.member, row.holder)).cloned().unwrap_or_default();
                    let (used, open) = (says.spent + says.given_back, says.soft.saturating_sub(told.covered));
                    if used > told.granted {
                        faults.push(format!(
                            "store {store} used {used} points by right, and {} were granted",
                            told.granted
                        ));
                    }
                    if open > rules.offline_limit {
                        faults.push(format!(
                            "store {store} lets {open} points be spent without a right, of {} that it may",
                            rules.offline_limit
                        ));
                    }
                }
                _ => {}
            }
        }
        for (receipt, amount) in paid.into_iter().filter(|(_, amount)| *amount > 0) {
            let points = spent.get(&receipt).copied().unwrap_or(0);
            if i128::from(points) * i128::from(rules.worth) != i128::from(amount) {
                faults.push(format!("receipt {receipt:?} of store {store} has {amount} paid by {points} points"));
            }
        }
        faults
    }
}

/// What a replica's entries say of members' points; of one store alone, or of all.
#[derive(Default)]
struct Ledger {
    sales: BTreeMap<MemberId, BTreeMap<(StoreId, BasketId), SalePoints>>,
    granted: BTreeMap<(MemberId, Actor), HubPoints>,
    used: BTreeMap<(MemberId, Actor), StorePoints>,
}

impl Ledger {
    fn of(snapshot: &dyn Snapshot, at: Option<StoreId>) -> Self {
        let mut ledger = Self::default();
        each(snapshot, |store, entry| {
            if at.is_some_and(|at| at != store) {
                return;
            }
            match &entry.fact {
                Fact::SalePoints(said) => {
                    let sales = ledger.sales.entry(said.member).or_default();
                    sales.entry((store, said.sale)).or_insert_with(|| said.clone()).join(said);
                }
                Fact::PointsRow(row) => match &row.says {
                    PointsSide::Hub(says) => ledger.granted.entry((row.member, row.holder)).or_default().join(says),
                    PointsSide::Store(says) => ledger.used.entry((row.member, row.holder)).or_default().join(says),
                },
                _ => {}
            }
        });
        ledger
    }

    /// Earned, less taken back and spent, with what came back. Nothing expires in a run.
    fn balance(&self, member: MemberId) -> i64 {
        let of_sale = |said: &SalePoints| {
            let spent = (said.spent + said.soft) as i64;
            said.earned as i64 - said.taken_back.min(said.earned) as i64 - spent + (said.restored as i64).min(spent)
        };
        self.sales.get(&member).into_iter().flat_map(BTreeMap::values).map(of_sale).sum()
    }

    fn members(&self) -> BTreeSet<MemberId> {
        let rows = self.granted.keys().chain(self.used.keys()).map(|(member, _)| *member);
        self.sales.keys().copied().chain(rows).collect()
    }
}

impl Check for Points {
    fn name(&self) -> &'static str {
        "M2 points are conserved"
    }

    fn meaning(&self) -> &'static str {
        "at every replica and in the union a balance is what was earned less what was taken back and spent, nobody spends what was not granted but for the limit, and the sum of limits bounds what is owed"
    }

    fn observe(&mut self, seen: &Observation, scene: &Scene<'_>, findings: &mut Findings) {
        let watch = self.watch.clone();
        let sight = watch.see(seen, scene);
        for entry in sight.runs.iter().flat_map(|run| &run.items).map(|item| &item.entry) {
            let Fact::PointsRow(row) = &entry.fact else { continue };
            if let PointsSide::Hub(says) = &row.says {
                self.told.entry((seen.node, row.member, row.holder)).or_default().join(says);
            }
        }
        let Some((store, facts)) = written(seen, &sight, scene) else { return };
        for fault in self.faults(seen.node, store, &facts, scene) {
            findings.report(self, scene, seen.node, fault);
        }
    }

    fn end(&mut self, scene: &Scene<'_>, findings: &mut Findings) {
        let Some(hub) = top_hub(scene.world).filter(|&hub| is_healthy(scene, hub)) else { return };
        let doubtful = doubtful(&self.watch.last(), scene);
        let stores = nodes_by_store(scene.world);
        let own = stores.iter().filter(|(store, _)| !doubtful.contains(store));
        let own = own.flat_map(|(store, nodes)| nodes.iter().map(move |node| (*node, Some(StoreId(*store)))));
        for (node, at) in own.chain([(hub, None)]).filter(|(node, _)| is_healthy(scene, *node)) {
            let Some(snapshot) = snapshot(scene, node) else { continue };
            let ledger = Ledger::of(&*snapshot, at);
            let rules = View::new(&*snapshot).loyalty().ok().flatten();
            let limit = rules.map_or(0, |rules| rules.offline_limit) as i64;
            for member in ledger.members() {
                let held = book::account(&*snapshot, member, at).unwrap_or_default();
                let (balance, expected) = (held.balance(scene.now_ms), ledger.balance(member));
                if balance != expected {
                    let message = format!(
                        "node {node} says that member {member:?} has {balance} points, its entries add up to {expected}"
                    );
                    findings.report(self, scene, node, message);
                }
                if at.is_some() || !doubtful.is_empty() {
                    continue;
                }
                let sales = ledger.sales.get(&member).into_iter().flat_map(BTreeMap::values);
                let back: i64 = sales.map(|said| said.taken_back as i64).sum();
                let holders = ledger.used.keys().filter(|(of, _)| *of == member).count() as i64;
                if expected < -(holders * limit) - back {
                    let message = format!(
                        "member {member:?} owes {} points: {holders} holders may let {limit} each be spent, and {back} were taken back",
                        -expected
                    );
                    findings.report(self, scene, node, message);
                }
            }
        }
    }
}
