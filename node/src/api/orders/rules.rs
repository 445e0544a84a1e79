//! How orders are routed, how long things may take, when stores are open: decisions of a hub, in the units that people use.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use stockroom_core::input::Command;
use stockroom_crdt::entry::Fact;
use stockroom_crdt::ids::{Code, StoreId};
use stockroom_crdt::order::rules::hours::{Span, StoreService};
use stockroom_crdt::order::rules::limits::OrderLimits;
use stockroom_crdt::order::rules::{Boundary, Filter, RoutingRules, RuleSet, Weights};
use stockroom_crdt::product::Channel;
use utoipa::ToSchema;

use crate::api::idempotency::{KeyHeader, Keyed, done};
use crate::api::problem::{Answered, Problem};
use crate::api::values::{Day, Text, Word};
use crate::api::{Api, unexpected_entry};

/// How orders are given to stores. The rules of the order's channel hold, else those for all channels, else the usual ones.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = OrderRouting)]
pub struct RoutingBody {
    /// For this channel only.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    channel: Option<Text<Channel>>,
    /// True to take the rules back: the wider ones hold again.
    ended: bool,
    /// Tried one after the other until one serves the whole order; 1 to 8.
    sets: Vec<SetBody>,
    /// Whether an order of one legal entity may be given to a store of another: `never`, `last-resort` or `free`.
    #[schema(value_type = String)]
    boundary: Text<Boundary>,
    /// An order is split only into parts that are worth so much each, minor units, unless nothing else serves it.
    split_value_min: i64,
    /// An order is never split into more parts, 1 to 6.
    parts_max: u8,
    /// Parts that a store takes on in a day, unless it says itself; without a limit if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    parts_per_day: Option<u32>,
    /// Pieces of each product that a store keeps back.
    safety_pieces: u32,
    /// Grams of each product that a store keeps back.
    safety_grams: u32,
    /// From an offer to an open store until the goods are ready, seconds.
    prepare_s: u64,
    /// How fast a part comes nearer as the crow flies, metres a minute.
    metres_per_min: u32,
}

/// One step of routing.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = OrderRoutingSet)]
pub struct SetBody {
    /// What people call it.
    #[schema(value_type = String)]
    name: Text<Code>,
    /// Only stores of this group.
    #[serde(default)]
    #[schema(value_type = String)]
    group: Text<Code>,
    /// Only stores of this legal entity.
    #[serde(default)]
    #[schema(value_type = String)]
    entity: Text<Code>,
    /// Only stores that are no farther, metres.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    metres_max: Option<u32>,
    /// Only stores so many rings of map cells around the customer's (H3 resolution 7: 2.4 km each).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rings_max: Option<u8>,
    /// Only stores that were heard of within so many seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    age_s_max: Option<u64>,
    /// Goods may be promised without a right where that breaks the promise with at most this probability, parts per million; 0 for never.
    #[serde(default)]
    soft_ppm_max: u32,
    /// What is dear, in points; the usual weights if absent.
    #[serde(default)]
    weights: WeightsBody,
}

/// What a plan costs, in points: only their proportions matter.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = OrderRoutingWeights)]
pub struct WeightsBody {
    /// Each part after the first.
    split: u32,
    /// A kilometre to the customer.
    distance: u32,
    /// A tonne carried for a kilometre.
    haul: u32,
    /// An hour after the promised time.
    lateness: u32,
    /// A line whose promise is broken.
    risk: u32,
    /// An hour since the store was heard of.
    age: u32,
    /// A store that has as much to do as it can.
    load: u32,
}

/// How long things may take, for all stores or for one; what is absent is as usual. Seconds.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = OrderTimeLimits)]
pub struct LimitsBody {
    /// For this store only.
    #[serde(skip_serializing_if = "Option::is_none")]
    store: Option<u32>,
    /// True to take the limits back: the wider ones hold again.
    ended: bool,
    /// A store answers an offer within so much of its opening hours.
    accept_within_s: u64,
    /// Somebody is warned after so much of it.
    accept_warn_s: u64,
    /// Goods that are there are ready after so much of the opening hours.
    ready_within_s: u64,
    /// The promise for goods that take longer.
    ready_long_s: u64,
    /// An order that comes later than so long before closing is prepared after the next opening.
    last_orders_s: u64,
    /// How long goods wait for the customer.
    hold_s: u64,
    /// The same for fresh goods.
    hold_fresh_s: u64,
    /// The same for frozen goods.
    hold_frozen_s: u64,
    /// After how long in the bay the customer is reminded; ascending, each less than `hold_s`.
    reminders_s: Vec<u64>,
    /// A customer answers a question within this time, else what was said before holds.
    answer_within_s: u64,
    /// After how long without a courier the next one is asked: the first time, the second time, ...
    redispatch_s: Vec<u64>,
    /// A pass is good for so long.
    qr_life_s: u64,
    /// A customer who has arrived waits no longer than this.
    handover_within_s: u64,
    /// Between two messages with the same code.
    resend_gap_s: u64,
    /// Messages with a code, together.
    resends_max: u8,
    /// Wrong codes until the order needs a manager.
    code_tries: u8,
    /// Couriers that fail to deliver until somebody decides by hand.
    delivery_attempts: u8,
    /// How far weighed goods may differ from what was ordered, parts per million.
    weight_tolerance_ppm: u32,
    /// The most that a store pays back in cash for a signed receipt of another store, minor units.
    return_cash_max: i64,
}

