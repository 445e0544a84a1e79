//! Questions about goods beyond a figure: lots, transfers, what is to be counted.

use stockroom_crdt::count::CountOpen;
use stockroom_crdt::entry::Fact;
use stockroom_crdt::ids::{Actor, Code, Sku, StoreId};
use stockroom_crdt::money::Unit;
use stockroom_crdt::stock::Effect;
use stockroom_crdt::stock::lots::{Left, Lots, lots};
use stockroom_crdt::stock::transit::{Part, Transfer, resolve};
use stockroom_crdt::transfer::TransferId;

use super::View;
use crate::books::account::Standing;
use crate::books::scans::{self, Scan};
use crate::books::tally::{Tally, tally};
use crate::books::transfers;
use crate::journal::damaged;
use crate::limits::PAGE_MAX;
use crate::storage::{Snapshot, StoreError};

/// A count session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CountSession {
    /// It is closed: its scans are summed up in its closing.
    pub closed: bool,
    /// Its sheet, while it is open and has one.
    pub sheet: Option<CountOpen>,
    /// Its scans while it is open.
    pub scans: Vec<Scan>,
    /// What the scans come to, by product.
    pub tallies: Vec<Tally>,
}

/// Goods that expire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expiring {
    /// What.
    pub sku: Sku,
    /// In which unit.
    pub unit: Unit,
    /// Which lot, and how many are left of it.
    pub left: Left,
}

/// A part of a transfer: in whose log, when it was written, and what it says.
pub type Said = (StoreId, u64, Fact);

impl<S: Snapshot + ?Sized> View<'_, S> {
    /// Count sessions of a store that are not closed, by number, with their sheets: at most `limit`.
    pub fn open_counts(&self, store: StoreId, limit: usize) -> Result<Vec<(u64, Option<CountOpen>)>, StoreError> {
        scans::open_sessions(self.snapshot, store, limit)
    }

    /// A count session as the node `me` would close it now.
    pub fn count(&self, store: StoreId, session: u64, me: Actor) -> Result<CountSession, StoreError> {
        let (closed, scans) = self.count_session(store, session)?;
        let sheet = scans::sheet(self.snapshot, store, session)?;
        let tallies = tally(self.snapshot, store, me, &scans)?;
        Ok(CountSession { closed, sheet, scans, tallies })
    }

    /// Products of a department that are still sold, at most `limit`.
    pub fn department(&self, department: &Code, limit: usize) -> Result<Vec<(Sku, Unit)>, StoreError> {
        let (mut out, mut after) = (Vec::new(), None);
        loop {
            let page = self.products(after.as_ref(), PAGE_MAX)?;
            let Some(last) = page.last() else { return Ok(out) };
            after = Some(last.sku.clone());
            let own = page.into_iter().filter(|product| product.department == *department && !product.discontinued);
            out.extend(own.map(|product| (product.sku, product.unit)));
            if out.len() >= limit {
                out.truncate(limit);
                return Ok(out);
            }
        }
    }

    /// Products of the catalogue of which the book says that something is there or owed, at most `limit`.
    pub fn in_book(&self, store: StoreId, limit: usize) -> Result<Vec<(Sku, Unit)>, StoreError> {
        let mut out = Vec::new();
        for (sku, unit, account) in self.accounts(store, None, usize::MAX)? {
            if account.on_hand.quantity != 0 && self.product(&sku)?.is_some_and(|product| product.unit == unit) {
                out.push((sku, unit));
            }
            if out.len() >= limit {
                break;
            }
        }
        Ok(out)
    }

    /// What is left of each lot of a product: a suggestion.
    pub fn lots(&self, store: StoreId, sku: &Sku, unit: Unit) -> Result<Lots, StoreError> {
        let (mut covered, mut counted, mut after) = (Vec::new(), None, Vec::new());
        for line in self.history(store, sku, unit)? {
            match (line.effect, line.standing) {
                (Effect::Move(movement), Standing::Counts) => after.push((line.position, movement)),
                (Effect::Move(movement), Standing::Covered) => covered.push((line.position, movement)),
                (Effect::Count(count), Standing::Counts) => counted = Some(count.quantity),
                (Effect::Move(_), Standing::Repeated)
                | (Effect::Count(_), Standing::Covered | Standing::Repeated)
                | (Effect::Aside(_), _) => {}
            }
        }
        Ok(lots(&covered, counted, &after))
    }

    /// Lots that expire on `until_day` (since 1970) or before, the first of all products first, expired ones included.
    pub fn expiring(&self, store: StoreId, until_day: u32) -> Result<Vec<Expiring>, StoreError> {
        let mut out = Vec::new();
        for (sku, unit, account) in self.accounts(store, None, usize::MAX)? {
            if account.dated {
                let expires = |left: &Left| left.batch.expiry_day != 0 && left.batch.expiry_day <= until_day;
                let left = self.lots(store, &sku, unit)?.left.into_iter().filter(expires);
                out.extend(left.map(|left| Expiring { sku: sku.clone(), unit, left }));
            }
        }
        out.sort_by(|a, b| (a.left.batch.expiry_day, &a.sku).cmp(&(b.left.batch.expiry_day, &b.sku)));
        Ok(out)
    }

    /// The parts of a transfer that are known here: in whose log, when it was written, and what it says.
    pub fn transfer_parts(&self, id: TransferId) -> Result<Vec<Said>, StoreError> {
        let mut parts = Vec::new();
        for record in self.stores()? {
            parts.extend(transfers::parts(self.snapshot, record.store, id)?);
        }
        self.said(parts)
    }

    /// A transfer, as far as it is known here.
    pub fn transfer(&self, id: TransferId) -> Result<Option<Transfer>, StoreError> {
        Ok(joined(id, &self.transfer_parts(id)?))
    }

    /// At most `limit` transfers with a number after `after` that `wanted` takes, in the order of their numbers.
    pub fn transfers(
        &self,
        after: Option<TransferId>,
        limit: usize,
        wanted: impl Fn(&Transfer) -> bool,
    ) -> Result<Vec<Transfer>, StoreError> {
        let mut out = Vec::new();
        for (id, parts) in transfers::all(self.snapshot)? {
            if out.len() >= limit {
                break;
            }
            if after.is_none_or(|after| id > after) {
                out.extend(joined(id, &self.said(parts)?).filter(&wanted));
            }
        }
        Ok(out)
    }

    fn said(&self, parts: Vec<transfers::Standing>) -> Result<Vec<Said>, StoreError> {
        let read = |(store, _, writing): transfers::Standing| {
            let entry = self.entry(writing.place)?.ok_or_else(|| damaged("a transfer's entry is missing"))?;
            Ok((store, entry.hlc.ms(), entry.fact))
        };
        parts.into_iter().map(read).collect()
    }
}

fn joined(id: TransferId, parts: &[Said]) -> Option<Transfer> {
    let parts: Vec<_> = parts.iter().map(|(store, at_ms, fact)| Part { store: *store, at_ms: *at_ms, fact }).collect();
    resolve(id, &parts)
}
