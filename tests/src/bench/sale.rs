//! A sale acknowledged: from the till's request to the durable answer, at 1, 10 and 50 sales a second, in multiples of C, the
//! median time of a one-row two-phase redb commit on the same disk in the same run. Core and disk; a link to the hub is up and
//! takes its share.

use std::time::{Duration, Instant};

use stockroom_core::input::Command;

use super::feed::{commit_ms, sale};
use super::pair::Pair;
use super::{Benchmark, Effort, Report};

/// See the module.
pub const BENCHMARK: Benchmark =
    Benchmark { name: "sale", about: "latency of a durable sale at 1, 10 and 50 a second, in multiples of C", run };

fn run(effort: Effort) -> Report {
    let mut report = Report::new("sale");
    let commit = commit_ms(effort.pick(500, 20));
    report.note(format!("C is {commit:.2} ms here; a sale of one line, its hub connected over loopback"));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let pair = Pair::open(folder.path());
    let mut next = 0;
    for per_second in [1u32, 10, 50] {
        let seconds = effort.pick(20, 2) as u32;
        let mut latencies = Vec::new();
        let started = Instant::now();
        for n in 0..per_second * seconds {
            let due = Duration::from_secs(1) / per_second * n;
            while let Some(left) = due.checked_sub(started.elapsed()).filter(|left| !left.is_zero()) {
                std::thread::park_timeout(left);
            }
            let asked = Instant::now();
            let answer = pair.store.ask(Command::Sell(sale(next)));
            next += 1;
            assert!(answer.recv().is_ok_and(|answer| answer.is_ok()), "a sale is never refused");
            latencies.push(asked.elapsed().as_secs_f64() * 1000.0);
        }
        latencies.sort_by(f64::total_cmp);
        let at = |share: f64| latencies[((latencies.len() - 1) as f64 * share) as usize];
        let case = format!("{per_second} a second");
        report.add("stockroom", &case, "p50 in C", at(0.5) / commit);
        report.add("stockroom", &case, "p99 in C", at(0.99) / commit);
        report.add("stockroom", &case, "p50 ms", at(0.5));
        if per_second == 50 {
            report.add_at_most("stockroom", &case, "p99 ms", at(0.99), 2.0 * commit + 3.0);
        } else {
            report.add("stockroom", &case, "p99 ms", at(0.99));
        }
    }
    pair.close();
    report
}
