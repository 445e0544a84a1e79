//! What is wrong with baskets that nodes price, with terminals and with drawers is found.

use stockroom_core::input::checkout::{CheckoutAnswer, CheckoutRequest, DrawerDeed, DrawerRequest, TerminalSaid, Then};
use stockroom_core::input::{Answer, Command};
use stockroom_core::storage::Table;
use stockroom_core::view::View;
use stockroom_crdt::batch::Item;
use stockroom_crdt::checkout::Checkout;
use stockroom_crdt::checkout::basket::{BasketId, BasketStep, Outcome};
use stockroom_crdt::checkout::quote::AskedLine;
use stockroom_crdt::checkout::shift::ShiftClose;
use stockroom_crdt::checkout::tender::{Assurance, TenderState};
use stockroom_crdt::clock::Hlc;
use stockroom_crdt::entry::{Entry, Fact};
use stockroom_crdt::ids::{Code, Digest, StoreId, TillId};
use stockroom_crdt::money::Currency;
use stockroom_crdt::price::Price;
use stockroom_crdt::receiving::Disposition;
use stockroom_crdt::sale::{Sale, Tender, TenderKind};
use stockroom_sim::observe::{Act, Seen};
use stockroom_sim::truth::money::Taking;

use crate::watched::{HUB, ONE, Watched, code, number, run_row, sku};

const TILL: u32 = 1;

#[test]
fn everything_holds_where_baskets_are_priced_paid_in_cash_and_at_a_terminal_and_the_drawer_is_counted() {
    let mut watched = shop(80);
    drawer(&mut watched, DrawerDeed::Open { float: 5_000 });
    watched.truth.money.cash(1, TILL, 5_000);
    in_cash(&mut watched, 1);
    let reference = asked(&mut watched, 2);
    take(&mut watched, 2, &reference);
    approve(&mut watched, 2);
    drawer(&mut watched, DrawerDeed::Close { counted: 5_200 });
    watched.run_ms(20_000);
    watched.end();
    watched.all_hold();
}

#[test]
fn a_customer_who_is_charged_twice_is_found() {
    let mut watched = shop(81);
    let reference = asked(&mut watched, 1);
    take(&mut watched, 1, &reference);
    watched.run_ms(10);
    watched.all_hold();
    take(&mut watched, 1, "another");
    watched.run_ms(10_000);
    watched.must_find("C1", "terminals hold 400 for basket 1 of till 1 at store 1, for which 200 is due");
}

#[test]
fn money_without_a_receipt_and_a_receipt_without_money_are_found() {
    let mut watched = shop(82);
    let first = asked(&mut watched, 1);
    take(&mut watched, 1, &first);
    asked(&mut watched, 2);
    watched.all_hold();
    approve(&mut watched, 2);
    watched.must_find("C1", "and the terminal says None");
    watched.run_ms(20_000);
    watched.end();
    watched.must_find("C1", "charged without a record");
    watched.must_find("C1", "which holds None");
}

#[test]
fn a_receipt_that_stands_in_parts_is_found() {
    let mut watched = shop(83);
    let reference = asked(&mut watched, 1);
    take(&mut watched, 1, &reference);
    approve(&mut watched, 1);
    let (sale, checkout, end) = last_sale(&watched);
    watched.all_hold();
    write(&mut watched, vec![Fact::Sale(sale.clone())]);
    watched.must_find("C2", "stands without the explanation of its prices");
    write(&mut watched, vec![Fact::Sale(sale.clone()), Fact::Checkout(checkout.clone())]);
    watched.must_find("C2", "stands without the end of basket");
    let mut other = sale.clone();
    other.tenders[0].reference = code("nobody");
    write(&mut watched, vec![Fact::Sale(other), Fact::Checkout(checkout.clone()), Fact::BasketStep(end.clone())]);
    watched.must_find("C2", "without the terminal's word");
    let mut short = sale.clone();
    short.tenders[0].amount -= 1;
    write(&mut watched, vec![Fact::Sale(short), Fact::Checkout(checkout), Fact::BasketStep(end.clone())]);
    watched.must_find("C2", "comes to 200 and 199 was paid");
    write(&mut watched, vec![Fact::BasketStep(BasketStep { outcome: Outcome::Sold(unknown(&sale)), ..end })]);
    watched.must_find("C2", "which is not there");
}

