//! Goods between stores: asking for them, sending them off, and taking them in, with what differs.

use std::collections::BTreeMap;

use maud::{Markup, html};
use serde::Deserialize;

use super::names;
use super::receiving::{self, line, scanner};
use crate::api::pages::ask::{Ask, Trouble, encoded};
use crate::api::pages::layout::{Page, aged};
use crate::api::pages::shown::{Shown, ms_of};
use crate::api::pages::words::words;

words! {
    /// What stands on these pages.
    Words {
        title: "Transfers", "调拨";
        transfer: "Transfer", "调拨单";
        none: "No goods are on their way to or from here.", "没有调拨中的商品。";
        from: "from store", "来自门店";
        to: "to store", "发往门店";
        state: "State", "状态";
        requested: "asked for", "已申请";
        shipped: "on its way", "在途";
        received: "arrived", "已到货";
        overdue: "overdue", "逾期";
        differs: "differs", "有差异";
        send: "Send goods to another store", "向其他门店发货";
        ask: "Ask another store for goods", "向其他门店要货";
        to_store: "To which store (its number)", "发往门店编号";
        from_store: "From which store (its number)", "来自门店编号";
        send_it: "Send off", "发货";
        ask_it: "Ask", "申请";
        sent: "Sent off: {id}", "已发货：{id}";
        asked: "Asked for: {id}", "已申请：{id}";
        product: "Product", "商品";
        wanted: "Asked", "申请";
        gone: "Sent", "发出";
        came: "Arrived", "到货";
        receive: "Everything arrived as it was sent", "全部按发货数到货";
        receive_other: "Something differs: say what arrived", "有差异：填写实际到货";
        receive_it: "Take in what was scanned", "按扫描数收货";
        ship: "Send what was asked for", "按申请发货";
        done: "Booked.", "已入账。";
        back: "All transfers", "全部调拨";
        reason: "Reason for a difference", "差异原因";
        known: "What the other store said is known", "对方门店数据";
    }
}

#[derive(Deserialize)]
struct Listed {
    items: Vec<Transfer>,
}

#[derive(Deserialize)]
struct Transfer {
    id: String,
    from: u32,
    to: u32,
    state: String,
    overdue: bool,
    differs: bool,
    asked_at: Option<String>,
    shipped_at: Option<String>,
    received_at: Option<String>,
    lines: Vec<Line>,
    source: Option<Known>,
    destination: Option<Known>,
}

#[derive(Deserialize)]
struct Line {
    sku: String,
    unit: String,
    asked: i64,
    sent: Option<i64>,
    came: Option<i64>,
    #[serde(default)]
    reason: String,
}

#[derive(Deserialize)]
struct Known {
    store: u32,
    known_until: Option<String>,
}

/// All transfers, and forms for new ones.
pub async fn page(ask: Ask) -> Result<Page, Trouble> {
    let (words, shown) = (Words::of(ask.language()), ask.shown());
    let lines = receiving::Words::of(ask.language());
    let listed: Listed = ask.get("/v1/transfers?limit=50").await?;
    let own = ask.store().map_or(0, |store| store.store.0);
    let body = html! {
        section #transfers data-live="stock" {
            @if listed.items.is_empty() { p.quiet { (words.none) } }
            ul.list {
                @for transfer in &listed.items {
                    li { a href={ "/transfers/" (encoded(&transfer.id)) } {
                        span {
                            b { @if transfer.to == own { (words.from) " " (transfer.from) } @else { (words.to) " " (transfer.to) } }
                            " " span.quiet { (transfer.id) " · " (transfer.lines.len()) }
                        }
                        span { (state(words, transfer)) " " (when(&shown, transfer)) }
                    } }
                }
            }
        }
        section {
            details #send { summary { (words.send) }
                form data-post="/v1/transfers" data-lines="lines" data-done=(words.sent) #sending {
                    label.narrow { span { (words.to_store) } input name="to" data-type="int" inputmode="numeric" required autocomplete="off"; }
                    (scanner(lines)) ul.list.lines {} (line(lines, html! {}))
                    p.acts { button.main { (words.send_it) } }
                }
            }
            details #ask { summary { (words.ask) }
                form data-post="/v1/transfers" data-lines="lines" data-done=(words.asked) #asking {
                    label.narrow { span { (words.from_store) } input name="from" data-type="int" inputmode="numeric" required autocomplete="off"; }
                    (scanner(lines)) ul.list.lines {} (line(lines, html! {}))
                    p.acts { button.main { (words.ask_it) } }
                }
            }
        }
    };
    Ok(Page::new("/stock", words.title, body).with(&["lines.js"]))
}

