//! A till's receipt. Made of the posted sale only: what a till shows on its own screen is not asked.

use super::page::{Block, Item, LINES_MAX, Page, Sheet, Size, TEXT_CHARS_MAX, Writer};
use super::sheets::{Money, NUMBER_CHARS_MAX, Quantity, Stamp};
use super::text::clean;
use super::words::{Language, Word};

/// What a customer takes along from a till.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SaleReceipt {
    /// Whether it counts.
    pub state: Standing,
    /// The store's name.
    pub store: String,
    /// The receipt's number.
    pub number: String,
    /// When it was rung up.
    pub rung: Stamp,
    /// At which till.
    pub till: u32,
    /// Who sold.
    pub staff: String,
    /// What was sold, in the order of the till.
    pub lines: Vec<SoldLine>,
    /// Added so that cash can pay; none if nothing.
    pub rounding: Option<Money>,
    /// What it costs.
    pub total: Money,
    /// Tax by code and rate, as it was reckoned.
    pub taxes: Vec<TaxPart>,
    /// How it was paid.
    pub tenders: Vec<TenderPart>,
    /// Coupons that reduced it, by name.
    pub coupons: Vec<(String, Money)>,
    /// What it did with a member's points.
    pub points: Option<PointsPart>,
    /// With which another store takes the goods back: the signed receipt.
    pub code: Option<String>,
}

/// What a receipt did with a member's points.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PointsPart {
    /// Points that were earned and not taken back.
    pub earned: u64,
    /// Points that paid and did not come back.
    pub spent: u64,
    /// All her points, and when that was true; none where no hub has told it.
    pub balance: Option<(i64, Stamp)>,
}

/// Whether a receipt counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It does.
    Good,
    /// It was taken back as a whole.
    Voided,
    /// It takes the one of this number back.
    Voids(String),
}

/// Tax of one code and rate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaxPart {
    /// Code and rate.
    pub code: String,
    /// The tax.
    pub amount: Money,
    /// It was added to the prices; otherwise they contain it.
    pub added: bool,
}

/// One payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenderPart {
    /// How.
    pub tendered: Tendered,
    /// How much.
    pub amount: Money,
    /// How sure the money is; `None` where the record does not say, and for cash.
    pub assured: Option<Assured>,
}

/// How sure the store is of money that is not cash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Assured {
    /// Whoever stands behind it has confirmed it.
    Captured,
    /// A terminal approved it without asking, and this party bears the loss; empty if nobody said who.
    Offline(String),
    /// Somebody looked at it.
    Seen,
}

/// How something was paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tendered {
    /// Notes and coins; less than nothing is change.
    Cash,
    /// A card.
    Card,
    /// A voucher.
    Voucher,
    /// Anything else.
    Other,
    /// A member's points.
    Points,
}

/// One line of a receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SoldLine {
    /// The product's name.
    pub name: String,
    /// Its number.
    pub sku: String,
    /// How many; negative for what came back.
    pub quantity: Quantity,
    /// For a piece or a kilogram.
    pub unit_price: Money,
    /// What was taken off, by name; the name is empty for what has none.
    pub reductions: Vec<(String, Money)>,
    /// What the line costs.
    pub amount: Money,
}

impl Sheet for SaleReceipt {
    fn page(&self, language: Language) -> Page {
        let mut to = Writer::new(language);
        to.put(Block::Heading(to.word(Word::Receipt).to_owned()));
        to.put(Block::Large(clean(&self.number, NUMBER_CHARS_MAX)));
        match &self.state {
            Standing::Good => {}
            Standing::Voided => to.put(Block::Text(to.word(Word::Voided).to_owned())),
            Standing::Voids(number) => to.field(Word::Voids, number),
        }
        to.field(Word::Store, &self.store);
        to.field(Word::Time, &self.rung.text());
        to.field(Word::Till, &self.till.to_string());
        to.field(Word::Staff, &self.staff);
        to.put(Block::Rule);
        for line in self.lines.iter().take(LINES_MAX) {
            let item = line.item(&to);
            to.put(Block::Item(item));
        }
        to.put(Block::Rule);
        if let Some(rounding) = self.rounding {
            to.field(Word::Rounding, &rounding.text());
        }
        to.put(Block::Heading(format!("{} {}", to.word(Word::Total), self.total.text())));
        for tender in &self.tenders {
            let amount = tender.amount.text();
            let said = tender.assured.as_ref().map(|assured| format!("{amount} ({})", assured.text(&to)));
            to.field(tender.tendered.word(), &said.unwrap_or(amount));
        }
        for tax in &self.taxes {
            let word = if tax.added { Word::AddedTax } else { Word::Tax };
            to.field(word, &format!("{}: {}", tax.code, tax.amount.text()));
        }
        for (name, worth) in &self.coupons {
            to.field(Word::Coupon, &format!("{}: {}", clean(name, TEXT_CHARS_MAX), worth.text()));
        }
        if let Some(points) = &self.points {
            points.put(&mut to);
        }
        to.code(self.code.as_deref());
        to.done(Size::Roll, Word::Receipt)
    }
}

impl PointsPart {
    fn put(&self, to: &mut Writer) {
        to.field(Word::PointsEarned, &self.earned.to_string());
        if self.spent > 0 {
            to.field(Word::PointsSpent, &self.spent.to_string());
        }
        if let Some((balance, at)) = &self.balance {
            let known = format!("{balance} ({} {})", to.word(Word::AsOf), at.text());
            to.field(Word::PointsBalance, &known);
        }
    }
}

impl Tendered {
    fn word(self) -> Word {
        match self {
            Self::Cash => Word::Cash,
            Self::Card => Word::Card,
            Self::Voucher => Word::Voucher,
            Self::Other => Word::OtherTender,
            Self::Points => Word::Points,
        }
    }
}

impl Assured {
    fn text(&self, to: &Writer) -> String {
        match self {
            Self::Captured => to.word(Word::Captured).to_owned(),
            Self::Offline(bearer) if bearer.is_empty() => to.word(Word::OfflineApproved).to_owned(),
            Self::Offline(bearer) => {
                let bearer = clean(bearer, TEXT_CHARS_MAX);
                format!("{}, {} {bearer}", to.word(Word::OfflineApproved), to.word(Word::BorneBy))
            }
            Self::Seen => to.word(Word::SeenByStaff).to_owned(),
        }
    }
}

impl SoldLine {
    fn item(&self, to: &Writer) -> Item {
        let mut details = vec![
            format!("{} x {}", self.quantity.text(), self.unit_price.text()),
            format!("{} {}", to.word(Word::Sku), clean(&self.sku, TEXT_CHARS_MAX)),
        ];
        for (name, off) in &self.reductions {
            let name = if name.is_empty() { to.word(Word::Discount).to_owned() } else { clean(name, TEXT_CHARS_MAX) };
            details.push(format!("{name} {}", off.text()));
        }
        Item {
            place: String::new(),
            name: clean(&self.name, TEXT_CHARS_MAX),
            quantity: self.amount.text(),
            details,
            warnings: Vec::new(),
        }
    }
}
