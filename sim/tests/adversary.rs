//! What an enrolled but hostile node says to a live core: forged authors, foreign scopes, altered and replayed entries. Each is
//! refused, the link is closed, and not a row is changed.

#![allow(clippy::unwrap_used, clippy::disallowed_macros, reason = "a test says its seed and stops where it fails")]

use stockroom_core::ingest::RunIn;
use stockroom_core::input::LinkId;
use stockroom_core::sync::frames::{CellsFrame, Entries, Frame, Hello};
use stockroom_crdt::batch::Item;
use stockroom_crdt::capability::{Capability, Role};
use stockroom_crdt::chain::LogId;
use stockroom_crdt::clock::Hlc;
use stockroom_crdt::control::StoreRecord;
use stockroom_crdt::entry::{Entry, Fact};
use stockroom_crdt::ids::{Actor, Code, NodeId, Sku, StoreId, TenantId};
use stockroom_crdt::money::{Currency, Unit};
use stockroom_crdt::product::{Product, Recall};
use stockroom_crdt::scope::Scope;
use stockroom_sim::node::Keys;
use stockroom_sim::oracle::{books, rows};
use stockroom_sim::puppet::{Scroll, sale};
use stockroom_sim::world::World;

const HUB: u32 = 1;
const VICTIM: u32 = 2;
const MALLORY: u32 = 3;

#[test]
fn an_honest_log_written_by_hand_is_taken() {
    let mut world = market(1);
    let link = world.greeted(HUB, MALLORY, &[]);
    let log = world.scroll(MALLORY, 2, stock(2)).with(sale(1, 1, "TEA", 3)).with(sale(1, 2, "TEA", 1));
    world.tell(HUB, link, vec![log.sealed(1, 2)]);
    world.tell(HUB, link, vec![log.unsealed(3, 3)]);
    assert_eq!(books(&*world.snapshot(HUB), StoreId(2)).stock["TEA/each"].0, -4, "its author may send it unsealed");
    let neighbour = world.greeted(VICTIM, MALLORY, &[]);
    world.tell(VICTIM, neighbour, vec![log.all()]);
    assert_eq!(books(&*world.snapshot(VICTIM), StoreId(2)).stock["TEA/each"].0, -4);
    assert_eq!(world.closed, []);
}

#[test]
fn a_log_in_the_name_of_another_is_refused() {
    let mut world = market(2);
    let (mallory, tenant) = (world.nodes[&MALLORY].keys.clone(), world.tenant());
    let hub_chain = world.nodes[&HUB].chain.clone();
    let own_chain = world.nodes[&MALLORY].chain.clone();
    let as_hub = LogId { actor: Actor::new(HUB, 9), scope: Scope::Control };
    let as_victim = LogId { actor: Actor::new(VICTIM, 9), scope: stock(2) };
    refused(&mut world, VICTIM, "the hub's chain, Mallory's signature", |_| {
        vec![Scroll::open(tenant, as_hub.clone(), &mallory, &hub_chain).with(store_record(2)).all()]
    });
    refused(&mut world, VICTIM, "the hub's name, Mallory's chain", |_| {
        vec![Scroll::open(tenant, as_hub.clone(), &mallory, &own_chain).with(store_record(2)).all()]
    });
    refused(&mut world, HUB, "the victim's name in Mallory's scope, with Mallory's chain", |_| {
        vec![Scroll::open(tenant, as_victim.clone(), &mallory, &own_chain).with(sale(1, 1, "TEA", 1)).all()]
    });
    refused(&mut world, HUB, "a log without an opening", |_| {
        let id = LogId { actor: Actor::new(MALLORY, 9), scope: stock(2) };
        vec![Scroll::blank(tenant, id, &mallory).with(sale(1, 1, "TEA", 1)).all()]
    });
    refused(&mut world, HUB, "an opening that does not continue the beginning of its log", |world| {
        let mut run = world.scroll(MALLORY, 9, stock(2)).with(sale(1, 1, "TEA", 1)).all();
        run.before = [9; 8];
        vec![run]
    });
    refused(&mut world, HUB, "an opening that nobody signed", |world| {
        vec![world.scroll(MALLORY, 9, stock(2)).with(sale(1, 1, "TEA", 1)).unsealed(1, 2)]
    });
}

