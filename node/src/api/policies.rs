//! Rules about promising: what the chain lets be promised, by whom, and at what risk. Percent and minutes here, parts per million
//! and milliseconds inside.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use stockroom_core::input::Command;
use stockroom_crdt::entry::Fact;
use stockroom_crdt::ids::{Code, Sku};
use stockroom_crdt::stock::policy::{Allocation, PolicyRule, Target};
use utoipa::{IntoParams, ToSchema};

use super::idempotency::{KeyHeader, Keyed, done};
use super::problem::{Answered, Problem};
use super::request::Params;
use super::values::{Text, Word};
use super::{Api, unexpected_entry};

/// How the goods of a target may be promised. The narrowest rule that fits a product holds: its own, its department's, the one
/// for everything. Without a rule goods are sold at the till and promised to nobody.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Policy)]
pub struct PolicyBody {
    /// For this product only.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    sku: Option<Text<Sku>>,
    /// For the products of this department; with neither `sku` nor `department` for everything.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    department: Option<Text<Code>>,
    /// How rights are spread: `hub-only`, `static`, `equal-borrow`, `proportional` or `littlewood`.
    #[schema(value_type = String, example = "littlewood")]
    allocation: Text<Allocation>,
    /// Pieces or grams per store that are never promised; 0 if absent.
    #[serde(default)]
    safety: u32,
    /// Accepted probability that a promise is broken by what the book does not know, percent, 0 to 100; 1 if absent. Kept as
    /// parts per million: 1% is 10,000.
    #[serde(default = "one_percent")]
    risk_percent: f64,
    /// Accepted probability that a soft promise is broken, percent; 0, if absent, for no soft promises.
    #[serde(default)]
    soft_percent: f64,
    /// Soft promises open at a time, percent of the goods that may be promised, rounded up; 0 if absent.
    #[serde(default)]
    overbooking_percent: f64,
    /// Expected shrinkage since the last count, percent of the goods per day; 0 if absent.
    #[serde(default)]
    shrink_percent_day: f64,
    /// From a promise until its goods are taken off the shelf, minutes, 0 to 20,160 (two weeks); 30 if absent.
    #[serde(default = "half_an_hour")]
    lead_min: f64,
    /// How long an unconfirmed promise is held, minutes, more than 0 to 10,080 (a week); 15 if absent.
    #[serde(default = "quarter_of_an_hour")]
    hold_min: f64,
}

/// Rules that hold.
#[derive(Serialize, ToSchema)]
pub struct PolicyList {
    /// The rules: for everything, for departments, for products.
    items: Vec<PolicyBody>,
}

/// A rule that was taken back.
#[derive(Serialize, ToSchema)]
pub struct PolicyRemoved {
    /// What holds from now on in its place; absent if nothing does: then nothing new is promised, and what is promised is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    now: Option<PolicyBody>,
}

/// Which rule: neither for the one for everything.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PolicyParams {
    /// The rule of this product.
    #[param(value_type = Option<String>)]
    sku: Option<Text<Sku>>,
    /// The rule of this department.
    #[param(value_type = Option<String>)]
    department: Option<Text<Code>>,
}

/// Path of all three.
pub const PATH: &str = "/v1/policies";

/// Rules about promising that hold, as far as they are known here.
#[utoipa::path(get, path = "/v1/policies", tag = "reservations", responses((status = 200, body = PolicyList)))]
pub async fn list_policies(State(api): State<Arc<Api>>) -> Answered<Json<PolicyList>> {
    let items = api.read(|books| Ok(books.rules()?.values().map(PolicyBody::of).collect()))?;
    Ok(Json(PolicyList { items }))
}

/// Says how goods may be promised. At the hub, from its own machine. Replaces the rule of the same target.
#[utoipa::path(put, path = "/v1/policies", tag = "reservations", params(KeyHeader), request_body = PolicyBody,
    responses((status = 200, body = PolicyBody)))]
pub async fn set_policy(State(api): State<Arc<Api>>, Keyed { value, retry }: Keyed<PolicyBody>) -> Answered {
    let written = api.write(Command::PolicyRule(retry, value.rule()?)).await?;
    let Fact::PolicyRule(rule) = written.entry.fact else { return unexpected_entry() };
    Ok(done(written.replayed, PolicyBody::of(&rule)))
}

/// Takes a rule back: the next wider one holds again. At the hub, from its own machine. Needs no key: a rule that is gone is
/// not found.
#[utoipa::path(delete, path = "/v1/policies", tag = "reservations", params(PolicyParams),
    responses((status = 200, body = PolicyRemoved)))]
