//! Rights and promises per account, as the entries of the store's rights scope add up to them.
//!
//! Rows of rights join field by field; what was said about a promise is gathered under its name, also when it comes before the
//! promise itself. Both give the same in whatever order entries come. Sums over the promises of an account are kept beside
//! them, so that its home knows what it owes without reading all promises there ever were.

use stockroom_crdt::clock::Hlc;
use stockroom_crdt::codec::{DecodeError, RowReader, Rows, Sink, Source, col};
use stockroom_crdt::entry::{Entry, Fact};
use stockroom_crdt::ids::{Actor, Code, StoreId};
use stockroom_crdt::order::offer::OfferLine;
use stockroom_crdt::order::pass::SignedPass;
use stockroom_crdt::stock::Position;
use stockroom_crdt::stock::promise::{Claim, Promise, PromiseId, PromiseStep, Said, State, Step};
use stockroom_crdt::stock::rights::{Account, Class, Rights, RightsFact, RightsRow};

use super::{Context, account};
use crate::journal::{damaged, fixed};
use crate::overlay::{Overlay, scan_prefix};
use crate::storage::{Snapshot, StoreError, Table};

/// A promise with all that is known of it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Record {
    /// The promise; absent while only something about it has arrived.
    pub promise: Option<Promise>,
    /// When it was made.
    pub made: Hlc,
    /// What was said about it.
    pub said: Said,
    /// It is known only from a pass that the customer showed: its issuer's own word has not arrived.
    pub by_pass: bool,
}

/// Units of the promises of one account.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Owed {
    /// Open, with rights to goods behind them.
    pub open: u64,
    /// Open and soft.
    pub open_soft: u64,
    /// Closed, for which rights to goods were used.
    pub closed: u64,
    /// Not soft any more, or closed: the overbooking budget has these back.
    pub closed_soft: u64,
}

/// Applies an entry of a store's rights scope. Gives the account that it is about, if that is known.
pub fn apply(
    overlay: &mut Overlay,
    store: StoreId,
    context: &Context<'_>,
    entry: &Entry,
) -> Result<Vec<Account>, StoreError> {
    match &entry.fact {
        Fact::Rights(fact) => {
            let key = row_key(&fact.account, fact.class, fact.by);
            let mut row =
                overlay.get(Table::Rights, &key)?.map(|bytes| decode_row(&bytes)).transpose()?.unwrap_or_default();
            row.join(&fact.row);
            put_row(overlay, fact, &row);
            Ok(vec![fact.account.clone()])
        }
        Fact::Promise(promise) => change(overlay, store, promise.id, |record| {
            // The name is random, but a hostile issuer can use it twice: the smaller content counts, everywhere the same.
            let bytes = |promise: &Promise| Rows::of(|sink| promise.encode(sink));
            if record.by_pass || record.promise.as_ref().is_none_or(|held| bytes(promise) < bytes(held)) {
                record.promise = Some(promise.clone());
                record.made = entry.hlc;
                record.by_pass = false;
            } else if record.promise.as_ref() == Some(promise) {
                record.made = record.made.min(entry.hlc);
            }
        }),
        Fact::PromiseStep(step) => {
            let at = Position { actor: context.actor, seq: context.place.seq };
            change(overlay, store, step.promise, |record| record.said.add(at, entry.hlc, step.clone()))
        }
        Fact::Shortage(shortage) => {
            let id = shortage.id();
            let mut accounts = vec![shortage.account.clone()];
            for (promise, _) in &shortage.victims {
                accounts.extend(change(overlay, store, *promise, |record| record.said.short(id))?);
            }
            Ok(accounts)
        }
        // The store gives away what its issuer promised before it hears of the promise.
        Fact::PassShown(shown) => {
            let mut accounts = Vec::new();
            for promise in promises_of(shown) {
                accounts.extend(change(overlay, store, promise.id, |record| {
                    if record.promise.is_none() {
                        record.promise = Some(promise.clone());
                        record.made = entry.hlc;
                        record.by_pass = true;
                    } else if record.by_pass {
                        record.made = record.made.min(entry.hlc);
                    }
                })?);
            }
            Ok(accounts)
        }
        Fact::Want(want) => Ok(vec![want.account.clone()]),
        Fact::Hint(hint) => Ok(vec![hint.account.clone()]),
        _ => Ok(Vec::new()),
    }
}

