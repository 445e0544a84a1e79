//! One order at this store: its lines, what was said of it so far, and what is done with it next as the one big button.

use maud::{Markup, html};
use serde::Deserialize;

use super::super::ask::{Ask, Trouble};
use super::super::layout::Page;
use super::super::shown::{Shown, ms_of};
use super::super::words::{Language, words};
use super::part::{self, Line, Part, Place, Step, places};
use crate::config::Profile;

words! {
    /// What stands on the page of one order.
    Words {
        title: "Order", "订单";
        next: "What is next", "下一步";
        accept: "Accept", "接单";
        refuse: "Refuse", "拒单";
        why: "Why", "原因";
        busy: "too much to do", "太忙";
        closed: "closing soon", "即将打烊";
        no_goods: "the goods are not there", "没有货";
        pick: "Pick it", "去拣货";
        make_ready: "It is ready", "备货完成";
        bay: "In which bay it lies", "放在哪个货位";
        bags: "Bags", "袋数";
        pack: "Write down the bags", "登记袋数";
        hand_over: "Hand over", "交给顾客";
        dispatch: "It leaves the store", "出店配送";
        with_whom: "With whom", "交给谁";
        put_back: "It lies on the shelf again", "已放回货架";
        confirm_cancel: "Confirm the cancel", "确认取消";
        deny_cancel: "Refuse the cancel", "拒绝取消";
        nothing: "Nothing has to be done with it.", "无需处理。";
        comes_back: "It could not be delivered and comes back. When the bags are here, say so; then put the goods back.", "未能送达，正在退回。收到包裹后请确认，然后将商品归位。";
        is_back: "The bags are back", "包裹已退回";
        wait_courier: "The courier says what becomes of it.", "等待骑手反馈。";
        see_couriers: "Deliveries", "配送";
        is_held: "It is on hold:", "已暂停：";
        resume: "Go on", "继续";
        hold: "Put on hold", "暂停";
        lines: "Lines", "商品";
        age: "age", "年龄";
        missing: "missing", "缺";
        instead: "instead:", "替代：";
        cancelled: "cancelled", "已取消";
        handed: "with the customer", "已交付";
        steps: "So far", "进展";
        contact: "Customer's contact", "顾客联系方式";
        contact_about: "Each reading is written down with its reason.", "每次查看都会连同原因一起记录。";
        read: "Show", "查看";
        reason_call: "to call about the order", "就订单致电";
        reason_deliver: "to deliver", "配送";
        paper: "Paper", "打印";
        label: "Label", "标签";
        bag_tag: "Bag tags", "袋签";
        pick_list: "Pick list", "拣货单";
        receipt: "Receipt", "小票";
        notes: "Notes and messages", "备注与留言";
        write: "Message to whoever works on it", "给同事的留言";
        send: "Write it down", "记下";
        no_notes: "Nobody has written anything.", "暂无留言。";
        facts: "Facts", "概要";
        due: "Due", "期限";
        kept_until: "Kept until", "保留至";
        offered: "Here since", "到店时间";
        offer: "Offer", "派单";
        taken_back: "Take it back from the handheld", "从手持设备收回";
        taken_about: "It is away with a handheld: it is handed over there. A manager can take it back.", "已由手持设备带走，由其交付；店长可收回。";
        picker_about: "is picking it now.", "正在拣货。";
        to_queue: "Back to the queue", "返回待办";
    }
}

#[derive(Deserialize)]
struct Note {
    chat: Vec<Said>,
}

#[derive(Deserialize)]
struct Said {
    text: String,
}

