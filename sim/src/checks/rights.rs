//! Rights to promise goods, on the union of all logs: they come from goods, move once, and are spent by one.

mod ledger;

use std::collections::{BTreeMap, BTreeSet};

use stockroom_core::books::rights as book;
use stockroom_core::rights::home;
use stockroom_core::storage::{Snapshot, Table};
use stockroom_crdt::codec::RowReader;
use stockroom_crdt::entry::Fact;
use stockroom_crdt::ids::Actor;
use stockroom_crdt::scope::Scope;
use stockroom_crdt::stock::rights::{Account, Class, Rights, RightsRow};

pub use ledger::{Ledger, Tally, Written};

use super::fleet::{identity, issuer, logs, snapshot, store_of};
use super::watch::{Flow, Watch};
use super::{Check, Findings, Scene};
use crate::observe::{Observation, Seen};
use ledger::{NOBODY, row_key};

/// No unit of goods is promised twice.
pub struct NoOversell {
    watch: Watch,
    tally: Tally,
}

impl NoOversell {
    /// With what all checks share.
    pub fn new((watch, tally): (Watch, Tally)) -> Self {
        Self { watch, tally }
    }

    /// What is wrong with rights that were made.
    fn mint_fault(&self, written: &Written, node: u32, scene: &Scene<'_>) -> Option<String> {
        let Fact::Rights(fact) = &written.fact else { return None };
        let ledger = self.tally.last();
        if fact.class != Class::Goods || fact.row.mint <= written.before.mint || ledger.is_forked(written.store) {
            return None;
        }
        let account = &fact.account;
        if store_of(scene.world, node) != Some(account.store.0) {
            return Some(format!("{} made rights from goods of {}", written.by, words(account)));
        }
        let snapshot = snapshot(scene, node)?;
        let mut all = book::rights(&*snapshot, account, Class::Goods).ok()?;
        if all.row(written.by) != fact.row {
            return None;
        }
        if let Some(abroad) = ledger.abroad.get(&(account.clone(), Class::Goods)) {
            all.join(abroad);
        }
        let owed = home::liability(&*snapshot, account, (Class::Goods, &all)).ok()?.units();
        let there = u64::try_from(home::on_hand(&*snapshot, account).ok()?).unwrap_or(0);
        let risk: u64 =
            ledger.retired.iter().filter(|((store, _), _)| *store == account.store).map(|(_, risk)| risk).sum();
        (owed > there.saturating_add(risk)).then(|| {
            format!(
                "{} made {} rights to {}: now {owed} are owed, and {there} are in the book",
                written.by,
                fact.row.mint - written.before.mint,
                words(account)
            )
        })
    }
}

impl Check for NoOversell {
    fn name(&self) -> &'static str {
        "I1 no oversell"
    }

    fn meaning(&self) -> &'static str {
        "on the union of all logs, what was promised of an account is at most what its homes made rights for, and they make none for goods that they owe already"
    }

    fn observe(&mut self, seen: &Observation, scene: &Scene<'_>, findings: &mut Findings) {
        let (watch, tally) = (self.watch.clone(), self.tally.clone());
        let sight = watch.see(seen, scene);
        let ledger = tally.see(seen, &sight, scene);
        for written in &ledger.written {
            let Fact::Rights(fact) = &written.fact else { continue };
            let all = &ledger.rows[&(fact.account.clone(), fact.class)];
            if all.used() > all.minted() && !ledger.is_forked(written.store) {
                let message = format!(
                    "{} of {} are promised, and rights were made for {}",
                    all.used(),
                    words(&fact.account),
                    all.minted()
                );
                findings.report(self, scene, seen.node, message);
            }
            if let Some(fault) = self.mint_fault(written, seen.node, scene) {
                findings.report(self, scene, seen.node, fault);
            }
        }
    }
}

/// Nobody spends what it does not hold.
pub struct Solvent {
    watch: Watch,
    tally: Tally,
}

impl Solvent {
    /// With what all checks share.
    pub fn new((watch, tally): (Watch, Tally)) -> Self {
        Self { watch, tally }
    }
}

