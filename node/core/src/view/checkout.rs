//! Questions of tills: what a store's tables say of goods, and which baskets and terminals wait.

use stockroom_crdt::checkout::Checkout;
use stockroom_crdt::checkout::basket::BasketId;
use stockroom_crdt::checkout::promotion::Promotion;
use stockroom_crdt::checkout::quote::{AskedLine, Tables};
use stockroom_crdt::checkout::rules::{SaleHours, TaxRate, TillRules};
use stockroom_crdt::entry::{Fact, kind};
use stockroom_crdt::ids::{Code, StoreId};
use stockroom_crdt::sale::ReceiptNumber;
use stockroom_crdt::scope::Scope;

use super::View;
use crate::books::baskets::{self, Asked, Held};
use crate::books::cells;
use crate::storage::{Snapshot, StoreError};

impl<S: Snapshot + ?Sized> View<'_, S> {
    /// What a store's tables say of each line at a moment.
    pub fn tables(&self, store: StoreId, lines: &[AskedLine], at_ms: u64) -> Result<Vec<Tables>, StoreError> {
        let book = self.store(store)?.map(|record| record.book);
        let area = self.till_rules(store)?.tax_area;
        let mut tables = Vec::with_capacity(lines.len());
        for line in lines {
            let product = self.product(&line.sku)?;
            let price = match &book {
                Some(book) => self.price(book, &line.sku, at_ms)?,
                None => None,
            };
            let (tax, hours) = match &product {
                Some(product) => {
                    (self.tax_rate(&product.tax_code, &area, at_ms)?, self.sale_hours(store, &product.department)?)
                }
                None => (None, None),
            };
            let price = price.and_then(|price| Some((price.minor?, price.from_ms)));
            tables.push(Tables { product, price, recall: self.recall(&line.sku, &line.lot)?, tax, hours });
        }
        Ok(tables)
    }

    /// The promotions of a price book that hold at a store at a moment, by their names.
    pub fn promotions(&self, book: &Code, store: StoreId, at_ms: u64) -> Result<Vec<Promotion>, StoreError> {
        let all = self.decisions(&Scope::Prices(book.clone()), kind::PROMOTION)?.into_iter();
        let holds = |fact| match fact {
            Fact::Promotion(promotion) if promotion.holds(store, at_ms) => Some(promotion),
            _ => None,
        };
        Ok(all.filter_map(holds).collect())
    }

    /// What people call a promotion of a store's price book, or a campaign; its own name in the book where it is not known.
    pub fn promotion_name(&self, store: StoreId, id: &Code) -> Result<String, StoreError> {
        let known = match self.store(store)? {
            Some(record) => self.decision(&Scope::Prices(record.book), kind::PROMOTION, id.as_str().as_bytes())?,
            None => None,
        };
        Ok(match known {
            Some(Fact::Promotion(promotion)) => promotion.name,
            // A coupon reduces under its campaign's id.
            Some(_) | None => self.campaign(id)?.map_or_else(|| id.as_str().into(), |campaign| campaign.terms.name),
        })
    }

    /// All promotions of a price book, also those that are over, were taken back, or are to come.
    pub fn all_promotions(&self, book: &Code) -> Result<Vec<Promotion>, StoreError> {
        let all = self.decisions(&Scope::Prices(book.clone()), kind::PROMOTION)?.into_iter();
        Ok(all.filter_map(|fact| if let Fact::Promotion(promotion) = fact { Some(promotion) } else { None }).collect())
    }

    /// All rules of tills that were put down, those that were taken back included.
    pub fn all_till_rules(&self) -> Result<Vec<TillRules>, StoreError> {
        let all = self.decisions(&Scope::Control, kind::TILL_RULES)?.into_iter();
        Ok(all.filter_map(|fact| if let Fact::TillRules(rules) = fact { Some(rules) } else { None }).collect())
    }

    /// All hours of sale that were put down, those that were taken back included.
    pub fn all_sale_hours(&self) -> Result<Vec<SaleHours>, StoreError> {
        let all = self.decisions(&Scope::Control, kind::SALE_HOURS)?.into_iter();
        Ok(all.filter_map(|fact| if let Fact::SaleHours(hours) = fact { Some(hours) } else { None }).collect())
    }

    /// Every tax rate of every code and area.
    pub fn all_tax_rates(&self) -> Result<Vec<TaxRate>, StoreError> {
        let all = self.decisions(&Scope::Catalog, kind::TAX_RATE)?.into_iter();
        Ok(all.filter_map(|fact| if let Fact::TaxRate(rate) = fact { Some(rate) } else { None }).collect())
    }

    /// What a store's tills follow: its own rules, else those for everybody, else the usual.
    pub fn till_rules(&self, store: StoreId) -> Result<TillRules, StoreError> {
        let mut found = Vec::new();
        for store in [Some(store), None] {
            let fact = self.decision(&Scope::Control, kind::TILL_RULES, &TillRules::entity_of(store))?;
            found.extend(fact.and_then(|fact| if let Fact::TillRules(rules) = fact { Some(rules) } else { None }));
        }
        Ok(TillRules::narrowest(found.iter(), store).cloned().unwrap_or_default())
    }

    /// When goods of a department are sold at a store: its own hours, else those for everybody; `None` for always.
    pub fn sale_hours(&self, store: StoreId, department: &Code) -> Result<Option<SaleHours>, StoreError> {
        if department.is_empty() {
            return Ok(None);
        }
        for store in [Some(store), None] {
            let entity = SaleHours::entity_of(department, store);
            if let Some(Fact::SaleHours(hours)) = self.decision(&Scope::Control, kind::SALE_HOURS, &entity)?
                && !hours.ended
            {
                return Ok(Some(hours));
            }
        }
        Ok(None)
    }

    /// The rate of a tax code in an area at a moment: the one with the latest start that is not after it.
    pub fn tax_rate(&self, code: &Code, area: &Code, at_ms: u64) -> Result<Option<TaxRate>, StoreError> {
        let rates = self.tax_rates(code, area)?.into_iter().filter(|rate| rate.from_ms <= at_ms);
        Ok(rates.max_by_key(|rate| rate.from_ms).filter(|rate| rate.rate_bp.is_some()))
    }

    /// Every rate of a tax code in an area, by its start, those that have ended and those to come included.
    pub fn tax_rates(&self, code: &Code, area: &Code) -> Result<Vec<TaxRate>, StoreError> {
        if code.is_empty() {
            return Ok(Vec::new());
        }
        let Some(number) = cells::scope_number(self.snapshot, &Scope::Catalog)? else { return Ok(Vec::new()) };
        let entries = cells::winners(self.snapshot, number, kind::TAX_RATE, &TaxRate::entities_of(code, area))?;
        let rate = |fact| if let Fact::TaxRate(rate) = fact { Some(rate) } else { None };
        Ok(entries.into_iter().filter_map(|entry| rate(entry.fact)).collect())
    }

    /// A basket that waits or waited, and what became of it.
    pub fn basket(&self, store: StoreId, id: BasketId) -> Result<Option<Held>, StoreError> {
        baskets::load(self.snapshot, store, id)
    }

    /// Every basket of a store for which somebody has to do something: pay it, follow its terminal, release its goods.
    pub fn waiting_baskets(&self, store: StoreId) -> Result<Vec<Held>, StoreError> {
        baskets::waiting(self.snapshot, store)
    }

    /// Tenders of which a terminal has to be asked: whether it took the money, or to give it back. After a start the shell inquires all of
    /// them, each under its reference, before it asks for anything new.
    pub fn open_tenders(&self, store: StoreId) -> Result<Vec<Asked>, StoreError> {
        let tenders = self.waiting_baskets(store)?.into_iter().flat_map(|held| held.tenders);
        Ok(tenders.filter(|asked| asked.last.state.is_open()).collect())
    }

    /// How a receipt came to its prices, if this system priced it.
    pub fn explained(&self, store: StoreId, receipt: ReceiptNumber) -> Result<Option<Checkout>, StoreError> {
        baskets::explained(self.snapshot, store, receipt)
    }
}