#[test]
fn a_price_that_the_store_did_not_know_is_found() {
    let mut watched = shop(84);
    in_cash(&mut watched, 1);
    let (sale, checkout, _) = last_sale(&watched);
    watched.all_hold();
    let mut dear = sale.clone();
    (dear.lines[0].unit_price, dear.tenders[0].amount) = (150, 300);
    write(&mut watched, vec![Fact::Sale(dear), Fact::Checkout(checkout.clone())]);
    watched.must_find("C3", "P00001 costs 150");
    watched.must_find("C2", "comes to 300, and the customer agreed to Some(200)");
    let mut cheap = checkout;
    let reduction = stockroom_crdt::checkout::Reduction { promotion: code("spring"), amount: 0 };
    cheap.lines[0].reductions.push(reduction);
    write(&mut watched, vec![Fact::Sale(sale), Fact::Checkout(cheap)]);
    watched.must_find("C3", "by promotion spring, which did not hold");
}

#[test]
fn a_drawer_that_does_not_fit_its_z_and_a_z_that_is_gone_are_found() {
    let mut watched = shop(85);
    drawer(&mut watched, DrawerDeed::Open { float: 5_000 });
    watched.truth.money.cash(1, TILL, 4_990);
    in_cash(&mut watched, 1);
    drawer(&mut watched, DrawerDeed::Close { counted: 5_190 });
    watched.must_find("C4", "its Z expects 5200 in the drawer, and 5190 lies there");
    let close = last_close(&watched);
    let mut other = close.clone();
    other.totals.sales += 7;
    write(&mut watched, vec![Fact::ShiftClose(other)]);
    watched.must_find("C4", "its receipts and moves say");
    watched.run_ms(20_000);
    let rows = watched.rows(HUB, Table::Shifts);
    let closed = Entry::from_bytes(&rows.last().unwrap().1).unwrap();
    assert!(matches!(closed.fact, Fact::ShiftClose(_)), "a close comes last");
    watched.tamper_if(HUB, Table::Shifts, |key| key == rows.last().unwrap().0, |_, _| None);
    watched.end();
    watched.must_find("C4", "is gone at node 1");
}

/// A watched world in which two products cost a euro each.
fn shop(seed: u64) -> Watched {
    let mut watched = Watched::new(seed);
    let price = |product| Price {
        book: code("default"),
        sku: sku(product),
        from_ms: watched.world.now_ms - 1,
        minor: Some(100),
        currency: Currency::parse("EUR").unwrap(),
    };
    let prices = vec![price(1), price(2)];
    let retry = watched.retry();
    watched.world.command(HUB, Command::Prices(retry, prices)).unwrap();
    watched.run_ms(5_000);
    watched
}

/// Two units of a product are rung up, and the customer agrees to 200.
fn rung(watched: &mut Watched, number: u64, then: Then) -> CheckoutAnswer {
    let line = AskedLine {
        sku: sku(1),
        unit: None,
        quantity: 2,
        code_price: None,
        entered_price: None,
        discount: 0,
        discount_reason: Code::default(),
        lot: Code::default(),
        expires: None,
        original: None,
        disposition: Disposition::Resale,
    };
    let request = CheckoutRequest {
        basket: BasketId { till: TillId(TILL), number },
        body: Digest::of(&[&number.to_be_bytes()]),
        rung_ms: None,
        cashier: code("anna"),
        approver: Code::default(),
        age_checked: false,
        member: None,
        accounts: Vec::new(),
        coupons: Vec::new(),
        lines: vec![line],
        expected_total: Some(200),
        then,
    };
    watched.truth.money.agree((1, TILL, number), 200);
    let answer = watched.world.command(ONE, Command::Checkout(Box::new(request))).unwrap();
    watched.look();
    let Answer::Checkout(answer) = answer else { panic!("{answer:?}") };
    answer
}

fn in_cash(watched: &mut Watched, number: u64) {
    let cash = Tender { kind: TenderKind::Cash, amount: 200, reference: Code::default() };
    watched.truth.money.cash(1, TILL, 200);
    let answer = rung(watched, number, Then::Pay { tenders: vec![(cash, Assurance::Cash)], terminal: None });
    assert!(matches!(answer, CheckoutAnswer::Paid(_)));
    sold(watched, number);
}