/// Keeps a row of the writer of `fact`.
pub fn put_row(overlay: &mut Overlay, fact: &RightsFact, row: &RightsRow) {
    let key = row_key(&fact.account, fact.class, fact.by);
    overlay.put(Table::Rights, key, Rows::of(|sink| row.encode(sink)));
}

/// All that is known of the rights to an account.
pub fn rights(snapshot: &(impl Snapshot + ?Sized), account: &Account, class: Class) -> Result<Rights, StoreError> {
    let prefix = class_prefix(account, class);
    let mut rights = Rights::default();
    for (key, value) in scan_prefix(snapshot, Table::Rights, &prefix, usize::MAX)? {
        rights.merge(actor_of(&key)?, &decode_row(&value)?);
    }
    Ok(rights)
}

/// A promise, or what was said about it.
pub fn record(
    snapshot: &(impl Snapshot + ?Sized),
    store: StoreId,
    id: PromiseId,
) -> Result<Option<Record>, StoreError> {
    snapshot.get(Table::Promises, &promise_key(store, id))?.map(|bytes| decode(&bytes).map_err(damaged)).transpose()
}

/// The open promises of an account, by their names.
pub fn open(snapshot: &(impl Snapshot + ?Sized), account: &Account) -> Result<Vec<(Promise, Record)>, StoreError> {
    let prefix = account::key(account.store, &account.sku, account.unit);
    let mut out = Vec::new();
    for (key, _) in scan_prefix(snapshot, Table::OpenPromises, &prefix, usize::MAX)? {
        let id = id_of(&key)?;
        let held = record(snapshot, account.store, id)?.ok_or_else(|| damaged("an open promise is missing"))?;
        let promise = held.promise.clone().ok_or_else(|| damaged("an open promise has no content"))?;
        out.push((promise, held));
    }
    Ok(out)
}

/// At most `limit` promises of a store after one, open or not, in the order of their names.
pub fn promises(
    snapshot: &(impl Snapshot + ?Sized),
    store: StoreId,
    after: Option<PromiseId>,
    limit: usize,
) -> Result<Vec<(PromiseId, Record)>, StoreError> {
    let from = after.map_or_else(|| store.0.to_be_bytes().to_vec(), |id| [promise_key(store, id), vec![0]].concat());
    let end = crate::storage::prefix_end(&store.0.to_be_bytes()).unwrap_or_else(|| vec![0xff; 64]);
    let range = (std::ops::Bound::Included(from.as_slice()), std::ops::Bound::Excluded(end.as_slice()));
    let rows = snapshot.scan(Table::Promises, range, crate::storage::Direction::Forward, limit)?;
    rows.iter().map(|(key, value)| Ok((id_of(key)?, decode(value).map_err(damaged)?))).collect()
}

/// What the promises of an account add up to.
pub fn owed(snapshot: &(impl Snapshot + ?Sized), account: &Account) -> Result<Owed, StoreError> {
    let key = account::key(account.store, &account.sku, account.unit);
    let Some(bytes) = snapshot.get(Table::Owed, &key)? else { return Ok(Owed::default()) };
    let mut reader = RowReader::new(&bytes);
    let mut next = || reader.uint(col::QUANTITY).map_err(damaged);
    Ok(Owed { open: next()?, open_soft: next()?, closed: next()?, closed_soft: next()? })
}

/// Accounts of a store that have rights or open promises, in the order of their keys.
pub fn accounts(snapshot: &(impl Snapshot + ?Sized), store: StoreId) -> Result<Vec<Account>, StoreError> {
    let mut out: std::collections::BTreeSet<Account> = std::collections::BTreeSet::new();
    for (key, _) in scan_prefix(snapshot, Table::Rights, &store.0.to_be_bytes(), usize::MAX)? {
        out.insert(account_of(&key[..key.len() - 7])?);
    }
    for (key, _) in scan_prefix(snapshot, Table::Owed, &store.0.to_be_bytes(), usize::MAX)? {
        out.insert(account_of(&key)?);
    }
    Ok(out.into_iter().collect())
}

