//! Reading: the same questions over a committed snapshot or over the batch in progress. Never waits for a commit.

pub mod checkout;
pub mod closing;
pub mod figures;
pub mod goods;
pub mod labels;
pub mod loyalty;
pub mod members;
pub mod notes;
pub mod orders;
pub mod promises;
pub mod reach;
pub mod returns;
pub mod shifts;
pub mod staff;

use std::collections::BTreeMap;

use stockroom_crdt::capability::Capability;
use stockroom_crdt::codec::RowReader;
use stockroom_crdt::control::{Fence, StoreRecord};
use stockroom_crdt::entry::{Entry, Fact, kind};
use stockroom_crdt::gtin::{Embedded, Gtin, GtinError, Template};
use stockroom_crdt::ids::{Actor, Code, Digest, NodeId, Sku, StoreId, TillId};
use stockroom_crdt::money::Unit;
use stockroom_crdt::price::Price;
use stockroom_crdt::product::{Product, Recall};
use stockroom_crdt::sale::ReceiptNumber;
use stockroom_crdt::scope::Scope;
use stockroom_crdt::stock::promise::PromiseId;
use stockroom_crdt::stock::{Effect, Position};

use crate::books::account::{self, Account, Standing};
use crate::books::days::{self, Day};
use crate::books::programs::{self, Program};
use crate::books::scans::{self, Scan};
use crate::books::{baskets, cells, rights, sales};
use crate::journal::{Place, damaged, entry_at};
use crate::overlay::{last_of_prefix, scan_prefix};
use crate::storage::{Direction, Snapshot, StoreError, Table};

/// Questions to a snapshot.
pub struct View<'a, S: Snapshot + ?Sized> {
    snapshot: &'a S,
}

/// What a scanned code means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scanned {
    /// The product.
    pub sku: Sku,
    /// Units that one scan stands for: pieces of a pack, or grams from the code.
    pub quantity: i64,
    /// The price of this package, if the code carries one.
    pub price: Option<i64>,
}

/// Why a scanned code means nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScanError {
    /// Not a code.
    #[error(transparent)]
    Code(#[from] GtinError),
    /// A code that no product has.
    #[error("no product has this code")]
    Unknown,
    /// Several products have it.
    #[error("several products have this code")]
    Ambiguous,
}

/// One entry behind a figure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryLine {
    /// Who wrote it, and where in its log.
    pub position: Position,
    /// Where it stands here.
    pub place: Place,
    /// What it did.
    pub effect: Effect,
    /// Whether the figure adds it, or why not.
    pub standing: Standing,
}

impl<'a, S: Snapshot + ?Sized> View<'a, S> {
    /// Asks `snapshot`.
    pub fn new(snapshot: &'a S) -> Self {
        Self { snapshot }
    }

    /// What the chain knows of a store.
    pub fn store(&self, store: StoreId) -> Result<Option<StoreRecord>, StoreError> {
        let entity = stockroom_crdt::codec::Rows::of(|sink| {
            stockroom_crdt::codec::Sink::uint(sink, stockroom_crdt::codec::col::KEY, u64::from(store.0));
        });
        Ok(match self.decision(&Scope::Control, kind::STORE, &entity)? {
            Some(Fact::Store(record)) => Some(record),
            _ => None,
        })
    }

    /// All stores of the chain, as far as they are known here.
    pub fn stores(&self) -> Result<Vec<StoreRecord>, StoreError> {
        let records = self.decisions(&Scope::Control, kind::STORE)?.into_iter().filter_map(|fact| match fact {
            Fact::Store(record) => Some(record),
            _ => None,
        });
        let mut records: Vec<_> = records.collect();
        records.sort_by_key(|record| record.store);
        Ok(records)
    }

    /// A product.
    pub fn product(&self, sku: &Sku) -> Result<Option<Product>, StoreError> {
        Ok(match self.decision(&Scope::Catalog, kind::PRODUCT, sku.as_str().as_bytes())? {
            Some(Fact::Product(product)) => Some(product),
            _ => None,
        })
    }

