//! A disk that fails, fills up, rots and lies under the real store. What cannot be survived is noticed: the core stops, or opens a new
//! epoch; it never goes on as if nothing were missing.

#![allow(clippy::unwrap_used, clippy::disallowed_macros, reason = "a test says its seed and stops where it fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use stockroom_core::input::sales::{SellLine, SellRequest};
use stockroom_core::input::{Answer, Command, CoreError};
use stockroom_core::journal::walk::{self, Extent};
use stockroom_core::storage::{Snapshot, Store, Table};
use stockroom_crdt::control::EpochReason;
use stockroom_crdt::ids::{Code, Digest, NodeId, Sku, StoreId, TenantId, TillId};
use stockroom_crdt::money::Unit;
use stockroom_crdt::receiving::Disposition;
use stockroom_crdt::sale::{Tender, TenderKind};
use stockroom_sim::crash;
use stockroom_sim::disk::fault::{Fault, Strike};
use stockroom_sim::disk::platter::Kept;
use stockroom_sim::disk::{Disk, FaultyDisk};
use stockroom_sim::oracle::{books, gaps, rows, sale};
use stockroom_sim::solo::Solo;
use stockroom_sim::world::World;

const HUB: u32 = 1;
const STORE: u32 = 2;

#[test]
fn a_call_that_fails_ends_the_core_and_takes_no_answered_sale_with_it() {
    let mut struck = BTreeMap::new();
    println!("seeds 0..240");
    for seed in 0..240 {
        let mut till = Till::open(seed);
        let fault = [Fault::WriteError, Fault::SyncError, Fault::LengthError, Fault::ReadError][till.below(4) as usize];
        if fault == Fault::ReadError {
            till.reopen_with_cache(SMALL_CACHE_BYTES);
        }
        let n = if fault == Fault::LengthError { 1 } else { 1 + till.below(60) };
        till.disk.plan(fault, if seed % 2 == 0 { Strike::Once(n) } else { Strike::From(n) });
        let error = till.sell_until_error(400, 30);
        if !till.disk.faults().contains_key(fault.name()) {
            continue;
        }
        *struck.entry(fault.name()).or_insert(0) += 1;
        assert!(matches!(error, Some(CoreError::Storage(_))), "seed {seed}, {fault:?}: {error:?}");
        assert_eq!(till.solo.deliver().unwrap_or_default(), [], "seed {seed}: nothing leaves after the failure");
        assert!(till.sell(30).is_err(), "seed {seed}: what is on disk is unknown now: nothing more is answered");
        till.go_down(seed % 4 < 2);
        till.disk.heal();
        till.solo.start().unwrap_or_else(|error| panic!("seed {seed}, {fault:?}: {error}"));
        till.all_there(&format!("seed {seed}, {fault:?}"));
        (0..3).for_each(|_| till.sell(30).unwrap());
        till.all_there(&format!("seed {seed}, {fault:?}, later"));
    }
    println!("{struck:?}");
    assert!(struck.len() == 4 && struck.values().all(|&count| count > 10), "{struck:?}");
}

#[test]
fn a_disk_that_fails_while_the_node_starts_lets_it_start_later() {
    let mut refused = 0;
    println!("seeds 0..160");
    for seed in 0..160 {
        let mut till = Till::open(seed);
        (0..10).for_each(|_| till.sell(700).unwrap());
        till.go_down(seed % 2 == 0);
        let fault = [Fault::WriteError, Fault::SyncError, Fault::ReadError, Fault::StaleRead][seed as usize % 4];
        let n = 1 + till.below(16);
        till.disk.plan(fault, Strike::Once(n));
        match till.solo.start() {
            Ok(()) => till.all_there(&format!("seed {seed}, {fault:?}")),
            Err(CoreError::Storage(_)) => refused += 1,
            Err(error) => panic!("seed {seed}: {error}"),
        }
        till.go_down(true);
        till.disk.heal();
        till.solo.start().unwrap_or_else(|error| panic!("seed {seed}, {fault:?}: {error}"));
        till.all_there(&format!("seed {seed}, {fault:?}, later"));
    }
    assert!(refused > 40, "{refused}");
}

