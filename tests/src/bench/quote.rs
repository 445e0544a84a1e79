//! What a basket costs: quotes a second for 20 lines, while nothing is cheaper and while 200 promotions hold.

use stockroom_crdt::checkout::promotion::{Gives, Promotion};
use stockroom_crdt::checkout::quote::{Asked, AskedLine, Quote, Tables, quote};
use stockroom_crdt::checkout::rounding::Rounding;
use stockroom_crdt::checkout::rules::{TaxRate, TillRules};
use stockroom_crdt::ids::{Code, Sku, StoreId};
use stockroom_crdt::money::Unit;
use stockroom_crdt::product::Product;
use stockroom_crdt::receiving::Disposition;

use super::{Benchmark, Effort, Report, fastest, time};

/// See the module.
pub const BENCHMARK: Benchmark =
    Benchmark { name: "quote", about: "baskets of 20 lines priced a second, with 200 promotions in force", run };

fn run(effort: Effort) -> Report {
    let mut report = Report::new("quote");
    let (rounds, baskets) = (effort.pick(9, 2), effort.pick(2_000, 50));
    report.note(format!(
        "{LINES} lines, one in five weighed, {baskets} quotes, the fastest of {rounds} rounds; one core"
    ));
    let (asked, tables) = basket();
    let leaflet: Vec<Promotion> = (0..200).map(|n| promotion(n, &named(n))).collect();
    let all: Vec<Promotion> = (0..200).map(|n| promotion(n, &[])).collect();
    let member = Asked { member: true, ..asked.clone() };
    let cases: [(&str, &Asked, &[Promotion]); 4] = [
        ("no promotion", &asked, &[]),
        ("200, each for 20 of 1,000 products", &asked, &leaflet),
        ("200, each for 20 of 1,000 products, a member's", &member, &leaflet),
        ("200, each for everything", &asked, &all),
    ];
    let rules = TillRules { cash_step: 5, ..TillRules::default() };
    let mut plain = None;
    for (case, asked, promotions) in cases {
        let price = || quote(asked, &tables, promotions, &rules).expect("every line has a price");
        let took = fastest(rounds, || time(|| (0..baskets).map(|_| price().total).sum::<i64>()).0).as_secs_f64();
        let each = took / baskets as f64;
        report.add("stockroom", case, "quotes a second", 1.0 / each);
        report.add("stockroom", case, "reductions on the receipt", reductions(&price()) as f64);
        report.add_at_most("stockroom", case, "time, no promotion = 1", each / *plain.get_or_insert(each), 100.0);
    }
    report
}

fn reductions(quote: &Quote) -> usize {
    quote.explained.iter().map(|why| why.reductions.len()).sum()
}

/// Twenty products of a thousand that lie evenly apart.
fn basket() -> (Asked, Vec<Tables>) {
    let line = |n: usize| {
        let unit = if n.is_multiple_of(5) { Unit::Gram } else { Unit::Each };
        let asked = AskedLine {
            sku: sku(n * 50),
            unit: None,
            quantity: if unit == Unit::Gram { 700 + n as i64 * 13 } else { 1 + n as i64 % 4 },
            code_price: None,
            entered_price: None,
            discount: 0,
            discount_reason: Code::default(),
            lot: Code::default(),
            expires: None,
            original: None,
            disposition: Disposition::Resale,
        };
        let tables = Tables {
            product: Some(product(n * 50, unit)),
            price: Some((149 + n as i64 * 37, 0)),
            tax: Some(tax(n)),
            ..Tables::default()
        };
        (asked, tables)
    };
    let (lines, tables) = (0..LINES).map(line).unzip();
    let asked =
        Asked { store: StoreId(1), at_ms: 1, local: (0, 600), today: 1, member: false, coupons: Vec::new(), lines };
    (asked, tables)
}

fn product(n: usize, unit: Unit) -> Product {
    Product {
        sku: sku(n),
        name: "something".into(),
        unit,
        barcodes: Vec::new(),
        item_number: 0,
        tax_code: Code::default(),
        department: code(&format!("department {}", n % 12)),
        owner: Code::default(),
        age_min: 0,
        excluded: 0,
        discontinued: false,
    }
}

fn tax(n: usize) -> TaxRate {
    let (name, rate_bp) = if n.is_multiple_of(3) { ("A", 1_900) } else { ("B", 700) };
    TaxRate {
        code: code(name),
        area: Code::default(),
        from_ms: 0,
        rate_bp: Some(rate_bp),
        inclusive: true,
        rounding: Rounding::HalfUp,
        per_receipt: n.is_multiple_of(2),
    }
}

/// Every kind in turn.
fn promotion(n: usize, skus: &[Sku]) -> Promotion {
    let gives = match n % 6 {
        0 => Gives::Percent(500),
        1 => Gives::Off(10),
        2 => Gives::Price(120),
        3 => Gives::BuyGet { buy: 2, get: 1, off_bp: 5_000 },
        4 => Gives::Bundle { units: 3, price: 500 },
        _ => Gives::Basket { from: 2_000, off: 50 },
    };
    Promotion {
        book: code("default"),
        id: code(&format!("p{n}")),
        name: "cheaper".into(),
        from_ms: 0,
        until_ms: 0,
        ended: false,
        members_only: n.is_multiple_of(4),
        stores: Vec::new(),
        skus: skus.to_vec(),
        departments: Vec::new(),
        gives,
        priority: (n % 7) as u8,
        exclusive: n.is_multiple_of(9),
        per_basket: (n % 3) as u16,
    }
}

/// What the promotion names, ascending: a stretch of neighbours.
fn named(n: usize) -> Vec<Sku> {
    let mut skus: Vec<Sku> = (0..20).map(|at| sku((n * 5 + at) % 1_000)).collect();
    skus.sort();
    skus
}

fn sku(n: usize) -> Sku {
    Sku::parse(&format!("{}", 100_000 + n)).expect("digits are a SKU")
}

fn code(text: &str) -> Code {
    Code::parse(text).expect("a short word is a code")
}

const LINES: usize = 20;
