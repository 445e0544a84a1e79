//! Is a store's day complete? What is held of it, checked against itself, and what is missing from whom.
//!
//! Made at any replica that holds the store's log, of nothing but what it holds. It names log heads, so that whoever has the same heads finds the
//! same; nobody has to believe the node that made it.

use std::ops::Bound;

use stockroom_crdt::capability::Role;
use stockroom_crdt::entry::Fact;
use stockroom_crdt::ids::{Actor, Digest, Epoch, NodeId, StoreId, TillId};
use stockroom_crdt::sale::{ReceiptNumber, Sale, TenderKind};
use stockroom_crdt::scope::Scope;

use super::View;
use super::shifts::ZReport;
use crate::books::days::{self, Day};
use crate::books::sales;
use crate::books::shifts::{self, Range, Shift};
use crate::journal::{Log, LogNumber, Place, entry_at, fixed};
use crate::overlay::scan_prefix;
use crate::storage::{Direction, Snapshot, StoreError, Table, prefix_end};

/// What is known of a store's day, and what is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// Which store.
    pub store: StoreId,
    /// Its takings, as the books have them.
    pub day: Day,
    /// How far the store's logs are held: whoever holds them as far gets the same certificate.
    pub logs: Vec<LogHead>,
    /// Receipts of the day, by till and series.
    pub series: Vec<Series>,
    /// Shifts that had a receipt on the day or were open on it.
    pub shifts: Vec<DayShift>,
    /// Receipts of the day that are of no shift.
    pub unshifted: Taken,
    /// What is missing; the day is complete when nothing is.
    pub missing: Vec<Missing>,
}

/// How far a log is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogHead {
    /// Who wrote it.
    pub actor: Actor,
    /// It is another history of a log that forked.
    pub is_fork: bool,
    /// The last entry that is held.
    pub seq: u64,
    /// The hash there: of everything before it.
    pub hash: Digest,
    /// The last entry that a signature covers.
    pub sealed: u64,
    /// Where the day was closed, if this log says so.
    pub closes_day: Option<u64>,
    /// When its newest entry was written, milliseconds since 1970.
    pub newest_ms: u64,
}

/// Receipts of a day in one series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Series {
    /// Of which till.
    pub till: TillId,
    /// The epoch of the node that gave the numbers out.
    pub series: u16,
    /// The first of the day.
    pub first: u64,
    /// The last of the day.
    pub last: u64,
}

/// Receipts, and how they were paid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// How many; a sale that was written twice is one.
    pub receipts: u64,
    /// Minor units.
    pub total: i64,
    /// Minor units per way to pay.
    pub tenders: [i64; TenderKind::ALL.len()],
}

/// A shift, and its part of a day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DayShift {
    /// The shift.
    pub shift: Shift,
    /// Its receipts of the day.
    pub taken: Taken,
    /// Its Z report, and whether the receipts that are held say the same.
    pub z: Option<ZReport>,
}

/// Something without which the day is not complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missing {
    /// Nothing is known of the day.
    Day,
    /// The day was not closed, as far as is known.
    Close,
    /// Entries of a log: `actor` wrote them, and they were never heard.
    Entries {
        /// Whose.
        actor: Actor,
        /// The first of them.
        from: u64,
        /// The last of them, if somebody said how many there are.
        to: Option<u64>,
        /// When the newest entry that is held was written; 0 if none is.
        heard_ms: u64,
    },
    /// No signature covers these entries of the day yet.
    Seal {
        /// Whose.
        actor: Actor,
        /// The first of them.
        from: u64,
        /// The last of them.
        to: u64,
    },
    /// Receipt numbers were skipped.
    Receipts {
        /// Of which till.
        till: TillId,
        /// In which series.
        series: u16,
        /// The first of them.
        from: u64,
        /// The last of them.
        to: u64,
    },
    /// A shift was not closed.
    ShiftClose {
        /// Of which till.
        till: TillId,
        /// Which.
        number: u32,
    },
    /// The receipts and moves that are held do not add up to the shift's Z report.
    Agreement {
        /// Of which till.
        till: TillId,
        /// Which.
        number: u32,
    },
    /// The receipts that were found do not add up to the day's takings.
    Takings {
        /// What was found.
        found: Taken,
    },
}

