//! The page that tells the truth about the node: what it knows and how old that is, what is not yet at the hub, who is there, and in one
//! sentence what works now and what does not. Devices are paired here.

use maud::{Markup, html};
use serde::Deserialize;
use stockroom_crdt::checkout::staff::Role;

use super::ask::{Ask, Trouble};
use super::layout::{Page, aged, link_state};
use super::shown::{Shown, ms_of};
use super::words::words;

words! {
    /// What stands on this page.
    Words {
        title: "Link", "连接";
        now: "What works now", "目前可用";
        good: "Everything works: what happens here is at the hub within moments, and on-line promises see this shelf.", "一切正常：本店数据即时送达中心，线上承诺可见本店货架。";
        waiting: "Everything works. The hub has not confirmed all of what happened here yet.", "一切正常，中心尚未确认本店全部数据。";
        cut: "Selling, returns, counting, picking, pickups that were ordered before or that come with a pass, and your own deliveries work. What does not: refunds to cards by the hub, members this store has never seen, and new on-line orders arrive only when the link is back.", "可以销售、退货、盘点、拣货、处理断网前的订单或凭证自提，以及自行配送。暂不可用：由中心退款到银行卡、查询本店未见过的会员；新的线上订单要等恢复连接后才会到达。";
        turned_away: "The hub does not let this node in any more: it was revoked, or another box took its place. What is sold here still gets its receipt, but nobody else counts it. Stop using this box, and call support.", "中心已不再接纳此节点：它已被撤销或被其他设备接替。在此售出的商品仍有小票，但不会被其他节点计入。请停用本机并联系支持人员。";
        locked: "This node was set back or replaced: it makes no new promises until it has heard its hub. Tills go on.", "该节点曾被恢复或更换：在联系到中心之前不会作出新的承诺，收银照常。";
        disk_low: "The disk is getting full: imports have stopped, sales go on. Call support.", "磁盘空间不足：导入已停止，销售照常，请联系支持人员。";
        backlog: "Not yet at the hub", "尚未送达中心";
        backlog_none: "Nothing waits: the hub has everything that happened here.", "无待发送数据。";
        entries: "entries, the oldest written", "条记录，最早写于";
        known: "What is known of the stores", "已知的各店信息";
        store: "Store", "门店";
        known_until: "Known until", "数据截至";
        connected: "Connected", "已连接";
        yes: "yes", "是";
        no: "no", "否";
        peers: "Who is at the other end", "已连接的节点";
        none_linked: "Nobody: no link is up.", "没有任何连接。";
        node: "Node", "节点";
        role: "What it is to us", "关系";
        parent: "our hub", "上级中心";
        child: "a store below us", "下级门店";
        peer: "a neighbour", "邻店";
        sent: "Sent", "已发送";
        received: "Received", "已接收";
        rtt: "Round trip", "往返时间";
        clock: "Its clock against ours", "时钟差";
        about: "About this node", "关于此节点";
        version: "Version", "版本";
        started: "Running since", "启动时间";
        epoch: "Life of the database", "数据库纪元";
        devices: "Tills and handhelds", "收银机与手持设备";
        devices_about: "Each has a token of its own. Take it back when a device is lost.", "每台设备有独立令牌，丢失时请撤销。";
        device: "Name", "名称";
        added: "Added", "添加时间";
        revoke: "Take back", "撤销";
        revoked: "Taken back: this device is not believed any more.", "已撤销。";
        add: "Add a device", "添加设备";
        added_done: "Open this address on the device: {address}", "请在该设备上打开：{address}";
        aids: "Try it", "试验";
        aids_about: "This node was started to be tried out: cut its line to the hub, and see what goes on working.", "该节点以试用方式启动：可切断与中心的连接，查看哪些功能仍可用。";
        cut_it: "Cut the line to the hub", "切断与中心的连接";
        mend: "Mend the line", "恢复连接";
        home_title: "Which node keeps this store's goods", "由哪个节点管理本店库存";
        home_about: "Only one of a store's nodes makes promises from its goods. If it is gone for good, a manager at the hub makes the other one the home, on the page of this store there: that is a decree and begins a new term. Tills go on meanwhile.", "门店只有一个节点可以据库存作出承诺。若该节点彻底损坏，由店长在中心的本店页面指定另一节点：这是一项决定，开始新的任期。期间收银照常。";
        home: "keeps the goods", "管理库存";
        stands_by: "stands by", "备用";
        fenced: "not believed any more", "已失效";
        this_node: "this node", "本节点";
        term: "Term", "任期";
        certificate: "Certificate of these pages", "页面证书";
        download: "Download", "下载";
    }
}

