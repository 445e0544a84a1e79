//! One store in depth: takings, orders, nodes, and until when what is shown is known. Its owner reads it on a phone.

use maud::{Markup, html};
use serde::Deserialize;

use super::{Common, amount, for_office, of_store, orders, record, state_tag};
use crate::api::pages::ask::{Ask, Trouble};
use crate::api::pages::layout::Page;
use crate::api::pages::shown::{Shown, ms_of};
use crate::api::pages::words::words;

words! {
    /// What stands on this page.
    Words {
        known: "Known until", "数据截至";
        waits: "steps wait for it here", "条待发给门店";
        nothing_waits: "Nothing waits for it here.", "无待发数据。";
        it_may: "What it has sold since then is not known here; it goes on selling by itself.", "此后的销售尚未送达，门店会继续独立营业。";
        takings: "Takings", "营业额";
        day: "Day", "营业日";
        receipts: "Receipts", "小票";
        cash: "Cash", "现金";
        card: "Card", "银行卡";
        other: "Other", "其他";
        total: "Total", "合计";
        open: "open", "营业中";
        average: "per receipt", "单均";
        no_day: "It has not opened a day yet, as far as is known here.", "尚无营业日。";
        orders: "Orders open there", "未完成订单";
        order: "Order", "订单";
        state: "State", "状态";
        due: "Due", "应完成";
        no_orders: "No order is open there.", "没有未完成订单。";
        all_orders: "All its orders", "全部订单";
        reservations: "Reservations", "预留";
        no_reservations: "No goods are kept there.", "没有预留。";
        quantity: "Quantity", "数量";
        product: "Product", "商品";
        ends: "Until", "截止";
        standing: "How it stands", "现状";
        nodes: "Nodes", "节点";
        node: "Node", "节点";
        let_in: "Let in", "加入时间";
        version: "Version", "版本";
        started: "started", "启动于";
        about_unsent: "About {n} receipts are probably waiting there, as on its last days.", "按近日平均，约有 {n} 张小票尚未送达。";
        home: "keeps the goods", "库存主节点";
        spare: "spare", "备用";
        fenced: "revoked", "已吊销";
        linked: "connected", "已连接";
        not_linked: "no link", "未连接";
        term: "Term", "任期";
        promote: "Make it the home", "设为主节点";
        promote_about: "This node will keep the store's goods from now on, and the others give their rights up. Say why. If the others may have promised goods that nobody knows of, the answer names how many: repeat it with that number.", "该节点将成为本店库存主节点，其他节点放弃配额。请说明原因；若其他节点可能有未知承诺，系统会给出数量，请填写该数量后再次提交。";
        reason: "Why (one word)", "原因（一个词）";
        risk: "Units at risk that are accepted", "接受的风险件数";
        promoted: "Node {home} keeps the goods now, term {term}.", "节点{home}现为主节点，任期{term}。";
        sure: "Really change which node keeps the goods of this store?", "确定更改本店的主节点？";
        feeds: "What it follows, and how far", "订阅进度";
        scope: "What", "内容";
        has: "has", "已有";
        newest: "all of it", "最新";
        behind: "steps behind", "条落后";
        about: "About this store", "关于本店";
        book: "Price book", "价目表";
        group: "Group", "分组";
        zone: "Time zone", "时区";
        rollover: "Day rolls over at", "日结时间";
        place: "Place", "位置";
        leave: "Place of the store", "门店位置";
        unknown: "not known", "未知";
        products: "Products in its book", "商品数";
        pause: "Take no new orders", "暂停接新订单";
        resume: "Take orders again", "恢复接单";
        paused: "It takes no new orders.", "本店已暂停接新订单。";
        pause_sure: "No new order will be offered to this store until somebody takes that back. What it has stays. Pause it?", "在恢复之前不再向本店派新订单，已有订单不变。确定暂停？";
        stock: "Look for a product there", "查询本店商品";
    }
}

#[derive(Deserialize)]
struct Store {
    store: u32,
    name: String,
    known_until: Option<String>,
    book: String,
    group: String,
    currency: String,
    zone: String,
    rollover_min: u16,
    coordinates: Option<Degrees>,
    home: u32,
    days: Vec<Day>,
    accounts: Option<usize>,
}

#[derive(Deserialize)]
struct Degrees {
    lat: f64,
    lon: f64,
}

