//! Deliveries from this store: who brings them, what went wrong and comes back, and the riders with their route sheets.

use maud::{Markup, html};
use serde::Deserialize;

use super::super::ask::{Ask, Trouble};
use super::super::layout::Page;
use super::super::shown::{Shown, ms_of, span_words};
use super::super::words::{Language, words};
use super::part::{Place, places};

words! {
    /// What stands on the page of deliveries.
    Words {
        title: "Couriers", "配送";
        under_way: "Under way", "进行中";
        none: "Nothing is being delivered.", "没有进行中的配送。";
        to_send: "Waits for somebody to bring it", "等待安排配送";
        none_to_send: "No delivery is ready to leave.", "没有待出店的配送。";
        riders: "Riders", "骑手";
        no_riders: "No rider is entered.", "尚未登记骑手。";
        add: "Enter a rider", "登记骑手";
        id: "Short name", "工号";
        name: "Name", "姓名";
        phone: "Telephone", "电话";
        on_duty: "on duty", "在岗";
        off_duty: "not on duty", "不在岗";
        begin: "Begins work", "上岗";
        end: "Ends work", "下岗";
        sheet: "Route sheet", "路线单";
        bags: "bags", "袋";
        no_stops: "Nothing to bring.", "没有配送任务。";
        print: "Print the route sheet", "打印路线单";
        promised: "Promised", "承诺时间";
        assign: "This rider brings it", "由该骑手配送";
        rider: "Rider", "骑手";
        redispatch: "Ask couriers again", "重新呼叫骑手";
        cancel: "Call it off", "取消配送";
        returned: "The goods are back", "货已退回";
        lose: "The goods are gone", "货已丢失";
        lose_sure: "Really? The goods are written off.", "确定吗？货物将被核销。";
        seen: "last seen", "最后位置";
        ago: "ago", "前";
        alarms: "Look at this", "请注意";
        waits_for_store: "Waits until the store says that the goods left.", "等待门店确认出店。";
        manual: "somebody has to decide", "需人工处理";
        requested: "asked for", "已呼叫";
        accepted: "taken", "已接单";
        courier_assigned: "rider found", "已安排骑手";
        courier_at_store: "rider is at the store", "骑手已到店";
        picked_up: "on its way", "配送中";
        near_dropoff: "nearly there", "即将送达";
        delivered: "delivered", "已送达";
        returning: "comes back", "退回途中";
        back: "came back", "已退回";
        failed: "failed", "失败";
        expired: "nobody took it", "无人接单";
        cancelled: "called off", "已取消";
        open: "Open", "打开";
    }
}

#[derive(Deserialize)]
struct Deliveries {
    items: Vec<Delivery>,
}

#[derive(Deserialize)]
struct Delivery {
    order: String,
    store: u32,
    state: Option<String>,
    standing: Option<String>,
    due: Option<String>,
    attempts: Vec<Attempt>,
    alarms: Vec<String>,
    waiting: Vec<String>,
    position: Option<Position>,
}