/// A basket for which a terminal is asked. Gives the reference.
fn asked(watched: &mut Watched, number: u64) -> String {
    let terminal = Some((code("t1"), TenderKind::Card));
    let answer = rung(watched, number, Then::Pay { tenders: Vec::new(), terminal });
    assert!(matches!(answer, CheckoutAnswer::Ask { .. }));
    let snapshot = watched.world.snapshot(ONE);
    let open = View::new(&*snapshot).open_tenders(StoreId(1)).unwrap();
    open.iter().find(|asked| asked.last.basket.number == number).unwrap().last.reference.as_str().to_owned()
}

fn take(watched: &mut Watched, number: u64, reference: &str) {
    watched.truth.money.take(reference, Taking { basket: (1, TILL, number), asked: 200, taken: 200, back: false });
}

fn approve(watched: &mut Watched, number: u64) {
    let said = TerminalSaid {
        basket: BasketId { till: TillId(TILL), number },
        number: 1,
        state: TenderState::Approved,
        said: code("ok"),
        assurance: Assurance::Captured,
        amount: None,
        staff: Code::default(),
    };
    watched.world.command(ONE, Command::TerminalSaid(said)).unwrap();
    watched.look();
    sold(watched, number);
}

fn sold(watched: &mut Watched, till_seq: u64) {
    let snapshot = watched.world.snapshot(ONE);
    let place = stockroom_core::books::sales::by_till(&*snapshot, StoreId(1), TillId(TILL), till_seq).unwrap().unwrap();
    let act = Act::Sale { till: TILL, till_seq, lines: vec![(1, 2)], total: 200 };
    watched.acknowledge(ONE, act, Answer::Written { place, replayed: false });
}

fn drawer(watched: &mut Watched, deed: DrawerDeed) {
    let retry = watched.retry();
    let request = DrawerRequest { till: TillId(TILL), staff: code("anna"), approver: code("mia"), deed };
    watched.world.command(ONE, Command::Drawer(retry, request)).unwrap();
    watched.look();
}

fn facts(watched: &Watched) -> Vec<Fact> {
    let (key, _, log) = watched.stock(ONE, 1);
    let items = (1..=log.head.seq).map(|seq| crate::watched::item(watched, ONE, number(&key), seq));
    items.map(|item| item.entry.fact).collect()
}

fn last_sale(watched: &Watched) -> (Sale, Checkout, BasketStep) {
    let facts = facts(watched);
    let sale = facts.iter().rev().find_map(|fact| if let Fact::Sale(sale) = fact { Some(sale.clone()) } else { None });
    let checkout = facts.iter().rev().find_map(|fact| match fact {
        Fact::Checkout(checkout) => Some(checkout.clone()),
        _ => None,
    });
    let sale = sale.unwrap();
    let basket = BasketId { till: sale.receipt.till, number: sale.till_seq };
    let end = BasketStep { basket, outcome: Outcome::Sold(sale.receipt), till: sale.receipt.till, staff: code("anna") };
    (sale, checkout.unwrap(), end)
}

fn last_close(watched: &Watched) -> ShiftClose {
    let close = facts(watched).into_iter().rev().find_map(|fact| match fact {
        Fact::ShiftClose(close) => Some(close),
        _ => None,
    });
    close.unwrap()
}

fn unknown(sale: &Sale) -> stockroom_crdt::sale::ReceiptNumber {
    stockroom_crdt::sale::ReceiptNumber { sequence: sale.receipt.sequence + 9, ..sale.receipt }
}

/// The store's node commits this to its own log.
fn write(watched: &mut Watched, facts: Vec<Fact>) {
    let (key, _, log) = watched.stock(ONE, 1);
    let now_ms = watched.world.now_ms;
    let item = |(at, fact)| Item::new(Entry { hlc: Hlc::new(now_ms, at), fact });
    let items: Vec<_> = (0..).zip(facts).map(item).collect();
    watched.pretend(ONE, Seen::Committed(vec![run_row(number(&key), &log, &items)]));
}
