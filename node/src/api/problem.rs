//! Errors as RFC 9457 problem documents: one registry of types, one answer for everything that goes wrong.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use stockroom_core::input::Refusal;
use stockroom_core::storage::StoreError;
use utoipa::ToSchema;

use super::checkout::priced::QuoteAnswer;
use super::values::{Moment, Text, Word};
use crate::handle::AskError;

/// What went wrong, in a way that a client can act upon. The stable `type` of a problem is `/problems/` and its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The path, the query or a header cannot be read.
    BadRequest,
    /// The body is not JSON, or not UTF-8, or breaks off.
    MalformedBody,
    /// The request needs an `Idempotency-Key`, or the one it has is not 1 to 128 visible characters.
    IdempotencyKey,
    /// No device token, or one that is unknown or revoked.
    Unauthorized,
    /// Known, but not through this door.
    Forbidden,
    /// Nobody is signed in: this needs a session of `/v1/sign-in` in the header `Stockroom-Session`, or the one sent is over.
    SignInNeeded,
    /// Who is signed in may not do that: a manager has to approve it, see `/v1/approvals`.
    RoleNeeded,
    /// The PIN is wrong; `tries_left` counts what remains before the next try has to wait. The try was written down.
    WrongPin,
    /// Too many PINs were wrong: the next try has to wait. Whether this one was right is not told.
    PinLocked,
    /// The `Host` or `Origin` is not this node's: a web page must not reach the API through its reader's browser.
    WrongHost,
    /// There is no such thing, or no such path.
    NotFound,
    /// The path exists, the method does not.
    MethodNotAllowed,
    /// The request does not fit the state that things are in.
    Conflict,
    /// A recall stops the line; an approver may override it where the law allows.
    SaleStopped,
    /// The pickup code is wrong; `tries_left` counts what remains. The try was written down.
    WrongCode,
    /// The pass that was shown entitles to nothing here: forged, run out, or for another store.
    PassRefused,
    /// The customer has the goods already; `at` and `store` say since when and from where.
    HandedOver,
    /// Somebody else is at it: a handheld took it along, or a line was picked meanwhile. Look again.
    SomebodyElse,
    /// Another node keeps that: products and nodes are the hub's, sales and stock the store's.
    NotHere,
    /// The body is longer than this path takes.
    BodyTooLarge,
    /// The body has another `Content-Type` than this path takes.
    MediaType,
    /// A field's value cannot be; `field` names it.
    InvalidField,
    /// A field names something that does not exist; `field` names it.
    UnknownReference,
    /// The `Idempotency-Key`, or the sale's number, was used for another request.
    KeyReused,
    /// Lines of an import are wrong; `errors` lists each. Nothing was imported.
    ImportRefused,
    /// The node failed. What it wrote, it wrote whole; ask again under the same key.
    Storage,
    /// Too many requests at once. Nothing happened; come again.
    Overloaded,
    /// The node stops or has stopped. Ask again under the same key.
    Stopping,
    /// The request took too long. Whether it was carried out is unknown; ask again under the same key.
    Timeout,
    /// The disk is nearly full: only sales are written.
    DiskFull,
    /// A drawer's count does not fit: a manager has to confirm it. The shift stays open.
    CountDiffers,
    /// The basket costs something else than the customer was told; `quote` has the new prices. Tell her, and send the new total.
    PriceChanged,
    /// Nobody made a coupon with that code: look at it again. The coupon is the one that `field` names, as for all that follow.
    CouponWrong,
    /// The coupon has expired, or its campaign was taken back: sell without it.
    CouponExpired,
    /// The coupon is good later.
    CouponNotYet,
    /// The coupon is good at other stores only.
    CouponOtherStore,
    /// The coupon is for members, or for another one: scan the member's card.
    CouponMember,
    /// The coupon was used; `at` and `store` say when and where, as far as it is known here.
    CouponUsed,
    /// A basket that waits holds the coupon: pay that one or throw it away first.
    CouponHeld,
    /// The right to the coupon lies elsewhere: ask for it with `/v1/coupons/{code}/ask`, or sell without it.
    CouponNotHere,
    /// No piece or no money of the campaign is left at this store: ask for more with `/v1/coupons/{code}/ask`, or sell without it.
    CouponBudgetGone,
    /// This store has taken as many printed codes as it may before its hub has seen them.
    CouponLimit,
    /// The coupon is not taken together with another one that was shown.
    CouponTogether,
    /// Nothing in the basket is reduced by the coupon.
    CouponNothing,
    /// More points than may be spent here; `may_spend` says how many may. Ask for more with `/v1/members/{id}/points/ask`, or take the rest otherwise.
    PointsBeyond,
}

