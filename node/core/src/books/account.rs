//! Stock on hand per (store, SKU, unit), with the places of every entry that made it.
//!
//! The row holds the resolved figure, the count on which it rests, and the newest places; older places are moved to chunks.
//! A movement only adds, except that a sale which comes in twice is taken back and added once. A count that wins resolves the account anew from all of its places, which is what
//! [`stockroom_crdt::stock::resolve`] defines; the row is its incremental form.

use std::collections::BTreeSet;

use stockroom_crdt::clock::Hlc;
use stockroom_crdt::codec::{DecodeError, RowReader, Rows, Sink, Source, col};
use stockroom_crdt::entry::{Entry, Fact};
use stockroom_crdt::ids::{Actor, Sku, StoreId};
use stockroom_crdt::limits::CUT_LOGS_MAX;
use stockroom_crdt::money::Unit;
use stockroom_crdt::stock::{Counted, Effect, Movement, OnHand, Position, Recount, effects, rank, resolve};

use super::Context;
use super::sales::{self, Again, Writing};
use super::{returns, transfers};
use crate::journal::{LogNumber, Place, damaged, entry_at};
use crate::limits::ACCOUNT_PLACES_MAX;
use crate::overlay::{Overlay, scan_prefix};
use crate::plant::{Plant, planted};
use crate::storage::{Snapshot, StoreError, Table};

/// An account's row.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Account {
    /// The figure.
    pub on_hand: OnHand,
    /// The count on which it rests, with its place.
    pub base: Option<(Position, Counted)>,
    /// What does not stand on the shelf.
    pub aside: SetAside,
    /// Some of the goods had a date of expiry.
    pub dated: bool,
    /// How many chunks of older places there are.
    pub chunks: u32,
    /// The newest places: log, actor's entry number.
    pub places: Vec<(Actor, Place)>,
}

/// Goods that came back and are not on hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct SetAside {
    /// Units that wait for a decision.
    pub quarantined: i64,
    /// Units that were thrown away.
    pub scrapped: i64,
}

/// Applies what an entry does to the accounts of `store`.
pub fn apply(overlay: &mut Overlay, store: StoreId, context: &Context<'_>, entry: &Entry) -> Result<(), StoreError> {
    let position = Position { actor: context.actor, seq: context.place.seq };
    for (sku, unit, effect) in effects(entry) {
        let key = key(store, &sku, unit);
        let mut account = load(overlay, &key)?.unwrap_or_default();
        if account.places.last() != Some(&(context.actor, context.place)) {
            push_place(overlay, &key, &mut account, context);
        }
        match effect {
            Effect::Move(mut movement) => {
                if planted(Plant::CutLines) {
                    movement.delta = movement.delta.max(-2);
                }
                account.dated |= movement.batch.expiry_day != 0;
                let base = account.base.as_ref().map(|(at, counted)| (*at, counted));
                account.on_hand.add(base, position, &movement);
            }
            Effect::Aside(aside) => {
                let held = &mut account.aside;
                held.quarantined = held.quarantined.saturating_add(aside.quarantined);
                held.scrapped = held.scrapped.saturating_add(aside.scrapped);
            }
            Effect::Count(counted) => {
                count(overlay, (store, &sku, unit), &mut account, (position, context.place), counted)?;
            }
        }
        overlay.put(Table::Accounts, key, to_row(&account));
    }
    Ok(())
}

/// Applies one more entry of a sale, or of a part of a transfer, that others hold already: what it did to the accounts is taken
/// back and done again as the entry says that counts now. What it set aside stays: all of these entries say the same of that.
pub fn repeat(overlay: &mut Overlay, store: StoreId, context: &Context<'_>, again: &Again) -> Result<(), StoreError> {
    let [before, after] = [&again.before, &again.after];
    let accounts: BTreeSet<_> =
        effects_of(overlay, after[0].place)?.into_iter().map(|(sku, unit, _)| (sku, unit)).collect();
    for (sku, unit) in accounts {
        let key = key(store, &sku, unit);
        let mut account = load(overlay, &key)?.unwrap_or_default();
        push_place(overlay, &key, &mut account, context);
        let base = account.base.clone();
        let base = base.as_ref().map(|(at, counted)| (*at, counted));
        let [undone, done] = [before, after].map(|writings| share(overlay, writings, (&sku, unit), base));
        let (undone, done) = (undone?, done?);
        // Which of several late sales asked for the recount is not remembered.
        let asked = |movement: &Movement| base.is_some_and(|(_, counted)| movement.at_ms < counted.scanned_ms);
        if undone.iter().any(|(_, movement)| asked(movement)) {
            account.on_hand = reckon(overlay, (store, &sku, unit), &account, None)?;
        } else {
            undone.iter().for_each(|(_, movement)| account.on_hand.take_back(movement));
            done.iter().for_each(|(position, movement)| account.on_hand.add(base, *position, movement));
        }
        overlay.put(Table::Accounts, key, to_row(&account));
    }
    Ok(())
}

