//! Stories of logs that have two histories, at nodes that only pass them on: everybody comes to hold both, and a peer that sends
//! what fits nowhere is asked once and then cut.

#![allow(clippy::unwrap_used, clippy::disallowed_macros, reason = "a test says its seed and stops where it fails")]

use stockroom_core::journal::{Journal, Log};
use stockroom_core::sync::frames::{Entries, Frame, Locate};
use stockroom_crdt::ids::{NodeId, StoreId};
use stockroom_crdt::money::Unit;
use stockroom_crdt::scope::Scope;
use stockroom_crdt::stock::policy::{Allocation, PolicyRule, Target};
use stockroom_sim::disk::Disk;
use stockroom_sim::oracle::figures;
use stockroom_sim::puppet::sale;
use stockroom_sim::world::{Sent, World};

const CLOUD: u32 = 1;

#[test]
fn hubs_that_hold_other_histories_of_a_stores_log_come_together() {
    // Seed 354 of all scenarios. A store and the hub above it are set back together, so that nobody there knows what the store sold
    // since, and the store goes on in the same epoch: the cloud holds one history of its log, the hub another. The hub went by
    // how far the cloud said to hold the log, sent what fitted nowhere, and was cut, for ever.
    let Chain { mut world, hub, store } = Chain::new(1);
    (1..=5).for_each(|n| sell(&mut world, store, n));
    world.run_ms(5_000);
    let (early_hub, early_store) = (image(&world, hub), image(&world, store));
    (6..=20).for_each(|n| sell(&mut world, store, n));
    world.run_ms(5_000);
    assert_eq!(sales(&world, CLOUD), 20);
    world.cut(hub, CLOUD);
    world.cut(store, hub);
    set_back(&mut world, store, &early_store);
    (21..=30).for_each(|n| sell(&mut world, store, n));
    world.run_ms(5_000);
    set_back(&mut world, hub, &(early_hub.0, None));
    assert_eq!(world.status(hub).epoch.0, 2, "its token is gone");
    world.connect(store, hub);
    world.run_ms(5_000);
    assert_eq!((sales(&world, hub), world.status(store).epoch.0), (15, 1), "nobody here knows of the others");
    world.connect(hub, CLOUD);
    let all = |world: &World| [CLOUD, hub, store].iter().all(|&id| sales(world, id) == 30);
    assert!(world.run_until(60_000, all), "{:?}", [CLOUD, hub, store].map(|id| sales(&world, id)));
    assert_eq!(world.status(store).epoch.0, 2, "its own signature told the store");
    assert_eq!([CLOUD, hub, store].map(|id| world.status(id).counters.peer_faults), [0, 0, 0]);
}

#[test]
fn a_shorter_history_is_not_taken_for_the_beginning_of_a_longer_one() {
    // As above, but what the hub holds is shorter than what the cloud said to hold: the hub sent nothing, and nobody noticed.
    let Chain { mut world, hub, store } = Chain::new(2);
    (1..=5).for_each(|n| sell(&mut world, store, n));
    world.run_ms(5_000);
    let (early_hub, early_store) = (image(&world, hub), image(&world, store));
    (6..=40).for_each(|n| sell(&mut world, store, n));
    world.run_ms(5_000);
    world.cut(hub, CLOUD);
    world.cut(store, hub);
    set_back(&mut world, store, &early_store);
    set_back(&mut world, hub, &(early_hub.0, None));
    sell(&mut world, store, 41);
    world.connect(store, hub);
    world.run_ms(5_000);
    world.connect(hub, CLOUD);
    let all = |world: &World| [CLOUD, hub, store].iter().all(|&id| sales(world, id) == 41);
    assert!(world.run_until(60_000, all), "{:?}", [CLOUD, hub, store].map(|id| sales(&world, id)));
}

#[test]
fn what_two_histories_share_without_a_seal_goes_with_the_seal_of_either() {
    // The author never signed the entry after which its histories part in the first of them, so the hub cannot pass it on from there.
    let Chain { mut world, hub, store } = Chain::new(3);
    world.cut(store, hub);
    world.crash(store);
    let log = world.scroll(store, 2, Scope::StoreStock(StoreId(1)));
    let common = (1..=3).fold(log, |log, n| log.with(sale(1, n, "TEA", 1)));
    let left = common.clone().with(sale(1, 4, "TEA", 1));
    let right = common.with(sale(1, 4, "TEA", 10)).with(sale(1, 5, "TEA", 10));
    let link = world.greeted(hub, store, &[]);
    world.tell(hub, link, vec![left.sealed(1, 3), left.unsealed(4, 5)]);
    world.run_ms(5_000);
    world.tell(hub, link, vec![right.sealed(5, 6)]);
    let two = |world: &World| sales(world, CLOUD) == 5;
    assert!(world.run_until(30_000, two), "three before, and two of the second history: {}", sales(&world, CLOUD));
    assert_eq!(sales(&world, hub), 6, "the hub has the author's own word for the other");
    world.tell(hub, link, vec![left.sealed(5, 5)]);
    assert!(world.run_until(30_000, |world| sales(world, CLOUD) == 6), "once it is signed it goes on, too");
    assert_eq!(world.status(CLOUD).counters.peer_faults, 0);
}

