//! The page of a box without a node, served at the addresses where the node will be: loopback in clear, and the shop's network under a
//! certificate that this process made for itself and whose fingerprint it prints.
//!
//! Nobody can sign in yet, so whoever reaches the page may use it, once: it is gone as soon as the box is a node. Requests must name
//! this machine (DNS rebinding), and writes must come from this page (CSRF): other sites' pages cannot send its header.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, Path, RawQuery, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use axum_server::tls_rustls::RustlsConfig;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::json;
use stockroom_transport::pages::own_addresses;
use stockroom_transport::{Announcement, PageAuthority, PageNames, TlsClock};
use tokio::sync::Semaphore;

use super::pages::cookies::PAGE;
use super::pages::{assets, words};
use super::server::{ServeError, bind, in_clear, over_tls, tls_of};
use crate::config::{Config, Profile};
use crate::lan::{colons, host_of};
use crate::paper::words::Language;
use crate::setup::first::{Busy, First, Keys, State as Phase};
use crate::setup::page::{Progress, SCRIPT, STYLE, page, sentence};
use crate::setup::photo::{PICTURE_BYTES_MAX, text_in};
use crate::setup::words::Trouble;

/// The page's listeners, bound.
pub struct SetupServer {
    loopback: TcpListener,
    lan: Option<Lan>,
}

struct Lan {
    listener: TcpListener,
    tls: RustlsConfig,
    fingerprint: String,
    _announced: Option<Announcement>,
}

impl SetupServer {
    /// Binds where the node's API will be.
    pub fn open(config: &Config) -> Result<Self, ServeError> {
        let loopback = bind(config.api.listen)?;
        let lan = config.api.lan_listen.map(|listen| Lan::open(listen, config.mdns)).transpose()?;
        Ok(Self { loopback, lan })
    }

    /// Where the page is, and the fingerprint of the certificate there if there is one.
    pub fn places(&self) -> Vec<(String, Option<&str>)> {
        let port = |listener: &TcpListener| listener.local_addr();
        let clear = port(&self.loopback).map(|address| (format!("http://{address}/setup"), None));
        let lan = self.lan.iter().flat_map(|lan| {
            let port = port(&lan.listener).map_or(0, |address| address.port());
            let hosts =
                own_addresses().into_iter().filter(|address| !address.is_loopback()).map(|address| match address {
                    IpAddr::V4(v4) => v4.to_string(),
                    IpAddr::V6(v6) => format!("[{v6}]"),
                });
            let hosts = [format!("{NAME}.local")].into_iter().chain(hosts);
            hosts.map(move |host| (format!("https://{host}:{port}/setup"), Some(lan.fingerprint.as_str())))
        });
        clear.into_iter().chain(lan).collect()
    }

    /// Serves until the box is a node, and a moment longer, so that the page hears of it.
    pub async fn serve(self, first: Arc<First>) -> io::Result<()> {
        let mut done = first.done();
        let end = axum_server::Handle::new();
        let clear = in_clear(self.loopback, router(&first, None), end.clone());
        let lan = async {
            match self.lan {
                Some(lan) => {
                    let served = router(&first, Some(lan.fingerprint.as_str()));
                    over_tls(lan.listener, served, lan.tls, end.clone()).await
                }
                None => Ok(()),
            }
        };
        let stopped = async {
            // The sender lives in `first`, which outlives this.
            let _ = done.wait_for(|done| *done).await;
            tokio::time::sleep(FAREWELL).await;
            end.graceful_shutdown(Some(FAREWELL));
            std::future::pending::<()>().await;
        };
        tokio::select! {
            served = async { tokio::try_join!(clear, lan) } => served.map(|_| ()),
            () = stopped => Ok(()),
        }
    }
}

impl Lan {
    fn open(listen: SocketAddr, mdns: bool) -> Result<Self, ServeError> {
        let wrong = |error: stockroom_transport::AuthorityError| ServeError::Certificate(error.to_string());
        let names = PageNames { hosts: vec![format!("{NAME}.local"), "localhost".into()], addresses: Vec::new() };
        let now_unix_s = TlsClock::wall().now_unix_s();
        let authority = PageAuthority::create(&names, now_unix_s).map_err(wrong)?;
        let leaf = authority.issue(&names, &own_addresses(), now_unix_s).map_err(wrong)?;
        let tls = RustlsConfig::from_config(tls_of(&leaf.chain_pem, &leaf.key_pem)?);
        let listener = bind(listen)?;
        let port = listener.local_addr().map_err(ServeError::Listener)?.port();
        let fingerprint = colons(&leaf.fingerprint().map_err(wrong)?);
        Ok(Self { listener, tls, fingerprint, _announced: mdns.then(|| Announcement::start(NAME, port)).flatten() })
    }
}