impl Check for Solvent {
    fn name(&self) -> &'static str {
        "I2 rights at hand"
    }

    fn meaning(&self) -> &'static str {
        "by what it knows itself, no node spends rights that it does not hold, and what it spent are its promises, hard from goods and soft from the overbooking budget"
    }

    fn observe(&mut self, seen: &Observation, scene: &Scene<'_>, findings: &mut Findings) {
        let (watch, tally) = (self.watch.clone(), self.tally.clone());
        let sight = watch.see(seen, scene);
        let ledger = tally.see(seen, &sight, scene);
        for written in &ledger.written {
            let Fact::Rights(fact) = &written.fact else { continue };
            let promised = ledger.promised.get(&(fact.account.clone(), fact.class, written.by)).copied().unwrap_or(0);
            let used = ledger.rows[&(fact.account.clone(), fact.class)].row(written.by).used;
            if used != promised && !ledger.is_forked(written.store) {
                let message = format!(
                    "{} used {used} rights to {} ({:?}) and promised {promised}",
                    written.by,
                    words(&fact.account),
                    fact.class
                );
                findings.report(self, scene, seen.node, message);
            }
        }
        for (account, class) in &ledger.touched {
            let Some((me, known)) = known(seen.node, (account, *class), &ledger, scene) else { continue };
            let held = known.balance(me);
            if held < 0 && !ledger.is_forked(account.store) {
                let message =
                    format!("{me} spent rights to {} ({class:?}) that it does not hold: {held}", words(account));
                findings.report(self, scene, seen.node, message);
            }
        }
    }
}

/// Rights are somewhere, always.
pub struct Conserved {
    watch: Watch,
    tally: Tally,
}

impl Conserved {
    /// With what all checks share.
    pub fn new((watch, tally): (Watch, Tally)) -> Self {
        Self { watch, tally }
    }
}

impl Check for Conserved {
    fn name(&self) -> &'static str {
        "I3 rights are conserved"
    }

    fn meaning(&self) -> &'static str {
        "what was made is held by epochs that go on or are over, is under way, was used or was burned: exactly, on the union of all logs"
    }

    fn observe(&mut self, seen: &Observation, scene: &Scene<'_>, findings: &mut Findings) {
        let (watch, tally) = (self.watch.clone(), self.tally.clone());
        let sight = watch.see(seen, scene);
        let ledger = tally.see(seen, &sight, scene);
        for (account, class) in ledger.touched.iter().filter(|(account, _)| !ledger.is_forked(account.store)) {
            let key = (account.clone(), *class);
            let Some(all) = ledger.rows.get(&key) else { continue };
            let Some((me, known)) = known(seen.node, (account, *class), &ledger, scene) else { continue };
            for (donor, row) in known.rows().filter(|(actor, _)| *actor != me) {
                let (arrived, given) = (granted(row, me), granted(&all.row(donor), me));
                if arrived > given {
                    let message = format!(
                        "more arrived than was sent: {arrived} rights to {} ({class:?}) from {donor} at {me}, of {given}",
                        words(account)
                    );
                    findings.report(self, scene, seen.node, message);
                }
            }
            let under_way: i128 = all
                .rows()
                .filter(|(actor, _)| *actor != me)
                .map(|(actor, row)| i128::from(granted(row, me)) - i128::from(granted(&known.row(actor), me)))
                .sum();
            let (held, truly) = (known.balance(me), all.balance(me));
            let elsewhere: i128 =
                all.actors().into_iter().filter(|actor| *actor != me).map(|actor| all.balance(actor)).sum();
            let made = i128::from(all.minted());
            let sum = held + under_way + elsewhere + i128::from(all.used()) + i128::from(all.burned());
            if sum != made {
                let message = format!(
                    "of {made} rights to {} ({class:?}) {held} are held by {me} and {under_way} are on their way to it, which ought to be {truly} together; with the others' it is {sum}",
                    words(account)
                );
                findings.report(self, scene, seen.node, message);
            }
        }
    }
}

/// A grant is credited once, and only when its donor cannot take it back.
pub struct CreditedOnce {
    watch: Watch,
    tally: Tally,
}

impl CreditedOnce {
    /// With what all checks share.
    pub fn new((watch, tally): (Watch, Tally)) -> Self {
        Self { watch, tally }
    }
}

