//! Goods that come back, told as stories: at the seller, at another store, cut off, twice, without a receipt, and out of an order.

#![allow(clippy::unwrap_used, clippy::disallowed_macros, reason = "a test says its seed and stops where it fails")]

use stockroom_core::input::returns::{ExchangeRequest, PayReturnRequest, ReturnRequest, ReturnRequestLine};
use stockroom_core::input::sales::{SellLine, SellRequest};
use stockroom_core::input::{Answer, Command, Refusal, RetryKey};
use stockroom_core::view::View;
use stockroom_crdt::entry::Fact;
use stockroom_crdt::ids::{Code, Digest, Sku, StoreId, TillId};
use stockroom_crdt::money::Unit;
use stockroom_crdt::order::redress::Rule;
use stockroom_crdt::order::resolve::OrderState;
use stockroom_crdt::order::returns::judge::{Outcome, State};
use stockroom_crdt::order::returns::{Origin, ReturnId};
use stockroom_crdt::receiving::Disposition;
use stockroom_crdt::sale::{ReceiptNumber, Tender, TenderKind};
use stockroom_crdt::stock::policy::{Allocation, PolicyRule, Target};
use stockroom_crdt::stock::rights::Account;
use stockroom_sim::counter::pickup;
use stockroom_sim::world::World;

const HUB: u32 = 1;
const FIRST: u32 = 2;
const SECOND: u32 = 3;
const THIRD: u32 = 4;

#[test]
fn at_the_seller_money_goes_out_at_once_and_no_unit_comes_back_twice() {
    let mut world = market(1);
    let receipt = bought(&mut world, 1, 3);
    let id = bring(&mut world, FIRST, 1, cash(receipt, 2, Disposition::Resale)).unwrap();
    let retried = bring(&mut world, FIRST, 1, cash(receipt, 2, Disposition::Resale)).unwrap();
    assert_eq!(retried, id, "a retry is the same return");
    let outcome = of(&world, FIRST, id);
    assert_eq!((outcome.state, outcome.paid), (State::Paid, 200), "{outcome:?}");
    assert_eq!(on_hand(&world, FIRST, 1), 9, "two are on the shelf again");
    let too_many = bring(&mut world, FIRST, 2, cash(receipt, 2, Disposition::Resale)).unwrap_err();
    assert!(matches!(&too_many, Refusal::State(text) if text.contains("1 of line 1 may still")), "{too_many}");
    bring(&mut world, FIRST, 3, cash(receipt, 1, Disposition::Quarantine)).unwrap();
    assert_eq!(on_hand(&world, FIRST, 1), 9, "what is set aside is not for sale");
    world.run_ms(5_000);
    assert_eq!(of(&world, HUB, id), outcome);
    assert_eq!(on_hand(&world, HUB, 1), 9);
}

#[test]
fn elsewhere_the_seller_decides_and_then_the_money_goes_out_once() {
    let mut world = market(2);
    let receipt = bought(&mut world, 1, 2);
    let id = bring(&mut world, SECOND, 1, cash(receipt, 2, Disposition::Resale)).unwrap();
    assert_eq!(of(&world, SECOND, id).state, State::Pending, "no signed receipt, no money yet");
    assert_eq!(on_hand(&world, SECOND, 2), 12, "the goods are where they were brought");
    world.run_ms(10_000);
    for node in [HUB, FIRST, SECOND] {
        let outcome = of(&world, node, id);
        assert_eq!((outcome.state, outcome.refund, outcome.paid), (State::Granted, 200, 0), "{node}: {outcome:?}");
    }
    pay(&mut world, SECOND, 1, id).unwrap();
    let again = pay(&mut world, SECOND, 2, id).unwrap_err();
    assert!(matches!(&again, Refusal::State(text) if text.contains("paid")), "{again}");
    world.run_ms(10_000);
    assert_eq!(of(&world, HUB, id).state, State::Paid);
    assert_eq!(
        (on_hand(&world, HUB, 1), on_hand(&world, HUB, 2)),
        (8, 12),
        "the effect on stock is where the goods are"
    );
    // What came back there cannot come back at the seller as well.
    let refused = bring(&mut world, FIRST, 2, cash(receipt, 1, Disposition::Resale)).unwrap_err();
    assert!(matches!(&refused, Refusal::State(text) if text.contains("0 of line 1")), "{refused}");
}

