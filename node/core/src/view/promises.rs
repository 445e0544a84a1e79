//! Reading rights and promises: who holds what, who was promised what, and which entries made it so.

use std::collections::BTreeMap;
use std::ops::Bound;

use stockroom_crdt::entry::{Entry, Fact};
use stockroom_crdt::ids::{Actor, NodeId, Sku, StoreId};
use stockroom_crdt::scope::Scope;
use stockroom_crdt::stock::custody::Want;
use stockroom_crdt::stock::policy::{PolicyRule, Target};
use stockroom_crdt::stock::promise::{Promise, PromiseId};
use stockroom_crdt::stock::rights::{Account, Class, Liability, Rights, RightsRow};
use stockroom_crdt::stock::shortage::{Remedy, Shortage};

use super::View;
use crate::books::cells;
use crate::books::rights::{self as book, Owed, Record};
use crate::journal::{FeedRow, Log, Place, damaged, entries, feed_key, feed_of_row};
use crate::limits::TRAIL_ENTRIES_MAX;
use crate::rights::{self, holder, home, known};
use crate::storage::{Direction, Snapshot, StoreError, Table};

/// One entry about the rights to an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrailLine {
    /// Who wrote it.
    pub actor: Actor,
    /// Where it stands here.
    pub place: Place,
    /// What it says.
    pub entry: Entry,
    /// For a row of rights: the row of the same writer that it replaced, empty for the first one; `None` when that is older
    /// than what was read.
    pub before: Option<RightsRow>,
}

/// What was written about the rights to an account, the newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trail {
    /// The entries.
    pub lines: Vec<TrailLine>,
    /// Older entries were not read.
    pub is_cut: bool,
}

