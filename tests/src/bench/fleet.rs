//! What looking after a thousand stores costs a hub: its pages over HTTP, as a browser asks for them, and how long they are.

use std::time::Instant;

use serde_json::json;

use super::{Benchmark, Effort, Report, fastest};
use crate::nodes::door::Door;
use crate::nodes::fleet::Fleet;

/// See the module.
pub const BENCHMARK: Benchmark =
    Benchmark { name: "fleet", about: "a hub's pages with a thousand stores in its records: time and length", run };

fn run(effort: Effort) -> Report {
    let mut report = Report::new("fleet");
    let (stores, rounds) = (effort.pick(1_000, 60), effort.pick(15, 3));
    let mut fleet = Fleet::hub_alone();
    let hub = fleet.hub().door().clone();
    for store in 1..=stores {
        enter(&hub, store);
    }
    report.note(format!(
        "one hub, {stores} stores in its records, none of which runs; real process, HTTP over loopback, the fastest of {rounds}"
    ));
    let plain = measure(&hub, "/healthz", rounds).0;
    report.add("stockroom", "GET /healthz", "ms", plain);
    for (case, path) in PAGES {
        let (ms, bytes) = measure(&hub, path, rounds);
        report.add_at_most("stockroom", case, "ms", ms, MS_MAX);
        report.add("stockroom", case, "GET /healthz = 1", ms / plain);
        report.add_at_most("stockroom", case, "kB", bytes as f64 / 1_000.0, KB_MAX);
    }
    report
}

/// A store's record, as somebody who lets its node in makes it. Places lie all over a middle-sized country.
fn enter(hub: &Door, store: usize) {
    let turn = store as f64 * 2.399_963;
    let away = (store as f64).sqrt() / 10.0;
    let place = json!({ "lat": 51.0 + away * turn.sin(), "lon": 10.0 + away * turn.cos() });
    let body = json!({ "store": store, "name": format!("Corner shop number {store}"), "coordinates": place, "zone": "Europe/Berlin" });
    let made = hub.post("/v1/enrolment-tokens", None, &body).and_then(|reply| reply.good());
    made.expect("a token makes the record of its store");
}

/// Milliseconds of the fastest answer, and its bytes.
fn measure(hub: &Door, path: &str, rounds: usize) -> (f64, usize) {
    let client: ureq::Agent = ureq::Agent::config_builder().proxy(None).build().into();
    let mut bytes = 0;
    let took = fastest(rounds, || {
        let start = Instant::now();
        let mut answer = client.get(format!("http://{}{path}", hub.address())).call().expect("the hub answers well");
        bytes = answer.body_mut().read_to_string().expect("a page is text").len();
        start.elapsed()
    });
    (took.as_secs_f64() * 1_000.0, bytes)
}

const PAGES: [(&str, &str); 5] = [
    ("the fleet", "/fleet"),
    ("the fleet, those that are not in sync, by name", "/fleet?state=trouble&sort=name"),
    ("one store", "/fleet/50?lang=zh-CN"),
    ("who has the newest prices", "/chain/prices"),
    ("promises at risk", "/chain/risk"),
];

/// What a page of a thousand stores may take.
const MS_MAX: f64 = 300.0;

/// How long a page may be.
const KB_MAX: f64 = 100.0;
