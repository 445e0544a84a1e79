//! Interest: which scopes lie between two nodes. Both ends compute it for themselves; the sender's view decides.

use std::collections::BTreeSet;

use stockroom_crdt::capability::Role;
use stockroom_crdt::control::StoreRecord;
use stockroom_crdt::ids::{Epoch, NodeId, StoreId};
use stockroom_crdt::scope::Scope;

use super::link::{Link, Relation};
use crate::limits::MATES_MAX;
use crate::overlay::Overlay;
use crate::plant::{Plant, planted};
use crate::replica::Replica;
use crate::storage::StoreError;
use crate::view::View;

/// What this node follows of a peer.
pub fn wants(replica: &Replica, link: &Link) -> Result<BTreeSet<Scope>, StoreError> {
    let view = View::new(&replica.overlay);
    let mut out = BTreeSet::new();
    match (link.relation, replica.own_store()) {
        (Relation::Parent, Some(own)) => {
            out.extend([Scope::Control, Scope::Catalog]);
            out.extend(of_store(own));
            out.extend(view.store(own)?.map(|record| Scope::Prices(record.book)));
            out.extend(mates(&view, own)?.into_iter().map(Scope::StoreRights));
            if planted(Plant::LeakRights) {
                out.extend(view.stores()?.into_iter().map(|record| Scope::StoreRights(record.store)));
            }
        }
        (Relation::Parent, None) => {
            out.extend([Scope::Control, Scope::Catalog]);
            // The hub above may hold rights to goods of the stores below. Also what those were told is safe may be above only: they
            // and this hub were both set back.
            let below = stores_below(&view, replica.actor().node)?.into_iter();
            if is_set_back(replica) {
                out.extend(below.flat_map(of_store));
                out.insert(Scope::Orders(replica.actor().node.0));
            } else {
                out.extend(below.flat_map(|store| [Scope::StoreRights(store), Scope::StoreOrders(store)]));
            }
            out.extend(view.stores()?.into_iter().map(|record| Scope::Prices(record.book)));
        }
        (Relation::Child, _) if link.peer.role == Role::Store => {
            out.extend(of_store(link.peer.store));
            // Whoever follows the rights of another store of its group may hold some of them.
            let others = link.outs.keys().filter(|scope| matches!(scope, Scope::StoreRights(_)));
            out.extend(others.cloned());
            // A hub that was set back takes from below what it has lost of its own.
            out.extend(is_set_back(replica).then_some(Scope::Control));
        }
        (Relation::Child, _) => {
            out.extend(view.stores()?.into_iter().flat_map(|record| of_store(record.store)));
            let hubs =
                view.nodes()?.into_iter().filter(|node| node.role == Role::Hub && node.node != replica.actor().node);
            out.extend(hubs.map(|hub| Scope::Orders(hub.node.0)));
            // Also of one that was enrolled elsewhere and is not in this hub's own list.
            out.insert(Scope::Orders(link.peer.node.0));
            out.extend(is_set_back(replica).then_some(Scope::Control));
        }
        (Relation::Peer, own) => {
            out.insert(Scope::Control);
            let own = own.and_then(|own| view.store(own).transpose()).transpose()?;
            let theirs = view.store(link.peer.store)?;
            if shares(own.as_ref(), theirs.as_ref()) {
                out.extend(of_goods(link.peer.store));
                out.extend(own.as_ref().map(|own| Scope::StoreRights(own.store)));
                // What had reached a neighbour only, before this store was set back.
                out.extend(own.filter(|_| is_set_back(replica)).map(|own| Scope::StoreStock(own.store)));
            }
        }
    }
    Ok(out)
}

