//! What a page knows of its request, and how it learns what to show: it asks the API, as any client would, and reads only what it names.
//!
//! So a page never shows what the API would not say to the same person, and everything on a page can be had by a program.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{FromRequestParts, Query, RawPathParams};
use axum::http::request::Parts;
use axum::http::{Request, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use stockroom_crdt::checkout::staff::{Role, StaffRecord};
use stockroom_crdt::control::StoreRecord;
use stockroom_crdt::ids::StoreId;
use tower::ServiceExt;

use super::cookies::{self, Over};
use super::shown::Shown;
use super::words::{self, Language};
use super::{Pages, cookies::PAGE};
use crate::api::Api;
use crate::api::gate::{LOCAL, OnLan};
use crate::api::request::Caller;
use crate::api::who::SESSION;

/// Who may see a page without being signed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum For {
    /// Staff, where somebody has a PIN.
    Staff,
    /// Everybody who can open the door.
    Everybody,
}

/// A request for a page. Cheap to clone.
#[derive(Clone)]
pub struct Ask {
    inner: Arc<Inner>,
}

struct Inner {
    api: Arc<Api>,
    v1: Router,
    language: Language,
    path: String,
    query: BTreeMap<String, String>,
    segments: BTreeMap<String, String>,
    caller: String,
    session: Option<String>,
    signed_in: Option<StaffRecord>,
    store: Option<StoreRecord>,
    over: Over,
    bound: bool,
}

/// What the API said instead of an answer.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Trouble {
    /// The kind of problem, `/problems/` and its name.
    #[serde(rename = "type", default)]
    pub kind: String,
    /// The HTTP status.
    #[serde(default)]
    pub status: u16,
    /// What went wrong.
    #[serde(default)]
    pub detail: String,
}

impl FromRequestParts<Pages> for Ask {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, pages: &Pages) -> Result<Self, Infallible> {
        let api = pages.api.clone();
        let Query(query) = Query::<BTreeMap<String, String>>::try_from_uri(&parts.uri).unwrap_or_default();
        let segments = RawPathParams::from_request_parts(parts, pages).await;
        let segments = segments.map(|found| found.iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect());
        let over = if parts.extensions.get::<OnLan>().is_some() { Over::Tls } else { Over::Loopback };
        let caller = parts.extensions.get::<Caller>().map_or(String::new(), |caller| caller.0.clone());
        let caller = if caller == LOCAL { BY_PAGE.to_owned() } else { caller };
        let session = cookies::read(&parts.headers, cookies::SESSION);
        let found = api.read(|books| {
            let session = session.as_deref().and_then(|token| api.people.session(token));
            let record =
                session.map(|session| crate::api::who::of_session(&api, books, &session)).transpose()?.flatten();
            let store = books.store(StoreId(api.info.store))?;
            Ok((record, store, books.has_pins(StoreId(api.info.store))?))
        });
        // A node that cannot read its own records says so when the page asks for what it shows.
        let (signed_in, store, bound) = found.unwrap_or_default();
        let inner = Inner {
            v1: pages.v1.clone(),
            language: query
                .get("lang")
                .and_then(|tag| words::parse(tag))
                .unwrap_or_else(|| words::chosen(&parts.headers)),
            path: parts.uri.path().to_owned(),
            query,
            segments: segments.unwrap_or_default(),
            caller,
            session: session.filter(|_| signed_in.is_some()),
            signed_in,
            store,
            over,
            bound,
            api,
        };
        Ok(Self { inner: Arc::new(inner) })
    }
}