#[test]
fn who_sends_what_fits_nowhere_is_asked_once_and_cut_the_second_time() {
    let Chain { mut world, hub, store } = Chain::new(4);
    world.cut(store, hub);
    world.crash(store);
    let log = world.scroll(store, 2, Scope::StoreStock(StoreId(1)));
    let common = (1..=3).fold(log, |log, n| log.with(sale(1, n, "TEA", 1)));
    let left = common.clone().with(sale(1, 4, "TEA", 1)).with(sale(1, 5, "TEA", 1));
    let right = common.with(sale(1, 4, "TEA", 10)).with(sale(1, 5, "TEA", 10));
    world.recording = true;
    let (mark, link) = (world.closed.len(), world.greeted(hub, store, &[]));
    world.tell(hub, link, vec![left.all()]);
    world.run_ms(1_000);
    let acks = acks(&world, link.0);
    for _ in 0..10 {
        world.tell(hub, link, vec![right.sealed(6, 6)]);
        world.run_ms(1_000);
    }
    let located = |sent: &Sent| matches!(Frame::decode(&sent.bytes), Ok(Frame::Locate(_)));
    assert_eq!(world.sent_on(link).filter(|sent| located(sent)).count(), 1);
    assert_eq!(world.closed_since(mark), None, "it does not know yet");
    assert_eq!(self::acks(&world, link.0), acks, "and nothing is acknowledged until it does");
    world.say(hub, link, &Frame::Located(left.id.clone(), 4, None));
    world.tell(hub, link, vec![right.sealed(5, 6)]);
    world.run_ms(1_000);
    assert_eq!((world.closed_since(mark), sales(&world, hub)), (None, 7));
    assert!(self::acks(&world, link.0) > acks);
    let other = left.with(sale(1, 6, "TEA", 1)).with(sale(1, 7, "TEA", 1));
    let mut stray = other.sealed(8, 8);
    (stray.first, stray.before) = (7, [9; 8]);
    world.tell(hub, link, vec![stray]);
    assert!(world.closed_since(mark).unwrap().contains("unknown history"));
    let (mark, link) = (world.closed.len(), world.greeted(hub, store, &[]));
    world.say(hub, link, &Frame::Located(other.id, 1, None));
    assert!(world.closed_since(mark).is_some(), "an answer that nobody asked for");
}

#[test]
fn a_peer_asks_only_about_logs_that_it_follows_and_once_about_each() {
    let Chain { mut world, hub, store } = Chain::new(5);
    let stranger = world.enrol_at(hub, 2, "chain");
    sell(&mut world, store, 1);
    world.run_ms(5_000);
    let log = world.scroll(store, 1, Scope::StoreStock(StoreId(1))).id;
    let question = Frame::Locate(Locate { log, main: vec![(2, [0; 8])], others: Vec::new() });
    let (mark, link) = (world.closed.len(), world.greeted(hub, stranger, &[Scope::StoreStock(StoreId(1))]));
    world.say(hub, link, &question);
    assert!(world.closed_since(mark).is_some(), "another store's log is not for it");
    world.cut(hub, CLOUD);
    world.crash(CLOUD);
    let (mark, link) = (world.closed.len(), world.greeted(hub, CLOUD, &[Scope::StoreStock(StoreId(1))]));
    world.say(hub, link, &question);
    assert_eq!(world.closed_since(mark), None);
    world.say(hub, link, &question);
    assert!(world.closed_since(mark).is_some());
}

#[test]
fn a_store_that_was_set_back_gets_back_what_only_a_neighbour_had() {
    // Seed 155 of the restores. The hub was out of reach when the store sold, and the neighbour kept the sale to itself.
    println!("seed 6");
    let mut world = World::with_stores(6, 2);
    let (store, neighbour) = (2, 3);
    world.put_products(&[("TEA", Unit::Each)]);
    for id in [store, neighbour] {
        world.connect(id, CLOUD);
    }
    world.connect(store, neighbour);
    world.run_ms(5_000);
    let early = image(&world, store);
    world.cut(neighbour, CLOUD);
    world.cut(store, CLOUD);
    sell(&mut world, store, 1);
    world.run_ms(2_500);
    world.cut(store, neighbour);
    let token = world.nodes[&store].token.clone();
    set_back(&mut world, store, &(early.0, token));
    assert_eq!((world.status(store).epoch.0, sales(&world, store)), (2, 0));
    world.connect(store, neighbour);
    assert!(world.run_until(30_000, |world| sales(world, store) == 1), "the neighbour gives it back");
    world.connect(store, CLOUD);
    assert!(world.run_until(30_000, |world| sales(world, CLOUD) == 1));
    assert_eq!([CLOUD, store, neighbour].map(|id| world.status(id).counters.peer_faults), [0, 0, 0]);
}

