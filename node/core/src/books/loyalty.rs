//! Points and coupons as hubs, holders and sales say them. Rows are joined as they come, so the order of arrival does not matter.
//!
//! | row of [`Table::Points`] | value |
//! |---|---|
//! | (store, `r`, member, holder, side) | what the hub, or the holder, says of its points |
//! | (store, `s`, member, till, number) | what a sale gave and cost |
//! | (store, `n`, receipt, member, till, number) | empty: the receipt is of this sale |
//!
//! | row of [`Table::Coupons`] | value |
//! |---|---|
//! | (store, `c`, campaign, serial, what) | empty: this was said of the coupon |
//! | (store, `r`, campaign, serial, till, number) | its redemption in that sale |
//! | (store, `n`, receipt, campaign, serial, till, number) | empty: the receipt redeemed it |
//! | (store, `q`, campaign, holder, side) | what the hub, or the holder, says of its quota |
//!
//! [`Table::LoyaltyStores`] says in which stores' scopes something stands of a member (`m`), a coupon (`c`) or a campaign's quota (`q`).

use std::collections::BTreeSet;

use stockroom_crdt::codec::{DecodeError, RowReader, Rows};
use stockroom_crdt::entry::Fact;
use stockroom_crdt::ids::{Actor, Code, MemberId, StoreId, TillId};
use stockroom_crdt::loyalty::campaign::CouponName;
use stockroom_crdt::loyalty::coupon::{CouponFact, CouponHere, Quota, QuotaRow, QuotaSide, Redemption};
use stockroom_crdt::loyalty::points::{Account, PointsRow, PointsSide, SalePoints};
use stockroom_crdt::sale::ReceiptNumber;

use super::Context;
use crate::journal::{damaged, fixed};
use crate::overlay::{Overlay, scan_prefix};
use crate::plant::{Plant, planted};
use crate::storage::{Snapshot, StoreError, Table};

/// Takes in an entry of a store's members scope about points or coupons; others have no effect here.
pub fn apply(overlay: &mut Overlay, store: StoreId, context: &Context<'_>, fact: &Fact) -> Result<(), StoreError> {
    match fact {
        Fact::PointsRow(row) => put_row(overlay, store, row),
        Fact::SalePoints(said) => {
            let mut said = said.clone();
            if planted(Plant::PointsTwice) {
                said.sale.number = said.sale.number.wrapping_add(context.place.seq << 32);
            }
            put_sale(overlay, store, &said)
        }
        Fact::Coupon(coupon) => {
            put_coupon(overlay, store, coupon);
            Ok(())
        }
        Fact::Redemption(redemption) => put_redemption(overlay, store, redemption),
        Fact::Quota(row) => put_quota(overlay, store, row),
        _ => Ok(()),
    }
}

/// Everything that is known here of an account, or of its part in one store's scope.
pub fn account(
    snapshot: &(impl Snapshot + ?Sized),
    member: MemberId,
    store: Option<StoreId>,
) -> Result<Account, StoreError> {
    let mut account = Account::default();
    let stores = match store {
        Some(store) => vec![store],
        None => stores(snapshot, &member_key(member))?,
    };
    for store in stores {
        for (_, value) in scan_prefix(snapshot, Table::Points, &points_key(store, ROW, member), usize::MAX)? {
            let row = read(&value, PointsRow::decode)?;
            match &row.says {
                PointsSide::Hub(hub) => account.hub_says(row.holder, hub),
                PointsSide::Store(own) => account.store_says(row.holder, own),
            }
        }
        for (_, value) in scan_prefix(snapshot, Table::Points, &points_key(store, SALE, member), usize::MAX)? {
            account.sale_says(store, &read(&value, SalePoints::decode)?);
        }
    }
    Ok(account)
}

/// The store in whose scope a holder has rows of an account.
pub fn store_of_holder(
    snapshot: &(impl Snapshot + ?Sized),
    member: MemberId,
    holder: Actor,
) -> Result<Option<StoreId>, StoreError> {
    for store in stores(snapshot, &member_key(member))? {
        let prefix = [points_key(store, ROW, member), actor_bytes(holder)].concat();
        if !scan_prefix(snapshot, Table::Points, &prefix, 1)?.is_empty() {
            return Ok(Some(store));
        }
    }
    Ok(None)
}

/// What a receipt of a store gave members and cost them.
pub fn of_receipt(
    snapshot: &(impl Snapshot + ?Sized),
    store: StoreId,
    number: ReceiptNumber,
) -> Result<Vec<SalePoints>, StoreError> {
    let prefix = [store.0.to_be_bytes().as_slice(), RECEIPT, &receipt_bytes(number)].concat();
    let mut out = Vec::new();
    for (key, _) in scan_prefix(snapshot, Table::Points, &prefix, usize::MAX)? {
        let rest = key.get(prefix.len()..).unwrap_or_default();
        let key = [store.0.to_be_bytes().as_slice(), SALE, rest].concat();
        if let Some(value) = snapshot.get(Table::Points, &key)? {
            out.push(read(&value, SalePoints::decode)?);
        }
    }
    Ok(out)
}