#[test]
fn a_full_disk_ends_the_core_and_takes_no_answered_sale_with_it() {
    let mut full = 0;
    println!("seeds 0..60");
    for seed in 0..60 {
        let mut till = Till::open(seed);
        let room = 4_096 * till.below(40) as usize;
        till.disk.fill(room);
        let Some(error) = till.sell_until_error(2_000, 30) else { continue };
        full += u64::from(till.disk.faults().contains_key(Fault::Full.name()));
        assert!(matches!(error, CoreError::Storage(_)), "seed {seed}: {error}");
        assert_eq!(till.solo.deliver().unwrap_or_default(), [], "seed {seed}: nothing leaves after the failure");
        till.go_down(seed % 2 == 0);
        match till.solo.start() {
            Ok(()) => till.all_there(&format!("seed {seed}, still full")),
            Err(error) => assert!(matches!(error, CoreError::Storage(_)), "seed {seed}: {error}"),
        }
        till.go_down(seed % 3 == 0);
        till.disk.heal();
        till.solo.start().unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        (0..3).for_each(|_| till.sell(30).unwrap());
        till.all_there(&format!("seed {seed}, with room again"));
    }
    assert!(full > 50, "{full}");
}

#[test]
fn a_lying_sync_is_noticed_as_far_as_the_token_reaches() {
    let mut seen = BTreeMap::new();
    println!("seeds 0..300");
    for seed in 0..300 {
        // Every second the token follows. Slower sales are all named by it; faster ones may be lost between two tokens.
        let pause_ms = [2_000, 100][seed as usize % 2];
        let mut till = Till::open(seed);
        (0..5).for_each(|_| till.sell(pause_ms).unwrap());
        let n = 1 + till.below(8);
        till.disk.plan(Fault::LyingSync, if seed % 3 == 0 { Strike::Once(n) } else { Strike::From(n) });
        (0..1 + till.below(30)).for_each(|_| till.sell(pause_ms).unwrap());
        till.disk.heal();
        till.disk.cut_keeping(if seed % 5 == 0 { Kept::Chance } else { Kept::Nothing });
        *seen.entry((pause_ms, till.verdict(&format!("seed {seed}")))).or_insert(0) += 1;
    }
    println!("{seen:?}");
    assert!(!seen.contains_key(&(2_000, Verdict::AfterToken)), "{seen:?}");
    let wanted = [(2_000, Verdict::Whole), (2_000, Verdict::NewEpoch), (100, Verdict::AfterToken)];
    assert!(wanted.iter().all(|verdict| seen.contains_key(verdict)), "{seen:?}");
    assert!(!seen.keys().any(|(_, verdict)| *verdict == Verdict::Silent), "{seen:?}");
}

#[test]
fn sales_that_a_lying_sync_took_come_back_from_the_hub() {
    for seed in 0..8 {
        println!("seed {seed}");
        let mut world = World::with_stores(seed, 1);
        world.put_products(&[("TEA", Unit::Each)]);
        world.connect(STORE, HUB);
        world.run_ms(3_000);
        world.crash(STORE);
        let disk = platter(&world.nodes[&STORE].disk, seed);
        world.nodes.get_mut(&STORE).unwrap().disk = Disk::Platter(disk.clone());
        world.start(STORE);
        world.connect(STORE, HUB);
        for n in 1..=20 {
            if n == 8 {
                disk.plan(Fault::LyingSync, Strike::From(1 + seed));
            }
            world.sell(STORE, 1, n, &[("TEA", 1)]).unwrap();
            world.run_ms(1_500);
        }
        disk.heal();
        disk.cut_keeping(Kept::Nothing);
        world.crash(STORE);
        world.start(STORE);
        assert_eq!(world.status(STORE).epoch.0, 2, "the token knows better");
        let held = books(&*world.snapshot(STORE), StoreId(1)).sales.len();
        assert!(held < 20, "{held} sales are left: nothing was lost");
        world.connect(STORE, HUB);
        world.run_ms(20_000);
        let books = books(&*world.snapshot(STORE), StoreId(1));
        assert_eq!((books.sales.len(), gaps(&books)), (20, Vec::new()));
        assert_eq!(books.stock["TEA/each"].0, -20);
    }
}

#[test]
fn a_write_that_is_lost_or_lands_elsewhere_is_noticed_at_the_next_start() {
    let mut seen = BTreeMap::new();
    println!("seeds 0..300");
    for seed in 0..300 {
        let mut till = Till::open(seed);
        (0..5).for_each(|_| till.sell(2_000).unwrap());
        let n = 1 + till.below(40);
        till.disk.plan([Fault::LostWrite, Fault::Misdirected][seed as usize % 2], Strike::Once(n));
        (0..1 + till.below(6)).for_each(|_| till.sell(2_000).unwrap());
        till.disk.cut();
        *seen.entry(till.verdict(&format!("seed {seed}"))).or_insert(0) += 1;
    }
    println!("{seen:?}");
    assert!(seen[&Verdict::Whole] > 50 && seen[&Verdict::Refused] > 20, "{seen:?}");
    assert!(!seen.contains_key(&Verdict::AfterToken) && !seen.contains_key(&Verdict::Silent), "{seen:?}");
}

