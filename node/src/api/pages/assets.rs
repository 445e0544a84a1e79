//! What pages are drawn and moved with: one style sheet, scripts, and the words that scripts say. All of it is in the binary.
//!
//! The path of an asset holds the hash of all of them, so that a browser keeps them for good and a new version is a new path.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use ring::digest::{SHA256, digest};
use serde_json::json;
use stockroom_crdt::ids::hex;

use super::till;
use super::words::Language;

/// The route of assets.
pub const PATH: &str = "/assets/{version}/{name}";

/// The service worker: its path is fixed, since it decides what it may look after.
pub const WORKER: &str = "/sw.js";

/// What the pages are called when they are put on a phone's home screen.
pub const MANIFEST: &str = "/manifest.webmanifest";

/// The icon.
pub const ICON: &str = "/icon.svg";

/// The path of an asset.
pub fn path(name: &str) -> String {
    format!("/assets/{}/{name}", *VERSION)
}

/// The script with the words of a language.
pub fn words_of(language: Language) -> &'static str {
    match language {
        Language::English => "words.en.js",
        Language::Chinese => "words.zh-CN.js",
    }
}

/// An asset.
pub async fn show(Path((_, name)): Path<(String, String)>, headers: HeaderMap) -> Response {
    // A page of an older version may still ask for its assets: it gets the new ones, and learns of the new version from its worker.
    let accepted = headers.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_packed = accepted.split(',').any(|coding| coding.split(';').next().unwrap_or_default().trim() == "gzip");
    let Some((kind, text)) = find(&name) else { return StatusCode::NOT_FOUND.into_response() };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable")),
        (header::VARY, HeaderValue::from_static("accept-encoding")),
    ];
    match PACKED.get(name.as_str()).filter(|_| is_packed) {
        Some(packed) => (headers, [(header::CONTENT_ENCODING, "gzip")], packed.clone()).into_response(),
        None => (headers, text).into_response(),
    }
}

/// The service worker, which knows its version and what it keeps.
pub async fn worker() -> Response {
    let kept: Vec<String> =
        FILES.iter().map(|(name, ..)| path(name)).chain(["words.en.js", "words.zh-CN.js"].map(path)).collect();
    let head = format!("const VERSION = {};\nconst KEPT = {};\n", json!(*VERSION), json!(kept));
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(SCRIPT)),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; connect-src 'self'")),
    ];
    (headers, head + WORKER_SCRIPT).into_response()
}

/// The manifest.
pub async fn manifest() -> Response {
    let manifest = json!({
        "name": "Stockroom", "short_name": "Stockroom", "start_url": "/start", "display": "standalone",
        "background_color": "#f6f7f5", "theme_color": "#0b5d4e",
        "icons": [{ "src": ICON, "sizes": "any", "type": "image/svg+xml" }],
    });
    ([(header::CONTENT_TYPE, HeaderValue::from_static("application/manifest+json"))], manifest.to_string())
        .into_response()
}

/// The icon.
pub async fn icon() -> Response {
    ([(header::CONTENT_TYPE, HeaderValue::from_static("image/svg+xml"))], ICON_PICTURE).into_response()
}

fn find(name: &str) -> Option<(&'static str, String)> {
    match name {
        "words.en.js" => Some((SCRIPT, words_script(Language::English))),
        "words.zh-CN.js" => Some((SCRIPT, words_script(Language::Chinese))),
        _ => FILES.iter().find(|(known, ..)| *known == name).map(|(_, kind, text)| (*kind, (*text).to_owned())),
    }
}

fn words_script(language: Language) -> String {
    let chosen = |english: &'static str, chinese: &'static str| match language {
        Language::English => english,
        Language::Chinese => chinese,
    };
    let words: serde_json::Map<_, _> = SAID
        .iter()
        .chain(till::said::SAID)
        .chain(super::orders::said::SAID)
        .map(|(key, english, chinese)| ((*key).to_owned(), json!(chosen(english, chinese))))
        .collect();
    format!("self.words = {};\n", serde_json::Value::Object(words))
}

/// All assets as gzip (RFC 1952): a third of the bytes, made once.
static PACKED: LazyLock<BTreeMap<&'static str, Bytes>> = LazyLock::new(|| {
    let words = [Language::English, Language::Chinese].map(words_of);
    let names = FILES.iter().map(|(name, ..)| *name).chain(words);
    let pack = |name| {
        let (_, text) = find(name)?;
        let mut packer = GzEncoder::new(Vec::new(), Compression::best());
        packer.write_all(text.as_bytes()).ok()?;
        Some((name, packer.finish().ok()?.into()))
    };
    names.filter_map(pack).collect()
});

