//! Price books, promotions and campaigns: how far the newest came, what holds, and setting it.

use maud::{Markup, html};
use serde::Deserialize;
use serde_json::Value;

use super::{Common, Products, amount, campaigns, for_office, of_chain, until};
use crate::api::pages::ask::{Ask, Trouble, encoded};
use crate::api::pages::layout::Page;
use crate::api::pages::shown::{Shown, ms_of};
use crate::api::pages::words::words;
use crate::api::values::now_ms;

words! {
    /// What stands on this page.
    Words {
        title: "Prices and campaigns", "价格与活动";
        book: "Price book", "价目表";
        stores: "stores", "家门店";
        rollout: "Who has the newest", "下发进度";
        prices_at: "have the newest prices and promotions", "已有最新价格与促销";
        catalogue_at: "have the newest catalogue and campaigns", "已有最新商品与活动";
        late: "Late", "未到达";
        late_none: "Every store of this book has the newest.", "全部门店均已更新。";
        late_prices: "Prices", "价格";
        late_catalogue: "Catalogue", "目录";
        behind: "steps behind", "条落后";
        has_all: "newest", "最新";
        never: "not known", "未知";
        contact: "Last contact", "最近联系";
        more: "more", "家";
        prices: "Prices", "价格";
        find: "Name, number or barcode of a product", "商品名称、编号或条码";
        product: "Product", "商品";
        now: "Now", "现价";
        from: "From", "生效";
        comes: "comes", "待生效";
        ended: "no price", "无价格";
        set: "Set a price", "设置价格";
        sku: "Number of the product", "商品编号";
        price: "Price", "价格";
        from_when: "From (empty for now)", "生效时间（空为立即）";
        set_done: "Written. Stores have it when they appear above.", "已保存，门店到达情况见上。";
        promotions: "Promotions", "促销";
        promotions_none: "No promotion is set.", "暂无促销。";
        name: "What the receipt calls it", "小票名称";
        id: "Short name", "短名";
        gives: "What it gives", "优惠方式";
        percent: "percent off", "折扣百分比";
        off: "off each", "每件减";
        fixed: "fixed price", "特价";
        value: "How much (percent, or an amount)", "数值（百分比或金额）";
        skus: "For these products (numbers, empty for all)", "适用商品（编号，空为全部）";
        departments: "And these departments", "适用部门";
        until: "Until", "截止";
        members: "only for members", "仅限会员";
        end: "End it", "结束";
        end_sure: "End this promotion for all stores of the book?", "确定结束该促销？";
        put: "Set the promotion", "保存促销";
        for_ever: "without end", "长期";
        for_all: "everything", "全部商品";
    }
}

#[derive(Deserialize)]
struct Rollout {
    books: Vec<Book>,
    book: String,
    stores: usize,
    prices_newest: usize,
    catalogue_newest: usize,
    late: Vec<Late>,
    omitted: usize,
}

#[derive(Deserialize)]
struct Book {
    book: String,
    stores: usize,
    currency: String,
}

#[derive(Deserialize)]
struct Late {
    store: u32,
    name: String,
    known_until: Option<String>,
    prices_behind: Option<u64>,
    catalogue_behind: Option<u64>,
}

#[derive(Deserialize)]
struct Prices {
    items: Vec<Priced>,
}

#[derive(Deserialize)]
struct Priced {
    price: Option<i64>,
    currency: Option<String>,
    #[serde(default)]
    schedule: Vec<Start>,
}

#[derive(Deserialize)]
struct Start {
    price: Option<i64>,
    currency: String,
    from: Option<String>,
}

#[derive(Deserialize)]
struct Promotions {
    items: Vec<Value>,
}

/// The page.
pub async fn page(ask: Ask) -> Result<Page, Trouble> {
    for_office(&ask)?;
    let (words, common, shown) = (Words::of(ask.language()), Common::of(ask.language()), of_chain(&ask));
    let book = ask.param("book").map_or(String::new(), |book| format!("&book={}", encoded(book)));
    let rollout: Rollout = ask.get(format!("/v1/rollout?limit={LATE}{book}")).await?;
    let book = rollout.book.clone();
    let currency = rollout.books.iter().find(|held| held.book == book).map_or("EUR", |held| held.currency.as_str());
    let promotions: Promotions = ask.get(format!("/v1/till-rules/promotions?book={}", encoded(&book))).await?;
    let body = html! {
        (books(&rollout, words))
        section #rollout data-live="link prices catalog" aria-labelledby="rollout-title" {
            h2 #rollout-title { (words.rollout) }
            (how_far(&rollout, (words, common), &shown))
        }
        (price_list(&ask, &book, words, &shown).await?)
        (set_price(&book, currency, words))
        (promotion_list(&book, currency, &promotions, words, &shown))
        (campaigns::part(&ask, currency, &shown).await?)
    };
    Ok(Page::new("/chain/prices", words.title, body))
}

