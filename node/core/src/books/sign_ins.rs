//! Wrong PINs in a row, and how long the next try has to wait.
//!
//! One row per member of staff who got it wrong last. It is this node's own: no log holds it, a rebuild leaves it alone, and it is
//! durable before the answer leaves, so that nobody gets further tries out of a crash.

use stockroom_crdt::codec::{DecodeError, RowReader, Rows, Sink, Source, col};
use stockroom_crdt::ids::{Code, Digest};

use crate::journal::damaged;
use crate::limits::{PIN_WAIT_MS, PIN_WAIT_MS_MAX, WRONG_PINS_MAX};
use crate::overlay::Overlay;
use crate::storage::{Snapshot, StoreError, Table};
use crate::time::Now;

/// Wrong PINs since the last right one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// Of the hash that they were compared with: another PIN has tries of its own.
    pin: [u8; 16],
    /// How many in a row.
    count: u32,
    /// In which start of the process the last one came.
    boot: u64,
    /// When, on that start's monotonic clock.
    at_ms: u64,
    /// How long the next try has to wait.
    wait_ms: u64,
}

impl Wrong {
    /// Tries that are left before the next wait.
    pub fn left(&self) -> u32 {
        WRONG_PINS_MAX.saturating_sub(self.count)
    }

    /// How long the next try has to wait. A restart begins the wait anew, so that pulling the plug gains nothing: what was waited before it
    /// was measured by a clock that is gone, and the wall clock can be set.
    pub fn wait_ms(&self, now: Now) -> u64 {
        let waited = if self.boot == now.boot { now.mono_ms.saturating_sub(self.at_ms) } else { now.mono_ms };
        self.wait_ms.saturating_sub(waited)
    }

    fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = RowReader::new(bytes);
        Ok(Self {
            pin: reader.array(col::DIGEST)?,
            count: reader.u32(col::COUNT)?,
            boot: reader.uint(col::A)?,
            at_ms: reader.uint(col::TIME)?,
            wait_ms: reader.uint(col::B)?,
        })
    }
}

/// The wrong tries at this PIN since the last right one; `None` if there were none.
pub fn wrong(snapshot: &(impl Snapshot + ?Sized), staff: &Code, pin: &str) -> Result<Option<Wrong>, StoreError> {
    let Some(row) = snapshot.get(Table::SignIns, staff.as_str().as_bytes())? else { return Ok(None) };
    let held = Wrong::decode(&row).map_err(damaged)?;
    Ok((held.pin == short(pin)).then_some(held))
}

/// Notes one more wrong PIN.
pub fn put_wrong(overlay: &mut Overlay, staff: &Code, pin: &str, now: Now) -> Result<Wrong, StoreError> {
    let count = wrong(overlay, staff, pin)?.map_or(0, |held| held.count).saturating_add(1);
    let wait_ms = match count.checked_sub(WRONG_PINS_MAX) {
        None => 0,
        Some(beyond) => (PIN_WAIT_MS << beyond.min(DOUBLINGS_MAX)).min(PIN_WAIT_MS_MAX),
    };
    let noted = Wrong { pin: short(pin), count, boot: now.boot, at_ms: now.mono_ms, wait_ms };
    let row = Rows::of(|sink| {
        sink.array(col::DIGEST, &noted.pin);
        sink.uint(col::COUNT, u64::from(noted.count));
        sink.uint(col::A, noted.boot);
        sink.uint(col::TIME, noted.at_ms);
        sink.uint(col::B, noted.wait_ms);
    });
    overlay.put(Table::SignIns, staff.as_str().as_bytes(), row);
    Ok(noted)
}

/// The PIN was right.
pub fn clear(overlay: &mut Overlay, staff: &Code) -> Result<(), StoreError> {
    let key = staff.as_str().as_bytes();
    if overlay.get(Table::SignIns, key)?.is_some() {
        overlay.remove(Table::SignIns, key);
    }
    Ok(())
}

fn short(pin: &str) -> [u8; 16] {
    Digest::of(&[pin.as_bytes()]).short()
}

/// After so many the longest wait is reached.
const DOUBLINGS_MAX: u32 = 5;

const _: () = assert!(PIN_WAIT_MS << DOUBLINGS_MAX >= PIN_WAIT_MS_MAX, "the longest wait is reached by doubling");

#[cfg(test)]
mod tests {

    use super::*;
    use crate::storage::Store;
    use crate::storage::memory::MemoryStore;

    const PIN: &str = "$argon2id$a";

    fn at(boot: u64, mono_ms: u64) -> Now {
        Now { boot, mono_ms, wall_ms: 0 }
    }

    fn overlay() -> Overlay {
        Overlay::new(MemoryStore::default().reader().snapshot().unwrap())
    }

    #[test]
    fn the_fifth_wrong_pin_locks_and_each_further_one_doubles_the_wait() {
        let (mut rows, ann) = (overlay(), Code::parse("ann").unwrap());
        let mut waits = Vec::new();
        for _ in 0..12 {
            let held = put_wrong(&mut rows, &ann, PIN, at(1, 0)).unwrap();
            assert_eq!(wrong(&rows, &ann, PIN).unwrap(), Some(held));
            waits.push(held.wait_ms(at(1, 0)) / 1_000);
        }
        assert_eq!(waits, [0, 0, 0, 0, 30, 60, 120, 240, 480, 900, 900, 900]);
        assert_eq!(wrong(&rows, &Code::parse("ben").unwrap(), PIN).unwrap(), None);
        clear(&mut rows, &ann).unwrap();
        assert_eq!(put_wrong(&mut rows, &ann, PIN, at(1, 0)).unwrap().left(), 4);
    }

    #[test]
    fn a_restart_begins_the_wait_anew() {
        let (mut rows, ann) = (overlay(), Code::parse("ann").unwrap());
        let held = (0..5).map(|_| put_wrong(&mut rows, &ann, PIN, at(1, 5_000)).unwrap()).last().unwrap();
        assert_eq!(held.wait_ms(at(1, 34_000)), 1_000);
        assert_eq!(held.wait_ms(at(1, 35_000)), 0);
        assert_eq!(held.wait_ms(at(2, 0)), 30_000);
        assert_eq!(held.wait_ms(at(2, 29_999)), 1);
        assert_eq!(held.wait_ms(at(2, 30_000)), 0);
    }

    #[test]
    fn another_pin_has_tries_of_its_own() {
        let (mut rows, ann) = (overlay(), Code::parse("ann").unwrap());
        for _ in 0..5 {
            put_wrong(&mut rows, &ann, PIN, at(1, 0)).unwrap();
        }
        assert_eq!(wrong(&rows, &ann, "$argon2id$b").unwrap(), None);
        assert_eq!(put_wrong(&mut rows, &ann, "$argon2id$b", at(1, 0)).unwrap().left(), 4);
    }
}
