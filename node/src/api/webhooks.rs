//! Whom this node tells what happens: endpoints, their secrets, a delivery to try one out, and the figures of all.

use std::fmt;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::Api;
use super::events::ApiEvent;
use super::problem::{Answered, Kind, Problem};
use super::request::{Body, Segment, Segments};
use super::status::age_s;
use super::values::{Moment, Text, Word, now_ms};
use crate::webhooks::book::{BookError, ROTATION_MS};
use crate::webhooks::feed;
use crate::webhooks::ladder::Outcome;
use crate::webhooks::outbox::State as Standing;
use crate::webhooks::service::{Shown, WebhookError, Webhooks};

/// Somebody who wants to be told.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewWebhook)]
pub struct WebhookBody {
    /// Where to: `https`, or `http` to a private address that the configuration allows.
    #[schema(example = "https://erp.example.com/stockroom")]
    url: String,
    /// Types of events like `sale.recorded`, or groups like `sale.*`; all if absent or empty.
    #[serde(default)]
    events: Vec<String>,
}

/// An endpoint.
#[derive(Serialize, ToSchema)]
#[schema(as = Webhook)]
pub struct WebhookAnswer {
    /// Its name.
    #[schema(example = "wh_0f3c5a7799b1e2d4")]
    id: String,
    /// Where to.
    url: String,
    /// What; everything if empty.
    events: Vec<String>,
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    created_at: Text<Moment>,
    /// It stands in the node's configuration and is changed there.
    configured: bool,
    /// `active` or `disabled`.
    state: &'static str,
    /// Why it is disabled.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// What went wrong last, until a delivery is taken again.
    #[serde(skip_serializing_if = "Option::is_none")]
    trouble: Option<String>,
    /// Secrets that sign now: 2 for a day after a rotation.
    secrets: usize,
    /// Deliveries that were taken.
    sent: u64,
    /// Attempts that failed.
    failed: u64,
    /// Events that were lost, of those that stand in no log.
    dropped: u64,
    /// Deliveries that wait.
    pending: u64,
    /// How old the oldest of them is, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    oldest_s: Option<u64>,
}

/// Every endpoint.
#[derive(Serialize, ToSchema)]
#[schema(as = Webhooks)]
pub struct WebhookList {
    /// The endpoints, by id.
    items: Vec<WebhookAnswer>,
}

/// An endpoint that was just made, or whose secret was just changed.
#[derive(Serialize, ToSchema)]
#[schema(as = WebhookSecret)]
pub struct SecretAnswer {
    /// The endpoint.
    #[serde(flatten)]
    webhook: WebhookAnswer,
    /// What its receiver verifies signatures with. Shown here and never again.
    #[schema(example = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD")]
    secret: String,
    /// Until when the secret before it signs as well.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    old_secret_until: Option<Text<Moment>>,
}

/// What a receiver made of a delivery.
#[derive(Serialize, ToSchema)]
#[schema(as = WebhookTest)]
pub struct TestAnswer {
    /// It answered 2xx.
    delivered: bool,
    /// What happened, in words.
    detail: String,
}

/// What is done with an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Tell it something, to see whether it hears.
    Test,
    /// Tell it again, after it was disabled.
    Enable,
    /// Give it another secret.
    Rotate,
}

impl Word for Action {
    fn read(text: &str) -> Result<Self, String> {
        match text {
            "test" => Ok(Self::Test),
            "enable" => Ok(Self::Enable),
            "rotate" => Ok(Self::Rotate),
            _ => Err("is none of test, enable, rotate".into()),
        }
    }

    fn write(&self) -> String {
        match self {
            Self::Test => "test",
            Self::Enable => "enable",
            Self::Rotate => "rotate",
        }
        .into()
    }
}

/// Every endpoint, also those of the configuration. From the node's own machine.
#[utoipa::path(get, path = "/v1/webhooks", tag = "status", responses((status = 200, body = WebhookList)))]
pub async fn list_webhooks(State(api): State<Arc<Api>>) -> Answered<Json<WebhookList>> {
    let items = api.config.webhooks.list(now_ms())?.into_iter().map(WebhookAnswer::of).collect();
    Ok(Json(WebhookList { items }))
}