#[derive(Deserialize)]
struct Attempt {
    courier: String,
    state: String,
    since: String,
    reason: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct Position {
    age_s: u64,
}

#[derive(Deserialize)]
struct Riders {
    items: Vec<Rider>,
}

#[derive(Deserialize)]
struct Rider {
    id: String,
    name: String,
    phone: String,
    store: u32,
    on_duty: bool,
}

#[derive(Deserialize)]
struct Sheet {
    stops: Vec<Stop>,
}

#[derive(Deserialize)]
struct Stop {
    order: String,
    bag_code: String,
    bags: u32,
    due: String,
    state: String,
    age_min: Option<u8>,
}

#[derive(Deserialize)]
struct Queue {
    items: Vec<super::part::Part>,
}

/// The page.
pub async fn page(ask: Ask) -> Result<Page, Trouble> {
    let (language, words, shown) = (ask.language(), Words::of(ask.language()), ask.shown());
    let store = ask.api().info.store;
    let deliveries: Deliveries = ask.get(format!("/v1/deliveries?store={store}")).await?;
    let riders: Riders = ask.get("/v1/riders").await?;
    let queue: Queue = ask.get("/v1/fulfillments?limit=200").await?;
    let own: Vec<_> = riders.items.iter().filter(|rider| rider.store == store).collect();
    let mut sheets = Vec::new();
    for rider in &own {
        let path = format!("/v1/riders/{}/sheet", super::super::ask::encoded(&rider.id));
        sheets.push(ask.find::<Sheet>(path).await?);
    }
    let held = |order: &str| deliveries.items.iter().any(|delivery| delivery.order == order);
    let waits: Vec<_> =
        queue.items.iter().filter(|part| !part.is_pickup() && part.state == "ready" && !held(&part.order)).collect();
    let body = html! {
        (places(language, Place::Couriers))
        div #desk data-live="orders deeds" {
            section aria-labelledby="under-way" {
                h2 #under-way { (words.under_way) }
                @if deliveries.items.is_empty() { p { (words.none) } }
                ul.list { @for delivery in &deliveries.items { (drawn(delivery, &own, words, (language, &shown))) } }
            }
            section aria-labelledby="to-send" {
                h2 #to-send { (words.to_send) }
                @if waits.is_empty() { p { (words.none_to_send) } }
                ul.list { @for part in &waits {
                    li {
                        a href={ "/orders/" (part.order) } { b.order-number { "…" (part.short_number()) } span { @if let Some(due) = ms_of(&part.due) { (shown.countdown(due)) } } }
                        (assign(&part.order, part.short_number(), &own, words))
                    }
                } }
            }
            section aria-labelledby="riders" {
                h2 #riders { (words.riders) }
                @if own.is_empty() { p { (words.no_riders) } }
                ul.list { @for (rider, sheet) in own.iter().zip(&sheets) { (person(rider, sheet.as_ref(), words, &shown)) } }
            }
        }
        section aria-labelledby="add" {
            h2 #add { (words.add) }
            form.row data-post="/v1/riders" {
                label { span { (words.id) } input name="id" required maxlength="32" pattern="[A-Za-z0-9_\\-]+" autocomplete="off"; }
                label { span { (words.name) } input name="name" required maxlength="64" autocomplete="off"; }
                label { span { (words.phone) } input name="phone" inputmode="tel" maxlength="32" autocomplete="off"; }
                input type="hidden" name="on_duty" value="true" data-type="bool";
                button { (words.add) }
            }
        }
    };
    Ok(Page::new("/orders", words.title, body).with(&["orders.js"]))
}

fn drawn(delivery: &Delivery, riders: &[&Rider], words: &Words, (language, shown): (Language, &Shown)) -> Markup {
    let end = delivery.order.get(delivery.order.len().saturating_sub(4)..).unwrap_or(&delivery.order);
    let state = delivery.state.as_deref().unwrap_or("requested");
    let act = |action: &str| format!("/v1/deliveries/{}/{action}", delivery.order);
    let is_bad = matches!(state, "failed" | "expired" | "returning");
    let body = html! { input type="hidden" name="store" value=(delivery.store) data-type="int"; };
    html! {
        li {
            a href={ "/orders/" (delivery.order) } {
                span.order-head {
                    b.order-number { "…" (end) }
                    span.tag.bad[is_bad].good[state == "delivered"] { (state_word(words, state)) }
                    @if delivery.standing.as_deref() == Some("manual") { span.tag.bad { (words.manual) } }
                }
                span.order-due { @if let Some(due) = delivery.due.as_deref().and_then(ms_of) { (shown.countdown(due)) " " span.quiet { (shown.moment(due)) } } }
                span.order-about {
                    @if let Some(last) = delivery.attempts.last() {
                        (last.courier) ": " (state_word(words, &last.state)) " " (shown.moment_of(&last.since))
                        @if let Some(why) = last.reason.as_ref().and_then(|why| why.as_str()) { " (" (why) ")" }
                    }
                    @if let Some(position) = &delivery.position { " · " (words.seen) " " (span_words(language, position.age_s)) " " (words.ago) }
                }
            }
            @for alarm in &delivery.alarms { p.said.warn { (words.alarms) ": " (alarm) } }
            @if !delivery.waiting.is_empty() { p.said.warn { (words.waits_for_store) } }
            @if matches!(state, "returning" | "failed") { form.acts data-post=(act("confirm-returned")) { (body) button.main { (words.returned) } } }
            @if matches!(state, "failed" | "expired" | "cancelled") || delivery.standing.as_deref() == Some("manual") {
                (assign(&delivery.order, end, riders, words))
                form.acts data-post=(act("redispatch")) { (body) button { (words.redispatch) } }
            }
            @if matches!(state, "requested" | "accepted" | "courier_assigned") { form.acts data-post=(act("cancel")) { (body) button { (words.cancel) } } }
            @if matches!(state, "picked_up" | "returning") { form.acts data-post=(act("lose")) data-confirm=(words.lose_sure) { (body) button.danger { (words.lose) } } }
        }
    }
}