/// The registry: kind, name, status, title. A name never changes its meaning.
const REGISTRY: [(Kind, &str, StatusCode, &str); 45] = [
    (Kind::BadRequest, "bad-request", StatusCode::BAD_REQUEST, "The request cannot be read"),
    (Kind::MalformedBody, "malformed-body", StatusCode::BAD_REQUEST, "The body cannot be read"),
    (Kind::IdempotencyKey, "idempotency-key", StatusCode::BAD_REQUEST, "An Idempotency-Key is needed"),
    (Kind::Unauthorized, "unauthorized", StatusCode::UNAUTHORIZED, "A valid device token is needed"),
    (Kind::Forbidden, "forbidden", StatusCode::FORBIDDEN, "This is not done from here"),
    (Kind::SignInNeeded, "sign-in-needed", StatusCode::UNAUTHORIZED, "Somebody has to sign in"),
    (Kind::RoleNeeded, "role-needed", StatusCode::FORBIDDEN, "A manager has to approve this"),
    (Kind::WrongPin, "wrong-pin", StatusCode::UNPROCESSABLE_ENTITY, "The PIN is wrong"),
    (Kind::PinLocked, "pin-locked", StatusCode::TOO_MANY_REQUESTS, "The next try has to wait"),
    (Kind::WrongHost, "wrong-host", StatusCode::MISDIRECTED_REQUEST, "This is not the host that was asked for"),
    (Kind::NotFound, "not-found", StatusCode::NOT_FOUND, "There is no such thing"),
    (Kind::MethodNotAllowed, "method-not-allowed", StatusCode::METHOD_NOT_ALLOWED, "The method is not allowed here"),
    (Kind::Conflict, "conflict", StatusCode::CONFLICT, "The request does not fit the state of things"),
    (Kind::SaleStopped, "sale-stopped", StatusCode::CONFLICT, "A line must not be sold"),
    (Kind::WrongCode, "wrong-code", StatusCode::UNPROCESSABLE_ENTITY, "The code is wrong"),
    (Kind::PassRefused, "pass-refused", StatusCode::CONFLICT, "The pass is not good here"),
    (Kind::HandedOver, "handed-over", StatusCode::CONFLICT, "The customer has it already"),
    (Kind::SomebodyElse, "somebody-else", StatusCode::CONFLICT, "Somebody else is at it"),
    (Kind::NotHere, "not-here", StatusCode::CONFLICT, "Another node keeps that"),
    (Kind::BodyTooLarge, "body-too-large", StatusCode::PAYLOAD_TOO_LARGE, "The body is too large"),
    (Kind::MediaType, "media-type", StatusCode::UNSUPPORTED_MEDIA_TYPE, "The body has the wrong media type"),
    (Kind::InvalidField, "invalid-field", StatusCode::UNPROCESSABLE_ENTITY, "A field is wrong"),
    (
        Kind::UnknownReference,
        "unknown-reference",
        StatusCode::UNPROCESSABLE_ENTITY,
        "A field names nothing that exists",
    ),
    (Kind::KeyReused, "key-reused", StatusCode::UNPROCESSABLE_ENTITY, "The key was used for another request"),
    (Kind::ImportRefused, "import-refused", StatusCode::UNPROCESSABLE_ENTITY, "Lines of the import are wrong"),
    (Kind::Storage, "storage", StatusCode::INTERNAL_SERVER_ERROR, "The node failed"),
    (Kind::Overloaded, "overloaded", StatusCode::SERVICE_UNAVAILABLE, "The node is overloaded"),
    (Kind::Stopping, "stopping", StatusCode::SERVICE_UNAVAILABLE, "The node is stopping"),
    (Kind::Timeout, "timeout", StatusCode::GATEWAY_TIMEOUT, "The request took too long"),
    (Kind::DiskFull, "disk-full", StatusCode::INSUFFICIENT_STORAGE, "The disk is nearly full"),
    (Kind::CountDiffers, "count-differs", StatusCode::CONFLICT, "The drawer's count does not fit"),
    (Kind::PriceChanged, "price-changed", StatusCode::CONFLICT, "The price has changed"),
    (Kind::CouponWrong, "coupon-wrong", StatusCode::UNPROCESSABLE_ENTITY, "This is no coupon of ours"),
    (Kind::CouponExpired, "coupon-expired", StatusCode::CONFLICT, "The coupon has expired"),
    (Kind::CouponNotYet, "coupon-not-yet", StatusCode::CONFLICT, "The coupon is not good yet"),
    (Kind::CouponOtherStore, "coupon-other-store", StatusCode::CONFLICT, "The coupon is good at other stores"),
    (Kind::CouponMember, "coupon-member", StatusCode::CONFLICT, "The coupon is for a member"),
    (Kind::CouponUsed, "coupon-used", StatusCode::CONFLICT, "The coupon was used already"),
    (Kind::CouponHeld, "coupon-held", StatusCode::CONFLICT, "A basket that waits holds the coupon"),
    (Kind::CouponNotHere, "coupon-not-here", StatusCode::CONFLICT, "The right to the coupon is elsewhere"),
    (Kind::CouponBudgetGone, "coupon-budget-gone", StatusCode::CONFLICT, "Nothing is left of the campaign here"),
    (Kind::CouponLimit, "coupon-limit", StatusCode::CONFLICT, "This store may take no more of these coupons now"),
    (Kind::CouponTogether, "coupon-together", StatusCode::CONFLICT, "The coupons are not taken together"),
    (Kind::CouponNothing, "coupon-nothing", StatusCode::CONFLICT, "The coupon reduces nothing"),
    (Kind::PointsBeyond, "points-beyond", StatusCode::CONFLICT, "So many points may not be spent here"),
];

