//! Durable ingest at a hub: frames of sales decoded, verified, chained, applied to the books and committed, against redb
//! inserting one 24-byte row per operation with the same number of operations per two-phase commit.
//!
//! An operation is one line of a sale. Both write files in the same folder, in turn.

use std::time::Duration;

use redb::{Database, TableDefinition};

use stockroom_core::continuity::Evidence;
use stockroom_core::core::Identity;
use stockroom_core::ingest::RunIn;
use stockroom_core::replica::{Config, Replica};
use stockroom_core::storage::redb::RedbStore;
use stockroom_core::sync::frames::{Entries, Frame};
use stockroom_core::time::Now;
use stockroom_core::tuning::Tuning;
use stockroom_crdt::batch::Item;
use stockroom_crdt::capability::{Capability, Role, Signer};
use stockroom_crdt::chain::{Head, LogId, Moment, Seal, advance_by_digest};
use stockroom_crdt::clock::Hlc;
use stockroom_crdt::control::{EpochOpen, EpochReason};
use stockroom_crdt::entry::{Entry, Fact};
use stockroom_crdt::ids::{Actor, Code, Digest, NodeId, StoreId, TenantId};
use stockroom_crdt::scope::Scope;

use super::day::{self, Style};
use super::{Benchmark, Effort, Report, fastest, time};

/// See the module.
pub const BENCHMARK: Benchmark =
    Benchmark { name: "ingest", about: "durable ingest at a hub, against plain redb rows", run };

fn run(effort: Effort) -> Report {
    let mut report = Report::new("ingest");
    report.note(
        "an operation is one line of a sale; both sides commit in two phases with fsync, to files beside each other",
    );
    for batch in [256, 2_000] {
        let frames = frames(batch, effort);
        let operations: usize = frames.iter().map(|(_, lines)| lines).sum();
        let rounds = effort.pick(5, 1);
        let ours = fastest(rounds, || ours(&frames));
        let plain = fastest(rounds, || plain(&frames));
        let case = format!("{batch} per commit");
        let rate = |time: Duration| operations as f64 / time.as_secs_f64();
        report.add("stockroom", &case, "operations/s", rate(ours));
        report.add("redb rows", &case, "operations/s", rate(plain));
        report.add_at_least("stockroom", &case, "share of redb's rate", rate(ours) / rate(plain), 0.5);
    }
    report
}

/// Takes all frames in, one commit each.
fn ours(frames: &[(Vec<u8>, usize)]) -> Duration {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut hub = open_hub(folder.path());
    let (spent, ()) = time(|| {
        for (bytes, _) in frames {
            let Ok(Frame::Entries(entries)) = Frame::decode(bytes) else { panic!("a frame of our own") };
            for run in entries.runs {
                hub.ingest(STORE, run).unwrap_or_else(|error| panic!("{error:?}"));
            }
            hub.commit().expect("the disk works");
        }
    });
    spent
}

/// Inserts a row per operation, in as many commits.
fn plain(frames: &[(Vec<u8>, usize)]) -> Duration {
    const ROWS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("rows");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let database = Database::create(folder.path().join("plain.redb")).expect("the disk works");
    let mut key = 0u64;
    let (spent, ()) = time(|| {
        for (_, lines) in frames {
            let mut transaction = database.begin_write().expect("the disk works");
            transaction.set_two_phase_commit(true);
            {
                let mut rows = transaction.open_table(ROWS).expect("the disk works");
                for _ in 0..*lines {
                    key += 1;
                    // Keys in no order, as accounts are: 8 bytes of key and 16 of value.
                    rows.insert(key.wrapping_mul(0x9e37_79b9_7f4a_7c15), [7u8; 16].as_slice()).expect("the disk works");
                }
            }
            transaction.commit().expect("the disk works");
        }
    });
    spent
}

