//! One order: what was ordered, which store has it and why, what is owed and who bears it, and the pass for the customer's phone.

use maud::{Markup, html};
use serde::Deserialize;

use super::orders::{self, state_tag};
use super::{Common, amount, for_office, of_chain, until};
use crate::api::pages::ask::{Ask, Trouble};
use crate::api::pages::layout::Page;
use crate::api::pages::orders::step_word;
use crate::api::pages::shown::Shown;
use crate::api::pages::words::words;

words! {
    /// What stands on this page.
    Words {
        title: "Order", "订单";
        due: "Due", "应完成";
        placed: "Placed", "下单";
        channel: "How", "方式";
        source: "Where it was placed", "渠道";
        total: "Ordered for", "订单金额";
        charge: "To be paid for what was handed over", "已交付应收";
        paid: "Paid", "支付";
        authorised: "authorised", "已授权";
        captured: "captured", "已扣款";
        refunded: "paid back", "已退款";
        lines: "Lines", "商品行";
        price: "Each", "单价";
        product: "Product", "商品";
        ordered: "Ordered", "订购";
        handed: "Handed over", "已交付";
        open: "Open", "未完成";
        cancelled: "Cancelled", "已取消";
        failed: "Failed", "失败";
        unplaced: "no store has it", "无门店";
        stores: "Which store, and how far", "门店与进度";
        offered: "offered", "派单";
        by: "by", "操作：";
        why: "Why this store, and why it stands so", "为何由该门店履约";
        why_none: "Nothing was said about it yet.", "暂无说明。";
        chosen_at: "Routed", "派单于";
        rule_set: "rules", "规则";
        not_best: "the search was ended early", "搜索提前结束";
        not_chosen: "Stores that were looked at and not chosen:", "未选中的门店：";
        omitted: "and more:", "另有：";
        entries: "entries", "条记录";
        tentative: "A store that holds a part has not said all yet: this may still change.", "持有部分商品的门店尚未同步，结果可能变化。";
        owed: "What is owed", "应付补偿";
        owed_none: "Nothing is owed.", "无应付补偿。";
        refund: "refund", "退款";
        loss: "loss", "损失";
        bearer: "borne by", "承担方：";
        done: "done", "已完成";
        is_due: "due", "待处理";
        redress: "It was paid back", "已退款";
        gateway: "Gateway's number", "支付流水号";
        nobody: "not named", "未指定";
        known: "How old this is", "数据时间";
        acts: "What you can do", "可执行操作";
        cancel: "Ask to cancel", "申请取消";
        cancel_about: "The store that holds the goods decides. Nothing is paid back before it has answered.", "由持有商品的门店决定，门店答复前不退款。";
        cancel_sure: "Ask to cancel what is left of this order?", "确定申请取消该订单的剩余部分？";
        reason: "Why (one word)", "原因（一个词）";
        risk_refund: "Pay back now, without the store's answer", "不等门店答复直接退款";
        risk_about: "If the goods are handed over all the same, somebody bears the loss. Name who.", "若商品仍被交付，损失由指定方承担，请填写承担方。";
        risk_bearer: "Who bears it", "承担方";
        risk_sure: "The customer gets the money back, and may get the goods as well. Really?", "顾客将获退款，且仍可能拿到商品。确定？";
        hold: "Hold", "暂挂";
        resume: "Go on", "恢复";
        pass: "Pass for the customer's phone", "顾客取货凭证";
        pass_about: "A QR code with which any store of the order hands over, also one that never heard of it. Good for half an hour; while it is out nothing is cancelled without the store.", "凭此二维码可在门店取货（即使门店未收到订单），有效期约半小时。";
        pass_done: "Pass for store {store}, good until {until}", "门店{store}的取货凭证，有效至 {until}";
        give_up: "Give up what no store has", "放弃无货部分";
        give_sure: "What no store has is given up, and its money is due back. Really?", "无货部分将放弃并退款。确定？";
        move_about: "An offer that its store does not answer in time goes to the next store by itself. What a store has accepted is moved by nobody but that store: refuse it there, or ask to cancel.", "门店超时未接单时系统会自动改派；已接单的部分只能由该门店拒绝或申请取消。";
        choice: "Customer takes it at another store", "顾客改到其他门店取";
        choice_store: "Store", "门店";
        accept_in: "answer due in", "应答剩余";
    }
}

