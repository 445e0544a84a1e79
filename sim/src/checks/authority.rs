//! Who may write what, who may hold what, and what counts of those who are no longer believed.

use std::collections::{BTreeMap, BTreeSet};

use stockroom_core::authority::{area, may_open, may_write, writer};
use stockroom_core::books::cells::{self, CellRow};
use stockroom_core::journal::{Log, Place, entry_at};
use stockroom_core::storage::Table;
use stockroom_crdt::capability::Role;
use stockroom_crdt::chain::LogId;
use stockroom_crdt::entry::Entry;
use stockroom_crdt::scope::Scope;

use super::fleet::{capability, identity, is_above, logs, mix, nodes_by_store, snapshot, top_hub};
use super::watch::{Sight, Watch, scope_of_cell};
use super::{Check, Findings, Scene};
use crate::observe::{Observation, RowChange, Seen};

/// Nothing stands in the books that its author may not write.
pub struct Entitled {
    watch: Watch,
    /// Decisions that authors committed at their own nodes: (number, hash).
    decided: BTreeMap<LogId, BTreeSet<(u64, u64)>>,
}

impl Entitled {
    /// With what all checks share.
    pub fn new(watch: Watch) -> Self {
        Self { watch, decided: BTreeMap::new() }
    }

    /// Notes what a node wrote itself, in scopes that hold decisions.
    fn note(&mut self, node: u32, sight: &Sight, scene: &Scene<'_>) {
        let Some(holding) = scene.union.nodes.get(&node) else { return };
        for run in &sight.runs {
            let Some(log) = holding.logs.get(&run.log) else { continue };
            let decisions = log.id.scope.store().is_none() || matches!(log.id.scope, Scope::StoreRights(_));
            if log.id.actor.node.0 != identity(node) || !decisions {
                continue;
            }
            let decided = self.decided.entry(log.id.clone()).or_default();
            decided.extend((run.first..).zip(&run.items).map(|(seq, item)| (seq, mix(&item.bytes))));
        }
    }

    fn cell_fault(&self, node: u32, row: &RowChange, scene: &Scene<'_>) -> Option<String> {
        let value = row.new.as_ref()?;
        let scope = scope_of_cell(scene, node, &row.key)?;
        let (cell, actor) = (cells::decode(value).ok()?, cells::writer_of(&row.key).ok()?);
        let Ok(entry) = Entry::from_bytes(&cell.bytes) else {
            return Some(format!("a cell of {scope} cannot be read"));
        };
        let kind = entry.fact.kind();
        let Some(author) = capability(scene.world, actor.node.0) else {
            return Some(format!("a cell of {scope} is by {actor}, which nobody admitted"));
        };
        let allowed = may_write(writer(author.role, author.store, scope), area(scope), kind);
        if !allowed || !entry.fact.belongs_in(scope) {
            return Some(format!("a cell of kind {kind} in {scope} is by {actor}, which may not write it"));
        }
        let id = LogId { actor, scope: scope.clone() };
        let written = self.decided.get(&id).is_some_and(|known| known.contains(&(cell.stamp.seq, mix(&cell.bytes))));
        let honest = !scene.written_off.contains(&actor.node.0);
        (honest && !written && !is_on_disk(scene, &id, &cell)).then(|| {
            format!("a cell of kind {kind} in {scope} says entry {} by {actor}, which never wrote that", cell.stamp.seq)
        })
    }
}

/// The author's disk has the entry although no commit told: the power went in the middle of it.
fn is_on_disk(scene: &Scene<'_>, id: &LogId, cell: &CellRow) -> bool {
    let Some(snapshot) = snapshot(scene, id.actor.node.0) else { return false };
    let histories = logs(&*snapshot).into_iter().filter(|(_, log)| log.id == *id);
    let entries = histories.map(|(log, _)| entry_at(&*snapshot, Place { log, seq: cell.stamp.seq }));
    entries.filter_map(|entry| entry.ok().flatten()).any(|item| item.bytes == cell.bytes)
}

