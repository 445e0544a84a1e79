//! What is left of each lot, as a suggestion: what to sell first, what expires.
//!
//! Tills rarely scan lots, so this is a guess with a rule: what nobody looked at was taken first expired, first out, and goods
//! without a known lot last. All of it together is always the figure of stock on hand, so nothing is hidden and nothing
//! invented. Movements are taken in the order of their times, which every replica agrees upon, not in the order of arrival.

use std::collections::BTreeMap;

use super::{Batch, Movement, Position};
use crate::ids::Code;

/// What is left, by lot.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Lots {
    /// Lots of which something is left: the first to expire first, those without an expiry last.
    pub left: Vec<Left>,
    /// Units of no known lot; negative when more went out than was ever booked in.
    pub unassigned: i64,
}

/// What is left of one lot.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Left {
    /// Which goods.
    pub batch: Batch,
    /// How many, at least 1.
    pub quantity: i64,
}

/// What is left of an account, from the movements that its count covers, what that count found, and the movements after it.
/// Their sum is the figure of stock on hand; a count that finds less than there ought to be took it as an unscanned sale does,
/// one that finds more found goods of no known lot.
pub fn lots(covered: &[(Position, Movement)], counted: Option<i64>, after: &[(Position, Movement)]) -> Lots {
    let mut shelf = Shelf::default();
    shelf.all(covered);
    if let Some(counted) = counted {
        shelf.settle();
        let found = counted.saturating_sub(shelf.total());
        shelf.happen(found, &Batch::default());
    } else {
        // Without a count nothing is covered; what the caller says is covered has no part in the figure.
        shelf = Shelf::default();
    }
    shelf.all(after);
    shelf.settle();
    let left = shelf
        .lots
        .into_iter()
        .map(|((_, _, lot), (expiry_day, quantity))| Left { batch: Batch { lot, expiry_day }, quantity });
    Lots { left: left.collect(), unassigned: shelf.unassigned }
}

impl Lots {
    /// All units together: the figure of stock on hand.
    pub fn total(&self) -> i64 {
        self.left.iter().fold(self.unassigned, |sum, left| sum.saturating_add(left.quantity))
    }
}

/// Lots in the order in which they expire: those without an expiry last.
#[derive(Default)]
struct Shelf {
    lots: BTreeMap<(bool, u32, Code), (u32, i64)>,
    unassigned: i64,
}

impl Shelf {
    fn all(&mut self, movements: &[(Position, Movement)]) {
        let mut ordered: Vec<_> = movements.iter().collect();
        // Position and content decide among movements of one moment, so that branches of a fork have an order, too.
        ordered.sort_by_key(|(at, movement)| (movement.at_ms, *at, movement.delta, &movement.batch));
        for (_, movement) in ordered {
            self.happen(movement.delta, &movement.batch);
        }
    }

    fn happen(&mut self, delta: i64, batch: &Batch) {
        if delta > 0 {
            self.put(delta, batch);
        } else {
            let rest = self.take_of(delta.saturating_neg(), batch);
            self.take(rest);
        }
    }

    fn put(&mut self, quantity: i64, batch: &Batch) {
        if batch.is_unknown() {
            self.unassigned = self.unassigned.saturating_add(quantity);
            return;
        }
        // Goods that come back name their lot, and rarely its expiry.
        let same = |((_, _, lot), _): &(&(bool, u32, Code), &(u32, i64))| batch.expiry_day == 0 && *lot == batch.lot;
        let held = self.lots.iter().find(same).map(|(key, _)| key.clone());
        let key = held.unwrap_or_else(|| (batch.expiry_day == 0, batch.expiry_day, batch.lot.clone()));
        let lot = self.lots.entry(key.clone()).or_insert((key.1, 0));
        lot.1 = lot.1.saturating_add(quantity);
    }

    /// Takes goods whose lot somebody looked at. Gives how many there were not.
    fn take_of(&mut self, mut wanted: i64, batch: &Batch) -> i64 {
        if batch.is_unknown() {
            return wanted;
        }
        let is_it = |(_, day, lot): &(bool, u32, Code)| {
            *lot == batch.lot && (batch.expiry_day == 0 || *day == batch.expiry_day)
        };
        let keys: Vec<_> = self.lots.keys().filter(|key| is_it(key)).cloned().collect();
        keys.into_iter().for_each(|key| self.take_from(&key, &mut wanted));
        wanted
    }

    /// Takes goods that nobody looked at: the first to expire first.
    fn take(&mut self, mut wanted: i64) {
        let keys: Vec<_> = self.lots.keys().cloned().collect();
        keys.into_iter().for_each(|key| self.take_from(&key, &mut wanted));
        self.unassigned = self.unassigned.saturating_sub(wanted);
    }

    fn take_from(&mut self, key: &(bool, u32, Code), wanted: &mut i64) {
        let Some((_, held)) = self.lots.get_mut(key) else { return };
        let taken = (*held).min(*wanted);
        *held -= taken;
        *wanted -= taken;
        if *held == 0 {
            self.lots.remove(key);
        }
    }

    /// What went out before it was booked in comes off what was booked in later.
    fn settle(&mut self) {
        let owed = self.unassigned.min(0).saturating_neg();
        self.unassigned = self.unassigned.max(0);
        self.take(owed);
    }

    fn total(&self) -> i64 {
        self.lots.values().fold(self.unassigned, |sum, (_, quantity)| sum.saturating_add(*quantity))
    }
}