#[test]
fn disks_that_were_swapped_are_not_opened() {
    let mut world = World::with_stores(1, 2);
    for id in [STORE, 3] {
        world.crash(id);
    }
    let mut disks = [STORE, 3].map(|id| Disk::Platter(platter(&world.nodes[&id].disk, 1)));
    disks.swap(0, 1);
    for (id, disk) in [STORE, 3].into_iter().zip(disks) {
        let now_ms = world.now_ms;
        let node = world.nodes.get_mut(&id).unwrap();
        node.disk = disk;
        let opened = node.start(now_ms, [1; 32]);
        assert!(matches!(opened, Err(CoreError::Mismatch(_))), "{opened:?}");
    }
}

#[test]
fn a_slow_disk_is_counted_and_changes_nothing_else() {
    let (mut plain, mut slow) = (Till::open(3), Till::open(3));
    slow.disk.slow(40);
    for till in [&mut plain, &mut slow] {
        (0..10).for_each(|_| till.sell(100).unwrap());
    }
    assert_eq!(rows(&*plain.solo.snapshot()), rows(&*slow.solo.snapshot()));
    assert!(slow.disk.ticks() > 20 * plain.disk.ticks(), "{} {}", slow.disk.ticks(), plain.disk.ticks());
    assert!(slow.disk.faults()[Fault::Slow.name()] > 0);
}

#[test]
fn a_bit_that_turned_over_is_found_by_the_next_start_or_does_no_harm_also_after_a_clean_stop() {
    for unclean in [true, false] {
        let mut worn = Worn::new(1, 200, unclean);
        let mut seen = BTreeMap::new();
        for seed in 0..500 {
            let disk = FaultyDisk::of(worn.disk.still(), seed);
            disk.rot(1, None);
            *seen.entry(worn.look(&disk)).or_insert(0) += 1;
        }
        println!("any bit, unclean stop {unclean}: {seen:?}");
        assert!(seen.keys().all(|finding| matches!(finding, Finding::Refused | Finding::Harmless)), "{seen:?}");
        assert!(seen[&Finding::Refused] > 50, "{seen:?}");
    }
}

#[test]
fn every_bit_of_the_header_may_rot() {
    // One bit says which of the two newest commits counts. No checksum covers it: only the token knows that one is missing.
    let mut worn = Worn::new(2, 60, true);
    let mut seen = BTreeMap::new();
    for bit in 0..8 * HEADER_BYTES {
        let disk = FaultyDisk::of(worn.disk.still(), 1);
        disk.flip(bit / 8, (bit % 8) as u8);
        *seen.entry(worn.look(&disk)).or_insert(0) += 1;
    }
    println!("header: {seen:?}");
    assert_eq!(seen.get(&Finding::NewEpoch), Some(&1), "{seen:?}");
    assert!(!seen.contains_key(&Finding::Silent) && !seen.contains_key(&Finding::Panicked), "{seen:?}");
}

#[test]
fn every_step_of_a_small_day_may_be_the_last() {
    let report = crash::exhaustive(3);
    println!("{report:?}");
    assert_eq!(report.violations, Vec::<String>::new());
    assert_eq!((report.opened, report.lost_acked, report.epochs_opened), (report.images, 0, 0));
    assert!(report.moments > 100 && report.double > 1_000 && report.acked > 1_000, "{report:?}");
    assert!(report.unanswered.0 > 0 && report.unanswered.1 > 0, "{report:?}");
}

#[test]
fn random_moments_of_random_days_may_be_the_last() {
    let report = crash::images(11, 400);
    println!("{report:?}");
    assert_eq!(report.violations, Vec::<String>::new());
    assert_eq!((report.opened, report.lost_acked, report.epochs_opened), (report.images, 0, 0));
    assert!(report.double > 50 && report.triple > 50 && report.rebuilt > 40, "{report:?}");
    let wanted = [Fault::Lost, Fault::Torn, Fault::Reordered, Fault::Shortened];
    assert!(wanted.iter().all(|fault| report.faults.contains_key(fault.name())), "{report:?}");
}

/// A till at a store's own node on a faulty disk, and what it was answered.
struct Till {
    solo: Solo,
    disk: FaultyDisk,
    rng: ChaCha8Rng,
    next: u64,
    answered: BTreeSet<u64>,
    /// The token that was outside last, and what had been answered before it.
    named: (Option<Vec<u8>>, BTreeSet<u64>),
}

