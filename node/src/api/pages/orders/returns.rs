//! Goods that customers bring back to the counter: found by receipt or order, with what becomes of them and of the money.

use maud::{Markup, html};
use serde::Deserialize;

use super::super::ask::{Ask, Trouble, encoded};
use super::super::layout::Page;
use super::super::shown::Shown;
use super::super::words::words;
use super::part::{Place, places};

words! {
    /// What stands on the page of returns.
    Words {
        title: "Returns", "退货";
        find: "Receipt, or order", "小票号或订单号";
        find_about: "Scan the code on the receipt, or type its number (store-till-day-number) or the order's.", "请扫描小票上的条码，或输入小票号、订单号。";
        search: "Find", "查找";
        camera: "Camera", "摄像头";
        unknown: "This store has no such receipt or order. Without one, a manager has to decide: type what comes back below.", "本店没有该小票或订单。无凭证退货须由店长决定，请在下方填写。";
        comes_back: "What comes back", "退回商品";
        sold: "sold", "已售";
        had: "with the customer", "顾客持有";
        quantity: "How many come back", "退回数量";
        grams: "How much comes back (kg)", "退回重量（kg）";
        state: "Its state", "状态";
        resale: "to the shelf", "可再售";
        quarantine: "set aside", "隔离";
        scrap: "thrown away", "报废";
        why: "Why", "原因";
        unwanted: "not wanted", "不想要";
        faulty: "faulty", "有质量问题";
        wrong: "wrong product", "发错商品";
        cash: "Give the money in cash now, where this store may decide it", "如本店有权决定，现在退现金";
        till: "Out of the drawer of till", "从哪台收银机抽屉";
        take: "Take it back", "办理退货";
        sku: "Product number", "货号";
        amount: "Amount", "金额";
        without: "Without receipt", "无小票退货";
        taken: "Taken back", "已退货";
        money: "Money", "退款";
        pending: "The goods are taken. The money waits for the seller's word.", "货已收，退款等待售出门店确认。";
        granted: "The money is due.", "应退款。";
        paid: "The money was given.", "已退款。";
        refused: "No money is due.", "不予退款。";
        paid_twice: "The money was given twice.", "重复退款。";
        back_to: "It goes back to", "退回至";
        give_cash: "I gave the money", "已付现金";
        again: "Next return", "下一笔退货";
        voided: "This receipt was voided.", "该小票已作废。";
    }
}

#[derive(Deserialize)]
struct Sale {
    receipt: String,
    total: i64,
    voided: Option<bool>,
    lines: Vec<SoldLine>,
}

#[derive(Deserialize)]
struct SoldLine {
    line: usize,
    sku: String,
    unit: String,
    quantity: i64,
    amount: i64,
}

#[derive(Deserialize)]
struct Part {
    order: String,
    lines: Vec<super::part::Line>,
}

#[derive(Deserialize)]
struct Return {
    id: String,
    state: String,
    why: String,
    refund: i64,
    paid: i64,
    lines: Vec<BackLine>,
    back_to: Vec<Tender>,
}

#[derive(Deserialize)]
struct BackLine {
    sku: String,
    unit: String,
    quantity: i64,
    disposition: String,
}

#[derive(Deserialize)]
struct Tender {
    kind: String,
    amount: i64,
}

/// A line that may come back.
struct Had {
    line: usize,
    sku: String,
    name: String,
    unit: String,
    quantity: i64,
    amount: Option<i64>,
}