/// How a movement of goods relates to the figure of its account.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Standing {
    /// The figure adds it.
    Counts,
    /// The count on which the figure rests includes it already.
    Covered,
    /// It is a sale that another entry stands for.
    Repeated,
}

/// How what the entry at `place` moved relates to a figure that rests on `base`. A count that includes one entry of a sale
/// includes the sale.
pub fn standing(
    snapshot: &(impl Snapshot + ?Sized),
    store: StoreId,
    (position, place): (Position, Place),
    fact: &Fact,
    base: Option<(Position, &Counted)>,
) -> Result<Standing, StoreError> {
    let covers = |position| base.is_some_and(|(at, counted)| counted.covers(at, position));
    let writings = match fact {
        Fact::Sale(sale) => sales::writings(snapshot, store, sale)?,
        Fact::GoodsReturn(returned) => returns::writings(snapshot, store, returned)?,
        other => transfers::writings(snapshot, store, other)?,
    };
    Ok(if writings.first().is_some_and(|first| first.place != place) {
        Standing::Repeated
    } else if covers(position) || writings.iter().any(|writing| covers(writing.position)) {
        Standing::Covered
    } else {
        Standing::Counts
    })
}

/// The key of an account.
pub fn key(store: StoreId, sku: &Sku, unit: Unit) -> Vec<u8> {
    [store.0.to_be_bytes().as_slice(), sku.as_str().as_bytes(), &[0, u8::from(unit == Unit::Gram)]].concat()
}

/// Store, SKU and unit in an account's key.
pub fn parse_key(key: &[u8]) -> Result<(StoreId, Sku, Unit), StoreError> {
    let (store, rest) = key.split_at_checked(4).ok_or_else(|| damaged("account key"))?;
    let at = rest.len().checked_sub(2).ok_or_else(|| damaged("account key"))?;
    let text = std::str::from_utf8(&rest[..at]).map_err(damaged)?;
    let unit = if rest[at + 1] == 1 { Unit::Gram } else { Unit::Each };
    Ok((StoreId(u32::from_be_bytes(crate::journal::fixed(store)?)), Sku::parse(text).map_err(damaged)?, unit))
}

/// An account by its key.
pub fn load(snapshot: &(impl Snapshot + ?Sized), key: &[u8]) -> Result<Option<Account>, StoreError> {
    snapshot.get(Table::Accounts, key)?.map(|bytes| decode(&bytes).map_err(damaged)).transpose()
}

/// Reads a row of [`Table::Accounts`].
pub fn from_row(bytes: &[u8]) -> Result<Account, StoreError> {
    decode(bytes).map_err(damaged)
}

/// Writes a row of [`Table::Accounts`].
pub fn to_row(account: &Account) -> Vec<u8> {
    Rows::of(|sink| {
        sink.int(col::QUANTITY, account.on_hand.quantity);
        sink.uint(col::COUNT, account.on_hand.movements);
        sink.uint(col::FLAGS, account.on_hand.recount.map_or(0, |recount| 1 + recount as u64));
        let has_aside = account.aside != SetAside::default();
        let has = [account.base.is_some(), account.dated, has_aside];
        sink.uint(col::A, has.iter().rev().fold(0, |bits, &has| bits << 1 | u64::from(has)));
        if let Some((at, counted)) = &account.base {
            encode_counted(sink, *at, counted);
        }
        if has_aside {
            sink.int(col::QUANTITY, account.aside.quarantined);
            sink.int(col::QUANTITY, account.aside.scrapped);
        }
        sink.uint(col::B, u64::from(account.chunks));
        encode_places(sink, &account.places);
    })
}