fn books(rollout: &Rollout, words: &Words) -> Markup {
    html! {
        @if rollout.books.len() > 1 {
            p.acts { @for held in &rollout.books {
                a.button href=(format!("/chain/prices?book={}", encoded(&held.book))) aria-current=[(held.book == rollout.book).then_some("true")] { (words.book) " " (held.book) " · " (held.stores) }
            } }
        } @else { p { (words.book) " " b { (rollout.book) } " · " (rollout.stores) " " (words.stores) } }
    }
}

fn how_far(rollout: &Rollout, (words, common): (&Words, &Common), shown: &Shown) -> Markup {
    let tile = |newest: usize, word: &str| {
        let class = if newest == rollout.stores { "tile good" } else { "tile warn" };
        html! { li class=(class) { b { (newest) " / " (rollout.stores) } (word) } }
    };
    let steps = |behind: Option<u64>| match behind {
        Some(0) => html! { span.tag.good { (words.has_all) } },
        Some(steps) => html! { span.tag.warn { (steps) " " (words.behind) } },
        None => html! { span.tag { (words.never) } },
    };
    html! {
        ul.tiles { (tile(rollout.prices_newest, words.prices_at)) (tile(rollout.catalogue_newest, words.catalogue_at)) }
        @if rollout.late.is_empty() { p { (words.late_none) } } @else {
            div.scroll tabindex="0" role="region" aria-label=(words.late) { table {
                thead { tr { th { (words.late) } th { (words.late_prices) } th { (words.late_catalogue) } th { (words.contact) } } }
                tbody { @for late in &rollout.late { tr {
                    th scope="row" { a href=(format!("/fleet/{}", late.store)) { (late.store) " " (late.name) } }
                    td { (steps(late.prices_behind)) } td { (steps(late.catalogue_behind)) } td { (until(shown, common, late.known_until.as_deref())) }
                } } }
            } }
            @if rollout.omitted > 0 { p.quiet { "+ " (rollout.omitted) " " (words.more) } }
        }
    }
}

async fn price_list(ask: &Ask, book: &str, words: &Words, shown: &Shown) -> Result<Markup, Trouble> {
    let text = ask.param("find").unwrap_or_default();
    let mut rows = Vec::new();
    if !text.is_empty() {
        let found: Products = ask.get(format!("/v1/search?q={}&limit={FOUND}", encoded(text))).await?;
        for product in found.items {
            let path = format!("/v1/prices?book={}&sku={}", encoded(book), encoded(&product.sku));
            let prices: Prices = ask.get(path).await?;
            rows.extend(prices.items.into_iter().next().map(|priced| (product, priced)));
        }
    }
    let money = |price: Option<i64>, currency: &str| match price {
        Some(price) => amount(shown, price, currency),
        None => words.ended.to_owned(),
    };
    Ok(html! {
        section aria-labelledby="prices" {
            h2 #prices { (words.prices) }
            form.row data-go="/chain/prices" role="search" {
                input type="hidden" name="book" value=(book);
                label { span { (words.find) } input type="search" name="find" value=(text) maxlength="100" data-scan autocomplete="off"; }
                button { (Common::of(ask.language()).show) }
            }
            @if !rows.is_empty() {
                div.scroll tabindex="0" role="region" aria-labelledby="prices" { table {
                    thead { tr { th { (words.product) } th.number { (words.now) } th { (words.comes) } } }
                    tbody { @for (product, priced) in &rows { tr {
                        th scope="row" { (product.name) " " span.quiet { (product.sku) } }
                        td.number { (money(priced.price, priced.currency.as_deref().unwrap_or_default())) }
                        td { @for start in priced.schedule.iter().filter(|start| start.from.as_deref().and_then(ms_of).is_some_and(|at| at > now_ms())) {
                            span.tag { (money(start.price, &start.currency)) " " (words.from) " " @if let Some(from) = &start.from { (shown.moment_of(from)) } } " "
                        } }
                    } } }
                } }
            }
        }
    })
}

fn set_price(book: &str, currency: &str, words: &Words) -> Markup {
    html! {
        section aria-labelledby="set-price" {
            h2 #set-price { (words.set) }
            form.row data-post="/v1/prices" data-done=(words.set_done) {
                input type="hidden" name="prices[0].book" value=(book);
                input type="hidden" name="prices[0].currency" value=(currency);
                label { span { (words.sku) } input name="prices[0].sku" required maxlength="32" autocomplete="off"; }
                label.small { span { (words.price) " (" (currency) ")" } input name="prices[0].price" required inputmode="decimal" data-type="money"; }
                label { span { (words.from_when) } input name="prices[0].from" type="datetime-local" data-type="moment"; }
                button.main { (words.set) }
            }
        }
    }
}