impl Till {
    fn open(seed: u64) -> Self {
        let mut world = World::with_stores(seed, 1);
        world.put_products(&[("TEA", Unit::Each)]);
        world.connect(STORE, HUB);
        world.run_ms(3_000);
        world.crash(STORE);
        let mut node = world.nodes.remove(&STORE).unwrap();
        let disk = platter(&node.disk, seed);
        node.disk = Disk::Platter(disk.clone());
        let mut solo = Solo::new(node, world.now_ms, seed);
        solo.start().unwrap();
        let (answered, named) = Default::default();
        Self { solo, disk, rng: ChaCha8Rng::seed_from_u64(seed), next: 1, answered, named }
    }

    fn sell(&mut self, pause_ms: u64) -> Result<(), CoreError> {
        self.solo.now_ms += pause_ms;
        let request = request(self.next);
        self.next += 1;
        self.solo.handle(Command::Sell(request))?;
        self.solo.commit()?;
        let answers = self.solo.deliver()?;
        assert!(matches!(answers.as_slice(), [(_, Ok(Answer::Written { .. }))]), "{answers:?}");
        self.answered.insert(self.next - 1);
        if self.named.0 != self.solo.node.token {
            self.named = (self.solo.node.token.clone(), self.answered.clone());
        }
        Ok(())
    }

    fn sell_until_error(&mut self, sales: u64, pause_ms: u64) -> Option<CoreError> {
        (0..sales).find_map(|_| self.sell(pause_ms).err())
    }

    /// The process ends; perhaps because the power does.
    fn go_down(&mut self, power_cut: bool) {
        if power_cut {
            self.solo.node.stop();
        }
        self.solo.node.core = None;
        self.solo.now_ms += 1_000;
    }

    fn reopen_with_cache(&mut self, bytes: usize) {
        self.go_down(false);
        self.disk.cache(bytes);
        self.solo.start().unwrap();
    }

    fn held(&self) -> BTreeSet<u64> {
        let snapshot = self.solo.snapshot();
        let there = |n: &u64| sale(&*snapshot, StoreId(1), TillId(1), *n).is_some();
        (1..self.next).filter(there).collect()
    }

    /// Every answered sale is there, numbered without a gap, in the first epoch.
    fn all_there(&self, what: &str) {
        let held = self.held();
        assert!(self.answered.is_subset(&held), "{what}: {:?} are lost", self.answered.difference(&held));
        let books = books(&*self.solo.snapshot(), StoreId(1));
        assert_eq!((books.sales.len(), gaps(&books)), (held.len(), Vec::new()), "{what}");
        assert_eq!(self.solo.core().status().unwrap().epoch.0, 1, "{what}");
    }

    /// Starts after a disk lied, and says what was noticed.
    fn verdict(&mut self, what: &str) -> Verdict {
        self.go_down(true);
        match catch_unwind(AssertUnwindSafe(|| self.solo.start())) {
            Err(_) => return Verdict::Panicked,
            Ok(Err(CoreError::Storage(_))) => return Verdict::Refused,
            Ok(Err(error)) => panic!("{what}: {error}"),
            Ok(Ok(())) => {}
        }
        let status = self.solo.core().status().unwrap();
        let held = self.held();
        if status.epoch.0 > 1 {
            assert_eq!(status.epoch_reason, EpochReason::TokenAhead, "{what}");
            assert!(status.rights_locked, "{what}");
            return Verdict::NewEpoch;
        }
        let snapshot = self.solo.snapshot();
        let (tenant, node) = self.identity();
        if !is_signed(&*snapshot, (tenant, node)) {
            return Verdict::Walked;
        }
        if !self.named.1.is_subset(&held) {
            return Verdict::Silent;
        }
        let before = books(&*snapshot, StoreId(1));
        self.solo.core_mut().rebuild(StoreId(1)).unwrap();
        self.solo.commit().unwrap();
        match (books(&*self.solo.snapshot(), StoreId(1)) == before, self.answered.is_subset(&held)) {
            (false, _) => Verdict::Silent,
            (true, false) => Verdict::AfterToken,
            (true, true) => Verdict::Whole,
        }
    }

    fn identity(&self) -> (TenantId, NodeId) {
        let meta = self.solo.snapshot().get(Table::Meta, b"tenant").unwrap().unwrap();
        (TenantId(meta.try_into().unwrap()), self.solo.node.chain.last().unwrap().node)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.rng.next_u64() % bound
    }
}

