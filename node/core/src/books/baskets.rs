//! Baskets that wait, and what terminals did for them: the entries about each, and which of them somebody still has to look at.
//!
//! | row of [`Table::Baskets`] | value |
//! |---|---|
//! | (store, `e`, till, number, writer, sequence number, digest) | where an entry about the basket stands |
//! | (store, `w`, till, number) | empty: the basket waits, a terminal of it does, or its goods do |
//! | (store, `c`, receipt, writer, sequence number, digest) | where the explanation of a receipt stands |
//!
//! What a basket comes to is made from its entries in the order of their positions, so it does not depend on their order of arrival.

use std::collections::{BTreeMap, BTreeSet};

use stockroom_crdt::batch::Item;
use stockroom_crdt::checkout::Checkout;
use stockroom_crdt::checkout::basket::{Basket, BasketId, Outcome, Waits};
use stockroom_crdt::checkout::tender::{TenderState, TenderStep};
use stockroom_crdt::entry::Fact;
use stockroom_crdt::ids::{Code, MemberId, StoreId, TillId};
use stockroom_crdt::sale::ReceiptNumber;

use super::{Context, sales};
use crate::journal::{damaged, entry_at, fixed};
use crate::overlay::{Overlay, last_of_prefix, scan_prefix};
use crate::storage::{Snapshot, StoreError, Table};

/// A basket and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// As it was priced.
    pub basket: Basket,
    /// How it ended; `None` while it waits.
    pub end: Option<End>,
    /// The goods of a paid slip were released.
    pub released: bool,
    /// What was asked of terminals, by number.
    pub tenders: Vec<Asked>,
    /// Baskets by which cash desks pay this slip, whatever became of them.
    pub payers: Vec<BasketId>,
}

/// How a basket ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It became this receipt.
    Sold(ReceiptNumber),
    /// Somebody went on with it at this till, under another number.
    Resumed(TillId),
    /// Nobody bought it.
    Abandoned,
}

/// A tender that a terminal was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The newest word about it. Its amount is what was taken, once it is approved.
    pub last: TenderStep,
    /// Minor units that the terminal was asked for.
    pub amount: i64,
    /// When, milliseconds since 1970.
    pub since_ms: u64,
}

impl Held {
    /// A tender by its number: one that is open rather than one of another history that is not.
    pub fn tender(&self, number: u16) -> Option<&Asked> {
        let mut of_number = self.tenders.iter().filter(|asked| asked.last.number == number);
        let first = of_number.clone().next();
        of_number.find(|asked| asked.last.state.is_open()).or(first)
    }

    /// The tender about which a terminal has not yet said whether it took the money.
    pub fn asking(&self) -> Option<&Asked> {
        let waits = |asked: &&Asked| matches!(asked.last.state, TenderState::Intended | TenderState::Unknown);
        self.tenders.iter().find(waits)
    }

    /// Tenders by which terminals took money and have not given it back.
    pub fn approved(&self) -> impl Iterator<Item = &TenderStep> {
        self.tenders.iter().map(|asked| &asked.last).filter(|step| step.state == TenderState::Approved)
    }

    /// What is left to be paid.
    pub fn left(&self) -> i64 {
        self.approved().fold(self.basket.due(), |left, step| left.saturating_sub(step.amount))
    }

    /// Somebody throws it away, and its money is being given back.
    pub fn is_leaving(&self) -> bool {
        let given_back = |state| matches!(state, TenderState::Reversing | TenderState::Reversed);
        self.end.is_none()
            && self.tenders.iter().any(|asked| given_back(asked.last.state) && asked.last.said.as_str() == ABANDONED)
    }

    /// True while somebody has to do something: pay it, follow a terminal, or release its goods.
    pub fn needs_somebody(&self) -> bool {
        let goods_wait = self.basket.waits == Waits::Slip && matches!(self.end, Some(End::Sold(_))) && !self.released;
        self.end.is_none() || goods_wait || self.tenders.iter().any(|asked| asked.last.state.is_open())
    }
}

