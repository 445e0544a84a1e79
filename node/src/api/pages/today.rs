//! How the day goes, as pictures: takings of the last days, how orders are served, what waits, what is short. Figures are the field's usual ones.

use maud::{Markup, html};
use serde::Deserialize;

use super::ask::{Ask, Trouble};
use super::layout::Page;
use super::shown::{Shown, span_words};
use super::words::{Language, words};

words! {
    /// What stands on this page.
    Words {
        title: "Today", "今日";
        takings: "Takings", "营业额";
        today: "Today", "今日";
        receipts: "Receipts", "小票数";
        average: "Average receipt", "客单价";
        refunds: "Paid back", "退款";
        late: "came late", "迟到记录";
        cash: "Cash", "现金";
        card: "Card", "银行卡";
        voucher: "Voucher", "代金券";
        other: "Other", "其他";
        points: "Points", "积分";
        how_paid: "How it was paid", "支付方式";
        nothing_yet: "Nothing was sold yet today.", "今日尚无销售。";
        whole_day: "The day, drawers and statements", "日结、钱箱与结算";
        open_day: "The day is open since", "营业开始于";
        closed_day: "The day is closed.", "今日已日结。";
        orders: "Orders of the last 24 hours", "近24小时订单";
        no_orders: "No orders in the last 24 hours.", "近24小时没有订单。";
        accept: "Accepted in time", "按时接单率";
        ready: "Ready on time", "按时备妥率";
        fill: "Pieces filled", "满足率";
        perfect: "Perfect orders", "完美订单率";
        short: "Lines short", "缺货行占比";
        substituted: "Lines substituted", "替代行占比";
        refused: "Refused", "拒单率";
        cancelled: "Cancelled", "取消率";
        oversold: "Promised twice", "超卖率";
        uncollected: "Not collected", "未取率";
        delivered: "Delivered on time", "准时送达率";
        failed: "Deliveries failed", "配送失败率";
        of: "of", "/";
        times: "How long it takes: half within, nine of ten within", "用时：中位数 / 九成以内";
        t_accept: "to accept", "接单";
        t_pick: "to pick", "拣货";
        t_ready: "until ready", "备妥";
        t_wait: "customer waits", "顾客等待";
        t_dwell: "waits for the customer", "待取";
        t_delivery: "to deliver", "配送";
        to_do: "To do", "待办";
        counts: "to count", "待盘点";
        labels: "labels to change", "待换价签";
        compensate: "customers to be made good", "待补偿顾客";
        none: "Nothing waits.", "无待办。";
        own: "This store's own records, now. Orders as far as this store has heard of them.", "本店实时记录；订单以本店已收到的为准。";
        good_at: "target", "目标";
    }
}

#[derive(Deserialize)]
struct Days {
    items: Vec<Day>,
}

#[derive(Deserialize)]
struct Day {
    number: u32,
    date: String,
    closed_at: Option<String>,
    opened_at: Option<String>,
    receipts: i64,
    late: u64,
    total: i64,
    refunded: i64,
    tenders: Tenders,
}

#[derive(Deserialize)]
struct Tenders {
    cash: i64,
    card: i64,
    voucher: i64,
    other: i64,
    points: i64,
}

#[derive(Deserialize)]
struct Figures {
    total: Total,
}

#[derive(Deserialize)]
struct Total {
    offered: u64,
    accept_in_time: Share,
    ready_on_time: Share,
    fill_pieces: Share,
    perfect: Share,
    short: Share,
    substituted: Share,
    refused: Share,
    cancelled: Share,
    oversold: Share,
    uncollected: Share,
    delivered_on_time: Share,
    delivery_failed: Share,
    accept: Spread,
    pick: Spread,
    ready: Spread,
    wait: Spread,
    dwell: Spread,
    delivery: Spread,
}

#[derive(Deserialize)]
struct Share {
    count: u64,
    of: u64,
    share: Option<f64>,
}

#[derive(Deserialize)]
struct Spread {
    p50_s: Option<f64>,
    p90_s: Option<f64>,
}

