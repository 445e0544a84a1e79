//! Who may write what where: every writer in every area with every kind of fact, through a real core. What is allowed has an effect;
//! what is denied in a log that its author may have is kept and passed on without one; a log that it may not have is refused.

#![allow(clippy::unwrap_used, clippy::disallowed_macros, reason = "a test says its seed and stops where it fails")]

use stockroom_core::authority::{Area, Writer, area, may_open, may_write};
use stockroom_core::input::{Event, LinkId};
use stockroom_core::journal::Place;
use stockroom_core::sync::frames::{CellsFrame, Frame};
use stockroom_crdt::batch::Item;
use stockroom_crdt::capability::{Capability, Role};
use stockroom_crdt::clock::Hlc;
use stockroom_crdt::control::{Boot, EpochOpen, EpochReason, Fence, NodeRecord, StoreRecord};
use stockroom_crdt::count::{CountClose, CountOpen, CountScan, Sheet};
use stockroom_crdt::day::{DayClose, DayOpen};
use stockroom_crdt::entry::{Entry, Fact, Opaque, kind};
use stockroom_crdt::fork::{Branch, ForkProof};
use stockroom_crdt::gtin::{Embedded, Template};
use stockroom_crdt::ids::{Actor, Code, Digest, NodeId, Sku, StoreId, TillId};
use stockroom_crdt::money::{Currency, Unit};
use stockroom_crdt::order::header::{Order, OrderLine, Payment, Preference};
use stockroom_crdt::order::intent::{OrderStep, Saying};
use stockroom_crdt::order::offer::{Offer, OfferLine, code_hash, phone_hash};
use stockroom_crdt::order::pass::Pass;
use stockroom_crdt::order::redress::Redress;
use stockroom_crdt::order::returns::{GoodsReturn, Origin, Refund, ReturnGrant, ReturnId, ReturnLine, Verdict};
use stockroom_crdt::order::rules::RoutingRules;
use stockroom_crdt::order::rules::hours::StoreService;
use stockroom_crdt::order::rules::limits::OrderLimits;
use stockroom_crdt::order::step::{FulfillmentStep, Step as Fulfil};
use stockroom_crdt::order::{LineUnits, OrderId};
use stockroom_crdt::price::Price;
use stockroom_crdt::product::{Channel, Product, Recall};
use stockroom_crdt::receiving::{Adjustment, Decision, Disposition, GoodsReceipt};
use stockroom_crdt::sale::ReceiptNumber;
use stockroom_crdt::scope::Scope;
use stockroom_crdt::stock::custody::{Consent, Hint, Retire, Want, Why};
use stockroom_crdt::stock::policy::{Allocation, PolicyRule, Target};
use stockroom_crdt::stock::promise::{Claim, GoodsIssue, Promise, PromiseId, PromiseStep, Step};
use stockroom_crdt::stock::rights::{Account, Class, RightsFact, RightsRow};
use stockroom_crdt::stock::shortage::{Compensation, Remedy, Shortage};
use stockroom_crdt::transfer::{TransferAsk, TransferId, TransferReceive, TransferShip};
use stockroom_sim::oracle::rows;
use stockroom_sim::puppet::sale;
use stockroom_sim::world::World;

const HUB: u32 = 1;
const STORE: u32 = 2;
const MALLORY: u32 = 3;
const THIRD: u32 = 4;

const WRITERS: [Writer; 3] = [Writer::Hub, Writer::OwnStore, Writer::OtherStore];

/// The table once more, in other words: written by hand from the design, not from the code.
fn design(writer: Writer, area: Area) -> &'static [u16] {
    match (writer, area) {
        (Writer::Hub, Area::Control) => &[1, 2, 10, 11, 12, 13, 14, 67, 68, 69],
        (Writer::Hub, Area::Catalog) => &[1, 20, 21, 23],
        (Writer::Hub, Area::Prices) => &[1, 22],
        (Writer::Hub, Area::StoreRights) => &[1, 40, 41, 42, 43, 44, 46, 47],
        (Writer::OwnStore, Area::StoreRights) => &[1, 2, 40, 41, 42, 43, 44, 45, 46, 48, 66],
        (Writer::OtherStore, Area::StoreRights) => &[1, 40, 41, 42, 43, 44, 46],
        (Writer::OwnStore, Area::StoreStock) => &[1, 30, 31, 32, 33, 34, 35, 36, 49, 50, 51, 52, 53, 54, 70],
        (Writer::Hub, Area::Orders) => &[1, 60, 63, 64, 65],
        (Writer::Hub, Area::StoreOrders) => &[1, 61, 62, 63, 70, 71],
        (Writer::OwnStore, Area::StoreOrders) => &[1, 60, 61, 62, 63, 64, 65, 71],
        _ => &[],
    }
}