/// Takes in an entry about a basket, or the explanation of a receipt.
pub fn apply(overlay: &mut Overlay, store: StoreId, context: &Context<'_>, item: &Item) -> Result<(), StoreError> {
    let at = position_bytes(context, item);
    let ids = match &item.entry.fact {
        Fact::Basket(basket) => vec![Some(basket.id), basket.slip],
        Fact::BasketStep(step) => vec![Some(step.basket)],
        Fact::TenderStep(step) => vec![Some(step.basket)],
        Fact::Checkout(checkout) => {
            let key = [explained_key(store, checkout.receipt).as_slice(), &at].concat();
            overlay.put(Table::Baskets, key, sales::encode(context.place));
            return Ok(());
        }
        _ => return Ok(()),
    };
    for id in ids.into_iter().flatten() {
        let key = [key(store, EVENT, id).as_slice(), &at].concat();
        overlay.put(Table::Baskets, key, sales::encode(context.place));
        if load(overlay, store, id)?.is_some_and(|held| held.needs_somebody()) {
            overlay.put(Table::Baskets, self::key(store, WAITS, id), Vec::new());
        } else {
            overlay.remove(Table::Baskets, self::key(store, WAITS, id));
        }
    }
    Ok(())
}

/// A basket and what became of it; `None` if none of this name ever waited.
pub fn load(snapshot: &(impl Snapshot + ?Sized), store: StoreId, id: BasketId) -> Result<Option<Held>, StoreError> {
    let mut said = Vec::new();
    for (_, value) in scan_prefix(snapshot, Table::Baskets, &key(store, EVENT, id), usize::MAX)? {
        let item = entry_at(snapshot, sales::decode(&value)?)?;
        let entry = item.ok_or_else(|| damaged("an entry about a basket is missing"))?.entry;
        said.push((entry.hlc.ms(), entry.fact));
    }
    Ok(held(id, said))
}

/// Whether a basket of this name ever waited.
pub fn exists(snapshot: &(impl Snapshot + ?Sized), store: StoreId, id: BasketId) -> Result<bool, StoreError> {
    Ok(!scan_prefix(snapshot, Table::Baskets, &key(store, EVENT, id), 1)?.is_empty())
}

/// The highest number of a till that a basket has which ever waited.
pub fn last_number(
    snapshot: &(impl Snapshot + ?Sized),
    store: StoreId,
    till: TillId,
) -> Result<Option<u64>, StoreError> {
    let prefix = [store.0.to_be_bytes().as_slice(), EVENT, &till.0.to_be_bytes()].concat();
    let Some((key, _)) = last_of_prefix(snapshot, Table::Baskets, &prefix)? else { return Ok(None) };
    let number = key.get(prefix.len()..prefix.len() + 8).ok_or_else(|| damaged("key of a basket"))?;
    Ok(Some(u64::from_be_bytes(fixed(number)?)))
}

/// Every basket of a store for which somebody has to do something, by till and number.
pub fn waiting(snapshot: &(impl Snapshot + ?Sized), store: StoreId) -> Result<Vec<Held>, StoreError> {
    let prefix = [store.0.to_be_bytes().as_slice(), WAITS].concat();
    let mut out = Vec::new();
    for (key, _) in scan_prefix(snapshot, Table::Baskets, &prefix, usize::MAX)? {
        let id = key.get(prefix.len()..prefix.len() + 12).ok_or_else(|| damaged("key of a basket"))?;
        let till = TillId(u32::from_be_bytes(fixed(&id[..4])?));
        let id = BasketId { till, number: u64::from_be_bytes(fixed(&id[4..])?) };
        out.extend(load(snapshot, store, id)?);
    }
    Ok(out)
}

/// Every basket of a store that waits or waited and names one of these accounts. Reads every basket of the store: it is asked for by one person
/// at a time.
pub fn naming(
    snapshot: &(impl Snapshot + ?Sized),
    store: StoreId,
    accounts: &BTreeSet<MemberId>,
) -> Result<Vec<Held>, StoreError> {
    let prefix = [store.0.to_be_bytes().as_slice(), EVENT].concat();
    let mut ids = BTreeSet::new();
    for (key, _) in scan_prefix(snapshot, Table::Baskets, &prefix, usize::MAX)? {
        let id = key.get(prefix.len()..prefix.len() + 12).ok_or_else(|| damaged("key of a basket"))?;
        ids.insert((u32::from_be_bytes(fixed(&id[..4])?), u64::from_be_bytes(fixed(&id[4..])?)));
    }
    let mut out = Vec::new();
    for (till, number) in ids {
        let held = load(snapshot, store, BasketId { till: TillId(till), number })?;
        let names = |held: &Held| {
            let holds = &held.basket.holds;
            let mut named = holds.member.iter().chain(holds.points.iter().map(|(member, _)| member));
            named.any(|member| accounts.contains(member))
        };
        out.extend(held.filter(names));
    }
    Ok(out)
}