/// The page.
pub async fn page(ask: Ask) -> Result<Page, Trouble> {
    let (language, words, shown) = (ask.language(), Words::of(ask.language()), ask.shown());
    let id = super::super::ask::encoded(ask.segment("id"));
    let part: Part = ask.get(format!("/v1/fulfillments/{id}")).await?;
    let note: Option<Note> = ask.find(format!("/v1/notes/orders/{id}")).await.unwrap_or(None);
    let who = ask.signed_in().map_or(String::new(), |record| record.staff.as_str().to_owned());
    let body = html! {
        (places(language, Place::Queue))
        div #order data-live="orders" data-order=(part.order) data-generation=(part.generation) {
            p.lead {
                (part.state_tag(language)) " " (part::Words::of(language).word_of(&part)) " " (part.badges(language, &shown))
            }
            (next(&part, words, (&ask, &shown, &who)))
            section aria-labelledby="lines" {
                h2 #lines { (words.lines) }
                ul.list { @for line in &part.lines { (drawn(line, words, &shown)) } }
            }
            div.columns {
                (facts(&part, words, (language, &shown)))
                section aria-labelledby="steps" {
                    h2 #steps { (words.steps) }
                    ol.list { @for step in part.steps.iter().flatten().rev() { (said(step, (language, &shown))) } }
                }
            }
        }
        div.columns {
            (paper(&part, words))
            @if part.has_contact { (contact(&part, words)) }
        }
        section aria-labelledby="notes" {
            h2 #notes { (words.notes) }
            div #chat data-live="orders" {
                @match note.as_ref().filter(|note| !note.chat.is_empty()) {
                    Some(note) => ul.list { @for said in &note.chat { li { (said.text) } } },
                    None => p.quiet { (words.no_notes) },
                }
            }
            form.row data-post={ "/v1/notes/orders/" (part.order) } {
                input type="hidden" name="edits[0].do" value="say";
                label { span { (words.write) } input name="edits[0].text" required maxlength="400" autocomplete="off"; }
                button { (words.send) }
            }
        }
        p.acts { a.button.quiet href="/orders" { (words.to_queue) } }
    };
    Ok(Page::new("/orders", format!("{} …{}", words.title, part.short_number()), body).with(&["orders.js"]))
}

/// What is done next, as one big button, and below it what else may be done.
fn next(part: &Part, words: &Words, (ask, shown, who): (&Ask, &Shown, &str)) -> Markup {
    let (language, has_bays) = (ask.language(), ask.api().info.profile != Profile::Solo);
    let act = |action: &str| format!("/v1/fulfillments/{}/{action}", part.order);
    let generation = html! { input type="hidden" name="generation" value=(part.generation) data-type="int"; };
    html! {
        section.next aria-labelledby="next" {
            h2 #next { (words.next) }
            @if !part.picker.is_empty() && part.picker != who { p.said.warn { (part.picker) " " (words.picker_about) } }
            @if part.taken_along.is_some() {
                p { (words.taken_about) }
                form.acts data-post=(act("bring-back")) data-approve="hand-over" { (generation) button { (words.taken_back) } }
            } @else if let Some(why) = part.hold.as_ref().filter(|_| part.is_open()) {
                p.said.warn { (words.is_held) " " (why) }
                form.acts data-post=(act("resume")) { (generation) button.main.large { (words.resume) } }
            } @else if part.cancel_asked {
                form.acts data-post=(act("confirm-cancel")) { (generation) button.main.large { (words.confirm_cancel) } }
                form.acts data-post=(act("deny-cancel")) { (generation) button { (words.deny_cancel) } }
            } @else {
                @match part.state.as_str() {
                    "offered" => {
                        form.acts data-post=(act("accept")) { (generation) button.main.large { (words.accept) } }
                    }
                    "accepted" | "picking" => p.acts { a.button.main.large href={ "/picking?orders=" (part.order) } { (words.pick) } },
                    "picked" | "packed" => {
                        form.row data-post=(act("ready")) {
                            (generation)
                            @if has_bays { label { span { (words.bay) } input name="note" value=(part.bay) maxlength="32" autocomplete="off"; } }
                            button.main.large { (words.make_ready) }
                        }
                        form.row data-post=(act("pack")) {
                            (generation)
                            label.small { span { (words.bags) } input name="note" inputmode="numeric" required value=(part.bags) maxlength="3" autocomplete="off"; }
                            button { (words.pack) }
                        }
                    }
                    "ready" if part.is_pickup() => p.acts { a.button.main.large href={ "/handover?order=" (part.order) } { (words.hand_over) } },
                    "ready" | "courier-assigned" => {
                        form.row data-post=(act("dispatch")) {
                            (generation)
                            label { span { (words.with_whom) } input name="note" maxlength="32" autocomplete="off"; }
                            button.main.large { (words.dispatch) }
                        }
                    }
                    "returning" => {
                        p { (words.comes_back) }
                        form.acts data-post=(act("returned")) { (generation) button.main.large { (words.is_back) } }
                    }
                    "out-for-delivery" => {
                        p { (words.wait_courier) }
                        p.acts { a.button href="/couriers" { (words.see_couriers) } }
                        form.acts data-post=(act("returned")) { (generation) button { (words.is_back) } }
                    }
                    _ if part.to_put_back => form.acts data-post=(act("put-back")) { (generation) button.main.large { (words.put_back) } },
                    _ => p { (words.nothing) @if let Some(at) = &part.handed_at { " " (part::state_word(language, &part.state)) " " (shown.moment_of(at)) } },
                }
            }
            @if matches!(part.state.as_str(), "offered" | "accepted") && part.taken_along.is_none() {
                details #refusing {
                    summary { (words.refuse) }
                    form.row data-post=(act("refuse")) {
                        (generation)
                        label { span { (words.why) } select name="note" required {
                            option value="out-of-stock" { (words.no_goods) }
                            option value="too-busy" { (words.busy) }
                            option value="closing" { (words.closed) }
                        } }
                        button.danger { (words.refuse) }
                    }
                }
            }
        }
    }
}