impl Record {
    /// Where it stands.
    pub fn state(&self) -> State {
        match self.said.state() {
            State::Held if self.promise.as_ref().is_some_and(|promise| promise.until_ms == 0) => State::Confirmed,
            state => state,
        }
    }

    /// What it adds to the sums of its account.
    fn owed(&self) -> Owed {
        let Some(promise) = &self.promise else { return Owed::default() };
        let (units, open) = (promise.quantity, self.state().is_open());
        let kept = if open { self.said.kept(promise) } else { 0 };
        let hard = self.said.claim(promise) == Claim::Hard;
        let was_soft = promise.claim == Claim::Soft;
        Owed {
            open: if hard { kept } else { 0 },
            open_soft: if hard { 0 } else { kept },
            closed: if hard { units - kept } else { 0 },
            closed_soft: if was_soft && hard {
                units
            } else if was_soft {
                units - kept
            } else {
                0
            },
        }
    }
}

/// The promises that a pass vouches for.
fn promises_of(shown: &SignedPass) -> Vec<Promise> {
    let offer = shown.pass.offer();
    let of_line = |line: &OfferLine| Promise {
        id: offer.promise(shown.pass.store, line.line),
        account: Account { store: shown.pass.store, sku: line.sku.clone(), unit: line.unit },
        quantity: line.quantity.unsigned_abs(),
        claim: Claim::Hard,
        channel: offer.channel,
        priority: 0,
        until_ms: 0,
        wanted_ms: offer.due_ms,
        reference: Code::parse(&offer.order.to_string()).expect("an order's name is a code"),
        replaces: None,
    };
    offer.lines.iter().map(of_line).collect()
}

fn change(
    overlay: &mut Overlay,
    store: StoreId,
    id: PromiseId,
    act: impl FnOnce(&mut Record),
) -> Result<Vec<Account>, StoreError> {
    let mut held = record(overlay, store, id)?.unwrap_or_default();
    let before = held.clone();
    act(&mut held);
    overlay.put(Table::Promises, promise_key(store, id), Rows::of(|sink| encode(sink, &held)));
    settle(overlay, id, &before, false)?;
    settle(overlay, id, &held, true)?;
    Ok(held.promise.into_iter().map(|promise| promise.account).collect())
}

/// Adds a promise's share to the sums of its account, or takes it out.
fn settle(overlay: &mut Overlay, id: PromiseId, record: &Record, add: bool) -> Result<(), StoreError> {
    let Some(promise) = &record.promise else { return Ok(()) };
    let key = account::key(promise.account.store, &promise.account.sku, promise.account.unit);
    let (mut sum, share) = (owed(overlay, &promise.account)?, record.owed());
    let change = |sum: u64, share: u64| if add { sum.saturating_add(share) } else { sum.saturating_sub(share) };
    sum.open = change(sum.open, share.open);
    sum.open_soft = change(sum.open_soft, share.open_soft);
    sum.closed = change(sum.closed, share.closed);
    sum.closed_soft = change(sum.closed_soft, share.closed_soft);
    let value = Rows::of(|sink| {
        for units in [sum.open, sum.open_soft, sum.closed, sum.closed_soft] {
            sink.uint(col::QUANTITY, units);
        }
    });
    overlay.put(Table::Owed, key.clone(), value);
    let index = [key, id_bytes(id).to_vec()].concat();
    if add && record.state().is_open() {
        overlay.put(Table::OpenPromises, index, Vec::new());
    } else {
        overlay.remove(Table::OpenPromises, index);
    }
    Ok(())
}