#[derive(Deserialize)]
struct Order {
    order: String,
    state: String,
    open: bool,
    stability: String,
    hold: Option<String>,
    channel: String,
    source: String,
    reference: String,
    placed_at: String,
    due: String,
    currency: String,
    total: i64,
    charge: i64,
    lines: Vec<Line>,
    fulfillments: Vec<Part>,
    #[serde(default)]
    choices: Vec<Choice>,
    reasons: Vec<Reason>,
    compensations: Vec<Due>,
    payment: Option<Payment>,
    knowledge: Vec<Knowledge>,
}

#[derive(Deserialize)]
struct Line {
    line: usize,
    sku: String,
    name: String,
    unit: String,
    ordered: i64,
    open: i64,
    unplaced: i64,
    handed: i64,
    cancelled: i64,
    failed: i64,
    unit_price: i64,
}

#[derive(Deserialize)]
struct Part {
    generation: u16,
    store: u32,
    state: String,
    offered_at: String,
    bay: String,
    #[serde(default)]
    withdrawn: bool,
    cancel_asked: bool,
    steps: Option<Vec<Step>>,
}

#[derive(Deserialize)]
struct Step {
    step: String,
    at: String,
    staff: String,
    note: String,
}

#[derive(Deserialize)]
struct Choice {
    generation: u16,
    at: String,
    rule_set: String,
    is_best: bool,
    stores: Vec<Judged>,
    omitted: u32,
}

#[derive(Deserialize)]
struct Judged {
    chosen: bool,
    why: String,
}

#[derive(Deserialize)]
struct Reason {
    why: String,
    entries: Vec<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct Due {
    id: String,
    rule: String,
    kind: String,
    line: u16,
    amount: i64,
    #[serde(default)]
    bearer: String,
    state: String,
}

#[derive(Deserialize)]
struct Payment {
    authorised: i64,
    captured: i64,
    refunded: i64,
}

#[derive(Deserialize)]
struct Knowledge {
    store: u32,
    known_until: Option<String>,
    connected: bool,
}

/// The page.
pub async fn page(ask: Ask) -> Result<Page, Trouble> {
    for_office(&ask)?;
    let (words, common, shown) = (Words::of(ask.language()), Common::of(ask.language()), of_chain(&ask));
    let states = orders::Words::of(ask.language());
    let order: Order = ask.get(format!("/v1/orders/{}", ask.segment("id"))).await?;
    let body = html! {
        div #order data-live="orders rights" {
            (summary(&order, (words, states), &shown))
            (lines(&order, words, &shown))
            div.columns {
                (parts(&order, (words, states), &shown))
                (reasons(&order, words, &shown))
            }
            (owed(&order, words, &shown))
            (ages(&order, (words, common), &shown))
        }
        @if order.open { (acts(&order, words)) }
    };
    Ok(Page::new("/chain/orders", format!("{} {}", words.title, order.order), body))
}

fn summary(order: &Order, (words, states): (&Words, &orders::Words), shown: &Shown) -> Markup {
    let money = |minor| amount(shown, minor, &order.currency);
    html! {
        section {
            p { (state_tag(states, &order.state)) @if let Some(hold) = &order.hold { " " span.tag.warn { (states.hold) ": " (hold) } } }
            @if order.stability == "tentative" { p.said.warn { (words.tentative) } }
            dl.facts {
                dt { (words.due) } dd { (shown.moment_of(&order.due)) }
                dt { (words.placed) } dd { (shown.moment_of(&order.placed_at)) }
                dt { (words.channel) } dd { @if order.channel == "pickup" { (states.pickup) } @else { (states.delivery) } }
                dt { (words.source) } dd { (order.source) " " (order.reference) }
                dt { (words.total) } dd { (money(order.total)) }
                dt { (words.charge) } dd { (money(order.charge)) }
                @if let Some(paid) = &order.payment {
                    dt { (words.paid) } dd { (words.authorised) " " (money(paid.authorised)) ", " (words.captured) " " (money(paid.captured)) ", " (words.refunded) " " (money(paid.refunded)) }
                }
            }
        }
    }
}

