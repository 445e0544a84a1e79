//! A hub with many links speaks only on those that something happened to, and a core whose disk failed can still be asked.

use std::collections::{BTreeMap, BTreeSet};

use stockroom_core::input::{Command, CoreError, RetryKey};
use stockroom_core::limits::INTRODUCED_MAX;
use stockroom_core::sync::frames::Frame;
use stockroom_core::tuning::Tuning;
use stockroom_crdt::ids::{Code, Digest};
use stockroom_crdt::money::Unit;
use stockroom_sim::disk::Disk;
use stockroom_sim::solo::Solo;
use stockroom_sim::world::World;

/// The stores of a chain, all linked to the hub, and quiet.
fn linked(stores: u32) -> World {
    let mut world = World::with_stores(41, stores);
    world.put_products(&[("MILK", Unit::Each)]);
    for id in 2..2 + stores {
        world.connect(1, id);
    }
    world.run_ms(10_000);
    world
}

/// How many others each node was told of last, and forgets what was recorded.
fn told(world: &mut World) -> BTreeMap<u32, usize> {
    let mut told = BTreeMap::new();
    for sent in std::mem::take(&mut world.sent) {
        if let Frame::Peers(peers) = Frame::decode(&sent.bytes).expect("nodes send whole frames") {
            assert!(peers.iter().all(|(node, _)| node.0 != sent.to), "nobody is told of itself");
            told.insert(sent.to, peers.len());
        }
    }
    told
}

#[test]
fn a_sale_makes_the_hub_speak_to_the_store_that_made_it_and_to_nobody_else() {
    let mut world = linked(12);
    // Just after pulses, so that none falls into the second that is looked at.
    world.recording = true;
    let pulsed = |world: &World| world.sent.iter().filter(|sent| sent.from == 1).count() >= 12;
    assert!(world.run_until(10_000, pulsed));
    world.run_ms(100);
    world.sent.clear();
    world.sell(5, 1, 1, &[("MILK", 2)]).unwrap();
    world.run_ms(3_000);
    let partners: BTreeSet<_> = world.sent.iter().filter(|sent| sent.from == 1).map(|sent| sent.to).collect();
    assert_eq!(partners, BTreeSet::from([5]));
}

#[test]
fn everybody_in_a_group_learns_of_the_first_and_only_they_are_told_again() {
    let stores = INTRODUCED_MAX as u32 + 8;
    let mut world = World::with_stores(42, stores);
    world.recording = true;
    for id in 2..2 + stores {
        world.connect(1, id);
    }
    world.run_ms(5_000);
    let first = told(&mut world);
    assert_eq!(first.len(), stores as usize);
    assert!(first.values().all(|&count| count == INTRODUCED_MAX), "{first:?}");

    // The last link of all is nobody's news.
    world.cut(1, 1 + stores);
    world.connect(1, 1 + stores);
    world.run_ms(2_000);
    assert_eq!(told(&mut world).into_keys().collect::<Vec<_>>(), [1 + stores]);

    // The first one is everybody's: its place in their lists goes to another.
    world.cut(1, 2);
    world.connect(1, 2);
    world.run_ms(2_000);
    assert_eq!(told(&mut world).len(), stores as usize);
}

#[test]
fn a_core_whose_commit_failed_answers_with_an_error_and_never_panics() {
    let mut world = World::with_stores(43, 1);
    let mut node = world.nodes.remove(&2).unwrap();
    node.stop();
    let Disk::Platter(disk) = node.disk.onto_platter(43).unwrap() else { unreachable!("it was moved to a platter") };
    node.disk = Disk::Platter(disk.clone());
    let mut solo = Solo::new(node, world.now_ms, 43);
    solo.start().unwrap();
    disk.arm(1);
    let key = Digest::of(&[b"day"]);
    solo.handle(Command::DayOpen(RetryKey { key, body: key }, Code::default())).unwrap();
    assert!(matches!(solo.commit(), Err(CoreError::Storage(_))));
    assert!(matches!(solo.core().status(), Err(CoreError::Storage(_))));
    let _ = solo.core().reader().snapshot();
    let _ = solo.core().deadline();
}

#[test]
fn a_node_with_tuning_that_cannot_work_does_not_start() {
    let mut world = World::with_stores(44, 1);
    let mut node = world.nodes.remove(&2).unwrap();
    node.stop();
    node.tuning = Tuning { pulse_after_ms: 0, ..Tuning::default() };
    assert!(matches!(node.start(world.now_ms, [1; 32]), Err(CoreError::Mismatch(_))));
    node.tuning = Tuning { pulse_after_ms: 60_000, ..Tuning::default() };
    node.start(world.now_ms, [1; 32]).unwrap();
}
