//! Coming in: a browser becomes a device of the store, a person signs in with her PIN, and chooses her language.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::Request;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use maud::html;
use serde::Deserialize;
use serde_json::json;
use tower::ServiceExt;

use super::Pages;
use super::ask::{Ask, BY_PAGE, Trouble};
use super::cookies::{self, Keep};
use super::layout::Page;
use super::words::{self, words};
use crate::api::problem::{Kind, Problem};
use crate::api::request::Caller;

words! {
    /// What stands on the pages of this module.
    Words {
        sign_in: "Sign in", "登录";
        about: "Your short name and your PIN, as head office gave them to you. They work also while the store is cut off.", "请输入总部分配的工号和密码，断网时同样可用。";
        staff: "Short name", "工号";
        pin: "PIN", "密码";
        nobody_has: "Nobody has a PIN at this store yet, so nobody has to sign in.", "本店尚未设置密码，无需登录。";
        go_on: "Go on", "继续";
        pair: "Pair this device", "配对此设备";
        pair_about: "A till or handheld shows who it is by a token. A manager makes one on the page Link, or on the node's machine with: stockroom device add NAME.", "收银机或手持设备凭令牌识别。店长可在“连接”页面创建，或在节点机器上运行：stockroom device add 名称。";
        not_paired: "This device is not paired, or its pairing was taken back.", "此设备尚未配对，或配对已被撤销。";
        token: "Token", "令牌";
        trust: "Trust this store", "信任本店";
        trust_about: "Before that, let this device trust the store's certificate, once: download it and add it to the device's certificate authorities.", "请先让设备信任本店证书（只需一次）：下载并添加到设备的证书颁发机构。";
        download: "Download the certificate", "下载证书";
        compare: "Its SHA-256 must be the one that the node's machine shows for: stockroom device trust. Here:", "其 SHA-256 必须与节点机器上 stockroom device trust 显示的一致。此处为：";
    }
}

/// The page on which somebody signs in.
pub async fn sign_in_page(ask: Ask) -> Result<Page, Trouble> {
    let words = Words::of(ask.language());
    let then = then(ask.param("then"));
    let body = html! {
        @if ask.must_sign_in() || ask.signed_in().is_some() {
            p.lead { (words.about) }
            form.narrow data-post="/pages/sign-in" data-then=(then) {
                label { span { (words.staff) } input name="staff" required autocomplete="username" autocapitalize="none" spellcheck="false" autofocus; }
                label { span { (words.pin) } input name="pin" type="password" required inputmode="numeric" autocomplete="current-password" pattern="[0-9]{4,8}"; }
                p.acts { button.main { (words.sign_in) } }
            }
        } @else {
            p.lead { (words.nobody_has) }
            p.acts { a.button.main href=(then) { (words.go_on) } }
        }
    };
    Ok(Page::new("", words.sign_in, body))
}

/// The page on which a browser becomes a device. A token behind `#` in the address is taken at once: it is in no log.
pub async fn pair_page(ask: Ask) -> Result<Page, Trouble> {
    let words = Words::of(ask.language());
    let body = html! {
        p.said.warn { (words.not_paired) }
        p.lead { (words.pair_about) }
        form.narrow data-post="/pages/pair" data-then=(then(ask.param("then"))) data-from-fragment="token" {
            label { span { (words.token) } input name="token" required autocomplete="off" autocapitalize="none" spellcheck="false" autofocus; }
            p.acts { button.main { (words.pair) } }
        }
        h2 { (words.trust) }
        p { (words.trust_about) }
        @if let Some(lan) = &ask.api().config.lan {
            p { (words.compare) " " code { (lan.door.trust().sha256) } }
        }
        p.acts { a.button.quiet href="/ca.crt" download { (words.download) } }
    };
    Ok(Page::new("", words.pair, body))
}