/// One transfer, and what can be done with it here.
pub async fn one(ask: Ask) -> Result<Page, Trouble> {
    let (words, shown, id) = (Words::of(ask.language()), ask.shown(), encoded(ask.segment("id")));
    let form_words = receiving::Words::of(ask.language());
    let transfer: Transfer = ask.get(format!("/v1/transfers/{id}")).await?;
    let own = ask.store().map_or(0, |store| store.store.0);
    let other = if transfer.to == own { &transfer.source } else { &transfer.destination };
    let named = names(&ask, transfer.lines.iter().take(LINES_NAMED).map(|line| line.sku.as_str())).await;
    let is_here = transfer.to == own && transfer.shipped_at.is_some() && transfer.received_at.is_none();
    let body = html! {
        p { a href="/transfers" { "← " (words.back) } }
        div #one data-live="stock" {
            p.lead { (state(words, &transfer)) " " (words.from) " " (transfer.from) " " (words.to) " " (transfer.to) " " (when(&shown, &transfer)) }
            @if let Some(other) = other.as_ref().filter(|other| other.store != own) {
                p.quiet { (words.known) " " (aged(&shown, ask.language(), other.known_until.as_deref().and_then(ms_of))) }
            }
            section { (table(words, &shown, &transfer, &named)) }
        }
        @if transfer.from == own && transfer.shipped_at.is_none() {
            form data-post={ "/v1/transfers/" (id) "/ship" } data-done=(words.done) data-then="reload" { p.acts { button.main { (words.ship) } } }
        }
        @if is_here {
            form data-post={ "/v1/transfers/" (id) "/receive" } data-done=(words.done) data-then="reload" { p.acts { button.main.large { (words.receive) } } }
            section {
                details #differ { summary { (words.receive_other) }
                    form data-post={ "/v1/transfers/" (id) "/receive" } data-lines="lines" data-done=(words.done) data-then="reload" #differing {
                        (scanner(form_words)) ul.list.lines {}
                        (line(form_words, html! { label.small { span { (words.reason) } input data-name="reason" autocomplete="off" maxlength="64"; } }))
                        p.acts { button.main { (words.receive_it) } }
                    }
                }
            }
        }
    };
    Ok(Page::new("/stock", format!("{} {}", words.transfer, ask.segment("id")), body).with(&["lines.js"]))
}

fn table(words: &Words, shown: &Shown, transfer: &Transfer, named: &BTreeMap<String, String>) -> Markup {
    let quantity = |n: Option<i64>, unit: &str| n.map_or_else(|| "–".to_owned(), |n| shown.quantity(n, unit));
    html! {
        div.scroll tabindex="0" role="region" aria-label=(words.transfer) {
            table {
                thead { tr { th { (words.product) } th.number { (words.wanted) } th.number { (words.gone) } th.number { (words.came) } } }
                tbody {
                    @for line in &transfer.lines {
                        tr {
                            th scope="row" { a href={ "/stock/" (encoded(&line.sku)) } { (named.get(&line.sku).unwrap_or(&line.sku)) } " " span.quiet { (line.sku) } @if !line.reason.is_empty() { " " span.quiet { (line.reason) } } }
                            td.number { (quantity(Some(line.asked).filter(|asked| *asked != 0), &line.unit)) }
                            td.number { (quantity(line.sent, &line.unit)) }
                            td.number { (quantity(line.came, &line.unit)) }
                        }
                    }
                }
            }
        }
    }
}

fn state(words: &Words, transfer: &Transfer) -> Markup {
    let (word, tone) = match transfer.state.as_str() {
        "requested" => (words.requested, "tag"),
        "received" => (words.received, "tag good"),
        "in-transit" => (words.shipped, "tag warn"),
        _ => (transfer.state.as_str(), "tag"),
    };
    html! {
        span class=(tone) { (word) }
        @if transfer.overdue { " " span.tag.bad { (words.overdue) } }
        @if transfer.differs { " " span.tag.bad { (words.differs) } }
    }
}

fn when(shown: &Shown, transfer: &Transfer) -> Markup {
    let at = transfer.received_at.as_ref().or(transfer.shipped_at.as_ref()).or(transfer.asked_at.as_ref());
    html! { @if let Some(at) = at { span.quiet { (shown.moment_of(at)) } } }
}

/// Lines of a transfer that are shown with names; the rest by numbers.
const LINES_NAMED: usize = 100;
