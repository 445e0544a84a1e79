//! A sheet as a page to print from a browser: one file, with its own style sheet and nothing from outside.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::page::{Block, Item, Page, Size};
use super::qr;
use super::words::Word;

/// Whether a sheet may have been printed before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marking {
    /// It was not.
    Original,
    /// It may have been, and says so.
    Copy,
}

/// The whole page. Everything that others wrote is escaped.
pub fn html(page: &Page, marking: Marking) -> String {
    document(page, sheet(page, marking))
}

/// Several sheets of one kind, each on paper of its own; the first says what they are.
pub fn html_of_all(first: &Page, others: &[Page], marking: Marking) -> String {
    let sheets = html! {
        (sheet(first, marking))
        @for page in others { div style="break-before:page" { (sheet(page, marking)) } }
    };
    document(first, sheets)
}

fn sheet(page: &Page, marking: Marking) -> Markup {
    let copy = (marking == Marking::Copy).then(|| Word::Copy.said_in(page.language));
    html! {
        @if let Some(copy) = copy { p.copy { (copy) } }
        @for block in &page.blocks { (drawn(block)) }
        @if let Some(copy) = copy { p.copy { (copy) } }
    }
}

fn document(page: &Page, body: Markup) -> String {
    let document = html! {
        (DOCTYPE)
        html lang=(page.language.tag()) {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width";
                title { (page.title) }
                style { (PreEscaped(style(page.size))) }
            }
            body class=(class(page.size)) { (body) }
        }
    };
    document.into_string()
}

fn drawn(block: &Block) -> Markup {
    match block {
        Block::Heading(text) => html! { h1 { (text) } },
        Block::Large(text) => html! { p.large { (text) } },
        Block::Field(name, value) => html! { p.field { span { (name) } " " b { (value) } } },
        Block::Text(text) => html! { p.warning { (text) } },
        Block::Item(item) => listed(item),
        Block::Rule => html! { hr; },
        Block::Code(text) => match qr::svg(text) {
            // The picture is made of squares; the text does not stand in it.
            Ok(picture) => html! { div.code { (PreEscaped(picture)) } },
            Err(_) => html! {},
        },
    }
}

fn listed(item: &Item) -> Markup {
    html! {
        section {
            @if !item.place.is_empty() { p.place { (item.place) } }
            p.name { b { (item.name) } span.quantity { (item.quantity) } }
            @for warning in &item.warnings { p.warning { (warning) } }
            p.details { (item.details.join(" · ")) }
        }
    }
}

fn class(size: Size) -> &'static str {
    match size {
        Size::Roll => "roll",
        Size::A4 => "sheet",
        Size::Label => "label",
    }
}

fn style(size: Size) -> String {
    let page = match size {
        Size::Roll => "@page{size:80mm auto;margin:3mm}body{width:74mm}",
        Size::A4 => "@page{size:A4;margin:12mm}",
        Size::Label => "@page{size:100mm 70mm;margin:3mm}body{width:94mm}",
    };
    format!("{page}{STYLE}")
}

/// Nothing is loaded and nothing runs.
pub const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

const STYLE: &str = "body{margin:0;color:#000;background:#fff;font:11pt/1.35 system-ui,'Noto Sans CJK SC',sans-serif;\
overflow-wrap:anywhere}h1{font-size:15pt;margin:0}p{margin:0}.large{font-size:30pt;font-weight:700;line-height:1.1}\
.field span,.details{color:#333;font-size:9pt}.copy{border:2px solid;text-align:center;font-weight:700;letter-spacing:.2em}\
.warning{font-weight:700;border:1px solid;display:inline-block;padding:0 .4em}section{break-inside:avoid;border-bottom:1px dotted;\
padding:1mm 0}.place{font-weight:700}.name{display:flex;justify-content:space-between;gap:4mm}.quantity{white-space:nowrap;\
font-weight:700}.code svg{width:32mm;height:32mm}.label .code{float:right}hr{border:0;border-top:1px solid}";
