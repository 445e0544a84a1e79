//! Goods that came back: the entries about each return, and which returns are about a receipt.
//!
//! A return stands in the store that took the goods. The hub's copy and the seller's word stand in the scopes of the seller, so everything about a
//! receipt is found at its seller, or at this node's own store before the hub has carried it.

use std::collections::{BTreeMap, BTreeSet};

use stockroom_crdt::entry::{Entry, Fact};
use stockroom_crdt::ids::{StoreId, TillId};
use stockroom_crdt::order::returns::judge::{Sold, Told};
use stockroom_crdt::order::returns::{GoodsReturn, Origin, ReturnId};
use stockroom_crdt::sale::{ReceiptNumber, Sale};
use stockroom_crdt::scope::Scope;

use super::Context;
use super::sales::{self, Again, Writing, decode_writings, encode_writings};
use crate::journal::{damaged, entry_at, fixed};
use crate::overlay::{Overlay, scan_prefix};
use crate::storage::{Snapshot, StoreError, Table};

/// Records a return where it moves stock, and tells which others it repeats; `None` for one that was not seen before.
pub fn put(
    overlay: &mut Overlay,
    store: StoreId,
    returned: &GoodsReturn,
    writing: Writing,
) -> Result<Option<Again>, StoreError> {
    let before = writings(overlay, store, returned)?;
    let mut after = before.clone();
    after.push(writing);
    after.sort_unstable();
    overlay.put(Table::Returns, written_key(store, returned), encode_writings(&after));
    Ok((!before.is_empty()).then_some(Again { before, after }))
}

/// Every entry that holds a return where it moves stock, the one that counts first.
pub fn writings(
    snapshot: &(impl Snapshot + ?Sized),
    store: StoreId,
    returned: &GoodsReturn,
) -> Result<Vec<Writing>, StoreError> {
    let row = snapshot.get(Table::Returns, &written_key(store, returned))?;
    row.map_or(Ok(Vec::new()), |row| decode_writings(&row))
}

/// Takes in an entry about a return, or a sale that takes goods of an earlier receipt back.
pub fn apply(overlay: &mut Overlay, context: &Context<'_>, entry: &Entry) -> Result<(), StoreError> {
    let Some(store) = context.scope.store() else { return Ok(()) };
    let id = match &entry.fact {
        Fact::GoodsReturn(returned) => {
            if let Origin::Receipt(seller, number) = returned.origin {
                let key = [of_receipt_key(store, (seller, number)).as_slice(), &id_bytes(returned.id)].concat();
                overlay.put(Table::Returns, key, Vec::new());
            }
            returned.id
        }
        Fact::ReturnGrant(said) => said.id,
        Fact::Sale(sale) if sale.voids.is_none() && matches!(context.scope, Scope::StoreStock(_)) => {
            for (number, _) in sale.lines.iter().filter(|line| line.quantity < 0).filter_map(|line| line.original) {
                let till = [sale.receipt.till.0.to_be_bytes().as_slice(), &sale.till_seq.to_be_bytes()].concat();
                let key = [at_till_key(store, number).as_slice(), &till].concat();
                overlay.put(Table::Returns, key, sales::encode(context.place));
            }
            return Ok(());
        }
        _ => return Ok(()),
    };
    let actor = [context.actor.node.0.to_be_bytes().as_slice(), &context.actor.epoch.0.to_be_bytes()].concat();
    let at = [actor.as_slice(), &context.place.seq.to_be_bytes(), &entry.fact.kind().to_be_bytes()].concat();
    overlay.put(Table::Returns, [event_key(store, id).as_slice(), &at].concat(), entry.to_bytes());
    Ok(())
}

/// Everything that is known of a return. `own` is the store of this node, if it has one.
pub fn told(snapshot: &(impl Snapshot + ?Sized), own: Option<StoreId>, id: ReturnId) -> Result<Told, StoreError> {
    let mut told = Told::default();
    let mut places: BTreeSet<StoreId> = [Some(id.store), own].into_iter().flatten().collect();
    places.iter().try_for_each(|place| gather(snapshot, *place, id, &mut told))?;
    if let Some(Origin::Receipt(seller, _)) = told.returned.as_ref().map(|returned| returned.origin)
        && places.insert(seller)
    {
        gather(snapshot, seller, id, &mut told)?;
    }
    // The seller's word and the hub's copy of it are one.
    told.said.sort_by_key(|said| (said.verdict, said.at_ms));
    told.said.dedup();
    Ok(told)
}

/// What stands about a return in the scopes of one store.
pub fn told_at(snapshot: &(impl Snapshot + ?Sized), place: StoreId, id: ReturnId) -> Result<Told, StoreError> {
    let mut told = Told::default();
    gather(snapshot, place, id, &mut told)?;
    Ok(told)
}

