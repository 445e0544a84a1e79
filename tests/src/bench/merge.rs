//! `merge`: how many cells one core joins in memory in a second, beside a plain map and beside automerge.
//!
//! The same stream of writes goes into each: values of 24 bytes, keys in random order, each key several times, one in eight
//! writes older than what is held. Building the stream is not timed; taking it in is, with dropping what it replaces.

use std::collections::BTreeMap;
use std::time::Duration;

use ::automerge::transaction::Transactable;
use ::automerge::{ActorId, AutoCommit, Change, ROOT};

use stockroom_crdt::cell::{Cell, CellKey, Cells, Stamp};
use stockroom_crdt::ids::{Actor, Digest};

use super::{Benchmark, Effort, Report, fastest, time};

/// See the module.
pub const BENCHMARK: Benchmark =
    Benchmark { name: "merge", about: "cells joined per second in memory: ours, a plain map, automerge", run };

type Write = (CellKey, Cell<Box<[u8]>>);

fn run(effort: Effort) -> Report {
    let mut report = Report::new(BENCHMARK.name);
    let (merges, cells, rounds) = (effort.pick(1_000_000, 50_000), effort.pick(100_000, 5_000), effort.pick(7, 2));
    let writes = stream(merges, cells);
    let case = format!("{merges} merges over {cells} cells");
    report.note("one core, values of 24 bytes, entities of 8 bytes (a SKU) or 16 (the hash of an event)");

    let ours = per_second(merges, fastest(rounds, || ours(&writes)));
    let plain = per_second(merges, fastest(rounds, || plain(&writes)));
    report.add_at_least("Cells", &case, "merges/s", ours, 1_000_000.0);
    report.add("plain BTreeMap", &case, "merges/s", plain);
    report.add("Cells : plain", &case, "ratio", ours / plain);

    let changes = effort.pick(20_000, 2_000);
    for (documents, keys) in [(1, 1_000), (changes / 20, 10)] {
        let case = format!("{changes} changes, {documents} documents, {keys} keys each");
        let histories: Vec<_> = (0..documents).map(|_| history(changes / documents, keys)).collect();
        let rounds = effort.pick(3, 1);
        let each = per_second(changes, fastest(rounds, || histories.iter().map(|h| automerge_each(h)).sum()));
        let batch = per_second(changes, fastest(rounds, || histories.iter().map(|h| automerge_batch(h)).sum()));
        let small = stream(changes, documents * keys);
        let ours = per_second(changes, fastest(rounds, || self::ours(&small)));
        report.add("automerge, each", &case, "merges/s", each);
        report.add("automerge, batch", &case, "merges/s", batch);
        report.add("Cells", &case, "merges/s", ours);
        report.add("Cells : automerge each", &case, "ratio", ours / each);
        report.add("Cells : batch", &case, "ratio", ours / batch);
    }
    report
}

fn ours(writes: &[Write]) -> Duration {
    let writes = writes.to_vec();
    let merge = || {
        let mut cells = Cells::default();
        for (key, cell) in writes {
            cells.merge(key, cell);
        }
        cells
    };
    time(merge).0
}

/// What a map costs that keeps whatever came last: the least that ordered storage in memory can cost.
fn plain(writes: &[Write]) -> Duration {
    let writes = writes.to_vec();
    let insert = || {
        let mut map = BTreeMap::new();
        for (key, cell) in writes {
            map.insert(key, cell);
        }
        map
    };
    time(insert).0
}

fn automerge_each(history: &[Change]) -> Duration {
    let mut document = AutoCommit::new();
    time(|| history.iter().for_each(|change| document.apply_changes([change.clone()]).expect("in order"))).0
}

fn automerge_batch(history: &[Change]) -> Duration {
    let mut document = AutoCommit::new();
    time(|| document.apply_changes(history.iter().cloned()).expect("in order")).0
}

fn stream(merges: usize, cells: usize) -> Vec<Write> {
    let mut chance = Chance(1);
    let mut seqs = vec![0u64; cells];
    let write = |n: usize| {
        // Every cell once, then at random.
        let which = if n < cells { (n * 7_919) % cells } else { chance.below(cells as u64) as usize };
        seqs[which] += 1;
        let seq = if chance.below(8) == 0 { seqs[which] / 2 } else { seqs[which] };
        let hash = chance.next();
        let value: Vec<u8> = hash.to_be_bytes().repeat(3);
        (key(which), Cell { stamp: Stamp { seq, hash }, value: value.into() })
    };
    (0..merges).map(write).collect()
}

fn key(which: usize) -> CellKey {
    let event = which.is_multiple_of(2);
    let entity = if event {
        Digest::of(&[&which.to_be_bytes()]).short().to_vec()
    } else {
        format!("{:08}", 10_000_000 + which).into_bytes()
    };
    let writer = Actor::new(1 + (which % 3) as u32, 1);
    CellKey { entity: entity.into(), field: if event { 31 } else { 20 }, writer }
}

/// Changes of one document, each setting one of `keys` keys to 24 bytes.
fn history(changes: usize, keys: usize) -> Vec<Change> {
    let mut chance = Chance(1);
    let mut document = AutoCommit::new().with_actor(ActorId::from([7u8; 16]));
    for _ in 0..changes {
        let key = format!("{:08}", 10_000_000 + chance.below(keys as u64));
        document.put(ROOT, key, chance.next().to_be_bytes().repeat(3)).expect("a map takes any key");
        document.commit();
    }
    document.get_changes(&[])
}

fn per_second(count: usize, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64()
}

/// SplitMix64: the same stream in every run.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}
