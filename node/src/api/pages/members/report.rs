//! All that is kept of a member, as she may ask to see it: printed, or saved as a file.

use maud::{Markup, html};
use serde::Deserialize;

use super::{Words as Shared, field_word, purpose_words};
use crate::api::pages::ask::{Ask, Trouble, encoded};
use crate::api::pages::layout::Page;
use crate::api::pages::words::words;

words! {
    /// What stands on this page.
    Words {
        title: "What is kept of you", "您的个人资料报告";
        made: "Made", "生成时间";
        values: "What you told", "您提供的资料";
        consents: "What you agreed to, and what you withdrew", "您的同意与撤回记录";
        yes: "agreed", "同意";
        no: "withdrawn", "撤回";
        stores: "Where you are known", "已知您的门店";
        store: "Store", "门店";
        shopping: "Receipts with points", "有积分的小票";
        earned: "earned", "获得";
        spent: "spent", "使用";
        readings: "Who looked at it", "查阅记录";
        save: "Save as a file", "保存为文件";
        back: "Back to the member", "返回会员";
        at: "at", "设备";
    }
}

#[derive(Deserialize)]
struct Report {
    made_at: String,
    person: Person,
    consents: Vec<Consent>,
    stores: Vec<KnownAt>,
    shopping: Shopping,
    readings: Vec<Reading>,
}

#[derive(Deserialize)]
struct Person {
    accounts: Vec<String>,
    values: Vec<Told>,
}

#[derive(Deserialize)]
struct Told {
    field: String,
    value: Option<String>,
    at: String,
    staff: String,
}

#[derive(Deserialize)]
struct Consent {
    purpose: String,
    given: bool,
    source: String,
    at: String,
}

#[derive(Deserialize)]
struct KnownAt {
    member: String,
    stores: Vec<u32>,
}

#[derive(Deserialize)]
struct Shopping {
    points: Vec<Sale>,
}

#[derive(Deserialize)]
struct Sale {
    receipt: Option<String>,
    at: Option<String>,
    earned: i64,
    spent: i64,
}

#[derive(Deserialize)]
struct Reading {
    at: String,
    device: String,
    staff: String,
    fields: Vec<String>,
}

/// The page.
pub async fn page(ask: Ask) -> Result<Page, Trouble> {
    let (words, shared, shown) = (Words::of(ask.language()), Shared::of(ask.language()), ask.shown());
    let id = encoded(ask.segment("id"));
    let report: Report = ask.get(format!("/v1/members/{id}/report")).await?;
    let body = html! {
        p { a href={ "/members/" (id) } { "← " (words.back) } }
        p.acts { a.button href={ "/v1/members/" (id) "/report" } download={ "member-" (id) ".json" } { (words.save) } }
        p { (words.made) " " (shown.moment_of(&report.made_at)) " · " (report.person.accounts.join(", ")) }
        section {
            h2 { (words.values) }
            dl.facts { @for told in &report.person.values {
                dt { (field_word(shared, &told.field)) }
                dd { (told.value.as_deref().unwrap_or("–")) " " span.quiet { (shown.moment_of(&told.at)) " " (told.staff) } }
            } }
        }
        (listed(words.consents, report.consents.iter().map(|consent| html! {
            (shown.moment_of(&consent.at)) " " b { (if consent.given { words.yes } else { words.no }) } ": " (purpose_words(shared, &consent.purpose)) " " span.quiet { (consent.source) }
        })))
        (listed(words.stores, report.stores.iter().map(|known| html! {
            (known.member) ": " @for store in &known.stores { (words.store) " " (store) " " }
        })))
        (listed(words.shopping, report.shopping.points.iter().map(|sale| html! {
            @if let Some(at) = &sale.at { (shown.moment_of(at)) " " } (sale.receipt.as_deref().unwrap_or("–")) ", " (words.earned) " " (sale.earned) ", " (words.spent) " " (sale.spent)
        })))
        (listed(words.readings, report.readings.iter().map(|reading| html! {
            (shown.moment_of(&reading.at)) " " (reading.staff) " " (words.at) " " (reading.device) ": "
            @for field in &reading.fields { (field_word(shared, field)) " " }
        })))
    };
    Ok(Page::new("/members", words.title, body))
}

fn listed(title: &str, rows: impl ExactSizeIterator<Item = Markup>) -> Markup {
    html! {
        section {
            h2 { (title) }
            @if rows.len() == 0 { p.quiet { "–" } }
            ul.list { @for row in rows { li { (row) } } }
        }
    }
}