/// What is wrong with taking up this log at all.
fn log_fault(row: &RowChange, scene: &Scene<'_>) -> Option<String> {
    if row.old.is_some() {
        return None;
    }
    let log = Log::from_row(row.new.as_ref()?).ok()?;
    let (scope, actor) = (&log.id.scope, log.id.actor);
    let Some(author) = capability(scene.world, actor.node.0) else {
        return Some(format!("a log of {scope} is by {actor}, which nobody admitted"));
    };
    if log.key != author.log_key || log.author_store != author.store.0 {
        return Some(format!("the log of {scope} by {actor} has another's key or store"));
    }
    let allowed = may_open(writer(author.role, author.store, scope), area(scope));
    (!allowed).then(|| format!("{actor} has a log of {scope}, where it may not write"))
}

impl Check for Entitled {
    fn name(&self) -> &'static str {
        "I22 authority"
    }

    fn meaning(&self) -> &'static str {
        "every log and every cell is by an author who may write there, and says what its author wrote"
    }

    fn observe(&mut self, seen: &Observation, scene: &Scene<'_>, findings: &mut Findings) {
        let watch = self.watch.clone();
        self.note(seen.node, &watch.see(seen, scene), scene);
        let Seen::Committed(rows) = &seen.what else { return };
        if scene.written_off.contains(&identity(seen.node)) {
            return;
        }
        for row in rows {
            let fault = match row.table {
                Table::Logs => log_fault(row, scene),
                Table::Cells => self.cell_fault(seen.node, row, scene),
                _ => None,
            };
            if let Some(fault) = fault {
                findings.report(self, scene, seen.node, format!("node {}: {fault}", seen.node));
            }
        }
    }
}

/// Nobody holds what is not meant for it.
pub struct Confined {
    watch: Watch,
    /// Scopes that were held before anybody said that they may be: (node, scope).
    early: BTreeMap<(u32, Scope), u64>,
}

impl Confined {
    /// With what all checks share.
    pub fn new(watch: Watch) -> Self {
        Self { watch, early: BTreeMap::new() }
    }
}

/// Whether a node may hold a scope at all, by its role and by anything that was ever said of its store.
fn may_hold(sight: &Sight, scene: &Scene<'_>, node: u32, scope: &Scope) -> bool {
    let Some(capability) = capability(scene.world, node) else { return false };
    let all = matches!(scope, Scope::Control | Scope::Catalog);
    match capability.role {
        Role::Hub if top_hub(scene.world) == Some(identity(node)) => true,
        Role::Hub => {
            let below = |store: u32| {
                let nodes = nodes_by_store(scene.world);
                // A store with real keys may bring its own goods to any hub; honest ones never do here.
                let may_come = |at: u32| is_above(scene.world, identity(node), at) || scene.written_off.contains(&at);
                nodes.get(&store).is_some_and(|nodes| nodes.iter().any(|&at| may_come(at)))
            };
            let of_hub = |home: u32| home == identity(node) || is_above(scene.world, identity(node), home);
            all || matches!(scope, Scope::Prices(_))
                || matches!(scope, Scope::Orders(home) if of_hub(*home))
                || scope.store().is_some_and(|store| below(store.0))
        }
        Role::Store => {
            let records = |store: u32| sight.records.get(&store).map_or(&[][..], Vec::as_slice);
            let own = records(capability.store.0);
            let neighbour = |store: u32| {
                let groups = || own.iter().map(|record| &record.group).filter(|group| !group.is_empty());
                records(store).iter().any(|record| groups().any(|group| *group == record.group))
            };
            match scope {
                Scope::Prices(book) => own.iter().any(|record| record.book == *book),
                Scope::StoreStock(store) | Scope::StoreRights(store) | Scope::StoreOrders(store) => {
                    *store == capability.store || neighbour(store.0)
                }
                _ => all || scope.store() == Some(capability.store),
            }
        }
    }
}

