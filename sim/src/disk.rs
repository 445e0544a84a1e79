//! A disk that forgets and lies: unsynced writes are lost, torn or reordered when the power goes, calls fail, bits rot.
//!
//! A power cut can be armed to strike in the middle of a commit; every other fault is planned by name ([`Fault`]) for the n-th call
//! of its kind, and counted when it strikes. The same seed and the same steps give the same disk. [`FaultyDisk::record`] keeps
//! the disk as it was after every step, which costs little: copies share their pages.
//!
//! | module | what it knows |
//! |---|---|
//! | [`fault`] | the faults by name, and when they are due |
//! | [`platter`] | what is durable, what is on its way, and what a cut keeps |
//! | [`pages`] | bytes that copies share |

pub mod fault;
pub mod pages;
pub mod platter;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use stockroom_core::storage::memory::MemoryStore;
use stockroom_core::storage::redb::{RedbStore, StorageBackend};
use stockroom_core::storage::{Direction, Store, StoreError, TABLES, Writes};

use fault::{Fault, Plan, Strike};
use pages::{PAGE_BYTES, Pages};
use platter::{Kept, Step, Still};

/// What a simulated node keeps its rows on.
#[derive(Clone)]
pub enum Disk {
    /// Rows in memory: a commit happens or does not.
    Memory(MemoryStore),
    /// The real store on a disk that loses and tears.
    Platter(FaultyDisk),
}

impl Default for Disk {
    fn default() -> Self {
        Self::Memory(MemoryStore::default())
    }
}

impl Disk {
    /// The store on it. After a cut this is what a restarted node finds.
    pub fn open(&self) -> Result<Box<dyn Store>, StoreError> {
        Ok(match self {
            Self::Memory(store) => Box::new(store.clone()),
            Self::Platter(disk) => Box::new(disk.open()?),
        })
    }

    /// A separate copy as it is now, to be restored later.
    pub fn image(&self) -> Self {
        match self {
            Self::Memory(store) => Self::Memory(store.image()),
            Self::Platter(disk) => Self::Platter(disk.image()),
        }
    }

    /// The power goes. Call it before the core that uses the disk is dropped: what a dying process writes does not count.
    pub fn cut(&self) {
        match self {
            Self::Memory(_) => {}
            Self::Platter(disk) => disk.cut(),
        }
    }

    /// The same rows in a real store on a forgetful disk.
    pub fn onto_platter(&self, seed: u64) -> Result<Self, StoreError> {
        let disk = FaultyDisk::new(seed);
        let mut to = RedbStore::open(disk.attach(), CACHE_BYTES)?;
        let from = self.open()?.reader().snapshot()?;
        let mut writes = Writes::new();
        let all = (std::ops::Bound::Unbounded, std::ops::Bound::Unbounded);
        for table in TABLES {
            let rows = from.scan(table, all, Direction::Forward, usize::MAX)?;
            writes.extend(rows.into_iter().map(|(key, value)| ((table, key), Some(value))));
        }
        to.commit(&writes)?;
        drop(to);
        Ok(Self::Platter(disk))
    }
}

/// A file on a faulty disk. Clones are the same disk.
#[derive(Clone)]
pub struct FaultyDisk {
    state: Arc<Mutex<State>>,
}

struct State {
    still: Still,
    /// What a reader sees.
    current: Pages,
    /// What was durable before the last sync.
    before: Pages,
    /// Handles of an earlier life do nothing any more.
    life: u64,
    /// Steps left until the power goes.
    fuse: Option<u64>,
    rng: ChaCha8Rng,
    plan: Plan,
    /// Room for pages.
    room: Option<usize>,
    /// What one call costs, and what all calls cost so far.
    slowness: u64,
    ticks: u64,
    /// Writes, syncs and changes of length so far.
    steps: u64,
    cache_bytes: usize,
    recorded: Option<Vec<Still>>,
}

impl FaultyDisk {
    /// An empty disk.
    pub fn new(seed: u64) -> Self {
        Self::of(Still::default(), seed)
    }

