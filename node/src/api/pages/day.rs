//! One business day of a store: takings, drawers, whether anything is missing and from whom, and for whom goods were sold. A manager closes it here;
//! at the hub the same page says what the hub has of it.

use maud::{Markup, html};
use serde::Deserialize;
use stockroom_crdt::checkout::staff::Role;

use super::ask::{Ask, Trouble, encoded};
use super::layout::Page;
use super::shown::Shown;
use super::words::words;

words! {
    /// What stands on this page.
    Words {
        title: "Business day", "营业日";
        takings: "Takings", "营业额";
        receipts: "Receipts", "小票数";
        refunded: "Paid back", "退款";
        complete: "Complete: nothing of this day is missing here.", "完整：该日数据齐全。";
        incomplete: "Not complete yet:", "尚不完整：";
        open: "The day is open.", "营业中。";
        closed: "Closed", "已日结";
        close: "Close the day", "日结";
        close_about: "No further sale goes into this day. Drawers that are open stay open: somebody has to count each.", "此后销售不再计入该日。未交班的钱箱仍须清点。";
        closed_done: "The day is closed.", "已日结。";
        drawers: "Drawers", "钱箱";
        no_drawers: "No shift was opened on this day.", "该日没有开班。";
        till: "Till", "收银台";
        shift: "Shift", "班次";
        state: "State", "状态";
        over: "Over or short", "长短款";
        agrees: "fits", "相符";
        differs: "does not fit", "不符";
        report: "Report", "报表";
        unshifted: "Sold outside of any shift", "班次外销售";
        numbers: "Receipt numbers", "小票号段";
        owners: "For whom it was sold", "货主结算";
        owners_about: "The statement of each owner of goods: what the shop took for them.", "各货主的结算单：代其收取的金额。";
        owner: "Owner", "货主";
        own: "our own goods", "自有商品";
        lines: "Lines", "行数";
        sales: "Sales", "销售";
        returns: "Returns", "退货";
        tax: "Tax", "税额";
        due: "Due", "应付";
        writer: "node", "节点";
        back: "Today", "今日";
        at_store: "of store", "门店";
    }
}

#[derive(Deserialize)]
struct Certificate {
    store: u32,
    complete: bool,
    day: Day,
    receipts: Vec<Numbers>,
    shifts: Vec<Shift>,
    unshifted: Taken,
    missing: Vec<Missing>,
}

#[derive(Deserialize)]
struct Day {
    number: u32,
    date: String,
    closed_at: Option<String>,
    receipts: i64,
    total: i64,
    refunded: i64,
}

#[derive(Deserialize)]
struct Numbers {
    first: String,
    last: String,
}

#[derive(Deserialize)]
struct Shift {
    till: u32,
    number: u32,
    state: String,
    agrees: Option<bool>,
    over: Option<i64>,
    taken: Taken,
}

#[derive(Deserialize)]
struct Taken {
    receipts: i64,
    total: i64,
}

#[derive(Deserialize)]
struct Missing {
    why: String,
    writer: Option<String>,
    till: Option<u32>,
}

#[derive(Deserialize)]
struct Settlement {
    owners: Vec<Owner>,
}

#[derive(Deserialize)]
struct Owner {
    owner: String,
    lines: i64,
    sales: i64,
    returns: i64,
    tax: i64,
    due: i64,
}