/// What baskets of a store that wait hold of members' points and coupons: those that are being paid, and slips that nobody pays yet. One
/// that is suspended holds nothing, it is priced again.
pub fn holding(snapshot: &(impl Snapshot + ?Sized), store: StoreId) -> Result<Vec<Basket>, StoreError> {
    let mut out = Vec::new();
    for held in waiting(snapshot, store)? {
        let mut waits = held.end.is_none() && held.basket.waits != Waits::Suspended && !held.basket.holds.is_empty();
        for payer in &held.payers {
            waits = waits && load(snapshot, store, *payer)?.is_none_or(|payer| payer.end.is_some());
        }
        if waits {
            out.push(held.basket);
        }
    }
    Ok(out)
}

/// How a receipt came to its prices, if this system priced it. Of several histories the first counts.
pub fn explained(
    snapshot: &(impl Snapshot + ?Sized),
    store: StoreId,
    receipt: ReceiptNumber,
) -> Result<Option<Checkout>, StoreError> {
    let rows = scan_prefix(snapshot, Table::Baskets, &explained_key(store, receipt), 1)?;
    let Some((_, value)) = rows.first() else { return Ok(None) };
    match entry_at(snapshot, sales::decode(value)?)?.map(|item| item.entry.fact) {
        Some(Fact::Checkout(checkout)) => Ok(Some(checkout)),
        _ => Err(damaged("the explanation of a receipt is missing")),
    }
}

/// Adds up what was said of a basket, in the order of positions. A sale stands whatever else was said; of several other endings, and of
/// several sales, the first does.
fn held(id: BasketId, said: Vec<(u64, Fact)>) -> Option<Held> {
    let (mut first, mut payers, mut ends, mut released) = (None, Vec::new(), Vec::new(), false);
    let mut tenders: BTreeMap<(u16, Code), Asked> = BTreeMap::new();
    for (at_ms, fact) in said {
        match fact {
            Fact::Basket(basket) if basket.id == id => {
                first.get_or_insert(basket);
            }
            Fact::Basket(basket) => payers.push(basket.id),
            Fact::BasketStep(step) => match step.outcome {
                Outcome::Sold(receipt) => ends.push(End::Sold(receipt)),
                Outcome::Resume => ends.push(End::Resumed(step.till)),
                Outcome::Abandon => ends.push(End::Abandoned),
                Outcome::Release => released = true,
            },
            Fact::TenderStep(step) => {
                let key = (step.number, step.reference.clone());
                if let Some(held) = tenders.get_mut(&key) {
                    if held.last.state.may_become(step.state) {
                        held.last = step;
                    }
                } else {
                    tenders.insert(key, Asked { amount: step.amount, since_ms: at_ms, last: step });
                }
            }
            _ => {}
        }
    }
    let sold = ends.iter().find(|end| matches!(end, End::Sold(_)));
    let end = sold.or(ends.first()).copied();
    payers.dedup();
    Some(Held { basket: first?, end, released, tenders: tenders.into_values().collect(), payers })
}

fn key(store: StoreId, row: &[u8], id: BasketId) -> Vec<u8> {
    [store.0.to_be_bytes().as_slice(), row, &id.till.0.to_be_bytes(), &id.number.to_be_bytes()].concat()
}

fn explained_key(store: StoreId, receipt: ReceiptNumber) -> Vec<u8> {
    let ReceiptNumber { till, series, sequence } = receipt;
    let number = [till.0.to_be_bytes().as_slice(), &series.to_be_bytes(), &sequence.to_be_bytes()].concat();
    [store.0.to_be_bytes().as_slice(), EXPLAINED, &number].concat()
}

/// Sorts as positions do: the older epoch first. Histories of a forked log have different entries at one position.
fn position_bytes(context: &Context<'_>, item: &Item) -> Vec<u8> {
    let (node, epoch) = (context.actor.node.0, context.actor.epoch.0);
    let digest = item.digest().short();
    [node.to_be_bytes().as_slice(), &epoch.to_be_bytes(), &context.place.seq.to_be_bytes(), &digest].concat()
}

/// True for a row that says where an entry stands; its key says which entry that is.
pub fn names_entry(key: &[u8]) -> bool {
    key.get(4..5).is_some_and(|row| row != WAITS)
}

/// Why a tender is reversed when nobody buys the basket.
pub const ABANDONED: &str = "abandoned";

const EVENT: &[u8] = b"e";
const WAITS: &[u8] = b"w";
const EXPLAINED: &[u8] = b"c";