#[test]
fn a_store_that_is_cut_off_pays_on_a_signed_receipt_within_its_limit() {
    let mut world = market(3);
    let receipt = bought(&mut world, 1, 60);
    let code = signed(&mut world, FIRST, receipt);
    world.cut(SECOND, HUB);
    world.cut(SECOND, FIRST);
    world.cut(SECOND, THIRD);
    let shown = |units: i64| ReturnRequest { signed: code.clone(), ..cash(receipt, units, Disposition::Resale) };
    let id = bring(&mut world, SECOND, 1, shown(2)).unwrap();
    assert_eq!((of(&world, SECOND, id).state, of(&world, SECOND, id).paid), (State::Paid, 200));
    let large = bring(&mut world, SECOND, 2, shown(51)).unwrap();
    assert_eq!(of(&world, SECOND, large).state, State::Pending, "51.00 is above the limit");
    let third = bring(&mut world, SECOND, 3, shown(8)).unwrap_err();
    assert!(matches!(&third, Refusal::State(text) if text.contains("7 of line 1")), "{third}");
    let mut forged = code.clone();
    *forged.last_mut().unwrap() ^= 1;
    let wrong = bring(&mut world, SECOND, 4, ReturnRequest { signed: forged, ..shown(1) }).unwrap_err();
    assert!(matches!(&wrong, Refusal::State(text) if text.contains("not genuine")), "{wrong}");
    world.connect(SECOND, HUB);
    world.run_ms(20_000);
    for node in [HUB, FIRST, SECOND] {
        assert_eq!((of(&world, node, id).state, of(&world, node, id).loss), (State::Paid, 0), "{node}");
        let outcome = of(&world, node, large);
        assert_eq!((outcome.state, outcome.refund), (State::Granted, 5_100), "{node}: {outcome:?}");
    }
}

#[test]
fn one_receipt_at_two_stores_that_are_cut_off_is_found_and_the_later_one_bears_it() {
    let mut world = market(4);
    let receipt = bought(&mut world, 1, 2);
    let code = signed(&mut world, FIRST, receipt);
    for (a, b) in [(SECOND, HUB), (SECOND, FIRST), (THIRD, HUB), (THIRD, FIRST), (SECOND, THIRD)] {
        world.cut(a, b);
    }
    let shown = || ReturnRequest { signed: code.clone(), ..cash(receipt, 2, Disposition::Resale) };
    let early = bring(&mut world, SECOND, 1, shown()).unwrap();
    world.run_ms(60_000);
    let late = bring(&mut world, THIRD, 2, shown()).unwrap();
    assert_eq!((of(&world, SECOND, early).state, of(&world, THIRD, late).state), (State::Paid, State::Paid));
    world.connect(SECOND, HUB);
    world.run_ms(20_000);
    world.connect(THIRD, HUB);
    world.run_ms(20_000);
    assert_eq!(of(&world, HUB, early).state, State::Paid);
    let twice = of(&world, HUB, late);
    assert_eq!((twice.state, twice.refund, twice.loss), (State::PaidTwice, 0, 200), "{twice:?}");
    assert_eq!(twice.bearer, "store 3 (ben)");
    assert_eq!(of(&world, FIRST, late), twice, "everywhere in the same words");
    assert_eq!(of(&world, THIRD, late), twice);
    assert_eq!((on_hand(&world, HUB, 2), on_hand(&world, HUB, 3)), (12, 12), "both stores have goods");
}

#[test]
fn without_a_receipt_a_manager_decides_and_is_named() {
    let mut world = market(5);
    let line =
        ReturnRequestLine { amount: Some(80), ..cash(receipt_of_nothing(), 1, Disposition::Scrap).lines.remove(0) };
    let request = ReturnRequest {
        origin: Origin::Nothing,
        lines: vec![line],
        ..cash(receipt_of_nothing(), 1, Disposition::Scrap)
    };
    let refused = bring(&mut world, SECOND, 1, request.clone()).unwrap_err();
    assert!(matches!(&refused, Refusal::Invalid { field, .. } if field == "approver"), "{refused:?}");
    let approved = ReturnRequest { approver: Code::parse("mia").unwrap(), ..request };
    let id = bring(&mut world, SECOND, 2, approved).unwrap();
    let outcome = of(&world, SECOND, id);
    assert_eq!((outcome.state, outcome.paid), (State::Paid, 80));
    assert!(outcome.why.contains("mia"), "{outcome:?}");
    assert_eq!(on_hand(&world, SECOND, 2), 10, "what is thrown away is not on the shelf");
}

