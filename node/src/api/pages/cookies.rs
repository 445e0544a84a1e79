//! The cookies of pages: which device this is, who is signed in, and which language she reads.
//!
//! The first two are secrets: scripts cannot read them, and no other site's page can make the browser send them.

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};

/// The token of a device.
pub const DEVICE: &str = "stockroom_device";

/// The token of a session.
pub const SESSION: &str = "stockroom_session";

/// The tag of a language.
pub const LANGUAGE: &str = "stockroom_lang";

/// The header that only the node's own script sends along: a form of another site cannot.
pub const PAGE: HeaderName = HeaderName::from_static("stockroom-page");

/// How a cookie is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Until the browser ends.
    Session,
    /// For about a year.
    Long,
    /// No longer.
    Forget,
}

/// Whether a cookie may only travel over TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// It came over TLS.
    Tls,
    /// It came from the same machine, in clear.
    Loopback,
}

/// The value of a cookie.
pub fn read(headers: &HeaderMap, name: &str) -> Option<String> {
    let texts = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    let mut pairs = texts.flat_map(|text| text.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| value.to_owned())
}

/// The header that sets a cookie. Values are tokens and tags: nothing in them needs quotes.
pub fn write(name: &str, value: &str, keep: Keep, over: Over) -> HeaderValue {
    let age = match keep {
        Keep::Session => String::new(),
        Keep::Long => format!("; Max-Age={}", 400 * 86_400),
        Keep::Forget => "; Max-Age=0".into(),
    };
    let secure = if over == Over::Tls { "; Secure" } else { "" };
    let text = format!("{name}={value}; Path=/; HttpOnly; SameSite=Strict{age}{secure}");
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(""))
}

/// False for a write that a page of another site may have sent with this browser's cookies: it lacks our script's header, or names
/// another origin.
pub fn is_our_page(method: &Method, headers: &HeaderMap) -> bool {
    is_reading(method) || (headers.contains_key(PAGE) && is_same_origin(headers))
}

/// False for a write that a page of another site makes a browser on the node's own machine send: such a machine needs no token. Programs send
/// neither cookies nor where they come from.
pub fn is_local(method: &Method, headers: &HeaderMap) -> bool {
    let has_secret = [DEVICE, SESSION].iter().any(|name| read(headers, name).is_some());
    is_reading(method) || (is_same_origin(headers) && (headers.contains_key(PAGE) || !has_secret))
}

fn is_reading(method: &Method) -> bool {
    [Method::GET, Method::HEAD, Method::OPTIONS].contains(method)
}

fn is_same_origin(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let same_site = text(HeaderName::from_static("sec-fetch-site")).is_none_or(|site| site == "same-origin");
    let same_origin = match (text(header::ORIGIN), text(header::HOST)) {
        (None, _) => true,
        (Some(origin), Some(host)) => origin.split_once("://").is_some_and(|(_, authority)| authority == host),
        (Some(_), None) => false,
    };
    same_site && same_origin
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_of_another_site_is_not_ours() {
        let host = (header::HOST, HeaderValue::from_static("store-1.local:7443"));
        let page = (PAGE, HeaderValue::from_static("1"));
        let origin = |text| (header::ORIGIN, HeaderValue::from_static(text));
        let post = |pairs: &[(HeaderName, HeaderValue)]| is_our_page(&Method::POST, &pairs.iter().cloned().collect());
        assert!(post(&[host.clone(), page.clone(), origin("https://store-1.local:7443")]));
        assert!(!post(&[host.clone(), origin("https://store-1.local:7443")]), "a plain form");
        assert!(!post(&[host.clone(), page.clone(), origin("https://evil.example")]));
        let site = (HeaderName::from_static("sec-fetch-site"), HeaderValue::from_static("cross-site"));
        assert!(!post(&[host.clone(), page, site]));
        assert!(is_our_page(&Method::GET, &HeaderMap::new()));
    }

    #[test]
    fn another_sites_page_on_the_nodes_own_machine_is_not_local() {
        let host = (header::HOST, HeaderValue::from_static("127.0.0.1:7400"));
        let origin = |text| (header::ORIGIN, HeaderValue::from_static(text));
        let post = |pairs: &[(HeaderName, HeaderValue)]| is_local(&Method::POST, &pairs.iter().cloned().collect());
        assert!(post(std::slice::from_ref(&host)), "a program");
        assert!(post(&[host.clone(), origin("http://127.0.0.1:7400")]));
        assert!(!post(&[host.clone(), origin("https://evil.example")]));
        let cookie = (header::COOKIE, HeaderValue::from_static("stockroom_session=ss_1"));
        assert!(!post(&[host.clone(), cookie.clone()]), "a plain form with a person's session");
        assert!(post(&[host, cookie, (PAGE, HeaderValue::from_static("1"))]));
    }

    #[test]
    fn a_secret_is_kept_from_scripts_and_from_clear_text() {
        let text = write(SESSION, "ss_1", Keep::Session, Over::Tls);
        assert_eq!(text, "stockroom_session=ss_1; Path=/; HttpOnly; SameSite=Strict; Secure");
        let headers = HeaderMap::from_iter([(header::COOKIE, HeaderValue::from_static("x=1; stockroom_session=ss_1"))]);
        assert_eq!(read(&headers, SESSION).as_deref(), Some("ss_1"));
        assert_eq!(read(&headers, DEVICE), None);
    }
}
