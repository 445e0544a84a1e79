//! A sheet between what it says and how it is drawn: blocks that a printer of receipts and a browser both can show.

use serde::{Deserialize, Serialize};

use super::text::clean;
use super::words::{Language, Word};

/// One sheet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Page {
    /// What it is printed on, in a browser.
    pub size: Size,
    /// Of its words.
    pub language: Language,
    /// What it is.
    pub title: String,
    /// From the top.
    pub blocks: Vec<Block>,
}

/// What a browser prints on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Size {
    /// A roll of 80 mm.
    Roll,
    /// A sheet of paper.
    A4,
    /// A label of 100 mm by 70 mm.
    Label,
}

/// A part of a sheet. All texts are clean.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Block {
    /// What it is about.
    Heading(String),
    /// Read from across the room.
    Large(String),
    /// A name and its value.
    Field(String, String),
    /// A sentence.
    Text(String),
    /// One thing of a list.
    Item(Item),
    /// Between parts.
    Rule,
    /// Scanned by a phone.
    Code(String),
}

/// One thing of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// In front, e.g. where it is.
    pub place: String,
    /// What it is.
    pub name: String,
    /// How many.
    pub quantity: String,
    /// Smaller, below.
    pub details: Vec<String>,
    /// What must not be overlooked.
    pub warnings: Vec<String>,
}

/// What can be put on a sheet.
pub trait Sheet {
    /// The sheet in a language. Texts are cut and cleaned here, so no drawing needs to.
    fn page(&self, language: Language) -> Page;
}

/// Collects blocks in one language.
pub(super) struct Writer {
    language: Language,
    blocks: Vec<Block>,
}

impl Writer {
    /// Nothing yet.
    pub fn new(language: Language) -> Self {
        Self { language, blocks: Vec::new() }
    }

    /// A word in the sheet's language.
    pub fn word(&self, word: Word) -> &'static str {
        word.said_in(self.language)
    }

    /// A block.
    pub fn put(&mut self, block: Block) {
        self.blocks.push(block);
    }

    /// A name and its value, unless there is none.
    pub fn field(&mut self, word: Word, value: &str) {
        let value = clean(value, TEXT_CHARS_MAX);
        if !value.is_empty() {
            self.put(Block::Field(self.word(word).to_owned(), value));
        }
    }

    /// A code to scan, unless its text is none that a code can hold.
    pub fn code(&mut self, text: Option<&str>) {
        let fits = |text: &&str| !text.is_empty() && text.len() <= super::qr::TEXT_BYTES_MAX;
        self.blocks.extend(text.filter(fits).map(|text| Block::Code(text.to_owned())));
    }

    /// The whole sheet.
    pub fn done(self, size: Size, title: Word) -> Page {
        Page { size, language: self.language, title: title.said_in(self.language).to_owned(), blocks: self.blocks }
    }
}

/// Characters of a name or value: three lines of a narrow roll.
pub const TEXT_CHARS_MAX: usize = 96;

/// Lines of one sheet: more is a mistake, and metres of paper.
pub const LINES_MAX: usize = 500;
