//! All stores: a map, how many are in sync, and a table of those that need somebody first.

use maud::{Markup, html};
use serde::Deserialize;

use super::map::{self, Point};
use super::{Common, amount, for_office, of_chain, state_tag, until};
use crate::api::pages::ask::{Ask, Trouble, encoded};
use crate::api::pages::layout::Page;
use crate::api::pages::shown::Shown;
use crate::api::pages::words::words;

words! {
    /// What stands on this page.
    Words {
        title: "Fleet", "门店群";
        all: "All stores", "全部门店";
        alarms: "With an alarm", "有告警";
        trouble: "Not in sync", "未同步";
        map: "Where they are", "门店位置";
        nowhere: "Nobody said where these are", "未提供位置";
        and_more: "and more:", "另有：";
        search: "Name or number", "名称或编号";
        state: "State", "状态";
        sort: "Order by", "排序";
        worst: "the worst first", "问题优先";
        number: "number", "编号";
        name: "name", "名称";
        contact: "longest silent", "失联最久";
        waiting: "most waiting", "待发最多";
        clock: "clock", "时钟";
        contact_head: "Last contact", "最近联系";
        waits_here: "Waits for it here", "待发给门店";
        waits_there: "Not yet sent by it", "门店未发送";
        clock_head: "Its clock", "时钟误差";
        today: "Last day", "最近营业日";
        to_see: "To look at", "需关注";
        nothing: "none", "无";
        unknown: "not known", "未知";
        probably: "about {n} receipts", "约 {n} 张小票";
        version_head: "Program", "程序版本";
        newer: "newer than here", "比本机新";
        a_clock: "clock is off", "时钟偏差";
        a_silent: "silent for a day or more", "失联超过一天";
        a_late: "orders late:", "逾期订单：";
        a_older: "older program", "程序较旧";
        empty: "No store fits.", "没有符合条件的门店。";
        first: "There is no store yet. Let the first one in.", "还没有门店，请先加入第一家。";
        enrol: "Let a node in", "加入节点";
        green: "Green is only what is connected while everything is stored on both sides.", "仅当已连接且双方数据均已存储时才显示绿色。";
    }
}

#[derive(Deserialize)]
struct Fleet {
    totals: Totals,
    found: usize,
    items: Vec<Store>,
    #[serde(default)]
    map: Vec<OnMap>,
}

#[derive(Deserialize)]
struct Totals {
    stores: usize,
    in_sync: usize,
    catching_up: usize,
    cut_off: usize,
    never: usize,
    revoked: usize,
}

#[derive(Deserialize)]
struct Store {
    store: u32,
    name: String,
    state: String,
    known_until: Option<String>,
    waiting: u64,
    clock_error_ms: Option<i64>,
    unsent_receipts: Option<u64>,
    version: Option<String>,
    program: Option<String>,
    late: usize,
    alarms: Vec<String>,
    coordinates: Option<Degrees>,
    day: Option<Day>,
}

#[derive(Deserialize)]
struct Day {
    date: String,
    total: i64,
    currency: Option<String>,
}

#[derive(Deserialize)]
struct OnMap {
    store: u32,
    at: Degrees,
    state: String,
}

#[derive(Deserialize)]
struct Degrees {
    lat: f64,
    lon: f64,
}

/// The page.
pub async fn page(ask: Ask) -> Result<Page, Trouble> {
    for_office(&ask)?;
    let (words, common, shown) = (Words::of(ask.language()), Common::of(ask.language()), of_chain(&ask));
    let skip: usize = ask.param("skip").and_then(|text| text.parse().ok()).unwrap_or(0);
    let mut query = format!("/v1/fleet?limit={PAGE}&skip={skip}&map=true");
    for name in ["search", "state", "sort"] {
        if let Some(value) = ask.param(name) {
            query += &format!("&{name}={}", encoded(value));
        }
    }
    let fleet: Fleet = ask.get(&query).await?;
    let body = html! {
        div #fleet data-live="link alarms control" data-every="5" {
            (tiles(&fleet.totals, ask.param("state"), words, common))
            @if fleet.totals.stores == 0 {
                section { p.sentence { (words.first) } p.acts { a.button.main href="/enrol" { (words.enrol) } } }
            } @else {
                (places(&fleet, words))
                section aria-labelledby="stores" {
                    h2 #stores { (words.all) " " span.quiet { (fleet.found) " " (common.of) " " (fleet.totals.stores) } }
                    (table(&fleet, words, common, &shown))
                    (pager(&ask, skip, fleet.found, common))
                    p.quiet { (words.green) }
                }
            }
        }
    };
    let page = html! { (filter(&ask, words, common)) (body) };
    Ok(Page::new("/fleet", words.title, page))
}