    /// At most `limit` products with a SKU after `after`, in the order of their SKUs.
    pub fn products(&self, after: Option<&Sku>, limit: usize) -> Result<Vec<Product>, StoreError> {
        let Some(number) = cells::scope_number(self.snapshot, &Scope::Catalog)? else { return Ok(Vec::new()) };
        let prefix = [number.to_be_bytes().as_slice(), &kind::PRODUCT.to_be_bytes()].concat();
        let end = crate::storage::prefix_end(&prefix).unwrap_or_default();
        let mut from = [prefix.as_slice(), after.map_or(&[], |sku| sku.as_str().as_bytes())].concat();
        let mut products: BTreeMap<Sku, Product> = BTreeMap::new();
        // A SKU that begins like another stands right behind the writers of that one, so whole pages are read and compared.
        loop {
            let range = (std::ops::Bound::Excluded(from.as_slice()), std::ops::Bound::Excluded(end.as_slice()));
            let rows = self.snapshot.scan(Table::Cells, range, Direction::Forward, limit.max(1))?;
            let Some((last, _)) = rows.last() else { break };
            from = last.clone();
            for (_, value) in &rows {
                let entry = Entry::from_bytes(&cells::decode(value)?.bytes).map_err(damaged)?;
                if let Fact::Product(product) = entry.fact
                    && after.is_none_or(|after| product.sku > *after)
                    && !products.contains_key(&product.sku)
                {
                    products.extend(self.product(&product.sku)?.map(|product| (product.sku.clone(), product)));
                }
            }
            if products.len() >= limit {
                break;
            }
        }
        Ok(products.into_values().take(limit).collect())
    }

    /// The recalls of a product, one per lot, active or lifted.
    pub fn recalls(&self, sku: &Sku) -> Result<Vec<Recall>, StoreError> {
        let Some(number) = cells::scope_number(self.snapshot, &Scope::Catalog)? else { return Ok(Vec::new()) };
        let entries = cells::winners(self.snapshot, number, kind::RECALL, &Recall::entities_of(sku))?;
        Ok(entries
            .into_iter()
            .filter_map(|entry| if let Fact::Recall(recall) = entry.fact { Some(recall) } else { None })
            .collect())
    }

    /// The recall that stops a lot of a product from being sold, if there is one. An unknown lot is stopped by any.
    pub fn recall(&self, sku: &Sku, lot: &Code) -> Result<Option<Recall>, StoreError> {
        let stops = |recall: &Recall| recall.active && (recall.lot.is_empty() || lot.is_empty() || recall.lot == *lot);
        Ok(self.recalls(sku)?.into_iter().find(stops))
    }

    /// The price of a product in a book at a time: the one with the latest start that is not after it.
    pub fn price(&self, book: &Code, sku: &Sku, at_ms: u64) -> Result<Option<Price>, StoreError> {
        let Some(number) = cells::scope_number(self.snapshot, &Scope::Prices(book.clone()))? else { return Ok(None) };
        let entity = Price::entity_of(sku, 0);
        let entity = &entity[..entity.len() - 8];
        let prices = cells::winners(self.snapshot, number, kind::PRICE, entity)?.into_iter();
        let started = prices.filter_map(|entry| match entry.fact {
            Fact::Price(price) if price.from_ms <= at_ms => Some(price),
            _ => None,
        });
        Ok(started.max_by_key(|price| price.from_ms).filter(|price| price.minor.is_some()))
    }

    /// Every price of a product in a book, by its start, those that have ended and those to come included.
    pub fn prices(&self, book: &Code, sku: &Sku) -> Result<Vec<Price>, StoreError> {
        let Some(number) = cells::scope_number(self.snapshot, &Scope::Prices(book.clone()))? else {
            return Ok(Vec::new());
        };
        let entity = Price::entity_of(sku, 0);
        let entries = cells::winners(self.snapshot, number, kind::PRICE, &entity[..entity.len() - 8])?.into_iter();
        Ok(entries.filter_map(|entry| if let Fact::Price(price) = entry.fact { Some(price) } else { None }).collect())
    }

    /// The price of a product at a store, in minor units.
    pub fn price_at_store(&self, store: StoreId, sku: &Sku, at_ms: u64) -> Result<Option<i64>, StoreError> {
        let Some(record) = self.store(store)? else { return Ok(None) };
        Ok(self.price(&record.book, sku, at_ms)?.and_then(|price| price.minor))
    }

