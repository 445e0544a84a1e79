//! The day of three stores in `node/sample` as sales: real baskets, quantities, prices and minutes of the day.
//!
//! What the sample does not have is assumed here: tills (baskets go to them in turn), milliseconds, the order in which a basket
//! is scanned (the sample's is by SKU, which would flatter an encoding by differences), tenders, cashiers and tax rates. See
//! [`Style`].

use std::collections::BTreeMap;

use serde::Deserialize;

use stockroom_crdt::clock::Hlc;
use stockroom_crdt::entry::{Entry, Fact};
use stockroom_crdt::ids::{Code, Sku, TillId};
use stockroom_crdt::money::{Currency, Unit};
use stockroom_crdt::receiving::Disposition;
use stockroom_crdt::sale::{ReceiptNumber, Sale, SaleLine, Tax, Tender, TenderKind};

/// How much a sale says beside its goods and prices.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Style {
    /// One cash tender of the right amount, one cashier per till, no tax.
    Plain,
    /// Tax on every line, a reason for each discount, three cashiers in turn; every second sale is paid by card with a
    /// 12-digit reference, the others with notes and change.
    Full,
}

impl Style {
    /// The word in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Full => "full",
        }
    }
}

/// The sales of each store as entries in the order in which its node wrote them.
pub fn entries(tills: u32, style: Style) -> BTreeMap<u32, Vec<Entry>> {
    let taxes: BTreeMap<String, String> = rows(PRODUCTS).map(|p: ProductRow| (p.sku, p.tax_code)).collect();
    let mut lines: BTreeMap<u32, Vec<LineRow>> = BTreeMap::new();
    rows(LINES).for_each(|line: LineRow| lines.entry(line.basket).or_default().push(line));
    let mut stores: BTreeMap<u32, Vec<Entry>> = BTreeMap::new();
    for basket in rows::<BasketRow>(BASKETS) {
        let written = stores.entry(basket.store).or_default();
        let number = written.len() as u32;
        let place = Place { till: 1 + number % tills, sequence: u64::from(1 + number / tills), style };
        let lines = lines.remove(&basket.basket).unwrap_or_default();
        written.push(place.entry(&basket, &lines, &taxes));
    }
    stores
}

/// Which till rings up a basket, as its how manieth.
struct Place {
    till: u32,
    sequence: u64,
    style: Style,
}

impl Place {
    fn entry(&self, basket: &BasketRow, lines: &[LineRow], taxes: &BTreeMap<String, String>) -> Entry {
        // Tills know milliseconds; the sample ends at seconds.
        let rung_ms = MIDNIGHT_MS + basket.second_of_day() * 1_000 + noise(basket.basket, 1_000);
        let mut scanned: Vec<_> = (0..).zip(lines).collect();
        scanned.sort_by_key(|&(place, _)| noise(basket.basket << 10 | place, u64::MAX));
        let lines: Vec<_> = scanned.into_iter().map(|(_, line)| self.line(line, &taxes[&line.sku])).collect();
        let mut sale = Sale {
            till_seq: self.sequence,
            receipt: ReceiptNumber { till: TillId(self.till), series: 1, sequence: self.sequence },
            day: 412,
            late: false,
            rung_ms,
            currency: Currency::parse("USD").expect("three capitals"),
            cashier: self.cashier(),
            approver: Code::default(),
            seller: Code::default(),
            foreign_key: Code::default(),
            fiscal: Vec::new(),
            voids: None,
            lines,
            cash_rounding: 0,
            tenders: Vec::new(),
        };
        sale.tenders = self.tenders(sale.total(), basket.basket);
        // From the till over the store's network into the node's next commit.
        Entry { hlc: Hlc::new(rung_ms + 4 + noise(basket.basket + 1, 40), 0), fact: Fact::Sale(sale) }
    }

    fn line(&self, row: &LineRow, tax_code: &str) -> SaleLine {
        let full = self.style == Style::Full;
        let amount = row.quantity * row.unit_price_cents - row.discount_cents;
        let (rate_bp, name) = if tax_code == "food" { (225, "F") } else { (700, "G") };
        SaleLine {
            sku: Sku::parse(&row.sku).expect("the sample's SKUs are numbers"),
            unit: Unit::Each,
            quantity: row.quantity,
            unit_price: row.unit_price_cents,
            discount: row.discount_cents,
            discount_reason: code(if full && row.discount_cents != 0 { "promo" } else { "" }),
            tax: full.then(|| Tax {
                code: code(name),
                rate_bp,
                amount: (2 * amount * i64::from(rate_bp) + 10_000 + i64::from(rate_bp))
                    / (2 * (10_000 + i64::from(rate_bp))),
                added: false,
            }),
            unknown: false,
            overridden: false,
            lot: Code::default(),
            original: None,
            disposition: Disposition::Resale,
        }
    }

    fn cashier(&self) -> Code {
        match self.style {
            Style::Plain => code(&format!("c{}", self.till)),
            Style::Full => code(["anna", "bo", "chen"][(self.till as usize + self.sequence as usize / 40) % 3]),
        }
    }

    fn tenders(&self, total: i64, basket: u32) -> Vec<Tender> {
        let tender = |kind, amount, reference: &str| Tender { kind, amount, reference: code(reference) };
        match self.style {
            Style::Plain => vec![tender(TenderKind::Cash, total, "")],
            Style::Full if basket.is_multiple_of(2) => {
                let reference = format!("{:012}", noise(basket, 1_000_000_000_000));
                vec![tender(TenderKind::Card, total, &reference)]
            }
            Style::Full => {
                let notes = (total + 499) / 500 * 500;
                let change = (notes != total).then(|| tender(TenderKind::Cash, total - notes, ""));
                [tender(TenderKind::Cash, notes, "")].into_iter().chain(change).collect()
            }
        }
    }
}

#[derive(Deserialize)]
struct BasketRow {
    basket: u32,
    store: u32,
    local_time: String,
}

impl BasketRow {
    fn second_of_day(&self) -> u64 {
        self.local_time.split(':').fold(0, |sum, part| sum * 60 + part.parse::<u64>().expect("hh:mm:ss"))
    }
}

#[derive(Deserialize)]
struct LineRow {
    basket: u32,
    sku: String,
    quantity: i64,
    unit_price_cents: i64,
    discount_cents: i64,
}

#[derive(Deserialize)]
struct ProductRow {
    sku: String,
    tax_code: String,
}

fn rows<T: serde::de::DeserializeOwned>(text: &'static str) -> impl Iterator<Item = T> {
    csv::Reader::from_reader(text.as_bytes())
        .into_deserialize()
        .map(|row| row.expect("the sample is in its own format"))
}

fn code(text: &str) -> Code {
    Code::parse(text).expect("short and printable")
}

/// A number below `bound` that looks random and is the same in every run (SplitMix64's last step).
fn noise(of: u32, bound: u64) -> u64 {
    let mut z = (u64::from(of) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (z ^ (z >> 31)) % bound
}

/// 2026-11-21 05:00 UTC, midnight in a store of the sample.
const MIDNIGHT_MS: u64 = 1_795_237_200_000;

const BASKETS: &str = include_str!("../../../node/sample/baskets.csv");
const LINES: &str = include_str!("../../../node/sample/lines.csv");
const PRODUCTS: &str = include_str!("../../../node/sample/products.csv");
