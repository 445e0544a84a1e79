//! After its first error a core gives that error and nothing else, also when the disk is well again; and a lookup that fails is an
//! error, never a "no".

#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use stockroom_core::continuity::Evidence;
use stockroom_core::core::{Config, Core, Identity};
use stockroom_core::input::enrolment::{EnrolRequest, TokenRequest};
use stockroom_core::input::{Answer, Command, CoreError, Input, Output, RequestId, RetryKey};
use stockroom_core::storage::memory::MemoryStore;
use stockroom_core::storage::{Direction, Reader, Row, Snapshot, Store, StoreError, Table, Writes};
use stockroom_core::time::Now;
use stockroom_core::tuning::Tuning;
use stockroom_crdt::capability::{Capability, Signer};
use stockroom_crdt::ids::{Code, Digest, StoreId, TenantId};
use stockroom_crdt::money::Currency;
use stockroom_sim::node::{Keys, SimNode};

#[test]
fn nothing_leaves_a_core_after_its_first_error_though_the_disk_is_well_again() {
    let (mut core, sick) = hub();
    ask(&mut core, 1, issue(1)).unwrap();
    core.commit(at(1)).unwrap();
    ask(&mut core, 2, issue(2)).unwrap();
    sick.store(COMMITS, Ordering::Relaxed);
    let first = core.commit(at(2)).unwrap_err().to_string();
    sick.store(WELL, Ordering::Relaxed);
    assert!(first.contains(FAILED), "{first}");
    let same = |error: CoreError| assert_eq!(error.to_string(), first);
    same(core.poll().unwrap_err());
    same(ask(&mut core, 3, issue(3)).unwrap_err());
    same(core.handle(at(3), Input::Stop).unwrap_err());
    same(core.commit(at(3)).unwrap_err());
    same(core.rebuild(StoreId(1)).unwrap_err());
    same(core.status().unwrap_err());
    same(core.poll().unwrap_err());
}

#[test]
fn an_error_while_a_command_runs_finishes_the_core_as_well() {
    let (mut core, sick) = store();
    sick.store(Table::Days as u8, Ordering::Relaxed);
    assert!(ask(&mut core, 1, open_day()).is_err());
    sick.store(WELL, Ordering::Relaxed);
    assert!(core.commit(at(1)).is_err(), "half of a command is never made durable");
    assert!(core.poll().is_err());
}

#[test]
fn an_issuer_that_cannot_be_looked_up_is_an_error_and_no_reason_to_disbelieve() {
    let (mut core, sick) = hub();
    ask(&mut core, 1, issue(1)).unwrap();
    core.commit(at(1)).unwrap();
    sick.store(Table::Nodes as u8, Ordering::Relaxed);
    let enrolled = ask(&mut core, 2, enrol(1));
    assert!(matches!(enrolled, Err(CoreError::Storage(_))), "{enrolled:?}");
}

#[test]
fn a_day_that_cannot_be_looked_up_is_not_signed_as_no_day() {
    let (mut core, sick) = store();
    ask(&mut core, 1, open_day()).unwrap();
    core.commit(at(1)).unwrap();
    sick.store(Table::Days as u8, Ordering::Relaxed);
    let stopped = core.handle(at(2), Input::Stop);
    assert!(matches!(stopped, Err(CoreError::Storage(_))), "{stopped:?}");
}

fn hub() -> (Core, Arc<AtomicU8>) {
    open(Keys::derive(1, 1), vec![SimNode::hub_capability(TENANT, &root(), &Keys::derive(1, 1))])
}

/// A store's node that a hub enrolled.
fn store() -> (Core, Arc<AtomicU8>) {
    let (mut core, _) = hub();
    ask(&mut core, 1, issue(1)).unwrap();
    ask(&mut core, 2, enrol(1)).unwrap();
    core.commit(at(1)).unwrap();
    while let Some(output) = core.poll().unwrap() {
        if let Output::Reply(_, Ok(Answer::Enrolled { chain, .. })) = output {
            return open(Keys::derive(1, 2), chain);
        }
    }
    panic!("the hub enrols a node");
}

