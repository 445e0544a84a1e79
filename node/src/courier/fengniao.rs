//! Fengniao ("hummingbird", Ele.me's couriers) by its open API, third version: JSON over HTTPS, signed with a shared secret.
//!
//! Every request is `{app_id, merchant_id, timestamp, version, access_token, business_data, signature}`, where `business_data`
//! is JSON in a string; answers and callbacks have the same shape. Money is in fen, weight in kilograms, and `position_source`
//! says whose map the coordinates are of. The callback address is set in Fengniao's console, not per order.
//!
//! Not published, so not relied on: a list of error codes. Whatever is not `200` is a refusal, read by its words
//! ([`wire::reason_of`]); after a doubt the service is asked by our own order code, which is unique per attempt.
//!
//! Shape of the API: the public clients `MQEnergy/delivery-core` (Go), `CharLemAznable/varys` (Go) and `devtech/elemme-sdk` (PHP).

pub mod sign;
mod token;
pub mod wire;

use std::fmt;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use ureq::Agent;

use crate::courier::fengniao::sign::Secret;
use crate::courier::fengniao::token::Tokens;
use crate::courier::fengniao::wire::{Answer, CancelOrder, Costs, Created, Detail, NewOrder, Offers, Order};
use crate::courier::job::{Amount, ExternalId};
use crate::courier::limits::{ANSWER_BYTES_MAX, CONNECT_TIMEOUT};
use crate::courier::report::{Reason, Report};
use crate::courier::settings::FengniaoSettings;
use crate::courier::{
    Ask, CallbackError, CancelFee, Cancellation, Capabilities, Change, Courier, CourierError, Placed, Quote, Support,
};

/// See the module.
pub struct Fengniao {
    settings: FengniaoSettings,
    secret: Secret,
    tokens: Tokens,
    agent: Agent,
    capabilities: Capabilities,
}

/// How a call ended, before it is known what was asked.
#[derive(Debug)]
enum CallError {
    Courier(CourierError),
    No { code: String, message: String },
}

impl Fengniao {
    /// Reads the secret and the certificates that the settings name. Calls nobody.
    pub fn new(settings: FengniaoSettings) -> Result<Self, CourierError> {
        let setup = |what: String| CourierError::Setup { service: NAME.into(), what };
        let secret = Secret::read(&settings.secret_file).map_err(setup)?;
        let tokens = Tokens::new(settings.token_file.clone(), settings.code_file.clone());
        let capabilities = capabilities(&settings);
        let agent = settings.agent(Duration::from_secs(settings.timeout_s), CONNECT_TIMEOUT).map_err(setup)?;
        Ok(Self { settings, secret, tokens, agent, capabilities })
    }

    /// One signed business call.
    fn invoke<A: DeserializeOwned>(&self, verb: &str, business: &impl Serialize, now_ms: u64) -> Result<A, CallError> {
        let business = serde_json::to_string(business).map_err(|error| strange(&error))?;
        let token = self.token(now_ms)?;
        let first = self.signed(verb, &business, &token, now_ms);
        let Err(CallError::No { code, message }) = &first else { return first };
        if !wire::is_about_the_token(code, message) {
            return first;
        }
        self.tokens.expire(&token);
        let token = self.token(now_ms)?;
        self.signed(verb, &business, &token, now_ms)
    }

    fn signed<A: DeserializeOwned>(
        &self,
        verb: &str,
        business: &str,
        token: &str,
        now_ms: u64,
    ) -> Result<A, CallError> {
        let timestamp = now_ms.to_string();
        let fields = [
            ("access_token", token),
            ("app_id", &self.settings.app_id),
            ("business_data", business),
            ("merchant_id", &self.settings.merchant_id),
            ("timestamp", &timestamp),
            ("version", VERSION),
        ];
        self.post(&format!("/v3/invoke/{verb}"), &fields)
    }

    fn token(&self, now_ms: u64) -> Result<String, CallError> {
        self.tokens.current(now_ms, |grant| {
            let timestamp = now_ms.to_string();
            let mut fields = vec![
                ("app_id", self.settings.app_id.as_str()),
                ("grant_type", grant.kind()),
                ("merchant_id", &self.settings.merchant_id),
                ("timestamp", &timestamp),
            ];
            fields.push(grant.field());
            self.post(grant.path(), &fields).map_err(|error| match error {
                CallError::No { code, message } => {
                    let what = format!("it gives no token ({code}): {message}");
                    CourierError::Setup { service: NAME.into(), what }.into()
                }
                CallError::Courier(_) => error,
            })
        })
    }

    /// Posts fields with their signature and reads the answer's `business_data`.
    fn post<A: DeserializeOwned>(&self, path: &str, fields: &[(&str, &str)]) -> Result<A, CallError> {
        let signature = self.secret.sign(fields);
        let mut body: serde_json::Map<_, _> =
            fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect();
        body.insert("signature".into(), signature.into());
        let url = format!("{}{path}", self.settings.url.trim_end_matches('/'));
        let unreachable = |error: ureq::Error| CourierError::Unreachable { service: NAME.into(), source: error.into() };
        let mut response = self.agent.post(&url).send_json(&body).map_err(unreachable)?;
        let status = response.status().as_u16();
        if status == 429 || status >= 500 {
            return Err(CourierError::Busy { service: NAME.into(), status }.into());
        }
        let text = response.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_string();
        let text = text.map_err(|error| strange(&error))?;
        if status != 200 {
            return Err(CallError::No { code: format!("HTTP {status}"), message: crate::courier::job::clipped(&text) });
        }
        let answer: Answer = serde_json::from_str(&text).map_err(|error| strange(&error))?;
        answer.into_business().map_err(|no| match no {
            wire::NoAnswer::Refused { code, message } => CallError::No { code, message },
            wire::NoAnswer::Strange(what) => CourierError::Strange { service: NAME.into(), what }.into(),
        })
    }

