//! A sheet as ESC/POS bytes for the shop's printer.
//!
//! Texts were cleaned when the sheet was made, and are encoded here letter by letter: what a code page does not have becomes a
//! question mark, so no letter turns into bytes that command the printer.

use std::cell::RefCell;

use encoding_rs::{Encoding, GB18030, WINDOWS_1250, WINDOWS_1251, WINDOWS_1252};
use escpos::driver::Driver;
use escpos::errors::PrinterError;
use escpos::printer::Printer;
use escpos::utils::{Encoder, JustifyMode, Protocol, QRCodeCorrectionLevel, QRCodeModel, QRCodeOption};

use super::html::Marking;
use super::page::{Block, Item, Page};
use super::printer::{CodePage, Settings};
use super::text::{clean, wrap};
use super::words::Word;

/// Why a sheet cannot be drawn. It is a fault of the sheet: to try again does not help.
#[derive(Debug, thiserror::Error)]
#[error("the sheet cannot be printed: {0}")]
pub struct TicketError(String);

/// The bytes that print a sheet once, and cut it off.
pub fn ticket(page: &Page, settings: &Settings, marking: Marking) -> Result<Vec<u8>, TicketError> {
    let mut ticket = Ticket::new(settings);
    ticket.draw(page, marking).map_err(|error| TicketError(error.to_string()))?;
    Ok(ticket.printer.driver().bytes.into_inner())
}

/// A sheet that is being drawn.
struct Ticket {
    printer: Printer<Memory>,
    codec: &'static Encoding,
    code_page: CodePage,
    width: usize,
}

type Drawn = Result<(), PrinterError>;

impl Ticket {
    fn new(settings: &Settings) -> Self {
        let codec = match settings.code_page {
            CodePage::Western => WINDOWS_1252,
            CodePage::Central => WINDOWS_1250,
            CodePage::Cyrillic => WINDOWS_1251,
            CodePage::Chinese => GB18030,
        };
        let printer = Printer::new(Memory::default(), Protocol::new(Encoder::new(codec)), None);
        Self { printer, codec, code_page: settings.code_page, width: settings.width_mm.columns() }
    }

    fn draw(&mut self, page: &Page, marking: Marking) -> Drawn {
        self.printer.init()?;
        match self.code_page {
            CodePage::Western => self.printer.custom(&[ESC, b't', 16])?,
            CodePage::Central => self.printer.custom(&[ESC, b't', 45])?,
            CodePage::Cyrillic => self.printer.custom(&[ESC, b't', 46])?,
            CodePage::Chinese => self.printer.custom(&[FS, b'&'])?,
        };
        let copy = (marking == Marking::Copy).then(|| Word::Copy.said_in(page.language));
        if let Some(copy) = copy {
            self.banner(copy)?;
        }
        for block in &page.blocks {
            self.block(block)?;
        }
        if let Some(copy) = copy {
            self.banner(copy)?;
        }
        self.printer.feeds(FEED_LINES)?.print_cut()?;
        Ok(())
    }

    fn block(&mut self, block: &Block) -> Drawn {
        match block {
            Block::Heading(text) => self.bold(text),
            Block::Large(text) => self.large(text),
            Block::Field(name, value) => self.lines(&format!("{name}: {value}"), ""),
            Block::Text(text) => self.bold(text),
            Block::Item(item) => self.item(item),
            Block::Rule => self.lines(&"-".repeat(self.width), ""),
            Block::Code(text) => {
                self.printer.justify(JustifyMode::CENTER)?;
                let option = QRCodeOption::new(QRCodeModel::Model2, CODE_DOTS, QRCodeCorrectionLevel::M);
                self.printer.qrcode_option(text, option)?.justify(JustifyMode::LEFT)?;
                Ok(())
            }
        }
    }

