//! One product of this store: what is there, what is kept, why the figure is what it is, its lots, where else it is, and how to correct it.

use maud::{Markup, html};
use serde::Deserialize;

use crate::api::pages::ask::{Ask, Trouble, encoded};
use crate::api::pages::layout::{Page, aged};
use crate::api::pages::shown::Shown;
use crate::api::pages::words::words;
use crate::api::values::now_ms;

words! {
    /// What stands on this page.
    Words {
        back: "All stock", "全部库存";
        on_hand: "On hand", "账面";
        promised: "Kept for customers", "已为顾客预留";
        available: "Free to sell", "可售";
        price: "Price", "价格";
        aside: "Aside, to be decided", "待处理退货";
        scrapped: "Thrown away", "已报废";
        unpriced: "no price", "未定价";
        age: "Buyers must be", "购买者须年满";
        recalled: "Recalled: it is not sold. Reason:", "召回中，停止销售。原因：";
        recount: "Somebody should count this again:", "建议重新盘点：";
        why: "Why is this", "数字来源：";
        when: "When", "时间";
        what: "What happened", "发生了什么";
        change: "Change", "变动";
        after: "After it", "结余";
        covered: "covered by a count", "已含于盘点";
        repeated: "the same sale came twice and counts once", "同一销售重复到达，只计一次";
        counted: "counted", "盘点";
        omitted: "older entries are not shown:", "更早的记录未显示：";
        rights: "Who may promise these goods, and what was promised", "谁可承诺该商品及承诺记录";
        lots: "Lots", "批次";
        lot: "Lot", "批号";
        expiry: "Best before", "保质期至";
        unassigned: "without a lot", "无批次";
        elsewhere: "Here and at other stores", "各店库存";
        store: "Store", "门店";
        known: "How old the figure is", "数据时效";
        promise: "Can it be promised?", "能否承诺？";
        correct: "Correct the book", "更正账面";
        correct_about: "For what was broken, found, used up or stolen. To say how many there are, count instead.", "用于破损、寻获、自用或被盗。若要修正实际数量，请使用盘点。";
        delta: "How many more or fewer (−1, 2)", "增减数量（如 −1、2）";
        grams: "kg more or fewer (−0.25)", "增减重量（千克，如 −0.25）";
        reason: "Reason", "原因";
        damage: "damaged", "破损";
        expired: "past its date", "过期";
        theft: "stolen", "被盗";
        found: "found", "寻获";
        internal: "used here", "自用";
        do_it: "Correct it", "更正";
        done: "The book was corrected.", "账面已更正。";
        hard: "yes, from goods held here", "可以";
        soft: "perhaps: it is confirmed later", "也许，稍后确认";
        asked: "others hold the right: ask", "配额在别处，需申请";
        no: "no", "不可以";
    }
}

#[derive(Deserialize)]
struct Product {
    name: String,
    #[serde(default)]
    barcodes: Vec<Barcode>,
    #[serde(default)]
    department: String,
    #[serde(default)]
    age_min: u8,
    #[serde(default)]
    recalls: Vec<Recall>,
}

#[derive(Deserialize)]
struct Barcode {
    gtin: String,
}

#[derive(Deserialize)]
struct Recall {
    active: bool,
    #[serde(default)]
    lot: String,
    #[serde(default)]
    reason: String,
}

#[derive(Deserialize)]
struct History {
    unit: String,
    on_hand: i64,
    promised: u64,
    quarantined: i64,
    scrapped: i64,
    recount: Option<String>,
    omitted: usize,
    entries: Vec<Entry>,
    rights: Trail,
}

#[derive(Deserialize)]
struct Entry {
    what: String,
    at: String,
    change: Option<i64>,
    counted: Option<i64>,
    covered: bool,
    repeated: bool,
    running: Option<i64>,
    writer: String,
    seq: u64,
}

#[derive(Deserialize)]
struct Trail {
    entries: Vec<TrailEntry>,
}

#[derive(Deserialize)]
struct TrailEntry {
    at: String,
    what: String,
}

#[derive(Deserialize)]
struct Lots {
    lots: Vec<Lot>,
    unassigned: i64,
}

