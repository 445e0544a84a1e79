//! Members against the entries that stand in the logs, and against who they truly are.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;

use stockroom_core::books::members as book;
use stockroom_core::storage::{Direction, Snapshot, TABLES, Table};
use stockroom_core::vault::{self, Held};
use stockroom_crdt::entry::{Entry, Fact};
use stockroom_crdt::ids::{Actor, MemberId};
use stockroom_crdt::member::Said;
use stockroom_crdt::member::link::{Links, Weight, class_of};
use stockroom_crdt::member::value::Slot;
use stockroom_crdt::scope::Scope;

use super::fleet::{entries, hubs, is_healthy, logs, nodes_by_store, snapshot};
use super::watch::{Flow, Watch};
use super::{Check, Findings, Scene};
use crate::observe::{Observation, Seen};
use crate::truth::persons::{holds, says_who};

/// A value as it was said: by whom and when, whether it was proven, and its sealed bytes; none for one that was removed.
type Value = (Said, bool, Option<Vec<u8>>);

/// What one disk's entries say of members, with nothing of the books.
#[derive(Default)]
struct Told {
    values: BTreeMap<MemberId, BTreeMap<Slot, Value>>,
    links: Links,
    known: BTreeSet<MemberId>,
    erased: BTreeSet<MemberId>,
}

impl Told {
    fn of(snapshot: &dyn Snapshot) -> Self {
        let mut told = Self::default();
        for (number, log) in logs(snapshot) {
            if matches!(log.id.scope, Scope::StoreMembers(_)) {
                entries(snapshot, number, |_, item| told.take(log.id.actor, &item.entry));
            }
        }
        told
    }

    fn take(&mut self, by: Actor, entry: &Entry) {
        match &entry.fact {
            Fact::Member(enrolment) => drop(self.known.insert(enrolment.member)),
            Fact::MemberValue(value) => {
                let said = Said::of(value.copied, entry.hlc, by);
                let new = (said, value.verified, value.sealed.clone());
                let slots = self.values.entry(value.member).or_default();
                let held = slots.entry(value.slot).or_insert_with(|| new.clone());
                *held = held.clone().max(new);
            }
            Fact::MemberLink(link) => {
                let said = Said::of(link.copied, entry.hlc, by);
                self.links.add(stockroom_crdt::member::link::MemberLink { copied: Some(said), ..link.clone() });
            }
            Fact::MemberUnlink(unlink) => {
                let said = Said::of(unlink.copied, entry.hlc, by);
                self.links.retract(stockroom_crdt::member::link::MemberUnlink { copied: Some(said), ..unlink.clone() });
            }
            Fact::MemberErase(erase) => drop(self.erased.insert(erase.member)),
            _ => {}
        }
    }

    fn class(&self, member: MemberId, weight: Weight) -> BTreeSet<MemberId> {
        let links = |account| Ok::<_, Infallible>((!self.erased.contains(&account)).then(|| self.links.clone()));
        let class = class_of(member, weight, links).unwrap_or_else(|never| match never {});
        class.members
    }
}

/// Joined and parted, accounts keep what is theirs.
pub struct Parted {
    watch: Watch,
}

impl Parted {
    /// With what all checks share.
    pub fn new(watch: Watch) -> Self {
        Self { watch }
    }

    fn faults(node: u32, snapshot: &dyn Snapshot) -> Vec<String> {
        let told = Told::of(snapshot);
        let mut faults = Vec::new();
        for member in &told.known {
            let record = book::record(snapshot, *member).ok().flatten().unwrap_or_default();
            let held: BTreeMap<Slot, (Said, bool, Option<Vec<u8>>)> = record
                .values()
                .map(|(said, value)| (value.slot, (*said, value.verified, value.sealed.clone())))
                .collect();
            let none = BTreeMap::new();
            let own = if told.erased.contains(member) { &none } else { told.values.get(member).unwrap_or(&none) };
            if held != *own {
                faults.push(format!(
                    "node {node} has {} values of account {member:?}, its entries say {}, whoever she was joined with",
                    held.len(),
                    own.len()
                ));
            }
            for weight in [Weight::Tentative, Weight::Strong] {
                let class = book::class(snapshot, *member, weight).map(|class| class.members).unwrap_or_default();
                let expected = told.class(*member, weight);
                if class != expected {
                    faults.push(format!(
                        "node {node} says that account {member:?} is one person with {class:?}, its entries say {expected:?}"
                    ));
                }
            }
        }
        faults
    }
}