impl<S: Snapshot + ?Sized> View<'_, S> {
    /// What is known of a store's day, and what is not.
    pub fn certificate(&self, store: StoreId, number: u32) -> Result<Certificate, StoreError> {
        let day = days::load(self.snapshot, store, number)?;
        let mut missing = Vec::new();
        match (day == Day { number, ..Day::default() }, day.closed_ms) {
            (true, _) => missing.push(Missing::Day),
            (false, 0) => missing.push(Missing::Close),
            (false, _) => {}
        }
        let logs = self.logs_of(store, &day, &mut missing)?;
        let (series, sold) = self.receipts_of(store, number, &mut missing)?;
        let (shifts, unshifted) = self.shifts_of(store, &day, &sold)?;
        missing.extend(shifts.iter().filter_map(fault));
        let mut found = Taken::default();
        sold.iter().for_each(|sale| found.add(sale));
        if (found.receipts, found.total, found.tenders) != (day.receipts, day.total, day.tenders) {
            missing.push(Missing::Takings { found });
        }
        Ok(Certificate { store, day, logs, series, shifts, unshifted, missing })
    }

    /// The receipts of a store's day that are held here, by till, series and number.
    pub fn sales_of_day(&self, store: StoreId, number: u32) -> Result<Vec<Sale>, StoreError> {
        Ok(self.receipts_of(store, number, &mut Vec::new())?.1)
    }

    /// The heads of the store's logs, and what is not held of them.
    fn logs_of(&self, store: StoreId, day: &Day, missing: &mut Vec<Missing>) -> Result<Vec<LogHead>, StoreError> {
        let mut heads = Vec::new();
        for (key, value) in scan_prefix(self.snapshot, Table::Logs, &[], usize::MAX)? {
            let log = Log::from_row(&value)?;
            if log.id.scope != Scope::StoreStock(store) {
                continue;
            }
            let at = LogNumber(u32::from_be_bytes(fixed(&key)?));
            heads.push(LogHead {
                actor: log.id.actor,
                is_fork: log.parent.is_some(),
                seq: log.head.seq,
                hash: log.head.hash,
                sealed: log.sealed_seq(),
                closes_day: self.close_in(&log, at, day)?,
                newest_ms: log.newest_ms,
            });
            if let (None, Some(gap)) = (log.parent, self.earlier_life(&log, at)?) {
                missing.push(gap);
            }
        }
        heads.sort_by_key(|head| (head.actor, head.is_fork, head.seq));
        // An earlier life of which its node's next life knows more than is held here.
        for gap in missing.iter_mut() {
            if let Missing::Entries { actor, from, heard_ms, .. } = gap {
                let held = heads.iter().filter(|head| head.actor == *actor).map(|head| (head.seq, head.newest_ms));
                let (seq, newest_ms) = held.max().unwrap_or_default();
                (*from, *heard_ms) = (seq + 1, newest_ms);
            }
        }
        missing.retain(|gap| !matches!(gap, Missing::Entries { from, to: Some(to), .. } if from > to));
        for head in &heads {
            if let Some(close) = head.closes_day.filter(|close| *close > head.sealed) {
                missing.push(Missing::Seal { actor: head.actor, from: head.sealed + 1, to: close });
            }
        }
        self.silent(store, day, &heads, missing)?;
        Ok(heads)
    }

    /// Nodes of the store of which nothing was heard since the day was closed.
    fn silent(
        &self,
        store: StoreId,
        day: &Day,
        heads: &[LogHead],
        missing: &mut Vec<Missing>,
    ) -> Result<(), StoreError> {
        let fenced: Vec<NodeId> = self.fences()?.into_iter().map(|fence| fence.node).collect();
        let nodes = self.nodes()?.into_iter().filter(|node| node.role == Role::Store && node.store == store);
        for node in nodes.filter(|node| !fenced.contains(&node.node)) {
            let newest = heads.iter().filter(|head| head.actor.node == node.node).max_by_key(|head| head.actor.epoch);
            let actor = newest.map_or(Actor { node: node.node, epoch: Epoch(1) }, |head| head.actor);
            let (seq, heard_ms) = newest.map_or((0, 0), |head| (head.seq, head.newest_ms));
            if heard_ms < day.closed_ms || day.closed_ms == 0 {
                missing.push(Missing::Entries { actor, from: seq + 1, to: None, heard_ms });
            }
        }
        Ok(())
    }

    /// What an epoch's opening says of the epoch before, as entries that may be missing: all up to the one that it names.
    fn earlier_life(&self, log: &Log, at: LogNumber) -> Result<Option<Missing>, StoreError> {
        let opening = entry_at(self.snapshot, Place { log: at, seq: 1 })?.map(|item| item.entry.fact);
        let Some(Fact::EpochOpen(open)) = opening else { return Ok(None) };
        Ok(open.previous.map(|(epoch, seq, _)| Missing::Entries {
            actor: Actor { node: log.id.actor.node, epoch },
            from: 1,
            to: Some(seq),
            heard_ms: 0,
        }))
    }

    /// Where a log says that the day was closed. Its entries are in the order of time.
    fn close_in(&self, log: &Log, at: LogNumber, day: &Day) -> Result<Option<u64>, StoreError> {
        if day.closed_ms == 0 || log.newest_ms < day.closed_ms {
            return Ok(None);
        }
        let entry = |seq| entry_at(self.snapshot, Place { log: at, seq });
        let (mut low, mut high) = (log.parent.map_or(0, |parent| parent.seq) + 1, log.head.seq + 1);
        while low < high {
            let middle = low.midpoint(high);
            match entry(middle)? {
                Some(item) if item.entry.hlc.ms() >= day.closed_ms => high = middle,
                Some(_) | None => low = middle + 1,
            }
        }
        for seq in low..=log.head.seq {
            let Some(item) = entry(seq)? else { break };
            match item.entry.fact {
                Fact::DayClose(close) if close.number == day.number => return Ok(Some(seq)),
                _ if item.entry.hlc.ms() > day.closed_ms => break,
                _ => {}
            }
        }
        Ok(None)
    }

    /// The receipts of a day, till by till, each series with its gaps; and the sales among them that count.
    fn receipts_of(
        &self,
        store: StoreId,
        day: u32,
        missing: &mut Vec<Missing>,
    ) -> Result<(Vec<Series>, Vec<Sale>), StoreError> {
        let (mut out, mut sold) = (Vec::new(), Vec::new());
        let mut from = ReceiptNumber { till: TillId(0), series: 0, sequence: 0 };
        while let Some((number, _)) = self.receipt_from(store, from)? {
            let ReceiptNumber { till, series, .. } = number;
            let first = self.first_of_day(store, number, day)?;
            let end = self.first_of_day(store, number, day.saturating_add(1))?;
            let after = ReceiptNumber { till, series, sequence: first - 1 };
            let range = Range { after, last: Some(ReceiptNumber { sequence: end - 1, ..after }) };
            let rows = self.receipt_places(store, range)?;
            missing.extend(gaps(after, &rows));
            if let (Some((first, _)), Some((last, _))) = (rows.first(), rows.last()) {
                out.push(Series { till, series, first: first.sequence, last: last.sequence });
            }
            let places = rows.into_iter().map(|(_, place)| place).collect();
            self.counting_sales(store, places, |sale| sold.push(sale.clone()))?;
            from = match series.checked_add(1) {
                Some(series) => ReceiptNumber { till, series, sequence: 0 },
                None => ReceiptNumber { till: TillId(till.0.saturating_add(1)), series: 0, sequence: 0 },
            };
        }
        sold.sort_by_key(|sale| sale.receipt);
        Ok((out, sold))
    }

    /// One more than the sequence of the last receipt before a day, in the series of `of`. Within a series days only grow.
    fn first_of_day(&self, store: StoreId, of: ReceiptNumber, day: u32) -> Result<u64, StoreError> {
        let (mut low, mut high) = (1, sales::last_sequence(self.snapshot, store, of.till, of.series)? + 1);
        while low < high {
            let middle: u64 = low.midpoint(high);
            let next = self.receipt_from(store, ReceiptNumber { sequence: middle, ..of })?;
            let next = next.filter(|(number, _)| (number.till, number.series) == (of.till, of.series));
            let sale = next.map(|(_, place)| entry_at(self.snapshot, place)).transpose()?.flatten();
            match sale.map(|item| item.entry.fact) {
                Some(Fact::Sale(sale)) if sale.day < day => low = middle + 1,
                _ => high = middle,
            }
        }
        Ok(low)
    }

    /// The first receipt of a store that is not before `number`.
    fn receipt_from(
        &self,
        store: StoreId,
        number: ReceiptNumber,
    ) -> Result<Option<(ReceiptNumber, Place)>, StoreError> {
        let from = sales::receipt_key(store, number);
        let end = prefix_end(&store.0.to_be_bytes()).unwrap_or_else(|| vec![u8::MAX; 64]);
        let keys = (Bound::Included(from.as_slice()), Bound::Excluded(end.as_slice()));
        let row = self.snapshot.scan(Table::Receipts, keys, Direction::Forward, 1)?.pop();
        row.map(|(key, value)| Ok((sales::number_of(&key)?, sales::decode(&value)?))).transpose()
    }

    /// Shifts that had a receipt on the day or were open on it, and what was sold on it in none.
    fn shifts_of(&self, store: StoreId, day: &Day, sold: &[Sale]) -> Result<(Vec<DayShift>, Taken), StoreError> {
        let (mut out, mut unshifted) = (Vec::new(), Taken::default());
        let mut tills = self.shift_tills(store)?;
        tills.extend(sold.iter().map(|sale| sale.receipt.till));
        tills.sort_unstable();
        tills.dedup();
        for till in tills {
            let mut rest: Vec<&Sale> = sold.iter().filter(|sale| sale.receipt.till == till).collect();
            let mut before = None;
            while let Some(shift) = shifts::before(self.snapshot, (store, till), before)? {
                before = Some(shift.number);
                let range = shift.range();
                let is_of = |sale: &&Sale| range.is_some_and(|range| range.contains(sale.receipt));
                let (of_shift, others): (Vec<_>, Vec<_>) = rest.into_iter().partition(is_of);
                rest = others;
                if of_shift.is_empty() && !was_open_on(&shift, day) {
                    // Shifts follow each other: earlier ones ended before this one began.
                    let (_, closed_ms) = shift.span_ms();
                    if rest.is_empty() && closed_ms != 0 && closed_ms < day.opened_ms {
                        break;
                    }
                    continue;
                }
                let mut taken = Taken::default();
                of_shift.into_iter().for_each(|sale| taken.add(sale));
                let z = self.z_report(store, &shift)?;
                out.push(DayShift { shift, taken, z });
            }
            rest.into_iter().for_each(|sale| unshifted.add(sale));
        }
        out.sort_by_key(|it| (it.shift.till, it.shift.number));
        Ok((out, unshifted))
    }
}

