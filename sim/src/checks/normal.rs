//! Rows as every replica with the same entries must have them: without local numbers and without the order of arrival.
//!
//! | table | what is compared | what is left out, and why |
//! |---|---|---|
//! | accounts | figure, movements, recount, the count that it rests on | places and chunks: order of arrival |
//! | days | everything | nothing: all of it only adds, or keeps the earliest or latest |
//! | sales | keys, and which entries hold a sale, in their order | local log numbers; which void marked a receipt: the last to come |
//! | receipts | keys, which hold the content's hash, and where the entry stands in whose log | local log numbers |
//! | scans | marks of closed sessions; sheets and scans apart, see [`Kind::Scans`] | log numbers |
//! | transfers | keys, which hold the content's hash, and which entries hold a part, in their order | local log numbers |
//! | cells | scope, key, stamp and value | the position in the feed: order of arrival |
//! | rights, promises | everything | nothing: rows join, statements are gathered |
//! | baskets | keys, which hold the entries' positions and digests | where these stand: local log numbers |
//! | shifts | everything: entries are kept as they are | nothing |
//! | order events | everything: entries are kept as they are | nothing; open orders and stores of an order follow from them |
//! | barcodes | everything | nothing |
//!
//! Logs, feeds, cursors and retry keys are not books; what they must be has checks of its own.

use std::collections::BTreeMap;
use std::ops::Bound;

use stockroom_core::books::scans::{self, ScanRow};
use stockroom_core::books::{account, baskets, cells, sales};
use stockroom_core::journal::LogNumber;
use stockroom_core::storage::{Direction, Snapshot, Table, prefix_end};
use stockroom_crdt::entry::kind;
use stockroom_crdt::scope::Scope;

use crate::union::Holding;

/// What a row says something about.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Domain {
    /// The tenant's nodes, stores and fences.
    Control,
    /// Decisions that travel as cells.
    Shared(Scope),
    /// A store's goods and takings.
    Store(u32),
    /// Rights to a store's goods, and promises.
    Rights(u32),
    /// What a store needs of orders.
    Orders(u32),
    /// What a home says of its orders.
    Home(u32),
}

/// When a row can be compared.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Kind {
    /// Whenever heads are equal.
    Books,
    /// Whenever heads are equal and the store has one history: a scan replaces an earlier one in the order of arrival.
    Scans,
    /// Fences are part of what others are compared under.
    Fences,
}

/// A row's domain, kind, and what must be alike of it; `None` for what is not a book.
pub fn part(table: Table, key: &[u8], value: &[u8], holding: &Holding) -> Option<(Domain, Kind, Vec<u8>)> {
    let (domain, kind, mut out) = match table {
        Table::Accounts => (store(key)?, Kind::Books, account_words(key, value)?),
        Table::Days | Table::Shifts => (store(key)?, Kind::Books, [key, value].concat()),
        Table::Sales => (store(key)?, Kind::Books, sale_words(key, value)?),
        Table::Transfers => (store(key)?, Kind::Books, writing_words(key, value)?),
        Table::Receipts => (store(key)?, Kind::Books, receipt_words(key, value, holding)?),
        Table::Scans => scan_words(key, value, holding)?,
        Table::Cells => cell_words(key, value, holding)?,
        Table::Rights | Table::Promises | Table::OpenPromises | Table::Owed | Table::Programs => {
            (rights(key)?, Kind::Books, [key, value].concat())
        }
        Table::Barcodes => (Domain::Shared(Scope::Catalog), Kind::Books, [key, value].concat()),
        Table::Baskets => (store(key)?, Kind::Books, basket_words(key, value)),
        Table::OrderEvents => (orders(key)?, Kind::Books, [key, value].concat()),
        Table::Meta
        | Table::Logs
        | Table::Runs
        | Table::Seals
        | Table::Scopes
        | Table::Feed
        | Table::CellFeed
        | Table::Cursors
        | Table::Acked
        | Table::Moves
        | Table::Keys
        | Table::Quarantine
        | Table::Nodes
        | Table::OpenOrders
        | Table::OrderStores
        | Table::OrderTimes
        | Table::Returns
        | Table::SignIns
        | Table::MemberKeys
        | Table::Points
        | Table::Coupons
        | Table::LoyaltyStores
        | Table::Members
        | Table::MemberStores
        | Table::MemberIndex
        | Table::Notes
        | Table::Plans => return None,
    };
    out.push(table as u8);
    Some((domain, kind, out))
}

/// All rows of a store's books, by what must be alike of them, with how often.
pub fn store_rows(snapshot: &dyn Snapshot, store: u32, holding: &Holding) -> BTreeMap<(Kind, Vec<u8>), u64> {
    let mut out = BTreeMap::new();
    let from = store.to_be_bytes();
    let end = prefix_end(&from).unwrap_or_else(|| vec![u8::MAX; 64]);
    for table in STORE_TABLES {
        let range = (Bound::Included(from.as_slice()), Bound::Excluded(end.as_slice()));
        let rows = snapshot.scan(table, range, Direction::Forward, usize::MAX).unwrap_or_default();
        for (key, value) in rows {
            if let Some((_, kind, words)) = part(table, &key, &value, holding) {
                *out.entry((kind, words)).or_default() += 1;
            }
        }
    }
    out
}

fn store(key: &[u8]) -> Option<Domain> {
    Some(Domain::Store(u32::from_be_bytes(key.get(..4)?.try_into().ok()?)))
}

