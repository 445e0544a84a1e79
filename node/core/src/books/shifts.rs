//! Who had a till's drawer: the entries about each shift, as they came.
//!
//! They are added up when somebody asks, so the order of arrival cannot matter. Several lives of a node may have opened or closed one shift: a
//! database that was set back forgets what it wrote, and gets it back later.

use std::ops::Bound;

use stockroom_crdt::batch::Item;
use stockroom_crdt::checkout::shift::{CashMove, ShiftClose, ShiftOpen};
use stockroom_crdt::entry::{Entry, Fact};
use stockroom_crdt::ids::{Actor, Epoch, NodeId, StoreId, TillId};
use stockroom_crdt::sale::ReceiptNumber;
use stockroom_crdt::stock::Position;

use super::Context;
use crate::journal::{damaged, fixed};
use crate::overlay::{Overlay, last_of_prefix, scan_prefix};
use crate::storage::{Direction, Snapshot, StoreError, Table, prefix_end};

/// Something that was said of a shift.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said<T> {
    /// What.
    pub what: T,
    /// When, as a hybrid time: one that is larger was said later.
    pub hlc: u64,
    /// When, milliseconds since 1970.
    pub at_ms: u64,
    /// Where its author wrote it.
    pub position: Position,
}

/// A shift of a till.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shift {
    /// Which till.
    pub till: TillId,
    /// 1 for the till's first.
    pub number: u32,
    /// Its openings in the order of time: one, unless a node forgot that it had written it.
    pub openings: Vec<Said<ShiftOpen>>,
    /// Cash that went in or out, in the order of time.
    pub moves: Vec<Said<CashMove>>,
    /// Its closes in the order of time. The first one is the shift's Z report.
    pub closes: Vec<Said<ShiftClose>>,
}

/// Which receipts of a till are of a shift.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// Those after this one.
    pub after: ReceiptNumber,
    /// Up to this one; all later ones while the shift is open.
    pub last: Option<ReceiptNumber>,
}

impl Range {
    /// True for a receipt of the shift.
    pub fn contains(&self, number: ReceiptNumber) -> bool {
        number.till == self.after.till && number > self.after && self.last.is_none_or(|last| number <= last)
    }
}

impl Shift {
    /// The opening that a close, or the present, builds on: the newest one before it.
    pub fn opening(&self, close: Option<&Said<ShiftClose>>) -> Option<&Said<ShiftOpen>> {
        let before = |open: &&Said<ShiftOpen>| close.is_none_or(|close| open.hlc < close.hlc);
        self.openings.iter().rev().find(before).or_else(|| self.openings.first())
    }

    /// The Z report. A later close of the same shift does not change it.
    pub fn z(&self) -> Option<&Said<ShiftClose>> {
        self.closes.first()
    }

    /// True while somebody has the drawer.
    pub fn is_open(&self) -> bool {
        let closed = self.closes.last().map(|close| close.hlc);
        self.openings.last().is_some_and(|open| closed.is_none_or(|closed| closed < open.hlc))
    }

    /// Which receipts are of it, by all that was said; `None` while its opening is not known.
    pub fn range(&self) -> Option<Range> {
        let after = self.opening(None)?.what.after;
        let last = self.closes.iter().map(|close| close.what.last).max().filter(|_| !self.is_open());
        Some(Range { after, last })
    }

    /// When it was opened, and when closed for the first time; 0 for what is not known or did not happen.
    pub fn span_ms(&self) -> (u64, u64) {
        let first = self.openings.first().map_or(0, |open| open.at_ms);
        (first, self.z().filter(|_| !self.is_open()).map_or(0, |close| close.at_ms))
    }
}

/// Keeps an entry about a shift; others are not kept.
pub fn put(overlay: &mut Overlay, store: StoreId, context: &Context<'_>, item: &Item) {
    let (till, number) = match &item.entry.fact {
        Fact::ShiftOpen(open) => (open.till, open.number),
        Fact::CashMove(cash) => (cash.till, cash.shift),
        Fact::ShiftClose(close) => (close.till, close.number),
        _ => return,
    };
    let mut key = shift_key(store, till, number);
    key.extend(item.entry.hlc.to_bits().to_be_bytes());
    key.extend(context.actor.node.0.to_be_bytes());
    key.extend(context.actor.epoch.0.to_be_bytes());
    key.extend(context.place.seq.to_be_bytes());
    // Two histories of one log may have different entries at one position.
    key.extend(&item.digest().0[..8]);
    overlay.put(Table::Shifts, key, item.bytes.clone());
}

