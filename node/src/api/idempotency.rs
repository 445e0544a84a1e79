//! Writes that may be tried again: the `Idempotency-Key` header, scoped to its caller, and the mark on a replayed answer.
//!
//! draft-ietf-httpapi-idempotency-key-header-07. A sale needs no key: its till and the till's own number are one.

use std::sync::Arc;

use axum::Json;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use stockroom_core::input::RetryKey;
use stockroom_crdt::ids::Digest;
use utoipa::IntoParams;

use super::Api;
use super::limits::KEY_CHARS_MAX;
use super::problem::{Kind, Problem};
use super::request::{Caller, expect_media_type, parse, read_bytes};

/// A JSON body with the retry key of its request.
pub struct Keyed<T> {
    /// What it says.
    pub value: T,
    /// The key, and what it was used for.
    pub retry: RetryKey,
}

/// A body of another media type with the retry key of its request.
pub struct KeyedBytes {
    /// The body.
    pub bytes: Bytes,
    /// The key, and what it was used for.
    pub retry: RetryKey,
}

/// The header of every write that is not a sale.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[allow(dead_code)]
pub struct KeyHeader {
    /// Any text of 1 to 128 visible characters, new for each thing to be done and the same for each try. Remembered for 30
    /// days. The same key with the same body gets the first answer, with `Idempotent-Replay: true`; with another body 422.
    #[param(rename = "Idempotency-Key", example = "9f6d3c1e-delivery-4711")]
    key: String,
}

impl<T: DeserializeOwned> FromRequest<Arc<Api>> for Keyed<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Arc<Api>) -> Result<Self, Problem> {
        let KeyedBytes { bytes, retry } = take(request, api, "application/json").await?;
        Ok(Self { value: parse(&bytes)?, retry })
    }
}

/// Reads key and body of a request whose body is not JSON.
pub async fn take(request: Request, api: &Arc<Api>, media_type: &str) -> Result<KeyedBytes, Problem> {
    let key = key_of(request.headers())?;
    expect_media_type(request.headers(), media_type)?;
    let caller = request.extensions().get::<Caller>().map_or(String::new(), |caller| caller.0.clone());
    let target = request.uri().clone();
    let scope = scope(&caller, request.method(), &target);
    let bytes = read_bytes(request, api).await?;
    let query = target.query().unwrap_or_default();
    let body = Digest::of(&[query.as_bytes(), &[0], &bytes]);
    Ok(KeyedBytes { bytes, retry: RetryKey { key: Digest::of(&[&scope, key.as_bytes()]), body } })
}

/// The retry key of one part of a request that the core takes in several commands.
pub fn part_of(retry: RetryKey, what: &str, index: usize) -> RetryKey {
    RetryKey { key: Digest::of(&[&retry.key.0, what.as_bytes(), &(index as u64).to_be_bytes()]), body: retry.body }
}

/// 201 for what is new, 200 and a mark for what had been written by an earlier try.
pub fn created(replayed: bool, body: impl Serialize) -> Response {
    marked(replayed, StatusCode::CREATED, body)
}

/// 200, with a mark if it had been written by an earlier try.
pub fn done(replayed: bool, body: impl Serialize) -> Response {
    marked(replayed, StatusCode::OK, body)
}

fn marked(replayed: bool, fresh: StatusCode, body: impl Serialize) -> Response {
    if !replayed {
        return (fresh, Json(body)).into_response();
    }
    let mut response = Json(body).into_response();
    response.headers_mut().insert(REPLAY, HeaderValue::from_static("true"));
    response
}

/// The key: a structured-field string, so quoted; bare is taken as well.
fn key_of(headers: &HeaderMap) -> Result<String, Problem> {
    let mut given = headers.get_all(KEY).iter();
    let wrong = || Problem::new(Kind::IdempotencyKey, "the key has 1 to 128 visible ASCII characters");
    let Some(first) = given.next() else {
        return Err(Problem::new(
            Kind::IdempotencyKey,
            "this write needs a header Idempotency-Key, so that it can be tried again",
        ));
    };
    if given.next().is_some() {
        return Err(Problem::new(Kind::IdempotencyKey, "there are several keys"));
    }
    let text = first.to_str().map_err(|_| wrong())?.trim();
    let bare = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(text);
    let visible = bare.bytes().all(|byte| (0x20..0x7f).contains(&byte) && byte != b'"');
    if bare.is_empty() || bare.len() > KEY_CHARS_MAX || !visible { Err(wrong()) } else { Ok(bare.into()) }
}

fn scope(caller: &str, method: &Method, target: &Uri) -> Vec<u8> {
    let parts = ["http", caller, method.as_str(), target.path()];
    parts.iter().flat_map(|part| part.bytes().chain([0])).collect()
}

const KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAY: HeaderName = HeaderName::from_static("idempotent-replay");

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &'static str) -> Result<String, Kind> {
        let headers = HeaderMap::from_iter([(KEY, HeaderValue::from_static(text))]);
        key_of(&headers).map_err(|problem| problem.kind())
    }

    #[test]
    fn a_key_may_be_quoted_or_bare() {
        assert_eq!(key("\"a-1\""), Ok("a-1".into()));
        assert_eq!(key("a-1"), Ok("a-1".into()));
        assert_eq!(key("\"\""), Err(Kind::IdempotencyKey));
        assert_eq!(key(""), Err(Kind::IdempotencyKey));
        assert_eq!(key("a\"b"), Err(Kind::IdempotencyKey));
        assert!(key_of(&HeaderMap::new()).is_err());
        let long = HeaderValue::from_str(&"k".repeat(129)).unwrap();
        assert!(key_of(&HeaderMap::from_iter([(KEY, long)])).is_err());
    }

    #[test]
    fn a_key_belongs_to_its_caller_and_its_path() {
        let uri = Uri::from_static("/v1/adjustments");
        let other = Uri::from_static("/v1/goods-receipts");
        assert_ne!(scope("a", &Method::POST, &uri), scope("b", &Method::POST, &uri));
        assert_ne!(scope("a", &Method::POST, &uri), scope("a", &Method::POST, &other));
        assert_ne!(scope("a", &Method::POST, &uri), scope("a", &Method::PUT, &uri));
    }
}