fn tiles(totals: &Totals, chosen: Option<&str>, words: &Words, common: &Common) -> Markup {
    let tiles = [
        (words.all, totals.stores, "", ""),
        (common.in_sync, totals.in_sync, "in-sync", "good"),
        (common.catching_up, totals.catching_up, "catching-up", "warn"),
        (common.cut_off, totals.cut_off, "cut-off", "bad"),
        (common.never, totals.never, "never", ""),
        (common.revoked, totals.revoked, "revoked", "bad"),
    ];
    html! {
        ul.tiles.counts {
            @for (word, count, state, colour) in tiles {
                @if count > 0 || state.is_empty() || state == "in-sync" {
                    li class=(format!("tile {}", if count > 0 { colour } else { "" })) {
                        a href=(if state.is_empty() { "/fleet".to_owned() } else { format!("/fleet?state={state}") })
                            aria-current=[(chosen.unwrap_or_default() == state).then_some("true")] { b { (count) } (word) }
                    }
                }
            }
        }
    }
}

fn filter(ask: &Ask, words: &Words, common: &Common) -> Markup {
    let options = |name: &str, list: &[(&str, &str)]| {
        let chosen = ask.param(name).unwrap_or_default().to_owned();
        html! { @for (value, word) in list { option value=(value) selected[*value == chosen] { (word) } } }
    };
    let states = [
        ("", words.all),
        ("trouble", words.trouble),
        ("alarms", words.alarms),
        ("in-sync", common.in_sync),
        ("catching-up", common.catching_up),
        ("cut-off", common.cut_off),
        ("never", common.never),
        ("revoked", common.revoked),
    ];
    let sorts = [
        ("", words.worst),
        ("store", words.number),
        ("name", words.name),
        ("contact", words.contact),
        ("waiting", words.waiting),
        ("clock", words.clock),
    ];
    html! {
        form.row.asked data-go="/fleet" role="search" {
            label { span { (words.search) } input type="search" name="search" value=[ask.param("search")] autocomplete="off"; }
            label { span { (words.state) } select name="state" { (options("state", &states)) } }
            label { span { (words.sort) } select name="sort" { (options("sort", &sorts)) } }
            button { (common.show) }
        }
    }
}

fn places(fleet: &Fleet, words: &Words) -> Markup {
    let name = |store: u32| {
        fleet.items.iter().find(|item| item.store == store).map_or(String::new(), |item| item.name.clone())
    };
    let point = |point: &OnMap| Point {
        store: point.store,
        name: name(point.store),
        lat: point.at.lat,
        lon: point.at.lon,
        state: point.state.clone(),
    };
    let points: Vec<_> = fleet.map.iter().map(point).collect();
    let nowhere: Vec<_> = fleet.items.iter().filter(|store| store.coordinates.is_none()).collect();
    let hidden = (fleet.found - points.len()).saturating_sub(nowhere.len().min(NOWHERE));
    html! {
        @if !points.is_empty() {
            section.where aria-labelledby="map" {
                h2 #map { (words.map) }
                div class=(if nowhere.is_empty() { "" } else { "wide" }) {
                    (map::draw(&points, words.map))
                    @if !nowhere.is_empty() {
                        div {
                            h3 { (words.nowhere) }
                            ul { @for store in nowhere.iter().take(NOWHERE) { li { a href=(format!("/fleet/{}", store.store)) { (store.store) " " (store.name) } } } }
                            @if hidden > 0 { p.quiet { (words.and_more) " " (hidden) } }
                        }
                    }
                }
            }
        }
    }
}

