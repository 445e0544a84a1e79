//! Rights to promise a product: how many there are at each store, who holds them, and the trail of how that came about.

use maud::{Markup, html};
use serde::Deserialize;

use super::stock::{self, choose};
use super::{Common, for_office, of_chain};
use crate::api::pages::ask::{Ask, Trouble, encoded};
use crate::api::pages::layout::Page;
use crate::api::pages::shown::Shown;
use crate::api::pages::words::words;

words! {
    /// What stands on this page.
    Words {
        title: "Rights", "配额";
        about: "A promise needs a right to a unit in a store's book. Here is who holds how many, and why.", "每个承诺都需要门店账面上的一份配额。这里显示各节点持有的数量与原因。";
        available: "Where it can be promised", "可承诺门店";
        on_hand: "On hand", "账面";
        promised: "Promised", "已承诺";
        here: "May be promised here", "此处可承诺";
        elsewhere: "held elsewhere", "他处持有";
        answer: "Answer now", "当前答复";
        hard: "hard", "确定";
        soft: "soft", "待确认";
        no: "no", "不可";
        holders: "Who holds them", "持有者";
        holder: "Node and its life", "节点与纪元";
        made: "Made", "生成";
        used: "Used", "已用";
        burned: "Burned", "作废";
        granted: "Granted", "转让";
        held: "Holds", "持有";
        retired: "written off", "已注销";
        soft_rights: "Soft rights", "软配额";
        owes: "units stand behind rights and promises", "件对应配额与承诺";
        exposed: "at most exposed", "最多开放";
        requests: "Requests that wait", "待处理请求";
        why: "Why is this so?", "为什么是这个数？";
        why_stock: "What moved the book", "库存变动";
        why_rights: "What moved the rights", "配额变动";
        omitted: "Older entries were left out.", "更早的记录已省略。";
        nothing: "Nobody holds rights to it at this store.", "本店暂无配额。";
        rule: "Rules", "规则";
    }
}

#[derive(Deserialize)]
struct Availability {
    name: String,
    unit: String,
    items: Vec<At>,
}

#[derive(Deserialize)]
struct At {
    store: u32,
    name: String,
    on_hand: i64,
    promised: i64,
    promised_soft: i64,
    available_here: i64,
    elsewhere: i64,
    age_s: Option<u64>,
    can_promise: String,
    why: String,
}

#[derive(Deserialize)]
struct Rights {
    stores: Vec<OfStore>,
}

#[derive(Deserialize)]
struct OfStore {
    store: u32,
    goods: OfClass,
    soft: OfClass,
    exposed_at_most: Option<i64>,
    requests: Vec<Wanted>,
}

#[derive(Deserialize)]
struct OfClass {
    open: i64,
    liability: i64,
    rows: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    actor: String,
    at_store: Option<u32>,
    minted: i64,
    used: i64,
    burned: i64,
    granted: i64,
    held: i64,
    retired: bool,
}

#[derive(Deserialize)]
struct Wanted {
    by: String,
    of: u32,
    quantity: i64,
    why: String,
    answered: bool,
}

#[derive(Deserialize)]
struct History {
    omitted: usize,
    entries: Vec<Entry>,
    rights: Trail,
}

#[derive(Deserialize)]
struct Trail {
    omitted: bool,
    entries: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    what: String,
    at: String,
    writer: String,
    running: Option<i64>,
}

/// The page.
pub async fn page(ask: Ask) -> Result<Page, Trouble> {
    for_office(&ask)?;
    let (words, common, shown) = (Words::of(ask.language()), Common::of(ask.language()), of_chain(&ask));
    let asked = ask.param("sku").map(str::to_owned);
    let body = match asked {
        None => html! { p { (words.about) } (choose(&ask, "/chain/rights").await?) },
        Some(sku) => {
            let what: Option<Availability> = ask.find(format!("/v1/availability?sku={}", encoded(&sku))).await?;
            match what {
                None => html! { (choose(&ask, "/chain/rights").await?) },
                Some(what) => {
                    let rights: Rights = ask.get(format!("/v1/rights/{}", encoded(&sku))).await?;
                    let store = ask.param("store").and_then(|store| store.parse::<u32>().ok());
                    let trail: Option<History> = match store {
                        Some(store) => ask.find(format!("/v1/stock/{}/history?store={store}", encoded(&sku))).await?,
                        None => None,
                    };
                    html! {
                        (choose(&ask, "/chain/rights").await?)
                        div #rights data-live="rights stock orders" {
                            h2 { (what.name) " " span.quiet { (sku) } }
                            (availability(&sku, &what, (words, common), &shown))
                            @if let (Some(store), Some(trail)) = (store, &trail) { (why(store, trail, words, &shown)) }
                            (holders(&rights, &what.unit, (words, common), &shown))
                        }
                    }
                }
            }
        }
    };
    Ok(Page::new("/chain/rights", words.title, body))
}

