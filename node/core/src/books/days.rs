//! Takings per business day of a store. Everything here adds, or takes back what was added, so the order of arrival does not
//! matter.

use std::ops::Bound;

use stockroom_crdt::codec::{DecodeError, RowReader, Rows, Sink, Source, col};
use stockroom_crdt::day::{DayClose, DayOpen};
use stockroom_crdt::ids::StoreId;
use stockroom_crdt::order::returns::{GoodsReturn, Refund, ReturnGrant, Verdict};
use stockroom_crdt::sale::{Sale, TenderKind};

use crate::journal::{damaged, fixed};
use crate::overlay::{Overlay, last_of_prefix, scan_prefix};
use crate::plant::{Plant, planted};
use crate::storage::{Direction, Snapshot, StoreError, Table};

/// One business day.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Day {
    /// Its number.
    pub number: u32,
    /// The date on it, days since 1970; 0 while its opening is not known.
    pub date: u32,
    /// When it was opened, milliseconds since 1970; 0 while unknown.
    pub opened_ms: u64,
    /// When it was closed; 0 while it is open.
    pub closed_ms: u64,
    /// Receipts, with returns and voids.
    pub receipts: u64,
    /// Of these, receipts that were rung up before the day began.
    pub late: u64,
    /// Lines on them.
    pub lines: u64,
    /// Minor units sold, less returns.
    pub total: i64,
    /// Minor units per way to pay, in the order of [`TenderKind::ALL`].
    pub tenders: [i64; TenderKind::ALL.len()],
    /// Returns that were paid in cash without a receipt of the till.
    pub refunds: u64,
    /// Minor units that went out for them; they are off the total and off the cash.
    pub refunded: i64,
}

/// Cash that went out of the drawer for a return.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CashRefund {
    /// On which day.
    pub day: u32,
    /// Minor units.
    pub amount: i64,
}

impl CashRefund {
    /// What was given when the goods came.
    pub fn of_return(returned: &GoodsReturn) -> Option<Self> {
        let refund = Self { day: returned.day, amount: returned.amount() };
        (returned.refund == Refund::Cash && refund.day != 0).then_some(refund)
    }

    /// What was given later.
    pub fn of_grant(said: &ReturnGrant) -> Option<Self> {
        let refund = Self { day: said.day, amount: said.amount };
        (said.verdict == Verdict::PaidCash && refund.day != 0).then_some(refund)
    }
}

/// Adds a sale to its day.
pub fn post(overlay: &mut Overlay, store: StoreId, sale: &Sale) -> Result<(), StoreError> {
    let mut day = load(overlay, store, sale.day)?;
    day.receipts += 1;
    day.late += u64::from(sale.late);
    day.lines += sale.lines.len() as u64;
    day.total = day.total.saturating_add(sale.total());
    if planted(Plant::TakeTwice) && day.receipts == 1 {
        day.total = day.total.saturating_add(sale.total());
    }
    for tender in &sale.tenders {
        let sum = &mut day.tenders[tender.kind as usize];
        *sum = sum.saturating_add(tender.amount);
    }
    save(overlay, store, &day);
    Ok(())
}

/// Undoes [`post`], for a sale that another entry stands for now.
pub fn take_back(overlay: &mut Overlay, store: StoreId, sale: &Sale) -> Result<(), StoreError> {
    let mut day = load(overlay, store, sale.day)?;
    day.receipts = day.receipts.saturating_sub(1);
    day.late = day.late.saturating_sub(u64::from(sale.late));
    day.lines = day.lines.saturating_sub(sale.lines.len() as u64);
    day.total = day.total.saturating_sub(sale.total());
    for tender in &sale.tenders {
        let sum = &mut day.tenders[tender.kind as usize];
        *sum = sum.saturating_sub(tender.amount);
    }
    save_or_forget(overlay, store, &day);
    Ok(())
}

/// Takes cash that was paid for a return off its day.
pub fn pay_out(overlay: &mut Overlay, store: StoreId, refund: CashRefund) -> Result<(), StoreError> {
    let mut day = load(overlay, store, refund.day)?;
    day.refunds += 1;
    day.refunded = day.refunded.saturating_add(refund.amount);
    day.total = day.total.saturating_sub(refund.amount);
    let cash = &mut day.tenders[TenderKind::Cash as usize];
    *cash = cash.saturating_sub(refund.amount);
    save(overlay, store, &day);
    Ok(())
}

/// Undoes [`pay_out`], for a refund that another entry stands for now.
pub fn pay_in(overlay: &mut Overlay, store: StoreId, refund: CashRefund) -> Result<(), StoreError> {
    let mut day = load(overlay, store, refund.day)?;
    day.refunds = day.refunds.saturating_sub(1);
    day.refunded = day.refunded.saturating_sub(refund.amount);
    day.total = day.total.saturating_add(refund.amount);
    let cash = &mut day.tenders[TenderKind::Cash as usize];
    *cash = cash.saturating_add(refund.amount);
    save_or_forget(overlay, store, &day);
    Ok(())
}