fn table(fleet: &Fleet, words: &Words, common: &Common, shown: &Shown) -> Markup {
    html! {
        @if fleet.items.is_empty() { p { (words.empty) } }
        @else {
            div.scroll tabindex="0" role="region" aria-labelledby="stores" {
                table.cards {
                    thead { tr {
                        th { (common.store) } th { (words.state) } th { (words.to_see) } th { (words.contact_head) } th.number { (words.waits_here) }
                        th { (words.waits_there) } th.number { (words.today) } th { (words.clock_head) } th { (words.version_head) }
                    } }
                    tbody { @for store in &fleet.items { (row(store, words, common, shown)) } }
                }
            }
        }
    }
}

fn row(store: &Store, words: &Words, common: &Common, shown: &Shown) -> Markup {
    html! {
        tr data-store=(store.store) {
            th.whole scope="row" { a href=(format!("/fleet/{}", store.store)) { (store.store) " " (store.name) } }
            td { (state_tag(common, &store.state)) }
            td data-label=(words.to_see) { @for alarm in &store.alarms { (alarm_tag(alarm, store.late, words)) " " } }
            td data-label=(words.contact_head) { (until(shown, common, store.known_until.as_deref())) }
            td.number data-label=(words.waits_here) { @if store.waiting == 0 { (words.nothing) } @else { (shown.number(i64::try_from(store.waiting).unwrap_or(i64::MAX))) } }
            td data-label=(words.waits_there) {
                @if store.state == "in-sync" { (words.nothing) }
                @else if let Some(guess) = store.unsent_receipts { (words.probably.replace("{n}", &shown.number(i64::try_from(guess).unwrap_or(i64::MAX)))) }
                @else { (words.unknown) }
            }
            td.number data-label=(words.today) {
                @if let Some(day) = &store.day { (amount(shown, day.total, day.currency.as_deref().unwrap_or_default())) " " span.aged { (day.date) } }
                @else { "–" }
            }
            td data-label=(words.clock_head) { @match store.clock_error_ms { Some(ms) => (format!("{:+.1} s", ms as f64 / 1000.0)), None => span.aged { (words.unknown) } } }
            td data-label=(words.version_head) { @match &store.version { Some(version) => (version), None => span.aged { (words.unknown) } }
                @if store.program.as_deref() == Some("newer") { " " span.tag { (words.newer) } } }
        }
    }
}

/// An alarm in words.
fn alarm_tag(alarm: &str, late: usize, words: &Words) -> Markup {
    let (word, class) = match alarm {
        "clock" => (words.a_clock, "tag warn"),
        "silent" => (words.a_silent, "tag bad"),
        "late" => (words.a_late, "tag bad"),
        _ => (words.a_older, "tag warn"),
    };
    html! { span class=(class) { (word) @if alarm == "late" { " " (late) } } }
}

fn pager(ask: &Ask, skip: usize, found: usize, common: &Common) -> Markup {
    let to = |skip: usize| {
        let kept = ["search", "state", "sort"].into_iter().filter_map(|name| Some((name, ask.param(name)?)));
        let kept: String = kept.map(|(name, value)| format!("&{name}={}", encoded(value))).collect();
        format!("/fleet?skip={skip}{kept}")
    };
    html! {
        @if found > PAGE {
            p.acts {
                @if skip > 0 { a.button href=(to(skip.saturating_sub(PAGE))) { (common.earlier) } }
                span.quiet { (skip + 1) "–" (found.min(skip + PAGE)) " " (common.of) " " (found) }
                @if skip + PAGE < found { a.button href=(to(skip + PAGE)) { (common.next) } }
            }
        }
    }
}

/// Stores on one page.
const PAGE: usize = 50;

/// Stores without a place that are named beside the map.
const NOWHERE: usize = 10;
