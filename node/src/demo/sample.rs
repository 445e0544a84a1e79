//! The day that is replayed: baskets, product list and opening stock, out of the files in `node/sample`, which are part of the
//! binary so that the demo runs from any folder. Where they come from stands in `node/sample/PROVENANCE.md`.

use std::collections::BTreeMap;

use super::DemoError;
use super::shoppers::LAST_UNIT_AT;

/// One line of a basket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// Product.
    pub sku: &'static str,
    /// Pieces, at least 1.
    pub quantity: i64,
    /// Cents per piece.
    pub unit_price: i64,
    /// Cents off the line.
    pub discount: i64,
}

/// What one customer bought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Basket {
    /// Where: 1 to [`STORES`].
    pub store: u32,
    /// When: seconds after midnight.
    pub at_s: u32,
    /// What.
    pub lines: Vec<Line>,
}

/// The whole day.
#[derive(Clone, Debug)]
pub struct Sample {
    /// In the order of their time of day.
    pub baskets: Vec<Basket>,
}

impl Sample {
    /// Reads the files in the binary.
    pub fn load() -> Result<Self, DemoError> {
        let mut lines: BTreeMap<u32, Vec<Line>> = BTreeMap::new();
        for row in rows(LINES) {
            let [basket, sku, quantity, unit_price, discount] = cells(row)?;
            let line =
                Line { sku, quantity: number(quantity)?, unit_price: number(unit_price)?, discount: number(discount)? };
            lines.entry(number(basket)?).or_default().push(line);
        }
        let basket = |row| {
            let [basket, store, time] = cells(row)?;
            let lines = lines.remove(&number(basket)?).ok_or_else(|| damaged(row))?;
            Ok(Basket { store: number(store)?, at_s: seconds(time)?, lines })
        };
        let baskets = rows(BASKETS).map(basket).collect::<Result<Vec<_>, DemoError>>()?;
        Ok(Self { baskets })
    }

    /// Baskets of one store, in order.
    pub fn of_store(&self, store: u32) -> impl Iterator<Item = &Basket> {
        self.baskets.iter().filter(move |basket| basket.store == store)
    }

    /// What a store has on its shelves in the morning. The set does not say; assumed are the units that it sells that day,
    /// rounded up to a case of six, and one case more.
    pub fn opening_stock(&self, store: u32) -> BTreeMap<&'static str, i64> {
        let mut units: BTreeMap<&'static str, i64> = BTreeMap::new();
        for line in self.of_store(store).flat_map(|basket| &basket.lines) {
            *units.entry(line.sku).or_default() += line.quantity;
        }
        units.values_mut().for_each(|units| *units = (*units + CASE - 1) / CASE * CASE + CASE);
        units
    }
}

impl Sample {
    /// A product that store 1 does not sell that day; one unit of it lies there all the same.
    pub fn last_unit(&self) -> &'static str {
        let sold = self.opening_stock(LAST_UNIT_AT);
        let skus = rows(PRODUCTS).filter_map(|row| row.split(',').next());
        skus.into_iter().find(|sku| !sold.contains_key(sku)).unwrap_or_default()
    }

    /// Everything that a store takes in that day.
    pub fn stock_with_last_unit(&self, store: u32) -> BTreeMap<String, i64> {
        let mut stock: BTreeMap<String, i64> =
            self.opening_stock(store).into_iter().map(|(sku, units)| (sku.to_owned(), units)).collect();
        if store == LAST_UNIT_AT {
            *stock.entry(self.last_unit().to_owned()).or_default() += 1;
        }
        stock
    }
}

impl Basket {
    /// What the customer pays, cents.
    pub fn total(&self) -> i64 {
        self.lines.iter().map(|line| line.quantity * line.unit_price - line.discount).sum()
    }
}

/// The product list as the import takes it: the column of shelf prices is called `price` there.
pub fn product_list() -> String {
    PRODUCTS.replacen("price_cents", "price", 1)
}

/// How many products the list holds.
pub fn product_count() -> usize {
    rows(PRODUCTS).count()
}

/// The number of a product that every node knows.
pub fn some_product() -> &'static str {
    rows(PRODUCTS).filter_map(|row| row.split(',').next()).next().unwrap_or_default()
}

fn rows(file: &'static str) -> impl Iterator<Item = &'static str> {
    file.lines().skip(1)
}

/// The cells of a row of numbers and codes, where nothing is quoted.
fn cells<const N: usize>(row: &'static str) -> Result<[&'static str; N], DemoError> {
    let cells: Vec<&'static str> = row.split(',').collect();
    cells.try_into().map_err(|_| damaged(row))
}

fn number<T: std::str::FromStr>(cell: &'static str) -> Result<T, DemoError> {
    cell.parse().map_err(|_| damaged(cell))
}

fn seconds(time: &'static str) -> Result<u32, DemoError> {
    let parts = time.split(':').map(number).collect::<Result<Vec<u32>, _>>()?;
    let [hours, minutes, seconds] = parts.try_into().map_err(|_| damaged(time))?;
    Ok(hours * 3_600 + minutes * 60 + seconds)
}

fn damaged(text: &str) -> DemoError {
    DemoError::Sample(text.into())
}

/// Stores of the sample, numbered from 1.
pub const STORES: u32 = 3;

/// Currency of the sample.
pub const CURRENCY: &str = "USD";

/// How many Saturdays of the source store's panel lie over each other in a day, by store.
pub const PANEL_DAYS: [u32; STORES as usize] = [33, 37, 36];

const CASE: i64 = 6;

const PRODUCTS: &str = include_str!("../../sample/products.csv");
const BASKETS: &str = include_str!("../../sample/baskets.csv");
const LINES: &str = include_str!("../../sample/lines.csv");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_day_is_what_its_provenance_says() {
        let sample = Sample::load().unwrap();
        let figures = |store| {
            let baskets: Vec<_> = sample.of_store(store).collect();
            let lines = baskets.iter().flat_map(|basket| &basket.lines);
            let units: i64 = lines.clone().map(|line| line.quantity).sum();
            (baskets.len(), lines.count(), units, baskets.iter().map(|basket| basket.total()).sum::<i64>())
        };
        assert_eq!(figures(1), (373, 4_576, 5_681, 1_401_548));
        assert_eq!(figures(2), (378, 3_469, 4_708, 1_043_549));
        assert_eq!(figures(3), (271, 3_364, 4_255, 1_045_383));
        assert_eq!(product_count(), 6_252);
        assert!(sample.baskets.is_sorted_by_key(|basket| basket.at_s));
    }

    #[test]
    fn shelves_are_filled_in_cases_and_never_run_empty() {
        let sample = Sample::load().unwrap();
        let stock = sample.opening_stock(2);
        assert!(stock.values().all(|units| units % 6 == 0 && *units >= 12));
        assert!(product_list().starts_with("sku,name,unit,department,tax_code,price\n"));
    }
}
