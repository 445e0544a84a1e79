//! Paper: pick lists, bag tags, pickup labels, receipts and route sheets, in a browser and on the shop's printer.
//!
//! A sheet is a plain struct with everything that it says. It becomes a [`page::Page`] of blocks in one language, cut and cleaned,
//! and that is drawn twice: as HTML to print, and as ESC/POS bytes.
//!
//! | module | what it knows |
//! |---|---|
//! | [`words`] | every word, in each language |
//! | [`text`] | what of others' texts may reach a printer |
//! | [`page`] | blocks |
//! | [`sheets`], [`receipt`], [`shelf`] | what the sheets say |
//! | [`drawers`] | what a drawer's report says |
//! | [`qr`] | QR codes, and tokens as text for them |
//! | [`html`] | a sheet in a browser |
//! | [`printer`] | where the printer is and what it understands |
//! | [`ticket`] | a sheet as ESC/POS |
//! | [`spool`] | the queue before the printer |

pub mod words;

pub mod text;

pub mod page;

pub mod drawers;
pub mod receipt;
pub mod sheets;
pub mod shelf;

pub mod qr;

pub mod html;

pub mod printer;
pub mod ticket;

pub mod spool;

#[cfg(test)]
mod tests;
