//! Recorded baskets, and days of them laid over each other until they make a shop's day.
//!
//! Two pairs of files are known: `cj_baskets` with `cj_lines` (what 2,469 loyalty households of a grocery chain bought in a year),
//! and the sample of them that is shipped with the node. The panel is a small part of a store's customers, the busiest store has
//! about 11 baskets a day: whoever replays them at till load says how they were scaled, see [`Overlay::scaling`]. In
//! both pairs hour and minute are real and seconds are made up.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::BufRead;

use super::local_time::{DAY_S, LocalTime, second_of_day};
use super::rows::{Column, Row, Rows};
use super::{DataError, stem, thousands};

/// Largest amount of a line that is believed, in cents.
pub const AMOUNT_CENTS_MAX: u64 = 100_000_000;

/// Largest quantity of a line that is believed.
pub const QUANTITY_MAX: u64 = 1_000_000;

/// What one customer bought of one product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BasketLine {
    /// The source's number of the product.
    pub product: u32,
    /// More than 0.
    pub quantity: i32,
    /// What the retailer got for the whole line, a coupon of the maker included; not below `coupon_cents`.
    pub sales_cents: i64,
    /// What the retailer gave up on the whole line: sales and discount together are the shelf price times the quantity.
    pub discount_cents: i64,
    /// The part of the sales that a coupon of the product's maker paid.
    pub coupon_cents: i64,
}

impl BasketLine {
    /// The shelf price of the whole line.
    pub fn shelf_cents(&self) -> i64 {
        self.sales_cents + self.discount_cents
    }

    /// What the customer paid for the whole line; not below 0.
    pub fn charged_cents(&self) -> i64 {
        self.sales_cents - self.coupon_cents
    }
}

/// What one customer bought at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Basket {
    /// When it was paid for, by the store's clock: the second within the year. In the sample, which has no dates, within the day.
    pub at_s: u64,
    /// In the order of the file; at least one.
    pub lines: Vec<BasketLine>,
}

/// What was left out of the baskets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Skipped {
    /// Lines of fuel, which is measured and paid for otherwise.
    pub fuel: u32,
    /// Lines without a quantity.
    pub zero_quantity: u32,
    /// Lines of the department of coupons, which are no goods.
    pub coupon: u32,
    /// Lines whose product is in no catalogue.
    pub no_product: u32,
    /// Lines whose coupon is worth more than the line, so that the customer would be paid.
    pub coupon_over_line: u32,
    /// Baskets that have no line, or none left after the lines above are gone.
    pub baskets: u32,
}

/// All baskets of a pair of files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Baskets {
    /// What the file of baskets is called, without folder and ending.
    pub name: String,
    /// By the source's number of the store; each list in the order of time.
    pub stores: BTreeMap<u32, Vec<Basket>>,
    /// How many households bought them; `None` when the file does not say.
    pub households: Option<usize>,
    /// What is in the files and not here.
    pub skipped: Skipped,
}

impl Baskets {
    /// Reads a pair of files, compressed or not: `basket_id,local_time,store_id` with
    /// `basket_id,product_id,quantity,sales_cents,retail_disc_cents,coupon_disc_cents,coupon_match_disc_cents,flag`, or the sample's
    /// `basket,store,local_time` with `basket,sku,quantity,unit_price_cents,discount_cents`. Other columns are not looked at.
    ///
    /// # Errors
    /// A header is of no known file, a field is missing, no number or absurd, a basket comes twice or in another year than the
    /// first one, a line belongs to no basket, or is flagged with an unknown word.
    pub fn read([baskets, lines]: [impl BufRead; 2], [baskets_file, lines_file]: [&str; 2]) -> Result<Self, DataError> {
        let mut heads = read_heads(Rows::open(baskets, baskets_file)?)?;
        let mut skipped = read_lines(Rows::open(lines, lines_file)?, &mut heads)?;
        let mut stores: BTreeMap<u32, Vec<Basket>> = BTreeMap::new();
        for (store, mut basket) in heads.baskets {
            if basket.lines.is_empty() {
                skipped.baskets += 1;
                continue;
            }
            basket.lines.shrink_to_fit();
            stores.entry(store).or_default().push(basket);
        }
        for baskets in stores.values_mut() {
            baskets.sort_by_key(|basket| basket.at_s);
        }
        let households = (!heads.households.is_empty()).then_some(heads.households.len());
        Ok(Self { name: stem(baskets_file).to_owned(), stores, households, skipped })
    }