fn promotion_list(book: &str, currency: &str, promotions: &Promotions, words: &Words, shown: &Shown) -> Markup {
    let text = |of: &Value, name: &str| of[name].as_str().unwrap_or_default().to_owned();
    html! {
        section aria-labelledby="promotions" {
            h2 #promotions { (words.promotions) " " span.quiet { (promotions.items.len()) } }
            @if promotions.items.is_empty() { p { (words.promotions_none) } }
            ul.list { @for promotion in promotions.items.iter().take(LATE) { li {
                p {
                    b { (text(promotion, "name")) } " " span.quiet { (text(promotion, "id")) } " · " (gives(&promotion["gives"], currency, words, shown))
                    " · " (scope(promotion, words))
                    " · " @if let Some(until) = promotion["until"].as_str() { (words.until) " " (shown.moment_of(until)) } @else { (words.for_ever) }
                }
                form.acts data-post="/v1/till-rules/promotions" data-method="PUT" data-then="reload" data-confirm=(words.end_sure) {
                    @for name in ["book", "id", "name", "from", "until"] { @if let Some(kept) = promotion[name].as_str() { input type="hidden" name=(name) value=(kept); } }
                    input type="hidden" name="gives" value=(promotion["gives"].to_string()) data-type="json";
                    input type="hidden" name="ended" value="true" data-type="bool";
                    button.quiet aria-label=(format!("{}: {}", words.end, text(promotion, "name"))) { (words.end) }
                }
            } } }
            (set_promotion(book, words))
        }
    }
}

fn set_promotion(book: &str, words: &Words) -> Markup {
    let kinds = [("percent", words.percent), ("off", words.off), ("price", words.fixed)];
    html! {
        @for (kind, word) in kinds {
            details id=(format!("promotion-{kind}")) {
                summary { (words.put) ": " (word) }
                form.row data-post="/v1/till-rules/promotions" data-method="PUT" data-done=(words.set_done) data-then="reload" {
                    input type="hidden" name="book" value=(book);
                    label { span { (words.id) } input name="id" required maxlength="32" autocomplete="off"; }
                    label { span { (words.name) } input name="name" required maxlength="64" autocomplete="off"; }
                    @if kind == "percent" { label.small { span { (word) } input name="gives.percent" required inputmode="decimal" data-type="money"; } }
                    @else { label.small { span { (word) } input name=(format!("gives.{kind}")) required inputmode="decimal" data-type="money"; } }
                    label { span { (words.skus) } input name="skus" data-type="list" autocomplete="off"; }
                    label { span { (words.departments) } input name="departments" data-type="list" autocomplete="off"; }
                    label { span { (words.from_when) } input name="from" type="datetime-local" data-type="moment"; }
                    label { span { (words.until) } input name="until" type="datetime-local" data-type="moment"; }
                    label.check { input type="checkbox" name="members_only" data-type="bool"; span { (words.members) } }
                    button.main { (words.put) }
                }
            }
        }
    }
}

/// What a promotion or a coupon gives, in words.
pub fn gives(gives: &Value, currency: &str, words: &Words, shown: &Shown) -> String {
    let number = |value: &Value| value.as_i64().unwrap_or(0);
    match gives.as_object().and_then(|object| object.iter().next()) {
        // Percents are kept in hundredths.
        Some((kind, value)) if kind == "percent" => format!("{}% ({})", number(value) as f64 / 100.0, words.percent),
        Some((kind, value)) if kind == "off" => format!("{} {}", amount(shown, number(value), currency), words.off),
        Some((kind, value)) if kind == "price" => format!("{} {}", words.fixed, amount(shown, number(value), currency)),
        Some((kind, value)) if kind == "basket" => {
            format!(
                "\u{2212}{} ({} {})",
                amount(shown, number(&value["off"]), currency),
                words.from,
                amount(shown, number(&value["from"]), currency)
            )
        }
        Some((kind, value)) if kind == "bundle" => {
            format!("{} × = {}", number(&value["units"]), amount(shown, number(&value["price"]), currency))
        }
        Some((kind, value)) if kind == "buy-get" => {
            format!(
                "{} + {} (\u{2212}{}%)",
                number(&value["buy"]),
                number(&value["get"]),
                number(&value["off_bp"]) as f64 / 100.0
            )
        }
        _ => String::new(),
    }
}

fn scope(promotion: &Value, words: &Words) -> String {
    let of = |name: &str| promotion[name].as_array().into_iter().flatten().filter_map(Value::as_str);
    let mut all: Vec<_> = of("departments").chain(of("skus")).take(6).collect();
    if all.is_empty() {
        all.push(words.for_all);
    }
    all.join(", ")
}

/// Rows that are shown of each list.
const LATE: usize = 50;

/// Products whose prices are shown.
const FOUND: usize = 20;
