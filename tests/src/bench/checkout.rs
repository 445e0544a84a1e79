//! A checkout acknowledged: from the till's basket to the durable receipt, with eight tills at one node, baskets of ten lines and a hundred
//! promotions in force, in multiples of C, the median time of a one-row two-phase redb commit on the same disk in the same run. Core and disk;
//! a link to the hub is up and takes its share.

use std::time::{Duration, Instant};

use stockroom_core::input::checkout::{CheckoutAnswer, CheckoutRequest, Then};
use stockroom_core::input::enrolment::TokenRequest;
use stockroom_core::input::{Answer, Command, RetryKey};
use stockroom_core::view::View;
use stockroom_crdt::checkout::basket::BasketId;
use stockroom_crdt::checkout::promotion::{Gives, Promotion};
use stockroom_crdt::checkout::quote::AskedLine;
use stockroom_crdt::checkout::tender::Assurance;
use stockroom_crdt::ids::{Code, Digest, Sku, StoreId, TillId};
use stockroom_crdt::money::{Currency, Unit};
use stockroom_crdt::price::Price;
use stockroom_crdt::product::Product;
use stockroom_crdt::receiving::Disposition;
use stockroom_crdt::sale::{Tender, TenderKind};

use super::feed::commit_ms;
use super::pair::{Driven, Pair};
use super::{Benchmark, Effort, Report};

/// See the module.
pub const BENCHMARK: Benchmark = Benchmark {
    name: "checkout",
    about: "latency of a durable checkout with 8 tills at one node, in multiples of C",
    run,
};

fn run(effort: Effort) -> Report {
    let mut report = Report::new("checkout");
    let commit = commit_ms(effort.pick(500, 20));
    report.note(format!(
        "C is {commit:.2} ms here; {TILLS} tills, baskets of {LINES} lines, {PROMOTIONS} promotions; the hub is connected over loopback"
    ));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let pair = Pair::open(folder.path());
    fill(&pair.hub);
    arrived(&pair.store);
    let mut latencies = Vec::new();
    let started = Instant::now();
    for n in 0..effort.pick(400, 10) as u64 {
        // All tills at once, twenty times a second at most: more than the customers of any store.
        let due = Duration::from_millis(50) * n as u32;
        while let Some(left) = due.checked_sub(started.elapsed()).filter(|left| !left.is_zero()) {
            std::thread::park_timeout(left);
        }
        let total = quoted(&pair.store, n);
        let asked = Instant::now();
        let answers: Vec<_> = (1..=TILLS).map(|till| pair.store.ask(basket(till, n, paid(total)))).collect();
        for answer in answers {
            assert!(matches!(answer.recv(), Ok(Ok(Answer::Checkout(_)))), "a basket that is paid is never refused");
            latencies.push(asked.elapsed().as_secs_f64() * 1000.0);
        }
    }
    latencies.sort_by(f64::total_cmp);
    let at = |share: f64| latencies[((latencies.len() - 1) as f64 * share) as usize];
    let case = format!("{TILLS} tills at once");
    report.add("stockroom", &case, "p50 in C", at(0.5) / commit);
    report.add("stockroom", &case, "p99 in C", at(0.99) / commit);
    report.add("stockroom", &case, "p50 ms", at(0.5));
    report.add_at_most("stockroom", &case, "p99 ms", at(0.99), 2.0 * commit + 5.0);
    pair.close();
    report
}

