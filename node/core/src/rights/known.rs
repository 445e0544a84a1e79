//! Whether enough is known of earlier lives.
//!
//! A new epoch holds no rights, and what the one before held stays outstanding until it is written off by a decree
//! ([`Retire`]). A hub writes the decree by itself once it holds everything that the earlier life is known to have signed: the next
//! life's opening names that, from its log or from the continuity token. If the hub holds less, promises may have been lost
//! with a disk, and only a person can decide to live with that.

use std::collections::BTreeSet;

use stockroom_crdt::capability::Role;
use stockroom_crdt::chain::LogId;
use stockroom_crdt::clock::Hlc;
use stockroom_crdt::control::EpochReason;
use stockroom_crdt::entry::{Entry, Fact, kind};
use stockroom_crdt::ids::{Actor, Code, Epoch, StoreId};
use stockroom_crdt::scope::Scope;
use stockroom_crdt::stock::custody::Retire;
use stockroom_crdt::stock::rights::{Account, Rights};

use crate::books::cells;
use crate::journal::{Place, entry_at};
use crate::plant::{Plant, planted};
use crate::replica::Replica;
use crate::rights::home;
use crate::storage::{Snapshot, StoreError};
use crate::view::View;

/// Actors whose rights to a store's goods were written off.
pub fn retired(snapshot: &(impl Snapshot + ?Sized), store: StoreId) -> Result<BTreeSet<Actor>, StoreError> {
    let Some(number) = cells::scope_number(snapshot, &Scope::StoreRights(store))? else { return Ok(BTreeSet::new()) };
    let entries = cells::winners(snapshot, number, kind::RETIRE, &[])?;
    Ok(entries
        .into_iter()
        .filter_map(|entry| if let Fact::Retire(retire) = entry.fact { Some(retire.actor) } else { None })
        .collect())
}

/// Everybody but one who holds rights that are not written off, with what they hold.
pub fn holders(
    snapshot: &(impl Snapshot + ?Sized),
    store: StoreId,
    (rights, but): (&Rights, Actor),
) -> Result<Vec<(Actor, u64)>, StoreError> {
    let others = rights.actors().into_iter().filter(|actor| *actor != but);
    let held: Vec<_> = others.map(|actor| (actor, rights.held(actor))).filter(|(_, units)| *units > 0).collect();
    if held.is_empty() {
        return Ok(held);
    }
    let retired = retired(snapshot, store)?;
    Ok(held.into_iter().filter(|(actor, _)| !retired.contains(actor)).collect())
}

/// True when this node may make rights from the goods of its store, as the desk found it last.
pub fn may_mint(replica: &Replica, store: StoreId) -> bool {
    let known = !replica.rights_locked && replica.desk.obstacle == Some(None);
    replica.own_store() == Some(store) && (known || planted(Plant::MintUnknown))
}

/// Why this node may not make rights from the goods of its store; none if it may: it is their home, and every other life that could
/// make them is known whole or written off.
pub fn obstacle(replica: &Replica) -> Result<Option<&'static str>, StoreError> {
    let Some(store) = replica.own_store() else { return Ok(Some("this node is a hub and holds no goods")) };
    if !home::is_home(replica, store)? {
        return Ok(Some("this node is not known as the home of its store's goods"));
    }
    let me = replica.actor();
    let retired = retired(&replica.overlay, store)?;
    let named = named_home(replica, store)?;
    for other in View::new(&replica.overlay).nodes()? {
        if other.role == Role::Store && other.store == store && other.node != me.node {
            let of_node = retired.iter().any(|actor| actor.node == other.node);
            let mut stands = !of_node;
            for actor in lives(replica, store, other.node) {
                stands |= !retired.contains(&actor) && !gave_way(replica, (store, me), (actor, named))?;
            }
            if stands {
                return Ok(Some("another node of the store held rights that head office has not written off"));
            }
        }
    }
    for actor in lives(replica, store, me.node) {
        if actor != me && !retired.contains(&actor) && !is_whole(replica, store, actor)? {
            return Ok(Some(
                "what an earlier life of this node promised is not known whole; head office can write it off",
            ));
        }
    }
    Ok(None)
}

/// Decrees that a hub can write without asking anybody.
pub fn retirements(replica: &Replica, store: StoreId, rights: &Rights) -> Result<Vec<Fact>, StoreError> {
    if replica.own_store().is_some() {
        return Ok(Vec::new());
    }
    let done = retired(&replica.overlay, store)?;
    let mut facts = Vec::new();
    for actor in rights.actors() {
        let newest = replica.newest_actor(actor.node);
        if done.contains(&actor) || newest.is_none_or(|newest| newest <= actor) {
            continue;
        }
        // What this hub itself promised in an earlier life may be known to the store only: it must have been heard.
        let heard = actor.node != replica.actor().node || replica.desk.contacted.contains(&store);
        if heard && is_whole(replica, store, actor)? {
            let reason = Code::parse("a later epoch was opened").expect("a short sentence is a code");
            facts.push(Fact::Retire(Retire { actor, reason, staff: Code::default(), risk: 0 }));
        }
    }
    Ok(facts)
}

