//! What every request passes before a handler sees it: is this host meant, who asks, is there room; and after it: how long
//! it took, and headers that keep browsers strict.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use stockroom_crdt::checkout::staff::Role;

use super::Api;
use super::limits::{REQUEST_TIMEOUT, SLOW_TIMEOUT};
use super::pages::ask::{BY_PAGE, encoded};
use super::pages::{self, cookies};
use super::problem::{Kind, Problem};
use super::request::Caller;
use super::who::{Who, of_session};
use crate::lan::host_of;

/// Through which listener a request came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// From this machine, in clear. Whoever can open it may do everything.
    Loopback {
        /// The address of the listener, which may stand in a `Host` header.
        address: IpAddr,
    },
    /// From the shop's network, over TLS. Every request needs a device token, and what only a manager does is not here.
    Lan,
}

/// A mark on requests that came through the door to the shop's network.
#[derive(Clone, Copy, Debug)]
pub struct OnLan;

/// The gate of one door.
#[derive(Clone)]
pub struct Gate {
    /// Behind it.
    pub api: Arc<Api>,
    /// The door.
    pub door: Door,
}

/// Lets a request through, or answers it with a problem.
pub async fn pass(State(gate): State<Gate>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let route = request.extensions().get::<MatchedPath>().map_or("unmatched", |path| path.as_str()).to_owned();
    let method = request.method().clone();
    let mut response = match admit(&gate, &mut request, &route) {
        Ok(()) => run(&gate.api, request, next, &route).await,
        Err(problem) => refused(&request, &route, problem),
    };
    for (name, value) in HEADERS {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    gate.api.metrics.answered(&method, &route, response.status(), started.elapsed());
    response
}

async fn run(api: &Api, request: Request, next: Next, route: &str) -> Response {
    let Ok(_room) = api.requests.try_acquire() else {
        return Problem::new(Kind::Overloaded, "too many requests are being answered").into_response();
    };
    let slow = [super::import::PATH, super::backup::PATH, super::exports::SALES_PATH].contains(&route);
    let limit = if slow { SLOW_TIMEOUT } else { REQUEST_TIMEOUT };
    match tokio::time::timeout(limit, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            let detail = "whether it was carried out is unknown: ask again under the same key";
            Problem::new(Kind::Timeout, detail).into_response()
        }
    }
}

/// Checks the host or the token, and notes who asks.
fn admit(gate: &Gate, request: &mut Request, route: &str) -> Result<(), Problem> {
    if gate.door == Door::Lan {
        if !ANY_HOST.contains(&route) {
            check_lan_host(&gate.api, request.headers(), request.uri())?;
        }
        request.extensions_mut().insert(OnLan);
    }
    let caller = match gate.door {
        Door::Loopback { address } => {
            check_host(request.headers(), request.uri(), address)?;
            if !OPEN_ROUTES.contains(&route) && !cookies::is_local(request.method(), request.headers()) {
                return Err(Problem::new(Kind::Forbidden, "only a page of this node may send that"));
            }
            let by_page = request.headers().contains_key(cookies::PAGE);
            if by_page { BY_PAGE.to_owned() } else { LOCAL.to_owned() }
        }
        Door::Lan if OPEN_ROUTES.contains(&route) || pages::OPEN.contains(&route) => return Ok(()),
        Door::Lan => {
            let device = device(&gate.api, request.method(), request.headers())?;
            if LOOPBACK_ONLY.contains(&route) && !is_operator(&gate.api, request.headers()) {
                return Err(Problem::new(Kind::Forbidden, "this is done on the node's own machine only"));
            }
            device
        }
    };
    let least = LEAST_ROLE.iter().find(|(written, _)| *written == route).map(|(_, role)| *role);
    if let Some(role) = least.filter(|_| request.method() != Method::GET) {
        Who::of(&gate.api, request.headers(), caller.clone())?.may(&gate.api, role)?;
    }
    request.extensions_mut().insert(Caller(caller));
    Ok(())
}