    /// What a scanned barcode means here.
    pub fn scan(&self, text: &str) -> Result<Result<Scanned, ScanError>, StoreError> {
        let gtin = match Gtin::parse(text) {
            Ok(gtin) => gtin,
            Err(error) => return Ok(Err(error.into())),
        };
        match self.coded(b'g', gtin.number())?.as_slice() {
            [] => self.scan_in_store(gtin),
            [(sku, pack)] => Ok(Ok(Scanned { sku: sku.clone(), quantity: i64::from(*pack), price: None })),
            _ => Ok(Err(ScanError::Ambiguous)),
        }
    }

    /// Stock on hand of an account.
    pub fn account(&self, store: StoreId, sku: &Sku, unit: Unit) -> Result<Option<Account>, StoreError> {
        account::load(self.snapshot, &account::key(store, sku, unit))
    }

    /// At most `limit` accounts of a store after a SKU.
    pub fn accounts(
        &self,
        store: StoreId,
        after: Option<&Sku>,
        limit: usize,
    ) -> Result<Vec<(Sku, Unit, Account)>, StoreError> {
        let from = match after {
            Some(sku) => [account::key(store, sku, Unit::Gram).as_slice(), &[0xff]].concat(),
            None => store.0.to_be_bytes().to_vec(),
        };
        let end = crate::storage::prefix_end(&store.0.to_be_bytes()).unwrap_or_else(|| vec![0xff; 64]);
        let range = (std::ops::Bound::Included(from.as_slice()), std::ops::Bound::Excluded(end.as_slice()));
        let rows = self.snapshot.scan(Table::Accounts, range, Direction::Forward, limit)?;
        let mut out = Vec::with_capacity(rows.len());
        for (key, _) in rows {
            let (_, sku, unit) = account::parse_key(&key)?;
            let account = account::load(self.snapshot, &key)?.unwrap_or_default();
            out.push((sku, unit, account));
        }
        Ok(out)
    }

    /// Every entry that makes an account's figure what it is, in the order in which they came in.
    pub fn history(&self, store: StoreId, sku: &Sku, unit: Unit) -> Result<Vec<HistoryLine>, StoreError> {
        let key = account::key(store, sku, unit);
        let Some(held) = account::load(self.snapshot, &key)? else { return Ok(Vec::new()) };
        let mut out = Vec::new();
        for (actor, place) in account::places(self.snapshot, &key, &held)? {
            let (fact, effects) = account::effects_at(self.snapshot, (actor, place), (sku, unit))?;
            let base = held.base.as_ref().map(|(at, counted)| (*at, counted));
            for (position, effect) in effects {
                let standing = match (base, &effect) {
                    (_, Effect::Move(_)) => account::standing(self.snapshot, store, (position, place), &fact, base)?,
                    (Some((at, _)), Effect::Count(_)) if at == position => Standing::Counts,
                    (_, Effect::Count(_)) => Standing::Covered,
                    // A count leaves aside what stands aside: only that a sale is written twice matters.
                    (_, Effect::Aside(_)) => account::standing(self.snapshot, store, (position, place), &fact, None)?,
                };
                out.push(HistoryLine { position, place, effect, standing });
            }
        }
        Ok(out)
    }

    /// The business days of a store, oldest first.
    pub fn days(&self, store: StoreId) -> Result<Vec<Day>, StoreError> {
        days::all(self.snapshot, store)
    }

    /// The newest business days of a store, at most `limit` of them, oldest first.
    pub fn newest_days(&self, store: StoreId, limit: usize) -> Result<Vec<Day>, StoreError> {
        days::newest(self.snapshot, store, limit)
    }

    /// The newest business day of a store.
    pub fn last_day(&self, store: StoreId) -> Result<Option<Day>, StoreError> {
        days::last(self.snapshot, store)
    }

    /// Where the sale stands that a till numbered `till_seq`.
    pub fn sale_by_till(&self, store: StoreId, till: TillId, till_seq: u64) -> Result<Option<Place>, StoreError> {
        sales::by_till(self.snapshot, store, till, till_seq)
    }

    /// Where the sale with a receipt number stands.
    pub fn sale_by_receipt(&self, store: StoreId, number: ReceiptNumber) -> Result<Option<Place>, StoreError> {
        sales::by_receipt(self.snapshot, store, number)
    }