#[test]
fn a_self_made_capability_is_refused() {
    let mut world = market(3);
    let (keys, tenant) = (Keys::derive(666, 1), world.tenant());
    let chain = world.nodes[&MALLORY].chain.clone();
    let mallory = world.nodes[&MALLORY].keys.clone();
    let hub = |node: u32, issuer: u32| Capability {
        node: NodeId(node),
        role: Role::Hub,
        store: StoreId(0),
        log_key: keys.signer().public(),
        seal_key: keys.seal_key(),
        range_first: 1,
        range_last: 9_999,
        issued_ms: 0,
        issuer: NodeId(issuer),
        signature: [0; 64],
    };
    let id = |node| LogId { actor: Actor::new(node, 1), scope: Scope::Control };
    let rootless = vec![hub(66, 0).sign(tenant, &keys.signer())];
    refused(&mut world, VICTIM, "a hub that named itself", |_| {
        vec![Scroll::open(tenant, id(66), &keys, &rootless).all()]
    });
    let grown = [chain.clone(), vec![hub(67, MALLORY).sign(tenant, &mallory.signer())]].concat();
    refused(&mut world, VICTIM, "a hub that a store named", |_| {
        vec![Scroll::open(tenant, id(67), &keys, &grown).all()]
    });
    let mut promoted = chain.clone();
    promoted[1] = Capability { role: Role::Hub, store: StoreId(0), ..promoted[1].clone() };
    refused(&mut world, VICTIM, "a store that calls itself a hub", |_| {
        vec![Scroll::open(tenant, id(MALLORY), &mallory, &promoted).all()]
    });
    refused(&mut world, VICTIM, "an empty chain", |_| vec![Scroll::open(tenant, id(66), &keys, &[]).all()]);
}

#[test]
fn a_log_of_another_tenant_is_refused() {
    let mut world = market(4);
    let other = World::with_stores(44, 2);
    let (keys, chain) = (other.nodes[&MALLORY].keys.clone(), other.nodes[&MALLORY].chain.clone());
    let id = LogId { actor: Actor::new(MALLORY, 9), scope: stock(2) };
    for tenant in [other.tenant(), world.tenant()] {
        refused(&mut world, HUB, "a log of another tenant", |_| {
            vec![Scroll::open(tenant, id.clone(), &keys, &chain).with(sale(1, 1, "TEA", 1)).all()]
        });
    }
    let own_keys = world.nodes[&MALLORY].keys.clone();
    let own_chain = world.nodes[&MALLORY].chain.clone();
    refused(&mut world, HUB, "a log that was begun for another tenant", |_| {
        vec![Scroll::open(TenantId([1; 16]), id.clone(), &own_keys, &own_chain).with(sale(1, 1, "TEA", 1)).all()]
    });
}

#[test]
fn a_store_writes_nowhere_but_in_its_own_scopes() {
    let mut world = market(5);
    let elsewhere = [
        stock(1),
        Scope::StoreRights(StoreId(9)),
        Scope::Control,
        Scope::Catalog,
        Scope::Prices(Code::parse("default").unwrap()),
        Scope::StoreMembers(StoreId(0)),
        Scope::StoreOrders(StoreId(1)),
        Scope::Orders(1),
        Scope::Orders(MALLORY),
        Scope::StoreHistory(StoreId(2)),
    ];
    for scope in elsewhere {
        for target in [HUB, VICTIM] {
            refused(&mut world, target, &format!("{scope:?}"), |world| {
                vec![world.scroll(MALLORY, 9, scope.clone()).with(sale(1, 1, "TEA", 1)).all()]
            });
        }
    }
}

#[test]
fn a_third_party_must_bring_a_signature() {
    let mut world = market(6);
    let log = world.scroll(HUB, 2, Scope::Control).with(store_record(7)).with(store_record(8));
    let link = world.greeted(VICTIM, MALLORY, &[]);
    world.tell(VICTIM, link, vec![log.sealed(1, 2)]);
    assert_eq!(world.closed, [], "what the hub signed may come from anybody");
    refused(&mut world, VICTIM, "one more entry without a seal", |_| vec![log.unsealed(3, 3)]);
    refused(&mut world, VICTIM, "one more entry under an old seal", |_| {
        vec![RunIn { seal: log.sealed(1, 2).seal, ..log.unsealed(3, 3) }]
    });
}