    /// A disk as it was at a moment, with what was on its way then.
    pub fn of(still: Still, seed: u64) -> Self {
        let mut settled = still.clone();
        settled.settle();
        let state = State {
            before: still.durable.clone(),
            still,
            current: settled.durable,
            life: 0,
            fuse: None,
            rng: ChaCha8Rng::seed_from_u64(seed),
            plan: Plan::default(),
            room: None,
            slowness: 1,
            ticks: 0,
            steps: 0,
            cache_bytes: CACHE_BYTES,
            recorded: None,
        };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// The real store on it, opened as the daemon opens it.
    pub fn open(&self) -> Result<RedbStore, StoreError> {
        let cache_bytes = self.lock().cache_bytes;
        RedbStore::open(self.attach(), cache_bytes)
    }

    /// A handle for a database. It fails after the next cut.
    pub fn attach(&self) -> Handle {
        let life = self.lock().life;
        Handle { disk: self.clone(), life }
    }

    /// Bounds the store's cache from the next open on: with a small one it reads more.
    pub fn cache(&self, bytes: usize) {
        self.lock().cache_bytes = bytes;
    }

    /// The power goes after `steps` more writes, syncs or changes of length; from then on everything fails.
    pub fn arm(&self, steps: u64) {
        self.lock().fuse = Some(steps);
    }

    /// A fault strikes at a coming call of its kind. Faults of a power cut and [`Fault::Full`], [`Fault::Rot`] and [`Fault::Slow`]
    /// have calls of their own. A later plan for the same fault replaces the earlier one; a power cut changes no plan.
    pub fn plan(&self, fault: Fault, strike: Strike) {
        self.lock().plan.add(fault, strike);
    }

    /// The disk is as good as new from now on: plans are dropped, there is room again. What it holds stays as it is.
    pub fn heal(&self) {
        let mut state = self.lock();
        state.plan.clear();
        state.room = None;
        state.slowness = 1;
    }

    /// Only `bytes` more can be written to where nothing was written yet. The file is sparse: its length may grow.
    pub fn fill(&self, bytes: usize) {
        let mut state = self.lock();
        state.room = Some(state.current.allocated() + bytes / PAGE_BYTES);
    }

    /// Every call costs this many ticks from now on.
    pub fn slow(&self, ticks: u64) {
        self.lock().slowness = ticks;
    }

    /// What all calls cost so far; one tick each while the disk is not slow.
    pub fn ticks(&self) -> u64 {
        self.lock().ticks
    }

    /// Writes, syncs and changes of length so far.
    pub fn steps(&self) -> u64 {
        self.lock().steps
    }

    /// Length of the file.
    pub fn file_bytes(&self) -> usize {
        self.lock().current.len()
    }

    /// `bits` bits turn over somewhere in `range`, or anywhere that was written.
    pub fn rot(&self, bits: u32, range: Option<Range<usize>>) {
        let mut state = self.lock();
        for _ in 0..bits {
            let (at, bit) = match &range {
                Some(range) => (range.start + state.rng.next_u64() as usize % range.len().max(1), state.rng.next_u32()),
                None => state.somewhere_written(),
            };
            state.flip(at, bit as u8);
        }
    }

    /// One bit turns over.
    pub fn flip(&self, offset: usize, bit: u8) {
        self.lock().flip(offset, bit);
    }

    /// How often each fault struck, by name.
    pub fn faults(&self) -> BTreeMap<&'static str, u64> {
        self.lock().plan.struck().clone()
    }

    /// The power is gone now. What was synced stays; of the rest, whatever chance keeps.
    pub fn cut(&self) {
        self.cut_keeping(Kept::Chance);
    }

    /// [`FaultyDisk::cut`], with a say in what stays.
    pub fn cut_keeping(&self, kept: Kept) {
        let mut guard = self.lock();
        let state = &mut *guard;
        state.still.cut(kept, &mut state.rng, &mut state.plan);
        state.current = state.still.durable.clone();
        state.before = state.still.durable.clone();
        state.life += 1;
        state.fuse = None;
    }

    /// The disk at this moment.
    pub fn still(&self) -> Still {
        self.lock().still.clone()
    }

    /// From now on the disk is kept as it is after every step.
    pub fn record(&self) {
        self.lock().recorded = Some(Vec::new());
    }

