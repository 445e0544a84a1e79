//! A fulfillment as pages show it: its state in words, its badges, what is done next, and the links between the pages about orders.

use maud::{Markup, html};
use serde::Deserialize;

use super::super::shown::{Shown, ms_of};
use super::super::words::{Language, words};

words! {
    /// What all pages about orders say.
    Words {
        pages: "Orders", "订单";
        queue: "To do", "待办";
        picking: "Picking", "拣货";
        handover: "Handover", "交货";
        returns: "Returns", "退货";
        couriers: "Couriers", "配送";
        offered: "offered", "待接单";
        accepted: "to be picked", "待拣货";
        being_picked: "being picked", "拣货中";
        picked: "picked", "已拣完";
        packed: "packed", "已装袋";
        ready: "ready", "可取货";
        awaited: "courier comes", "等待骑手";
        out: "on its way", "配送中";
        returning: "comes back", "退回途中";
        handed_over: "handed over", "已交货";
        delivered: "delivered", "已送达";
        refused: "refused", "已拒单";
        stood_down: "given up", "已放弃";
        cancelled: "cancelled", "已取消";
        declined: "not taken", "顾客未取";
        uncollected: "nobody came", "无人取货";
        returned: "came back", "已退回";
        lost: "lost", "已丢失";
        pickup: "Pickup", "自提";
        delivery: "Delivery", "配送";
        cancel_asked: "cancel asked", "请求取消";
        withdrawn: "withdrawn", "已撤回";
        by_pass: "by pass", "凭证";
        speculative: "maybe elsewhere too", "可能有他店接单";
        age: "age", "年龄";
        held: "on hold", "暂停";
        put_back: "put back", "待放回";
        here: "customer is here", "顾客已到";
        answer_in: "answer within", "接单剩余";
        by: "by", "由";
        taken: "with a handheld", "已由手持设备带走";
        bay: "Bay", "货位";
    }
}

/// A fulfillment, as the API says it.
#[derive(Deserialize)]
pub struct Part {
    pub order: String,
    pub generation: u16,
    pub state: String,
    pub channel: String,
    pub due: String,
    pub accept_in_s: Option<i64>,
    pub hold: Option<String>,
    pub cancel_asked: bool,
    pub withdrawn: bool,
    pub speculative: bool,
    pub by_pass: bool,
    pub to_put_back: bool,
    pub bay: String,
    pub bags: String,
    pub arrived_at: Option<String>,
    pub arrived_where: String,
    pub hold_until: Option<String>,
    pub handed_at: Option<String>,
    pub offered_at: String,
    pub picker: String,
    pub taken_along: Option<Taken>,
    pub age_min: u8,
    pub age_checked: bool,
    pub has_contact: bool,
    pub lines: Vec<Line>,
    pub steps: Option<Vec<Step>>,
}

/// Who has it with a handheld.
#[derive(Deserialize)]
pub struct Taken {
    pub staff: String,
    pub until: String,
}

/// One line.
#[derive(Deserialize)]
pub struct Line {
    pub line: u16,
    pub sku: String,
    pub name: String,
    pub unit: String,
    pub quantity: i64,
    pub picked: Option<i64>,
    pub handed: i64,
    pub cancelled: i64,
    pub short: i64,
    pub reason: String,
    pub substitute: Option<Substitute>,
    pub unit_price: i64,
    pub age_min: u8,
}

/// What was picked instead.
#[derive(Deserialize)]
pub struct Substitute {
    pub sku: String,
}

/// Something that was said of it.
#[derive(Deserialize)]
pub struct Step {
    pub step: String,
    pub at: String,
    pub staff: String,
    pub device: u32,
    pub note: String,
}

/// Which page about orders is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Queue,
    Picking,
    Handover,
    Returns,
    Couriers,
}

/// The links between the pages about orders.
pub fn places(language: Language, here: Place) -> Markup {
    let words = Words::of(language);
    let all = [
        (Place::Queue, "/orders", words.queue),
        (Place::Picking, "/picking", words.picking),
        (Place::Handover, "/handover", words.handover),
        (Place::Returns, "/returns", words.returns),
        (Place::Couriers, "/couriers", words.couriers),
    ];
    html! {
        nav.within aria-label=(words.pages) {
            ul { @for (place, path, word) in all { li { a href=(path) aria-current=[(place == here).then_some("page")] { (word) } } } }
        }
    }
}

/// A state in words.
pub fn state_word(language: Language, state: &str) -> &str {
    let words = Words::of(language);
    match state {
        "offered" => words.offered,
        "accepted" => words.accepted,
        "picking" => words.being_picked,
        "picked" => words.picked,
        "packed" => words.packed,
        "ready" => words.ready,
        "courier-assigned" => words.awaited,
        "out-for-delivery" => words.out,
        "returning" => words.returning,
        "handed-over" => words.handed_over,
        "delivered" => words.delivered,
        "refused" => words.refused,
        "stood-down" => words.stood_down,
        "cancelled" => words.cancelled,
        "declined" => words.declined,
        "uncollected" => words.uncollected,
        "returned" => words.returned,
        "lost" => words.lost,
        other => other,
    }
}

