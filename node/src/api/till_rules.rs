//! What tills follow: taxes, hours of sale, rounding and limits, promotions. Decisions of a hub, in the units that people use.

pub mod promotions;

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use stockroom_core::input::{Answer, Command};
use stockroom_crdt::checkout::rounding::Rounding;
use stockroom_crdt::checkout::rules::{SaleHours, TaxRate, TillRules};
use stockroom_crdt::entry::Fact;
use stockroom_crdt::ids::{Code, StoreId};
use stockroom_crdt::order::rules::hours::Span;
use utoipa::ToSchema;

use super::idempotency::{KeyHeader, Keyed, done};
use super::orders::rules::{Clock, HoursBody};
use super::prices::check_start;
use super::problem::Answered;
use super::values::{Moment, Text, Word, now_ms};
use super::{Api, unexpected, unexpected_entry};

/// What tills of all stores, or of one, follow; what is absent is as usual.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = TillRules)]
pub struct TillsBody {
    /// For this store only.
    #[serde(skip_serializing_if = "Option::is_none")]
    store: Option<u32>,
    /// True to take the rules back: the wider ones hold again.
    ended: bool,
    /// Which tax rates hold.
    #[schema(value_type = String)]
    tax_area: Text<Code>,
    /// The smallest coin, minor units: cash totals are multiples of it. 0 for no rounding.
    cash_step: u32,
    /// How a cash total is rounded to it: `half-up`, `half-down`, `half-even`, `up` or `down`.
    #[schema(value_type = String, example = "half-up")]
    cash_rounding: Text<Rounding>,
    /// The most that a card terminal may approve without asking its bank, minor units: so much is lost at worst with each card. 0 for nothing.
    floor_limit: i64,
    /// Who bears the loss of such an approval that the bank refuses.
    #[schema(value_type = String)]
    floor_bearer: Text<Code>,
    /// The most that a cashier takes off a line or pays out without a manager, minor units.
    cashier_limit: i64,
    /// The most that a drawer's count may differ before a manager has to confirm it, minor units.
    drawer_limit: i64,
    /// A sale needs an open shift.
    shift_needed: bool,
}

/// Goods of a department are sold at these hours only.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SaleHours)]
pub struct SaleHoursBody {
    /// Of which department.
    #[schema(value_type = String, example = "spirits")]
    department: Text<Code>,
    /// At this store only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    store: Option<u32>,
    /// Monday first, seven lists; for each day in the order of time.
    week: [Vec<HoursBody>; 7],
    /// True to take the restriction back.
    #[serde(default)]
    ended: bool,
}

/// A tax from some moment on.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TaxRate)]
pub struct TaxRateBody {
    /// The tenant's code, as products name it.
    #[schema(value_type = String, example = "food")]
    code: Text<Code>,
    /// The area that stores name in their till rules; empty for those without one.
    #[serde(default)]
    #[schema(value_type = String)]
    area: Text<Code>,
    /// From when it holds; now if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    from: Option<Text<Moment>>,
    /// In hundredths of a percent; `null` ends an earlier rate.
    #[serde(deserialize_with = "super::prices::nullable")]
    #[schema(required = true)]
    rate_bp: Option<u32>,
    /// Prices contain the tax, also if absent; otherwise it is added to them.
    #[serde(default = "yes")]
    inclusive: bool,
    /// How its fractions are rounded; `half-up` if absent.
    #[serde(default)]
    #[schema(value_type = String)]
    rounding: Text<Rounding>,
    /// Rounded once for the receipt and spread over its lines; otherwise for each line.
    #[serde(default)]
    per_receipt: bool,
}

/// Till rules that were put down.
#[derive(Serialize, ToSchema)]
pub struct TillsList {
    /// For all stores, or for one.
    items: Vec<TillsBody>,
    /// What holds where nothing else does.
    usual: TillsBody,
}

