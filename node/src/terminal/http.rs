//! A terminal over HTTP: a terminal's own controller in the store, or a service that takes wallets' codes, behind a small protocol.
//!
//! Every request carries `Authorization: Bearer SECRET`. A reference names one tender for ever; it is ours, 1 to 32 visible characters.
//!
//! | request | body | what it does |
//! |---|---|---|
//! | `PUT /payments/REFERENCE` | `{"amount": 1299, "currency": "EUR", "kind": "card"}` | asks the customer; `kind` is `card` or `code`. Answers when the customer has decided, or `pending` before. |
//! | `GET /payments/REFERENCE` | – | says how it stands |
//! | `DELETE /payments/REFERENCE` | – | stops asking, gives the money back, closes the reference |
//!
//! An answer is 200 with:
//!
//! ```json
//! { "reference": "...", "state": "approved", "amount": 1299, "code": "831000", "assurance": "captured" }
//! ```
//!
//! * `state`: `pending` (the customer is at it), `approved`, `declined`, `reversed` (given back, or closed before any money was taken).
//! * `amount`: minor units that were taken, with `approved`; less than was asked for is an approval in part.
//! * `code`: the approval code, or why not, in a word.
//! * `assurance`: `captured` (the bank stands behind it) or `offline` (approved without the bank), with `approved`.
//!
//! What a terminal must keep to:
//!
//! * It takes money at most once under a reference. A second `PUT` does nothing and says how it stands; one with another amount is
//!   answered 409.
//! * A reference that was deleted is closed for ever, also one that was never put: a `PUT` that arrives later answers `reversed`.
//! * It knows a reference for at least 30 days, also after its power was gone.
//! * 404 to a `GET`: it never heard of the reference. 400, 401, 403 and 422 to a `PUT`: nothing was done. 409 to a `DELETE`: the money cannot be
//!   given back by this, and `code` says why.
//!
//! Everything else, and silence beyond the time limit, tells nothing: the tender is unknown, and is inquired. After a 404 the reference is
//! deleted before anybody is told that nothing was taken, so that a request that is still on its way cannot take money later.

use std::fmt;

use serde::{Deserialize, Serialize};
use stockroom_crdt::checkout::tender::Assurance;
use stockroom_crdt::ids::Code;
use stockroom_crdt::limits::AMOUNT_MAX;
use stockroom_crdt::sale::TenderKind;
use ureq::Agent;
use ureq::http::Response;

use super::settings::Secret;
use super::{Ask, Capabilities, Reversal, Terminal, Word, clipped};

/// A terminal over HTTP. Its calls block.
pub struct Http {
    url: String,
    secret: Secret,
    agent: Agent,
    capabilities: Capabilities,
}

#[derive(Serialize)]
struct Payment<'a> {
    amount: i64,
    currency: &'a str,
    kind: &'a str,
}

#[derive(Debug, Deserialize)]
struct Answer {
    reference: String,
    state: State,
    amount: Option<i64>,
    #[serde(default)]
    code: String,
    assurance: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Pending,
    Approved,
    Declined,
    Reversed,
}

/// Why an answer does not say how a reference stands.
enum NoAnswer {
    /// This status.
    Status(u16, Code),
    /// None, or one without sense.
    Nothing,
}

impl Http {
    /// A terminal at a URL.
    pub fn new(url: &str, secret: Secret, agent: Agent, capabilities: Capabilities) -> Self {
        Self { url: url.trim_end_matches('/').into(), secret, agent, capabilities }
    }

    fn path(&self, reference: &Code) -> String {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
        let escape = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
        let reference: String = reference.as_str().bytes().map(escape).collect();
        format!("{}/payments/{reference}", self.url)
    }