#[test]
fn a_neighbour_does_not_keep_what_its_author_lost_before_it_signed_it() {
    // Seed 101900 of the restores. Whoever was set back takes unsigned entries of its own from its hub alone, so the neighbour had one
    // that nobody else ever got.
    println!("seed 8");
    let mut world = World::with_stores(8, 2);
    let (store, neighbour) = (2, 3);
    world.put_products(&[("TEA", Unit::Each)]);
    for id in [store, neighbour] {
        world.connect(id, CLOUD);
    }
    world.connect(store, neighbour);
    world.run_ms(5_000);
    world.cut(store, CLOUD);
    world.cut(neighbour, CLOUD);
    for n in 1..=40 {
        // Whatever it is that they wait for to be sent together or signed: one of these moments lies between the two.
        let early = image(&world, store);
        sell(&mut world, store, n);
        world.run_ms(n * 50);
        let token = world.nodes[&store].token.clone();
        set_back(&mut world, store, &(early.0, token));
        world.connect(store, neighbour);
        let alike = |world: &World| sales(world, store) == sales(world, neighbour);
        assert!(world.run_until(30_000, alike), "{n}: {:?}", [store, neighbour].map(|id| sales(&world, id)));
    }
    assert!((1..40).contains(&sales(&world, store)), "some were signed in time: {}", sales(&world, store));
    world.connect(store, CLOUD);
    world.connect(neighbour, CLOUD);
    world.run_ms(30_000);
    assert_eq!(sales(&world, CLOUD), sales(&world, store));
    assert_eq!([CLOUD, store, neighbour].map(|id| world.status(id).counters.peer_faults), [0, 0, 0]);
}

#[test]
fn a_cloud_that_was_set_back_gets_its_decrees_back_from_the_hub_below() {
    // Seed 100246 of the failovers: nobody told it, and it would have let a node in again that it had shut out.
    for lost in [true, false] {
        let Chain { mut world, hub, .. } = Chain::new(9);
        let early = image(&world, CLOUD);
        world.put_rule(PolicyRule::of(Target::All, Allocation::HubOnly));
        world.run_ms(5_000);
        let control = |world: &World, id: u32, by: u32| reach(world, id, by, &Scope::Control);
        let before = control(&world, hub, CLOUD);
        let token = if lost { None } else { world.nodes[&CLOUD].token.clone() };
        set_back(&mut world, CLOUD, &(early.0, token));
        assert!(control(&world, CLOUD, CLOUD) < before);
        world.connect(hub, CLOUD);
        let back = |world: &World| control(world, CLOUD, CLOUD) >= before;
        assert!(world.run_until(30_000, back), "{} of {before}", control(&world, CLOUD, CLOUD));
        assert_eq!(control(&world, CLOUD, hub), 0, "what a hub decreed is for those below it");
        assert_eq!([CLOUD, hub].map(|id| world.status(id).counters.peer_faults), [0, 0]);
    }
}

#[test]
fn a_hub_that_was_set_back_gets_by_parcel_what_a_store_takes_for_received() {
    // Seed 102533 of the restores with rights: the store went by what its hub had once acknowledged, and a whole log was left out for
    // ever. Also a store that has nothing new to say finds out.
    for sells in [true, false] {
        println!("seed 10, sells {sells}");
        let mut world = World::with_stores(10, 2);
        let (store, neighbour) = (2, 3);
        world.put_products(&[("TEA", Unit::Each)]);
        let early = image(&world, CLOUD);
        for id in [store, neighbour] {
            world.connect(id, CLOUD);
        }
        world.connect(store, neighbour);
        world.run_ms(5_000);
        (1..=4).for_each(|n| sell(&mut world, store, n));
        world.run_ms(5_000);
        assert_eq!(sales(&world, CLOUD), 4);
        world.cut(store, CLOUD);
        world.cut(neighbour, CLOUD);
        // In another epoch the store begins another log, which the hub can place without the one before it.
        let (disk, _) = image(&world, store);
        set_back(&mut world, store, &(disk, None));
        world.connect(store, neighbour);
        world.connect(neighbour, CLOUD);
        sell(&mut world, store, 5);
        assert!(world.run_until(60_000, |world| sales(world, CLOUD) == 5), "by parcel");
        world.run_ms(5_000);
        let token = world.nodes[&CLOUD].token.clone();
        set_back(&mut world, CLOUD, &(early.0, token));
        assert_eq!(sales(&world, CLOUD), 0);
        if sells {
            sell(&mut world, store, 6);
        }
        world.connect(neighbour, CLOUD);
        let all = if sells { 6 } else { 5 };
        assert!(world.run_until(5 * 60_000, |world| sales(world, CLOUD) == all), "{}", sales(&world, CLOUD));
        let asked = world.reached().contains_key("a parcel began behind what its addressee has");
        assert!(sells || asked, "what does not fit shows that something is lacking; nothing else does");
    }
}

