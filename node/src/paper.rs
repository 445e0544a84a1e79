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
//! | [`sheets`] | what the sheets say |
//! | [`qr`] | QR codes, and tokens as text for them |
//! | [`printer`] | where the printer is and what it understands |

pub mod words;

pub mod text;

pub mod page;

pub mod sheets;

pub mod qr;

pub mod printer;