fn encode(sink: &mut Rows, record: &Record) {
    let has = [record.promise.is_some(), record.said.shortage().is_some(), record.by_pass];
    sink.uint(col::FLAGS, has.iter().enumerate().map(|(bit, has)| u64::from(*has) << bit).sum());
    if let Some(promise) = &record.promise {
        promise.encode(sink);
    }
    if let Some(shortage) = record.said.shortage() {
        sink.array(col::DIGEST, &shortage);
    }
    sink.uint(col::HLC_MS, record.made.to_bits());
    sink.uint(col::COUNT, record.said.steps().count() as u64);
    for ((epoch, seq, node, hlc), step) in record.said.steps() {
        Actor::new(*node, *epoch).encode(sink);
        sink.uint(col::SEQ, *seq);
        sink.uint(col::HLC_MS, hlc.to_bits());
        step.encode(sink);
    }
}

fn decode(bytes: &[u8]) -> Result<Record, DecodeError> {
    let mut reader = RowReader::new(bytes);
    let flags = reader.uint(col::FLAGS)?;
    let promise = if flags & 1 == 1 { Some(Promise::decode(&mut reader)?) } else { None };
    let mut said = Said::default();
    if flags & 2 == 2 {
        said.short(reader.array(col::DIGEST)?);
    }
    let made = Hlc::from_bits(reader.uint(col::HLC_MS)?);
    for _ in 0..reader.count(col::COUNT, Step::ALL.len(), "steps of a promise")? {
        let actor = Actor::decode(&mut reader)?;
        let seq = reader.uint(col::SEQ)?;
        let hlc = Hlc::from_bits(reader.uint(col::HLC_MS)?);
        said.add(Position { actor, seq }, hlc, PromiseStep::decode(&mut reader)?);
    }
    Ok(Record { promise, made, said, by_pass: flags & 4 == 4 })
}

fn decode_row(bytes: &[u8]) -> Result<RightsRow, StoreError> {
    // The writer stands in the key, and was compared when the fact was read.
    RightsRow::decode(&mut RowReader::new(bytes), NOBODY).map_err(damaged)
}

fn class_prefix(account: &Account, class: Class) -> Vec<u8> {
    [account::key(account.store, &account.sku, account.unit).as_slice(), &[class as u8]].concat()
}

fn row_key(account: &Account, class: Class, actor: Actor) -> Vec<u8> {
    [class_prefix(account, class).as_slice(), &actor.node.0.to_be_bytes(), &actor.epoch.0.to_be_bytes()].concat()
}

fn actor_of(key: &[u8]) -> Result<Actor, StoreError> {
    let at = key.len().checked_sub(6).ok_or_else(|| damaged("rights key"))?;
    let node = u32::from_be_bytes(fixed(&key[at..at + 4])?);
    Ok(Actor::new(node, u16::from_be_bytes(fixed(&key[at + 4..])?)))
}

fn account_of(key: &[u8]) -> Result<Account, StoreError> {
    let (store, sku, unit) = account::parse_key(key)?;
    Ok(Account { store, sku, unit })
}

fn id_bytes(id: PromiseId) -> [u8; 14] {
    let mut out = [0; 14];
    out[..4].copy_from_slice(&id.issuer.node.0.to_be_bytes());
    out[4..6].copy_from_slice(&id.issuer.epoch.0.to_be_bytes());
    out[6..].copy_from_slice(&id.number.to_be_bytes());
    out
}

fn promise_key(store: StoreId, id: PromiseId) -> Vec<u8> {
    [store.0.to_be_bytes().as_slice(), &id_bytes(id)].concat()
}

/// The name in the last bytes of a key.
fn id_of(key: &[u8]) -> Result<PromiseId, StoreError> {
    let at = key.len().checked_sub(14).ok_or_else(|| damaged("promise key"))?;
    let node = u32::from_be_bytes(fixed(&key[at..at + 4])?);
    let epoch = u16::from_be_bytes(fixed(&key[at + 4..at + 6])?);
    Ok(PromiseId { issuer: Actor::new(node, epoch), number: u64::from_be_bytes(fixed(&key[at + 6..])?) })
}

/// No node has this number: nothing that is read back can be a grant to it.
const NOBODY: Actor = Actor::new(u32::MAX, u16::MAX);