#[derive(Deserialize)]
struct Tasks {
    counts: Vec<serde_json::Value>,
    compensations: Vec<serde_json::Value>,
    labels: Vec<serde_json::Value>,
}

/// What a share should be.
#[derive(Clone, Copy)]
enum Target {
    /// At least this much.
    AtLeast(f64),
    /// At most this much.
    AtMost(f64),
}

/// The page.
pub async fn page(ask: Ask) -> Result<Page, Trouble> {
    let (words, shown) = (Words::of(ask.language()), ask.shown());
    let days: Days = ask.get("/v1/days?limit=14").await?;
    let figures: Figures = ask.get("/v1/figures").await?;
    let tasks: Tasks = ask.get("/v1/tasks").await?;
    let body = html! {
        p.aged { (words.own) }
        div #today data-live="stock" {
            @match days.items.last() {
                Some(day) => (of_day(words, &shown, day)),
                None => p.said { (words.nothing_yet) },
            }
            div.columns {
                @if !days.items.is_empty() { section { h2 { (words.takings) } (days_chart(&shown, &days.items)) } }
                @if let Some(day) = days.items.last() { section { h2 { (words.how_paid) } (tenders(words, &shown, &day.tenders)) } }
            }
        }
        section #orders data-live="orders" { h2 { (words.orders) } (served(words, ask.language(), &shown, &figures.total)) }
        section #tasks data-live="stock rights prices" {
            h2 { (words.to_do) }
            @if tasks.counts.is_empty() && tasks.labels.is_empty() && tasks.compensations.is_empty() { p.quiet { (words.none) } }
            p.acts {
                @if !tasks.counts.is_empty() { a.button href="/stock" { (tasks.counts.len()) " " (words.counts) } }
                @if !tasks.labels.is_empty() { a.button href="/labels" { (tasks.labels.len()) " " (words.labels) } }
                @if !tasks.compensations.is_empty() { span.tag.warn { (tasks.compensations.len()) " " (words.compensate) } }
            }
        }
    };
    Ok(Page::new("/today", words.title, body))
}

fn of_day(words: &Words, shown: &Shown, day: &Day) -> Markup {
    let average = if day.receipts > 0 { day.total / day.receipts } else { 0 };
    html! {
        p.quiet {
            a href={ "/days/" (day.number) } { (words.whole_day) } " · " (day.date) " · "
            @match (&day.closed_at, &day.opened_at) {
                (Some(_), _) => (words.closed_day),
                (None, Some(opened)) => { (words.open_day) " " (shown.moment_of(opened)) },
                (None, None) => "",
            }
        }
        ul.tiles {
            li.tile { (words.takings) b { (shown.money(day.total)) } }
            li.tile { (words.receipts) b { (shown.number(day.receipts)) } }
            li.tile { (words.average) b { (shown.money(average)) } }
            @if day.refunded != 0 { li.tile { (words.refunds) b { (shown.money(day.refunded)) } } }
            @if day.late > 0 { li.tile { (words.late) b { (day.late) } } }
        }
    }
}

/// Bars of the last days, the newest right; each says its day and amount.
fn days_chart(shown: &Shown, days: &[Day]) -> Markup {
    let most = days.iter().map(|day| day.total).max().unwrap_or(0).max(1);
    let (width, high) = (64, 120);
    let columns = days.len().max(DAYS_WIDE);
    // The newest day stands at the right end, also while there are few.
    let first = columns - days.len();
    html! {
        svg.chart viewBox={ "0 0 " (width * columns) " 170" } role="img" aria-label=(days.iter().map(|day| format!("{}: {}", day.date, shown.money(day.total))).collect::<Vec<_>>().join(", ")) {
            line x1="0" y1="140" x2=(width * columns) y2="140" {}
            @for (index, day) in days.iter().enumerate() {
                @let tall = (day.total.max(0) * high / most).max(1);
                @let x = (first + index) * width;
                rect.bar-of x=(x + 6) y=(140 - tall) width=(width - 12) height=(tall) rx="4" { title { (day.date) ": " (shown.money(day.total)) } }
                text.soft x=(x + width / 2) y="158" text-anchor="middle" { (day.date.get(5..).unwrap_or_default()) }
            }
            @if let Some(last) = days.last() { text x=(columns * width - 4) y=(134 - (last.total.max(0) * high / most)) text-anchor="end" { (shown.money(last.total)) } }
        }
    }
}