fn open(keys: Keys, chain: Vec<Capability>) -> (Core, Arc<AtomicU8>) {
    let sick = Arc::new(AtomicU8::new(WELL));
    let identity =
        Identity { tenant: TENANT, root_key: root().public(), chain, signer: keys.signer(), seal_secret: [1; 32] };
    let config = Config {
        identity,
        evidence: Evidence { token: None, volume: Digest::of(&[b"volume"]), restored: false },
        seed: [1; 32],
        version: Code::default(),
        quarantine: None,
        tuning: Tuning::default(),
    };
    let store = SickStore { rows: MemoryStore::default(), sick: sick.clone() };
    (Core::open(config, Box::new(store), at(0)).unwrap(), sick)
}

fn ask(core: &mut Core, request: u64, command: Command) -> Result<(), CoreError> {
    core.handle(at(request), Input::Command(RequestId(request), Box::new(command)))
}

fn open_day() -> Command {
    let key = Digest::of(&[b"day"]);
    Command::DayOpen(RetryKey { key, body: key }, Code::default())
}

fn issue(number: u32) -> Command {
    Command::IssueToken(TokenRequest {
        token: token(number),
        store: StoreId(number),
        name: format!("Store {number}"),
        book: Code::parse("default").unwrap(),
        group: Code::default(),
        currency: Currency::parse("EUR").unwrap(),
        zone: Code::parse("UTC").unwrap(),
        rollover_min: 240,
        coordinates: None,
        valid_ms: 3_600_000,
    })
}

fn enrol(number: u32) -> Command {
    let keys = Keys::derive(1, number + 1);
    Command::Enrol(EnrolRequest { token: token(number), log_key: keys.signer().public(), seal_key: keys.seal_key() })
}

fn token(number: u32) -> Digest {
    Digest::of(&[b"token", &number.to_be_bytes()])
}

fn root() -> Signer {
    Signer::from_seed(&[9; 32])
}

fn at(second: u64) -> Now {
    Now { boot: 1, mono_ms: 1_000 * second, wall_ms: 1_767_600_000_000 + 1_000 * second }
}

/// Rows in memory that cannot be written, or of which one table cannot be read, while it is told so.
struct SickStore {
    rows: MemoryStore,
    sick: Arc<AtomicU8>,
}

struct SickReader {
    rows: Arc<dyn Reader>,
    sick: Arc<AtomicU8>,
}

struct SickSnapshot {
    rows: Arc<dyn Snapshot>,
    sick: Arc<AtomicU8>,
}

impl Store for SickStore {
    fn reader(&self) -> Arc<dyn Reader> {
        Arc::new(SickReader { rows: self.rows.reader(), sick: self.sick.clone() })
    }

    fn commit(&mut self, writes: &Writes) -> Result<(), StoreError> {
        fails(&self.sick, COMMITS)?;
        self.rows.commit(writes)
    }
}

impl Reader for SickReader {
    fn snapshot(&self) -> Result<Arc<dyn Snapshot>, StoreError> {
        Ok(Arc::new(SickSnapshot { rows: self.rows.snapshot()?, sick: self.sick.clone() }))
    }
}

impl Snapshot for SickSnapshot {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        fails(&self.sick, table as u8)?;
        self.rows.get(table, key)
    }

    fn scan(
        &self,
        table: Table,
        range: (Bound<&[u8]>, Bound<&[u8]>),
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        fails(&self.sick, table as u8)?;
        self.rows.scan(table, range, direction, limit)
    }
}

fn fails(sick: &AtomicU8, part: u8) -> Result<(), StoreError> {
    if sick.load(Ordering::Relaxed) == part { Err(StoreError(FAILED.into())) } else { Ok(()) }
}

const TENANT: TenantId = TenantId([7; 16]);

/// Parts that may be sick, beside tables by their numbers.
const WELL: u8 = u8::MAX;
const COMMITS: u8 = u8::MAX - 1;

const FAILED: &str = "the disk is sick";
