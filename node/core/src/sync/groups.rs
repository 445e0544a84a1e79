//! Groups of stores below a hub: who is told where the others are.
//!
//! Each node gets the first few of its group, in the order of their links. So a link that comes or goes behind those changes
//! nothing for the others, and a thousand stores that come back at once are not told a thousand times.

use std::collections::{BTreeMap, BTreeSet};

use stockroom_crdt::ids::{Code, NodeId, StoreId};
use stockroom_crdt::scope::Lane;

use super::Sync;
use super::frames::Frame;
use super::link::{Path, Relation};
use super::links::Links;
use crate::input::LinkId;
use crate::limits::INTRODUCED_MAX;
use crate::replica::Replica;
use crate::storage::StoreError;
use crate::view::View;

/// Direct links to stores below, by group.
#[derive(Default)]
pub(super) struct Groups {
    members: BTreeMap<Code, BTreeSet<LinkId>>,
    of: BTreeMap<LinkId, Code>,
    by_store: BTreeMap<StoreId, BTreeSet<LinkId>>,
    /// Groups whose members were told of somebody who is gone, or not of somebody who came.
    stale: BTreeSet<Code>,
}

impl Sync {
    /// A link came up: it counts as a member of its store's group from now on, and is told when it has greeted.
    pub(super) fn join_group(&mut self, replica: &Replica, id: LinkId) -> Result<(), StoreError> {
        let Some(link) = self.links.get(id) else { return Ok(()) };
        if link.relation != Relation::Child || link.path != Path::Direct || link.peer.store == StoreId(0) {
            return Ok(());
        }
        let store = link.peer.store;
        self.groups.by_store.entry(store).or_default().insert(id);
        let record = View::new(&replica.overlay).store(store)?.filter(|record| !record.group.is_empty());
        if let Some(record) = record {
            self.groups.members.entry(record.group.clone()).or_default().insert(id);
            if self.groups.is_told_of(&record.group, id, &self.links) {
                self.groups.stale.insert(record.group.clone());
            }
            self.groups.of.insert(id, record.group);
        }
        Ok(())
    }

    /// A link is about to go.
    pub(super) fn leave_group(&mut self, id: LinkId) {
        let Some(link) = self.links.get(id) else { return };
        if let Some(links) = self.groups.by_store.get_mut(&link.peer.store) {
            links.remove(&id);
        }
        let Some(group) = self.groups.of.remove(&id) else { return };
        if self.groups.is_told_of(&group, id, &self.links) {
            self.groups.stale.insert(group.clone());
        }
        if let Some(members) = self.groups.members.get_mut(&group) {
            members.remove(&id);
        }
    }

    /// Records of stores changed: their links may belong elsewhere.
    pub(super) fn regroup(&mut self, replica: &Replica, stores: &BTreeSet<StoreId>) -> Result<(), StoreError> {
        for store in stores {
            for id in self.groups.by_store.get(store).cloned().unwrap_or_default() {
                let before = self.groups.of.get(&id).cloned();
                let record = View::new(&replica.overlay).store(*store)?;
                let now = record.map(|record| record.group).filter(|group| !group.is_empty());
                if before != now {
                    self.leave_group(id);
                    self.join_group(replica, id)?;
                    before.into_iter().chain(now).for_each(|group| self.tell_group(&group));
                }
            }
        }
        Ok(())
    }

    /// A link has greeted: it is told where the others of its group are, and they are told of it if that changes their lists.
    pub(super) fn introduce(&mut self, id: LinkId) {
        let Some(group) = self.groups.of.get(&id).cloned() else { return };
        if self.groups.stale.contains(&group) { self.tell_group(&group) } else { self.tell(&group, id) }
    }

    fn tell_group(&mut self, group: &Code) {
        self.groups.stale.remove(group);
        for id in self.groups.members.get(group).cloned().unwrap_or_default() {
            self.tell(group, id);
        }
    }

    fn tell(&mut self, group: &Code, id: LinkId) {
        let Some(own) = self.links.get(id).map(|link| link.peer.node) else { return };
        let others = self.groups.reachable(group, &self.links).filter(|(_, node, _)| *node != own);
        let others: Vec<(NodeId, String)> =
            others.take(INTRODUCED_MAX).map(|(_, node, address)| (node, address.to_owned())).collect();
        if let Some(link) = self.links.get_mut(id).filter(|_| !others.is_empty()) {
            link.push(Lane::Control, Frame::Peers(others));
            self.links.mark(id);
        }
    }
}

impl Groups {
    /// Members that somebody could dial, in the order of their links.
    fn reachable<'a>(
        &'a self,
        group: &Code,
        links: &'a Links,
    ) -> impl Iterator<Item = (LinkId, NodeId, &'a str)> + use<'a> {
        self.members.get(group).into_iter().flatten().filter_map(|&id| {
            let peer = &links.get(id)?.peer;
            Some((id, peer.node, peer.address.as_deref()?))
        })
    }

    /// True when others of the group are told of this member: one more than fit, because nobody is told of itself.
    fn is_told_of(&self, group: &Code, id: LinkId, links: &Links) -> bool {
        self.reachable(group, links).take(INTRODUCED_MAX + 1).any(|(member, ..)| member == id)
    }
}