/// What is said of a coupon in the scope of a store.
pub fn coupon_here(
    snapshot: &(impl Snapshot + ?Sized),
    store: StoreId,
    name: &CouponName,
) -> Result<CouponHere, StoreError> {
    let prefix = coupon_key(store, SAID, name);
    let mut here = CouponHere::default();
    for (key, _) in scan_prefix(snapshot, Table::Coupons, &prefix, usize::MAX)? {
        here.take(read(key.get(prefix.len()..).unwrap_or_default(), CouponFact::decode)?.says);
    }
    Ok(here)
}

/// Redemptions of a coupon at a store, those that were given back included.
pub fn redemptions(
    snapshot: &(impl Snapshot + ?Sized),
    store: StoreId,
    name: &CouponName,
) -> Result<Vec<Redemption>, StoreError> {
    let rows = scan_prefix(snapshot, Table::Coupons, &coupon_key(store, REDEEMED, name), usize::MAX)?;
    rows.iter().map(|(_, value)| read(value, Redemption::decode)).collect()
}

/// Coupons that a receipt of a store redeemed.
pub fn redeemed_by(
    snapshot: &(impl Snapshot + ?Sized),
    store: StoreId,
    number: ReceiptNumber,
) -> Result<Vec<Redemption>, StoreError> {
    let prefix = [store.0.to_be_bytes().as_slice(), RECEIPT, &receipt_bytes(number)].concat();
    let mut out = Vec::new();
    for (key, _) in scan_prefix(snapshot, Table::Coupons, &prefix, usize::MAX)? {
        let rest = key.get(prefix.len()..).unwrap_or_default();
        let key = [store.0.to_be_bytes().as_slice(), REDEEMED, rest].concat();
        if let Some(value) = snapshot.get(Table::Coupons, &key)? {
            out.push(read(&value, Redemption::decode)?);
        }
    }
    Ok(out)
}

/// All redemptions at a store of coupons of a campaign, by coupon.
pub fn redeemed_at(
    snapshot: &(impl Snapshot + ?Sized),
    store: StoreId,
    campaign: &Code,
) -> Result<Vec<Redemption>, StoreError> {
    let prefix = [store.0.to_be_bytes().as_slice(), REDEEMED, campaign.as_str().as_bytes(), &[0]].concat();
    let rows = scan_prefix(snapshot, Table::Coupons, &prefix, usize::MAX)?;
    rows.iter().map(|(_, value)| read(value, Redemption::decode)).collect()
}

/// All redemptions at a store that name one of these accounts. Reads every redemption of the store: it is asked for by one person at a time.
pub fn redeemed_for(
    snapshot: &(impl Snapshot + ?Sized),
    store: StoreId,
    accounts: &BTreeSet<MemberId>,
) -> Result<Vec<Redemption>, StoreError> {
    let prefix = [store.0.to_be_bytes().as_slice(), REDEEMED].concat();
    let mut out = Vec::new();
    for (_, value) in scan_prefix(snapshot, Table::Coupons, &prefix, usize::MAX)? {
        let redemption = read(&value, Redemption::decode)?;
        if redemption.member.is_some_and(|member| accounts.contains(&member)) {
            out.push(redemption);
        }
    }
    Ok(out)
}

/// All that is said in the scope of a store of coupons, of one campaign or of all.
pub fn said_at(
    snapshot: &(impl Snapshot + ?Sized),
    store: StoreId,
    campaign: Option<&Code>,
) -> Result<Vec<CouponFact>, StoreError> {
    let begin = [store.0.to_be_bytes().as_slice(), SAID].concat();
    let prefix = match campaign {
        Some(campaign) => [begin.as_slice(), campaign.as_str().as_bytes(), &[0]].concat(),
        None => begin.clone(),
    };
    let mut out = Vec::new();
    for (key, _) in scan_prefix(snapshot, Table::Coupons, &prefix, usize::MAX)? {
        // The name ends with a zero and eight bytes of the serial number; the fact follows.
        let name = key.get(begin.len()..).unwrap_or_default();
        let end = name.iter().position(|byte| *byte == 0).map_or(name.len(), |zero| zero + 1 + 8);
        out.push(read(name.get(end..).unwrap_or_default(), CouponFact::decode)?);
    }
    Ok(out)
}