#[derive(Deserialize)]
struct Day {
    date: String,
    closed_at: Option<String>,
    receipts: u64,
    total: i64,
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
struct Fleet {
    items: Vec<Standing>,
}

#[derive(Deserialize)]
struct Standing {
    store: u32,
    state: String,
    waiting: u64,
    unsent_receipts: Option<u64>,
}

#[derive(Deserialize)]
struct Parts {
    items: Vec<Part>,
}

#[derive(Deserialize)]
struct Part {
    order: String,
    state: String,
    due: String,
}

#[derive(Deserialize)]
struct Reservations {
    items: Vec<Reservation>,
}

#[derive(Deserialize)]
struct Reservation {
    sku: String,
    quantity: i64,
    unit: String,
    until: String,
    why: String,
    reference: String,
}

#[derive(Deserialize)]
struct Nodes {
    items: Vec<Node>,
}

#[derive(Clone, Deserialize)]
struct Node {
    node: u32,
    #[serde(default)]
    store: u32,
    issued_at: Option<String>,
    fenced: bool,
    connected: Option<bool>,
    version: Option<String>,
    started_at: Option<String>,
}

/// Which node keeps the goods, where the API says so.
#[derive(Deserialize)]
struct Home {
    home: u32,
    term: u32,
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Feeds {
    items: Vec<Feed>,
}

#[derive(Deserialize)]
struct Feed {
    node: u32,
    scope: String,
    durable: u64,
    end: u64,
}

#[derive(Deserialize)]
struct Services {
    items: Vec<Service>,
}

#[derive(Deserialize)]
struct Service {
    store: u32,
    parts_per_day: Option<u32>,
}

/// The page.
pub async fn page(ask: Ask) -> Result<Page, Trouble> {
    for_office(&ask)?;
    let number: u32 = ask.segment("store").parse().map_err(|_| Trouble::not_found())?;
    let (words, common, shown) = (Words::of(ask.language()), Common::of(ask.language()), of_store(&ask, number));
    let store: Store = ask.get(format!("/v1/stores/{number}")).await?;
    let fleet: Fleet = ask.get(format!("/v1/fleet?search={number}&limit=100")).await?;
    let standing = fleet.items.into_iter().find(|item| item.store == number);
    let parts: Parts = ask.get(format!("/v1/fulfillments?store={number}&limit={ROWS}")).await?;
    let kept: Reservations = ask.get(format!("/v1/reservations?store={number}&state=open&limit={ROWS}")).await?;
    let feeds: Feeds = ask.get(format!("/v1/stores/{number}/feeds")).await?;
    let services: Services = ask.get("/v1/order-rules/service").await?;
    let paused = services.items.iter().any(|held| held.store == number && held.parts_per_day == Some(0));
    let home: Option<Home> = ask.find(format!("/v1/stores/{number}/home")).await?;
    let nodes = match &home {
        Some(home) => home.nodes.clone(),
        None => ask.get::<Nodes>("/v1/nodes").await?.items.into_iter().filter(|node| node.store == number).collect(),
    };
    let body = html! {
        div #store data-live="link stock orders rights control alarms" data-every="5" {
            (how_it_stands(&store, standing.as_ref(), words, common, &shown))
            (takings(&store, words, &shown))
            div.columns {
                (open_orders(&ask, number, &parts, words, &shown))
                (reservations(&kept, words, &shown))
            }
        }
        (order_taking(number, paused, words))
        (node_list(number, (&nodes, home.as_ref(), store.home), words, &shown))
        div.columns {
            (facts(&ask, &store, words))
            (followed(&feeds, words, &shown))
        }
    };
    Ok(Page::new("/fleet", format!("{} {}", store.store, store.name), body))
}

fn how_it_stands(store: &Store, standing: Option<&Standing>, words: &Words, common: &Common, shown: &Shown) -> Markup {
    let state = standing.map_or("never", |standing| standing.state.as_str());
    let colour = match state {
        "in-sync" => "good",
        "catching-up" | "never" => "waiting",
        _ => "cut",
    };
    let waiting = standing.map_or(0, |standing| standing.waiting);
    html! {
        div.sentence.stands data-state=(colour) {
            p { (state_tag(common, state)) " " (words.known) " " @match store.known_until.as_deref().and_then(ms_of) { Some(at) => { (shown.moment(at)) " (" (shown.age(at)) ")" }, None => (words.unknown) } }
            p.quiet {
                @if waiting == 0 { (words.nothing_waits) } @else { b { (waiting) } " " (words.waits) "." }
                @if state == "cut-off" { " " (words.it_may) }
                @if let Some(guess) = standing.and_then(|standing| standing.unsent_receipts).filter(|guess| *guess > 0) {
                    " " (words.about_unsent.replace("{n}", &shown.number(i64::try_from(guess).unwrap_or(i64::MAX))))
                }
            }
        }
    }
}

fn takings(store: &Store, words: &Words, shown: &Shown) -> Markup {
    let money = |minor: i64| amount(shown, minor, &store.currency);
    let rest = |tenders: &Tenders| tenders.voucher + tenders.other + tenders.points;
    html! {
        section aria-labelledby="takings" {
            h2 #takings { (words.takings) }
            @if let Some(day) = store.days.last() {
                ul.tiles {
                    li.tile { b { (money(day.total)) } (day.date) @if day.closed_at.is_none() { " · " (words.open) } }
                    li.tile { b { (shown.number(i64::try_from(day.receipts).unwrap_or(0))) } (words.receipts) }
                    @if let Some(average) = day.total.checked_div(i64::try_from(day.receipts).unwrap_or(0)) { li.tile { b { (money(average)) } (words.average) } }
                }
                @if store.days.len() > 1 { (bars(store, words, &money)) }
                div.scroll tabindex="0" role="region" aria-labelledby="takings" {
                    table {
                        thead { tr { th { (words.day) } th.number { (words.total) } th.number { (words.cash) } th.number { (words.card) } th.number { (words.other) } th.number { (words.receipts) } } }
                        tbody {
                            @for day in store.days.iter().rev() {
                                tr {
                                    th.whole scope="row" { (day.date) }
                                    td.number { (money(day.total)) } td.number { (money(day.tenders.cash)) } td.number { (money(day.tenders.card)) }
                                    td.number { (money(rest(&day.tenders))) } td.number { (day.receipts) }
                                }
                            }
                        }
                    }
                }
            } @else { p { (words.no_day) } }
        }
    }
}

/// A bar for each day, the last at the right.
fn bars(store: &Store, words: &Words, money: &impl Fn(i64) -> String) -> Markup {
    let most = store.days.iter().map(|day| day.total).max().unwrap_or(0).max(1);
    let (width, height) = (640.0 / store.days.len() as f64, 120.0);
    html! {
        svg.chart viewBox="0 0 640 150" role="img" aria-label=(words.takings) {
            @for (index, day) in store.days.iter().enumerate() {
                @let tall = (day.total.max(0) as f64 / most as f64 * height).max(1.0);
                @let left = index as f64 * width;
                rect.bar-of x=(format!("{:.1}", left + 3.0)) y=(format!("{:.1}", height - tall)) width=(format!("{:.1}", (width - 6.0).min(90.0))) height=(format!("{tall:.1}")) rx="3" {
                    title { (day.date) " " (money(day.total)) }
                }
                text.soft x=(format!("{:.1}", left + 3.0)) y="142" { (day.date.get(8..).unwrap_or_default()) }
            }
        }
    }
}

fn open_orders(ask: &Ask, number: u32, parts: &Parts, words: &Words, shown: &Shown) -> Markup {
    let states = orders::Words::of(ask.language());
    html! {
        section aria-labelledby="open-orders" {
            h2 #open-orders { (words.orders) " " span.quiet { (parts.items.len()) @if parts.items.len() == ROWS { "+" } } }
            @if parts.items.is_empty() { p { (words.no_orders) } } @else {
                table {
                    thead { tr { th { (words.order) } th { (words.state) } th { (words.due) } } }
                    tbody { @for part in parts.items.iter().take(SHOWN) { tr {
                        td.whole { a href=(format!("/chain/orders/{}", part.order)) { (part.order) } }
                        td { (orders::state_tag(states, &part.state)) }
                        td { @if let Some(due) = ms_of(&part.due) { (shown.moment(due)) " " (shown.countdown(due)) } }
                    } } }
                }
            }
            p.acts { a.button.quiet href=(format!("/chain/orders?store={number}")) { (words.all_orders) } }
        }
    }
}

fn reservations(kept: &Reservations, words: &Words, shown: &Shown) -> Markup {
    html! {
        section aria-labelledby="kept" {
            h2 #kept { (words.reservations) " " span.quiet { (kept.items.len()) @if kept.items.len() == ROWS { "+" } } }
            @if kept.items.is_empty() { p { (words.no_reservations) } } @else {
                table {
                    thead { tr { th { (words.product) } th.number { (words.quantity) } th { (words.order) } } }
                    tbody { @for held in kept.items.iter().take(SHOWN) { tr title=(shown.sentence_text(&held.why)) {
                        td.whole { a href=(format!("/chain/rights?sku={}", held.sku)) { (held.sku) } }
                        td.number { (shown.quantity(held.quantity, &held.unit)) }
                        td { @if held.reference.is_empty() { (words.ends) " " (shown.moment_of(&held.until)) } @else { span.whole { (held.reference) } } }
                    } } }
                }
            }
        }
    }
}

fn order_taking(number: u32, paused: bool, words: &Words) -> Markup {
    html! {
        section #taking data-live="control" {
            @if paused { p.said.warn { (words.paused) } }
            form.acts data-post="/v1/order-rules/pause" data-then="reload" data-confirm=[(!paused).then_some(words.pause_sure)] {
                input type="hidden" name="stores[0]" value=(number) data-type="int";
                input type="hidden" name="paused" value=(!paused) data-type="bool";
                button { @if paused { (words.resume) } @else { (words.pause) } }
            }
            a.button.quiet href=(format!("/chain/stock?store={number}")) { (words.stock) }
        }
    }
}

