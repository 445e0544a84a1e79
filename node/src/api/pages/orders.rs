//! The queue of a store's orders: what somebody has to work on, the first due first.
//!
//! | module | what it knows |
//! |---|---|
//! | [`part`] | a fulfillment as pages show it, and the links between the pages |
//! | [`one`] | one order, and what is done with it next |
//! | [`picking`] | several orders fetched in one walk |
//! | [`handover`] | the customer at the counter |
//! | [`returns`] | goods that come back |
//! | [`couriers`] | deliveries and riders |
//! | [`said`] | what the scripts of these pages say |

pub mod couriers;
pub mod handover;
pub mod one;
mod part;
pub mod picking;
pub mod returns;
pub mod said;

use maud::{Markup, html};
use serde::Deserialize;

use super::ask::{Ask, Trouble, encoded};
use super::layout::Page;
use super::shown::{Shown, ms_of};
use super::words::{Language, words};
pub use part::step_word;
use part::{Part, Place, places};

words! {
    /// What stands on the page of the queue.
    Words {
        title: "Orders", "订单";
        filter: "Show", "筛选";
        all_open: "Everything to do", "全部待办";
        offered: "To accept", "待接单";
        accepted: "To pick", "待拣货";
        being_picked: "Being picked", "拣货中";
        ready: "Ready", "可取货";
        find: "End of the number, or of the phone", "订单尾号或手机尾号";
        search: "Search", "搜索";
        none: "No order waits here.", "没有待办订单。";
        none_found: "No open order fits. The customer may have it already: look at all orders.", "没有符合的待办订单；顾客可能已取货，可查看全部订单。";
        all: "All orders, also those that are over", "全部订单（含已完成）";
        next_page: "Next page", "下一页";
        accept: "Accept", "接单";
        pieces: "pieces", "件";
        lines: "lines", "行";
        pick_now: "Pick the first ones", "拣最早的订单";
        figures: "The last 24 hours", "最近 24 小时";
        accept_time: "Accepted in time", "按时接单";
        ready_time: "Ready in time", "按时备好";
        wait: "Customers waited (half of them)", "顾客等待（中位）";
        fill: "Pieces found", "拣到率";
        of: "of", "/";
        known: "as of", "截至";
        nothing_yet: "none yet", "暂无";
    }
}

#[derive(Deserialize)]
struct Queue {
    items: Vec<Part>,
    next: Option<String>,
}

#[derive(Deserialize)]
struct Figures {
    to: String,
    total: Total,
}

#[derive(Deserialize)]
struct Total {
    accept_in_time: Share,
    ready_on_time: Share,
    fill_pieces: Share,
    wait: Spread,
}

#[derive(Deserialize)]
struct Share {
    count: u64,
    of: u64,
    share: Option<f64>,
}

#[derive(Deserialize)]
struct Spread {
    count: u64,
    p50_s: Option<f64>,
}

/// The page.
pub async fn page(ask: Ask) -> Result<Page, Trouble> {
    let (language, words, shown) = (ask.language(), Words::of(ask.language()), ask.shown());
    let mut queue: Queue = ask.get(path_of(&ask, "number")).await?;
    if queue.items.is_empty() && ask.param("q").is_some_and(|text| text.trim().len() == 4) {
        queue = ask.get(path_of(&ask, "phone")).await?;
    }
    let store = ask.api().info.store;
    let figures: Figures = ask.get(format!("/v1/figures?store={store}")).await?;
    let is_filtered = ["state", "q", "all"].iter().any(|name| ask.param(name).is_some());
    let body = html! {
        (places(language, Place::Queue))
        form.row method="get" action="/orders" role="search" {
            label { span { (words.find) } input name="q" value=[ask.param("q")] inputmode="numeric" maxlength="16" data-scan autocomplete="off" enterkeyhint="search"; }
            button { (words.search) }
        }
        (filters(&ask, words))
        section #queue data-live="orders" aria-label=(words.title) {
            @if queue.items.is_empty() { p { @if is_filtered { (words.none_found) } @else { (words.none) } } }
            @else { ul.list.orders { @for part in &queue.items { (row(part, words, (language, &shown))) } } }
            @if let Some(next) = &queue.next {
                p.acts { a.button href={ "/orders?after=" (encoded(next)) (kept(&ask)) } { (words.next_page) } }
            }
        }
        p.acts {
            a.button.main href="/picking" { (words.pick_now) }
            @if ask.param("all").is_none() { a.button.quiet href="/orders?all=true" { (words.all) } }
        }
        (measured(&figures, words, (language, &shown)))
    };
    Ok(Page::new("/orders", words.title, body))
}