impl Kind {
    fn row(self) -> &'static (Self, &'static str, StatusCode, &'static str) {
        &REGISTRY[self as usize]
    }

    /// The status that goes with it.
    pub fn status(self) -> StatusCode {
        self.row().2
    }

    /// The URI reference that names it.
    pub fn uri(self) -> String {
        format!("/problems/{}", self.row().1)
    }

    /// Seconds after which the same request may succeed, if waiting alone can help.
    fn retry_after_s(self) -> Option<u16> {
        match self {
            Self::Overloaded => Some(1),
            Self::Stopping | Self::Timeout => Some(5),
            Self::DiskFull => Some(600),
            _ => None,
        }
    }
}

/// A problem, on its way to a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    kind: Kind,
    detail: String,
    field: Option<String>,
    errors: Vec<LineError>,
    tries_left: Option<u32>,
    /// When, milliseconds since 1970, and at which store.
    handed: Option<Box<(u64, u32)>>,
    /// Seconds after which it may be tried again.
    wait_s: Option<u16>,
    /// What a basket costs now.
    quote: Option<Box<QuoteAnswer>>,
    /// Points that may be spent.
    may_spend: Option<u64>,
}

/// A problem as JSON (RFC 9457).
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemDocument {
    /// Which kind of problem, as a stable URI reference.
    #[serde(rename = "type")]
    #[schema(example = "/problems/invalid-field")]
    kind: String,
    /// The kind in words.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// What went wrong this time.
    detail: String,
    /// Path of the field at fault, e.g. `lines[2].quantity`.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    /// Every bad line of an import.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<LineError>,
    /// Codes that may still be tried before a manager has to decide, or PINs before the next try has to wait.
    #[serde(skip_serializing_if = "Option::is_none")]
    tries_left: Option<u32>,
    /// When the customer got it, or when a coupon was used.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    at: Option<Text<Moment>>,
    /// From which store, or at which.
    #[serde(skip_serializing_if = "Option::is_none")]
    store: Option<u32>,
    /// What the basket costs now, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    quote: Option<Box<QuoteAnswer>>,
    /// Points that may be spent here.
    #[serde(skip_serializing_if = "Option::is_none")]
    may_spend: Option<u64>,
}

/// One bad line of an import.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct LineError {
    /// Number of the line in the file, from 1; the header is line 1.
    pub line: u64,
    /// The column, where one can be named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// What is wrong.
    pub detail: String,
}

/// What a handler answers.
pub type Answered<T = Response> = Result<T, Problem>;

