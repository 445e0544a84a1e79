//! The plan for an order as it is shown: who serves what, and for every store why or why not.

use serde::Serialize;
use stockroom_core::policy::route::plan::{Judged, Part, Plan, Score, Suggestion, Verdict, Why};
use stockroom_crdt::ids::Sku;
use utoipa::ToSchema;

use crate::api::Api;
use crate::api::near::shown_km;
use crate::api::stores::Knowledge;
use crate::api::values::{Moment, Text};

/// Who is asked to serve an order, and why.
#[derive(Serialize, ToSchema)]
pub struct PlanAnswer {
    /// The rule set that gave it; empty if none did.
    rule_set: String,
    /// The parts, the cheapest first.
    parts: Vec<PartAnswer>,
    /// What nobody serves.
    missing: Vec<GoodsAnswer>,
    /// False when the search for something better was ended before its end.
    is_best: bool,
    /// What it costs, in points of the rules.
    points: f64,
    /// Every store that was looked at: chosen ones, then those that could have been, then the rest.
    candidates: Vec<CandidateAnswer>,
    /// What else the customer may be offered.
    suggestions: Vec<SuggestionAnswer>,
}

/// What one store is asked for.
#[derive(Serialize, ToSchema)]
pub struct PartAnswer {
    /// Which store.
    store: u32,
    /// What.
    goods: Vec<GoodsAnswer>,
    /// When it is expected to be ready.
    #[schema(value_type = String, format = DateTime)]
    ready_at: Text<Moment>,
    /// When it is expected to be with the customer; as `ready_at` for a pickup.
    #[schema(value_type = String, format = DateTime)]
    arrives_at: Text<Moment>,
}

/// Units of a product.
#[derive(Serialize, ToSchema)]
pub struct GoodsAnswer {
    /// What.
    #[schema(value_type = String)]
    sku: Text<Sku>,
    /// Pieces or grams.
    quantity: u64,
}

/// What was found about one store.
#[derive(Serialize, ToSchema)]
pub struct CandidateAnswer {
    /// Which store.
    store: u32,
    /// `chosen`, `dearer`, `lacks`, `given-to-others` or `out`.
    verdict: &'static str,
    /// Why, in words, with what it would cost.
    why: String,
    /// What it would cost, in points of the rules; absent where it was not looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    points: Option<PointsAnswer>,
    /// To the customer as the crow flies, if both places are known.
    #[serde(skip_serializing_if = "Option::is_none")]
    distance_km: Option<f64>,
    /// How old the knowledge of the store is, in seconds; absent if it was never heard.
    #[serde(skip_serializing_if = "Option::is_none")]
    age_s: Option<u64>,
}

/// The terms of a cost.
#[derive(Serialize, ToSchema)]
pub struct PointsAnswer {
    /// All of it.
    total: f64,
    /// For the way.
    distance: f64,
    /// For weight on the way.
    haul: f64,
    /// For coming late.
    lateness: f64,
    /// For promises that may break.
    risk: f64,
    /// For old knowledge.
    age: f64,
    /// For a store that has much to do.
    load: f64,
}

/// Something to ask the customer.
#[derive(Serialize, ToSchema)]
pub struct SuggestionAnswer {
    /// `other-store` or `transfer`.
    what: &'static str,
    /// The store that has it.
    store: u32,
    /// In words.
    why: String,
}

impl PlanAnswer {
    /// A plan for goods that are numbered as in `goods`.
    pub fn of(api: &Api, plan: Plan, goods: &[Sku]) -> Self {
        let name = |number: u32, quantity: u64| {
            let sku = goods.get(number as usize)?.clone();
            Some(GoodsAnswer { sku: Text(sku), quantity })
        };
        let part = |part: Part| PartAnswer {
            store: part.store.0,
            goods: part.lines.iter().filter_map(|line| name(line.goods, line.hard + line.soft)).collect(),
            ready_at: Text(Moment(part.ready_ms)),
            arrives_at: Text(Moment(part.arrive_ms)),
        };
        Self {
            rule_set: plan.rule_set.as_str().into(),
            missing: plan.missing.iter().filter_map(|(goods, units)| name(*goods, *units)).collect(),
            parts: plan.parts.into_iter().map(part).collect(),
            is_best: plan.is_best,
            points: points(plan.cost),
            candidates: plan.candidates.iter().map(|judged| CandidateAnswer::of(api, judged)).collect(),
            suggestions: plan.suggestions.iter().map(SuggestionAnswer::of).collect(),
        }
    }

    /// The reason for each store in a line of words, for a person.
    pub fn words(&self) -> String {
        let words: Vec<_> = self.candidates.iter().map(|seen| seen.why.as_str()).collect();
        if words.is_empty() { "no store is known here".into() } else { words.join("; ") }
    }
}

impl CandidateAnswer {
    fn of(api: &Api, judged: &Judged) -> Self {
        let (verdict, is_out) = match judged.verdict {
            Verdict::Chosen => ("chosen", false),
            Verdict::Dearer { .. } => ("dearer", false),
            Verdict::Lacks { .. } => ("lacks", false),
            Verdict::GivenToOthers => ("given-to-others", false),
            Verdict::Out(_) => ("out", true),
        };
        let metres = match judged.verdict {
            Verdict::Out(Why::TooFar { metres }) => Some(metres),
            _ => judged.score.metres,
        };
        Self {
            store: judged.store.0,
            verdict,
            why: judged.to_string(),
            points: (!is_out).then(|| PointsAnswer::of(&judged.score)),
            distance_km: metres.map(|metres| shown_km(f64::from(metres) / 1_000.0)),
            age_s: Knowledge::of(api, judged.store).ok().and_then(|knowledge| knowledge.age_s()),
        }
    }
}

impl PointsAnswer {
    fn of(score: &Score) -> Self {
        let of = &score.points;
        Self {
            total: points(of.total()),
            distance: points(of.distance),
            haul: points(of.haul),
            lateness: points(of.lateness),
            risk: points(of.risk),
            age: points(of.age),
            load: points(of.load),
        }
    }
}

impl SuggestionAnswer {
    fn of(suggestion: &Suggestion) -> Self {
        let way = |metres: &Option<u32>| {
            metres.map_or(String::new(), |metres| format!(", {:.1} km away", f64::from(metres) / 1_000.0))
        };
        match suggestion {
            Suggestion::OtherStore { store, metres } => {
                let why = format!("store {} has all of it{}", store.0, way(metres));
                Self { what: "other-store", store: store.0, why }
            }
            Suggestion::Transfer { from, to, metres, .. } => {
                let why = format!("store {} could send what is missing to store {}{}", from.0, to.0, way(metres));
                Self { what: "transfer", store: from.0, why }
            }
        }
    }
}

/// Thousandths of a point as points.
fn points(cost: i64) -> f64 {
    cost as f64 / 1_000.0
}