/// Every place that made the account what it is, oldest first.
pub fn places(
    snapshot: &(impl Snapshot + ?Sized),
    key: &[u8],
    account: &Account,
) -> Result<Vec<(Actor, Place)>, StoreError> {
    let mut out = Vec::new();
    for (_, value) in scan_prefix(snapshot, Table::Moves, key, usize::MAX)? {
        out.extend(decode_places(&mut RowReader::new(&value)).map_err(damaged)?);
    }
    out.extend(account.places.iter().copied());
    Ok(out)
}

/// What the entry at `place` does to one account, and the entry.
pub fn effects_at(
    snapshot: &(impl Snapshot + ?Sized),
    place: (Actor, Place),
    account: (&Sku, Unit),
) -> Result<(Fact, Vec<(Position, Effect)>), StoreError> {
    let item = entry_at(snapshot, place.1)?.ok_or_else(|| damaged("an account names a missing entry"))?;
    let position = Position { actor: place.0, seq: place.1.seq };
    let own = |(sku, unit, effect): (Sku, Unit, Effect)| {
        (sku == *account.0 && unit == account.1).then_some((position, effect))
    };
    let effects = effects(&item.entry).into_iter().filter_map(own).collect();
    Ok((item.entry.fact, effects))
}

fn count(
    overlay: &Overlay,
    of: (StoreId, &Sku, Unit),
    account: &mut Account,
    at: (Position, Place),
    counted: Counted,
) -> Result<(), StoreError> {
    let (position, place) = at;
    let outranked = account.base.as_ref().is_some_and(|(at, held)| rank(*at, held) >= rank(position, &counted));
    if outranked && !planted(Plant::LastCountWins) {
        return Ok(());
    }
    account.base = Some((position, counted));
    account.on_hand = reckon(overlay, of, account, Some(place))?;
    Ok(())
}

/// The figure anew, from the account's base and all of its places. What stands at `count` is the base itself, if the caller
/// knows: a closing of thousands of lines need not be read for each of them.
fn reckon(
    overlay: &Overlay,
    (store, sku, unit): (StoreId, &Sku, Unit),
    account: &Account,
    count: Option<Place>,
) -> Result<OnHand, StoreError> {
    let base = account.base.as_ref().map(|(at, counted)| (*at, counted));
    let mut all: Vec<_> = base.map(|(at, counted)| (at, Effect::Count(counted.clone()))).into_iter().collect();
    for (actor, place) in places(overlay, &key(store, sku, unit), account)? {
        let position = Position { actor, seq: place.seq };
        // By place, not by position: both branches of a fork have an entry at each position.
        if count == Some(place) || base.is_some_and(|(at, counted)| counted.covers(at, position)) {
            continue;
        }
        let (fact, effects) = effects_at(overlay, (actor, place), (sku, unit))?;
        if standing(overlay, store, (position, place), &fact, base)? == Standing::Counts {
            all.extend(effects.into_iter().filter(|(_, effect)| matches!(effect, Effect::Move(_))));
        }
    }
    Ok(resolve(&all))
}

/// What a sale that several entries hold adds to one account.
fn share(
    overlay: &Overlay,
    writings: &[Writing],
    account: (&Sku, Unit),
    base: Option<(Position, &Counted)>,
) -> Result<Vec<(Position, Movement)>, StoreError> {
    let covered = |writing: &Writing| base.is_some_and(|(at, counted)| counted.covers(at, writing.position));
    if writings.iter().any(covered) {
        return Ok(Vec::new());
    }
    let first = writings[0];
    let own = |(sku, unit, effect): (Sku, Unit, Effect)| match effect {
        Effect::Move(movement) if sku == *account.0 && unit == account.1 => Some((first.position, movement)),
        Effect::Move(_) | Effect::Count(_) | Effect::Aside(_) => None,
    };
    Ok(effects_of(overlay, first.place)?.into_iter().filter_map(own).collect())
}

fn effects_of(overlay: &Overlay, place: Place) -> Result<Vec<(Sku, Unit, Effect)>, StoreError> {
    let item = entry_at(overlay, place)?.ok_or_else(|| damaged("a sale's entry is missing"))?;
    Ok(effects(&item.entry))
}

fn push_place(overlay: &mut Overlay, key: &[u8], account: &mut Account, context: &Context<'_>) {
    if account.places.len() >= context.inline_max {
        let chunk = [key, account.chunks.to_be_bytes().as_slice()].concat();
        overlay.put(Table::Moves, chunk, Rows::of(|sink| encode_places(sink, &account.places)));
        account.places.clear();
        account.chunks += 1;
    }
    account.places.push((context.actor, context.place));
}