#[test]
fn goods_of_an_order_come_back_to_any_store_and_are_paid_back_once_by_its_home() {
    let mut world = market(6);
    let (order, code) = world.place(HUB, pickup("1", &[("A", 3)], &[1])).unwrap();
    world.run_ms(3_000);
    world.make_ready(FIRST, order).unwrap();
    world.hand_over(FIRST, (order, &code)).unwrap();
    world.run_ms(5_000);
    let mut request =
        ReturnRequest { origin: Origin::Order(order), ..cash(receipt_of_nothing(), 2, Disposition::Resale) };
    request.approver = Code::parse("mia").unwrap();
    let id = bring(&mut world, SECOND, 1, request.clone()).unwrap();
    assert_eq!(of(&world, SECOND, id).state, State::Pending, "the order's home knows what was paid");
    world.run_ms(5_000);
    // The rest, and one that the customer never had.
    let second = bring(&mut world, FIRST, 2, request).unwrap();
    world.run_ms(5_000);
    let outcome = world.outcome(HUB, order).unwrap();
    assert_eq!(outcome.state, OrderState::Completed, "a return after the handover is no undoing of it");
    let due: Vec<_> = outcome.due.iter().map(|due| (due.rule, due.units, due.amount, due.done)).collect();
    assert_eq!(due, [(Rule::GoodsBack, 2, 200, false), (Rule::GoodsBack, 1, 100, false)], "{outcome:?}");
    assert_eq!((of(&world, HUB, id).refund, of(&world, HUB, second).refund), (200, 100));
    assert_eq!((on_hand(&world, HUB, 1), on_hand(&world, HUB, 2)), (9, 12));
}

/// A hub and three stores with ten of A each.
fn market(seed: u64) -> World {
    println!("seed {seed}");
    let mut world = World::new(seed);
    world.put_products(&[("A", Unit::Each)]);
    for store in 1..=3 {
        world.enrol(store);
    }
    world.put_rule(PolicyRule::of(Target::All, Allocation::HubOnly));
    for node in [FIRST, SECOND, THIRD] {
        world.connect(node, HUB);
    }
    world.run_ms(5_000);
    for node in [FIRST, SECOND, THIRD] {
        world.receive(node, "A", 10);
    }
    world.run_ms(5_000);
    world
}

/// Somebody bought so many of A at the first store, for 100 each.
fn bought(world: &mut World, n: u64, units: i64) -> ReceiptNumber {
    let Ok(Answer::Written { place, .. }) = world.sell(FIRST, 1, n, &[("A", units)]) else { panic!("not sold") };
    world.run_ms(3_000);
    match View::new(&*world.snapshot(FIRST)).entry(place).unwrap().unwrap().fact {
        Fact::Sale(sale) => sale.receipt,
        other => panic!("{other:?}"),
    }
}

#[test]
fn cash_that_was_paid_for_returns_is_missing_in_the_drawer_of_its_day() {
    let mut world = market(31);
    let receipt = bought(&mut world, 1, 5);
    bring(&mut world, FIRST, 1, cash(receipt, 2, Disposition::Resale)).unwrap();
    // Elsewhere it is granted first and paid later: out of the drawer of the store that has the goods, on the day when it is paid.
    let later = bring(&mut world, SECOND, 2, cash(receipt, 1, Disposition::Resale)).unwrap();
    assert!(drawer(&world, SECOND, 2).is_empty(), "nothing was paid, and no day was opened for it");
    world.run_ms(10_000);
    pay(&mut world, SECOND, 1, later).unwrap();
    let retried = world.command(SECOND, Command::PayReturn(key(&format!("1 {later}")), paid(later))).unwrap();
    assert!(matches!(retried, Answer::Written { replayed: true, .. }), "{retried:?}");
    world.run_ms(10_000);
    for node in [HUB, FIRST] {
        assert_eq!(drawer(&world, node, 1), [(1, 300, 300, 1, 200)], "node {node}: five were sold, two came back");
    }
    for node in [HUB, SECOND] {
        assert_eq!(drawer(&world, node, 2), [(1, -100, -100, 1, 100)], "node {node}");
    }
    world.command(FIRST, Command::DayClose(key("close"), Code::default())).unwrap();
    bring(&mut world, FIRST, 3, cash(receipt, 1, Disposition::Scrap)).unwrap();
    world.run_ms(10_000);
    let days = [(1, 300, 300, 1, 200), (2, -100, -100, 1, 100)];
    assert_eq!(
        (drawer(&world, FIRST, 1), drawer(&world, HUB, 1)),
        (days.to_vec(), days.to_vec()),
        "a closed day stays as it was"
    );
}