/// Everything that is known here of a campaign's pool and budget.
pub fn quota(snapshot: &(impl Snapshot + ?Sized), campaign: &Code) -> Result<Quota, StoreError> {
    let mut quota = Quota::default();
    for store in stores(snapshot, &quota_key(campaign))? {
        let prefix = [store.0.to_be_bytes().as_slice(), QUOTA, campaign.as_str().as_bytes(), &[0]].concat();
        for (_, value) in scan_prefix(snapshot, Table::Coupons, &prefix, usize::MAX)? {
            quota.take(&read(&value, QuotaRow::decode)?);
        }
    }
    Ok(quota)
}

/// Who holds or held a part of a campaign's pool and budget at a store.
pub fn quota_holders(
    snapshot: &(impl Snapshot + ?Sized),
    store: StoreId,
    campaign: &Code,
) -> Result<BTreeSet<Actor>, StoreError> {
    let prefix = [store.0.to_be_bytes().as_slice(), QUOTA, campaign.as_str().as_bytes(), &[0]].concat();
    let rows = scan_prefix(snapshot, Table::Coupons, &prefix, usize::MAX)?;
    rows.iter().map(|(_, value)| Ok(read(value, QuotaRow::decode)?.holder)).collect()
}

/// Stores in whose scopes something is said of a coupon.
pub fn coupon_stores(snapshot: &(impl Snapshot + ?Sized), name: &CouponName) -> Result<Vec<StoreId>, StoreError> {
    stores(snapshot, &named_key(name))
}

/// Members of whom rows stand in a store's scope.
pub fn members_of(snapshot: &(impl Snapshot + ?Sized), store: StoreId) -> Result<BTreeSet<MemberId>, StoreError> {
    let prefix = [store.0.to_be_bytes().as_slice(), ROW].concat();
    let rows = scan_prefix(snapshot, Table::Points, &prefix, usize::MAX)?;
    let member = |key: &Vec<u8>| Ok(MemberId(u64::from_be_bytes(fixed(key.get(5..13).unwrap_or_default())?)));
    rows.iter().map(|(key, _)| member(key)).collect()
}

fn put_row(overlay: &mut Overlay, store: StoreId, row: &PointsRow) -> Result<(), StoreError> {
    let side = match row.says {
        PointsSide::Hub(_) => HUB,
        PointsSide::Store(_) => OWN,
    };
    let key = [points_key(store, ROW, row.member), actor_bytes(row.holder), side.to_vec()].concat();
    let mut row = row.clone();
    if let Some(held) = overlay.get(Table::Points, &key)? {
        match (&mut row.says, read(&held, PointsRow::decode)?.says) {
            (PointsSide::Hub(new), PointsSide::Hub(held)) => new.join(&held),
            (PointsSide::Store(new), PointsSide::Store(held)) => new.join(&held),
            (PointsSide::Hub(_), PointsSide::Store(_)) | (PointsSide::Store(_), PointsSide::Hub(_)) => {
                return Err(damaged("a row of points"));
            }
        }
    }
    overlay.put(Table::Points, key, Rows::of(|sink| row.encode(sink)));
    stands_at(overlay, member_key(row.member), store);
    Ok(())
}

fn put_sale(overlay: &mut Overlay, store: StoreId, said: &SalePoints) -> Result<(), StoreError> {
    let sale = sale_bytes(said.sale.till, said.sale.number);
    let key = [points_key(store, SALE, said.member), sale.clone()].concat();
    let mut joined = said.clone();
    if let Some(held) = overlay.get(Table::Points, &key)? {
        joined.join(&read(&held, SalePoints::decode)?);
    }
    overlay.put(Table::Points, key, Rows::of(|sink| joined.encode(sink)));
    let receipt = [store.0.to_be_bytes().as_slice(), RECEIPT, &receipt_bytes(said.receipt)].concat();
    let index = [receipt.as_slice(), &said.member.0.to_be_bytes(), &sale].concat();
    overlay.put(Table::Points, index, Vec::new());
    stands_at(overlay, member_key(said.member), store);
    Ok(())
}

fn put_coupon(overlay: &mut Overlay, store: StoreId, coupon: &CouponFact) {
    let name = CouponName { campaign: coupon.campaign.clone(), serial: Some(coupon.serial) };
    let key = [coupon_key(store, SAID, &name), Rows::of(|sink| coupon.encode(sink))].concat();
    overlay.put(Table::Coupons, key, Vec::new());
    stands_at(overlay, named_key(&name), store);
}

fn put_redemption(overlay: &mut Overlay, store: StoreId, said: &Redemption) -> Result<(), StoreError> {
    let sale = sale_bytes(said.sale.till, said.sale.number);
    let key = [coupon_key(store, REDEEMED, &said.coupon), sale.clone()].concat();
    let mut joined = said.clone();
    if let Some(held) = overlay.get(Table::Coupons, &key)? {
        joined.join(&read(&held, Redemption::decode)?);
    }
    overlay.put(Table::Coupons, key, Rows::of(|sink| joined.encode(sink)));
    let receipt = [store.0.to_be_bytes().as_slice(), RECEIPT, &receipt_bytes(said.receipt)].concat();
    let index = [receipt.as_slice(), &name_bytes(&said.coupon), &sale].concat();
    overlay.put(Table::Coupons, index, Vec::new());
    stands_at(overlay, named_key(&said.coupon), store);
    Ok(())
}

