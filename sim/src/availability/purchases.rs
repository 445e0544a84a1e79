//! Who really bought what: recorded purchases as customers of one pooled account.
//!
//! An account is one SKU over all stores. Its nodes are the stores that sold most of it before the window in question, most first; what
//! other stores sold is left out. A window of the horizon's length is one run; the windows before it give the forecast of each
//! store and the stock: as many units as an average window before it sold. So nothing is known that was not known then.

use std::collections::BTreeMap;
use std::io::BufRead;

use super::{DAY_MS, Setting};
use crate::data::DataError;
use crate::data::baskets::{Baskets, QUANTITY_MAX};
use crate::data::rows::Rows;

/// Recorded purchases of the most-sold SKUs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Purchases {
    /// For reports.
    pub name: String,
    /// How long was recorded, milliseconds.
    pub length_ms: u64,
    accounts: Vec<Sales>,
}

/// One SKU's purchases: when, at which store, how many; ascending.
type Sales = Vec<(u64, u32, u64)>;

impl Purchases {
    /// Of baskets of a year: the `accounts` SKUs of which most units were sold.
    pub fn of_baskets(baskets: &Baskets, accounts: usize) -> Self {
        let mut sales: BTreeMap<u32, Sales> = BTreeMap::new();
        for (store, baskets) in &baskets.stores {
            for basket in baskets {
                for line in &basket.lines {
                    let units = u64::from(line.quantity.unsigned_abs());
                    sales.entry(line.product).or_default().push((basket.at_s * 1_000, *store, units));
                }
            }
        }
        Self::of(baskets.name.clone(), sales.into_values().collect(), accounts)
    }

    /// Reads `store,sku,at_ms,quantity`: a number, any text, milliseconds since any common beginning, whole units. Rows in any order.
    ///
    /// # Errors
    /// The header is another or a field is no such number; or there is no row.
    pub fn read(input: impl BufRead, file: &str, accounts: usize) -> Result<Self, DataError> {
        let mut rows = Rows::open(input, file)?;
        let [store, sku, at, quantity] = rows.columns(["store", "sku", "at_ms", "quantity"])?;
        let mut sales: BTreeMap<String, Sales> = BTreeMap::new();
        while let Some(row) = rows.next_row()? {
            let units = row.whole(quantity, QUANTITY_MAX)?;
            let sale = (row.whole(at, TIME_MS_MAX)?, row.small(store)?, units);
            sales.entry(row.name(sku)?.to_owned()).or_default().push(sale);
        }
        if sales.is_empty() {
            return Err(rows.fault("holds no purchase"));
        }
        Ok(Self::of(file.to_owned(), sales.into_values().collect(), accounts))
    }

    fn of(name: String, mut sales: Vec<Sales>, accounts: usize) -> Self {
        let units = |sales: &Sales| sales.iter().map(|(_, _, units)| units).sum::<u64>();
        sales.sort_by_key(|sales| std::cmp::Reverse(units(sales)));
        sales.truncate(accounts);
        let begin = sales.iter().flatten().map(|(at, ..)| *at).min().unwrap_or(0);
        sales.iter_mut().flatten().for_each(|(at, ..)| *at -= begin);
        sales.iter_mut().for_each(|sales| sales.sort_unstable());
        let length_ms = sales.iter().flatten().map(|(at, ..)| *at).max().unwrap_or(0) + 1;
        Self { name, length_ms, accounts: sales }
    }

    /// SKUs.
    pub fn accounts(&self) -> usize {
        self.accounts.len()
    }

    /// How many windows of this length have enough before them to forecast from.
    pub fn windows(&self, horizon_ms: u64) -> u64 {
        (self.length_ms / horizon_ms).saturating_sub(BEFORE_MIN)
    }

    /// Customers, forecasts in units per day, and units in the book, of one run: runs go through all accounts window by window, going
    /// round.
    pub fn window(&self, setting: &Setting, run: u64) -> (Vec<(u64, usize)>, Vec<f64>, u64) {
        let sales = &self.accounts[(run % self.accounts.len() as u64) as usize];
        let window = run / self.accounts.len() as u64 % self.windows(setting.horizon_ms).max(1) + BEFORE_MIN;
        let begin = window * setting.horizon_ms;
        let from = begin.saturating_sub(BEFORE_MAX * setting.horizon_ms);
        let mut before: BTreeMap<u32, u64> = BTreeMap::new();
        for (_, store, units) in sales.iter().filter(|(at, ..)| (from..begin).contains(at)) {
            *before.entry(*store).or_default() += units;
        }
        let mut stores: Vec<(u64, u32)> = before.into_iter().map(|(store, units)| (units, store)).collect();
        stores.sort_unstable_by(|a, b| b.cmp(a));
        stores.truncate(setting.nodes);
        let windows = (begin - from) as f64 / setting.horizon_ms as f64;
        let days = (begin - from) as f64 / DAY_MS as f64;
        let mut forecasts: Vec<f64> = stores.iter().map(|(units, _)| *units as f64 / days).collect();
        forecasts.resize(setting.nodes, 0.0);
        let book = (stores.iter().map(|(units, _)| *units).sum::<u64>() as f64 / windows).round().max(1.0) as u64;
        let node: BTreeMap<u32, usize> = stores.iter().enumerate().map(|(at, (_, store))| (*store, at)).collect();
        let mut customers = Vec::new();
        for (at, store, units) in sales.iter().filter(|(at, ..)| (begin..begin + setting.horizon_ms).contains(at)) {
            if let Some(node) = node.get(store) {
                let at_ms = setting.start_ms() + at - begin;
                customers.extend((0..(*units).min(UNITS_MAX)).map(|_| (at_ms, *node)));
            }
        }
        (customers, forecasts, book)
    }
}

/// Windows before the first one that is played, and before any that its forecast looks back to.
const BEFORE_MIN: u64 = 4;
const BEFORE_MAX: u64 = 8;

/// One purchase is so many customers for one unit at most: more is a wholesale order.
const UNITS_MAX: u64 = 50;

/// Times of a file: the year 5138 in milliseconds.
const TIME_MS_MAX: u64 = 100_000_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_forecast_from_those_before() {
        let mut text = String::from("store,sku,at_ms,quantity\n9,rare,0,1\n");
        for day in 0..60 {
            text += &format!("7,tea,{},2\n8,tea,{},1\n", day * DAY_MS + 5, day * DAY_MS + 9);
        }
        let purchases = Purchases::read(text.as_bytes(), "p.csv", 1).unwrap();
        assert_eq!(purchases.accounts(), 1);
        let setting = Setting { nodes: 3, ..Setting::default() };
        assert_eq!(purchases.windows(setting.horizon_ms), 4);
        let (customers, forecasts, book) = purchases.window(&setting, 0);
        assert_eq!(customers.len(), 21);
        assert_eq!(customers.iter().filter(|(_, node)| *node == 0).count(), 14, "store 7 sells most");
        assert_eq!(forecasts, [2.0, 1.0, 0.0]);
        assert_eq!(book, 21);
        assert_eq!(purchases.window(&setting, 4).0, customers, "runs go round");
    }

    #[test]
    fn what_is_no_purchase_is_named() {
        let wrong = |text: &str| Purchases::read(text.as_bytes(), "p.csv", 1).unwrap_err().to_string();
        assert!(wrong("store,sku,at_ms,quantity\n1,tea,now,1\n").starts_with("p.csv:2: at_ms \"now\""));
        assert_eq!(wrong("store,sku,at_ms,quantity\n"), "p.csv:1: holds no purchase");
    }
}
