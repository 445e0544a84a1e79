//! What pages cost a store's node with 50,000 products: bytes and time to the first byte of each, and the processor's time for fifty of them
//! that are open while nothing happens. Real processes over loopback; times stand beside those of `/healthz` in the same run.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::{Benchmark, Effort, Report};
use crate::nodes::binary::wait_until;
use crate::nodes::door::Door;
use crate::nodes::fleet::Fleet;

/// See the module.
pub const BENCHMARK: Benchmark = Benchmark {
    name: "live",
    about: "pages of a store with 50,000 products: bytes, first byte, and what 50 open ones cost while nothing happens",
    run,
};

fn run(effort: Effort) -> Report {
    let mut report = Report::new("live");
    let products = effort.pick(50_000, 500);
    let mut fleet = Fleet::of(1);
    import(fleet.hub().door(), products);
    let last = format!("/v1/products/B{:06}", products - 1);
    let store = fleet.store(1);
    wait_until(PATIENCE, "the store to have all products", || store.door().read(&last).map(|_| ()));
    let goods = (0..50).map(|n| format!(r#"{{"sku":"B{n:06}","quantity":9}}"#)).collect::<Vec<_>>().join(",");
    let body = serde_json::from_str(&format!(r#"{{"document":"bench","lines":[{goods}]}}"#)).expect("JSON");
    store
        .door()
        .post("/v1/goods-receipts", Some("bench"), &body)
        .and_then(|reply| reply.good())
        .expect("goods come in");
    let address = store.door().address().trim_start_matches("http://").to_owned();
    report.note(format!("{products} products; `first byte` is the median of {TRIES} requests over new connections"));
    let (bare, _) = first_byte(&address, "/healthz");
    report.add("stockroom", "/healthz", "first byte ms", bare);
    for path in PAGES {
        let (ms, bytes) = first_byte(&address, path);
        report.add_at_most("stockroom", path, "first byte ms", ms, 100.0);
        report.add("stockroom", path, "first byte in /healthz", ms / bare);
        report.add_at_most("stockroom", path, "kB", bytes as f64 / 1000.0, 100.0);
    }
    let open: Vec<TcpStream> = (0..OPEN).map(|_| follow(&address)).collect();
    std::thread::park_timeout(Duration::from_secs(2));
    let (before, since) = (cpu_ms(store.id()), Instant::now());
    while let Some(left) = Duration::from_secs(effort.pick(60, 3) as u64).checked_sub(since.elapsed()) {
        std::thread::park_timeout(left.max(Duration::from_millis(1)));
    }
    let share = (cpu_ms(store.id()) - before) / since.elapsed().as_secs_f64() / 10.0;
    report.add_at_most("stockroom", "50 open pages, nothing happens", "% of one core", share, 5.0);
    drop(open);
    report
}

/// The pages of a store that show the most.
const PAGES: [&str; 10] = [
    "/till",
    "/orders",
    "/stock",
    "/stock?q=thing%2049",
    "/stock/B000001",
    "/members",
    "/labels",
    "/today",
    "/link",
    "/receiving",
];

fn import(hub: &Door, products: usize) {
    let chunk = 10_000;
    for first in (0..products).step_by(chunk) {
        let mut csv = String::from("sku,name,unit,price\n");
        for n in first..(first + chunk).min(products) {
            csv.push_str(&format!("B{n:06},Thing {n} of the bench,each,{}\n", 100 + n % 900));
        }
        let path = "/v1/products/import?book=default&currency=EUR";
        let key = format!("bench-{first}");
        let headers = [("Content-Type", "text/csv"), ("Idempotency-Key", key.as_str())];
        hub.send("POST", path, &headers, &csv).and_then(|reply| reply.good()).expect("products are imported");
    }
}

/// Median milliseconds to the first byte, and the bytes of the body.
fn first_byte(address: &str, path: &str) -> (f64, usize) {
    let mut times = Vec::with_capacity(TRIES);
    let mut bytes = 0;
    for _ in 0..TRIES {
        let mut stream = TcpStream::connect(address).expect("the node listens");
        let asked = Instant::now();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nAccept: text/html\r\nConnection: close\r\n\r\n")
            .expect("it reads");
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        reader.read_line(&mut line).expect("it answers");
        times.push(asked.elapsed().as_secs_f64() * 1000.0);
        assert!(line.starts_with("HTTP/1.1 200"), "{path}: {line}");
        let mut rest = Vec::new();
        std::io::Read::read_to_end(&mut reader, &mut rest).expect("to its end");
        bytes = rest.windows(4).position(|window| window == b"\r\n\r\n").map_or(0, |at| rest.len() - at - 4);
    }
    times.sort_by(f64::total_cmp);
    (times[TRIES / 2], bytes)
}

/// An open page's stream of changes.
fn follow(address: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).expect("the node listens");
    write!(stream, "GET /pages/live HTTP/1.1\r\nHost: {address}\r\nAccept: text/event-stream\r\n\r\n")
        .expect("it reads");
    let mut line = String::new();
    BufReader::new(stream.try_clone().expect("a second handle")).read_line(&mut line).expect("it answers");
    assert!(line.starts_with("HTTP/1.1 200"), "{line}");
    stream
}

/// Milliseconds that a process spent on processors, by its `/proc` entry: user and system time are its 14th and 15th field, in ticks of 10 ms.
fn cpu_ms(id: u32) -> f64 {
    let text = std::fs::read_to_string(format!("/proc/{id}/stat")).expect("Linux, and the node runs");
    let fields: Vec<&str> = text.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    fields[11..13].iter().map(|ticks| ticks.parse::<f64>().expect("a number") * 10.0).sum()
}

const TRIES: usize = 21;
const OPEN: usize = 50;
const PATIENCE: Duration = Duration::from_secs(180);