fn save_or_forget(overlay: &mut Overlay, store: StoreId, day: &Day) {
    if *day == (Day { number: day.number, ..Day::default() }) {
        // As if nothing had ever been posted there: replicas that saw the other entry first have no such day.
        overlay.remove(Table::Days, key(store, day.number));
    } else {
        save(overlay, store, day);
    }
}

/// Opens a day. Two openings of one number (by two epochs of a node) keep the earlier time, and of one time the earlier date.
pub fn open(overlay: &mut Overlay, store: StoreId, open: &DayOpen, at_ms: u64) -> Result<(), StoreError> {
    let mut day = load(overlay, store, open.number)?;
    if day.opened_ms == 0 || (at_ms, open.date) < (day.opened_ms, day.date) {
        day.opened_ms = at_ms;
        day.date = open.date;
    }
    save(overlay, store, &day);
    Ok(())
}

/// Closes a day; a second closing keeps the later time.
pub fn close(overlay: &mut Overlay, store: StoreId, close: &DayClose, at_ms: u64) -> Result<(), StoreError> {
    let mut day = load(overlay, store, close.number)?;
    day.closed_ms = day.closed_ms.max(at_ms);
    save(overlay, store, &day);
    Ok(())
}

/// The newest day of a store.
pub fn last(snapshot: &(impl Snapshot + ?Sized), store: StoreId) -> Result<Option<Day>, StoreError> {
    let row = last_of_prefix(snapshot, Table::Days, &store.0.to_be_bytes())?;
    row.map(|(key, value)| decode(&key, &value)).transpose()
}

/// The newest days of a store, at most `limit` of them, oldest first.
pub fn newest(snapshot: &(impl Snapshot + ?Sized), store: StoreId, limit: usize) -> Result<Vec<Day>, StoreError> {
    let (from, to) = (store.0.to_be_bytes(), store.0.saturating_add(1).to_be_bytes());
    let range = (Bound::Included(from.as_slice()), Bound::Excluded(to.as_slice()));
    let rows = snapshot.scan(Table::Days, range, Direction::Backward, limit)?;
    rows.iter().rev().map(|(key, value)| decode(key, value)).collect()
}

/// All days of a store, oldest first.
pub fn all(snapshot: &(impl Snapshot + ?Sized), store: StoreId) -> Result<Vec<Day>, StoreError> {
    let rows = scan_prefix(snapshot, Table::Days, &store.0.to_be_bytes(), usize::MAX)?;
    rows.iter().map(|(key, value)| decode(key, value)).collect()
}

/// One day; an empty one if nothing is known of it.
pub fn load(snapshot: &(impl Snapshot + ?Sized), store: StoreId, number: u32) -> Result<Day, StoreError> {
    let key = key(store, number);
    match snapshot.get(Table::Days, &key)? {
        Some(value) => decode(&key, &value),
        None => Ok(Day { number, ..Day::default() }),
    }
}

fn save(overlay: &mut Overlay, store: StoreId, day: &Day) {
    let value = Rows::of(|sink| {
        for number in [u64::from(day.date), day.opened_ms, day.closed_ms, day.receipts, day.late, day.lines] {
            sink.uint(col::A, number);
        }
        sink.int(col::AMOUNT, day.total);
        let [money @ .., points] = day.tenders;
        money.iter().for_each(|&amount| sink.int(col::AMOUNT, amount));
        if day.refunds > 0 || points != 0 {
            sink.uint(col::A, day.refunds);
            sink.int(col::AMOUNT, day.refunded);
        }
        if points != 0 {
            sink.int(col::AMOUNT, points);
        }
    });
    overlay.put(Table::Days, key(store, day.number), value);
}

fn decode(key: &[u8], value: &[u8]) -> Result<Day, StoreError> {
    let number = u32::from_be_bytes(fixed(key.get(4..).unwrap_or_default())?);
    let read = |reader: &mut RowReader<'_>| -> Result<Day, DecodeError> {
        let mut day = Day {
            number,
            date: reader.u32(col::A)?,
            opened_ms: reader.uint(col::A)?,
            closed_ms: reader.uint(col::A)?,
            receipts: reader.uint(col::A)?,
            late: reader.uint(col::A)?,
            lines: reader.uint(col::A)?,
            total: reader.int(col::AMOUNT)?,
            tenders: read_tenders(reader)?,
            // Rows of days without a refund end here.
            refunds: if reader.rest().is_empty() { 0 } else { reader.uint(col::A)? },
            refunded: if reader.rest().is_empty() { 0 } else { reader.int(col::AMOUNT)? },
        };
        // And those of days without points here.
        if !reader.rest().is_empty() {
            day.tenders[TenderKind::Points as usize] = reader.int(col::AMOUNT)?;
        }
        Ok(day)
    };
    read(&mut RowReader::new(value)).map_err(damaged)
}

fn read_tenders(reader: &mut RowReader<'_>) -> Result<[i64; TenderKind::ALL.len()], DecodeError> {
    let mut out = [0; TenderKind::ALL.len()];
    for sum in &mut out[..TenderKind::Points as usize] {
        *sum = reader.int(col::AMOUNT)?;
    }
    Ok(out)
}

fn key(store: StoreId, number: u32) -> Vec<u8> {
    [store.0.to_be_bytes(), number.to_be_bytes()].concat()
}
