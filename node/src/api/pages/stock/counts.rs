//! Counting: opening a sheet, scanning what is there, and closing it so that the books follow. Several people may count one session at once.

use maud::{Markup, html};
use serde::Deserialize;

use crate::api::pages::ask::{Ask, Trouble, encoded};
use crate::api::pages::layout::Page;
use crate::api::pages::shown::Shown;
use crate::api::pages::words::words;
use crate::api::values::now_ms;

words! {
    /// What stands on these pages.
    Words {
        title: "Count", "盘点";
        about: "The store goes on selling meanwhile: what is sold after you scanned a product is reckoned in, and where it is not clear the page asks you to count again.", "盘点期间可继续销售：扫描后售出的数量会自动计算，无法确定时会提示重盘。";
        open: "Open counts", "进行中的盘点";
        none_open: "Nobody is counting.", "没有进行中的盘点。";
        products: "products", "种商品";
        by: "by", "由";
        start: "Start a count", "开始盘点";
        department: "A department", "部门";
        skus: "Product numbers, apart by spaces", "货号，以空格分隔";
        blind: "Blind: counters do not see what the book says", "盲盘：不显示账面数";
        of_department: "Count a department", "按部门盘点";
        all: "Everything that the book has", "账面全部商品";
        go: "Start", "开始";
        scan: "Scan, or type a number", "扫码或输入货号";
        zone: "Where (shelf, back room)", "区域（货架、后仓）";
        how_many: "How many are there", "实际数量";
        counted: "Counted", "已盘";
        record: "Record", "记录";
        again: "Count again", "需重盘";
        uncounted: "not counted", "未盘";
        book: "Book", "账面";
        product: "Product", "商品";
        progress: "counted of", "已盘 / 共";
        settles: "This settles it: earlier scans of this product do not count", "以此为准，先前扫描作废";
        close: "Close the count", "完成盘点";
        close_about: "The books then say what was counted.", "完成后账面以盘点为准。";
        leave: "Products nobody counted stay as they are", "未盘商品保持不变";
        zero: "Products nobody counted are not there", "未盘商品视为零";
        doubtful_wait: "Doubtful ones must be counted again first", "有疑问的须先重盘";
        doubtful_leave: "Leave doubtful ones as the book has them", "有疑问的保持账面不变";
        doubtful_book: "Book doubtful ones as they were counted", "有疑问的按盘点数入账";
        done: "The books follow the count.", "账面已按盘点更新。";
        recorded: "Recorded: {quantity}", "已记录：{quantity}";
        closed: "This count is closed.", "该盘点已完成。";
        back: "All counts", "全部盘点";
    }
}

#[derive(Deserialize)]
struct Open {
    items: Vec<Session>,
}

#[derive(Deserialize)]
struct Session {
    session: u64,
    staff: String,
    sheet: usize,
    department: Option<String>,
}

#[derive(Deserialize)]
struct Count {
    status: String,
    department: Option<String>,
    progress: Progress,
    lines: Vec<Line>,
}

#[derive(Deserialize)]
struct Progress {
    sheet: usize,
    counted: usize,
}

#[derive(Deserialize)]
struct Line {
    sku: String,
    name: Option<String>,
    unit: String,
    status: String,
    quantity: Option<i64>,
    book: Option<i64>,
    recount: Option<String>,
}

/// Which counts are open, and a form to start one.
pub async fn page(ask: Ask) -> Result<Page, Trouble> {
    let words = Words::of(ask.language());
    let open: Open = ask.get("/v1/counts").await?;
    let body = html! {
        p.lead { (words.about) }
        section #open data-live="stock" {
            h2 { (words.open) }
            @if open.items.is_empty() { p.quiet { (words.none_open) } }
            ul.list {
                @for one in &open.items {
                    li { a href={ "/counts/" (one.session) } {
                        b { (one.department.as_deref().unwrap_or(words.title)) " " (one.session) }
                        span.quiet { (one.sheet) " " (words.products) @if !one.staff.is_empty() { ", " (words.by) " " (one.staff) } }
                    } }
                }
            }
        }
        div.columns {
            section {
                h2 { (words.start) }
                (start(0, words, &html! { label { span { (words.skus) } input name="skus" data-type="list" required autocomplete="off"; } }))
            }
            section {
                h2 { (words.of_department) }
                (start(1, words, &html! { label { span { (words.department) } input name="department" required autocomplete="off"; } }))
            }
            section {
                h2 { (words.all) }
                (start(2, words, &html! { input type="hidden" name="in_book" data-type="bool" value="true"; }))
            }
        }
    };
    Ok(Page::new("/stock", words.title, body))
}