impl Problem {
    /// A problem with a sentence.
    pub fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            detail: detail.into(),
            field: None,
            errors: Vec::new(),
            tries_left: None,
            handed: None,
            wait_s: None,
            quote: None,
            may_spend: None,
        }
    }

    /// A field whose value cannot be.
    pub fn invalid(field: impl Into<String>, message: impl std::fmt::Display) -> Self {
        Self::about(Kind::InvalidField, field.into(), message)
    }

    /// A field that names something that does not exist.
    pub fn unknown(field: impl Into<String>, message: impl std::fmt::Display) -> Self {
        Self::about(Kind::UnknownReference, field.into(), message)
    }

    /// Something in the path that does not exist.
    pub fn not_found(what: impl Into<String>) -> Self {
        Self::new(Kind::NotFound, what)
    }

    /// The lines of an import that are wrong.
    pub fn of_lines(errors: Vec<LineError>) -> Self {
        let detail = format!("{} lines are wrong; nothing was imported", errors.len());
        Self { errors, ..Self::new(Kind::ImportRefused, detail) }
    }

    /// A pickup code that is wrong.
    pub fn wrong_code(tries_left: u32) -> Self {
        let detail = match tries_left {
            0 => "the code is wrong; a manager decides now, or the customer shows the pass".into(),
            left => format!("the code is wrong; {left} tries are left"),
        };
        let field = Some("code".into());
        Self { field, tries_left: Some(tries_left), ..Self::new(Kind::WrongCode, detail) }
    }

    /// A PIN that is wrong, and how long the next try has to wait.
    pub fn wrong_pin(tries_left: u32, wait_ms: u64) -> Self {
        let detail = match tries_left {
            0 => format!("the PIN is wrong; the next try has to wait {} s", seconds(wait_ms)),
            left => format!("the PIN is wrong; {left} tries are left"),
        };
        let (field, wait_s) = (Some("pin".into()), (wait_ms > 0).then(|| seconds(wait_ms)));
        Self { field, wait_s, tries_left: Some(tries_left), ..Self::new(Kind::WrongPin, detail) }
    }

    /// A PIN that was tried too early.
    pub fn pin_locked(wait_ms: u64) -> Self {
        let wait_s = seconds(wait_ms);
        let detail = format!("too many PINs were wrong: the next try has to wait {wait_s} s");
        Self { wait_s: Some(wait_s), ..Self::new(Kind::PinLocked, detail) }
    }

    /// Goods that the customer has already.
    pub fn handed_over(at_ms: u64, store: u32) -> Self {
        let at = Moment(at_ms).write();
        let detail = format!("the customer has it already: it was handed over at {at} at store {store}");
        Self { handed: Some(Box::new((at_ms, store))), ..Self::new(Kind::HandedOver, detail) }
    }

    /// A basket that costs something else than the customer was told.
    pub fn price_changed(quote: QuoteAnswer) -> Self {
        let detail = format!("it costs {} now: tell the customer, and send that as expected_total", quote.total);
        Self {
            field: Some("expected_total".into()),
            quote: Some(Box::new(quote)),
            ..Self::new(Kind::PriceChanged, detail)
        }
    }

    /// Names the field at fault.
    pub fn at_field(self, field: String) -> Self {
        Self { field: (!field.is_empty()).then_some(field), ..self }
    }

    /// Says when and at which store it happened.
    pub fn seen_at(self, at_ms: u64, store: u32) -> Self {
        Self { handed: Some(Box::new((at_ms, store))), ..self }
    }

    /// The same as another kind of problem.
    pub fn of_kind(self, kind: Kind) -> Self {
        Self { kind, ..self }
    }

    /// Names the field as the client's body does, where the core has another name for it.
    pub fn renamed(mut self, from: &str, to: &str) -> Self {
        if self.field.as_deref() == Some(from) {
            self.detail = self.detail.replacen(from, to, 1);
            self.field = Some(to.into());
        }
        self
    }

    /// Drops the beginning of the field's path, where the core names a place that the client's body does not have.
    pub fn without_prefix(mut self, prefix: &str) -> Self {
        if let Some(rest) = self.field.as_deref().and_then(|field| field.strip_prefix(prefix)) {
            let rest = rest.to_owned();
            self.detail = self.detail.replacen(prefix, "", 1);
            self.field = Some(rest);
        }
        self
    }

    /// Says it in other words.
    pub fn detailed(mut self, words: impl FnOnce(&str) -> String) -> Self {
        self.detail = words(&self.detail);
        self
    }

    /// The same fault as one of a line of an import.
    pub fn at_line(self, line: u64) -> LineError {
        let named = self.field.as_ref().map(|field| format!("{field}: "));
        let detail = named.and_then(|named| self.detail.strip_prefix(&named).map(str::to_owned)).unwrap_or(self.detail);
        LineError { line, field: self.field, detail }
    }

    /// The field at fault, if there is one.
    pub fn field(&self) -> Option<&str> {
        self.field.as_deref()
    }

    /// What went wrong, in words.
    pub fn said(&self) -> &str {
        &self.detail
    }

    /// Which kind it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    fn about(kind: Kind, field: String, message: impl std::fmt::Display) -> Self {
        let detail = if field.is_empty() { message.to_string() } else { format!("{field}: {message}") };
        Self { field: (!field.is_empty()).then_some(field), ..Self::new(kind, detail) }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (_, _, status, title) = *self.kind.row();
        let document = ProblemDocument {
            kind: self.kind.uri(),
            title,
            status: status.as_u16(),
            detail: self.detail,
            field: self.field,
            errors: self.errors,
            tries_left: self.tries_left,
            at: self.handed.as_ref().map(|it| Text(Moment(it.0))),
            store: self.handed.map(|it| it.1),
            quote: self.quote,
            may_spend: self.may_spend,
        };
        let mut response = (status, Json(document)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        if let Some(seconds) = self.wait_s.or(self.kind.retry_after_s()) {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.kind == Kind::Unauthorized {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let said = refusal.to_string();
        match refusal {
            Refusal::Invalid { field, message } => Self::invalid(field, message),
            Refusal::Unknown { field, what } => Self::unknown(field, format_args!("no such {what}")),
            Refusal::RetryMismatch => Self::new(Kind::KeyReused, said),
            Refusal::Stopped { field, reason } => Self::about(Kind::SaleStopped, field, reason),
            Refusal::State(_) => Self::new(Kind::Conflict, said),
            Refusal::PriceChanged(_) => Self::new(Kind::PriceChanged, said),
            Refusal::Coupon { field, why } => Self::coupon(field, &why),
            Refusal::Points { may, .. } => Self { may_spend: Some(may), ..Self::new(Kind::PointsBeyond, said) },
            Refusal::NotHere(_) => Self::new(Kind::NotHere, said),
            Refusal::DiskFull => Self::new(Kind::DiskFull, said),
            Refusal::Token => Self::new(Kind::Unauthorized, said),
        }
    }
}

impl From<AskError> for Problem {
    fn from(error: AskError) -> Self {
        match error {
            AskError::Overloaded => Self::new(Kind::Overloaded, error.to_string()),
            AskError::Stopped => Self::new(Kind::Stopping, error.to_string()),
        }
    }
}

impl From<StoreError> for Problem {
    /// The client learns that it is our fault; what exactly, only the log.
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "read failed");
        Self::new(Kind::Storage, "the node cannot read its database")
    }
}

