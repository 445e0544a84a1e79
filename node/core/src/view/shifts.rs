//! Reading shifts: what is in a drawer now (X), what a close said (Z), and whether the committed receipts say the same.

use std::ops::Bound;

use stockroom_crdt::checkout::shift::{CashMove, ShiftClose, TaxSum, Totals};
use stockroom_crdt::entry::Fact;
use stockroom_crdt::ids::{Code, StoreId, TillId};
use stockroom_crdt::limits::TAX_SUMS_MAX;
use stockroom_crdt::sale::{ReceiptNumber, Sale};

use super::View;
use crate::books::sales;
use crate::books::shifts::{self, Range, Said, Shift};
use crate::command::drawer::{self, FirstCount};
use crate::journal::{LogNumber, Place, damaged, entries};
use crate::limits::PAGE_MAX;
use crate::storage::{Direction, Snapshot, StoreError, Table, prefix_end};

/// What a close said, and what the receipts and moves that it is about add up to at this replica now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZReport {
    /// The close, as it was written.
    pub close: Said<ShiftClose>,
    /// The same sums over what is held here now. They differ from the close's when entries came back later that the closing node had lost, or
    /// while some have not arrived yet.
    pub held: Totals,
}

impl ZReport {
    /// True when this replica holds what the close was made of, and nothing else in its range.
    pub fn agrees(&self) -> bool {
        self.held == self.close.what.totals
    }
}

impl<S: Snapshot + ?Sized> View<'_, S> {
    /// A shift; `None` if nothing was ever said of it.
    pub fn shift(&self, store: StoreId, till: TillId, number: u32) -> Result<Option<Shift>, StoreError> {
        shifts::one(self.snapshot, store, (till, number))
    }

    /// The newest shift of a till.
    pub fn last_shift(&self, store: StoreId, till: TillId) -> Result<Option<Shift>, StoreError> {
        shifts::last(self.snapshot, store, till)
    }

    /// At most `limit` shifts of a till, the newest first, those before `number` if one is given.
    pub fn shifts(
        &self,
        (store, till): (StoreId, TillId),
        number: Option<u32>,
        limit: usize,
    ) -> Result<Vec<Shift>, StoreError> {
        let mut out: Vec<Shift> = Vec::new();
        while out.len() < limit {
            let before = out.last().map(|shift| shift.number).or(number);
            match shifts::before(self.snapshot, (store, till), before)? {
                Some(shift) => out.push(shift),
                None => break,
            }
        }
        Ok(out)
    }

    /// The tills of a store that ever had a shift.
    pub fn shift_tills(&self, store: StoreId) -> Result<Vec<TillId>, StoreError> {
        shifts::tills(self.snapshot, store)
    }

    /// The shifts of a store that are open.
    pub fn open_shifts(&self, store: StoreId) -> Result<Vec<Shift>, StoreError> {
        let mut out = Vec::new();
        for till in self.shift_tills(store)? {
            out.extend(self.last_shift(store, till)?.filter(Shift::is_open));
        }
        Ok(out)
    }

    /// What happened in a shift until now: an X report. `None` while its opening is not known.
    pub fn x_report(&self, store: StoreId, shift: &Shift) -> Result<Option<Totals>, StoreError> {
        let (Some(opening), Some(range)) = (shift.opening(None), shift.range()) else { return Ok(None) };
        self.totals(store, range, opening.what.float, shift.moves.iter().map(|said| &said.what)).map(Some)
    }

    /// The Z report of a shift that was closed.
    pub fn z_report(&self, store: StoreId, shift: &Shift) -> Result<Option<ZReport>, StoreError> {
        shift.z().map(|close| self.checked(store, shift, close)).transpose()
    }

    /// What a further close of the same shift said, by a node that had lost the first one.
    pub fn later_closes(&self, store: StoreId, shift: &Shift) -> Result<Vec<ZReport>, StoreError> {
        shift.closes.iter().skip(1).map(|close| self.checked(store, shift, close)).collect()
    }

    /// The first count of a shift that did not fit, if there was one at this node; no other node knows it.
    pub fn first_count(&self, store: StoreId, till: TillId, number: u32) -> Result<Option<FirstCount>, StoreError> {
        drawer::first_count(self.snapshot, store, (till, number))
    }

    /// What receipts of a range, a float and moves of cash add up to.
    pub fn totals<'c>(
        &self,
        store: StoreId,
        range: Range,
        float: i64,
        moves: impl Iterator<Item = &'c CashMove>,
    ) -> Result<Totals, StoreError> {
        let mut totals = Totals { float, ..Totals::default() };
        for cash in moves {
            let sum = &mut totals.moved[cash.cash as usize];
            *sum = sum.saturating_add(cash.amount);
        }
        let places = self.receipt_places(store, range)?;
        self.counting_sales(store, places.into_iter().map(|(_, place)| place).collect(), |sale| {
            add(&mut totals, sale);
        })?;
        bounded(&mut totals.taxes);
        Ok(totals)
    }

    /// The rows of receipts in a range: numbers, and where the sales stand.
    pub(super) fn receipt_places(
        &self,
        store: StoreId,
        range: Range,
    ) -> Result<Vec<(ReceiptNumber, Place)>, StoreError> {
        let next = |number: ReceiptNumber| ReceiptNumber { sequence: number.sequence.saturating_add(1), ..number };
        let mut from = sales::receipt_key(store, next(range.after));
        let end = match range.last {
            Some(last) => sales::receipt_key(store, next(last)),
            None => {
                let till = [store.0.to_be_bytes(), range.after.till.0.to_be_bytes()].concat();
                prefix_end(&till).unwrap_or_else(|| vec![u8::MAX; 64])
            }
        };
        let mut out = Vec::new();
        loop {
            let keys = (Bound::Included(from.as_slice()), Bound::Excluded(end.as_slice()));
            let rows = self.snapshot.scan(Table::Receipts, keys, Direction::Forward, PAGE_MAX)?;
            for (key, value) in &rows {
                out.push((sales::number_of(key)?, sales::decode(value)?));
            }
            match rows.into_iter().next_back() {
                Some((key, _)) => from = [key.as_slice(), &[0]].concat(),
                None => return Ok(out),
            }
        }
    }

    /// Shows the sales at these places that count: a sale that was written twice is shown once.
    pub(super) fn counting_sales(
        &self,
        store: StoreId,
        mut places: Vec<Place>,
        mut see: impl FnMut(&Sale),
    ) -> Result<(), StoreError> {
        places.sort_unstable();
        let mut rest = places.as_slice();
        while let Some(&Place { log, seq: first }) = rest.first() {
            // Sales of a shift stand close together, so runs are read once and not once per sale.
            let count = rest.iter().take_while(|at| at.log == log && at.seq - first < CHUNK_ENTRIES).count();
            let (chunk, after) = rest.split_at(count);
            self.chunk(store, log, chunk, &mut see)?;
            rest = after;
        }
        Ok(())
    }

    fn chunk(
        &self,
        store: StoreId,
        log: LogNumber,
        chunk: &[Place],
        see: &mut impl FnMut(&Sale),
    ) -> Result<(), StoreError> {
        let (Some(first), Some(last)) = (chunk.first(), chunk.last()) else { return Ok(()) };
        for (seq, item) in entries(self.snapshot, log, first.seq, last.seq)? {
            let place = Place { log, seq };
            if chunk.binary_search(&place).is_err() {
                continue;
            }
            let Fact::Sale(sale) = item.entry.fact else { return Err(damaged("a receipt's entry is no sale")) };
            let written = sales::writings(self.snapshot, store, &sale)?;
            if written.first().is_none_or(|first| first.place == place) {
                see(&sale);
            }
        }
        Ok(())
    }

    fn checked(&self, store: StoreId, shift: &Shift, close: &Said<ShiftClose>) -> Result<ZReport, StoreError> {
        let opening = shift.opening(Some(close)).map(|open| &open.what);
        let none = ReceiptNumber { till: shift.till, series: 0, sequence: 0 };
        let after = opening.map_or(none, |open| open.after);
        let range = Range { after, last: Some(close.what.last) };
        let moves = shift.moves.iter().filter(|cash| cash.hlc < close.hlc).map(|cash| &cash.what);
        let held = self.totals(store, range, opening.map_or(0, |open| open.float), moves)?;
        Ok(ZReport { close: close.clone(), held })
    }
}