impl Check for CreditedOnce {
    fn name(&self) -> &'static str {
        "I4 a grant is credited once"
    }

    fn meaning(&self) -> &'static str {
        "no node believes in more grants, or any other number of a row, than its writer has durable"
    }

    fn observe(&mut self, seen: &Observation, scene: &Scene<'_>, findings: &mut Findings) {
        let (watch, tally) = (self.watch.clone(), self.tally.clone());
        let sight = watch.see(seen, scene);
        let ledger = tally.see(seen, &sight, scene);
        let Seen::Committed(rows) = &seen.what else { return };
        for row in rows.iter().filter(|row| row.table == Table::Rights) {
            let (Some((account, class, actor)), Some(value)) = (row_key(&row.key), &row.new) else { continue };
            if scene.written_off.contains(&actor.node.0) && !scene.world.nodes.contains_key(&actor.node.0) {
                continue;
            }
            let Ok(value) = RightsRow::decode(&mut RowReader::new(value), NOBODY) else { continue };
            let written = ledger.rows.get(&(account.clone(), class)).map(|all| all.row(actor)).unwrap_or_default();
            let mut both = written.clone();
            both.join(&value);
            // Who answered which request moves nothing.
            both.served.clone_from(&written.served);
            if both != written && !ledger.is_forked(account.store) {
                let message = format!(
                    "node {} has a row of {actor} about {} ({class:?}) which {actor} never made durable: {value:?}, and {written:?} is",
                    seen.node,
                    words(&account)
                );
                findings.report(self, scene, seen.node, message);
            }
        }
    }
}

/// One process spends, in one epoch.
pub struct SingleSpender {
    watch: Watch,
    tally: Tally,
    /// Disks were set back while the continuity token could tell: their nodes must open an epoch.
    set_back: BTreeSet<u32>,
    /// Epochs that are over.
    over: BTreeSet<Actor>,
    /// Observation of the first entry of each life: (epoch by node).
    newest: BTreeMap<u32, Actor>,
}

impl SingleSpender {
    /// With what all checks share.
    pub fn new((watch, tally): (Watch, Tally)) -> Self {
        Self { watch, tally, set_back: BTreeSet::new(), over: BTreeSet::new(), newest: BTreeMap::new() }
    }
}

impl Check for SingleSpender {
    fn name(&self) -> &'static str {
        "I5 single spender"
    }

    fn meaning(&self) -> &'static str {
        "an epoch makes, grants and uses nothing once its node has a later one, or once its disk was set back and could know it; a clone that does not know is proven a fork"
    }

    fn observe(&mut self, seen: &Observation, scene: &Scene<'_>, findings: &mut Findings) {
        let (watch, tally) = (self.watch.clone(), self.tally.clone());
        let sight = watch.see(seen, scene);
        let ledger = tally.see(seen, &sight, scene);
        let node = identity(seen.node);
        match &seen.what {
            Seen::Marked { name, detail, .. } => {
                let told = detail.ends_with("kept") || detail.ends_with("lost");
                if name.starts_with("D10") && told || name.starts_with("D13") {
                    self.set_back.insert(node);
                } else if name.starts_with("D10") || name.starts_with("D5") {
                    // Nothing beside the disk tells: until it meets somebody, an epoch that was over goes on.
                    self.newest.remove(&node);
                    self.over.retain(|life| life.node.0 != node);
                }
            }
            Seen::Started { .. } if seen.node == node => {
                if let (Flow::Anew(snapshot), Some(newest)) = (&sight.flow, self.newest.get(&node).copied())
                    && self.set_back.remove(&node)
                    && ledger.is_behind(newest, &**snapshot)
                {
                    self.over.insert(newest);
                }
            }
            _ => {}
        }
        for written in &ledger.written {
            let newest = self.newest.entry(node).or_insert(written.by);
            let later = *newest > written.by;
            *newest = written.by.max(*newest);
            let Fact::Rights(_) = &written.fact else { continue };
            let clone = sight.marks(node).cloned;
            if !clone && (later || self.over.contains(&written.by)) {
                let message = format!("{} writes about rights although its epoch is over", written.by);
                findings.report(self, scene, seen.node, message);
            }
        }
    }
}

/// True when the hub above holds more of a node's own logs of rights than the node itself. It may have heard of its hub by parcels, which
/// leave no link to be seen; what counts is what it knows.
fn lacks_what_its_hub_holds(scene: &Scene<'_>, node: u32) -> bool {
    let Some((own, hub)) = snapshot(scene, node).zip(issuer(scene.world, node).and_then(|hub| snapshot(scene, hub)))
    else {
        return true;
    };
    let held: BTreeMap<_, _> = logs(&*own).into_iter().map(|(_, log)| (log.id, log.head.seq)).collect();
    logs(&*hub).into_iter().any(|(_, log)| {
        let ours = log.id.actor.node.0 == identity(node) && matches!(log.id.scope, Scope::StoreRights(_));
        ours && held.get(&log.id).copied().unwrap_or(0) < log.head.seq
    })
}

/// A new epoch begins with nothing.
pub struct FromNothing {
    watch: Watch,
    tally: Tally,
    /// Later epochs whose node has not met its hub since.
    unheard: BTreeMap<u32, Actor>,
    /// Epochs that each store's node wrote in.
    known: BTreeMap<u32, Actor>,
    /// All of them.
    begun: BTreeSet<(u32, Actor)>,
}