/// What one store can do for orders.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = OrderService)]
pub struct ServiceBody {
    /// Which store.
    store: u32,
    /// Opening hours, Monday first, seven lists; for each day in the order of time.
    week: [Vec<HoursBody>; 7],
    /// Days on which it does not open, ascending.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    closed_days: Vec<Text<Day>>,
    /// Parts that it takes on in a day; as the routing rules say if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    parts_per_day: Option<u32>,
}

/// From opening to closing.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = OrderServiceHours)]
pub struct HoursBody {
    /// `HH:MM`, local time.
    #[schema(value_type = String, example = "08:00")]
    pub from: Text<Clock>,
    /// `HH:MM`; after midnight beyond 24: a store that closes at 2 in the night has `26:00`.
    #[schema(value_type = String, example = "20:00")]
    pub until: Text<Clock>,
}

/// Minutes after midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock(pub u16);

/// Routing rules that were put down.
#[derive(Serialize, ToSchema)]
pub struct RoutingList {
    /// For all channels, or for one.
    items: Vec<RoutingBody>,
    /// What holds where nothing else does.
    usual: RoutingBody,
}

/// Time limits that were put down.
#[derive(Serialize, ToSchema)]
pub struct LimitsList {
    /// For all stores, or for one.
    items: Vec<LimitsBody>,
    /// What holds where nothing else does.
    usual: LimitsBody,
}

/// Opening hours that were put down. A store without any is open without a pause.
#[derive(Serialize, ToSchema)]
pub struct ServiceList {
    /// By store.
    items: Vec<ServiceBody>,
}

/// Path of routing rules.
pub const ROUTING: &str = "/v1/order-rules/routing";

/// Path of time limits.
pub const LIMITS: &str = "/v1/order-rules/limits";

/// Path of opening hours.
pub const SERVICE: &str = "/v1/order-rules/service";

/// How orders are routed, as far as it is known here.
#[utoipa::path(get, path = "/v1/order-rules/routing", tag = "order rules", responses((status = 200, body = RoutingList)))]
pub async fn list_routing(State(api): State<Arc<Api>>) -> Answered<Json<RoutingList>> {
    let rules = api.read(|books| Ok(books.order_rules()?.0))?;
    let items = rules.iter().filter(|rules| !rules.ended).map(RoutingBody::of).collect();
    Ok(Json(RoutingList { items, usual: RoutingBody::default() }))
}

/// Says how orders are routed. At the hub, from its own machine. Replaces the rules of the same channel.
#[utoipa::path(put, path = "/v1/order-rules/routing", tag = "order rules", params(KeyHeader), request_body = RoutingBody,
    responses((status = 200, body = RoutingBody)))]
pub async fn set_routing(State(api): State<Arc<Api>>, Keyed { value, retry }: Keyed<RoutingBody>) -> Answered {
    let written = api.write(Command::Routing(retry, Box::new(value.rules()))).await.map_err(in_seconds)?;
    let Fact::Routing(rules) = written.entry.fact else { return unexpected_entry() };
    Ok(done(written.replayed, RoutingBody::of(&rules)))
}

/// How long things may take, as far as it is known here.
#[utoipa::path(get, path = "/v1/order-rules/limits", tag = "order rules", responses((status = 200, body = LimitsList)))]
pub async fn list_limits(State(api): State<Arc<Api>>) -> Answered<Json<LimitsList>> {
    let limits = api.read(|books| Ok(books.order_rules()?.1))?;
    let items = limits.iter().filter(|limits| !limits.ended).map(LimitsBody::of).collect();
    Ok(Json(LimitsList { items, usual: LimitsBody::default() }))
}

/// Says how long things may take. At the hub, from its own machine. Replaces the limits of the same store.
#[utoipa::path(put, path = "/v1/order-rules/limits", tag = "order rules", params(KeyHeader), request_body = LimitsBody,
    responses((status = 200, body = LimitsBody)))]
pub async fn set_limits(State(api): State<Arc<Api>>, Keyed { value, retry }: Keyed<LimitsBody>) -> Answered {
    let written = api.write(Command::OrderLimits(retry, Box::new(value.limits()))).await.map_err(in_seconds)?;
    let Fact::OrderLimits(limits) = written.entry.fact else { return unexpected_entry() };
    Ok(done(written.replayed, LimitsBody::of(&limits)))
}

