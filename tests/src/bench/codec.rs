//! `codec`: what a sale costs on a link, in bytes and in time.
//!
//! An operation is one line of a sale: one movement of one SKU. A batch is whole sales of one store, in order, with as nearly
//! so many lines as they allow; it is encoded as runs of at most 256 entries and one seal.

use std::collections::BTreeMap;
use std::time::Duration;

use stockroom_crdt::batch::{Item, decode_run, encode_run};
use stockroom_crdt::capability::Signer;
use stockroom_crdt::chain::{Head, LogId, Moment, Seal, advance};
use stockroom_crdt::codec::{Rows, col, take_varint};
use stockroom_crdt::entry::{Entry, Fact};
use stockroom_crdt::ids::{Actor, Digest, StoreId, TenantId};
use stockroom_crdt::limits::RUN_ENTRIES_MAX;
use stockroom_crdt::sale::Sale;
use stockroom_crdt::scope::Scope;

use super::cost::{automerge, json};
use super::day::{Style, entries};
use super::{Benchmark, Effort, Report, fastest, time};

/// See the module.
pub const BENCHMARK: Benchmark =
    Benchmark { name: "codec", about: "bytes and time per line of a sale: ours, automerge, JSON", run };

fn run(effort: Effort) -> Report {
    let mut report = Report::new(BENCHMARK.name);
    report.note(
        "operation = one sale line = one movement of one SKU; whole sales, as near to so many lines as they come",
    );
    report.note("bytes of ours include the chain and one seal per batch; automerge and JSON sign nothing");
    report.note(
        "plain: cash, no tax. full: tax per line, discount reasons, cashiers, card references, change (bench/day.rs)",
    );
    for style in [Style::Plain, Style::Full] {
        for tills in [1, 4] {
            sizes(&mut report, style, tills);
        }
        others(&mut report, style, effort);
        columns(&mut report, style);
    }
    times(&mut report, effort);
    report
}

fn sizes(report: &mut Report, style: Style, tills: u32) {
    let stores = entries(tills, style);
    for lines in LINES {
        let batches: Vec<Vec<Item>> = stores.values().flat_map(|store| batches(store, lines)).collect();
        let sum = |of: &dyn Fn(&Item) -> usize| batches.iter().flatten().map(of).sum::<usize>() as f64;
        let (sales, lines_of_all) = (sum(&|_| 1), sum(&line_count));
        let seals = batches.iter().map(|batch| sealed(batch).1.len()).sum::<usize>() as f64;
        let bytes = seals + batches.iter().flat_map(|batch| runs(batch)).map(|run| run.len()).sum::<usize>() as f64;
        let case = format!("{}, {tills} till{}, {lines} lines", style.as_str(), if tills == 1 { "" } else { "s" });
        let ours = bytes / lines_of_all;
        if lines >= 50 {
            report.add_at_most("ours", &case, "bytes/line", ours, 12.0);
        } else {
            report.add("ours", &case, "bytes/line", ours);
        }
        report.add("seal alone", &case, "bytes/line", seals / lines_of_all);
        report.add("canonical, unsealed", &case, "bytes/line", sum(&|item| item.bytes.len()) / lines_of_all);
        report.add("ours", &case, "bytes/sale", bytes / sales);
        report.add("lines", &case, "mean batch", lines_of_all / batches.len() as f64);
        report.add("sales", &case, "mean batch", sales / batches.len() as f64);
        report.add("batches", &case, "mean batch", batches.len() as f64);
    }
}

/// What others need for the same sales. Their size does not depend on the batch.
fn others(report: &mut Report, style: Style, effort: Effort) {
    let sales = sales(style, effort);
    let lines = sales.iter().map(|sale| sale.lines.len()).sum::<usize>() as f64;
    let case = format!("{}, each sale by itself", style.as_str());
    let json: usize = sales.iter().map(|sale| json::encode(sale).len()).sum();
    let (raw, packed) = sales.iter().map(automerge::bytes).fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    for (subject, bytes) in [("automerge raw_bytes", raw), ("automerge deflated", packed), ("JSON", json)] {
        report.add(subject, &case, "bytes/line", bytes as f64 / lines);
        report.add(subject, &case, "bytes/sale", bytes as f64 / sales.len() as f64);
    }
}