    /// The entry that counts for the sale at `place`, if that is another one.
    pub fn repeats(&self, store: StoreId, place: Place) -> Result<Option<Place>, StoreError> {
        let Some(Fact::Sale(sale)) = self.entry(place)?.map(|entry| entry.fact) else { return Ok(None) };
        let first = sales::writings(self.snapshot, store, &sale)?.first().map(|first| first.place);
        Ok(first.filter(|first| *first != place))
    }

    /// True when a receipt was taken back as a whole.
    pub fn is_voided(&self, store: StoreId, number: ReceiptNumber) -> Result<bool, StoreError> {
        sales::is_voided(self.snapshot, store, number)
    }

    /// The highest number that a till gave to a sale, a void or a basket of its own, also one that still waits.
    pub fn last_till_seq(&self, store: StoreId, till: TillId) -> Result<Option<u64>, StoreError> {
        let waited = baskets::last_number(self.snapshot, store, till)?;
        let prefix = [store.0.to_be_bytes(), till.0.to_be_bytes()].concat();
        let mut end = crate::storage::prefix_end(&prefix).unwrap_or_else(|| vec![0xff; 64]);
        // Marks of voided receipts share the prefix and have longer keys.
        loop {
            let range = (std::ops::Bound::Included(prefix.as_slice()), std::ops::Bound::Excluded(end.as_slice()));
            let rows = self.snapshot.scan(Table::Sales, range, Direction::Backward, crate::limits::PAGE_MAX)?;
            if let Some((key, _)) = rows.iter().find(|(key, _)| key.len() == prefix.len() + 8) {
                let sold = u64::from_be_bytes(crate::journal::fixed(&key[prefix.len()..])?);
                return Ok(Some(waited.map_or(sold, |waited| waited.max(sold))));
            }
            let Some((last, _)) = rows.into_iter().next_back() else { return Ok(waited) };
            end = last;
        }
    }

    /// Where the receipt stands that a till gave out last.
    pub fn last_receipt(&self, store: StoreId, till: TillId) -> Result<Option<Place>, StoreError> {
        let prefix = [store.0.to_be_bytes(), till.0.to_be_bytes()].concat();
        let row = last_of_prefix(self.snapshot, Table::Receipts, &prefix)?;
        row.map(|(_, value)| sales::decode(&value)).transpose()
    }

    /// The scans of a count session, and whether it is closed; a closed session's scans are summed up in its closing.
    pub fn count_session(&self, store: StoreId, session: u64) -> Result<(bool, Vec<Scan>), StoreError> {
        let closed = scans::is_closed(self.snapshot, store, session)?;
        Ok((closed, if closed { Vec::new() } else { scans::of_session(self.snapshot, store, session)? }))
    }

    /// How many accounts of goods a store has.
    pub fn account_count(&self, store: StoreId) -> Result<usize, StoreError> {
        Ok(scan_prefix(self.snapshot, Table::Accounts, &store.0.to_be_bytes(), usize::MAX)?.len())
    }

    /// Every node that was ever enrolled, by its id.
    pub fn nodes(&self) -> Result<Vec<Capability>, StoreError> {
        let rows = scan_prefix(self.snapshot, Table::Nodes, &[], usize::MAX)?;
        rows.iter().map(|(_, value)| Capability::decode(&mut RowReader::new(value)).map_err(damaged)).collect()
    }

    /// What a node of a store started last; `None` if no start of it is known here.
    pub fn program(&self, store: StoreId, node: NodeId) -> Result<Option<Program>, StoreError> {
        programs::of(self.snapshot, store, node)
    }

    /// Nodes that are no longer believed.
    pub fn fences(&self) -> Result<Vec<Fence>, StoreError> {
        let facts = self.decisions(&Scope::Control, kind::FENCE)?.into_iter();
        Ok(facts.filter_map(|fact| if let Fact::Fence(fence) = fact { Some(fence) } else { None }).collect())
    }

    /// A promise by its name, and the store where its goods are.
    pub fn promise(&self, id: PromiseId) -> Result<Option<(StoreId, rights::Record)>, StoreError> {
        for record in self.stores()? {
            if let Some(held) = rights::record(self.snapshot, record.store, id)? {
                return Ok(Some((record.store, held)));
            }
        }
        Ok(None)
    }

