//! The pages about goods: finding a product and seeing why its figure is what it is, receiving, counting, transfers, adjustments.
//!
//! | module | what it knows |
//! |---|---|
//! | [`one`] | one product: its figures, why they are so, lots, what can be promised, corrections |
//! | [`receiving`] | goods that come from suppliers |
//! | [`counts`] | count sheets and scans |
//! | [`transfers`] | goods between stores |

pub mod counts;
pub mod one;
pub mod receiving;
pub mod transfers;

use std::collections::BTreeMap;

use maud::{Markup, html};
use serde::Deserialize;

use super::ask::{Ask, Trouble, encoded};
use super::layout::Page;
use super::shown::Shown;
use super::words::words;

words! {
    /// What stands on the page that lists stock.
    Words {
        title: "Stock", "库存";
        find: "Barcode, number or name", "条码、货号或名称";
        search: "Search", "搜索";
        receive: "Receive goods", "收货";
        count: "Count", "盘点";
        transfers: "Transfers", "调拨";
        product: "Product", "商品";
        price: "Price", "价格";
        on_hand: "On hand", "账面";
        promised: "Kept", "已预留";
        available: "Free", "可售";
        recalled: "recalled", "召回";
        recount: "count again", "需重盘";
        aside: "aside", "待处理";
        nothing: "Nothing here is called that, and no barcode says it. Try fewer letters, or scan it.", "没有找到该商品，请减少字数或扫码。";
        more: "There are more: add a word.", "结果过多，请增加关键词。";
        next: "Next page", "下一页";
        expiring: "Expires soon", "即将过期";
        expires: "Best before", "保质期至";
        days_left: "days left", "剩余天数";
        expired: "expired", "已过期";
        none_expiring: "Nothing expires within a week.", "一周内没有商品过期。";
        to_count: "Somebody should count these", "建议盘点";
        why: "Why", "原因";
        own: "Book of this store, now.", "本店账面，实时。";
    }
}

#[derive(Deserialize)]
struct Found {
    items: Vec<FoundProduct>,
    more: bool,
}

#[derive(Deserialize)]
struct FoundProduct {
    sku: String,
    name: String,
    unit: String,
    price: Option<i64>,
    on_hand: Option<i64>,
    promised: u64,
    available: Option<i64>,
    recalled: bool,
}

#[derive(Deserialize)]
struct Listed {
    items: Vec<Item>,
    next: Option<String>,
}

#[derive(Deserialize)]
struct Item {
    sku: String,
    name: Option<String>,
    unit: String,
    on_hand: i64,
    promised: u64,
    quarantined: i64,
    recount: Option<String>,
}

#[derive(Deserialize)]
struct Expiring {
    items: Vec<Lot>,
}

#[derive(Deserialize)]
struct Lot {
    sku: String,
    name: Option<String>,
    unit: String,
    lot: String,
    expiry: Option<String>,
    quantity: i64,
    days_left: Option<i64>,
    expired: bool,
}

#[derive(Deserialize)]
struct Tasks {
    counts: Vec<CountTask>,
}

#[derive(Deserialize)]
struct CountTask {
    sku: String,
    reasons: Vec<String>,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

/// The page.
pub async fn page(ask: Ask) -> Result<Page, Trouble> {
    let (words, shown) = (Words::of(ask.language()), ask.shown());
    let list = match ask.param("q") {
        Some(text) => found(words, &shown, &ask.get(format!("/v1/search?q={}", encoded(text))).await?),
        None => {
            let after = ask.param("after").map_or(String::new(), |sku| format!("&after={}", encoded(sku)));
            listed(words, &shown, &ask.get(format!("/v1/stock?limit={PAGE_ROWS}{after}")).await?)
        }
    };
    let expiring: Expiring = ask.get("/v1/expiring?within_days=7").await?;
    let tasks: Tasks = ask.get("/v1/tasks").await?;
    let named = names(&ask, tasks.counts.iter().take(ROWS_ASIDE).map(|task| task.sku.as_str())).await;
    let body = html! {
        form.row method="get" action="/stock" role="search" {
            label { span { (words.find) } input name="q" value=[ask.param("q")] data-scan autocomplete="off" autofocus enterkeyhint="search"; }
            button.main { (words.search) }
        }
        p.acts {
            a.button href="/receiving" { (words.receive) }
            a.button href="/counts" { (words.count) }
            a.button href="/transfers" { (words.transfers) }
        }
        section #list data-live="stock rights catalog prices" { p.aged { (words.own) } (list) }
        div.columns {
            section #to-count data-live="stock rights" {
                h2 { (words.to_count) }
                @if tasks.counts.is_empty() { p.quiet { "–" } }
                ul.list {
                    @for task in tasks.counts.iter().take(ROWS_ASIDE) {
                        li { a href={ "/stock/" (encoded(&task.sku)) } { b { (named.get(&task.sku).unwrap_or(&task.sku)) } span.quiet { (shown.sentence(&task.reasons.join("; "))) } } }
                    }
                }
            }
            section #expiring data-live="stock" { h2 { (words.expiring) } (expiries(words, &shown, &expiring)) }
        }
    };
    Ok(Page::new("/stock", words.title, body))
}