pub async fn remove_policy(
    State(api): State<Arc<Api>>,
    Params(params): Params<PolicyParams>,
) -> Answered<Json<PolicyRemoved>> {
    let target = target(params.sku, params.department)?;
    let held = api.read(|books| Ok(books.rules()?.remove(&target)))?;
    let held = held.ok_or_else(|| Problem::not_found("there is no such rule; GET lists all of them"))?;
    let random: [u8; 32] = {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes)
            .map_err(|_| Problem::new(super::problem::Kind::Storage, "the system gave no randomness"))?;
        bytes
    };
    let key = stockroom_crdt::ids::Digest(random);
    let retry = stockroom_core::input::RetryKey { key, body: key };
    api.write(Command::PolicyRule(retry, PolicyRule { ended: true, ..held })).await?;
    let now = api.read(|books| {
        let rules = books.rules()?;
        Ok(match &target {
            Target::Sku(sku) => books.rule_for(&rules, sku)?,
            Target::Department(_) => rules.get(&Target::All).cloned(),
            Target::All => None,
        })
    })?;
    Ok(Json(PolicyRemoved { now: now.as_ref().map(PolicyBody::of) }))
}

impl PolicyBody {
    /// A rule as it is shown.
    pub fn of(rule: &PolicyRule) -> Self {
        let percent = |ppm: u32| f64::from(ppm) / PPM_PER_PERCENT;
        let minutes = |ms: u64| ms as f64 / MS_PER_MINUTE;
        let (sku, department) = match &rule.target {
            Target::All => (None, None),
            Target::Department(department) => (None, Some(Text(department.clone()))),
            Target::Sku(sku) => (Some(Text(sku.clone())), None),
        };
        Self {
            sku,
            department,
            allocation: Text(rule.allocation),
            safety: rule.safety,
            risk_percent: percent(rule.risk_ppm),
            soft_percent: percent(rule.soft_ppm),
            overbooking_percent: percent(rule.overbooking_ppm),
            shrink_percent_day: percent(rule.shrink_ppm_day),
            lead_min: minutes(rule.lead_ms),
            hold_min: minutes(rule.hold_ms),
        }
    }

    /// The rule that it says.
    pub fn rule(self) -> Answered<PolicyRule> {
        Ok(PolicyRule {
            target: target(self.sku, self.department)?,
            allocation: self.allocation.0,
            ended: false,
            safety: self.safety,
            risk_ppm: ppm("risk_percent", self.risk_percent)?,
            soft_ppm: ppm("soft_percent", self.soft_percent)?,
            overbooking_ppm: ppm("overbooking_percent", self.overbooking_percent)?,
            shrink_ppm_day: ppm("shrink_percent_day", self.shrink_percent_day)?,
            lead_ms: milliseconds("lead_min", self.lead_min, (0.0, LEAD_MIN_MAX))?,
            hold_ms: milliseconds("hold_min", self.hold_min, (1.0 / MS_PER_MINUTE, HOLD_MIN_MAX))?,
        })
    }
}

impl Word for Allocation {
    fn read(text: &str) -> Result<Self, String> {
        Self::parse(text).ok_or_else(|| {
            let words: Vec<_> = Self::ALL.iter().map(|allocation| allocation.as_str()).collect();
            format!("is none of {}", words.join(", "))
        })
    }

    fn write(&self) -> String {
        self.as_str().into()
    }
}

fn target(sku: Option<Text<Sku>>, department: Option<Text<Code>>) -> Answered<Target> {
    match (sku, department) {
        (None, None) => Ok(Target::All),
        (Some(sku), None) => Ok(Target::Sku(sku.0)),
        (None, Some(department)) if department.0.is_empty() => Err(Problem::invalid("department", "is empty")),
        (None, Some(department)) => Ok(Target::Department(department.0)),
        (Some(_), Some(_)) => Err(Problem::invalid("department", "stands beside a sku; a rule is about one of them")),
    }
}

fn ppm(field: &str, percent: f64) -> Answered<u32> {
    if !(0.0..=100.0).contains(&percent) {
        return Err(Problem::invalid(field, format_args!("{percent} is not 0 to 100 percent")));
    }
    Ok((percent * PPM_PER_PERCENT).round() as u32)
}

fn milliseconds(field: &str, minutes: f64, (least, most): (f64, f64)) -> Answered<u64> {
    if !(least..=most).contains(&minutes) {
        return Err(Problem::invalid(field, format_args!("{minutes} is not {} to {most} minutes", least.ceil())));
    }
    Ok((minutes * MS_PER_MINUTE).round() as u64)
}

fn one_percent() -> f64 {
    1.0
}

fn half_an_hour() -> f64 {
    30.0
}

fn quarter_of_an_hour() -> f64 {
    15.0
}

const PPM_PER_PERCENT: f64 = 10_000.0;

const MS_PER_MINUTE: f64 = 60_000.0;

/// Two weeks.
const LEAD_MIN_MAX: f64 = 20_160.0;

/// A week.
const HOLD_MIN_MAX: f64 = 10_080.0;