#[test]
fn an_exchange_is_one_commit_and_costs_the_difference() {
    let mut world = market(32);
    let receipt = bought(&mut world, 1, 3);
    let wanted = |units: i64, paid: i64| ExchangeRequest {
        returned: ReturnRequest { cash: false, ..cash(receipt, 1, Disposition::Resale) },
        sale: takes(units, paid),
    };
    let exchange = |world: &mut World, n: u64, request: &ExchangeRequest| {
        world.command(FIRST, Command::Exchange(key(&format!("exchange {n} {request:?}")), Box::new(request.clone())))
    };
    let before = (on_hand(&world, FIRST, 1), drawer(&world, FIRST, 1));
    let short = exchange(&mut world, 1, &wanted(3, 100)).unwrap_err();
    assert!(
        matches!(&short, Refusal::Invalid { field, message } if field == "sale.tenders" && message.contains("200 are due")),
        "{short}"
    );
    let mut unknown = wanted(3, 200);
    unknown.sale.lines[0].quantity = 0;
    let half = exchange(&mut world, 2, &unknown).unwrap_err();
    assert!(matches!(&half, Refusal::Invalid { field, .. } if field == "sale.lines[0].quantity"), "{half}");
    assert_eq!(
        (on_hand(&world, FIRST, 1), drawer(&world, FIRST, 1)),
        before,
        "neither half of what was refused is there"
    );

    let made = exchange(&mut world, 3, &wanted(3, 200)).unwrap();
    let Answer::Exchanged { returned, sale, replayed: false } = made else { panic!("{made:?}") };
    assert_eq!((returned.log, returned.seq + 1), (sale.log, sale.seq));
    let again = exchange(&mut world, 3, &wanted(3, 200)).unwrap();
    assert_eq!(again, Answer::Exchanged { returned, sale, replayed: true }, "a retry does nothing");
    let entry = |world: &World, place| View::new(&*world.snapshot(FIRST)).entry(place).unwrap().unwrap().fact;
    let (Fact::GoodsReturn(back), Fact::Sale(sold)) = (entry(&world, returned), entry(&world, sale)) else { panic!() };
    assert_eq!(sold.tenders.last().unwrap().reference, back.reference, "one reference joins both");
    assert_eq!(back.reference.as_str(), back.id.to_string());
    assert_eq!(on_hand(&world, FIRST, 1), before.0 + 1 - 3);
    assert_eq!(
        drawer(&world, FIRST, 1),
        [(1, 500, 500, 1, 100)],
        "300 at first, 200 on top: the worth of one went out and in"
    );

    // For something cheaper the customer gets money back; the till's number is free for nothing else.
    let mut other = wanted(3, 200);
    other.sale.till_seq = 9;
    let two = ReturnRequest { ..cash(receipt, 2, Disposition::Resale) };
    let cheap = ExchangeRequest { returned: two, sale: SellRequest { till_seq: 9, ..takes(1, -100) } };
    exchange(&mut world, 4, &cheap).unwrap();
    assert_eq!(drawer(&world, FIRST, 1), [(1, 400, 400, 2, 300)]);
    assert_eq!(exchange(&mut world, 5, &other).unwrap_err(), Refusal::RetryMismatch);
    world.run_ms(5_000);
    assert_eq!(drawer(&world, HUB, 1), drawer(&world, FIRST, 1));
    let elsewhere = world.command(SECOND, Command::Exchange(key("elsewhere"), Box::new(wanted(1, 0)))).unwrap_err();
    assert!(matches!(&elsewhere, Refusal::State(text) if text.contains("the seller decides")), "{elsewhere}");
}