/// Where the bytes of the link encoding go, per column, in batches of 200 lines.
fn columns(report: &mut Report, style: Style) {
    let stores = entries(4, style);
    let batches: Vec<Vec<Item>> = stores.values().flat_map(|store| batches(store, 200)).collect();
    let lines: usize = batches.iter().flatten().map(line_count).sum();
    let mut sums: BTreeMap<&str, usize> = BTreeMap::new();
    for run in batches.iter().flat_map(|batch| runs(batch)) {
        for (column, bytes) in dissect(&run) {
            *sums.entry(column).or_default() += bytes;
        }
    }
    let mut sums: Vec<_> = sums.into_iter().collect();
    sums.sort_by_key(|&(_, bytes)| std::cmp::Reverse(bytes));
    let measure = format!("bytes/line by column, {}, 4 tills, 200 lines", style.as_str());
    for (column, bytes) in sums {
        report.add("ours", column, &measure, bytes as f64 / lines as f64);
    }
}

fn times(report: &mut Report, effort: Effort) {
    let rounds = effort.pick(15, 2);
    let sales = sales(Style::Full, effort);
    let entries: Vec<Entry> = entries(4, Style::Full).into_values().flatten().take(sales.len()).collect();
    let items: Vec<Item> = entries.iter().cloned().map(Item::new).collect();
    let lines: usize = items.iter().map(line_count).sum();
    let encoded: Vec<Vec<u8>> = runs(&items);
    let mut add = |subject: &str, case: &str, time: Duration| {
        report.add(subject, case, "ns/line (full, 4 tills, runs of 256 sales)", time.as_nanos() as f64 / lines as f64);
    };
    add("ours", "encode", fastest(rounds, || time(|| runs(&items)).0));
    add("ours", "encode from facts, hash, sign", fastest(rounds, || time(|| write(&entries)).0));
    add("ours", "decode", fastest(rounds, || time(|| read(&encoded)).0));
    add("ours", "decode, hash, check the seal", fastest(rounds, || time(|| check(&encoded, &items)).0));
    let texts: Vec<Vec<u8>> = sales.iter().map(json::encode).collect();
    add("JSON", "encode", fastest(rounds, || time(|| sales.iter().map(json::encode).collect::<Vec<_>>()).0));
    add(
        "JSON",
        "decode",
        fastest(rounds, || time(|| texts.iter().map(|text| json::decode(text)).collect::<Vec<_>>()).0),
    );
    let changes: Vec<Vec<u8>> = sales.iter().map(automerge::encode).collect();
    let rounds = effort.pick(3, 1);
    add("automerge", "encode", fastest(rounds, || time(|| sales.iter().map(automerge::encode).collect::<Vec<_>>()).0));
    add(
        "automerge",
        "decode",
        fastest(rounds, || time(|| changes.iter().map(|c| automerge::decode(c)).collect::<Vec<_>>()).0),
    );
}

fn write(entries: &[Entry]) -> (Vec<Vec<u8>>, Vec<u8>) {
    let items: Vec<Item> = entries.iter().cloned().map(Item::new).collect();
    (runs(&items), sealed(&items).1)
}

fn read(encoded: &[Vec<u8>]) -> Vec<Item> {
    encoded.iter().flat_map(|run| decode_run(run).expect("our own run")).collect()
}

fn check(encoded: &[Vec<u8>], written: &[Item]) -> Vec<Item> {
    let items = read(encoded);
    let (seal, _) = sealed(written);
    assert!(seal.verify(&signer().public(), TENANT, &log(), chained(&items)), "our own seal");
    items
}

/// Whole sales in order, cut where a batch comes nearest to `lines`; batches of one line are the sales with one line.
fn batches(store: &[Entry], lines: usize) -> Vec<Vec<Item>> {
    let mut batches = Vec::new();
    let (mut batch, mut held) = (Vec::new(), 0);
    for item in store.iter().cloned().map(Item::new).filter(|item| lines > 1 || line_count(item) == 1) {
        let with_it = held + line_count(&item);
        if held > 0 && with_it.abs_diff(lines) > held.abs_diff(lines) {
            batches.push(std::mem::take(&mut batch));
            held = 0;
        }
        held += line_count(&item);
        batch.push(item);
    }
    // The rest of the day is no whole batch, unless it is all there is.
    if batches.is_empty() {
        batches.push(batch);
    }
    batches
}