#[test]
fn an_altered_entry_is_refused() {
    let mut world = market(7);
    let honest = world.scroll(MALLORY, 9, stock(2)).with(sale(1, 1, "TEA", 3)).with(sale(1, 2, "TEA", 1));
    let other = world.scroll(MALLORY, 9, stock(2)).with(sale(1, 1, "TEA", 4)).with(sale(1, 2, "TEA", 1));
    refused(&mut world, HUB, "an entry that was exchanged under its seal", |_| {
        vec![RunIn { items: other.unsealed(1, 3).items, ..honest.all() }]
    });
    refused(&mut world, HUB, "an entry that was left out", |_| {
        let mut run = honest.all();
        run.items.remove(1);
        vec![run]
    });
    refused(&mut world, HUB, "two entries in the other order", |_| {
        let mut run = honest.all();
        run.items.swap(1, 2);
        vec![run]
    });
    refused(&mut world, HUB, "a position that cannot be", |_| vec![RunIn { first: 0, ..honest.all() }]);
    refused(&mut world, HUB, "a position beyond all logs", |_| vec![RunIn { first: u64::MAX, ..honest.all() }]);
}

#[test]
fn a_replayed_session_changes_nothing() {
    let mut world = market(8);
    world.start(MALLORY);
    world.recording = true;
    world.connect(MALLORY, HUB);
    for n in 1..=20 {
        world.sell(MALLORY, 1, 100 + n, &[("TEA", 1)]).unwrap();
        world.run_ms(700);
    }
    world.run_ms(5_000);
    world.recording = false;
    let session: Vec<_> = world.sent.iter().filter(|s| s.from == MALLORY).map(|s| s.bytes.clone()).collect();
    assert!(session.len() > 20);
    world.crash(MALLORY);
    let before = rows(&*world.snapshot(HUB));
    for _ in 0..2 {
        let link = world.puppet(HUB, MALLORY, 1 << 20);
        session.iter().for_each(|frame| world.inject(HUB, link, frame.clone()));
        world.run_ms(1_000);
        assert!(rows(&*world.snapshot(HUB)) == before, "a replay changes nothing");
        world.hang_up(link);
    }
}

#[test]
fn newest_values_are_believed_from_the_hub_above_only() {
    let mut world = market(9);
    world.crash(HUB);
    let item = |fact| Item::new(Entry { hlc: Hlc::new(1, 0), fact });
    let product = item(Fact::Product(Product {
        sku: Sku::parse("FORGED").unwrap(),
        name: "Forged".into(),
        unit: Unit::Each,
        barcodes: Vec::new(),
        item_number: 0,
        tax_code: Code::default(),
        department: Code::default(),
        owner: Code::default(),
        age_min: 0,
        excluded: 0,
        discontinued: false,
    }));
    let (hub, mallory) = (world.nodes[&HUB].keys.clone(), world.nodes[&MALLORY].keys.clone());
    let tenant = world.tenant();
    let cells = |scope: Scope, item: &Item, keys: &Keys| {
        let (stamps, items) = (vec![(Actor::new(HUB, 1), 1_000)], vec![item.clone()]);
        let mut frame = CellsFrame { scope, feed_epoch: 1, to: 1_000, stamps, items, signature: [0; 64] };
        frame.signature = keys.signer().sign(&frame.message(tenant));
        Frame::Cells(frame)
    };
    let recall = Recall {
        sku: Sku::parse("TEA").unwrap(),
        lot: Code::default(),
        active: true,
        reason: Code::parse("glass").unwrap(),
    };
    let forged = cells(Scope::Catalog, &product, &mallory);
    refused_frame(&mut world, (VICTIM, HUB), "values under another's signature", &forged);
    let real = cells(Scope::Catalog, &product, &hub);
    refused_frame(&mut world, (VICTIM, MALLORY), "the hub's values from a neighbour", &real);
    let misplaced = cells(Scope::Catalog, &item(sale(1, 1, "TEA", 1)), &hub);
    refused_frame(&mut world, (VICTIM, HUB), "a sale as a value of the catalogue", &misplaced);
    let unasked = cells(Scope::Prices(Code::parse("north").unwrap()), &item(Fact::Recall(recall)), &hub);
    refused_frame(&mut world, (VICTIM, HUB), "values of a scope that nobody asked for", &unasked);
    let Frame::Cells(mut tampered) = real.clone() else { unreachable!() };
    tampered.stamps[0].1 += 1;
    refused_frame(&mut world, (VICTIM, HUB), "a value at another position", &Frame::Cells(tampered));
    let link = world.greeted(VICTIM, HUB, &[]);
    world.say(VICTIM, link, &real);
    let view = world.snapshot(VICTIM);
    assert!(stockroom_core::view::View::new(&*view).product(&Sku::parse("FORGED").unwrap()).unwrap().is_some());
}

