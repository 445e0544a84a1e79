//! The page about labels on shelves: which show another price than the till, to be printed and put up; late ones first.

use maud::{Markup, html};
use serde::Deserialize;

use super::ask::{Ask, Trouble, encoded};
use super::layout::Page;
use super::shown::Shown;
use super::words::words;

words! {
    /// What stands on this page.
    Words {
        title: "Labels", "价签";
        about: "These shelves show another price than the till takes. Print the labels, put them up, and say so: customers pay what the shelf says.", "以下货架价签与收银价格不符。请打印、更换并确认：顾客按货架价付款。";
        none: "Every shelf shows what the till takes.", "所有价签均正确。";
        late: "late", "逾期";
        late_about: "labels are late", "个价签逾期";
        later: "from", "自";
        product: "Product", "商品";
        shows: "Shelf shows", "货架价";
        takes: "Till takes", "收银价";
        see: "See and print from the browser", "在浏览器中查看打印";
        print: "Send to the shop's printer", "发送到店内打印机";
        printed: "{sheets} sheets, {state}. {trouble}", "{sheets} 张，{state}。{trouble}";
        copies: "Copies", "份数";
        put_up: "It hangs", "已更换";
        all_up: "All of these hang", "全部已更换";
        noted: "Noted.", "已记录。";
        none_shown: "no label yet", "尚无价签";
    }
}

#[derive(Deserialize)]
struct Tasks {
    labels: Vec<Label>,
    labels_late: usize,
}

#[derive(Deserialize)]
struct Label {
    sku: String,
    name: String,
    price: Option<i64>,
    shows: Option<i64>,
    due: bool,
    late: bool,
    from: String,
}

/// The page.
pub async fn page(ask: Ask) -> Result<Page, Trouble> {
    let (words, shown) = (Words::of(ask.language()), ask.shown());
    let tasks: Tasks = ask.get("/v1/tasks").await?;
    let body = html! {
        p.lead { (words.about) }
        div #labels data-live="prices catalog stock history" {
            @if tasks.labels.is_empty() { p.said.good { (words.none) } }
            @else {
                @if tasks.labels_late > 0 { p.said.bad { (tasks.labels_late) " " (words.late_about) } }
                p.acts { a.button href="/v1/labels/sheet" target="_blank" { (words.see) } }
                section { (table(words, &shown, &tasks.labels)) }
            }
        }
        @if !tasks.labels.is_empty() {
            form.row data-post="/v1/labels/print" data-done=(words.printed) {
                label.small { span { (words.copies) } input name="copies" data-type="int" value="1" inputmode="numeric"; }
                button.main { (words.print) }
            }
            (hangs(words.all_up, words.noted, &tasks.labels))
        }
    };
    Ok(Page::new("/labels", words.title, body))
}

fn table(words: &Words, shown: &Shown, labels: &[Label]) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label=(words.title) {
            table {
                thead { tr { th { (words.product) } th.number { (words.shows) } th.number { (words.takes) } th { span.hidden { (words.put_up) } } } }
                tbody {
                    @for label in labels.iter().take(ROWS) {
                        tr {
                            th scope="row" {
                                a href={ "/stock/" (encoded(&label.sku)) } { (label.name) } " " span.quiet { (label.sku) }
                                @if label.late { " " span.tag.bad { (words.late) } }
                                @if !label.due { " " span.tag { (words.later) " " (shown.moment_of(&label.from)) } }
                            }
                            td.number { (label.shows.map_or(words.none_shown.into(), |minor| shown.money(minor))) }
                            td.number { b { (label.price.map_or("–".into(), |minor| shown.money(minor))) } }
                            td { @if label.due { (hangs(words.put_up, words.noted, std::slice::from_ref(label))) } }
                        }
                    }
                }
            }
        }
    }
}

/// A button that says that labels hang now.
fn hangs(word: &str, noted: &str, labels: &[Label]) -> Markup {
    let due: Vec<_> =
        labels.iter().filter(|label| label.due).filter_map(|label| Some((&label.sku, label.price?))).collect();
    html! {
        @if !due.is_empty() {
            form.acts data-post="/v1/labels/done" data-done=(noted) {
                @for (index, (sku, price)) in due.iter().take(ROWS).enumerate() {
                    input type="hidden" name={ "labels[" (index) "].sku" } value=(sku);
                    input type="hidden" name={ "labels[" (index) "].price" } data-type="int" value=(price);
                }
                button { (word) }
            }
        }
    }
}

/// Labels that one page shows; more come when these hang.
const ROWS: usize = 200;