/// When stores are open, as far as it is known here.
#[utoipa::path(get, path = "/v1/order-rules/service", tag = "order rules", responses((status = 200, body = ServiceList)))]
pub async fn list_service(State(api): State<Arc<Api>>) -> Answered<Json<ServiceList>> {
    let services = api.read(|books| Ok(books.order_rules()?.2))?;
    Ok(Json(ServiceList { items: services.iter().map(ServiceBody::of).collect() }))
}

/// Says when a store is open and how much it takes on. At the hub, from its own machine.
#[utoipa::path(put, path = "/v1/order-rules/service", tag = "order rules", params(KeyHeader), request_body = ServiceBody,
    responses((status = 200, body = ServiceBody)))]
pub async fn set_service(State(api): State<Arc<Api>>, Keyed { value, retry }: Keyed<ServiceBody>) -> Answered {
    let written = api.write(Command::Service(retry, Box::new(value.service()))).await?;
    let Fact::Service(service) = written.entry.fact else { return unexpected_entry() };
    Ok(done(written.replayed, ServiceBody::of(&service)))
}

impl RoutingBody {
    fn of(rules: &RoutingRules) -> Self {
        Self {
            channel: rules.channel.map(Text),
            ended: rules.ended,
            sets: rules.sets.iter().map(SetBody::of).collect(),
            boundary: Text(rules.boundary),
            split_value_min: rules.split_value_min,
            parts_max: rules.parts_max,
            parts_per_day: rules.parts_per_day,
            safety_pieces: rules.safety_pieces,
            safety_grams: rules.safety_grams,
            prepare_s: seconds(rules.prepare_ms),
            metres_per_min: rules.metres_per_min,
        }
    }

    fn rules(self) -> RoutingRules {
        RoutingRules {
            channel: self.channel.map(|channel| channel.0),
            ended: self.ended,
            sets: self.sets.into_iter().map(SetBody::set).collect(),
            boundary: self.boundary.0,
            split_value_min: self.split_value_min,
            parts_max: self.parts_max,
            parts_per_day: self.parts_per_day,
            safety_pieces: self.safety_pieces,
            safety_grams: self.safety_grams,
            prepare_ms: milliseconds(self.prepare_s),
            metres_per_min: self.metres_per_min,
        }
    }
}

impl Default for RoutingBody {
    fn default() -> Self {
        Self::of(&RoutingRules::default())
    }
}

impl SetBody {
    fn of(set: &RuleSet) -> Self {
        Self {
            name: Text(set.name.clone()),
            group: Text(set.filter.group.clone()),
            entity: Text(set.filter.entity.clone()),
            metres_max: set.filter.metres_max,
            rings_max: set.filter.rings_max,
            age_s_max: set.filter.age_ms_max.map(seconds),
            soft_ppm_max: set.filter.soft_ppm_max,
            weights: WeightsBody::of(set.weights),
        }
    }

    fn set(self) -> RuleSet {
        let filter = Filter {
            group: self.group.0,
            entity: self.entity.0,
            metres_max: self.metres_max,
            rings_max: self.rings_max,
            age_ms_max: self.age_s_max.map(milliseconds),
            soft_ppm_max: self.soft_ppm_max,
        };
        let WeightsBody { split, distance, haul, lateness, risk, age, load } = self.weights;
        RuleSet { name: self.name.0, filter, weights: Weights { split, distance, haul, lateness, risk, age, load } }
    }
}

impl WeightsBody {
    fn of(weights: Weights) -> Self {
        let Weights { split, distance, haul, lateness, risk, age, load } = weights;
        Self { split, distance, haul, lateness, risk, age, load }
    }
}

impl Default for WeightsBody {
    fn default() -> Self {
        Self::of(Weights::default())
    }
}

impl LimitsBody {
    fn of(limits: &OrderLimits) -> Self {
        let all = |times: &[u64]| times.iter().copied().map(seconds).collect();
        Self {
            store: limits.store.map(|store| store.0),
            ended: limits.ended,
            accept_within_s: seconds(limits.accept_within_ms),
            accept_warn_s: seconds(limits.accept_warn_ms),
            ready_within_s: seconds(limits.ready_within_ms),
            ready_long_s: seconds(limits.ready_long_ms),
            last_orders_s: seconds(limits.last_orders_ms),
            hold_s: seconds(limits.hold_ms),
            hold_fresh_s: seconds(limits.hold_fresh_ms),
            hold_frozen_s: seconds(limits.hold_frozen_ms),
            reminders_s: all(&limits.reminders_ms),
            answer_within_s: seconds(limits.answer_within_ms),
            redispatch_s: all(&limits.redispatch_ms),
            qr_life_s: seconds(limits.qr_life_ms),
            handover_within_s: seconds(limits.handover_within_ms),
            resend_gap_s: seconds(limits.resend_gap_ms),
            resends_max: limits.resends_max,
            code_tries: limits.code_tries,
            delivery_attempts: limits.delivery_attempts,
            weight_tolerance_ppm: limits.weight_tolerance_ppm,
            return_cash_max: limits.return_cash_max,
        }
    }

