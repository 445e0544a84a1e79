//! Several orders fetched in one walk: choose them, scan each piece into its tote, write down what is missing, put it into a bay.
//!
//! The walk itself is the page's script: it goes on in a cold room where the node cannot be reached, and keeps what was picked.

use maud::{Markup, html};
use serde::Deserialize;

use super::super::ask::{Ask, Trouble};
use super::super::layout::Page;
use super::super::shown::{Shown, ms_of};
use super::super::words::{Language, words};
use super::part::{Part, Place, places};
use crate::config::Profile;

words! {
    /// What stands on the page of picking.
    Words {
        title: "Picking", "拣货";
        choose: "Which orders", "选择订单";
        none: "No order has to be picked.", "没有需要拣货的订单。";
        begin: "Pick these", "开始拣货";
        beside: "Kept on this device. Orders that you have begun stay here until they are ready or you put them away.", "保存在本设备，完成或收起之前一直保留。";
        scan: "Scan a product", "扫描商品";
        camera: "Camera", "摄像头";
        tote: "Tote", "周转箱";
        put_away: "Put this walk away", "收起本次拣货";
        all_found: "All found", "全部找到";
        short: "Missing", "缺货";
        weigh: "Weight", "重量";
        enough: "Save", "保存";
        instead: "Take something else", "替代品";
        instead_code: "Scan what you take instead", "扫描替代商品";
        quantity: "How many are there", "实有数量";
        why: "Why fewer", "缺少原因";
        not_found: "not found", "找不到";
        too_few: "too few", "数量不足";
        damaged: "damaged", "已损坏";
        expired: "expired", "已过期";
        bay: "Bay", "货位";
        bags: "Bags", "袋数";
        stage_alone: "It is ready", "备好";
        stage: "Into the bay: ready", "入货位：备好";
        undo: "Count again", "重新清点";
        of: "of", "/";
        age: "age", "年龄";
        done: "done", "完成";
        open: "to pick", "待拣";
        ready: "Ready", "已备好";
        no_department: "Other", "其他";
        cancelled: "This line was cancelled: put the goods back.", "该商品已取消，请放回货架。";
        waits: "not sent yet", "尚未发送";
        pieces: "pieces", "件";
        lines: "lines", "行";
    }
}

#[derive(Deserialize)]
struct Queue {
    items: Vec<Part>,
}

/// The page.
pub async fn page(ask: Ask) -> Result<Page, Trouble> {
    let (language, words, shown) = (ask.language(), Words::of(ask.language()), ask.shown());
    let queue: Queue = ask.get("/v1/fulfillments?limit=200").await?;
    let chosen: Vec<&str> =
        ask.param("orders").unwrap_or_default().split(',').filter(|order| !order.is_empty()).collect();
    let open: Vec<_> = queue.items.iter().filter(|part| is_to_pick(part)).take(CHOICE_MAX).collect();
    let has_no_bays = ask.api().info.profile == Profile::Solo;
    let body = html! {
        (places(language, Place::Picking))
        div #choose data-chosen=(chosen.join(",")) {
            form #choice {
                section #waiting data-live="orders" aria-labelledby="waiting-head" {
                    h2 #waiting-head { (words.choose) }
                    @if open.is_empty() { p { (words.none) } }
                    ul.list { @for (at, part) in open.iter().enumerate() { (choice(part, at < TOTES_USUAL, words, (language, &shown))) } }
                }
                p.acts { button.main.large disabled[open.is_empty()] { (words.begin) } }
            }
        }
        div #walk hidden data-no-bays[has_no_bays] data-say-tote=(words.tote) data-say-all-found=(words.all_found) data-say-short=(words.short) data-say-weigh=(words.weigh) data-say-enough=(words.enough) data-say-instead=(words.instead) data-say-instead-code=(words.instead_code) data-say-quantity=(words.quantity) data-say-why=(words.why) data-say-not-found=(words.not_found) data-say-too-few=(words.too_few) data-say-damaged=(words.damaged) data-say-expired=(words.expired) data-say-bay=(words.bay) data-say-bags=(words.bags) data-say-stage=(if has_no_bays { words.stage_alone } else { words.stage }) data-say-undo=(words.undo) data-say-of=(words.of) data-say-age=(words.age) data-say-done=(words.done) data-say-open=(words.open) data-say-ready=(words.ready) data-say-no-department=(words.no_department) data-say-cancelled=(words.cancelled) data-say-waits=(words.waits) {
            form.row #scan {
                label { span { (words.scan) } input #scan-field name="code" data-scan autocomplete="off" autocapitalize="off" enterkeyhint="go"; }
                button type="button" data-camera="scan-field" { (words.camera) }
            }
            p #scanned.said role="status" hidden {}
            div #totes {}
            div #stops {}
            p.quiet { (words.beside) }
            p.acts { button.quiet type="button" #put-away { (words.put_away) } }
        }
    };
    Ok(Page::new("/orders", words.title, body).with(&["outbox.js", "camera.js", "picking.js"]))
}

fn is_to_pick(part: &Part) -> bool {
    matches!(part.state.as_str(), "offered" | "accepted" | "picking") && !part.withdrawn && part.hold.is_none()
}

fn choice(part: &Part, is_first: bool, words: &Words, (language, shown): (Language, &Shown)) -> Markup {
    html! {
        li {
            label.check {
                input type="checkbox" name="order" value=(part.order) checked[is_first && part.picker.is_empty()];
                span {
                    b.order-number { "…" (part.short_number()) } " "
                    @if let Some(due) = ms_of(&part.due) { (shown.countdown(due)) " " }
                    span.quiet { (part.pieces()) " " (words.pieces) ", " (part.lines.len()) " " (words.lines) } " "
                    (part.badges(language, shown))
                }
            }
        }
    }
}

/// Orders to choose from: more than anybody fetches before the list is read again.
const CHOICE_MAX: usize = 24;

/// Orders that one person fetches in one walk.
const TOTES_USUAL: usize = 3;