    fn refused(no: CallError) -> CourierError {
        match no {
            CallError::Courier(error) => error,
            CallError::No { code, message } => {
                let reason = wire::reason_of(&message).unwrap_or(Reason::System);
                CourierError::Refused { service: NAME.into(), code, message, reason }
            }
        }
    }

    fn detail(&self, id: &ExternalId, now_ms: u64) -> Result<Detail, CourierError> {
        let asked = self.invoke("getOrderDetail", &Order::new(id), now_ms);
        asked.map_err(|error| match error {
            CallError::Courier(error) => error,
            CallError::No { .. } => CourierError::Unknown { service: NAME.into(), id: id.clone() },
        })
    }
}

impl Courier for Fengniao {
    fn name(&self) -> &str {
        NAME
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn quote(&self, ask: &Ask<'_>) -> Result<Quote, CourierError> {
        let order = NewOrder::new(ask, &ask.job.delivery.external(0), &self.settings);
        let offers: Offers = self.invoke("preCreateOrder", &order, ask.now_ms).map_err(Self::refused)?;
        let what = "an offer without a price".into();
        offers.cheapest(ask.now_ms).ok_or(CourierError::Strange { service: NAME.into(), what })
    }

    fn create(&self, ask: &Ask<'_>, id: &ExternalId) -> Result<Placed, CourierError> {
        let order = NewOrder::new(ask, id, &self.settings);
        let created: Created = self.invoke("createOrder", &order, ask.now_ms).map_err(Self::refused)?;
        Ok(Placed { reference: created.order_id(), report: None })
    }

    fn get(&self, id: &ExternalId, now_ms: u64) -> Result<Vec<Report>, CourierError> {
        Ok(self.detail(id, now_ms)?.reports(now_ms))
    }

    fn update(&self, _id: &ExternalId, _change: &Change, _now_ms: u64) -> Result<(), CourierError> {
        Err(CourierError::Unsupported { service: NAME.into(), what: "change an order that it has taken" })
    }

    fn cancel(&self, id: &ExternalId, reason: Reason, now_ms: u64) -> Result<Cancellation, CourierError> {
        let mut wish = CancelOrder::new(id, reason, self.settings.cancel_code);
        let costs: Result<Costs, _> = self.invoke("preCancelOrder", &wish, now_ms);
        let fee_minor = match costs {
            Ok(costs) => costs.actual_cancel_cost_cent,
            // It may still be possible; the question itself decides.
            Err(CallError::No { .. }) => 0,
            Err(CallError::Courier(error)) => return Err(error),
        };
        wish.actual_cancel_cost_cent = fee_minor;
        match self.invoke::<serde_json::Value>("cancelOrder", &wish, now_ms) {
            Ok(_) => {
                let fee = Amount { minor: fee_minor, currency: wire::yuan() };
                Ok(Cancellation::Accepted((fee_minor != 0).then_some(fee)))
            }
            // Too late, or not known at all: their own word about the order tells the two apart.
            Err(CallError::No { .. }) if self.detail(id, now_ms)?.was_called_off() => Ok(Cancellation::Accepted(None)),
            Err(CallError::No { .. }) => Ok(Cancellation::TooLate),
            Err(CallError::Courier(error)) => Err(error),
        }
    }

    fn confirm_returned(&self, _id: &ExternalId, _now_ms: u64) -> Result<(), CourierError> {
        Err(CourierError::Unsupported { service: NAME.into(), what: "be told of a return" })
    }

    fn callback(&self, raw: &[u8], _now_ms: u64) -> Result<Vec<(ExternalId, Report)>, CallbackError> {
        wire::callback(raw, &self.settings.app_id, &self.secret)
    }
}

impl fmt::Debug for Fengniao {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fengniao").field("url", &self.settings.url).finish_non_exhaustive()
    }
}

impl From<CourierError> for CallError {
    fn from(error: CourierError) -> Self {
        Self::Courier(error)
    }
}

fn strange(what: &dyn fmt::Display) -> CallError {
    CourierError::Strange { service: NAME.into(), what: what.to_string() }.into()
}

fn capabilities(settings: &FengniaoSettings) -> Capabilities {
    Capabilities {
        quotes: Support::Yes,
        schedules: Support::Yes,
        tips: Support::Yes,
        age_check: Support::No,
        return_trip: Support::No,
        positions: Support::No,
        weight_g_max: Some(settings.weight_kg_max * 1000),
        value_minor_max: None,
        distance_m_max: None,
        datum: settings.position_source.datum(),
        currency: Some("CNY"),
        cancel_fee: CancelFee::Asked,
        poll_ms: Some(settings.poll_s * 1000),
    }
}

/// Its name in the configuration and the API.
pub const NAME: &str = "fengniao";

const VERSION: &str = "1.0";