/// The name of the device whose token the request shows: a program as `Authorization`, a browser as a cookie, which other sites' pages
/// could make it send.
fn device(api: &Api, method: &Method, headers: &HeaderMap) -> Result<String, Problem> {
    let refused = |detail| Problem::new(Kind::Unauthorized, detail);
    let shown = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let bearer =
        shown.and_then(|value| value.split_once(' ')).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    let token = match (bearer, cookies::read(headers, cookies::DEVICE)) {
        (Some((_, token)), _) => token.to_owned(),
        (None, Some(_)) if !cookies::is_our_page(method, headers) => {
            return Err(Problem::new(Kind::Forbidden, "only a page of this node may send that"));
        }
        (None, Some(token)) => token,
        (None, None) => return Err(refused("send the device's token as Authorization: Bearer TOKEN")),
    };
    match api.config.devices.find(token.trim()) {
        Ok(Some(name)) => Ok(format!("device {name}")),
        Ok(None) => Err(refused("the token is unknown or revoked")),
        Err(error) => {
            tracing::error!(%error, "device tokens unreadable");
            Err(Problem::new(Kind::Storage, "the node cannot read its device tokens"))
        }
    }
}

/// The same on the shop's network, where this node has names and addresses.
fn check_lan_host(api: &Api, headers: &HeaderMap, uri: &Uri) -> Result<(), Problem> {
    let Some(lan) = &api.config.lan else { return Ok(()) };
    let detail =
        format!("this node is https://{} and has other names; the one that was asked is none of them", lan.door.host());
    check_names(headers, uri, &detail, |host| lan.door.is_ours(host))
}

/// True if head office is signed in at a hub: what is done there from its own machine is done from its pages as well.
fn is_operator(api: &Api, headers: &HeaderMap) -> bool {
    let session = cookies::read(headers, cookies::SESSION).and_then(|token| api.people.session(&token));
    let record = session.and_then(|session| api.read(|books| of_session(api, books, &session)).ok().flatten());
    api.info.store == 0 && record.is_some_and(|record| record.role >= Role::HeadOffice)
}

/// A browser without a token is shown how to get one; a program is told.
fn refused(request: &Request, route: &str, problem: Problem) -> Response {
    let accepts = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_page = request.method() == Method::GET && accepts.contains("text/html") && !route.starts_with("/v1");
    match problem.kind() {
        Kind::Unauthorized if is_page => {
            let wanted = request.uri().path_and_query().map_or("/", |wanted| wanted.as_str());
            Redirect::to(&format!("/pair?then={}", encoded(wanted))).into_response()
        }
        _ => problem.into_response(),
    }
}

/// Against DNS rebinding: a web page whose name was made to point at this machine still sends its own name.
fn check_host(headers: &HeaderMap, uri: &Uri, address: IpAddr) -> Result<(), Problem> {
    check_names(headers, uri, "the loopback API answers to localhost only", |host| is_loopback(host, address))
}

fn check_names(headers: &HeaderMap, uri: &Uri, detail: &str, is_ours: impl Fn(&str) -> bool) -> Result<(), Problem> {
    let host =
        headers.get(header::HOST).and_then(|value| value.to_str().ok()).or_else(|| uri.authority().map(|a| a.as_str()));
    let Some(host) = host else { return Err(Problem::new(Kind::WrongHost, "the request names no host")) };
    if !is_ours(host_of(host)) {
        return Err(Problem::new(Kind::WrongHost, detail));
    }
    let Some(origin) = headers.get(header::ORIGIN) else { return Ok(()) };
    let origin = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
    match origin {
        Some((_, authority)) if is_ours(host_of(authority)) => Ok(()),
        _ => Err(Problem::new(Kind::WrongHost, "a page of another origin may not ask")),
    }
}

fn is_loopback(host: &str, address: IpAddr) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|host| host == address || LOOPBACK.contains(&host))
}

/// Who asks through the loopback door.
pub const LOCAL: &str = "local";

const LOOPBACK: [IpAddr; 2] = [IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), IpAddr::V6(std::net::Ipv6Addr::LOCALHOST)];

/// What needs no device's token: a load balancer asks how the node is, a courier service signs what it says, and a rider's page has a
/// token of its own in its address.
const OPEN_ROUTES: [&str; 6] = ANY_HOST;

/// What may be asked under any name, because a browser brings nothing along that another site's page could misuse: those, and whom to
/// trust, which a device fetches that trusts nobody yet.
const ANY_HOST: [&str; 6] = [
    "/healthz",
    super::trust::PATH,
    "/rider/{token}",
    "/rider/{token}/acts",
    "/rider/{token}/position",
    "/v1/couriers/{name}/callbacks",
];

