//! A label on a shelf: what the goods there cost, from when on.

use stockroom_crdt::money::Unit;

use super::page::{Block, Page, Sheet, Size, TEXT_CHARS_MAX, Writer};
use super::sheets::{Money, Stamp};
use super::text::clean;
use super::words::{Language, Word};

/// What goods cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PriceLabel {
    /// The product's name.
    pub name: String,
    /// Its number.
    pub sku: String,
    /// For a piece or a kilogram.
    pub price: Money,
    /// Which of the two.
    pub unit: Unit,
    /// From when on.
    pub from: Stamp,
    /// Digits of its barcode, if it has one.
    pub barcode: Option<String>,
}

impl Sheet for PriceLabel {
    fn page(&self, language: Language) -> Page {
        let mut to = Writer::new(language);
        to.put(Block::Heading(clean(&self.name, TEXT_CHARS_MAX)));
        let per = match self.unit {
            Unit::Each => to.word(Word::PerPiece),
            Unit::Gram => to.word(Word::PerKilogram),
        };
        to.put(Block::Large(format!("{} {per}", self.price.text())));
        to.field(Word::Since, &self.from.text());
        to.field(Word::Sku, &clean(&self.sku, TEXT_CHARS_MAX));
        if let Some(barcode) = &self.barcode {
            to.field(Word::Barcode, &clean(barcode, TEXT_CHARS_MAX));
        }
        to.done(Size::Label, Word::PriceLabel)
    }
}