fn seconds(wait_ms: u64) -> u16 {
    u16::try_from(wait_ms.div_ceil(1_000)).unwrap_or(u16::MAX)
}

/// RFC 9457, section 3.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// The registry as a client may read it: one problem type.
#[derive(Serialize, ToSchema)]
pub struct ProblemType {
    /// The stable URI reference.
    #[serde(rename = "type")]
    kind: String,
    /// The HTTP status that goes with it.
    status: u16,
    /// What it means.
    title: &'static str,
}

impl ProblemType {
    /// The stable URI reference.
    pub fn uri(&self) -> &str {
        &self.kind
    }
}

/// All problem types.
pub fn registry() -> Vec<ProblemType> {
    let row = |&(kind, _, status, title): &(Kind, &str, StatusCode, &'static str)| ProblemType {
        kind: kind.uri(),
        status: status.as_u16(),
        title,
    };
    REGISTRY.iter().map(row).collect()
}

/// Every kind.
#[cfg(test)]
pub fn kinds() -> impl Iterator<Item = Kind> {
    REGISTRY.iter().map(|(kind, ..)| *kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_registry_stands_in_the_order_of_its_kinds() {
        for (index, (kind, name, status, _)) in REGISTRY.iter().enumerate() {
            assert_eq!(*kind as usize, index, "{name}");
            assert!(status.is_client_error() || status.is_server_error());
        }
    }

    #[test]
    fn every_refusal_of_the_core_becomes_a_problem() {
        let invalid = Problem::from(Refusal::invalid("lines[2].quantity", "is zero"));
        assert_eq!((invalid.kind(), invalid.field.as_deref()), (Kind::InvalidField, Some("lines[2].quantity")));
        assert_eq!(Problem::from(Refusal::RetryMismatch).kind(), Kind::KeyReused);
        assert_eq!(Problem::from(Refusal::DiskFull).kind().status().as_u16(), 507);
        assert_eq!(Problem::from(AskError::Overloaded).into_response().headers()[header::RETRY_AFTER], "1");
    }

    #[test]
    fn a_field_loses_the_place_that_only_the_core_knows() {
        let problem = Problem::invalid("products[0].unit", "is each already").without_prefix("products[0].");
        assert_eq!(problem.field.as_deref(), Some("unit"));
        assert_eq!(problem.detail, "unit: is each already");
    }
}