#[derive(Deserialize)]
struct Status {
    link_certificate: Certificate,
    pages: Option<Pages>,
    version: String,
    node: u32,
    started_at: String,
    epoch: Epoch,
    rights_locked: bool,
    disk: String,
    backlog: Backlog,
    peers: Vec<Peer>,
    stores: Vec<Known>,
}

#[derive(Deserialize)]
struct Epoch {
    number: u16,
    reason: String,
}

#[derive(Deserialize)]
struct Backlog {
    entries: u64,
    oldest_at: Option<String>,
}

#[derive(Deserialize)]
struct Peer {
    node: u32,
    store: u32,
    relation: String,
    ready: bool,
    clock_error_ms: i64,
    udp_tx_bytes: u64,
    udp_rx_bytes: u64,
    rtt_us: Option<u64>,
}

#[derive(Deserialize)]
struct Certificate {
    state: String,
    says: String,
}

#[derive(Deserialize)]
struct Pages {
    ca_sha256: String,
    certificate: Certificate,
}

#[derive(Deserialize)]
struct Known {
    store: u32,
    known_until: Option<String>,
    connected: bool,
}

#[derive(Deserialize)]
struct Home {
    term: u32,
    nodes: Vec<HomeNode>,
}

#[derive(Deserialize)]
struct HomeNode {
    node: u32,
    home: bool,
    connected: bool,
    fenced: bool,
}

#[derive(Deserialize)]
struct Devices {
    items: Vec<Device>,
}

#[derive(Deserialize)]
struct Device {
    name: String,
    added_at: String,
}

/// The page.
pub async fn page(ask: Ask) -> Result<Page, Trouble> {
    let (words, shown) = (Words::of(ask.language()), ask.shown());
    let status: Status = ask.get("/v1/status").await?;
    let state = link_state(ask.language(), &ask.api().handle.status()).state;
    let home: Option<Home> = match ask.api().info.store {
        0 => None,
        store => ask.find(format!("/v1/stores/{store}/home")).await?,
    };
    let manages = ask.may(Role::Manager);
    let devices: Option<Devices> = if manages { Some(ask.get("/v1/devices").await?) } else { None };
    let body = html! {
        div #truth data-live="all" {
            section aria-labelledby="now" {
                h2 #now { (words.now) }
                p.sentence data-state=(state) {
                    @match state { "good" => (words.good), "waiting" => (words.waiting), "bad" => (words.turned_away), _ => (words.cut) }
                }
                @if status.link_certificate.state != "good" { p.said.warn { (shown.sentence(&status.link_certificate.says)) } }
                @if status.rights_locked && state != "bad" { p.said.warn { (words.locked) } }
                @if status.disk != "ample" { p.said.warn { (words.disk_low) } }
            }
            section aria-labelledby="backlog" {
                h2 #backlog { (words.backlog) }
                @match status.backlog.oldest_at.as_deref().and_then(ms_of).filter(|_| status.backlog.entries > 0) {
                    Some(oldest) => p { b { (status.backlog.entries) } " " (words.entries) " " (shown.moment(oldest)) " (" (shown.age(oldest)) ")" },
                    None => p { (words.backlog_none) }
                }
            }
            (stores(&ask, &status, words, &shown))
            (peers(&status, words))
            @if let Some(home) = &home { (homes(home, status.node, words)) }
        }
        @if ask.api().config.test_aids { (aids(words)) }
        @if let Some(devices) = devices { (paired(&devices, words, &shown)) }
        section aria-labelledby="about" {
            h2 #about { (words.about) }
            dl.facts {
                dt { (words.version) } dd { (status.version) }
                dt { (words.node) } dd { (status.node) }
                dt { (words.started) } dd { (shown.moment_of(&status.started_at)) }
                dt { (words.epoch) } dd { (status.epoch.number) " (" (shown.sentence(&status.epoch.reason)) ")" }
                dt { (words.certificate) } dd {
                    a href="/ca.crt" download { (words.download) }
                    @if let Some(pages) = &status.pages { " " (shown.sentence(&pages.certificate.says)) " SHA-256 " code { (pages.ca_sha256) } }
                }
            }
        }
    };
    Ok(Page::new("/link", words.title, body))
}