impl Part {
    /// True while goods may still get to the customer.
    pub fn is_open(&self) -> bool {
        matches!(
            self.state.as_str(),
            "offered"
                | "accepted"
                | "picking"
                | "picked"
                | "packed"
                | "ready"
                | "courier-assigned"
                | "out-for-delivery"
                | "returning"
        )
    }

    /// True for goods that the customer fetches.
    pub fn is_pickup(&self) -> bool {
        self.channel == "pickup"
    }

    /// The end of its number, by which people call it.
    pub fn short_number(&self) -> &str {
        self.order.get(self.order.len().saturating_sub(4)..).unwrap_or(&self.order)
    }

    /// How many pieces there are, weighed goods counting as one.
    pub fn pieces(&self) -> i64 {
        let of = |line: &Line| if line.unit == "gram" { 1 } else { line.quantity - line.cancelled };
        self.lines.iter().map(of).sum()
    }

    /// What somebody has to know before she touches it.
    pub fn badges(&self, language: Language, shown: &Shown) -> Markup {
        let words = Words::of(language);
        html! {
            @if self.cancel_asked { span.tag.bad { (words.cancel_asked) } " " }
            @if self.withdrawn { span.tag.bad { (words.withdrawn) } " " }
            @if let Some(why) = &self.hold { span.tag.warn { (words.held) ": " (why) } " " }
            @if self.to_put_back { span.tag.warn { (words.put_back) } " " }
            @if self.by_pass { span.tag.warn { (words.by_pass) } " " }
            @if self.speculative { span.tag.warn { (words.speculative) } " " }
            @if self.age_min > 0 { span.tag.warn[!self.age_checked].good[self.age_checked] { (words.age) " " (self.age_min) "+" } " " }
            @if let Some(since) = self.arrived_at.as_deref().and_then(ms_of) {
                span.tag.bad { (words.here) " " (self.arrived_where) " " (shown.age(since)) } " "
            }
            @if let Some(taken) = &self.taken_along { span.tag.warn { (words.taken) " " (taken.staff) " → " (shown.moment_of(&taken.until)) } " " }
            @if !self.picker.is_empty() { span.tag { (words.being_picked) " " (words.by) " " (self.picker) } " " }
        }
    }

    /// The state as a tag.
    pub fn state_tag(&self, language: Language) -> Markup {
        let is_good = matches!(self.state.as_str(), "ready" | "handed-over" | "delivered");
        let is_bad = matches!(self.state.as_str(), "refused" | "lost" | "cancelled" | "returning");
        html! { span.tag.good[is_good].bad[is_bad] { (state_word(language, &self.state)) } }
    }
}

impl Words {
    /// How the customer gets it.
    pub fn word_of(&self, part: &Part) -> &'static str {
        if part.is_pickup() { self.pickup } else { self.delivery }
    }
}

/// What was said of an order, in words.
pub fn step_word(language: Language, step: &str) -> &str {
    let words = Steps::of(language);
    match step {
        "accept" => words.accept,
        "refuse" => words.refuse,
        "start-picking" => words.start_picking,
        "pick" => words.pick,
        "pack" => words.pack,
        "stage" => words.stage,
        "ready" => words.ready,
        "arrive" => words.arrive,
        "hand-over" => words.hand_over,
        "wrong-code" => words.wrong_code,
        "check-age" => words.check_age,
        "take-along" => words.take_along,
        "bring-back" => words.bring_back,
        "confirm-cancel" => words.confirm_cancel,
        "deny-cancel" => words.deny_cancel,
        "put-back" => words.put_back,
        "hold" => words.hold,
        "resume" => words.resume,
        "dispatch" => words.dispatch,
        "deliver" => words.deliver,
        "fail-delivery" => words.fail_delivery,
        "returned" => words.returned,
        "stand-down" => words.stand_down,
        "decline" => words.decline,
        "uncollected" => words.uncollected,
        other => other,
    }
}

words! {
    /// What is said of orders.
    Steps {
        accept: "accepted", "已接单";
        refuse: "refused", "已拒单";
        start_picking: "picking began", "开始拣货";
        pick: "picked", "已拣";
        pack: "packed, bags:", "已装袋：";
        stage: "put into bay", "放入货位";
        ready: "ready", "备好";
        arrive: "customer came", "顾客到店";
        hand_over: "handed over", "已交货";
        wrong_code: "wrong code", "取货码错误";
        check_age: "age checked", "已验年龄";
        take_along: "taken along", "手持设备带走";
        bring_back: "brought back", "已带回";
        confirm_cancel: "cancel confirmed", "确认取消";
        deny_cancel: "cancel refused", "拒绝取消";
        put_back: "put back", "已放回";
        hold: "on hold", "暂停";
        resume: "goes on", "继续";
        dispatch: "left the store", "已出店";
        deliver: "delivered", "已送达";
        fail_delivery: "not delivered", "未能送达";
        returned: "came back", "已退回";
        stand_down: "given up", "已放弃";
        decline: "not taken", "顾客未取";
        uncollected: "nobody came", "无人取货";
    }
}
