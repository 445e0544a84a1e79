//! Orders of the chain in a list, with what they wait for.

use maud::{Markup, html};
use serde::Deserialize;

use super::{Common, amount, for_office, of_chain};
use crate::api::pages::ask::{Ask, Trouble, encoded};
use crate::api::pages::layout::Page;
use crate::api::pages::shown::{Shown, ms_of};
use crate::api::pages::words::words;

words! {
    /// What stands on this page, and the states of orders.
    Words {
        title: "Orders", "订单";
        which: "Which", "范围";
        open: "not settled", "未完结";
        all: "all", "全部";
        store: "Store", "门店";
        reference: "Number at the shop", "渠道单号";
        number: "Order", "订单";
        state: "State", "状态";
        due: "Due", "应完成";
        stores: "Stores", "门店";
        total: "Total", "金额";
        waits: "To do", "待办";
        hold: "on hold", "暂挂";
        unplaced: "units without a store", "件无门店";
        refund: "to be paid back", "待退款";
        none: "No order fits.", "没有符合条件的订单。";
        tentative: "A store has not said all yet.", "有门店数据未到齐";
        tentative_short: "not final", "未最终确认";
        pickup: "pickup", "自提";
        delivery: "delivery", "配送";
        waiting: "waiting for a store", "待分配";
        offered: "offered", "已派单";
        accepted: "accepted", "已接单";
        picking: "picking", "拣货中";
        picked: "picked", "已拣货";
        packed: "packed", "已打包";
        ready: "ready", "待取";
        courier: "courier found", "骑手已接";
        out: "on its way", "配送中";
        returning: "coming back", "退回中";
        completed: "completed", "已完成";
        partly: "partly completed", "部分完成";
        cancelled: "cancelled", "已取消";
        failed: "failed", "失败";
    }
}

#[derive(Deserialize)]
struct Orders {
    items: Vec<Order>,
    next: Option<String>,
}

#[derive(Deserialize)]
struct Order {
    order: String,
    state: String,
    stability: String,
    hold: Option<String>,
    channel: String,
    source: String,
    reference: String,
    due: String,
    due_in_s: i64,
    stores: Vec<u32>,
    lines: usize,
    currency: String,
    total: i64,
    unplaced: i64,
    refund_due: i64,
}

/// The page.
pub async fn page(ask: Ask) -> Result<Page, Trouble> {
    for_office(&ask)?;
    let (words, common, shown) = (Words::of(ask.language()), Common::of(ask.language()), of_chain(&ask));
    let open = ask.param("which").is_none_or(|which| which == "open") && ask.param("reference").is_none();
    let mut query = format!("/v1/orders?limit={PAGE}&open={open}");
    for name in ["state", "store", "reference", "after"] {
        if let Some(value) = ask.param(name) {
            query += &format!("&{name}={}", encoded(value));
        }
    }
    let orders: Orders = ask.get(&query).await?;
    let body = html! {
        (filter(&ask, open, words, common))
        section #orders data-live="orders" aria-label=(words.title) {
            @if orders.items.is_empty() { p { (words.none) } } @else { (table(&orders, words, &shown)) }
            @if let Some(next) = &orders.next {
                @let which = if open { "open" } else { "all" };
                @let kept: String = ["state", "store"].into_iter().filter_map(|name| Some(format!("&{name}={}", encoded(ask.param(name)?)))).collect();
                p.acts { a.button href=(format!("/chain/orders?which={which}&after={}{kept}", encoded(next))) { (common.next) } }
            }
        }
    };
    Ok(Page::new("/chain/orders", words.title, body))
}

fn filter(ask: &Ask, open: bool, words: &Words, common: &Common) -> Markup {
    let chosen = ask.param("state").unwrap_or_default();
    html! {
        form.row.asked data-go="/chain/orders" role="search" {
            label { span { (words.which) } select name="which" {
                option value="open" selected[open] { (words.open) } option value="all" selected[!open] { (words.all) }
            } }
            label { span { (words.state) } select name="state" {
                option value="" { (words.all) }
                @for state in STATES { option value=(state) selected[state == chosen] { (state_word(words, state)) } }
            } }
            label.small { span { (words.store) } input name="store" inputmode="numeric" value=[ask.param("store")]; }
            label { span { (words.reference) } input name="reference" value=[ask.param("reference")] autocomplete="off"; }
            button { (common.show) }
        }
    }
}

fn table(orders: &Orders, words: &Words, shown: &Shown) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label=(words.title) { table.cards {
            thead { tr { th { (words.number) } th { (words.state) } th { (words.due) } th { (words.stores) } th.number { (words.total) } th { (words.waits) } } }
            tbody { @for order in &orders.items { tr {
                th.whole scope="row" {
                    a href=(format!("/chain/orders/{}", order.order)) { (order.order) }
                    span.aged { " " (order.source) " " (order.reference) " · " @if order.channel == "pickup" { (words.pickup) } @else { (words.delivery) } " · " (order.lines) }
                }
                td data-label=(words.state) {
                    (state_tag(words, &order.state))
                    @if order.stability == "tentative" { " " span.tag.warn title=(words.tentative) { (words.tentative_short) } }
                }
                td data-label=(words.due) { @if let Some(due) = ms_of(&order.due) {
                    (shown.moment(due))
                    @if is_open(&order.state) { " " (shown.countdown(due)) @if order.due_in_s < 0 { " " } }
                } }
                td data-label=(words.stores) { @for store in &order.stores { a href=(format!("/fleet/{store}")) { (store) } " " } }
                td.number data-label=(words.total) { (amount(shown, order.total, &order.currency)) }
                td data-label=(words.waits) {
                    @if order.hold.is_some() { span.tag.warn { (words.hold) } " " }
                    @if order.unplaced > 0 { span.tag.bad { (order.unplaced) " " (words.unplaced) } " " }
                    @if order.refund_due > 0 { span.tag.warn { (amount(shown, order.refund_due, &order.currency)) " " (words.refund) } }
                }
            } } }
        } }
    }
}

/// A state of an order or of a part of it, as people say it.
pub fn state_word<'a>(words: &'a Words, state: &'a str) -> &'a str {
    match state {
        "waiting" => words.waiting,
        "offered" => words.offered,
        "accepted" => words.accepted,
        "picking" => words.picking,
        "picked" => words.picked,
        "packed" => words.packed,
        "ready" => words.ready,
        "courier-assigned" => words.courier,
        "out-for-delivery" => words.out,
        "returning" => words.returning,
        "completed" | "handed-over" | "delivered" => words.completed,
        "partly-completed" => words.partly,
        "cancelled" | "stood-down" | "declined" | "refused" => words.cancelled,
        "failed" | "lost" | "uncollected" | "returned" => words.failed,
        other => other,
    }
}

/// The same with a colour.
pub fn state_tag(words: &Words, state: &str) -> Markup {
    let class = match state {
        "completed" | "handed-over" | "delivered" | "ready" => "tag good",
        "waiting" | "partly-completed" | "returning" => "tag warn",
        "failed" | "lost" | "uncollected" => "tag bad",
        _ => "tag",
    };
    html! { span class=(class) { (state_word(words, state)) } }
}

fn is_open(state: &str) -> bool {
    !matches!(state, "completed" | "partly-completed" | "cancelled" | "failed")
}

/// What can be asked for.
const STATES: [&str; 12] = [
    "waiting",
    "offered",
    "accepted",
    "picking",
    "packed",
    "ready",
    "courier-assigned",
    "out-for-delivery",
    "completed",
    "partly-completed",
    "cancelled",
    "failed",
];

/// Orders on one page.
const PAGE: usize = 50;