/// Hours of sale that were put down. What has none is always sold.
#[derive(Serialize, ToSchema)]
pub struct SaleHoursList {
    /// By department and store.
    items: Vec<SaleHoursBody>,
}

/// Tax rates that were put down: past ones, those that hold and those to come.
#[derive(Serialize, ToSchema)]
pub struct TaxRateList {
    /// By code, area and start.
    items: Vec<TaxRateBody>,
}

/// Path of till rules.
pub const TILLS: &str = "/v1/till-rules/tills";

/// Path of hours of sale.
pub const HOURS: &str = "/v1/till-rules/hours";

/// Path of tax rates.
pub const TAXES: &str = "/v1/till-rules/taxes";

/// What tills follow, as far as it is known here.
#[utoipa::path(get, path = "/v1/till-rules/tills", tag = "till rules", responses((status = 200, body = TillsList)))]
pub async fn list_tills(State(api): State<Arc<Api>>) -> Answered<Json<TillsList>> {
    let rules = api.read(|books| Ok(books.all_till_rules()?))?;
    let items = rules.iter().filter(|rules| !rules.ended).map(TillsBody::of).collect();
    Ok(Json(TillsList { items, usual: TillsBody::default() }))
}

/// Says what tills follow. At the hub, from its own machine. Replaces the rules of the same store.
#[utoipa::path(put, path = "/v1/till-rules/tills", tag = "till rules", params(KeyHeader), request_body = TillsBody,
    responses((status = 200, body = TillsBody)))]
pub async fn set_tills(State(api): State<Arc<Api>>, Keyed { value, retry }: Keyed<TillsBody>) -> Answered {
    let written = api.write(Command::TillRules(retry, Box::new(value.rules()))).await?;
    let Fact::TillRules(rules) = written.entry.fact else { return unexpected_entry() };
    Ok(done(written.replayed, TillsBody::of(&rules)))
}

/// When goods of departments are sold, as far as it is known here.
#[utoipa::path(get, path = "/v1/till-rules/hours", tag = "till rules", responses((status = 200, body = SaleHoursList)))]
pub async fn list_hours(State(api): State<Arc<Api>>) -> Answered<Json<SaleHoursList>> {
    let hours = api.read(|books| Ok(books.all_sale_hours()?))?;
    Ok(Json(SaleHoursList { items: hours.iter().filter(|hours| !hours.ended).map(SaleHoursBody::of).collect() }))
}

/// Says when goods of a department are sold. At the hub, from its own machine. Replaces the hours of the same department and store.
#[utoipa::path(put, path = "/v1/till-rules/hours", tag = "till rules", params(KeyHeader), request_body = SaleHoursBody,
    responses((status = 200, body = SaleHoursBody)))]
pub async fn set_hours(State(api): State<Arc<Api>>, Keyed { value, retry }: Keyed<SaleHoursBody>) -> Answered {
    let written = api.write(Command::SaleHours(retry, Box::new(value.hours()))).await?;
    let Fact::SaleHours(hours) = written.entry.fact else { return unexpected_entry() };
    Ok(done(written.replayed, SaleHoursBody::of(&hours)))
}

/// Tax rates, as far as they are known here.
#[utoipa::path(get, path = "/v1/till-rules/taxes", tag = "till rules", responses((status = 200, body = TaxRateList)))]
pub async fn list_taxes(State(api): State<Arc<Api>>) -> Answered<Json<TaxRateList>> {
    let rates = api.read(|books| Ok(books.all_tax_rates()?))?;
    Ok(Json(TaxRateList { items: rates.iter().map(TaxRateBody::of).collect() }))
}

/// Says how goods are taxed from some moment on. At the hub, from its own machine. Replaces the rate of the same code, area and start.
#[utoipa::path(put, path = "/v1/till-rules/taxes", tag = "till rules", params(KeyHeader), request_body = TaxRateBody,
    responses((status = 200, body = TaxRateBody)))]