fn assign(order: &str, end: &str, riders: &[&Rider], words: &Words) -> Markup {
    html! {
        @if riders.iter().any(|rider| rider.on_duty) {
            form.row data-post={ "/v1/deliveries/" (order) "/assign" } {
                label { span { (words.rider) " (…" (end) ")" } select name="rider" {
                    @for rider in riders.iter().filter(|rider| rider.on_duty) { option value=(rider.id) { (rider.name) } }
                } }
                button { (words.assign) }
            }
        }
    }
}

fn person(rider: &Rider, sheet: Option<&Sheet>, words: &Words, shown: &Shown) -> Markup {
    let stops = sheet.map_or(&[][..], |sheet| &sheet.stops);
    html! {
        li {
            p { b { (rider.name) } " " span.quiet { (rider.phone) } " " span.tag.good[rider.on_duty] { @if rider.on_duty { (words.on_duty) } @else { (words.off_duty) } } }
            @if stops.is_empty() { p.quiet { (words.no_stops) } }
            @else {
                h3 { (words.sheet) }
                ol { @for stop in stops {
                    li {
                        a href={ "/orders/" (stop.order) } { (stop.bag_code) } ", " (stop.bags) " " (words.bags) ", " (words.promised) " " (shown.moment_of(&stop.due))
                        ", " (state_word(words, &stop.state)) @if let Some(age) = stop.age_min { " " span.tag.warn { (age) "+" } }
                    }
                } }
                button type="button" data-print-sheet=(rider.id) aria-label={ (words.print) ": " (rider.name) } { (words.print) }
                p.said role="status" hidden {}
            }
            form.acts data-post="/v1/riders" {
                input type="hidden" name="id" value=(rider.id);
                input type="hidden" name="name" value=(rider.name);
                input type="hidden" name="phone" value=(rider.phone);
                input type="hidden" name="on_duty" value=(!rider.on_duty) data-type="bool";
                button aria-label={ @if rider.on_duty { (words.end) } @else { (words.begin) } ": " (rider.name) } { @if rider.on_duty { (words.end) } @else { (words.begin) } }
            }
        }
    }
}

fn state_word<'a>(words: &'a Words, state: &'a str) -> &'a str {
    match state {
        "requested" => words.requested,
        "accepted" => words.accepted,
        "courier_assigned" => words.courier_assigned,
        "courier_at_store" => words.courier_at_store,
        "picked_up" => words.picked_up,
        "near_dropoff" => words.near_dropoff,
        "delivered" => words.delivered,
        "returning" => words.returning,
        "returned" => words.back,
        "failed" => words.failed,
        "expired" => words.expired,
        "cancelled" => words.cancelled,
        other => other,
    }
}
