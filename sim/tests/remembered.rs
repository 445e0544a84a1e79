//! What a hub remembers of stores that are not there: how far they have what it wrote, and which program they run.

#![allow(clippy::unwrap_used, clippy::disallowed_macros, reason = "a test says its seed and stops where it fails")]

use stockroom_core::view::View;
use stockroom_crdt::ids::{NodeId, StoreId};
use stockroom_crdt::money::Unit;
use stockroom_crdt::scope::Scope;
use stockroom_sim::world::World;

const HUB: u32 = 1;
const STORE: u32 = 2;

#[test]
fn what_waits_for_a_store_that_lost_its_disk_is_all_of_it_again() {
    println!("seed 1");
    let mut world = World::with_stores(1, 1);
    let empty = world.nodes[&STORE].disk.image();
    world.put_products(&[("TEA", Unit::Each), ("MILK", Unit::Each), ("SOAP", Unit::Each)]);
    world.connect(STORE, HUB);
    world.run_ms(10_000);
    world.cut(STORE, HUB);
    // Acknowledgements are written down with the next commit.
    world.put_products(&[("SALT", Unit::Each)]);
    let (durable, end) = catalogue(&world);
    assert!(durable > 0 && durable < end, "{durable} of {end}: it lacks the salt");
    world.crash(STORE);
    let node = world.nodes.get_mut(&STORE).unwrap();
    (node.disk, node.token) = (empty, None);
    world.start(STORE);
    world.connect(STORE, HUB);
    let asked = |world: &World| world.status(HUB).peers.iter().any(|peer| peer.ready);
    assert!(world.run_until(10_000, asked));
    world.cut(STORE, HUB);
    world.put_products(&[("RICE", Unit::Each)]);
    let (durable, later) = catalogue(&world);
    assert!(durable == 0 && later > end, "{durable} of {later}: it lacks everything");
}

#[test]
fn the_program_that_a_node_started_last_is_known_at_its_hub() {
    println!("seed 2");
    let mut world = World::with_stores(2, 1);
    assert_eq!(started(&world, STORE), None);
    world.connect(STORE, HUB);
    world.run_ms(5_000);
    let first = started(&world, STORE).unwrap();
    world.crash(STORE);
    world.run_ms(2_000);
    world.start(STORE);
    world.connect(STORE, HUB);
    world.run_ms(5_000);
    let second = started(&world, STORE).unwrap();
    assert!(second.0 > first.0 + 1_000, "{first:?} {second:?}");
    assert!(!second.1.is_empty());
}

/// How far the store has the catalogue as its hub remembers it, and where the catalogue ends.
fn catalogue(world: &World) -> (u64, u64) {
    let snapshot = world.snapshot(HUB);
    let followed = View::new(&*snapshot).followed(NodeId(STORE)).unwrap();
    let feed = followed.iter().find(|feed| feed.scope == Scope::Catalog).unwrap();
    (feed.durable, feed.end)
}

/// When a node started last and what, as far as its hub knows.
fn started(world: &World, node: u32) -> Option<(u64, String)> {
    let snapshot = world.snapshot(HUB);
    let program = View::new(&*snapshot).program(StoreId(1), NodeId(node)).unwrap()?;
    Some((program.started.ms(), program.version.to_string()))
}