fn put_quota(overlay: &mut Overlay, store: StoreId, row: &QuotaRow) -> Result<(), StoreError> {
    let side = match row.says {
        QuotaSide::Hub(_) => HUB,
        QuotaSide::Store(_) => OWN,
    };
    let campaign = row.campaign.as_str().as_bytes();
    let key = [store.0.to_be_bytes().as_slice(), QUOTA, campaign, &[0], &actor_bytes(row.holder), side].concat();
    let mut row = row.clone();
    if let Some(held) = overlay.get(Table::Coupons, &key)? {
        match (&mut row.says, read(&held, QuotaRow::decode)?.says) {
            (QuotaSide::Hub(new), QuotaSide::Hub(held)) => new.join(&held),
            (QuotaSide::Store(new), QuotaSide::Store(held)) => new.join(&held),
            (QuotaSide::Hub(_), QuotaSide::Store(_)) | (QuotaSide::Store(_), QuotaSide::Hub(_)) => {
                return Err(damaged("a row of a quota"));
            }
        }
    }
    overlay.put(Table::Coupons, key, Rows::of(|sink| row.encode(sink)));
    stands_at(overlay, quota_key(&row.campaign), store);
    Ok(())
}

fn stands_at(overlay: &mut Overlay, subject: Vec<u8>, store: StoreId) {
    overlay.put(Table::LoyaltyStores, [subject.as_slice(), &store.0.to_be_bytes()].concat(), Vec::new());
}

fn stores(snapshot: &(impl Snapshot + ?Sized), subject: &[u8]) -> Result<Vec<StoreId>, StoreError> {
    let rows = scan_prefix(snapshot, Table::LoyaltyStores, subject, usize::MAX)?;
    let rows = rows.iter().filter(|(key, _)| key.len() == subject.len() + 4);
    rows.map(|(key, _)| Ok(StoreId(u32::from_be_bytes(fixed(&key[subject.len()..])?)))).collect()
}

fn read<'a, T>(
    bytes: &'a [u8],
    decode: impl Fn(&mut RowReader<'a>) -> Result<T, DecodeError>,
) -> Result<T, StoreError> {
    decode(&mut RowReader::new(bytes)).map_err(damaged)
}

fn member_key(member: MemberId) -> Vec<u8> {
    [b"m".as_slice(), &member.0.to_be_bytes()].concat()
}

fn named_key(name: &CouponName) -> Vec<u8> {
    [b"c".as_slice(), &name_bytes(name)].concat()
}

fn quota_key(campaign: &Code) -> Vec<u8> {
    [b"q".as_slice(), campaign.as_str().as_bytes(), &[0]].concat()
}

fn points_key(store: StoreId, row: &[u8], member: MemberId) -> Vec<u8> {
    [store.0.to_be_bytes().as_slice(), row, &member.0.to_be_bytes()].concat()
}

fn coupon_key(store: StoreId, row: &[u8], name: &CouponName) -> Vec<u8> {
    [store.0.to_be_bytes().as_slice(), row, &name_bytes(name)].concat()
}

/// No name has a zero in it, so names of one length of rest never mix.
fn name_bytes(name: &CouponName) -> Vec<u8> {
    let serial = name.serial.map_or(0, |serial| u64::from(serial) + 1);
    [name.campaign.as_str().as_bytes(), &[0], &serial.to_be_bytes()].concat()
}

fn sale_bytes(till: TillId, number: u64) -> Vec<u8> {
    [till.0.to_be_bytes().as_slice(), &number.to_be_bytes()].concat()
}

fn receipt_bytes(number: ReceiptNumber) -> Vec<u8> {
    let ReceiptNumber { till: TillId(till), series, sequence } = number;
    [till.to_be_bytes().as_slice(), &series.to_be_bytes(), &sequence.to_be_bytes()].concat()
}

fn actor_bytes(actor: Actor) -> Vec<u8> {
    [actor.node.0.to_be_bytes().as_slice(), &actor.epoch.0.to_be_bytes()].concat()
}

const ROW: &[u8] = b"r";
const SALE: &[u8] = b"s";
const RECEIPT: &[u8] = b"n";
const SAID: &[u8] = b"c";
const REDEEMED: &[u8] = b"r";
const QUOTA: &[u8] = b"q";
const HUB: &[u8] = b"h";
const OWN: &[u8] = b"o";