/// The share of its goods that the owner lets others promise, parts per million; `None` when nobody has to be asked.
pub fn consent(replica: &Replica, account: &Account) -> Result<Option<u32>, StoreError> {
    let view = View::new(&replica.overlay);
    let of_product = view.product(&account.sku)?.map(|product| product.owner).filter(|owner| !owner.is_empty());
    let of_store = || Ok::<_, StoreError>(view.store(account.store)?.map(|record| record.entity));
    let owner = match of_product {
        Some(owner) => owner,
        None => match of_store()?.filter(|entity| !entity.is_empty()) {
            Some(entity) => entity,
            None => return Ok(None),
        },
    };
    let Some(number) = cells::scope_number(&replica.overlay, &Scope::StoreRights(account.store))? else {
        return Ok(Some(0));
    };
    let entries = cells::winners(&replica.overlay, number, kind::CONSENT, &[])?;
    let mut general = 0;
    for entry in entries {
        if let Fact::Consent(consent) = entry.fact
            && consent.owner == owner
        {
            match &consent.sku {
                Some(sku) if *sku == account.sku => return Ok(Some(consent.share_ppm)),
                Some(_) => {}
                None => general = consent.share_ppm,
            }
        }
    }
    Ok(Some(general))
}

impl Replica {
    /// The hub above told how far it holds the logs of this node, and contradicts nothing.
    pub(crate) fn hub_was_heard(&mut self) {
        self.desk.heard = true;
        self.turned_away = false;
        self.unlock_if_known();
    }

    /// Everything that a store has written about rights is here, as of now.
    pub(crate) fn store_was_heard(&mut self, store: StoreId) {
        if self.desk.contacted.insert(store) {
            let of_store =
                self.desk.active.iter().filter(|account| account.store == store).cloned().collect::<Vec<_>>();
            self.desk.touched.extend(of_store);
        }
    }

    /// Rights are unlocked once this node holds of its own logs what its hub holds.
    pub(crate) fn unlock_if_known(&mut self) {
        if !self.rights_locked || !self.desk.heard {
            return;
        }
        // What came back after this node had gone on from an earlier place is a history beside its own.
        if self.desk.unlock.iter().all(|(id, seq)| self.journal.reach(id) >= *seq) {
            self.desk.unlock.clear();
            self.rights_locked = false;
            self.touch();
            self.forget_obstacle();
            self.desk.everything = true;
        }
    }
}

/// The epochs of a node that have a log of rights here, in this store's scope.
fn lives(replica: &Replica, store: StoreId, node: stockroom_crdt::ids::NodeId) -> Vec<Actor> {
    let scope = Scope::StoreRights(store);
    replica.journal.logs_by(node).filter(|(_, log)| log.id.scope == scope).map(|(_, log)| log.id.actor).collect()
}

/// When head office said last who is the home of a store.
fn named_home(replica: &Replica, store: StoreId) -> Result<Option<Hlc>, StoreError> {
    let Some(control) = cells::scope_number(&replica.overlay, &Scope::Control)? else { return Ok(None) };
    let records = cells::winners(&replica.overlay, control, kind::STORE, &[])?;
    let of_store = |entry: &&Entry| matches!(&entry.fact, Fact::Store(record) if record.store == store);
    Ok(records.iter().find(of_store).map(|entry| entry.hlc))
}

/// True when another node's life makes nothing as long as the store's record stands: it was opened because an earlier one was written off,
/// and after the record that names this node the home. A life of this node that was opened in the same way, after the record that it holds,
/// may have missed a newer record, and takes nothing for granted.
fn gave_way(
    replica: &Replica,
    (store, me): (StoreId, Actor),
    (other, named): (Actor, Option<Hlc>),
) -> Result<bool, StoreError> {
    let Some(named) = named else { return Ok(false) };
    let is_after = |actor| -> Result<bool, StoreError> {
        let birth = birth(replica, store, actor)?;
        Ok(birth.is_some_and(|(at, reason)| reason == EpochReason::Manual && at > named))
    };
    Ok(is_after(other)? && !is_after(me)?)
}

/// When and why a life was opened.
fn birth(replica: &Replica, store: StoreId, actor: Actor) -> Result<Option<(Hlc, EpochReason)>, StoreError> {
    let log = LogId { actor, scope: Scope::StoreRights(store) };
    let Some((number, _)) = replica.journal.find(&log) else { return Ok(None) };
    let opening = entry_at(&replica.overlay, Place { log: number, seq: 1 })?.map(|item| item.entry);
    Ok(opening.and_then(|entry| match entry.fact {
        Fact::EpochOpen(open) => Some((entry.hlc, open.reason)),
        _ => None,
    }))
}

/// True when what is held of an earlier life reaches what any later life says that it wrote.
fn is_whole(replica: &Replica, store: StoreId, actor: Actor) -> Result<bool, StoreError> {
    let scope = Scope::StoreRights(store);
    let held = replica.journal.find(&LogId { actor, scope: scope.clone() }).map_or(0, |(_, log)| log.head.seq);
    for later in lives(replica, store, actor.node).into_iter().filter(|later| *later > actor) {
        let Some((number, _)) = replica.journal.find(&LogId { actor: later, scope: scope.clone() }) else { continue };
        let open = entry_at(&replica.overlay, Place { log: number, seq: 1 })?.map(|item| item.entry.fact);
        if let Some(Fact::EpochOpen(open)) = open
            && open.previous.is_some_and(|(epoch, seq, _): (Epoch, u64, _)| epoch == actor.epoch && seq > held)
        {
            return Ok(false);
        }
    }
    Ok(true)
}
