//! What a till asks for, in few words: for the tests of prices.

use stockroom_crdt::checkout::promotion::{Gives, Promotion};
use stockroom_crdt::checkout::quote::{Asked, AskedLine, Quote, Tables};
use stockroom_crdt::checkout::rounding::Rounding;
use stockroom_crdt::checkout::rules::TaxRate;
use stockroom_crdt::ids::{Code, Sku, StoreId, TillId};
use stockroom_crdt::money::{Currency, Unit};
use stockroom_crdt::product::Product;
use stockroom_crdt::receiving::Disposition;
use stockroom_crdt::sale::{ReceiptNumber, Sale, Tender, TenderKind};

/// A line with what the store's tables say of it.
#[derive(Clone, Debug)]
pub struct Item {
    /// What is asked for.
    pub asked: AskedLine,
    /// What the tables say.
    pub tables: Tables,
}

/// Pieces of something that the book prices at nothing.
pub fn item(name: &str, quantity: i64) -> Item {
    let sku = Sku::parse(name).unwrap();
    let product = Product {
        sku: sku.clone(),
        name: name.into(),
        unit: Unit::Each,
        barcodes: Vec::new(),
        item_number: 0,
        tax_code: Code::default(),
        department: Code::default(),
        owner: Code::default(),
        age_min: 0,
        excluded: 0,
        discontinued: false,
    };
    let asked = AskedLine {
        sku,
        unit: None,
        quantity,
        code_price: None,
        entered_price: None,
        discount: 0,
        discount_reason: Code::default(),
        lot: Code::default(),
        expires: None,
        original: None,
        disposition: Disposition::Resale,
    };
    let tables = Tables { product: Some(product), price: Some((0, SINCE_MS)), ..Tables::default() };
    Item { asked, tables }
}

impl Item {
    /// The book's price for a piece or a kilogram.
    pub fn priced(mut self, minor: i64) -> Self {
        self.tables.price = Some((minor, SINCE_MS));
        self
    }

    /// Sold by weight: the quantity is grams.
    pub fn weighed(mut self) -> Self {
        self.product().unit = Unit::Gram;
        self
    }

    /// Of this department.
    pub fn in_department(mut self, department: &str) -> Self {
        self.product().department = word(department);
        self
    }

    /// It bears this tax.
    pub fn taxed(mut self, rate: Option<TaxRate>) -> Self {
        self.tables.tax = rate;
        self
    }

    /// The code on the package carries this price.
    pub fn labelled(mut self, minor: i64) -> Self {
        self.asked.code_price = Some(minor);
        self
    }

    /// Somebody entered this price.
    pub fn entered(mut self, minor: i64) -> Self {
        self.asked.entered_price = Some(minor);
        self
    }

    /// Somebody takes this off.
    pub fn less(mut self, minor: i64) -> Self {
        self.asked.discount = minor;
        self
    }

    /// What the catalogue says.
    pub fn product(&mut self) -> &mut Product {
        self.tables.product.as_mut().unwrap()
    }
}

/// An empty basket at store 7 on a Monday at ten.
pub fn asked() -> Asked {
    Asked {
        store: StoreId(7),
        at_ms: NOW_MS,
        local: (0, 600),
        today: 20_500,
        member: false,
        coupons: Vec::new(),
        lines: Vec::new(),
    }
}

/// A promotion for everything, everywhere, for ever.
pub fn promotion(id: &str, gives: Gives) -> Promotion {
    Promotion {
        book: word("north"),
        id: word(id),
        name: id.into(),
        from_ms: 0,
        until_ms: 0,
        ended: false,
        members_only: false,
        stores: Vec::new(),
        skus: Vec::new(),
        departments: Vec::new(),
        gives,
        priority: 0,
        exclusive: false,
        per_basket: 0,
    }
}

/// What a promotion is about.
pub trait Aimed: Sized {
    /// For these products.
    fn of(self, skus: &[&str]) -> Self;
    /// For these departments.
    fn in_departments(self, departments: &[&str]) -> Self;
}

impl Aimed for Promotion {
    fn of(mut self, skus: &[&str]) -> Self {
        self.skus = skus.iter().map(|sku| Sku::parse(sku).unwrap()).collect();
        self
    }

    fn in_departments(mut self, departments: &[&str]) -> Self {
        self.departments = departments.iter().map(|text| word(text)).collect();
        self
    }
}

/// A tax that prices contain, rounded half up for each line.
pub fn rate(code: &str, rate_bp: u32) -> TaxRate {
    TaxRate {
        code: word(code),
        area: Code::default(),
        from_ms: 0,
        rate_bp: Some(rate_bp),
        inclusive: true,
        rounding: Rounding::HalfUp,
        per_receipt: false,
    }
}

/// The sale that a quote becomes when a card pays it.
pub fn sale_of(quote: &Quote) -> Sale {
    Sale {
        till_seq: 1,
        receipt: receipt(1),
        day: 1,
        late: false,
        rung_ms: NOW_MS,
        currency: Currency::parse("EUR").unwrap(),
        cashier: word("anna"),
        approver: Code::default(),
        seller: Code::default(),
        foreign_key: Code::default(),
        fiscal: Vec::new(),
        voids: None,
        lines: quote.lines.clone(),
        cash_rounding: 0,
        tenders: vec![Tender { kind: TenderKind::Card, amount: quote.total, reference: word("t-1") }],
    }
}

/// A number of till 1.
pub fn receipt(sequence: u64) -> ReceiptNumber {
    ReceiptNumber { till: TillId(1), series: 1, sequence }
}

/// A short text.
pub fn word(text: &str) -> Code {
    Code::parse(text).unwrap()
}

/// When it is.
pub const NOW_MS: u64 = 1_772_000_000_000;

/// Since when prices hold.
pub const SINCE_MS: u64 = 1_771_000_000_000;