    /// How many baskets there are.
    pub fn count(&self) -> usize {
        self.stores.values().map(Vec::len).sum()
    }

    /// A day of `per_day` baskets for each of `stores` simulated stores: recorded days are laid over each other, keeping their
    /// time of day. Recorded stores come in the order of how many baskets they have, the days of each in the order of the
    /// year; each simulated store goes on where the one before stopped, and after the last recorded day the first comes again.
    /// Whole days are taken; the last one of a simulated store is thinned out evenly to what is still missing. There is no
    /// chance in it. Without any baskets the days are empty.
    pub fn overlay(&self, stores: usize, per_day: usize) -> Overlay<'_> {
        let days = self.recorded_days();
        if days.is_empty() {
            let scaling = format!("{}: no baskets at all", self.name);
            return Overlay { stores: vec![Vec::new(); stores], scaling };
        }
        let mut next = 0;
        let mut used: Vec<BTreeSet<usize>> = Vec::with_capacity(stores);
        let mut simulated = Vec::with_capacity(stores);
        for _ in 0..stores {
            let (mut placed, mut mine) = (Vec::with_capacity(per_day), BTreeSet::new());
            while placed.len() < per_day {
                let at = next % days.len();
                placed.extend(thinned(&days[at], per_day - placed.len()));
                mine.insert(at);
                next += 1;
            }
            placed.sort_by_key(|placed| placed.second);
            simulated.push(placed);
            used.push(mine);
        }
        let scaling = self.scaling(&days, &used, per_day, next.div_ceil(days.len()));
        Overlay { stores: simulated, scaling }
    }

    fn recorded_days(&self) -> Vec<RecordedDay<'_>> {
        let day = |basket: &Basket| basket.at_s / u64::from(DAY_S);
        let mut order: Vec<_> = self.stores.iter().collect();
        order.sort_by_key(|(store, baskets)| (std::cmp::Reverse(baskets.len()), **store));
        let days = order.into_iter().flat_map(|(store, baskets)| {
            let chunks = baskets.chunk_by(move |first, second| day(first) == day(second));
            chunks.map(|baskets| RecordedDay { store: *store, baskets })
        });
        days.collect()
    }

    fn scaling(&self, days: &[RecordedDay<'_>], used: &[BTreeSet<usize>], per_day: usize, times: usize) -> String {
        let store_count = |mine: &BTreeSet<usize>| mine.iter().map(|at| days[*at].store).collect::<BTreeSet<_>>().len();
        let mut text = format!("{}: ", self.name);
        if let Some(households) = self.households {
            let _ = write!(text, "baskets of {} loyalty households, ", thousands(households as u64));
        }
        let _ = write!(
            text,
            "{} recorded days of {} laid over each other by time of day give {} baskets a day to each of {}",
            range(used.iter().map(BTreeSet::len)),
            plural(&range(used.iter().map(store_count)), "store"),
            thousands(per_day as u64),
            plural(&thousands(used.len() as u64), "simulated store"),
        );
        let _ = match times {
            0 | 1 => write!(text, "; no basket is used twice"),
            times => write!(text, "; a basket is used up to {times} times"),
        };
        text
    }
}

/// A simulated day of several stores.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overlay<'a> {
    /// The baskets of each simulated store, in the order of the time of day.
    pub stores: Vec<Vec<Placed<'a>>>,
    /// What was laid over what: to be quoted with every figure that comes from these days.
    pub scaling: String,
}

