//! Who takes part in a run, and who ought to hold what: a fleet set up through the hubs' real commands.

use std::collections::BTreeMap;

use stockroom_core::input::{Command, RetryKey};
use stockroom_crdt::chain::LogId;
use stockroom_crdt::ids::{Code, Digest, Sku};
use stockroom_crdt::money::Unit;
use stockroom_crdt::product::Product;
use stockroom_crdt::scope::Scope;

use crate::disk::{Disk, FaultyDisk};
use crate::link::{LinkSpec, Replay};
use crate::plan::{DiskKind, Fleet, Uplinks, Who};
use crate::union::Union;
use crate::world::World;

/// Nodes by what people call them.
#[derive(Clone, Debug, Default)]
pub struct Cast {
    /// Hubs in order; the first is the top.
    pub hubs: Vec<u32>,
    /// Stores' nodes by store.
    pub stores: BTreeMap<u32, u32>,
    /// The hub of each store's node.
    pub hub_of: BTreeMap<u32, u32>,
    /// Which neighbourhood a store's node is in.
    pub street_of: BTreeMap<u32, u32>,
    /// Enrolled identities in hostile hands: node ids.
    pub hostile: Vec<u32>,
}

impl Cast {
    /// Builds the fleet: everybody enrolled, started and dialling.
    pub fn assemble(fleet: &Fleet, seed: u64) -> (World, Self) {
        let mut world = World::asleep(seed);
        world.observe();
        world.redials = true;
        let mut cast = Self { hubs: vec![1], ..Self::default() };
        cast.prepare(&mut world, fleet, 1);
        world.start(1);
        put_products(&mut world, fleet.products, 0);
        for _ in 1..fleet.hubs {
            let hub = world.add_hub();
            cast.prepare(&mut world, fleet, hub);
            world.set_path(1, hub, fleet.wan.clone());
            world.start(hub);
            world.want(1, hub);
            cast.hubs.push(hub);
        }
        world.run_ms(SETTLE_MS);
        for store in 1..=fleet.stores + fleet.hostile {
            cast.admit(&mut world, fleet, store);
        }
        cast.wire(&mut world, fleet);
        for id in cast.stores.values() {
            world.start(*id);
        }
        (world, cast)
    }

    /// A node's id.
    pub fn node(&self, who: Who) -> u32 {
        match who {
            Who::Store(store) => self.stores[&store],
            Who::Hub(hub) => self.hubs[hub as usize - 1],
        }
    }

    /// What people call a node.
    pub fn name(&self, id: u32) -> String {
        if let Some(at) = self.hubs.iter().position(|hub| *hub == id) {
            return match (at, self.hubs.len()) {
                (_, 1) => "hub".into(),
                (0, _) => "cloud".into(),
                (at, _) => format!("hub {at}"),
            };
        }
        match self.store_of(id) {
            Some(store) => format!("store {store}"),
            None => format!("node {id}"),
        }
    }

    /// The store whose node this is.
    pub fn store_of(&self, id: u32) -> Option<u32> {
        self.stores.iter().find(|(_, node)| **node == id).map(|(store, _)| *store)
    }