/// What a start made of a disk that had lied.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Verdict {
    /// Every answered sale is there, and the books are what the logs say.
    Whole,
    /// The database does not open.
    Refused,
    /// It opens, and the walk of the own logs refuses it.
    Walked,
    /// The store panics: the process is gone.
    Panicked,
    /// The token is ahead: a new epoch without rights.
    NewEpoch,
    /// Sales are gone that were answered after the last token was written: less than a second of them.
    AfterToken,
    /// Something that the token named is gone, or the books are wrong, and nobody noticed.
    Silent,
}

/// A used disk at rest, and every row on it.
struct Worn {
    till: Till,
    disk: FaultyDisk,
    rows: BTreeMap<(Table, Vec<u8>), Vec<u8>>,
    identity: (TenantId, NodeId),
}

/// What became of a bit that turned over.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Finding {
    /// The database did not open.
    Refused,
    /// It opened, and the walk of its logs found it.
    Walked,
    /// Opening or reading it panicked: the process is gone.
    Panicked,
    /// The token is ahead of what opened.
    NewEpoch,
    /// All rows are as they were.
    Harmless,
    /// Rows differ, and nobody noticed.
    Silent,
}

impl Worn {
    fn new(seed: u64, sales: u64, unclean: bool) -> Self {
        println!("seed {seed}");
        let mut till = Till::open(seed);
        (0..sales).for_each(|_| till.sell(500).unwrap());
        till.sell(2_000).unwrap();
        assert_eq!(till.named.1, till.answered, "the token names the last sale");
        let (rows, identity) = (rows(&*till.solo.snapshot()), till.identity());
        till.go_down(unclean);
        let disk = till.disk.image();
        Self { till, disk, rows, identity }
    }

    /// What the daemon does before it answers: checksums, then the chains and seals of the node's own logs.
    fn look(&mut self, disk: &FaultyDisk) -> Finding {
        let looked = catch_unwind(AssertUnwindSafe(|| {
            let Ok(store) = disk.open() else { return Finding::Refused };
            let snapshot = store.reader().snapshot().unwrap();
            if !is_signed(&*snapshot, self.identity) {
                return Finding::Walked;
            }
            self.compare(&*snapshot)
        }));
        match looked.unwrap_or(Finding::Panicked) {
            Finding::Silent if self.is_behind_the_token(disk) => Finding::NewEpoch,
            finding => finding,
        }
    }

    fn is_behind_the_token(&mut self, disk: &FaultyDisk) -> bool {
        self.till.solo.node.disk = Disk::Platter(disk.image());
        self.till.solo.start().unwrap();
        let status = self.till.solo.core().status().unwrap();
        self.till.go_down(true);
        status.epoch_reason == EpochReason::TokenAhead
    }

    fn compare(&self, snapshot: &dyn Snapshot) -> Finding {
        if rows(snapshot) == self.rows { Finding::Harmless } else { Finding::Silent }
    }
}

/// The walk that the daemon does at every start finds nothing.
fn is_signed(snapshot: &dyn Snapshot, (tenant, node): (TenantId, NodeId)) -> bool {
    walk::logs(snapshot, tenant, Extent::WrittenBy(node)).is_ok_and(|report| report.faults.is_empty())
}

fn platter(disk: &Disk, seed: u64) -> FaultyDisk {
    match disk.onto_platter(seed).unwrap() {
        Disk::Platter(disk) => disk,
        Disk::Memory(_) => unreachable!("it was put onto a platter"),
    }
}

fn request(n: u64) -> SellRequest {
    let line = SellLine {
        sku: Sku::parse("TEA").unwrap(),
        unit: None,
        quantity: 1,
        unit_price: Some(100),
        discount: 0,
        discount_reason: Code::default(),
        tax: None,
        lot: Code::default(),
        original: None,
        disposition: Disposition::Resale,
    };
    SellRequest {
        till: TillId(1),
        till_seq: n,
        body: Digest::of(&[&n.to_be_bytes()]),
        rung_ms: None,
        currency: None,
        cashier: Code::default(),
        approver: Code::default(),
        seller: Code::default(),
        foreign_key: Code::default(),
        fiscal: Vec::new(),
        lines: vec![line],
        cash_rounding: 0,
        tenders: vec![Tender { kind: TenderKind::Cash, amount: 100, reference: Code::default() }],
    }
}

/// So small that a sale reads from the disk.
const SMALL_CACHE_BYTES: usize = 16 * 1024;

/// The part of the file where the store keeps its two newest commits.
const HEADER_BYTES: usize = 320;
