//! Taking a request apart: path, query and body, each with its own problem document when it cannot be read.
//!
//! axum's own extractors answer in plain text; none of them stands in a handler's signature.

use std::sync::Arc;

use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, RawQuery, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use axum::response::IntoResponse;
use bytes::Bytes;
use serde::de::DeserializeOwned;
use stockroom_crdt::ids::Digest;

use super::Api;
use super::problem::{Kind, Problem};
use super::values::Word;

/// Who asks: a device's name on the LAN, `local` on the loopback listener.
#[derive(Clone, Debug)]
pub struct Caller(pub String);

/// One value in the path.
pub struct Segment<T>(pub T);

/// Two values in the path.
pub struct Segments<A, B>(pub A, pub B);

/// The query. Unknown parameters are refused by `T`.
pub struct Params<T>(pub T);

/// A JSON body with its hash, for requests that carry their own retry key.
pub struct Body<T> {
    /// What it says. Unknown fields are refused by `T`.
    pub value: T,
    /// SHA-256 of its bytes.
    pub digest: Digest,
}

impl<T: Word> FromRequestParts<Arc<Api>> for Segment<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Problem> {
        let names: Vec<(String, String)> = path(parts, api).await?;
        match names.as_slice() {
            [(name, text)] => Ok(Self(segment(name, text)?)),
            _ => Err(Problem::not_found("there is no such path")),
        }
    }
}

impl<A: Word, B: Word> FromRequestParts<Arc<Api>> for Segments<A, B> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Problem> {
        let names: Vec<(String, String)> = path(parts, api).await?;
        match names.as_slice() {
            [(a, first), (b, second)] => Ok(Self(segment(a, first)?, segment(b, second)?)),
            _ => Err(Problem::not_found("there is no such path")),
        }
    }
}

impl<T: DeserializeOwned> FromRequestParts<Arc<Api>> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Problem> {
        let query = RawQuery::from_request_parts(parts, api).await.map_or(None, |query| query.0);
        let uri = format!("/?{}", query.unwrap_or_default());
        let uri = uri.parse().map_err(|_| Problem::new(Kind::BadRequest, "the query is not a query"))?;
        let taken = axum::extract::Query::<T>::try_from_uri(&uri);
        taken.map(|query| Self(query.0)).map_err(|rejection| {
            let text = rejection.body_text();
            let text = text.strip_prefix("Failed to deserialize query string: ").unwrap_or(&text);
            match text.split_once(": ") {
                Some((field, message)) if !field.contains(' ') => Problem::invalid(field, message),
                _ => Problem::new(Kind::BadRequest, text),
            }
        })
    }
}

impl<T: DeserializeOwned> FromRequest<Arc<Api>> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Arc<Api>) -> Result<Self, Problem> {
        expect_media_type(request.headers(), "application/json")?;
        let bytes = read_bytes(request, api).await?;
        Ok(Self { value: parse(&bytes)?, digest: Digest::of(&[&bytes]) })
    }
}

/// The whole body, up to the limit of its route.
pub async fn read_bytes(request: Request, api: &Arc<Api>) -> Result<Bytes, Problem> {
    Bytes::from_request(request, api).await.map_err(|rejection: BytesRejection| {
        let too_large = rejection.into_response().status() == axum::http::StatusCode::PAYLOAD_TOO_LARGE;
        match too_large {
            true => Problem::new(
                Kind::BodyTooLarge,
                "a body has at most 256 KiB, an import at most 16 MiB: send it in several requests",
            ),
            false => Problem::new(Kind::MalformedBody, "the body broke off"),
        }
    })
}

/// JSON with the path of the field at fault.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        let path = if path == "." { String::new() } else { path };
        problem_of(path, error.inner())
    })?;
    json.end().map_err(|error| problem_of(String::new(), &error))?;
    Ok(value)
}

/// Refuses a body that claims to be something else.
pub fn expect_media_type(headers: &HeaderMap, wanted: &str) -> Result<(), Problem> {
    let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = given.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case(wanted) {
        Ok(())
    } else {
        Err(Problem::new(Kind::MediaType, format!("the body must be sent as Content-Type: {wanted}")))
    }
}

async fn path(parts: &mut Parts, api: &Arc<Api>) -> Result<Vec<(String, String)>, Problem> {
    let taken = Path::from_request_parts(parts, api).await;
    taken.map(|path| path.0).map_err(|_| Problem::new(Kind::BadRequest, "the path is not valid UTF-8"))
}

fn segment<T: Word>(name: &str, text: &str) -> Result<T, Problem> {
    T::read(text).map_err(|message| Problem::invalid(name, message))
}

fn problem_of(path: String, error: &serde_json::Error) -> Problem {
    let text = error.to_string();
    match error.classify() {
        serde_json::error::Category::Data => {
            let text = text.rfind(" at line ").map_or(text.as_str(), |at| &text[..at]);
            Problem::invalid(named(path, text), text)
        }
        serde_json::error::Category::Syntax | serde_json::error::Category::Eof | serde_json::error::Category::Io => {
            Problem::new(Kind::MalformedBody, format!("the body is not JSON: {text}"))
        }
    }
}

/// serde names a missing or unknown field in its message only; the client finds it in the path.
fn named(path: String, message: &str) -> String {
    let quoted = ["missing field `", "unknown field `", "duplicate field `"]
        .iter()
        .find_map(|prefix| message.strip_prefix(prefix)?.split('`').next());
    match quoted {
        Some(field) if path == field || path.ends_with(&format!(".{field}")) => path,
        Some(field) if path.is_empty() => field.into(),
        Some(field) => format!("{path}.{field}"),
        None => path,
    }
}

macro_rules! number_words {
    ($($number:ty),*) => {$(
        impl Word for $number {
            fn read(text: &str) -> Result<Self, String> {
                text.parse().map_err(|_| format!("is not a whole number from {} to {}", Self::MIN, Self::MAX))
            }

            fn write(&self) -> String {
                self.to_string()
            }
        }
    )*};
}

number_words!(u8, u32, u64);

impl Word for String {
    fn read(text: &str) -> Result<Self, String> {
        Ok(text.into())
    }

    fn write(&self) -> String {
        self.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct Outer {
        lines: Vec<Inner>,
    }

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct Inner {
        quantity: i64,
    }

    fn field_of(body: &str) -> String {
        let problem = parse::<Outer>(body.as_bytes()).unwrap_err();
        format!("{problem:?}")
    }

    #[test]
    fn a_problem_names_the_path_of_its_field() {
        for (body, field) in [
            (r#"{"lines":[{"quantity":1},{"quantity":"x"}]}"#, "lines[1].quantity"),
            (r#"{"lines":[{"quantity":1.5}]}"#, "lines[0].quantity"),
            (r#"{"lines":[{"quantity":1,"qty":2}]}"#, "lines[0].qty"),
            (r#"{"lines":[{}]}"#, "lines[0].quantity"),
            (r#"{"lines":[],"colour":1}"#, "colour"),
            (r#"{}"#, "lines"),
        ] {
            assert!(field_of(body).contains(&format!("field: Some({field:?})")), "{body}: {}", field_of(body));
        }
    }

    #[test]
    fn what_is_not_json_has_no_field() {
        for body in ["", "{", "{\"lines\":[]}x", "\u{1}"] {
            let problem = parse::<Outer>(body.as_bytes()).map(|_| ());
            assert_eq!(problem.unwrap_err().kind(), Kind::MalformedBody, "{body:?}");
        }
    }
}