    /// Everybody of ours.
    pub fn all(&self) -> impl Iterator<Item = u32> + '_ {
        self.hubs.iter().chain(self.stores.values()).copied()
    }

    /// Whether a node ought to have a store's log in the end: its author's hubs, its own store, its street.
    pub fn ought_to_hold(&self, id: u32, log: &LogId) -> bool {
        let Some(store) = log.scope.store() else { return false };
        let Some(own) = self.stores.get(&store.0) else { return false };
        if id == *own || id == self.hubs[0] || self.hub_of.get(own) == Some(&id) {
            return true;
        }
        let street = |node: &u32| self.street_of.get(node);
        let own_goods = matches!(log.scope, Scope::StoreStock(_)) && log.actor.node.0 == *own;
        (own_goods || matches!(log.scope, Scope::StoreRights(_))) && street(own).is_some() && street(own) == street(&id)
    }

    /// How many entries of others each node ought to have and does not.
    pub fn behind(&self, union: &Union) -> BTreeMap<u32, u64> {
        let mut lag: BTreeMap<u32, u64> = self.all().map(|id| (id, 0)).collect();
        for (id, furthest) in &union.furthest {
            let Some(own) = id.scope.store().and_then(|store| self.stores.get(&store.0)) else { continue };
            let candidates = [Some(own), self.hub_of.get(own), self.hubs.first()];
            let neighbours = self.street_of.get(own).into_iter().flat_map(|street| {
                self.street_of.iter().filter(move |(_, other)| *other == street).map(|(node, _)| node)
            });
            let mut nodes: Vec<u32> = candidates.into_iter().flatten().chain(neighbours).copied().collect();
            nodes.sort_unstable();
            nodes.dedup();
            for node in nodes.into_iter().filter(|node| self.ought_to_hold(*node, id)) {
                *lag.entry(node).or_default() += furthest.saturating_sub(union.held(node, id));
            }
        }
        lag
    }

    /// Pairs of nodes that have a link in the plan, the lower end first.
    pub fn links(&self, world: &World) -> Vec<(u32, u32)> {
        self.all()
            .flat_map(|id| world.peers_of(id).into_iter().filter(move |peer| *peer > id).map(move |peer| (id, peer)))
            .collect()
    }

    fn admit(&mut self, world: &mut World, fleet: &Fleet, store: u32) {
        let street = (store - 1) / fleet.neighbourhood.max(1);
        let hub = if fleet.hubs > 1 { self.hubs[1 + (street % (fleet.hubs - 1)) as usize] } else { 1 };
        let group = if fleet.neighbourhood > 1 { format!("street{street}") } else { String::new() };
        let id = world.enrol_at(hub, store, &group);
        self.prepare(world, fleet, id);
        self.hub_of.insert(id, hub);
        if store > fleet.stores {
            self.hostile.push(id);
            return;
        }
        if fleet.neighbourhood > 1 {
            self.street_of.insert(id, street);
        }
        self.stores.insert(store, id);
    }

    /// Another box for a store, whose old one is gone for good: enrolled, started, dialling. False while no hub can enrol it.
    pub(crate) fn replace(&mut self, world: &mut World, fleet: &Fleet, store: u32) -> bool {
        let (old, street) = (self.stores[&store], (store - 1) / fleet.neighbourhood.max(1));
        let hub = self.hub_of[&old];
        let ready = |id: &u32| world.is_up(*id) && !world.nodes[id].suspended;
        if ![hub, self.hubs[0]].iter().all(ready) {
            return false;
        }
        let group = if fleet.neighbourhood > 1 { format!("street{street}") } else { String::new() };
        let id = world.enrol_at(hub, store, &group);
        self.prepare(world, fleet, id);
        self.hub_of.insert(id, hub);
        if let Some(street) = self.street_of.remove(&old) {
            self.street_of.insert(id, street);
        }
        self.stores.insert(store, id);
        for peer in world.peers_of(old) {
            let spec = if self.hubs.contains(&peer) { fleet.wan.clone() } else { fleet.lan.clone() };
            world.set_path(id, peer, spec);
            world.want(id, peer);
        }
        world.start(id);
        true
    }

    fn prepare(&self, world: &mut World, fleet: &Fleet, id: u32) {
        let node = world.nodes.get_mut(&id).expect("it was just made");
        node.tuning = fleet.tuning;
        if fleet.disk == DiskKind::Redb {
            node.disk = Disk::Platter(FaultyDisk::new(u64::from(id)));
        }
    }

    fn wire(&self, world: &mut World, fleet: &Fleet) {
        let street = |id: &u32| self.street_of.get(id).copied();
        for (store, id) in &self.stores {
            let first = (*store - 1).is_multiple_of(fleet.neighbourhood.max(1));
            if fleet.uplinks == Uplinks::Every || first {
                let hub = self.hub_of[id];
                world.set_path(*id, hub, wan(fleet, *store, world.now_ms));
                world.want(*id, hub);
            }
            if street(id).is_none() {
                continue;
            }
            for other in self.stores.values().filter(|other| *other > id && street(other) == street(id)) {
                world.set_path(*id, *other, fleet.lan.clone());
                world.want(*id, *other);
            }
        }
    }
}

/// Puts the first `products` products into the top hub's catalogue; `round` makes them new.
pub fn put_products(world: &mut World, products: u16, round: u64) {
    let numbers: Vec<u16> = (0..products).collect();
    for chunk in numbers.chunks(CATALOGUE_CHUNK) {
        let items = chunk.iter().map(|number| product(*number, round)).collect();
        let key = Digest::of(&[b"catalogue", &round.to_be_bytes(), &chunk[0].to_be_bytes()]);
        // A hub that is down takes them another day.
        let _ = world.ask(1, Command::Products(RetryKey { key, body: key }, items));
    }
}

/// The SKU of a product.
pub fn sku(product: u16) -> Sku {
    Sku::parse(&format!("P{product:05}")).expect("letters and digits")
}

pub(crate) fn product(number: u16, round: u64) -> Product {
    Product {
        sku: sku(number),
        name: format!("product {number} as of {round}"),
        unit: Unit::Each,
        barcodes: Vec::new(),
        item_number: 0,
        tax_code: Code::default(),
        department: Code::default(),
        owner: Code::default(),
        age_min: 0,
        excluded: 0,
        discontinued: false,
    }
}

/// A store's link to its hub. Stores on one recording see different parts of it.
fn wan(fleet: &Fleet, store: u32, now_ms: u64) -> LinkSpec {
    let mut spec = fleet.wan.clone();
    if !fleet.recordings.is_empty() {
        let recording = fleet.recordings[(store as usize - 1) % fleet.recordings.len()].clone();
        let offset = u64::from(store) * STAGGER_MS % recording.length_ms();
        spec.replay = Some(Replay { recording, from_ms: now_ms - offset });
    }
    spec
}

/// What hubs take to meet before stores are enrolled.
const SETTLE_MS: u64 = 5_000;

/// Products in one command.
const CATALOGUE_CHUNK: usize = 256;

/// By how much stores are apart in a recording.
const STAGGER_MS: u64 = 613_000;