/// Tells an endpoint what happens from now on, signed as Standard Webhooks 1.0.0 has it; the body is a CloudEvent. Deliveries come
/// at least once and in no order: `webhook-id` is the same over retries. From the node's own machine.
#[utoipa::path(post, path = "/v1/webhooks", tag = "status", request_body = WebhookBody,
    responses((status = 201, body = SecretAnswer)))]
pub async fn create_webhook(State(api): State<Arc<Api>>, Body { value: body, .. }: Body<WebhookBody>) -> Answered {
    let webhooks = api.config.webhooks.clone();
    let snapshot = api.handle.snapshot()?;
    let added = off_thread(move || {
        let ends = feed::ends(&*snapshot)?;
        Ok::<_, Problem>(webhooks.add(&body.url, &body.events, ends, now_ms())?)
    });
    let (shown, secret) = added.await??;
    let webhook = WebhookAnswer::of(shown);
    let answer = SecretAnswer { webhook, secret: secret.reveal(), old_secret_until: None };
    Ok((StatusCode::CREATED, Json(answer)).into_response())
}

/// One endpoint. From the node's own machine.
#[utoipa::path(get, path = "/v1/webhooks/{id}", tag = "status", params(("id" = String, Path)),
    responses((status = 200, body = WebhookAnswer)))]
pub async fn show_webhook(State(api): State<Arc<Api>>, Segment(id): Segment<String>) -> Answered<Json<WebhookAnswer>> {
    Ok(Json(WebhookAnswer::of(api.config.webhooks.show(&id, now_ms())?)))
}

/// Tells an endpoint nothing more. From the node's own machine.
#[utoipa::path(delete, path = "/v1/webhooks/{id}", tag = "status", params(("id" = String, Path)),
    responses((status = 200, body = WebhookAnswer, description = "As it was")))]
pub async fn remove_webhook(
    State(api): State<Arc<Api>>,
    Segment(id): Segment<String>,
) -> Answered<Json<WebhookAnswer>> {
    let webhooks = api.config.webhooks.clone();
    let removed = off_thread(move || {
        let shown = webhooks.show(&id, now_ms())?;
        webhooks.remove(&id).map(|()| shown)
    });
    Ok(Json(WebhookAnswer::of(removed.await??)))
}

/// `test` sends one event of the type `dev.stockroom.webhook.tested` now and says what came of it; `enable` tells an endpoint again that
/// was disabled, with what waits for it; `rotate` gives it another secret, and the one before signs as well for a day.
/// From the node's own machine.
#[utoipa::path(post, path = "/v1/webhooks/{id}/{action}", tag = "status",
    params(("id" = String, Path), ("action" = String, Path, description = "`test`, `enable` or `rotate`")),
    responses((status = 200, content((TestAnswer = "application/json"), (WebhookAnswer = "application/json"), (SecretAnswer = "application/json")))))]
pub async fn act_on_webhook(State(api): State<Arc<Api>>, Segments(id, action): Segments<String, Action>) -> Answered {
    let (webhooks, info) = (api.config.webhooks.clone(), api.info.clone());
    match action {
        Action::Test => {
            let sent = off_thread(move || {
                let now_ms = now_ms();
                let event =
                    ApiEvent { kind: "webhook.tested", subject: Some(format!("webhook/{id}")), data: json!({}) };
                webhooks.try_out(&id, &feed::of_api(&info, &event, now_ms, 0), now_ms)
            });
            Ok(Json(TestAnswer::of(sent.await??)).into_response())
        }
        Action::Enable => {
            let shown = off_thread(move || webhooks.enable(&id, now_ms())).await??;
            Ok(Json(WebhookAnswer::of(shown)).into_response())
        }
        Action::Rotate => {
            let now_ms = now_ms();
            let rotated = off_thread(move || {
                let secret = webhooks.rotate(&id, now_ms)?;
                Ok::<_, WebhookError>((webhooks.show(&id, now_ms)?, secret))
            });
            let (shown, secret) = rotated.await??;
            let old_secret_until = Some(Text(Moment(now_ms + ROTATION_MS)));
            let answer = SecretAnswer { webhook: WebhookAnswer::of(shown), secret: secret.reveal(), old_secret_until };
            Ok(Json(answer).into_response())
        }
    }
}