#[test]
fn the_table_says_what_the_design_says_in_every_cell() {
    for writer in WRITERS {
        for scope in scopes(1) {
            for kind in (0..300).chain([u16::MAX]) {
                let allowed = design(writer, area(&scope)).contains(&kind);
                assert_eq!(may_write(writer, area(&scope), kind), allowed, "{writer:?} {scope:?} {kind}");
            }
            assert_eq!(may_open(writer, area(&scope)), !design(writer, area(&scope)).is_empty());
        }
    }
}

#[test]
fn every_cell_holds_in_logs_that_a_real_core_takes_in() {
    println!("seeds 1..");
    let (mut effects, mut denied, mut refused) = (0, 0, 0);
    for (seed, writer) in (1..).zip(WRITERS) {
        let mut world = chain(seed);
        // Who brings the log to whom: its author over its own link, or, for a third store, the neighbour.
        let (target, via, author, store) = match writer {
            Writer::Hub => (STORE, HUB, HUB, 1),
            Writer::OwnStore => (HUB, MALLORY, MALLORY, 2),
            Writer::OtherStore => (STORE, MALLORY, THIRD, 2),
        };
        if via == HUB {
            world.crash(HUB);
        }
        let mut epoch = 10;
        for scope in scopes(store) {
            for number in 0..kind::ALL.len() {
                epoch += 1;
                let fact = facts(&world, Actor::new(author, epoch), store).swap_remove(number);
                let (kind, what) = (fact.kind(), format!("{writer:?} in {scope:?} writes {}", fact.kind()));
                let log = world.scroll(author, epoch, scope.clone()).with(fact);
                let (before, told, mark) = (rows(&*world.snapshot(target)), world.events.len(), world.closed.len());
                let link = world.greeted(target, via, &[]);
                world.tell(target, link, vec![log.all()]);
                let told = &world.events[told..];
                // What follows from it is written by the core itself, and may be of the same kind.
                let item = |place: &Place| stockroom_core::journal::entry_at(&*world.snapshot(target), *place).unwrap();
                let ours = |place: &Place| item(place).is_some_and(|item| item.bytes == log.items[1].bytes);
                let effect = told
                    .iter()
                    .any(|(_, _, e)| matches!(e, Event::Entry { kind: k, place, .. } if *k == kind && ours(place)));
                // Orders as their hub keeps them are between hubs only.
                let between_hubs = matches!(scope, Scope::Orders(_));
                let opened = may_open(writer, area(&scope)) && !scope.is_shared() && !between_hubs;
                if !opened {
                    assert!(world.closed_since(mark).is_some(), "{what}: the log is not refused");
                    assert_eq!(rows(&*world.snapshot(target)), before, "{what}: something was kept");
                    refused += 1;
                } else {
                    assert_eq!(world.closed_since(mark), None, "{what}");
                    assert!(holds(&world, target, &log.items[1]), "{what}: not kept");
                    let allowed = design(writer, area(&scope)).contains(&kind);
                    assert_eq!(effect, allowed && kind != kind::EPOCH_OPEN, "{what}");
                    (effects, denied) = (effects + u64::from(allowed), denied + u64::from(!allowed));
                }
                world.hang_up(link);
            }
        }
    }
    println!("{effects} with effect, {denied} kept without, {refused} refused");
    assert_eq!((effects, denied, refused), (10 + 8 + 11 + 7 + 6 + 8 + 15, 7 * 45 - 65, 23 * 45));
}