/// A form that opens a count of some sort. Forms of one page have numbers of their own.
fn start(at: u64, words: &Words, of: &Markup) -> Markup {
    html! {
        form data-post="/v1/counts" data-then="/counts/{session}" {
            input type="hidden" name="session" data-type="int" value=(now_ms() + at);
            (of)
            label.check { input type="checkbox" name="blind" data-type="bool"; span { (words.blind) } }
            p.acts { button.main[at == 0] { (words.go) } }
        }
    }
}

/// One count: the field to scan, what was counted, and the closing.
pub async fn one(ask: Ask) -> Result<Page, Trouble> {
    let (words, shown) = (Words::of(ask.language()), ask.shown());
    let session = encoded(ask.segment("session"));
    let count: Option<Count> = ask.find(format!("/v1/counts/{session}")).await?;
    let count = count.unwrap_or(Count {
        status: "open".into(),
        department: None,
        progress: Progress { sheet: 0, counted: 0 },
        lines: Vec::new(),
    });
    let title = format!("{} {}", count.department.as_deref().unwrap_or(words.title), ask.segment("session"));
    let body = html! {
        p { a href="/counts" { "← " (words.back) } }
        @if count.status == "closed" { p.said.good { (words.closed) } }
        @else {
            section {
                form.row data-post={ "/v1/counts/" (session) "/scans" } data-done=(words.recorded) data-count #scan {
                    label { span { (words.scan) } input name="code" data-scan data-count-code required autocomplete="off" autofocus; }
                    label.small { span { (words.how_many) } input name="quantity" data-count-quantity data-type="int" required inputmode="decimal" autocomplete="off"; }
                    label { span { (words.zone) } input name="zone" data-unscanned value="shelf" autocomplete="off" maxlength="64"; }
                    label.check { input type="checkbox" name="settles" data-type="bool"; span { (words.settles) } }
                    button.main { (words.record) }
                }
                p #counting.quiet role="status" {}
            }
        }
        section #lines data-live="stock" { (lines(words, &shown, &count)) }
        @if count.status != "closed" {
            section {
                h2 { (words.close) }
                p.quiet { (words.close_about) }
                form data-post={ "/v1/counts/" (session) "/close" } data-done=(words.done) data-then="/counts" data-confirm=(words.close_about) {
                    label { span { (words.uncounted) } select name="uncounted" { option value="keep" { (words.leave) } option value="zero" { (words.zero) } } }
                    label { span { (words.again) } select name="doubtful" { option value="refuse" { (words.doubtful_wait) } option value="leave-out" { (words.doubtful_leave) } option value="accept" { (words.doubtful_book) } } }
                    p.acts { button.main { (words.close) } }
                }
            }
        }
    };
    Ok(Page::new("/stock", title, body).with(&["counts.js"]))
}

fn lines(words: &Words, shown: &Shown, count: &Count) -> Markup {
    html! {
        p { b { (count.progress.counted) } " " (words.progress) " " (count.progress.sheet) }
        @if count.progress.sheet > 0 { meter min="0" max=(count.progress.sheet) value=(count.progress.counted.min(count.progress.sheet)) aria-label=(words.counted) {} }
        div.scroll tabindex="0" role="region" aria-label=(words.counted) {
            table {
                thead { tr { th { (words.product) } th.number { (words.counted) } th.number { (words.book) } } }
                tbody {
                    @for line in &count.lines {
                        tr {
                            th scope="row" {
                                (line.name.as_deref().unwrap_or(&line.sku)) " " span.quiet { (line.sku) }
                                @if line.status == "recount" { " " span.tag.bad { (words.again) } }
                                @if let Some(why) = &line.recount { p.quiet { (why) } }
                            }
                            td.number { @match line.quantity { Some(n) => b { (shown.quantity(n, &line.unit)) }, None => span.quiet { (words.uncounted) } } }
                            td.number { (line.book.map_or("–".into(), |n| shown.quantity(n, &line.unit))) }
                        }
                    }
                }
            }
        }
    }
}