#[test]
fn a_store_that_gets_back_entries_of_its_current_epoch_opens_another() {
    // Seed 243 of the restores. The hub's feed overtook its handshake: the store took its own lost entries in, held as much as the
    // hub when it was told how far that is, and went on in the same epoch.
    let Chain { mut world, hub, store } = Chain::new(7);
    let early = image(&world, store);
    world.recording = true;
    sell(&mut world, store, 1);
    world.run_ms(5_000);
    let stock = Scope::StoreStock(StoreId(1));
    let mut runs = Vec::new();
    for sent in world.sent.iter().filter(|sent| (sent.from, sent.to) == (hub, CLOUD)) {
        if let Ok(Frame::Entries(entries)) = Frame::decode(&sent.bytes) {
            runs.extend(entries.runs.into_iter().filter(|run| run.log.scope == stock && !run.items.is_empty()));
        }
    }
    assert!(!runs.is_empty());
    world.cut(store, hub);
    world.crash(hub);
    set_back(&mut world, store, &early);
    assert_eq!((world.status(store).epoch.0, sales(&world, store)), (1, 0));
    let link = world.puppet(store, hub, 1 << 20);
    let hello = world.hello(hub, &[]);
    world.say(store, link, &Frame::Hello(hello));
    world.say(
        store,
        link,
        &Frame::Entries(Entries { scope: stock, feed_epoch: 1, after: 0, to: 1, complete: true, runs }),
    );
    assert_eq!((world.status(store).epoch.0, sales(&world, store)), (2, 0));
    world.start(hub);
    world.connect(store, hub);
    assert!(
        world.run_until(30_000, |world| sales(world, store) == 1),
        "they come back as those of an epoch that is over"
    );
    assert_eq!(world.status(store).epoch.0, 2);
}

/// A cloud, a hub below it and a store below that, connected; the stock of the store's one product is sold.
struct Chain {
    world: World,
    hub: u32,
    store: u32,
}

impl Chain {
    fn new(seed: u64) -> Self {
        println!("seed {seed}");
        let mut world = World::new(seed);
        world.put_products(&[("TEA", Unit::Each)]);
        let hub = world.add_hub();
        world.start(hub);
        let store = world.enrol_at(hub, 1, "chain");
        world.start(store);
        world.connect(hub, CLOUD);
        world.connect(store, hub);
        world.run_ms(5_000);
        Self { world, hub, store }
    }
}

/// A disk and the token beside it.
type Image = (Disk, Option<Vec<u8>>);

fn image(world: &World, id: u32) -> Image {
    let node = &world.nodes[&id];
    (node.disk.image(), node.token.clone())
}

/// A node starts again from an image.
fn set_back(world: &mut World, id: u32, image: &Image) {
    world.crash(id);
    let node = world.nodes.get_mut(&id).unwrap();
    (node.disk, node.token) = (image.0.image(), image.1.clone());
    world.start(id);
}

fn sell(world: &mut World, store: u32, n: u64) {
    world.sell(store, 1, n, &[("TEA", 1)]).unwrap();
}

/// How far a node has what another wrote in a scope, in its first epoch.
fn reach(world: &World, id: u32, by: u32, scope: &Scope) -> u64 {
    let of = |log: &Log| log.id.actor.node == NodeId(by) && log.id.actor.epoch.0 == 1 && log.id.scope == *scope;
    let journal = Journal::load(world.tenant(), &*world.snapshot(id), usize::MAX).unwrap();
    journal.logs().filter(|(_, log)| of(log)).map(|(_, log)| log.head.seq).max().unwrap_or(0)
}

/// How many sales of the first store a node counts.
fn sales(world: &World, id: u32) -> u64 {
    figures(&*world.snapshot(id), StoreId(1)).1.iter().map(|day| day.receipts).sum()
}

/// How many acknowledgements were sent on a link.
fn acks(world: &World, link: u64) -> usize {
    let is_ack = |sent: &&Sent| sent.link == link && matches!(Frame::decode(&sent.bytes), Ok(Frame::Ack(_)));
    world.sent.iter().filter(is_ack).count()
}
