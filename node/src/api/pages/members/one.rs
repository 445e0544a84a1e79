//! One member: what she told, her points and coupons, notes in which nothing is silently overwritten, consent, and erasure.

use std::collections::BTreeMap;

use maud::{Markup, html};
use serde::Deserialize;
use stockroom_crdt::checkout::staff::Role;

use super::{PURPOSES, Words as Shared, field_word, purpose_words};
use crate::api::pages::ask::{Ask, Trouble, encoded};
use crate::api::pages::layout::{Page, aged};
use crate::api::pages::shown::{Shown, ms_of};
use crate::api::pages::words::words;

words! {
    /// What stands on this page.
    Words {
        back: "Find another", "查找其他会员";
        told: "What she told", "会员资料";
        accounts: "Accounts that are joined:", "已合并账户：";
        perhaps: "Perhaps the same person (not spent from):", "可能是同一人（不可使用其积分）：";
        unreadable: "Her values cannot be read here now: the store has not heard its hub for too long.", "本店太久未与中心联系，暂时无法读取资料。";
        erased: "This member was erased.", "该会员资料已删除。";
        points: "Points", "积分";
        balance: "Balance", "余额";
        may_spend: "Can be spent here now", "本店现可使用";
        worth: "worth", "价值";
        tier: "Tier", "等级";
        receipts: "Receipts", "小票";
        earned: "earned", "获得";
        spent: "spent", "使用";
        notes: "Notes and preferences", "备注与偏好";
        conflict: "Two people wrote this apart from each other. Choose one, or write a third:", "两人分别填写了不同内容，请选择或重新填写：";
        choose: "Take this", "采用";
        by: "by", "由";
        text: "Remark", "备注";
        preference: "Name of a preference (e.g. substitute)", "偏好名称（如替代品）";
        says: "What she prefers", "偏好内容";
        write: "Write down", "保存";
        written: "Written down.", "已保存。";
        consent: "Consent", "同意";
        agreed: "agreed", "已同意";
        not_agreed: "not agreed", "未同意";
        gives: "She agrees now", "现在同意";
        withdraws: "She withdraws it", "撤回";
        consented: "Her choice was written down.", "已记录。";
        report: "Access report: all that is kept of her", "查阅报告：保存的全部资料";
        erase: "Erase this member", "删除会员资料";
        erase_about: "Her values become unreadable everywhere, for good. Points and coupons are gone. Receipts stay, without her name.", "其资料将在所有节点永久无法读取，积分和优惠券作废；小票保留但不含姓名。";
        reason: "Reason", "原因";
        her_wish: "she asked for it", "本人要求";
        do_erase: "Erase for good", "永久删除";
        erased_done: "She was erased here; the hub makes it final everywhere.", "已在本店删除，中心将在各处最终生效。";
        change: "Add or change", "添加或修改";
        set: "Save", "保存";
        saved: "Saved.", "已保存。";
        kind: "What", "项目";
        value: "Value", "内容";
    }
}

#[derive(Deserialize)]
struct Member {
    member: String,
    accounts: Vec<String>,
    perhaps: Vec<String>,
    standing: String,
    values: Vec<Told>,
    agrees: Vec<String>,
}

#[derive(Deserialize)]
struct Told {
    field: String,
    value: Option<String>,
    masked: bool,
    verified: bool,
}

#[derive(Deserialize)]
struct Points {
    balance: Option<Balance>,
    tier: String,
    worth: Option<i64>,
    held: u64,
    soft: u64,
    sales: Vec<Sale>,
}

#[derive(Deserialize)]
struct Balance {
    points: i64,
    at: String,
}

#[derive(Deserialize)]
struct Sale {
    receipt: Option<String>,
    at: Option<String>,
    earned: i64,
    spent: i64,
}

#[derive(Deserialize)]
struct Note {
    texts: BTreeMap<String, String>,
    values: BTreeMap<String, Vec<Said>>,
}

#[derive(Deserialize)]
struct Said {
    text: String,
    by: By,
}

#[derive(Deserialize)]
struct By {
    staff: String,
    at: String,
}