impl FromNothing {
    /// With what all checks share.
    pub fn new((watch, tally): (Watch, Tally)) -> Self {
        Self { watch, tally, unheard: BTreeMap::new(), known: BTreeMap::new(), begun: BTreeSet::new() }
    }

    /// A node writes in a life: in a new one it has met nobody.
    fn begun(&mut self, node: u32, life: Actor) {
        let known = self.known.entry(node).or_insert(life);
        if (life > *known || life == *known && !self.begun.contains(&(node, life))) && life.epoch.0 > 1 {
            self.unheard.insert(node, life);
        }
        *known = life.max(*known);
        self.begun.insert((node, life));
    }
}

impl Check for FromNothing {
    fn name(&self) -> &'static str {
        "I6 no rights from nothing"
    }

    fn meaning(&self) -> &'static str {
        "an actor has what was granted to it by name or what it made as a home, and a home that was set back makes none before it met its hub, or by parcels holds all that its hub holds of it"
    }

    fn observe(&mut self, seen: &Observation, scene: &Scene<'_>, findings: &mut Findings) {
        let (watch, tally) = (self.watch.clone(), self.tally.clone());
        let sight = watch.see(seen, scene);
        let ledger = tally.see(seen, &sight, scene);
        if let Seen::Connected { peer } = &seen.what
            && issuer(scene.world, seen.node) == Some(*peer)
        {
            self.unheard.remove(&seen.node);
        }
        if let (Seen::Started { .. }, Some(life)) = (&seen.what, ledger.lives(seen.node).into_iter().next_back()) {
            self.begun(seen.node, life);
        }
        for written in &ledger.written {
            self.begun(seen.node, written.by);
            let Fact::Rights(fact) = &written.fact else { continue };
            let made = fact.row.mint > written.before.mint;
            let has_hub =
                issuer(scene.world, seen.node).is_some_and(|hub| scene.world.peers_of(seen.node).contains(&hub));
            let unheard = self.unheard.get(&seen.node) == Some(&written.by);
            if made
                && has_hub
                && !sight.marks(seen.node).cloned
                && unheard
                && lacks_what_its_hub_holds(scene, seen.node)
            {
                let message = format!(
                    "{} made rights to {} before it met its hub in this epoch",
                    written.by,
                    words(&fact.account)
                );
                findings.report(self, scene, seen.node, message);
            }
            let claims = ledger
                .claims
                .iter()
                .filter(|(id, _)| id.actor.node == written.by.node && id.scope == Scope::StoreRights(written.store));
            let mut unknown = claims.filter(|(id, seq)| {
                scene.union.held(seen.node, id) < **seq && !ledger.retired.contains_key(&(written.store, id.actor))
            });
            if let Some((id, seq)) = unknown.next().filter(|_| made && !ledger.is_forked(written.store)) {
                let message = format!(
                    "{} made rights to {} without knowing the {seq} entries of {}",
                    written.by,
                    words(&fact.account),
                    id.actor
                );
                findings.report(self, scene, seen.node, message);
            }
            let all = &ledger.rows[&(fact.account.clone(), fact.class)];
            let broke = all.actors().into_iter().find(|actor| all.balance(*actor) < 0);
            if let Some(actor) = broke.filter(|_| !ledger.is_forked(written.store)) {
                let message =
                    format!("{actor} has {} rights to {} ({:?})", all.balance(actor), words(&fact.account), fact.class);
                findings.report(self, scene, seen.node, message);
            }
        }
    }
}

/// Goods, in words.
pub fn words(account: &Account) -> String {
    format!("{} at store {}", account.sku, account.store.0)
}

/// The newest life of a running node, and the rights to an account as that node knows them; nothing if its disk does not hold what it
/// once wrote, or holds more already than was told.
fn known(
    node: u32,
    (account, class): (&Account, Class),
    ledger: &Ledger,
    scene: &Scene<'_>,
) -> Option<(Actor, Rights)> {
    if node != identity(node) || scene.written_off.contains(&node) {
        return None;
    }
    let snapshot = snapshot(scene, node)?;
    let me = ledger.lives(node).into_iter().next_back()?;
    let known = book::rights(&*snapshot as &dyn Snapshot, account, class).ok()?;
    let all = ledger.rows.get(&(account.clone(), class))?;
    (known.row(me) == all.row(me)).then_some((me, known))
}

fn granted(row: &RightsRow, to: Actor) -> u64 {
    row.grants.get(&to).copied().unwrap_or(0)
}