/// The page.
pub async fn page(ask: Ask) -> Result<Page, Trouble> {
    let (words, shown) = (Words::of(ask.language()), ask.shown());
    let body = html! {
        (places(ask.language(), Place::Returns))
        @if let Some(id) = ask.param("done") { (taken(&ask.get(format!("/v1/returns/{}", encoded(id))).await?, words, &shown)) }
        @else {
            form.row method="get" action="/returns" role="search" {
                label { span { (words.find) } input #returns-field name="q" value=[ask.param("q")] required maxlength="1024" data-scan autocomplete="off" autofocus enterkeyhint="search" aria-describedby="find-about"; }
                button.main { (words.search) }
                button type="button" data-camera="returns-field" { (words.camera) }
            }
            p.quiet #find-about { (words.find_about) }
            @if let Some(text) = ask.param("q") { (found(&ask, text.trim(), words, &shown).await?) }
            (without(words))
        }
    };
    Ok(Page::new("/orders", words.title, body).with(&["camera.js"]))
}

async fn found(ask: &Ask, text: &str, words: &Words, shown: &Shown) -> Result<Markup, Trouble> {
    let sale: Option<Sale> = lenient(ask.find(format!("/v1/receipts/{}", encoded(text))).await)?;
    if let Some(sale) = sale {
        let lines = sale.lines.into_iter().map(|line| Had {
            name: String::new(),
            line: line.line,
            sku: line.sku,
            unit: line.unit,
            quantity: line.quantity,
            amount: Some(line.amount),
        });
        let lines = lines.filter(|line| line.quantity > 0).collect();
        return Ok(html! {
            @if sale.voided == Some(true) { p.said.warn { (words.voided) } }
            (form(("receipt", &sale.receipt), lines, words, shown))
            p.quiet { (shown.money(sale.total)) }
        });
    }
    let part: Option<Part> = lenient(ask.find(format!("/v1/fulfillments/{}", encoded(text))).await)?;
    Ok(match part {
        Some(part) => {
            let lines = part.lines.into_iter().filter(|line| line.handed > 0).map(|line| Had {
                line: usize::from(line.line),
                quantity: line.handed,
                amount: None,
                sku: line.sku,
                name: line.name,
                unit: line.unit,
            });
            form(("order", &part.order), lines.collect(), words, shown)
        }
        None => html! { p.said.warn { (words.unknown) } },
    })
}

/// What is no number of a receipt or an order is not found, rather than wrong.
fn lenient<T>(found: Result<Option<T>, Trouble>) -> Result<Option<T>, Trouble> {
    match found {
        Err(trouble) if (400..500).contains(&trouble.status) => Ok(None),
        other => other,
    }
}

fn form((kind, number): (&str, &str), lines: Vec<Had>, words: &Words, shown: &Shown) -> Markup {
    html! {
        section aria-labelledby="comes-back" {
            h2 #comes-back { (words.comes_back) " · " (number) }
            form data-post="/v1/returns" data-approve="return" data-then="/returns?done={answer.id}" {
                input type="hidden" name=(kind) value=(number);
                ul.list { @for (at, line) in lines.iter().enumerate() {
                    li {
                        p { b { @if line.name.is_empty() { (line.sku) } @else { (line.name) } } " " span.quiet { (words.had) " " (shown.quantity(line.quantity, &line.unit)) @if let Some(amount) = line.amount { ", " (shown.money(amount)) } } }
                        div.row data-returned {
                            input type="hidden" name={ "lines[" (at) "].line" } value=(line.line) data-type="int";
                            input type="hidden" name={ "lines[" (at) "].sku" } value=(line.sku);
                            label { span { @if line.unit == "gram" { (words.grams) } @else { (words.quantity) } " (" (line.sku) ")" }
                                input name={ "lines[" (at) "].quantity" } inputmode="decimal" data-quantity data-type=(if line.unit == "gram" { "grams" } else { "int" }) autocomplete="off"; }
                            (dispositions(at, &line.sku, words))
                        }
                    }
                } }
                (rest(words))
            }
        }
    }
}

fn without(words: &Words) -> Markup {
    html! {
        details #without {
            summary { (words.without) }
            form data-post="/v1/returns" data-approve="return" data-then="/returns?done={answer.id}" {
                div.row {
                    label { span { (words.sku) } input name="lines[0].sku" required autocomplete="off"; }
                    label { span { (words.quantity) } input name="lines[0].quantity" required inputmode="numeric" data-type="int" autocomplete="off"; }
                    label { span { (words.amount) } input name="lines[0].amount" required inputmode="decimal" data-type="money" autocomplete="off"; }
                    (dispositions(0, "", words))
                }
                (rest(words))
            }
        }
    }
}

fn dispositions(at: usize, sku: &str, words: &Words) -> Markup {
    html! {
        label { span { (words.state) @if !sku.is_empty() { " (" (sku) ")" } } select name={ "lines[" (at) "].disposition" } {
            option value="resale" { (words.resale) }
            option value="quarantine" { (words.quarantine) }
            option value="scrap" { (words.scrap) }
        } }
    }
}

fn rest(words: &Words) -> Markup {
    html! {
        div.row {
            label { span { (words.why) } select name="reason" {
                option value="unwanted" { (words.unwanted) }
                option value="faulty" { (words.faulty) }
                option value="wrong" { (words.wrong) }
            } }
            label.small { span { (words.till) } input name="till" inputmode="numeric" data-type="int" autocomplete="off"; }
        }
        label.check { input type="checkbox" name="cash" data-type="bool"; span { (words.cash) } }
        p.acts { button.main.large { (words.take) } }
    }
}

fn taken(returned: &Return, words: &Words, shown: &Shown) -> Markup {
    let (kind, sentence) = match returned.state.as_str() {
        "paid" => ("good", words.paid),
        "granted" => ("good", words.granted),
        "pending" => ("warn", words.pending),
        "paid-twice" => ("bad", words.paid_twice),
        _ => ("bad", words.refused),
    };
    html! {
        section #returned data-live="orders" aria-labelledby="taken" {
            h2 #taken { (words.taken) " · " (returned.id) }
            p.said.(kind) { (sentence) @if !returned.why.is_empty() { " " (shown.sentence(&returned.why)) } }
            ul.list { @for line in &returned.lines { li { (line.sku) " " (shown.quantity(line.quantity, &line.unit)) " " span.tag { (disposition(words, &line.disposition)) } } } }
            dl.facts {
                dt { (words.money) } dd { (shown.money(returned.refund)) " (" (shown.money(returned.paid)) ")" }
                @if !returned.back_to.is_empty() { dt { (words.back_to) } dd { @for tender in &returned.back_to { (tender.kind) " " (shown.money(tender.amount)) " " } } }
            }
            @if returned.state == "granted" {
                form.row data-post={ "/v1/returns/" (returned.id) "/paid" } {
                    label.small { span { (words.till) } input name="till" inputmode="numeric" data-type="int" autocomplete="off"; }
                    button.main { (words.give_cash) }
                }
            }
            p.acts { a.button href="/returns" { (words.again) } }
        }
    }
}

fn disposition<'a>(words: &'a Words, word: &'a str) -> &'a str {
    match word {
        "resale" => words.resale,
        "quarantine" => words.quarantine,
        "scrap" => words.scrap,
        other => other,
    }
}