static VERSION: LazyLock<String> = LazyLock::new(|| {
    let mut all = words_script(Language::English) + &words_script(Language::Chinese) + WORKER_SCRIPT;
    FILES.iter().for_each(|(.., text)| all.push_str(text));
    hex(&digest(&SHA256, all.as_bytes()).as_ref()[..8])
});

const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";

/// Name, media type, text.
const FILES: &[(&str, &str, &str)] = &[
    ("page.css", STYLE, include_str!("assets/page.css")),
    ("page.js", SCRIPT, include_str!("assets/page.js")),
    ("lines.js", SCRIPT, include_str!("assets/lines.js")),
    ("members.js", SCRIPT, include_str!("assets/members.js")),
    ("counts.js", SCRIPT, include_str!("assets/counts.js")),
    ("outbox.js", SCRIPT, include_str!("assets/outbox.js")),
    ("till-kept.js", SCRIPT, include_str!("assets/till-kept.js")),
    ("till-goods.js", SCRIPT, include_str!("assets/till-goods.js")),
    ("till.js", SCRIPT, include_str!("assets/till.js")),
    ("till-pay.js", SCRIPT, include_str!("assets/till-pay.js")),
    ("till-desk.js", SCRIPT, include_str!("assets/till-desk.js")),
    ("camera.js", SCRIPT, include_str!("assets/camera.js")),
    ("orders.js", SCRIPT, include_str!("assets/orders.js")),
    ("handover.js", SCRIPT, include_str!("assets/handover.js")),
    ("picking.js", SCRIPT, include_str!("assets/picking.js")),
];

const WORKER_SCRIPT: &str = include_str!("assets/worker.js");

const ICON_PICTURE: &str = include_str!("assets/icon.svg");