/// Number, total, cash, refunds and what was refunded of each day of a store.
fn drawer(world: &World, node: u32, store: u32) -> Vec<(u32, i64, i64, u64, i64)> {
    let days = View::new(&*world.snapshot(node)).days(StoreId(store)).unwrap();
    days.iter().map(|day| (day.number, day.total, day.tenders[0], day.refunds, day.refunded)).collect()
}

/// So many of A at 100 each, and what the customer pays on top.
fn takes(units: i64, paid: i64) -> SellRequest {
    let line = SellLine {
        sku: Sku::parse("A").unwrap(),
        unit: None,
        quantity: units,
        unit_price: Some(100),
        discount: 0,
        discount_reason: Code::default(),
        tax: None,
        lot: Code::default(),
        original: None,
        disposition: Disposition::Resale,
    };
    SellRequest {
        till: TillId(8),
        till_seq: 7,
        body: Digest::of(&[format!("{units} {paid}").as_bytes()]),
        rung_ms: None,
        currency: None,
        cashier: Code::parse("ann").unwrap(),
        approver: Code::default(),
        seller: Code::default(),
        foreign_key: Code::default(),
        fiscal: Vec::new(),
        lines: vec![line],
        cash_rounding: 0,
        tenders: vec![Tender { kind: TenderKind::Cash, amount: paid, reference: Code::default() }],
    }
}

fn receipt_of_nothing() -> ReceiptNumber {
    ReceiptNumber { till: TillId(1), series: 1, sequence: 1 }
}

fn cash(receipt: ReceiptNumber, quantity: i64, disposition: Disposition) -> ReturnRequest {
    let sku = Sku::parse("A").unwrap();
    ReturnRequest {
        origin: Origin::Receipt(StoreId(1), receipt),
        signed: Vec::new(),
        cash: true,
        till: None,
        reason: Code::parse("too small").unwrap(),
        reference: Code::default(),
        staff: Code::parse("ben").unwrap(),
        approver: Code::default(),
        lines: vec![ReturnRequestLine { line: 0, sku, unit: None, quantity, amount: None, disposition }],
    }
}

fn key(words: &str) -> RetryKey {
    RetryKey { key: Digest::of(&[b"return", words.as_bytes()]), body: Digest::of(&[words.as_bytes()]) }
}

fn bring(world: &mut World, node: u32, n: u64, request: ReturnRequest) -> Result<ReturnId, Refusal> {
    match world.command(node, Command::ReturnGoods(key(&format!("{n} {request:?}")), Box::new(request)))? {
        Answer::Written { place, .. } => match View::new(&*world.snapshot(node)).entry(place).unwrap().unwrap().fact {
            Fact::GoodsReturn(returned) => Ok(returned.id),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

fn pay(world: &mut World, node: u32, n: u64, id: ReturnId) -> Result<Answer, Refusal> {
    world.command(node, Command::PayReturn(key(&format!("{n} {id}")), paid(id)))
}

fn paid(id: ReturnId) -> PayReturnRequest {
    PayReturnRequest { id, reference: Code::default(), staff: Code::parse("ben").unwrap(), till: None }
}

fn signed(world: &mut World, node: u32, receipt: ReceiptNumber) -> Vec<u8> {
    match world.command(node, Command::SignReceipt(receipt)) {
        Ok(Answer::SignedReceipt { bytes }) => bytes,
        other => panic!("{other:?}"),
    }
}

fn of(world: &World, node: u32, id: ReturnId) -> Outcome {
    let own = (node != HUB).then(|| StoreId(node - 1));
    View::new(&*world.snapshot(node)).return_outcome(own, id).unwrap().expect("the return is known").1
}

fn on_hand(world: &World, node: u32, store: u32) -> i64 {
    let account = Account { store: StoreId(store), sku: Sku::parse("A").unwrap(), unit: Unit::Each };
    stockroom_core::rights::home::on_hand(&*world.snapshot(node), &account).unwrap()
}