/// What products are called, as far as they are on the list here; for lists of numbers alone.
pub async fn names<'a>(ask: &Ask, skus: impl Iterator<Item = &'a str>) -> BTreeMap<String, String> {
    let mut named = BTreeMap::new();
    for sku in skus {
        if let Ok(Some(product)) = ask.find::<Named>(format!("/v1/products/{}", encoded(sku))).await {
            named.insert(sku.to_owned(), product.name);
        }
    }
    named
}

fn found(words: &Words, shown: &Shown, found: &Found) -> Markup {
    html! {
        @if found.items.is_empty() { p.said.warn { (words.nothing) } }
        @else {
            div.scroll tabindex="0" role="region" aria-label=(words.title) {
                table.cards.tight {
                    thead { tr { th { (words.product) } th.number { (words.available) } th.number { (words.on_hand) } th.number { (words.promised) } th.number { (words.price) } } }
                    tbody {
                        @for item in &found.items {
                            tr {
                                th scope="row" {
                                    a href={ "/stock/" (encoded(&item.sku)) } { (item.name) }
                                    " " span.quiet { (item.sku) }
                                    @if item.recalled { " " span.tag.bad { (words.recalled) } }
                                }
                                td.number data-label=(words.available) { b { (item.available.map_or("–".into(), |n| shown.quantity(n, &item.unit))) } }
                                td.number data-label=(words.on_hand) { (item.on_hand.map_or("–".into(), |n| shown.quantity(n, &item.unit))) }
                                td.number data-label=(words.promised) { (shown.quantity(i64::try_from(item.promised).unwrap_or(i64::MAX), &item.unit)) }
                                td.number data-label=(words.price) { (item.price.map_or("–".into(), |minor| shown.money(minor))) }
                            }
                        }
                    }
                }
            }
            @if found.more { p.quiet { (words.more) } }
        }
    }
}

fn listed(words: &Words, shown: &Shown, list: &Listed) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label=(words.title) {
            table.cards.tight {
                thead { tr { th { (words.product) } th.number { (words.available) } th.number { (words.on_hand) } th.number { (words.promised) } } }
                tbody {
                    @for item in &list.items {
                        @let kept = i64::try_from(item.promised).unwrap_or(i64::MAX);
                        tr {
                            th scope="row" {
                                a href={ "/stock/" (encoded(&item.sku)) } { (item.name.as_deref().unwrap_or(&item.sku)) }
                                " " span.quiet { (item.sku) }
                                @if item.recount.is_some() { " " span.tag.warn { (words.recount) } }
                                @if item.quarantined > 0 { " " span.tag.warn { (shown.quantity(item.quarantined, &item.unit)) " " (words.aside) } }
                            }
                            td.number data-label=(words.available) { b { (shown.quantity((item.on_hand - kept).max(0), &item.unit)) } }
                            td.number data-label=(words.on_hand) { (shown.quantity(item.on_hand, &item.unit)) }
                            td.number data-label=(words.promised) { (shown.quantity(kept, &item.unit)) }
                        }
                    }
                }
            }
        }
        @if let Some(next) = &list.next { p.acts { a.button.quiet href={ "/stock?after=" (encoded(next)) } { (words.next) } } }
    }
}

fn expiries(words: &Words, shown: &Shown, list: &Expiring) -> Markup {
    html! {
        @if list.items.is_empty() { p.quiet { (words.none_expiring) } }
        ul.list {
            @for lot in list.items.iter().take(ROWS_ASIDE) {
                li { a href={ "/stock/" (encoded(&lot.sku)) } {
                    span { b { (lot.name.as_deref().unwrap_or(&lot.sku)) } " " (shown.quantity(lot.quantity, &lot.unit)) " " span.quiet { (lot.lot) } }
                    @if lot.expired { span.tag.bad { (words.expired) " " (lot.expiry.as_deref().unwrap_or_default()) } }
                    @else { span.tag.warn { (words.expires) " " (lot.expiry.as_deref().unwrap_or_default()) @if let Some(days) = lot.days_left { ", " (words.days_left) ": " (days) } } }
                } }
            }
        }
    }
}

/// Rows of one page of the list.
const PAGE_ROWS: usize = 50;

/// Rows of a list beside the main one.
const ROWS_ASIDE: usize = 8;