/// What a till on the LAN has no business with.
const LOOPBACK_ONLY: [&str; 29] = [
    "/v1/backup",
    "/v1/consents",
    "/v1/enrolment-tokens",
    "/v1/exports/outages",
    super::exports::SALES_PATH,
    "/v1/nodes/{node}/fence",
    "/v1/nodes/{node}/write-off",
    super::loyalty::campaigns::CAMPAIGN,
    super::loyalty::campaigns::CAMPAIGNS,
    super::loyalty::campaigns::CODES,
    super::loyalty::campaigns::ISSUE,
    super::loyalty::RULES,
    super::policies::PATH,
    super::orders::rules::LIMITS,
    super::orders::rules::ROUTING,
    super::orders::rules::SERVICE,
    super::risk::PAUSE,
    "/v1/riders/{id}/token",
    super::homes::PATH,
    super::staff::RECORD,
    super::till_rules::HOURS,
    super::till_rules::promotions::PROMOTIONS,
    super::till_rules::TAXES,
    super::till_rules::TILLS,
    "/v1/test/isolate",
    "/v1/webhooks",
    "/v1/webhooks/{id}",
    "/v1/webhooks/{id}/{action}",
    "/metrics",
];

/// Who may write what, where somebody has a PIN; what needs more than its path to be decided is decided by its handler.
const LEAST_ROLE: [(&str, Role); 20] = [
    ("/v1/adjustments", Role::Associate),
    ("/v1/counts", Role::Associate),
    ("/v1/counts/{session}/close", Role::Associate),
    ("/v1/counts/{session}/scans", Role::Associate),
    ("/v1/days/close", Role::Manager),
    ("/v1/days/open", Role::Cashier),
    ("/v1/deliveries/{order}/{action}", Role::Cashier),
    ("/v1/fulfillments/{order}/print", Role::Cashier),
    ("/v1/fulfillments/{order}/{action}", Role::Cashier),
    ("/v1/goods-receipts", Role::Associate),
    ("/v1/labels/print", Role::Cashier),
    ("/v1/pick-lists/print", Role::Cashier),
    ("/v1/quarantine", Role::Associate),
    ("/v1/receipts/{number}/print", Role::Cashier),
    ("/v1/reservations", Role::Cashier),
    ("/v1/reservations/{id}/{action}", Role::Cashier),
    ("/v1/transfers", Role::Associate),
    ("/v1/transfers/{id}/receive", Role::Associate),
    ("/v1/transfers/{id}/ship", Role::Associate),
    ("/v1/prices", Role::Manager),
];

const HEADERS: [(HeaderName, &str); 4] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::CACHE_CONTROL, "no-store"),
    (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    (header::REFERRER_POLICY, "no-referrer"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_that_rebinds_its_name_is_refused() {
        let address = "127.0.0.5".parse().unwrap();
        for host in ["localhost", "LOCALHOST:7400", "127.0.0.1:7400", "[::1]:7400", "[::1]", "127.0.0.5:1"] {
            assert!(is_loopback(host_of(host), address), "{host}");
        }
        for host in ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example:7400", "10.0.0.1", "", "[::2]:1"]
        {
            assert!(!is_loopback(host_of(host), address), "{host}");
        }
    }

    #[test]
    fn a_page_of_another_origin_is_refused() {
        let address = LOOPBACK[0];
        let mut headers = HeaderMap::from_iter([(header::HOST, HeaderValue::from_static("localhost:7400"))]);
        assert!(check_host(&headers, &Uri::from_static("/"), address).is_ok());
        headers.insert(header::ORIGIN, HeaderValue::from_static("https://evil.example"));
        assert!(check_host(&headers, &Uri::from_static("/"), address).is_err());
        headers.insert(header::ORIGIN, HeaderValue::from_static("null"));
        assert!(check_host(&headers, &Uri::from_static("/"), address).is_err());
        headers.insert(header::ORIGIN, HeaderValue::from_static("http://localhost:7400"));
        assert!(check_host(&headers, &Uri::from_static("/"), address).is_ok());
    }
}