/// Everything that is known of the returns of a receipt.
pub fn of_receipt(
    snapshot: &(impl Snapshot + ?Sized),
    own: Option<StoreId>,
    (seller, number): (StoreId, ReceiptNumber),
) -> Result<BTreeMap<ReturnId, Told>, StoreError> {
    let mut out = BTreeMap::new();
    let places: BTreeSet<StoreId> = [Some(seller), own].into_iter().flatten().collect();
    for place in places {
        let prefix = of_receipt_key(place, (seller, number));
        for (key, _) in scan_prefix(snapshot, Table::Returns, &prefix, usize::MAX)? {
            let bytes = key.get(prefix.len()..prefix.len() + 12).ok_or_else(|| damaged("key of a return"))?;
            let store = StoreId(u32::from_be_bytes(fixed(&bytes[..4])?));
            let id = ReturnId { store, number: u64::from_be_bytes(fixed(&bytes[4..])?) };
            out.insert(id, told(snapshot, own, id)?);
        }
    }
    Ok(out)
}

/// What a receipt sold and did not take back at a till since, line by line; `None` if it is not known here.
pub fn sold(
    snapshot: &(impl Snapshot + ?Sized),
    (seller, number): (StoreId, ReceiptNumber),
) -> Result<Option<(Sale, Vec<Sold>)>, StoreError> {
    let Some(place) = sales::by_receipt(snapshot, seller, number)? else { return Ok(None) };
    let Some(Fact::Sale(sale)) = entry_at(snapshot, place)?.map(|item| item.entry.fact) else { return Ok(None) };
    let is_gone = sale.voids.is_some() || sales::is_taken_back(snapshot, seller, &sale)?;
    let line = |(line, money): (&stockroom_crdt::sale::SaleLine, i64)| match is_gone {
        true => Sold::default(),
        false => Sold { units: line.quantity.max(0), amount: money },
    };
    let mut sold: Vec<Sold> = sale.lines.iter().zip(sale.money_of_lines()).map(line).collect();
    for (_, value) in scan_prefix(snapshot, Table::Returns, &at_till_key(seller, number), usize::MAX)? {
        let Some(Fact::Sale(back)) = entry_at(snapshot, sales::decode(&value)?)?.map(|item| item.entry.fact) else {
            continue;
        };
        if sales::is_taken_back(snapshot, seller, &back)? {
            continue;
        }
        for line in back.lines.iter().filter(|line| line.quantity < 0) {
            // Tills number lines from 1.
            let at = line.original.filter(|(of, _)| *of == number).and_then(|(_, at)| at.checked_sub(1));
            if let Some(held) = at.and_then(|at| sold.get_mut(at as usize)) {
                let units = (held.units + line.quantity).max(0);
                *held = Sold { units, amount: held.amount_of(units) };
            }
        }
    }
    Ok(Some((sale, sold)))
}

fn gather(
    snapshot: &(impl Snapshot + ?Sized),
    place: StoreId,
    id: ReturnId,
    told: &mut Told,
) -> Result<(), StoreError> {
    for (_, value) in scan_prefix(snapshot, Table::Returns, &event_key(place, id), usize::MAX)? {
        match Entry::from_bytes(&value).map_err(damaged)?.fact {
            Fact::GoodsReturn(returned) => told.take(returned),
            Fact::ReturnGrant(said) => told.said.push(said),
            _ => return Err(damaged("an entry about a return is about something else")),
        }
    }
    Ok(())
}

fn written_key(store: StoreId, returned: &GoodsReturn) -> Vec<u8> {
    [store.0.to_be_bytes().as_slice(), b"w", &id_bytes(returned.id), &returned.said().short()].concat()
}

fn event_key(store: StoreId, id: ReturnId) -> Vec<u8> {
    [store.0.to_be_bytes().as_slice(), b"e", &id_bytes(id)].concat()
}

fn of_receipt_key(store: StoreId, (seller, number): (StoreId, ReceiptNumber)) -> Vec<u8> {
    [store.0.to_be_bytes().as_slice(), b"r", &seller.0.to_be_bytes(), &number_bytes(number)].concat()
}

fn at_till_key(store: StoreId, number: ReceiptNumber) -> Vec<u8> {
    [store.0.to_be_bytes().as_slice(), b"t", &number_bytes(number)].concat()
}

fn number_bytes(number: ReceiptNumber) -> Vec<u8> {
    let ReceiptNumber { till: TillId(till), series, sequence } = number;
    [till.to_be_bytes().as_slice(), &series.to_be_bytes(), &sequence.to_be_bytes()].concat()
}

fn id_bytes(id: ReturnId) -> Vec<u8> {
    [id.store.0.to_be_bytes().as_slice(), &id.number.to_be_bytes()].concat()
}