#[derive(Clone)]
struct Desk {
    first: Arc<First>,
    fingerprint: Option<Arc<str>>,
    /// A picture takes memory while it is read.
    pictures: Arc<Semaphore>,
}

fn router(first: &Arc<First>, fingerprint: Option<&str>) -> Router {
    let desk =
        Desk { first: first.clone(), fingerprint: fingerprint.map(Into::into), pictures: Arc::new(Semaphore::new(1)) };
    let picture =
        Router::new().route("/setup/picture", post(read_picture)).layer(DefaultBodyLimit::max(PICTURE_BYTES_MAX));
    Router::new()
        .route("/", get(async || Redirect::to("/setup")))
        .route("/setup", get(show))
        .route("/setup/setup.css", get(async || ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], STYLE)))
        .route("/setup/setup.js", get(async || ([(header::CONTENT_TYPE, "text/javascript; charset=utf-8")], SCRIPT)))
        .route(assets::PATH, get(assets::show))
        .route(assets::ICON, get(assets::icon))
        .route("/setup/state", get(progress))
        .route("/setup/join", post(join))
        .route("/setup/chain", post(make_chain))
        .route("/setup/root-key/{secret}", get(root_key))
        .route("/setup/start", post(start))
        .route("/healthz", get(async || "not set up\n"))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .merge(picture)
        .layer(axum::middleware::from_fn(pass))
        .with_state(desk)
}

/// What every request passes.
async fn pass(request: Request, next: Next) -> Response {
    let mut response = match refusal(&request) {
        None => next.run(request).await,
        Some((status, said)) => (status, Json(json!({ "said": said }))).into_response(),
    };
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

fn refusal(request: &Request) -> Option<(StatusCode, &'static str)> {
    let headers = request.headers();
    let text = |name: HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let host = text(header::HOST).or_else(|| request.uri().authority().map(|authority| authority.as_str()));
    if !host.is_some_and(|host| is_here(host_of(host))) {
        return Some((StatusCode::MISDIRECTED_REQUEST, "This is not the machine that was asked for."));
    }
    if request.method().is_safe() {
        return None;
    }
    let from_here = |origin: &str| origin.split_once("://").is_some_and(|(_, host)| is_here(host_of(host)));
    let ours = headers.contains_key(PAGE) && text(header::ORIGIN).is_none_or(from_here);
    (!ours).then_some((StatusCode::FORBIDDEN, "Only the page itself may send that."))
}

/// The names and addresses of this machine.
fn is_here(host: &str) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    if let Ok(address) = host.parse::<IpAddr>() {
        return address.is_loopback() || own_addresses().contains(&address);
    }
    let announced = host.strip_suffix(".local").and_then(|name| name.strip_prefix(NAME));
    let machine = rustix::system::uname().nodename().to_string_lossy().to_ascii_lowercase();
    // mDNS appends a number when two boxes wait in one network.
    host == "localhost"
        || announced.is_some_and(|rest| rest.is_empty() || rest[1..].parse::<u8>().is_ok() && rest.starts_with('-'))
        || host == machine
        || host.strip_suffix(".local") == Some(&machine)
}

async fn show(State(desk): State<Desk>, query: RawQuery, headers: HeaderMap) -> Response {
    let language = language(&query, &headers);
    let html = page(language, desk.fingerprint.as_deref());
    ([(header::CONTENT_LANGUAGE, language.tag())], Html(html)).into_response()
}