fn decode(bytes: &[u8]) -> Result<Account, DecodeError> {
    let mut reader = RowReader::new(bytes);
    let quantity = reader.int(col::QUANTITY)?;
    let movements = reader.uint(col::COUNT)?;
    let recount = match reader.uint(col::FLAGS)? {
        0 => None,
        1 => Some(Recount::MovedWhileCounting),
        _ => Some(Recount::LateSale),
    };
    let has = reader.uint(col::A)?;
    let base = if has & 1 != 0 { Some(decode_counted(&mut reader)?) } else { None };
    let aside = match has & 4 != 0 {
        true => SetAside { quarantined: reader.int(col::QUANTITY)?, scrapped: reader.int(col::QUANTITY)? },
        false => SetAside::default(),
    };
    let chunks = reader.u32(col::B)?;
    let places = decode_places(&mut reader)?;
    let on_hand = OnHand { quantity, base: base.as_ref().map(|(at, _)| *at), movements, recount };
    Ok(Account { on_hand, base, aside, dated: has & 2 != 0, chunks, places })
}

fn encode_counted(sink: &mut Rows, at: Position, counted: &Counted) {
    at.actor.encode(sink);
    sink.uint(col::SEQ, at.seq);
    sink.uint(col::KEY, counted.session);
    sink.int(col::QUANTITY, counted.quantity);
    sink.uint(col::POSITION, counted.cut);
    sink.uint(col::COUNT, counted.others.len() as u64);
    for (actor, seq) in &counted.others {
        actor.encode(sink);
        sink.uint(col::SEQ, *seq);
    }
    sink.uint(col::TIME, counted.scanned_ms);
    sink.uint(col::FLAGS, counted.ambiguous.into());
    sink.uint(col::HLC_MS, counted.hlc.to_bits());
}

fn decode_counted(reader: &mut RowReader<'_>) -> Result<(Position, Counted), DecodeError> {
    let at = Position { actor: Actor::decode(reader)?, seq: reader.uint(col::SEQ)? };
    let session = reader.uint(col::KEY)?;
    let quantity = reader.int(col::QUANTITY)?;
    let cut = reader.uint(col::POSITION)?;
    let count = reader.count(col::COUNT, CUT_LOGS_MAX, "logs of a cut")?;
    let mut others = Vec::new();
    for _ in 0..count {
        others.push((Actor::decode(reader)?, reader.uint(col::SEQ)?));
    }
    let scanned_ms = reader.uint(col::TIME)?;
    let ambiguous = reader.flag(col::FLAGS)?;
    let hlc = Hlc::from_bits(reader.uint(col::HLC_MS)?);
    Ok((at, Counted { session, quantity, cut, others, scanned_ms, ambiguous, hlc }))
}

/// Places as differences to the one before: two or three bytes each.
fn encode_places(sink: &mut Rows, places: &[(Actor, Place)]) {
    sink.uint(col::COUNT, places.len() as u64);
    let mut last = None;
    for (actor, place) in places {
        let same = last.filter(|(log, _)| *log == place.log).map(|(_, seq)| seq);
        match same {
            Some(seq) => sink.uint(col::SEQ, stockroom_crdt::codec::zigzag(place.seq.wrapping_sub(seq) as i64) << 1),
            None => {
                sink.uint(col::SEQ, place.seq << 1 | 1);
                sink.uint(col::KEY, u64::from(place.log.0));
                actor.encode(sink);
            }
        }
        last = Some((place.log, place.seq));
    }
}

fn decode_places(reader: &mut RowReader<'_>) -> Result<Vec<(Actor, Place)>, DecodeError> {
    let count = reader.count(col::COUNT, ACCOUNT_PLACES_MAX, "places")?;
    let mut out: Vec<(Actor, Place)> = Vec::new();
    for _ in 0..count {
        let coded = reader.uint(col::SEQ)?;
        if coded & 1 == 1 {
            let log = LogNumber(reader.u32(col::KEY)?);
            out.push((Actor::decode(reader)?, Place { log, seq: coded >> 1 }));
        } else {
            let &(actor, place) = out.last().ok_or(DecodeError::Value("place"))?;
            let step = stockroom_crdt::codec::unzigzag(coded >> 1);
            out.push((actor, Place { log: place.log, seq: place.seq.wrapping_add(step as u64) }));
        }
    }
    Ok(out)
}