fn lines(order: &Order, words: &Words, shown: &Shown) -> Markup {
    html! {
        section aria-labelledby="lines" {
            h2 #lines { (words.lines) }
            div.scroll tabindex="0" role="region" aria-labelledby="lines" { table {
                thead { tr { th { (words.product) } th.number { (words.ordered) } th.number { (words.open) } th.number { (words.handed) } th.number { (words.cancelled) } th.number { (words.failed) } th.number { (words.price) } } }
                tbody { @for line in &order.lines { tr {
                    th scope="row" { (line.line) ". " (line.name) " " a href=(format!("/chain/rights?sku={}", line.sku)) { (line.sku) } }
                    @for (at, quantity) in [line.ordered, line.open, line.handed, line.cancelled, line.failed].into_iter().enumerate() {
                        td.number { @if quantity == 0 && at > 0 { "–" } @else { (shown.quantity(quantity, &line.unit)) } @if at == 1 && line.unplaced > 0 { " " span.tag.bad { (words.unplaced) } } }
                    }
                    td.number { (amount(shown, line.unit_price, &order.currency)) }
                } } }
            } }
        }
    }
}

fn parts(order: &Order, (words, states): (&Words, &orders::Words), shown: &Shown) -> Markup {
    html! {
        section aria-labelledby="parts" {
            h2 #parts { (words.stores) }
            ul.list { @for part in &order.fulfillments { li {
                p { a href=(format!("/fleet/{}", part.store)) { b { (states.store) " " (part.store) } } " " (state_tag(states, &part.state))
                    @if part.cancel_asked || part.withdrawn { " " span.tag.warn { (words.cancel) } } @if !part.bay.is_empty() { " " span.tag { (part.bay) } }
                    " " span.quiet { "#" (part.generation) " " (words.offered) " " (shown.moment_of(&part.offered_at)) } }
                @if let Some(steps) = &part.steps { ol.quiet { @for step in steps { li {
                    (step_word(shown.language(), &step.step)) " " (shown.moment_of(&step.at)) @if !step.staff.is_empty() { ", " (words.by) " " (step.staff) } @if !step.note.is_empty() { " (" (shown.sentence(&step.note)) ")" }
                } } } }
            } } }
            @if order.fulfillments.is_empty() { p { (words.unplaced) } }
        }
    }
}

fn reasons(order: &Order, words: &Words, shown: &Shown) -> Markup {
    html! {
        section aria-labelledby="why" {
            h2 #why { (words.why) }
            @for choice in &order.choices { (of_choice(choice, words, shown)) }
            @if order.reasons.is_empty() && order.choices.is_empty() { p { (words.why_none) } }
            ol.reasons { @for reason in &order.reasons { li { (shown.sentence(&reason.why)) " " span.aged { "(" (reason.entries.len()) " " (words.entries) ")" } } } }
        }
    }
}

/// Why these stores: those that were chosen at once, the others when somebody asks.
fn of_choice(choice: &Choice, words: &Words, shown: &Shown) -> Markup {
    let list = |chosen: bool| {
        html! { ul.reasons { @for judged in choice.stores.iter().filter(|judged| judged.chosen == chosen) { li { (shown.sentence(&judged.why)) } } } }
    };
    let others = choice.stores.iter().filter(|judged| !judged.chosen).count() + choice.omitted as usize;
    html! {
        p.quiet { (words.chosen_at) " " (shown.moment_of(&choice.at)) @if !choice.rule_set.is_empty() { " · " (words.rule_set) " " (choice.rule_set) } @if !choice.is_best { " · " (words.not_best) } }
        (list(true))
        @if others > 0 {
            details id=(format!("choice-{}", choice.generation)) {
                summary { (words.not_chosen) " " (others) }
                (list(false))
                @if choice.omitted > 0 { p.quiet { (words.omitted) " " (choice.omitted) } }
            }
        }
    }
}

