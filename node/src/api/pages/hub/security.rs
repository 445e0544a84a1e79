//! What the node noticed, and what it counted since it was started.

use maud::{Markup, html};
use serde::Deserialize;

use super::{Common, for_office, of_chain};
use crate::api::pages::ask::{Ask, Trouble, encoded};
use crate::api::pages::layout::Page;
use crate::api::pages::shown::Shown;
use crate::api::pages::words::words;

words! {
    /// What stands on this page.
    Words {
        title: "Security", "安全";
        about: "What this node noticed. The newest are kept in a file of its own and survive a restart; stores keep their own lists.", "本节点记录的安全事件，重启后保留；各门店另有记录。";
        counted: "Counted since the start", "启动以来计数";
        since: "started", "启动于";
        forks: "logs with two histories", "分叉日志";
        denied: "entries refused", "被拒条目";
        suspect: "times too far ahead", "可疑时间";
        faults: "links closed for a fault", "因错误断开的连接";
        unknown: "entries of a newer kind", "未知类型条目";
        parked: "runs that wait", "等待中的数据";
        events: "Events", "事件";
        when: "When", "时间";
        what: "What happened", "事件";
        kind: "Kind", "类型";
        all: "all", "全部";
        none: "Nothing was noticed.", "暂无事件。";
        kept: "the newest are kept, at most", "最多保留";
        fork: "fork", "分叉";
        fence: "revoked", "吊销";
        refused: "refused entry", "拒绝条目";
        pin: "PIN", "PIN码";
        device: "device", "设备";
        epoch: "new life", "新纪元";
        time: "time", "时间";
        write_off: "write-off", "注销";
        node: "node let in", "节点加入";
        token: "token", "令牌";
        staff: "staff", "人员";
        lost: "not looked at", "遗漏";
        other: "other", "其他";
        fenced: "Revoked nodes", "已吊销节点";
        nodes: "Nodes and tokens", "节点与令牌";
    }
}

#[derive(Deserialize)]
struct Events {
    items: Vec<Event>,
    kept_max: usize,
}

#[derive(Deserialize)]
struct Event {
    at: String,
    kind: String,
    what: String,
}

#[derive(Deserialize)]
struct Status {
    started_at: String,
    counters: Counters,
}

#[derive(Deserialize)]
struct Counters {
    entries_denied: u64,
    entries_unknown: u64,
    times_suspect: u64,
    forks: u64,
    parked: u64,
    peer_faults: u64,
}

/// The page.
pub async fn page(ask: Ask) -> Result<Page, Trouble> {
    for_office(&ask)?;
    let (words, common, shown) = (Words::of(ask.language()), Common::of(ask.language()), of_chain(&ask));
    let kind = ask.param("kind").map_or(String::new(), |kind| format!("&kind={}", encoded(kind)));
    let events: Events = ask.get(format!("/v1/security-events?limit=200{kind}")).await?;
    let status: Status = ask.get("/v1/status").await?;
    let body = html! {
        p { (words.about) }
        div #counted data-live="alarms link control" {
            section aria-labelledby="counters" {
                h2 #counters { (words.counted) " " span.quiet { (words.since) " " (shown.moment_of(&status.started_at)) } }
                (counters(&status.counters, words))
            }
        }
        form.row.asked data-go="/security" {
            label { span { (words.kind) } select name="kind" {
                option value="" { (words.all) }
                @for known in KINDS { option value=(known) selected[ask.param("kind") == Some(known)] { (kind_word(words, known)) } }
            } }
            button { (common.show) }
        }
        section #events data-live="alarms control" aria-labelledby="events-title" {
            h2 #events-title { (words.events) " " span.quiet { (words.kept) " " (events.kept_max) } }
            (list(&events, words, &shown))
        }
    };
    Ok(Page::new("/security", words.title, body))
}

fn counters(counters: &Counters, words: &Words) -> Markup {
    let tiles = [
        (counters.forks, words.forks),
        (counters.entries_denied, words.denied),
        (counters.times_suspect, words.suspect),
        (counters.peer_faults, words.faults),
        (counters.entries_unknown, words.unknown),
        (counters.parked, words.parked),
    ];
    html! { ul.tiles.counts { @for (count, word) in tiles { li class=(if count > 0 { "tile bad" } else { "tile" }) { b { (count) } (word) } } } }
}

fn list(events: &Events, words: &Words, shown: &Shown) -> Markup {
    html! {
        @if events.items.is_empty() { p { (words.none) } } @else {
            div.scroll tabindex="0" role="region" aria-labelledby="events-title" { table {
                thead { tr { th { (words.when) } th { (words.kind) } th { (words.what) } } }
                tbody { @for event in &events.items { tr {
                    td { (shown.moment_of(&event.at)) }
                    td { span class=(colour(&event.kind)) { (kind_word(words, &event.kind)) } }
                    td { (shown.sentence(&event.what)) }
                } } }
            } }
        }
    }
}

fn colour(kind: &str) -> &'static str {
    match kind {
        "fork" | "denied" | "epoch" => "tag bad",
        "fence" | "pin" | "time" | "write-off" | "token" | "lost" => "tag warn",
        _ => "tag",
    }
}

fn kind_word<'a>(words: &'a Words, kind: &'a str) -> &'a str {
    match kind {
        "fork" => words.fork,
        "fence" => words.fence,
        "denied" => words.refused,
        "pin" => words.pin,
        "device" => words.device,
        "epoch" => words.epoch,
        "time" => words.time,
        "write-off" => words.write_off,
        "node" => words.node,
        "token" => words.token,
        "staff" => words.staff,
        "lost" => words.lost,
        _ => words.other,
    }
}

const KINDS: [&str; 13] = [
    "fork",
    "fence",
    "denied",
    "pin",
    "device",
    "epoch",
    "time",
    "write-off",
    "node",
    "token",
    "staff",
    "lost",
    "other",
];