    /// What was recorded since the last call, oldest first.
    pub fn take_recorded(&self) -> Vec<Still> {
        self.lock().recorded.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// A separate disk with what a clean copy of the file would hold.
    pub fn image(&self) -> Self {
        let mut state = self.lock();
        let seed = state.rng.next_u64();
        Self::of(Still { durable: state.current.clone(), steps: Vec::new() }, seed)
    }

    /// True once an armed cut has struck.
    pub fn is_dead(&self) -> bool {
        self.lock().fuse == Some(0)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn flip(&mut self, offset: usize, bit: u8) {
        self.still.durable.flip(offset, bit);
        self.current.flip(offset, bit);
        self.plan.note(Fault::Rot);
    }

    fn somewhere_written(&mut self) -> (usize, u32) {
        let len = self.still.durable.len().max(1);
        loop {
            let at = self.rng.next_u64() as usize % len;
            if !self.still.durable.is_blank(at) || self.still.durable.allocated() == 0 {
                return (at, self.rng.next_u32());
            }
        }
    }

    fn charge(&mut self) {
        self.ticks += self.slowness;
        if self.slowness > 1 {
            self.plan.note(Fault::Slow);
        }
    }

    fn fails(&mut self, fault: Fault) -> io::Result<()> {
        if !self.plan.due(fault) {
            return Ok(());
        }
        self.plan.note(fault);
        Err(io::Error::other(fault.name()))
    }

    fn strikes(&mut self, fault: Fault) -> bool {
        let strikes = self.plan.due(fault);
        if strikes {
            self.plan.note(fault);
        }
        strikes
    }

    fn write(&mut self, offset: usize, data: &[u8]) -> io::Result<()> {
        let touched = offset / PAGE_BYTES..(offset + data.len()).div_ceil(PAGE_BYTES);
        let fresh = touched.filter(|page| self.current.is_blank(page * PAGE_BYTES)).count();
        if fresh > 0 && self.room.is_some_and(|room| self.current.allocated() + fresh > room) {
            self.plan.note(Fault::Full);
            return Err(io::Error::new(io::ErrorKind::StorageFull, Fault::Full.name()));
        }
        self.current.write(offset, data).ok_or_else(outside)?;
        if self.strikes(Fault::LostWrite) {
            return Ok(());
        }
        let offset = if self.strikes(Fault::Misdirected) { self.elsewhere(offset) } else { offset };
        self.still.steps.push(Step::Write { offset, bytes: data.into() });
        Ok(())
    }

    /// Gives what stood there before the last sync. Counts only if that is something else.
    fn read_stale(&mut self, offset: usize, out: &mut [u8]) {
        let mut stale = vec![0; out.len()];
        if self.before.read(offset, &mut stale).is_some() && stale != out {
            self.plan.note(Fault::StaleRead);
            out.copy_from_slice(&stale);
        }
    }

    /// Another page of the file.
    fn elsewhere(&mut self, offset: usize) -> usize {
        let pages = (self.current.len() / PAGE_BYTES).max(2);
        let move_by = 1 + self.rng.next_u32() as usize % (pages - 1);
        (offset / PAGE_BYTES + move_by) % pages * PAGE_BYTES
    }

    fn done(&mut self) {
        self.steps += 1;
        if let Some(recorded) = &mut self.recorded {
            recorded.push(self.still.clone());
        }
    }
}

/// What a database holds of a disk.
pub struct Handle {
    disk: FaultyDisk,
    life: u64,
}

impl Handle {
    fn alive(&self) -> io::Result<MutexGuard<'_, State>> {
        let state = self.disk.lock();
        if state.life == self.life && state.fuse != Some(0) { Ok(state) } else { Err(dead()) }
    }

    /// One more step; the power may go just before it.
    fn step(&self) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.alive()?;
        if let Some(fuse) = &mut state.fuse {
            *fuse -= 1;
            if *fuse == 0 {
                return Err(dead());
            }
        }
        state.charge();
        Ok(state)
    }
}

impl StorageBackend for Handle {
    fn len(&self) -> Result<u64, io::Error> {
        Ok(self.alive()?.current.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), io::Error> {
        let mut state = self.alive()?;
        state.charge();
        state.fails(Fault::ReadError)?;
        let offset = usize::try_from(offset).map_err(|_| outside())?;
        state.current.read(offset, out).ok_or_else(outside)?;
        if state.plan.due(Fault::StaleRead) {
            state.read_stale(offset, out);
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> Result<(), io::Error> {
        let mut state = self.step()?;
        state.fails(Fault::LengthError)?;
        let len = usize::try_from(len).map_err(|_| outside())?;
        state.current.resize(len);
        state.still.steps.push(Step::Length(len));
        state.done();
        Ok(())
    }

    fn sync_data(&self) -> Result<(), io::Error> {
        let mut state = self.step()?;
        state.fails(Fault::SyncError)?;
        if !state.strikes(Fault::LyingSync) {
            state.before = state.still.durable.clone();
            state.still.settle();
        }
        state.done();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), io::Error> {
        let mut state = self.step()?;
        state.fails(Fault::WriteError)?;
        let offset = usize::try_from(offset).map_err(|_| outside())?;
        offset.checked_add(data.len()).ok_or_else(outside)?;
        state.write(offset, data)?;
        state.done();
        Ok(())
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "handle in life {}", self.life)
    }
}

fn dead() -> io::Error {
    io::Error::other("the power is gone")
}

fn outside() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "outside of the file")
}

/// Small, so that a commit of a test reaches the disk in several steps.
const CACHE_BYTES: usize = 1024 * 1024;

#[cfg(test)]
mod tests;
