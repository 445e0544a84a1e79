//! Goods that come from suppliers: scanned line by line against the document that came with them.

use maud::{Markup, html};

use crate::api::pages::ask::{Ask, Trouble};
use crate::api::pages::layout::Page;
use crate::api::pages::words::words;

words! {
    /// What stands on this page, and on forms of the same kind.
    Words {
        title: "Receive goods", "收货";
        about: "Scan what came, or type its number or name. What you scanned stays on this device until you book it in.", "扫描到货商品，或输入货号、名称。入账前内容会保存在本设备。";
        document: "Delivery note or order number", "送货单或订单号";
        code: "Scan, number or name", "扫码、货号或名称";
        add: "Add", "添加";
        quantity: "Quantity", "数量";
        lot: "Lot", "批号";
        expiry: "Best before", "保质期至";
        drop: "Remove", "移除";
        book: "Book it in", "入账";
        done: "Booked in under {document}.", "已按 {document} 入账。";
        empty: "Nothing was scanned yet.", "尚未扫描商品。";
        choices: "Which one?", "请选择：";
    }
}

/// The page.
pub async fn page(ask: Ask) -> Result<Page, Trouble> {
    let words = Words::of(ask.language());
    let body = html! {
        p.lead { (words.about) }
        form data-post="/v1/goods-receipts" data-lines="lines" data-done=(words.done) #receiving {
            section {
                label { span { (words.document) } input name="document" required autocomplete="off" maxlength="64"; }
                (scanner(words))
            }
            section {
                p.quiet data-empty-lines { (words.empty) }
                ul.list.lines {}
                (line(words, html! {
                    label.small { span { (words.lot) } input data-name="lot" autocomplete="off" maxlength="64"; }
                    label.small { span { (words.expiry) } input data-name="expiry" type="date"; }
                }))
                p.acts { button.main.large { (words.book) } }
            }
        }
    };
    Ok(Page::new("/stock", words.title, body).with(&["lines.js"]))
}

/// The field into which lines are scanned, and where is chosen between several products.
pub fn scanner(words: &Words) -> Markup {
    html! {
        div.row {
            label { span { (words.code) } input data-scan data-line-code autocomplete="off" autofocus enterkeyhint="enter"; }
            button type="button" data-line-add { (words.add) }
        }
        div.choices.acts role="group" aria-label=(words.choices) {}
    }
}

/// What a scanned line looks like: product, quantity, and fields of the form.
pub fn line(words: &Words, fields: Markup) -> Markup {
    html! {
        template {
            li {
                p { b.named tabindex="-1" {} }
                div.row {
                    input type="hidden" data-name="sku";
                    label.small { span { (words.quantity) " " span data-unit {} } input data-name="quantity" data-type="int" required inputmode="numeric" autocomplete="off"; }
                    (fields)
                    button.quiet type="button" data-drop { (words.drop) }
                }
            }
        }
    }
}