pub async fn set_tax(State(api): State<Arc<Api>>, Keyed { value, retry }: Keyed<TaxRateBody>) -> Answered {
    let rate = value.rate()?;
    let replayed = api.read(|books| Ok(books.retried(retry.key)?.is_some()))?;
    let written = api.ask(Command::TaxRates(retry, vec![rate.clone()])).await;
    match written.map_err(|problem| problem.without_prefix("rates[0]."))? {
        Answer::Imported { .. } => Ok(done(replayed, TaxRateBody::of(&rate))),
        answer => unexpected(&answer),
    }
}

impl TillsBody {
    fn of(rules: &TillRules) -> Self {
        Self {
            store: rules.store.map(|store| store.0),
            ended: rules.ended,
            tax_area: Text(rules.tax_area.clone()),
            cash_step: rules.cash_step,
            cash_rounding: Text(rules.cash_rounding),
            floor_limit: rules.floor_limit,
            floor_bearer: Text(rules.floor_bearer.clone()),
            cashier_limit: rules.cashier_limit,
            drawer_limit: rules.drawer_limit,
            shift_needed: rules.shift_needed,
        }
    }

    fn rules(self) -> TillRules {
        TillRules {
            store: self.store.map(StoreId),
            ended: self.ended,
            tax_area: self.tax_area.0,
            cash_step: self.cash_step,
            cash_rounding: self.cash_rounding.0,
            floor_limit: self.floor_limit,
            floor_bearer: self.floor_bearer.0,
            cashier_limit: self.cashier_limit,
            drawer_limit: self.drawer_limit,
            shift_needed: self.shift_needed,
        }
    }
}

impl Default for TillsBody {
    fn default() -> Self {
        Self::of(&TillRules::default())
    }
}

/// Hours of sale, day by day.
pub fn spans(hours: &SaleHours) -> [Vec<HoursBody>; 7] {
    let shown = |span: &Span| HoursBody { from: Text(Clock(span.from)), until: Text(Clock(span.until)) };
    std::array::from_fn(|day| hours.week[day].iter().map(shown).collect())
}

impl SaleHoursBody {
    fn of(hours: &SaleHours) -> Self {
        Self {
            department: Text(hours.department.clone()),
            store: hours.store.map(|store| store.0),
            week: spans(hours),
            ended: hours.ended,
        }
    }

    fn hours(self) -> SaleHours {
        let span = |hours: HoursBody| Span { from: hours.from.0.0, until: hours.until.0.0 };
        SaleHours {
            department: self.department.0,
            store: self.store.map(StoreId),
            week: self.week.map(|day| day.into_iter().map(span).collect()),
            ended: self.ended,
        }
    }
}

impl TaxRateBody {
    fn of(rate: &TaxRate) -> Self {
        Self {
            code: Text(rate.code.clone()),
            area: Text(rate.area.clone()),
            from: Some(Text(Moment(rate.from_ms))),
            rate_bp: rate.rate_bp,
            inclusive: rate.inclusive,
            rounding: Text(rate.rounding),
            per_receipt: rate.per_receipt,
        }
    }

    fn rate(self) -> Answered<TaxRate> {
        let now = now_ms();
        let from_ms = self.from.map_or(now, |from| from.0.0);
        check_start("from", from_ms, now)?;
        Ok(TaxRate {
            code: self.code.0,
            area: self.area.0,
            from_ms,
            rate_bp: self.rate_bp,
            inclusive: self.inclusive,
            rounding: self.rounding.0,
            per_receipt: self.per_receipt,
        })
    }
}

impl Word for Rounding {
    fn read(text: &str) -> Result<Self, String> {
        Self::parse(text).ok_or_else(|| "is not one of half-up, half-down, half-even, up, down".into())
    }

    fn write(&self) -> String {
        self.as_str().into()
    }
}

fn yes() -> bool {
    true
}