/// The page. At a hub `store` in the query says whose day it is.
pub async fn page(ask: Ask) -> Result<Page, Trouble> {
    let words = Words::of(ask.language());
    let store = match ask.api().info.store {
        0 => ask.param("store").map(encoded).ok_or_else(Trouble::not_found)?,
        own => own.to_string(),
    };
    let number = encoded(ask.segment("number"));
    let certificate: Certificate = ask.get(format!("/v1/stores/{store}/days/{number}/certificate")).await?;
    let settlement: Settlement = ask.get(format!("/v1/settlement?store={store}&day={number}")).await?;
    let shown = ask.shown_at(certificate.store);
    let is_own = ask.api().info.store == certificate.store;
    let day = &certificate.day;
    let body = html! {
        @if is_own { p { a href="/today" { "← " (words.back) } } }
        div #day data-live="stock" {
            p.lead { (day.date) @if !is_own { " · " (words.at_store) " " (certificate.store) } }
            ul.tiles {
                li.tile { (words.takings) b { (shown.money(day.total)) } }
                li.tile { (words.receipts) b { (shown.number(day.receipts)) } }
                li.tile { (words.refunded) b { (shown.money(day.refunded)) } }
            }
            (missing(words, &shown, &certificate))
            section { h2 { (words.drawers) } (drawers(words, &shown, &certificate)) }
        }
        @if is_own && day.closed_at.is_none() && ask.may(Role::Manager) {
            form data-post="/v1/days/close" data-confirm=(words.close_about) data-done=(words.closed_done) data-then="reload" {
                p.quiet { (words.close_about) }
                p.acts { button.main { (words.close) } }
            }
        }
        section { h2 { (words.owners) } p.quiet { (words.owners_about) } (owners(words, &shown, &settlement)) }
        section {
            h2 { (words.numbers) }
            ul.list { @for numbers in &certificate.receipts { li { (numbers.first) " – " (numbers.last) } } }
        }
    };
    let under = if is_own { "/today" } else { "/fleet" };
    Ok(Page::new(under, format!("{} {}", words.title, day.number), body))
}

fn missing(words: &Words, shown: &Shown, certificate: &Certificate) -> Markup {
    html! {
        @if certificate.complete { p.said.good { (words.complete) } }
        @else {
            div.said.warn {
                p { b { (words.incomplete) } }
                ul { @for missing in &certificate.missing { li {
                    (shown.sentence(&missing.why))
                    @if let Some(writer) = &missing.writer { " (" (words.writer) " " (writer) ")" }
                    @if let Some(till) = missing.till { " (" (words.till) " " (till) ")" }
                } } }
            }
        }
    }
}

fn drawers(words: &Words, shown: &Shown, certificate: &Certificate) -> Markup {
    html! {
        @if certificate.shifts.is_empty() { p.quiet { (words.no_drawers) } }
        @else {
            div.scroll tabindex="0" role="region" aria-label=(words.drawers) {
                table {
                    thead { tr { th { (words.till) } th { (words.shift) } th { (words.state) } th.number { (words.takings) } th.number { (words.over) } th { span.hidden { (words.report) } } } }
                    tbody {
                        @for shift in &certificate.shifts {
                            tr {
                                th scope="row" { (shift.till) }
                                td { (shift.number) }
                                td { (shift.state) @match shift.agrees { Some(true) => { " " span.tag.good { (words.agrees) } }, Some(false) => { " " span.tag.bad { (words.differs) } }, None => {} } }
                                td.number { (shown.money(shift.taken.total)) }
                                td.number { (shift.over.map_or("–".into(), |over| shown.money(over))) }
                                td { a href={ "/v1/shifts/" (shift.till) "/" (shift.number) "/report?store=" (certificate.store) } target="_blank" { (words.report) } }
                            }
                        }
                    }
                }
            }
        }
        @if certificate.unshifted.receipts > 0 {
            p.quiet { (words.unshifted) ": " (shown.money(certificate.unshifted.total)) ", " (words.receipts) " " (certificate.unshifted.receipts) }
        }
    }
}

fn owners(words: &Words, shown: &Shown, settlement: &Settlement) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label=(words.owners) {
            table {
                thead { tr { th { (words.owner) } th.number { (words.lines) } th.number { (words.sales) } th.number { (words.returns) } th.number { (words.tax) } th.number { (words.due) } } }
                tbody {
                    @for owner in &settlement.owners {
                        tr {
                            th scope="row" { @if owner.owner.is_empty() { (words.own) } @else { (owner.owner) } }
                            td.number { (owner.lines) }
                            td.number { (shown.money(owner.sales)) }
                            td.number { (shown.money(owner.returns)) }
                            td.number { (shown.money(owner.tax)) }
                            td.number { b { (shown.money(owner.due)) } }
                        }
                    }
                }
            }
        }
    }
}