/// Adds a sale to the totals of a shift.
fn add(totals: &mut Totals, sale: &Sale) {
    totals.receipts = totals.receipts.saturating_add(1);
    totals.voids = totals.voids.saturating_add(sale.voids.is_some().into());
    totals.sales = totals.sales.saturating_add(sale.total());
    for tender in &sale.tenders {
        let sum = &mut totals.tenders[tender.kind as usize];
        *sum = sum.saturating_add(tender.amount);
    }
    for line in &sale.lines {
        let Some(tax) = &line.tax else { continue };
        let key = |sum: &TaxSum| (sum.code.clone(), sum.rate_bp);
        let at = match totals.taxes.binary_search_by_key(&(tax.code.clone(), tax.rate_bp), key) {
            Ok(at) => at,
            Err(at) => {
                let sum = TaxSum { code: tax.code.clone(), rate_bp: tax.rate_bp, goods: 0, tax: 0 };
                totals.taxes.insert(at, sum);
                at
            }
        };
        let sum = &mut totals.taxes[at];
        sum.goods = sum.goods.saturating_add(line.goods());
        sum.tax = sum.tax.saturating_add(tax.amount);
    }
}

/// A till that invents codes of tax must not keep a shift from being closed: what is beyond the bound goes under no code.
fn bounded(taxes: &mut Vec<TaxSum>) {
    if taxes.len() <= TAX_SUMS_MAX {
        return;
    }
    let mut rest = TaxSum { code: Code::default(), rate_bp: 0, goods: 0, tax: 0 };
    let is_rest = |sum: &TaxSum| sum.code.is_empty() && sum.rate_bp == 0;
    let keep = TAX_SUMS_MAX - 1 + usize::from(taxes.first().is_some_and(is_rest));
    for sum in taxes.drain(keep..).collect::<Vec<_>>().iter().chain(taxes.iter().filter(|sum| is_rest(sum))) {
        rest.goods = rest.goods.saturating_add(sum.goods);
        rest.tax = rest.tax.saturating_add(sum.tax);
    }
    taxes.retain(|sum| !is_rest(sum));
    taxes.insert(0, rest);
}

/// Entries read at a time.
const CHUNK_ENTRIES: u64 = 1_024;