/// Those of [`wants`] on a link to another hub, or to the hub above, that may be new because records of these stores changed.
pub fn wants_about(replica: &Replica, link: &Link, stores: &BTreeSet<StoreId>) -> Result<BTreeSet<Scope>, StoreError> {
    let view = View::new(&replica.overlay);
    let mut out = BTreeSet::new();
    for &store in stores {
        match (link.relation, replica.own_store()) {
            (Relation::Parent, Some(own)) if own == store => {
                out.extend(view.store(store)?.map(|record| Scope::Prices(record.book)));
                out.extend(mates(&view, own)?.into_iter().map(Scope::StoreRights));
            }
            (Relation::Parent, Some(own)) if mates(&view, own)?.contains(&store) => {
                out.insert(Scope::StoreRights(store));
            }
            (Relation::Parent, None) => {
                out.extend(view.store(store)?.map(|record| Scope::Prices(record.book)));
                if stores_below(&view, replica.actor().node)?.contains(&store) {
                    out.extend([Scope::StoreRights(store), Scope::StoreOrders(store)]);
                }
            }
            (Relation::Child, _) if link.peer.role == Role::Hub && view.store(store)?.is_some() => {
                out.extend(of_store(store));
            }
            (Relation::Parent | Relation::Child | Relation::Peer, _) => {}
        }
    }
    Ok(out)
}

/// Whether a peer may see a scope of ours.
pub fn may_see(replica: &Replica, link: &Link, scope: &Scope) -> Result<bool, StoreError> {
    let view = View::new(&replica.overlay);
    Ok(match link.relation {
        Relation::Parent => scope.store().is_some() || matches!(scope, Scope::Control | Scope::Orders(_)),
        Relation::Child => match scope.store() {
            Some(store) if link.peer.role == Role::Hub || store == link.peer.store => true,
            Some(store) if *scope == Scope::StoreRights(store) && planted(Plant::LeakRights) => true,
            Some(store) => *scope == Scope::StoreRights(store) && mates(&view, link.peer.store)?.contains(&store),
            None if matches!(scope, Scope::Orders(_)) => link.peer.role == Role::Hub,
            None => matches!(scope, Scope::Control | Scope::Catalog | Scope::Prices(_)),
        },
        Relation::Peer => {
            let own = replica.own_store();
            let mut both = [own, Some(link.peer.store)].into_iter().flatten().flat_map(of_goods);
            *scope == Scope::Control
                || (both.any(|between| between == *scope) && {
                    let own = own.and_then(|own| view.store(own).transpose()).transpose()?;
                    shares(own.as_ref(), view.store(link.peer.store)?.as_ref())
                })
        }
    })
}

/// An earlier life of this node may have left what it does not hold at others.
fn is_set_back(replica: &Replica) -> bool {
    replica.actor().epoch > Epoch(1)
}

/// Stores that a hub, or a hub below it, has enrolled.
fn stores_below(view: &View<'_, Overlay>, hub: NodeId) -> Result<BTreeSet<StoreId>, StoreError> {
    let nodes = view.nodes()?;
    let (mut hubs, mut stores, mut known) = (BTreeSet::from([hub]), BTreeSet::new(), 0);
    while hubs.len() > known {
        known = hubs.len();
        let below = nodes.iter().filter(|node| hubs.contains(&node.issuer)).collect::<Vec<_>>();
        hubs.extend(below.iter().filter(|node| node.role == Role::Hub).map(|node| node.node));
        stores.extend(below.iter().filter(|node| node.role == Role::Store).map(|node| node.store));
    }
    Ok(stores)
}

/// The scopes of a store that exist so far.
fn of_store(store: StoreId) -> [Scope; 4] {
    let [rights, orders, stock] = of_goods(store);
    [rights, orders, stock, Scope::StoreMembers(store)]
}

/// Those that stores of one group read of each other: who a store's members are is nobody else's business.
fn of_goods(store: StoreId) -> [Scope; 3] {
    [Scope::StoreRights(store), Scope::StoreOrders(store), Scope::StoreStock(store)]
}

/// The other stores of a store's group: they may be granted rights to its goods. A group too large for everybody to follow
/// everybody shares no rights; its stores ask their hub.
fn mates(view: &View<'_, Overlay>, own: StoreId) -> Result<Vec<StoreId>, StoreError> {
    let Some(own) = view.store(own)?.filter(|own| !own.group.is_empty()) else { return Ok(Vec::new()) };
    let same = |other: &StoreRecord| other.store != own.store && other.group == own.group;
    let mates: Vec<_> = view.stores()?.into_iter().filter(same).map(|other| other.store).collect();
    Ok(if mates.len() > MATES_MAX { Vec::new() } else { mates })
}

/// Stores of one non-empty group let each other read their stock.
fn shares(one: Option<&StoreRecord>, other: Option<&StoreRecord>) -> bool {
    one.zip(other).is_some_and(|(one, other)| !one.group.is_empty() && one.group == other.group)
}