impl Taken {
    /// Adds a sale.
    pub fn add(&mut self, sale: &Sale) {
        self.receipts += 1;
        self.total = self.total.saturating_add(sale.total());
        for tender in &sale.tenders {
            let sum = &mut self.tenders[tender.kind as usize];
            *sum = sum.saturating_add(tender.amount);
        }
    }
}

/// True when somebody had the drawer while the day was open.
fn was_open_on(shift: &Shift, day: &Day) -> bool {
    let (opened_ms, closed_ms) = shift.span_ms();
    let began_before_its_end = day.closed_ms == 0 || opened_ms <= day.closed_ms;
    day.opened_ms != 0 && began_before_its_end && (closed_ms == 0 || closed_ms >= day.opened_ms)
}

/// What a shift lacks.
fn fault(of: &DayShift) -> Option<Missing> {
    let (till, number) = (of.shift.till, of.shift.number);
    match &of.z {
        _ if of.shift.is_open() => Some(Missing::ShiftClose { till, number }),
        Some(z) if !z.agrees() => Some(Missing::Agreement { till, number }),
        Some(_) => None,
        None => Some(Missing::ShiftClose { till, number }),
    }
}

/// Numbers that were skipped after `after` and before the last of `rows`.
fn gaps(after: ReceiptNumber, rows: &[(ReceiptNumber, Place)]) -> Vec<Missing> {
    let mut next = after.sequence + 1;
    let mut out = Vec::new();
    for (number, _) in rows {
        let ReceiptNumber { till, series, sequence } = *number;
        if sequence > next {
            out.push(Missing::Receipts { till, series, from: next, to: sequence - 1 });
        }
        next = sequence + 1;
    }
    out
}