/// The page.
pub async fn page(ask: Ask) -> Result<Page, Trouble> {
    let (words, shared, shown) = (Words::of(ask.language()), Shared::of(ask.language()), ask.shown());
    let id = encoded(ask.segment("id"));
    let member: Member = ask.get(format!("/v1/members/{id}")).await?;
    let points: Option<Points> = ask.find(format!("/v1/members/{id}/points")).await.unwrap_or(None);
    let note: Option<Note> = ask.find(format!("/v1/notes/members/{id}")).await.unwrap_or(None);
    let name = member.values.iter().find(|told| told.field == "name").and_then(|told| told.value.clone());
    let title = name.unwrap_or_else(|| format!("{} {}", shared.member, member.member));
    let body = html! {
        p { a href="/members" { "← " (words.back) } }
        @if member.standing == "erased" { p.said.warn { (words.erased) } }
        @if member.standing != "erased" && member.standing != "readable" { p.said.warn { (words.unreadable) } }
        div.columns {
            section #told data-live="members" { h2 { (words.told) } (values(words, shared, &member)) }
            @if let Some(points) = &points { section #points data-live="members stock deeds" { h2 { (words.points) } (of_points(&ask, words, &shown, points)) } }
            section #notes data-live="members" { h2 { (words.notes) } @if let Some(note) = &note { (notes(words, &shown, &id, note)) } (writing(words, &id)) }
            section #consent data-live="members" { h2 { (words.consent) } (consents(words, shared, &id, &member.agrees)) }
            section { h2 { (words.change) } (change(words, shared, &id)) }
            section {
                p.acts { a.button href={ "/members/" (id) "/report" } { (words.report) } }
                @if member.standing != "erased" && ask.may(Role::Manager) { (erasure(words, &id)) }
            }
        }
    };
    Ok(Page::new("/members", title, body))
}

fn values(words: &Words, shared: &Shared, member: &Member) -> Markup {
    // Accounts that are joined often hold the same.
    let mut seen = std::collections::BTreeSet::new();
    let values = member.values.iter().filter(|told| seen.insert((&told.field, &told.value)));
    html! {
        dl.facts {
            @for told in values {
                dt { (field_word(shared, &told.field)) }
                dd {
                    (told.value.as_deref().unwrap_or("–"))
                    @if told.verified { " " span.tag.good { (shared.verified) } }
                    @if told.masked { " " span.tag { (shared.masked) } }
                }
            }
        }
        @if member.accounts.len() > 1 { p.quiet { (words.accounts) " " (member.accounts.join(", ")) } }
        @if !member.perhaps.is_empty() { p.quiet { (words.perhaps) " " (member.perhaps.join(", ")) } }
    }
}

fn of_points(ask: &Ask, words: &Words, shown: &Shown, points: &Points) -> Markup {
    html! {
        dl.facts {
            dt { (words.balance) }
            dd {
                @match &points.balance {
                    Some(balance) => { b { (shown.number(balance.points)) } " " (aged(shown, ask.language(), ms_of(&balance.at))) },
                    None => "–",
                }
            }
            dt { (words.may_spend) } dd { (shown.number(i64::try_from(points.held + points.soft).unwrap_or(i64::MAX))) @if let Some(worth) = points.worth { " (1 " (words.worth) " " (shown.money(worth)) ")" } }
            @if !points.tier.is_empty() { dt { (words.tier) } dd { (points.tier) } }
        }
        @if !points.sales.is_empty() {
            details #sales { summary { (words.receipts) }
                ul.list { @for sale in &points.sales { li {
                    @if let Some(at) = &sale.at { (shown.moment_of(at)) " " }
                    (sale.receipt.as_deref().unwrap_or("–")) " · " (words.earned) " " (sale.earned) @if sale.spent > 0 { " · " (words.spent) " " (sale.spent) }
                } } }
            }
        }
    }
}

fn notes(words: &Words, shown: &Shown, id: &str, note: &Note) -> Markup {
    html! {
        @for (name, text) in note.texts.iter().filter(|(_, text)| !text.is_empty()) { p { b { (name) ": " } (text) } }
        @for (name, said) in &note.values {
            @match said.as_slice() {
                [one] => p { b { (name) ": " } (one.text) " " span.quiet { (words.by) " " (one.by.staff) ", " (shown.moment_of(&one.by.at)) } },
                several => div.said.warn {
                    p { b { (name) ": " } (words.conflict) }
                    @for one in several {
                        form.acts data-post={ "/v1/notes/members/" (id) } data-done=(words.written) {
                            input type="hidden" name="edits[0].do" value="set";
                            input type="hidden" name="edits[0].name" value=(name);
                            input type="hidden" name="edits[0].text" value=(one.text);
                            span { "“" (one.text) "” " span.quiet { (words.by) " " (one.by.staff) ", " (shown.moment_of(&one.by.at)) } }
                            button { (words.choose) }
                        }
                    }
                }
            }
        }
    }
}

fn writing(words: &Words, id: &str) -> Markup {
    html! {
        form data-post={ "/v1/notes/members/" (id) } data-done=(words.written) {
            input type="hidden" name="edits[0].do" value="set";
            label { span { (words.preference) } input name="edits[0].name" required autocomplete="off" maxlength="64"; }
            label { span { (words.says) } input name="edits[0].text" required autocomplete="off"; }
            p.acts { button { (words.write) } }
        }
    }
}

fn consents(words: &Words, shared: &Shared, id: &str, agrees: &[String]) -> Markup {
    html! {
        ul.list {
            @for purpose in PURPOSES {
                @let given = agrees.iter().any(|agreed| agreed == purpose);
                li {
                    p { (purpose_words(shared, purpose)) " " @if given { span.tag.good { "✓ " (words.agreed) } } @else { span.tag { (words.not_agreed) } } }
                    form.acts data-post={ "/v1/members/" (id) "/consents" } data-done=(words.consented) {
                        input type="hidden" name="consent.purpose" value=(purpose);
                        input type="hidden" name="consent.given" data-type="bool" value=(!given);
                        input type="hidden" name="consent.source" value="counter";
                        button aria-label={ (if given { words.withdraws } else { words.gives }) ": " (purpose_words(shared, purpose)) } { (if given { words.withdraws } else { words.gives }) }
                    }
                }
            }
        }
    }
}

fn change(words: &Words, shared: &Shared, id: &str) -> Markup {
    html! {
        form data-post={ "/v1/members/" (id) "/values" } data-done=(words.saved) {
            label { span { (words.kind) } select name="value.field" { @for field in ["name", "phone", "email", "card", "birthday", "remark"] { option value=(field) { (field_word(shared, field)) } } } }
            label { span { (words.value) } input name="value.value" required autocomplete="off"; }
            p.acts { button { (words.set) } }
        }
    }
}

fn erasure(words: &Words, id: &str) -> Markup {
    html! {
        details #erase { summary { (words.erase) }
            p { (words.erase_about) }
            form data-post={ "/v1/members/" (id) "/erase" } data-confirm=(words.erase_about) data-done=(words.erased_done) data-then="/members" {
                label { span { (words.reason) } select name="reason" { option value="her-wish" { (words.her_wish) } } }
                p.acts { button.danger { (words.do_erase) } }
            }
        }
    }
}
