//! A reservation decided at a hub that holds rights, without any network: from the request to the durable promise, in multiples
//! of C, the median time of a one-row two-phase redb commit on the same disk in the same run. Core and disk.

use std::time::Instant;

use stockroom_core::input::promises::ReserveRequest;
use stockroom_core::input::{Answer, Command};
use stockroom_crdt::ids::{Code, StoreId};
use stockroom_crdt::product::Channel;
use stockroom_crdt::stock::policy::{Allocation, PolicyRule, Target};

use super::feed::commit_ms;
use super::market::{Market, folder, retry, sku};
use super::{Benchmark, Effort, Report};

/// See the module.
pub const BENCHMARK: Benchmark =
    Benchmark { name: "reserve", about: "latency of a durable promise at a cut-off hub, in multiples of C", run };

fn run(effort: Effort) -> Report {
    let mut report = Report::new("reserve");
    let commit = commit_ms(effort.pick(500, 20));
    report.note(format!("C is {commit:.2} ms here; the hub holds rights and has no link; one core, no HTTP"));
    let (_kept, path) = folder();
    let mut market = Market::open(&path);
    let rule = PolicyRule { lead_ms: 0, ..PolicyRule::of(Target::All, Allocation::HubOnly) };
    market.hub.must(Command::PolicyRule(retry(b"rule", 0), rule));
    let products = effort.pick(2_000, 100);
    market.stock(products);
    market.cut();
    let wishes = effort.pick(2_000, 100);
    let mut latencies = Vec::with_capacity(wishes);
    for n in 0..wishes {
        let asked = Instant::now();
        let answer = market.hub.must(Command::Reserve(retry(b"wish", n), wish(n % products)));
        latencies.push(asked.elapsed().as_secs_f64() * 1000.0);
        assert!(matches!(answer, Answer::Reserved { .. }), "the hub holds rights to {n}: {answer:?}");
    }
    latencies.sort_by(f64::total_cmp);
    let at = |share: f64| latencies[((latencies.len() - 1) as f64 * share) as usize];
    let case = format!("{wishes} of {products} products");
    report.add("stockroom", &case, "p50 in C", at(0.5) / commit);
    report.add("stockroom", &case, "p99 in C", at(0.99) / commit);
    report.add("stockroom", &case, "p50 ms", at(0.5));
    report.add_at_most("stockroom", &case, "p99 ms", at(0.99), 2.0 * commit + 3.0);
    report
}

fn wish(n: usize) -> ReserveRequest {
    ReserveRequest {
        sku: sku(n),
        unit: None,
        quantity: 1,
        stores: vec![StoreId(1)],
        channel: Channel::Pickup,
        priority: 100,
        wanted_ms: 0,
        hold_ms: None,
        reference: Code::default(),
        soft: true,
    }
}