    fn read(&self, reference: &Code, response: Result<Response<ureq::Body>, ureq::Error>) -> Result<Answer, NoAnswer> {
        let nothing = |what: &dyn fmt::Display| {
            tracing::warn!(reference = reference.as_str(), url = self.url, %what, "a terminal does not answer");
            NoAnswer::Nothing
        };
        let mut response = response.map_err(|error| nothing(&error))?;
        let status = response.status().as_u16();
        let text = response.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_string();
        let text = text.map_err(|error| nothing(&error))?;
        if status != 200 {
            tracing::warn!(reference = reference.as_str(), url = self.url, status, "a terminal answers strangely");
            let code = serde_json::from_str::<serde_json::Value>(&text).ok();
            let code = code.and_then(|body| body["code"].as_str().map(clipped)).unwrap_or_default();
            return Err(NoAnswer::Status(status, code));
        }
        let answer: Answer = serde_json::from_str(&text).map_err(|error| nothing(&error))?;
        if answer.reference == reference.as_str() { Ok(answer) } else { Err(nothing(&"it is about something else")) }
    }

    fn word(&self, reference: &Code, answer: &Answer) -> Word {
        let code = clipped(&answer.code);
        let assurance = match answer.assurance.as_deref() {
            Some("offline") => Some(Assurance::Offline),
            Some("captured") => Some(Assurance::Captured),
            Some(_) | None => None,
        };
        match (answer.state, answer.amount, assurance) {
            (State::Pending, ..) => Word::Unknown,
            (State::Declined, ..) => Word::Declined { why: code },
            (State::Reversed, ..) => Word::Declined { why: clipped("given back") },
            (State::Approved, Some(amount), Some(assurance)) if (1..=AMOUNT_MAX).contains(&amount) => {
                Word::Approved { code, amount, assurance }
            }
            (State::Approved, ..) => {
                tracing::error!(reference = reference.as_str(), ?answer, "a terminal approved something without sense");
                Word::Unknown
            }
        }
    }
}

impl Terminal for Http {
    fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    fn ask(&self, ask: &Ask) -> Word {
        let kind = if ask.kind == TenderKind::Card { "card" } else { "code" };
        let payment = Payment { amount: ask.amount, currency: ask.currency.as_str(), kind };
        let request = self.agent.put(self.path(&ask.reference)).header("Authorization", self.secret.bearer());
        match self.read(&ask.reference, request.send_json(&payment)) {
            Ok(answer) => self.word(&ask.reference, &answer),
            Err(NoAnswer::Status(400 | 401 | 403 | 422, code)) => {
                let why = if code.is_empty() { clipped("refused") } else { code };
                Word::Declined { why }
            }
            Err(NoAnswer::Status(..) | NoAnswer::Nothing) => Word::Unknown,
        }
    }

    fn inquire(&self, reference: &Code) -> Word {
        let request = self.agent.get(self.path(reference)).header("Authorization", self.secret.bearer());
        match self.read(reference, request.call()) {
            Ok(answer) => self.word(reference, &answer),
            Err(NoAnswer::Status(404, _)) => match self.reverse(reference) {
                Reversal::Done { .. } => Word::Declined { why: clipped("not asked") },
                Reversal::Refused { .. } | Reversal::Unknown => Word::Unknown,
            },
            Err(NoAnswer::Status(..) | NoAnswer::Nothing) => Word::Unknown,
        }
    }

    fn reverse(&self, reference: &Code) -> Reversal {
        let request = self.agent.delete(self.path(reference)).header("Authorization", self.secret.bearer());
        match self.read(reference, request.call()) {
            Ok(answer) if answer.state == State::Reversed => Reversal::Done { code: clipped(&answer.code) },
            Ok(answer) => {
                tracing::warn!(reference = reference.as_str(), ?answer, "a terminal was told to give back and did not");
                Reversal::Unknown
            }
            Err(NoAnswer::Status(409, why)) => Reversal::Refused { why },
            Err(NoAnswer::Status(..) | NoAnswer::Nothing) => Reversal::Unknown,
        }
    }
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http").field("url", &self.url).finish_non_exhaustive()
    }
}

/// An answer has five short fields.
const ANSWER_BYTES_MAX: u64 = 16 * 1024;