#[test]
fn every_cell_holds_in_values_that_the_hub_hands_down() {
    for (scope, allowed) in [(Scope::Catalog, &[20, 21, 23][..]), (prices(), &[22])] {
        let mut world = chain(7);
        world.crash(HUB);
        for fact in facts(&world, Actor::new(HUB, 1), 1) {
            let (kind, mark, link) = (fact.kind(), world.closed.len(), world.greeted(STORE, HUB, &[]));
            let before = rows(&*world.snapshot(STORE));
            hand_down(&mut world, link, &scope, fact);
            assert_eq!(world.closed_since(mark).is_none(), allowed.contains(&kind), "{scope:?} {kind}");
            assert_eq!(rows(&*world.snapshot(STORE)) != before, allowed.contains(&kind), "{scope:?} {kind}");
            world.hang_up(link);
        }
    }
}

#[test]
fn facts_that_carry_signatures_are_believed_only_if_those_hold() {
    let mut world = chain(8);
    world.crash(HUB);
    let of_hub = Actor::new(HUB, 20);
    let (mut nodes, mut forks) = (facts(&world, of_hub, 1), facts(&world, of_hub, 1));
    let Fact::Node(node) = &mut nodes[2] else { panic!("the third is a node") };
    node.capability.log_key[0] ^= 1;
    let Fact::Fork(fork) = &mut forks[5] else { panic!("the sixth is a fork") };
    fork.right = fork.left.clone();
    for (epoch, fact) in (20..).zip([nodes.swap_remove(2), forks.swap_remove(5)]) {
        let (kind, told) = (fact.kind(), world.events.len());
        let link = world.greeted(STORE, HUB, &[]);
        let log = world.scroll(HUB, epoch, Scope::Control).with(fact);
        world.tell(STORE, link, vec![log.all()]);
        assert!(holds(&world, STORE, &log.items[1]));
        let effect = |e: &Event| matches!(e, Event::Entry { kind: k, .. } if *k == kind);
        assert!(!world.events[told..].iter().any(|(_, _, event)| effect(event)), "kind {kind}");
    }
}

#[test]
fn an_unknown_kind_is_kept_and_passed_on_byte_for_byte_and_a_critical_one_raises_the_alarm() {
    for critical in [false, true] {
        let mut world = chain(9);
        world.crash(HUB);
        world.connect(STORE, MALLORY);
        world.run_ms(1_000);
        let told = world.events.len();
        let link = world.greeted(STORE, HUB, &[]);
        let opaque = Fact::Opaque(Opaque { kind: 9_999, critical, body: b"from the future".to_vec() });
        let denied = sale(1, 1, "TEA", 1);
        let log = world.scroll(HUB, 9, Scope::Control).with(opaque).with(denied).with(store_record());
        world.tell(STORE, link, vec![log.all()]);
        world.run_ms(5_000);
        for id in [STORE, MALLORY] {
            for item in &log.items {
                assert!(holds(&world, id, item), "node {id} passes on what it cannot use");
            }
            let events = || world.events[told..].iter().filter(|(_, node, _)| *node == id).map(|(_, _, event)| event);
            let kinds: Vec<_> =
                events().filter_map(|e| if let Event::Entry { kind, .. } = e { Some(*kind) } else { None }).collect();
            assert_eq!(kinds, [kind::STORE], "node {id}: only what is allowed had an effect");
            let alarmed =
                events().any(|event| matches!(event, Event::Alarm(text) if text.contains("unknown kind 9999")));
            assert_eq!(alarmed, critical, "node {id}");
        }
        world.crash(MALLORY);
        world.start(MALLORY);
        assert!(log.items.iter().all(|item| holds(&world, MALLORY, item)));
    }
}

/// The entry stands in some log of the node, byte for byte.
fn holds(world: &World, id: u32, item: &Item) -> bool {
    let snapshot = world.snapshot(id);
    let logs = 1..=2_000;
    logs.into_iter().map(stockroom_core::journal::LogNumber).any(|log| {
        (1..=4).any(|seq| {
            let held = stockroom_core::journal::entry_at(&*snapshot, Place { log, seq }).unwrap();
            held.is_some_and(|held| held.bytes == item.bytes)
        })
    })
}

fn hand_down(world: &mut World, link: LinkId, scope: &Scope, fact: Fact) {
    let items = vec![Item::new(Entry { hlc: Hlc::new(1, 0), fact })];
    let stamps = vec![(Actor::new(HUB, 1), 5_000)];
    let mut frame = CellsFrame { scope: scope.clone(), feed_epoch: 1, to: 1, stamps, items, signature: [0; 64] };
    frame.signature = world.nodes[&HUB].keys.signer().sign(&frame.message(world.tenant()));
    world.say(STORE, link, &Frame::Cells(frame));
}

