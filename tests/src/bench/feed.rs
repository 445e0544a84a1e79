//! The live feed between a store and its hub, both ends durable: rate and bytes in bulk, bytes of a trickle, latency of one urgent
//! update, and catching up from empty.
//!
//! An operation is a sale of one line: the smallest thing that a till says. Bytes are UDP payload both ways, without the
//! handshake. Orders, for which lane 1 exists, come later: the urgent update here is a store's record on lane 0, which is sealed
//! at once and so carries a signature that an order will not.

use std::time::{Duration, Instant};

use redb::{Database, TableDefinition};

use stockroom_core::input::Command;
use stockroom_core::input::enrolment::TokenRequest;
use stockroom_core::input::sales::{SellLine, SellRequest};
use stockroom_core::view::View;
use stockroom_crdt::ids::{Code, Digest, Sku, StoreId, TillId};
use stockroom_crdt::money::{Currency, Unit};
use stockroom_crdt::receiving::Disposition;
use stockroom_crdt::sale::{Tender, TenderKind};

use super::pair::Pair;
use super::{Benchmark, Effort, Report};

/// See the module.
pub const BENCHMARK: Benchmark =
    Benchmark { name: "feed", about: "the live feed between a store and its hub over QUIC, both ends durable", run };

fn run(effort: Effort) -> Report {
    let mut report = Report::new("feed");
    report.note("an operation is a sale of one line; bytes are UDP payload both ways without the handshake; loopback, mutual TLS");
    let commit = commit_ms(effort.pick(200, 20));
    report.note(format!("C, one row in a two-phase redb commit on the same disk: p50 {commit:.2} ms"));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let pair = Pair::open(folder.path());
    wait(Duration::from_secs(20), "the link", || pair.wire_bytes() > 0 && sell_some(&pair, 0..1) && at_hub(&pair) == 1);
    let mut next = 1;
    bulk(&mut report, &pair, &mut next, effort);
    trickle(&mut report, &pair, &mut next, effort);
    urgent(&mut report, &pair, commit, effort);
    catch_up(&mut report, &pair, &mut next, effort);
    pair.close();
    report
}

fn bulk(report: &mut Report, pair: &Pair, next: &mut u64, effort: Effort) {
    let count = effort.pick(100_000, 2_000) as u64;
    let (bytes, started) = (pair.wire_bytes(), Instant::now());
    sell_some(pair, *next..*next + count);
    *next += count;
    wait(Duration::from_secs(120), "the hub to have all sales", || at_hub(pair) == *next);
    let spent = started.elapsed();
    let bytes = (pair.wire_bytes() - bytes) as f64 / count as f64;
    report.add_at_least("stockroom", "bulk", "operations/s", count as f64 / spent.as_secs_f64(), 20_000.0);
    report.add_at_most("stockroom", "bulk", "bytes/operation", bytes, 15.0);
}

/// Twenty operations a second, sent together every half second.
fn trickle(report: &mut Report, pair: &Pair, next: &mut u64, effort: Effort) {
    settle(pair);
    let count = effort.pick(200, 20) as u64;
    let bytes = pair.wire_bytes();
    let started = Instant::now();
    for n in 0..count {
        sell_some(pair, *next..*next + 1);
        *next += 1;
        pace(started, Duration::from_millis(50) * (n as u32 + 1));
    }
    wait(Duration::from_secs(20), "the trickle to arrive", || at_hub(pair) == *next);
    settle(pair);
    let bytes = (pair.wire_bytes() - bytes) as f64 / count as f64;
    report.add_at_most("stockroom", "20 a second", "bytes/operation", bytes, 40.0);
}

fn urgent(report: &mut Report, pair: &Pair, commit: f64, effort: Effort) {
    let mut latencies = Vec::new();
    settle(pair);
    let (rounds, bytes) = (effort.pick(100, 5), pair.wire_bytes());
    for round in 0..rounds {
        while pair.store.entries.try_recv().is_ok() {}
        let started = Instant::now();
        let _ = pair.hub.ask(Command::IssueToken(token(round as u64))).recv();
        let Ok(arrived) = pair.store.entries.recv_timeout(Duration::from_secs(5)) else { continue };
        latencies.push((arrived - started).as_secs_f64() * 1000.0);
        pace(started, Duration::from_millis(40));
    }
    settle(pair);
    let bytes = (pair.wire_bytes() - bytes) as f64 / rounds as f64;
    latencies.sort_by(f64::total_cmp);
    let p50 = latencies.get(latencies.len() / 2).copied().unwrap_or(f64::NAN);
    report.add_at_most(
        "stockroom",
        "one urgent update",
        "ms to durable at the other end, p50",
        p50,
        2.0 * commit + 2.0,
    );
    report.add_at_most("stockroom", "one urgent update", "bytes", bytes, 150.0);
}

