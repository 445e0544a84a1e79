//! What was promised and is due at stores that cannot be asked, and what can be done about it.

use maud::{Markup, html};
use serde::Deserialize;

use super::orders::{self, state_tag};
use super::{Common, amount, for_office, of_chain, until};
use crate::api::pages::ask::{Ask, Trouble, encoded};
use crate::api::pages::layout::Page;
use crate::api::pages::shown::{Shown, ms_of};
use crate::api::pages::words::words;

words! {
    /// What stands on this page.
    Words {
        title: "Promises at risk", "风险承诺";
        by: "Due until", "截止时间";
        all_good: "Every store is connected: nothing is at risk for want of contact.", "所有门店均已连接，暂无风险。";
        nothing: "Stores are without contact, but nothing is due there until then.", "有门店失联，但在此之前没有到期的承诺。";
        at_risk: "Due at stores without contact", "失联门店到期金额";
        orders: "orders", "个订单";
        pickups: "of them pickups", "其中自提";
        dark: "stores without contact", "家门店失联";
        kept: "reservations", "个预留";
        sentence: "A store without contact goes on by itself: it picks and hands over what it knows. What was promised after its line went down it hears from the customer's pass, or when the line is back.", "失联门店会继续独立履约已知订单；断网后的订单需凭顾客凭证或恢复后送达。";
        choose: "Choose the store", "选择门店";
        paused: "takes nothing new", "已暂停接单";
        pause: "Pause the chosen stores", "暂停所选门店";
        resume: "Let the chosen stores take orders again", "恢复所选门店接单";
        pause_sure: "A paused store is offered no new order until somebody takes that back; what it has stays. Go on with the chosen stores?", "暂停的门店在恢复前不再接新订单，已有订单不变。确定对所选门店执行？";
        pause_done: "Done.", "已完成。";
        order: "Order", "订单";
        state: "State, as known", "已知状态";
        due: "Due", "应完成";
        units: "Units", "件数";
        value: "Worth", "金额";
        unanswered: "not answered: goes to another store by itself when its time is over", "未应答：超时后自动改派";
        accepted: "the store has it: only it can give it up", "门店已接单：只能由该门店放弃";
        refund: "Pay back now", "立即退款";
        refund_about: "If the goods are handed over all the same, somebody bears the loss. Name who.", "若商品仍被交付，损失由指定方承担。";
        bearer: "Who bears it", "承担方";
        refund_sure: "The customer gets the money back, and may get the goods as well. Really?", "顾客将获退款，且仍可能拿到商品。确定？";
        cancel: "Ask to cancel", "申请取消";
        open: "Open the order", "查看订单";
        cut: "There is more than is shown: the figures are too low.", "数据过多，数字偏低。";
        product: "Product", "商品";
        release: "Release", "释放";
    }
}

#[derive(Deserialize)]
struct Risk {
    by: String,
    stores: Vec<Store>,
    is_cut: bool,
}

#[derive(Deserialize)]
struct Store {
    store: u32,
    name: String,
    known_until: Option<String>,
    connected: bool,
    currency: String,
    paused: bool,
    orders: Vec<Order>,
    reservations: Vec<Reservation>,
    value: i64,
}

#[derive(Deserialize)]
struct Order {
    order: String,
    state: String,
    channel: String,
    due: String,
    units: i64,
    value: i64,
    unanswered: bool,
}

#[derive(Deserialize)]
struct Reservation {
    id: String,
    sku: String,
    unit: String,
    quantity: i64,
    due: String,
}

/// The page.
pub async fn page(ask: Ask) -> Result<Page, Trouble> {
    for_office(&ask)?;
    let (words, common, shown) = (Words::of(ask.language()), Common::of(ask.language()), of_chain(&ask));
    let by = ask.param("by").map_or_else(|| shown.at_hour(22), |text| shown.local_ms(text));
    let query = by.map_or(String::new(), |by| format!("?by={}", encoded(&moment_text(by))));
    let risk: Risk = ask.get(format!("/v1/risk{query}")).await?;
    let local = ms_of(&risk.by).map(|by| shown.local_text(by)).unwrap_or_default();
    let body = html! {
        form.row.asked data-go="/chain/risk" {
            label { span { (words.by) } input type="datetime-local" name="by" value=(local); }
            button { (common.show) }
        }
        div #risk data-live="link orders rights control" data-every="5" {
            (totals(&risk, words, &shown))
            @if risk.is_cut { p.said.warn { (words.cut) } }
            @if !risk.stores.is_empty() {
                form #chosen data-post="/v1/order-rules/pause" data-confirm=(words.pause_sure) data-done=(words.pause_done) data-then="reload" {
                    ul.list.dark { @for (index, store) in risk.stores.iter().take(STORES).enumerate() { li { (line(index, store, (words, common), &shown)) } } }
                    p.acts {
                        button.danger name="paused" value="true" data-type="bool" { (words.pause) }
                        button name="paused" value="false" data-type="bool" { (words.resume) }
                    }
                }
            }
            @for store in risk.stores.iter().filter(|store| !store.orders.is_empty() || !store.reservations.is_empty()).take(SHOWN) { (due_there(store, &ask, (words, common), &shown)) }
        }
    };
    Ok(Page::new("/chain/risk", words.title, body))
}

