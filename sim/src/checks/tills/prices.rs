//! Prices: what a store sells for is what its own tables said when it rang up.

use std::collections::{BTreeMap, BTreeSet};

use stockroom_core::books::cells;
use stockroom_core::storage::Table;
use stockroom_crdt::checkout::basket::BasketId;
use stockroom_crdt::checkout::promotion::Promotion;
use stockroom_crdt::checkout::{Explanation, PriceSource};
use stockroom_crdt::entry::{Entry, Fact, kind};
use stockroom_crdt::ids::{Sku, StoreId};
use stockroom_crdt::loyalty::campaign::Campaign;
use stockroom_crdt::sale::SaleLine;

use crate::checks::tills::written;
use crate::checks::watch::{Watch, scope_of_cell};
use crate::checks::{Check, Findings, Scene};
use crate::observe::{Observation, RowChange, Seen};

/// Every line has the price that its store knew.
pub struct Prices {
    watch: Watch,
    /// What nodes know, told from the rows that they committed.
    known: BTreeMap<u32, Tables>,
    /// Lines of baskets that wait: their price is made already.
    waiting: BTreeMap<(u32, BasketId), Vec<SaleLine>>,
}

/// A price book as one node has it, and as it had it before the last commit that changed it.
#[derive(Clone, Default)]
struct Tables {
    /// By product and beginning: when it was said, and the price.
    prices: BTreeMap<(Sku, u64), (u64, Option<i64>)>,
    /// By name: when it was said, and the promotion.
    promotions: BTreeMap<String, (u64, Promotion)>,
}

impl Tables {
    /// The price that holds at a moment, and since when.
    fn price(&self, sku: &Sku, at_ms: u64) -> Option<(i64, u64)> {
        let mut until = self.prices.range((sku.clone(), 0)..=(sku.clone(), at_ms));
        let ((_, since), (_, minor)) = until.next_back()?;
        Some(((*minor)?, *since))
    }

    /// Takes in what a commit says.
    fn take(&mut self, rows: &[RowChange]) {
        for entry in rows.iter().filter_map(entry_of) {
            let said = entry.hlc.to_bits();
            match entry.fact {
                Fact::Price(price) => {
                    let held = self.prices.entry((price.sku, price.from_ms)).or_default();
                    *held = (*held).max((said, price.minor));
                }
                // A coupon that is shown gives what its campaign's terms say.
                Fact::Campaign(Campaign { terms: promotion, .. }) | Fact::Promotion(promotion) => {
                    let name = promotion.id.as_str().to_owned();
                    let newer = self.promotions.get(&name).is_none_or(|(held, _)| *held < said);
                    if newer {
                        self.promotions.insert(name, (said, promotion));
                    }
                }
                _ => {}
            }
        }
    }

    /// What is wrong with a line that was priced by these tables.
    fn fault(&self, store: u32, at_ms: u64, (line, why): (&SaleLine, &Explanation)) -> Option<String> {
        let PriceSource::Book(since) = why.source else { return None };
        let sku = &line.sku;
        let price = self.price(sku, at_ms);
        if price != Some((line.unit_price, since)) {
            return Some(format!(
                "{sku} costs {} since {since}, and the store's book said {price:?} when it was rung up at {at_ms}",
                line.unit_price
            ));
        }
        why.reductions.iter().find_map(|taken| {
            let name = taken.promotion.as_str();
            let holds = |(_, promotion): &(u64, Promotion)| promotion.holds(StoreId(store), at_ms);
            (!name.is_empty() && !self.promotions.get(name).is_some_and(holds))
                .then(|| format!("{sku} is cheaper by promotion {name}, which did not hold at {at_ms}"))
        })
    }
}

fn entry_of(row: &RowChange) -> Option<Entry> {
    let cell = cells::decode(row.new.as_ref()?).ok()?;
    Entry::from_bytes(&cell.bytes).ok()
}

/// Rows about prices among those of a commit.
fn of_prices(rows: &[RowChange]) -> impl Iterator<Item = &RowChange> {
    rows.iter().filter(|row| {
        let field = row.key.get(4..6).map(|bytes| u16::from_be_bytes([bytes[0], bytes[1]]));
        row.table == Table::Cells && matches!(field, Some(kind::PRICE | kind::PROMOTION | kind::CAMPAIGN))
    })
}

impl Prices {
    /// With what all checks share.
    pub fn new(watch: Watch) -> Self {
        Self { watch, known: BTreeMap::new(), waiting: BTreeMap::new() }
    }
}

impl Check for Prices {
    fn name(&self) -> &'static str {
        "C3 one price version"
    }

    fn meaning(&self) -> &'static str {
        "every line of a basket has the price and the promotions that its store's book had for the moment when it was rung up, as far as the store knew, and keeps them while the basket waits"
    }

    fn observe(&mut self, seen: &Observation, scene: &Scene<'_>, findings: &mut Findings) {
        let watch = self.watch.clone();
        let sight = watch.see(seen, scene);
        let Seen::Committed(rows) = &seen.what else { return };
        let news: Vec<RowChange> =
            of_prices(rows).filter(|row| scope_of_cell(scene, seen.node, &row.key).is_some()).cloned().collect();
        // What comes in the same commit may have been known to the basket, or not yet.
        let before = if news.is_empty() { None } else { self.known.get(&seen.node).cloned() };
        if !news.is_empty() {
            self.known.entry(seen.node).or_default().take(&news);
        }
        let Some((store, facts)) = written(seen, &sight, scene) else { return };
        let Some(after) = self.known.get(&seen.node) else { return };
        let tables: Vec<&Tables> = before.iter().chain([after]).collect();
        let fault_of = |at_ms: u64, line: (&SaleLine, &Explanation)| {
            let faults: Vec<_> = tables.iter().map(|tables| tables.fault(store, at_ms, line)).collect();
            if faults.iter().any(Option::is_none) { None } else { faults.into_iter().flatten().next() }
        };
        let mut faults = Vec::new();
        let mut rung = BTreeSet::new();
        for (_, fact) in &facts {
            if let Fact::Basket(basket) = fact {
                rung.insert(basket.id);
                match basket.slip.and_then(|slip| self.waiting.get(&(store, slip))) {
                    Some(lines) if *lines != basket.lines => {
                        faults.push(format!("slip {:?} has other lines at the cash desk", basket.slip));
                    }
                    Some(_) => {}
                    None => {
                        let lines = basket.lines.iter().zip(&basket.explained);
                        faults.extend(lines.filter_map(|line| fault_of(basket.rung_ms, line)));
                    }
                }
                self.waiting.insert((store, basket.id), basket.lines.clone());
            }
        }
        for (_, fact) in &facts {
            let Fact::Sale(sale) = fact else { continue };
            let why = facts.iter().find_map(|(_, fact)| match fact {
                Fact::Checkout(checkout) if checkout.receipt == sale.receipt => Some(checkout),
                _ => None,
            });
            let Some(why) = why else { continue };
            match why.basket.and_then(|basket| self.waiting.get(&(store, basket))) {
                Some(lines) if *lines != sale.lines => {
                    faults.push(format!("receipt {:?} has other lines than the basket that was paid", sale.receipt));
                }
                Some(_) => {}
                None => {
                    let lines = sale.lines.iter().zip(&why.lines);
                    faults.extend(lines.filter_map(|line| fault_of(sale.rung_ms, line)));
                }
            }
        }
        for fault in faults {
            findings.report(self, scene, seen.node, format!("store {store}: {fault}"));
        }
    }
}
