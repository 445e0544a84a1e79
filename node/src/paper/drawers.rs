//! The paper of a drawer: the Z report of a shift.

use super::page::{Block, Item, LINES_MAX, Page, Sheet, Size, TEXT_CHARS_MAX, Writer};
use super::sheets::{Money, Stamp};
use super::text::clean;
use super::words::{Language, Word};

/// What a closed shift says. Made of the committed close only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DrawerReport {
    /// The store's name.
    pub store: String,
    /// Which till.
    pub till: u32,
    /// Which shift of it.
    pub shift: u32,
    /// When the drawer was taken.
    pub opened: Stamp,
    /// When it was given back.
    pub closed: Stamp,
    /// Who counted it.
    pub staff: String,
    /// Who confirmed the count; empty if nobody had to.
    pub approver: String,
    /// The till's last receipt in it.
    pub last: Option<String>,
    /// Receipts.
    pub receipts: u32,
    /// Those among them that take another one back.
    pub voids: u32,
    /// What was sold, less what came back.
    pub sales: Money,
    /// Cash, card, voucher, other, points.
    pub tenders: [Money; 5],
    /// What lay in the drawer at the beginning.
    pub float: Money,
    /// Paid in, paid out, dropped, refunded.
    pub moved: [Money; 4],
    /// What should be in the drawer.
    pub expected: Money,
    /// What was.
    pub counted: Money,
    /// How much more that is.
    pub over: Money,
    /// Tax by code and rate.
    pub taxes: Vec<ReportTax>,
}

/// Tax of one code and rate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportTax {
    /// The tenant's code.
    pub code: String,
    /// In hundredths of a percent.
    pub rate_bp: u32,
    /// What the goods cost.
    pub goods: Money,
    /// The tax.
    pub tax: Money,
}

impl Sheet for DrawerReport {
    fn page(&self, language: Language) -> Page {
        let mut to = Writer::new(language);
        to.put(Block::Heading(to.word(Word::ZReport).to_owned()));
        to.put(Block::Large(format!("{} {} / {}", to.word(Word::Till), self.till, self.shift)));
        to.field(Word::Store, &self.store);
        to.field(Word::Opened, &self.opened.text());
        to.field(Word::Closed, &self.closed.text());
        to.field(Word::Staff, &self.staff);
        to.field(Word::Approver, &self.approver);
        to.put(Block::Rule);
        to.field(Word::Receipts, &self.receipts.to_string());
        to.field(Word::VoidCount, &self.voids.to_string());
        to.field(Word::LastReceipt, self.last.as_deref().unwrap_or_default());
        put(&mut to, Word::Sales, self.sales);
        let words = [Word::Cash, Word::Card, Word::Voucher, Word::OtherTender, Word::Points];
        for (word, amount) in words.into_iter().zip(self.tenders) {
            put(&mut to, word, amount);
        }
        to.put(Block::Rule);
        put(&mut to, Word::Float, self.float);
        put(&mut to, Word::Cash, self.tenders[0]);
        for (word, amount) in [Word::PaidIn, Word::PaidOut, Word::Dropped, Word::Refunded].into_iter().zip(self.moved) {
            put(&mut to, word, amount);
        }
        put(&mut to, Word::Expected, self.expected);
        put(&mut to, Word::Counted, self.counted);
        put(&mut to, Word::Difference, self.over);
        if !self.taxes.is_empty() {
            to.put(Block::Rule);
        }
        for tax in self.taxes.iter().take(LINES_MAX) {
            let item = tax.item(&to);
            to.put(Block::Item(item));
        }
        to.done(Size::Roll, Word::ZReport)
    }
}

impl ReportTax {
    fn item(&self, to: &Writer) -> Item {
        let rate = format!("{}.{:02} %", self.rate_bp / 100, self.rate_bp % 100);
        Item {
            name: format!("{} {} {rate}", to.word(Word::Tax), clean(&self.code, TEXT_CHARS_MAX)),
            quantity: self.tax.text(),
            details: vec![format!("{} {}", to.word(Word::Sales), self.goods.text())],
            ..Item::default()
        }
    }
}

fn put(to: &mut Writer, word: Word, amount: Money) {
    to.field(word, &amount.text());
}