async fn progress(State(desk): State<Desk>, query: RawQuery, headers: HeaderMap) -> Json<Progress> {
    Json(Progress::of(&desk.first.state(), language(&query, &headers)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct JoinBody {
    token: String,
    hub: Option<String>,
    #[serde(default)]
    profile: Profile,
}

async fn join(State(desk): State<Desk>, query: RawQuery, headers: HeaderMap, body: Bytes) -> Response {
    let language = language(&query, &headers);
    let Ok(body) = serde_json::from_slice::<JoinBody>(&body) else { return trouble(Trouble::Token, language) };
    let hub = body.hub.map(|hub| hub.trim().to_owned()).filter(|hub| !hub.is_empty());
    match desk.first.join(body.token, hub, body.profile) {
        Ok(()) => begun(&desk, language),
        Err(busy) => refused(busy, language),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChainBody {
    name: String,
}

async fn make_chain(State(desk): State<Desk>, query: RawQuery, headers: HeaderMap, body: Bytes) -> Response {
    let language = language(&query, &headers);
    let Ok(body) = serde_json::from_slice::<ChainBody>(&body) else { return trouble(Trouble::Name, language) };
    match desk.first.make(body.name.trim().to_owned()).await {
        Ok(secret) => (StatusCode::ACCEPTED, Json(json!({ "secret": secret }))).into_response(),
        Err(busy) => refused(busy, language),
    }
}

/// The root's keys, for the browser that made the chain.
async fn root_key(State(desk): State<Desk>, Path(secret): Path<String>) -> Response {
    let file = match desk.first.state() {
        Phase::Made(_, key) if !key.secret.is_empty() && key.secret == secret => std::fs::read(key.file),
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    match file {
        Ok(bytes) => ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], bytes).into_response(),
        Err(error) => {
            tracing::error!(%error, "the root's keys cannot be read");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StartBody {
    taken_away: bool,
}

async fn start(State(desk): State<Desk>, query: RawQuery, headers: HeaderMap, body: Bytes) -> Response {
    let language = language(&query, &headers);
    let taken = serde_json::from_slice::<StartBody>(&body).is_ok_and(|body| body.taken_away);
    match desk.first.start(if taken { Keys::TakenAway } else { Keys::Stay }) {
        Ok(()) => begun(&desk, language),
        Err(busy) => refused(busy, language),
    }
}

async fn read_picture(
    State(desk): State<Desk>,
    query: RawQuery,
    headers: HeaderMap,
    picture: Result<Bytes, BytesRejection>,
) -> Response {
    let language = language(&query, &headers);
    let (Ok(picture), Ok(_one)) = (picture, desk.pictures.acquire().await) else {
        return trouble(Trouble::Picture, language);
    };
    match tokio::task::spawn_blocking(move || text_in(&picture)).await {
        Ok(Some(text)) => Json(json!({ "text": text })).into_response(),
        Ok(None) | Err(_) => trouble(Trouble::Picture, language),
    }
}

fn begun(desk: &Desk, language: Language) -> Response {
    (StatusCode::ACCEPTED, Json(Progress::of(&desk.first.state(), language))).into_response()
}

fn trouble(trouble: Trouble, language: Language) -> Response {
    (StatusCode::UNPROCESSABLE_ENTITY, Json(json!({ "said": sentence(trouble, language) }))).into_response()
}

fn refused(busy: Busy, language: Language) -> Response {
    let trouble = match busy {
        Busy::Working | Busy::Nothing => Trouble::Busy,
        Busy::Done => Trouble::Taken,
    };
    (StatusCode::CONFLICT, Json(json!({ "said": sentence(trouble, language) }))).into_response()
}

fn language(RawQuery(query): &RawQuery, headers: &HeaderMap) -> Language {
    let asked = query.as_deref().and_then(|query| query.split('&').find_map(|pair| pair.strip_prefix("lang=")));
    asked.and_then(words::parse).unwrap_or_else(|| words::chosen(headers))
}

/// Host under `.local` while the box is not set up.
const NAME: &str = "stockroom-setup";

/// A token and an address.
const BODY_BYTES_MAX: usize = 8 * 1024;

/// From the last step to the end of the page: it asks three times a second.
const FAREWELL: Duration = Duration::from_millis(700);

const HEADERS: [(HeaderName, &str); 4] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::CACHE_CONTROL, "no-store"),
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'",
    ),
    (header::REFERRER_POLICY, "no-referrer"),
];

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use tower::ServiceExt;

    use super::*;
    use crate::files::DataDir;

    async fn ask(router: &Router, request: axum::http::request::Builder, body: &str) -> (StatusCode, String) {
        let response = router.clone().oneshot(request.body(Body::from(body.to_owned())).unwrap()).await.unwrap();
        let status = response.status();
        let bytes = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (status, String::from_utf8(bytes.to_vec()).unwrap())
    }

    fn open(folder: &tempfile::TempDir) -> Router {
        router(&First::new(DataDir::new(folder.path().join("node"), None)), Some("AA:BB"))
    }

    #[tokio::test]
    async fn the_page_is_shown_in_both_languages_with_its_certificate() {
        let folder = tempfile::tempdir().unwrap();
        let router = open(&folder);
        let get = |path: &str| Request::get(path).header("host", "localhost:7400");
        let (status, english) = ask(&router, get("/setup"), "").await;
        assert_eq!(status, 200);
        assert!(english.contains("Join a chain") && english.contains("AA:BB") && english.contains("lang=\"en\""));
        let (_, chinese) = ask(&router, get("/setup").header("accept-language", "zh-CN,zh"), "").await;
        assert!(chinese.contains("加入连锁"));
        assert_eq!(ask(&router, get("/"), "").await.0, 303);
        for asset in ["/setup/setup.css", "/setup/setup.js", "/setup/state", "/healthz"] {
            assert_eq!(ask(&router, get(asset), "").await.0, 200, "{asset}");
        }
        assert_eq!(ask(&router, get("/setup/root-key/"), "").await.0, 404);
        assert_eq!(ask(&router, get("/setup/root-key/00"), "").await.0, 404);
    }

    #[tokio::test]
    async fn another_sites_page_can_set_nothing_up() {
        let folder = tempfile::tempdir().unwrap();
        let router = open(&folder);
        let post = |host: &str| Request::post("/setup/join").header("host", host);
        let body = r#"{"token":"x","hub":null}"#;
        assert_eq!(ask(&router, post("localhost"), body).await.0, 403, "without the page's header");
        assert_eq!(ask(&router, post("evil.example").header("stockroom-page", "1"), body).await.0, 421);
        let foreign = post("localhost").header("stockroom-page", "1").header("origin", "https://evil.example");
        assert_eq!(ask(&router, foreign, body).await.0, 403);
        let own = post("localhost").header("stockroom-page", "1").header("origin", "http://localhost:7400");
        assert_eq!(ask(&router, own, body).await.0, 202);
        for host in ["stockroom-setup.local", "stockroom-setup-2.local.", "127.0.0.1", "LOCALHOST"] {
            assert!(is_here(host), "{host}");
        }
        for host in ["stockroom-setup.local.evil.example", "stockroom-setupx.local", "9.9.9.9", ""] {
            assert!(!is_here(host), "{host}");
        }
    }

    #[tokio::test]
    async fn what_is_wrong_is_said_as_a_sentence() {
        let folder = tempfile::tempdir().unwrap();
        let router = open(&folder);
        let post = |path: &str| Request::post(path).header("host", "localhost").header("stockroom-page", "1");
        let (status, said) = ask(&router, post("/setup/picture"), "no picture").await;
        assert!(status == 422 && said.contains("QR code"), "{said}");
        assert_eq!(ask(&router, post("/setup/join"), "{}").await.0, 422);
        assert_eq!(ask(&router, post("/setup/join"), &"x".repeat(BODY_BYTES_MAX + 1)).await.0, 413);
        assert_eq!(ask(&router, post("/setup/start"), "{}").await.0, 409, "nothing was made");
        let (status, told) = ask(&router, post("/setup/chain"), r#"{"name":"Corner Shop"}"#).await;
        assert_eq!(status, 202);
        let secret = serde_json::from_str::<serde_json::Value>(&told).unwrap()["secret"].as_str().unwrap().to_owned();
        let get = |path: String| Request::get(path).header("host", "localhost");
        assert!(ask(&router, get("/setup/state".into()), "").await.1.contains("\"made\""));
        let (status, keys) = ask(&router, get(format!("/setup/root-key/{secret}")), "").await;
        assert!(status == 200 && keys.contains("Stockroom root keys"));
        assert_eq!(ask(&router, post("/setup/chain"), r#"{"name":"Another"}"#).await.0, 409);
        assert_eq!(ask(&router, post("/setup/start"), r#"{"taken_away":true}"#).await.0, 202);
        assert_eq!(ask(&router, get(format!("/setup/root-key/{secret}")), "").await.0, 404);
    }
}