/// The store, its products with prices, and the promotions.
fn fill(hub: &Driven) {
    let retry = |n: u8| RetryKey { key: Digest([n; 32]), body: Digest([n; 32]) };
    let token = TokenRequest {
        token: Digest([9; 32]),
        store: StoreId(1),
        name: "bench".into(),
        book: code("default"),
        group: code(""),
        currency: euro(),
        zone: code("UTC"),
        rollover_min: 240,
        coordinates: None,
        valid_ms: 60_000,
    };
    let products = (0..PRODUCTS).map(|n| Product {
        sku: sku(n),
        name: "something".into(),
        unit: Unit::Each,
        barcodes: Vec::new(),
        item_number: 0,
        tax_code: Code::default(),
        department: code(&format!("department {}", n % 12)),
        owner: Code::default(),
        age_min: 0,
        excluded: 0,
        discontinued: false,
    });
    let prices = (0..PRODUCTS).map(|n| Price {
        book: code("default"),
        sku: sku(n),
        from_ms: 1,
        minor: Some(99 + n as i64 * 37 % 900),
        currency: euro(),
    });
    let commands = [
        Command::IssueToken(token),
        Command::Products(retry(1), products.collect()),
        Command::Prices(retry(2), prices.collect()),
        Command::Promotions(retry(3), (0..PROMOTIONS).map(promotion).collect()),
    ];
    for command in commands {
        assert!(hub.ask(command).recv().is_ok_and(|answer| answer.is_ok()), "the hub decides");
    }
}

/// Waits until the store has heard of all promotions, which came last.
fn arrived(store: &Driven) {
    let until = Instant::now() + Duration::from_secs(30);
    let known = || {
        let snapshot = store.snapshot();
        View::new(&*snapshot).all_promotions(&code("default")).expect("the disk works").len()
    };
    while known() < PROMOTIONS {
        assert!(Instant::now() < until, "the store hears of its promotions");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

/// What the basket costs.
fn quoted(store: &Driven, n: u64) -> i64 {
    match store.ask(basket(1, n, Then::Quote { points: 0 })).recv() {
        Ok(Ok(Answer::Checkout(CheckoutAnswer::Quoted(quoted)))) => quoted.quote.total,
        other => panic!("a basket has a price: {other:?}"),
    }
}

fn basket(till: u32, n: u64, then: Then) -> Command {
    let line = |at: u64| AskedLine {
        sku: sku(((n * 97 + at * 131) % PRODUCTS as u64) as usize),
        unit: None,
        quantity: 1 + (at % 3) as i64,
        code_price: None,
        entered_price: None,
        discount: 0,
        discount_reason: Code::default(),
        lot: Code::default(),
        expires: None,
        original: None,
        disposition: Disposition::Resale,
    };
    Command::Checkout(Box::new(CheckoutRequest {
        basket: BasketId { till: TillId(till), number: n + 1 },
        body: Digest::of(&[&till.to_be_bytes(), &n.to_be_bytes()]),
        rung_ms: None,
        cashier: code("anna"),
        approver: Code::default(),
        age_checked: false,
        member: None,
        accounts: Vec::new(),
        coupons: Vec::new(),
        lines: (0..LINES).map(line).collect(),
        expected_total: None,
        then,
    }))
}

fn paid(total: i64) -> Then {
    let tender = Tender { kind: TenderKind::Cash, amount: total, reference: Code::default() };
    Then::Pay { tenders: vec![(tender, Assurance::Cash)], terminal: None }
}

/// For twenty products that lie beside each other.
fn promotion(n: usize) -> Promotion {
    let mut skus: Vec<_> = (0..20).map(|at| sku((n * 5 + at) % PRODUCTS)).collect();
    skus.sort();
    let gives = match n % 3 {
        0 => Gives::Percent(500),
        1 => Gives::BuyGet { buy: 2, get: 1, off_bp: 5_000 },
        _ => Gives::Off(10),
    };
    Promotion {
        book: code("default"),
        id: code(&format!("p{n}")),
        name: "cheaper".into(),
        from_ms: 1,
        until_ms: 0,
        ended: false,
        members_only: false,
        stores: Vec::new(),
        skus,
        departments: Vec::new(),
        gives,
        priority: (n % 7) as u8,
        exclusive: n.is_multiple_of(9),
        per_basket: 0,
    }
}

fn sku(n: usize) -> Sku {
    Sku::parse(&format!("{}", 100_000 + n)).expect("digits are a SKU")
}

fn code(text: &str) -> Code {
    Code::parse(text).expect("a short word is a code")
}

fn euro() -> Currency {
    Currency::parse("EUR").expect("three letters")
}

const TILLS: u32 = 8;
const LINES: u64 = 10;
const PRODUCTS: usize = 500;
const PROMOTIONS: usize = 100;