fn owed(order: &Order, words: &Words, shown: &Shown) -> Markup {
    html! {
        section aria-labelledby="owed" {
            h2 #owed { (words.owed) }
            @if order.compensations.is_empty() { p { (words.owed_none) } }
            ul.list { @for due in &order.compensations { li {
                p {
                    b { (amount(shown, due.amount, &order.currency)) } " " @if due.kind == "refund" { (words.refund) } @else { (words.loss) } " · " (due.line) ". " (due.rule)
                    " · " (words.bearer) " " @if due.bearer.is_empty() { (words.nobody) } @else { (due.bearer) }
                    " " @if due.state == "done" { span.tag.good { (words.done) } } @else { span.tag.warn { (words.is_due) } }
                }
                @if due.state != "done" && due.kind == "refund" {
                    form.row data-post=(format!("/v1/orders/{}/compensations/{}", order.order, due.id)) data-then="reload" {
                        label { span { (words.gateway) } input name="reference" maxlength="32" autocomplete="off"; }
                        button { (words.redress) }
                    }
                }
            } } }
        }
    }
}

fn ages(order: &Order, (words, common): (&Words, &Common), shown: &Shown) -> Markup {
    html! {
        section aria-labelledby="ages" {
            h2 #ages { (words.known) }
            ul { @for known in &order.knowledge { li {
                (common.store) " " (known.store) ": " (until(shown, common, known.known_until.as_deref())) @if !known.connected { " " span.tag.bad { (common.cut_off) } }
            } } }
        }
    }
}

fn acts(order: &Order, words: &Words) -> Markup {
    let path = |act: &str| format!("/v1/orders/{}/{act}", order.order);
    let office = html! { input type="hidden" name="by" value="head-office"; };
    let unplaced = order.lines.iter().any(|line| line.unplaced > 0);
    html! {
        section aria-labelledby="acts" {
            h2 #acts { (words.acts) }
            div.columns {
                div {
                    h3 { (words.pass) } p.quiet { (words.pass_about) }
                    form.acts data-post=(path("pass")) data-show="qr_svg" data-done=(words.pass_done) data-keep { button { (words.pass) } }
                }
                div {
                    h3 { (words.cancel) } p.quiet { (words.cancel_about) }
                    form.row data-post=(path("cancel")) data-confirm=(words.cancel_sure) data-then="reload" {
                        (office) label { span { (words.reason) } input name="note" maxlength="32" autocomplete="off"; }
                        button.danger { (words.cancel) }
                    }
                    p.acts {}
                    form.acts data-post=(path(if order.hold.is_some() { "resume" } else { "hold" })) data-then="reload" {
                        (office) input type="hidden" name="note" value="head-office";
                        button.quiet { @if order.hold.is_some() { (words.resume) } @else { (words.hold) } }
                    }
                }
                div {
                    h3 { (words.risk_refund) } p.quiet { (words.risk_about) }
                    form.row data-post=(path("risk-refund")) data-confirm=(words.risk_sure) data-then="reload" {
                        (office) label { span { (words.risk_bearer) } input name="note" required maxlength="32" autocomplete="off"; }
                        button.danger { (words.risk_refund) }
                    }
                }
                div {
                    h3 { (words.choice) } p.quiet { (words.move_about) }
                    form.row data-post=(path("choice")) data-then="reload" {
                        label.small { span { (words.choice_store) } input name="stores[0]" required inputmode="numeric" data-type="int"; }
                        button { (words.choice) }
                    }
                    @if unplaced {
                        form.acts data-post=(path("give-up")) data-confirm=(words.give_sure) data-then="reload" { (office) button.danger { (words.give_up) } }
                    }
                }
            }
        }
    }
}