/// What is asked of the API for what the reader wants to see.
fn path_of(ask: &Ask, field: &str) -> String {
    let mut path = "/v1/fulfillments?limit=60".to_owned();
    if let Some(text) = ask.param("q") {
        let number = text.rsplit_once('-').map_or(text, |(_, number)| number);
        let number: String = number.chars().filter(char::is_ascii_digit).collect();
        path += &format!("&{field}={}", number.get(number.len().saturating_sub(10)..).unwrap_or_default());
    }
    if let Some(state) = ask.param("state") {
        path += &format!("&state={}", encoded(state));
    }
    if ask.param("all").is_some() {
        path += "&all=true";
    }
    if let Some(after) = ask.param("after") {
        path += &format!("&after={}", encoded(after));
    }
    path
}

fn kept(ask: &Ask) -> String {
    let kept = ["state", "q", "all"].iter().filter_map(|name| Some(format!("&{name}={}", encoded(ask.param(name)?))));
    kept.collect()
}

fn filters(ask: &Ask, words: &Words) -> Markup {
    let all = [
        ("", words.all_open),
        ("offered", words.offered),
        ("accepted", words.accepted),
        ("picking", words.being_picked),
        ("ready", words.ready),
    ];
    let now = ask.param("state").unwrap_or_default();
    html! {
        nav.within.chips aria-label=(words.filter) {
            ul { @for (state, word) in all {
                li { a href={ "/orders" @if !state.is_empty() { "?state=" (state) } } aria-current=[(state == now && ask.param("all").is_none()).then_some("true")] { (word) } }
            } }
        }
    }
}

fn row(part: &Part, words: &Words, (language, shown): (Language, &Shown)) -> Markup {
    let due = ms_of(&part.due).filter(|_| part.is_open());
    html! {
        li {
            a href={ "/orders/" (part.order) } {
                span.order-head {
                    b.order-number { "…" (part.short_number()) }
                    (part.state_tag(language)) " "
                    span.quiet { (if part.is_pickup() { part::Words::of(language).pickup } else { part::Words::of(language).delivery }) }
                }
                span.order-due {
                    @if let Some(due) = due { (shown.countdown(due)) " " span.quiet { (shown.moment(due)) } }
                    @else if let Some(at) = &part.handed_at { span.quiet { (shown.moment_of(at)) } }
                }
                span.order-about {
                    (part.pieces()) " " (words.pieces) ", " (part.lines.len()) " " (words.lines)
                    @if !part.bay.is_empty() { " · " (part::Words::of(language).bay) " " (part.bay) }
                    " " (part.badges(language, shown))
                }
            }
            @if part.state == "offered" && !part.withdrawn {
                form.acts data-post={ "/v1/fulfillments/" (part.order) "/accept" } {
                    input type="hidden" name="generation" value=(part.generation) data-type="int";
                    button aria-label={ (words.accept) " " (part.short_number()) } { (words.accept) }
                    @if let Some(left) = part.accept_in_s { span.quiet { (part::Words::of(language).answer_in) " " (super::shown::span_words(language, left.max(0).unsigned_abs())) } }
                }
            }
        }
    }
}

fn measured(figures: &Figures, words: &Words, (language, shown): (Language, &Shown)) -> Markup {
    let share = |share: &Share| {
        html! {
            @match share.share {
                Some(value) => { b { (shown.share(value)) } span.quiet { (share.count) " " (words.of) " " (share.of) } },
                None => { b { "–" } span.quiet { (words.nothing_yet) } },
            }
        }
    };
    let wait = figures.total.wait.p50_s.map(|s| super::shown::span_words(language, s.max(0.0).round() as u64));
    html! {
        section #figures data-live="orders" aria-labelledby="figures-head" {
            h2 #figures-head { (words.figures) }
            ul.tiles {
                li.tile { span { (words.accept_time) } (share(&figures.total.accept_in_time)) }
                li.tile { span { (words.ready_time) } (share(&figures.total.ready_on_time)) }
                li.tile { span { (words.fill) } (share(&figures.total.fill_pieces)) }
                li.tile { span { (words.wait) } b { (wait.unwrap_or_else(|| "–".into())) } span.quiet { (figures.total.wait.count) } }
            }
            @if let Some(at) = ms_of(&figures.to) { p.aged { (words.known) " " (shown.moment(at)) " (" (shown.age(at)) ")" } }
        }
    }
}