/// The shift that is open at a till, if one is.
pub fn open_shift(
    snapshot: &(impl Snapshot + ?Sized),
    store: StoreId,
    till: TillId,
) -> Result<Option<u32>, StoreError> {
    Ok(last(snapshot, store, till)?.filter(Shift::is_open).map(|shift| shift.number))
}

/// The newest shift of a till.
pub fn last(snapshot: &(impl Snapshot + ?Sized), store: StoreId, till: TillId) -> Result<Option<Shift>, StoreError> {
    before(snapshot, (store, till), None)
}

/// The newest shift of a till, or the newest with a smaller number.
pub fn before(
    snapshot: &(impl Snapshot + ?Sized),
    (store, till): (StoreId, TillId),
    number: Option<u32>,
) -> Result<Option<Shift>, StoreError> {
    let prefix = till_key(store, till);
    let row = match number {
        None => last_of_prefix(snapshot, Table::Shifts, &prefix)?,
        Some(number) => {
            let end = shift_key(store, till, number);
            let range = (Bound::Included(prefix.as_slice()), Bound::Excluded(end.as_slice()));
            snapshot.scan(Table::Shifts, range, Direction::Backward, 1)?.pop()
        }
    };
    let Some((key, _)) = row else { return Ok(None) };
    let (till, number) = named(&key)?;
    one(snapshot, store, (till, number))
}

/// One shift; `None` if nothing was ever said of it.
pub fn one(
    snapshot: &(impl Snapshot + ?Sized),
    store: StoreId,
    (till, number): (TillId, u32),
) -> Result<Option<Shift>, StoreError> {
    let rows = scan_prefix(snapshot, Table::Shifts, &shift_key(store, till, number), usize::MAX)?;
    if rows.is_empty() {
        return Ok(None);
    }
    let mut shift = Shift { till, number, openings: Vec::new(), moves: Vec::new(), closes: Vec::new() };
    for (key, value) in rows {
        let entry = Entry::from_bytes(&value).map_err(damaged)?;
        let (hlc, at_ms, position) = (entry.hlc.to_bits(), entry.hlc.ms(), position_of(&key)?);
        match entry.fact {
            Fact::ShiftOpen(what) => shift.openings.push(Said { what, hlc, at_ms, position }),
            Fact::CashMove(what) => shift.moves.push(Said { what, hlc, at_ms, position }),
            Fact::ShiftClose(what) => shift.closes.push(Said { what, hlc, at_ms, position }),
            _ => return Err(damaged("an entry about a shift is about something else")),
        }
    }
    Ok(Some(shift))
}

/// The tills of a store that ever had a shift, ascending.
pub fn tills(snapshot: &(impl Snapshot + ?Sized), store: StoreId) -> Result<Vec<TillId>, StoreError> {
    let mut out = Vec::new();
    let mut from = store.0.to_be_bytes().to_vec();
    let end = prefix_end(&from).unwrap_or_else(|| vec![u8::MAX; 64]);
    loop {
        let range = (Bound::Included(from.as_slice()), Bound::Excluded(end.as_slice()));
        let Some((key, _)) = snapshot.scan(Table::Shifts, range, Direction::Forward, 1)?.pop() else { break };
        let (till, _) = named(&key)?;
        out.push(till);
        let Some(next) = prefix_end(&till_key(store, till)) else { break };
        from = next;
    }
    Ok(out)
}

fn named(key: &[u8]) -> Result<(TillId, u32), StoreError> {
    let part = |from, to| key.get(from..to).ok_or_else(|| damaged("key of a shift"));
    Ok((TillId(u32::from_be_bytes(fixed(part(4, 8)?)?)), u32::from_be_bytes(fixed(part(8, 12)?)?)))
}

fn position_of(key: &[u8]) -> Result<Position, StoreError> {
    let part = |from, to| key.get(from..to).ok_or_else(|| damaged("key of a shift"));
    let node = NodeId(u32::from_be_bytes(fixed(part(20, 24)?)?));
    let epoch = Epoch(u16::from_be_bytes(fixed(part(24, 26)?)?));
    Ok(Position { actor: Actor { node, epoch }, seq: u64::from_be_bytes(fixed(part(26, 34)?)?) })
}

fn till_key(store: StoreId, till: TillId) -> Vec<u8> {
    [store.0.to_be_bytes(), till.0.to_be_bytes()].concat()
}

fn shift_key(store: StoreId, till: TillId, number: u32) -> Vec<u8> {
    [store.0.to_be_bytes(), till.0.to_be_bytes(), number.to_be_bytes()].concat()
}