/// The store sells while cut off; then the link comes back.
fn catch_up(report: &mut Report, pair: &Pair, next: &mut u64, effort: Effort) {
    let count = effort.pick(50_000, 1_000) as u64;
    pair.cut(true);
    sell_some(pair, *next..*next + count);
    *next += count;
    let bytes = pair.wire_bytes();
    let started = Instant::now();
    pair.cut(false);
    wait(Duration::from_secs(60), "the hub to catch up", || at_hub(pair) == *next);
    let spent = started.elapsed().as_secs_f64();
    let bytes = (pair.wire_bytes() - bytes) as f64;
    report.add("stockroom", &format!("{count} missed"), "s to catch up, reconnect included", spent);
    report.add("stockroom", &format!("{count} missed"), "MB", bytes / 1e6);
    report.add_at_most("stockroom", &format!("{count} missed"), "bytes/operation", bytes / count as f64, 13.4);
}

/// Sells, and waits until all is durable at the store. As many sales as fit wait together.
fn sell_some(pair: &Pair, numbers: std::ops::Range<u64>) -> bool {
    let answers: Vec<_> = numbers.map(|n| pair.store.ask(Command::Sell(sale(n)))).collect();
    answers.into_iter().all(|answer| answer.recv().is_ok_and(|answer| answer.is_ok()))
}

/// How many sales the hub has durable.
fn at_hub(pair: &Pair) -> u64 {
    let days = View::new(&*pair.hub.snapshot()).days(StoreId(1)).expect("the disk works");
    days.iter().map(|day| day.receipts).sum()
}

/// Waits until no byte moves for a second, so that seals and acknowledgements of one part are not counted in the next.
fn settle(pair: &Pair) {
    let mut last = (pair.wire_bytes(), Instant::now());
    wait(Duration::from_secs(20), "the link to be quiet", || {
        if pair.wire_bytes() != last.0 {
            last = (pair.wire_bytes(), Instant::now());
        }
        last.1.elapsed() > Duration::from_millis(1_200)
    });
}

fn wait(most: Duration, what: &str, mut done: impl FnMut() -> bool) {
    let started = Instant::now();
    while !done() {
        assert!(started.elapsed() < most, "waited {most:?} for {what}");
        std::thread::park_timeout(Duration::from_millis(2));
    }
}

/// Sleeps until `due` after `started`.
fn pace(started: Instant, due: Duration) {
    while let Some(left) = due.checked_sub(started.elapsed()).filter(|left| !left.is_zero()) {
        std::thread::park_timeout(left);
    }
}

/// Median time of a commit of one 24-byte row, milliseconds.
pub fn commit_ms(rounds: usize) -> f64 {
    const ROWS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("rows");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let database = Database::create(folder.path().join("c.redb")).expect("the disk works");
    let mut times = Vec::with_capacity(rounds);
    for key in 0..rounds as u64 {
        let started = Instant::now();
        let mut transaction = database.begin_write().expect("the disk works");
        transaction.set_two_phase_commit(true);
        transaction
            .open_table(ROWS)
            .expect("the disk works")
            .insert(key, [7u8; 16].as_slice())
            .expect("the disk works");
        transaction.commit().expect("the disk works");
        times.push(started.elapsed().as_secs_f64() * 1000.0);
    }
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// A sale of one line, as a small shop rings up.
pub fn sale(n: u64) -> SellRequest {
    let price = 99 + (n * 37 % 900) as i64;
    let line = SellLine {
        sku: Sku::parse(&(800_000 + n * 7_919 % 50_000).to_string()).expect("a number"),
        unit: Some(Unit::Each),
        quantity: 1 + i64::from(n.is_multiple_of(9)),
        unit_price: Some(price),
        discount: 0,
        discount_reason: Code::default(),
        tax: None,
        lot: Code::default(),
        original: None,
        disposition: Disposition::Resale,
    };
    let total = price * line.quantity;
    SellRequest {
        till: TillId(1 + (n % 4) as u32),
        till_seq: 1 + n / 4,
        body: Digest::of(&[&n.to_be_bytes()]),
        rung_ms: None,
        currency: Some(Currency::parse("EUR").expect("three letters")),
        cashier: Code::parse("anna").expect("a short word"),
        approver: Code::default(),
        seller: Code::default(),
        foreign_key: Code::default(),
        fiscal: Vec::new(),
        lines: vec![line],
        cash_rounding: 0,
        tenders: vec![Tender { kind: TenderKind::Cash, amount: total, reference: Code::default() }],
    }
}

fn token(round: u64) -> TokenRequest {
    let code = |text: &str| Code::parse(text).expect("a short word");
    TokenRequest {
        token: Digest::of(&[b"token", &round.to_be_bytes()]),
        store: StoreId(9),
        name: format!("Store {round}"),
        book: code("default"),
        group: code(""),
        currency: Currency::parse("EUR").expect("three letters"),
        zone: code("UTC"),
        rollover_min: 0,
        coordinates: None,
        valid_ms: 60_000,
    }
}
