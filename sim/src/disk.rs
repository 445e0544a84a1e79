//! A disk that forgets: writes that were not synced are lost or torn when the power goes.
//!
//! What was written since the last sync is remembered as steps in their order. A power cut keeps any subset of their 512-byte
//! sectors, and any length that the file had meanwhile: a file's length and its content reach the platter independently. A cut
//! can be armed to strike in the middle of a commit. The same seed and the same steps give the same disk.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use stockroom_core::storage::memory::MemoryStore;
use stockroom_core::storage::redb::{RedbStore, StorageBackend, Verify};
use stockroom_core::storage::{Direction, Store, StoreError, TABLES, Writes};

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
            Self::Platter(disk) => Box::new(RedbStore::open(disk.attach(), CACHE_BYTES, Verify::Checksums)?),
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
        let mut to = RedbStore::open(disk.attach(), CACHE_BYTES, Verify::Nothing)?;
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

/// A file on a forgetful disk. Clones are the same disk.
#[derive(Clone)]
pub struct FaultyDisk {
    state: Arc<Mutex<State>>,
}

struct State {
    /// What a power cut cannot take away.
    durable: Vec<u8>,
    /// What a reader sees.
    current: Vec<u8>,
    /// What happened since the last sync.
    steps: Vec<Step>,
    /// Handles of an earlier life do nothing any more.
    life: u64,
    /// Steps left until the power goes.
    fuse: Option<u64>,
    rng: ChaCha8Rng,
    cuts: u64,
}

#[derive(Clone)]
enum Step {
    Write { offset: usize, bytes: Vec<u8> },
    Length(usize),
}

impl FaultyDisk {
    /// An empty disk.
    pub fn new(seed: u64) -> Self {
        let rng = ChaCha8Rng::seed_from_u64(seed);
        let state =
            State { durable: Vec::new(), current: Vec::new(), steps: Vec::new(), life: 0, fuse: None, rng, cuts: 0 };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// A handle for a database. It fails after the next cut.
    pub fn attach(&self) -> Handle {
        let life = self.lock().life;
        Handle { disk: self.clone(), life }
    }

    /// The power goes after `steps` more writes, syncs or changes of length; from then on everything fails.
    pub fn arm(&self, steps: u64) {
        self.lock().fuse = Some(steps);
    }

    /// The power is gone now. What was synced stays; of the rest, whatever chance keeps.
    pub fn cut(&self) {
        let mut guard = self.lock();
        let state = &mut *guard;
        let mut kept = std::mem::take(&mut state.durable);
        let lengths: Vec<_> = std::iter::once(kept.len())
            .chain(state.steps.iter().filter_map(|step| if let Step::Length(to) = step { Some(*to) } else { None }))
            .collect();
        let length = lengths[state.rng.next_u32() as usize % lengths.len()];
        kept.resize(length, 0);
        // Sometimes everything that was on its way arrives, sometimes nothing, mostly half.
        let odds = [0, 16, 32, 48, 64][state.rng.next_u32() as usize % 5];
        for step in std::mem::take(&mut state.steps) {
            let Step::Write { offset, bytes } = step else { continue };
            for (at, sector) in sectors(offset, &bytes) {
                let arrives = state.rng.next_u32() % 64 < odds;
                if arrives && at + sector.len() <= kept.len() {
                    kept[at..at + sector.len()].copy_from_slice(sector);
                }
            }
        }
        state.current.clone_from(&kept);
        state.durable = kept;
        state.life += 1;
        state.fuse = None;
        state.cuts += 1;
    }

    /// A separate disk with what a clean copy of the file would hold.
    pub fn image(&self) -> Self {
        let mut guard = self.lock();
        let seed = guard.rng.next_u64();
        let copy = Self::new(seed);
        let current = guard.current.clone();
        drop(guard);
        let mut state = copy.lock();
        state.durable.clone_from(&current);
        state.current = current;
        drop(state);
        copy
    }

    /// True once an armed cut has struck.
    pub fn is_dead(&self) -> bool {
        self.lock().fuse == Some(0)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
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
        Ok(state)
    }
}

impl StorageBackend for Handle {
    fn len(&self) -> Result<u64, io::Error> {
        Ok(self.alive()?.current.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), io::Error> {
        let state = self.alive()?;
        let from = usize::try_from(offset).map_err(|_| outside())?;
        let end = from.checked_add(out.len()).ok_or_else(outside)?;
        out.copy_from_slice(state.current.get(from..end).ok_or_else(outside)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> Result<(), io::Error> {
        let mut state = self.step()?;
        let len = usize::try_from(len).map_err(|_| outside())?;
        state.current.resize(len, 0);
        state.steps.push(Step::Length(len));
        Ok(())
    }

    fn sync_data(&self) -> Result<(), io::Error> {
        let mut guard = self.step()?;
        let state = &mut *guard;
        for step in std::mem::take(&mut state.steps) {
            match step {
                Step::Length(len) => state.durable.resize(len, 0),
                Step::Write { offset, bytes } => state.durable[offset..offset + bytes.len()].copy_from_slice(&bytes),
            }
        }
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), io::Error> {
        let mut state = self.step()?;
        let offset = usize::try_from(offset).map_err(|_| outside())?;
        let end = offset.checked_add(data.len()).ok_or_else(outside)?;
        state.current.get_mut(offset..end).ok_or_else(outside)?.copy_from_slice(data);
        state.steps.push(Step::Write { offset, bytes: data.to_vec() });
        Ok(())
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "handle in life {}", self.life)
    }
}

/// A write cut at the disk's sectors: each of them reaches the platter whole or not at all.
fn sectors(offset: usize, bytes: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let (mut at, mut rest) = (offset, bytes);
    std::iter::from_fn(move || {
        let len = (SECTOR_BYTES - at % SECTOR_BYTES).min(rest.len());
        let (sector, after) = rest.split_at_checked(len).filter(|_| len > 0)?;
        let start = at;
        (at, rest) = (at + len, after);
        Some((start, sector))
    })
}

fn dead() -> io::Error {
    io::Error::other("the power is gone")
}

fn outside() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "outside of the file")
}

/// What a disk writes whole or not at all.
const SECTOR_BYTES: usize = 512;

/// Small, so that a commit of a test reaches the disk in several steps.
const CACHE_BYTES: usize = 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_synced_survives_and_the_rest_is_torn() {
        let mut torn = 0;
        for seed in 0..64 {
            let disk = FaultyDisk::new(seed);
            let handle = disk.attach();
            handle.set_len(4096).unwrap();
            handle.write(0, &[1; 4096]).unwrap();
            handle.sync_data().unwrap();
            handle.write(100, &[2; 3000]).unwrap();
            disk.cut();
            assert!(handle.len().is_err(), "a handle dies with the power");
            let mut all = vec![0; 4096];
            disk.attach().read(0, &mut all).unwrap();
            assert!(all[..100].iter().chain(&all[3100..]).all(|&b| b == 1));
            assert!(all[100..512].iter().all(|&b| b == all[100]), "a sector is whole");
            torn += usize::from(all[100..3100].contains(&1) && all[100..3100].contains(&2));
        }
        assert!(torn > 5, "{torn}");
    }
}