#[derive(Deserialize)]
struct Lot {
    lot: String,
    quantity: i64,
    expiry: Option<String>,
    expired: bool,
}

#[derive(Deserialize)]
struct Availability {
    items: Vec<At>,
}

#[derive(Deserialize)]
struct At {
    store: u32,
    name: String,
    on_hand: i64,
    promised: u64,
    age_s: Option<u64>,
    can_promise: String,
    why: String,
}

#[derive(Deserialize)]
struct Found {
    items: Vec<Priced>,
}

#[derive(Deserialize)]
struct Priced {
    price: Option<i64>,
}

/// The page.
pub async fn page(ask: Ask) -> Result<Page, Trouble> {
    let (words, shown, sku) = (Words::of(ask.language()), ask.shown(), encoded(ask.segment("sku")));
    let product: Option<Product> = ask.find(format!("/v1/products/{sku}")).await?;
    let history: History = ask.get(format!("/v1/stock/{sku}/history")).await?;
    let lots: Option<Lots> = ask.find(format!("/v1/stock/{sku}/lots")).await?;
    let availability: Option<Availability> = match &product {
        Some(_) => ask.find(format!("/v1/availability?sku={sku}")).await?,
        None => None,
    };
    let price: Found = ask.get(format!("/v1/search?q={sku}&limit=1")).await?;
    let price = price.items.first().and_then(|found| found.price);
    let title = product.as_ref().map_or_else(|| ask.segment("sku").to_owned(), |product| product.name.clone());
    let kept = i64::try_from(history.promised).unwrap_or(i64::MAX);
    let quantity = |n: i64| shown.quantity(n, &history.unit);
    let body = html! {
        p { a href="/stock" { "← " (words.back) } " · " span.quiet {
            (ask.segment("sku"))
            @if let Some(product) = &product {
                @for barcode in &product.barcodes { " · " (barcode.gtin) }
                @if !product.department.is_empty() { " · " (product.department) }
            }
        } }
        div #figures data-live="stock rights prices catalog" {
            @if let Some(product) = &product {
                @for recall in product.recalls.iter().filter(|recall| recall.active) {
                    p.said.bad { (words.recalled) " " (shown.sentence(&recall.reason)) " " (recall.lot) }
                }
                @if product.age_min > 0 { p { span.tag.warn { (words.age) " " (product.age_min) } } }
            }
            @if let Some(recount) = &history.recount { p.said.warn { (words.recount) " " (recount) } }
            ul.tiles {
                li.tile { (words.available) b { (quantity((history.on_hand - kept).max(0))) } }
                li.tile { (words.on_hand) b { (quantity(history.on_hand)) } }
                li.tile { (words.promised) b { (quantity(kept)) } }
                li.tile { (words.price) b { (price.map_or(words.unpriced.into(), |minor| shown.money(minor))) } }
                @if history.quarantined != 0 { li.tile { (words.aside) b { (quantity(history.quarantined)) } } }
                @if history.scrapped != 0 { li.tile { (words.scrapped) b { (quantity(history.scrapped)) } } }
            }
        }
        section #why data-live="stock rights" aria-labelledby="why-title" {
            h2 #why-title { (words.why) " " (quantity(history.on_hand)) "?" }
            (entries(words, &shown, &history))
            @if !history.rights.entries.is_empty() {
                details #rights {
                    summary { (words.rights) }
                    ul.list { @for entry in &history.rights.entries { li { (shown.moment_of(&entry.at)) " " (shown.sentence(&entry.what)) } } }
                }
            }
        }
        div.columns {
            @if let Some(lots) = lots.filter(|lots| !lots.lots.is_empty()) { (of_lots(words, &shown, &lots, &history.unit)) }
            @if let Some(availability) = &availability { (stores(&ask, words, &shown, availability, &history.unit)) }
            (correction(words, ask.segment("sku"), &history.unit))
        }
    };
    Ok(Page::new("/stock", title, body))
}