/// Frames of about `batch` lines each, as a store sends them, with the number of lines in each.
fn frames(batch: usize, effort: Effort) -> Vec<(Vec<u8>, usize)> {
    let mut sales: Vec<Entry> = day::entries(4, Style::Plain).into_values().flatten().collect();
    sales.truncate(effort.pick(usize::MAX, 200));
    let log = LogId {
        actor: Actor { node: STORE, epoch: stockroom_crdt::ids::Epoch(1) },
        scope: Scope::StoreStock(StoreId(1)),
    };
    let open = EpochOpen { nonce: [0; 16], reason: EpochReason::First, previous: None, chain: store_chain() };
    let opening = Item::new(Entry { hlc: Hlc::new(1, 0), fact: Fact::EpochOpen(open) });
    let mut head = Head { seq: 0, hash: log.genesis(TENANT) };
    let mut out = vec![frame(&log, &mut head, vec![opening])];
    let (mut items, mut lines) = (Vec::new(), 0);
    for (number, mut entry) in sales.into_iter().enumerate() {
        let Fact::Sale(sale) = &mut entry.fact else { continue };
        // Three stores' sales become one till's, so that one log takes them all.
        (sale.till_seq, sale.receipt.sequence) = (number as u64 + 1, number as u64 + 1);
        lines += sale.lines.len();
        items.push(Item::new(entry));
        if lines >= batch || items.len() == 256 {
            let (bytes, _) = frame(&log, &mut head, std::mem::take(&mut items));
            out.push((bytes, std::mem::take(&mut lines)));
        }
    }
    out
}

fn frame(log: &LogId, head: &mut Head, items: Vec<Item>) -> (Vec<u8>, usize) {
    let (first, before) = (head.seq + 1, std::array::from_fn(|i| head.hash.0[i]));
    for item in &items {
        *head = Head { seq: head.seq + 1, hash: advance_by_digest(head.hash, item.digest()) };
    }
    let moment = Moment { boot: 1, mono_ms: head.seq, wall_ms: head.seq, day: 1 };
    let seal = Seal::sign(&signer(STORE.0), TENANT, log, *head, moment);
    let run = RunIn { log: log.clone(), first, before, items, seal: Some(seal) };
    let entries =
        Entries { scope: log.scope.clone(), feed_epoch: 1, after: 0, to: head.seq, complete: true, runs: vec![run] };
    (Frame::Entries(entries).encode(u16::MAX), 0)
}

fn open_hub(folder: &std::path::Path) -> Replica {
    let path = folder.join("hub.redb");
    let file = std::fs::File::options().read(true).write(true).create_new(true).open(path).expect("a fresh folder");
    let backend = redb::backends::FileBackend::new(file).expect("nobody else has the file");
    let store = RedbStore::open(backend, 64 << 20).expect("the disk works");
    let identity = Identity {
        tenant: TENANT,
        root_key: signer(0).public(),
        chain: vec![hub()],
        signer: signer(1),
        seal_secret: [0; 32],
    };
    let evidence = Evidence { token: None, volume: Digest([0; 32]), restored: false };
    let version = Code::parse("bench").expect("a short word");
    let config = Config { identity, evidence, seed: [1; 32], version, quarantine: None, tuning: Tuning::default() };
    let now = Now { boot: 1, mono_ms: 0, wall_ms: 1_800_000_000_000 };
    Replica::open(config, Box::new(store), now).expect("a fresh database")
}

fn hub() -> Capability {
    capability(NodeId(1), Role::Hub, 0)
}

fn store_chain() -> Vec<Capability> {
    vec![hub(), capability(STORE, Role::Store, 1)]
}

fn capability(node: NodeId, role: Role, issuer: u32) -> Capability {
    Capability {
        node,
        role,
        store: StoreId(u32::from(role == Role::Store)),
        log_key: signer(node.0).public(),
        seal_key: [0; 32],
        range_first: 2,
        range_last: 99,
        issued_ms: 0,
        issuer: NodeId(issuer),
        signature: [0; 64],
    }
    .sign(TENANT, &signer(issuer))
}

fn signer(node: u32) -> Signer {
    Signer::from_seed(&Digest::of(&[b"bench", &node.to_be_bytes()]).0)
}

const TENANT: TenantId = TenantId([5; 16]);
const STORE: NodeId = NodeId(2);