fn rights(key: &[u8]) -> Option<Domain> {
    Some(Domain::Rights(u32::from_be_bytes(key.get(..4)?.try_into().ok()?)))
}

/// Passes that were shown stand among a store's rights; what a home says stands under no store.
fn orders(key: &[u8]) -> Option<Domain> {
    let number = |at: usize| Some(u32::from_be_bytes(key.get(at..at + 4)?.try_into().ok()?));
    let kind = u16::from_be_bytes(key.get(key.len().checked_sub(2)?..)?.try_into().ok()?);
    Some(match number(0)? {
        0 => Domain::Home(number(4)?),
        store if kind == kind::PASS_SHOWN => Domain::Rights(store),
        store => Domain::Orders(store),
    })
}

fn account_words(key: &[u8], value: &[u8]) -> Option<Vec<u8>> {
    let account = account::from_row(value).ok()?;
    let mut out = key.to_vec();
    out.extend(account.on_hand.quantity.to_be_bytes());
    out.extend(account.on_hand.movements.to_be_bytes());
    out.push(account.on_hand.recount.map_or(0, |recount| 1 + recount as u8));
    out.extend(account.aside.quarantined.to_be_bytes());
    out.extend(account.aside.scrapped.to_be_bytes());
    out.push(account.dated.into());
    if let Some((at, counted)) = account.base {
        let words = [at.actor.node.0.into(), at.actor.epoch.0.into(), at.seq, counted.session, counted.quantity as u64];
        words.into_iter().chain([counted.cut, counted.hlc.to_bits()]).for_each(|word| out.extend(word.to_be_bytes()));
    }
    Some(out)
}

fn sale_words(key: &[u8], value: &[u8]) -> Option<Vec<u8>> {
    if sales::is_void_mark(key) { Some(key.to_vec()) } else { writing_words(key, value) }
}

fn writing_words(key: &[u8], value: &[u8]) -> Option<Vec<u8>> {
    let mut out = key.to_vec();
    for writing in sales::decode_writings(value).ok()? {
        let at = writing.position;
        let words = [at.actor.node.0.into(), at.actor.epoch.0.into(), at.seq];
        words.into_iter().for_each(|word: u64| out.extend(word.to_be_bytes()));
        out.extend(writing.digest.0);
    }
    Some(out)
}

fn receipt_words(key: &[u8], value: &[u8], holding: &Holding) -> Option<Vec<u8>> {
    let place = sales::decode(value).ok()?;
    Some([key, &log_words(place.log, holding), &place.seq.to_be_bytes()].concat())
}

/// Which entry it is stands in the key; where it stands here is left out.
fn basket_words(key: &[u8], value: &[u8]) -> Vec<u8> {
    if baskets::names_entry(key) { key.to_vec() } else { [key, value].concat() }
}

fn scan_words(key: &[u8], value: &[u8], holding: &Holding) -> Option<(Domain, Kind, Vec<u8>)> {
    let scan = match scans::from_row(key, value).ok()? {
        ScanRow::Closed => return Some((store(key)?, Kind::Books, key.to_vec())),
        ScanRow::Sheet(_) => return Some((store(key)?, Kind::Scans, [key, value].concat())),
        ScanRow::Scan(scan) => scan,
    };
    let mut out = [key, &log_words(scan.place.log, holding)].concat();
    out.extend(scan.place.seq.to_be_bytes());
    out.extend(scan.at_ms.to_be_bytes());
    out.extend(scan.scan.quantity.to_be_bytes());
    out.push(scan.scan.settles.into());
    Some((store(key)?, Kind::Scans, out))
}

fn cell_words(key: &[u8], value: &[u8], holding: &Holding) -> Option<(Domain, Kind, Vec<u8>)> {
    let (number, rest) = key.split_at_checked(4)?;
    let scope = holding.scopes.get(&u32::from_be_bytes(number.try_into().ok()?))?.clone();
    let field = u16::from_be_bytes(rest.get(..2)?.try_into().ok()?);
    let cell = cells::decode(value).ok()?;
    let mut out = rest.to_vec();
    out.extend(cell.stamp.seq.to_be_bytes());
    out.extend(cell.stamp.hash.to_be_bytes());
    out.extend(cell.bytes);
    let kind = if scope == Scope::Control && field == kind::FENCE { Kind::Fences } else { Kind::Books };
    let domain = match scope.store() {
        Some(store) if scope == Scope::StoreRights(store) => Domain::Rights(store.0),
        Some(store) => Domain::Store(store.0),
        None if scope == Scope::Control => Domain::Control,
        None => Domain::Shared(scope),
    };
    Some((domain, kind, out))
}

/// A log by its id instead of its local number.
fn log_words(number: LogNumber, holding: &Holding) -> Vec<u8> {
    holding.logs.get(&number).map_or_else(|| number.0.to_be_bytes().to_vec(), |log| log.id.to_bytes())
}

/// Tables whose keys begin with a store.
const STORE_TABLES: [Table; 14] = [
    Table::Accounts,
    Table::Days,
    Table::Shifts,
    Table::Sales,
    Table::Receipts,
    Table::Scans,
    Table::Rights,
    Table::Promises,
    Table::OpenPromises,
    Table::Owed,
    Table::Transfers,
    Table::OrderEvents,
    Table::Baskets,
    Table::Programs,
];