/// A recorded basket on a simulated day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placed<'a> {
    /// Second of the day.
    pub second: u32,
    /// The source's number of the store where it was recorded.
    pub source_store: u32,
    /// What was bought.
    pub basket: &'a Basket,
}

/// The baskets of one store on one day; at least one.
struct RecordedDay<'a> {
    store: u32,
    baskets: &'a [Basket],
}

/// All baskets of a day, or `most` of them spread evenly over it.
fn thinned<'a>(day: &RecordedDay<'a>, most: usize) -> impl Iterator<Item = Placed<'a>> {
    let RecordedDay { store, baskets } = *day;
    let count = baskets.len().min(most);
    (0..count).map(move |at| {
        let basket = &baskets[at * baskets.len() / count];
        let second = u32::try_from(basket.at_s % u64::from(DAY_S)).expect("a second of a day fits");
        Placed { second, source_store: store, basket }
    })
}

fn range(counts: impl Iterator<Item = usize> + Clone) -> String {
    let (least, most) = (counts.clone().min().unwrap_or(0), counts.max().unwrap_or(0));
    if least == most { most.to_string() } else { format!("{least} to {most}") }
}

fn plural(count: &str, what: &str) -> String {
    if count == "1" { format!("{count} {what}") } else { format!("{count} {what}s") }
}

/// Baskets as their own file tells them, still without lines.
#[derive(Default)]
struct Heads {
    baskets: Vec<(u32, Basket)>,
    /// The place of each basket by its number.
    places: BTreeMap<u64, usize>,
    households: BTreeSet<u32>,
}

fn read_heads(mut rows: Rows<'_>) -> Result<Heads, DataError> {
    let dated = rows.has(&["basket_id", "store_id", "local_time"]);
    if !dated && !rows.has(&["basket", "store", "local_time"]) {
        return Err(rows.fault("has the header of no known file of baskets"));
    }
    let names = if dated { ["basket_id", "store_id", "local_time"] } else { ["basket", "store", "local_time"] };
    let [number, store, local_time] = rows.columns(names)?;
    let household = rows.has(&["household_id"]).then(|| rows.column("household_id")).transpose()?;
    let (mut heads, mut year) = (Heads::default(), None);
    while let Some(row) = rows.next_row()? {
        let at_s = if dated { second_of_year(&row, local_time, &mut year)? } else { time_of_day(&row, local_time)? };
        if heads.places.insert(row.whole(number, u64::MAX)?, heads.baskets.len()).is_some() {
            return Err(row.field_fault(number, "comes twice"));
        }
        if let Some(household) = household {
            heads.households.insert(row.small(household)?);
        }
        heads.baskets.push((row.small(store)?, Basket { at_s, lines: Vec::new() }));
    }
    Ok(heads)
}

fn second_of_year(row: &Row<'_>, column: Column, year: &mut Option<u32>) -> Result<u64, DataError> {
    let time = LocalTime::parse(row.text(column)).ok_or_else(|| row.field_fault(column, "is not a local time"))?;
    if *year.get_or_insert(time.year) != time.year {
        return Err(row.field_fault(column, "is in another year than the first basket"));
    }
    Ok(u64::from(time.day) * u64::from(DAY_S) + u64::from(time.second))
}

fn time_of_day(row: &Row<'_>, column: Column) -> Result<u64, DataError> {
    let second = second_of_day(row.text(column));
    second.map(u64::from).ok_or_else(|| row.field_fault(column, "is not a time of day"))
}

/// The columns of a file of lines.
struct LineColumns {
    basket: Column,
    product: Column,
    quantity: Column,
    amounts: Amounts,
}

/// How a file of lines writes what was paid.
enum Amounts {
    /// Sums of the line, and a word on lines that are no plain sale.
    Sums { sales: Column, retail: Column, coupon: Column, matched: Column, flag: Column },
    /// The price of one unit and the discount on all of them.
    UnitPrice { unit_price: Column, discount: Column },
}