fn node_list(
    number: u32,
    (nodes, home, at_home): (&[Node], Option<&Home>, u32),
    words: &Words,
    shown: &Shown,
) -> Markup {
    let spare = |node: &Node| node.node != home.map_or(at_home, |home| home.home) && !node.fenced;
    html! {
        section aria-labelledby="nodes" {
            h2 #nodes { (words.nodes) @if let Some(home) = home { " " span.quiet { (words.term) " " (home.term) } } }
            div.scroll tabindex="0" role="region" aria-labelledby="nodes" { table {
                thead { tr { th { (words.node) } th { (words.standing) } th { (words.version) } th { (words.let_in) } } }
                tbody { @for node in nodes { tr {
                    th scope="row" { (node.node) }
                    td {
                        @if node.fenced { span.tag.bad { (words.fenced) } } @else if spare(node) { span.tag { (words.spare) } } @else { span.tag.good { (words.home) } }
                        @if let Some(linked) = node.connected { " " @if linked { span.tag.good { (words.linked) } } @else { span.tag.bad { (words.not_linked) } } }
                    }
                    td { @match &node.version { Some(version) => (version), None => span.aged { (words.unknown) } }
                        @if let Some(at) = &node.started_at { " " span.aged { (words.started) " " (shown.moment_of(at)) } } }
                    td { @if let Some(at) = &node.issued_at { (shown.moment_of(at)) } }
                } } }
            } }
            @if home.is_some() {
                @for node in nodes.iter().filter(|node| spare(node)) {
                    details id=(format!("promote-{}", node.node)) {
                        summary { (words.node) " " (node.node) ": " (words.promote) }
                        p { (words.promote_about) }
                        form.row data-post=(format!("/v1/stores/{number}/home")) data-done=(words.promoted) data-then="reload" data-confirm=(words.sure) {
                            input type="hidden" name="node" value=(node.node) data-type="int";
                            label { span { (words.reason) } input name="reason" required maxlength="32" autocomplete="off"; }
                            label.small { span { (words.risk) } input name="accept" inputmode="numeric" data-type="int"; }
                            button.danger { (words.promote) }
                        }
                    }
                }
            }
        }
    }
}