fn runs(items: &[Item]) -> Vec<Vec<u8>> {
    items.chunks(RUN_ENTRIES_MAX).map(|chunk| encode_run(chunk, u16::MAX)).collect()
}

fn sealed(items: &[Item]) -> (Seal, Vec<u8>) {
    let moment = Moment { boot: 0x5bd1_e995_9d1d_87c3, mono_ms: 181_440_000, wall_ms: 1_795_300_000_000, day: 412 };
    let head = Head { seq: 100_000 + items.len() as u64, hash: chained(items) };
    let seal = Seal::sign(&signer(), TENANT, &log(), head, moment);
    let bytes = Rows::of(|rows| seal.encode(rows));
    (seal, bytes)
}

fn chained(items: &[Item]) -> Digest {
    items.iter().fold(log().genesis(TENANT), |hash, item| advance(hash, &item.bytes))
}

fn signer() -> Signer {
    Signer::from_seed(&[7; 32])
}

fn log() -> LogId {
    LogId { actor: Actor::new(150, 1), scope: Scope::StoreStock(StoreId(1)) }
}

fn sales(style: Style, effort: Effort) -> Vec<Sale> {
    let sale = |entry: Entry| if let Fact::Sale(sale) = entry.fact { Some(sale) } else { None };
    let all = entries(4, style).into_values().flatten().filter_map(sale);
    all.take(effort.pick(usize::MAX, 60)).collect()
}

fn line_count(item: &Item) -> usize {
    if let Fact::Sale(sale) = &item.entry.fact { sale.lines.len() } else { 0 }
}

/// The columns of a run with their bytes, heads included.
fn dissect(run: &[u8]) -> Vec<(&'static str, usize)> {
    let mut rest = &run[1..];
    take_varint(&mut rest).expect("the number of entries");
    let mut columns = vec![("run head", run.len() - rest.len())];
    if run[0] == 0 {
        columns.push(("rows", rest.len()));
        return columns;
    }
    let mut column = 0;
    while !rest.is_empty() {
        let before = rest.len();
        let head = take_varint(&mut rest).expect("a head");
        column += (head >> 4) as usize;
        let constant = head >> 1 & 7 == 3;
        let numbers = if constant { 0 } else { take_varint(&mut rest).expect("a length") as usize };
        let strings = if head & 1 == 1 { take_varint(&mut rest).expect("a length") as usize } else { 0 };
        if constant {
            take_varint(&mut rest).expect("a constant");
        }
        rest = &rest[numbers + strings..];
        columns.push((COLUMNS[column], before - rest.len()));
        column += 1;
    }
    columns
}

const LINES: [usize; 5] = [1, 10, 50, 200, 2_000];
const TENANT: TenantId = TenantId([9; 16]);

/// The names of `codec::col`, in order.
const COLUMNS: [&str; col::COUNT_OF_COLUMNS] = [
    "KIND",
    "HLC_MS",
    "HLC_COUNTER",
    "RAW",
    "ACTOR_NODE",
    "ACTOR_EPOCH",
    "SEQ",
    "DIGEST",
    "SIGNATURE",
    "SCOPE",
    "SCOPE_ID",
    "STORE",
    "TILL",
    "TILL_SEQ",
    "SERIES",
    "RECEIPT",
    "DAY",
    "FLAGS",
    "TIME",
    "CURRENCY",
    "STAFF",
    "SKU",
    "SKU_TEXT",
    "QUANTITY",
    "UNIT",
    "PRICE",
    "DISCOUNT",
    "REASON",
    "TAX_CODE",
    "TAX_RATE",
    "TAX_AMOUNT",
    "LINE_COUNT",
    "LINE_FLAGS",
    "TENDER_COUNT",
    "TENDER",
    "AMOUNT",
    "REFERENCE",
    "ENTITY",
    "NAME",
    "GTIN",
    "PACK",
    "LOT",
    "EXPIRY",
    "COUNT",
    "A",
    "B",
    "C",
    "D",
    "E",
    "KEY",
    "POSITION",
    "FISCAL",
];
