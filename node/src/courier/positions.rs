//! Where each delivery was last: a board in memory, fed every few seconds by riders' pages. Nothing of it is logged.
//!
//! A position that is lost is followed by the next one. What stays of a delivery's way is a summary: since when, how far, how often.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use stockroom_crdt::control::Coordinates;
use stockroom_crdt::place::distance_m;

use crate::courier::job::DeliveryId;
use crate::courier::limits::{DELIVERY_ID_BYTES_MAX, POSITION_AGE_MS_MAX, POSITION_AHEAD_MS_MAX, POSITIONS_MAX};
use crate::courier::report::Position;

/// See the module.
#[derive(Debug, Default)]
pub struct Positions {
    tracks: BTreeMap<DeliveryId, Track>,
    /// Each delivery by the time of its last position, for forgetting.
    by_age: BTreeSet<(u64, DeliveryId)>,
}

/// What is known of one delivery's way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Track {
    /// The last position.
    pub last: Position,
    /// When the first was.
    pub first_ms: u64,
    /// Over all positions, metres.
    pub way_m: u64,
    /// How many came.
    pub count: u64,
}

/// A position as people see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Shown {
    /// What is known.
    #[serde(flatten)]
    pub track: Track,
    /// How old the last position is: an old one must not look like a new one.
    pub age_ms: u64,
}

impl Positions {
    /// Takes a position. Later ones replace earlier ones; what comes late, twice, from the future or far past changes nothing.
    pub fn put(&mut self, delivery: &DeliveryId, position: Position, now_ms: u64) -> Taken {
        self.forget(now_ms);
        let old = position.at_ms.saturating_add(POSITION_AGE_MS_MAX) < now_ms;
        if old || position.at_ms > now_ms.saturating_add(POSITION_AHEAD_MS_MAX) {
            return Taken::No;
        }
        let track = match self.tracks.get(delivery) {
            Some(track) if track.last.at_ms >= position.at_ms => return Taken::No,
            Some(track) => Track {
                last: position,
                first_ms: track.first_ms,
                way_m: track.way_m + u64::from(distance_m(track.last.point, position.point)),
                count: track.count + 1,
            },
            None => Track { last: position, first_ms: position.at_ms, way_m: 0, count: 1 },
        };
        self.remove(delivery);
        if self.tracks.len() >= POSITIONS_MAX
            && let Some((_, oldest)) = self.by_age.first().cloned()
        {
            self.remove(&oldest);
        }
        self.by_age.insert((position.at_ms, delivery.clone()));
        self.tracks.insert(delivery.clone(), track);
        Taken::Yes
    }

    /// Where a delivery was last, and how long ago.
    pub fn shown(&self, delivery: &DeliveryId, now_ms: u64) -> Option<Shown> {
        let track = *self.tracks.get(delivery)?;
        let age_ms = now_ms.saturating_sub(track.last.at_ms);
        (age_ms <= POSITION_AGE_MS_MAX).then_some(Shown { track, age_ms })
    }

    /// The delivery is over: gives its summary, and shows nobody where its courier goes next.
    pub fn remove(&mut self, delivery: &DeliveryId) -> Option<Track> {
        let track = self.tracks.remove(delivery)?;
        self.by_age.remove(&(track.last.at_ms, delivery.clone()));
        Some(track)
    }

    /// Deliveries on the board.
    pub fn len(&self) -> usize {
        self.tracks.len()
    }

    /// True when nobody is on the way.
    pub fn is_empty(&self) -> bool {
        self.tracks.is_empty()
    }

    fn forget(&mut self, now_ms: u64) {
        while let Some((at_ms, delivery)) = self.by_age.first().cloned()
            && at_ms.saturating_add(POSITION_AGE_MS_MAX) < now_ms
        {
            self.remove(&delivery);
        }
    }
}

/// Whether a position was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It is the latest.
    Yes,
    /// It says nothing new.
    No,
}