fn tenders(words: &Words, shown: &Shown, tenders: &Tenders) -> Markup {
    let parts = [
        (words.cash, tenders.cash),
        (words.card, tenders.card),
        (words.voucher, tenders.voucher),
        (words.points, tenders.points),
        (words.other, tenders.other),
    ];
    let all: i64 = parts.iter().map(|(_, amount)| (*amount).max(0)).sum::<i64>().max(1);
    html! {
        @for (word, amount) in parts.into_iter().filter(|(_, amount)| *amount != 0) {
            p { (word) " " b { (shown.money(amount)) } br; meter min="0" max=(all) value=(amount.max(0)) aria-label={ (word) ": " (shown.money(amount)) } {} }
        }
    }
}

fn served(words: &Words, language: Language, shown: &Shown, total: &Total) -> Markup {
    if total.offered == 0 {
        return html! { p.quiet { (words.no_orders) } };
    }
    let shares = [
        (words.accept, &total.accept_in_time, Target::AtLeast(0.95)),
        (words.ready, &total.ready_on_time, Target::AtLeast(0.95)),
        (words.fill, &total.fill_pieces, Target::AtLeast(0.97)),
        (words.perfect, &total.perfect, Target::AtLeast(0.9)),
        (words.delivered, &total.delivered_on_time, Target::AtLeast(0.95)),
        (words.short, &total.short, Target::AtMost(0.03)),
        (words.substituted, &total.substituted, Target::AtMost(0.05)),
        (words.refused, &total.refused, Target::AtMost(0.02)),
        (words.cancelled, &total.cancelled, Target::AtMost(0.05)),
        (words.oversold, &total.oversold, Target::AtMost(0.001)),
        (words.uncollected, &total.uncollected, Target::AtMost(0.05)),
        (words.failed, &total.delivery_failed, Target::AtMost(0.05)),
    ];
    let spreads = [
        (words.t_accept, &total.accept),
        (words.t_pick, &total.pick),
        (words.t_ready, &total.ready),
        (words.t_wait, &total.wait),
        (words.t_dwell, &total.dwell),
        (words.t_delivery, &total.delivery),
    ];
    let span = |s: f64| span_words(language, s.round().max(0.0) as u64);
    html! {
        ul.tiles { @for (word, share, target) in shares { (gauge(words, shown, word, share, target)) } }
        h3 { (words.times) }
        dl.facts {
            @for (word, spread) in spreads {
                @if let (Some(half), Some(most)) = (spread.p50_s, spread.p90_s) { dt { (word) } dd { (span(half)) " / " (span(most)) } }
            }
        }
    }
}

/// A share with its target: as a number, a bar, and a word of colour.
fn gauge(words: &Words, shown: &Shown, word: &str, share: &Share, target: Target) -> Markup {
    let Some(value) = share.share else { return html! {} };
    let (good, wanted) = match target {
        Target::AtLeast(least) => (value >= least, format!("≥ {}", shown.share(least))),
        Target::AtMost(most) => (value <= most, format!("≤ {}", shown.share(most))),
    };
    html! {
        li.tile {
            (word) b { (shown.share(value)) }
            meter min="0" max="1" value=(value) aria-label={ (word) ": " (shown.share(value)) } {}
            span.quiet { (share.count) " " (words.of) " " (share.of) " · " }
            span.tag.good[good].warn[!good] { (if good { "✓" } else { "!" }) " " (words.good_at) " " (wanted) }
        }
    }
}

/// Columns of the chart of days, so that one day alone is no wall.
const DAYS_WIDE: usize = 7;