fn availability(sku: &str, what: &Availability, (words, common): (&Words, &Common), shown: &Shown) -> Markup {
    html! {
        section aria-labelledby="available" {
            h2 #available { (words.available) }
            div.scroll tabindex="0" role="region" aria-labelledby="available" { table.cards {
                thead { tr { th { (common.store) } th.number { (words.on_hand) } th.number { (words.promised) } th.number { (words.here) } th { (words.answer) } th { (common.age) } th { (words.why) } } }
                tbody { @for at in &what.items { tr {
                    th scope="row" { a href=(format!("/fleet/{}", at.store)) { (at.store) " " (at.name) } }
                    td.number data-label=(words.on_hand) { (shown.quantity(at.on_hand, &what.unit)) }
                    td.number data-label=(words.promised) { (shown.quantity(at.promised, &what.unit)) @if at.promised_soft > 0 { " + " (at.promised_soft) " " (words.soft) } }
                    td.number data-label=(words.here) { b { (shown.quantity(at.available_here, &what.unit)) } @if at.elsewhere > 0 { " " span.aged { "+" (shown.quantity(at.elsewhere, &what.unit)) " " (words.elsewhere) } } }
                    td { @match at.can_promise.as_str() { "hard" => span.tag.good { (words.hard) }, "soft" => span.tag.warn { (words.soft) }, _ => span.tag { (words.no) } } }
                    td data-label=(common.age) { (stock::age(at.age_s, common, shown)) }
                    td.reason { (shown.sentence(&at.why)) " " a href=(format!("/chain/rights?sku={}&store={}", encoded(sku), at.store)) { (words.why) } }
                } } }
            } }
        }
    }
}

fn holders(rights: &Rights, unit: &str, (words, common): (&Words, &Common), shown: &Shown) -> Markup {
    let table = |class: &OfClass| {
        html! {
            div.scroll tabindex="0" role="region" aria-label=(words.holders) { table {
                thead { tr { th { (words.holder) } th.number { (words.made) } th.number { (words.used) } th.number { (words.granted) } th.number { (words.burned) } th.number { (words.held) } } }
                tbody { @for row in &class.rows { tr {
                    th scope="row" { (row.actor) @if let Some(store) = row.at_store.filter(|store| *store != 0) { " " span.quiet { (common.store) " " (store) } } @if row.retired { " " span.tag.bad { (words.retired) } } }
                    @for quantity in [row.minted, row.used, row.granted, row.burned] { td.number { @if quantity == 0 { "–" } @else { (shown.quantity(quantity, unit)) } } }
                    td.number { @if row.retired { "–" } @else { b { (shown.quantity(row.held, unit)) } } }
                } } }
            } }
        }
    };
    html! {
        @for of in &rights.stores {
            section aria-label=(format!("{} {}", common.store, of.store)) {
                h2 { (words.holders) ": " (common.store) " " (of.store) }
                p.quiet { (shown.quantity(of.goods.liability, unit)) " " (words.owes) @if let Some(most) = of.exposed_at_most { "; " (words.exposed) " " (shown.quantity(most, unit)) } }
                @if of.goods.rows.is_empty() { p { (words.nothing) } } @else { (table(&of.goods)) }
                @if of.soft.open > 0 || !of.soft.rows.is_empty() { details { summary { (words.soft_rights) } (table(&of.soft)) } }
                @if of.requests.iter().any(|wanted| !wanted.answered) {
                    h3 { (words.requests) }
                    ul { @for wanted in of.requests.iter().filter(|wanted| !wanted.answered) { li { (wanted.by) " → " (wanted.of) ": " (shown.quantity(wanted.quantity, unit)) " (" (shown.sentence(&wanted.why)) ")" } } }
                }
            }
        }
    }
}

fn why(store: u32, history: &History, words: &Words, shown: &Shown) -> Markup {
    let list = |entries: &[Entry]| {
        html! { ol.reasons { @for entry in entries.iter().take(TRAIL) { li {
            (shown.sentence(&entry.what)) @if let Some(running) = entry.running { " → " b { (running) } } " " span.aged { (shown.moment_of(&entry.at)) " · " (entry.writer) }
        } } } }
    };
    html! {
        section #why {
            h2 { (words.why) " (" (store) ")" }
            div.columns {
                div { h3 { (words.why_stock) } (list(&history.entries)) @if history.omitted > 0 || history.entries.len() > TRAIL { p.quiet { (words.omitted) } } }
                div { h3 { (words.why_rights) } (list(&history.rights.entries)) @if history.rights.omitted || history.rights.entries.len() > TRAIL { p.quiet { (words.omitted) } } }
            }
        }
    }
}

/// Entries of a trail that are shown.
const TRAIL: usize = 60;