/// One scope of every area.
fn scopes(store: u32) -> [Scope; 10] {
    let s = StoreId(store);
    [
        Scope::Control,
        Scope::StoreRights(s),
        Scope::StoreOrders(s),
        Scope::StoreStock(s),
        Scope::StoreHistory(s),
        Scope::Members(1),
        prices(),
        Scope::Campaign(1),
        Scope::Catalog,
        Scope::Orders(1),
    ]
}

fn prices() -> Scope {
    Scope::Prices(Code::parse("default").unwrap())
}

/// One true fact of every kind, in the order of their numbers, as an actor would say it about a store.
fn facts(world: &World, by: Actor, store: u32) -> Vec<Fact> {
    let (code, sku, each) = (Code::default(), Sku::parse("TEA").unwrap(), Unit::Each);
    let chain = world.nodes[&HUB].chain.clone();
    let capability = Capability {
        node: NodeId(77),
        role: Role::Store,
        store: StoreId(9),
        log_key: [1; 32],
        seal_key: [2; 32],
        range_first: 0,
        range_last: 0,
        issued_ms: 0,
        issuer: NodeId(HUB),
        signature: [0; 64],
    }
    .sign(world.tenant(), &world.nodes[&HUB].keys.signer());
    let product = Product {
        sku: sku.clone(),
        name: "Tea".into(),
        unit: each,
        barcodes: Vec::new(),
        item_number: 7,
        tax_code: code.clone(),
        department: code.clone(),
        owner: code.clone(),
        age_min: 0,
        excluded: 0,
        discontinued: false,
    };
    let scan = CountScan {
        session: 1,
        zone: code.clone(),
        sku: sku.clone(),
        unit: each,
        quantity: 1,
        settles: false,
        staff: code.clone(),
    };
    let adjustment = Adjustment {
        sku: sku.clone(),
        unit: each,
        delta: 1,
        reason: code.clone(),
        lot: Code::default(),
        staff: code.clone(),
    };
    let (id, other) = (TransferId { store: StoreId(1), number: 1 }, StoreId(2));
    let decision = Decision {
        sku: sku.clone(),
        unit: each,
        quantity: 1,
        resale: true,
        reason: code.clone(),
        lot: Code::default(),
        staff: code.clone(),
    };
    let (staff, lines) = (code.clone(), Vec::new());
    let ask = TransferAsk { id, from: other, due_ms: 0, staff, reason: code.clone(), lines };
    let (staff, lines) = (code.clone(), Vec::new());
    let ship = TransferShip { id, to: other, due_ms: 0, staff, approver: code.clone(), lines };
    let (staff, lines, differences) = (code.clone(), Vec::new(), Vec::new());
    let receive = TransferReceive { id, from: other, seen: true, staff, lines, differences };
    let open = CountOpen { session: 2, sheet: Sheet::Listed, blind: false, staff: code.clone(), lines: Vec::new() };
    let facts = vec![
        Fact::EpochOpen(EpochOpen { nonce: [3; 16], reason: EpochReason::First, previous: None, chain }),
        Fact::Boot(Boot { boot: 1, version: code.clone() }),
        Fact::Node(NodeRecord { capability, token: Digest([0; 32]) }),
        Fact::Fence(Fence { node: NodeId(77), cuts: Vec::new(), reason: code.clone() }),
        store_record(),
        Fact::Fork(fork(world)),
        Fact::Product(product),
        Fact::Recall(Recall { sku: sku.clone(), lot: code.clone(), active: true, reason: code.clone() }),
        Fact::Price(Price {
            book: Code::parse("default").unwrap(),
            sku,
            from_ms: 0,
            minor: Some(1),
            currency: Currency::parse("EUR").unwrap(),
        }),
        Fact::Template(Template { prefix: 21, item_digits: 5, embedded: Embedded::Weight, scale: 0 }),
        Fact::GoodsReceipt(GoodsReceipt { document: code.clone(), staff: code.clone(), lines: Vec::new() }),
        sale(1, 1, "TEA", 1),
        Fact::CountScan(scan),
        Fact::CountClose(CountClose { session: 1, staff: code.clone(), others: Vec::new(), lines: Vec::new() }),
        Fact::DayOpen(DayOpen { number: 1, date: 1, staff: code.clone() }),
        Fact::DayClose(DayClose { number: 1, staff: code.clone() }),
        Fact::Adjustment(adjustment),
        Fact::Decision(decision),
        Fact::TransferAsk(ask),
        Fact::TransferShip(ship),
        Fact::TransferReceive(receive),
        Fact::CountOpen(open),
    ];
    let mut facts = [facts, promising(by, store), ordering(world, by, store)].concat();
    let place = |fact: &Fact| kind::ALL.iter().position(|kind| *kind == fact.kind());
    facts.sort_by_key(place);
    assert_eq!(facts.iter().map(Fact::kind).collect::<Vec<_>>(), kind::ALL, "one of every kind");
    facts
}

