//! What a scan costs at the till's page: looking a code up, pricing the basket and fetching the page, over HTTP on loopback at a real node that
//! knows 50,000 products. Beside each stands how often a bare `GET /healthz` fits into it, which is what the machine and the HTTP stack take.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Benchmark, Effort, Report};
use crate::nodes::binary::wait_until;
use crate::nodes::door::Door;
use crate::nodes::fleet::Fleet;

/// See the module.
pub const BENCHMARK: Benchmark = Benchmark {
    name: "pages",
    about: "a scan and a price at the till's page with 50,000 products, over loopback",
    run,
};

fn run(effort: Effort) -> Report {
    let mut report = Report::new("pages");
    let (products, rounds) = (effort.pick(50_000, 2_000), effort.pick(2_000, 50));
    report.note(format!(
        "{products} products with barcodes and prices; one request at a time over one connection; baskets of 10 lines"
    ));
    let mut fleet = Fleet::of(1);
    fill(fleet.hub().door(), products);
    let door = fleet.store(1).door().clone();
    arrived(&door, products);
    let bare = times(rounds, |_| door.read("/healthz"));
    let floor = at(&bare, 0.5);
    say(&mut report, "GET /healthz", &bare, floor);
    let scans = times(rounds, |n| door.read(&format!("/v1/scan/{}", code(n * 7_919 % products))));
    say(&mut report, "GET /v1/scan", &scans, floor);
    let quotes = times(rounds, |n| door.post("/v1/checkout", None, &basket(n, products))?.good());
    say(&mut report, "quote", &quotes, floor);
    let both = times(rounds, |n| {
        door.read(&format!("/v1/scan/{}", code(n * 104_729 % products)))?;
        door.post("/v1/checkout", None, &basket(n, products))?.good()
    });
    say(&mut report, "scan and quote", &both, floor);
    report.add_at_most("stockroom", "scan and quote", "ms p99, a line is on the screen in 50", at(&both, 0.99), 50.0);
    let pages =
        times(effort.pick(300, 10), |_| door.send("GET", "/till", &[("accept", "text/html")], "").map(|_| Value::Null));
    say(&mut report, "GET /till", &pages, floor);
    let began = Instant::now();
    let rows = catalogue(&door);
    report.add("stockroom", "catalogue kept by the page", "rows", rows as f64);
    report.add("stockroom", "catalogue kept by the page", "s to fetch all of it", began.elapsed().as_secs_f64());
    report
}

fn say(report: &mut Report, case: &str, times: &[f64], floor: f64) {
    report.add("stockroom", case, "ms p50", at(times, 0.5));
    report.add("stockroom", case, "ms p99", at(times, 0.99));
    report.add("stockroom", case, "p50, GET /healthz = 1", at(times, 0.5) / floor);
}

/// Milliseconds of each request, in ascending order.
fn times(rounds: usize, mut ask: impl FnMut(usize) -> Result<Value, String>) -> Vec<f64> {
    let mut one = |n| {
        let began = Instant::now();
        ask(n).expect("the node answers");
        began.elapsed().as_secs_f64() * 1000.0
    };
    (0..20.min(rounds)).for_each(|n| {
        one(n);
    });
    let mut times: Vec<f64> = (0..rounds).map(one).collect();
    times.sort_by(f64::total_cmp);
    times
}

fn at(times: &[f64], share: f64) -> f64 {
    times[((times.len() - 1) as f64 * share) as usize]
}

fn basket(n: usize, products: usize) -> Value {
    let line = |at: usize| json!({ "sku": sku((n * 97 + at * 4_999) % products), "quantity": 1 + at % 3 });
    json!({ "till": 1, "then": "quote", "lines": (0..10).map(line).collect::<Vec<_>>() })
}

/// A number with its check digit (GS1 General Specifications, section 7.9).
fn code(n: usize) -> String {
    let body = format!("{:012}", 400_000_000_000 + n);
    let sum: u32 =
        body.bytes().enumerate().map(|(at, digit)| u32::from(digit - b'0') * if at % 2 == 0 { 1 } else { 3 }).sum();
    format!("{body}{}", (10 - sum % 10) % 10)
}

fn sku(n: usize) -> String {
    format!("P{n:05}")
}

fn fill(hub: &Door, products: usize) {
    for (at, chunk) in (0..products).collect::<Vec<_>>().chunks(10_000).enumerate() {
        let rows = chunk.iter().map(|&n| {
            format!("{},Article number {n} of the chain,each,{},{},EUR\n", sku(n), code(n), 99 + n * 37 % 900)
        });
        let list: String = std::iter::once("sku,name,unit,barcodes,price,currency\n".to_owned()).chain(rows).collect();
        let key = format!("bench-pages-{at}");
        let headers = [("content-type", "text/csv"), ("idempotency-key", key.as_str())];
        let path = "/v1/products/import?book=default&from=2020-01-01T00:00:00Z";
        hub.send("POST", path, &headers, &list).and_then(|reply| reply.good()).expect("the hub takes its catalogue");
    }
}

/// Waits until the store knows the last product and its price.
fn arrived(door: &Door, products: usize) {
    wait_until(Duration::from_secs(180), "the store knows all products", || {
        let known = door.read(&format!("/v1/scan/{}", code(products - 1)))?;
        if known["unit_price"].is_i64() { Ok(()) } else { Err("no price yet".to_owned()) }
    });
}

/// Everything that the page keeps for the time in which no node answers.
fn catalogue(door: &Door) -> usize {
    let (mut rows, mut after) = (0, String::new());
    loop {
        let page = door.read(&format!("/v1/till-catalogue?limit=1000{after}")).expect("the node answers");
        rows += page["items"].as_array().map_or(0, Vec::len);
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => return rows,
        }
    }
}