/// What scripts say: key, English, Chinese. Keys that begin with `/problems/` are kinds of problems, said as what happened and what to do.
const SAID: &[(&str, &str, &str)] = &[
    ("done", "Done.", "完成。"),
    ("node-gone-short", "The node does not answer", "节点无响应"),
    ("sending", "Sending…", "发送中…"),
    (
        "gone",
        "The node does not answer. Nothing was lost: try again when it is back.",
        "节点无响应。内容未丢失，恢复后请重试。",
    ),
    (
        "kept",
        "The node does not answer. This waits on this device and is sent when it is back.",
        "节点无响应。该操作已保存在本设备，恢复后自动发送。",
    ),
    ("waiting", "waiting to be sent: {n}", "待发送：{n}"),
    ("refused", "Refused when it was sent: {what}", "发送后被拒绝：{what}"),
    ("stale", "Something changed here meanwhile.", "此处内容已有变化。"),
    ("refresh", "Show it", "刷新"),
    ("new-version", "There is a new version of these pages.", "页面有新版本。"),
    ("not-number", "is not a number", "不是数字"),
    ("approve-title", "A manager has to approve this", "需要店长批准"),
    ("approve-staff", "Manager's short name", "店长工号"),
    ("approve-pin", "PIN", "密码"),
    ("approve", "Approve", "批准"),
    ("cancel", "Cancel", "取消"),
    (
        "sign-in-again",
        "Your session is over. Sign in again: what you typed stays here.",
        "登录已过期，请重新登录；已输入的内容会保留。",
    ),
    ("sign-in", "Sign in", "登录"),
    ("tries-left", "tries left: {n}", "剩余次数：{n}"),
    ("wait", "wait {n} s", "请等待 {n} 秒"),
    ("late", "late", "已超时"),
    ("unknown-code", "Nothing here has this code: {code}", "此处没有该条码：{code}"),
    (
        "no-camera",
        "This browser cannot read codes with its camera. Type the code or use a scanner.",
        "此浏览器无法用摄像头扫码，请手动输入或使用扫码枪。",
    ),
    (
        "/problems/unauthorized",
        "This device is not paired, or was revoked: pair it again.",
        "此设备未配对或已被撤销，请重新配对。",
    ),
    ("/problems/forbidden", "This is not done from here.", "此处不能执行该操作。"),
    ("/problems/sign-in-needed", "Sign in first.", "请先登录。"),
    ("/problems/role-needed", "A manager has to approve this.", "需要店长批准。"),
    ("/problems/wrong-pin", "The PIN is wrong.", "密码错误。"),
    ("/problems/pin-locked", "Too many wrong PINs: wait, then try again.", "密码错误次数过多，请稍后再试。"),
    ("/problems/not-found", "There is no such thing here: check the number.", "没有找到，请核对编号。"),
    ("/problems/conflict", "That does not fit how things stand now: look again.", "与当前状态不符，请重新查看。"),
    ("/problems/sale-stopped", "This line must not be sold now.", "该商品目前不得销售。"),
    ("/problems/wrong-code", "The code is wrong: read it once more.", "取货码错误，请重新核对。"),
    ("/problems/pass-refused", "This pass is not good here.", "该凭证在此无效。"),
    ("/problems/handed-over", "The customer has it already.", "顾客已取货。"),
    ("/problems/not-here", "Another node keeps that: ask there.", "该数据由其他节点管理。"),
    ("/problems/invalid-field", "Something in the form cannot be: correct it.", "表单内容有误，请更正。"),
    (
        "/problems/unknown-reference",
        "Something in the form does not exist here: check it.",
        "表单中的对象不存在，请核对。",
    ),
    (
        "/problems/key-reused",
        "This was sent already with other content: load the page again.",
        "该操作已用其他内容提交，请刷新页面。",
    ),
    ("/problems/storage", "The node failed. Nothing was lost: try again.", "节点出错。内容未丢失，请重试。"),
    ("/problems/overloaded", "The node is busy: try again in a moment.", "节点繁忙，请稍候重试。"),
    ("/problems/stopping", "The node is restarting: try again in a moment.", "节点正在重启，请稍候重试。"),
    (
        "/problems/timeout",
        "It took too long, and may have been done: try again, it is not done twice.",
        "处理超时，可能已完成；请重试，不会重复执行。",
    ),
    (
        "/problems/disk-full",
        "The disk is nearly full: only sales go on. Call support.",
        "磁盘将满，只能继续销售，请联系支持人员。",
    ),
    (
        "/problems/count-differs",
        "The count does not fit: count again, or a manager confirms it.",
        "清点不符：请重新清点或由店长确认。",
    ),
    (
        "/problems/price-changed",
        "The price has changed: tell the customer the new total.",
        "价格已变动，请告知顾客新的总额。",
    ),
    ("/problems/coupon-wrong", "This is no coupon of ours.", "这不是本店的优惠券。"),
    ("/problems/coupon-expired", "The coupon has expired.", "优惠券已过期。"),
    ("/problems/coupon-not-yet", "The coupon is good later.", "优惠券尚未生效。"),
    ("/problems/coupon-other-store", "The coupon is good at other stores only.", "优惠券仅限其他门店使用。"),
    ("/problems/coupon-member", "The coupon is for a member: scan the card.", "优惠券仅限会员，请扫描会员卡。"),
    ("/problems/coupon-used", "The coupon was used already.", "优惠券已使用。"),
    ("/problems/coupon-held", "A basket that waits holds the coupon.", "挂单中的购物篮占用了该券。"),
    (
        "/problems/coupon-not-here",
        "The right to this coupon is elsewhere: sell without it, or ask for it.",
        "该券的使用权在别处，可申请或不用券销售。",
    ),
    ("/problems/coupon-budget-gone", "Nothing is left of this campaign here.", "本店活动额度已用完。"),
    (
        "/problems/coupon-limit",
        "No more of these coupons until the hub has seen them.",
        "在与中心同步前不能再收此类券。",
    ),
    ("/problems/coupon-together", "These coupons are not taken together.", "这些优惠券不能同时使用。"),
    ("/problems/coupon-nothing", "Nothing in the basket is reduced by this coupon.", "购物篮中没有适用该券的商品。"),
    ("/problems/points-beyond", "So many points may not be spent here.", "此处不能使用这么多积分。"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_asset_is_found_by_its_name() {
        assert!(find("page.css").is_some() && find("words.zh-CN.js").is_some());
        assert!(find("../page.css").is_none());
        assert!(path("page.js").starts_with("/assets/"));
    }

    #[test]
    fn every_problem_has_words_or_none_that_people_meet() {
        let known: Vec<_> = crate::api::problem::kinds().collect();
        for (key, ..) in SAID.iter().filter(|(key, ..)| key.starts_with("/problems/")) {
            assert!(known.iter().any(|kind| kind.uri() == *key), "{key}");
        }
    }
}