impl Check for Confined {
    fn name(&self) -> &'static str {
        "I23 confinement"
    }

    fn meaning(&self) -> &'static str {
        "a store's node holds nothing but control, catalogue, its own book and store, and the goods, rights and orders of its group; hubs hold what is below them"
    }

    fn observe(&mut self, seen: &Observation, scene: &Scene<'_>, findings: &mut Findings) {
        let watch = self.watch.clone();
        let sight = watch.see(seen, scene);
        let Seen::Committed(rows) = &seen.what else { return };
        if scene.written_off.contains(&identity(seen.node)) {
            return;
        }
        for row in rows.iter().filter(|row| row.old.is_none()) {
            let Some(scope) = scope_of_row(row) else { continue };
            if !may_hold(&sight, scene, seen.node, &scope) {
                let first = self.early.insert((seen.node, scope.clone()), seen.event).is_none();
                if first {
                    let message = format!("node {} holds {scope}, which is not meant for it", seen.node);
                    findings.report(self, scene, seen.node, message);
                }
            }
        }
    }
}

/// The scope that a new row shows a node to hold.
fn scope_of_row(row: &RowChange) -> Option<Scope> {
    let value = row.new.as_ref()?;
    match row.table {
        Table::Scopes => Scope::from_bytes(&row.key).ok(),
        Table::Logs => Log::from_row(value).ok().map(|log| log.id.scope),
        _ => None,
    }
}

/// What a fenced node writes behind its cut changes nothing.
pub struct Fenced {
    watch: Watch,
}

impl Fenced {
    /// With what all checks share.
    pub fn new(watch: Watch) -> Self {
        Self { watch }
    }
}

impl Check for Fenced {
    fn name(&self) -> &'static str {
        "I24 fence"
    }

    fn meaning(&self) -> &'static str {
        "once a node has a fence, entries behind its cut change no figure there"
    }

    fn observe(&mut self, seen: &Observation, scene: &Scene<'_>, findings: &mut Findings) {
        let sight = self.watch.see(seen, scene);
        let (Seen::Committed(rows), Some(holding)) = (&seen.what, scene.union.nodes.get(&seen.node)) else { return };
        let mut by_store: BTreeMap<u32, (u64, bool)> = BTreeMap::new();
        for run in &sight.runs {
            let Some(log) = holding.logs.get(&run.log) else { continue };
            let (Some(store), author) = (log.id.scope.store(), log.id.actor.node.0) else { continue };
            let fence = sight.fences.get(&(seen.node, author)).filter(|_| author != identity(seen.node));
            let one_history = holding.logs.values().filter(|other| other.id == log.id).count() == 1;
            let cut = fence.map(|fence| fence.cut(log.id.actor.epoch, &log.id.scope));
            let behind = one_history && cut.is_some_and(|cut| run.first > cut);
            let (entries, all_behind) = by_store.entry(store.0).or_insert((0, true));
            *entries += run.items.len() as u64;
            *all_behind &= behind;
        }
        if rows.iter().any(|row| is_fence(seen.node, row, scene)) {
            return;
        }
        for (store, (entries, _)) in by_store.into_iter().filter(|(_, (_, all_behind))| *all_behind) {
            let changed = rows.iter().filter(|row| FIGURES.contains(&row.table) && row.old != row.new);
            let changed = changed.filter(|row| row.key.starts_with(&store.to_be_bytes())).count();
            if changed > 0 {
                let message = format!(
                    "node {} changed {changed} rows of store {store} for {entries} entries behind a fence",
                    seen.node
                );
                findings.report(self, scene, seen.node, message);
            }
        }
    }
}

fn is_fence(node: u32, row: &RowChange, scene: &Scene<'_>) -> bool {
    let field = row.key.get(4..6).map(|bytes| u16::from_be_bytes([bytes[0], bytes[1]]));
    row.table == Table::Cells
        && field == Some(stockroom_crdt::entry::kind::FENCE)
        && scope_of_cell(scene, node, &row.key) == Some(&Scope::Control)
}

/// Tables whose rows are a store's figures.
const FIGURES: [Table; 5] = [Table::Accounts, Table::Days, Table::Sales, Table::Receipts, Table::Transfers];