/// A position as the bytes of a datagram: latitude, longitude (4 bytes each), time (8), all little-endian, then the delivery.
pub fn encode(delivery: &DeliveryId, position: Position) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(FIXED_BYTES + delivery.as_str().len());
    bytes.extend(position.point.latitude.to_le_bytes());
    bytes.extend(position.point.longitude.to_le_bytes());
    bytes.extend(position.at_ms.to_le_bytes());
    bytes.extend(delivery.as_str().as_bytes());
    bytes
}

/// Reads what [`encode`] wrote; `None` for anything else.
pub fn decode(bytes: &[u8]) -> Option<(DeliveryId, Position)> {
    if bytes.len() > FIXED_BYTES + DELIVERY_ID_BYTES_MAX {
        return None;
    }
    let (latitude, rest) = bytes.split_first_chunk()?;
    let (longitude, rest) = rest.split_first_chunk()?;
    let (at_ms, delivery) = rest.split_first_chunk()?;
    let point = Coordinates::new(i32::from_le_bytes(*latitude), i32::from_le_bytes(*longitude))?;
    let delivery = DeliveryId::parse(std::str::from_utf8(delivery).ok()?)?;
    Some((delivery, Position { point, at_ms: u64::from_le_bytes(*at_ms) }))
}

/// The kind of datagram that carries a position.
pub const DATAGRAM_KIND: u8 = 1;

const FIXED_BYTES: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(north: i32, at_ms: u64) -> Position {
        Position { point: Coordinates { latitude: 31_000_000 + north, longitude: 121_000_000 }, at_ms }
    }

    fn id(name: &str) -> DeliveryId {
        DeliveryId::parse(name).unwrap()
    }

    #[test]
    fn the_latest_position_stays_with_its_age_and_the_way_is_summed() {
        let (mut board, a) = (Positions::default(), id("a"));
        assert_eq!(board.put(&a, at(0, 10_000), 10_000), Taken::Yes);
        assert_eq!(board.put(&a, at(9_000, 15_000), 15_500), Taken::Yes);
        assert_eq!(board.put(&a, at(0, 15_000), 15_500), Taken::No);
        assert_eq!(board.put(&a, at(0, 12_000), 15_500), Taken::No);
        assert_eq!(board.put(&a, at(0, 15_500 + POSITION_AHEAD_MS_MAX + 1), 15_500), Taken::No);
        let shown = board.shown(&a, 20_000).unwrap();
        assert_eq!((shown.age_ms, shown.track.count, shown.track.way_m), (5_000, 2, 1001));
        assert_eq!(board.shown(&a, 15_001 + POSITION_AGE_MS_MAX), None);
        assert_eq!(board.remove(&a).map(|track| track.first_ms), Some(10_000));
        assert!(board.is_empty());
    }

    #[test]
    fn the_board_is_bounded_and_forgets_the_oldest() {
        let mut board = Positions::default();
        for number in 0..POSITIONS_MAX as u64 + 10 {
            board.put(&id(&format!("d{number}")), at(0, 1_000 + number), 50_000);
        }
        assert_eq!(board.len(), POSITIONS_MAX);
        assert_eq!(board.shown(&id("d9"), 50_000), None);
        assert!(board.shown(&id("d10"), 50_000).is_some());
        board.put(&id("new"), at(0, 1_000_000 + POSITION_AGE_MS_MAX), 1_000_000 + POSITION_AGE_MS_MAX);
        assert_eq!(board.len(), 1);
    }

    #[test]
    fn a_datagram_is_read_back_and_garbage_is_nobody() {
        let bytes = encode(&id("7-1234567890.1"), at(5, 77));
        assert_eq!(decode(&bytes), Some((id("7-1234567890.1"), at(5, 77))));
        for length in 0..=FIXED_BYTES {
            assert_eq!(decode(&bytes[..length]), None);
        }
        assert_eq!(decode(&[0xff; 40]), None);
        assert_eq!(decode(&[b'a'; 2000]), None);
    }
}