fn entries(words: &Words, shown: &Shown, history: &History) -> Markup {
    let signed = |n: i64| {
        if n > 0 { format!("+{}", shown.quantity(n, &history.unit)) } else { shown.quantity(n, &history.unit) }
    };
    html! {
        @if history.omitted > 0 { p.quiet { (words.omitted) " " (history.omitted) } }
        div.scroll tabindex="0" role="region" aria-labelledby="why-title" {
            table {
                thead { tr { th { (words.when) } th { (words.what) } th.number { (words.change) } th.number { (words.after) } } }
                tbody {
                    @for entry in history.entries.iter().rev().take(ENTRIES_SHOWN) {
                        tr {
                            td title={ (entry.writer) ":" (entry.seq) } { (shown.moment_of(&entry.at)) }
                            td {
                                (shown.sentence(&entry.what))
                                @if entry.covered { " " span.tag { (words.covered) } }
                                @if entry.repeated { " " span.tag { (words.repeated) } }
                            }
                            td.number {
                                @match (entry.change, entry.counted) {
                                    (Some(change), _) => (signed(change)),
                                    (None, Some(counted)) => { "= " (shown.quantity(counted, &history.unit)) },
                                    (None, None) => "–",
                                }
                            }
                            td.number { (entry.running.map_or("–".into(), |n| shown.quantity(n, &history.unit))) }
                        }
                    }
                }
            }
        }
    }
}

fn of_lots(words: &Words, shown: &Shown, lots: &Lots, unit: &str) -> Markup {
    html! {
        section {
            h2 { (words.lots) }
            table {
                thead { tr { th { (words.lot) } th { (words.expiry) } th.number { (words.on_hand) } } }
                tbody {
                    @for lot in &lots.lots {
                        tr {
                            th scope="row" { (lot.lot) }
                            td { (lot.expiry.as_deref().unwrap_or("–")) @if lot.expired { " " span.tag.bad { (words.expired) } } }
                            td.number { (shown.quantity(lot.quantity, unit)) }
                        }
                    }
                    @if lots.unassigned != 0 { tr { th scope="row" { (words.unassigned) } td { "–" } td.number { (shown.quantity(lots.unassigned, unit)) } } }
                }
            }
        }
    }
}

fn stores(ask: &Ask, words: &Words, shown: &Shown, availability: &Availability, unit: &str) -> Markup {
    let own = ask.store().map_or(0, |store| store.store.0);
    html! {
        section #elsewhere data-live="stock rights" {
            h2 { (words.elsewhere) }
            ul.list {
                @for at in &availability.items {
                    li {
                        b { (at.name) } " " (shown.quantity(at.on_hand, unit)) " "
                        span.quiet { "(" (words.promised) ": " (at.promised) ")" } " "
                        @if at.store != own { (aged(shown, ask.language(), at.age_s.map(|age| now_ms().saturating_sub(age * 1000)))) }
                        p.quiet { (words.promise) " " (said(words, &at.can_promise)) " · " (shown.sentence(&at.why)) }
                    }
                }
            }
        }
    }
}

fn said(words: &Words, can: &str) -> &'static str {
    match can {
        "hard" => words.hard,
        "soft" => words.soft,
        "ask" => words.asked,
        _ => words.no,
    }
}

fn correction(words: &Words, sku: &str, unit: &str) -> Markup {
    let reasons = [
        ("damage", words.damage),
        ("expired", words.expired),
        ("theft", words.theft),
        ("found", words.found),
        ("internal-use", words.internal),
    ];
    html! {
        section {
            h2 { (words.correct) }
            p.quiet { (words.correct_about) }
            form data-post="/v1/adjustments" data-done=(words.done) {
                input type="hidden" name="sku" value=(sku);
                @if unit == "gram" { label { span { (words.grams) } input name="delta" data-type="grams" required autocomplete="off"; } }
                @else { label { span { (words.delta) } input name="delta" data-type="int" required autocomplete="off"; } }
                label { span { (words.reason) } select name="reason" { @for (value, word) in reasons { option value=(value) { (word) } } } }
                p.acts { button.main { (words.do_it) } }
            }
        }
    }
}

/// Entries that one page shows, the newest; the API has all of them.
const ENTRIES_SHOWN: usize = 200;
