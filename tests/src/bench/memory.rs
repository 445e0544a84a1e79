//! Memory of a store's core with a full shop: 50,000 products received under a rule, so that each has rows of rights to goods and to
//! the budget of soft promises. The store is filled in one process and opened in another, so that nothing of the filling is
//! counted. Core and database; a node adds its API and links.

use std::path::Path;
use std::process::Command as Process;

use stockroom_core::input::Command;
use stockroom_core::view::View;
use stockroom_crdt::ids::StoreId;
use stockroom_crdt::money::Unit;
use stockroom_crdt::stock::policy::{Allocation, PolicyRule, Target};
use stockroom_crdt::stock::rights::{Account, Class};

use super::market::{Market, Node, folder, sku};
use super::{Benchmark, Effort, Report};

/// See the module.
pub const BENCHMARK: Benchmark =
    Benchmark { name: "memory", about: "resident memory of a store's core with 50,000 products under a rule", run };

fn run(effort: Effort) -> Report {
    let mut report = Report::new("memory");
    let products = effort.pick(50_000, 500);
    let (_kept, path) = folder();
    let mut market = Market::open(&path);
    let rule = PolicyRule {
        lead_ms: 0,
        soft_ppm: 10_000,
        overbooking_ppm: 50_000,
        ..PolicyRule::of(Target::All, Allocation::Littlewood)
    };
    market.hub.must(Command::PolicyRule(super::market::retry(b"rule", 0), rule));
    market.stock(products);
    let rows = rows_of(&market.store, products);
    let Market { store, hub } = market;
    drop(hub);
    store.leave(&path);
    let (before, after) = resident(&path);
    let case = format!("{products} products");
    report.note("VmRSS of a process of its own: before the database is opened, and when the core is ready and settled");
    report.add("stockroom", &case, "rows of rights", rows as f64);
    report.add("stockroom", &case, "MB before", before / 1024.0);
    report.add_at_most("stockroom", &case, "MB when ready", after / 1024.0, 100.0);
    report.add("stockroom", &case, "bytes per product", (after - before) * 1024.0 / products as f64);
    report
}

/// KiB of a process of its own before it opens the store in a folder, and when that is ready and settled.
pub fn resident(folder: &Path) -> (f64, f64) {
    let program = std::env::current_exe().expect("a program knows where it is");
    let output = Process::new(program).args([RESIDENT, "--folder"]).arg(folder).output().expect("it starts again");
    let text = String::from_utf8_lossy(&output.stdout);
    let figures: Vec<f64> = text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let [before, after] = figures[..] else { panic!("no figures: {text} {}", String::from_utf8_lossy(&output.stderr)) };
    (before, after)
}

/// What the second process does: opens the store and says how much memory that took, in KiB.
pub fn say_resident(folder: &Path) {
    let before = resident_kib();
    let mut store = Node::reopen(folder);
    store.settle_alone();
    println!("{before} {}", resident_kib());
}

/// Rows of rights to the first and last product, times products.
fn rows_of(store: &Node, products: usize) -> usize {
    let snapshot = store.snapshot();
    let view = View::new(&*snapshot);
    let rows = |n| {
        let account = Account { store: StoreId(1), sku: sku(n), unit: Unit::Each };
        let classes = [Class::Goods, Class::Overbooking].into_iter();
        classes.map(|class| view.rights(&account, class).expect("the disk works").rows().count()).sum::<usize>()
    };
    assert!(rows(0) > 0 && rows(products - 1) > 0, "all goods have rights");
    rows(0) * products
}

/// VmRSS of this process.
fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("this is Linux");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("every process has one");
    line.split_whitespace().nth(1).and_then(|word| word.parse().ok()).expect("a number of kB")
}

/// The name under which the second process is started.
pub const RESIDENT: &str = "resident";