impl LineColumns {
    fn of(rows: &Rows<'_>) -> Result<Self, DataError> {
        if rows.has(&["basket_id", "product_id"]) {
            let names = ["basket_id", "product_id", "quantity"];
            let [basket, product, quantity] = rows.columns(names)?;
            let names = ["sales_cents", "retail_disc_cents", "coupon_disc_cents", "coupon_match_disc_cents", "flag"];
            let [sales, retail, coupon, matched, flag] = rows.columns(names)?;
            return Ok(Self {
                basket,
                product,
                quantity,
                amounts: Amounts::Sums { sales, retail, coupon, matched, flag },
            });
        }
        if rows.has(&["basket", "sku"]) {
            let names = ["basket", "sku", "quantity", "unit_price_cents", "discount_cents"];
            let [basket, product, quantity, unit_price, discount] = rows.columns(names)?;
            return Ok(Self { basket, product, quantity, amounts: Amounts::UnitPrice { unit_price, discount } });
        }
        Err(rows.fault("has the header of no known file of basket lines"))
    }
}

fn read_lines(mut rows: Rows<'_>, heads: &mut Heads) -> Result<Skipped, DataError> {
    let columns = LineColumns::of(&rows)?;
    let mut skipped = Skipped::default();
    // Lines of a basket mostly stand together.
    let mut last: Option<(u64, usize)> = None;
    while let Some(row) = rows.next_row()? {
        let number = row.whole(columns.basket, u64::MAX)?;
        let known = last.filter(|(basket, _)| *basket == number).map(|(_, place)| place);
        let Some(place) = known.or_else(|| heads.places.get(&number).copied()) else {
            return Err(row.field_fault(columns.basket, "is no basket of the other file"));
        };
        last = Some((number, place));
        if let Some(line) = read_line(&row, &columns, &mut skipped)? {
            heads.baskets[place].1.lines.push(line);
        }
    }
    Ok(skipped)
}

/// A line to ring up, or `None` when it was counted among those left out. All of its fields are checked either way.
fn read_line(row: &Row<'_>, columns: &LineColumns, skipped: &mut Skipped) -> Result<Option<BasketLine>, DataError> {
    let product = row.small(columns.product)?;
    let quantity = row.whole(columns.quantity, QUANTITY_MAX)?;
    let amount = |column| row.whole(column, AMOUNT_CENTS_MAX).map(u64::cast_signed);
    let (sales_cents, discount_cents, coupon_cents, flag) = match columns.amounts {
        Amounts::Sums { sales, retail, coupon, matched, flag } => {
            let word = Some((flag, row.text(flag)));
            (amount(sales)?, amount(retail)? + amount(matched)?, amount(coupon)?, word)
        }
        Amounts::UnitPrice { unit_price, discount } => {
            let shelf = amount(unit_price)? * quantity.cast_signed();
            let discounted = amount(discount)?;
            if discounted > shelf {
                return Err(row.field_fault(discount, "is more than the line"));
            }
            (shelf - discounted, discounted, 0, None)
        }
    };
    let count = match flag {
        Some((_, "fuel")) => &mut skipped.fuel,
        Some((_, "coupon_dept")) => &mut skipped.coupon,
        Some((_, "no_product_row")) => &mut skipped.no_product,
        Some((_, "zero_qty")) => &mut skipped.zero_quantity,
        Some((column, word)) if !word.is_empty() => return Err(row.field_fault(column, "is no known flag")),
        Some(_) | None if quantity == 0 => &mut skipped.zero_quantity,
        Some(_) | None if coupon_cents > sales_cents => &mut skipped.coupon_over_line,
        Some(_) | None => {
            let quantity = i32::try_from(quantity).expect("a million at most");
            return Ok(Some(BasketLine { product, quantity, sales_cents, discount_cents, coupon_cents }));
        }
    };
    *count += 1;
    Ok(None)
}