fn totals(risk: &Risk, words: &Words, shown: &Shown) -> Markup {
    let dark: Vec<_> = risk.stores.iter().filter(|store| !store.connected).collect();
    let orders: Vec<_> = dark.iter().flat_map(|store| &store.orders).collect();
    let kept: usize = dark.iter().map(|store| store.reservations.len()).sum();
    let mut values: Vec<(&str, i64)> = Vec::new();
    for store in &dark {
        match values.iter_mut().find(|(currency, _)| *currency == store.currency) {
            Some((_, sum)) => *sum = sum.saturating_add(store.value),
            None => values.push((&store.currency, store.value)),
        }
    }
    let pickups = orders.iter().filter(|order| order.channel == "pickup").count();
    let colour = |is_bad: bool| if is_bad { "tile bad" } else { "tile" };
    html! {
        ul.tiles.counts {
            li class=(colour(!dark.is_empty())) { b { (dark.len()) } (words.dark) }
            li class=(colour(!orders.is_empty())) { b { (orders.len()) } (words.orders) br; span.quiet { (pickups) " " (words.pickups) } }
            li class=(colour(orders.iter().any(|order| order.value > 0))) {
                b { @if values.is_empty() { "0" } @for (currency, sum) in &values { (amount(shown, *sum, currency)) " " } } (words.at_risk)
            }
            li.tile { b { (kept) } (words.kept) }
        }
        @if dark.is_empty() { p.sentence data-state="good" { (words.all_good) } }
        @else if orders.is_empty() && kept == 0 { p.sentence { (words.nothing) } }
        @else { p.sentence data-state="waiting" { (words.sentence) } }
    }
}

fn line(index: usize, store: &Store, (words, common): (&Words, &Common), shown: &Shown) -> Markup {
    html! {
        label.check {
            input type="checkbox" name=(format!("stores[{index}]")) value=(store.store) data-type="int" aria-label=(format!("{} {}", words.choose, store.store));
            span {
                a href=(format!("/fleet/{}", store.store)) { b { (store.store) " " (store.name) } } " "
                @if !store.connected { span.tag.bad { (common.cut_off) } " " (until(shown, common, store.known_until.as_deref())) " " }
                @if store.paused { span.tag.warn { (words.paused) } " " }
                "· " (store.orders.len()) " " (words.orders) " · " (amount(shown, store.value, &store.currency)) " · " (store.reservations.len()) " " (words.kept)
            }
        }
    }
}

fn due_there(store: &Store, ask: &Ask, (words, common): (&Words, &Common), shown: &Shown) -> Markup {
    let states = orders::Words::of(ask.language());
    html! {
        section aria-label=(format!("{} {}", common.store, store.store)) {
            h2 { (store.store) " " (store.name) }
            @if !store.orders.is_empty() {
                div.scroll tabindex="0" role="region" aria-label=(words.orders) { table.cards {
                    thead { tr { th { (words.order) } th { (words.state) } th { (words.due) } th.number { (words.units) } th.number { (words.value) } th { (words.refund) } } }
                    tbody { @for order in store.orders.iter().take(SHOWN) { tr {
                        th.whole scope="row" { a href=(format!("/chain/orders/{}", order.order)) { (order.order) } }
                        td data-label=(words.state) { (state_tag(states, &order.state)) " " span.aged { @if order.unanswered { (words.unanswered) } @else { (words.accepted) } } }
                        td data-label=(words.due) { @if let Some(due) = ms_of(&order.due) { (shown.moment(due)) " " (shown.countdown(due)) } }
                        td.number data-label=(words.units) { (order.units) }
                        td.number data-label=(words.value) { (amount(shown, order.value, &store.currency)) }
                        td {
                            details id=(format!("refund-{}", order.order)) {
                                summary { (words.refund) }
                                p.quiet { (words.refund_about) }
                                form.row data-post=(format!("/v1/orders/{}/risk-refund", order.order)) data-confirm=(words.refund_sure) data-then="reload" {
                                    input type="hidden" name="by" value="head-office";
                                    label { span { (words.bearer) } input name="note" required maxlength="32" autocomplete="off"; }
                                    button.danger { (words.refund) }
                                }
                            }
                        }
                    } } }
                } }
            }
            @if !store.reservations.is_empty() {
                div.scroll tabindex="0" role="region" aria-label=(words.kept) { table {
                    thead { tr { th { (words.product) } th.number { (words.units) } th { (words.due) } th { span.hidden { (words.release) } } } }
                    tbody { @for held in store.reservations.iter().take(SHOWN) { tr {
                        th scope="row" { a href=(format!("/chain/rights?sku={}", held.sku)) { (held.sku) } }
                        td.number { (shown.quantity(held.quantity, &held.unit)) }
                        td { (shown.moment_of(&held.due)) }
                        td { form data-post=(format!("/v1/reservations/{}/release", held.id)) data-then="reload" { button.quiet aria-label=(format!("{} {}", words.release, held.sku)) { (words.release) } } }
                    } } }
                } }
            }
        }
    }
}

fn moment_text(ms: u64) -> String {
    i64::try_from(ms)
        .ok()
        .and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok())
        .map_or(String::new(), |at| at.to_string())
}

/// Stores that can be chosen.
const STORES: usize = 200;

/// Stores, and rows of each, that are shown in detail.
const SHOWN: usize = 30;