fn drawn(line: &Line, words: &Words, shown: &Shown) -> Markup {
    html! {
        li.order-line {
            span { b { @if line.name.is_empty() { (line.sku) } @else { (line.name) } } " " span.quiet { (line.sku) } }
            span.order-about {
                @match line.picked {
                    Some(picked) => { (shown.quantity(picked, &line.unit)) " / " (shown.quantity(line.quantity, &line.unit)) },
                    None => (shown.quantity(line.quantity, &line.unit)),
                }
                @if line.unit == "each" { " × " (shown.money(line.unit_price)) }
                @if line.age_min > 0 { " " span.tag.warn { (words.age) " " (line.age_min) "+" } }
                @if line.short > 0 { " " span.tag.bad { (words.missing) " " (shown.quantity(line.short, &line.unit)) @if !line.reason.is_empty() { " (" (line.reason) ")" } } }
                @if let Some(other) = &line.substitute { " " span.tag { (words.instead) " " (other.sku) } }
                @if line.cancelled > 0 { " " span.tag.bad { (words.cancelled) " " (shown.quantity(line.cancelled, &line.unit)) } }
                @if line.handed > 0 { " " span.tag.good { (words.handed) " " (shown.quantity(line.handed, &line.unit)) } }
            }
        }
    }
}

fn facts(part: &Part, words: &Words, (language, shown): (Language, &Shown)) -> Markup {
    let of = part::Words::of(language);
    html! {
        section aria-labelledby="facts" {
            h2 #facts { (words.facts) }
            dl.facts {
                dt { (words.title) } dd { (part.order) }
                dt { (words.due) } dd {
                    (shown.moment_of(&part.due))
                    @if let Some(due) = ms_of(&part.due).filter(|_| part.is_open()) { " (" (shown.countdown(due)) ")" }
                }
                @if !part.bay.is_empty() { dt { (of.bay) } dd { (part.bay) } }
                @if !part.bags.is_empty() { dt { (words.bags) } dd { (part.bags) } }
                @if let Some(until) = &part.hold_until { dt { (words.kept_until) } dd { (shown.moment_of(until)) } }
                dt { (words.offered) } dd { (shown.moment_of(&part.offered_at)) }
                dt { (words.offer) } dd { (part.generation) }
            }
        }
    }
}

fn said(step: &Step, (language, shown): (Language, &Shown)) -> Markup {
    html! {
        li {
            b { (part::step_word(language, &step.step)) } " " (shown.moment_of(&step.at))
            @if !step.staff.is_empty() { " " span.quiet { (step.staff) @if step.device > 0 { " · " (step.device) } } }
            @if !step.note.is_empty() && step.step != "take-along" { " " span.quiet { (step.note) } }
        }
    }
}

fn paper(part: &Part, words: &Words) -> Markup {
    let sheets = [
        ("label", words.label, true),
        ("bag-tag", words.bag_tag, !part.bags.is_empty()),
        ("pick-list", words.pick_list, matches!(part.state.as_str(), "offered" | "accepted" | "picking")),
        ("receipt", words.receipt, part.handed_at.is_some()),
    ];
    html! {
        section #paper aria-labelledby="paper-head" {
            h2 #paper-head { (words.paper) }
            p #printed.said role="status" hidden {}
            p.acts { @for (sheet, word, fits) in sheets { @if fits {
                button type="button" data-print=(sheet) data-order=(part.order) { (word) }
            } } }
        }
    }
}

fn contact(part: &Part, words: &Words) -> Markup {
    html! {
        section aria-labelledby="contact" {
            h2 #contact { (words.contact) }
            p.quiet { (words.contact_about) }
            form.row data-contact=(part.order) {
                label { span { (words.why) } select name="reason" {
                    option value="call" { (words.reason_call) }
                    option value="deliver" { (words.reason_deliver) }
                } }
                button { (words.read) }
            }
            dl.facts #contact-read aria-live="polite" {}
        }
    }
}