/// Files are written and receivers waited for off the threads that serve requests.
async fn off_thread<T: Send + 'static>(act: impl FnOnce() -> T + Send + 'static) -> Answered<T> {
    let acting = tokio::task::spawn_blocking(act).await;
    acting.map_err(|_| Problem::new(Kind::Storage, "the node failed while it changed a webhook"))
}

impl WebhookAnswer {
    fn of(shown: Shown) -> Self {
        let (state, reason) = match shown.state {
            Standing::Active => ("active", None),
            Standing::Disabled { reason, .. } => ("disabled", Some(reason)),
        };
        let figures = shown.figures;
        Self {
            configured: shown.endpoint.is_configured(),
            id: shown.endpoint.id,
            url: shown.endpoint.url,
            events: shown.endpoint.events.patterns().to_vec(),
            created_at: Text(Moment(shown.endpoint.created_ms)),
            state,
            reason,
            trouble: shown.trouble,
            secrets: shown.secrets,
            sent: figures.sent,
            failed: figures.failed,
            dropped: figures.dropped,
            pending: figures.pending,
            oldest_s: figures.oldest_ms.map(|oldest_ms| age_s(oldest_ms, now_ms())),
        }
    }
}

impl TestAnswer {
    fn of(outcome: Outcome) -> Self {
        let (delivered, detail) = match outcome {
            Outcome::Delivered => (true, "the receiver took it".into()),
            Outcome::Gone => (false, "answered 410".into()),
            Outcome::Throttled { what, .. } | Outcome::Failed { what, .. } => (false, what),
        };
        Self { delivered, detail }
    }
}

impl From<WebhookError> for Problem {
    fn from(error: WebhookError) -> Self {
        let said = error.to_string();
        match error {
            WebhookError::Book(BookError::Url(_)) => Self::invalid("url", said),
            WebhookError::Book(BookError::Events(_)) => Self::invalid("events", said),
            WebhookError::Book(BookError::Unknown) => Self::not_found(said),
            WebhookError::Book(BookError::Full | BookError::Configured) => Self::new(Kind::Conflict, said),
            WebhookError::Book(BookError::Files(_) | BookError::Secret(..) | BookError::Random(_))
            | WebhookError::Off(_) => Self::new(Kind::Storage, said),
        }
    }
}

/// The figures of all deliveries, read when they are asked for.
pub struct Deliveries {
    webhooks: Webhooks,
}

impl Deliveries {
    /// Of these webhooks.
    pub fn of(webhooks: &Webhooks) -> Self {
        Self { webhooks: webhooks.clone() }
    }
}

impl fmt::Debug for Deliveries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Deliveries")
    }
}

impl Collector for Deliveries {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let figures = self.webhooks.figures();
        let counters = [
            ("webhooks_sent", "Deliveries that receivers took", figures.sent),
            ("webhooks_failed", "Attempts to deliver that failed", figures.failed),
            ("webhooks_dropped", "Events in no log that found no room", figures.dropped),
        ];
        for (name, help, value) in counters {
            encoder
                .encode_descriptor(name, help, None, MetricType::Counter)?
                .encode_counter::<NoLabels, _, u64>(&value, None)?;
        }
        let whole = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        let pending = whole(figures.pending);
        let help = "Deliveries that wait, retries included";
        encoder.encode_descriptor("webhooks_pending", help, None, MetricType::Gauge)?.encode_gauge(&pending)?;
        let oldest = whole(figures.oldest_ms.map_or(0, |oldest_ms| age_s(oldest_ms, now_ms())));
        let help = "Age of the oldest of them";
        let mut age = encoder.encode_descriptor("webhooks_oldest", help, Some(&Unit::Seconds), MetricType::Gauge)?;
        age.encode_gauge(&oldest)
    }
}

/// These figures have no labels: an endpoint's own stand at its resource.
#[derive(EncodeLabelSet)]
struct NoLabels {}
