//! Campaigns of coupons: how far each went, coupons that were redeemed twice and who bears them, and setting one.

use maud::{Markup, html};
use serde::Deserialize;
use serde_json::Value;

use super::prices::{self, gives};
use super::{Common, amount};
use crate::api::pages::ask::{Ask, Trouble, encoded};
use crate::api::pages::shown::Shown;
use crate::api::pages::words::words;

words! {
    /// What stands in this part.
    Words {
        title: "Campaigns", "优惠券活动";
        none: "No campaign is set.", "暂无活动。";
        coupons: "coupons", "张券";
        placed: "placed with stores", "已分配";
        redeemed: "redeemed", "已核销";
        left: "left", "剩余";
        worth: "given", "已优惠";
        budget: "of the budget left", "预算剩余";
        funder: "paid by", "资金方：";
        doubles: "Redeemed twice", "重复核销";
        counts: "counts", "有效";
        double: "double, borne by", "重复，承担方：";
        receipt: "receipt", "小票";
        set: "Set a campaign of printed codes", "新建印刷券活动";
        id: "Short name (codes begin with it)", "短名（券码前缀）";
        name: "What the receipt calls it", "小票名称";
        funder_field: "Who pays for it", "资金方";
        bearer: "Who bears a second redemption", "重复核销承担方";
        by_funder: "who pays for it", "资金方";
        by_store: "the store that took it", "核销门店";
        write_off: "written off", "核销损失";
        how_many: "How many codes", "券数量";
        store_limit: "A store gives at most, until its hub has seen it", "断网时每店上限";
        off: "A coupon gives", "每张优惠";
        from_basket: "on a basket from", "满额";
        until: "Until", "截止";
        put: "Set the campaign", "保存活动";
        ended: "ended", "已结束";
        done: "Written. Stores have it when they appear above.", "已保存，门店到达情况见上。";
        at: "At the stores", "各店情况";
    }
}

#[derive(Deserialize)]
struct Campaigns {
    items: Vec<Value>,
}

#[derive(Deserialize)]
struct Campaign {
    campaign: Value,
    coupons: u64,
    placed: u64,
    redeemed: u64,
    left: u64,
    worth: i64,
    budget_left: Option<i64>,
    stores: Vec<AtStore>,
    doubles: Vec<Double>,
}

#[derive(Deserialize)]
struct AtStore {
    store: u32,
    placed: u64,
    redeemed: u64,
    worth: i64,
}

#[derive(Deserialize)]
struct Double {
    code: String,
    counts: Redemption,
    doubles: Vec<Borne>,
}

#[derive(Deserialize)]
struct Borne {
    #[serde(flatten)]
    redemption: Redemption,
    borne_by: String,
}

#[derive(Deserialize)]
struct Redemption {
    store: u32,
    till: u32,
    receipt: String,
    at: String,
    worth: i64,
}

/// The part of the page.
pub async fn part(ask: &Ask, currency: &str, shown: &Shown) -> Result<Markup, Trouble> {
    let (words, common) = (Words::of(ask.language()), Common::of(ask.language()));
    let list: Campaigns = ask.get("/v1/campaigns").await?;
    let mut all = Vec::new();
    for campaign in list.items.iter().rev().take(SHOWN) {
        let id = campaign["id"].as_str().unwrap_or_default();
        let one: Campaign = ask.get(format!("/v1/campaigns/{}", encoded(id))).await?;
        all.push(one);
    }
    Ok(html! {
        section #campaigns data-live="catalog stock" aria-labelledby="campaigns-title" {
            h2 #campaigns-title { (words.title) " " span.quiet { (list.items.len()) } }
            @if all.is_empty() { p { (words.none) } }
            ul.list { @for campaign in &all { li { (one(ask, campaign, (words, common), (currency, shown))) } } }
        }
        section aria-labelledby="set-campaign" {
            h2.hidden #set-campaign { (words.set) }
            details #new-campaign { summary { (words.set) } (form(words)) }
        }
    })
}

fn one(ask: &Ask, one: &Campaign, (words, common): (&Words, &Common), (currency, shown): (&str, &Shown)) -> Markup {
    let text = |name: &str| one.campaign[name].as_str().unwrap_or_default();
    let money = |minor| amount(shown, minor, currency);
    let count = |count: u64| shown.number(i64::try_from(count).unwrap_or(i64::MAX));
    html! {
        p {
            b { (text("name")) } " " span.quiet { (text("id")) } " · " (gives(&one.campaign["gives"], currency, prices::Words::of(ask.language()), shown))
            " · " (words.funder) " " (text("funder")) @if one.campaign["ended"] == true { " " span.tag { (words.ended) } }
        }
        p { b { (count(one.redeemed)) } " " (words.redeemed) " / " (count(one.coupons)) " " (words.coupons) " · " (count(one.placed)) " " (words.placed) " · " (count(one.left)) " " (words.left)
            " · " (money(one.worth)) " " (words.worth) @if let Some(left) = one.budget_left { " · " (money(left)) " " (words.budget) } }
        meter min="0" max=(one.coupons.max(1)) value=(one.redeemed) aria-label=(words.redeemed) {}
        @if !one.stores.is_empty() {
            details id=(format!("campaign-{}", text("id"))) {
                summary { (words.at) }
                ul { @for at in &one.stores { li { a href=(format!("/fleet/{}", at.store)) { (common.store) " " (at.store) } ": " (count(at.redeemed)) " " (words.redeemed) ", " (count(at.placed)) " " (words.placed) ", " (money(at.worth)) } } }
            }
        }
        @if !one.doubles.is_empty() {
            h3 { (words.doubles) " " span.tag.bad { (one.doubles.len()) } }
            @let said = |made: &Redemption| html! { (common.store) " " (made.store) ", " (made.till) ", " (words.receipt) " " (made.receipt) ", " (shown.moment_of(&made.at)) ", " (money(made.worth)) };
            ul { @for double in one.doubles.iter().take(SHOWN) { li {
                b { (double.code) } ": " (said(&double.counts)) " " span.tag.good { (words.counts) }
                @for borne in &double.doubles { br; (said(&borne.redemption)) " " span.tag.warn { (words.double) " " (borne.borne_by) } }
            } } }
        }
    }
}

fn form(words: &Words) -> Markup {
    html! {
        form.row data-post="/v1/campaigns" data-method="PUT" data-done=(words.done) data-then="reload" {
            label { span { (words.id) } input name="id" required maxlength="12" autocomplete="off"; }
            label { span { (words.name) } input name="name" required maxlength="64" autocomplete="off"; }
            label { span { (words.funder_field) } input name="funder" required maxlength="32" autocomplete="off"; }
            label { span { (words.bearer) } select name="bearer" {
                option value="funder" { (words.by_funder) } option value="store" { (words.by_store) } option value="write-off" { (words.write_off) }
            } }
            label.small { span { (words.how_many) } input name="kind.printed.coupons" required inputmode="numeric" data-type="int"; }
            label { span { (words.store_limit) } input name="kind.printed.store_limit" required inputmode="decimal" data-type="money"; }
            label.small { span { (words.off) } input name="gives.basket.off" required inputmode="decimal" data-type="money"; }
            label.small { span { (words.from_basket) } input name="gives.basket.from" required inputmode="decimal" data-type="money"; }
            label { span { (words.until) } input name="until" type="datetime-local" data-type="moment"; }
            button.main { (words.put) }
        }
    }
}

/// Campaigns, and doubles of each, that are shown.
const SHOWN: usize = 20;