fn facts(ask: &Ask, store: &Store, words: &Words) -> Markup {
    let entity = record(ask, store.store).ok().flatten().map(|record| record.entity.to_string()).unwrap_or_default();
    html! {
        section aria-labelledby="about" {
            h2 #about { (words.about) }
            dl.facts {
                dt { (words.book) } dd { a href=(format!("/chain/prices?book={}", store.book)) { (store.book) } }
                dt { (words.group) } dd { (store.group) @if !entity.is_empty() { " · " (entity) } }
                dt { (words.zone) } dd { (store.zone) }
                dt { (words.rollover) } dd { (format!("{:02}:{:02}", store.rollover_min / 60, store.rollover_min % 60)) }
                dt { (words.place) } dd { @match &store.coordinates { Some(at) => (format!("{:.5}, {:.5}", at.lat, at.lon)), None => (words.unknown) } }
                @if let Some(accounts) = store.accounts { dt { (words.products) } dd { (accounts) } }
            }
        }
    }
}

fn followed(feeds: &Feeds, words: &Words, shown: &Shown) -> Markup {
    html! {
        section aria-labelledby="feeds" {
            h2 #feeds { (words.feeds) }
            @if feeds.items.is_empty() { p { (words.unknown) } } @else {
                table {
                    thead { tr { th { (words.scope) } th { (words.node) } th { (words.has) } } }
                    tbody { @for feed in &feeds.items { tr {
                        th.whole scope="row" { (feed.scope) }
                        td { (feed.node) }
                        td { @match feed.end.saturating_sub(feed.durable) {
                            0 => (words.newest),
                            behind => { span.tag.warn { (shown.number(i64::try_from(behind).unwrap_or(i64::MAX))) " " (words.behind) } },
                        } }
                    } } }
                }
            }
        }
    }
}

/// Rows that are asked for.
const ROWS: usize = 100;

/// Rows that are shown.
const SHOWN: usize = 12;