    fn limits(self) -> OrderLimits {
        let all = |times: Vec<u64>| times.into_iter().map(milliseconds).collect();
        OrderLimits {
            store: self.store.map(StoreId),
            ended: self.ended,
            accept_within_ms: milliseconds(self.accept_within_s),
            accept_warn_ms: milliseconds(self.accept_warn_s),
            ready_within_ms: milliseconds(self.ready_within_s),
            ready_long_ms: milliseconds(self.ready_long_s),
            last_orders_ms: milliseconds(self.last_orders_s),
            hold_ms: milliseconds(self.hold_s),
            hold_fresh_ms: milliseconds(self.hold_fresh_s),
            hold_frozen_ms: milliseconds(self.hold_frozen_s),
            reminders_ms: all(self.reminders_s),
            answer_within_ms: milliseconds(self.answer_within_s),
            redispatch_ms: all(self.redispatch_s),
            qr_life_ms: milliseconds(self.qr_life_s),
            handover_within_ms: milliseconds(self.handover_within_s),
            resend_gap_ms: milliseconds(self.resend_gap_s),
            resends_max: self.resends_max,
            code_tries: self.code_tries,
            delivery_attempts: self.delivery_attempts,
            weight_tolerance_ppm: self.weight_tolerance_ppm,
            return_cash_max: self.return_cash_max,
        }
    }
}

impl Default for LimitsBody {
    fn default() -> Self {
        Self::of(&OrderLimits::default())
    }
}

impl ServiceBody {
    fn of(service: &StoreService) -> Self {
        let hours = |span: &Span| HoursBody { from: Text(Clock(span.from)), until: Text(Clock(span.until)) };
        Self {
            store: service.store.0,
            week: std::array::from_fn(|day| service.week[day].iter().map(hours).collect()),
            closed_days: service.closed_days.iter().map(|day| Text(Day(*day))).collect(),
            parts_per_day: service.parts_per_day,
        }
    }

    fn service(self) -> StoreService {
        let span = |hours: HoursBody| Span { from: hours.from.0.0, until: hours.until.0.0 };
        StoreService {
            store: StoreId(self.store),
            week: self.week.map(|day| day.into_iter().map(span).collect()),
            closed_days: self.closed_days.into_iter().map(|day| day.0.0).collect(),
            parts_per_day: self.parts_per_day,
        }
    }
}

impl Word for Clock {
    fn read(text: &str) -> Result<Self, String> {
        let wrong = || "is not a time HH:MM, 00:00 to 47:59".to_owned();
        let (hours, minutes) = text.split_once(':').ok_or_else(wrong)?;
        let number = |text: &str, end: u16| {
            let is_two = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse::<u16>().ok().filter(|number| is_two && *number < end).ok_or_else(wrong)
        };
        Ok(Self(number(hours, 48)? * 60 + number(minutes, 60)?))
    }

    fn write(&self) -> String {
        format!("{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

impl Word for Boundary {
    fn read(text: &str) -> Result<Self, String> {
        Self::parse(text).ok_or_else(|| "is none of never, last-resort, free".into())
    }

    fn write(&self) -> String {
        self.as_str().into()
    }
}

fn seconds(ms: u64) -> u64 {
    ms / 1_000
}

fn milliseconds(seconds: u64) -> u64 {
    seconds.saturating_mul(1_000)
}

/// The core names lengths in milliseconds.
fn in_seconds(problem: Problem) -> Problem {
    let field = problem.field().unwrap_or_default().to_owned();
    match field.contains("_ms") {
        true => problem.renamed(&field, &field.replace("_ms", "_s")),
        false => problem,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_of_day_may_lie_in_the_next_night() {
        assert_eq!(Clock::read("08:30"), Ok(Clock(510)));
        assert_eq!(Clock::read("26:00").map(|clock| clock.write()), Ok("26:00".into()));
        for wrong in ["8:30", "48:00", "08:60", "0830", "+8:30", ""] {
            assert!(Clock::read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn rules_survive_being_shown() {
        assert_eq!(RoutingBody::default().rules(), RoutingRules::default());
        assert_eq!(LimitsBody::default().limits(), OrderLimits::default());
        let service = StoreService::always_open(StoreId(3));
        assert_eq!(ServiceBody::of(&service).service(), service);
    }
}