impl Ask {
    /// What the API answers to `GET` of this path, as far as the page names it.
    pub async fn get<T: DeserializeOwned>(&self, path: impl AsRef<str>) -> Result<T, Trouble> {
        let path = path.as_ref();
        let mut request = Request::get(path).header(PAGE, "1");
        if let Some(session) = &self.inner.session {
            request = request.header(SESSION, session);
        }
        let wrong = |detail: &str| Trouble { kind: "/problems/storage".into(), status: 500, detail: detail.into() };
        let mut request = request.body(Body::empty()).map_err(|_| wrong("the page asked for something odd"))?;
        request.extensions_mut().insert(Caller(self.inner.caller.clone()));
        let response = match self.inner.v1.clone().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        };
        let status = response.status();
        let bytes = axum::body::to_bytes(response.into_body(), ANSWER_BYTES_MAX).await;
        let bytes = bytes.map_err(|_| wrong("the answer is too long for a page"))?;
        if status.is_success() {
            return serde_json::from_slice(&bytes).map_err(|error| {
                tracing::error!(path, %error, "a page cannot read the API's answer");
                wrong("the page expected something else")
            });
        }
        let trouble: Trouble = serde_json::from_slice(&bytes).unwrap_or_default();
        Err(Trouble { status: status.as_u16(), ..trouble })
    }

    /// Like [`Ask::get`], but nothing where there is no such thing.
    pub async fn find<T: DeserializeOwned>(&self, path: impl AsRef<str>) -> Result<Option<T>, Trouble> {
        match self.get(path).await {
            Ok(answer) => Ok(Some(answer)),
            Err(trouble) if trouble.status == StatusCode::NOT_FOUND.as_u16() => Ok(None),
            Err(trouble) => Err(trouble),
        }
    }

    /// What the node is asked without HTTP: who it is, its status, its configuration.
    pub fn api(&self) -> &Arc<Api> {
        &self.inner.api
    }

    /// The reader's language.
    pub fn language(&self) -> Language {
        self.inner.language
    }

    /// How values are written for this reader, in this store.
    pub fn shown(&self) -> Shown {
        Shown::new(self.inner.language, self.inner.store.as_ref())
    }

    /// The same for another store: its zone and currency, as far as it is known here.
    pub fn shown_at(&self, store: u32) -> Shown {
        let record = self.inner.api.read(|books| Ok(books.store(StoreId(store))?)).ok().flatten();
        Shown::new(self.inner.language, record.as_ref())
    }

    /// The path that was asked for.
    pub fn path(&self) -> &str {
        &self.inner.path
    }

    /// A parameter of the query; nothing if absent or empty.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.inner.query.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// A part of the path, as its route names it.
    pub fn segment(&self, name: &str) -> &str {
        self.inner.segments.get(name).map_or("", String::as_str)
    }

    /// The store of this node; nothing at a hub.
    pub fn store(&self) -> Option<&StoreRecord> {
        self.inner.store.as_ref()
    }

    /// Who is signed in.
    pub fn signed_in(&self) -> Option<&StaffRecord> {
        self.inner.signed_in.as_ref()
    }

    /// True if she may do what this role may: also where nobody has a PIN.
    pub fn may(&self, role: Role) -> bool {
        !self.inner.bound || self.signed_in().is_some_and(|record| record.role >= role)
    }

    /// True if somebody has to sign in before she sees a page.
    pub fn must_sign_in(&self) -> bool {
        self.inner.bound && self.inner.signed_in.is_none()
    }

    /// Who asks: a device's name, or a page on the node's own machine.
    pub fn caller(&self) -> &str {
        &self.inner.caller
    }

    /// How the request came.
    pub fn over(&self) -> Over {
        self.inner.over
    }
}

impl Trouble {
    /// There is no such thing.
    pub fn not_found() -> Self {
        Self { kind: "/problems/not-found".into(), status: 404, detail: String::new() }
    }
}

/// A text as one segment of a path or one value of a query.
pub fn encoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, ENCODED).to_string()
}

/// All but the unreserved characters (RFC 3986, section 2.3).
const ENCODED: &percent_encoding::AsciiSet =
    &percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Who asks by a page on the node's own machine: unlike a program there, she is held to her role.
pub const BY_PAGE: &str = "page";

/// Bytes of one answer of the API to a page.
const ANSWER_BYTES_MAX: usize = 8 * 1024 * 1024;