/// Signs somebody in, and leaves the session in a cookie that scripts cannot read.
pub async fn sign_in(State(pages): State<Pages>, ask: Ask, headers: HeaderMap, body: bytes::Bytes) -> Response {
    if !cookies::is_our_page(&axum::http::Method::POST, &headers) {
        return not_ours();
    }
    let caller = headers_caller(&ask);
    let request = Request::post("/v1/sign-in").header(header::CONTENT_TYPE, "application/json").body(Body::from(body));
    let Ok(mut request) = request else { return not_ours() };
    request.extensions_mut().insert(Caller(caller));
    let Ok(response) = pages.v1.clone().oneshot(request).await;
    if response.status() != StatusCode::CREATED {
        return response;
    }
    let Ok(bytes) = axum::body::to_bytes(response.into_body(), 65_536).await else { return not_ours() };
    let Ok(session) = serde_json::from_slice::<Session>(&bytes) else { return not_ours() };
    let cookie = cookies::write(cookies::SESSION, &session.session, Keep::Session, ask.over());
    let said = json!({ "staff": session.staff, "name": session.name, "role": session.role });
    (StatusCode::CREATED, [(header::SET_COOKIE, cookie)], Json(said)).into_response()
}

/// Ends the session.
pub async fn sign_out(State(pages): State<Pages>, ask: Ask, headers: HeaderMap) -> Response {
    if !cookies::is_our_page(&axum::http::Method::POST, &headers) {
        return not_ours();
    }
    let ended = cookies::read(&headers, cookies::SESSION).is_some_and(|token| pages.api.people.sign_out(&token));
    let cookie = cookies::write(cookies::SESSION, "", Keep::Forget, ask.over());
    ([(header::SET_COOKIE, cookie)], Json(json!({ "signed_out": ended }))).into_response()
}

/// Makes this browser a device of the store.
pub async fn pair(State(pages): State<Pages>, ask: Ask, headers: HeaderMap, Json(given): Json<Token>) -> Response {
    if !cookies::is_our_page(&axum::http::Method::POST, &headers) {
        return not_ours();
    }
    match pages.api.config.devices.find(given.token.trim()) {
        Ok(Some(name)) => {
            let cookie = cookies::write(cookies::DEVICE, given.token.trim(), Keep::Long, ask.over());
            ([(header::SET_COOKIE, cookie)], Json(json!({ "device": name }))).into_response()
        }
        Ok(None) => Problem::new(Kind::Unauthorized, "the token is unknown or revoked").into_response(),
        Err(error) => {
            tracing::error!(%error, "device tokens unreadable");
            Problem::new(Kind::Storage, "the node cannot read its device tokens").into_response()
        }
    }
}

/// Chooses a language.
pub async fn choose_language(ask: Ask, headers: HeaderMap, Json(chosen): Json<Chosen>) -> Response {
    if !cookies::is_our_page(&axum::http::Method::POST, &headers) {
        return not_ours();
    }
    let Some(language) = words::parse(&chosen.language) else {
        return Problem::invalid("language", "is not one of en, zh-CN").into_response();
    };
    let cookie = cookies::write(cookies::LANGUAGE, language.tag(), Keep::Long, ask.over());
    ([(header::SET_COOKIE, cookie)], Json(json!({ "language": language.tag() }))).into_response()
}

/// A token in a body.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Token {
    token: String,
}

/// A language in a body.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chosen {
    language: String,
}

#[derive(Deserialize)]
struct Session {
    session: String,
    staff: String,
    name: String,
    role: String,
}

fn headers_caller(ask: &Ask) -> String {
    let caller = ask.caller();
    if caller.is_empty() { BY_PAGE.into() } else { caller.into() }
}

/// Where to go afterwards: only a path of this node.
fn then(wanted: Option<&str>) -> String {
    wanted
        .filter(|path| path.starts_with('/') && !path.starts_with("//") && !path.contains('\\'))
        .unwrap_or("/start")
        .into()
}

fn not_ours() -> Response {
    Problem::new(Kind::Forbidden, "only a page of this node may send that").into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_sent_elsewhere() {
        assert_eq!(then(Some("/till")), "/till");
        for bad in ["//evil.example", "https://evil.example", "/\\evil.example", ""] {
            assert_eq!(then(Some(bad)), "/start", "{bad}");
        }
    }
}
