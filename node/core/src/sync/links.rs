//! All links of a node, with what finds the few that matter without looking at the others: who may send, whose timer is due, who
//! follows a scope. A hub has a thousand links and a commit for every sale below it.
//!
//! It knows nothing of what is said on a link.

use std::collections::{BTreeMap, BTreeSet};

use stockroom_crdt::capability::Role;
use stockroom_crdt::ids::NodeId;
use stockroom_crdt::scope::Scope;

use super::link::{Link, Path, Relation};
use crate::input::LinkId;
use crate::tuning::Tuning;

/// Links by their number, and their indexes.
#[derive(Default)]
pub(super) struct Links {
    by_id: BTreeMap<LinkId, Link>,
    /// Links that may have something to send. Their timers are filed when it turns out that they have nothing more.
    ready: BTreeSet<LinkId>,
    /// When each other link wants to be looked at, on the monotonic clock.
    timers: BTreeSet<(u64, LinkId)>,
    /// Under which time a link is filed there.
    filed: BTreeMap<LinkId, u64>,
    /// Direct links whose peers follow a scope.
    followers: BTreeMap<Scope, BTreeSet<LinkId>>,
    /// Direct links to a node.
    by_node: BTreeMap<NodeId, BTreeSet<LinkId>>,
    /// Direct links to a hub above, greeted.
    parents: BTreeSet<LinkId>,
    /// Direct links to other stores, greeted.
    neighbours: BTreeSet<LinkId>,
    /// Links between whose ends lies more when a store's record changes. A hub and a store below it always share the same.
    widening: BTreeSet<LinkId>,
}

impl Links {
    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }

    pub(super) fn contains(&self, id: LinkId) -> bool {
        self.by_id.contains_key(&id)
    }

    pub(super) fn get(&self, id: LinkId) -> Option<&Link> {
        self.by_id.get(&id)
    }

    pub(super) fn get_mut(&mut self, id: LinkId) -> Option<&mut Link> {
        self.by_id.get_mut(&id)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (LinkId, &Link)> {
        self.by_id.iter().map(|(&id, link)| (id, link))
    }

    /// A new link. It may have something to send.
    pub(super) fn insert(&mut self, id: LinkId, link: Link) {
        if link.path == Path::Direct {
            self.by_node.entry(link.peer.node).or_default().insert(id);
        }
        if link.relation != Relation::Child || link.peer.role == Role::Hub {
            self.widening.insert(id);
        }
        self.by_id.insert(id, link);
        self.ready.insert(id);
    }

    pub(super) fn remove(&mut self, id: LinkId) -> Option<Link> {
        let link = self.by_id.remove(&id)?;
        if let Some(at) = self.filed.remove(&id) {
            self.timers.remove(&(at, id));
        }
        for set in [&mut self.ready, &mut self.parents, &mut self.neighbours, &mut self.widening] {
            set.remove(&id);
        }
        take_from(&mut self.by_node, &link.peer.node, id);
        for scope in link.outs.keys() {
            take_from(&mut self.followers, scope, id);
        }
        Some(link)
    }

    /// Links to a node.
    pub(super) fn of_node(&self, node: NodeId) -> impl Iterator<Item = &Link> {
        self.by_node.get(&node).into_iter().flatten().filter_map(|id| self.by_id.get(id))
    }

    /// The link may have something to send.
    pub(super) fn mark(&mut self, id: LinkId) {
        if self.by_id.contains_key(&id) {
            self.ready.insert(id);
        }
    }

    /// The peer may follow `scope` since now, or from elsewhere than before.
    pub(super) fn follow(&mut self, id: LinkId, scope: &Scope) {
        let Some(link) = self.by_id.get_mut(&id).filter(|link| link.outs.contains_key(scope)) else { return };
        link.look_at(scope);
        if link.path == Path::Direct {
            self.followers.entry(scope.clone()).or_default().insert(id);
        }
        self.ready.insert(id);
    }

    /// The feed of `scope` grew.
    pub(super) fn grown(&mut self, scope: &Scope) {
        for &id in self.followers.get(scope).into_iter().flatten() {
            self.by_id.get_mut(&id).expect("followers are links").look_at(scope);
            self.ready.insert(id);
        }
    }

    /// Links whose timers are due may have something to send.
    pub(super) fn mark_due(&mut self, now_ms: u64) {
        self.ready.extend(self.timers.range(..=(now_ms, LinkId(u64::MAX))).map(|(_, id)| *id));
    }

    /// The first link that may have something to send.
    pub(super) fn first_ready(&self) -> Option<LinkId> {
        self.ready.first().copied()
    }

    /// The link has nothing to send until something happens or its timer is due.
    pub(super) fn rest(&mut self, id: LinkId, tuning: &Tuning) {
        self.ready.remove(&id);
        let due = self.by_id.get(&id).and_then(|link| link.due_ms(tuning));
        if self.filed.get(&id).copied() == due {
            return;
        }
        if let Some(before) = self.filed.remove(&id) {
            self.timers.remove(&(before, id));
        }
        if let Some(due) = due {
            self.filed.insert(id, due);
            self.timers.insert((due, id));
        }
    }

    /// Both ends of the link may know each other since now.
    pub(super) fn greeted(&mut self, id: LinkId) {
        let Some(link) = self.by_id.get(&id).filter(|link| link.path == Path::Direct && link.is_ready()) else {
            return;
        };
        match link.relation {
            Relation::Parent => _ = self.parents.insert(id),
            Relation::Peer => _ = self.neighbours.insert(id),
            Relation::Child => {}
        }
    }

    /// Links whose timers may be due, in the order of their numbers.
    pub(super) fn due(&self, now_ms: u64) -> BTreeSet<LinkId> {
        let due = self.timers.range(..=(now_ms, LinkId(u64::MAX))).map(|(_, id)| *id);
        due.chain(self.ready.iter().copied()).collect()
    }

    /// When the next timer is due, on the monotonic clock.
    pub(super) fn deadline(&self, tuning: &Tuning) -> Option<u64> {
        let filed = self.timers.iter().find(|(_, id)| !self.ready.contains(id)).map(|(at, _)| *at);
        let ready = self.ready.iter().filter_map(|id| self.by_id[id].due_ms(tuning)).min();
        filed.into_iter().chain(ready).min()
    }

    /// The greeted direct link to a node that came up first.
    pub(super) fn to_node(&self, node: NodeId) -> Option<LinkId> {
        let links = self.by_node.get(&node)?;
        links.iter().copied().find(|id| self.by_id[id].is_ready())
    }

    /// A direct link to a hub above is up and greeted.
    /// A direct link to a hub above, greeted.
    pub(super) fn parent(&self) -> Option<LinkId> {
        self.parents.first().copied()
    }

    pub(super) fn has_parent(&self) -> bool {
        !self.parents.is_empty()
    }

    /// Greeted direct links to other stores.
    pub(super) fn neighbours(&self) -> &BTreeSet<LinkId> {
        &self.neighbours
    }

    /// Links on which a changed record of a store may lead to more subscriptions.
    pub(super) fn widening(&self) -> Vec<LinkId> {
        self.widening.iter().copied().collect()
    }
}

fn take_from<K: Ord + Clone>(index: &mut BTreeMap<K, BTreeSet<LinkId>>, key: &K, id: LinkId) {
    if let Some(links) = index.get_mut(key) {
        links.remove(&id);
        if links.is_empty() {
            index.remove(key);
        }
    }
}