    /// SHA-256 of the request that used a retry key, if one did: a further try will be a replay or a mismatch.
    pub fn retried(&self, key: Digest) -> Result<Option<Digest>, StoreError> {
        let value = self.snapshot.get(Table::Keys, &key.0)?;
        value.map(|value| Ok(Digest(crate::journal::fixed(value.get(..32).unwrap_or_default())?))).transpose()
    }

    /// The entry at a place.
    pub fn entry(&self, place: Place) -> Result<Option<Entry>, StoreError> {
        Ok(entry_at(self.snapshot, place)?.map(|item| item.entry))
    }

    /// Everything a store's newest count, sales and receipts ever wrote, as (actor, place), for exports and oracles.
    pub fn receipts(&self, store: StoreId) -> Result<Vec<Place>, StoreError> {
        let rows = scan_prefix(self.snapshot, Table::Receipts, &store.0.to_be_bytes(), usize::MAX)?;
        rows.iter().map(|(_, value)| sales::decode(value)).collect()
    }

    /// The layouts of in-store codes, by prefix.
    pub fn templates(&self) -> Result<Vec<Template>, StoreError> {
        let all = self.decisions(&Scope::Catalog, kind::TEMPLATE)?.into_iter();
        Ok(all.filter_map(|fact| if let Fact::Template(template) = fact { Some(template) } else { None }).collect())
    }

    fn scan_in_store(&self, gtin: Gtin) -> Result<Result<Scanned, ScanError>, StoreError> {
        if !gtin.is_in_store() {
            return Ok(Err(ScanError::Unknown));
        }
        let prefix = (gtin.number() / 100_000_000_000) as u8;
        let template = match self.decision(&Scope::Catalog, kind::TEMPLATE, &[prefix])? {
            Some(Fact::Template(template)) => template,
            _ => return Ok(Err(ScanError::Unknown)),
        };
        let Some((item, value)) = template.split(gtin) else { return Ok(Err(ScanError::Unknown)) };
        Ok(match self.coded(b'i', u64::from(item))?.as_slice() {
            [] => Err(ScanError::Unknown),
            [(sku, _)] => Ok(embedded(&template, sku.clone(), value)),
            _ => Err(ScanError::Ambiguous),
        })
    }

    fn coded(&self, index: u8, number: u64) -> Result<Vec<(Sku, u32)>, StoreError> {
        let prefix = [&[index], number.to_be_bytes().as_slice()].concat();
        let rows = scan_prefix(self.snapshot, Table::Barcodes, &prefix, 2)?;
        let read = |(key, value): (Vec<u8>, Vec<u8>)| {
            let text = std::str::from_utf8(&key[prefix.len()..]).map_err(damaged)?;
            Ok((Sku::parse(text).map_err(damaged)?, u32::from_be_bytes(crate::journal::fixed(&value)?)))
        };
        rows.into_iter().map(read).collect()
    }

    fn decision(&self, scope: &Scope, field: u16, entity: &[u8]) -> Result<Option<Fact>, StoreError> {
        let Some(number) = cells::scope_number(self.snapshot, scope)? else { return Ok(None) };
        Ok(cells::winner(self.snapshot, number, field, entity)?.map(|entry| entry.fact))
    }

    fn decisions(&self, scope: &Scope, field: u16) -> Result<Vec<Fact>, StoreError> {
        let Some(number) = cells::scope_number(self.snapshot, scope)? else { return Ok(Vec::new()) };
        Ok(cells::winners(self.snapshot, number, field, &[])?.into_iter().map(|entry| entry.fact).collect())
    }
}

/// The author of an account's base count, for answers.
pub fn base_of(account: &Account) -> Option<(Actor, u64)> {
    account.base.as_ref().map(|(at, _)| (at.actor, at.seq))
}

fn embedded(template: &Template, sku: Sku, value: i64) -> Scanned {
    match template.embedded {
        Embedded::Weight => Scanned { sku, quantity: value, price: None },
        Embedded::Price => Scanned { sku, quantity: 1, price: Some(value) },
    }
}
