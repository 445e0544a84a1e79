//! A product in all stores: how many, how many are promised, and how old each figure is.

use maud::{Markup, html};
use serde::Deserialize;

use super::{Common, Products, for_office, of_chain};
use crate::api::pages::ask::{Ask, Trouble, encoded};
use crate::api::pages::layout::Page;
use crate::api::pages::shown::{Shown, span_words};
use crate::api::pages::words::words;
use crate::api::values::now_ms;

words! {
    /// What stands on this page.
    Words {
        title: "Stock everywhere", "各店库存";
        search: "Name, number or barcode of a product", "商品名称、编号或条码";
        go: "Look", "查询";
        found: "Which of these?", "请选择商品";
        none: "No product has that in its name, number or barcode.", "没有匹配的商品。";
        on_hand: "On hand", "账面";
        promised: "Promised", "已承诺";
        free: "To be promised", "可承诺";
        total: "In all stores", "各店合计";
        oldest: "the oldest figure is", "最早数据：";
        old: "old", "前";
        rights: "Who may promise it", "配额";
        why: "Why?", "为什么？";
        each_age: "Every figure of another store is as old as it says.", "每个数字的截至时间如右所示。";
        confidence: "Sure", "可信度";
        seconds: "moments ago", "刚刚";
    }
}

#[derive(Deserialize)]
struct Availability {
    sku: String,
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
    confidence_word: String,
}

/// The page.
pub async fn page(ask: Ask) -> Result<Page, Trouble> {
    for_office(&ask)?;
    let (words, common, shown) = (Words::of(ask.language()), Common::of(ask.language()), of_chain(&ask));
    let what: Option<Availability> = match ask.param("sku") {
        Some(sku) => ask.find(format!("/v1/availability?sku={}", encoded(sku))).await?,
        None => None,
    };
    let only = ask.param("store").and_then(|store| store.parse::<u32>().ok());
    let body = html! {
        (choose(&ask, "/chain/stock").await?)
        @if let Some(what) = &what { (everywhere(what, only, (words, common), &shown)) }
    };
    Ok(Page::new("/chain/stock", words.title, body))
}

fn everywhere(what: &Availability, only: Option<u32>, (words, common): (&Words, &Common), shown: &Shown) -> Markup {
    let items: Vec<_> = what.items.iter().filter(|at| only.is_none_or(|store| at.store == store)).collect();
    let sum = |of: fn(&At) -> i64| items.iter().map(|at| of(at)).fold(0, i64::saturating_add);
    let oldest = items.iter().filter_map(|at| at.age_s).max();
    html! {
        div #stock data-live="stock rights" {
            h2 { (what.name) " " span.quiet { (what.sku) } " " a.button.quiet href=(format!("/chain/rights?sku={}", encoded(&what.sku))) { (words.rights) } }
            ul.tiles {
                li.tile { b { (shown.quantity(sum(|at| at.on_hand), &what.unit)) } (words.total) @if let Some(age) = oldest { br; span.aged { (words.oldest) " " (span_words(shown.language(), age)) " " (words.old) } } }
                li.tile { b { (shown.quantity(sum(|at| at.promised + at.promised_soft), &what.unit)) } (words.promised) }
                li.tile { b { (shown.quantity(sum(|at| at.available_here + at.elsewhere), &what.unit)) } (words.free) }
            }
            section aria-labelledby="each" {
                h2.hidden #each { (words.title) }
                p.quiet { (words.each_age) }
                div.scroll tabindex="0" role="region" aria-labelledby="each" { table.cards {
                    thead { tr { th { (common.store) } th.number { (words.on_hand) } th.number { (words.promised) } th.number { (words.free) } th { (common.age) } th { (words.confidence) } th { span.hidden { (words.why) } } } }
                    tbody { @for at in items { tr {
                        th scope="row" { a href=(format!("/fleet/{}", at.store)) { (at.store) " " (at.name) } }
                        td.number data-label=(words.on_hand) { b { (shown.quantity(at.on_hand, &what.unit)) } }
                        td.number data-label=(words.promised) { (shown.quantity(at.promised + at.promised_soft, &what.unit)) }
                        td.number data-label=(words.free) { (shown.quantity(at.available_here + at.elsewhere, &what.unit)) }
                        td data-label=(common.age) { (age(at.age_s, common, shown)) }
                        td data-label=(words.confidence) { (at.confidence_word) }
                        td { a href=(format!("/chain/rights?sku={}&store={}", encoded(&what.sku), at.store)) aria-label=(format!("{} {}", words.why, at.name)) { (words.why) } }
                    } } }
                } }
            }
        }
    }
}

/// How old a figure is that the API gave in seconds.
pub fn age(age_s: Option<u64>, common: &Common, shown: &Shown) -> Markup {
    match age_s {
        Some(age_s) => html! { span.aged { (shown.age(now_ms().saturating_sub(age_s.saturating_mul(1_000)))) } },
        None => html! { span.aged.never { (common.never_known) } },
    }
}

/// A field for a product, and those that were found. They lead back to `path` with the product's number.
pub async fn choose(ask: &Ask, path: &str) -> Result<Markup, Trouble> {
    let words = Words::of(ask.language());
    let text = ask.param("find").unwrap_or_default();
    let found: Option<Products> = match text {
        "" => None,
        text => Some(ask.get(format!("/v1/search?q={}&limit={FOUND}", encoded(text))).await?),
    };
    Ok(html! {
        form.row.asked data-go=(path) role="search" {
            label { span { (words.search) } input type="search" name="find" value=(text) required maxlength="100" autocomplete="off" data-scan; }
            @if let Some(store) = ask.param("store") { input type="hidden" name="store" value=(store); }
            button.main { (words.go) }
        }
        @if let Some(found) = &found {
            section aria-labelledby="found" {
                h2 #found { (words.found) }
                @if found.items.is_empty() { p { (words.none) } }
                ul.list { @for product in &found.items {
                    li { a href=(to(path, &product.sku, ask.param("store"))) { b { (product.name) } span.quiet { (product.sku) } } }
                } }
            }
        }
    })
}

fn to(path: &str, sku: &str, store: Option<&str>) -> String {
    let store = store.map_or(String::new(), |store| format!("&store={}", encoded(store)));
    format!("{path}?sku={}{store}", encoded(sku))
}

/// Products that are offered.
const FOUND: usize = 30;