fn stores(ask: &Ask, status: &Status, words: &Words, shown: &Shown) -> Markup {
    html! {
        section aria-labelledby="known" {
            h2 #known { (words.known) }
            div.scroll tabindex="0" role="region" aria-labelledby="known" {
                table {
                    thead { tr { th { (words.store) } th { (words.known_until) } th { (words.connected) } } }
                    tbody {
                        @for known in &status.stores {
                            tr {
                                th scope="row" { (known.store) }
                                td { (aged(shown, ask.language(), known.known_until.as_deref().and_then(ms_of))) }
                                td { @if known.connected { (words.yes) } @else { (words.no) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn peers(status: &Status, words: &Words) -> Markup {
    let relation = |peer: &Peer| match peer.relation.as_str() {
        "parent" => words.parent,
        "child" => words.child,
        _ => words.peer,
    };
    let kib = |bytes: u64| format!("{} KiB", bytes.div_ceil(1024));
    html! {
        section aria-labelledby="peers" {
            h2 #peers { (words.peers) }
            @let ready: Vec<_> = status.peers.iter().filter(|peer| peer.ready).collect();
            @if ready.is_empty() { p { (words.none_linked) } }
            @else {
                div.scroll tabindex="0" role="region" aria-labelledby="peers" {
                    table {
                        thead { tr { th { (words.node) } th { (words.role) } th { (words.rtt) } th { (words.clock) } th { (words.sent) } th { (words.received) } } }
                        tbody {
                            @for peer in ready {
                                tr {
                                    th scope="row" { (peer.node) @if peer.store != 0 { " (" (words.store) " " (peer.store) ")" } }
                                    td { (relation(peer)) }
                                    td { @if let Some(rtt) = peer.rtt_us { (format!("{:.1} ms", rtt as f64 / 1000.0)) } }
                                    td { (format!("{:+.1} s", peer.clock_error_ms as f64 / 1000.0)) }
                                    td { (kib(peer.udp_tx_bytes)) }
                                    td { (kib(peer.udp_rx_bytes)) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The store's nodes; said at length only where there are several.
fn homes(home: &Home, own: u32, words: &Words) -> Markup {
    html! {
        section aria-labelledby="home" {
            h2 #home { (words.home_title) }
            @if home.nodes.len() > 1 { p { (words.home_about) } }
            ul.list {
                @for node in &home.nodes {
                    li {
                        b { (words.node) " " (node.node) } " "
                        @if node.node == own { span.tag { (words.this_node) } " " }
                        @if node.home { span.tag.good { (words.home) } } @else if node.fenced { span.tag.bad { (words.fenced) } } @else { span.tag { (words.stands_by) } }
                        " " span.quiet { (words.connected) ": " (if node.connected { words.yes } else { words.no }) }
                    }
                }
            }
            p.quiet { (words.term) " " (home.term) }
        }
    }
}

fn aids(words: &Words) -> Markup {
    html! {
        section aria-labelledby="aids" {
            h2 #aids { (words.aids) }
            p { (words.aids_about) }
            form.acts data-post="/v1/test/isolate" {
                input type="hidden" name="cut" value="true" data-type="bool";
                button.danger { (words.cut_it) }
            }
            form.acts data-post="/v1/test/isolate" {
                input type="hidden" name="cut" value="false" data-type="bool";
                button { (words.mend) }
            }
        }
    }
}

fn paired(devices: &Devices, words: &Words, shown: &Shown) -> Markup {
    html! {
        section aria-labelledby="devices" {
            h2 #devices { (words.devices) }
            p { (words.devices_about) }
            div #paired data-live="control" { @if !devices.items.is_empty() {
                table {
                    thead { tr { th { (words.device) } th { (words.added) } th { span.hidden { (words.revoke) } } } }
                    tbody {
                        @for device in &devices.items {
                            tr {
                                th scope="row" { (device.name) }
                                td { (shown.moment_of(&device.added_at)) }
                                td { form data-post="/v1/devices/revoke" data-then="reload" data-done=(words.revoked) {
                                    input type="hidden" name="name" value=(device.name);
                                    button.quiet aria-label={ (words.revoke) ": " (device.name) } { (words.revoke) }
                                } }
                            }
                        }
                    }
                }
            } }
            form.row data-post="/v1/devices" data-done=(words.added_done) data-show="qr" {
                label { span { (words.device) } input name="name" required maxlength="64" autocomplete="off"; }
                button { (words.add) }
            }
        }
    }
}