impl<S: Snapshot + ?Sized> View<'_, S> {
    /// All that is known of the rights to an account.
    pub fn rights(&self, account: &Account, class: Class) -> Result<Rights, StoreError> {
        book::rights(self.snapshot, account, class)
    }

    /// Accounts of a store that have rights or ever had promises.
    pub fn rights_accounts(&self, store: StoreId) -> Result<Vec<Account>, StoreError> {
        book::accounts(self.snapshot, store)
    }

    /// What the home owes for an account, as far as it is known here.
    pub fn liability(&self, account: &Account, class: Class, rights: &Rights) -> Result<Liability, StoreError> {
        home::liability(self.snapshot, account, (class, rights))
    }

    /// What the promises of an account add up to.
    pub fn owed(&self, account: &Account) -> Result<Owed, StoreError> {
        book::owed(self.snapshot, account)
    }

    /// Units in the book of an account.
    pub fn on_hand(&self, account: &Account) -> Result<i64, StoreError> {
        home::on_hand(self.snapshot, account)
    }

    /// The open promises of an account.
    pub fn open_promises(&self, account: &Account) -> Result<Vec<(Promise, Record)>, StoreError> {
        book::open(self.snapshot, account)
    }

    /// At most `limit` promises of a store after one, open or not, in the order of their names.
    pub fn promises(
        &self,
        store: StoreId,
        after: Option<PromiseId>,
        limit: usize,
    ) -> Result<Vec<(PromiseId, Record)>, StoreError> {
        book::promises(self.snapshot, store, after, limit)
    }

    /// The rules about promising that hold.
    pub fn rules(&self) -> Result<BTreeMap<Target, PolicyRule>, StoreError> {
        rights::rules(self.snapshot)
    }

    /// The narrowest of `rules` that fits a product.
    pub fn rule_for(&self, rules: &BTreeMap<Target, PolicyRule>, sku: &Sku) -> Result<Option<PolicyRule>, StoreError> {
        rights::rule_for(rules, self, sku)
    }

    /// Requests for rights to an account, with who made them; answered ones too.
    pub fn wants(&self, account: &Account) -> Result<Vec<(Actor, Want)>, StoreError> {
        holder::wants(self.snapshot, account)
    }

    /// Actors whose rights to a store's goods were written off.
    pub fn retired(&self, store: StoreId) -> Result<std::collections::BTreeSet<Actor>, StoreError> {
        known::retired(self.snapshot, store)
    }

    /// Units that others than one hold and that are not written off.
    pub fn elsewhere(&self, store: StoreId, rights: &Rights, but: Actor) -> Result<u64, StoreError> {
        let held = known::holders(self.snapshot, store, (rights, but))?;
        Ok(held.into_iter().map(|(_, units)| units).fold(0, u64::saturating_add))
    }

    /// What was given for a promise that one shortage broke, if that was decided.
    pub fn remedy(&self, store: StoreId, compensation: [u8; 16]) -> Result<Option<Remedy>, StoreError> {
        holder::compensation(self.snapshot, store, compensation)
    }

    /// Outages of links that were seen here: node, from, to, milliseconds since 1970.
    pub fn outages(&self) -> Result<Vec<(NodeId, u64, u64)>, StoreError> {
        rights::outages(self.snapshot)
    }

    /// The shortage with an id, and who declared it.
    pub fn shortage(&self, account: &Account, id: [u8; 16]) -> Result<Option<(TrailLine, Shortage)>, StoreError> {
        let found = self.trail(account, usize::MAX)?.lines.into_iter().find_map(|line| match &line.entry.fact {
            Fact::Shortage(shortage) if shortage.id() == id => Some((shortage.clone(), line)),
            _ => None,
        });
        Ok(found.map(|(shortage, line)| (line, shortage)))
    }

    /// At most `limit` entries about the rights to an account, the newest first. Reads the store's log of rights backwards, at
    /// most [`TRAIL_ENTRIES_MAX`] entries of it.
    pub fn trail(&self, account: &Account, limit: usize) -> Result<Trail, StoreError> {
        let scope = Scope::StoreRights(account.store);
        let Some(number) = cells::scope_number(self.snapshot, &scope)? else { return Ok(Trail::default()) };
        let mut promises: BTreeMap<PromiseId, bool> = BTreeMap::new();
        let mut trail = Trail::default();
        let (mut read, mut end) = (0, feed_key(number, u64::MAX));
        let begin = feed_key(number, 0);
        'feed: loop {
            let range = (Bound::Included(begin.as_slice()), Bound::Excluded(end.as_slice()));
            let rows = self.snapshot.scan(Table::Feed, range, Direction::Backward, FEED_ROWS)?;
            let Some((last, _)) = rows.last() else { break };
            end = last.clone();
            for (_, value) in &rows {
                let FeedRow::Entries { log, first, last } = feed_of_row(value)? else { continue };
                let row = self.snapshot.get(Table::Logs, &log.0.to_be_bytes())?;
                let row = row.ok_or_else(|| damaged("a log of the feed is missing"))?;
                let actor = Log::from_row(&row)?.id.actor;
                for (seq, item) in entries(self.snapshot, log, first, last)?.into_iter().rev() {
                    read += 1;
                    if self.is_about(&item.entry.fact, account, &mut promises)? {
                        let place = Place { log, seq };
                        trail.lines.push(TrailLine { actor, place, entry: item.entry, before: None });
                    }
                }
                if read >= TRAIL_ENTRIES_MAX || trail.lines.len() > limit.saturating_add(ROWS_MORE) {
                    trail.is_cut = true;
                    break 'feed;
                }
            }
        }
        fill_before(&mut trail);
        trail.is_cut |= trail.lines.len() > limit;
        trail.lines.truncate(limit);
        Ok(trail)
    }

    /// True for an entry about an account. What is about a promise only is looked up once per promise.
    fn is_about(
        &self,
        fact: &Fact,
        account: &Account,
        promises: &mut BTreeMap<PromiseId, bool>,
    ) -> Result<bool, StoreError> {
        let of_promise = match fact {
            Fact::Rights(rights) => return Ok(rights.account == *account),
            Fact::Promise(promise) => return Ok(promise.account == *account),
            Fact::Want(want) => return Ok(want.account == *account),
            Fact::Hint(hint) => return Ok(hint.account == *account),
            Fact::Shortage(shortage) => return Ok(shortage.account == *account),
            Fact::Retire(_) => return Ok(true),
            Fact::PromiseStep(step) => step.promise,
            Fact::Compensation(compensation) => compensation.promise,
            _ => return Ok(false),
        };
        if let Some(known) = promises.get(&of_promise) {
            return Ok(*known);
        }
        let record = book::record(self.snapshot, account.store, of_promise)?;
        let about = record.and_then(|record| record.promise).is_some_and(|promise| promise.account == *account);
        promises.insert(of_promise, about);
        Ok(about)
    }
}

/// Puts beside each row of rights the one that it replaced, which stands further back.
fn fill_before(trail: &mut Trail) {
    let mut older: BTreeMap<(Actor, Class), RightsRow> = BTreeMap::new();
    for line in trail.lines.iter_mut().rev() {
        if let Fact::Rights(fact) = &line.entry.fact {
            let before = older.insert((fact.by, fact.class), fact.row.clone());
            line.before = before.or_else(|| (!trail.is_cut).then(RightsRow::default));
        }
    }
}

/// Steps of a feed that are read at a time.
const FEED_ROWS: usize = 256;

/// Entries that are read beyond the limit, so that the oldest rows that are shown have the ones before them.
const ROWS_MORE: usize = 64;