/// Facts about promising, by one who makes no rights.
fn promising(by: Actor, store: u32) -> Vec<Fact> {
    let code = Code::default;
    let account = Account { store: StoreId(store), sku: Sku::parse("TEA").unwrap(), unit: Unit::Each };
    let id = PromiseId { issuer: by, number: 5 };
    let class = Class::Goods;
    let promise = Promise {
        id,
        account: account.clone(),
        quantity: 1,
        claim: Claim::Hard,
        channel: Channel::Pickup,
        priority: 1,
        until_ms: u64::from(u32::MAX) * 4_096,
        wanted_ms: 0,
        reference: code(),
        replaces: None,
    };
    let (number, quantity) = (1, 1);
    let want = Want { account: account.clone(), class, of: NodeId(77), number, quantity, why: Why::Miss };
    let hint = Hint { account: account.clone(), class, to: Actor::new(77, 1), number, richest: NodeId(0), held: 0 };
    let victims = vec![(PromiseId { issuer: Actor::new(77, 1), number: 9 }, 1)];
    let consent = Consent { sku: None, owner: Code::parse("brand").unwrap(), share_ppm: 1, document: code() };
    vec![
        Fact::PolicyRule(PolicyRule::of(Target::All, Allocation::HubOnly)),
        Fact::Rights(RightsFact {
            account: account.clone(),
            class,
            by,
            row: RightsRow { burned: 1, ..RightsRow::default() },
        }),
        Fact::Promise(promise),
        Fact::PromiseStep(PromiseStep { promise: id, step: Step::Confirm, found: 0, note: code(), staff: code() }),
        Fact::Want(want),
        Fact::Hint(hint),
        Fact::Shortage(Shortage { account: account.clone(), on_hand: 0, cause: code(), victims }),
        Fact::Compensation(Compensation { id: [1; 16], promise: id, remedy: Remedy::Refund }),
        Fact::Retire(Retire { actor: Actor::new(77, 1), reason: code(), staff: code(), risk: 0 }),
        Fact::Consent(consent),
        Fact::GoodsIssue(GoodsIssue { promise: id, account, quantity: 1, staff: code() }),
    ]
}