    fn item(&mut self, item: &Item) -> Drawn {
        let name = match item.place.is_empty() {
            true => item.name.clone(),
            false => format!("{}  {}", item.place, item.name),
        };
        self.printer.bold(true)?;
        self.beside(&name, &item.quantity)?;
        self.printer.bold(false)?;
        for warning in &item.warnings {
            self.printer.reverse(true)?;
            self.lines(warning, "  ")?;
            self.printer.reverse(false)?;
        }
        for detail in &item.details {
            self.lines(detail, "  ")?;
        }
        Ok(())
    }

    /// A text on the left and a short one at the right end of its last line.
    fn beside(&mut self, left: &str, right: &str) -> Drawn {
        let (left, right) = (self.printable(left), self.printable(right));
        let of_right = self.width_of(&right);
        if of_right + 2 > self.width {
            self.lines(&left, "")?;
            return self.lines(&right, "  ");
        }
        let mut lines = self.wrap(&left, self.width - of_right - 1);
        let last = lines.pop().unwrap_or_default();
        for line in &lines {
            self.printer.writeln(line)?;
        }
        let gap = self.width.saturating_sub(self.width_of(&last) + of_right);
        self.printer.writeln(&format!("{last}{}{right}", " ".repeat(gap)))?;
        Ok(())
    }

    fn bold(&mut self, text: &str) -> Drawn {
        self.printer.bold(true)?;
        self.lines(text, "")?;
        self.printer.bold(false)?;
        Ok(())
    }

    fn large(&mut self, text: &str) -> Drawn {
        self.printer.size(2, 2)?;
        for line in self.wrap(&self.printable(text), self.width / 2) {
            self.printer.writeln(&line)?;
        }
        self.printer.reset_size()?;
        Ok(())
    }

    fn banner(&mut self, text: &str) -> Drawn {
        self.printer.justify(JustifyMode::CENTER)?.reverse(true)?.size(2, 2)?;
        self.printer.writeln(&self.printable(&format!(" {text} ")))?;
        self.printer.reset_size()?.reverse(false)?.justify(JustifyMode::LEFT)?;
        Ok(())
    }

    fn lines(&mut self, text: &str, indent: &str) -> Drawn {
        for line in self.wrap(&self.printable(text), self.width - indent.len()) {
            self.printer.writeln(&format!("{indent}{line}"))?;
        }
        Ok(())
    }

    fn wrap(&self, text: &str, width: usize) -> Vec<String> {
        wrap(text, width, |c| self.columns(c))
    }

    fn width_of(&self, text: &str) -> usize {
        text.chars().map(|c| self.columns(c)).sum()
    }

    /// What is not ASCII is as wide as a Chinese character on a printer that is set to them.
    fn columns(&self, c: char) -> usize {
        match self.code_page {
            CodePage::Chinese if !c.is_ascii() => 2,
            CodePage::Chinese | CodePage::Western | CodePage::Central | CodePage::Cyrillic => 1,
        }
    }

    /// The text in letters that the code page has.
    fn printable(&self, text: &str) -> String {
        let text = clean(text, usize::MAX);
        let mut letter = [0; 4];
        let mut has = |c: char| c.is_ascii() || !self.codec.encode(c.encode_utf8(&mut letter)).2;
        text.chars().map(|c| if has(c) { c } else { '?' }).collect()
    }
}

/// Takes what a printer would.
#[derive(Default)]
struct Memory {
    bytes: RefCell<Vec<u8>>,
}

impl Driver for Memory {
    fn name(&self) -> String {
        "memory".into()
    }

    fn write(&self, data: &[u8]) -> Result<(), PrinterError> {
        self.bytes.borrow_mut().extend_from_slice(data);
        Ok(())
    }

    fn read(&self, _: &mut [u8]) -> Result<usize, PrinterError> {
        Ok(0)
    }

    fn flush(&self) -> Result<(), PrinterError> {
        Ok(())
    }
}

const ESC: u8 = 0x1b;
const FS: u8 = 0x1c;

/// Lines between the last text and the knife.
const FEED_LINES: u8 = 4;

/// Dots of one module: a code of 53 modules is 40 mm wide at 203 dots per inch.
const CODE_DOTS: u8 = 6;
