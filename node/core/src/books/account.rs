//! Stock on hand per (store, SKU, unit), with the places of every entry that made it.
//!
//! The row holds the resolved figure, the count on which it rests, and the newest places; older places are moved to chunks.
//! A movement only adds. A count that wins resolves the account anew from all of its places, which is what
//! [`stockroom_crdt::stock::resolve`] defines; the row is its incremental form.

use stockroom_crdt::clock::Hlc;
use stockroom_crdt::codec::{DecodeError, RowReader, Rows, Sink, Source, col};
use stockroom_crdt::entry::Entry;
use stockroom_crdt::ids::{Actor, Sku, StoreId};
use stockroom_crdt::limits::CUT_LOGS_MAX;
use stockroom_crdt::money::Unit;
use stockroom_crdt::stock::{Counted, Effect, OnHand, Position, Recount, effects, rank, resolve};

use super::Context;
use crate::journal::{LogNumber, Place, damaged, entry_at};
use crate::limits::ACCOUNT_PLACES_MAX;
use crate::overlay::{Overlay, scan_prefix};
use crate::storage::{Snapshot, StoreError, Table};

/// An account's row.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Account {
    /// The figure.
    pub on_hand: OnHand,
    /// The count on which it rests, with its place.
    pub base: Option<(Position, Counted)>,
    /// How many chunks of older places there are.
    pub chunks: u32,
    /// The newest places: log, actor's entry number.
    pub places: Vec<(Actor, Place)>,
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
            Effect::Move(movement) => {
                let base = account.base.as_ref().map(|(at, counted)| (*at, counted));
                account.on_hand.add(base, position, &movement);
            }
            Effect::Count(counted) => {
                count(overlay, &key, &mut account, (position, context.place), (&sku, unit, counted))?;
            }
        }
        overlay.put(Table::Accounts, key, encode(&account));
    }
    Ok(())
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

/// What the entry at `place` does to one account.
pub fn effects_at(
    snapshot: &(impl Snapshot + ?Sized),
    place: (Actor, Place),
    account: (&Sku, Unit),
) -> Result<Vec<(Position, Effect)>, StoreError> {
    let Some(item) = entry_at(snapshot, place.1)? else { return Err(damaged("an account names a missing entry")) };
    let position = Position { actor: place.0, seq: place.1.seq };
    let own = |(sku, unit, effect): (Sku, Unit, Effect)| {
        (sku == *account.0 && unit == account.1).then_some((position, effect))
    };
    Ok(effects(&item.entry).into_iter().filter_map(own).collect())
}

fn count(
    overlay: &Overlay,
    key: &[u8],
    account: &mut Account,
    at: (Position, Place),
    counted: (&Sku, Unit, Counted),
) -> Result<(), StoreError> {
    let ((position, count_place), (sku, unit, counted)) = (at, counted);
    if account.base.as_ref().is_some_and(|(at, held)| rank(*at, held) >= rank(position, &counted)) {
        return Ok(());
    }
    let mut all = Vec::new();
    for place in places(overlay, key, account)? {
        let at = Position { actor: place.0, seq: place.1.seq };
        // By place, not by position: both branches of a fork have an entry at each position.
        if place.1 == count_place {
            all.push((position, Effect::Count(counted.clone())));
        } else if !counted.covers(position, at) {
            let moves = effects_at(overlay, place, (sku, unit))?;
            all.extend(moves.into_iter().filter(|(_, effect)| matches!(effect, Effect::Move(_))));
        }
    }
    account.on_hand = resolve(&all);
    account.base = Some((position, counted));
    Ok(())
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

fn encode(account: &Account) -> Vec<u8> {
    Rows::of(|sink| {
        sink.int(col::QUANTITY, account.on_hand.quantity);
        sink.uint(col::COUNT, account.on_hand.movements);
        sink.uint(col::FLAGS, account.on_hand.recount.map_or(0, |recount| 1 + recount as u64));
        sink.uint(col::A, account.base.is_some().into());
        if let Some((at, counted)) = &account.base {
            encode_counted(sink, *at, counted);
        }
        sink.uint(col::B, u64::from(account.chunks));
        encode_places(sink, &account.places);
    })
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
    let base = if reader.flag(col::A)? { Some(decode_counted(&mut reader)?) } else { None };
    let chunks = reader.u32(col::B)?;
    let places = decode_places(&mut reader)?;
    let on_hand = OnHand { quantity, base: base.as_ref().map(|(at, _)| *at), movements, recount };
    Ok(Account { on_hand, base, chunks, places })
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