/// Facts about an order of the author's own.
fn ordering(world: &World, by: Actor, store: u32) -> Vec<Fact> {
    let (code, each, euros) = (Code::default, Unit::Each, Currency::parse("EUR").unwrap());
    let order = OrderId { home: by.node, number: 1 };
    let lines = || vec![LineUnits { line: 0, quantity: 1 }];
    let line = OfferLine {
        line: 0,
        sku: Sku::parse("TEA").unwrap(),
        unit: each,
        quantity: 1,
        unit_price: 1,
        age_min: 0,
        preference: Preference::Partial,
        tolerance_percent: 0,
    };
    let header = Order {
        id: order,
        channel: Channel::Pickup,
        source: code(),
        reference: code(),
        entity: code(),
        currency: euros,
        placed_ms: 1,
        due_ms: 0,
        release_ms: 0,
        priority: 1,
        place: None,
        contact: Vec::new(),
        phone: phone_hash(order, "1234"),
        lines: vec![OrderLine {
            sku: line.sku.clone(),
            unit: each,
            quantity: 1,
            unit_price: 1,
            age_min: 0,
            preference: Preference::Partial,
            tolerance_percent: 0,
        }],
    };
    let offer = Offer {
        order,
        generation: 1,
        issuer: by,
        channel: Channel::Pickup,
        speculative: false,
        entity: code(),
        currency: euros,
        due_ms: 0,
        accept_within_ms: 1,
        release_ms: 0,
        hold_ms: 1,
        code: code_hash(order, "123456"),
        phone: header.phone,
        contact: Vec::new(),
        lines: vec![line.clone()],
    };
    let pass = Pass {
        store: StoreId(store),
        order: OrderId { home: NodeId(HUB), number: 1 },
        generation: 1,
        issuer: Actor::new(HUB, 1),
        channel: Channel::Pickup,
        entity: code(),
        currency: euros,
        due_ms: 0,
        issued_ms: 1,
        until_ms: 2,
        delegate: code(),
        lines: vec![line],
    };
    let id = ReturnId { store: StoreId(store), number: 1 };
    let receipt = ReceiptNumber { till: TillId(1), series: 1, sequence: 1 };
    let returned = GoodsReturn {
        id,
        origin: Origin::Receipt(StoreId(store), receipt),
        signed: false,
        at_ms: 1,
        day: 0,
        currency: euros,
        refund: Refund::Cash,
        reason: code(),
        reference: code(),
        staff: code(),
        approver: code(),
        lines: vec![ReturnLine {
            line: 0,
            sku: Sku::parse("TEA").unwrap(),
            unit: each,
            quantity: 1,
            amount: 1,
            disposition: Disposition::Quarantine,
        }],
    };
    let (verdict, amount, note, staff) = (Verdict::Grant, 1, code(), code());
    let grant = ReturnGrant { id, verdict, at_ms: 1, day: 0, lines: lines(), amount, note, staff };
    let step = Fulfil::RequestCourier;
    let (note, staff) = (code(), code());
    let fulfil = FulfillmentStep { order, generation: 1, step, lines: Vec::new(), note, staff, device: 0 };
    let (saying, note, asker) = (Saying::AskCancel, code(), code());
    vec![
        Fact::Order(header),
        Fact::Offer(offer),
        Fact::FulfillmentStep(fulfil),
        Fact::OrderStep(OrderStep { order, generation: 1, saying, lines: lines(), until_ms: 0, note, by: asker }),
        Fact::Payment(Payment { order, authorised: 1, captured: 0, refunded: 0, reference: code() }),
        Fact::Redress(Redress { id: [1; 16], order, amount: 1, done: false, reference: code(), staff: code() }),
        Fact::PassShown(pass.sign(world.tenant(), &world.nodes[&HUB].keys.signer())),
        Fact::Routing(RoutingRules::default()),
        Fact::Service(StoreService::always_open(StoreId(9))),
        Fact::OrderLimits(OrderLimits::default()),
        Fact::GoodsReturn(returned),
        Fact::ReturnGrant(grant),
    ]
}

fn fork(world: &World) -> ForkProof {
    let log = |n| world.scroll(THIRD, 9, Scope::StoreStock(StoreId(3))).with(sale(1, n, "TEA", 1));
    let branch = |n| {
        let log = log(n);
        let run = log.all();
        let before = stockroom_crdt::chain::advance(log.id.genesis(world.tenant()), &run.items[0].bytes);
        let hash = stockroom_crdt::chain::advance(before, &run.items[1].bytes);
        Branch { hash, after: Vec::new(), seal: run.seal.unwrap() }
    };
    ForkProof { log: log(1).id, seq: 2, left: branch(1), right: branch(2) }
}

fn store_record() -> Fact {
    let code = |text: &str| Code::parse(text).unwrap();
    Fact::Store(StoreRecord {
        store: StoreId(9),
        name: "Nine".into(),
        book: code("default"),
        group: code("chain"),
        entity: Code::default(),
        currency: Currency::parse("EUR").unwrap(),
        zone: code("UTC"),
        rollover_min: 0,
        home: NodeId(77),
        term: 1,
        coordinates: None,
    })
}

/// A hub and three stores of one group that have met; only the hub and the first store's node run.
fn chain(seed: u64) -> World {
    let mut world = World::with_stores(seed, 3);
    world.put_products(&[("MILK", Unit::Each)]);
    for id in [STORE, MALLORY, THIRD] {
        world.connect(id, HUB);
    }
    world.run_ms(3_000);
    for id in [STORE, MALLORY, THIRD] {
        world.cut(id, HUB);
    }
    world
}