impl Check for Parted {
    fn name(&self) -> &'static str {
        "M3 joined and parted"
    }

    fn meaning(&self) -> &'static str {
        "at every replica each account has the values that were said of it alone, whatever it was joined with, and who is one person follows from the links that were not taken back"
    }

    fn observe(&mut self, seen: &Observation, scene: &Scene<'_>, _findings: &mut Findings) {
        drop(self.watch.see(seen, scene));
    }

    fn end(&mut self, scene: &Scene<'_>, findings: &mut Findings) {
        if scene.truth.persons.known.is_empty() {
            return;
        }
        let stores = nodes_by_store(scene.world).into_values().flatten();
        for node in hubs(scene.world).chain(stores).filter(|node| is_healthy(scene, *node)) {
            let Some(snapshot) = snapshot(scene, node) else { continue };
            for fault in Self::faults(node, &*snapshot) {
                findings.report(self, scene, node, fault);
            }
        }
    }
}

/// Who is forgotten is forgotten.
pub struct Forgotten {
    watch: Watch,
    /// Keys that were seen on any disk.
    keys: BTreeMap<MemberId, BTreeSet<[u8; 32]>>,
    /// Who is forgotten at which node.
    gone: BTreeSet<(u32, MemberId)>,
    leaks: usize,
}

impl Forgotten {
    /// With what all checks share.
    pub fn new(watch: Watch) -> Self {
        Self { watch, keys: BTreeMap::new(), gone: BTreeSet::new(), leaks: 0 }
    }

    /// Keys that a commit put down.
    fn learn(&mut self, node: u32, members: &[MemberId], scene: &Scene<'_>) -> Vec<String> {
        let Some(snapshot) = snapshot(scene, node) else { return Vec::new() };
        let mut faults = Vec::new();
        for member in members {
            match vault::held(&*snapshot, *member) {
                Ok(Some(Held::Key(key, _))) => {
                    self.keys.entry(*member).or_default().insert(key.0);
                    if self.gone.contains(&(node, *member)) {
                        faults.push(format!("node {node} has the key of {member:?} again, whom it had forgotten"));
                    }
                }
                Ok(Some(Held::Destroyed)) => drop(self.gone.insert((node, *member))),
                Ok(Some(Held::Forgotten) | None) | Err(_) => {}
            }
        }
        faults
    }
}

impl Check for Forgotten {
    fn name(&self) -> &'static str {
        "M4 forgotten for ever"
    }

    fn meaning(&self) -> &'static str {
        "no row and no frame shows what a member told of herself, a key that was destroyed does not come back, and in the end no table of any node has the key of anybody who wanted to be forgotten"
    }

    fn observe(&mut self, seen: &Observation, scene: &Scene<'_>, findings: &mut Findings) {
        let watch = self.watch.clone();
        let sight = watch.see(seen, scene);
        if scene.truth.persons.known.is_empty() {
            return;
        }
        for leak in &scene.truth.persons.leaks[self.leaks.min(scene.truth.persons.leaks.len())..] {
            findings.report(self, scene, seen.node, leak.clone());
        }
        self.leaks = scene.truth.persons.leaks.len();
        if matches!(sight.flow, Flow::Anew(_) | Flow::Lost) {
            self.gone.retain(|(node, _)| *node != seen.node);
        }
        let Seen::Committed(rows) = &seen.what else { return };
        if let Some(row) =
            rows.iter().find(|row| row.new.as_ref().is_some_and(|new| says_who(new)) || says_who(&row.key))
        {
            let message = format!("node {} commits a name or a remark in plain words to {:?}", seen.node, row.table);
            findings.report(self, scene, seen.node, message);
        }
        let members: Vec<MemberId> = rows
            .iter()
            .filter(|row| row.table == Table::MemberKeys)
            .filter_map(|row| Some(MemberId(u64::from_be_bytes(row.key.get(..8)?.try_into().ok()?))))
            .collect();
        if members.is_empty() {
            return;
        }
        for fault in self.learn(seen.node, &members, scene) {
            findings.report(self, scene, seen.node, fault);
        }
    }

    fn end(&mut self, scene: &Scene<'_>, findings: &mut Findings) {
        let erased = scene.truth.persons.known.values().filter(|person| person.erased);
        let erased: Vec<MemberId> = erased.filter_map(|person| person.member).collect();
        if erased.is_empty() {
            return;
        }
        let stores = nodes_by_store(scene.world).into_values().flatten();
        for node in hubs(scene.world).chain(stores).filter(|node| is_healthy(scene, *node)) {
            let Some(snapshot) = snapshot(scene, node) else { continue };
            for table in TABLES {
                let all = (std::ops::Bound::Unbounded, std::ops::Bound::Unbounded);
                let rows = snapshot.scan(table, all, Direction::Forward, usize::MAX).unwrap_or_default();
                for member in &erased {
                    let keys = self.keys.get(member).into_iter().flatten();
                    let shows = |key: &[u8; 32]| rows.iter().any(|(at, row)| holds(row, key) || holds(at, key));
                    if keys.clone().any(shows) {
                        let message =
                            format!("{table:?} of node {node} has the key of {member:?}, who wanted to be forgotten");
                        findings.report(self, scene, node, message);
                    }
                }
            }
        }
    }
}