#[test]
fn a_handshake_of_somebody_else_is_refused() {
    let mut world = market(10);
    let good = world.hello(MALLORY, &[]);
    let bad = [
        Hello { node: NodeId(VICTIM), ..good.clone() },
        Hello { tenant: TenantId([0; 16]), ..good.clone() },
        Hello { protocol: 2, ..good.clone() },
    ];
    for hello in bad {
        let (before, mark) = (rows(&*world.snapshot(HUB)), world.closed.len());
        let link = world.puppet(HUB, MALLORY, 1 << 20);
        world.say(HUB, link, &Frame::Hello(hello.clone()));
        assert!(world.closed_since(mark).is_some(), "{hello:?}");
        assert_eq!(rows(&*world.snapshot(HUB)), before);
    }
    let mark = world.closed.len();
    let link = world.puppet(HUB, MALLORY, 1 << 20);
    world.say(HUB, link, &Frame::Held(Vec::new()));
    assert!(world.closed_since(mark).unwrap().contains("before the handshake"));
    let (mark, link) = (world.closed.len(), world.greeted(HUB, MALLORY, &[]));
    world.say(HUB, link, &Frame::Hello(good));
    assert!(world.closed_since(mark).is_some(), "one handshake per link");
}

/// Says runs to a node as Mallory; they must be refused without a trace.
fn refused(world: &mut World, target: u32, what: &str, runs: impl FnOnce(&World) -> Vec<RunIn>) {
    let runs = runs(world);
    let scope = runs[0].log.scope.clone();
    let frame = Frame::Entries(Entries { scope, feed_epoch: 1, after: 0, to: 1, complete: true, runs });
    refused_frame(world, (target, MALLORY), what, &frame);
}

fn refused_frame(world: &mut World, (target, who): (u32, u32), what: &str, frame: &Frame) {
    let link: LinkId = world.greeted(target, who, &[]);
    let (before, mark) = (rows(&*world.snapshot(target)), world.closed.len());
    world.say(target, link, frame);
    assert!(world.closed_since(mark).is_some(), "{what}: the link stays open");
    let after = rows(&*world.snapshot(target));
    let changed: Vec<_> = after.iter().filter(|(key, value)| before.get(*key) != Some(value)).map(|(k, _)| k).collect();
    assert!(after == before, "{what}: rows changed: {changed:?}");
}

fn store_record(store: u32) -> Fact {
    let code = |text: &str| Code::parse(text).unwrap();
    Fact::Store(StoreRecord {
        store: StoreId(store),
        name: "Pirate".into(),
        book: code("default"),
        group: code("chain"),
        entity: Code::default(),
        currency: Currency::parse("EUR").unwrap(),
        zone: code("UTC"),
        rollover_min: 0,
        home: NodeId(MALLORY),
        term: 99,
        coordinates: None,
    })
}

fn stock(store: u32) -> Scope {
    Scope::StoreStock(StoreId(store))
}

/// A hub and two stores of one group that know each other; the second store's node is down, and Mallory has its keys.
fn market(seed: u64) -> World {
    println!("seed {seed}");
    let mut world = World::with_stores(seed, 2);
    world.put_products(&[("TEA", Unit::Each)]);
    for (a, b) in [(2, 1), (3, 1), (2, 3)] {
        world.connect(a, b);
    }
    world.run_ms(3_000);
    world.sell(VICTIM, 1, 1, &[("TEA", 5)]).unwrap();
    world.sell(MALLORY, 1, 1, &[("TEA", 0)]).unwrap_err();
    world.run_ms(3_000);
    world.crash(MALLORY);
    world.run_ms(1_000);
    world.closed.clear();
    world
}
